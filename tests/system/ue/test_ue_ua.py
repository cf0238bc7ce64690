# SPDX-License-Identifier: Apache-2.0
"""gba-ue get against applications that are not ours: Digest in Python, PSK-TLS of OpenSSL and GnuTLS."""
import hashlib
import os
import re
import socket
import subprocess
import threading

import pytest

from conftest import BSF, IMPI, K, NAF, OPC
from lab.process import free_port, port_open
from peers import keys
from peers.fake_bsf import FakeBsf, Session
from peers.fake_naf import FakeNaf
from peers.aka import Milenage
from peers.waiting import until

SUITE_12, UA_12, UA_13 = "PSK-AES128-GCM-SHA256", "01000100a8", "0100000007"
RANDS = [bytes([n]) * 16 for n in range(1, 4)]


def session_of(rand):
    """The session a bootstrapping with this RAND will make."""
    _, _, ck, ik = Milenage(bytes.fromhex(K), bytes.fromhex(OPC)).vector(rand, 0)
    return Session(IMPI, rand, ck + ik)


def btid_of(rand):
    return keys.btid_of(rand, BSF)


class Program:
    """A server program on a port; ended by its own pid."""

    def __init__(self, command, port, cwd=None):
        self.address = "127.0.0.1:%d" % port
        self.log = None
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd)
        if not until(lambda: port_open("127.0.0.1", port)):
            self.__exit__()
            raise RuntimeError("does not listen: %s\n%s" % (command, self.log))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.log = self.process.communicate()[0].decode(errors="replace")


def openssl_server(key, *options):
    port = free_port()
    return Program(["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-nocert", "-psk_hint", "3GPP-bootstrapping", "-psk",
                    key.hex(), "-www", *options], port)


def gnutls_server(tmp_path, entries, tls):
    """gnutls-serv that knows these identities only."""
    port = free_port()
    path = tmp_path / ("psk-%d" % port)
    path.write_text("".join("%s:%s\n" % (identity, key.hex()) for identity, key in entries))
    priority = {"1.2": "NORMAL:-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-GCM:-VERS-ALL:+VERS-TLS1.2",
                "1.3": "NORMAL:-KX-ALL:+ECDHE-PSK:-VERS-ALL:+VERS-TLS1.3"}[tls]
    return Program(["gnutls-serv", "--http", "-p", str(port), "--pskpasswd", str(path), "--pskhint", "3GPP-bootstrapping", "--priority",
                    priority], port)


@pytest.fixture
def device(ue, bsf):
    bsf.rands = list(RANDS)
    return ue.equip(bsf)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "MD5-sess"])
@pytest.mark.parametrize("qop", ["auth", "auth-int", "auth,auth-int"])
def test_digest(device, bsf, algorithm, qop):
    """REQ: OBF-10.2.4-1, Y3056-10.5-2c"""
    with FakeNaf(NAF, bsf, algorithm=algorithm, qop=qop) as naf:
        got = device.json("get", "http://%s/resource?x=1" % NAF, "--connect", naf.address)
        assert got["status"] == 200 and got["authenticated"] and got["server-proved"] and not got["rebootstrapped"]
        assert got["mode"] == "digest" and got["body"] == "hello %s \n" % bsf.order[0]
        first, second = naf.requests
        assert first[4] is None and second[4]["username"] == bsf.order[0] and second[4]["uri"] == "/resource?x=1"
        assert second[4]["qop"] == ("auth" if qop == "auth" else "auth-int")
        assert "3gpp-gba" in first[2]["User-Agent"].split() and first[2]["Host"] == NAF


