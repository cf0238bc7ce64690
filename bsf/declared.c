/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/declared.h"

#include <pthread.h>

struct entry {
	const struct bsf_naf *naf;
	char fqdn[FQDN_MAX + 1];
	struct declaration now;
};

/* Few applications declare anything: a list is looked through. */
struct declared {
	pthread_mutex_t lock;
	struct entry *v;
	size_t n, cap;
};

static int declared_destroy(struct declared *declared)
{
	pthread_mutex_destroy(&declared->lock);
	return 0;
}

struct declared *declared_new(TALLOC_CTX *mem_ctx, size_t entries)
{
	struct declared *declared = talloc_zero(mem_ctx, struct declared);

	if (declared == NULL)
		return NULL;
	pthread_mutex_init(&declared->lock, NULL);
	talloc_set_destructor(declared, declared_destroy);
	declared->cap = entries;
	declared->v = talloc_zero_array(declared, struct entry, entries);
	if (declared->v == NULL)
		TALLOC_FREE(declared);
	return declared;
}

static struct entry *entry_find(struct declared *declared, const struct bsf_naf *naf, struct bytes fqdn)
{
	size_t i;

	for (i = 0; i < declared->n; i++) {
		if (declared->v[i].naf == naf && bytes_eq_nocase(bytes_of(declared->v[i].fqdn), fqdn))
			return &declared->v[i];
	}
	return NULL;
}

static struct entry *entry_add(struct declared *declared, const struct bsf_naf *naf, struct bytes fqdn)
{
	struct entry *entry;

	if (declared->n == declared->cap || fqdn.n > FQDN_MAX)
		return NULL;
	entry = &declared->v[declared->n++];
	entry->naf = naf;
	memcpy(entry->fqdn, fqdn.p, fqdn.n);
	entry->now.single = naf->single;
	return entry;
}

static bool printable(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	}
	return text.n <= DECLARED_TEXT_MAX;
}

static bool text_take(struct bytes text, char out[DECLARED_TEXT_MAX + 1])
{
	if (text.p == NULL)
		return true;
	if (!printable(text))
		return false;
	memcpy(out, text.p, text.n);
	out[text.n] = '\0';
	return true;
}

/* All of them recorded for the NAF, or none is taken. */
static bool ua_take(const struct bsf_naf *naf, struct bytes ua_ids, struct declaration *now)
{
	size_t n = ua_ids.n / UA_ID_LEN, i;

	if (ua_ids.p == NULL)
		return true;
	if (ua_ids.n % UA_ID_LEN != 0 || n == 0 || n > DECLARED_UA_MAX)
		return false;
	for (i = 0; i < n; i++) {
		if (!bsf_naf_protocol(naf, ua_ids.p + i * UA_ID_LEN))
			return false;
	}
	memcpy(now->ua_ids, ua_ids.p, ua_ids.n);
	now->ua_n = n;
	return true;
}

static bool words_take(const struct bsf_naf *naf, const struct declared_words *words, struct declaration *now)
{
	bool all = ua_take(naf, words->ua_ids, now);

	if (words->single == 0 && naf->single)
		all = false;
	else if (words->single >= 0)
		now->single = words->single != 0;
	if (words->cleared >= 0)
		now->cleared = words->cleared != 0;
	all &= text_take(words->address, now->address);
	all &= text_take(words->mechanisms, now->mechanisms);
	return all;
}

bool declared_take(struct declared *declared, const struct bsf_naf *naf, struct bytes fqdn, const struct declared_words *words,
		   struct declaration *_now)
{
	struct entry *entry;
	bool all = false;

	memset(_now, 0, sizeof(*_now));
	_now->single = naf->single;
	pthread_mutex_lock(&declared->lock);
	entry = entry_find(declared, naf, fqdn);
	if (entry == NULL)
		entry = entry_add(declared, naf, fqdn);
	if (entry != NULL) {
		all = words_take(naf, words, &entry->now);
		*_now = entry->now;
	}
	pthread_mutex_unlock(&declared->lock);
	return all;
}

void declared_find(struct declared *declared, const struct bsf_naf *naf, struct bytes fqdn, struct declaration *_now)
{
	const struct entry *entry;

	memset(_now, 0, sizeof(*_now));
	_now->single = naf->single;
	pthread_mutex_lock(&declared->lock);
	entry = entry_find(declared, naf, fqdn);
	if (entry != NULL)
		*_now = entry->now;
	pthread_mutex_unlock(&declared->lock);
}

bool declaration_has_ua(const struct declaration *declaration, const uint8_t ua_id[UA_ID_LEN])
{
	size_t i;

	for (i = 0; i < declaration->ua_n; i++) {
		if (memcmp(declaration->ua_ids[i], ua_id, UA_ID_LEN) == 0)
			return true;
	}
	return declaration->ua_n == 0;
}
