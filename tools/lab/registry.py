# SPDX-License-Identifier: Apache-2.0
"""Three trust registries (Y.3059) beside the realm: a sectoral one with two primary ones below, gba-lab --registry."""
import base64
import json
import os
import subprocess

from .devices import Device
from .ladder import COLUMNS
from .mme import Mme
from .process import wait_until
from .realm import AGENT, ASP, BSF, BSF_DIAMETER, HSS, OPERATOR, Realm, q
from .rest import API_PORT, Caller
from .scenarios import Scenarios

NAF = "register." + ASP  # what devices address
REALM, PEERING, S13 = "registries.example", "4294901764", "16777252"
MME = "mme." + OPERATOR
MODERN = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410: in front of an Ed25519 seed
SPKI = bytes.fromhex("302a300506032b6570032100")	   # in front of a public key
IMEI, MAKE, MODEL = "490154203237518", "Acme", "Meter"


class Key:
    """An Ed25519 key of openssl's: its seed in hex and its public key."""

    def __init__(self, folder):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        seed, self.der, self.folder = os.urandom(32), os.path.join(folder, "key.der"), folder
        for path, octets in ((self.der, PKCS8 + seed), (os.path.join(folder, "registry.key"), seed.hex().encode() + b"\n")):
            with open(path, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as out:
                out.write(octets)
        self.public = self.openssl("pkey", "-inform", "DER", "-in", self.der, "-pubout", "-outform", "DER")[len(SPKI):].hex()

    @staticmethod
    def openssl(*words):
        return subprocess.run(["openssl", *words], capture_output=True, check=True).stdout

    def sign(self, text):
        with open(os.path.join(self.folder, "text"), "wb") as out:
            out.write(text.encode())
        return self.openssl("pkeyutl", "-sign", "-keyform", "DER", "-inkey", self.der, "-rawin", "-in", os.path.join(self.folder, "text"))


class Registry:
    def __init__(self, realm, reg_id, kind, node):
        self.realm, self.reg_id, self.kind, self.node = realm, reg_id, kind, node
        self.host, self.folder = "%s.%s" % (reg_id.lower(), REALM), realm.path("registry-" + reg_id)
        self.key, self.neighbours = Key(self.folder), []
        self.trace = os.path.join(self.folder, "trace.jsonl") if realm.trace else ""

    def path(self, name):
        return os.path.join(self.folder, name)

    def conf(self, extra):
        cert, key = self.realm.authority.issue("api." + self.host)
        rows = ", ".join("{ reg-id = %s; host = %s; key = %s; reg-type = %s; bond = %s; }"
                         % (q(n.reg_id), q(n.host), q(n.key.public), q(n.kind), q(bond)) for n, bond in self.neighbours)
        parent = next((n.reg_id for n, bond in self.neighbours if bond == "parent"), "")
        common = self.realm.common(self.node).replace(q(self.realm.trace), q(self.trace))
        return self.realm._write(self.node + ".conf", common + "reg-id = %s;\nreg-type = %s;\nparent = %s;\ndatabase = %s;\nkek-file = %s;\n"
                                 "key-file = %s;\nmetrics-listen = %s;\nneighbours = ( %s );\ns13-peers = [ %s ];\n"
                                 "api-listen = %s;\napi-cert = %s;\napi-key = %s;\n%s"
                                 % (q(self.reg_id), q(self.kind), q(parent), q(self.path("registry.db")), q(self.path("registry.kek")),
                                    q(self.path("registry.key")), q(self.realm.address(self.node) + ":9100"), rows, q(MME),
                                    q("%s:%d" % (self.realm.address(self.node), API_PORT)), q(cert), q(key), extra))

    def start(self, extensions=(), peers=(), applications=(), extra=""):
        realm = self.realm
        guard = realm.guard_conf(self.node, [(n.host, [PEERING]) for n, _ in self.neighbours] + [(MME, [S13])] + list(applications))
        conf = realm.daemon_conf(self.node, self.host, REALM, [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard), *extensions,
                                                              ("registry_fn", self.conf(extra))],
                                 [(n.host, realm.address(n.node)) for n, _ in self.neighbours] + [(MME, None)] + list(peers))
        with open(conf, "r+", encoding="utf-8") as file:
            text = file.read().replace("NORMAL:-VERS-TLS1.3", MODERN)
            file.seek(0)
            file.write(text)
            file.truncate()
        realm.start_daemon(self.node, conf, 9100)

    def caller(self, role=None):
        """Somebody at its API; with a credential of that role."""
        anybody = Caller(self.realm.address(self.node), self.realm.authority.ca)
        if role is None:
            return anybody
        done = self.realm.run("gba-ctl", "--json", "-c", self.realm.path(self.node + ".conf"), "registry", "token", "issue", "--acts-as", role,
                              "--name", role)
        if done.returncode != 0:
            raise RuntimeError("gba-ctl registry token issue: " + done.stderr.strip())
        return anybody.become(json.loads(done.stdout)["token"])


