# SPDX-License-Identifier: Apache-2.0
"""Zn on the wire: an independent Diameter peer asks, keys are computed here once more. REQ: Y3056-7.2-4a,
Y3056-7.5-6a, Y3056-8.4-6, Y3056-8.5-a, Y3056-10.4-4d"""
import base64
import json
import os
import subprocess
import threading
import time
import xml.etree.ElementTree as ElementTree

import pytest

from peers import diameter as d
from peers.bsf_node import AGENT, BSF, NAF, OPERATOR, impi_of
from peers.keys import UICC
from peers.waiting import undisturbed, until
from peers.zn_cases import GUSS, OWNER, STRICT

TLS12 = b"\1\0\1\xc0\x2f"
TLS13 = b"\1\0\0\0\7"
DENIED, UNKNOWN = (10415, 5402), (10415, 5403)


@pytest.fixture(scope="session")
def tokens(shared):
    """B-TIDs of one user by GBA_ME and one by GBA_U."""
    made = {}
    for name, n, uicc in (("me", 1, "GBA"), ("u", 2, "GBA_U")):
        shared.hss.guss[impi_of(n)] = GUSS % (impi_of(n), uicc, "")
        made[name] = shared.ue(impi_of(n)).bootstrap()[0]
    made["plain"] = shared.ue(impi_of(3)).bootstrap()[0]  # a user without GUSS
    return made


@pytest.fixture
def ask(shared):
    def send(btid, naf=AGENT, **kw):
        with shared.naf(naf) as peer:
            return shared.bir(peer, btid, **kw)
    return send


@pytest.mark.parametrize("fqdn,ua", [(NAF, b"\1\0\0\0\2"), (NAF, TLS12), (NAF, TLS13), (NAF.upper(), b"\1\0\0\0\2"),
                                     ("a.iot.asp.example.com", TLS13)])
def test_key(shared, tokens, ask, fqdn, ua):
    # REQ: Y3056-7.2-2, Y3056-7.2-3
    view = d.bia_view(ask(tokens["me"], fqdn=fqdn, ua=ua))
    assert view["me_key"] == shared.key_of(tokens["me"], fqdn, ua)
    assert set(view) == {"me_key", "expires", "created", "gba_type"} and view["gba_type"] == 0
    assert view["expires"] - view["created"] == 86400


def audit_log(node):
    return os.path.join(node.realm.folder, "bsf", "audit.log")


def on_record(node, btid):
    said = subprocess.run([node.realm.tree.program("gba-ctl"), "audit", "show", "--json", "--act", "zn.key", "--about", btid,
                           audit_log(node)], capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in said.splitlines()]


def test_keys_given_are_on_record(shared, tokens, ask):
    """REQ: Y3056-11-6"""
    given = d.bia_view(ask(tokens["me"]))
    assert ask(tokens["me"], STRICT, fqdn=NAF).result() == DENIED
    acts = on_record(shared, tokens["me"])
    got = [a for a in acts if a["who"] == AGENT]
    assert got and all(a["subject"] == impi_of(1) and a["result"] == "ok" and NAF in a["why"].lower() for a in got if NAF in a["why"])
    assert [a["result"] for a in acts if a["who"] == STRICT][-1] == "GBA_E_NOT_AUTHORIZED"
    with open(audit_log(shared), "rb") as log:
        assert given["me_key"].hex().encode() not in log.read()


def test_keys_differ(tokens, ask):
    keys = {d.bia_view(ask(tokens[t], fqdn=f, ua=u))["me_key"] for t in ("me", "u") for f in (NAF, "a.iot.asp.example.com")
            for u in (TLS12, TLS13)}
    assert len(keys) == 8


@pytest.mark.parametrize("token,aware,uicc", [("u", 1, True), ("u", 0, False), ("u", None, False), ("me", 1, False)])
def test_uicc_key(shared, tokens, ask, token, aware, uicc):
    view = d.bia_view(ask(tokens[token], gba_u_aware=aware))
    assert view["me_key"] == shared.key_of(tokens[token])
    assert view.get("uicc_key") == (shared.key_of(tokens[token], kind=UICC) if uicc else None)


def uids(view):
    root = ElementTree.fromstring(view["uss"])
    assert root.tag == "ussList"
    return [uid.text for uid in root.iter("uid")]


