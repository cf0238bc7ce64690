/* SPDX-License-Identifier: Apache-2.0 */
/* How callers come by their credentials: an ASP registers (Y.3056 10.2-1), the first administrator accepts an
 * invitation, whoever has one gets another. Secrets are shown once and kept as hashes. */
#include <stdio.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/secret.h"
#include "hss-stub/api/api_priv.h"
#include "pki/ca.h"

#define REGISTRATION_DAYS 90
#define DAY               86400

/* On behalf of the caller, noted under the caller's name: what only the node itself may do. */
static struct actor as_system(const struct rest_call *call)
{
	return (struct actor){ ACTOR_SYSTEM, 0, call->actor != NULL ? call->actor->name : "open" };
}

struct order {
	int owner_type, type;
	int64_t owner;
	const char *name;
	struct bytes csr;
	unsigned int days;
};

static void time_text(time_t when, char out[TIME_TEXT_LEN + 1])
{
	time_format(when, out);
}

static json_t *credential_values(const struct order *order, const char *hash, const char *expires)
{
	return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s}", "owner_type", owner_words[order->owner_type], "owner",
			 (json_int_t)order->owner, "name", order->name, "type", credential_words[order->type], "hash",
			 hash, "expires", expires);
}

/* In the transaction. */
static enum gba_err credential_add(struct rest_call *call, const struct order *order, const char *hash,
				   struct record **_rec)
{
	const struct actor system = as_system(call), *caller = call->rc.actor;
	char expires[TIME_TEXT_LEN + 1];
	json_t *values;
	enum gba_err err = GBA_E_NOMEM;

	time_text(call->rc.now + (time_t)order->days * DAY, expires);
	values = credential_values(order, hash, expires);
	call->rc.actor = &system;
	if (values != NULL)
		err = records_add(call->r, &call->rc, KIND_CREDENTIAL, values, _rec);
	call->rc.actor = caller;
	json_decref(values);
	return err;
}

static enum gba_err token_issue(struct rest_call *call, const struct order *order, struct record **_rec, json_t *answer)
{
	char token[TOKEN_ROOM], hash[TOKEN_HASH_ROOM];
	enum gba_err err;

	token_new(token, hash);
	err = credential_add(call, order, hash, _rec);
	if (err == GBA_OK)
		json_object_set_new(answer, "token", json_string(token));
	SECRET_WIPE(token);
	return err;
}

static enum gba_err certificate_issue(struct rest_call *call, const struct order *order, struct record **_rec,
				      json_t *answer)
{
	char *cn = talloc_asprintf(call, "%s-%lld %.40s", owner_words[order->owner_type], (long long)order->owner,
				   order->name);
	struct ca_order what = { .cn = cn, .csr = order->csr, .days = order->days };
	struct ca_issued *issued = NULL;
	enum gba_err err;

	if (cn == NULL)
		return GBA_E_NOMEM;
	if (rest_ca(call->rest) == NULL) {
		snprintf(call->rc.why, sizeof(call->rc.why), "this realm has no CA: tokens only");
		return GBA_E_STATE;
	}
	err = ca_issue(rest_ca(call->rest), call, &what, call->rc.now, &issued);
	if (err == GBA_E_SYNTAX || err == GBA_E_RANGE) {
		snprintf(call->rc.field, sizeof(call->rc.field), "csr");
		snprintf(call->rc.why, sizeof(call->rc.why), "%s",
			 err == GBA_E_RANGE ? "the key is too weak, or of a kind not taken"
					    : "no PKCS #10 request signed with its own key");
	}
	if (err == GBA_OK)
		err = credential_add(call, order, issued->fingerprint, _rec);
	if (err != GBA_OK) {
		if (issued != NULL)
			ca_revoke(rest_ca(call->rest), issued->serial, call->rc.now, NULL);
		return err;
	}
	json_object_set_new(answer, "certificate", json_string(issued->certificate));
	json_object_set_new(answer, "ca", json_string(ca_certificate(rest_ca(call->rest))));
	if (issued->private_key != NULL)
		json_object_set_new(answer, "private_key", json_string(issued->private_key));
	return GBA_OK;
}

