# SPDX-License-Identifier: Apache-2.0
"""An application that knows bootstrapped devices by HTTP Digest (TS 24.109 5.2). Put TLS in front of it.
digest_app.py NAME [PORT]   NAME: by which devices address it; PORT: any when not given, and printed"""
import base64
import hashlib
import hmac
import http.server
import re
import secrets
import sys

import gba_naf

NAME, NONCES, NAF = sys.argv[1], set(), gba_naf.Naf()


def md5(*parts):
    return hashlib.md5(":".join(parts).encode()).hexdigest()


class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', self.headers.get("Authorization", "")))
        try:
            token = NAF.get(given["username"], NAME, gba_naf.UA_HTTP_DIGEST, timeout=10) if given.get("nonce") in NONCES else None
        except gba_naf.Error as error:
            if not error.renegotiate:
                return self.answer(error.http, str(error))
            token = None
        if token is None or not self.proved(given, token):
            NONCES.add(nonce := secrets.token_hex(16))
            return self.answer(401, "bootstrap first", 'Digest realm="3GPP-bootstrapping@%s", nonce="%s", qop="auth"' % (NAME, nonce))
        NONCES.remove(given["nonce"])  # each is good once
        return self.answer(200, "hello " + (token.impi or token.btid))

    def proved(self, given, token):
        secret = md5(token.btid, "3GPP-bootstrapping@" + NAME, base64.b64encode(token.key).decode())
        want = md5(secret, given["nonce"], given.get("nc", ""), given.get("cnonce", ""), "auth", md5(self.command, self.path))
        return given.get("qop") == "auth" and given.get("uri") == self.path and hmac.compare_digest(want, given.get("response", ""))

    def answer(self, status, text, challenge=None):
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", str(len(text) + 1))
        self.end_headers()
        self.wfile.write(text.encode() + b"\n")


server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), App)
print("port", server.server_port, flush=True)
server.serve_forever()
