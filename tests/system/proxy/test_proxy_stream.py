# SPDX-License-Identifier: Apache-2.0
"""Stream mode: any TCP application behind PSK-TLS, told by PROXY protocol v2 who connects."""
import itertools
import os
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

from peers.waiting import PATIENCE, undisturbed, until
from proxy_harness import HOST, STREAM, TLS13_PSK, btid_of, q, s_client, s_stream, ua_id

numbers = itertools.count(9000)


def read_proxy_header(sock):
    """(family, source, {type: value}) of the header at the start of a connection."""
    head = sock.recv(16, socket.MSG_WAITALL)
    assert head[:12] == bytes.fromhex("0d0a0d0a000d0a515549540a") and head[12] == 0x21, head
    rest = sock.recv(struct.unpack(">H", head[14:16])[0], socket.MSG_WAITALL)
    tlvs, at = {}, 12
    while at < len(rest):
        kind, length = struct.unpack(">BH", rest[at:at + 3])
        tlvs[kind] = rest[at + 3:at + 3 + length]
        at += 3 + length
    return head[13], socket.inet_ntoa(rest[:4]), tlvs


def echo(headers, limit=None):
    def serve(sock):
        headers.append(read_proxy_header(sock))
        while True:
            data = sock.recv(65536)
            if not data:
                break
            sock.sendall(data.upper())
        sock.close()
    return serve


def psk(world, version="1.2", **values):
    ua = TLS13_PSK if version == "1.3" else ua_id(0x00a8)
    btid, key = world.agent.add(next(numbers), STREAM, ua, **values)
    return btid, key


def test_stream_with_proxy_header(world, proxy):
    for version in ("1.2", "1.3"):
        headers = []
        world.app.on_connection = echo(headers)
        btid, key = psk(world, version, uss={1000001: (["dev@x", "tel:+1"], [])})
        out = s_stream(proxy.tls, "3GPP-bootstrapping;" + btid, key, b"hello stream", 12, version, STREAM)
        assert out == b"HELLO STREAM"
        family, source, tlvs = headers[0]
        assert family == 0x11 and source == HOST
        assert tlvs[0x02] == STREAM.encode() and tlvs[0xe1] == btid.encode()
        assert tlvs[0xe0] == b'"dev@x", "tel:+1"'
        assert tlvs[0x20][:5] == b"\x01\0\0\0\0" and b"TLSv" + version.encode() in tlvs[0x20] and b"dev@x" in tlvs[0x20]


@pytest.mark.parametrize("policy,impi,uss,told", [
    (None, "i@x", {}, "BTID"), (None, "i@x", {1000001: (["u"], [])}, "u"), ("uids-impi", "i@x", {}, "i@x"), ("uids-impi", None, {}, None),
    ("impi", "i@x", {1000001: (["u"], [])}, "i@x"), ("uids", "i@x", {}, None)])
def test_identities_of_a_stream(world, policy, impi, uss, told):
    """The IMPI is in no TLV unless a policy names it and the agent tells it. REQ: Y3056-9.6.2-2"""
    headers = []
    world.app.on_connection = echo(headers)
    proxy = world.proxy([world.psk_site(STREAM, mode=q("stream"), **({"identity": q(policy)} if policy else {}))])
    btid, key = psk(world, "1.3", impi=impi, uss=uss)
    out = s_stream(proxy.tls, "3GPP-bootstrapping;" + btid, key, b"x", 1 if told else 0, "1.3", STREAM)
    if told is None:
        assert out == b"" and headers == []
        return
    tlvs = headers[0][2]
    assert tlvs[0xe0] == b'"%s"' % (btid if told == "BTID" else told).encode()
    assert any(b"i@x" in value for value in tlvs.values()) == (told == "i@x")


def test_stream_without_key_reaches_nobody(world, proxy):
    before = world.app.connections
    btid, _ = psk(world)
    s_client(proxy.tls, "3GPP-bootstrapping;" + btid, bytes(32), b"x", name=STREAM)
    s_client(proxy.tls, "3GPP-bootstrapping;" + btid_of(1), bytes(32), b"x", name=STREAM)
    assert world.app.connections == before


