# SPDX-License-Identifier: Apache-2.0
"""Parties of the ecosystem and certificates of products (TEC 31188 3.1): who registers whom, and what becomes of devices that a list lacks."""
import json

import pytest
from registrylab import IMPI
from telllab import TellNode
from test_door import phone, registered
from test_records import imei
from test_repository import asked

from peers import regdevid
from peers.waiting import until

KINDS = ("service-provider", "application-provider", "connectivity-provider", "registrar", "certifier", "platform", "secure-element-provider",
         "data-service", "certificate-controller", "developer", "integrator", "retailer", "foreign-registrar", "security-agency", "researcher",
         "cert")
ROLES = {"registrar": "registrar", "certifier": "certifier"}


@pytest.fixture(scope="module")
def node(tmp_path_factory, server):
    with TellNode(tmp_path_factory.mktemp("listing") / "realm", trace=False, server=server) as realm:
        realm.begin(uncertified_models='"grey"', api_open_rate=100000, log_head_interval=1)
        realm.privacy = realm.token("privacy")
        yield realm
        realm.receiver.server.shutdown()


def issue(node, role, owner):
    return node.good("POST", "/v1/tokens", {"acts_as": role, "owner": owner, "name": role}, node.admin, 201)["token"]


def ask(node, name, kind, want=202, **more):
    return node.good("POST", "/v1/party-registrations", dict({"name": name, "kind": kind, "identity": "id-" + name.replace(" ", "-"), "country": "IN",
                                                             "contact": "desk@example.net"}, **more), want=want)


def party(node, name, token=None):
    (one,) = [one for one in node.good("GET", "/v1/parties?limit=1000", token=token or node.admin)["items"] if one["name"] == name]
    return one


def act(node, one, verb, token, want=200, **body):
    return node.good("POST", "/v1/parties/%d/%s" % (one["id"], verb), body, token, want)


def maker(node, name, **more):
    return node.good("POST", "/v1/makers", dict({"name": name}, **more), node.admin, 201)["id"]


def certify(node, maker_id, model, number, want=201, token=None, **more):
    return node.good("POST", "/v1/certifications", dict({"scheme": "mtcte", "number": number, "maker": maker_id, "model": model}, **more),
                     token or node.admin, want)


def device(node, regdevid):
    return node.good("GET", "/v1/devices?regdevid=" + regdevid, token=node.admin)["items"][0]


def status(node, regdevid):
    one = device(node, regdevid)
    return one["status"], node.good("GET", "/v1/devices/%d/status" % one["id"], token=node.admin)["cause"]


def becomes(node, regdevid, *want):
    assert until(lambda: status(node, regdevid) == want), (status(node, regdevid), want)


def test_each_kind_of_stakeholder_has_an_account(node):
    """REQ: TEC-3.1-5, TEC-A2-ii, TEC-A2-iii, TEC-A2-v, TEC-3.2.2-0a, TEC-3.2.2-1: a call to register each, and a credential for it."""
    for kind in KINDS:
        name, role = "a " + kind, ROLES.get(kind, "provider")
        ask(node, name, kind)
        one = party(node, name)
        assert (one["kind"], one["state"]) == (kind, "requested")
        if kind == "registrar":
            assert node.patch("/v1/parties/%d" % one["id"], {"sectors": ["mines"]}, node.admin) == 200
        assert act(node, one, "approve", node.admin)["state"] == "registered"
        assert node.good("GET", "/v1/self", token=issue(node, role, one["id"]))["role"] == role


def test_a_tracking_device_and_all_who_have_to_do_with_it(node):
    """Seven parties of their own, each found by itself and from the device. REQ: OBF-I.1-1"""
    def registered_party(name, kind):
        ask(node, name, kind)
        return act(node, party(node, name), "approve", node.admin)

    sim, application = registered_party("Sim Works", "secure-element-provider"), registered_party("Track App", "application-provider")
    agency = registered_party("Test House", "certifier")
    device_maker, vehicle_maker = maker(node, "Trackers"), maker(node, "Lorries")
    certificate = certify(node, device_maker, "T-1", "AIS/1", token=issue(node, "certifier", agency["id"]))
    buyer = node.good("POST", "/v1/custodians", {"account": "haulage", "kind": "organisation", "name": "Haulage", "state": "verified",
                                                 "verifier": "desk"}, node.admin, 201)
    regdevid_of_it = registered(node.door(), phone(make="Trackers", model="T-1", firmware="1.0"))
    found = device(node, regdevid_of_it)
    assert node.patch("/v1/devices/%d" % found["id"], {"custodian": buyer["id"]}, node.admin) == 200
    lorry = node.good("POST", "/v1/models", {"maker": vehicle_maker, "name": "L-9", "kind": "vehicle"}, node.admin, 201)

    found = device(node, regdevid_of_it)
    assert (found["maker"], found["certification"], found["custodian"]) == (device_maker, "good", buyer["id"])
    assert certificate["maker"] == device_maker and lorry["maker"] == vehicle_maker != device_maker
    stands = {one["name"]: (one["kind"], one["state"]) for one in node.good("GET", "/v1/parties?limit=1000", token=node.admin)["items"]}
    assert stands["Sim Works"] == (sim["kind"], "registered") == ("secure-element-provider", "registered")
    assert stands["Track App"] == (application["kind"], "registered") == ("application-provider", "registered")
    assert stands["Test House"] == (agency["kind"], "registered") == ("certifier", "registered")
    assert node.good("GET", "/.well-known/gba-registry", token=None)["reg_id"] == "IN1"  # the trust centre, by its own word


