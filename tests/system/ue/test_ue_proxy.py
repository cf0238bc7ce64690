# SPDX-License-Identifier: Apache-2.0
"""gba-ue proxy: programs that know nothing of GBA in front, PSK-TLS and Digest behind."""
import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from conftest import IMPI, K, NAF, OPC
from peers.fake_bsf import FakeBsf
from peers.fake_naf import FakeNaf
from peers.waiting import PATIENCE, until
from test_ue_ua import RANDS, SUITE_12, UA_12, UA_13, Program, btid_of, free_port, gnutls_server, openssl_server, session_of


KEEP_ALIVE = [(["-tls1_2", "-cipher", SUITE_12], UA_12), (["-tls1_3", "-psk_identity", "3GPP-bootstrapping;" + btid_of(RANDS[0])], UA_13)]


class Proxy:
    def __init__(self, ue, *args):
        self.process = subprocess.Popen(ue.command("--json", "--log-level", "info", "proxy", "--listen", "127.0.0.1:0", *args),
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline()
        assert line, self.process.communicate()
        self.port = json.loads(line)["port"]
        self.log = ""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.send_signal(signal.SIGTERM)
        self.log = self.process.communicate(timeout=2 * PATIENCE)[1].decode()
        assert self.process.returncode == 0, self.log

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def get(self, path="/", timeout=PATIENCE, **headers):
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.port, path), headers=headers)
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read()


def received(connection):
    octets = b""
    while True:
        try:
            more = connection.recv(65536)
        except ConnectionResetError:  # closed with octets of ours unread
            more = b""
        if not more:
            return octets
        octets += more


@pytest.fixture
def device(ue, bsf):
    bsf.rands = list(RANDS)
    return ue.equip(bsf)


def echo_server(key, *options):
    """openssl s_server that sends back each line reversed (-rev): no HTTP."""
    port = free_port()
    return Program(["stdbuf", "-o0", "openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-nocert", "-psk", key.hex(), "-rev", *options], port)


@pytest.mark.parametrize("options,ua_id", [(["-tls1_2", "-cipher", SUITE_12], UA_12),
                                          (["-tls1_3", "-psk_identity", "3GPP-bootstrapping;" + btid_of(RANDS[0])], UA_13)])
def test_any_protocol(device, options, ua_id):
    """A plain client's octets go through PSK-TLS and back. REQ: Y3056-10.5-1a, Y3056-10.5-3, Y3056-7.4-6, OBF-10.2.4-3"""
    with echo_server(session_of(RANDS[0]).ks_naf(NAF, ua_id), *options) as server:
        with Proxy(device, "--to", "tls://%s:1883" % NAF, "--connect", server.address) as proxy:
            for text in (b"hello", b"0123456789" * 1000):
                with proxy.connect() as client:
                    client.sendall(text + b"\n")
                    got = b""
                    while not got.endswith(b"\n"):
                        got += client.recv(65536)
                    assert got == text[::-1] + b"\n"


def test_large_transfer_and_half_close(device, tmp_path):
    """A megabyte comes whole although the client has closed its sending side."""
    payload = os.urandom(1 << 20)
    (tmp_path / "payload").write_bytes(payload)
    port = free_port()
    key = session_of(RANDS[0]).ks_naf(NAF, UA_12)
    command = ["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-nocert", "-psk", key.hex(), "-tls1_2", "-cipher", SUITE_12,
               "-WWW"]
    with Program(command, port, str(tmp_path)) as server:
        with Proxy(device, "--to", "tls://%s:80" % NAF, "--connect", server.address) as proxy, proxy.connect() as client:
            client.sendall(b"GET /payload HTTP/1.0\r\n\r\n")
            assert received(client).endswith(payload)


def test_unmodified_http_program_through_a_stream(device, tmp_path):
    # REQ: OBF-11.1-1
    key = session_of(RANDS[0]).ks_naf(NAF, UA_13)
    with gnutls_server(tmp_path, [("3GPP-bootstrapping;" + btid_of(RANDS[0]), key)], "1.3") as server:
        with Proxy(device, "--to", "tls://%s:443" % NAF, "--connect", server.address) as proxy:
            status, body = proxy.get("/")
            assert status == 200 and b"GnuTLS" in body


