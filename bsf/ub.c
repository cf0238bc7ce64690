/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/ub.h"

#include "bsf/push.h"
#include "bsf/ub_cert.h"
#include "bsf/ub_priv.h"
#include "core/clock.h"
#include "core/secret.h"
#include "core/trace.h"

/* ---- what the request says ---- */

/* What a target in absolute-form asks for in origin-form (RFC 9112 3.2): clients behind a proxy send the former. */
static struct bytes path_of(struct bytes target)
{
	const uint8_t *at = target.n > 0 && target.p[0] != '/' ? memmem(target.p, target.n, "://", 3) : NULL;
	size_t gone;

	if (at == NULL)
		return target;
	gone = (size_t)(at - target.p) + 3;
	while (gone < target.n && target.p[gone] != '/' && target.p[gone] != '?')
		gone++;
	return gone < target.n ? BYTES(target.p + gone, target.n - gone) : bytes_of("/");
}

bool ub_path_served(const struct bsf_conf *conf, struct bytes target)
{
	struct bytes path = path_of(target);
	size_t i;

	for (i = 0; i < conf->ub_paths.n; i++) {
		if (bytes_eq_str(path, conf->ub_paths.v[i]))
			return true;
	}
	return false;
}

struct bytes ub_address(const char *text)
{
	struct bytes source = bytes_of(text);

	while (source.n > 0 && source.p[source.n - 1] != ':') /* "192.0.2.1:4711", "[::1]:4711" */
		source.n--;
	if (source.n > 0)
		source.n--;
	return source;
}

/* Product tokens stand apart by blanks and may carry a version or stand in a comment. */
static bool has_token(struct bytes text, const char *token)
{
	const char *at = (const char *)text.p;
	size_t left = text.n, n = strlen(token);

	while (left >= n) {
		const char *hit = memmem(at, left, token, n);
		size_t after;

		if (hit == NULL)
			return false;
		after = left - (size_t)(hit - at) - n;
		if ((hit == (const char *)text.p || strchr(" \t(", hit[-1]) != NULL) &&
		    (after == 0 || strchr(" \t/);,", hit[n]) != NULL))
			return true;
		at = hit + n;
		left = after;
	}
	return false;
}

static bool is_empty(struct bytes b)
{
	return b.n == 0;
}

/* Values of the second leg that must be exactly ours (TS 24.109 4.2, RFC 7616 3.4). What a replay can have otherwise, nonce
 * and nc, is judged with the run: its answer is a new challenge. An opaque left out costs the UE only its own answer. */
static enum gba_err answer_check(const struct ub_op *op)
{
	const struct digest_auth *auth = &op->auth;
	enum digest_alg algorithm = op->ub->how_3g.algorithm;

	if (is_empty(auth->nonce) || is_empty(auth->response) || is_empty(auth->cnonce))
		return GBA_E_DIGEST_SYNTAX;
	if (auth->qop != DIGEST_QOP_AUTH_INT || auth->nc == 0)
		return GBA_E_DIGEST_SYNTAX;
	if (auth->algorithm_given && auth->algorithm != algorithm)
		return GBA_E_AUTH_SCHEME;
	if (!bytes_eq_str(auth->realm, op->ub->conf->name) ||
	    !bytes_eq(path_of(auth->uri), path_of(http_req_target(op->req))))
		return GBA_E_DIGEST_SYNTAX;
	return GBA_OK;
}

/* A TMPI names the run that made it: find the context, and verify all of the TMPI by making it again (TS 33.220 B.4). */
static enum gba_err tmpi_resolve(struct ub_op *op, const uint8_t index[CTX_TMPI_LEN])
{
	struct ctx_store *store = op->ub->store;
	char tmpi[GBA_TMPI_MAX];
	struct ctx *ctx;
	enum gba_err err;
	char *impi;
	size_t n;

	err = store->ops->find_tmpi(store, op, index, clock_now(), &ctx);
	if (err != GBA_OK)
		return err == GBA_E_BTID_UNKNOWN ? GBA_E_NOT_FOUND : err;
	gba_tmpi(ctx->ks, ctx->rand, ctx->impi, bytes_of(op->ub->conf->name), tmpi);
	impi = talloc_strndup(op, (const char *)ctx->impi.p, ctx->impi.n);
	talloc_free(ctx);
	if (impi == NULL)
		return GBA_E_NOMEM;
	n = strcspn(tmpi, "@");
	if (!bytes_eq_secret(BYTES(op->auth.username.p, n), BYTES(tmpi, n))) /* both left parts have 32 characters */
		return GBA_E_NOT_FOUND;
	op->impi = bytes_of(impi);
	return GBA_OK;
}

