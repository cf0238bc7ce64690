# SPDX-License-Identifier: Apache-2.0
"""An application that is slow holds nobody but those who asked it: answers that come later, their limits, and what ends them."""
import threading

import pytest

from coap_harness import GET, metrics_have, until
from test_naf_coap import answering

MAX_AGE = 14


@pytest.fixture
def slow(world):
    """Paths with "hang" in them wait for release.set()."""
    release = threading.Event()

    def answer(head, body):
        if b"/hang" in head:
            release.wait(30)
        return answering(b"hello")(head, body)
    world.http.answer = answer
    yield release
    release.set()


class Asking(threading.Thread):
    """A request under way."""

    def __init__(self, device, path="/hang", **more):
        super().__init__(daemon=True)
        self.device, self.path, self.more, self.reply = device, path, more, None
        self.start()

    def run(self):
        self.reply = self.device.ask(GET, self.path, **self.more)

    def get(self):
        self.join(30)
        return self.reply


def hanging(world):
    return sum(b"/hang" in head for head, _ in world.http.requests)


def test_others_go_on(world, naf, slow):
    """Known and new devices; the one that waits is told that its request is here, asks the application once however often it sends
    again, and gets its answer in a message of its own (RFC 7252 5.2.2)."""
    (btid, key), _ = world.key()
    (warm, warm_key), _ = world.key()
    (cold, cold_key), _ = world.key()
    with naf.device(btid, key) as device, naf.device(warm, warm_key) as other:
        assert device.ask().code == other.ask().code == "2.05"
        assert until(lambda: other.ask().kind == 2)  # quick: with the acknowledgement
        waiting = Asking(device)
        assert until(lambda: hanging(world) == 1)
        assert [other.ask().code for _ in range(5)] == ["2.05"] * 5
        with naf.device(cold, cold_key) as new:
            assert new.ask().code == "2.05"
        assert until(lambda: (0, b"") in device.acknowledged)  # empty, no answer yet
        metrics_have(naf.metrics, "gba_coap_requests_waiting 1")
        assert waiting.reply is None
        slow.set()
        reply = waiting.get()
        assert (reply.code, reply.kind, reply.body) == ("2.05", 0, b"hello")
    assert hanging(world) == 1
    metrics_have(naf.metrics, "gba_coap_requests_waiting 0")


def test_no_more_than_so_many_wait(world, slow):
    one = world.naf(max_requests=1)
    (btid, key), _ = world.key()
    (other, other_key), _ = world.key()
    with one.device(btid, key) as device, one.device(other, other_key) as late:
        waiting = Asking(device)
        assert until(lambda: hanging(world) == 1)
        reply = late.ask()
        assert reply.code == "5.03" and reply.option(MAX_AGE) == [b"\1"]
        slow.set()
        assert waiting.get().code == "2.05" and late.ask().code == "2.05"
    metrics_have(one.metrics, "gba_coap_requests_busy_total 1")


def test_one_device_takes_no_more_than_its_share(world, naf, slow):
    """RFC 7252 4.7 has it ask one thing at a time; RFC 8516."""
    (btid, key), _ = world.key()
    with naf.device(btid, key) as device:
        assert device.ask().code == "2.05"
        for number in range(8):
            device.post("/hang")
            assert until(lambda: hanging(world) == number + 1)
        assert device.ask().code == "4.29"
        slow.set()
        assert until(lambda: device.ask().code == "2.05")
    metrics_have(naf.metrics, "gba_coap_requests_waiting 0")


def test_without_confirmation(world, naf, slow):
    (btid, key), _ = world.key()
    with naf.device(btid, key) as device:
        assert device.ask(kind=1).kind == 1
        waiting = Asking(device, kind=1)
        assert until(lambda: hanging(world) >= 1)
        slow.set()
        reply = waiting.get()
        assert (reply.code, reply.kind) == ("2.05", 1)


def test_a_token_that_is_taken_back_meanwhile(world, naf, slow):
    """REQ: Y3056-9.4.1-6: what the application said is not for this device any more."""
    (btid, key), _ = world.key()
    with naf.device(btid, key) as device:
        waiting = Asking(device)
        assert until(lambda: hanging(world) == 1)
        world.agent.revoke(btid)
        with naf.device(*world.key()[0]) as other:  # what is asked after the notice comes after it
            assert other.ask().code == "2.05"
        slow.set()
        assert waiting.get().code == "4.01"


def test_an_application_that_speaks_coap(world, coap_naf):
    """Its silence to one holds no other, though all go over one socket."""
    (btid, key), _ = world.key()
    (other, other_key), _ = world.key()
    with coap_naf.device(btid, key) as device, coap_naf.device(other, other_key) as quick:
        assert quick.ask().code == "2.05"
        world.coap.requests.clear()
        world.coap.answer = None
        waiting = Asking(device)
        assert until(lambda: world.coap.requests)
        world.coap.answer = (69, [], b"quick")
        assert quick.ask(GET, "/quick").body == b"quick"
        assert waiting.get().code in ("5.04", "2.05")  # the request is sent again to the application, too


def test_it_ends_while_one_waits(world, slow):
    one = world.naf()
    (btid, key), _ = world.key()
    with one.device(btid, key) as device:
        assert device.ask().code == "2.05"
        device.post("/hang")
        assert until(lambda: hanging(world) == 1)
        assert one.stop() == 0
