# SPDX-License-Identifier: Apache-2.0
"""Zh as served: vectors a card accepts, resynchronisation, GUSS, and every refusal with its answer and nothing changed."""
import json
import os
import time

import pytest
from zhlab import BSF, BSF2, GUSS, HSS, IND, IND2, K, STRANGER, Vector, card, d, until


# Vectors --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("impi", ["alice@lab.test", "tuak@lab.test"])
def test_vector_of_a_subscriber(node, impi):
    """REQ: Y3056-9.6.2-3, Y3056-10.4-1c, Y3056-9.4.1-1, OBF-7.1.2-1, OBF-10.1.2-b1, Y3056-9.2.1-1"""
    with node.peer() as peer:
        answer = peer.request(d.mar(peer, impi))
        vector = Vector(answer, card(impi))
        assert vector.ind == IND and vector.user_name == impi.encode()
        assert [a.code for a in answer.avps] == [263, 260, 277, 264, 296, 268, 1, 612]
        assert answer.find(277).u32() == 1 and answer.find(264).text() == HSS
        assert [a.code for a in answer.find(612, d.TGPP).group()] == [608, 609, 610, 625, 626]
        again = Vector(peer.request(d.mar(peer, impi)), card(impi))
        assert again.seq > vector.seq and again.rand != vector.rand


def test_amf_is_the_subscribers(node):
    with node.peer() as peer:
        assert Vector(peer.request(d.mar(peer, "alice@lab.test")), card()).autn[6:8] == b"\x12\x34"


def test_each_bsf_has_its_ind(node):
    with node.peer(BSF2) as peer:
        assert Vector(peer.request(d.mar(peer, "carol@sub.other.test")), card()).ind == IND2


def test_realm_of_an_impi_has_no_case(node):
    with node.peer() as peer:
        Vector(peer.request(d.mar(peer, "alice@LAB.Test")), card())


def test_tolerated_members(node):
    """SIP-Number-Auth-Items, SIP-Item-Number, Supported-Features, unknown AVPs without M bit; scheme without resync."""
    extra = [d.tgpp(607, 1), d.tgpp(612, [d.tgpp(613, 1), d.tgpp(608, "Digest-AKAv1-MD5")]),
             d.tgpp(628, [d.u32(266, 10415), d.tgpp(629, 1, m=False), d.tgpp(630, 1, m=False)], m=False),
             d.Avp(4999, b"x", 99999, m=False)]
    with node.peer() as peer:
        Vector(peer.request(d.mar(peer, "alice@lab.test", extra=extra)), card())


@pytest.mark.parametrize("impu", ["sip:alice.a@lab.test", "sip:alice@lab.test"])
def test_public_identity_of_the_subscriber(node, impu):
    with node.peer() as peer:
        answer = peer.request(d.mar(peer, "alice@lab.test", extra=[d.tgpp(601, impu)]))
        Vector(answer, card())
        assert answer.find(601, d.TGPP).text() == impu


def test_retransmission_gets_the_same_vector(node):
    """One SQN for one request, however often it arrives (the guard's work, seen from here)."""
    with node.peer() as peer:
        first = d.mar(peer, "alice@lab.test")
        one = Vector(peer.request(first), card())
        again = d.Message(first.code, first.app, first.avps, first.flags | d.T, 0, first.e2e)
        assert Vector(peer.request(again), card()).sqn == one.sqn


# Resynchronisation ----------------------------------------------------------------------------------------------------
def test_resynchronises(node):
    """TS 33.102 6.3.5: the card is ahead; with another IND and AMF != 0000. REQ: Y3056-9.2.1-3"""
    with node.peer() as peer:
        vector = Vector(peer.request(d.mar(peer, "alice@lab.test")), card())
        sqn_ms = (vector.seq + 100000) << 5 | 17
        auts = card().auts(vector.rand, sqn_ms)
        after = Vector(peer.request(d.mar(peer, "alice@lab.test", resync=vector.rand + auts)), card())
        assert after.sqn > sqn_ms and after.ind == IND
        assert node.record("alice@lab.test")["sqn"] >> 5 >= after.seq  # durable before it left
        assert Vector(peer.request(d.mar(peer, "alice@lab.test")), card()).sqn > after.sqn
        # the same AUTS again turns nothing back
        replay = Vector(peer.request(d.mar(peer, "alice@lab.test", resync=vector.rand + auts)), card())
        assert replay.sqn > after.sqn


def test_tuak_resynchronises(node):
    usim = card("tuak@lab.test")
    with node.peer() as peer:
        vector = Vector(peer.request(d.mar(peer, "tuak@lab.test")), usim)
        auts = usim.auts(vector.rand, vector.sqn + (7000 << 5))
        assert Vector(peer.request(d.mar(peer, "tuak@lab.test", resync=vector.rand + auts)), usim).seq > vector.seq + 7000


# Refusals: what is asked, who asks, the answer's code, and the AVP in Failed-AVP (610: inside its 612). ----------------
def two_users(peer):
    return d.mar(peer, "alice@lab.test", extra=[d.text(1, "tuak@lab.test")])


