# SPDX-License-Identifier: Apache-2.0
"""A realm of ours, hss-stub, bsf and agent, with a device and an application written here: permission, push and revocation
from gba-ctl to the agent's memory.
REQ: Y3056-10.4-1c, Y3056-10.4-3a, Y3056-10.4-3b, Y3056-10.4-4b, Y3056-10.4-4d, Y3056-10.4-4e, Y3056-9.2.2-11, Y3056-9.4.1-2,
Y3056-9.6.2-2, Y3056-9.6.2-4, OBF-12.2-4, OBF-12.2-5"""
import base64
import hashlib
import json
import os
import time
import urllib.request

import pytest
from conftest import OTHER  # noqa: F401  (sets the path)
from lab.realm import AGENT, BSF, BSF_DIAMETER, IMPI_REALM, NAF, Realm, Tree, q
from peers import aka
from peers.bsf_node import TOP, until
from peers.keys import ks_naf
from peers.ub import Refused, Ub
from test_agent import h

K, OPC = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"), bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
IMSI = "00101000000%04d"
GSID, UNKNOWN = 1000000, 1


class World:
    def __init__(self, folder):
        self.realm = r = Realm(str(folder), tree=Tree(os.environ.get("GBA_BUILD") or os.path.join(TOP, "build")), tls=False)
        self.number, self.cards, self.permissions, self.seen = 0, {}, {}, {}
        r.start_hss()
        r.start_bsf(extra='ask-interval = 0;\ntoken-reports = true;\n', nafs='{ identity = %s; fqdns = [ %s ]; gsids = [ "%d" ]; }' % (q(AGENT), q(NAF), GSID))
        r.start_agent(extra="negative-ttl = 1;\n")
        r.wait_connected()
        ctl = r.ctl
        ctl("realm", "add", "--realm", "op.test", "--name", "Op", "--bsf-identity", BSF, "--bsf-url", "http://bsf.test/",
            "--hss-identity", "hss.op.test", "--alias-domain", "apps.op.test")
        ctl("asp", "add", "--type", "cin", "--identity", "L17110MH1973PLC019786", "--name", "Meters")
        ctl("app", "add", "--asp", "cin:L17110MH1973PLC019786", "--type", "fqdn", "--identity", NAF, "--name", "Meter", "--ua-ids",
            "0100000002,0100000007", "--push-peer", AGENT)

    def user(self, permitted=True):
        """IMPI of a fresh subscriber with a device of its own."""
        self.number += 1
        imsi = IMSI % self.number
        impi = "%s@%s" % (imsi, IMPI_REALM)
        self.realm.ctl("subscriber", "add", impi, "--imsi", imsi, "--k-file", "-", "--opc-file", "-", stdin="%s\n%s\n" % (K.hex(), OPC.hex()))
        self.cards[impi] = aka.Milenage(K, opc=OPC)
        self.realm.ctl("verification", "add", "--reference", "c%d" % self.number, "--name", "N", "--level", "2", "--verifier", "desk")
        self.realm.ctl("user", "add", "--account", "u%d" % self.number, "--verification", "c%d" % self.number)
        self.realm.ctl("authentication", "add", "--reference", "d%d" % self.number, "--identities", "serial:s%d" % self.number, "--method",
                       "aka", "--authenticator", "desk")
        self.realm.ctl("device", "add", "--impi", impi, "--custodian", "u%d" % self.number, "--authentication", "d%d" % self.number)
        if permitted:
            heard = self.notices()
            shown = json.loads(self.realm.ctl("permission", "add", "--impi", impi, "--application", NAF, "--json"))
            self.permissions[impi] = shown["id"]
            assert until(lambda: self.notices() > heard)  # a notice of it that came later would end what is pushed first
        return impi

    def key(self, impi, btid, ua):
        """What three must hold, from the card's CK and IK (TS 33.220 B.3)."""
        rand = base64.b64decode(btid.split("@")[0])
        return ks_naf(b"".join(self.seen[rand]), rand, impi, NAF.encode() + ua)

    def ask(self, btid, ua):
        with h.Local(self.realm.path("naf.sock")) as local:
            error, elements = local.ask(btid, fqdn=NAF, ua_id=ua)
        return error, next((v for v in elements.values() if len(v) == 32), None)

    def bootstrap(self, impi, **kw):
        """B-TID; the card's CK and IK are kept."""
        def res(rand, autn):
            answer = self.cards[impi].challenge(rand, autn)
            assert answer[4], "AUTN"
            self.seen[rand] = answer[1], answer[2]
            return answer[0]
        return Ub((self.realm.address("bsf"), 80), impi, res, realm=BSF, **kw).bootstrap()[0]

    def notices(self):
        """How many the BSF has heard."""
        with urllib.request.urlopen("http://%s:9100/metrics" % self.realm.address("bsf"), timeout=30) as page:
            return sum(float(line.rsplit(" ", 1)[1]) for line in page.read().decode().splitlines()
                       if line.startswith("gba_bsf_notices_total{"))

    def metric(self, node, name):
        port = 9101 if node == "agent" else 9100  # its page is its guard's
        with urllib.request.urlopen("http://%s:%d/metrics" % (self.realm.address(node), port), timeout=30) as page:
            for line in page.read().decode().splitlines():
                if line.startswith(name + " "):
                    return float(line.rsplit(" ", 1)[1])
        return 0

    def close(self):
        self.realm.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    one = World(tmp_path_factory.mktemp("realm"))
    yield one
    one.close()


