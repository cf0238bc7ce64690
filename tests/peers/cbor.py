# SPDX-License-Identifier: Apache-2.0
"""CBOR (RFC 8949), as much as devices need: written from the RFC, for tests."""
import struct


def _head(major, number):
    for bound, code, form in ((24, None, None), (1 << 8, 24, ">B"), (1 << 16, 25, ">H"), (1 << 32, 26, ">I"), (1 << 64, 27, ">Q")):
        if number < bound:
            return bytes([major << 5 | (number if code is None else code)]) + (struct.pack(form, number) if form else b"")
    raise ValueError(number)


def encode(value):
    if value is None or isinstance(value, bool):
        return bytes([{False: 0xf4, True: 0xf5, None: 0xf6}[value]])
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(encode(one) for one in value)
    return _head(5, len(value)) + b"".join(encode(key) + encode(one) for key, one in value.items())


def decode(octets):
    """One item and nothing behind."""
    value, rest = _item(octets)
    if rest:
        raise ValueError("octets behind the item")
    return value


def _item(octets):
    major, low, rest = octets[0] >> 5, octets[0] & 31, octets[1:]
    number = low
    if 24 <= low <= 27:
        size = 1 << (low - 24)
        number, rest = int.from_bytes(rest[:size], "big"), rest[size:]
    if major in (0, 1):
        return (number if major == 0 else -1 - number), rest
    if major in (2, 3):
        return (rest[:number] if major == 2 else rest[:number].decode()), rest[number:]
    if major == 4:
        out = []
        for _ in range(number):
            one, rest = _item(rest)
            out.append(one)
        return out, rest
    if major == 5:
        out = {}
        for _ in range(number):
            key, rest = _item(rest)
            out[key], rest = _item(rest)
        return out, rest
    return {20: False, 21: True, 22: None}[low], rest
