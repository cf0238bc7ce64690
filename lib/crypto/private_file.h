/* SPDX-License-Identifier: Apache-2.0 */
/** Small files that only we may read and write: key files, PINs. For lib/crypto. */
#ifndef GBA_CRYPTO_PRIVATE_FILE_H
#define GBA_CRYPTO_PRIVATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "core/bytes.h"
#include "core/err.h"

/** Up to cap octets; out holds cap + 1 and gets a NUL. The caller wipes it.
 * @param _stamp  of the file read; may be NULL
 * @retval GBA_E_DENIED  not a plain file of ours (euid), or open to group or others
 * @retval GBA_E_TOO_LONG, GBA_E_NOT_FOUND, GBA_E_IO */
enum gba_err private_file_read(const char *path, char *out, size_t cap, size_t *_n, struct stat *_stamp);
/** Written whole under another name (0600), synced, then given the name, its folder synced: nobody ever reads half of it.
 * @param replace  false: a file that has the name stays, and that is no error */
enum gba_err private_file_write(const char *path, struct bytes text, bool replace);

#endif
