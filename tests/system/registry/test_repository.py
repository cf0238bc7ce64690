# SPDX-License-Identifier: Apache-2.0
"""The registry as a national trust centre's repository (TEC 31188): what stands in a record, who is told when something is wrong, and what
platforms send."""
import json

import pytest
from telllab import TellNode
from test_door import phone, registered
from test_records import imei

from peers import jose
from peers import regdevid as oracle
from peers.waiting import page, until


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with TellNode(tmp_path_factory.mktemp("repository") / "realm", trace=False) as realm:
        yield realm.begin()
        realm.receiver.server.shutdown()


def asked(node, **question):
    return json.loads(jose.read(node.good("POST", "/v1/questions", question, node.agency)["answer"], node.public)[1])["results"]


def subscribe(node, token, **filters):
    return node.subscribe(token, method="poll", **filters)


def told(node, sub, token):
    """(subject, body) of what a poll gives."""
    claims = [node.claims(one) for one in node.good("POST", "/v1/subscriptions/%d/poll" % sub, {}, token)["sets"].values()]
    return [(one["sub_id"]["id"], list(one["events"].values())[0]["body"]) for one in claims]


def test_three_kinds_of_record_with_keys_of_their_own(node):
    """REQ: TEC-3.1-3, TEC-3.1-15a: devices, applications and manufacturers are each there once; an application is looked up by its identifier."""
    maker = {"name": "Once", "policy_url": "https://once.example/psirt"}
    made = node.good("POST", "/v1/makers", maker, node.admin, 201)
    app = {"scheme": "app-uri", "value": "https://once.example/app", "name": "Meter reader", "maker": made["id"]}
    device = {"scheme": "imei", "identity": imei(9001), "make": "Once", "model": "One"}
    first = node.good("POST", "/v1/applications", app, node.agency, 201)
    named = node.good("POST", "/v1/devices", device, node.agency, 201)
    for path, body in (("makers", maker), ("applications", app), ("devices", device)):
        assert node.call("POST", "/v1/" + path, body, node.agency)[0] == 409, path
    assert named["regdevid"] == oracle.regdevid("prefix", "IN1", "imei", imei(9001))
    listed = node.good("GET", "/v1/applications?scheme=app-uri&value=https%3A%2F%2Fonce.example%2Fapp", token=node.agency)["items"]
    assert [one["id"] for one in listed] == [first["id"]]


def test_a_maker_s_disclosure_policy_is_linked(node):
    """REQ: TEC-4-4: the link is stored, checked, and shown to enquirers."""
    for bad in ("http://x.example/", "javascript:alert(1)", "x", "https://"):
        assert node.call("POST", "/v1/makers", {"name": "Bad", "policy_url": bad}, node.admin)[0] == 422, bad
    made = node.good("POST", "/v1/makers", {"name": "Linked", "policy_url": "https://linked.example/psirt"}, node.admin, 201)
    _, session = node.enquirer(b"\x61" * 32, "reader", rights=["model"])
    assert node.good("GET", "/v1/makers/%d" % made["id"], token=session)["policy_url"] == "https://linked.example/psirt"


def test_a_device_without_identity_is_not_registered(node):
    """REQ: TEC-A2-vi-2"""
    before = node.rows("SELECT count(*) FROM device")
    for wrong in ({"identity": None}, {"identity": ""}, {"scheme": None}):
        body = {name: value for name, value in dict(phone(), **wrong).items() if value is not None}
        assert node.door().ask("POST", "/register", body)[0] == 422, wrong
        body = {name: value for name, value in dict({"scheme": "imei", "identity": imei(9002), "make": "A", "model": "B"}, **wrong).items() if value is not None}
        assert node.call("POST", "/v1/devices", body, node.agency)[0] == 422, wrong
    assert node.rows("SELECT count(*) FROM device") == before


