/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL of a record, made from its kind's table. */
#include <stdio.h>

#include "record/records_priv.h"

#define HEAD_COLUMNS 4 /* id, rev, created, changed */

enum gba_err records_stmt(struct records *r, const char *sql, struct db_stmt **_stmt)
{
	enum gba_err err;
	size_t i;

	if (sql == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < r->statements; i++) {
		if (r->statement[i].sql == sql || strcmp(r->statement[i].sql, sql) == 0) {
			*_stmt = r->statement[i].stmt;
			return GBA_OK;
		}
	}
	if (r->statements == STATEMENTS_MAX)
		return GBA_E_INTERNAL; /* texts come from tables: their number is bounded */
	err = db_prepare(r->db, sql, _stmt);
	if (err != GBA_OK)
		return err;
	r->statement[i].sql = talloc_strdup(r, sql);
	r->statement[i].stmt = *_stmt;
	if (r->statement[i].sql == NULL)
		return GBA_E_NOMEM;
	r->statements++;
	return GBA_OK;
}

enum gba_err records_int(struct db_stmt *stmt, int64_t *_value)
{
	enum gba_err err;
	bool row = false;

	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		*_value = db_col_int(stmt, 0);
	db_reset(stmt);
	return err == GBA_OK && !row ? GBA_E_NOT_FOUND : err;
}

enum gba_err records_run(struct records *r, const char *sql, int64_t id)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, sql, &stmt);

	if (err != GBA_OK)
		return err;
	records_written(r);
	db_bind_int(stmt, 1, id);
	return db_run(stmt, NULL);
}

char *record_columns(TALLOC_CTX *ctx, const struct record_kind *kind)
{
	char *text = talloc_strdup(ctx, "id, rev, created, changed");
	size_t i;

	for (i = 0; i < kind->count; i++) {
		if (field_stored(&kind->fields[i]))
			text = talloc_asprintf_append(text, ", %s", kind->fields[i].name);
	}
	return text;
}

char *record_scope(TALLOC_CTX *ctx, const struct record_kind *kind, int role, int number)
{
	const char *scope = kind->scope[role];
	char *text;

	if (scope == NULL)
		return NULL;
	for (text = talloc_strdup(ctx, ""); *scope != '\0'; scope++) {
		if (*scope == '@')
			text = talloc_asprintf_append(text, "?%d", number);
		else
			text = talloc_strndup_append(text, scope, 1);
	}
	return text;
}

struct bytes record_seal_about(const struct record_kind *kind, int64_t id, const struct field *field,
			       char about[RECORD_ABOUT_MAX])
{
	snprintf(about, RECORD_ABOUT_MAX, "%s/%lld/%s", kind->name, (long long)id, field->name);
	return bytes_of(about);
}

static enum gba_err value_unseal(struct records *r, struct record *rec, const struct field *field, struct bytes sealed,
				 struct bytes *_clear)
{
	char about[RECORD_ABOUT_MAX];
	uint8_t *clear;
	enum gba_err err;

	*_clear = BYTES_NONE;
	if (sealed.p == NULL)
		return GBA_OK;
	if (sealed.n < SEAL_OVERHEAD)
		return GBA_E_CORRUPT;
	clear = talloc_zero_size(rec, sealed.n - SEAL_OVERHEAD + 1);
	if (clear == NULL)
		return GBA_E_NOMEM;
	secret_guard_chunk(clear);
	err = unseal(r->kek, record_seal_about(rec->kind, rec->id, field, about), sealed, clear);
	if (err == GBA_OK)
		*_clear = BYTES(clear, sealed.n - SEAL_OVERHEAD);
	return err;
}

static enum gba_err value_read(struct records *r, struct record *rec, const struct field *field, struct db_stmt *row,
			       int column)
{
	struct value *value = &rec->v[field - rec->kind->fields];
	size_t words = 0;

	switch (field->type) {
	case FIELD_TEXT:
	case FIELD_LIST: return records_keep(rec, db_col_text(row, column), &value->t);
	case FIELD_SEALED: return value_unseal(r, rec, field, db_col_blob(row, column), &value->t);
	case FIELD_WORD:
		while (field->words[words] != NULL)
			words++;
		value->n = db_col_int(row, column);
		return value->n >= 0 && value->n < (int64_t)words ? GBA_OK : GBA_E_CORRUPT;
	default: value->n = db_col_int(row, column); return GBA_OK;
	}
}

enum gba_err record_row(struct records *r, TALLOC_CTX *mem_ctx, const struct record_kind *kind, struct db_stmt *row,
			struct record **_rec)
{
	struct record *rec = talloc_zero(mem_ctx, struct record);
	enum gba_err err = GBA_OK;
	int column = HEAD_COLUMNS;
	size_t i;

