# SPDX-License-Identifier: Apache-2.0
"""Interrogation (Y.3059 9.3) through the API of a running registry: python's HTTPS client asks, openssl checks who signed, the recursive
definition of RFC 9162 checks that the answer stands in the log."""
import contextlib
import hashlib
import http.client
import json
import os
import re
import ssl
import subprocess
import time

import pytest
from registrylab import RegistryRealm

from peers import jose, merkle, regdevid

ADMIN, BOB, AGENCY, BULK, MAKER, CUSTODIAN = ("gba_%s" % (c * 43) for c in "abcdef")
SEED, STRANGER = b"\x01" * 32, b"\x02" * 32
IMEI = "490154203237518"
PRACTICE = "How this registry works.\nIt keeps what it says.\n"


class Api:
    def __init__(self, realm):
        self.realm = realm
        self.address = (realm.address("registry"), 8443)
        self.context = ssl.create_default_context(cafile=realm.path("api.pem"))
        self.context.check_hostname = False

    def call(self, method, path, body=None, token=None, headers=()):
        connection = http.client.HTTPSConnection(*self.address, context=self.context, timeout=30)
        with contextlib.closing(connection):
            sent = dict(headers)
            if token:
                sent["Authorization"] = "Bearer " + token
            if body is not None:
                sent.setdefault("Content-Type", "application/merge-patch+json" if method == "PATCH" else "application/json")
            connection.request(method, path, json.dumps(body) if body is not None else None, sent)
            answer = connection.getresponse()
            text = answer.read()
            kind = answer.getheader("Content-Type", "")
            return answer.status, json.loads(text) if "json" in kind and text else text.decode()

    def good(self, method, path, body=None, token=ADMIN, want=200):
        status, answer = self.call(method, path, body, token)
        assert status == want, (method, path, status, answer)
        return answer

    def add(self, path, body, token=ADMIN):
        return self.good("POST", "/v1/" + path, body, token, 201)

    def change(self, path, body, token=ADMIN):
        status, answer = self.call("PATCH", "/v1/" + path, body, token, {"If-Match": "*"})
        assert status == 200, (path, status, answer)
        return answer

    def public(self):
        return bytes.fromhex(self.good("GET", "/.well-known/gba-registry", token=None)["public_key"])

    def challenge(self, seed):
        return self.good("POST", "/v1/challenges", {"public_key": jose.public_of(seed).hex()}, None, 201)

    def sign(self, seed, challenge):
        said = "gba-registry-challenge %s %s" % (challenge["reg_id"], challenge["challenge"])
        return {"challenge": challenge["challenge"], "signature": jose.sign(seed, said.encode()).hex()}

    def session(self, seed):
        return self.good("POST", "/v1/sessions", self.sign(seed, self.challenge(seed)), None, 201)["token"]

    def ask(self, token, want=200, **question):
        status, answer = self.call("POST", "/v1/questions", question, token)
        assert status == want, (question, status, answer)
        return self.check(answer) if want == 200 else answer

    def check(self, answer):
        """The payload of an answer that holds: signature, place in the log, signed head."""
        header, payload = jose.read(answer["answer"], self.public())
        assert header["typ"] == "registry-answer+jws"
        receipt = answer["receipt"]
        typ, head = jose.read(receipt["head"], self.public())
        assert typ["typ"] == "gba-tree-head+jws"
        head = json.loads(head)
        entry = json.loads(receipt["entry"])
        assert entry["detail"]["answer"] == hashlib.sha256(answer["answer"].encode()).hexdigest()
        assert entry["index"] == receipt["index"]
        path = [bytes.fromhex(text) for text in receipt["path"]]
        assert merkle.root_from_path(merkle.leaf_hash(receipt["entry"].encode()), receipt["index"], head["size"], path).hex() == head["root"]
        return json.loads(payload)


def certificate(realm):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    realm.path("api.key"), "-out", realm.path("api.pem"), "-days", "2", "-subj", "/CN=registry", "-addext",
                    "subjectAltName=IP:%s" % realm.address("registry")], check=True, capture_output=True)


