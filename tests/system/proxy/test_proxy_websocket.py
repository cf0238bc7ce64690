# SPDX-License-Identifier: Apache-2.0
"""WebSocket (RFC 6455) through the proxy: a server and a client of the handshake and the frames in plain Python; other things that HTTP
applications rely on: names, trailers, streaming both ways at once, health. REQ: Y3056-9.5-5"""
import base64
import hashlib
import itertools
import os
import struct
import threading

import pytest

from peers.waiting import until
from proxy_harness import HOST, NAF, NAF2, Application, Client, Digest, free_port, header, page, q, read_head, tls_client, ua_id
from test_proxy_revoked import Device

numbers = itertools.count(60000)
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


def frame(opcode, payload, mask, fin=True):
    n = len(payload)
    size = bytes([n | mask << 7]) if n < 126 else bytes([126 | mask << 7]) + struct.pack(">H", n) if n < 65536 else bytes([127 | mask << 7]) + struct.pack(">Q", n)
    key = os.urandom(4) if mask else b""
    return bytes([opcode | fin << 7]) + size + key + (bytes(o ^ key[i % 4] for i, o in enumerate(payload)) if mask else payload)


def read_frame(stream):
    """(opcode, payload, masked); None at the end."""
    two = stream.read(2)
    if len(two) < 2:
        return None
    n = two[1] & 127
    n = struct.unpack(">H", stream.read(2))[0] if n == 126 else struct.unpack(">Q", stream.read(8))[0] if n == 127 else n
    key = stream.read(4) if two[1] & 128 else b"\0" * 4
    payload = stream.read(n)
    return two[0] & 15, bytes(o ^ key[i % 4] for i, o in enumerate(payload)), bool(two[1] & 128)


class Echo:
    """A WebSocket server: answers each message with it in upper case, pings at the start, and closes as it is asked to."""

    def __init__(self, app):
        self.heads, self.pongs, self.masked, self.closed = [], [], [], threading.Event()
        app.on_connection = self.serve

    def serve(self, sock):
        stream = sock.makefile("rb")
        head = read_head(stream)
        self.heads.append(head)
        key = header(head, "sec-websocket-key")[0]
        sock.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                      "Sec-WebSocket-Protocol: chat\r\n\r\n" % accept_of(key)).encode() + frame(PING, b"are you there", False))
        while True:
            got = read_frame(stream)
            if got is None:
                break
            opcode, payload, masked = got
            self.masked.append(masked)
            if opcode == PONG:
                self.pongs.append(payload)
            elif opcode == CLOSE:
                sock.sendall(frame(CLOSE, payload, False))
                break
            else:
                sock.sendall(frame(opcode, payload.upper(), False))
        sock.close()
        self.closed.set()


def upgrade(digest, key, host=NAF, path="/chat"):
    return ("GET %s HTTP/1.1\r\nHost: %s\r\n%sConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
            "Sec-WebSocket-Protocol: chat\r\nX-3GPP-Asserted-Identity: forged\r\n\r\n" % (path, host, digest.header("GET", path) + "\r\n" if digest else "", key)).encode()


def talk(write, stream, key):
    head = read_head(stream)
    assert head.startswith(b"HTTP/1.1 101 ") and header(head, "sec-websocket-accept") == [accept_of(key)]
    assert [value.lower() for value in header(head, "upgrade") + header(head, "connection")] == ["websocket", "upgrade"]
    assert header(head, "sec-websocket-protocol") == ["chat"]
    assert read_frame(stream) == (PING, b"are you there", False)
    write(frame(PONG, b"are you there", True))
    for opcode, payload in ((TEXT, b"hello"), (BINARY, b"x" * 300), (BINARY, b"y" * 200000), (TEXT, b"")):
        write(frame(opcode, payload, True))
        assert read_frame(stream) == (opcode, payload.upper(), False)
    write(frame(CLOSE, struct.pack(">H", 1000), True))
    assert read_frame(stream) == (CLOSE, struct.pack(">H", 1000), False)


@pytest.fixture(scope="module")
def proxy(world):
    return world.proxy([world.site(upgrade="true")], workers=1)


@pytest.fixture
def digest(world):
    return Digest(*world.agent.add(next(numbers)))


def test_frames_both_ways_and_the_close(world, proxy, digest):
    echo, key = Echo(world.app), base64.b64encode(os.urandom(16)).decode()
    with Client(proxy.http) as client:
        digest.take(client.ask())
        client.send(upgrade(digest, key))
        talk(client.send, client.stream, key)
        assert client.ended()
    assert echo.closed.wait(30) and echo.pongs == [b"are you there"] and all(echo.masked)
    assert header(echo.heads[0], "x-3gpp-asserted-identity") == ['"%s"' % digest.btid] and b"forged" not in echo.heads[0]
    assert header(echo.heads[0], "sec-websocket-key") == [key]


