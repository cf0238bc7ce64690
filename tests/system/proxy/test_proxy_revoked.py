# SPDX-License-Identifier: Apache-2.0
"""The agent says that tokens have ended: remembered keys and sessions go at once. REQ: Y3056-9.4.1-6, Y3056-9.2.2-9"""
import itertools
import subprocess

import pytest

from peers.waiting import until
from proxy_harness import (HOST, HTTP_DIGEST, NAF, NAF2, STREAM, TLS13_PSK, Client, Digest, free_port, q, read_head, s_client, tls_client,
                           ua_id)

numbers = itertools.count(70000)
SUITE = "PSK-AES128-GCM-SHA256"
REVOKED = "gba_naf_proxy_sessions_revoked_total"


class Device:
    """openssl s_client with a PSK, kept open."""

    def __init__(self, proxy, btid, key, version="1.2", name=NAF):
        line = ["openssl", "s_client", "-connect", "%s:%d" % (HOST, proxy.tls), "-psk_identity", "3GPP-bootstrapping;" + btid, "-psk", key.hex(),
                "-quiet", "-servername", name] + (["-tls1_2", "-cipher", SUITE] if version == "1.2" else ["-tls1_3"])
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def send(self, octets):
        self.process.stdin.write(octets)
        self.process.stdin.flush()

    def ask(self):
        self.send(b"GET /x HTTP/1.1\r\nHost: naf1.example.com\r\n\r\n")
        head = read_head(self.process.stdout)
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        self.process.stdout.read(length)
        return int(head.split(b" ")[1])

    def alive(self):
        return self.process.poll() is None

    def ended(self):
        return until(lambda: not self.alive())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def own(world):
    return world.proxy(metrics=q("%s:%d" % (HOST, free_port())), workers=1)


def psk(world, version="1.2", fqdn=NAF, **values):
    return world.agent.add(next(numbers), fqdn, TLS13_PSK if version == "1.3" else ua_id(0x00a8), **values)


def known(world, btid):
    """Times the agent was asked for it."""
    return sum(1 for asked in world.agent.asked if asked[0] == btid)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("names", [(), (NAF,)], ids=["revoked", "changed"])
def test_an_idle_session_ends_and_the_key_is_forgotten(world, own, version, names):
    (btid, key), (other, other_key) = psk(world, version), psk(world, version)
    assert until(lambda: own.metric(REVOKED) is not None)  # the page comes up beside the listeners
    ended = own.metric(REVOKED)
    with Device(own, btid, key, version) as device, Device(own, other, other_key, version) as bystander:
        assert device.ask() == 200 and bystander.ask() == 200
        world.agent.revoke(btid, *names)
        assert device.ended()
        assert bystander.ask() == 200
        assert until(lambda: own.metric(REVOKED) == ended + 1)
        assert known(world, btid) == 1 and known(world, other) == 1
        with Device(own, btid, key, version) as again:  # a new handshake asks; here the agent still has the key
            assert again.ask() == 200 and known(world, btid) == 2
        with Device(own, other, other_key, version) as again:
            assert again.ask() == 200 and known(world, other) == 1


def test_a_change_for_another_name_is_no_end(world, own):
    btid, key = psk(world)
    with Device(own, btid, key) as device:
        assert device.ask() == 200
        world.agent.revoke(btid, NAF2)
        other, other_key = psk(world)
        with Device(own, other, other_key) as later:
            assert later.ask() == 200
            world.agent.revoke(other)
            assert later.ended()  # so the notice before it has been read
        assert device.ask() == 200 and known(world, btid) == 1


def test_an_answer_in_work_is_cut(world, own):
    """However long it is: nothing more for who has no right to it."""
    def endless(sock):
        read_head(sock.makefile("rb"))
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n")
        try:
            sock.recv(1)
        except OSError:
            pass
        gone.append(1)
    gone = []
    world.app.on_connection = endless
    btid, key = psk(world)
    with Device(own, btid, key) as device:
        device.send(b"GET /x HTTP/1.1\r\nHost: naf1.example.com\r\n\r\n")
        assert read_head(device.process.stdout).startswith(b"HTTP/1.1 200") and device.process.stdout.read(9) == b"4\r\nfour\r\n"
        world.agent.revoke(btid)
        assert device.process.stdout.read() == b"" and device.ended()  # no last chunk
        assert until(lambda: gone)


