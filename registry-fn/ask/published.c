/* SPDX-License-Identifier: Apache-2.0 */
/* What the registry publishes, its log, and the statuses of records. */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/codec.h"
#include "crypto/hash.h"
#include "jose/jws.h"
#include "registry-fn/ask/ask.h"
#include "registry-fn/trust/mass.h"
#include "registry-fn/trust/said.h"
#include "rest/rest.h"

#define PRACTICE_MAX (512 * 1024) /* [octets] */

/* ---- well-known ---- */

/* As "root-of-trust" has it: none is accepted, too, where such devices are registered (and never White). */
static json_t *accepted_roots(const struct registry_conf *conf)
{
	json_t *list = json_array();
	int i;

	for (i = conf->root_policy == ROOT_POLICY_GREY ? ROOT_NONE : ROOT_NONE + 1; reg_root_words[i] != NULL; i++)
		json_array_append_new(list, json_string(reg_root_words[i]));
	return list;
}

/* Keys, certificates and protocols that are accepted: of devices, of callers, of other registries (Y.3059 9.1-vi). */
static json_t *accepted(void)
{
	return json_pack("{s:{s:[s], s:[s, s, s, s]}, s:{s:[s, s, s], s:[s, s]}, s:{s:[s], s:[s, s]}}", "devices",
			 "keys", "Ks_(ext/int)_NAF of the operator's BSF (TS 33.220, Y.3056)", "protocols",
			 "TLS-PSK (TS 33.222)", "HTTP Digest (TS 24.109)", "HTTPS", "CoAP over DTLS-PSK", "callers",
			 "keys", "X.509 certificate of this registry's CA", "bearer token of this registry",
			 "Ed25519 key (enquirers)", "protocols", "TLS 1.3", "TLS 1.2", "registries", "keys",
			 "X.509 certificate of the peer's Diameter identity", "protocols", "TLS 1.3", "TLS 1.2");
}

static json_t *rules(struct rest_call *call)
{
	char **texts = trust_policy_texts(call, ask_registry(call)->policy);
	json_t *list = json_array();

	for (; texts != NULL && *texts != NULL; texts++)
		json_array_append_new(list, json_string(*texts));
	return list;
}

/* The statement and its version, which is its digest. */
static struct bytes practice_read(struct rest_call *call, char version[HEX_LEN(HASH_MAX) + 1])
{
	const char *path = ask_registry(call)->conf->practice_statement;
	char *text = path[0] != '\0' ? talloc_array(call, char, PRACTICE_MAX) : NULL;
	FILE *file = text != NULL ? fopen(path, "re") : NULL;
	uint8_t digest[HASH_MAX];
	struct bytes statement;

	version[0] = '\0';
	if (file == NULL)
		return BYTES_NONE;
	statement = BYTES(text, fread(text, 1, PRACTICE_MAX, file));
	fclose(file);
	hash_pieces(HASH_SHA256, &statement, 1, digest);
	hex_encode(BYTES(digest, sizeof(digest)), version);
	return statement;
}

void ask_well_known(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	const struct registry *registry = ask_registry(call);
	char version[HEX_LEN(HASH_MAX) + 1], public_hex[HEX_LEN(SIGN_PUBLIC_LEN) + 1];

	practice_read(call, version);
	hex_encode(BYTES(sign_key_public(registry->key), SIGN_PUBLIC_LEN), public_hex);
	rest_json(call, 200,
		  json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:o, s:o, s:o, s:{s:s, s:s, s:s, s:s, s:s}}",
			    "reg_id", registry->conf->reg_id, "type", registry_type_names[registry->conf->reg_type],
			    "name", registry->conf->name, "parent", registry->conf->parent, "public_key", public_hex,
			    "practice_statement", "url", "/practice-statement", "version", version, "roots_of_trust",
			    accepted_roots(registry->conf), "accepts", accepted(), "rules", rules(call), "procedures",
			    "enquirer", "/v1/enquirer-registrations", "challenge", "/v1/challenges", "ask",
			    "/v1/questions", "log", "/v1/log/head", "api", "/openapi.json"));
}

