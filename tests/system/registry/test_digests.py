# SPDX-License-Identifier: Apache-2.0
"""What is pushed at intervals, in bulk, only to some, and what cannot be delivered."""
import json

import pytest
from telllab import Stream, TellNode
from test_door import phone, registered

from peers.waiting import until

BATCH, DIGEST = "urn:gba:registry:batch", "urn:gba:registry:digest"


@pytest.fixture(scope="module")
def node(tmp_path_factory, server):
    with TellNode(tmp_path_factory.mktemp("digests") / "realm", trace=False, server=server) as realm:
        yield realm.begin(tell_dead_letters=3)
        realm.receiver.server.shutdown()


@pytest.fixture(autouse=True)
def alone(node):
    """No subscription of the test before pushes into this one."""
    yield
    node.change("DELETE FROM subscription")
    node.receiver.fresh()


def said(node, kind):
    """Bodies of one kind that the receiver has got."""
    found = []
    for token in list(node.receiver.tokens):
        events = node.claims(token)["events"]
        found += [events[kind]] if kind in events else []
    return found


def test_a_digest_sums_up_what_changed(node):
    """REQ: Y3059-9.4-i-c, Y3059-7-0d: each second what has happened, by kind, status and model; beside it, events as they happen."""
    at_once = node.subscribe(node.agency, method="stream", events=["device", "status"])
    stream = Stream(node, at_once, node.agency)
    node.subscribe(node.agency, method="push", url=node.receiver.url, events=["device", "status"], digest=1)
    door = node.door()
    made = [registered(door, phone(make="Digest", model="M%d" % (n % 2))) for n in range(5)]
    node.set_status(made[0], "black")
    assert until(lambda: sum(one["events"] for one in said(node, DIGEST)) == 11), said(node, DIGEST)
    parts = said(node, DIGEST)
    assert until(lambda: len(stream.events) == 11)

    def total(member):
        sums = {}
        for part in parts:
            for name, n in part[member].items():
                sums[name] = sums.get(name, 0) + n
        return sums

    assert total("kinds") == {"device.registered": 5, "status.set": 6} and total("statuses") == {"white": 5, "black": 1}
    models = {}
    for part in parts:
        for one in part["models"]:
            models[one["make"], one["model"]] = models.get((one["make"], one["model"]), 0) + one["events"]
    assert models == {("Digest", "M0"): 7, ("Digest", "M1"): 4}
    last = {one["subject"]: one.get("status") for part in parts for one in part["subjects"]}
    assert set(last) == set(made) and last[made[0]] == "black"
    for before, part in zip(parts, parts[1:]):  # without a gap and without an overlap
        assert part["after"] == before["upto"] and part["from"] <= part["to"]
    assert all(part["from"] < part["to"] and not part["more"] and part["omitted"] == 0 for part in parts)
    assert [event["id"] for event in stream.events][-1] == str(parts[-1]["upto"])
    stream.close()


def test_empty_digests_where_they_are_wanted(node):
    node.subscribe(node.agency, method="push", url=node.receiver.url, events=["list"], digest=1, digest_empty=True)
    assert until(lambda: len(said(node, DIGEST)) >= 3)
    assert {one["events"] for one in said(node, DIGEST)} == {0}
    ends = [one["to"] for one in said(node, DIGEST)]
    assert ends == sorted(set(ends))
    node.change("DELETE FROM subscription")
    node.receiver.fresh()
    node.subscribe(node.agency, method="push", url=node.receiver.url, events=["list"], digest=1)
    other = node.subscribe(node.agency, method="push", url=node.receiver.url, events=["device"], digest=1)
    for _ in range(2):  # seconds in which the first has nothing to tell
        device = registered(node.door(), phone())
        assert until(lambda: any(device in [s["subject"] for s in one["subjects"]] for one in said(node, DIGEST)))
    assert {node.claims(token)["jti"].split("-")[1] for token in node.receiver.tokens} == {str(other)}


