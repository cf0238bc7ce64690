/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/ua.h"

#include <stdio.h>
#include <strings.h>

#include "core/codec.h"
#include "core/log.h"
#include "core/secret.h"
#include "core/trace.h"
#include "ue/ua_coap.h"
#include "ue/ua_digest.h"
#include "ue/url.h"

#define HEADERS_MAX 64

const char *const ua_mode_names[] = { "auto", "psk", "digest", NULL };

/* One ua_fetch(). */
struct session {
	TALLOC_CTX *mem_ctx;
	const struct ua_conf *conf;
	const struct token_source *source;
	const struct fetcher *fetcher;
	const struct ua_request *request;
	struct ua_reply *reply;
	struct why *why;
	struct url url;
	struct fetch_header headers[HEADERS_MAX + 1]; /* Authorization, User-Agent, then the request's */
};

static const char *const reserved[] = { "Host", "User-Agent", "Content-Length", "Transfer-Encoding" };

/* Authorization is the program's own where no Digest of ours can be needed. */
static bool header_allowed(const struct session *s, const struct fetch_header *header)
{
	size_t i;

	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (strcasecmp(header->name, reserved[i]) == 0)
			return false;
	}
	return header->name[0] != '\0' && (s->conf->mode == UA_PSK || strcasecmp(header->name, "Authorization") != 0);
}

static enum gba_err set_headers(struct session *s)
{
	const struct fetch_header *header = s->request->headers;
	size_t n = 2;

	s->headers[1].name = "User-Agent";
	s->headers[1].value = talloc_asprintf(s->mem_ctx, "%s 3gpp-gba", s->conf->product);
	if (s->headers[1].value == NULL)
		return why_fail(s->why, GBA_E_NOMEM, "out of memory");
	for (; header != NULL && header->name != NULL; header++) {
		if (n >= HEADERS_MAX || !header_allowed(s, header))
			return why_fail(s->why, GBA_E_SYNTAX, "header %s: not allowed here", header->name);
		s->headers[n++] = *header;
	}
	return GBA_OK;
}

static bool is_coap(const struct session *s)
{
	return strcmp(s->url.scheme, "coaps") == 0;
}

/* One exchange; authorization NULL: without. */
static enum gba_err exchange(struct session *s, const char *authorization, struct psk *psk)
{
	struct fetch_ask ask = { .method = s->request->method, .url = s->url.text, .target = s->url.target };

	s->headers[0] = (struct fetch_header){ "Authorization", authorization };
	ask.headers = authorization != NULL ? s->headers : s->headers + (is_coap(s) ? 2 : 1); /* CoAP has no User-Agent */
	ask.connect = s->conf->connect;
	ask.ca_file = s->conf->ca_file;
	ask.tls = s->conf->tls;
	ask.body = s->request->body;
	ask.max_body = s->conf->max_body > 0 ? s->conf->max_body : UA_BODY_MAX;
	ask.timeout_ms = s->conf->timeout_ms > 0 ? s->conf->timeout_ms : UA_TIMEOUT_MS;
	ask.observe = s->request->observe;
	ask.told = s->request->told;
	ask.told_arg = s->request->told_arg;
	if (psk != NULL) {
		ask.tls_setup = psk_setup;
		ask.tls_done = psk_release;
		ask.tls_arg = psk;
		/* The B-TID names the token: a connection lives no longer than it is the one to use. */
		ask.tls_name = talloc_asprintf(s->mem_ctx, "%s %s:%u %d", psk->identity, s->url.host, s->url.port, (int)psk->tls);
	}
	return s->fetcher->fetch(s->fetcher->arg, s->mem_ctx, &ask, &s->reply->answer, s->why);
}

/* What happens between session control and the token manager, both inside the device (Y.3056 10.5). */
static void trace(const struct session *s, const char *clause, const char *message)
{
	struct trace_step step = { .from = "ue", .to = "ue", .iface = "local", .clause = clause, .message = message,
				   .id = bytes_of(s->url.host) };

	trace_step(&step);
}

