/* SPDX-License-Identifier: Apache-2.0 */
/** What a role's hooks (before, after, verbs, before_commit) and its own operations beside the records may use. All of it runs
 * within a transaction: a hook's, or between records_begin and records_commit.
 *
 *	static enum gba_err maker_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
 *	{
 *		if (now == NULL || now->v[MAKER_POLICY_URL].t.p != NULL)
 *			return GBA_OK;
 *		return record_refuse(call, GBA_E_SYNTAX, "policy_url", "a maker publishes its policy");
 *	}
 */
#ifndef GBA_RECORD_RULES_H
#define GBA_RECORD_RULES_H

#include "record/records.h"
#include "store/db.h"

/** The key-encryption key; NULL: nothing can be sealed. */
struct kek *records_kek(struct records *r);
/** The role's own state, as given to records_open. */
void *records_role(struct records *r);
const struct record_set *records_set_of(struct records *r);
/** The database below, for the role's own tables. */
struct db *records_db(struct records *r);
/** A secret of the set, by its place there. */
struct secret *records_secret(struct records *r, size_t which);
/** The operation under way has written something of the role's own: a failure from here on breaks the transaction. */
void records_written(struct records *r);
bool records_in_transaction(struct records *r);

/** Fill call->field (NULL: "") and call->why; @return err */
enum gba_err record_refuse(struct record_call *call, enum gba_err err, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/** The statement of this text, prepared once. Nobody may step it twice at a time: read all rows, then act. */
enum gba_err records_stmt(struct records *r, const char *sql, struct db_stmt **_stmt);
/** One integer of one row. @retval GBA_E_NOT_FOUND  no row */
enum gba_err records_int(struct db_stmt *stmt, int64_t *_value);
/** Run a statement that writes. @param id  its ?1 */
enum gba_err records_run(struct records *r, const char *sql, int64_t id);
/** Copy of a view, with a NUL behind; absent stays absent. */
enum gba_err records_keep(TALLOC_CTX *ctx, struct bytes view, struct bytes *_copy);
/** All defaults. */
enum gba_err record_new(TALLOC_CTX *mem_ctx, const struct record_kind *kind, struct record **_rec);
/** Values shared with old. */
struct record *record_copy(TALLOC_CTX *mem_ctx, const struct record *old);
/** Members of a JSON object into the record, as far as the role may. @param add  else change */
enum gba_err record_take(struct record_call *call, struct record *rec, json_t *values, bool add);
/** One member, without asking for rights. */
enum gba_err value_take(struct record_call *call, TALLOC_CTX *ctx, const struct field *field, json_t *json, struct value *_value);
/** SQL and history of one record; no rights, no rules. */
enum gba_err record_load(struct records *r, TALLOC_CTX *mem_ctx, int kind, int64_t id, struct record **_rec);
enum gba_err record_insert(struct records *r, struct record_call *call, struct record *now, const char *act);
enum gba_err record_update(struct records *r, struct record_call *call, const struct record *old, struct record *now,
			   const char *act);
enum gba_err record_delete(struct records *r, struct record_call *call, const struct record *old, const char *act);
/** All that records_add, set, remove do, in the transaction that stands. */
enum gba_err record_add_by_rules(struct records *r, struct record_call *call, struct record *now, const char *act);
enum gba_err record_set_by_rules(struct records *r, struct record_call *call, const struct record *old, struct record *now,
				 const char *act);
enum gba_err record_remove_by_rules(struct records *r, struct record_call *call, const struct record *old);
/** Does the actor see the record as it stands in the database? @retval GBA_E_NOT_FOUND */
enum gba_err record_visible(struct records *r, struct record_call *call, int kind, int64_t id);

#endif