def test_the_root_of_trust_stays_with_the_record(node):
    """REQ: TEC-2.2-5, TEC-2.2-7, TEC-A4-rot-12, TEC-2.2-on-a: recorded at registration, of whatever kind; a report does not take it away; there to the end."""
    door = node.door()
    for root in ("usim", "tpm", "secure-element"):
        device = registered(door, phone(root_of_trust=root))
        rec = node.good("GET", "/v1/devices?regdevid=" + device, token=node.agency)["items"][0]
        assert rec["root_of_trust"] == root
        for wrong in ("none", "magic"):  # it is not got rid of
            assert door.ask("POST", "/report", {"regdevid": device, "seq": 2, "cause": "change", "root_of_trust": wrong})[0] in (403, 422)
        assert door.ask("POST", "/report", {"regdevid": device, "seq": 2, "cause": "change", "firmware": "9"})[0] == 201
        node.good("POST", "/v1/devices/%d/retire" % rec["id"], {}, node.admin)
        last = node.good("GET", "/v1/devices/%d" % rec["id"], token=node.agency)
        assert (last["state"], last["root_of_trust"]) == ("retired", root)


def test_attributes_by_a_regdevid(node):
    """REQ: Y3059-6.1-6: its code says what kind of network it is of; the registry says the rest to whoever may know."""
    device = registered(node.door(), phone(kind="gateway", communication=["5g", "ethernet"]))
    assert device.split("-")[1] == "IMEI"
    (told_,) = asked(node, by="regdevid", value=device)
    assert (told_["kind"], told_["communication"], told_["make"]) == ("gateway", ["5g", "ethernet"], "Acme")


def test_a_threshold_raises_an_alert(node):
    """REQ: TEC-2.2.3-4, TEC-3.2.2-0c: data collected of a device go through the rules; the change, with its reason, comes to who watches."""
    device = registered(node.door(), phone(make="Watched"))
    number = node.good("GET", "/v1/devices?regdevid=" + device, token=node.admin)["items"][0]["id"]
    sub = subscribe(node, node.agency, subjects=[device], kinds=["status.set"])
    for n, status in ((0, "white"), (1, "grey"), (4, "grey"), (5, "black"), (0, "white")):
        answer = node.good("POST", "/v1/devices/%d/facts" % number, {"fact": "anomalies", "value": str(n)}, node.agency)
        assert answer["status"] == status and answer["cause"]
    alerts = told(node, sub, node.agency)
    assert [body["status"] for _, body in alerts] == ["grey", "black", "white"]
    assert alerts[0][1]["cause"] == "anomalies >= 1" and alerts[1][1]["cause"] == "anomalies >= 5"


def test_a_fix_is_told_to_all_who_have_the_model(node):
    """REQ: TEC-3.1-11: custodians of devices of the model learn that it is mended; others do not."""
    maker = node.good("POST", "/v1/makers", {"name": "Fixer", "policy_url": "https://fixer.example/psirt"}, node.admin, 201)["id"]
    subs = {}
    for n, (account, model) in enumerate((("anil", "Mk1"), ("bina", "Mk1"), ("chand", "Mk2"))):
        made = node.good("POST", "/v1/custodians", {"account": account, "state": "verified", "verifier": "desk"}, node.admin, 201)["id"]
        node.good("POST", "/v1/devices", {"scheme": "imei", "identity": imei(9100 + n), "make": "Fixer", "model": model, "firmware": "1.0",
                                         "custodian": made}, node.agency, 201)
        token = node.token("custodian", made)
        subs[account] = (subscribe(node, token, kinds=["vulnerability.set"]), token)
    hole = node.good("POST", "/v1/vulnerabilities", {"reference": "FIX-1", "source": "agency", "reporter": "CERT", "title": "hole", "make": "Fixer",
                                                     "model": "Mk1", "versions": ["<1.1"]}, node.agency, 201)["id"]
    assert node.patch("/v1/vulnerabilities/%d" % hole, {"state": "confirmed"}, node.agency) == 200
    for state in ("acknowledged", "fixed"):
        change = {"state": state} if state == "acknowledged" else {"state": state, "fixed_in": "1.1"}
        assert node.patch("/v1/vulnerabilities/%d" % hole, change, node.token("maker", maker)) == 200
    for account in ("anil", "bina"):
        sub, token = subs[account]
        notices = told(node, sub, token)
        assert notices[-1][0] == "FIX-1" and notices[-1][1]["state"] == "fixed" and notices[-1][1]["model"] == "Mk1"
    assert told(node, *subs["chand"]) == []


