/* SPDX-License-Identifier: Apache-2.0 */
/* RPA of the BSF's own accord: Token-Push (Y.3056 10.4-4d) and Revocation-Notice to the agents of applications. */
#include <inttypes.h>
#include <stdio.h>

#include "bsf/glue.h"
#include "bsf/release.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/trace.h"
#include "dia/y3056.h"

#define PUSH_TIMEOUT_MS 2000
#define GSID_TEXT	12

struct rpa {
	struct agents base;
	struct audit *audit;
	const struct bsf_conf *conf;
	struct metric *m_pushed, *m_push_failed, *m_revoked, *m_revoke_failed;
};

/** A message on its way; a talloc root, because it ends in another thread. */
struct rpa_call {
	struct rpa *rpa;
	bool is_push;
	char peer[FQDN_MAX + 1], corr[CORR_LEN + 1];
};

static void on_answer(void *arg, enum gba_err err, struct msg *msg)
{
	struct rpa_call *call = arg;
	struct rpa *rpa = call->rpa;
	struct log_about about = { .iface = "RPA", .peer = bytes_of(call->peer), .clause = "Y.3056 10.4-4d" };
	struct dia_result result;

	if (err == GBA_OK)
		err = dia_answer_result(msg, &result);
	if (err == GBA_OK && !dia_result_ok(&result))
		err = GBA_E_DENIED;
	if (call->is_push)
		metric_add(err == GBA_OK ? rpa->m_pushed : rpa->m_push_failed, 1);
	else
		metric_add(err == GBA_OK ? rpa->m_revoked : rpa->m_revoke_failed, 1);
	about.result = err;
	about.corr = call->corr[0] != '\0' ? call->corr : NULL;
	if (!call->is_push)
		about.clause = "Y.3056 9.4.1";
	log_event(err == GBA_OK ? LOG_L_INFO : LOG_L_WARNING, call->is_push ? "rpa.push" : "rpa.revocation", &about, "%s",
		  err == GBA_OK ? "taken" : "not taken");
	talloc_free(call);
}

static void send_to(struct rpa *rpa, const struct dia_cmd *cmd, const struct dia_field *fields, const void *in,
		    struct bytes peer, const char *corr)
{
	struct rpa_call *call = talloc_zero(NULL, struct rpa_call);
	struct bytes realm = peer;
	struct msg *msg = NULL;
	enum gba_err err;

	if (call == NULL)
		return;
	call->rpa = rpa;
	call->is_push = cmd == &rpa_tpr_cmd;
	memcpy(call->peer, peer.p, peer.n < FQDN_MAX ? peer.n : FQDN_MAX);
	if (corr != NULL)
		snprintf(call->corr, sizeof(call->corr), "%s", corr);
	dia_peer_realm(peer, call, &realm);
	err = dia_request_new(cmd, realm, peer, &msg);
	if (err == GBA_OK)
		err = dia_encode(msg, fields, in);
	if (err == GBA_OK)
		err = dia_request_send(&msg, PUSH_TIMEOUT_MS, on_answer, call);
	else if (msg != NULL)
		fd_msg_free(msg);
	if (err != GBA_OK)
		on_answer(call, err, NULL);
}

static bool rpa_able(struct agents *agents, struct bytes peer)
{
	(void)agents;
	return dia_peer_of(peer, rpa_tpr_cmd.app) == DIA_PEER_ABLE;
}

