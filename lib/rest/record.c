/* SPDX-License-Identifier: Apache-2.0 */
/* Records of any kind: read, list, write under conditions. The kind's table decides. */
#include <stdio.h>
#include <stdlib.h>

#include "rest/rest_priv.h"
#include "http/json.h"

#define KEY_PREFIX "key:"

const struct record_kind *rest_kind(const struct rest_call *call)
{
	const struct rest_schema *schema =
		call->route.route->response != NULL ? call->route.route->response : call->route.route->request;

	return schema->kind;
}

int rest_role(const struct rest_call *call)
{
	return call->actor != NULL ? call->actor->role : call->rest->setup->guest;
}

/* A member of the natural key in a path: text, or as on a command line. */
static bool key_member(struct rest_call *call, const struct record_kind *kind, const struct field *field,
		       struct bytes text, json_t *key)
{
	return records_value(&call->rc, kind, field->name, text, key) == GBA_OK;
}

static size_t key_count(const struct record_kind *kind)
{
	size_t i, n = 0;

	for (i = 0; i < kind->count; i++)
		n += (kind->fields[i].flags & FIELD_KEY) != 0;
	return n;
}

/* "key:a,b": members in order of the table; the last one takes what is left. NULL: not such a key, nothing answered. */
static json_t *key_parse(struct rest_call *call, const struct record_kind *kind, const char *id)
{
	struct bytes rest = bytes_of(id + sizeof(KEY_PREFIX) - 1), one;
	size_t i, left = key_count(kind);
	json_t *key = json_object();
	bool good = key != NULL;

	for (i = 0; good && i < kind->count; i++) {
		if (!(kind->fields[i].flags & FIELD_KEY))
			continue;
		one = rest;
		if (--left > 0)
			good = bytes_split(rest, ',', &one, &rest);
		good = good && key_member(call, kind, &kind->fields[i], one, key);
	}
	if (good)
		return key;
	json_decref(key);
	return NULL;
}

static bool id_parse(const char *text, int64_t *_id)
{
	char *end;

	if (text[0] < '1' || text[0] > '9' || strlen(text) > 18)
		return false;
	*_id = strtoll(text, &end, 10);
	return *end == '\0';
}

static void not_found(struct rest_call *call)
{
	rest_refuse(call, PROBLEM_NOT_FOUND, "%s", "");
}

static enum gba_err record_find(struct rest_call *call, const struct record_kind *kind, const char *id,
				struct record **_rec)
{
	enum gba_err err = GBA_E_NOT_FOUND;
	int64_t number;
	json_t *key;

	if (strncmp(id, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) == 0) {
		key = key_parse(call, kind, id);
		if (key != NULL)
			err = records_find(call->r, &call->rc, kind->id, key, _rec);
		json_decref(key);
	} else if (id_parse(id, &number)) {
		err = records_get(call->r, &call->rc, kind->id, number, _rec);
	}
	if (err == GBA_E_SYNTAX || err == GBA_E_RANGE || err == GBA_E_TOO_LONG || err == GBA_E_UNSUPPORTED)
		err = GBA_E_NOT_FOUND; /* what cannot be a key is nobody's */
	call->rc.field[0] = '\0';
	return err;
}

struct record *rest_record(struct rest_call *call, const struct record_kind *kind, const char *id)
{
	struct record *rec = NULL;
	enum gba_err err = record_find(call, kind, id, &rec);

	if (err == GBA_OK)
		return rec;
	if (err == GBA_E_NOT_FOUND)
		not_found(call);
	else
		rest_fail(call, err);
	return NULL;
}

void rest_record_reply(struct rest_call *call, unsigned int status, const struct record *rec)
{
	json_t *body = record_json(rec, rest_role(call));

	rest_json(call, status, body);
	if (call->reply.status != status)
		return;
	rest_header(call, "ETag", "\"%lld\"", (long long)rec->rev);
	if (status == 201)
		rest_header(call, "Location", "/v1/%s/%lld", rec->kind->path, (long long)rec->id);
}

