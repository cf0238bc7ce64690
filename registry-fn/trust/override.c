/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/trust/override.h"

/* In force until its end is approved, too. */
#define IN_FORCE "state IN (1, 4)"
_Static_assert(OVERRIDE_IN_FORCE == 1 && OVERRIDE_LIFTING == 4, "as in the text above");

enum gba_err trust_by_hand(struct records *r, struct record_call *call, enum trust_kind kind, int64_t subject,
			   struct trust_order *_order)
{
	static const char *const sql[] = {
		[TRUST_DEVICE] = "SELECT id, status, reason FROM trust_override WHERE device = ?1 AND " IN_FORCE
				 " AND (until = 0 OR until > ?2) ORDER BY id DESC LIMIT 1",
		[TRUST_APPLICATION] = "SELECT id, status, reason FROM trust_override WHERE application = ?1 AND application <> 0"
				      " AND " IN_FORCE " AND (until = 0 OR until > ?2) ORDER BY id DESC LIMIT 1",
	};
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(r, sql[kind], &stmt);

	*_order = (struct trust_order){ .id = 0 };
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, subject);
	db_bind_int(stmt, 2, call->now);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		struct bytes reason = db_col_text(stmt, 2);

		*_order = (struct trust_order){ db_col_int(stmt, 0), (enum trust_status)db_col_int(stmt, 1),
						talloc_strndup(call->mem_ctx, (const char *)reason.p, reason.n) };
		err = _order->reason != NULL ? GBA_OK : GBA_E_NOMEM;
	}
	db_reset(stmt);
	return err;
}

static bool four_eyes(struct records *r)
{
	return registry_handle_of(r)->registry.conf->four_eyes;
}

/* ---- hooks of the table ---- */

enum gba_err reg_override_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	if (old != NULL || now == NULL)
		return GBA_OK;
	if ((now->v[OVERRIDE_DEVICE].n != 0) == (now->v[OVERRIDE_APPLICATION].n != 0))
		return record_refuse(call, GBA_E_SYNTAX, "device", "either a device or an application");
	if (now->v[OVERRIDE_UNTIL].n != 0 && now->v[OVERRIDE_UNTIL].n <= call->now)
		return record_refuse(call, GBA_E_RANGE, "until", "this time has passed");
	now->v[OVERRIDE_STATE].n = four_eyes(r) ? OVERRIDE_REQUESTED : OVERRIDE_IN_FORCE;
	return records_keep(now, bytes_of(call->actor->name), &now->v[OVERRIDE_ASKED_BY].t);
}

static bool is_in_force(const struct record *override)
{
	return override != NULL &&
	       (override->v[OVERRIDE_STATE].n == OVERRIDE_IN_FORCE || override->v[OVERRIDE_STATE].n == OVERRIDE_LIFTING);
}

enum gba_err reg_override_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now)
{
	if (now == NULL || is_in_force(old) == is_in_force(now))
		return GBA_OK;
	if (now->v[OVERRIDE_APPLICATION].n != 0)
		return trust_judge_application(r, call, now->v[OVERRIDE_APPLICATION].n); /* kept while it has decisions */
	return trust_judge(r, call, now->v[OVERRIDE_DEVICE].n, false);
}

/* ---- verbs ---- */

/* @param who  the field for the caller's name */
static enum gba_err move(struct records *r, struct record_call *call, const struct record *old, int to, int who, const char *act)
{
	struct record *now = record_copy(call->mem_ctx, old);
	enum gba_err err;

	if (now == NULL)
		return GBA_E_NOMEM;
	now->v[OVERRIDE_STATE].n = to;
	err = records_keep(now, bytes_of(call->actor->name), &now->v[who].t);
	return err == GBA_OK ? record_set_by_rules(r, call, old, now, act) : err;
}

static enum gba_err not_now(struct record_call *call, const struct record *old)
{
	return record_refuse(call, GBA_E_STATE, NULL, "it is %s", reg_override_words[old->v[OVERRIDE_STATE].n]);
}

