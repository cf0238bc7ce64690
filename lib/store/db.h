/* SPDX-License-Identifier: Apache-2.0 */
/** The store of records: SQLite or PostgreSQL below, nothing outside knows. A committed write survives loss of power. One
 * handle per thread, or one with the caller's lock.
 *
 * SQL is what both understand, written for SQLite:
 * - parameters ?1, ?2 ... ; values are integers (64 bits), texts (UTF-8, no NUL octet) and blobs, compared octet by octet
 * - in migrations the types INTEGER, TEXT, BLOB; tables end in STRICT; an id the store makes is INTEGER PRIMARY KEY
 *   AUTOINCREMENT, comes back by RETURNING and is never given; INTEGER PRIMARY KEY alone is always given
 * - INSERT ... ON CONFLICT (...) DO NOTHING | DO UPDATE SET x = excluded.x, RETURNING, coalesce(), partial indices,
 *   REFERENCES; no OR IGNORE, OR REPLACE, PRAGMA, rowid, max(a, b), ifnull(), GLOB, NOCASE, x'00', no "quoted" text
 * - a truth is an integer: WHERE flag <> 0; a parameter's type must be plain from where it stands (?1 = x, not ?1 IS NULL)
 * - NULLs sort differently: order by columns that have none; LIKE with lower() on both sides
 * - in a transaction only a failed INSERT may be survived; after any other failure roll back */
#ifndef GBA_STORE_DB_H
#define GBA_STORE_DB_H

#include <stdbool.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

struct db;
struct db_stmt;

/** One step of a schema; index + 1 is the version it leads to. */
struct db_migration {
	const char *sql;
};

/** Open, create (0600) and migrate, all in one transaction. What a newer version wrote is refused, and a server that would
 * acknowledge what it can lose.
 * @param path    a file, or postgresql://..., or postgres: followed by libpq's keywords (postgres:service=gba)
 * @param _error  on failure: text for the operator, below mem_ctx, without the password
 * @retval GBA_E_UNSUPPORTED  written by a newer version; or built without PostgreSQL
 * @retval GBA_E_CONF         connection string; the server's fsync or synchronous_commit
 * @retval GBA_E_NOT_FOUND, GBA_E_DENIED, GBA_E_CORRUPT, GBA_E_NOSPACE, GBA_E_IO, GBA_E_BUSY, GBA_E_UNREACHABLE */
enum gba_err db_open(TALLOC_CTX *mem_ctx, const char *path, const struct db_migration *steps, size_t count, struct db **_db,
		     const char **_error);
/** Does the text name a server, not a file? Show it with mask_password(). */
bool db_is_server(const char *database);
/** Prepared once, reused; belongs to db. On a server it outlives connections. */
enum gba_err db_prepare(struct db *db, const char *sql, struct db_stmt **_stmt);

void db_bind_int(struct db_stmt *stmt, int index, int64_t value);	 /* index from 1 */
void db_bind_text(struct db_stmt *stmt, int index, struct bytes value); /* absent: NULL */
void db_bind_blob(struct db_stmt *stmt, int index, struct bytes value);
/** Step a query; a bind that failed (out of memory) is reported here and by db_run.
 * @param _row  true: a row stands, read it with db_col_*; false: done, statement reset */
enum gba_err db_step(struct db_stmt *stmt, bool *_row);
/** Run a statement that gives no row; reset after. @param _changed  rows changed; may be NULL
 * @retval GBA_E_EXISTS  a unique constraint  @retval GBA_E_NOSPACE, GBA_E_IO, GBA_E_BUSY
 * @retval GBA_E_UNREACHABLE, GBA_E_TIMEOUT  the server; the next call tries to connect again, with a back-off */
enum gba_err db_run(struct db_stmt *stmt, int *_changed);
void db_reset(struct db_stmt *stmt);
/** Run a bound query and read its rows into one array: all of them, or none and why.
 * @param size   [octets] of an element; it is zeroed
 * @param limit  room; rows beyond are not looked at
 * @param read   one row; what it allocates hangs below rows, which is the array
 * @param _rows  the array, below mem_ctx; NULL on failure */
