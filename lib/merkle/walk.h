/* SPDX-License-Identifier: Apache-2.0 */
/** Verifying a whole log from its first entry on, with nothing but its keeper's public key: any entry that was
 * changed, removed, added or moved below a signed head is found, and in between which heads. One walk at a time per
 * handle; memory does not grow with the log. */
#ifndef GBA_MERKLE_WALK_H
#define GBA_MERKLE_WALK_H

#include <talloc.h>

#include "merkle/head.h"

#define MERKLE_WALK_FAULT 160 /* [octets] */

struct merkle_walk;

/** @param public  of the key that signs the heads */
enum gba_err merkle_walk_new(TALLOC_CTX *mem_ctx, const uint8_t public[SIGN_PUBLIC_LEN], struct merkle_walk **_walk);
/** A signed head the log must agree with; all heads before the first entry, in any order.
 * @retval GBA_E_CORRUPT, GBA_E_SYNTAX  not signed with the key, or no head @retval GBA_E_STATE  of another log, or an
 * entry went before */
enum gba_err merkle_walk_head(struct merkle_walk *walk, struct bytes text);
/** The next entry, as it is hashed. @param fault  what is wrong, on GBA_E_CORRUPT
 * @retval GBA_E_CORRUPT  the entries up to here are not those of a head */
enum gba_err merkle_walk_entry(struct merkle_walk *walk, struct bytes input, char fault[MERKLE_WALK_FAULT]);
/** What has been walked. */
struct merkle_walked {
	uint64_t entries, heads; /* heads that agreed */
	uint64_t signed_size;	 /* of the largest; entries beyond are under no signature */
	uint8_t root[MERKLE_LEN];
};
/** @retval GBA_E_CORRUPT  a head tells of more entries than there are: the end was removed */
enum gba_err merkle_walk_end(struct merkle_walk *walk, struct merkle_walked *_walked, char fault[MERKLE_WALK_FAULT]);

#endif