def test_a_digest_comes_again_until_it_is_taken(node):
    """The same one, by its jti, through failures of the receiver and a kill of the registry: nothing is in none."""
    node.receiver.answers += [503, 503]
    node.subscribe(node.agency, method="push", url=node.receiver.url, kinds=["device.registered"], digest=1)
    made = [registered(node.door(), phone())]
    assert until(lambda: said(node, DIGEST)), node.registry_log()[-1000:]
    assert len({node.claims(token)["jti"] for token in node.receiver.refused + node.receiver.tokens[:1]}) == 1
    made.append(registered(node.door(), phone()))
    node.kill()
    node.start_api()
    assert until(lambda: {s["subject"] for one in said(node, DIGEST) for s in one["subjects"]} == set(made))


def test_many_events_in_one_delivery(node):
    """REQ: Y3059-9.4-ii: one by one, or in bulk, with the identities they would have alone; a failed delivery comes again as it was."""
    node.receiver.answers += [503]
    bulk = node.subscribe(node.agency, method="push", url=node.receiver.url, kinds=["device.registered"], batch=10, paused=True)
    single = node.subscribe(node.agency, method="push", url=node.receiver.url, kinds=["device.registered"], paused=True)
    door = node.door()
    made = [registered(door, phone()) for _ in range(23)]
    assert node.patch("/v1/subscriptions/%d" % bulk, {"paused": False}, node.agency) == 200
    assert until(lambda: sum(len(one["items"]) for one in said(node, BATCH)) == 23), said(node, BATCH)
    assert [len(one["items"]) for one in said(node, BATCH)] == [10, 10, 3]
    items = [item for one in said(node, BATCH) for item in one["items"]]
    assert [item["subject"] for item in items] == made
    assert node.claims(node.receiver.refused[0])["jti"] == node.claims(node.receiver.tokens[0])["jti"]
    node.receiver.tokens.clear()
    assert node.patch("/v1/subscriptions/%d" % single, {"paused": False}, node.agency) == 200
    assert until(lambda: len(node.receiver.tokens) == 23)
    alone = [node.claims(token) for token in node.receiver.tokens]
    assert [one["sub_id"]["id"] for one in alone] == made
    assert [one["jti"].split("-")[2] for one in alone] == [item["jti"].split("-")[2] for item in items]


def letters(node, sub):
    return node.good("GET", "/v1/subscriptions/%d/dead-letters" % sub, token=node.agency)


