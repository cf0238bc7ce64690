/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 as RFC 9112 frames it; the hostile rows are what two servers have been known to read differently. */
#include "common/fixture.h"
#include "naf-adapter/proxy/body.h"
#include "naf-adapter/proxy/http1.h"

#define MAX_HEAD 32768

/* A request of one line and a Host, and what else. */
#define GET(line) "GET / HTTP/1.1\r\nHost: a.example\r\n" line "\r\n"
#define POST(lines) "POST / HTTP/1.1\r\nHost: a.example\r\n" lines "\r\n"
#define T(text) text, sizeof(text) - 1

struct row {
	const char *name, *in;
	size_t n;
	unsigned int status; /* 0: accepted */
	enum h1_framing framing;
};

static const struct row request_rows[] = {
	/* ---- good ones */
	{ "plain", T(GET("")), 0, H1_BODY_NONE },
	{ "leading empty line", T("\r\n" GET("")), 0, H1_BODY_NONE },
	{ "HTTP/1.0 without Host", T("GET / HTTP/1.0\r\n\r\n"), 0, H1_BODY_NONE },
	{ "query", T("GET /a?b=c&d=%20 HTTP/1.1\r\nHost: a\r\n\r\n"), 0, H1_BODY_NONE },
	{ "absolute form", T("GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n"), 0, H1_BODY_NONE },
	{ "absolute form without path", T("GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n"), 0, H1_BODY_NONE },
	{ "absolute form, other case", T("GET HTTPS://A.example/x HTTP/1.1\r\nHost: a.EXAMPLE\r\n\r\n"), 0, H1_BODY_NONE },
	{ "asterisk", T("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 0, H1_BODY_NONE },
	{ "unknown method", T("FROB / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, H1_BODY_NONE },
	{ "lower-case method is another method", T("get / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, H1_BODY_NONE },
	{ "Host with port", T("GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n"), 0, H1_BODY_NONE },
	{ "Host IPv6", T("GET / HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n"), 0, H1_BODY_NONE },
	{ "no blank after colon", T("GET / HTTP/1.1\r\nHost:a\r\n\r\n"), 0, H1_BODY_NONE },
	{ "blanks around value", T("GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n"), 0, H1_BODY_NONE },
	{ "empty value", T(GET("X:\r\n")), 0, H1_BODY_NONE },
	{ "obs-text in value", T(GET("X: \xe4\xf6\r\n")), 0, H1_BODY_NONE },
	{ "tab in value", T(GET("X: a\tb\r\n")), 0, H1_BODY_NONE },
	{ "colon in value", T(GET("X: a:b\r\n")), 0, H1_BODY_NONE },
	{ "all token characters in a name", T(GET("!#$%&'*+-.^_`|~09azAZ: x\r\n")), 0, H1_BODY_NONE },
	{ "Content-Length 0", T(POST("Content-Length: 0\r\n")), 0, H1_BODY_NONE },
	{ "Content-Length", T(POST("Content-Length: 5\r\n")), 0, H1_BODY_LENGTH },
	{ "Content-Length with zeros before", T(POST("Content-Length: 0005\r\n")), 0, H1_BODY_LENGTH },
	{ "Content-Length in any case", T(POST("cONTENT-lENGTH: 5\r\n")), 0, H1_BODY_LENGTH },
	{ "largest Content-Length", T(POST("Content-Length: 9223372036854775807\r\n")), 0, H1_BODY_LENGTH },
	{ "chunked", T(POST("Transfer-Encoding: chunked\r\n")), 0, H1_BODY_CHUNKED },
	{ "chunked in any case", T(POST("transfer-encoding: ChunKED\r\n")), 0, H1_BODY_CHUNKED },
	{ "GET with body", T(GET("Content-Length: 3\r\n")), 0, H1_BODY_LENGTH },
	{ "Expect", T(POST("Content-Length: 5\r\nExpect: 100-continue\r\n")), 0, H1_BODY_LENGTH },
	{ "Expect in any case", T(POST("Content-Length: 5\r\nExpect: 100-Continue\r\n")), 0, H1_BODY_LENGTH },
	{ "two of a list header", T(GET("Accept: a\r\nAccept: b\r\n")), 0, H1_BODY_NONE },
	{ "two Cookie", T(GET("Cookie: a\r\nCookie: b\r\n")), 0, H1_BODY_NONE },
	{ "percent-encoded slash", T("GET /a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n"), 0, H1_BODY_NONE },
	{ "dots in path", T("GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n"), 0, H1_BODY_NONE },
	{ "pipe in query", T("GET /?a|b{c} HTTP/1.1\r\nHost: a\r\n\r\n"), 0, H1_BODY_NONE },

	/* ---- lines, RFC 9112 2.2 */
	{ "bare LF after request line", T("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400, 0 },
	{ "bare LF after a header", T("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"), 400, 0 },
	{ "bare LF at the end", T("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400, 0 },
	{ "all LF", T("GET / HTTP/1.1\nHost: a\n\n"), 400, 0 },
	{ "LF first", T("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "bare CR in request line", T("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "bare CR in value", T(GET("X: a\rb\r\n")), 400, 0 },
	{ "bare CR in name", T(GET("X\rY: a\r\n")), 400, 0 },
	{ "CR CR LF", T("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "two empty lines first", T("\r\n\r\n" GET("")), 400, 0 },
	{ "NUL in value", T(GET("X: good\0evil\r\n")), 400, 0 },
	{ "NUL in name", T(GET("X\0: a\r\n")), 400, 0 },
	{ "NUL in target", T("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "NUL in Host", T("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"), 400, 0 },
	{ "BEL in value", T(GET("X: \a\r\n")), 400, 0 },
	{ "DEL in value", T(GET("X: a\x7f\r\n")), 400, 0 },
	{ "ESC in value", T(GET("X: \x1b[2J\r\n")), 400, 0 },
	{ "vertical tab in value", T(GET("X: a\vb\r\n")), 400, 0 },
	{ "form feed in request line", T("GET\f/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "TLS ClientHello", T("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 400, 0 },
	{ "PROXY version 1", T("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "HTTP/2 preface", T("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, 0 },

	/* ---- request line, RFC 9112 3 */
	{ "no version", T("GET /\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "no target", T("GET HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "only method", T("GET\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "two blanks after method", T("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "two blanks before version", T("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "tab as separator", T("GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "blank first", T(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "blank at the end of the request line", T("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 400, 0 },
	{ "blank in target", T("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "method with a colon", T("GE:T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "method with octets above 127", T("G\xc3\xa9T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "method of 33 characters", T("AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDD / HTTP/1.1\r\nHost: a\r\n\r\n"), 501, 0 },
	{ "CONNECT", T("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"), 400, 0 },
	{ "TRACE", T("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"), 405, 0 },
	{ "TRACK", T("TRACK / HTTP/1.1\r\nHost: a\r\n\r\n"), 405, 0 },
	{ "version 0.9", T("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505, 0 },
	{ "version 1.2", T("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505, 0 },
	{ "version 2.0", T("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505, 0 },
	{ "version 11", T("GET / HTTP/11\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "version 1.10", T("GET / HTTP/1.10\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "version 1,1", T("GET / HTTP/1,1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "version in lower case", T("GET / http/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "version of another protocol", T("GET / HTCPCP/1.0\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "version x.1", T("GET / HTTP/x.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "target without slash", T("GET index.html HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "target of authority form", T("GET a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n"), 400, 0 },
	{ "asterisk with GET", T("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "fragment", T("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "backslash", T("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "quote", T("GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "angle brackets", T("GET /<script> HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "octet above 127 in target", T("GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "percent alone", T("GET /% HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "percent and one digit", T("GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "percent and no hex", T("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "percent NUL", T("GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "absolute form of another scheme", T("GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "absolute form without host", T("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "absolute form with user", T("GET http://u@a/x HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400, 0 },
	{ "absolute form unlike Host", T("GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"), 400, 0 },
	{ "absolute form, other port", T("GET http://a.example:81/ HTTP/1.1\r\nHost: a.example\r\n\r\n"), 400, 0 },
	{ "absolute form with query only", T("GET http://a.example?x HTTP/1.1\r\nHost: a.example\r\n\r\n"), 400, 0 },

	/* ---- fields, RFC 9112 5 */
	{ "blank before colon", T(GET("X : a\r\n")), 400, 0 },
	{ "tab before colon", T(GET("X\t: a\r\n")), 400, 0 },
	{ "blank before colon of Content-Length", T(POST("Content-Length : 5\r\n")), 400, 0 },
	{ "blank before colon of Transfer-Encoding", T(POST("Transfer-Encoding : chunked\r\n")), 400, 0 },
	{ "blank before colon of an identity header", T(GET("X-3GPP-Asserted-Identity : \"root\"\r\n")), 400, 0 },
	{ "blank in name", T(GET("X Y: a\r\n")), 400, 0 },
	{ "empty name", T(GET(": a\r\n")), 400, 0 },
	{ "no colon", T(GET("X\r\n")), 400, 0 },
	{ "folded with blank", T(GET("X: a\r\n b\r\n")), 400, 0 },
	{ "folded with tab", T(GET("X: a\r\n\tb\r\n")), 400, 0 },
	{ "folded Transfer-Encoding", T(POST("Transfer-Encoding:\r\n chunked\r\n")), 400, 0 },
	{ "folded first line", T("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400, 0 },
	{ "line of blanks", T(GET(" \r\n")), 400, 0 },
	{ "name with octets above 127", T(GET("X\xe4: a\r\n")), 400, 0 },
	{ "name in quotes", T(GET("\"Host\": b\r\n")), 400, 0 },
	{ "name in parentheses", T(GET("X(y): b\r\n")), 400, 0 },
	{ "name with a slash", T(GET("X/y: b\r\n")), 400, 0 },
	{ "two Authorization", T(GET("Authorization: Digest a\r\nAuthorization: Digest b\r\n")), 400, 0 },
	{ "two Authorization in other case", T(GET("Authorization: Digest a\r\nAUTHORIZATION: Digest a\r\n")), 400, 0 },
	{ "two intended identities", T(GET("X-3GPP-Intended-Identity: \"a\"\r\nx-3gpp-intended-identity: \"b\"\r\n")), 400, 0 },
	{ "two User-Agent", T(GET("User-Agent: a\r\nUser-Agent: 3gpp-gba\r\n")), 400, 0 },
	{ "two Content-Type", T(GET("Content-Type: a/b\r\nContent-Type: c/d\r\n")), 400, 0 },
	{ "unknown expectation", T(POST("Content-Length: 5\r\nExpect: 200-ok\r\n")), 417, 0 },
	{ "two expectations", T(POST("Content-Length: 5\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n")), 400, 0 },

	/* ---- Host, RFC 9112 3.2 */
	{ "no Host", T("GET / HTTP/1.1\r\n\r\n"), 400, 0 },
	{ "two Host", T("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400, 0 },
	{ "two equal Host", T("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400, 0 },
	{ "two Host in HTTP/1.0", T("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400, 0 },
	{ "empty Host", T("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400, 0 },
	{ "Host list", T("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), 400, 0 },
	{ "Host with blank", T("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400, 0 },
	{ "Host with path", T("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400, 0 },
	{ "Host with user", T("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400, 0 },
	{ "Host with scheme", T("GET / HTTP/1.1\r\nHost: http://a\r\n\r\n"), 400, 0 },
	{ "Host with empty port", T("GET / HTTP/1.1\r\nHost: a:\r\n\r\n"), 400, 0 },
	{ "Host with word as port", T("GET / HTTP/1.1\r\nHost: a:http\r\n\r\n"), 400, 0 },
	{ "Host with two ports", T("GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n"), 400, 0 },
	{ "Host with six digits", T("GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n"), 400, 0 },
	{ "Host only port", T("GET / HTTP/1.1\r\nHost: :80\r\n\r\n"), 400, 0 },
	{ "Host of open bracket", T("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), 400, 0 },
	{ "Host of brackets and name", T("GET / HTTP/1.1\r\nHost: [a.example]x\r\n\r\n"), 400, 0 },
	{ "Host percent", T("GET / HTTP/1.1\r\nHost: a%41\r\n\r\n"), 400, 0 },

	/* ---- framing, RFC 9112 6 */
	{ "CL and TE", T(POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")), 400, 0 },
	{ "TE and CL", T(POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")), 400, 0 },
	{ "CL 0 and TE", T(POST("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n")), 400, 0 },
	{ "CL and unknown TE", T(POST("Content-Length: 5\r\nTransfer-Encoding: x\r\n")), 400, 0 },
	{ "two CL", T(POST("Content-Length: 5\r\nContent-Length: 6\r\n")), 400, 0 },
	{ "two equal CL", T(POST("Content-Length: 5\r\nContent-Length: 5\r\n")), 400, 0 },
	{ "CL list", T(POST("Content-Length: 5, 5\r\n")), 400, 0 },
	{ "CL with sign", T(POST("Content-Length: +5\r\n")), 400, 0 },
	{ "CL negative", T(POST("Content-Length: -5\r\n")), 400, 0 },
	{ "CL empty", T(POST("Content-Length:\r\n")), 400, 0 },
	{ "CL hex", T(POST("Content-Length: 0x5\r\n")), 400, 0 },
	{ "CL with blank inside", T(POST("Content-Length: 1 0\r\n")), 400, 0 },
	{ "CL with letter", T(POST("Content-Length: 5a\r\n")), 400, 0 },
	{ "CL with underscore", T(POST("Content-Length: 1_0\r\n")), 400, 0 },
	{ "CL with point", T(POST("Content-Length: 5.0\r\n")), 400, 0 },
	{ "CL with exponent", T(POST("Content-Length: 1e3\r\n")), 400, 0 },
	{ "CL quoted", T(POST("Content-Length: \"5\"\r\n")), 400, 0 },
	{ "CL above 2^63", T(POST("Content-Length: 9223372036854775808\r\n")), 400, 0 },
	{ "CL above 2^64", T(POST("Content-Length: 18446744073709551621\r\n")), 400, 0 },
	{ "CL of Arabic digits", T(POST("Content-Length: \xd9\xa5\r\n")), 400, 0 },
	{ "TE in HTTP/1.0", T("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, 0 },
	{ "two TE", T(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")), 400, 0 },
	{ "TE then identity", T(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")), 400, 0 },
	{ "TE list ending in chunked", T(POST("Transfer-Encoding: gzip, chunked\r\n")), 400, 0 },
	{ "TE list not ending in chunked", T(POST("Transfer-Encoding: chunked, gzip\r\n")), 400, 0 },
	{ "TE chunked twice in a list", T(POST("Transfer-Encoding: chunked, chunked\r\n")), 400, 0 },
	{ "TE with comma before", T(POST("Transfer-Encoding: ,chunked\r\n")), 400, 0 },
	{ "TE with comma after", T(POST("Transfer-Encoding: chunked,\r\n")), 400, 0 },
	{ "TE with parameter", T(POST("Transfer-Encoding: chunked;q=1\r\n")), 400, 0 },
	{ "TE in quotes", T(POST("Transfer-Encoding: \"chunked\"\r\n")), 400, 0 },
	{ "TE empty", T(POST("Transfer-Encoding:\r\n")), 400, 0 },
	{ "TE xchunked", T(POST("Transfer-Encoding: xchunked\r\n")), 501, 0 },
	{ "TE identity", T(POST("Transfer-Encoding: identity\r\n")), 501, 0 },
	{ "TE gzip", T(POST("Transfer-Encoding: gzip\r\n")), 501, 0 },
	{ "TE with octet above 127", T(POST("Transfer-Encoding: chunked\xa0\r\n")), 400, 0 },
};

static enum h1_result parse_whole(struct bytes in, struct h1_head *head, struct h1_fault *fault)
{
	size_t scanned = 0;

	return h1_request_parse(in, &scanned, MAX_HEAD, head, fault);
}

START_TEST(requests_are_accepted_or_refused)
{
	const struct row *row = &request_rows[_i];
	struct h1_fault fault = { 0 };
	struct h1_head head;
	enum h1_result got = parse_whole(BYTES(row->in, row->n), &head, &fault);

	ck_assert_msg(got == (row->status == 0 ? H1_DONE : H1_BAD), "%s: got %d (%s)", row->name, got, fault.why);
	if (row->status != 0) {
		ck_assert_msg(fault.status == row->status, "%s: got %u (%s)", row->name, fault.status, fault.why);
		return;
	}
	ck_assert_msg(head.octets == row->n, "%s: %zu octets", row->name, head.octets);
	ck_assert_msg(head.framing == row->framing, "%s: framing %d", row->name, head.framing);
}
END_TEST

/* The same verdict however the octets are cut: one by one, with a queue that moves. */
START_TEST(requests_octet_by_octet)
{
	const struct row *row = &request_rows[_i];
	enum h1_result got = H1_MORE;
	struct h1_fault fault = { 0 };
	struct h1_head head;
	size_t n, scanned = 0;
	uint8_t *copy;

	for (n = 1; n <= row->n && got == H1_MORE; n++) {
		copy = talloc_memdup(test_ctx, row->in, n);
		got = h1_request_parse(BYTES(copy, n), &scanned, MAX_HEAD, &head, &fault);
		talloc_free(copy);
	}
	ck_assert_msg(got == (row->status == 0 ? H1_DONE : H1_BAD), "%s: got %d (%s)", row->name, got, fault.why);
	if (row->status != 0)
		ck_assert_msg(fault.status == row->status, "%s: got %u (%s)", row->name, fault.status, fault.why);
	else
		ck_assert_msg(n - 1 == row->n, "%s: complete after %zu", row->name, n - 1);
}
END_TEST

START_TEST(what_follows_is_not_touched)
{
	struct bytes in = bytes_of(GET("") "GET /second HTTP/1.1\r\n");
	struct h1_fault fault;
	struct h1_head head;

	ck_assert_int_eq(parse_whole(in, &head, &fault), H1_DONE);
	ck_assert_uint_eq(head.octets, strlen(GET("")));
}
END_TEST

static const struct { const char *name, *in, *path, *host, *authority; } target_rows[] = {
	{ "origin form", "GET /a?b HTTP/1.1\r\nHost: x.example:80\r\n\r\n", "/a?b", "x.example", "x.example:80" },
	{ "absolute form", "GET http://x.example/a?b HTTP/1.1\r\nHost: x.example\r\n\r\n", "/a?b", "x.example", "x.example" },
	{ "absolute, no path", "GET http://x.example HTTP/1.1\r\nHost: x.example\r\n\r\n", "/", "x.example", "x.example" },
	{ "IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "/", "::1", "[::1]:80" },
	{ "absolute in HTTP/1.0", "GET http://x.example/a HTTP/1.0\r\n\r\n", "/a", "x.example", "x.example" },
	{ "asterisk", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "*", "x", "x" },
};

START_TEST(targets_are_taken_apart)
{
	struct h1_fault fault;
	struct h1_head head;

	ck_assert_int_eq(parse_whole(bytes_of(target_rows[_i].in), &head, &fault), H1_DONE);
	ck_assert_bytes(head.path, bytes_of(target_rows[_i].path), target_rows[_i].name);
	ck_assert_bytes(head.host, bytes_of(target_rows[_i].host), target_rows[_i].name);
	ck_assert_bytes(head.authority, bytes_of(target_rows[_i].authority), target_rows[_i].name);
}
END_TEST

static const struct { const char *name, *in; bool keep_alive; const char *upgrade; } connection_rows[] = {
	{ "1.1", GET(""), true, NULL },
	{ "1.1 close", GET("Connection: close\r\n"), false, NULL },
	{ "1.1 close in a list", GET("Connection: x, CLOSE ,y\r\n"), false, NULL },
	{ "1.1 close in the second", GET("Connection: x\r\nConnection: close\r\n"), false, NULL },
	{ "1.1 closed is no close", GET("Connection: closed\r\n"), true, NULL },
	{ "1.0", "GET / HTTP/1.0\r\n\r\n", false, NULL },
	{ "1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, NULL },
	{ "1.0 both", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false, NULL },
	{ "upgrade", GET("Connection: Upgrade\r\nUpgrade: websocket\r\n"), true, "websocket" },
	{ "upgrade not named", GET("Upgrade: websocket\r\n"), true, NULL },
	{ "upgrade in 1.0", "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", false, NULL },
};

START_TEST(connection_options)
{
	struct h1_fault fault;
	struct h1_head head;

	ck_assert_int_eq(parse_whole(bytes_of(connection_rows[_i].in), &head, &fault), H1_DONE);
	ck_assert_msg(head.keep_alive == connection_rows[_i].keep_alive, "%s", connection_rows[_i].name);
	ck_assert_bytes(head.upgrade, bytes_of(connection_rows[_i].upgrade), connection_rows[_i].name);
}
END_TEST

static char *repeat(const char *before, char c, size_t n, const char *after)
{
	char *text = talloc_array(test_ctx, char, strlen(before) + n + strlen(after) + 1);

	strcpy(text, before);
	memset(text + strlen(before), c, n);
	strcpy(text + strlen(before) + n, after);
	return text;
}

START_TEST(lengths_are_bounded)
{
	struct { const char *in; unsigned int status; } rows[] = {
		{ repeat("GET /", 'a', H1_TARGET_MAX - 1, " HTTP/1.1\r\nHost: a\r\n\r\n"), 0 },
		{ repeat("GET /", 'a', H1_TARGET_MAX, " HTTP/1.1\r\nHost: a\r\n\r\n"), 414 },
		{ repeat("GET /", 'a', MAX_HEAD, ""), 414 },
		{ repeat("", 'a', MAX_HEAD, ""), 414 },
		{ repeat("GET / HTTP/1.1\r\nHost: a\r\nX: ", 'a', MAX_HEAD - 32, "\r\n\r\n"), 0 },
		{ repeat("GET / HTTP/1.1\r\nHost: a\r\nX: ", 'a', MAX_HEAD - 31, "\r\n\r\n"), 431 },
		{ repeat("GET / HTTP/1.1\r\nHost: a\r\nX: ", 'a', 100000, ""), 431 },
		{ repeat("GET / HTTP/1.1\r\nHost: a\r\n", 'a', 100000, ""), 431 },
	};
	struct h1_fault fault;
	struct h1_head head;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fault = (struct h1_fault){ 0 };
		parse_whole(bytes_of(rows[i].in), &head, &fault);
		ck_assert_msg(fault.status == rows[i].status, "row %zu: got %u (%s)", i, fault.status, fault.why);
	}
}
END_TEST

START_TEST(fields_are_counted)
{
	char *text = talloc_strdup(test_ctx, "GET / HTTP/1.1\r\nHost: a\r\n");
	struct h1_fault fault;
	struct h1_head head;
	int i;

	for (i = 0; i < H1_FIELDS_MAX - 1; i++)
		text = talloc_strdup_append(text, "X: a\r\n");
	ck_assert_int_eq(parse_whole(bytes_of(talloc_asprintf(test_ctx, "%s\r\n", text)), &head, &fault), H1_DONE);
	ck_assert_uint_eq(head.fields, H1_FIELDS_MAX);
	ck_assert_int_eq(parse_whole(bytes_of(talloc_asprintf(test_ctx, "%sX: a\r\n\r\n", text)), &head, &fault), H1_BAD);
	ck_assert_uint_eq(fault.status, 431);
}
END_TEST

/* ---- responses */

#define OK "HTTP/1.1 200 OK\r\n"
static const struct { const char *name, *in; bool to_head, good; enum h1_framing framing; bool keep_alive; } response_rows[] = {
	{ "length", OK "Content-Length: 5\r\n\r\n", false, true, H1_BODY_LENGTH, true },
	{ "length 0", OK "Content-Length: 0\r\n\r\n", false, true, H1_BODY_NONE, true },
	{ "chunked", OK "Transfer-Encoding: chunked\r\n\r\n", false, true, H1_BODY_CHUNKED, true },
	{ "until close", OK "\r\n", false, true, H1_BODY_CLOSE, false },
	{ "HTTP/1.0 until close", "HTTP/1.0 200 OK\r\n\r\n", false, true, H1_BODY_CLOSE, false },
	{ "HTTP/1.0 length", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, true, H1_BODY_LENGTH, false },
	{ "no reason, no blank", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", false, true, H1_BODY_NONE, true },
	{ "no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", false, true, H1_BODY_NONE, true },
	{ "close", OK "Connection: close\r\nContent-Length: 5\r\n\r\n", false, true, H1_BODY_LENGTH, false },
	{ "204", "HTTP/1.1 204 No Content\r\n\r\n", false, true, H1_BODY_NONE, true },
	{ "304 with length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, true, H1_BODY_NONE, true },
	{ "100", "HTTP/1.1 100 Continue\r\n\r\n", false, true, H1_BODY_NONE, true },
	{ "to HEAD with length", OK "Content-Length: 5\r\n\r\n", true, true, H1_BODY_NONE, true },
	{ "to HEAD chunked", OK "Transfer-Encoding: chunked\r\n\r\n", true, true, H1_BODY_NONE, true },
	{ "to HEAD without framing", OK "\r\n", true, true, H1_BODY_NONE, true },
	{ "CL and TE", OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false, false, 0, false },
	{ "two CL", OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", false, false, 0, false },
	{ "gzip, chunked", OK "Transfer-Encoding: gzip, chunked\r\n\r\n", false, false, 0, false },
	{ "bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", false, false, 0, false },
	{ "folded", OK "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", false, false, 0, false },
	{ "empty line first", "\r\n" OK "Content-Length: 0\r\n\r\n", false, false, 0, false },
	{ "two digits", "HTTP/1.1 20 OK\r\n\r\n", false, false, 0, false },
	{ "four digits", "HTTP/1.1 2000 OK\r\n\r\n", false, false, 0, false },
	{ "status 099", "HTTP/1.1 099 OK\r\n\r\n", false, false, 0, false },
	{ "status 600", "HTTP/1.1 600 OK\r\n\r\n", false, false, 0, false },
	{ "HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", false, false, 0, false },
	{ "other protocol", "ICY 200 OK\r\n\r\n", false, false, 0, false },
	{ "blank in name", OK "X : y\r\nContent-Length: 0\r\n\r\n", false, false, 0, false },
};

START_TEST(responses_are_framed)
{
	struct bytes in = bytes_of(response_rows[_i].in);
	struct h1_fault fault = { 0 };
	struct h1_head head;
	size_t scanned = 0;
	enum h1_result got = h1_response_parse(in, &scanned, MAX_HEAD, response_rows[_i].to_head, &head, &fault);

	ck_assert_msg(got == (response_rows[_i].good ? H1_DONE : H1_BAD), "%s: got %d (%s)", response_rows[_i].name, got,
		      fault.why);
	if (!response_rows[_i].good) {
		ck_assert_uint_eq(fault.status, 502);
		return;
	}
	ck_assert_msg(head.framing == response_rows[_i].framing, "%s: framing %d", response_rows[_i].name, head.framing);
	ck_assert_msg(head.keep_alive == response_rows[_i].keep_alive, "%s", response_rows[_i].name);
}
END_TEST

/* ---- chunked bodies, RFC 9112 7.1 */

static const struct { const char *name, *in; size_t n; const char *data; int result; size_t left; } chunk_rows[] = {
	{ "empty", T("0\r\n\r\n"), "", H1_DONE, 0 },
	{ "one", T("5\r\nhello\r\n0\r\n\r\n"), "hello", H1_DONE, 0 },
	{ "two", T("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), "hello world", H1_DONE, 0 },
	{ "hex in both cases", T("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), "01234567890123456789", H1_DONE, 0 },
	{ "zeros before", T("0005\r\nhello\r\n000\r\n\r\n"), "hello", H1_DONE, 0 },
	{ "extension", T("5;a=b\r\nhello\r\n0;c\r\n\r\n"), "hello", H1_DONE, 0 },
	{ "quoted extension", T("5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n"), "hello", H1_DONE, 0 },
	{ "trailers dropped", T("5\r\nhello\r\n0\r\nX: y\r\nZ:\r\n\r\n"), "hello", H1_DONE, 0 },
	{ "next request stays", T("0\r\n\r\nGET /"), "", H1_DONE, 5 },
	{ "not yet", T("5\r\nhel"), "hel", H1_MORE, 0 },
	{ "no size", T("\r\nhello"), "", H1_BAD, 0 },
	{ "no digits", T("g\r\n"), "", H1_BAD, 0 },
	{ "sign", T("+5\r\nhello\r\n0\r\n\r\n"), "", H1_BAD, 0 },
	{ "negative", T("-1\r\n"), "", H1_BAD, 0 },
	{ "0x", T("0x5\r\nhello\r\n0\r\n\r\n"), "", H1_BAD, 0 },
	{ "blank before size", T(" 5\r\nhello\r\n0\r\n\r\n"), "", H1_BAD, 0 },
	{ "blank after size", T("5 \r\nhello\r\n0\r\n\r\n"), "", H1_BAD, 0 },
	{ "tab after size", T("5\t\r\nhello\r\n0\r\n\r\n"), "", H1_BAD, 0 },
	{ "underscore", T("1_0\r\n"), "", H1_BAD, 0 },
	{ "bare LF after size", T("5\nhello\r\n0\r\n\r\n"), "", H1_BAD, 0 },
	{ "bare CR after size", T("5\rhello\r\n"), "", H1_BAD, 0 },
	{ "LF in extension", T("5;a\nhello\r\n0\r\n\r\n"), "", H1_BAD, 0 },
	{ "NUL in extension", T("5;a\0\r\nhello\r\n0\r\n\r\n"), "", H1_BAD, 0 },
	{ "comma after size", T("5,5\r\nhello\r\n"), "", H1_BAD, 0 },
	{ "no CRLF after data", T("5\r\nhello0\r\n\r\n"), "hello", H1_BAD, 0 },
	{ "LF after data", T("5\r\nhello\n0\r\n\r\n"), "hello", H1_BAD, 0 },
	{ "data too long", T("4\r\nhello\r\n0\r\n\r\n"), "hell", H1_BAD, 0 },
	{ "16 digits", T("fffffffffffffffff\r\n"), "", H1_BAD, 0 },
	{ "16 zeros", T("0000000000000000\r\n\r\n"), "", H1_BAD, 0 },
	{ "overflow to a small size", T("10000000000000005\r\nhello\r\n"), "", H1_BAD, 0 },
	{ "LF ends the trailers", T("0\r\n\n"), "", H1_BAD, 0 },
	{ "folded trailer", T("0\r\nX: a\r\n b\r\n\r\n"), "", H1_BAD, 0 },
	{ "trailer without colon", T("0\r\nX\r\n\r\n"), "", H1_BAD, 0 },
	{ "trailer with blank in name", T("0\r\nX : a\r\n\r\n"), "", H1_BAD, 0 },
	{ "garbage after last size", T("0\r\nGET / HTTP/1.1\r\n\r\n"), "", H1_BAD, 0 },
};

static int chunks_run(struct bytes in, size_t step, char *data, size_t *_left)
{
	struct h1_chunked chunked = { 0 };
	enum h1_result got = H1_MORE;
	struct bytes piece;
	size_t at = 0, used, n;

	*data = '\0';
	while (at < in.n && got == H1_MORE) {
		n = in.n - at < step ? in.n - at : step;
		got = h1_chunked_next(&chunked, BYTES(in.p + at, n), &used, &piece);
		if (piece.n > 0)
			strncat(data, (const char *)piece.p, piece.n);
		at += got == H1_BAD ? 0 : used;
	}
	*_left = in.n - at;
	return got;
}

START_TEST(chunks_are_taken_apart)
{
	struct bytes in = BYTES(chunk_rows[_i].in, chunk_rows[_i].n);
	static const size_t steps[] = { 1, 2, 3, 7, 1000 };
	char data[64];
	size_t i, left;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int got = chunks_run(in, steps[i], data, &left);

		ck_assert_msg(got == chunk_rows[_i].result, "%s in steps of %zu: got %d", chunk_rows[_i].name, steps[i], got);
		ck_assert_msg(strcmp(data, chunk_rows[_i].data) == 0, "%s: got \"%s\"", chunk_rows[_i].name, data);
		if (got == H1_DONE)
			ck_assert_uint_eq(left, chunk_rows[_i].left);
	}
}
END_TEST

START_TEST(chunk_lines_are_bounded)
{
	char data[8];
	size_t left;

	ck_assert_int_eq(chunks_run(bytes_of(repeat("1;", 'a', 250, "\r\nx\r\n0\r\n\r\n")), 1000, data, &left), H1_DONE);
	ck_assert_int_eq(chunks_run(bytes_of(repeat("1;", 'a', 300, "\r\nx\r\n0\r\n\r\n")), 1000, data, &left), H1_BAD);
	ck_assert_int_eq(chunks_run(bytes_of(repeat("0\r\nX: ", 'a', 8000, "\r\n\r\n")), 1000, data, &left), H1_DONE);
	ck_assert_int_eq(chunks_run(bytes_of(repeat("0\r\nX: ", 'a', 9000, "\r\n\r\n")), 1000, data, &left), H1_BAD);
}
END_TEST

/* ---- bodies in motion */

START_TEST(bodies_are_reframed_and_bounded)
{
	struct h1_head head = { .framing = H1_BODY_LENGTH, .length = 11 };
	struct body_limits limits = { .high = 1000, .rechunk = true };
	struct buf in = { 0 }, out = { 0 };
	struct body body;
	bool too_large;

	body_start(&body, &head);
	ck_assert(buf_put(&in, bytes_of("hello")));
	ck_assert_int_eq(body_move(&body, &in, &out, &limits, &too_large), H1_MORE);
	ck_assert(buf_put(&in, bytes_of(" worldGET")));
	ck_assert_int_eq(body_move(&body, &in, &out, &limits, &too_large), H1_DONE);
	ck_assert_bytes(buf_bytes(&out), bytes_of("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), "chunks");
	ck_assert_bytes(buf_bytes(&in), bytes_of("GET"), "the rest");
	limits.max = 10;
	body_start(&body, &head);
	buf_free(&in);
	ck_assert(buf_put(&in, bytes_of("hello world")));
	ck_assert_int_eq(body_move(&body, &in, &out, &limits, &too_large), H1_BAD);
	ck_assert(too_large);
	buf_free(&in);
	buf_free(&out);
}
END_TEST

START_TEST(a_full_queue_takes_no_more)
{
	struct h1_head head = { .framing = H1_BODY_CLOSE };
	struct body_limits limits = { .high = 8 };
	struct buf in = { 0 }, out = { 0 };
	struct body body;
	bool too_large;

	body_start(&body, &head);
	ck_assert(buf_put(&in, bytes_of("0123456789")));
	ck_assert_int_eq(body_move(&body, &in, &out, &limits, &too_large), H1_MORE);
	ck_assert_uint_eq(out.n, 8);
	ck_assert_uint_eq(in.n, 2);
	buf_drop(&out, 8);
	ck_assert_int_eq(body_move(&body, &in, &out, &limits, &too_large), H1_MORE);
	ck_assert_bytes(buf_bytes(&out), bytes_of("89"), "rest");
	ck_assert(body_end(&body, &out, false));
	ck_assert(body.done);
	buf_free(&in);
	buf_free(&out);
}
END_TEST

START_TEST(a_cut_body_is_not_complete)
{
	struct h1_head length = { .framing = H1_BODY_LENGTH, .length = 11 }, chunked = { .framing = H1_BODY_CHUNKED };
	struct buf out = { 0 };
	struct body body;

	body_start(&body, &length);
	ck_assert(!body_end(&body, &out, false));
	body_start(&body, &chunked);
	ck_assert(!body_end(&body, &out, true));
	ck_assert_uint_eq(out.n, 0);
}
END_TEST

#define ROWS(rows) (int)(sizeof(rows) / sizeof((rows)[0]))

int main(void)
{
	Suite *suite = suite_create("proxy http1");
	TCase *heads = fixture_tcase("heads"), *bodies = fixture_tcase("bodies");

	tcase_add_loop_test(heads, requests_are_accepted_or_refused, 0, ROWS(request_rows));
	tcase_add_loop_test(heads, requests_octet_by_octet, 0, ROWS(request_rows));
	tcase_add_test(heads, what_follows_is_not_touched);
	tcase_add_loop_test(heads, targets_are_taken_apart, 0, ROWS(target_rows));
	tcase_add_loop_test(heads, connection_options, 0, ROWS(connection_rows));
	tcase_add_test(heads, lengths_are_bounded);
	tcase_add_test(heads, fields_are_counted);
	tcase_add_loop_test(heads, responses_are_framed, 0, ROWS(response_rows));
	tcase_add_loop_test(bodies, chunks_are_taken_apart, 0, ROWS(chunk_rows));
	tcase_add_test(bodies, chunk_lines_are_bounded);
	tcase_add_test(bodies, bodies_are_reframed_and_bounded);
	tcase_add_test(bodies, a_full_queue_takes_no_more);
	tcase_add_test(bodies, a_cut_body_is_not_complete);
	suite_add_tcase(suite, heads);
	suite_add_tcase(suite, bodies);
	return fixture_run(suite);
}
