/* SPDX-License-Identifier: Apache-2.0 */
/* The trust extension of Y.3056 10.3: a user asks (1), the operator checks verification and device (2), passes a
 * pseudonym and the attributes the user agrees to to the ASP (3), the ASP sets the flag and reports (4, 5), the user is
 * told (6). */
#include <stdlib.h>

#include "hss-stub/mapping/mapping_priv.h"

enum gba_err notice_add(struct records *m, struct record_call *call, int owner_type, int64_t owner, int event,
			const struct record *about, json_t *body)
{
	struct record *notice = NULL;
	char *text = NULL;
	enum gba_err err;

	err = body != NULL ? record_new(call->mem_ctx, &mapping_kinds[KIND_NOTICE], &notice) : GBA_E_NOMEM;
	if (err == GBA_OK)
		text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (err != GBA_OK || text == NULL) {
		free(text);
		return err != GBA_OK ? err : GBA_E_NOMEM;
	}
	notice->v[NOTICE_OWNER_TYPE].n = owner_type;
	notice->v[NOTICE_OWNER].n = owner;
	notice->v[NOTICE_EVENT].n = event;
	notice->v[NOTICE_ABOUT_KIND].t = bytes_of(about->kind->name);
	notice->v[NOTICE_ABOUT].n = about->id;
	notice->v[NOTICE_BODY].t = bytes_of(text);
	err = record_insert(m, call, notice, "add");
	free(text);
	talloc_free(notice);
	return err;
}

/* The one who asks: a subscriber himself; else who the device is registered to, unless named. */
static enum gba_err asker_settle(struct records *m, struct record_call *call, struct record *now)
{
	int64_t custodian = 0;
	bool yes = false;
	enum gba_err err;

	if (call->actor->role == ACTOR_SUBSCRIBER && now->v[REQUEST_USER].n == 0)
		now->v[REQUEST_USER].n = call->actor->id;
	if (now->v[REQUEST_USER].n != 0)
		return GBA_OK;
	err = device_registered(m, now->v[REQUEST_IMPI].t, &yes, &custodian);
	now->v[REQUEST_USER].n = custodian;
	if (err == GBA_OK && custodian == 0)
		return record_refuse(call, GBA_E_STATE, "impi",
				     "no registered user has a device with this client element");
	return err;
}

/* Attributes asked for must be ones the application says it needs; none named: all of them. */
static enum gba_err attributes_settle(struct record_call *call, struct record *now, const struct record *app)
{
	struct bytes rest = now->v[REQUEST_ATTRIBUTES].t, one, wanted, w;
	bool found;

	if (rest.p == NULL)
		return records_keep(now, app->v[APPLICATION_ATTRIBUTES].t, &now->v[REQUEST_ATTRIBUTES].t);
	while (rest.n > 0) {
		if (!bytes_split(rest, '\n', &one, &rest)) {
			one = rest;
			rest = BYTES_NONE;
		}
		for (wanted = app->v[APPLICATION_ATTRIBUTES].t, found = false; wanted.n > 0 && !found;
		     found = bytes_eq(one, w)) {
			if (!bytes_split(wanted, '\n', &w, &wanted)) {
				w = wanted;
				wanted = BYTES_NONE;
			}
		}
		if (!found)
			return record_refuse(call, GBA_E_RANGE, "attributes", "the application does not ask for %.*s",
					     BYTES_FMT(one));
	}
	return GBA_OK;
}

BEFORE(request_before)
{
	struct record *app = NULL;
	char impi[IMPI_MAX + 1];
	enum gba_err err;

	if (old != NULL || now == NULL || now->v[REQUEST_IMPI].t.p == NULL || now->v[REQUEST_APPLICATION].n == 0)
		return GBA_OK;
	err = subscriber_impi(now->v[REQUEST_IMPI].t, impi);
	if (err == GBA_OK)
		err = records_keep(now, bytes_of(impi), &now->v[REQUEST_IMPI].t);
	if (err == GBA_OK)
		err = asker_settle(m, call, now);
	if (err == GBA_OK)
		err = record_load(m, now, KIND_APPLICATION, now->v[REQUEST_APPLICATION].n, &app);
	return err == GBA_OK ? attributes_settle(call, now, app) : err;
}

static enum gba_err user_notice(struct records *m, struct record_call *call, const struct record *request, int event)
{
	struct record *app = NULL;
	enum gba_err err = record_load(m, call->mem_ctx, KIND_APPLICATION, request->v[REQUEST_APPLICATION].n, &app);
	struct bytes reason = request->v[REQUEST_REASON].t;

