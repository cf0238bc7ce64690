/* SPDX-License-Identifier: Apache-2.0 */
/* Questions and their answers. Whoever may know the status only gets the same members of every device, known or not:
 * who is not known is Grey (Y.3059 6.1-15), as many that are. */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/codec.h"
#include "crypto/hash.h"
#include "http/json.h"
#include "jose/jws.h"
#include "registry-fn/ask/ask.h"
#include "registry-fn/ask/question.h"
#include "registry-fn/id/regdevid.h"
#include "registry-fn/id/virtual.h"
#include "registry-fn/trust/said.h"

#define AHEAD_MAX 300 /* [s] a caller's clock may be ahead of ours */

/* ---- the signed answer ---- */

static enum gba_err answer_log(struct rest_call *call, const char *act, const char *jws, json_t **_receipt)
{
	struct entry_log *log = registry_handle_of(call->r)->entries;
	struct entry entry = { .act = act, .by = call->actor->name, .result = GBA_OK };
	char hex[HEX_LEN(HASH_MAX) + 1];
	struct bytes piece = bytes_of(jws);
	uint8_t digest[HASH_MAX];
	uint64_t index = 0;
	json_t *detail;
	enum gba_err err = GBA_E_NOMEM;

	hash_pieces(HASH_SHA256, &piece, 1, digest);
	hex_encode(BYTES(digest, sizeof(digest)), hex);
	detail = json_pack("{s:s}", "answer", hex);
	entry.detail = detail;
	if (detail != NULL)
		err = entry_append(log, &entry, call->rc.now, &index);
	if (err == GBA_OK)
		err = entry_receipt(log, index, call->rc.now, _receipt);
	json_decref(detail);
	return err;
}

static enum gba_err sign_answer(struct rest_call *call, json_t *payload, char **_jws)
{
	const struct registry *registry = ask_registry(call);

	if (payload == NULL || json_object_set_new(payload, "iss", json_string(registry->conf->reg_id)) != 0 ||
	    json_object_set_new(payload, "iat", json_integer(call->rc.now)) != 0 ||
	    json_object_set_new(payload, "aud", json_string(call->actor->name)) != 0)
		return GBA_E_NOMEM;
	return jws_sign_json(call, registry->key, ASK_ANSWER_TYP, payload, _jws);
}

void ask_answer(struct rest_call *call, const char *act, enum gba_err err, json_t *payload)
{
	json_t *receipt = NULL;
	char *jws = NULL;

	if (err == GBA_OK)
		err = sign_answer(call, payload, &jws);
	if (err == GBA_OK)
		err = answer_log(call, act, jws, &receipt);
	err = ask_finish(call, err); /* nobody sees head or answer that are not in the store */
	if (err == GBA_OK)
		rest_json(call, 200, json_pack("{s:s, s:O}", "answer", jws, "receipt", receipt));
	else
		rest_fail(call, err);
	json_decref(receipt);
	json_decref(payload);
}

/* ---- rights ---- */

bool ask_time(const struct rest_call *call, const char *text, time_t *_at)
{
	time_t at, now = call->rc.now;

	if (time_parse(bytes_of(text), &at) != GBA_OK || at > now + AHEAD_MAX)
		return false;
	*_at = at < now ? at : now;
	return true;
}

bool ask_has_right(struct rest_call *call, enum reg_right right)
{
	struct bytes list, one, rest;
	struct db_stmt *stmt;
	bool row = false, has = false;

	if (call->actor->role != REG_ROLE_ENQUIRER)
		return call->actor->role != REG_ROLE_BULK || right == RIGHT_REGDEVID;
	if (records_stmt(call->r, "SELECT coalesce(rights, '') FROM enquirer WHERE id = ?1", &stmt) != GBA_OK)
		return false;
	db_bind_int(stmt, 1, call->actor->id);
	if (db_step(stmt, &row) == GBA_OK && row) {
		for (list = db_col_text(stmt, 0); !has && list.p != NULL; list = rest) {
			if (!bytes_split(list, '\n', &one, &rest)) {
				one = list;
				rest = BYTES_NONE;
			}
			has = bytes_eq_str(one, reg_right_words[right]);
		}
	}
	db_reset(stmt);
	return has;
}

/* ---- one device ---- */

static void put_text(json_t *object, const char *name, struct bytes text)
{
	json_object_set_new(object, name, text.p != NULL ? json_stringn((const char *)text.p, text.n) : json_null());
}

static enum gba_err details_put(struct question *q, int64_t device, const struct trust_change *change, json_t *result)
{
	struct record *rec = NULL;
	enum gba_err err = record_load(q->call->r, q->call, REG_DEVICE, device, &rec);

