# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: the file is read again, all of it or nothing; what was open before goes on, what begins afterwards is served as the new
file says."""
import base64
import hashlib
import itertools
import os
import re
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from proxy_harness import (HOST, NAF, NAF2, PATIENCE, PROXY, STREAM, Application, Client, Digest, free_port, header, page,
                           port_open, q, read_body, read_head, s_client, tls_client, ua_id, until)
from test_proxy_revoked import Device
from test_proxy_websocket import Echo, talk, upgrade

numbers = itertools.count(0x90000)


@pytest.fixture
def other():
    """An application elsewhere."""
    app = Application()
    app.answer = lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"
    yield app
    app.close()


@pytest.fixture
def digest(world):
    return Digest(*world.agent.add(next(numbers)))


def at(app):
    return q("%s:%d" % (HOST, app.port))


def greeted(port, digest, tls=None, name=NAF):
    """A connection with a request served."""
    client = Client(port, tls, name)
    reply = client.ask(host=name)
    if digest.challenge is None or reply.status == 401:
        digest.take(reply)
    assert client.ask(headers=[digest.header()], host=name).status == 200
    return client


class Load:
    """Devices that ask one request after the other, each over the one connection it opened before."""

    def __init__(self, world, proxy):
        self.stop, self.served, self.faults = threading.Event(), 0, []
        tls = tls_client(world.ca)
        self.threads = []
        for i in range(4):
            suite = Client(proxy.tls, tls)
            code = {"TLS_AES_256_GCM_SHA384": 0x1302, "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
                    "TLS_AES_128_GCM_SHA256": 0x1301}[suite.sock.cipher()[0]]
            suite.close()
            of = Digest(*world.agent.add(next(numbers), NAF, ua_id(code) if i % 2 else "0100000002"))
            client = greeted(proxy.tls if i % 2 else proxy.http, of, tls if i % 2 else None)
            self.threads.append(threading.Thread(target=self.run, args=(client, of), daemon=True))
        for thread in self.threads:
            thread.start()

    def run(self, client, digest):
        try:
            while not self.stop.is_set():
                reply = client.ask("POST", "/", [digest.header("POST")], b"x" * 3000)
                if reply is None or reply.status != 200 or reply.get("connection"):
                    self.faults.append(reply and reply.head)
                    return
                self.served += 1
        except OSError as error:
            self.faults.append(error)
        finally:
            client.close()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        return self.served


def test_no_request_and_no_session_is_lost_under_load(world):
    """Eight reloads, each with something else in the file, while four devices ask as fast as they can."""
    proxy = world.proxy([world.site()])
    load = Load(world, proxy)
    served = []
    for i in range(8):
        sites = [world.site(flags_header="true" if i % 2 else "false")] + ([world.site(NAF2)] if i % 3 else [])
        line = proxy.reload(sites, idle_timeout=60000 + i, key_cache=4096 + i, upstream_idle=64 - i)
        assert "in force: %d sites" % len(sites) in line
        before = load.served
        assert until(lambda: load.served > before + 20 or load.faults)
        served.append(load.served)
    total = load.end()
    assert load.faults == [] and served == sorted(set(served))
    assert len(world.app.requests) == total + len(load.threads), "as many as were sent reached the application, each once"


def test_a_kept_session_finds_the_new_application(world, other, digest):
    proxy = world.proxy([world.site()])
    with greeted(proxy.http, digest) as client:
        proxy.reload([world.site(upstream=at(other))])
        assert client.ask(headers=[digest.header()]).body == b"other"
    assert len(world.app.requests) == 1 and len(other.requests) == 1


def test_the_middle_of_a_body_stays_where_it_is(world, other, digest):
    """Up and down: the request and its answer are of the configuration they began with; the next one is of the new one."""
    proxy = world.proxy([world.site()])
    body = bytes(range(256)) * 8000
    half, seen = len(body) // 2, []
    asked, go = threading.Event(), threading.Event()

    def serve(sock):
        stream = sock.makefile("rb")
        head = read_head(stream)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:half])
        asked.set()
        seen.append(hashlib.sha256(read_body(stream, head)).digest())
        go.wait(PATIENCE)
        sock.sendall(body[half:])

    with greeted(proxy.http, digest) as client:
        world.app.drop()
        world.app.on_connection = serve
        head = "POST / HTTP/1.1\r\nHost: %s\r\n%s\r\nContent-Length: %d\r\n\r\n" % (NAF, digest.header("POST"), len(body))
        client.send(head.encode() + body[:half])
        assert asked.wait(PATIENCE)
        for i in range(3):
            proxy.reload([world.site(upstream=at(other))], body_timeout=30000 + i)
        threading.Thread(target=client.send, args=(body[half:],), daemon=True).start()
        assert until(lambda: seen)
        go.set()
        reply = client.reply()
        assert reply.status == 200 and reply.body == body and seen == [hashlib.sha256(body).digest()]
        # Its answer began before the request was complete: that is the connection's end, reload or not.
        assert reply.get("connection") == "close"
    with greeted(proxy.http, digest):
        assert len(other.requests) == 1


def test_websockets_and_streams_go_on(world, digest):
    """Though their site is no longer what it was: what is open stays open, and says what it has to say."""
    keep, key = world.site(NAF2), base64.b64encode(os.urandom(16)).decode()
    proxy = world.proxy([keep, world.site(upgrade="true"), world.psk_site(STREAM, mode=q("stream"), proxy_header="false")])
    btid, psk = world.agent.add(next(numbers), STREAM, ua_id(0x00a8))
    with Client(proxy.http) as client, Device(proxy, btid, psk, name=STREAM) as device:
        world.app.on_connection = lambda sock: sock.sendall(sock.recv(100).upper()) or sock.sendall(sock.recv(100).upper()) or sock.close()
        device.send(b"before\n")
        assert device.process.stdout.read(7) == b"BEFORE\n"
        world.app.on_connection = None
        digest.take(client.ask())
        echo = Echo(world.app)
        client.send(upgrade(digest, key))
        assert until(lambda: echo.heads)
        proxy.reload([keep])
        talk(client.send, client.stream, key)
        assert client.ended()
        device.send(b"after\n")
        assert device.process.stdout.read() == b"AFTER\n" and device.ended()
    assert "unrecognized name" in s_client(proxy.tls, "3GPP-bootstrapping;" + btid, psk, b"x", name=STREAM)[1]


def test_a_bad_file_is_refused_with_the_same_words(world, digest):
    proxy = world.proxy([world.site()])
    with greeted(proxy.http, digest) as client, open(proxy.conf, encoding="utf-8") as good:
        text = good.read()
        for wrong, what in (("head-timeout = 5;\n", "head-timeout: 5 is not allowed (100..120000 ms)"), ("frob = 1;\n", "frob: no such item"),
                            ("head-timeout = ;\n", "syntax"), ("listeners = ();\n", "stands there twice")):
            with open(proxy.conf, "w", encoding="utf-8") as bad:
                bad.write(text + wrong)
            check = subprocess.run([PROXY, "--check-config", proxy.conf], capture_output=True, text=True, check=False)
            line = proxy.hang_up()
            said = check.stderr.strip().split("gba-naf-proxy: ")[-1]
            assert check.returncode == 1 and what in said
            assert "ERROR" not in said and " error naf-proxy proxy.reload result=GBA_E_CONF" in line and said in line.replace('\\"', '"')
            assert client.ask(headers=[digest.header()]).status == 200
        with open(proxy.conf, "w", encoding="utf-8") as again:
            again.write(text)
    for wrong in (dict(metrics=q("192.0.2.1:9")), dict(log_file=q("/nowhere/log")), dict(trace_file=q("/nowhere/trace"))):
        before = dict(proxy.items)
        assert "refused" in proxy.reload(**wrong)
        proxy.items = before
    assert "refused" in proxy.reload([world.site(upstream=q("no.such.name.invalid:80"))])
    assert "refused" in proxy.reload([world.site(certificate=q(world.key))])
    with greeted(proxy.http, digest):
        assert "in force" in proxy.reload([world.site()])


def test_hosts_come_and_go(world, digest):
    """A name that is no more is not served on a connection that was opened for it either."""
    tls = tls_client(world.ca, "1.2")
    cert2, key2 = world.authority.issue(NAF2)
    proxy = world.proxy([world.site()])
    with pytest.raises(ssl.SSLError):
        Client(proxy.tls, tls, NAF2)
    proxy.reload([world.site(), world.site(NAF2, certificate=q(cert2), private_key=q(key2))])
    with Client(proxy.tls, tls, NAF2) as second, Client(proxy.tls, tls) as first, Client(proxy.http) as plain:
        assert [client.ask(host=name).status for client, name in ((second, NAF2), (first, NAF), (plain, NAF2))] == [401] * 3
        proxy.reload([world.site()])
        assert first.ask().status == 401 and plain.ask(host=NAF).status == 401
        reply = second.ask(host=NAF2)
        assert reply.status == 421 and reply.get("connection") == "close" and second.ended()
        assert plain.ask(host=NAF2).status == 421
    with pytest.raises(ssl.SSLError):
        Client(proxy.tls, tls, NAF2)


def test_a_session_of_a_way_in_that_was_closed(world):
    """Its key opened it as PSK; where that is no longer taken it is told to come another way."""
    proxy = world.proxy([world.site()])
    btid, key = world.agent.add(next(numbers), NAF, ua_id(0x00a8))
    with Device(proxy, btid, key) as device:
        assert device.ask() == 200
        proxy.reload([world.site(psk="false")])
        assert device.ask() == 421 and device.ended()


def test_what_an_application_is_told_changes_with_the_file(world):
    proxy = world.proxy([world.site()])
    btid, key = world.agent.add(next(numbers), NAF, ua_id(0x00a8), impi="001010000000001@ims.example", uss={1000001: (["alias@x"], [])})
    with Device(proxy, btid, key) as device:
        assert device.ask() == 200
        proxy.reload([world.site(identity=q("btid"))])
        assert device.ask() == 200
        proxy.reload([world.site(identity=q("impi"))])
        assert device.ask() == 200
    assert [header(head, "x-3gpp-asserted-identity") for head, _ in world.app.requests] == [
        ['"alias@x"'], ['"%s"' % btid], ['"001010000000001@ims.example"']]
    assert sum(1 for asked in world.agent.asked if asked[0] == btid) == 1, "the session's key is asked for once"


def test_listeners_come_and_go(world, digest):
    proxy = world.proxy([world.site()])
    more, begun, go = free_port(), threading.Event(), threading.Event()

    def serve(sock):
        read_head(sock.makefile("rb"))
        begun.set()
        go.wait(PATIENCE)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    proxy.listeners = {**proxy.ports(), more: "tls = false;"}
    assert "3 listeners" in proxy.reload()
    with greeted(more, digest) as idle, greeted(more, digest) as busy, Client(proxy.http) as kept:
        assert kept.ask().status == 401
        world.app.drop()
        world.app.on_connection = serve
        busy.send(("GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n" % (NAF, digest.header())).encode())
        assert begun.wait(PATIENCE)
        del proxy.listeners[more]
        assert "2 listeners" in proxy.reload()
        assert until(lambda: not port_open(HOST, more)) and idle.ended()
        assert kept.ask().status == 401
        go.set()
        assert busy.reply().body == b"done"
    taken = socket.create_server((HOST, 0))
    proxy.listeners[taken.getsockname()[1]] = "tls = false;"
    line = proxy.reload()
    assert re.search(r"refused.*listeners: 127.0.0.1:\d+: Address already in use", line)
    taken.close()
    with Client(proxy.http) as client:
        assert client.ask().status == 401


def test_limits_and_logs_apply_to_what_begins(world, tmp_path):
    proxy = world.proxy([world.site()])
    with Client(proxy.http) as client:
        assert client.ask(headers=["X-Long: " + "x" * 6000]).status == 401
        proxy.reload(max_head=4)
        assert client.ask(headers=["X-Long: " + "x" * 6000]).status == 431
    with Client(proxy.http) as held:
        assert held.ask().status == 401
        proxy.reload(max_per_source=1)
        with Client(proxy.http) as client:
            assert client.ended()
        assert held.ask().status == 401
    log = tmp_path / "log"
    proxy.items.update(max_per_source=100, log_file=q(str(log)), log_format=q("json"))
    proxy.write()
    proxy.process.signal(signal.SIGHUP)
    assert until(lambda: log.exists() and '"event":"proxy.reload"' in log.read_text())
    proxy.items.update(log_file=q(""), log_format=q("text"))
    proxy.write()
    os.rename(log, str(log) + ".1")
    assert "in force" in proxy.hang_up()


def test_what_needs_a_restart_is_said(world):
    proxy = world.proxy([world.site()])
    line = proxy.reload(workers=3, nonce_lifetime=77, idle_timeout=61000)
    assert "in force: 1 sites, 2 listeners; as they were until a restart: workers, nonce-lifetime" in line
    assert proxy.reload().count("workers, nonce-lifetime") == 1, "until then each reload says so"
    assert "until a restart" not in proxy.reload(workers=2, nonce_lifetime=300)


def test_metrics_move(world):
    first, second = ("%s:%d" % (HOST, free_port()) for _ in range(2))
    proxy = world.proxy([world.site()])
    for where, gone in ((first, None), (second, first), (second, None)):
        proxy.reload(metrics=q(where))
        assert until(lambda: page("http://%s/readyz" % where)[0] == 200)
        assert gone is None or until(lambda: page("http://%s/readyz" % gone)[0] == 0)
    proxy.reload(metrics=q(""))
    assert until(lambda: page("http://%s/metrics" % second)[0] == 0)
