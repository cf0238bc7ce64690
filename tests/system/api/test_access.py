# SPDX-License-Identifier: Apache-2.0
"""Who gets in, who sees what, and what a wrong caller learns: nothing."""
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import urllib.parse

import pytest

import apilab


@pytest.fixture(scope="module")
def people(api, admin):
    """Two users with a device each, two ASPs with an application each; the first of each belong together."""
    impis = [api.subscriber("acc%d@lab.test" % n) for n in range(2)]
    users = [apilab.user(admin, api, "acc%d" % n) for n in range(2)]
    devices = [apilab.device(admin, impis[n], users[n][0]["id"], 200 + n) for n in range(2)]
    asps = [apilab.asp(admin, api, "U72200KA2011PTC06010%d" % n, "Acc %d" % n, names=["acc%d.example" % n]) for n in range(2)]
    apps = [asps[n][1].post("/v1/applications", {"asp": asps[n][0]["id"], "type": "fqdn", "identity": "acc%d.example" % n, "name": "A",
                                                 "published": n == 0}).json() for n in range(2)]
    rights = [admin.post("/v1/permissions", {"impi": impis[n], "application": apps[n]["id"]}).json() for n in range(2)]
    return {"impis": impis, "users": users, "devices": devices, "asps": asps, "apps": apps, "rights": rights}


def ids(caller, path):
    return [item["id"] for item in caller.get("/v1/%s?limit=1000" % path).json()["items"]]


def test_each_sees_only_what_is_theirs(people, admin):
    """REQ: Y3056-7.7-3, Y3056-7.7-5b, Y3056-7.5-6a"""
    (user0, caller0), (user1, _) = people["users"]
    (asp0, asp_caller0), (asp1, _) = people["asps"]
    assert ids(caller0, "users") == [user0["id"]] and ids(caller0, "devices") == [people["devices"][0]["id"]]
    assert ids(caller0, "permissions") == [people["rights"][0]["id"]]
    assert people["apps"][0]["id"] in ids(caller0, "applications")  # the catalogue
    assert people["apps"][1]["id"] not in ids(caller0, "applications")
    assert ids(asp_caller0, "asps") == [asp0["id"]] and ids(asp_caller0, "applications") == [people["apps"][0]["id"]]
    assert ids(asp_caller0, "permissions") == [people["rights"][0]["id"]]
    seen = asp_caller0.get("/v1/permissions/%d" % people["rights"][0]["id"]).json()
    assert "impi" not in seen and len(seen["pseudonym"]) == 32 and people["impis"][0] not in json.dumps(seen)
    for caller, path, other in ((caller0, "users", user1["id"]), (caller0, "devices", people["devices"][1]["id"]),
                                (caller0, "permissions", people["rights"][1]["id"]), (caller0, "applications", people["apps"][1]["id"]),
                                (asp_caller0, "asps", asp1["id"]), (asp_caller0, "applications", people["apps"][1]["id"]),
                                (asp_caller0, "permissions", people["rights"][1]["id"])):
        there, nowhere = (caller.call("GET", "/v1/%s/%d" % (path, number)) for number in (other, 99999999))
        same(there, nowhere)
        same(caller.call("DELETE", "/v1/%s/%d" % (path, other), headers={"If-Match": "*"}),
             caller.call("DELETE", "/v1/%s/99999999" % path, headers={"If-Match": "*"}))
    for caller, path in ((caller0, "asps"), (caller0, "verifications"), (asp_caller0, "users"), (asp_caller0, "devices")):
        got = caller.call("GET", "/v1/" + path)
        same(got, caller.call("GET", "/v1/%s/99999999" % path))
        assert got.status == 403
    same(caller0.call("POST", "/v1/users/%d/credentials" % user1["id"], {"name": "x"}),
         caller0.call("POST", "/v1/users/99999999/credentials", {"name": "x"}))


def same(a, b):
    """Two answers that tell the same: status, headers, body; but for the time and the correlation id."""
    strip = [dict(answer.json(), instance=None) for answer in (a, b)]
    heads = [{k: v for k, v in answer.headers.items() if k != "date"} for answer in (a, b)]
    assert a.status == b.status and strip[0] == strip[1] and heads[0] == heads[1], (a, b)
    assert a.status in (401, 403, 404), a


