/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/mman.h>

#include "bsf/key_hash.h"
#include "bsf/run_priv.h"
#include "core/clock.h"
#include "core/secret.h"

#define TO(s) (1u << RUN_S_##s)
static const struct {
	const char *name;
	unsigned int to;
} run_states[] = {
	[RUN_S_IDLE]   = { "IDLE",   TO(ASKING) },
	[RUN_S_ASKING] = { "ASKING", TO(OPEN) | TO(IDLE) },
	[RUN_S_OPEN]   = { "OPEN",   TO(ASKING) | TO(IDLE) },
};
_Static_assert(sizeof(run_states) / sizeof(run_states[0]) == RUN_S_COUNT, "one row per state");

void run_go(struct run *run, enum run_state to)
{
	if (run->state == to)
		return;
	if ((run_states[run->state].to & 1u << to) == 0)
		abort();
	run->state = to;
}

static void *pages_new(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p != MAP_FAILED ? p : NULL;
}

static int runs_destroy(struct runs *runs)
{
	size_t i;
	uint32_t at;

	for (i = 0; i < RUN_SHARDS && runs->slabs != NULL && runs->secrets != NULL; i++) {
		struct run_shard *shard = &runs->shards[i];

		for (at = shard->newest; at != RUN_NONE; at = shard->newest)
			run_drop(runs, shard, &shard->slab[at]);
		pthread_mutex_destroy(&shard->lock);
	}
	if (runs->slabs != NULL)
		munmap(runs->slabs, runs->slabs_n);
	if (runs->secrets != NULL) {
		secret_wipe(runs->secrets, runs->secrets_n);
		munmap(runs->secrets, runs->secrets_n);
	}
	SECRET_WIPE(runs->opaque_key);
	return 0;
}

static void shard_init(struct runs *runs, size_t i, uint32_t cap, uint32_t bucket_count)
{
	struct run_shard *shard = &runs->shards[i];
	uint32_t b;

	pthread_mutex_init(&shard->lock, NULL);
	shard->cap = cap;
	shard->slab = (struct run *)runs->slabs + i * cap;
	shard->secrets = (struct challenge_secret *)runs->secrets + i * cap * RUN_CHALLENGES;
	shard->bucket_count = bucket_count;
	shard->buckets = (uint32_t *)runs->buckets + i * bucket_count;
	for (b = 0; b < bucket_count; b++)
		shard->buckets[b] = RUN_NONE;
	shard->free_first = shard->newest = shard->oldest = RUN_NONE;
}

struct runs *runs_new(TALLOC_CTX *mem_ctx, const struct run_conf *conf)
{
	uint32_t cap = (conf->max + RUN_SHARDS - 1) / RUN_SHARDS, buckets = 16;
	struct runs *runs = talloc_zero(mem_ctx, struct runs);
	size_t i;

	if (runs == NULL)
		return NULL;
	while (buckets < cap)
		buckets *= 2;
	runs->conf = *conf;
	talloc_set_destructor(runs, runs_destroy);
	rand_bytes(runs->opaque_key, sizeof(runs->opaque_key));
	runs->slabs_n = sizeof(struct run) * cap * RUN_SHARDS;
	runs->secrets_n = sizeof(struct challenge_secret) * cap * RUN_SHARDS * RUN_CHALLENGES;
	runs->slabs = pages_new(runs->slabs_n);
	runs->secrets = pages_new(runs->secrets_n);
	runs->buckets = talloc_array(runs, uint32_t, buckets * RUN_SHARDS);
	if (runs->slabs == NULL || runs->secrets == NULL || runs->buckets == NULL) {
		for (i = 0; i < RUN_SHARDS; i++)
			runs->shards[i].newest = RUN_NONE;
		talloc_free(runs);
		return NULL;
	}
	madvise(runs->secrets, runs->secrets_n, MADV_DONTDUMP);
	runs->locked = mlock2(runs->secrets, runs->secrets_n, MLOCK_ONFAULT) == 0;
	for (i = 0; i < RUN_SHARDS; i++)
		shard_init(runs, i, cap, buckets);
	return runs;
}

bool runs_locked(const struct runs *runs)
{
	return runs->locked;
}

struct run_shard *run_shard_of(struct runs *runs, uint64_t hash)
{
	return &runs->shards[hash % RUN_SHARDS];
}

static uint32_t *bucket_of(struct run_shard *shard, uint64_t hash)
{
	return &shard->buckets[hash / RUN_SHARDS & (shard->bucket_count - 1)];
}

struct run *run_find(struct run_shard *shard, uint64_t hash, struct bytes impi)
{
	uint32_t at = *bucket_of(shard, hash);

	while (at != RUN_NONE) {
		struct run *run = &shard->slab[at];

		if (run->hash == hash && bytes_eq(BYTES(run->impi, run->impi_n), impi))
			return run;
		at = run->chain;
	}
	return NULL;
}

static void unlink_age(struct run_shard *shard, struct run *run)
{
	*(run->newer != RUN_NONE ? &shard->slab[run->newer].older : &shard->newest) = run->older;
	*(run->older != RUN_NONE ? &shard->slab[run->older].newer : &shard->oldest) = run->newer;
}

static void link_newest(struct run_shard *shard, struct run *run)
{
	run->newer = RUN_NONE;
	run->older = shard->newest;
	*(run->older != RUN_NONE ? &shard->slab[run->older].newer : &shard->oldest) = run->index;
	shard->newest = run->index;
}

void run_touch(struct run_shard *shard, struct run *run)
{
	unlink_age(shard, run);
	link_newest(shard, run);
}