/* "admin:bob" and "agency:bob" have two credentials and two eyes. */
bool trust_same_person(struct bytes one, const char *other)
{
	struct bytes role, name, other_role, other_name;

	return bytes_split(one, ':', &role, &name) && bytes_split(bytes_of(other), ':', &other_role, &other_name) &&
	       bytes_eq(name, other_name);
}

/* Four eyes: whoever asked for it, or for its end, may take that back, but not approve it. */
static enum gba_err override_approve(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	bool ends = old->v[OVERRIDE_STATE].n == OVERRIDE_LIFTING;

	(void)arguments;
	if (!ends && old->v[OVERRIDE_STATE].n != OVERRIDE_REQUESTED)
		return not_now(call, old);
	if (trust_same_person(old->v[ends ? OVERRIDE_LIFT_ASKED_BY : OVERRIDE_ASKED_BY].t, call->actor->name))
		return record_refuse(call, GBA_E_DENIED, NULL, "another than who asked for it has to approve it");
	if (!ends && old->v[OVERRIDE_UNTIL].n != 0 && old->v[OVERRIDE_UNTIL].n <= call->now)
		return record_refuse(call, GBA_E_STATE, "until", "its time has passed");
	return move(r, call, old, ends ? OVERRIDE_LIFTED : OVERRIDE_IN_FORCE, OVERRIDE_DECIDED_BY, "approve");
}

static enum gba_err override_refuse(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	(void)arguments;
	if (old->v[OVERRIDE_STATE].n == OVERRIDE_LIFTING)
		return move(r, call, old, OVERRIDE_IN_FORCE, OVERRIDE_DECIDED_BY, "refuse");
	if (old->v[OVERRIDE_STATE].n != OVERRIDE_REQUESTED)
		return not_now(call, old);
	return move(r, call, old, OVERRIDE_REFUSED, OVERRIDE_DECIDED_BY, "refuse");
}

static enum gba_err override_lift(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	bool waits = four_eyes(r) && call->actor->role != REG_ROLE_SYSTEM;

	(void)arguments;
	if (!is_in_force(old) || (waits && old->v[OVERRIDE_STATE].n == OVERRIDE_LIFTING))
		return not_now(call, old);
	if (waits)
		return move(r, call, old, OVERRIDE_LIFTING, OVERRIDE_LIFT_ASKED_BY, "lift");
	return move(r, call, old, OVERRIDE_LIFTED, OVERRIDE_DECIDED_BY, "lift");
}

static const char *const no_arguments[] = { NULL };
const struct record_verb reg_override_verbs[] = {
	{ "approve", FOR_ADMIN | FOR_AGENCY, no_arguments, override_approve,
	  "Put it in force, or end it, as was asked for; not by who asked" },
	{ "refuse", FOR_ADMIN | FOR_AGENCY, no_arguments, override_refuse, "Leave it as it was before that was asked for" },
	{ "lift", FOR_ADMIN | FOR_AGENCY, no_arguments, override_lift,
	  "End it: the rules decide again; with four eyes when another has approved it" },
	{ NULL, 0, NULL, NULL, NULL }
};

/* ---- time ---- */

enum gba_err trust_override_sweep(struct records *r, struct record_call *call)
{
	static const char sql[] = "SELECT id FROM trust_override WHERE " IN_FORCE " AND until > 0 AND until <= ?1"
				  " ORDER BY id LIMIT 1000";
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, sql, &stmt);
	int64_t *ids;

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, call->now);
	ids = trust_ids(call->mem_ctx, stmt);
	if (ids == NULL)
		return GBA_E_NOMEM;
	for (; err == GBA_OK && *ids != 0; ids++) {
		const struct record old = { .kind = &registry_set.kinds[REG_OVERRIDE], .id = *ids };

		err = records_do(r, call, &old, "lift", NULL, NULL);
	}
	return err;
}
