# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document the node serves, held against what the node does: every operation, every body, every bound."""
import json

import jsonschema
import pytest

import apilab

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document(api):
    return json.loads(apilab.Caller(api).get("/openapi.json").body)


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert method in METHODS
            yield method.upper(), path, operation


def resolved(document, schema):
    """A schema with the components it refers to beside it."""
    return dict(schema, components=document["components"])


def check(document, operation, answer):
    """Is the answer one the document declares, with a body of its schema?"""
    declared = operation["responses"].get(str(answer.status))
    assert declared is not None, "%s: %d is not declared: %r" % (operation["operationId"], answer.status, answer)
    if "$ref" in declared:
        declared = document["components"]["responses"][declared["$ref"].rsplit("/", 1)[1]]
    if "content" not in declared:
        assert answer.body == b"", operation["operationId"]
        return
    media = answer.headers["content-type"].split(";")[0]
    assert media in declared["content"], "%s: %s" % (operation["operationId"], media)
    if media.endswith("json"):
        jsonschema.Draft202012Validator(resolved(document, declared["content"][media]["schema"])).validate(answer.json())


def place(path, records):
    """The path of a record that is there."""
    for name, record in records.items():
        path = path.replace("/v1/%s/{id}" % name, "/v1/%s/%s" % (name, record))
    return path.replace("{id}", "1")


@pytest.fixture(scope="module")
def world(api, admin):
    """One record of every kind, by path."""
    impi = api.subscriber("contract@lab.test")
    person, _ = apilab.user(admin, api, "contract")
    owner, caller = apilab.asp(admin, api, "U72200KA2011PTC060010", "Contract Ltd", notice_drop="contract", names=["contract.example"])
    app = caller.post("/v1/applications", {"asp": owner["id"], "type": "fqdn", "identity": "contract.example", "name": "C",
                                           "published": True}).json()
    thing = apilab.device(admin, impi, person["id"], 77)
    other = api.subscriber("contract2@lab.test")
    apilab.device(admin, other, person["id"], 78)
    access = admin.post("/v1/permissions", {"impi": impi, "application": app["id"]}).json()
    lent = admin.post("/v1/delegations", {"permission": access["id"], "to_impi": other, "valid_until": "2040-01-01T00:00:00Z"}).json()
    wish = admin.post("/v1/requests", {"custodian": person["id"], "impi": impi, "application": app["id"], "consent": False}).json()
    name = admin.post("/v1/user-identities", {"custodian": person["id"], "type": "msisdn", "value": "919900000001"}).json()
    found = {"users": person["id"], "asps": owner["id"], "applications": app["id"], "devices": thing["id"], "permissions": access["id"],
             "delegations": lent["id"], "requests": wish["id"], "user-identities": name["id"]}
    for path in ("verifications", "authentications", "credentials", "device-identities", "notices", "realm"):
        items = admin.get("/v1/%s?limit=1000" % path).json()["items"]
        found[path] = items[-1]["id"] if items else 1
    return found


def test_the_document_is_openapi(document):
    """REQ: Y3056-9.2.2-6, Y3056-9.2.2-10"""
    assert document["openapi"].startswith("3.1.")
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names)) and len(names) > 60
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for method, path, operation in operations(document):
        assert ("{id}" in path) == any(p["in"] == "path" for p in operation["parameters"]), path
        assert "400" in operation["responses"] and "503" in operation["responses"]
        assert ("requestBody" in operation) <= (method in ("POST", "PUT", "PATCH"))
    for noun in ("applications", "asps", "permissions", "delegations"):
        assert {"get", "post"} <= set(document["paths"]["/v1/" + noun])
        assert {"get", "patch", "delete"} <= set(document["paths"]["/v1/%s/{id}" % noun])


def test_reads_answer_as_declared(document, world, admin):
    for method, path, operation in operations(document):
        if method != "GET":
            continue
        answer = admin.call(method, place(path, world))
        check(document, operation, answer)
        assert answer.status in (200, 404) or (path.endswith("webhook-key") and answer.status == 403), (path, answer)
        if "{id}" in path:
            gone = admin.call(method, path.replace("{id}", "999999999"))
            check(document, operation, gone)
            assert gone.status in (404, 403)
        head = admin.call("HEAD", place(path, world))
        if head.status != answer.status:  # a notice that has been delivered in between
            answer = admin.call(method, place(path, world))
        assert head.status == answer.status and head.body == b""