@pytest.mark.parametrize("naf,fqdn,gsids,want", [
    (AGENT, NAF, ["1000001"], ["sip:user@operator.example"]),
    (AGENT, NAF, ["1000003"], None),  # the user has it, this NAF may not ask
    (AGENT, NAF, ["1000002"], None),  # it may ask, the user has none
    (AGENT, NAF, [], None),
    (AGENT, NAF, ["1000001", "1000003"], ["sip:user@operator.example"]),
    (OWNER, OWNER, ["1000001"], ["sip:owner@operator.example"]),  # its group's and only that
    (OWNER, OWNER, ["1000003"], ["sip:other@operator.example"]),
])
def test_user_settings(tokens, ask, naf, fqdn, gsids, want):
    view = d.bia_view(ask(tokens["me"], naf, fqdn=fqdn, gsids=gsids))
    assert (uids(view) if "uss" in view else None) == want


def test_impi_only_where_allowed(tokens, ask):
    assert d.bia_view(ask(tokens["me"], OWNER, fqdn=OWNER))["user_name"] == impi_of(1).encode()
    answer = ask(tokens["me"], gsids=["1000001"])
    assert impi_of(1).split("@")[0].encode() not in answer.encode()


def test_uss_required(tokens, ask):
    assert ask(tokens["me"], STRICT, fqdn=STRICT, gsids=["1000001"]).result() == (0, 2001)
    assert ask(tokens["me"], STRICT, fqdn=STRICT).result() == DENIED
    assert ask(tokens["plain"], STRICT, fqdn=STRICT, gsids=["1000001"]).result() == DENIED


REFUSED = [
    ("NAF not in the table", "stranger.example", NAF, b"\1\0\0\0\2", DENIED),
    ("name of another NAF", AGENT, OWNER, b"\1\0\0\0\2", DENIED),
    ("suffix trick", AGENT, "x" + NAF, b"\1\0\0\0\2", DENIED),
    ("below its name", AGENT, "x." + NAF, b"\1\0\0\0\2", DENIED),
    ("its name as prefix", AGENT, NAF + ".evil.example", b"\1\0\0\0\2", DENIED),
    ("wildcard suffix trick", AGENT, "eviliot.asp.example.com", b"\1\0\0\0\2", DENIED),
    ("wildcard's own name", AGENT, "iot.asp.example.com", b"\1\0\0\0\2", DENIED),
    ("protocol not allowed", STRICT, STRICT, TLS13, DENIED),
    ("trailing dot", AGENT, NAF + ".", b"\1\0\0\0\2", (0, 5004)),
    ("NUL in the name", AGENT, NAF + "\0", b"\1\0\0\0\2", (0, 5004)),
    ("NUL and another name", AGENT, NAF + "\0.evil.example", b"\1\0\0\0\2", (0, 5004)),
    ("blank", AGENT, NAF + " ", b"\1\0\0\0\2", (0, 5004)),
    ("two names", AGENT, NAF + "," + OWNER, b"\1\0\0\0\2", (0, 5004)),
    ("no name", AGENT, "", b"\1\0\0\0\2", (0, 5004)),
    ("star", AGENT, "*.iot.asp.example.com", b"\1\0\0\0\2", (0, 5004)),
    ("name too long", AGENT, "a." * 126 + "example", b"\1\0\0\0\2", None),
]


@pytest.mark.parametrize("name,naf,fqdn,ua,want", REFUSED, ids=[row[0] for row in REFUSED])
def test_naf_id_refused(tokens, ask, name, naf, fqdn, ua, want):
    answer = ask(tokens["me"], naf, fqdn=fqdn, ua=ua, gsids=["1000001"])
    assert answer.result() == want if want else answer.result() in ((0, 5014), (0, 5004))
    assert not set(d.bia_view(answer)) & {"me_key", "uicc_key", "uss", "user_name"}
    if answer.result() == (0, 5004):
        assert [(a.code, a.vendor) for a in answer.failed()] == [(402, d.TGPP)]


@pytest.mark.parametrize("btid,want", [
    (base64.b64encode(b"\7" * 16).decode() + "@" + BSF, UNKNOWN), (base64.b64encode(b"\7" * 16).decode() + "@bsf.example", UNKNOWN),
    ("", (0, 5004)), ("x", (0, 5004)), ("@" + BSF, (0, 5004)), ("A" * 23 + "=@" + BSF, (0, 5004)), ("A" * 2000, (0, 5014)),
    (base64.b64encode(b"\7" * 16).decode() + "@" + BSF + "\0", (0, 5004)),
    (base64.urlsafe_b64encode(b"\xff" * 16).decode() + "@" + BSF, (0, 5004))])
