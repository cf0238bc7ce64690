# SPDX-License-Identifier: Apache-2.0
"""An application that trusts three operators, one of them an IoT provider without a mobile core: it goes on serving a device whose
operator changes, and believes a token only together with the identity embedded in the device."""
import os
import socket
import subprocess

import pytest

from changing import Asymmetric, Symmetric, kill, offer, restart, update_words
from conftest import TREE
from lab.certs import Authority
from lab.operators import OPC, Operator
from lab.process import wait_until
from lab.realm import AGENT, ASP, FORBIDDEN_NAF, GSID, NAF, q
from peers.waiting import until
from test_private import Names as ProviderNames

EID = "eid:890490320000000000000000%08d"
PSK_TLS13 = "0100000007"
GUSS = ('<guss id="%s"><ussList><uss id="%d" type="1"><uids><uid>%s</uid></uids><flags><flag>1</flag></flags></uss></ussList></guss>')
indices = iter(range(300, 400))


class WithAsp(Operator):
    """Gives keys for both names of the ASP."""

    def bsf_conf(self, extra="", nafs=None):
        return super().bsf_conf(extra, '{ identity = %s; fqdns = [ %s, %s ]; gsids = [ "*" ]; impi-allowed = false; }'
                                % (q(AGENT), q(NAF), q(FORBIDDEN_NAF)))

    def start_bsf(self, peers=None, **conf):
        """The agent is told of tokens that end."""
        guard = self.guard_conf("bsf", [(self.n.hss, ["zh", "rpb", OPC]), (AGENT, ["zn", "rpa"])])
        daemon = self.daemon_conf("bsf", self.n.bsf_diameter, self.n.realm,
                                  [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard), ("bsf", self.bsf_conf(**conf))],
                                  [(self.n.hss, self.address("hss")), (AGENT, None)])
        return self.start_daemon("bsf", daemon, 80)


class Shop:
    """The ASP's element: one agent in agreement with all operators, one proxy, two applications of two providers."""

    def __init__(self, operators):
        self.home, self.operators = operators[0], operators
        home = self.home
        realms = ", ".join("{ domain = %s; realm = %s; host = %s; }" % (q(o.n.bsf), q(o.n.realm), q(o.n.bsf_diameter)) for o in operators)
        conf = home._write("naf.conf", home.common("agent") + 'audit-log = %s;\nsocket = %s;\nrealms = ( %s );\nnegative-ttl = 0;\n'
                           'clients = ( { name = "naf-proxy"; user = "%d"; fqdns = [ %s, %s ]; } );\n%s'
                           % (q(home.path("agent.audit.log")), q(home.path("naf.sock")), realms, os.getuid(), q(NAF), q(FORBIDDEN_NAF),
                              home.patient("agent")))
        guard = home.guard_conf("agent", [(o.n.bsf_diameter, ["zn", "rpa"]) for o in operators])
        daemon = home.daemon_conf("agent", AGENT, ASP, [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard), ("naf", conf)],
                                  [(o.n.bsf_diameter, o.address("bsf")) for o in operators])
        home.start_daemon("agent", daemon, 5868)
        home.start_application()
        cert, key = home.authority.issue(NAF)
        site = '{ fqdn = %%s; upstream = %s; certificate = %s; private-key = %s; gsids = [ "%d" ]; identity = "uids"; }' % (
            q(home.address("application") + ":8080"), q(cert), q(key), GSID)
        proxy = home._write("proxy.conf", home.common("proxy") + 'listeners = ( { address = %s; tls = true; default-site = %s; } );\n'
                            'sites = ( %s, %s );\nagent-socket = %s;\nmetrics = %s;\n%s'
                            % (q(home.address("proxy") + ":443"), q(NAF), site % q(NAF), site % q(FORBIDDEN_NAF),
                               q(home.path("naf.sock")), q(home.address("proxy") + ":9100"), home.patient("proxy")))
        home.start_program("proxy", "gba-naf-proxy", proxy, 443)
        wait_until(lambda: home.ready("agent"), 30, "agent is ready")
        self.address = home.address("proxy") + ":443"

    def ask(self, device, eid=None, name=NAF):
        """HTTP status, and whom the application was told of."""
        more = ["--header", 'X-3GPP-Intended-Identity: "%s"' % eid] if eid else []
        answer = device.ue("get", "https://%s/hello" % name, "--psk", "--connect", self.address, *more, want=None)
        return answer.get("status"), answer.get("body") or answer

    def ask_with(self, btid, key, eid):
        """By a client of another make, with a token's parts: what it gets."""
        line = ["openssl", "s_client", "-connect", self.address, "-tls1_3", "-psk", key, "-psk_identity", "3GPP-bootstrapping;" + btid,
                "-servername", NAF, "-quiet", "-ign_eof"]
        request = 'GET /hello HTTP/1.1\r\nHost: %s\r\nX-3GPP-Intended-Identity: "%s"\r\nConnection: close\r\n\r\n' % (NAF, eid)
        done = subprocess.run(line, input=request.encode(), capture_output=True, timeout=60, check=False)
        return done.stdout.split(b"\r\n", 1)[0]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Two mobile operators and an IoT provider, all in agreement with the first."""
    folder = str(tmp_path_factory.mktemp("application"))
    authority = Authority(os.path.join(folder, "certs"))
    all_ = [WithAsp(os.path.join(folder, "operator%d" % number), number, authority, tree=TREE) for number in (1, 2, 3)]
    all_[2].n = ProviderNames
    all_[0].agree_with(*all_[1:])
    for other in all_[1:]:
        other.agree_with(all_[0])
    with all_[0], all_[1], all_[2]:
        for operator in all_:
            operator.start_hss()
            operator.start_bsf()
        for operator in all_:
            operator.wait_connected()
        yield all_, Shop(all_)


def settings(operator, impi, eid):
    path = operator.path("guss.xml")
    with open(path, "w", encoding="ascii") as out:
        out.write(GUSS % (impi, GSID, eid))
    operator.ctl("subscriber", "set", impi, "--guss", path)


def newcomer(operator, how):
    """A device with its embedded identity in the operator's records."""
    device = how.device(operator, next(indices))
    device.eid = EID % device.index
    settings(operator, device.impi, device.eid)
    device.bootstrap()
    return device


