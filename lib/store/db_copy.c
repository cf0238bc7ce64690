/* SPDX-License-Identifier: Apache-2.0 */
#include "store/db_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum gba_err fail(TALLOC_CTX *mem_ctx, const char **_error, const char *path, enum gba_err err, const char *why)
{
	*_error = talloc_asprintf(mem_ctx, "%s: %s", path, why != NULL ? why : gba_strerror(err));
	return err;
}

static enum gba_err err_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW: return GBA_OK;
	case SQLITE_FULL: return GBA_E_NOSPACE;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return GBA_E_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return GBA_E_CORRUPT;
	case SQLITE_CANTOPEN: return GBA_E_NOT_FOUND;
	case SQLITE_NOMEM: return GBA_E_NOMEM;
	default: return GBA_E_IO;
	}
}

static enum gba_err open_path(TALLOC_CTX *mem_ctx, const char *path, int flags, sqlite3 **_handle, const char **_error)
{
	int rc = sqlite3_open_v2(path, _handle, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		return GBA_OK;
	fail(mem_ctx, _error, path, err_of(rc), sqlite3_errstr(rc));
	sqlite3_close(*_handle);
	return err_of(rc);
}

/* File and folder onto the disk. */
static enum gba_err sync_path(const char *path)
{
	char copy[4096];
	const char *names[2] = { path, copy };
	int fd, i, bad = 0;

	snprintf(copy, sizeof(copy), "%s", path);
	names[1] = dirname(copy);
	for (i = 0; i < 2 && bad == 0; i++) {
		fd = open(names[i], O_RDONLY | O_CLOEXEC);
		bad = fd < 0 || fsync(fd) != 0 ? errno : 0;
		if (fd >= 0)
			close(fd);
	}
	return gba_err_from_errno(bad);
}

static enum gba_err vacuum_into(sqlite3 *handle, const char *to)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(handle, "VACUUM INTO ?1", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, to, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return err_of(rc);
}

enum gba_err db_copy(TALLOC_CTX *mem_ctx, const char *path, const char *to, const char **_error)
{
	sqlite3 *handle;
	enum gba_err err;
	int fd;

	err = open_path(mem_ctx, path, SQLITE_OPEN_READWRITE, &handle, _error);
	if (err != GBA_OK)
		return err;
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* SQLite would make it with the umask */
	if (fd < 0) {
		err = fail(mem_ctx, _error, to, gba_err_from_errno(errno), strerror(errno));
		sqlite3_close(handle);
		return err;
	}
	close(fd);
	sqlite3_busy_timeout(handle, 10000);
	err = vacuum_into(handle, to);
	if (err != GBA_OK)
		fail(mem_ctx, _error, path, err, sqlite3_errmsg(handle));
	sqlite3_close(handle);
	if (err == GBA_OK) {
		err = sync_path(to);
		if (err != GBA_OK)
			fail(mem_ctx, _error, to, err, NULL);
	}
	if (err != GBA_OK)
		unlink(to);
	return err;
}

enum gba_err db_copy_check(TALLOC_CTX *mem_ctx, const char *path, const char **_error)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *handle;
	enum gba_err err;
	int rc;

	err = open_path(mem_ctx, path, SQLITE_OPEN_READWRITE, &handle, _error);
	if (err != GBA_OK)
		return err;
	rc = sqlite3_prepare_v2(handle, "PRAGMA integrity_check(1)", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		err = fail(mem_ctx, _error, path, rc == SQLITE_DONE ? GBA_E_CORRUPT : err_of(rc), sqlite3_errmsg(handle));
	else if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0)
		err = fail(mem_ctx, _error, path, GBA_E_CORRUPT, (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_close(handle);
	return err;
}

/* Leaving the write-ahead log needs the file for oneself: it fails when anybody has it open. Its companions go with it. */
static enum gba_err alone(TALLOC_CTX *mem_ctx, const char *path, const char **_error)
{
	sqlite3 *handle;
	enum gba_err err;

	if (access(path, F_OK) != 0)
		return GBA_OK;
	err = open_path(mem_ctx, path, SQLITE_OPEN_READWRITE, &handle, _error);
	if (err != GBA_OK)
		return err;
	err = err_of(sqlite3_exec(handle, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL));
	if (err == GBA_E_BUSY)
		fail(mem_ctx, _error, path, err, "a node or another program has it open: stop it first");
	else if (err != GBA_OK)
		fail(mem_ctx, _error, path, err, sqlite3_errmsg(handle));
	sqlite3_close(handle);
	return err == GBA_E_CORRUPT ? GBA_OK : err; /* a damaged one is what a restore is for */
}

enum gba_err db_copy_place(TALLOC_CTX *mem_ctx, const char *from, const char *path, const char **_error)
{
	enum gba_err err = alone(mem_ctx, path, _error);

	if (err == GBA_OK)
		err = alone(mem_ctx, from, _error);
	if (err != GBA_OK)
		return err;
	err = sync_path(from);
	if (err == GBA_OK && rename(from, path) != 0)
		err = gba_err_from_errno(errno);
	if (err == GBA_OK)
		err = sync_path(path);
	return err == GBA_OK ? GBA_OK : fail(mem_ctx, _error, path, err, NULL);
}
