# SPDX-License-Identifier: Apache-2.0
"""Devices go on being served while an import that is all or nothing has the database for long."""
import itertools
import json
import os
import random
import signal
import subprocess
import threading

import pytest

import apilab
from zhlab import Vector, card, d
from peers.waiting import until

ROWS = 12000
IMPIS = ["m%d@lab.test" % i for i in range(3)]


class Asking(threading.Thread):
    """Vectors for the same few subscribers, one after the other, each SQN above the last; now and then a card that is ahead."""

    def __init__(self, node, seen):
        super().__init__()
        self.node, self.seen, self.wrong, self.end = node, seen, [], threading.Event()
        self.busy = 0  # on a machine with much else to do a database may be too slow once; a lease that waits for the import is so always
        self.cards = {impi: card(impi) for impi in IMPIS}

    def ask(self, peer, impi, **kw):
        answer = peer.request(d.mar(peer, impi, **kw))
        if answer.result() == (0, 3004) and self.busy < 5:
            self.busy += 1
            return None
        if answer.result() != (0, 2001):
            self.wrong.append((impi, kw, answer.result()))
            return None
        vector = Vector(answer, self.cards[impi])
        if vector.seq <= self.seen.get(impi, 0):
            self.wrong.append((impi, vector.seq, self.seen))
        self.seen[impi] = vector.seq
        self.seen["vectors"] = self.seen.get("vectors", 0) + 1
        return vector

    def run(self):
        with self.node.peer() as peer:
            while not self.end.is_set() and not self.wrong:
                impi = random.choice(IMPIS)
                vector = self.ask(peer, impi)
                if vector is not None and random.random() < 0.02:
                    ahead = (vector.seq + 1000) << 5
                    self.seen[impi] = vector.seq + 1000
                    auts = self.cards[impi].auts(vector.rand, ahead)
                    while self.ask(peer, impi, resync=vector.rand + auts) is None and not self.wrong:
                        pass

    def stop(self):
        self.end.set()
        self.join()
        assert not self.wrong, self.wrong


def rows(name, n=ROWS):
    return "".join('{"reference": "%s-%d", "name": "N", "verifier": "v"}\n' % (name, i) for i in range(n)).encode()


def load(caller, body):
    return caller.call("POST", "/v1/verifications/import", raw=body, headers={"Content-Type": "application/x-ndjson"}, want=200).json()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def node(tmp_path_factory, request):
    """Every other vector needs a new lease."""
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    one = apilab.Api(tmp_path_factory.mktemp("import"), conf="sqn-lease = 1;\nsqn-lease-max = 2;\nstore-timeout = 15000;\n", ca=False, postgres=postgres, name="import")
    for impi in IMPIS:
        one.subscriber(impi)
    yield one.start()
    assert one.stop()


@pytest.fixture(scope="module")
def caller(node):
    return node.admin()


@pytest.fixture
def asking(node):
    seen = {}
    thread = Asking(node.node, seen)
    thread.start()
    assert until(lambda: seen.get("vectors", 0) > 3)
    yield thread
    thread.stop()


def test_vectors_go_on_beside_an_import(node, caller, asking):
    numbers = itertools.count()

    def beside():
        """(vectors while an import went on, and of these since leases went aside)."""
        aside, ended = [], threading.Event()

        def look():
            while not aside and not ended.wait(0.005):
                if os.path.exists(node.node.db + "-leases"):
                    aside.append(asking.seen["vectors"])

        watch = threading.Thread(target=look)
        watch.start()
        before = asking.seen["vectors"]
        report = load(caller, rows("all%d" % next(numbers)))
        after = asking.seen["vectors"]
        ended.set()
        watch.join()
        assert (report["applied"], report["added"], report["rejected"]) == (True, ROWS, 0)
        return after - before, after - aside[0] if aside else 0

    def go_on():  # a machine that stands still may hold up who asks
        vectors, since = beside()
        return vectors > 20 and (node.postgres or since > 10)

    assert until(go_on)
    after = asking.seen["vectors"]
    assert until(lambda: asking.seen["vectors"] > after + 20)


def test_an_import_that_is_refused_leaves_nothing_but_the_leases(node, caller, asking):
    report = load(caller, rows("bad") + b'{"reference": "bad-x", "level": 9}\n')
    assert (report["applied"], report["added"], [r["row"] for r in report["rejections"]]) == (False, 0, [ROWS + 1])
    assert caller.get("/v1/verifications?reference=bad-0").json()["items"] == []
    after = asking.seen["vectors"]
    assert until(lambda: asking.seen["vectors"] > after + 20)
    asking.stop()
    for impi in IMPIS:  # they are in the database
        with node.node.peer() as peer:
            assert Vector(peer.request(d.mar(peer, impi)), card(impi)).seq > asking.seen[impi]
        assert node.record(impi)["sqn"] >> 5 > asking.seen[impi]


