# SPDX-License-Identifier: Apache-2.0
"""An application (NAF) with HTTP Digest on Ua in plain Python (TS 24.109 5.2). Keys come from a FakeBsf's sessions."""
import base64
import os

from .digest import fields as digest_fields, response_of
from .fake_http import StandIn, server_context

SUITES = {"ECDHE-RSA-AES128-GCM-SHA256": "c02f", "ECDHE-RSA-AES256-GCM-SHA384": "c030", "TLS_AES_256_GCM_SHA384": "1302",
          "TLS_AES_128_GCM_SHA256": "1301", "TLS_CHACHA20_POLY1305_SHA256": "1303"}


class FakeNaf(StandIn):
    version = "fake-naf/1.0"

    def __init__(self, fqdn, bsf, algorithm="MD5", qop="auth-int", certificate=None, tls=None):
        self.fqdn, self.bsf, self.algorithm, self.qop = fqdn, bsf, algorithm, qop
        self.realm = "3GPP-bootstrapping@" + fqdn
        self.requests = []  # (method, path, headers, body, Authorization fields or None)
        self.refused = set()  # B-TIDs not taken: renegotiation indication
        self.stale_once, self.rspauth = False, True
        self.on_done = None  # (headers, body) -> (headers, body)
        self.nonces = set()
        super().__init__(server_context(certificate, "ECDHE-RSA-AES128-GCM-SHA256" if tls == "1.2" else None) if certificate else None)

    def challenge(self, handler, stale=False):
        nonce = os.urandom(12).hex()
        self.nonces.add(nonce)
        text = 'Digest realm="%s", nonce="%s", algorithm=%s, qop="%s", opaque="%s"%s' % (
            self.realm, nonce, self.algorithm, self.qop, os.urandom(4).hex(), ", stale=true" if stale else "")
        handler.answer(401, [("WWW-Authenticate", text)], b"bootstrap first\n")

    def ua_id(self, handler):
        return "010001" + SUITES[handler.connection.cipher()[0]] if self.tls else "0100000002"

    def serve(self, handler, body):
        text = handler.headers.get("Authorization")
        fields = digest_fields(text) if text else None
        self.requests.append((handler.command, handler.path, handler.headers, body, fields))
        if fields is None or fields["username"] in self.refused or fields["username"] not in self.bsf.sessions:
            return self.challenge(handler)
        if self.stale_once:
            self.stale_once = False
            return self.challenge(handler, stale=True)
        if fields["nonce"] not in self.nonces or fields["uri"] != handler.path or fields["realm"] != self.realm:
            return handler.answer(400)
        self.nonces.discard(fields["nonce"])
        password = self.password(handler, fields["username"])
        if fields["response"] != response_of(self.algorithm, fields, self.realm, password, handler.command, body):
            return self.challenge(handler)
        return self.done(handler, fields, password, body)

    def password(self, handler, btid):
        return base64.b64encode(self.bsf.sessions[btid].ks_naf(self.fqdn, self.ua_id(handler)))

    def done(self, handler, fields, password, body):
        answer = b"hello " + fields["username"].encode() + b" " + body + b"\n"
        headers = [("Content-Type", "text/plain")]
        if self.rspauth:
            rspauth = response_of(self.algorithm, fields, self.realm, password, "", answer, rsp=True)
            headers.append(("Authentication-Info", 'qop=%s, rspauth="%s", cnonce="%s", nc=%s' % (
                fields["qop"], rspauth, fields["cnonce"], fields["nc"])))
        if self.on_done:
            headers, answer = self.on_done(headers, answer)
        return handler.answer(200, headers, answer)
