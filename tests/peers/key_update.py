# SPDX-License-Identifier: Apache-2.0
"""Key updates of doc/operator-change.md made and opened in plain Python: AES-256 (FIPS 197), GCM (SP 800-38D), the message."""
import hashlib
import hmac
import os

from .aes import aes, xor

GKU1 = b"GKU1"


def _ghash_mul(x, y):
    z, v = 0, y
    for i in range(127, -1, -1):
        if x >> i & 1:
            z ^= v
        v = v >> 1 ^ (0xe1 << 120 if v & 1 else 0)
    return z


def _pad(octets):
    return octets + bytes(-len(octets) % 16)


def _gcm(key, nonce, about, text, cipher):
    """(text under the key stream, tag); cipher: what of the two is the ciphertext."""
    h = int.from_bytes(aes(key, bytes(16)), "big")
    stream = b"".join(aes(key, nonce + (2 + i).to_bytes(4, "big")) for i in range(-(-len(text) // 16)))
    out = xor(text, stream)
    sealed = text if cipher == "in" else out
    y = 0
    octets = _pad(about) + _pad(sealed) + (8 * len(about)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
    for i in range(0, len(octets), 16):
        y = _ghash_mul(y ^ int.from_bytes(octets[i:i + 16], "big"), h)
    tag = y ^ int.from_bytes(aes(key, nonce + b"\0\0\0\1"), "big")
    return out, tag.to_bytes(16, "big")


def gcm_encrypt(key, nonce, about, plain):
    out, tag = _gcm(key, nonce, about, plain, "out")
    return out + tag


def gcm_decrypt(key, nonce, about, octets):
    out, tag = _gcm(key, nonce, about, octets[:-16], "in")
    if not hmac.compare_digest(tag, octets[-16:]):
        raise ValueError("tag")
    return out


def field(octets):
    octets = octets.encode() if isinstance(octets, str) else octets
    return len(octets).to_bytes(2, "big") + octets


def head(kind, counter, change_id, old_operator, new_operator, device):
    return GKU1 + bytes([kind]) + counter.to_bytes(8, "big") + change_id + field(old_operator) + field(new_operator) + field(device)


def change_key(transfer_key, head_octets):
    return hmac.new(transfer_key, b"Y.3056 change key" + head_octets, hashlib.sha256).digest()


def symmetric(head_octets, key, k, opc, transfer_key, bsf, impi, imsi, res_len=8, ind_bits=5):
    """The message under this change key; MILENAGE."""
    inside = bytes([0, res_len, 1, ind_bits]) + field(k) + field(opc) + transfer_key + field(bsf) + field(impi) + field(imsi)
    nonce = os.urandom(12)
    return head_octets + nonce + field(gcm_encrypt(key, nonce, head_octets, inside))


class Reader:
    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, n):
        self.at += n
        return self.octets[self.at - n:self.at]

    def field(self):
        return self.take(int.from_bytes(self.take(2), "big"))


def open_symmetric(message, transfer_key):
    """What a device with this transfer key reads in a message: (head fields, content fields)."""
    r = Reader(message)
    assert r.take(4) == GKU1 and r.take(1) == b"\1"
    found = {"counter": int.from_bytes(r.take(8), "big"), "change_id": r.take(16), "old": r.field().decode(),
             "new": r.field().decode(), "device": r.field().decode()}
    head_octets = message[:r.at]
    nonce = r.take(12)
    inside = Reader(gcm_decrypt(change_key(transfer_key, head_octets), nonce, head_octets, r.field()))
    assert r.at == len(message)
    found["alg"], found["res_len"], found["iterations"], found["ind_bits"] = inside.take(4)
    found.update(k=inside.field(), opc=inside.field(), transfer_key=inside.take(32), bsf=inside.field().decode(),
                 impi=inside.field().decode(), imsi=inside.field().decode())
    return found
