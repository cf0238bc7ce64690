/* SPDX-License-Identifier: Apache-2.0 */
/* Verified persons and authenticated devices, and their registration from those records (Y.3056 7.1-5, 7.1-6, 7.3). */
#include "ident/idrule_priv.h"
#include "hss-stub/mapping/mapping_priv.h"

BEFORE(verification_before)
{
	(void)m, (void)old;
	if (now != NULL && now->v[VERIFICATION_VERIFIED].n == 0)
		now->v[VERIFICATION_VERIFIED].n = call->now;
	return GBA_OK;
}

BEFORE(authentication_before)
{
	(void)m, (void)old;
	if (now != NULL && now->v[AUTHENTICATION_AUTHENTICATED].n == 0)
		now->v[AUTHENTICATION_AUTHENTICATED].n = call->now;
	return GBA_OK;
}

/* Members of a registration and where in the verification or authentication record they come from. */
struct copied {
	int to, from;
};

static void copy_values(struct record *now, const struct record *from, const struct copied *rows, size_t count)
{
	size_t i;

	talloc_steal(now, from);
	for (i = 0; i < count; i++)
		now->v[rows[i].to] = from->v[rows[i].from];
}

static enum gba_err user_copy(struct records *m, struct record_call *call, struct record *now)
{
	static const struct copied rows[] = {
		{USER_NAME,              VERIFICATION_NAME            },
		{ USER_ADDRESS,          VERIFICATION_ADDRESS         },
		{ USER_DOCUMENT_KIND,    VERIFICATION_DOCUMENT_KIND   },
		{ USER_DOCUMENT_NUMBER,  VERIFICATION_DOCUMENT_NUMBER },
		{ USER_DOCUMENT_COUNTRY, VERIFICATION_DOCUMENT_COUNTRY},
		{ USER_LEVEL,            VERIFICATION_LEVEL           },
		{ USER_VERIFIER,         VERIFICATION_VERIFIER        },
		{ USER_VERIFIED,         VERIFICATION_VERIFIED        },
	};
	struct record *from = NULL;
	enum gba_err err;

	if (now->v[USER_VERIFICATION].n == 0)
		return record_refuse(call, GBA_E_STATE, "verification",
				     "a user is registered from a verification record");
	err = record_load(m, now, KIND_VERIFICATION, now->v[USER_VERIFICATION].n, &from);
	if (err != GBA_OK)
		return err;
	copy_values(now, from, rows, sizeof(rows) / sizeof(rows[0]));
	return GBA_OK;
}

BEFORE(user_before)
{
	if (now == NULL || (old != NULL && old->v[USER_VERIFICATION].n == now->v[USER_VERIFICATION].n))
		return GBA_OK;
	return user_copy(m, call, now);
}

/* Ids of a query with one integer parameter, read whole. */
static enum gba_err texts_of(struct records *m, TALLOC_CTX *ctx, const char *sql, int64_t id, char ***_texts,
			     size_t *_count)
{
	struct db_stmt *stmt = NULL;
	char **texts = NULL;
	enum gba_err err;
	bool row = true;
	size_t n = 0;

	err = records_stmt(m, sql, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, id);
	while (err == GBA_OK) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		texts = talloc_realloc(ctx, texts, char *, n + 1);
		if (texts != NULL)
			texts[n] = talloc_strndup(texts, (const char *)db_col_text(stmt, 0).p, db_col_text(stmt, 0).n);
		if (texts == NULL || texts[n] == NULL)
			err = GBA_E_NOMEM;
		n++;
	}
	db_reset(stmt);
	*_texts = texts;
	*_count = n;
	return err;
}

/* Suspended or back: what the user's client elements may do follows. */
AFTER(user_after)
{
	char **impis = NULL;
	size_t n = 0, i;
	enum gba_err err;

	if (old == NULL || now == NULL || old->v[USER_STATE].n == now->v[USER_STATE].n)
		return GBA_OK;
	err = texts_of(m, call->mem_ctx, "SELECT impi FROM device WHERE custodian = ?1", now->id, &impis, &n);
	for (i = 0; err == GBA_OK && i < n; i++)
		err = mapping_dirty(m, bytes_of(impis[i]), call->now);
	talloc_free(impis);
	return err;
}

/* The reference given, or the one that stands, taken over again. */
static enum gba_err verify_again(struct records *m, struct record_call *call, const struct record *old, int field,
				 json_t *arguments, struct record **_now)
{
	const struct field *row = &old->kind->fields[field];
	json_t *given = json_object_get(arguments, row->name);
	struct record *now = record_copy(call->mem_ctx, old);
	enum gba_err err = now != NULL ? GBA_OK : GBA_E_NOMEM;

	if (err == GBA_OK && given != NULL)
		err = value_take(call, now, row, given, &now->v[field]);
	if (err == GBA_OK && given != NULL)
		err = record_visible(m, call, row->ref, now->v[field].n);
	if (err == GBA_E_NOT_FOUND)
		return record_refuse(call, err, row->name, "no %s %lld", row->name, (long long)now->v[field].n);
	*_now = now;
	return err;
}

