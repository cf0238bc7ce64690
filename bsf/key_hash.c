/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/key_hash.h"

#include <pthread.h>

#include "core/clock.h"

static uint64_t seed;

static void seed_make(void)
{
	rand_bytes((uint8_t *)&seed, sizeof(seed));
}

/* FNV-1a from a random start, then mixed: chains are bounded by the tables' sizes, so guessing collisions gains little. */
uint64_t key_hash(struct bytes key)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint64_t h;
	size_t i;

	pthread_once(&once, seed_make);
	h = UINT64_C(0xcbf29ce484222325) ^ seed;
	for (i = 0; i < key.n; i++)
		h = (h ^ key.p[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	h *= UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}
