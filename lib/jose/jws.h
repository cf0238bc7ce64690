/* SPDX-License-Identifier: Apache-2.0 */
/** JSON Web Signatures in compact form (RFC 7515) with EdDSA over Ed25519 (RFC 8037): what a third party can check
 * years later with nothing but the public key. One algorithm, and no other is ever accepted, "none" least of all. */
#ifndef GBA_JOSE_JWS_H
#define GBA_JOSE_JWS_H

#include <jansson.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"
#include "crypto/sign.h"

#define JWS_TEXT_MAX   (1U << 20) /* [octets] of a compact JWS */
#define JWS_HEADER_MAX 1024	  /* [octets] of its header, encoded */

/** A JWS taken apart; texts below the mem_ctx of jws_read(). */
struct jws {
	const char *typ, *kid; /* of the header; NULL: not there */
	struct bytes payload;  /* decoded; any octets */
	struct bytes input;    /* "header.payload" as it came: what is signed; a view of the text */
	uint8_t signature[SIGN_LEN];
};

/** Thumbprint of the public key (RFC 7638, RFC 8037 appendix A.3), the "kid" of what its key signs: 43 characters and
 * NUL. */
#define JWS_KID_LEN 43
void jws_kid(const uint8_t public[SIGN_PUBLIC_LEN], char out[JWS_KID_LEN + 1]);
/** The public key as a JWK (RFC 8037 2) with kid, alg and use; a new reference. NULL: out of memory. */
json_t *jws_jwk(const uint8_t public[SIGN_PUBLIC_LEN]);

/** Sign. @param typ  what kind of statement it is, so that none is taken for another ("registry-answer+jws")
 * @param _text  compact JWS below mem_ctx @retval GBA_E_TOO_LONG, GBA_E_NOMEM */
enum gba_err jws_sign(TALLOC_CTX *mem_ctx, const struct sign_key *key, const char *typ, struct bytes payload, char **_text);
/** The same over a JSON object, in compact form with its members sorted. */
enum gba_err jws_sign_json(TALLOC_CTX *mem_ctx, const struct sign_key *key, const char *typ, const json_t *payload, char **_text);
/** Take apart, strictly: three parts, base64url without padding or spare bits, a header that is one JSON object with alg EdDSA and
 * without crit, b64 or members twice. Nothing of it may be believed before jws_verify().
 * @retval GBA_E_SYNTAX  not that  @retval GBA_E_UNSUPPORTED  another algorithm or an extension
 * @retval GBA_E_TOO_LONG, GBA_E_NOMEM */
enum gba_err jws_read(TALLOC_CTX *mem_ctx, struct bytes text, struct jws *_jws);
/** Is it signed with this key, and the kind of statement that is wanted? @param typ  NULL: any
 * @retval GBA_E_CORRUPT  another key, altered, or another typ */
enum gba_err jws_verify(const struct jws *jws, const uint8_t public[SIGN_PUBLIC_LEN], const char *typ);
/** Both, and the payload as JSON. @param _payload  to be json_decref()ed; on GBA_OK only */
enum gba_err jws_open_json(struct bytes text, const uint8_t public[SIGN_PUBLIC_LEN], const char *typ, json_t **_payload);

#endif