def test_proxy_bootstraps_again(device, bsf, tmp_path):
    """The application does not know the first token. REQ: Y3056-9.5-6"""
    device.json("bootstrap")
    key = session_of(RANDS[1]).ks_naf(NAF, UA_13)
    with gnutls_server(tmp_path, [("3GPP-bootstrapping;" + btid_of(RANDS[1]), key)], "1.3") as server:
        with Proxy(device, "--to", "tls://%s:443" % NAF, "--connect", server.address) as proxy:
            assert proxy.get("/")[0] == 200
            assert proxy.get("/")[0] == 200
        assert bsf.order == [btid_of(RANDS[0]), btid_of(RANDS[1])]
        assert "ue.renewal" in proxy.log


def test_session_ends_with_its_token(ue):
    """REQ: Y3056-9.3-7, Y3056-7.4-6"""
    with FakeBsf("bsf.mnc001.mcc001.pub.3gppnetwork.org", lifetime=6) as bsf:
        bsf.add(IMPI, K, OPC)
        bsf.rands = list(RANDS)
        ue.equip(bsf)
        with echo_server(session_of(RANDS[0]).ks_naf(NAF, UA_12), "-tls1_2", "-cipher", SUITE_12) as server:
            with Proxy(ue, "--to", "tls://%s:1883" % NAF, "--connect", server.address) as proxy, proxy.connect() as client:
                client.sendall(b"abc\n")
                assert client.recv(16) == b"cba\n"
                assert client.recv(16) == b""


def test_no_session_is_taken_up_again(device):
    """The application gives tickets (TLS 1.2) and session tickets (1.3): nothing but the token opens the next connection, so nothing can
    after its end. REQ: Y3056-9.3-7"""
    for options, ua_id in KEEP_ALIVE:
        with echo_server(session_of(RANDS[0]).ks_naf(NAF, ua_id), "-trace", *options) as server:
            with Proxy(device, "--to", "tls://%s:1883" % NAF, "--connect", server.address) as proxy:
                for _ in range(2):
                    with proxy.connect() as client:
                        client.sendall(b"ab\n")
                        assert client.recv(16) == b"ba\n"
        hellos = [text.split("Sent Record")[0] for text in server.log.split("ClientHello, Length")[1:]]
        assert len(hellos) == 2
        for hello in hellos:
            assert not re.search(r"extension_type=session_ticket\(35\), length=[1-9]", hello)
            assert psk_identities(hello) == [b"3GPP-bootstrapping;" + btid_of(RANDS[0]).encode()], hello


def psk_identities(hello):
    """Of the pre_shared_key extension (RFC 8446 4.2.11) in what openssl s_server -trace prints."""
    dump = hello.split("extension_type=psk(41)")[1]
    octets = b"".join(bytes.fromhex(row.replace("-", " ")) for row in re.findall(r"(?m)^ +[0-9a-f]{4} - ((?:[0-9a-f]{2}[ -]?){1,16})", dump))
    left, identities = octets[2:2 + int.from_bytes(octets[:2], "big")], []
    while left:
        n = int.from_bytes(left[:2], "big")
        identities.append(left[2:2 + n])
        left = left[2 + n + 4:]
    return identities


def test_progress_for_a_program_and_for_a_person(device, bsf):
    """Each thing that happens is a line: of JSON where a program reads, of text where a person does. What failed says why."""
    with FakeNaf(NAF, bsf) as naf:
        for form in ("json", "text"):
            done = device.run("--log-level", "info", "--log-format", form, "get", "http://%s/" % NAF, "--connect", naf.address)
            device.json("token", "forget")
            lines = done.stderr.decode().splitlines()
            assert done.returncode == 0 and len(lines) == 2, done
            if form == "json":
                events = [json.loads(line) for line in lines]
                assert [event["event"] for event in events] == ["ue.bootstrapping", "ue.bootstrap"]
                assert events[1]["peer"] == "bsf.mnc001.mcc001.pub.3gppnetwork.org" and events[1]["corr"]
            else:
                assert "ue.bootstrapping" in lines[0] and "ue.bootstrap" in lines[1] and "bootstrapped in realm" in lines[1]
        bsf.users.clear()
        done = device.run("--log-level", "info", "--log-format", "json", "bootstrap")
        event = json.loads(done.stderr.decode().splitlines()[1])
        assert done.returncode != 0 and event["level"] == "warning" and event["result"].startswith("GBA_E_")


