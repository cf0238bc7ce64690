/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sign.h"

#include <gcrypt.h>

#include "core/secret.h"
#include "crypto/key_file.h"

struct sign_key {
	struct secret *seed;
	uint8_t public[SIGN_PUBLIC_LEN];
};

/* The public key belongs to the seed; libgcrypt computes it from an incomplete key. */
static enum gba_err derive_public(struct sign_key *key)
{
	gcry_sexp_t params = NULL;
	gcry_ctx_t ctx = NULL;
	gcry_mpi_t q = NULL;
	enum gba_err err = GBA_E_NOMEM;
	unsigned int bits = 0;

	if (gcry_sexp_build(&params, NULL, "(private-key (ecc (curve Ed25519) (flags eddsa) (d %b)))", (int)key->seed->n,
			    key->seed->p) != 0)
		return GBA_E_NOMEM;
	if (gcry_mpi_ec_new(&ctx, params, NULL) == 0)
		q = gcry_mpi_ec_get_mpi("q@eddsa", ctx, 1);
	if (q != NULL) {
		const void *octets = gcry_mpi_get_opaque(q, &bits);

		if (octets != NULL && bits == 8 * SIGN_PUBLIC_LEN) {
			memcpy(key->public, octets, SIGN_PUBLIC_LEN);
			err = GBA_OK;
		}
	}
	gcry_mpi_release(q);
	gcry_ctx_release(ctx);
	gcry_sexp_release(params);
	return err;
}

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
	if (err == GBA_OK)
		err = derive_public(key);
	if (err != GBA_OK) {
		talloc_free(key);
		return err;
	}
	*_key = key;
	return GBA_OK;
}

const uint8_t *sign_key_public(const struct sign_key *key)
{
	return key->public;
}

static gcry_sexp_t message_sexp(struct bytes message)
{
	gcry_sexp_t data = NULL;

	(void)gcry_sexp_build(&data, NULL, "(data (flags eddsa) (hash-algo sha512) (value %b))", (int)message.n,
			      message.n > 0 ? (const void *)message.p : "");
	return data;
}

/* r or s of a signature: 32 octets each. */
static bool take_half(gcry_sexp_t signature, const char *name, uint8_t out[SIGN_LEN / 2])
{
	gcry_sexp_t item = gcry_sexp_find_token(signature, name, 0);
	const char *octets;
	size_t n = 0;
	bool good;

	octets = item != NULL ? gcry_sexp_nth_data(item, 1, &n) : NULL;
	good = octets != NULL && n == SIGN_LEN / 2;
	if (good)
		memcpy(out, octets, n);
	gcry_sexp_release(item);
	return good;
}

enum gba_err sign(const struct sign_key *key, struct bytes message, uint8_t out[SIGN_LEN])
{
	gcry_sexp_t secret = NULL, data = message_sexp(message), signature = NULL;
	enum gba_err err = GBA_E_NOMEM;

	if (data != NULL &&
	    gcry_sexp_build(&secret, NULL, "(private-key (ecc (curve Ed25519) (flags eddsa) (q %b) (d %b)))",
			    SIGN_PUBLIC_LEN, key->public, (int)key->seed->n, key->seed->p) == 0 &&
	    gcry_pk_sign(&signature, data, secret) == 0 && take_half(signature, "r", out) &&
	    take_half(signature, "s", out + SIGN_LEN / 2))
		err = GBA_OK;
	gcry_sexp_release(signature);
	gcry_sexp_release(secret);
	gcry_sexp_release(data);
	return err;
}

/* libgcrypt 1.10 ends the process for a point whose y is below 2^192 (mulm_25519: different sizes). Nobody's key is like that by
 * chance. */
static bool key_is_usable(const uint8_t public[SIGN_PUBLIC_LEN])
{
	uint8_t top = public[SIGN_PUBLIC_LEN - 1] & 0x7f; /* without the sign of x */
	size_t i;

	for (i = SIGN_PUBLIC_LEN - 8; i < SIGN_PUBLIC_LEN - 1; i++)
		top |= public[i];
	return top != 0;
}

enum gba_err sign_verify(const uint8_t public[SIGN_PUBLIC_LEN], struct bytes message, const uint8_t signature[SIGN_LEN])
{
	gcry_sexp_t key = NULL, data, sig = NULL;
	enum gba_err err = GBA_E_NOMEM;

	if (!key_is_usable(public))
		return GBA_E_CORRUPT;
	data = message_sexp(message);
	if (data != NULL &&
	    gcry_sexp_build(&key, NULL, "(public-key (ecc (curve Ed25519) (flags eddsa) (q %b)))", SIGN_PUBLIC_LEN,
			    public) == 0 &&
	    gcry_sexp_build(&sig, NULL, "(sig-val (eddsa (r %b) (s %b)))", SIGN_LEN / 2, signature, SIGN_LEN / 2,
			    signature + SIGN_LEN / 2) == 0)
		err = gcry_pk_verify(sig, data, key) == 0 ? GBA_OK : GBA_E_CORRUPT;
	gcry_sexp_release(sig);
	gcry_sexp_release(key);
	gcry_sexp_release(data);
	return err;
}
