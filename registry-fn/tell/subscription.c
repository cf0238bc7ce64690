/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions: whose they are, where they stand in the log of events, what was given up. */
#include "registry-fn/record/credential.h"
#include "registry-fn/tell/tell.h"
#include "registry-fn/trust/trust.h"

static enum gba_err run(struct records *r, const char *sql, int64_t a, int64_t b)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, a);
	if (b >= 0)
		db_bind_int(stmt, 2, b);
	return db_run(stmt, NULL);
}

enum gba_err reg_subscription_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	(void)r;
	if (now == NULL)
		return GBA_OK;
	if (old == NULL) {
		now->v[SUBSCRIPTION_OWNER_ROLE].n = call->actor->role;
		now->v[SUBSCRIPTION_OWNER].n = call->actor->id;
	}
	if (now->v[SUBSCRIPTION_METHOD].n == SUBSCRIPTION_PUSH && now->v[SUBSCRIPTION_URL].t.p == NULL)
		return record_refuse(call, GBA_E_SYNTAX, "url", "where to push to");
	if (now->v[SUBSCRIPTION_METHOD].n == SUBSCRIPTION_POLL && now->v[SUBSCRIPTION_URL].t.p != NULL)
		return record_refuse(call, GBA_E_RANGE, "url", "a poller comes here");
	return GBA_OK;
}

enum gba_err reg_subscription_after(struct records *r, struct record_call *call, const struct record *old,
				    const struct record *now)
{
	int64_t last = 0;
	enum gba_err err = GBA_OK;

	(void)call;
	if (old != NULL && now != NULL)
		return GBA_OK;
	if (now != NULL) { /* from now on */
		err = event_last(registry_handle_of(r)->events, &last);
		if (err == GBA_OK)
			err = run(r, "INSERT INTO tell_state (subscription, place, tries, due) VALUES (?1, ?2, 0, 0)", now->id,
				  last);
		return err;
	}
	err = run(r, "DELETE FROM tell_state WHERE subscription = ?1", old->id, -1);
	if (err == GBA_OK)
		err = run(r, "DELETE FROM tell_done WHERE subscription = ?1", old->id, -1);
	return err == GBA_OK ? run(r, "DELETE FROM tell_dead WHERE subscription = ?1", old->id, -1) : err;
}

enum gba_err tell_sub_load(struct records *r, TALLOC_CTX *mem_ctx, int64_t id, struct tell_sub **_sub)
{
	struct tell_sub *sub = talloc_zero(mem_ctx, struct tell_sub);
	struct db_stmt *stmt = NULL;
	bool row = false;
	enum gba_err err = sub != NULL ? record_load(r, sub, REG_SUBSCRIPTION, id, &sub->rec) : GBA_E_NOMEM;

	if (err == GBA_OK)
		err = records_stmt(r, "SELECT place, tries, due FROM tell_state WHERE subscription = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, id);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		sub->cursor = db_col_int(stmt, 0);
		sub->tries = db_col_int(stmt, 1);
		sub->due = db_col_int(stmt, 2);
	}
	db_reset(stmt);
	if (err != GBA_OK || !row)
		return err != GBA_OK ? err : GBA_E_NOT_FOUND;
	sub->actor.role = (int)sub->rec->v[SUBSCRIPTION_OWNER_ROLE].n;
	sub->actor.id = sub->rec->v[SUBSCRIPTION_OWNER].n;
	sub->actor.name = talloc_asprintf(sub, "%s:%lld", reg_roles[sub->actor.role], (long long)sub->actor.id);
	if (sub->actor.name == NULL)
		return GBA_E_NOMEM;
	err = sub->actor.role == REG_ROLE_SYSTEM ? GBA_OK : reg_owner_good(r, &sub->actor); /* system: made from a terminal */
	sub->good = err == GBA_OK;
	*_sub = sub;
	return err == GBA_E_NOT_AUTHORIZED ? GBA_OK : err;
}

enum gba_err tell_move(struct records *r, struct tell_sub *sub, int64_t cursor, int64_t tries, int64_t due)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, "UPDATE tell_state SET place = ?2, tries = ?3, due = ?4 WHERE subscription = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, sub->rec->id);
	db_bind_int(stmt, 2, cursor);
	db_bind_int(stmt, 3, tries);
	db_bind_int(stmt, 4, due);
	err = db_run(stmt, NULL);
	if (err == GBA_OK) {
		sub->cursor = cursor;
		sub->tries = tries;
		sub->due = due;
	}
	return err;
}