def credentials(realm):
    """As gba-ctl registry credential add would."""
    for token, role, owner, name in ((ADMIN, 0, 0, "alice"), (BOB, 0, 0, "bob"), (AGENCY, 3, 0, "ntc"), (BULK, 2, 0, "bulk"),
                                     (MAKER, 4, 1, "acme"), (CUSTODIAN, 5, 1, "asha")):
        realm.change("INSERT INTO credential (rev, created, changed, owner_type, owner, name, type, hash, expires, revoked)"
                     " VALUES (1, 0, 0, ?, ?, ?, 1, ?, 0, 0)", role, owner, name, hashlib.sha256(token.encode()).hexdigest())


@pytest.fixture(scope="module", name="api")
def api_of_module(tmp_path_factory, server):
    with RegistryRealm(tmp_path_factory.mktemp("ask") / "realm", trace=False, server=server) as realm:
        certificate(realm)
        with open(realm.path("practice.txt"), "w", encoding="utf-8") as out:
            out.write(PRACTICE)
        realm.start_registry(extra='api-listen = "%s:8443";\napi-cert = "%s";\napi-key = "%s";\npractice-statement = "%s";\n'
                                   'api-open-rate = 1000;\nlog-head-interval = 1;\nfour-eyes = true;\n'
                                   'trqp-authority = "https://registry.example/in1";\n'
                             % (realm.address("registry"), realm.path("api.pem"), realm.path("api.key"), realm.path("practice.txt")))
        credentials(realm)
        api = Api(realm)
        api.add("custodians", {"account": "asha", "state": "verified", "verifier": "desk", "name": "Asha Rao"})
        api.add("makers", {"name": "Acme", "policy_url": "https://acme.example/security"})
        api.device = api.add("devices", {"scheme": "imei", "identity": IMEI, "make": "Acme", "model": "M1", "firmware": "1.2",
                                         "root_of_trust": "usim", "custodian": 1, "communication": ["lte-m", "nb-iot"]})
        for imei in ("356938035643809", "352099001761481"):
            api.add("devices", {"scheme": "imei", "identity": imei, "make": "Acme", "model": "M2"})
        realm.change("UPDATE device SET state = 2 WHERE id = 1")
        yield api


@pytest.fixture(scope="module", name="enquirer")
def enquirer_of_module(api):
    """Registered, approved, with a session."""
    asked = {"name": "shop", "organisation": "Shop", "contact": "a@shop.example", "use_case": "second-hand phones",
             "public_key": jose.public_of(SEED).hex()}
    assert api.good("POST", "/v1/enquirer-registrations", asked, None, 202) == {"state": "requested"}
    assert api.good("POST", "/v1/enquirer-registrations", asked, None, 202) == {"state": "requested"}  # known or not: the same
    assert api.call("POST", "/v1/sessions", api.sign(SEED, api.challenge(SEED)))[0] == 401  # not approved
    api.change("enquirers/1", {"state": "approved", "rights": ["regdevid", "identity"]})
    return api.session(SEED)