def test_every_operation_tells_a_wrong_caller_the_same(api, people, admin):
    """Each operation of the contract that names a record, with another's and with none, as ASP and as subscriber: the same answer to
    the octet but for the name itself. REQ: Y3056-7.5-6a"""
    other = {"users": people["users"][1][0], "devices": people["devices"][1], "asps": people["asps"][1][0], "applications": people["apps"][1],
             "permissions": people["rights"][1]}
    other.update((path, admin.get("/v1/%s?limit=1000" % path).json()["items"]) for path in ("verifications", "authentications"))
    owned = admin.get("/v1/credentials?limit=1000").json()["items"]
    number = {path: (item[-1] if isinstance(item, list) else item)["id"] for path, item in other.items()}
    callers = {"asp": people["asps"][0][1], "subscriber": people["users"][0][1]}
    count = 0
    for name, caller in callers.items():
        number["credentials"] = next(c["id"] for c in owned if (c["owner_type"], c["owner"]) == ("asp", people["asps"][1][0]["id"]))
        for path, methods in json.loads(apilab.Caller(api).get("/openapi.json").body)["paths"].items():
            noun = path.split("/")[2] if path.startswith("/v1/") else ""
            if "{id}" not in path or noun not in number:
                continue
            for method in methods:
                there, nowhere = ((caller.call(method.upper(), path.replace("{id}", str(n)), {} if method in ("post", "put", "patch") else None,
                                               {"If-Match": "*"})) for n in (number[noun], 99999999))
                same(there, nowhere)
                assert len(there.body) == len(nowhere.body), (name, method, path)
                count += 1
    assert count > 60


def test_references_and_names_tell_a_wrong_caller_the_same(api, people):
    """What a body refers to: another's, and none. And nobody learns from a registration who is registered."""
    (_, user), (asp, asp_caller) = people["users"][0], people["asps"][0]

    def alike(caller, path, there, nowhere):
        got = [caller.call("POST", path, body) for body in (there, nowhere)]
        texts = [re.sub(r'("instance":")[^"]*|no (application|permission|asp) [0-9]+', r"\1\2", answer.body.decode()) for answer in got]
        assert got[0].status == got[1].status != 201 and texts[0] == texts[1], got

    alike(user, "/v1/requests", {"impi": people["impis"][0], "application": people["apps"][1]["id"]},
          {"impi": people["impis"][0], "application": 99999999})
    until = {"valid_until": "2040-01-01T00:00:00Z"}
    alike(user, "/v1/delegations", dict(until, permission=people["rights"][1]["id"], to_impi=people["impis"][1]),
          dict(until, permission=99999999, to_impi="nobody@lab.test"))
    alike(user, "/v1/delegations", dict(until, permission=people["rights"][0]["id"], to_impi=api.subscriber("nobodys@lab.test")),
          dict(until, permission=people["rights"][0]["id"], to_impi="nobody@lab.test"))
    alike(asp_caller, "/v1/applications", {"asp": people["asps"][1][0]["id"], "type": "fqdn", "identity": "one.example", "name": "A"},
          {"asp": 99999999, "type": "fqdn", "identity": "one.example", "name": "A"})
    wish = {"type": "cin", "name": "A", "contact": "a@b.example"}
    known, unknown = (apilab.Caller(api).post("/v1/asp-registrations", dict(wish, identity=identity))
                      for identity in (asp["identity"], "U72200KA2011PTC060190"))
    assert set(known.json()) == set(unknown.json()) and len(known.body) == len(unknown.body)
    assert {k for k in known.headers} == {k for k in unknown.headers}


def gs1(digits):
    """GS1 General Specifications 7.9"""
    return digits + str(-sum(int(c) * (3 - 2 * (i % 2)) for i, c in enumerate(reversed(digits))) % 10)