def resync(auts, rand=b"R" * 16):
    return lambda peer: d.mar(peer, "alice@lab.test", resync=rand + auts)


def auth(*members):
    return lambda peer: d.mar(peer, "alice@lab.test", extra=[d.tgpp(612, list(members))])


def user(impi, **kw):
    return lambda peer: d.mar(peer, impi, **kw)


TGPP = d.TGPP
REFUSALS = {
    "unknown IMPI": (user("nobody@lab.test"), BSF, (TGPP, 5401), None),
    "IMPI of a prefix": (user("alic@lab.test"), BSF, (TGPP, 5401), None),
    "IMPI in capitals": (user("ALICE@lab.test"), BSF, (TGPP, 5401), None),
    "no User-Name": (user(None), BSF, (0, 5005), 1),
    "empty User-Name": (user(""), BSF, (0, 5004), 1),
    "no at sign": (user("alice"), BSF, (0, 5004), 1),
    "NUL in IMPI": (user("ali\0ce@lab.test"), BSF, (0, 5004), 1),
    "quote in IMPI": (user('a"@lab.test'), BSF, (0, 5004), 1),
    "line end in IMPI": (user("a\r\nb@lab.test"), BSF, (0, 5004), 1),
    "very long IMPI": (user("a" * 300 + "@lab.test"), BSF, (0, 5014), 1),
    "two User-Names": (two_users, BSF, (0, 5009), 1),
    "barred": (user("barred@lab.test"), BSF, (TGPP, 5402), None),
    "IMPI of another BSF's realm": (user("carol@sub.other.test"), BSF, (TGPP, 5402), None),
    "unknown IMPI of another realm": (user("nobody@elsewhere.test"), BSF, (TGPP, 5402), None),
    "realm below": (user("alice@x.lab.test"), BSF, (TGPP, 5402), None),
    "realm above .other.test": (user("carol@other.test"), BSF2, (TGPP, 5402), None),
    "other BSF": (user("alice@lab.test"), BSF2, (TGPP, 5402), None),
    "node that is no BSF": (user("alice@lab.test"), STRANGER, (TGPP, 5402), None),
    "somebody else's public identity": (user("alice@lab.test", extra=[d.tgpp(601, "sip:bob@lab.test")]), BSF, (TGPP, 5401),
                                        None),
    "SIP Digest": (auth(d.tgpp(608, "SIP Digest")), BSF, (TGPP, 5006), None),
    "AKAv2": (auth(d.tgpp(608, "Digest-AKAv2-SHA-256")), BSF, (TGPP, 5006), None),
    "AUTS with a forged MAC-S": (resync(b"\1" * 14), BSF, (0, 5012), None),
    "AUTS all zero": (resync(bytes(14)), BSF, (0, 5012), None),
    "AUTS of another card": (resync(card("tuak@lab.test").auts(b"R" * 16, 999 << 5)), BSF, (0, 5012), None),
    "AUTS of another RAND": (resync(card().auts(b"Q" * 16, 999 << 5)), BSF, (0, 5012), None),
    "AUTS with the challenge's AMF": (lambda peer: resync(
        card().auts(b"R" * 16, 999 << 5)[:6] + card().f1_star(b"R" * 16, (999 << 5).to_bytes(6, "big"), b"\x12\x34"))(peer),
        BSF, (0, 5012), None),
    "AUTS an octet short": (resync(b"\1" * 13), BSF, (0, 5014), 610),
    "AUTS an octet long": (resync(b"\1" * 15), BSF, (0, 5014), 610),
    "empty AUTS": (auth(d.tgpp(608, "Digest-AKAv1-MD5"), d.tgpp(610, b"")), BSF, (0, 5014), 610),
    "AUTS of 1000 octets": (resync(b"\1" * 984), BSF, (0, 5014), 610),
    "GUSS-Timestamp of 5 octets": (user("alice@lab.test", extra=[d.tgpp(409, b"12345", m=False)]), BSF, (0, 5014), 409),
    "unknown AVP with M bit": (user("alice@lab.test", extra=[d.tgpp(4999, b"x")]), BSF, (0, 5001), 4999),
    "two SIP-Auth-Data-Items": (lambda peer: d.mar(peer, "alice@lab.test", extra=[
        d.tgpp(612, [d.tgpp(608, "Digest-AKAv1-MD5")])] * 2), BSF, (0, 5009), 612),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal_changes_nothing(node, name):
    # REQ: Y3056-8.5-b
    make, host, result, failed = REFUSALS[name]
    with node.peer(host) as peer:
        before, logged = node.records(), node.log().count(" zh.mar ")
        answer = peer.request(make(peer))
        assert answer.result() == result
        inner = [a.group()[0] if a.code == 612 and failed == 610 else a for a in answer.failed()]
        assert [a.code for a in inner] == ([failed] if failed else [])
        assert not d.maa_view(answer).keys() & {"authenticate", "authorization", "ck", "ik", "guss"}
        assert node.records() == before
        assert node.log().count(" zh.mar ") - logged <= 1


def test_refusals_are_logged_with_who_and_why(node):
    with node.peer(STRANGER) as peer:
        peer.request(d.mar(peer, "alice@lab.test"))
    assert until(lambda: "peer=other.lab.test" in node.log())
    line = [one for one in node.log().splitlines() if " zh.mar " in one and "peer=other.lab.test" in one][-1]
    assert "warning hss-stub zh.mar" in line and "peer=other.lab.test" in line and "id=alice@lab.test" in line
    assert "result=GBA_E_DENIED" in line


def test_command_of_another_application(node):
    with node.peer() as peer:
        message = d.mar(peer, "alice@lab.test")
        message.app = d.ZN
        assert peer.request(message).result() == (0, 3007)


# GUSS -----------------------------------------------------------------------------------------------------------------
def guss_time(node, impi):
    return int(time.mktime(time.strptime(node.record(impi)["guss_time"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone)


def test_guss_unless_the_bsf_has_it(node):
    """REQ: Y3056-9.6.2-2"""
    when, usim = guss_time(node, "gbau@lab.test"), card()
    with node.peer() as peer:
        assert Vector(peer.request(d.mar(peer, "gbau@lab.test")), usim).guss == (GUSS % "gbau@lab.test").encode()
        assert Vector(peer.request(d.mar(peer, "gbau@lab.test", guss_timestamp=when - 1)), usim).guss is not None
        assert Vector(peer.request(d.mar(peer, "gbau@lab.test", guss_timestamp=when)), usim).guss is None
        assert Vector(peer.request(d.mar(peer, "gbau@lab.test", guss_timestamp=2208988801)), usim).guss is None  # 2040
        assert Vector(peer.request(d.mar(peer, "alice@lab.test", guss_timestamp=1)), usim).guss is None


def test_changed_guss_is_sent_to_who_has_the_old(node):
    impi, usim = "gbau@lab.test", card()
    path = os.path.join(node.folder, "new.xml")
    with node.peer() as peer:
        when = guss_time(node, impi)
        with open(path, "w", encoding="ascii") as out:
            out.write((GUSS % impi).replace("3600", "60"))
        node.ctl("subscriber", "set", impi, "--guss", path)
        got = until(lambda: Vector(peer.request(d.mar(peer, impi, guss_timestamp=when)), usim).guss)
        assert b"<lifeTime>60<" in got
        with open(path, "w", encoding="ascii") as out:
            out.write(GUSS % impi)
        node.ctl("subscriber", "set", impi, "--guss", path)


# Changes by gba-ctl while we run --------------------------------------------------------------------------------------
def test_changes_hold_while_it_runs(node):
    with node.peer() as peer:
        def becomes(impi, *result):
            return until(lambda: peer.request(d.mar(peer, impi)).result() == result)

        assert becomes("alice@lab.test", 0, 2001)
        node.ctl("subscriber", "set", "alice@lab.test", "--state", "barred")
        assert becomes("alice@lab.test", TGPP, 5402)
        node.ctl("subscriber", "set", "alice@lab.test", "--state", "active")
        assert becomes("alice@lab.test", 0, 2001)
        node.add("late@lab.test")
        assert Vector(peer.request(d.mar(peer, "late@lab.test")), card()).seq == 1
        node.ctl("subscriber", "remove", "late@lab.test", "--yes")
        assert becomes("late@lab.test", TGPP, 5401)


# What is written ------------------------------------------------------------------------------------------------------
def test_trace_has_both_arrows_under_one_name(node):
    """REQ: Y3056-10.4-1b, Y3056-10.4-1c"""
    def steps():
        with open(node.trace, "a+", encoding="ascii") as lines:
            lines.seek(0)
            return lines.read().splitlines()

    before = len(steps())
    with node.peer() as peer:
        Vector(peer.request(d.mar(peer, "alice@lab.test")), card())
    assert until(lambda: len(steps()) == before + 2)
    asked, answered = [json.loads(line) for line in steps()[before:]]
    assert (asked["from"], asked["to"], asked["clause"]) == ("bsf", "hss-stub", "Y.3056 10.4-1b")
    assert (answered["from"], answered["to"], answered["clause"]) == ("hss-stub", "bsf", "Y.3056 10.4-1c")
    assert asked["corr"] == answered["corr"] and len(asked["corr"]) == 8 and asked["at"] <= answered["at"]


def test_no_key_is_written_anywhere(node):
    """K and the keys of a vector, as octets and as hex, in log, trace and database."""
    with node.peer() as peer:
        vector = Vector(peer.request(d.mar(peer, "alice@lab.test")), card())
    secrets = [K, vector.ck, vector.ik, card().opc]
    for name in os.listdir(node.folder):
        if name == "hss.kek":
            continue
        with open(os.path.join(node.folder, name), "rb") as data:
            text = data.read()
        for secret in secrets:
            assert secret not in text and secret.hex().encode() not in text.lower(), name
