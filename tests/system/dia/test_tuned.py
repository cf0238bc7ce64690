# SPDX-License-Identifier: Apache-2.0
"""A daemon as our role programs start it and one of the framework alone: what comes in one piece, in many, and by every way is
answered alike."""
import random
import socket

import pytest
from conftest import Daemon
from stack import BARE, STACK, bir

from peers import diameter as d
from peers.waiting import PATIENCE

REALM = "lab.test"


@pytest.fixture(scope="module", params=["as delivered", "the framework alone"])
def one(request, tmp_path_factory):
    environment = {} if request.param == "as delivered" else {"LD_PRELOAD": ""}
    hosts = ["naf%d.lab.test" % n for n in range(4)]  # each connects once: who comes back is held to watchdogs first
    with Daemon(tmp_path_factory.mktemp("tuned"), STACK, clients=hosts, environment=environment) as daemon:
        daemon.hosts = hosts
        yield daemon


class Raw:
    """A peer that writes what it likes, and reads all answers."""

    def __init__(self, one, pieces=lambda octets: [octets], behind_cer=0):
        self.sock = socket.create_connection(("127.0.0.1", one.port), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer = d.Connection(self.sock, one.hosts.pop(), REALM, [d.ZN])
        self.pieces, self.sent = pieces, 0
        cer = d.Message(d.CER, 0, self.peer.capabilities(), d.R, 1, 1).encode()
        self.write(cer + self.encode([bir(self.peer) for _ in range(behind_cer)]))
        assert d.Message.decode(self.peer.read_message()).result() == (0, 2001)

    def encode(self, messages):
        octets = b""
        for message in messages:
            self.sent += 1
            message.hbh = message.e2e = self.sent
            octets += message.encode()
        return octets

    def write(self, octets):
        for piece in self.pieces(octets):
            self.sock.sendall(piece)

    def results(self, count):
        """Of so many answers, by hop-by-hop id; each comes once."""
        got = {}
        while len(got) < count:
            message = d.Message.decode(self.peer.read_message())
            if message.flags & d.R:
                continue  # a watchdog
            assert message.hbh not in got
            got[message.hbh] = message.result()
        return got

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()


def padded(peer, octets):
    message = bir(peer)
    message.avps += [d.Avp(70000, b"x" * octets, m=False)] if octets else []
    return message


def in_random_pieces(octets):
    chance = random.Random(7)
    while octets:
        n = chance.choice((1, 2, 3, 4, 5, 19, 20, 21, 500, 5000, 40000))
        yield octets[:n]
        octets = octets[n:]


@pytest.mark.parametrize("pieces", [lambda octets: [octets], in_random_pieces], ids=["at once", "in pieces"])
def test_messages_that_come_together_are_each_answered_once(one, pieces):
    """Short ones and some longer than what is received at once, in one write and in many."""
    with Raw(one, pieces) as raw:
        sizes = [0, 0, 3, 16000, 0, 17000, 40000, 0, 1, 2] * 12
        raw.write(raw.encode([padded(raw.peer, n) for n in sizes]))
        got = raw.results(len(sizes))
        assert set(got) == set(range(1, len(sizes) + 1)) and set(got.values()) == {(0, 2001)}


def test_what_follows_a_cer_at_once_is_not_lost(one):
    with Raw(one, behind_cer=5) as raw:
        assert set(raw.results(5).values()) == {(0, 2001)}


@pytest.mark.parametrize("environment", [{}, {"LD_PRELOAD": ""}], ids=["as delivered", "the framework alone"])
def test_a_decorated_nai_goes_the_way_of_the_framework(daemon, environment):
    """RFC 5729 4.4: the User-Name names a realm to go through, which nobody here serves. (The guard would refuse it.)"""
    with daemon(BARE, environment=environment).client() as peer:
        assert peer.request(bir(peer)).result() == (0, 2001)
        message = bir(peer)  # for the realm: no Destination-Host
        message.avps.append(d.text(1, "other.test!alice@lab.test"))
        assert peer.request(message).result() == (0, 3002)
