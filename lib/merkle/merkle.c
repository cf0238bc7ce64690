/* SPDX-License-Identifier: Apache-2.0 */
#include "merkle/merkle.h"

#include "crypto/hash.h"

void merkle_leaf(struct bytes input, uint8_t out[MERKLE_LEN])
{
	const struct bytes pieces[] = { BYTES("\0", 1), input };

	hash_pieces(HASH_SHA256, pieces, 2, out);
}

void merkle_node(const uint8_t left[MERKLE_LEN], const uint8_t right[MERKLE_LEN], uint8_t out[MERKLE_LEN])
{
	const struct bytes pieces[] = { BYTES("\1", 1), BYTES(left, MERKLE_LEN), BYTES(right, MERKLE_LEN) };

	hash_pieces(HASH_SHA256, pieces, 3, out);
}

/* The largest power of two below n, as its exponent; n > 1. */
static unsigned int split_level(uint64_t n)
{
	return 63 - (unsigned int)__builtin_clzll(n - 1);
}

enum gba_err merkle_append(const struct merkle_store *store, uint64_t size, const uint8_t leaf[MERKLE_LEN])
{
	uint8_t hash[MERKLE_LEN], left[MERKLE_LEN];
	unsigned int level;
	enum gba_err err;

	if (size >= MERKLE_SIZE_MAX)
		return GBA_E_RANGE;
	memcpy(hash, leaf, sizeof(hash));
	err = store->put(store->arg, 0, size, hash);
	for (level = 0; err == GBA_OK && (size >> level & 1) != 0; level++) {
		err = store->get(store->arg, level, (size >> level) - 1, left);
		if (err != GBA_OK)
			return err;
		merkle_node(left, hash, hash);
		err = store->put(store->arg, level + 1, size >> (level + 1), hash);
	}
	return err;
}

/* MTH(D[start:end]) where start is a multiple of the power of two that end - start fits in: complete subtrees from the largest on,
 * joined from the smallest. */
static enum gba_err subtree(const struct merkle_store *store, uint64_t start, uint64_t end, uint8_t out[MERKLE_LEN])
{
	uint8_t left[MERKLE_LEN];
	unsigned int level = (unsigned int)__builtin_ctzll(end - start);
	uint64_t rest = end - start;
	enum gba_err err;

	err = store->get(store->arg, level, (end - 1) >> level, out);
	for (rest &= rest - 1; err == GBA_OK && rest != 0; rest &= rest - 1) {
		level = (unsigned int)__builtin_ctzll(rest);
		err = store->get(store->arg, level, (start + rest - 1) >> level, left);
		if (err == GBA_OK)
			merkle_node(left, out, out);
	}
	return err;
}

enum gba_err merkle_root(const struct merkle_store *store, uint64_t size, uint8_t out[MERKLE_LEN])
{
	if (size > MERKLE_SIZE_MAX)
		return GBA_E_RANGE;
	if (size > 0)
		return subtree(store, 0, size, out);
	hash_pieces(HASH_SHA256, NULL, 0, out);
	return GBA_OK;
}

/* The siblings stand from the root down, for one walk; proofs have them from the leaf up. */
static void reverse(struct merkle_proof *proof)
{
	uint8_t hash[MERKLE_LEN];
	size_t i;

	for (i = 0; i < proof->count / 2; i++) {
		memcpy(hash, proof->hash[i], MERKLE_LEN);
		memcpy(proof->hash[i], proof->hash[proof->count - 1 - i], MERKLE_LEN);
		memcpy(proof->hash[proof->count - 1 - i], hash, MERKLE_LEN);
	}
}

enum gba_err merkle_prove_inclusion(const struct merkle_store *store, uint64_t index, uint64_t size, struct merkle_proof *_proof)
{
	uint64_t start = 0, end = size, middle;
	enum gba_err err = GBA_OK;

	_proof->count = 0;
	if (index >= size || size > MERKLE_SIZE_MAX)
		return GBA_E_RANGE;
	while (err == GBA_OK && end - start > 1) {
		middle = start + ((uint64_t)1 << split_level(end - start));
		if (index < middle) {
			err = subtree(store, middle, end, _proof->hash[_proof->count++]);
			end = middle;
		} else {
			err = subtree(store, start, middle, _proof->hash[_proof->count++]);
			start = middle;
		}
	}
	reverse(_proof);
	return err;
}

