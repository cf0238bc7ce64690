/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/coap/inner.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "core/clock.h"

#define NSTART 255 /* a request that is not acknowledged holds no other */

/* One exchange. */
struct asked {
	LIST_ENTRY(asked) link;
	struct inner *inner;
	const coap_session_t *session; /* it went over; perhaps gone */
	TALLOC_CTX *mem_ctx;
	uint64_t token, until; /* [ms] monotonic; 0: it goes on */
	bool observe;
	inner_done *done;
	void *arg;
};

struct inner {
	coap_context_t *context;
	coap_session_t *session;
	coap_address_t address;
	unsigned int timeout_ms;
	uint64_t token;
	LIST_HEAD(, asked) asked;
};

/* What an application may see of a device's request; no other option passes (RFC 7252 5.4.2 for those of its number). */
static const uint16_t passed_on[] = { COAP_OPTION_IF_MATCH, COAP_OPTION_ETAG, COAP_OPTION_IF_NONE_MATCH, COAP_OPTION_URI_PATH,
				      COAP_OPTION_CONTENT_FORMAT, COAP_OPTION_URI_QUERY, COAP_OPTION_ACCEPT };

static bool passes(uint16_t number)
{
	size_t i;

	for (i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++) {
		if (passed_on[i] == number)
			return true;
	}
	return false;
}

static struct inner *inner_of(coap_session_t *session)
{
	return coap_session_get_app_data(session);
}

static struct bytes copy_of(TALLOC_CTX *mem_ctx, const uint8_t *p, size_t n)
{
	return n > 0 ? BYTES(talloc_memdup(mem_ctx, p, n), n) : BYTES_NONE;
}

/* Of a message to or from the application; NULL: too late, or nobody's. */
static struct asked *asked_of(struct inner *inner, const coap_pdu_t *pdu)
{
	coap_bin_const_t token = coap_pdu_get_token(pdu);
	struct asked *one;

	LIST_FOREACH(one, &inner->asked, link) {
		if (token.length == sizeof(one->token) && memcmp(token.s, &one->token, sizeof(one->token)) == 0)
			return one;
	}
	return NULL;
}

/* Nobody is interested any more (RFC 7641 3.6). */
static void stop_observing(const struct asked *one)
{
	coap_session_t *session = one->inner->session;
	coap_binary_t token = { sizeof(one->token), (uint8_t *)(uintptr_t)&one->token };

	if (session != NULL && one->session == session)
		coap_cancel_observe(session, &token, COAP_MESSAGE_CON);
}

static int asked_end(struct asked *one)
{
	LIST_REMOVE(one, link);
	if (one->observe)
		stop_observing(one);
	return 0;
}

/* What comes after this is nobody's. */
static void finish(struct asked *one, enum gba_err err, const struct inner_answer *answer)
{
	inner_done *done = one->done;
	void *arg = one->arg;

	talloc_free(one);
	done(arg, err, answer);
}

static void read_answer(TALLOC_CTX *mem_ctx, const coap_pdu_t *received, struct inner_answer *_answer)
{
	size_t n = 0, offset = 0, total = 0;
	const uint8_t *data = NULL;
	coap_opt_iterator_t at;
	coap_opt_t *option;

	*_answer = (struct inner_answer){ coap_pdu_get_code(received), -1, -1, BYTES_NONE, BYTES_NONE, false,
					  coap_pdu_get_type(received) == COAP_MESSAGE_CON };
	coap_get_data_large(received, &n, &data, &offset, &total);
	_answer->body = copy_of(mem_ctx, data, n);
	option = coap_check_option(received, COAP_OPTION_CONTENT_FORMAT, &at);
	if (option != NULL)
		_answer->format = (int)coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option));
	option = coap_check_option(received, COAP_OPTION_MAXAGE, &at);
	if (option != NULL)
		_answer->max_age = coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option));
	_answer->goes_on = COAP_RESPONSE_CLASS(_answer->code) == 2 && coap_check_option(received, COAP_OPTION_OBSERVE, &at) != NULL;
	option = coap_check_option(received, COAP_OPTION_ETAG, &at);
	if (option != NULL)
		_answer->etag = copy_of(mem_ctx, coap_opt_value(option), coap_opt_length(option));
}