/* Is "rev" among the entity tags of a header? Strong comparison (RFC 9110 8.8.3.2). */
/* @param weak  a weak ETag is as good (RFC 9110 8.8.3.2) */
static bool etag_listed(const char *header, int64_t rev, bool weak)
{
	struct bytes list = bytes_of(header), one, rest;
	char want[32];

	snprintf(want, sizeof(want), "\"%lld\"", (long long)rev);
	if (strchr(header, '*') != NULL) /* it stands alone, and no ETag of ours has one */
		return strcmp(header, "*") == 0;
	for (; list.n > 0; list = rest) {
		rest = BYTES_NONE;
		one = list;
		bytes_split(list, ',', &one, &rest);
		while (one.n > 0 && (one.p[0] == ' ' || one.p[0] == '\t'))
			one = BYTES(one.p + 1, one.n - 1);
		while (one.n > 0 && (one.p[one.n - 1] == ' ' || one.p[one.n - 1] == '\t'))
			one.n--;
		if (weak && one.n > 2 && memcmp(one.p, "W/", 2) == 0)
			one = BYTES(one.p + 2, one.n - 2);
		if (bytes_eq_str(one, want))
			return true;
	}
	return false;
}

/* May the record be changed, as far as If-Match says? */
static bool unchanged(struct rest_call *call, const struct record *rec, bool needed)
{
	if (call->if_match == NULL && !needed)
		return true;
	if (call->if_match == NULL)
		rest_refuse(call, PROBLEM_CONDITION, "give the ETag of what you have read in If-Match");
	else if (etag_listed(call->if_match, rec->rev, false))
		return true;
	else
		rest_refuse(call, PROBLEM_CHANGED, "%s", "");
	return false;
}

void rest_get(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct record *rec = rest_record(call, rest_kind(call), route->param[0]);

	if (rec == NULL)
		return;
	if (call->if_none_match != NULL && etag_listed(call->if_none_match, rec->rev, true)) {
		rest_body(call, 304, NULL, BYTES("", 0));
		rest_header(call, "ETag", "\"%lld\"", (long long)rec->rev);
		return;
	}
	rest_record_reply(call, 200, rec);
}

enum gba_err rest_note(struct rest_call *call, enum gba_err result, const char *verb, const struct record_kind *kind,
		       const struct record *rec)
{
	char *object = talloc_asprintf(call, "%s/%lld", kind->path, rec != NULL ? (long long)rec->id : 0LL);
	char *act = talloc_asprintf(call, "%s.%s", kind->name, verb);
	struct audit_entry entry = { .act = act,
				     .role = call->rest->setup->set->roles[call->rc.actor->role],
				     .who = bytes_of(call->rc.actor->name),
				     .object = bytes_of(object),
				     .corr = call->corr,
				     .result = result,
				     .durable = !call->together };

	return object != NULL && act != NULL ? audit_note(call->rest->audit, &entry) : GBA_E_NOMEM;
}

enum gba_err rest_write(struct rest_call *call, enum gba_err err, const char *verb, const struct record_kind *kind,
			const struct record *rec)
{
	enum gba_err noted;

	if (err == GBA_OK)
		err = answer_add(call);
	noted = rest_note(call, err, verb, kind, rec);
	if (noted != GBA_OK && err == GBA_OK)
		err = noted; /* what cannot be noted does not happen */
	if (err != GBA_OK) {
		records_rollback(call->r);
		return err;
	}
	err = records_commit(call->r);
	if (err != GBA_OK)
		rest_note(call, err, verb, kind, rec); /* what was noted did not happen, or nobody knows whether */
	else if (call->together)
		call->noted = verb, call->noted_kind = kind, call->noted_record = rec;
	return err;
}

/* The record as it stands after the commit: what follows from a change (is it in force?) is settled there. */
static void written_reply(struct rest_call *call, unsigned int status, const struct record *rec)
{
	struct record *now = NULL;

	if (records_get(call->r, &call->rc, rec->kind->id, rec->id, &now) == GBA_OK)
		rec = now;
	rest_record_reply(call, status, rec);
}

