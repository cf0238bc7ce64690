# SPDX-License-Identifier: Apache-2.0
"""A request's life: answers at once and later, clients that go, a server that stops; addresses, TLS and what starts at all."""
import random
import re
import signal
import socket
import ssl
import struct
import time

import pytest

from httpnet import Background, Server, read_all
from peers.waiting import PATIENCE, until

GOOD = b"GET /good HTTP/1.1\r\nHost: h\r\n\r\n"
LATER = b"GET /later?%d HTTP/1.1\r\nHost: h\r\n\r\n"
NEVER = b"GET /never HTTP/1.1\r\nHost: h\r\n\r\n"
HELD = b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n"


def test_pipelined_requests_are_answered_in_order(plain):
    targets = ["/a", "/later?30", "/b", "/later?0", "/later?1", "/c"] * 5
    raw = b"".join(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % target.encode() for target in targets)
    answers = plain.talk(raw, count=len(targets))
    assert [answer.said("target") for answer in answers.list] == ["[%s]" % target for target in targets]


@pytest.mark.parametrize("delay", [0, 1, 20])
def test_many_late_answers_at_once(plain, delay):
    def client():
        with plain.connect() as sock:
            for _ in range(20):
                sock.sendall(LATER % delay)
                data = b""
                while b"tls 0\n" not in data:
                    data += sock.recv(65536)
                assert data.startswith(b"HTTP/1.1 200 ")
        return True
    assert all([one.result() for one in [Background(client) for _ in range(16)]])


def reset(sock):
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("how", ["close", "reset", "shutdown"])
def test_a_client_that_goes_while_its_request_is_in_work(how):
    """Under a sanitizer this is the use-after-free test: 200 clients leave between their request and its late answer."""
    with Server(threads=2) as server:
        chance = random.Random(1)
        for _ in range(200):
            sock = server.connect()
            sock.sendall(LATER % chance.choice([0, 1, 2, 5]))
            time.sleep(chance.choice([0, 0, 0.001, 0.003]))
            if how == "reset":
                reset(sock)
            elif how == "shutdown":
                sock.shutdown(socket.SHUT_WR)
                sock.close()
            else:
                sock.close()
        time.sleep(0.1)
        assert server.talk(GOOD, count=1).statuses == [200]


def test_half_closed_clients_get_their_answer(plain):
    with plain.connect() as sock:
        sock.sendall(LATER % 50)
        sock.shutdown(socket.SHUT_WR)
        data, closed = read_all(sock)
        assert data.startswith(b"HTTP/1.1 200 ") and closed