	if (err != GBA_OK)
		return err;
	json_object_set_new(result, "known", json_true());
	put_text(result, "make", rec->v[DEVICE_MAKE].t);
	put_text(result, "model", rec->v[DEVICE_MODEL].t);
	put_text(result, "firmware", rec->v[DEVICE_FIRMWARE].t);
	json_object_set_new(result, "kind", json_string(reg_device_kind_words[rec->v[DEVICE_KIND].n]));
	json_object_set_new(result, "communication", json_split(rec->v[DEVICE_COMMUNICATION].t, '\n'));
	json_object_set_new(result, "root_of_trust", json_string(reg_root_words[rec->v[DEVICE_ROOT].n]));
	json_object_set_new(result, "state", json_string(reg_device_state_words[rec->v[DEVICE_STATE].n]));
	json_object_set_new(result, "reported", json_integer(rec->v[DEVICE_REPORTED].n));
	json_object_set_new(result, "cause", json_string(change->cause));
	json_object_set_new(result, "since", json_integer(change->at));
	return GBA_OK;
}

/* By an identity, a device of another registry is known by its view alone. */
static enum gba_err status_of(struct question *q, const struct meant *meant, struct trust_change *change)
{
	if (meant->device != 0 || meant->subject != NULL)
		return trust_held_at(q->call->r, q->call, meant->subject, meant->device, q->at, change);
	*change = (struct trust_change){ .status = TRUST_GREY, .cause = "nothing is known", .author = "" };
	if (meant->view != NULL && meant->view->known)
		change->status = meant->view->status;
	return GBA_OK;
}

enum gba_err question_result(struct question *q, const struct meant *meant)
{
	struct trust_change change;
	json_t *result;
	enum gba_err err = status_of(q, meant, &change);

	if (err != GBA_OK)
		return err;
	result = json_pack("{s:s, s:s}", "subject", meant->name, "status", trust_status_names[change.status]);
	if (result == NULL)
		return GBA_E_NOMEM;
	if (q->details && meant->device != 0)
		err = details_put(q, meant->device, &change, result);
	else if (q->details)
		err = question_elsewhere(q, meant, result);
	if (err == GBA_OK && json_array_append(q->results, result) != 0)
		err = GBA_E_NOMEM;
	json_decref(result);
	return err;
}

static enum gba_err by_regdevid(struct question *q)
{
	struct bytes text = regdevid_from_urn(bytes_of(q->value), ask_registry(q->call)->conf->urn_namespace);
	char *subject = talloc_strndup(q->call, (const char *)text.p, text.n);
	struct event_view view = { 0 };
	int64_t device = 0;
	enum gba_err err;

	if (subject == NULL)
		return GBA_E_NOMEM;
	err = reg_device_by_regdevid(q->call->r, text, &device);
	if (err == GBA_OK)
		err = event_view_subject(registry_handle_of(q->call->r)->events, subject, q->at, &view);
	return err == GBA_OK ? question_result(q, &(struct meant){ q->value, subject, device, &view }) : err;
}

static enum gba_err by_virtual(struct question *q)
{
	struct bytes text = regdevid_from_urn(bytes_of(q->value), ask_registry(q->call)->conf->urn_namespace);
	int64_t device = 0;
	enum gba_err err;

	err = virtual_resolve(q->call->r, text, q->call->actor->name, q->call->rc.now, &device);
	if (err == GBA_E_NOT_FOUND || err == GBA_E_SYNTAX || err == GBA_E_RANGE || err == GBA_E_TOO_LONG) {
		device = 0;
		err = GBA_OK;
	}
	return err == GBA_OK ? question_result(q, &(struct meant){ q->value, NULL, device, NULL }) : err;
}

static enum gba_err further_identity(struct records *r, const struct scheme *scheme, const char *identity, int64_t *_device)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, "SELECT device FROM device_identity WHERE value = ?1 AND scheme = ?2 AND personal = 0"
					   " ORDER BY id LIMIT 1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(identity));
	db_bind_int(stmt, 2, scheme - schemes);
	err = records_int(stmt, _device);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

static enum gba_err by_identity(struct question *q)
{
	const char *word = json_string_value(json_object_get(q->body, "scheme")), *why = "";
	const struct scheme *scheme = scheme_by_word(bytes_of(word != NULL ? word : ""));
	char identity[IDENTIFIER_MAX + 1];
	struct event_view view = { 0 };
	int64_t device = 0;
	enum gba_err err;