def test_bodies_that_are_none_are_refused_everywhere(document, world, admin):
    """Not JSON, another media type, an undeclared member, no object: each with its own problem."""
    for method, path, operation in operations(document):
        if "requestBody" not in operation or operation["operationId"] in ("acceptInvitation",):
            continue
        where, lines = place(path, world), "application/x-ndjson" in operation["requestBody"]["content"]
        kind = "application/x-ndjson" if lines else "application/json"
        tag = {"If-Match": "*", "Content-Type": kind}
        got = admin.call(method, where, headers={"If-Match": "*", "Content-Type": "text/plain"}, raw=b"{}")
        check(document, operation, got)
        assert got.status == 415, (path, got)
        if lines:
            report = admin.call(method, where + "?mode=rows", headers=tag, raw=b'{"undeclared": 1}\n[]\nnothing\n')
            check(document, operation, report)
            assert [r["row"] for r in report.json()["rejections"]] == [1, 2, 3]
            continue
        for raw, want in ((b"{", 400), (b'{"a":1,"a":2}', 400), (b"[]", 422), (b'{"undeclared": 1}', 422), (b"", 400)):
            got = admin.call(method, where, headers=tag, raw=raw)
            check(document, operation, got)
            assert got.status == want or got.status == 404, (path, raw, got)
            if raw == b'{"undeclared": 1}' and got.status == 422:
                assert any(e["pointer"] == "/undeclared" for e in got.json()["errors"]), got


WRONG = {"integer": ["x", 1.5, True], "boolean": ["true", 1], "string": [5, True, {}], "array": ["x", {}]}


def faults(schema):
    """Values that break one rule of a member's schema each."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kind = kinds[0]
    yield from WRONG[kind]
    if "null" not in kinds:
        yield None
    if "maximum" in schema and schema["maximum"] < 2**63 - 1:
        yield schema["maximum"] + 1
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "enum" in schema:
        yield "no such word"
    if "maxLength" in schema:
        yield "a" * (schema["maxLength"] + 1)
        yield "\u00e9" * (schema["x-maxOctets"] // 2 + 1)  # octets of UTF-8 are what is bounded
        yield from ("a\x07b" + "c" * 30, "\x1b[2J" + "c" * 30, "a\x7fb" + "c" * 30)
    if schema.get("minLength", 0) > 0:
        yield ""
    if kind == "array":
        yield ["a"] * (schema["maxItems"] + 1)
        yield [5]
        yield ["a\x07b" + "c" * 30]
        if "maxLength" in schema["items"]:
            yield ["a" * (schema["items"]["maxLength"] + 1)]
    if schema.get("format") == "date-time":
        yield from ("tomorrow", "2031-13-01T00:00:00Z")


def test_every_member_has_bounds_and_a_precise_error(document, world, admin):
    """Each rule of each member, broken by itself: 422, and the pointer names the member."""
    count = 0
    for method, path, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content or operation["operationId"] in ("acceptInvitation",):
            continue
        name = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        schema = document["components"]["schemas"][name]
        assert schema["additionalProperties"] is False, name
        for member, rule in schema["properties"].items():
            for value in faults(rule):
                got = admin.call(method, place(path, world), {member: value}, headers={"If-Match": "*"})
                if got.status == 404:
                    continue
                assert got.status == 422, (path, member, value, got)
                pointers = [e["pointer"] for e in got.json()["errors"]]
                assert any(p == "/" + member or p.startswith("/" + member + "/") for p in pointers), (path, member, value, got)
                count += 1
    assert count > 500


def test_every_row_of_an_import_is_held_against_the_same_bounds(document, world, admin):
    """Each fault of each member in a row of its own: each row is reported, with its number and the member."""
    kinds = 0
    for method, path, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/x-ndjson" not in content:
            continue
        kinds += 1
        schema = document["components"]["schemas"][content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
                                                   if "application/json" in content else row_schema(document, path)]
        rows = [(member, value) for member, rule in schema["properties"].items() for value in faults(rule)]
        raw = "".join(json.dumps({member: value}) + "\n" for member, value in rows).encode()
        for mode in ("all", "rows"):
            report = admin.call(method, "%s?mode=%s" % (path, mode), raw=raw, headers={"Content-Type": "application/x-ndjson"}, want=200).json()
            assert (report["added"], report["rejected"], report["complete"]) == (0, len(rows), True), path
            for number, ((member, value), rejection) in enumerate(zip(rows, report["rejections"]), 1):
                pointers = [e["pointer"] for e in rejection["errors"]]
                assert rejection["row"] == number, (path, rejection)
                assert any(p == "/" + member or p.startswith("/" + member + "/") for p in pointers), (path, member, value, rejection)
    assert kinds > 8


def row_schema(document, path):
    """Of the kind's own POST."""
    body = document["paths"][path[:-len("/import")]]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return body["$ref"].rsplit("/", 1)[1]


