/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/ub_cert.h"

#include <pthread.h>

#include "bsf/revoker.h"
#include "bsf/ub_priv.h"
#include "core/clock.h"
#include "core/secret.h"
#include "pki/trust.h"

#define PATIENCE_S 1 /* [s] the HSS may be asking another operator (Y.3056 10.6.2-4) */
#define ASK_ROUNDS 4 /* a notice that comes meanwhile may be about this user: ask again */

struct ub_cert {
	struct ub *ub;
	struct trust *trust;
	pthread_mutex_t lock; /* of what follows, held while it is used */
	struct revoker *revoker;
	struct metric *verdicts[TRUST_COUNT];
};

/* A proof waiting for the HSS's word; below the operation, wiped when freed. */
struct question {
	struct ub_op *op;
	struct guss_kept *held; /* the GUSS whose timestamp was sent */
	unsigned int notices, round;
	struct bytes certificate;
	uint8_t material[UB_CERT_OCTETS];
};

enum gba_err ub_cert_new(TALLOC_CTX *mem_ctx, struct ub *ub, const struct bsf_asym *conf, struct ub_cert **_place,
			 const char **_error)
{
	struct ub_cert *place = talloc_zero(mem_ctx, struct ub_cert);
	enum gba_err err;
	size_t i;

	*_error = gba_strerror(GBA_E_NOMEM);
	if (place == NULL)
		return GBA_E_NOMEM;
	place->ub = ub;
	pthread_mutex_init(&place->lock, NULL);
	err = trust_open(place, conf->device_ca, conf->device_crl, &place->trust, _error);
	for (i = 0; i < TRUST_COUNT; i++) {
		char labels[48] = "";

		metric_label(labels, sizeof(labels), "verdict", trust_words[i]);
		place->verdicts[i] = metric_get("gba_bsf_certificates_total", "Certificates that devices have shown",
						METRIC_COUNTER, labels);
	}
	if (err == GBA_OK)
		*_place = place;
	return err; /* the text is below place: it goes with mem_ctx */
}

void ub_cert_refused(void *place, const char *source, unsigned int status, const char *reason)
{
	ub_refused(((struct ub_cert *)place)->ub, source, status, reason);
}

/* ---- certificates that are revoked ---- */

_Static_assert(CTX_CERT_LEN == TRUST_MARK_LEN, "one name for a certificate");

/* A token on its way into the store; below the operation, wiped when freed. */
struct making {
	struct ub_op *op;
	struct ctx *ctx;
	ctx_put_done done;
};

/* From here on the sweep finds it; had the list come before, it would have found nothing. */
static void on_made(void *arg, enum gba_err err)
{
	struct making *making = arg;
	struct ub_op *op = making->op;

	if (err == GBA_OK && trust_listed(op->place->trust, op->mark))
		err = GBA_E_CERTIFICATE;
	making->done(op, err);
}

/* Whose it is stands there already when this device has been here before. */
static void on_shown(void *arg, enum gba_err err)
{
	struct making *making = arg;
	struct ub_op *op = making->op;
	struct ctx_store *store = op->ub->store;

	if (err == GBA_OK || err == GBA_E_EXISTS)
		err = store->ops->put(store, op, making->ctx, on_made, making);
	if (err != GBA_OK)
		making->done(op, err);
}

enum gba_err ub_cert_put(struct ub_op *op, const struct ctx *ctx, ctx_put_done done)
{
	struct making *making = talloc_zero(op, struct making);
	struct ctx_store *store = op->ub->store;
	char name[CTX_SHOWN_NAME];
	struct ctx shown;

	if (making == NULL)
		return GBA_E_NOMEM;
	making->op = op;
	making->done = done;
	making->ctx = ctx_dup(making, ctx);
	if (making->ctx == NULL)
		return GBA_E_NOMEM;
	memcpy(making->ctx->certificate, op->mark, CTX_CERT_LEN);
	ctx_shown(making->ctx, name, &shown);
	return store->ops->put(store, op, &shown, on_shown, making);
}

/* A notice under way; a root: it goes to the revoker's thread. */
struct ending {
	struct ub_cert *place;
	uint8_t mark[TRUST_MARK_LEN];
};

static void on_ended(void *arg, enum gba_err err)
{
	struct ending *ending = arg;

	if (err != GBA_OK)
		(void)trust_listed(ending->place->trust, ending->mark); /* has it told again */
	talloc_free(ending);
}

static enum gba_err end_of_user(struct ub_cert *place, struct bytes impi, const uint8_t mark[TRUST_MARK_LEN])
{
	struct ending *ending = talloc_zero(NULL, struct ending);
	struct notice notice = { .impi = impi, .kind = NOTICE_CERTIFICATE, .certificate = BYTES(mark, TRUST_MARK_LEN),
				 .done = on_ended, .arg = ending };
	enum gba_err err = GBA_E_NOMEM;