static enum gba_err get_token(struct session *s, bool renew)
{
	char refused[BTID_MAX + 1];
	enum gba_err err;

	if (renew) {
		memcpy(refused, s->reply->token.btid, sizeof(refused));
		s->reply->rebootstrapped = true;
	}
	trace(s, "Y.3056 10.5-1c", renew ? "another token, please" : "a valid token, please");
	err = s->source->token(s->source->arg, bytes_of(s->url.host), renew ? refused : NULL, &s->reply->token, s->why);
	trace(s, err == GBA_OK ? "Y.3056 10.5-2b" : "Y.3056 10.5-1d", err == GBA_OK ? "token set" : gba_strerror(err));
	return err;
}

static enum gba_err psk_once(struct session *s, bool renew, struct psk *psk)
{
	enum gba_err err = get_token(s, renew);

	if (err != GBA_OK)
		return err;
	psk->source = s->source;
	psk->token = &s->reply->token;
	psk->naf = bytes_of(s->url.host);
	psk->separator = s->conf->separator != NULL ? s->conf->separator : PSK_SEPARATOR_DEFAULT;
	psk->tls = is_coap(s) ? FETCH_TLS_12 : s->conf->tls; /* DTLS 1.2 */
	err = psk_prepare(psk);
	if (err != GBA_OK)
		return why_fail(s->why, err, "PSK identity longer than %d octets", PSK_IDENTITY_MAX);
	err = exchange(s, NULL, psk);
	if (err != GBA_OK && psk->err != GBA_OK)
		return why_fail(s->why, psk->err, "key: %s", gba_strerror(psk->err));
	return err;
}

static void log_renewal(const struct session *s, const char *clause)
{
	struct log_about about = {
		.iface = "Ua", .peer = bytes_of(s->url.host), .id = bytes_of(s->reply->token.btid), .clause = clause
	};

	log_event(LOG_L_INFO, "ue.renewal", &about, "the application does not take this token: bootstrapping again");
}

/* A session of DTLS stands, and its token has ended: CoAP says so by the code that HTTP has. */
static bool ended(const struct session *s, enum gba_err err)
{
	return err == GBA_OK && is_coap(s) && s->reply->answer.status == 401;
}

/* TS 33.222 5.4. GBA_E_UNSUPPORTED: this server does not do it. */
static enum gba_err by_psk(struct session *s, bool may_fall_back)
{
	struct psk psk = { .alert = -1 };
	enum gba_err err;

	s->reply->mode = UA_PSK;
	err = psk_once(s, false, &psk);
	if (err == GBA_E_UNREACHABLE && may_fall_back && psk_not_served(&psk))
		return GBA_E_UNSUPPORTED;
	if ((err == GBA_E_UNREACHABLE && psk_refused(&psk)) || err == GBA_E_BTID_UNKNOWN || ended(s, err)) {
		log_renewal(s, "TS 24.109 5.3");
		err = psk_once(s, true, &psk);
		if (err == GBA_E_UNREACHABLE && psk_refused(&psk))
			err = why_fail(s->why, GBA_E_NOT_AUTHORIZED, "%s does not take a fresh token either",
				      s->url.host);
	}
	s->reply->authenticated = s->reply->server_proved = err == GBA_OK;
	return err;
}

/* The key's name depends on how the 401 came: plain HTTP, or TLS of that suite (TS 33.222 5.3). */
static enum gba_err password_of(struct session *s, struct ua_digest *digest)
{
	uint8_t ua_id[UA_ID_LEN], naf_id[NAF_ID_MAX], key[GBA_KS_NAF_LEN];
	enum gba_err err;
	size_t n;

