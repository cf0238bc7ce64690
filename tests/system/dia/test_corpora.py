# SPDX-License-Identifier: Apache-2.0
"""Malformed and hostile Diameter on the wire, before the CER, in it and after it; each named after the report it is known
from. The daemon lives, and goes on serving the peer beside."""
import random as randomness
import socket
import struct

import pytest
from stack import STACK, bir, connect_again, served, served_again, with_avp

from peers import diameter as d
from peers.waiting import PATIENCE, until


def raw_header(length, flags=0xC0, code=310, app=d.ZN, version=1):
    return struct.pack("!IIIII", version << 24 | length, flags << 24 | code, app, 1, 1)


BEFORE_CER = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "random octets": bytes(range(7, 256)) * 3,
    "length below the header (kamailio#4876)": raw_header(8, 0x80, 257, 0),
    "length of zero": raw_header(0, 0x80, 257, 0),
    "another version": raw_header(20, 0x80, 257, 0, version=2),
    "a request instead": raw_header(20),
    "an answer instead": raw_header(20, 0x40),
    "AVP shorter than its header (CVE-2020-6098)": raw_header(28, 0x80, 257, 0) + struct.pack("!II", 264, 0x40 << 24 | 3),
    "AVP longer than the message": raw_header(28, 0x80, 257, 0) + struct.pack("!II", 264, 0x40 << 24 | 0xFFFFFF),
}


@pytest.mark.parametrize("case", BEFORE_CER)
def test_garbage_before_the_cer(stack, connected, case):
    with socket.create_connection(("127.0.0.1", stack.port)) as s:
        s.sendall(BEFORE_CER[case])
        s.settimeout(PATIENCE)
        try:
            while s.recv(4096):
                pass  # a CEA with an error may come first
        except ConnectionResetError:
            pass
    assert served(connected)


def cer(*extra, drop=()):
    avps = [d.text(264, "fresh.lab.test"), d.text(296, "lab.test"), d.Avp(257, b"\0\1\x7f\0\0\1"), d.u32(266, 10415),
            d.text(269, "x", m=False), d.vendor_app(d.ZN)]
    return d.Message(257, 0, [a for a in avps if a.code not in drop] + list(extra), d.R, 1, 1)


HOSTILE_CER = {
    "two Origin-Hosts": cer(d.text(264, "other.lab.test")),
    "64 Origin-Hosts (open5gs#4145)": cer(*[d.text(264, f"h{n}.lab.test") for n in range(64)]),
    "no Origin-Host": cer(drop=(264,)),
    "empty Origin-Host": cer(d.text(264, ""), drop=(264,)),
    "NUL in Origin-Host": cer(d.text(264, b"a\0b.lab.test"), drop=(264,)),
    "address of no family (open5gs#4334)": cer(d.Avp(257, b"\0\x99\1\2\3\4"), drop=(257,)),
    "address of one octet": cer(d.Avp(257, b"\0"), drop=(257,)),
    "broken application (open5gs#4155)": cer(d.Avp(260, b"\0\0\1\x0a\x40\0"), drop=(260,)),
    "empty application (open5gs#4156)": cer(d.Avp(260, b""), drop=(260,)),
    "60,000 AVPs": cer(*[d.Avp(4711, b"", m=False)] * 60000),
    "nested a thousand deep": cer(d.Avp(279, b"".join(struct.pack("!II", 279, 0x40 << 24 | 8 * (1000 - n)) for n in range(1000)))),
}


@pytest.mark.parametrize("case", HOSTILE_CER)
def test_hostile_cer(stack, connected, case):
    with socket.create_connection(("127.0.0.1", stack.port)) as s:
        s.sendall(HOSTILE_CER[case].encode())
        s.settimeout(PATIENCE)
        try:
            data = s.recv(65536)
        except ConnectionResetError:
            data = b""
    if data:
        assert d.Message.decode(data[:struct.unpack("!I", data[:4])[0] & 0xFFFFFF]).result()[1] >= 3000
    assert served(connected)


UNKNOWN_IN_CER = {"some octets": d.Avp(4711, b"x"), "none": d.Avp(4711, b""), "of a vendor": d.Avp(4711, b"abcd", vendor=10415),
                  "twice": d.Avp(4711, b"first")}


