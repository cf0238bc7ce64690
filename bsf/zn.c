/* SPDX-License-Identifier: Apache-2.0 */
/* Zn server (TS 29.109 5.2): one Bootstrapping-Info-Request, one decision, one answer. */
#include "dia/zn.h"

#include <pthread.h>

#include "bsf/glue.h"
#include "bsf/release.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/pace.h"
#include "core/secret.h"
#include "core/trace.h"

#define LIMITED_S 10 /* [s] between two lines about the same NAF */

/** One NAF's rate, as conf->nafs. */
struct limited {
	struct pace pace;
	pthread_mutex_t lock; /* of lines */
	struct log_limit lines;
	struct metric *count;
};

struct bsf_zn {
	struct grant_parts parts;
	struct limited *limited;
	struct audit *audit;
	struct reporter *reporter; /* may be NULL */
	struct dia_service *service;
	struct metric *m_seconds, *m_results[GBA_ERR_COUNT];
};

/** One request on its way: root of all it needs; the keys are wiped by their destructors. */
struct zn_call {
	struct bsf_zn *zn;
	struct msg *msg;
	struct zn_bir bir;
	struct zn_bia bia;
	struct dia_failed failed;
	struct grant *grant;
	struct bytes naf;
	uint64_t started_us, seen_at;
	char corr[CORR_LEN + 1];
};

/* Which AVP had the value that the decision refused. */
static void failed_find(struct zn_call *call, enum gba_err err, struct dia_failed *_failed)
{
	if (err == GBA_E_BTID_SYNTAX)
		_failed->avp = dia_avp_of(call->msg, zn_bir_fields, offsetof(struct zn_bir, btid));
	else if (err == GBA_E_NAF_ID_SYNTAX)
		_failed->avp = dia_avp_of(call->msg, zn_bir_fields, offsetof(struct zn_bir, naf_id));
	else if (err == GBA_E_RANGE)
		_failed->avp = dia_avp_of(call->msg, zn_bir_fields, offsetof(struct zn_bir, gsids));
}

/* What now holds of what the NAF has declared (Y.3056 9.6.1-3). */
static struct y3056_declaration declaration_of(const struct grant *grant)
{
	const struct declaration *now = &grant->declaration;

	return (struct y3056_declaration){
		.present = grant->declared,
		.token_use = now->single ? Y3056_SINGLE : Y3056_MULTIPLE,
		.flag = now->cleared ? Y3056_CLEARED : Y3056_SET,
		.ua_protocols = now->ua_n > 0 ? BYTES(now->ua_ids, now->ua_n * UA_ID_LEN) : BYTES_NONE,
		.address = now->address[0] != '\0' ? bytes_of(now->address) : BYTES_NONE,
		.mechanisms = now->mechanisms[0] != '\0' ? bytes_of(now->mechanisms) : BYTES_NONE,
	};
}

static void bia_fill(const struct grant *grant, struct zn_bia *_bia)
{
	*_bia = (struct zn_bia){
		.user_name = grant->impi,
		.me_key = BYTES(grant->me_key, GBA_KS_NAF_LEN),
		.uicc_key = grant->has_uicc_key ? BYTES(grant->uicc_key, GBA_KS_NAF_LEN) : BYTES_NONE,
		.expires = grant->expires,
		.created = grant->created,
		.uss = grant->uss,
		.gba_type = grant->type == CTX_2G_GBA ? ZN_TYPE_2G_GBA : ZN_TYPE_3G_GBA,
		.declaration = declaration_of(grant),
	};
}

static void trace_both(const struct zn_call *call, enum gba_err err)
{
	struct trace_step step = { .at = call->seen_at, .corr = call->corr[0] != '\0' ? call->corr : NULL, .from = "naf-agent",
				   .to = "bsf", .iface = "Zn", .clause = "Y.3056 10.4-4d", .message = "BIR", .id = call->naf };
	char message[96];

	if (!trace_on())
		return;
	trace_step(&step);
	snprintf(message, sizeof(message), "BIA %s", gba_err_diameter(err));
	step.at = 0;
	step.from = "bsf";
	step.to = "naf-agent";
	step.message = message;
	trace_step(&step);
}

