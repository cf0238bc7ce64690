/* SPDX-License-Identifier: Apache-2.0 */
/** A file that holds one secret of 32 octets as hex, 0600: a key-encryption key, the seed of a signing key. For lib/crypto. */
#ifndef GBA_CRYPTO_KEY_FILE_H
#define GBA_CRYPTO_KEY_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

#define KEY_FILE_LEN 32 /* [octets] */

/** Read the key, making the file first when it is missing and create. Errors as kek_open(). Two processes that both
 * make the file end up with the same key. */
enum gba_err key_file_read(const char *path, bool create, uint8_t key[KEY_FILE_LEN]);

#endif
