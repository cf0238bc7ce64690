/* SPDX-License-Identifier: Apache-2.0 */
/* RPA of the BSF's own accord: Token-Push (Y.3056 10.4-4d) and Revocation-Notice to the agents of applications. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "bsf/glue.h"
#include "bsf/journal.h"
#include "bsf/release.h"
#include "core/clock.h"
#include "core/codec.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/trace.h"
#include "dia/y3056.h"

#define AGENT_TIMEOUT_MS 5000 /* one whose machine is busy is not told twice */
#define GSID_TEXT	 12

#define UNSAID_MAX	1024	   /* notices that wait for one agent */

/** A notice with all it says. */
struct unsaid {
	struct unsaid *next;
	uint64_t id;  /* in the journal */
	time_t until; /* then the last such key has ended by itself */
	int32_t kind;
	char application[FQDN_MAX + 1]; /* "": all */
	size_t n;
	uint8_t digests[][Y3056_DIGEST_LEN];
};

/** What waits for one agent, oldest first. */
struct line {
	struct unsaid *first, *last;
	size_t n;
};

struct rpa {
	struct agents base;
	pthread_mutex_t lock;
	struct line *lines; /* as conf->nafs */
	struct journal *journal;
	bool unsettled; /* something has been written to it */
	struct audit *audit;
	const struct bsf_conf *conf;
	struct metric *m_pushed, *m_push_failed, *m_revoked, *m_revoke_failed;
};

/** A message on its way; a talloc root, because it ends in another thread. */
struct rpa_call {
	struct rpa *rpa;
	struct unsaid *unsaid; /* what a Revocation-Notice says; NULL: it is a push */
	size_t line;
	char peer[FQDN_MAX + 1], corr[CORR_LEN + 1];
};

static void keep_unsaid(struct rpa *rpa, size_t line, struct unsaid *unsaid);
static void unsaid_free(struct rpa *rpa, struct unsaid *unsaid);

static void on_answer(void *arg, enum gba_err err, struct msg *msg)
{
	struct rpa_call *call = arg;
	struct rpa *rpa = call->rpa;
	bool is_push = call->unsaid == NULL;
	struct log_about about = { .iface = "RPA", .peer = bytes_of(call->peer),
				   .clause = is_push ? "Y.3056 10.4-4d" : "Y.3056 9.4.1" };
	struct dia_result result;

	if (err == GBA_OK)
		err = dia_answer_result(msg, &result);
	if (err == GBA_OK && !dia_result_ok(&result))
		err = result.code / 1000 == 3 ? GBA_E_BUSY : GBA_E_DENIED;
	if (is_push)
		metric_add(err == GBA_OK ? rpa->m_pushed : rpa->m_push_failed, 1);
	else
		metric_add(err == GBA_OK ? rpa->m_revoked : rpa->m_revoke_failed, 1);
	about.result = err;
	about.corr = call->corr[0] != '\0' ? call->corr : NULL;
	log_event(err == GBA_OK ? LOG_L_INFO : LOG_L_WARNING, is_push ? "rpa.push" : "rpa.revocation", &about, "%s",
		  err == GBA_OK ? "taken" : "not taken");
	if (!is_push && (err == GBA_OK || err == GBA_E_DENIED)) /* heard; it is not ours to say twice */
		unsaid_free(rpa, call->unsaid);
	else if (!is_push)
		keep_unsaid(rpa, call->line, call->unsaid);
	talloc_free(call);
}

static struct rpa_call *call_new(struct rpa *rpa, struct bytes peer, const char *corr)
{
	struct rpa_call *call = talloc_zero(NULL, struct rpa_call);

	if (call == NULL)
		return NULL;
	call->rpa = rpa;
	memcpy(call->peer, peer.p, peer.n < FQDN_MAX ? peer.n : FQDN_MAX);
	if (corr != NULL)
		snprintf(call->corr, sizeof(call->corr), "%s", corr);
	return call;
}