/* In the transaction. answer gets what is shown once. */
static enum gba_err credential_issue(struct rest_call *call, const struct order *order, struct record **_rec,
				     json_t *answer)
{
	char expires[TIME_TEXT_LEN + 1];

	time_text(call->rc.now + (time_t)order->days * DAY, expires);
	json_object_set_new(answer, "type", json_string(credential_words[order->type]));
	json_object_set_new(answer, "expires", json_string(expires));
	return order->type == CREDENTIAL_TOKEN ? token_issue(call, order, _rec, answer)
					       : certificate_issue(call, order, _rec, answer);
}

static struct order order_of(const json_t *body)
{
	const char *type = json_string_value(json_object_get(body, "type")),
		   *csr = json_string_value(json_object_get(body, "csr"));
	const json_t *days = json_object_get(body, "days");

	return (struct order){ .type = csr != NULL || (type != NULL && strcmp(type, "certificate") == 0)
					       ? CREDENTIAL_CERTIFICATE
					       : CREDENTIAL_TOKEN,
			       .name = json_string_value(json_object_get(body, "name")),
			       .csr = bytes_of(csr),
			       .days = days != NULL ? (unsigned int)json_integer_value(days) : 365 };
}

static void issued_reply(struct rest_call *call, enum gba_err err, const struct record *rec, json_t *answer)
{
	if (err == GBA_OK) {
		json_object_set_new(answer, "id", json_integer(rec->id));
		rest_json(call, 201, json_incref(answer));
	} else {
		rest_fail(call, err);
	}
}

static bool order_good(struct rest_call *call, const struct order *order, const json_t *body)
{
	const char *type = json_string_value(json_object_get(body, "type"));

	if (strcmp(order->name, TOKEN_INVITATION) == 0) {
		snprintf(call->rc.field, sizeof(call->rc.field), "name");
		snprintf(call->rc.why, sizeof(call->rc.why), "kept for invitations");
	} else if (order->csr.p != NULL && type != NULL && strcmp(type, "token") == 0) {
		snprintf(call->rc.field, sizeof(call->rc.field), "csr");
		snprintf(call->rc.why, sizeof(call->rc.why), "a token has none");
	} else {
		return true;
	}
	rest_fail(call, GBA_E_SYNTAX);
	return false;
}

void api_issue(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	bool asp = strncmp(route->route->path, "/v1/asps", 8) == 0;
	struct record *owner = rest_record(call, &mapping_kinds[asp ? KIND_ASP : KIND_USER], route->param[0]),
		      *rec = NULL;
	json_t *body = owner != NULL ? rest_read_body(call) : NULL, *answer = json_object();
	struct order order;
	enum gba_err err;

	if (body == NULL)
		goto done;
	order = order_of(body);
	order.owner_type = asp ? OWNER_ASP : OWNER_USER;
	order.owner = owner->id;
	if (!order_good(call, &order, body))
		goto done;
	err = records_begin(call->r);
	if (err == GBA_OK) {
		err = credential_issue(call, &order, &rec, answer);
		err = rest_write(call, err, "issue", &mapping_kinds[KIND_CREDENTIAL], rec);
	}
	issued_reply(call, err, rec, answer);
done:
	json_decref(answer);
	json_decref(body);
}

/* In the transaction: of two who come with the same invitation, one finds it gone. */
static enum gba_err invitation_take(struct rest_call *call)
{
	const struct actor system = as_system(call), *caller = call->rc.actor;
	json_t *key = json_pack("{s:s, s:s}", "type", credential_words[CREDENTIAL_TOKEN], "hash", call->hash);
	struct record *invitation = NULL;
	enum gba_err err = GBA_E_NOMEM;

	call->rc.actor = &system;
	if (key != NULL)
		err = records_find(call->r, &call->rc, KIND_CREDENTIAL, key, &invitation);
	if (err == GBA_OK)
		err = records_remove(call->r, &call->rc, invitation);
	call->rc.actor = caller;
	call->rc.field[0] = '\0';
	json_decref(key);
	return err == GBA_E_NOT_FOUND || err == GBA_E_STALE ? GBA_E_NOT_AUTHORIZED : err;
}

