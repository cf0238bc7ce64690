# SPDX-License-Identifier: Apache-2.0
"""What a client of one's own making may send: each gets its exact answer and one line in the log, and nothing is changed."""
import socket

import pytest

import apilab

PATH = "/v1/verifications"
JSON = [("Content-Type", "application/json")]
CSV = [("Content-Type", "text/csv")]
HEAD = b"reference,name,verifier\n"


def raw(caller, method, path, headers=(), body=b""):
    """A request octet by octet, headers as often as given: status, parsed problem or None."""
    lines = [("Host", "localhost"), ("Authorization", "Bearer " + caller.token), ("Content-Length", str(len(body))), ("Connection", "close")]
    head = "%s %s HTTP/1.1\r\n%s\r\n" % (method, path, "".join("%s: %s\r\n" % line for line in lines + list(headers)))
    with socket.create_connection(("127.0.0.1", caller.node.port), 30) as plain, caller.tls.wrap_socket(plain) as sock:
        sock.sendall(head.encode("latin-1") + body)
        answer = apilab.http.client.HTTPResponse(sock, method=method)
        answer.begin()
        return apilab.Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


def case(reference, **more):
    return apilab.json.dumps(dict({"reference": reference, "name": "N", "verifier": "v"}, **more)).encode()


@pytest.fixture
def unchanged(admin, api):
    """Nothing stands afterwards that did not before; every request has a line in the log."""
    before = admin.get(PATH + "?limit=1000").body
    yield
    assert admin.get(PATH + "?limit=1000").body == before


