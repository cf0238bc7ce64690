/* SPDX-License-Identifier: Apache-2.0 */
/* ASPs and their applications (Y.3056 10.2), credentials, the realm's profile. */
#include <ctype.h>

#include "core/ident.h"
#include "crypto/hash.h"
#include "ident/idrule.h"
#include "hss-stub/mapping/mapping_priv.h"

#define GSID_FIRST 1000000 /* below are 3GPP's (TS 29.109 Annex B) */

static enum gba_err identity_check(struct record_call *call, id_rule rule, struct bytes identity)
{
	const char *why = "";
	enum gba_err err;

	if (rule == NULL || identity.p == NULL)
		return GBA_OK;
	err = rule(identity, &why);
	return err == GBA_OK ? GBA_OK : record_refuse(call, err, "identity", "%s", why);
}

BEFORE(asp_before)
{
	enum gba_err err = GBA_OK;

	if (now == NULL)
		return GBA_OK;
	if (old == NULL)
		err = identity_check(call, id_rule_asp(now->v[ASP_TYPE].n), now->v[ASP_IDENTITY].t);
	return err == GBA_OK ? asp_names_check(m, call, old, now) : err;
}

/* Every permission of the application, or of all of an ASP's, falls due at once: the sweep goes through them in
 * portions, so that no transaction grows with the number of subscribers. */
static enum gba_err permissions_due(struct records *m, const char *sql, int64_t id, time_t now)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(m, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, id);
	db_bind_int(stmt, 2, now);
	return db_run(stmt, NULL);
}

AFTER(asp_after)
{
	if (old == NULL || now == NULL || old->v[ASP_STATE].n == now->v[ASP_STATE].n)
		return GBA_OK;
	return permissions_due(
		m, "UPDATE permission SET due = ?2 WHERE application IN (SELECT id FROM application WHERE asp = ?1)",
		now->id, call->now);
}

static void lower(uint8_t *text)
{
	for (; *text != '\0'; text++)
		*text = (uint8_t)tolower(*text);
}

/* A host name for an identity that is none: always the same for the same identity, in the domain the realm keeps for
 * it. */
static enum gba_err alias_make(struct records *m, struct record_call *call, struct record *now)
{
	struct bytes identity = now->v[APPLICATION_IDENTITY].t, domain = BYTES_NONE,
		     pieces[] = { bytes_of(application_identity_words[now->v[APPLICATION_TYPE].n]), bytes_of(":"),
				  identity };
	struct db_stmt *stmt = NULL;
	uint8_t hash[HASH_MAX];
	char hex[HEX_LEN(10) + 1], *alias = NULL;
	enum gba_err err;
	bool row = false;

	err = records_stmt(m, "SELECT alias_domain FROM realm ORDER BY id LIMIT 1", &stmt);
	if (err == GBA_OK)
		err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		err = records_keep(now, db_col_text(stmt, 0), &domain);
	if (stmt != NULL)
		db_reset(stmt);
	if (err != GBA_OK)
		return err;
	if (domain.p == NULL)
		return record_refuse(call, GBA_E_STATE, "naf_fqdn",
				     "give one: the realm's profile has no domain for it yet");
	hash_pieces(HASH_SHA256, pieces, 3, hash);
	hex_encode(BYTES(hash, 10), hex);
	alias = talloc_asprintf(now, "a%s.%s", hex, (const char *)domain.p);
	now->v[APPLICATION_NAF_FQDN].t = bytes_of(alias);
	return alias != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err naf_fqdn_settle(struct records *m, struct record_call *call, struct record *now)
{
	struct value *fqdn = &now->v[APPLICATION_NAF_FQDN];
	struct bytes identity = now->v[APPLICATION_IDENTITY].t;
	enum gba_err err;

	if (now->v[APPLICATION_TYPE].n == APPLICATION_FQDN) {
		if (fqdn->t.p != NULL && !bytes_eq_nocase(fqdn->t, identity))
			return record_refuse(call, GBA_E_RANGE, "naf_fqdn", "is the identity itself for the kind fqdn");
		err = records_keep(now, identity, &fqdn->t);
	} else {
		err = fqdn->t.p != NULL ? records_keep(now, fqdn->t, &fqdn->t) : alias_make(m, call, now);
	}
	if (err == GBA_OK)
		lower((uint8_t *)(uintptr_t)fqdn->t.p);
	return err;
}

static enum gba_err gsid_settle(struct records *m, struct record *now)
{
	struct db_stmt *stmt = NULL;
	int64_t highest = GSID_FIRST - 1;
	enum gba_err err;