def revealed(device):
    """Key of the application's PSK-TLS 1.3, as hex."""
    said = device.ue("token", "key", NAF, "--ua-id", PSK_TLS13, "--reveal")
    return next(v for v in (said[0] if isinstance(said, list) else said).values() if isinstance(v, str) and len(v) == 64)


def move(old, new, device, how):
    """The whole change; the new operator enters the same embedded identity."""
    change, impi, message = offer((old, new), device, how)
    settings(new, impi, device.eid)
    done = device.ue(*update_words((old, new), how, "--wait", "30"), stdin=message)
    assert done["final"] and done["btid"].endswith(new.n.bsf)
    old.wait_state(change, "left")
    return done["btid"]


@pytest.mark.parametrize("how", [Symmetric, Asymmetric], ids=lambda how: how.kind)
def test_new_token_and_embedded_identity_must_both_fit(three, how):
    """REQ: OBF-12.3-6, OBF-12.4-6"""
    (old, new, _), shop = three
    device, other = newcomer(old, how), newcomer(old, how)
    status, told = shop.ask(device, device.eid)
    assert status == 200 and device.eid in str(told)
    btid, key = device.bootstrap()["btid"], revealed(device)
    assert b" 200 " in shop.ask_with(btid, key, device.eid)
    token = move(old, new, device, how)
    assert token != btid
    status, told = shop.ask(device, device.eid)
    assert status == 200 and device.eid in str(told), "the new token, and who it belongs to"
    assert shop.ask(device, other.eid)[0] == 403, "a good token, another device's identity"
    assert shop.ask(other, device.eid)[0] == 403, "the identity, another device's token"
    assert until(lambda: b" 200 " not in shop.ask_with(btid, key, device.eid)), "the identity, and the token it had before"


def test_three_changes_and_the_service_goes_on(three):
    """Of operator, to an IoT provider, and of the provider of the application. REQ: OBF-10.1-2"""
    (old, new, provider), shop = three
    for to in (new, provider):
        device = newcomer(old, Symmetric)
        assert shop.ask(device, device.eid)[0] == 200
        move(old, to, device, Symmetric)
        status, told = shop.ask(device, device.eid)
        assert status == 200 and device.eid in str(told)
        assert device.active() == "new"
        status, told = shop.ask(device, device.eid, FORBIDDEN_NAF)  # another provider's application: the same token, a key of its own
        assert status == 200 and device.eid in str(told)


def first_leg(operator, impi):
    """Status of the BSF's answer to who says he is this user."""
    request = ('GET / HTTP/1.1\r\nHost: %s\r\nAuthorization: Digest username="%s", realm="%s", nonce="", uri="/", response=""\r\n\r\n'
               % (operator.n.bsf, impi, operator.n.bsf))
    with socket.create_connection((operator.address("bsf"), 80), 30) as conn:
        conn.sendall(request.encode())
        return int(conn.makefile("rb").readline().split(b" ")[1])


def test_realms_side_by_side_do_not_weaken_one_another(three):
    """What one knows is of no use in another, what one takes back or loses is the others' no more than before. REQ: Y3056-11-1"""
    (one, two, _), shop = three
    mine, theirs = newcomer(one, Symmetric), newcomer(two, Symmetric)
    for device in (mine, theirs):
        assert shop.ask(device, device.eid)[0] == 200
    btid, key = mine.bootstrap()["btid"], revealed(mine)
    assert b" 200 " in shop.ask_with(btid, key, mine.eid)
    assert b" 200 " not in shop.ask_with(btid.replace(one.n.bsf, two.n.bsf), key, mine.eid), "a token in another realm's name"
    assert first_leg(one, mine.impi) == 401 and first_leg(two, mine.impi) == 403, "a user of another realm"
    assert first_leg(two, theirs.impi) == 401 and first_leg(one, theirs.impi) == 403
    assert shop.ask(theirs, mine.eid)[0] == 403, "another realm's word for an identity that is not its own"
    one.ctl("subscriber", "set", mine.impi, "--state", "barred")
    assert until(lambda: b" 200 " not in shop.ask_with(btid, key, mine.eid))
    assert shop.ask(theirs, theirs.eid)[0] == 200, "what one realm takes back is the other's no matter"
    kill((one, "hss"), (one, "bsf"))
    theirs.bootstrap()
    assert shop.ask(theirs, theirs.eid)[0] == 200, "one realm is gone, the other serves"
    restart((one, "hss"), (one, "bsf"))
    assert until(lambda: one.ready("bsf") and shop.home.ready("agent"))
    again = newcomer(one, Symmetric)
    assert until(lambda: shop.ask(again, again.eid)[0] == 200)
