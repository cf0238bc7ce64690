# SPDX-License-Identifier: Apache-2.0
"""gba-ue as the CoAP device in front of gba-naf-coap: tokens that end, keys that come late, what passes.

REQ: OBF-11.1-3"""
import os
import time

from coap_harness import header


def test_it_opens_the_application(world, naf, ue):
    """REQ: Y3056-10.5-2c"""
    ue.bootstrap()
    ue.known()
    status, got = ue.get(naf)
    assert status == 0 and (got["code"], got["tls"], got["suite"]) == ("2.05", "dtls1.2", "ccac"), got
    assert header(world.http.requests[0][0], "x-3gpp-asserted-identity") == ['"sip:ue@example.com"']


def test_blocks_both_ways(world, naf, ue):
    ue.bootstrap()
    ue.known()
    body = os.urandom(7000).hex().encode()
    world.http.answer = lambda head, octets: b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(octets) + octets
    status, got = ue.get(naf, "/echo", "--data", body.decode(), "--header", "Content-Type: text/plain")
    assert status == 0 and got["body"].encode() == body == world.http.requests[0][1]


def test_a_token_that_was_taken_back(world, naf, ue):
    """The handshake is refused: one bootstrapping, and the application is open again. REQ: Y3056-10.5-1d"""
    first, ue.teach = ue.bootstrap(), True  # the agent knows nothing of the first
    status, got = ue.get(naf)
    assert status == 0 and got["rebootstrapped"] and got["btid"] == ue.bsf.order[1] != first, got


def test_an_application_that_wants_another_token(world, naf, ue):
    """4.01, in a session that stands: another one, once; who says it again is believed, and nobody bootstraps for ever."""
    ue.teach = True
    ue.bootstrap()
    answers = [b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"]
    world.http.answer = lambda head, octets: answers[min(len(world.http.requests), 2) - 1]
    status, got = ue.get(naf)
    assert status == 0 and got["rebootstrapped"] and got["body"] == "ok", got
    world.http.answer = lambda head, octets: answers[0]
    status, got = ue.get(naf)
    assert status == 4 and got["code"] == "4.01" and len(ue.bsf.order) == 3, got


def test_a_key_that_comes_late(world, ue):
    """gba-naf-coap is silent while it has none; the next handshake of the same call finds it, and no token is wasted."""
    one = world.naf(wait=0)
    ue.bootstrap()
    ue.known()
    status, got = ue.get(one)
    assert status == 0 and not got["rebootstrapped"] and len(ue.bsf.order) == 1, got


def test_a_long_answer_that_comes_late(world, naf, ue):
    """In blocks, though the first of them is no acknowledgement (RFC 7252 5.2.2, RFC 7959 2.4)."""
    ue.teach = True
    ue.bootstrap()
    body, until_then = os.urandom(3000).hex().encode(), time.monotonic() + 1.5

    def answer(head, octets):
        time.sleep(max(0, until_then - time.monotonic()))
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    world.http.answer = answer
    status, got = ue.get(naf)
    assert status == 0 and got["body"].encode() == body, got
    assert len(world.http.requests) == 1
