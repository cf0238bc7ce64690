/* SPDX-License-Identifier: Apache-2.0 */
/** What GCM and CCM have in common once a cipher stands with key, nonce and what is only authenticated. Within lib/crypto. */
#ifndef GBA_CRYPTO_AEAD_H
#define GBA_CRYPTO_AEAD_H

#include <gcrypt.h>

#include "core/bytes.h"
#include "core/err.h"

/** Closes the cipher. @param out  plain.n + tag octets; wiped on failure @retval GBA_E_INTERNAL */
enum gba_err aead_encrypt(gcry_cipher_hd_t cipher, struct bytes plain, size_t tag, uint8_t *out);
/** Closes the cipher. @param in  at least tag octets @param out  in.n - tag octets; wiped on failure
 * @retval GBA_E_CORRUPT  the tag does not fit */
enum gba_err aead_decrypt(gcry_cipher_hd_t cipher, struct bytes in, size_t tag, uint8_t *out);

#endif