def test_dead_letters_are_bounded_and_nothing_is_lost(node):
    """When there is no room for one more the subscription waits where it is; with room it goes on."""
    sub = node.subscribe(node.agency, method="push", url=node.receiver.url, kinds=["device.registered"])
    node.receiver.answers += [500] * 1000
    door = node.door()
    made = [registered(door, phone()) for _ in range(6)]
    full = until(lambda: letters(node, sub)["room"] == 0 and letters(node, sub))
    assert full and len(full["items"]) == 3 and full["next"] is None
    assert until(lambda: "registry.tell.held" in node.registry_log())
    assert until(lambda: node.metric("gba_registry_tell_held") == 1)
    assert until(lambda: node.metric("gba_registry_tell_dead_letters") == 3) and node.metric("gba_registry_tell_dead_total") >= 3
    assert node.rows("SELECT count(*) FROM tell_letter")[0][0] == 3
    node.receiver.answers.clear()
    first, second, third = (one["id"] for one in full["items"])
    path = "/v1/subscriptions/%d/" % sub
    for bad in ({}, {"letters": "all"}, {"letters": [0]}, {"letters": ["1"]}, [], {"all": False}):
        assert node.call("POST", path + "discard", json.dumps(bad), node.agency)[0] in (400, 422), bad
    assert node.good("POST", path + "discard", {"letters": [first, 10 ** 9]}, node.agency) == {"letters": 1}
    assert until(lambda: len(node.receiver.tokens) == 3)  # the three that waited
    assert [node.claims(token)["sub_id"]["id"] for token in node.receiver.tokens] == made[3:]
    assert until(lambda: node.metric("gba_registry_tell_held") == 0)
    assert node.good("POST", path + "redeliver", {"letters": [third]}, node.agency, 202) == {"letters": 1}
    assert until(lambda: len(node.receiver.tokens) == 4) and node.claims(node.receiver.tokens[3])["sub_id"]["id"] == made[2]
    assert until(lambda: [one["id"] for one in letters(node, sub)["items"]] == [second])
    node.receiver.answers += [500] * 1000
    held = [registered(door, phone()) for _ in range(3)]  # two more letters, and one that waits
    assert until(lambda: letters(node, sub)["room"] == 0) and until(lambda: node.metric("gba_registry_tell_held") == 1)
    node.receiver.answers.clear()
    node.good("POST", path + "redeliver", {"letters": [letters(node, sub)["items"][1]["id"]]}, node.agency, 202)
    assert until(lambda: [node.claims(token)["sub_id"]["id"] for token in node.receiver.tokens[4:]] == [held[0], held[2]])  # room by delivery, too
    node.good("POST", path + "discard", {"letters": [letters(node, sub)["items"][1]["id"]]}, node.agency)
    maker = node.good("POST", "/v1/makers", {"name": "Letters"}, node.admin, 201)["id"]
    stranger = node.token("maker", maker)
    assert node.call("POST", path + "discard", {"all": True}, stranger)[0] == 404
    assert node.good("POST", path + "discard", {"all": True}, node.agency) == {"letters": 1}
    assert letters(node, sub)["items"] == [] and letters(node, sub)["room"] == 3


def test_a_digest_given_up_is_a_dead_letter(node):
    sub = node.subscribe(node.agency, method="push", url=node.receiver.url, kinds=["device.registered"], digest=1)
    node.receiver.answers += [400] * 3
    device = registered(node.door(), phone())
    dead = until(lambda: letters(node, sub)["items"])
    assert dead and dead[0]["jti"] == node.claims(node.receiver.refused[0])["jti"]
    assert dead[0]["why"] == "answered 400: invalid_key: no such key"
    node.good("POST", "/v1/subscriptions/%d/redeliver" % sub, token=node.agency, want=202)
    assert until(lambda: said(node, DIGEST))
    assert [s["subject"] for s in said(node, DIGEST)[0]["subjects"]] == [device]
    assert node.claims(node.receiver.tokens[0])["jti"] == dead[0]["jti"]
    assert until(lambda: letters(node, sub)["items"] == [])


def test_letters_from_a_terminal(node):
    """gba-ctl lists, sends again and throws away, on the database."""
    sub = node.subscribe(node.agency, method="push", url=node.receiver.url, kinds=["device.registered"])
    node.receiver.answers += [500] * 6
    made = [registered(node.door(), phone()) for _ in range(2)]
    assert until(lambda: len(letters(node, sub)["items"]) == 2)

    def ctl(*words):
        done = node.run("gba-ctl", "-c", node.path("registry.conf"), "--json", "registry", "dead-letter", *words)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    listed = ctl("list", str(sub))
    assert [one["id"] for one in listed] == [one["id"] for one in letters(node, sub)["items"]] and listed[0]["why"] == "answered 500"
    ctl("redeliver", str(sub), str(listed[1]["id"]))
    assert until(lambda: [node.claims(token)["sub_id"]["id"] for token in node.receiver.tokens] == made[1:])
    assert until(lambda: len(ctl("list", str(sub))) == 1)
    ctl("discard", str(sub), str(listed[0]["id"]))
    assert ctl("list", str(sub)) == []
    assert node.run("gba-ctl", "-c", node.path("registry.conf"), "registry", "dead-letter", "list", "99999").returncode != 0