def test_digest_sends_a_body_and_headers(device, bsf, tmp_path):
    body = os.urandom(2000)
    (tmp_path / "body").write_bytes(body)
    with FakeNaf(NAF, bsf) as naf:
        got = device.json("get", "http://%s/in" % NAF, "--connect", naf.address, "--data", "@%s" % (tmp_path / "body"), "--method", "PUT",
                          "--header", "Content-Type: application/octet-stream", "--header", "X-One: 1")
        assert got["status"] == 200
        method, path, headers, received, _ = naf.requests[1]
        assert (method, path, received) == ("PUT", "/in", body)
        assert headers["X-One"] == "1" and headers["Content-Type"] == "application/octet-stream" and headers["Expect"] is None


def test_application_that_asks_for_nothing(device, bsf):
    """No token is made for an application that needs none."""
    with FakeNaf(NAF, bsf) as naf:
        naf.serve = lambda handler, body: handler.answer(200, [], b"open\n")
        got = device.json("get", "http://%s/" % NAF, "--connect", naf.address)
        assert got["body"] == "open\n" and not got["authenticated"] and not bsf.requests


def test_digest_inside_tls(device, bsf, certificate):
    """The key is that of the suite negotiated: 01 00 01 yy zz (TS 33.222 5.3)."""
    for tls, suite in (("1.2", "c02f"), ("1.3", "1302")):
        with FakeNaf(NAF, bsf, certificate=certificate, tls=tls) as naf:
            got = device.json("get", "https://%s/" % NAF, "--connect", naf.address, "--ca-file", certificate[0], "--digest")
            assert got["status"] == 200 and got["server-proved"] and (got["tls"], got["suite"]) == (tls, suite)
            device.json("get", "https://%s/" % NAF, "--connect", naf.address, "--digest", status=5)  # not trusted
            device.json("get", "https://other.example/", "--connect", naf.address, "--ca-file", certificate[0], "--digest", status=5)


def test_auto_falls_back_to_certificate_and_digest(device, bsf, certificate):
    with FakeNaf(NAF, bsf, certificate=certificate) as naf:
        got = device.json("get", "https://%s/" % NAF, "--connect", naf.address, "--ca-file", certificate[0])
        assert got["status"] == 200 and got["mode"] == "digest" and len(bsf.order) == 1


def test_renegotiation_indication_leads_to_one_new_bootstrapping(device, bsf):
    """REQ: Y3056-9.5-6, Y3056-10.5-1d, Y3056-10.5-1e, OBF-8.5.1-1, OBF-12.1-0"""
    with FakeNaf(NAF, bsf) as naf:
        assert device.json("get", "http://%s/" % NAF, "--connect", naf.address)["btid"] == btid_of(RANDS[0])
        naf.refused.add(btid_of(RANDS[0]))
        got = device.json("get", "http://%s/" % NAF, "--connect", naf.address)
        assert got["rebootstrapped"] and got["btid"] == btid_of(RANDS[1]) and len(bsf.order) == 2
        apps = device.json("token", "list")["applications"]
        assert [(row["btid"], row["state"]) for row in apps if row["naf"] == NAF] == [(btid_of(RANDS[0]), "retired"),
                                                                                     (btid_of(RANDS[1]), "active")]


def test_application_that_never_takes_a_token(device, bsf):
    with FakeNaf(NAF, bsf) as naf:
        naf.password = lambda handler, btid: b"another"
        assert device.json("get", "http://%s/" % NAF, "--connect", naf.address, status=4)["error"] == "GBA_E_NOT_AUTHORIZED"
        assert len(bsf.order) == 2 and len(naf.requests) == 3


def test_stale_nonce_needs_no_bootstrapping(device, bsf):
    with FakeNaf(NAF, bsf) as naf:
        naf.stale_once = True
        got = device.json("get", "http://%s/" % NAF, "--connect", naf.address)
        assert got["status"] == 200 and not got["rebootstrapped"] and len(bsf.order) == 1 and len(naf.requests) == 3


@pytest.mark.parametrize("realm", ["3GPP-bootstrapping@other.example", "3GPP-bootstrapping@" + NAF + ".evil.example"])
def test_realm_of_another_host(device, bsf, realm):
    """The FQDN in the realm is the one addressed, else nothing is answered (TS 24.109 5.2.4)."""
    with FakeNaf(NAF, bsf) as naf:
        naf.realm = realm
        assert device.json("get", "http://%s/" % NAF, "--connect", naf.address, status=6)["error"] == "GBA_E_REALM"
        assert len(naf.requests) == 1 and not bsf.requests


