/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/coap/request.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "coap/cbor.h"
#include "coap/media.h"
#include "core/clock.h"
#include "core/metrics.h"
#include "http/json.h"

#define TARGET_MAX 1024
#define TOKEN_MAX  8
#define COME_AGAIN 1  /* [s] Max-Age of 5.03 and 4.29 */
#define ACKNOWLEDGE_MS 1000 /* an answer that is not there by then comes alone; a device sends again after 2 s (RFC 7252 4.8) */
#define NO_FORMAT  MEDIA_NONE
#define OBSERVE_SEQ    0xffffff	  /* RFC 7641 4.4: 24 bits */
#define CONFIRM_GAP_MS 5000	  /* few notifications wait for an acknowledgement at once (RFC 7641 4.5.1) */
#define CONFIRM_EVERY_MS 3600000 /* is the device still there? RFC 7641 4.5 has a day */
#define MIDS_KEPT      4
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

/* One exchange on its way through; all of it below itself. */
struct passing {
	LIST_ENTRY(passing) link;
	struct requests *all;
	const struct request_ways *ways;
	struct request request; /* libcoap's while its handler runs; then ours */
	coap_string_t *query;	/* ours */
	struct released who;
	int format, accept;
	uint8_t token[TOKEN_MAX];
	size_t token_n;
	uint64_t acknowledge_at; /* [ms] monotonic */
	bool in_handler, done, acknowledged;
	bool observe, observing; /* asked for; under way: among the observed then */
	uint32_t seq;
	uint64_t confirmed_at;	   /* [ms] monotonic, of the last notification that was confirmable; 0: none */
	coap_mid_t mids[MIDS_KEPT]; /* of the last notifications */
};

struct requests {
	const struct request_ways *ways;
	LIST_HEAD(, passing) waiting, observed;
	size_t count, observed_n;
	struct metric *notified;
};

/* RFC 7252 5.10.1: "." and ".." are no segments; they would lead elsewhere in an application that speaks HTTP. Uri-Host, where
 * it is sent, is the name that the key is for (TS 33.222 5.3). */