VERB(user_verify)
{
	struct record *now = NULL;
	enum gba_err err = verify_again(m, call, old, USER_VERIFICATION, arguments, &now);

	if (err == GBA_OK)
		err = user_copy(m, call, now);
	return err == GBA_OK ? record_set_by_rules(m, call, old, now, "verify") : err;
}

BEFORE(user_identity_before)
{
	id_rule rule = now != NULL ? id_rule_user(now->v[USER_IDENTITY_TYPE].n) : NULL;
	const char *why = "";
	enum gba_err err;

	(void)m, (void)old;
	if (rule == NULL || now->v[USER_IDENTITY_VALUE].t.p == NULL)
		return GBA_OK;
	err = rule(now->v[USER_IDENTITY_VALUE].t, &why);
	return err == GBA_OK ? GBA_OK : record_refuse(call, err, "value", "%s", why);
}

static enum gba_err device_copy(struct records *m, struct record_call *call, struct record *now)
{
	static const struct copied rows[] = {
		{DEVICE_IDENTITIES,     AUTHENTICATION_IDENTITIES   },
		{ DEVICE_METHOD,        AUTHENTICATION_METHOD       },
		{ DEVICE_AUTHENTICATOR, AUTHENTICATION_AUTHENTICATOR},
		{ DEVICE_AUTHENTICATED, AUTHENTICATION_AUTHENTICATED},
		{ DEVICE_CREDENTIAL,    AUTHENTICATION_CREDENTIAL   },
	};
	struct record *from = NULL;
	enum gba_err err;

	if (now->v[DEVICE_AUTHENTICATION].n == 0)
		return record_refuse(call, GBA_E_STATE, "authentication",
				     "a device is registered from an authentication record");
	err = record_load(m, now, KIND_AUTHENTICATION, now->v[DEVICE_AUTHENTICATION].n, &from);
	if (err != GBA_OK)
		return err;
	copy_values(now, from, rows, sizeof(rows) / sizeof(rows[0]));
	return GBA_OK;
}

/* Said before anything is written: an identity names one device. */
static enum gba_err identities_free(struct records *m, struct record_call *call, const struct record *now)
{
	struct bytes rest = now->v[DEVICE_IDENTITIES].t, entry, value;
	char canonical[IDRULE_MAX + 1];
	struct db_stmt *stmt = NULL;
	int64_t type = 0, device = 0;
	enum gba_err err;

	err = records_stmt(m, "SELECT device FROM device_identity WHERE type = ?1 AND value = ?2", &stmt);
	while (err == GBA_OK && rest.n > 0) {
		if (!bytes_split(rest, '\n', &entry, &rest)) {
			entry = rest;
			rest = BYTES_NONE;
		}
		if (!id_device_split(entry, &type, &value))
			return GBA_E_CORRUPT;
		id_device_canonical(type, value, canonical);
		db_bind_int(stmt, 1, type);
		db_bind_text(stmt, 2, bytes_of(canonical));
		err = records_int(stmt, &device);
		if (err == GBA_OK && device != now->id)
			return record_refuse(call, GBA_E_EXISTS, "identities",
					     "%.*s belongs to a registered device already", BYTES_FMT(entry));
		err = err == GBA_E_NOT_FOUND ? GBA_OK : err;
	}
	return err;
}

BEFORE(device_before)
{
	struct subscriber *sub = NULL;
	char impi[IMPI_MAX + 1];
	enum gba_err err;

	if (now == NULL)
		return GBA_OK;
	if (old == NULL && now->v[DEVICE_IMPI].t.p != NULL) {
		err = sub_store_find(mapping_subscribers(m), now, now->v[DEVICE_IMPI].t, &sub);
		if (err == GBA_E_IMPI_UNKNOWN)
			return record_refuse(call, GBA_E_NOT_FOUND, "impi", "no such subscriber");
		if (err == GBA_OK)
			err = subscriber_impi(now->v[DEVICE_IMPI].t, impi);
		if (err == GBA_OK)
			err = records_keep(now, bytes_of(impi), &now->v[DEVICE_IMPI].t);
		talloc_free(sub);
		if (err != GBA_OK)
			return err;
	}
	if (old != NULL && old->v[DEVICE_AUTHENTICATION].n == now->v[DEVICE_AUTHENTICATION].n)
		return GBA_OK;
	err = device_copy(m, call, now);
	return err == GBA_OK ? identities_free(m, call, now) : err;
}

static enum gba_err identity_remove_all(struct records *m, struct record_call *call, int64_t device)
{
	struct record *rec = NULL;
	struct db_stmt *stmt = NULL;
	int64_t id = 0;
	enum gba_err err;

	err = records_stmt(m, "SELECT id FROM device_identity WHERE device = ?1 ORDER BY id LIMIT 1", &stmt);
	while (err == GBA_OK) {
		db_bind_int(stmt, 1, device);
		err = records_int(stmt, &id);
		if (err == GBA_OK)
			err = record_load(m, call->mem_ctx, KIND_DEVICE_IDENTITY, id, &rec);
		if (err == GBA_OK)
			err = record_delete(m, call, rec, "remove");
	}
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

static enum gba_err identity_add(struct records *m, struct record_call *call, int64_t device, struct bytes entry)
{
	char canonical[IDRULE_MAX + 1];
	struct record *rec = NULL;
	struct bytes value;
	int64_t type = 0;
	enum gba_err err;

