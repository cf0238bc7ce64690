# SPDX-License-Identifier: Apache-2.0
"""dict_y3056's messages in plain Python, from doc/y3056-diameter.md; and an HSS that answers for permissions."""
import hashlib

from . import diameter as d
from .bsf_node import FakeHss

VENDOR, RPA, RPB = d.Y3056, 4294901761, 4294901762
TPR, RNR, PQR, PNR, CQR, TRR = 8388641, 8388642, 8388643, 8388644, 8388647, 8388648
CERTIFICATE = 24
(APPLICATION, PERMISSION, FLAG, VALID_FROM, VALID_UNTIL, DEGREE, LIFETIME, TOKEN_USE, PUSH_PEER, UA_PROTOCOLS, DIGEST, KIND,
 DECLARATION, ADDRESS, MECHANISMS, GSID) = range(1, 17)
CHANGED, CLEARED, DEVICE_REMOVED, BARRED, OPERATOR_CHANGED, RENEWAL = range(6)


def our(code, data):
    """An AVP of ours: number, octets, text or list; never with the M bit."""
    if isinstance(data, int):
        return d.u32(code, data, VENDOR, m=False)
    return d.Avp(code, data.encode() if isinstance(data, str) else data, VENDOR, m=False)


def permission(flag=1, gsid=None, until=None, lifetime=None, single=None, push_peer=None, ua=None):
    avps = [our(FLAG, flag)]
    avps += [our(GSID, gsid)] if gsid is not None else []
    avps += [d.when(VALID_UNTIL, until, VENDOR, m=False)] if until is not None else []
    avps += [our(LIFETIME, lifetime)] if lifetime is not None else []
    avps += [our(TOKEN_USE, int(single))] if single is not None else []
    avps += [our(PUSH_PEER, push_peer)] if push_peer is not None else []
    avps += [our(UA_PROTOCOLS, ua)] if ua is not None else []
    return our(PERMISSION, avps)


def digest(btid):
    return hashlib.sha256(btid.encode()).digest()


def notice(peer, impi, kind, dest_realm, application=None, guss=None, dest_host=None):
    """Permission-Notice."""
    avps = peer.header_avps(RPB, dest_realm, dest_host) + [d.text(d.USER_NAME, impi), our(KIND, kind)]
    avps += [our(APPLICATION, application)] if application else []
    return d.Message(PNR, RPB, avps + ([d.tgpp(400, guss)] if guss else []))


def tpr(peer, btid, naf_id, key, expires, dest_realm, uss=None, gsids=(), single=None, uicc=None, dest_host=None):
    """Token-Push."""
    avps = peer.header_avps(RPA, dest_realm, dest_host) + [d.tgpp(402, naf_id), d.tgpp(401, btid), d.tgpp(405, key)]
    avps += [d.tgpp(406, uicc)] if uicc else []
    avps += [d.when(404, expires, d.TGPP)] + ([d.tgpp(400, uss)] if uss else []) + [d.tgpp(403, g) for g in gsids]
    return d.Message(TPR, RPA, avps + ([our(TOKEN_USE, int(single))] if single is not None else []))


def rnr(peer, digests, dest_realm, applications=(), kind=None, dest_host=None):
    """Revocation-Notice."""
    avps = peer.header_avps(RPA, dest_realm, dest_host) + [our(DIGEST, x) for x in digests]
    avps += [our(APPLICATION, a) for a in applications]
    return d.Message(RNR, RPA, avps + ([our(KIND, kind)] if kind is not None else []))


class PermittingHss(FakeHss):
    """Shows RPB; permissions[impi, application] = keyword arguments of permission(); others are cleared."""

    def __init__(self, address, host=None):
        self.permissions, self.named, self.queries, self.query_behave = {}, [], [], self.answer_query
        super().__init__(address, *([host] if host else []), apps=(d.ZH, RPB))

    def _on(self, conn, message):
        if message.code == PQR:
            self.queries.append((message.find(d.USER_NAME).text(), message.find(APPLICATION, VENDOR).text()))
            return self.query_behave(conn, message)
        return super()._on(conn, message)

    def permission(self, impi, application):
        return permission(**self.permissions.get((impi, application), {"flag": 0}))

    def answer_query(self, conn, pqr):
        impi, application = self.queries[-1]
        return pqr.answer(conn.origin(), [d.vendor_app(RPB), d.u32(d.AUTH_SESSION_STATE, 1), d.result(2001),
                                          d.text(d.USER_NAME, impi), self.permission(impi, application)])

    def vector(self, conn, mar):
        answer = super().vector(conn, mar)
        named = mar.find(APPLICATION, VENDOR)
        if named is not None:
            self.named.append(named.text())
            answer.avps.append(self.permission(mar.find(d.USER_NAME).text(), named.text()))
        return answer

    def notify(self, impi, kind, realm, **kw):
        """Permission-Notice to the BSF that is connected; its answer."""
        conn = self.server.connections[-1]
        return conn.request(notice(conn, impi, kind, realm, **kw))
