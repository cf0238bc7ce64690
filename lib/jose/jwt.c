/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/jwt.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/codec.h"
#include "core/secret.h"
#include "crypto/hash.h"
#include "crypto/private_file.h"
#include "http/json.h"

#define RSA_BITS   2048
#define RSA_MAX	   512 /* [octets] of a modulus we take: 4096 bits */
#define COORDINATE 32  /* [octets] P-256 */
#define PEM_MAX	   16384
#define KID_LEN	   43

const char *const jwt_alg_names[] = { "RS256", "ES256", NULL };

struct jwt_key {
	enum jwt_alg alg;
	gnutls_privkey_t private; /* NULL: a public key only */
	gnutls_pubkey_t public;
	json_t *members; /* of the JWK that identify it: kty, n, e or crv, x, y */
	char kid[KID_LEN + 1];
};

static int key_destroy(struct jwt_key *key)
{
	if (key->private != NULL)
		gnutls_privkey_deinit(key->private);
	if (key->public != NULL)
		gnutls_pubkey_deinit(key->public);
	json_decref(key->members);
	return 0;
}

static struct jwt_key *key_alloc(TALLOC_CTX *mem_ctx)
{
	struct jwt_key *key = talloc_zero(mem_ctx, struct jwt_key);

	if (key == NULL)
		return NULL;
	talloc_set_destructor(key, key_destroy);
	if (gnutls_pubkey_init(&key->public) != 0) {
		talloc_free(key);
		return NULL;
	}
	return key;
}

/* ---- what identifies a key ---- */

/* A number as it is signed for in JWKs: without leading zeros, or (width) exactly so long. @return false: too long */
static bool number_text(const gnutls_datum_t *number, size_t width, char out[BASE64URL_LEN(RSA_MAX) + 1])
{
	uint8_t octets[RSA_MAX] = { 0 };
	const uint8_t *p = number->data;
	size_t n = number->size;

	while (n > 0 && *p == 0) {
		p++;
		n--;
	}
	if (n > (width > 0 ? width : RSA_MAX))
		return false;
	if (width == 0)
		width = n;
	memcpy(octets + width - n, p, n);
	base64url_encode(BYTES(octets, width), out);
	return true;
}

static json_t *rsa_members(gnutls_pubkey_t public)
{
	char n[BASE64URL_LEN(RSA_MAX) + 1], e[BASE64URL_LEN(RSA_MAX) + 1];
	gnutls_datum_t modulus, exponent;
	json_t *members = NULL;

	if (gnutls_pubkey_export_rsa_raw2(public, &modulus, &exponent, 0) != 0)
		return NULL;
	if (modulus.size >= RSA_BITS / 8 && number_text(&modulus, 0, n) && number_text(&exponent, 0, e))
		members = json_pack("{s:s, s:s, s:s}", "kty", "RSA", "n", n, "e", e);
	gnutls_free(modulus.data);
	gnutls_free(exponent.data);
	return members;
}

static json_t *ec_members(gnutls_pubkey_t public)
{
	char x[BASE64URL_LEN(RSA_MAX) + 1], y[BASE64URL_LEN(RSA_MAX) + 1];
	gnutls_ecc_curve_t curve;
	gnutls_datum_t x_raw, y_raw;
	json_t *members = NULL;

	if (gnutls_pubkey_export_ecc_raw2(public, &curve, &x_raw, &y_raw, 0) != 0)
		return NULL;
	if (curve == GNUTLS_ECC_CURVE_SECP256R1 && number_text(&x_raw, COORDINATE, x) && number_text(&y_raw, COORDINATE, y))
		members = json_pack("{s:s, s:s, s:s, s:s}", "kty", "EC", "crv", "P-256", "x", x, "y", y);
	gnutls_free(x_raw.data);
	gnutls_free(y_raw.data);
	return members;
}

/* RFC 7638 3: the required members, sorted, without blanks. */
static enum gba_err identify(struct jwt_key *key)
{
	uint8_t digest[HASH_MAX];
	struct bytes input;
	char *text;