void ask_jwks(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);

	rest_json(call, 200, json_pack("{s:[o]}", "keys", jws_jwk(sign_key_public(ask_registry(call)->key))));
}

void ask_practice(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	char version[HEX_LEN(HASH_MAX) + 1], *text = NULL;
	struct bytes statement = practice_read(call, version);
	size_t n = 0;
	FILE *out;

	if (statement.p == NULL) {
		rest_refuse(call, PROBLEM_NOT_FOUND, "no practice statement is configured");
		return;
	}
	out = open_memstream(&text, &n);
	if (out == NULL) {
		rest_fail(call, GBA_E_NOMEM);
		return;
	}
	rest_html_head(out, "Practice statement");
	fprintf(out, "<p>Version <code>%s</code></p><pre>", version);
	rest_html_text(out, talloc_strndup(call, (const char *)statement.p, statement.n));
	fputs("</pre>", out);
	rest_header(call, "ETag", "\"%.16s\"", version);
	rest_html_reply(call, out, &text, &n);
}

/* ---- the log ---- */

static struct entry_log *log_of(struct rest_call *call)
{
	return registry_handle_of(call->r)->entries;
}

static void receipt_reply(struct rest_call *call, enum gba_err err, json_t *receipt)
{
	if (err == GBA_OK)
		rest_json(call, 200, receipt);
	else if (err == GBA_E_CORRUPT || err == GBA_E_SYNTAX || err == GBA_E_UNSUPPORTED)
		rest_refuse(call, PROBLEM_FIELDS, "not a head that this registry has signed");
	else
		rest_fail(call, err);
}

/* Size and nodes of one moment. */
static enum gba_err moment_begin(struct rest_call *call)
{
	return db_begin(records_db(call->r));
}

static void moment_end(struct rest_call *call)
{
	db_rollback(records_db(call->r));
}

void ask_log_head(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	enum gba_err err = moment_begin(call);
	char *head = NULL;

	if (err == GBA_OK) {
		err = entry_head(log_of(call), call, call->rc.now, &head);
		moment_end(call);
	}
	if (err == GBA_OK)
		rest_json(call, 200, json_pack("{s:s}", "head", head));
	else
		rest_fail(call, err);
}

/* An enquirer sees what it did itself. */
static bool may_see(const struct rest_call *call, const json_t *receipt)
{
	json_t *entry;
	const char *by;
	bool own;

	if (call->actor->role != REG_ROLE_ENQUIRER)
		return true;
	entry = json_loads(json_string_value(json_object_get(receipt, "entry")), 0, NULL);
	by = json_string_value(json_object_get(entry, "by"));
	own = by != NULL && strcmp(by, call->actor->name) == 0;
	json_decref(entry);
	return own;
}

void ask_log_proof(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	unsigned long long index;
	json_t *receipt = NULL;
	enum gba_err err;
	char *end = NULL;

	index = strtoull(route->param[0], &end, 10);
	if (route->param[0][0] < '0' || route->param[0][0] > '9' || *end != '\0') {
		rest_refuse(call, PROBLEM_NOT_FOUND, "entries are numbered from 0");
		return;
	}
	err = moment_begin(call);
	if (err == GBA_OK) {
		err = entry_receipt(log_of(call), index, call->rc.now, &receipt);
		moment_end(call);
	}
	if (err == GBA_OK && !may_see(call, receipt)) {
		json_decref(receipt);
		err = GBA_E_NOT_FOUND;
	}
	receipt_reply(call, err, receipt);
}

