/* SPDX-License-Identifier: Apache-2.0 */
/* Values and records: JSON in and out, checks of a member by its row. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "http/json.h"
#include "record/records_priv.h"

enum gba_err record_refuse(struct record_call *call, enum gba_err err, const char *field, const char *fmt, ...)
{
	va_list args;

	snprintf(call->field, sizeof(call->field), "%s", field != NULL ? field : "");
	va_start(args, fmt);
	vsnprintf(call->why, sizeof(call->why), fmt, args);
	va_end(args);
	return err;
}

const struct record_kind *record_kind_find(const struct record_set *set, const char *name)
{
	size_t i;

	for (i = 0; i < set->count; i++) {
		if (strcmp(set->kinds[i].name, name) == 0 || strcmp(set->kinds[i].path, name) == 0)
			return &set->kinds[i];
	}
	return NULL;
}

const struct field *field_find(const struct record_kind *kind, const char *name)
{
	size_t i;

	for (i = 0; i < kind->count; i++) {
		if (strcmp(kind->fields[i].name, name) == 0 && (kind->fields[i].flags & FIELD_HIDDEN) == 0)
			return &kind->fields[i];
	}
	return NULL;
}

const char *field_type_name(enum field_type type)
{
	static const char *const names[] = {
		"text", "integer", "boolean", "word", "time", "reference", "list", "text"
	};

	return names[type];
}

bool field_stored(const struct field *field)
{
	return (field->flags & FIELD_DERIVED) == 0;
}

static bool is_text(const struct field *field)
{
	return field->type == FIELD_TEXT || field->type == FIELD_LIST || field->type == FIELD_SEALED;
}

enum gba_err record_new(TALLOC_CTX *mem_ctx, const struct record_kind *kind, struct record **_rec)
{
	struct record *rec = talloc_zero(mem_ctx, struct record);
	size_t i;

	if (rec == NULL)
		return GBA_E_NOMEM;
	rec->kind = kind;
	for (i = 0; i < rec->kind->count; i++) {
		if (!is_text(&rec->kind->fields[i]))
			rec->v[i].n = rec->kind->fields[i].def;
	}
	*_rec = rec;
	return GBA_OK;
}

struct record *record_copy(TALLOC_CTX *mem_ctx, const struct record *old)
{
	return talloc_memdup(mem_ctx, old, sizeof(*old));
}

enum gba_err records_keep(TALLOC_CTX *ctx, struct bytes view, struct bytes *_copy)
{
	uint8_t *copy;

	*_copy = BYTES_NONE;
	if (view.p == NULL)
		return GBA_OK;
	copy = talloc_size(ctx, view.n + 1);
	if (copy == NULL)
		return GBA_E_NOMEM;
	memcpy(copy, view.p, view.n);
	copy[view.n] = '\0';
	*_copy = BYTES(copy, view.n);
	return GBA_OK;
}

static enum gba_err word_index(struct record_call *call, const struct field *field, struct bytes word, int64_t *_index)
{
	char all[160] = "";
	size_t i, n = 0;

	for (i = 0; field->words[i] != NULL; i++) {
		if (bytes_eq_str(word, field->words[i])) {
			*_index = (int64_t)i;
			return GBA_OK;
		}
		if (n < sizeof(all))
			n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i > 0 ? ", " : "", field->words[i]);
	}
	return record_refuse(call, GBA_E_SYNTAX, field->name, "one of %s", all);
}

static enum gba_err text_check(struct record_call *call, const struct field *field, struct bytes text)
{
	const char *why = "";
	int64_t index;
	enum gba_err err;

	if (field->words != NULL && field->type == FIELD_LIST)
		return word_index(call, field, text, &index);
	if (text.n > (size_t)field->max)
		return record_refuse(call, GBA_E_TOO_LONG, field->name, "at most %lld octets", (long long)field->max);
	if (text.n < (size_t)field->min)
		return record_refuse(call, GBA_E_SYNTAX, field->name, "at least %lld octets", (long long)field->min);
	err = field->check != NULL ? field->check(text, &why) : GBA_OK;
	return err == GBA_OK ? GBA_OK : record_refuse(call, err, field->name, "%s", why);
}

static enum gba_err list_take(struct record_call *call, TALLOC_CTX *ctx, const struct field *field, json_t *json,
			      struct bytes *_lines)
{
	char *lines = talloc_strdup(ctx, "");
	enum gba_err err = GBA_OK;
	json_t *entry;
	size_t i;

	if (!json_is_array(json))
		return record_refuse(call, GBA_E_SYNTAX, field->name, "an array of strings");
	if (json_array_size(json) > RECORD_LIST_MAX)
		return record_refuse(call, GBA_E_TOO_LONG, field->name, "at most %d entries", RECORD_LIST_MAX);
	json_array_foreach(json, i, entry)
	{
		struct bytes text = BYTES(json_string_value(entry), json_string_length(entry));

		if (!json_is_string(entry) || memchr(text.p, '\n', text.n) != NULL)
			return record_refuse(call, GBA_E_SYNTAX, field->name, "an array of strings");
		err = text_check(call, field, text);
		if (err != GBA_OK)
			return err;
		lines = talloc_asprintf_append(lines, "%s%.*s", i > 0 ? "\n" : "", BYTES_FMT(text));
	}
	if (lines == NULL)
		return GBA_E_NOMEM;
	*_lines = lines[0] != '\0' ? bytes_of(lines) : BYTES_NONE;
	return GBA_OK;
}

static enum gba_err int_take(struct record_call *call, const struct field *field, json_t *json, int64_t *_n)
{
	int64_t max = field->type == FIELD_REF ? INT64_MAX : field->max,
		min = field->type == FIELD_REF ? 1 : field->min;

	if (field->type == FIELD_REF && json_is_null(json)) {
		*_n = 0;
		return GBA_OK;
	}
	if (!json_is_integer(json))
		return record_refuse(call, GBA_E_SYNTAX, field->name, "a whole number");
	*_n = json_integer_value(json);
	if (*_n < min || *_n > max)
		return record_refuse(call, GBA_E_RANGE, field->name, "%lld is not within %lld..%lld", (long long)*_n,
				     (long long)min, (long long)max);
	return GBA_OK;
}

static enum gba_err time_take(struct record_call *call, const struct field *field, json_t *json, int64_t *_n)
{
	time_t when = 0;

	if (!json_is_null(json) &&
	    (!json_is_string(json) ||
	     time_parse_zoned(BYTES(json_string_value(json), json_string_length(json)), &when) != GBA_OK || when <= 0))
		return record_refuse(call, GBA_E_SYNTAX, field->name, "a time such as 2031-01-01T12:00:00Z");
	*_n = when;
	return GBA_OK;
}

static enum gba_err string_take(struct record_call *call, TALLOC_CTX *ctx, const struct field *field, json_t *json,
				struct value *_value)
{
	struct bytes text = BYTES(json_string_value(json), json_string_length(json));
	enum gba_err err;

	if (json_is_null(json) && field->type != FIELD_WORD) {
		_value->t = BYTES_NONE;
		return GBA_OK;
	}
	if (!json_is_string(json))
		return record_refuse(call, GBA_E_SYNTAX, field->name, "a string");
	if (field->type == FIELD_WORD)
		return word_index(call, field, text, &_value->n);
	err = text_check(call, field, text);
	if (err == GBA_OK)
		err = records_keep(ctx, text, &_value->t);
	if (err == GBA_OK && field->type == FIELD_SEALED)
		secret_guard_chunk((void *)(uintptr_t)_value->t.p);
	return err;
}

enum gba_err value_take(struct record_call *call, TALLOC_CTX *ctx, const struct field *field, json_t *json,
			struct value *_value)
{
	switch (field->type) {
	case FIELD_INT:
	case FIELD_REF: return int_take(call, field, json, &_value->n);
	case FIELD_TIME: return time_take(call, field, json, &_value->n);
	case FIELD_LIST: return list_take(call, ctx, field, json, &_value->t);
	case FIELD_BOOL:
		if (!json_is_boolean(json))
			return record_refuse(call, GBA_E_SYNTAX, field->name, "true or false");
		_value->n = json_is_true(json);
		return GBA_OK;
	default: return string_take(call, ctx, field, json, _value);
	}
}

/* May this role write the member? What it may not even see does not exist. */
static enum gba_err may_write(struct record_call *call, const struct field *field, bool add)
{
	unsigned int role = 1U << call->actor->role, write = add ? field->add : field->change;

