/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables cannot say: canonical forms, RegDevIDs, whose a device may be, how it changes hands and ends. */
#include "registry-fn/record/announce.h"

#include "core/secret.h"
#include "registry-fn/id/regdevid.h"
#include "registry-fn/listing/listing.h"
#include "registry-fn/log/event.h"
#include "registry-fn/trust/trust.h"

static const struct registry *registry_of(struct records *r)
{
	return records_role(r);
}

static enum gba_err keep_text(struct record *now, int place, const char *text)
{
	return records_keep(now, bytes_of(text), &now->v[place].t);
}

enum gba_err reg_custodian_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	(void)r;
	if (now == NULL)
		return GBA_OK;
	if (now->v[CUSTODIAN_STATE].n == CUSTODIAN_VERIFIED && now->v[CUSTODIAN_VERIFIER].t.p == NULL)
		return record_refuse(call, GBA_E_SYNTAX, "verifier", "who verified this custodian?");
	if (old == NULL || old->v[CUSTODIAN_STATE].n != now->v[CUSTODIAN_STATE].n)
		now->v[CUSTODIAN_CHECKED].n = call->now;
	return GBA_OK;
}

enum gba_err reg_model_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	struct bytes tacs = now != NULL ? now->v[MODEL_TACS].t : BYTES_NONE;
	size_t i;

	(void)r, (void)old;
	for (i = 0; i < tacs.n; i++) {
		if (tacs.p[i] != '\n' && (tacs.p[i] < '0' || tacs.p[i] > '9'))
			return record_refuse(call, GBA_E_SYNTAX, "tacs", "a type allocation code has eight digits");
	}
	return GBA_OK;
}

/* Scheme and text of a record into the canonical form. */
static enum gba_err canonical(struct record_call *call, struct record *now, int place, const struct scheme *scheme)
{
	char out[IDENTIFIER_MAX + 1];
	const char *why = "";
	enum gba_err err = scheme_canonical(scheme, now->v[place].t, out, &why);

	if (err != GBA_OK)
		return record_refuse(call, err, now->kind->fields[place].name, "%s", why);
	return keep_text(now, place, out);
}

enum gba_err reg_application_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	const struct scheme *scheme = now != NULL ? &schemes[now->v[APPLICATION_SCHEME].n] : NULL;

	(void)r, (void)old;
	if (scheme == NULL)
		return GBA_OK;
	if (scheme->names != NAMES_APPLICATION || scheme->personal)
		return record_refuse(call, GBA_E_RANGE, "scheme", "app-uri, app-url or package");
	return canonical(call, now, APPLICATION_VALUE, scheme);
}

/* An IMEI or MEID is one device's, as its first identity or a further one: else whoever names another's as its second would speak
 * for it. (A SIM goes from device to device.)
 * @param device  whose further identity it is to be; 0: a new one's first (another's first is found by its key) */
static enum gba_err equipment_free(struct records *r, struct record_call *call, int64_t scheme, struct bytes value, int64_t device)
{
	static const char first[] = "SELECT device FROM device_identity WHERE value = ?1 AND scheme = ?2 AND device <> ?3 LIMIT 1";
	static const char further[] = "SELECT id FROM device WHERE identity = ?1 AND scheme = ?2 AND id <> ?3"
				      " UNION ALL SELECT device FROM device_identity"
				      " WHERE value = ?1 AND scheme = ?2 AND device <> ?3 LIMIT 1";
	const char *word = schemes[scheme].word;
	struct db_stmt *stmt;
	int64_t other = 0;
	enum gba_err err;

	if (strcmp(word, "imei") != 0 && strcmp(word, "imeisv") != 0 && strcmp(word, "meid") != 0)
		return GBA_OK;
	err = records_stmt(r, device != 0 ? further : first, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, value);
	db_bind_int(stmt, 2, scheme);
	db_bind_int(stmt, 3, device);
	err = records_int(stmt, &other);
	if (err != GBA_OK)
		return err == GBA_E_NOT_FOUND ? GBA_OK : err;
	if (call->actor->role == REG_ROLE_SYSTEM)
		return record_refuse(call, GBA_E_DENIED, "identity", REG_IDENTITY_TAKEN);
	return record_refuse(call, GBA_E_STATE, device != 0 ? "value" : "identity", "another device has this identity");
}

enum gba_err reg_device_identity_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	const struct scheme *scheme = now != NULL ? &schemes[now->v[DEVICE_IDENTITY_SCHEME].n] : NULL;
	enum gba_err err;

	if (scheme == NULL)
		return GBA_OK;
	if (scheme->personal && (FOR_PRIVACY & 1U << call->actor->role) == 0)
		return record_refuse(call, GBA_E_DENIED, "scheme", "identifiers of persons are entered by the privacy role");
	now->v[DEVICE_IDENTITY_TYPE].n = scheme->is;
	now->v[DEVICE_IDENTITY_NAMES].n = scheme->names;
	now->v[DEVICE_IDENTITY_PERSONAL].n = scheme->personal;
	err = canonical(call, now, DEVICE_IDENTITY_VALUE, scheme);
	if (err != GBA_OK || old != NULL)
		return err;
	return equipment_free(r, call, now->v[DEVICE_IDENTITY_SCHEME].n, now->v[DEVICE_IDENTITY_VALUE].t,
			      now->v[DEVICE_IDENTITY_DEVICE].n);
}

