# SPDX-License-Identifier: Apache-2.0
"""What an application behind gba-naf-coap learns of a device and what it never sees; what happens when keys end or cannot be had.

REQ: OBF-11.1-3"""
import json
import os
import shutil
import signal
import subprocess
import threading

import pytest

from coap_harness import (ACCEPT, CBOR, CONTENT_FORMAT, DELETE, GET, GSID, IDENTITY, JSON, NAME, OCTETS, PATIENCE, POST, PROGRAM, PROXY_URI, PUT, TEXT, UNREACHABLE,
                          URI_HOST, URI_PATH, URI_QUERY, alerts, btid_of, free_port, header, metrics_have, q, undisturbed, until)
from peers import cbor

IMPI = "001010000000001@ims.example"


def answering(octets, media="text/plain", status="200 OK"):
    return lambda head, body: ("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (status, media, len(octets))).encode() + octets


def lines_of(head):
    return [line.split(":")[0].lower() for line in (head.decode() if isinstance(head, bytes) else "\r\n".join(head)).split("\r\n")[1:] if line]


# ---- identities: the pseudonym or what the settings allow, the IMPI only where it is named and told

@pytest.mark.parametrize("policy,impi,uss,told", [
    (None, IMPI, {GSID: (["u", "tel:+1"], [7])}, '"u", "tel:+1"'), (None, IMPI, {}, None), ("uids-btid", IMPI, {}, "BTID"),
    ("uids-impi", IMPI, {}, '"%s"' % IMPI), ("uids-impi", IMPI, {GSID: (["u"], [])}, '"u"'), ("uids-impi", None, {}, None),
    ("uids-impi-btid", None, {}, "BTID"), ("btid", IMPI, {GSID: (["u"], [])}, "BTID"), ("impi", IMPI, {GSID: (["u"], [])}, '"%s"' % IMPI),
    ("impi", None, {GSID: (["u"], [])}, None), ("uids", IMPI, {GSID: (['bad"quote', "a b"], [])}, None)])
@pytest.mark.parametrize("kind", ["http", "coap"])
def test_identity_policies(world, naf, coap_naf, kind, policy, impi, uss, told):
    """REQ: Y3056-9.6.2-2"""
    one = {"http": naf, "coap": coap_naf}[kind] if policy is None else \
        world.naf(None if kind == "http" else "coap://127.0.0.1:%d" % world.coap.port, identity=q(policy))
    (btid, key), _ = world.key(impi=impi, uss=uss)
    with one.device(btid, key) as device:
        reply = device.ask(GET, "/x", [(ACCEPT, bytes([TEXT]))] if kind == "coap" else [])
    if told is None:
        assert reply.code == "4.03" and world.http.requests == [] and world.coap.requests == []
        return
    told = told.replace("BTID", '"%s"' % btid)
    if kind == "http":
        head = world.http.requests[0][0]
        assert header(head, "x-3gpp-asserted-identity") == [told] and header(head, "x-forwarded-user") == [told.split('"')[1]]
        seen = repr(world.http.requests)
    else:
        assert [value for number, value in world.coap.requests[0][1] if number == IDENTITY] == [told.encode()]
        seen = repr(world.coap.requests)
    assert (IMPI in seen) == (told == '"%s"' % IMPI)
    if policy is not None:
        assert one.stop() == 0


def test_flags_where_they_are_wanted(world):
    one = world.naf(flags_header="true")
    (btid, key), _ = world.key(7, 9)
    with one.device(btid, key) as device:
        assert device.ask().code == "2.05"
    assert header(world.http.requests[0][0], "x-3gpp-authorization-flags") == ['"7", "9"']


# ---- nothing else passes

def test_no_option_becomes_a_header(world, naf):
    """Line ends and headers in paths, queries and options stay where they are, or the request is refused."""
    (btid, key), user = world.key()
    forged = b'x\r\nX-3GPP-Asserted-Identity: "boss"\r\nx'
    with naf.device(btid, key) as device:
        for options in ([(URI_PATH, forged)], [(URI_QUERY, forged)], [(IDENTITY, b'"boss"')], [(65000, forged)], [(2048, b'"boss"')],
                        [(URI_PATH, b"a/../../b")], [(URI_PATH, b"a b"), (URI_QUERY, b"c d#e")]):
            assert device.ask(GET, "/a", options).code == "2.05"
    assert len(world.http.requests) == 7
    for head, _ in world.http.requests:
        assert header(head, "x-3gpp-asserted-identity") == ['"%s"' % user]
        assert set(lines_of(head)) <= {"host", "accept", "x-3gpp-asserted-identity", "x-forwarded-user"}
    texts = [head.decode() if isinstance(head, bytes) else head[0] for head, _ in world.http.requests]
    assert any("/a/a%2F..%2F..%2Fb" in text for text in texts) and any("/a/a%20b?c%20d%23e" in text for text in texts)


def test_what_a_coap_application_sees(world, coap_naf):
    """The options a resource needs; ours; no other, whoever sent it."""
    (btid, key), user = world.key()
    with coap_naf.device(btid, key) as device:
        reply = device.ask(POST, "/a/b?c=d", [(URI_HOST, NAME.upper().encode()), (CONTENT_FORMAT, bytes([OCTETS])), (ACCEPT, b""), (IDENTITY, b'"boss"'),
                                             (IDENTITY, b""), (IDENTITY + 2, b"x"), (4, b"tag"), (2048, b'"boss"')], b"\x00\xff")
    assert (reply.code, reply.body) == ("2.05", b"hello")
    assert world.coap.requests == [(2, [(4, b"tag"), (11, b"a"), (11, b"b"), (12, bytes([OCTETS])), (15, b"c=d"), (17, b""),
                                        (IDENTITY, b'"%s"' % user.encode())], b"\x00\xff")]


@pytest.mark.parametrize("options,code", [([(URI_PATH, b"..")], "4.00"), ([(URI_PATH, b"a"), (URI_PATH, b".")], "4.00"),
                                          ([(URI_HOST, b"elsewhere.example.com")], "4.00"), ([(65001, b"?")], "4.02"),
                                          ([(PROXY_URI, b"coap://127.0.0.1/")], "5.05")])
def test_refused_options(world, naf, coap_naf, options, code):
    """RFC 7252 5.10.1 (dots), 5.4.1 (unknown critical), 5.10.2 (we are no proxy); a name that the key is not for."""
    (btid, key), _ = world.key()
    for one in (naf, coap_naf):
        with one.device(btid, key) as device:
            assert device.ask(GET, "/", options).code == code
    assert world.http.requests == [] and world.coap.requests == []


def test_other_methods(world, naf, coap_naf):
    """RFC 8132: an application that speaks CoAP has them, HTTP does not."""
    (btid, key), _ = world.key()
    with naf.device(btid, key) as device, coap_naf.device(btid, key) as other:
        for method in (5, 6, 7):
            assert device.ask(method, "/x").code == "4.05" and other.ask(method, "/x").code == "2.05"
    assert world.http.requests == [] and [code for code, _, _ in world.coap.requests] == [5, 6, 7]


# ---- formats and codes

@pytest.mark.parametrize("options,answer,want", [
    ([], answering(b"hello"), ("2.05", TEXT, b"hello")),
    ([], answering(b'{"seq":1}', "application/json"), ("2.05", CBOR, cbor.encode({2: 1}))),
    ([(ACCEPT, bytes([JSON]))], answering(b'{"seq":1}', "application/json; charset=utf-8"), ("2.05", JSON, b'{"seq":1}')),
    ([(ACCEPT, bytes([JSON]))], answering(b"hello"), ("4.06", None, b"")),
    ([(ACCEPT, b"")], answering(b"hello", "text/plain;charset=utf-8"), ("2.05", TEXT, b"hello")),
    ([], answering(b"\x00\x01", "image/png"), ("2.05", OCTETS, b"\x00\x01")),
    ([(ACCEPT, b"")], answering(b'{"title":"no"}', "application/problem+json", "404 Not Found"), ("4.04", JSON, b'{"title":"no"}')),
    ([], answering(b"", "text/plain", "503 Busy"), ("5.03", None, b"")), ([], answering(b"", "text/plain", "429 Slow"), ("4.29", None, b"")),
    ([], answering(b"", "text/plain", "502 Bad"), ("5.02", None, b""))])
def test_answers(world, naf, options, answer, want):
    (btid, key), _ = world.key()
    world.http.answer = answer
    with naf.device(btid, key) as device:
        reply = device.ask(GET, "/x", options)
    form = reply.option(CONTENT_FORMAT)
    assert (reply.code, int.from_bytes(form[0], "big") if form else None, reply.body) == want


def test_bodies(world, naf):
    (btid, key), _ = world.key()
    with naf.device(btid, key) as device:
        assert device.ask(PUT, "/x", [(CONTENT_FORMAT, b"")], b"47.1").code == "2.05"
        assert device.ask(POST, "/x", [(CONTENT_FORMAT, bytes([CBOR]))], cbor.encode({2: 7})).code == "2.05"
        world.http.answer = lambda head, body: b"HTTP/1.1 204 No Content\r\n\r\n"
        assert device.ask(DELETE, "/x").code == "2.02"
        assert device.ask(PUT, "/x", [(CONTENT_FORMAT, bytes([OCTETS]))], b"\0").code == "2.04"
        assert device.ask(PUT, "/x", [(CONTENT_FORMAT, b"\x27\x0f")], b"x").code == "4.15"
    (text, octets) = [body for _, body in world.http.requests][:2]
    assert text == b"47.1" and json.loads(octets) == {"seq": 7}
    assert [header(head, "content-type") for head, _ in world.http.requests] == [
        ["text/plain;charset=utf-8"], ["application/json"], [], ["application/octet-stream"]]


def test_a_coap_application_that_is_silent(world):
    """A time limit, and the next requests are answered."""
    one = world.naf("coap://127.0.0.1:%d" % world.coap.port, upstream_timeout=1000)
    (btid, key), _ = world.key()
    with one.device(btid, key) as device:
        world.coap.answer = None
        assert device.ask(GET, "/x").code == "5.04"
        world.coap.answer = (132, [], b"")
        assert until(lambda: device.ask(GET, "/y").code == "4.04")
    assert one.stop() == 0


@pytest.mark.skipif(not all(map(shutil.which, ("coap-server-openssl", "coap-client-openssl"))), reason="libcoap3-bin is not installed")
def test_libcoaps_programs_at_both_ends(world, tmp_path):
    """What is longer than a datagram goes in blocks (RFC 7959), both ways; discovery is the application's (RFC 6690)."""
    port, key, body = free_port(), b"k" * 32, os.urandom(5000).hex().encode()
    btid, _ = world.agent.add(31000, fqdn=NAME, ua_id="010001ccac", key=key, uss={GSID: (["sip:u@example.com"], [])})
    (tmp_path / "body").write_bytes(body)
    one = world.naf("coap://127.0.0.1:%d" % port)

    def ask(path, *words):
        out = tmp_path / "out"
        out.unlink(missing_ok=True)
        subprocess.run(["coap-client-openssl", "-B", "60", "-u", "3GPP-bootstrapping;" + btid, "-k", key, "-o", str(out), *words,
                        "coaps://127.0.0.1:%d%s" % (one.port, path)], capture_output=True, timeout=120, check=True)
        return out.read_bytes() if out.exists() else b""
    with subprocess.Popen(["coap-server-openssl", "-A", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            assert until(lambda: b"</time>" in ask("/.well-known/core"))
            ask("/example_data", "-m", "put", "-f", str(tmp_path / "body"), "-t", "0")
            assert ask("/example_data") == body
        finally:
            server.kill()


# ---- the end of keys

def test_taken_back(world, naf):
    """A session stands, its token is revoked: no further request passes. REQ: Y3056-9.4.1-6"""
    (btid, key), _ = world.key()
    (other, other_key), _ = world.key()
    with naf.device(btid, key) as device, naf.device(other, other_key) as bystander:
        assert device.ask().code == bystander.ask().code == "2.05"
        world.agent.revoke(btid)
        assert until(lambda: device.ask().code == "4.01")
        assert bystander.ask().code == "2.05"


def test_expired(world, naf):
    """REQ: Y3056-9.3-7"""
    def opened():
        device = naf.device(*world.key(life=3)[0])
        return device, device.ask().code
    device, code = undisturbed(opened, 1.9)
    with device:
        assert code == "2.05" and until(lambda: device.ask().code == "4.01")


def test_agent_away_and_back(world, naf):
    """Notices may have been lost: the token that has ended is found out, the other goes on, also while nobody can be asked."""
    (btid, key), _ = world.key()
    (gone, gone_key), _ = world.key()
    with naf.device(btid, key) as device, naf.device(gone, gone_key) as ended:
        assert device.ask().code == ended.ask().code == "2.05"
        del world.agent.keys[next(name for name in world.agent.keys if name[0] == gone)]
        world.agent.hang_up()
        assert until(lambda: ended.ask().code == "4.01")
        assert device.ask().code == "2.05"
        world.agent.error = UNREACHABLE
        world.agent.hang_up()
        assert [device.ask().code for _ in range(3)] == ["2.05"] * 3


# ---- keys that cannot be had

def test_nobodys_key(world, naf):
    (btid, key), _ = world.key()
    for name, secret in ((btid_of(990001), key), (btid, key[::-1])):
        with naf.device(name, secret) as device:
            assert device.ask(patience=3) is None
    assert world.http.requests == []
    with naf.device(btid_of(990001), key) as device:
        assert until(lambda: device.process.poll() is not None)
        assert alerts(device.close()), "an alert tells the device to bootstrap again"
    assert [asked[0] for asked in world.agent.asked].count(btid_of(990001)) == 1  # the second time it was known


def test_a_fault_of_ours_is_silence(world):
    """No alert that makes the device bootstrap again; who is known goes on meanwhile, and the device's next attempt finds its key."""
    one = world.naf(wait=50, wait_share=10)
    (btid, key), _ = world.key()
    (warm, warm_key), _ = world.key()

    def answered(name, secret):
        with one.device(name, secret) as device:
            reply = device.ask(patience=2)
            return reply is not None and reply.code == "2.05"
    assert until(lambda: answered(warm, warm_key))
    world.agent.hold(btid)
    with one.device(warm, warm_key) as known:
        assert known.ask().code == "2.05"
        with one.device(btid, key) as cold:
            assert cold.ask(patience=1) is None
            assert known.ask().code == "2.05"
            world.agent.release()
            assert not alerts(cold.close())
    assert until(lambda: answered(btid, key))
    assert [asked[0] for asked in world.agent.asked].count(btid) == 1


def test_mistakes_are_named(world, tmp_path):
    for line, words in (('upstream = "ftp://x:1";', "upstream"), ('upstream = "http://x";', "upstream"), ('upstream = "coap://[::1]:0";', "upstream"),
                        ('upstream = "unix:/a";\nidentity = "all";', "identity"), ('upstream = "http://a/b:80";', "upstream")):
        (tmp_path / "conf").write_text('fqdn = "a.example";\n' + line + "\n")
        done = subprocess.run([PROGRAM, "--check-config", str(tmp_path / "conf")], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0 and words in done.stderr, (line, done)


def test_an_application_that_is_not_there(world):
    one = world.naf("http://127.0.0.1:1")
    (btid, key), _ = world.key()
    with one.device(btid, key) as device:
        assert device.ask().code == "5.02"
    metrics_have(one.metrics, "gba_coap_handshakes_total 1", "gba_coap_handshakes_refused_total 0", "gba_coap_requests_total 1",
                 "gba_coap_requests_ended_total 0")


def test_hangup_changes_what_can_change_and_keeps_sessions(world):
    """In force at once, also for sessions that stand; what has to wait for a restart is said; a file that is not good changes nothing."""
    one = world.naf()
    conf = (one.folder / "conf").read_text()

    def hang_up(text, said):
        (one.folder / "conf").write_text(text)
        os.rename(one.folder / "log", one.folder / "log.1")
        one.process.signal(signal.SIGHUP)
        assert until(lambda: said in one.log()), one.log()
    (btid, key), user = world.key()
    with one.device(btid, key) as device:
        def told():
            assert device.ask().code == "2.05"
            return header(world.http.requests[-1][0], "x-3gpp-asserted-identity")
        assert told() == ['"%s"' % user]
        hang_up(conf + 'identity = "btid";\nkeys = 77;\nmax-sessions = 78;\n', "in force; as they were until a restart: keys")
        assert "max-sessions" not in one.log() and told() == ['"%s"' % btid]
        hang_up(conf + 'identity = "uids";\nfrob = 1;\n', "refused, all stays as it was")
        assert "no such item" in one.log() and told() == ['"%s"' % btid]
        hang_up(conf, "configuration in force")
        assert told() == ['"%s"' % user]
        hang_up(conf.replace("upstream-timeout = 30000", "upstream-timeout = 200"), "configuration in force")
        release = threading.Event()
        world.http.answer = lambda head, body: release.wait(PATIENCE) and b""
        assert device.ask().code == "5.04"
        release.set()
    assert [asked[0] for asked in world.agent.asked].count(btid) == 1 and one.stop() == 0  # the session never ended
