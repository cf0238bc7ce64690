/* SPDX-License-Identifier: Apache-2.0 */
/** GBA key derivation (TS 33.220 Annex B, 4.5.2, 5.3.2, Annex I). Pure functions; callers wipe what they receive. */
#ifndef GBA_CRYPTO_GBA_KEYS_H
#define GBA_CRYPTO_GBA_KEYS_H

#include "core/ident.h"
#include "crypto/aka.h"

#define GBA_KS_LEN	  32
#define GBA_KS_NAF_LEN	  32
#define GBA_TMPI_MAX	  (32 + 1 + sizeof(TMPI_DOMAIN)) /* with NUL */
#define GBA_2G_RES_LEN	  16
#define GBA_2G_KS_INPUT_LEN 16

/** Generic KDF, B.2: HMAC-SHA-256(key, FC || P0 || L0 || ... ). @param count  at most 8, each below 65536 octets */
void gba_kdf(struct bytes key, uint8_t fc, const struct bytes *params, size_t count, uint8_t out[32]);

/** Ks = CK || IK, 4.5.2. */
void gba_ks(const uint8_t ck[AKA_CK_LEN], const uint8_t ik[AKA_IK_LEN], uint8_t ks[GBA_KS_LEN]);

enum gba_key_kind {
	GBA_KEY_ME,   /* Ks_NAF, and Ks_ext_NAF of GBA_U: "gba-me" */
	GBA_KEY_UICC, /* Ks_int_NAF: "gba-u" */
};
/** B.3. @param naf_id  octets as naf_id_build() makes them */
void gba_ks_naf(enum gba_key_kind kind, const uint8_t ks[GBA_KS_LEN], const uint8_t rand[RAND_LEN], struct bytes impi,
		struct bytes naf_id, uint8_t out[GBA_KS_NAF_LEN]);
/** B.4: "<32 characters>@tmpi.bsf.3gppnetwork.org".
 * @param out       GBA_TMPI_MAX octets, NUL-terminated
 * @param bsf_fqdn  a valid host name, in any case */
void gba_tmpi(const uint8_t ks[GBA_KS_LEN], const uint8_t rand[RAND_LEN], struct bytes impi, struct bytes bsf_fqdn,
	      char *out);

/** GBA_U, 5.3.2: Trunc64(SHA-1(IK)); XOR it into the MAC of AUTN to get MAC* or back. [formula not cross-checked with a
 * second source: nothing outside this function knows it] */
void gba_u_mac_mask(const uint8_t ik[AKA_IK_LEN], uint8_t mask[AKA_MAC_LEN]);

/** 2G GBA, Annex I. kc 8, sres 4 octets. */
void gba_2g_res(const uint8_t kc[8], const uint8_t rand[RAND_LEN], const uint8_t sres[4], uint8_t res[GBA_2G_RES_LEN]);
void gba_2g_ks(const uint8_t kc[8], const uint8_t rand[RAND_LEN], const uint8_t ks_input[GBA_2G_KS_INPUT_LEN],
	       const uint8_t sres[4], uint8_t ks[GBA_KS_LEN]);
/** AKAv2 password (RFC 4169): base64 text, 24 characters and NUL. @param res  at most AKA_RES_MAX octets */
void gba_akav2_password(struct bytes res, const uint8_t ik[AKA_IK_LEN], const uint8_t ck[AKA_CK_LEN], char out[25]);

#endif
