/* SPDX-License-Identifier: Apache-2.0 */
#include "record/job.h"

#include "record/records_priv.h"

static enum gba_err job_stmt(struct records *r, const char *sql, struct db_stmt **_stmt)
{
	return r->set->jobs ? records_stmt(r, sql, _stmt) : GBA_E_UNSUPPORTED;
}

enum gba_err record_job_read(struct records *r, const char *name, struct record_job *_job)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;
	bool row = false;

	err = job_stmt(r, "SELECT rows, added, changed, kept, rejected, at, done FROM import_job WHERE name = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(name));
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		*_job = (struct record_job){ db_col_int(stmt, 0), db_col_int(stmt, 1), db_col_int(stmt, 2),
					     db_col_int(stmt, 3), db_col_int(stmt, 4), (time_t)db_col_int(stmt, 5),
					     db_col_int(stmt, 6) != 0 };
	db_reset(stmt);
	return err == GBA_OK && !row ? GBA_E_NOT_FOUND : err;
}

enum gba_err record_job_write(struct records *r, const char *name, const struct record_job *job)
{
	const int64_t values[] = { job->rows, job->added, job->changed, job->kept, job->rejected, job->at, job->done };
	struct db_stmt *stmt = NULL;
	enum gba_err err;
	int i;

	err = job_stmt(r,
		       "INSERT INTO import_job (name, rows, added, changed, kept, rejected, at, done)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (name) DO UPDATE SET rows = excluded.rows,"
		       " added = excluded.added, changed = excluded.changed, kept = excluded.kept,"
		       " rejected = excluded.rejected, at = excluded.at, done = excluded.done",
		       &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(name));
	for (i = 0; i < (int)(sizeof(values) / sizeof(values[0])); i++)
		db_bind_int(stmt, i + 2, values[i]);
	r->written = true;
	return db_run(stmt, NULL);
}

static enum gba_err run_named(struct records *r, const char *sql, const char *name)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = job_stmt(r, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(name));
	r->written = true;
	return db_run(stmt, NULL);
}

enum gba_err record_job_forget(struct records *r, const char *name)
{
	enum gba_err err = run_named(r, "DELETE FROM import_reject WHERE job = ?1", name);

	return err == GBA_OK ? run_named(r, "DELETE FROM import_job WHERE name = ?1", name) : err;
}

enum gba_err record_jobs_expire(struct records *r, time_t before)
{
	static const char *const sql[] = {
		"DELETE FROM import_reject WHERE job IN (SELECT name FROM import_job WHERE at < ?1)",
		"DELETE FROM import_job WHERE at < ?1",
	};
	struct db_stmt *stmt = NULL;
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; err == GBA_OK && i < sizeof(sql) / sizeof(sql[0]); i++) {
		err = job_stmt(r, sql[i], &stmt);
		if (err != GBA_OK)
			return err;
		db_bind_int(stmt, 1, before);
		err = db_run(stmt, NULL);
	}
	return err;
}

enum gba_err record_job_reject(struct records *r, const char *name, const char *report)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = job_stmt(r, "INSERT INTO import_reject (job, report) VALUES (?1, ?2)", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(name));
	db_bind_text(stmt, 2, bytes_of(report));
	return db_run(stmt, NULL);
}

enum gba_err record_job_rejections(struct records *r, const char *name, void (*each)(void *arg, struct bytes report), void *arg)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = job_stmt(r, "SELECT report FROM import_reject WHERE job = ?1 ORDER BY id", &stmt);
	bool row = true;

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(name));
	while (err == GBA_OK && row) {
		err = db_step(stmt, &row);
		if (err == GBA_OK && row)
			each(arg, db_col_text(stmt, 0));
	}
	db_reset(stmt);
	return err;
}
