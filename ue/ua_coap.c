/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/ua_coap.h"

#include <netdb.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/secret.h"
#include "ue/psk.h"
#include "ue/ua_coap_message.h"

#define SLICE_MS    50
#define PATIENCE_MS 2000 /* for a first handshake; RFC 6347 4.2.4 has 1 s per flight */
#define PATIENCE_MAX_MS 16000
#define ADDRESSES_MAX 8
#define SMALL_MAX     512 /* [octets] no datagram is too small for such a body */

/* One exchange while it runs. */
struct exchange {
	TALLOC_CTX *mem_ctx;
	const struct fetch_ask *ask;
	struct fetch_answer *answer;
	struct url url;
	uint64_t until; /* [ms] monotonic */
	uint8_t *body;
	size_t body_n;
	unsigned int left; /* answers */
	bool by_hand;
	bool done;
	enum gba_err err;
	coap_nack_reason_t nack;
};

struct ua_coap {
	coap_context_t *context;
	coap_session_t *session; /* NULL: none */
	char *name;		 /* by what it is authenticated; NULL: it ends with its exchange */
	uint64_t token;
	bool by_hand; /* the session's blocks are not libcoap's */
	bool failed;	/* by an event */
	struct psk *psk; /* while its handshake runs */
	coap_dtls_cpsk_info_t info;
	uint8_t key[GBA_KS_NAF_LEN];
	struct exchange *x;
};

/* ---- the session ---- */

static SSL *ssl_of(const coap_session_t *session)
{
	coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
	SSL *ssl = coap_session_get_tls(session, &library);

	return library == COAP_TLS_LIBRARY_OPENSSL ? ssl : NULL;
}

static int alert_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

