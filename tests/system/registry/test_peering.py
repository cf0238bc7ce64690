# SPDX-License-Identifier: Apache-2.0
"""Registries of three layers and two branches over TLS: what one says all know, whatever ends in between; who may peer, and what a
hostile neighbour gets. The other side of the wire is tests/peers/diameter.py with openssl's Ed25519."""
import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest
from peerlab import ACCEPTS, BUILD, EVENTS, HAVE, HELLO, Key, Lab, Origin, REG_ID, RSR, host_of, rsr, texts

from peers import diameter as d
from peers import regdevid
from peers.waiting import until

WHITE, GREY, BLACK = 1, 0, 2


class Stranger:
    """A neighbour that is ours to play; nothing listens on its port."""

    def __init__(self, folder, reg_id, kind):
        self.reg_id, self.kind, self.port, self.key = reg_id, kind, 9, Key(folder, reg_id)
        self.origin = Origin(reg_id, self.key)


@pytest.fixture(scope="module")
def lab(tmp_path_factory, server):
    with Lab(tmp_path_factory.mktemp("peering"), server) as lab:
        root, a, b = lab.registry("IN", "geographical"), lab.registry("INA", "sectoral", "IN"), lab.registry("INB", "sectoral", "IN")
        a1, b1 = lab.registry("INA1", "primary", "INA"), lab.registry("INB1", "primary", "INB")
        other_root, other = lab.registry("FR", "geographical"), lab.registry("FRA", "sectoral", "FR")
        for above, below in ((root, a), (root, b), (a, a1), (b, b1), (other_root, other)):
            lab.bond(above, below)
        lab.peers(root, other_root)
        lab.peers(b, other)  # outside of the trees; it closes a circle
        lab.stranger = Stranger(lab.folder, "INA9", "primary")
        lab.narrow = Stranger(lab.folder, "INA8", "primary")
        a.neighbours += [(lab.stranger, "child", ""), (lab.narrow, "child", 'accept = [ "vulnerability" ]; send = [ "status" ];')]
        a.others = [("nobody.registries.test", "")]
        lab.start()
        assert until(lambda: all(r.link(n) == "greeted" for r in lab.registries.values() for n, _, _ in r.neighbours
                                 if n.port != 9), 60), {r.reg_id: r.out() for r in lab.registries.values()}
        yield lab


def same(lab, without=()):
    states = [r.state() for r in lab.registries.values() if r.reg_id not in without]
    return all(s == states[0] for s in states)


def said(registry):
    """Changes of status that it has told of."""
    rows = registry.rows("SELECT number FROM event_stream WHERE origin = ? AND class = 2", registry.reg_id)
    return rows[0][0] if rows else 0


# REQ: Y3059-6.1-16, Y3059-7-iv-d, Y3059-7-iv-f, Y3059-6.1-14
def test_black_at_one_primary_is_seen_at_the_other(lab):
    one, other = lab.registries["INA1"], lab.registries["INB1"]
    lags = []
    with one.tool() as tool:
        for n in range(5):
            subject = "INA1-lag-%d" % n
            assert tool.say("device.registered", subject, {"make": "lab"}) == "ok"
            assert tool.say("status.set", subject, {"status": "black", "cause": "test"}) == "ok"
            begin = time.monotonic()
            assert until(lambda: other.status(subject) == BLACK), other.out()
            lags.append(time.monotonic() - begin)
    print("lag [s] over four bonds:", " ".join("%.3f" % lag for lag in sorted(lags)))
    assert until(lambda: same(lab))
    root = lab.registries["IN"]
    assert root.status("INA1-lag-0") == BLACK
    assert root.rows("SELECT registry FROM event_subject WHERE subject = 'INA1-lag-0'") == [("INA1",)]


