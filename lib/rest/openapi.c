/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI 3.1 document, from the rows that serve the requests and the tables that check them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "rest/rest_priv.h"

#define REF_SCHEMA   "#/components/schemas/"
#define REF_RESPONSE "#/components/responses/"

static json_t *ref(const char *where, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "%s%s", where, name);
	return json_pack("{s:s}", "$ref", text);
}

static json_t *words_json(const char *const *words)
{
	json_t *list = json_array();

	for (; *words != NULL; words++)
		json_array_append_new(list, json_string(*words));
	return list;
}

static json_t *type_json(const char *type, bool null)
{
	return null ? json_pack("[s, s]", type, "null") : json_string(type);
}

static json_t *list_json(const struct field *field, bool null)
{
	json_t *items = json_pack("{s:s}", "type", "string");

	if (field->words != NULL) {
		json_object_set_new(items, "enum", words_json(field->words));
	} else {
		json_object_set_new(items, "minLength", json_integer(field->min > 0));
		json_object_set_new(items, "maxLength", json_integer(field->max));
	}
	return json_pack("{s:o, s:o, s:i}", "type", type_json("array", null), "items", items, "maxItems",
			 RECORD_LIST_MAX);
}

/* minLength: octets are bounded, JSON Schema counts characters, so only 0 or 1 can be said of them; in ASCII they are
 * one. */
static json_t *field_json(const struct field *field, bool null)
{
	json_t *schema;

	switch (field->type) {
	case FIELD_INT:
		schema = json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)field->min, "maximum",
				   (json_int_t)field->max);
		break;
	case FIELD_REF: schema = json_pack("{s:o, s:i}", "type", type_json("integer", null), "minimum", 1); break;
	case FIELD_BOOL: schema = json_pack("{s:s}", "type", "boolean"); break;
	case FIELD_WORD: schema = json_pack("{s:s, s:o}", "type", "string", "enum", words_json(field->words)); break;
	case FIELD_TIME:
		schema = json_pack("{s:o, s:s}", "type", type_json("string", null), "format", "date-time");
		break;
	case FIELD_LIST: schema = list_json(field, null); break;
	default:
		schema = json_pack("{s:o, s:I, s:I, s:I}", "type", type_json("string", null), "minLength",
				   (json_int_t)(field->min > 0), "maxLength", (json_int_t)field->max, "x-maxOctets",
				   (json_int_t)field->max);
		break;
	}
	json_object_set_new(schema, "description", json_string(field->help));
	return schema;
}

static bool field_shown(const struct rest_schema *schema, const struct field *field)
{
	if (field->flags & FIELD_HIDDEN)
		return false;
	switch (schema->use) {
	case SCHEMA_RECORD:
	case SCHEMA_LIST: return schema->kind == NULL || field->read != 0;
	case SCHEMA_ADD: return schema->whole ? field->add != 0 || field->change != 0 : field->add != 0;
	case SCHEMA_CHANGE: return field->change != 0;
	default: return true;
	}
}

static json_t *frame_json(const char *help, bool time)
{
	if (time)
		return json_pack("{s:s, s:s, s:s}", "type", "string", "format", "date-time", "description", help);
	return json_pack("{s:s, s:i, s:s}", "type", "integer", "minimum", 1, "description", help);
}

static json_t *members_json(const struct rest_schema *schema)
{
	json_t *properties = json_object(), *required = json_array(), *root;
	bool record = schema->use == SCHEMA_RECORD, shown = record || schema->use == SCHEMA_LIST;
	size_t i;

	if (record) {
		json_object_set_new(properties, "id", frame_json("Number of the record", false));
		json_object_set_new(properties, "rev", frame_json("Revision; the ETag is this in quotes", false));
		json_object_set_new(properties, "created", frame_json("When it was made", true));
		json_object_set_new(properties, "changed", frame_json("When it was changed last", true));
		json_array_extend(required, json_pack("[s, s, s, s]", "id", "rev", "created", "changed"));
	}
	for (i = 0; i < schema->count; i++) {
		const struct field *field = &schema->fields[i];
		bool null = shown ? field->type != FIELD_INT && field->type != FIELD_BOOL && field->type != FIELD_WORD
				  : !(field->flags & FIELD_REQUIRED);

		if (!field_shown(schema, field))
			continue;
		json_object_set_new(properties, field->name, field_json(field, null));
		if (!record && (field->flags & FIELD_REQUIRED) && schema->use != SCHEMA_CHANGE && !schema->whole)
			json_array_append_new(required, json_string(field->name));
	}
	root = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties, "additionalProperties", 0);
	if (json_array_size(required) > 0)
		json_object_set(root, "required", required);
	json_decref(required);
	return root;
}

