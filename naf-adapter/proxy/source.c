/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/source.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

#include "core/clock.h"

struct slot {
	struct slot *next;
	uint8_t prefix[16];
	unsigned int count;
};

struct sources {
	pthread_mutex_t lock;
	unsigned int all, max_all, max_each;
	uint64_t seed; /* nobody outside can choose addresses that meet in one bucket */
	size_t buckets;
	struct slot **bucket;
};

static int sources_destroy(struct sources *sources)
{
	pthread_mutex_destroy(&sources->lock);
	return 0;
}

struct sources *sources_new(TALLOC_CTX *mem_ctx, unsigned int max_all, unsigned int max_each)
{
	struct sources *sources = talloc_zero(mem_ctx, struct sources);

	if (sources == NULL)
		return NULL;
	sources->max_all = max_all;
	sources->max_each = max_each;
	sources->buckets = max_all / 4 + 61;
	sources->bucket = talloc_zero_array(sources, struct slot *, sources->buckets);
	if (sources->bucket == NULL) {
		talloc_free(sources);
		return NULL;
	}
	rand_bytes((uint8_t *)&sources->seed, sizeof(sources->seed));
	pthread_mutex_init(&sources->lock, NULL);
	talloc_set_destructor(sources, sources_destroy);
	return sources;
}

void sources_cap(struct sources *sources, unsigned int max_all, unsigned int max_each)
{
	pthread_mutex_lock(&sources->lock);
	sources->max_all = max_all;
	sources->max_each = max_each;
	pthread_mutex_unlock(&sources->lock);
}

/* IPv4 as ::ffff:a.b.c.d, so that both ways to write it count together; IPv6 cut to /64. */
static void prefix_of(const struct sockaddr_storage *address, uint8_t prefix[16])
{
	const struct sockaddr_in6 *v6 = (const void *)address;

	memset(prefix, 0, 16);
	if (address->ss_family == AF_INET) {
		memset(prefix + 10, 0xff, 2);
		memcpy(prefix + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
	} else if (address->ss_family == AF_INET6) {
		memcpy(prefix, &v6->sin6_addr, IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? 16 : 8);
	}
}

static struct slot **slot_at(struct sources *sources, const uint8_t prefix[16])
{
	uint64_t hash = sources->seed;
	struct slot **at;
	size_t i;

	for (i = 0; i < 16; i++) {
		hash = (hash ^ prefix[i]) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 29;
	}
	for (at = &sources->bucket[hash % sources->buckets]; *at != NULL; at = &(*at)->next) {
		if (memcmp((*at)->prefix, prefix, 16) == 0)
			break;
	}
	return at;
}

bool sources_enter(struct sources *sources, const struct sockaddr_storage *address)
{
	uint8_t prefix[16];
	struct slot **at;
	bool entered = false;

	prefix_of(address, prefix);
	pthread_mutex_lock(&sources->lock);
	at = slot_at(sources, prefix);
	if (*at == NULL && sources->all < sources->max_all) {
		*at = talloc_zero(sources, struct slot);
		if (*at != NULL)
			memcpy((*at)->prefix, prefix, 16);
	}
	if (*at != NULL && sources->all < sources->max_all && (*at)->count < sources->max_each) {
		(*at)->count++;
		sources->all++;
		entered = true;
	}
	pthread_mutex_unlock(&sources->lock);
	return entered;
}

void sources_leave(struct sources *sources, const struct sockaddr_storage *address)
{
	uint8_t prefix[16];
	struct slot **at, *slot;

	prefix_of(address, prefix);
	pthread_mutex_lock(&sources->lock);
	at = slot_at(sources, prefix);
	slot = *at;
	if (slot != NULL && slot->count > 0) {
		slot->count--;
		sources->all--;
		if (slot->count == 0) {
			*at = slot->next;
			talloc_free(slot);
		}
	}
	pthread_mutex_unlock(&sources->lock);
}

unsigned int sources_count(struct sources *sources)
{
	unsigned int all;

	pthread_mutex_lock(&sources->lock);
	all = sources->all;
	pthread_mutex_unlock(&sources->lock);
	return all;
}
