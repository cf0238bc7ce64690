/* SPDX-License-Identifier: Apache-2.0 */
/* Register and Set (Y.3059 7-iv-a, 7-iv-b): in two steps, so that neither side ever believes alone. */
#include <stdlib.h>

#include "core/codec.h"
#include "core/log.h"
#include "crypto/hash.h"
#include "registry-fn/device/device.h"
#include "registry-fn/id/regdevid.h"
#include "registry-fn/listing/listing.h"
#include "registry-fn/record/announce.h"

static const char *const set_members[] = { "regdevid", "serial", NULL };
static const char *const register_members[] = { "scheme",         "identity",      "make",  "model",         "custodian",
					     "custodian_code", "identities",    "kind",  "root_of_trust", "firmware",
					     "software",       "communication", "power", "protocols",     NULL };

static const struct registry_conf *conf_of(const struct device_call *call)
{
	return call->desk->registry->conf;
}

/* Where devices of this hierarchy register instead (Y.3059 6.1-13). */
static enum gba_err primary_only(struct device_call *call)
{
	const struct registry_conf *conf = conf_of(call);
	const char *to = conf->primaries.n > 0 ? conf->primaries.v[0] : "";

	if (conf->reg_type == REGISTRY_PRIMARY)
		return GBA_OK;
	return record_refuse(&call->record, GBA_E_STATE, NULL, "devices register at primary registries%s%s",
			     *to != '\0' ? ": " : "", to);
}

/* Y.3059 6.1-2, 7-iii: the word of a device is not enough, nor is none. */
static enum gba_err root_check(struct device_call *call, const struct record *rec)
{
	if (rec->v[DEVICE_ROOT].n != ROOT_NONE || conf_of(call)->root_policy == ROOT_POLICY_GREY)
		return GBA_OK;
	return record_refuse(&call->record, GBA_E_NOT_AUTHORIZED, "root_of_trust",
			     "a device without a root of trust is not registered");
}

static bool code_matches(const struct record *custodian, const char *code)
{
	uint8_t digest[HASH_MAX];
	char hex[HEX_LEN(HASH_MAX) + 1];
	struct bytes text = bytes_of(code);

	if (code == NULL || custodian->v[CUSTODIAN_CODE_HASH].t.p == NULL)
		return false;
	hash_pieces(HASH_SHA256, &text, 1, digest);
	hex_encode(BYTES(digest, sizeof(digest)), hex);
	return bytes_eq_secret(bytes_of(hex), custodian->v[CUSTODIAN_CODE_HASH].t);
}

static bool listed(struct bytes list, const char *impi)
{
	struct bytes line;

	while (list.p != NULL) {
		if (!bytes_split(list, '\n', &line, &list)) {
			line = list;
			list = BYTES_NONE;
		}
		if (bytes_eq_str(line, impi))
			return true;
	}
	return false;
}

/* Y.3059 9.2-i-d. One refusal for all that may be wrong: who is custodian here is nobody's business. */
static enum gba_err custodian_find(struct device_call *call, json_t *body, int64_t *_id)
{
	static const char why[] = "this custodian does not answer for this device";
	const char *account = json_string_value(json_object_get(body, "custodian"));
	struct records *r = call->desk->records;
	struct record *custodian = NULL;
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	*_id = 0;
	if (json_object_get(body, "custodian") == NULL)
		return conf_of(call)->custodian_required
			       ? record_refuse(&call->record, GBA_E_KYC, "custodian", "a custodian is needed")
			       : GBA_OK;
	err = records_stmt(r, "SELECT id FROM custodian WHERE account = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(account != NULL ? account : ""));
	err = records_int(stmt, _id);
	if (err == GBA_E_NOT_FOUND)
		return record_refuse(&call->record, GBA_E_KYC, "custodian", why);
	if (err == GBA_OK)
		err = record_load(r, call->record.mem_ctx, REG_CUSTODIAN, *_id, &custodian);
	if (err != GBA_OK)
		return err;
	if (custodian->v[CUSTODIAN_STATE].n == CUSTODIAN_VERIFIED &&
	    (listed(custodian->v[CUSTODIAN_IMPIS].t, call->impi) ||
	     code_matches(custodian, json_string_value(json_object_get(body, "custodian_code")))))
		return GBA_OK;
	return record_refuse(&call->record, GBA_E_KYC, "custodian", why);
}

/* Which device: scheme and identity in canonical form. */
static enum gba_err identity_of(struct device_call *call, json_t *body, const struct scheme **_scheme, char *identity)
{
	const struct scheme *scheme;
	const char *word, *text, *why = "";
	enum gba_err err;

