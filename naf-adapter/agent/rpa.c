/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/rpa.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/trace.h"
#include "dia/y3056.h"
#include "dia/zn.h"

#define GSID_DIGITS 10

static struct {
	bool loaded;
	const struct agent_conf *conf;
	struct local *local;
	struct dia_service *pushes, *revocations;
} rpa;

/* Whose keys are wanted: names of clients, which change under way. */
static struct {
	pthread_mutex_t lock;
	struct agent_conf conf;
	TALLOC_CTX *names; /* that its clients are below; NULL: as at the start */
} serves = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool rpa_renew(const struct conf_groups *clients)
{
	TALLOC_CTX *names = talloc_new(NULL), *before;
	struct conf_groups copy;

	if (names == NULL || !clients_copy(names, clients, &copy)) {
		talloc_free(names);
		return false;
	}
	pthread_mutex_lock(&serves.lock);
	before = serves.names;
	serves.names = names;
	serves.conf.clients = copy;
	pthread_mutex_unlock(&serves.lock);
	talloc_free(before);
	return true;
}

enum gba_err rpa_load(void)
{
	enum gba_err err = rpa_resolve();

	rpa.loaded = err == GBA_OK;
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

bool rpa_spoken(void)
{
	return rpa.loaded && dia_peer_ready(rpa_tpr_cmd.app);
}

static void trace_both(struct msg *msg, struct bytes btid, const char *asked, const char *answered, enum gba_err err)
{
	struct trace_step step = { .from = "bsf", .to = "naf-agent", .iface = "RPA", .clause = asked, .id = dia_origin_host(msg) };
	char corr[CORR_LEN + 1], message[96];
	uint8_t rand[RAND_LEN];

	if (!trace_on())
		return;
	if (btid.p != NULL && btid_parse(btid, rand, NULL) == GBA_OK) {
		corr_from_rand(rand, corr);
		step.corr = corr;
	}
	step.message = btid.p != NULL ? "TPR token" : "RNR";
	trace_step(&step);
	snprintf(message, sizeof(message), "%s %s", btid.p != NULL ? "TPA" : "RNA", gba_err_diameter(err));
	step.from = "naf-agent";
	step.to = "bsf";
	step.clause = answered;
	step.message = message;
	trace_step(&step);
}

/* ---- Token-Push ---- */

static bool gsids_read(const struct dia_list *texts, struct agent_push *push)
{
	char text[GSID_DIGITS + 1];
	size_t i, k;

	for (i = 0; i < texts->n && i < GBA_NAF_GSID_MAX; i++) {
		struct bytes t = texts->v[i];

		if (t.n == 0 || t.n > GSID_DIGITS)
			return false;
		for (k = 0; k < t.n && isdigit(t.p[k]); k++)
			text[k] = (char)t.p[k];
		text[k] = '\0';
		if (k < t.n || strtoul(text, NULL, 10) > UINT32_MAX)
			return false;
		push->gsids[i] = (uint32_t)strtoul(text, NULL, 10);
	}
	push->gsid_count = i;
	return i == texts->n;
}

static bool push_copy(struct agent_push *push, const struct rpa_tpr *tpr, struct msg *msg)
{
	struct zn_answer *a = push->answer;

	a->code = 2001; /* judged as the answer it stands for */
	a->expires = tpr->expires;
	a->created = tpr->created;
	a->gba_type = tpr->gba_type == DIA_NO_ENUM ? -1 : tpr->gba_type;
	return zn_answer_copy(a, dia_origin_host(msg), &a->origin_host) &&
	       zn_answer_copy(a, dia_origin_realm(msg), &a->origin_realm) &&
	       zn_answer_copy(a, tpr->user_name, &a->impi) && zn_answer_copy(a, tpr->me_key, &a->me_key) &&
	       zn_answer_copy(a, tpr->uicc_key, &a->uicc_key) && zn_answer_copy(a, tpr->uss, &a->uss) &&
	       zn_answer_copy(push, tpr->btid, &push->btid) && zn_answer_copy(push, tpr->naf_id, &push->naf_id);
}

static enum gba_err push_read(struct agent_push *push, struct msg *msg, struct rpa_tpr *tpr, struct dia_failed *_failed)
{
	enum gba_err err;

