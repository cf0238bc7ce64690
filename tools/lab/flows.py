# SPDX-License-Identifier: Apache-2.0
"""The flows of Y.3056 clause 10 on running nodes, from an empty realm to the application's answer: gba-lab --flows."""
import json
import urllib.request

from . import rest
from .lab import Lab
from .devices import Device
from .process import wait_until
from .realm import AGENT, BSF, BSF_DIAMETER, HSS, NAF, OPERATOR, q

COMPANY = {"type": "cin", "identity": "L17110MH1973PLC019786", "name": "Fabrics", "contact": "it@fabrics.example"}


def luhn(body):
    """Check digit of ISO/IEC 7812-1."""
    total = sum(sum(divmod(int(c) * (2 - i % 2), 10)) for i, c in enumerate(reversed(body)))
    return body + str(-total % 10)


class Flows(Lab):
    """Each scenario is one flow; what it makes the next one stands on."""

    title = "The flows of Y.3056 clause 10"
    few = True

    def __init__(self, realm, options):
        super().__init__(realm, options)
        realm.site_gsids = []  # the application's own comes with the token
        self.anybody = self.operator = self.asp = self.user = None
        self.company = self.application = self.permission = None
        self.device = Device(realm, "meter", "001010000000001")

    # ---- 10.1
    def deployment(self):
        realm = self.realm
        self.anybody, self.operator = rest.first_administrator(realm)
        self.operator.post("/v1/realm", {
            "realm": OPERATOR, "name": "Operator One", "bsf_identity": BSF_DIAMETER, "bsf_url": "http://%s/" % BSF, "hss_identity": HSS,
            "api_url": "https://%s:%d/" % (realm.address("hss"), rest.API_PORT), "alias_domain": "apps." + OPERATOR, "token_lifetime": 3600})
        profile = self.anybody.get("/.well-known/gba-realm")
        page = self.anybody.get("/realm", raw=True)
        return "%s; tokens of %d s, %s; procedures for ASPs and devices on a page of %d octets" % (
            profile["realm"], profile["token"]["lifetime"], profile["bsf_identity"], len(page))

    # ---- 10.2
    def on_boarding(self):
        asked = self.anybody.post("/v1/asp-registrations", COMPANY)
        self.asp = self.anybody.become(asked["token"])
        record = next(a for a in self.operator.get("/v1/asps?state=requested")["items"] if a["identity"] == COMPANY["identity"])
        self.company = self.operator.patch(record, "asps", {"state": "active", "notice_drop": "asp", "names": [NAF]})
        self.asp.post("/v1/asps/%d/credentials" % self.company["id"], {"name": "server", "type": "certificate"})
        self.application = self.asp.post("/v1/applications", {
            "asp": self.company["id"], "type": "fqdn", "identity": NAF, "name": "Readings", "published": True, "attributes": ["name"],
            "ua_ids": ["0100000007", "0100000002"]})
        bundle = self.asp.post("/v1/applications/%d/bundle" % self.application["id"], {"identity": "agent." + NAF}, raw=True)
        ours = self.operator.get("/v1/applications/%d" % self.application["id"])
        self.operator.patch(ours, "applications", {"push_peer": AGENT})  # the laboratory has an agent already
        wait_until(lambda: "application-registered" in rest.letters(self.realm, "asp"), 20, "the ASP is told")
        return "%s is GSID %d; its agent's configuration: %d octets; the ASP is told by letter" % (
            self.application["naf_fqdn"], self.application["gsid"], len(bundle))

    # ---- 10.3
    def people(self):
        """What the operator knows of its subscriber before: a person and a device, both verified."""
        case = self.operator.post("/v1/verifications", {"reference": "case-1", "name": "Asha", "verifier": "shop 4", "level": 2})
        person = self.operator.post("/v1/users", {"account": "asha", "verification": case["id"], "notice_drop": "user"})
        shown = self.operator.post("/v1/authentications", {"reference": "auth-1", "method": "aka", "authenticator": "shop 4",
                                                           "identities": ["imei:" + luhn("35209900000017")]})
        self.operator.post("/v1/devices", {"impi": self.device.impi, "custodian": person["id"], "authentication": shown["id"],
                                           "name": "Meter"})
        token = self.operator.post("/v1/users/%d/credentials" % person["id"], {"name": "phone"})["token"]
        self.user = self.anybody.become(token)

    def trust_extension(self):
        wish = self.user.post("/v1/requests", {"impi": self.device.impi, "application": self.application["id"]})
        self.user.post("/v1/requests/%d/consent" % wish["id"], {"attributes": ["name"]})
        wait_until(lambda: "request-passed" in rest.letters(self.realm, "asp"), 20, "the ASP is asked")
        granted = self.asp.post("/v1/requests/%d/grant" % wish["id"], {})
        self.permission = self.asp.get("/v1/permissions/%d" % granted["permission"])
        wait_until(lambda: "access-granted" in rest.letters(self.realm, "user"), 20, "the user is told")
        wait_until(self.heard, 20, "the bsf is told")  # what it pushes before, the agent would ask for again
        return "permission %s; the ASP knows the user as %s" % (self.permission["flag"], self.permission["pseudonym"])

    def metrics(self, start):
        """Of the bsf: sum of those that begin so."""
        with urllib.request.urlopen("http://%s:9100/metrics" % self.realm.address("bsf"), timeout=30) as page:
            return sum(float(line.split()[-1]) for line in page.read().decode().splitlines() if line.startswith(start))

    def heard(self):
        """Has a notice of the authorization element reached the bsf?"""
        return self.metrics("gba_bsf_notices_total{") > 0

    # ---- 10.4, 10.5
    def pushed(self, action):
        """What action() returns, once the agent has said that it has the token."""
        taken = 'gba_bsf_pushes_total{result="taken"}'
        before = self.metrics(taken)
        done = action()
        wait_until(lambda: self.metrics(taken) > before, 20, "the agent has the token")
        return done

    def token(self):
        run = self.pushed(lambda: self.device.bootstrap("--force", "--naf", NAF))
        return "B-TID %s for %s" % (run["btid"], NAF)

    def by_certificate(self):
        """The same device with a certificate of the realm's CA: its key is made in it and stays there."""
        device, realm = self.device, self.realm
        device.must("certificate", "request", "-o", realm.path("device.csr"))
        issued = json.loads(realm.ctl("--json", "ca", "issue", "meter", "--ca-dir", realm.path("ca"), "--csr", realm.path("device.csr"),
                                      "--for", "device:" + device.impi))
        device.must("certificate", "install", "-", stdin=issued["certificate"])
        device.must("profile", "add", "certificate", "--bsf", BSF, "--connect", realm.address("bsf") + ":443", "--ca-file",
                    realm.authority.ca, "--certificate", "--announce")
        device.must("profile", "use", "certificate")
        run = self.pushed(lambda: device.bootstrap("--force", "--naf", NAF))
        seen = self.open(device, "https", "--psk", "--tls1.3")()
        device.must("profile", "use", "operator")
        return "B-TID %s, Ks of the TLS connection; %s" % (run["btid"], seen)

    def no_permission(self):
        """The same device, once the ASP has taken the flag back."""
        self.permission = self.asp.patch(self.permission, "permissions", {"flag": "cleared"})
        status, _, error = self.device.ue("bootstrap", "--force", "--naf", NAF)
        self.permission = self.asp.patch(self.permission, "permissions", {"flag": "set"})
        return "gba-ue bootstrap: status %d: %s" % (status, error)

    def run(self):
        self.device.provision(guss=False)
        self.device.personalise("--announce")
        self.scenario("10.1 Deployment: a realm makes itself known", self.deployment)
        self.scenario("10.2 An ASP and its application come on board", self.on_boarding)
        self.people()
        self.steps()  # what was entered before the flow begins
        self.scenario("10.3 Trust extension: the user asks, the ASP grants", self.trust_extension, lambda seen: "permission set" in seen)
        self.scenario("10.4 Token generation: permission first, token pushed", self.token)
        self.scenario("10.5 Service interaction over PSK-TLS", self.open(self.device, "https", "--psk", "--tls1.3"),
                      lambda seen: seen.startswith("200"))
        self.scenario("10.4-5 The same by certificate, over mutual TLS", self.by_certificate, lambda seen: "; 200 by" in seen)
        self.scenario("10.4-3c No token without the permission", self.no_permission, lambda seen: "status 4" in seen)
        return self.good()

    def hss_conf(self):
        return rest.conf(self.realm)

    def bsf_conf(self):
        cert, key = self.realm.authority.issue(BSF)
        return ("asymmetric = ( { listen = %s; tls-cert = %s; tls-key = %s; device-ca = %s; device-crl = %s; } );\n"
                % tuple(q(x) for x in (self.realm.address("bsf") + ":443", cert, key, self.realm.path("ca", "ca.pem"),
                                       self.realm.path("ca", "crl.pem"))))
