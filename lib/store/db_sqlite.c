/* SPDX-License-Identifier: Apache-2.0 */
#include "store/db_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 2000 /* another process's commit; longer than any batch of ours */
#define BUSY_STEP_MS	2
#define SIZES		"PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -65536" /* [pages]; [KiB] */

struct sq_db {
	struct db base;
	sqlite3 *handle;
	struct db_stmt *begin, *commit, *rollback, *version;
	struct db_stmt *part[DB_PART_STEPS]; /* once needed */
	int claim;			     /* file that is locked; -1: none */
	int tries, patience; /* for another writer's end: now, and as db_patience() has it */
};

struct sq_stmt {
	struct db_stmt base;
	sqlite3_stmt *handle;
	int bind_rc; /* the first bind that failed: reported by the step, so that callers check one place */
};

static sqlite3_stmt *handle_of(struct db_stmt *stmt)
{
	return ((struct sq_stmt *)stmt)->handle;
}

static bool no_space(int errnum)
{
	return errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG;
}

/* A full disk arrives as SQLITE_FULL, or as an I/O error whose errno says so (the shared-memory file, a size limit).
 * SQLite notes that errno, except where an implicit commit fails: there it still stands in errno (0 before the step).
 */
static enum gba_err io_err(sqlite3 *handle)
{
	return no_space(sqlite3_system_errno(handle)) || no_space(errno) ? GBA_E_NOSPACE : GBA_E_IO;
}

static enum gba_err constraint_err(sqlite3 *handle)
{
	switch (sqlite3_extended_errcode(handle)) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID: return GBA_E_EXISTS;
	default: return GBA_E_RANGE;
	}
}

static enum gba_err err_of(sqlite3 *handle, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return GBA_OK;
	case SQLITE_NOMEM: return GBA_E_NOMEM;
	case SQLITE_FULL: return GBA_E_NOSPACE;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return GBA_E_BUSY;
	case SQLITE_CONSTRAINT: return constraint_err(handle);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return GBA_E_CORRUPT;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY: return GBA_E_DENIED;
	case SQLITE_TOOBIG: return GBA_E_TOO_LONG;
	case SQLITE_MISUSE:
	case SQLITE_RANGE:
	case SQLITE_ERROR: return GBA_E_INTERNAL;
	default: return io_err(handle);
	}
}

static int db_destroy(struct sq_db *db)
{
	if (db->claim >= 0)
		close(db->claim);
	sqlite3_close_v2(db->handle); /* statements are freed after us: the handle lives on as long as they do */
	return 0;
}

static int stmt_destroy(struct sq_stmt *stmt)
{
	sqlite3_finalize(stmt->handle);
	return 0;
}

/* SQLite would create with the umask; its -wal and -shm files take the mode of the file. Never reopen an existing one:
 * a close() drops all POSIX locks this process holds on it. */
static enum gba_err create_private(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EEXIST ? GBA_OK : gba_err_from_errno(errno);
	close(fd);
	return GBA_OK;
}

