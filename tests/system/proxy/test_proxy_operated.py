# SPDX-License-Identifier: Apache-2.0
"""What an operator of the proxy relies on: who is slow, gone or one too many ends with an answer, a line and a counter; a stop is
graceful; the access log and the metrics tell who did what, and nothing they must not."""
import hashlib
import itertools
import json
import os
import re
import signal
import socket
import threading
import time

import pytest

from proxy_harness import (HOST, HTTP_DIGEST, NAF, NAF2, PATIENCE, STREAM, UNREACHABLE, Client, Digest, btid_of, free_port, page,
                           q, read_head, s_client, tls_client, ua_id, undisturbed, until)
from test_proxy_revoked import Device

numbers = itertools.count(0xa0000)


@pytest.fixture
def digest(world):
    return Digest(*world.agent.add(next(numbers)))


def started(world, sites=None, **items):
    return world.proxy(sites or [world.site()], metrics=q("%s:%d" % (HOST, free_port())), **items)


def counted(proxy, name, value=1):
    assert until(lambda: proxy.metric(name) == value), "%s is %s" % (name, proxy.metric(name))


def timeouts(what):
    return 'gba_naf_proxy_timeouts_total{waiting_for="%s"}' % what


def host(what, outcome, name=NAF):
    return 'gba_naf_proxy_host_%s_total{host="%s",outcome="%s"}' % (what, name, outcome)


def lines(proxy, event, number=0):
    """Access lines of a proxy that logs JSON, once there are so many: they are written when the answer has left."""
    def there():
        found[:] = [json.loads(line) for line in proxy.log().splitlines(True) if '"event":"%s"' % event in line and line.endswith("}\n")]
        return len(found) >= number
    found = []
    assert until(there), found
    return found


# ---- slow, half-open, too many

def test_slow_ones_are_told_and_counted(world, digest):
    """Each absolute: octets that drip in do not help."""
    proxy = started(world, handshake_timeout=3500, head_timeout=1000, idle_timeout=5000, workers=1, log_format=q("json"))
    with socket.create_connection((HOST, proxy.tls)) as sock:
        sock.settimeout(PATIENCE)
        try:
            sock.sendall(b"\x16\x03\x01")
            assert sock.recv(100) == b""
        except ConnectionError:
            pass  # ended before it was sent
    with Client(proxy.http) as client:
        client.send(b"GET / HT")  # before idle-timeout; from then on it is the head's
        reply = client.reply()
        assert reply.head.startswith(b"HTTP/1.1 408 Request Timeout\r\n") and reply.get("connection") == "close" and client.ended()
    with Client(proxy.http) as client:
        assert client.ask().status == 401 and client.ended()
    counted(proxy, timeouts("handshake"))
    counted(proxy, timeouts("head"))
    counted(proxy, timeouts("idle"))
    counted(proxy, host("handshakes", "slow", "-"))
    counted(proxy, host("requests", "slow", "-"))
    assert [line["outcome"] for line in lines(proxy, "ua.handshake_failed", 1) if line["why"] == "too slow"] == ["slow"]
    assert [(line["status"], line["why"]) for line in lines(proxy, "ua.request", 1)][0] == (408, "request head too slow")


def drip(client, stop):
    """An octet now and then, for as long as they are taken."""
    try:
        while not stop.wait(0.05):
            client.send(b"x")
    except OSError:
        pass


@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_a_body_that_drips_is_too_slow(world, qop):
    proxy = started(world, body_timeout=1000, min_rate=100)
    digest, stop = Digest(*world.agent.add(next(numbers)), qop=qop), threading.Event()
    with Client(proxy.http) as client:
        digest.take(client.ask())
        line = digest.header("POST", body=b"") if qop == "auth-int" else digest.header("POST")
        client.send(("POST / HTTP/1.1\r\nHost: %s\r\n%s\r\nContent-Length: 100000\r\n\r\n" % (NAF, line)).encode())
        dripping = threading.Thread(target=drip, args=(client, stop), daemon=True)
        dripping.start()
        reply = client.reply()
        assert reply.status == 408 and reply.get("connection") == "close"
        stop.set()
        dripping.join(PATIENCE)
    counted(proxy, timeouts("body"))
    counted(proxy, host("requests", "slow"))
    assert all(len(body) < 100000 for _, body in world.app.requests), "what reached the application is not complete"