static json_t *page_json(json_t *item)
{
	return json_pack("{s:s, s:b, s:[s, s], s:{s:{s:s, s:o, s:i}, s:{s:[s, s], s:s}}}", "type", "object",
			 "additionalProperties", 0, "required", "items", "next", "properties", "items", "type", "array",
			 "items", item, "maxItems", REST_LIMIT_MAX, "next", "type", "string", "null", "description",
			 "cursor of the next page; null: this was the last");
}

static json_t *report_json(void)
{
	static const char *const counts[] = { "rows", "added", "updated", "kept", "rejected" };
	json_t *properties = json_object();
	size_t i;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		json_object_set_new(properties, counts[i], json_pack("{s:s, s:i}", "type", "integer", "minimum", 0));
	json_object_set_new(properties, "applied",
			    json_pack("{s:s, s:s}", "type", "boolean", "description", "false: nothing was written"));
	json_object_set_new(properties, "complete",
			    json_pack("{s:s, s:s}", "type", "boolean", "description",
				      "false: no room on the disk to report more bad rows, the rest was not looked at"));
	json_object_set_new(properties, "rejections",
			    json_pack("{s:s, s:{s:s}, s:s}", "type", "array", "items", "type", "object", "description",
				      "a problem for each bad row, with its number as row"));
	return json_pack("{s:s, s:o, s:b, s:[s, s, s]}", "type", "object", "properties", properties,
			 "additionalProperties", 0, "required", "applied", "rows", "rejections");
}

static json_t *schema_json(const struct rest_schema *schema)
{
	json_t *item;

	if (schema == &rest_schema_report)
		return report_json();
	if (schema->use == SCHEMA_FREE)
		return schema->document != NULL ? json_loads(schema->document, JSON_REJECT_DUPLICATES, NULL)
						: json_pack("{s:s}", "type", "object");
	if (schema->use != SCHEMA_LIST)
		return members_json(schema);
	if (schema->kind != NULL) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)(strlen(schema->name) - sizeof("Page") + 1), schema->name);
		return page_json(ref(REF_SCHEMA, name));
	}
	item = members_json(schema);
	json_object_set_new(json_object_get(item, "properties"), "change", json_pack("{s:s}", "type", "object"));
	return page_json(item);
}

static json_t *problem_schema(void)
{
	return json_pack("{s:s, s:[s, s, s], s:{s:{s:s, s:s}, s:{s:s}, s:{s:s, s:i, s:i}, s:{s:s}, s:{s:s}, s:{s:s},"
			 " s:{s:s, s:{s:s, s:[s, s], s:b, s:{s:{s:s}, s:{s:s}}}}}}",
			 "type", "object", "required", "type", "title", "status", "properties", "type", "type",
			 "string", "format", "uri-reference", "title", "type", "string", "status", "type", "integer",
			 "minimum", 400, "maximum", 599, "code", "type", "string", "detail", "type", "string",
			 "instance", "type", "string", "errors", "type", "array", "items", "type", "object", "required",
			 "pointer", "detail", "additionalProperties", 0, "properties", "pointer", "type", "string",
			 "detail", "type", "string");
}

static json_t *parameter(const char *name, const char *in, bool required, json_t *schema, const char *help)
{
	return json_pack("{s:s, s:s, s:b, s:o, s:s}", "name", name, "in", in, "required", required, "schema", schema,
			 "description", help);
}

static json_t *query_parameter(const char *name)
{
	json_t *schema = json_pack("{s:s, s:i}", "type", "string", "maxLength", ROUTE_VALUE_MAX);

	if (strcmp(name, "limit") == 0) {
		json_decref(schema);
		schema = json_pack("{s:s, s:i, s:i, s:i}", "type", "integer", "minimum", 1, "maximum", REST_LIMIT_MAX,
				   "default", REST_LIMIT_DEF);
		return parameter(name, "query", false, schema, "Records of a page");
	}
	if (strcmp(name, "cursor") == 0)
		return parameter(name, "query", false, schema, "next of the page before");
	if (strcmp(name, "fields") == 0)
		return parameter(name, "query", false, schema, "Members to be given, with commas between");
	if (strcmp(name, "mode") == 0)
		json_object_set_new(schema, "enum", json_pack("[s, s]", "all", "rows"));
	if (strcmp(name, "existing") == 0)
		json_object_set_new(schema, "enum", json_pack("[s, s, s]", "reject", "keep", "update"));
	return parameter(name, "query", false, schema, "Only records with this value; import: see doc/api.md");
}

