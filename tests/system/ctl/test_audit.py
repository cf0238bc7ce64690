# SPDX-License-Identifier: Apache-2.0
"""gba-ctl audit: the log is what this file computes from its description with hashlib and openssl; every way to bend it shows."""
import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_subscriber import Ctl, DAMAGED, DONE, IMPI, K, NOT_FOUND, OP, UNREACHABLE, USAGE  # noqa: E402

ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: SubjectPublicKeyInfo up to the key


@pytest.fixture
def ctl(tmp_path):
    """A database with three acts in its log."""
    one = Ctl(tmp_path)
    one.add(IMPI, "--why", "ticket 12")
    one.run("subscriber", "set", IMPI, "--state", "barred")
    one.run("subscriber", "show", IMPI, "--reveal")
    return one


def lines_of(ctl):
    with open(ctl.db + ".audit", "rb") as log:
        return log.read().splitlines(keepends=True)


def openssl_accepts(public, message, signature, folder):
    paths = [os.path.join(folder, name) for name in ("key.der", "message", "signature")]
    for path, octets in zip(paths, (ED25519_SPKI + public, message, signature)):
        with open(path, "wb") as out:
            out.write(octets)
    return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths[0], "-rawin", "-in", paths[1],
                           "-sigfile", paths[2]], capture_output=True, check=False).returncode == 0


def test_chain_and_signature_by_other_programs(ctl, tmp_path):
    """REQ: Y3056-11-4, Y3056-11-6"""
    before = bytes(32)
    for number, line in enumerate(lines_of(ctl), 1):
        body, mark, rest = line.partition(b',"hash":"')
        before = hashlib.sha256(before + body).digest()
        assert mark and rest == before.hex().encode() + b'"}\n'
        assert json.loads(line)["seq"] == number
    with open(ctl.db + ".audit.head", encoding="ascii") as head, open(ctl.db + ".audit.pub", encoding="ascii") as public:
        number, digest, signature = head.read().split()
        key = bytes.fromhex(public.read())
    assert (int(number), digest) == (6, before.hex())
    message = b"gba-audit-end %s %s" % (number.encode(), digest.encode())
    assert openssl_accepts(key, message, bytes.fromhex(signature), str(tmp_path))
    assert not openssl_accepts(key, message.replace(b"6 ", b"5 "), bytes.fromhex(signature), str(tmp_path))