	if (scheme == NULL)
		return record_refuse(&q->call->rc, GBA_E_SYNTAX, "scheme", "no such scheme of identities");
	if (scheme_canonical(scheme, bytes_of(q->value), identity, &why) != GBA_OK)
		return record_refuse(&q->call->rc, GBA_E_SYNTAX, "value", "%s", why);
	err = reg_device_by_identity(q->call->r, scheme, identity, &device);
	if (err == GBA_OK && device == 0)
		err = further_identity(q->call->r, scheme, identity, &device);
	if (err == GBA_OK && device == 0)
		err = event_view_identity(registry_handle_of(q->call->r)->events, scheme->word, bytes_of(identity), q->at,
					  &view);
	return err == GBA_OK ? question_result(q, &(struct meant){ q->value, NULL, device, &view }) : err;
}

/* ---- many devices ---- */

#define PAGE "SELECT id, regdevid FROM device WHERE id > ?1 AND "
#define OF   " AND (?2 = '' OR make = ?2) AND (?3 = '' OR model = ?3) ORDER BY id LIMIT 101"

/* In the order of kinds[]. */
static const struct {
	const char *by, *sql;
} pages[] = {
	{ "model", PAGE "make = ?4" OF },
	{ "capability", PAGE "lower(?5 || coalesce(communication, '') || ?5 || coalesce(protocols, '') || ?5) LIKE '%' || ?5 ||"
			     " replace(replace(replace(lower(?4), '!', '!!'), '%', '!%'), '_', '!_') || ?5 || '%' ESCAPE '!'" OF },
	{ "status", PAGE "status = ?4" OF },
	{ "custodian", PAGE "custodian = (SELECT id FROM custodian WHERE account = ?4)" OF },
	{ "use_case", PAGE "kind = ?4" OF },
	{ "root_of_trust", PAGE "root_of_trust = ?4" OF },
};

/* What is asked by with a word of a list. */
static const char *const *words_of(const char *by)
{
	if (strcmp(by, "status") == 0)
		return trust_status_names;
	if (strcmp(by, "use_case") == 0)
		return reg_device_kind_words;
	return strcmp(by, "root_of_trust") == 0 ? reg_root_words : NULL;
}

bool question_word(const struct question *q, int *_word)
{
	const char *const *words = words_of(q->by);
	int word;

	for (word = 0; words != NULL && words[word] != NULL && strcmp(words[word], q->value) != 0; word++)
		;
	*_word = words != NULL && words[word] != NULL ? word : -1;
	return words != NULL;
}

static enum gba_err page_bind(struct question *q, struct db_stmt *stmt, size_t which)
{
	const json_t *after = json_object_get(q->body, "after");
	int word = 0;

	db_bind_int(stmt, 1, after != NULL ? json_integer_value(after) : 0);
	db_bind_text(stmt, 2, bytes_of(q->make));
	db_bind_text(stmt, 3, bytes_of(q->model));
	if (strcmp(pages[which].by, "capability") == 0)
		db_bind_text(stmt, 5, bytes_of("\n"));
	if (!question_word(q, &word)) {
		db_bind_text(stmt, 4, bytes_of(q->value));
		return GBA_OK;
	}
	db_bind_int(stmt, 4, word);
	return word >= 0 ? GBA_OK : record_refuse(&q->call->rc, GBA_E_SYNTAX, "value", "no such %s", pages[which].by);
}

static enum gba_err by_page(struct question *q, size_t which)
{
	char *subjects[ASK_PAGE_MAX + 1];
	int64_t ids[ASK_PAGE_MAX + 1];
	struct db_stmt *stmt;
	enum gba_err err;
	bool row = true;
	size_t n = 0, i;

	err = records_stmt(q->call->r, pages[which].sql, &stmt);
	if (err == GBA_OK)
		err = page_bind(q, stmt, which);
	if (err != GBA_OK)
		return err;
	while (n <= ASK_PAGE_MAX && (err = db_step(stmt, &row)) == GBA_OK && row) {
		ids[n] = db_col_int(stmt, 0);
		subjects[n++] = talloc_strndup(q->call, (const char *)db_col_text(stmt, 1).p, db_col_text(stmt, 1).n);
	}
	db_reset(stmt);
	q->next = n > ASK_PAGE_MAX ? ids[ASK_PAGE_MAX - 1] : 0;
	for (i = 0; err == GBA_OK && i < n && i < ASK_PAGE_MAX; i++)
		err = subjects[i] == NULL ? GBA_E_NOMEM
					  : question_result(q, &(struct meant){ subjects[i], subjects[i], ids[i], NULL });
	return err;
}

static const struct {
	const char *by;
	enum reg_right right;
	enum gba_err (*run)(struct question *q);
} kinds[] = {
	{ "regdevid", RIGHT_REGDEVID, by_regdevid }, { "virtual", RIGHT_VIRTUAL, by_virtual }, { "identity", RIGHT_IDENTITY, by_identity },
	{ "model", RIGHT_MODEL, NULL },		     { "capability", RIGHT_MODEL, NULL },      { "status", RIGHT_MODEL, NULL },
	{ "custodian", RIGHT_CUSTODIAN, NULL },	     { "use_case", RIGHT_MODEL, NULL },	       { "root_of_trust", RIGHT_MODEL, NULL },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define ONES  3 /* kinds about one device */

static const char *text_or(const json_t *body, const char *name, const char *other)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text != NULL ? text : other;
}