@pytest.mark.parametrize("kind", ["service-provider", "registrar", "certifier"])
def test_an_account_from_entry_to_its_end(node, kind):
    """REQ: TEC-3.1-12: anybody asks, an administrator decides, the account is good while it is registered."""
    role = ROLES.get(kind, "provider")
    assert ask(node, kind, kind) == {"state": "requested"} == ask(node, kind, kind)  # whether it is known is not told
    one = party(node, kind)
    assert (one["kind"], one["state"], one["decided"]) == (kind, "requested", None) and "contact" not in one
    assert party(node, kind, node.privacy)["contact"] == "desk@example.net"
    token = issue(node, role, one["id"])
    assert node.call("GET", "/v1/self", token=token)[0] == 401
    if kind == "registrar":
        assert node.call("POST", "/v1/parties/%d/approve" % one["id"], {}, node.admin)[0] == 422  # of which sectors?
        assert node.patch("/v1/parties/%d" % one["id"], {"sectors": ["water"]}, node.admin) == 200
    assert act(node, one, "approve", node.admin)["state"] == "registered"
    assert node.good("GET", "/v1/self", token=token) == {"role": role, "id": one["id"], "name": "%s:%d" % (role, one["id"])}
    other = issue(node, "certifier" if role != "certifier" else "provider", one["id"])  # a credential of a role it has not
    assert node.call("GET", "/v1/self", token=other)[0] == 401
    assert node.good("GET", "/v1/parties/%d" % one["id"], token=token)["contact"] == "desk@example.net"
    act(node, one, "suspend", node.admin, 422)
    assert act(node, one, "suspend", node.admin, reason="complaints")["reason"] == "complaints"
    assert node.call("GET", "/v1/self", token=token)[0] == 401
    assert act(node, one, "restore", node.admin)["reason"] is None
    assert act(node, one, "withdraw", token)["state"] == "withdrawn"
    act(node, one, "approve", node.admin, 409)
    acts = [row["act"] for row in node.good("GET", "/v1/history?kind=party&record=%d" % one["id"], token=node.privacy)["items"]]
    assert [one for one in acts if one != "set"] == ["add", "approve", "suspend", "restore", "withdraw"]


def test_a_sector_s_registrar_decides(node):
    """REQ: TEC-3.1-13, TEC-A4-2: a request comes to the registrar of its sector, who alone registers it; others do not see it."""
    tokens = {}
    for name, sector in (("MoRTH", "transport"), ("MeitY", "cities")):
        one = node.good("POST", "/v1/parties", {"name": name, "kind": "registrar", "sectors": [sector]}, node.admin, 201)
        assert one["state"] == "registered"
        tokens[name] = issue(node, "registrar", one["id"])
    assert node.call("POST", "/v1/parties", {"name": "Other", "kind": "registrar", "sectors": ["cities", "ports"]}, node.admin)[0] == 409
    ask(node, "Fleet Apps", "application-provider", sector="transport")
    one = party(node, "Fleet Apps")
    assert one["registrar"] == party(node, "MoRTH")["id"]
    assert node.call("GET", "/v1/parties/%d" % one["id"], token=tokens["MeitY"])[0] == 404
    for token, want in ((node.admin, 422), (node.agency, 422), (tokens["MeitY"], 404)):
        assert node.call("POST", "/v1/parties/%d/approve" % one["id"], {}, token)[0] in (403, want)
    assert act(node, one, "refuse", tokens["MoRTH"], reason="no practice statement")["state"] == "refused"
    done = act(node, one, "approve", tokens["MoRTH"])
    assert (done["state"], done["decided_by"]) == ("registered", "registrar:%d" % one["registrar"])
    made = node.good("POST", "/v1/parties", {"name": "Bus Apps", "kind": "application-provider", "sector": "transport"}, tokens["MoRTH"], 201)
    assert made["state"] == "registered" and made["registrar"] == one["registrar"]
    for wrong in ({"sector": "cities"}, {}, {"sector": "transport", "kind": "registrar", "sectors": ["rail"]}, {"sector": "transport", "kind": "certifier"}):
        assert node.call("POST", "/v1/parties", dict({"name": "Wrong", "kind": "application-provider"}, **wrong), tokens["MoRTH"])[0] in (403, 422), wrong
    shown = node.good("GET", "/v1/parties?limit=1000", token=tokens["MoRTH"])["items"]
    assert {one["name"] for one in shown} == {"MoRTH", "Fleet Apps", "Bus Apps"}
    waiting = node.good("POST", "/v1/parties", {"name": "Lamps", "kind": "application-provider", "sector": "cities"}, node.admin, 201)
    assert waiting["state"] == "requested"  # an administrator may ask for it, too
    act(node, party(node, "MeitY"), "suspend", node.admin, reason="dissolved")
    assert act(node, waiting, "approve", node.admin)["state"] == "registered"  # nobody else is left


