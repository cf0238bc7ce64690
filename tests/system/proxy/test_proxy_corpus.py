# SPDX-License-Identifier: Apache-2.0
"""A corpus of requests that readers disagree about: smuggling and header injection, row by row. Each row is asked with a good Authorization and
carries a second request behind it; asserted is the exact answer, to the octet, the end of the connection, and what the application saw of it:
nothing, or the request without what was injected. REQ: Y3056-9.5-5"""
import itertools

import pytest

from proxy_harness import HOST, NAF, header, read_head

REASONS = {400: "Bad Request", 405: "Method Not Allowed", 414: "URI Too Long", 417: "Expectation Failed", 421: "Misdirected Request",
           431: "Request Header Fields Too Large", 501: "Not Implemented", 505: "HTTP Version Not Supported"}


def answer(status):
    """What the proxy says, to the octet."""
    text = REASONS[status] + "\n"
    allow = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" if status == 405 else ""
    return ("HTTP/1.1 %d %s\r\n%sContent-Type: text/plain\r\nContent-Length: %d\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n%s"
            % (status, REASONS[status], allow, len(text), text)).encode()


# ---- heads: (name, octets from after Authorization's line on, status)

CHUNKS = b"0\r\n\r\n"


def content_lengths():
    yield "CL.TE", b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"G", 400
    yield "TE.CL", b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n", 400
    yield "CL.TE in other case", b"content-length: 6\r\ntransfer-encoding: CHUNKED\r\n\r\n" + CHUNKS, 400
    yield "CL 0 and TE", b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, 400
    yield "CL twice", b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n", 400
    yield "CL twice equal", b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400
    yield "CL twice, other case", b"Content-Length: 0\r\ncontent-length: 5\r\n\r\n", 400
    for name, value in (("list", b"0, 0"), ("list of unlike", b"0, 44"), ("plus", b"+0"), ("minus", b"-1"), ("minus zero", b"-0"), ("hexadecimal", b"0x0"),
                        ("octal letter", b"0o7"), ("float", b"0.0"), ("exponent", b"1e1"), ("blank inside", b"4 4"), ("tab inside", b"4\t4"), ("comma", b"4,"),
                        ("empty", b""), ("letter", b"a"), ("underscore", b"1_0"), ("quoted", b'"0"'), ("NUL", b"0\0"), ("vertical tab", b"\v0"),
                        ("form feed", b"\f0"), ("no-break space", b"\xa00"), ("Arabic digit", "\u0660".encode()), ("fullwidth digit", "\uff10".encode()),
                        ("64 bits and one", b"18446744073709551616"), ("64 bits", b"18446744073709551615"), ("beyond 63 bits", b"9223372036854775808"),
                        ("forty digits", b"1" * 40), ("semicolon", b"0;"), ("CR inside", b"0\r1"), ("LF inside", b"0\n1")):
        yield "CL " + name, b"Content-Length: " + value + b"\r\n\r\n", 400
    for name, field in (("blank before colon", b"Content-Length : 0"), ("tab before colon", b"Content-Length\t: 0"), ("blank before name", b" Content-Length: 0"),
                        ("folded", b"Content-Length:\r\n 0"), ("folded with tab", b"Content-Length:\r\n\t0"), ("no colon", b"Content-Length 0"),
                        ("NUL in name", b"Content\0-Length: 0"), ("CR in name", b"Content\r-Length: 0"), ("LF in name", b"Content\n-Length: 0"),
                        ("DEL in name", b"Content\x7f-Length: 0"), ("high octet in name", b"Content\xad-Length: 0"), ("slash in name", b"Content/Length: 0"),
                        ("bracket in name", b"Content-Length[]: 0"), ("quote in name", b'"Content-Length": 0')):
        yield "CL " + name, field + b"\r\n\r\n", 400