def test_another_program_imports_and_is_killed(node, caller, asking, tmp_path):
    """gba-ctl has the lock, and dies with it. Leases go on beside it: in SQLite's case in a file, in PostgreSQL by a lock of their own."""
    aside = node.node.db + "-leases" if not node.postgres else None
    path = str(tmp_path / "rows.ndjson")
    with open(path, "wb") as out:
        out.write(rows("ctl", 20 * ROWS))
    words = [os.path.join(apilab.BUILD, "tools/gba-ctl/gba-ctl"), "--config", node.node.conf, "verification", "import", path, "--from",
             "json", "--atomic"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as importing:
        assert aside is None or until(lambda: os.path.exists(aside) and os.path.getsize(aside) > 100)
        before = asking.seen["vectors"]
        assert until(lambda: asking.seen["vectors"] > before + 10) and importing.poll() is None
        importing.send_signal(signal.SIGKILL)
    after = asking.seen["vectors"]
    assert until(lambda: asking.seen["vectors"] > after + 20)
    assert caller.get("/v1/verifications?reference=ctl-0").json()["items"] == []
    assert aside is None or until(lambda: not os.path.exists(aside))
    with open(path, "wb") as out:
        out.write(rows("ctl"))
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    assert caller.get("/v1/verifications?reference=ctl-%d" % (ROWS - 1)).json()["items"]


def mixed(name):
    """30,000 rows of which 25,000 are bad, each in one of five ways: text, and the numbers of the bad rows."""
    faults = ('{"reference": "%s", "name": "N", "verifier": "v", "level": 9}', '{"reference": "%s", "name": "N"}', "nonsense %s", "[]",
              '{"reference": "%s-a", "reference": "%s-b", "name": "N", "verifier": "v"}')
    out, bad = [], []
    for i in range(30000):
        if i % 6 == 3:
            out.append('{"reference": "%s-%d", "name": "N", "verifier": "v"}' % (name, i))
        else:
            fault = faults[i % 5]
            out.append(fault % ((name,) * fault.count("%s")))
            bad.append(i + 1)
    return "\n".join(out).encode(), bad


def test_each_of_25000_bad_rows_is_reported(node, caller):
    """All of them, whichever way it is asked; good rows are written only where it was asked row by row."""
    raw, bad = mixed("many")
    kind = {"Content-Type": "application/x-ndjson"}
    for mode, added in (("all", 0), ("rows", 5000)):
        report = caller.call("POST", "/v1/verifications/import?mode=" + mode, raw=raw, headers=kind, want=200).json()
        assert (report["applied"], report["rows"], report["added"], report["rejected"], report["complete"]) == (
            mode == "rows", 30000, added, 25000, True)
        assert [r["row"] for r in report["rejections"]] == bad and {r["status"] for r in report["rejections"]} == {400, 422}
        assert len(caller.get("/v1/verifications?reference=many-3").json()["items"]) == (mode == "rows")
    answer = caller.call("POST", "/v1/verifications/import", raw=raw, headers=dict(kind, Accept="application/x-ndjson"), want=200)
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.body.splitlines()]
    good = set(range(4, 30001, 6))  # they are there now
    assert [r["row"] for r in lines[:-1]] == sorted(bad + list(good)) and "rejections" not in lines[-1]
    assert {r["status"] for r in lines[:-1] if r["row"] in good} == {409}
    assert (lines[-1]["applied"], lines[-1]["rejected"], lines[-1]["complete"]) == (False, 30000, True)


def test_a_repeated_import_with_a_long_report(node, caller):
    """What was written is not written again; a report too long to be kept is not given again."""
    raw, _ = mixed("once")
    head = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "long-report"}
    first = caller.call("POST", "/v1/verifications/import?mode=rows", raw=raw, headers=head, want=200).json()
    assert (first["added"], len(first["rejections"])) == (5000, 25000)
    again = caller.call("POST", "/v1/verifications/import?mode=rows", raw=raw, headers=head, want=409).json()
    assert "carried out" in again["detail"]
    caller.call("POST", "/v1/verifications/import?mode=rows", raw=b"", headers=head, want=409)


def test_gba_ctl_writes_each_of_25000_bad_rows_to_a_file(node, caller, tmp_path):
    raw, bad = mixed("shell")
    rows, report = str(tmp_path / "rows.ndjson"), str(tmp_path / "bad.ndjson")
    with open(rows, "wb") as out:
        out.write(raw)
    for mode, stored in (["--atomic"], "no (rows rejected)"), ([], "yes"):
        words = [os.path.join(apilab.BUILD, "tools/gba-ctl/gba-ctl"), "--config", node.node.conf, "verification", "import", rows, "--from",
                 "json", "--report", report, "--json", *mode]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        summary = json.loads(done.stdout)
        assert done.returncode == 1 and (summary["rejected"], summary["new"], summary["stored"]) == (25000, 5000, stored), done
        with open(report, encoding="utf-8") as lines:
            told = [json.loads(line) for line in lines]
        assert [row["line"] for row in told] == bad and all(row["reason"] for row in told)
        assert len(caller.get("/v1/verifications?reference=shell-3").json()["items"]) == (stored == "yes")


def test_a_node_that_dies_in_an_import_repeats_no_sqn(node, caller, asking):
    refused = []

    def importing():
        try:
            load(apilab.Caller(node, caller.token), rows("dies", 20 * ROWS))
        except (OSError, ValueError, AssertionError, apilab.http.client.HTTPException) as error:
            refused.append(error)

    thread = threading.Thread(target=importing)
    thread.start()
    if node.postgres:
        before = asking.seen["vectors"]
        assert until(lambda: asking.seen["vectors"] > before + 50)
    else:
        assert until(lambda: os.path.exists(node.node.db + "-leases") and os.path.getsize(node.node.db + "-leases") > 100)
    asking.stop()
    node.node.kill()
    thread.join()
    assert refused
    node.start()
    again = apilab.Caller(node, caller.token)
    assert again.get("/v1/verifications?reference=dies-0").json()["items"] == []
    for impi in IMPIS:
        with node.node.peer() as peer:
            assert Vector(peer.request(d.mar(peer, impi)), card(impi)).seq > asking.seen[impi]
    assert json.loads(node.ctl("subscriber", "show", IMPIS[0], "--json"))["sqn"] >> 5 >= asking.seen[IMPIS[0]]
