/* SPDX-License-Identifier: Apache-2.0 */
/** Merkle trees of append-only logs (RFC 9162 2.1): SHA-256, 0x00 before a leaf, 0x01 before a node. The hashes of complete
 * subtrees stand in a store of the caller's; every operation but appending reads O(log n) of them, none reads the
 * leaves. */
#ifndef GBA_MERKLE_MERKLE_H
#define GBA_MERKLE_MERKLE_H

#include "core/bytes.h"
#include "core/err.h"

#define MERKLE_LEN	32 /* [octets] of a hash */
#define MERKLE_PATH_MAX 64 /* hashes of a proof; a tree has less than 2^63 leaves */
#define MERKLE_SIZE_MAX ((uint64_t)INT64_MAX)

/** Hashes of complete subtrees: (level, index) covers the leaves [index << level, (index + 1) << level); level 0 are
 * the leaves. Each is put once, and only those put are asked for. Not thread-safe beyond what get and put are. */
struct merkle_store {
	enum gba_err (*get)(void *arg, unsigned int level, uint64_t index, uint8_t out[MERKLE_LEN]);
	enum gba_err (*put)(void *arg, unsigned int level, uint64_t index, const uint8_t hash[MERKLE_LEN]); /* append only */
	void *arg;
};

/** Hashes in the order of RFC 9162 2.1.3 and 2.1.4: from the leaf's side up. */
struct merkle_proof {
	size_t count;
	uint8_t hash[MERKLE_PATH_MAX][MERKLE_LEN];
};

/** Hash of a leaf's input (RFC 9162 2.1.1). */
void merkle_leaf(struct bytes input, uint8_t out[MERKLE_LEN]);
/** Hash of a node. out may be left or right. */
void merkle_node(const uint8_t left[MERKLE_LEN], const uint8_t right[MERKLE_LEN], uint8_t out[MERKLE_LEN]);

/** Add a leaf to the tree of this size; which is size + 1 afterwards. Puts one hash, and one for each subtree that becomes
 * complete.
 * @retval GBA_E_RANGE  no room; others as the store's */
enum gba_err merkle_append(const struct merkle_store *store, uint64_t size, const uint8_t leaf[MERKLE_LEN]);
/** Head of the tree's first size leaves; also of a tree that has more. 0: the hash of nothing. Errors are the store's. */
enum gba_err merkle_root(const struct merkle_store *store, uint64_t size, uint8_t out[MERKLE_LEN]);
/** PATH(index, D[size]) (RFC 9162 2.1.3.1). @retval GBA_E_RANGE  index not below size */
enum gba_err merkle_prove_inclusion(const struct merkle_store *store, uint64_t index, uint64_t size, struct merkle_proof *_proof);
/** PROOF(old, D[size]) (RFC 9162 2.1.4.1); empty when old is 0 or size. @retval GBA_E_RANGE  old above size */
enum gba_err merkle_prove_consistency(const struct merkle_store *store, uint64_t old, uint64_t size, struct merkle_proof *_proof);

/** RFC 9162 2.1.3.2. @retval GBA_E_CORRUPT  the leaf is not at index of the tree with this head and size */
enum gba_err merkle_verify_inclusion(const uint8_t leaf[MERKLE_LEN], uint64_t index, uint64_t size,
				     const struct merkle_proof *proof, const uint8_t root[MERKLE_LEN]);
/** RFC 9162 2.1.4.2; a tree of size 0 begins every tree.
 * @retval GBA_E_CORRUPT  the first tree is not the beginning of the second */
enum gba_err merkle_verify_consistency(uint64_t old, const uint8_t old_root[MERKLE_LEN], uint64_t size,
				       const uint8_t root[MERKLE_LEN], const struct merkle_proof *proof);

#endif