static void log_decision(const struct zn_call *call, enum gba_err err)
{
	struct log_about about = { .iface = "Zn", .corr = call->corr[0] != '\0' ? call->corr : NULL, .peer = call->naf,
				   .id = call->bir.btid, .clause = "TS 29.109 5.2", .result = err };

	log_event(LOG_L_INFO, "zn.bir", &about, "%s", err == GBA_OK ? "key given" : "no key");
}

static struct declared_words words_of(const struct y3056_declaration *said)
{
	return (struct declared_words){
		.single = said->token_use == DIA_NO_ENUM ? -1 : said->token_use == Y3056_SINGLE,
		.cleared = said->flag == DIA_NO_ENUM ? -1 : said->flag == Y3056_CLEARED,
		.ua_ids = said->ua_protocols,
		.address = said->address,
		.mechanisms = said->mechanisms,
	};
}

static enum gba_err decide(struct zn_call *call)
{
	struct grant_request request;
	struct declared_words words;
	enum gba_err err;

	err = dia_decode(call, call->msg, zn_bir_fields, &call->bir, &call->failed);
	if (err != GBA_OK)
		return err;
	if (call->bir.gba_u_aware != DIA_NO_ENUM && call->bir.gba_u_aware != ZN_GBA_U_UNAWARE &&
	    call->bir.gba_u_aware != ZN_GBA_U_AWARE) {
		call->failed.avp = dia_avp_of(call->msg, zn_bir_fields, offsetof(struct zn_bir, gba_u_aware));
		return GBA_E_AVP_VALUE;
	}
	request = (struct grant_request){ .naf = call->naf, .btid = call->bir.btid, .naf_id = call->bir.naf_id,
					  .gsids = call->bir.gsids.v, .gsid_n = call->bir.gsids.n,
					  .gba_u_aware = call->bir.gba_u_aware == ZN_GBA_U_AWARE };
	if (call->bir.declaration.present) {
		words = words_of(&call->bir.declaration);
		request.words = &words;
	}
	err = grant_decide(call, &call->zn->parts, &request, clock_now(), &call->grant, call->corr);
	if (err != GBA_OK)
		failed_find(call, err, &call->failed);
	return err;
}

static enum gba_err released(const struct zn_call *call, enum gba_err err)
{
	const struct release release = { .act = "zn.key", .naf = call->naf, .btid = call->bir.btid, .naf_id = call->bir.naf_id,
					 .grant = err == GBA_OK ? call->grant : NULL, .corr = call->corr };

	return release_note(call->zn->audit, &release, err);
}

/* The application has it from now on. */
static void report(const struct zn_call *call)
{
	const struct report what = { .btid = call->bir.btid, .impi = call->grant->owner, .made = call->grant->created,
				     .expires = call->grant->expires,
				     .application = BYTES(call->bir.naf_id.p, call->bir.naf_id.n - UA_ID_LEN) };

	reporter_add(call->zn->reporter, &what);
}

static void answer(struct zn_call *call, enum gba_err err)
{
	struct bsf_zn *zn = call->zn;
	uint64_t started_us = call->started_us;

	err = released(call, err);
	if (err == GBA_OK) {
		bia_fill(call->grant, &call->bia);
		report(call);
	}
	log_decision(call, err); /* before the answer goes: the views end with the request */
	trace_both(call, err);
	dia_answer_send(&call->msg, err, &call->failed, zn_bia_fields, &call->bia);
	talloc_free(call);
	metric_add(zn->m_results[err], 1);
	metric_observe_us(zn->m_seconds, clock_mono_us() - started_us);
}

/* The key goes when it is on record that the B-TID is this application's alone. */
static void on_claimed(void *arg, enum gba_err err)
{
	struct zn_call *call = arg;

	if (err == GBA_E_EXISTS)
		err = grant_claimed(call, &call->zn->parts, call->grant, clock_now());
	answer(call, err);
}