def transfer_encodings():
    """501: one coding, well-formed and not served (RFC 9112 6.1); what is no such thing is 400."""
    for name, value, status in (
            ("xchunked", b"xchunked", 501), ("chunkedx", b"chunkedx", 501), ("chunked, identity", b"chunked, identity", 400),
            ("identity, chunked", b"identity, chunked", 400), ("gzip, chunked", b"gzip, chunked", 400), ("chunked, gzip", b"chunked, gzip", 400),
            ("identity", b"identity", 501), ("gzip", b"gzip", 501), ("chunked twice", b"chunked, chunked", 400), ("cow", b"cow", 501), ("empty", b"", 400),
            ("comma before", b", chunked", 400), ("comma behind", b"chunked,", 400), ("quoted", b'"chunked"', 400), ("single quotes", b"'chunked'", 501), ("parameter", b"chunked;q=1", 400),
            ("blank inside", b"chun ked", 400), ("NUL", b"chunked\0", 400), ("vertical tab", b"\vchunked", 400), ("form feed", b"\fchunked", 400),
            ("backspace", b"chunked\x08", 400), ("no-break space", b"\xa0chunked", 400), ("Kelvin sign", "chun\u212aed".encode(), 400),
            ("high bit", b"chunke\xe4", 400), ("CR", b"chunked\rx", 400), ("LF", b"x\nTransfer-Encoding: chunked", 400)):
        yield "TE " + name, b"Transfer-Encoding: " + value + b"\r\n\r\n" + CHUNKS, status
    for name, field in (("blank before colon", b"Transfer-Encoding : chunked"), ("tab before colon", b"Transfer-Encoding\t: chunked"),
                        ("blank before name", b" Transfer-Encoding: chunked"), ("folded", b"Transfer-Encoding:\r\n chunked"),
                        ("folded with tab", b"Transfer-Encoding:\r\n\tchunked"), ("continuation of another", b"X: y\r\n Transfer-Encoding: chunked"),
                        ("no colon", b"Transfer-Encoding chunked"), ("NUL in name", b"Transfer\0-Encoding: chunked"),
                        ("after bare LF", b"X: y\nTransfer-Encoding: chunked"), ("after bare CR", b"X: y\rTransfer-Encoding: chunked"),
                        ("after LF CR", b"X: y\n\rTransfer-Encoding: chunked"), ("after CR CR LF", b"X: y\r\r\nTransfer-Encoding: chunked")):
        yield "TE " + name, field + b"\r\n\r\n" + CHUNKS, 400
    yield "TE twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, 400
    yield "TE twice, the second unknown", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n" + CHUNKS, 400
    yield "TE twice, the first unknown", b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, 400


def lines():
    yield "LF ends the head", b"X: y\r\n\n", 400
    yield "CR LF CR ends the head", b"X: y\r\n\rz\r\n\r\n", 400
    yield "bare LF after a field", b"X: y\nY: z\r\n\r\n", 400
    yield "bare CR in a value", b"X: y\rz\r\n\r\n", 400
    yield "NUL in a value", b"X: a\0b\r\n\r\n", 400
    yield "NUL at the end of a value", b"X: a\0\r\n\r\n", 400
    yield "header without name", b": x\r\n\r\n", 400
    yield "header without colon", b"X\r\n\r\n", 400
    yield "blank in a name", b"X Y: z\r\n\r\n", 400
    yield "blank before a name", b" X: y\r\n\r\n", 400
    yield "tab before a name", b"\tX: y\r\n\r\n", 400
    yield "folded value", b"X: a\r\n b\r\n\r\n", 400
    yield "folded to nothing", b"X: a\r\n \r\n\r\n", 400
    for octet in (1, 8, 11, 12, 14, 27, 31, 127):
        yield "control octet %02x in a value" % octet, b"X: a" + bytes([octet]) + b"b\r\n\r\n", 400
    for sign in b'"(),/;<=>?@[\\]{}':
        yield "sign %c in a name" % sign, b"X" + bytes([sign]) + b": y\r\n\r\n", 400
    yield "UTF-8 in a name", "X-\u00dc: y\r\n\r\n".encode(), 400
    yield "too many headers", b"X: y\r\n" * 120 + b"\r\n", 431
    yield "head too long", b"X: " + b"a" * 40000 + b"\r\n\r\n", 431
    yield "unknown expectation", b"Expect: 200-ok\r\n\r\n", 417
    yield "expectation twice", b"Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", 400
    for name in (b"Authorization: Digest username=\"x\"", b"authorization: Basic cm9vdDpyb290", b"Content-Type: a/b\r\nContent-Type: c/d",
                 b"Upgrade: websocket\r\nUpgrade: h2c", b"User-Agent: a\r\nUser-Agent: b", b"X-3GPP-Intended-Identity: a\r\nX-3GPP-Intended-Identity: b"):
        yield "twice: " + name.split(b"\r\n")[0].split(b":")[0].decode(), name + b"\r\n\r\n", 400