	err = device_text(call, body, "scheme", &word);
	if (err == GBA_OK)
		err = device_text(call, body, "identity", &text);
	if (err != GBA_OK)
		return err;
	scheme = scheme_by_word(bytes_of(word));
	if (scheme == NULL)
		return record_refuse(&call->record, GBA_E_SYNTAX, "scheme", "no such scheme of identifiers");
	err = scheme_inherent(scheme, bytes_of(text), _scheme, identity, &why);
	if (err == GBA_E_UNSUPPORTED)
		return record_refuse(&call->record, GBA_E_RANGE, "scheme", "%s", why);
	return err == GBA_OK ? GBA_OK : record_refuse(&call->record, err, "identity", "%s", why);
}

static enum gba_err take_text(struct device_call *call, struct record *rec, int place, json_t *body)
{
	const struct field *field = &rec->kind->fields[place];
	const char *text;
	enum gba_err err = device_text(call, body, field->name, &text);

	return err == GBA_OK ? value_take(&call->record, rec, field, json_object_get(body, field->name), &rec->v[place])
			     : err;
}

/* One further identity, good by its own rule. */
static enum gba_err identity_read(struct device_call *call, json_t *one, const struct scheme **_scheme, const char **_value)
{
	static const char *const members[] = { "scheme", "value", NULL };
	char canonical[IDENTIFIER_MAX + 1];
	const char *word, *why = "";
	enum gba_err err;

	err = device_members(call, one, members);
	if (err == GBA_OK)
		err = device_text(call, one, "scheme", &word);
	if (err == GBA_OK)
		err = device_text(call, one, "value", _value);
	if (err != GBA_OK)
		return err;
	*_scheme = scheme_by_word(bytes_of(word));
	if (*_scheme == NULL)
		return record_refuse(&call->record, GBA_E_SYNTAX, "identities", "no such scheme of identifiers");
	err = scheme_canonical(*_scheme, bytes_of(*_value), canonical, &why);
	return err == GBA_OK ? GBA_OK : record_refuse(&call->record, err, "identities", "%s", why);
}

/* Looked at each time, also when what stands is told again. */
static enum gba_err identities_check(struct device_call *call, json_t *body)
{
	json_t *list = json_object_get(body, "identities"), *one;
	const struct scheme *scheme;
	const char *value;
	enum gba_err err = GBA_OK;
	size_t i;

	if (list == NULL)
		return GBA_OK;
	if (!json_is_array(list) || json_array_size(list) > DEVICE_IDENTITIES_MAX)
		return record_refuse(&call->record, GBA_E_RANGE, "identities", "a list of up to %d", DEVICE_IDENTITIES_MAX);
	json_array_foreach(list, i, one)
		err = err == GBA_OK ? identity_read(call, one, &scheme, &value) : err;
	return err;
}

static enum gba_err identity_add(struct device_call *call, const struct record *device, json_t *one)
{
	struct record *rec = NULL;
	const struct scheme *scheme;
	const char *value;
	enum gba_err err = identity_read(call, one, &scheme, &value);

	if (err != GBA_OK)
		return err;
	err = record_new(call->record.mem_ctx, &registry_set.kinds[REG_DEVICE_IDENTITY], &rec);
	if (err != GBA_OK)
		return err;
	rec->v[DEVICE_IDENTITY_DEVICE].n = device->id;
	rec->v[DEVICE_IDENTITY_SCHEME].n = scheme - schemes;
	rec->v[DEVICE_IDENTITY_VALUE].t = bytes_of(value);
	err = record_add_by_rules(call->desk->records, &call->record, rec, "register");
	return err == GBA_E_DENIED ? record_refuse(&call->record, err, "identities", REG_IDENTITY_TAKEN) : err;
}

static enum gba_err identities_add(struct device_call *call, const struct record *device, json_t *body)
{
	json_t *list = json_object_get(body, "identities"), *one;
	enum gba_err err = GBA_OK;
	size_t i;

