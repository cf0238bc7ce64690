/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/api/pack_ua.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/codec.h"
#include "core/ident.h"
#include "ident/idrule.h"

#define UA_CHARS 10
#define HTTP_DIGEST "0100000002"
#define TLS13_PSK   "0100000007"
#define TLS_SUITE   "010001" /* and the suite, four digits */

static bool names(struct bytes list, const char *id)
{
	size_t at;

	for (at = 0; at + UA_CHARS <= list.n; at += UA_CHARS + 1) { /* one entry per line, all of one length */
		if (bytes_eq_nocase(BYTES(list.p + at, UA_CHARS), bytes_of(id)))
			return true;
	}
	return false;
}

/* The suites that a pre-shared key opens (TLS parameters of IANA); RFC 4279, 4785, 5487, 5489, 6209, 6655, 7905, 8442. */
static bool is_psk_suite(unsigned long suite)
{
	static const struct {
		unsigned int from, to;
	} rows[] = { { 0x2c, 0x2e }, { 0x8a, 0x95 }, { 0xa8, 0xb9 }, { 0xc033, 0xc03b }, { 0xc064, 0xc071 }, { 0xc08e, 0xc09b },
		     { 0xc0a4, 0xc0ab }, { 0xccab, 0xccae }, { 0xd001, 0xd005 } };
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (suite >= rows[i].from && suite <= rows[i].to)
			return true;
	}
	return false;
}

static void allow(struct pack_ua *ua, const char *id)
{
	unsigned long suite;

	if (strcasecmp(id, HTTP_DIGEST) == 0)
		ua->http_digest = true;
	else if (strcasecmp(id, TLS13_PSK) == 0)
		ua->psk13 = ua->tls13 = true;
	if (strncmp(id, TLS_SUITE, strlen(TLS_SUITE)) != 0)
		return;
	suite = strtoul(id + strlen(TLS_SUITE), NULL, 16);
	if (is_psk_suite(suite))
		ua->psk12 = ua->tls12 = true;
	else if (suite >> 8 == 0x13) /* Digest in certificate TLS 1.3 names the suite, too */
		ua->tls_digest = ua->tls13 = true;
	else
		ua->tls_digest = ua->tls12 = true;
}

bool pack_ua_read(TALLOC_CTX *mem_ctx, const struct record *app, const struct record *realm, struct pack_ua *_ua)
{
	struct bytes own = app->v[APPLICATION_UA_IDS].t, allowed = realm->v[REALM_UA_IDS].t, from = own.n > 0 ? own : allowed;
	size_t at;

	*_ua = (struct pack_ua){ .any = from.n == 0 };
	if (_ua->any) {
		_ua->http_digest = _ua->tls_digest = _ua->psk12 = _ua->psk13 = _ua->tls12 = _ua->tls13 = true;
		return true;
	}
	_ua->ids = talloc_zero_array(mem_ctx, char *, from.n / UA_CHARS + 1);
	for (at = 0; _ua->ids != NULL && at + UA_CHARS <= from.n; at += UA_CHARS + 1) {
		char *id = talloc_strndup(_ua->ids, (const char *)from.p + at, UA_CHARS);

		if (id == NULL)
			return false;
		if (allowed.n > 0 && !names(allowed, id))
			continue;
		_ua->ids[_ua->n++] = id;
		allow(_ua, id);
	}
	return _ua->ids != NULL;
}

long long pack_lifetime(const struct record *app, const struct record *realm)
{
	long long own = app->v[APPLICATION_TOKEN_LIFETIME].n, all = realm->v[REALM_TOKEN_LIFETIME].n;

	return own > 0 && own < all ? own : all;
}

char *pack_declaration(TALLOC_CTX *mem_ctx, const struct record *app, const struct pack_ua *ua)
{
	char *text = talloc_strdup(mem_ctx, "");
	size_t i;

	for (i = 0; text != NULL && i < ua->n; i++)
		text = talloc_asprintf_append(text, "%s\"%s\"", i > 0 ? ", " : "", ua->ids[i]);
	if (text == NULL || ua->n == 0)
		return text;
	return talloc_asprintf(mem_ctx, "applications = ( { fqdn = \"%s\"; ua-protocols = [ %s ]; } );\n",
			       record_text(app, APPLICATION_NAF_FQDN), text);
}

static const char *truth(bool value)
{
	return value ? "true" : "false";
}

/* Quotes and backslashes of an identity as the file's syntax wants them. */
static char *quoted(TALLOC_CTX *mem_ctx, const char *text)
{
	char *out = talloc_zero_size(mem_ctx, 2 * strlen(text) + 1);
	size_t n = 0;

	for (; out != NULL && *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		out[n++] = *text;
	}
	return out;
}

static char *listeners(TALLOC_CTX *mem_ctx, const char *fqdn, const struct pack_ua *ua)
{
	bool tls = ua->tls12 || ua->tls13;
	const char *first = "", *second = ua->http_digest ? "\t{ address = \"0.0.0.0:80\"; tls = false; }" : "";

	if (tls)
		first = talloc_asprintf(mem_ctx, "\t{ address = \"0.0.0.0:443\"; tls = true; default-site = \"%s\"; }", fqdn);
	if (first == NULL)
		return NULL;
	return talloc_asprintf(mem_ctx, "listeners = (\n%s%s%s );\n", first, tls && ua->http_digest ? ",\n" : "", second);
}

char *pack_proxy(TALLOC_CTX *mem_ctx, const struct record *app, const struct record *realm, const struct pack_ua *ua)
{
	const char *fqdn = record_text(app, APPLICATION_NAF_FQDN), *kind = application_identity_words[app->v[APPLICATION_TYPE].n];
	const char *files = ua->tls_digest ? ", and for devices that speak HTTP Digest in TLS, certificate and private-key" : "";
	char *identity = quoted(mem_ctx, record_text(app, APPLICATION_IDENTITY)), *listen = listeners(mem_ctx, fqdn, ua);

	if (identity == NULL || listen == NULL)
		return NULL;
	if (!ua->http_digest && !ua->tls12 && !ua->tls13)
		return talloc_strdup(mem_ctx, "# The realm allows none of the ways in that gba-naf-proxy serves.\n");
	return talloc_asprintf(
		mem_ctx,
		"# proxy.conf of gba-naf-proxy: what the profile of the realm %s allows this application to speak.\n"
		"# Say where the application listens (upstream)%s.\n"
		"%s"
		"sites = ( { fqdn = \"%s\"; application-id = \"%s:%s\"; upstream = \"127.0.0.1:8080\";\n"
		"\tpsk = %s; tls-digest = %s; http-digest = %s; tls-min = \"%s\"; tls-max = \"%s\"; gsids = [ \"%lld\" ]; } );\n",
		record_text(realm, REALM_NAME), files, listen, fqdn, kind, identity, truth(ua->psk12 || ua->psk13),
		truth(ua->tls_digest), truth(ua->http_digest), ua->tls12 || !ua->tls13 ? "1.2" : "1.3",
		ua->tls13 || !ua->tls12 ? "1.3" : "1.2", (long long)app->v[APPLICATION_GSID].n);
}
