# SPDX-License-Identifier: Apache-2.0
"""A BSF that asks and asks and takes its answers slowly, or not at all: the others are served all the same, and it is hung up on. All
answers leave through one queue, and the framework waits for the slowest."""
import socket
import struct
import threading
import time

import pytest

from peers import diameter as d
from peers.waiting import PATIENCE, until
from zhlab import BSF, BSF2, REALM, Node

BSFS = '( { identity = "%s"; ind = 1; realms = [ "lab.test" ]; }, { identity = "%s"; ind = 2; realms = [ "lab.test" ]; } )' % (BSF, BSF2)


class SlowPeer:
    """Sends MARs as fast as they are taken; reads `octets` every 0.2 s (0: never)."""

    def __init__(self, port, octets):
        self.sent, self.gone = 0, threading.Event()
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.connect(("127.0.0.1", port))
        self.peer = d.Connection(self.sock, BSF2, REALM, [d.ZH])
        self.sock.sendall(d.Message(d.CER, 0, self.peer.capabilities(), d.R, 1, 1).encode())
        assert d.Message.decode(self.peer.read_message()).result() == (0, 2001)
        for work in (self.flood, self.drip):
            threading.Thread(target=work, args=(octets,), daemon=True).start()

    def flood(self, _):
        mar = d.mar(self.peer, "alice@lab.test")
        mar.hbh = mar.e2e = 1
        octets = mar.encode()
        try:
            while not self.gone.is_set():
                batch = b"".join(octets[:12] + struct.pack("!II", n, n) + octets[20:] for n in range(self.sent + 1, self.sent + 65))
                self.sock.sendall(batch)
                self.sent += 64
        except OSError:
            pass
        self.gone.set()

    def drip(self, octets):
        try:
            while octets and not self.gone.is_set() and self.sock.recv(octets):
                time.sleep(0.2)
        except OSError:
            pass

    def close(self):
        self.gone.set()
        self.sock.close()


@pytest.fixture(params=["queues of the framework", "queues of ours"])
def node(request, tmp_path, monkeypatch):
    one = Node(tmp_path, bsfs=BSFS, guard="end-limit = 700;\n", start=False)  # its flood waits to be read
    one.add("alice@lab.test")
    if request.param == "queues of the framework":
        monkeypatch.setenv("LD_PRELOAD", "")
    one.start()
    monkeypatch.undo()
    yield one
    one.stop()


@pytest.mark.parametrize("octets", [0, 2048])
def test_a_peer_that_takes_its_answers_slowly_holds_nobody_up(node, octets):
    with node.peer(BSF) as good:
        assert good.request(d.mar(good, "alice@lab.test"), PATIENCE).result() == (0, 2001)
        slow = until(lambda: connected(node, octets))
        results = []
        while not slow.gone.is_set():  # each is answered; TOO_BUSY is an answer to a flood
            answer = good.request(d.mar(good, "alice@lab.test"), PATIENCE)
            assert answer is not None, "no answer while another peer is slow"
            results.append(answer.result())
            time.sleep(0.05)
            assert len(results) < 20 * PATIENCE, "the slow peer stays"
        assert set(results) <= {(0, 2001), (0, 3004)} and slow.sent > 1000
        assert until(lambda: good.request(d.mar(good, "alice@lab.test"), PATIENCE).result() == (0, 2001))
        slow.close()
    assert node.daemon.alive()


def connected(node, octets):
    """The daemon listens a moment before it takes CERs."""
    try:
        return SlowPeer(node.daemon.port, octets)
    except (struct.error, OSError):
        return None
