# SPDX-License-Identifier: Apache-2.0
"""gba-ctl backup, restore, subscriber lift: what comes back, what is refused, and that no SQN is used twice."""
import os
import shutil
import sqlite3
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_subscriber import Ctl, DAMAGED, IMPI, K, NEGATIVE, NOT_FOUND, REFUSED, TRY_LATER, UNREACHABLE, USAGE  # noqa: E402


@pytest.fixture
def ctl(tmp_path):
    one = Ctl(tmp_path)
    one.add(IMPI, "--sqn", "3200")
    one.add("second@lab.test")
    return one


def content(path):
    with open(path, "rb") as octets:
        return octets.read()


def test_there_and_back(ctl, tmp_path):
    saved = str(tmp_path / "saved.db")
    with sqlite3.connect(ctl.db) as other:  # a node has it open
        other.execute("SELECT count(*) FROM subscriber").fetchone()
        ctl.run("backup", saved)
    assert oct(os.stat(saved).st_mode & 0o777) == "0o600" and bytes.fromhex(K) not in content(saved)
    before = ctl.all("--reveal")
    ctl.run("subscriber", "set", IMPI, "--state", "barred")
    ctl.run("subscriber", "remove", "second@lab.test", "--yes")
    ctl.add("third@lab.test")
    other.close()
    ctl.run("restore", saved, "--yes", "--margin", "5000")
    after = ctl.all("--reveal")
    assert [a["impi"] for a in after] == [b["impi"] for b in before]
    assert [(a["k"], a["state"]) for a in after] == [(b["k"], b["state"]) for b in before]
    assert [a["sqn"] - b["sqn"] for a, b in zip(after, before)] == [5000 * 32] * 2
    assert not os.path.exists(ctl.db + ".restoring")
    ctl.run("audit", "verify")


def test_into_an_empty_place(ctl, tmp_path):
    saved = str(tmp_path / "saved.db")
    ctl.run("backup", saved)
    for tail in ("", "-wal", "-shm"):
        if os.path.exists(ctl.db + tail):
            os.unlink(ctl.db + tail)
    ctl.run("restore", saved)
    assert ctl.show(IMPI, "--reveal")["k"] == K and ctl.show(IMPI)["sqn"] == 3200 + 1000000 * 32


def test_refusals_leave_the_database_as_it_is(ctl, tmp_path):
    saved, other_key = str(tmp_path / "saved.db"), str(tmp_path / "other.kek")
    ctl.run("backup", saved)
    ctl.run("backup", saved, want=NEGATIVE)  # exists already
    before = ctl.all("--reveal")
    ctl.run("restore", saved, want=REFUSED)  # not confirmed
    ctl.run("restore", str(tmp_path / "none.db"), "--yes", want=NOT_FOUND)
    ctl.run("restore", saved, "--yes", "--margin", "0", want=USAGE)
    node = sqlite3.connect(ctl.db)
    node.execute("SELECT count(*) FROM subscriber").fetchone()
    assert "stop it first" in ctl.run("restore", saved, "--yes", want=TRY_LATER).stderr
    node.close()
    with open(other_key, "w", encoding="ascii") as out:
        out.write("00" * 32)
    os.chmod(other_key, 0o600)
    shutil.move(ctl.kek, ctl.kek + ".away")
    shutil.copy(other_key, ctl.kek)
    os.chmod(ctl.kek, 0o600)
    ctl.run("restore", saved, "--yes", want=DAMAGED)
    shutil.move(ctl.kek + ".away", ctl.kek)
    octets = bytearray(content(saved))
    octets[5000:9000] = bytes(4000)
    (tmp_path / "bent.db").write_bytes(octets)
    ctl.run("restore", str(tmp_path / "bent.db"), "--yes", want=DAMAGED)
    (tmp_path / "text.db").write_text("not a database\n" * 100, encoding="ascii")
    ctl.run("restore", str(tmp_path / "text.db"), "--yes", want=DAMAGED)
    assert ctl.all("--reveal") == before and not os.path.exists(ctl.db + ".restoring")
    ctl.run("audit", "verify")


def test_backup_of_nothing(tmp_path):
    Ctl(tmp_path).run("backup", str(tmp_path / "x"), want=UNREACHABLE)
    assert not os.path.exists(str(tmp_path / "x"))


def test_lift(ctl):
    ctl.run("subscriber", "lift", want=REFUSED)
    ctl.run("subscriber", "lift", "--yes", "--margin", "10")
    assert ctl.show(IMPI)["sqn"] == 3200 + 10 * 32
