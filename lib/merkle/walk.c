/* SPDX-License-Identifier: Apache-2.0 */
#include "merkle/walk.h"

#include <stdio.h>
#include <stdlib.h>

struct merkle_walk {
	uint8_t public[SIGN_PUBLIC_LEN];
	struct merkle_head *heads; /* by size, once the first entry has come */
	size_t n_heads, agreed;
	bool begun;
	uint64_t size;
	uint8_t front[64][MERKLE_LEN]; /* of each complete subtree that the tree consists of; by level */
};

enum gba_err merkle_walk_new(TALLOC_CTX *mem_ctx, const uint8_t public[SIGN_PUBLIC_LEN], struct merkle_walk **_walk)
{
	struct merkle_walk *walk = talloc_zero(mem_ctx, struct merkle_walk);

	if (walk == NULL)
		return GBA_E_NOMEM;
	memcpy(walk->public, public, SIGN_PUBLIC_LEN);
	*_walk = walk;
	return GBA_OK;
}

enum gba_err merkle_walk_head(struct merkle_walk *walk, struct bytes text)
{
	struct merkle_head *heads, head;
	enum gba_err err;

	if (walk->begun)
		return GBA_E_STATE;
	err = merkle_head_read(text, walk->public, &head);
	if (err != GBA_OK)
		return err;
	if (walk->n_heads > 0 && strcmp(walk->heads[0].log, head.log) != 0)
		return GBA_E_STATE;
	heads = talloc_realloc(walk, walk->heads, struct merkle_head, walk->n_heads + 1);
	if (heads == NULL)
		return GBA_E_NOMEM;
	walk->heads = heads;
	heads[walk->n_heads++] = head;
	return GBA_OK;
}

static void root_of(const struct merkle_walk *walk, uint8_t out[MERKLE_LEN])
{
	const struct merkle_store nothing = { 0 };
	uint64_t rest = walk->size;

	if (rest == 0) {
		merkle_root(&nothing, 0, out);
		return;
	}
	memcpy(out, walk->front[__builtin_ctzll(rest)], MERKLE_LEN);
	for (rest &= rest - 1; rest != 0; rest &= rest - 1)
		merkle_node(walk->front[__builtin_ctzll(rest)], out, out);
}

/* The heads of the size that has been reached. */
static enum gba_err heads_agree(struct merkle_walk *walk, char fault[MERKLE_WALK_FAULT])
{
	uint8_t root[MERKLE_LEN];
	uint64_t before = walk->agreed > 0 ? walk->heads[walk->agreed - 1].size : 0;

	if (walk->agreed == walk->n_heads || walk->heads[walk->agreed].size != walk->size)
		return GBA_OK;
	root_of(walk, root);
	for (; walk->agreed < walk->n_heads && walk->heads[walk->agreed].size == walk->size; walk->agreed++) {
		if (memcmp(walk->heads[walk->agreed].root, root, MERKLE_LEN) == 0)
			continue;
		snprintf(fault, MERKLE_WALK_FAULT, "entries %llu to %llu are not those that were signed",
			 (unsigned long long)before, (unsigned long long)walk->size - 1);
		return GBA_E_CORRUPT;
	}
	return GBA_OK;
}

static int by_size(const void *a, const void *b)
{
	const struct merkle_head *x = a, *y = b;

	return x->size < y->size ? -1 : x->size > y->size;
}

static enum gba_err begin(struct merkle_walk *walk, char fault[MERKLE_WALK_FAULT])
{
	if (walk->begun)
		return GBA_OK;
	walk->begun = true;
	if (walk->n_heads > 0)
		qsort(walk->heads, walk->n_heads, sizeof(walk->heads[0]), by_size);
	return heads_agree(walk, fault); /* with the empty tree's */
}

enum gba_err merkle_walk_entry(struct merkle_walk *walk, struct bytes input, char fault[MERKLE_WALK_FAULT])
{
	uint8_t hash[MERKLE_LEN];
	unsigned int level;
	enum gba_err err;

	err = begin(walk, fault);
	if (err != GBA_OK)
		return err;
	merkle_leaf(input, hash);
	for (level = 0; (walk->size >> level & 1) != 0; level++)
		merkle_node(walk->front[level], hash, hash);
	memcpy(walk->front[level], hash, MERKLE_LEN);
	walk->size++;
	return heads_agree(walk, fault);
}

enum gba_err merkle_walk_end(struct merkle_walk *walk, struct merkle_walked *_walked, char fault[MERKLE_WALK_FAULT])
{
	enum gba_err err;

	err = begin(walk, fault);
	if (err != GBA_OK)
		return err;
	if (walk->agreed < walk->n_heads) {
		snprintf(fault, MERKLE_WALK_FAULT, "%llu entries are there, a signed head tells of %llu",
			 (unsigned long long)walk->size, (unsigned long long)walk->heads[walk->n_heads - 1].size);
		return GBA_E_CORRUPT;
	}
	*_walked = (struct merkle_walked){ .entries = walk->size, .heads = walk->n_heads,
					   .signed_size = walk->n_heads > 0 ? walk->heads[walk->n_heads - 1].size : 0 };
	root_of(walk, _walked->root);
	return GBA_OK;
}
