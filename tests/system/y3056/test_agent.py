# SPDX-License-Identifier: Apache-2.0
"""The agent takes tokens that BSFs push and drops what they revoke; BSFs, BIRs and the application are stand-ins of ours.
REQ: Y3056-9.4.3-1, Y3056-9.4.3-2, Y3056-10.4-4d, Y3056-10.4-4e, OBF-12.2-5"""
import importlib.util
import os
import time

import pytest
from conftest import OTHER  # noqa: F401  (sets the path)
from peers import diameter as d, y3056 as y
from peers.waiting import until

_spec = importlib.util.spec_from_file_location("naf_harness", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "naf",
                                                                          "naf_harness.py"))
h = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(h)

NAF, TLS13, DIGEST = h.NAF, h.TLS13, h.HTTP_DIGEST
AGENT, ASP = "naf.asp.example", "asp.example"
KEY, INT_KEY = 17, 18  # elements of the local answer, as libnaf/wire.h numbers them
UNKNOWN, NOT_AUTHORIZED = 1, 10


class World:
    def __init__(self, folder):
        self.one = h.Bsf("bsf.epc.one.example", "epc.one.example", apps=(d.ZN, y.RPA))
        self.two = h.Bsf("bsf.epc.two.example", "epc.two.example", apps=(d.ZN, y.RPA))
        self.plain = h.Bsf("bsf.epc.three.example", "epc.three.example")
        self.agent = h.Agent(folder / "agent", [self.one, self.two, self.plain],
                             '{ domain = "one.example"; realm = "epc.one.example"; host = "bsf.epc.one.example"; }, '
                             '{ domain = "two.example"; realm = "epc.two.example"; push-from = [ "other.epc.two.example" ]; }, '
                             '{ domain = "three.example"; realm = "epc.three.example"; }',
                             extra='zn-timeout = 20000; negative-ttl = 1; unknown-burst = 1000;\n'
                                   'applications = ( { fqdn = "naf1.example.com"; token-use = "single"; ua-protocols = [ "0100000002" ];'
                                   ' address = "192.0.2.7:443"; mechanisms = "psk-tls"; } );', y3056=True)

    def close(self):
        for part in (self.agent, self.one, self.two, self.plain):
            part.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    one = World(tmp_path_factory.mktemp("agent"))
    yield one
    one.close()


def fresh(domain="bsf.one.example"):
    rand = os.urandom(16)
    return h.btid(domain, rand), rand


def push(bsf, name, rand, fqdn=NAF, ua=TLS13, spoil=None, life=600, **kw):
    conn = bsf.server.connections[-1]
    naf_id = fqdn.encode() + ua
    message = y.tpr(conn, name, naf_id, h.ks_naf(naf_id, rand), int(time.time()) + life, ASP, dest_host=AGENT, **kw)
    if spoil:
        spoil(message)
    return conn.request(message)


def key_in(elements):
    return [v for v in elements.values() if len(v) == 32]


def asked(world, name, **kw):
    """(error, key, BIRs it took)."""
    before = sum(len(b.seen) for b in (world.one, world.two, world.plain))
    error, elements = world.agent.ask(name, **kw)
    return error, (key_in(elements) or [None])[0], sum(len(b.seen) for b in (world.one, world.two, world.plain)) - before


def until_known(world, name, want=0, **kw):
    """The answer has left before the agent's own thread has the token; it asks nobody meanwhile only if it has."""
    got = []

    def known():
        got[:] = asked(world, name, **kw)
        return got[0] == want

    until(known, step=0.05)
    return tuple(got)


def metric(world, text):
    return world.agent.log().count(text)


def test_the_first_to_ask_needs_no_bsf(world):
    name, rand = fresh()
    assert push(world.one, name, rand).result() == (0, 2001)
    error, key, birs = until_known(world, name)
    assert (error, birs) == (0, 0) and key == h.ks_naf(NAF.encode() + TLS13, rand)
    assert asked(world, name)[2] == 0


def test_settings_as_asked_for(world):
    name, rand = fresh()
    assert push(world.one, name, rand, uss=h.USS, gsids=["1000", "1001"]).result() == (0, 2001)
    assert until_known(world, name, gsids=[1000])[0] == 0
    for gsids, uss in (((), False), ((1001,), False), ((1000,), True), ((1001, 1000), True)):
        error, elements = world.agent.ask(name, gsids=gsids)
        assert error == 0 and any(b"sip:a@one.example" in v for v in elements.values()) == uss
    world.one.knows(name, rand)
    assert asked(world, name, gsids=[1000, 7])[2] == 1  # beyond what was pushed: the BSF is asked


def test_other_names_and_protocols_are_asked_for(world):
    name, rand = fresh()
    world.one.knows(name, rand)
    assert push(world.one, name, rand).result() == (0, 2001)
    assert until_known(world, name)[0] == 0
    assert asked(world, name, ua_id=DIGEST)[1:] == (h.ks_naf(NAF.encode() + DIGEST, rand), 1)
    assert asked(world, name, fqdn="x.apps.example.com")[2] == 1


