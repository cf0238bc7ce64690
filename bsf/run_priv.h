/* SPDX-License-Identifier: Apache-2.0 */
/** What run_table.c (places, age, memory) and run.c (what a leg leads to) share. */
#ifndef GBA_BSF_RUN_PRIV_H
#define GBA_BSF_RUN_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "bsf/run.h"

#define RUN_SHARDS	  64
#define RUN_NONE	  UINT32_MAX
#define RUN_CHALLENGES	  3  /* the newest, and what others may still be answering: one address cannot push them out */
#define RUN_BURNED	  8  /* spoiled opaque values of one challenge; beyond, the challenge goes */
#define RUN_STRIKERS	  4  /* addresses with wrong answers remembered per run */
#define RUN_WAITERS	  32 /* requests waiting for one answer of the HSS */
#define RUN_EXTRA_ASKS	  4  /* MARs beyond the first in one window: wrong answers and AUTS */
#define WRONG_MEMORY_MS	  60000
#define WRONG_HOLD_MAX_MS 600000
#define SOURCE_SLOTS	  4096
#define OPAQUE_SALT	  sizeof(uint64_t)

enum run_state {
	RUN_S_IDLE,   /* nothing under way; what is remembered is why the next leg may be refused */
	RUN_S_ASKING, /* the HSS has a question of ours */
	RUN_S_OPEN,   /* a challenge can be answered */
	RUN_S_COUNT
};

struct run_challenge {
	struct challenge pub; /* .guss == NULL: slot empty */
	uint64_t made_ms;
	unsigned int round; /* resynchronisations that led to it */
	unsigned int burned_n;
	uint8_t burned[RUN_BURNED][OPAQUE_SALT];
};

struct run_strike {
	uint64_t source; /* hash; 0: slot empty */
	uint64_t last_ms, held_until_ms;
	unsigned int wrong, holds;
};

struct run {
	uint32_t index, chain, newer, older; /* places in the shard; RUN_NONE ends */
	uint64_t hash;
	enum run_state state;
	struct run_challenge challenges[RUN_CHALLENGES];
	unsigned int newest; /* which of them */
	uint64_t asked_ms;   /* last question to the HSS; 0: none, or it was answered rightly */
	uint64_t window_ms;  /* start of the window in which extra asks are counted */
	unsigned int extra_asks;
	unsigned int ask_round;
	uint64_t asker; /* source of the AUTS under way; 0: none */
	uint64_t held_until_ms;
	enum gba_err held_err; /* what the HSS said last, repeated until then */
	struct run_strike strikes[RUN_STRIKERS];
	struct run_waiter *waiters, **waiters_end;
	unsigned int waiter_n;
	uint32_t source_slot;
	uint8_t impi_n;
	uint8_t impi[IMPI_MAX + 1];
};

struct run_shard {
	pthread_mutex_t lock;
	struct run *slab;		  /* cap of them, touched when first used */
	struct challenge_secret *secrets; /* RUN_CHALLENGES per run */
	uint32_t *buckets;
	uint32_t bucket_count, cap, used, fresh; /* fresh: slab places never used yet */
	uint32_t free_first, newest, oldest;
};

struct runs {
	struct run_conf conf;
	struct run_shard shards[RUN_SHARDS];
	atomic_uint sources[SOURCE_SLOTS];
	uint8_t opaque_key[32];
	atomic_uint_fast64_t opaque_number;
	void *slabs, *secrets, *buckets;
	size_t slabs_n, secrets_n;
	bool locked;
};

/** [ms] since then. A leg and the sweep read the clock before they get the shard's lock: what another thread did meanwhile is
 * later than their now, and young. */
static inline uint64_t run_age(uint64_t now_ms, uint64_t then_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

struct run_shard *run_shard_of(struct runs *runs, uint64_t hash);
/** NULL when there is none. The shard's lock is held, here and below. */
struct run *run_find(struct run_shard *shard, uint64_t hash, struct bytes impi);
/** A new run, idle and newest; makes place by dropping the oldest that waits for nothing.
 * @retval GBA_E_BUSY  no place, or dropped at random to keep place for others */
enum gba_err run_insert(struct runs *runs, struct run_shard *shard, uint64_t hash, const struct run_leg *leg, struct run **_run);
void run_touch(struct run_shard *shard, struct run *run);
void run_drop(struct runs *runs, struct run_shard *shard, struct run *run);
struct challenge_secret *run_secret(struct run_shard *shard, struct run *run, unsigned int i);
void run_challenge_clear(struct run_shard *shard, struct run *run, unsigned int i);
/** Is there any challenge that can be answered now? */
bool run_has_open(const struct runs *runs, const struct run *run, uint64_t now_ms);
/** May the run go to this state from the one it is in? Goes there; a step that the table forbids is a bug and aborts. */
void run_go(struct run *run, enum run_state to);

#endif
