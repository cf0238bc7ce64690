/* SPDX-License-Identifier: Apache-2.0 */
/** What an implementation of the store gives to db.c. Each function is what db.h says of its namesake. */
#ifndef GBA_STORE_DB_PRIV_H
#define GBA_STORE_DB_PRIV_H

#include "store/db.h"

/** Steps of a part of a transaction: what a server is told for each. */
enum db_part { DB_PART_BEGIN, DB_PART_KEEP, DB_PART_UNDO, DB_PART_STEPS };
extern const char *const db_part_sql[DB_PART_STEPS];
enum db_writer { DB_WRITER, DB_BESIDE, DB_BOTH };

struct db_ops {
	enum gba_err (*prepare)(struct db *db, const char *sql, struct db_stmt **_stmt);
	void (*bind_int)(struct db_stmt *stmt, int index, int64_t value);
	void (*bind_text)(struct db_stmt *stmt, int index, struct bytes value);
	void (*bind_blob)(struct db_stmt *stmt, int index, struct bytes value);
	enum gba_err (*step)(struct db_stmt *stmt, bool *_row);
	enum gba_err (*run)(struct db_stmt *stmt, int *_changed);
	void (*reset)(struct db_stmt *stmt);
	int64_t (*col_int)(struct db_stmt *stmt, int column);
	struct bytes (*col_text)(struct db_stmt *stmt, int column);
	struct bytes (*col_blob)(struct db_stmt *stmt, int column);
	enum gba_err (*begin)(struct db *db, enum db_writer writer);
	enum gba_err (*commit)(struct db *db, bool quiet);
	void (*rollback)(struct db *db);
	enum gba_err (*part)(struct db *db, enum db_part step);
	int64_t (*data_version)(struct db *db);
	enum gba_err (*claim)(struct db *db);
	void (*bulk)(struct db *db, bool on); /* NULL: nothing to gain */
	void (*patience)(struct db *db, unsigned int ms);
	void (*lock_patience)(struct db *db, unsigned int ms);
	const char *(*error)(struct db *db);
	enum gba_err (*warm)(struct db *db, uint64_t limit, const _Atomic bool *stop, uint64_t *_octets); /* NULL: nothing to do */
};

/** First member of every implementation's own. */
struct db {
	const struct db_ops *ops;
};
struct db_stmt {
	const struct db_ops *ops;
};

enum gba_err db_sqlite_open(TALLOC_CTX *mem_ctx, const char *path, const struct db_migration *steps, size_t count,
			    struct db **_db, const char **_error);
struct sqlite3;
enum gba_err db_sqlite_warm(struct sqlite3 *handle, uint64_t limit, const _Atomic bool *stop, uint64_t *_octets);
enum gba_err db_pg_open(TALLOC_CTX *mem_ctx, const char *url, const struct db_migration *steps, size_t count, struct db **_db,
			const char **_error);

#endif
