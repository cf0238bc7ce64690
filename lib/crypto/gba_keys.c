/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/gba_keys.h"

#include <assert.h>

#include "core/codec.h"
#include "core/secret.h"
#include "crypto/hash.h"

#define FC_GBA	       0x01 /* B.2.1.1: all of TS 33.220's own keys */
#define KDF_PARAMS_MAX 8
#define TMPI_OCTETS    24

/* S = FC || P0 || L0 || ... || Pn || Ln, each L two octets big-endian after its P (B.2.0) */
void gba_kdf(struct bytes key, uint8_t fc, const struct bytes *params, size_t count, uint8_t out[32])
{
	struct bytes s[1 + 2 * KDF_PARAMS_MAX];
	uint8_t lengths[KDF_PARAMS_MAX][2];
	size_t n = 0;

	assert(count <= KDF_PARAMS_MAX);
	s[n++] = BYTES(&fc, 1);
	for (size_t i = 0; i < count; i++) {
		lengths[i][0] = (uint8_t)(params[i].n >> 8);
		lengths[i][1] = (uint8_t)params[i].n;
		s[n++] = params[i];
		s[n++] = BYTES(lengths[i], 2);
	}
	hmac_pieces(HASH_SHA256, key, s, n, out);
}

void gba_ks(const uint8_t ck[AKA_CK_LEN], const uint8_t ik[AKA_IK_LEN], uint8_t ks[GBA_KS_LEN])
{
	memcpy(ks, ck, AKA_CK_LEN);
	memcpy(ks + AKA_CK_LEN, ik, AKA_IK_LEN);
}

/* Ks_NAF = KDF(Ks, "gba-me", RAND, IMPI, NAF_Id); Ks_int_NAF = KDF(Ks, "gba-u", RAND, IMPI, NAF_Id) */
void gba_ks_naf(enum gba_key_kind kind, const uint8_t ks[GBA_KS_LEN], const uint8_t rand[RAND_LEN], struct bytes impi,
		struct bytes naf_id, uint8_t out[GBA_KS_NAF_LEN])
{
	const struct bytes params[] = { bytes_of(kind == GBA_KEY_ME ? "gba-me" : "gba-u"), BYTES(rand, RAND_LEN), impi,
					naf_id };

	gba_kdf(BYTES(ks, GBA_KS_LEN), FC_GBA, params, 4, out);
}

/* TEMP = base64 of the first 192 bits of KDF(Ks, "gba-me", RAND, IMPI, BSF_Id), BSF_Id = BSF FQDN || 01 00 00 01 00 */
void gba_tmpi(const uint8_t ks[GBA_KS_LEN], const uint8_t rand[RAND_LEN], struct bytes impi, struct bytes bsf_fqdn,
	      char *out)
{
	uint8_t bsf_id[NAF_ID_MAX], temp[GBA_KS_NAF_LEN];
	size_t n = naf_id_build(bsf_fqdn, UA_ID_TMPI, bsf_id);

	gba_ks_naf(GBA_KEY_ME, ks, rand, impi, BYTES(bsf_id, n), temp);
	base64_encode(BYTES(temp, TMPI_OCTETS), out);
	out[BASE64_LEN(TMPI_OCTETS)] = '@';
	memcpy(out + BASE64_LEN(TMPI_OCTETS) + 1, TMPI_DOMAIN, sizeof(TMPI_DOMAIN));
	SECRET_WIPE(temp);
}

/* MAC* = MAC ^ Trunc64(SHA-1(IK)) */
void gba_u_mac_mask(const uint8_t ik[AKA_IK_LEN], uint8_t mask[AKA_MAC_LEN])
{
	const struct bytes piece = BYTES(ik, AKA_IK_LEN);
	uint8_t sha1[HASH_MAX];

	hash_pieces(HASH_SHA1, &piece, 1, sha1);
	memcpy(mask, sha1, AKA_MAC_LEN);
	SECRET_WIPE(sha1);
}

/* Key = Kc || Kc || RAND, Annex I */
static void key_2g(const uint8_t kc[8], const uint8_t rand[RAND_LEN], uint8_t key[GBA_KS_LEN])
{
	memcpy(key, kc, 8);
	memcpy(key + 8, kc, 8);
	memcpy(key + 16, rand, RAND_LEN);
}

/* RES = first 128 bits of KDF(Key, "3gpp-gba-res", SRES) */
void gba_2g_res(const uint8_t kc[8], const uint8_t rand[RAND_LEN], const uint8_t sres[4], uint8_t res[GBA_2G_RES_LEN])
{
	const struct bytes params[] = { bytes_of("3gpp-gba-res"), BYTES(sres, 4) };
	uint8_t key[GBA_KS_LEN], out[32];

	key_2g(kc, rand, key);
	gba_kdf(BYTES(key, sizeof(key)), FC_GBA, params, 2, out);
	memcpy(res, out, GBA_2G_RES_LEN);
	SECRET_WIPE(key);
	SECRET_WIPE(out);
}

/* Ks = KDF(Key, Ks-input, "3gpp-gba-ks", SRES) */
void gba_2g_ks(const uint8_t kc[8], const uint8_t rand[RAND_LEN], const uint8_t ks_input[GBA_2G_KS_INPUT_LEN],
	       const uint8_t sres[4], uint8_t ks[GBA_KS_LEN])
{
	const struct bytes params[] = { BYTES(ks_input, GBA_2G_KS_INPUT_LEN), bytes_of("3gpp-gba-ks"), BYTES(sres, 4) };
	uint8_t key[GBA_KS_LEN];

	key_2g(kc, rand, key);
	gba_kdf(BYTES(key, sizeof(key)), FC_GBA, params, 3, ks);
	SECRET_WIPE(key);
}

/* base64(HMAC-MD5(RES || IK || CK, "http-digest-akav2-password")) */
void gba_akav2_password(struct bytes res, const uint8_t ik[AKA_IK_LEN], const uint8_t ck[AKA_CK_LEN], char out[25])
{
	const struct bytes text = bytes_of("http-digest-akav2-password");
	uint8_t key[AKA_RES_MAX + AKA_IK_LEN + AKA_CK_LEN], mac[16];

	assert(res.n <= AKA_RES_MAX);
	memcpy(key, res.p, res.n);
	memcpy(key + res.n, ik, AKA_IK_LEN);
	memcpy(key + res.n + AKA_IK_LEN, ck, AKA_CK_LEN);
	hmac_pieces(HASH_MD5, BYTES(key, res.n + AKA_IK_LEN + AKA_CK_LEN), &text, 1, mac);
	base64_encode(BYTES(mac, sizeof(mac)), out);
	SECRET_WIPE(key);
	SECRET_WIPE(mac);
}