	json_array_foreach(list, i, one)
	{
		err = identity_add(call, device, one);
		if (err == GBA_E_EXISTS)
			err = GBA_OK; /* said already */
		if (err != GBA_OK)
			break;
	}
	return err;
}

/* TEC 31188 3.1: what the lists say of it as it now stands. */
static enum gba_err lists_check(struct device_call *call, const struct record *rec)
{
	struct listing listing = { 0 };
	const char *why, *field;
	enum gba_err err = listing_read(call->desk->records, &call->record, rec->id, false, &listing);

	if (err != GBA_OK || listing_verdict(conf_of(call), &listing, &why, &field) != LISTING_REFUSE)
		return err;
	return record_refuse(&call->record, GBA_E_NOT_AUTHORIZED, field, "%s", why);
}

/* A registration that has begun: what the device says, and until when it has to confirm. */
static enum gba_err begin(struct device_call *call, struct record *rec, json_t *body, int64_t custodian)
{
	size_t count = 0;
	enum gba_err err = device_take(call, rec, body, &count);

	if (err == GBA_OK)
		err = root_check(call, rec);
	if (err != GBA_OK)
		return err;
	rec->v[DEVICE_IMPI].t = bytes_of(call->impi);
	if (custodian != 0)
		rec->v[DEVICE_CUSTODIAN].n = custodian;
	rec->v[DEVICE_STATE].n = DEVICE_ACKNOWLEDGED;
	rec->v[DEVICE_SERIAL].n++;
	rec->v[DEVICE_EXPIRES].n = call->record.now + conf_of(call)->acknowledge_time;
	rec->v[DEVICE_EFFECTIVE].n = rec->v[DEVICE_REPORT_DUE].n = rec->v[DEVICE_OVERDUE].n = 0;
	call->fresh = true;
	return GBA_OK;
}

static enum gba_err initial_report(struct device_call *call, struct record *rec, json_t *body)
{
	json_t *said = json_copy(body);
	int64_t seq = 0;
	enum gba_err err;

	if (said == NULL)
		return GBA_E_NOMEM;
	json_object_del(said, "custodian_code");
	json_object_del(said, "custodian");
	json_object_del(said, "identities");
	err = device_last_report(call, rec->id, &seq, NULL);
	if (err == GBA_OK)
		err = device_keep_report(call, rec->id, seq + 1, REPORT_INITIAL, said, NULL);
	json_decref(said);
	return err;
}

/* A subscription takes so many identities; what is beyond looks as if it were another's. */
static enum gba_err room_for(struct device_call *call)
{
	struct db_stmt *stmt;
	int64_t n = 0;
	enum gba_err err = records_stmt(call->desk->records, "SELECT count(*) FROM device WHERE impi = ?1 AND state <> ?2", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(call->impi));
	db_bind_int(stmt, 2, DEVICE_RETIRED);
	err = records_int(stmt, &n);
	if (err != GBA_OK || n < conf_of(call)->devices_per_subscription)
		return err;
	return record_refuse(&call->record, GBA_E_DENIED, "identity", REG_IDENTITY_TAKEN);
}

static enum gba_err first_time(struct device_call *call, json_t *body, const struct scheme *scheme,
			       const char *identity, struct record **_rec)
{
	struct record *rec = NULL;
	int64_t custodian = 0;
	enum gba_err err;

	err = room_for(call);
	if (err == GBA_OK)
		err = custodian_find(call, body, &custodian);
	if (err == GBA_OK)
		err = record_new(call->record.mem_ctx, &registry_set.kinds[REG_DEVICE], &rec);
	if (err != GBA_OK)
		return err;
	rec->v[DEVICE_SCHEME].n = scheme - schemes;
	rec->v[DEVICE_IDENTITY].t = bytes_of(identity);
	err = take_text(call, rec, DEVICE_MAKE, body);
	if (err == GBA_OK)
		err = take_text(call, rec, DEVICE_MODEL, body);
	if (err == GBA_OK)
		err = begin(call, rec, body, custodian);
	if (err == GBA_OK)
		err = record_add_by_rules(call->desk->records, &call->record, rec, "register");
	*_rec = rec;
	return err;
}

/* The same make and model as it was announced or registered with. */
static enum gba_err same_model(struct device_call *call, const struct record *old, json_t *body)
{
	const char *make = json_string_value(json_object_get(body, "make"));
	const char *model = json_string_value(json_object_get(body, "model"));