def test_published(api):
    """REQ: Y3059-9.3-i-b"""
    told = api.good("GET", "/.well-known/gba-registry", token=None)
    assert told["reg_id"] == "IN1" and told["type"] == "primary" and "usim" in told["roots_of_trust"]
    assert "none" not in told["roots_of_trust"]
    assert told["practice_statement"]["version"] == hashlib.sha256(PRACTICE.encode()).hexdigest()
    assert "severity >= critical: black" in told["rules"]
    page = api.good("GET", told["practice_statement"]["url"], token=None)
    assert "It keeps what it says." in page and told["practice_statement"]["version"] in page
    key = api.good("GET", "/.well-known/jwks.json", token=None)["keys"][0]
    assert jose.unb64(key["x"]) == api.public() and key["crv"] == "Ed25519" and key["alg"] == "EdDSA"
    document = api.good("GET", "/openapi.json", token=None)
    for path, methods in document["paths"].items():  # each {name} is a parameter (OpenAPI 3.1 4.8.12.1)
        for operation in methods.values():
            assert re.findall("{(.*?)}", path) == [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"], path
    assert {"/v1/questions", "/v1/devices/{id}/status", "/v1/vulnerabilities", "/v1/overrides/{id}/approve"} <= set(document["paths"])


def test_nobody_is_answered_before_the_challenge(api, enquirer):
    """REQ: Y3059-9.3-i-a"""
    question = {"by": "regdevid", "value": api.device["regdevid"]}
    assert api.call("POST", "/v1/questions", question)[0] == 401
    assert api.call("POST", "/v1/questions", question, "gba_" + "z" * 43)[0] == 401
    assert api.ask(enquirer, **question)["results"][0]["subject"] == question["value"]
    signed = api.sign(SEED, api.challenge(SEED))
    api.good("POST", "/v1/sessions", signed, None, 201)
    replayed = api.call("POST", "/v1/sessions", signed)
    assert replayed[0] == 401
    wrong = [api.sign(STRANGER, api.challenge(SEED)), api.sign(STRANGER, api.challenge(STRANGER)),
             {"challenge": "00" * 32, "signature": "00" * 64}, {**api.sign(SEED, api.challenge(SEED)), "signature": "00" * 64}]
    for one in wrong:  # another's key, an unknown key, no challenge, no signature: the same answer
        status, problem = api.call("POST", "/v1/sessions", one)
        assert status == 401 and {k: v for k, v in problem.items() if k != "instance"} == \
            {k: v for k, v in replayed[1].items() if k != "instance"}
    spoilt = api.challenge(SEED)
    assert api.call("POST", "/v1/sessions", {**api.sign(SEED, spoilt), "signature": "11" * 64})[0] == 401
    assert api.call("POST", "/v1/sessions", api.sign(SEED, spoilt))[0] == 401  # a wrong answer uses it up


def test_a_token_does_not_do_for_an_enquirer(api, enquirer):
    token = "gba_" + "t" * 43
    api.add("credentials", {"owner_type": "enquirer", "owner": 1, "name": "t", "type": "token",
                            "hash": hashlib.sha256(token.encode()).hexdigest()})
    assert api.call("POST", "/v1/questions", {"by": "regdevid", "value": "x"}, token)[0] == 401


def test_signed_answers_and_their_proof(api, enquirer, tmp_path):
    """REQ: Y3059-9.3-ii-c, Y3059-7-i-c"""
    regdevid = api.device["regdevid"]
    answer = api.good("POST", "/v1/questions", {"by": "regdevid", "value": regdevid, "nonce": "n-1"}, enquirer)
    payload = api.check(answer)
    assert payload["question"]["nonce"] == "n-1" and payload["iss"] == "IN1" and payload["aud"] == "enquirer:1"
    assert payload["results"] == [{"subject": regdevid, "status": "grey"}]
    kept = tmp_path / "answer"
    kept.write_text(json.dumps(answer))
    verify = [api.realm.tree.program("gba-ctl"), "registry", "audit", "verify", "--offline", "--public", api.public().hex(), str(kept)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 and "log: IN1" in done.stdout, done.stderr
    other = api.good("POST", "/v1/questions", {"by": "regdevid", "value": regdevid, "nonce": "n-2"}, enquirer)
    kept.write_text(json.dumps({**answer, "answer": other["answer"]}))  # both are good, but not of each other
    assert subprocess.run(verify, capture_output=True, check=False, timeout=60).returncode == 6
    proof = api.good("GET", "/v1/log/proofs/%d" % answer["receipt"]["index"], None, enquirer)
    assert proof["entry"] == answer["receipt"]["entry"]
    assert api.call("GET", "/v1/log/proofs/0", None, enquirer)[0] == 404  # another's


def test_an_enquirer_cannot_tell_what_exists(api, enquirer):
    """The same members and the same way for a device that is known and Grey, and for one that is not."""
    known = api.ask(enquirer, by="identity", scheme="imei", value="356938035643809")
    unknown = api.ask(enquirer, by="identity", scheme="imei", value="353918057991685")
    assert [set(r) for r in known["results"]] == [set(r) for r in unknown["results"]] == [{"subject", "status"}]
    assert known["results"][0]["status"] == unknown["results"][0]["status"] == "grey"
    assert set(known) == set(unknown)
    assert api.ask(enquirer, want=422, by="identity", scheme="imei", value="353918057991686")  # the check digit says nothing of us
    assert api.ask(enquirer, want=422, by="identity", scheme="nose", value="1")
    # what is signed says nothing of a time to come
    assert api.ask(enquirer, want=422, by="identity", scheme="imei", value="356938035643809", at="2099-01-01T00:00:00Z")


@pytest.mark.parametrize("question", [{"by": "model", "make": "Acme"}, {"by": "custodian", "value": "asha"}, {"by": "virtual", "value": "x"},
                                      {"by": "capability", "value": "lte-m"}, {"by": "status", "value": "white"}])
def test_each_key_has_its_right(api, enquirer, question):
    api.ask(enquirer, want=403, **question)


def test_by_make_model_capability_status_and_ownership(api):
    """REQ: Y3059-8.1-2"""
    own = api.device["regdevid"]
    assert len(api.ask(AGENCY, by="model", make="Acme")["results"]) == 3
    assert len(api.ask(AGENCY, by="model", make="Acme", model="M2")["results"]) == 2
    for question in ({"by": "capability", "value": "lte-m"}, {"by": "custodian", "value": "asha"}):
        assert [r["subject"] for r in api.ask(AGENCY, **question)["results"]] == [own]
    for part in ("lte", "%", "_____", "lte_m", "nb%", "!", "\\"):
        assert api.ask(AGENCY, by="capability", value=part)["results"] == [], part
    assert len(api.ask(AGENCY, by="status", value="grey", model="M2")["results"]) == 2
    api.ask(AGENCY, want=422, by="status", value="red")
    told = api.ask(AGENCY, by="regdevid", value="urn:regdevid:" + own)["results"][0]
    assert told["known"] and told["make"] == "Acme" and told["root_of_trust"] == "usim"
    assert api.ask(AGENCY, by="regdevid", value="IN1-NOBODY")["results"][0] == {"subject": "IN1-NOBODY", "status": "grey", "known": False}


def test_bulk_for_restricted_administrators_only(api, enquirer):
    """REQ: Y3059-9.3-ii-d"""
    subjects = {"subjects": [api.device["regdevid"], "IN1-NOBODY"] * 20}
    for token in (enquirer, ADMIN, AGENCY, MAKER, CUSTODIAN):
        assert api.call("POST", "/v1/questions/bulk", subjects, token)[0] == 403
    answer = api.check(api.good("POST", "/v1/questions/bulk", subjects, BULK))
    assert [r["subject"] for r in answer["results"]] == subjects["subjects"]
    for wrong in ({}, {"subjects": []}, {"subjects": "x"}, {"subjects": [1]}, {"subjects": ["x"] * 1001}):
        assert api.call("POST", "/v1/questions/bulk", wrong, BULK)[0] == 422


def test_status_at_any_time_with_cause_evidence_and_author(api):
    """REQ: Y3059-6.1-1, Y3059-6.1-15"""
    device = api.device["id"]
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 5))
    told = api.good("POST", "/v1/devices/%d/facts" % device, {"fact": "certificate", "value": "revoked", "evidence": "CRL 7"}, AGENCY)
    assert (told["status"], told["cause"], told["author"]) == ("black", "certificate = revoked", "agency:ntc")
    assert api.good("GET", "/v1/devices/%d/status?at=%s" % (device, before))["status"] == "grey"
    assert api.ask(AGENCY, by="regdevid", value=api.device["regdevid"])["results"][0]["status"] == "black"
    assert api.ask(AGENCY, by="regdevid", value=api.device["regdevid"], at=before)["results"][0]["status"] == "grey"
    told = api.good("POST", "/v1/devices/%d/facts" % device, {"fact": "certificate", "value": "good"}, AGENCY)
    assert told["status"] == "white"
    rows = api.good("GET", "/v1/devices/%d/statuses" % device)["statuses"]
    assert [row["status"] for row in rows] == ["black", "white"]
    assert "evidence" not in api.good("GET", "/v1/devices/%d/statuses" % device, None, CUSTODIAN)["statuses"][0]
    for wrong in ({"fact": "certificate", "value": "odd"}, {"fact": "anomalies", "value": "many"}, {"fact": "severity", "value": "1"},
                  {"fact": "anomalies", "value": "-1"}, {"value": "1"}):
        assert api.call("POST", "/v1/devices/%d/facts" % device, wrong, AGENCY)[0] == 422
    assert api.call("GET", "/v1/devices/%d/status?at=yesterday" % device, None, ADMIN)[0] == 400
    assert api.call("GET", "/v1/devices/%d/status?at=2099-01-01T00:00:00Z" % device, None, ADMIN)[0] == 400
    assert api.call("GET", "/v1/statements?subject=x&at=2099-01-01T00:00:00Z", None, AGENCY)[0] == 400
    assert api.call("PATCH", "/v1/devices/%d" % device, {"status": "white"}, ADMIN, {"If-Match": "*"})[0] in (403, 422)


