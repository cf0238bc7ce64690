# SPDX-License-Identifier: Apache-2.0
"""UMTS AKA of the home network's side in plain Python: AES (FIPS 197) and MILENAGE (TS 35.206), nothing of ours in it."""
import hashlib
import hmac


def _gf_mul(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = (a << 1) ^ (0x11b if a & 0x80 else 0)
        b >>= 1
    return product


def _make_sbox():
    box = [0] * 256
    for value in range(256):
        inverse = next((x for x in range(256) if _gf_mul(value, x) == 1), 0)
        out = 0x63
        for shift in range(5):
            out ^= ((inverse << shift) | (inverse >> (8 - shift))) & 0xff
        box[value] = out
    return box


SBOX = _make_sbox()


def _expand(key):
    words = [list(key[i:i + 4]) for i in range(0, 16, 4)]
    rcon = 1
    for i in range(4, 44):
        word = list(words[i - 1])
        if i % 4 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = _gf_mul(rcon, 2)
        words.append([a ^ b for a, b in zip(words[i - 4], word)])
    return [sum(words[i:i + 4], []) for i in range(0, 44, 4)]


def aes(key, block):
    """E(key, block), AES-128."""
    rounds = _expand(key)
    state = [a ^ b for a, b in zip(block, rounds[0])]
    for number in range(1, 11):
        state = [SBOX[b] for b in state]
        state = [state[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if number < 10:
            mixed = []
            for column in range(0, 16, 4):
                c = state[column:column + 4]
                mixed += [_gf_mul(c[i], 2) ^ _gf_mul(c[(i + 1) % 4], 3) ^ c[(i + 2) % 4] ^ c[(i + 3) % 4] for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, rounds[number])]
    return bytes(state)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def _rotate(block, bits):
    return block[bits // 8:] + block[:bits // 8]


class Milenage:
    """f1..f5* for one K and OPc."""

    def __init__(self, k, opc):
        self.k, self.opc = k, opc

    def _out1(self, rand, sqn, amf):
        temp = aes(self.k, xor(rand, self.opc))
        in1 = (sqn + amf) * 2
        return xor(aes(self.k, xor(temp, _rotate(xor(in1, self.opc), 64))), self.opc)

    def _out(self, rand, bits, constant):
        temp = aes(self.k, xor(rand, self.opc))
        block = _rotate(xor(temp, self.opc), bits)
        return xor(aes(self.k, block[:15] + bytes([block[15] ^ constant])), self.opc)

    def f1(self, rand, sqn, amf):
        return self._out1(rand, sqn, amf)[:8]

    def f1_star(self, rand, sqn, amf=b"\0\0"):
        return self._out1(rand, sqn, amf)[8:]

    def vector(self, rand, sqn, amf=b"\0\0"):
        """AUTN, XRES, CK, IK for a SQN given as a number."""
        octets = sqn.to_bytes(6, "big")
        out2 = self._out(rand, 0, 1)
        autn = xor(octets, out2[:6]) + amf + self.f1(rand, octets, amf)
        return autn, out2[8:], self._out(rand, 32, 2), self._out(rand, 64, 4)

    def check_auts(self, rand, auts):
        """SQN_MS, or None when MAC-S is wrong (TS 33.102 6.3.5)."""
        sqn = xor(auts[:6], self._out(rand, 96, 8)[:6])
        good = hmac.compare_digest(self.f1_star(rand, sqn), auts[6:])
        return int.from_bytes(sqn, "big") if good else None


def gba_u_autn(autn, ik):
    """AUTN with MAC* (TS 33.220 5.3.2)."""
    return autn[:8] + xor(autn[8:], hashlib.sha1(ik).digest()[:8])
