/* SPDX-License-Identifier: Apache-2.0 */
/* Serving Operator-Change-Requests: the old operator's part, and first tokens that our own BSFs report. */
#include <errno.h>
#include <time.h>

#include "audit/audit.h"
#include "core/clock.h"
#include "core/trace.h"
#include "hss-stub/hss.h"
#include "hss-stub/opc_priv.h"

#define JOBS_MAX 256

static const char *const step_names[] = { [OPC_KEYS] = "change.keys",
					  [OPC_DONE] = "change.done",
					  [OPC_CANCEL] = "change.cancel",
					  [OPC_TOKEN] = "change.token",
					  [OPC_RELEASE] = "change.release" };

void opc_note(const char *what, struct bytes peer, struct bytes id, enum gba_err err, const char *text)
{
	struct log_about about = { .iface = "OPC", .peer = peer, .id = id, .clause = "Y.3056 10.6", .result = err };

	log_event(err == GBA_OK ? LOG_L_INFO : LOG_L_WARNING, what, &about, "%s", text);
}

void opc_trace(uint64_t at, const char *from, const char *to, const char *iface, const char *clause, const char *message,
	       struct bytes id)
{
	struct trace_step step = { .at = at, .from = from, .to = to, .iface = iface, .clause = clause, .message = message };

	step.id = id;
	if (trace_on())
		trace_step(&step);
}

bool opc_pause(struct hss_opc *opc, unsigned int ms)
{
	const struct timespec end = clock_mono_after(ms);
	bool stopping;

	pthread_mutex_lock(&opc->lock);
	while (!opc->stopping && pthread_cond_timedwait(&opc->tick, &opc->lock, &end) != ETIMEDOUT)
		;
	stopping = opc->stopping;
	pthread_mutex_unlock(&opc->lock);
	return !stopping;
}

static const char *clause_of(const struct opc_ocr *ocr)
{
	bool symmetric = ocr->kind == KEY_UPDATE_SYMMETRIC;

	if (ocr->step == OPC_DONE)
		return symmetric ? "Y.3056 10.6.1-5" : "Y.3056 10.6.2-5";
	if (ocr->step == OPC_RELEASE)
		return "Y.3056 10.6.2-4";
	return symmetric ? "Y.3056 10.6.1-3" : "Y.3056 10.6.2-3";
}

/* What the old operator's node shows of a message it has served. */
static void trace_served(uint64_t at, const struct opc_ocr *ocr, enum gba_err err)
{
	static const struct {
		const char *asked, *answered[2];
	} texts[] = { /* answered: symmetric, asymmetric */
		[OPC_KEYS] = { "OCR keys", { "OCA wrapped key", "OCA signed update" } },
		[OPC_DONE] = { "OCR first token generated", { "OCA old keys erased", "OCA account closed" } },
		[OPC_CANCEL] = { "OCR cancel", { "OCA", "OCA" } },
		[OPC_RELEASE] = { "OCR the device has shown its certificate", { "OCA", "OCA device certificate" } },
	};
	const char *answered = texts[ocr->step].answered[ocr->kind == KEY_UPDATE_ASYMMETRIC];

	opc_trace(at, "hss-new", "hss-old", "OPC", clause_of(ocr), texts[ocr->step].asked, ocr->user_name);
	opc_trace(0, "hss-old", "hss-new", "OPC", clause_of(ocr), err != GBA_OK ? gba_err_diameter(err) : answered, ocr->user_name);
}

/* Before the answer leaves: to whom and why something was released (never the key). */
static enum gba_err audit_served(struct hss_opc *opc, const struct opc_ocr *ocr, struct bytes peer, enum gba_err err)
{
	struct audit_entry entry = { .act = step_names[ocr->step], .role = "hss", .who = peer, .object = ocr->user_name };

	entry.why = bytes_of(clause_of(ocr));
	entry.result = err;
	entry.durable = true;
	return audit_note(opc->audit, &entry);
}

static const struct change_peer *peer_of(const struct hss_opc *opc, struct bytes host)
{
	size_t i;

	for (i = 0; i < opc->change->peer_n; i++) {
		if (bytes_eq_nocase(bytes_of(opc->change->peers[i].host), host))
			return &opc->change->peers[i];
	}
	return NULL;
}

static enum gba_err serve_operator(struct hss_opc *opc, TALLOC_CTX *ctx, const struct opc_ocr *ocr, struct bytes host,
				   struct opc_oca *oca)
{
	const struct change_peer *peer = peer_of(opc, host);
	struct change_request_in in = { .step = ocr->step, .kind = ocr->kind, .impi = ocr->user_name };
	struct change_answer answer;
	enum gba_err err;

	if (peer == NULL)
		return GBA_E_DENIED;
	in.origin = bytes_of(peer->realm);
	in.change_id = ocr->change_id;
	in.operator_key = ocr->operator_key;
	in.new_impi = ocr->new_impi;
	in.bsf = ocr->bsf;
	in.digest = ocr->digest;
	in.signature = ocr->signature;
	err = change_serve(opc->serving, ctx, &in, clock_now(), &answer);
	if (err == GBA_OK)
		*oca = (struct opc_oca){ answer.wrapped, answer.counter, answer.update, answer.certificate };
	return err;
}