def test_products_have_evidence_of_three_kinds(node):
    """REQ: TEC-3.1-17, TEC-A4-4, TEC-A2-viii, TEC-A2-i: life cycle, supply chain and software of a product; its scheme, maker and importer."""
    lab = node.good("POST", "/v1/parties", {"name": "Lab", "kind": "certifier"}, node.admin, 201)["id"]
    token, made = issue(node, "certifier", lab), maker(node, "Evident", suppliers=["radio module: Example Ltd", "battery: Cells Inc"])
    evidence = {"produced_from": "2026-01-01T00:00:00Z", "support_until": "2031-01-01T00:00:00Z", "end_of_life": "2036-01-01T00:00:00Z",
                "origin": "IN", "suppliers": ["radio module: Example Ltd", "customer delivery: Sealed Post"],
                "operating_system": "Zephyr 3.7", "security": "ITSAR 2.1; ETSI EN 303 645", "sbom": "ab" * 32, "report": "cd" * 32,
                "importer": "Import Pvt", "firmware": [">=1.0 <2.0"]}
    one = certify(node, made, "M1", "TEC/2026/1", token=token, **evidence)
    assert one["certifier"] == lab and one["scheme"] == "mtcte" and one["state"] == "valid"
    read = node.good("GET", "/v1/certifications/%d" % one["id"], token=node.agency)
    assert {name: read[name] for name in evidence} == evidence
    assert node.good("GET", "/v1/makers/%d" % made, token=node.agency)["suppliers"][1] == "battery: Cells Inc"
    certify(node, made, "M1", "TEC/2026/1", 409, token)
    for wrong in ({"support_until": "2025-01-01T00:00:00Z", "produced_from": "2026-01-01T00:00:00Z"}, {"sbom": "xyz"}, {"firmware": ["1.0"]},
                  {"valid_from": "2026-01-02T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z"}, {"scheme": "made-up"}, {"maker": 10 ** 6},
                  {"state": "revoked"}, {"model": ""}):
        assert node.call("POST", "/v1/certifications", dict({"scheme": "mtcte", "number": "x", "maker": made, "model": "M"}, **wrong), token)[0] == 422, wrong
    stranger = issue(node, "certifier", node.good("POST", "/v1/parties", {"name": "Lab 2", "kind": "certifier"}, node.admin, 201)["id"])
    assert node.call("GET", "/v1/certifications/%d" % one["id"], token=stranger)[0] == 404
    assert node.call("POST", "/v1/certifications/%d/revoke" % one["id"], {"reason": "x"}, stranger)[0] == 404
    assert node.call("POST", "/v1/certifications", {"scheme": "gcf", "number": "1", "maker": made, "model": "M"}, issue(node, "maker", made))[0] == 403