static coap_response_t on_response(coap_session_t *session, const coap_pdu_t *sent, const coap_pdu_t *received,
				   const coap_mid_t mid)
{
	struct inner *inner = inner_of(session);
	struct asked *one = inner != NULL ? asked_of(inner, received) : NULL;
	struct inner_answer answer;
	TALLOC_CTX *tmp;

	(void)sent, (void)mid;
	if (one == NULL)
		return COAP_RESPONSE_OK;
	tmp = talloc_new(NULL);
	read_answer(tmp, received, &answer);
	answer.goes_on = answer.goes_on && one->observe;
	one->observe = answer.goes_on; /* what the application has ended, or never began, needs no end */
	if (answer.goes_on) {
		one->until = 0;
		one->done(one->arg, GBA_OK, &answer);
	} else {
		finish(one, GBA_OK, &answer);
	}
	talloc_free(tmp);
	return COAP_RESPONSE_OK;
}

static void on_nack(coap_session_t *session, const coap_pdu_t *sent, const coap_nack_reason_t reason, const coap_mid_t mid)
{
	struct inner *inner = inner_of(session);
	struct asked *one = inner != NULL && sent != NULL ? asked_of(inner, sent) : NULL;

	(void)reason, (void)mid;
	if (one != NULL)
		finish(one, GBA_E_UNREACHABLE, NULL);
}

static int inner_destroy(struct inner *inner)
{
	if (inner->session != NULL)
		coap_session_release(inner->session);
	if (inner->context != NULL)
		coap_free_context(inner->context);
	return 0;
}

static bool resolve(const struct door_place *place, coap_address_t *_address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV }, *found = NULL;
	char port[8];

	snprintf(port, sizeof(port), "%u", place->port);
	if (getaddrinfo(place->host, port, &hints, &found) != 0)
		return false;
	coap_address_init(_address);
	memcpy(&_address->addr, found->ai_addr, found->ai_addrlen);
	_address->size = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

struct inner *inner_new(TALLOC_CTX *mem_ctx, const struct door_place *place, unsigned int timeout_ms)
{
	struct inner *inner = talloc_zero(mem_ctx, struct inner);

	if (inner == NULL)
		return NULL;
	talloc_set_destructor(inner, inner_destroy);
	inner->timeout_ms = timeout_ms;
	inner->context = coap_new_context(NULL);
	if (inner->context == NULL || !resolve(place, &inner->address)) {
		talloc_free(inner);
		return NULL;
	}
	coap_context_set_block_mode(inner->context, COAP_BLOCK_USE_LIBCOAP | COAP_BLOCK_SINGLE_BODY);
	coap_register_response_handler(inner->context, on_response);
	coap_register_nack_handler(inner->context, on_nack);
	return inner;
}

static bool put_option(coap_optlist_t **list, uint16_t number, struct bytes value)
{
	return coap_insert_optlist(list, coap_new_optlist(number, value.n, value.p)) == 1;
}

static bool put_options(coap_pdu_t *pdu, const struct inner_ask *ask)
{
	coap_optlist_t *list = NULL;
	coap_opt_iterator_t at;
	coap_opt_t *option;
	bool good = !ask->observe || put_option(&list, COAP_OPTION_OBSERVE, BYTES_NONE);

	coap_option_iterator_init(ask->request, &at, COAP_OPT_ALL);
	while (good && (option = coap_option_next(&at)) != NULL) {
		if (passes(at.number))
			good = put_option(&list, at.number, BYTES(coap_opt_value(option), coap_opt_length(option)));
	}
	good = good && put_option(&list, INNER_OPTION_IDENTITY, bytes_of(ask->who->list)) && coap_add_optlist_pdu(pdu, &list) == 1;
	coap_delete_optlist(list);
	return good;
}

