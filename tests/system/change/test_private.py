# SPDX-License-Identifier: Apache-2.0
"""A provider without any mobile core (mapping.md G16): the same nodes, names and identities of its own, keys it has drawn."""
import os

import pytest

from conftest import TREE
from lab.certs import Authority
from lab.operators import Operator, Traveller
from lab.realm import AGENT, ASP, FORBIDDEN_NAF, NAF, q


class Names:
    """No MNC, no MCC, no 3gppnetwork.org."""
    realm = "iot.example"
    hss, bsf_diameter, bsf, impi_realm = "keys.iot.example", "access-dia.iot.example", "access.iot.example", "devices.iot.example"
    imsi = "99999%010d"


class Provider(Operator):
    def __init__(self, folder):
        super().__init__(folder, 1, Authority(os.path.join(folder, "certs")), tree=TREE)
        self.n = Names

    def bsf_conf(self, extra="", nafs=None):
        return super().bsf_conf(extra, '{ identity = %s; fqdns = [ %s ]; gsids = [ "*" ]; impi-allowed = false; }' % (q(AGENT), q(NAF)))

    def agent_conf(self, extra=""):
        return self._write("naf.conf", self.common("agent") + 'audit-log = %s;\n' % q(self.path("agent.audit.log")) + 'socket = %s;\n'
                           'realms = ( { domain = %s; realm = %s; host = %s; } );\n'
                           'clients = ( { name = "naf-proxy"; user = "%d"; fqdns = [ %s, %s ]; } );\n%s'
                           % (q(self.path("naf.sock")), q(self.n.bsf), q(self.n.realm), q(self.n.bsf_diameter), os.getuid(), q(NAF),
                              q(FORBIDDEN_NAF), self.patient("agent", extra)))

    def start_agent(self, **conf):
        guard = self.guard_conf("agent", [(self.n.bsf_diameter, ["zn"])])
        daemon = self.daemon_conf("agent", AGENT, ASP, [("dict_gba", ""), ("gba_guard", guard), ("naf", self.agent_conf(**conf))],
                                  [(self.n.bsf_diameter, self.address("bsf"))])
        return self.start_daemon("agent", daemon, 5868)

    def proxy_conf(self, extra=""):
        cert, key = self.authority.issue(NAF)
        return self._write("proxy.conf", self.common("proxy") + 'listeners = ( { address = %s; tls = true; default-site = %s; } );\n'
                           'sites = ( { fqdn = %s; upstream = %s; http-digest = true; certificate = %s; private-key = %s; } );\n'
                           'agent-socket = %s;\nmetrics = %s;\n%s'
                           % (q(self.address("proxy") + ":443"), q(NAF), q(NAF), q(self.address("application") + ":8080"), q(cert), q(key),
                              q(self.path("naf.sock")), q(self.address("proxy") + ":9100"), self.patient("proxy", extra)))

    def start(self):
        self.start_hss()
        self.start_bsf(peers=[(AGENT, None)])
        self.start_agent()
        self.start_application()
        self.start_proxy()
        self.wait_connected()


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    with Provider(str(tmp_path_factory.mktemp("private"))) as realm:
        realm.start()
        yield realm


def test_a_device_of_a_private_realm_opens_an_application(provider):
    """REQ: OBF-10-1, Y3056-7.4-1, OBF-7.1.2-3, TEC-2.2.2-2"""
    device = Traveller(provider, 5)
    device.impi = "meter-5@" + Names.impi_realm
    device.provision()
    assert device.bootstrap()["btid"].endswith("@" + Names.bsf)
    answer = device.ue("get", "https://%s/hello" % NAF, "--connect", provider.address("proxy") + ":443", "--psk")
    assert answer["status"] == 200 and answer["server-proved"]
    for name in ("hss.conf", "bsf.conf"):
        with open(provider.path(name), encoding="utf-8") as conf:
            assert "3gppnetwork" not in conf.read()


def test_a_device_of_somebody_else_is_nobody_here(provider):
    device = Traveller(provider, 6)
    device.impi = "stranger@other.example"
    device.ue("usim", "create", "--imsi", device.imsi, "--impi", device.impi, "--key-file", "-",
              stdin="k=%s\nopc=%s\n" % (device.k, device.opc))
    device.ue("profile", "add", "private", "--bsf", Names.bsf, "--connect", provider.address("bsf") + ":80")
    device.ue("bootstrap", want=4)
