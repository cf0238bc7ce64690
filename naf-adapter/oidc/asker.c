/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's handle and its thread: questions of others come by a queue, notices end what was granted. */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "naf-adapter/oidc/oidc.h"

#define TICK_MS 5000 /* old grants, signing keys */

struct job {
	STAILQ_ENTRY(job) link;
	const char *btid;
	uint8_t ua_id[GBA_NAF_UA_ID_LEN];
	asker_done done;
	void *arg;
};

struct asker {
	struct oidc *oidc;
	struct gba_naf *naf;
	pthread_t thread;
	pthread_mutex_t lock; /* over jobs and stop */
	STAILQ_HEAD(, job) jobs;
	bool stop;
	int bell;
};

static void on_key(void *arg, enum gba_naf_error error, struct gba_naf_result *result)
{
	struct job *job = arg;

	job->done(job->arg, error, result);
	gba_naf_result_free(result);
	talloc_free(job);
}

static void ask(struct asker *asker, struct job *job)
{
	const struct oidc *oidc = asker->oidc;
	struct gba_naf_query query = GBA_NAF_QUERY_INIT;
	enum gba_naf_error error;

	query.btid = job->btid;
	query.btid_len = strlen(job->btid);
	query.fqdn = oidc->naf;
	memcpy(query.ua_id, job->ua_id, sizeof(job->ua_id));
	query.gsids = oidc->gsids;
	query.gsid_count = oidc->conf->gsids.n;
	query.timeout_ms = oidc->conf->agent_timeout;
	error = gba_naf_ask(asker->naf, &query, on_key, job, NULL);
	if (error != GBA_NAF_OK)
		on_key(job, error, NULL);
}

/* @return false: it is time to stop */
static bool take_jobs(struct asker *asker)
{
	STAILQ_HEAD(, job) jobs = STAILQ_HEAD_INITIALIZER(jobs);
	struct job *job;
	bool stop;

	pthread_mutex_lock(&asker->lock);
	STAILQ_CONCAT(&jobs, &asker->jobs);
	stop = asker->stop;
	pthread_mutex_unlock(&asker->lock);
	while ((job = STAILQ_FIRST(&jobs)) != NULL) {
		STAILQ_REMOVE_HEAD(&jobs, link);
		ask(asker, job);
	}
	return !stop;
}

/* Y.3056 9.4.1: what was granted on a token ends with it. In doubt, too: notices may have been lost. */
static void on_notice(void *arg, const struct gba_naf_notice *notice)
{
	static const char *const kinds[] = { "", "token revoked", "right or settings changed, or the application ended it",
					     "connection to the agent was lost" };
	struct oidc *oidc = arg;
	size_t dropped = grants_noticed(oidc->grants, notice);
	unsigned int kind = gba_naf_notice_kind(notice);
	struct log_about about = { .iface = "local", .clause = "Y.3056 9.4.1" };

	metric_add(oidc->ended, (int64_t)dropped);
	if (dropped > 0)
		log_event(LOG_L_INFO, "oidc.ended", &about, "%zu grants: %s", dropped,
			  kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[kind] : "unknown notice");
}

static void tick(struct oidc *oidc)
{
	enum gba_err err = ring_tick(oidc->ring, clock_now());

	grants_sweep(oidc->grants, clock_now());
	if (err != GBA_OK)
		log_event_limited(60, LOG_L_ERROR, "oidc.keys", NULL, "no new signing key: %s", gba_strerror(err));
}

static void *run(void *arg)
{
	struct asker *asker = arg;
	struct pollfd fds[2] = { { .fd = gba_naf_fd(asker->naf), .events = POLLIN }, { .fd = asker->bell, .events = POLLIN } };
	uint64_t next = clock_mono_ms() + TICK_MS;
	eventfd_t rings;

	do {
		uint64_t now = clock_mono_ms();

		poll(fds, 2, next > now ? (int)(next - now) : 0);
		if (fds[1].revents != 0)
			eventfd_read(asker->bell, &rings);
		gba_naf_process(asker->naf);
		if (clock_mono_ms() >= next) {
			tick(asker->oidc);
			next = clock_mono_ms() + TICK_MS;
		}
	} while (take_jobs(asker));
	return NULL;
}

enum gba_err asker_start(struct oidc *oidc)
{
	const char *path = oidc->conf->agent_socket;
	struct asker *asker = talloc_zero(oidc, struct asker);

	if (asker == NULL || gba_naf_open(path[0] != '\0' ? path : NULL, &asker->naf) != GBA_NAF_OK)
		return GBA_E_NOMEM;
	asker->oidc = oidc;
	asker->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	STAILQ_INIT(&asker->jobs);
	pthread_mutex_init(&asker->lock, NULL);
	gba_naf_watch(asker->naf, on_notice, oidc);
	if (asker->bell < 0 || pthread_create(&asker->thread, NULL, run, asker) != 0) {
		gba_naf_close(asker->naf);
		return GBA_E_NOMEM;
	}
	oidc->asker = asker;
	return GBA_OK;
}

enum gba_err asker_ask(struct asker *asker, const struct question *question, asker_done done, void *arg)
{
	struct job *job = talloc_zero(NULL, struct job);

	if (job == NULL)
		return GBA_E_NOMEM;
	job->btid = talloc_strdup(job, question->btid);
	if (job->btid == NULL) {
		talloc_free(job);
		return GBA_E_NOMEM;
	}
	memcpy(job->ua_id, question->ua_id, sizeof(job->ua_id));
	job->done = done;
	job->arg = arg;
	pthread_mutex_lock(&asker->lock);
	STAILQ_INSERT_TAIL(&asker->jobs, job, link);
	pthread_mutex_unlock(&asker->lock);
	eventfd_write(asker->bell, 1);
	return GBA_OK;
}

void asker_stop(struct oidc *oidc)
{
	struct asker *asker = oidc->asker;

	if (asker == NULL)
		return;
	pthread_mutex_lock(&asker->lock);
	asker->stop = true;
	pthread_mutex_unlock(&asker->lock);
	eventfd_write(asker->bell, 1);
	pthread_join(asker->thread, NULL);
	gba_naf_close(asker->naf);
	pthread_mutex_destroy(&asker->lock);
	close(asker->bell);
	oidc->asker = NULL;
}