void ask_log_consistency(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	json_t *body = rest_read_body(call), *receipt = NULL;
	enum gba_err err;

	if (body == NULL)
		return;
	err = moment_begin(call);
	if (err == GBA_OK) {
		err = entry_receipt_growth(log_of(call), json_string_value(json_object_get(body, "first")),
					   call->rc.now, &receipt);
		moment_end(call);
	}
	receipt_reply(call, err, receipt);
	json_decref(body);
}

static bool number(const char *text, long long min, long long max, long long *_n)
{
	char *end = NULL;

	if (text == NULL)
		return true;
	*_n = text[0] >= '0' && text[0] <= '9' && strlen(text) < 19 ? strtoll(text, &end, 10) : -1;
	return *_n >= min && *_n <= max && end != NULL && *end == '\0';
}

void ask_log_entries(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	long long cursor = 0, limit = 100;
	json_t *list, *reply;
	struct entry_row *rows;
	enum gba_err err;
	size_t n = 0, i;

	if (!number(route_query_value(route, "cursor"), 0, INT64_MAX, &cursor) ||
	    !number(route_query_value(route, "limit"), 1, ENTRY_PAGE_MAX, &limit)) {
		rest_refuse(call, PROBLEM_QUERY, "cursor: from 0; limit: 1 to %d", ENTRY_PAGE_MAX);
		return;
	}
	err = entry_read(log_of(call), call, (uint64_t)cursor, (size_t)limit, &rows, &n);
	if (err != GBA_OK) {
		rest_fail(call, err);
		return;
	}
	list = json_array();
	for (i = 0; i < n; i++)
		json_array_append_new(list, json_string(rows[i].text));
	reply = json_pack("{s:o}", "entries", list);
	if (reply != NULL && n == (size_t)limit)
		json_object_set_new(reply, "next", json_integer((json_int_t)(rows[n - 1].index + 1)));
	rest_json(call, 200, reply);
}

/* ---- statuses of records ---- */

static json_t *change_json(const struct trust_change *change, bool all)
{
	json_t *json = json_pack("{s:s, s:s}", "status", trust_status_names[change->status], "cause", change->cause);
	char at[TIME_TEXT_LEN + 1];

	if (json == NULL || change->id == 0)
		return json;
	time_format(change->at, at);
	json_object_set_new(json, "at", json_string(at));
	if (all) {
		json_object_set_new(json, "author", json_string(change->author));
		json_object_set_new(json, "evidence",
				    change->evidence != NULL ? json_string(change->evidence) : json_null());
	}
	return json;
}

/* Evidence and author: for those who answer for it. */
static bool sees_all(const struct rest_call *call)
{
	return (1U << call->actor->role & (FOR_ADMIN | FOR_AGENCY)) != 0;
}

void ask_status(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	const char *at = route_query_value(route, "at");
	struct record *device = rest_record(call, &registry_set.kinds[REG_DEVICE], route->param[0]);
	struct trust_change change;
	time_t when = call->rc.now;
	enum gba_err err;

	if (device == NULL)
		return;
	if (at != NULL && !ask_time(call, at, &when)) {
		rest_refuse(call, PROBLEM_QUERY, "at: a time such as 2025-01-01T12:00:00Z that has come");
		return;
	}
	err = trust_held_at(call->r, call, NULL, device->id, when, &change);
	if (err == GBA_OK)
		rest_json(call, 200, change_json(&change, sees_all(call)));
	else
		rest_fail(call, err);
}

void ask_statuses(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct record *device = rest_record(call, &registry_set.kinds[REG_DEVICE], route->param[0]);
	struct trust_change *changes;
	json_t *list;
	enum gba_err err;
	size_t n = 0, i;

	if (device == NULL)
		return;
	err = trust_history(call->r, call, TRUST_DEVICE, device->id, 1000, &changes, &n);
	if (err != GBA_OK) {
		rest_fail(call, err);
		return;
	}
	list = json_array();
	for (i = 0; i < n; i++)
		json_array_append_new(list, change_json(&changes[i], sees_all(call)));
	rest_json(call, 200, json_pack("{s:o}", "statuses", list));
}

