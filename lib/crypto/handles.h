/* SPDX-License-Identifier: Apache-2.0 */
/** libgcrypt handles, one per thread and kind, for lib/crypto only: opening one costs more than the work done with it.
 * They are in locked memory while there is some, closed when the thread ends; a handle is used and left re-keyed or
 * reset within one call, so no key outlives the function it was given to. */
#ifndef GBA_CRYPTO_HANDLES_H
#define GBA_CRYPTO_HANDLES_H

#include <gcrypt.h>
#include <stdbool.h>

#include "crypto/hash.h"

/** This thread's handle, empty; ends the process when there is no memory for its first one (the callers cannot fail,
 * and nothing safe could go on without a hash). */
gcry_md_hd_t handle_md(enum hash_alg alg, bool hmac);
/** This thread's AES-128 ECB handle under this key; handle_aes128_done() takes the key away again. */
gcry_cipher_hd_t handle_aes128(const uint8_t key[16]);
/** Encrypt count blocks of 16 octets in place. A library that refuses ends the process: its input must not get out. */
void handle_aes128_encrypt(gcry_cipher_hd_t aes, uint8_t *blocks, size_t count);
void handle_aes128_done(gcry_cipher_hd_t aes);

#endif
