/* SPDX-License-Identifier: Apache-2.0 */
/** An operator's own key pair for the change of operator (Y.3056 10.6): Ed25519 (RFC 8032) signs, X25519 (RFC 7748)
 * receives wrapped keys. Both come from one secret of 32 octets in a file of mode 0600; operators exchange the public
 * halves when they make their agreement, and devices hold the signing one as their anchor. */
#ifndef GBA_CRYPTO_OP_KEY_H
#define GBA_CRYPTO_OP_KEY_H

#include <stdbool.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define OP_SIGN_LEN   32 /* [octets] public key for signatures: the first half of the public key */
#define OP_AGREE_LEN  32 /* [octets] public key for wrapping: the second half */
#define OP_PUBLIC_LEN (OP_SIGN_LEN + OP_AGREE_LEN)
#define OP_SIG_LEN    64
#define OP_KEY_ID_LEN 8		  /* first octets of SHA-256 of the signing key */
#define OP_WRAP_OVERHEAD (32 + 16) /* [octets] ephemeral key before, tag after */
#define OP_SHARED_LEN 32	  /* [octets] key two operators share, for op_shared_wrap */

struct op_key;

/** Errors as sign_key_open(), same file: it may be an existing one. Usable from any thread. */
enum gba_err op_key_open(TALLOC_CTX *mem_ctx, const char *path, bool create, struct op_key **_key);
void op_key_public(const struct op_key *key, uint8_t out[OP_PUBLIC_LEN]);
void op_key_id(const uint8_t public[OP_SIGN_LEN], uint8_t out[OP_KEY_ID_LEN]);

/** @retval GBA_E_NOMEM */
enum gba_err op_sign(const struct op_key *key, struct bytes text, uint8_t sig[OP_SIG_LEN]);
/** @retval GBA_E_SIGNATURE */
enum gba_err op_verify(const uint8_t public[OP_SIGN_LEN], struct bytes text, const uint8_t sig[OP_SIG_LEN]);

/** Wrap for the holder of a public key. With z = X25519(e, agree), E the ephemeral public key:
 * key || nonce = HKDF-SHA-256(salt E || agree, ikm z, info about), 44 octets; out = E || AES-256-GCM(plain, aad about).
 * out gets plain.n + OP_WRAP_OVERHEAD octets.
 * @param about  what the wrapped octets are for: bound to them  @retval GBA_E_RANGE  no point of the curve */
enum gba_err op_wrap(const uint8_t agree[OP_AGREE_LEN], struct bytes about, struct bytes plain, uint8_t *out);
/** out gets wrapped.n - OP_WRAP_OVERHEAD octets. @retval GBA_E_CORRUPT  for somebody or something else, or altered */
enum gba_err op_unwrap(const struct op_key *key, struct bytes about, struct bytes wrapped, uint8_t *out);

/** The other procedure operators may agree on (Y.3056 10.6.1 note): AES key wrap (RFC 3394) under a key derived from
 * the one they share and `about`. plain.n is a multiple of 8, at least 16; out gets 8 octets more. */
enum gba_err op_shared_wrap(const uint8_t shared[OP_SHARED_LEN], struct bytes about, struct bytes plain, uint8_t *out);
/** @retval GBA_E_CORRUPT */
enum gba_err op_shared_unwrap(const uint8_t shared[OP_SHARED_LEN], struct bytes about, struct bytes wrapped, uint8_t *out);

#endif