typedef enum gba_err (*db_row_reader)(TALLOC_CTX *rows, struct db_stmt *stmt, void *_row);
enum gba_err db_page(TALLOC_CTX *mem_ctx, struct db_stmt *stmt, size_t size, size_t limit, db_row_reader read, void **_rows,
		     size_t *_n);
int64_t db_col_int(struct db_stmt *stmt, int column);		/* column from 0 */
struct bytes db_col_text(struct db_stmt *stmt, int column);	/* view until the next step; NULL: absent */
struct bytes db_col_blob(struct db_stmt *stmt, int column);

/** One writer at a time for the whole database: what is read from here to the commit does not change.
 * @retval GBA_E_BUSY  another writer takes longer than 2 s, or db_patience()  @retval GBA_E_UNREACHABLE, GBA_E_TIMEOUT */
enum gba_err db_begin(struct db *db);
/** A writer beside that one, for rows that it does not write (or writes after db_begin_both): for who has to be served while a
 * long transaction goes on. One of these at a time, too. On SQLite there is no such thing: as db_begin. */
enum gba_err db_begin_beside(struct db *db);
/** A writer that excludes both. */
enum gba_err db_begin_both(struct db *db);
/** Durable on GBA_OK; else rolled back, also when the connection was lost meanwhile.
 * @retval GBA_E_UNCERTAIN  the connection was lost at the commit, and the server could not be asked what became of it */
enum gba_err db_commit(struct db *db);
/** The same for changes nobody keeps a copy of, as leases: others' db_data_version may stay, and when the connection is lost
 * nobody waits for the outcome: GBA_E_UNCERTAIN at once. */
enum gba_err db_commit_quiet(struct db *db);
void db_rollback(struct db *db);
/** Within a transaction: what follows, up to keep or undo, is a part of it that can be undone alone. One at a time. When undo
 * fails the transaction cannot go on: roll back. */
enum gba_err db_part_begin(struct db *db);
enum gba_err db_part_keep(struct db *db);
enum gba_err db_part_undo(struct db *db);
/** Changes when another connection has committed; -1 while nothing is known. On a server this asks it. */
int64_t db_data_version(struct db *db);
/** Be the one program that serves from this database: no other handle can claim it until this one is freed or its program has
 * ended, however that came. Who does not claim has it open as before. On a server a claim ends with its connection: ask again
 * now and then, which takes it anew.
 * @retval GBA_E_BUSY  another one has it  @retval GBA_E_UNREACHABLE, GBA_E_TIMEOUT  not known */
enum gba_err db_claim(struct db *db);
/** Very many rows are going to be written through this handle, in transactions of some thousand, until it is said to be over: what
 * costs memory and room on disk (some hundred MiB) to make that faster. Nothing of what is promised changes. */
void db_bulk(struct db *db, bool on);
/** Read the upper pages of all tables and indices into the system's cache, so that a look-up after a start waits for the disk for
 * two pages at most: the one of the index that has the entry, and the one that has the row. They are about one page in two hundred.
 * On a server nothing is done: its cache is its own.
 * @param limit  [octets] read, at most  @param stop  true: leave off; NULL: never  @param _octets  read */
enum gba_err db_warm(struct db *db, uint64_t limit, const _Atomic bool *stop, uint64_t *_octets);
/** [ms] Give up a server that has not answered for this long (30 s at first), and wait less for another writer. */
void db_patience(struct db *db, unsigned int ms);
/** [ms] Wait so long for another writer, but for a server's answers as long as before. 0: again as db_patience() has it. */
void db_lock_patience(struct db *db, unsigned int ms);
/** What the last failure was, for the operator; valid until the next call. No values, no password. */
const char *db_error(struct db *db);

#endif
