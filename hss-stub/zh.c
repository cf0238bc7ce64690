/* SPDX-License-Identifier: Apache-2.0 */
/* One Multimedia-Auth-Request, one decision, one answer, one log line. The dispatch thread decodes and asks the AuC,
 * which serves from its cache at once or calls back from its own thread: nothing here waits. */
#include "dia/zh.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/trace.h"
#include "hss-stub/rpb.h"
#include "hss-stub/zh.h"

struct hss_zh {
	const struct hss_conf *conf;
	struct auc *auc;
	struct audit *audit;
	struct permissions *permissions;
	struct dia_service *service;
	struct metric *seconds, *results[GBA_ERR_COUNT];
};

/** A request on its way: root of everything it needs. */
struct zh_call {
	struct hss_zh *zh;
	struct msg *msg;
	struct bytes bsf;
	struct zh_mar mar;
	struct y3056_permission permission; /* of the application the UE has named */
	struct dia_failed failed;
	uint64_t started_us, seen_at;
	struct auc_job *job;
};

static void count(struct hss_zh *zh, enum gba_err err, uint64_t us)
{
	struct metric *result = __atomic_load_n(&zh->results[err], __ATOMIC_RELAXED);
	char labels[64] = "";

	if (result == NULL) { /* two threads get the same one */
		metric_label(labels, sizeof(labels), "result", err == GBA_OK ? "ok" : gba_err_name(err));
		result = metric_get("gba_hss_zh_requests_total", "Multimedia-Auth-Requests answered.", METRIC_COUNTER,
				    labels);
		__atomic_store_n(&zh->results[err], result, __ATOMIC_RELAXED);
	}
	metric_add(result, 1);
	metric_observe_us(zh->seconds, us);
}

static void trace(const struct zh_call *call, enum gba_err err, const char *corr)
{
	bool resync = call->mar.auth.authorization.p != NULL;
	struct trace_step asked = { .at = call->seen_at,
				    .corr = corr,
				    .from = "bsf",
				    .to = "hss-stub",
				    .iface = "Zh",
				    .clause = "Y.3056 10.4-1b",
				    .message = resync ? "MAR resynchronise" : "MAR",
				    .id = call->mar.user_name };
	struct trace_step answered = { .corr = corr,
				       .from = "hss-stub",
				       .to = "bsf",
				       .iface = "Zh",
				       .clause = "Y.3056 10.4-1c",
				       .id = call->mar.user_name };
	char message[80];

	if (!trace_on())
		return;
	if (err == GBA_OK)
		snprintf(message, sizeof(message), "MAA vector%s", call->job->guss.p != NULL ? " GUSS" : "");
	else
		snprintf(message, sizeof(message), "MAA %s", gba_err_diameter(err));
	answered.message = message;
	trace_step(&asked);
	trace_step(&answered);
	if (err != GBA_OK || !call->permission.present)
		return;
	asked.clause = "Y.3056 10.4-3a";
	asked.message = "permission, asked in the MAR";
	answered.clause = "Y.3056 10.4-3b";
	answered.message = call->permission.flag == Y3056_SET ? "flag set, told in the MAA" : "flag cleared, told in the MAA";
	trace_step(&asked);
	trace_step(&answered);
}

static enum log_level level_of(enum gba_err err)
{
	switch (err) {
	case GBA_OK: return LOG_L_INFO;
	case GBA_E_NOMEM:
	case GBA_E_INTERNAL:
	case GBA_E_IO:
	case GBA_E_NOSPACE:
	case GBA_E_CORRUPT:
	case GBA_E_CONF:
	case GBA_E_SQN_USED_UP: return LOG_L_ERROR;
	default: return LOG_L_WARNING;
	}
}

static const char *what_happened(const struct zh_call *call, enum gba_err err)
{
	if (err == GBA_E_DENIED)
		return "this node may not ask for this realm: see bsfs";
	if (err == GBA_E_CONF)
		return "ind of this BSF does not fit the subscriber's IND bits";
	if (err != GBA_OK)
		return gba_strerror(err);
	if (call->mar.auth.authorization.p != NULL)
		return "resynchronised, vector";
	return call->job->guss.p != NULL ? "vector and GUSS" : "vector";
}

static void note(const struct zh_call *call, enum gba_err err)
{
	char corr[CORR_LEN + 1];
	struct log_about about = { .iface = "Zh",
				   .peer = call->bsf,
				   .id = call->mar.user_name,
				   .result = err,
				   .clause = call->mar.auth.authorization.p != NULL ? "TS 33.102 6.3.5"
										    : "TS 29.109 4.2" };

	if (err == GBA_OK) {
		corr_from_rand(call->job->vector.rand, corr);
		about.corr = corr;
	}
	log_event(level_of(err), "zh.mar", &about, "%s", what_happened(call, err));
	trace(call, err, about.corr);
	count(call->zh, err, clock_mono_us() - call->started_us);
}

/* Key material leaves only when it is on record who got it, and refusals of an authenticated BSF are, too. */
static enum gba_err audit(const struct zh_call *call, enum gba_err err)
{
	struct audit_entry entry = { .act = "zh.vector",
				     .role = "bsf",
				     .who = call->bsf,
				     .object = call->mar.user_name,
				     .why = bytes_of(call->mar.auth.authorization.p != NULL ? "TS 33.102 6.3.5" : "TS 29.109 4.2"),
				     .result = err };
	char corr[CORR_LEN + 1];
	enum gba_err noted;

	if (err == GBA_OK) {
		corr_from_rand(call->job->vector.rand, corr);
		entry.corr = corr;
	}
	if (err != GBA_OK && err != GBA_E_DENIED && err != GBA_E_AUTS)
		return err; /* an unknown user is nobody's secret, and a flood of them must not fill the disk */
	noted = audit_note(call->zh->audit, &entry);
	return err == GBA_OK ? noted : err;
}

