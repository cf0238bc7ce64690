# SPDX-License-Identifier: Apache-2.0
"""Session control on the application's side: what it is told of a token, what it can say of it, and the site's own conditions.
REQ: Y3056-9.5-1b, Y3056-9.5-6, Y3056-9.6.4-2, Y3056-9.6.4-4"""
import itertools
import time

import pytest

from peers.waiting import until
from proxy_harness import NAF, NAF2, STREAM, TLS13_PSK, Client, Digest, btid_of, header, q, s_client, ua_id
from test_proxy_revoked import Device

numbers = itertools.count(90000)
CHALLENGE = "3GPP-bootstrapping@" + NAF


@pytest.fixture(scope="module")
def own(world):
    return world.proxy([world.site(token_info="true", token_control="true"),
                        world.site(NAF2, certificate=q(world.authority.issue(NAF2)[0]), private_key=q(world.authority.issue(NAF2)[1]),
                                   token_max_age="600", token_2g="false"),
                        world.psk_site(STREAM, mode=q("stream"), token_max_age="600")], workers=2)


def says(word, more=b""):
    def answer(head, body):
        told = b"" if word is None else b"X-GBA-Token-Control: " + word + b"\r\n"
        return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + told + more + b"\r\nhello"
    return answer


def device(world, proxy, fqdn=NAF, **values):
    """A device with Digest: its (B-TID, Digest that holds a challenge)."""
    btid, key = world.agent.add(next(numbers), fqdn, **values)
    with Client(proxy.http) as client:
        return btid, Digest(btid, key).take(client.ask(host=fqdn))


def ask(proxy, digest, fqdn=NAF, headers=(), **request):
    with Client(proxy.http) as client:
        return client.ask(request.get("method", "GET"), "/", [digest.header(request.get("method", "GET"), **({"body": request["body"]} if "body" in request else {}))] + list(headers),
                          request.get("body", b""), host=fqdn)


def refused(proxy, digest):
    """False, too, when the news comes in the middle: that answer is cut."""
    try:
        return ask(proxy, digest).status == 401
    except (OSError, AttributeError):
        return False


def test_the_application_is_told_the_token(world, own):
    btid, digest = device(world, own, created=1700000000)
    reply = ask(own, digest, headers=["X-GBA-Token: btid=\"forged\"", "x_gba_token: forged", "X-GBA-Anything: forged", "X-Gba.Token: forged"])
    assert reply.status == 200
    head = world.app.requests[-1][0]
    expires = int(world.agent.keys[btid, NAF, "0100000002"]["expiry"])
    assert header(head, "x-gba-token") == ['btid="%s", ua="0100000002", key=me, type=3g, bootstrapped=1700000000, expires=%d' % (btid, expires)]
    assert b"forged" not in head


@pytest.mark.parametrize("version,ua", [("1.2", ua_id(0x00a8)), ("1.3", TLS13_PSK)])
def test_and_of_psk_tls_too(world, own, version, ua):
    btid, key = world.agent.add(next(numbers), NAF, ua, created=1700000001)
    with Device(own, btid, key, version) as phone:
        assert phone.ask() == 200
    told = header(world.app.requests[-1][0], "x-gba-token")
    assert len(told) == 1 and told[0].startswith('btid="%s", ua="%s", key=me, type=3g, bootstrapped=1700000001, expires=' % (btid, ua))


def test_renew_is_the_renegotiation_indication(world, own):
    btid, digest = device(world, own)
    assert ask(own, digest).status == 200
    world.app.answer = says(b"renew", b"Set-Cookie: of-the-refused=1\r\n")
    reply = ask(own, digest)
    assert reply.status == 401 and CHALLENGE in reply.get("www-authenticate") and "stale" not in reply.get("www-authenticate")
    assert b"hello" not in reply.body and reply.get("set-cookie") is None and reply.get("x-gba-token-control") is None
    assert until(lambda: (btid, NAF) in world.agent.limits) and world.agent.limits[btid, NAF] <= time.time() + 1
    world.app.answer = None
    assert until(lambda: refused(own, digest))  # by whichever worker
    other, fresh = device(world, own)
    assert ask(own, fresh).status == 200  # the newer token
    assert (other, NAF) not in world.agent.limits


