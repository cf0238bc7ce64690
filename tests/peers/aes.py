# SPDX-License-Identifier: Apache-2.0
"""AES (FIPS 197) for keys of 16 and 32 octets, in plain Python."""


def gf_mul(a, b):
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
        inverse = next((x for x in range(256) if gf_mul(value, x) == 1), 0)
        out = 0x63
        for shift in range(5):
            out ^= ((inverse << shift) | (inverse >> (8 - shift))) & 0xff
        box[value] = out
    return box


SBOX = _make_sbox()
_DOUBLE, _TRIPLE = [[gf_mul(value, factor) for value in range(256)] for factor in (2, 3)]


def _expand(key):
    """Round keys (5.2)."""
    nk = len(key) // 4
    words = [list(key[i:i + 4]) for i in range(0, len(key), 4)]
    rcon = 1
    for i in range(nk, 4 * (nk + 7)):
        word = list(words[i - 1])
        if i % nk == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = gf_mul(rcon, 2)
        elif nk == 8 and i % nk == 4:
            word = [SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[i - nk], word)])
    return [sum(words[i:i + 4], []) for i in range(0, len(words), 4)]


def _mix(c):
    return [_DOUBLE[c[i]] ^ _TRIPLE[c[(i + 1) % 4]] ^ c[(i + 2) % 4] ^ c[(i + 3) % 4] for i in range(4)]


def aes(key, block):
    """E(key, block)."""
    first, *middle, last = _expand(key)
    state = [a ^ b for a, b in zip(block, first)]
    for round_key in middle + [last]:
        state = [SBOX[b] for b in state]
        state = [state[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if round_key is not last:
            state = _mix(state[0:4]) + _mix(state[4:8]) + _mix(state[8:12]) + _mix(state[12:16])
        state = [a ^ b for a, b in zip(state, round_key)]
    return bytes(state)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))