/* A record that stands under an Idempotency-Key: its answer goes with it. */
static enum gba_err add_once(struct rest_call *call, const struct record *rec)
{
	enum gba_err err = records_settle(call->r);

	if (err == GBA_OK)
		written_reply(call, 201, rec);
	return err;
}

void rest_add(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	const struct record_kind *kind = rest_kind(call);
	json_t *values = rest_read_body(call);
	struct record *rec = NULL;
	enum gba_err err;

	if (values == NULL)
		return;
	err = records_begin(call->r);
	if (err == GBA_OK) {
		err = records_add(call->r, &call->rc, kind->id, values, &rec);
		if (err == GBA_OK && call->once != NULL)
			err = add_once(call, rec);
		err = rest_write(call, err, "add", kind, rec);
	}
	json_decref(values);
	if (err != GBA_OK)
		rest_fail(call, err);
	else if (call->once == NULL)
		written_reply(call, 201, rec);
}

static void set_reply(struct rest_call *call, const struct record *old, json_t *values)
{
	struct record *rec = NULL;
	enum gba_err err = records_begin(call->r);

	if (err == GBA_OK) {
		err = records_set(call->r, &call->rc, old, values, &rec);
		err = rest_write(call, err, "set", old->kind, rec);
	}
	if (err == GBA_OK)
		written_reply(call, 200, rec);
	else
		rest_fail(call, err);
}

void rest_patch(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct record *old = rest_record(call, rest_kind(call), route->param[0]);
	json_t *values;

	if (old == NULL || !unchanged(call, old, true))
		return;
	values = rest_read_body(call);
	if (values != NULL)
		set_reply(call, old, values);
	json_decref(values);
}

static json_t *default_of(const struct field *field)
{
	switch (field->type) {
	case FIELD_INT: return json_integer(field->def);
	case FIELD_BOOL: return json_boolean(field->def != 0);
	case FIELD_WORD: return json_string(field->words[field->def]);
	default: return json_null();
	}
}

/* The whole record as it shall be: what may be changed and is not given becomes its default; what may not be changed
 * and is as it stands is left out. false: a required member is missing, and that was answered. */
static bool whole(struct rest_call *call, const struct record *old, json_t *values)
{
	int role = rest_role(call);
	json_t *now = record_json(old, role), *given;
	struct problem *p = problem_new(call, PROBLEM_FIELDS);
	size_t i;

	for (i = 0; i < old->kind->count; i++) {
		const struct field *field = &old->kind->fields[i];
		bool changes = (field->change & (1U << role)) != 0 &&
			       !(field->flags & (FIELD_FIXED | FIELD_DERIVED | FIELD_HIDDEN));
		char pointer[64] = "";

		json_pointer_add(pointer, sizeof(pointer), field->name);
		given = json_object_get(values, field->name);
		if (changes && given == NULL && (field->flags & FIELD_REQUIRED))
			problem_field(p, pointer, "required");
		else if (changes && given == NULL)
			json_object_set_new(values, field->name, default_of(field));
		else if (!changes && given != NULL && json_equal(given, json_object_get(now, field->name)))
			json_object_del(values, field->name);
	}
	json_decref(now);
	if (p != NULL && problem_fields(p) == 0)
		return true;
	rest_problem(call, p);
	return false;
}

/* Members of the path's key into the body; false: they are there and differ. */
static bool key_join(struct rest_call *call, const struct record_kind *kind, json_t *values)
{
	json_t *key = key_parse(call, kind, call->route.param[0]), *value;
	const char *name;
	bool same = true;

	json_object_foreach(key, name, value)
	{
		json_t *given = json_object_get(values, name);

		if (given == NULL)
			json_object_set(values, name, value);
		else if (!json_equal(given, value))
			same = false;
	}
	json_decref(key);
	if (!same)
		rest_refuse(call, PROBLEM_FIELDS, "the body has another key than the path");
	return same;
}

