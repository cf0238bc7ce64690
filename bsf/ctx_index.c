/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/ctx_index.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define SHARDS	  64 /* each grows by itself, so nobody waits long for it */
#define SLOTS_MIN 64

/* Open addressing, linear; place 0: free. */
struct slot {
	uint64_t hash, place;
};

struct shard {
	pthread_mutex_t lock;
	struct slot *slots;
	uint64_t mask, used;
};

struct ctx_index {
	struct shard shards[SHARDS];
};

static struct shard *shard_of(struct ctx_index *index, uint64_t hash)
{
	return &index->shards[hash % SHARDS];
}

static uint64_t home_of(const struct shard *shard, uint64_t hash)
{
	return hash / SHARDS & shard->mask;
}

/* Where the hash is, or the free slot where it would be. */
static struct slot *slot_of(struct shard *shard, uint64_t hash)
{
	uint64_t i = home_of(shard, hash);

	while (shard->slots[i].place != 0 && shard->slots[i].hash != hash)
		i = (i + 1) & shard->mask;
	return &shard->slots[i];
}

static bool slots_make(struct shard *shard, uint64_t count)
{
	shard->slots = calloc(count, sizeof(*shard->slots));
	shard->mask = count - 1;
	return shard->slots != NULL;
}

struct ctx_index *ctx_index_new(uint64_t expected)
{
	struct ctx_index *index = calloc(1, sizeof(*index));
	uint64_t count = SLOTS_MIN;
	bool good = index != NULL;
	unsigned int i;

	while (count / 2 < expected / SHARDS)
		count *= 2;
	for (i = 0; i < SHARDS && good; i++) {
		pthread_mutex_init(&index->shards[i].lock, NULL);
		good = slots_make(&index->shards[i], count);
	}
	if (good)
		return index;
	ctx_index_free(index);
	return NULL;
}

void ctx_index_free(struct ctx_index *index)
{
	unsigned int i;

	for (i = 0; index != NULL && i < SHARDS; i++)
		free(index->shards[i].slots);
	free(index);
}

static bool grow(struct shard *shard)
{
	struct shard bigger = { .used = 0 };
	uint64_t i;

	if (!slots_make(&bigger, 2 * (shard->mask + 1)))
		return false;
	for (i = 0; i <= shard->mask; i++) {
		if (shard->slots[i].place != 0)
			*slot_of(&bigger, shard->slots[i].hash) = shard->slots[i];
	}
	free(shard->slots);
	shard->slots = bigger.slots;
	shard->mask = bigger.mask;
	return true;
}

static enum gba_err put(struct ctx_index *index, uint64_t hash, uint64_t place, bool newest_wins)
{
	struct shard *shard = shard_of(index, hash);
	enum gba_err err = GBA_OK;
	struct slot *slot;

	pthread_mutex_lock(&shard->lock);
	if (shard->used >= (shard->mask + 1) / 4 * 3 && !grow(shard))
		err = GBA_E_NOMEM;
	slot = slot_of(shard, hash);
	if (err == GBA_OK && slot->place != 0 && !newest_wins)
		err = GBA_E_EXISTS;
	if (err == GBA_OK) {
		shard->used += slot->place == 0;
		*slot = (struct slot){ hash, place };
	}
	pthread_mutex_unlock(&shard->lock);
	return err;
}

enum gba_err ctx_index_add(struct ctx_index *index, uint64_t hash, uint64_t place)
{
	return put(index, hash, place, false);
}

enum gba_err ctx_index_set(struct ctx_index *index, uint64_t hash, uint64_t place)
{
	return put(index, hash, place, true);
}

uint64_t ctx_index_find(struct ctx_index *index, uint64_t hash)
{
	struct shard *shard = shard_of(index, hash);
	uint64_t place;

	pthread_mutex_lock(&shard->lock);
	place = slot_of(shard, hash)->place;
	pthread_mutex_unlock(&shard->lock);
	return place;
}

/* Close the gap: whoever could not have its home because of what stood here moves up. */
static void close_gap(struct shard *shard, uint64_t gap)
{
	uint64_t i, home;

	for (i = (gap + 1) & shard->mask; shard->slots[i].place != 0; i = (i + 1) & shard->mask) {
		home = home_of(shard, shard->slots[i].hash);
		if (((i - home) & shard->mask) < ((i - gap) & shard->mask))
			continue; /* its home lies behind the gap */
		shard->slots[gap] = shard->slots[i];
		gap = i;
	}
	shard->slots[gap].place = 0;
}

void ctx_index_remove(struct ctx_index *index, uint64_t hash, uint64_t place)
{
	struct shard *shard = shard_of(index, hash);
	struct slot *slot;

	pthread_mutex_lock(&shard->lock);
	slot = slot_of(shard, hash);
	if (slot->place != 0 && slot->place == place) {
		close_gap(shard, (uint64_t)(slot - shard->slots));
		shard->used--;
	}
	pthread_mutex_unlock(&shard->lock);
}
