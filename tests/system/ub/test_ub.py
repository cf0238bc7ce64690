# SPDX-License-Identifier: Apache-2.0
"""Ub on the wire, by an independent UE (tests/peers/ub.py) and a stand-in HSS. REQ: Y3056-10.4-1d, Y3056-10.4-2a,
Y3056-10.4-4b, Y3056-9.1.1-1, Y3056-9.1.1-3, Y3056-7.2-4a"""
import base64
import hashlib
import re
import threading
import time

import pytest

from peers import diameter as d
from peers.bsf_node import BSF, IMPI, impi_of
from peers.keys import UICC, kdf
from peers.ub import Http, Refused, authorization, digest, params
from peers.waiting import until


def test_bootstrap_and_key(shared):
    # REQ: Y3056-9.6.3-3
    ue = shared.ue()
    before = time.time()
    btid, expires = ue.bootstrap()
    assert btid.endswith("@" + BSF) and before + 86399 <= expires <= time.time() + 86401
    with shared.naf() as naf:
        answer = shared.bir(naf, btid)
        assert answer.result() == (0, 2001)
        assert d.bia_view(answer)["me_key"] == shared.key_of(btid)
        assert d.bia_view(answer)["expires"] == expires


def test_challenge_is_as_in_24109(shared):
    """REQ: OBF-7.2.3-3, Y3056-8.2.1-1"""
    answer = shared.ue(impi_of(2)).first()
    assert answer.status == 401
    assert re.fullmatch(r'Digest realm="%s", nonce="[A-Za-z0-9+/]{43}=", algorithm=AKAv1-MD5, qop="auth-int", opaque="[0-9a-f]{32}"'
                        % re.escape(BSF), answer.get("WWW-Authenticate"))
    assert "3gpp-gba-tmpi" in answer.get("Server")


def test_answer_is_as_in_24109(shared):
    ue = shared.ue(impi_of(3))
    challenge = ue.first()
    answer, f = ue.second(challenge)
    assert answer.status == 200
    assert re.fullmatch(r'qop=auth-int, rspauth="[0-9a-f]{32}", cnonce="%s", nc=00000001' % f["cnonce"],
                        answer.get("Authentication-Info"))
    life = re.search(rb"<lifetime>(.*)</lifetime>", answer.body).group(1).decode()
    assert time.strptime(answer.get("Expires"), "%a, %d %b %Y %H:%M:%S GMT")[:6] == time.strptime(life, "%Y-%m-%dT%H:%M:%SZ")[:6]
    assert "3gpp-gba-tmpi" in answer.get("Server")


@pytest.mark.parametrize("write", [
    lambda f: authorization({**f, "qop": '"auth-int"'}),  # quoted qop
    lambda f: authorization({**f, "algorithm": None}),  # left out
    lambda f: authorization({**f, "algorithm": '"AKAv1-MD5"'}),
    lambda f: authorization(dict(reversed(f.items()))),
    lambda f: authorization(f).replace(", ", ","),
    lambda f: authorization(f).replace("Digest ", "digest  ").replace(", ", " , "),
    lambda f: authorization({**f, "response": f["response"].upper()}),
    lambda f: authorization(f) + ', imei="490154203237518"',
    lambda f: authorization({**f, "opaque": None}),
    lambda f: authorization({**f, "opaque": None, "algorithm": None}).replace(", ", ","),
])
def test_clients_seen_in_the_wild(shared, write):
    ue = shared.ue(impi_of(4))
    challenge = params(ue.first().get("WWW-Authenticate"))
    f = ue.fields(challenge, shared.hss.res(base64.b64decode(challenge["nonce"])[:16]))
    assert ue.get(write(f), [("X-Operator-Imei", "490154203237518")]).status == 200