def test_large_stream_both_ways(world, proxy):
    # REQ: Y3056-9.5-5, Y3056-9.6.4-1
    headers = []
    world.app.on_connection = echo(headers)
    btid, key = psk(world, "1.3")
    data = os.urandom(1 << 20).hex().encode() * 8
    out = s_stream(proxy.tls, "3GPP-bootstrapping;" + btid, key, data, len(data), "1.3", STREAM)
    assert out == data.upper()
    assert proxy.rss() < 200 << 20


def s_client_that_tells(proxy, btid, key, version="1.2"):
    """openssl s_client that shows what it gets."""
    line = ["openssl", "s_client", "-connect", "%s:%d" % (HOST, proxy.tls), "-psk_identity", "3GPP-bootstrapping;" + btid, "-psk",
            key.hex(), "-quiet", "-msg", "-servername", STREAM] + (["-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256"] if version == "1.2" else ["-tls1_3"])
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def told(client):
    """The proxy ends the stream: does it say close_notify?"""
    out = client.stdout.read()
    client.stdin.close()
    client.wait(PATIENCE)
    return re.search(rb"<<< [^\n]*Alert[^\n]*close_notify", out) is not None


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_the_end_of_a_stream_is_told(world, proxy, version):
    def serve(sock):
        read_proxy_header(sock)
        sock.sendall(b"220 welcome\r\n")
        sock.close()
    world.app.on_connection = serve
    assert told(s_client_that_tells(proxy, *psk(world, version), version))


def test_a_stream_that_was_reset_does_not_look_complete(world, proxy):
    def serve(sock):
        read_proxy_header(sock)
        sock.sendall(b"220 wel")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    world.app.on_connection = serve
    assert not told(s_client_that_tells(proxy, *psk(world)))


def test_a_stream_ended_with_its_key_is_told(world, proxy):
    def serve(sock):
        begun.add(read_proxy_header(sock)[2][0xe1].decode())
        sock.recv(10)

    def opened():
        btid, key = psk(world, life=3)
        client = s_client_that_tells(proxy, btid, key)
        assert until(lambda: btid in begun or client.poll() is not None) and btid in begun
        return client
    begun = set()
    world.app.on_connection = serve
    assert told(undisturbed(opened, 1.9))


def test_application_speaks_first_and_ends(world, proxy):
    def serve(sock):
        read_proxy_header(sock)
        sock.sendall(b"220 welcome\r\n")
        sock.close()
    world.app.on_connection = serve
    btid, key = psk(world)
    line = ["openssl", "s_client", "-connect", "%s:%d" % (HOST, proxy.tls), "-psk_identity", "3GPP-bootstrapping;" + btid, "-psk",
            key.hex(), "-quiet", "-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256", "-servername", STREAM]
    client = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert client.stdout.read() == b"220 welcome\r\n"
    client.stdin.close()
    client.wait(PATIENCE)


def test_stream_ends_with_its_key(world, proxy):
    ended = {}

    def serve(sock):
        btid = read_proxy_header(sock)[2][0xe1].decode()
        sock.sendall(b"here")
        ended[btid] = (sock.recv(10), time.time())
    world.app.on_connection = serve

    def opened():
        btid, key = psk(world, life=3)
        line = ["openssl", "s_client", "-connect", "%s:%d" % (HOST, proxy.tls), "-psk_identity", "3GPP-bootstrapping;" + btid, "-psk",
                key.hex(), "-quiet", "-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256", "-servername", STREAM]
        client = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return btid, client, client.stdout.read(4)
    btid, client, said = undisturbed(opened, 1.9)
    assert said == b"here" and client.stdout.read() == b""
    client.stdin.close()
    client.wait(PATIENCE)
    assert until(lambda: btid in ended) and ended[btid][0] == b""
    assert ended[btid][1] >= world.agent.keys[(btid, STREAM, ua_id(0x00a8))]["expiry"], "not before"


def test_application_down_ends_the_stream(world):
    from proxy_harness import free_port
    proxy = world.proxy([world.psk_site(STREAM, mode=q("stream"), upstream=q("%s:%d" % (HOST, free_port())))])
    btid, key = psk(world)
    out, _ = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, b"x", name=STREAM)
    assert out == b""


def test_many_streams_at_once(world, proxy):
    headers, results = [], []
    world.app.on_connection = echo(headers)
    btid, key = psk(world)

    def one(i):
        out = s_stream(proxy.tls, "3GPP-bootstrapping;" + btid, key, b"stream %02d" % i, 9, name=STREAM)
        results.append(out == b"STREAM %02d" % i)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
    assert results == [True] * 20
