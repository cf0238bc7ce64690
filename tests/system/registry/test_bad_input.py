# SPDX-License-Identifier: Apache-2.0
"""Bad input at every operation of the registry's API, as its own OpenAPI document lists them, and at the devices' door: a precise refusal,
nothing changed in any table, and no answer that tells what exists."""
import json
import re

import pytest
import registrylab
from registrylab import IMPI
from test_api import Node, device
from test_door import OTHER, phone

NOT_JSON = [b"", b"{", b"[1]", b'"x"', b"nul", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff\xfe\x00", b'{"a":"\\ud800"}', b'{"a":"\x00"}', b"[" * 2000,
            b'{"a":' * 2000, b'{"no such member":1}', b'{"a":1}{"a":1}', b'{"a":1e999}', b'{"a":"' + b"x" * 70000 + b'"}']
NO_ID = ["0", "-1", "x", "1.5", "9" * 30, "%00", "%ff", "%2e%2e", "key:", "key:,", "key:imei", "key:%00,%00", "key:" + "x" * 200, "999999"]
NO_QUERY = ["?no-such=1", "?limit=0", "?limit=-1", "?limit=x", "?limit=" + "9" * 30, "?cursor=x", "?limit=1&limit=2", "?%00=1", "?limit=%ff"]
METHODS = ("get", "post", "put", "patch", "delete")


class Caller(registrylab.Caller):
    def refused(self, *words, **head):
        status, problem = self.ask(*words, **head)
        if status == 200 and "/import" in words[1]:  # it tells of each row; nothing was applied
            assert problem["applied"] is False and problem["rejections"], (words, problem)
            return status, problem
        assert 400 <= status < 500, (words, head, status, problem)
        assert problem["status"] == status and problem["title"] and problem["type"], (words, problem)
        return status, problem


@pytest.fixture(scope="module")
def node(tmp_path_factory, server):
    with Node(tmp_path_factory.mktemp("bad") / "realm", trace=False, server=server) as realm:
        realm.start_api("api-open-rate = 100000;\napi-rate = 100000;\napi-burst = 1000000;\nlog-head-interval = 86400;\n")
        realm.tokens = {role: realm.token(role) for role in ("admin", "privacy")}
        root = Caller(realm, realm.tokens["admin"])
        for path, body in (("makers", {"name": "Acme"}), ("makers", {"name": "Other"}), ("models", {"maker": 1, "name": "One", "kind": "phone"}),
                           ("custodians", {"account": "asha", "state": "verified", "verifier": "desk"}), ("custodians", {"account": "ben", "state": "verified", "verifier": "desk"}),
                           ("devices", device(1, custodian=1)), ("devices", device(2, make="Other", custodian=2)),
                           ("applications", {"scheme": "package", "value": "com.example.one", "name": "A", "maker": 1}),
                           ("applications", {"scheme": "package", "value": "com.example.two", "name": "B", "maker": 2}),
                           ("enquirers", {"name": "shop"}), ("overrides", {"device": 1, "status": "black", "reason": "test"}),
                           ("subscriptions", {"name": "all", "method": "poll"}),
                           ("vulnerabilities", {"reference": "V-1", "title": "T", "make": "Acme", "model": "*", "reporter": "lab"}),
                           ("vulnerabilities", {"reference": "V-2", "title": "T", "make": "Other", "model": "*", "reporter": "lab"})):
            status, answer = root.ask("POST", "/v1/" + path, json.dumps(body))
            assert status == 201, (path, answer)
        for role in ("maker", "custodian"):
            realm.tokens[role] = realm.token(role, 1)
        realm.operations = [(method, path, operation) for path, methods in root.ask("GET", "/openapi.json")[1]["paths"].items()
                            for method, operation in methods.items() if method in METHODS]
        assert len(realm.operations) > 90
        if server:  # most is refused before the database is asked
            realm.operations = realm.operations[1::4]
        yield realm


@pytest.fixture
def root(node):
    return Caller(node, node.tokens["privacy"])


def path_of(path, one="1"):
    return re.sub(r"\{[a-z]+\}", one, path)


def bodies(operation):
    """Each of the operation's media types, and one it does not take."""
    kinds = operation.get("requestBody", {}).get("content", {})
    return list(kinds) or ["application/json"]


def test_bad_bodies(node, root):
    before = node.store.dump()
    for method, path, operation in node.operations:
        if method in ("get", "delete"):
            continue
        for kind in bodies(operation):
            for body in NOT_JSON:
                if path.endswith("/poll") and b"no such" in body:
                    continue  # members that RFC 8936 does not know are passed over
                if body or ("requestBody" in operation and not path.endswith("/import")):
                    root.refused(method, path_of(path), body, kind, **{"If-Match": "*"})
        if "requestBody" in operation:
            assert root.refused(method, path_of(path), b"<a/>", "text/xml", **{"If-Match": "*"})[0] in (403, 415)
    assert node.store.dump() == before


def test_bad_members(node, root):
    """Each member that an operation takes, as another type than it is."""
    document = root.ask("GET", "/openapi.json")[1]
    before, tried = node.store.dump(), 0
    for method, path, operation in node.operations:
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        for member in schema.get("properties", {}):
            for wrong in ([[{}]], {"x": [1]}, -1.5, 2 ** 63, "\u0001\n"):
                if path.endswith("/poll"):
                    continue  # takes more than it looks at (RFC 8936 2.2): test_tell.py
                root.refused(method, path_of(path), json.dumps({member: wrong}), **{"If-Match": "*"})
                tried += 1
    assert tried > 100 and node.store.dump() == before


def test_bad_names_and_queries(node, root):
    before = node.store.dump()
    for method, path, operation in node.operations:
        body = "{}" if "requestBody" in operation and method != "get" else None
        if "{" in path:
            for one in NO_ID:
                if "{index}" not in path or one != "0":
                    root.refused(method, path_of(path, one), body, **{"If-Match": "*"})
        elif method == "get" and path.startswith("/v1/"):
            for query in NO_QUERY:
                status, problem = root.ask(method, path + query)
                assert 400 <= status < 500 and problem["status"] == status, (path, query, problem)
        if method == "get":  # what is no UTF-8 is refused as the document says, by either store
            place = path.replace("{status}", "black").replace("{id}", "1").replace("{index}", "0")
            odd = [path_of(path, "%ff")] if "{" in path else []
            odd += [place + "?%s=%%ff" % p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
            for target in odd:
                status, problem = root.ask(method, target)
                assert 400 <= status < 500 and str(status) in operation["responses"], (target, status, problem)
    assert root.refused("GET", "/v1/nothing")[0] == 404
    assert root.refused("DELETE", "/v1/makers")[0] == 405
    assert node.store.dump() == before


def test_who_has_no_credential(node):
    before = node.store.dump()
    for token in (None, "x", "gba_" + "A" * 43, "gba_" + "A" * 5000):
        nobody = Caller(node, token)
        for method, path, operation in node.operations:
            if operation.get("security") != []:
                body = "{}" if "requestBody" in operation else None
                assert nobody.refused(method, path_of(path), body)[0] == 401, (method, path)
    assert node.store.dump() == before


def test_what_is_another_s_and_what_is_not_there_look_the_same(node):
    """A maker and a custodian: record 2 is somebody else's, 999999 nobody's."""
    before = node.store.dump()
    for role in ("maker", "custodian"):
        caller = Caller(node, node.tokens[role])
        for method, path, operation in node.operations:
            kind = path.split("/")[2] if path.count("/") > 2 else ""
            if "{id}" not in path or kind not in ("makers", "custodians", "devices", "applications", "vulnerabilities"):
                continue
            if kind == "makers" and method == "get" and role == "custodian":
                continue  # makers are everybody's to read
            if kind == "applications" and method == "get":
                continue  # and so are applications
            body = "{}" if "requestBody" in operation else None
            told = [caller.ask(method, path_of(path, one), body, **{"If-Match": '"7"'}) for one in ("2", "999999")]
            blank = [(status, re.sub(r'\b(2|999999)\b|"instance": "[0-9a-f]*"', "N", json.dumps(answer))) for status, answer in told]
            assert blank[0] == blank[1] and blank[0][0] in (403, 404), (role, method, path, told)
    assert node.store.dump() == before


DOOR = [("POST", "/register"), ("PUT", "/set"), ("POST", "/report"), ("POST", "/virtual"), ("POST", "/answer"), ("GET", "/device"), ("GET", "/challenges")]

NEEDS = {"/register": ("scheme", "identity", "make", "model", "root_of_trust"), "/set": ("regdevid", "serial"),
         "/report": ("regdevid", "seq", "cause"), "/virtual": ("regdevid", "kind", "seconds"), "/answer": ("regdevid", "challenge", "firmware")}


def test_bad_input_at_the_devices_door(node):
    door = node.door()
    ack = door.ask("POST", "/register", phone())[1]
    mine = {"regdevid": ack["regdevid"], "serial": ack["serial"]}
    assert door.ask("PUT", "/set", mine)[0] == 200
    good = dict(phone(), regdevid=ack["regdevid"], serial=ack["serial"], seq=2, cause="periodic", kind="timed", seconds=60, challenge="x")
    before = node.store.dump()
    for method, path in DOOR:
        if method == "GET":
            for query in ("", "?regdevid=", "?regdevid=x", "?regdevid=%00", "?regdevid=" + "x" * 3000, "?x=1"):
                status, problem = door.ask(method, path + query)
                assert 400 <= status < 500 and problem["status"] == status, (path, query, problem)
            continue
        for body in NOT_JSON:
            if b"\x00" in body or b"\xff" in body or len(body) > 16384:
                continue  # below
            status, problem = door.ask(method, path, body.decode("latin-1"))
            assert 400 <= status < 500 and problem["status"] == status, (path, body, problem)
        for member in ("regdevid", "serial", "seq", "cause", "kind", "seconds", "audience", "challenge", "scheme", "identity", "firmware"):
            for wrong in ([[{}]], {"x": 1}, -1.5, 2 ** 63, "\u0001\n", None, True):
                if member == "firmware" and wrong is None:
                    continue  # as good as not said
                said = dict({key: value for key, value in good.items() if key in NEEDS[path]}, **{member: wrong})
                status, problem = door.ask(method, path, said)
                assert 400 <= status < 500 and problem["status"] == status, (path, member, wrong, problem)
        assert door.ask(method, path, "x" * 16385)[0] == 413
    assert node.store.dump() == before


def test_the_door_does_not_tell_whose_a_device_is(node):
    """Another subscription's RegDevID and one that nobody has: the same answer at every operation."""
    door = node.door()
    ack = door.ask("POST", "/register", phone())[1]
    before = node.store.dump()
    none = ack["regdevid"][:-2] + ("AA" if ack["regdevid"][-2:] != "AA" else "BB")
    for method, path in DOOR[1:]:
        told = []
        for name in (ack["regdevid"], none):
            body = {"regdevid": name, "serial": ack["serial"], "seq": 2, "cause": "periodic", "kind": "timed", "seconds": 60, "challenge": "x",
                    "firmware": "1"}
            keep = NEEDS.get(path)
            told.append(door.ask(method, path, {key: body[key] for key in keep}, OTHER) if keep else
                        door.ask(method, "%s?regdevid=%s" % (path, name), impi=OTHER))
        assert told[0] == told[1] and told[0][0] == 404, (path, told)
    assert door.ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": ack["serial"]}, IMPI)[0] == 200  # its own
    assert before != node.store.dump()