/* libcoap's own callback is the context's. */
static void on_info(const SSL *ssl, int where, int ret)
{
	void (*others)(const SSL *, int, int) = SSL_CTX_get_info_callback(SSL_get_SSL_CTX(ssl));
	struct ua_coap *coap = SSL_get_ex_data(ssl, alert_index());

	if (coap != NULL && coap->psk != NULL && (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && ret >> 8 == SSL3_AL_FATAL)
		coap->psk->alert = ret & 0xff;
	if (others != NULL)
		others(ssl, where, ret);
}

/* ServerHello has been read: the suite, and with it the key's name, is known. */
static const coap_dtls_cpsk_info_t *on_hint(coap_str_const_t *hint, coap_session_t *session, void *arg)
{
	struct ua_coap *coap = arg;
	SSL *ssl = ssl_of(session);
	const SSL_CIPHER *suite = ssl != NULL ? SSL_get_pending_cipher(ssl) : NULL;

	(void)hint; /* the prefix is the one form of key we have, whatever the server lists */
	if (coap->psk == NULL || suite == NULL || !psk_key_12(coap->psk, SSL_CIPHER_get_protocol_id(suite), coap->key))
		return NULL;
	coap->info.identity = (coap_bin_const_t){ strlen(coap->psk->identity), (const uint8_t *)coap->psk->identity };
	coap->info.key = (coap_bin_const_t){ sizeof(coap->key), coap->key };
	return &coap->info;
}

/* libcoap keeps a copy, which nothing needs once the handshake is over. */
static void wipe_key(struct ua_coap *coap)
{
	const coap_bin_const_t *copy = coap->session != NULL ? coap_session_get_psk_key(coap->session) : NULL;

	SECRET_WIPE(coap->key);
	if (copy != NULL && copy->s != NULL)
		explicit_bzero((void *)(uintptr_t)copy->s, copy->length);
}

static void drop(struct ua_coap *coap)
{
	if (coap->session != NULL) {
		wipe_key(coap);
		coap_session_set_app_data(coap->session, NULL);
		coap_session_release(coap->session);
	}
	coap->session = NULL;
	TALLOC_FREE(coap->name);
}

/* The key is asked for by on_hint(); the one libcoap wants at once is nobody's. */
static bool session_new(struct ua_coap *coap, struct exchange *x, const coap_address_t *to)
{
	coap_dtls_cpsk_t setup = { .version = COAP_DTLS_CPSK_SETUP_VERSION, .validate_ih_call_back = on_hint,
				   .ih_call_back_arg = coap, .client_sni = x->url.host };
	uint8_t nobodys[GBA_KS_NAF_LEN];
	SSL *ssl;

	rand_bytes(nobodys, sizeof(nobodys));
	setup.psk_info.identity = (coap_bin_const_t){ strlen(coap->psk->identity), (const uint8_t *)coap->psk->identity };
	setup.psk_info.key = (coap_bin_const_t){ sizeof(nobodys), nobodys };
	coap->failed = false;
	coap->session = coap_new_client_session_psk2(coap->context, NULL, to, COAP_PROTO_DTLS, &setup);
	ssl = coap->session != NULL ? ssl_of(coap->session) : NULL;
	if (ssl == NULL || SSL_set_ex_data(ssl, alert_index(), coap) != 1)
		return false;
	coap_session_set_app_data(coap->session, coap);
	SSL_set_info_callback(ssl, on_info);
	SSL_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	return true;
}

static void pump(struct ua_coap *coap, uint64_t until)
{
	uint64_t now = clock_mono_ms();

	coap_io_process(coap->context, until > now && until - now < SLICE_MS ? (uint32_t)(until - now) + 1 : SLICE_MS);
}

static bool stands(const struct ua_coap *coap)
{
	return coap->session != NULL && !coap->failed && coap_session_get_state(coap->session) == COAP_SESSION_STATE_ESTABLISHED;
}

static enum gba_err shake_hands(struct ua_coap *coap, struct exchange *x, const coap_address_t *to, unsigned int patience)
{
	uint64_t until = clock_mono_ms() + patience;

	if (!session_new(coap, x, to))
		return GBA_E_UNREACHABLE;
	if (until > x->until)
		until = x->until;
	while (!stands(coap) && !coap->failed && coap->psk->alert < 0 && clock_mono_ms() < until)
		pump(coap, until);
	if (stands(coap))
		return GBA_OK;
	return coap->failed || coap->psk->alert >= 0 ? GBA_E_UNREACHABLE : GBA_E_TIMEOUT;
}

/* @return their number */
static size_t resolve(const struct exchange *x, coap_address_t out[ADDRESSES_MAX])
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *found = NULL, *one;
	const char *connect = x->ask->connect, *colon = connect != NULL ? strrchr(connect, ':') : NULL;
	char host[FQDN_MAX + 1], port[8];
	size_t n = 0, skip;

	snprintf(port, sizeof(port), "%u", x->url.port);
	snprintf(host, sizeof(host), "%s", x->url.host);
	if (colon != NULL) {
		snprintf(port, sizeof(port), "%s", colon + 1);
		snprintf(host, sizeof(host), "%.*s", (int)(colon - connect), connect);
	}
	skip = host[0] == '[';
	host[strcspn(host, "]")] = '\0';
	if (getaddrinfo(host + skip, port, &hints, &found) != 0)
		return 0;
	for (one = found; one != NULL && n < ADDRESSES_MAX; one = one->ai_next) {
		coap_address_init(&out[n]);
		memcpy(&out[n].addr, one->ai_addr, one->ai_addrlen);
		out[n++].size = one->ai_addrlen;
	}
	freeaddrinfo(found);
	return n;
}

/* Silence may be that of a server that fetches the key meanwhile: there is a next attempt while there is time. */
static enum gba_err connect_any(struct ua_coap *coap, struct exchange *x)
{
	unsigned int patience = PATIENCE_MS;
	coap_address_t to[ADDRESSES_MAX];
	size_t n = resolve(x, to), i;
	enum gba_err err = GBA_E_UNREACHABLE;

