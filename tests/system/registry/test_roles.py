# SPDX-License-Identifier: Apache-2.0
"""Every operation of the API with every role, and what the registry publishes of whom it accepts."""
import json
import re

import pytest
import registrylab
from telllab import TellNode
from test_door import phone

from peers import jose

SEED = b"\x51" * 32
ROLES = ("admin", "privacy", "bulk", "agency", "maker", "custodian", "enquirer", "registrar", "certifier", "provider")
# What doc/registry.md says that roles may do: of each operation all that may, and nobody else.
MAY = {
    ("POST", "/v1/tokens"): "admin privacy", ("GET", "/v1/credentials"): "admin privacy", ("POST", "/v1/credentials/{id}/revoke"): "admin privacy",
    ("POST", "/v1/questions/bulk"): "bulk", ("POST", "/v1/overrides"): "admin privacy agency",
    ("POST", "/v1/overrides/{id}/approve"): "admin privacy agency", ("POST", "/v1/devices"): "admin privacy bulk agency registrar",
    ("POST", "/v1/devices/import"): "admin privacy bulk agency registrar", ("POST", "/v1/custodians"): "admin privacy bulk agency",
    ("POST", "/v1/vulnerabilities"): "admin privacy agency maker custodian",
    ("POST", "/v1/subscriptions"): "admin privacy agency maker custodian enquirer",
    ("GET", "/v1/subscriptions/{id}/events"): "admin privacy agency maker custodian enquirer",
    ("POST", "/v1/subscriptions/{id}/discard"): "admin privacy agency maker custodian enquirer",
    ("POST", "/v1/parties"): "admin privacy bulk agency registrar", ("POST", "/v1/parties/{id}/approve"): "admin privacy agency registrar",
    ("POST", "/v1/certifications"): "admin privacy bulk agency certifier",
    ("POST", "/v1/certifications/{id}/revoke"): "admin privacy agency certifier",
    ("POST", "/v1/endpoints"): "admin privacy bulk agency provider", ("POST", "/v1/endpoints/import"): "admin privacy bulk agency provider",
    ("GET", "/v1/endpoints"): "admin privacy bulk agency provider", ("POST", "/v1/units"): "admin privacy bulk agency maker",
    ("POST", "/v1/units/import"): "admin privacy bulk agency maker", ("POST", "/v1/interrogations"): "enquirer", ("GET", "/v1/self"): " ".join(ROLES),
}
OPEN = {("GET", "/openapi.json"), ("GET", "/problems"), ("GET", "/v1/ca/crl"), ("GET", "/v1/ca/certificate"),
        ("GET", "/.well-known/gba-registry"), ("GET", "/.well-known/jwks.json"), ("GET", "/practice-statement"),
        ("GET", "/v1/log/head"), ("POST", "/v1/log/consistency"), ("POST", "/v1/enquirer-registrations"), ("POST", "/v1/party-registrations"), ("POST", "/v1/challenges"),
        ("POST", "/v1/sessions")}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with TellNode(tmp_path_factory.mktemp("roles") / "realm", trace=False) as realm:
        realm.begin(api_open_rate=100000)
        maker = realm.good("POST", "/v1/makers", {"name": "Acme"}, realm.admin, 201)["id"]
        custodian = realm.good("POST", "/v1/custodians", {"account": "asha", "state": "verified", "verifier": "desk"}, realm.admin, 201)["id"]
        owners = {"maker": maker, "custodian": custodian}
        for role, kind in (("registrar", {"kind": "registrar", "sectors": ["energy"]}), ("certifier", {"kind": "certifier"}),
                           ("provider", {"kind": "connectivity-provider"})):
            owners[role] = realm.good("POST", "/v1/parties", dict(kind, name=role), realm.admin, 201)["id"]
        realm.tokens = {role: realm.token(role, owners.get(role, 0)) for role in ROLES if role != "enquirer"}
        realm.tokens["enquirer"] = realm.enquirer(SEED, "asks", rights=["regdevid", "virtual", "identity", "model", "custodian", "details", "device"])[1]
        yield realm
        realm.receiver.server.shutdown()


class Caller(registrylab.Caller):
    def status(self, method, path, operation):
        """With a body that is well-formed and nothing that could be done."""
        head, body, kind = {}, None, None
        if "requestBody" in operation:
            kinds = list(operation["requestBody"]["content"])
            kind = "application/x-ndjson" if "application/x-ndjson" in kinds else kinds[-1] if method == "PATCH" else kinds[0]
            body = "" if "ndjson" in kind else "{}"
        if "If-Match" in [one["name"] for one in operation["parameters"]]:
            head["If-Match"] = "*"
        return self.ask(method, re.sub(r"\{[^}]*\}", "999999999", path), body, kind, **head)[0]