def test_realm_with_several_forms(device, bsf):
    with FakeNaf(NAF, bsf) as naf:
        naf.realm = "3GPP-bootstrapping-uicc@%s;3GPP-bootstrapping@%s" % (NAF, NAF.upper())
        assert device.json("get", "http://%s/" % NAF, "--connect", naf.address)["status"] == 200


@pytest.mark.parametrize("challenge", ['Basic realm="x"', 'Digest realm="other", nonce="1", qop="auth"',
                                      'Digest realm="3GPP-bootstrapping-uicc@%s", nonce="1", qop="auth"' % NAF])
def test_401_that_is_no_bootstrapping_indication(device, bsf, challenge):
    with FakeNaf(NAF, bsf) as naf:
        naf.serve = lambda handler, body: handler.answer(401, [("WWW-Authenticate", challenge)])
        assert device.json("get", "http://%s/" % NAF, "--connect", naf.address, status=4)["status"] == 401
        assert not bsf.requests


def test_wrong_rspauth(device, bsf):
    """REQ: Y3056-9.5-2"""
    with FakeNaf(NAF, bsf) as naf:
        naf.on_done = lambda headers, body: (headers, body + b"altered")
        assert device.json("get", "http://%s/" % NAF, "--connect", naf.address, status=6)["error"] == "GBA_E_DIGEST_MISMATCH"
        naf.on_done = None
        naf.rspauth = False
        assert not device.json("get", "http://%s/" % NAF, "--connect", naf.address)["server-proved"]
        device.json("get", "http://%s/" % NAF, "--connect", naf.address, "--need-rspauth", status=6)


@pytest.mark.parametrize("status,exit_status", [(200, 0), (204, 0), (302, 0), (403, 4), (404, 3), (500, 1), (503, 75)])
def test_status_is_the_exit_status(device, bsf, status, exit_status):
    with FakeNaf(NAF, bsf) as naf:
        naf.serve = lambda handler, body: handler.answer(status, [("Location", "http://elsewhere.example/")])
        assert device.json("get", "http://%s/" % NAF, "--connect", naf.address, status=exit_status)["status"] == status
        assert len(naf.requests) == 0


def test_body_goes_to_a_file_or_standard_output(device, bsf, tmp_path):
    octets = bytes(range(256)) * 300
    with FakeNaf(NAF, bsf) as naf:
        naf.serve = lambda handler, body: handler.answer(200, [], octets)
        out = tmp_path / "out"
        assert device.run("get", "http://%s/" % NAF, "--connect", naf.address, "-o", str(out)).returncode == 0
        assert out.read_bytes() == octets
        done = device.run("get", "http://%s/" % NAF, "--connect", naf.address)
        assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(octets).digest()
        assert device.json("get", "http://%s/" % NAF, "--connect", naf.address, "--max-body", "10", status=1)["error"] == "GBA_E_TOO_LONG"


@pytest.mark.parametrize("header", ["Authorization: x", "Host: x", "User-Agent: x", "Content-Length: 1", "Transfer-Encoding: chunked",
                                   "X: a\r\nHost: b", "no colon"])
def test_headers_that_are_ours(device, bsf, header):
    with FakeNaf(NAF, bsf) as naf:
        assert device.json("get", "http://%s/" % NAF, "--connect", naf.address, "--header", header, status=2)["error"] == "GBA_E_SYNTAX"
        assert not naf.requests


@pytest.mark.parametrize("suite,code", [("PSK-AES128-GCM-SHA256", "00a8"), ("PSK-AES256-GCM-SHA384", "00a9"),
                                       ("DHE-PSK-AES128-GCM-SHA256", "00aa"), ("DHE-PSK-AES256-GCM-SHA384", "00ab"),
                                       ("ECDHE-PSK-CHACHA20-POLY1305", "ccac")])
