/* SPDX-License-Identifier: Apache-2.0 */
/** Signatures: Ed25519 (RFC 8032) with the secret in a file of its own. */
#ifndef GBA_CRYPTO_SIGN_H
#define GBA_CRYPTO_SIGN_H

#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define SIGN_PUBLIC_LEN 32 /* [octets] */
#define SIGN_LEN	64 /* [octets] of a signature */

/** A signing key, its secret in locked memory. Usable from any thread. */
struct sign_key;

/** Read the key file (64 hex digits, 0600, ours); when there is none and create, make it.
 * @retval GBA_E_NOT_FOUND, GBA_E_DENIED, GBA_E_SYNTAX  as kek_open() */
enum gba_err sign_key_open(TALLOC_CTX *mem_ctx, const char *path, bool create, struct sign_key **_key);
/** The public key, valid as long as key. */
const uint8_t *sign_key_public(const struct sign_key *key);
/** @retval GBA_E_NOMEM */
enum gba_err sign(const struct sign_key *key, struct bytes message, uint8_t out[SIGN_LEN]);
/** @retval GBA_E_CORRUPT  not signed with the key of this public one, or altered */
enum gba_err sign_verify(const uint8_t public[SIGN_PUBLIC_LEN], struct bytes message, const uint8_t signature[SIGN_LEN]);

#endif
