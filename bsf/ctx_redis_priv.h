/* SPDX-License-Identifier: Apache-2.0 */
/** What the two halves of the Redis store share: ctx_redis.c connects, puts and finds, ctx_redis_revise.c revises. */
#ifndef GBA_BSF_CTX_REDIS_PRIV_H
#define GBA_BSF_CTX_REDIS_PRIV_H

#include <stdatomic.h>

#include "bsf/ctx_redis.h"
#include "bsf/ctx_sealed.h"
#include "bsf/redis_link.h"
#include "core/metrics.h"
#include "crypto/hash.h"

#define PREFIX_MAX   32
#define IMPI_KEY_LEN 16 /* [octets] of the HMAC that names a user's contexts */
#define FORMAT_PLAIN "gba-bsf pool 1"
#define FORMAT_LEN   (sizeof(FORMAT_PLAIN) - 1 + HASH_MAX) /* then the key of the HMAC */

struct ctx_redis {
	struct ctx_store base;
	struct redis *redis;
	struct ctx_redis_conf conf;
	struct secret *password;
	uint8_t format[FORMAT_LEN + SEAL_OVERHEAD]; /* as stored: written again if somebody empties the server */
	uint8_t index_key[HASH_MAX];
	struct redis_call beat;
	bool beating;	     /* the thread of input and output alone */
	atomic_bool writable;
	struct metric *m_up, *m_failures, *m_seconds;
};

struct redis_key {
	uint8_t p[PREFIX_MAX + 8 + HASH_MAX];
};

/** prefix, kind, name: in _key, which the view needs. */
struct bytes redis_key(const struct ctx_redis *store, const char *kind, struct bytes name, struct redis_key *_key);
/** Of the sorted set of a user's RANDs, by a name that tells nobody who it is. */
struct bytes redis_impi_key(const struct ctx_redis *store, struct bytes impi, struct redis_key *_key);

#define WORD(text) BYTES(text, sizeof(text) - 1)
/** One more command into a call: struct bytes, ... */
#define ADD(call, ...)                                                                                                        \
	do {                                                                                                                  \
		const struct bytes words_[] = { __VA_ARGS__ };                                                                \
		redis_add(call, words_, sizeof(words_) / sizeof(words_[0]));                                                  \
	} while (0)

/** As ctx_store_ops.revise. */
enum gba_err ctx_redis_revise(struct ctx_store *base, const struct ctx_revision *revisions, size_t n, ctx_revised each, void *arg);

#endif