enum gba_err tell_done(struct records *r, const struct tell_sub *sub, int64_t seq)
{
	return run(r, "INSERT INTO tell_done (subscription, seq) VALUES (?1, ?2) ON CONFLICT (subscription, seq) DO NOTHING",
		   sub->rec->id, seq);
}

enum gba_err tell_is_done(struct records *r, const struct tell_sub *sub, int64_t seq, bool *_done)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, "SELECT 1 FROM tell_done WHERE subscription = ?1 AND seq = ?2", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, sub->rec->id);
	db_bind_int(stmt, 2, seq);
	err = db_step(stmt, _done);
	db_reset(stmt);
	return err;
}

enum gba_err tell_settle(struct records *r, TALLOC_CTX *mem_ctx, struct tell_sub *sub)
{
	int64_t seen = sub->cursor, before = -1;
	struct event *event = NULL;
	bool done = true;
	enum gba_err err = GBA_OK;
	int looks = 0;

	while (err == GBA_OK && done && seen != before && looks++ < TELL_WINDOW + TELL_LOOKS) {
		before = seen;
		err = tell_next(r, mem_ctx, sub, before, &event, &seen);
		if (err == GBA_OK && event != NULL)
			err = tell_is_done(r, sub, seen, &done);
	}
	if (err == GBA_OK && !done)
		seen = before; /* the first that is not acknowledged lies behind it */
	if (err == GBA_OK && seen != sub->cursor)
		err = tell_move(r, sub, seen, 0, 0);
	if (err == GBA_OK)
		err = run(r, "DELETE FROM tell_done WHERE subscription = ?1 AND seq <= ?2", sub->rec->id, sub->cursor);
	return err;
}

enum gba_err tell_dead_add(struct records *r, const struct tell_sub *sub, int64_t seq, const char *why, time_t now)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r,
					"INSERT INTO tell_dead (subscription, seq, at, again, why) VALUES (?1, ?2, ?3, 0, ?4)"
					" ON CONFLICT (subscription, seq) DO UPDATE SET at = excluded.at, again = 0,"
					" why = excluded.why",
					&stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, sub->rec->id);
	db_bind_int(stmt, 2, seq);
	db_bind_int(stmt, 3, now);
	db_bind_text(stmt, 4, bytes_of(why));
	return db_run(stmt, NULL);
}

enum gba_err tell_dead_list(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, struct tell_dead **_dead,
			    size_t *_n)
{
	struct tell_dead *dead = talloc_zero_array(mem_ctx, struct tell_dead, TELL_WINDOW);
	struct db_stmt *stmt = NULL;
	bool row = true;
	enum gba_err err = dead == NULL ? GBA_E_NOMEM
					: records_stmt(r,
						       "SELECT seq, at, again, why FROM tell_dead WHERE subscription = ?1"
						       " ORDER BY seq LIMIT ?2",
						       &stmt);

	*_n = 0;
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, sub->rec->id);
	db_bind_int(stmt, 2, TELL_WINDOW);
	while (err == GBA_OK && *_n < TELL_WINDOW) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		dead[*_n] = (struct tell_dead){ db_col_int(stmt, 0), db_col_int(stmt, 1), db_col_int(stmt, 2) != 0,
						talloc_asprintf(dead, "%.*s", BYTES_FMT(db_col_text(stmt, 3))) };
		if (dead[(*_n)++].why == NULL)
			err = GBA_E_NOMEM;
	}
	db_reset(stmt);
	*_dead = dead;
	return err;
}

enum gba_err tell_dead_retry(struct records *r, const struct tell_sub *sub)
{
	return run(r, "UPDATE tell_dead SET again = 1 WHERE subscription = ?1", sub->rec->id, -1);
}

enum gba_err tell_dead_next(struct records *r, const struct tell_sub *sub, int64_t *_seq)
{
	struct db_stmt *stmt;
	enum gba_err err =
		records_stmt(r, "SELECT seq FROM tell_dead WHERE subscription = ?1 AND again <> 0 ORDER BY seq LIMIT 1", &stmt);

	*_seq = 0;
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, sub->rec->id);
	err = records_int(stmt, _seq);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

enum gba_err tell_dead_end(struct records *r, const struct tell_sub *sub, int64_t seq)
{
	return run(r, "DELETE FROM tell_dead WHERE subscription = ?1 AND seq = ?2", sub->rec->id, seq);
}
