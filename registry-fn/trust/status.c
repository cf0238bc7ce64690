/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses as they were and are; how one comes about. */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "registry-fn/listing/listing.h"
#include "registry-fn/log/wake.h"
#include "registry-fn/record/announce.h"
#include "registry-fn/trust/override.h"
#include "registry-fn/trust/said.h"

struct registry_handle *registry_handle_of(struct records *r)
{
	return records_role(r);
}

enum gba_err registry_before_commit(struct records *r)
{
	return entry_append_changes(registry_handle_of(r)->entries, clock_now());
}

void registry_ended(struct records *r)
{
	(void)r;
	wake();
}

static const char *text_of(TALLOC_CTX *ctx, struct bytes view)
{
	return view.p != NULL ? talloc_strndup(ctx, (const char *)view.p, view.n) : NULL;
}

#define COLUMNS "SELECT id, status, cause, evidence, author, at FROM status WHERE kind = ?1 AND subject = ?2"

static void change_of(TALLOC_CTX *ctx, struct db_stmt *stmt, struct trust_change *_change)
{
	*_change = (struct trust_change){ db_col_int(stmt, 0), (enum trust_status)db_col_int(stmt, 1),
					  text_of(ctx, db_col_text(stmt, 2)), text_of(ctx, db_col_text(stmt, 3)),
					  text_of(ctx, db_col_text(stmt, 4)), (time_t)db_col_int(stmt, 5) };
}

enum gba_err trust_at(struct records *r, TALLOC_CTX *mem_ctx, enum trust_kind kind, int64_t subject, time_t at,
		      struct trust_change *_change)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, COLUMNS " AND at <= ?3 ORDER BY at DESC, id DESC LIMIT 1", &stmt);
	bool row = false;

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, kind);
	db_bind_int(stmt, 2, subject);
	db_bind_int(stmt, 3, at);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		change_of(mem_ctx, stmt, _change);
	else
		*_change = (struct trust_change){ .status = TRUST_GREY, .cause = "nothing is known", .author = "" };
	db_reset(stmt);
	return err == GBA_OK && (_change->cause == NULL || _change->author == NULL) ? GBA_E_NOMEM : err;
}

enum gba_err trust_history(struct records *r, TALLOC_CTX *mem_ctx, enum trust_kind kind, int64_t subject, size_t limit,
			   struct trust_change **_changes, size_t *_count)
{
	struct trust_change *changes = talloc_zero_array(mem_ctx, struct trust_change, limit + 1);
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, COLUMNS " ORDER BY at, id LIMIT ?3", &stmt);
	bool row = true;
	size_t n = 0;

	if (err != GBA_OK || changes == NULL)
		return err != GBA_OK ? err : GBA_E_NOMEM;
	db_bind_int(stmt, 1, kind);
	db_bind_int(stmt, 2, subject);
	db_bind_int(stmt, 3, (int64_t)limit);
	while (n < limit && (err = db_step(stmt, &row)) == GBA_OK && row)
		change_of(changes, stmt, &changes[n++]);
	db_reset(stmt);
	*_changes = changes;
	*_count = n;
	return err;
}

/* ---- writing ---- */

static const struct {
	const char *select, *update, *update_in_hook;
} subjects[] = {
	[TRUST_DEVICE] = { "SELECT regdevid, status FROM device WHERE id = ?1",
			   "UPDATE device SET status = ?1, rev = rev + 1, changed = ?3 WHERE id = ?2",
			   "UPDATE device SET status = ?1, changed = ?3 WHERE id = ?2" },
	[TRUST_APPLICATION] = { "SELECT value, status FROM application WHERE id = ?1",
				"UPDATE application SET status = ?1, rev = rev + 1, changed = ?3 WHERE id = ?2", NULL },
};

/* A decision about to be written. */
struct decision {
	enum trust_kind kind;
	int64_t subject;
	enum trust_status status;
	const char *cause, *evidence;
	bool hook;
	bool first; /* it is said of one that nothing was said of, too, though it is as that was */
};

static enum gba_err row_write(struct records *r, struct record_call *call, const struct decision *d)
{
	struct db_stmt *stmt;
	enum gba_err err;

