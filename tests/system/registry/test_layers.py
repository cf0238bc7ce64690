# SPDX-License-Identifier: Apache-2.0
"""What every layer of a hierarchy answers about devices that have registered at the primary one: asked over HTTPS at a geographical, a
sectoral and two primary registries, which have learnt of each other's devices by their bonds alone."""
import hashlib
import re
import ssl

import pytest
from peerlab import Lab
from registrylab import IMPI, Door
from test_ask import SEED, Api
from test_door import phone, registered

from peers import jose
from peers.waiting import until

AGENCY = "gba_%s" % ("g" * 43)
CUSTODIAN_BOND = "".join('%s = [ "device", "status", "list", "custodian" ]; ' % way for way in ("send", "accept"))


class LayerApi(Api):
    """The API of one registry of a lab."""

    def __init__(self, registry):
        port = until(lambda: re.findall(r"REST API on port (\d+)", registry.out()))
        self.address, self.registry = ("127.0.0.1", int(port[-1])), registry
        self.context = ssl.create_default_context(cafile=registry.lab.authority.ca)
        self.context.check_hostname = False
        registry.store.change("INSERT INTO credential (rev, created, changed, owner_type, owner, name, type, hash, expires, revoked)"
                              " VALUES (1, 0, 0, 3, 0, 'agency', 1, ?, 0, 0)", hashlib.sha256(AGENCY.encode()).hexdigest())

    def found(self, token=AGENCY, **question):
        return sorted(result["subject"] for result in self.ask(token, **question)["results"])


@pytest.fixture(scope="module", name="lab")
def lab_of_module(tmp_path_factory, server):
    with Lab(tmp_path_factory.mktemp("layers"), server) as lab:
        geo, sector = lab.registry("IN", "geographical"), lab.registry("INA", "sectoral", "IN")
        one, two = lab.registry("INA1", "primary", "INA"), lab.registry("INA2", "primary", "INA")
        lab.bond(geo, sector, CUSTODIAN_BOND)
        lab.bond(sector, one, CUSTODIAN_BOND)
        lab.bond(sector, two)  # of custodians nothing goes over this one
        for registry in (geo, sector, one, two):
            registry.extra = ('api-listen = "127.0.0.1:0";\napi-cert = "%s";\napi-key = "%s";\napi-rate = 10000;\napi-open-rate = 1000;\n'
                              % lab.authority.issue(registry.reg_id.lower() + ".registries.test"))
            registry.extra += 'audit-log = "%s";\n' % registry.path("audit")
            if registry.kind == "primary":
                registry.extra += 'tell-custodians = true;\ndevice-socket = "%s";\n' % registry.path("door.sock")
        lab.start()
        lab.apis = {reg_id: LayerApi(registry) for reg_id, registry in lab.registries.items()}
        lab.devices = things(lab)
        for reg_id in ("IN", "INA"):
            assert until(lambda: set(lab.devices.values()) <= set(lab.apis[reg_id].found(by="use_case", value="meter") +
                                                                 lab.apis[reg_id].found(by="use_case", value="phone")), 60), reg_id
        yield lab


def things(lab):
    """Two devices at one primary registry, one at the other; a custodian of one name at both."""
    for reg_id in ("INA1", "INA2"):
        lab.apis[reg_id].add("custodians", {"account": "asha", "state": "verified", "verifier": "desk", "name": "Asha %s" % reg_id,
                                            "impis": [IMPI]}, AGENCY)
    one, two = (Door(lab.registries[reg_id].path("door.sock")) for reg_id in ("INA1", "INA2"))
    return {"phone": registered(one, phone(make="Acme", model="One", custodian="asha")),
            "meter": registered(one, phone(make="Acme", model="Two", kind="meter", communication=["nb-iot"], protocols=["coap", "lwm2m"],
                                           root_of_trust="secure-element")),
            "other": registered(two, phone(make="Other", model="One", custodian="asha"))}