	switch (gnutls_pubkey_get_pk_algorithm(key->public, NULL)) {
	case GNUTLS_PK_RSA:
		key->alg = JWT_RS256;
		key->members = rsa_members(key->public);
		break;
	case GNUTLS_PK_ECDSA:
		key->alg = JWT_ES256;
		key->members = ec_members(key->public);
		break;
	default: return GBA_E_SYNTAX;
	}
	if (key->members == NULL)
		return GBA_E_SYNTAX;
	text = json_dumps(key->members, JSON_COMPACT | JSON_SORT_KEYS);
	if (text == NULL)
		return GBA_E_NOMEM;
	input = bytes_of(text);
	hash_pieces(HASH_SHA256, &input, 1, digest);
	base64url_encode(BYTES(digest, sizeof(digest)), key->kid);
	free(text);
	return GBA_OK;
}

static enum gba_err finish(struct jwt_key *key, enum gba_err err, struct jwt_key **_key)
{
	if (err == GBA_OK && key->private != NULL && gnutls_pubkey_import_privkey(key->public, key->private, 0, 0) != 0)
		err = GBA_E_SYNTAX;
	if (err == GBA_OK)
		err = identify(key);
	if (err == GBA_OK)
		*_key = key;
	else
		talloc_free(key);
	return err;
}

enum gba_err jwt_key_new(TALLOC_CTX *mem_ctx, enum jwt_alg alg, struct jwt_key **_key)
{
	struct jwt_key *key = key_alloc(mem_ctx);
	bool rsa = alg == JWT_RS256;
	int rc;

	if (key == NULL || gnutls_privkey_init(&key->private) != 0) {
		talloc_free(key);
		return GBA_E_NOMEM;
	}
	rc = gnutls_privkey_generate(key->private, rsa ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA,
				     rsa ? RSA_BITS : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	return finish(key, rc == 0 ? GBA_OK : GBA_E_INTERNAL, _key);
}

/* ---- files ---- */

enum gba_err jwt_key_read(TALLOC_CTX *mem_ctx, const char *path, struct jwt_key **_key)
{
	struct jwt_key *key = key_alloc(mem_ctx);
	char pem[PEM_MAX + 1];
	gnutls_datum_t text = { (unsigned char *)pem, 0 };
	enum gba_err err;
	size_t n = 0;

	if (key == NULL || gnutls_privkey_init(&key->private) != 0) {
		talloc_free(key);
		return GBA_E_NOMEM;
	}
	err = private_file_read(path, pem, PEM_MAX, &n, NULL);
	text.size = (unsigned int)n;
	if (err == GBA_OK && gnutls_privkey_import_x509_raw(key->private, &text, GNUTLS_X509_FMT_PEM, NULL, 0) != 0)
		err = GBA_E_SYNTAX;
	SECRET_WIPE(pem);
	return finish(key, err, _key);
}

enum gba_err jwt_key_write(const struct jwt_key *key, const char *path)
{
	gnutls_x509_privkey_t plain;
	gnutls_datum_t pem;
	enum gba_err err;
	int rc;

	if (key->private == NULL || gnutls_privkey_export_x509(key->private, &plain) != 0)
		return GBA_E_INTERNAL;
	rc = gnutls_x509_privkey_export2_pkcs8(plain, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
	gnutls_x509_privkey_deinit(plain);
	if (rc != 0)
		return GBA_E_INTERNAL;
	err = private_file_write(path, BYTES(pem.data, pem.size), false);
	secret_wipe(pem.data, pem.size);
	gnutls_free(pem.data);
	return err;
}

enum gba_err jwt_public_read(TALLOC_CTX *mem_ctx, const char *path, struct jwt_key **_key)
{
	struct jwt_key *key = key_alloc(mem_ctx);
	gnutls_datum_t pem;
	enum gba_err err = GBA_OK;