def test_four_eyes(api):
    order = {"device": api.device["id"], "status": "black", "reason": "stolen"}
    override = api.add("overrides", order)
    assert override["state"] == "requested" and override["asked_by"] == "admin:alice"
    path = "/v1/overrides/%d/" % override["id"]
    assert api.call("POST", path + "approve", {}, ADMIN)[0] == 403
    alike = "gba_%s" % ("g" * 43)  # another credential, of another role, of the same person
    api.realm.change("INSERT INTO credential (rev, created, changed, owner_type, owner, name, type, hash, expires, revoked)"
                     " VALUES (1, 0, 0, 3, 0, 'alice', 1, ?, 0, 0)", hashlib.sha256(alike.encode()).hexdigest())
    assert api.call("POST", path + "approve", {}, alike)[0] == 403
    assert api.good("POST", path + "approve", {}, BOB)["state"] == "in-force"
    assert api.good("GET", "/v1/devices/%d/status" % api.device["id"])["cause"] == "decided by hand"
    asked = api.good("POST", path + "lift", {}, ADMIN)
    assert asked["state"] == "lifting" and asked["lift_asked_by"] == "admin:alice"
    for token in (ADMIN, alike):
        assert api.call("POST", path + "approve", {}, token)[0] == 403  # one person ends it no more than one begins it
    assert api.good("GET", "/v1/devices/%d/status" % api.device["id"])["cause"] == "decided by hand"
    assert api.good("POST", path + "refuse", {}, BOB)["state"] == "in-force"
    assert api.good("POST", path + "lift", {}, BOB)["state"] == "lifting"
    assert api.good("POST", path + "approve", {}, ADMIN)["state"] == "lifted"
    assert api.good("GET", "/v1/devices/%d/status" % api.device["id"])["cause"] != "decided by hand"
    assert api.call("POST", path + "approve", {}, BOB)[0] == 409
    assert api.call("POST", "/v1/overrides", {**order, "status": "red"}, ADMIN)[0] == 422
    late = api.add("overrides", {**order, "until": "2099-01-01T00:00:00Z"})["id"]
    api.realm.change("UPDATE trust_override SET until = ? WHERE id = ?", int(time.time()) - 1, late)
    assert api.call("POST", "/v1/overrides/%d/approve" % late, {}, BOB)[0] == 409  # what it asked for is over
    assert api.good("GET", "/v1/overrides/%d" % late)["state"] == "requested"
    assert api.call("POST", "/v1/overrides", order, CUSTODIAN)[0] == 403