@pytest.mark.parametrize("case", UNKNOWN_IN_CER)
def test_unknown_avp_with_m_in_the_cer(daemon, case):
    """RFC 6733 7.1.5: 5001 with that AVP in Failed-AVP, where the framework closes without a word. The connection ends behind it, and
    what came right behind the CER is not executed; without the M bit, the peer is served."""
    one, avp = daemon(STACK, clients=["fresh.lab.test", "fine.lab.test"]), UNKNOWN_IN_CER[case]
    more = [d.Avp(4712, b"second")] if case == "twice" else []
    with socket.create_connection(("127.0.0.1", one.port), timeout=PATIENCE) as s:
        peer = d.Connection(s, "fresh.lab.test", "lab.test", [d.ZN])
        s.sendall(cer(avp, *more).encode() + bir(peer).encode())
        cea = d.Message.decode(peer.read_message())
        assert (cea.code, cea.result()) == (257, (0, 5001))
        assert cea.find(d.FAILED_AVP).value() == avp.encode()
        behind = peer.read_message()
        assert not behind or d.Message.decode(behind).result() == (0, 5003) and not peer.read_message()
    assert until(lambda: "unknown AVP with M bit in CER" in one.log())
    with socket.create_connection(("127.0.0.1", one.port), timeout=PATIENCE) as s:
        peer, avp.flags = d.Connection(s, "fine.lab.test", "lab.test", [d.ZN]), avp.flags & ~d.M
        s.sendall(with_avp(cer(avp), 264, d.text(264, "fine.lab.test")).encode() + bir(peer).encode())
        assert d.Message.decode(peer.read_message()).result() == (0, 2001)
        assert d.Message.decode(peer.read_message()).result() == (0, 2001)


ON_THE_CONNECTION = {
    "empty User-Name (open5gs#4675)": (lambda m: m.avps.append(d.text(1, "")), 2001),
    "long AVP (open5gs#3155)": (lambda m: with_avp(m, 401, d.tgpp(401, b"x" * 60000)), 5014),
    "unknown enumerated value (open5gs#4309)": (lambda m: m.avps.append(d.tgpp(407, 99)), 2001),
    "time of one octet": (lambda m: m.avps.append(d.Avp(55, b"\1")), 2001),
    "1,000 groups in each other": (lambda m: m.avps.append(d.Avp(284, b"".join(
        struct.pack("!II", 284, 0x40 << 24 | 8 * (1000 - n)) for n in range(1000)))), None),
    "64 Origin-Hosts": (lambda m: m.avps.extend([d.text(264, "naf.lab.test")] * 63), 5009),
    "1,000 Proxy-Infos": (lambda m: m.avps.extend([d.Avp(284, [d.text(280, "p.q"), d.text(33, "s")])] * 1000), 2001),
    "Proxy-Info with something unknown": (lambda m: m.avps.append(
        d.Avp(284, [d.text(280, "p.q"), d.text(33, "s"), d.Avp(4711, b"x", m=False)])), 2001),
    "1,000 Route-Records": (lambda m: m.avps.extend([d.text(282, f"r{n}.test") for n in range(1000)]), 2001),
}


@pytest.mark.parametrize("case", ON_THE_CONNECTION)
def test_odd_requests(stack, connected, case):
    change, code = ON_THE_CONNECTION[case]
    message = bir(connected)
    change(message)
    answer = connected.request(message)
    assert answer is not None and (code is None or answer.result() == (0, code))
    if code == 2001:
        assert [a.value() for a in answer.find_all(284)] == [a.value() for a in message.find_all(284)]
    assert served(connected)


def test_unmatched_answers_are_ignored(stack, connected):
    """DWA nobody asked for (freeDiameter#15), BIA nobody asked for."""
    for code, app in ((280, 0), (310, d.ZN), (303, d.ZH)):
        connected.send_raw(d.Message(code, app, [d.result(2001), d.text(264, "naf.lab.test"), d.text(296, "lab.test")],
                                     0 if app == 0 else d.P, 99, 99).encode())
    assert served(connected)


def mutate(octets, random):
    out = bytearray(octets)
    for _ in range(random.randint(1, 6)):
        at = random.randrange(4, len(out))
        kind = random.random()
        if kind < 0.5:
            out[at] = random.choice((0, 1, 0x40, 0x7F, 0x80, 0xFF, random.randrange(256)))
        elif kind < 0.75:
            out[at:at] = bytes(random.randrange(256) for _ in range(4))
        elif len(out) > 60:
            del out[at:at + 4]
    out[1:4] = len(out).to_bytes(3, "big")
    return bytes(out)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_requests_end_nothing(daemon, seed):
    """500 requests with one to six mutations each (without the guard about one in 120 ends the daemon)."""
    random = randomness.Random(seed)
    one = daemon(STACK)
    peer = connect_again(one)
    for n in range(500):
        message = bir(peer, gsids=["1"], gba_u_aware=1)
        message.hbh, message.e2e = n + 1, n + 1
        try:
            peer.send_raw(mutate(message.encode(), random))
        except OSError:
            pass
        if peer.closed.wait(0.002):  # lengths that do not add up end the connection, rightly
            peer = connect_again(one)
        assert one.alive(), f"after {n + 1} messages"
    peer.close(abrupt=True)
    with connect_again(one) as peer:
        assert served_again(peer)