def test_wrong_key_closes_the_connection(device, bsf):
    """REQ: Y3056-9.5-2"""
    with echo_server(b"\x42" * 32, "-tls1_2", "-cipher", SUITE_12) as server:
        with Proxy(device, "--to", "tls://%s:1883" % NAF, "--connect", server.address) as proxy, proxy.connect() as client:
            client.sendall(b"secret\n")
            assert received(client) == b""
        assert len(bsf.order) == 2 and "GBA_E_NOT_AUTHORIZED" in proxy.log


def test_connections_are_bounded(device):
    with echo_server(session_of(RANDS[0]).ks_naf(NAF, UA_12), "-tls1_2", "-cipher", SUITE_12) as server:
        with Proxy(device, "--to", "tls://%s:1" % NAF, "--connect", server.address, "--max-connections", "1") as proxy:
            with proxy.connect() as first:
                first.sendall(b"ab\n")
                assert first.recv(16) == b"ba\n"
                with proxy.connect() as second:
                    assert received(second) == b""
                first.sendall(b"cd\n")
                assert first.recv(16) == b"dc\n"


def test_idle_connections_end(device):
    with echo_server(session_of(RANDS[0]).ks_naf(NAF, UA_12), "-tls1_2", "-cipher", SUITE_12) as server:
        with Proxy(device, "--to", "tls://%s:1" % NAF, "--connect", server.address, "--idle", "1") as proxy:
            began = time.monotonic()
            with proxy.connect() as client:
                assert received(client) == b"" and time.monotonic() - began >= 0.9


def test_http_mode_with_digest(device, bsf):
    """A plain HTTP program reaches an application that wants Digest."""
    with FakeNaf(NAF, bsf) as naf, Proxy(device, "--to", "http://%s/base/" % NAF, "--connect", naf.address) as proxy:
        status, body = proxy.get("/x?y=1", **{"X-One": "1", "Authorization": "Bearer stranger"})
        assert status == 200 and body.startswith(b"hello " + bsf.order[0].encode())
        method, path, headers, _, fields = naf.requests[-1]
        assert path == "/base/x?y=1" and headers["Host"] == NAF and headers["X-One"] == "1"
        assert fields["username"] == bsf.order[0]
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
        connection.request("POST", "/in", body=b"0123456789" * 5000, headers={"Content-Type": "text/plain"})
        answer = connection.getresponse()
        assert answer.status == 200 and b"0123456789" * 5000 in answer.read()
        assert naf.requests[-1][0] == "POST"
        naf.refused.add(bsf.order[0])
        assert proxy.get("/again")[1].startswith(b"hello " + btid_of(RANDS[1]).encode())


def test_http_mode_over_psk(device, tmp_path):
    with openssl_server(session_of(RANDS[0]).ks_naf(NAF, UA_12), "-tls1_2", "-cipher", SUITE_12) as server:
        with Proxy(device, "--to", "https://%s/" % NAF, "--connect", server.address, "--psk") as proxy:
            status, body = proxy.get("/")
            assert status == 200 and SUITE_12.encode() in body


class Relay:
    """A way to a server on which connections are counted."""

    def __init__(self, address):
        self.behind, self.connections = address.split(":"), []
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                device, _ = self.sock.accept()
            except OSError:
                return
            server = socket.create_connection((self.behind[0], int(self.behind[1])))
            self.connections.append((device, server))
            for one, other in ((device, server), (server, device)):
                threading.Thread(target=self.pump, args=(one, other), daemon=True).start()

    @staticmethod
    def pump(one, other):
        with contextlib.suppress(OSError):
            while octets := one.recv(65536):
                other.sendall(octets)
        with contextlib.suppress(OSError):  # also when it ended with a reset: the other side has to hear of it
            other.shutdown(socket.SHUT_WR)

    def open(self):
        """Connections that the device has not closed yet."""
        return sum(not ended(device) for device, _ in self.connections)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.sock.close()