	if (key == NULL)
		return GBA_E_NOMEM;
	if (gnutls_load_file(path, &pem) != 0)
		return finish(key, GBA_E_NOT_FOUND, _key);
	if (gnutls_pubkey_import(key->public, &pem, GNUTLS_X509_FMT_PEM) != 0)
		err = GBA_E_SYNTAX;
	gnutls_free(pem.data);
	return finish(key, err, _key);
}

enum jwt_alg jwt_key_alg(const struct jwt_key *key)
{
	return key->alg;
}

const char *jwt_key_kid(const struct jwt_key *key)
{
	return key->kid;
}

json_t *jwt_key_jwk(const struct jwt_key *key)
{
	json_t *jwk = json_copy(key->members);

	if (jwk == NULL || json_object_set_new(jwk, "kid", json_string(key->kid)) != 0 ||
	    json_object_set_new(jwk, "alg", json_string(jwt_alg_names[key->alg])) != 0 ||
	    json_object_set_new(jwk, "use", json_string("sig")) != 0) {
		json_decref(jwk);
		return NULL;
	}
	return jwk;
}

/* ---- signing ---- */

/* ECDSA signatures in JWS are r and s side by side (RFC 7518 3.4), in GnuTLS a DER sequence. */
static enum gba_err der_to_raw(const gnutls_datum_t *der, uint8_t raw[2 * COORDINATE])
{
	gnutls_datum_t part[2];
	bool good = true;
	size_t i;

	if (gnutls_decode_rs_value(der, &part[0], &part[1]) != 0)
		return GBA_E_INTERNAL;
	memset(raw, 0, 2 * COORDINATE);
	for (i = 0; i < 2; i++) {
		const uint8_t *p = part[i].data;
		size_t n = part[i].size;

		for (; n > COORDINATE && *p == 0; p++)
			n--;
		good = good && n <= COORDINATE;
		if (good)
			memcpy(raw + (i + 1) * COORDINATE - n, p, n);
		gnutls_free(part[i].data);
	}
	return good ? GBA_OK : GBA_E_INTERNAL;
}

static enum gba_err signature_make(const struct jwt_key *key, struct bytes input, uint8_t out[RSA_MAX], size_t *_n)
{
	const gnutls_datum_t data = { (unsigned char *)(uintptr_t)input.p, (unsigned int)input.n };
	gnutls_datum_t signature;
	enum gba_err err = GBA_OK;

	if (key->private == NULL || gnutls_privkey_sign_data(key->private, GNUTLS_DIG_SHA256, 0, &data, &signature) != 0)
		return GBA_E_INTERNAL;
	*_n = 2 * COORDINATE;
	if (key->alg == JWT_ES256) {
		err = der_to_raw(&signature, out);
	} else {
		*_n = signature.size;
		err = signature.size <= RSA_MAX ? GBA_OK : GBA_E_INTERNAL;
		if (err == GBA_OK)
			memcpy(out, signature.data, signature.size);
	}
	gnutls_free(signature.data);
	return err;
}

enum gba_err jwt_sign(TALLOC_CTX *mem_ctx, const struct jwt_key *key, const json_t *claims, char **_text)
{
	char *payload = json_dumps(claims, JSON_COMPACT | JSON_SORT_KEYS), header[128], *text, *at;
	size_t n = payload != NULL ? strlen(payload) : 0, signature_n;
	uint8_t signature[RSA_MAX];
	enum gba_err err;

	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}", jwt_alg_names[key->alg], key->kid);
	if (payload == NULL || n > JWT_TEXT_MAX / 2) {
		free(payload);
		return payload == NULL ? GBA_E_NOMEM : GBA_E_TOO_LONG;
	}
	text = talloc_array(mem_ctx, char, BASE64URL_LEN(strlen(header)) + BASE64URL_LEN(n) + BASE64URL_LEN(RSA_MAX) + 3);
	if (text == NULL) {
		free(payload);
		return GBA_E_NOMEM;
	}
	base64url_encode(bytes_of(header), text);
	at = text + strlen(text);
	*at++ = '.';
	base64url_encode(BYTES(payload, n), at);
	at += strlen(at);
	free(payload);
	err = signature_make(key, BYTES(text, at - text), signature, &signature_n);
	if (err != GBA_OK) {
		talloc_free(text);
		return err;
	}
	*at++ = '.';
	base64url_encode(BYTES(signature, signature_n), at);
	*_text = text;
	return GBA_OK;
}

/* ---- checking ---- */

static enum gba_err signature_check(const struct jwt_key *key, struct bytes input, struct bytes signature)
{
	const gnutls_datum_t data = { (unsigned char *)(uintptr_t)input.p, (unsigned int)input.n };
	gnutls_datum_t given = { (unsigned char *)(uintptr_t)signature.p, (unsigned int)signature.n }, der = { NULL, 0 };
	gnutls_datum_t r = { given.data, COORDINATE }, s = { given.data + COORDINATE, COORDINATE };
	gnutls_sign_algorithm_t alg = key->alg == JWT_ES256 ? GNUTLS_SIGN_ECDSA_SHA256 : GNUTLS_SIGN_RSA_SHA256;
	int rc;