static enum gba_err exec(struct sq_db *db, const char *sql)
{
	errno = 0;
	return err_of(db->handle, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

static enum gba_err prepare_own(struct sq_db *db)
{
	enum gba_err err;

	err = db_prepare(&db->base, "BEGIN IMMEDIATE", &db->begin);
	if (err == GBA_OK)
		err = db_prepare(&db->base, "COMMIT", &db->commit);
	if (err == GBA_OK)
		err = db_prepare(&db->base, "ROLLBACK", &db->rollback);
	if (err == GBA_OK)
		err = db_prepare(&db->base, "PRAGMA data_version", &db->version);
	return err;
}

static enum gba_err user_version(struct sq_db *db, int64_t *_version)
{
	struct db_stmt *stmt;
	enum gba_err err;
	bool row = false;

	err = db_prepare(&db->base, "PRAGMA user_version", &stmt);
	if (err != GBA_OK)
		return err;
	err = db_step(stmt, &row);
	if (err == GBA_OK)
		*_version = row ? db_col_int(stmt, 0) : 0;
	talloc_free(stmt);
	return err;
}

static enum gba_err steps_run(struct sq_db *db, const struct db_migration *steps, size_t count)
{
	char pragma[48];
	int64_t version = 0;
	enum gba_err err;

	err = user_version(db, &version); /* again, under the lock: another process may have been first */
	for (; err == GBA_OK && version >= 0 && (size_t)version < count; version++)
		err = exec(db, steps[version].sql);
	if (err != GBA_OK)
		return err;
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %zu", count);
	return (size_t)version > count ? GBA_OK : exec(db, pragma);
}

static enum gba_err migrate(struct sq_db *db, const struct db_migration *steps, size_t count)
{
	int64_t version = 0;
	enum gba_err err;

	err = user_version(db, &version);
	if (err != GBA_OK || version == (int64_t)count)
		return err;
	if (version < 0 || (size_t)version > count)
		return GBA_E_UNSUPPORTED;
	err = db_begin(&db->base);
	if (err != GBA_OK)
		return err;
	err = steps_run(db, steps, count);
	if (err != GBA_OK) {
		db_rollback(&db->base);
		return err;
	}
	return db_commit(&db->base);
}

/* SQLite's own handler sleeps up to 100 ms at a time: whoever commits often would always be first. */
static int busy(void *arg, int times)
{
	const struct sq_db *db = arg;

	if (times >= db->tries)
		return 0;
	usleep(BUSY_STEP_MS * 1000);
	return 1;
}

static enum gba_err open_handle(struct sq_db *db, const char *path)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int rc;

	errno = 0;
	rc = sqlite3_open_v2(path, &db->handle, flags, NULL);

	if (rc != SQLITE_OK)
		return err_of(db->handle, rc);
	sqlite3_busy_handler(db->handle, busy, db);
	/* WAL with synchronous NORMAL may undo a commit after power loss: FULL. */
	return exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
			"PRAGMA trusted_schema = OFF;" SIZES);
}

static const char *open_error(TALLOC_CTX *mem_ctx, const struct sq_db *db, const char *path, enum gba_err err)
{
	const char *why = gba_strerror(err);

	if (err == GBA_E_UNSUPPORTED)
		why = "the file was written by a newer version of this program";
	else if (db->handle != NULL && sqlite3_errcode(db->handle) != SQLITE_OK)
		why = sqlite3_errmsg(db->handle);
	return talloc_asprintf(mem_ctx, "%s: %s", path, why);
}

static enum gba_err sq_prepare(struct db *base, const char *sql, struct db_stmt **_stmt)
{
	struct sq_db *db = (struct sq_db *)base;
	struct sq_stmt *stmt = talloc_zero(db, struct sq_stmt);
	int rc;

	if (stmt == NULL)
		return GBA_E_NOMEM;
	stmt->base.ops = base->ops;
	rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->handle, NULL);
	if (rc != SQLITE_OK) {
		talloc_free(stmt);
		return err_of(db->handle, rc);
	}
	talloc_set_destructor(stmt, stmt_destroy);
	*_stmt = &stmt->base;
	return GBA_OK;
}

static void bound(struct db_stmt *stmt, int rc)
{
	struct sq_stmt *sq = (struct sq_stmt *)stmt;

	if (sq->bind_rc == SQLITE_OK)
		sq->bind_rc = rc;
}

static void sq_bind_int(struct db_stmt *stmt, int index, int64_t value)
{
	bound(stmt, sqlite3_bind_int64(handle_of(stmt), index, value));
}

static void sq_bind_text(struct db_stmt *stmt, int index, struct bytes value)
{
	if (value.p == NULL)
		bound(stmt, sqlite3_bind_null(handle_of(stmt), index));
	else
		bound(stmt, sqlite3_bind_text64(handle_of(stmt), index, (const char *)value.p, value.n, SQLITE_TRANSIENT,
						SQLITE_UTF8));
}