/* Y.3059 9.2-i: the RegID joined with what the device is. */
static enum gba_err name_device(struct records *r, struct record_call *call, struct record *now)
{
	const struct registry_conf *conf = registry_of(r)->conf;
	struct regdevid id = { .form = (enum regdevid_form)conf->regdevid_form };
	char text[REGDEVID_MAX + 1];
	const char *why = "";
	enum gba_err err;

	err = scheme_inherent(&schemes[now->v[DEVICE_SCHEME].n], now->v[DEVICE_IDENTITY].t, &id.scheme, id.identity, &why);
	if (err == GBA_E_UNSUPPORTED)
		return record_refuse(call, GBA_E_RANGE, "scheme", "%s", why);
	if (err != GBA_OK)
		return record_refuse(call, err, "identity", "%s", why);
	snprintf(id.reg_id, sizeof(id.reg_id), "%s", conf->reg_id);
	if (conf->hide_identity) {
		id.kind = REGDEVID_HIDDEN;
		regdevid_digest(secret_bytes(records_secret(r, REG_SECRET_IDENTITY)), id.reg_id, id.scheme, id.identity, id.token);
	}
	regdevid_format(&id, text);
	now->v[DEVICE_SCHEME].n = id.scheme - schemes;
	err = keep_text(now, DEVICE_IDENTITY, id.identity);
	return err == GBA_OK ? keep_text(now, DEVICE_REGDEVID, text) : err;
}

/* Y.3059 9.2-i-d: nobody becomes custodian who has not been checked. */
static enum gba_err custodian_check(struct records *r, struct record_call *call, struct record *now)
{
	struct record *custodian = NULL;
	enum gba_err err = record_load(r, now, REG_CUSTODIAN, now->v[DEVICE_CUSTODIAN].n, &custodian);

	if (err != GBA_OK)
		return err;
	if (custodian->v[CUSTODIAN_STATE].n != CUSTODIAN_VERIFIED)
		return record_refuse(call, GBA_E_KYC, "custodian", "this custodian is not verified");
	return GBA_OK;
}

static bool is_critical(const struct registry_conf *conf, const struct record *device)
{
	size_t i;

	for (i = 0; i < conf->critical_kinds.n; i++) {
		if (strcmp(conf->critical_kinds.v[i], reg_device_kind_words[device->v[DEVICE_KIND].n]) == 0)
			return true;
	}
	return false;
}

/* TEC 31188 3.2: of mission-critical use cases somebody is sure to be known. What is announced may get its custodian later. */
static enum gba_err assurance_check(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	static const int counts[] = { DEVICE_CUSTODIAN, DEVICE_KIND, DEVICE_STATE };
	const struct registry_conf *conf = registry_of(r)->conf;
	struct record *custodian = NULL;
	bool same = old != NULL;
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; same && i < sizeof(counts) / sizeof(counts[0]); i++)
		same = old->v[counts[i]].n == now->v[counts[i]].n;
	if (same || !is_critical(conf, now) || now->v[DEVICE_STATE].n == DEVICE_RETIRED)
		return GBA_OK;
	if (now->v[DEVICE_CUSTODIAN].n != 0)
		err = record_load(r, now, REG_CUSTODIAN, now->v[DEVICE_CUSTODIAN].n, &custodian);
	if (err != GBA_OK || (custodian == NULL && now->v[DEVICE_STATE].n == DEVICE_ANNOUNCED))
		return err;
	if (custodian == NULL || custodian->v[CUSTODIAN_LEVEL].n < conf->critical_level)
		return record_refuse(call, GBA_E_KYC, "custodian",
				     "devices of this kind need a custodian who is verified to a higher degree");
	return GBA_OK;
}

