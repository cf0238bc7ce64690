/* SPDX-License-Identifier: Apache-2.0 */
/** Subscribers in use, with the block of SEQs leased for each; bounded, the least recently used leaves first. Keys stay
 * sealed. No lock of its own: the AuC's is held around every call and every use of an entry. */
#ifndef GBA_HSS_AUC_CACHE_H
#define GBA_HSS_AUC_CACHE_H

#include "hss-stub/subscriber.h"

struct auc_cache;

struct auc_entry {
	struct auc_entry *hash_next, *newer, *older;
	uint64_t hash;
	uint64_t epoch;	      /* of the store when the record was last known to stand */
	uint64_t next, last;  /* SEQs next..last are durable and unused; none when next > last */
	uint64_t claim_next, claim_last; /* claimed in the transaction under way; the store's thread alone uses it */
	uint32_t lease;	      /* [SEQs] size of the next block */
	uint64_t leased_at;   /* [ms, monotonic] */
	uint32_t wanted;      /* jobs of the current batch that need a SEQ */
	unsigned int pins;    /* > 0: in use without the lock, must not be freed */
	bool removed;	      /* no longer found; freed with the last pin */
	bool topping;	      /* a top-up is asked for */
	struct subscriber sub; /* views into data; seq unused */
	size_t size;
	uint8_t data[];
};

/** @param limit  [octets] of all entries. NULL: out of memory */
struct auc_cache *auc_cache_new(TALLOC_CTX *ctx, size_t limit);
/** @param impi  in the form of subscriber_impi(). The entry becomes the most recently used. NULL: not there */
struct auc_entry *auc_cache_find(struct auc_cache *cache, struct bytes impi);
/** Copy of a record, its lease empty; makes room first. NULL: out of memory */
struct auc_entry *auc_cache_add(struct auc_cache *cache, const struct subscriber *sub);
/** Forget: not found any more, freed when nobody has it pinned. Twice is once. */
void auc_cache_remove(struct auc_cache *cache, struct auc_entry *entry);
/** Undo one pins++. */
void auc_cache_unpin(struct auc_cache *cache, struct auc_entry *entry);
size_t auc_cache_count(const struct auc_cache *cache);

#endif
