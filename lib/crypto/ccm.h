/* SPDX-License-Identifier: Apache-2.0 */
/** AES-CCM-16-64-128 (RFC 9053 4.2; SP 800-38C) in one call, HKDF-SHA-256 (RFC 5869) and the CRC-32 of ISO 3309: what
 * short messages of constrained devices need. Thread-safe, no state. */
#ifndef GBA_CRYPTO_CCM_H
#define GBA_CRYPTO_CCM_H

#include "core/bytes.h"
#include "core/err.h"

#define CCM_KEY_LEN   16 /* [octets] */
#define CCM_NONCE_LEN 13
#define CCM_TAG_LEN   8
#define CCM_PLAIN_MAX 65535 /* a length field of two octets */

/** out gets ciphertext || tag: plain.n + CCM_TAG_LEN octets. A nonce serves one message of a key.
 * @param about  authenticated, not encrypted  @retval GBA_E_TOO_LONG, GBA_E_NOMEM, GBA_E_INTERNAL */
enum gba_err ccm_encrypt(const uint8_t key[CCM_KEY_LEN], const uint8_t nonce[CCM_NONCE_LEN], struct bytes about,
			 struct bytes plain, uint8_t *out);
/** out gets in.n - CCM_TAG_LEN octets; wiped when the tag is wrong. @retval GBA_E_CORRUPT, GBA_E_NOMEM */
enum gba_err ccm_decrypt(const uint8_t key[CCM_KEY_LEN], const uint8_t nonce[CCM_NONCE_LEN], struct bytes about,
			 struct bytes in, uint8_t *out);

#define HKDF_MAX 255 /* [octets] asked for at once; RFC 5869 would allow 8160 */
/** @param salt  n == 0: none  @param n  1 .. HKDF_MAX octets, in out */
void hkdf_sha256(struct bytes salt, struct bytes secret, struct bytes info, uint8_t *out, size_t n);

/** Finds what a bad link did, and nothing that somebody did. */
uint32_t crc32_of(struct bytes octets);

#endif