	if (key->alg == JWT_ES256) {
		if (signature.n != 2 * COORDINATE || gnutls_encode_rs_value(&der, &r, &s) != 0)
			return GBA_E_CORRUPT;
		given = der;
	}
	rc = gnutls_pubkey_verify_data2(key->public, alg, 0, &data, &given);
	gnutls_free(der.data);
	return rc >= 0 ? GBA_OK : GBA_E_CORRUPT;
}

static enum gba_err part_read(TALLOC_CTX *mem_ctx, struct bytes text, json_t **_object)
{
	uint8_t *octets = talloc_size(mem_ctx, text.n + 1);
	enum gba_err err;
	size_t n;

	if (octets == NULL)
		return GBA_E_NOMEM;
	err = base64url_decode(text, octets, text.n, &n);
	if (err == GBA_OK)
		err = json_read(BYTES(octets, n), _object, NULL);
	if (err == GBA_OK && !json_is_object(*_object)) {
		json_decref(*_object);
		err = GBA_E_SYNTAX;
	}
	return err;
}

/* RFC 7515 4.1.11: what is critical and not understood is refused; RFC 8725 3.1: the algorithm is the key's, not the token's. */
static enum gba_err header_check(TALLOC_CTX *mem_ctx, struct bytes text, const struct jwt_key *key)
{
	json_t *header = NULL;
	enum gba_err err = part_read(mem_ctx, text, &header);
	const char *alg;

	if (err != GBA_OK)
		return err;
	alg = json_string_value(json_object_get(header, "alg"));
	if (alg == NULL || strcmp(alg, jwt_alg_names[key->alg]) != 0 || json_object_get(header, "crit") != NULL ||
	    json_object_get(header, "b64") != NULL)
		err = GBA_E_UNSUPPORTED;
	json_decref(header);
	return err;
}

static enum gba_err open_below(TALLOC_CTX *ctx, struct bytes text, const struct jwt_key *key, json_t **_claims)
{
	struct bytes header, rest, payload, signature;
	uint8_t octets[RSA_MAX];
	enum gba_err err;
	size_t n;

	if (!bytes_split(text, '.', &header, &rest) || !bytes_split(rest, '.', &payload, &signature))
		return GBA_E_SYNTAX;
	err = header_check(ctx, header, key);
	if (err == GBA_OK)
		err = base64url_decode(signature, octets, sizeof(octets), &n);
	if (err == GBA_OK)
		err = signature_check(key, BYTES(text.p, header.n + 1 + payload.n), BYTES(octets, n));
	return err == GBA_OK ? part_read(ctx, payload, _claims) : err;
}

enum gba_err jwt_open(struct bytes text, const struct jwt_key *key, json_t **_claims)
{
	TALLOC_CTX *ctx;
	enum gba_err err;

	if (text.n > JWT_TEXT_MAX)
		return GBA_E_TOO_LONG;
	ctx = talloc_new(NULL);
	err = ctx != NULL ? open_below(ctx, text, key, _claims) : GBA_E_NOMEM;
	talloc_free(ctx);
	return err;
}