# What must not get in: (name, changes to the right second leg, changes to what is hashed, status)
WRONG = [
    ("empty response", {"response": ""}, {}, 400),
    ("password of no octets", {}, {"password": b""}, 401),
    ("RES cut", {}, {"cut": 7}, 401),
    ("qop auth", {"qop": "auth"}, {"qop": "auth"}, 400),
    ("qop left out", {"qop": None}, {}, 400),
    ("nc zero", {"nc": "00000000"}, {"nc": "00000000"}, 400),
    ("nc two", {"nc": "00000002"}, {"nc": "00000002"}, 401),
    ("algorithm MD5", {"algorithm": "MD5"}, {}, 400),
    ("algorithm AKAv2", {"algorithm": "AKAv2-MD5"}, {}, 400),
    ("another realm", {"realm": "bsf.evil.example"}, {"realm": "bsf.evil.example"}, 400),
    ("realm hashed otherwise", {}, {"realm": "bsf.evil.example"}, 401),
    ("another uri", {"uri": "/x"}, {"uri": "/x"}, 400),
    ("method hashed otherwise", {}, {"method": "POST"}, 401),
    ("rspauth sent back", {}, {"method": ""}, 401),
    ("another user's name", {"username": impi_of(7)}, {"username": impi_of(7)}, 401),
    ("opaque made up", {"opaque": "0" * 32}, {}, 400),
    ("opaque left out, RES cut", {"opaque": None}, {"cut": 7}, 401),
    ("cnonce left out", {"cnonce": None}, {}, 400),
    ("nonce cut", {"nonce": "AAAA"}, {}, 401),
    ("two usernames", {"username ": IMPI}, {}, 400),
    ("auts with the right RES", {"auts": "RR6L7LQ7BcVC+xeK+y0="}, {}, 401),
    ("auts too short", {"auts": "AAAA"}, {}, 400),
]


@pytest.mark.parametrize("name,changes,hashed,status", WRONG, ids=[row[0] for row in WRONG])
def test_wrong_answer_is_refused(shared, name, changes, hashed, status):
    """REQ: OBF-12.2-2, OBF-7.1.3-1"""
    ue = shared.ue(impi_of(200 + [row[0] for row in WRONG].index(name)))
    challenge = params(ue.first().get("WWW-Authenticate"))
    rand = base64.b64decode(challenge["nonce"])[:16]
    password = hashed.get("password", shared.hss.res(rand)[:hashed.get("cut", 8)])
    f = ue.fields(challenge, password)
    f["response"] = digest(hashed.get("username", f["username"]), hashed.get("realm", f["realm"]), password,
                           hashed.get("method", "GET"), hashed.get("uri", "/"), f["nonce"], hashed.get("nc", f["nc"]),
                           f["cnonce"], qop=hashed.get("qop", "auth-int"))
    contexts = shared.metric("gba_bsf_contexts")
    f.update(changes)
    header = authorization({k.strip(): v for k, v in f.items()})
    if "username " in f:
        header += ', username="%s"' % IMPI
    answer = ue.get(header)
    assert answer.status == status
    assert answer.get("Authentication-Info") is None
    assert shared.metric("gba_bsf_contexts") == contexts
    assert (answer.get("WWW-Authenticate") is not None) == (status == 401)


RAW = [
    ("no Authorization", b"GET / HTTP/1.1\r\nHost: b\r\n\r\n", 400),
    ("Basic", b"GET / HTTP/1.1\r\nHost: b\r\nAuthorization: Basic YTpi\r\n\r\n", 400),
    ("two Authorization", b'GET / HTTP/1.1\r\nHost: b\r\nAuthorization: %(a)s\r\nAuthorization: %(a)s\r\n\r\n', 400),
    ("two Host", b"GET / HTTP/1.1\r\nHost: b\r\nHost: c\r\nAuthorization: %(a)s\r\n\r\n", 400),
    ("NUL in the value", b"GET / HTTP/1.1\r\nHost: b\r\nAuthorization: %(a)s, x=\"a\0b\"\r\n\r\n", 400),
    ("length and chunked", b"GET / HTTP/1.1\r\nHost: b\r\nAuthorization: %(a)s\r\nContent-Length: 4\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n", 400),
    ("two lengths", b"GET / HTTP/1.1\r\nHost: b\r\nAuthorization: %(a)s\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n", 400),
    ("POST", b"POST / HTTP/1.1\r\nHost: b\r\nAuthorization: %(a)s\r\nContent-Length: 0\r\n\r\n", 405),
    ("path not served", b"GET /metrics HTTP/1.1\r\nHost: b\r\nAuthorization: %(a)s\r\n\r\n", 404),
    ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    ("header too long", b"GET / HTTP/1.1\r\nHost: b\r\nAuthorization: %(a)s, x=\"" + b"y" * 40000 + b"\"\r\n\r\n", 431),
]


