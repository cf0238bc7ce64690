/* SPDX-License-Identifier: Apache-2.0 */
/* Trust Registry Query Protocol 2.0 (Trust over IP, HTTPS binding): another face of the same questions, for who asks registries of
 * many kinds. Its text was read in the public repository of the specification, no other implementation was tried: [unverified],
 * and off until trqp-authority names the authority that is spoken for. */
#include "core/clock.h"
#include "http/json.h"
#include "registry-fn/ask/ask.h"
#include "registry-fn/id/regdevid.h"
#include "registry-fn/trust/said.h"

/* One query; texts of the body. */
struct query {
	const char *entity, *authority, *action, *resource, *time; /* time: NULL: none */
	const json_t *context;
	time_t at;
};

static bool text_put(const json_t *body, const char *name, const char **_text)
{
	*_text = json_string_value(json_object_get(body, name));
	return *_text != NULL && **_text != '\0' && strlen(*_text) <= 512;
}

/* UTC, written with Z (schema of "context"). */
static bool time_read(const struct rest_call *call, const char *text, time_t *_at)
{
	return *text != '\0' && text[strlen(text) - 1] == 'Z' && ask_time(call, text, _at);
}

/* @return false: refused */
static bool query_read(struct rest_call *call, const json_t *body, struct query *q)
{
	*q = (struct query){ .at = call->rc.now, .context = json_object_get(body, "context") };
	if (!text_put(body, "entity_id", &q->entity) || !text_put(body, "authority_id", &q->authority) ||
	    !text_put(body, "action", &q->action) || !text_put(body, "resource", &q->resource)) {
		rest_refuse(call, PROBLEM_BAD_REQUEST, "entity_id, authority_id, action and resource are needed");
		return false;
	}
	if (q->context != NULL && !json_is_object(q->context)) {
		rest_refuse(call, PROBLEM_BAD_REQUEST, "context is an object");
		return false;
	}
	q->time = json_string_value(json_object_get(q->context, "time"));
	if (q->time == NULL ? json_object_get(q->context, "time") != NULL : !time_read(call, q->time, &q->at)) {
		rest_refuse(call, PROBLEM_BAD_REQUEST, "context.time: a time such as 2025-01-01T12:00:00Z that has come");
		return false;
	}
	return true;
}

/* Whom and what this registry speaks for. @return false: refused */
static bool query_ours(struct rest_call *call, const struct query *q, const char *action)
{
	const struct registry_conf *conf = ask_registry(call)->conf;

	if (conf->trqp_authority[0] == '\0')
		rest_refuse(call, PROBLEM_NOT_FOUND, "no TRQP here");
	else if (strcmp(q->authority, conf->trqp_authority) != 0 && strcmp(q->authority, conf->reg_id) != 0)
		rest_refuse(call, PROBLEM_NOT_FOUND, "this registry speaks for %s", conf->trqp_authority);
	else if (strcmp(q->action, action) != 0 || strcmp(q->resource, "device") != 0)
		rest_refuse(call, PROBLEM_NOT_FOUND, "action %s on resource device is what is answered", action);
	else if (!ask_has_right(call, RIGHT_REGDEVID))
		rest_refuse(call, PROBLEM_FORBIDDEN, "not among your rights");
	else
		return true;
	return false;
}

static json_t *answer_json(const struct query *q, time_t now, const char *verdict, bool is)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:b}", "entity_id", q->entity, "authority_id", q->authority, "action",
				 q->action, "resource", q->resource, verdict, is);
	char text[TIME_TEXT_LEN + 1];

	if (json == NULL)
		return NULL;
	time_format(now, text);
	json_object_set_new(json, "time_evaluated", json_string(text));
	time_format(q->at, text);
	json_object_set_new(json, "time_requested", json_string(text));
	if (q->context != NULL)
		json_object_set(json, "context", (json_t *)(uintptr_t)q->context);
	return json;
}

/* The status of a device is White. */
static enum gba_err authorized(struct rest_call *call, const struct query *q, bool *_is)
{
	struct bytes text = regdevid_from_urn(bytes_of(q->entity), ask_registry(call)->conf->urn_namespace);
	const char *subject = talloc_strndup(call, (const char *)text.p, text.n);
	struct trust_change held;
	int64_t device = 0;
	enum gba_err err = subject != NULL ? reg_device_by_regdevid(call->r, text, &device) : GBA_E_NOMEM;

	if (err == GBA_OK)
		err = trust_held_at(call->r, call, subject, device, q->at, &held);
	*_is = err == GBA_OK && held.status == TRUST_WHITE;
	return err;
}

/* A registry that is known here with a key that nobody has revoked, or this one. */
static enum gba_err recognized(struct rest_call *call, const struct query *q, bool *_is)
{
	struct db_stmt *stmt;
	int64_t n = 0;
	enum gba_err err;

	err = records_stmt(call->r,
			   "SELECT count(*) FROM event_registry AS r WHERE r.reg_id = ?1 AND NOT EXISTS"
			   " (SELECT 1 FROM event_revoked AS v WHERE v.public_key = r.public_key)",
			   &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(q->entity));
	err = records_int(stmt, &n);
	*_is = n > 0 || strcmp(q->entity, ask_registry(call)->conf->reg_id) == 0;
	return err;
}

static enum gba_err noted(struct rest_call *call, const struct query *q, const char *verdict, bool is)
{
	struct entry entry = { .act = "ask.trqp", .by = call->actor->name, .subject = q->entity };
	json_t *detail = json_pack("{s:b}", verdict, is);
	enum gba_err err = GBA_E_NOMEM;

	entry.detail = detail;
	if (detail != NULL)
		err = entry_append(registry_handle_of(call->r)->entries, &entry, call->rc.now, NULL);
	json_decref(detail);
	return err;
}

static void query_answer(struct rest_call *call, const char *action, const char *verdict,
			 enum gba_err (*ask)(struct rest_call *call, const struct query *q, bool *_is))
{
	struct json_fault fault;
	json_t *body = NULL;
	struct query q;
	bool is = false;
	enum gba_err err;

	if (json_read(call->body, &body, &fault) != GBA_OK)
		rest_refuse(call, PROBLEM_JSON, "line %d: %s", fault.line, fault.text);
	else if (query_read(call, body, &q) && query_ours(call, &q, action)) {
		err = records_begin(call->r);
		if (err == GBA_OK) {
			err = ask(call, &q, &is);
			if (err == GBA_OK)
				err = noted(call, &q, verdict, is);
			err = ask_finish(call, err);
		}
		if (err == GBA_OK)
			rest_json(call, 200, answer_json(&q, call->rc.now, verdict, is));
		else
			rest_fail(call, err);
	}
	json_decref(body);
}

void ask_trqp_authorization(struct route_call *route)
{
	query_answer(rest_call_of(route), "trust", "authorized", authorized);
}

void ask_trqp_recognition(struct route_call *route)
{
	query_answer(rest_call_of(route), "register", "recognized", recognized);
}