/* Whose run it is. An unknown TMPI gets 404: unlike 403 nobody takes that for final, and the UE repeats with its IMPI. */
static enum gba_err user_resolve(struct ub_op *op)
{
	uint8_t index[CTX_TMPI_LEN];

	if (is_empty(op->auth.username))
		return GBA_E_DIGEST_SYNTAX;
	if (ctx_tmpi_index(op->auth.username, index) == GBA_OK)
		return op->ub->conf->tmpi ? tmpi_resolve(op, index) : GBA_E_NOT_FOUND;
	if (!impi_valid(op->auth.username))
		return GBA_E_IMPI_SYNTAX;
	op->impi = op->auth.username;
	return GBA_OK;
}

static enum gba_err header_read(struct ub_op *op)
{
	struct bytes header = http_req_header(op->req, "Authorization");
	enum gba_err err;

	if (header.p == NULL)
		return GBA_E_DIGEST_SYNTAX;
	err = digest_auth_parse(op, header, &op->auth);
	if (err != GBA_OK)
		return err;
	op->first = is_empty(op->auth.nonce) && is_empty(op->auth.response) && op->auth.auts.p == NULL;
	return op->first ? GBA_OK : answer_check(op);
}

enum gba_err ub_application_read(struct ub_op *op)
{
	struct bytes header = http_req_header(op->req, UB_APP_HEADER);
	struct application *application;

	if (header.p == NULL)
		return GBA_OK;
	application = talloc(op, struct application);
	if (application == NULL)
		return GBA_E_NOMEM;
	op->application = application;
	return application_parse(header, application);
}

static enum gba_err request_read(struct ub_op *op)
{
	enum gba_err err;

	if (!ub_path_served(op->ub->conf, http_req_target(op->req)))
		return GBA_E_NOT_FOUND;
	if (atomic_load(&op->ub->stopping))
		return GBA_E_BUSY;
	err = header_read(op);
	if (err == GBA_OK)
		err = ub_application_read(op);
	if (err != GBA_OK)
		return err;
	err = user_resolve(op);
	if (err != GBA_OK)
		return err;
	if (bsf_conf_sim_only(op->ub->conf, op->impi)) { /* 2G GBA: inside TLS only, TS 33.220 I.2 */
		if (!op->ub->conf->gba_2g || !http_req_is_tls(op->req))
			return GBA_E_DENIED;
	}
	return GBA_OK;
}

/* ---- what the HSS says ---- */

/* A question under way; freed when it is answered. */
struct ask {
	struct ub *ub;
	struct guss_kept *held; /* the GUSS whose timestamp was sent */
	uint64_t started_us;
	bool resync;
	unsigned int notices;
	char application[FQDN_MAX + 1]; /* "": none was named */
	struct bytes impi;
	uint8_t impi_octets[IMPI_MAX];
};

static void release_waiters(struct run_waiter *waiter, enum gba_err err, const struct challenge *challenge)
{
	struct run_waiter *next;

	for (; waiter != NULL; waiter = next) {
		struct ub_op *op = (struct ub_op *)waiter;

		next = waiter->next; /* the reply frees the operation */
		if (err == GBA_OK)
			ub_reply_challenge(op, challenge, waiter->stale);
		else
			ub_reply_refuse(op, err, 0);
	}
}

enum gba_err ub_guss_of(struct ub *ub, struct bytes impi, struct guss_kept *held, const struct hss_answer *answer,
			struct guss_kept **_guss)
{
	enum gba_err err;

	if (answer->guss.p == NULL) {
		*_guss = held != NULL ? guss_kept_ref(held) : guss_kept_none();
		return *_guss != NULL ? GBA_OK : GBA_E_NOMEM;
	}
	err = guss_kept_read(answer->guss, impi, clock_now(), _guss);
	if (err == GBA_OK)
		guss_cache_put(ub->guss, impi, *_guss);
	return err == GBA_OK || err == GBA_E_NOMEM ? err : GBA_E_PEER;
}

static enum gba_err challenge_make(struct ask *ask, const struct hss_answer *answer, struct challenge *_challenge,
				   struct challenge_secret *_secret)
{
	struct boot_how how = ask->ub->how_3g;
	uint8_t ks_input[GBA_2G_KS_INPUT_LEN];
	struct guss_kept *guss;
	struct aka_vector vector;
	enum gba_err err;

