/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/op_key.h"

#include <gcrypt.h>

#include "core/clock.h"
#include "core/secret.h"
#include "crypto/gcm.h"
#include "crypto/hash.h"
#include "crypto/key_file.h"
#include "crypto/sign.h"

#define EXPANDED_LEN (GCM_KEY_LEN + GCM_NONCE_LEN)

_Static_assert(OP_SIGN_LEN == SIGN_PUBLIC_LEN && OP_SIG_LEN == SIGN_LEN, "an operator signs with lib/crypto/sign.h");

struct op_key {
	struct sign_key *sign;
	struct secret *agree;
	uint8_t public[OP_PUBLIC_LEN];
};

/* X25519 (RFC 7748 5); point NULL: the base point. */
static enum gba_err x25519(const uint8_t scalar[32], const uint8_t *point, uint8_t out[32])
{
	static const uint8_t zero[32];

	if (gcry_ecc_mul_point(GCRY_ECC_CURVE25519, out, scalar, point) != 0)
		return GBA_E_RANGE;
	return bytes_eq_secret(BYTES(out, 32), BYTES(zero, 32)) ? GBA_E_RANGE : GBA_OK; /* 6.1: a point of small order */
}

/* The file's secret is the seed of the signing key; the other key is derived from it. */
static enum gba_err open_agree(struct op_key *key, const char *path)
{
	struct bytes label = bytes_of("Y.3056 operator agree");
	uint8_t secret[KEY_FILE_LEN];
	enum gba_err err;

	key->agree = secret_new(key, OP_AGREE_LEN);
	if (key->agree == NULL)
		return GBA_E_NOMEM;
	err = key_file_read(path, false, secret);
	if (err == GBA_OK) {
		hmac_pieces(HASH_SHA256, BYTES(secret, sizeof(secret)), &label, 1, key->agree->p);
		err = x25519(key->agree->p, NULL, key->public + OP_SIGN_LEN);
	}
	SECRET_WIPE(secret);
	return err;
}

enum gba_err op_key_open(TALLOC_CTX *mem_ctx, const char *path, bool create, struct op_key **_key)
{
	struct op_key *key = talloc_zero(mem_ctx, struct op_key);
	enum gba_err err;

	if (key == NULL)
		return GBA_E_NOMEM;
	err = sign_key_open(key, path, create, &key->sign);
	if (err == GBA_OK)
		err = open_agree(key, path);
	if (err != GBA_OK) {
		talloc_free(key);
		return err;
	}
	memcpy(key->public, sign_key_public(key->sign), OP_SIGN_LEN);
	*_key = key;
	return GBA_OK;
}

void op_key_public(const struct op_key *key, uint8_t out[OP_PUBLIC_LEN])
{
	memcpy(out, key->public, OP_PUBLIC_LEN);
}

void op_key_id(const uint8_t public[OP_SIGN_LEN], uint8_t out[OP_KEY_ID_LEN])
{
	struct bytes piece = BYTES(public, OP_SIGN_LEN);
	uint8_t hash[HASH_MAX];

	hash_pieces(HASH_SHA256, &piece, 1, hash);
	memcpy(out, hash, OP_KEY_ID_LEN);
}

enum gba_err op_sign(const struct op_key *key, struct bytes text, uint8_t sig[OP_SIG_LEN])
{
	return sign(key->sign, text, sig);
}

enum gba_err op_verify(const uint8_t public[OP_SIGN_LEN], struct bytes text, const uint8_t sig[OP_SIG_LEN])
{
	enum gba_err err = sign_verify(public, text, sig);

	return err == GBA_E_CORRUPT ? GBA_E_SIGNATURE : err;
}

/* RFC 5869 with SHA-256; 44 octets are two blocks. */
static void hkdf(struct bytes salt, struct bytes ikm, struct bytes info, uint8_t out[EXPANDED_LEN])
{
	static const uint8_t one = 1, two = 2;
	uint8_t prk[HASH_MAX], t1[HASH_MAX], t2[HASH_MAX];
	struct bytes first[] = { info, BYTES(&one, 1) };
	struct bytes second[] = { BYTES(t1, sizeof(t1)), info, BYTES(&two, 1) };

	hmac_pieces(HASH_SHA256, salt, &ikm, 1, prk);
	hmac_pieces(HASH_SHA256, BYTES(prk, sizeof(prk)), first, 2, t1);
	hmac_pieces(HASH_SHA256, BYTES(prk, sizeof(prk)), second, 3, t2);
	memcpy(out, t1, HASH_MAX);
	memcpy(out + HASH_MAX, t2, EXPANDED_LEN - HASH_MAX);
	SECRET_WIPE(prk);
	SECRET_WIPE(t1);
	SECRET_WIPE(t2);
}