def test_btid_refused(ask, btid, want):
    answer = ask(btid)
    assert answer.result() == want
    if want[1] == 5004:
        assert [(a.code, a.vendor) for a in answer.failed()] == [(401, d.TGPP)]
    assert answer.flags & 0x20 == 0


def test_refusal_says_nothing_about_the_btid(tokens, ask):
    known = ask(tokens["me"], "stranger.example")
    unknown = ask(base64.b64encode(b"\7" * 16).decode() + "@" + BSF, "stranger.example")
    assert known.result() == unknown.result() == DENIED
    assert len(known.encode()) == len(unknown.encode())


def test_missing_and_surplus_avps(shared, tokens):
    naf_id = NAF.encode() + b"\1\0\0\0\2"
    with shared.naf() as peer:
        def result(message):
            answer = peer.request(message)
            return answer.result()[1], [(a.code, a.vendor) for a in answer.failed()]

        def bir(*extra, btid=tokens["me"], naf_id=naf_id, **kw):
            return d.bir(peer, btid, naf_id, dest_realm=OPERATOR, extra=extra, **kw)

        assert result(bir(btid=None)) == (5005, [(401, d.TGPP)])
        assert result(bir(naf_id=None)) == (5005, [(402, d.TGPP)])
        assert result(bir(d.tgpp(402, naf_id))) == (5009, [(402, d.TGPP)])
        assert result(bir(d.tgpp(401, tokens["me"]))) == (5009, [(401, d.TGPP)])
        assert result(bir(d.tgpp(410, 7), gba_u_aware=None))[0] in (2001, 5008, 5001, 5004)
        assert result(bir(gba_u_aware=9)) == (5004, [(407, d.TGPP)])
        assert result(bir(d.Avp(9999, b"x", 424242)))[0] == 5001
        assert result(bir(d.Avp(9999, b"x", 424242, m=False)))[0] == 2001
        assert result(bir(gsids=["12x"]))[0] == 5004
        assert result(bir(gsids=[str(i) for i in range(1000)]))[0] == 5009
        assert result(bir())[0] == 2001


def test_origin_host_of_another(shared, tokens):
    """A NAF that speaks in the name of another (the guard refuses it before it is looked at)."""
    with shared.naf("stranger.example") as peer:
        message = d.bir(peer, tokens["me"], NAF.encode() + b"\1\0\0\0\2", dest_realm=OPERATOR)
        message.avps = [d.text(d.ORIGIN_HOST, AGENT) if a.code == d.ORIGIN_HOST else a for a in message.avps]
        answer = peer.request(message)
        assert answer is None or answer.result()[1] != 2001 and "me_key" not in d.bia_view(answer)


def test_bir_in_another_application(shared, tokens):
    with shared.naf() as peer:
        message = d.bir(peer, tokens["me"], NAF.encode() + b"\1\0\0\0\2", dest_realm=OPERATOR)
        message.app = d.ZH
        answer = peer.request(message)
        assert answer is None or answer.result()[1] != 2001


def test_unsolicited_answer_changes_nothing(shared, tokens, ask):
    with shared.naf() as peer:
        message = d.bir(peer, tokens["me"], NAF.encode() + b"\1\0\0\0\2", dest_realm=OPERATOR)
        message.flags &= ~d.R
        message.hbh, message.e2e = 77, 77
        peer.send_raw(message.encode())
    assert ask(tokens["me"]).result() == (0, 2001)


def test_expiry(shared, ask):
    shared.hss.guss[impi_of(9)] = GUSS % (impi_of(9), "GBA", "<lifeTime>3</lifeTime>")

    def asked_at_once():
        btid, expires = shared.ue(impi_of(9)).bootstrap()
        return btid, expires, ask(btid)

    btid, expires, answer = undisturbed(asked_at_once, 2)
    assert answer.result() == (0, 2001) and d.bia_view(answer)["expires"] == expires
    assert until(lambda: ask(btid).result() == UNKNOWN)
    assert time.time() >= expires


