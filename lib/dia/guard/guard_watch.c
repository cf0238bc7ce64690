/* SPDX-License-Identifier: Apache-2.0 */
/* The guard's own thread: samples queues, sends what retransmissions wait for, closes silent connections. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include "core/clock.h"
#include "core/life.h"
#include "dia/guard/guard.h"

#define TICK_MS	     GUARD_SAMPLE_MS
#define REAP_TICKS   10

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	const struct guard_conf *conf;
	bool running, started, stop, wanted;
} watch = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

/* False: to stop. */
static bool wait_tick(void)
{
	const struct timespec at = clock_mono_after(TICK_MS);
	int rc = 0;

	pthread_mutex_lock(&watch.lock);
	while (!watch.stop && !watch.wanted && rc != ETIMEDOUT)
		rc = pthread_cond_clockwait(&watch.wake, &watch.lock, CLOCK_MONOTONIC, &at);
	watch.wanted = false;
	rc = watch.stop;
	pthread_mutex_unlock(&watch.lock);
	return rc == 0;
}

/* No public function, yet exported: the event that ends a peer's state machine. Told once, that sends DPR and waits for DPA, up to
 * 16 s; told again, it ends at once. */
typedef int psm_terminate(struct peer_hdr *peer, const char *reason);

static void end_peers(void)
{
	void *found = dlsym(RTLD_DEFAULT, "fd_psm_terminate");
	psm_terminate *terminate;
	struct fd_list *li;

	if (found == NULL || pthread_rwlock_tryrdlock(&fd_g_peers_rw) != 0) /* the next round will do */
		return;
	memcpy(&terminate, &found, sizeof(terminate)); /* ISO C has no cast from object to function pointer */
	for (li = fd_g_peers.next; li != &fd_g_peers; li = li->next)
		(void)terminate((struct peer_hdr *)li->o, "REBOOTING");
	pthread_rwlock_unlock(&fd_g_peers_rw);
}

/* The framework's queues may be gone by now: nothing else is looked at. */
static void tick_ending(uint64_t *since_ms)
{
	uint64_t now_ms = clock_mono_ms();

	if (*since_ms == 0)
		*since_ms = now_ms;
	if (now_ms - *since_ms >= watch.conf->disconnect_timeout)
		end_peers();
}

static void *run(void *arg)
{
	unsigned int ticks = 0;
	uint64_t ending_since_ms = 0;

	(void)arg;
	if (fd_core_waitstartcomplete() != 0)
		return NULL;
	pthread_mutex_lock(&watch.lock);
	watch.started = true;
	pthread_mutex_unlock(&watch.lock);
	while (wait_tick()) {
		if (life_ending()) {
			tick_ending(&ending_since_ms);
			continue;
		}
		guard_dup_tick(clock_mono_ms());
		guard_peers_sample();
		guard_net_reap(clock_mono_ms(), ticks++ % REAP_TICKS == 0);
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

enum gba_err guard_watch_start(const struct guard_conf *conf)
{
	watch.conf = conf;
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