struct challenge_secret *run_secret(struct run_shard *shard, struct run *run, unsigned int i)
{
	return &shard->secrets[run->index * RUN_CHALLENGES + i];
}

void run_challenge_clear(struct run_shard *shard, struct run *run, unsigned int i)
{
	if (run->challenges[i].pub.guss == NULL)
		return;
	guss_kept_unref(run->challenges[i].pub.guss);
	permit_unref(run->challenges[i].pub.permit);
	memset(&run->challenges[i], 0, sizeof(run->challenges[i]));
	secret_wipe(run_secret(shard, run, i), sizeof(struct challenge_secret));
}

void run_drop(struct runs *runs, struct run_shard *shard, struct run *run)
{
	uint32_t *at = bucket_of(shard, run->hash);
	unsigned int i;

	while (*at != run->index)
		at = &shard->slab[*at].chain;
	*at = run->chain;
	unlink_age(shard, run);
	for (i = 0; i < RUN_CHALLENGES; i++)
		run_challenge_clear(shard, run, i);
	atomic_fetch_sub(&runs->sources[run->source_slot], 1);
	run->chain = shard->free_first;
	shard->free_first = run->index;
	shard->used--;
}

/* Above three quarters, new runs are dropped at random, the more the fuller, every second one at the end: what has begun
 * gets the time to finish, and who repeats gets in. An address that holds more than its share loses nine of ten from one
 * half on. */
static bool drop_early(struct runs *runs, const struct run_shard *shard, uint32_t source_slot)
{
	uint32_t full = shard->used * 100 / shard->cap, percent = 0;
	uint8_t dice;

	if (full > 50 && atomic_load(&runs->sources[source_slot]) >= runs->conf.per_source)
		percent = 90;
	else if (full > 75)
		percent = 2 * (full - 75);
	if (percent == 0)
		return false;
	rand_bytes(&dice, sizeof(dice));
	return dice * 100u < percent * 256u;
}

/* Drop the oldest run that no request waits for. */
static bool make_place(struct runs *runs, struct run_shard *shard)
{
	uint32_t at;

	for (at = shard->oldest; at != RUN_NONE; at = shard->slab[at].newer) {
		if (shard->slab[at].state != RUN_S_ASKING) {
			run_drop(runs, shard, &shard->slab[at]);
			return true;
		}
	}
	return false;
}

enum gba_err run_insert(struct runs *runs, struct run_shard *shard, uint64_t hash, const struct run_leg *leg, struct run **_run)
{
	uint32_t source_slot = (uint32_t)(key_hash(leg->source) % SOURCE_SLOTS), at;
	struct run *run;

	if (drop_early(runs, shard, source_slot))
		return GBA_E_BUSY;
	if (shard->used >= shard->cap && !make_place(runs, shard))
		return GBA_E_BUSY;
	at = shard->free_first;
	if (at != RUN_NONE)
		shard->free_first = shard->slab[at].chain;
	else
		at = shard->fresh++;
	run = &shard->slab[at];
	memset(run, 0, sizeof(*run));
	run->index = at;
	run->hash = hash;
	run->impi_n = (uint8_t)leg->impi.n;
	memcpy(run->impi, leg->impi.p, leg->impi.n);
	run->waiters_end = &run->waiters;
	run->source_slot = source_slot;
	run->chain = *bucket_of(shard, hash);
	*bucket_of(shard, hash) = at;
	link_newest(shard, run);
	shard->used++;
	atomic_fetch_add(&runs->sources[source_slot], 1);
	*_run = run;
	return GBA_OK;
}

bool run_has_open(const struct runs *runs, const struct run *run, uint64_t now_ms)
{
	unsigned int i;

	for (i = 0; i < RUN_CHALLENGES; i++) {
		if (run->challenges[i].pub.guss != NULL && run_age(now_ms, run->challenges[i].made_ms) < runs->conf.life_ms)
			return true;
	}
	return false;
}

/* Is anything remembered that the next leg must meet? */
static bool remembers(const struct run *run, uint64_t now_ms)
{
	unsigned int i;

	if (run->held_until_ms > now_ms)
		return true;
	for (i = 0; i < RUN_STRIKERS; i++) {
		const struct run_strike *s = &run->strikes[i];

		if (s->source != 0 && (s->held_until_ms > now_ms || run_age(now_ms, s->last_ms) < WRONG_MEMORY_MS))
			return true;
	}
	return false;
}

static void sweep_run(struct runs *runs, struct run_shard *shard, struct run *run, uint64_t now_ms)
{
	unsigned int i;

	for (i = 0; i < RUN_CHALLENGES; i++) {
		if (run_age(now_ms, run->challenges[i].made_ms) >= runs->conf.life_ms)
			run_challenge_clear(shard, run, i);
	}
	if (run->state == RUN_S_ASKING || run_has_open(runs, run, now_ms))
		return;
	run_go(run, RUN_S_IDLE);
	if (!remembers(run, now_ms) && (run->asked_ms == 0 || run_age(now_ms, run->asked_ms) >= runs->conf.ask_ms))
		run_drop(runs, shard, run);
}

size_t runs_sweep(struct runs *runs, uint64_t now_ms)
{
	size_t held = 0, i;

	for (i = 0; i < RUN_SHARDS; i++) {
		struct run_shard *shard = &runs->shards[i];
		uint32_t at, newer;

		pthread_mutex_lock(&shard->lock);
		for (at = shard->oldest; at != RUN_NONE; at = newer) {
			newer = shard->slab[at].newer;
			sweep_run(runs, shard, &shard->slab[at], now_ms);
		}
		held += shard->used;
		pthread_mutex_unlock(&shard->lock);
	}
	return held;
}
