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

/* Only what is pushed comes in another form than one by one: who comes here takes what it wants. */
static enum gba_err delivery_check(struct record_call *call, const struct value *v)
{
	bool push = v[SUBSCRIPTION_METHOD].n == SUBSCRIPTION_PUSH;

	if (push && v[SUBSCRIPTION_URL].t.p == NULL)
		return record_refuse(call, GBA_E_SYNTAX, "url", "where to push to");
	if (!push && v[SUBSCRIPTION_URL].t.p != NULL)
		return record_refuse(call, GBA_E_RANGE, "url", "who polls or reads a stream comes here");
	if (!push && v[SUBSCRIPTION_BATCH].n != 1)
		return record_refuse(call, GBA_E_RANGE, "batch", "of what is pushed");
	if (!push && v[SUBSCRIPTION_DIGEST].n != 0)
		return record_refuse(call, GBA_E_RANGE, "digest", "of what is pushed");
	if (v[SUBSCRIPTION_DIGEST].n != 0 && v[SUBSCRIPTION_BATCH].n != 1)
		return record_refuse(call, GBA_E_RANGE, "batch", "a digest is one delivery");
	return GBA_OK;
}

enum gba_err reg_subscription_before(struct records *r, struct record_call *call, const struct record *old,
				     struct record *now)
{
	struct tell_sub sub = { .rec = now };
	bool may = true;
	enum gba_err err;

	if (now == NULL)
		return GBA_OK;
	if (old == NULL) {
		now->v[SUBSCRIPTION_OWNER_ROLE].n = call->actor->role;
		now->v[SUBSCRIPTION_OWNER].n = call->actor->id;
	}
	err = delivery_check(call, now->v);
	if (err != GBA_OK)
		return err;
	sub.actor = (struct actor){ (int)now->v[SUBSCRIPTION_OWNER_ROLE].n, now->v[SUBSCRIPTION_OWNER].n, "" };
	err = tell_filters_may(r, &sub, &may);
	if (err == GBA_OK && !may)
		err = record_refuse(call, GBA_E_DENIED,
				    now->v[SUBSCRIPTION_MAKE].t.p != NULL    ? "make"
				    : now->v[SUBSCRIPTION_MODEL].t.p != NULL ? "model"
									     : "use_cases",
				    "not without the right to ask by it");
	return err;
}

enum gba_err reg_subscription_after(struct records *r, struct record_call *call, const struct record *old,
				    const struct record *now)
{
	int64_t last = 0;
	enum gba_err err = GBA_OK;

	if (old != NULL && now != NULL && old->v[SUBSCRIPTION_DIGEST].n == 0 && now->v[SUBSCRIPTION_DIGEST].n != 0)
		err = run(r, "UPDATE tell_state SET told = ?2 WHERE subscription = ?1", now->id, call->now);
	if (err != GBA_OK)
		return err;
	if (old != NULL && now != NULL) /* the next delivery may be another: it is put together, and tried, anew */
		return run(r,
			   "UPDATE tell_state SET tries = 0, due = 0, upto = 0, part = 0, ends = 0 WHERE subscription "
			   "= ?1",
			   now->id, -1);
	if (now != NULL) { /* from now on */
		err = event_last(registry_handle_of(r)->events, &last);
		if (err == GBA_OK)
			err = run(r, "INSERT INTO tell_state (subscription, place, tries, due) VALUES (?1, ?2, 0, 0)",
				  now->id, last);
		return err == GBA_OK
			       ? run(r, "UPDATE tell_state SET told = ?2 WHERE subscription = ?1", now->id, call->now)
			       : err;
	}
	err = run(r, "DELETE FROM tell_state WHERE subscription = ?1", old->id, -1);
	if (err == GBA_OK)
		err = run(r, "DELETE FROM tell_done WHERE subscription = ?1", old->id, -1);
	return err == GBA_OK ? run(r, "DELETE FROM tell_letter WHERE subscription = ?1", old->id, -1) : err;
}

