# SPDX-License-Identifier: Apache-2.0
"""What the hss says has changed: contexts end or get new settings, and the agents are told, while independent peers watch.
REQ: Y3056-9.4.1-6"""
import itertools
import os
import threading
import time

import pytest
from conftest import EXTRA, NAFS, Taker, guss
from lab.realm import AGENT, BSF_DIAMETER, NAF, OPERATOR
from peers import diameter as d, y3056 as y
from peers.bsf_node import Node, impi_of, until

numbers = itertools.count(9000)
UNKNOWN = (d.TGPP, 5403)


def user(node, **kw):
    impi = impi_of(next(numbers))
    node.hss.permissions[impi, NAF] = dict(dict(flag=1), **kw)
    return impi


def tell(node, impi, kind, **kw):
    return node.hss.notify(impi, kind, OPERATOR, **kw)


def test_a_notice_between_the_legs_makes_the_flag_stale(named):
    impi = user(named)
    ue = named.ue(impi, application=NAF)
    challenge = ue.first()
    named.hss.permissions[impi, NAF] = {"flag": 0}
    assert named.hss.notify(impi_of(1), y.CHANGED, OPERATOR, application=NAF).result() == (0, 2001)
    answer, _ = ue.second(challenge)
    assert answer.status == 403 and named.hss.queries[-1] == (impi, NAF)



@pytest.mark.parametrize("kind", [y.CLEARED, y.DEVICE_REMOVED, y.BARRED, y.OPERATOR_CHANGED, y.RENEWAL])
def test_what_ends_contexts(named, kind):
    impi, bystander = user(named), user(named)
    tokens = [named.ue(impi, application=NAF).bootstrap()[0], named.ue(impi).bootstrap()[0]]
    others, _ = named.ue(bystander).bootstrap()
    named.taker.revocations.clear()
    assert tell(named, impi, kind, application=NAF if kind == y.CLEARED else None).result() == (0, 2001)
    with named.naf() as naf:  # when the notice is answered, no key leaves any more
        for btid in tokens:
            assert named.bir(naf, btid).result() == UNKNOWN
        assert named.bir(naf, others).result() == (0, 2001)
    assert until(lambda: named.taker.revocations)
    message = named.taker.revocations[0]
    assert (message.code, message.app) == (y.RNR, y.RPA) and message.find(y.KIND, y.VENDOR).u32() == kind
    assert {a.value() for a in message.find_all(y.DIGEST, y.VENDOR)} >= {y.digest(b) for b in tokens}
    assert y.digest(others) not in {a.value() for a in message.find_all(y.DIGEST, y.VENDOR)}
    assert until(lambda: named.other.revocations)  # every agent is told


def test_changed_settings_reach_what_lives(named):
    """REQ: Y3056-9.6.2-4"""
    impi = user(named)
    named.hss.guss[impi] = guss(impi, (1000001, [1]))
    btid, _ = named.ue(impi).bootstrap()
    named.taker.revocations.clear()
    assert tell(named, impi, y.CHANGED, application=NAF, guss=guss(impi, (1000001, [1, 2]))).result() == (0, 2001)
    with named.naf() as naf:
        answer = named.bir(naf, btid, gsids=["1000001"])
        assert answer.result() == (0, 2001) and b"<flag>2</flag>" in d.bia_view(answer)["uss"]
    assert until(lambda: named.taker.revocations)  # the agent asks again for this application's settings
    message = named.taker.revocations[0]
    assert [a.value() for a in message.find_all(y.APPLICATION, y.VENDOR)] == [NAF.encode()]
    assert message.find(y.DIGEST, y.VENDOR).value() == y.digest(btid)


def test_a_removed_device_cannot_finish_what_it_has_begun(named):
    impi = user(named)
    ue = named.ue(impi)
    challenge = ue.first()
    assert tell(named, impi, y.DEVICE_REMOVED).result() == (0, 2001)
    answer, _ = ue.second(challenge)
    assert answer.status == 401 and b"stale=true" in answer.get("WWW-Authenticate").encode()  # a new vector, if the HSS gives one


def test_kept_settings_are_replaced(named):
    """What the next MAR would have brought is there before it."""
    impi = user(named)
    named.hss.guss[impi] = guss(impi, (1000001, [1]))
    named.ue(impi).bootstrap()
    del named.hss.guss[impi]  # from now on the HSS says: yours is the newest
    assert tell(named, impi, y.CHANGED, guss=guss(impi, (1000001, [5]))).result() == (0, 2001)
    btid, _ = named.ue(impi).bootstrap()
    with named.naf() as naf:
        assert b"<flag>5</flag>" in d.bia_view(named.bir(naf, btid, gsids=["1000001"]))["uss"]


