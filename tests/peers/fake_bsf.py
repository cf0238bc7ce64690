# SPDX-License-Identifier: Apache-2.0
"""A BSF with its HSS in plain Python (TS 24.109 clause 4, RFC 3310, RFC 4169): shares nothing with the code under test, keeps
what it was sent, and misbehaves on demand.

    with FakeBsf("bsf.example.org") as bsf:
        bsf.add(impi, k, opc)
        ... bsf.port, bsf.requests, bsf.sessions[btid].ks_naf("naf.example.org", ua_id)
"""
import base64
import hashlib
import hmac
import os
import time

from . import keys
from .aka import Milenage, gba_u_autn
from .digest import fields as digest_fields, response_of
from .fake_http import StandIn, server_context

TMPI_TOKEN = "3gpp-gba-tmpi"


class Session:
    def __init__(self, impi, rand, ks):
        self.impi, self.rand, self.ks = impi, rand, ks

    def ks_naf(self, fqdn, ua_id):
        return keys.ks_naf(self.ks, self.rand, self.impi, fqdn.encode() + bytes.fromhex(ua_id))


class User:
    def __init__(self, k, opc, sqn, gba_u):
        self.card, self.sqn, self.gba_u = Milenage(bytes.fromhex(k), bytes.fromhex(opc)), sqn, gba_u


class FakeBsf(StandIn):
    def __init__(self, fqdn, tmpi=True, lifetime=3600, algorithm="AKAv1-MD5", certificate=None):
        self.fqdn, self.tmpi, self.lifetime, self.algorithm = fqdn, tmpi, lifetime, algorithm
        self.users, self.sessions, self.tmpis, self.pending = {}, {}, {}, {}
        self.requests = []  # (Authorization fields, all headers) of each
        self.rands = []     # used before random ones
        self.order = []     # B-TIDs as issued
        self.ends = 0       # [s since 1970] the last one's lifetime
        # faults: each takes what would be sent and returns what is sent instead
        self.on_request = None    # (handler, number of the request) -> True: answered
        self.on_challenge = None  # (text of WWW-Authenticate) -> text
        self.on_done = None       # (headers, body) -> (headers, body)
        super().__init__(server_context(certificate) if certificate else None)

    @property
    def version(self):
        return "fake-bsf/1.0" + (" " + TMPI_TOKEN if self.tmpi else "")

    def add(self, impi, k, opc, sqn=0, gba_u=False):
        self.users[impi] = User(k, opc, sqn, gba_u)

    def serve(self, handler, _body):
        fields = digest_fields(handler.headers["Authorization"])
        self.requests.append((fields, handler.headers))
        if self.on_request and self.on_request(handler, len(self.requests)):
            return
        impi = self.tmpis.get(fields["username"], fields["username"])
        if impi not in self.users:
            handler.answer(403)
        elif not fields["nonce"]:
            self.challenge(handler, impi)
        else:
            self.judge(handler, fields, impi)

    def challenge(self, handler, impi, stale=False):
        user = self.users[impi]
        rand = self.rands.pop(0) if self.rands else os.urandom(16)
        user.sqn += 32
        autn, xres, ck, ik = user.card.vector(rand, user.sqn)
        nonce = base64.b64encode(rand + (gba_u_autn(autn, ik) if user.gba_u else autn)).decode()
        self.pending[nonce] = (impi, rand, xres, ck, ik)
        text = 'Digest realm="%s", nonce="%s", algorithm=%s, qop="auth-int", opaque="%s"' % (self.fqdn, nonce, self.algorithm,
                                                                                            os.urandom(16).hex())
        if self.on_challenge:
            text = self.on_challenge(text)
        handler.answer(401, [("WWW-Authenticate", text)])

    def password(self, xres, ck, ik):
        if self.algorithm != "AKAv2-MD5":
            return xres
        return base64.b64encode(hmac.new(xres + ik + ck, b"http-digest-akav2-password", hashlib.md5).digest())

    def judge(self, handler, fields, impi):
        assert fields["realm"] == self.fqdn and fields["qop"] == "auth-int" and fields["nc"] == "00000001"
        known = self.pending.pop(fields["nonce"], None)
        if known is None or known[0] != impi:
            return self.challenge(handler, impi)
        impi, rand, xres, ck, ik = known
        if "auts" in fields:
            assert fields["response"] == response_of("MD5", fields, self.fqdn, b"", "GET", b"")
            sqn = self.users[impi].card.check_auts(rand, base64.b64decode(fields["auts"]))
            if sqn is None:
                return handler.answer(403)
            self.users[impi].sqn = sqn
            return self.challenge(handler, impi)
        password = self.password(xres, ck, ik)
        if fields["response"] != response_of("MD5", fields, self.fqdn, password, "GET", b""):
            return self.challenge(handler, impi)
        self.done(handler, fields, Session(impi, rand, ck + ik), password)

    def done(self, handler, fields, session, password):
        btid = "%s@%s" % (base64.b64encode(session.rand).decode(), self.fqdn)
        self.ends = int(time.time() + self.lifetime)
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.ends))
        body = ('<?xml version="1.0" encoding="UTF-8"?>\n<BootstrappingInfo xmlns="uri:3gpp-gba">\n  <btid>%s</btid>\n'
                '  <lifetime>%s</lifetime>\n</BootstrappingInfo>\n' % (btid, end)).encode()
        rspauth = response_of("MD5", fields, self.fqdn, password, "", body, rsp=True)
        headers = [("Authentication-Info", 'qop=auth-int, rspauth="%s", cnonce="%s", nc=00000001' % (rspauth, fields["cnonce"])),
                   ("Content-Type", "application/vnd.3gpp.bsf+xml")]
        if self.on_done:
            headers, body = self.on_done(headers, body)
        self.sessions[btid] = session
        self.order.append(btid)
        self.tmpis = {self.tmpi_of(session): session.impi}
        handler.answer(200, headers, body)

    def tmpi_of(self, session):
        key = session.ks_naf(self.fqdn, "0100000100")
        return base64.b64encode(key[:24]).decode() + "@tmpi.bsf.3gppnetwork.org"