def test_renew_in_answer_to_a_body_that_is_on_its_way(world, own):
    _, digest = device(world, own)
    world.app.answer = says(b"renew")
    assert ask(own, digest, method="POST", body=b"x" * 100000).status == 401


def test_renew_ends_a_psk_session_with_the_indication(world, own):
    btid, key = world.agent.add(next(numbers), NAF, ua_id(0x00a8))
    with Device(own, btid, key) as phone, Device(own, btid, key) as second:
        assert second.ask() == 200
        world.app.answer = says(b"renew")
        assert phone.ask() == 401 and phone.ended() and second.ended()
    assert b"HTTP" not in s_client(own.tls, "3GPP-bootstrapping;" + btid, key, b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % NAF.encode())[0]


def test_revoke_lets_the_answer_through_and_ends_the_rest(world, own):
    btid, key = world.agent.add(next(numbers), NAF, ua_id(0x00a8))
    with Device(own, btid, key) as phone, Device(own, btid, key) as second:
        assert second.ask() == 200
        world.app.answer = says(b"revoke")
        assert phone.ask() == 200 and phone.ended() and second.ended()
        world.app.answer = None
    _, digest = device(world, own)
    world.app.answer = says(b"revoke")
    reply = ask(own, digest)
    assert reply.status == 200 and reply.body == b"hello" and reply.get("x-gba-token-control") is None
    world.app.answer = None
    assert until(lambda: refused(own, digest))


def test_a_shorter_life(world, own):
    btid, digest = device(world, own)
    world.app.answer = says(b"lifetime=2")
    assert ask(own, digest).status == 200
    assert until(lambda: (btid, NAF) in world.agent.limits)
    limit = world.agent.limits[btid, NAF]
    world.app.answer = None
    assert until(lambda: time.time() > limit)
    world.agent.revoke(btid, NAF)  # as the agent does when the instant comes
    assert until(lambda: refused(own, digest))
    assert world.agent.limits[btid, NAF] == limit


@pytest.mark.parametrize("word", [b"Renew", b"renew, revoke", b"lifetime", b"lifetime=", b"lifetime=-1", b"lifetime=1s", b"lifetime=9999999999", b"",
                                  b"renew\r\nX-GBA-Token-Control: renew"])
def test_what_is_not_understood_is_a_fault_of_the_application(world, own, word):
    btid, digest = device(world, own)
    world.app.answer = says(word)
    reply = ask(own, digest)
    assert reply.status == 502 and b"hello" not in reply.body
    assert (btid, NAF) not in world.agent.limits


def test_without_token_control_it_is_no_word_of_the_application_and_goes_nowhere(world, own):
    btid, digest = device(world, own, NAF2, created=time.time())
    world.app.answer = says(b"renew")
    reply = ask(own, digest, NAF2)
    assert reply.status == 200 and reply.get("x-gba-token-control") is None and (btid, NAF2) not in world.agent.limits
    assert header(world.app.requests[-1][0], "x-gba-token") == []


def test_conditions_of_the_site(world, own):
    _, young = device(world, own, NAF2, created=time.time() - 100)
    _, old = device(world, own, NAF2, created=time.time() - 700)
    _, second = device(world, own, NAF2, created=time.time(), type=1)
    _, ageless = device(world, own, NAF2)
    assert ask(own, young, NAF2).status == 200
    reply = ask(own, old, NAF2)
    assert reply.status == 401 and "3GPP-bootstrapping@" + NAF2 in reply.get("www-authenticate")
    assert ask(own, second, NAF2).status == 403 and ask(own, ageless, NAF2).status == 403
    assert len(world.app.requests) == 1


def test_conditions_hold_for_streams(world, own):
    world.app.on_connection = lambda sock: sock.recv(65536) and sock.sendall(b"welcome") or sock.recv(1)
    for age, want in ((100, b"welcome"), (700, b"")):
        btid, key = world.agent.add(next(numbers), STREAM, ua_id(0x00a8), created=time.time() - age)
        with Device(own, btid, key, name=STREAM) as phone:
            phone.send(b"hello\n")
            assert phone.process.stdout.read(7) == want
    assert btid_of(1) not in own.log()  # no B-TID in it but those that came