def test_many_notices_at_once(named):
    users = [user(named) for _ in range(40)]
    tokens = {impi: named.ue(impi).bootstrap()[0] for impi in users}
    conn = named.hss.server.connections[-1]
    sent = [conn.send(y.notice(conn, impi, y.CLEARED, OPERATOR)) for impi in users[:30] + users[:5]]
    assert all(conn.wait(m).result() == (0, 2001) for m in sent)
    with named.naf() as naf:
        for i, impi in enumerate(users):
            assert named.bir(naf, tokens[impi]).result() == (UNKNOWN if i < 30 else (0, 2001))


@pytest.mark.parametrize("spoil, want", [
    (lambda m: m.avps.append(y.our(y.KIND, 1)), (0, 5009)), (lambda m: m.avps.__delitem__(-1), (0, 5005)),
    (lambda m: m.avps.__setitem__(-1, y.our(y.KIND, 6)), (0, 5004)), (lambda m: m.avps.append(d.tgpp(400, "<guss")), (0, 5004)),
    (lambda m: m.avps.append(d.tgpp(400, "<guss id='somebody.else@x'/>")), (0, 5012))])
def test_notices_that_cannot_be_taken(named, spoil, want):
    conn = named.hss.server.connections[-1]
    message = y.notice(conn, user(named), y.CHANGED, OPERATOR)
    spoil(message)
    assert conn.request(message).result() == want


def test_only_the_users_hss_is_heard(named):
    impi = user(named)
    btid, _ = named.ue(impi).bootstrap()
    conn = named.hss.server.connections[-1]
    foreign = y.notice(conn, impi, y.CLEARED, OPERATOR)
    next(a for a in foreign.avps if a.code == d.ORIGIN_REALM).data = b"another.test"
    assert conn.request(foreign).result() == (d.TGPP, 5402)
    assert conn.request(y.notice(conn, "user@nobody.example", y.CLEARED, OPERATOR)).result() == (d.TGPP, 5402)
    with named.naf() as naf:
        assert naf.request(y.notice(naf, impi, y.CLEARED, OPERATOR, dest_host=BSF_DIAMETER)).result()[1] in (3007, 5003, 5402)
        assert named.bir(naf, btid).result() == (0, 2001)


def ended(node, impi):
    """A token of this user, ended while its agent is away: the digest that the agent must hear."""
    node.hss.permissions[impi, NAF] = dict(flag=1)
    btid, _ = node.ue(impi, application=NAF).bootstrap()
    assert tell(node, impi, y.CLEARED, application=NAF).result() == (0, 2001)
    return y.digest(btid)


def unsaid(journal, agent):
    """Numbers of what is still to be said to this agent."""
    with open(journal, encoding="ascii") as lines:
        rows = [line.split() for line in lines]
    return {row[0][1:] for row in rows if row[0][0] == "+" and row[4] == agent} - {row[0][1:] for row in rows if row[0][0] == "-"}


def heard(taker):
    return [a.value() for message in list(taker.revocations) for a in message.find_all(y.DIGEST, y.VENDOR)]


def test_what_an_agent_has_not_heard_survives_the_bsf(tmp_path):
    """The agent is away, the notice is answered, the BSF is killed: the agent hears it all the same, once; not what has ended by itself
    meanwhile. REQ: Y3056-9.4.1-6"""
    with Node(tmp_path / "killed", extra=EXTRA + "key-lifetime = 600;\n", nafs=NAFS, naf_peers=(AGENT,), y3056=True,
              make_hss=y.PermittingHss) as node:
        digests = [ended(node, impi_of(next(numbers))) for _ in range(3)]
        node.kill()
        node.start()
        taker = Taker(node)
        assert until(lambda: set(heard(taker)) == set(digests))
        more = ended(node, impi_of(next(numbers)))
        assert until(lambda: more in heard(taker))
        assert len(heard(taker)) == 4
        journal = os.path.join(node.realm.folder, "bsf", "revocations")
        assert os.stat(journal).st_mode & 0o777 == 0o600
        assert until(lambda: not unsaid(journal, AGENT))  # the others have not been seen
        node.kill()
        with open(journal, "a", encoding="ascii") as lines:  # what ended long ago, what no agent of ours is to hear, and half a line
            lines.write("+1000 5 2 - %s %s\n+1001 4000000000 2 - nobody.test %s\n+1002 40000" % (AGENT, "00" * 32, "11" * 32))
        node.start()
        again = Taker(node)
        last = ended(node, impi_of(next(numbers)))
        assert until(lambda: heard(again)) == [last]
