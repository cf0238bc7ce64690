/* SPDX-License-Identifier: Apache-2.0 */
/** A key on a PKCS#11 token, for key_file.c alone: enciphers and deciphers one secret; the token's key never leaves it. */
#ifndef GBA_CRYPTO_KEY_TOKEN_H
#define GBA_CRYPTO_KEY_TOKEN_H

#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define KEY_TOKEN_OVERHEAD (12 + 16) /* [octets] nonce before, tag after: AES-GCM on the token */

/** @param uri  RFC 7512; names an AES key. Its pin-source is a file (0600, ours) with the PIN; none: no login
 * @param out  plain.n + KEY_TOKEN_OVERHEAD octets
 * @param _why  text for the operator, static or below mem_ctx, on failure
 * @retval GBA_E_SYNTAX (URI), GBA_E_UNREACHABLE (no such token or object), GBA_E_DENIED (PIN), GBA_E_UNSUPPORTED */
enum gba_err key_token_encipher(TALLOC_CTX *mem_ctx, const char *uri, struct bytes plain, uint8_t *out, const char **_why);
/** out: sealed.n - KEY_TOKEN_OVERHEAD octets. @retval GBA_E_CORRUPT  altered, or another key */
enum gba_err key_token_decipher(TALLOC_CTX *mem_ctx, const char *uri, struct bytes sealed, uint8_t *out, const char **_why);

#endif
