/* SPDX-License-Identifier: Apache-2.0 */
/** How far a bulk import has come: written in the transaction of the rows it counts, so that what was interrupted goes on where
 * it stopped and counts no row twice. For sets with RECORD_JOBS in their schema (record_set.jobs). */
#ifndef GBA_RECORD_JOB_H
#define GBA_RECORD_JOB_H

#include "record/records.h"

#define RECORD_JOB_NAME 160 /* [octets] with NUL */
#define RECORD_JOBS                                                                                                            \
	"CREATE TABLE import_job (name TEXT PRIMARY KEY, rows INTEGER NOT NULL, added INTEGER NOT NULL, changed INTEGER NOT NULL," \
	" kept INTEGER NOT NULL, rejected INTEGER NOT NULL, at INTEGER NOT NULL, done INTEGER NOT NULL) STRICT;"               \
	"CREATE TABLE import_reject (id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, report TEXT NOT NULL) STRICT;"   \
	"CREATE INDEX import_reject_job ON import_reject (job);"

struct record_job {
	int64_t rows, added, changed, kept, rejected; /* rows: of the body or file, done with whatever came of them */
	time_t at;				      /* of the last commit */
	bool done;
};

/** @retval GBA_E_NOT_FOUND  never begun, or forgotten  @retval GBA_E_UNSUPPORTED  the set keeps none */
enum gba_err record_job_read(struct records *r, const char *name, struct record_job *_job);
/** In a transaction. */
enum gba_err record_job_write(struct records *r, const char *name, const struct record_job *job);
/** In a transaction: forget it and its rejections. */
enum gba_err record_job_forget(struct records *r, const char *name);
/** In a transaction: jobs that nobody has gone on with since `before` are forgotten. */
enum gba_err record_jobs_expire(struct records *r, time_t before);
/** In a transaction: keep what was wrong with a row. */
enum gba_err record_job_reject(struct records *r, const char *name, const char *report);
/** Reports in order; text is valid in the call alone. */
enum gba_err record_job_rejections(struct records *r, const char *name, void (*each)(void *arg, struct bytes report), void *arg);

#endif
