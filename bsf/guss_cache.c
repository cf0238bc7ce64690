/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/guss_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "bsf/ctx.h"
#include "bsf/key_hash.h"
#include "bsf/uss_pack.h"

#define SHARDS 16

struct entry {
	struct entry *chain;	     /* same bucket */
	struct entry *newer, *older; /* by last use */
	struct guss_kept *kept;
	uint64_t hash;
	size_t impi_n;
	uint8_t impi[];
};

struct shard {
	pthread_mutex_t lock;
	struct entry **buckets;
	struct entry *newest, *oldest;
	size_t bucket_count, used, cap;
};

struct guss_cache {
	struct shard shards[SHARDS];
};

static struct guss_kept *kept_new(size_t uss_n)
{
	struct guss_kept *kept = calloc(1, sizeof(*kept) + uss_n); /* not talloc: shared between threads */

	if (kept == NULL)
		return NULL;
	atomic_init(&kept->refs, 1);
	kept->uss = BYTES(kept + 1, uss_n);
	return kept;
}

struct guss_kept *guss_kept_none(void)
{
	return kept_new(0);
}

struct guss_kept *guss_kept_ref(struct guss_kept *kept)
{
	if (kept != NULL)
		atomic_fetch_add(&kept->refs, 1);
	return kept;
}

void guss_kept_unref(struct guss_kept *kept)
{
	if (kept != NULL && atomic_fetch_sub(&kept->refs, 1) == 1)
		free(kept);
}

static enum gba_err kept_from(TALLOC_CTX *mem_ctx, struct bytes xml, struct bytes impi, struct guss_kept **_kept)
{
	struct guss_kept *kept;
	struct guss *guss;
	struct bytes uss;
	enum gba_err err;

	err = guss_parse(mem_ctx, xml, &guss);
	if (err != GBA_OK)
		return err;
	if (guss->impi != NULL && !bytes_eq_str(impi, guss->impi))
		return GBA_E_PEER;
	err = uss_pack(mem_ctx, guss, &uss);
	if (err != GBA_OK)
		return err;
	kept = kept_new(uss.n);
	if (kept == NULL)
		return GBA_E_NOMEM;
	if (uss.n > 0)
		memcpy(kept + 1, uss.p, uss.n);
	kept->uicc = guss->uicc;
	kept->life_time = guss->life_time;
	*_kept = kept;
	return GBA_OK;
}

enum gba_err guss_kept_read(struct bytes xml, struct bytes impi, time_t now, struct guss_kept **_kept)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	enum gba_err err;

	err = kept_from(tmp, xml, impi, _kept);
	talloc_free(tmp);
	if (err == GBA_OK)
		(*_kept)->stamp = now;
	return err;
}

static int cache_destroy(struct guss_cache *cache)
{
	size_t i;

	for (i = 0; i < SHARDS; i++) {
		struct entry *e, *older;

		for (e = cache->shards[i].newest; e != NULL; e = older) {
			older = e->older;
			guss_kept_unref(e->kept);
			free(e);
		}
		pthread_mutex_destroy(&cache->shards[i].lock);
	}
	return 0;
}

struct guss_cache *guss_cache_new(TALLOC_CTX *mem_ctx, uint32_t entries)
{
	struct guss_cache *cache = talloc_zero(mem_ctx, struct guss_cache);
	size_t cap = (entries + SHARDS - 1) / SHARDS, buckets = 16, i;

	if (cache == NULL)
		return NULL;
	while (buckets < cap)
		buckets *= 2;
	for (i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&cache->shards[i].lock, NULL);
		cache->shards[i].cap = cap;
		cache->shards[i].bucket_count = buckets;
		cache->shards[i].buckets = talloc_zero_array(cache, struct entry *, buckets);
	}
	talloc_set_destructor(cache, cache_destroy);
	for (i = 0; i < SHARDS; i++) {
		if (cache->shards[i].buckets == NULL) {
			talloc_free(cache);
			return NULL;
		}
	}
	return cache;
}

static struct entry **place_of(struct shard *shard, uint64_t hash, struct bytes impi)
{
	struct entry **at = &shard->buckets[hash / SHARDS & (shard->bucket_count - 1)];

	while (*at != NULL && ((*at)->hash != hash || !bytes_eq(BYTES((*at)->impi, (*at)->impi_n), impi)))
		at = &(*at)->chain;
	return at;
}

static void unlink_age(struct shard *shard, struct entry *e)
{
	*(e->newer != NULL ? &e->newer->older : &shard->newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &shard->oldest) = e->newer;
}

static void link_newest(struct shard *shard, struct entry *e)
{
	e->newer = NULL;
	e->older = shard->newest;
	*(e->older != NULL ? &e->older->newer : &shard->oldest) = e;
	shard->newest = e;
}

static void drop(struct shard *shard, struct entry **at)
{
	struct entry *e = *at;

	*at = e->chain;
	unlink_age(shard, e);
	shard->used--;
	guss_kept_unref(e->kept);
	free(e);
}

struct guss_kept *guss_cache_get(struct guss_cache *cache, struct bytes impi)
{
	uint64_t hash = key_hash(impi);
	struct shard *shard = &cache->shards[hash % SHARDS];
	struct guss_kept *kept = NULL;
	struct entry *e;

	pthread_mutex_lock(&shard->lock);
	e = *place_of(shard, hash, impi);
	if (e != NULL) {
		unlink_age(shard, e);
		link_newest(shard, e);
		kept = guss_kept_ref(e->kept);
	}
	pthread_mutex_unlock(&shard->lock);
	return kept;
}

static void insert(struct shard *shard, uint64_t hash, struct bytes impi, struct guss_kept *kept)
{
	struct entry *e = malloc(sizeof(*e) + impi.n), **at;

	if (e == NULL)
		return;
	e->hash = hash;
	e->impi_n = impi.n;
	memcpy(e->impi, impi.p, impi.n);
	e->kept = guss_kept_ref(kept);
	at = place_of(shard, hash, impi);
	e->chain = NULL;
	*at = e;
	link_newest(shard, e);
	shard->used++;
}

void guss_cache_put(struct guss_cache *cache, struct bytes impi, struct guss_kept *kept)
{
	uint64_t hash = key_hash(impi);
	struct shard *shard = &cache->shards[hash % SHARDS];
	struct entry **at;

	if (shard->cap == 0)
		return;
	pthread_mutex_lock(&shard->lock);
	at = place_of(shard, hash, impi);
	if (*at != NULL)
		drop(shard, at);
	else if (shard->used >= shard->cap)
		drop(shard, place_of(shard, shard->oldest->hash, BYTES(shard->oldest->impi, shard->oldest->impi_n)));
	insert(shard, hash, impi, kept);
	pthread_mutex_unlock(&shard->lock);
}

void guss_cache_drop(struct guss_cache *cache, struct bytes impi)
{
	uint64_t hash = key_hash(impi);
	struct shard *shard = &cache->shards[hash % SHARDS];
	struct entry **at;

	pthread_mutex_lock(&shard->lock);
	at = place_of(shard, hash, impi);
	if (*at != NULL)
		drop(shard, at);
	pthread_mutex_unlock(&shard->lock);
}
