/* SPDX-License-Identifier: Apache-2.0 */
/* What subscribers do besides keeping their subscriptions: fetch tokens (RFC 8936), read server-sent events, see what was given up,
 * and want it again or not at all. */
#include "core/clock.h"
#include "http/json.h"
#include "registry-fn/api/api.h"
#include "registry-fn/tell/stream.h"
#include "registry-fn/trust/trust.h"

/* JSON Schema as text */
#define FREE(title, text)  { .name = title, .use = SCHEMA_FREE, .document = text }
#define TYPE(type, more)   "{\"type\":\"" type "\"" more "}"
#define MEMBERS(list)	   ",\"properties\":{" list "}"
#define MEMBER(name, type) "\"" name "\":" type
#define LIST(of)	   TYPE("array", ",\"maxItems\":100,\"items\":" of)
#define TEXT		   TYPE("string", "")
#define NUMBER		   TYPE("integer", ",\"minimum\":0")
#define TRUTH		   TYPE("boolean", "")
#define ERRORS		   TYPE("object", MEMBERS(MEMBER("err", TEXT) "," MEMBER("description", TEXT)))
#define LETTER                                                                                                                   \
	TYPE("object", MEMBERS(MEMBER("id", NUMBER) "," MEMBER("jti", TEXT) "," MEMBER("at", TYPE("string", ",\"format\":"      \
	     "\"date-time\"")) "," MEMBER("again", TRUTH) "," MEMBER("why", TEXT)) ",\"required\":[\"id\",\"jti\"," \
	     "\"at\",\"again\",\"why\"]")
#define WHICH MEMBER("letters", LIST(NUMBER))

static const struct rest_schema
	polled = FREE("SetPoll", TYPE("object", MEMBERS(MEMBER("ack", LIST(TEXT)) "," MEMBER("maxEvents", NUMBER) ","
				      MEMBER("returnImmediately", TRUTH) "," MEMBER("setErrs", TYPE("object",
				      ",\"maxProperties\":100,\"additionalProperties\":" ERRORS))))),
	sets = FREE("Sets", TYPE("object", MEMBERS(MEMBER("sets", TYPE("object", ",\"additionalProperties\":" TEXT)) ","
				 MEMBER("moreAvailable", TRUTH)) ",\"required\":[\"sets\",\"moreAvailable\"]")),
	dead_letters = FREE("DeadLetters", TYPE("object", MEMBERS(MEMBER("items", LIST(LETTER)) ","
				 MEMBER("next", "{\"type\":[\"integer\",\"null\"],\"description\":\"after= of the next page\"}") ","
				 MEMBER("room", NUMBER)) ",\"required\":[\"items\",\"next\",\"room\"]")),
	again = { .name = "Redelivery", .use = SCHEMA_FREE, .optional = true, .document = TYPE("object", MEMBERS(WHICH)) },
	discard = FREE("Discard", TYPE("object", MEMBERS(WHICH "," MEMBER("all", TRUTH)))),
	letters_done = FREE("LettersDone", TYPE("object", MEMBERS(MEMBER("letters", NUMBER)) ",\"required\":[\"letters\"]"));

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
	struct tell_item item;
	enum gba_err err;

	if (seq <= sub->cursor)
		return GBA_OK;
	err = tell_at(call->r, call, sub, seq, &item);
	if (err != GBA_OK || item.event == NULL)
		return err;
	if (error != NULL)
		err = tell_letter_add(call->r, sub, seq, NULL, error, call->rc.now);
	if (err == GBA_E_NOSPACE)
		return record_refuse(&call->rc, GBA_E_STATE, NULL, "dead letters are full: discard or acknowledge some");
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
	struct tell_page *page = talloc_zero(call, struct tell_page);
	enum gba_err err = page != NULL ? tell_read(call->r, call, sub, sub->cursor, 0, TELL_WINDOW, page) : GBA_E_NOMEM;
	bool done;
	char *text;
	size_t i;

	for (i = 0; err == GBA_OK && i < page->n; i++) {
		err = tell_is_done(call->r, sub, page->items[i].event->seq, &done);
		if (err != GBA_OK || done)
			continue;
		*_more = json_object_size(list) == limit;
		if (*_more)
			return GBA_OK;
		err = tell_token(call->r, call, sub, &page->items[i], &text);
		if (err == GBA_OK)
			json_object_set_new(list, tell_jti(call->r, call, sub, page->items[i].event->seq), json_string(text));
	}
	*_more = !page->end; /* the next poll goes on behind what is settled */
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

static bool all_texts(const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)list, i, one) {
		if (!json_is_string(one))
			return false;
	}
	return true;
}

