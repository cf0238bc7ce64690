# SPDX-License-Identifier: Apache-2.0
"""A rotation of the key-encryption key keeps transfer keys: opened here with an AES of its own."""
import os
import sqlite3
import subprocess

from conftest import TREE
from peers.key_update import gcm_decrypt

IMPI = "001010000000077@ims.mnc001.mcc001.3gppnetwork.org"


def test_transfer_keys_survive_a_rotation(tmp_path):
    db, kek, key = str(tmp_path / "hss.db"), str(tmp_path / "hss.kek"), os.urandom(32)

    def ctl(*words, stdin=""):
        done = subprocess.run([TREE.program("gba-ctl"), "--db", db, "--kek", kek, *words], input=stdin, capture_output=True, text=True,
                              env=dict(os.environ, **TREE.environment()))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stored():
        row = sqlite3.connect(db).execute("SELECT sealed FROM change_device").fetchone()[0]
        with open(kek, encoding="ascii") as text:
            newest = [bytes.fromhex(line) for line in text.read().split() if len(line) == 64]
        return row, newest

    def opened(row, keys):
        for candidate in keys:
            try:
                return gcm_decrypt(candidate, row[:12], b"transfer-key " + IMPI.encode(), row[12:])
            except ValueError:
                continue
        return None

    ctl("subscriber", "add", IMPI, "--imsi", "001010000000077", "--k-file", "-", "--opc", "0" * 32, stdin="1" * 32 + "\n")
    ctl("change", "transfer-key", IMPI, "--file", "-", stdin=key.hex() + "\n")
    before, old_keys = stored()
    assert opened(before, old_keys) == key
    ctl("key", "rotate")
    after, new_keys = stored()
    assert before != after and opened(after, new_keys) == key and opened(after, old_keys) is None
