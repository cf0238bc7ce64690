/* SPDX-License-Identifier: Apache-2.0 */
/* White, Grey and Black lists (Y.3059 7-iv-d): the list that all registries come to, what was said of one subject, and saying
 * something of devices that are registered elsewhere. Of its own devices a registry judges by its rules (trust.h). */
#include <stdlib.h>

#include "core/clock.h"
#include "http/json.h"
#include "ident/idrule.h"
#include "registry-fn/ask/ask.h"
#include "registry-fn/id/regdevid.h"
#include "registry-fn/trust/override.h"
#include "registry-fn/trust/said.h"

#define LIST_PAGE_MAX 1000
#define STATEMENTS_MAX 1000

static bool status_word(const char *word, enum trust_status *_status)
{
	int i;

	for (i = 0; word != NULL && i < TRUST_STATUSES; i++) {
		if (strcmp(word, trust_status_names[i]) == 0) {
			*_status = (enum trust_status)i;
			return true;
		}
	}
	return false;
}

/* ---- reading ---- */

/* A subject as it may be said in an event. */
static bool is_subject(const char *text)
{
	const char *why;

	return *text != '\0' && strlen(text) <= EVENT_SUBJECT_MAX && id_text(bytes_of(text), &why) == GBA_OK;
}

void ask_list(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	const char *after = route_query_value(route, "after");
	struct event_log *log = registry_handle_of(call->r)->events;
	struct event_subjects found;
	enum trust_status status;
	json_t *list, *reply;
	enum gba_err err;
	size_t i;

	if (!status_word(route->param[0], &status)) {
		rest_refuse(call, PROBLEM_NOT_FOUND, "lists are white, grey and black");
		return;
	}
	if (after != NULL && !is_subject(after)) {
		rest_refuse(call, PROBLEM_QUERY, "after: next of the page before");
		return;
	}
	err = event_status_list(log, call, status, after != NULL ? after : "", LIST_PAGE_MAX, &found);
	if (err != GBA_OK) {
		rest_fail(call, err);
		return;
	}
	list = json_array();
	for (i = 0; i < found.n; i++)
		json_array_append_new(list, json_string(found.v[i]));
	reply = json_pack("{s:s, s:o}", "status", trust_status_names[status], "subjects", list);
	if (reply != NULL && found.next != NULL)
		json_object_set_new(reply, "next", json_string(found.next));
	rest_json(call, 200, reply);
}

static json_t *statement_json(const struct event_statement *said)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:I}", "status", trust_status_names[said->status], "origin", said->origin,
				 "cause", said->cause, "lamport", (json_int_t)said->lamport);
	char at[TIME_TEXT_LEN + 1];

	time_format(said->at, at);
	json_object_set_new(json, "at", json_string(at));
	return json;
}

void ask_statements(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	const char *subject = route_query_value(route, "subject"), *at = route_query_value(route, "at");
	struct event_log *log = registry_handle_of(call->r)->events;
	struct event_statement held, *said;
	time_t when = call->rc.now;
	json_t *list;
	enum gba_err err;
	size_t n = 0, i;

	if (subject == NULL || !is_subject(subject) || (at != NULL && !ask_time(call, at, &when))) {
		rest_refuse(call, PROBLEM_QUERY, "subject: a RegDevID; at: a time such as 2025-01-01T12:00:00Z that has come");
		return;
	}
	err = event_status_at(log, call, subject, when, &held);
	if (err == GBA_OK)
		err = event_status_history(log, call, subject, STATEMENTS_MAX, &said, &n);
	if (err != GBA_OK) {
		rest_fail(call, err);
		return;
	}
	list = json_array();
	for (i = 0; i < n; i++)
		json_array_append_new(list, statement_json(&said[i]));
	rest_json(call, 200,
		  json_pack("{s:s, s:s, s:o}", "subject", subject, "status", trust_status_names[held.status], "statements", list));
}

/* ---- saying ---- */

static enum gba_err subject_good(struct rest_call *call, const json_t *one)
{
	struct bytes text = BYTES(json_string_value(one), json_string_length(one));
	const char *why = "RegDevIDs are texts";
	struct regdevid parsed;
	int64_t device = 0;
	enum gba_err err;

	if (!json_is_string(one) || regdevid_parse(text, &parsed, &why) != GBA_OK)
		return record_refuse(&call->rc, GBA_E_SYNTAX, "subjects", "%s", why);
	err = reg_device_by_regdevid(call->r, text, &device);
	if (err == GBA_OK && device != 0)
		err = record_refuse(&call->rc, GBA_E_STATE, "subjects", "%s is of this registry: see overrides",
				    json_string_value(one));
	return err;
}

static enum gba_err list_read(struct rest_call *call, json_t **_body)
{
	struct json_fault fault;
	enum trust_status status;
	const json_t *subjects;
	const char *reason;
	json_t *one;
	size_t i;
	enum gba_err err = GBA_OK;