def test_an_asp_that_tries_names_of_others_learns_nothing(api, admin):
    """A name is the ASP's own to use, or refused: one that is taken like one that is free, whichever way it is tried."""
    owner, first = apilab.asp(admin, api, "U72200KA2011PTC060191", "Alpha", names=["alpha.example", "gs1:95213*", "ip:192.0.2.7"])
    record, second = apilab.asp(admin, api, "U72200KA2011PTC060192", "Beta", names=["beta.example", "gs1:95214*", "ip:192.0.2.8"])
    taken = [("fqdn", "shop.alpha.example"), ("url", "https://www.alpha.example:8443/a?b"), ("gs1", gs1("952132100011")), ("ip", "192.0.2.7")]
    free = [("fqdn", "shap.alpha.example"), ("url", "https://wwx.alpha.example:8443/a?b"), ("gs1", gs1("952132100028")), ("ip", "192.0.2.9")]
    for kind, identity in taken:
        first.post("/v1/applications", {"asp": owner["id"], "type": kind, "identity": identity, "name": "N"})
    before = admin.get("/v1/applications?limit=1000").body

    def tries(kind, identity):
        body = {"asp": record["id"], "type": kind, "identity": identity, "name": "N"}
        plain = {k: v for k, v in body.items() if k not in ("type", "identity")}
        yield second.call("POST", "/v1/applications", body)
        yield second.call("POST", "/v1/applications", dict(body, naf_fqdn="x.beta.example"))
        yield second.call("POST", "/v1/applications", body, headers={"Idempotency-Key": "try-" + identity.encode().hex()})
        path = "/v1/applications/key:%s,%s" % (kind, urllib.parse.quote(identity, safe=""))
        yield second.call("PUT", path, plain)
        yield second.call("PUT", path, plain, headers={"If-Match": "*"})
        yield second.call("GET", path)
        yield second.call("DELETE", path, headers={"If-Match": "*"})
        for mode in ("all", "rows"):
            for existing in ("reject", "keep", "update"):
                yield second.call("POST", "/v1/applications/import?mode=%s&existing=%s" % (mode, existing), raw=json.dumps(body).encode(),
                                  headers={"Content-Type": "application/x-ndjson"})

    def plainly(answer, identity):
        text = re.sub(r'("instance":")[^"]*', r"\1", answer.body.decode()).replace(identity, "NAME")
        return answer.status, text, {k: v for k, v in answer.headers.items() if k not in ("date", "content-length")}

    for (kind, there), (_, nowhere) in zip(taken, free):
        got = [[plainly(answer, identity) for answer in tries(kind, identity)] for identity in (there, nowhere)]
        assert got[0] == got[1], (kind, got)
        assert {status for status, _, _ in got[0]} == {422, 412, 404, 200} and '"applied":true' not in got[0][7][1], got[0]
    for host in ("shop.alpha.example", "none.alpha.example", "alpha.example", "xbeta.example", "example"):  # as the host name of one of its own
        got = second.post("/v1/applications", {"asp": record["id"], "type": "gs1", "identity": gs1("952142100011"), "naf_fqdn": host,
                                               "name": "N"}, want=422).json()
        assert [e["pointer"] for e in got["errors"]] == ["/naf_fqdn"] and "names" in got["errors"][0]["detail"]
    assert admin.get("/v1/applications?limit=1000").body == before
    for kind, identity in taken:  # the operator is told
        admin.post("/v1/applications", {"asp": record["id"], "type": kind, "identity": identity, "name": "N"}, want=409)
    second.call("PATCH", "/v1/asps/%d" % record["id"], {"names": ["alpha.example"]}, headers={"If-Match": "*"}, want=422)
    second.post("/v1/applications", {"asp": record["id"], "type": "url", "identity": "https://a.beta.example/x", "name": "N"})


def renamed(admin, record, names, want=200):
    return admin.call("PATCH", "/v1/asps/%d" % record["id"], {"names": names}, headers={"If-Match": "*"}, want=want)