BODIES = {  # name: body, status, code, what the answer says
    "nested deeply": (b'{"a":' * 9000 + b"1" + b"}" * 9000, 400, "json", "nested too deeply"),
    "arrays without an end": (b"[" * 60000, 400, "json", "nested too deeply"),
    "member twice": (b'{"reference":"a","reference":"b","name":"N","verifier":"v"}', 400, "json", "twice"),
    "member twice, once escaped": (b'{"reference":"a","refer\\u0065nce":"b","name":"N","verifier":"v"}', 400, "json", "twice"),
    "NUL": (b'{"reference":"a\0"}', 400, "json", "not JSON"), "NUL escaped": (b'{"reference":"a\\u0000"}', 400, "json", "NUL"),
    "NUL in a name": (b'{"refer\\u0000ence":"a"}', 400, "json", "NUL"), "NUL behind": (case("a") + b"\0", 400, "json", "follows"),
    "no UTF-8": (b'{"name":"\xc3\x28"}', 400, "json", "UTF-8"), "overlong": (b'{"name":"\xc0\xaf"}', 400, "json", "UTF-8"),
    "beyond Unicode": (b'{"name":"\xf4\x90\x80\x80"}', 400, "json", "UTF-8"), "half a pair": (b'{"name":"\\udc00"}', 400, "json", "not JSON"),
    "byte order mark": (b"\xef\xbb\xbf" + case("a"), 400, "json", "not JSON"), "UTF-16": (case("a").decode().encode("utf-16"), 400, "json", "UTF-8"),
    "1e999": (b'{"level":1e999}', 400, "json", "range"), "2^63": (b'{"level":9223372036854775808}', 400, "json", "range"),
    "5000 digits": (b'{"level":' + b"9" * 5000 + b"}", 400, "json", "range"), "2^32 + 1": (case("a", level=2 ** 32 + 1), 422, "fields", "0 to 3"),
    "1.0": (b'{"reference":"a","name":"N","verifier":"v","level":1.0}', 422, "fields", "integer"), "null": (b"null", 400, "json", "neither"),
    "a text": (b'"x"', 400, "json", "neither"), "an array": (b"[]", 422, "fields", "an object"),
    "C1 control": (case("a", name="a\u0085b"), 422, "fields", "control"), "turned around": (case("a", name="a\u202eb"), 422, "fields", "control"),
    "30 February": (case("a", verified="2023-02-30T00:00:00Z"), 422, "fields", "RFC 3339"),
    "a time without zone": (case("a", verified="2023-02-03T00:00:00"), 422, "fields", "RFC 3339"),
    "61 seconds": (case("a", verified="2023-02-03T00:00:60Z"), 422, "fields", "RFC 3339"),
    "prototype": (b'{"__proto__":{"reference":"a"},"reference":"a","name":"N","verifier":"v"}', 422, "fields", "no such member"),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(admin, unchanged, name):
    body, status, code, says = BODIES[name]
    got = admin.call("POST", PATH, raw=body, headers=dict(JSON))
    assert (got.status, got.json()["code"]) == (status, code) and says in got.body.decode(), got


HEADERS = {  # name: method, headers, status, code
    "compressed": ("POST", JSON + [("Content-Encoding", "gzip")], 415, "media-type"),
    "compressed twice": ("POST", JSON + [("Content-Encoding", "identity, gzip")], 415, "media-type"),
    "a part": ("POST", JSON + [("Content-Range", "bytes 0-3/10")], 400, "bad-request"),
    "two media types": ("POST", JSON + [("Content-Type", "text/csv")], 400, "repeated"),
    "two keys": ("POST", JSON + [("Idempotency-Key", "a"), ("idempotency-key", "b")], 400, "repeated"),
    "two credentials": ("POST", JSON + [("Authorization", "Bearer x")], 400, "repeated"),
    "a key too long": ("POST", JSON + [("Idempotency-Key", "k" * 256)], 400, "bad-request"),
    "UTF-16": ("POST", [("Content-Type", "application/json; charset=utf-16")], 415, "media-type"),
    "no media type": ("POST", [], 415, "media-type"),
    "expects more": ("POST", JSON + [("Expect", "the-moon")], 417, "expect"),
    "chunked": ("POST", JSON + [("Transfer-Encoding", "chunked")], 400, "framing"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers(admin, unchanged, name):
    method, headers, status, code = HEADERS[name]
    got = raw(admin, method, PATH, headers, case("header"))
    assert (got.status, got.json()["code"]) == (status, code), got


def test_conditions(admin):
    """RFC 9110 13.1: what is no ETag matches none; '*' stands alone; If-None-Match compares weakly."""
    made = admin.call("POST", PATH, raw=case("conditions"), headers=dict(JSON), want=201)
    path = made.headers["location"]
    for given in ("1", '"01"', '"+1"', '" 1"', 'W/"1"', '"1', '"1"x', '""', '*, "1"', '"2", *', '"18446744073709551617"', "", ",", '"' + "1" * 5000 + '"'):
        assert raw(admin, "PATCH", path, JSON + [("If-Match", given)], b'{"name": "M"}').status == 412, given
    assert admin.get(path).headers["etag"] == '"1"'
    for given, want in (('"1"', 304), ('W/"1"', 304), ('"7", W/"1"', 304), ("*", 304), ('"2"', 200), ('w/"1"', 200), ('*, "2"', 200)):
        assert raw(admin, "GET", path, [("If-None-Match", given)]).status == want, given
    assert raw(admin, "PATCH", path, JSON + [("If-Match", ' "9" ,\t"1"')], b'{"name": "M"}').status == 200
    admin.delete(path)


SHEETS = {  # name: body; or status and what it says, or rows added and what is said of the bad one
    "CR LF": (HEAD.replace(b"\n", b"\r\n") + b"s1,N,v\r\n", 1, ""),
    "byte order mark": (b"\xef\xbb\xbf" + HEAD + b"s2,N,v\n", 1, ""), "no line's end": (HEAD + b"s3,N,v", 1, ""),
    "quoted": (HEAD + b's4,"a ""b"", c",v\r\n', 1, ""), "empty lines": (HEAD + b"\n\r\ns5,N,v\n\n", 1, ""),
    "a quote inside": (HEAD + b's6,a"b"c,v\ns6-2,N,v\n', 1, "a quote in a field"),
    "behind the quote": (HEAD + b's7,"a"b,v\ns7-2,N,v\n', 1, "follows a closing quote"),
    "no closing quote": (HEAD + b's8,"a,v\ns8-2,N,v\n', 0, "does not end"), "a quoted CR": (HEAD + b's9,"a\rb",v\ns9-2,N,v\n', 1, "control"),
    "lines end with CR": (HEAD.replace(b"\n", b"\r") + b's30,N,"v"\rs31,N,v\r', 2, ""),
    "a line inside": (HEAD + b's10,"a\nb",v\ns10-2,N,v\n', 1, "control"), "NUL": (HEAD + b"s11,a\0b,v\ns11-2,N,v\n", 1, "control"),
    "a megabyte": (HEAD + b"s12," + b"a" * 1000000 + b",v\ns12-2,N,v\n", 1, "too long"), "too few": (HEAD + b"s13,N\ns13-2,N,v\n", 1, "number of fields"),
    "too many": (HEAD + b"s14,N,v,x\ns14-2,N,v\n", 1, "number of fields"), "70 fields": (HEAD + b"s15" + b",N" * 69 + b"\ns15-2,N,v\n", 1, "too many"),
    "no UTF-8": (HEAD + b"s16,\xff,v\ns16-2,N,v\n", 1, "UTF-8"),
    "beyond 64 bits": (b"reference,name,verifier,level\ns17,N,v,99999999999999999999\ns17-2,N,v,3\n", 1, "whole number"),
    "a tab before a number": (b"reference,name,verifier,level\ns18,N,v,\t1\ns18-2,N,v,3\n", 1, "whole number"),
    "twice in a file": (HEAD + b"s19,N,v\ns19,N,v\n", 1, "exists already"),
    "no heading": (b"", None, "column 1: there is none"), "only a line": (b"\n", None, "column 1: no such member"),
    "rows alone": (b"s20,N,v\n", None, "/s20"), "a column twice": (b"reference,name,name,verifier\ns21,N,M,v\n", None, "column 3: the same again"),
    "a name with NUL": (b"reference,name\0x,verifier\ns22,N,v\n", None, "column 2: no such member"),
    "a name that is no text": (b"reference,\xff,verifier\ns23,N,v\n", None, "column 2: no such member"),
    "a mark inside": (b"reference,\xef\xbb\xbfname,verifier\ns24,N,v\n", None, "column 2: no such member"),
    "nobody's to write": (b"id,reference,name,verifier\n7,s25,N,v\n", None, "/id"),
    "UTF-16": ((HEAD + b"s26,N,v\n").decode().encode("utf-16"), None, "column 1: no such member"),
}


@pytest.mark.parametrize("name", SHEETS)
def test_sheets(admin, name):
    body, added, says = SHEETS[name]
    for mode in ("all", "rows"):
        got = raw(admin, "POST", PATH + "/import?existing=update&mode=" + mode, CSV, body)
        if added is None:
            assert got.status == 422 and [says in e["detail"] or says == e["pointer"] for e in got.json()["errors"]] == [True], got
            continue
        report = got.json()
        bad = 1 if says else 0
        if name == "twice in a file":
            assert (report["rejected"], report["added"] + report["updated"]) == (0, 2), report
            continue
        assert (got.status, report["rejected"]) == (200, bad), got
        assert report["added"] + report["updated"] == (0 if mode == "all" and bad else added), report
        assert not bad or says in report["rejections"][0]["errors"][0]["detail"], report


PATHS = {"/v1/users%2f1": 404, "/v1//users": 404, "//v1/users": 404, "/v1/users/../asps": 404, "/v1/users/%2e%2e/asps": 404, "/V1/users": 404,
         "/v1/users/": 404, "/v1/users/1/": 404, "/v1/users/1%00": 400, "/v1/users/%": 400, "/v1/users/key:%00": 400, "/v1/users/key:%ff": 404,
         "/v1/users/01": 404, "/v1/users/-1": 404, "/v1/users/99999999999999999999": 404, "/v1/users/1;a=b": 404, "/v1/users/" + "a" * 9000: 400,
         "/v1/users?cursor=-1": 400, "/v1/users?cursor=9223372036854775808": 400, "/v1/users?cursor=1e3": 400, "/v1/users?limit=0": 400,
         "/v1/users?limit=1001": 400, "/v1/users?limit=1&limit=1": 400, "/v1/users?fields=id,": 400, "/v1/users?fields=hash": 400,
         "/v1/users?account=%00": 400, "/v1/users?account=%zz": 400, "/v1/users?Account=a": 400, "/v1/users?&": 400, "/v1/users?x=": 400,
         "/v1/verifications?reference=a%27%20OR%201=1": 400, "/v1/history?kind=realm_secret": 400, "/v1/history?record=1": 400}


def test_paths_and_queries_leave_one_line_each(admin, api):
    before = api.log().count("api.request")
    for path, status in PATHS.items():
        got = raw(admin, "GET", path)
        assert got.status == status and got.json()["status"] == status, (path, got)
    assert apilab.wait_until(lambda: api.log().count("api.request") == before + len(PATHS), "a line for each request")


def test_a_target_in_absolute_form_is_the_same(admin, api):
    """RFC 9112 3.2.2: a server must take it, and looks at its host and not at Host; also where writes are told apart by their target."""
    for path in ("/v1/self", "/v1/users?limit=1", "/v1/users/99999999", "/.well-known/gba-realm"):
        plain, full = (raw(admin, "GET", form % path) for form in ("%s", "HTTPS://other.example:8443%s"))
        assert (full.status, full.headers.get("etag")) == (plain.status, plain.headers.get("etag")), path
        assert full.status != 200 or full.body == plain.body
    key = [("Idempotency-Key", "absolute-1")]
    first = raw(admin, "POST", PATH, JSON + key, case("absolute"))
    again = raw(admin, "POST", "https://localhost" + PATH, JSON + key, case("absolute"))
    assert (first.status, again.status, again.headers["idempotent-replayed"]) == (201, 201, "true") and first.body == again.body
    for path in ("http:/v1/self", "http:///v1/self", "http://u@h/v1/self", "ftp://h/v1/self"):
        assert raw(admin, "GET", path).status == 400, path
    big = b"".join(b'{"reference":"absolute-%d","name":"N","verifier":"%s"}\n' % (n, b"v" * 100) for n in range(2000))
    got = raw(admin, "POST", "https://h%s/import?mode=all" % PATH, [("Content-Type", "application/x-ndjson")], big)
    assert got.json()["added"] == 2000, got.json()