def test_devices_of_makers_without_certificates_are_flagged(node):
    """REQ: TEC-3.1-14a, TEC-3.1-7, TEC-3.1-1, TEC-3.2-p1-4, TEC-3.2.1-8, TEC-3.2.2-0d: registered and marked; a certificate that comes, is suspended, revoked or expires counts
    at once, whatever of the model's versions it covers."""
    made, door = maker(node, "Plain"), node.door()
    flagged = registered(door, phone(make="Plain", model="P1", firmware="1.0"))
    lacks = ("grey", "no certificate covers its model and versions")
    fine = ("white", "registered, nothing against it")
    assert status(node, flagged) == lacks
    one = device(node, flagged)
    assert (one["maker"], one["certification"]) == (made, "none")
    good = certify(node, made, "P1", "P/1", firmware=[">=1.0 <2.0"])["id"]
    becomes(node, flagged, *fine)
    assert device(node, flagged)["certification"] == "good"
    beyond = registered(door, phone(make="Plain", model="P1", firmware="2.0"))
    assert status(node, beyond) == lacks and device(node, beyond)["certification"] == "none"
    path = "/v1/certifications/%d/" % good
    node.good("POST", path + "suspend", {"reason": "under test"}, node.admin)
    becomes(node, flagged, *lacks)
    node.good("POST", path + "restore", {}, node.admin)
    becomes(node, flagged, *fine)
    assert node.call("POST", path + "revoke", {}, node.admin)[0] == 422
    node.good("POST", path + "revoke", {"reason": "forged"}, node.admin)
    becomes(node, flagged, *lacks)
    assert device(node, flagged)["certification"] == "revoked"
    for verb, body in (("restore", {}), ("revoke", {"reason": "x"}), ("suspend", {"reason": "x"})):
        assert node.call("POST", path + verb, body, node.admin)[0] == 409
    short = certify(node, made, "*", "P/2")["id"]
    becomes(node, flagged, *fine)
    assert node.patch("/v1/certifications/%d" % short, {"valid_until": "2026-01-01T00:00:00Z"}, node.admin) == 200
    becomes(node, flagged, *lacks)
    assert until(lambda: node.good("GET", "/v1/certifications/%d" % short, token=node.admin)["state"] == "expired")
    assert until(lambda: (device(node, flagged)["certification"], device(node, beyond)["certification"]) == ("revoked", "expired"))
    assert node.patch("/v1/certifications/%d" % short, {"valid_until": None}, node.admin) == 200  # prolonged
    becomes(node, flagged, *fine)

    def covered():
        listed = node.good("GET", "/v1/devices?certification=good&make=Plain", token=node.agency)["items"]
        return {one["regdevid"] for one in listed}

    assert until(lambda: covered() == {flagged, beyond}), covered()  # each is judged in its turn
    assert node.patch("/v1/makers/%d" % made, {"state": "retired"}, node.admin) == 200
    becomes(node, flagged, *lacks)
    assert device(node, flagged)["maker"] is None


def test_vulnerabilities_of_certified_and_other_devices(node):
    """REQ: TEC-3.1-9: a history for one device of each kind."""
    made = maker(node, "Holes")
    certify(node, made, "Certified", "H/1")
    for model, want in (("Certified", "good"), ("Other", "none")):
        one = registered(node.door(), phone(make="Holes", model=model, firmware="1.0"))
        assert device(node, one)["certification"] == want
        hole = node.good("POST", "/v1/vulnerabilities", {"reference": "H-" + model, "source": "platform", "reporter": "city", "device_type": "meter",
                                                         "title": "hole", "make": "Holes", "model": model, "score": 98}, node.agency, 201)["id"]
        assert node.patch("/v1/vulnerabilities/%d" % hole, {"state": "confirmed"}, node.agency) == 200
        assert status(node, one) == ("black", "severity >= critical")
        assert node.patch("/v1/vulnerabilities/%d" % hole, {"state": "closed"}, node.agency) == 200
        changes = node.good("GET", "/v1/devices/%d/statuses" % device(node, one)["id"], token=node.agency)
        assert [row["status"] for row in changes["statuses"]][-2:] == ["black", "white" if want == "good" else "grey"]


def test_certificates_come_from_the_national_portal(node, tmp_path):
    """REQ: TEC-3.1-6, TEC-3.2-p1-2, TEC-3.2.1-11: a file of the portal, makers by name; each bad row told; open to registered providers."""
    maker(node, "Portal")
    rows = ["scheme,number,maker,model,importer,valid_until", "mtcte,T/1,Portal,A,Import Pvt,2099-01-01T00:00:00Z", "mtcte,T/2,Nobody,A,,",
            "mtcte,T/3,Portal,,,", "mtcte,T/4,Portal,B,,"]
    (tmp_path / "mtcte.csv").write_text("\n".join(rows) + "\n")
    words = ("gba-ctl", "-c", node.path("registry.conf"), "registry", "certification")
    done = node.run(*words, "import", "--from", "csv", str(tmp_path / "mtcte.csv"))
    assert "new: 2\n" in done.stdout and "rejected: 2\n" in done.stdout and "mtcte.csv:3: rejected: maker" in done.stderr, done.stderr
    shown = json.loads(node.run(*words, "show", "mtcte:T/1", "--json").stdout)
    assert (shown["importer"], shown["valid_until"]) == ("Import Pvt", "2099-01-01T00:00:00Z")
    provider = node.good("POST", "/v1/parties", {"name": "Platform Ltd", "kind": "platform"}, node.admin, 201)["id"]
    token = issue(node, "provider", provider)
    assert {"A", "B"} <= {one["model"] for one in node.good("GET", "/v1/certifications?limit=1000", token=token)["items"]}
    assert "Portal" in {one["name"] for one in node.good("GET", "/v1/makers?limit=1000", token=token)["items"]}
    for path in ("certifications", "makers"):
        assert node.call("GET", "/v1/" + path)[0] == 401
    for path in ("devices", "custodians"):
        assert node.call("GET", "/v1/" + path, token=token)[0] == 403


