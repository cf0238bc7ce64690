/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/fields.h"

#include <ctype.h>

#define VIA "gba-naf-proxy"

/* "X_Forwarded.FOR" and "x-forwarded-for" are one name. */
static bool same_name(struct bytes name, const char *plain, bool prefix)
{
	size_t i, n = strlen(plain);
	uint8_t c;

	if (prefix ? name.n < n : name.n != n)
		return false;
	for (i = 0; i < n; i++) {
		c = isalnum(name.p[i]) ? (uint8_t)tolower(name.p[i]) : '-';
		if (c != (uint8_t)plain[i])
			return false;
	}
	return true;
}

bool fields_reserved(struct bytes name)
{
	static const struct { const char *name; bool prefix; } rows[] = {
		{ "x-3gpp-asserted-identity", true },
		{ "x-3gpp-authorization-flags", true },
		{ "x-gba-", true },
		{ "forwarded", false },
		{ "x-forwarded", true },
		{ "x-real-ip", false },
		{ "x-client-ip", false },
		{ "x-cluster-client-ip", false },
		{ "client-ip", false },
		{ "true-client-ip", false },
		{ "cf-connecting-ip", false },
		{ "x-original-url", false },
		{ "x-rewrite-url", false },
		{ "x-original-uri", false },
		{ "x-remote-user", false },
		{ "remote-user", false },
		{ "x-http-method-override", false },
		{ "x-http-method", false },
		{ "x-method-override", false },
		{ "proxy", false }, /* HTTP_PROXY of CGI programs */
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (same_name(name, rows[i].name, rows[i].prefix))
			return true;
	}
	return false;
}

static bool put_field(struct buf *out, const char *name, struct bytes value)
{
	if (value.p == NULL)
		return true;
	return buf_put(out, bytes_of(name)) && buf_put(out, bytes_of(": ")) && buf_put(out, value) &&
	       buf_put(out, bytes_of("\r\n"));
}

static bool copy_field(struct buf *out, const struct h1_field *field)
{
	return buf_put(out, field->name) && buf_put(out, bytes_of(": ")) && buf_put(out, field->value) &&
	       buf_put(out, bytes_of("\r\n"));
}

/* Those we write ourselves, or that end here; so also when spelled for CGI ("Content_Length", "Transfer_Encoding"). */
static bool request_field_dropped(const struct h1_head *head, struct bytes name, bool drop_intended)
{
	return same_name(name, "host", false) || same_name(name, "content-length", false) ||
	       same_name(name, "transfer-encoding", false) || same_name(name, "authorization", false) ||
	       same_name(name, "expect", false) || same_name(name, "via", false) ||
	       (drop_intended && same_name(name, "x-3gpp-intended-identity", false)) || fields_reserved(name) ||
	       h1_hop_by_hop(head, name);
}

bool fields_put_asserted(struct buf *out, const struct asserted *who)
{
	return put_field(out, "X-3GPP-Asserted-Identity", who->list) && put_field(out, "X-3GPP-Authorization-Flags", who->flags) &&
	       put_field(out, "X-Forwarded-User", who->user) &&
	       put_field(out, "X-GBA-Token", who->token);
}

bool fields_takes_trailers(const struct h1_head *head)
{
	return head->minor > 0 && h1_list_has(h1_field_find(head, "te"), bytes_of("trailers"));
}

static bool put_framing(struct buf *out, const struct h1_head *head)
{
	bool has_length = h1_field_find(head, "content-length").p != NULL;

	if (head->framing == H1_BODY_CHUNKED)
		return buf_put(out, bytes_of("Transfer-Encoding: chunked\r\n"));
	if (head->framing == H1_BODY_LENGTH || has_length)
		return buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)head->length);
	return true;
}

static bool put_from(struct buf *out, const struct h1_head *head, const struct from *from)
{
	return put_field(out, "X-Forwarded-For", bytes_of(from->address)) &&
	       put_field(out, "X-Forwarded-Proto", bytes_of(from->tls ? "https" : "http")) &&
	       put_field(out, "X-Forwarded-Host", head->authority) &&
	       buf_printf(out, "Via: 1.%u " VIA "\r\n", head->minor);
}