	err = records_stmt(r, "INSERT INTO status (kind, subject, status, cause, evidence, author, at)"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", &stmt);
	if (err != GBA_OK)
		return err;
	records_written(r);
	db_bind_int(stmt, 1, d->kind);
	db_bind_int(stmt, 2, d->subject);
	db_bind_int(stmt, 3, d->status);
	db_bind_text(stmt, 4, bytes_of(d->cause));
	db_bind_text(stmt, 5, bytes_of(d->evidence));
	db_bind_text(stmt, 6, bytes_of(call->actor->name));
	db_bind_int(stmt, 7, call->now);
	err = db_run(stmt, NULL);
	if (err == GBA_OK)
		err = records_stmt(r, d->hook ? subjects[d->kind].update_in_hook : subjects[d->kind].update, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, d->status);
	db_bind_int(stmt, 2, d->subject);
	db_bind_int(stmt, 3, call->now);
	return db_run(stmt, NULL);
}

/* To the other registries, and into the log of transactions. Evidence stays here: it may name persons. */
static enum gba_err tell(struct records *r, struct record_call *call, const struct decision *d, const char *name)
{
	struct registry_handle *handle = registry_handle_of(r);
	json_t *body = json_pack("{s:s, s:s}", "cause", d->cause, "status", trust_status_names[d->status]);
	struct entry entry = { .act = "status.set", .by = call->actor->name, .subject = name, .result = GBA_OK, .detail = body,
			       .evidence = bytes_of(d->evidence) };
	enum gba_err err = GBA_E_NOMEM;

	if (body != NULL)
		err = entry_append(handle->entries, &entry, call->now, NULL);
	if (err == GBA_OK)
		err = event_append(handle->events, d->status == TRUST_BLACK && !handle->many ? "black.set" : "status.set", name,
				   body, call->now, NULL);
	json_decref(body);
	return err;
}

/* Name and present status of a subject; name below mem_ctx. @retval GBA_E_NOT_FOUND */
static enum gba_err subject_read(struct records *r, TALLOC_CTX *ctx, const struct decision *d, const char **_name,
				 enum trust_status *_status)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, subjects[d->kind].select, &stmt);
	bool row = false;

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, d->subject);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		*_name = text_of(ctx, db_col_text(stmt, 0));
		*_status = (enum trust_status)db_col_int(stmt, 1);
	}
	db_reset(stmt);
	if (err == GBA_OK && row && *_name == NULL)
		return GBA_E_NOMEM;
	return err == GBA_OK && !row ? GBA_E_NOT_FOUND : err;
}

/* The same status for another cause is a change of its own, but none that others are told; what nothing is known of
 * stays so. */
static enum gba_err decide(struct records *r, struct record_call *call, const struct decision *d)
{
	enum trust_status before = TRUST_GREY;
	struct trust_change last = { 0 };
	const char *name = NULL;
	enum gba_err err;

	err = subject_read(r, call->mem_ctx, d, &name, &before);
	if (err == GBA_OK && before == d->status)
		err = trust_at(r, call->mem_ctx, d->kind, d->subject, INT64_MAX, &last);
	if (err != GBA_OK || (before == d->status && ((last.id == 0 && !d->first) || strcmp(last.cause, d->cause) == 0)))
		return err;
	err = row_write(r, call, d);
	return err == GBA_OK && before != d->status ? tell(r, call, d, name) : err;
}

/* ---- judging ---- */

static enum gba_err facts_read(struct records *r, int64_t device, time_t now, struct trust_facts *facts)
{
	const struct registry_conf *conf = registry_handle_of(r)->registry.conf;
	struct db_stmt *stmt;
	enum gba_err err;
	int64_t missed = 0;
	bool row = false;

