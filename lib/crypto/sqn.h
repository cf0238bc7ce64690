/* SPDX-License-Identifier: Apache-2.0 */
/** Sequence numbers (TS 33.102 Annex C): SQN = SEQ || IND. */
#ifndef GBA_CRYPTO_SQN_H
#define GBA_CRYPTO_SQN_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/err.h"

#define SQN_IND_BITS_DEFAULT 5
#define SQN_IND_BITS_MAX     8
#define SQN_ARRAY_MAX	     (1 << SQN_IND_BITS_MAX)
#define SQN_DELTA_DEFAULT    (UINT64_C(1) << 28) /* C.2.1, C.3 */

/** What a USIM remembers: highest SEQ accepted per IND, starting at zero. */
struct sqn_array {
	unsigned int ind_bits;
	uint64_t delta;		  /* wrap protection, C.2.1 */
	uint64_t age_limit;	  /* L, C.2.2; 0: off */
	uint64_t seq[SQN_ARRAY_MAX];
};

static inline uint64_t sqn_make(uint64_t seq, unsigned int ind, unsigned int ind_bits)
{
	return seq << ind_bits | (ind & ((1U << ind_bits) - 1));
}

void sqn_to_octets(uint64_t sqn, uint8_t out[6]);
uint64_t sqn_from_octets(const uint8_t in[6]);

/** Nothing accepted yet, delta SQN_DELTA_DEFAULT, no age limit.
 * @param ind_bits  0..SQN_IND_BITS_MAX; more counts as that */
void sqn_array_init(struct sqn_array *array, unsigned int ind_bits);
/** SQN_MS for AUTS: the highest accepted SQN anywhere in the array; 0 when there is none. */
uint64_t sqn_array_highest(const struct sqn_array *array);
/** Check and, when good, record. @retval GBA_E_AKA_SYNC  out of range; the array is unchanged */
enum gba_err sqn_accept(struct sqn_array *array, uint64_t sqn);

#endif