	if ((write & role) != 0)
		return GBA_OK;
	if ((field->read & role) == 0)
		return record_refuse(call, GBA_E_SYNTAX, field->name, "no such member");
	if (!add && (field->flags & FIELD_FIXED) != 0)
		return record_refuse(call, GBA_E_DENIED, field->name, "cannot be changed");
	return record_refuse(call, GBA_E_DENIED, field->name, "cannot be given");
}

enum gba_err record_take(struct record_call *call, struct record *rec, json_t *values, bool add)
{
	enum gba_err err = GBA_OK;
	const struct field *field;
	const char *name;
	json_t *json;

	if (!json_is_object(values))
		return record_refuse(call, GBA_E_SYNTAX, NULL, "not an object");
	json_object_foreach(values, name, json)
	{
		field = field_find(rec->kind, name);
		if (field == NULL)
			return record_refuse(call, GBA_E_SYNTAX, name, "no such member");
		err = may_write(call, field, add);
		if (err == GBA_OK)
			err = value_take(call, rec, field, json, &rec->v[field - rec->kind->fields]);
		if (err != GBA_OK)
			return err;
	}
	return GBA_OK;
}

enum gba_err record_complete(struct record_call *call, const struct record *rec)
{
	const struct field *field;
	bool given;
	size_t i;