	err = records_stmt(r, "SELECT state, root_of_trust, overdue, report_due FROM device WHERE id = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, device);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		facts->registered = db_col_int(stmt, 0) == DEVICE_REGISTERED;
		facts->root = db_col_int(stmt, 1) != ROOT_NONE;
		if (db_col_int(stmt, 2) != 0 && now > db_col_int(stmt, 3) && conf->report_interval > 0)
			missed = (now - db_col_int(stmt, 3)) / conf->report_interval + 1;
	}
	db_reset(stmt);
	if (err == GBA_OK)
		err = records_stmt(r, "SELECT fact, value FROM device_fact WHERE device = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, device);
	while ((err = db_step(stmt, &row)) == GBA_OK && row) {
		if (db_col_int(stmt, 0) >= 0 && db_col_int(stmt, 0) < FACT_COUNT)
			facts->fact[db_col_int(stmt, 0)] = db_col_int(stmt, 1);
	}
	if (facts->fact[FACT_MISSED_REPORTS] < missed)
		facts->fact[FACT_MISSED_REPORTS] = missed;
	db_reset(stmt);
	return err;
}

/* What the lists say of it (TEC 31188 3.1). */
static enum gba_err lists_read(struct records *r, struct record_call *call, int64_t device, bool hook, struct trust_facts *facts,
				const char **_what)
{
	const struct registry_conf *conf = registry_handle_of(r)->registry.conf;
	struct listing listing = { 0 };
	const char *why, *field;
	enum gba_err err = listing_read(r, call, device, hook, &listing);

	if (err == GBA_OK && listing_verdict(conf, &listing, &why, &field) != LISTING_ALLOW)
		facts->lacks = why;
	facts->fact[FACT_CERTIFICATION] = listing.certification;
	facts->fact[FACT_ANOMALIES] += listing.against;
	*_what = listing.what;
	return err;
}

static void as_ordered(const struct trust_order *order, struct decision *d)
{
	d->status = order->status;
	d->cause = "decided by hand";
	d->evidence = order->reason;
}

enum gba_err trust_judge(struct records *r, struct record_call *call, int64_t device, bool hook)
{
	struct decision d = { .kind = TRUST_DEVICE, .subject = device, .hook = hook };
	struct trust_facts facts = { 0 };
	char cause[POLICY_CAUSE_MAX + 1];
	struct trust_order order;
	const char *what = NULL;
	enum gba_err err = trust_by_hand(r, call, TRUST_DEVICE, device, &order);
	bool by_hand = order.id != 0;

	if (err == GBA_OK && !by_hand)
		err = facts_read(r, device, call->now, &facts);
	if (err == GBA_OK)
		err = lists_read(r, call, device, hook, &facts, &what);
	if (err == GBA_OK && !by_hand)
		err = vuln_facts(r, device, call->now, &facts);
	if (err == GBA_OK && !by_hand)
		err = trust_elsewhere(r, call->mem_ctx, device, &facts.fact[FACT_ELSEWHERE], &d.evidence);
	if (err != GBA_OK)
		return err;
	if (by_hand)
		as_ordered(&order, &d);
	if (!by_hand) {
		d.status = trust_policy_judge(registry_handle_of(r)->registry.policy, &facts, cause);
		d.cause = cause;
		d.first = facts.registered && (facts.lacks != NULL || what != NULL);
		if (strncmp(cause, "anomalies", strlen("anomalies")) == 0)
			d.evidence = what;
		else if (strncmp(cause, "elsewhere", strlen("elsewhere")) != 0)
			d.evidence = NULL; /* it is of that rule alone */
	}
	return decide(r, call, &d);
}

enum gba_err trust_restate(struct records *r, struct record_call *call, int64_t device)
{
	struct decision d = { .kind = TRUST_DEVICE, .subject = device };
	struct trust_change last;
	struct event_view view;
	const char *name = NULL;
	enum gba_err err = subject_read(r, call->mem_ctx, &d, &name, &d.status);

	if (err == GBA_OK)
		err = event_view_subject(registry_handle_of(r)->events, name, EVENT_NOW, &view);
	if (err == GBA_OK)
		err = trust_at(r, call->mem_ctx, d.kind, device, INT64_MAX, &last);
	if (err != GBA_OK || view.status == d.status)
		return err;
	d.cause = last.cause;
	return tell(r, call, &d, name);
}

enum gba_err trust_tell(struct records *r, struct record_call *call, int64_t device, enum trust_fact fact, int64_t value,
			const char *evidence)
{
	struct db_stmt *stmt;
	enum gba_err err;

	if (fact != FACT_CERTIFICATE && fact != FACT_MISSED_REPORTS && fact != FACT_ANOMALIES)
		return GBA_E_RANGE;
	if (value < 0 || (fact == FACT_CERTIFICATE && value > CERTIFICATE_REVOKED))
		return GBA_E_RANGE;
	err = records_stmt(r, "INSERT INTO device_fact (device, fact, value, evidence, at) VALUES (?1, ?2, ?3, ?4, ?5)"
			      " ON CONFLICT (device, fact) DO UPDATE SET value = excluded.value, evidence = excluded.evidence,"
			      " at = excluded.at", &stmt);
	if (err != GBA_OK)
		return err;
	records_written(r);
	db_bind_int(stmt, 1, device);
	db_bind_int(stmt, 2, fact);
	db_bind_int(stmt, 3, value);
	db_bind_text(stmt, 4, bytes_of(evidence));
	db_bind_int(stmt, 5, call->now);
	err = db_run(stmt, NULL);
	return err == GBA_OK ? trust_judge(r, call, device, false) : err;
}

enum gba_err trust_judge_application(struct records *r, struct record_call *call, int64_t application)
{
	struct decision d = { .kind = TRUST_APPLICATION, .subject = application, .status = TRUST_GREY,
			      .cause = "no decision is in force" };
	struct trust_order order;
	enum gba_err err = trust_by_hand(r, call, TRUST_APPLICATION, application, &order);