class KeepAlive(Relay):
    """An HTTP/1.1 server behind PSK-TLS: openssl s_server does the TLS, its other end is answered here. It takes one connection
    at a time."""

    def __init__(self, key, *options):
        self.server, self.requests = psk_server(key, *options), 0
        super().__init__(self.server.address)
        threading.Thread(target=self.answer, daemon=True).start()

    def answer(self):
        head = b""
        while octets := os.read(self.server.process.stdout.fileno(), 65536):
            head += octets
            while b"\r\n\r\n" in head:
                head = head.split(b"\r\n\r\n", 1)[1]
                self.requests += 1
                text = b"request %d\n" % self.requests
                self.server.process.stdin.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
                self.server.process.stdin.flush()

    def __exit__(self, *error):
        super().__exit__()
        self.server.__exit__()


def ended(sock):
    """The peer has closed: nothing more is to be read but the end."""
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def psk_server(key, *options):
    port = free_port()
    return Program(["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-nocert", "-psk", key.hex(), "-quiet", *options], port)




@pytest.mark.parametrize("options,ua_id", KEEP_ALIVE)
def test_requests_share_a_handshake(device, options, ua_id):
    """One connection of a worker serves request after request while its token lives."""
    with KeepAlive(session_of(RANDS[0]).ks_naf(NAF, ua_id), *options) as naf:
        with Proxy(device, "--to", "https://%s/" % NAF, "--connect", naf.address, "--psk", "--max-connections", "1") as proxy:
            assert [proxy.get("/%d" % n)[1] for n in range(20)] == [b"request %d\n" % n for n in range(1, 21)]
            assert len(naf.connections) == 1 and naf.open() == 1


def test_a_kept_connection_ends_with_its_token(ue):
    """Idle, at its expiry; REQ: Y3056-9.3-7, Y3056-7.4-6"""
    with FakeBsf("bsf.mnc001.mcc001.pub.3gppnetwork.org", lifetime=6) as bsf:
        bsf.add(IMPI, K, OPC)
        bsf.rands = list(RANDS)
        ue.equip(bsf)
        with KeepAlive(session_of(RANDS[0]).ks_naf(NAF, UA_12), "-tls1_2", "-cipher", SUITE_12) as naf:
            with Proxy(ue, "--to", "https://%s/" % NAF, "--connect", naf.address, "--psk", "--max-connections", "1") as proxy:
                assert proxy.get("/")[0] == 200 and (naf.open() == 1 or time.time() >= bsf.ends)
                assert until(lambda: naf.open() == 0)
    assert len(bsf.order) == 1


def test_a_kept_connection_ends_when_the_token_is_forgotten(device):
    """The user takes the token away while nothing is asked."""
    with KeepAlive(session_of(RANDS[0]).ks_naf(NAF, UA_12), "-tls1_2", "-cipher", SUITE_12) as naf:
        with Proxy(device, "--to", "https://%s/" % NAF, "--connect", naf.address, "--psk", "--max-connections", "1") as proxy:
            assert proxy.get("/")[0] == 200 and naf.open() == 1
            device.json("token", "forget")
            assert until(lambda: naf.open() == 0)


def test_a_connection_that_the_application_closed_is_replaced(device):
    with KeepAlive(session_of(RANDS[0]).ks_naf(NAF, UA_12), "-tls1_2", "-cipher", SUITE_12) as naf:
        with Proxy(device, "--to", "https://%s/" % NAF, "--connect", naf.address, "--psk", "--max-connections", "1") as proxy:
            assert proxy.get("/")[1] == b"request 1\n"
            naf.connections[0][0].shutdown(socket.SHUT_RDWR)
            assert proxy.get("/")[1] == b"request 2\n"
            assert len(naf.connections) == 2


def test_an_application_without_psk_is_not_asked_for_it_each_time(device, bsf, certificate):
    with FakeNaf(NAF, bsf, certificate=certificate) as naf, Relay(naf.address) as way:
        with Proxy(device, "--to", "https://%s/" % NAF, "--connect", way.address, "--ca-file", certificate[0],
                   "--max-connections", "1") as proxy:
            assert [proxy.get("/")[0] for _ in range(5)] == [200] * 5
        assert len(way.connections) == 2  # one that tried, one with the certificate