class RegistryRealm(Realm):
    """The realm and its ASP, and three registries; devices come to the first through a gba-naf-proxy of its own."""

    def __init__(self, *words, **options):
        super().__init__(*words, **options)
        self.top = Registry(self, "IN", "sectoral", "registry-top")
        self.one, self.other = Registry(self, "IN1", "primary", "registry"), Registry(self, "IN2", "primary", "registry-other")
        for below in (self.one, self.other):
            self.top.neighbours.append((below, "child"))
            below.neighbours.append((self.top, "parent"))

    def start_bsf(self, **conf):
        nafs = ", ".join("{ identity = %s; fqdns = [ %s ]; impi-allowed = true; }" % (q(who), q(name))
                         for who, name in ((AGENT, "app." + ASP), (self.one.host, NAF)))
        guard = self.guard_conf("bsf", [(HSS, ["zh", "rpb"]), (AGENT, ["zn", "rpa"]), (self.one.host, ["zn", "rpa"])])
        daemon = self.daemon_conf("bsf", BSF_DIAMETER, OPERATOR, [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard),
                                                                 ("bsf", self.bsf_conf(nafs=nafs, **conf))],
                                  [(HSS, self.address("hss")), (AGENT, None), (self.one.host, None)])
        return self.start_daemon("bsf", daemon, 80)

    def start_registries(self):
        socket, door = self.path("registry-naf.sock"), self.path("door.sock")
        agent = self._write("registry-naf.conf", self.common("registry-naf") + "audit-log = %s;\nsocket = %s;\n"
                            "realms = ( { domain = %s; realm = %s; host = %s; } );\nclients = ( { name = \"naf-proxy\"; user = \"%d\"; fqdns = [ %s ]; } );\n%s"
                            % (q(self.path("registry-naf.audit.log")), q(socket), q(BSF), q(OPERATOR), q(BSF_DIAMETER), os.getuid(), q(NAF),
                               self.patient("agent")))
        self.top.start()
        self.other.start()
        self.one.start([("naf", agent)], [(BSF_DIAMETER, self.address("bsf"))], [(BSF_DIAMETER, ["zn", "rpa"])], "device-socket = %s;\n" % q(door))
        conf = self._write("registry-proxy.conf", self.common("registry-proxy") + "listeners = ( { address = %s; } );\n"
                           "sites = ( { fqdn = %s; upstream = %s; identity = \"impi\"; } );\nagent-socket = %s;\n%s"
                           % (q(self.address("registry-proxy") + ":443"), q(NAF), q("unix:" + door), q(socket), self.patient("proxy")))
        self.start_program("registry-proxy", "gba-naf-proxy", conf, 443)
        for node in ("registry-top", "registry-other", "registry"):
            self.wait_connected((node,))