@pytest.mark.parametrize("layer", ["IN", "INA"])
def test_each_layer_answers_by_each_key(lab, layer):
    """REQ: Y3059-8-3: make, model, capability, trust attribute, ownership; in one place for all the registries below."""
    api, at = lab.apis[layer], lab.devices
    rows = [({"by": "model", "make": "Acme"}, ("phone", "meter")), ({"by": "model", "make": "Acme", "model": "Two"}, ("meter",)),
            ({"by": "capability", "value": "nb-iot"}, ("meter",)), ({"by": "capability", "value": "LwM2M"}, ("meter",)),
            ({"by": "capability", "value": "coap", "model": "One"}, ("phone", "other")), ({"by": "capability", "value": "oap"}, ()),
            ({"by": "root_of_trust", "value": "secure-element"}, ("meter",)), ({"by": "status", "value": "black"}, ()),
            ({"by": "root_of_trust", "value": "usim", "registry": "INA2"}, ("other",)), ({"by": "use_case", "value": "meter"}, ("meter",)),
            ({"by": "model", "make": "Acme", "registry": "INA2"}, ()), ({"by": "model", "make": "Acme", "registry": "INA"}, ("phone", "meter")),
            ({"by": "custodian", "value": "asha", "registry": "INA1"}, ("phone",)), ({"by": "custodian", "value": "a", "registry": "INA1"}, ()),
            ({"by": "custodian", "value": "asha", "registry": "INA2"}, ())]  # its bond carries no custodians
    for question, want in rows:
        assert api.found(**question) == sorted(at[name] for name in want), question
    told = api.ask(AGENCY, by="regdevid", value=at["meter"])["results"][0]
    assert told == {"subject": at["meter"], "status": "white", "known": True, "registry": "INA1", "make": "Acme", "model": "Two",
                    "kind": "meter", "root_of_trust": "secure-element", "capabilities": ["nb-iot", "coap", "lwm2m"]}
    for wrong in ({"by": "root_of_trust", "value": "faith"}, {"by": "status", "value": "red"}, {"by": "custodian", "value": "asha"},
                  {"by": "model", "make": "Acme", "registry": "in1"}):
        api.ask(AGENCY, want=422, **wrong)


def test_the_primary_layer_answers_of_its_own_and_of_others(lab):
    """REQ: Y3059-8-3: at the layer where they register, with the same keys; of another registry when it is named."""
    api, at = lab.apis["INA1"], lab.devices
    for question, want in (({"by": "model", "make": "Acme"}, ("phone", "meter")), ({"by": "capability", "value": "lwm2m"}, ("meter",)),
                           ({"by": "root_of_trust", "value": "usim"}, ("phone",)), ({"by": "custodian", "value": "asha"}, ("phone",)),
                           ({"by": "model", "make": "Other"}, ())):
        assert api.found(**question) == sorted(at[name] for name in want), question
    assert until(lambda: api.found(by="model", make="Other", registry="INA2") == [at["other"]])


def test_answers_are_for_who_may_ask_that(lab):
    """REQ: Y3059-8-3: an enquirer proves who it is, and asks by what it has the right for; status and subject is all it gets without more."""
    api = lab.apis["INA"]
    api.good("POST", "/v1/enquirer-registrations", {"name": "insurer", "organisation": "I", "contact": "a@i.example", "use_case": "cover",
                                                    "public_key": jose.public_of(SEED).hex()}, None, 202)
    number = api.good("GET", "/v1/enquirers?limit=1", token=AGENCY)["items"][0]["id"]
    status, answer = api.call("PATCH", "/v1/enquirers/%d" % number, {"state": "approved", "rights": ["model"]}, AGENCY, {"If-Match": "*"})
    assert status == 200, answer
    token = api.session(SEED)
    results = api.ask(token, by="model", make="Acme")["results"]
    assert sorted(r["subject"] for r in results) == sorted((lab.devices["phone"], lab.devices["meter"]))
    assert {"subject", "status"} == set().union(*results)
    api.ask(token, want=403, by="custodian", value="asha", registry="INA1")


def test_a_change_at_the_primary_is_what_the_others_answer(lab):
    """What a device reports, whose it becomes, and its end arrive above."""
    one, above, at = lab.registries["INA1"], lab.apis["IN"], lab.devices
    door, own = Door(one.path("door.sock")), lab.apis["INA1"]
    status, said = door.ask("POST", "/report", {"regdevid": at["phone"], "seq": 2, "cause": "change", "communication": ["5g"]})
    assert status == 201, said
    assert until(lambda: above.found(by="capability", value="5g") == [at["phone"]])
    assert above.found(by="capability", value="4g") == [at["other"]]
    own.add("custodians", {"account": "ravi", "state": "verified", "verifier": "desk", "name": "Ravi", "impis": [IMPI]}, AGENCY)
    number = own.good("GET", "/v1/devices?regdevid=" + at["phone"], token=AGENCY)["items"][0]["id"]
    own.good("POST", "/v1/devices/%d/transfer" % number, {"account": "ravi"}, AGENCY)
    assert until(lambda: above.found(by="custodian", value="ravi", registry="INA1") == [at["phone"]])
    assert above.found(by="custodian", value="asha", registry="INA1") == []
    own.good("POST", "/v1/devices/%d/retire" % number, {}, AGENCY)
    assert until(lambda: above.found(by="model", make="Acme") == [at["meter"]])
    assert above.found(by="custodian", value="ravi", registry="INA1") == []
    names = [text for registry in ("IN", "INA") for text in lab.registries[registry].rows("SELECT wire FROM event")]
    assert not any(b"Asha" in bytes(wire) or b"Ravi" in bytes(wire) for wire, in names)  # accounts, not people