def test_a_sector_s_registry_lists_its_devices(node):
    """REQ: TEC-3.1-14b, TEC-3.2-p3-iv: a sector's registrar gives its devices by a file of a fixed form; a device of it registers as what it is."""
    one = node.good("POST", "/v1/parties", {"name": "Vahan", "kind": "registrar", "sectors": ["vehicles"]}, node.admin, 201)["id"]
    token = issue(node, "registrar", one)
    other = issue(node, "registrar", node.good("POST", "/v1/parties", {"name": "Ports", "kind": "registrar", "sectors": ["harbours"]}, node.admin, 201)["id"])
    body = "scheme,identity,make,model,kind,registrar\n" + "imei,%s,Vts,V1,vehicle,\n" % imei(9500)
    code, report = node.call("POST", "/v1/devices/import?mode=rows", body.replace(",registrar", "").replace(",\n", "\n") + "imei,12,Vts,V1,vehicle\n", token, "text/csv")
    assert code == 200 and (report["added"], report["rejected"]) == (1, 1) and report["rejections"][0]["errors"][0]["pointer"] == "/identity"
    code, report = node.call("POST", "/v1/devices/import?mode=rows", body.replace(",\n", ",7\n"), token, "text/csv")
    assert code == 200 and report["added"] == 0 and report["rejected"] == 1  # not on behalf of another
    (listed,) = node.good("GET", "/v1/devices?limit=1000", token=token)["items"]
    assert (listed["identity"], listed["registrar"], listed["state"]) == (imei(9500), one, "announced")
    assert node.good("GET", "/v1/devices?limit=1000", token=other)["items"] == []
    assert node.call("GET", "/v1/devices/%d" % listed["id"], token=other)[0] == 404
    assert node.call("POST", "/v1/devices/%d/retire" % listed["id"], {}, token)[0] == 403
    regdevid = registered(node.door(), phone(scheme="imei", make="Vts", model="V1", kind="vehicle") | {"identity": imei(9500)})
    assert regdevid == listed["regdevid"] and device(node, regdevid)["registrar"] == one
    assert node.call("DELETE", "/v1/parties/%d" % one, token=node.admin)[0] in (409, 428)


def rows_of(node, path, body, token, kind="text/csv"):
    """(added, rows that were refused: number and member)."""
    code, report = node.call("POST", "/v1/%s/import?mode=rows" % path, body, token, kind)
    assert code == 200, report
    return report["added"], [(bad["row"], bad["errors"][0]["pointer"]) for bad in report["rejections"]]


def subscriber(n):
    """(IMSI, IMPI) of one of the operator's."""
    imsi = "0010100000%05d" % n
    return imsi, IMPI.replace("001010000000001", imsi)


@pytest.fixture(scope="module")
def providers(node):
    """A cellular one and one of LoRa, each with a credential; a maker whose models are certified."""
    made = {}
    for name, networks in (("cells", ["imsi:00101", "iccid:8991", "e164:91"]), ("other", ["imsi:00102", "iccid:8945", "e164:45"]),
                           ("lora", ["eui64:70b3d5", "mac:*"])):
        one = node.good("POST", "/v1/parties", {"name": name, "kind": "connectivity-provider", "networks": networks}, node.admin, 201)["id"]
        made[name] = one, issue(node, "provider", one)
    made["maker"] = maker(node, "Listed")
    certify(node, made["maker"], "*", "L/1")
    return made


FINE, ODD = ("white", "registered, nothing against it"), ("grey", "anomalies >= 1")