DIGEST, TLS13 = b"\1\0\0\0\2", b"\1\0\0\0\7"


def birs(world):
    return world.metric("bsf", 'gba_bsf_zn_requests_total{result="DIAMETER_SUCCESS"}')


def test_from_the_record_to_the_first_handshake(world):
    """Permitted, bootstrapped, pushed: the application's first question needs no Zn; three hold the same token."""
    impi, before = world.user(), birs(world)
    btid = world.bootstrap(impi, application=NAF)
    assert until(lambda: world.metric("bsf", 'gba_bsf_pushes_total{result="taken"}') >= 2)
    assert until(lambda: world.metric("agent", 'gba_naf_pushes_total{result="kept"}') >= 2)  # its answer leaves before it has them
    for ua in (DIGEST, TLS13):
        error, key = world.ask(btid, ua)
        assert error == 0 and key == world.key(impi, btid, ua)
    assert birs(world) == before


def test_no_permission_no_token(world):
    # REQ: Y3056-7.6-3, Y3056-8.2.2-3, Y3056-9.2-3, OBF-7.2.2-1, OBF-8.5.2-1
    impi = world.user(permitted=False)
    with pytest.raises(Refused) as refused:
        world.bootstrap(impi, application=NAF)
    assert refused.value.answer.status == 403
    shown = json.loads(world.realm.ctl("permission", "add", "--impi", impi, "--application", NAF, "--json"))
    world.permissions[impi] = shown["id"]
    world.bootstrap(impi, application=NAF)  # the answer follows the last setting, at once
    world.realm.ctl("permission", "set", str(shown["id"]), "--flag", "cleared")
    with pytest.raises(Refused):
        world.bootstrap(impi, application=NAF)


def gone(world, btid):
    """No key at the agent, and the BSF does not know the B-TID either."""
    return world.ask(btid, DIGEST)[0] == UNKNOWN


@pytest.mark.parametrize("how", ["permission", "device", "barred"])
def test_revocation_reaches_the_agent(world, how, record_property):
    """From the commit to: the agent has no key, BIR gives 5403. REQ: Y3056-9.2.2-9, Y3056-9.2.2-10, Y3056-9.4.1-6"""
    impi = world.user()
    btid = world.bootstrap(impi, application=NAF)
    assert until(lambda: world.ask(btid, DIGEST)[0] == 0)
    words = {"permission": ("permission", "set", str(world.permissions.get(impi)), "--flag", "cleared"),
             "device": ("device", "remove", impi, "--yes"), "barred": ("subscriber", "set", impi, "--state", "barred")}[how]
    world.realm.ctl(*words)
    committed = time.monotonic()
    assert until(lambda: gone(world, btid), step=0.01)
    record_property("seconds from commit to no key", "%.3f" % (time.monotonic() - committed))
    assert until(lambda: world.metric("hss", "gba_hss_notices_waiting") == 0)  # heard, and taken out of the box


def test_a_notice_waits_for_a_bsf_that_is_away(world):
    """Durable: the BSF comes back with its contexts, and hears it."""
    impi = world.user()
    btid = world.bootstrap(impi, application=NAF)
    world.realm.nodes.pop("bsf").stop(25)
    world.realm.ctl("permission", "set", str(world.permissions[impi]), "--flag", "cleared")
    world.realm.start_bsf(extra='ask-interval = 0;\ntoken-reports = true;\n', nafs='{ identity = %s; fqdns = [ %s ]; gsids = [ "%d" ]; }' % (q(AGENT), q(NAF), GSID))
    world.realm.wait_connected()
    assert until(lambda: world.ask(btid, TLS13)[0] == UNKNOWN and world.ask(btid, DIGEST)[0] == UNKNOWN)


