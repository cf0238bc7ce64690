/* SPDX-License-Identifier: Apache-2.0 */
/* Every statement about the status of a subject, whoever made it: so each registry can tell the status at any time (Y.3059 6.1-1),
 * also of what is registered elsewhere. The statement that holds at a time is the one with the highest (lamport, origin) of those
 * made until then, by the clocks of those who made them. */
#include "registry-fn/log/event_priv.h"

#define CAUSE_MAX 255 /* [octets] kept of a cause */

/* A device of ours is to be judged anew. */
static enum gba_err due_write(struct event_log *log, const char *subject)
{
	static const char sql[] = "INSERT INTO said_due (device) SELECT id FROM device WHERE regdevid = ?1"
				  " ON CONFLICT (device) DO NOTHING";
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(subject));
	return db_run(stmt, NULL);
}

enum gba_err event_status_keep(struct event_log *log, const struct event *event, const char *subject, enum trust_status status)
{
	static const char sql[] =
		"INSERT INTO event_status (subject, lamport, origin, class, number, status, cause, at)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (subject, lamport, origin) DO NOTHING";
	const char *cause = json_string_value(json_object_get(event->body, "cause"));
	struct bytes kept = bytes_of(cause != NULL ? cause : "");
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	if (kept.n > CAUSE_MAX) {
		for (kept.n = CAUSE_MAX; (kept.p[kept.n] & 0xc0) == 0x80; kept.n--) /* no half characters */
			;
	}
	db_bind_text(stmt, 1, bytes_of(subject));
	db_bind_int(stmt, 2, event->lamport);
	db_bind_text(stmt, 3, bytes_of(event->origin));
	db_bind_int(stmt, 4, event->class);
	db_bind_int(stmt, 5, event->number);
	db_bind_int(stmt, 6, status);
	db_bind_text(stmt, 7, kept);
	db_bind_int(stmt, 8, event->at);
	err = db_run(stmt, NULL);
	return err == GBA_OK && strcmp(event->origin, log->reg_id) != 0 ? due_write(log, subject) : err;
}

#define COLUMNS "SELECT status, lamport, origin, at, cause FROM event_status WHERE subject = ?1"

static void statement_of(TALLOC_CTX *ctx, struct db_stmt *stmt, struct event_statement *_said)
{
	*_said = (struct event_statement){ .status = (enum trust_status)db_col_int(stmt, 0), .lamport = db_col_int(stmt, 1),
					   .at = (time_t)db_col_int(stmt, 3) };
	event_copy(_said->origin, sizeof(_said->origin), db_col_text(stmt, 2));
	_said->cause = talloc_strndup(ctx, (const char *)db_col_text(stmt, 4).p, db_col_text(stmt, 4).n);
}

enum gba_err event_status_at(struct event_log *log, TALLOC_CTX *mem_ctx, const char *subject, time_t at,
			     struct event_statement *_said)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = event_stmt(log, COLUMNS " AND at <= ?2 ORDER BY lamport DESC, origin DESC LIMIT 1", &stmt);

	*_said = (struct event_statement){ .status = TRUST_GREY, .cause = "nothing is known" };
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(subject));
	db_bind_int(stmt, 2, at);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		statement_of(mem_ctx, stmt, _said);
	db_reset(stmt);
	return err == GBA_OK && _said->cause == NULL ? GBA_E_NOMEM : err;
}

enum gba_err event_status_history(struct event_log *log, TALLOC_CTX *mem_ctx, const char *subject, size_t limit,
				  struct event_statement **_said, size_t *_n)
{
	struct event_statement *said = talloc_zero_array(mem_ctx, struct event_statement, limit + 1);
	struct db_stmt *stmt;
	bool row = true;
	size_t n = 0;
	enum gba_err err = event_stmt(log, COLUMNS " ORDER BY lamport, origin LIMIT ?2", &stmt);

	if (err != GBA_OK || said == NULL)
		return err != GBA_OK ? err : GBA_E_NOMEM;
	db_bind_text(stmt, 1, bytes_of(subject));
	db_bind_int(stmt, 2, (int64_t)limit);
	while (n < limit && (err = db_step(stmt, &row)) == GBA_OK && row) {
		statement_of(said, stmt, &said[n]);
		if (said[n++].cause == NULL)
			err = GBA_E_NOMEM;
	}
	db_reset(stmt);
	*_said = said;
	*_n = n;
	return err;
}

/* Black ones have an index; of the others so many subjects are looked at for a page. */
#define PAGE_LOOK 20000

enum gba_err event_status_list(struct event_log *log, TALLOC_CTX *mem_ctx, enum trust_status status, const char *after,
			       size_t limit, struct event_subjects *_list)
{
	static const char black[] = "SELECT subject, status, removed FROM event_subject WHERE status = 2 AND subject > ?1"
				    " ORDER BY subject LIMIT ?2";
	static const char all[] = "SELECT subject, status, removed FROM event_subject WHERE subject > ?1"
				  " ORDER BY subject LIMIT ?2";
	char **subjects = talloc_zero_array(mem_ctx, char *, limit + 1), *last = NULL;
	struct db_stmt *stmt;
	bool row = true;
	size_t n = 0, looked = 0;
	enum gba_err err = event_stmt(log, status == TRUST_BLACK ? black : all, &stmt);

	if (err != GBA_OK || subjects == NULL)
		return err != GBA_OK ? err : GBA_E_NOMEM;
	db_bind_text(stmt, 1, bytes_of(after));
	db_bind_int(stmt, 2, PAGE_LOOK);
	for (; n < limit && (err = db_step(stmt, &row)) == GBA_OK && row; looked++) {
		talloc_free(last);
		last = talloc_strndup(subjects, (const char *)db_col_text(stmt, 0).p, db_col_text(stmt, 0).n);
		if (last != NULL && db_col_int(stmt, 1) == status && db_col_int(stmt, 2) == 0)
			subjects[n++] = talloc_strdup(subjects, last);
		if (last == NULL || (n > 0 && subjects[n - 1] == NULL))
			err = GBA_E_NOMEM;
		if (err != GBA_OK)
			break;
	}
	db_reset(stmt);
	*_list = (struct event_subjects){ subjects, n, n == limit || looked == PAGE_LOOK ? last : NULL };
	return err;
}
