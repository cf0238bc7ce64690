# SPDX-License-Identifier: Apache-2.0
"""gba_guard.fdx on a live daemon, each fault with it and without it: F1 NUL in Session-Id, F2 silent connections, F3 the
wildcard listener, F4 requests executed twice, F5 keys in the stack's log; and who may ask what."""
import os
import random
import select
import socket
import struct
import threading
import time

import pytest
from conftest import Daemon, free_port
from stack import BARE, STACK, bir, connect_again, served, served_again, with_avp, wrong_length

from peers import diameter as d
from peers.waiting import PATIENCE, metrics_have, page, until

# F1 --------------------------------------------------------------------------------------------------------------------
NUL_ID = b"naf.lab.test;1\x00;2"


def test_nul_in_session_id_ends_the_bare_daemon(daemon):
    one = daemon(BARE)
    with one.client() as peer:
        assert served(peer)
        peer.send(with_avp(bir(peer), 263, d.text(263, NUL_ID)))
        assert one.ended()


def test_nul_in_session_id_is_refused(daemon):
    one = daemon(STACK)
    with one.client() as peer:
        answer = peer.request(with_avp(bir(peer), 263, d.text(263, NUL_ID)))
        assert answer.result() == (0, 5004)
        assert [(a.code, a.value()) for a in answer.failed()] == [(263, NUL_ID)]
        assert answer.find(263).value() == NUL_ID
        assert served(peer)
    assert one.alive()


def test_rate_of_a_peer(daemon):
    """More requests than its rate: DIAMETER_TOO_BUSY from the guard; counted, logged, and over when it slows down."""
    guard = 'peers = ( { identity = "naf.lab.test"; applications = [ "Zn" ]; rate = 1; burst = 4; } );\n'
    one = daemon(STACK, guard=guard)
    with one.client() as peer:
        began = time.monotonic()
        got = [peer.request(bir(peer)).result()[1] for _ in range(60)]
        earned = int(time.monotonic() - began) + 1
        assert 3004 not in got[:4] and 56 - earned <= got.count(3004) <= 56, got
        assert until(lambda: "more than its rate" in one.log())
        assert until(lambda: peer.request(bir(peer)).result()[1] != 3004)


# F2 --------------------------------------------------------------------------------------------------------------------
def connect_beside(one, intruders):
    """A peer connects while so many connections have sent one octet and wait. How many of these were still open when it got its
    CEA, and how many seconds that took."""
    sockets = []
    try:
        for _ in range(intruders):
            sockets.append(socket.create_connection(("127.0.0.1", one.port)))
            sockets[-1].send(b"\x01")
        time.sleep(0.3)
        began = time.monotonic()
        with one.client():
            return intruders - len(select.select(sockets, [], [], 0)[0]), time.monotonic() - began
    finally:
        for s in sockets:
            s.close()


def test_silent_connections_lock_peers_out_of_the_bare_daemon(daemon):
    assert connect_beside(daemon(BARE), 6)[1] > 5


def test_silent_connections_hold_nobody_up(daemon):
    """The CEA comes before one of them has been given up."""
    assert connect_beside(daemon(STACK, guard="cer-timeout = 20;\n"), 60)[0] == 60


def test_connections_without_cer_are_closed(daemon):
    one = daemon(STACK, guard="cer-timeout = 1;\n")
    with one.client() as peer, socket.create_connection(("127.0.0.1", one.port)) as silent:
        silent.send(b"\x01")
        silent.settimeout(PATIENCE)
        assert silent.recv(1) == b""
        assert served(peer)  # one that has said who it is stays
    assert until(lambda: "guard.cer" in one.log())