def test_who_keeps_the_rate_may_take_longer(world, digest):
    """Longer than body-timeout: slow is who moves too little in one of its windows."""
    proxy = started(world, body_timeout=1500, min_rate=300)
    body = os.urandom(18000)

    def sent():
        with Client(proxy.http) as client:
            digest.take(client.ask())
            client.send(("POST / HTTP/1.1\r\nHost: %s\r\n%s\r\nContent-Length: %d\r\n\r\n" % (NAF, digest.header("POST"), len(body))).encode())
            for at in range(0, len(body), 300):
                client.send(body[at:at + 300])
                time.sleep(0.03)  # the sender's own pace, thirty times what is asked for
            return client.reply().status
    assert undisturbed(sent, 2.9) == 200  # a stop of the machine would be the sender's
    assert world.app.requests[-1][1] == body


def test_a_reader_that_drips_is_cut(world, digest):
    proxy = started(world, body_timeout=1000, min_rate=100000, log_format=q("json"))
    size = 64 << 20
    world.app.answer = lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
    with Client(proxy.http) as client:
        digest.take(client.ask())
        client.send(("GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n" % (NAF, digest.header())).encode())
        read_head(client.stream)
        read = 0

        def gone():
            nonlocal read
            try:
                client.sock.settimeout(0.2)
                octets = client.sock.recv(500)
                read += len(octets)
                return octets == b""
            except TimeoutError:
                return False
            except OSError:
                return True
        assert until(lambda: proxy.metric(timeouts("reader")) or (gone() and False))
    counted(proxy, host("requests", "slow"))
    assert read < size and [line["why"] for line in lines(proxy, "ua.request", 2)][-1] == "device does not read the answer"


TCP_REPAIR = 19


def vanish(sock):
    """Gone without a FIN or a reset, as a device whose battery is empty. False: we have no right to do that."""
    try:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except PermissionError:
        return False
    sock.close()
    return True


def is_asked_after(sock):
    """Does a keep-alive timer run at the other end of this connection?"""
    (_, here), (_, there) = sock.getsockname(), sock.getpeername()
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    ends = [row for row in rows if row[1].endswith(":%04X" % there) and row[2].endswith(":%04X" % here)]
    assert len(ends) == 1
    return ends[0][5].startswith("02:")


def test_a_device_that_vanished_is_missed(world, digest):
    """A request in work and a stream: TCP asks after the device. Nothing is sent meanwhile that could tell."""
    gone = threading.Event()
    proxy = started(world, keepalive=1, upstream_timeout=600000, idle_timeout=600000, workers=1)

    def serve(sock):
        stream = sock.makefile("rb")
        read_head(stream)
        stream.read(1)  # nothing comes: until the proxy gives up
        gone.set()

    client = Client(proxy.http)
    digest.take(client.ask())
    world.app.on_connection = serve
    client.send(("GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n" % (NAF, digest.header())).encode())
    assert until(lambda: world.app.connections and world.app.open)
    assert until(lambda: is_asked_after(client.sock))
    client.stream.close()
    if not vanish(client.sock):  # the kernel does the rest
        client.sock.close()
    assert gone.wait(PATIENCE)
    counted(proxy, "gba_naf_proxy_connections", 0)
    assert until(lambda: "device went away" in proxy.log())


def test_one_too_many_is_counted(world):
    proxy = started(world, max_per_source=2)
    with Client(proxy.http, source="127.0.0.9") as one, Client(proxy.http, source="127.0.0.9") as two:
        assert one.ask().status == 401 and two.ask().status == 401
        with Client(proxy.http, source="127.0.0.9") as three:
            assert three.ended()
        counted(proxy, "gba_naf_proxy_connections_refused_total")
        assert until(lambda: "ua.capped" in proxy.log() and "peer=127.0.0.9" in proxy.log())
        with Client(proxy.http) as other:
            assert other.ask().status == 401


# ---- the end

