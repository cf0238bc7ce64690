/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/registration.h"

#include <stdlib.h>
#include <strings.h>

#include "core/clock.h"
#include "core/codec.h"
#include "crypto/sign.h"
#include "http/json.h"
#include "ue/ua_coap.h"
#include "ue/usim/usim_open.h"

#define FILE_NAME_MAX (16 + USIM_NAME_MAX)
#define ANSWER_MAX 65536 /* [octets] */

static const char *file_name(const struct registration *r, char name[FILE_NAME_MAX])
{
	snprintf(name, FILE_NAME_MAX, "registration-%s", r->usim);
	return name;
}

static enum gba_err card_of(struct registration *r, TALLOC_CTX *mem_ctx, struct why *why)
{
	const struct profile *active;
	struct usim_identity identity;
	struct profiles *profiles;
	struct usim usim;
	const char *name;
	enum gba_err err;

	err = profiles_load(mem_ctx, r->state, &profiles, why);
	if (err != GBA_OK)
		return err;
	active = profiles_active(profiles);
	if (active == NULL)
		return why_fail(why, GBA_E_NOT_FOUND, "no profile: see profile add");
	name = r->other_usim != NULL ? r->other_usim : active->usim;
	err = usim_open(mem_ctx, r->state, name, &r->pin, &usim);
	if (err != GBA_OK)
		return why_fail(why, err, "USIM %s: %s", name, gba_strerror(err));
	err = usim.ops->identity(usim.card, &identity);
	if (err != GBA_OK)
		return usim_why(&usim, err, why);
	if (usim_name_is_card(name) && identity.imsi[0] == '\0')
		return why_fail(why, GBA_E_UNSUPPORTED, "%s: an ISIM has no IMSI to register with", name);
	if (usim_name_is_card(name))
		snprintf(r->usim, sizeof(r->usim), "card-%s", identity.imsi);
	else
		snprintf(r->usim, sizeof(r->usim), "%s", name);
	snprintf(r->imsi, sizeof(r->imsi), "%s", identity.imsi);
	return GBA_OK;
}

enum gba_err registration_open(struct registration *r, TALLOC_CTX *mem_ctx, struct why *why)
{
	struct bytes plain = BYTES_NONE;
	char name[FILE_NAME_MAX];
	enum gba_err err = card_of(r, mem_ctx, why);

	if (err != GBA_OK)
		return err;
	err = state_read_sealed(mem_ctx, r->state, file_name(r, name), &plain);
	if (err == GBA_E_NOT_FOUND) {
		r->kept = json_object();
		return r->kept != NULL ? GBA_OK : GBA_E_NOMEM;
	}
	if (err == GBA_OK)
		err = json_read(plain, &r->kept, NULL);
	return err == GBA_OK
		       ? GBA_OK
		       : why_fail(why, err == GBA_E_SYNTAX ? GBA_E_CORRUPT : err, "%s: %s", name, gba_strerror(err));
}

void registration_close(struct registration *r)
{
	json_decref(r->kept);
	r->kept = NULL;
}

static enum gba_err keep(struct registration *r, struct why *why)
{
	char *text = json_dumps(r->kept, JSON_COMPACT | JSON_SORT_KEYS), name[FILE_NAME_MAX];
	enum gba_err err =
		text != NULL ? state_write_sealed(r->state, file_name(r, name), bytes_of(text)) : GBA_E_NOMEM;

	free(text);
	return err == GBA_OK ? GBA_OK : why_fail(why, err, "registration: %s", gba_strerror(err));
}

