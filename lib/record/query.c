/* SPDX-License-Identifier: Apache-2.0 */
/* Finding by natural key, lists with filters, history. */
#include <stdlib.h>

#include "record/records_priv.h"

/* A condition under construction: its text and the values of its parameters. */
struct condition {
	char *text;
	int parameters;
	struct {
		bool is_text;
		struct value value;
	} bound[RECORD_FILTERS_MAX + 4];
};

static void condition_open(TALLOC_CTX *ctx, struct condition *c)
{
	memset(c, 0, sizeof(*c));
	c->text = talloc_strdup(ctx, "");
}

static int bind_later(struct condition *c, const struct value *value, bool is_text)
{
	c->bound[c->parameters].value = *value;
	c->bound[c->parameters].is_text = is_text;
	return ++c->parameters;
}

static void add_int(struct condition *c, const char *column, const char *op, int64_t n)
{
	struct value value = { .n = n };
	int number = bind_later(c, &value, false);

	c->text = talloc_asprintf_append(c->text, "%s%s %s ?%d", c->text[0] != '\0' ? " AND " : "", column, op, number);
}

static void add_field(struct condition *c, const struct field *field, const struct value *value)
{
	bool is_text = field->type == FIELD_TEXT;
	int number = bind_later(c, value, is_text);

	c->text = talloc_asprintf_append(c->text, "%s%s = ?%d", c->text[0] != '\0' ? " AND " : "", field->name, number);
}

/* False: the role sees nothing. */
static bool add_scope(TALLOC_CTX *ctx, struct condition *c, const struct record_kind *kind, const struct actor *actor)
{
	struct value id = { .n = actor->id };
	char *scope = record_scope(ctx, kind, actor->role, c->parameters + 1);

	if (scope == NULL)
		return false;
	if (scope[0] == '\0')
		return true;
	if (strchr(scope, '?') != NULL)
		bind_later(c, &id, false);
	c->text = talloc_asprintf_append(c->text, "%s%s", c->text[0] != '\0' ? " AND " : "", scope);
	return true;
}

static void condition_bind(const struct condition *c, struct db_stmt *stmt)
{
	int i;

	for (i = 0; i < c->parameters; i++) {
		if (c->bound[i].is_text)
			db_bind_text(stmt, i + 1, c->bound[i].value.t);
		else
			db_bind_int(stmt, i + 1, c->bound[i].value.n);
	}
}

/* All of the rows of a statement, at most limit. */
static enum gba_err rows_read(struct records *r, TALLOC_CTX *ctx, const struct record_kind *kind, struct db_stmt *stmt,
			      size_t limit, struct record_page *page)
{
	enum gba_err err = GBA_OK;
	bool row = true;

	page->rec = talloc_array(ctx, struct record *, limit + 1);
	if (page->rec == NULL)
		return GBA_E_NOMEM;
	while (err == GBA_OK && page->count < limit) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		err = record_row(r, page->rec, kind, stmt, &page->rec[page->count]);
		page->count += err == GBA_OK;
	}
	db_reset(stmt);
	return err;
}

static enum gba_err select_records(struct records *r, TALLOC_CTX *ctx, const struct record_kind *kind,
				   struct condition *c, size_t limit, struct record_page *page)
{
	struct db_stmt *stmt = NULL;
	struct value n = { .n = (int64_t)limit };
	int number = bind_later(c, &n, false);
	enum gba_err err;

	err = records_stmt(r,
			   talloc_asprintf(c->text, "SELECT %s FROM %s%s%s ORDER BY id LIMIT ?%d",
					   record_columns(c->text, kind), kind->table,
					   c->text[0] != '\0' ? " WHERE " : "", c->text, number),
			   &stmt);
	if (err != GBA_OK)
		return err;
	condition_bind(c, stmt);
	return rows_read(r, ctx, kind, stmt, limit, page);
}

static enum gba_err key_condition(struct record_call *call, TALLOC_CTX *ctx, const struct record_kind *kind,
				  json_t *key, struct condition *c)
{
	struct value value;
	json_t *given;
	enum gba_err err;
	size_t i;

	for (i = 0; i < kind->count; i++) {
		const struct field *field = &kind->fields[i];

		if ((field->flags & FIELD_KEY) == 0)
			continue;
		given = json_object_get(key, field->name);
		if (given == NULL || (field->read & (1U << call->actor->role)) == 0)
			return record_refuse(call, GBA_E_SYNTAX, field->name, "is needed");
		memset(&value, 0, sizeof(value));
		err = value_take(call, ctx, field, given, &value);
		if (err != GBA_OK)
			return err;
		add_field(c, field, &value);
	}
	return c->parameters > 0 ? GBA_OK
				 : record_refuse(call, GBA_E_UNSUPPORTED, NULL, "%s records have no key", kind->name);
}