def test_four_eyes_for_applications(api):
    number = api.add("applications", {"scheme": "package", "value": "com.example.spy", "name": "Spy"})["id"]
    path = "/v1/applications/%d" % number
    asked = api.good("POST", path + "/status", {"status": "black", "reason": "spies"})
    assert asked["state"] == "requested" and asked["status"] == "grey"
    override = "/v1/overrides/%d/" % asked["override"]
    assert api.good("GET", path)["status"] == "grey" and api.call("POST", override + "approve", {}, ADMIN)[0] == 403
    assert api.good("POST", override + "approve", {}, BOB)["state"] == "in-force"
    assert api.good("GET", path)["status"] == "black"
    assert api.call("DELETE", path, None, ADMIN, {"If-Match": "*"})[0] == 409
    again = api.good("POST", path + "/status", {"status": "white", "reason": "it was another one"})
    assert (again["state"], again["status"]) == ("requested", "black")
    assert api.good("POST", "/v1/overrides/%d/approve" % again["override"], {}, BOB)["state"] == "in-force"
    assert api.good("GET", path)["status"] == "white"
    assert api.call("POST", path + "/status", {"status": "red", "reason": "x"}, ADMIN)[0] == 422
    assert api.call("POST", "/v1/applications/999/status", {"status": "white", "reason": "x"}, ADMIN)[0] == 404