	err = hss_answer_vector(answer, ask->impi, &vector);
	if (err != GBA_OK)
		return err;
	err = ub_guss_of(ask->ub, ask->impi, ask->held, answer, &guss);
	if (err == GBA_OK) {
		if (bsf_conf_sim_only(ask->ub->conf, ask->impi)) {
			how.type = CTX_2G_GBA;
			rand_bytes(ks_input, sizeof(ks_input));
		}
		boot_challenge(&how, &vector, guss, ks_input, _challenge, _secret);
		if (answer->permission != NULL && ask->application[0] != '\0') /* out of memory: asked for again */
			_challenge->permit = permit_new(ask->application, answer->permission, ask->notices);
	}
	SECRET_WIPE(vector);
	return err;
}

static void log_hss(const struct ask *ask, enum gba_err err)
{
	struct log_about about = { .iface = "Zh", .id = ask->impi, .clause = "TS 29.109 4.2", .result = err };

	if (err == GBA_E_IMPI_UNKNOWN || err == GBA_E_NOT_AUTHORIZED || err == GBA_E_AUTS)
		log_event(LOG_L_INFO, "zh.refused", &about, "%s", ask->resync ? "resynchronisation" : "vector");
	else if (err != GBA_OK)
		log_event_limited(1, LOG_L_WARNING, "zh.failed", &about, "%s", ask->resync ? "resynchronisation" : "vector");
}

static void on_hss(void *arg, enum gba_err err, const struct hss_answer *answer)
{
	struct challenge_secret secret = { .password_n = 0 };
	struct challenge challenge = { .guss = NULL };
	struct ask *ask = arg;
	struct ub *ub = ask->ub;
	struct run_waiter *waiters;

	metric_observe_us(ub->m_zh_seconds, clock_mono_us() - ask->started_us);
	metric_set(ub->m_asking, (int64_t)atomic_fetch_sub(&ub->asking, 1) - 1);
	if (err == GBA_OK)
		err = challenge_make(ask, answer, &challenge, &secret);
	log_hss(ask, err);
	waiters = run_settle(ub->runs, ask->impi, err, &challenge, &secret, clock_mono_ms());
	SECRET_WIPE(secret);
	release_waiters(waiters, err, &challenge);
	guss_kept_unref(ask->held);
	talloc_free(ask);
}

static enum gba_err ask_hss(struct ub_op *op, const struct run_outcome *outcome)
{
	struct ub *ub = op->ub;
	struct hss_question question = { .impi = op->impi };
	struct ask *ask;
	enum gba_err err;

	if (!ub->hss->ready(ub->hss))
		return GBA_E_UNREACHABLE;
	ask = talloc_zero(NULL, struct ask); /* a root of its own: it ends in another thread */
	if (ask == NULL)
		return GBA_E_NOMEM;
	ask->ub = ub;
	ask->started_us = clock_mono_us();
	ask->resync = outcome->resyncing;
	memcpy(ask->impi_octets, op->impi.p, op->impi.n);
	ask->impi = BYTES(ask->impi_octets, op->impi.n);
	ask->held = guss_cache_get(ub->guss, op->impi);
	if (ask->held != NULL)
		question.guss_timestamp = ask->held->stamp - 1; /* the HSS's clock may show the second we received it in */
	if (op->application != NULL) {
		strcpy(ask->application, op->application->fqdn);
		ask->notices = atomic_load(&ub->notices);
		question.application = bytes_of(ask->application);
	}
	if (outcome->resyncing)
		question.resync = BYTES(outcome->resync, sizeof(outcome->resync));
	metric_set(ub->m_asking, (int64_t)atomic_fetch_add(&ub->asking, 1) + 1);
	err = ub->hss->ask(ub->hss, &question, on_hss, ask);
	if (err != GBA_OK) {
		atomic_fetch_sub(&ub->asking, 1);
		guss_kept_unref(ask->held);
		talloc_free(ask);
	}
	return err;
}

/* The run waits for an answer now: whatever happens here, it must be settled. */
static void ask_or_settle(struct ub_op *op, const struct run_outcome *outcome)
{
	struct bytes impi = op->impi;
	struct ub *ub = op->ub;
	enum gba_err err = GBA_E_BUSY;

	if (atomic_load(&ub->asking) < ub->conf->zh_in_flight)
		err = ask_hss(op, outcome); /* when it succeeds, op may be gone */
	if (err != GBA_OK)
		release_waiters(run_settle(ub->runs, impi, err, NULL, NULL, clock_mono_ms()), err, NULL);
}