enum gba_err records_find(struct records *r, struct record_call *call, int kind, json_t *key, struct record **_rec)
{
	const struct record_kind *k = &r->set->kinds[kind];
	TALLOC_CTX *tmp = talloc_new(r);
	struct record_page page = { 0 };
	struct condition c;
	enum gba_err err;

	call->field[0] = call->why[0] = '\0';
	condition_open(tmp, &c);
	err = key_condition(call, tmp, k, key, &c);
	if (err == GBA_OK && !add_scope(tmp, &c, k, call->actor))
		err = GBA_E_NOT_FOUND;
	if (err == GBA_OK)
		err = select_records(r, tmp, k, &c, 1, &page);
	if (err == GBA_OK && page.count == 0)
		err = GBA_E_NOT_FOUND;
	if (err == GBA_OK)
		*_rec = talloc_steal(call->mem_ctx, page.rec[0]);
	talloc_free(tmp);
	return err == GBA_OK || call->why[0] != '\0' ? err : record_refuse(call, err, NULL, "no such %s", k->name);
}

static enum gba_err add_filter(struct record_call *call, TALLOC_CTX *ctx, const struct record_kind *kind,
			       const char *name, const char *text, struct condition *c)
{
	const struct field *field = field_find(kind, name);
	struct value value = { 0 };
	json_t *object;
	enum gba_err err;

	if (field == NULL || (field->flags & FIELD_FILTER) == 0 || (field->read & (1U << call->actor->role)) == 0)
		return record_refuse(call, GBA_E_SYNTAX, name, "no filter of this list");
	object = json_object();
	err = records_value(call, kind, name, bytes_of(text), object);
	if (err == GBA_OK)
		err = value_take(call, ctx, field, json_object_get(object, name), &value);
	json_decref(object);
	if (err == GBA_OK && field->type == FIELD_TEXT && value.t.p == NULL)
		return record_refuse(call, GBA_E_SYNTAX, name, "a value is needed");
	if (err == GBA_OK)
		add_field(c, field, &value);
	return err;
}

static enum gba_err list_condition(struct records *r, struct record_call *call, TALLOC_CTX *ctx,
				   const struct record_query *query, struct condition *c, bool *_nothing)
{
	enum gba_err err = GBA_OK;
	size_t i;

	if (query->limit < 1 || query->limit > RECORD_PAGE_MAX)
		return record_refuse(call, GBA_E_RANGE, "limit", "1 to %d", RECORD_PAGE_MAX);
	if (query->filters > RECORD_FILTERS_MAX)
		return record_refuse(call, GBA_E_RANGE, NULL, "at most %d filters", RECORD_FILTERS_MAX);
	if (query->after < 0)
		return record_refuse(call, GBA_E_RANGE, "after", "an id");
	add_int(c, "id", ">", query->after);
	for (i = 0; err == GBA_OK && i < query->filters; i++)
		err = add_filter(call, ctx, &r->set->kinds[query->kind], query->filter[i].field, query->filter[i].value,
				 c);
	*_nothing = err == GBA_OK && !add_scope(ctx, c, &r->set->kinds[query->kind], call->actor);
	return err;
}

enum gba_err records_list(struct records *r, struct record_call *call, const struct record_query *query,
			  struct record_page **_page)
{
	struct record_page *page = talloc_zero(call->mem_ctx, struct record_page);
	TALLOC_CTX *tmp = talloc_new(r);
	struct condition c;
	bool nothing = false;
	enum gba_err err;

	call->field[0] = call->why[0] = '\0';
	condition_open(tmp, &c);
	err = page != NULL ? list_condition(r, call, tmp, query, &c, &nothing) : GBA_E_NOMEM;
	if (err == GBA_OK && !nothing)
		err = select_records(r, page, &r->set->kinds[query->kind], &c, query->limit, page);
	talloc_free(tmp);
	if (err != GBA_OK) {
		talloc_free(page);
		return call->why[0] != '\0' ? err : record_refuse(call, err, NULL, "%s", gba_strerror(err));
	}
	if (page->count == query->limit)
		page->next = page->rec[page->count - 1]->id;
	*_page = page;
	return GBA_OK;
}

/* Members the role may not read leave the change. */
static const char *change_for(TALLOC_CTX *ctx, const struct record_kind *kind, const char *change, int role)
{
	json_t *object = json_loads(change, 0, NULL);
	const char *out = NULL;
	char *text;
	size_t i;

	for (i = 0; i < kind->count; i++) {
		if ((kind->fields[i].read & (1U << role)) == 0)
			json_object_del(object, kind->fields[i].name);
	}
	text = json_dumps(object, JSON_COMPACT);
	if (text != NULL)
		out = talloc_strdup(ctx, text);
	free(text);
	json_decref(object);
	return out;
}