static const char *text_of(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

/* A refusal of the registry: its own words, and the row that fits. */
static enum gba_err refused(unsigned int status, json_t *problem, struct why *why)
{
	const char *detail = text_of(problem, "detail");
	json_t *field = json_array_get(json_object_get(problem, "errors"), 0);
	enum gba_err err = status == 409                    ? GBA_E_STATE
			   : status == 404                  ? GBA_E_NOT_FOUND
			   : status == 401 || status == 403 ? GBA_E_DENIED
			   : status >= 500                  ? GBA_E_BUSY
							    : GBA_E_SYNTAX;

	if (*detail == '\0')
		detail = text_of(field, "detail");
	return why_fail(why, err, "the registry answers %u: %s%s%s", status, text_of(field, "pointer"),
			*text_of(field, "pointer") != '\0' ? ": " : "",
			*detail != '\0' ? detail : text_of(problem, "title"));
}

/* JSON, or CBOR for a registry that is reached by CoAP. */
static enum gba_err put_body(TALLOC_CTX *mem_ctx, const json_t *body, struct ua_request *request)
{
	static const struct fetch_header json[] = { { "Content-Type", "application/json" }, { NULL, NULL } };
	static const struct fetch_header cbor[] = { { "Content-Type", "application/cbor" }, { "Accept", "application/cbor" },
						     { NULL, NULL } };
	bool small = ua_coap_is(request->url);
	char *text;

	request->headers = body == NULL ? NULL : small ? cbor : json;
	if (body == NULL)
		return GBA_OK;
	if (small)
		return ua_coap_pack(mem_ctx, body, &request->body);
	text = json_dumps(body, JSON_COMPACT);
	if (text != NULL)
		request->body = bytes_of(talloc_strdup(mem_ctx, text));
	free(text);
	return request->body.p != NULL ? GBA_OK : GBA_E_NOMEM;
}

/* One request; the answer is a new reference. body: NULL without. */
static enum gba_err ask(struct registration *r, TALLOC_CTX *mem_ctx, const char *method, const char *path, json_t *body,
			json_t **_answer, struct why *why)
{
	struct ua_request request = { .method = method };
	struct token_source source = client_source(r->client);
	struct ua_reply reply;
	enum gba_err err;

	request.url = talloc_asprintf(mem_ctx, "%s%s", text_of(r->kept, "url"), path);
	if (request.url == NULL)
		return GBA_E_NOMEM;
	err = put_body(mem_ctx, body, &request);
	if (err != GBA_OK)
		return why_fail(why, err, "%s: request cannot be made: %s", request.url, gba_strerror(err));
	r->ua.max_body = ANSWER_MAX;
	err = ua_fetch(mem_ctx, &r->ua, &source, r->fetcher, &request, &reply, why);
	if (err != GBA_OK)
		return err;
	*_answer = NULL;
	err = ua_coap_is(request.url) ? ua_coap_unpack(&reply.answer, _answer) : json_read(reply.answer.body, _answer, NULL);
	if (reply.answer.status >= 300) {
		err = refused(reply.answer.status, *_answer, why);
		json_decref(*_answer);
		return err;
	}
	return err == GBA_OK ? GBA_OK : why_fail(why, GBA_E_PEER, "%s: the answer is no JSON", request.url);
}

/* Members of an answer into what is kept. */
static bool take(struct registration *r, json_t *answer)
{
	static const char *const names[] = { "regdevid", "urn", "serial", "state", "seq", "report_every" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (json_object_get(answer, names[i]) == NULL ||
		    json_object_set(r->kept, names[i], json_object_get(answer, names[i])) != 0)
			return false;
	}
	return true;
}

/* What is told of the device from now on: all that may change. */
static json_t *told_of(json_t *device)
{
	static const char *const names[] = { "kind",          "root_of_trust", "firmware", "software",
					     "communication", "power",         "protocols" };
	json_t *told = json_object();
	size_t i;

	for (i = 0; told != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
		if (json_object_get(device, names[i]) != NULL)
			json_object_set(told, names[i], json_object_get(device, names[i]));
	}
	return told;
}

static enum gba_err add_card(const struct registration *r, json_t *device)
{
	json_t *list = json_object_get(device, "identities");

	if (r->imsi[0] == '\0')
		return GBA_OK;
	if (list == NULL) {
		list = json_array();
		if (json_object_set_new(device, "identities", list) != 0)
			return GBA_E_NOMEM;
	}
	return json_array_append_new(list, json_pack("{s:s, s:s}", "scheme", "imsi", "value", r->imsi)) == 0
		       ? GBA_OK
		       : GBA_E_NOMEM;
}

static enum gba_err confirm(struct registration *r, TALLOC_CTX *mem_ctx, struct why *why)
{
	json_t *body = json_pack("{s:O, s:O}", "regdevid", json_object_get(r->kept, "regdevid"), "serial",
				 json_object_get(r->kept, "serial"));
	json_t *answer = NULL;
	enum gba_err err = body != NULL ? ask(r, mem_ctx, "PUT", "/set", body, &answer, why) : GBA_E_NOMEM;

	json_decref(body);
	if (err != GBA_OK)
		return err;
	err = take(r, answer) ? keep(r, why) : why_fail(why, GBA_E_PEER, "the registry's answer lacks a member");
	json_decref(answer);
	return err;
}

enum gba_err registration_register(struct registration *r, TALLOC_CTX *mem_ctx, const char *url, json_t *device,
				   struct why *why)
{
	json_t *answer = NULL;
	enum gba_err err = add_card(r, device);

	if (err != GBA_OK)
		return err;
	if (text_of(r->kept, "regdevid")[0] != '\0' && strcmp(text_of(r->kept, "url"), url) != 0)
		return why_fail(why, GBA_E_STATE, "registered at %s", text_of(r->kept, "url"));
	json_object_set_new(r->kept, "url", json_string(url));
	err = ask(r, mem_ctx, "POST", "/register", device, &answer, why);
	if (err != GBA_OK)
		return err;
	if (text_of(r->kept, "regdevid")[0] != '\0' &&
	    strcmp(text_of(r->kept, "regdevid"), text_of(answer, "regdevid")) != 0)
		err = why_fail(why, GBA_E_STATE, "registered as %s", text_of(r->kept, "regdevid"));
	else if (!take(r, answer))
		err = why_fail(why, GBA_E_PEER, "the registry's answer lacks a member");
	json_decref(answer);
	if (err != GBA_OK)
		return err;
	if (json_object_get(r->kept, "told") == NULL)
		json_object_set_new(r->kept, "told", told_of(device));
	err = keep(r, why); /* ours before we say so */
	return err == GBA_OK ? confirm(r, mem_ctx, why) : err;
}

/* The report under way: made durable first, so that a repetition is the same, octet by octet. */
static enum gba_err send_pending(struct registration *r, TALLOC_CTX *mem_ctx, struct why *why)
{
	json_t *pending = json_object_get(r->kept, "pending"), *answer = NULL, *value;
	const char *name;
	enum gba_err err = ask(r, mem_ctx, "POST", "/report", pending, &answer, why);

	if (err != GBA_OK)
		return err;
	r->asked = json_integer_value(json_object_get(answer, "challenges")) > 0;
	json_object_set(r->kept, "seq", json_object_get(pending, "seq"));
	if (json_object_get(answer, "report_every") != NULL)
		json_object_set(r->kept, "report_every", json_object_get(answer, "report_every"));
	json_object_foreach(pending, name, value)
	{
		if (strcmp(name, "seq") != 0 && strcmp(name, "cause") != 0 && strcmp(name, "regdevid") != 0)
			json_object_set(json_object_get(r->kept, "told"), name, value);
	}
	json_object_del(r->kept, "pending");
	json_decref(answer);
	return keep(r, why);
}

static enum gba_err prepare(struct registration *r, json_t *now, bool changes_only, bool *_any, struct why *why)
{
	json_t *told = json_object_get(r->kept, "told"), *pending = json_object(), *value;
	const char *name;
	bool changed;

	json_object_foreach(now, name, value)
	{
		if (!json_equal(value, json_object_get(told, name)))
			json_object_set(pending, name, value);
	}
	changed = json_object_size(pending) > 0;
	*_any = changed || !changes_only;
	if (!*_any) {
		json_decref(pending);
		return GBA_OK;
	}
	json_object_set(pending, "regdevid", json_object_get(r->kept, "regdevid"));
	json_object_set_new(pending, "seq", json_integer(json_integer_value(json_object_get(r->kept, "seq")) + 1));
	json_object_set_new(pending, "cause", json_string(changed ? "change" : "periodic"));
	if (json_object_set_new(r->kept, "pending", pending) != 0)
		return GBA_E_NOMEM;
	return keep(r, why);
}

enum gba_err registration_report(struct registration *r, TALLOC_CTX *mem_ctx, json_t *now, bool changes_only,
				 unsigned int *_sent, struct why *why)
{
	enum gba_err err = GBA_OK;
	bool any = false;

	*_sent = 0;
	if (strcmp(text_of(r->kept, "state"), "registered") != 0)
		return why_fail(why, GBA_E_NOT_FOUND, "not registered: see register");
	if (json_object_get(r->kept, "pending") != NULL) {
		err = send_pending(r, mem_ctx, why);
		*_sent += err == GBA_OK;
	}
	if (err == GBA_OK)
		err = prepare(r, now, changes_only || *_sent > 0, &any, why);
	if (err == GBA_OK && any) {
		err = send_pending(r, mem_ctx, why);
		*_sent += err == GBA_OK;
	}
	return err;
}

static enum gba_err answer_one(struct registration *r, TALLOC_CTX *mem_ctx, json_t *challenge, json_t *now, struct why *why)
{
	json_t *body = json_copy(json_object_get(r->kept, "told")), *answer = NULL;
	enum gba_err err = GBA_E_NOMEM;

	if (body != NULL && json_object_update(body, now) == 0 &&
	    json_object_set(body, "regdevid", json_object_get(r->kept, "regdevid")) == 0 &&
	    json_object_set(body, "challenge", json_object_get(challenge, "challenge")) == 0)
		err = ask(r, mem_ctx, "POST", "/answer", body, &answer, why);
	json_decref(answer);
	json_decref(body);
	return err;
}

/* Ours, or one that stands for us and that only the registry could tell. */
static bool is_about_us(const struct registration *r, const char *subject)
{
	return strcmp(subject, text_of(r->kept, "regdevid")) == 0 || strcmp(subject, text_of(r->kept, "urn")) == 0 ||
	       strstr(subject, "VID-") != NULL;
}

static bool is_wanted(const struct registration *r, const char *key)
{
	size_t i;

	for (i = 0; i < r->n_enquirers; i++) {
		if (strcasecmp(r->enquirers[i], key) == 0)
			return true;
	}
	return r->n_enquirers == 0;
}

/* The enquirer's signature over our demand (doc/registry.md). */
static enum gba_err proof_check(const struct registration *r, TALLOC_CTX *mem_ctx, json_t *one, const char *demand, struct why *why)
{
	const char *key_hex = text_of(one, "public_key"), *subject = text_of(one, "subject");
	uint8_t key[SIGN_PUBLIC_LEN], signature[SIGN_LEN];
	char *said = talloc_asprintf(mem_ctx, "gba-device-challenge %s %s %s", subject, text_of(one, "nonce"), demand);

	if (said == NULL)
		return GBA_E_NOMEM;
	if (!is_about_us(r, subject))
		return why_fail(why, GBA_E_DENIED, "not answered: the question is about %s", subject);
	if (!is_wanted(r, key_hex))
		return why_fail(why, GBA_E_DENIED, "not answered: key %s is not among those that are", key_hex);
	if (hex_decode(bytes_of(key_hex), key, sizeof(key)) != GBA_OK ||
	    hex_decode(bytes_of(text_of(one, "signature")), signature, sizeof(signature)) != GBA_OK ||
	    sign_verify(key, bytes_of(said), signature) != GBA_OK)
		return why_fail(why, GBA_E_DENIED, "not answered: the enquirer has not proved its key");
	return GBA_OK;
}

/* Our challenge to the enquirer: durable before it is put, and put again until it is answered. */
static enum gba_err demand_put(struct registration *r, TALLOC_CTX *mem_ctx, json_t *one, struct why *why)
{
	json_t *demands = json_object_get(r->kept, "demands"), *body, *answer = NULL;
	const char *challenge = text_of(one, "challenge");
	uint8_t octets[SIGN_PUBLIC_LEN];
	char hex[HEX_LEN(sizeof(octets)) + 1];
	enum gba_err err = GBA_OK;

	if (json_object_get(demands, challenge) == NULL) {
		rand_bytes(octets, sizeof(octets));
		hex_encode(BYTES(octets, sizeof(octets)), hex);
		json_object_set_new(demands, challenge, json_string(hex));
		err = keep(r, why);
	}
	if (err != GBA_OK)
		return err;
	body = json_pack("{s:O, s:s, s:O}", "regdevid", json_object_get(r->kept, "regdevid"), "challenge", challenge, "demand",
			 json_object_get(demands, challenge));
	err = body != NULL ? ask(r, mem_ctx, "POST", "/challenge", body, &answer, why) : GBA_E_NOMEM;
	json_decref(answer);
	json_decref(body);
	return err;
}

/* Demands of questions that wait no more are forgotten. */
static void demands_prune(struct registration *r, json_t *waiting)
{
	json_t *old = json_object_get(r->kept, "demands"), *demands = json_object(), *one;
	size_t i;

	json_array_foreach(waiting, i, one)
	{
		if (json_object_get(old, text_of(one, "challenge")) != NULL)
			json_object_set(demands, text_of(one, "challenge"), json_object_get(old, text_of(one, "challenge")));
	}
	json_object_set_new(r->kept, "demands", demands);
}

/* One question. @param _done  it has been answered */
static enum gba_err serve_one(struct registration *r, TALLOC_CTX *mem_ctx, json_t *one, json_t *now, bool *_done, struct why *why)
{
	const char *demand = text_of(json_object_get(r->kept, "demands"), text_of(one, "challenge"));
	enum gba_err err = GBA_OK;

	*_done = false;
	if (r->wary && (*demand == '\0' || json_object_get(one, "signature") == NULL))
		return demand_put(r, mem_ctx, one, why);
	if (r->wary)
		err = proof_check(r, mem_ctx, one, demand, why);
	if (err == GBA_OK)
		err = answer_one(r, mem_ctx, one, now, why);
	*_done = err == GBA_OK;
	return err;
}

enum gba_err registration_answer(struct registration *r, TALLOC_CTX *mem_ctx, json_t *now, unsigned int *_answered, struct why *why)
{
	const char *path = talloc_asprintf(mem_ctx, "/challenges?regdevid=%s", text_of(r->kept, "regdevid"));
	enum gba_err err, denied = GBA_OK;
	json_t *waiting = NULL, *one;
	bool done;
	size_t i;

	*_answered = 0;
	if (path == NULL)
		return GBA_E_NOMEM;
	if (strcmp(text_of(r->kept, "state"), "registered") != 0)
		return why_fail(why, GBA_E_NOT_FOUND, "not registered: see register");
	err = ask(r, mem_ctx, "GET", path, NULL, &waiting, why);
	if (err == GBA_OK)
		demands_prune(r, json_object_get(waiting, "challenges"));
	json_array_foreach(json_object_get(waiting, "challenges"), i, one)
	{
		err = serve_one(r, mem_ctx, one, now, &done, why);
		*_answered += done;
		if (err == GBA_E_DENIED) /* this enquirer is; others have their answers */
			denied = err;
		else if (err != GBA_OK && err != GBA_E_STATE) /* too late for one says nothing of the others */
			break;
		err = GBA_OK;
	}
	r->asked = err != GBA_OK || r->wary;
	json_decref(waiting);
	return err == GBA_OK ? denied : err;
}
