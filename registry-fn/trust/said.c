/* SPDX-License-Identifier: Apache-2.0 */
/* What other registries say of devices of this one (Y.3059 7-iv-d). It counts for everybody until we say something later; that
 * we do by our rules, in which it is a fact of its own. */
#include "registry-fn/trust/said.h"

#include "core/clock.h"
#include "registry-fn/trust/mass.h"

static enum gba_err subject_of(struct records *r, TALLOC_CTX *ctx, int64_t device, const char **_subject)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(r, "SELECT regdevid FROM device WHERE id = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, device);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		*_subject = talloc_strndup(ctx, (const char *)db_col_text(stmt, 0).p, db_col_text(stmt, 0).n);
	db_reset(stmt);
	if (err != GBA_OK || !row)
		return err != GBA_OK ? err : GBA_E_NOT_FOUND;
	return *_subject != NULL ? GBA_OK : GBA_E_NOMEM;
}

/* As a change of ours would look. */
static enum gba_err change_of(TALLOC_CTX *ctx, const struct event_statement *said, struct trust_change *_change)
{
	*_change = (struct trust_change){ .id = 1, .status = said->status, .at = said->at };
	_change->cause = said->cause[0] != '\0' ? said->cause : "said by another registry";
	_change->author = talloc_asprintf(ctx, "registry:%s", said->origin);
	return _change->author != NULL ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err trust_held_at(struct records *r, TALLOC_CTX *mem_ctx, const char *subject, int64_t device, time_t at,
			   struct trust_change *_change)
{
	const struct registry_handle *handle = registry_handle_of(r);
	struct event_statement said;
	enum gba_err err = GBA_OK;

	if (subject == NULL)
		err = subject_of(r, mem_ctx, device, &subject);
	if (err == GBA_OK)
		err = event_status_at(handle->events, mem_ctx, subject, at, &said);
	if (err != GBA_OK)
		return err;
	if (said.lamport != 0 && (device == 0 || strcmp(said.origin, handle->registry.conf->reg_id) != 0))
		return change_of(mem_ctx, &said, _change);
	if (device != 0)
		return trust_at(r, mem_ctx, TRUST_DEVICE, device, at, _change);
	*_change = (struct trust_change){ .status = TRUST_GREY, .cause = said.cause, .author = "" };
	return GBA_OK;
}

enum gba_err trust_elsewhere(struct records *r, TALLOC_CTX *mem_ctx, int64_t device, int64_t *_value, const char **_evidence)
{
	const struct registry_handle *handle = registry_handle_of(r);
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err;

	err = records_stmt(r,
			   "SELECT e.status, e.origin, e.cause FROM device AS d JOIN event_status AS e ON e.subject = d.regdevid"
			   " WHERE d.id = ?1 AND e.origin <> ?2 ORDER BY e.lamport DESC, e.origin DESC LIMIT 1",
			   &stmt);
	*_value = ELSEWHERE_NOTHING;
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, device);
	db_bind_text(stmt, 2, bytes_of(handle->registry.conf->reg_id));
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		*_value = db_col_int(stmt, 0) == TRUST_BLACK  ? ELSEWHERE_BLACK
			  : db_col_int(stmt, 0) == TRUST_GREY ? ELSEWHERE_GREY
							      : ELSEWHERE_WHITE;
		*_evidence = talloc_asprintf(mem_ctx, "%.*s: %.*s", BYTES_FMT(db_col_text(stmt, 1)),
					     BYTES_FMT(db_col_text(stmt, 2)));
	}
	db_reset(stmt);
	return err == GBA_OK && row && *_evidence == NULL ? GBA_E_NOMEM : err;
}

static enum gba_err due_first(struct records *r, int64_t *_device)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, "SELECT device FROM said_due ORDER BY device LIMIT 1", &stmt);

	return err == GBA_OK ? records_int(stmt, _device) : err;
}

static enum gba_err due_done(struct records *r, int64_t device)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, "DELETE FROM said_due WHERE device = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	records_written(r);
	db_bind_int(stmt, 1, device);
	return db_run(stmt, NULL);
}

static enum gba_err judge_due(struct records *r, const struct record_call *call, int64_t device)
{
	struct record_call one = *call;
	enum gba_err err;

	one.mem_ctx = talloc_new(call->mem_ctx);
	if (one.mem_ctx == NULL)
		return GBA_E_NOMEM;
	err = trust_judge(r, &one, device, false);
	if (err == GBA_OK)
		err = trust_restate(r, &one, device);
	if (err == GBA_OK || err == GBA_E_NOT_FOUND) /* removed meanwhile */
		err = due_done(r, device);
	talloc_free(one.mem_ctx);
	return err;
}

/* Until the slice is over, or none is left. */
static enum gba_err judge_some(struct records *r, const struct record_call *call, int64_t device)
{
	uint64_t began_ms = clock_mono_ms();
	enum gba_err err = records_begin(r);

	if (err != GBA_OK)
		return err;
	do {
		err = judge_due(r, call, device);
		if (err == GBA_OK)
			err = due_first(r, &device);
	} while (err == GBA_OK && !mass_slice_over(began_ms));
	if (err == GBA_OK || err == GBA_E_NOT_FOUND)
		return records_commit(r);
	records_rollback(r);
	return err;
}

/* More than this many are nothing that anybody waits for one by one. */
static enum gba_err are_many(struct records *r, bool *_many)
{
	struct db_stmt *stmt;
	int64_t n = 0;
	enum gba_err err = records_stmt(r, "SELECT count(*) FROM (SELECT 1 FROM said_due LIMIT ?1) AS d", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, MASS_FROM + 1);
	err = records_int(stmt, &n);
	*_many = n > MASS_FROM;
	return err;
}

/* @param _left  there are more */
static enum gba_err due_step(struct records *r, struct record_call *call, bool *_left)
{
	struct registry_handle *handle = registry_handle_of(r);
	int64_t device = 0;
	enum gba_err err = due_first(r, &device);

	*_left = err == GBA_OK;
	if (err == GBA_OK)
		err = are_many(r, &handle->many);
	if (err == GBA_OK)
		err = judge_some(r, call, device);
	handle->many = false;
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

enum gba_err trust_due(struct records *r, TALLOC_CTX *mem_ctx, time_t now, bool *_left)
{
	const struct actor node = { REG_ROLE_SYSTEM, 0, "system" };
	struct record_call call = { .actor = &node, .now = now, .mem_ctx = mem_ctx };
	enum gba_err err = due_step(r, &call, _left);

	return err == GBA_OK && !*_left ? mass_step(r, &call, _left) : err;
}