static void sq_bind_blob(struct db_stmt *stmt, int index, struct bytes value)
{
	if (value.p == NULL)
		bound(stmt, sqlite3_bind_null(handle_of(stmt), index));
	else
		bound(stmt, sqlite3_bind_blob64(handle_of(stmt), index, value.p, value.n, SQLITE_TRANSIENT));
}

static enum gba_err step(struct db_stmt *stmt, int *_rc)
{
	sqlite3 *handle = sqlite3_db_handle(handle_of(stmt));
	int bind_rc = ((struct sq_stmt *)stmt)->bind_rc;

	errno = 0;
	*_rc = bind_rc != SQLITE_OK ? bind_rc : sqlite3_step(handle_of(stmt));
	return *_rc == SQLITE_ROW || *_rc == SQLITE_DONE ? GBA_OK : err_of(handle, *_rc);
}

static void sq_reset(struct db_stmt *stmt)
{
	sqlite3_reset(handle_of(stmt));
	sqlite3_clear_bindings(handle_of(stmt));
	((struct sq_stmt *)stmt)->bind_rc = SQLITE_OK;
}

static enum gba_err sq_step(struct db_stmt *stmt, bool *_row)
{
	enum gba_err err;
	int rc;

	err = step(stmt, &rc);
	*_row = rc == SQLITE_ROW;
	if (!*_row)
		sq_reset(stmt);
	return err;
}

static enum gba_err sq_run(struct db_stmt *stmt, int *_changed)
{
	enum gba_err err;
	int rc;

	do
		err = step(stmt, &rc);
	while (rc == SQLITE_ROW);
	if (err == GBA_OK && _changed != NULL)
		*_changed = sqlite3_changes(sqlite3_db_handle(handle_of(stmt)));
	sq_reset(stmt);
	return err;
}

static int64_t sq_col_int(struct db_stmt *stmt, int column)
{
	return sqlite3_column_int64(handle_of(stmt), column);
}

static struct bytes col_view(struct db_stmt *stmt, int column, const void *p)
{
	int n = sqlite3_column_bytes(handle_of(stmt), column);

	if (sqlite3_column_type(handle_of(stmt), column) == SQLITE_NULL)
		return BYTES_NONE;
	return BYTES(p != NULL ? p : "", n > 0 ? (size_t)n : 0); /* an empty blob has no address */
}

static struct bytes sq_col_text(struct db_stmt *stmt, int column)
{
	return col_view(stmt, column, sqlite3_column_text(handle_of(stmt), column));
}

static struct bytes sq_col_blob(struct db_stmt *stmt, int column)
{
	return col_view(stmt, column, sqlite3_column_blob(handle_of(stmt), column));
}

static enum gba_err sq_begin(struct db *base, enum db_writer writer)
{
	(void)writer; /* there is but one */
	return sq_run(((struct sq_db *)base)->begin, NULL);
}

static void sq_rollback(struct db *base)
{
	struct sq_db *db = (struct sq_db *)base;

	if (!sqlite3_get_autocommit(db->handle)) /* a full disk may have rolled back already */
		sq_run(db->rollback, NULL);
}

static enum gba_err sq_part(struct db *base, enum db_part step)
{
	struct sq_db *db = (struct sq_db *)base;
	enum gba_err err = GBA_OK;

	if (sqlite3_get_autocommit(db->handle)) /* a full disk may have rolled back: what follows would stand alone */
		return GBA_E_IO;
	if (db->part[step] == NULL)
		err = sq_prepare(base, db_part_sql[step], &db->part[step]);
	return err == GBA_OK ? sq_run(db->part[step], NULL) : err;
}

static enum gba_err sq_commit(struct db *base, bool quiet)
{
	enum gba_err err = sq_run(((struct sq_db *)base)->commit, NULL);

	(void)quiet; /* SQLite counts every commit */
	if (err != GBA_OK)
		sq_rollback(base);
	return err;
}