	if (rec == NULL)
		return GBA_E_NOMEM;
	rec->kind = kind;
	rec->id = db_col_int(row, 0);
	rec->rev = db_col_int(row, 1);
	rec->created = (time_t)db_col_int(row, 2);
	rec->changed = (time_t)db_col_int(row, 3);
	for (i = 0; err == GBA_OK && i < kind->count; i++) {
		if (field_stored(&kind->fields[i]))
			err = value_read(r, rec, &kind->fields[i], row, column++);
	}
	if (err == GBA_OK && kind->derive != NULL)
		err = kind->derive(rec);
	if (err != GBA_OK) {
		talloc_free(rec);
		return err;
	}
	*_rec = rec;
	return GBA_OK;
}

static enum gba_err load_stmt(struct records *r, const struct record_kind *kind, struct db_stmt **_stmt)
{
	TALLOC_CTX *tmp = talloc_new(r);
	enum gba_err err = records_stmt(
		r, talloc_asprintf(tmp, "SELECT %s FROM %s WHERE id = ?1", record_columns(tmp, kind), kind->table),
		_stmt);

	r->made[kind->id][MADE_LOAD] = err == GBA_OK ? *_stmt : NULL;
	talloc_free(tmp);
	return err;
}

enum gba_err record_load(struct records *r, TALLOC_CTX *mem_ctx, int kind, int64_t id, struct record **_rec)
{
	struct db_stmt *stmt = r->made[kind][MADE_LOAD];
	enum gba_err err = GBA_OK;
	bool row = false;

	if (stmt == NULL)
		err = load_stmt(r, &r->set->kinds[kind], &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, id);
	err = db_step(stmt, &row);
	if (err == GBA_OK)
		err = row ? record_row(r, mem_ctx, &r->set->kinds[kind], stmt, _rec) : GBA_E_NOT_FOUND;
	db_reset(stmt);
	return err;
}

static enum gba_err bind_sealed(struct records *r, struct db_stmt *stmt, int number, const struct record *rec,
				const struct field *field)
{
	struct bytes clear = rec->v[field - rec->kind->fields].t;
	char about[RECORD_ABOUT_MAX];
	uint8_t *sealed;
	enum gba_err err;

	if (clear.p == NULL || rec->id == 0) { /* bound to the id: sealed once it is known */
		db_bind_blob(stmt, number, BYTES_NONE);
		return GBA_OK;
	}
	sealed = talloc_size(r, clear.n + SEAL_OVERHEAD);
	err = sealed != NULL ? seal(r->kek, record_seal_about(rec->kind, rec->id, field, about), clear, sealed)
			     : GBA_E_NOMEM;
	if (err == GBA_OK)
		db_bind_blob(stmt, number, BYTES(sealed, clear.n + SEAL_OVERHEAD));
	talloc_free(sealed);
	return err;
}

/* The members from parameter `number` on. */
static enum gba_err bind_values(struct records *r, struct db_stmt *stmt, int number, const struct record *rec)
{
	enum gba_err err = GBA_OK;
	const struct field *field;
	size_t i;

	for (i = 0; err == GBA_OK && i < rec->kind->count; i++) {
		field = &rec->kind->fields[i];
		if (!field_stored(field))
			continue;
		if (field->type == FIELD_SEALED)
			err = bind_sealed(r, stmt, number, rec, field);
		else if (field->type == FIELD_TEXT || field->type == FIELD_LIST)
			db_bind_text(stmt, number, rec->v[i].t);
		else
			db_bind_int(stmt, number, rec->v[i].n);
		number++;
	}
	return err;
}

static enum gba_err insert_stmt(struct records *r, const struct record_kind *kind, struct db_stmt **_stmt)
{
	TALLOC_CTX *tmp = talloc_new(r);
	char *names = talloc_strdup(tmp, "rev, created, changed"), *marks = talloc_strdup(tmp, "1, ?1, ?1");
	enum gba_err err;
	int number = 2;
	size_t i;

	for (i = 0; i < kind->count; i++) {
		if (!field_stored(&kind->fields[i]))
			continue;
		names = talloc_asprintf_append(names, ", %s", kind->fields[i].name);
		marks = talloc_asprintf_append(marks, ", ?%d", number++);
	}
	err = records_stmt(
		r, talloc_asprintf(tmp, "INSERT INTO %s (%s) VALUES (%s) RETURNING id", kind->table, names, marks),
		_stmt);
	r->made[kind->id][MADE_INSERT] = err == GBA_OK ? *_stmt : NULL;
	talloc_free(tmp);
	return err;
}

static enum gba_err update_stmt(struct records *r, const struct record_kind *kind, struct db_stmt **_stmt)
{
	TALLOC_CTX *tmp = talloc_new(r);
	char *sets = talloc_strdup(tmp, "rev = ?2, changed = ?3");
	enum gba_err err;
	int number = 4;
	size_t i;