def test_lists_and_what_was_said(api, enquirer):
    """REQ: Y3059-7-iv-d: devices of other registries, by two administrators; our own are judged by rules."""
    foreign = [regdevid.regdevid("prefix", "FR1", "imei", imei) for imei in ("356938035643809", "352099001761481")]
    order = {"status": "black", "subjects": foreign, "reason": "stolen, case 7"}
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 5))
    for token in (enquirer, MAKER, CUSTODIAN, BULK):
        assert api.call("POST", "/v1/lists", order, token)[0] == 403
    for wrong in ({}, {**order, "status": "red"}, {**order, "subjects": []}, {**order, "subjects": ["FR1-NOBODY"]}, {**order, "reason": ""},
                  {**order, "subjects": [foreign[0][:-1] + "*"]}, {**order, "subjects": foreign * 65}, {**order, "more": 1},
                  {**order, "subjects": [1]}):
        assert api.call("POST", "/v1/lists", wrong, AGENCY)[0] == 422
    assert api.call("POST", "/v1/lists", {**order, "subjects": [api.device["regdevid"]]}, AGENCY)[0] == 409
    asked = api.good("POST", "/v1/lists", order, ADMIN, 201)
    assert asked["state"] == "requested" and api.good("GET", "/v1/lists/black", None, AGENCY)["subjects"] == []
    path = "/v1/lists/%d/approve" % asked["id"]
    assert api.call("POST", path, None, ADMIN)[0] == 403
    assert api.good("POST", path, None, BOB) == {"state": "published"}
    assert api.call("POST", path, None, BOB)[0] == 404
    assert api.good("GET", "/v1/lists/black", None, AGENCY) == {"status": "black", "subjects": sorted(foreign)}
    assert api.ask(enquirer, by="regdevid", value=foreign[0])["results"][0] == {"subject": foreign[0], "status": "black"}
    assert api.ask(enquirer, by="regdevid", value=foreign[0], at=before)["results"][0]["status"] == "grey"
    told = api.good("GET", "/v1/statements?subject=%s&at=%s" % (foreign[1], before), None, AGENCY)
    assert told["status"] == "grey" and [(s["origin"], s["status"], s["cause"]) for s in told["statements"]] == [
        ("IN1", "black", "stolen, case 7")]
    assert api.call("GET", "/v1/lists/red", None, AGENCY)[0] == 404
    assert api.call("GET", "/v1/statements", None, AGENCY)[0] == 400
    for token in (enquirer, CUSTODIAN):
        assert api.call("GET", "/v1/lists/black", None, token)[0] == 403
        assert api.call("GET", "/v1/statements?subject=" + foreign[0], None, token)[0] == 403


