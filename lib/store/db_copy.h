/* SPDX-License-Identifier: Apache-2.0 */
/** Whole databases of SQLite: a copy made while others write, and one put in place while nobody has it open. A server has
 * tools of its own (pg_dump). */
#ifndef GBA_STORE_DB_COPY_H
#define GBA_STORE_DB_COPY_H

#include <talloc.h>

#include "core/err.h"

/** Copy as of now into a new file (0600), durable on GBA_OK. @param _error  text for the operator below mem_ctx, on failure
 * @retval GBA_E_EXISTS  `to` is there  @retval GBA_E_NOT_FOUND, GBA_E_NOSPACE, GBA_E_CORRUPT, GBA_E_IO */
enum gba_err db_copy(TALLOC_CTX *mem_ctx, const char *path, const char *to, const char **_error);
/** Is the file whole? Reads all of it. @retval GBA_E_CORRUPT */
enum gba_err db_copy_check(TALLOC_CTX *mem_ctx, const char *path, const char **_error);
/** Give the name of a database (which may be missing) to another file in the same folder, which nobody has open.
 * @retval GBA_E_BUSY  somebody has the database open */
enum gba_err db_copy_place(TALLOC_CTX *mem_ctx, const char *from, const char *path, const char **_error);

#endif
