/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets in a table of fixed size, so that many names cost no memory: who comes newly takes the place of the fullest
 * bucket in the same row. What is forgotten with it is least: a bucket that is full again knows nothing, and one whose owner
 * is at it stays as long as another in the row has asked for less. Keyed per process: names from outside cannot be aimed at
 * one row. */
#include "core/clock.h"
#include "crypto/hash.h"
#include "rest/rest_priv.h"

#define WAYS  8
#define MICRO 1000000ull /* one request, in units of a bucket */

struct bucket {
	uint64_t who;   /* keyed hash; 0: free */
	uint64_t level; /* [request / MICRO] */
	uint64_t at_ms;
	uint32_t rate, burst; /* that it fills by, and to */
};

struct limits {
	pthread_mutex_t lock;
	uint8_t key[16];
	uint32_t rows;
	struct bucket *buckets;
};

static int limits_free(struct limits *limits)
{
	pthread_mutex_destroy(&limits->lock);
	return 0;
}

struct limits *limits_new(TALLOC_CTX *mem_ctx, uint32_t capacity)
{
	struct limits *limits = talloc_zero(mem_ctx, struct limits);

	if (limits == NULL)
		return NULL;
	limits->rows = capacity / WAYS + 1;
	limits->buckets = talloc_zero_array(limits, struct bucket, (size_t)limits->rows * WAYS);
	if (limits->buckets == NULL) {
		talloc_free(limits);
		return NULL;
	}
	rand_bytes(limits->key, sizeof(limits->key));
	pthread_mutex_init(&limits->lock, NULL);
	talloc_set_destructor(limits, limits_free);
	return limits;
}

/* [request / MICRO] it can still take in. */
static uint64_t missing(const struct bucket *bucket, uint64_t now_ms)
{
	uint64_t gained = now_ms > bucket->at_ms ? (now_ms - bucket->at_ms) * bucket->rate * (MICRO / 1000) : 0;
	uint64_t taken = bucket->burst * MICRO - bucket->level;

	return gained > taken ? 0 : taken - gained;
}

/* Up to now. */
static void level_set(struct bucket *bucket, uint32_t rate, uint32_t burst, uint64_t now_ms)
{
	uint64_t left = missing(bucket, now_ms);

	bucket->rate = rate;
	bucket->burst = burst;
	bucket->level = burst * MICRO > left ? burst * MICRO - left : 0;
	bucket->at_ms = now_ms > bucket->at_ms ? now_ms : bucket->at_ms;
}

/* Its bucket, or the one that is to become its own. Under the lock. */
static struct bucket *bucket_of(struct limits *limits, uint64_t who, uint64_t now_ms)
{
	struct bucket *row = &limits->buckets[(who % limits->rows) * WAYS], *fullest = row;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		if (row[i].who == who)
			return &row[i];
		if (missing(&row[i], now_ms) < missing(fullest, now_ms))
			fullest = &row[i];
	}
	return fullest;
}

bool limits_pass(struct limits *limits, const char *who, uint32_t rate, uint32_t burst, uint64_t now_ms,
		 uint32_t *_wait)
{
	struct bytes name = bytes_of(who);
	uint8_t digest[HASH_MAX];
	struct bucket *bucket;
	uint64_t id;
	bool pass;

	hmac_pieces(HASH_SHA256, BYTES(limits->key, sizeof(limits->key)), &name, 1, digest);
	memcpy(&id, digest, sizeof(id));
	id |= 1;
	pthread_mutex_lock(&limits->lock);
	bucket = bucket_of(limits, id, now_ms);
	if (bucket->who != id)
		*bucket = (struct bucket){ id, burst * MICRO, now_ms, rate, burst };
	level_set(bucket, rate, burst, now_ms);
	pass = bucket->level >= MICRO;
	if (pass)
		bucket->level -= MICRO;
	*_wait = pass ? 0 : (uint32_t)((MICRO - bucket->level) / (rate * MICRO)) + 1;
	pthread_mutex_unlock(&limits->lock);
	return pass;
}
