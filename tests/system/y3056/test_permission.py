# SPDX-License-Identifier: Apache-2.0
"""The application named on Ub, its permission checked before there is a token, on the wire between independent peers.
REQ: Y3056-10.4-1a, Y3056-10.4-1b, Y3056-10.4-2d, Y3056-10.4-3a, Y3056-10.4-3c, Y3056-9.4.1-4, OBF-12.2-1, OBF-12.2-3, OBF-12.2-n"""
import itertools
import time

import pytest
from conftest import EXTRA, GUSS, NAFS, ONE_NAF, OTHER, OTHER_NAF, guss
from lab.realm import AGENT, BSF, NAF, OPERATOR
from peers import diameter as d, y3056 as y
from peers.bsf_node import Node, impi_of, until
from peers.ub import Refused

numbers = itertools.count(100)


def refused(ue, status=403):
    with pytest.raises(Refused) as info:
        ue.bootstrap()
    assert info.value.answer.status == status
    assert b"btid" not in info.value.answer.body


def user(node, flag=1, application=NAF, **kw):
    impi = impi_of(next(numbers))
    if hasattr(node.hss, "permissions"):
        node.hss.permissions[impi, application] = dict(flag=flag, **kw)
    return impi


def test_the_flag_comes_with_the_vector(named):
    impi, queries = user(named), len(named.hss.queries)
    btid, _ = named.ue(impi, application=NAF).bootstrap()
    assert named.hss.named[-1] == NAF and named.hss.asked[-1] == impi
    assert len(named.hss.queries) == queries  # no round trip of its own
    with named.naf() as naf:
        assert named.bir(naf, btid).result() == (0, 2001)


def test_a_cleared_flag_leaves_no_token(named):
    impi, contexts = user(named, flag=0), named.metric("gba_bsf_contexts")
    refused(named.ue(impi, application=NAF))
    assert named.metric("gba_bsf_contexts") == contexts  # REQ: Y3056-10.4-2d
    rand = next(r for r, v in named.hss.vectors.items() if v[0] == impi)
    import base64
    with named.naf() as naf:
        assert named.bir(naf, base64.b64encode(rand).decode() + "@" + BSF).result() == (d.TGPP, 5403)
    named.ue(impi).bootstrap()  # who names nothing is not asked about


@pytest.mark.parametrize("terms, good", [(dict(until=int(time.time()) + 3600), True), (dict(until=int(time.time()) - 5), False)])
def test_validity(named, terms, good):
    ue = named.ue(user(named, **terms), application=NAF)
    if good:
        ue.bootstrap()
    else:
        refused(ue)


def test_only_after_the_user_has_proved_itself(named):
    """Who does not know RES learns nothing of permissions."""
    impi = user(named, flag=0)
    ue = named.ue(impi, application=NAF)
    challenge = ue.first()
    assert challenge.status == 401
    wrong, _ = ue.second(challenge, response="0" * 32)
    assert wrong.status == 401  # as without any application


def test_named_only_when_answering(named):
    """The vector was asked for without the application: the flag is fetched then."""
    for flag in (1, 0):
        impi = user(named, flag=flag)
        ue = named.ue(impi)
        challenge = ue.first()
        ue.more, before = [("Y3056-Application", NAF)], len(named.hss.queries)
        answer, _ = ue.second(challenge)
        assert named.hss.queries[before:] == [(impi, NAF)]
        assert answer.status == (200 if flag else 403)


def test_another_application_than_the_vector_was_asked_for(named):
    impi = user(named)
    ue = named.ue(impi, application=NAF)
    challenge = ue.first()
    ue.more = [("Y3056-Application", OTHER_NAF)]
    answer, _ = ue.second(challenge)
    assert named.hss.queries[-1] == (impi, OTHER_NAF) and answer.status == 403


@pytest.mark.parametrize("how, status", [(3004, 503), ((d.TGPP, 5401), 403), (5012, 403), (3002, 403)])
def test_what_a_query_may_answer(named, how, status):
    """Load is not ignorance; what says nothing about the permission leaves it to the settings (none here: deny)."""
    avp = d.experimental(how[1]) if isinstance(how, tuple) else d.result(how)
    named.hss.query_behave = lambda conn, m: m.answer(conn.origin(), [avp], flags=d.P | (d.E if how in (3004, 3002) else 0))
    try:
        ue = named.ue(user(named))
        challenge = ue.first()
        ue.more = [("Y3056-Application", NAF)]
        answer, _ = ue.second(challenge)
        assert answer.status == status
    finally:
        named.hss.query_behave = named.hss.answer_query


@pytest.mark.parametrize("header", ["", " ", "naf..test", "a" * 254, "naf.test;", "naf.test; ua=01", "naf.test; ua=010000000g",
                                    "naf.test;ua=0100000002;x", "naf.test,other.test", "http://naf.test/", "naf.test\t.x",
                                    ";".join(["naf.test"] + ["ua=0100000002"] * 5)])
def test_a_malformed_name_is_refused(named, header):
    ue = named.ue(user(named))
    ue.more = [("Y3056-Application", header)]
    assert ue.first().status == 400