	if (now->v[APPLICATION_GSID].n != 0)
		return GBA_OK;
	err = records_stmt(m, "SELECT gsid FROM application ORDER BY gsid DESC LIMIT 1", &stmt);
	if (err == GBA_OK)
		err = records_int(stmt, &highest);
	now->v[APPLICATION_GSID].n = highest + 1;
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

/* Whose application has it; 0: nobody's. */
static enum gba_err asp_of_host(struct records *m, struct bytes naf_fqdn, int64_t *_asp)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(m, "SELECT asp FROM application WHERE naf_fqdn = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, naf_fqdn);
	err = records_int(stmt, _asp);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

static enum gba_err asp_of_identity(struct records *m, const struct record *now, int64_t *_asp)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(m, "SELECT asp FROM application WHERE type = ?1 AND identity = ?2", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now->v[APPLICATION_TYPE].n);
	db_bind_text(stmt, 2, now->v[APPLICATION_IDENTITY].t);
	err = records_int(stmt, _asp);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

/* One client element may have many applications, an application one NAF_Id: said plainly where a host name is taken, but
 * never to an ASP whether another one has it. */
static enum gba_err names_free(struct records *m, struct record_call *call, const struct record *now)
{
	bool fqdn = now->v[APPLICATION_TYPE].n == APPLICATION_FQDN, asp = call->actor->role == ACTOR_ASP;
	int64_t by_host = 0, by_identity = 0, own = now->v[APPLICATION_ASP].n;
	enum gba_err err = asp_of_host(m, now->v[APPLICATION_NAF_FQDN].t, &by_host);

	if (err == GBA_OK)
		err = asp_of_identity(m, now, &by_identity);
	if (err != GBA_OK)
		return err;
	if (asp && by_identity != 0 && by_identity != own)
		return application_name_refuse(call, "identity");
	if (asp && by_host != 0 && by_host != own)
		return application_name_refuse(call, fqdn ? "identity" : "naf_fqdn");
	return by_host == 0 ? GBA_OK
			    : record_refuse(call, GBA_E_EXISTS, "naf_fqdn", "another application has this host name");
}

/* Names of the realm's own nodes are no application's; those of the alias domain are made, not taken. */
static enum gba_err naf_fqdn_allowed(struct records *m, struct record_call *call, const struct record *now)
{
	struct bytes fqdn = now->v[APPLICATION_NAF_FQDN].t, identity = now->v[APPLICATION_IDENTITY].t;
	bool row = false, own = false, taken = false;
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = records_stmt(m, "SELECT bsf_identity, hss_identity, alias_domain FROM realm ORDER BY id LIMIT 1", &stmt);
	if (err != GBA_OK)
		return err;
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		own = bytes_eq_nocase(fqdn, db_col_text(stmt, 0)) || bytes_eq_nocase(fqdn, db_col_text(stmt, 1));
		taken = now->v[APPLICATION_TYPE].n == APPLICATION_FQDN && fqdn_within(identity, db_col_text(stmt, 2));
	}
	db_reset(stmt);
	if (err == GBA_OK && (own || taken))
		return record_refuse(call, GBA_E_DENIED, "naf_fqdn", "%s",
				     own ? "is a node of the realm" : "is in the realm's domain of aliases");
	return err;
}

static enum gba_err asp_active(struct records *m, struct record_call *call, int64_t asp)
{
	struct db_stmt *stmt = NULL;
	int64_t state = ASP_SUSPENDED;
	enum gba_err err;

	err = records_stmt(m, "SELECT state FROM asp WHERE id = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, asp);
	err = records_int(stmt, &state);
	if (err == GBA_OK && state != ASP_ACTIVE)
		return record_refuse(call, GBA_E_STATE, "asp", "the ASP is not active");
	return err;
}

/* Where the realm asks for it: of what is registered from then on, and none may take its name away. */
static enum gba_err developer_named(struct records *m, struct record_call *call, const struct record *old, const struct record *now)
{
	struct db_stmt *stmt = NULL;
	int64_t required = 0;
	enum gba_err err;