def test_a_name_belongs_to_one_asp(api, admin):
    """To the one whose entry is the closest: the operator is told when it would give one twice, and nobody else is told anything.
    REQ: Y3056-8.4-2"""
    one, first = apilab.asp(admin, api, "U72200KA2011PTC060193", "One", names=["one.example", "gs1:96*", "onem2m:None"])
    for names in (["ONE.example"], ["a.example", "gs1:96*"], ["onem2m:None"]):
        got = admin.call("POST", "/v1/asps", {"type": "cin", "identity": "U72200KA2011PTC060194", "name": "Two", "names": names}, want=409).json()
        assert "is among the names of ASP %d" % one["id"] in str(got["errors"]), got
    two, second = apilab.asp(admin, api, "U72200KA2011PTC060194", "Two", names=["two.one.example", "gs1:9699*", "onem2m:Non*"])
    asked = apilab.Caller(api).post("/v1/asp-registrations", {"type": "cin", "identity": "U72200KA2011PTC060195", "name": "Three",
                                                              "contact": "t@three.example", "names": ["one.example"]})  # who asks learns nothing
    assert asked.json()["state"] == "requested"
    three = [a for a in admin.get("/v1/asps?state=requested").json()["items"] if a["name"] == "Three"][0]
    agree = "/v1/asps/%d" % three["id"]
    admin.call("PATCH", agree, {"state": "active"}, headers={"If-Match": "*"}, want=409)
    admin.call("PATCH", agree, {"state": "active", "names": ["three.example"]}, headers={"If-Match": "*"}, want=200)
    renamed(admin, three, ["three.example", "two.one.example"], want=409)

    def tried(caller, record, kind, identity, **more):
        return caller.call("POST", "/v1/applications", dict({"asp": record["id"], "type": kind, "identity": identity, "name": "N"}, **more))

    ours = [("fqdn", "x.two.one.example"), ("url", "https://y.two.one.example/z"), ("gs1", gs1("969900000001")), ("onem2m", "Nontoo")]
    for kind, identity in ours:  # given away below one's own names: refused as what was never one's own
        before = tried(first, one, kind, identity)
        assert tried(second, two, kind, identity).status == 201, (kind, identity)
        after = tried(first, one, kind, identity)
        assert before.status == after.status == 422 and before.json()["errors"] == after.json()["errors"], (kind, after.body)
        assert before.json()["errors"] == tried(first, one, kind, {"gs1": gs1("970000000001"), "onem2m": "Nontop", "fqdn": "x.other.example",
                                                                   "url": "https://y.other.example/z"}[kind]).json()["errors"]
    for kind, identity in (("fqdn", "x.one.example"), ("gs1", gs1("960000000001")), ("onem2m", "None")):
        assert tried(second, two, kind, identity).status == 422
        assert "among the names of ASP %d" % one["id"] in admin.call("POST", "/v1/applications", {
            "asp": two["id"], "type": kind, "identity": identity, "name": "N"}, want=409).body.decode()
        assert tried(first, one, kind, identity).status == 201, (kind, identity)
    assert "naf_fqdn" in str(tried(first, one, "gs1", gs1("960000000018"), naf_fqdn="z.two.one.example").json()["errors"])

    # registered by the operator under nobody's name: who is given the name later would meet it
    admin.post("/v1/applications", {"asp": two["id"], "type": "fqdn", "identity": "met.three.test", "name": "N"})
    assert "stands under them" in renamed(admin, three, ["three.test"], want=409).body.decode()
    renamed(admin, two, ["two.one.example", "met.three.test"])
    renamed(admin, three, ["three.test"])
    # one whose names were taken away keeps its applications; who has the names now is not told what it is that stands there
    renamed(admin, two, ["gs1:9699*"])
    for kind, identity in ours[:2]:
        got = tried(first, one, kind, identity)
        assert got.status == 422 and got.json()["errors"] == tried(first, one, kind, identity.replace("one.example", "other.test")).json()["errors"]
    assert tried(first, one, "fqdn", "free.two.one.example").status == 201  # all else there is its own again


def test_whoever_is_not_known_gets_one_answer(api, people, admin):
    """No credential, one of nobody, malformed ones: 401, alike for what is there and what is not."""
    stranger = apilab.Caller(api)
    first = stranger.call("GET", "/v1/users/%d" % people["users"][0][0]["id"])
    assert first.status == 401 and first.headers["www-authenticate"].startswith("Bearer")
    for header in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer x"}, {"Authorization": "Basic YTpi"},
                   {"Authorization": "Bearer gba_" + "A" * 43}, {"Authorization": admin.token}):
        for method, path in (("GET", "/v1/users/99999999"), ("GET", "/v1/users"), ("DELETE", "/v1/asps/1"), ("GET", "/v1/self")):
            same(stranger.call(method, path, headers=header), first)
    same(stranger.call("POST", "/v1/users/1/credentials", {"name": "x"}), first)
    same(stranger.call("POST", "/v1/asps", {"colour": 1}), first)  # not even what is wrong with a body