/* ---- the proof ---- */

static void report(const struct ub_op *op)
{
	const struct report what = { .btid = bytes_of(op->btid), .impi = op->impi, .made = op->made, .expires = op->ends,
				     .application = op->application != NULL ? bytes_of(op->application->fqdn) : BYTES_NONE };

	reporter_add(atomic_load(&op->ub->reporter), &what);
}

void ub_reporter(struct ub *ub, struct reporter *reporter)
{
	atomic_store(&ub->reporter, reporter);
}

static void on_stored(void *arg, enum gba_err err)
{
	struct ub_op *op = arg;

	if (err == GBA_OK && op->changing && op->ub->hss->made != NULL)
		op->ub->hss->made(op->ub->hss, op->impi);
	if (err == GBA_OK)
		report(op);
	if (err == GBA_OK && op->pushes != NULL) /* first: the agent should have it before the UE comes */
		push_send(op->pushes, op->ub->agents, op->btid, op->corr);
	if (err == GBA_OK)
		ub_reply_done(op);
	else
		ub_reply_refuse(op, err, 0);
}

static time_t shorter(time_t seconds, uint32_t limit)
{
	return limit != 0 && (time_t)limit < seconds ? (time_t)limit : seconds;
}

/* A Ks that serves one application alone lives no longer than its tokens. */
static time_t lifetime_of(const struct bsf_conf *conf, const struct challenge *challenge, bool single)
{
	time_t seconds = shorter(conf->key_lifetime, challenge->guss->life_time);

	return single && challenge->permit != NULL ? shorter(seconds, challenge->permit->lifetime) : seconds;
}

/* A token for the named application alone, as the permission or the NAF's own row has it (Y.3056 9.6.1)? */
static bool serves_one(const struct ub_op *op, const struct permit *permit)
{
	const struct bsf_naf *naf;

	if (op->application == NULL)
		return false;
	naf = permit_naf(op->ub->conf, op->application->fqdn);
	return (permit != NULL && permit->single) || (naf != NULL && naf->single);
}

static void ctx_fill(struct ub_op *op, const struct run_outcome *outcome, struct ctx *_ctx)
{
	const struct challenge *challenge = &outcome->challenge;
	bool single = serves_one(op, challenge->permit);
	char tmpi[GBA_TMPI_MAX];

	memset(_ctx, 0, sizeof(*_ctx));
	memcpy(_ctx->rand, challenge->rand, RAND_LEN);
	memcpy(_ctx->ks, outcome->secret.ks, GBA_KS_LEN);
	_ctx->type = challenge->type;
	_ctx->uicc = challenge->type == CTX_2G_GBA ? GUSS_UICC_GBA : challenge->guss->uicc;
	_ctx->created = clock_now();
	_ctx->expires = _ctx->created + lifetime_of(op->ub->conf, challenge, single);
	_ctx->impi = op->impi;
	_ctx->uss = challenge->guss->uss;
	if (single)
		ctx_owner(bytes_of(op->application->fqdn), _ctx->owner);
	if (op->ub->conf->tmpi && op->tmpi_wanted) {
		gba_tmpi(_ctx->ks, _ctx->rand, _ctx->impi, bytes_of(op->ub->conf->name), tmpi);
		ctx_tmpi_index(bytes_of(tmpi), _ctx->tmpi);
	}
}

/* 200 goes out when the context is stored, so that the B-TID of every 200 can be asked for. */
void ub_token_make(struct ub_op *op, struct run_outcome *outcome)
{
	struct ctx_store *store = op->ub->store;
	struct ctx ctx;
	enum gba_err err;

	ctx_fill(op, outcome, &ctx);
	op->changing = op->changing || boot_changing(&outcome->challenge);
	corr_from_rand(ctx.rand, op->corr);
	btid_format(ctx.rand, bytes_of(op->ub->conf->name), op->btid);
	op->made = ctx.created;
	op->ends = ctx.expires;
	err = ub_reply_prepare(op, &outcome->secret, ctx.expires);
	if (err == GBA_OK && op->application != NULL)
		op->pushes = push_prepare(op, op->ub->conf, op->ub->agents, outcome->challenge.permit, op->application, &ctx);
	if (err == GBA_OK)
		err = op->by_certificate ? ub_cert_put(op, &ctx, on_stored) : store->ops->put(store, op, &ctx, on_stored, op);
	guss_kept_unref(outcome->challenge.guss);
	permit_unref(outcome->challenge.permit);
	SECRET_WIPE(outcome->secret);
	SECRET_WIPE(ctx);
	if (err != GBA_OK)
		ub_reply_refuse(op, err, 0);
}

