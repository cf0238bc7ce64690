/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/keys.h"

#include <string.h>

#define WAYS 4

struct entry {
	struct gba_naf_result *result; /* NULL: free */
	uint8_t ua_id[GBA_NAF_UA_ID_LEN];
	time_t until;	/* [s since epoch] */
	uint64_t used;	/* order of use */
};

struct keys {
	size_t sets;
	unsigned int seconds;
	uint64_t uses;
	struct entry *entry; /* WAYS per set */
};

static int keys_destroy(struct keys *keys)
{
	size_t i;

	for (i = 0; i < keys->sets * WAYS; i++)
		gba_naf_result_free(keys->entry[i].result);
	return 0;
}

struct keys *keys_new(TALLOC_CTX *mem_ctx, size_t entries, unsigned int seconds)
{
	struct keys *keys = talloc_zero(mem_ctx, struct keys);

	if (keys == NULL)
		return NULL;
	keys->sets = (entries + WAYS - 1) / WAYS;
	keys->seconds = seconds;
	keys->entry = talloc_zero_array(keys, struct entry, keys->sets * WAYS + 1);
	if (keys->entry == NULL) {
		talloc_free(keys);
		return NULL;
	}
	talloc_set_destructor(keys, keys_destroy);
	return keys;
}

/* FNV-1a: the B-TID's left part is the device's RAND, which nobody can choose for a session that exists. */
static struct entry *set_of(struct keys *keys, struct bytes btid)
{
	uint64_t hash = 0xcbf29ce484222325;
	size_t i;

	for (i = 0; i < btid.n; i++)
		hash = (hash ^ btid.p[i]) * 0x100000001b3;
	return keys->entry + (hash >> 16) % keys->sets * WAYS;
}

static bool same(const struct entry *e, struct bytes btid, const char *fqdn, const uint8_t *ua_id)
{
	return e->result != NULL && memcmp(e->ua_id, ua_id, GBA_NAF_UA_ID_LEN) == 0 &&
	       bytes_eq_str(btid, gba_naf_result_btid(e->result)) &&
	       bytes_eq_nocase(bytes_of(fqdn), bytes_of(gba_naf_result_fqdn(e->result)));
}

static void forget(struct entry *e)
{
	gba_naf_result_free(e->result);
	*e = (struct entry){ .result = NULL };
}

struct gba_naf_result *keys_find(struct keys *keys, struct bytes btid, const char *fqdn,
				 const uint8_t ua_id[GBA_NAF_UA_ID_LEN], time_t now)
{
	struct entry *set;
	size_t i;

	if (keys->sets == 0)
		return NULL;
	set = set_of(keys, btid);
	for (i = 0; i < WAYS; i++) {
		if (set[i].result != NULL && set[i].until <= now)
			forget(&set[i]);
		if (!same(&set[i], btid, fqdn, ua_id))
			continue;
		set[i].used = ++keys->uses;
		return set[i].result;
	}
	return NULL;
}

size_t keys_drop(struct keys *keys, const struct gba_naf_notice *notice)
{
	size_t i, dropped = 0;

	for (i = 0; i < keys->sets * WAYS; i++) {
		if (keys->entry[i].result == NULL || !gba_naf_notice_concerns(notice, keys->entry[i].result))
			continue;
		forget(&keys->entry[i]);
		dropped++;
	}
	return dropped;
}

static void put(struct keys *keys, struct gba_naf_result *result, const uint8_t *ua_id, time_t until)
{
	struct bytes btid = bytes_of(gba_naf_result_btid(result));
	struct entry *set, *victim;
	size_t i;

	if (keys->sets == 0)
		return;
	set = victim = set_of(keys, btid);
	for (i = 0; i < WAYS; i++) {
		if (same(&set[i], btid, gba_naf_result_fqdn(result), ua_id)) {
			victim = &set[i];
			break;
		}
		if (set[i].result == NULL || (victim->result != NULL && set[i].used < victim->used))
			victim = &set[i];
	}
	gba_naf_result_ref(result);
	forget(victim);
	*victim = (struct entry){ .result = result, .until = until, .used = ++keys->uses };
	memcpy(victim->ua_id, ua_id, GBA_NAF_UA_ID_LEN);
}

static time_t earlier(time_t a, time_t b)
{
	return a < b ? a : b;
}

void keys_put(struct keys *keys, struct gba_naf_result *result, const uint8_t ua_id[GBA_NAF_UA_ID_LEN], time_t now)
{
	if (gba_naf_result_expiry(result) > now)
		put(keys, result, ua_id, earlier(now + keys->seconds, gba_naf_result_expiry(result)));
}

void keys_forget(struct keys *keys, const char *fqdn)
{
	size_t i;

	for (i = 0; i < keys->sets * WAYS; i++) {
		if (keys->entry[i].result != NULL &&
		    bytes_eq_nocase(bytes_of(fqdn), bytes_of(gba_naf_result_fqdn(keys->entry[i].result))))
			forget(&keys->entry[i]);
	}
}

void keys_resize(struct keys *keys, size_t entries, unsigned int seconds, time_t now)
{
	size_t sets = (entries + WAYS - 1) / WAYS, n = keys->sets * WAYS, i;
	struct entry *old = keys->entry, *entry = talloc_zero_array(keys, struct entry, sets * WAYS + 1);

	keys->seconds = seconds;
	if (entry == NULL)
		return;
	keys->sets = sets;
	keys->entry = entry;
	for (i = 0; i < n; i++) {
		if (old[i].result != NULL && old[i].until > now)
			put(keys, old[i].result, old[i].ua_id, earlier(old[i].until, now + seconds));
		forget(&old[i]);
	}
	talloc_free(old);
}
