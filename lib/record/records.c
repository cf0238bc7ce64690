/* SPDX-License-Identifier: Apache-2.0 */
/* Operations: rights, ownership, transaction around what store.c writes and the role's hooks demand. */
#include "record/records.h"

#include <stdlib.h>

#include "record/records_priv.h"

enum gba_err records_open(TALLOC_CTX *mem_ctx, const struct record_set *set, struct db *db, struct kek *kek, void *role,
			  struct records **_r, const char **_error)
{
	struct records *r = talloc_zero(mem_ctx, struct records);
	enum gba_err err = GBA_OK;

	*_error = gba_strerror(GBA_E_NOMEM);
	if (r == NULL)
		return GBA_E_NOMEM;
	r->set = set;
	r->db = db;
	r->kek = kek;
	r->role = role;
	r->made = talloc_zero_size(r, set->count * sizeof(*r->made));
	if (r->made == NULL)
		err = GBA_E_NOMEM;
	if (err == GBA_OK && kek != NULL && set->secrets != NULL)
		err = secrets_open(r);
	if (err != GBA_OK) {
		*_error = talloc_asprintf(mem_ctx, "the realm's secret: %s", gba_strerror(err));
		talloc_free(r);
		return err;
	}
	*_r = r;
	return GBA_OK;
}

void *records_role(struct records *r)
{
	return r->role;
}

struct kek *records_kek(struct records *r)
{
	return r->kek;
}

const struct record_set *records_set_of(struct records *r)
{
	return r->set;
}

struct db *records_db(struct records *r)
{
	return r->db;
}

struct secret *records_secret(struct records *r, size_t which)
{
	return r->secret[which];
}

void records_written(struct records *r)
{
	r->written = true;
}

bool records_in_transaction(struct records *r)
{
	return r->depth > 0;
}

int64_t records_version(struct records *r)
{
	return db_data_version(r->db);
}

static enum gba_err outer_begin(struct records *r)
{
	if (!r->group)
		return db_begin(r->db);
	return r->lost == GBA_OK ? db_part_begin(r->db) : r->lost;
}

enum gba_err records_begin(struct records *r)
{
	enum gba_err err = r->depth == 0 ? outer_begin(r) : GBA_OK;

	if (err != GBA_OK)
		return err;
	if (r->depth++ == 0)
		r->broken = GBA_OK;
	return GBA_OK;
}

static void over(struct records *r)
{
	if (r->set->ended != NULL)
		r->set->ended(r);
}

enum gba_err records_settle(struct records *r)
{
	if (r->broken != GBA_OK)
		return r->broken;
	return r->set->before_commit != NULL ? r->set->before_commit(r) : GBA_OK;
}

static void outer_undo(struct records *r)
{
	if (!r->group)
		db_rollback(r->db);
	else if (r->lost == GBA_OK)
		r->lost = db_part_undo(r->db);
	over(r);
}

enum gba_err records_commit(struct records *r)
{
	enum gba_err err;

	if (--r->depth > 0)
		return GBA_OK;
	err = records_settle(r);
	if (err != GBA_OK) {
		outer_undo(r);
		return err;
	}
	if (r->group) { /* over with the group */
		r->lost = db_part_keep(r->db);
		r->kept = true;
		return r->lost;
	}
	err = db_commit(r->db);
	over(r);
	return err;
}

void records_rollback(struct records *r)
{
	bool open = r->depth > 0;

	r->depth = 0;
	if (open || !r->group)
		outer_undo(r);
}

enum gba_err records_group_begin(struct records *r)
{
	r->lost = db_begin(r->db);
	r->group = true;
	r->kept = false;
	return r->lost;
}

enum gba_err records_group_end(struct records *r, enum gba_err err)
{
	r->group = false;
	if (err == GBA_OK)
		err = r->lost;
	if (err == GBA_OK && r->kept)
		err = db_commit(r->db);
	else
		db_rollback(r->db);
	over(r);
	return err;
}

enum gba_err records_part(struct records *r)
{
	enum gba_err err = db_part_begin(r->db);

	r->depth += err == GBA_OK;
	return err;
}

enum gba_err records_part_end(struct records *r, enum gba_err err, enum gba_err *_lost)
{
	enum gba_err done;

	r->depth--;
	if (err == GBA_OK)
		err = r->broken;
	done = err == GBA_OK ? db_part_keep(r->db) : db_part_undo(r->db);
	if (done == GBA_OK)
		r->broken = GBA_OK;
	*_lost = done;
	return err == GBA_OK ? done : err;
}