def test_composite_identities_from_platforms(node, tmp_path):
    """REQ: TEC-2.2.1-1, TEC-2.2.1-2, TEC-2.2.1-3, TEC-3.1-8, TEC-3.2-p1-5: the platform's side computes them, sends them in bulk; each stands for one device."""
    certificate = tmp_path / "device.der"
    certificate.write_bytes(b"\x30\x82\x01\x00 certificate")

    def compute(*words):
        done = node.run("gba-ctl", "--json", "registry", "composite", *words)
        return json.loads(done.stdout)["composite"] if done.returncode == 0 else None

    values = []
    for n in range(3):
        values.append(compute("--certificate", str(certificate), "--application", "app-%d" % n, "--platform", "city", "--sim", "8991" + str(n)))
        assert values[-1] == oracle.composite(certificate.read_bytes(), b"app-%d" % n, b"city", b"8991%d" % n)
    assert compute("--platform", "city") == oracle.composite(None, None, b"city", None)
    certificate.write_text("-----BEGIN CERTIFICATE-----\n")
    assert compute("--certificate", str(certificate)) is None
    rows = [{"scheme": "imei", "identity": imei(9200 + n), "make": "City", "model": "Lamp", "composite": value} for n, value in enumerate(values + values[:1])]
    status, report = node.call("POST", "/v1/devices/import?mode=rows", "".join(json.dumps(row) + "\n" for row in rows), node.token("bulk"),
                               "application/x-ndjson")
    assert status == 200 and (report["added"], report["rejected"]) == (3, 1)
    assert report["rejections"][0]["row"] == 4 and report["rejections"][0]["errors"][0]["pointer"] == "/composite"
    for row in rows[:3]:
        found = node.good("GET", "/v1/devices?composite=" + row["composite"], token=node.agency)["items"]
        assert [one["identity"] for one in found] == [row["identity"]]
    stolen = node.patch("/v1/devices/%d" % found[0]["id"], {"composite": values[0]}, node.agency)
    assert stolen in (409, 422)
    assert node.patch("/v1/devices/%d" % found[0]["id"], {"composite": values[2]}, node.agency) == 200


def test_owners_in_bulk(node):
    """REQ: Y3059-9.2-i-g, TEC-2.1.2-1: custodians and their devices, one at a time or many, with what became of each row."""
    people = [{"account": "bulk-%d" % n, "state": "verified", "verifier": "desk"} for n in range(5)]
    people[3]["state"] = "perhaps"
    status, report = node.call("POST", "/v1/custodians/import?mode=rows", "".join(json.dumps(row) + "\n" for row in people), node.agency,
                               "application/x-ndjson")
    assert status == 200 and (report["rows"], report["added"], report["rejected"]) == (5, 4, 1) and report["rejections"][0]["row"] == 4
    owners = {one["account"]: one["id"] for one in node.good("GET", "/v1/custodians?limit=1000", token=node.agency)["items"]}
    rows = [{"scheme": "imei", "identity": imei(9300 + n), "make": "Bulk", "model": "One", "custodian": owners.get("bulk-%d" % n, 10 ** 6)} for n in range(5)]
    status, report = node.call("POST", "/v1/devices/import?mode=rows", "".join(json.dumps(row) + "\n" for row in rows), node.agency,
                               "application/x-ndjson")
    assert status == 200 and (report["added"], report["rejected"]) == (4, 1) and report["rejections"][0]["row"] == 4
    found = asked(node, by="custodian", value="bulk-2")  # whose it is can be traced
    assert [one["subject"] for one in found] == [oracle.regdevid("prefix", "IN1", "imei", imei(9302))]
    assert node.good("POST", "/v1/custodians", {"account": "single"}, node.agency, 201)["state"] == "unverified"


def test_reports_by_themselves_and_alive(node):
    """REQ: TEC-2.2.3-5: a report at each interval, whether something happened or not, from a node that says that it is up."""
    node.subscribe(node.agency, method="push", url=node.receiver.url, digest=1, digest_empty=True)
    assert until(lambda: len(node.receiver.tokens) >= 2)
    times = [list(node.claims(one)["events"].values())[0]["to"] for one in node.receiver.tokens]
    assert times == sorted(set(times))
    assert page("http://%s:9100/livez" % node.address("registry"))[0] == page("http://%s:9100/readyz" % node.address("registry"))[0] == 200
