/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/revoker.h"

#include <pthread.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "crypto/hash.h"

static const char *const kind_names[NOTICE_KINDS] = { "permission changed", "permission cleared", "device removed",
						       "subscriber barred", "operator changed", "renewal",
						       "certificate revoked" };

/* A notice on its way; a talloc root: it goes from a dispatch thread to ours. */
struct job {
	struct job *next;
	struct notice notice; /* views below the job */
	struct guss_kept *kept;
	struct bytes *digests; /* of the B-TIDs touched */
	size_t digest_n;
	enum gba_err err;
};

struct revoker {
	struct revoker_parts parts;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	struct job *queue, **queue_end;
	size_t queued;
	bool stopping;
	struct metric *m_notices[NOTICE_KINDS], *m_revoked;
};

static bool drops(const struct job *job)
{
	return job->notice.kind != NOTICE_CHANGED;
}

static bool copy(TALLOC_CTX *mem_ctx, struct bytes *view)
{
	uint8_t *octets;

	if (view->p == NULL)
		return true;
	octets = talloc_size(mem_ctx, view->n > 0 ? view->n : 1);
	if (octets == NULL)
		return false;
	memcpy(octets, view->p, view->n);
	view->p = octets;
	return true;
}

static struct job *job_new(const struct notice *notice)
{
	struct job *job = talloc_zero(NULL, struct job);

	if (job == NULL)
		return NULL;
	job->notice = *notice;
	if (copy(job, &job->notice.impi) && copy(job, &job->notice.application) && copy(job, &job->notice.guss) &&
	    copy(job, &job->notice.certificate))
		return job;
	talloc_free(job);
	return NULL;
}

static void log_job(const struct job *job)
{
	struct log_about about = { .iface = "RPB", .id = job->notice.impi, .clause = "Y.3056 9.4.1", .result = job->err };

	log_event(job->err == GBA_OK ? LOG_L_INFO : LOG_L_WARNING, "rpb.notice", &about, "%s, %zu contexts%s",
		  kind_names[job->notice.kind], job->digest_n,
		  job->digest_n == 0 ? "" : drops(job) ? " dropped" : " changed");
}

static void job_finish(struct revoker *revoker, struct job *job)
{
	metric_add(revoker->m_notices[job->notice.kind], 1);
	if (job->err == GBA_OK && drops(job))
		metric_add(revoker->m_revoked, (int64_t)job->digest_n);
	log_job(job);
	job->notice.done(job->notice.arg, job->err);
	guss_kept_unref(job->kept);
	talloc_free(job);
}

/* The settings first: what is bootstrapped from now on has them. */
static void take_settings(struct revoker *revoker, struct job *job)
{
	struct ub *ub = revoker->parts.ub;

	if (job->notice.kind == NOTICE_CERTIFICATE)
		return; /* the user's other ways stay as they are */
	if (job->notice.guss.p != NULL)
		job->err = guss_kept_read(job->notice.guss, job->notice.impi, clock_now(), &job->kept);
	ub_settings(ub, job->notice.impi, job->kept);
	ub_noticed(ub);
	if (job->notice.kind >= NOTICE_DEVICE_REMOVED)
		ub_forget(ub, job->notice.impi);
}

static bool digest_add(struct job *job, struct bytes btid)
{
	uint8_t *digest = talloc_size(job, HASH_MAX);
	struct bytes *grown;

	grown = talloc_realloc(job, job->digests, struct bytes, job->digest_n + 1);
	if (digest == NULL || grown == NULL)
		return false;
	hash_pieces(HASH_SHA256, &btid, 1, digest);
	job->digests = grown;
	job->digests[job->digest_n++] = BYTES(digest, HASH_MAX);
	return true;
}

struct batch {
	struct revoker *revoker;
	struct job *jobs[CTX_REVISIONS_MAX];
	size_t n;
};

static void on_revised(void *arg, size_t i, const uint8_t rand[RAND_LEN])
{
	struct batch *batch = arg;
	char btid[BTID_MAX + 1];

	btid_format(rand, bytes_of(batch->revoker->parts.conf->name), btid);
	if (!digest_add(batch->jobs[i], bytes_of(btid)))
		batch->jobs[i]->err = GBA_E_NOMEM; /* it is said again: the rest is then found done */
}

/* An agent that holds a key of a dropped context must drop it; one whose settings have changed asks again. */
static void tell_agents(struct revoker *revoker, const struct job *job)
{
	enum notice_kind kind = job->notice.kind == NOTICE_CERTIFICATE ? NOTICE_DEVICE_REMOVED : job->notice.kind;
	struct revocation revocation = { .digests = job->digests, .digest_n = job->digest_n, .kind = (int32_t)kind,
					 .application = drops(job) ? BYTES_NONE : job->notice.application };

	if (revoker->parts.agents != NULL && job->digest_n > 0)
		revoker->parts.agents->revoke(revoker->parts.agents, &revocation);
}