class Crowd(threading.Thread):
    """Strangers who connect, say nothing, and come again when they are sent away, or not let in: few of them fit into the queue of
    the listener, and the kernel would knock again seconds later only."""
    AT_ONCE = 64

    def __init__(self, port, count):
        super().__init__()
        self.port, self.leave = port, threading.Event()
        self.sockets = [self.come() for _ in range(count)]
        self.start()

    def come(self):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", self.port))
        return one

    def run(self):
        while not self.leave.wait(0.02):
            polled = select.poll()
            for one in self.sockets:
                polled.register(one, select.POLLIN | select.POLLOUT)
            there = {fd for fd, event in polled.poll(0) if event == select.POLLOUT}
            outside = [i for i, one in enumerate(self.sockets) if one.fileno() not in there]
            for i in random.sample(outside, min(len(outside), self.AT_ONCE)):
                self.sockets[i].close()
                self.sockets[i] = self.come()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.leave.set()
        self.join()
        for one in self.sockets:
            one.close()


FEW_FILES = ("prlimit", "--nofile=256:256")
AS_DELIVERED, WITHOUT_FDTUNE = {}, {"LD_PRELOAD": ""}


@pytest.mark.parametrize("extensions,environment", [(BARE, AS_DELIVERED), (STACK, AS_DELIVERED), (STACK, WITHOUT_FDTUNE)],
                         ids=["no guard", "as delivered", "no fdtune"])
def test_a_crowd_with_few_open_files(daemon, extensions, environment):
    """freeDiameter accepts whoever connects, and ends when there is no descriptor for one. 256 are allowed, and 600 come, again and
    again: a peer that is there is served, another gets in, and the daemon lives."""
    one = daemon(extensions, wrap=FEW_FILES, environment=environment, clients=["naf.lab.test", "late.lab.test"])
    files = "/proc/%d/fd" % one.process.pid
    with one.client() as peer, Crowd(one.port, 600):
        if "guard" not in extensions:
            assert until(lambda: len(os.listdir(files)) > 150)
        else:
            assert until(lambda: "guard.cer" in one.log())
            with connect_again(one, "late.lab.test") as late:
                assert served_again(late)
        assert served(peer) and len(os.listdir(files)) <= 250
    assert until(lambda: len(os.listdir(files)) < 60) or "guard" not in extensions
    assert one.alive()


# F3 --------------------------------------------------------------------------------------------------------------------
def listeners(port):
    """Local addresses, in hex as /proc shows them, that listen on port."""
    out = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as lines:
            for fields in (line.split() for line in list(lines)[1:]):
                address, _, local = fields[1].partition(":")
                if fields[3] == "0A" and int(local, 16) == port:
                    out.append(address)
    return out


def test_the_bare_daemon_listens_on_all_addresses(daemon):
    one = daemon(BARE, options='NoRelay; ListenOn = "127.0.0.1";')
    assert listeners(one.port) == ["00000000"]


def test_only_the_loopback_address_listens(daemon):
    one = daemon(STACK)
    assert listeners(one.port) == ["0100007F"]


# F4 --------------------------------------------------------------------------------------------------------------------
def executions(answers):
    """Which execution each answer comes from."""
    return [int(a.find(405, d.TGPP).value()[-11:]) for a in answers]


def same_again(peer, first, flags=0):
    again = d.Message(first.code, first.app, first.avps, first.flags | flags, 0, first.e2e)
    return peer.send(again)


def test_the_bare_daemon_executes_a_retransmission_again(daemon):
    with daemon(BARE).client() as peer:
        first = bir(peer)
        answers = [peer.request(first), peer.wait(same_again(peer, first, d.T))]
        assert executions(answers) == [0, 1]


def test_a_retransmission_gets_the_first_answer(daemon):
    with daemon(STACK).client() as peer:
        first = bir(peer)
        answer = peer.request(first)
        for flags in (d.T, 0):
            message = same_again(peer, first, flags)
            again = peer.wait(message)
            assert again.hbh == message.hbh and again.e2e == answer.e2e and again.code == 310
            assert [a.encode() for a in again.avps] == [a.encode() for a in answer.avps]
        assert executions([peer.request(bir(peer))]) == [1]


def test_a_retransmission_joins_the_one_in_work(daemon):
    with daemon(["guard", "dict", "echo:delay=800"]).client() as peer:
        first = peer.send(bir(peer))
        time.sleep(0.2)
        others = [same_again(peer, first, d.T) for _ in range(3)]
        answers = [peer.wait(m) for m in [first] + others]
        assert executions(answers) == [0, 0, 0, 0]
        assert executions([peer.request(bir(peer))]) == [1]