static void rpa_push(struct agents *agents, const struct push *push)
{
	const struct grant *grant = push->grant;
	struct rpa_tpr tpr = { .user_name = grant->impi, .naf_id = push->naf_id, .btid = push->btid,
			       .me_key = BYTES(grant->me_key, GBA_KS_NAF_LEN),
			       .uicc_key = grant->has_uicc_key ? BYTES(grant->uicc_key, GBA_KS_NAF_LEN) : BYTES_NONE,
			       .expires = grant->expires, .created = grant->created, .gba_type = (int32_t)grant->type,
			       .uss = grant->uss, .token_use = push->single ? Y3056_SINGLE : Y3056_MULTIPLE };
	char texts[Y3056_GSID_MAX][GSID_TEXT];
	struct bytes gsids[Y3056_GSID_MAX];
	const struct release release = { .act = "rpa.push", .naf = push->peer, .btid = push->btid, .naf_id = push->naf_id,
					 .grant = grant, .corr = push->corr };
	size_t i;

	if (release_note(((struct rpa *)agents)->audit, &release, GBA_OK) != GBA_OK)
		return; /* the agent asks when the device comes, and is told then */
	tpr.gsids = (struct dia_list){ gsids, push->gsid_n < Y3056_GSID_MAX ? push->gsid_n : Y3056_GSID_MAX };
	for (i = 0; i < tpr.gsids.n; i++) {
		snprintf(texts[i], GSID_TEXT, "%" PRIu32, push->gsids[i]);
		gsids[i] = bytes_of(texts[i]);
	}
	send_to((struct rpa *)agents, &rpa_tpr_cmd, rpa_tpr_fields, &tpr, push->peer, push->corr);
}

static void revoke_at(struct rpa *rpa, const struct revocation *revocation, struct bytes peer)
{
	struct bytes application = revocation->application;
	struct rpa_rnr rnr = { .applications = { &application, application.p != NULL ? 1 : 0 }, .kind = revocation->kind };
	size_t at;

	for (at = 0; at < revocation->digest_n; at += Y3056_DIGESTS_MAX) {
		size_t n = revocation->digest_n - at;

		rnr.digests.v = (struct bytes *)(uintptr_t)(revocation->digests + at); /* only read */
		rnr.digests.n = n < Y3056_DIGESTS_MAX ? n : Y3056_DIGESTS_MAX;
		send_to(rpa, &rpa_rnr_cmd, rpa_rnr_fields, &rnr, peer, NULL);
	}
}

static void rpa_revoke(struct agents *agents, const struct revocation *revocation)
{
	struct rpa *rpa = (struct rpa *)agents;
	const struct bsf_naf *nafs = rpa->conf->nafs.v;
	size_t i;

	for (i = 0; i < rpa->conf->nafs.n; i++) {
		if (rpa_able(agents, bytes_of(nafs[i].identity)))
			revoke_at(rpa, revocation, bytes_of(nafs[i].identity));
	}
}

enum gba_err bsf_rpa_new(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf, struct audit *audit, struct agents **_agents)
{
	static const char pushes[] = "gba_bsf_pushes_total", revocations[] = "gba_bsf_revocations_total";
	static const char push_help[] = "Tokens pushed to agents", revocation_help[] = "Revocation notices sent to agents";
	enum gba_err err = rpa_resolve();
	struct rpa *rpa;

	*_agents = NULL;
	if (err != GBA_OK)
		return err == GBA_E_NOT_FOUND ? GBA_OK : err;
	rpa = talloc_zero(mem_ctx, struct rpa);
	if (rpa == NULL)
		return GBA_E_NOMEM;
	dia_app_optional(rpa_tpr_cmd.app);
	rpa->audit = audit;
	rpa->base = (struct agents){ rpa_able, rpa_push, rpa_revoke };
	rpa->conf = conf;
	rpa->m_pushed = metric_get(pushes, push_help, METRIC_COUNTER, "result=\"taken\"");
	rpa->m_push_failed = metric_get(pushes, push_help, METRIC_COUNTER, "result=\"lost\"");
	rpa->m_revoked = metric_get(revocations, revocation_help, METRIC_COUNTER, "result=\"taken\"");
	rpa->m_revoke_failed = metric_get(revocations, revocation_help, METRIC_COUNTER, "result=\"lost\"");
	*_agents = &rpa->base;
	return GBA_OK;
}