# REQ: Y3059-7-0e
def test_kills_and_restarts(lab):
    """Both sectoral registries are killed while events flow; nothing is lost or doubled."""
    one, middle, far = lab.registries["INA1"], lab.registries["INA"], lab.registries["INB"]
    with one.tool() as tool, lab.registries["INB1"].tool() as other:
        for n in range(60):
            assert tool.say("status.set", "S%d" % (n % 7), {"status": ("white", "black", "grey")[n % 3]}) == "ok"
            assert other.say("status.set", "S%d" % (n % 5), {"status": ("black", "grey", "white")[n % 3]}) == "ok"
            if n in (10, 30):
                middle.kill()
            if n == 20:
                far.kill()
            if n in (25, 45):
                middle.start()
            if n == 50:
                far.start()
    assert until(lambda: same(lab), 60), [r.state()[1:] for r in lab.registries.values()]
    assert one.rows("SELECT number FROM event_stream WHERE origin = 'INB1' AND class = 2")[0][0] >= 60


def test_random_kills_and_partitions(lab):
    """Any registry ends at any time, also the two that speak, or stands still; at the end all say the same, with nothing lost or doubled."""
    seed = random.randrange(1 << 32)
    draw, everybody = random.Random(seed), list(lab.registries.values())
    one, other = lab.registries["INA1"], lab.registries["INB1"]
    before = {r.reg_id: said(r) for r in (one, other)}
    down, still = set(), set()

    def disturb(victim):
        if victim in down:
            victim.start(wait=False)
            down.discard(victim)
        elif victim in still:
            victim.process.send_signal(signal.SIGCONT)
            still.discard(victim)
        elif victim in (one, other) or draw.random() < 0.5:  # who stands still may hold its database, which the tools write to
            victim.kill()
            down.add(victim)
        else:
            victim.process.send_signal(signal.SIGSTOP)
            still.add(victim)

    with one.tool() as tool, other.tool() as others:
        for n in range(80):
            if draw.random() < 0.25:
                disturb(draw.choice(everybody))
            subject = "R%d" % draw.randrange(9)
            answer = draw.choice((tool, others)).say("status.set", subject, {"status": draw.choice(("white", "grey", "black"))})
            assert answer == "ok"
    for victim in sorted(down | still, key=lambda r: r.reg_id):
        disturb(victim)
    for registry in everybody:
        registry.started()
    assert until(lambda: same(lab), 90), (seed, {r.reg_id: r.state()[1:] for r in everybody})
    assert sum(said(r) - before[r.reg_id] for r in (one, other)) == 80, seed


# REQ: Y3059-3.2-3, Y3059-6.1-8, Y3059-6.1-9, Y3059-6.1-11
def test_two_trees_with_a_bond_between_their_roots(lab):
    with lab.registries["FR"].tool() as tool:
        assert tool.say("status.set", "tree-1", {"status": "black"}) == "ok"
        assert until(lambda: lab.registries["IN"].status("tree-1") == BLACK)
        assert until(lambda: lab.registries["INA1"].status("tree-1") == BLACK)
    assert until(lambda: same(lab))


# REQ: Y3059-6.1-12
def test_a_bond_outside_of_the_trees(lab):
    """INB hears of FRA though the root of FRA's tree is away."""
    root, one = lab.registries["FR"], lab.registries["FRA"]
    root.kill()
    with one.tool() as tool:
        assert tool.say("status.set", "bilateral-1", {"status": "white"}) == "ok"
    assert until(lambda: lab.registries["INB1"].status("bilateral-1") == WHITE)
    root.start()
    assert until(lambda: same(lab), 60)


def test_lists_are_exchanged(lab):
    """REQ: Y3059-7-iv-d"""
    with lab.registries["IN"].tool() as tool:
        assert tool.say("list.published", "blacklist", {"status": "black", "subjects": ["INA1-list-1", "INB1-list-2"]}) == "ok"
        assert until(lambda: lab.registries["INA1"].status("INB1-list-2") == BLACK)
        assert tool.say("list.published", "whitelist", {"status": "white", "subjects": ["INB1-list-2"]}) == "ok"
    assert until(lambda: lab.registries["INB1"].status("INB1-list-2") == WHITE)
    assert until(lambda: same(lab))


