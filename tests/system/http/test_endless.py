# SPDX-License-Identifier: Apache-2.0
"""Answers without an end: written from another thread, taken at the reader's pace, in bounded memory."""
import http.client
import random
import re
import socket
import time

import pytest

from httpnet import Background, Server
from peers.waiting import PATIENCE, until

ASK = b"GET /stream?%d-%d HTTP/1.1\r\nHost: h\r\n\r\n"


def read_whole(server, count, size, pause=0.0):
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    link.request("GET", "/stream?%d-%d" % (count, size))
    answer = link.getresponse()
    assert answer.status == 200 and answer.getheader("Transfer-Encoding") == "chunked"
    data = b""
    while True:
        piece = answer.read(65536)
        if not piece:
            break
        data += piece
        time.sleep(pause)
    link.request("GET", "/after")  # the connection is good for the next
    assert link.getresponse().read().startswith(b"method [GET]")
    link.close()
    return data


@pytest.mark.parametrize("count,size", [(1, 12), (7, 65536), (1000, 1000), (20000, 40)])
def test_all_that_is_written_comes_in_order(count, size):
    with Server(threads=2) as server:
        for data in [one.result() for one in [Background(read_whole, server, count, size) for _ in range(4)]]:
            assert len(data) == count * size
            assert [int(number) for number in re.findall(rb"(\d{10}) ", data)] == list(range(count))


def test_a_slow_reader_gets_all_of_it():
    """Slower than it is written, faster than it would be cut off."""
    with Server(threads=1, stall_ms=20000) as server:
        assert len(read_whole(server, 400, 10000, 0.01)) == 4000000


def resident(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as text:
        return int(re.search(r"VmRSS:\s+(\d+) kB", text.read()).group(1))


def others_are_served(server):
    """Unless the machine stands still for longer than a reader may."""
    try:
        return read_whole(server, 100, 1000)[:10] == b"0000000000"
    except (OSError, http.client.HTTPException):
        return False


def test_who_takes_nothing_is_cut_off_and_costs_no_memory():
    with Server(threads=1, stall_ms=1000) as server:
        before = resident(server.process.pid)
        socks = []
        for _ in range(20):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", server.port))
            sock.sendall(ASK % (100000, 10000))
            socks.append(sock)
        assert until(lambda: others_are_served(server))  # meanwhile
        said = [server.process.stdout.readline().split()[0] for _ in socks]
        assert said == ["cut"] * 20
        assert resident(server.process.pid) - before < 20 * 400
        for sock in socks:
            sock.close()


def test_readers_that_go_at_any_moment():
    """Under a sanitizer this is the use-after-free test."""
    with Server(threads=2) as server:
        chance = random.Random(7)
        for round_ in range(150):
            sock = server.connect()
            sock.sendall(ASK % (chance.choice([0, 3, 100000]), chance.choice([12, 5000])))
            time.sleep(chance.choice([0, 0, 0.001, 0.004]))
            if round_ % 3 == 0:
                sock.recv(100)
            sock.close()
        assert len(read_whole(server, 10, 100)) == 1000


@pytest.mark.parametrize("reads", [True, False])
def test_the_server_stops_while_streams_are_open(reads):
    """Those that read get their end; nobody is waited for long."""
    server = Server(threads=2, stall_ms=60000)
    socks = [server.connect() for _ in range(8)]
    for sock in socks:
        sock.sendall(ASK % ((0, 100) if reads else (100000, 10000)))
        assert sock.recv(12) == b"HTTP/1.1 200"
    ends = [Background(to_end, sock) for sock in socks] if reads else []
    assert server.stop() < 30000  # [ms] not the minute that a reader may stand still for
    for end in ends:
        assert end.result().endswith(b"0\r\n\r\n")


def to_end(sock):
    data = b""
    while True:
        piece = sock.recv(65536)
        if not piece:
            return data
        data += piece


def test_http_1_0_ends_with_the_connection():
    with Server(threads=1) as server:
        answers = server.talk(b"GET /stream?3-100 HTTP/1.0\r\n\r\n")
        assert answers.closed and answers.data.endswith(b".") and answers.data.count(b"." * 80) == 3


def test_nothing_of_it_for_head():
    with Server(threads=1) as server:
        with server.connect() as sock:
            sock.sendall(b"HEAD /stream?3-100 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            data = to_end(sock)
        assert data.startswith(b"HTTP/1.1 200 ") and data.endswith(b"\r\n\r\n")