/* Key and nonce between a private key and a public one; both sides salt with the ephemeral and the receiver's key. */
static enum gba_err agree_on(const uint8_t own[32], const uint8_t other[32], const uint8_t salt[64], struct bytes about,
			     uint8_t out[EXPANDED_LEN])
{
	enum gba_err err;
	uint8_t z[32];

	err = x25519(own, other, z);
	if (err == GBA_OK)
		hkdf(BYTES(salt, 64), BYTES(z, sizeof(z)), about, out);
	SECRET_WIPE(z);
	return err;
}

enum gba_err op_wrap(const uint8_t agree[OP_AGREE_LEN], struct bytes about, struct bytes plain, uint8_t *out)
{
	uint8_t ephemeral[32], salt[64], expanded[EXPANDED_LEN];
	enum gba_err err;

	secret_init();
	rand_bytes(ephemeral, sizeof(ephemeral));
	err = x25519(ephemeral, NULL, out);
	memcpy(salt, out, 32);
	memcpy(salt + 32, agree, 32);
	if (err == GBA_OK)
		err = agree_on(ephemeral, agree, salt, about, expanded);
	if (err == GBA_OK)
		err = gcm_encrypt(expanded, expanded + GCM_KEY_LEN, about, plain, out + 32);
	SECRET_WIPE(ephemeral);
	SECRET_WIPE(expanded);
	return err;
}

enum gba_err op_unwrap(const struct op_key *key, struct bytes about, struct bytes wrapped, uint8_t *out)
{
	uint8_t salt[64], expanded[EXPANDED_LEN];
	enum gba_err err;

	if (wrapped.n < OP_WRAP_OVERHEAD)
		return GBA_E_CORRUPT;
	memcpy(salt, wrapped.p, 32);
	memcpy(salt + 32, key->public + OP_SIGN_LEN, 32);
	err = agree_on(key->agree->p, wrapped.p, salt, about, expanded);
	if (err == GBA_OK)
		err = gcm_decrypt(expanded, expanded + GCM_KEY_LEN, about, BYTES(wrapped.p + 32, wrapped.n - 32), out);
	SECRET_WIPE(expanded);
	return err == GBA_E_RANGE ? GBA_E_CORRUPT : err;
}

static enum gba_err key_wrap_open(const uint8_t shared[OP_SHARED_LEN], struct bytes about, gcry_cipher_hd_t *_cipher)
{
	struct bytes pieces[] = { bytes_of("Y.3056 shared wrap"), about };
	uint8_t kek[HASH_MAX];
	gcry_cipher_hd_t cipher;
	bool good;

	secret_init();
	if (gcry_cipher_open(&cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_AESWRAP, GCRY_CIPHER_SECURE) != 0)
		return GBA_E_NOMEM;
	hmac_pieces(HASH_SHA256, BYTES(shared, OP_SHARED_LEN), pieces, 2, kek);
	good = gcry_cipher_setkey(cipher, kek, sizeof(kek)) == 0;
	SECRET_WIPE(kek);
	if (!good) {
		gcry_cipher_close(cipher);
		return GBA_E_INTERNAL;
	}
	*_cipher = cipher;
	return GBA_OK;
}

enum gba_err op_shared_wrap(const uint8_t shared[OP_SHARED_LEN], struct bytes about, struct bytes plain, uint8_t *out)
{
	gcry_cipher_hd_t cipher;
	enum gba_err err = key_wrap_open(shared, about, &cipher);

	if (err != GBA_OK)
		return err;
	if (gcry_cipher_encrypt(cipher, out, plain.n + 8, plain.p, plain.n) != 0)
		err = GBA_E_RANGE;
	gcry_cipher_close(cipher);
	return err;
}

enum gba_err op_shared_unwrap(const uint8_t shared[OP_SHARED_LEN], struct bytes about, struct bytes wrapped, uint8_t *out)
{
	gcry_cipher_hd_t cipher;
	enum gba_err err = key_wrap_open(shared, about, &cipher);

	if (err != GBA_OK)
		return err;
	if (wrapped.n < 24 || gcry_cipher_decrypt(cipher, out, wrapped.n - 8, wrapped.p, wrapped.n) != 0)
		err = GBA_E_CORRUPT;
	gcry_cipher_close(cipher);
	return err;
}
