# SPDX-License-Identifier: Apache-2.0
"""Sealed datagrams of doc/sealed.md in plain Python, written from RFC 9052, RFC 9053, RFC 3610, RFC 5869 and RFC 8949: seals, and
opens whatever form of the same COSE a peer may have written. Run as a program (python3 -m tests.peers.sealed) it proves itself on
the RFCs' own vectors and prints tests/vectors/sealed.h."""
import hashlib
import hmac
import zlib

from .aes import aes, xor
from . import cbor

CCM_16_64_128 = 10


def ccm(key, nonce, about, plain, tag_len=8):
    """RFC 3610 2.2 - 2.4; L = 15 - len(nonce)."""
    size = 15 - len(nonce)
    blocks = bytes([64 * bool(about) + 8 * ((tag_len - 2) // 2) + size - 1]) + nonce + len(plain).to_bytes(size, "big")
    if about:
        head = len(about).to_bytes(2, "big") + about
        blocks += head + bytes(-len(head) % 16)
    blocks += plain + bytes(-len(plain) % 16)
    mac = bytes(16)
    for i in range(0, len(blocks), 16):
        mac = aes(key, xor(mac, blocks[i:i + 16]))
    stream = b"".join(aes(key, bytes([size - 1]) + nonce + i.to_bytes(size, "big")) for i in range(1 + -(-len(plain) // 16)))
    return xor(plain, stream[16:]) + xor(mac, stream)[:tag_len]


def ccm_open(key, nonce, about, octets, tag_len=8):
    sealed = octets[:-tag_len]
    plain = ccm(key, nonce, about, sealed)[:-tag_len]  # the stream over the ciphertext is the text
    if not hmac.compare_digest(ccm(key, nonce, about, plain), octets):
        raise ValueError("tag")
    return plain


def hkdf(salt, secret, info, length):
    prk = hmac.new(salt or bytes(32), secret, hashlib.sha256).digest()
    out, block = b"", b""
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([len(out) // 32 + 1]), hashlib.sha256).digest()
        out += block
    return out[:length]


def octets(value):
    """CBOR of a byte string: the text's head in major type 2."""
    head = cbor.encode("x" * len(value))[:-len(value)] if value else b"\x60"
    return bytes([head[0] - 0x20]) + head[1:] + value


def kid(btid, index=0):
    return hashlib.sha256(b"gba sealed kid\0" + bytes([index]) + btid.encode()).digest()[:8]


def keys(ks_naf, btid, sender, index=0):
    okm = hkdf(b"", ks_naf, b"gba sealed " + sender.encode() + b"\0" + bytes([index]) + btid.encode(), 29)
    return okm[:16], okm[16:]


def enc_structure(protected):
    return b"\x83" + cbor.encode("Encrypt0") + octets(protected) + octets(b"")


def seal(ks_naf, btid, sender, counter, plain, index=0):
    key, iv = keys(ks_naf, btid, sender, index)
    piv = counter.to_bytes(max(1, -(-counter.bit_length() // 8)), "big")
    protected = b"\xa3" + cbor.encode(1) + cbor.encode(CCM_16_64_128) + cbor.encode(4) + octets(kid(btid, index)) + \
        cbor.encode(6) + octets(piv)
    nonce = xor(iv, piv.rjust(13, b"\0"))
    cose = b"\xd0\x83" + octets(protected) + b"\xa0" + octets(ccm(key, nonce, enc_structure(protected), plain))
    return zlib.crc32(cose).to_bytes(4, "big") + cose


def introduction(btid, index=0):
    body = b"\x82" + cbor.encode(index) + cbor.encode(btid)
    return zlib.crc32(body).to_bytes(4, "big") + body


def open_frame(ks_naf, btid, sender, frame, index=0):
    """(counter, plain)"""
    if zlib.crc32(frame[4:]).to_bytes(4, "big") != frame[:4]:
        raise ValueError("checksum")
    if frame[4] != 0xd0:
        raise ValueError("tag 16")
    protected, unprotected, sealed = cbor.decode(frame[5:])
    header = cbor.decode(protected) | unprotected
    if header[1] != CCM_16_64_128 or header[4] != kid(btid, index):
        raise ValueError("header")
    key, iv = keys(ks_naf, btid, sender, index)
    nonce = xor(iv, header[6].rjust(13, b"\0"))
    return int.from_bytes(header[6], "big"), ccm_open(key, nonce, enc_structure(protected), sealed)


def prove():
    """RFC 3610 8 #1; RFC 5869 A.1 and A.3; RFC 9052 C.4.1 and C.4.2 (key and Context IV of the COSE working group's examples)."""
    assert ccm(bytes(range(0xc0, 0xd0)), bytes.fromhex("00000003020100a0a1a2a3a4a5"), bytes(range(8)), bytes(range(8, 0x1f))).hex() == \
        "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0"
    assert hkdf(bytes(range(13)), b"\x0b" * 22, bytes(range(0xf0, 0xfa)), 42).hex() == \
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    assert hkdf(b"", b"\x0b" * 22, b"", 42).hex() == \
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    for nonce, sealed in ((bytes.fromhex("89f52f65a1c580933b5261a78c"), "5974e1b99a3a4cc09a659aa2e9e7fff161d38ce71cb45ce460ffb569"),
                          (xor(bytes.fromhex("89f52f65a1c580930000000000"), bytes.fromhex("61a7").rjust(13, b"\0")),
                           "252a8911d465c125b6764739700f0141ed09192de139e053bd09abca")):
        assert ccm_open(bytes.fromhex("849b5786457c1491be3a76dcea6c4271"), nonce, enc_structure(bytes.fromhex("a1010a")),
                        bytes.fromhex(sealed)) == b"This is the content."


KS_NAF = bytes(range(32))
BTID = "aGVsbG8gd29ybGQgMTIzNA==@bsf.home1.example"
ROWS = [("device", 0, 0, b""), ("device", 0, 0, b"p"), ("device", 0, 255, b"fifteen octets."), ("device", 0, 256, b"sixteen octets.."),
        ("server", 0, 0, b"panic acknowledged"), ("server", 3, 65536, b"report every 60 s"), ("device", 1, 2**32 - 1, bytes(range(90))),
        ("device", 0, 2**40 - 1, bytes(90)), ("device", 0, 7, bytes(247)), ("device", 0, 7, bytes(248)), ("server", 255, 2**24, bytes(1024))]


def vectors():
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Made by tests/peers/sealed.py (python3 -m tests.peers.sealed), after it has proved itself on the RFCs' vectors. */")
    print('#define SEALED_KS_NAF "%s"\n#define SEALED_BTID   "%s"' % (KS_NAF.hex(), BTID))
    print("static const struct {\n\tint sender; /* 0 device, 1 server */\n\tuint8_t index;\n\tuint64_t counter;\n"
          "\tconst char *plain, *frame;\n} sealed_rows[] = {")
    for sender, index, counter, plain in ROWS:
        frame = seal(KS_NAF, BTID, sender, counter, plain, index)
        assert open_frame(KS_NAF, BTID, sender, frame, index) == (counter, plain)
        lines = [frame.hex()[i:i + 100] for i in range(0, 2 * len(frame), 100)]
        texts = [plain.hex()[i:i + 100] for i in range(0, max(1, 2 * len(plain)), 100)]
        print("\t{ %d, %d, %d," % (sender == "server", index, counter))
        print("\n".join('\t  "%s"' % t for t in texts) + ",")
        print("\n".join('\t  "%s"' % t for t in lines) + " },")
    print("};")


if __name__ == "__main__":
    prove()
    vectors()
