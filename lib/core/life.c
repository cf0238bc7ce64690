/* SPDX-License-Identifier: Apache-2.0 */
#include "core/life.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"

static _Atomic bool ending;

/* This library is never unmapped, as extensions are: the thread may outlive all of them. */
static void *cut_short(void *arg)
{
	uint32_t limit_ms = (uint32_t)(uintptr_t)arg;
	struct timespec left = { .tv_sec = limit_ms / 1000, .tv_nsec = (long)(limit_ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
	log_event(LOG_L_WARNING, "process.end", NULL, "not ended after %u ms: cut short", limit_ms);
	_exit(EXIT_SUCCESS); /* exit() would wait for locks that cancelled threads have left behind */
}

void life_end(uint32_t limit_ms)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (atomic_exchange(&ending, true))
		return;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_create(&thread, &attr, cut_short, (void *)(uintptr_t)limit_ms);
	pthread_attr_destroy(&attr);
}

bool life_ending(void)
{
	return atomic_load(&ending);
}
