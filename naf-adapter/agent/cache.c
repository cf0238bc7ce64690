/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/cache.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "core/secret.h"
#include "crypto/hash.h"
#include "naf-adapter/agent/table.h"

#define SLOT_LEN (2 * GBA_NAF_KEY_LEN)

struct entry {
	struct table_node node;
	struct key_record *record; /* its keys are wiped here: they are in the slot */
	size_t slot, octets;
	size_t btid_n, fqdn_n; /* of the node's key */
};

struct refusal {
	struct table_node node;
	enum gba_naf_error error;
	time_t until;
};

struct cache {
	struct table keys, refusals;
	size_t entries_max, octets_max, refusals_max, octets;
	uint8_t *slots; /* locked: entries_max of SLOT_LEN octets, then *out */
	size_t slots_len;
	size_t *free_slots, free_count;
	struct key_record *out; /* what cache_find() shows: the record with its keys back in place */
};

void key_digest(struct bytes btid, uint8_t out[KEY_DIGEST_LEN])
{
	uint8_t digest[HASH_MAX];

	hash_pieces(HASH_SHA256, &btid, 1, digest);
	memcpy(out, digest, KEY_DIGEST_LEN);
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void append(struct key_name *name, const void *octets, size_t n)
{
	if (n > sizeof(name->octets) - name->n)
		abort(); /* the parts' own limits make this impossible */
	if (n > 0)
		memcpy(name->octets + name->n, octets, n);
	name->n += n;
}

static void name_start(struct bytes btid, struct bytes fqdn, const uint8_t *ua_id, uint8_t flag, struct key_name *_name)
{
	_name->n = 0;
	_name->btid_n = btid.n;
	_name->fqdn_n = fqdn.n;
	append(_name, btid.p, btid.n);
	append(_name, "", 1); /* neither a B-TID nor a host name holds a NUL */
	append(_name, fqdn.p, fqdn.n);
	append(_name, ua_id, GBA_NAF_UA_ID_LEN);
	append(_name, &flag, 1);
}

void key_name_pushed(struct bytes btid, struct bytes fqdn, const uint8_t ua_id[GBA_NAF_UA_ID_LEN], struct key_name *_name)
{
	name_start(btid, fqdn, ua_id, 2, _name);
}

void key_name_build(struct bytes btid, struct bytes fqdn, const uint8_t ua_id[GBA_NAF_UA_ID_LEN], const uint32_t *gsids,
		    size_t gsid_count, bool aware, struct key_name *_name)
{
	uint32_t sorted[GBA_NAF_GSID_MAX];

	if (gsid_count > 0)
		memcpy(sorted, gsids, gsid_count * sizeof(sorted[0]));
	qsort(sorted, gsid_count, sizeof(sorted[0]), compare_u32);
	name_start(btid, fqdn, ua_id, aware, _name);
	append(_name, sorted, gsid_count * sizeof(sorted[0]));
}

static int cache_destroy(struct cache *cache)
{
	if (cache->slots == NULL)
		return 0;
	secret_wipe(cache->slots, cache->slots_len);
	munmap(cache->slots, cache->slots_len);
	return 0;
}

static bool slots_make(struct cache *cache, bool *_locked)
{
	size_t i;

	cache->slots_len = cache->entries_max * SLOT_LEN + sizeof(*cache->out);
	cache->slots = mmap(NULL, cache->slots_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (cache->slots == MAP_FAILED) {
		cache->slots = NULL;
		return false;
	}
	cache->out = (struct key_record *)(void *)(cache->slots + cache->entries_max * SLOT_LEN);
	*_locked = mlock(cache->slots, cache->slots_len) == 0;
	madvise(cache->slots, cache->slots_len, MADV_DONTDUMP);
	cache->free_slots = talloc_array(cache, size_t, cache->entries_max);
	if (cache->free_slots == NULL)
		return false;
	for (i = 0; i < cache->entries_max; i++)
		cache->free_slots[i] = cache->entries_max - 1 - i;
	cache->free_count = cache->entries_max;
	return true;
}

struct cache *cache_new(TALLOC_CTX *mem_ctx, size_t entries, size_t octets, size_t refusals, bool *_locked)
{
	struct cache *cache = talloc_zero(mem_ctx, struct cache);

	if (cache == NULL)
		return NULL;
	talloc_set_destructor(cache, cache_destroy);
	cache->entries_max = entries;
	cache->octets_max = octets;
	cache->refusals_max = refusals;
	if (!table_init(&cache->keys, cache, entries) || !table_init(&cache->refusals, cache, refusals) ||
	    !slots_make(cache, _locked)) {
		talloc_free(cache);
		return NULL;
	}
	return cache;
}

static uint8_t *slot_at(const struct cache *cache, size_t slot)
{
	return cache->slots + slot * SLOT_LEN;
}

static void entry_drop(struct cache *cache, struct entry *entry)
{
	table_remove(&cache->keys, &entry->node);
	secret_wipe(slot_at(cache, entry->slot), SLOT_LEN);
	cache->free_slots[cache->free_count++] = entry->slot;
	cache->octets -= entry->octets;
	talloc_free(entry);
}

static struct entry *entry_find(const struct cache *cache, const struct key_name *name)
{
	struct table_node *node = table_find(&cache->keys, BYTES(name->octets, name->n));

	return node != NULL ? TABLE_OWNER(node, struct entry, node) : NULL;
}

const struct key_record *cache_find(struct cache *cache, const struct key_name *name, time_t now, bool *_expired)
{
	struct entry *entry = entry_find(cache, name);

	*_expired = false;
	if (entry == NULL)
		return NULL;
	if (entry->record->expires <= now) {
		*_expired = entry->record->bsf_expires > 0 && entry->record->bsf_expires <= now;
		entry_drop(cache, entry);
		return NULL;
	}
	table_touch(&cache->keys, &entry->node);
	*cache->out = *entry->record;
	memcpy(cache->out->ks_naf, slot_at(cache, entry->slot), GBA_NAF_KEY_LEN);
	memcpy(cache->out->ks_int_naf, slot_at(cache, entry->slot) + GBA_NAF_KEY_LEN, GBA_NAF_KEY_LEN);
	return cache->out;
}

static bool make_room(struct cache *cache, size_t octets)
{
	if (octets > cache->octets_max)
		return false;
	while (cache->free_count == 0 || cache->octets_max - cache->octets < octets)
		entry_drop(cache, TABLE_OWNER(cache->keys.oldest, struct entry, node));
	return true;
}

const struct key_record *cache_keep(struct cache *cache, const struct key_name *name, struct key_record *record)
{
	size_t octets = sizeof(struct entry) + name->n + talloc_total_size(record);
	struct entry *entry;
	uint8_t *copy, *slot;

	cache_forget(cache, name);
	key_digest(BYTES(name->octets, name->btid_n), record->digest);
	entry = make_room(cache, octets) ? talloc_zero(cache, struct entry) : NULL;
	copy = entry != NULL ? talloc_memdup(entry, name->octets, name->n) : NULL;
	if (copy == NULL) {
		talloc_free(entry);
		return record;
	}
	entry->btid_n = name->btid_n;
	entry->fqdn_n = name->fqdn_n;
	entry->slot = cache->free_slots[--cache->free_count];
	entry->octets = octets;
	cache->octets += octets;
	slot = slot_at(cache, entry->slot);
	memcpy(slot, record->ks_naf, GBA_NAF_KEY_LEN);
	memcpy(slot + GBA_NAF_KEY_LEN, record->ks_int_naf, GBA_NAF_KEY_LEN);
	*cache->out = *record;
	SECRET_WIPE(record->ks_naf);
	SECRET_WIPE(record->ks_int_naf);
	entry->record = talloc_steal(entry, record);
	table_add(&cache->keys, &entry->node, BYTES(copy, name->n));
	return cache->out;
}

void cache_forget(struct cache *cache, const struct key_name *name)
{
	struct entry *entry = entry_find(cache, name);

	if (entry != NULL)
		entry_drop(cache, entry);
}

static void refusal_drop(struct cache *cache, struct refusal *refusal)
{
	table_remove(&cache->refusals, &refusal->node);
	talloc_free(refusal);
}

void cache_refuse(struct cache *cache, struct bytes name, enum gba_naf_error error, time_t until)
{
	struct table_node *node = table_find(&cache->refusals, name);
	struct refusal *refusal;
	uint8_t *copy;

	if (node != NULL)
		refusal_drop(cache, TABLE_OWNER(node, struct refusal, node));
	if (cache->refusals.count >= cache->refusals_max)
		refusal_drop(cache, TABLE_OWNER(cache->refusals.oldest, struct refusal, node));
	refusal = talloc_zero(cache, struct refusal);
	copy = refusal != NULL ? talloc_memdup(refusal, name.p, name.n) : NULL;
	if (copy == NULL) {
		talloc_free(refusal);
		return;
	}
	refusal->error = error;
	refusal->until = until;
	table_add(&cache->refusals, &refusal->node, BYTES(copy, name.n));
}

enum gba_naf_error cache_refused(struct cache *cache, struct bytes name, time_t now)
{
	struct table_node *node = table_find(&cache->refusals, name);
	struct refusal *refusal;

	if (node == NULL)
		return GBA_NAF_OK;
	refusal = TABLE_OWNER(node, struct refusal, node);
	if (refusal->until > now)
		return refusal->error;
	refusal_drop(cache, refusal);
	return GBA_NAF_OK;
}

size_t cache_count(const struct cache *cache)
{
	return cache->keys.count;
}

static bool names_digest(const struct cache_revocation *revocation, const uint8_t digest[KEY_DIGEST_LEN])
{
	size_t i;

	for (i = 0; i < revocation->digest_n; i++) {
		if (memcmp(revocation->digests[i], digest, KEY_DIGEST_LEN) == 0)
			return true;
	}
	return false;
}

static bool names_fqdn(const struct cache_revocation *revocation, struct bytes fqdn)
{
	size_t i;

	for (i = 0; i < revocation->fqdn_n; i++) {
		if (bytes_eq_nocase(revocation->fqdns[i], fqdn))
			return true;
	}
	return revocation->fqdn_n == 0;
}

bool cache_revokes(const struct cache_revocation *revocation, struct bytes btid, struct bytes fqdn)
{
	uint8_t digest[KEY_DIGEST_LEN];

	key_digest(btid, digest);
	return names_digest(revocation, digest) && names_fqdn(revocation, fqdn);
}

size_t cache_revoke(struct cache *cache, const struct cache_revocation *revocation)
{
	struct table_node *node, *older;
	size_t dropped = 0;

	for (node = cache->keys.newest; node != NULL; node = older) {
		struct entry *entry = TABLE_OWNER(node, struct entry, node);
		struct bytes btid = BYTES(node->key.p, entry->btid_n);

		older = node->older;
		if (!names_digest(revocation, entry->record->digest) ||
		    !names_fqdn(revocation, BYTES(btid.p + btid.n + 1, entry->fqdn_n)))
			continue;
		if (revocation->fqdn_n == 0)
			cache_refuse(cache, btid, GBA_NAF_E_BTID_UNKNOWN, revocation->until);
		entry_drop(cache, entry);
		dropped++;
	}
	return dropped;
}