def test_a_retransmission_over_another_agent_is_the_same_request(daemon):
    """After failover the request comes with other Route-Records, over another connection; it is the same to us."""
    one = daemon(STACK, clients=["dra1.lab.test", "dra2.lab.test"], guard="""peers = (
        { identity = "dra1.lab.test"; origin-hosts = [ "naf.lab.test" ]; },
        { identity = "dra2.lab.test"; origin-hosts = [ "*.lab.test" ]; } );\n""")
    with one.client("dra1.lab.test") as dra1, one.client("dra2.lab.test") as dra2:
        first = with_avp(bir(dra1), 264, d.text(264, "naf.lab.test"))
        answers = [dra1.request(first)]
        again = d.Message(first.code, first.app, first.avps + [d.text(d.ROUTE_RECORD, "naf.lab.test")], first.flags | d.T, 0,
                          first.e2e)
        answers.append(dra2.request(again))
        assert executions(answers) == [0, 0]


def test_other_requests_with_the_same_end_to_end_id_are_other_requests(daemon):
    """A client that does not count must not be given another request's answer."""
    with daemon(STACK).client() as peer:
        answers = []
        for _ in range(3):
            message = bir(peer)
            message.e2e = 7
            answers.append(peer.request(message))
        assert executions(answers) == [0, 1, 2]


def test_retransmissions_are_forgotten_in_bounds(daemon):
    with daemon(STACK, guard="duplicate-entries = 16;\n").client() as peer:
        first = bir(peer)
        peer.request(first)
        for _ in range(20):
            peer.request(bir(peer))
        assert executions([peer.wait(same_again(peer, first, d.T))]) == [21]


def test_retransmissions_are_forgotten_in_time(daemon):
    with daemon(STACK, guard="duplicate-window = 1;\n").client() as peer:
        first = bir(peer)
        peer.request(first)
        assert until(lambda: executions([peer.wait(same_again(peer, first, d.T))]) == [1], step=0.2)


# F5 --------------------------------------------------------------------------------------------------------------------
CANARY = [b"canary".hex(), b"canary".hex().upper(), "canary", " ".join(f"{c:02X}" for c in b"canary")]


def leave_while_answering(one, seen):
    """Four peers at least that go away with answers on their way, and more until seen() has come of it."""
    for n in range(40):
        peer = connect_again(one)
        for _ in range(20):
            peer.send(bir(peer))
        time.sleep(0.05)
        peer.close(abrupt=True)
        time.sleep(0.6)
        if n >= 3 and seen():
            return True
    return False


def keys_of(one):
    return [c for c in CANARY if c in one.log()]


def test_the_bare_daemon_logs_keys(daemon):
    one = daemon(["dict", "echo:bare+delay=300"])
    assert leave_while_answering(one, lambda: keys_of(one))


@pytest.mark.parametrize("how", ["echo:bare+delay=300", "echo:delay=300"])
def test_keys_are_in_no_log(daemon, how):
    one = daemon(["guard", "dict", how])
    assert leave_while_answering(one, lambda: "diameter.dropped" in one.log())  # the loss itself is told
    assert one.alive() and not keys_of(one)
    assert len(one.log().splitlines()) < 300
    with connect_again(one) as peer:
        assert served_again(peer)