def test_what_stands_for_a_device_is_resolved_for_the_entitled_alone(api, enquirer):
    """REQ: Y3059-3.2-6, Y3059-9.2-i-f: made by the device, asked by enquirers, in text and as URN; used up by who may resolve it."""
    seeds, door = (b"\x05" * 32, b"\x06" * 32), api.realm.door()
    for number, seed in enumerate(seeds):
        asked = {"name": "resolver%d" % number, "organisation": "R", "contact": "r@r.example", "use_case": "tolls",
                 "public_key": jose.public_of(seed).hex()}
        api.good("POST", "/v1/enquirer-registrations", asked, None, 202)
        one = next(e for e in api.good("GET", "/v1/enquirers")["items"] if e["name"] == asked["name"])
        api.change("enquirers/%d" % one["id"], {"state": "approved", "rights": ["virtual"]})
    opened = [api.good("POST", "/v1/sessions", api.sign(seed, api.challenge(seed)), None, 201) for seed in seeds]
    one, other = (session["token"] for session in opened)
    name = door.ask("POST", "/register", {"scheme": "imei", "identity": "352099009999999"[:14], "make": "Else", "model": "V",
                                          "root_of_trust": "usim"})[1]
    door.ask("PUT", "/set", {"regdevid": name["regdevid"], "serial": name["serial"]})

    def made(kind, **more):
        return door.ask("POST", "/virtual", {"regdevid": name["regdevid"], "kind": kind, "seconds": 600, **more})[1]["regdevid"]

    def told(token, value):
        results = api.ask(token, by="virtual", value=value)["results"]
        assert [set(result) for result in results] == [{"subject", "status"}] and results[0]["subject"] == value
        return results[0]["status"]

    timed, single, whose = made("timed"), made("single"), made("single", audience=opened[1]["audience"])
    assert told(one, timed) == told(other, "urn:regdevid:" + timed) == told(one, timed) == "white"
    api.ask(enquirer, want=403, by="virtual", value=single)
    assert [told(one, "urn:regdevid:" + single), told(other, single)] == ["white", "grey"]
    assert [told(one, whose), told(other, whose), told(other, whose)] == ["grey", "white", "grey"]


def test_trqp(api, enquirer):
    """The two queries of TRQP 2.0's HTTPS binding, members as in its schemas."""
    own = api.device["regdevid"]
    query = {"entity_id": "urn:regdevid:" + own, "authority_id": "https://registry.example/in1", "action": "trust", "resource": "device"}
    told = api.good("POST", "/authorization", query, enquirer)
    assert told["authorized"] is (api.good("GET", "/v1/devices/%d/status" % api.device["id"])["status"] == "white")
    assert {k: told[k] for k in query} == query and told["time_evaluated"].endswith("Z") and "time_requested" in told
    past = api.good("POST", "/authorization", {**query, "context": {"time": "2020-01-01T00:00:00Z"}}, enquirer)
    assert past["authorized"] is False and past["time_requested"] == "2020-01-01T00:00:00Z" and past["context"] == {"time": "2020-01-01T00:00:00Z"}
    nobody = api.good("POST", "/authorization", {**query, "entity_id": "IN1-NOBODY"}, enquirer)
    assert nobody["authorized"] is False and set(nobody) == set(told)
    for wrong in ({}, [], {**query, "action": ""}, {**query, "context": 1}, {**query, "context": {"time": "2020-01-01T00:00:00+01:00"}},
                  {**query, "context": {"time": 1577836800}}, {**query, "context": {"time": "2099-01-01T00:00:00Z"}},
                  {k: v for k, v in query.items() if k != "resource"}):
        assert api.call("POST", "/authorization", wrong, enquirer)[0] == 400, wrong
    for other in ({"authority_id": "did:x:1"}, {"action": "issue"}, {"resource": "licence"}):
        assert api.call("POST", "/authorization", {**query, **other}, enquirer)[0] == 404
    assert api.call("POST", "/authorization", query, None)[0] == 401 and api.call("POST", "/authorization", query, MAKER)[0] == 403
    query = {**query, "entity_id": "IN1", "action": "register"}
    assert api.good("POST", "/recognition", query, enquirer)["recognized"] is True
    assert api.good("POST", "/recognition", {**query, "entity_id": "FR1"}, enquirer)["recognized"] is False


