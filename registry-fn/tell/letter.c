/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters: what was given up, until somebody has it sent again or throws it away. */
#include "registry-fn/tell/tell.h"

/* @param b  0: the text has but one parameter */
static enum gba_err run(struct records *r, const char *sql, int64_t a, int64_t b, int *_changed)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, a);
	if (b != 0)
		db_bind_int(stmt, 2, b);
	return db_run(stmt, _changed);
}

enum gba_err tell_letters_count(struct records *r, int64_t subscription, int64_t *_n)
{
	struct db_stmt *stmt;
	enum gba_err err = subscription != 0
				   ? records_stmt(r, "SELECT count(*) FROM tell_letter WHERE subscription = ?1", &stmt)
				   : records_stmt(r, "SELECT count(*) FROM tell_letter", &stmt);

	if (err != GBA_OK)
		return err;
	if (subscription != 0)
		db_bind_int(stmt, 1, subscription);
	return records_int(stmt, _n);
}

static enum gba_err room_check(struct records *r, int64_t subscription)
{
	const struct registry *registry = records_role(r);
	int64_t n = 0;
	enum gba_err err = tell_letters_count(r, subscription, &n);

	if (err != GBA_OK)
		return err;
	return n < registry->conf->tell_dead_letters ? GBA_OK : GBA_E_NOSPACE;
}

enum gba_err tell_letter_add(struct records *r, const struct tell_sub *sub, int64_t seq,
			     const struct tell_digest *digest, const char *why, time_t now)
{
	struct db_stmt *stmt;
	enum gba_err err = room_check(r, sub->rec->id);

	if (err == GBA_OK)
		err = records_stmt(
			r,
			"INSERT INTO tell_letter (subscription, seq, since, began, ends, at, again, why)"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7) ON CONFLICT (subscription, seq, ends) DO UPDATE SET"
			" at = excluded.at, again = 0, why = excluded.why",
			&stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, sub->rec->id);
	db_bind_int(stmt, 2, seq);
	db_bind_int(stmt, 3, digest != NULL ? digest->since : 0);
	db_bind_int(stmt, 4, digest != NULL ? digest->began : 0);
	db_bind_int(stmt, 5, digest != NULL ? digest->ends : 0);
	db_bind_int(stmt, 6, now);
	db_bind_text(stmt, 7, bytes_of(why));
	return db_run(stmt, NULL);
}

#define COLUMNS "SELECT id, seq, at, since, began, ends, again, why FROM tell_letter"

static enum gba_err letter_read(TALLOC_CTX *ctx, struct db_stmt *stmt, void *_row)
{
	struct tell_letter *letter = _row;

	*letter = (struct tell_letter){
		db_col_int(stmt, 0),      db_col_int(stmt, 1),
		db_col_int(stmt, 2),      db_col_int(stmt, 3),
		db_col_int(stmt, 4),      db_col_int(stmt, 5),
		db_col_int(stmt, 6) != 0, talloc_asprintf(ctx, "%.*s", BYTES_FMT(db_col_text(stmt, 7)))
	};
	return letter->why != NULL ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err tell_letters(struct records *r, TALLOC_CTX *mem_ctx, int64_t subscription, int64_t after,
			  struct tell_letter **_letters, size_t *_n)
{
	struct db_stmt *stmt;
	void *letters = NULL;
	enum gba_err err = records_stmt(r, COLUMNS " WHERE subscription = ?1 AND id > ?2 ORDER BY id LIMIT ?3", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, subscription);
	db_bind_int(stmt, 2, after);
	db_bind_int(stmt, 3, TELL_WINDOW);
	err = db_page(mem_ctx, stmt, sizeof(struct tell_letter), TELL_WINDOW, letter_read, &letters, _n);
	*_letters = letters;
	return err;
}

enum gba_err tell_letters_retry(struct records *r, int64_t subscription, int64_t letter, int *_n)
{
	return letter != 0 ? run(r, "UPDATE tell_letter SET again = 1 WHERE subscription = ?1 AND id = ?2",
				 subscription, letter, _n)
			   : run(r, "UPDATE tell_letter SET again = 1 WHERE subscription = ?1", subscription, 0, _n);
}

enum gba_err tell_letters_discard(struct records *r, int64_t subscription, int64_t letter, int *_n)
{
	enum gba_err err = letter != 0 ? run(r, "DELETE FROM tell_letter WHERE subscription = ?1 AND id = ?2",
					     subscription, letter, _n)
				       : run(r, "DELETE FROM tell_letter WHERE subscription = ?1", subscription, 0, _n);

	if (err == GBA_OK && *_n > 0)
		err = run(r, "UPDATE tell_state SET due = 0 WHERE subscription = ?1", subscription, 0, NULL);
	return err;
}

enum gba_err tell_letter_next(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub,
			      struct tell_letter *_letter)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err =
		records_stmt(r, COLUMNS " WHERE subscription = ?1 AND again <> 0 ORDER BY id LIMIT 1", &stmt);

	*_letter = (struct tell_letter){ 0 };
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, sub->rec->id);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		err = letter_read(mem_ctx, stmt, _letter);
	db_reset(stmt);
	return err;
}

enum gba_err tell_letter_end(struct records *r, int64_t letter, const char *why, time_t now)
{
	struct db_stmt *stmt;
	enum gba_err err;

	if (why == NULL)
		return run(r, "DELETE FROM tell_letter WHERE id = ?1", letter, 0, NULL);
	err = records_stmt(r, "UPDATE tell_letter SET again = 0, at = ?2, why = ?3 WHERE id = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, letter);
	db_bind_int(stmt, 2, now);
	db_bind_text(stmt, 3, bytes_of(why));
	return db_run(stmt, NULL);
}