def test_psk_tls12_with_openssl(device, suite, code):
    """The key's name carries the suite: 01 00 01 yy zz (TS 33.222 5.4). REQ: Y3056-9.5-1a, OBF-12.1-3,
    Y3056-9.2.2-12, Y3056-9.6.4-5"""
    with openssl_server(session_of(RANDS[0]).ks_naf(NAF, "010001" + code), "-tls1_2", "-cipher", suite) as server:
        got = device.json("get", "https://%s/" % NAF, "--connect", server.address, "--psk")
        assert got["status"] == 200 and got["server-proved"] and (got["tls"], got["suite"]) == ("1.2", code)
        assert suite in got["body"]


def test_psk_tls13_with_openssl(device):
    """01 00 00 00 07, SHA-256, psk_dhe_ke"""
    with openssl_server(session_of(RANDS[0]).ks_naf(NAF, UA_13), "-tls1_3", "-psk_identity",
                        "3GPP-bootstrapping;" + btid_of(RANDS[0])) as server:
        got = device.json("get", "https://%s/" % NAF, "--connect", server.address, "--psk", "--tls1.3")
        assert got["status"] == 200 and (got["tls"], got["suite"]) == ("1.3", "1301")
        assert device.json("get", "https://%s/" % NAF, "--connect", server.address)["mode"] == "psk"


@pytest.mark.parametrize("tls,ua_id", [("1.2", UA_12), ("1.3", UA_13)])
def test_psk_with_gnutls(device, bsf, tmp_path, tls, ua_id):
    """gnutls-serv knows the identity "3GPP-bootstrapping;<B-TID>" and no other."""
    key = session_of(RANDS[0]).ks_naf(NAF, ua_id)
    with gnutls_server(tmp_path, [("3GPP-bootstrapping;" + btid_of(RANDS[0]), key)], tls) as server:
        got = device.json("get", "https://%s/" % NAF, "--connect", server.address, "--psk")
        assert got["status"] == 200 and got["tls"] == tls and len(bsf.order) == 1


def test_psk_separator(device, tmp_path):
    key = session_of(RANDS[0]).ks_naf(NAF, UA_13)
    with gnutls_server(tmp_path, [("3GPP-bootstrapping." + btid_of(RANDS[0]), key)], "1.3") as server:
        assert device.json("get", "https://%s/" % NAF, "--connect", server.address, "--psk", "--psk-separator", ".")["status"] == 200


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_psk_identity_not_known_leads_to_a_new_bootstrapping(device, bsf, tmp_path, tls):
    """Alert unknown_psk_identity, or no PSK accepted: one new run, then the session. REQ: Y3056-9.5-6"""
    device.json("bootstrap")
    keys = [("3GPP-bootstrapping;" + btid_of(RANDS[1]), session_of(RANDS[1]).ks_naf(NAF, UA_13))]
    if tls == "1.2":
        with openssl_server(session_of(RANDS[1]).ks_naf(NAF, UA_12), "-tls1_2", "-cipher", SUITE_12, "-psk_identity",
                            keys[0][0]) as server:
            got = device.json("get", "https://%s/" % NAF, "--connect", server.address, "--psk")
    else:
        with gnutls_server(tmp_path, keys, tls) as server:
            got = device.json("get", "https://%s/" % NAF, "--connect", server.address, "--psk")
    assert got["status"] == 200 and got["rebootstrapped"] and got["btid"] == btid_of(RANDS[1]) and len(bsf.order) == 2