	for (i = 0; i < kind->count; i++) {
		if (field_stored(&kind->fields[i]))
			sets = talloc_asprintf_append(sets, ", %s = ?%d", kind->fields[i].name, number++);
	}
	err = records_stmt(r, talloc_asprintf(tmp, "UPDATE %s SET %s WHERE id = ?1", kind->table, sets), _stmt);
	r->made[kind->id][MADE_UPDATE] = err == GBA_OK ? *_stmt : NULL;
	talloc_free(tmp);
	return err;
}

static enum gba_err update_row(struct records *r, const struct record *now)
{
	struct db_stmt *stmt = r->made[now->kind->id][MADE_UPDATE];
	enum gba_err err = GBA_OK;
	int changed = 0;

	if (stmt == NULL)
		err = update_stmt(r, now->kind, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now->id);
	db_bind_int(stmt, 2, now->rev);
	db_bind_int(stmt, 3, now->changed);
	err = bind_values(r, stmt, 4, now);
	if (err != GBA_OK) {
		db_reset(stmt);
		return err;
	}
	err = db_run(stmt, &changed);
	return err == GBA_OK && changed == 0 ? GBA_E_NOT_FOUND : err;
}

static bool has_sealed(const struct record *rec)
{
	size_t i;

	for (i = 0; i < rec->kind->count; i++) {
		if (rec->kind->fields[i].type == FIELD_SEALED && rec->v[i].t.p != NULL)
			return true;
	}
	return false;
}

static enum gba_err history_add(struct records *r, struct record_call *call, const struct record *old,
				const struct record *now, const char *act)
{
	const struct record *rec = now != NULL ? now : old;
	struct db_stmt *stmt = NULL;
	char *diff;
	enum gba_err err;

	err = records_stmt(
		r, "INSERT INTO history (kind, record, rev, at, who, act, change) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		&stmt);
	if (err != GBA_OK)
		return err;
	diff = record_diff(call->mem_ctx, old, now);
	if (diff == NULL)
		return GBA_E_NOMEM;
	db_bind_int(stmt, 1, rec->kind->id);
	db_bind_int(stmt, 2, rec->id);
	db_bind_int(stmt, 3, rec->rev);
	db_bind_int(stmt, 4, call->now);
	db_bind_text(stmt, 5, bytes_of(call->actor->name));
	db_bind_text(stmt, 6, bytes_of(act));
	db_bind_text(stmt, 7, bytes_of(diff));
	err = db_run(stmt, NULL);
	talloc_free(diff);
	return err;
}

enum gba_err record_insert(struct records *r, struct record_call *call, struct record *now, const char *act)
{
	struct db_stmt *stmt = r->made[now->kind->id][MADE_INSERT];
	int64_t id = 0;
	enum gba_err err = GBA_OK;

	if (stmt == NULL)
		err = insert_stmt(r, now->kind, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, call->now);
	err = bind_values(r, stmt, 2, now);
	if (err == GBA_OK)
		err = records_int(stmt, &id);
	if (err == GBA_E_EXISTS)
		return record_refuse(call, err, NULL, "such a %s exists already", now->kind->name);
	if (err != GBA_OK)
		return err;
	r->written = true;
	now->id = id;
	now->rev = 1;
	now->created = now->changed = call->now;
	if (has_sealed(now))
		err = update_row(r, now);
	if (err == GBA_OK && now->kind->derive != NULL)
		err = now->kind->derive(now);
	return err == GBA_OK ? history_add(r, call, NULL, now, act) : err;
}

enum gba_err record_update(struct records *r, struct record_call *call, const struct record *old, struct record *now,
			   const char *act)
{
	enum gba_err err;

	now->rev = old->rev + 1;
	now->changed = call->now;
	r->written = true;
	err = update_row(r, now);
	if (err == GBA_E_EXISTS)
		return record_refuse(call, err, NULL, "such a %s exists already", now->kind->name);
	if (err == GBA_OK && now->kind->derive != NULL)
		err = now->kind->derive(now);
	return err == GBA_OK ? history_add(r, call, old, now, act) : err;
}

enum gba_err record_delete(struct records *r, struct record_call *call, const struct record *old, const char *act)
{
	TALLOC_CTX *tmp = talloc_new(r);
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = records_stmt(r, talloc_asprintf(tmp, "DELETE FROM %s WHERE id = ?1", old->kind->table), &stmt);
	talloc_free(tmp);
	if (err != GBA_OK)
		return err;
	r->written = true;
	db_bind_int(stmt, 1, old->id);
	err = db_run(stmt, NULL);
	return err == GBA_OK ? history_add(r, call, old, NULL, act) : err;
}
