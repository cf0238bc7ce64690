# SPDX-License-Identifier: Apache-2.0
"""UMTS AKA of both sides in plain Python, for tests: MILENAGE (TS 35.206), TUAK (TS 35.231) on Keccak-f[1600] (FIPS 202), AUTN and
AUTS (TS 33.102 6.3). It shares nothing with the code under test.

    home = card = Milenage(k, opc)
    autn, xres, ck, ik = home.vector(rand, sqn)
    res, ck, ik, sqn, mac_good = card.challenge(rand, autn)
"""
import hashlib
import hmac

from .aes import aes, xor


class Aka:
    """f1, f1_star, f2345 (RES, CK, IK, AK) and f5_star come from the algorithm. SQNs are numbers here, octets there."""

    def vector(self, rand, sqn, amf=b"\0\0"):
        """AUTN, XRES, CK, IK (6.3.2)."""
        octets = sqn.to_bytes(6, "big")
        xres, ck, ik, ak = self.f2345(rand)
        return xor(octets, ak) + amf + self.f1(rand, octets, amf), xres, ck, ik

    def challenge(self, rand, autn):
        """RES, CK, IK, SQN, and whether MAC is right, of a challenge (6.3.3)."""
        res, ck, ik, ak = self.f2345(rand)
        sqn = xor(autn[:6], ak)
        return res, ck, ik, int.from_bytes(sqn, "big"), self.f1(rand, sqn, autn[6:8]) == autn[8:]

    def auts(self, rand, sqn_ms):
        """AUTS = SQN_MS ^ AK* || MAC-S, with AMF* = 0000 (6.3.3)."""
        sqn = sqn_ms.to_bytes(6, "big")
        return xor(sqn, self.f5_star(rand)) + self.f1_star(rand, sqn, b"\0\0")

    def check_auts(self, rand, auts):
        """SQN_MS, or None when MAC-S is wrong (6.3.5)."""
        sqn = xor(auts[:6], self.f5_star(rand))
        good = hmac.compare_digest(self.f1_star(rand, sqn, b"\0\0"), auts[6:])
        return int.from_bytes(sqn, "big") if good else None


def gba_u_autn(autn, ik):
    """AUTN with MAC* (TS 33.220 5.3.2)."""
    return autn[:8] + xor(autn[8:], hashlib.sha1(ik).digest()[:8])


# TS 35.206 ------------------------------------------------------------------------------------------------------------
def _rotate(block, bits):
    return block[bits // 8:] + block[:bits // 8]


class Milenage(Aka):
    def __init__(self, k, opc=None, op=None):
        self.k, self.opc = k, opc if opc is not None else xor(op, aes(k, op))

    def _out1(self, rand, sqn, amf):
        temp = aes(self.k, xor(rand, self.opc))
        return xor(aes(self.k, xor(temp, _rotate(xor((sqn + amf) * 2, self.opc), 64))), self.opc)

    def _out(self, rand, bits, constant):
        temp = aes(self.k, xor(rand, self.opc))
        block = _rotate(xor(temp, self.opc), bits)
        return xor(aes(self.k, block[:15] + bytes([block[15] ^ constant])), self.opc)

    def f1(self, rand, sqn, amf):
        return self._out1(rand, sqn, amf)[:8]

    def f1_star(self, rand, sqn, amf):
        return self._out1(rand, sqn, amf)[8:]

    def f2345(self, rand):
        out2 = self._out(rand, 0, 1)
        return out2[8:], self._out(rand, 32, 2), self._out(rand, 64, 4), out2[:6]

    def f5_star(self, rand):
        return self._out(rand, 96, 8)[:6]


# Keccak ---------------------------------------------------------------------------------------------------------------
def keccak_f1600(state):
    """FIPS 202 3.2-3.4 on 200 octets."""
    mask = (1 << 64) - 1
    lane = [[int.from_bytes(state[8 * (x + 5 * y):8 * (x + 5 * y) + 8], "little") for y in range(5)] for x in range(5)]

    def rol(v, n):
        n %= 64
        return (v << n | v >> (64 - n)) & mask if n else v

    lfsr = 1
    for _ in range(24):
        column = [lane[x][0] ^ lane[x][1] ^ lane[x][2] ^ lane[x][3] ^ lane[x][4] for x in range(5)]
        lane = [[lane[x][y] ^ column[(x - 1) % 5] ^ rol(column[(x + 1) % 5], 1) for y in range(5)] for x in range(5)]
        moved = [[0] * 5 for _ in range(5)]
        moved[0][0] = lane[0][0]
        x, y = 1, 0
        for t in range(24):
            moved[y][(2 * x + 3 * y) % 5] = rol(lane[x][y], (t + 1) * (t + 2) // 2)
            x, y = y, (2 * x + 3 * y) % 5
        lane = [[moved[x][y] ^ (~moved[(x + 1) % 5][y] & moved[(x + 2) % 5][y] & mask) for y in range(5)] for x in range(5)]
        for j in range(7):
            if lfsr & 1:
                lane[0][0] ^= 1 << ((1 << j) - 1)
            lfsr = (lfsr << 1 ^ (0x171 if lfsr & 0x80 else 0)) & 0x1FF
    return b"".join(lane[x][y].to_bytes(8, "little") for y in range(5) for x in range(5))


# TS 35.231 ------------------------------------------------------------------------------------------------------------
class Tuak(Aka):
    """MAC 64 bits, CK and IK 128 bits, as AUTN and GBA have them."""

    def __init__(self, k, topc=None, top=None, res_len=8, iterations=1):
        self.k, self.res_len, self.iterations = k, res_len, iterations
        self.k256 = 1 if len(k) == 32 else 0
        self.topc = topc
        if topc is None:
            self.topc = self._run(top, self.k256, bytes(16), bytes(2), bytes(6))[:32][::-1]

    def _run(self, top, instance, rand, amf, sqn):
        state = bytearray(200)
        state[0:32] = top[::-1]
        state[32] = instance
        state[33:40] = b"TUAK1.0"[::-1]
        state[40:56] = rand[::-1]
        state[56:58] = amf[::-1]
        state[58:64] = sqn[::-1]
        state[64:64 + len(self.k)] = self.k[::-1]
        state[96], state[135] = 0x1F, 0x80
        out = bytes(state)
        for _ in range(self.iterations):
            out = keccak_f1600(out)
        return out

    def f1(self, rand, sqn, amf):
        return self._run(self.topc, 0x08 | self.k256, rand, amf, sqn)[:8][::-1]

    def f1_star(self, rand, sqn, amf):
        return self._run(self.topc, 0x88 | self.k256, rand, amf, sqn)[:8][::-1]

    def f2345(self, rand):
        instance = 0x40 | {4: 0, 8: 0x08, 16: 0x10, 32: 0x20}[self.res_len] | self.k256
        out = self._run(self.topc, instance, rand, bytes(2), bytes(6))
        return out[:self.res_len][::-1], out[32:48][::-1], out[64:80][::-1], out[96:102][::-1]

    def f5_star(self, rand):
        return self._run(self.topc, 0xC0 | self.k256, rand, bytes(2), bytes(6))[96:102][::-1]
