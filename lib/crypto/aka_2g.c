/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aka.h"

/* c2: SRES = RES1 ^ RES2 ^ RES3 ^ RES4, 32 bits each */
void aka_c2_sres(struct bytes res, uint8_t sres[4])
{
	memset(sres, 0, 4);
	for (size_t i = 0; i < res.n && i < 16; i++)
		sres[i % 4] ^= res.p[i];
}

/* c3: Kc = CK1 ^ CK2 ^ IK1 ^ IK2, 64 bits each */
void aka_c3_kc(const uint8_t ck[AKA_CK_LEN], const uint8_t ik[AKA_IK_LEN], uint8_t kc[8])
{
	for (int i = 0; i < 8; i++)
		kc[i] = ck[i] ^ ck[i + 8] ^ ik[i] ^ ik[i + 8];
}

/* c4: CK = Kc || Kc */
void aka_c4_ck(const uint8_t kc[8], uint8_t ck[AKA_CK_LEN])
{
	memcpy(ck, kc, 8);
	memcpy(ck + 8, kc, 8);
}

/* c5: IK = (Kc1 ^ Kc2) || Kc || (Kc1 ^ Kc2), 32 bits each */
void aka_c5_ik(const uint8_t kc[8], uint8_t ik[AKA_IK_LEN])
{
	for (int i = 0; i < 4; i++)
		ik[i] = ik[12 + i] = kc[i] ^ kc[4 + i];
	memcpy(ik + 4, kc, 8);
}
