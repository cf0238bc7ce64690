/* SPDX-License-Identifier: Apache-2.0 */
/* One row: who, and a count that each renewal moves. Quiet commits: no other handle's copies go stale by them. */
#include "store/db_duty.h"

#include <stdio.h>
#include <string.h>

#define HOLDER_MAX 256

struct db_duty {
	struct db *db;
	struct db_stmt *find, *add, *take;
	const char *name, *holder;
	unsigned int lease_ms;
	bool mine;
	uint64_t renewed_ms;
	char seen[HOLDER_MAX]; /* the row as another one left it, and since when it has stood so */
	int64_t beat;
	uint64_t since_ms;
};

enum gba_err db_duty_new(TALLOC_CTX *mem_ctx, struct db *db, const char *name, const char *holder, unsigned int lease_ms,
			 struct db_duty **_duty)
{
	struct db_duty *duty = talloc_zero(mem_ctx, struct db_duty);
	enum gba_err err;

	if (duty == NULL)
		return GBA_E_NOMEM;
	*duty = (struct db_duty){ .db = db, .lease_ms = lease_ms, .name = talloc_strdup(duty, name),
				  .holder = talloc_strdup(duty, holder) };
	err = duty->name != NULL && duty->holder != NULL ? GBA_OK : GBA_E_NOMEM;
	if (err == GBA_OK)
		err = db_prepare(db, "SELECT holder, beat FROM duty WHERE name = ?1", &duty->find);
	if (err == GBA_OK)
		err = db_prepare(db, "INSERT INTO duty (name, holder, beat) VALUES (?1, '', 0) ON CONFLICT (name) DO NOTHING",
				 &duty->add);
	if (err == GBA_OK)
		err = db_prepare(db, "UPDATE duty SET holder = ?2, beat = beat + 1 WHERE name = ?1 AND holder = ?3 AND beat = ?4",
				 &duty->take);
	if (err != GBA_OK) {
		talloc_free(duty);
		return err;
	}
	*_duty = duty;
	return GBA_OK;
}

/* The row into holder and *_beat. @retval GBA_E_NOT_FOUND  nobody has had it yet */
static enum gba_err look(struct db_duty *duty, char holder[HOLDER_MAX], int64_t *_beat)
{
	struct bytes text;
	bool row = false;
	enum gba_err err;

	db_bind_text(duty->find, 1, bytes_of(duty->name));
	err = db_step(duty->find, &row);
	if (err == GBA_OK && row) {
		text = db_col_text(duty->find, 0);
		snprintf(holder, HOLDER_MAX, "%.*s", BYTES_FMT(text));
		*_beat = db_col_int(duty->find, 1);
	}
	db_reset(duty->find);
	return err == GBA_OK && !row ? GBA_E_NOT_FOUND : err;
}

/* Nobody else has moved the row since it was looked at: it becomes holder's. */
static bool take(struct db_duty *duty, const char *holder, const char *from, int64_t beat)
{
	enum gba_err err = db_begin(duty->db);
	int changed = 0;

	if (err != GBA_OK)
		return false;
	db_bind_text(duty->take, 1, bytes_of(duty->name));
	db_bind_text(duty->take, 2, bytes_of(holder));
	db_bind_text(duty->take, 3, bytes_of(from));
	db_bind_int(duty->take, 4, beat);
	err = db_run(duty->take, &changed);
	if (err != GBA_OK || changed != 1) {
		db_rollback(duty->db);
		return false;
	}
	return db_commit_quiet(duty->db) == GBA_OK;
}

/* Another one's: has its time run out? */
static bool run_out(struct db_duty *duty, const char *holder, int64_t beat, uint64_t now_ms)
{
	if (strcmp(holder, duty->seen) == 0 && beat == duty->beat)
		return now_ms - duty->since_ms >= duty->lease_ms;
	snprintf(duty->seen, sizeof(duty->seen), "%s", holder);
	duty->beat = beat;
	duty->since_ms = now_ms;
	return false;
}

bool db_duty_mine(struct db_duty *duty, uint64_t now_ms)
{
	char holder[HOLDER_MAX] = "";
	int64_t beat = 0;
	enum gba_err err;

	if (duty->mine && now_ms - duty->renewed_ms < duty->lease_ms / DB_DUTY_BEATS)
		return true;
	duty->mine = false;
	err = look(duty, holder, &beat);
	if (err == GBA_E_NOT_FOUND) {
		db_bind_text(duty->add, 1, bytes_of(duty->name));
		err = db_run(duty->add, NULL);
	}
	if (err != GBA_OK)
		return false;
	if (holder[0] != '\0' && strcmp(holder, duty->holder) != 0 && !run_out(duty, holder, beat, now_ms))
		return false;
	duty->mine = take(duty, duty->holder, holder, beat);
	duty->renewed_ms = now_ms;
	return duty->mine;
}

void db_duty_leave(struct db_duty *duty)
{
	char holder[HOLDER_MAX] = "";
	int64_t beat = 0;

	if (duty->mine && look(duty, holder, &beat) == GBA_OK && strcmp(holder, duty->holder) == 0)
		take(duty, "", holder, beat);
	duty->mine = false;
}