def hosts():
    yield "Host twice", b"Host: naf1.example.com\r\n\r\n", 400
    yield "Host twice unlike", b"Host: evil.example\r\n\r\n", 400
    yield "Host twice in other case", b"hOST: evil.example\r\n\r\n", 400


HEADS = list(itertools.chain(content_lengths(), transfer_encodings(), lines(), hosts()))


# ---- start lines and hosts: (name, octets of the whole head but Authorization's line {a}, status)

def start_lines():
    host = b"\r\nHost: naf1.example.com\r\n{a}\r\n"
    for name, line, status in (
            ("HTTP/0.9", b"GET /", 400), ("HTTP/0.9 with blank", b"GET / ", 400), ("version 1.2", b"GET / HTTP/1.2", 505), ("version 2.0", b"GET / HTTP/2.0", 505), ("version 3", b"GET / HTTP/3", 400),
            ("version 0.9", b"GET / HTTP/0.9", 505), ("version 1.10", b"GET / HTTP/1.10", 400), ("version 01.1", b"GET / HTTP/01.1", 400), ("version lower case", b"GET / http/1.1", 400),
            ("version ICY", b"GET / ICY/1.1", 400), ("blank behind", b"GET / HTTP/1.1 ", 400), ("two blanks", b"GET  / HTTP/1.1", 400), ("tab", b"GET\t/ HTTP/1.1", 400),
            ("blank before", b" GET / HTTP/1.1", 400), ("NUL in the method", b"G\0ET / HTTP/1.1", 400), ("colon in the method", b"GET: / HTTP/1.1", 400), ("bare CR", b"GET / HTTP/1.1\rX: y", 400),
            ("bare LF", b"GET / HTTP/1.1\nX: y", 400), ("blank in the target", b"GET /a b HTTP/1.1", 400), ("fragment", b"GET /#x HTTP/1.1", 400), ("percent NUL", b"GET /%00 HTTP/1.1", 400),
            ("half a percent", b"GET /%4 HTTP/1.1", 400), ("percent letters", b"GET /%zz HTTP/1.1", 400), ("UTF-8 target", "GET /\u00fc HTTP/1.1".encode(), 400), ("backslash", b"GET /\\ HTTP/1.1", 400),
            ("no slash", b"GET x HTTP/1.1", 400), ("asterisk for GET", b"GET * HTTP/1.1", 400), ("authority form", b"GET naf1.example.com:80 HTTP/1.1", 400),
            ("CONNECT", b"CONNECT naf1.example.com:443 HTTP/1.1", 400), ("TRACE", b"TRACE / HTTP/1.1", 405), ("PRI", b"PRI * HTTP/2.0", 505), ("long target", b"GET /" + b"a" * 9000 + b" HTTP/1.1", 414),
            ("long method", b"A" * 64 + b" / HTTP/1.1", 501), ("absolute form of another host", b"GET http://evil.example/ HTTP/1.1", 400), ("absolute form with another port", b"GET http://naf1.example.com:81/ HTTP/1.1", 400),
            ("absolute form with user", b"GET http://evil.example@naf1.example.com/ HTTP/1.1", 400), ("absolute form without host", b"GET http:///x HTTP/1.1", 400),
            ("absolute form of a scheme that is none", b"GET gopher://naf1.example.com/ HTTP/1.1", 400), ("absolute form and dots", b"GET http://naf1.example.com.evil.example/ HTTP/1.1", 400)):
        yield name, line + host, status
    for name, value, status in (("missing", None, 400), ("empty", b"", 400), ("of another site", b"evil.example", 421), ("with user", b"evil@naf1.example.com", 400), ("with path", b"naf1.example.com/x", 400),
                                ("list", b"naf1.example.com, evil.example", 400), ("two words", b"naf1.example.com evil.example", 400), ("port that is none", b"naf1.example.com:x", 400), ("port too long", b"naf1.example.com:123456", 400),
                                ("half a bracket", b"[::1", 400), ("percent", b"naf1%2eexample.com", 400), ("NUL", b"naf1.example.com\0.evil", 400), ("UTF-8", "naf1.ex\u00e4mple.com".encode(), 400), ("with dot behind", b"naf1.example.com.", 421)):
        yield "Host " + name, b"GET / HTTP/1.1\r\n" + (b"Host: " + value + b"\r\n" if value is not None else b"") + b"{a}\r\n", status