/* Before anything is looked at: whoever asks too much costs as little as can be, and nobody else anything. */
static bool limit(struct bsf_zn *zn, struct bytes naf)
{
	const struct bsf_naf *rows = zn->parts.conf->nafs.v, *row = bsf_conf_naf(zn->parts.conf, naf);
	struct log_about about = { .iface = "Zn", .peer = naf, .clause = "TS 29.109 5.2", .result = GBA_E_BUSY };
	struct limited *limited;
	bool line;

	if (row == NULL || row->rate == 0)
		return false;
	limited = &zn->limited[row - rows];
	if (pace_allow(&limited->pace, row->rate, row->burst, clock_mono_us()))
		return false;
	metric_add(limited->count, 1);
	pthread_mutex_lock(&limited->lock);
	line = log_limit_pass(&limited->lines, LIMITED_S);
	pthread_mutex_unlock(&limited->lock);
	if (line)
		log_event(LOG_L_WARNING, "zn.limited", &about, "more than its %u requests a second", row->rate);
	return true;
}

static void on_bir(struct msg *msg, void *arg)
{
	struct zn_call *call = talloc_zero(NULL, struct zn_call);
	struct bsf_zn *zn = arg;
	struct ctx_store *store = zn->parts.store;
	enum gba_err err;

	err = call == NULL ? GBA_E_NOMEM : limit(zn, dia_origin_host(msg)) ? GBA_E_BUSY : GBA_OK;
	if (err != GBA_OK) {
		dia_answer_send(&msg, err, NULL, NULL, NULL);
		metric_add(zn->m_results[err], 1);
		talloc_free(call);
		return;
	}
	call->zn = zn;
	call->msg = msg;
	call->naf = dia_origin_host(msg);
	call->started_us = clock_mono_us();
	call->seen_at = trace_on() ? trace_now() : 0;
	call->bia.gba_type = DIA_NO_ENUM;
	err = decide(call);
	if (err != GBA_OK || call->grant->claim == NULL) {
		answer(call, err);
		return;
	}
	err = store->ops->put(store, call, call->grant->claim, on_claimed, call);
	if (err != GBA_OK)
		answer(call, err);
}

static void metrics_make(struct bsf_zn *zn)
{
	int i;

	for (i = 0; i < GBA_ERR_COUNT; i++) {
		char labels[96] = "";

		metric_label(labels, sizeof(labels), "result", gba_err_diameter((enum gba_err)i));
		zn->m_results[i] = metric_get("gba_bsf_zn_requests_total", "Requests on Zn by result", METRIC_COUNTER, labels);
	}
	zn->m_seconds = metric_get("gba_bsf_zn_seconds", "From a request on Zn to its answer", METRIC_HISTOGRAM, "");
}

static bool limits_make(struct bsf_zn *zn)
{
	const struct conf_groups *nafs = &zn->parts.conf->nafs;
	size_t i;

	zn->limited = talloc_zero_array(zn, struct limited, nafs->n);
	for (i = 0; zn->limited != NULL && i < nafs->n; i++) {
		const struct bsf_naf *naf = (const struct bsf_naf *)nafs->v + i;
		char labels[FQDN_MAX + 16] = "";

		pthread_mutex_init(&zn->limited[i].lock, NULL);
		if (naf->rate == 0)
			continue;
		metric_label(labels, sizeof(labels), "naf", naf->identity);
		zn->limited[i].count = metric_get("gba_bsf_zn_limited_total", "Requests of a NAF beyond its rate", METRIC_COUNTER,
						  labels);
	}
	return zn->limited != NULL;
}

enum gba_err bsf_zn_start(TALLOC_CTX *mem_ctx, const struct grant_parts *parts, struct audit *audit, struct reporter *reporter,
			  struct bsf_zn **_zn)
{
	struct bsf_zn *zn = talloc_zero(mem_ctx, struct bsf_zn);
	enum gba_err err;

	if (zn == NULL)
		return GBA_E_NOMEM;
	zn->parts = *parts;
	zn->audit = audit;
	zn->reporter = reporter;
	metrics_make(zn);
	if (!limits_make(zn)) {
		talloc_free(zn);
		return GBA_E_NOMEM;
	}
	err = dia_serve(zn, &zn_bir_cmd, on_bir, zn, &zn->service);
	if (err != GBA_OK) {
		talloc_free(zn);
		return err;
	}
	*_zn = zn;
	return GBA_OK;
}

void bsf_zn_stop(struct bsf_zn *zn)
{
	dia_serve_stop(zn->service);
	talloc_free(zn);
}