	if (ending != NULL) {
		ending->place = place;
		memcpy(ending->mark, mark, TRUST_MARK_LEN);
		err = revoker_add(place->revoker, &notice);
	}
	if (err != GBA_OK)
		talloc_free(ending);
	return err;
}

/* Whose was it when it made tokens? Nobody's: it made none. */
static enum gba_err end_at(struct ub_cert *place, const uint8_t rand[RAND_LEN], const uint8_t mark[TRUST_MARK_LEN])
{
	struct ctx_store *store = place->ub->store;
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct ctx *shown;
	enum gba_err err = tmp != NULL ? store->ops->find(store, tmp, rand, clock_now(), &shown) : GBA_E_NOMEM;

	if (err == GBA_OK && shown->type == CTX_SHOWN)
		err = end_of_user(place, shown->uss, mark);
	talloc_free(tmp);
	return err == GBA_E_BTID_UNKNOWN ? GBA_OK : err;
}

static enum gba_err end_tokens(void *arg, const uint8_t mark[TRUST_MARK_LEN])
{
	uint8_t rands[CTX_SHOWN_PLACES][RAND_LEN];
	enum gba_err err = GBA_OK;
	size_t i;

	ctx_shown_at(mark, clock_now(), rands);
	for (i = 0; err == GBA_OK && i < CTX_SHOWN_PLACES; i++)
		err = end_at(arg, rands[i], mark);
	return err;
}

void ub_cert_tick(struct ub_cert *place)
{
	pthread_mutex_lock(&place->lock);
	if (place->revoker != NULL)
		trust_tell(place->trust, end_tokens, place);
	pthread_mutex_unlock(&place->lock);
}

void ub_cert_revoker(struct ub_cert *place, struct revoker *revoker)
{
	pthread_mutex_lock(&place->lock);
	place->revoker = revoker;
	pthread_mutex_unlock(&place->lock);
}

/* ---- the hss's word ---- */

static void ask(struct question *question);

static enum gba_err outcome_make(const struct question *question, const struct hss_answer *answer, struct run_outcome *_outcome)
{
	struct challenge *challenge = &_outcome->challenge;
	struct ub_op *op = question->op;
	enum gba_err err;

	memset(_outcome, 0, sizeof(*_outcome));
	err = ub_guss_of(op->ub, op->impi, question->held, answer, &challenge->guss);
	if (err != GBA_OK)
		return err;
	memcpy(challenge->rand, question->material, RAND_LEN);
	memcpy(_outcome->secret.ks, question->material + RAND_LEN, GBA_KS_LEN);
	challenge->type = CTX_3G_GBA; /* towards NAFs a token is a token */
	if (answer->permission != NULL && op->application != NULL)
		challenge->permit = permit_new(op->application->fqdn, answer->permission, question->notices);
	op->changing = answer->awaited;
	if (answer->certificate.n > 0) {
		op->certificate.p = talloc_memdup(op, answer->certificate.p, answer->certificate.n);
		op->certificate.n = op->certificate.p != NULL ? answer->certificate.n : 0;
	}
	return GBA_OK;
}

static void question_end(struct question *question)
{
	guss_kept_unref(question->held);
	talloc_free(question);
}

static void on_said(void *arg, enum gba_err err, const struct hss_answer *answer)
{
	struct question *question = arg;
	struct ub_op *op = question->op;
	struct run_outcome outcome;

	metric_set(op->ub->m_asking, (int64_t)atomic_fetch_sub(&op->ub->asking, 1) - 1);
	if (err == GBA_OK && question->notices != atomic_load(&op->ub->notices)) {
		ask(question); /* what it says may have been taken back a moment ago */
		return;
	}
	if (err == GBA_OK)
		err = outcome_make(question, answer, &outcome);
	question_end(question);
	if (err != GBA_OK) {
		ub_reply_refuse(op, err, err == GBA_E_BUSY ? PATIENCE_S : 0);
		return;
	}
	ub_proved(op, &outcome); /* the operation, and what is below it, may be gone */
	SECRET_WIPE(outcome.secret);
}

static enum gba_err ask_hss(struct question *question)
{
	struct ub_op *op = question->op;
	struct hss_question what = { .impi = op->impi, .certificate = question->certificate };
	struct ub *ub = op->ub;
	enum gba_err err;

