/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/ua_coap_message.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "coap/cbor.h"
#include "coap/media.h"
#include "core/codec.h"
#include "http/json.h"
#include "ue/ua_coap.h"

#define SEGMENTS_MAX 1024 /* [octets] of a path or a query */
#define ETAG_MAX     8
#define MAX_AGE_DEFAULT 60 /* [s] RFC 7252 5.10.5 */

coap_pdu_code_t ua_coap_method(const char *name)
{
	static const char *const names[] = { "GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "IPATCH" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(names[i], name) == 0)
			return (coap_pdu_code_t)(COAP_REQUEST_CODE_GET + i);
	}
	return COAP_EMPTY_CODE;
}

/* ---- the request ---- */

static enum gba_err put(coap_optlist_t **list, uint16_t number, struct bytes value)
{
	return coap_insert_optlist(list, coap_new_optlist(number, value.n, value.p)) == 1 ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err put_number(coap_optlist_t **list, uint16_t number, unsigned int value)
{
	uint8_t octets[4];

	return put(list, number, BYTES(octets, coap_encode_var_safe(octets, sizeof(octets), value)));
}

/* libcoap cuts them as RFC 7252 6.4 wants, each with an option's head. */
static enum gba_err put_segments(coap_optlist_t **list, uint16_t number, struct bytes text)
{
	unsigned char octets[SEGMENTS_MAX], *at = octets;
	size_t n = sizeof(octets);
	int count, i;
	enum gba_err err = GBA_OK;

	if (text.n > SEGMENTS_MAX / 2)
		return GBA_E_TOO_LONG;
	count = number == COAP_OPTION_URI_PATH ? coap_split_path(text.p, text.n, octets, &n)
					       : coap_split_query(text.p, text.n, octets, &n);
	for (i = 0; i < count && err == GBA_OK; i++) {
		err = put(list, number, BYTES(coap_opt_value(at), coap_opt_length(at)));
		at += coap_opt_size(at);
	}
	return err;
}

static enum gba_err put_target(coap_optlist_t **list, const char *target)
{
	const char *query = strchr(target, '?'), *path = target + (*target == '/');
	size_t n = query != NULL ? (size_t)(query - path) : strlen(path);
	enum gba_err err = n > 0 ? put_segments(list, COAP_OPTION_URI_PATH, BYTES(path, n)) : GBA_OK;

	if (err != GBA_OK || query == NULL || query[1] == '\0')
		return err;
	return put_segments(list, COAP_OPTION_URI_QUERY, bytes_of(query + 1));
}

/* A media type, or its number. */
static enum gba_err put_format(coap_optlist_t **list, uint16_t number, const char *value)
{
	int format = media_format(bytes_of(value));
	char *end;

	if (format == MEDIA_NONE && isdigit((unsigned char)value[0])) {
		unsigned long said = strtoul(value, &end, 10);

		format = *end == '\0' && said <= UINT16_MAX ? (int)said : MEDIA_NONE;
	}
	return format != MEDIA_NONE ? put_number(list, number, (unsigned int)format) : GBA_E_SYNTAX;
}

static enum gba_err put_etag(coap_optlist_t **list, uint16_t number, const char *hex)
{
	uint8_t octets[ETAG_MAX];
	size_t n = strlen(hex) / 2;

	if (n > ETAG_MAX || hex_decode(bytes_of(hex), octets, n) != GBA_OK)
		return GBA_E_SYNTAX;
	return put(list, number, BYTES(octets, n));
}

static enum gba_err put_header(coap_optlist_t **list, const struct fetch_header *header)
{
	if (strcasecmp(header->name, "Content-Type") == 0)
		return put_format(list, COAP_OPTION_CONTENT_FORMAT, header->value);
	if (strcasecmp(header->name, "Accept") == 0)
		return put_format(list, COAP_OPTION_ACCEPT, header->value);
	if (strcasecmp(header->name, "If-Match") == 0)
		return put_etag(list, COAP_OPTION_IF_MATCH, header->value);
	if (strcasecmp(header->name, "ETag") == 0)
		return put_etag(list, COAP_OPTION_ETAG, header->value);
	if (strcasecmp(header->name, "If-None-Match") == 0)
		return put(list, COAP_OPTION_IF_NONE_MATCH, BYTES_NONE);
	return GBA_E_SYNTAX;
}

/* RFC 7252 6.4: no Uri-Host for an address. */
static bool is_name(const char *host)
{
	return host[0] != '[' && host[strspn(host, "0123456789.")] != '\0';
}

enum gba_err ua_coap_options(const struct fetch_ask *ask, const struct url *url, bool observe, coap_optlist_t **_list,
			     struct why *why)
{
	const struct fetch_header *header = ask->headers;
	enum gba_err err = is_name(url->host) ? put(_list, COAP_OPTION_URI_HOST, bytes_of(url->host)) : GBA_OK;

