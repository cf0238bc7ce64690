/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/log/keeper.h"

#include <pthread.h>
#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "registry-fn/trust/mass.h"

#define LOOK_S 1 /* [s] until devices that wait are judged, at most */

static struct {
	TALLOC_CTX *root;
	struct records *records;
	unsigned int interval, slice; /* [s] of heads; of looking for devices to judge meanwhile */
	struct metric *m_left;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running, stopping;
} keeper = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

/* A failure is told once, not every interval. */
static void keep_one(enum gba_err *_last)
{
	TALLOC_CTX *ctx = talloc_new(keeper.root);
	enum gba_err err = ctx != NULL ? trust_sweep(keeper.records, ctx, clock_now()) : GBA_E_NOMEM, kept;

	kept = entry_head_keep(registry_handle_of(keeper.records)->entries, clock_now(), NULL);
	if (kept != GBA_OK && kept != *_last)
		log_event(LOG_L_ERROR, "registry.log.head", NULL, "no head signed: %s", gba_strerror(kept));
	if (err != GBA_OK && err != *_last)
		log_event(LOG_L_ERROR, "registry.trust.sweep", NULL, "deadlines not looked at: %s", gba_strerror(err));
	*_last = kept != GBA_OK ? kept : err;
	talloc_free(ctx);
}

/* Devices that a list or another registry has said something of do not wait for the next head. @return do more wait? */
static bool judge_some(enum gba_err *_last)
{
	TALLOC_CTX *ctx = talloc_new(keeper.root);
	bool left = false;
	enum gba_err err = ctx != NULL ? trust_due(keeper.records, ctx, clock_now(), &left) : GBA_E_NOMEM;

	if (err != GBA_OK && err != *_last)
		log_event(LOG_L_ERROR, "registry.trust.sweep", NULL, "devices not judged: %s", gba_strerror(err));
	*_last = err;
	talloc_free(ctx);
	return left && err == GBA_OK;
}

/* For the operator: how many devices wait. */
static void show_left(void)
{
	TALLOC_CTX *ctx = talloc_new(keeper.root);
	struct mass_job *jobs = NULL;
	int64_t left = 0;
	size_t n = 0, i;

	if (ctx != NULL && mass_jobs(keeper.records, ctx, &jobs, &n) == GBA_OK) {
		for (i = 0; i < n; i++)
			left += jobs[i].total > jobs[i].done ? jobs[i].total - jobs[i].done : 0;
		metric_set(keeper.m_left, left);
	}
	talloc_free(ctx);
}

/* With the lock held. @return is it to go on? */
static bool wait_ms(uint64_t ms)
{
	const struct timespec at = clock_mono_after((unsigned int)ms);

	if (!keeper.stopping)
		pthread_cond_clockwait(&keeper.wake, &keeper.lock, CLOCK_MONOTONIC, &at);
	return !keeper.stopping;
}

/* Until the next head is due. With the lock held. */
static void judge_meanwhile(uint64_t due_ms, enum gba_err *_last)
{
	uint64_t now_ms, shown_ms = 0, idle_ms = keeper.slice < LOOK_S ? keeper.slice * 1000UL : LOOK_S * 1000UL;
	bool left = false;

	while ((now_ms = clock_mono_ms()) < due_ms) {
		if (!wait_ms(left ? MASS_PAUSE_MS : idle_ms < due_ms - now_ms ? idle_ms : due_ms - now_ms))
			return;
		pthread_mutex_unlock(&keeper.lock);
		left = judge_some(_last);
		if (now_ms - shown_ms >= 1000) {
			show_left();
			shown_ms = now_ms;
		}
		pthread_mutex_lock(&keeper.lock);
	}
}

static void *run(void *arg)
{
	enum gba_err last = GBA_OK, judged = GBA_OK;

	(void)arg;
	pthread_mutex_lock(&keeper.lock);
	while (!keeper.stopping) {
		pthread_mutex_unlock(&keeper.lock);
		keep_one(&last);
		pthread_mutex_lock(&keeper.lock);
		judge_meanwhile(clock_mono_ms() + keeper.interval * 1000UL, &judged);
	}
	pthread_mutex_unlock(&keeper.lock);
	keep_one(&last);
	return NULL;
}

/* Devices are judged by the rules of this configuration from now on. */
static enum gba_err rules_look(void)
{
	TALLOC_CTX *ctx = talloc_new(keeper.root);
	enum gba_err err = ctx != NULL ? mass_rules(keeper.records, ctx, clock_now()) : GBA_E_NOMEM;

	talloc_free(ctx);
	return err;
}

static enum gba_err keeper_start(struct registry *registry, const char **_why)
{
	enum gba_err err;

	*_why = "log of transactions";
	keeper.root = talloc_named_const(NULL, 0, "keeper");
	if (keeper.root == NULL)
		return GBA_E_NOMEM;
	keeper.interval = registry->conf->log_head_interval;
	keeper.slice = registry->conf->report_check;
	keeper.stopping = false;
	keeper.m_left = metric_get("gba_registry_judging_devices", "Devices that wait to be judged anew", METRIC_GAUGE, "");
	err = registry_records(keeper.root, registry, &keeper.records, _why);
	if (err == GBA_OK)
		err = rules_look();
	if (err == GBA_OK && pthread_create(&keeper.thread, NULL, run, NULL) != 0)
		err = GBA_E_NOMEM;
	keeper.running = err == GBA_OK;
	if (err != GBA_OK) {
		*_why = talloc_strdup(registry, *_why);
		TALLOC_FREE(keeper.root);
	}
	return err;
}

static void keeper_stop(struct registry *registry)
{
	(void)registry;
	if (!keeper.running)
		return;
	pthread_mutex_lock(&keeper.lock);
	keeper.stopping = true;
	pthread_cond_signal(&keeper.wake);
	pthread_mutex_unlock(&keeper.lock);
	pthread_join(keeper.thread, NULL);
	keeper.running = false;
	TALLOC_FREE(keeper.root);
}

const struct registry_room keeper_room = { "log", keeper_start, keeper_stop };
