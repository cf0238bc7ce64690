/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/described.h"

#include <arpa/inet.h>
#include <string.h>

#define WORD_MAX 64 /* [octets] address, name of a suite */

static const struct {
	const char *method, *target, *host, *address; /* NULL: of the request itself */
	const char *lacking;
} ways[] = {
	[ASKS_ORIGINAL] = { "x-original-method", "x-original-uri", "host", "x-real-ip",
			    "the web server must set X-Original-Method, X-Original-URI, X-Real-IP and Host, each once" },
	[ASKS_FORWARDED] = { "x-forwarded-method", "x-forwarded-uri", "x-forwarded-host", "x-forwarded-for",
			     "the web server must set X-Forwarded-Method, -Uri, -Host and -For, each once" },
	[ASKS_ITSELF] = { NULL, NULL, "host", NULL, "the web server must pass on Host" },
};

/* The value of a header that is there once. */
static bool only(const struct h1_head *head, const char *name, struct bytes *_value)
{
	*_value = h1_field_find(head, name);
	return _value->p != NULL && _value->n > 0 && h1_field_count(head, name) == 1;
}

/* The last of a list: the only one that the web server itself has seen. */
static struct bytes last_of(struct bytes list)
{
	struct bytes item = list;
	size_t at = list.n;

	while (at > 0 && list.p[at - 1] != ',' && list.p[at - 1] != ' ')
		at--;
	item = BYTES(list.p + at, list.n - at);
	return item;
}

static bool address_good(struct bytes text)
{
	char copy[WORD_MAX];
	struct in6_addr in6;
	struct in_addr in;

	if (text.n >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return inet_pton(AF_INET, copy, &in) == 1 || inet_pton(AF_INET6, copy, &in6) == 1;
}

/* As if the device had sent it to us: what we would refuse from a device we refuse from whoever repeats it. */
static const char *request_read(TALLOC_CTX *mem_ctx, struct bytes method, struct bytes target, struct bytes host,
				struct h1_head *head)
{
	char *text = talloc_asprintf(mem_ctx, "%.*s %.*s HTTP/1.1\r\nHost: %.*s\r\n\r\n", BYTES_FMT(method), BYTES_FMT(target),
				     BYTES_FMT(host));
	struct h1_head *request = talloc(mem_ctx, struct h1_head);
	struct h1_fault fault;
	size_t scanned = 0, n;

	if (text == NULL || request == NULL)
		return "out of memory";
	n = strlen(text);
	if (h1_request_parse(bytes_of(text), &scanned, n, request, &fault) != H1_DONE || request->octets != n ||
	    request->fields != 1)
		return "the request described is malformed";
	head->method = request->method;
	head->target = request->target;
	head->path = request->path;
	head->authority = request->authority;
	head->host = request->host;
	talloc_free(request);
	return NULL;
}

const char *described_read(TALLOC_CTX *mem_ctx, enum asks how, enum asks_tls tls, struct h1_head *head, struct described *_what)
{
	struct bytes method = head->method, target = head->target, host, address = BYTES_NONE;

	*_what = (struct described){ BYTES_NONE, BYTES_NONE };
	if (!only(head, ways[how].host, &host) || (ways[how].method != NULL && !only(head, ways[how].method, &method)) ||
	    (ways[how].target != NULL && !only(head, ways[how].target, &target)) ||
	    (ways[how].address != NULL && !only(head, ways[how].address, &address)))
		return ways[how].lacking;
	if (address.p != NULL && !address_good(_what->address = last_of(address)))
		return "the device's address is none";
	if (tls == ASKS_TLS_SUITE && (!only(head, "x-gba-tls-suite", &_what->suite) || _what->suite.n >= WORD_MAX))
		return "the web server must set X-GBA-TLS-Suite";
	return request_read(mem_ctx, method, target, host, head);
}
