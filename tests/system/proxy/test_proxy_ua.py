# SPDX-License-Identifier: Apache-2.0
"""Ua as the proxy serves it: PSK-TLS 1.2 and 1.3, certificate TLS and plain HTTP with Digest (TS 24.109 5.2, 5.3; TS 33.222 5)."""
import base64
import itertools
import re
import subprocess
import time

import pytest
from peers.client_hello import client_hello
from peers.waiting import PATIENCE, undisturbed, until
from proxy_harness import (BUSY, HOST, HTTP_DIGEST, NAF, NAF2, NOT_AUTHORIZED, SUITES12, TLS13_PSK, UICC, UNREACHABLE, Client, Digest,
                           btid_of, free_port, header, parameters, response, s_client, tls_client, ua_id)

numbers = itertools.count(1)
GET = b"GET /x HTTP/1.1\r\nHost: naf1.example.com\r\nConnection: close\r\n\r\n"


def device(world, fqdn=NAF, ua=HTTP_DIGEST, **values):
    number = next(numbers)
    return (number,) + world.agent.add(number, fqdn, ua, **values)


def authenticated(client, digest, method="GET", path="/", body=b"", host=NAF, headers=()):
    """Challenge, then the request with its answer."""
    digest.take(client.ask(path="/", host=host))
    return client.ask(method, path, [digest.header(method, path, body)] + list(headers), body, host)


# ---- the end of TLS: close_notify is answered, and said by who ends (RFC 8446 6.1, RFC 5246 7.2.1)

def closes_properly(client):
    """Say close_notify and get one: unwrap() fails at a bare end of the connection."""
    client.sock.settimeout(PATIENCE)
    return client.sock.unwrap() is not None


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_close_notify_is_answered(world, proxy, version):
    with Client(proxy.tls, tls_client(world.ca, version)) as client:
        assert closes_properly(client)  # before any request
    with Client(proxy.tls, tls_client(world.ca, version)) as client:
        assert client.ask().status == 401
        assert closes_properly(client)
    with Client(proxy.tls, tls_client(world.ca, version)) as client:
        client.send(b"GET /x HTTP/1.1\r\nHo")  # in the middle of a head
        assert closes_properly(client)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\nHost: naf1.example.com\r\nConnection: close\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", b"\0\r\n\r\n"])
def test_who_ends_says_so(world, proxy, version, octets):
    with Client(proxy.tls, tls_client(world.ca, version)) as client:
        client.sock.suppress_ragged_eofs = False  # an end without close_notify is an error
        client.send(octets)
        assert client.sock.recv(5) == b"HTTP/"
        while client.sock.recv(65536):
            pass
        assert closes_properly(client)


def test_an_idle_connection_ends_with_close_notify(world):
    proxy = world.proxy([world.site()], idle_timeout=1000)

    def asked():
        client = Client(proxy.tls, tls_client(world.ca))
        return client, client.ask().status
    client, status = undisturbed(asked, 0.8)
    with client:
        client.sock.suppress_ragged_eofs = False
        assert status == 401
        assert client.sock.recv(1) == b""


# ---- suites of TLS 1.3: the PSK's hash is SHA-256 (RFC 8446 4.2.11), a certificate's is free

SUITES13 = {"TLS_AES_128_GCM_SHA256": 0x1301, "TLS_AES_256_GCM_SHA384": 0x1302, "TLS_CHACHA20_POLY1305_SHA256": 0x1303}


def openssl_client(world, proxy, suites, extra=()):
    """openssl s_client with a certificate's verification; (suite, its output)."""
    run = subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % (HOST, proxy.tls), "-servername", NAF, "-CAfile", world.ca,
                          "-tls1_3", "-ign_eof", "-ciphersuites", suites, *extra], input=GET, capture_output=True, timeout=2 * PATIENCE)
    found = re.search(rb"Cipher is (\S+)", run.stdout)
    return found and found.group(1).decode(), run.stdout


@pytest.mark.parametrize("suite", SUITES13)
def test_certificate_tls13_suites_of_openssl(world, proxy, suite):
    chosen, out = openssl_client(world, proxy, suite)
    assert chosen == suite and b"HTTP/1.1 401" in out and b"Verify return code: 0 (ok)" in out
    digest = Digest(*world.agent.add(next(numbers), NAF, ua_id(SUITES13[suite])))
    context = tls_client(world.ca, "1.3")
    with Client(proxy.tls, context) as client:
        if client.sock.cipher()[0] == suite:
            assert authenticated(client, digest).status == 200


