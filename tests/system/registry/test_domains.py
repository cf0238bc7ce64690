# SPDX-License-Identifier: Apache-2.0
"""Several trust domains on one process (Y.3059 6.1): one with a strict mechanism that hides identities, one that takes what it gets. Each
knows its own devices, callers and rules, and nothing of the other's."""
import hashlib
import os
import re
import ssl

import pytest
from registrylab import REGISTRY, Door, RegistryRealm
from store import File
from test_ask import Api, certificate
from test_door import phone, registered

from lab.process import Process
from lab.realm import ASP, q
from peers.waiting import until

STRICT = 'root-of-trust = "required";\nhide-identity = true;\ntrust-rules = ( { when = "vulnerabilities >= 1"; status = "black"; } );\n'
LAX = 'root-of-trust = "grey";\ntrust-rules = ( { when = "severity >= critical"; status = "black"; } );\n'


class Domain(Api):
    """One registry of the process; its files have its RegID in front."""

    def __init__(self, realm, reg_id, extra):
        self.realm, self.reg_id, self.agency = realm, reg_id, "gba_" + reg_id[0].lower() * 43
        self.store = File(self.path("db"))
        self.conf = realm._write(reg_id + ".conf", 'log-level = "info";\nlog-file = %s;\nreg-id = %s;\ndatabase = %s;\nkek-file = %s;\nkey-file = %s;\n'
                                 'device-socket = %s;\naudit-log = %s;\napi-listen = "%s:0";\napi-cert = %s;\napi-key = %s;\nreport-check = 1;\n%s'
                                 % (q(self.path("log")), q(reg_id), q(self.store.url), q(self.path("kek")), q(self.path("key")),
                                    q(self.path("door")), q(self.path("audit")), realm.address("registry"), q(realm.path("api.pem")),
                                    q(realm.path("api.key")), extra))

    def path(self, name):
        return self.realm.path(self.reg_id + "." + name)

    def log_text(self):
        if not os.path.exists(self.path("log")):  # not there yet
            return ""
        with open(self.path("log"), encoding="utf-8") as log:
            return log.read()

    def started(self):
        self.address = (self.realm.address("registry"), int(until(lambda: re.findall(r"REST API on port (\d+)", self.log_text()))[-1]))
        self.context = ssl.create_default_context(cafile=self.realm.path("api.pem"))
        self.context.check_hostname = False
        self.store.change("INSERT INTO credential (rev, created, changed, owner_type, owner, name, type, hash, expires, revoked)"
                          " VALUES (1, 0, 0, 3, 0, 'agency', 1, ?, 0, 0)", hashlib.sha256(self.agency.encode()).hexdigest())
        self.door = Door(self.path("door"))
        return self

    def result(self, **question):
        return self.ask(self.agency, **question)["results"]


def daemon(realm, domains):
    guard = realm.guard_conf("registry", [])
    tree = [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard)]
    return realm.daemon_conf("registry", REGISTRY, ASP, tree + list(zip(("registry_fn", "registry_domain"), (one.conf for one in domains))), [])


@pytest.fixture(scope="module", name="domains")
def domains_of_module(tmp_path_factory):
    with RegistryRealm(tmp_path_factory.mktemp("domains") / "realm", trace=False) as realm:
        certificate(realm)
        domains = [Domain(realm, "HEALTH", STRICT), Domain(realm, "TOYS", LAX)]
        process = Process("registry", [realm.tree.program("freeDiameterd"), "-c", daemon(realm, domains)], realm.path("out"),
                          env=realm.tree.environment())
        realm.start_process("registry", process, realm.address("registry"), 9101)
        yield [one.started() for one in domains]


def test_each_has_its_own_devices_and_mechanism(domains):
    """REQ: Y3059-6.1-10: one process; the same device under two RegDevIDs, by each domain's own idea of what a root of trust is worth."""
    strict, lax = domains
    device, bare = phone(), phone(root_of_trust="none")
    names = [registered(domain.door, device) for domain in domains]
    assert names[0].startswith("HEALTH-HID-") and names[1].startswith("TOYS-IMEI-" + device["identity"])
    assert strict.door.ask("POST", "/register", bare)[0] == 403
    assert lax.result(by="regdevid", value=registered(lax.door, bare))[0]["status"] == "grey"
    for domain, own, other in ((strict, *names), (lax, *reversed(names))):
        assert domain.result(by="regdevid", value=own)[0]["status"] == "white"
        assert domain.result(by="regdevid", value=other) == [{"subject": other, "status": "grey", "known": False}]
        assert domain.door.ask("GET", "/device?regdevid=" + other)[0] == 404
    assert strict.public() != lax.public()
    assert [len(domain.store.rows("SELECT id FROM device")) for domain in domains] == [1, 2]


def test_each_has_its_own_rules_and_reports(domains):
    """REQ: Y3059-6.1-10: what is Black by the rules of one is not so by those of the other; a report of one is not told to the other."""
    device = phone(make="Pump", model="P1")
    names = [registered(domain.door, device) for domain in domains]
    report = {"reference": "P-1", "source": "agency", "reporter": "CERT", "title": "open port", "make": "Pump", "model": "P1"}
    for domain in domains:
        number = domain.add("vulnerabilities", report, domain.agency)["id"]
        if domain is domains[0]:
            assert domains[1].call("GET", "/v1/vulnerabilities/1", None, domains[1].agency)[0] == 404
        status, told = domain.call("PATCH", "/v1/vulnerabilities/%d" % number, {"state": "confirmed"}, domain.agency, {"If-Match": "*"})
        assert status == 200, told
    assert [domain.result(by="regdevid", value=name)[0]["status"] for domain, name in zip(domains, names)] == ["black", "white"]


def test_callers_of_one_are_nobody_to_the_other(domains):
    """REQ: Y3059-6.1-10"""
    strict, lax = domains
    assert strict.call("GET", "/v1/devices", None, lax.agency)[0] == lax.call("GET", "/v1/devices", None, strict.agency)[0] == 401
    signed = strict.good("GET", "/v1/log/head", token=None)["head"]
    assert lax.call("POST", "/v1/log/consistency", {"first": signed}, None)[0] == 422  # another log, another key


def test_neighbours_and_s13_belong_to_one(tmp_path):
    with RegistryRealm(tmp_path / "realm", trace=False) as realm:
        certificate(realm)
        domains = [Domain(realm, name, 's13-peers = [ "mme.operator.example" ];\n') for name in ("HEALTH", "TOYS")]
        process = Process("registry", [realm.tree.program("freeDiameterd"), "-c", daemon(realm, domains)], realm.path("out"),
                          env=realm.tree.environment()).start()
        assert until(lambda: not process.alive())
        assert "s13-peers: another trust domain of this process has them" in domains[1].log_text()