/* The session to the application is made with the first request, and again when it was lost. */
static bool session_ready(struct inner *inner)
{
	struct asked *one;

	if (inner->session != NULL && coap_session_get_state(inner->session) == COAP_SESSION_STATE_ESTABLISHED)
		return true;
	if (inner->session != NULL)
		coap_session_release(inner->session);
	LIST_FOREACH(one, &inner->asked, link) { /* nobody observes for them any more */
		if (one->until == 0)
			one->until = 1;
	}
	inner->session = coap_new_client_session(inner->context, NULL, &inner->address, COAP_PROTO_UDP);
	if (inner->session != NULL) {
		coap_session_set_app_data(inner->session, inner);
		coap_session_set_nstart(inner->session, NSTART);
	}
	return inner->session != NULL;
}

static void give_up(coap_session_t *session, void *body)
{
	(void)session;
	free(body);
}

/* The library keeps the body for as long as it sends it, perhaps longer than we wait. */
static bool put_body(struct inner *inner, coap_pdu_t *pdu, struct bytes body)
{
	uint8_t *copy;

	if (body.p == NULL)
		return true;
	copy = malloc(body.n);
	if (copy == NULL)
		return false;
	memcpy(copy, body.p, body.n);
	return coap_add_data_large_request(inner->session, pdu, body.n, copy, give_up, copy) == 1;
}

static enum gba_err send_request(struct inner *inner, const struct inner_ask *ask)
{
	coap_pdu_t *pdu = coap_new_pdu(COAP_MESSAGE_CON, coap_pdu_get_code(ask->request), inner->session);

	if (pdu == NULL)
		return GBA_E_NOMEM;
	inner->token++;
	if (coap_add_token(pdu, sizeof(inner->token), (const uint8_t *)&inner->token) != 1 || !put_options(pdu, ask) ||
	    !put_body(inner, pdu, ask->body)) {
		coap_delete_pdu(pdu);
		return GBA_E_TOO_LONG;
	}
	return coap_send(inner->session, pdu) != COAP_INVALID_MID ? GBA_OK : GBA_E_UNREACHABLE;
}

void inner_set_timeout(struct inner *inner, unsigned int timeout_ms)
{
	inner->timeout_ms = timeout_ms;
}

enum gba_err inner_begin(struct inner *inner, TALLOC_CTX *mem_ctx, const struct inner_ask *ask, inner_done *done, void *arg)
{
	struct asked *one;
	enum gba_err err;

	if (!session_ready(inner))
		return GBA_E_UNREACHABLE;
	err = send_request(inner, ask);
	if (err != GBA_OK)
		return err;
	one = talloc_zero(mem_ctx, struct asked);
	if (one == NULL)
		return GBA_E_NOMEM;
	*one = (struct asked){ .inner = inner, .mem_ctx = mem_ctx, .token = inner->token, .done = done, .arg = arg };
	one->session = inner->session;
	one->observe = ask->observe;
	one->until = clock_mono_ms() + inner->timeout_ms;
	LIST_INSERT_HEAD(&inner->asked, one, link);
	talloc_set_destructor(one, asked_end);
	return GBA_OK;
}

static struct asked *overdue(const struct inner *inner, uint64_t now)
{
	struct asked *one;

	LIST_FOREACH(one, &inner->asked, link) {
		if (one->until != 0 && one->until <= now)
			return one;
	}
	return NULL;
}

void inner_process(struct inner *inner, unsigned int timeout_ms)
{
	struct asked *one;

	coap_io_process(inner->context, timeout_ms > 0 ? timeout_ms : COAP_IO_NO_WAIT);
	while ((one = overdue(inner, clock_mono_ms())) != NULL)
		finish(one, GBA_E_TIMEOUT, NULL);
}

int inner_fd(const struct inner *inner)
{
	return coap_context_get_coap_fd(inner->context);
}