static void answer(struct zh_call *call, enum gba_err err)
{
	const struct aka_vector *v = &call->job->vector;
	uint8_t rand_autn[ZH_AUTHENTICATE_LEN];
	struct zh_maa maa = { .user_name = call->mar.user_name, .public_identity = call->mar.public_identity };

	err = audit(call, err);
	if (err == GBA_OK) {
		memcpy(rand_autn, v->rand, AKA_RAND_LEN);
		memcpy(rand_autn + AKA_RAND_LEN, v->autn, AKA_AUTN_LEN);
		maa.auth = (struct zh_auth_item){ .present = true,
						  .item_number = DIA_NO_U32,
						  .scheme = bytes_of(ZH_SCHEME_AKAV1),
						  .authenticate = BYTES(rand_autn, sizeof(rand_autn)),
						  .authorization = BYTES(v->xres, v->xres_len),
						  .ck = BYTES(v->ck, AKA_CK_LEN),
						  .ik = BYTES(v->ik, AKA_IK_LEN) };
		maa.guss = call->job->guss;
		maa.permission = call->permission;
	}
	note(call, err); /* before: the views into the request end with it */
	dia_answer_send(&call->msg, err, &call->failed, zh_maa_fields, &maa);
	talloc_free(call);
}

static void on_vector(struct auc_job *job)
{
	answer(job->arg, job->err);
}

static enum gba_err fail_on(struct zh_call *call, enum gba_err err, struct avp *avp)
{
	call->failed.avp = avp;
	return err;
}

/* What the grammar cannot say: who may ask, and values (TS 29.109 4.2, TS 29.229 6.3.9, 6.3.11). */
static enum gba_err check(struct zh_call *call, unsigned int *_ind)
{
	const struct zh_auth_item *auth = &call->mar.auth;
	enum gba_err err;

	if (!impi_valid(call->mar.user_name))
		return fail_on(call, GBA_E_IMPI_SYNTAX,
			       dia_avp_of(call->msg, zh_mar_fields, offsetof(struct zh_mar, user_name)));
	err = hss_admit(call->zh->conf, call->bsf, call->mar.user_name, _ind);
	if (err != GBA_OK)
		return err;
	if (auth->scheme.p != NULL && !bytes_eq_nocase(auth->scheme, bytes_of(ZH_SCHEME_AKAV1)))
		return GBA_E_AUTH_SCHEME;
	if (auth->authorization.p != NULL && auth->authorization.n != ZH_RESYNC_LEN)
		return fail_on(call, GBA_E_AVP_LENGTH,
			       dia_avp_within(dia_avp_of(call->msg, zh_mar_fields, offsetof(struct zh_mar, auth.present)),
					      auth->authorization));
	return GBA_OK;
}

/* With the vector, so that it costs no message of its own (Y.3056 10.4-3a, 3b). */
static void permission_find(struct zh_call *call)
{
	struct bytes fqdn = call->mar.application;
	struct grant *grant = NULL;
	enum gba_err err;

	if (fqdn.p == NULL || call->zh->permissions == NULL || !fqdn_valid(fqdn))
		return;
	err = permissions_find(call->zh->permissions, call, call->mar.user_name, fqdn, &grant);
	(void)hss_rpb_permission(call, err, grant, &call->permission);
}

static void ask(struct zh_call *call, unsigned int ind)
{
	struct auc_job *job = call->job;

	permission_find(call);
	job->impi = call->mar.user_name;
	job->impu = call->mar.public_identity;
	job->ind = ind;
	job->resync = call->mar.auth.authorization;
	job->guss_held = call->mar.guss_timestamp;
	job->done = on_vector;
	job->arg = call;
	auc_submit(call->zh->auc, job);
}

static void on_mar(struct msg *request, void *arg)
{
	struct zh_call *call = talloc_zero(NULL, struct zh_call);
	unsigned int ind = 0;
	enum gba_err err;

	if (call != NULL)
		call->job = talloc_zero(call, struct auc_job);
	if (call == NULL || call->job == NULL) {
		dia_answer_send(&request, GBA_E_NOMEM, NULL, NULL, NULL);
		talloc_free(call);
		return;
	}
	secret_guard_chunk(call->job);
	call->zh = arg;
	call->msg = request;
	call->started_us = clock_mono_us();
	call->seen_at = trace_now();
	call->bsf = dia_origin_host(request);
	err = dia_decode(call, request, zh_mar_fields, &call->mar, &call->failed);
	if (err == GBA_OK)
		err = check(call, &ind);
	if (err != GBA_OK)
		answer(call, err);
	else
		ask(call, ind);
}

enum gba_err hss_zh_start(TALLOC_CTX *mem_ctx, const struct hss_zh_parts *parts, struct hss_zh **_zh)
{
	struct hss_zh *zh = talloc_zero(mem_ctx, struct hss_zh);
	enum gba_err err;

	if (zh == NULL)
		return GBA_E_NOMEM;
	zh->conf = parts->conf;
	zh->auc = parts->auc;
	zh->audit = parts->audit;
	zh->permissions = parts->permissions;
	zh->seconds = metric_get("gba_hss_zh_duration_seconds", "From a Multimedia-Auth-Request to its answer.",
				 METRIC_HISTOGRAM, "");
	err = dia_serve(zh, &zh_mar_cmd, on_mar, zh, &zh->service);
	if (err != GBA_OK) {
		talloc_free(zh);
		return err;
	}
	*_zh = zh;
	return GBA_OK;
}

void hss_zh_stop(struct hss_zh *zh)
{
	dia_serve_stop(zh->service);
	zh->service = NULL;
}
