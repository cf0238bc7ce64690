/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sqn.h"

#define SQN_BITS 48

void sqn_to_octets(uint64_t sqn, uint8_t out[6])
{
	for (int i = 5; i >= 0; i--) {
		out[i] = (uint8_t)sqn;
		sqn >>= 8;
	}
}

uint64_t sqn_from_octets(const uint8_t in[6])
{
	uint64_t sqn = 0;

	for (int i = 0; i < 6; i++)
		sqn = sqn << 8 | in[i];
	return sqn;
}

void sqn_array_init(struct sqn_array *array, unsigned int ind_bits)
{
	memset(array, 0, sizeof(*array));
	array->ind_bits = ind_bits < SQN_IND_BITS_MAX ? ind_bits : SQN_IND_BITS_MAX;
	array->delta = SQN_DELTA_DEFAULT;
}

/* An element that accepted nothing yet holds SEQ 0, which is never accepted: C.2.2 asks for more than what is stored. */
uint64_t sqn_array_highest(const struct sqn_array *array)
{
	uint64_t highest = 0;

	for (unsigned int ind = 0; ind < 1U << array->ind_bits; ind++) {
		uint64_t sqn = sqn_make(array->seq[ind], ind, array->ind_bits);

		if (array->seq[ind] > 0 && sqn > highest)
			highest = sqn;
	}
	return highest;
}

enum gba_err sqn_accept(struct sqn_array *array, uint64_t sqn)
{
	uint64_t seq = sqn >> array->ind_bits;
	uint64_t seq_ms = sqn_array_highest(array) >> array->ind_bits;
	uint64_t *last = &array->seq[sqn & ((1U << array->ind_bits) - 1)];

	if (sqn >> SQN_BITS != 0)
		return GBA_E_AKA_SYNC;
	if (seq > seq_ms && seq - seq_ms > array->delta) /* C.2.1 */
		return GBA_E_AKA_SYNC;
	if (array->age_limit > 0 && seq_ms > seq && seq_ms - seq >= array->age_limit) /* C.2.2, L */
		return GBA_E_AKA_SYNC;
	if (seq <= *last) /* C.2.2 */
		return GBA_E_AKA_SYNC;
	*last = seq;
	return GBA_OK;
}
