# SPDX-License-Identifier: Apache-2.0
"""A realm with a trust registry: freeDiameterd with the agent and the registry, as an operator of a registry runs it."""
import http.client
import json
import re
import socket
import ssl

from lab.realm import ASP, BSF, BSF_DIAMETER, HSS, IMPI_REALM, OPERATOR, Realm, q
from lab.devices import Device
from lab.process import Process, free_port
from peers.waiting import PATIENCE, page, until
from store import File, Schema

REGISTRY = "registry." + ASP  # Diameter identity
REGISTRY_NAF = "register." + ASP  # what devices address
IMPI = "001010000000001@" + IMPI_REALM


class RegistryRealm(Realm):
    def __init__(self, *words, server=None, **options):
        """server: a PostgreSQL server; without one records are in a file."""
        super().__init__(*words, **options)
        self.store = Schema(server) if server else File(self.path("registry.db"))

    def registry_conf(self, reg_id="IN1", reg_type="primary", parent="IN", extra=""):
        return self._write("registry.conf", self.common("registry") + 'reg-id = %s;\nreg-type = %s;\nparent = %s;\ndatabase = %s;\n'
                           'kek-file = %s;\nkey-file = %s;\nmetrics-listen = %s;\n'
                           'device-socket = %s;\naudit-log = %s;\nreport-check = 1;\n%s%s'
                           % (q(reg_id), q(reg_type), q(parent), q(self.store.url), q(self.path("registry.kek")),
                              q(self.path("registry.key")), q(self.address("registry") + ":9100"), q(self.path("door.sock")), q(self.path("registry.db.audit")),
                              "" if "store-timeout" in extra else "store-timeout = 20000;\n", extra))

    def registry_agent_conf(self):
        return self._write("registry-naf.conf", self.common("registry") + 'audit-log = %s;\n' % q(self.path("registry-naf.audit.log")) + 'socket = %s;\n'
                           'realms = ( { domain = %s; realm = %s; host = %s; } );\n'
                           'clients = ( { name = "naf-proxy"; user = "*"; fqdns = [ %s ]; } );\n%s'
                           % (q(self.path("registry-naf.sock")), q(BSF), q(OPERATOR), q(BSF_DIAMETER), q(REGISTRY_NAF), self.patient("agent")))

    def registry_daemon(self, **conf):
        guard = self.guard_conf("registry", [(BSF_DIAMETER, ["zn", "rpa"])])
        return self.daemon_conf("registry", REGISTRY, ASP,
                                [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard), ("naf", self.registry_agent_conf()),
                                 ("registry_fn", self.registry_conf(**conf))],
                                [(BSF_DIAMETER, self.address("bsf"))])

    def start_registry(self, **conf):
        process = self.start_daemon("registry", self.registry_daemon(**conf), 9100)
        assert until(lambda: self.ready("registry")), process.log_text()
        return process

    def door(self):
        return Door(self.path("door.sock"))

    def rows(self, sql, *values):
        """What the registry's database says."""
        return self.store.rows(sql, *values)

    def told(self, kind="device.registered"):
        """Subjects of the events of a kind."""
        texts = [bytes(wire).decode(errors="replace") for wire, in self.rows("SELECT wire FROM event ORDER BY seq")]
        return [re.search(r'"subject":"([^"]*)"', text).group(1) for text in texts if '"%s"' % kind in text]

    def change(self, sql, *values):
        """What an administrator's tool would have written."""
        self.store.change(sql, *values)

    def registry_log(self):
        with open(self.path("registry.log"), encoding="utf-8") as log:
            return log.read()


class Door:
    """The registry's socket, spoken to as the proxy in front of it does."""

    def __init__(self, path):
        self.path = path

    def ask(self, method, target, body=None, impi=IMPI, headers=()):
        """(status, JSON) of one request."""
        text = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
        head = ["%s %s HTTP/1.1" % (method, target), "Host: registry", "Connection: close"]
        if impi:
            head.append('X-3GPP-Asserted-Identity: "%s"' % impi)
        if body is not None:
            head += ["Content-Type: application/json", "Content-Length: %d" % len(text.encode())]
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(2 * PATIENCE)
            sock.connect(self.path)
            sock.sendall(("\r\n".join(head + list(headers)) + "\r\n\r\n" + text).encode())
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            octets = answer.read()
        return answer.status, json.loads(octets) if octets else None


