/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/coap/request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "coap/cbor.h"
#include "coap/media.h"
#include "http/json.h"

#define TARGET_MAX 1024
#define NO_FORMAT  MEDIA_NONE
#define PROBLEM_MEDIA "application/problem+json"

static coap_pdu_code_t code_of(unsigned int status)
{
	static const struct {
		unsigned int status;
		coap_pdu_code_t code;
	} rows[] = {
		{ 200, COAP_RESPONSE_CODE_CONTENT },
		{ 201, COAP_RESPONSE_CODE_CREATED },
		{ 400, COAP_RESPONSE_CODE_BAD_REQUEST },
		{ 401, COAP_RESPONSE_CODE_UNAUTHORIZED },
		{ 403, COAP_RESPONSE_CODE_FORBIDDEN },
		{ 404, COAP_RESPONSE_CODE_NOT_FOUND },
		{ 405, COAP_RESPONSE_CODE_NOT_ALLOWED },
		{ 406, COAP_RESPONSE_CODE_NOT_ACCEPTABLE },
		{ 409, COAP_RESPONSE_CODE_CONFLICT },
		{ 412, COAP_RESPONSE_CODE_PRECONDITION_FAILED },
		{ 413, COAP_RESPONSE_CODE_REQUEST_TOO_LARGE },
		{ 415, COAP_RESPONSE_CODE_UNSUPPORTED_CONTENT_FORMAT },
		{ 422, COAP_RESPONSE_CODE_UNPROCESSABLE },
		{ 429, COAP_RESPONSE_CODE_TOO_MANY_REQUESTS },
		{ 501, COAP_RESPONSE_CODE_NOT_IMPLEMENTED },
		{ 502, COAP_RESPONSE_CODE_BAD_GATEWAY },
		{ 503, COAP_RESPONSE_CODE_SERVICE_UNAVAILABLE },
		{ 504, COAP_RESPONSE_CODE_GATEWAY_TIMEOUT },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].status == status)
			return rows[i].code;
	}
	return status < 500 ? COAP_RESPONSE_CODE_BAD_REQUEST : COAP_RESPONSE_CODE_INTERNAL_ERROR;
}

/* CBOR is for devices: an application that speaks HTTP reads and writes JSON in its place. */
static const char *media_of(int format)
{
	return format != COAP_MEDIATYPE_APPLICATION_CBOR ? media_of_format(format) : NULL;
}

/* What is said to be nothing, or is a problem (RFC 9457), is JSON as our applications send it. */
static int format_of(const char *media)
{
	int format = media != NULL ? media_format(bytes_of(media)) : COAP_MEDIATYPE_APPLICATION_JSON;

	if (format != MEDIA_NONE)
		return format;
	return strncasecmp(media, PROBLEM_MEDIA, sizeof(PROBLEM_MEDIA) - 1) == 0 ? COAP_MEDIATYPE_APPLICATION_JSON
										 : COAP_MEDIATYPE_APPLICATION_OCTET_STREAM;
}

static int format_option(const coap_pdu_t *pdu, uint16_t number)
{
	coap_opt_iterator_t iterator;
	coap_opt_t *option = coap_check_option(pdu, number, &iterator);

	return option != NULL ? (int)coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option)) : NO_FORMAT;
}

const char *request_method(const coap_pdu_t *pdu)
{
	switch (coap_pdu_get_code(pdu)) {
	case COAP_REQUEST_CODE_GET: return "GET";
	case COAP_REQUEST_CODE_PUT: return "PUT";
	case COAP_REQUEST_CODE_POST: return "POST";
	case COAP_REQUEST_CODE_DELETE: return "DELETE";
	default: return NULL;
	}
}

/* One exchange on its way through. */
struct passing {
	TALLOC_CTX *ctx;
	const struct request_ways *ways;
	const struct request *request;
	const struct released *who;
	int format, accept;
};

/* RFC 7252 5.10.1: "." and ".." are no segments; they would lead elsewhere in an application that speaks HTTP. Uri-Host, where
 * it is sent, is the name that the key is for (TS 33.222 5.3). */
