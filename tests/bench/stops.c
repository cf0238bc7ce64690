/* SPDX-License-Identifier: Apache-2.0 */
/* stops SECONDS: how long the machine itself keeps each core from a thread that does nothing but read the clock: what no program
 * on it can be faster than. One line of JSON. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "stats.h"

#define STOP_US	  1000
#define CORES_MAX 256

struct core {
	pthread_t thread;
	int number;
	uint64_t until, stops, longest, lost; /* [us] */
};

static void *spin(void *arg)
{
	struct core *core = arg;
	uint64_t last, now;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(core->number, &one);
	sched_setaffinity(0, sizeof(one), &one);
	for (last = stats_now(); last < core->until; last = now) {
		now = stats_now();
		if (now - last < STOP_US)
			continue;
		core->stops++;
		core->lost += now - last;
		if (now - last > core->longest)
			core->longest = now - last;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct core cores[CORES_MAX];
	uint64_t stops = 0, longest = 0, lost = 0, until;
	int i, n = 0, seconds = argc > 1 ? atoi(argv[1]) : 3;
	cpu_set_t all;

	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		return EXIT_FAILURE;
	until = stats_now() + (uint64_t)seconds * 1000000;
	for (i = 0; i < CPU_SETSIZE && n < CORES_MAX; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		cores[n] = (struct core){ .number = i, .until = until };
		if (pthread_create(&cores[n].thread, NULL, spin, &cores[n]) != 0)
			return EXIT_FAILURE;
		n++;
	}
	for (i = 0; i < n; i++) {
		pthread_join(cores[i].thread, NULL);
		stops += cores[i].stops;
		lost += cores[i].lost;
		longest = cores[i].longest > longest ? cores[i].longest : longest;
	}
	printf("{\"seconds\": %d, \"cores\": %d, \"stops\": %llu, \"longest_us\": %llu, \"lost_us\": %llu}\n", seconds, n,
	       (unsigned long long)stops, (unsigned long long)longest, (unsigned long long)lost);
	return 0;
}
