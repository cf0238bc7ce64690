# SPDX-License-Identifier: Apache-2.0
"""gba-ctl registry audit: a log that this file writes by RFC 9162 is proved and verified; what the tool says is checked by openssl
and by the recursive definition; every entry altered, removed or moved is found. REQ: Y3059-7-i-c"""
import hashlib
import json
import os
import re
import sqlite3
import subprocess

import pytest

from peers import jose, merkle

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))
GBA_CTL = os.path.join(BUILD, "tools/gba-ctl/gba-ctl")
SEED = bytes(range(32))
DONE, USAGE, NOT_FOUND, ALTERED = 0, 2, 3, 6
HEAD_TYP = "gba-tree-head+jws"


class Log:
    def __init__(self, folder):
        self.folder = str(folder)
        self.db = self.path("registry.db")
        self.public = jose.public_of(SEED)
        with os.fdopen(os.open(self.path("registry.key"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as key:
            key.write(SEED.hex())
        with open(self.path("registry.conf"), "w", encoding="utf-8") as conf:
            conf.write('reg-id = "IN1";\ndatabase = "%s";\nkey-file = "%s";\n' % (self.db, self.path("registry.key")))
        self.leaves = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        return self.path(name)

    def run(self, *words, want=DONE, conf=True):
        words = [GBA_CTL, *(["--config", self.path("registry.conf")] if conf else []), "registry", "audit", *words]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == want, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout.strip() if want == DONE else done.stderr.strip()

    def offline(self, *words, want=DONE):
        return self.run("verify", "--offline", "--public", self.public.hex(), *words, want=want, conf=False)

    def sql(self, text, *values):
        db = sqlite3.connect(self.db)
        db.execute(text, values)
        db.commit()
        db.close()

    def append(self, count):
        """By the description of the tables: nodes from level 1 up under (2 * index + 1) << level."""
        for _ in range(count):
            index = len(self.leaves)
            leaf = json.dumps({"act": "status.set", "at": 1800000000 + index, "by": "system", "index": index, "log": "IN1",
                               "result": "GBA_OK", "subject": "IN1-%d" % index}, sort_keys=True, separators=(",", ":"))
            self.leaves.append(leaf.encode())
            self.sql("INSERT INTO log_entry (idx, at, leaf) VALUES (?, ?, ?)", index, 0, leaf)
            level, size = 1, index + 1
            while size % (1 << level) == 0:
                first = size - (1 << level)
                self.sql("INSERT INTO log_node (id, hash) VALUES (?, ?)", (2 * (first >> level) + 1) << level,
                         merkle.root(self.leaves[first:size]))
                level += 1

    def head(self, text):
        header, payload = jose.read(text, self.public)
        assert header["typ"] == HEAD_TYP
        return json.loads(payload)


@pytest.fixture(scope="module", name="log")
def log_of_module(tmp_path_factory):
    log = Log(tmp_path_factory.mktemp("log"))
    assert log.head(log.run("head")) | {"time": 0} == {"log": "IN1", "root": hashlib.sha256(b"").hexdigest(), "size": 0, "time": 0}
    log.append(21)
    return log


def test_head_is_the_root_and_signed(log):
    head = log.head(log.run("head"))
    assert (head["size"], head["root"], head["log"]) == (21, merkle.root(log.leaves).hex(), "IN1")


def test_every_entry_is_proved(log):
    for index in (0, 1, 7, 8, 15, 16, 19, 20):
        receipt = json.loads(log.run("prove", "--index", str(index)))
        path = [bytes.fromhex(text) for text in receipt["path"]]
        assert path == merkle.path(index, log.leaves) and receipt["entry"].encode() == log.leaves[index]
        head = log.head(receipt["head"])
        assert merkle.root_from_path(merkle.leaf_hash(log.leaves[index]), index, head["size"], path).hex() == head["root"]
    log.offline(log.write("receipt", json.dumps(receipt)))
    log.run("prove", "--index", "21", want=NOT_FOUND)
    log.run("prove", want=USAGE)


def test_altered_receipt_is_refused(log):
    good = json.loads(log.run("prove", "--index", "5"))
    flipped = ["%02x" % (int(good["path"][0][:2], 16) ^ 1) + good["path"][0][2:]] + good["path"][1:]
    other = jose.write(bytes(32), {"typ": HEAD_TYP}, jose.unb64(good["head"].split(".")[1]))  # another's key
    none = jose.b64(b'{"alg":"none","typ":"gba-tree-head+jws"}') + "." + good["head"].split(".")[1] + "."
    for change in ({"index": 6}, {"entry": good["entry"].replace("IN1-5", "IN1-6")}, {"path": flipped}, {"path": good["path"][1:]},
                   {"head": other}, {"head": none}):
        log.offline(log.write("receipt", json.dumps({**good, **change})), want=ALTERED)


def test_growth_is_proved(tmp_path):
    log = Log(tmp_path)
    log.run("head")
    log.append(6)
    first = log.run("head")
    log.append(7)
    receipt = json.loads(log.run("prove", "--since", first))
    proof = [bytes.fromhex(text) for text in receipt["consistency"]]
    assert proof == merkle.proof(6, log.leaves)
    old, new = merkle.roots_from_proof(6, 13, proof, bytes.fromhex(log.head(first)["root"]))
    assert old.hex() == log.head(first)["root"] and new.hex() == log.head(receipt["head"])["root"]
    log.offline(log.write("growth", json.dumps(receipt)))
    log.offline(log.write("growth", json.dumps({**receipt, "consistency": receipt["consistency"][1:]})), want=ALTERED)
    # a head that was signed over another history: the same size, another content
    fork = dict(log.head(first), root=merkle.root(log.leaves[1:7]).hex())
    forged = jose.write(SEED, {"typ": HEAD_TYP}, json.dumps(fork, sort_keys=True).encode())
    receipt = json.loads(log.run("prove", "--since", forged))
    log.offline(log.write("growth", json.dumps(receipt)), want=ALTERED)


def test_exported_log_is_verified_elsewhere(log):
    text = log.run("export")
    lines = text.split("\n")
    entries = [line for line in lines if line.startswith("{")]
    assert [line.encode() for line in entries] == log.leaves
    heads = [line for line in lines if not line.startswith("{")]
    assert log.head(heads[-1])["size"] == 21
    told = log.offline(log.write("log", text))
    assert "entries: 21" in told and merkle.root(log.leaves).hex() in told
    for i in (0, 1, 7, 8, 15, 19, 20):  # each of them: tests/unit/check_registry_log.c
        for bent in (entries[:i] + entries[i + 1:], entries[:i] + [entries[i].replace("system", "nobody")] + entries[i + 1:],
                     entries[:i] + [entries[i], entries[i]] + entries[i + 1:],
                     entries[:i] + entries[i + 1:i + 2] + [entries[i]] + entries[i + 2:] if i < 20 else entries[1:] + entries[:1]):
            log.offline(log.write("bent", "\n".join(bent + heads) + "\n"), want=ALTERED)
    assert "no signed head" in log.offline(log.write("bent", "\n".join(entries)), want=ALTERED)
    assert "not signed" in log.offline(log.write("bent", "\n".join(entries + [jose.write(bytes(32), {"typ": HEAD_TYP}, b"{}")])),
                                       want=ALTERED)


def test_database_is_verified_and_a_witness_kept_elsewhere(tmp_path):
    log = Log(tmp_path)
    log.run("head")
    log.append(9)
    witness = log.write("witness", log.run("head") + "\n")
    assert "entries: 9" in log.run("verify", "--witness", witness)
    log.sql("UPDATE log_entry SET leaf = replace(leaf, 'IN1-4', 'IN1-3') WHERE idx = 4")
    assert re.search("entries 0 to 8 are not those", log.run("verify", "--witness", witness, want=ALTERED))
    log.sql("UPDATE log_entry SET leaf = ? WHERE idx = 4", log.leaves[4].decode())
    log.run("verify", "--witness", witness)
    log.sql("DELETE FROM log_entry WHERE idx = 8")
    assert "tells of 9" in log.run("verify", "--witness", witness, want=ALTERED)


def test_wrong_use(log):
    log.run("audit", want=USAGE)
    log.run("head", "x", want=USAGE)
    log.run("verify", "--offline", want=USAGE)
    log.run("verify", "--public", "00", log.path("registry.conf"), want=USAGE)
    log.offline(log.path("nothing"), want=NOT_FOUND)