	if (json_read(call->body, _body, &fault) != GBA_OK)
		return record_refuse(&call->rc, GBA_E_SYNTAX, NULL, "line %d: %s", fault.line, fault.text);
	reason = json_string_value(json_object_get(*_body, "reason"));
	subjects = json_object_get(*_body, "subjects");
	if (!status_word(json_string_value(json_object_get(*_body, "status")), &status))
		return record_refuse(&call->rc, GBA_E_SYNTAX, "status", "white, grey or black");
	if (reason == NULL || reason[0] == '\0' || strlen(reason) > 255)
		return record_refuse(&call->rc, GBA_E_SYNTAX, "reason", "why, in 255 octets");
	if (json_object_size(*_body) != 3 || json_array_size(subjects) == 0 || json_array_size(subjects) > EVENT_LIST_MAX)
		return record_refuse(&call->rc, GBA_E_SYNTAX, "subjects", "one to %d RegDevIDs", EVENT_LIST_MAX);
	json_array_foreach((json_t *)(uintptr_t)subjects, i, one) {
		err = subject_good(call, one);
		if (err != GBA_OK)
			break;
	}
	return err;
}

/* The event for all registries, and the entry in the log. */
static enum gba_err list_say(struct rest_call *call, const json_t *body)
{
	const struct registry_handle *handle = registry_handle_of(call->r);
	struct entry entry = { .act = "list.publish", .by = call->actor->name, .result = GBA_OK };
	json_t *told = json_pack("{s:O, s:O, s:O}", "cause", json_object_get(body, "reason"), "status",
				 json_object_get(body, "status"), "subjects", json_object_get(body, "subjects"));
	enum gba_err err = GBA_E_NOMEM;

	entry.detail = told;
	if (told != NULL)
		err = entry_append(handle->entries, &entry, call->rc.now, NULL);
	if (err == GBA_OK)
		err = event_append(handle->events, "list.published", handle->registry.conf->reg_id, told, call->rc.now, NULL);
	json_decref(told);
	return err;
}

static enum gba_err order_keep(struct rest_call *call, const json_t *body, bool waits, int64_t *_id)
{
	char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
	struct db_stmt *stmt;
	enum gba_err err = text == NULL ? GBA_E_NOMEM
					: records_stmt(call->r,
						       "INSERT INTO list_order (body, asked_by, waits, at) VALUES (?1, ?2, ?3, ?4)"
						       " RETURNING id",
						       &stmt);

	if (err == GBA_OK) {
		db_bind_text(stmt, 1, bytes_of(text));
		db_bind_text(stmt, 2, bytes_of(call->actor->name));
		db_bind_int(stmt, 3, waits);
		db_bind_int(stmt, 4, call->rc.now);
		err = records_int(stmt, _id);
	}
	free(text);
	return err;
}

/* Four eyes: as with overrides. */
void ask_list_publish(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	bool waits = ask_registry(call)->conf->four_eyes;
	json_t *body = NULL;
	int64_t id = 0;
	enum gba_err err = records_begin(call->r);

	if (err == GBA_OK) {
		err = list_read(call, &body);
		if (err == GBA_OK)
			err = order_keep(call, body, waits, &id);
		if (err == GBA_OK && !waits)
			err = list_say(call, body);
		err = ask_finish(call, err);
	}
	json_decref(body);
	if (err == GBA_OK)
		rest_json(call, 201, json_pack("{s:I, s:s}", "id", (json_int_t)id, "state", waits ? "requested" : "published"));
	else
		rest_fail(call, err);
}

/* One that waits; taken by it. */
static enum gba_err order_take(struct rest_call *call, const char *id, json_t **_body)
{
	static const char sql[] = "UPDATE list_order SET waits = 0, approved_by = ?2 WHERE id = ?1 AND waits <> 0"
				  " RETURNING body, asked_by";
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(call->r, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, id[strspn(id, "0123456789")] == '\0' && strlen(id) < 18 ? strtoll(id, NULL, 10) : 0);
	db_bind_text(stmt, 2, bytes_of(call->actor->name));
	err = db_step(stmt, &row);
	if (err == GBA_OK && !row)
		err = GBA_E_NOT_FOUND;
	else if (err == GBA_OK && trust_same_person(db_col_text(stmt, 1), call->actor->name))
		err = record_refuse(&call->rc, GBA_E_DENIED, NULL, "another than who asked for it has to approve it");
	else if (err == GBA_OK)
		err = json_read(db_col_text(stmt, 0), _body, NULL);
	db_reset(stmt);
	return err;
}

void ask_list_approve(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	json_t *body = NULL;
	enum gba_err err = records_begin(call->r);

	if (err == GBA_OK) {
		err = order_take(call, route->param[0], &body);
		if (err == GBA_OK)
			err = list_say(call, body);
		err = ask_finish(call, err);
	}
	json_decref(body);
	if (err == GBA_OK)
		rest_json(call, 200, json_pack("{s:s}", "state", "published"));
	else
		rest_fail(call, err);
}
