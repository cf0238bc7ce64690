/* SPDX-License-Identifier: Apache-2.0 */
/** The suite's SQL (db.h says which) as PostgreSQL understands it. */
#ifndef GBA_STORE_DB_DIALECT_H
#define GBA_STORE_DB_DIALECT_H

#include <stdbool.h>
#include <talloc.h>

/** Parameters ?N become $N, a bare ? the next number. With schema, the words of a migration change too:
 * INTEGER PRIMARY KEY AUTOINCREMENT (the store makes the id), INTEGER, BLOB, TEXT (compared octet by octet), STRICT.
 * What stands in quotes or in a comment is left alone. NULL: out of memory. */
char *db_dialect_pg(TALLOC_CTX *mem_ctx, const char *sql, bool schema);
/** Does the statement change anything? */
bool db_dialect_writes(const char *sql);
/** Is it an INSERT? */
bool db_dialect_inserts(const char *sql);

#endif