def test_steps_are_traced(world):
    """The clauses of 10.4, in order."""
    impi = world.user()
    world.bootstrap(impi, application=NAF)

    def clauses():
        with open(world.realm.trace, encoding="utf-8") as lines:
            steps = [json.loads(line) for line in lines]
        corr = next((s["corr"] for s in reversed(steps) if s.get("id") == impi and s.get("corr")), None)
        return {s["clause"].rsplit(" ", 1)[-1] for s in steps if s.get("corr") == corr}
    want = {"10.4-1a", "10.4-1b", "10.4-1c", "10.4-2a", "10.4-2c", "10.4-3a", "10.4-3b", "10.4-3c", "10.4-4b", "10.4-4d", "10.4-4e"}
    assert until(lambda: want <= clauses()), want - clauses()


def listed(world, *words):
    return [json.loads(line) for line in world.realm.ctl(words[0], "list", *words[1:], "--json").splitlines()]


def test_a_token_and_its_applications_are_looked_up(world):
    """From the token to its applications and back, and where the device bootstraps, in the operator's records: with a run that names its
    application, and by the key that an application fetches. REQ: OBF-8.5.2-3, OBF-9.2.1-1"""
    impi, plain = world.user(), world.user()
    before = int(time.time())
    btid, other = world.bootstrap(impi, application=NAF), world.bootstrap(plain)
    digests = [hashlib.sha256(one.encode()).hexdigest() for one in (btid, other)]
    assert until(lambda: listed(world, "token", "--digest", digests[0]) and listed(world, "bootstrapping", "--impi", plain))
    assert listed(world, "token", "--digest", digests[1]) == []  # nobody has it yet
    assert world.ask(other, DIGEST)[0] == 0
    assert until(lambda: listed(world, "token", "--digest", digests[1]))
    for digest, who in zip(digests, (impi, plain)):
        (row,) = listed(world, "token", "--digest", digest)
        assert (row["naf_fqdn"], row["impi"], row["bsf"]) == (NAF, who, BSF_DIAMETER)
        assert row["application"] and [one["digest"] for one in listed(world, "token", "--impi", who)] == [digest]
    assert set(digests) <= {one["digest"] for one in listed(world, "token", "--application", str(row["application"]))}
    (seen,) = listed(world, "bootstrapping", "--impi", impi)
    assert (seen["bsf"], seen["runs"], seen["started_by"], seen["server"]) == (BSF_DIAMETER, 1, "client", None)
    assert seen["last_token"] == digests[0] and seen["first_run"] == seen["last_run"] and before > 0
    world.realm.ctl("provider", "add", "--type", "cin", "--identity", "L17110MH1973PLC019787", "--name", "Tel")
    world.realm.ctl("server", "add", "--identity", BSF_DIAMETER, "--provider", "cin:L17110MH1973PLC019787", "--function", "authentication",
                    "--realm", "op.test")
    again = world.bootstrap(impi, application=NAF)
    assert until(lambda: listed(world, "bootstrapping", "--impi", impi)[0]["runs"] == 2)
    (seen,) = listed(world, "bootstrapping", "--impi", impi)
    assert seen["server"] and seen["last_token"] == hashlib.sha256(again.encode()).hexdigest()
    assert [one["impi"] for one in listed(world, "bootstrapping", "--server", str(seen["server"]))] == [impi]
    world.realm.ctl("permission", "set", str(world.permissions[impi]), "--flag", "cleared")
    assert listed(world, "token", "--impi", impi) == []  # as for the network


def test_a_report_waits_for_an_hss_that_is_away(world):
    """What was made while the HSS was gone is told when it is back."""
    impi = world.user()
    world.bootstrap(impi)
    assert until(lambda: listed(world, "bootstrapping", "--impi", impi))
    btid = world.bootstrap(impi)
    world.realm.nodes.pop("hss").stop(25)
    assert world.ask(btid, DIGEST)[0] == 0
    world.realm.start_hss()
    world.realm.wait_connected()
    digest = hashlib.sha256(btid.encode()).hexdigest()
    assert until(lambda: listed(world, "token", "--digest", digest), 30)
    assert world.metric("bsf", 'gba_bsf_token_reports_total{result="lost"}') == 0