def test_lists_of_connectivity_providers(node, providers):
    """REQ: TEC-3.1-16, TEC-A1-5: identifiers of subscribers and of network equipment, from a cellular provider and one of LoRa; each bad row told; seen by
    their provider, those of persons by the privacy role besides, and by nobody else."""
    (cells, token), (other, stranger), (lora, radio) = providers["cells"], providers["other"], providers["lora"]
    body = "provider,scheme,value,kept_in,subscriber\n" + "".join("%d,%s,usim,%s\n" % (cells, row, "acc-7") for row in (
        "imsi,001010000000700", "e164,919876500700", "e164,919876500701", "imsi,001020000000700", "imsi,12", "colour,red", "mac,001b638445e6",
        "iccid,%s" % oracle_iccid(700))) + "%d,imsi,001010000000701,usim,\n" % other
    assert rows_of(node, "endpoints", body, token) == (4, [(4, "/value"), (5, "/value"), (6, "/scheme"), (7, "/value"), (9, "/provider")])
    lines = "".join(json.dumps({"provider": lora, "scheme": "eui64", "value": "70:B3:D5:00:00:00:07:%02x" % n, "kept_in": "secure-element"}) + "\n"
                    for n in range(3))
    assert rows_of(node, "endpoints", lines + lines, radio, "application/x-ndjson")[0] == 3
    own = node.good("GET", "/v1/endpoints?limit=1000", token=token)["items"]
    assert {one["value"] for one in own} == {"001010000000700", "919876500700", "919876500701", oracle_iccid(700)}
    assert {(one["scheme"], one["type"], one["names"], one["personal"]) for one in own} == {
        ("imsi", "object", "user", True), ("e164", "communication", "communication-end", True), ("iccid", "object", "thing", False)}
    assert {one["subscriber"] for one in own} == {"acc-7"}
    assert [one["value"] for one in node.good("GET", "/v1/endpoints?limit=1000", token=radio)["items"]] == ["70:b3:d5:00:00:00:07:%02x" % n for n in range(3)]
    assert node.good("GET", "/v1/endpoints?limit=1000", token=stranger)["items"] == []
    one = own[0]["id"]
    for who in (stranger, node.admin, node.agency):
        assert node.call("GET", "/v1/endpoints/%d" % one, token=who)[0] == 404
        assert node.patch("/v1/endpoints/%d" % one, {"state": "lost"}, who) == 404
    for what in node.good("GET", "/v1/endpoints?limit=1000", token=node.admin)["items"]:
        assert not what["personal"] and "subscriber" not in what
    assert node.good("GET", "/v1/endpoints/%d" % one, token=node.privacy)["subscriber"] == "acc-7"
    assert node.call("GET", "/v1/endpoints", token=issue(node, "maker", providers["maker"]))[0] == 403
    assert node.call("POST", "/v1/endpoints", {"provider": cells, "scheme": "imsi", "value": "001010000000799"}, node.admin)[0] in (403, 422)
    assert node.call("POST", "/v1/endpoints", {"provider": lora, "scheme": "package", "value": "com.example.app"}, radio)[0] == 422
    assert not [row for row in node.rows("SELECT wire FROM event") if b"001010000000700" in bytes(row[0])]  # no other registry is told


def oracle_iccid(n):
    body = "8991" + "%014d" % n
    return body + regdevid.luhn(body)


def test_a_device_is_what_providers_list(node, providers):
    """REQ: TEC-3.1-16: its identifiers are those of one provider, for it and no other, with its own subscription; what changes in a list counts at once."""
    (cells, token), (other, stranger) = providers["cells"], providers["other"]
    imsi, impi = subscriber(710)
    first = phone(make="Listed", model="A")
    listed = node.good("POST", "/v1/endpoints", {"provider": cells, "scheme": "imsi", "value": imsi, "device": first["identity"]}, token, 201)
    assert listed["device_scheme"] == "imei"
    mine = registered(node.door(), dict(first, identities=[{"scheme": "imsi", "value": imsi}]), impi)
    assert status(node, mine) == FINE
    second = registered(node.door(), phone(make="Listed", model="A"), impi)  # its card in another device
    assert status(node, second) == ODD
    last = node.good("GET", "/v1/devices/%d/statuses" % device(node, second)["id"], token=node.agency)["statuses"][-1]
    assert last["evidence"] == "a provider lists an identifier for another device"
    third = registered(node.door(), dict(first, identity=phone()["identity"]), subscriber(711)[1])
    assert status(node, third) == FINE
    kept = node.good("POST", "/v1/endpoints", {"provider": cells, "scheme": "imsi", "value": subscriber(712)[0], "device": device(node, third)["identity"]},
                     token, 201)["id"]
    becomes(node, third, *ODD)  # another subscription than it came with
    assert node.call("DELETE", "/v1/endpoints/%d" % kept, token=stranger)[0] == 404
    path = "/v1/endpoints/%d" % listed["id"]
    for state, want in (("suspended", ODD), ("active", FINE), ("lost", ODD), ("active", FINE)):
        assert node.patch(path, {"state": state}, token) == 200
        becomes(node, mine, *want)
    mixed = dict(phone(make="Listed", model="A"), identities=[{"scheme": "imsi", "value": imsi}, {"scheme": "iccid", "value": oracle_iccid(713)}])
    assert node.patch(path, {"device": None}, token) == 200
    becomes(node, second, *FINE)
    mixed = registered(node.door(), mixed, impi)
    assert status(node, mixed) == FINE
    foreign = regdevid.luhn("8945" + "%014d" % 713)
    node.good("POST", "/v1/endpoints", {"provider": other, "scheme": "iccid", "value": "8945%014d" % 713 + foreign}, stranger, 201)
    odd = registered(node.door(), dict(phone(make="Listed", model="A"), identities=[{"scheme": "iccid", "value": "8945%014d" % 713 + foreign}]), impi)
    assert status(node, odd) == ODD  # one SIM, two providers
    node.good("POST", "/v1/parties/%d/suspend" % other, {"reason": "forged lists"}, node.admin)
    becomes(node, odd, *FINE)  # its lists count no more