def test_clients_that_go_in_the_middle_of_a_head_or_body(plain):
    for raw in [b"G", b"GET /x HTTP/1.1\r\n", b"GET /x HTTP/1.1\r\nHo", b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"]:
        for end in (reset, socket.socket.close):
            sock = plain.connect()
            sock.sendall(raw)
            time.sleep(0.02)
            end(sock)
    assert plain.talk(GOOD, count=1).statuses == [200]


def test_error_rows_answer_with_their_status_and_retry_after(plain):
    answer = plain.talk(b"GET /busy HTTP/1.1\r\nHost: h\r\n\r\n", count=1).list[0]
    assert answer.status == 503 and answer.fields["retry-after"] == ["5"] and answer.body == b"too busy\n"


def test_a_header_value_cannot_begin_another_header(plain):
    answers = plain.talk(b"GET /bad-header HTTP/1.1\r\nHost: h\r\n\r\n", count=1)
    assert answers.statuses == [503] and "x-bad" not in answers.list[0].fields


def test_stop_waits_for_requests_in_work():
    server = Server(stop_ms=60000, announce=1)
    one = Background(server.talk, LATER % 600)
    server.taken()
    assert server.stop() < 30000
    assert one.result().statuses == [200]


def test_stop_answers_503_for_what_stays_suspended():
    server = Server(stop_ms=200, threads=2, announce=1)
    several = [Background(server.talk, NEVER) for _ in range(8)]
    server.taken(8)
    assert server.stop() >= 200
    for one in several:
        assert one.result().statuses == [503] and one.result().closed
        assert one.result().list[0].fields["retry-after"] == ["5"]


def takes(server):
    """Does it take connections?"""
    try:
        server.connect().close()
        return True
    except (ConnectionRefusedError, ConnectionResetError):
        return False


def test_stop_serves_no_new_request_on_an_open_connection():
    server = Server(stop_ms=60000, announce=1)
    work = Background(server.talk, HELD)
    server.taken()
    with server.connect() as sock:
        sock.sendall(GOOD)
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
        stopping = Background(server.stop)
        assert until(lambda: not takes(server))
        sock.sendall(GOOD)
        data, closed = read_all(sock)
        assert data.startswith(b"HTTP/1.1 503 ") and closed
    assert not work.done()
    server.process.send_signal(signal.SIGUSR1)
    assert work.result().statuses == [200]
    stopping.result()


def test_stop_under_load():
    """Clients of all kinds while the server goes down: it ends, and nobody gets half an answer."""
    server = Server(stop_ms=100, threads=2)
    served = []

    def client(raw):
        try:
            for _ in range(2000):
                answers = server.talk(raw, count=raw.count(b"GET"), quiet=0.01)
                assert set(answers.statuses) <= {200, 503} and answers.rest == b""
                served.extend(answers.list)
        except (ConnectionRefusedError, ConnectionResetError):
            pass
    several = [Background(client, raw) for raw in (GOOD, LATER % 1, LATER % 0, LATER % 30, NEVER, GOOD * 3)]
    time.sleep(0.5)
    assert until(lambda: len(served) > 10)
    server.stop()
    for one in several:
        one.result()


def test_stop_with_idle_and_half_connections():
    """They are not waited for."""
    server = Server(stop_ms=60000)
    socks = [server.connect() for _ in range(10)]
    for sock in socks[:5]:
        sock.sendall(b"GET /x HTTP/1.1\r\nHo")
    assert server.talk(GOOD, count=1).statuses == [200]
    assert server.stop() < 30000
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("listen,source", [("127.0.0.1:0", r"127\.0\.0\.1:\d+"), ("[::1]:0", r"\[::1\]:\d+"),
                                           ("localhost:0", r"(127\.0\.0\.1|\[::1\]):\d+")])
def test_addresses(listen, source):
    with Server(listen=listen) as server:
        answers = server.talk(GOOD, count=1)
        assert re.fullmatch(source, answers.list[0].said("source"))


def test_both_families_on_the_unspecified_address():
    with Server(listen="[::]:0") as server:
        assert server.talk(GOOD, count=1).list[0].said("source").startswith("[::1]:")
        server.host = "127.0.0.1"
        assert server.talk(GOOD, count=1).list[0].said("source").startswith("127.0.0.1:")


def test_one_address_is_not_all_addresses():
    with Server(listen="127.0.0.1:0") as server:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", server.port), 2)


BAD_STARTS = [("no port", {"listen": "127.0.0.1"}, "not an address and port"), ("bare IPv6", {"listen": "::1:80"}, "not an address and port"),
              ("empty", {"listen": ""}, "not an address and port"), ("port word", {"listen": "127.0.0.1:http"}, "127.0.0.1:http: "),
              ("not ours", {"listen": "192.0.2.1:80"}, "192.0.2.1:80: Cannot assign requested address"),
              ("no certificate file", {"cert": "/nonexistent.pem", "key": "/nonexistent.key"}, "/nonexistent.pem: No such file"),
              ("certificate without key", {"cert": "/nonexistent.pem"}, "without key"),
              ("no threads", {"threads": 0}, "threads")]


@pytest.mark.parametrize("name,options,text", BAD_STARTS, ids=[row[0] for row in BAD_STARTS])
def test_a_start_that_fails_says_why(name, options, text):
    server = Server(**options)
    assert text in server.error
    assert server.process.wait(PATIENCE) == 1


def test_an_address_in_use_is_named(plain):
    server = Server(listen="127.0.0.1:%d" % plain.port)
    assert "127.0.0.1:%d: Address already in use" % plain.port in server.error
    assert server.process.wait(PATIENCE) == 1


def test_a_key_that_does_not_belong_is_refused(pki):
    server = Server(cert=pki["server"] + ".pem", key=pki["client"] + ".key")
    assert "certificate, key" in server.error
    assert server.process.wait(PATIENCE) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_versions(tls, trust, pki, version):
    context = ssl.create_default_context(cafile=pki["ca"] + ".pem")
    context.check_hostname = False
    context.minimum_version = context.maximum_version = version
    with tls.connect(tls=context) as sock:
        sock.sendall(GOOD)
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert "GCM" in sock.cipher()[0] or "CHACHA20" in sock.cipher()[0]


@pytest.mark.parametrize("version,ciphers", [(ssl.TLSVersion.TLSv1_1, "DEFAULT@SECLEVEL=0"),
                                             (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA"),
                                             (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-SHA384")])
def test_old_tls_is_refused(tls, version, ciphers):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(ciphers)
    context.minimum_version = context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        tls.connect(tls=context)


def with_certificate(pki, name):
    context = ssl.create_default_context(cafile=pki["ca"] + ".pem")
    context.check_hostname = False
    if name:
        context.load_cert_chain(pki[name] + ".pem", pki[name] + ".key")
    return context


@pytest.mark.parametrize("name,served", [("client", True), ("foreign", False), (None, False)])
def test_client_certificates(pki, name, served):
    with Server(cert=pki["server"] + ".pem", key=pki["server"] + ".key", ca=pki["ca"] + ".pem") as server:
        try:
            answers = server.talk(GOOD, tls=with_certificate(pki, name), count=1)
            assert answers.statuses == ([200] if served else [])
        except (ssl.SSLError, ConnectionResetError):
            assert not served


def test_late_answers_over_tls(tls, trust):
    answers = tls.talk(LATER % 20 + GOOD + LATER % 0, tls=trust, count=3)
    assert answers.statuses == [200, 200, 200]


# /metrics, /livez, /readyz

def page(server, target, method=b"GET"):
    return server.talk(method + b" " + target + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", port=server.pages)


def test_metrics_page_counts_what_happened():
    with Server(metrics="127.0.0.1:0") as server:
        server.talk(GOOD, count=1)
        server.talk(b"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        server.talk(b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
        server.talk(b"garbage\r\n\r\n")
        asked = 0

        def counted():
            """The page counts itself: each one before this, and the connection it is asked on."""
            nonlocal asked
            asked += 1
            answer = page(server, b"/metrics").list[0]
            assert answer.fields["content-type"] == ["text/plain; version=0.0.4"]
            return {'gba_http_requests_total{code="2xx"} %d' % asked, 'gba_http_requests_total{code="4xx"} 1',
                    'gba_http_refused_total{reason="repeated"} 1', 'gba_http_refused_total{reason="framing"} 1',
                    'gba_http_refused_total{reason="syntax"} 1', "gba_http_connections 1"} <= set(answer.body.decode().splitlines())

        assert until(counted)


PAGES = [("live", b"/livez", b"GET", None, 200, b"live\n"), ("ready", b"/readyz", b"GET", None, 200, b"ready\n"),
         ("not ready", b"/readyz", b"GET", "peer HSS", 503, b"not ready\n"),
         ("not ready, named", b"/readyz?verbose", b"GET", "peer HSS", 503, b"not ready\nmissing: peer HSS\n"),
         ("live though not ready", b"/livez", b"GET", "peer HSS", 200, b"live\n"), ("unknown", b"/", b"GET", None, 404, b"not found\n"),
         ("method", b"/metrics", b"POST", None, 405, b"")]


@pytest.mark.parametrize("name,target,method,missing,status,body", PAGES, ids=[row[0] for row in PAGES])
def test_pages(name, target, method, missing, status, body):
    with Server(metrics="127.0.0.1:0", **({"missing": missing} if missing else {})) as server:
        answer = page(server, target, method).list[0]
        assert (answer.status, answer.body) == (status, body)


def read_until(sock, octets):
    sock.settimeout(PATIENCE)
    data = b""
    while octets not in data:
        got = sock.recv(65536)
        assert got, data
        data += got


def test_any_number_of_clients_may_send_at_the_same_moment():
    """libmicrohttpd takes 128 events at a time; at exactly so many its own threads wait for one more, for ever, with these in
    hand. The thread is held until all have sent, so that it finds them together."""
    with Server(threads=1, announce=1, connections=1000, head_ms=120000, idle_ms=120000) as server:
        for clients in (126, 127, 128, 129, 255, 256, 257):
            socks, holder = [server.connect() for _ in range(clients)], server.connect()
            for sock in socks:
                sock.sendall(GOOD)
                read_until(sock, b"[/good]")
            holder.sendall(b"GET /hold?200 HTTP/1.1\r\nHost: h\r\n\r\n")
            server.taken()
            for sock in socks:
                sock.sendall(b"GET /all HTTP/1.1\r\nHost: h\r\n\r\n")
            for sock in socks:
                read_until(sock, b"[/all]")
            for sock in socks + [holder]:
                sock.close()


def test_who_waits_for_a_place_gets_the_next_one():
    """One thread with two places: the third is accepted when the first goes, with nothing else to wake the thread."""
    with Server(threads=1, connections=2, head_ms=120000, idle_ms=120000) as server:
        first, second = server.connect(), server.connect()
        for sock in (first, second):
            sock.sendall(GOOD)
            read_until(sock, b"[/good]")
        with server.connect() as third:
            third.sendall(GOOD)
            first.close()
            read_until(third, b"[/good]")
        second.close()
