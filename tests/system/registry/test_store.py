# SPDX-License-Identifier: Apache-2.0
"""The registry's database: requests of devices that arrive together share a commit; a server that is away or stands still; one node at a
time."""
import http.client
import itertools
import os
import re
import signal
import threading
import time

import pytest
from lab.process import Process
from registrylab import IMPI, RegistryRealm
from test_api import Node
from test_door import phone

from peers.waiting import page, until


@pytest.fixture(scope="module")
def node(tmp_path_factory, server):
    with RegistryRealm(tmp_path_factory.mktemp("store") / "realm", trace=False, server=server) as realm:
        realm.start_registry()
        yield realm


def metric(realm, name):
    text = page("http://%s:9100/metrics" % realm.address("registry"))[1]
    return int(re.search(r"^%s (\d+)$" % name, text, re.M).group(1))


subscriptions = itertools.count(1)


def somebody():
    """Another subscription each time: one takes but so many devices."""
    return "00101%010d@%s" % (next(subscriptions), IMPI.split("@")[1])


def ask(door, *words):
    """As a device does: what is busy is asked again."""
    while (answer := door.ask(*words))[0] == 503:
        time.sleep(0.05)
    return answer


def together(calls):
    """Their answers, from as many connections."""
    answers = [None] * len(calls)

    def one(i):
        answers[i] = calls[i]()

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    return answers, threads


def held_up(node, calls):
    """Answers of requests that have all come while another writer held the database, and in how many commits they were done."""
    before = [metric(node, "gba_registry_device_%s_total" % name) for name in ("requests", "commits")]
    with node.store.held():
        answers, threads = together(calls)
        until(lambda: metric(node, "gba_registry_device_requests_total") >= before[0] + len(calls))
    for thread in threads:
        thread.join()
    return answers, metric(node, "gba_registry_device_commits_total") - before[1]


def test_registrations_that_come_together_share_a_commit(node):
    """What is wrong with one of them is undone alone, whatever it has written; the others stand."""
    door, good, bad = node.door(), [phone() for _ in range(16)], [phone(identities=[{"scheme": "mac", "value": "001B638445E%d" % i},
                                                                                    {"scheme": "imei", "value": "123"}]) for i in range(8)]
    mixed = [one for pair in zip(good, bad) for one in pair] + good[8:]
    answers, commits = held_up(node, [lambda body=body: ask(door, "POST", "/register", body) for body in mixed])
    assert [status for status, _ in answers] == [422 if body in bad else 201 for body in mixed], answers
    assert commits < len(mixed)
    names = sorted(body["identity"] for body in good)
    assert sorted(row[0] for row in node.rows("SELECT identity FROM device")) == names
    assert node.rows("SELECT count(*) FROM device_identity") == [(0,)]
    assert node.rows("SELECT count(*) FROM report") == [(len(good),)]
    assert node.rows("SELECT count(*) FROM history WHERE act = 'register'") == [(len(good),)]
    sets = [{"regdevid": answer["regdevid"], "serial": answer["serial"]} for status, answer in answers if status == 201]
    answers, commits = held_up(node, [lambda body=body: ask(door, "PUT", "/set", body) for body in sets])
    assert {status for status, _ in answers} == {200} and commits < len(sets)
    assert sorted(node.told()) == sorted(body["regdevid"] for body in sets)
    reports = [{"regdevid": body["regdevid"], "seq": 2, "cause": "change", "firmware": "2.%d" % i} for i, body in enumerate(sets)]
    answers, commits = held_up(node, [lambda body=body: ask(door, "POST", "/report", body) for body in reports])
    assert {status for status, _ in answers} == {201} and commits < len(reports)
    assert node.rows("SELECT count(*) FROM report WHERE seq = 2 AND changed IS NOT NULL") == [(len(reports),)]
    log = [row[0] for row in node.rows("SELECT idx FROM log_entry ORDER BY idx")]
    assert log == list(range(len(log)))


def test_what_was_answered_survives_a_kill(tmp_path, server):
    """Of many at once; what was not answered may be there or not, and is not there twice."""
    with RegistryRealm(tmp_path / "realm", trace=False, server=server) as realm:
        realm.start_registry()
        door, answered = realm.door(), []

        def walk():
            try:
                for _ in range(500):
                    body = phone()
                    if door.ask("POST", "/register", body, somebody())[0] == 201:
                        answered.append(body["identity"])
            except (OSError, ValueError, http.client.HTTPException):
                pass

        _, threads = together([walk] * 8)
        assert until(lambda: len(answered) > 60)
        realm.nodes["registry"].kill()
        for thread in threads:
            thread.join()
        there = [row[0] for row in realm.rows("SELECT identity FROM device")]
        assert set(answered) <= set(there) and len(there) == len(set(there))
        realm.start_registry()
        assert until(lambda: door.ask("POST", "/register", phone())[0] == 201)