def test_keys_for_the_uicc(world):
    name, rand = fresh()
    assert push(world.one, name, rand, uicc=b"u" * 32).result() == (0, 2001)
    assert until_known(world, name)[0] == 0
    _, plain = world.agent.ask(name)
    _, aware = world.agent.ask(name, flags=1)
    assert len(key_in(plain)) == 1 and b"u" * 32 in key_in(aware)


def test_expiry_is_kept(world):
    def pushed():
        """A token that is there for a while; a machine that stands still may let it end before it is asked for."""
        name, rand = fresh()
        assert push(world.one, name, rand, life=4).result() == (0, 2001)
        return name if until(lambda: asked(world, name)[0] == 0, 4) else None

    name = until(pushed)
    assert name and until(lambda: asked(world, name)[0] == UNKNOWN)


# ---- who may push (9.4.1-7, G11)

REFUSED = {
    "a BSF of another operator": lambda w, n, r: push(w.two, n, r),
    "another Origin-Realm": lambda w, n, r: push(w.one, n, r, spoil=lambda m: setattr(next(
        a for a in m.avps if a.code == d.ORIGIN_REALM), "data", b"epc.two.example")),
    "a name nobody here has": lambda w, n, r: push(w.one, n, r, fqdn="naf.elsewhere.example"),
    "a B-TID of no operator of ours": lambda w, n, r: push(w.one, n.replace("one.example", "nobody.example"), r),
    "no key": lambda w, n, r: push(w.one, n, r, spoil=lambda m: m.avps.remove(m.find(405, d.TGPP))),
    "half a key": lambda w, n, r: push(w.one, n, r, spoil=lambda m: setattr(m.find(405, d.TGPP), "data", b"k" * 16)),
    "no B-TID": lambda w, n, r: push(w.one, "x" + n, r),
    "a service that is no number": lambda w, n, r: push(w.one, n, r, gsids=["10x"]),
    "a NAF-Id of five octets": lambda w, n, r: push(w.one, n, r, spoil=lambda m: setattr(m.find(402, d.TGPP), "data", b"12345")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(world, case):
    """REQ: Y3056-9.4.1-5, Y3056-9.4.1-7"""
    name, rand = fresh()
    vendor, code = REFUSED[case](world, name, rand).result()
    assert (vendor, code) == (d.TGPP, 5402) or code in (5004, 5005, 5014)
    assert asked(world, name)[0] == UNKNOWN


def test_push_from_names_who_may(world):
    name, rand = fresh("bsf.two.example")
    assert push(world.two, name, rand).result() == (d.TGPP, 5402)  # not in push-from


def test_where_no_bsf_is_named_none_may_push(world):
    """Nobody of three.example shows RPA, and no host is configured."""
    name, rand = fresh("bsf.three.example")
    assert push(world.one, name, rand).result() == (d.TGPP, 5402)


def test_an_uss_list_that_is_none_is_no_token(world):
    name, rand = fresh()
    assert push(world.one, name, rand, uss="<ussList", gsids=["1"]).result() == (0, 2001)
    after, rand = fresh()
    assert push(world.one, after, rand).result() == (0, 2001)
    assert until_known(world, after)[0] == 0  # and so the agent is done with the one before
    assert asked(world, name)[0] == UNKNOWN


# ---- revocation

def revoke(bsf, names, **kw):
    conn = bsf.server.connections[-1]
    return conn.request(y.rnr(conn, [y.digest(n) for n in names], ASP, dest_host=AGENT, **kw))


def test_a_revoked_token_is_gone(world):
    """REQ: Y3056-9.4.1-6"""
    (name, rand), (other, other_rand) = fresh(), fresh()
    for n, r in ((name, rand), (other, other_rand)):
        assert push(world.one, n, r).result() == (0, 2001)
        assert until_known(world, n)[0] == 0
    assert revoke(world.one, [name]).result() == (0, 2001)
    assert until_known(world, name, UNKNOWN)[0] == UNKNOWN
    assert asked(world, other)[0] == 0


def test_fetched_keys_go_too(world):
    name, rand = fresh()
    world.one.knows(name, rand)
    assert asked(world, name)[0] == 0
    del world.one.known[name.encode()]
    assert revoke(world.one, [name]).result() == (0, 2001)
    assert until_known(world, name, UNKNOWN)[0] == UNKNOWN


def test_changed_settings_are_asked_for_anew(world):
    name, rand = fresh()
    world.one.knows(name, rand)
    assert push(world.one, name, rand).result() == (0, 2001)
    assert until_known(world, name)[2] == 0
    assert revoke(world.one, [name], applications=["other.example.com"]).result() == (0, 2001)
    assert asked(world, name)[2] == 0
    assert revoke(world.one, [name], applications=[NAF.upper()]).result() == (0, 2001)

    def asked_anew():
        assert asked(world, name)[0] == 0
        return [m for m in world.one.seen if m.find(401, d.TGPP).value() == name.encode()]

    assert until(asked_anew)


def test_what_is_being_asked_for_comes_too_late(world):
    name, rand = fresh()
    world.one.knows(name, rand)
    said = []

    def slow(conn, request, usual):
        said.append(1)
        assert revoke(world.one, [name]) or True
        return request.answer(conn.origin(), usual)

    import threading
    world.one.reply = lambda c, r, u: (threading.Thread(target=lambda: c.send_raw(slow(c, r, u).encode())).start(), None)[1]
    try:
        assert asked(world, name)[0] == UNKNOWN and said
    finally:
        world.one.reply = None


def test_a_revocation_from_elsewhere_changes_nothing(world):
    name, rand = fresh()
    assert push(world.one, name, rand).result() == (0, 2001)
    assert until_known(world, name)[0] == 0
    assert revoke(world.two, [name]).result() == (d.TGPP, 5402)
    conn = world.one.server.connections[-1]
    short = y.rnr(conn, [y.digest(name)], ASP, dest_host=AGENT)
    short.avps.append(y.our(y.DIGEST, b"x" * 31))
    assert conn.request(short).result() == (0, 5014)
    assert asked(world, name)[0] == 0


def test_applications_that_watch_are_told(world):
    """With the digest of the B-TID; who did not ask for notices, and who may not ask for the name, sees none."""
    (name, rand), (other, other_rand) = fresh(), fresh()
    world.one.knows(name, rand)
    world.one.knows(other, other_rand)
    with h.Local(world.agent.socket) as watching, h.Local(world.agent.socket) as idle, h.Local(world.agent.socket) as deaf:
        error, elements = watching.ask(name, notices=True)
        assert error == 0 and elements[0xa2] == y.digest(name)
        error, elements = deaf.ask(name)
        assert error == 0 and 0xa2 not in elements
        idle.send(h.frame(6, 0))  # a question is not needed
        assert idle.ask(name)[1][0xa2] == y.digest(name)
        assert revoke(world.one, [name, other]).result() == (0, 2001)
        for one in (watching, idle):
            number, _, found = one.answer()
            assert number == 0 and found == [(0xa2, y.digest(name)), (0xa2, y.digest(other))]
        assert revoke(world.one, [name], applications=["x.elsewhere.example"]).result() == (0, 2001)
        assert revoke(world.one, [name], applications=["x.elsewhere.example", NAF]).result() == (0, 2001)
        assert watching.answer()[2] == [(0xa2, y.digest(name)), (2, NAF.encode() + b"\0")]
        assert deaf.ask(other, fqdn="x.apps.example.com")[0] in (0, UNKNOWN)  # its next frame is its own answer


@pytest.mark.parametrize("octets", [h.frame(6, 1), h.frame(6, 0, b"\x88\0\0\0"), h.frame(5, 0, b"\xa2\0\0\x20" + b"d" * 32)],
                         ids=["watch with an id", "watch with an element", "a notice to the agent"])
def test_notice_frames_that_are_none(world, octets):
    with h.Local(world.agent.socket) as local:
        local.send(octets)
        assert local.answer()[1] == 25 and local.at_end()


# ---- declarations, and what a plain BSF sees

def test_declarations_go_where_they_are_understood(world):
    """REQ: Y3056-9.6.1-3"""
    name, rand = fresh()
    world.one.knows(name, rand)
    assert asked(world, name)[0] == 0
    said = {a.code: a.value() for a in world.one.seen[-1].find(y.DECLARATION, y.VENDOR).group()}
    assert said == {y.TOKEN_USE: b"\0\0\0\1", y.UA_PROTOCOLS: DIGEST, y.ADDRESS: b"192.0.2.7:443", y.MECHANISMS: b"psk-tls"}
    world.one.knows(name, rand)
    assert asked(world, name, fqdn="y.apps.example.com")[0] == 0
    assert world.one.seen[-1].find(y.DECLARATION, y.VENDOR) is None


def test_without_the_dictionary_the_agent_is_a_plain_naf(tmp_path):
    bsf = h.Bsf("bsf.epc.one.example", "epc.one.example", apps=(d.ZN, y.RPA))
    agent = h.Agent(tmp_path / "agent", [bsf], '{ domain = "one.example"; realm = "epc.one.example"; host = "bsf.epc.one.example"; }',
                    extra='applications = ( { fqdn = "naf1.example.com"; token-use = "single"; } );')
    try:
        name, rand = fresh()
        bsf.knows(name, rand)
        assert agent.ask(name)[0] == 0
        assert all(a.vendor in (0, d.TGPP) for a in bsf.seen[-1].avps)
    finally:
        agent.stop()
        bsf.stop()