def test_a_stream_ends(world, own):
    world.app.on_connection = lambda sock: sock.recv(65536) and sock.sendall(b"welcome") or sock.recv(1)
    btid, key = psk(world, fqdn=STREAM)
    with Device(own, btid, key, name=STREAM) as device:
        device.send(b"hello\n")
        assert device.process.stdout.read(7) == b"welcome"
        world.agent.revoke(btid)
        assert device.ended()
    assert "ua.revoked" in own.log()


def test_digest_asks_again(world, own):
    """Its requests are authenticated one by one: the next one needs a key, and there is none."""
    btid, key = world.agent.add(next(numbers), NAF, HTTP_DIGEST)
    with Client(own.http) as client:
        digest = Digest(btid, key).take(client.ask())
        assert client.ask("GET", "/", [digest.header()]).status == 200
        del world.agent.keys[btid, NAF, HTTP_DIGEST]
        assert client.ask("GET", "/", [digest.header()]).status == 200  # remembered
    world.agent.revoke(btid)

    def status():
        """0 when the notice comes in the middle: that answer is cut."""
        try:
            with Client(own.http) as later:
                digest.take(later.ask())
                reply = later.ask("GET", "/", [digest.header()])
                return reply.status if reply else 0
        except OSError:
            return 0
    assert until(lambda: status() == 401)


def test_a_websocket_opened_with_digest_ends(world):
    proxy = world.proxy([world.site(upgrade="true")], workers=1)

    def serve(sock):
        read_head(sock.makefile("rb"))
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
        sock.recv(1)
    world.app.on_connection = serve
    btid, key = world.agent.add(next(numbers), NAF, HTTP_DIGEST)
    with Client(proxy.http) as client:
        digest = Digest(btid, key).take(client.ask())
        client.send(("GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n%s\r\n\r\n"
                     % (NAF, digest.header())).encode())
        assert read_head(client.stream).startswith(b"HTTP/1.1 101") and client.stream.read(5) == b"hello"
        world.agent.revoke(btid)
        assert client.ended()


def test_a_handshake_that_waits_gets_what_comes_after(world, own):
    """The notice overtakes the key that a handshake waits for: the agent's answer counts, as it is the newer word."""
    btid, key = psk(world)
    world.agent.hold(btid)
    with Device(own, btid, key) as device:
        assert until(lambda: known(world, btid) == 1)
        world.agent.revoke(btid)
        del world.agent.keys[btid, NAF, ua_id(0x00a8)]
        world.agent.release()
        assert device.ended()
    assert b"HTTP" not in s_client(own.tls, "3GPP-bootstrapping;" + btid, key, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")[0]


def test_sessions_outlive_the_agent(world, own):
    """Notices may have been missed: each key is asked for again, before the session's next request."""
    (btid, key), (gone, gone_key), (silent, silent_key) = psk(world), psk(world), psk(world)
    ended = own.metric(REVOKED)
    with Device(own, btid, key) as device, Device(own, gone, gone_key) as other, Device(own, silent, silent_key) as third:
        assert device.ask() == 200 and other.ask() == 200 and third.ask() == 200
        world.agent.keys.pop((gone, NAF, ua_id(0x00a8)))
        world.agent.hang_up()
        assert until(lambda: world.agent.watching)  # it came back by itself
        assert device.ask() == 200 and known(world, btid) == 2
        assert device.ask() == 200 and known(world, btid) == 2, "once is enough"
        assert other.ask() == 401 and other.ended()
        assert until(lambda: own.metric(REVOKED) == ended + 1)
        world.agent.error = 20  # nobody can say: it goes on
        assert third.ask() == 200 and third.alive()
        world.agent.error = None
        world.agent.revoke(btid)
        assert device.ended()
    with Client(own.tls, tls_client(world.ca)) as client:
        assert client.ask().status == 401  # and serves on


def test_streams_outlive_the_agent(world, own):
    world.app.on_connection = lambda sock: [sock.sendall(octets.upper()) for octets in iter(lambda: sock.recv(100), b"")]
    (btid, key), (gone, gone_key) = psk(world, fqdn=STREAM), psk(world, fqdn=STREAM)
    with Device(own, btid, key, name=STREAM) as device, Device(own, gone, gone_key, name=STREAM) as other:
        for each in (device, other):
            each.send(b"hello\n")
            assert any(b"HELLO" in line for line in iter(each.process.stdout.readline, b""))
        world.agent.keys.pop((gone, STREAM, ua_id(0x00a8)))
        world.agent.hang_up()
        assert until(lambda: world.agent.watching)
        device.send(b"again\n")
        assert any(b"AGAIN" in line for line in iter(device.process.stdout.readline, b""))
        other.send(b"again\n")
        assert other.ended()
        assert until(lambda: known(world, btid) == 2) and device.alive()
