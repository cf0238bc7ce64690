/* SPDX-License-Identifier: Apache-2.0 */
/* Zn server (TS 29.109 5.2): one Bootstrapping-Info-Request, one decision, one answer. */
#include "dia/zn.h"

#include "bsf/glue.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/secret.h"
#include "core/trace.h"

struct bsf_zn {
	struct grant_parts parts;
	struct dia_service *service;
	struct metric *m_seconds, *m_results[GBA_ERR_COUNT];
};

/** One request on its way. */
struct zn_call {
	struct msg *msg;
	struct zn_bir bir;
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

static enum gba_err decide(TALLOC_CTX *mem_ctx, struct bsf_zn *zn, struct zn_call *call, struct zn_bia *_bia,
			   struct dia_failed *_failed)
{
	struct grant_request request;
	struct grant *grant;
	enum gba_err err;

	err = dia_decode(mem_ctx, call->msg, zn_bir_fields, &call->bir, _failed);
	if (err != GBA_OK)
		return err;
	if (call->bir.gba_u_aware != DIA_NO_ENUM && call->bir.gba_u_aware != ZN_GBA_U_UNAWARE &&
	    call->bir.gba_u_aware != ZN_GBA_U_AWARE) {
		_failed->avp = dia_avp_of(call->msg, zn_bir_fields, offsetof(struct zn_bir, gba_u_aware));
		return GBA_E_AVP_VALUE;
	}
	request = (struct grant_request){ .naf = call->naf, .btid = call->bir.btid, .naf_id = call->bir.naf_id,
					  .gsids = call->bir.gsids.v, .gsid_n = call->bir.gsids.n,
					  .gba_u_aware = call->bir.gba_u_aware == ZN_GBA_U_AWARE };
	err = grant_decide(mem_ctx, &zn->parts, &request, clock_now(), &grant, call->corr);
	if (err != GBA_OK) {
		failed_find(call, err, _failed);
		return err;
	}
	bia_fill(grant, _bia);
	return GBA_OK;
}

static void on_bir(struct msg *msg, void *arg)
{
	struct zn_call call = { .msg = msg, .naf = dia_origin_host(msg), .started_us = clock_mono_us(),
				.seen_at = trace_on() ? trace_now() : 0 };
	struct dia_failed failed = { NULL, NULL, NULL };
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct bsf_zn *zn = arg;
	struct zn_bia bia = { .gba_type = DIA_NO_ENUM };
	enum gba_err err = GBA_E_NOMEM;

	if (mem_ctx != NULL)
		err = decide(mem_ctx, zn, &call, &bia, &failed);
	log_decision(&call, err); /* before the answer goes: the views end with the request */
	trace_both(&call, err);
	dia_answer_send(&msg, err, &failed, zn_bia_fields, &bia);
	talloc_free(mem_ctx); /* the keys are wiped by their destructors */
	metric_add(zn->m_results[err], 1);
	metric_observe_us(zn->m_seconds, clock_mono_us() - call.started_us);
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

enum gba_err bsf_zn_start(TALLOC_CTX *mem_ctx, const struct grant_parts *parts, struct bsf_zn **_zn)
{
	struct bsf_zn *zn = talloc_zero(mem_ctx, struct bsf_zn);
	enum gba_err err;

	if (zn == NULL)
		return GBA_E_NOMEM;
	zn->parts = *parts;
	metrics_make(zn);
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