	if (bytes_eq_str(old->v[DEVICE_MAKE].t, make != NULL ? make : "") &&
	    bytes_eq_str(old->v[DEVICE_MODEL].t, model != NULL ? model : ""))
		return GBA_OK;
	return record_refuse(&call->record, GBA_E_DENIED, "identity",
			     REG_IDENTITY_TAKEN);
}

/* A lost answer: the same again. Nothing comes of what it says, but it has to make sense. */
static enum gba_err once_more(struct device_call *call, const struct record *old, json_t *body)
{
	struct record *said = record_copy(call->record.mem_ctx, old);
	size_t count = 0;
	enum gba_err err = said != NULL ? device_take(call, said, body, &count) : GBA_E_NOMEM;

	return err == GBA_OK ? root_check(call, said) : err;
}

/* Known: announced, waiting for Set, registered, or with another subscription than now. The SIM may change as long as
 * the same custodian answers for the device; else whoever copies an identity would take the other's place. */
static enum gba_err again(struct device_call *call, json_t *body, const struct record *old, struct record **_rec)
{
	struct record *rec = record_copy(call->record.mem_ctx, old);
	bool same = bytes_eq_str(old->v[DEVICE_IMPI].t, call->impi), unclaimed = old->v[DEVICE_IMPI].t.p == NULL;
	int64_t custodian = 0;
	enum gba_err err;

	if (rec == NULL)
		return GBA_E_NOMEM;
	err = same_model(call, old, body);
	if (err == GBA_OK && !same)
		err = room_for(call);
	if (err == GBA_OK)
		err = custodian_find(call, body, &custodian);
	if (err != GBA_OK)
		return err;
	if (!same && !unclaimed && (custodian == 0 || custodian != old->v[DEVICE_CUSTODIAN].n))
		return record_refuse(&call->record, GBA_E_DENIED, "identity",
				     REG_IDENTITY_TAKEN);
	if (unclaimed && old->v[DEVICE_CUSTODIAN].n != 0 && custodian != old->v[DEVICE_CUSTODIAN].n)
		return record_refuse(&call->record, GBA_E_KYC, "custodian",
				     "this custodian does not answer for this device");
	if (old->v[DEVICE_STATE].n == DEVICE_RETIRED)
		return record_refuse(&call->record, GBA_E_STATE, NULL, "this device is retired");
	*_rec = rec;
	if (same && (old->v[DEVICE_STATE].n == DEVICE_REGISTERED ||
		     (old->v[DEVICE_STATE].n == DEVICE_ACKNOWLEDGED && old->v[DEVICE_EXPIRES].n > call->record.now)))
		return once_more(call, old, body);
	err = begin(call, rec, body, custodian);
	return err == GBA_OK ? record_set_by_rules(call->desk->records, &call->record, old, rec, "register") : err;
}

static enum gba_err acknowledge(struct device_call *call, const struct record *rec)
{
	char urn[REGDEVID_URN_MAX + 1];
	int64_t seq = 0;
	enum gba_err err = device_last_report(call, rec->id, &seq, NULL);

