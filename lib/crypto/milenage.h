/* SPDX-License-Identifier: Apache-2.0 */
/** MILENAGE (TS 35.206 clause 4) with the default r and c values. */
#ifndef GBA_CRYPTO_MILENAGE_H
#define GBA_CRYPTO_MILENAGE_H

#include "core/bytes.h"

struct milenage_out {
	uint8_t mac_a[8], mac_s[8]; /* f1, f1* */
	uint8_t res[8], ak[6];	    /* f2, f5 */
	uint8_t ck[16], ik[16];	    /* f3, f4 */
	uint8_t ak_star[6];	    /* f5* */
};

void milenage_opc(const uint8_t k[16], const uint8_t op[16], uint8_t opc[16]);
/** f1 and f1*. */
void milenage_f1(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t sqn[6],
		 const uint8_t amf[2], uint8_t mac_a[8], uint8_t mac_s[8]);
/** f2, f3, f4, f5, f5*: all members of out but the MACs. */
void milenage_f2345(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], struct milenage_out *out);
/** Both of the above with one key schedule: what a home network needs for a vector. */
void milenage_all(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t sqn[6],
		  const uint8_t amf[2], struct milenage_out *out);

#endif
