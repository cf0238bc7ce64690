/* SPDX-License-Identifier: Apache-2.0 */
/* The guard's own thread: samples queues, sends what retransmissions wait for, closes silent connections. */
#include <errno.h>
#include <pthread.h>

#include "core/clock.h"
#include "dia/guard/guard.h"

#define TICK_MS	     100
#define REAP_TICKS   10

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool running, started, stop, wanted;
} watch = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

/* False: to stop. */
static bool wait_tick(void)
{
	uint64_t until_ms = clock_mono_ms() + TICK_MS;
	struct timespec at = { .tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000 };
	int rc = 0;

	pthread_mutex_lock(&watch.lock);
	while (!watch.stop && !watch.wanted && rc != ETIMEDOUT)
		rc = pthread_cond_clockwait(&watch.wake, &watch.lock, CLOCK_MONOTONIC, &at);
	watch.wanted = false;
	rc = watch.stop;
	pthread_mutex_unlock(&watch.lock);
	return rc == 0;
}

static void *run(void *arg)
{
	unsigned int ticks = 0;

	(void)arg;
	if (fd_core_waitstartcomplete() != 0)
		return NULL;
	pthread_mutex_lock(&watch.lock);
	watch.started = true;
	pthread_mutex_unlock(&watch.lock);
	while (wait_tick()) {
		if (guard_stopping())
			continue;
		guard_dup_tick(clock_mono_ms());
		guard_peers_sample();
		if (ticks++ % REAP_TICKS == 0)
			guard_net_reap(clock_mono_ms());
	}
	return NULL;
}

void guard_watch_wake(void)
{
	pthread_mutex_lock(&watch.lock);
	watch.wanted = true;
	pthread_cond_signal(&watch.wake);
	pthread_mutex_unlock(&watch.lock);
}

enum gba_err guard_watch_start(void)
{
	if (pthread_create(&watch.thread, NULL, run, NULL) != 0)
		return GBA_E_NOMEM;
	watch.running = true;
	return GBA_OK;
}

void guard_watch_stop(void)
{
	if (!watch.running)
		return;
	pthread_mutex_lock(&watch.lock);
	watch.stop = true;
	pthread_cond_signal(&watch.wake);
	if (!watch.started) /* an extension behind us failed to load: the start never completes */
		pthread_cancel(watch.thread);
	pthread_mutex_unlock(&watch.lock);
	pthread_join(watch.thread, NULL);
	watch.running = false;
}