/* Takes the call. */
static void call_send(struct rpa_call *call, const struct dia_cmd *cmd, const struct dia_field *fields, const void *in)
{
	struct bytes peer = bytes_of(call->peer), realm = peer;
	struct msg *msg = NULL;
	enum gba_err err;

	dia_peer_realm(peer, call, &realm);
	err = dia_request_new(cmd, realm, peer, &msg);
	if (err == GBA_OK)
		err = dia_encode(msg, fields, in);
	if (err == GBA_OK)
		err = dia_request_send(&msg, AGENT_TIMEOUT_MS, on_answer, call);
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
	struct rpa_call *call;
	size_t i;

	if (release_note(((struct rpa *)agents)->audit, &release, GBA_OK) != GBA_OK)
		return; /* the agent asks when the device comes, and is told then */
	tpr.gsids = (struct dia_list){ gsids, push->gsid_n < Y3056_GSID_MAX ? push->gsid_n : Y3056_GSID_MAX };
	for (i = 0; i < tpr.gsids.n; i++) {
		snprintf(texts[i], GSID_TEXT, "%" PRIu32, push->gsids[i]);
		gsids[i] = bytes_of(texts[i]);
	}
	call = call_new((struct rpa *)agents, push->peer, push->corr);
	if (call != NULL)
		call_send(call, &rpa_tpr_cmd, rpa_tpr_fields, &tpr);
}

/* ---- Revocation-Notice: what an agent that is away has not heard waits for it ---- */

static void unsaid_free(struct rpa *rpa, struct unsaid *unsaid)
{
	if (unsaid == NULL)
		return;
	journal_done(rpa->journal, unsaid->id);
	talloc_free(unsaid);
}

/* "until kind application agent digests", blanks between; "-": all applications. */
static char *unsaid_text(const struct unsaid *unsaid, const char *agent)
{
	char *text = talloc_asprintf(NULL, "%lld %d %s %s ", (long long)unsaid->until, (int)unsaid->kind,
				     unsaid->application[0] != '\0' ? unsaid->application : "-", agent);
	size_t at = text != NULL ? strlen(text) : 0, i;
	char *grown;

	grown = text != NULL ? talloc_realloc(NULL, text, char, at + unsaid->n * HEX_LEN(Y3056_DIGEST_LEN) + 1) : NULL;
	if (grown == NULL) {
		talloc_free(text);
		return NULL;
	}
	for (i = 0; i < unsaid->n; i++)
		hex_encode(BYTES(unsaid->digests[i], Y3056_DIGEST_LEN), grown + at + i * HEX_LEN(Y3056_DIGEST_LEN));
	return grown;
}

/* @return NULL: not such a text, or its time is over */
static struct unsaid *unsaid_read(struct bytes text, char agent[FQDN_MAX + 1])
{
	char copy[JOURNAL_LINE_MAX + 1], application[FQDN_MAX + 1];
	struct unsaid *unsaid;
	int kind, hex = 0;
	long long until;
	size_t n, i;

	snprintf(copy, sizeof(copy), "%.*s", BYTES_FMT(text));
	if (sscanf(copy, "%lld %d %253s %253s %n", &until, &kind, application, agent, &hex) != 4 || hex == 0 ||
	    until <= clock_now())
		return NULL;
	n = strlen(copy + hex) / HEX_LEN(Y3056_DIGEST_LEN);
	if (n == 0 || n > Y3056_DIGESTS_MAX || strlen(copy + hex) != n * HEX_LEN(Y3056_DIGEST_LEN))
		return NULL;
	unsaid = talloc_zero_size(NULL, sizeof(*unsaid) + n * Y3056_DIGEST_LEN);
	if (unsaid == NULL)
		return NULL;
	unsaid->until = until;
	unsaid->kind = kind;
	if (strcmp(application, "-") != 0)
		memcpy(unsaid->application, application, strlen(application) + 1);
	for (i = 0; i < n; i++) {
		struct bytes one = BYTES(copy + hex + i * HEX_LEN(Y3056_DIGEST_LEN), HEX_LEN(Y3056_DIGEST_LEN));

		if (hex_decode(one, unsaid->digests[unsaid->n], Y3056_DIGEST_LEN) == GBA_OK)
			unsaid->n++;
	}
	return unsaid;
}

static struct unsaid *unsaid_new(struct rpa *rpa, const struct revocation *revocation, size_t at, const char *agent)
{
	size_t n = revocation->digest_n - at < Y3056_DIGESTS_MAX ? revocation->digest_n - at : Y3056_DIGESTS_MAX, i;
	struct unsaid *unsaid = talloc_zero_size(NULL, sizeof(*unsaid) + n * Y3056_DIGEST_LEN);
	char *text;