class WholeRealm(RegistryRealm):
    """The operator's nodes, the registry and gba-naf-proxy in front of it."""

    def start_bsf(self, peers=None, **conf):
        nafs = '{ identity = %s; fqdns = [ %s ]; impi-allowed = true; }' % (q(REGISTRY), q(REGISTRY_NAF))
        guard = self.guard_conf("bsf", [(HSS, ["zh", "rpb"]), (REGISTRY, ["zn", "rpa"])])
        daemon = self.daemon_conf("bsf", BSF_DIAMETER, OPERATOR, [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard),
                                                                 ("bsf", self.bsf_conf(nafs=nafs, **conf))],
                                  [(HSS, self.address("hss")), (REGISTRY, None)])
        return self.start_daemon("bsf", daemon, 80)

    def proxy_conf(self, extra=""):
        return self._write("proxy.conf", self.common("proxy") + 'listeners = ( { address = %s; tls = true; } );\n'
                           'sites = ( { fqdn = %s; upstream = %s; identity = "impi"; } );\nagent-socket = %s;\nmetrics = %s;\n%s'
                           % (q(self.address("proxy") + ":443"), q(REGISTRY_NAF), q("unix:" + self.path("door.sock")),
                              q(self.path("registry-naf.sock")), q(self.address("proxy") + ":9100"), self.patient("proxy", extra)))

    def start(self):
        self.start_hss()
        self.start_bsf()
        self.start_registry(extra="report-interval = 60;\n")
        self.start_proxy()
        self.wait_connected(("bsf",))
        assert until(lambda: page("http://%s:9101/readyz" % self.address("registry"))[0] == 200)

    def device(self, name, imsi):
        device = Device(self, name, imsi)
        device.provision()
        device.personalise()
        return device

    def register_words(self, identity, *more):
        """A command line for gba-ue."""
        return ["register", "https://" + REGISTRY_NAF, "--connect", self.address("proxy") + ":443", "--scheme", identity[0], "--identity",
                identity[1], "--make", "Acme", "--model", "One", *more]

    def start_coap(self):
        """gba-naf-coap in front of the same door."""
        port = self.coap_port = free_port(self.address("proxy"))
        conf = self._write("coap.conf", self.common("coap") + 'listen = "%s:%d";\nfqdn = %s;\nupstream = %s;\nagent-socket = %s;\n'
                           'identity = "impi";\nwait = 5000;\nwait-share = 100;\nupstream-timeout = 20000;\nmetrics-listen = %s;\n%s'
                           % (self.address("proxy"), port, q(REGISTRY_NAF), q("unix:" + self.path("door.sock")), q(self.path("registry-naf.sock")),
                              q(self.address("proxy") + ":9102"), self.patient("proxy")))
        process = Process("coap", [self.tree.program("gba-naf-coap"), "-c", conf], self.path("coap.out"), env=self.tree.environment())
        return self.start_process("coap", process, self.address("proxy"), 9102)


class Caller:
    """Of the registry's API, over one connection that stays."""

    def __init__(self, node, token):
        tls = ssl.create_default_context(cafile=node.pem)
        tls.check_hostname = False
        self.link = http.client.HTTPSConnection(node.address("registry"), node.port, context=tls, timeout=60)
        self.token = token

    def ask(self, method, path, body=None, kind="application/json", **head):
        if self.token:
            head["Authorization"] = "Bearer " + self.token
        if body is not None:
            head["Content-Type"] = kind
        self.link.request(method.upper(), path, body, head)
        answer = self.link.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text and "json" in answer.getheader("Content-Type", "") else text
