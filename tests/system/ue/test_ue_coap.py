# SPDX-License-Identifier: Apache-2.0
"""gba-ue get with coaps URLs against servers that are not ours: libcoap's own, with OpenSSL and with GnuTLS.

REQ: OBF-11.1-3"""
import json
import os
import shutil
import socket
import subprocess

import pytest

from conftest import BSF, IMPI, K, NAF, OPC
from lab.process import free_port
from peers import keys
from peers.aka import Milenage
from peers.fake_bsf import Session
from peers.waiting import until

SUITES = {"coap-server-openssl": ("ccac", b"gba"), "coap-server-gnutls": ("ccac", b"")}  # what these agree on with us; hint


def session_of(rand):
    _, _, ck, ik = Milenage(bytes.fromhex(K), bytes.fromhex(OPC)).vector(rand, 0)
    return Session(IMPI, rand, ck + ik)


def key_of(rand, suite):
    return session_of(rand).ks_naf(NAF, "010001" + suite)


RANDS = [rand for rand in (bytes([n]) * 16 for n in range(1, 200)) if not {0, 10, 44} & set(key_of(rand, "ccac"))][:3]  # as text on a command line


@pytest.fixture
def device(ue, bsf):
    bsf.rands = list(RANDS)
    ue.equip(bsf)
    if b"built without libcoap" in ue.run("get", "--tls1.3", "coaps://%s/" % NAF).stderr:
        pytest.skip("built without libcoap")
    return ue


class Server:
    """coap-server: UDP on a port, DTLS on the next."""

    def __init__(self, program, key, hint):
        for _ in range(20):
            port = free_port()
            self.process = subprocess.Popen([program, "-A", "127.0.0.1", "-p", str(port), "-h", hint, "-k", key, "-d", "10"],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.address = "127.0.0.1:%d" % (port + 1)
            if until(lambda: self.process.poll() is not None or self.bound(port + 1), 10) and self.process.poll() is None:
                return
            self.__exit__()
        raise RuntimeError("does not listen")

    @staticmethod
    def bound(port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return True
        return False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()


@pytest.fixture(params=sorted(SUITES))
def server(request):
    if shutil.which(request.param) is None:
        pytest.skip("libcoap3-bin is not installed")
    suite, hint = SUITES[request.param]
    with Server(request.param, key_of(RANDS[0], suite), hint) as one:
        one.suite = suite
        yield one


def ask(device, server, path, *more, status=0):
    return device.json("get", "coaps://%s%s" % (NAF, path), "--connect", server.address, *more, status=status)


def test_get(device, bsf, server):
    """REQ: OBF-12.1-0: one token for what comes after, too."""
    got = ask(device, server, "/")
    assert (got["status"], got["code"], got["mode"], got["tls"], got["suite"]) == (205, "2.05", "psk", "dtls1.2", server.suite)
    assert got["authenticated"] and got["server-proved"] and not got["rebootstrapped"] and "test server" in got["body"]
    plain = device.run("get", "--include", "coaps://%s/" % NAF, "--connect", server.address)
    assert plain.returncode == 0 and plain.stdout.startswith(b"CoAP 2.05\r\n") and plain.stdout.endswith(got["body"].encode())
    assert len(bsf.order) == 1 and ask(device, server, "/none", status=3)["code"] == "4.04"


def test_methods_formats_and_blocks(device, bsf, server, tmp_path):
    """What is longer than a datagram goes in blocks both ways (RFC 7959); a body has its format."""
    body = json.dumps({"data": os.urandom(6000).hex()})
    (tmp_path / "body").write_text(body)
    done = ask(device, server, "/new%20one/x", "--method", "PUT", "--data", "@%s" % (tmp_path / "body"), "--header", "Content-Type: application/json")
    assert done["code"] == "2.01"
    got = ask(device, server, "/new%20one/x")
    assert got["body"] == body and got["headers"]["Content-Type"] == "application/json"
    device.json("get", "coaps://%s/new%%20one/x" % NAF, "--connect", server.address, "-o", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == body
    assert "longer" in ask(device, server, "/new%20one/x", "--max-body", "8", status=1)["message"]
    assert ask(device, server, "/new%20one/x", "--method", "DELETE")["code"] == "2.02"
    assert ask(device, server, "/new%20one/x", status=3)["code"] == "4.04"


def test_observe(device, server):
    """RFC 7641: the time, and the time again."""
    done = device.run("--json", "get", "coaps://%s/time?ticks" % NAF, "--connect", server.address, "--observe", "3")
    lines = [json.loads(line) for line in done.stdout.decode().splitlines() if line.startswith("{")]
    assert done.returncode == 0 and len(lines) == 3, done
    ticks = [int(line["body"]) for line in lines]
    numbers = [int(line["headers"]["Observe"]) for line in lines]
    assert ticks == sorted(set(ticks)) and numbers == sorted(set(numbers))
    assert ask(device, server, "/", "--observe", "2")["code"] == "2.05"  # it does not change: one answer


@pytest.mark.parametrize("words,said", [
    (["--digest", "coaps://H/"], "DTLS"), (["--tls1.3", "coaps://H/"], "DTLS"), (["--observe", "2", "https://H/"], "only coaps"),
    (["--method", "HEAD", "coaps://H/"], "not a method"), (["--header", "X-One: 1", "coaps://H/"], "X-One"),
    (["--header", "Accept: image/heic", "coaps://H/"], "Accept"), (["coap://H/"], "not an http, https or coaps"),
    (["coaps://H/" + "x" * 600], "too long")])
def test_what_coap_has_not(device, words, said):
    """No exchange takes place."""
    done = json.loads(device.run("--json", "get", *[word.replace("//H/", "//%s/" % NAF) for word in words], "--connect", "127.0.0.1:1").stdout)
    assert said in done["message"] and done["error"] in ("GBA_E_SYNTAX", "GBA_E_TOO_LONG"), done


def test_nobody_there(device):
    assert device.json("get", "coaps://%s/" % NAF, "--connect", "127.0.0.1:1", status=5)["error"] == "GBA_E_UNREACHABLE"


def test_another_key(device, bsf, server):
    """A wrong Finished is dropped by DTLS (RFC 6347 4.1.2.7): no answer, no bootstrapping in vain, and no body of whoever it is."""
    bsf.rands = [RANDS[1]]
    device.json("bootstrap")
    done = ask(device, server, "/", "--timeout", "2", status=5)
    assert done["error"] in ("GBA_E_TIMEOUT", "GBA_E_UNREACHABLE") and len(bsf.order) == 1, done


def test_a_server_without_psk(device, certificate):
    port = free_port()
    with subprocess.Popen(["openssl", "s_server", "-dtls1_2", "-accept", "127.0.0.1:%d" % port, "-cert", certificate[0], "-key", certificate[1]],
                          stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            assert until(lambda: Server.bound(port))
            done = device.json("get", "coaps://%s/" % NAF, "--connect", "127.0.0.1:%d" % port, status=5)
            assert "handshake failure" in done["message"]
        finally:
            process.kill()