	if (err != GBA_OK)
		return err;
	return notice_add(m, call, OWNER_USER, request->v[REQUEST_USER].n, event, request,
			  json_pack("{s:s%, s:s%, s:s%, s:s%}", "impi", (const char *)request->v[REQUEST_IMPI].t.p,
				    request->v[REQUEST_IMPI].t.n, "application",
				    (const char *)app->v[APPLICATION_NAME].t.p, app->v[APPLICATION_NAME].t.n,
				    "naf_fqdn", (const char *)app->v[APPLICATION_NAF_FQDN].t.p,
				    app->v[APPLICATION_NAF_FQDN].t.n, "reason",
				    reason.p != NULL ? (const char *)reason.p : "", reason.n));
}

static enum gba_err refuse_request(struct records *m, struct record_call *call, const struct record *old,
				   const char *why)
{
	struct record *now = record_copy(call->mem_ctx, old);
	enum gba_err err = now != NULL ? GBA_OK : GBA_E_NOMEM;

	if (err == GBA_OK)
		err = records_keep(now, bytes_of(why), &now->v[REQUEST_REASON].t);
	if (err != GBA_OK)
		return err;
	now->v[REQUEST_STATE].n = REQUEST_REFUSED;
	err = record_update(m, call, old, now, "refuse");
	return err == GBA_OK ? user_notice(m, call, now, EVENT_ACCESS_REFUSED) : err;
}

/* Step 2. *_why: NULL when all is well. */
static enum gba_err checks(struct records *m, struct record_call *call, const struct record *request, const char **_why)
{
	struct record *user = NULL, *app = NULL;
	int64_t custodian = 0;
	bool yes = false;
	enum gba_err err;

	err = record_load(m, call->mem_ctx, KIND_USER, request->v[REQUEST_USER].n, &user);
	if (err == GBA_OK)
		err = record_load(m, call->mem_ctx, KIND_APPLICATION, request->v[REQUEST_APPLICATION].n, &app);
	if (err == GBA_OK)
		err = device_registered(m, request->v[REQUEST_IMPI].t, &yes, &custodian);
	if (err != GBA_OK)
		return err;
	*_why = NULL;
	if (user->v[USER_STATE].n != USER_REGISTERED || user->v[USER_VERIFICATION].n == 0)
		*_why = "the user is not registered";
	else if (user->v[USER_LEVEL].n < app->v[APPLICATION_MIN_LEVEL].n)
		*_why = "the user's verification level is below the application's";
	else if (custodian != user->id)
		*_why = "the device is not registered to the user";
	else if (app->v[APPLICATION_STATE].n != APPLICATION_ACTIVE)
		*_why = "the application is suspended";
	return GBA_OK;
}

static struct bytes identity_of(struct records *m, TALLOC_CTX *ctx, int64_t user, int type)
{
	struct bytes value = BYTES_NONE;
	struct db_stmt *stmt = NULL;
	bool row = false;

	if (records_stmt(m, "SELECT value FROM user_identity WHERE custodian = ?1 AND type = ?2 ORDER BY id LIMIT 1",
			 &stmt) != GBA_OK)
		return value;
	db_bind_int(stmt, 1, user);
	db_bind_int(stmt, 2, type);
	if (db_step(stmt, &row) == GBA_OK && row && records_keep(ctx, db_col_text(stmt, 0), &value) != GBA_OK)
		value = BYTES_NONE;
	db_reset(stmt);
	return value;
}

static enum gba_err device_of(struct records *m, struct record_call *call, const struct record *request,
			      struct bytes *_identities)
{
	struct record *device = NULL;
	struct db_stmt *stmt = NULL;
	int64_t id = 0;
	enum gba_err err;