	if (unsaid == NULL)
		return NULL;
	unsaid->until = clock_now() + (time_t)rpa->conf->key_lifetime;
	unsaid->kind = revocation->kind;
	if (revocation->application.n > 0 && revocation->application.n <= FQDN_MAX)
		memcpy(unsaid->application, revocation->application.p, revocation->application.n);
	for (i = 0; i < n; i++)
		memcpy(unsaid->digests[i], revocation->digests[at + i].p, Y3056_DIGEST_LEN);
	unsaid->n = n;
	text = unsaid_text(unsaid, agent);
	unsaid->id = text != NULL ? journal_add(rpa->journal, bytes_of(text)) : 0;
	talloc_free(text);
	rpa->unsettled = true;
	if (unsaid->id == 0)
		log_event_limited(10, LOG_L_ERROR, "rpa.journal",
				  (&(struct log_about){ .peer = bytes_of(agent), .result = GBA_E_IO }),
				  "a revocation is kept in memory only");
	return unsaid;
}

/* The oldest make place: what they name has the least time to live. */
static void keep_unsaid(struct rpa *rpa, size_t line, struct unsaid *unsaid)
{
	struct unsaid *dropped = NULL;
	struct line *l = &rpa->lines[line];

	unsaid->next = NULL;
	pthread_mutex_lock(&rpa->lock);
	if (l->n == UNSAID_MAX) {
		dropped = l->first;
		l->first = dropped->next;
		l->n--;
	}
	*(l->n > 0 ? &l->last->next : &l->first) = unsaid;
	l->last = unsaid;
	l->n++;
	pthread_mutex_unlock(&rpa->lock);
	unsaid_free(rpa, dropped);
}

/* Takes unsaid. */
static void say(struct rpa *rpa, size_t line, struct unsaid *unsaid)
{
	const struct bsf_naf *naf = (const struct bsf_naf *)rpa->conf->nafs.v + line;
	struct bytes application = bytes_of(unsaid->application), digests[Y3056_DIGESTS_MAX];
	struct rpa_rnr rnr = { .digests = { digests, unsaid->n }, .applications = { &application, application.n > 0 ? 1 : 0 },
			       .kind = unsaid->kind };
	struct rpa_call *call = call_new(rpa, bytes_of(naf->identity), NULL);
	size_t i;

	if (call == NULL) {
		keep_unsaid(rpa, line, unsaid);
		return;
	}
	call->unsaid = unsaid;
	call->line = line;
	for (i = 0; i < unsaid->n; i++)
		digests[i] = BYTES(unsaid->digests[i], Y3056_DIGEST_LEN);
	call_send(call, &rpa_rnr_cmd, rpa_rnr_fields, &rnr);
}

static void rpa_revoke(struct agents *agents, const struct revocation *revocation)
{
	struct rpa *rpa = (struct rpa *)agents;
	const struct bsf_naf *nafs = rpa->conf->nafs.v;
	size_t i, at;

	for (i = 0; i < rpa->conf->nafs.n; i++) {
		enum dia_peer is = dia_peer_of(bytes_of(nafs[i].identity), rpa_rnr_cmd.app);

		for (at = 0; is != DIA_PEER_PLAIN && at < revocation->digest_n; at += Y3056_DIGESTS_MAX) {
			struct unsaid *unsaid = unsaid_new(rpa, revocation, at, nafs[i].identity);

			if (unsaid != NULL && is == DIA_PEER_ABLE)
				say(rpa, i, unsaid);
			else if (unsaid != NULL)
				keep_unsaid(rpa, i, unsaid);
		}
	}
}

/* The revoker's thread, as revoke(). */
static void rpa_settle(struct agents *agents)
{
	struct rpa *rpa = (struct rpa *)agents;
	enum gba_err err = rpa->unsettled ? journal_sync(rpa->journal) : GBA_OK;

	rpa->unsettled = false;
	if (err != GBA_OK)
		log_event_limited(10, LOG_L_ERROR, "rpa.journal", &(struct log_about){ .result = err },
				  "revocations that wait for agents would not survive loss of power");
}

static struct unsaid *take_unsaid(struct rpa *rpa, struct line *line)
{
	struct unsaid *first;

	pthread_mutex_lock(&rpa->lock);
	first = line->first;
	line->first = line->last = NULL;
	line->n = 0;
	pthread_mutex_unlock(&rpa->lock);
	return first;
}