def unit_of(node, token, serial):
    return [row["id"] for row in node.good("GET", "/v1/units?limit=1000", token=token)["items"] if row["serial"] == serial][0]


def test_makers_map_serial_numbers(node, providers):
    """REQ: TEC-A2-vi-3, TEC-3.2-p2-i, TEC-2.2-3: a maker maps the serial number of each unit to IMEI, MEID and MAC in bulk, needed and checked; a device that says
    otherwise is an anomaly."""
    token = issue(node, "maker", providers["maker"])
    copier = maker(node, "Copier")
    certify(node, copier, "*", "C/1")
    odd = issue(node, "maker", copier)
    one, two = imei(9700), imei(9701)
    rows = ["SN1,A,imei:%s mac:00-1B-63-84-45-97" % one[:14], "SN2,A,imei:%s meid:a1000049ab2c3d" % two, "SN3,A,", ",A,imei:%s" % imei(9702),
            "SN4,A,imei:%s" % one, "SN5,A,imei:123", "SN6,A,advertising:x", "SN1,A,imei:%s" % imei(9703)]
    body = "maker,serial,model,identities\n" + "".join("%d,%s\n" % (providers["maker"], row) for row in rows)
    assert rows_of(node, "units", body, token) == (2, [(3, "/identities"), (4, "/serial"), (5, "/identities"), (6, "/identities/0"), (7, "/identities/0"), (8, "")])
    stands = {row["serial"]: row["identities"] for row in node.good("GET", "/v1/units?limit=1000", token=token)["items"]}
    assert stands == {"SN1": ["imei:" + one, "mac:00:1b:63:84:45:97"], "SN2": ["imei:" + two, "meid:A1000049AB2C3D"]}
    assert rows_of(node, "units", body, odd)[0] == 0  # not on behalf of another
    again = "maker,serial,model,identities\n" + "".join("%d,%s,A,imei:%s\n" % (providers["maker"], serial, identity) for serial, identity in (
        ("SN2", one), ("SN2", two), ("SN8", imei(9708))))
    code, report = node.call("POST", "/v1/units/import?mode=rows&existing=update", again, token, "text/csv")  # a bad row ends no good one
    assert code == 200 and (report["added"], report["updated"], report["rejected"]) == (1, 1, 1), report
    assert node.patch("/v1/units/%d" % unit_of(node, token, "SN2"), {"identities": stands["SN2"]}, token) == 200
    assert node.good("GET", "/v1/units", token=odd)["items"] == [] and node.call("GET", "/v1/units", token=providers["cells"][1])[0] == 403
    said = lambda identity, serial, **more: dict(phone(make="Listed", model="A"), identity=identity, identities=[{"scheme": "serial", "value": serial}], **more)
    impi = subscriber(720)[1]
    first = said(one, "SN1", firmware="9.7.97")
    first["identities"].append({"scheme": "mac", "value": "00-1B-63-84-45-97"})
    good = registered(node.door(), first, impi)
    assert status(node, good) == FINE
    for scheme, value in (("serial", "SN1"), ("imei", one), ("mac", "00:1b:63:84:45:97")):  # one device, by whichever
        assert [row["firmware"] for row in asked(node, by="identity", scheme=scheme, value=value)] == ["9.7.97"], scheme
    assert status(node, registered(node.door(), said(two, "SN1"), impi)) == ODD  # another unit's serial number
    assert status(node, registered(node.door(), said(imei(9704), "SN2"), impi)) == ODD  # its serial number's unit sends otherwise
    by_meid = registered(node.door(), dict(phone(make="Copier", model="A"), scheme="meid", identity="A1000049AB2C3D"), impi)
    assert by_meid == regdevid.regdevid("prefix", "IN1", "meid", "A1000049AB2C3D") and status(node, by_meid) == ODD
    last = node.good("GET", "/v1/devices/%d/statuses" % device(node, by_meid)["id"], token=node.agency)["statuses"][-1]
    assert last["evidence"] == "another maker has made what has this identity"
    unit = unit_of(node, token, "SN1")
    assert node.patch("/v1/units/%d" % unit, {"state": "withdrawn"}, odd) == 404
    assert node.patch("/v1/units/%d" % unit, {"state": "withdrawn"}, token) == 200  # reported stolen
    becomes(node, good, *ODD)
    assert node.patch("/v1/units/%d" % unit, {"state": "active", "identities": ["imei:" + imei(9705)]}, token) == 200
    becomes(node, good, *ODD)
    assert node.patch("/v1/units/%d" % unit, {"identities": ["imei:" + one]}, token) == 200
    becomes(node, good, *FINE)


