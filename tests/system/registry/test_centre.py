# SPDX-License-Identifier: Apache-2.0
"""What TEC 31188 wants of a national trust centre's records: makers by a form, platforms that are known, messages of one format, data for
those they concern, custodians of critical use cases who are sure to be known."""
import json

import jsonschema
import pytest
from registrylab import IMPI
from telllab import TellNode
from test_door import phone

from peers.waiting import until


@pytest.fixture(scope="module")
def node(tmp_path_factory, server):
    with TellNode(tmp_path_factory.mktemp("centre") / "realm", trace=False, server=server) as realm:
        yield realm.begin(critical_kinds='[ "medical" ]', critical_level=2)
        realm.receiver.server.shutdown()


def refused(node, path, body, pointer):
    """At which member?"""
    status, problem = node.call("POST", path, body, node.admin)
    return status == 422 and [one["pointer"] for one in problem["errors"]] == [pointer]


def test_makers_and_models_by_a_form(node):
    """REQ: TEC-4-1, TEC-4-3: a maker and each of its models have a form; what lacks a member of it, or has another, is refused at that member;
    the repository finds a maker's models and its certified devices."""
    good = {"name": "Form Works", "country": "IN", "contact": "psirt@form.example", "policy_url": "https://form.example/policy"}
    assert refused(node, "/v1/makers", {key: good[key] for key in good if key != "name"}, "/name")
    for member, bad in (("contact", "nobody"), ("policy_url", "http://form.example"), ("country", "INDIA"), ("colour", "red")):
        assert refused(node, "/v1/makers", {**good, member: bad}, "/" + member), member
    maker = node.good("POST", "/v1/makers", good, node.admin, 201)["id"]
    model = {"maker": maker, "name": "F-1", "kind": "meter"}
    for member in model:
        assert refused(node, "/v1/models", {key: model[key] for key in model if key != member}, "/" + member), member
    node.good("POST", "/v1/models", model, node.admin, 201)
    assert node.call("POST", "/v1/models", model, node.admin)[0] == 409  # a model is one maker's once
    assert node.call("POST", "/v1/makers", good, node.admin)[0] == 409
    node.good("POST", "/v1/certifications", {"scheme": "mtcte", "number": "C-F1", "maker": maker, "model": "F-1"}, node.admin, 201)
    found = node.good("GET", "/v1/models?maker=%d" % maker, token=node.agency)["items"]
    assert [(one["name"], one["kind"]) for one in found] == [("F-1", "meter")]
    assert [one["model"] for one in node.good("GET", "/v1/certifications?maker=%d" % maker, token=node.agency)["items"]] == ["F-1"]


def test_platforms_are_known_by_one_identity(node):
    """REQ: TEC-3.2-p2-iii, TEC-4-2: each platform has an identity of its own; the same one a second time is refused, whoever shows it."""
    first = {"name": "City Platform", "kind": "platform", "identity_scheme": "cin", "identity": "U72200KA2011PTC060777", "country": "IN"}
    made = node.good("POST", "/v1/parties", first, node.admin, 201)
    second = node.good("POST", "/v1/parties", {**first, "name": "Port Platform", "identity": "U72200KA2012PTC060778"}, node.admin, 201)
    assert made["id"] != second["id"] and made["identity"] != second["identity"]
    assert node.call("POST", "/v1/parties", {**first, "name": "Another Platform"}, node.admin)[0] == 409
    status, changed = node.call("PATCH", "/v1/parties/%d" % second["id"], json.dumps({"identity": first["identity"]}), node.admin,
                                "application/merge-patch+json")
    assert status in (409, 422, 428), changed
    assert node.good("GET", "/v1/parties/%d" % second["id"], token=node.admin)["identity"] == second["identity"]


def schema_of(node, path):
    document = node.good("GET", "/openapi.json")
    body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return jsonschema.Draft202012Validator(dict(body, components=document["components"]))


