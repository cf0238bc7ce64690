# SPDX-License-Identifier: Apache-2.0
"""Which events a subscriber gets: what its filters say, and nothing that it may not ask for."""
import itertools
import json
import types

import pytest
from peerlab import Tool
from telllab import TellNode
from test_door import phone, registered

from peers import jose

SEEDS = {name: bytes([n]) * 32 for n, name in enumerate(("named", "broad", "full", "blind"), 0x41)}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with TellNode(tmp_path_factory.mktemp("filters") / "realm", trace=False) as realm:
        yield realm.begin()
        realm.receiver.server.shutdown()


def told(node, sub, token):
    """What a poll gives: (kind, subject, body) of each."""
    sets = node.good("POST", "/v1/subscriptions/%d/poll" % sub, {}, token)["sets"]
    found = []
    for one in sets.values():
        claims = node.claims(one)
        (kind, event), = claims["events"].items()
        found.append((kind.rsplit(":", 1)[1], claims["sub_id"]["id"], event["body"]))
    return found


numbers = itertools.count(1)


class Things:
    """Three devices with a history, and a vulnerability; subscriptions made before are told of all of it."""

    def __init__(self, node):
        door = node.door()
        self.meter = registered(door, phone(make="Acme", model="One", kind="meter"))
        self.camera = registered(door, phone(make="Acme", model="Two", kind="camera"))
        self.car = registered(door, phone(make="Other", model="One", kind="vehicle"))
        node.set_status(self.meter, "black", "cloned")
        node.set_status(self.car, "grey", "not seen")
        made = node.good("POST", "/v1/vulnerabilities", {"reference": "F-%d" % next(numbers), "source": "agency", "reporter": "CERT", "title": "hole",
                                                         "make": "Acme", "model": "Two"}, node.agency, 201)
        self.hole = made["reference"]
        assert node.patch("/v1/vulnerabilities/%d" % made["id"], {"state": "confirmed"}, node.agency) == 200


def test_each_filter_lets_its_own_through_and_nothing_else(node):
    """REQ: Y3059-7-iv-e: by use case, make, model, status, class and kind of event, subject; and by several at once."""
    everything = [("device.registered", "meter"), ("device.registered", "camera"), ("device.registered", "car"),
                  ("status.set", "meter", "white"), ("status.set", "camera", "white"), ("status.set", "car", "white"),
                  ("status.set", "meter", "black"), ("status.set", "car", "grey"), ("vulnerability.set", "hole")]
    rows = [
        ({}, lambda e: True),
        ({"use_cases": ["meter"]}, lambda e: e[1] == "meter"),
        ({"use_cases": ["vehicle", "camera"]}, lambda e: e[1] in ("car", "camera")),
        ({"use_cases": ["payment"]}, lambda e: False),
        ({"make": "Acme"}, lambda e: e[1] in ("meter", "camera", "hole")),
        ({"make": "acme"}, lambda e: False),
        ({"model": "One"}, lambda e: e[1] in ("meter", "car")),
        ({"make": "Acme", "model": "Two"}, lambda e: e[1] in ("camera", "hole")),
        ({"make": "Other", "model": "Two"}, lambda e: False),
        ({"events": ["status"], "statuses": ["black"]}, lambda e: e[2:] == ("black",)),
        ({"statuses": ["black", "grey"]}, lambda e: e[0] != "status.set" or e[2] in ("black", "grey")),
        ({"events": ["device"]}, lambda e: e[0] == "device.registered"),
        ({"events": ["vulnerability", "device"]}, lambda e: e[0] != "status.set"),
        ({"events": ["list"]}, lambda e: False),
        ({"kinds": ["status.set"]}, lambda e: e[0] == "status.set"),
        ({"kinds": ["device.removed"]}, lambda e: False),
        ({"kinds": ["device.registered", "status.set"], "use_cases": ["vehicle"], "statuses": ["grey"]},
         lambda e: e[1] == "car" and e[-1] != "white"),
    ]
    subs = [node.subscribe(node.agency, method="poll", **filters) for filters, _ in rows]
    things = Things(node)
    names = {things.meter: "meter", things.camera: "camera", things.car: "car", things.hole: "hole"}
    for (filters, lets), sub in zip(rows, subs):
        got = sorted((kind, names[subject]) + ((body["status"],) if kind == "status.set" else ()) for kind, subject, body in
                     told(node, sub, node.agency))
        assert got == sorted(event for event in everything if lets(event)), filters
    for bad in ({"use_cases": ["spaceship"]}, {"statuses": ["red"]}, {"events": ["gossip"]}, {"kinds": ["status.guessed"]}, {"make": ""},
                {"make": 7}, {"subjects": "x"}):
        assert node.call("POST", "/v1/subscriptions", dict({"name": "x", "method": "poll"}, **bad), node.agency)[0] == 422, bad


