/* SPDX-License-Identifier: Apache-2.0 */
/* What subscribers do besides keeping their subscriptions: fetch tokens (RFC 8936), see what was given up and want it again. */
#include "core/clock.h"
#include "http/json.h"
#include "registry-fn/api/api.h"
#include "registry-fn/tell/tell.h"

#define FREE(title) { .name = title, .use = SCHEMA_FREE }

static const struct rest_schema polled = FREE("SetPoll"), sets = FREE("Sets"), dead_letters = FREE("DeadLetters"),
				again = FREE("Redelivery");

/* The caller's subscription; NULL: the problem is made. */
static struct tell_sub *sub_of(struct rest_call *call, const char *id)
{
	struct record *rec = rest_record(call, &registry_set.kinds[REG_SUBSCRIPTION], id);
	struct tell_sub *sub = NULL;
	enum gba_err err;

	if (rec == NULL)
		return NULL;
	err = tell_sub_load(call->r, call, rec->id, &sub);
	if (err == GBA_OK)
		return sub;
	rest_fail(call, err);
	return NULL;
}

/* What lies before the place or beyond the window was never given out, or is done already. */
static enum gba_err acknowledge(struct rest_call *call, const struct tell_sub *sub, const char *jti, const char *error)
{
	int64_t seq = jti != NULL ? tell_place(call->r, sub, jti) : 0;
	struct event *event = NULL;
	enum gba_err err;

	if (seq <= sub->cursor)
		return GBA_OK;
	err = tell_at(call->r, call, sub, seq, &event);
	if (err != GBA_OK || event == NULL)
		return err;
	if (error != NULL)
		err = tell_dead_add(call->r, sub, seq, error, call->rc.now);
	return err == GBA_OK ? tell_done(call->r, sub, seq) : err;
}

static enum gba_err take_body(struct rest_call *call, struct tell_sub *sub, const json_t *body)
{
	json_t *acks = json_object_get(body, "ack"), *errors = json_object_get(body, "setErrs"), *one;
	enum gba_err err = GBA_OK;
	const char *jti, *word;
	size_t i;

	json_array_foreach(acks, i, one) {
		if (err == GBA_OK)
			err = acknowledge(call, sub, json_string_value(one), NULL);
	}
	json_object_foreach(errors, jti, one) {
		word = json_string_value(json_object_get(one, "err"));
		if (err == GBA_OK)
			err = acknowledge(call, sub, jti, word != NULL && strlen(word) <= 64 ? word : "refused");
	}
	return err == GBA_OK ? tell_settle(call->r, call, sub) : err;
}

/* @param _more  are there some beyond limit? */
static enum gba_err collect(struct rest_call *call, const struct tell_sub *sub, size_t limit, json_t *list, bool *_more)
{
	int64_t seen = sub->cursor, before = -1;
	struct event *event = NULL;
	enum gba_err err = GBA_OK;
	size_t looked = 0, looks = 0;
	bool done;
	char *text;

	while (err == GBA_OK && looked < TELL_WINDOW && looks++ < TELL_WINDOW + TELL_LOOKS && seen != before) {
		before = seen;
		err = tell_next(call->r, call, sub, before, &event, &seen);
		if (err != GBA_OK || event == NULL)
			continue;
		looked++;
		err = tell_is_done(call->r, sub, seen, &done);
		if (err != GBA_OK || done)
			continue;
		*_more = json_object_size(list) == limit;
		if (*_more)
			return GBA_OK;
		err = tell_token(call->r, call, sub, event, &text);
		if (err == GBA_OK)
			json_object_set_new(list, tell_jti(call->r, call, sub, seen), json_string(text));
	}
	*_more = seen != before; /* not at the end yet: the next poll goes on behind what is settled */
	return err;
}

static enum gba_err poll_in(struct rest_call *call, struct tell_sub *sub, const json_t *body, json_t **_answer)
{
	const json_t *max = json_object_get(body, "maxEvents");
	size_t limit = max != NULL && json_integer_value(max) < TELL_WINDOW ? (size_t)json_integer_value(max) : TELL_WINDOW;
	json_t *list = json_object();
	bool more = false;
	enum gba_err err = list != NULL ? take_body(call, sub, body) : GBA_E_NOMEM;

	if (err == GBA_OK && sub->good && sub->rec->v[SUBSCRIPTION_PAUSED].n == 0)
		err = collect(call, sub, limit, list, &more);
	if (err == GBA_OK)
		*_answer = json_pack("{s:O, s:b}", "sets", list, "moreAvailable", more);
	json_decref(list);
	return err == GBA_OK && *_answer == NULL ? GBA_E_NOMEM : err;
}

/* RFC 8936 2.2; members of later versions are none of ours. */
static enum gba_err body_read(struct rest_call *call, json_t **_body)
{
	struct json_fault fault;
	const json_t *acks, *errors, *max;