@pytest.mark.parametrize("cipher,suite", [("AES-128-GCM", "AES-128-GCM"), ("AES-256-GCM", "AES-256-GCM"), ("CHACHA20-POLY1305", "CHACHA20-POLY1305")])
def test_certificate_tls13_suites_of_gnutls(world, proxy, cipher, suite):
    run = subprocess.run(["gnutls-cli", "--port", str(proxy.tls), HOST, "--sni-hostname", NAF, "--verify-hostname", NAF, "--x509cafile", world.ca,
                          "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+" + cipher], input=GET, capture_output=True,
                         timeout=2 * PATIENCE)
    assert b"HTTP/1.1 401" in run.stdout and suite.encode() in run.stdout.split(b"Description:")[1].split(b"\n")[0], run.stdout


@pytest.mark.parametrize("suites,chosen", [
    ("TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),  # the client's wish is the other one
    ("TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256")])
def test_a_psk_gets_a_suite_of_its_hash(world, proxy, suites, chosen):
    _, btid, key = device(world, ua=TLS13_PSK)
    suite, out = openssl_client(world, proxy, suites, ["-psk_identity", "3GPP-bootstrapping;" + btid, "-psk", key.hex()])
    assert suite == chosen and b"200 OK" in out and b"path /x" in out, out


def test_a_psk_without_a_suite_of_its_hash_is_passed_over(world, proxy):
    _, btid, key = device(world, ua=TLS13_PSK)
    suite, out = openssl_client(world, proxy, "TLS_AES_256_GCM_SHA384", ["-psk_identity", "3GPP-bootstrapping;" + btid, "-psk", key.hex()])
    assert suite == "TLS_AES_256_GCM_SHA384" and b"HTTP/1.1 401" in out and world.app.requests == []


def test_where_there_is_no_certificate_the_hash_is_sha256(world):
    proxy = world.proxy([world.psk_site(NAF)])
    _, btid, key = device(world, ua=TLS13_PSK)
    suite, out = openssl_client(world, proxy, "TLS_AES_256_GCM_SHA384", ["-psk_identity", "3GPP-bootstrapping;" + btid, "-psk", key.hex()])
    assert suite != "TLS_AES_256_GCM_SHA384" and b"HTTP/" not in out


# ---- PSK-TLS

@pytest.mark.parametrize("suite", sorted(SUITES12))
def test_psk_tls12_takes_the_key_of_the_negotiated_suite(world, proxy, suite):
    # REQ: Y3056-10.5-2c
    _, btid, key = device(world, ua=ua_id(SUITES12[suite]))
    out, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET, suite=suite)
    assert b"200 OK" in out and b"path /x" in out, err
    assert world.agent.asked == [(btid, NAF, ua_id(SUITES12[suite]))]
    assert header(world.app.requests[0][0], "x-3gpp-asserted-identity") == ['"%s"' % btid]


def test_psk_tls13(world, proxy):
    # REQ: Y3056-7.6-4, Y3056-7.6-5, Y3056-9.6.4-3, Y3056-9.5-1b, Y3056-9.5-3
    _, btid, key = device(world, ua=TLS13_PSK)
    out, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET, version="1.3")
    assert b"path /x" in out, err
    assert world.agent.asked == [(btid, NAF, TLS13_PSK)]


def test_second_handshake_needs_no_agent(world, proxy):
    _, btid, key = device(world, ua=ua_id(0x00a8))
    for _ in range(6):  # there are two workers: each asks once
        out, _ = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET)
        assert b"200 OK" in out
    assert len(world.agent.asked) <= 2


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_gnutls_client(world, proxy, version):
    ua = TLS13_PSK if version == "1.3" else ua_id(0x00a8)
    _, btid, key = device(world, ua=ua)
    versions = "-VERS-ALL:+VERS-TLS" + version
    exchange = "-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-GCM" if version == "1.2" else "-KX-ALL:+DHE-PSK:+ECDHE-PSK:-CIPHER-ALL:+AES-128-GCM"
    run = subprocess.run(["gnutls-cli", "--port", str(proxy.tls), HOST, "--sni-hostname", NAF, "--pskusername",
                          "3GPP-bootstrapping;" + btid, "--pskkey", key.hex(), "--priority", "NORMAL:%s:%s" % (versions, exchange),
                          "--logfile", "/dev/null"], input=GET, capture_output=True, timeout=2 * PATIENCE)
    assert b"path /x" in run.stdout, run.stdout + run.stderr