def test_a_newcomer_is_told_everything(lab):
    """REQ: Y3059-3.2-1, Y3059-6.1-9, TEC-3.1-15b"""
    b = lab.registries["INB"]
    new = lab.registry("INB2", "primary", "INB")
    lab.bond(b, new)
    b.kill()
    b.start()
    new.start()
    assert until(lambda: same(lab), 60), new.out()
    assert new.state()[0]


def ctl(registry, *words):
    done = subprocess.run([os.path.join(BUILD, "tools/gba-ctl/gba-ctl"), "--json", "--config", registry.path("registry.conf"),
                           "registry", *words], capture_output=True, text=True, timeout=60)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_gba_ctl_shows_the_bonds(lab):
    """REQ: Y3059-9.1-i"""
    middle = lab.registries["INA"]
    status, peers, _ = ctl(middle, "peers")
    rows = {p["registry"]: p for p in peers}
    assert status == 0 and set(rows) == {"IN", "INA1", "INA8", "INA9"}
    assert (rows["IN"]["bond"], rows["IN"]["type"], rows["INA1"]["bond"]) == ("parent", "geographical", "child")
    assert rows["INA9"]["state"] == "away" and rows["INA1"]["host"] == host_of("INA1")
    assert until(lambda: {p["registry"]: p["state"] for p in ctl(middle, "peers")[1]}["INA1"] == "greeted")
    status, streams, _ = ctl(middle, "sync")
    said = {(s["origin"], s["class"]): s["events"] for s in streams}
    assert status == 0 and said["INA", "registry"] >= 3 and said["IN", "registry"] >= 2
    status, got, _ = ctl(middle, "new-id", "1")
    assert status == 0 and re.fullmatch("INA[A-Z02-7]", got[0]["reg-id"]), got
    assert ctl(middle, "new-id", "0")[0] == 2 and ctl(lab.registries["IN"], "new-id", "31")[0] != 0


def test_configurations_that_are_none(lab, tmp_path):
    """REQ: Y3059-3.2-2, Y3059-9.1-ii, Y3059-9.1-i-n"""
    def check(reg_id, kind, parent, *groups):
        conf = tmp_path / "registry.conf"
        rows = ", ".join('{ reg-id = "%s"; host = "%s"; key = "%s"; reg-type = "%s"; bond = "%s"; %s }'
                         % (r, host_of(r), "0" * 64, k, b, more) for r, k, b, more in groups)
        conf.write_text('reg-id = "%s";\nreg-type = "%s";\nparent = "%s";\nneighbours = ( %s );\n' % (reg_id, kind, parent, rows))
        done = subprocess.run([os.path.join(BUILD, "registry-fn/gba-registry"), "--check-config", str(conf)], capture_output=True,
                              text=True, timeout=60)
        return done.returncode, done.stderr

    assert check("INA", "sectoral", "IN", ("IN", "geographical", "parent", ""), ("INA1", "primary", "child", ""))[0] == 0
    assert check("INA1", "primary", "INA", ("INA", "sectoral", "parent", ""), ("FRA1", "primary", "peer", ""))[0] == 0
    assert check("IN", "geographical", "", ("FR", "geographical", "peer", ""), ("INA", "sectoral", "child", ""))[0] == 0
    for why, case in (("has one parent", ("INA", "sectoral", "IN", ("IN", "geographical", "parent", ""), ("I", "geographical", "parent", ""))),
                      ("is not the parent", ("INA", "sectoral", "IN", ("I", "geographical", "parent", ""))),
                      ("no parent of", ("INA1", "primary", "IN", ("IN", "geographical", "parent", ""))),
                      ("no parent of", ("INA", "sectoral", "IN", ("IN", "sectoral", "parent", ""))),
                      ("no parent of", ("INA1", "primary", "", ("INA12", "primary", "child", ""))),
                      ("begins with that of its parent", ("INA", "sectoral", "IN", ("INB1", "primary", "child", ""))),
                      ("this registry itself", ("INA", "sectoral", "IN", ("INA", "primary", "child", ""))),
                      ("begins the other", ("INA", "sectoral", "", ("INA1", "primary", "child", ""), ("INA12", "primary", "child", ""))),
                      ("named once", ("INA", "sectoral", "", ("INA1", "primary", "child", ""), ("INA1", "primary", "peer", ""))),
                      ("send, accept", ("INA", "sectoral", "", ("INA1", "primary", "child", 'send = [ "colour" ];')))):
        status, text = check(*case)
        assert status == 1 and why in text, (why, text)


