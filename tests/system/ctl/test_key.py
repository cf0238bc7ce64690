# SPDX-License-Identifier: Apache-2.0
"""gba-ctl key: rotation of the key-encryption key, in a file and by a PKCS#11 token (SoftHSM2), also under a killed gba-ctl."""
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from peers.waiting import until

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_subscriber import CTL, Ctl, DAMAGED, DONE, IMPI, K, NOT_FOUND, REFUSED, UNREACHABLE, USAGE  # noqa: E402

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "73519"


@pytest.fixture
def ctl(tmp_path):
    one = Ctl(tmp_path)
    one.add(IMPI)
    for i in range(3):
        one.add("user%d@lab.test" % i)
    return one


def sealed(ctl):
    with sqlite3.connect(ctl.db) as db:
        return dict(db.execute("SELECT impi, sealed FROM subscriber"))


def keys_of(path):
    with open(path, encoding="ascii") as text:
        return text.read().splitlines()


def test_rotation_reseals_everything_and_forgets_the_old_key(ctl):
    before, key = sealed(ctl), keys_of(ctl.kek)
    said = ctl.run("key", "rotate").stdout
    assert "resealed: 4" in said and "retired: 1" in said
    after = sealed(ctl)
    assert set(before) == set(after) and not set(before.values()) & set(after.values())
    assert len(keys_of(ctl.kek)) == 1 and keys_of(ctl.kek) != key
    assert oct(os.stat(ctl.kek).st_mode & 0o777) == "0o600"
    assert ctl.show(IMPI, "--reveal")["k"] == K
    with open(ctl.kek, "w", encoding="ascii") as old:
        old.write(key[0] + "\n")
    ctl.run("subscriber", "show", IMPI, "--reveal", want=DAMAGED)