	if (s->reply->answer.tls_suite == 0 && strcmp(s->url.scheme, "https") == 0)
		return why_fail(s->why, GBA_E_UNSUPPORTED, "libcurl does not use OpenSSL: the suite is not known");
	if (s->reply->answer.tls_suite != 0)
		ua_id_tls12(s->reply->answer.tls_suite, ua_id);
	else
		memcpy(ua_id, UA_ID_HTTP_DIGEST, UA_ID_LEN);
	n = naf_id_build(bytes_of(s->url.host), ua_id, naf_id);
	if (n == 0)
		return why_fail(s->why, GBA_E_NAF_ID_SYNTAX, "%s: an application has a host name", s->url.host);
	err = s->source->key(s->source->arg, &s->reply->token, BYTES(naf_id, n), key);
	if (err != GBA_OK)
		return why_fail(s->why, err, "key: %s", gba_strerror(err));
	base64_encode(BYTES(key, sizeof(key)), digest->password);
	SECRET_WIPE(key);
	return GBA_OK;
}

/* Answer the challenge at hand with the token at hand. */
static enum gba_err digest_once(struct session *s, struct ua_digest *digest)
{
	uint16_t suite = s->reply->answer.tls_suite;
	char *authorization;
	enum gba_err err;

	err = password_of(s, digest);
	if (err != GBA_OK)
		return err;
	digest->username = s->reply->token.btid;
	digest->method = bytes_of(s->request->method);
	digest->target = bytes_of(s->url.target);
	digest->body = s->request->body;
	authorization = ua_digest_answer(s->mem_ctx, digest, s->conf->cnonce);
	if (authorization == NULL)
		return why_fail(s->why, GBA_E_NOMEM, "out of memory");
	err = exchange(s, authorization, NULL);
	talloc_free(authorization);
	if (err == GBA_OK && s->reply->answer.tls_suite != suite)
		return why_fail(s->why, GBA_E_PEER, "%s negotiates another cipher suite on each connection",
			       s->url.host);
	return err;
}

/* After an answered challenge: does the answer hold a new one that is worth answering? */
static bool challenged_again(struct session *s, struct ua_digest *digest)
{
	return s->reply->answer.status == 401 &&
	       ua_digest_challenge(s->mem_ctx, &s->reply->answer, s->url.host, &digest->challenge) == GBA_OK;
}

/* At most: the stored token, the same with a fresh nonce when ours was stale, a fresh token. */
static enum gba_err answer_challenges(struct session *s, struct ua_digest *digest)
{
	enum gba_err err;

	err = get_token(s, false);
	if (err != GBA_OK)
		return err;
	err = digest_once(s, digest);
	if (err == GBA_OK && challenged_again(s, digest) && digest->challenge.stale)
		err = digest_once(s, digest);
	if (err == GBA_E_BTID_UNKNOWN || (err == GBA_OK && challenged_again(s, digest))) {
		log_renewal(s, "TS 24.109 5.2.5");
		err = get_token(s, true);
		if (err == GBA_OK)
			err = digest_once(s, digest);
	}
	if (err == GBA_OK && challenged_again(s, digest))
		err = why_fail(s->why, GBA_E_NOT_AUTHORIZED, "%s does not take a fresh token either", s->url.host);
	return err;
}

static enum gba_err check_proof(struct session *s, const struct ua_digest *digest)
{
	enum gba_err err;

	err = ua_digest_check(s->mem_ctx, digest, &s->reply->answer, &s->reply->server_proved);
	if (err != GBA_OK)
		return why_fail(s->why, err, "rspauth of %s is wrong: not from the application, or altered on the way",
			       s->url.host);
	if (s->conf->need_rspauth && !s->reply->server_proved)
		return why_fail(s->why, GBA_E_DIGEST_MISMATCH, "%s did not prove itself: no rspauth", s->url.host);
	return GBA_OK;
}

/* TS 24.109 5.2: ask, be told that a bootstrapped key is needed, answer. */
static enum gba_err by_digest(struct session *s)
{
	struct ua_digest digest = { .username = NULL };
	enum gba_err err;

