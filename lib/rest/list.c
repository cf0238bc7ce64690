/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of records and of history: cursor, limit, filters, fields; as JSON, NDJSON or CSV (RFC 4180). */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "rest/rest_priv.h"

static bool number_of(const char *text, int64_t min, int64_t max, int64_t *_n)
{
	char *end;

	if (text[0] < '0' || text[0] > '9' || strlen(text) > 18)
		return false;
	*_n = strtoll(text, &end, 10);
	return *end == '\0' && *_n >= min && *_n <= max;
}

/* cursor and limit. false: answered */
static bool page_asked(struct rest_call *call, int64_t *_after, size_t *_limit)
{
	const char *cursor = route_query_value(&call->route, "cursor"),
		   *limit = route_query_value(&call->route, "limit");
	int64_t n = REST_LIMIT_DEF;

	*_after = 0;
	if (cursor != NULL && !number_of(cursor, 0, INT64_MAX, _after)) {
		rest_refuse(call, PROBLEM_QUERY, "cursor: not one of ours");
		return false;
	}
	if (limit != NULL && !number_of(limit, 1, REST_LIMIT_MAX, &n)) {
		rest_refuse(call, PROBLEM_QUERY, "limit: 1 to %d", REST_LIMIT_MAX);
		return false;
	}
	*_limit = (size_t)n;
	return true;
}

static bool is_frame(const char *name)
{
	return strcmp(name, "cursor") == 0 || strcmp(name, "limit") == 0 || strcmp(name, "fields") == 0;
}

static bool may_see(const struct rest_call *call, const char *name)
{
	static const char *const frame[] = { "id", "rev", "created", "changed" };
	const struct field *field = field_find(rest_kind(call), name);
	size_t i;

	for (i = 0; i < sizeof(frame) / sizeof(frame[0]); i++) {
		if (strcmp(frame[i], name) == 0)
			return true;
	}
	return field != NULL && (field->read & (1U << rest_role(call))) != 0;
}

/* Names of fields= in order; NULL: all. false: answered */
static bool fields_asked(struct rest_call *call, const char *const **_names)
{
	const char *text = route_query_value(&call->route, "fields");
	char **names = text != NULL ? talloc_zero_array(call, char *, RECORD_FIELDS_MAX + 5) : NULL;
	struct bytes rest = bytes_of(text), one;
	size_t n = 0;

	*_names = (const char *const *)names;
	for (; rest.p != NULL && names != NULL; n++) {
		struct bytes tail = BYTES_NONE;

		one = rest;
		bytes_split(rest, ',', &one, &tail);
		rest = tail;
		if (one.n == 0 || n == RECORD_FIELDS_MAX + 4) {
			rest_refuse(call, PROBLEM_QUERY, "fields: names with commas between");
			return false;
		}
		names[n] = talloc_strndup(names, (const char *)one.p, one.n);
		if (names[n] == NULL || !may_see(call, names[n])) {
			rest_refuse(call, PROBLEM_QUERY, "fields: none of this record's for this caller: %.*s",
				    BYTES_FMT(one));
			return false;
		}
	}
	return true;
}

/* Takes whole. */
static json_t *project(json_t *whole, const char *const *names)
{
	json_t *part;

	if (names == NULL || whole == NULL)
		return whole;
	part = json_object();
	for (; *names != NULL; names++)
		json_object_set(part, *names, json_object_get(whole, *names));
	json_decref(whole);
	return part;
}

static void csv_text(FILE *out, const char *text)
{
	if (strpbrk(text, ",\"\r\n") == NULL) {
		fputs(text, out);
		return;
	}
	putc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putc('"', out);
		putc(*text, out);
	}
	putc('"', out);
}

/* Lists: entries apart by blanks. */
static void csv_value(FILE *out, const json_t *value)
{
	char *joined = NULL;
	size_t i, n = 0;
	FILE *list;

	switch (json_typeof(value)) {
	case JSON_STRING: csv_text(out, json_string_value(value)); break;
	case JSON_INTEGER: fprintf(out, "%lld", (long long)json_integer_value(value)); break;
	case JSON_TRUE: fputs("true", out); break;
	case JSON_FALSE: fputs("false", out); break;
	case JSON_ARRAY:
		list = open_memstream(&joined, &n);
		for (i = 0; list != NULL && i < json_array_size(value); i++)
			fprintf(list, "%s%s", i > 0 ? " " : "", json_string_value(json_array_get(value, i)));
		if (list != NULL && fclose(list) == 0)
			csv_text(out, joined);
		free(joined);
		break;
	default: break;
	}
}

static void write_csv(FILE *out, const json_t *items)
{
	size_t i;

	for (i = 0; i < json_array_size(items); i++) {
		const char *name, *comma = "";
		json_t *item = json_array_get(items, i), *value;

		if (i == 0) {
			json_object_foreach(item, name, value)
			{
				fputs(comma, out);
				csv_text(out, name);
				comma = ",";
			}
			fputs("\r\n", out);
		}
		comma = "";
		json_object_foreach(item, name, value)
		{
			fputs(comma, out);
			csv_value(out, value);
			comma = ",";
		}
		fputs("\r\n", out);
	}
}

static void write_lines(FILE *out, const json_t *items)
{
	size_t i;

	for (i = 0; i < json_array_size(items); i++) {
		json_dumpf(json_array_get(items, i), out, REST_JSON_FLAGS);
		putc('\n', out);
	}
}

