/* SPDX-License-Identifier: Apache-2.0 */
/** AES-256-GCM in one call, for messages; what is stored goes through seal.h. Thread-safe, no state. */
#ifndef GBA_CRYPTO_GCM_H
#define GBA_CRYPTO_GCM_H

#include "core/bytes.h"
#include "core/err.h"

#define GCM_KEY_LEN   32 /* [octets] */
#define GCM_NONCE_LEN 12
#define GCM_TAG_LEN   16

/** out gets ciphertext || tag: plain.n + GCM_TAG_LEN octets. A nonce serves one message of a key.
 * @param about  authenticated, not encrypted  @retval GBA_E_NOMEM, GBA_E_INTERNAL */
enum gba_err gcm_encrypt(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN], struct bytes about,
			 struct bytes plain, uint8_t *out);
/** out gets in.n - GCM_TAG_LEN octets; wiped when the tag is wrong. @retval GBA_E_CORRUPT, GBA_E_NOMEM */
enum gba_err gcm_decrypt(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN], struct bytes about,
			 struct bytes in, uint8_t *out);

#endif
