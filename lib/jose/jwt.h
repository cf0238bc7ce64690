/* SPDX-License-Identifier: Apache-2.0 */
/** JSON Web Tokens (RFC 7519) signed with RS256 or ES256 (RFC 7518 3.3, 3.4): what everyday OpenID Connect relying parties check.
 * A key has one algorithm, and a token of another one, "none" least of all, is never its. For EdDSA see jose/jws.h. */
#ifndef GBA_JOSE_JWT_H
#define GBA_JOSE_JWT_H

#include <jansson.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define JWT_TEXT_MAX 16384 /* [octets] of a compact token */

enum jwt_alg { JWT_RS256, JWT_ES256 };
extern const char *const jwt_alg_names[]; /* by value, NULL-terminated */

/** A signing key, or the public half of somebody's. Usable from any thread. Its secret is in GnuTLS's memory, wiped when freed. */
struct jwt_key;

/** RSA of 2048 bits, or P-256. @retval GBA_E_NOMEM, GBA_E_INTERNAL */
enum gba_err jwt_key_new(TALLOC_CTX *mem_ctx, enum jwt_alg alg, struct jwt_key **_key);
/** A private key from its PEM file (0600, ours), or into one that must not be there yet.
 * @retval GBA_E_DENIED, GBA_E_NOT_FOUND, GBA_E_IO  of the file @retval GBA_E_SYNTAX  no key of these two kinds */
enum gba_err jwt_key_read(TALLOC_CTX *mem_ctx, const char *path, struct jwt_key **_key);
enum gba_err jwt_key_write(const struct jwt_key *key, const char *path);
/** A public key ("BEGIN PUBLIC KEY"). @retval as jwt_key_read() */
enum gba_err jwt_public_read(TALLOC_CTX *mem_ctx, const char *path, struct jwt_key **_key);

enum jwt_alg jwt_key_alg(const struct jwt_key *key);
/** Thumbprint of the public key (RFC 7638): 43 characters; valid as long as key. */
const char *jwt_key_kid(const struct jwt_key *key);
/** The public key as a JWK (RFC 7517) with kid, alg and use; a new reference. NULL: out of memory. */
json_t *jwt_key_jwk(const struct jwt_key *key);

/** Sign claims. @param _text  compact form below mem_ctx @retval GBA_E_TOO_LONG, GBA_E_NOMEM, GBA_E_INTERNAL */
enum gba_err jwt_sign(TALLOC_CTX *mem_ctx, const struct jwt_key *key, const json_t *claims, char **_text);
/** Check a token, strictly: three parts, one JSON object each, the key's own algorithm, no crit; then its signature. What the
 * claims say is for the caller to judge. @param _claims  to be json_decref()ed; on GBA_OK only
 * @retval GBA_E_SYNTAX, GBA_E_TOO_LONG, GBA_E_UNSUPPORTED (algorithm, crit), GBA_E_CORRUPT (signature), GBA_E_NOMEM */
enum gba_err jwt_open(struct bytes text, const struct jwt_key *key, json_t **_claims);

#endif