/* One operation: its own transaction, or part of the one that stands. A failure after something was written must undo
 * it: in a standing transaction the whole of it can no longer be committed. */
static enum gba_err op_begin(struct records *r, struct record_call *call)
{
	call->field[0] = call->why[0] = '\0';
	r->written = false;
	return records_begin(r);
}

static enum gba_err op_end(struct records *r, struct record_call *call, enum gba_err err)
{
	if (err != GBA_OK && call->why[0] == '\0')
		record_refuse(call, err, NULL, "%s", gba_strerror(err));
	if (err != GBA_OK && r->depth == 1) {
		records_rollback(r);
		return err;
	}
	if (err != GBA_OK && r->written)
		r->broken = err;
	if (err != GBA_OK) {
		r->depth--;
		return err;
	}
	err = records_commit(r);
	return err == GBA_OK ? err : record_refuse(call, err, NULL, "%s", gba_strerror(err));
}

static enum gba_err visible_stmt(struct records *r, const struct record_kind *kind, int role, struct db_stmt **_stmt)
{
	TALLOC_CTX *tmp = talloc_new(r);
	char *scope = record_scope(tmp, kind, role, 2);
	enum gba_err err = scope != NULL ? GBA_OK : GBA_E_NOMEM;

	if (err == GBA_OK)
		err = records_stmt(r,
				   talloc_asprintf(tmp, "SELECT 1 FROM %s WHERE id = ?1%s%s", kind->table,
						   scope[0] != '\0' ? " AND " : "", scope),
				   _stmt);
	r->made[kind->id][MADE_VISIBLE + role] = err == GBA_OK ? *_stmt : NULL;
	talloc_free(tmp);
	return err;
}

enum gba_err record_visible(struct records *r, struct record_call *call, int kind, int64_t id)
{
	int role = call->actor->role;
	struct db_stmt *stmt = r->made[kind][MADE_VISIBLE + role];
	const char *scope = r->set->kinds[kind].scope[role];
	enum gba_err err = GBA_OK;
	int64_t one;

	if (scope == NULL)
		return GBA_E_NOT_FOUND;
	if (stmt == NULL)
		err = visible_stmt(r, &r->set->kinds[kind], role, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, id);
	if (strchr(scope, '@') != NULL)
		db_bind_int(stmt, 2, call->actor->id);
	return records_int(stmt, &one);
}

/* What a record refers to must be there for this actor. Only references that changed are asked for. */
static enum gba_err references_check(struct records *r, struct record_call *call, const struct record *old,
				     const struct record *now)
{
	const struct field *field;
	enum gba_err err;
	size_t i;

	for (i = 0; i < now->kind->count; i++) {
		field = &now->kind->fields[i];
		if (field->type != FIELD_REF || now->v[i].n == 0 || (old != NULL && old->v[i].n == now->v[i].n))
			continue;
		err = record_visible(r, call, field->ref, now->v[i].n);
		if (err == GBA_E_NOT_FOUND)
			return record_refuse(call, err, field->name, "no %s %lld", r->set->kinds[field->ref].name,
					     (long long)now->v[i].n);
		if (err != GBA_OK)
			return err;
	}
	return GBA_OK;
}

enum gba_err record_add_by_rules(struct records *r, struct record_call *call, struct record *now, const char *act)
{
	enum gba_err err;

	err = references_check(r, call, NULL, now);
	if (err == GBA_OK && now->kind->before != NULL)
		err = now->kind->before(r, call, NULL, now);
	if (err == GBA_OK)
		err = record_complete(call, now);
	if (err == GBA_OK)
		err = record_insert(r, call, now, act);
	if (err == GBA_OK && now->kind->after != NULL)
		err = now->kind->after(r, call, NULL, now);
	return err;
}

enum gba_err record_set_by_rules(struct records *r, struct record_call *call, const struct record *old,
				 struct record *now, const char *act)
{
	enum gba_err err;

	err = references_check(r, call, old, now);
	if (err == GBA_OK && now->kind->before != NULL)
		err = now->kind->before(r, call, old, now);
	if (err == GBA_OK)
		err = record_complete(call, now);
	if (err == GBA_OK)
		err = record_update(r, call, old, now, act);
	if (err == GBA_OK && now->kind->after != NULL)
		err = now->kind->after(r, call, old, now);
	return err;
}