@pytest.mark.parametrize("identity", ["3GPP-bootstrapping;%s", "3GPP-bootstrapping:%s", "3GPP-bootstrapping.%s"])
def test_identity_separators_of_peers(world, proxy, identity):
    _, btid, key = device(world, ua=ua_id(0x00a8))
    out, err = s_client(proxy.tls, identity % btid, key, GET)
    assert b"200 OK" in out, err


@pytest.mark.parametrize("identity", ["%s", "3GPP-AKMA;%s", "3GPP-bootstrapping-digest;%s", "3GPP-bootstrapping;%s;x", "x;%s",
                                      "3GPP-bootstrapping-uicc;%s"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_foreign_identities_are_refused_without_asking(world, proxy, identity, version):
    _, btid, key = device(world, ua=TLS13_PSK if version == "1.3" else ua_id(0x00a8))
    out, err = s_client(proxy.tls, identity % btid, key, GET, version=version)
    # With TLS 1.3 a PSK that is not known is passed over (RFC 8446 4.2.11): the site's certificate, then the challenge.
    assert ("alert" in err and b"HTTP/" not in out) or (version == "1.3" and out.startswith(b"HTTP/1.1 401")), err
    assert world.agent.asked == [] and world.app.requests == []


@pytest.mark.parametrize("identity", ["x;%s", "3GPP-bootstrapping;" + btid_of(31337)])
def test_tls13_without_certificate_ends_in_an_alert(world, identity):
    proxy = world.proxy([world.psk_site(NAF)])
    _, btid, key = device(world, ua=TLS13_PSK)
    out, err = s_client(proxy.tls, identity.replace("%s", btid), key, GET, version="1.3")
    assert "alert" in err and out == b"", err


def test_one_hello_asks_for_few_keys(world):
    """A hello has room for hundreds of identities; the agent hears of the first few (RFC 8446 4.2.11 asks for none of the others)."""
    proxy = world.proxy(sites=[world.psk_site(NAF)])
    offered = [btid_of(600000 + i) for i in range(300)]
    with Client(proxy.tls) as client:
        client.send(client_hello(NAF, ["3GPP-bootstrapping;" + btid for btid in offered]))
        assert client.stream.read(2) == b"\x15\x03"
    asked = [btid for btid, _, _ in world.agent.asked]
    assert 0 < len(asked) <= 8 and asked == offered[:len(asked)]


@pytest.mark.parametrize("version,alert", [("1.2", ("bad record mac", "decrypt error")), ("1.3", ("decrypt error", "illegal parameter"))])
def test_wrong_key_is_an_alert(world, proxy, version, alert):
    _, btid, key = device(world, ua=TLS13_PSK if version == "1.3" else ua_id(0x00a8))
    out, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, bytes(32), GET, version=version)
    assert any(a in err for a in alert) and b"HTTP/" not in out, err
    assert world.app.requests == []


def test_unknown_btid_is_unknown_psk_identity(world, proxy):
    out, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid_of(999999), bytes(32), GET)
    assert "unknown psk identity" in err and b"HTTP/" not in out, err


def test_expired_key_is_an_alert(world, proxy):
    _, btid, key = device(world, ua=ua_id(0x00a8), expiry=time.time() - 1)
    _, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET)
    assert "unknown psk identity" in err, err


def test_key_remembered_is_not_used_after_its_expiry(world, proxy):
    def served():
        _, btid, key = device(world, ua=ua_id(0x00a8), life=3)
        return btid, key, s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET)[0]
    btid, key, out = undisturbed(served, 1.9)
    assert b"200 OK" in out
    world.agent.expire(btid)
    _, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET)
    assert "unknown psk identity" in err, err


