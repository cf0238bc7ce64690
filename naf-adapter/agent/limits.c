/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/limits.h"

#include "naf-adapter/agent/table.h"

struct limit {
	struct table_node node;
	struct limit *earlier, *later; /* those not reached yet, by time */
	bool waits;		       /* is among them */
	time_t until;
	uint8_t digest[KEY_DIGEST_LEN];
	struct bytes fqdn; /* of the node's key */
};

struct limits {
	struct table table;
	size_t most;
	struct limit *first, *last;
};

struct limits *limits_new(TALLOC_CTX *mem_ctx, size_t most)
{
	struct limits *limits = talloc_zero(mem_ctx, struct limits);

	if (limits == NULL || !table_init(&limits->table, limits, most)) {
		talloc_free(limits);
		return NULL;
	}
	limits->most = most;
	return limits;
}

static void leave(struct limits *limits, struct limit *limit)
{
	if (!limit->waits)
		return;
	*(limit->earlier != NULL ? &limit->earlier->later : &limits->first) = limit->later;
	*(limit->later != NULL ? &limit->later->earlier : &limits->last) = limit->earlier;
	limit->waits = false;
}

/* Most are about as long: the place is found from the end. */
static void enter(struct limits *limits, struct limit *limit)
{
	struct limit *earlier = limits->last;

	while (earlier != NULL && earlier->until > limit->until)
		earlier = earlier->earlier;
	limit->earlier = earlier;
	limit->later = earlier != NULL ? earlier->later : limits->first;
	*(limit->earlier != NULL ? &limit->earlier->later : &limits->first) = limit;
	*(limit->later != NULL ? &limit->later->earlier : &limits->last) = limit;
	limit->waits = true;
}

static struct bytes name_of(struct bytes btid, struct bytes fqdn, uint8_t out[KEY_NAME_MAX])
{
	if (btid.n + 1 + fqdn.n > KEY_NAME_MAX)
		return BYTES_NONE;
	memcpy(out, btid.p, btid.n);
	out[btid.n] = '\0';
	memcpy(out + btid.n + 1, fqdn.p, fqdn.n);
	return BYTES(out, btid.n + 1 + fqdn.n);
}

static struct limit *find(const struct limits *limits, struct bytes btid, struct bytes fqdn)
{
	uint8_t octets[KEY_NAME_MAX];
	struct bytes name = name_of(btid, fqdn, octets);
	struct table_node *node = name.p != NULL ? table_find(&limits->table, name) : NULL;

	return node != NULL ? TABLE_OWNER(node, struct limit, node) : NULL;
}

static void drop_oldest(struct limits *limits)
{
	struct limit *limit = TABLE_OWNER(limits->table.oldest, struct limit, node);

	leave(limits, limit);
	table_remove(&limits->table, &limit->node);
	talloc_free(limit);
}

bool limits_set(struct limits *limits, struct bytes btid, struct bytes fqdn, time_t until)
{
	struct limit *limit = find(limits, btid, fqdn);
	uint8_t octets[KEY_NAME_MAX];
	struct bytes name = name_of(btid, fqdn, octets);
	uint8_t *copy;

	if (limit != NULL && limit->until <= until)
		return true;
	if (limit == NULL) {
		limit = name.p != NULL ? talloc_zero(limits, struct limit) : NULL;
		copy = limit != NULL ? talloc_memdup(limit, name.p, name.n) : NULL;
		if (copy == NULL) {
			talloc_free(limit);
			return false;
		}
		if (limits->table.count >= limits->most)
			drop_oldest(limits);
		key_digest(btid, limit->digest);
		limit->fqdn = BYTES(copy + btid.n + 1, fqdn.n);
		table_add(&limits->table, &limit->node, BYTES(copy, name.n));
	}
	leave(limits, limit);
	limit->until = until;
	enter(limits, limit);
	return true;
}

time_t limits_find(const struct limits *limits, struct bytes btid, struct bytes fqdn)
{
	const struct limit *limit = find(limits, btid, fqdn);

	return limit != NULL ? limit->until : 0;
}

bool limits_reached(struct limits *limits, time_t now, uint8_t digest[KEY_DIGEST_LEN], struct bytes *_fqdn)
{
	struct limit *limit = limits->first;

	if (limit == NULL || limit->until > now)
		return false;
	leave(limits, limit);
	memcpy(digest, limit->digest, KEY_DIGEST_LEN);
	*_fqdn = limit->fqdn;
	return true;
}

time_t limits_next(const struct limits *limits)
{
	return limits->first != NULL ? limits->first->until : 0;
}
