/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/jws.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/codec.h"
#include "crypto/hash.h"
#include "http/json.h"

void jws_kid(const uint8_t public[SIGN_PUBLIC_LEN], char out[JWS_KID_LEN + 1])
{
	char x[BASE64URL_LEN(SIGN_PUBLIC_LEN) + 1], members[128];
	uint8_t digest[HASH_MAX];
	struct bytes input;

	base64url_encode(BYTES(public, SIGN_PUBLIC_LEN), x);
	snprintf(members, sizeof(members), "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", x); /* RFC 7638 3: sorted */
	input = bytes_of(members);
	hash_pieces(HASH_SHA256, &input, 1, digest);
	base64url_encode(BYTES(digest, sizeof(digest)), out);
}

json_t *jws_jwk(const uint8_t public[SIGN_PUBLIC_LEN])
{
	char x[BASE64URL_LEN(SIGN_PUBLIC_LEN) + 1], kid[JWS_KID_LEN + 1];

	base64url_encode(BYTES(public, SIGN_PUBLIC_LEN), x);
	jws_kid(public, kid);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "OKP", "crv", "Ed25519", "x", x, "kid", kid, "alg", "EdDSA",
			 "use", "sig");
}

enum gba_err jws_sign(TALLOC_CTX *mem_ctx, const struct sign_key *key, const char *typ, struct bytes payload, char **_text)
{
	char header[256], kid[JWS_KID_LEN + 1], *text, *at;
	uint8_t signature[SIGN_LEN];
	enum gba_err err;
	int n;

	jws_kid(sign_key_public(key), kid);
	n = snprintf(header, sizeof(header), "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"%s\"}", kid, typ);
	if (n < 0 || (size_t)n >= sizeof(header) || BASE64URL_LEN(payload.n) > JWS_TEXT_MAX - JWS_HEADER_MAX)
		return GBA_E_TOO_LONG;
	text = talloc_array(mem_ctx, char, BASE64URL_LEN(n) + BASE64URL_LEN(payload.n) + BASE64URL_LEN(SIGN_LEN) + 3);
	if (text == NULL)
		return GBA_E_NOMEM;
	base64url_encode(BYTES(header, n), text);
	at = text + BASE64URL_LEN(n);
	*at++ = '.';
	base64url_encode(payload, at);
	at += BASE64URL_LEN(payload.n);
	err = sign(key, BYTES(text, at - text), signature);
	if (err != GBA_OK) {
		talloc_free(text);
		return err;
	}
	*at++ = '.';
	base64url_encode(BYTES(signature, SIGN_LEN), at);
	*_text = text;
	return GBA_OK;
}

enum gba_err jws_sign_json(TALLOC_CTX *mem_ctx, const struct sign_key *key, const char *typ, const json_t *payload, char **_text)
{
	char *text = json_dumps(payload, JSON_COMPACT | JSON_SORT_KEYS);
	enum gba_err err = text != NULL ? jws_sign(mem_ctx, key, typ, bytes_of(text), _text) : GBA_E_NOMEM;

	free(text);
	return err;
}

/* A member that is a string or is not there. */
static bool text_member(TALLOC_CTX *mem_ctx, const json_t *header, const char *name, const char **_text)
{
	const json_t *member = json_object_get(header, name);

	*_text = NULL;
	if (member == NULL)
		return true;
	if (!json_is_string(member))
		return false;
	*_text = talloc_strdup(mem_ctx, json_string_value(member));
	return *_text != NULL;
}

static enum gba_err read_header(TALLOC_CTX *mem_ctx, struct bytes text, struct jws *jws)
{
	uint8_t octets[JWS_HEADER_MAX];
	json_t *header;
	enum gba_err err;
	size_t n;

	err = base64url_decode(text, octets, sizeof(octets), &n);
	if (err == GBA_OK)
		err = json_read(BYTES(octets, n), &header, NULL);
	if (err != GBA_OK)
		return err;
	if (!json_is_object(header) || !json_is_string(json_object_get(header, "alg")) ||
	    !text_member(mem_ctx, header, "typ", &jws->typ) || !text_member(mem_ctx, header, "kid", &jws->kid))
		err = GBA_E_SYNTAX;
	else if (strcmp(json_string_value(json_object_get(header, "alg")), "EdDSA") != 0 ||
		 json_object_get(header, "crit") != NULL || json_object_get(header, "b64") != NULL)
		err = GBA_E_UNSUPPORTED; /* RFC 7515 4.1.11: what is critical and not understood is refused */
	json_decref(header);
	return err;
}

enum gba_err jws_read(TALLOC_CTX *mem_ctx, struct bytes text, struct jws *_jws)
{
	struct bytes header, rest, payload, signature;
	struct jws jws = { 0 };
	uint8_t *octets;
	enum gba_err err;
	size_t n;

	if (text.n > JWS_TEXT_MAX)
		return GBA_E_TOO_LONG;
	if (!bytes_split(text, '.', &header, &rest) || !bytes_split(rest, '.', &payload, &signature))
		return GBA_E_SYNTAX;
	jws.input = BYTES(text.p, header.n + 1 + payload.n);
	if (header.n > JWS_HEADER_MAX || base64url_decode(signature, jws.signature, SIGN_LEN, &n) != GBA_OK || n != SIGN_LEN)
		return GBA_E_SYNTAX;
	err = read_header(mem_ctx, header, &jws);
	if (err != GBA_OK)
		return err;
	octets = talloc_array(mem_ctx, uint8_t, payload.n + 1);
	if (octets == NULL)
		return GBA_E_NOMEM;
	err = base64url_decode(payload, octets, payload.n, &n);
	if (err != GBA_OK)
		return err;
	jws.payload = BYTES(octets, n);
	*_jws = jws;
	return GBA_OK;
}

enum gba_err jws_verify(const struct jws *jws, const uint8_t public[SIGN_PUBLIC_LEN], const char *typ)
{
	if (typ != NULL && (jws->typ == NULL || strcmp(jws->typ, typ) != 0))
		return GBA_E_CORRUPT;
	return sign_verify(public, jws->input, jws->signature);
}

enum gba_err jws_open_json(struct bytes text, const uint8_t public[SIGN_PUBLIC_LEN], const char *typ, json_t **_payload)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct jws jws;
	enum gba_err err;

	err = ctx != NULL ? jws_read(ctx, text, &jws) : GBA_E_NOMEM;
	if (err == GBA_OK)
		err = jws_verify(&jws, public, typ);
	if (err == GBA_OK)
		err = json_read(jws.payload, _payload, NULL);
	talloc_free(ctx);
	return err;
}