def test_key_of_another_naf_or_protocol_does_not_open(world, proxy):
    # REQ: Y3056-7.2-3
    _, btid, key = device(world, fqdn=NAF2, ua=ua_id(0x00a8))
    _, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET)
    assert "alert" in err
    _, btid, key = device(world, ua=ua_id(0x00a9))
    _, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET, suite="PSK-AES128-GCM-SHA256")
    assert "alert" in err
    assert world.app.requests == []


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_server_name_chooses_the_site(world, proxy, version):
    ua = TLS13_PSK if version == "1.3" else ua_id(0x00a8)
    _, btid, key = device(world, fqdn=NAF2, ua=ua)
    out, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET.replace(b"naf1", b"naf2"), version=version, name=NAF2)
    assert b"200 OK" in out, err
    assert world.agent.asked == [(btid, NAF2, ua)]


@pytest.mark.parametrize("name", ["other.example.com", None])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_foreign_or_missing_server_name_is_refused(world, proxy, name, version):
    _, btid, key = device(world, ua=TLS13_PSK if version == "1.3" else ua_id(0x00a8))
    _, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET, version=version, name=name)
    assert "unrecognized name" in err, err


def test_host_unlike_server_name_is_misdirected(world, proxy):
    _, btid, key = device(world, ua=ua_id(0x00a8))
    out, _ = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET.replace(b"naf1", b"naf2"))
    assert b"HTTP/1.1 421" in out and world.app.requests == []


def test_uicc_key_on_a_site_that_takes_it(world, proxy):
    int_key = bytes(range(32))
    _, btid, _ = device(world, fqdn=UICC, ua=ua_id(0x00a8), int_key=int_key)
    out, err = s_client(proxy.tls, "3GPP-bootstrapping-uicc;" + btid, int_key, GET.replace(b"naf1", b"uicc"), name=UICC)
    assert b"200 OK" in out, err


def test_no_session_resumption_and_no_tickets(world, proxy, tmp_path):
    _, btid, key = device(world, ua=TLS13_PSK)
    saved = str(tmp_path / "session")
    s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET, version="1.3", extra=["-sess_out", saved])
    import os
    assert not os.path.exists(saved) or os.path.getsize(saved) == 0


@pytest.mark.parametrize("version,ua", [("1.2", ua_id(0x00a8)), ("1.3", TLS13_PSK)])
def test_nothing_opens_a_session_after_the_tokens_end(world, proxy, version, ua, tmp_path):
    """A client that keeps what it can of its TLS session gains nothing by it. REQ: Y3056-9.3-7"""
    _, btid, key = device(world, ua=ua)
    saved = tmp_path / "session"
    out, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET, version=version, extra=["-sess_out", str(saved)])
    assert b"200 OK" in out, err
    world.agent.keys = {name: entry for name, entry in world.agent.keys.items() if name[0] != btid}
    world.agent.revoke(btid)
    kept = ["-sess_in", str(saved)] if saved.exists() and saved.stat().st_size else []
    assert until(lambda: b"200 OK" not in s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET, version=version, extra=kept)[0])


def test_handshakes_that_wait_block_nobody(world):
    """While the agent is silent for one device, others come and go in the same workers."""
    proxy = world.proxy(agent_timeout=60000, handshake_timeout=120000, metrics='"%s:%d"' % (HOST, free_port()))
    _, slow, slow_key = device(world, ua=ua_id(0x00a8))
    _, known, known_key = device(world, ua=ua_id(0x00aa))
    world.agent.hold(slow)
    line = ["openssl", "s_client", "-connect", "%s:%d" % (HOST, proxy.tls), "-psk_identity", "3GPP-bootstrapping;" + slow, "-psk",
            slow_key.hex(), "-quiet", "-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256", "-servername", NAF]
    waiting = [subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(8)]
    for one in waiting:
        one.stdin.write(GET)
        one.stdin.flush()
    assert until(lambda: proxy.metric("gba_naf_proxy_waiting") == 8)
    for _ in range(4):
        out, err = s_client(proxy.tls, "3GPP-bootstrapping;" + known, known_key, GET, suite="DHE-PSK-AES128-GCM-SHA256")
        assert b"200 OK" in out, err
    assert proxy.metric("gba_naf_proxy_waiting") == 8
    world.agent.release()
    for one in waiting:
        out, _ = one.communicate(timeout=PATIENCE)
        assert b"200 OK" in out