def test_every_text_has_an_upper_bound(document):
    """No member, parameter or list without one."""
    def bounded(schema):
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if "string" in kinds:
            return "enum" in schema or schema.get("format") == "date-time" or schema["maxLength"] > 0
        if "integer" in kinds:
            return "minimum" in schema
        return kinds[0] != "array" or ("maxItems" in schema and bounded(schema["items"]))

    for method, path, operation in operations(document):
        for parameter in operation["parameters"]:
            assert "$ref" in parameter or bounded(parameter["schema"]), (method, path, parameter)
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            name = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            for member, rule in document["components"]["schemas"][name]["properties"].items():
                assert bounded(rule), (name, member)


def test_an_invitation_survives_what_is_refused(document, api):
    invited = apilab.Caller(api, api.invite())
    schema = document["components"]["schemas"]["Invitation"]
    for member, rule in schema["properties"].items():
        for value in faults(rule):
            got = invited.call("POST", "/v1/invitation", {"name": "ok", member: value}, want=422).json()
            assert [e["pointer"] for e in got["errors"]] == ["/" + member], (member, value, got)
    invited.call("POST", "/v1/invitation", {"name": "after-all"}, want=201)


def test_text_that_is_none(admin):
    """What no JSON text may hold, or only half of a character: refused as a whole, with its place."""
    for raw in (b'{"name": "a\x01b"}', b'{"name": "a\\u0000b"}', b'{"name": "\\ud800"}', b'{"name": "\xff"}', b'{"name": "\xc0\x80"}',
                b'{"name": "\xed\xa0\x80"}', b'{"level": 1e400}', b'{"level": 99999999999999999999}', b'{"name": NaN}', b'{"name": "a"} {}'):
        got = admin.call("POST", "/v1/verifications", raw=raw, headers={"Content-Type": "application/json"})
        assert got.status == 400 and got.json()["code"] == "json" and "column" in got.json()["detail"], (raw, got)


def test_several_members_at_fault_are_all_named(admin):
    got = admin.post("/v1/asps", {"type": "cin", "name": "", "contact": "nobody", "colour": "red"}, want=422).json()
    assert {e["pointer"] for e in got["errors"]} == {"/identity", "/name", "/contact", "/colour"}
    assert got["type"] == "/problems#fields" and got["status"] == 422 and got["instance"]


def test_methods_media_types_and_queries(document, admin, api):
    got = admin.call("PATCH", "/v1/users")
    assert got.status == 405 and {"GET", "HEAD", "POST"} <= set(got.headers["allow"].split(", "))
    assert admin.call("GET", "/v1/users", headers={"Accept": "text/html"}).status == 406
    assert admin.call("GET", "/v1/users", headers={"Accept": "application/*;q=0.1"}).status == 200
    for query in ("limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "cursor=-1", "cursor=x", "nothing=1", "fields=nothing", "fields=", "fields=id,,name",
                  "limit=%00"):
        assert admin.call("GET", "/v1/users?" + query).status == 400, query
    assert admin.call("GET", "/v1/nowhere").status == 404
    for number in ("0", "01", "-1", "x", "9" * 30, "key:", "key:a,b,c", "1;2"):
        for path in ("users", "requests", "asps"):
            assert admin.call("GET", "/v1/%s/%s" % (path, number)).status == 404, (path, number)
    assert admin.call("GET", "/v1/users/%zz").status == 400
    assert admin.call("GET", "/v1/users", raw=b"body").status == 400
    got = admin.announce("/v1/asps", 65537)
    assert got.status == 413 and got.json()["status"] == 413
    deep = b'{"a":' * 20 + b"1" + b"}" * 20
    assert admin.call("POST", "/v1/asps", raw=deep, headers={"Content-Type": "application/json"}).status == 400