/* 10.6.1-4: one of our BSFs has given a changing device its first token. */
static enum gba_err serve_token(struct hss_opc *opc, const struct opc_ocr *ocr, struct bytes host, uint64_t at)
{
	enum key_update_kind kind = KEY_UPDATE_SYMMETRIC;
	char impi[IMPI_MAX + 1];
	unsigned int ind;
	enum gba_err err;

	err = hss_admit(opc->conf, host, ocr->user_name, &ind);
	if (err == GBA_OK)
		err = subscriber_impi(ocr->user_name, impi);
	if (err == GBA_OK)
		err = change_first_token(opc->serving, bytes_of(impi), clock_now(), &kind);
	if (err == GBA_OK)
		opc_trace(at, "bsf", "hss-new", "OPC", kind == KEY_UPDATE_SYMMETRIC ? "Y.3056 10.6.1-4" : "Y.3056 10.6.2-4n",
			  "OCR first token", ocr->user_name);
	return err;
}

static void serve(void *arg, struct msg *msg, uint64_t seen_at)
{
	struct hss_opc *opc = arg;
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct bytes host = dia_origin_host(msg);
	struct opc_oca oca = { BYTES_NONE, BYTES_NONE, BYTES_NONE, BYTES_NONE };
	struct dia_failed failed = { NULL, NULL, NULL };
	struct opc_ocr ocr = { .step = 0 };
	enum gba_err err = ctx != NULL ? dia_decode(ctx, msg, opc_ocr_fields, &ocr, &failed) : GBA_E_NOMEM;
	bool known = err == GBA_OK && ocr.step >= OPC_KEYS && ocr.step <= OPC_RELEASE;

	if (err == GBA_OK && !known)
		err = GBA_E_AVP_VALUE;
	if (known && ocr.step == OPC_TOKEN)
		err = serve_token(opc, &ocr, host, seen_at);
	else if (known)
		err = serve_operator(opc, ctx, &ocr, host, &oca);
	if (known && ocr.step != OPC_TOKEN) {
		enum gba_err noted = audit_served(opc, &ocr, host, err);

		err = err == GBA_OK ? noted : err;
		trace_served(seen_at, &ocr, err);
	}
	opc_note(known ? step_names[ocr.step] : "change.request", host, ocr.user_name, err, gba_strerror(err));
	dia_answer_send(&msg, err, &failed, opc_oca_fields, &oca);
	talloc_free(ctx);
}

static void prepare_locks(struct hss_opc *opc)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&opc->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&opc->tick, &attr);
	pthread_condattr_destroy(&attr);
}

static enum gba_err start_threads(struct hss_opc *opc)
{
	const struct serial_conf serial = { &opc_ocr_cmd, opc_oca_fields, JOBS_MAX, serve, opc };

	if (pthread_create(&opc->asker, NULL, opc_ask_main, opc) != 0)
		return GBA_E_NOMEM;
	opc->started = true;
	return serial_start(opc, &serial, &opc->serial);
}

enum gba_err hss_opc_start(TALLOC_CTX *mem_ctx, const struct hss_conf *conf, struct kek *kek, struct audit *audit,
			   struct hss_opc **_opc, const char **_error)
{
	struct hss_opc *opc = talloc_zero(mem_ctx, struct hss_opc);
	enum gba_err err;

	*_error = gba_strerror(GBA_E_NOMEM);
	if (opc == NULL)
		return GBA_E_NOMEM;
	opc->conf = conf;
	opc->audit = audit;
	prepare_locks(opc);
	err = opc_resolve();
	if (err != GBA_OK) {
		*_error = "changes of operator: load dict_y3056.fdx before hss_stub.fdx";
		return err;
	}
	err = change_conf_read(opc, conf, fd_g_config->cnf_diamrlm, &opc->change, _error);
	if (err == GBA_OK && conf->api.rest.ca_dir[0] != '\0')
		err = ca_open(opc, conf->api.rest.ca_dir, &opc->ca, _error);
	if (err == GBA_OK)
		err = changes_open(opc, conf->database, kek, opc->change, &opc->asking, _error);
	if (err == GBA_OK)
		err = changes_open(opc, conf->database, kek, opc->change, &opc->serving, _error);
	if (err == GBA_OK)
		err = start_threads(opc);
	*_opc = opc;
	return err;
}

void hss_opc_stop(struct hss_opc *opc)
{
	serial_stop(opc->serial);
	pthread_mutex_lock(&opc->lock);
	opc->stopping = true;
	pthread_cond_broadcast(&opc->tick);
	pthread_mutex_unlock(&opc->lock);
	if (!opc->started)
		return;
	dia_requests_stop(); /* a question under way gets its answer now */
	pthread_join(opc->asker, NULL);
}
