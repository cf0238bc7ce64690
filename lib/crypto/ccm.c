/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ccm.h"

#include "core/secret.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

/* CCM wants all lengths before the first octet. @param n  of the plain text */
static enum gba_err begin(const uint8_t key[CCM_KEY_LEN], const uint8_t nonce[CCM_NONCE_LEN], struct bytes about, size_t n,
			  gcry_cipher_hd_t *_cipher)
{
	uint64_t lengths[3] = { n, about.n, CCM_TAG_LEN };
	gcry_cipher_hd_t cipher;

	secret_init();
	if (gcry_cipher_open(&cipher, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_CCM, GCRY_CIPHER_SECURE) != 0)
		return GBA_E_NOMEM;
	if (gcry_cipher_setkey(cipher, key, CCM_KEY_LEN) != 0 || gcry_cipher_setiv(cipher, nonce, CCM_NONCE_LEN) != 0 ||
	    gcry_cipher_ctl(cipher, GCRYCTL_SET_CCM_LENGTHS, lengths, sizeof(lengths)) != 0 ||
	    (about.n > 0 && gcry_cipher_authenticate(cipher, about.p, about.n) != 0)) {
		gcry_cipher_close(cipher);
		return GBA_E_INTERNAL;
	}
	*_cipher = cipher;
	return GBA_OK;
}

enum gba_err ccm_encrypt(const uint8_t key[CCM_KEY_LEN], const uint8_t nonce[CCM_NONCE_LEN], struct bytes about,
			 struct bytes plain, uint8_t *out)
{
	gcry_cipher_hd_t cipher;
	enum gba_err err;

	if (plain.n > CCM_PLAIN_MAX)
		return GBA_E_TOO_LONG;
	err = begin(key, nonce, about, plain.n, &cipher);
	if (err != GBA_OK)
		return err;
	return aead_encrypt(cipher, plain, CCM_TAG_LEN, out);
}

enum gba_err ccm_decrypt(const uint8_t key[CCM_KEY_LEN], const uint8_t nonce[CCM_NONCE_LEN], struct bytes about,
			 struct bytes in, uint8_t *out)
{
	size_t n = in.n - CCM_TAG_LEN;
	gcry_cipher_hd_t cipher;
	enum gba_err err;

	if (in.n < CCM_TAG_LEN || n > CCM_PLAIN_MAX)
		return GBA_E_CORRUPT;
	err = begin(key, nonce, about, n, &cipher);
	if (err != GBA_OK)
		return err;
	return aead_decrypt(cipher, in, CCM_TAG_LEN, out);
}

void hkdf_sha256(struct bytes salt, struct bytes secret, struct bytes info, uint8_t *out, size_t n)
{
	uint8_t extracted[HASH_MAX], block[HASH_MAX], count = 1;
	struct bytes pieces[] = { BYTES(block, 0), info, BYTES(&count, 1) };
	size_t take;

	hmac_pieces(HASH_SHA256, salt, &secret, 1, extracted); /* no salt: a key of zeros, as HMAC pads it (2.2) */
	for (; n > 0; n -= take, out += take, count++) {
		hmac_pieces(HASH_SHA256, BYTES(extracted, HASH_MAX), pieces, 3, block);
		pieces[0].n = HASH_MAX;
		take = n < HASH_MAX ? n : HASH_MAX;
		memcpy(out, block, take);
	}
	SECRET_WIPE(extracted);
	SECRET_WIPE(block);
}

uint32_t crc32_of(struct bytes octets)
{
	uint8_t out[4];

	gcry_md_hash_buffer(GCRY_MD_CRC32, out, octets.p, octets.n);
	return (uint32_t)out[0] << 24 | (uint32_t)out[1] << 16 | (uint32_t)out[2] << 8 | out[3];
}
