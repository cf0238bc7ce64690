# SPDX-License-Identifier: Apache-2.0
"""lib/dia as the one who asks, against peers that answer late, badly, twice or never; with the guard and without."""
import re
import time

import pytest
from conftest import free_port

from peers import diameter as d
from peers.waiting import PATIENCE, metrics_have, page, until
from stack import wrong_length

OUTCOME = re.compile(r"outcome (\d+): (\w+) vendor=(\d+) code=(\d+) answer=(\w+)")
TOLD = re.compile(r"asked \d+ in \d+ us:")  # all outcomes are printed


def bia(connection, request, *avps, code=2001, **kw):
    answer = request.answer(connection.origin(), [d.vendor_app(d.ZN), d.result(code)] + list(avps), **kw)
    return answer


@pytest.fixture
def asked(daemon):
    """asked(on_request, words): outcomes of what lib/dia asked a peer that answers so, as (error row, vendor, code); when all are
    told, or as soon as `done`."""
    servers = []

    def ask(on_request, words="timeout=20000", count=1, extensions=("guard", "dict"), done=None):
        server = d.Server("bsf.lab.test", "lab.test", [d.ZN], on_request)
        servers.append(server)
        one = daemon(list(extensions) + [f"asker:count={count}+{words}"], identity="naf.lab.test", clients=(),
                     servers={"bsf.lab.test": server.port})
        assert until(done or (lambda: TOLD.search(one.log()) or not one.alive()), 2 * PATIENCE), one.log()
        outcomes = {}
        for n, *outcome in OUTCOME.findall(one.log()):
            assert n not in outcomes, "told twice"
            outcomes[n] = (outcome[0], int(outcome[1]), int(outcome[2]))
        ask.alive, ask.daemon = one.alive(), one
        return list(outcomes.values())

    yield ask
    for server in servers:
        server.close()


USABLE = {
    "success": (lambda c, m: bia(c, m, d.tgpp(405, b"k" * 32)), (0, 2001)),
    "experimental": (lambda c, m: m.answer(c.origin(), [d.experimental(5403)]), (10415, 5403)),
    "protocol error": (lambda c, m: m.answer(c.origin(), [d.result(3004)], flags=d.E), (0, 3004)),
    "unknown AVP without M": (lambda c, m: bia(c, m, d.Avp(4711, b"x", m=False)), (0, 2001)),
    "result first": (lambda c, m: d.Message(m.code, m.app, [d.result(2001)] + bia(c, m).without(268).avps, d.P, m.hbh, m.e2e),
                     (0, 2001)),
    "no Session-Id": (lambda c, m: bia(c, m).without(263), (0, 2001)),
}


@pytest.mark.parametrize("case", USABLE)
def test_answers_that_can_be_used(asked, case):
    answer, (vendor, code) = USABLE[case]
    assert asked(answer) == [("GBA_OK", vendor, code)]