	if (err == GBA_OK)
		err = put_target(_list, url->target);
	if (err == GBA_OK && observe)
		err = put(_list, COAP_OPTION_OBSERVE, BYTES_NONE);
	if (err != GBA_OK)
		return why_fail(why, err, "%s: request cannot be made: %s", url->host, gba_strerror(err));
	for (; header != NULL && header->name != NULL; header++) {
		err = put_header(_list, header);
		if (err != GBA_OK)
			return why_fail(why, err, "header %s: CoAP has none, or not with this value", header->name);
	}
	return GBA_OK;
}

/* ---- the answer ---- */

static enum gba_err add_header(struct fetch_answer *answer, const char *name, const char *value)
{
	if (value == NULL)
		return GBA_E_NOMEM;
	if (answer->header_count >= FETCH_HEADERS_MAX)
		return GBA_E_PEER;
	answer->headers[answer->header_count++] = (struct fetch_header){ name, value };
	return GBA_OK;
}

static unsigned int number_of(struct bytes value)
{
	return value.n <= 4 ? coap_decode_var_bytes(value.p, value.n) : UINT32_MAX;
}

static enum gba_err add_format(struct fetch_answer *answer, unsigned int format)
{
	const char *media = format <= UINT16_MAX ? media_of_format((int)format) : NULL;

	return add_header(answer, "Content-Type",
			  media != NULL ? talloc_strdup(answer->headers, media) : talloc_asprintf(answer->headers, "%u", format));
}

static enum gba_err add_hex(struct fetch_answer *answer, const char *name, struct bytes value)
{
	char hex[HEX_LEN(ETAG_MAX) + 1];

	if (value.n > ETAG_MAX)
		return GBA_E_PEER;
	hex_encode(value, hex);
	return add_header(answer, name, talloc_strdup(answer->headers, hex));
}

static enum gba_err add_number(struct fetch_answer *answer, const char *name, struct bytes value)
{
	return add_header(answer, name, talloc_asprintf(answer->headers, "%u", number_of(value)));
}

static bool is_plain(uint8_t octet)
{
	return isalnum(octet) || (octet != '\0' && strchr("-._~=", octet) != NULL);
}

/* One more segment: what is no plain character is %xx, and no control reaches a terminal. */
static enum gba_err grow_location(char **location, TALLOC_CTX *mem_ctx, uint16_t number, struct bytes value)
{
	bool queried = *location != NULL && strchr(*location, '?') != NULL;
	char *text = *location != NULL ? *location : talloc_strdup(mem_ctx, number == COAP_OPTION_LOCATION_QUERY ? "/" : "");
	size_t i;

	text = text != NULL ? talloc_strdup_append(text, number == COAP_OPTION_LOCATION_PATH ? "/" : queried ? "&" : "?") : NULL;
	for (i = 0; i < value.n && text != NULL; i++)
		text = talloc_asprintf_append(text, is_plain(value.p[i]) ? "%c" : "%%%02X", value.p[i]);
	*location = text;
	return text != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err read_option(struct fetch_answer *answer, uint16_t number, struct bytes value, char **location)
{
	switch (number) {
	case COAP_OPTION_CONTENT_FORMAT: return add_format(answer, number_of(value));
	case COAP_OPTION_ETAG: return add_hex(answer, "ETag", value);
	case COAP_OPTION_MAXAGE: return add_number(answer, "Max-Age", value);
	case COAP_OPTION_OBSERVE: return add_number(answer, "Observe", value);
	case COAP_OPTION_LOCATION_PATH:
	case COAP_OPTION_LOCATION_QUERY: return grow_location(location, answer->headers, number, value);
	default: return GBA_OK;
	}
}

/* RFC 7252 5.9.3.4: Max-Age of a 5.03 is when to come again. */
static unsigned int retry_after(const struct fetch_answer *answer)
{
	struct bytes age = fetch_header(answer, "Max-Age");

	if (answer->status != 503 && answer->status != 429)
		return 0;
	return age.p != NULL ? (unsigned int)strtoul((const char *)age.p, NULL, 10) : MAX_AGE_DEFAULT;
}

enum gba_err ua_coap_read(TALLOC_CTX *mem_ctx, const coap_pdu_t *pdu, struct fetch_answer *_answer)
{
	unsigned int code = coap_pdu_get_code(pdu), class = code >> 5;
	coap_opt_iterator_t at;
	char *location = NULL;
	coap_opt_t *option;
	enum gba_err err = GBA_OK;

	memset(_answer, 0, sizeof(*_answer));
	if (class < 2 || class > 5)
		return GBA_E_PEER;
	_answer->headers = talloc_array(mem_ctx, struct fetch_header, FETCH_HEADERS_MAX);
	_answer->status = class * 100 + (code & 31);
	_answer->code = talloc_asprintf(mem_ctx, "%u.%02u", class, code & 31);
	if (_answer->headers == NULL || _answer->code == NULL)
		return GBA_E_NOMEM;
	coap_option_iterator_init(pdu, &at, COAP_OPT_ALL);
	while (err == GBA_OK && (option = coap_option_next(&at)) != NULL)
		err = read_option(_answer, at.number, BYTES(coap_opt_value(option), coap_opt_length(option)), &location);
	if (err == GBA_OK && location != NULL)
		err = add_header(_answer, "Location", location);
	_answer->retry_after = retry_after(_answer);
	return err;
}

/* ---- bodies ---- */

enum gba_err ua_coap_pack(TALLOC_CTX *mem_ctx, const json_t *json, struct bytes *_octets)
{
	struct bytes octets;
	enum gba_err err = cbor_from_json(json, &octets);

	if (err != GBA_OK)
		return err;
	*_octets = BYTES(talloc_memdup(mem_ctx, octets.p, octets.n), octets.n);
	free((void *)(uintptr_t)octets.p);
	return _octets->p != NULL ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err ua_coap_unpack(const struct fetch_answer *answer, json_t **_json)
{
	if (bytes_eq_str(fetch_header(answer, "Content-Type"), "application/json"))
		return json_read(answer->body, _json, NULL);
	return cbor_to_json(answer->body, _json);
}