/* The first record that hangs on `old` by this row of the table. @retval GBA_E_NOT_FOUND  none */
static enum gba_err hanging_first(struct records *r, const struct record *old, const struct record_hang *hang,
				  int64_t *_id)
{
	TALLOC_CTX *tmp = talloc_new(r);
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = records_stmt(r,
			   talloc_asprintf(tmp, "SELECT id FROM %s WHERE %s = ?1%s ORDER BY id LIMIT 1",
					   r->set->kinds[hang->child].table, hang->column,
					   hang->owner_type >= 0 ? " AND owner_type = ?2" : ""),
			   &stmt);
	talloc_free(tmp);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, old->id);
	if (hang->owner_type >= 0)
		db_bind_int(stmt, 2, hang->owner_type);
	return records_int(stmt, _id);
}

static enum gba_err hanging_remove(struct records *r, struct record_call *call, const struct record *old,
				   const struct record_hang *hang)
{
	struct record *child = NULL;
	int64_t id = 0;
	enum gba_err err;

	while ((err = hanging_first(r, old, hang, &id)) == GBA_OK) {
		if (hang->keep)
			return record_refuse(call, GBA_E_STATE, NULL, "%s %lld is registered from it",
					     r->set->kinds[hang->child].name, (long long)id);
		err = record_load(r, call->mem_ctx, hang->child, id, &child);
		if (err == GBA_OK)
			err = record_remove_by_rules(r, call, child);
		talloc_free(child);
		child = NULL;
		if (err != GBA_OK)
			return err;
	}
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

enum gba_err record_remove_by_rules(struct records *r, struct record_call *call, const struct record *old)
{
	const struct record_hang *hang = r->set->hangs, *end = hang + r->set->n_hangs;
	enum gba_err err = GBA_OK;

	if (old->kind->before != NULL)
		err = old->kind->before(r, call, old, NULL);
	for (; err == GBA_OK && hang < end; hang++) {
		if (hang->parent == old->kind->id)
			err = hanging_remove(r, call, old, hang);
	}
	if (err == GBA_OK)
		err = record_delete(r, call, old, "remove");
	if (err == GBA_OK && old->kind->after != NULL)
		err = old->kind->after(r, call, old, NULL);
	return err;
}

static enum gba_err may(struct records *r, struct record_call *call, const struct record_kind *kind, unsigned int roles,
			const char *what)
{
	if ((roles & (1U << call->actor->role)) != 0)
		return GBA_OK;
	return record_refuse(call, GBA_E_DENIED, NULL, "%s may not %s %s records", r->set->roles[call->actor->role],
			     what, kind->name);
}

static enum gba_err add(struct records *r, struct record_call *call, const struct record_kind *kind, json_t *values,
			struct record **_rec)
{
	enum gba_err err;

	err = may(r, call, kind, kind->add, "add");
	if (err == GBA_OK)
		err = record_new(call->mem_ctx, kind, _rec);
	if (err == GBA_OK)
		err = record_take(call, *_rec, values, true);
	if (err == GBA_OK)
		err = record_add_by_rules(r, call, *_rec, "add");
	if (err == GBA_OK && (r->set->all & (1U << call->actor->role)) == 0)
		err = record_visible(r, call, kind->id, (*_rec)->id); /* not for somebody else */
	return err;
}

/* What is given out is the record as it stands after all that followed from the change. */
static enum gba_err settled(struct records *r, struct record_call *call, enum gba_err err, struct record *rec,
			    struct record **_rec)
{
	int kind;
	int64_t id;

	if (err == GBA_OK && _rec != NULL) {
		kind = rec->kind->id;
		id = rec->id;
		err = record_load(r, call->mem_ctx, kind, id, _rec);
	}
	talloc_free(rec);
	return err;
}

enum gba_err records_add(struct records *r, struct record_call *call, int kind, json_t *values, struct record **_rec)
{
	struct record *rec = NULL;
	enum gba_err err;

	err = op_begin(r, call);
	if (err != GBA_OK)
		return record_refuse(call, err, NULL, "%s", gba_strerror(err));
	err = op_end(r, call, add(r, call, &r->set->kinds[kind], values, &rec));
	return settled(r, call, err, rec, _rec);
}

/* The record as it stands, if it is the actor's and has not moved since the caller saw it. */
static enum gba_err current(struct records *r, struct record_call *call, const struct record *seen,
			    struct record **_rec)
{
	enum gba_err err;

	err = record_visible(r, call, seen->kind->id, seen->id);
	if (err == GBA_OK)
		err = record_load(r, call->mem_ctx, seen->kind->id, seen->id, _rec);
	if (err == GBA_E_NOT_FOUND)
		return record_refuse(call, err, NULL, "no %s %lld", seen->kind->name, (long long)seen->id);
	if (err == GBA_OK && seen->rev != 0 && seen->rev != (*_rec)->rev)
		return record_refuse(call, GBA_E_STALE, NULL, "changed meanwhile: revision %lld",
				     (long long)(*_rec)->rev);
	return err;
}

static enum gba_err set(struct records *r, struct record_call *call, const struct record *seen, json_t *values,
			struct record **_rec)
{
	struct record *old = NULL, *now;
	enum gba_err err;

	err = may(r, call, seen->kind, seen->kind->change, "change");
	if (err == GBA_OK)
		err = current(r, call, seen, &old);
	if (err != GBA_OK)
		return err;
	now = record_copy(call->mem_ctx, old);
	if (now == NULL)
		return GBA_E_NOMEM;
	talloc_steal(now, old);
	*_rec = now;
	err = record_take(call, now, values, false);
	if (err == GBA_OK)
		err = record_set_by_rules(r, call, old, now, "set");
	if (err == GBA_OK && (r->set->all & (1U << call->actor->role)) == 0)
		err = record_visible(r, call, now->kind->id, now->id);
	return err;
}

enum gba_err records_set(struct records *r, struct record_call *call, const struct record *old, json_t *values,
			 struct record **_rec)
{
	struct record *now = NULL;
	enum gba_err err;

	err = op_begin(r, call);
	if (err != GBA_OK)
		return record_refuse(call, err, NULL, "%s", gba_strerror(err));
	err = op_end(r, call, set(r, call, old, values, &now));
	return settled(r, call, err, now, _rec);
}

enum gba_err records_remove(struct records *r, struct record_call *call, const struct record *old)
{
	struct record *rec = NULL;
	enum gba_err err;

	err = op_begin(r, call);
	if (err != GBA_OK)
		return record_refuse(call, err, NULL, "%s", gba_strerror(err));
	err = may(r, call, old->kind, old->kind->remove, "remove");
	if (err == GBA_OK)
		err = current(r, call, old, &rec);
	if (err == GBA_OK)
		err = record_remove_by_rules(r, call, rec);
	return op_end(r, call, err);
}

static bool argument_known(const struct record_verb *verb, const char *name)
{
	size_t i;

	for (i = 0; verb->arguments[i] != NULL; i++) {
		if (strcmp(verb->arguments[i], name) == 0)
			return true;
	}
	return false;
}

static enum gba_err run_verb(struct records *r, struct record_call *call, const struct record *seen, const char *name,
			     json_t *arguments)
{
	const struct record_verb *verb = seen->kind->verbs;
	struct record *old = NULL;
	const char *member;
	json_t *value;
	enum gba_err err;

	while (verb != NULL && verb->name != NULL && strcmp(verb->name, name) != 0)
		verb++;
	if (verb == NULL || verb->name == NULL)
		return record_refuse(call, GBA_E_UNSUPPORTED, NULL, "%s records have no verb %s", seen->kind->name,
				     name);
	err = may(r, call, seen->kind, verb->roles, verb->name);
	if (err == GBA_OK)
		err = current(r, call, seen, &old);
	if (err != GBA_OK)
		return err;
	json_object_foreach(arguments, member, value)
	{
		if (!argument_known(verb, member))
			return record_refuse(call, GBA_E_SYNTAX, member, "no such member");
	}
	return verb->run(r, call, old, arguments);
}

enum gba_err records_do(struct records *r, struct record_call *call, const struct record *old, const char *verb,
			json_t *arguments, struct record **_rec)
{
	enum gba_err err;

	err = op_begin(r, call);
	if (err != GBA_OK)
		return record_refuse(call, err, NULL, "%s", gba_strerror(err));
	err = op_end(r, call, run_verb(r, call, old, verb, arguments));
	return err == GBA_OK && _rec != NULL ? records_get(r, call, old->kind->id, old->id, _rec) : err;
}

enum gba_err records_get(struct records *r, struct record_call *call, int kind, int64_t id, struct record **_rec)
{
	enum gba_err err;

	call->field[0] = call->why[0] = '\0';
	err = record_visible(r, call, kind, id);
	if (err == GBA_OK)
		err = record_load(r, call->mem_ctx, kind, id, _rec);
	if (err == GBA_E_NOT_FOUND)
		return record_refuse(call, err, NULL, "no %s %lld", r->set->kinds[kind].name, (long long)id);
	return err == GBA_OK ? err : record_refuse(call, err, NULL, "%s", gba_strerror(err));
}