/* SUBPROOF(old, D[start:end], start == 0): down to the subtree that the old tree ends with. */
enum gba_err merkle_prove_consistency(const struct merkle_store *store, uint64_t old, uint64_t size, struct merkle_proof *_proof)
{
	uint64_t start = 0, end = size, middle;
	enum gba_err err = GBA_OK;

	_proof->count = 0;
	if (old > size || size > MERKLE_SIZE_MAX)
		return GBA_E_RANGE;
	if (old == 0)
		return GBA_OK;
	while (err == GBA_OK && old != end) {
		middle = start + ((uint64_t)1 << split_level(end - start));
		if (old <= middle) {
			err = subtree(store, middle, end, _proof->hash[_proof->count++]);
			end = middle;
		} else {
			err = subtree(store, start, middle, _proof->hash[_proof->count++]);
			start = middle;
		}
	}
	if (err == GBA_OK && start != 0) /* of an old tree that is a complete subtree the asker has the head */
		err = subtree(store, start, end, _proof->hash[_proof->count++]);
	reverse(_proof);
	return err;
}

static bool same(const uint8_t a[MERKLE_LEN], const uint8_t b[MERKLE_LEN])
{
	return memcmp(a, b, MERKLE_LEN) == 0;
}

enum gba_err merkle_verify_inclusion(const uint8_t leaf[MERKLE_LEN], uint64_t index, uint64_t size,
				     const struct merkle_proof *proof, const uint8_t root[MERKLE_LEN])
{
	uint64_t fn = index, sn = size - 1; /* names of RFC 9162 2.1.3.2 */
	uint8_t r[MERKLE_LEN];
	size_t i;

	if (index >= size || proof->count > MERKLE_PATH_MAX)
		return GBA_E_CORRUPT;
	memcpy(r, leaf, sizeof(r));
	for (i = 0; i < proof->count; i++) {
		if (sn == 0)
			return GBA_E_CORRUPT;
		if ((fn & 1) != 0 || fn == sn) {
			merkle_node(proof->hash[i], r, r);
			for (; (fn & 1) == 0 && fn != 0; fn >>= 1)
				sn >>= 1;
		} else {
			merkle_node(r, proof->hash[i], r);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && same(r, root) ? GBA_OK : GBA_E_CORRUPT;
}

/* 0 < old < size. first: the hash to begin with, which for a complete old tree is its head. */
static enum gba_err verify_path(uint64_t old, const uint8_t old_root[MERKLE_LEN], uint64_t size, const uint8_t root[MERKLE_LEN],
				const struct merkle_proof *proof)
{
	bool complete = (old & (old - 1)) == 0;
	uint64_t fn = old - 1, sn = size - 1; /* names of RFC 9162 2.1.4.2 */
	uint8_t fr[MERKLE_LEN], sr[MERKLE_LEN];
	size_t i = complete ? 0 : 1;

	if (proof->count == 0 || proof->count > MERKLE_PATH_MAX)
		return GBA_E_CORRUPT;
	memcpy(fr, complete ? old_root : proof->hash[0], MERKLE_LEN);
	memcpy(sr, fr, MERKLE_LEN);
	for (; (fn & 1) != 0; fn >>= 1)
		sn >>= 1;
	for (; i < proof->count; i++) {
		if (sn == 0)
			return GBA_E_CORRUPT;
		if ((fn & 1) != 0 || fn == sn) {
			merkle_node(proof->hash[i], fr, fr);
			merkle_node(proof->hash[i], sr, sr);
			for (; (fn & 1) == 0 && fn != 0; fn >>= 1)
				sn >>= 1;
		} else {
			merkle_node(sr, proof->hash[i], sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && same(fr, old_root) && same(sr, root) ? GBA_OK : GBA_E_CORRUPT;
}

enum gba_err merkle_verify_consistency(uint64_t old, const uint8_t old_root[MERKLE_LEN], uint64_t size,
				       const uint8_t root[MERKLE_LEN], const struct merkle_proof *proof)
{
	uint8_t nothing[MERKLE_LEN];

	if (old > size)
		return GBA_E_CORRUPT;
	hash_pieces(HASH_SHA256, NULL, 0, nothing);
	if (old == 0 && !same(old_root, nothing))
		return GBA_E_CORRUPT;
	if (old == 0 || old == size)
		return proof->count == 0 && (old == 0 || same(old_root, root)) ? GBA_OK : GBA_E_CORRUPT;
	return verify_path(old, old_root, size, root, proof);
}
