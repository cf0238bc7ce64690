# SPDX-License-Identifier: Apache-2.0
"""Hostile and odd requests: the exact answer, and nothing served after a refusal (RFC 9110, RFC 9112).
What libmicrohttpd lets through by itself, as measured: two lengths, length and chunks, two Host, bare LF, bare CR, folded lines, empty
names, values cut at NUL, space before colon, an answer's head sent twice."""
import time

import pytest

from httpnet import Answers, Server, read_all
from peers.waiting import until

SECOND = b"GET /second HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
LINE = b"GET /x HTTP/1.1\r\n"
HOST = b"Host: h\r\n"


def head(*lines, line=LINE, host=HOST):
    return line + host + b"".join(one + b"\r\n" for one in lines) + b"\r\n"


def target(value, method=b"GET", version=b"HTTP/1.1"):
    return method + b" " + value + b" " + version + b"\r\n" + HOST + b"\r\n"


def post(length, body, *more):
    return b"POST /x HTTP/1.1\r\n" + HOST + b"".join(b"Content-Length: " + one + b"\r\n" for one in length) + \
        b"".join(one + b"\r\n" for one in more) + b"\r\n" + body


# name, octets, status: refused, closed, and nothing behind it served
REFUSED = [
    # framing
    ("two equal lengths", post([b"5", b"5"], b"hello"), 400),
    ("two different lengths", post([b"5", b"6"], b"hello"), 400),
    ("lengths in one field", post([b"5, 5"], b"hello"), 400),
    ("length and chunked", post([b"5"], b"0\r\n\r\n", b"Transfer-Encoding: chunked"), 400),
    ("chunked and length", head(b"Transfer-Encoding: chunked", b"Content-Length: 5") + b"0\r\n\r\n", 400),
    ("chunked and length 0", post([b"0"], b"0\r\n\r\n", b"Transfer-Encoding: chunked"), 400),
    ("chunked only", head(b"Transfer-Encoding: chunked", line=b"POST /x HTTP/1.1\r\n") + b"0\r\n\r\n", 411),
    ("chunked with GET", head(b"Transfer-Encoding: chunked") + b"0\r\n\r\n", 411),
    ("chunked in HTTP/1.0", head(b"Transfer-Encoding: chunked", line=b"POST /x HTTP/1.0\r\n") + b"0\r\n\r\n", 400),
    ("identity", head(b"Transfer-Encoding: identity"), 411),
    ("xchunked", head(b"Transfer-Encoding: xchunked"), 411),
    ("chunked twice", head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", 411),
    ("gzip, chunked", head(b"Transfer-Encoding: gzip, chunked"), 411),
    ("chunked with vertical tab", head(b"Transfer-Encoding: \x0bchunked"), 400),
    ("Transfer-Encoding with space before colon", head(b"Transfer-Encoding : chunked"), 400),
    ("Transfer-Encoding folded", head(b"Transfer-Encoding:\r\n chunked"), 400),
    ("length empty", post([b""], b""), 400),
    ("length word", post([b"abc"], b""), 400),
    ("length negative", post([b"-1"], b""), 400),
    ("length with plus", post([b"+5"], b"hello"), 400),
    ("length hexadecimal", post([b"0x5"], b"hello"), 400),
    ("length with blank inside", post([b"5 5"], b"hello"), 400),
    ("length with point", post([b"5.0"], b"hello"), 400),
    ("length with exponent", post([b"1e1"], b"hello"), 400),
    ("length with semicolon", post([b"5;"], b"hello"), 400),
    ("length with comma", post([b"5,"], b"hello"), 400),
    ("length with letter", post([b"5a"], b"hello"), 400),
    ("length quoted", post([b'"5"'], b"hello"), 400),
    ("length with underscore name too", post([b"5"], b"hello", b"Content-Length : 6"), 400),
    ("length beyond 64 bits", post([b"18446744073709551616"], b""), 400),
    ("length of 40 digits", post([b"9" * 40], b""), 400),
    ("length at 63 bits", post([b"9223372036854775807"], b""), 413),
    ("length at 64 bits", post([b"18446744073709551614"], b""), 413),
    ("length over the limit", post([b"4097"], b"x" * 4097), 413),
    ("length over the limit, GET", head(b"Content-Length: 4097"), 413),
    ("length over the limit with leading zeros", post([b"000004097"], b"x" * 4097), 413),
    ("length with NUL", post([b"5\x00"], b"hello"), 400),
    # line ends
    ("bare LF after the request line", b"GET /x HTTP/1.1\n" + HOST + b"\r\n", 400),
    ("bare LF after a header", LINE + b"Host: h\nX: y\r\n\r\n", 400),
    ("bare LF after the last header", LINE + b"Host: h\n\r\n", 400),
    ("bare LF as blank line", LINE + HOST + b"\n", 400),
    ("bare LF throughout", b"GET /x HTTP/1.1\nHost: h\n\n", 400),
    ("bare LF LF", LINE + b"Host: h\n\n", 400),
    ("bare CR in a value", head(b"X: a\rb"), 400),
    ("bare CR before CR LF", head(b"X: a\r"), 400),
    ("bare CR between headers", LINE + b"Host: h\rX: y\r\n\r\n", 400),
    ("bare CR in a name", head(b"X\rY: a"), 400),
    ("bare CR in the target", target(b"/a\rb"), 400),
    ("CR hides a header", head(b"X: a\rTransfer-Encoding: chunked"), 400),
    ("LF hides a length", head(b"X: a\nContent-Length: 7"), 400),
    ("LF CR", LINE + b"Host: h\n\rX: y\r\n\r\n", 400),
    # folding
    ("folded value", head(b"X: a\r\n b"), 400),
    ("folded with tab", head(b"X: a\r\n\tb"), 400),
    ("folded Host", LINE + b"Host: h\r\n .evil\r\n\r\n", 400),
    ("folded last", head(b"X: a\r\n "), 400),
    ("blank before the first header", LINE + b" Host: h\r\n\r\n", 400),
    ("tab before the first header", LINE + b"\tHost: h\r\n\r\n", 400),
    ("line of blanks", head(b"X: a\r\n  \r\nY: b"), 400),
    # names
    ("empty name", head(b": a"), 400),
    ("empty name first", LINE + b": a\r\n" + HOST + b"\r\n", 400),
    ("colon only", head(b":"), 400),
    ("no colon", head(b"X"), 400),
    ("no colon first", LINE + b"X\r\n" + HOST + b"\r\n", 400),
    ("space before colon", head(b"X : a"), 400),
    ("tab before colon", head(b"X\t: a"), 400),
    ("space in a name", head(b"X Y: a"), 400),
    ("NUL in a name", head(b"X\x00Y: a"), 400),
    ("8-bit name", head(b"X\xff: a"), 400),
    ("parenthesis in a name", head(b"X(Y): a"), 400),
    ("slash in a name", head(b"X/Y: a"), 400),
    ("at sign in a name", head(b"X@Y: a"), 400),
    ("quoted name", head(b'"X": a'), 400),
    ("bracket in a name", head(b"X[]: a"), 400),
    ("DEL in a name", head(b"X\x7f: a"), 400),
    # values
    ("NUL in a value", head(b"X: good\x00evil"), 400),
    ("NUL at the end of a value", head(b"X: good\x00"), 400),
    ("NUL as a value", head(b"X: \x00"), 400),
    ("NUL in Authorization", head(b"Authorization: Digest username=\"a\x00b\""), 400),
    ("NUL in Host", LINE + b"Host: h\x00evil\r\n\r\n", 400),
    ("control octet", head(b"X: a\x01b"), 400),
    ("backspace", head(b"X: a\x08b"), 400),
    ("escape", head(b"X: \x1b[2J"), 400),
    ("vertical tab", head(b"X: a\x0bb"), 400),
    ("form feed", head(b"X: a\x0cb"), 400),
    ("DEL in a value", head(b"X: a\x7fb"), 400),
    ("line beginning with NUL", head(b"\x00X: y"), 400),
    ("NUL as blank line", LINE + HOST + b"\x00\r\n", 400),
    ("NUL text as blank line", LINE + HOST + b"\x00garbage\r\n", 400),
    # repeated
    ("two Host", head(b"Host: other"), 400),
    ("two equal Host", head(b"Host: h"), 400),
    ("two Host, case", head(b"HOST: other"), 400),
    ("two Host in HTTP/1.0", head(b"Host: other", line=b"GET /x HTTP/1.0\r\n"), 400),
    ("two Authorization", head(b"Authorization: Digest a=b", b"Authorization: Digest a=b"), 400),
    ("two Authorization, case", head(b"authorization: Digest a=b", b"AUTHORIZATION: Basic x"), 400),
    # Host
    ("no Host", LINE + b"X: y\r\n\r\n", 400),
    ("no headers", LINE + b"\r\n", 400),
    ("Host with blank", LINE + b"Host: a b\r\n\r\n", 400),
    ("Host list", LINE + b"Host: a,b\r\n\r\n", 400),
    ("Host with path", LINE + b"Host: a/b\r\n\r\n", 400),
    ("Host with user", LINE + b"Host: u@a\r\n\r\n", 400),
    ("Host with 8-bit", LINE + b"Host: \xc3\xa4\r\n\r\n", 400),
    # request line
    ("two blanks before the target", b"GET  /x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("two blanks after the target", b"GET /x  HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("blank in the target", target(b"/a b"), 400),
    ("tab in the target", target(b"/a\tb"), 400),
    ("NUL in the target", target(b"/a\x00b"), 400),
    ("NUL after the target", b"GET /x\x00 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("8-bit target", target(b"/\xff"), 400),
    ("DEL in the target", target(b"/\x7f"), 400),
    ("fragment", target(b"/x#y"), 400),
    ("no leading slash", target(b"x"), 400),
    ("asterisk with GET", target(b"*"), 400),
    ("CONNECT", target(b"h:443", b"CONNECT"), 400),
    ("foreign scheme", target(b"ftp://h/x"), 400),
    ("absolute-form without a host", target(b"http:///x"), 400),
    ("absolute-form with a user", target(b"http://u@h/x"), 400),
    ("absolute-form without a second slash", target(b"http:/h/x"), 400),
    ("method with NUL", b"G\x00T /x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("method with slash", b"G/T /x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("method 8-bit", b"G\xc3\x89T /x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("method with colon", b"Host: /x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("blank before the method", b" GET /x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("trailing blank", b"GET /x HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
    ("lower-case version", target(b"/x", version=b"http/1.1"), 400),
    ("version without point", target(b"/x", version=b"HTTP/11"), 400),
    ("version with digits", target(b"/x", version=b"HTTP/1.10"), 400),
    ("version with NUL", target(b"/x", version=b"HTTP/1.1\x00"), 400),
    ("version 2.0", target(b"/x", version=b"HTTP/2.0"), 505),
    ("version 0.9", target(b"/x", version=b"HTTP/0.9"), 505),
    ("no version", b"GET /x\r\n" + HOST + b"\r\n", 400),
    ("one word", b"GET\r\n" + HOST + b"\r\n", 400),
    ("garbage line", b"\xde\xad\xbe\xef\r\n\r\n", 400),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("TLS to the plain port", bytes.fromhex("16030100") + b"\x05\x01\x00\x00\x01\x00\r\n", 400),
    ("a CER to the HTTP port", bytes.fromhex("010000b48000010100000000aabbccddaabbccdd") + b"\r\n", 400),
    # size and expectations
    ("unknown expectation", post([b"5"], b"hello", b"Expect: 200-maybe"), 417),
    ("head over the limit", head(b"X: " + b"a" * 8192), 431),
    ("head over the limit in many lines", head(*[b"X-%d: %s" % (i, b"a" * 50) for i in range(200)]), 431),
    ("head far over the limit", head(b"X: " + b"a" * 60000), 431),
    ("10,000 headers", head(*[b"X: y"] * 10000), 431),
    ("target over the limit", target(b"/" + b"a" * 9000), 431),
    ("target far over the limit", target(b"/" + b"a" * 60000), 414),
    ("cookies more than there is room for", head(b"Cookie: " + b"a;" * 2000), 431),
    ("cookie beyond all room", head(b"Cookie: " + b"a=b; " * 3000), 431),
]
NAMES = [row[0] for row in REFUSED]
SILENT_OVER_TLS = {"one word", "garbage line", "TLS to the plain port", "a CER to the HTTP port", "blank before the method"}


def test_there_are_enough_rows_and_no_two_are_one():
    assert len(REFUSED) >= 100
    assert len(set(NAMES)) == len(NAMES)


def assert_refused(answers, status, name):
    assert answers.statuses == [status], "%s: %r" % (name, answers.data)
    assert answers.rest == b"", "%s: octets after the answer: %r" % (name, answers.rest)
    assert answers.closed, name + ": still open"


@pytest.mark.parametrize("name,raw,status", REFUSED, ids=NAMES)
def test_refused_once_and_closed(plain, name, raw, status):
    assert_refused(plain.talk(raw + SECOND), status, name)


@pytest.mark.parametrize("name,raw,status", REFUSED, ids=NAMES)
def test_refused_as_a_later_request(plain, name, raw, status):
    """Behind a good one, sent in one piece: the good one is served, then the same refusal."""
    answers = plain.talk(b"GET /first HTTP/1.1\r\nHost: h\r\n\r\n" + raw + SECOND)
    assert answers.statuses == [200, status], "%s: %r" % (name, answers.data)
    assert answers.list[0].said("target") == "[/first]"
    assert answers.rest == b"" and answers.closed


@pytest.mark.parametrize("name,raw,status", [row for row in REFUSED if len(row[1]) < 1000], ids=lambda v: v if isinstance(v, str) else "")
def test_refused_in_single_octets(plain, name, raw, status):
    assert_refused(plain.talk(None, pieces=[raw[i:i + 1] for i in range(len(raw))] + [SECOND]), status, name)


@pytest.mark.parametrize("name,raw,status", REFUSED, ids=NAMES)
def test_refused_over_tls(tls, trust, name, raw, status):
    answers = tls.talk(raw + SECOND, tls=trust)
    if name in SILENT_OVER_TLS:  # lib/http/server.h: known residue
        assert answers.statuses == [] and answers.closed
    else:
        assert_refused(answers, status, name)


# name, octets, what the handler got
SERVED = [
    ("plain", head(), {"method": "[GET]", "target": "[/x]", "authorization": "[] none"}),
    ("blanks around a value", head(b"X-Test: \t a b \t "), {"x-test": "[a b]"}),
    ("no blank after the colon", head(b"X-Test:ab"), {"x-test": "[ab]"}),
    ("empty value", head(b"X-Test:"), {"x-test": "[]"}),
    ("value of blanks", head(b"X-Test:   "), {"x-test": "[]"}),
    ("8-bit value", head(b"X-Test: \xe4"), {"x-test": "[\xe4]"}),
    ("tab inside a value", head(b"X-Test: a\tb"), {"x-test": "[a\tb]"}),
    ("names without case", head(b"AUTHORIZATION: Digest a=\"b\""), {"authorization": '[Digest a="b"]'}),
    ("first of two", head(b"X-Test: 1", b"X-Test: 2"), {"x-test": "[1]"}),
    ("odd but legal name", head(b"!#$%&'*+-.^_`|~: x"), {"target": "[/x]"}),
    ("target as sent", target(b"/a%20b/../c?d=%41&e=%"), {"target": "[/a%20b/../c?d=%41&e=%]"}),
    ("absolute-form", target(b"http://h/x"), {"target": "[http://h/x]"}),
    ("absolute-form, host alone", target(b"HTTPS://[::1]:8443?a"), {"target": "[HTTPS://[::1]:8443?a]"}),
    ("asterisk with OPTIONS", target(b"*", b"OPTIONS"), {"method": "[OPTIONS]", "target": "[*]"}),
    ("other method", target(b"/x", b"BREW"), {"method": "[BREW]"}),
    ("long method", target(b"/x", b"VERSION-CONTROL-AND-MORE"), {"method": "[VERSION-CONTROL-AND-MORE]"}),
    ("Host with port", LINE + b"Host: h:8080\r\n\r\n", {"target": "[/x]"}),
    ("Host IPv6", LINE + b"Host: [::1]:8080\r\n\r\n", {"target": "[/x]"}),
    ("empty Host", LINE + b"Host:\r\n\r\n", {"target": "[/x]"}),
    ("HTTP/1.2", target(b"/x", version=b"HTTP/1.2"), {"target": "[/x]"}),
    ("empty line before", b"\r\n" + head(), {"target": "[/x]"}),
    ("GET with body", head(b"Content-Length: 5") + b"hello", {"body": "5"}),
    ("body with length in zeros", post([b"00005"], b"hello"), {"body": "5"}),
    ("body of nothing", post([b"0"], b""), {"body": "0"}),
    ("body at the limit", post([b"4096"], b"x" * 4096), {"body": "4096"}),
    ("body that looks like a request", post([b"%d" % len(SECOND)], SECOND), {"body": str(len(SECOND))}),
    ("head at the limit", head(b"X: " + b"a" * (8192 - len(head()) - 5)), {"target": "[/x]"}),
    ("100 headers", head(*[b"X-%d: y" % i for i in range(100)]), {"target": "[/x]"}),
    ("cookies", head(b"Cookie: a=b; c=\"d\";;=;x"), {"target": "[/x]"}),
]


@pytest.mark.parametrize("name,raw,got", SERVED, ids=[row[0] for row in SERVED])
def test_served_twice_on_one_connection(plain, name, raw, got):
    answers = plain.talk(raw + raw + SECOND)
    assert answers.statuses == [200, 200, 200], "%s: %r" % (name, answers.data)
    assert answers.closed and answers.rest == b""
    for answer in answers.list[:2]:
        for fact, value in got.items():
            assert answer.said(fact) == value


@pytest.mark.parametrize("name,raw,got", SERVED, ids=[row[0] for row in SERVED])
def test_served_in_single_octets(plain, name, raw, got):
    answers = plain.talk(None, pieces=[raw[i:i + 1] for i in range(len(raw))], count=1)
    assert answers.statuses == [200] and not answers.closed, "%s: %r" % (name, answers.data)


@pytest.mark.parametrize("name,raw,got", SERVED, ids=[row[0] for row in SERVED])
def test_served_over_tls(tls, trust, name, raw, got):
    answers = tls.talk(raw + raw, tls=trust, count=2)
    assert answers.statuses == [200, 200] and not answers.closed, "%s: %r" % (name, answers.data)
    assert answers.list[1].said("tls") == "1"


def test_head_one_over_the_limit(plain):
    raw = head(b"X: " + b"a" * (8192 - len(head()) - 5 + 1))
    assert len(raw) == 8193
    assert plain.talk(raw).statuses == [431]


def test_body_octets_arrive_as_sent(plain):
    body = bytes(range(256)) * 8
    answer = plain.talk(post([b"%d" % len(body)], body), count=1).list[0]
    assert answer.body.endswith(body) and answer.said("body") == "2048"


def test_http_1_0_ends_the_connection(plain):
    answers = plain.talk(b"GET /x HTTP/1.0\r\n\r\n" + SECOND)
    assert answers.statuses == [200] and answers.closed


def test_head_has_no_body(plain):
    with plain.connect() as sock:
        sock.sendall(b"HEAD /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        data = b""
        while True:
            got = sock.recv(65536)
            if not got:
                break
            data += got
    assert data.startswith(b"HTTP/1.1 200 ") and data.endswith(b"\r\n\r\n")
    assert b"Content-Length: " in data


def test_continue_is_sent_for_a_body_that_will_be_read(plain):
    with plain.connect() as sock:
        sock.sendall(post([b"5"], b"", b"Expect: 100-continue"))
        assert sock.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        assert b"body 5" in sock.recv(4096)


def test_continue_is_not_sent_for_a_body_too_large(plain):
    answers = plain.talk(post([b"100000"], b"", b"Expect: 100-continue"))
    assert answers.statuses == [413] and answers.closed


def test_refusals_are_answered_while_the_body_still_comes(plain):
    """1 MiB behind a refused head: the answer arrives nevertheless."""
    for _ in range(5):
        answers = plain.talk(post([b"65536"], b"x" * 65536))
        assert answers.statuses == [413] and answers.closed


def slow_reader(server, octets, tls=None):
    """One that writes all it has before it reads, as everyday clients do; -> statuses. A reset is an error."""
    with server.connect(tls=tls) as sock:
        sock.sendall(octets)
        data = b""
        while got := sock.recv(65536):
            data += got
        return Answers(data, True).statuses


EARLY = {"body": (post([b"3000000"], b"x" * 3000000), 413), "head": (head(*[b"X-%d: %s" % (n, b"x" * 4000) for n in range(400)]), 431),
         "syntax": (b"GET / HTTP/1.1\r\nHost : a\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2000000, 400)}


LINGER = 2  # [s] what comes behind a refusal is read for so long


@pytest.mark.parametrize("kind", EARLY)
def test_who_writes_everything_first_reads_the_refusal(plain, kind):
    octets, status = EARLY[kind]
    for _ in range(20):
        began = time.monotonic()
        try:
            assert slow_reader(plain, octets) == [status]
        except (BrokenPipeError, ConnectionResetError):
            assert time.monotonic() - began >= LINGER  # who stands still for longer is cut off


def test_what_is_refused_early_is_read_in_bounds(plain):
    """Neither for ever nor without end: after 2 s or 8 MiB the connection is gone."""
    with plain.connect() as sock:
        sock.sendall(post([b"99999999999"], b""))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(1000):
                sock.sendall(b"x" * 65536)
    with plain.connect() as sock:
        sock.sendall(post([b"99999999999"], b""))
        assert read_all(sock)[1]

        def refused():
            try:
                sock.sendall(b"x")
            except (BrokenPipeError, ConnectionResetError):
                return True
        assert until(refused)


def test_answers_carry_the_server_token():
    with Server(token="gba-test/1 3gpp-gba-tmpi") as server:
        assert server.talk(head(), count=1).list[0].fields["server"] == ["gba-test/1 3gpp-gba-tmpi"]
        assert server.talk(head(b"Host: x")).list[0].fields["server"] == ["gba-test/1 3gpp-gba-tmpi"]