/* It stands for one device and platform; who has it already is not told. */
static enum gba_err composite_check(struct records *r, struct record_call *call, const struct record *now)
{
	struct db_stmt *stmt;
	int64_t other = 0;
	enum gba_err err = records_stmt(r, "SELECT id FROM device WHERE composite = ?1 AND id <> ?2 LIMIT 1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, now->v[DEVICE_COMPOSITE].t);
	db_bind_int(stmt, 2, now->id);
	err = records_int(stmt, &other);
	if (err == GBA_E_NOT_FOUND)
		return GBA_OK;
	return err == GBA_OK ? record_refuse(call, GBA_E_EXISTS, "composite", "another device has this one") : err;
}

/* TEC 31188 3.1: its maker, and what certificates say of it. */
static enum gba_err product_look(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	static const int counts[] = { DEVICE_MAKE, DEVICE_MODEL, DEVICE_FIRMWARE, DEVICE_SOFTWARE };
	struct listing listing = { 0 };
	bool same = old != NULL;
	enum gba_err err;
	size_t i;

	for (i = 0; same && i < sizeof(counts) / sizeof(counts[0]); i++)
		same = bytes_eq(old->v[counts[i]].t, now->v[counts[i]].t);
	if (same)
		return GBA_OK;
	err = listing_product(r, now, call->now, &listing);
	now->v[DEVICE_MAKER].n = listing.maker;
	now->v[DEVICE_CERTIFICATION].n = listing.certification;
	return err;
}

enum gba_err reg_device_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	enum gba_err err = GBA_OK;

	if (now == NULL)
		return GBA_OK;
	if (old == NULL && registry_of(r)->conf->reg_type != REGISTRY_PRIMARY)
		return record_refuse(call, GBA_E_STATE, NULL, "devices register at primary registries only");
	if (old == NULL)
		err = name_device(r, call, now);
	if (err == GBA_OK && old == NULL)
		err = equipment_free(r, call, now->v[DEVICE_SCHEME].n, now->v[DEVICE_IDENTITY].t, 0);
	if (err == GBA_OK && old == NULL && call->actor->role == REG_ROLE_REGISTRAR)
		now->v[DEVICE_REGISTRAR].n = call->actor->id;
	if (err == GBA_OK)
		err = product_look(r, call, old, now);
	if (err == GBA_OK && now->v[DEVICE_CUSTODIAN].n != 0 &&
	    (old == NULL || old->v[DEVICE_CUSTODIAN].n != now->v[DEVICE_CUSTODIAN].n))
		err = custodian_check(r, call, now);
	if (err == GBA_OK)
		err = assurance_check(r, call, old, now);
	if (err == GBA_OK && now->v[DEVICE_COMPOSITE].t.p != NULL &&
	    (old == NULL || !bytes_eq(old->v[DEVICE_COMPOSITE].t, now->v[DEVICE_COMPOSITE].t)))
		err = composite_check(r, call, now);
	return err;
}

static enum gba_err device_retire(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	struct record *now = record_copy(call->mem_ctx, old);
	enum gba_err err;

	(void)arguments;
	if (now == NULL)
		return GBA_E_NOMEM;
	if (old->v[DEVICE_STATE].n == DEVICE_RETIRED)
		return record_refuse(call, GBA_E_STATE, NULL, "this device is retired already");
	now->v[DEVICE_STATE].n = DEVICE_RETIRED;
	now->v[DEVICE_REPORT_DUE].n = now->v[DEVICE_OVERDUE].n = 0;
	err = record_set_by_rules(r, call, old, now, "retire");
	if (err == GBA_OK && old->v[DEVICE_STATE].n == DEVICE_REGISTERED) /* others have heard of it */
		err = announce_removed(r, call, old);
	return err;
}

/* A custodian says who is the next, and no more of it than its account is told. */
static enum gba_err device_transfer(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	const char *account = json_string_value(json_object_get(arguments, "account"));
	struct record *now = record_copy(call->mem_ctx, old);
	struct db_stmt *stmt = NULL;
	int64_t id = 0;
	enum gba_err err;

	if (now == NULL)
		return GBA_E_NOMEM;
	if (account == NULL)
		return record_refuse(call, GBA_E_SYNTAX, "account", "the new custodian's account is needed");
	err = records_stmt(r, "SELECT id FROM custodian WHERE account = ?1 AND state = ?2", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(account));
	db_bind_int(stmt, 2, CUSTODIAN_VERIFIED);
	err = records_int(stmt, &id);
	if (err == GBA_E_NOT_FOUND)
		return record_refuse(call, GBA_E_KYC, "account", "no verified custodian has this account");
	if (err != GBA_OK)
		return err;
	now->v[DEVICE_CUSTODIAN].n = id;
	err = assurance_check(r, call, old, now);
	if (err != GBA_OK)
		return err;
	err = record_update(r, call, old, now, "transfer"); /* not by rules: who gives it away need not see who gets it */
	return err == GBA_OK ? announce_change(r, call, old, now) : err;
}

static const char *const transfer_arguments[] = { "account", NULL };
static const char *const no_arguments[] = { NULL };

const struct record_verb reg_device_verbs[] = {
	{ "retire", FOR_ADMIN | FOR_AGENCY | FOR_CUSTODIAN, no_arguments, device_retire, "End its registration; its records stay" },
	{ "transfer", FOR_ADMIN | FOR_AGENCY | FOR_CUSTODIAN, transfer_arguments, device_transfer,
	  "Make another verified custodian its custodian" },
	{ NULL, 0, NULL, NULL, NULL }
};