	s->reply->mode = UA_DIGEST;
	err = exchange(s, NULL, NULL);
	if (err != GBA_OK || s->reply->answer.status != 401)
		return err;
	err = ua_digest_challenge(s->mem_ctx, &s->reply->answer, s->url.host, &digest.challenge);
	if (err == GBA_E_AUTH_SCHEME)
		return GBA_OK; /* wants something else than GBA: the caller sees the 401 */
	if (err != GBA_OK)
		return why_fail(s->why, err, "challenge for another host than %s", s->url.host);
	err = answer_challenges(s, &digest);
	if (err == GBA_OK) {
		s->reply->authenticated = true;
		err = check_proof(s, &digest);
	}
	SECRET_WIPE(digest);
	return err;
}

/* What the application says about its token; a failure to renew shows at the next request. */
static void obey(struct session *s)
{
	struct log_about about = { .iface = "Ua", .peer = bytes_of(s->url.host), .clause = "Y.3056 9.3" };
	struct bytes word = fetch_header(&s->reply->answer, UA_TOKEN_HEADER);
	bool renew = bytes_eq_str(word, "renew");
	struct token_ref token = s->reply->token, next;
	struct why unheard;

	if (word.p == NULL || !s->reply->server_proved || strcmp(s->url.scheme, "https") != 0)
		return;
	if ((!renew && !bytes_eq_str(word, "revoke")) || s->source->end == NULL)
		return;
	about.id = bytes_of(token.btid);
	about.result = s->source->end(s->source->arg, bytes_of(s->url.host), &token);
	log_event(LOG_L_INFO, "ue.token-signal", &about, "the application says: %s", renew ? "renew" : "revoke");
	if (about.result != GBA_OK)
		return;
	s->reply->signal = renew ? "renew" : "revoke";
	if (renew)
		s->source->token(s->source->arg, bytes_of(s->url.host), token.btid, &next, &unheard);
}

static enum gba_err fetch(struct session *s)
{
	bool secure = strcmp(s->url.scheme, "http") != 0, may_fall_back = s->conf->mode == UA_AUTO && !is_coap(s);
	enum gba_err err;

	if (!secure || s->conf->mode == UA_DIGEST)
		return by_digest(s);
	err = by_psk(s, may_fall_back);
	return err == GBA_E_UNSUPPORTED && may_fall_back ? by_digest(s) : err;
}

/* What was asked for can be had with this scheme? */
static enum gba_err check_scheme(const struct session *s)
{
	if (s->conf->mode == UA_PSK && strcmp(s->url.scheme, "http") == 0)
		return why_fail(s->why, GBA_E_SYNTAX, "%s: PSK-TLS needs https", s->request->url);
	if (is_coap(s) && !ua_coap_built())
		return why_fail(s->why, GBA_E_UNSUPPORTED, "%s: gba-ue was built without libcoap", s->request->url);
	if (is_coap(s) && (s->conf->mode == UA_DIGEST || s->conf->tls == FETCH_TLS_13))
		return why_fail(s->why, GBA_E_SYNTAX, "%s: coaps is DTLS 1.2 with PSK", s->request->url);
	if (!is_coap(s) && s->request->observe > 0)
		return why_fail(s->why, GBA_E_SYNTAX, "%s: only coaps can be observed", s->request->url);
	return GBA_OK;
}

enum gba_err ua_fetch(TALLOC_CTX *mem_ctx, const struct ua_conf *conf, const struct token_source *source,
		      const struct fetcher *fetcher, const struct ua_request *request, struct ua_reply *_reply,
		      struct why *why)
{
	struct session s = {
		.mem_ctx = mem_ctx, .conf = conf, .source = source, .fetcher = fetcher, .request = request
	};
	enum gba_err err;

	memset(_reply, 0, sizeof(*_reply));
	s.reply = _reply;
	s.why = why;
	err = url_parse(mem_ctx, request->url, url_schemes_ua, &s.url);
	if (err != GBA_OK)
		return why_fail(why, err, "%s: not an http, https or coaps URL", request->url);
	err = check_scheme(&s);
	if (err == GBA_OK)
		err = set_headers(&s);
	if (err != GBA_OK)
		return err;
	trace(&s, "Y.3056 10.5-1b", "a session with the application");
	err = fetch(&s);
	if (err == GBA_OK)
		obey(&s);
	return err;
}