static bool has_unsaid(struct rpa *rpa, const struct line *line)
{
	bool has;

	pthread_mutex_lock(&rpa->lock);
	has = line->n > 0;
	pthread_mutex_unlock(&rpa->lock);
	return has;
}

static void rpa_tick(struct agents *agents)
{
	struct rpa *rpa = (struct rpa *)agents;
	const struct bsf_naf *nafs = rpa->conf->nafs.v;
	struct unsaid *unsaid, *next;
	size_t i;

	for (i = 0; i < rpa->conf->nafs.n; i++) {
		if (!has_unsaid(rpa, &rpa->lines[i]) || !rpa_able(agents, bytes_of(nafs[i].identity)))
			continue;
		for (unsaid = take_unsaid(rpa, &rpa->lines[i]); unsaid != NULL; unsaid = next) {
			next = unsaid->next;
			if (clock_now() < unsaid->until)
				say(rpa, i, unsaid);
			else
				unsaid_free(rpa, unsaid);
		}
	}
}

static int rpa_destroy(struct rpa *rpa)
{
	struct unsaid *unsaid, *next;
	size_t i;

	for (i = 0; i < rpa->conf->nafs.n; i++) {
		for (unsaid = rpa->lines[i].first; unsaid != NULL; unsaid = next) {
			next = unsaid->next;
			talloc_free(unsaid);
		}
	}
	pthread_mutex_destroy(&rpa->lock);
	return 0;
}

/* What the last process of this node had not said. */
static bool on_kept(void *arg, uint64_t id, struct bytes text)
{
	struct rpa *rpa = arg;
	const struct bsf_naf *nafs = rpa->conf->nafs.v;
	char agent[FQDN_MAX + 1];
	struct unsaid *unsaid = unsaid_read(text, agent);
	size_t i;

	for (i = 0; unsaid != NULL && i < rpa->conf->nafs.n; i++) {
		if (!bytes_eq_nocase(bytes_of(agent), bytes_of(nafs[i].identity)) || rpa->lines[i].n >= UNSAID_MAX)
			continue;
		unsaid->id = id;
		keep_unsaid(rpa, i, unsaid);
		return true;
	}
	talloc_free(unsaid);
	return false;
}

/* A file that cannot be read is put aside: its keys end by themselves, the node has to serve. */
static enum gba_err journal_start(struct rpa *rpa)
{
	char *path = talloc_asprintf(rpa, "%s/revocations", rpa->conf->store_dir), *aside = talloc_asprintf(rpa, "%s.bad", path);
	enum gba_err err = GBA_E_NOMEM;

	if (path == NULL || aside == NULL)
		return err;
	err = journal_open(rpa, path, on_kept, rpa, &rpa->journal);
	if (err == GBA_E_CORRUPT && rename(path, aside) == 0) {
		log_event(LOG_L_ERROR, "rpa.journal", &(struct log_about){ .result = err }, "%s cannot be read: put aside", path);
		err = journal_open(rpa, path, on_kept, rpa, &rpa->journal);
	}
	if (err != GBA_OK)
		log_event(LOG_L_ERROR, "rpa.journal", &(struct log_about){ .result = err }, "%s", path);
	return err;
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
	rpa->base = (struct agents){ rpa_able, rpa_push, rpa_revoke, rpa_settle, rpa_tick };
	rpa->lines = talloc_zero_array(rpa, struct line, conf->nafs.n);
	if (rpa->lines == NULL)
		return GBA_E_NOMEM;
	pthread_mutex_init(&rpa->lock, NULL);
	rpa->conf = conf;
	talloc_set_destructor(rpa, rpa_destroy);
	rpa->m_pushed = metric_get(pushes, push_help, METRIC_COUNTER, "result=\"taken\"");
	rpa->m_push_failed = metric_get(pushes, push_help, METRIC_COUNTER, "result=\"lost\"");
	rpa->m_revoked = metric_get(revocations, revocation_help, METRIC_COUNTER, "result=\"taken\"");
	rpa->m_revoke_failed = metric_get(revocations, revocation_help, METRIC_COUNTER, "result=\"lost\"");
	err = journal_start(rpa);
	if (err == GBA_OK)
		*_agents = &rpa->base;
	return err;
}
