/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/bsf_fake.h"

#include <strings.h>

#include "core/clock.h"

time_t fake_now;
uint64_t fake_ms;

/* These stand in for libgba's functions of the same names: the program's own come first. */
time_t clock_now(void)
{
	return fake_now;
}

uint64_t clock_mono_ms(void)
{
	return fake_ms;
}

struct http_req *fake_req_new(const char *source)
{
	struct http_req *req = talloc_zero(test_ctx, struct http_req);

	req->method = "GET";
	req->target = "/";
	req->source = source;
	req->body = BYTES("", 0);
	return req;
}

void fake_req_header(struct http_req *req, const char *name, const char *value)
{
	size_t i = 0;

	while (req->headers[i].name != NULL)
		i++;
	req->headers[i] = (struct http_header){ name, value };
}

const char *fake_req_answer(const struct http_req *req, const char *name)
{
	size_t i;

	for (i = 0; req->answer_headers[i].name != NULL; i++) {
		if (strcasecmp(req->answer_headers[i].name, name) == 0)
			return req->answer_headers[i].value;
	}
	return NULL;
}

struct bytes http_req_method(const struct http_req *req)
{
	return bytes_of(req->method);
}

struct bytes http_req_target(const struct http_req *req)
{
	return bytes_of(req->target);
}

struct bytes http_req_header(const struct http_req *req, const char *name)
{
	size_t i;

	for (i = 0; req->headers[i].name != NULL; i++) {
		if (strcasecmp(req->headers[i].name, name) == 0)
			return bytes_of(req->headers[i].value);
	}
	return BYTES_NONE;
}

struct bytes http_req_body(const struct http_req *req)
{
	return req->body;
}

bool http_req_is_tls(const struct http_req *req)
{
	return req->tls;
}

const char *http_req_source(const struct http_req *req)
{
	return req->source;
}

void http_reply(struct http_req *req, unsigned int status, const struct http_header *headers, struct bytes body)
{
	size_t i;

	ck_assert_msg(req->status == 0, "answered twice: %u, then %u", req->status, status);
	req->status = status;
	for (i = 0; headers != NULL && headers[i].name != NULL; i++) {
		req->answer_headers[i].name = talloc_strdup(req, headers[i].name);
		req->answer_headers[i].value = talloc_strdup(req, headers[i].value);
	}
	req->answer_body = BYTES(talloc_memdup(req, body.p, body.n), body.n);
}

void http_reply_error(struct http_req *req, enum gba_err err)
{
	http_reply(req, gba_err_http(err), NULL, BYTES("", 0));
}

static void hss_answer(struct fake_hss *hss, hss_done done, void *arg, enum gba_err err)
{
	uint8_t authenticate[32];
	struct hss_answer answer = { .user_name = bytes_of(hss->user_name), .scheme = bytes_of(hss->scheme),
				     .authenticate = BYTES(authenticate, 16 + hss->autn.n), .authorization = hss->xres,
				     .ck = hss->ck, .ik = hss->ik, .guss = bytes_of(hss->guss) };

	memcpy(authenticate, hss->rand.p, 16);
	if (hss->fresh_rand)
		authenticate[0] = (uint8_t)hss->asked;
	memcpy(authenticate + 16, hss->autn.p, hss->autn.n);
	done(arg, err, err == GBA_OK ? &answer : NULL);
}

static enum gba_err hss_ask(struct hss *base, const struct hss_question *question, hss_done done, void *arg)
{
	struct fake_hss *hss = (struct fake_hss *)base;
	bool resync = question->resync.p != NULL;
	enum gba_err err = resync && hss->resync_err != GBA_OK ? hss->resync_err : hss->err;

	hss->asked++;
	hss->resyncs += resync;
	hss->last_timestamp = question->guss_timestamp;
	memcpy(hss->impi, question->impi.p, question->impi.n);
	hss->impi[question->impi.n] = '\0';
	if (hss->known != NULL && !bytes_eq_str(question->impi, hss->known))
		err = GBA_E_IMPI_UNKNOWN;
	if (hss->hold) {
		ck_assert_ptr_null(hss->done);
		hss->done = done;
		hss->arg = arg;
		return GBA_OK;
	}
	hss_answer(hss, done, arg, err);
	return GBA_OK;
}

void fake_hss_release(struct fake_hss *hss)
{
	hss_done done = hss->done;

	hss->done = NULL;
	hss_answer(hss, done, hss->arg, hss->err);
}

static bool hss_ready(struct hss *base)
{
	return !((struct fake_hss *)base)->down;
}

void fake_hss_init(struct fake_hss *hss)
{
	*hss = (struct fake_hss){ .base = { .ask = hss_ask, .ready = hss_ready }, .rand = fixture_hex(RAND_HEX),
				  .autn = fixture_hex(AUTN_HEX), .xres = fixture_hex(XRES_HEX), .ck = fixture_hex(CK_HEX),
				  .ik = fixture_hex(IK_HEX), .scheme = "Digest-AKAv1-MD5" };
}

static enum gba_err store_put(struct ctx_store *base, TALLOC_CTX *mem_ctx, const struct ctx *ctx, ctx_put_done done, void *arg)
{
	struct fake_store *store = (struct fake_store *)base;

	(void)mem_ctx;
	if (store->put_err != GBA_OK)
		return store->put_err;
	if (store->done_err == GBA_OK)
		store->held[store->n++] = ctx_dup(test_ctx, ctx);
	store->done = done;
	store->arg = arg;
	if (!store->hold)
		done(arg, store->done_err);
	return GBA_OK;
}

static enum gba_err store_find(struct ctx_store *base, TALLOC_CTX *mem_ctx, const uint8_t rand[RAND_LEN], time_t now,
			       struct ctx **_ctx)
{
	struct fake_store *store = (struct fake_store *)base;
	size_t i;

	if (store->find_err != GBA_OK)
		return store->find_err;
	for (i = 0; i < store->n; i++) {
		if (memcmp(store->held[i]->rand, rand, RAND_LEN) == 0 && store->held[i]->expires > now) {
			*_ctx = ctx_dup(mem_ctx, store->held[i]);
			return GBA_OK;
		}
	}
	return GBA_E_BTID_UNKNOWN;
}

static enum gba_err store_find_tmpi(struct ctx_store *base, TALLOC_CTX *mem_ctx, const uint8_t tmpi[CTX_TMPI_LEN], time_t now,
				    struct ctx **_ctx)
{
	struct fake_store *store = (struct fake_store *)base;
	size_t i;

	for (i = 0; i < store->n; i++) {
		if (memcmp(store->held[i]->tmpi, tmpi, CTX_TMPI_LEN) == 0)
			return store_find(base, mem_ctx, store->held[i]->rand, now, _ctx);
	}
	return store->find_err != GBA_OK ? store->find_err : GBA_E_BTID_UNKNOWN;
}

void fake_store_init(struct fake_store *store)
{
	static const struct ctx_store_ops ops = { .put = store_put, .find = store_find, .find_tmpi = store_find_tmpi };

	*store = (struct fake_store){ .base = { &ops } };
}
