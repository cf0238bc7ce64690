/* SPDX-License-Identifier: Apache-2.0 */
/* What other registries say of devices of this one (Y.3059 7-iv-d). It counts for everybody until we say something later; that
 * we do by our rules, in which it is a fact of its own. */
#include "registry-fn/trust/said.h"

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

static enum gba_err judge_due(struct records *r, struct record_call *call, int64_t device)
{
	enum gba_err err = records_begin(r);

	if (err != GBA_OK)
		return err;
	err = trust_judge(r, call, device, false);
	if (err == GBA_OK)
		err = trust_restate(r, call, device);
	if (err == GBA_OK || err == GBA_E_NOT_FOUND) /* removed meanwhile */
		err = due_done(r, device);
	if (err == GBA_OK)
		return records_commit(r);
	records_rollback(r);
	return err;
}

enum gba_err trust_said_sweep(struct records *r, struct record_call *call)
{
	int64_t device = 0;
	enum gba_err err;
	int left = 1000; /* others have their turn, too */

	while (left-- > 0 && (err = due_first(r, &device)) == GBA_OK) {
		err = judge_due(r, call, device);
		if (err != GBA_OK)
			return err;
	}
	return left < 0 || err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

enum gba_err trust_due(struct records *r, TALLOC_CTX *mem_ctx, time_t now, bool *_left)
{
	const struct actor node = { REG_ROLE_SYSTEM, 0, "system" };
	struct record_call call = { .actor = &node, .now = now, .mem_ctx = mem_ctx };
	int64_t device = 0;
	enum gba_err err = trust_said_sweep(r, &call);

	*_left = false;
	if (err == GBA_OK)
		err = due_first(r, &device);
	*_left = err == GBA_OK;
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}