def test_one_format_between_platform_and_centre(node):
    """REQ: TEC-3.2-p2-iv: what a platform sends is of the schema that the centre publishes; what an independent validator refuses by it, the centre
    refuses, too, and answers with a problem of one form."""
    report = {"reference": "PF-1", "source": "platform", "reporter": "city.example", "device_type": "meter", "title": "open port", "make": "Acme",
              "model": "M1", "versions": ["<2.0"], "cve": "CVE-2031-10001"}
    schema = schema_of(node, "/v1/vulnerabilities")
    schema.validate(report)
    node.good("POST", "/v1/vulnerabilities", report, node.agency, 201)
    for wrong in ({"source": "rumour"}, {"title": 7}, {"versions": "<2.0"}, {"colour": "red"}, {"title": ""}):
        body = {**report, "reference": "PF-2", **wrong}
        assert not schema.is_valid(body), wrong
        status, problem = node.call("POST", "/v1/vulnerabilities", body, node.agency)
        assert status == 422 and {"type", "title", "status", "errors"} <= set(problem), (wrong, problem)


def test_data_are_shared_with_each_who_needs_them(node):
    """REQ: TEC-3.2.1-5: a certification server, a CERT and a city's platform, each with a filter of its own."""
    subs = {"mtcte": node.subscribe(node.agency, method="poll", events=["vulnerability"], make="Shared"),
            "cert": node.subscribe(node.agency, method="poll", events=["vulnerability"]),
            "platform": node.subscribe(node.agency, method="poll", events=["device"], use_cases=["camera"])}
    door = node.door()
    for n, kind in enumerate(("camera", "meter")):
        status, ack = door.ask("POST", "/register", phone(make="City", kind=kind))
        assert status == 201 and door.ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": ack["serial"]})[0] == 200
    for make in ("Shared", "Else"):
        made = node.good("POST", "/v1/vulnerabilities", {"reference": "S-" + make, "source": "cert", "reporter": "CERT", "title": "hole", "make": make,
                                                         "model": "*"}, node.agency, 201)
        assert node.patch("/v1/vulnerabilities/%d" % made["id"], {"state": "confirmed"}, node.agency) == 200

    def told(name):
        sets = node.good("POST", "/v1/subscriptions/%d/poll" % subs[name], {}, node.agency)["sets"]
        return sorted(node.claims(one)["sub_id"]["id"] for one in sets.values())

    assert until(lambda: told("cert") == ["S-Else", "S-Shared"])
    assert told("mtcte") == ["S-Shared"]
    cameras = [one["regdevid"] for one in node.good("GET", "/v1/devices?make=City", token=node.admin)["items"] if one["kind"] == "camera"]
    assert told("platform") == cameras and len(cameras) == 1


def test_custodians_of_critical_use_cases(node):
    """REQ: TEC-3.2-p3-i: a device of such a kind registers with a custodian verified to the level that is set, and with no other; nor does it come to
    one later."""
    door, numbers = node.door(), {}
    for account, level in (("low", 1), ("high", 2)):
        numbers[account] = node.good("POST", "/v1/custodians", {"account": account, "state": "verified", "verifier": "desk", "level": level,
                                                                "impis": [IMPI]}, node.agency, 201)["id"]
    pump = phone(kind="medical")
    for custodian in ({}, {"custodian": "low"}):
        status, problem = door.ask("POST", "/register", {**pump, **custodian})
        assert status == 403 and "higher degree" in json.dumps(problem), problem
    assert node.good("GET", "/v1/devices?make=Acme", token=node.admin)["items"] == []
    status, ack = door.ask("POST", "/register", {**pump, "custodian": "high"})
    assert status == 201 and door.ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": ack["serial"]})[0] == 200
    number = node.good("GET", "/v1/devices?regdevid=" + ack["regdevid"], token=node.admin)["items"][0]["id"]
    assert node.call("POST", "/v1/devices/%d/transfer" % number, {"account": "low"}, node.agency)[0] == 403
    assert node.patch("/v1/devices/%d" % number, {"custodian": numbers["low"]}, node.agency) == 403
    assert node.good("GET", "/v1/devices/%d" % number, token=node.admin)["custodian"] == numbers["high"]
    other = phone()
    status, ack = door.ask("POST", "/register", {**other, "custodian": "low"})  # of any other kind it may be
    assert status == 201, ack