@pytest.mark.parametrize("header", [NAF.upper(), NAF + ";ua=0100000002", NAF + " ; UA=0100000007; ua=0100000002"])
def test_forms_of_a_name(named, header):
    ue = named.ue(user(named))
    ue.more = [("Y3056-Application", header)]
    ue.bootstrap()
    assert named.hss.named[-1] == NAF


def test_messages_of_a_run_are_those_of_plain_digest_aka(named):
    """Two requests, two answers, named or not (Y.OBF 12.2-n)."""
    before = named.metric('gba_bsf_ub_requests_total{code="401"}'), named.metric('gba_bsf_ub_requests_total{code="200"}')
    named.ue(user(named), application=NAF).bootstrap()
    assert named.metric('gba_bsf_ub_requests_total{code="401"}') == before[0] + 1
    assert named.metric('gba_bsf_ub_requests_total{code="200"}') == before[1] + 1


# ---- a plain HSS: the settings that came with the vector, or the realm's policy

@pytest.mark.parametrize("settings, good", [([(1000001, [])], True), ([(1000001, [1])], True), ([(1000001, [0])], False),
                                            ([(1000001, [0, 2])], True), ([(1000002, [1])], False), ([], False), (None, False)])
def test_by_the_settings(plain, settings, good):
    impi = user(plain)
    if settings is not None:
        plain.hss.guss[impi] = guss(impi, *settings)
    ue = plain.ue(impi, application=NAF)
    if good:
        ue.bootstrap()
    else:
        refused(ue)
    plain.ue(impi).bootstrap()


def test_a_plain_hss_sees_a_plain_question(plain):
    """Mapping 6.2: no AVP of ours in the MAR."""
    seen = []
    plain.hss.behave = lambda conn, mar: (seen.append(mar), plain.hss.vector(conn, mar))[1]
    try:
        refused(plain.ue(user(plain), application=NAF))
    finally:
        plain.hss.behave = plain.hss.vector
    assert seen and all(a.vendor in (0, d.TGPP) for a in seen[0].avps)


def test_a_name_that_nobody_has(plain):
    impi = user(plain)
    plain.hss.guss[impi] = guss(impi, (1000001, [1]))
    refused(plain.ue(impi, application="nobody.test"))


def test_policy_where_nobody_can_tell(tmp_path):
    nafs = NAFS + ', { identity = "w.asp.test"; fqdns = [ "w.asp.test" ]; gsids = [ "*" ]; }'
    with Node(tmp_path, extra=EXTRA + 'permission-unknown = "allow";\n', nafs=nafs, y3056=True) as node:
        node.ue(user(node), application=NAF).bootstrap()  # no GUSS at all
        impi = user(node)
        node.hss.guss[impi] = guss(impi)
        refused(node.ue(impi, application=NAF))  # the settings tell: none
        node.ue(impi, application="w.asp.test").bootstrap()  # no service of its own
        refused(node.ue(impi, application="nobody.test"))


# ---- on Zn

def test_the_same_check_on_zn(plain):
    """permission-required: 5402 whatever services are asked for."""
    for settings, want in (([(1000002, [1])], (0, 2001)), ([(1000002, [0])], (d.TGPP, 5402)), ([(1000001, [1])], (d.TGPP, 5402))):
        impi = user(plain)
        plain.hss.guss[impi] = guss(impi, *settings)
        btid, _ = plain.ue(impi).bootstrap()
        with plain.naf(OTHER) as naf:
            answer = plain.bir(naf, btid, OTHER_NAF)
            assert answer.result() == want
            if want == (0, 2001):  # REQ: Y3056-9.4.1-10
                view = d.bia_view(answer)
                assert view["expires"] - view["created"] == 60


# ---- one application alone (9.6.1-5)

def test_a_token_for_one_application_by_permission(named):
    """REQ: Y3056-9.4.1-9, Y3056-9.6.1-5"""
    impi = user(named, single=True, lifetime=300)
    btid, expires = named.ue(impi, application=NAF).bootstrap()
    assert abs(expires - time.time() - 300) < 30
    with named.naf(AGENT) as naf:
        assert named.bir(naf, btid).result() == (0, 2001)
        assert named.bir(naf, btid, "x.iot.asp.test").result() == (d.TGPP, 5402)
    with named.naf("one.asp.test") as naf:
        assert named.bir(naf, btid, ONE_NAF).result() == (d.TGPP, 5402)


def test_the_first_to_ask_owns_it(named):
    btid, _ = named.ue(user(named)).bootstrap()
    with named.naf("one.asp.test") as one, named.naf(AGENT) as naf:
        for _ in range(2):
            assert named.bir(one, btid, ONE_NAF).result() == (0, 2001)
            assert named.bir(naf, btid).result() == (d.TGPP, 5402)
        fresh, _ = named.ue(user(named)).bootstrap()
        assert named.bir(naf, fresh).result() == (0, 2001)  # several by default