enum gba_err tell_sub_load(struct records *r, TALLOC_CTX *mem_ctx, int64_t id, struct tell_sub **_sub)
{
	struct tell_sub *sub = talloc_zero(mem_ctx, struct tell_sub);
	struct db_stmt *stmt = NULL;
	bool row = false;
	enum gba_err err = sub != NULL ? record_load(r, sub, REG_SUBSCRIPTION, id, &sub->rec) : GBA_E_NOMEM;

	if (err == GBA_OK)
		err = records_stmt(
			r, "SELECT place, tries, due, upto, part, told, ends FROM tell_state WHERE subscription = ?1",
			&stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, id);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		sub->cursor = db_col_int(stmt, 0);
		sub->tries = db_col_int(stmt, 1);
		sub->due = db_col_int(stmt, 2);
		sub->upto = db_col_int(stmt, 3);
		sub->part = db_col_int(stmt, 4) != 0;
		sub->told = db_col_int(stmt, 5);
		sub->ends = db_col_int(stmt, 6);
	}
	db_reset(stmt);
	if (err != GBA_OK || !row)
		return err != GBA_OK ? err : GBA_E_NOT_FOUND;
	sub->actor.role = (int)sub->rec->v[SUBSCRIPTION_OWNER_ROLE].n;
	sub->actor.id = sub->rec->v[SUBSCRIPTION_OWNER].n;
	sub->actor.name = talloc_asprintf(sub, "%s:%lld", reg_roles[sub->actor.role], (long long)sub->actor.id);
	if (sub->actor.name == NULL)
		return GBA_E_NOMEM;
	err = sub->actor.role == REG_ROLE_SYSTEM ? GBA_OK
						 : reg_owner_good(r, &sub->actor); /* system: made from a terminal */
	sub->good = err == GBA_OK;
	*_sub = sub;
	return err == GBA_E_NOT_AUTHORIZED ? GBA_OK : err;
}

enum gba_err tell_sub_keep(struct records *r, const struct tell_sub *sub)
{
	const int64_t values[] = { sub->rec->id, sub->cursor, sub->tries, sub->due,
				   sub->upto,    sub->part,   sub->told,  sub->ends };
	struct db_stmt *stmt;
	enum gba_err err =
		records_stmt(r,
			     "UPDATE tell_state SET place = ?2, tries = ?3, due = ?4, upto = ?5, part = ?6, told = ?7,"
			     " ends = ?8 WHERE subscription = ?1",
			     &stmt);
	int i;

	if (err != GBA_OK)
		return err;
	for (i = 0; i < (int)(sizeof(values) / sizeof(values[0])); i++)
		db_bind_int(stmt, i + 1, values[i]);
	return db_run(stmt, NULL);
}

enum gba_err tell_done(struct records *r, const struct tell_sub *sub, int64_t seq)
{
	return run(
		r,
		"INSERT INTO tell_done (subscription, seq) VALUES (?1, ?2) ON CONFLICT (subscription, seq) DO NOTHING",
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
	struct tell_page *page = talloc_zero(mem_ctx, struct tell_page);
	enum gba_err err = page != NULL ? tell_read(r, mem_ctx, sub, sub->cursor, 0, TELL_WINDOW, page) : GBA_E_NOMEM;
	bool done = true;
	int64_t place;
	size_t i;

	if (err != GBA_OK)
		return err;
	place = page->seen;
	for (i = 0; err == GBA_OK && done && i < page->n; i++) {
		err = tell_is_done(r, sub, page->items[i].event->seq, &done);
		if (!done)
			place = page->items[i].event->seq - 1;
	}
	if (err == GBA_OK && place != sub->cursor) {
		sub->cursor = place;
		err = tell_sub_keep(r, sub);
	}
	if (err == GBA_OK)
		err = run(r, "DELETE FROM tell_done WHERE subscription = ?1 AND seq <= ?2", sub->rec->id, sub->cursor);
	return err;
}