	for (i = 0; n > 0; i++) {
		err = shake_hands(coap, x, &to[i % n], patience);
		if (err == GBA_OK || coap->psk->alert >= 0 || coap->psk->err != GBA_OK || clock_mono_ms() >= x->until ||
		    (err == GBA_E_UNREACHABLE && i + 1 >= n))
			return err;
		if (i % n == n - 1 && patience < PATIENCE_MAX_MS)
			patience *= 2;
		drop(coap);
	}
	return err;
}

static enum gba_err say_why(const struct exchange *x, enum gba_err err, struct why *why)
{
	const struct psk *psk = x->ask->tls_arg;

	if (psk->alert >= 0)
		return why_fail(why, err, "%s: DTLS alert: %s", x->url.text, SSL_alert_desc_string_long(psk->alert));
	return why_fail(why, err, "%s: %s", x->url.text,
			err == GBA_E_TIMEOUT ? "no DTLS handshake in time" : "DTLS cannot be spoken there");
}

/* A session of this name, kept or new. */
static enum gba_err session_ready(struct ua_coap *coap, struct exchange *x, struct why *why)
{
	const char *name = x->ask->tls_name;
	enum gba_err err;

	if (stands(coap) && name != NULL && coap->name != NULL && strcmp(name, coap->name) == 0 && coap->by_hand == x->by_hand)
		return GBA_OK;
	drop(coap);
	coap->by_hand = x->by_hand;
	coap_context_set_block_mode(coap->context, x->by_hand ? 0 : COAP_BLOCK_USE_LIBCOAP);
	coap->psk = x->ask->tls_arg;
	err = connect_any(coap, x);
	coap->psk = NULL;
	wipe_key(coap);
	if (err != GBA_OK)
		return say_why(x, err, why);
	coap->name = name != NULL ? talloc_strdup(coap, name) : NULL;
	return GBA_OK;
}

/* ---- the exchange ---- */

static coap_response_t stop(struct exchange *x, enum gba_err err)
{
	x->err = err;
	x->done = true;
	return COAP_RESPONSE_OK;
}

/* A block, in turn, each by itself: we say how much is too much. */
static enum gba_err take_body(struct exchange *x, const coap_pdu_t *received, const coap_block_t *block)
{
	size_t n = 0, offset = 0, total = 0;
	const uint8_t *data = NULL;
	uint8_t *more;

	if (coap_get_data_large(received, &n, &data, &offset, &total) == 0)
		return GBA_OK;
	if ((size_t)block->num << (block->szx + 4) != x->body_n)
		return GBA_E_PEER;
	if (n > x->ask->max_body - x->body_n)
		return GBA_E_TOO_LONG;
	if (x->body_n + n > talloc_get_size(x->body)) {
		more = talloc_realloc_size(x->mem_ctx, x->body, (x->body_n + n) * 2);
		if (more == NULL)
			return GBA_E_NOMEM;
		x->body = more;
	}
	memcpy(x->body + x->body_n, data, n);
	x->body_n += n;
	return GBA_OK;
}

static void give_up(coap_session_t *session, void *body)
{
	(void)session;
	free(body);
}

/* The library keeps the body for as long as it sends it. */
static bool put_body(struct ua_coap *coap, coap_pdu_t *pdu, struct bytes body)
{
	uint8_t *copy = body.n > 0 ? malloc(body.n) : NULL;

	if (body.n == 0)
		return true;
	return copy != NULL &&
	       coap_add_data_large_request(coap->session, pdu, body.n, memcpy(copy, body.p, body.n), give_up, copy) == 1;
}

/* @param options  used up */
static enum gba_err send_request(struct ua_coap *coap, struct exchange *x, coap_optlist_t **options, struct bytes body)
{
	coap_pdu_t *pdu = coap_new_pdu(COAP_MESSAGE_CON, ua_coap_method(x->ask->method), coap->session);