/* RFC 9110 10.1.4: the device takes trailers, and so do we for it. */
static bool put_te(struct buf *out, const struct h1_head *head)
{
	if (!fields_takes_trailers(head) || head->upgrade.p != NULL)
		return true;
	return buf_put(out, bytes_of("TE: trailers\r\nConnection: TE\r\n"));
}

static bool put_upgrade(struct buf *out, struct bytes upgrade)
{
	return upgrade.p == NULL ||
	       (put_field(out, "Upgrade", upgrade) && buf_put(out, bytes_of("Connection: Upgrade\r\n")));
}

bool fields_put_request(struct buf *out, const struct h1_head *head, const struct asserted *who, const struct from *from,
			bool drop_intended)
{
	bool good;
	size_t i;

	good = buf_put(out, head->method) && buf_put(out, bytes_of(" ")) && buf_put(out, head->path) &&
	       buf_put(out, bytes_of(" HTTP/1.1\r\n")) &&
	       put_field(out, "Host", head->authority.p != NULL ? head->authority : bytes_of(""));
	for (i = 0; good && i < head->fields; i++) {
		if (!request_field_dropped(head, head->field[i].name, drop_intended))
			good = copy_field(out, &head->field[i]);
	}
	return good && put_framing(out, head) && fields_put_asserted(out, who) && put_from(out, head, from) &&
	       put_te(out, head) && put_upgrade(out, head->upgrade) && buf_put(out, bytes_of("\r\n"));
}

static bool response_field_dropped(const struct h1_head *head, struct bytes name, const struct response_plan *plan)
{
	if (plan->authentication_info != NULL && bytes_eq_nocase(name, bytes_of("authentication-info")))
		return true;
	if (plan->chunked && bytes_eq_nocase(name, bytes_of("content-length")))
		return true;
	if (bytes_eq_nocase(name, bytes_of("x-gba-token-control"))) /* for us */
		return true;
	/* It frames the answer, whatever Connection says of it (RFC 9110 7.6.1). */
	if (bytes_eq_nocase(name, bytes_of("content-length")))
		return head->status < 200 || head->status == 204;
	return h1_hop_by_hop(head, name);
}

static bool put_connection(struct buf *out, const struct response_plan *plan)
{
	if (plan->upgrade.p != NULL)
		return put_upgrade(out, plan->upgrade);
	if (plan->close)
		return buf_put(out, bytes_of("Connection: close\r\n"));
	return plan->minor > 0 || buf_put(out, bytes_of("Connection: keep-alive\r\n"));
}

bool fields_put_response(struct buf *out, const struct h1_head *head, const struct response_plan *plan)
{
	bool good = buf_printf(out, "HTTP/1.1 %u ", head->status) && buf_put(out, head->reason) && buf_put(out, bytes_of("\r\n"));
	size_t i;

	for (i = 0; good && i < head->fields; i++) {
		if (!response_field_dropped(head, head->field[i].name, plan))
			good = copy_field(out, &head->field[i]);
	}
	if (good && plan->chunked)
		good = buf_put(out, bytes_of("Transfer-Encoding: chunked\r\n"));
	if (good && plan->authentication_info != NULL)
		good = put_field(out, "Authentication-Info", bytes_of(plan->authentication_info));
	return good && put_connection(out, plan) && buf_put(out, bytes_of("\r\n"));
}

/* What is read in a head only: RFC 9110 6.5.1. */
static bool trailer_dropped(struct bytes name)
{
	static const char *const rows[] = {
		"transfer-encoding", "content-length", "content-encoding", "content-type", "content-range", "host",
		"authorization", "www-authenticate", "authentication-info", "proxy-authenticate",
		"proxy-authorization", "proxy-authentication-info", "set-cookie", "cookie", "cache-control",
		"expires", "age", "date", "vary", "location", "retry-after", "connection", "keep-alive", "upgrade",
		"te", "trailer", "via", "warning", "pragma", "strict-transport-security"
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (same_name(name, rows[i], false))
			return true;
	}
	return fields_reserved(name);
}

bool fields_put_trailers(struct buf *out, struct bytes lines)
{
	struct bytes line, name, value;
	bool good = true;

	while (good && bytes_split(lines, '\n', &line, &lines)) {
		if (bytes_split(line, ':', &name, &value) && !trailer_dropped(name))
			good = buf_put(out, line) && buf_put(out, bytes_of("\n"));
	}
	return good;
}