def test_a_revoked_expired_or_suspended_credential_is_none(api, admin):
    owner, caller = apilab.asp(admin, api, "U72200KA2011PTC060120", "Gone Ltd")
    caller.get("/v1/self")
    record = admin.get("/v1/asps/%d" % owner["id"])
    suspended = admin.patch("/v1/asps/%d" % owner["id"], {"state": "suspended"}, record.headers["etag"])
    caller.get("/v1/self", want=401)
    admin.patch("/v1/asps/%d" % owner["id"], {"state": "active"}, suspended.headers["etag"])
    caller.get("/v1/self")
    own = caller.get("/v1/credentials").json()["items"]
    assert len(own) == 1 and "hash" not in own[0]
    caller.post("/v1/credentials/%d/revoke" % own[0]["id"], want=200)
    caller.get("/v1/self", want=401)


def test_an_invitation_opens_one_door_once(api, admin):
    """No default password: the first administrator comes in by gba-ctl admin invite."""
    invited = apilab.Caller(api, api.invite())
    assert invited.call("GET", "/v1/users").status == 403 and invited.call("GET", "/v1/self").status == 403
    got, threads = [], []
    for n in range(4):
        def accept(number=n):
            got.append(apilab.Caller(api, invited.token).call("POST", "/v1/invitation", {"name": "race%d" % number}).status)
        threads.append(threading.Thread(target=accept))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [201, 401, 401, 401]
    assert admin.call("POST", "/v1/invitation", {"name": "again"}).status == 403  # a credential is no invitation
    assert invited.call("POST", "/v1/invitation", {"name": "again"}).status == 401


def key_and_request(folder, name):
    key, request = os.path.join(folder, name + ".key"), os.path.join(folder, name + ".csr")
    apilab.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
                   "-subj", "/CN=wanted")
    with open(request, encoding="ascii") as text:
        return key, text.read()


def test_certificates_of_the_realms_ca(api, admin, tmp_path):
    """REQ: Y3056-10.2-1c, Y3056-8.2.2-1"""
    folder = str(tmp_path)
    owner, caller = apilab.asp(admin, api, "U72200KA2011PTC060121", "Cert Ltd")
    key, request = key_and_request(folder, "own")
    where = "/v1/asps/%d/credentials" % owner["id"]
    made = caller.post(where, {"name": "server-1", "csr": request, "days": 30}).json()
    assert made["type"] == "certificate" and "private_key" not in made and "token" not in made
    cert, root = os.path.join(folder, "own.pem"), os.path.join(folder, "ca.pem")
    for path, text in ((cert, made["certificate"]), (root, made["ca"])):
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
    apilab.openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", root, cert)
    shown = apilab.openssl("x509", "-in", cert, "-noout", "-subject", "-ext", "extendedKeyUsage,basicConstraints")
    assert "wanted" not in shown and "TLS Web Client Authentication" in shown and "CA:FALSE" in shown
    by_cert = apilab.Caller(api, cert=(cert, key))
    assert by_cert.get("/v1/self").json() == {"role": "asp", "id": owner["id"], "name": "asp:%d" % owner["id"]}
    out = subprocess.run(["curl", "-s", "--cacert", api.server_pem, "--cert", cert, "--key", key,
                          "https://localhost:%d/v1/self" % api.port], capture_output=True, text=True, timeout=30, check=True).stdout
    assert json.loads(out)["id"] == owner["id"]
    strange = os.path.join(folder, "strange")
    apilab.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", strange + ".key", "-out",
                   strange + ".pem", "-subj", "/CN=asp")
    assert apilab.Caller(api, cert=(strange + ".pem", strange + ".key")).call("GET", "/v1/self").status == 401
    assert apilab.Caller(api, "gba_wrong", cert=(cert, key)).call("GET", "/v1/self").status == 401  # what is shown must be right
    body = request.split("\n")
    body[2] = body[2][:20] + ("A" if body[2][20] != "A" else "B") + body[2][21:]  # the signature no longer fits
    for bad in ("nothing", "\n".join(body), request[:200]):
        caller.post(where, {"name": "x", "csr": bad}, want=422)
    weak = apilab.openssl("req", "-new", "-newkey", "rsa:1024", "-nodes", "-keyout", os.devnull, "-subj", "/CN=w")
    assert caller.post(where, {"name": "x", "csr": weak}, want=422).json()["errors"][0]["pointer"] == "/csr"

    api.ctl("ca", "revoke", json.loads([line for line in api.ctl("ca", "list", "--json").splitlines() if "server-1" in line][0])["serial"])
    assert by_cert.call("GET", "/v1/self").status == 401
    crl = os.path.join(folder, "crl.pem")
    with open(crl, "wb") as out:
        out.write(admin.get("/v1/ca/crl").body)
    refused = subprocess.run(["openssl", "verify", "-crl_check", "-CAfile", root, "-CRLfile", crl, cert], capture_output=True, text=True,
                             timeout=30, check=False)
    assert refused.returncode != 0 and "revoked" in refused.stderr