def test_drain(world, digest):
    """Not ready at once; a request in work is finished and its connection ends; idle TLS ends with close_notify; status 0."""
    begun, go = threading.Event(), threading.Event()

    def serve(sock):
        read_head(sock.makefile("rb"))
        begun.set()
        go.wait(PATIENCE)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    proxy = started(world, drain_timeout=120)
    ready = "http://%s/readyz?verbose" % proxy.items["metrics"].strip('"')
    assert until(lambda: page(ready)[0] == 200)
    with Client(proxy.http) as busy, Client(proxy.tls, tls_client(world.ca)) as idle:
        digest.take(busy.ask())
        assert idle.ask().status == 401
        world.app.on_connection = serve
        busy.send(("GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n" % (NAF, digest.header())).encode())
        assert begun.wait(PATIENCE)
        proxy.process.signal(signal.SIGTERM)
        assert until(lambda: page(ready)[0] == 503)
        assert "drained" in page(ready)[1]
        assert idle.sock.recv(1) == b"", "close_notify: without it this would be an error"
        proxy.process.signal(signal.SIGHUP)  # changes nothing any more
        go.set()
        reply = busy.reply()
        assert reply.body == b"done" and reply.get("connection") == "close" and busy.ended()
    assert until(lambda: not proxy.process.alive()) and proxy.process.exit_code() == 0


def test_a_second_signal_ends_at_once(world, digest):
    begun = threading.Event()
    proxy = started(world, drain_timeout=3600)
    with Client(proxy.http) as client:
        digest.take(client.ask())
        world.app.on_connection = lambda sock: (read_head(sock.makefile("rb")), begun.set(), sock.recv(1))
        client.send(("GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n" % (NAF, digest.header())).encode())
        assert begun.wait(PATIENCE)
        proxy.process.signal(signal.SIGTERM)
        assert until(lambda: "after the requests in work" in proxy.log()) and proxy.process.alive()
        proxy.process.signal(signal.SIGTERM)
        assert until(lambda: not proxy.process.alive()) and proxy.process.exit_code() == 0


def test_streams_are_told_that_it_ends(world):
    """They may end by themselves until drain-timeout, or until we are told to end at once; then they are told."""
    proxy = started(world, [world.psk_site(STREAM, mode=q("stream"), proxy_header="false")], drain_timeout=3600, log_format=q("json"))
    btid, key = world.agent.add(next(numbers), STREAM, ua_id(0x00a8))
    world.app.on_connection = lambda sock: [sock.sendall(octets.upper()) for octets in iter(lambda: sock.recv(100), b"")]
    with Device(proxy, btid, key, name=STREAM) as device:
        device.send(b"before\n")
        assert device.process.stdout.read(7) == b"BEFORE\n"
        proxy.process.signal(signal.SIGTERM)
        assert until(lambda: '"proxy.stop"' in proxy.log())
        device.send(b"during\n")
        assert device.process.stdout.read(7) == b"DURING\n" and proxy.process.alive()
        proxy.process.signal(signal.SIGTERM)
        assert device.ended()
    assert until(lambda: not proxy.process.alive()) and proxy.process.exit_code() == 0
    assert [(line["outcome"], line.get("why")) for line in lines(proxy, "ua.stream", 2)] == [("opened", None), ("ended", "drained")]


# ---- what is told

def test_access_lines(world):
    """Pseudonym, fingerprint and suite; not the B-TID, not the IMPI, not the query, and no line of a device's own making."""
    impi = "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
    proxy = started(world, log_format=q("json"), log_level=q("info"))
    btid, key = world.agent.add(next(numbers), NAF, ua_id(0x00a8), impi=impi, uss={1000001: (["alias@x"], [])})
    out = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, b"GET /a?b=c HTTP/1.1\r\nHost: naf1.example.com\r\nConnection: close\r\n\r\n")[0]
    assert b" 200 " in out
    (line,) = lines(proxy, "ua.request", 1)
    assert {key: line[key] for key in ("role", "level", "event", "peer", "user", "btid", "auth", "tls", "suite", "host", "method", "path", "status",
                                       "outcome", "in", "out", "upstream")} == {
        "role": "naf-proxy", "level": "info", "event": "ua.request", "peer": HOST, "user": "alias@x",
        "btid": hashlib.sha256(btid.encode()).hexdigest()[:16], "auth": "psk", "tls": "TLSv1.2", "suite": "TLS_PSK_WITH_AES_128_GCM_SHA256",
        "host": NAF, "method": "GET", "path": "/a", "status": 200, "outcome": "served", "in": 0, "out": len(b"path /a?b=c\n"),
        "upstream": "%s:%d" % (HOST, world.app.port)}
    assert 0 < line["upstream_us"] <= line["us"] and re.fullmatch(r"[0-9a-f]{8}", line["corr"])
    for policy in ("impi", "btid"):
        proxy.reload([world.site(identity=q(policy))])
        assert b" 200 " in s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, b"GET /a HTTP/1.1\r\nHost: naf1.example.com\r\nConnection: close\r\n\r\n")[0]
    assert [("user" in line, line["btid"]) for line in lines(proxy, "ua.request", 3)][1:] == [(False, line["btid"])] * 2
    digest = Digest(*world.agent.add(next(numbers), NAF, HTTP_DIGEST, uss={1000001: (["other@x"], [])}))
    with Client(proxy.http) as client:
        proxy.reload([world.site()])
        digest.take(client.ask(path="/%22%0a{}"))
        assert client.ask(headers=[digest.header()]).status == 200
    challenged, served = lines(proxy, "ua.request", 5)[-2:]
    assert (challenged["status"], challenged["outcome"], challenged["path"], "btid" in challenged, "tls" in challenged) == (401, "challenged", "/%22%0a{}", False, False)
    assert (served["user"], served["auth"], served["btid"]) == ("other@x", "digest", hashlib.sha256(digest.btid.encode()).hexdigest()[:16])
    s_client(proxy.tls, "3GPP-bootstrapping;" + btid_of(7), key, b"x")
    text = proxy.log()
    for secret in (impi, btid, digest.btid, btid_of(7), "b=c"):
        assert secret not in text, "not even when it is refused"