static void sq_patience(struct db *base, unsigned int ms)
{
	struct sq_db *db = (struct sq_db *)base;

	db->tries = db->patience = (int)(ms < BUSY_TIMEOUT_MS ? ms : BUSY_TIMEOUT_MS) / BUSY_STEP_MS;
}

static void sq_lock_patience(struct db *base, unsigned int ms)
{
	struct sq_db *db = (struct sq_db *)base;

	db->tries = ms > 0 && (int)ms / BUSY_STEP_MS < db->patience ? (int)ms / BUSY_STEP_MS : db->patience;
}

static int64_t sq_data_version(struct db *base)
{
	struct db_stmt *stmt = ((struct sq_db *)base)->version;
	int64_t version = -1;
	bool row = false;

	if (sq_step(stmt, &row) == GBA_OK && row)
		version = sq_col_int(stmt, 0);
	sq_reset(stmt);
	return version;
}

/* Rows that come in no order touch a page of an index each: the longer the log, the fewer times a page is copied from it into the
 * file. */
static void sq_bulk(struct db *base, bool on)
{
	exec((struct sq_db *)base, on ? "PRAGMA wal_autocheckpoint = 32768; PRAGMA cache_size = -262144" : SIZES);
}

/* A lock on a file beside it: SQLite's own locks are the process's, not the handle's. */
static enum gba_err sq_claim(struct db *base)
{
	struct sq_db *db = (struct sq_db *)base;
	char path[PATH_MAX];
	enum gba_err err;
	int fd;

	if (db->claim >= 0)
		return GBA_OK;
	if (snprintf(path, sizeof(path), "%s.lock", sqlite3_db_filename(db->handle, "main")) >= (int)sizeof(path))
		return GBA_E_TOO_LONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return gba_err_from_errno(errno);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		err = errno == EWOULDBLOCK ? GBA_E_BUSY : gba_err_from_errno(errno);
		close(fd);
		return err;
	}
	db->claim = fd;
	return GBA_OK;
}

static const char *sq_error(struct db *base)
{
	return sqlite3_errmsg(((struct sq_db *)base)->handle);
}

static enum gba_err sq_warm(struct db *base, uint64_t limit, const _Atomic bool *stop, uint64_t *_octets)
{
	return db_sqlite_warm(((struct sq_db *)base)->handle, limit, stop, _octets);
}

static const struct db_ops sqlite_ops = {
	.prepare = sq_prepare,
	.bind_int = sq_bind_int,
	.bind_text = sq_bind_text,
	.bind_blob = sq_bind_blob,
	.step = sq_step,
	.run = sq_run,
	.reset = sq_reset,
	.col_int = sq_col_int,
	.col_text = sq_col_text,
	.col_blob = sq_col_blob,
	.begin = sq_begin,
	.patience = sq_patience,
	.lock_patience = sq_lock_patience,
	.commit = sq_commit,
	.rollback = sq_rollback,
	.part = sq_part,
	.data_version = sq_data_version,
	.bulk = sq_bulk,
	.claim = sq_claim,
	.error = sq_error,
	.warm = sq_warm,
};

enum gba_err db_sqlite_open(TALLOC_CTX *mem_ctx, const char *path, const struct db_migration *steps, size_t count,
			    struct db **_db, const char **_error)
{
	struct sq_db *db = talloc_zero(mem_ctx, struct sq_db);
	enum gba_err err;

	if (db == NULL)
		return GBA_E_NOMEM;
	db->base.ops = &sqlite_ops;
	db->claim = -1;
	db->tries = db->patience = BUSY_TIMEOUT_MS / BUSY_STEP_MS;
	talloc_set_destructor(db, db_destroy);
	err = create_private(path);
	if (err == GBA_OK)
		err = open_handle(db, path);
	if (err == GBA_OK)
		err = prepare_own(db);
	if (err == GBA_OK)
		err = migrate(db, steps, count);
	if (err != GBA_OK) {
		*_error = open_error(mem_ctx, db, path, err);
		talloc_free(db);
		return err;
	}
	*_db = &db->base;
	return GBA_OK;
}