def test_client_that_leaves_while_the_agent_is_asked(world):
    proxy = world.proxy(agent_timeout=60000, handshake_timeout=120000, metrics='"%s:%d"' % (HOST, free_port()))
    _, btid, key = device(world, ua=ua_id(0x00a8))
    world.agent.hold(btid)
    line = ["openssl", "s_client", "-connect", "%s:%d" % (HOST, proxy.tls), "-psk_identity", "3GPP-bootstrapping;" + btid, "-psk",
            key.hex(), "-quiet", "-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256", "-servername", NAF]
    leaving = [subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(6)]
    assert until(lambda: proxy.metric("gba_naf_proxy_waiting") == 6)
    for one in leaving:
        one.kill()
        one.wait()
    world.agent.release()
    assert until(lambda: sum(1 for one in world.agent.answered if one[0] == btid) == len(world.agent.asked))
    out, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET)
    assert b"200 OK" in out, err


# ---- Digest

@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
@pytest.mark.parametrize("method,body", [("GET", b""), ("POST", b"hello=world"), ("HEAD", b"")])
def test_digest_over_plain_http(world, proxy, algorithm, qop, method, body):
    _, btid, key = device(world)
    digest = Digest(btid, key, algorithm, qop)
    with Client(proxy.http) as client:
        reply = authenticated(client, digest, method, "/a?b=c", body)
    assert reply.status == 200, reply.head
    assert world.agent.asked == [(btid, NAF, HTTP_DIGEST)]
    head, got = world.app.requests[0]
    assert head.startswith(b"%s /a?b=c HTTP/1.1\r\n" % method.encode()) and got == body
    assert header(head, "authorization") == []
    info = parameters(reply.get("authentication-info"))
    sent = digest.sent
    assert info["rspauth"] == response(algorithm, btid, sent["realm"], base64.b64encode(key), sent["nonce"], sent["nc"],
                                       sent["cnonce"], info["qop"], "", "/a?b=c")
    assert info["cnonce"] == sent["cnonce"] and info["nc"] == sent["nc"]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_digest_in_certificate_tls_is_bound_to_the_suite(world, proxy, version):
    """REQ: OBF-12.1-2"""
    # REQ: Y3056-10.5-3
    with Client(proxy.tls, tls_client(world.ca, version)) as client:
        name = client.sock.cipher()[0]
        suite = {"TLS_AES_128_GCM_SHA256": 0x1301, "TLS_CHACHA20_POLY1305_SHA256": 0x1303, "TLS_AES_256_GCM_SHA384": 0x1302,
                 "ECDHE-ECDSA-AES128-GCM-SHA256": 0xc02b, "ECDHE-ECDSA-AES256-GCM-SHA384": 0xc02c}[name]
        _, btid, key = device(world, ua=ua_id(suite))
        reply = authenticated(client, Digest(btid, key))
    assert reply.status == 200
    assert world.agent.asked == [(btid, NAF, ua_id(suite))]
    assert header(world.app.requests[0][0], "x-forwarded-proto") == ["https"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl(world, proxy, scheme, tmp_path):
    port = proxy.tls if scheme == "https" else proxy.http
    suites = [HTTP_DIGEST] if scheme == "http" else [ua_id(0x1301), ua_id(0x1303)]
    number = next(numbers)
    for ua in suites:  # whichever suite curl gets: the same key, so that one password fits
        btid, key = world.agent.add(number, NAF, ua, key=bytes(range(32)))
    run = subprocess.run(["curl", "-sS", "--digest", "-u", btid + ":" + base64.b64encode(key).decode(), "--cacert", world.ca,
                          "--resolve", "%s:%d:%s" % (NAF, port, HOST), "-i", "%s://%s:%d/from/curl" % (scheme, NAF, port)],
                         capture_output=True, timeout=2 * PATIENCE)
    assert b"path /from/curl" in run.stdout, run.stdout + run.stderr
    assert [h[:18] for h, _ in world.app.requests] == [b"GET /from/curl HTT"]


def test_challenge_is_the_bootstrapping_required_indication(world, proxy):
    """REQ: Y3056-9.6.4-2"""
    with Client(proxy.http) as client:
        reply = client.ask(headers=["User-Agent: phone 3gpp-gba"])
    assert reply.status == 401 and world.app.requests == []
    offers = [parameters(v) for v in header(reply.head, "www-authenticate")]
    assert [o["algorithm"] for o in offers] == ["SHA-256", "MD5"]
    for offer in offers:
        assert offer["realm"] == "3GPP-bootstrapping@" + NAF
        assert offer["qop"] == "auth,auth-int" and offer["nonce"] and offer["opaque"]


def test_realms_for_uicc(world, proxy):
    with Client(proxy.http) as client:
        plain = client.ask(host=UICC, headers=["User-Agent: a 3gpp-gba"])
        both = client.ask(host=UICC, headers=["User-Agent: a 3gpp-gba-uicc"])
    assert parameters(plain.get("www-authenticate"))["realm"] == "3GPP-bootstrapping@" + UICC
    assert parameters(both.get("www-authenticate"))["realm"] == "3GPP-bootstrapping-uicc@%s;3GPP-bootstrapping@%s" % (UICC, UICC)


@pytest.mark.parametrize("realm,with_int", [("3GPP-bootstrapping-uicc@" + UICC, True), ("3GPP-bootstrapping@" + UICC, False),
                                            ("3GPP-bootstrapping-uicc@%s;3GPP-bootstrapping@%s" % (UICC, UICC), True),
                                            ("3GPP-bootstrapping-uicc@%s;3GPP-bootstrapping@%s" % (UICC, UICC), False)])
def test_realm_forms_a_device_gives_back(world, proxy, realm, with_int):
    int_key = bytes(range(1, 33))
    _, btid, key = device(world, fqdn=UICC, int_key=int_key)
    digest = Digest(btid, int_key if with_int else key)
    with Client(proxy.http) as client:
        digest.take(client.ask(host=UICC))
        assert client.ask(host=UICC, headers=[digest.header(realm=realm)]).status == 200


def test_uicc_key_does_not_open_the_me_realm(world, proxy):
    int_key = bytes(range(1, 33))
    _, btid, key = device(world, fqdn=UICC, int_key=int_key)
    digest = Digest(btid, int_key)
    with Client(proxy.http) as client:
        digest.take(client.ask(host=UICC))
        assert client.ask(host=UICC, headers=[digest.header(realm="3GPP-bootstrapping@" + UICC)]).status == 401


def test_keep_alive_serves_many_requests_with_one_nonce(world, proxy):
    # REQ: Y3056-10.5-3
    _, btid, key = device(world)
    digest = Digest(btid, key)
    with Client(proxy.http) as client:
        digest.take(client.ask())
        for i in range(20):
            assert client.ask(path="/%d" % i, headers=[digest.header(uri="/%d" % i)]).status == 200
    assert len(world.app.requests) == 20 and len(world.agent.asked) == 1


def bad_claims():
    """(name, changes to the header, expected status): none may reach the application."""
    yield "response of zeros", dict(response="0" * 64), 401
    yield "empty response", dict(response=" "), 401
    yield "foreign nonce", dict(nonce="bmFmLW5vbmNlLTAwMDE="), 401
    yield "realm of another site", dict(realm="3GPP-bootstrapping@" + NAF2), 401
    yield "uicc realm on a site without", dict(realm="3GPP-bootstrapping-uicc@" + NAF), 401
    yield "digest realm", dict(realm="3GPP-bootstrapping-digest@" + NAF), 401
    yield "bare realm", dict(realm=NAF), 401
    yield "uri of another resource", dict(uri="/other"), 400
    yield "nc zero", dict(nc="00000000"), 401
    yield "opaque of another", dict(opaque="0011223344556677"), 401
    yield "qop without integrity left out", dict(qop=None, nc=None, cnonce=None), 401
    yield "algorithm AKAv1", dict(algorithm="AKAv1-MD5"), 401
    yield "username no B-TID", dict(username="user"), 401
    yield "username with a CR", dict(username="x\\\ry"), 400


@pytest.mark.parametrize("name,change,status", list(bad_claims()), ids=[c[0] for c in bad_claims()])
def test_claims_that_prove_nothing(world, proxy, name, change, status):
    _, btid, key = device(world)
    digest = Digest(btid, key)
    with Client(proxy.http) as client:
        digest.take(client.ask())
        change = dict(change)
        realm = change.pop("realm", None)
        if change.get("algorithm") == "AKAv1-MD5" or change.get("qop", "") is None:
            change["response"] = "0" * 32
        try:
            reply = client.ask(headers=[digest.header(realm=realm, **change)])
        except TypeError:
            reply = client.ask(headers=[digest.header(realm=realm, **dict(change, response="0" * 64))])
    assert reply.status == status, reply.head
    assert world.app.requests == []


def test_nonce_count_replayed_is_stale(world, proxy):
    _, btid, key = device(world)
    digest = Digest(btid, key)
    with Client(proxy.http) as client:
        digest.take(client.ask())
        line = digest.header()
        assert client.ask(headers=[line]).status == 200
        reply = client.ask(headers=[line])
    assert reply.status == 401 and parameters(reply.get("www-authenticate"))["stale"] == "true"
    assert len(world.app.requests) == 1


def test_replay_on_the_other_workers_is_stale_too(world, proxy):
    _, btid, key = device(world)
    digest = Digest(btid, key)
    with Client(proxy.http) as client:
        digest.take(client.ask())
        line = digest.header()
        assert client.ask(headers=[line]).status == 200
    for _ in range(12):
        with Client(proxy.http) as client:
            assert client.ask(headers=[line]).status == 401
    assert len(world.app.requests) == 1


def test_old_nonce_is_stale_for_who_knows_the_key_only(world):
    proxy = world.proxy(nonce_lifetime=5)
    _, btid, key = device(world)
    digest = Digest(btid, key)
    with Client(proxy.http) as client:
        digest.take(client.ask())
        time.sleep(5.1)
        right = client.ask(headers=[digest.header()])
        wrong = client.ask(headers=[digest.header(response="0" * 64)])
    assert right.status == wrong.status == 401
    assert parameters(right.get("www-authenticate"))["stale"] == "true"
    assert parameters(wrong.get("www-authenticate")).get("stale") != "true"
    assert world.app.requests == []


def test_body_changed_under_auth_int(world, proxy):
    _, btid, key = device(world)
    digest = Digest(btid, key, qop="auth-int")
    with Client(proxy.http) as client:
        digest.take(client.ask())
        reply = client.ask("POST", "/", [digest.header("POST", "/", b"amount=1")], b"amount=9")
        assert reply.status == 401 and world.app.requests == []
        reply = client.ask("POST", "/", [digest.header("POST", "/", b"amount=1")], b"amount=1")
        assert reply.status == 200
    assert [body for _, body in world.app.requests] == [b"amount=1"]


def test_method_changed(world, proxy):
    _, btid, key = device(world)
    digest = Digest(btid, key)
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask("DELETE", "/", [digest.header("GET", "/")]).status == 401


def test_foreign_nonce_causes_no_question_to_the_agent(world, proxy):
    digest = Digest(btid_of(424242), bytes(32))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        for _ in range(5):
            client.ask(headers=[digest.header(nonce="A" * 44)])
    assert world.agent.asked == []


def test_unknown_btid_is_the_renegotiation_indication(world, proxy):
    digest = Digest(btid_of(555555), bytes(32))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        reply = client.ask(headers=[digest.header()])
    assert reply.status == 401
    assert parameters(reply.get("www-authenticate"))["realm"] == "3GPP-bootstrapping@" + NAF
    assert len(world.agent.asked) == 1


def test_key_expires_between_requests(world, proxy):
    with Client(proxy.http) as client:
        def served():
            world.app.requests.clear()
            _, btid, key = device(world, life=3)
            digest = Digest(btid, key).take(client.ask())
            return digest, client.ask(headers=[digest.header()]).status
        digest, status = undisturbed(served, 1.9)
        assert status == 200
        world.agent.expire(digest.btid)
        assert client.ask(headers=[digest.header()]).status == 401
    assert len(world.app.requests) == 1


def test_not_authorized_is_403(world, proxy):
    world.agent.error = NOT_AUTHORIZED
    digest = Digest(btid_of(600001), bytes(32))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask(headers=[digest.header()]).status == 403


def test_failure_does_not_look_like_ignorance(world, proxy):
    world.agent.error = UNREACHABLE
    digest = Digest(btid_of(600002), bytes(32))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        reply = client.ask(headers=[digest.header()])
    assert reply.status == 503 and int(reply.get("retry-after")) >= 1


@pytest.mark.parametrize("certificate", [True, False])
@pytest.mark.parametrize("version,ua", [("1.2", ua_id(0x00a8)), ("1.3", TLS13_PSK)])
def test_failure_does_not_look_like_ignorance_in_tls(world, version, ua, certificate):
    """internal_error, not unknown_psk_identity, and no certificate with a 401 behind it: the device keeps its token. The same device gets in
    when the BSF is back. REQ: Y3056-9.5-6"""
    proxy = world.proxy(sites=[world.site() if certificate else world.psk_site(NAF)])
    _, btid, key = device(world, ua=ua)
    for error in (UNREACHABLE, BUSY):
        world.agent.error = error
        out, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET, version=version)
        assert out == b"" and "alert internal error" in err, err
    world.agent.error = None
    out, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET, version=version)
    assert b"200 OK" in out, err


