/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/boot.h"

#include "core/secret.h"

/* GBA_U, TS 33.220 5.3.2: AUTN* = SQN^AK || AMF || MAC*, MAC* = MAC ^ Trunc64(SHA-1(IK)). */
static void mask_mac(const uint8_t ik[AKA_IK_LEN], uint8_t autn[AKA_AUTN_LEN])
{
	uint8_t mask[AKA_MAC_LEN];
	size_t i;

	gba_u_mac_mask(ik, mask);
	for (i = 0; i < AKA_MAC_LEN; i++)
		autn[AKA_AUTN_LEN - AKA_MAC_LEN + i] ^= mask[i];
	SECRET_WIPE(mask);
}

static void password_3g(enum digest_alg algorithm, const struct aka_vector *vector, struct challenge_secret *_secret)
{
	char v2[25];

	if (algorithm != DIGEST_AKAV2_MD5) { /* RFC 3310 3.3: RES */
		memcpy(_secret->password, vector->xres, vector->xres_len);
		_secret->password_n = (uint8_t)vector->xres_len;
		return;
	}
	gba_akav2_password(BYTES(vector->xres, vector->xres_len), vector->ik, vector->ck, v2);
	_secret->password_n = (uint8_t)strlen(v2);
	memcpy(_secret->password, v2, _secret->password_n);
	SECRET_WIPE(v2);
}

/* Annex I, from a 3G vector: the SIM computes SRES = c2(XRES) and Kc = c3(CK, IK) (TS 33.102 6.8.1.2). */
static void secret_2g(const struct aka_vector *vector, const uint8_t *ks_input, struct challenge_secret *_secret)
{
	uint8_t sres[4], kc[8];

	aka_c2_sres(BYTES(vector->xres, vector->xres_len), sres);
	aka_c3_kc(vector->ck, vector->ik, kc);
	gba_2g_res(kc, vector->rand, sres, _secret->password);
	_secret->password_n = GBA_2G_RES_LEN;
	gba_2g_ks(kc, vector->rand, ks_input, sres, _secret->ks);
	SECRET_WIPE(sres);
	SECRET_WIPE(kc);
}

void boot_challenge(const struct boot_how *how, const struct aka_vector *vector, struct guss_kept *guss,
		    const uint8_t *ks_input, struct challenge *_challenge, struct challenge_secret *_secret)
{
	uint8_t nonce[BOOT_NONCE_OCTETS] = { 0 };
	size_t nonce_n = RAND_LEN + AKA_AUTN_LEN;

	memset(_challenge, 0, sizeof(*_challenge));
	memcpy(_challenge->rand, vector->rand, RAND_LEN);
	_challenge->type = how->type;
	_challenge->guss = guss;
	memcpy(nonce, vector->rand, RAND_LEN);
	if (how->type == CTX_2G_GBA) { /* RAND || sixteen zero octets || Ks-input, TS 24.109 H.2 */
		memcpy(nonce + nonce_n, ks_input, GBA_2G_KS_INPUT_LEN);
		nonce_n += GBA_2G_KS_INPUT_LEN;
		_challenge->algorithm = DIGEST_AKAV1_MD5;
		secret_2g(vector, ks_input, _secret);
	} else {
		memcpy(nonce + RAND_LEN, vector->autn, AKA_AUTN_LEN);
		if (guss->uicc == GUSS_UICC_GBA_U)
			mask_mac(vector->ik, nonce + RAND_LEN);
		_challenge->algorithm = how->algorithm;
		password_3g(how->algorithm, vector, _secret);
		gba_ks(vector->ck, vector->ik, _secret->ks);
	}
	base64_encode(BYTES(nonce, nonce_n), _challenge->nonce);
}

bool boot_changing(const struct challenge *challenge)
{
	uint8_t octets[BOOT_NONCE_OCTETS];
	size_t n;

	return challenge->type == CTX_3G_GBA &&
	       base64_decode(bytes_of(challenge->nonce), octets, sizeof(octets), &n) == GBA_OK &&
	       n >= RAND_LEN + AKA_AUTN_LEN && (octets[RAND_LEN + AKA_SQN_LEN + 1] & CHANGE_AMF_OFFERED) != 0;
}