def test_interrupted_rotation_loses_nothing_and_is_finished(ctl):
    with contextlib.closing(sqlite3.connect(ctl.db, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # nothing is resealed before the kill
        process = subprocess.Popen([CTL, "--db", ctl.db, "--kek", ctl.kek, "key", "rotate"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        assert until(lambda: len(keys_of(ctl.kek)) == 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(keys_of(ctl.kek)) == 2
    assert ctl.show(IMPI, "--reveal")["k"] == K
    ctl.add("later@lab.test")
    assert "keys: 2" in ctl.run("key", "status").stdout
    assert "retired: 1" in ctl.run("key", "reseal").stdout
    for impi in sealed(ctl):
        assert ctl.show(impi, "--reveal")["k"] == K


def test_another_key_file_gets_a_key_and_keeps_the_old(ctl, tmp_path):
    path = str(tmp_path / "bsf.kek")
    ctl.run("key", "rotate", "--file", path)
    first = keys_of(path)
    ctl.run("key", "rotate", "--file", path)
    assert keys_of(path)[1:] == first
    ctl.run("key", "retire", "--file", path, want=REFUSED)
    ctl.run("key", "retire", want=USAGE)
    assert "retired: 1" in ctl.run("key", "retire", "--file", path, "--yes").stdout
    assert len(keys_of(path)) == 1


def test_key_of_others_is_refused(ctl):
    os.chmod(ctl.kek, 0o640)
    ctl.run("key", "status", want=REFUSED)
    ctl.run("key", "rotate", want=REFUSED)
    os.chmod(ctl.kek, 0o600)
    ctl.run("key", "status", str(ctl.kek) + ".none", want=NOT_FOUND)


class Token:
    """A SoftHSM2 token of this test alone, with an AES key made by opensc's pkcs11-tool."""

    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(os.path.join(self.folder, "tokens"))
        conf = os.path.join(self.folder, "softhsm2.conf")
        with open(conf, "w", encoding="ascii") as out:
            out.write("directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n" % self.folder)
        self.env = dict(os.environ, SOFTHSM2_CONF=conf)
        self.pin = os.path.join(self.folder, "pin")
        with open(self.pin, "w", encoding="ascii") as out:
            out.write(PIN + "\n")
        os.chmod(self.pin, 0o600)
        self.call("softhsm2-util", "--init-token", "--free", "--label", "gba lab", "--pin", PIN, "--so-pin", "11111111")
        self.key("kek")
        self.uri = "pkcs11:token=gba%%20lab;object=kek?pin-source=file:%s&module-path=%s" % (self.pin, SOFTHSM)

    def call(self, *words):
        return subprocess.run(words, env=self.env, capture_output=True, text=True, check=True).stdout

    def key(self, label):
        self.call("pkcs11-tool", "--module", SOFTHSM, "--token-label", "gba lab", "--login", "--pin", PIN, "--keygen", "--key-type",
                  "AES:32", "--label", label)

    def away(self):
        """Its module finds no token any more; call what is given out to have it back."""
        path, aside = os.path.join(self.folder, "tokens"), os.path.join(self.folder, "aside")
        os.rename(path, aside)
        os.makedirs(path)

        def back():
            os.rmdir(path)
            os.rename(aside, path)

        return back


@pytest.fixture
def token(tmp_path, monkeypatch):
    one = Token(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", one.env["SOFTHSM2_CONF"])
    return one


def test_key_on_a_token(ctl, token):
    old = keys_of(ctl.kek)[0]
    ctl.run("key", "rotate", "--pkcs11", token.uri)
    (line,) = keys_of(ctl.kek)
    uri, wrapped = line.split(" ")
    assert uri == token.uri and len(wrapped) == 2 * (32 + 12 + 16) and old not in line
    assert ctl.show(IMPI, "--reveal")["k"] == K
    back = token.away()
    said = ctl.run("subscriber", "show", IMPI, "--reveal", want=UNREACHABLE)
    assert "no token that fits" in said.stderr and PIN not in said.stderr and K not in said.stdout
    back()
    ctl.run("key", "rotate")  # and back into the file
    assert len(keys_of(ctl.kek)[0]) == 64 and ctl.show(IMPI, "--reveal")["k"] == K


def test_a_token_that_vanishes_in_a_rotation(ctl, token):
    """From one key of a token to another, from the file to it, and back: gone once the new key stands in the file, nothing is lost,
    what fails says why, and the rotation ends when it is back."""
    token.key("second")
    for options in (["--pkcs11", token.uri], ["--pkcs11", token.uri.replace("object=kek", "object=second")], []):
        ctl.run("key", "reseal")
        process = subprocess.Popen([CTL, "--db", ctl.db, "--kek", ctl.kek, "key", "rotate", *options], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        assert until(lambda: len(keys_of(ctl.kek)) == 2 or process.poll() is not None)
        back = token.away()
        said = process.communicate(timeout=60)[1]
        assert process.returncode in (DONE, UNREACHABLE), said  # a busy machine may let it end before
        if process.returncode == UNREACHABLE:
            assert len(keys_of(ctl.kek)) == 2 and "no token that fits" in said and PIN not in said and said.count("\n") == 1, said
            for words in (("subscriber", "show", IMPI, "--reveal"), ("key", "reseal"), ("key", "rotate"), ("key", "status")):
                again = ctl.run(*words, want=UNREACHABLE)
                assert "no token that fits" in again.stderr and K not in again.stdout, again
            assert len(keys_of(ctl.kek)) == 2
        back()
        for impi in sealed(ctl):
            assert ctl.show(impi, "--reveal")["k"] == K
        ctl.run("key", "reseal")
        assert len(keys_of(ctl.kek)) == 1
        for impi in sealed(ctl):
            assert ctl.show(impi, "--reveal")["k"] == K


def test_altered_line_is_damage(ctl, token):
    ctl.run("key", "rotate", "--pkcs11", token.uri)
    wrapped = bytes.fromhex(keys_of(ctl.kek)[0].split(" ")[1])
    flipped = bytes([wrapped[20] ^ 1])
    for octets, want in ((wrapped[:20] + flipped + wrapped[21:], DAMAGED), (wrapped[:-1], USAGE), (wrapped, DONE)):
        with open(ctl.kek, "w", encoding="ascii") as out:
            out.write("%s %s\n" % (token.uri, octets.hex()))
        ctl.run("key", "status", want=want)


@pytest.mark.parametrize("change, want, word", [
    (lambda t: t.uri.replace("object=kek", "object=none"), UNREACHABLE, "no such key"),
    (lambda t: t.uri.replace("gba%20lab", "other"), UNREACHABLE, "no token"),
    (lambda t: t.uri.replace(SOFTHSM, "/nonexistent.so"), UNREACHABLE, "module"),
    (lambda t: "pkcs11:token=gba%20lab;object=kek?pin-value=73519", USAGE, "pin-source"),
    (lambda t: "https://token/", USAGE, "URI"),
    (lambda t: t.uri.replace(t.pin, t.pin + ".none"), NOT_FOUND, "PIN file"),
    (lambda t: t.uri.replace("?", "??"), None, ""),
])
def test_what_is_wrong_with_a_token_is_said(ctl, token, change, want, word):
    before = keys_of(ctl.kek)
    out = subprocess.run([CTL, "--db", ctl.db, "--kek", ctl.kek, "key", "rotate", "--pkcs11", change(token)], capture_output=True,
                         text=True, check=False, timeout=60)
    assert out.returncode != 0 and (want is None or out.returncode == want), (out.returncode, out.stderr)
    assert word in out.stderr and out.stderr.count("\n") == 1
    assert keys_of(ctl.kek) == before and ctl.show(IMPI, "--reveal")["k"] == K


def test_wrong_pin_and_open_pin_file(ctl, token):
    with open(token.pin, "w", encoding="ascii") as out:
        out.write("00000\n")
    assert "login" in ctl.run("key", "rotate", "--pkcs11", token.uri, want=REFUSED).stderr
    with open(token.pin, "w", encoding="ascii") as out:
        out.write(PIN)
    os.chmod(token.pin, 0o644)
    ctl.run("key", "rotate", "--pkcs11", token.uri, want=REFUSED)
    os.chmod(token.pin, 0o600)
    ctl.run("key", "rotate", "--pkcs11", token.uri)