	if (pdu == NULL)
		return GBA_E_NOMEM;
	if (coap_add_token(pdu, sizeof(coap->token), (const uint8_t *)&coap->token) != 1 ||
	    coap_add_optlist_pdu(pdu, options) != 1 || !put_body(coap, pdu, body)) {
		coap_delete_pdu(pdu);
		return GBA_E_TOO_LONG;
	}
	return coap_send(coap->session, pdu) != COAP_INVALID_MID ? GBA_OK : GBA_E_UNREACHABLE;
}

/* libcoap 4.3 loses the first block of an answer that comes after its acknowledgement, and asks for no other: blocks of answers are
 * asked for here, all but those of long requests and of what is observed. Only FETCH has its body again (RFC 8132 2.1). */
static enum gba_err ask_block(struct ua_coap *coap, struct exchange *x, const coap_block_t *last)
{
	bool again = ua_coap_method(x->ask->method) == COAP_REQUEST_CODE_FETCH;
	coap_optlist_t *options = NULL;
	struct why unheard;
	uint8_t value[4];
	size_t n = coap_encode_var_safe(value, sizeof(value), (last->num + 1) << 4 | last->szx);
	enum gba_err err = ua_coap_options(x->ask, &x->url, false, &options, &unheard);

	if (err == GBA_OK && coap_insert_optlist(&options, coap_new_optlist(COAP_OPTION_BLOCK2, n, value)) != 1)
		err = GBA_E_NOMEM;
	if (err == GBA_OK)
		err = send_request(coap, x, &options, again ? x->ask->body : BYTES_NONE);
	coap_delete_optlist(options);
	return err;
}

/* One answer is whole. */
static coap_response_t complete(struct ua_coap *coap, struct exchange *x)
{
	x->answer->body = BYTES(x->body, x->body_n);
	x->answer->tls_suite = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl_of(coap->session)));
	x->answer->tls_version = DTLS1_2_VERSION;
	if (x->left > 1 && x->answer->status < 300 && fetch_header(x->answer, "Observe").p != NULL) {
		x->left--;
		x->until = clock_mono_ms() + x->ask->timeout_ms;
		x->ask->told(x->ask->told_arg, x->answer);
		return COAP_RESPONSE_OK;
	}
	return stop(x, GBA_OK);
}

static coap_response_t on_response(coap_session_t *session, const coap_pdu_t *sent, const coap_pdu_t *received,
				   const coap_mid_t mid)
{
	struct ua_coap *coap = coap_session_get_app_data(session);
	coap_bin_const_t token = coap_pdu_get_token(received);
	struct exchange *x = coap != NULL ? coap->x : NULL;
	coap_block_t block = { 0 };
	enum gba_err err = GBA_OK;

	(void)sent, (void)mid;
	if (x == NULL || x->done || token.length != sizeof(coap->token) || memcmp(token.s, &coap->token, sizeof(coap->token)) != 0)
		return COAP_RESPONSE_OK; /* too late, or nobody's */
	if (coap_get_block(received, COAP_OPTION_BLOCK2, &block) == 0 || block.num == 0) {
		x->body_n = 0;
		err = ua_coap_read(x->mem_ctx, received, x->answer);
	}
	if (err == GBA_OK)
		err = take_body(x, received, &block);
	if (err == GBA_OK && block.m && x->by_hand)
		err = ask_block(coap, x, &block);
	if (err != GBA_OK)
		return stop(x, err);
	return block.m ? COAP_RESPONSE_OK : complete(coap, x);
}

static void on_nack(coap_session_t *session, const coap_pdu_t *sent, const coap_nack_reason_t reason, const coap_mid_t mid)
{
	struct ua_coap *coap = coap_session_get_app_data(session);

	(void)sent, (void)mid;
	if (coap == NULL || coap->x == NULL || coap->psk != NULL)
		return;
	stop(coap->x, reason == COAP_NACK_TOO_MANY_RETRIES ? GBA_E_TIMEOUT
		      : reason == COAP_NACK_RST		   ? GBA_E_PEER
							   : GBA_E_UNREACHABLE);
}

