/* SPDX-License-Identifier: Apache-2.0 */
/** One-shot hashes over pieces, on libgcrypt. Thread-safe, no state. */
#ifndef GBA_CRYPTO_HASH_H
#define GBA_CRYPTO_HASH_H

#include "core/bytes.h"
#include "core/err.h"

enum hash_alg { HASH_MD5, HASH_SHA1, HASH_SHA256 };
#define HASH_MAX 32 /* [octets] */

/** [octets] 16, 20 or 32. */
size_t hash_len(enum hash_alg alg);
/** Hash of the pieces one after the other into out (hash_len octets). Cannot fail for these algorithms. */
void hash_pieces(enum hash_alg alg, const struct bytes *pieces, size_t count, uint8_t *out);
/** HMAC (RFC 2104) of the pieces under key. */
void hmac_pieces(enum hash_alg alg, struct bytes key, const struct bytes *pieces, size_t count, uint8_t *out);

#endif