/* Each {name} of the path. */
static void path_parameters(const struct route *route, json_t *schema, json_t *list)
{
	const char *at = route->path;
	char name[64];

	while ((at = strchr(at, '{')) != NULL && sscanf(++at, "%63[^}]", name) == 1)
		json_array_append_new(list, parameter(name, "path", true, json_incref(schema),
						      strcmp(name, "id") == 0 ? "The record's id, or key: and the members of its"
										" natural key with commas between"
									      : "Which one"));
}

static json_t *parameters_json(const struct route *route)
{
	json_t *list = json_array(), *text = json_pack("{s:s, s:i}", "type", "string", "maxLength", 255);
	const char *at = route->query;
	char name[64];

	path_parameters(route, text, list);
	while (at != NULL && sscanf(at, "%63s", name) == 1) {
		json_array_append_new(list, query_parameter(name));
		at = strchr(at, ' ') != NULL ? strchr(at, ' ') + 1 : NULL;
	}
	if (route->flags & REST_MATCH)
		json_array_append_new(
			list, parameter("If-Match", "header", false, json_incref(text), "ETag of what was read"));
	if (route->flags & REST_STREAM)
		json_array_append_new(list, parameter("Last-Event-ID", "header", false, json_incref(text),
						      "id of the last event that was read: go on behind it"));
	if (route->flags & REST_CREATES)
		json_array_append_new(list, parameter("Idempotency-Key", "header", false, json_incref(text),
						      "A retry with it is done once"));
	json_decref(text);
	return list;
}

static json_t *content(const char *type, json_t *schema)
{
	return json_pack("{s:{s:o}}", type, "schema", schema);
}

static json_t *good_content(const struct route *route)
{
	json_t *text = json_pack("{s:s}", "type", "string"), *map;

	if (route->flags & (REST_GZIP | REST_PAGE | REST_PEM | REST_STREAM))
		return content(route->flags & REST_GZIP	    ? REST_GZIP_TYPE
			       : route->flags & REST_PAGE   ? REST_HTML
			       : route->flags & REST_STREAM ? REST_EVENTS
							    : REST_PEM_TYPE,
			       text);
	map = content(REST_JSON, ref(REF_SCHEMA, ((const struct rest_schema *)route->response)->name));
	if (route->flags & (REST_LIST | REST_IMPORT))
		json_object_set_new(map, REST_NDJSON, json_pack("{s:O}", "schema", text));
	if (route->flags & REST_LIST)
		json_object_set_new(map, REST_CSV, json_pack("{s:O}", "schema", text));
	json_decref(text);
	return map;
}

static const char *const problems_of_all[] = { "400", "406", "429", "500", "503", NULL };

static void problem_add(json_t *responses, const char *status)
{
	json_object_set_new(responses, status, ref(REF_RESPONSE, "Problem"));
}

static json_t *responses_json(const struct route *route)
{
	json_t *responses = json_object(), *good;
	const char *at = route->statuses;
	char status[8];
	size_t i;

	while (at != NULL && sscanf(at, "%7s", status) == 1) {
		if (status[0] == '4') {
			problem_add(responses, status);
		} else {
			good = json_pack("{s:s}", "description", route->summary);
			if (strcmp(status, "204") != 0 && strcmp(status, "304") != 0)
				json_object_set_new(good, "content", good_content(route));
			json_object_set_new(responses, status, good);
		}
		at = strchr(at, ' ') != NULL ? strchr(at, ' ') + 1 : NULL;
	}
	for (i = 0; problems_of_all[i] != NULL; i++)
		problem_add(responses, problems_of_all[i]);
	if (!(route->flags & REST_OPEN)) {
		problem_add(responses, "401");
		problem_add(responses, "403");
	}
	if (route->request != NULL) {
		problem_add(responses, "413");
		problem_add(responses, "415");
		problem_add(responses, "422");
	}
	return responses;
}