def test_silent_agent_is_503_in_time(world):
    proxy = world.proxy(agent_timeout=500)
    world.agent.silent = True
    digest = Digest(btid_of(600003), bytes(32))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask(headers=[digest.header()]).status == 503


def test_no_agent_is_503(world, tmp_path):
    proxy = world.proxy()
    proxy.stop()
    proxy.items["agent_socket"] = '"%s"' % (tmp_path / "nobody.sock")
    proxy.write()
    proxy.start()
    digest = Digest(btid_of(600004), bytes(32))
    with Client(proxy.http) as client:
        digest.take(client.ask())
        assert client.ask(headers=[digest.header()]).status == 503


def test_only_gba_clients_are_challenged_when_so_configured(world):
    proxy = world.proxy([world.site(challenge='"gba-clients"')])
    with Client(proxy.http) as client:
        assert client.ask(headers=["User-Agent: Mozilla/5.0"]).status == 403
        assert client.ask().status == 403
        assert client.ask(headers=["User-Agent: x/1 3gpp-gba-uicc y"]).status == 401
        assert client.ask(headers=["User-Agent: not3gpp-gba"]).status == 403


def test_other_schemes_are_challenged(world, proxy):
    with Client(proxy.http) as client:
        for value in ("Basic dXNlcjpwYXNz", "Bearer abc", "Digest", "Digestx a=b"):
            assert client.ask(headers=["Authorization: " + value]).status == 401
    assert world.app.requests == []