class Registries(Scenarios):
    title = "Three trust registries: from a bootstrapped device to everybody's knowledge of it"
    columns = [name for name in COLUMNS if name not in ("application", "naf-agent")] + ["IN1", "IN", "IN2", "mme"]
    few = True

    def __init__(self, realm, options):
        super().__init__(options, [(realm.trace, {})] + [(r.trace, {"registry-fn": r.reg_id}) for r in (realm.one, realm.top, realm.other)])
        self.realm, self.device, self.regdevid = realm, Device(realm, "meter", "001010000000001"), None
        self.agency = self.admin = self.vulnerability = None
        self.enquirer = Key(realm.path("enquirer"))

    def hss_conf(self):
        return ""

    def bsf_conf(self):
        return ""

    def there(self):
        return ["--connect", self.realm.address("registry-proxy") + ":443"]

    def device_folder(self):
        return self.device.state

    def how(self):
        one = self.realm.one
        curl = "curl -sS --cacert %s --connect-to ::%s:%d https://api.%s:%d/.well-known/gba-registry" % (
            self.realm.authority.ca, self.realm.address(one.node), API_PORT, one.host, API_PORT)
        return ["$ue report --firmware 9.9 " + " ".join(self.there()), curl,
                "%s -c %s registry device list" % (self.realm.program_line("gba-ctl"), self.realm.path(self.realm.one.node + ".conf"))]

    def seen_at(self, registry, want):
        """What an MME of that branch is told, once it is what is wanted."""
        with Mme(self.realm.address(registry.node), MME, OPERATOR, self.realm.authority, REALM) as mme:
            wait_until(lambda: mme.check(IMEI) == want, 20, "the registry %s says %s" % (registry.reg_id, want), every=0.02)
            return "%s by S13 at %s" % (mme.check(IMEI), registry.reg_id)

    # ---- 7-iv-a..c
    def register(self):
        done = self.device.must("register", "https://" + NAF, *self.there(), "--scheme", "imei", "--identity", IMEI, "--make", MAKE, "--model",
                                MODEL, "--kind", "meter", "--firmware", "1.0")
        self.regdevid = done["regdevid"]
        return "%s, %s; %s" % (self.regdevid, done["state"], self.seen_at(self.realm.other, "whitelisted"))

    # ---- 6.1, 7-iv-d..f
    def report(self, firmware, want):
        def action():
            sent = self.device.must("report", *self.there(), "--firmware", firmware)
            here = self.admin.get("/v1/devices/key:imei,%s" % IMEI)
            status = self.admin.get("/v1/devices/%d/status" % here["id"])
            return "report %d: %s (%s); %s" % (sent["seq"], status["status"], status.get("cause", "-"), self.seen_at(self.realm.other, want))
        return action

    def disclose(self):
        one = self.agency.post("/v1/vulnerabilities", {
            "reference": "LAB-1", "source": "platform", "reporter": "platform.example", "device_type": "meter", "title": "open maintenance port", "make": MAKE, "model": MODEL, "versions": [">=1.1 <1.2"],
            "cve": "CVE-2031-10001", "cvss": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"})
        one = self.agency.call("PATCH", "/v1/vulnerabilities/%d" % one["id"], {"state": "confirmed"}, If_Match="*",
                               Content_Type="application/merge-patch+json")
        return "%s, score %.1f, %s; %d devices have that firmware" % (one["cve"], one["score"] / 10, one["state"], one["devices"])

    # ---- 9.3
    def interrogate(self):
        anybody = self.realm.one.caller()
        anybody.post("/v1/enquirer-registrations", {"name": "shop", "organisation": "Shop", "contact": "a@shop.example",
                                                    "use_case": "second-hand meters", "public_key": self.enquirer.public})
        one = next(e for e in self.admin.get("/v1/enquirers")["items"] if e["name"] == "shop")
        self.admin.call("PATCH", "/v1/enquirers/%d" % one["id"], {"state": "approved", "rights": ["regdevid"]}, If_Match="*",
                        Content_Type="application/merge-patch+json")
        challenge = anybody.post("/v1/challenges", {"public_key": self.enquirer.public})
        said = "gba-registry-challenge %s %s" % (challenge["reg_id"], challenge["challenge"])
        session = anybody.become(anybody.post("/v1/sessions", {"challenge": challenge["challenge"],
                                                               "signature": self.enquirer.sign(said).hex()})["token"])
        answer = session.post("/v1/questions", {"by": "regdevid", "value": self.regdevid})
        return "%s; signature of IN1: %s; entry %d of its log" % (*self.verified(answer["answer"]), answer["receipt"]["index"])

    def verified(self, jws):
        """What a signed answer says; whether openssl finds the registry's signature good."""
        head, payload, signature = jws.split(".")
        files = {"message": ("%s.%s" % (head, payload)).encode(), "signature": base64.urlsafe_b64decode(signature + "=="),
                 "public": SPKI + bytes.fromhex(self.realm.one.key.public)}
        for name, octets in files.items():
            with open(self.realm.path("enquirer", name), "wb") as out:
                out.write(octets)
        path = lambda name: self.realm.path("enquirer", name)  # noqa: E731
        done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", path("public"), "-rawin", "-in",
                               path("message"), "-sigfile", path("signature")], capture_output=True)
        body = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return json.dumps(body.get("results", body.get("result", body)))[:160], "good" if done.returncode == 0 else "BAD"

    def run(self):
        self.device.provision()
        self.device.personalise()
        self.realm.start_registries()
        self.agency, self.admin = self.realm.one.caller("agency"), self.realm.one.caller("admin")
        self.steps()
        self.scenario("Register, Acknowledge, Set: the device gets its RegDevID", self.register, lambda seen: "registered" in seen)
        self.scenario("A vulnerability of a firmware nobody has reported yet", self.disclose, lambda seen: "0 devices" in seen)
        self.scenario("Report: that firmware. Black here, and in the other branch", self.report("1.1", "blacklisted"),
                      lambda seen: ": black" in seen)
        self.scenario("An enquirer proves its key and gets a signed answer", self.interrogate,
                      lambda seen: "black" in seen and "signature of IN1: good" in seen)
        self.scenario("Report: the mended firmware. White again everywhere", self.report("1.2", "whitelisted"),
                      lambda seen: ": white" in seen)
        return self.good()
