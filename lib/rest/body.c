/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: strict JSON, held against the table of fields before lib/record sees them, so that every member at
 * fault is told of at once and by its pointer. */
#include <stdio.h>

#include "core/clock.h"
#include "rest/rest_priv.h"
#include "http/json.h"

struct check {
	struct problem *p;
	const struct rest_schema *schema;
	unsigned int role;
};

static bool may_give(const struct check *check, const struct field *field)
{
	switch (check->schema->use) {
	case SCHEMA_ADD: return (field->add & check->role) != 0;
	case SCHEMA_CHANGE: return (field->change & check->role) != 0;
	default: return true;
	}
}

static const struct field *schema_field(const struct rest_schema *schema, const char *name)
{
	size_t i;

	for (i = 0; i < schema->count; i++) {
		if (strcmp(schema->fields[i].name, name) == 0 && !(schema->fields[i].flags & FIELD_HIDDEN))
			return &schema->fields[i];
	}
	return NULL;
}

static const char *text_fault(const struct field *field, const json_t *value, char *room, size_t cap)
{
	struct bytes text = BYTES(json_string_value(value), json_string_length(value));
	const char *why = "not acceptable";

	if ((int64_t)text.n < field->min || (int64_t)text.n > field->max) {
		snprintf(room, cap, "%zu octets; %lld to %lld are allowed", text.n, (long long)field->min,
			 (long long)field->max);
		return room;
	}
	return field->check == NULL || field->check(text, &why) == GBA_OK ? NULL : why;
}

static bool is_word(const char *const *words, const char *text)
{
	for (; *words != NULL; words++) {
		if (strcmp(*words, text) == 0)
			return true;
	}
	return false;
}

static void list_check(const struct check *check, const char *pointer, const struct field *field, const json_t *list)
{
	char room[96], entry[96];
	const char *fault;
	size_t i;

	if (json_array_size(list) > RECORD_LIST_MAX)
		problem_field(check->p, pointer, "%zu entries; at most %d are allowed", json_array_size(list),
			      RECORD_LIST_MAX);
	for (i = 0; i < json_array_size(list); i++) {
		const json_t *value = json_array_get(list, i);

		snprintf(entry, sizeof(entry), "%s", pointer);
		json_pointer_index(entry, sizeof(entry), i);
		if (!json_is_string(value))
			fault = "a string is expected";
		else if (field->words != NULL)
			fault = is_word(field->words, json_string_value(value)) ? NULL : "none of the words allowed";
		else
			fault = text_fault(field, value, room, sizeof(room));
		if (fault != NULL)
			problem_field(check->p, entry, "%s", fault);
	}
}

static const char *int_fault(const struct field *field, const json_t *value, char *room, size_t cap)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value))
		return "an integer is expected";
	if (n >= field->min && n <= field->max)
		return NULL;
	snprintf(room, cap, "%lld; %lld to %lld are allowed", (long long)n, (long long)field->min,
		 (long long)field->max);
	return room;
}

static const char *time_fault(const json_t *value)
{
	time_t when;

	if (!json_is_string(value))
		return "a string is expected";
	return time_parse_zoned(BYTES(json_string_value(value), json_string_length(value)), &when) == GBA_OK
		       ? NULL
		       : "not an RFC 3339 time such as 2031-01-01T12:00:00Z";
}

static bool may_be_null(const struct field *field)
{
	return !(field->flags & FIELD_REQUIRED) && field->type != FIELD_INT && field->type != FIELD_BOOL &&
	       field->type != FIELD_WORD;
}

static void member_check(const struct check *check, const char *pointer, const struct field *field, const json_t *value)
{
	const char *fault = NULL;
	char room[96];

	if (json_is_null(value)) {
		if (!may_be_null(field))
			problem_field(check->p, pointer, "null is not allowed");
		return;
	}
	switch (field->type) {
	case FIELD_TEXT:
	case FIELD_SEALED:
		fault = json_is_string(value) ? text_fault(field, value, room, sizeof(room)) : "a string is expected";
		break;
	case FIELD_WORD:
		fault = json_is_string(value) && is_word(field->words, json_string_value(value))
				? NULL
				: "none of the words allowed";
		break;
	case FIELD_INT: fault = int_fault(field, value, room, sizeof(room)); break;
	case FIELD_REF:
		fault = json_is_integer(value) && json_integer_value(value) > 0 ? NULL : "a record's id is expected";
		break;
	case FIELD_BOOL: fault = json_is_boolean(value) ? NULL : "true or false is expected"; break;
	case FIELD_TIME: fault = time_fault(value); break;
	case FIELD_LIST:
		if (json_is_array(value))
			list_check(check, pointer, field, value);
		else
			fault = "an array of strings is expected";
		break;
	}
	if (fault != NULL)
		problem_field(check->p, pointer, "%s", fault);
}

void rest_check(struct problem *p, const struct rest_schema *schema, int role, json_t *object)
{
	const struct check check = { p, schema, 1U << role };
	const char *name;
	json_t *value;
	size_t i;

	json_object_foreach(object, name, value)
	{
		const struct field *field = schema_field(schema, name);
		char pointer[96] = "";

		json_pointer_add(pointer, sizeof(pointer), name);
		if (field == NULL)
			problem_field(p, pointer, "no such member");
		else if (!may_give(&check, field) && !schema->whole)
			problem_field(p, pointer, "not to be given here by this caller");
		else
			member_check(&check, pointer, field, value);
	}
	for (i = 0; i < schema->count && schema->use != SCHEMA_CHANGE && !schema->whole; i++) {
		char pointer[96] = "";

		json_pointer_add(pointer, sizeof(pointer), schema->fields[i].name);
		if ((schema->fields[i].flags & FIELD_REQUIRED) &&
		    json_object_get(object, schema->fields[i].name) == NULL)
			problem_field(p, pointer, "required");
	}
}

json_t *rest_read_body(struct rest_call *call)
{
	struct json_fault fault = { 0 };
	struct problem *p;
	json_t *root = NULL;
	enum gba_err err = json_read(call->body, &root, &fault);

	if (err == GBA_E_NOMEM) {
		rest_refuse(call, PROBLEM_UNAVAILABLE, "out of memory");
		return NULL;
	}
	if (err != GBA_OK) {
		rest_refuse(call, PROBLEM_JSON, "line %d, column %d: %s", fault.line, fault.column, fault.text);
		return NULL;
	}
	p = problem_new(call, PROBLEM_FIELDS);
	if (!json_is_object(root))
		problem_field(p, "", "an object is expected");
	else if (p != NULL)
		rest_check(p, call->route.route->request, rest_role(call), root);
	if (p != NULL && problem_fields(p) == 0)
		return root;
	json_decref(root);
	rest_problem(call, p);
	return NULL;
}

void rest_schema_verb(struct rest_schema *schema, const struct record_kind *terms)
{
	const char *const *name = schema->verb->arguments;
	struct field *fields = talloc_zero_array(schema, struct field, RECORD_FIELDS_MAX);
	const struct field *field;
	size_t n;

	for (n = 0; fields != NULL && name[n] != NULL && n < RECORD_FIELDS_MAX; n++) {
		field = field_find(schema->kind, name[n]);
		if (field == NULL && terms != NULL)
			field = field_find(terms, name[n]);
		if (field == NULL)
			break;
		fields[n] = *field;
		fields[n].flags &= ~(unsigned int)FIELD_REQUIRED;
	}
	schema->fields = fields;
	schema->count = fields != NULL ? n : 0;
}