def test_sites_refuse_protocols_they_do_not_serve(world):
    proxy = world.proxy([world.psk_site(NAF)])
    with Client(proxy.http) as client:
        assert client.ask().status == 403
    with pytest.raises(Exception):
        Client(proxy.tls, tls_client(world.ca))


def test_tls_versions_of_a_site(world):
    proxy = world.proxy([world.site(tls_min='"1.3"'), world.site(NAF2, tls_max='"1.2"')])
    _, btid, key = device(world, ua=ua_id(0x00a8))
    _, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET)
    assert "protocol version" in err
    _, btid, key = device(world, fqdn=NAF2, ua=TLS13_PSK)
    _, err = s_client(proxy.tls, "3GPP-bootstrapping;" + btid, key, GET, version="1.3", name=NAF2)
    assert "protocol version" in err


def test_alpn(world, proxy):
    with Client(proxy.tls, tls_client(world.ca, alpn=["h2", "http/1.1"])) as client:
        assert client.sock.selected_alpn_protocol() == "http/1.1"


def test_no_key_in_log_or_trace(world, tmp_path):
    trace = tmp_path / "trace.jsonl"
    proxy = world.proxy(trace_file='"%s"' % trace)
    _, btid, key = device(world)
    _, btid2, key2 = device(world, ua=ua_id(0x00a8))
    with Client(proxy.http) as client:
        assert authenticated(client, Digest(btid, key)).status == 200
    s_client(proxy.tls, "3GPP-bootstrapping;" + btid2, key2, GET)
    assert until(lambda: "ua.request" in proxy.log() and trace.read_text().count('"Y.3056 10.5-3"')
                 and trace.read_text().count('"Y.3056 10.5-2c"'))  # both are written after the answers have left
    text = proxy.log() + trace.read_text()
    for secret in (key, key2):
        for form in (secret.hex(), secret.hex().upper(), base64.b64encode(secret).decode()):
            assert form not in text
