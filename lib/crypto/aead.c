/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aead.h"

#include "core/secret.h"

enum gba_err aead_encrypt(gcry_cipher_hd_t cipher, struct bytes plain, size_t tag, uint8_t *out)
{
	bool good = gcry_cipher_encrypt(cipher, out, plain.n, plain.p, plain.n) == 0 &&
		    gcry_cipher_gettag(cipher, out + plain.n, tag) == 0;

	gcry_cipher_close(cipher);
	if (good)
		return GBA_OK;
	secret_wipe(out, plain.n + tag);
	return GBA_E_INTERNAL;
}

enum gba_err aead_decrypt(gcry_cipher_hd_t cipher, struct bytes in, size_t tag, uint8_t *out)
{
	size_t n = in.n - tag;
	bool good = gcry_cipher_decrypt(cipher, out, n, in.p, n) == 0 && gcry_cipher_checktag(cipher, in.p + n, tag) == 0;

	gcry_cipher_close(cipher);
	if (good)
		return GBA_OK;
	secret_wipe(out, n);
	return GBA_E_CORRUPT;
}
