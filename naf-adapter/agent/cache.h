/* SPDX-License-Identifier: Apache-2.0 */
/** Keys the BSFs gave, until they expire, and their refusals, briefly. One thread. Keys live in one block of memory that is
 * locked and left out of core dumps; all else about them below the cache's context. */
#ifndef NAF_AGENT_CACHE_H
#define NAF_AGENT_CACHE_H

#include <stdbool.h>
#include <talloc.h>
#include <time.h>

#include "core/bytes.h"
#include "core/err.h"
#include "naf-adapter/libnaf/gba-naf.h"
#include "xml/guss.h"

/** What a key is looked up by: B-TID, NAF_Id and the service identifiers asked for, sorted. */
#define KEY_NAME_MAX (GBA_NAF_BTID_MAX + 1 + GBA_NAF_FQDN_MAX + GBA_NAF_UA_ID_LEN + 1 + 4 * GBA_NAF_GSID_MAX)
struct key_name {
	uint8_t octets[KEY_NAME_MAX];
	size_t n;
	size_t btid_n, fqdn_n; /* [octets] the B-TID comes first, a NUL, the host name */
};
#define KEY_DIGEST_LEN 32 /* [octets] SHA-256 of a B-TID: what revocations name */
void key_digest(struct bytes btid, uint8_t out[KEY_DIGEST_LEN]);
/** @param fqdn   lower case
 * @param aware  asked with GBA_U awareness: may have another answer */
void key_name_build(struct bytes btid, struct bytes fqdn, const uint8_t ua_id[GBA_NAF_UA_ID_LEN], const uint32_t *gsids,
		    size_t gsid_count, bool aware, struct key_name *_name);

/** The name a pushed key stands under until it is first asked for: for whatever services. */
void key_name_pushed(struct bytes btid, struct bytes fqdn, const uint8_t ua_id[GBA_NAF_UA_ID_LEN], struct key_name *_name);

/** A key and what came with it. Texts below the struct itself. */
struct key_record {
	uint8_t ks_naf[GBA_NAF_KEY_LEN], ks_int_naf[GBA_NAF_KEY_LEN];
	uint8_t digest[KEY_DIGEST_LEN]; /* of its B-TID: what notices to applications name */
	bool has_int;
	time_t expires;	    /* [s since epoch] the BSF's or our limit, whichever is first */
	time_t bsf_expires; /* [s since epoch] 0: not told */
	time_t created;	    /* [s since epoch] 0: not told */
	int32_t gba_type;
	const char *impi, *uss_xml; /* NULL: not told */
	const struct guss *uss;	    /* NULL: none */
	uint32_t gsids[GBA_NAF_GSID_MAX]; /* of a pushed key: the services that uss answers for */
	size_t gsid_count;
};

struct cache;

/** @param entries   keys at most  @param octets  for what is kept beside them, at most
 * @param refusals  refusals at most
 * @return NULL: out of memory. *_locked is false when the system refused to lock the keys in memory. */
struct cache *cache_new(TALLOC_CTX *mem_ctx, size_t entries, size_t octets, size_t refusals, bool *_locked);

/** @param _expired  true: there was one, and its BSF's time for it is over
 * @return a record valid until the cache is used again; NULL: none that is still good */
const struct key_record *cache_find(struct cache *cache, const struct key_name *name, time_t now, bool *_expired);
/** Keep a record: it moves below the cache when there is room for it, and replaces one of the same name. The record's own
 * keys are moved to locked memory and wiped where they were. @return the record as kept, or as given when it was not */
const struct key_record *cache_keep(struct cache *cache, const struct key_name *name, struct key_record *record);
void cache_forget(struct cache *cache, const struct key_name *name);
/** Tokens that are no more. */
struct cache_revocation {
	const uint8_t (*digests)[KEY_DIGEST_LEN];
	size_t digest_n;
	const struct bytes *fqdns; /* for these names, lower case; none: for all, and the B-TIDs are refused until `until` */
	size_t fqdn_n;
	time_t until;
};
/** @return keys dropped */
size_t cache_revoke(struct cache *cache, const struct cache_revocation *revocation);
/** Does the revocation name this B-TID and this host name? */
bool cache_revokes(const struct cache_revocation *revocation, struct bytes btid, struct bytes fqdn);

/** Keep a refusal until `until`. @param name  a key_name's octets, or a B-TID alone */
void cache_refuse(struct cache *cache, struct bytes name, enum gba_naf_error error, time_t until);
/** @return GBA_NAF_OK: none */
enum gba_naf_error cache_refused(struct cache *cache, struct bytes name, time_t now);

size_t cache_count(const struct cache *cache);

#endif