void ask_judging(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct mass_job *jobs = NULL;
	json_t *list = json_array(), *one;
	size_t n = 0, i;
	enum gba_err err = mass_jobs(call->r, call, &jobs, &n);

	for (i = 0; err == GBA_OK && i < n; i++) {
		one = json_pack("{s:s, s:I, s:I}", "because", mass_because(&jobs[i]), "done", (json_int_t)jobs[i].done,
				"devices", (json_int_t)jobs[i].total);
		if (jobs[i].vulnerability > 0)
			json_object_set_new(one, "vulnerability", json_integer(jobs[i].vulnerability));
		json_array_append_new(list, one);
	}
	if (err == GBA_OK)
		rest_json(call, 200, json_pack("{s:O}", "judging", list));
	else
		rest_fail(call, err);
	json_decref(list);
}

static int word_of(const char *const *words, const char *text)
{
	int i;

	for (i = 0; text != NULL && words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0)
			return i;
	}
	return -1;
}

static enum gba_err fact_tell(struct rest_call *call, const struct record *device, const json_t *body)
{
	static const char *const names[] = { "certificate", "missed-reports", "anomalies", NULL };
	static const enum trust_fact places[] = { FACT_CERTIFICATE, FACT_MISSED_REPORTS, FACT_ANOMALIES };
	int which = word_of(names, json_string_value(json_object_get(body, "fact")));
	const char *text = json_string_value(json_object_get(body, "value"));
	long long value = -1;

	if (which == 0)
		value = word_of(certificate_state_words, text);
	else if (!number(text, 0, 1000000, &value))
		value = -1;
	if (which < 0 || value < 0)
		return record_refuse(&call->rc, GBA_E_RANGE, "value",
				     "certificate: none, good, expired, revoked; others: a number");
	return trust_tell(call->r, &call->rc, device->id, places[which], value,
			  json_string_value(json_object_get(body, "evidence")));
}

void ask_fact(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct record *device = rest_record(call, &registry_set.kinds[REG_DEVICE], route->param[0]);
	json_t *body = device != NULL ? rest_read_body(call) : NULL;
	struct trust_change change;
	enum gba_err err;

	if (body == NULL)
		return;
	err = records_begin(call->r);
	if (err == GBA_OK)
		err = ask_finish(call, fact_tell(call, device, body));
	if (err == GBA_OK)
		err = trust_at(call->r, call, TRUST_DEVICE, device->id, call->rc.now, &change);
	if (err == GBA_OK)
		rest_json(call, 200, change_json(&change, true));
	else
		rest_fail(call, err);
	json_decref(body);
}

/* A decision by hand as any other: with four eyes it waits for another's approval. */
static json_t *order_of(const struct record *application, json_t *body)
{
	json_object_set_new(body, "application", json_integer(application->id));
	return body;
}

void ask_application_status(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct record *application = rest_record(call, &registry_set.kinds[REG_APPLICATION], route->param[0]), *order;
	json_t *body = application != NULL ? rest_read_body(call) : NULL, *reply = NULL;
	struct trust_change change;
	enum gba_err err;

	if (body == NULL)
		return;
	err = records_begin(call->r);
	if (err == GBA_OK)
		err = ask_finish(call, records_add(call->r, &call->rc, REG_OVERRIDE, order_of(application, body), &order));
	if (err == GBA_OK)
		err = trust_at(call->r, call, TRUST_APPLICATION, application->id, call->rc.now, &change);
	if (err == GBA_OK)
		reply = change_json(&change, true);
	if (reply != NULL) {
		json_object_set_new(reply, "override", json_integer(order->id));
		json_object_set_new(reply, "state", json_string(reg_override_words[order->v[OVERRIDE_STATE].n]));
	}
	if (err == GBA_OK)
		rest_json(call, 200, reply);
	else
		rest_fail(call, err);
	json_decref(body);
}
