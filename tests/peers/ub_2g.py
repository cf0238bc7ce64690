# SPDX-License-Identifier: Apache-2.0
"""2G GBA of a SIM-only user in plain Python (TS 33.220 Annex I, TS 24.109 Annex H), upon tests/peers/ub.py: a SIM that computes
SRES and Kc from RAND alone, and a device that makes RES and Ks of them. Shares nothing with the code under test."""
import base64

from .aes import xor
from .aka import Milenage
from .keys import kdf
from .ub import Ub, authorization, params


class Sim:
    """A SIM with GSM-MILENAGE (TS 55.205): it knows nothing of AUTN."""

    def __init__(self, k, opc):
        self.f = Milenage(k, opc)

    def run(self, rand):
        """(SRES, Kc)"""
        _, res, ck, ik = self.f.vector(rand, 0)
        return xor(res[:4], res[4:]), xor(xor(ck[:8], ck[8:]), xor(ik[:8], ik[8:]))


def res_2g(sres, kc, rand):
    return kdf(kc + kc + rand, b"3gpp-gba-res", sres)[:16]


def ks_2g(sres, kc, rand, ks_input):
    return kdf(kc + kc + rand, ks_input, b"3gpp-gba-ks", sres)


class Ub2g(Ub):
    """Keeps of the last run: rand, ks_input, ks."""

    def __init__(self, address, impi, sim, **kw):
        super().__init__(address, impi, self.password, **kw)
        self.sim = sim

    def password(self, rand, _zeros=None):
        sres, kc = self.sim.run(rand)
        return res_2g(sres, kc, rand)

    def second(self, challenge, **changes):
        """Answer a challenge of 2G GBA: its nonce is RAND, sixteen zeros, Ks-input (TS 24.109 H.2)."""
        c = params(challenge.get("WWW-Authenticate"))
        octets = base64.b64decode(c["nonce"], validate=True)
        assert len(octets) == 48 and octets[16:32] == bytes(16), octets.hex()
        self.rand, self.ks_input = octets[:16], octets[32:]
        sres, kc = self.sim.run(self.rand)
        self.ks = ks_2g(sres, kc, self.rand, self.ks_input)
        fields = self.fields(c, res_2g(sres, kc, self.rand), **changes)
        return self.get(authorization(fields)), fields