def test_counters_by_host(world):
    """A closed set of words, hosts of the configuration only: what a device calls a host makes no series."""
    proxy = started(world, [world.site(), world.psk_site(STREAM, mode=q("stream"), proxy_header="false")])
    url = "http://%s/metrics" % proxy.items["metrics"].strip('"')
    assert until(lambda: page(url)[0] == 200)
    before = len(page(url)[1].splitlines())
    digest = Digest(*world.agent.add(next(numbers)))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask(headers=[digest.header()]).status == 200
        assert client.ask("POST", headers=[digest.header("POST")], body=b"12345").status == 200
        world.app.answer = lambda head, body: b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
        assert client.ask(headers=[digest.header()]).status == 500
    for i in range(20):
        with Client(proxy.http) as client:
            assert client.ask(host="host%d.example.org" % i).status == 421
    for error, status in ((10, 403), (UNREACHABLE, 503)):
        world.agent.error = error
        other = Digest(*world.agent.add(next(numbers)))
        with Client(proxy.http) as client:
            other.take(client.ask())
            assert client.ask(headers=[other.header()]).status == status
    world.agent.error = None
    for name in ("x.example.org", "y.example.org"):
        s_client(proxy.tls, "3GPP-bootstrapping;" + btid_of(1), bytes(32), b"x", name=name)
    s_client(proxy.tls, "3GPP-bootstrapping;" + btid_of(1), bytes(32), b"x")
    for version, ua in (("1.2", ua_id(0x00a8)), ("1.3", "0100000007")):
        btid, key = world.agent.add(next(numbers), NAF, ua)
        s_client(proxy.tls, "3GPP-bootstrapping;" + btid, bytes(32), b"x", version=version)
        assert b" 500 " in s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % NAF.encode(), version=version)[0]
    for name, value in ((host("requests", "challenged"), 3), (host("requests", "served"), 5), (host("requests", "forbidden"), 1),
                        (host("requests", "unavailable"), 1), (host("requests", "refused", "-"), 20), (host("handshakes", "failed", "-"), 2),
                        (host("handshakes", "unknown-identity"), 1), (host("handshakes", "wrong-key"), 2), (host("handshakes", "done"), 2),
                        ('gba_naf_proxy_host_octets_total{host="%s",direction="in"}' % NAF, 5), (host("streams", "opened", STREAM), 0)):
        counted(proxy, name, value)
    text = page(url)[1]
    assert len(text.splitlines()) == before and "example.org" not in text


def test_log_rotation(world, tmp_path):
    log = tmp_path / "log"
    proxy = started(world, log_file=q(str(log)))
    assert until(log.exists)  # its sockets are there before
    for number in (signal.SIGUSR1, signal.SIGHUP):
        os.rename(log, str(log) + ".1")
        proxy.process.signal(number)
        assert until(log.exists)
        with Client(proxy.http) as client:
            assert client.ask().status == 401
        assert until(lambda: "ua.request" in log.read_text())