	for (i = 0; i < rec->kind->count; i++) {
		field = &rec->kind->fields[i];
		given = is_text(field) ? rec->v[i].t.p != NULL : field->type != FIELD_REF && field->type != FIELD_TIME;
		if ((field->flags & FIELD_REQUIRED) != 0 && !given && rec->v[i].n == 0)
			return record_refuse(call, GBA_E_SYNTAX, field->name, "is needed");
	}
	return GBA_OK;
}

json_t *value_json(const struct field *field, const struct value *value)
{
	char when[TIME_TEXT_LEN + 1];

	switch (field->type) {
	case FIELD_INT: return json_integer(value->n);
	case FIELD_BOOL: return json_boolean(value->n != 0);
	case FIELD_WORD: return json_string(field->words[value->n]);
	case FIELD_REF: return value->n != 0 ? json_integer(value->n) : json_null();
	case FIELD_LIST: return json_split(value->t, '\n');
	case FIELD_TIME:
		if (value->n == 0)
			return json_null();
		time_format((time_t)value->n, when);
		return json_string(when);
	default: return value->t.p != NULL ? json_stringn((const char *)value->t.p, value->t.n) : json_null();
	}
}

const char *record_text(const struct record *rec, int field)
{
	const struct value *value = &rec->v[field];

	return value->t.p != NULL ? talloc_strndup((void *)(uintptr_t)rec, (const char *)value->t.p, value->t.n) : "";
}

static void put_time(json_t *object, const char *name, time_t when)
{
	char text[TIME_TEXT_LEN + 1];

	time_format(when, text);
	json_object_set_new(object, name, json_string(text));
}

json_t *record_json(const struct record *rec, int role)
{
	json_t *object = json_object();
	const struct field *field;
	size_t i;

	json_object_set_new(object, "id", json_integer(rec->id));
	json_object_set_new(object, "rev", json_integer(rec->rev));
	for (i = 0; i < rec->kind->count; i++) {
		field = &rec->kind->fields[i];
		if ((field->read & (1U << role)) != 0 && (field->flags & FIELD_HIDDEN) == 0)
			json_object_set_new(object, field->name, value_json(field, &rec->v[i]));
	}
	put_time(object, "created", rec->created);
	put_time(object, "changed", rec->changed);
	return object;
}