def test_vulnerability_disclosed_to_the_entitled(api, enquirer):
    """REQ: Y3059-7-0b, TEC-3.2-p2-v"""
    report = {"reference": "P-1", "source": "platform", "reporter": "platform.example", "device_type": "meter", "title": "open port",
              "make": "Acme", "model": "M1", "versions": ["<2.0"], "cve": "CVE-2031-10001",
              "cvss": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}
    one = api.add("vulnerabilities", report, AGENCY)
    assert (one["score"], one["severity"], one["state"], one["devices"]) == (98, "critical", "received", 1)
    path = "/v1/vulnerabilities/%d" % one["id"]
    everybody = (MAKER, CUSTODIAN, enquirer)
    assert [api.call("GET", path, None, token)[0] for token in everybody] == [404, 404, 404]
    assert api.change("vulnerabilities/%d" % one["id"], {"state": "confirmed"}, AGENCY)["state"] == "forwarded"
    assert [api.call("GET", path, None, token)[0] for token in everybody] == [200, 200, 404]
    assert "reporter" not in api.good("GET", path, None, CUSTODIAN)
    assert api.good("GET", "/v1/devices/%d/status" % api.device["id"])["status"] == "black"
    api.change("vulnerabilities/%d" % one["id"], {"state": "fixed", "fixed_in": "2.0", "reply": "update"}, MAKER)
    api.change("vulnerabilities/%d" % one["id"], {"state": "closed", "disclosed": True}, AGENCY)
    assert api.call("GET", path, None, enquirer)[0] == 200
    assert api.good("GET", "/v1/devices/%d/status" % api.device["id"])["status"] == "white"
    del report["device_type"]
    assert api.call("POST", "/v1/vulnerabilities", {**report, "reference": "P-2"}, AGENCY)[0] == 422  # TEC 31188 3.2.1


def test_log_by_api(api):
    """REQ: Y3059-7-i-c: what was done can be told from the log, in order, and the log only grows."""
    first = api.good("GET", "/v1/log/head", token=None)["head"]
    api.ask(AGENCY, by="regdevid", value="x")
    receipt = api.good("POST", "/v1/log/consistency", {"first": first}, None)
    old, new = (json.loads(jose.read(receipt[name], api.public())[1]) for name in ("first", "head"))
    roots = merkle.roots_from_proof(old["size"], new["size"], [bytes.fromhex(h) for h in receipt["consistency"]], bytes.fromhex(old["root"]))
    assert new["size"] > old["size"] and roots == (bytes.fromhex(old["root"]), bytes.fromhex(new["root"]))
    assert api.call("POST", "/v1/log/consistency", {"first": "eyJhbGciOiJub25lIn0.e30."}, None)[0] == 422
    leaves, cursor = [], 0
    while cursor is not None:
        page = api.good("GET", "/v1/log/entries?cursor=%d&limit=50" % cursor)
        leaves += page["entries"]
        cursor = page.get("next")
    assert merkle.root([leaf.encode() for leaf in leaves[:new["size"]]]).hex() == new["root"]
    acts = [json.loads(leaf)["act"] for leaf in leaves]
    assert acts[:3] == ["record.add"] * 3 and "status.set" in acts and "ask.one" in acts and "session.open" in acts
    assert not any("Asha" in leaf or "shop.example" in leaf for leaf in leaves)
    for token in (CUSTODIAN, MAKER, BULK):
        assert api.call("GET", "/v1/log/entries", None, token)[0] == 403


def test_suspended_enquirer_is_answered_no_more(api, enquirer):
    api.change("enquirers/1", {"state": "suspended"})
    assert api.call("POST", "/v1/questions", {"by": "regdevid", "value": "x"}, enquirer)[0] == 401
    api.change("enquirers/1", {"state": "approved"})
    assert api.call("POST", "/v1/questions", {"by": "regdevid", "value": "x"}, enquirer)[0] == 200