static int on_event(coap_session_t *session, const coap_event_t event)
{
	struct ua_coap *coap = coap_session_get_app_data(session);

	if (coap != NULL && (event == COAP_EVENT_DTLS_CLOSED || event == COAP_EVENT_DTLS_ERROR))
		coap->failed = true;
	return 0;
}

static enum gba_err perform(struct ua_coap *coap, struct exchange *x, struct why *why)
{
	coap_optlist_t *options = NULL;
	enum gba_err err = ua_coap_options(x->ask, &x->url, x->left > 0, &options, why);

	if (err == GBA_OK)
		err = session_ready(coap, x, why);
	if (err != GBA_OK) {
		coap_delete_optlist(options);
		return err;
	}
	rand_bytes((uint8_t *)&coap->token, sizeof(coap->token));
	err = send_request(coap, x, &options, x->ask->body);
	coap_delete_optlist(options);
	while (err == GBA_OK && !x->done && !coap->failed && clock_mono_ms() < x->until)
		pump(coap, x->until);
	if (err == GBA_OK)
		err = x->done ? x->err : coap->failed ? GBA_E_PEER : GBA_E_TIMEOUT;
	if (err == GBA_E_TOO_LONG)
		return why_fail(why, err, "%s: longer than %zu octets, or options longer than a datagram", x->url.text,
				x->ask->max_body);
	return err == GBA_OK ? GBA_OK : why_fail(why, err, "%s: %s", x->url.text, gba_strerror(err));
}

static enum gba_err fetch_by_coap(void *arg, TALLOC_CTX *mem_ctx, const struct fetch_ask *ask, struct fetch_answer *_answer,
				  struct why *why)
{
	struct exchange x = { .mem_ctx = mem_ctx, .ask = ask, .answer = _answer, .left = ask->observe };
	struct ua_coap *coap = arg;
	enum gba_err err;

	memset(_answer, 0, sizeof(*_answer));
	if (ua_coap_method(ask->method) == COAP_EMPTY_CODE)
		return why_fail(why, GBA_E_SYNTAX, "%s: not a method of CoAP", ask->method);
	err = url_parse(mem_ctx, ask->url, url_schemes_coap, &x.url);
	if (err != GBA_OK)
		return why_fail(why, err, "%s: not a coaps URL", ask->url);
	x.body = talloc_size(mem_ctx, 4096);
	if (x.body == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	x.by_hand = ask->body.n <= SMALL_MAX && ask->observe == 0;
	x.until = clock_mono_ms() + ask->timeout_ms;
	coap->x = &x;
	err = perform(coap, &x, why);
	coap->x = NULL;
	if (err != GBA_OK || coap->name == NULL || ask->observe > 0) /* observation ends with its session */
		drop(coap);
	return err;
}

static int ua_coap_destroy(struct ua_coap *coap)
{
	drop(coap);
	if (coap->context != NULL)
		coap_free_context(coap->context);
	return 0;
}

bool ua_coap_built(void)
{
	return true;
}

enum gba_err ua_coap_new(TALLOC_CTX *mem_ctx, struct fetcher *_fetcher)
{
	struct ua_coap *coap = talloc_zero(mem_ctx, struct ua_coap);

	if (coap == NULL)
		return GBA_E_NOMEM;
	coap_startup();
	coap_set_log_level(LOG_EMERG);
	coap_dtls_set_log_level(LOG_EMERG);
	talloc_set_destructor(coap, ua_coap_destroy);
	coap->context = coap_new_context(NULL);
	if (coap->context == NULL) {
		talloc_free(coap);
		return GBA_E_NOMEM;
	}
	coap_register_response_handler(coap->context, on_response);
	coap_register_nack_handler(coap->context, on_nack);
	coap_register_event_handler(coap->context, on_event);
	*_fetcher = (struct fetcher){ fetch_by_coap, coap };
	return GBA_OK;
}
