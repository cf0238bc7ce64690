/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/peer/equipment.h"

#include <pthread.h>

#define SLOTS 262144 /* a power of two; 4 MB */

enum gba_err imei_key(struct bytes imei, uint64_t *_key)
{
	uint64_t key = 0;
	size_t i;

	if (imei.n < IMEI_KEY_LEN || imei.n > IMEI_KEY_LEN + 2)
		return GBA_E_SYNTAX;
	for (i = 0; i < imei.n; i++) {
		if (imei.p[i] < '0' || imei.p[i] > '9')
			return GBA_E_SYNTAX;
		if (i < IMEI_KEY_LEN)
			key = key * 10 + (uint64_t)(imei.p[i] - '0');
	}
	*_key = key + 1;
	return GBA_OK;
}

enum equipment equipment_of(const struct peering_conf *conf, const struct event_view *view)
{
	if (!view->known)
		return (enum equipment)conf->s13_unknown;
	switch (view->status) {
	case TRUST_WHITE: return (enum equipment)conf->s13_white;
	case TRUST_BLACK: return (enum equipment)conf->s13_black;
	default: return (enum equipment)conf->s13_grey;
	}
}

struct slot {
	uint64_t key; /* 0: empty */
	unsigned int age;
	uint32_t what; /* enum equipment */
};

struct equipment_cache {
	pthread_mutex_t lock;
	unsigned int age;
	struct slot *slots;
};

static int cache_free(struct equipment_cache *cache)
{
	pthread_mutex_destroy(&cache->lock);
	return 0;
}

enum gba_err equipment_cache_new(TALLOC_CTX *mem_ctx, struct equipment_cache **_cache)
{
	struct equipment_cache *cache = talloc_zero(mem_ctx, struct equipment_cache);

	if (cache == NULL)
		return GBA_E_NOMEM;
	cache->slots = talloc_zero_array(cache, struct slot, SLOTS);
	if (cache->slots == NULL) {
		talloc_free(cache);
		return GBA_E_NOMEM;
	}
	pthread_mutex_init(&cache->lock, NULL);
	talloc_set_destructor(cache, cache_free);
	*_cache = cache;
	return GBA_OK;
}

/* Neighbouring serial numbers go to slots far apart: 2^64 divided by the golden ratio. */
static struct slot *slot_of(struct equipment_cache *cache, uint64_t key)
{
	return &cache->slots[key * 0x9E3779B97F4A7C15u >> 32 & (SLOTS - 1)];
}

bool equipment_cache_get(struct equipment_cache *cache, uint64_t key, enum equipment *_what)
{
	struct slot *slot = slot_of(cache, key);
	bool found;

	pthread_mutex_lock(&cache->lock);
	found = slot->key == key && slot->age == cache->age;
	if (found)
		*_what = (enum equipment)slot->what;
	pthread_mutex_unlock(&cache->lock);
	return found;
}

void equipment_cache_put(struct equipment_cache *cache, uint64_t key, enum equipment what, unsigned int as_of)
{
	pthread_mutex_lock(&cache->lock);
	if (as_of == cache->age)
		*slot_of(cache, key) = (struct slot){ key, as_of, what };
	pthread_mutex_unlock(&cache->lock);
}

unsigned int equipment_cache_age(struct equipment_cache *cache)
{
	unsigned int age;

	pthread_mutex_lock(&cache->lock);
	age = cache->age;
	pthread_mutex_unlock(&cache->lock);
	return age;
}

void equipment_cache_forget(struct equipment_cache *cache)
{
	pthread_mutex_lock(&cache->lock);
	cache->age++;
	pthread_mutex_unlock(&cache->lock);
}