static json_t *request_json(const struct route *route)
{
	const struct rest_schema *schema = route->request;
	json_t *map = content(route->flags & REST_IMPORT ? REST_NDJSON : REST_JSON,
			      route->flags & REST_IMPORT ? json_pack("{s:s}", "type", "string")
							 : ref(REF_SCHEMA, schema->name));

	if (route->flags & REST_IMPORT)
		json_object_set_new(map, REST_CSV, json_pack("{s:{s:s}}", "schema", "type", "string"));
	if (route->flags & REST_MERGED)
		json_object_set_new(map, REST_MERGE, json_pack("{s:o}", "schema", ref(REF_SCHEMA, schema->name)));
	return json_pack("{s:b, s:o}", "required", !schema->optional, "content", map);
}

static json_t *roles_json(const struct rest_setup *setup, unsigned int roles)
{
	json_t *list = json_array();
	int role;

	for (role = 0; role < RECORD_ROLES_MAX; role++) {
		if (roles & setup->callers & (1U << role))
			json_array_append_new(list, json_string(setup->set->roles[role]));
	}
	return list;
}

static json_t *operation_json(const struct rest_setup *setup, const struct route *route)
{
	json_t *operation = json_pack("{s:s, s:s, s:o, s:o}", "operationId", route->id, "summary", route->summary,
				      "parameters", parameters_json(route), "responses", responses_json(route));

	if (route->request != NULL)
		json_object_set_new(operation, "requestBody", request_json(route));
	if (route->flags & REST_OPEN)
		json_object_set_new(operation, "security", json_array());
	else
		json_object_set_new(operation, "x-roles", roles_json(setup, route->roles));
	return operation;
}

static void schema_add(json_t *schemas, const struct rest_schema *schema)
{
	if (schema != NULL && json_object_get(schemas, schema->name) == NULL)
		json_object_set_new(schemas, schema->name, schema_json(schema));
}

static void lower(char *text)
{
	for (; *text != '\0'; text++)
		*text = (char)tolower((unsigned char)*text);
}

static void routes_add(const struct rest_setup *setup, json_t *paths, json_t *schemas, const struct route *routes)
{
	char method[16];
	json_t *path;

	for (; routes->method != NULL; routes++) {
		snprintf(method, sizeof(method), "%s", routes->method);
		lower(method);
		path = json_object_get(paths, routes->path);
		if (path == NULL) {
			path = json_object();
			json_object_set_new(paths, routes->path, path);
		}
		json_object_set_new(path, method, operation_json(setup, routes));
		schema_add(schemas, routes->request);
		schema_add(schemas, routes->response);
	}
}

static json_t *document_json(const struct rest_setup *setup, const struct route *routes)
{
	json_t *paths = json_object(), *schemas = json_object();

	json_object_set_new(schemas, "Problem", problem_schema());
	routes_add(setup, paths, schemas, routes);
	return json_pack("{s:s, s:{s:s, s:s, s:{s:s, s:s}}, s:[{s:[]}, {s:[]}], s:o,"
			 " s:{s:o, s:{s:{s:s, s:o}}, s:{s:{s:s, s:s}, s:{s:s}}}}",
			 "openapi", "3.1.0", "info", "title", setup->title, "version", "1.0.0", "license", "name",
			 "Apache-2.0", "identifier", "Apache-2.0", "security", "token", "certificate", "paths", paths,
			 "components", "schemas", schemas, "responses", "Problem", "description", "RFC 9457", "content",
			 content(REST_PROBLEM, ref(REF_SCHEMA, "Problem")), "securitySchemes", "token", "type", "http",
			 "scheme", "bearer", "certificate", "type", "mutualTLS");
}

struct bytes rest_openapi(TALLOC_CTX *mem_ctx, const struct rest_setup *setup, const struct route *routes)
{
	json_t *root = document_json(setup, routes);
	char *text = root != NULL ? json_dumps(root, REST_JSON_FLAGS) : NULL, *copy;

	copy = text != NULL ? talloc_strdup(mem_ctx, text) : NULL;
	free(text);
	json_decref(root);
	return bytes_of(copy);
}

void rest_openapi_get(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);

	rest_body(call, 200, REST_JSON, call->rest->openapi);
}