# ---- TLS ----

def handshake(lab, version, name="nobody.registries.test"):
    one = lab.registries["INA"]
    context = one.tls(name, version)
    with socket.create_connection(("127.0.0.1", one.port), timeout=20) as plain:
        with context.wrap_socket(plain, server_hostname=host_of("INA")) as tls:
            return tls.version()


# REQ: Y3059-9.1-v
@pytest.mark.parametrize("version, shown", [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")])
def test_current_tls_is_accepted(lab, version, shown):
    assert handshake(lab, version) == shown


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(lab, version):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(lab, version)


def test_a_daemon_that_allows_old_tls_does_not_peer(tmp_path):
    """Whatever TLS_Prio says: with TLS 1.1 in it, or without TLS, no registry is peered with."""
    with Lab(tmp_path) as lab:
        root, a = lab.registry("IN", "geographical"), lab.registry("INA", "sectoral", "IN")
        lab.bond(root, a)
        root.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.1"
        lab.start()
        assert until(lambda: root.link(a) == "insecure"), root.out()
        assert "allows TLS before 1.2" in root.out()
        assert until(lambda: "greeting of" in root.out() and "not authorized" in root.out())  # the other asks, and is refused
        assert until(lambda: a.link(root) == "connected"), a.out()
        assert root.rows("SELECT count(*) FROM event WHERE origin = 'INA'") == [(0,)]


# ---- a neighbour of ours ----

def ask(peer, *args, **kw):
    """One that has just been away exchanges watchdogs first: what it asks meanwhile may get no answer."""
    return until(lambda: peer.request(rsr(peer, *args, **kw), timeout=5))


def events(peer, reg_id, *wires):
    return ask(peer, reg_id, EVENTS, events=list(wires))


@pytest.fixture(scope="module")
def stranger(lab):
    with lab.registries["INA"].client(host_of("INA9")) as peer:
        peer.says = lab.stranger.origin
        yield peer


def test_an_independent_neighbour_is_understood(lab, stranger):
    answer = ask(stranger, "INA9", HELLO, accepts=["status"])
    assert answer.result() == (0, 2001) and texts(answer, REG_ID) == ["INA"]
    assert set(texts(answer, ACCEPTS)) == {"registry", "device", "status", "black", "vulnerability", "list"}
    assert any(h.startswith("INA1 status ") for h in texts(answer, HAVE))
    wire = stranger.says.event("device.registered", "INA9-own", {"identities": [{"type": "imei", "value": "490154203237518"}]})
    answer = events(stranger, "INA9", wire)
    assert answer.result() == (0, 2001) and texts(answer, HAVE) == ["INA9 device 1"]
    wire = stranger.says.event("status.set", "INA9-own", {"status": "black"})
    assert events(stranger, "INA9", wire).result() == (0, 2001)
    assert until(lambda: lab.registries["INB1"].status("INA9-own") == BLACK)
    assert texts(events(stranger, "INA9", wire), HAVE) == ["INA9 status 1"]  # again: known
    assert lab.registries["INA"].rows("SELECT count(*) FROM event WHERE origin = 'INA9'") == [(2,)]


def test_it_is_sent_what_it_lacks(lab):
    """Only classes it accepts; in order; again after a loss; and no more once it has them."""
    got, answers = [], []

    def on_request(conn, message):
        if message.code != RSR:
            return None
        wires = [a.value() for a in message.avps if a.vendor == d.Y3056 and a.code == 32]
        got.extend(wires)
        answers.append(len(wires))
        return message.answer(conn.origin(), [d.u32(d.AUTH_SESSION_STATE, 1), d.result(2001)])

    def numbers():
        return [int(w.split(b'"number":')[1].split(b",")[0]) for w in list(got) if b'"origin":"INA1"' in w and b'"status.set"' in w]

    with lab.registries["INA1"].tool() as tool:
        for n in range(10):
            assert tool.say("status.set", "lacks-%d" % n, {"status": "white"}) == "ok"
    assert until(lambda: same(lab))
    with lab.registries["INA"].client(host_of("INA8"), on_request=on_request) as peer:
        assert ask(peer, "INA8", HELLO, haves=["INA1 status 3"], accepts=["status"]).result() == (0, 2001)
        assert until(lambda: len(numbers()) >= 5)
        assert numbers()[:5] == [4, 5, 6, 7, 8]
        kinds = {w[64:].split(b'"kind":"')[1].split(b".")[0] for w in got}
        assert kinds <= {b"status", b"registry"}


HOSTILE = {
    "wrong signature": (lambda o: bytes(64) + o.event("status.set", "X", {"status": "black"}, keep=False)[64:], (d.TGPP, 5402)),
    "gap": (lambda o: o.event("status.set", "X", {"status": "black"}, keep=False, number=77), (0, 5012)),
    "another history": (lambda o: o.event("status.set", "X", {"status": "black"}, keep=False, previous="ab" * 32), (0, 5012)),
    "another event of a known number": (lambda o: o.event("status.set", "X", {"status": "white"}, keep=False, number=1,
                                                          previous="0" * 64), (0, 5012)),
    "origin forged": (lambda o: o.event("status.set", "X", {"status": "black"}, keep=False, origin="INA1"), (d.TGPP, 5402)),
    "origin unknown": (lambda o: o.event("status.set", "X", {"status": "black"}, keep=False, origin="ZZ"), (d.TGPP, 5402)),
    "from the future": (lambda o: o.event("status.set", "X", {"status": "black"}, keep=False,
                                          lamport=int(time.time() * 1000) + 3600000), (0, 5004)),
    "no such status": (lambda o: o.event("status.set", "X", {"status": "red"}, keep=False), (0, 5004)),
    "personal data": (lambda o: o.event("device.registered", "X", {"email": "a@b"}, keep=False), (d.TGPP, 5402)),
    "a device of another": (lambda o: o.event("device.registered", regdevid.regdevid("prefix", "INA1", "imei", "490154203237518"), {},
                                              keep=False), (d.TGPP, 5402)),
    "a device of another goes": (lambda o: o.event("device.removed", regdevid.regdevid("suffix", "INA1", "mac", "00:1b:63:84:45:e6"), {},
                                                   keep=False), (d.TGPP, 5402)),
    "of a class not allowed": (lambda o: o.event("custodian.shared", "X", {"email": "a@b"}, keep=False), (d.TGPP, 5402)),
    "a primary assigns": (lambda o: o.event("registry.assigned", "INA9X", {"type": "primary", "key": "00" * 32}, keep=False),
                          (d.TGPP, 5402)),
    "not canonical": (lambda o: (lambda w: o.key.sign(w[64:] + b" ") + w[64:] + b" ")(
        o.event("status.set", "X", {"status": "black"}, keep=False)), (0, 5004)),
    "a member more": (lambda o: o.event("status.set", "X", {"status": "black"}, keep=False, zebra=1), (0, 5004)),
    "no JSON": (lambda o: o.key.sign(b"hello") + b"hello", (0, 5004)),
    "empty": (lambda o: b"", (0, 5004)),
    "too long": (lambda o: o.event("vulnerability.reported", "X", {"x": "y" * 20000}, keep=False), (0, 5014)),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_events(lab, stranger, case):
    make, want = HOSTILE[case]
    one = lab.registries["INA"]
    assert until(lambda: same(lab))
    before = one.state()
    answer = events(stranger, "INA9", make(stranger.says))
    assert answer.result() == want
    assert one.state() == before
    assert until(lambda: "events refused" in one.out())


def test_hostile_requests(lab, stranger):
    one = lab.registries["INA"]
    assert until(lambda: same(lab))
    before = one.state()
    assert ask(stranger, "INA1", HELLO).result() == (d.TGPP, 5402)  # another's RegID
    assert ask(stranger, "INA9", 7).result() == (0, 5004)
    assert ask(stranger, "INA9", HELLO, haves=["INA9 status x"]).result() == (0, 5004)
    giant = stranger.says.event("status.set", "X", {"status": "black"}, keep=False)
    assert events(stranger, "INA9", *[b"x"] * 257).result() == (0, 5009)
    with one.client("nobody.registries.test") as nobody:
        assert ask(nobody, "INA9", HELLO).result() == (d.TGPP, 5402)
        assert events(nobody, "INA9", giant).result() == (d.TGPP, 5402)
    assert one.state() == before


def test_a_bond_that_allows_little(lab):
    """INA8 may send vulnerabilities alone. REQ: Y3059-9.4-i-b: by the messages of doc/registry-peering.md, from another implementation."""
    origin = lab.narrow.origin
    with lab.registries["INA"].client(host_of("INA8")) as peer:
        answer = events(peer, "INA8", origin.event("status.set", "X", {"status": "black"}, keep=False))
        assert answer.result() == (d.TGPP, 5402)
        good = origin.event("vulnerability.reported", "V1", {"cve": "CVE-2031-0001"})
        bad = origin.event("status.set", "X", {"status": "black"}, keep=False)
        answer = events(peer, "INA8", bad, good)  # what is good of it is taken
        assert answer.result() == (0, 2001) and texts(answer, HAVE) == ["INA8 vulnerability 1"]
    assert lab.registries["INA"].status("X") is None


def test_a_stolen_key_is_revoked(lab):
    """What was forged with it goes everywhere; its registry goes on with another key, and all come to the same."""
    above, one = lab.registries["INB"], lab.registries["INB1"]
    others = [r for r in lab.registries.values() if r is not one]
    with one.tool() as tool:
        assert tool.say("device.registered", "INB1-stolen", {"make": "lab"}) == "ok"
        assert tool.say("status.set", "INB1-stolen", {"status": "white"}) == "ok"
    assert until(lambda: same(lab), 60)
    one.kill()
    thief, stolen = Origin("INB1", one.key), one.key.public
    number, digest = one.rows("SELECT number, digest FROM event_stream WHERE origin = 'INB1' AND class = 2")[0]
    thief.streams["status"] = (number, bytes(digest).hex())
    with above.client(host_of("INB1")) as peer:
        forged = thief.event("status.set", "INB1-stolen", {"status": "black"}, lamport=int(time.time() * 1000) + 2000)
        assert events(peer, "INB1", forged).result() == (0, 2001)
    assert until(lambda: all(r.status("INB1-stolen") == BLACK for r in others), 60)

    one.key = Key(one.folder, "fresh")
    one.key.write(one.path("registry.key"))
    assert ctl(one, "key-change")[0] == 0 and ctl(above, "revoke", "INB1", stolen, "--all")[0] == 0
    assert until(lambda: all(r.status("INB1-stolen") == GREY for r in others), 60)
    above.kill()
    above.start()
    with above.client(host_of("INB1")) as peer:
        assert events(peer, "INB1", forged).result() == (d.TGPP, 5402)
    one.start()
    assert until(lambda: same(lab) and one.status("INB1-stolen") == WHITE, 60), one.out() + above.out()
    assert all(r.status("INB1-stolen") == WHITE for r in others)