def test_devices_of_other_registries(node):
    """What their registration said is what the filters go by, for all that is said of them later."""
    away = types.SimpleNamespace(database=node.path("registry.db"), path=node.path, reg_id="IN1", kind="primary")  # no device of ours
    sub = node.subscribe(node.agency, method="poll", make="Far", use_cases=["meter"])
    none = node.subscribe(node.agency, method="poll", make="Far", use_cases=["camera"])
    with Tool(away) as tool:
        for subject, make, kind in (("FAR-1", "Far", "meter"), ("FAR-2", "Near", "meter"), ("FAR-3", "Far", "sensor")):
            assert tool.say("device.registered", subject, {"make": make, "model": "Z", "kind": kind}) == "ok"
            assert tool.say("status.set", subject, {"status": "black", "cause": "x"}) == "ok"
            assert tool.say("device.removed", subject) == "ok"
    assert [(kind, subject) for kind, subject, _ in told(node, sub, node.agency)] == [
        ("device.registered", "FAR-1"), ("status.set", "FAR-1"), ("device.removed", "FAR-1")]
    assert told(node, none, node.agency) == []


def test_by_subject(node):
    things = Things(node)
    sub = node.subscribe(node.agency, method="poll", subjects=[things.car, things.hole])
    later = Things(node)
    node.set_status(things.car, "white")
    assert [(kind, subject) for kind, subject, _ in told(node, sub, node.agency)] == [("status.set", things.car)]
    assert later.car != things.car


def test_an_enquirer_is_told_what_it_may_ask(node):
    """REQ: Y3059-9.4-i-a, Y3059-7-iv-e: named devices with the right regdevid, all with model, what they are with details; by filter only
    what it may ask by; nothing with no right; and what a right that was taken away gave is not told any more."""
    first = Things(node)
    rights = {"named": ["regdevid"], "broad": ["model"], "full": ["model", "details"], "blind": ["virtual"]}
    ids, tokens = {}, {}
    for name, seed in SEEDS.items():
        ids[name], tokens[name] = node.enquirer(seed, name, rights=rights[name])
    subs = {name: node.subscribe(token, method="poll", **({"subjects": [first.meter]} if name == "named" else {})) for name, token in tokens.items()}
    for name in ("named", "blind"):
        for filters in ({"make": "Acme"}, {"model": "One"}, {"use_cases": ["meter"]}):
            status, problem = node.call("POST", "/v1/subscriptions", dict({"name": "f", "method": "poll"}, **filters), tokens[name])
            assert status == 422 and problem["errors"][0]["pointer"] == "/" + list(filters)[0]
    filtered = node.subscribe(tokens["broad"], method="poll", use_cases=["meter"])
    second = Things(node)
    node.set_status(first.meter, "grey")
    assert told(node, subs["named"], tokens["named"]) == [("status.set", first.meter, {"status": "grey"})]
    seen = told(node, subs["broad"], tokens["broad"])
    assert {subject for _, subject, _ in seen} == {second.meter, second.camera, second.car, first.meter}  # no vulnerability: not disclosed
    assert all(set(body) <= {"status"} for _, _, body in seen)
    assert {subject for _, subject, _ in told(node, filtered, tokens["broad"])} == {second.meter, first.meter}
    full = {(kind, subject): body for kind, subject, body in told(node, subs["full"], tokens["full"])}
    assert full["device.registered", second.car]["make"] == "Other" and "cause" in full["status.set", second.car]
    assert all("identities" not in body for body in full.values())
    assert told(node, subs["blind"], tokens["blind"]) == []
    for name in tokens:  # as its questions are answered
        question = {"by": "use_case", "value": "vehicle"}
        assert node.call("POST", "/v1/questions", question, tokens[name])[0] == (200 if "model" in rights[name] else 403)
    assert node.patch("/v1/enquirers/%d" % ids["broad"], {"rights": ["virtual"]}, node.admin) == 200
    assert told(node, subs["broad"], tokens["broad"]) == [] and told(node, filtered, tokens["broad"]) == []