def test_http_mode_says_what_is_wrong(device, bsf):
    with FakeNaf(NAF, bsf) as naf, Proxy(device, "--to", "http://%s/" % NAF, "--connect", naf.address) as proxy:
        bsf.users.clear()
        for want, change in ((403, None), (502, "realm"), (503, "gone")):
            if change == "realm":
                naf.realm = "3GPP-bootstrapping@other.example"
            if change == "gone":
                naf.close()
            with pytest.raises(urllib.error.HTTPError) as error:
                proxy.get("/")
            assert error.value.code == want


def test_no_http_is_refused_and_logged(device):
    with Proxy(device, "--to", "http://%s/" % NAF) as proxy:
        with proxy.connect() as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            assert received(connection).startswith(b"HTTP/1.1 400 ")
    assert proxy.log.count("ue.refused") == 1


def test_many_at_once_share_one_bootstrapping(device, bsf):
    with FakeNaf(NAF, bsf) as naf, Proxy(device, "--to", "http://%s/" % NAF, "--connect", naf.address) as proxy:
        results = []
        threads = [threading.Thread(target=lambda: results.append(proxy.get("/")[0])) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [200] * 24 and len(bsf.order) == 1


@pytest.mark.parametrize("args,status", [(["--listen", "127.0.0.1:0"], 2), (["--to", "tls://naf.example:1"], 2),
                                        (["--listen", "127.0.0.1:0", "--to", "tls://naf.example"], 2),
                                        (["--listen", "127.0.0.1:0", "--to", "ftp://naf.example/"], 2),
                                        (["--listen", "localhost:0", "--to", "tls://naf.example:1"], 2),
                                        (["--listen", "192.0.2.1:0", "--to", "tls://naf.example:1"], 5)])
def test_proxy_that_cannot_start(device, args, status):
    assert device.json("proxy", *args, status=status)["message"]


def dumps_core(process):
    """Would its memory be written to a file?"""
    process.send_signal(signal.SIGABRT)
    return os.WCOREDUMP(os.waitpid(process.pid, 0)[1])


def with_core(command, folder):
    """A program whose limits allow a core file, in a folder of its own."""
    def limits():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limits)


def test_the_identity_stays_inside(device, bsf, tmp_path):
    """From the USIM to the client element, and no further: not in files, not in logs, not to the program it serves, not in a core
    file. REQ: Y3056-7.4-2"""
    log = tmp_path / "log"
    with echo_server(session_of(RANDS[0]).ks_naf(NAF, UA_13), "-tls1_3", "-psk_identity", "3GPP-bootstrapping;" + btid_of(RANDS[0])) as server:
        process = with_core(device.command("--json", "--log-level", "debug", "--log-file", str(log), "proxy", "--listen", "127.0.0.1:0",
                                           "--to", "tls://%s:1883" % NAF, "--connect", server.address), tmp_path)
        port = json.loads(process.stdout.readline())["port"]
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
            client.sendall(b"who am I?\n")
            client.shutdown(socket.SHUT_WR)
            heard = received(client)
        assert heard == b"?I ma ohw\n" and bsf.requests[0][0]["username"] == IMPI  # the operator alone was told
        with open("/proc/%d/environ" % process.pid, "rb") as words:
            heard += words.read()
        if os.geteuid() != 0:  # its memory is not its own user's to read
            with pytest.raises(PermissionError):
                open("/proc/%d/mem" % process.pid, "rb").close()
        control = with_core(["sleep", "60"], tmp_path)
        if dumps_core(control):
            assert not dumps_core(process)
            left = process.stdout.read() + process.stderr.read()
        else:
            process.send_signal(signal.SIGTERM)
            left = b"".join(process.communicate(timeout=2 * PATIENCE))
    process.returncode = control.returncode = 0  # waited for by us
    imsi = IMPI.split("@")[0].encode()
    for path in [log] + [os.path.join(device.state, name) for name in os.listdir(device.state)]:
        with open(path, "rb") as content:
            assert imsi not in content.read(), path
    assert imsi not in heard + left and log.stat().st_size > 0
