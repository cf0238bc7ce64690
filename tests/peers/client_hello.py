# SPDX-License-Identifier: Apache-2.0
"""The first message of TLS 1.3 (RFC 8446 4.1.2), octet by octet: for what no library's client would send. It proves nothing: its
binders and its key share are random."""
import os
import struct


def vector(size, octets):
    return len(octets).to_bytes(size, "big") + octets


def extension(number, octets):
    return struct.pack(">H", number) + vector(2, octets)


def client_hello(name, identities, modes=b"\x01"):
    """In records, with these PSK identities."""
    extensions = extension(0, vector(2, b"\0" + vector(2, name.encode())))
    extensions += extension(10, vector(2, b"\x00\x1d")) + extension(13, vector(2, bytes.fromhex("040308040401")))
    extensions += extension(43, vector(1, b"\x03\x04")) + extension(51, vector(2, b"\x00\x1d" + vector(2, os.urandom(32))))
    extensions += extension(45, vector(1, modes))
    offered = b"".join(vector(2, one.encode()) + bytes(4) for one in identities)
    extensions += extension(41, vector(2, offered) + vector(2, b"".join(vector(1, os.urandom(32)) for _ in identities)))
    body = b"\x03\x03" + os.urandom(32) + vector(1, os.urandom(32)) + vector(2, b"\x13\x01") + vector(1, b"\0")
    message = b"\x01" + vector(3, body + vector(2, extensions))
    return b"".join(b"\x16\x03\x01" + vector(2, message[i:i + 16384]) for i in range(0, len(message), 16384))