void api_invitation(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	json_t *body = rest_read_body(call), *answer = json_object();
	struct record *rec = NULL;
	struct order order;
	enum gba_err err;

	if (body == NULL)
		goto done;
	order = order_of(body);
	order.owner_type = OWNER_ADMIN;
	if (!order_good(call, &order, body))
		goto done;
	err = records_begin(call->r);
	if (err == GBA_OK) {
		err = invitation_take(call);
		if (err == GBA_OK)
			err = credential_issue(call, &order, &rec, answer);
		err = rest_write(call, err, "accept", &mapping_kinds[KIND_CREDENTIAL], rec);
	}
	if (err == GBA_E_NOT_AUTHORIZED)
		rest_refuse(call, PROBLEM_UNAUTHORIZED, "%s", "");
	else
		issued_reply(call, err, rec, answer);
done:
	json_decref(answer);
	json_decref(body);
}

/* One that stands already: answered like a new one, since anybody may ask; the token opens nothing. */
static enum gba_err registration_repeated(struct rest_call *call, const struct order *order, json_t *answer)
{
	char token[TOKEN_ROOM], hash[TOKEN_HASH_ROOM], expires[TIME_TEXT_LEN + 1];

	token_new(token, hash);
	time_text(call->rc.now + (time_t)order->days * DAY, expires);
	json_object_set_new(answer, "expires", json_string(expires));
	json_object_set_new(answer, "token", json_string(token));
	SECRET_WIPE(token);
	return GBA_OK;
}

void api_asp_registration(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	const struct actor system = as_system(call);
	struct order order = {
		.owner_type = OWNER_ASP, .type = CREDENTIAL_TOKEN, .name = "registration", .days = REGISTRATION_DAYS
	};
	json_t *body = rest_read_body(call), *answer = json_object();
	struct record *asp = NULL, *rec = NULL;
	enum gba_err err;

	if (body == NULL)
		goto done;
	call->rc.actor = &system;
	json_object_set_new(body, "state", json_string(asp_state_words[ASP_REQUESTED]));
	err = records_begin(call->r);
	if (err == GBA_OK) {
		err = records_add(call->r, &call->rc, KIND_ASP, body, &asp);
		if (err == GBA_OK) {
			order.owner = asp->id;
			err = credential_issue(call, &order, &rec, answer);
		}
		err = rest_write(call, err, "register", &mapping_kinds[KIND_ASP], asp);
		if (err == GBA_E_EXISTS)
			err = registration_repeated(call, &order, answer);
	}
	if (err == GBA_OK) {
		json_object_del(answer, "type");
		json_object_set_new(answer, "state", json_string(asp_state_words[ASP_REQUESTED]));
		rest_json(call, 201, json_incref(answer));
	} else {
		rest_fail(call, err);
	}
done:
	json_decref(answer);
	json_decref(body);
}

void api_done(struct rest_call *call, const char *verb, const struct record *credential)
{
	char *hash;
	enum gba_err err;

	(void)verb;
	if (credential->kind->id != KIND_CREDENTIAL || credential->v[CREDENTIAL_TYPE].n != CREDENTIAL_CERTIFICATE ||
	    rest_ca(call->rest) == NULL)
		return;
	hash = talloc_strndup(call, (const char *)credential->v[CREDENTIAL_HASH].t.p,
			      credential->v[CREDENTIAL_HASH].t.n);
	err = hash != NULL ? ca_revoke(rest_ca(call->rest), hash, call->rc.now, NULL) : GBA_E_NOMEM;
	if (err != GBA_OK && err != GBA_E_NOT_FOUND) /* our own door is shut already; others read the list */
		log_event(LOG_L_ERROR, "api.crl",
			  &((struct log_about){ .iface = "REST", .corr = call->corr, .result = err }),
			  "the list of revoked certificates could not be written");
}

void api_webhook_key(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	bool asp = strncmp(route->route->path, "/v1/asps", 8) == 0;
	struct record *owner = rest_record(call, &mapping_kinds[asp ? KIND_ASP : KIND_USER], route->param[0]);
	char key[PSEUDONYM_LEN + 1];

	if (owner == NULL)
		return;
	notify_key(call->r, asp, owner->id, key);
	rest_json(call, 200, json_pack("{s:s}", "key", key));
	SECRET_WIPE(key);
}