UNUSABLE = {
    "unknown AVP with M before the result": lambda c, m: d.Message(m.code, m.app, [d.Avp(4711, b"x")] + bia(c, m).avps, d.P,
                                                                   m.hbh, m.e2e),
    "unknown AVP with M after it": lambda c, m: bia(c, m, d.Avp(4711, b"x")),
    "unknown command": lambda c, m: d.Message(9999999, m.app, bia(c, m).avps, d.P, m.hbh, m.e2e),
    "another command": lambda c, m: d.Message(303, m.app, bia(c, m).avps, d.P, m.hbh, m.e2e),
    "another application": lambda c, m: d.Message(m.code, d.ZH, bia(c, m).avps, d.P, m.hbh, m.e2e),
    "no Origin-Host": lambda c, m: bia(c, m).without(264),
    "no result": lambda c, m: bia(c, m).without(268),
    "both results": lambda c, m: bia(c, m, d.experimental(5403)),
    "number of three octets": lambda c, m: bia(c, m, d.tgpp(410, b"123")),
    "broken group": lambda c, m: bia(c, m, d.tgpp(612, b"\1\2\3")),
    "experimental and unknown AVP": lambda c, m: m.answer(c.origin(), [d.experimental(5403), d.Avp(4711, b"x")]),
    "result of three octets": lambda c, m: m.answer(c.origin(), [d.Avp(268, b"\1\2\3")]),
    "our own Origin-Host": lambda c, m: m.answer(("naf.lab.test", "lab.test"), [d.result(2001)]),
    "nothing": lambda c, m: d.Message(m.code, m.app, [], d.P, m.hbh, m.e2e),
    "an AVP longer than the answer": lambda c, m: wrong_length(bia(c, m, d.tgpp(405, b"k" * 32)).encode(), 405, 0xFFFFFF),
    "an AVP shorter than its head": lambda c, m: wrong_length(bia(c, m, d.tgpp(405, b"k" * 32)).encode(), 405, 11),
    "carrier of the guard alone": lambda c, m: d.Message(m.code, m.app, [d.Avp(1, b"x" * 64, 0xFFFFF6BA)], d.P, m.hbh, m.e2e),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_answers_that_cannot_be_used(asked, case):
    assert asked(UNUSABLE[case]) == [("GBA_E_PEER", 0, 0)]
    assert asked.alive


def test_an_answer_can_end_the_bare_daemon(asked):
    asked(UNUSABLE["unknown AVP with M before the result"], words="wait=1500", extensions=["dict"])
    assert asked.daemon.ended()


def test_the_bare_daemon_loses_answers_and_the_deadline_holds(asked):
    """Without the guard no callback of the framework comes; our own deadline tells the role all the same."""
    assert asked(UNUSABLE["unknown AVP with M after it"], "timeout=600", extensions=["dict"]) == [("GBA_E_TIMEOUT", 0, 0)]


def test_silence_is_a_timeout(asked):
    assert asked(lambda c, m: None, count=20, words="timeout=500+window=20") == [("GBA_E_TIMEOUT", 0, 0)] * 20


def test_late_answers_are_not_told(asked):
    heard = []
    assert asked(lambda *request: heard.append(request), words="timeout=300", count=3) == [("GBA_E_TIMEOUT", 0, 0)] * 3
    assert until(lambda: len(heard) == 3)
    for connection, message in heard:
        connection.send_raw(bia(connection, message).encode())
    time.sleep(0.5)
    assert len(OUTCOME.findall(asked.daemon.log())) == 3 and asked.daemon.alive()


def test_answers_sent_twice_are_told_once(asked):
    def twice(connection, message):
        connection.send_raw(bia(connection, message).encode())
        return bia(connection, message)

    assert asked(twice, count=5) == [("GBA_OK", 0, 2001)] * 5


def test_no_peer_for_the_realm(asked):
    assert asked(bia, words="timeout=20000+realm=other.test") == [("GBA_E_UNREACHABLE", 0, 0)]


def test_requests_in_flight_when_the_peer_goes(asked):
    """All come back at once, as unreachable, not by their deadline."""
    def leave(connection, message):
        connection.close(abrupt=True)

    outcomes = asked(leave, count=50, words="timeout=60000+window=50")
    assert len(outcomes) == 50 and {o[0] for o in outcomes} == {"GBA_E_UNREACHABLE"}


def test_requests_are_resent_to_another_peer(daemon):
    """Failover keeps the end-to-end id, sets T, and the answer reaches the one who asked (RFC 6733 5.5.4)."""
    seen = []

    def first(connection, message):
        seen.append(message)
        connection.close(abrupt=True)

    def second(connection, message):
        seen.append(message)
        return bia(connection, message)

    a, b = d.Server("a.lab.test", "lab.test", [d.ZN]), d.Server("b.lab.test", "lab.test", [d.ZN])
    with a, b:
        for server in (a, b):  # whichever is asked first leaves
            server.on_request = lambda c, m: first(c, m) if not seen else second(c, m)
        one = daemon(["guard", "dict", "asker:count=1+timeout=30000"], identity="naf.lab.test", clients=(),
                     servers={"a.lab.test": a.port, "b.lab.test": b.port})
        assert until(lambda: TOLD.search(one.log()), 2 * PATIENCE)
        outcome, = OUTCOME.findall(one.log())
        if len(seen) == 2:  # the other peer was open already: the request went on to it
            assert outcome[1] == "GBA_OK" and seen[0].e2e == seen[1].e2e and seen[1].flags & d.T
        else:
            assert outcome[1] == "GBA_E_UNREACHABLE"


def test_shutdown_tells_those_who_wait(asked):
    """Requests in flight at the end are done with, and the daemon ends by itself."""
    seen = []
    asked(lambda c, m: seen.append(m), count=5, words="timeout=60000+window=5", done=lambda: len(seen) == 5)
    assert asked.daemon.stop()
    assert {o[1] for o in OUTCOME.findall(asked.daemon.log())} == {"GBA_E_UNREACHABLE"}


def test_session_ids_are_unique_and_well_formed(asked):
    ids = []

    def note(connection, message):
        ids.append(message.find(263).value())
        assert message.avps[0].code == 263 and message.flags == 0xC0
        return bia(connection, message)

    asked(note, count=200, words="timeout=20000+window=20")
    assert len(set(ids)) == 200 and all(re.fullmatch(rb"naf\.lab\.test;\d+;\d+;[0-9a-f]{8}", i) for i in ids)


def test_guard_reports_peer_and_readiness(daemon):
    metrics, port = free_port(), free_port()

    def status(path):
        return page(f"http://127.0.0.1:{metrics}{path}")[0]

    one = daemon(["guard", "dict", "asker:count=3+timeout=20000"], identity="naf.lab.test", clients=(),
                 servers={"bsf.lab.test": port}, guard=f'metrics-listen = "127.0.0.1:{metrics}";\n')
    assert until(lambda: status("/livez") == 200)
    assert status("/readyz") == 503
    with d.Server("bsf.lab.test", "lab.test", [d.ZN], bia, address=("127.0.0.1", port)):
        assert until(lambda: status("/readyz") == 200)
        assert until(lambda: TOLD.search(one.log()))
        metrics_have(f"http://127.0.0.1:{metrics}/metrics", 'gba_diameter_peer_open{peer="bsf.lab.test"} 1',
                     'gba_diameter_sent_total{peer="bsf.lab.test",kind="request"} 3',
                     'gba_diameter_received_total{peer="bsf.lab.test",kind="answer"} 3')