static void batch_run(struct revoker *revoker, struct batch *batch)
{
	struct ctx_store *store = revoker->parts.store;
	struct ctx_revision revisions[CTX_REVISIONS_MAX];
	enum gba_err err;
	size_t i;

	for (i = 0; i < batch->n; i++) {
		struct job *job = batch->jobs[i];

		take_settings(revoker, job);
		revisions[i] = (struct ctx_revision){ .impi = job->notice.impi, .drop = drops(job) || job->err != GBA_OK,
						      .certificate = job->notice.certificate.p,
						      .uss = job->kept != NULL ? job->kept->uss : BYTES("", 0) };
	}
	err = store->ops->revise(store, revisions, batch->n, on_revised, batch);
	for (i = 0; i < batch->n; i++) {
		struct job *job = batch->jobs[i];

		job->err = job->err != GBA_OK ? job->err : err;
		tell_agents(revoker, job);
	}
	if (revoker->parts.agents != NULL) /* who hears that it is done says it to nobody again */
		revoker->parts.agents->settle(revoker->parts.agents);
	for (i = 0; i < batch->n; i++)
		job_finish(revoker, batch->jobs[i]);
}

static bool is_in(const struct batch *batch, const struct job *job)
{
	size_t i;

	for (i = 0; i < batch->n; i++) {
		if (bytes_eq(batch->jobs[i]->notice.impi, job->notice.impi))
			return true;
	}
	return false;
}

/* As many as may go together, in their order: two for one user go one after the other. The lock is held. */
static void batch_take(struct revoker *revoker, struct batch *batch)
{
	struct job *job;

	batch->n = 0;
	while ((job = revoker->queue) != NULL && batch->n < CTX_REVISIONS_MAX && !is_in(batch, job)) {
		revoker->queue = job->next;
		revoker->queued--;
		batch->jobs[batch->n++] = job;
	}
	if (revoker->queue == NULL)
		revoker->queue_end = &revoker->queue;
}

static void *revoker_main(void *arg)
{
	struct revoker *revoker = arg;
	struct batch batch = { .revoker = revoker };

	pthread_mutex_lock(&revoker->lock);
	while (!revoker->stopping) {
		if (revoker->queue == NULL) {
			pthread_cond_wait(&revoker->wake, &revoker->lock);
			continue;
		}
		batch_take(revoker, &batch);
		pthread_mutex_unlock(&revoker->lock);
		batch_run(revoker, &batch);
		pthread_mutex_lock(&revoker->lock);
	}
	pthread_mutex_unlock(&revoker->lock);
	return NULL;
}

enum gba_err revoker_new(TALLOC_CTX *mem_ctx, const struct revoker_parts *parts, struct revoker **_revoker)
{
	struct revoker *revoker = talloc_zero(mem_ctx, struct revoker);
	size_t i;

	if (revoker == NULL)
		return GBA_E_NOMEM;
	revoker->parts = *parts;
	revoker->queue_end = &revoker->queue;
	pthread_mutex_init(&revoker->lock, NULL);
	pthread_cond_init(&revoker->wake, NULL);
	for (i = 0; i < NOTICE_KINDS; i++) {
		char labels[64] = "";

		metric_label(labels, sizeof(labels), "kind", kind_names[i]);
		revoker->m_notices[i] = metric_get("gba_bsf_notices_total", "Notices of HSSs", METRIC_COUNTER, labels);
	}
	revoker->m_revoked = metric_get("gba_bsf_contexts_revoked_total", "Contexts dropped for a notice", METRIC_COUNTER, "");
	if (pthread_create(&revoker->thread, NULL, revoker_main, revoker) != 0) {
		talloc_free(revoker);
		return GBA_E_INTERNAL;
	}
	*_revoker = revoker;
	return GBA_OK;
}

enum gba_err revoker_add(struct revoker *revoker, const struct notice *notice)
{
	struct job *job = job_new(notice);
	enum gba_err err = GBA_OK;

	if (job == NULL)
		return GBA_E_NOMEM;
	pthread_mutex_lock(&revoker->lock);
	if (revoker->stopping || revoker->queued >= REVOKER_QUEUE_MAX) {
		err = GBA_E_BUSY;
	} else {
		*revoker->queue_end = job;
		revoker->queue_end = &job->next;
		revoker->queued++;
		pthread_cond_signal(&revoker->wake);
	}
	pthread_mutex_unlock(&revoker->lock);
	if (err != GBA_OK)
		talloc_free(job);
	return err;
}

void revoker_stop(struct revoker *revoker)
{
	struct job *job;

	if (revoker == NULL)
		return;
	pthread_mutex_lock(&revoker->lock);
	revoker->stopping = true;
	pthread_cond_signal(&revoker->wake);
	pthread_mutex_unlock(&revoker->lock);
	pthread_join(revoker->thread, NULL);
	while ((job = revoker->queue) != NULL) {
		revoker->queue = job->next;
		job->err = GBA_E_BUSY;
		job_finish(revoker, job);
	}
	pthread_mutex_destroy(&revoker->lock);
	pthread_cond_destroy(&revoker->wake);
	talloc_free(revoker);
}
