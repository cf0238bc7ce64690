/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/gcm.h"

#include "core/secret.h"
#include "crypto/aead.h"

static enum gba_err begin(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN], struct bytes about,
			  gcry_cipher_hd_t *_cipher)
{
	gcry_cipher_hd_t cipher;

	secret_init();
	if (gcry_cipher_open(&cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, GCRY_CIPHER_SECURE) != 0)
		return GBA_E_NOMEM;
	if (gcry_cipher_setkey(cipher, key, GCM_KEY_LEN) != 0 || gcry_cipher_setiv(cipher, nonce, GCM_NONCE_LEN) != 0 ||
	    (about.n > 0 && gcry_cipher_authenticate(cipher, about.p, about.n) != 0)) {
		gcry_cipher_close(cipher);
		return GBA_E_INTERNAL;
	}
	*_cipher = cipher;
	return GBA_OK;
}

enum gba_err gcm_encrypt(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN], struct bytes about,
			 struct bytes plain, uint8_t *out)
{
	gcry_cipher_hd_t cipher;
	enum gba_err err = begin(key, nonce, about, &cipher);

	if (err != GBA_OK)
		return err;
	return aead_encrypt(cipher, plain, GCM_TAG_LEN, out);
}

enum gba_err gcm_decrypt(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN], struct bytes about,
			 struct bytes in, uint8_t *out)
{
	gcry_cipher_hd_t cipher;
	enum gba_err err;

	if (in.n < GCM_TAG_LEN)
		return GBA_E_CORRUPT;
	err = begin(key, nonce, about, &cipher);
	if (err != GBA_OK)
		return err;
	return aead_decrypt(cipher, in, GCM_TAG_LEN, out);
}
