# SPDX-License-Identifier: Apache-2.0
"""Tokens pushed to the application's agent when they are made: what the BSF sends, and what it costs when it is lost.
REQ: Y3056-10.4-4d, Y3056-9.4-1, Y3056-9.4.1-8, Y3056-9.6.1-2, Y3056-9.6.1-4, OBF-10.2.3-3"""
import itertools
import time

from conftest import OTHER, OTHER_NAF, guss
from lab.realm import AGENT, NAF, OPERATOR
from peers import diameter as d, y3056 as y
from peers.bsf_node import impi_of, until

numbers = itertools.count(5000)
TLS13, DIGEST = b"\1\0\0\0\7", b"\1\0\0\0\2"


def pushed(node, terms=None, settings=(), header=NAF, application=NAF, taker=None):
    """(B-TID, pushes) of a fresh user."""
    impi, taker = impi_of(next(numbers)), taker or node.taker
    node.hss.permissions[impi, application] = dict(dict(push_peer=AGENT), **(terms or {}))
    if settings:
        node.hss.guss[impi] = guss(impi, *settings)
    taker.pushes.clear()
    btid, expires = node.ue(impi, application=header).bootstrap()
    return impi, btid, expires, taker


def value(message, code):
    avp = message.find(code, d.TGPP)
    return avp.value() if avp is not None else None


def test_a_push_says_what_a_question_would_have_brought(named):
    impi, btid, expires, taker = pushed(named, dict(ua=TLS13 + DIGEST, lifetime=500), [(1000001, [1]), (1000009, [1])])
    assert until(lambda: len(taker.pushes) == 2)
    for message, ua in zip(taker.pushes, (TLS13, DIGEST)):
        assert (message.code, message.app) == (y.TPR, y.RPA)
        assert value(message, 401).decode() == btid and value(message, 402) == NAF.encode() + ua
        assert value(message, 405) == named.key_of(btid, ua=ua)  # computed here, TS 33.220 B.3
        created = message.find(408, d.TGPP).time()
        assert message.find(404, d.TGPP).time() == min(expires, created + 500)
        assert b'id="1000001"' in value(message, 400) and b"1000009" not in value(message, 400)
        assert [a.value() for a in message.find_all(403, d.TGPP)] == [b"1000001"]
        assert message.find(d.USER_NAME) is None and impi.split("@")[0].encode() not in message.encode()
        assert message.find(y.TOKEN_USE, y.VENDOR).u32() == 0
        assert message.find(d.DEST_HOST).text() == AGENT
    with named.naf() as naf:
        assert d.bia_view(named.bir(naf, btid, ua=TLS13))["me_key"] == value(taker.pushes[0], 405)


def test_protocols_are_those_the_ue_names_or_the_usual(named):
    assert [value(m, 402)[-5:] for m in settled(pushed(named, header=NAF + ";ua=010001c0a8"), 1)] == [b"\1\0\1\xc0\xa8"]
    assert [value(m, 402)[-5:] for m in settled(pushed(named), 2)] == [TLS13, DIGEST]


def settled(what, n):
    taker = what[3]
    assert until(lambda: len(taker.pushes) >= n)
    return list(taker.pushes)


def test_no_push_where_nobody_asked_for_it(named):
    _, btid, _, taker = pushed(named, dict(push_peer=None))
    pushed(named)  # comes after
    assert until(lambda: len(taker.pushes) == 2)
    assert all(value(m, 401).decode() != btid for m in taker.pushes)


def test_no_push_to_an_agent_that_may_not_have_it(named):
    """The permission names an agent whose row does not have the application."""
    _, btid, _, _ = pushed(named, dict(push_peer=OTHER))
    _, other, _, _ = pushed(named)
    assert until(lambda: len(named.taker.pushes) == 2)
    assert not any(value(m, 401).decode() == btid for m in named.other.pushes + named.taker.pushes)


def test_a_lost_push_costs_nothing(named):
    lost = named.metric('gba_bsf_pushes_total{result="lost"}')
    named.taker.say = 5012
    try:
        _, btid, _, taker = pushed(named)
        assert until(lambda: named.metric('gba_bsf_pushes_total{result="lost"}') >= lost + 2)
    finally:
        named.taker.say = 2001
    with named.naf() as naf:
        assert named.bir(naf, btid).result() == (0, 2001)


def test_permission_required_holds_for_pushes(named):
    _, btid, _, _ = pushed(named, dict(push_peer=OTHER), [(1000002, [0])], OTHER_NAF, OTHER_NAF, named.other)
    _, good, _, taker = pushed(named, dict(push_peer=OTHER), [(1000002, [1])], OTHER_NAF, OTHER_NAF, named.other)
    assert until(lambda: len(taker.pushes) >= 2)
    assert {value(m, 401).decode() for m in taker.pushes} == {good}
    assert all(m.find(404, d.TGPP).time() - m.find(408, d.TGPP).time() == 60 for m in taker.pushes)


def test_no_key_is_logged(named):
    _, btid, _, taker = pushed(named)
    assert until(lambda: len(taker.pushes) == 2)
    text = named.log()
    for message in taker.pushes:
        assert value(message, 405).hex() not in text.lower()
