/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd 0.9.75 ends lines at a bare LF, joins folded lines, cuts values at NUL, takes any octet in a name and the
 * first of two lengths. It parses in place: a line end becomes NULs, the colon one NUL, and what it hands out points into the
 * head as received. So a head is exactly "line CRLF line CRLF ... CRLF" if each piece begins two octets, both NUL now, after
 * the one before it ends; every liberty it takes leaves another distance. This works over TLS and for pipelined requests, and
 * a library that parses otherwise gets every request refused, not one accepted wrongly.
 * Not seen by this: empty lines before the request line, and NUL LF where CR LF belongs. */
#include "http/server_priv.h"

struct walk {
	const char *at; /* end of the piece before: the line end must be here */
	struct http_head *head;
	unsigned int hosts, lengths, encodings, once[4];
	enum http_refusal refusal;
};

static bool is_tchar(char c)
{
	static const uint8_t tchars[256] = {
		['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1,
		['&'] = 1,	   ['\''] = 1,	      ['*'] = 1,	 ['+'] = 1, ['-'] = 1, ['.'] = 1, ['^'] = 1,
		['_'] = 1,	   ['`'] = 1,	      ['|'] = 1,	 ['~'] = 1,
	};

	return tchars[(uint8_t)c] != 0;
}

static bool is_token(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!is_tchar(s[i]))
			return false;
	}
	return n > 0;
}

/* field-value of RFC 9110 5.5: visible octets, blanks, tabs, obs-text. */
static bool is_value(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (((uint8_t)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
			return false;
	}
	return true;
}

static bool is_blanks(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (s[i] != ' ' && s[i] != '\t')
			return false;
	}
	return true;
}

/* RFC 9110 7.2: uri-host [":" port], and no list. */
static bool is_host(struct bytes v)
{
	size_t i;

	for (i = 0; i < v.n; i++) {
		if (!is_tchar((char)v.p[i]) && strchr("[]:()=;", v.p[i]) == NULL)
			return false;
	}
	return true;
}

/* 1*DIGIT (RFC 9110 8.6); beyond 18 digits no limit of ours would let it pass anyway. */
static bool is_length(struct bytes v, size_t *_length)
{
	size_t i, length = 0;

	if (v.n == 0)
		return false;
	for (i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		length = length > SIZE_MAX / 10 - 9 ? SIZE_MAX / 10 - 9 : length * 10 + (size_t)(v.p[i] - '0');
	}
	*_length = length;
	return true;
}

static bool has_token(struct bytes list, const char *token)
{
	struct bytes head, rest = list;
	bool more = true;

	while (more) {
		more = bytes_split(rest, ',', &head, &rest);
		if (!more)
			head = rest;
		while (head.n > 0 && is_blanks((const char *)head.p, 1))
			head = BYTES(head.p + 1, head.n - 1);
		while (head.n > 0 && is_blanks((const char *)head.p + head.n - 1, 1))
			head.n--;
		if (bytes_eq_nocase(head, bytes_of(token)))
			return true;
	}
	return false;
}

static void refuse(struct walk *walk, enum http_refusal refusal)
{
	if (walk->refusal == REFUSE_NONE)
		walk->refusal = refusal;
}

/* What decides whom a message is from, how its body is read, and whether it was done before: of two the one that is looked at
 * could be another than somebody on the way looked at. */
static void check_once(struct walk *walk, struct bytes name)
{
	static const char *const names[] = { "Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (bytes_eq_nocase(name, bytes_of(names[i])) && ++walk->once[i] > 1)
			refuse(walk, REFUSE_REPEATED);
	}
}