	if (json_read(call->body, _body, &fault) != GBA_OK)
		return record_refuse(&call->rc, GBA_E_SYNTAX, NULL, "line %d: %s", fault.line, fault.text);
	acks = json_object_get(*_body, "ack");
	errors = json_object_get(*_body, "setErrs");
	max = json_object_get(*_body, "maxEvents");
	if (!json_is_object(*_body) || (max != NULL && (!json_is_integer(max) || json_integer_value(max) < 0)))
		return record_refuse(&call->rc, GBA_E_SYNTAX, "maxEvents", "a number, in an object");
	if ((acks != NULL && !json_is_array(acks)) || json_array_size(acks) > TELL_WINDOW)
		return record_refuse(&call->rc, GBA_E_SYNTAX, "ack", "a list of up to %d jti", TELL_WINDOW);
	if ((errors != NULL && !json_is_object(errors)) || json_object_size(errors) > TELL_WINDOW)
		return record_refuse(&call->rc, GBA_E_SYNTAX, "setErrs", "an object of up to %d jti", TELL_WINDOW);
	return GBA_OK;
}

/* RFC 8936 2: acknowledgements first, then what is still due. It is answered at once, whatever returnImmediately says. */
static void poll_sets(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	json_t *body = NULL, *answer = NULL;
	struct tell_sub *sub = NULL;
	enum gba_err err = body_read(call, &body);

	if (err == GBA_OK)
		err = records_begin(call->r);
	if (err != GBA_OK) {
		rest_fail(call, err);
		json_decref(body);
		return;
	}
	sub = sub_of(call, route->param[0]);
	if (sub != NULL && sub->rec->v[SUBSCRIPTION_METHOD].n != SUBSCRIPTION_POLL) {
		rest_refuse(call, PROBLEM_CONFLICT, "this subscription is pushed");
		sub = NULL;
	}
	err = sub != NULL ? poll_in(call, sub, body, &answer) : GBA_E_NOT_FOUND;
	if (err == GBA_OK)
		err = records_commit(call->r);
	else
		records_rollback(call->r);
	if (err == GBA_OK)
		rest_json(call, 200, json_incref(answer));
	else if (sub != NULL)
		rest_fail(call, err);
	json_decref(answer);
	json_decref(body);
}

static void dead_get(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct tell_sub *sub = sub_of(call, route->param[0]);
	struct tell_dead *dead = NULL;
	char at[TIME_TEXT_LEN + 1];
	json_t *list;
	size_t i, n = 0;
	enum gba_err err;

	if (sub == NULL)
		return;
	err = tell_dead_list(call->r, call, sub, &dead, &n);
	if (err != GBA_OK) {
		rest_fail(call, err);
		return;
	}
	list = json_array();
	for (i = 0; i < n; i++) {
		time_format((time_t)dead[i].at, at);
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s}", "jti",
						      tell_jti(call->r, call, sub, dead[i].seq), "at", at, "again",
						      dead[i].again, "why", dead[i].why));
	}
	rest_json(call, 200, json_pack("{s:o}", "items", list));
}

static void dead_retry(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct tell_sub *sub = sub_of(call, route->param[0]);
	enum gba_err err;

	if (sub == NULL)
		return;
	if (sub->rec->v[SUBSCRIPTION_METHOD].n != SUBSCRIPTION_PUSH) {
		rest_refuse(call, PROBLEM_CONFLICT, "this subscription is not pushed");
		return;
	}
	err = tell_dead_retry(call->r, sub);
	if (err == GBA_OK)
		rest_json(call, 202, json_object());
	else
		rest_fail(call, err);
}

#define WHO (1U << REG_ROLE_ADMIN | 1U << REG_ROLE_PRIVACY | FOR_AGENCY | FOR_MAKER | FOR_CUSTODIAN | FOR_ENQUIRER)

static const struct route rows[] = {
	/* method, path, roles, flags, run, request, response, query, statuses, id, summary */
	{ "POST", "/v1/subscriptions/{id}/poll", WHO, 0, poll_sets, &polled, &sets, NULL, "200 404 409", "pollEvents",
	  "Acknowledge and fetch security event tokens (RFC 8936)" },
	{ "GET", "/v1/subscriptions/{id}/dead-letters", WHO, 0, dead_get, NULL, &dead_letters, NULL, "200 404", "listDeadLetters",
	  "Events that could not be delivered, or were refused: the first hundred" },
	{ "POST", "/v1/subscriptions/{id}/redeliver", WHO, 0, dead_retry, NULL, &again, NULL, "202 404 409", "redeliver",
	  "Push all of them once more" },
};
const struct api_rows tell_api_rows = { rows, sizeof(rows) / sizeof(rows[0]) };
