/* SPDX-License-Identifier: Apache-2.0 */
#include "store/db_priv.h"

#include <string.h>

#include "core/mask.h"

#ifndef HAVE_POSTGRESQL
enum gba_err db_pg_open(TALLOC_CTX *mem_ctx, const char *url, const struct db_migration *steps, size_t count, struct db **_db,
			const char **_error)
{
	char label[MASK_MAX];

	(void)steps, (void)count, (void)_db;
	*_error = talloc_asprintf(mem_ctx, "%s: built without PostgreSQL", mask_password(url, label));
	return GBA_E_UNSUPPORTED;
}
#endif

const char *const db_part_sql[DB_PART_STEPS] = { "SAVEPOINT part", "RELEASE SAVEPOINT part", "ROLLBACK TO SAVEPOINT part" };

bool db_is_server(const char *database)
{
	return strncmp(database, "postgres:", 9) == 0 || strncmp(database, "postgresql://", 13) == 0;
}

enum gba_err db_open(TALLOC_CTX *mem_ctx, const char *path, const struct db_migration *steps, size_t count, struct db **_db,
		     const char **_error)
{
	if (db_is_server(path))
		return db_pg_open(mem_ctx, path, steps, count, _db, _error);
	return db_sqlite_open(mem_ctx, path, steps, count, _db, _error);
}

enum gba_err db_prepare(struct db *db, const char *sql, struct db_stmt **_stmt)
{
	return db->ops->prepare(db, sql, _stmt);
}

void db_bind_int(struct db_stmt *stmt, int index, int64_t value)
{
	stmt->ops->bind_int(stmt, index, value);
}

void db_bind_text(struct db_stmt *stmt, int index, struct bytes value)
{
	stmt->ops->bind_text(stmt, index, value);
}

void db_bind_blob(struct db_stmt *stmt, int index, struct bytes value)
{
	stmt->ops->bind_blob(stmt, index, value);
}

enum gba_err db_step(struct db_stmt *stmt, bool *_row)
{
	return stmt->ops->step(stmt, _row);
}

enum gba_err db_run(struct db_stmt *stmt, int *_changed)
{
	return stmt->ops->run(stmt, _changed);
}

void db_reset(struct db_stmt *stmt)
{
	stmt->ops->reset(stmt);
}

int64_t db_col_int(struct db_stmt *stmt, int column)
{
	return stmt->ops->col_int(stmt, column);
}

struct bytes db_col_text(struct db_stmt *stmt, int column)
{
	return stmt->ops->col_text(stmt, column);
}

struct bytes db_col_blob(struct db_stmt *stmt, int column)
{
	return stmt->ops->col_blob(stmt, column);
}

enum gba_err db_begin(struct db *db)
{
	return db->ops->begin(db, DB_WRITER);
}

enum gba_err db_begin_beside(struct db *db)
{
	return db->ops->begin(db, DB_BESIDE);
}

enum gba_err db_begin_both(struct db *db)
{
	return db->ops->begin(db, DB_BOTH);
}

enum gba_err db_commit(struct db *db)
{
	return db->ops->commit(db, false);
}

enum gba_err db_commit_quiet(struct db *db)
{
	return db->ops->commit(db, true);
}

void db_rollback(struct db *db)
{
	db->ops->rollback(db);
}

enum gba_err db_part_begin(struct db *db)
{
	return db->ops->part(db, DB_PART_BEGIN);
}

enum gba_err db_part_keep(struct db *db)
{
	return db->ops->part(db, DB_PART_KEEP);
}

enum gba_err db_part_undo(struct db *db)
{
	enum gba_err err = db->ops->part(db, DB_PART_UNDO);

	return err == GBA_OK ? db->ops->part(db, DB_PART_KEEP) : err;
}

int64_t db_data_version(struct db *db)
{
	return db->ops->data_version(db);
}

enum gba_err db_claim(struct db *db)
{
	return db->ops->claim(db);
}

void db_bulk(struct db *db, bool on)
{
	if (db->ops->bulk != NULL)
		db->ops->bulk(db, on);
}

void db_patience(struct db *db, unsigned int ms)
{
	db->ops->patience(db, ms);
}

void db_lock_patience(struct db *db, unsigned int ms)
{
	db->ops->lock_patience(db, ms);
}

const char *db_error(struct db *db)
{
	return db->ops->error(db);
}

enum gba_err db_warm(struct db *db, uint64_t limit, const _Atomic bool *stop, uint64_t *_octets)
{
	*_octets = 0;
	return db->ops->warm != NULL ? db->ops->warm(db, limit, stop, _octets) : GBA_OK;
}