static void put_new(struct rest_call *call, const struct record_kind *kind, json_t *values)
{
	struct record *rec = NULL;
	enum gba_err err;

	if (call->if_match != NULL) {
		rest_refuse(call, PROBLEM_CHANGED, "%s", "");
		return;
	}
	err = records_begin(call->r);
	if (err == GBA_OK) {
		err = records_add(call->r, &call->rc, kind->id, values, &rec);
		err = rest_write(call, err, "add", kind, rec);
	}
	if (err == GBA_OK)
		written_reply(call, 201, rec);
	else
		rest_fail(call, err);
}

/* Does all that is given stand already? */
static bool stands(const struct rest_call *call, const struct record *old, json_t *values)
{
	json_t *now = record_json(old, rest_role(call)), *value;
	const char *name;
	bool same = now != NULL;

	json_object_foreach(values, name, value)
		same = same && json_equal(value, json_object_get(now, name));
	json_decref(now);
	return same;
}

/* Without If-Match it is a retry that finds what it wanted, or nothing. */
static void put_old(struct rest_call *call, const struct record *old, json_t *values)
{
	if (call->if_none_match != NULL && etag_listed(call->if_none_match, old->rev, true))
		rest_refuse(call, PROBLEM_CHANGED, "%s", "");
	else if (call->if_match == NULL && stands(call, old, values))
		rest_record_reply(call, 200, old);
	else if (unchanged(call, old, true) && whole(call, old, values))
		set_reply(call, old, values);
}

void rest_put(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	const struct record_kind *kind = rest_kind(call);
	bool keyed = strncmp(route->param[0], KEY_PREFIX, sizeof(KEY_PREFIX) - 1) == 0;
	struct record *old = NULL;
	enum gba_err err = record_find(call, kind, route->param[0], &old);
	json_t *values;

	if (err != GBA_OK && (err != GBA_E_NOT_FOUND || !keyed)) {
		rest_fail(call, err);
		return;
	}
	values = rest_read_body(call);
	if (values != NULL && (!keyed || key_join(call, kind, values))) {
		if (old != NULL)
			put_old(call, old, values);
		else
			put_new(call, kind, values);
	}
	json_decref(values);
}

/* What follows, once it is durable. */
static void done(struct rest_call *call, const char *verb, const struct record *old)
{
	call->done_verb = verb;
	call->done_old = old;
}

void rest_delete(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct record *old = rest_record(call, rest_kind(call), route->param[0]);
	enum gba_err err;

	if (old == NULL || !unchanged(call, old, true))
		return;
	err = records_begin(call->r);
	if (err == GBA_OK) {
		err = records_remove(call->r, &call->rc, old);
		err = rest_write(call, err, "remove", old->kind, old);
	}
	if (err == GBA_OK)
		done(call, "remove", old);
	if (err == GBA_OK)
		rest_body(call, 204, NULL, BYTES("", 0));
	else
		rest_fail(call, err);
}

void rest_verb(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	const struct record_kind *kind = rest_kind(call);
	const char *verb = strrchr(route->route->path, '/') + 1;
	struct record *old = rest_record(call, kind, route->param[0]), *rec = NULL;
	json_t *arguments;
	enum gba_err err;

	if (old == NULL || !unchanged(call, old, false))
		return;
	arguments = rest_read_body(call);
	if (arguments == NULL)
		return;
	err = records_begin(call->r);
	if (err == GBA_OK) {
		err = records_do(call->r, &call->rc, old, verb, arguments, &rec);
		err = rest_write(call, err, verb, kind, old);
	}
	json_decref(arguments);
	if (err == GBA_OK)
		done(call, verb, old);
	if (err == GBA_OK && rec != NULL)
		written_reply(call, 200, rec);
	else
		rest_fail(call, err == GBA_OK ? GBA_E_INTERNAL : err);
}