static bool options_good(const struct passing *p)
{
	coap_opt_iterator_t at;
	coap_opt_t *option;

	coap_option_iterator_init(p->request.pdu, &at, COAP_OPT_ALL);
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
	coap_string_t *path = coap_get_uri_path(p->request.pdu);
	const coap_string_t *query = p->request.query;
	char *target = NULL;

	if (path != NULL && path->length + (query != NULL ? query->length : 0) < TARGET_MAX)
		target = talloc_asprintf(p, "/%.*s%s%.*s", (int)path->length, (const char *)path->s, query != NULL ? "?" : "",
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
	if (coap_get_data_large(p->request.pdu, &n, &data, &offset, &total) == 0 || n == 0)
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
	*_body = text != NULL ? bytes_of(talloc_strdup(p, text)) : BYTES_NONE;
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
	const struct request *r = &p->request;

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
	bool is_delete = coap_pdu_get_code(p->request.pdu) == COAP_REQUEST_CODE_DELETE;
	int format = format_of(from->media);
	struct bytes body = BYTES_NONE;
	json_t *json = NULL;

	coap_pdu_set_code(p->request.response, from->status != 204 ? code_of(from->status)
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
		coap_pdu_set_code(p->request.response, COAP_RESPONSE_CODE_NOT_ACCEPTABLE); /* RFC 7252 5.10.4 */
		free((void *)(uintptr_t)body.p);
	} else if (body.p != NULL) {
		put_body(p, format, -1, body);
	}
}

/* What the application is at fault for (RFC 7252 5.9.3). */
static void application_failed(const struct passing *p, enum gba_err err)
{
	coap_pdu_set_code(p->request.response, code_of(err == GBA_E_TIMEOUT ? 504 : 502));
}

/* ---- answers that come later ---- */

static int passing_end(struct passing *p)
{
	LIST_REMOVE(p, link);
	if (p->observing)
		p->all->observed_n--;
	else
		p->all->count--;
	if (!p->in_handler) {
		coap_delete_string(p->query);
		coap_delete_pdu((coap_pdu_t *)(uintptr_t)p->request.pdu);
		coap_session_release(p->request.session);
	}
	return 0;
}

/* Within the acknowledgement while that has not been sent, else a message of its own (RFC 7252 5.2). @return NULL: out of memory */
static coap_pdu_t *response_new(const struct passing *p)
{
	coap_pdu_type_t type = coap_pdu_get_type(p->request.pdu);
	coap_pdu_t *pdu = coap_new_pdu(type == COAP_MESSAGE_CON && !p->acknowledged ? COAP_MESSAGE_ACK : type,
				       COAP_RESPONSE_CODE_INTERNAL_ERROR, p->request.session);

	if (pdu != NULL && type == COAP_MESSAGE_CON && !p->acknowledged)
		coap_pdu_set_mid(pdu, coap_pdu_get_mid(p->request.pdu));
	if (pdu != NULL && p->token_n > 0 && coap_add_token(pdu, p->token_n, p->token) != 1) {
		coap_delete_pdu(pdu);
		return NULL;
	}
	return pdu;
}

/* Is the one who asked still there, and may it have this? Else it is answered here. */
static bool still_good(struct passing *p)
{
	if (p->in_handler)
		return true;
	p->request.response = response_new(p);
	if (p->request.response == NULL)
		return false;
	if (p->ways->stands(p->request.session))
		return true;
	coap_pdu_set_code(p->request.response, COAP_RESPONSE_CODE_UNAUTHORIZED);
	return false;
}

/* The response is filled in. */
static void done(struct passing *p)
{
	coap_pdu_t *response = p->request.response;
	coap_session_t *session = p->request.session;

	p->done = true;
	if (p->in_handler)
		return;
	if (response != NULL)
		p->ways->answered(session, coap_pdu_get_code(response));
	coap_session_reference(session);
	talloc_free(p);
	if (response != NULL)
		coap_send(session, response);
	coap_session_release(session);
}

static void on_http(void *arg, enum gba_err err, const struct door_answer *from)
{
	struct passing *p = arg;

	if (still_good(p)) {
		if (err == GBA_OK)
			answer(p, from);
		else
			application_failed(p, err);
	}
	done(p);
}

static void put_inner(struct passing *p, const struct inner_answer *from)
{
	struct bytes copy = from->body.n > 0 ? malloced(from->body) : BYTES_NONE;
	uint8_t seq[4];

	coap_pdu_set_code(p->request.response, from->code);
	if (from->goes_on) {
		p->seq = (p->seq + 1) & OBSERVE_SEQ;
		coap_add_option(p->request.response, COAP_OPTION_OBSERVE, coap_encode_var_safe(seq, sizeof(seq), p->seq), seq);
	}
	if (from->etag.p != NULL)
		coap_add_option(p->request.response, COAP_OPTION_ETAG, from->etag.n, from->etag.p);
	if (copy.p != NULL)
		put_body(p, from->format >= 0 ? from->format : COAP_MEDIATYPE_TEXT_PLAIN, from->max_age, copy);
}

/* ---- what is observed (RFC 7641) ---- */

/* The response is filled in; more will follow. */
static void send_and_stay(struct passing *p)
{
	coap_pdu_t *response = p->request.response;

	p->request.response = NULL;
	p->ways->answered(p->request.session, coap_pdu_get_code(response));
	coap_send(p->request.session, response);
}

static void observe_begin(struct passing *p)
{
	LIST_REMOVE(p, link);
	p->all->count--;
	LIST_INSERT_HEAD(&p->all->observed, p, link);
	p->all->observed_n++;
	p->observing = p->acknowledged = true;
	send_and_stay(p);
}

/* As the application sends it, but few confirmable ones at once; the last one always is. @return false: out of memory */
static bool notification_begin(struct passing *p, bool confirmable, bool last)
{
	uint64_t now = clock_mono_ms(), since = now - p->confirmed_at;
	coap_pdu_t *pdu;

	confirmable = last || since >= CONFIRM_EVERY_MS || (confirmable && since >= CONFIRM_GAP_MS);
	pdu = coap_new_pdu(confirmable ? COAP_MESSAGE_CON : COAP_MESSAGE_NON, COAP_RESPONSE_CODE_INTERNAL_ERROR,
			   p->request.session);
	if (pdu != NULL && p->token_n > 0 && coap_add_token(pdu, p->token_n, p->token) != 1) {
		coap_delete_pdu(pdu);
		pdu = NULL;
	}
	if (pdu == NULL)
		return false;
	if (confirmable)
		p->confirmed_at = now;
	memmove(p->mids + 1, p->mids, sizeof(p->mids) - sizeof(p->mids[0]));
	p->mids[0] = coap_pdu_get_mid(pdu);
	p->request.response = pdu;
	metric_add(p->all->notified, 1);
	return true;
}

/* The device hears why (RFC 7641 4.2: an error ends it). */
static void observe_end(struct passing *p, coap_pdu_code_t code)
{
	if (notification_begin(p, true, true))
		coap_pdu_set_code(p->request.response, code);
	done(p);
}

static void changed(struct passing *p, enum gba_err err, const struct inner_answer *from)
{
	bool goes_on = err == GBA_OK && from->goes_on;

	if (!p->ways->stands(p->request.session)) {
		observe_end(p, COAP_RESPONSE_CODE_UNAUTHORIZED);
		return;
	}
	if (!notification_begin(p, err != GBA_OK || from->confirmable, !goes_on)) {
		done(p);
		return;
	}
	if (err == GBA_OK)
		put_inner(p, from);
	else
		application_failed(p, err);
	if (goes_on)
		send_and_stay(p);
	else
		done(p);
}

static void on_inner(void *arg, enum gba_err err, const struct inner_answer *from)
{
	struct passing *p = arg;
	bool goes_on = false;

	if (p->observing) {
		changed(p, err, from);
		return;
	}
	if (still_good(p)) {
		goes_on = err == GBA_OK && from->goes_on;
		if (err == GBA_OK)
			put_inner(p, from);
		else
			application_failed(p, err);
	}
	if (goes_on)
		observe_begin(p);
	else
		done(p);
}

static bool token_is(const struct passing *p, const coap_pdu_t *pdu)
{
	coap_bin_const_t token = coap_pdu_get_token(pdu);

	return p->token_n == token.length && memcmp(p->token, token.s, token.length) == 0;
}

/* A request with the token of what is observed takes its place, or ends it (RFC 7641 3.6, 4.1). @return how many of the session
 * are left */
static size_t observed_replace(struct requests *all, const struct request *request)
{
	struct passing *p, *next;
	size_t left = 0;

	for (p = LIST_FIRST(&all->observed); p != NULL; p = next) {
		next = LIST_NEXT(p, link);
		if (p->request.session != request->session)
			continue;
		if (token_is(p, request->pdu))
			talloc_free(p);
		else
			left++;
	}
	return left;
}

/* Of an application that speaks HTTP, and where no more are kept, the device gets an answer like any other (RFC 7641 4.1). */
static bool may_observe(struct requests *all, const struct request *request)
{
	bool is_get = coap_pdu_get_code(request->pdu) == COAP_REQUEST_CODE_GET;

	if (all->ways->inner == NULL)
		return false;
	return observed_replace(all, request) < OBSERVED_OF_SESSION && all->observed_n < all->ways->most_observed && is_get &&
	       format_option(request->pdu, COAP_OPTION_OBSERVE) == COAP_OBSERVE_ESTABLISH;
}

static bool has_mid(const struct passing *p, coap_mid_t mid)
{
	size_t i;

	for (i = 0; i < MIDS_KEPT; i++) {
		if (p->mids[i] == mid)
			return true;
	}
	return false;
}

void requests_rejected(struct requests *all, const coap_session_t *session, const coap_pdu_t *sent, coap_mid_t mid)
{
	struct passing *p, *next;

	for (p = LIST_FIRST(&all->observed); p != NULL; p = next) {
		next = LIST_NEXT(p, link);
		if (p->request.session == session && (sent != NULL ? token_is(p, sent) : has_mid(p, mid)))
			talloc_free(p);
	}
}

static void observed_check(struct requests *all)
{
	struct passing *p, *next;

	for (p = LIST_FIRST(&all->observed); p != NULL; p = next) {
		next = LIST_NEXT(p, link);
		if (!all->ways->stands(p->request.session))
			observe_end(p, COAP_RESPONSE_CODE_UNAUTHORIZED);
	}
}

/* ---- on the way ---- */

/* libcoap's body is gone when the handler returns. */
static bool keep_body(struct passing *p, struct bytes *_body)
{
	if (_body->p != NULL)
		*_body = BYTES(talloc_memdup(p, _body->p, _body->n), _body->n);
	return _body->p != NULL || _body->n == 0;
}

static enum gba_err pass_http(struct passing *p, struct bytes body)
{
	struct door_request ask = { request_method(p->request.pdu), target_of(p), media_of(p->format), media_of(p->accept), body,
				    &p->who };
	enum gba_err err = GBA_OK;

	if (ask.target == NULL)
		return GBA_E_TOO_LONG;
	if (p->format == COAP_MEDIATYPE_APPLICATION_CBOR || (p->format == NO_FORMAT && body.p != NULL)) {
		err = cbor_to_text(p, &ask.body);
		ask.media = media_of(COAP_MEDIATYPE_APPLICATION_JSON);
	} else if (p->format != NO_FORMAT && ask.media == NULL) {
		coap_pdu_set_code(p->request.response, COAP_RESPONSE_CODE_UNSUPPORTED_CONTENT_FORMAT);
		p->done = true;
		return GBA_OK;
	} else if (!keep_body(p, &ask.body)) {
		return GBA_E_NOMEM;
	}
	return err == GBA_OK ? door_begin(p->ways->door, p, &ask, on_http, p) : err;
}

static enum gba_err pass_coap(struct passing *p, struct bytes body)
{
	const struct inner_ask ask = { p->request.pdu, body, &p->who, p->observe };
	enum gba_err err = inner_begin(p->ways->inner, p, &ask, on_inner, p);

	if (err != GBA_E_UNREACHABLE)
		return err;
	application_failed(p, err);
	p->done = true;
	return GBA_OK;
}

static enum gba_err pass(struct passing *p)
{
	struct bytes body;
	enum gba_err err;

	if (p->ways->inner == NULL && request_method(p->request.pdu) == NULL) {
		coap_pdu_set_code(p->request.response, COAP_RESPONSE_CODE_NOT_ALLOWED);
		p->done = true;
		return GBA_OK;
	}
	if (!options_good(p))
		return GBA_E_SYNTAX;
	err = body_of(p, &body);
	if (err != GBA_OK)
		return err;
	return p->ways->inner != NULL ? pass_coap(p, body) : pass_http(p, body);
}

static bool same_message(const struct passing *p, const struct request *request)
{
	return p->request.session == request->session && coap_pdu_get_mid(p->request.pdu) == coap_pdu_get_mid(request->pdu) &&
	       token_is(p, request->pdu);
}

/* Nothing is said yet: libcoap sends no message of this kind without a code. */
static void say_nothing(coap_pdu_t *response)
{
	coap_pdu_set_type(response, COAP_MESSAGE_NON);
}

/* A message that was sent again, as its acknowledgement was lost, asks nothing twice. @param _of_session  how many wait */
static bool is_repeated(const struct requests *all, const struct request *request, size_t *_of_session)
{
	const struct passing *p;

	*_of_session = 0;
	LIST_FOREACH(p, &all->waiting, link) {
		if (same_message(p, request)) {
			if (!p->acknowledged)
				say_nothing(request->response);
			return true;
		}
		*_of_session += p->request.session == request->session;
	}
	return false;
}

static struct passing *passing_new(struct requests *all, const struct request *request, const struct released *who)
{
	coap_bin_const_t token = coap_pdu_get_token(request->pdu);
	struct passing *p = token.length <= TOKEN_MAX ? talloc_zero(all, struct passing) : NULL;

	if (p == NULL)
		return NULL;
	p->all = all;
	p->ways = all->ways;
	p->request = *request;
	p->in_handler = true;
	p->format = format_option(request->pdu, COAP_OPTION_CONTENT_FORMAT);
	p->accept = format_option(request->pdu, COAP_OPTION_ACCEPT);
	p->observe = may_observe(all, request);
	memset(p->mids, 0xff, sizeof(p->mids)); /* COAP_INVALID_MID */
	p->token_n = token.length;
	memcpy(p->token, token.s, token.length);
	p->who.list = talloc_strdup(p, who->list); /* a session may end before its answer comes */
	p->who.user = talloc_strdup(p, who->user);
	p->who.flags = who->flags != NULL ? talloc_strdup(p, who->flags) : NULL;
	LIST_INSERT_HEAD(&all->waiting, p, link);
	all->count++;
	talloc_set_destructor(p, passing_end);
	return p;
}

/* What libcoap has for its handler becomes ours; the answer names no block of the request, which libcoap has put together. */
static bool stay(struct passing *p)
{
	const coap_string_t *query = p->request.query;
	coap_opt_filter_t without;
	coap_pdu_t *pdu;

	coap_option_filter_clear(&without);
	coap_option_filter_set(&without, COAP_OPTION_BLOCK1);
	coap_option_filter_set(&without, COAP_OPTION_OBSERVE);
	pdu = coap_pdu_duplicate(p->request.pdu, p->request.session, p->token_n, p->token, &without);
	p->query = query != NULL ? coap_new_string(query->length) : NULL;
	if (pdu == NULL || (query != NULL && p->query == NULL)) {
		coap_delete_pdu(pdu);
		coap_delete_string(p->query);
		return false;
	}
	if (query != NULL)
		memcpy(p->query->s, query->s, query->length);
	coap_pdu_set_mid(pdu, coap_pdu_get_mid(p->request.pdu));
	p->request.pdu = pdu;
	p->request.query = p->query;
	p->request.response = NULL;
	coap_session_reference(p->request.session);
	p->acknowledge_at = clock_mono_ms() + ACKNOWLEDGE_MS;
	p->in_handler = false;
	return true;
}

static enum gba_err refuse_busy(const struct request *request, bool of_session)
{
	static const uint8_t come_again = COME_AGAIN;

	coap_pdu_set_code(request->response,
			  of_session ? COAP_RESPONSE_CODE_TOO_MANY_REQUESTS : COAP_RESPONSE_CODE_SERVICE_UNAVAILABLE);
	coap_add_option(request->response, COAP_OPTION_MAXAGE, sizeof(come_again), &come_again);
	return GBA_E_BUSY;
}

static enum gba_err begin(struct requests *all, const struct request *request, const struct released *who)
{
	struct passing *p = passing_new(all, request, who);
	enum gba_err err = p != NULL ? pass(p) : GBA_E_NOMEM;

	if (err == GBA_OK && !p->done) {
		say_nothing(request->response);
		if (stay(p))
			return GBA_OK;
		err = GBA_E_NOMEM;
	}
	talloc_free(p);
	return err;
}

/* ---- all of them ---- */

struct requests *requests_new(TALLOC_CTX *mem_ctx, const struct request_ways *ways)
{
	struct requests *all = talloc_zero(mem_ctx, struct requests);

	if (all == NULL)
		return NULL;
	all->notified = metric_get("gba_coap_notifications_total", "Changes of observed resources told to devices",
				   METRIC_COUNTER, "");
	all->ways = ways;
	return all;
}

enum gba_err request_pass(struct requests *all, const struct request *request, const struct released *who)
{
	enum gba_err err = GBA_E_NOT_AUTHORIZED;
	size_t of_session;

	if (is_repeated(all, request, &of_session))
		return GBA_OK;
	if (all->count >= all->ways->most || of_session >= REQUESTS_OF_SESSION)
		return refuse_busy(request, of_session >= REQUESTS_OF_SESSION);
	if (who != NULL)
		err = begin(all, request, who);
	if (err == GBA_OK || coap_pdu_get_code(request->response) != 0)
		; /* said, or comes later */
	else if (err == GBA_E_TOO_LONG)
		coap_pdu_set_code(request->response, COAP_RESPONSE_CODE_REQUEST_TOO_LARGE);
	else
		coap_pdu_set_code(request->response, code_of(gba_err_http(err)));
	return err;
}

static void forget_from(struct passing *p, const coap_session_t *session)
{
	struct passing *next;

	for (; p != NULL; p = next) {
		next = LIST_NEXT(p, link);
		if (session == NULL || p->request.session == session)
			talloc_free(p);
	}
}

void requests_forget(struct requests *all, const coap_session_t *session)
{
	forget_from(LIST_FIRST(&all->waiting), session);
	forget_from(LIST_FIRST(&all->observed), session);
}

size_t requests_waiting(const struct requests *all)
{
	return all->count;
}

size_t requests_observed(const struct requests *all)
{
	return all->observed_n;
}

/* The devices whose answers take longer are told that their requests are here. */
static void acknowledge_due(struct requests *all)
{
	uint64_t now = clock_mono_ms();
	struct passing *p;

	LIST_FOREACH(p, &all->waiting, link) {
		if (p->acknowledged || p->acknowledge_at > now)
			continue;
		p->acknowledged = true;
		coap_send_ack(p->request.session, p->request.pdu);
	}
}

void requests_wait(struct requests *all, const int *fds, size_t n, unsigned int timeout_ms)
{
	struct pollfd wait[DOOR_FDS_MAX];
	size_t i;

	if (all->ways->door != NULL) {
		door_wait(all->ways->door, fds, n, timeout_ms);
		door_process(all->ways->door);
		acknowledge_due(all);
		return;
	}
	for (i = 0; i < n; i++)
		wait[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	wait[n] = (struct pollfd){ .fd = inner_fd(all->ways->inner), .events = POLLIN };
	poll(wait, n + 1, (int)timeout_ms);
	inner_process(all->ways->inner, 0);
	acknowledge_due(all);
	observed_check(all);
}
