/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operations: the role's own rows, and those every kind of record has. OpenAPI is made from the same rows. */
#include <ctype.h>
#include <stdio.h>

#include "rest/rest_priv.h"

#define VERBS_MAX 8
#define PER_KIND  (7 + VERBS_MAX)

static const struct field history_fields[] = {
	REST_INT("id", 1, INT64_MAX, 0, "Number of the change"),
	REST_TEXT("kind", 0, 1, 64, NULL, "Kind of record"),
	REST_INT("record", 1, INT64_MAX, 0, "Its id"),
	REST_INT("rev", 0, INT64_MAX, 0, "Its revision after the change"),
	{ "at", FIELD_TIME, FIELD_REQUIRED, 0, 0, 0, NULL, NULL, 0, 0, 0, 0, "When" },
	REST_TEXT("who", 0, 0, 256, NULL, "By whom"),
	REST_TEXT("act", 0, 1, 64, NULL, "add, set, remove or a verb"),
};
const struct rest_schema rest_schema_history = { .name = "HistoryPage",
						 .fields = history_fields,
						 .count = sizeof(history_fields) / sizeof(history_fields[0]),
						 .use = SCHEMA_LIST };
const struct rest_schema rest_schema_report = { .name = "ImportReport", .use = SCHEMA_FREE };
const struct rest_schema rest_schema_document = { .name = "Document", .use = SCHEMA_FREE };

static unsigned int readers(const struct record_kind *kind)
{
	unsigned int roles = 0, role;

	for (role = 0; role < RECORD_ROLES_MAX; role++)
		roles |= kind->scope[role] != NULL ? 1U << role : 0;
	return roles;
}

/* "user_identity" -> "UserIdentity" */
static char *camel(TALLOC_CTX *mem_ctx, const char *name)
{
	char *out = talloc_strdup(mem_ctx, name), *to = out;
	bool upper = true;

	for (; out != NULL && *name != '\0'; name++) {
		if (*name == '_' || *name == '-')
			upper = true;
		else {
			*to++ = (char)(upper ? toupper((unsigned char)*name) : *name);
			upper = false;
		}
	}
	if (out != NULL)
		*to = '\0';
	return out;
}

struct builder {
	TALLOC_CTX *ctx;
	struct route *row;
	const struct rest_setup *setup;
	const struct record_kind *kind;
	const char *camel;
	bool failed;
};

static const struct rest_schema *schema_new(struct builder *b, const char *suffix, int use)
{
	struct rest_schema *schema = talloc_zero(b->ctx, struct rest_schema);

	if (schema == NULL) {
		b->failed = true;
		return NULL;
	}
	*schema = (struct rest_schema){ .name = talloc_asprintf(schema, "%s%s", b->camel, suffix), .kind = b->kind,
				       .fields = b->kind->fields, .count = b->kind->count, .use = use };
	b->failed |= schema->name == NULL;
	return schema;
}

static struct route *row_add(struct builder *b, const char *method, const char *tail, const char *verb)
{
	struct route *row = b->row++;

	row->method = method;
	row->path = talloc_asprintf(b->ctx, "/v1/%s%s", b->kind->path, tail);
	row->id = talloc_asprintf(b->ctx, "%s%s", verb, b->camel);
	row->summary = b->kind->help;
	b->failed |= row->path == NULL || row->id == NULL;
	return row;
}

static char *filters(struct builder *b)
{
	char *list = talloc_strdup(b->ctx, "cursor limit fields");
	size_t i;

	for (i = 0; list != NULL && i < b->kind->count; i++) {
		if ((b->kind->fields[i].flags & FIELD_FILTER) && !(b->kind->fields[i].flags & FIELD_HIDDEN))
			list = talloc_asprintf_append(list, " %s", b->kind->fields[i].name);
	}
	b->failed |= list == NULL;
	return list;
}