	if (question->round++ >= ASK_ROUNDS || atomic_load(&ub->asking) >= ub->conf->zh_in_flight)
		return GBA_E_BUSY;
	if (op->application != NULL)
		what.application = bytes_of(op->application->fqdn);
	guss_kept_unref(question->held);
	question->held = guss_cache_get(ub->guss, op->impi);
	if (question->held != NULL && question->held->stamp > 0)
		what.guss_timestamp = question->held->stamp - 1; /* as on Zh */
	question->notices = atomic_load(&ub->notices);
	metric_set(ub->m_asking, (int64_t)atomic_fetch_add(&ub->asking, 1) + 1);
	err = ub->hss->ask(ub->hss, &what, on_said, question); /* when it succeeds, all may be gone */
	if (err != GBA_OK)
		atomic_fetch_sub(&ub->asking, 1);
	return err;
}

static void ask(struct question *question)
{
	struct ub_op *op = question->op;
	enum gba_err err = ask_hss(question);

	if (err == GBA_OK)
		return;
	question_end(question);
	ub_reply_refuse(op, err, 0);
}

/* ---- what the request and its connection say ---- */

static enum gba_err user_read(struct ub_op *op)
{
	struct bytes impi = http_req_header(op->req, UB_CERT_USER);

	if (!impi_valid(impi))
		return GBA_E_IMPI_SYNTAX;
	op->impi = BYTES(talloc_memdup(op, impi.p, impi.n), impi.n);
	return op->impi.p != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err certificate_read(struct ub_cert *place, struct ub_op *op, struct bytes *_certificate)
{
	struct bytes chain[TRUST_CHAIN_MAX];
	size_t n = http_req_peer_chain(op->req, chain, TRUST_CHAIN_MAX);
	enum trust_verdict verdict = trust_check(place->trust, chain, n);
	struct log_about about = { .iface = "Ub", .peer = op->source, .id = op->impi, .clause = "Y.3056 10.4-5",
				   .result = GBA_E_CERTIFICATE };

	metric_add(place->verdicts[verdict], 1);
	if (verdict != TRUST_GOOD) {
		log_event(LOG_L_INFO, "ub.certificate", &about, "%s", trust_words[verdict]);
		return verdict == TRUST_UNSURE ? GBA_E_BUSY : GBA_E_CERTIFICATE;
	}
	*_certificate = chain[0];
	return trust_mark(chain[0], op->mark);
}

/* RAND and Ks are of this connection and nobody else's: channel and token are bound (RFC 5705 1, RFC 7627 for TLS 1.2). */
static enum gba_err material_read(struct ub_op *op, uint8_t material[UB_CERT_OCTETS])
{
	enum gba_err err = http_req_export(op->req, UB_CERT_LABEL, material, UB_CERT_OCTETS);
	struct log_about about = { .iface = "Ub", .peer = op->source, .id = op->impi, .clause = "Y.3056 10.4-5", .result = err };

	if (err == GBA_OK)
		return GBA_OK;
	log_event(LOG_L_INFO, "ub.certificate", &about, "%s",
		  err == GBA_E_STATE ? "this connection has served already" : "TLS 1.2 without extended master secret");
	return err == GBA_E_INTERNAL ? err : GBA_E_DENIED;
}

static enum gba_err request_read(struct ub_cert *place, struct ub_op *op, struct question *question)
{
	struct bytes certificate;
	enum gba_err err;

	if (!ub_path_served(op->ub->conf, http_req_target(op->req)))
		return GBA_E_NOT_FOUND;
	if (atomic_load(&op->ub->stopping))
		return GBA_E_BUSY;
	err = user_read(op);
	if (err == GBA_OK)
		err = ub_application_read(op);
	if (err == GBA_OK)
		err = certificate_read(place, op, &certificate);
	if (err == GBA_OK)
		err = material_read(op, question->material);
	if (err != GBA_OK)
		return err;
	question->certificate = BYTES(talloc_memdup(question, certificate.p, certificate.n), certificate.n);
	return question->certificate.p != NULL ? GBA_OK : GBA_E_NOMEM;
}

void ub_cert_handle(struct http_req *req, void *arg)
{
	struct ub_cert *place = arg;
	struct ub_op *op = ub_op_new(place->ub, req);
	struct question *question;
	enum gba_err err;

	if (op == NULL)
		return;
	op->by_certificate = true;
	op->place = place;
	if (!bytes_eq_str(http_req_method(req), "GET")) {
		ub_reply_method(op);
		return;
	}
	question = talloc_zero(op, struct question);
	if (question == NULL) {
		ub_reply_refuse(op, GBA_E_NOMEM, 0);
		return;
	}
	secret_guard_chunk(question);
	question->op = op;
	err = request_read(place, op, question);
	if (err == GBA_OK) {
		ask(question);
		return;
	}
	question_end(question);
	ub_reply_refuse(op, err, 0);
}