static bool options_good(const struct passing *p)
{
	coap_opt_iterator_t at;
	coap_opt_t *option;

	coap_option_iterator_init(p->request->pdu, &at, COAP_OPT_ALL);
	while ((option = coap_option_next(&at)) != NULL) {
		struct bytes value = BYTES(coap_opt_value(option), coap_opt_length(option));

		if (at.number == COAP_OPTION_URI_PATH && (bytes_eq_str(value, ".") || bytes_eq_str(value, "..")))
			return false;
		if (at.number == COAP_OPTION_URI_HOST && !bytes_eq_nocase(value, bytes_of(p->ways->fqdn)))
			return false;
	}
	return true;
}

static const char *target_of(const struct passing *p)
{
	coap_string_t *path = coap_get_uri_path(p->request->pdu);
	const coap_string_t *query = p->request->query;
	char *target = NULL;

	if (path != NULL && path->length + (query != NULL ? query->length : 0) < TARGET_MAX)
		target = talloc_asprintf(p->ctx, "/%.*s%s%.*s", (int)path->length, (const char *)path->s, query != NULL ? "?" : "",
					 query != NULL ? (int)query->length : 0, query != NULL ? (const char *)query->s : "");
	coap_delete_string(path);
	return target;
}

/* As it came; absent: none. */
static enum gba_err body_of(const struct passing *p, struct bytes *_body)
{
	const uint8_t *data = NULL;
	size_t n = 0, offset = 0, total = 0;

	*_body = BYTES_NONE;
	if (coap_get_data_large(p->request->pdu, &n, &data, &offset, &total) == 0 || n == 0)
		return GBA_OK;
	if (offset != 0 || n != total || n > CBOR_BODY_MAX)
		return GBA_E_TOO_LONG;
	*_body = BYTES(data, n);
	return GBA_OK;
}

/* An application that speaks HTTP gets JSON where the device spoke CBOR. */
static enum gba_err cbor_to_text(const struct passing *p, struct bytes *_body)
{
	json_t *json = NULL;
	enum gba_err err;
	char *text;

	if (_body->p == NULL)
		return GBA_OK;
	err = cbor_to_json(*_body, &json);
	if (err != GBA_OK)
		return err;
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	*_body = text != NULL ? bytes_of(talloc_strdup(p->ctx, text)) : BYTES_NONE;
	free(text);
	return _body->p != NULL ? GBA_OK : GBA_E_NOMEM;
}

static void give_up(coap_session_t *session, void *body)
{
	(void)session;
	free(body);
}

/** @param body  malloc'ed, given away */
static void put_body(const struct passing *p, int format, int64_t max_age, struct bytes body)
{
	const struct request *r = p->request;

	if (format == COAP_MEDIATYPE_TEXT_PLAIN) /* what libcoap takes for none */
		coap_add_option(r->response, COAP_OPTION_CONTENT_FORMAT, 0, NULL);
	coap_add_data_large_response(r->resource, r->session, r->pdu, r->response, r->query, (uint16_t)format, (int)max_age, 0,
				     body.n, body.p, give_up, (void *)(uintptr_t)body.p);
}

static struct bytes malloced(struct bytes octets)
{
	uint8_t *copy = malloc(octets.n > 0 ? octets.n : 1);

	return copy != NULL ? BYTES(memcpy(copy, octets.p, octets.n), octets.n) : BYTES_NONE;
}

/* The application's body in the format the device asked for or spoke; refusals keep their reason, too. */
static void answer(const struct passing *p, const struct door_answer *from)
{
	bool wants_cbor = p->accept == COAP_MEDIATYPE_APPLICATION_CBOR ||
			  (p->accept == NO_FORMAT && (p->format == COAP_MEDIATYPE_APPLICATION_CBOR || p->format == NO_FORMAT));
	bool is_delete = coap_pdu_get_code(p->request->pdu) == COAP_REQUEST_CODE_DELETE;
	int format = format_of(from->media);
	struct bytes body = BYTES_NONE;
	json_t *json = NULL;

	coap_pdu_set_code(p->request->response, from->status != 204 ? code_of(from->status)
						: is_delete	  ? COAP_RESPONSE_CODE_DELETED
								  : COAP_RESPONSE_CODE_CHANGED);
	if (from->body.n == 0)
		return;
	if (format == COAP_MEDIATYPE_APPLICATION_JSON && wants_cbor && json_read(from->body, &json, NULL) == GBA_OK &&
	    cbor_from_json(json, &body) == GBA_OK)
		format = COAP_MEDIATYPE_APPLICATION_CBOR;
	json_decref(json);
	if (body.p == NULL)
		body = malloced(from->body);
	if (body.p != NULL && from->status < 300 && p->accept != NO_FORMAT && p->accept != format) {
		coap_pdu_set_code(p->request->response, COAP_RESPONSE_CODE_NOT_ACCEPTABLE); /* RFC 7252 5.10.4 */
		free((void *)(uintptr_t)body.p);
	} else if (body.p != NULL) {
		put_body(p, format, -1, body);
	}
}