static enum gba_err question_read(struct question *q, struct rest_call *call, json_t *body)
{
	const char *at = text_or(body, "at", NULL);

	*q = (struct question){ .call = call, .body = body, .by = text_or(body, "by", ""), .value = text_or(body, "value", NULL),
				.make = text_or(body, "make", ""), .model = text_or(body, "model", ""),
				.registry = text_or(body, "registry", NULL), .after = text_or(body, "behind", ""),
				.at = call->rc.now, .results = json_array() };
	if (q->value == NULL && strcmp(q->by, "model") == 0)
		q->value = q->make;
	if (q->value == NULL || q->value[0] == '\0')
		return record_refuse(&call->rc, GBA_E_SYNTAX, "value", "what is asked for?");
	if (at != NULL && !ask_time(call, at, &q->at))
		return record_refuse(&call->rc, GBA_E_SYNTAX, "at", "no time, or not yet");
	return q->results != NULL ? GBA_OK : GBA_E_NOMEM;
}

void ask_one(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	json_t *body = rest_read_body(call), *payload = NULL;
	struct question q;
	enum gba_err err;
	size_t i;

	if (body == NULL)
		return;
	err = question_read(&q, call, body);
	for (i = 0; i < KINDS && strcmp(kinds[i].by, q.by) != 0; i++)
		;
	if (err == GBA_OK && (i == KINDS || !ask_has_right(call, kinds[i].right)))
		err = record_refuse(&call->rc, GBA_E_DENIED, NULL, "not among your rights");
	if (err == GBA_OK)
		err = records_begin(call->r);
	if (err != GBA_OK) {
		rest_fail(call, err);
	} else {
		q.details = ask_has_right(call, RIGHT_DETAILS);
		if (i >= ONES && question_is_wide(&q))
			err = question_by_view(&q);
		else
			err = i < ONES ? kinds[i].run(&q) : by_page(&q, i - ONES);
		if (err == GBA_OK)
			payload = json_pack("{s:O, s:O, s:I}", "question", body, "results", q.results, "at", (json_int_t)q.at);
		if (payload != NULL && q.next != 0)
			json_object_set_new(payload, "next", json_integer(q.next));
		if (payload != NULL && q.behind != NULL)
			json_object_set_new(payload, "behind", json_string(q.behind));
		ask_answer(call, "ask.one", err, payload);
	}
	json_decref(q.results);
	json_decref(body);
}

/* More entries than a list of a record may have: read here. */
static enum gba_err subjects_read(struct rest_call *call, json_t **_body)
{
	struct json_fault fault;
	const json_t *subjects;
	json_t *one;
	size_t i;

	if (json_read(call->body, _body, &fault) != GBA_OK)
		return record_refuse(&call->rc, GBA_E_SYNTAX, "subjects", "line %d: %s", fault.line, fault.text);
	subjects = json_object_get(*_body, "subjects");
	if (!json_is_array(subjects) || json_object_size(*_body) != 1 || json_array_size(subjects) == 0 ||
	    json_array_size(subjects) > ASK_BULK_MAX)
		return record_refuse(&call->rc, GBA_E_SYNTAX, "subjects", "one to %d RegDevIDs", ASK_BULK_MAX);
	json_array_foreach((json_t *)(uintptr_t)subjects, i, one) {
		if (json_string_length(one) == 0 || json_string_length(one) > EVENT_SUBJECT_MAX)
			return record_refuse(&call->rc, GBA_E_SYNTAX, "subjects", "RegDevIDs are texts");
	}
	return GBA_OK;
}

void ask_bulk(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct question q = { .call = call, .at = call->rc.now, .results = json_array() };
	json_t *subjects, *one, *body = NULL, *payload = NULL;
	enum gba_err err = subjects_read(call, &body);
	size_t i;

	subjects = json_object_get(body, "subjects");
	if (err == GBA_OK)
		err = records_begin(call->r);
	if (err != GBA_OK) {
		rest_fail(call, err);
	} else {
		json_array_foreach(subjects, i, one) {
			q.value = json_string_value(one);
			err = err == GBA_OK ? by_regdevid(&q) : err;
		}
		if (err == GBA_OK)
			payload = json_pack("{s:O, s:I}", "results", q.results, "at", (json_int_t)q.at);
		ask_answer(call, "ask.bulk", err, payload);
	}
	json_decref(q.results);
	json_decref(body);
}
