# SPDX-License-Identifier: Apache-2.0
"""Clients that take their time: a time-out that is only idle time, and what else holds a connection; caps per source."""
import socket
import ssl
import threading
import time

import pytest

from httpnet import Server
from peers.waiting import PATIENCE, page, until

GOOD = b"GET /good HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
HEAD_MS = 800
IDLE_MS = 1500
NEVER_MS = 120000  # of the two, whichever a test is not about: what ends, ends by the other


def closes(sock):
    """The server closes, whatever it sends before: fails with a time-out when it does not."""
    sock.settimeout(PATIENCE)
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass


def drip(sock, octets, every, until_closed):
    """Send one octet at a time until the server closes; sets the event then."""
    sock.settimeout(every)
    try:
        for i in range(1000000):
            sock.send(octets[i:i + 1] or b"a")
            try:
                if sock.recv(65536) == b"":
                    break
            except (socket.timeout, TimeoutError):
                pass
    except OSError:
        pass
    until_closed.set()


def is_served(server, octets=GOOD, **more):
    """A good client is. One that the machine kept from sending in time is cut off as others are: it comes again."""
    def served():
        try:
            return server.talk(octets, **more).statuses == [200]
        except OSError:  # of TLS, at the handshake
            return False
    return until(served)


@pytest.fixture(scope="module")
def server():
    with Server(threads=2, head_ms=HEAD_MS, idle_ms=NEVER_MS, connections=60, per_source=100) as one:
        yield one


# What is sent at once, then what drips.
DRIPS = [("nothing first", b"", b"GET /x HTTP/1.1\r\nHost: h\r\nX: "), ("request line first", b"GET /x HTTP/1.1\r\n", b"Host: h\r\nX: "),
         ("head first, body drips", b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n", b""),
         ("empty lines", b"", b"\r\n" * 5000)]


@pytest.mark.parametrize("name,first,rest", DRIPS, ids=[row[0] for row in DRIPS])
def test_a_dripping_request_ends_at_its_deadline(server, name, first, rest):
    start, done = time.monotonic(), threading.Event()
    with server.connect() as sock:
        if first:
            sock.sendall(first)
        threading.Thread(target=drip, args=(sock, rest, 0.05, done), daemon=True).start()
        assert done.wait(PATIENCE), "still open"
        assert time.monotonic() - start > HEAD_MS / 1000 * 0.9


def test_a_connection_that_says_nothing_ends(server):
    start = time.monotonic()
    with server.connect() as sock:
        closes(sock)
        assert time.monotonic() - start > HEAD_MS / 1000 * 0.9


def test_an_idle_connection_ends_after_its_own_time():
    with Server(head_ms=NEVER_MS, idle_ms=IDLE_MS) as server:
        start = time.monotonic()
        with server.connect() as sock:
            sock.sendall(GOOD.replace(b"Connection: close\r\n", b""))
            closes(sock)
            assert time.monotonic() - start > IDLE_MS / 1000 * 0.9


def test_the_second_head_has_a_deadline_of_its_own(server):
    """Half a second of idling counts against nothing; then the line comes and the rest drips."""
    def served():
        sock = server.connect()
        try:
            sock.sendall(GOOD.replace(b"Connection: close\r\n", b""))
            if sock.recv(65536).startswith(b"HTTP/1.1 200 "):
                return sock
        except OSError:
            pass
        return sock.close()

    with until(served) as sock:
        time.sleep(0.5)
        start, done = time.monotonic(), threading.Event()
        sock.sendall(b"GET /x HTTP/1.1\r\n")
        threading.Thread(target=drip, args=(sock, b"X: ", 0.05, done), daemon=True).start()
        assert done.wait(PATIENCE)
        assert time.monotonic() - start > HEAD_MS / 1000 * 0.9


def test_a_client_that_takes_no_answer_ends():
    """Answers larger than the socket's buffers, never read."""
    with Server(head_ms=5000, max_body=8000000, metrics="127.0.0.1:0") as server, server.connect() as sock:
        body = b"x" * 8000000
        sock.sendall(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n" + body)
        assert is_served(server)
        alone = "gba_http_connections 1"  # the one that asks
        assert until(lambda: alone in page("http://127.0.0.1:%d/metrics" % server.pages)[1].splitlines())
        assert is_served(server)
        received = 0
        try:
            while True:
                got = sock.recv(1 << 20)
                if not got:
                    break
                received += len(got)
        except OSError:
            pass
        assert received < len(body)


def test_a_slow_handler_is_not_the_clients_fault(server):
    assert is_served(server, b"GET /later?2500 HTTP/1.1\r\nHost: h\r\n\r\n", count=1)


def test_good_clients_are_served_beside_60_dripping_ones(server):
    """The server has room for 60 connections and 60 drip: it must be free again after each deadline (was: dead for 40 s)."""
    done = [threading.Event() for _ in range(60)]
    socks = [server.connect() for _ in range(60)]
    for sock, event in zip(socks, done):
        threading.Thread(target=drip, args=(sock, b"GET /x HTTP/1.1\r\nX: ", 0.3, event), daemon=True).start()
    assert is_served(server)
    assert all(event.wait(PATIENCE) for event in done)
    for _ in range(20):
        assert is_served(server)
    for sock in socks:
        sock.close()


def test_one_source_cannot_take_all_connections():
    """127.0.0.1 has its four; 127.0.0.2 is served at once."""
    with Server(per_source=4, connections=60, head_ms=NEVER_MS) as server:
        held = [server.connect() for _ in range(4)]
        for sock in held:
            sock.sendall(GOOD.replace(b"Connection: close\r\n", b""))
            assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
            sock.sendall(b"GET /")
        with server.connect() as fifth:
            closes(fifth)
        other = socket.create_connection(("127.0.0.1", server.port), PATIENCE, ("127.0.0.2", 0))
        other.sendall(GOOD)
        assert other.recv(4096).startswith(b"HTTP/1.1 200 ")
        other.close()
        for sock in held:
            sock.close()
        assert until(lambda: server.talk(GOOD).statuses == [200])


HANDSHAKES = [("silence", b""), ("half a record header", b"\x16\x03\x01"), ("a record cut short", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
              ("HTTP to the TLS port", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")]


@pytest.mark.parametrize("name,octets", HANDSHAKES, ids=[row[0] for row in HANDSHAKES])
def test_half_a_handshake_ends(pki, trust, name, octets):
    with Server(head_ms=HEAD_MS, idle_ms=NEVER_MS, cert=pki["server"] + ".pem", key=pki["server"] + ".key") as server, \
            server.connect() as sock:
        sock.sendall(octets)
        closes(sock)
        assert is_served(server, tls=trust)


def test_good_clients_are_served_beside_60_half_handshakes(pki, trust):
    with Server(threads=2, head_ms=HEAD_MS, idle_ms=NEVER_MS, connections=60, per_source=100, cert=pki["server"] + ".pem",
                key=pki["server"] + ".key") as server:
        socks = [server.connect() for _ in range(60)]
        for sock in socks:
            sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert is_served(server, tls=trust)
        for sock in socks:
            sock.close()


def test_a_handshake_in_single_octets_ends_at_the_deadline(pki, trust):
    """Forward a real handshake octet by octet."""
    with Server(head_ms=HEAD_MS, idle_ms=NEVER_MS, cert=pki["server"] + ".pem", key=pki["server"] + ".key") as server, \
            server.connect() as sock:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = trust.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            session.do_handshake()
        done = threading.Event()
        threading.Thread(target=drip, args=(sock, outgoing.read(), 0.05, done), daemon=True).start()
        assert done.wait(PATIENCE)