static bool value_eq(const struct field *field, const struct value *a, const struct value *b)
{
	if (!is_text(field))
		return a->n == b->n;
	return (a->t.p == NULL) == (b->t.p == NULL) && bytes_eq(a->t, b->t);
}

char *record_diff(TALLOC_CTX *ctx, const struct record *old, const struct record *now)
{
	const struct record_kind *kind = old != NULL ? old->kind : now->kind;
	struct record empty = { .kind = kind };
	json_t *diff = json_object();
	char *text, *copy;
	size_t i;

	old = old != NULL ? old : &empty;
	now = now != NULL ? now : &empty;
	for (i = 0; i < kind->count; i++) {
		const struct field *field = &kind->fields[i];

		if ((field->flags & (FIELD_HIDDEN | FIELD_DERIVED)) != 0 || value_eq(field, &old->v[i], &now->v[i]))
			continue;
		if (field->type == FIELD_SEALED)
			json_object_set_new(diff, field->name, json_string("changed"));
		else
			json_object_set_new(diff, field->name,
					    json_pack("[o,o]",
						      old != &empty ? value_json(field, &old->v[i]) : json_null(),
						      now != &empty ? value_json(field, &now->v[i]) : json_null()));
	}
	text = json_dumps(diff, JSON_COMPACT);
	json_decref(diff);
	copy = text != NULL ? talloc_strdup(ctx, text) : NULL;
	free(text);
	return copy;
}

static const char *const truth_words[] = { "false", "true", NULL };

static enum gba_err text_int(struct record_call *call, const struct field *field, struct bytes text, json_t **_json)
{
	char copy[24] = "";
	size_t sign = text.n > 0 && text.p[0] == '-';
	long long n;

	if (text.n <= sign || text.n >= sizeof(copy))
		return record_refuse(call, GBA_E_SYNTAX, field->name, "a whole number");
	memcpy(copy, text.p, text.n);
	errno = 0;
	n = strtoll(copy, NULL, 10);
	if (strspn(copy + sign, "0123456789") != text.n - sign || errno != 0)
		return record_refuse(call, GBA_E_SYNTAX, field->name, "a whole number");
	*_json = json_integer(n);
	return GBA_OK;
}

static enum gba_err text_json(struct record_call *call, const struct field *field, struct bytes text, json_t **_json)
{
	struct field truth = { .name = field->name, .type = FIELD_WORD, .words = truth_words };
	int64_t index = 0;
	enum gba_err err;

	switch (field->type) {
	case FIELD_INT:
	case FIELD_REF:
		if (field->type == FIELD_REF && text.n == 0)
			break;
		return text_int(call, field, text, _json);
	case FIELD_BOOL:
		err = word_index(call, &truth, text, &index);
		*_json = err == GBA_OK ? json_boolean(index == 1) : NULL;
		return err;
	case FIELD_LIST: *_json = json_split(text, ','); return GBA_OK;
	default: break;
	}
	*_json = text.n == 0 ? json_null() : json_stringn((const char *)text.p, text.n);
	return *_json != NULL ? GBA_OK : record_refuse(call, GBA_E_SYNTAX, field->name, "not UTF-8");
}

enum gba_err records_value(struct record_call *call, const struct record_kind *kind, const char *field,
			   struct bytes text, json_t *object)
{
	const struct field *row = field_find(kind, field);
	json_t *json = NULL;
	enum gba_err err;

	if (row == NULL)
		return record_refuse(call, GBA_E_SYNTAX, field, "no such member");
	err = text_json(call, row, text, &json);
	if (err == GBA_OK && json_object_set_new(object, row->name, json) != 0)
		err = GBA_E_NOMEM;
	return err;
}
