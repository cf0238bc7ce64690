# SPDX-License-Identifier: Apache-2.0
"""The reverse proxy in between: framing that nobody may read differently, identity headers, streaming, time and space limits."""
import itertools
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from peers.waiting import PATIENCE, metrics_have, until
from proxy_harness import (HOST, NAF, PROXY, Client, Digest, free_port, header, port_open, q, read_head, read_body, s_client,
                           tls_client, ua_id)

numbers = itertools.count(5000)
MIB = 1 << 20


def head(digest, method="GET", path="/", *lines, version="1.1", host=NAF):
    return "\r\n".join(["%s %s HTTP/%s" % (method, path, version), "Host: " + host, digest.header(method, path)]
                       + list(lines) + ["", ""]).encode("latin-1")


# ---- requests that two readers could frame differently: nothing of them reaches the application

def smuggling():
    """(name, octets after request line, Host and a good Authorization). Each also carries a second request behind it."""
    yield "CL and TE", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    yield "TE and CL", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"
    yield "CL twice", "Content-Length: 0\r\nContent-Length: 44\r\n\r\n"
    yield "CL twice equal", "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"
    yield "CL list", "Content-Length: 0, 0\r\n\r\n"
    yield "CL plus", "Content-Length: +0\r\n\r\n"
    yield "CL blank before colon", "Content-Length : 0\r\n\r\n"
    yield "CL folded", "Content-Length:\r\n 0\r\n\r\n"
    yield "CL underflow", "Content-Length: -1\r\n\r\n"
    yield "CL overflow", "Content-Length: 18446744073709551616\r\n\r\n"
    yield "TE xchunked", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
    yield "TE chunked, identity", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"
    yield "TE identity, chunked", "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n"
    yield "TE twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    yield "TE with vertical tab", "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"
    yield "TE with NUL", "Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n"
    yield "TE folded", "Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n"
    yield "TE blank before colon", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"
    yield "TE bare LF", "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    yield "TE bare CR", "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    yield "Host twice", "Host: naf1.example.com\r\n\r\n"
    yield "Host twice unlike", "Host: evil.example\r\n\r\n"
    yield "Authorization twice", "Authorization: Digest username=\"x\"\r\n\r\n"
    yield "header without name", ": x\r\n\r\n"
    yield "header without colon", "Transfer-Encoding\r\n\r\n"
    yield "blank in name", "X Y: z\r\n\r\n"
    yield "NUL in value", "X: a\0b\r\n\r\n"
    yield "LF ends the head", "X: y\r\n\n"
    yield "control octet", "X: \x01\r\n\r\n"