	if (err != GBA_OK)
		return err;
	regdevid_to_urn((const char *)rec->v[DEVICE_REGDEVID].t.p, conf_of(call)->urn_namespace, urn);
	call->answer = json_pack("{s:s, s:s, s:I, s:s, s:I, s:I, s:I}", "regdevid", rec->v[DEVICE_REGDEVID].t.p, "urn",
				 urn, "serial", (json_int_t)rec->v[DEVICE_SERIAL].n, "state",
				 reg_device_state_words[rec->v[DEVICE_STATE].n], "expires",
				 (json_int_t)rec->v[DEVICE_EXPIRES].n, "seq", (json_int_t)seq, "report_every",
				 (json_int_t)conf_of(call)->report_interval);
	return call->answer != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err registered(struct device_call *call, json_t *body, struct record **_rec)
{
	char identity[IDENTIFIER_MAX + 1];
	const struct scheme *scheme;
	struct record *old = NULL;
	int64_t id = 0;
	enum gba_err err;

	err = identity_of(call, body, &scheme, identity);
	if (err == GBA_OK)
		err = identities_check(call, body);
	if (err == GBA_OK)
		err = reg_device_by_identity(call->desk->records, scheme, identity, &id);
	if (err == GBA_OK && id != 0)
		err = record_load(call->desk->records, call->record.mem_ctx, REG_DEVICE, id, &old);
	if (err != GBA_OK)
		return err;
	err = id == 0 ? first_time(call, body, scheme, identity, _rec) : again(call, body, old, _rec);
	if (err == GBA_OK && call->fresh)
		err = identities_add(call, *_rec, body);
	if (err == GBA_OK && call->fresh)
		err = lists_check(call, *_rec);
	if (err == GBA_OK && call->fresh)
		err = initial_report(call, *_rec, body);
	if (err == GBA_OK && call->fresh)
		err = device_note(call, "device.acknowledged", *_rec,
				  json_pack("{s:I}", "serial", (json_int_t)(*_rec)->v[DEVICE_SERIAL].n));
	return err;
}

enum gba_err device_register(struct device_call *call, json_t *body)
{
	struct record *rec = NULL;
	enum gba_err err;

	err = primary_only(call);
	if (err == GBA_OK)
		err = device_members(call, body, register_members);
	if (err == GBA_OK)
		err = device_begin(call);
	if (err != GBA_OK)
		return err;
	err = registered(call, body, &rec);
	if (err == GBA_OK)
		err = acknowledge(call, rec);
	return device_end(call, err);
}

static enum gba_err make_effective(struct device_call *call, const struct record *old, struct record *rec)
{
	enum gba_err err;

	if (old->v[DEVICE_STATE].n == DEVICE_REGISTERED)
		return GBA_OK; /* a lost answer */
	if (old->v[DEVICE_STATE].n != DEVICE_ACKNOWLEDGED || old->v[DEVICE_EXPIRES].n <= call->record.now)
		return record_refuse(&call->record, GBA_E_STATE, NULL,
				     "the time to confirm has passed: register again");
	rec->v[DEVICE_STATE].n = DEVICE_REGISTERED;
	rec->v[DEVICE_EFFECTIVE].n = call->record.now;
	rec->v[DEVICE_REPORTED].n = call->record.now;
	rec->v[DEVICE_REPORT_DUE].n = call->record.now + conf_of(call)->report_interval;
	call->fresh = true;
	err = record_set_by_rules(call->desk->records, &call->record, old, rec, "set");
	if (err == GBA_OK)
		err = announce_device(call->desk->records, &call->record, rec, "device.registered");
	return err == GBA_OK ? device_note(call, "device.registered", rec,
					   json_pack("{s:I}", "serial", (json_int_t)rec->v[DEVICE_SERIAL].n))
			     : err;
}

static enum gba_err set(struct device_call *call, json_t *body)
{
	struct record *old = NULL, *rec;
	int64_t serial = 0;
	enum gba_err err;

	err = device_number(call, body, "serial", &serial);
	if (err == GBA_OK)
		err = device_own(call, body, &old);
	if (err != GBA_OK)
		return err;
	if (old->v[DEVICE_SERIAL].n != serial)
		return record_refuse(&call->record, GBA_E_STATE, "serial",
				     "another assignment has taken its place: register again");
	rec = record_copy(call->record.mem_ctx, old);
	if (rec == NULL)
		return GBA_E_NOMEM;
	err = make_effective(call, old, rec);
	return err == GBA_OK ? acknowledge(call, rec) : err;
}

enum gba_err device_set(struct device_call *call, json_t *body)
{
	enum gba_err err = primary_only(call);

	if (err == GBA_OK)
		err = device_members(call, body, set_members);
	if (err == GBA_OK)
		err = device_begin(call);
	return err == GBA_OK ? device_end(call, set(call, body)) : err;
}