/* RFC 8936 2.6: each says what is wrong. */
static bool all_errors(const json_t *errors)
{
	const json_t *one;
	const char *jti;

	json_object_foreach((json_t *)(uintptr_t)errors, jti, one) {
		if (json_string_length(json_object_get(one, "err")) == 0)
			return false;
	}
	return true;
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
	if ((acks != NULL && !json_is_array(acks)) || json_array_size(acks) > TELL_WINDOW || !all_texts(acks))
		return record_refuse(&call->rc, GBA_E_SYNTAX, "ack", "a list of up to %d jti", TELL_WINDOW);
	if ((errors != NULL && !json_is_object(errors)) || json_object_size(errors) > TELL_WINDOW || !all_errors(errors))
		return record_refuse(&call->rc, GBA_E_SYNTAX, "setErrs", "an object of up to %d jti, each with its err",
				     TELL_WINDOW);
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
		rest_refuse(call, PROBLEM_CONFLICT, "this subscription is not polled");
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

/* ---- dead letters ---- */

/* "?after=ID", Last-Event-ID: up to 18 digits. */
static bool number_read(const char *text, int64_t *_n)
{
	size_t n = text != NULL ? strlen(text) : 0;

	if (text != NULL && (n == 0 || n > 18 || strspn(text, "0123456789") != n))
		return false;
	*_n = text != NULL ? strtoll(text, NULL, 10) : 0;
	return true;
}

static const char *letter_jti(struct rest_call *call, const struct tell_sub *sub, const struct tell_letter *letter)
{
	if (letter->ends == 0)
		return tell_jti(call->r, call, sub, letter->seq);
	return talloc_asprintf(call, "%s-%lld-d%lld-%lld", api_registry(call)->conf->reg_id, (long long)sub->rec->id,
			       (long long)letter->ends, (long long)letter->seq);
}

static void dead_get(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct tell_sub *sub = sub_of(call, route->param[0]);
	struct tell_letter *letters = NULL;
	char at[TIME_TEXT_LEN + 1];
	int64_t after, held = 0;
	json_t *list, *next;
	size_t i, n = 0;
	enum gba_err err;

	if (sub == NULL)
		return;
	if (!number_read(route_query_value(route, "after"), &after)) {
		rest_refuse(call, PROBLEM_QUERY, "after: next of the page before");
		return;
	}
	err = tell_letters(call->r, call, sub->rec->id, after, &letters, &n);
	if (err == GBA_OK)
		err = tell_letters_count(call->r, sub->rec->id, &held);
	if (err != GBA_OK) {
		rest_fail(call, err);
		return;
	}
	list = json_array();
	for (i = 0; i < n; i++) {
		time_format((time_t)letters[i].at, at);
		json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:b, s:s}", "id", (json_int_t)letters[i].id, "jti",
						      letter_jti(call, sub, &letters[i]), "at", at, "again", letters[i].again,
						      "why", letters[i].why));
	}
	held = api_registry(call)->conf->tell_dead_letters - held;
	next = n == TELL_WINDOW ? json_integer(letters[n - 1].id) : json_null();
	rest_json(call, 200, json_pack("{s:o, s:o, s:I}", "items", list, "next", next, "room", (json_int_t)(held > 0 ? held : 0)));
}

/* Which ones: "letters", or with empty_is_all when none are named, or "all". */
struct choice {
	json_t *body;
	bool all;
};

static enum gba_err choice_read(struct rest_call *call, bool empty_is_all, struct choice *choice)
{
	struct json_fault fault;
	json_t *ids, *one;
	size_t i;

	choice->all = empty_is_all && call->body.n == 0;
	if (choice->all)
		return GBA_OK;
	if (json_read(call->body, &choice->body, &fault) != GBA_OK)
		return record_refuse(&call->rc, GBA_E_SYNTAX, NULL, "line %d: %s", fault.line, fault.text);
	ids = json_object_get(choice->body, "letters");
	choice->all = ids == NULL && (empty_is_all || json_is_true(json_object_get(choice->body, "all")));
	if (!json_is_object(choice->body) || (!choice->all && !json_is_array(ids)) || json_array_size(ids) > TELL_WINDOW)
		return record_refuse(&call->rc, GBA_E_SYNTAX, "letters", "a list of up to %d ids", TELL_WINDOW);
	json_array_foreach(ids, i, one) {
		if (!json_is_integer(one) || json_integer_value(one) <= 0)
			return record_refuse(&call->rc, GBA_E_SYNTAX, "letters", "ids of dead letters");
	}
	return GBA_OK;
}

typedef enum gba_err (*letters_act)(struct records *r, int64_t subscription, int64_t letter, int *_n);

static enum gba_err act_in(struct rest_call *call, const struct tell_sub *sub, const struct choice *choice, letters_act act,
			    int *_n)
{
	enum gba_err err = GBA_OK;
	json_t *one;
	size_t i;
	int n;

	*_n = 0;
	if (choice->all)
		return act(call->r, sub->rec->id, 0, _n);
	json_array_foreach(json_object_get(choice->body, "letters"), i, one) {
		n = 0;
		if (err == GBA_OK)
			err = act(call->r, sub->rec->id, json_integer_value(one), &n);
		*_n += n;
	}
	return err;
}