@pytest.mark.parametrize("alert,runs", [(80, 1), (115, 2)])
def test_a_fault_of_the_application_is_no_reason_to_bootstrap(device, bsf, alert, runs):
    """internal_error, as gba-naf-proxy says when it cannot ask, against unknown_psk_identity. REQ: Y3056-9.5-6"""
    device.json("bootstrap")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.recv(65536)
                    client.sendall(bytes([0x15, 3, 3, 0, 2, 2, alert]))
        threading.Thread(target=serve, daemon=True).start()
        done = device.run("--json", "get", "https://%s/" % NAF, "--connect", "127.0.0.1:%d" % listener.getsockname()[1], "--psk")
        listener.shutdown(socket.SHUT_RDWR)
    assert done.returncode not in (0, 2) and len(bsf.order) == runs


@pytest.mark.parametrize("tls", ["-tls1_2", "-tls1_3"])
def test_psk_with_a_wrong_key_ends_after_one_renewal(device, bsf, tls):
    """REQ: Y3056-9.5-2"""
    with openssl_server(b"\x42" * 32, tls, *(["-cipher", SUITE_12] if tls == "-tls1_2" else [])) as server:
        assert device.json("get", "https://%s/" % NAF, "--connect", server.address, "--psk", status=4)["error"] == "GBA_E_NOT_AUTHORIZED"
    assert len(bsf.order) == 2


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_certificate_is_no_substitute_for_the_key(device, bsf, certificate, tls):
    """With --psk a server that offers a certificate, even a good one, gets no request."""
    with FakeNaf(NAF, bsf, certificate=certificate, tls=tls) as naf:
        done = device.run("--json", "get", "https://%s/" % NAF, "--connect", naf.address, "--psk", "--ca-file", certificate[0])
        assert done.returncode in (4, 5) and not naf.requests


def test_psk_needs_https(device):
    assert device.json("get", "http://%s/" % NAF, "--psk", status=2)["error"] == "GBA_E_SYNTAX"


def test_identity_too_long_for_tls(ue, tmp_path):
    """OpenSSL takes 255 octets: a longer BSF name is refused with words, not with a broken handshake."""
    name = ".".join(["b" * 60] * 4)
    with FakeBsf(name) as bsf:
        bsf.add(IMPI, K, OPC)
        ue.equip(bsf)
        with openssl_server(b"\1" * 32) as server:
            assert ue.json("get", "https://%s/" % NAF, "--connect", server.address, "--psk", status=1)["error"] == "GBA_E_TOO_LONG"


def test_no_key_and_no_identity_on_the_wire(device, bsf, tmp_path):
    """What leaves the device in a PSK session holds neither IMPI, IMSI nor the request; a hop in the middle sees the B-TID in
    their place. REQ: Y3056-9.5-4, Y3056-7.4-3, OBF-7.2.4-1, Y3056-8.5-d, TEC-2.2.2-1, TEC-A4-6c"""
    with openssl_server(session_of(RANDS[0]).ks_naf(NAF, UA_13), "-tls1_3", "-psk_identity",
                        "3GPP-bootstrapping;" + btid_of(RANDS[0])) as server:
        host, port = server.address.split(":")
        seen, relay = [], socket.create_server(("127.0.0.1", 0))

        def pump(source, sink):
            try:
                while True:
                    octets = source.recv(65536)
                    seen.append(octets)
                    sink.sendall(octets) if octets else sink.shutdown(socket.SHUT_WR)
                    if not octets:
                        return
            except OSError:
                pass

        def serve():
            inside, _ = relay.accept()
            outside = socket.create_connection((host, int(port)))
            threading.Thread(target=pump, args=(inside, outside), daemon=True).start()
            threading.Thread(target=pump, args=(outside, inside), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        got = device.json("get", "https://%s/secret-path" % NAF, "--connect", "127.0.0.1:%d" % relay.getsockname()[1], "--psk")
        wire = b"".join(seen)
        assert got["status"] == 200 and btid_of(RANDS[0]).encode() in wire
        for text in (IMPI.encode(), IMPI.split("@")[0].encode(), b"secret-path", b"HTTP/1.1"):
            assert text not in wire, text
        relay.close()
        assert re.search(rb"3GPP-bootstrapping;", wire)