def refused_lines(node, status):
    """Refusals in the log from this machine with this status."""
    return [line for line in node.log().splitlines() if " ub.refused " in line and "peer=127." in line and str(status) in line]


@pytest.mark.parametrize("name,octets,status", RAW, ids=[row[0] for row in RAW])
def test_malformed_request(shared, name, octets, status):
    first = authorization(dict(username=impi_of(6), realm=BSF, nonce="", uri="/", response="")).encode()
    asked, logged = len(shared.hss.asked), len(refused_lines(shared, status))
    with Http(shared.address) as conn:
        conn.send(octets % {b"a": first})
        assert conn.answer().status == status
        if status == 400 and b"smuggled" in octets:
            with pytest.raises((ConnectionError, OSError)):
                conn.answer()
    assert len(shared.hss.asked) == asked
    assert until(lambda: len(refused_lines(shared, status)) > logged)
    assert len(refused_lines(shared, status)) == logged + 1  # one line per decision


def test_flood_of_nonsense_does_not_flood_the_log(own):
    node = own()
    for _ in range(300):
        with Http(node.address) as conn:
            conn.send(b"GET / HTTP/1.1\r\nHost: b\r\nHost: c\r\n\r\n")
            assert conn.answer().status == 400
    count = len(refused_lines(node, 400))
    assert 64 <= count < 200
    assert until(lambda: node.metric('gba_bsf_ub_requests_total{code="400"}') == 300)

    def told_how_many():
        with Http(node.address) as conn:
            conn.send(b"GET / HTTP/1.1\r\nHost: b\r\nHost: c\r\n\r\n")
            assert conn.answer().status == 400
        return re.search(r"\d+ more before this one", node.log())
    assert until(told_how_many, step=0.5)


@pytest.mark.parametrize("impi,status", [
    ("nobody@nowhere.example", 403), ("nodomain", 400), ("", 400), ("a b@" + BSF, 400), ("\u00e9@x.example", 400),
    ("A" * 300 + "@x.example", 400), ("I1U8vpY3qJ0hiuZNrke/NQ==@" + BSF, 403),
    ("7g8A0RHDuCXlCTm8IzQ29xYou4F13lIQ@tmpi.bsf.3gppnetwork.org", 404)])
def test_identity_that_cannot_bootstrap(shared, impi, status):
    ue = shared.ue()
    asked = len(shared.hss.asked)
    assert ue.first(username=impi).status == status
    assert len(shared.hss.asked) == asked


def test_unknown_impi_is_final(own):
    node = own()
    node.hss.fail(d.experimental(5401))
    answer = node.ue().first()
    assert answer.status == 403 and answer.get("WWW-Authenticate") is None


def test_tmpi(shared):
    impi = impi_of(8)
    ue = shared.ue(impi, tmpi=True)
    btid, _ = ue.bootstrap()
    rand = base64.b64decode(btid.split("@")[0])
    temp = kdf(shared.hss.ks(rand), b"gba-me", rand, impi.encode(), BSF.encode() + b"\1\0\0\1\0")[:24]
    tmpi = base64.b64encode(temp).decode() + "@tmpi.bsf.3gppnetwork.org"
    again = shared.ue(tmpi, tmpi=True)
    btid, _ = again.bootstrap()
    assert shared.hss.asked[-1] == impi
    with shared.naf() as naf:  # the key is derived from the real IMPI
        assert d.bia_view(shared.bir(naf, btid))["me_key"] == shared.key_of(btid)