def test_a_key_made_here_is_shown_once_and_works(api, admin, tmp_path):
    person, caller = apilab.user(admin, api, "keyed")
    made = caller.post("/v1/users/%d/credentials" % person["id"], {"name": "laptop", "type": "certificate"}).json()
    cert, key = str(tmp_path / "c.pem"), str(tmp_path / "k.pem")
    for path, text in ((cert, made["certificate"]), (key, made["private_key"])):
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
    by_cert = apilab.Caller(api, cert=(cert, key))
    assert by_cert.get("/v1/self").json()["role"] == "subscriber"
    assert "private_key" not in caller.get("/v1/credentials/%d" % made["id"]).body.decode()
    number = [c for c in admin.get("/v1/credentials?owner_type=user&owner=%d" % person["id"]).json()["items"] if c["name"] == "laptop"]
    admin.post("/v1/credentials/%d/revoke" % number[0]["id"], want=200)
    assert by_cert.call("GET", "/v1/self").status == 401
    listed = [json.loads(line) for line in api.ctl("ca", "list", "--json").splitlines()]
    assert [e for e in listed if "laptop" in e["subject"]][0]["revoked"]


def test_tokens_and_names_are_nowhere_in_log_or_database(api, admin):
    octets = api.octets()
    assert b"Operator & Sons" in octets  # it is where it is looked for
    for secret in (admin.token.encode(), b"PACC0", b"PRIVATE KEY"):
        assert secret not in octets, secret
    assert not re.search(rb"gba_[A-Za-z0-9_-]{43}", octets)
    assert not re.search("gba_[A-Za-z0-9_-]{43}", api.log())
    assert "PACC0" not in api.log()


def test_plain_http_and_old_tls_are_not_served(api):
    with socket.create_connection(("127.0.0.1", api.port), 30) as plain:
        plain.sendall(b"GET /v1/self HTTP/1.1\r\nHost: h\r\n\r\n")
        try:
            assert b"200" not in plain.recv(1000)
        except ConnectionResetError:
            pass  # closed with what was sent unread
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", api.port), 30) as raw, old.wrap_socket(raw):
        pass


def test_callers_are_limited(tmp_path):
    """429 with Retry-After: of one caller, and of addresses without a credential; others go on."""
    one = apilab.Api(tmp_path / "limited", conf="api-rate = 1;\napi-burst = 5;\napi-open-rate = 1;\n", ca=False)
    one.start()
    try:
        admin, other = one.admin("a"), one.admin("b")
        got = [admin.call("GET", "/v1/self") for _ in range(40)]
        assert got[0].status == 200 and got[-1].status == 429 and int(got[-1].headers["retry-after"]) >= 1
        assert got[-1].json()["code"] == "rate-limit"
        assert other.call("GET", "/v1/self").status == 200
        stranger = apilab.Caller(one)
        assert [stranger.call("GET", "/v1/self").status for _ in range(30)][-1] == 429
        assert other.call("GET", "/v1/self").status == 200  # a good credential from the same address
        assert other.call("GET", "/v1/ca/crl").status in (404, 429)  # no CA
    finally:
        assert one.stop()