static void verbs_add(struct builder *b, const struct rest_schema *record)
{
	const struct record_verb *verb;
	struct rest_schema *arguments;
	struct route *row;

	for (verb = b->kind->verbs; verb != NULL && verb->name != NULL; verb++) {
		arguments = (struct rest_schema *)(uintptr_t)schema_new(b, "", SCHEMA_VERB);
		row = row_add(b, "POST", talloc_asprintf(b->ctx, "/{id}/%s", verb->name), verb->name);
		row->roles = verb->roles;
		row->flags = REST_MATCH | REST_SHARED;
		row->run = rest_verb;
		row->request = arguments;
		row->response = record;
		row->statuses = "200 404 409 412";
		row->summary = verb->help;
		if (arguments != NULL) {
			arguments->name = talloc_asprintf(arguments, "%s%s", b->camel, camel(arguments, verb->name));
			arguments->verb = verb;
			rest_schema_verb(arguments, b->setup->terms);
		}
	}
}

static void writes_add(struct builder *b, const struct rest_schema *record)
{
	struct rest_schema *put = NULL;
	struct route *row;

	if (b->kind->add != 0) {
		row = row_add(b, "POST", "", "add");
		row->roles = b->kind->add;
		row->flags = REST_CREATES | REST_SHARED;
		row->run = rest_add;
		row->request = schema_new(b, "Add", SCHEMA_ADD);
		row->response = record;
		row->statuses = "201 409";
		row = row_add(b, "POST", "/import", "import");
		row->roles = b->kind->add;
		row->flags = REST_IMPORT | REST_CREATES;
		row->run = rest_import;
		row->request = row[-1].request;
		row->response = &rest_schema_report;
		row->query = b->setup->set->jobs ? "mode existing job" : "mode existing";
		row->statuses = "200 409";
	}
	if (b->kind->change != 0) {
		row = row_add(b, "PATCH", "/{id}", "change");
		row->roles = b->kind->change;
		row->flags = REST_MATCH | REST_MERGED | REST_SHARED;
		row->run = rest_patch;
		row->request = schema_new(b, "Change", SCHEMA_CHANGE);
		row->response = record;
		row->statuses = "200 404 409 412 428";
	}
	if (b->kind->add != 0 && b->kind->change != 0) {
		put = (struct rest_schema *)(uintptr_t)schema_new(b, "Put", SCHEMA_ADD);
		row = row_add(b, "PUT", "/{id}", "put");
		row->roles = b->kind->add & b->kind->change;
		row->flags = REST_MATCH | REST_SHARED;
		row->run = rest_put;
		row->request = put;
		row->response = record;
		row->statuses = "200 201 404 409 412 428";
	}
	if (put != NULL)
		put->whole = true;
	if (b->kind->remove != 0) {
		row = row_add(b, "DELETE", "/{id}", "remove");
		row->roles = b->kind->remove;
		row->flags = REST_MATCH | REST_SHARED;
		row->run = rest_delete;
		row->response = record; /* its kind; nothing is answered */
		row->statuses = "204 404 409 412 428";
	}
}

static void kind_add(struct builder *b)
{
	const struct rest_schema *record = schema_new(b, "", SCHEMA_RECORD);
	struct route *row;

	row = row_add(b, "GET", "", "list");
	row->roles = readers(b->kind);
	row->flags = REST_LIST;
	row->run = rest_list;
	row->response = schema_new(b, "Page", SCHEMA_LIST);
	row->query = filters(b);
	row->statuses = "200";
	row = row_add(b, "GET", "/{id}", "get");
	row->roles = readers(b->kind);
	row->run = rest_get;
	row->response = record;
	row->statuses = "200 304 404";
	writes_add(b, record);
	verbs_add(b, record);
}

const struct route *rest_routes_new(TALLOC_CTX *mem_ctx, const struct rest_setup *setup)
{
	struct route *rows = talloc_zero_array(mem_ctx, struct route, setup->n_rows + setup->set->count * PER_KIND + 1);
	struct builder b = { .ctx = rows, .setup = setup };
	size_t kind;

	if (rows == NULL)
		return NULL;
	if (setup->n_rows > 0)
		memcpy(rows, setup->rows, setup->n_rows * sizeof(*rows));
	b.row = rows + setup->n_rows;
	for (kind = 0; kind < setup->set->count; kind++) {
		b.kind = &setup->set->kinds[kind];
		b.camel = camel(rows, b.kind->name);
		if (b.camel == NULL)
			return NULL;
		kind_add(&b);
	}
	return b.failed ? NULL : rows;
}