def test_replayed_answer_is_stale(shared):
    ue = shared.ue(impi_of(9))
    answer, f = ue.second(ue.first())
    assert answer.status == 200
    again = ue.get(authorization(f))
    assert again.status == 401
    challenge = params(again.get("WWW-Authenticate"))
    assert challenge["stale"] == "true" and challenge["nonce"] != f["nonce"]


def test_nonce_counted_on_is_stale(shared):
    """nc 2 on the nonce of a 200, and on one never used: a new nonce, no 400."""
    ue = shared.ue(impi_of(12))
    answer, f = ue.second(ue.first())
    assert answer.status == 200
    for used in (True, False):
        challenge = {k: f[k] for k in ("realm", "nonce", "opaque")} if used else params(ue.first().get("WWW-Authenticate"))
        res = shared.hss.res(base64.b64decode(challenge["nonce"])[:16])
        g = ue.fields(challenge, res)
        g["nc"] = "00000002"
        g["response"] = digest(g["username"], g["realm"], res, "GET", "/", g["nonce"], g["nc"], g["cnonce"])
        again = ue.get(authorization(g))
        fresh = params(again.get("WWW-Authenticate"))
        assert again.status == 401 and fresh["stale"] == "true" and fresh["nonce"] != challenge["nonce"]


def test_absolute_form(shared):
    """RFC 9112 3.2.2: servers accept it, and the uri directive may have either form."""
    impi = impi_of(13)
    for target, uri in (("http://%s/" % BSF, "/"), ("http://%s/" % BSF, "http://%s/" % BSF), ("http://%s" % BSF, "/")):
        ue = shared.ue(impi)
        challenge = params(ue.first().get("WWW-Authenticate"))
        res = shared.hss.res(base64.b64decode(challenge["nonce"])[:16])
        f = ue.fields(challenge, res, uri=uri)
        f["response"] = digest(impi, f["realm"], res, "GET", uri, f["nonce"], f["nc"], f["cnonce"])
        with Http(shared.address) as conn:
            assert conn.request(target, [("Authorization", authorization(f))], host=BSF).status == 200


def one_challenge(ue, twin):
    """Both are given the same one, unless more than the ask-interval has passed in between: None."""
    first, second = ue.first(), twin.first()
    assert first.status == second.status == 401
    one, other = (params(answer.get("WWW-Authenticate"))["nonce"] for answer in (first, second))
    return (first, second) if one == other else None