	if (now->v[APPLICATION_DEVELOPER].t.p != NULL || (old != NULL && old->v[APPLICATION_DEVELOPER].t.p == NULL))
		return GBA_OK;
	err = records_stmt(m, "SELECT developer_required FROM realm ORDER BY id LIMIT 1", &stmt);
	if (err == GBA_OK)
		err = records_int(stmt, &required);
	if (err == GBA_OK && required != 0)
		return record_refuse(call, GBA_E_SYNTAX, "developer", "this realm registers applications whose developer is named");
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

BEFORE(application_before)
{
	enum gba_err err;

	if (now == NULL || now->v[APPLICATION_IDENTITY].t.p == NULL || now->v[APPLICATION_ASP].n == 0)
		return GBA_OK;
	if (now->v[APPLICATION_UA_IDS].t.p == NULL)
		now->v[APPLICATION_UA_IDS].t = bytes_of("0100000002"); /* HTTP Digest: what every NAF has */
	err = developer_named(m, call, old, now);
	if (err != GBA_OK || old != NULL)
		return err;
	err = asp_active(m, call, now->v[APPLICATION_ASP].n);
	if (err == GBA_OK)
		err = identity_check(call, id_rule_application(now->v[APPLICATION_TYPE].n),
				     now->v[APPLICATION_IDENTITY].t);
	if (err == GBA_OK)
		err = application_names_check(m, call, now);
	if (err == GBA_OK)
		err = naf_fqdn_settle(m, call, now);
	if (err == GBA_OK)
		err = naf_fqdn_allowed(m, call, now);
	if (err == GBA_OK)
		err = names_free(m, call, now);
	return err == GBA_OK ? gsid_settle(m, now) : err;
}

/* Y.3056 10.2-2c */
static enum gba_err registered_notice(struct records *m, struct record_call *call, const struct record *app)
{
	return notice_add(m, call, OWNER_ASP, app->v[APPLICATION_ASP].n, EVENT_APPLICATION_REGISTERED, app,
			  json_pack("{s:s%, s:s%, s:I}", "identity", (const char *)app->v[APPLICATION_IDENTITY].t.p,
				    app->v[APPLICATION_IDENTITY].t.n, "naf_fqdn",
				    (const char *)app->v[APPLICATION_NAF_FQDN].t.p, app->v[APPLICATION_NAF_FQDN].t.n,
				    "gsid", (json_int_t)app->v[APPLICATION_GSID].n));
}

AFTER(application_after)
{
	static const int uss[] = { APPLICATION_STATE, APPLICATION_GAA_TYPE };
	bool changed = false;
	size_t i;

	if (old == NULL)
		return registered_notice(m, call, now);
	if (now == NULL)
		return GBA_OK;
	for (i = 0; i < sizeof(uss) / sizeof(uss[0]); i++)
		changed |= old->v[uss[i]].n != now->v[uss[i]].n;
	changed |= !bytes_eq(old->v[APPLICATION_NAF_GROUP].t, now->v[APPLICATION_NAF_GROUP].t);
	return changed ? permissions_due(m, "UPDATE permission SET due = ?2 WHERE application = ?1", now->id, call->now)
		       : GBA_OK;
}

/* NAF_Id of an application: host name and the first of its Ua protocols (TS 33.220 4.5.2). */
enum gba_err application_derive(struct record *rec)
{
	struct bytes ua = rec->v[APPLICATION_UA_IDS].t;
	uint8_t ua_id[UA_ID_LEN], id[NAF_ID_MAX];
	size_t n = 0;
	char *hex;

	if (ua.n >= HEX_LEN(UA_ID_LEN) && hex_decode(BYTES(ua.p, HEX_LEN(UA_ID_LEN)), ua_id, UA_ID_LEN) == GBA_OK)
		n = naf_id_build(rec->v[APPLICATION_NAF_FQDN].t, ua_id, id);
	hex = talloc_size(rec, HEX_LEN(NAF_ID_MAX) + 1);
	if (hex == NULL)
		return GBA_E_NOMEM;
	hex_encode(BYTES(id, n), hex);
	rec->v[APPLICATION_NAF_ID].t = bytes_of(hex);
	return GBA_OK;
}

BEFORE(credential_before)
{
	static const enum record_kind_id kinds[] = { KIND_COUNT, KIND_ASP, KIND_USER };
	int64_t type, owner;
	enum gba_err err;

	if (now == NULL || old != NULL)
		return GBA_OK;
	type = now->v[CREDENTIAL_OWNER_TYPE].n;
	owner = now->v[CREDENTIAL_OWNER].n;
	if (now->v[CREDENTIAL_EXPIRES].n <= call->now)
		return record_refuse(call, GBA_E_RANGE, "expires", "a time to come");
	if (type == OWNER_ADMIN)
		return owner == 0 ? GBA_OK : record_refuse(call, GBA_E_RANGE, "owner", "0 for an administrator");
	err = record_visible(m, call, kinds[type], owner);
	return err == GBA_E_NOT_FOUND
		       ? record_refuse(call, err, "owner", "no %s %lld", owner_words[type], (long long)owner)
		       : err;
}

VERB(credential_revoke)
{
	struct record *now = record_copy(call->mem_ctx, old);

	(void)arguments;
	if (now == NULL)
		return GBA_E_NOMEM;
	if (old->v[CREDENTIAL_REVOKED].n != 0)
		return record_refuse(call, GBA_E_STATE, NULL, "revoked already");
	now->v[CREDENTIAL_REVOKED].n = call->now;
	return record_update(m, call, old, now, "revoke");
}

static enum gba_err owner_good(struct records *m, int64_t type, int64_t owner)
{
	struct db_stmt *stmt = NULL;
	int64_t state = -1;
	enum gba_err err;

