# SPDX-License-Identifier: Apache-2.0
"""Requests of REST that write and have come together share a transaction: each is done or refused alone, and none is answered before it
is durable."""
import hashlib
import http.client
import json
import os
import ssl
import subprocess
import threading
import uuid

import pytest
from test_api import Node, device
from test_store import metric

from peers import jose, merkle
from peers.waiting import until


class Writer:
    """A caller with a connection of its own."""

    def __init__(self, node, token):
        tls = ssl.create_default_context(cafile=node.pem)
        tls.check_hostname = False
        self.link = http.client.HTTPSConnection(node.address("registry"), node.port, context=tls, timeout=60)
        self.token = token

    def call(self, method, path, body=None, **head):
        """(status, JSON, ETag); what is busy is asked again."""
        head = {name.replace("_", "-"): value for name, value in head.items()}
        while True:
            self.link.request(method, path, json.dumps(body) if body is not None else None,
                              dict({"Content-Type": "application/json", "Authorization": "Bearer " + self.token}, **head))
            answer = self.link.getresponse()
            text = answer.read()
            if answer.status != 503:
                return answer.status, json.loads(text) if text else None, answer.getheader("ETag")


@pytest.fixture(scope="module")
def node(tmp_path_factory, server):
    with Node(tmp_path_factory.mktemp("writers") / "realm", trace=False, server=server) as realm:
        realm.start_api("api-rate = 100000;\napi-burst = 100000;\n")
        yield realm


def at_once(node, token, calls):
    """Answers of calls that begin together, and in how many transactions they were done."""
    writers, answers = [Writer(node, token) for _ in calls], [None] * len(calls)
    gate = threading.Barrier(len(calls))
    before = metric(node, "gba_registry_api_commits_total")

    def one(i):
        method, path, body, head = calls[i]
        writers[i].link.connect()
        gate.wait(60)
        answers[i] = writers[i].call(method, path, body, **head)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers, metric(node, "gba_registry_api_commits_total") - before


def test_each_is_done_or_refused_alone(node):
    admin, numbers = node.token("admin"), iter(range(1000, 10 ** 6))
    alone = Writer(node, admin)

    def stands():
        """(path, ETag) of a device that nobody has changed."""
        status, made, etag = alone.call("POST", "/v1/devices", device(next(numbers)))
        assert status == 201
        return "/v1/devices/%d" % made["id"], etag

    def round_():
        good = [device(next(numbers)) for _ in range(10)]
        twice, old = device(next(numbers)), device(next(numbers))
        assert alone.call("POST", "/v1/devices", old)[0] == 201
        first, second, gone = stands(), stands(), stands()
        assert alone.call("PATCH", first[0], {"make": "Changed"}, If_Match=first[1])[0] == 200  # its ETag is an old one now
        calls = [("POST", "/v1/devices", body, {}) for body in good]
        calls += [("POST", "/v1/devices", twice, {})] * 3 + [("POST", "/v1/devices", old, {})] * 2
        calls += [("PATCH", first[0], {"make": "Late"}, {"If_Match": first[1]})] * 3
        calls += [("PATCH", second[0], {"make": "Race %d" % i}, {"If_Match": second[1]}) for i in range(3)]
        calls += [("DELETE", gone[0], None, {"If_Match": gone[1]}), ("POST", gone[0] + "/retire", {}, {"If_Match": first[1] + "9"})]
        calls += [("POST", "/v1/devices", dict(device(next(numbers)), identity="123"), {})] * 3
        calls += [("POST", "/v1/devices", dict(device(next(numbers)), custodian=10 ** 9), {})]
        entries = node.rows("SELECT count(*) FROM log_entry")[0][0]
        answers, commits = at_once(node, admin, calls)
        got = [status for status, _, _ in answers]
        assert got[:10] == [201] * 10, answers
        assert sorted(got[10:13]) == [201, 409, 409] and got[13:15] == [409, 409], answers
        assert got[15:18] == [412] * 3 and sorted(got[18:21]) == [200, 412, 412], answers
        assert got[21] in (403, 405) and got[22] == 412 and got[23:] == [422] * 4, answers
        winner = next(i for i in range(3) if got[18 + i] == 200)
        assert alone.call("GET", second[0])[1]["make"] == "Race %d" % winner
        assert alone.call("GET", first[0])[1]["make"] == "Changed"
        for status, made, _ in answers[:10]:
            assert node.rows("SELECT count(*) FROM device WHERE id = ? AND identity = ?", made["id"], made["identity"]) == [(1,)]
        assert node.rows("SELECT count(*) FROM device WHERE identity = ?", twice["identity"]) == [(1,)]
        assert node.rows("SELECT count(*) FROM log_entry")[0][0] == entries + 12  # ten, one of the three, one of the race
        return commits < sum(call[0] != "GET" for call in calls)

    assert until(round_)
    log = [row[0] for row in node.rows("SELECT idx FROM log_entry ORDER BY idx")]
    assert log == list(range(len(log)))