def test_one_winner(shared):
    """Two right answers to one challenge, at once, over two connections."""
    for i in range(60):
        ue, twin = shared.ue(impi_of(100 + i)), shared.ue(impi_of(100 + i))
        first, second = until(lambda: one_challenge(ue, twin))
        got = []
        threads = [threading.Thread(target=lambda u=u, c=c: got.append(u.second(c)[0].status))
                   for u, c in ((ue, first), (twin, second))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(got) == [200, 401]
        ue.close()
        twin.close()


def test_resynchronisation(shared):
    ue = shared.ue(impi_of(10))
    refused = []

    def auts(rand, autn):
        if refused:
            return None
        refused.append(rand)
        return b"AUTS-14-octets"

    ue.auts = auts
    ue.bootstrap()
    assert shared.hss.resyncs[-1] == refused[0] + b"AUTS-14-octets"


def test_resynchronisation_ends(own):
    node = own()
    ue = node.ue()
    ue.auts = lambda rand, autn: b"AUTS-14-octets"
    answer, statuses = ue.first(), []
    while answer.status == 401:
        answer, _ = ue.second(answer)
        statuses.append(answer.status)
    assert statuses == [401, 401, 403] and len(node.hss.resyncs) == 2
    assert node.metric("gba_bsf_contexts") == 0


def test_auts_refused_by_the_hss(own):
    node = own()
    ue = node.ue()
    ue.auts = lambda rand, autn: b"AUTS-14-octets"
    challenge = ue.first()
    node.hss.fail(d.result(5012))
    assert ue.second(challenge)[0].status == 403


def test_wrong_answers_close_the_door(own):
    """For a minute nothing opens it from there; after a second it opens by itself."""
    for hold in (60, 1):
        node = own(extra="wrong-hold = %d;\n" % (1000 * hold))
        ue = node.ue()
        statuses = []
        answer = ue.first()
        for _ in range(3):
            answer = ue.get(authorization(ue.fields(answer.get("WWW-Authenticate"), b"guess")))
            statuses.append(answer.status)
        assert statuses == [401, 401, 403] and answer.get("Retry-After") == str(hold)
        if hold == 60:
            assert ue.first().status == 403
            node.ue(source=node.realm.block.address(99)).bootstrap()  # from elsewhere the device still gets in
    assert until(lambda: ue.first().status == 401, step=0.2)
    ue.bootstrap()


def test_guss_lifetime_and_gba_u(own):
    node = own()
    node.hss.guss[IMPI] = ('<guss id="%s"><bsfInfo><uiccType>GBA_U</uiccType><lifeTime>600</lifeTime></bsfInfo><ussList/></guss>' % IMPI)
    ue = node.ue()
    challenge = ue.first()
    octets = base64.b64decode(params(challenge.get("WWW-Authenticate"))["nonce"])
    _, autn, _, _, ik = node.hss.vectors[octets[:16]]

    mask = hashlib.sha1(ik).digest()[:8]
    assert octets[16:32] == autn[:8] + bytes(a ^ b for a, b in zip(autn[8:], mask))
    before = time.time()
    btid, expires = ue.bootstrap()
    assert before + 599 <= expires <= time.time() + 601
    with node.naf() as naf:
        view = d.bia_view(node.bir(naf, btid, gba_u_aware=1))
        assert view["uicc_key"] == node.key_of(btid, kind=UICC) and view["me_key"] == node.key_of(btid)
        assert "uicc_key" not in d.bia_view(node.bir(naf, btid))


def test_many_requests_on_one_connection(shared):
    ue = shared.ue(impi_of(11))
    conn = ue.connect()
    for _ in range(50):
        ue.bootstrap()
    assert ue.conn is conn


def test_no_secret_leaves(own):
    """RES, CK, IK, Ks, Ks_NAF in no log and no trace, in hex or base64 (T30 in small)."""
    node = own()
    ue = node.ue(tmpi=True)
    btid, _ = ue.bootstrap()
    with node.naf() as naf:
        node.bir(naf, btid)
        node.bir(naf, "AAAA" + btid[4:])
    with pytest.raises(Refused):
        node.ue("x@nowhere.example").bootstrap()
    assert until(lambda: "ub.bootstrap" in node.log() and node.log().count("zn.bir") == 2)
    written = node.log() + open(node.realm.trace, encoding="utf-8").read() + node.process.log_text()
    _, _, res, ck, ik = node.hss.vectors[base64.b64decode(btid.split("@")[0])]
    for secret in (res, ck, ik, ck + ik, node.key_of(btid)):
        for text in (secret.hex(), secret.hex().upper(), base64.b64encode(secret).decode(), secret.hex(" "), secret.hex(":")):
            assert text not in written


def test_one_line_per_refusal(own):
    node = own()
    ue = node.ue()
    ue.get("Basic YTpi")
    ue.first(username="x iface=Ub result=GBA_OK@y")
    ue.get("Digest ")
    assert until(lambda: node.log().count(" ub.refused ") == 3)
    lines = [line for line in node.log().splitlines() if " ub." in line]
    assert len(lines) == 3 and all("ub.refused" in line and "GBA_E_" in line for line in lines)