# What the routing threads would answer themselves ------------------------------------------------------------------------
REFUSED = {
    "R and E bits": (lambda m: setattr(m, "flags", m.flags | d.E), 3008, d.E),
    "application not served": (lambda m: setattr(m, "app", 16777251), 3007, d.E),
    "application zero": (lambda m: setattr(m, "app", 0), 3007, d.E),
    "relay application": (lambda m: setattr(m, "app", d.RELAY), 3007, d.E),
    "another Destination-Host": (lambda m: m.avps.append(d.text(293, "other.lab.test")), 3002, d.E),
    "another Destination-Realm": (lambda m: with_avp(m, 283, d.text(283, "other.test")), 3003, d.E),
    "our Route-Record": (lambda m: m.avps.append(d.text(282, "bsf.lab.test")), 3005, d.E),
    "no Destination-Realm": (lambda m: with_avp(m, 283), 5005, 0),
    "empty Session-Id": (lambda m: with_avp(m, 263, d.text(263, b"")), 5004, 0),
    "second Session-Id with NUL": (lambda m: m.avps.append(d.text(263, NUL_ID)), 5004, 0),
    "decorated User-Name": (lambda m: m.avps.append(d.text(1, "home.test!user@lab.test")), 5004, 0),
    "another Origin-Host": (lambda m: with_avp(m, 264, d.text(264, "hss.lab.test")), 5003, 0),
    "no Origin-Host": (lambda m: with_avp(m, 264), 5005, 0),
    "no such Auth-Session-State": (lambda m: with_avp(m, 277, d.u32(277, 7)), 5004, 0),
    "odd length of Auth-Session-State": (lambda m: with_avp(m, 277).avps.append(d.Avp(277, b"123")), 5014, 0),
    "command not known": (lambda m: setattr(m, "code", 9999999), 3001, d.E),
    "command of another application": (lambda m: setattr(m, "code", 303), 3001, None),
    "no NAF-Id": (lambda m: with_avp(m, 402), 5005, 0),
    "no Vendor-Specific-Application-Id": (lambda m: with_avp(m, 260), 5005, 0),
    "two B-TIDs": (lambda m: m.avps.append(d.tgpp(401, b"x")), 5009, 0),
    "unknown AVP with M": (lambda m: m.avps.append(d.Avp(4711, b"x")), 5001, 0),
    "unknown AVP with M, of no octets": (lambda m: m.avps.append(d.Avp(4711, b"")), 5001, 0),
    "odd length": (lambda m: m.avps.append(d.tgpp(407, b"123")), 5014, 0),
    "group that is none": (lambda m: with_avp(m, 260, d.Avp(260, b"\1\2\3\4\5")), 5014, 0),
    "Proxy-Info nobody can copy": (lambda m: m.avps.append(d.Avp(284, [d.text(280, "p.q"), d.text(33, "s"),
                                                                      d.Avp(4711, b"", m=False)])), 5004, 0),
    "carrier of the guard": (lambda m: m.avps.append(d.Avp(1, b"x" * 64, 0xFFFFF6BA)), 2001, 0),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_as_specified(connected, stack, case):
    change, code, e_bit = REFUSED[case]
    message = bir(connected, extra=[d.Avp(d.PROXY_INFO, [d.text(d.PROXY_HOST, "p.lab.test"), d.text(d.PROXY_STATE, "s")])])
    change(message)
    answer = connected.request(message)
    assert answer is not None and answer.result() == (0, code)
    assert (answer.code, answer.app, answer.hbh, answer.e2e) == (message.code, message.app, message.hbh, message.e2e)
    if e_bit is not None:
        assert answer.flags & d.E == e_bit
    assert not answer.flags & d.R and answer.flags & d.P  # RFC 6733 6.2
    assert answer.find(264).text() == "bsf.lab.test" and answer.find(296).text() == "lab.test"
    assert answer.find(d.PROXY_INFO) is not None
    assert not [a for a in answer.avps if a.vendor == 0xFFFFF6BA]
    if message.find(263) is not None and code not in (3001, 5001, 5004, 5005, 5009, 5014):
        assert answer.find(263).value() == message.find(263).value()
    assert (code in (5001, 5004, 5005, 5009, 5014)) == bool(answer.failed())
    if code in (5001, 5009, 5014) and case != "group that is none":  # the AVP itself, the surplus one of several (RFC 6733 7.5)
        assert [a.encode() for a in answer.failed()] == [message.avps[-1].encode()]
    if code == 5005:
        assert [set(a.value()) for a in answer.failed()] in ([{0}], [set()])
    assert stack.alive() and served(connected)


# RFC 6733 7.1.5: Failed-AVP has the head of the AVP whose length does not fit, and zeros of its type's least length. -------
def cut(octets, n):
    """The message's octets less the last n."""
    return octets[:1] + (len(octets) - n).to_bytes(3, "big") + octets[4:-n]


WRONG_LENGTHS = {
    "beyond the message": (lambda o: wrong_length(o, 402, 0xFFFFFF), d.tgpp(402, b"")),
    "a word beyond the message": (lambda o: wrong_length(o, 407, 20), d.tgpp(407, 0)),
    "an octet beyond the message": (lambda o: wrong_length(o, 407, 17), d.tgpp(407, 0)),
    "of a number of the base protocol": (lambda o: wrong_length(o, 277, 4000), d.u32(277, 0)),
    "of a group": (lambda o: wrong_length(o, 260, 4000), d.Avp(260, b"")),
    "of the first AVP": (lambda o: wrong_length(o, 263, 0xFFFFFF), d.Avp(263, b"")),
    "of an unknown AVP": (lambda o: o[:1] + (len(o) + 12).to_bytes(3, "big") + o[4:] + struct.pack("!III", 4711, 13, 0),
                          d.Avp(4711, b"", flags=0)),
    "below its head": (lambda o: wrong_length(o, 401, 11), d.tgpp(401, b"")),
    "below any head": (lambda o: wrong_length(o, 264, 7), d.Avp(264, b"")),
    "of zero": (lambda o: wrong_length(o, 296, 0), d.Avp(296, b"")),
    "head without its vendor": (lambda o: cut(o, 8), d.Avp(407, b"", 0, flags=d.V | d.M)),
    "head of four octets": (lambda o: cut(o, 12), d.Avp(407, b"", flags=0)),
}


@pytest.mark.parametrize("case", WRONG_LENGTHS)
def test_an_avp_whose_length_does_not_fit(connected, stack, case):
    spoil, failed = WRONG_LENGTHS[case]
    before, message = len(stack.log()), bir(connected, gba_u_aware=1)
    assert message.avps[-1].code == 407
    first, second = bir(connected), bir(connected)
    connected.send(first)
    message.hbh, message.e2e = first.hbh + 0x10000000, first.e2e ^ 0x55555555
    answers = connected.expect(message)
    connected.send_raw(spoil(message.encode()))
    connected.send(second)
    answer = answers.get(timeout=PATIENCE)
    assert answer.result() == (0, 5014) and not answer.flags & (d.R | d.E) and answer.flags & d.P
    assert (answer.code, answer.app, answer.e2e) == (310, d.ZN, message.e2e)
    assert answer.find(264).text() == "bsf.lab.test" and answer.find(296).text() == "lab.test"
    if case != "of the first AVP":
        assert answer.find(263).value() == message.find(263).value()
    assert [(a.code, a.vendor, a.flags) for a in answer.failed()] == [(failed.code, failed.vendor, failed.flags)]
    assert answer.failed()[0].value() == failed.value()
    assert [connected.wait(m).result() for m in (first, second)] == [(0, 2001)] * 2  # the connection goes on
    assert until(lambda: "invalid length of an AVP" in stack.log()[before:])


def raw(octets, code=260):
    return d.Avp(code, octets)


# Octets of a group whose last AVP does not fit, and that AVP as Failed-AVP shows it, in its groups.
VENDOR_ID = d.u32(266, 10415).encode()
BROKEN_GROUPS = {
    "beyond the group": (raw(VENDOR_ID + struct.pack("!III", 258, 0x40000010, 1)), [d.Avp(260, [d.u32(258, 0)])]),
    "below its head": (raw(VENDOR_ID + struct.pack("!III", 258, 0x40000007, 1)), [d.Avp(260, [d.u32(258, 0)])]),
    "cut head": (raw(VENDOR_ID + b"\0\0\1\2"), [d.Avp(260, [d.Avp(258, bytes(4), flags=0)])]),
    "head of five octets": (raw(b"\1\2\3\4\5"), [d.Avp(260, [d.Avp(0x01020304, b"", flags=5)])]),
    "unknown AVP": (raw(VENDOR_ID + struct.pack("!II", 4711, 0x00000009)), [d.Avp(260, [d.Avp(4711, b"", flags=0)])]),
    "of a vendor": (raw(VENDOR_ID + struct.pack("!III", 402, 0xc0ffffff, 10415)), [d.Avp(260, [d.tgpp(402, b"")])]),
    "group in a group": (raw(raw(VENDOR_ID + struct.pack("!II", 258, 0x40000009)).encode(), 279),
                         [d.Avp(279, [d.Avp(260, [d.u32(258, 0)])])]),
}


@pytest.mark.parametrize("case", BROKEN_GROUPS)
def test_an_avp_whose_length_does_not_fit_its_group(connected, stack, case):
    group, failed = BROKEN_GROUPS[case]
    message = bir(connected)
    with_avp(message, 260)
    message.avps.append(group)
    answer = connected.request(message)
    assert answer.result() == (0, 5014)
    assert [a.encode() for a in answer.failed()] == [a.encode() for a in failed]
    assert stack.alive() and served(connected)


@pytest.mark.parametrize("octets, failed", [
    (struct.pack("!II", 263, 0x40000020), d.Avp(263, b"")), (struct.pack("!III", 263, 0x40000020, 0), d.Avp(263, b"")),
    (struct.pack("!III", 407, 0xC0000011, 10415), d.tgpp(407, 0)), (struct.pack("!II", 407, 0xC0000008), d.Avp(407, b"", 0, flags=d.V | d.M)),
    (struct.pack("!II", 263, 0x40000020) + b"x" * 12, d.Avp(263, b""))])
def test_a_message_cut_in_its_first_avp(connected, stack, octets, failed):
    message = bir(connected)
    answers = connected.expect(message)
    connected.send_raw((header := message.encode()[:20])[:1] + (20 + len(octets)).to_bytes(3, "big") + header[4:] + octets)
    answer = answers.get(timeout=PATIENCE)
    assert answer.result() == (0, 5014)
    assert [(a.code, a.vendor, a.flags, a.value()) for a in answer.failed()] == [(failed.code, failed.vendor, failed.flags, failed.value())]
    assert stack.alive() and served(connected)


def test_the_bare_daemon_closes_the_connection_instead(daemon):
    with daemon(BARE).client() as peer:
        peer.send_raw(wrong_length(bir(peer).encode(), 402, 0xFFFFFF))
        assert peer.closed.wait(PATIENCE)


@pytest.mark.parametrize("case,says", [("no NAF-Id", "'NAF-Id'"), ("two B-TIDs", "'Transaction-Identifier'"), ("unknown AVP with M", ""),
                                       ("odd length", ""), ("odd length of Auth-Session-State", ""), ("command not known", "")])
def test_one_line_for_what_the_framework_refuses(connected, stack, case, says):
    """Its own chain of traces does not count as lines for the operator; the one line names the AVP where it is known."""
    before = len(stack.log())
    message = bir(connected)
    REFUSED[case][0](message)
    assert connected.request(message).result() == (0, REFUSED[case][1])
    assert until(lambda: "%08x" % message.e2e in stack.log()[before:])
    lines = [line for line in stack.log()[before:].splitlines() if " error " in line or " warning " in line]
    assert len(lines) == 1 and "diameter.parsing" in lines[0] and says in lines[0], lines


def in_vendor_app(message, *avps):
    group = next(a for a in message.avps if a.code == 260)
    return with_avp(message, 260, d.Avp(260, group.data + list(avps)))


BARE_AVP = d.Avp(4711, b"", m=False)  # the framework can read an unknown AVP of no octets, but not write it
IN_FAILED = {
    "unknown with M, of no octets, in a group": (lambda m: in_vendor_app(m, d.Avp(4711, b"")), 5001, d.Avp(4711, b"")),
    "that of a vendor": (lambda m: in_vendor_app(m, d.Avp(4711, b"", 4711)), 5001, d.Avp(4711, b"", 4711)),
    "twice in a group": (lambda m: in_vendor_app(m, d.u32(266, 10416)), 5009, d.u32(266, 10416)),
    "twice, beside one of no octets": (lambda m: m.avps.extend([BARE_AVP, d.tgpp(401, b"x")]), 5009, d.tgpp(401, b"x")),
    "twice, beside one in a group": (lambda m: in_vendor_app(m, BARE_AVP).avps.append(d.tgpp(401, b"x")), 5009, d.tgpp(401, b"x")),
}


@pytest.mark.parametrize("case", IN_FAILED)
def test_failed_avp_is_the_avp_itself(connected, stack, case):
    """Wherever it stands, whatever stands beside it: the answer has it, with its octets, and leaves (RFC 6733 7.5)."""
    change, code, failed = IN_FAILED[case]
    before, message = len(stack.log()), bir(connected)
    change(message)
    answer = connected.request(message)
    assert answer is not None and answer.result() == (0, code)
    assert [a.encode() for a in answer.failed()] == [failed.encode()]
    assert served(connected) and not connected.closed.is_set()
    assert until(lambda: "%08x" % message.e2e in stack.log()[before:])
    lines = [line for line in stack.log()[before:].splitlines() if " error " in line or " warning " in line]
    assert len(lines) == 1 and "diameter.parsing" in lines[0], lines


def test_a_command_not_served_is_told(connected, stack):
    before, message = len(stack.log()), bir(connected)
    message.code = 303
    assert connected.request(message).result() == (0, 3001)
    assert until(lambda: "3001: command not served" in stack.log()[before:])
    assert stack.log()[before:].count(" warning ") == 1


def test_abrupt_closes_with_refusals_on_their_way(daemon):
    """Error answers to a peer that has just gone must not end the daemon."""
    one = daemon(STACK)
    for n in range(60):
        peer = connect_again(one)
        for change, *_ in list(REFUSED.values())[:10]:
            message = bir(peer)
            change(message)
            peer.send(message)
        peer.close(abrupt=True)
        assert one.alive(), f"after {n} closes"
    with connect_again(one) as peer:
        assert served_again(peer)


# Who may ask what ---------------------------------------------------------------------------------------------------------
TABLE = """peers = (
    { identity = "naf.lab.test"; },
    { identity = "dra.lab.test"; origin-hosts = [ "naf2.lab.test", "*.asp.test" ]; applications = [ "Zn" ]; commands = [ "BIR" ]; },
    { identity = "other.lab.test"; applications = [ "Zh", "16777268" ]; } );
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    with Daemon(tmp_path_factory.mktemp("table"), STACK, guard=TABLE,
                clients=["naf.lab.test", "dra.lab.test", "other.lab.test", "unlisted.lab.test"]) as one:
        yield one


@pytest.mark.parametrize("peer, origin, code", [
    ("naf.lab.test", "naf.lab.test", 2001), ("naf.lab.test", "NAF.lab.test", 2001), ("naf.lab.test", "naf2.lab.test", 5003),
    ("dra.lab.test", "naf2.lab.test", 2001), ("dra.lab.test", "a.asp.test", 2001), ("dra.lab.test", "asp.test", 5003),
    ("dra.lab.test", "evilasp.test", 5003), ("dra.lab.test", "dra.lab.test", 5003), ("other.lab.test", "other.lab.test", 5003),
    ("unlisted.lab.test", "unlisted.lab.test", 5003), ("naf.lab.test", "naf.lab.test\0x", 5003), ("naf.lab.test", "", 5003),
    ("naf.lab.test", "naf.lab.test.", 5003)])
def test_peers_ask_what_the_table_allows(table, peer, origin, code):
    with connect_again(table, peer) as connection:
        # one that has just been away exchanges watchdogs first: what it asks meanwhile may get no answer
        answer = until(lambda: connection.request(with_avp(bir(connection), 264, d.text(264, origin)), timeout=1))
        assert answer.result() == (0, code)
    if code == 5003:
        lines = until(lambda: [line for line in table.log().splitlines() if "guard.refused" in line and f"peer={peer}" in line])
        assert lines and "\0" not in lines[-1]


def test_an_unknown_peer_gets_no_connection(table):
    with pytest.raises(ConnectionError, match="3010"):
        table.client("nobody.lab.test")


@pytest.mark.parametrize("text, names", [
    ('peers = ( { identity = "a b"; } );', "identity"), ('peers = ( { identity = "a.b"; commands = [ "XYZ" ]; } );', "XYZ"),
    ('peers = ( { identity = "a.b"; applications = [ "rpa" ]; } );', "in no dictionary"),
    ('listen2 = [ ];', "listen2: no such item"), ('cer-timeout = 0;', "cer-timeout: 0 is not allowed (1..20 s)"),
    ('listen = [ "localhost" ];', "localhost"), ('peers = ( { } );', "identity: missing")])
def test_wrong_configuration_stops_the_start(daemon, text, names):
    with pytest.raises(RuntimeError) as refused:
        daemon(STACK, guard=text, listen=not text.startswith("listen ="))
    assert names in str(refused.value)


# Load ---------------------------------------------------------------------------------------------------------------------
def test_a_flood_is_refused_and_bounded(daemon):
    """Requests beyond what the node works off get TOO_BUSY; all are answered, the watchdog too, and it recovers."""
    one = daemon(["guard", "dict", "echo"], guard="busy-peer = 50;\n")
    with one.client() as peer:
        message = bir(peer)
        head, body = message.encode()[:12], message.encode()[20:]
        for _ in range(15):
            peer.send_raw(b"".join(head + struct.pack("!II", n + 1, os.getpid() << 16 | n) + body for n in range(2000)))
        results = []
        while len(results) < 30000:
            results.append(peer.unmatched.get(timeout=PATIENCE).result())
        assert set(results) <= {(0, 2001), (0, 3004)}
        assert results.count((0, 3004)) > 100 and results.count((0, 2001)) > 0  # how many is the machine's matter
        assert served_again(peer)


def test_counters_tell_it(daemon):
    port = free_port()
    one = daemon(STACK, guard=f'metrics-listen = "127.0.0.1:{port}";\n')
    with one.client() as peer:
        for _ in range(3):
            assert served(peer)
        peer.request(with_avp(bir(peer), 264, d.text(264, "x.lab.test")))
        first = bir(peer)
        peer.request(first)
        peer.wait(same_again(peer, first, d.T))

        metrics_have(f"http://127.0.0.1:{port}/metrics", 'gba_diameter_peer_open{peer="naf.lab.test"} 1',
                     'gba_diameter_received_total{peer="naf.lab.test",kind="request"} 6',
                     'gba_diameter_sent_total{peer="naf.lab.test",kind="answer"} 6',
                     'gba_diameter_refused_total{peer="naf.lab.test"} 1', "gba_diameter_retransmissions_total 1",
                     'gba_diameter_served{application="16777220"} 1')
        assert until(lambda: page(f"http://127.0.0.1:{port}/readyz")[0] == 200)


# The end ------------------------------------------------------------------------------------------------------------------
def ends(one, seconds):
    one.process.terminate()
    assert until(lambda: not one.alive(), seconds), one.log()
    return one.process.returncode


def test_a_peer_that_ignores_the_disconnection_does_not_hold_up_the_end(daemon):
    """The framework alone waits 16 s."""
    one = daemon(STACK, guard="end-limit = 60000;\n")
    with one.client() as peer:
        assert served(peer)
        peer.answer_disconnects = False
        assert ends(one, 12) == 0
        assert peer.disconnects >= 1 and peer.closed.wait(PATIENCE)


def test_what_does_not_end_is_cut_short(daemon):
    one = daemon(STACK, guard="end-limit = 700;\ndisconnect-timeout = 60000;\n")
    with one.client() as peer:
        assert served(peer)
        peer.answer_disconnects = False
        assert ends(one, PATIENCE) == 0
    assert "process.end" in one.log() and "cut short" in one.log()