/* One row as the actor may see it. *_seen false: not at all. Whose hand it was is the operator's business alone. */
static enum gba_err history_one(struct records *r, struct record_call *call, struct history_row *row, bool *_seen)
{
	bool all = (r->set->all & (1U << call->actor->role)) != 0;
	enum gba_err err;

	*_seen = true;
	if (all)
		return GBA_OK;
	err = record_visible(r, call, row->kind, row->record);
	*_seen = err == GBA_OK;
	if (err != GBA_OK)
		return err == GBA_E_NOT_FOUND ? GBA_OK : err;
	row->change = change_for(call->mem_ctx, &r->set->kinds[row->kind], row->change, call->actor->role);
	row->who = strcmp(row->who, call->actor->name) == 0 ? row->who : "";
	return row->change != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err history_read(struct records *r, TALLOC_CTX *ctx, struct db_stmt *stmt, struct history_row *rows,
				 size_t limit, size_t *_count)
{
	enum gba_err err = GBA_OK;
	struct bytes text[3];
	bool row = true;
	size_t n = 0;

	while (err == GBA_OK && n < limit) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		rows[n] = (struct history_row){ .id = db_col_int(stmt, 0),
						.kind = (int)db_col_int(stmt, 1),
						.record = db_col_int(stmt, 2),
						.rev = db_col_int(stmt, 3),
						.at = (time_t)db_col_int(stmt, 4) };
		if ((size_t)(unsigned int)rows[n].kind >= r->set->count)
			err = GBA_E_CORRUPT;
		if (err == GBA_OK)
			err = records_keep(ctx, db_col_text(stmt, 5), &text[0]);
		if (err == GBA_OK)
			err = records_keep(ctx, db_col_text(stmt, 6), &text[1]);
		if (err == GBA_OK)
			err = records_keep(ctx, db_col_text(stmt, 7), &text[2]);
		rows[n].who = (const char *)text[0].p;
		rows[n].act = (const char *)text[1].p;
		rows[n].change = (const char *)text[2].p;
		n += err == GBA_OK;
	}
	db_reset(stmt);
	*_count = n;
	return err;
}

static enum gba_err history_select(struct records *r, const struct history_query *query, TALLOC_CTX *ctx,
				   struct history_row *rows, size_t *_count)
{
	TALLOC_CTX *tmp = talloc_new(r);
	struct value limit = { .n = (int64_t)query->limit };
	struct db_stmt *stmt = NULL;
	struct condition c;
	enum gba_err err;
	int number;

	condition_open(tmp, &c);
	add_int(&c, "id", ">", query->after);
	if (query->kind >= 0)
		add_int(&c, "kind", "=", query->kind);
	if (query->record > 0)
		add_int(&c, "record", "=", query->record);
	number = bind_later(&c, &limit, false);
	err = records_stmt(
		r,
		talloc_asprintf(tmp,
				"SELECT id, kind, record, rev, at, who, act, change FROM history WHERE %s ORDER BY id"
				" LIMIT ?%d",
				c.text, number),
		&stmt);
	if (err == GBA_OK) {
		condition_bind(&c, stmt);
		err = history_read(r, ctx, stmt, rows, query->limit, _count);
	}
	talloc_free(tmp);
	return err;
}

enum gba_err records_history(struct records *r, struct record_call *call, const struct history_query *query,
			     struct history_row **_rows, size_t *_count, int64_t *_next)
{
	struct history_row *rows;
	size_t read = 0, i, n = 0;
	enum gba_err err;
	bool seen = false;

	call->field[0] = call->why[0] = '\0';
	if (query->limit < 1 || query->limit > RECORD_PAGE_MAX)
		return record_refuse(call, GBA_E_RANGE, "limit", "1 to %d", RECORD_PAGE_MAX);
	rows = talloc_array(call->mem_ctx, struct history_row, query->limit);
	err = rows != NULL ? history_select(r, query, rows, rows, &read) : GBA_E_NOMEM;
	*_next = err == GBA_OK && read == query->limit ? rows[read - 1].id : 0;
	for (i = 0; err == GBA_OK && i < read; i++) {
		err = history_one(r, call, &rows[i], &seen);
		if (seen)
			rows[n++] = rows[i];
	}
	if (err != GBA_OK)
		return record_refuse(call, err, NULL, "%s", gba_strerror(err));
	*_rows = rows;
	*_count = n;
	return GBA_OK;
}