/* What the application is at fault for (RFC 7252 5.9.3). */
static enum gba_err application_failed(const struct passing *p, enum gba_err err)
{
	coap_pdu_set_code(p->request->response, code_of(err == GBA_E_TIMEOUT ? 504 : 502));
	return err;
}

static enum gba_err pass_http(struct passing *p, struct bytes body)
{
	struct door_request ask = { request_method(p->request->pdu), target_of(p), media_of(p->format),
				    media_of(p->accept), body, p->who };
	struct door_answer from = { 0, BYTES_NONE, NULL };
	enum gba_err err = GBA_OK;

	if (ask.target == NULL)
		return GBA_E_TOO_LONG;
	if (p->format == COAP_MEDIATYPE_APPLICATION_CBOR || (p->format == NO_FORMAT && body.p != NULL)) {
		err = cbor_to_text(p, &ask.body);
		ask.media = media_of(COAP_MEDIATYPE_APPLICATION_JSON);
	} else if (p->format != NO_FORMAT && ask.media == NULL) {
		coap_pdu_set_code(p->request->response, COAP_RESPONSE_CODE_UNSUPPORTED_CONTENT_FORMAT);
		return GBA_OK;
	}
	if (err != GBA_OK)
		return err;
	err = door_ask(p->ways->door, p->ctx, &ask, &from);
	if (err != GBA_OK)
		return application_failed(p, err);
	answer(p, &from);
	return GBA_OK;
}

static enum gba_err pass_coap(const struct passing *p, struct bytes body)
{
	struct inner_answer from;
	struct bytes copy;
	enum gba_err err = inner_ask(p->ways->inner, p->ctx, p->request->pdu, body, p->who, &from);

	if (err != GBA_OK)
		return application_failed(p, err);
	coap_pdu_set_code(p->request->response, from.code);
	if (from.etag.p != NULL)
		coap_add_option(p->request->response, COAP_OPTION_ETAG, from.etag.n, from.etag.p);
	copy = from.body.n > 0 ? malloced(from.body) : BYTES_NONE;
	if (copy.p != NULL)
		put_body(p, from.format >= 0 ? from.format : COAP_MEDIATYPE_TEXT_PLAIN, from.max_age, copy);
	return GBA_OK;
}

static enum gba_err pass(struct passing *p)
{
	struct bytes body;
	enum gba_err err;

	if (p->who == NULL)
		return GBA_E_NOT_AUTHORIZED;
	if (p->ways->inner == NULL && request_method(p->request->pdu) == NULL) {
		coap_pdu_set_code(p->request->response, COAP_RESPONSE_CODE_NOT_ALLOWED);
		return GBA_OK;
	}
	if (!options_good(p))
		return GBA_E_SYNTAX;
	err = body_of(p, &body);
	if (err != GBA_OK)
		return err;
	return p->ways->inner != NULL ? pass_coap(p, body) : pass_http(p, body);
}

enum gba_err request_pass(const struct request_ways *ways, const struct request *request, const struct released *who)
{
	struct passing p = { talloc_new(NULL), ways, request, who, format_option(request->pdu, COAP_OPTION_CONTENT_FORMAT),
			     format_option(request->pdu, COAP_OPTION_ACCEPT) };
	enum gba_err err = pass(&p);

	if (coap_pdu_get_code(request->response) != 0)
		; /* said */
	else if (err == GBA_E_TOO_LONG)
		coap_pdu_set_code(request->response, COAP_RESPONSE_CODE_REQUEST_TOO_LARGE);
	else if (err != GBA_OK)
		coap_pdu_set_code(request->response, code_of(gba_err_http(err)));
	talloc_free(p.ctx);
	return err;
}