def test_each_enquirer_has_its_own_proof(node):
    """Answers that are made in one transaction stand in the log each by its own."""
    numbers, admin = iter(range(2000, 10 ** 6)), node.token("admin")
    names = [Writer(node, admin).call("POST", "/v1/devices", device(next(numbers)))[1]["regdevid"] for _ in range(12)]

    def round_():
        answers, commits = at_once(node, admin, [("POST", "/v1/questions", {"by": "regdevid", "value": name, "nonce": name}, {}) for name in names])
        assert [status for status, _, _ in answers] == [200] * len(names)
        assert len({answer["receipt"]["index"] for _, answer, _ in answers}) == len(names), answers
        for _, answer, _ in answers:
            receipt = answer["receipt"]
            head, path = jose.read(receipt["head"], key)[1], [bytes.fromhex(text) for text in receipt["path"]]
            said, entry = json.loads(jose.read(answer["answer"], key)[1]), json.loads(receipt["entry"])
            assert said["question"]["nonce"] == said["results"][0]["subject"]
            assert entry["detail"]["answer"] == hashlib.sha256(answer["answer"].encode()).hexdigest()
            head = json.loads(head)
            assert merkle.root_from_path(merkle.leaf_hash(receipt["entry"].encode()), receipt["index"], head["size"], path).hex() == head["root"]
        return commits < len(names)

    key = bytes.fromhex(node.call("GET", "/.well-known/gba-registry")[1]["public_key"])
    assert until(round_)


def test_what_was_answered_survives_a_kill(tmp_path, server):
    """Of many writers at once; what was not answered is done once when it comes again under its Idempotency-Key."""
    with Node(tmp_path / "realm", trace=False, server=server) as realm:
        words = "api-rate = 100000;\napi-burst = 100000;\n"
        realm.start_api(words)
        admin, made, left = realm.token("admin"), [], []

        def walk(first):
            writer = Writer(realm, admin)
            for n in range(first, first + 10 ** 5):
                body, key = device(n), str(uuid.uuid4())
                try:
                    status, answer, etag = writer.call("POST", "/v1/devices", body, Idempotency_Key=key)
                    assert status == 201
                    made.append(answer["regdevid"])
                    status, answer, etag = writer.call("PATCH", "/v1/devices/%d" % answer["id"], {"make": "Changed"}, If_Match=etag)
                    assert status == 200
                    changed.append(answer["regdevid"])
                except (OSError, ValueError, http.client.HTTPException):
                    left.append((body, key))
                    return

        changed = []
        threads = [threading.Thread(target=walk, args=(10 ** 6 * (i + 1),)) for i in range(12)]
        for thread in threads:
            thread.start()
        assert until(lambda: len(changed) > 60)
        realm.nodes["registry"].kill()
        for thread in threads:
            thread.join()
        there = [row[0] for row in realm.rows("SELECT regdevid FROM device")]
        assert set(made) <= set(there) and len(there) == len(set(there))
        assert set(changed) <= {row[0] for row in realm.rows("SELECT regdevid FROM device WHERE make = 'Changed'")}
        before = len(realm.api_ports())
        with open(realm.path("registry.conf"), encoding="ascii") as conf:
            extra = conf.read().split("report-check = 1;\n")[1]
        realm.start_registry(extra=extra)
        assert until(lambda: len(realm.api_ports()) > before)
        realm.port = realm.api_ports()[-1]
        writer = Writer(realm, admin)
        assert left and all(writer.call("POST", "/v1/devices", body, Idempotency_Key=key)[0] == 201 for body, key in left)
        identities = [row[0] for row in realm.rows("SELECT identity FROM device")]
        assert {body["identity"] for body, _ in left} <= set(identities) and len(identities) == len(set(identities))
        for words in (["--config", realm.path("registry.conf"), "registry", "audit", "verify"], ["audit", "verify", realm.path("registry.db.audit")]):
            done = subprocess.run([realm.tree.program("gba-ctl"), *words], capture_output=True, text=True, timeout=120,
                                  env=dict(os.environ, **realm.tree.environment()))
            assert done.returncode == 0, done.stdout + done.stderr