	err = records_stmt(m, "SELECT id FROM device WHERE impi = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, request->v[REQUEST_IMPI].t);
	err = records_int(stmt, &id);
	if (err == GBA_OK)
		err = record_load(m, call->mem_ctx, KIND_DEVICE, id, &device);
	if (err == GBA_OK)
		*_identities = device->v[DEVICE_IDENTITIES].t;
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

static bool wants(const struct record *request, const char *attribute)
{
	struct bytes rest = request->v[REQUEST_ATTRIBUTES].t, one;

	while (rest.n > 0) {
		if (!bytes_split(rest, '\n', &one, &rest)) {
			one = rest;
			rest = BYTES_NONE;
		}
		if (bytes_eq_str(one, attribute))
			return true;
	}
	return false;
}

static void put(json_t *object, const struct record *request, const char *attribute, struct bytes value)
{
	if (wants(request, attribute) && value.p != NULL)
		json_object_set_new(object, attribute, json_stringn((const char *)value.p, value.n));
}

/* What the ASP gets of the user: attributes named and nothing else (mapping.md G14). */
static enum gba_err shared_make(struct records *m, struct record_call *call, struct record *now)
{
	struct record *user = NULL;
	struct bytes device = BYTES_NONE;
	json_t *object = json_object();
	char *text;
	enum gba_err err;

	err = record_load(m, call->mem_ctx, KIND_USER, now->v[REQUEST_USER].n, &user);
	if (err == GBA_OK && wants(now, "device"))
		err = device_of(m, call, now, &device);
	if (err != GBA_OK) {
		json_decref(object);
		return err;
	}
	put(object, now, "name", user->v[USER_NAME].t);
	put(object, now, "address", user->v[USER_ADDRESS].t);
	put(object, now, "msisdn", identity_of(m, call->mem_ctx, user->id, 0));
	put(object, now, "email", user->v[USER_EMAIL].t);
	put(object, now, "device", device);
	if (wants(now, "level"))
		json_object_set_new(object, "level", json_integer(user->v[USER_LEVEL].n));
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	err = text != NULL ? records_keep(now, bytes_of(text), &now->v[REQUEST_SHARED].t) : GBA_E_NOMEM;
	if (text != NULL)
		secret_wipe(text, strlen(text));
	free(text);
	return err;
}

/* Step 3: pseudonym and attributes go to the ASP. */
static enum gba_err pass(struct records *m, struct record_call *call, const struct record *old)
{
	struct record *now = record_copy(call->mem_ctx, old), *app = NULL;
	char *pseudonym = now != NULL ? talloc_size(now, PSEUDONYM_LEN + 1) : NULL;
	enum gba_err err;

	if (pseudonym == NULL)
		return GBA_E_NOMEM;
	err = record_load(m, now, KIND_APPLICATION, now->v[REQUEST_APPLICATION].n, &app);
	if (err == GBA_OK)
		err = shared_make(m, call, now);
	if (err != GBA_OK)
		return err;
	mapping_pseudonym(m, app->v[APPLICATION_ASP].n, now->v[REQUEST_IMPI].t, pseudonym);
	now->v[REQUEST_PSEUDONYM].t = BYTES(pseudonym, PSEUDONYM_LEN);
	now->v[REQUEST_STATE].n = REQUEST_PASSED;
	err = record_update(m, call, old, now, "pass");
	if (err != GBA_OK)
		return err;
	return notice_add(m, call, OWNER_ASP, app->v[APPLICATION_ASP].n, EVENT_REQUEST_PASSED, now,
			  json_pack("{s:I, s:s, s:I}", "request", (json_int_t)now->id, "pseudonym", pseudonym,
				    "application", (json_int_t)app->id));
}

/* Step 2, and 3 when the user has agreed or nothing is asked of him. */
static enum gba_err go_on(struct records *m, struct record_call *call, const struct record *old)
{
	struct record *now;
	const char *why = NULL;
	enum gba_err err;

	err = checks(m, call, old, &why);
	if (err != GBA_OK)
		return err;
	if (why != NULL)
		return refuse_request(m, call, old, why);
	now = record_copy(call->mem_ctx, old);
	if (now == NULL)
		return GBA_E_NOMEM;
	now->v[REQUEST_STATE].n = REQUEST_VERIFIED;
	err = record_update(m, call, old, now, "verify");
	if (err == GBA_OK && (now->v[REQUEST_CONSENT].n != 0 || now->v[REQUEST_ATTRIBUTES].t.n == 0))
		err = pass(m, call, now);
	return err;
}

AFTER(request_after)
{
	return old == NULL ? go_on(m, call, now) : GBA_OK;
}

static enum gba_err in_state(struct record_call *call, const struct record *request, unsigned int states)
{
	if ((states & (1U << request->v[REQUEST_STATE].n)) != 0)
		return GBA_OK;
	return record_refuse(call, GBA_E_STATE, NULL, "the request is %s",
			     request_state_words[request->v[REQUEST_STATE].n]);
}

VERB(request_verify)
{
	enum gba_err err =
		in_state(call, old, 1U << REQUEST_REQUESTED | 1U << REQUEST_VERIFIED | 1U << REQUEST_REFUSED);

	(void)arguments;
	return err == GBA_OK ? go_on(m, call, old) : err;
}

VERB(request_consent)
{
	json_t *attributes = json_object_get(arguments, "attributes");
	struct record *now, *app = NULL;
	enum gba_err err = in_state(call, old, 1U << REQUEST_VERIFIED);

	if (err != GBA_OK)
		return err;
	now = record_copy(call->mem_ctx, old);
	if (now == NULL)
		return GBA_E_NOMEM;
	now->v[REQUEST_CONSENT].n = 1;
	if (attributes != NULL)
		err = value_take(call, now, &old->kind->fields[REQUEST_ATTRIBUTES], attributes,
				 &now->v[REQUEST_ATTRIBUTES]);
	if (err == GBA_OK && now->v[REQUEST_ATTRIBUTES].t.p != NULL)
		err = record_load(m, now, KIND_APPLICATION, now->v[REQUEST_APPLICATION].n, &app);
	if (err == GBA_OK && app != NULL)
		err = attributes_settle(call, now, app);
	if (err == GBA_OK)
		err = record_update(m, call, old, now, "consent");
	return err == GBA_OK ? pass(m, call, now) : err;
}

/* The permission of the request's client element and application; none: *_rec stays NULL. */
static enum gba_err permission_of(struct records *m, struct record_call *call, const struct record *request,
				  struct record **_rec)
{
	struct db_stmt *stmt = NULL;
	int64_t id = 0;
	enum gba_err err;

	err = records_stmt(m, "SELECT id FROM permission WHERE impi = ?1 AND application = ?2", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, request->v[REQUEST_IMPI].t);
	db_bind_int(stmt, 2, request->v[REQUEST_APPLICATION].n);
	err = records_int(stmt, &id);
	if (err == GBA_OK)
		err = record_load(m, call->mem_ctx, KIND_PERMISSION, id, _rec);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

/* Step 4 where the ASP has not done it by a call of its own. */
static enum gba_err permission_give(struct records *m, struct record_call *call, const struct record *request,
				    json_t *terms, struct record **_permission)
{
	struct record *old = NULL, *now = NULL;
	enum gba_err err = permission_of(m, call, request, &old);

	if (err != GBA_OK)
		return err;
	if (old != NULL)
		now = record_copy(call->mem_ctx, old);
	else
		err = record_new(call->mem_ctx, &mapping_kinds[KIND_PERMISSION], &now);
	if (err != GBA_OK || now == NULL)
		return err != GBA_OK ? err : GBA_E_NOMEM;
	now->v[PERMISSION_IMPI] = request->v[REQUEST_IMPI];
	now->v[PERMISSION_APPLICATION].n = request->v[REQUEST_APPLICATION].n;
	now->v[PERMISSION_PSEUDONYM] = request->v[REQUEST_PSEUDONYM];
	now->v[PERMISSION_ATTRIBUTES] = request->v[REQUEST_ATTRIBUTES];
	now->v[PERMISSION_FLAG].n = FLAG_SET;
	if (json_object_size(terms) > 0)
		err = record_take(call, now, terms, false);
	if (err == GBA_OK && old == NULL)
		err = record_add_by_rules(m, call, now, "add");
	else if (err == GBA_OK && (old->v[PERMISSION_FLAG].n != FLAG_SET || json_object_size(terms) > 0))
		err = record_set_by_rules(m, call, old, now, "set");
	*_permission = now;
	return err;
}

/* Steps 4 to 6. */
VERB(request_grant)
{
	struct record *permission = NULL, *now;
	enum gba_err err = in_state(call, old, 1U << REQUEST_PASSED);

	if (err == GBA_OK)
		err = permission_give(m, call, old, arguments, &permission);
	if (err != GBA_OK)
		return err;
	now = record_copy(call->mem_ctx, old);
	if (now == NULL)
		return GBA_E_NOMEM;
	now->v[REQUEST_STATE].n = REQUEST_GRANTED;
	now->v[REQUEST_PERMISSION].n = permission->id;
	err = record_update(m, call, old, now, "grant");
	return err == GBA_OK ? user_notice(m, call, now, EVENT_ACCESS_GRANTED) : err;
}

VERB(request_refuse)
{
	const char *why = json_string_value(json_object_get(arguments, "reason"));
	struct value reason = { 0 };
	enum gba_err err = in_state(call, old, 1U << REQUEST_REQUESTED | 1U << REQUEST_VERIFIED | 1U << REQUEST_PASSED);

	if (err == GBA_OK && why != NULL)
		err = value_take(call, call->mem_ctx, &old->kind->fields[REQUEST_REASON],
				 json_object_get(arguments, "reason"), &reason);
	return err == GBA_OK ? refuse_request(m, call, old, why != NULL ? why : "refused by the application's provider")
			     : err;
}