def test_who_what_and_why(ctl):
    acts = [json.loads(line) for line in ctl.run("audit", "show", "--json").stdout.splitlines()]
    assert [(a["act"], a["object"], a["result"]) for a in acts] == [
        ("subscriber.add.begin", IMPI, "ok"), ("subscriber.add", IMPI, "ok"),
        ("subscriber.set.begin", IMPI, "ok"), ("subscriber.set", IMPI, "ok"),
        ("subscriber.show.begin", IMPI, "ok"), ("subscriber.show", IMPI, "ok")]
    assert {a["who"] for a in acts} == {pwd.getpwuid(os.getuid()).pw_name} and acts[1]["why"] == "ticket 12"
    ctl.run("subscriber", "remove", "nobody@lab.test", "--yes", want=NOT_FOUND)
    last = json.loads(ctl.run("audit", "show", "--json").stdout.splitlines()[-1])
    assert (last["act"], last["result"]) == ("subscriber.remove", "GBA_E_IMPI_UNKNOWN")
    text = b"".join(lines_of(ctl)).decode()
    assert K not in text and OP not in text
    assert oct(os.stat(ctl.db + ".audit.key").st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("words, count", [
    (["--act", "subscriber"], 6), (["--act", "subscriber.add"], 2), (["--act", "sub"], 0), (["--about", IMPI], 6),
    (["--who", "nobody-of-this-name"], 0), (["--limit", "4"], 4), (["--since", "2999"], 0), (["--since", "2020-01-01"], 6)])
def test_show_filters(ctl, words, count):
    assert len(ctl.run("audit", "show", "--json", *words).stdout.splitlines()) == count


def test_reading_leaves_no_trace(ctl):
    before = lines_of(ctl)
    for words in (["subscriber", "list"], ["subscriber", "show", IMPI], ["subscriber", "export", "--json"], ["audit", "verify"],
                  ["subscriber", "remove", IMPI, "--dry-run"]):
        ctl.run(*words)
    assert lines_of(ctl) == before


def bent(lines):
    """(what was done to it, the log after)"""
    yield "octet changed", b"".join(lines).replace(b"ticket 12", b"ticket 13")
    yield "hash changed", b"".join(lines[:-1]) + lines[-1].replace(b'"hash":"', b'"hash":"0', 1)
    yield "first removed", b"".join(lines[1:])
    yield "last removed", b"".join(lines[:-1])
    yield "middle removed", b"".join(lines[:2] + lines[3:])
    yield "two swapped", b"".join([lines[1], lines[0]] + lines[2:])
    yield "one doubled", b"".join(lines + lines[-1:])
    yield "unsigned one added", b"".join(lines) + forged(lines[-1])[:-20]
    yield "emptied", b""


def forged(last):
    """A line that continues the chain, which anybody who can write the file can make: only the signature is missing."""
    body = last.partition(b',"hash":"')[0].replace(b'"seq":6', b'"seq":7')
    digest = hashlib.sha256(bytes.fromhex(json.loads(last)["hash"]) + body).hexdigest()
    return body + b',"hash":"' + digest.encode() + b'"}\n'


def test_every_bend_is_found(ctl):
    """REQ: Y3056-11-4"""
    lines = lines_of(ctl)
    ctl.run("audit", "verify", want=DONE)
    for what, log in bent(lines):
        with open(ctl.db + ".audit", "wb") as out:
            out.write(log)
        said = ctl.run("audit", "verify", want=DAMAGED).stderr
        assert said.startswith("gba-ctl: ") and said.count("\n") == 1, what


def test_rewritten_log_is_found_by_the_witness(ctl, tmp_path):
    witness = tmp_path / "witness"
    witness.write_text(ctl.run("audit", "head").stdout, encoding="ascii")
    ctl.run("subscriber", "set", IMPI, "--state", "active")
    ctl.run("audit", "verify", "--witness", str(witness))
    for tail in ("", ".head"):
        os.unlink(ctl.db + ".audit" + tail)
    for _ in range(5):
        ctl.run("subscriber", "set", IMPI, "--state", "active")
    ctl.run("audit", "verify")
    ctl.run("audit", "verify", "--witness", str(witness), want=DAMAGED)


def test_an_older_signed_end_with_other_lines_behind_it_is_found(ctl, tmp_path):
    """Without the signer's key a log can be gone on with from any end that was signed once: that nobody has signed since shows. The
    next writer's signature covers such lines, with one before it that says so."""
    witness = tmp_path / "witness"
    witness.write_text(ctl.run("audit", "head").stdout, encoding="ascii")
    shutil.copy(ctl.db + ".audit.head", tmp_path / "old.head")
    ctl.run("subscriber", "set", IMPI, "--state", "active")
    lines = lines_of(ctl)
    digest, forged_lines = bytes.fromhex(json.loads(lines[5])["hash"]), []
    for number, line in enumerate(lines[6:], 7):
        body = re.sub(rb'"time":"[^"]*"', b'"time":"2026-01-01T00:00:00.000Z"', line.partition(b',"hash":"')[0]).replace(b"subscriber.set", b"subscriber.show")
        digest = hashlib.sha256(digest + body).digest()
        forged_lines.append(body + b',"hash":"' + digest.hex().encode() + b'"}\n')
        assert json.loads(forged_lines[-1])["seq"] == number
    shutil.copy(tmp_path / "old.head", ctl.db + ".audit.head")
    with open(ctl.db + ".audit", "wb") as out:
        out.write(b"".join(lines[:6] + forged_lines))
    assert "no signature" in ctl.run("audit", "verify", want=DAMAGED).stderr
    ctl.run("subscriber", "set", IMPI, "--state", "barred")
    acts = [json.loads(line) for line in lines_of(ctl)]
    assert [(a["act"], a.get("why")) for a in acts[8:9]] == [("audit.unsigned", "2 before this had no signature")]
    ctl.run("audit", "verify")
    assert ctl.run("audit", "show", "--act", "audit.unsigned", "--json").stdout.count("\n") == 1


def other_log(ctl, folder):
    """Another log under the same key, as long."""
    folder.mkdir()
    other = Ctl(folder)
    shutil.copy(ctl.db + ".audit.key", other.db + ".audit.key")
    other.add(IMPI, "--why", "another")
    for state in ("barred", "active"):
        other.run("subscriber", "set", IMPI, "--state", state)
    return other


def test_pieces_of_other_logs_are_found(ctl, tmp_path):
    """Cut anywhere, any two exchanged, spliced with another log of the same signer; an older copy of the whole by the witness."""
    paths = [ctl.db + ".audit", ctl.db + ".audit.head"]
    older = [open(path, "rb").read() for path in paths]
    other = other_log(ctl, tmp_path / "other")
    theirs, their_head = lines_of(other), open(other.db + ".audit.head", "rb").read()
    ctl.run("subscriber", "set", IMPI, "--state", "active")
    lines, head = lines_of(ctl), open(paths[1], "rb").read()
    witness = tmp_path / "witness"
    witness.write_text(ctl.run("audit", "head").stdout, encoding="ascii")

    def verify(log, end, want=DAMAGED, *words):
        for path, octets in zip(paths, (log, end)):
            with open(path, "wb") as out:
                out.write(octets)
        ctl.run("audit", "verify", *words, want=want)

    for i in range(len(lines)):
        verify(b"".join(lines[:i]), head)
        verify(b"".join(lines[:i]) + lines[i][:-1], head)
        for k in range(i):
            swapped = list(lines)
            swapped[i], swapped[k] = swapped[k], swapped[i]
            verify(b"".join(swapped), head)
    for i in range(1, len(theirs)):
        verify(b"".join(lines[:i] + theirs[i:]), head)
        verify(b"".join(lines[:i] + theirs[i:]), their_head)
    verify(older[0], head)
    verify(older[0], older[1], DAMAGED, "--witness", str(witness))
    verify(b"".join(theirs), their_head, DAMAGED, "--witness", str(witness))
    verify(b"".join(lines), head, DONE, "--witness", str(witness))


def test_other_signer_is_found(ctl):
    with open(ctl.db + ".audit.pub", encoding="ascii") as public:
        key = public.read().strip()
    ctl.run("audit", "verify", "--public", key)
    for tail in ("", ".head", ".key", ".pub"):
        os.unlink(ctl.db + ".audit" + tail)
    ctl.run("subscriber", "set", IMPI, "--state", "active")
    ctl.run("audit", "verify")
    ctl.run("audit", "verify", "--public", key, want=DAMAGED)


def test_what_cannot_be_noted_is_not_done(ctl):
    shutil.move(ctl.db + ".audit", ctl.db + ".away")
    os.mkdir(ctl.db + ".audit")
    ctl.run("subscriber", "set", IMPI, "--state", "active", want=UNREACHABLE)
    os.rmdir(ctl.db + ".audit")
    shutil.move(ctl.db + ".away", ctl.db + ".audit")
    assert ctl.show(IMPI)["state"] == "barred"
    ctl.run("audit", "verify")


def test_wrong_use(ctl, tmp_path):
    ctl.run("audit", "show", str(tmp_path / "none"), want=NOT_FOUND)
    ctl.run("audit", "verify", str(tmp_path / "none"), want=NOT_FOUND)
    ctl.run("audit", "show", "--limit", "0", want=USAGE)