void ub_proved(struct ub_op *op, struct run_outcome *outcome)
{
	if (op->application == NULL)
		ub_token_make(op, outcome);
	else
		ub_permit_check(op, outcome);
}

/* ---- one request ---- */

static void run_leg(struct ub_op *op)
{
	struct run_leg leg = { .impi = op->impi, .username = op->auth.username, .source = op->source, .now_ms = clock_mono_ms() };
	struct run_outcome outcome;
	struct digest_calc calc;

	if (op->first) {
		run_first(op->ub->runs, &leg, &op->waiter, &outcome);
	} else {
		calc = ub_calc(op);
		run_answer(op->ub->runs, &leg, &op->auth, &calc, &op->waiter, &outcome);
	}
	switch (outcome.verdict) {
	case RUN_CHALLENGE:
		ub_reply_challenge(op, &outcome.challenge, outcome.stale);
		break;
	case RUN_WAIT: /* another thread may be answering it already */
		break;
	case RUN_ASK:
		ask_or_settle(op, &outcome);
		break;
	case RUN_PROVED:
		ub_proved(op, &outcome);
		break;
	case RUN_REFUSED:
		ub_reply_refuse(op, outcome.err, outcome.retry_s);
		break;
	}
}

struct ub_op *ub_op_new(struct ub *ub, struct http_req *req)
{
	struct ub_op *op = talloc_zero(req, struct ub_op);

	if (op == NULL) {
		http_reply_error(req, GBA_E_NOMEM);
		return NULL;
	}
	op->ub = ub;
	op->req = req;
	op->started_us = clock_mono_us();
	op->seen_at = trace_on() ? trace_now() : 0;
	op->source = ub_address(http_req_source(req));
	return op;
}

void ub_handle(struct http_req *req, void *arg)
{
	struct ub_op *op = ub_op_new(arg, req);
	enum gba_err err;

	if (op == NULL)
		return;
	op->tmpi_wanted = has_token(http_req_header(req, "User-Agent"), UB_TMPI_TOKEN);
	if (!bytes_eq_str(http_req_method(req), "GET")) {
		ub_reply_method(op);
		return;
	}
	err = request_read(op);
	if (err != GBA_OK)
		ub_reply_refuse(op, err, 0);
	else
		run_leg(op);
}

struct ub *ub_new(TALLOC_CTX *mem_ctx, const struct ub_parts *parts)
{
	const struct bsf_conf *conf = parts->conf;
	struct run_conf run_conf = { .max = conf->pending_max, .per_source = conf->pending_per_source,
				     .life_ms = conf->challenge_lifetime, .ask_ms = conf->ask_interval,
				     .wrong_limit = conf->wrong_limit, .wrong_hold_ms = conf->wrong_hold,
				     .resync_rounds = conf->resync_rounds };
	struct ub *ub = talloc_zero(mem_ctx, struct ub);

	if (ub == NULL)
		return NULL;
	ub->conf = conf;
	ub->store = parts->store;
	ub->hss = parts->hss;
	ub->agents = parts->agents;
	ub->how_3g = (struct boot_how){ CTX_3G_GBA, conf->digest == BSF_DIGEST_AKAV2 ? DIGEST_AKAV2_MD5 : DIGEST_AKAV1_MD5 };
	ub->guss = guss_cache_new(ub, conf->guss_cache);
	ub->runs = runs_new(ub, &run_conf);
	if (ub->guss == NULL || ub->runs == NULL) {
		talloc_free(ub);
		return NULL;
	}
	ub_metrics_make(ub);
	ub_permit_metrics(ub);
	return ub;
}

void ub_stop(struct ub *ub)
{
	atomic_store(&ub->stopping, true);
}

void ub_noticed(struct ub *ub)
{
	atomic_fetch_add(&ub->notices, 1);
}

void ub_settings(struct ub *ub, struct bytes impi, struct guss_kept *kept)
{
	if (kept != NULL)
		guss_cache_put(ub->guss, impi, kept);
	else
		guss_cache_drop(ub->guss, impi);
}

void ub_forget(struct ub *ub, struct bytes impi)
{
	run_forget(ub->runs, impi);
}

void ub_tick(struct ub *ub)
{
	metric_set(ub->m_runs, (int64_t)runs_sweep(ub->runs, clock_mono_ms()));
}

bool ub_secrets_locked(const struct ub *ub)
{
	return runs_locked(ub->runs);
}