	if (type == OWNER_ADMIN)
		return GBA_OK;
	err = records_stmt(
		m, type == OWNER_ASP ? "SELECT state FROM asp WHERE id = ?1" : "SELECT state FROM users WHERE id = ?1",
		&stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, owner);
	err = records_int(stmt, &state);
	if (err != GBA_OK)
		return err;
	return state == (type == OWNER_ASP ? (int64_t)ASP_ACTIVE : (int64_t)USER_REGISTERED) ? GBA_OK
											     : GBA_E_NOT_AUTHORIZED;
}

static struct actor *actor_make(TALLOC_CTX *ctx, int64_t type, int64_t owner, struct bytes name)
{
	static const enum actor_role roles[] = { ACTOR_ADMIN, ACTOR_ASP, ACTOR_SUBSCRIBER };
	struct actor *actor = talloc_zero(ctx, struct actor);

	if (actor == NULL)
		return NULL;
	actor->role = roles[type];
	actor->id = owner;
	actor->name = type == OWNER_ADMIN ? talloc_asprintf(actor, "admin:%.*s", BYTES_FMT(name))
					  : talloc_asprintf(actor, "%s:%lld", owner_words[type], (long long)owner);
	return actor;
}

enum gba_err mapping_authenticate(struct records *m, struct record_call *call, int credential_type, const char *hash,
				  struct actor **_actor)
{
	struct db_stmt *stmt = NULL;
	int64_t type = 0, owner = 0;
	struct actor *actor = NULL;
	enum gba_err err;
	bool row = false, good = false;

	err = records_stmt(
		m, "SELECT owner_type, owner, name, expires, revoked FROM credential WHERE type = ?1 AND hash = ?2",
		&stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, credential_type);
	db_bind_text(stmt, 2, bytes_of(hash));
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		type = db_col_int(stmt, 0);
		owner = db_col_int(stmt, 1);
		good = type >= 0 && type <= OWNER_USER && db_col_int(stmt, 3) > call->now && db_col_int(stmt, 4) == 0;
		actor = good ? actor_make(call->mem_ctx, type, owner, db_col_text(stmt, 2)) : NULL;
	}
	db_reset(stmt);
	if (err == GBA_OK && !good)
		err = GBA_E_NOT_AUTHORIZED;
	if (err == GBA_OK)
		err = actor != NULL ? owner_good(m, type, owner) : GBA_E_NOMEM;
	if (err != GBA_OK) {
		talloc_free(actor);
		return err == GBA_E_NOT_FOUND ? GBA_E_NOT_AUTHORIZED : err;
	}
	*_actor = actor;
	return GBA_OK;
}

BEFORE(realm_before)
{
	struct db_stmt *stmt = NULL;
	int64_t id = 0;
	enum gba_err err;

	if (old != NULL)
		return GBA_OK;
	if (now != NULL && now->v[REALM_TOKEN_FORMAT].t.p == NULL)
		now->v[REALM_TOKEN_FORMAT].t = bytes_of("B-TID and Ks_NAF (TS 33.220 4.5.2)");
	err = records_stmt(m, "SELECT id FROM realm ORDER BY id LIMIT 1", &stmt);
	if (err == GBA_OK)
		err = records_int(stmt, &id);
	if (err == GBA_OK)
		return record_refuse(call, GBA_E_EXISTS, NULL, "the realm has its profile already: set it");
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}