def test_the_node_before_is_seen_to_end(tmp_path, postgres):
    """Killed, and started again at once: the server has not noticed yet that the first one's session has ended."""
    with RegistryRealm(tmp_path / "realm", trace=False, server=postgres) as realm:
        realm.start_registry()
        claim, = postgres.sql("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 1734500642 AND objid::bigint ="
                              " hashtext('%s')::bigint & 4294967295" % realm.store.name).stdout.split()
        os.kill(int(claim), signal.SIGSTOP)
        realm.nodes["registry"].kill()
        timer = threading.Timer(1, os.kill, (int(claim), signal.SIGCONT))
        timer.start()
        try:
            realm.start_registry()
        finally:
            timer.join()
        assert realm.door().ask("POST", "/register", phone())[0] == 201


def second(realm, folder):
    """Another node of the same registry: the same conf but for where it listens."""
    other = RegistryRealm(folder, trace=False)
    other.store = realm.store
    for name in ("registry.kek", "registry.key"):
        with open(realm.path(name), "rb") as key, open(other.path(name), "wb") as out:
            out.write(key.read())
        os.chmod(other.path(name), 0o600)
    return other


def test_one_node_at_a_time(tmp_path, server):
    with RegistryRealm(tmp_path / "one", trace=False, server=server) as one:
        one.start_registry()
        with second(one, tmp_path / "other") as other:
            words = [other.tree.program("freeDiameterd"), "-c", other.registry_daemon()]
            process = Process("second", words, other.path("second.out"), env=other.tree.environment()).start()
            assert until(lambda: not process.alive()), process.log_text()
            assert "another node of this registry serves from it" in other.registry_log()
            assert one.door().ask("POST", "/register", phone())[0] == 201
            one.nodes["registry"].kill()
            other.start_registry()
            assert other.door().ask("POST", "/register", phone())[0] == 201


class Away:
    """A registry on a server of the test's that is killed or stands still."""

    def __init__(self, realm):
        self.realm, self.door, self.admin = realm, realm.door(), realm.token("admin")

    def register(self):
        return self.door.ask("POST", "/register", phone(), somebody())

    def registers(self):
        """A RegDevID, or None."""
        status, answer = self.register()
        return answer["regdevid"] if status == 201 else None

    def readyz(self):
        return page("http://%s:9100/readyz?verbose" % self.realm.address("registry"))

    def says_so(self):
        """503 with a problem that tells nothing of the database, at each door; the node stays up."""
        for status, problem in (self.register(), self.realm.call("GET", "/v1/devices", token=self.admin)):
            assert status == 503 and "postgres" not in str(problem).lower(), problem
        assert until(lambda: self.readyz()[0] == 503) and "database" in self.readyz()[1]

    def is_back(self):
        assert until(lambda: self.readyz()[0] == 200)
        assert until(lambda: self.register()[0] == 201)
        assert until(lambda: self.realm.call("GET", "/v1/devices", token=self.admin)[0] == 200)


@pytest.fixture(params=[20000], ids=["patient"])
def away(tmp_path, postgres, request):
    with Node(tmp_path / "realm", trace=False, server=postgres) as realm:
        realm.start_api("store-timeout = %d;\n" % request.param)
        yield Away(realm)
        assert "s3cr3tpw" not in realm.registry_log()


def test_a_server_that_is_away(away, postgres):
    kept = [away.register()[1]["regdevid"] for _ in range(5)]
    postgres.kill()
    try:
        away.says_so()
    finally:
        postgres.start()
    away.is_back()
    there = [row[0] for row in away.realm.rows("SELECT regdevid FROM device")]
    assert set(kept) <= set(there) and len(there) == len(set(there)) == 6
    assert away.realm.registry_log().count("the database is away") == 1


@pytest.mark.parametrize("away", [1500], ids=["not for long"], indirect=True)
def test_a_server_that_stands_still(away, postgres):
    kept = [until(away.registers) for _ in range(5)]  # on a busy machine one may take longer
    postgres.hang()
    try:
        away.says_so()
    finally:
        postgres.go_on()
    away.is_back()
    there = [row[0] for row in away.realm.rows("SELECT regdevid FROM device")]
    assert set(kept) <= set(there) and len(there) == len(set(there))


def test_sessions_that_are_cut(away, postgres):
    """While devices register from several connections: what was answered is there, once."""
    answered = []

    def walk():
        for _ in range(30):
            status, answer = away.register()
            assert status in (201, 503), answer
            if status == 201:
                answered.append(answer["regdevid"])

    _, threads = together([walk] * 4)
    while any(thread.is_alive() for thread in threads):
        postgres.cut()
        time.sleep(0.1)
    away.is_back()
    there = [row[0] for row in away.realm.rows("SELECT regdevid FROM device")]
    assert answered and set(answered) <= set(there) and len(there) == len(set(there))