def test_nothing_is_asked_for_in_a_wrong_way(node):
    """Bad input at the open door: nothing is kept, and what is wrong is told."""
    before = node.rows("SELECT count(*) FROM party")
    good = {"name": "X", "kind": "platform", "identity": "i", "country": "IN", "contact": "a@b.example"}
    for wrong in ({"kind": "king"}, {"kind": None}, {"name": ""}, {"name": "x" * 129}, {"contact": "nobody"}, {"url": "http://x.example/"},
                  {"identity_scheme": "lei", "identity": "123"}, {"identity_scheme": "cin", "identity": "L17110"}, {"state": "registered"},
                  {"sectors": ["water"]}, {"networks": ["imsi:404"]}, {"registrar": 1}, {"sector": "a b"}):
        code, answer = node.call("POST", "/v1/party-registrations", dict(good, **wrong))
        assert code == 422 and answer["errors"], (wrong, answer)
    for text in ("", "[]", "{", "{}", '{"name":7}'):
        assert node.call("POST", "/v1/party-registrations", text)[0] in (400, 422), text
    assert node.rows("SELECT count(*) FROM party") == before
    admin = {"name": "Y", "kind": "platform"}
    for wrong in ({"networks": ["imsi:404"]}, {"sectors": ["a"]}, {"kind": "connectivity-provider", "networks": ["imsi"]},
                  {"kind": "connectivity-provider", "networks": ["colour:red"]}, {"kind": "connectivity-provider", "networks": ["mac:"]}):
        assert node.call("POST", "/v1/parties", dict(admin, **wrong), node.admin)[0] == 422, wrong
    assert node.rows("SELECT count(*) FROM party") == before
    done = node.run("gba-ctl", "-c", node.path("registry.conf"), "registry", "party", "add", "--name", "Y", "--kind", "king")
    assert done.returncode != 0 and "kind" in done.stderr


def test_what_lists_lack_may_be_refused(node, providers):
    """REQ: TEC-A4-3, TEC-A2-vi-3: under an uncertified model, or of a maker nobody knows, nothing is registered; a bad word in configuration starts nothing."""
    made = maker(node, "Strict")
    certify(node, made, "S1", "S/1")
    node.kill()
    node.more = 'uncertified-models = "refuse";\nunlisted-makers = "refuse";\n'
    node.start_api()
    before = node.rows("SELECT count(*) FROM device")
    for wrong, field in (({"make": "Strict", "model": "S2"}, "/model"), ({"make": "Unknown", "model": "S1"}, "/make")):
        code, answer = node.door().ask("POST", "/register", phone(**wrong), IMPI)
        assert code == 403 and answer["errors"][0]["pointer"] == field, answer
    assert node.rows("SELECT count(*) FROM device") == before
    assert status(node, registered(node.door(), phone(make="Strict", model="S1")))[0] == "white"
    node.kill()
    node.more = 'unlisted-identifiers = "refuse";\nunmapped-units = "refuse";\ncontradictions = "refuse";\n'
    node.start_api()
    (cells, token), imsi, impi = providers["cells"], *subscriber(730)
    door, mapped = node.door(), phone(make="Listed", model="A")
    before = node.rows("SELECT count(*) FROM device")
    code, answer = door.ask("POST", "/register", mapped, impi)
    assert code == 403 and answer["errors"][0]["pointer"] == "/identities"
    node.good("POST", "/v1/endpoints", {"provider": cells, "scheme": "imsi", "value": imsi}, token, 201)
    code, answer = door.ask("POST", "/register", mapped, impi)
    assert code == 403 and answer["errors"][0]["pointer"] == "/identity"
    node.good("POST", "/v1/units", {"maker": providers["maker"], "serial": "SN9", "model": "A", "identities": ["imei:" + mapped["identity"]]}, node.admin, 201)
    code, answer = door.ask("POST", "/register", dict(mapped, identities=[{"scheme": "serial", "value": "SN8"}]), impi)
    assert code == 403 and "SN9" not in json.dumps(answer)
    assert node.rows("SELECT count(*) FROM device") == before
    assert registered(door, dict(mapped, identities=[{"scheme": "serial", "value": "SN9"}]), impi)
    conf = node.path("registry.conf")
    with open(conf, encoding="utf-8") as text:
        bad = text.read().replace('unmapped-units = "refuse"', 'unmapped-units = "perhaps"')
    with open(node.path("bad.conf"), "w", encoding="utf-8") as out:
        out.write(bad)
    assert node.run("gba-registry", "--check-config", conf).returncode == 0
    done = node.run("gba-registry", "--check-config", node.path("bad.conf"))
    assert done.returncode != 0 and "unmapped-units" in done.stderr