	if (!id_device_split(entry, &type, &value))
		return GBA_E_CORRUPT;
	err = record_new(call->mem_ctx, &mapping_kinds[KIND_DEVICE_IDENTITY], &rec);
	if (err != GBA_OK)
		return err;
	id_device_canonical(type, value, canonical);
	rec->v[DEVICE_IDENTITY_DEVICE].n = device;
	rec->v[DEVICE_IDENTITY_TYPE].n = type;
	rec->v[DEVICE_IDENTITY_VALUE].t = bytes_of(canonical);
	err = record_insert(m, call, rec, "add");
	talloc_free(rec);
	return err == GBA_E_EXISTS ? record_refuse(call, err, "identities",
						   "%.*s belongs to a registered device already", BYTES_FMT(entry))
				   : err;
}

static enum gba_err identities_write(struct records *m, struct record_call *call, const struct record *device)
{
	struct bytes rest = device->v[DEVICE_IDENTITIES].t, entry;
	enum gba_err err = identity_remove_all(m, call, device->id);

	while (err == GBA_OK && rest.n > 0) {
		if (!bytes_split(rest, '\n', &entry, &rest)) {
			entry = rest;
			rest = BYTES_NONE;
		}
		err = identity_add(m, call, device->id, entry);
	}
	return err;
}

/* One row with `registered_only`; without a profile of the realm it is as if set. */
static enum gba_err registered_only(struct records *m, bool *_only)
{
	struct db_stmt *stmt = NULL;
	int64_t only = 1;
	enum gba_err err;

	err = records_stmt(m, "SELECT registered_only FROM realm ORDER BY id LIMIT 1", &stmt);
	if (err == GBA_OK)
		err = records_int(stmt, &only);
	*_only = only != 0;
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

/* What a user was allowed with a device does not pass to the next one who has it. */
static enum gba_err permissions_remove(struct records *m, struct record_call *call, struct bytes impi)
{
	struct record *rec = NULL;
	struct db_stmt *stmt = NULL;
	bool only = false;
	int64_t id = 0;
	enum gba_err err;

	err = registered_only(m, &only);
	if (err != GBA_OK || !only)
		return err;
	err = records_stmt(m, "SELECT id FROM permission WHERE impi = ?1 ORDER BY id LIMIT 1", &stmt);
	while (err == GBA_OK) {
		db_bind_text(stmt, 1, impi);
		err = records_int(stmt, &id);
		if (err == GBA_OK)
			err = record_load(m, call->mem_ctx, KIND_PERMISSION, id, &rec);
		if (err == GBA_OK)
			err = record_remove_by_rules(m, call, rec);
	}
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

AFTER(device_after)
{
	enum gba_err err = GBA_OK;

	if (now != NULL && (old == NULL || !bytes_eq(old->v[DEVICE_IDENTITIES].t, now->v[DEVICE_IDENTITIES].t)))
		err = identities_write(m, call, now);
	if (err == GBA_OK && now == NULL)
		err = outbox_add(m, OUTBOX_DEVICE_REMOVED, old->v[DEVICE_IMPI].t, NULL, call->now);
	if (err == GBA_OK && old != NULL && (now == NULL || old->v[DEVICE_CUSTODIAN].n != now->v[DEVICE_CUSTODIAN].n))
		err = permissions_remove(m, call, old->v[DEVICE_IMPI].t);
	if (err == GBA_OK && (old == NULL || now == NULL || old->v[DEVICE_CUSTODIAN].n != now->v[DEVICE_CUSTODIAN].n))
		err = mapping_dirty(m, (now != NULL ? now : old)->v[DEVICE_IMPI].t, call->now);
	return err;
}

VERB(device_verify)
{
	struct record *now = NULL;
	enum gba_err err = verify_again(m, call, old, DEVICE_AUTHENTICATION, arguments, &now);

	if (err == GBA_OK)
		err = device_copy(m, call, now);
	if (err == GBA_OK)
		err = identities_free(m, call, now);
	return err == GBA_OK ? record_set_by_rules(m, call, old, now, "verify") : err;
}

enum gba_err device_registered(struct records *m, struct bytes impi, bool *_yes, int64_t *_custodian)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;
	bool row = false;

	*_custodian = 0;
	*_yes = false;
	err = records_stmt(m,
			   "SELECT users.id, users.state FROM device JOIN users ON users.id = device.custodian"
			   " WHERE device.impi = ?1",
			   &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, impi);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		*_custodian = db_col_int(stmt, 0);
		*_yes = db_col_int(stmt, 1) == USER_REGISTERED;
	}
	db_reset(stmt);
	if (err != GBA_OK || row)
		return err;
	err = registered_only(m, _yes);
	*_yes = !*_yes;
	return err;
}
