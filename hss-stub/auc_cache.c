/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/auc_cache.h"

#include "core/clock.h"

#define BUCKETS_MIN 1024

struct auc_cache {
	struct auc_entry **bucket;
	size_t buckets; /* a power of two */
	size_t count, octets, limit;
	uint64_t seed; /* so that nobody outside can aim at one bucket */
	struct auc_entry *newest, *oldest;
};

struct auc_cache *auc_cache_new(TALLOC_CTX *ctx, size_t limit)
{
	struct auc_cache *cache = talloc_zero(ctx, struct auc_cache);

	if (cache == NULL)
		return NULL;
	cache->buckets = BUCKETS_MIN;
	cache->limit = limit;
	rand_bytes((uint8_t *)&cache->seed, sizeof(cache->seed));
	cache->bucket = talloc_zero_array(cache, struct auc_entry *, cache->buckets);
	if (cache->bucket == NULL) {
		talloc_free(cache);
		return NULL;
	}
	return cache;
}

/* FNV-1a, seeded and mixed at the end: the low bits choose the bucket. */
static uint64_t hash_of(const struct auc_cache *cache, struct bytes impi)
{
	uint64_t h = cache->seed ^ UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 0; i < impi.n; i++)
		h = (h ^ impi.p[i]) * UINT64_C(0x100000001b3);
	h = (h ^ h >> 32 ^ cache->seed) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static void lru_unlink(struct auc_cache *cache, struct auc_entry *e)
{
	*(e->newer != NULL ? &e->newer->older : &cache->newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &cache->oldest) = e->newer;
}

static void lru_push(struct auc_cache *cache, struct auc_entry *e)
{
	e->newer = NULL;
	e->older = cache->newest;
	*(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = e;
	cache->newest = e;
}

struct auc_entry *auc_cache_find(struct auc_cache *cache, struct bytes impi)
{
	uint64_t hash = hash_of(cache, impi);
	struct auc_entry *e = cache->bucket[hash & (cache->buckets - 1)];

	while (e != NULL && (e->hash != hash || !bytes_eq(e->sub.impi, impi)))
		e = e->hash_next;
	if (e != NULL && cache->newest != e) {
		lru_unlink(cache, e);
		lru_push(cache, e);
	}
	return e;
}

void auc_cache_remove(struct auc_cache *cache, struct auc_entry *entry)
{
	struct auc_entry **at = &cache->bucket[entry->hash & (cache->buckets - 1)];

	if (entry->removed)
		return;
	while (*at != entry)
		at = &(*at)->hash_next;
	*at = entry->hash_next;
	lru_unlink(cache, entry);
	cache->count--;
	cache->octets -= entry->size;
	entry->removed = true;
	if (entry->pins == 0)
		talloc_free(entry);
}

void auc_cache_unpin(struct auc_cache *cache, struct auc_entry *entry)
{
	(void)cache; /* the owner, whose lock is held */
	if (--entry->pins == 0 && entry->removed)
		talloc_free(entry);
}

static void make_room(struct auc_cache *cache, size_t size)
{
	struct auc_entry *e = cache->oldest, *newer;

	for (; e != NULL && cache->octets + size > cache->limit; e = newer) {
		newer = e->newer;
		if (e->pins == 0)
			auc_cache_remove(cache, e);
	}
}

/* Failing to grow only makes chains longer. */
static void grow(struct auc_cache *cache)
{
	size_t buckets = cache->buckets * 2, i;
	struct auc_entry **bucket = talloc_zero_array(cache, struct auc_entry *, buckets), *e, *next;

	if (bucket == NULL)
		return;
	for (i = 0; i < cache->buckets; i++) {
		for (e = cache->bucket[i]; e != NULL; e = next) {
			next = e->hash_next;
			e->hash_next = bucket[e->hash & (buckets - 1)];
			bucket[e->hash & (buckets - 1)] = e;
		}
	}
	talloc_free(cache->bucket);
	cache->bucket = bucket;
	cache->buckets = buckets;
}

static void copy_view(struct bytes *view, uint8_t **_at)
{
	if (view->p == NULL)
		return;
	memcpy(*_at, view->p, view->n);
	view->p = *_at;
	*_at += view->n;
}

struct auc_entry *auc_cache_add(struct auc_cache *cache, const struct subscriber *sub)
{
	size_t size = sizeof(struct auc_entry) + sub->impi.n + sub->impus.n + sub->sealed.n + sub->guss.n;
	struct auc_entry *e, **at;
	uint8_t *data;

	make_room(cache, size);
	e = talloc_size(cache, size);
	if (e == NULL)
		return NULL;
	*e = (struct auc_entry){
		.hash = hash_of(cache, sub->impi), .next = 1, .claim_next = 1, .sub = *sub, .size = size
	};
	data = e->data;
	e->sub.imsi = BYTES_NONE;
	copy_view(&e->sub.impi, &data);
	copy_view(&e->sub.impus, &data);
	copy_view(&e->sub.sealed, &data);
	copy_view(&e->sub.guss, &data);
	at = &cache->bucket[e->hash & (cache->buckets - 1)];
	e->hash_next = *at;
	*at = e;
	lru_push(cache, e);
	cache->octets += size;
	if (++cache->count > cache->buckets)
		grow(cache);
	return e;
}

size_t auc_cache_count(const struct auc_cache *cache)
{
	return cache->count;
}