	if (err == GBA_OK && order.id != 0)
		as_ordered(&order, &d);
	return err == GBA_OK ? decide(r, call, &d) : err;
}

/* A device came, or is another than before. */
enum gba_err reg_device_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now)
{
	static const int counts[] = { DEVICE_MAKE, DEVICE_MODEL, DEVICE_FIRMWARE, DEVICE_SOFTWARE, DEVICE_STATE, DEVICE_ROOT,
				      DEVICE_OVERDUE };
	const struct field *fields = registry_set.kinds[REG_DEVICE].fields;
	bool same = old != NULL && now != NULL;
	enum gba_err err;
	size_t i, n = 0;

	if (now == NULL)
		return GBA_OK;
	err = announce_change(r, call, old, now);
	if (err != GBA_OK)
		return err;
	for (i = 0; same && i < sizeof(counts) / sizeof(counts[0]); i++) {
		const struct value *a = &old->v[counts[i]], *b = &now->v[counts[i]];

		same = fields[counts[i]].type == FIELD_TEXT ? bytes_eq(a->t, b->t) : a->n == b->n;
	}
	if (same)
		return GBA_OK;
	err = vuln_match_device(r, call, now, old == NULL, &n);
	if (err == GBA_OK && old == NULL && n == 0 && now->v[DEVICE_STATE].n == DEVICE_ANNOUNCED)
		return GBA_OK; /* nothing is known of it: Grey, as all of an import */
	return err == GBA_OK ? trust_judge(r, call, now->id, true) : err;
}

/* ---- time ---- */

int64_t *trust_ids(TALLOC_CTX *ctx, struct db_stmt *stmt)
{
	int64_t *ids = talloc_zero_array(ctx, int64_t, 1001);
	bool row = true;
	size_t n = 0;

	while (ids != NULL && n < 1000 && db_step(stmt, &row) == GBA_OK && row)
		ids[n++] = db_col_int(stmt, 0);
	db_reset(stmt);
	return ids;
}

/* Who is silent misses one report after the other. */
static enum gba_err silent_sweep(struct records *r, struct record_call *call)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, "SELECT id FROM device WHERE overdue <> 0 AND id > ?1 ORDER BY id LIMIT 1000", &stmt);
	int64_t *ids, *after = &registry_handle_of(r)->swept;

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, *after);
	ids = trust_ids(call->mem_ctx, stmt);
	if (ids == NULL)
		return GBA_E_NOMEM;
	if (*ids == 0) {
		*after = 0; /* from the first again */
		return GBA_OK;
	}
	err = records_begin(r);
	if (err != GBA_OK)
		return err;
	for (; err == GBA_OK && *ids != 0; ids++) {
		err = trust_judge(r, call, *ids, false);
		*after = *ids;
	}
	if (err == GBA_OK)
		return records_commit(r);
	records_rollback(r);
	return err;
}

enum gba_err trust_sweep(struct records *r, TALLOC_CTX *mem_ctx, time_t now)
{
	const struct actor node = { REG_ROLE_SYSTEM, 0, "system" };
	struct record_call call = { .actor = &node, .now = now, .mem_ctx = mem_ctx };
	bool left;
	enum gba_err err = vuln_sweep(r, mem_ctx, now);

	if (err == GBA_OK)
		err = listing_sweep(r, mem_ctx, now);
	if (err == GBA_OK)
		err = trust_override_sweep(r, &call);
	if (err == GBA_OK)
		err = trust_due(r, mem_ctx, now, &left);
	return err == GBA_OK ? silent_sweep(r, &call) : err;
}