# ---- bodies of a good head with Transfer-Encoding: chunked

def chunks():
    for name, body in (
            ("sign", b"+5\r\nhello\r\n0\r\n\r\n"), ("minus", b"-1\r\nhello\r\n0\r\n\r\n"), ("0x", b"0x5\r\nhello\r\n0\r\n\r\n"), ("blank behind", b"5 \r\nhello\r\n0\r\n\r\n"), ("blank before", b" 5\r\nhello\r\n0\r\n\r\n"),
            ("tab", b"5\t\r\nhello\r\n0\r\n\r\n"), ("bare LF", b"5\nhello\n0\n\n"), ("LF behind the size", b"5\nhello\r\n0\r\n\r\n"), ("CR behind the size", b"5\rhello\r\n0\r\n\r\n"), ("too short", b"6\r\nhello\r\n0\r\n\r\n"),
            ("too long", b"4\r\nhello\r\n0\r\n\r\n"), ("sixteen digits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"), ("all ones", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), ("wraps", b"fffffffffffffffb\r\nhello\r\n0\r\n\r\n"),
            ("leading zeros for ever", b"0" * 40 + b"5\r\nhello\r\n0\r\n\r\n"), ("no terminator", b"5\r\nhelloX0\r\n\r\n"), ("LF as terminator", b"5\r\nhello\n0\r\n\r\n"), ("CR as terminator", b"5\r\nhello\r0\r\n\r\n"), ("empty size", b"\r\nhello\r\n0\r\n\r\n"),
            ("letter", b"g\r\nhello\r\n0\r\n\r\n"), ("quoted", b'"5"\r\nhello\r\n0\r\n\r\n'), ("comma", b"5,\r\nhello\r\n0\r\n\r\n"), ("underscore", b"0_5\r\nhello\r\n0\r\n\r\n"), ("NUL", b"5\0\r\nhello\r\n0\r\n\r\n"), ("fullwidth digit", "\uff15\r\nhello\r\n0\r\n\r\n".encode()),
            ("LF in an extension", b"5;x\ny\r\nhello\r\n0\r\n\r\n"), ("CR in an extension", b"5;x\ry\r\nhello\r\n0\r\n\r\n"), ("NUL in an extension", b"5;x\0\r\nhello\r\n0\r\n\r\n"), ("endless extension", b"5;" + b"x" * 400 + b"\r\nhello\r\n0\r\n\r\n"),
            ("request as trailer", b"5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n"), ("folded trailer", b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n"), ("trailer with bare LF", b"5\r\nhello\r\n0\r\nX: y\n\r\n"), ("trailer with NUL", b"5\r\nhello\r\n0\r\nX: \0\r\n\r\n"),
            ("trailer without name", b"5\r\nhello\r\n0\r\n: y\r\n\r\n"), ("blank before a trailer's colon", b"5\r\nhello\r\n0\r\nX : y\r\n\r\n"), ("endless trailers", b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 2000 + b"\r\n"), ("LF ends the trailers", b"5\r\nhello\r\n0\r\n\n")):
        yield name, body


def test_the_corpus_is_as_large_as_it_says():
    assert len(HEADS) + len(list(start_lines())) + len(list(chunks())) + len(list(forged())) >= 250


def smuggled(digest):
    return ("GET /smuggled HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n" % (NAF, digest.header("GET", "/smuggled"))).encode()


def everything(client):
    """All that comes until the connection ends."""
    try:
        return client.stream.read()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("name,rest,status", HEADS, ids=[row[0] for row in HEADS])
def test_heads(world, client, digest, name, rest, status):
    client.send(("POST / HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (NAF, digest.header("POST", "/"))).encode() + rest + smuggled(digest))
    assert everything(client) == answer(status)
    assert world.app.requests == []


@pytest.mark.parametrize("name,octets,status", list(start_lines()), ids=[row[0] for row in start_lines()])
def test_start_lines_and_hosts(world, client, digest, name, octets, status):
    method, target = (octets.split(b" ") + [b"/"])[:2]
    line = digest.header(method.decode("latin-1"), target.decode("latin-1")).encode("latin-1") + b"\r\n"
    client.send(octets.replace(b"{a}", line if len(target) < 1000 else b"") + smuggled(digest))
    assert everything(client) == answer(status)
    assert world.app.requests == []


@pytest.mark.parametrize("name,body", list(chunks()), ids=[row[0] for row in chunks()])
def test_chunks(world, client, digest, name, body):
    """The head is good and goes on at once; of the body the application never gets an end, and what is behind it never."""
    seen = []

    def watch(sock):
        seen.append(read_head(sock.makefile("rb", buffering=0)))
        while True:
            try:
                octets = sock.recv(65536)
            except OSError:
                return
            if not octets:
                return
            seen.append(octets)
    world.app.on_connection = watch
    client.send(("POST /first HTTP/1.1\r\nHost: %s\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n" % (NAF, digest.header("POST", "/first"))).encode() + body + smuggled(digest))
    assert everything(client) in (answer(400), b"")
    octets = b"".join(seen)
    assert b"/smuggled" not in octets and not octets.endswith(b"0\r\n\r\n")


def test_chunks_are_answered(world, client, digest):
    """A fault in the body, seen before the application has answered, is the device's: 400."""
    world.app.on_connection = lambda sock: sock.recv(1 << 20) and sock.recv(1 << 20)
    client.send(("POST /first HTTP/1.1\r\nHost: %s\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n" % (NAF, digest.header("POST", "/first"))).encode() + b"zz\r\n")
    assert everything(client) == answer(400)


# ---- what speaks for the proxy, however it is spelled: served without it

SPELLINGS = ("X-3GPP-Asserted-Identity", "x-3gpp-asserted-identity", "X-3GPP-ASSERTED-IDENTITY", "X_3GPP_Asserted_Identity", "x_3gpp_asserted_identity",
             "X-3GPP_Asserted-Identity", "X.3GPP.Asserted.Identity", "X-3GPP-Asserted_Identity", "X-3GPP-Asserted-Identity-", "X-3GPP-Asserted-Identity-2",
             "X~3GPP~Asserted~Identity", "X!3GPP!Asserted!Identity", "X+3GPP+Asserted+Identity", "X-3gpp-Asserted-iDENTITY", "X'3GPP'Asserted'Identity",
             "X-3GPP-Asserted-Identity_", "X|3GPP|Asserted|Identity", "X-3GPP^Asserted`Identity", "X$3GPP$Asserted$Identity", "X&3GPP&Asserted&Identity",
             "X*3GPP*Asserted*Identity", "X#3GPP#Asserted#Identity", "X%3GPP%Asserted%Identity")
OTHERS = ("X-3GPP-Authorization-Flags", "X_3GPP_AUTHORIZATION_FLAGS", "X-Forwarded-User", "X_Forwarded_User", "x.forwarded.user", "X-Forwarded-For", "X_FORWARDED_FOR",
          "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Client-Cert", "Forwarded", "forwarded", "X-Real-IP", "X_Real_IP", "X-Client-IP", "Client-IP",
          "True-Client-IP", "CF-Connecting-IP", "X-Cluster-Client-IP", "X-Original-URL", "X-Rewrite-URL", "X-Original-URI", "X-Remote-User", "Remote-User", "Remote_User",
          "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "Proxy", "X-GBA-Token", "X_GBA_Token", "x-gba-anything", "X-GBA-Token-Control", "Via", "TE", "Keep-Alive",
          "Proxy-Authorization", "Proxy-Connection", "Trailer", "HTTP2-Settings")


def forged():
    for name in SPELLINGS + OTHERS:
        yield name, [name + ": forged"]
    for name in ("X-3GPP-Asserted-Identity", "X-Forwarded-User", "X-GBA-Token"):
        yield name + " twice", [name + ": forged", name + ": forged"]
        yield name + " before and behind", [name + ": forged", "X: y", name.lower() + ": \"forged\", \"forged\""]
        yield name + " listed in Connection", ["Connection: close, " + name, name + ": forged"]
        yield name + " listed in Connection alone", ["Connection: keep-alive, " + name.lower()]
        yield name + " listed as trailer", ["Trailer: " + name]
        yield name + " with blanks around", [name + ": \t forged \t "]
        yield name + " empty", [name + ":"]
    yield "Host is not dropped by Connection", ["Connection: close, host, content-length, x-forwarded-for"]
    yield "Upgrade h2c", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: forged"]
    yield "Upgrade TLS", ["Connection: Upgrade", "Upgrade: TLS/1.2, forged"]
    yield "UTF-8 value", ["X-3GPP-Asserted-Identity: \u00fcforged"]


@pytest.mark.parametrize("name,lines", list(forged()), ids=[row[0] for row in forged()])
def test_nothing_speaks_for_the_proxy(world, client, digest, name, lines):
    reply = client.ask(headers=[digest.header()] + lines)
    assert reply.status == 200 and reply.body == b"path /\n"
    (head, _), = world.app.requests
    assert b"forged" not in head
    assert header(head, "x-3gpp-asserted-identity") == ['"%s"' % digest.btid] and header(head, "x-forwarded-user") == [digest.btid]
    assert header(head, "x-forwarded-for") == [HOST] and header(head, "x-forwarded-proto") == ["http"] and header(head, "x-forwarded-host") == [NAF]
    assert header(head, "host") == [NAF] and header(head, "authorization") == [] and header(head, "upgrade") == [] and header(head, "connection") == []


@pytest.mark.parametrize("name", SPELLINGS[:6] + ("X-Forwarded-User", "X-GBA-Token", "Content-Length", "Authorization", "Host"))
def test_trailers_speak_for_nobody(world, client, digest, name):
    client.send(("POST / HTTP/1.1\r\nHost: %s\r\n%s\r\nTransfer-Encoding: chunked\r\nTrailer: %s\r\n\r\n5\r\nhello\r\n0\r\n%s: forged\r\n\r\n"
                 % (NAF, digest.header("POST", "/"), name, name)).encode())
    assert client.reply().status == 200
    (head, body), = world.app.requests
    assert body == b"hello" and b"forged" not in head and header(head, "x-3gpp-asserted-identity") == ['"%s"' % digest.btid]
    assert client.ask(path="/2", headers=[digest.header("GET", "/2")]).status == 200  # nothing of them is left for the next request
    assert b"forged" not in world.app.requests[1][0]