def test_of_many_at_once_one_owns_it(named):
    btid, _ = named.ue(user(named)).bootstrap()
    with named.naf("one.asp.test") as one, named.naf(AGENT) as naf:
        declare = [y.our(y.DECLARATION, [y.our(y.TOKEN_USE, 1)])]
        sent = []
        for n in range(8):
            sent.append((ONE_NAF, one, one.send(d.bir(one, btid, ONE_NAF.encode() + b"\1\0\0\0\2", dest_realm=OPERATOR))))
            name = "n%d.iot.asp.test" % n
            sent.append((name, naf, naf.send(d.bir(naf, btid, name.encode() + b"\1\0\0\0\2", dest_realm=OPERATOR, extra=declare))))
        good = {name for name, peer, m in sent if peer.wait(m).result() == (0, 2001)}
        assert len(good) == 1


def test_a_claim_is_no_context(named):
    """The record that says who owns a B-TID is not one itself."""
    import base64
    import hashlib
    btid, _ = named.ue(user(named)).bootstrap()
    with named.naf("one.asp.test") as one:
        assert named.bir(one, btid, ONE_NAF).result() == (0, 2001)
        rand = base64.b64decode(btid.split("@")[0])
        claim = base64.b64encode(hashlib.sha256(b"claim" + rand).digest()[:16]).decode() + "@" + BSF
        assert named.bir(one, claim, ONE_NAF).result() == (d.TGPP, 5403)


# ---- declarations (9.6.1-3)

def declared(node, btid, fqdn, *avps):
    with node.naf() as naf:
        answer = node.bir(naf, btid, fqdn, extra=[y.our(y.DECLARATION, list(avps))])
    group = answer.find(y.DECLARATION, y.VENDOR)
    return answer.result(), {a.code: a.value() for a in group.group()} if group else None


def test_declarations_are_taken_and_read_back(named):
    """REQ: Y3056-9.6.1-3"""
    btid, _ = named.ue(user(named)).bootstrap()
    ua = b"\1\0\0\0\2\1\0\0\0\7"
    result, held = declared(named, btid, "a.iot.asp.test", y.our(y.UA_PROTOCOLS, ua), y.our(y.ADDRESS, "192.0.2.1:443"),
                            y.our(y.MECHANISMS, "psk-tls digest"))
    assert result == (0, 2001)
    assert held == {y.TOKEN_USE: b"\0\0\0\0", y.FLAG: b"\0\0\0\1", y.UA_PROTOCOLS: ua, y.ADDRESS: b"192.0.2.1:443",
                    y.MECHANISMS: b"psk-tls digest"}
    with named.naf() as naf:
        answer = named.bir(naf, btid, "a.iot.asp.test", ua=b"\1\0\1\xc0\xae")  # a protocol it gave up
        assert answer.result() == (d.TGPP, 5402)
        assert named.bir(naf, btid, "a.iot.asp.test", ua=b"\1\0\0\0\7").result() == (0, 2001)
        assert named.bir(naf, btid, "b.iot.asp.test", ua=b"\1\0\1\xc0\xae").result() == (0, 2001)  # another's are its own


def test_a_declaration_can_stop_and_start_again(named):
    btid, _ = named.ue(user(named)).bootstrap()
    assert declared(named, btid, "c.iot.asp.test", y.our(y.FLAG, 0))[0] == (d.TGPP, 5402)
    with named.naf() as naf:
        assert named.bir(naf, btid, "c.iot.asp.test").result() == (d.TGPP, 5402)
    assert declared(named, btid, "c.iot.asp.test", y.our(y.FLAG, 1))[0] == (0, 2001)


@pytest.mark.parametrize("ua", [b"\1\0\0\0", b"", b"\1\0\0\0\2\1"])
def test_malformed_declarations_change_nothing(named, ua):
    btid, _ = named.ue(user(named)).bootstrap()
    result, held = declared(named, btid, "d.iot.asp.test", y.our(y.UA_PROTOCOLS, ua), y.our(y.ADDRESS, b"\0\1"))
    assert result == (0, 2001) and y.UA_PROTOCOLS not in held and y.ADDRESS not in held


def test_who_may_not_declare_is_not_heard(named):
    btid, _ = named.ue(user(named)).bootstrap()
    with named.naf("one.asp.test") as one:
        answer = named.bir(one, btid, ONE_NAF, extra=[y.our(y.DECLARATION, [y.our(y.FLAG, 0)])])
        assert answer.result() == (0, 2001) and answer.find(y.DECLARATION, y.VENDOR) is None


# ---- the realm's profile for UEs that ask for an application (mapping G12)

def test_the_extension_of_the_answer(named):
    """REQ: Y3056-9.1.1-2"""
    import xml.etree.ElementTree as ET

    def texts(ue):
        answer, _ = ue.second(ue.first())
        root = ET.fromstring(answer.body)
        return {e.tag.rsplit("}", 1)[-1]: e.text for e in root.iter()}
    ours = texts(named.ue(user(named), application=NAF))
    assert ours["realmProfile"] == "https://bsf.test/realm" and ours["tokenFormat"] == "gba-btid" and ours["btid"]
    assert texts(named.ue(user(named))).keys() == {"BootstrappingInfo", "btid", "lifetime"}  # a plain UE gets a plain answer