	err = dia_decode(push, msg, rpa_tpr_fields, tpr, _failed);
	if (err != GBA_OK)
		return err;
	if (!push_copy(push, tpr, msg))
		return GBA_E_NOMEM;
	if (!gsids_read(&tpr->gsids, push))
		return GBA_E_RANGE;
	pthread_mutex_lock(&serves.lock);
	err = push_check(&serves.conf, push);
	pthread_mutex_unlock(&serves.lock);
	return err;
}

static void failed_find(struct msg *msg, enum gba_err err, struct dia_failed *_failed)
{
	if (err == GBA_E_BTID_SYNTAX)
		_failed->avp = dia_avp_of(msg, rpa_tpr_fields, offsetof(struct rpa_tpr, btid));
	else if (err == GBA_E_NAF_ID_SYNTAX)
		_failed->avp = dia_avp_of(msg, rpa_tpr_fields, offsetof(struct rpa_tpr, naf_id));
	else if (err == GBA_E_RANGE)
		_failed->avp = dia_avp_of(msg, rpa_tpr_fields, offsetof(struct rpa_tpr, me_key));
}

static void on_tpr(struct msg *msg, void *arg)
{
	struct agent_push *push = talloc_zero(NULL, struct agent_push);
	struct log_about about = { .iface = "RPA", .peer = dia_origin_host(msg), .clause = "Y.3056 10.4-4d" };
	struct dia_failed failed = { NULL, NULL, NULL };
	struct rpa_tpr tpr = { .btid = BYTES_NONE };
	enum gba_err err = GBA_E_NOMEM;

	(void)arg;
	if (push != NULL)
		push->answer = talloc_zero(push, struct zn_answer);
	if (push != NULL && push->answer != NULL)
		err = push_read(push, msg, &tpr, &failed);
	failed_find(msg, err, &failed);
	if (err != GBA_OK) {
		about.result = err;
		about.id = tpr.btid;
		log_event(LOG_L_WARNING, "rpa.push", &about, "token not taken");
		talloc_free(push);
	} else if (!local_push(rpa.local, push)) {
		err = GBA_E_NOMEM;
	}
	trace_both(msg, tpr.btid.p != NULL ? tpr.btid : bytes_of(""), "Y.3056 10.4-4d", "Y.3056 10.4-4e", err);
	dia_answer_send(&msg, err, &failed, y3056_no_fields, &err);
}

/* ---- Revocation-Notice ---- */

static bool fqdn_copy(struct agent_revocation *revocation, struct bytes name, struct bytes *_copy)
{
	char *text = talloc_strndup(revocation, (const char *)name.p, name.n);
	size_t i;

	for (i = 0; text != NULL && i < name.n; i++)
		text[i] = (char)tolower((unsigned char)text[i]);
	*_copy = BYTES(text, name.n);
	return text != NULL;
}

static enum gba_err revocation_copy(struct agent_revocation *revocation, const struct rpa_rnr *rnr, struct msg *msg)
{
	size_t i;

	revocation->digests = talloc_size(revocation, rnr->digests.n * KEY_DIGEST_LEN);
	revocation->fqdns = talloc_array(revocation, struct bytes, rnr->applications.n);
	if (revocation->digests == NULL || revocation->fqdns == NULL ||
	    !zn_answer_copy(revocation, dia_origin_host(msg), &revocation->origin_host) ||
	    !zn_answer_copy(revocation, dia_origin_realm(msg), &revocation->origin_realm))
		return GBA_E_NOMEM;
	for (i = 0; i < rnr->digests.n; i++) {
		if (rnr->digests.v[i].n != KEY_DIGEST_LEN)
			return GBA_E_AVP_LENGTH;
		memcpy(revocation->digests[i], rnr->digests.v[i].p, KEY_DIGEST_LEN);
	}
	revocation->digest_n = i;
	for (i = 0; i < rnr->applications.n; i++) {
		if (!fqdn_copy(revocation, rnr->applications.v[i], &revocation->fqdns[i]))
			return GBA_E_NOMEM;
	}
	revocation->fqdn_n = i;
	return revocation_check(rpa.conf, revocation);
}

static void on_rnr(struct msg *msg, void *arg)
{
	struct agent_revocation *revocation = talloc_zero(NULL, struct agent_revocation);
	struct log_about about = { .iface = "RPA", .peer = dia_origin_host(msg), .clause = "Y.3056 9.4.1" };
	struct dia_failed failed = { NULL, NULL, NULL };
	enum gba_err err = GBA_E_NOMEM;
	struct rpa_rnr rnr;

	(void)arg;
	if (revocation != NULL)
		err = dia_decode(revocation, msg, rpa_rnr_fields, &rnr, &failed);
	if (err == GBA_OK)
		err = revocation_copy(revocation, &rnr, msg);
	if (err == GBA_E_AVP_LENGTH && failed.avp == NULL)
		failed.avp = dia_avp_of(msg, rpa_rnr_fields, offsetof(struct rpa_rnr, digests));
	if (err != GBA_OK) {
		about.result = err;
		log_event(LOG_L_WARNING, "rpa.revocation", &about, "not taken");
		talloc_free(revocation);
	} else if (!local_revoke(rpa.local, revocation)) {
		err = GBA_E_NOMEM;
	}
	trace_both(msg, BYTES_NONE, "Y.3056 9.4.1", "Y.3056 9.4.1", err);
	dia_answer_send(&msg, err, &failed, y3056_no_fields, &err);
}

enum gba_err rpa_start(TALLOC_CTX *mem_ctx, const struct agent_conf *conf, struct local *local)
{
	enum gba_err err;

	rpa.conf = conf;
	serves.conf = *conf;
	rpa.local = local;
	if (!rpa.loaded)
		return GBA_OK;
	err = dia_serve(mem_ctx, &rpa_tpr_cmd, on_tpr, NULL, &rpa.pushes);
	return err == GBA_OK ? dia_serve(mem_ctx, &rpa_rnr_cmd, on_rnr, NULL, &rpa.revocations) : err;
}

void rpa_stop(void)
{
	if (rpa.pushes != NULL)
		dia_serve_stop(rpa.pushes);
	if (rpa.revocations != NULL)
		dia_serve_stop(rpa.revocations);
	rpa.pushes = rpa.revocations = NULL;
	talloc_free(serves.names);
	serves.names = NULL;
}