def operations(node):
    document = node.good("GET", "/openapi.json")
    return [(method.upper(), path, operation) for path, methods in document["paths"].items() for method, operation in methods.items()]


def test_every_operation_with_every_role(node):
    """REQ: Y3059-7-i-a, TEC-A2-iv, TEC-3.2.2-0e: known by a credential that is good, and let do what its role may; what the documents say is what is done."""
    listed = operations(node)
    assert len(listed) > 70 and {(method, path) for method, path, _ in listed} >= set(MAY) | OPEN
    gone = node.token("agency")
    last = max(one["id"] for one in node.good("GET", "/v1/credentials?limit=1000", token=node.admin)["items"])
    node.good("POST", "/v1/credentials/%d/revoke" % last, {}, node.admin)
    strangers = [Caller(node, None), Caller(node, gone), Caller(node, "gba_" + "x" * 43)]
    callers = {role: Caller(node, token) for role, token in node.tokens.items()}
    for method, path, operation in listed:
        is_open = operation.get("security") == []
        assert is_open == ((method, path) in OPEN), (method, path)
        for stranger in strangers:
            got = stranger.status(method, path, operation)
            assert (got != 401 or path == "/v1/sessions") if is_open else got == 401, (method, path, got)
        if is_open:
            continue
        for role, caller in callers.items():
            got = caller.status(method, path, operation)
            assert (got not in (401, 403)) if role in operation["x-roles"] else got == 403, (method, path, role, got)
    rows = {(method, path): operation.get("x-roles") for method, path, operation in listed}
    for row, roles in MAY.items():
        assert sorted(rows[row]) == sorted(roles.split()), (row, rows[row])


def test_a_document_of_what_is_there(node):
    """The OpenAPI document names every operation of notification, with bodies that say what they are."""
    document = node.good("GET", "/openapi.json")
    ids = {operation["operationId"] for _, _, operation in operations(node)}
    assert {"pollEvents", "readEvents", "listDeadLetters", "redeliver", "discardDeadLetters", "addSubscription", "listSubscription"} <= ids
    schemas = document["components"]["schemas"]
    for name in ("SetPoll", "Sets", "DeadLetters", "Redelivery", "Discard", "LettersDone"):
        assert schemas[name]["type"] == "object" and schemas[name]["properties"], name
    fields = schemas["Subscription"]["properties"]
    assert fields["method"]["enum"] == ["push", "poll", "stream"] and fields["batch"]["maximum"] == 100 and fields["digest"]["minimum"] == 0

    def refs(part):
        if isinstance(part, dict):
            return [part.get("$ref")] * ("$ref" in part) + [one for value in part.values() for one in refs(value)]
        return [one for value in part for one in refs(value)] if isinstance(part, list) else []

    for ref in refs(document):
        where = document
        for word in ref[2:].split("/"):
            where = where[word]


def test_what_is_accepted_is_published(node):
    """REQ: Y3059-9.1-vi: roots of trust, keys, certificates and protocols; a root of the list is taken, one that is not is refused."""
    told = node.good("GET", "/.well-known/gba-registry")
    assert set(told["accepts"]) == {"devices", "callers", "registries"}
    assert all(part["keys"] and part["protocols"] for part in told["accepts"].values())
    assert not [one for part in told["accepts"].values() for one in part["protocols"] if "1.0" in one or "1.1" in one]
    for root in told["roots_of_trust"]:
        status, answer = node.door().ask("POST", "/register", phone(root_of_trust=root))
        assert status == 201, (root, answer)
    before = node.rows("SELECT count(*) FROM device")
    for root in ("none", "magic", "", "USIM", 7):
        assert root not in told["roots_of_trust"]
        assert node.door().ask("POST", "/register", phone(root_of_trust=root))[0] in (403, 422), root
    assert node.rows("SELECT count(*) FROM device") == before
    node.kill()
    node.more = 'root-of-trust = "grey";\n'
    node.start_api()
    told = node.good("GET", "/.well-known/gba-registry")
    assert "none" in told["roots_of_trust"]
    assert node.door().ask("POST", "/register", phone(root_of_trust="none"))[0] == 201
    key = node.good("GET", "/.well-known/jwks.json")["keys"][0]
    assert jose.unb64(key["x"]) == node.public and json.dumps(key)
