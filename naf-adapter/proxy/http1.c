/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/http1.h"

#include <limits.h>

#define BAD(status_, why_) ((struct h1_fault){ (status_), (why_) })
#define FINE		   ((struct h1_fault){ 0, NULL })

static bool is_alpha(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static int hex_value(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool in_set(const char *set, uint8_t c)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool is_tchar(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || in_set("!#$%&'*+-.^_`|~", c);
}

bool h1_token_valid(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (!is_tchar(text.p[i]))
			return false;
	}
	return text.n > 0;
}

static struct bytes trimmed(struct bytes in)
{
	while (in.n > 0 && (in.p[0] == ' ' || in.p[0] == '\t'))
		in = BYTES(in.p + 1, in.n - 1);
	while (in.n > 0 && (in.p[in.n - 1] == ' ' || in.p[in.n - 1] == '\t'))
		in.n--;
	return in;
}

struct bytes h1_field_find(const struct h1_head *head, const char *name)
{
	size_t i;

	for (i = 0; i < head->fields; i++) {
		if (bytes_eq_nocase(head->field[i].name, bytes_of(name)))
			return head->field[i].value;
	}
	return BYTES_NONE;
}

size_t h1_field_count(const struct h1_head *head, const char *name)
{
	size_t i, count = 0;

	for (i = 0; i < head->fields; i++)
		count += bytes_eq_nocase(head->field[i].name, bytes_of(name));
	return count;
}

bool h1_list_has(struct bytes list, struct bytes token)
{
	struct bytes item;
	size_t i, start = 0;

	for (i = 0; list.p != NULL && i <= list.n; i++) {
		if (i < list.n && list.p[i] != ',')
			continue;
		item = trimmed(BYTES(list.p + start, i - start));
		if (item.n > 0 && bytes_eq_nocase(item, token))
			return true;
		start = i + 1;
	}
	return false;
}

static bool connection_names(const struct h1_head *head, struct bytes token)
{
	size_t i;

	for (i = 0; i < head->fields; i++) {
		if (bytes_eq_nocase(head->field[i].name, bytes_of("connection")) && h1_list_has(head->field[i].value, token))
			return true;
	}
	return false;
}

bool h1_hop_by_hop(const struct h1_head *head, struct bytes name)
{
	static const char *const always[] = { "connection", "keep-alive", "proxy-connection", "te", "trailer",
					      "transfer-encoding", "upgrade", "proxy-authenticate", "proxy-authorization",
					      "http2-settings" };
	size_t i;

	for (i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
		if (bytes_eq_nocase(name, bytes_of(always[i])))
			return true;
	}
	return connection_names(head, name);
}

/* ---- finding the end of a head ---- */

/* One empty line before the start line is skipped (RFC 9112 2.2), not more. */
static size_t leading_crlf(struct bytes in)
{
	return in.n >= 2 && in.p[0] == '\r' && in.p[1] == '\n' ? 2 : 0;
}

/* Octets that no head may hold: what ends a line for one reader and not for another (RFC 9112 2.2, RFC 9110 5.5). */
static struct h1_fault octet_fault(struct bytes in, size_t i)
{
	uint8_t c = in.p[i];

	if (c == '\n' && (i == 0 || in.p[i - 1] != '\r'))
		return BAD(400, "bare LF");
	if (c == '\r' && i + 1 < in.n && in.p[i + 1] != '\n')
		return BAD(400, "bare CR");
	if (c == '\0')
		return BAD(400, "NUL octet");
	if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
		return BAD(400, "control octet");
	return FINE;
}

/* Is `at` (an LF after a CR) the end of an empty line, with a start line before it? */
static bool ends_head(struct bytes in, size_t at, size_t skip)
{
	return at >= skip + 3 && in.p[at - 2] == '\n' && in.p[at - 3] == '\r';
}

static struct h1_fault too_long(struct bytes in, size_t skip, bool request)
{
	const uint8_t *line_end = memchr(in.p + skip, '\r', in.n - skip);

	if (request && (line_end == NULL || line_end - (in.p + skip) > H1_TARGET_MAX))
		return BAD(414, "request target too long");
	return BAD(431, "head too long");
}

/* @return H1_DONE: *_end is the number of octets up to and with the empty line */
static enum h1_result head_find(struct bytes in, size_t *_scanned, size_t max, bool request, struct h1_fault *fault,
				size_t *_end)
{
	size_t i, skip = leading_crlf(in);

	for (i = *_scanned; i < in.n && i < max; i++) {
		if (i + 1 == in.n && in.p[i] == '\r')
			break; /* what follows decides */
		*fault = octet_fault(in, i);
		if (fault->status != 0)
			return H1_BAD;
		if (in.p[i] == '\n' && i >= 2 && i < skip + 2 && i + 1 > skip)
			return *fault = BAD(400, "empty lines before the start line"), H1_BAD;
		if (in.p[i] == '\n' && ends_head(in, i, skip)) {
			*_end = i + 1;
			return H1_DONE;
		}
	}
	*_scanned = i;
	if (i < max)
		return H1_MORE;
	*fault = too_long(in, skip, request);
	return H1_BAD;
}

/* ---- fields ---- */

static struct h1_fault field_parse(struct bytes line, struct h1_field *field)
{
	const uint8_t *colon;

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return BAD(400, "folded header line");
	colon = memchr(line.p, ':', line.n);
	if (colon == NULL)
		return BAD(400, "header line without colon");
	field->name = BYTES(line.p, colon - line.p);
	if (!h1_token_valid(field->name))
		return BAD(400, "header name is no token");
	field->value = trimmed(BYTES(colon + 1, line.n - field->name.n - 1));
	return FINE;
}

/* Split `in` (whole lines, ending with the empty one) into fields. */
static struct h1_fault fields_parse(struct bytes in, struct h1_head *head)
{
	const uint8_t *end;
	struct h1_fault fault;
	struct bytes line;

	for (;;) {
		end = memchr(in.p, '\r', in.n);
		line = BYTES(in.p, end - in.p);
		if (line.n == 0)
			return FINE;
		if (head->fields == H1_FIELDS_MAX)
			return BAD(431, "too many header fields");
		fault = field_parse(line, &head->field[head->fields]);
		if (fault.status != 0)
			return fault;
		head->fields++;
		in = BYTES(in.p + line.n + 2, in.n - line.n - 2);
	}
}

/* ---- framing, RFC 9112 6 ---- */

/* 1*DIGIT, nothing else: no sign, no list, no blank inside; below 2^63. */
static bool length_parse(struct bytes text, uint64_t *_length)
{
	uint64_t value = 0;
	size_t i;

	if (text.n == 0 || text.n > 19)
		return false;
	for (i = 0; i < text.n; i++) {
		if (!is_digit(text.p[i]))
			return false;
		value = value * 10 + (uint64_t)(text.p[i] - '0');
	}
	*_length = value;
	return value <= INT64_MAX;
}

static struct h1_fault framing_read(struct h1_head *head)
{
	struct bytes te = h1_field_find(head, "transfer-encoding"), cl = h1_field_find(head, "content-length");

	if (te.p != NULL && cl.p != NULL)
		return BAD(400, "Content-Length with Transfer-Encoding");
	if (h1_field_count(head, "transfer-encoding") > 1 || h1_field_count(head, "content-length") > 1)
		return BAD(400, "framing header twice");
	if (te.p != NULL && head->minor == 0)
		return BAD(400, "Transfer-Encoding in HTTP/1.0");
	if (te.p != NULL && !bytes_eq_nocase(te, bytes_of("chunked")))
		return BAD(h1_token_valid(te) ? 501 : 400, "Transfer-Encoding other than chunked");
	if (cl.p != NULL && !length_parse(cl, &head->length))
		return BAD(400, "malformed Content-Length");
	if (te.p != NULL)
		head->framing = H1_BODY_CHUNKED;
	else if (cl.p != NULL)
		head->framing = head->length > 0 ? H1_BODY_LENGTH : H1_BODY_NONE;
	return FINE;
}

static void connection_read(struct h1_head *head)
{
	if (head->minor == 0)
		head->keep_alive = connection_names(head, bytes_of("keep-alive")) && !connection_names(head, bytes_of("close"));
	else
		head->keep_alive = !connection_names(head, bytes_of("close"));
	if (head->minor > 0 && connection_names(head, bytes_of("upgrade")))
		head->upgrade = h1_field_find(head, "upgrade");
}

/* "HTTP/1.0" or "HTTP/1.1". */
static struct h1_fault version_parse(struct bytes text, unsigned int *_minor)
{
	if (text.n != 8 || memcmp(text.p, "HTTP/", 5) != 0 || !is_digit(text.p[5]) || text.p[6] != '.' || !is_digit(text.p[7]))
		return BAD(400, "malformed HTTP version");
	if (text.p[5] != '1' || text.p[7] > '1')
		return BAD(505, "HTTP version not supported");
	*_minor = (unsigned int)(text.p[7] - '0');
	return FINE;
}

/* ---- request line, RFC 9112 3 ---- */

/* Visible ASCII without what only sloppy readers take; '%' only before two hex digits, and never %00. */
static bool target_octets_valid(struct bytes t)
{
	size_t i;

	for (i = 0; i < t.n; i++) {
		if (t.p[i] <= 0x20 || t.p[i] >= 0x7f || in_set("#\\\"<>", t.p[i]))
			return false;
		if (t.p[i] != '%')
			continue;
		if (t.n - i < 3 || hex_value(t.p[i + 1]) < 0 || hex_value(t.p[i + 2]) < 0)
			return false;
		if (t.p[i + 1] == '0' && t.p[i + 2] == '0')
			return false;
	}
	return true;
}

/* Port digits only; the host a name, an IPv4 address or [IPv6]. */
static bool authority_parse(struct bytes in, struct bytes *_host)
{
	struct bytes host = in, port;
	const uint8_t *close;
	size_t i;

	if (in.n > 0 && in.p[0] == '[') {
		close = memchr(in.p, ']', in.n);
		if (close == NULL || close - in.p < 3)
			return false;
		host = BYTES(in.p + 1, close - in.p - 1);
		port = BYTES(close + 1, in.n - host.n - 2);
		for (i = 0; i < host.n; i++) {
			if (hex_value(host.p[i]) < 0 && host.p[i] != ':' && host.p[i] != '.')
				return false;
		}
	} else {
		const uint8_t *colon = memchr(in.p, ':', in.n);

		host.n = colon != NULL ? (size_t)(colon - in.p) : in.n;
		port = BYTES(in.p + host.n, in.n - host.n);
		for (i = 0; i < host.n; i++) {
			if (!is_alpha(host.p[i]) && !is_digit(host.p[i]) && !in_set("-._", host.p[i]))
				return false;
		}
	}
	if (host.n == 0 || port.n == 1 || port.n > 6 || (port.n > 0 && port.p[0] != ':'))
		return false;
	for (i = 1; i < port.n; i++) {
		if (!is_digit(port.p[i]))
			return false;
	}
	*_host = host;
	return true;
}

/* "http://host[:port]/path?query": path and authority set. */
static bool absolute_form_parse(struct h1_head *head)
{
	static const char *const schemes[] = { "http://", "https://" };
	struct bytes rest = BYTES_NONE;
	size_t i, n;

	for (i = 0; i < 2; i++) {
		n = strlen(schemes[i]);
		if (head->target.n > n && bytes_eq_nocase(BYTES(head->target.p, n), bytes_of(schemes[i])))
			rest = BYTES(head->target.p + n, head->target.n - n);
	}
	if (rest.p == NULL)
		return false;
	for (n = 0; n < rest.n && rest.p[n] != '/' && rest.p[n] != '?'; n++)
		;
	head->authority = BYTES(rest.p, n);
	head->path = n < rest.n ? BYTES(rest.p + n, rest.n - n) : bytes_of("/");
	head->absolute_form = true;
	return head->path.p[0] == '/'; /* "http://host?query" has no path to send on */
}

static struct h1_fault target_parse(struct h1_head *head)
{
	if (head->target.n > H1_TARGET_MAX)
		return BAD(414, "request target too long");
	if (head->target.n == 0 || !target_octets_valid(head->target))
		return BAD(400, "malformed request target");
	if (head->target.p[0] == '/' || (bytes_eq_str(head->target, "*") && bytes_eq_str(head->method, "OPTIONS"))) {
		head->path = head->target;
		return FINE;
	}
	return absolute_form_parse(head) ? FINE : BAD(400, "malformed request target");
}

static struct h1_fault method_check(struct bytes method)
{
	if (!h1_token_valid(method))
		return BAD(400, "method is no token");
	if (method.n > H1_METHOD_MAX)
		return BAD(501, "method too long");
	if (bytes_eq_str(method, "CONNECT"))
		return BAD(400, "CONNECT is not for this server");
	if (bytes_eq_str(method, "TRACE") || bytes_eq_str(method, "TRACK"))
		return BAD(405, "TRACE is not allowed");
	return FINE;
}

/* method SP target SP version: exactly two blanks. */
static struct h1_fault request_line_parse(struct bytes line, struct h1_head *head)
{
	struct bytes rest, version;
	struct h1_fault fault;

	if (!bytes_split(line, ' ', &head->method, &rest))
		return BAD(400, "malformed request line");
	fault = method_check(head->method);
	if (fault.status != 0)
		return fault;
	if (!bytes_split(rest, ' ', &head->target, &version))
		return BAD(400, "malformed request line");
	fault = version_parse(version, &head->minor);
	return fault.status != 0 ? fault : target_parse(head);
}

/* One Host; equal to the authority of an absolute target, which would win over it (RFC 9112 3.2.2). */
static struct h1_fault host_read(struct h1_head *head)
{
	struct bytes host = h1_field_find(head, "host");

	if (h1_field_count(head, "host") > 1)
		return BAD(400, "Host twice");
	if (host.p == NULL && head->minor > 0)
		return BAD(400, "Host missing");
	if (host.p != NULL && head->absolute_form && !bytes_eq_nocase(host, head->authority))
		return BAD(400, "Host and request target name different hosts");
	if (host.p != NULL)
		head->authority = host;
	if (head->authority.p != NULL && !authority_parse(head->authority, &head->host))
		return BAD(400, "malformed Host");
	return FINE;
}

/* Fields that must not be there twice because readers differ in which one they take. */
static struct h1_fault singles_check(const struct h1_head *head)
{
	static const char *const single[] = { "authorization", "x-3gpp-intended-identity", "expect", "content-type",
					      "upgrade", "user-agent" };
	size_t i;

	for (i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
		if (h1_field_count(head, single[i]) > 1)
			return BAD(400, i == 0 ? "Authorization twice" : "header that may occur once occurs twice");
	}
	return FINE;
}

static struct h1_fault expect_read(struct h1_head *head)
{
	struct bytes expect = h1_field_find(head, "expect");

	if (expect.p == NULL)
		return FINE;
	if (!bytes_eq_nocase(expect, bytes_of("100-continue")))
		return BAD(417, "unknown expectation");
	head->expect_continue = head->minor > 0 && head->framing != H1_BODY_NONE;
	return FINE;
}

static struct h1_fault request_read(struct bytes in, struct h1_head *head)
{
	const uint8_t *end = memchr(in.p, '\r', in.n);
	struct bytes line = BYTES(in.p, end - in.p);
	struct h1_fault fault;

	fault = request_line_parse(line, head);
	if (fault.status == 0)
		fault = fields_parse(BYTES(in.p + line.n + 2, in.n - line.n - 2), head);
	if (fault.status == 0)
		fault = framing_read(head);
	if (fault.status == 0)
		fault = host_read(head);
	if (fault.status == 0)
		fault = singles_check(head);
	if (fault.status == 0)
		fault = expect_read(head);
	connection_read(head);
	return fault;
}

/* Everything but the field array, which `fields` bounds. */
static void head_reset(struct h1_head *head)
{
	memset(head, 0, offsetof(struct h1_head, field));
	memset((uint8_t *)head + offsetof(struct h1_head, fields), 0, sizeof(*head) - offsetof(struct h1_head, fields));
}

enum h1_result h1_request_parse(struct bytes in, size_t *_scanned, size_t max, struct h1_head *head, struct h1_fault *fault)
{
	enum h1_result found;
	size_t skip, end = 0;

	found = head_find(in, _scanned, max, true, fault, &end);
	if (found != H1_DONE)
		return found;
	head_reset(head);
	skip = leading_crlf(in);
	*fault = request_read(BYTES(in.p + skip, end - skip), head);
	head->octets = end;
	return fault->status == 0 ? H1_DONE : H1_BAD;
}

/* ---- responses ---- */

/* "HTTP/1.1 200 OK"; servers exist that leave the last blank out. */
static struct h1_fault status_line_parse(struct bytes line, struct h1_head *head)
{
	struct h1_fault fault;
	size_t i;

	if (line.n < 12 || line.p[8] != ' ' || (line.n > 12 && line.p[12] != ' '))
		return BAD(502, "malformed status line");
	fault = version_parse(BYTES(line.p, 8), &head->minor);
	if (fault.status != 0)
		return fault;
	for (i = 9; i < 12; i++) {
		if (!is_digit(line.p[i]))
			return BAD(502, "malformed status line");
		head->status = head->status * 10 + (unsigned int)(line.p[i] - '0');
	}
	head->reason = line.n > 13 ? BYTES(line.p + 13, line.n - 13) : bytes_of("");
	return head->status >= 100 && head->status <= 599 ? FINE : BAD(502, "status out of range");
}

/* RFC 9112 6.3: which responses have no body whatever their fields say, and which end with the connection. */
static void response_framing(struct h1_head *head, bool to_head)
{
	bool framed = h1_field_find(head, "content-length").p != NULL || head->framing == H1_BODY_CHUNKED;

	bool empty = head->status < 200 || head->status == 204;

	if (empty && head->framing != H1_BODY_NONE) /* RFC 9110 8.6: must not say so; what it sends behind this is no next answer */
		head->keep_alive = false;
	if (to_head || empty || head->status == 304)
		head->framing = H1_BODY_NONE;
	else if (!framed)
		head->framing = H1_BODY_CLOSE;
	if (head->framing == H1_BODY_CLOSE)
		head->keep_alive = false;
}

static struct h1_fault response_read(struct bytes in, bool to_head, struct h1_head *head)
{
	const uint8_t *end = memchr(in.p, '\r', in.n);
	struct bytes line = BYTES(in.p, end - in.p);
	struct h1_fault fault;

	fault = status_line_parse(line, head);
	if (fault.status == 0)
		fault = fields_parse(BYTES(in.p + line.n + 2, in.n - line.n - 2), head);
	if (fault.status == 0)
		fault = framing_read(head);
	connection_read(head);
	response_framing(head, to_head);
	return fault;
}

enum h1_result h1_response_parse(struct bytes in, size_t *_scanned, size_t max, bool to_head, struct h1_head *head,
				 struct h1_fault *fault)
{
	enum h1_result found;
	size_t end = 0;

	found = head_find(in, _scanned, max, false, fault, &end);
	if (found == H1_MORE)
		return found;
	if (found == H1_DONE) {
		head_reset(head);
		*fault = leading_crlf(in) != 0 ? BAD(502, "empty line before the status line") :
						 response_read(BYTES(in.p, end), to_head, head);
		head->octets = end;
	}
	if (fault->status == 0)
		return H1_DONE;
	fault->status = 502;
	return H1_BAD;
}

const char *h1_reason(unsigned int status)
{
	static const struct { unsigned int status; const char *reason; } reasons[] = {
		{ 200, "OK" }, { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 408, "Request Timeout" }, { 413, "Content Too Large" },
		{ 414, "URI Too Long" }, { 417, "Expectation Failed" }, { 421, "Misdirected Request" },
		{ 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Unknown";
}