def test_questions_by_use_case(node):
    """REQ: Y3059-7-iv-e: the same, asked: which devices of a use case there are, and what they are held to be."""
    things = Things(node)

    def ask(**question):
        answer = node.good("POST", "/v1/questions", dict({"by": "use_case"}, **question), node.agency)["answer"]
        return {one["subject"]: one["status"] for one in json.loads(jose.read(answer, node.public)[1])["results"]}

    meters = ask(value="meter")
    assert meters[things.meter] == "black" and things.camera not in meters and things.car not in meters
    assert ask(value="vehicle", make="Other")[things.car] == "grey" and ask(value="vehicle", make="Acme") == {}
    assert ask(value="payment") == {}
    assert node.call("POST", "/v1/questions", {"by": "use_case", "value": "spaceship"}, node.agency)[0] == 422
    assert node.call("POST", "/v1/questions", {"by": "use_case", "value": "meter"})[0] == 401


def test_makers_and_custodians_are_told_of_their_own(node):
    """REQ: Y3059-8-1: of devices of the make, of devices it answers for; of nothing else, and without the identities of the device."""
    acme = [one for one in node.good("GET", "/v1/makers?limit=1000", token=node.admin)["items"] if one["name"] == "Acme"]
    acme = acme[0] if acme else node.good("POST", "/v1/makers", {"name": "Acme", "policy_url": "https://acme.example/psirt"}, node.admin, 201)
    impi = node.rows("SELECT impi FROM device ORDER BY id LIMIT 1")[0][0]
    asha = node.good("POST", "/v1/custodians", {"account": "asha", "state": "verified", "verifier": "desk", "impis": [impi]}, node.admin, 201)
    maker, custodian = node.token("maker", acme["id"]), node.token("custodian", asha["id"])
    by_maker, by_custodian = node.subscribe(maker, method="poll"), node.subscribe(custodian, method="poll")
    everything = node.subscribe(node.agency, method="poll")
    own = registered(node.door(), phone(make="Own", kind="wearable", custodian="asha"))
    things = Things(node)
    node.set_status(own, "black")
    assert {subject for _, subject, _ in told(node, by_maker, maker)} == {things.meter, things.camera, things.hole}
    assert {(kind, subject) for kind, subject, _ in told(node, by_custodian, custodian)} == {("device.registered", own), ("status.set", own)}
    for sub, token in ((by_maker, maker), (by_custodian, custodian)):
        assert all("identities" not in body for _, _, body in told(node, sub, token))
    assert any("identities" in body for _, _, body in told(node, everything, node.agency))
    assert node.patch("/v1/custodians/%d" % asha["id"], {"state": "suspended"}, node.admin) == 200
    assert node.call("POST", "/v1/subscriptions/%d/poll" % by_custodian, {}, custodian)[0] == 401