def test_the_same_over_psk_tls(world, proxy):
    echo, key = Echo(world.app), base64.b64encode(os.urandom(16)).decode()
    btid, psk = world.agent.add(next(numbers), NAF, ua_id(0x00a8))
    with Device(proxy, btid, psk) as device:
        device.send(upgrade(None, key))
        talk(device.send, device.process.stdout, key)
        assert device.ended()
    assert echo.closed.wait(30)


def test_a_device_that_goes_away_is_seen_by_the_application(world, proxy, digest):
    echo, key = Echo(world.app), base64.b64encode(os.urandom(16)).decode()
    with Client(proxy.http) as client:
        digest.take(client.ask())
        client.send(upgrade(digest, key))
        assert read_head(client.stream).startswith(b"HTTP/1.1 101 ")
    assert echo.closed.wait(30)


@pytest.mark.parametrize("refusal", [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 2\r\n\r\nno",
                                     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"])
def test_an_application_that_refuses(world, proxy, digest, refusal):
    """Its answer goes to the device, and the connection is for requests as before."""
    world.app.answer = lambda head, body: refusal
    with Client(proxy.http) as client:
        digest.take(client.ask())
        client.send(upgrade(digest, "AAAAAAAAAAAAAAAAAAAAAA=="))
        reply = client.reply()
        assert reply.status == int(refusal[9:12])
        world.app.answer = None
        assert client.ask(headers=[digest.header()]).status == 200
    assert header(world.app.requests[0][0], "upgrade") == ["websocket"]


def test_an_answer_101_nobody_asked_for_is_502(world, proxy, digest):
    world.app.answer = lambda head, body: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask(headers=[digest.header()]).status == 502


def test_unproved_upgrades_do_not_reach_the_application(world, proxy):
    with Client(proxy.http) as client:
        client.send(upgrade(None, "AAAAAAAAAAAAAAAAAAAAAA=="))
        assert client.reply().status == 401
    assert world.app.requests == []


# ---- HTTP

def test_several_applications_by_name(world):
    other = Application()
    other.answer = lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"
    cert, key = world.authority.issue(NAF2)
    proxy = world.proxy([world.site(), world.site(NAF2, certificate=q(cert), private_key=q(key), upstream=q("%s:%d" % (HOST, other.port)))], workers=1)
    try:
        with Client(proxy.http) as client:  # one connection, two names
            for name, want in ((NAF, b"path /\n"), (NAF2, b"other"), (NAF, b"path /\n")):
                digest = Digest(*world.agent.add(next(numbers), name)).take(client.ask(host=name))
                reply = client.ask(headers=[digest.header()], host=name)
                assert reply.status == 200 and reply.body == want
            assert client.ask(host="naf3.example.com").status == 421
        for name, serves in ((NAF, True), (NAF2, False)):  # in TLS the server name is the one
            with Client(proxy.tls, tls_client(world.ca), name) as client:
                assert client.ask(host=NAF).status == (401 if serves else 421)
    finally:
        other.close()


def test_both_directions_stream_at_once(world, proxy, digest):
    """Each piece of the body is answered before the next one is sent: nothing is held on the way."""
    def serve(sock):
        stream = sock.makefile("rb")
        read_head(stream)
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            size = int(stream.readline(), 16)
            piece = stream.read(size)
            stream.readline()
            if size == 0:
                sock.sendall(b"0\r\nX-Checksum: forged\r\n\r\n")
                return
            sock.sendall(b"%x\r\n%s\r\n" % (size, piece.upper()))
    world.app.on_connection = serve
    with Client(proxy.http) as client:
        digest.take(client.ask())
        client.send(("POST / HTTP/1.1\r\nHost: %s\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n" % (NAF, digest.header("POST", "/"))).encode())
        assert read_head(client.stream).startswith(b"HTTP/1.1 200 ") and client.stream.readline() == b"5\r\n" and client.stream.read(7) == b"FIRST\r\n"
        for _ in range(20):
            client.send(b"4\r\nnext\r\n")
            assert client.stream.readline() == b"4\r\n" and client.stream.read(6) == b"NEXT\r\n"
        client.send(b"0\r\n\r\n")
        assert client.stream.readline() == b"0\r\n"
        assert client.stream.readline() == b"\r\n"  # trailers end here


def with_trailers(*lines):
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n\r\n5\r\nhello\r\n0\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


@pytest.mark.parametrize("te,passes", [("trailers", True), ("gzip;q=0.5, trailers", True), ("deflate", False), (None, False)])
def test_trailers_go_to_a_device_that_takes_them(world, proxy, digest, te, passes):
    """RFC 9110 6.5.1: and none that frames, routes, authenticates or speaks for the proxy."""
    refused = [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Transfer_Encoding: chunked", b"Set-Cookie: a=b", b"Authentication-Info: x", b"WWW-Authenticate: Basic",
               b"X-3GPP-Asserted-Identity: x", b"X_3GPP_Asserted_Identity: x", b"X-GBA-Token-Control: renew", b"Location: /", b"Connection: close"]
    world.app.answer = lambda head, body: with_trailers(b"X-Checksum: 1", *refused, b"Server-Timing: a;dur=1")
    with Client(proxy.http) as client:
        digest.take(client.ask())
        client.send(("GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n%s\r\n" % (NAF, digest.header(), "Connection: TE\r\nTE: %s\r\n" % te if te else "")).encode())
        assert read_head(client.stream).startswith(b"HTTP/1.1 200 ")
        assert client.stream.readline() + client.stream.read(7) + client.stream.readline() == b"5\r\nhello\r\n0\r\n"
        end = b"".join(iter(client.stream.readline, b"\r\n"))
        assert end == (b"X-Checksum: 1\r\nServer-Timing: a;dur=1\r\n" if passes else b"")
        world.app.answer = None
        assert client.ask(headers=[digest.header()]).status == 200  # and the connection goes on
    head = world.app.requests[0][0]
    assert (header(head, "te"), header(head, "connection")) == ((["trailers"], ["TE"]) if passes else ([], []))


def test_trailers_octet_by_octet(world, proxy, digest):
    def serve(sock):
        read_head(sock.makefile("rb"))
        for octet in with_trailers(b"X-Checksum: 1", b"Set-Cookie: a=b"):
            sock.sendall(bytes([octet]))
        sock.recv(1)
    world.app.on_connection = serve
    with Client(proxy.http) as client:
        digest.take(client.ask())
        client.send(("GET / HTTP/1.1\r\nHost: %s\r\n%s\r\nTE: trailers\r\nConnection: TE\r\n\r\n" % (NAF, digest.header())).encode())
        assert read_head(client.stream).startswith(b"HTTP/1.1 200 ")
        body = b""
        while not body.endswith(b"\r\n0\r\n"):
            body += client.stream.read(1)
        assert read_head(client.stream) == b"X-Checksum: 1\r\n\r\n"


def test_health(world):
    """An application that does not answer its health check is not waited for; it is back when it answers."""
    state = {"status": b"200 OK"}

    def answer(head, body):
        if head.startswith(b"GET /healthz "):
            assert header(head, "host") == [NAF] and header(head, "x-3gpp-asserted-identity") == []
            return b"HTTP/1.1 " + state["status"] + b"\r\nContent-Length: 0\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    world.app.answer = answer
    metrics = free_port()
    proxy = world.proxy([world.site(health_path=q("/healthz"))], health_interval=1, health_timeout=5000, workers=1, metrics=q("%s:%d" % (HOST, metrics)))
    up = 'gba_naf_proxy_application_up{site="%s"}' % NAF
    digest = Digest(*world.agent.add(next(numbers)))

    def status():
        with Client(proxy.http) as client:
            digest.take(client.ask())
            return client.ask(headers=[digest.header()]).status

    def ready():
        return page("http://%s:%d/readyz" % (HOST, metrics))[0]
    assert until(lambda: proxy.metric(up) == 1) and status() == 200 and ready() == 200
    for ill in (b"500 Internal Server Error", b"nonsense"):
        state["status"] = ill
        assert until(lambda: status() == 503) and proxy.metric(up) == 0 and ready() == 503
        state["status"] = b"204 No Content"
        assert until(lambda: status() == 200) and proxy.metric(up) == 1 and ready() == 200
    assert "does not answer" in proxy.log() or "not well" in proxy.log()
    assert "answers again" in proxy.log()


def test_health_of_an_application_that_is_not_there(world):
    """It is that site alone that is answered so."""
    cert, key = world.authority.issue(NAF2)
    proxy = world.proxy([world.site(), world.site(NAF2, certificate=q(cert), private_key=q(key), upstream=q("%s:%d" % (HOST, free_port())), health_path=q("/"))],
                        health_interval=1, workers=1)
    digests = {name: Digest(*world.agent.add(next(numbers), name)) for name in (NAF, NAF2)}

    def status(name):
        with Client(proxy.http) as client:
            digests[name].take(client.ask(host=name))
            return client.ask(headers=[digests[name].header()], host=name).status
    assert until(lambda: status(NAF2) == 503)
    assert status(NAF) == 200
