# SPDX-License-Identifier: Apache-2.0
"""The peer that sealed datagrams are held against: on the RFCs' vectors, its AES against OpenSSL's, and what it gave to the C."""
import contextlib
import io
import os
import subprocess

import pytest

from peers import sealed
from peers.aes import aes

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def test_vectors_of_the_rfcs():
    sealed.prove()


def test_aes_is_openssls():
    key, block = os.urandom(16), os.urandom(16)
    done = subprocess.run(["openssl", "enc", "-aes-128-ecb", "-nopad", "-K", key.hex()], input=block, stdout=subprocess.PIPE, check=True)
    assert done.stdout == aes(key, block)


def test_the_vectors_for_the_c_are_its():
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        sealed.vectors()
    with open(os.path.join(TOP, "tests", "vectors", "sealed.h"), encoding="ascii") as file:
        assert file.read() == out.getvalue()


def test_it_refuses_what_is_not_sealed():
    frame = sealed.seal(sealed.KS_NAF, sealed.BTID, "device", 7, b"position")
    assert sealed.open_frame(sealed.KS_NAF, sealed.BTID, "device", frame) == (7, b"position")
    altered = frame[4:-1] + bytes([frame[-1] ^ 1])
    for bad in (frame[:-1] + bytes([frame[-1] ^ 1]), sealed.zlib.crc32(altered).to_bytes(4, "big") + altered):
        with pytest.raises(ValueError):
            sealed.open_frame(sealed.KS_NAF, sealed.BTID, "device", bad)
    with pytest.raises(ValueError):
        sealed.open_frame(sealed.KS_NAF, sealed.BTID, "server", frame)