/* Headers that decide how a message is framed or routed. */
static void check_known(struct walk *walk, struct bytes name, struct bytes v)
{
	if (name.n == 4 && bytes_eq_nocase(name, bytes_of("Host"))) {
		walk->hosts++;
		if (!is_host(v))
			refuse(walk, REFUSE_HOST);
	} else if (name.n == 6 && bytes_eq_nocase(name, bytes_of("Expect"))) {
		if (!bytes_eq_nocase(v, bytes_of("100-continue")))
			refuse(walk, REFUSE_EXPECT);
	} else if (name.n == 10 && bytes_eq_nocase(name, bytes_of("Connection"))) {
		walk->head->closes |= has_token(v, "close");
	} else if (name.n == 14 && bytes_eq_nocase(name, bytes_of("Content-Length"))) {
		walk->lengths++;
		if (!is_length(v, &walk->head->body_length))
			refuse(walk, REFUSE_FRAMING);
	} else if (name.n == 17 && bytes_eq_nocase(name, bytes_of("Transfer-Encoding"))) {
		walk->encodings++;
	}
}

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_n, const char *value,
				 size_t value_n)
{
	struct walk *walk = arg;
	struct bytes v = BYTES(value, value_n);

	(void)kind;
	if (value == NULL || name != walk->at + 2 || walk->at[0] != '\0' || walk->at[1] != '\0' || value <= name + name_n ||
	    !is_blanks(name + name_n + 1, (size_t)(value - (name + name_n + 1)))) {
		refuse(walk, REFUSE_FRAMING);
		return MHD_NO; /* nothing after this is where we think it is */
	}
	walk->at = value + value_n;
	if (!is_token(name, name_n) || !is_value(value, value_n))
		refuse(walk, REFUSE_SYNTAX);
	while (v.n > 0 && is_blanks((const char *)v.p + v.n - 1, 1))
		v.n--;
	check_known(walk, BYTES(name, name_n), v);
	check_once(walk, BYTES(name, name_n));
	return MHD_YES;
}

/* "http://", "https://" and a host (RFC 9110 4.2.1: not an empty one). */
static bool is_absolute(struct bytes t)
{
	struct bytes scheme, rest;
	size_t n = 2;

	if (!bytes_split(t, ':', &scheme, &rest) || rest.n < 2 || memcmp(rest.p, "//", 2) != 0 ||
	    !(bytes_eq_nocase(scheme, bytes_of("http")) || bytes_eq_nocase(scheme, bytes_of("https"))))
		return false;
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	return n > 2 && is_host(BYTES(rest.p + 2, n - 2));
}

/* origin-form, absolute-form, or "*" (RFC 9112 3.2); visible ASCII only, no fragment. */
static bool is_target(struct bytes t, const char *method)
{
	size_t i;

	for (i = 0; i < t.n; i++) {
		if (t.p[i] <= 0x20 || t.p[i] >= 0x7f || t.p[i] == '#')
			return false;
	}
	if (bytes_eq_str(t, "*"))
		return strcmp(method, "OPTIONS") == 0;
	return t.n > 0 && (t.p[0] == '/' || is_absolute(t));
}

static enum http_refusal check_request_line(const struct http_req *req, const char *method, const char *version)
{
	size_t method_n = strlen(method);

	if (req->raw_target != method + method_n + 1 || version != req->raw_target + req->target.n + 1 || strlen(version) != 8)
		return REFUSE_SYNTAX;
	return is_token(method, method_n) && is_target(req->target, method) ? REFUSE_NONE : REFUSE_SYNTAX;
}

/* The blank line that ends the head, and that libmicrohttpd saw it there and not at a line that begins with NUL. */
static bool ends_here(const struct walk *walk, struct MHD_Connection *mhd, const char *method)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info != NULL && method + info->header_size == walk->at + 4 && memcmp(walk->at, "\0\0\0\0", 4) == 0;
}

static enum http_refusal check_counts(const struct walk *walk, const char *version, size_t max_body)
{
	bool http_1_0 = strcmp(version, "HTTP/1.0") == 0;

	if (walk->lengths > 1 || (walk->encodings > 0 && (walk->lengths > 0 || http_1_0)))
		return REFUSE_FRAMING;
	if (walk->hosts > 1)
		return REFUSE_REPEATED;
	if (walk->hosts == 0 && !http_1_0)
		return REFUSE_HOST;
	if (walk->encodings > 0)
		return REFUSE_LENGTH; /* RFC 9112 6.3 allows 411: one way less to frame a body */
	return walk->head->body_length > max_body ? REFUSE_BODY_SIZE : REFUSE_NONE;
}

enum http_refusal http_head_check(const struct http_req *req, struct MHD_Connection *mhd, const char *method,
				  const char *version, struct http_head *_head)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	struct walk walk = { .at = version + 8, .head = _head };

	*_head = (struct http_head){ .closes = strcmp(version, "HTTP/1.0") == 0 };
	walk.refusal = check_request_line(req, method, version);
	if (walk.refusal != REFUSE_NONE)
		return walk.refusal;
	if (info == NULL || info->header_size > req->server->max_head)
		return REFUSE_HEAD_SIZE;
	MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_header, &walk);
	if (walk.refusal == REFUSE_NONE && !ends_here(&walk, mhd, method))
		walk.refusal = REFUSE_FRAMING;
	return walk.refusal != REFUSE_NONE ? walk.refusal : check_counts(&walk, version, req->server->max_body);
}
