/* SPDX-License-Identifier: Apache-2.0 */
/** The file of a key-encryption key, for seal.c only. */
#ifndef GBA_CRYPTO_KEK_FILE_H
#define GBA_CRYPTO_KEK_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

#define KEK_LEN 32 /* [octets] */

/** Read the key, making the file first when it is missing and create. Errors as kek_open(). Two processes that both
 * make the file end up with the same key. */
enum gba_err kek_file_read(const char *path, bool create, uint8_t key[KEK_LEN]);

#endif
