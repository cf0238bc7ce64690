# SPDX-License-Identifier: Apache-2.0
"""A UE's side of Ub in plain Python (TS 24.109 clause 4, RFC 3310): raw sockets, own Digest; shares nothing with the code under
test. Who knows RES (a USIM, or a test that made the vector) passes it in as a function of RAND and AUTN.

    ue = Ub(("127.0.0.1", 8080), "001010000000001@ims...", lambda rand, autn: res)
    btid, expires = ue.bootstrap()
"""
import base64
import calendar
import os
import re
import socket
import time

from .digest import parameters as params, response
from .waiting import PATIENCE


class Refused(Exception):
    def __init__(self, answer):
        super().__init__(f"{answer.status} {answer.body[:80]!r}")
        self.answer = answer


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def get(self, name):
        """Value of the only header of this name; None when absent."""
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        assert len(values) <= 1, values
        return values[0] if values else None


class Http:
    """One keep-alive connection, octets in and out; source binds the local address."""

    def __init__(self, address, source=None, timeout=PATIENCE, tls=None, server_hostname=None):
        self.sock = socket.create_connection(address, timeout=timeout, source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=server_hostname)
        self.rest = b""

    def send(self, octets):
        self.sock.sendall(octets)

    def request(self, target="/", headers=(), method="GET", body=b"", host="bsf.lab.test"):
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"] + [f"{n}: {v}" for n, v in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)
        return self.answer(head_only=method == "HEAD")

    def _more(self):
        got = self.sock.recv(65536)
        if not got:
            raise ConnectionError("closed")
        self.rest += got

    def answer(self, head_only=False):
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in lines]
        length = 0 if head_only else int(dict((n.lower(), v) for n, v in headers).get("content-length", 0))
        while len(self.rest) < length:
            self._more()
        body, self.rest = self.rest[:length], self.rest[length:]
        return Answer(int(first.split()[1]), headers, body)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def digest(username, realm, password, method, uri, nonce, nc, cnonce, qop="auth-int", body=b""):
    """request-digest of Ub; method "" makes rspauth."""
    return response("MD5", username, realm, password, nonce, nc, cnonce, qop, method, uri, body)


def authorization(fields):
    """Header value; fields whose value is None are left out; nc, qop and algorithm are not quoted."""
    out = [f"{n}={v}" if n in ("nc", "qop", "algorithm") else f'{n}="{v}"' for n, v in fields.items() if v is not None]
    return "Digest " + ", ".join(out)


class Ub:
    def __init__(self, address, impi, res, realm=None, source=None, tmpi=False, application=None, **http):
        self.address, self.impi, self.res, self.realm, self.source, self.http = address, impi, res, realm, source, http
        self.agent = "test-ue/1 3gpp-gba" + (" 3gpp-gba-tmpi" if tmpi else "")
        self.conn = None
        self.more = [("Y3056-Application", application)] if application else []
        self.auts = None  # (rand, autn) -> octets, or None: accept

    def connect(self):
        self.close()
        self.conn = Http(self.address, self.source, **self.http)
        return self.conn

    def close(self):
        if self.conn is not None:
            self.conn.close()
            self.conn = None

    def get(self, header, extra=()):
        return (self.conn or self.connect()).request("/", [("User-Agent", self.agent), ("Accept", "*/*"),
                                                           ("Authorization", header)] + self.more + list(extra))

    def first(self, **changes):
        fields = dict(username=self.impi, realm=self.realm or "bsf.lab.test", nonce="", uri="/", response="")
        fields.update(changes)
        return self.get(authorization(fields))

    def fields(self, challenge, password, **changes):
        """What the second leg carries, right in every part but what changes says."""
        c = params(challenge) if isinstance(challenge, str) else challenge
        f = dict(username=self.impi, realm=c["realm"], nonce=c["nonce"], uri="/", qop="auth-int", nc="00000001",
                 cnonce=os.urandom(8).hex(), opaque=c.get("opaque"), algorithm=c.get("algorithm"))
        f["response"] = digest(f["username"], f["realm"], password, "GET", "/", f["nonce"], f["nc"], f["cnonce"])
        f.update(changes)
        return f

    def second(self, challenge, **changes):
        """Answer a challenge (an Answer with 401); AUTS instead when the USIM says so. Returns (Answer, fields)."""
        c = params(challenge.get("WWW-Authenticate"))
        octets = base64.b64decode(c["nonce"], validate=True)
        rand, autn = octets[:16], octets[16:32]
        auts = self.auts(rand, autn) if self.auts else None
        if auts:
            f = self.fields(c, b"", auts=base64.b64encode(auts).decode())
        else:
            f = self.fields(c, self.res(rand, autn), **changes)
        return self.get(authorization(f)), f

    def bootstrap(self, rounds=3):
        """(btid, seconds since 1970 when it ends); rspauth and body are checked. Raises Refused."""
        answer = self.first()
        for _ in range(rounds):
            if answer.status != 401:
                break
            challenge = answer
            answer, f = self.second(challenge)
        if answer.status != 200:
            raise Refused(answer)
        rand = base64.b64decode(f["nonce"])[:16]
        info = params(answer.get("Authentication-Info"))
        res = self.res(rand, base64.b64decode(f["nonce"])[16:32])
        want = digest(self.impi, f["realm"], res, "", "/", f["nonce"], f["nc"], f["cnonce"], body=answer.body)
        assert info["rspauth"] == want, "rspauth"
        assert answer.get("Content-Type") == "application/vnd.3gpp.bsf+xml"
        btid = re.search(rb"<btid>([^<]*)</btid>", answer.body).group(1).decode()
        life = re.search(rb"<lifetime>([^<]*)</lifetime>", answer.body).group(1).decode()
        assert btid == base64.b64encode(rand).decode() + "@" + f["realm"]
        return btid, calendar.timegm(time.strptime(life, "%Y-%m-%dT%H:%M:%SZ"))