@pytest.mark.parametrize("name,rest", list(smuggling()), ids=[s[0] for s in smuggling()])
def test_ambiguous_requests_go_nowhere(world, client, digest, name, rest):
    first = ("POST / HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (NAF, digest.header("POST", "/"))).encode() + rest.encode("latin-1")
    client.send(first + head(digest, "GET", "/smuggled"))
    reply = client.reply()
    assert reply is not None and reply.status in (400, 501), reply and reply.head
    assert reply.get("connection") == "close"
    assert client.ended()
    assert world.app.requests == []


def hostile_lines():
    yield "CONNECT", "CONNECT naf1.example.com:443 HTTP/1.1", 400
    yield "TRACE", "TRACE / HTTP/1.1", 405
    yield "absolute form of another host", "GET http://evil.example/ HTTP/1.1", 400
    yield "HTTP/2", "GET / HTTP/2.0", 505
    yield "HTTP/0.9", "GET /", 400
    yield "long target", "GET /" + "a" * 9000 + " HTTP/1.1", 414
    yield "percent NUL", "GET /%00 HTTP/1.1", 400
    yield "two blanks", "GET  / HTTP/1.1", 400


@pytest.mark.parametrize("name,line,status", list(hostile_lines()), ids=[h[0] for h in hostile_lines()])
def test_hostile_request_lines(world, client, name, line, status):
    client.send(line.encode() + b"\r\nHost: naf1.example.com\r\n\r\n")
    reply = client.reply()
    assert reply.status == status and client.ended() and world.app.requests == []


def test_head_too_long(world, client):
    client.send(b"GET / HTTP/1.1\r\nHost: naf1.example.com\r\nX: " + b"a" * 40000)
    assert client.reply().status == 431 and world.app.requests == []


def chunk_faults():
    yield "sign", b"+5\r\nhello\r\n0\r\n\r\n"
    yield "0x", b"0x5\r\nhello\r\n0\r\n\r\n"
    yield "blank", b"5 \r\nhello\r\n0\r\n\r\n"
    yield "LF", b"5\nhello\n0\n\n"
    yield "too short", b"6\r\nhello\r\n0\r\n\r\n"
    yield "overflow", b"10000000000000005\r\nhello\r\n0\r\n\r\n"
    yield "no terminator", b"5\r\nhelloX0\r\n\r\n"
    yield "bad trailer", b"5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("name,body", list(chunk_faults()), ids=[c[0] for c in chunk_faults()])
def test_malformed_chunks_never_complete(world, client, digest, name, body):
    client.send(head(digest, "POST", "/", "Transfer-Encoding: chunked") + body + head(digest, "GET", "/smuggled"))
    reply = client.reply()
    assert reply is None or reply.status == 400
    world.app.drop()  # what it has of a request is read by then
    assert world.app.requests == []


def test_pipelined_requests_are_counted_alike(world, client, digest):
    requests = [head(digest, "POST", "/1", "Content-Length: 5") + b"GET /", head(digest, "GET", "/2"),
                head(digest, "POST", "/3", "Transfer-Encoding: chunked") + b"5;x=y\r\nGET /\r\n0\r\nX: y\r\n\r\n",
                head(digest, "GET", "/4", "Connection: close")]
    client.send(b"".join(requests))
    assert [client.reply().body for _ in requests] == [b"path /1\n", b"path /2\n", b"path /3\n", b"path /4\n"]
    assert client.ended()
    assert [h.split(b" ")[1] for h, _ in world.app.requests] == [b"/1", b"/2", b"/3", b"/4"]
    assert [b for _, b in world.app.requests] == [b"GET /", b"", b"GET /", b""]
    assert not any(header(h, "x") for h, _ in world.app.requests), "trailers are dropped"


def test_octet_by_octet(world, client, digest):
    for octet in head(digest, "POST", "/slow", "Content-Length: 3") + b"abc":
        client.send(bytes([octet]))
    assert client.reply().status == 200 and world.app.requests[0][1] == b"abc"


# ---- identities

IDENTITY_FORMS = ["X-3GPP-Asserted-Identity", "x-3gpp-asserted-identity", "X_3GPP_Asserted_Identity", "X-3GPP_Asserted-Identity",
                  "X.3GPP.Asserted.Identity"]


@pytest.mark.parametrize("name", IDENTITY_FORMS + ["X-3GPP-Authorization-Flags", "X-Forwarded-User", "X_Forwarded_User", "Forwarded",
                                                   "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "X-HTTP-Method-Override"])
def test_headers_of_the_proxy_do_not_pass_from_outside(world, client, digest, name):
    assert client.ask(headers=[digest.header(), name + ": \"root\"", name.upper() + ": \"root\""]).status == 200
    got = world.app.requests[0][0]
    assert b"root" not in got
    assert header(got, "x-3gpp-asserted-identity") == ['"%s"' % digest.btid]
    assert header(got, "x-forwarded-user") == [digest.btid]
    assert header(got, "x-forwarded-for") == [HOST] and header(got, "x-forwarded-proto") == ["http"]
    assert header(got, "x-forwarded-host") == [NAF]


def test_uids_of_the_settings_are_told(world, proxy):
    digest = Digest(*world.agent.add(next(numbers), impi="001@ims.example", uss={1000001: (["sip:a@b", "tel:+1"], [3])}))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        client.ask(headers=[digest.header(), 'X-3GPP-Intended-Identity: "tel:+1"'])
        refused = client.ask(headers=[digest.header(), 'X-3GPP-Intended-Identity: "tel:+2"'])
    got = world.app.requests[0][0]
    assert header(got, "x-3gpp-asserted-identity") == ['"sip:a@b", "tel:+1"']
    assert header(got, "x-forwarded-user") == ["sip:a@b"]
    assert header(got, "x-3gpp-intended-identity") == ['"tel:+1"']
    assert header(got, "x-3gpp-authorization-flags") == []
    assert refused.status == 403 and len(world.app.requests) == 1


@pytest.mark.parametrize("policy,impi,uss,told", [
    ("uids", "i@x", {1000001: (["u"], [])}, '"u"'), ("uids", "i@x", {}, None), ("uids-impi", "i@x", {}, '"i@x"'),
    ("uids-btid", "i@x", {}, "BTID"), ("uids-impi", None, {}, None), ("uids-impi-btid", None, {}, "BTID"), ("btid", "i@x", {1000001: (["u"], [])}, "BTID"),
    ("impi", "i@x", {1000001: (["u"], [])}, '"i@x"'), ("impi", None, {1000001: (["u"], [])}, None),
    ("uids", None, {1000001: (["bad\"quote"], [])}, None)])
def test_identity_policies(world, policy, impi, uss, told):
    proxy = world.proxy([world.site(identity=q(policy), flags_header="true")])
    digest = Digest(*world.agent.add(next(numbers), impi=impi, uss=uss))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        reply = client.ask(headers=[digest.header()])
    if told is None:
        assert reply.status == 403 and world.app.requests == []
    else:
        assert header(world.app.requests[0][0], "x-3gpp-asserted-identity") == [told.replace("BTID", '"%s"' % digest.btid)]


def test_flags_and_dropped_intention(world):
    proxy = world.proxy([world.site(flags_header="true", intended_identity=q("drop"))])
    digest = Digest(*world.agent.add(next(numbers), uss={1000001: (["u"], [1, 4])}))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask(headers=[digest.header(), 'X-3GPP-Intended-Identity: "other"']).status == 200
        assert client.ask(headers=[digest.header(), 'X-3GPP-Intended-Identity: "u"']).status == 200
    assert header(world.app.requests[0][0], "x-3gpp-authorization-flags") == ['"1", "4"']
    assert header(world.app.requests[0][0], "x-3gpp-intended-identity") == []
    assert header(world.app.requests[1][0], "x-3gpp-intended-identity") == ['"u"']


# ---- answers of the application

def answering(octets):
    return lambda head, body: octets


def test_response_framings(world, client, digest):
    def ask(answer, method="GET", to_head=False):
        world.app.answer = answering(answer)
        client.send(head(digest, method, "/"))
        return client.reply(to_head=to_head)

    reply = ask(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: x\r\n\r\n")
    assert reply.body == b"abcde" and reply.get("t") is None
    assert ask(b"HTTP/1.1 204 No Content\r\n\r\n").status == 204
    assert ask(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n").status == 304
    assert ask(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", True).get("content-length") == "5"
    assert ask(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").body == b"ok"
    assert ask(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok").body == b"ok"
    assert ask(b"HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 2\r\n\r\nok").get("content-length") == "2"
    assert ask(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno").get("authentication-info") is None


def test_a_body_where_none_can_be_is_nobodys_next_answer(world, client, digest):
    """RFC 9110 8.6: an answer 204 has no Content-Length. What an application sends behind one that has goes to nobody."""
    world.app.answer = answering(b"HTTP/1.1 204 No Content\r\nContent-Length: 38\r\n\r\n")
    client.send(head(digest))
    reply = client.reply()
    assert reply.status == 204 and reply.get("content-length") is None
    world.app.answer, made = None, world.app.connections
    assert client.ask(headers=[digest.header()]).body == b"path /\n" and world.app.connections == made + 1


def test_body_until_close_becomes_chunks(world, client, digest):
    def serve(sock):
        sock.makefile("rb").readline()
        sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100000)
        sock.close()
    world.app.on_connection = serve
    with Client(client.sock.getpeername()[1]) as other:
        reply = other.ask(headers=[digest.header()])
    assert reply.get("transfer-encoding") == "chunked" and reply.body == b"x" * 100000


def test_http10_device(world, client, digest):
    client.send(head(digest, "GET", "/", version="1.0"))
    assert client.reply().status == 200 and client.ended()


def test_http10_device_gets_no_chunks(world, client, digest):
    world.app.answer = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    client.send(head(digest, "GET", "/", "Connection: keep-alive", version="1.0"))
    reply = client.reply()
    assert reply.body == b"abc" and reply.get("transfer-encoding") is None and reply.get("connection") == "close"


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"",
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 40000])
def test_unusable_answers_are_502(world, client, digest, answer):
    world.app.answer = lambda h, b: None if answer == b"" else answer
    client.send(head(digest))
    assert client.reply().status == 502
    world.app.answer = None
    assert client.ask(headers=[digest.header()]).status == 200, "the device's connection is still good"


def test_cut_answer_is_seen_as_cut(world, client, digest):
    def serve(sock):
        read_head(sock.makefile("rb"))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        sock.close()
    world.app.on_connection = serve
    with Client(client.sock.getpeername()[1]) as other:
        other.send(head(digest))
        assert len(other.reply().body) < 100 and other.ended()


def test_expect_continue(world, client, digest):
    client.send(head(digest, "POST", "/", "Content-Length: 5", "Expect: 100-continue"))
    assert read_head(client.stream).startswith(b"HTTP/1.1 100 ")
    client.send(b"hello")
    assert client.reply().status == 200
    assert header(world.app.requests[0][0], "expect") == [] and world.app.requests[0][1] == b"hello"


def test_refused_request_with_expectation_ends_the_connection(world, client):
    client.send(b"POST / HTTP/1.1\r\nHost: naf1.example.com\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    reply = client.reply()
    assert reply.status == 401 and reply.get("connection") == "close" and client.ended()


def test_body_of_a_challenged_request_is_not_the_next_request(world, client, digest):
    body = head(digest, "GET", "/smuggled")
    client.send(b"POST / HTTP/1.1\r\nHost: naf1.example.com\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert client.reply().status == 401
    assert client.ask(headers=[digest.header()]).status == 200
    assert [h.split(b" ")[1] for h, _ in world.app.requests] == [b"/"]


def test_websocket(world):
    proxy = world.proxy([world.site(upgrade="true")])
    digest = Digest(*world.agent.add(next(numbers)))

    def serve(sock):
        got = read_head(sock.makefile("rb", buffering=0))
        world.app.requests.append((got, b""))
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
        while True:
            data = sock.recv(1000)
            if not data:
                break
            sock.sendall(data.upper())
        sock.close()
    world.app.on_connection = serve
    with Client(proxy.http) as client:
        digest.take(client.ask())
        client.send(head(digest, "GET", "/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x") + b"early")
        assert read_head(client.stream).startswith(b"HTTP/1.1 101 ")
        assert client.stream.read(10) == b"helloEARLY"
        client.send(b"more")
        assert client.stream.read(4) == b"MORE"
    assert header(world.app.requests[0][0], "upgrade") == ["websocket"]


@pytest.mark.parametrize("line,method", [("h2c", "GET"), ("websocket, h2c", "GET"), ("TLS/1.0", "GET"), ("websocket", "POST")])
def test_only_websocket_is_ever_switched_to(world, line, method):
    proxy = world.proxy([world.site(upgrade="true")])
    digest = Digest(*world.agent.add(next(numbers)))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        client.send(head(digest, method, "/", "Connection: Upgrade", "Upgrade: " + line))
        assert client.reply().status == 200
    assert header(world.app.requests[0][0], "upgrade") == []


def test_host_is_told_to_the_application_of_an_http10_device(world, proxy):
    digest = Digest(*world.agent.add(next(numbers), NAF, ua_id(0x1301)))
    with Client(proxy.tls, tls_client(world.ca, "1.3")) as client:
        if client.sock.cipher()[0] != "TLS_AES_128_GCM_SHA256":
            digest = Digest(*world.agent.add(next(numbers), NAF, ua_id(0x1303)))
        client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        digest.take(client.reply())
        client.send(("GET / HTTP/1.0\r\n%s\r\n\r\n" % digest.header()).encode())
        assert client.reply().status == 200
    assert header(world.app.requests[0][0], "host") == [NAF]


def test_upgrade_is_ignored_unless_configured(world, client, digest):
    client.send(head(digest, "GET", "/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA"))
    assert client.reply().status == 200
    got = world.app.requests[0][0]
    assert header(got, "upgrade") == header(got, "connection") == header(got, "http2-settings") == []


# ---- connections to the application

def test_connections_are_kept_and_shared(world, proxy):
    before = world.app.connections
    digest = Digest(*world.agent.add(next(numbers)))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        for _ in range(10):
            assert client.ask(headers=[digest.header()]).status == 200
    assert world.app.connections - before <= 1


def test_a_kept_connection_that_died_is_replaced(world, client, digest):
    def serve(sock):
        stream = sock.makefile("rb")
        world.app.requests.append((read_head(stream), b""))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if len(world.app.requests) % 2:
            time.sleep(0.2)  # the proxy has put it aside by now
        stream.readline()    # dies with the next request's first line
        sock.close()
    world.app.on_connection = serve
    with Client(client.sock.getpeername()[1]) as other:
        for _ in range(6):
            assert other.ask(headers=[digest.header()]).status == 200


def test_application_down_and_back(world):
    port = free_port()
    proxy = world.proxy([world.site(upstream=q("%s:%d" % (HOST, port)))])
    digest = Digest(*world.agent.add(next(numbers)))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask(headers=[digest.header()]).status == 502
        server = socket.create_server((HOST, port))
        threading.Thread(target=lambda: world.app.serve(server.accept()[0]), daemon=True).start()
        assert client.ask(headers=[digest.header()]).status == 200
        server.close()


def test_application_silent_is_504(world):
    proxy = world.proxy([world.site()], upstream_timeout=400)
    digest = Digest(*world.agent.add(next(numbers)))
    world.app.on_connection = lambda sock: sock.recv(1 << 20) and sock.recv(1)  # until the proxy gives up
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask(headers=[digest.header()]).status == 504


def test_unix_socket_application(world, tmp_path):
    path = str(tmp_path / "app.sock")
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(5)
    threading.Thread(target=lambda: world.app.serve(server.accept()[0]), daemon=True).start()
    proxy = world.proxy([world.site(upstream=q("unix:" + path))])
    digest = Digest(*world.agent.add(next(numbers)))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask(headers=[digest.header()]).status == 200
    server.close()


# ---- space

def test_100_mib_up_in_bounded_memory(world, proxy, digest):
    received = []

    def serve(sock):
        stream = sock.makefile("rb", buffering=MIB)
        count = []
        read_body(stream, read_head(stream), lambda piece: count.append(len(piece)))
        received.append(sum(count))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    world.app.on_connection = serve
    with Client(proxy.http, timeout=60) as client:
        digest.take(client.ask())
        before = proxy.rss()
        client.send(head(digest, "POST", "/", "Content-Length: %d" % (100 * MIB)))
        peak = 0
        for _ in range(100):
            client.send(b"x" * MIB)
            peak = max(peak, proxy.rss())
        assert client.reply().status == 200
    assert received == [100 * MIB]
    assert peak - before < 8 * MIB


def test_100_mib_down_to_a_slow_reader_in_bounded_memory(world, proxy, digest):
    def serve(sock):
        read_head(sock.makefile("rb"))
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            sock.sendall(b"100000\r\n" + b"y" * MIB + b"\r\n")
        sock.sendall(b"0\r\n\r\n")
    world.app.on_connection = serve
    with Client(proxy.http, timeout=60) as client:
        digest.take(client.ask())
        before = proxy.rss()
        client.send(head(digest))
        time.sleep(1)
        assert proxy.rss() - before < 8 * MIB, "what the device does not read stays with the application"
        reply = client.reply()
    assert len(reply.body) == 100 * MIB
    assert proxy.rss() - before < 8 * MIB


def test_auth_int_body_is_bounded(world):
    proxy = world.proxy([world.site(max_body_auth_int=16)])
    digest = Digest(*world.agent.add(next(numbers)), qop="auth-int")
    body = b"z" * (16 * 1024)
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask("POST", "/", [digest.header("POST", "/", body)], body).status == 200
        assert client.ask("POST", "/", [digest.header("POST", "/", body + b"z")], body + b"z").status == 413
    with Client(proxy.http) as client:
        lines = ["POST / HTTP/1.1", "Host: " + NAF, digest.header("POST", "/", body + b"z"), "Transfer-Encoding: chunked", "", ""]
        client.send("\r\n".join(lines).encode() + b"4001\r\n" + body + b"z\r\n0\r\n\r\n")
        assert client.reply().status == 413
    with Client(proxy.http) as client:
        lines = ["POST / HTTP/1.1", "Host: " + NAF, digest.header("POST", "/", b"abc"), "Transfer-Encoding: chunked", "", ""]
        client.send("\r\n".join(lines).encode() + b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")
        assert client.reply().status == 200
    assert [b for _, b in world.app.requests] == [body, b"abc"]


def test_max_body(world):
    proxy = world.proxy([world.site(max_body=1)])
    digest = Digest(*world.agent.add(next(numbers)))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask("POST", "/", [digest.header("POST", "/")], b"x" * MIB).status == 200
    with Client(proxy.http) as client:
        client.send(head(digest, "POST", "/", "Content-Length: %d" % (MIB + 1)))
        assert client.reply().status == 413
    with Client(proxy.http) as client:
        client.send(head(digest, "POST", "/", "Transfer-Encoding: chunked") + b"100001\r\n" + b"x" * (MIB + 1) + b"\r\n0\r\n\r\n")
        assert client.reply().status == 413
    assert len(world.app.requests) == 1


# ---- time

def test_slow_heads_are_cut_at_an_absolute_deadline(world):
    """60 sockets that drip an octet now and then end nevertheless; a good client is served meanwhile."""
    proxy = world.proxy([world.site()], head_timeout=1500)
    digest = Digest(*world.agent.add(next(numbers)))
    drips = [socket.create_connection((HOST, proxy.http)) for _ in range(60)]
    ended, beside = set(), 0

    def drip(sock):
        try:
            sock.send(b"G")
        except OSError:
            ended.add(sock)

    with Client(proxy.http) as good:
        digest.take(good.ask())

        def all_ended():
            nonlocal beside
            for sock in set(drips) - ended:
                drip(sock)
            assert good.ask(headers=[digest.header()]).status == 200
            beside += not ended
            return len(ended) == len(drips)

        assert until(all_ended, step=0.3)
    assert beside > 0, "served while all the others dripped"


def test_slow_head_gets_408(world):
    proxy = world.proxy([world.site()], head_timeout=300)
    with Client(proxy.http) as client:
        client.send(b"GET / HT")
        assert client.reply().status == 408 and client.ended()


def test_slow_tls_handshake_is_cut(world):
    proxy = world.proxy([world.site()], handshake_timeout=400)
    with socket.create_connection((HOST, proxy.tls)) as sock:
        sock.settimeout(PATIENCE)
        try:
            sock.send(b"\x16\x03\x01")
            assert sock.recv(100) == b""
        except ConnectionError:
            pass  # ended before it was sent


def test_idle_connection_is_closed_without_a_word(world):
    proxy = world.proxy([world.site()], idle_timeout=300)
    with Client(proxy.http) as client:
        assert client.ended()


def test_body_that_stalls_gets_408(world):
    proxy = world.proxy([world.site()], body_timeout=600)
    for qop in ("auth", "auth-int"):
        digest = Digest(*world.agent.add(next(numbers)), qop=qop)
        with Client(proxy.http) as client:
            digest.take(client.ask())
            client.send(head(digest, "POST", "/", "Content-Length: 5") + b"ab")
            assert client.reply().status == 408


def test_source_cap(world):
    proxy = world.proxy([world.site()], max_per_source=20)
    held = [Client(proxy.http, source="127.0.0.9") for _ in range(20)]
    assert [client.ask().status for client in held] == [401] * 20
    with Client(proxy.http, source="127.0.0.9") as client:
        assert client.ended(), "the 21st of one source is closed"
    with Client(proxy.http, source="127.0.0.8") as client:
        assert client.ask().status == 401, "another source is served"
    for client in held:
        client.close()

    def served():
        try:
            with Client(proxy.http, source="127.0.0.9") as client:
                reply = client.ask()
                return reply is not None and reply.status == 401
        except OSError:
            return False

    assert until(served)


# ---- a load balancer in front

def px(source, port=4711, extra=b""):
    body = socket.inet_aton(source) + socket.inet_aton("198.51.100.1") + port.to_bytes(2, "big") + b"\x01\xbb" + extra
    return bytes.fromhex("0d0a0d0a000d0a515549540a2111") + len(body).to_bytes(2, "big") + body


def test_proxy_header_from_a_load_balancer(world):
    proxy = world.proxy([world.site()], listener_extra="proxy-protocol = true;")
    digest = Digest(*world.agent.add(next(numbers)))
    with Client(proxy.http) as client:
        for octet in px("192.0.2.77"):
            client.send(bytes([octet]))
        digest.take(client.ask())
        assert client.ask(headers=[digest.header()]).status == 200
    assert header(world.app.requests[0][0], "x-forwarded-for") == ["192.0.2.77"]
    assert world.agent.sources == ["192.0.2.77"]
    raw = socket.create_connection((HOST, proxy.tls))
    raw.sendall(px("192.0.2.78"))
    tls = tls_client(world.ca).wrap_socket(raw, server_hostname=NAF)
    tls.sendall(b"GET / HTTP/1.1\r\nHost: naf1.example.com\r\n\r\n")
    assert tls.recv(100).startswith(b"HTTP/1.1 401")
    tls.close()
    for start in (b"GET / HTTP/1.1\r\nHost: naf1.example.com\r\n\r\n", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", px("192.0.2.1")[:-1] + b""):
        with Client(proxy.http) as client:
            client.send(start)
            client.sock.shutdown(socket.SHUT_WR)
            assert client.ended()


def test_psk_behind_a_load_balancer(world):
    """The agent's limits must count the device, not the load balancer."""
    proxy = world.proxy([world.psk_site(NAF)], listener_extra="proxy-protocol = true;")
    balancer = socket.create_server((HOST, 0))

    def relay():
        device, _ = balancer.accept()
        inner = socket.create_connection((HOST, proxy.tls))
        inner.sendall(px("192.0.2.79"))

        def pump(a, b):
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        threading.Thread(target=pump, args=(inner, device), daemon=True).start()
        pump(device, inner)
    threading.Thread(target=relay, daemon=True).start()
    btid, key = world.agent.add(next(numbers), NAF, ua_id(0x00a8))
    out, err = s_client(balancer.getsockname()[1], "3GPP-bootstrapping;" + btid, key,
                        b"GET / HTTP/1.1\r\nHost: naf1.example.com\r\nConnection: close\r\n\r\n")
    assert b"200 OK" in out, err
    assert world.agent.sources == ["192.0.2.79"]
    assert header(world.app.requests[0][0], "x-forwarded-for") == ["192.0.2.79"]
    balancer.close()


# ---- the daemon

def test_graceful_stop_finishes_what_is_begun(world):
    proxy = world.proxy([world.site()], drain_timeout=120)
    digest = Digest(*world.agent.add(next(numbers)))
    begun, go = threading.Event(), threading.Event()

    def serve(sock):
        read_head(sock.makefile("rb"))
        begun.set()
        go.wait()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
    with Client(proxy.http) as client, Client(proxy.http) as idle:
        digest.take(client.ask())
        assert idle.ask().status == 401
        world.app.on_connection = serve
        client.send(head(digest))
        assert begun.wait(PATIENCE)
        proxy.process.signal(signal.SIGTERM)
        assert until(lambda: not port_open(HOST, proxy.http)), "no new connections"
        assert idle.ended()
        assert proxy.process.alive()
        go.set()
        reply = client.reply()
        assert reply.body == b"done" and reply.get("connection") == "close"
    assert ends_well(proxy)


def ends_well(proxy):
    assert until(lambda: not proxy.process.alive()), "still there\n" + proxy.log()[-2000:]
    assert proxy.process.exit_code() == 0, "status %d\n%s" % (proxy.process.exit_code(), proxy.log()[-2000:])
    return True


def waiting_handshakes(world, proxy, count=6):
    """Handshakes that wait for an agent which says nothing."""
    world.agent.silent = True
    btid, key = world.agent.add(next(numbers), NAF, ua_id(0x00a8))
    line = ["openssl", "s_client", "-connect", "%s:%d" % (HOST, proxy.tls), "-psk_identity", "3GPP-bootstrapping;" + btid, "-psk",
            key.hex(), "-quiet", "-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256", "-servername", NAF]
    return [subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(count)]


def test_stop_while_handshakes_and_requests_wait_for_keys(world):
    proxy = world.proxy([world.site()], drain_timeout=0, agent_timeout=60000, handshake_timeout=120000,
                        metrics=q("%s:%d" % (HOST, free_port())))
    clients = waiting_handshakes(world, proxy)
    assert until(lambda: proxy.metric("gba_naf_proxy_waiting") == 6)
    digest = Digest(*world.agent.add(next(numbers)))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        client.send(head(digest))
        assert until(lambda: proxy.metric("gba_naf_proxy_waiting") == 7)
        proxy.process.signal(signal.SIGTERM)
        assert ends_well(proxy)
    for one in clients:
        one.stdin.close()
        one.wait(PATIENCE)


def test_handshake_deadline_while_it_waits_for_a_key(world):
    proxy = world.proxy([world.site()], agent_timeout=60000, handshake_timeout=700)
    clients = waiting_handshakes(world, proxy)
    for one in clients:
        assert one.wait(PATIENCE) != 0
        one.stdin.close()
    with Client(proxy.http) as client:
        assert client.ask().status == 401


def test_too_many_waiting_handshakes_are_refused(world):
    proxy = world.proxy([world.site()], agent_timeout=60000, handshake_timeout=120000, max_waiting=2, workers=1, drain_timeout=0)
    clients = waiting_handshakes(world, proxy)
    assert until(lambda: sum(one.poll() is not None for one in clients) == 4)
    assert until(lambda: proxy.log().count("too many wait") == 4)
    for one in clients:
        one.kill()
        one.wait()
        one.stdin.close()


def test_drain_has_an_end(world):
    proxy = world.proxy([world.site()], drain_timeout=1)
    digest = Digest(*world.agent.add(next(numbers)))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        begun = threading.Event()
        world.app.on_connection = lambda sock: (read_head(sock.makefile("rb")), begun.set(), sock.recv(1))
        client.send(head(digest))
        assert begun.wait(PATIENCE)
        proxy.process.signal(signal.SIGTERM)
        assert ends_well(proxy)


def test_hangup_reads_certificates_again_and_reopens_the_log(world, tmp_path):
    from proxy_harness import Authority
    import shutil
    log, cert, key = tmp_path / "log", str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    shutil.copy(world.cert, cert)
    shutil.copy(world.key, key)
    proxy = world.proxy([world.site(certificate=q(cert), private_key=q(key))], log_file=q(str(log)))

    def served():
        with Client(proxy.tls, tls_client(world.ca)) as client:
            return client.sock.getpeercert()["serialNumber"]
    first = served()
    other = Authority(str(tmp_path / "again"))
    for name in ("ca.pem", "ca.key"):
        shutil.copy(os.path.join(world.authority.folder, name), os.path.join(other.folder, name))
    new_cert, new_key = other.issue(NAF)
    shutil.copy(new_cert, cert)
    shutil.copy(new_key, key)
    os.rename(log, str(log) + ".1")
    proxy.process.signal(signal.SIGHUP)
    assert until(lambda: log.exists() and "proxy.reload" in log.read_text()), "new log"
    assert until(lambda: served() != first), "new certificate"
    with open(cert, "w", encoding="ascii") as broken:
        broken.write("nonsense")
    proxy.process.signal(signal.SIGHUP)
    assert until(lambda: "stays as it was" in log.read_text()), "refusal of a bad certificate"
    assert served() != first


def test_metrics(world):
    port = free_port()
    proxy = world.proxy([world.site()], metrics=q("%s:%d" % (HOST, port)))
    digest = Digest(*world.agent.add(next(numbers)))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask(headers=[digest.header()]).status == 200
    metrics_have("http://%s:%d/metrics" % (HOST, port), 'gba_naf_proxy_requests_total{code="2xx"} 1',
                 "gba_naf_proxy_challenges_total 1", 'gba_naf_proxy_keys_total{from="agent"} 1')


def run(*arguments):
    return subprocess.run([PROXY, *arguments], capture_output=True, text=True, timeout=PATIENCE)


def test_sample_configuration():
    from proxy_harness import TOP
    done = run("--check-config", os.path.join(TOP, "doc/samples/naf-proxy.conf"))
    assert done.returncode == 0, done.stderr


def test_environment_wins(world, proxy):
    environment = dict(os.environ, GBA_NAF_PROXY_MAX_HEAD="17")
    done = subprocess.run([PROXY, "--show-config", proxy.conf], capture_output=True, text=True, timeout=2 * PATIENCE, env=environment)
    assert "max-head = 17" in done.stdout


def test_command_line(world, proxy, tmp_path):
    assert run("--version").stdout.startswith("gba-naf-proxy ")
    assert "--check-config" in run("--help").stdout
    assert run("--frob").returncode == 2
    assert run("--check-config", proxy.conf).returncode == 0
    assert "upstream" in run("--show-config", proxy.conf).stdout
    assert "digest-sha256" in run("--defaults").stdout


@pytest.mark.parametrize("text,complaint", [
    ("sites = ( );", "listeners"),
    ('listeners = ( { address = "x"; } ); sites = ( { fqdn = "a"; upstream = "b:1"; } );', "address"),
    ('listeners = ( { address = "[::]:1"; } ); sites = ( { fqdn = "a"; upstream = "b:1"; certificate = "/c"; } );', "private-key"),
    ('listeners = ( { address = "[::]:1"; } ); sites = ( { fqdn = "a"; upstream = "b:1"; }, { fqdn = "A"; upstream = "b:1"; } );', "twice"),
    ('listeners = ( { address = "[::]:1"; } ); sites = ( { fqdn = "a"; upstream = "b:1"; psk = false; } );', "no way in"),
    ('listeners = ( { address = "[::]:1"; } ); sites = ( { fqdn = "a"; upstream = "b:1"; mode = "stream"; psk = false; } );', "psk"),
    ('listeners = ( { address = "[::]:1"; default-site = "c"; } ); sites = ( { fqdn = "a"; upstream = "b:1"; } );', "default-site"),
    ('listeners = ( { address = "[::]:1"; } ); sites = ( { fqdn = "a"; upstream = "b:1"; gsids = [ "x" ]; } );', "gsids"),
    ('listeners = ( { address = "[::]:1"; } ); sites = ( { fqdn = "a"; upstream = "b:1"; tls-min = "1.3"; tls-max = "1.2"; } );', "tls-min"),
    ('listeners = ( { address = "[::]:1"; } ); sites = ( { fqdn = "a"; upstream = "b:1"; frob = 1; } );', "frob"),
])
def test_configuration_errors(tmp_path, text, complaint):
    conf = tmp_path / "bad.conf"
    conf.write_text(text)
    done = run("--check-config", str(conf))
    assert done.returncode == 1 and complaint in done.stderr, done.stderr


def test_port_in_use_is_an_error(world, proxy, tmp_path):
    conf = tmp_path / "same.conf"
    with open(proxy.conf, encoding="utf-8") as text:
        conf.write_text(text.read())
    done = run("-c", str(conf))
    assert done.returncode == 1 and re.search("listeners: .*in use", done.stderr), done.stderr