def test_a_registry_elsewhere_is_asked_and_told(lab):
    """REQ: TEC-A4-1a: from the top, a status is asked of the registries of a sector, and said to them; they answer by it."""
    at, layers = lab.devices["other"], [lab.apis[reg_id] for reg_id in ("IN", "INA", "INA2")]
    assert {api.ask(AGENCY, by="regdevid", value=at)["results"][0]["status"] for api in layers} == {"white"}
    layers[0].add("lists", {"status": "black", "subjects": [at], "reason": "reported stolen"}, AGENCY)
    assert until(lambda: {api.ask(AGENCY, by="regdevid", value=at)["results"][0]["status"] for api in layers} == {"black"})
    assert until(lambda: at in layers[1].good("GET", "/v1/lists/black", token=AGENCY)["subjects"])


def test_pages(lab):
    """More than fit one answer: each page says where the next begins."""
    sector = lab.apis["INA"]
    with lab.registries["INA2"].tool() as tool:
        for n in range(150):
            tool.say("device.registered", "INA2-many-%03d" % n, {"make": "Many", "model": "M%d" % (n % 2), "kind": "sensor"})
    assert until(lambda: sector.found(by="model", make="Many", model="M1", registry="INA2") == ["INA2-many-%03d" % n for n in range(1, 150, 2)])
    pages, behind = [], {}
    while behind is not None:
        answer = sector.ask(AGENCY, by="model", make="Many", **behind)
        pages.append([r["subject"] for r in answer["results"]])
        behind = {"behind": answer["behind"]} if "behind" in answer else None
    assert [len(page) for page in pages[:2]] == [100, 50] and sum(pages, []) == ["INA2-many-%03d" % n for n in range(150)]


def test_the_other_branch_is_asked_by_a_second_imei(lab):
    """REQ: Y3059-7-iv-d: a device with two SIMs is found by either IMEI wherever it is asked for, as long as it has it."""
    own, other = lab.apis["INA1"], lab.apis["INA2"]
    first, second, third = (phone()["identity"] for _ in range(3))

    def status(imei):
        return other.ask(AGENCY, by="identity", scheme="imei", value=imei)["results"][0]["status"]

    at = registered(Door(lab.registries["INA1"].path("door.sock")),
                    dict(phone(make="Duo", model="Sim", identities=[{"scheme": "imei", "value": second}]), identity=first))
    for imei in (first, second, second[:14]):
        assert until(lambda imei=imei: status(imei) == "white"), imei
    number = own.good("GET", "/v1/devices?regdevid=" + at, token=AGENCY)["items"][0]["id"]
    override = own.good("POST", "/v1/overrides", {"device": number, "status": "black", "reason": "stolen"}, AGENCY, 201)["id"]
    assert until(lambda: status(second) == "black")
    known = own.good("GET", "/v1/device-identities?device=%d" % number, token=AGENCY)["items"]
    own.add("device-identities", {"device": number, "scheme": "imei", "value": third}, AGENCY)
    assert until(lambda: status(third) == "black")
    assert own.call("DELETE", "/v1/device-identities/%d" % known[0]["id"], None, AGENCY, {"If-Match": "*"})[0] in (200, 204)
    assert until(lambda: status(second) == "grey")
    assert (status(first), status(third)) == ("black", "black")
    assert own.call("POST", "/v1/devices", {"scheme": "imei", "identity": third, "make": "X", "model": "Y"}, AGENCY)[0] == 409
    own.good("POST", "/v1/overrides/%d/lift" % override, {}, AGENCY)
    assert until(lambda: status(third) == "white")