static void reply_text(struct rest_call *call, const json_t *items)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	if (out != NULL)
		(strcmp(call->type, REST_CSV) == 0 ? write_csv : write_lines)(out, items);
	if (out == NULL || fclose(out) != 0)
		rest_refuse(call, PROBLEM_UNAVAILABLE, "out of memory");
	else
		rest_body(call, 200,
			  strcmp(call->type, REST_CSV) == 0 ? "text/csv; charset=utf-8; header=present" : REST_NDJSON,
			  BYTES(talloc_memdup(call, text, n + 1), n));
	free(text);
}

/* RFC 8288 for the forms that have no place for it. */
static void link_next(struct rest_call *call, int64_t next)
{
	char *link = talloc_asprintf(call, "</%s?cursor=%lld", call->route.route->path + 1, (long long)next);
	size_t i;

	for (i = 0; link != NULL && i < call->route.n_query; i++) {
		if (strcmp(call->route.query[i].name, "cursor") != 0)
			link = talloc_asprintf_append(link, "&%s=%s", call->route.query[i].name,
						      rest_percent(call, call->route.query[i].value));
	}
	if (link != NULL)
		rest_header(call, "Link", "%s>; rel=\"next\"", link);
}

/* Takes items. */
static void page_reply(struct rest_call *call, json_t *items, int64_t next)
{
	if (next > 0)
		link_next(call, next);
	if (strcmp(call->type, REST_JSON) == 0) {
		char text[24];

		snprintf(text, sizeof(text), "%lld", (long long)next);
		rest_json(call, 200,
			  json_pack("{s:o, s:o}", "items", items, "next", next > 0 ? json_string(text) : json_null()));
		return;
	}
	reply_text(call, items);
	json_decref(items);
}

static bool filters_asked(struct rest_call *call, struct record_query *query)
{
	size_t i;

	for (i = 0; i < call->route.n_query; i++) {
		if (is_frame(call->route.query[i].name))
			continue;
		if (query->filters == RECORD_FILTERS_MAX) {
			rest_refuse(call, PROBLEM_QUERY, "at most %d filters", RECORD_FILTERS_MAX);
			return false;
		}
		query->filter[query->filters].field = call->route.query[i].name;
		query->filter[query->filters++].value = call->route.query[i].value;
	}
	return true;
}

static void refuse_query(struct rest_call *call, enum gba_err err)
{
	if (err == GBA_E_SYNTAX || err == GBA_E_RANGE || err == GBA_E_TOO_LONG || err == GBA_E_DENIED)
		rest_refuse(call, PROBLEM_QUERY, "%s: %s", call->rc.field,
			    call->rc.why[0] != '\0' ? call->rc.why : gba_strerror(err));
	else
		rest_fail(call, err);
}

void rest_list(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct record_query query = { .kind = rest_kind(call)->id };
	const char *const *names = NULL;
	struct record_page *page;
	json_t *items;
	enum gba_err err;
	size_t i;

	if (!page_asked(call, &query.after, &query.limit) || !fields_asked(call, &names) ||
	    !filters_asked(call, &query))
		return;
	err = records_list(call->r, &call->rc, &query, &page);
	if (err != GBA_OK) {
		refuse_query(call, err);
		return;
	}
	items = json_array();
	for (i = 0; i < page->count; i++)
		json_array_append_new(items, project(record_json(page->rec[i], rest_role(call)), names));
	page_reply(call, items, page->next);
}

static json_t *history_json(const struct record_set *set, const struct history_row *row)
{
	char at[TIME_TEXT_LEN + 1];
	json_t *change = json_loads(row->change != NULL ? row->change : "{}", 0, NULL);

	time_format(row->at, at);
	return json_pack("{s:I, s:s, s:I, s:I, s:s, s:s, s:s, s:o}", "id", (json_int_t)row->id, "kind",
			 set->kinds[row->kind].name, "record", (json_int_t)row->record, "rev", (json_int_t)row->rev,
			 "at", at, "who", row->who, "act", row->act, "change", change != NULL ? change : json_object());
}

void rest_history(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	const struct record_set *set = call->rest->setup->set;
	const char *kind = route_query_value(route, "kind"), *record = route_query_value(route, "record");
	const struct record_kind *found = kind != NULL ? record_kind_find(set, kind) : NULL;
	struct history_query query = { .kind = found != NULL ? (int)found->id : -1 };
	struct history_row *rows;
	size_t i, count;
	json_t *items;
	int64_t next;
	enum gba_err err;

	if (!page_asked(call, &query.after, &query.limit))
		return;
	if (kind != NULL && found == NULL) {
		rest_refuse(call, PROBLEM_QUERY, "kind: no such kind of record");
		return;
	}
	if (record != NULL && (found == NULL || !number_of(record, 1, INT64_MAX, &query.record))) {
		rest_refuse(call, PROBLEM_QUERY, "record: a record's id, together with kind");
		return;
	}
	err = records_history(call->r, &call->rc, &query, &rows, &count, &next);
	if (err != GBA_OK) {
		rest_fail(call, err);
		return;
	}
	items = json_array();
	for (i = 0; i < count; i++)
		json_array_append_new(items, history_json(set, &rows[i]));
	page_reply(call, items, next);
}
