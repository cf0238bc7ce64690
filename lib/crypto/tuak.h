/* SPDX-License-Identifier: Apache-2.0 */
/** TUAK (TS 35.231 clause 6): all lengths of K, MAC, RES, CK and IK. Lengths in octets; a length the algorithm does not
 * have returns false and writes nothing. */
#ifndef GBA_CRYPTO_TUAK_H
#define GBA_CRYPTO_TUAK_H

#include <stdbool.h>

#include "core/bytes.h"

struct tuak {
	struct bytes k;		 /* 16 or 32 */
	unsigned int iterations; /* of Keccak-f per call, >= 1 */
	size_t mac_len;		 /* 8, 16, 32 */
	size_t res_len;		 /* 4, 8, 16, 32 */
	size_t ck_len, ik_len;	 /* 16, 32 */
};

bool tuak_topc(const struct tuak *t, const uint8_t top[32], uint8_t topc[32]);
bool tuak_f1(const struct tuak *t, const uint8_t topc[32], const uint8_t rand[16], const uint8_t sqn[6],
	     const uint8_t amf[2], uint8_t *mac_a);
bool tuak_f1_star(const struct tuak *t, const uint8_t topc[32], const uint8_t rand[16], const uint8_t sqn[6],
		  const uint8_t amf[2], uint8_t *mac_s);
bool tuak_f2345(const struct tuak *t, const uint8_t topc[32], const uint8_t rand[16], uint8_t *res, uint8_t *ck,
		uint8_t *ik, uint8_t ak[6]);
bool tuak_f5_star(const struct tuak *t, const uint8_t topc[32], const uint8_t rand[16], uint8_t ak_star[6]);

/** The permutation itself (FIPS 202), on 200 octets. */
void keccak_f1600(uint8_t state[200]);

#endif