def test_older_token_stays_good(shared, ask):
    old, _ = shared.ue(impi_of(10)).bootstrap()
    new, _ = shared.ue(impi_of(10)).bootstrap()
    assert old != new
    assert d.bia_view(ask(old))["me_key"] == shared.key_of(old) != shared.key_of(new) == d.bia_view(ask(new))["me_key"]


def test_many_at_once(shared, tokens):
    """500 requests in flight on one connection: each gets its answer."""
    with shared.naf() as peer:
        naf_id = NAF.encode() + b"\1\0\0\0\2"
        sent = [peer.send(d.bir(peer, tokens["me"], naf_id, dest_realm=OPERATOR)) for _ in range(500)]
        keys = {d.bia_view(peer.wait(m)).get("me_key") for m in sent}
    assert keys == {shared.key_of(tokens["me"])}


def test_rate_of_a_naf(own):
    """Beyond its rate it gets 3004, whatever it asks; others are served. It is counted, and one line says so."""
    node = own(nafs='{ identity = "%s"; fqdns = [ "%s" ]; gsids = [ "*" ]; rate = 1; burst = 5; }, { identity = "other.asp.example.com"; '
               'fqdns = [ "other.asp.example.com" ]; }' % (AGENT, NAF), naf_peers=(AGENT, "other.asp.example.com"))
    btid, _ = node.ue().bootstrap()
    with node.naf() as naf:
        began = time.monotonic()
        got = [node.bir(naf, btid if n % 2 else btid.replace("A", "B")).result() for n in range(60)]
        limited, earned = got.count((0, 3004)), int(time.monotonic() - began) + 1
        assert (0, 3004) not in got[:5] and 55 - earned <= limited <= 55, got
        with node.naf("other.asp.example.com") as other:
            assert all(node.bir(other, btid, fqdn="other.asp.example.com").result() == (0, 2001) for _ in range(10))
        assert until(lambda: node.metric('gba_bsf_zn_limited_total{naf="%s"}' % AGENT) == limited)
        assert 1 <= node.log().count("zn.limited") <= 1 + earned // 10 and "more than its 1 requests a second" in node.log()
        assert until(lambda: node.bir(naf, btid).result() == (0, 2001))  # and again in its time


def test_contexts_survive_restart(own):
    node = own()
    btid, expires = node.ue().bootstrap()
    assert node.stop_daemon() == 0
    node.start(ready=False)
    with node.naf() as naf:
        answer = node.bir(naf, btid)
    assert d.bia_view(answer)["me_key"] == node.key_of(btid) and d.bia_view(answer)["expires"] == expires


def test_trace_has_both_arrows(own):
    node = own()
    btid, _ = node.ue().bootstrap()
    with node.naf() as naf:
        node.bir(naf, btid)
        node.bir(naf, btid, fqdn="evil.example")
    def lines():
        with open(node.realm.trace, encoding="utf-8") as trace:
            return trace.read().splitlines()

    assert until(lambda: len(lines()) >= 8)  # the last ones are written after the answer has left
    steps = [json.loads(line) for line in lines()]
    seen = [(s["from"], s["to"], s["iface"], s["message"]) for s in steps]
    assert seen == [
        ("ue", "bsf", "Ub", "GET /"), ("bsf", "ue", "Ub", "401 challenge"), ("ue", "bsf", "Ub", "GET /"), ("bsf", "ue", "Ub", "200 OK"),
        ("naf-agent", "bsf", "Zn", "BIR"), ("bsf", "naf-agent", "Zn", "BIA DIAMETER_SUCCESS"),
        ("naf-agent", "bsf", "Zn", "BIR"), ("bsf", "naf-agent", "Zn", "BIA DIAMETER_ERROR_NOT_AUTHORIZED")]
    assert len({s["corr"] for s in steps}) == 1 and all(s["clause"] for s in steps)


def test_store_without_readers_lock(shared, tokens):
    """Zn is served while Ub stores: nobody waits for the writer."""
    stop = threading.Event()

    def load():
        ue = shared.ue(impi_of(500))
        while not stop.is_set():
            ue.bootstrap()

    thread = threading.Thread(target=load)
    thread.start()
    try:
        with shared.naf() as peer:
            delays = []
            for _ in range(300):
                began = time.monotonic()
                assert shared.bir(peer, tokens["me"]).result() == (0, 2001)
                delays.append(time.monotonic() - began)
    finally:
        stop.set()
        thread.join()
    assert sorted(delays)[len(delays) // 2] < 0.5, "a machine this busy has no say in the median"