/* Noted in the audit log: what was thrown away, and by whom. */
static void letters_do(struct route_call *route, bool empty_is_all, letters_act act, const char *verb, unsigned int status)
{
	struct rest_call *call = rest_call_of(route);
	struct tell_sub *sub = sub_of(call, route->param[0]);
	struct choice choice = { NULL, false };
	enum gba_err err;
	int n = 0;

	if (sub == NULL)
		return;
	if (act == tell_letters_retry && sub->rec->v[SUBSCRIPTION_METHOD].n != SUBSCRIPTION_PUSH) {
		rest_refuse(call, PROBLEM_CONFLICT, "this subscription is not pushed");
		return;
	}
	err = choice_read(call, empty_is_all, &choice);
	if (err == GBA_OK)
		err = records_begin(call->r);
	if (err == GBA_OK) {
		err = act_in(call, sub, &choice, act, &n);
		err = rest_write(call, err, verb, &registry_set.kinds[REG_SUBSCRIPTION], sub->rec);
	}
	json_decref(choice.body);
	if (err == GBA_OK)
		rest_json(call, status, json_pack("{s:i}", "letters", n));
	else
		rest_fail(call, err);
}

static void dead_retry(struct route_call *route)
{
	letters_do(route, true, tell_letters_retry, "redeliver", 202);
}

static void dead_discard(struct route_call *route)
{
	letters_do(route, false, tell_letters_discard, "discard", 200);
}

/* ---- server-sent events ---- */

/* Behind the last event that was read; else from the subscription's beginning. An id that is not known here is another
 * database's: what lies between would be lost. */
static bool begin_at(struct rest_call *call, const struct tell_sub *sub, int64_t *_after)
{
	int64_t last = 0, id = 0;
	enum gba_err err;

	if (!number_read(call->last_event, &id)) {
		rest_refuse(call, PROBLEM_BAD_REQUEST, "Last-Event-ID: the id of an event");
		return false;
	}
	err = event_last(registry_handle_of(call->r)->events, &last);
	if (err != GBA_OK) {
		rest_fail(call, err);
		return false;
	}
	if (id > last) {
		rest_refuse(call, PROBLEM_CONFLICT, "no event has this Last-Event-ID yet: begin without");
		return false;
	}
	*_after = id > sub->cursor ? id : sub->cursor;
	return true;
}

static void stream_get(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	const char *form = route_query_value(route, "form");
	struct tell_sub *sub = sub_of(call, route->param[0]);
	struct tell_reader want = { .rest = call->rest, .plain = form != NULL && strcmp(form, "json") == 0 };
	struct http_stream *http;

	if (sub == NULL)
		return;
	if (form != NULL && !want.plain && strcmp(form, "token") != 0) {
		rest_refuse(call, PROBLEM_QUERY, "form: token or json");
		return;
	}
	if (sub->rec->v[SUBSCRIPTION_METHOD].n != SUBSCRIPTION_STREAM) {
		rest_refuse(call, PROBLEM_CONFLICT, "this subscription is not read as a stream");
		return;
	}
	if (!begin_at(call, sub, &want.after))
		return;
	if (route->head) {
		rest_body(call, 200, REST_EVENTS, BYTES_NONE);
		return;
	}
	want.shown.credential = call->credential;
	memcpy(want.shown.hash, call->hash, sizeof(want.shown.hash));
	want.actor = *call->actor;
	want.subscription = sub->rec->id;
	http = tell_stream_new();
	if (http == NULL) {
		rest_fail(call, GBA_E_NOMEM);
		return;
	}
	rest_stream(call, http);
	if (tell_stream_open(&want, http) == GBA_OK)
		return;
	rest_refuse(call, PROBLEM_UNAVAILABLE, "too many streams are being read");
	http_stream_end(http);
}

#define WHO (1U << REG_ROLE_ADMIN | 1U << REG_ROLE_PRIVACY | FOR_AGENCY | FOR_MAKER | FOR_CUSTODIAN | FOR_ENQUIRER)

static const struct route rows[] = {
	/* method, path, roles, flags, run, request, response, query, statuses, id, summary */
	{ "POST", "/v1/subscriptions/{id}/poll", WHO, 0, poll_sets, &polled, &sets, NULL, "200 404 409", "pollEvents",
	  "Acknowledge and fetch security event tokens (RFC 8936)" },
	{ "GET", "/v1/subscriptions/{id}/events", WHO, REST_STREAM, stream_get, NULL, NULL, "form", "200 404 409", "readEvents",
	  "Server-sent events: signed security event tokens, or with form=json their claims" },
	{ "GET", "/v1/subscriptions/{id}/dead-letters", WHO, 0, dead_get, NULL, &dead_letters, "after", "200 404",
	  "listDeadLetters", "What could not be delivered, or was refused: a hundred at a time" },
	{ "POST", "/v1/subscriptions/{id}/redeliver", WHO, 0, dead_retry, &again, &letters_done, NULL, "202 404 409", "redeliver",
	  "Push these dead letters once more; none named: all" },
	{ "POST", "/v1/subscriptions/{id}/discard", WHO, 0, dead_discard, &discard, &letters_done, NULL, "200 404",
	  "discardDeadLetters", "Throw dead letters away" },
};
const struct api_rows tell_api_rows = { rows, sizeof(rows) / sizeof(rows[0]) };
