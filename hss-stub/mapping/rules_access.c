/* SPDX-License-Identifier: Apache-2.0 */
/* Permissions and their delegation (Y.3056 7.7-5, 9.2.2-10, 10.3-0). */
#include "hss-stub/mapping/mapping_priv.h"

#define PERMISSIONS_MAX 200 /* of one client element */

static enum gba_err set_by(struct record_call *call, struct record *now, int field)
{
	char *text = talloc_strdup(now, call->actor->name);

	now->v[field].t = bytes_of(text);
	return text != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err validity_check(struct record_call *call, int64_t from, int64_t until, const struct record *old)
{
	if (until != 0 && until <= from)
		return record_refuse(call, GBA_E_RANGE, "valid_until", "before valid_from");
	if (old == NULL && until != 0 && until <= call->now)
		return record_refuse(call, GBA_E_RANGE, "valid_until", "a time to come");
	return GBA_OK;
}

/* An ASP knows the client element by its pseudonym, learnt from a request that was passed to it. */
static enum gba_err impi_of_pseudonym(struct records *m, struct record_call *call, struct record *now)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;
	bool row = false;

	if (now->v[PERMISSION_PSEUDONYM].t.p == NULL)
		return record_refuse(call, GBA_E_SYNTAX, "pseudonym", "is needed");
	err = records_stmt(m,
			   "SELECT impi FROM request WHERE pseudonym = ?1 AND application IN"
			   " (SELECT id FROM application WHERE asp = ?2) ORDER BY id DESC LIMIT 1",
			   &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, now->v[PERMISSION_PSEUDONYM].t);
	db_bind_int(stmt, 2, call->actor->id);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		err = records_keep(now, db_col_text(stmt, 0), &now->v[PERMISSION_IMPI].t);
	db_reset(stmt);
	return err == GBA_OK && !row ? record_refuse(call, GBA_E_NOT_FOUND, "pseudonym", "no user of yours") : err;
}

/* Sets the IMPI to the form subscribers are stored in. */
static enum gba_err impi_settle(struct records *m, struct record_call *call, struct record *now, int field)
{
	char impi[IMPI_MAX + 1];
	struct db_stmt *stmt = NULL;
	int64_t id = 0;
	enum gba_err err;

	if (now->v[field].t.p == NULL)
		return GBA_OK; /* record_complete says so */
	err = subscriber_impi(now->v[field].t, impi);
	if (err == GBA_OK)
		err = records_stmt(m, "SELECT id FROM subscriber WHERE impi = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(impi));
	err = records_int(stmt, &id);
	if (err == GBA_E_NOT_FOUND)
		return record_refuse(call, err, now->kind->fields[field].name, "no such subscriber");
	return err == GBA_OK ? records_keep(now, bytes_of(impi), &now->v[field].t) : err;
}

static enum gba_err pseudonym_settle(struct records *m, struct record *now, int64_t application, struct bytes impi,
				     int field)
{
	struct db_stmt *stmt = NULL;
	int64_t asp = 0;
	char *out;
	enum gba_err err;

	err = records_stmt(m, "SELECT asp FROM application WHERE id = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, application);
	err = records_int(stmt, &asp);
	out = err == GBA_OK ? talloc_size(now, PSEUDONYM_LEN + 1) : NULL;
	if (out == NULL)
		return err != GBA_OK ? err : GBA_E_NOMEM;
	mapping_pseudonym(m, asp, impi, out);
	now->v[field].t = BYTES(out, PSEUDONYM_LEN);
	return GBA_OK;
}

#define NOT_REGISTERED "no registered user has a device with this client element"

static enum gba_err registered_check(struct records *m, struct record_call *call, struct bytes impi, const char *field)
{
	int64_t custodian = 0;
	bool yes = false;
	enum gba_err err = device_registered(m, impi, &yes, &custodian);

	if (err == GBA_OK && !yes)
		return record_refuse(call, GBA_E_STATE, field, NOT_REGISTERED);
	return err;
}

/* A GUSS holds GUSS_USS_MAX settings; some are left for the operator's own and for what is lent. */
static enum gba_err room_check(struct records *m, struct record_call *call, struct bytes impi)
{
	struct db_stmt *stmt = NULL;
	int64_t n = 0;
	enum gba_err err;

	err = records_stmt(m, "SELECT count(*) FROM permission WHERE impi = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, impi);
	err = records_int(stmt, &n);
	if (err == GBA_OK && n >= PERMISSIONS_MAX)
		return record_refuse(call, GBA_E_RANGE, "impi", "has %d permissions already", PERMISSIONS_MAX);
	return err;
}

static enum gba_err permission_new(struct records *m, struct record_call *call, struct record *now)
{
	enum gba_err err = GBA_OK;

	if (call->actor->role == ACTOR_ASP)
		err = impi_of_pseudonym(m, call, now);
	if (err == GBA_OK)
		err = impi_settle(m, call, now, PERMISSION_IMPI);
	if (err != GBA_OK || now->v[PERMISSION_IMPI].t.p == NULL || now->v[PERMISSION_APPLICATION].n == 0)
		return err;
	err = registered_check(m, call, now->v[PERMISSION_IMPI].t, "impi");
	if (err == GBA_OK)
		err = room_check(m, call, now->v[PERMISSION_IMPI].t);
	if (err == GBA_OK)
		err = pseudonym_settle(m, now, now->v[PERMISSION_APPLICATION].n, now->v[PERMISSION_IMPI].t,
				       PERMISSION_PSEUDONYM);
	return err == GBA_OK ? set_by(call, now, PERMISSION_SET_BY) : err;
}

BEFORE(permission_before)
{
	enum gba_err err;

	if (now == NULL)
		return GBA_OK;
	if (call->actor->role == ACTOR_SUBSCRIBER && now->v[PERMISSION_FLAG].n == FLAG_SET && old != NULL &&
	    old->v[PERMISSION_FLAG].n != FLAG_SET)
		return record_refuse(call, GBA_E_DENIED, "flag", "the application's ASP sets it; a user may clear it");
	err = validity_check(call, now->v[PERMISSION_FROM].n, now->v[PERMISSION_UNTIL].n, old);
	if (err == GBA_OK && old == NULL)
		err = permission_new(m, call, now);
	if (err == GBA_OK && old != NULL && old->v[PERMISSION_FLAG].n != now->v[PERMISSION_FLAG].n)
		err = set_by(call, now, PERMISSION_SET_BY);
	return err;
}

static enum gba_err tell_bsfs(struct records *m, struct record_call *call, enum outbox_kind kind, int64_t application,
			      struct bytes impi)
{
	struct db_stmt *stmt = NULL;
	struct bytes fqdn = BYTES_NONE;
	enum gba_err err;
	bool row = false;

	err = records_stmt(m, "SELECT naf_fqdn FROM application WHERE id = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, application);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		err = records_keep(call->mem_ctx, db_col_text(stmt, 0), &fqdn);
	db_reset(stmt);
	return err == GBA_OK ? outbox_add(m, kind, impi, (const char *)fqdn.p, call->now) : err;
}

/* Members that change what the network is told, beside flag and validity. */
static bool terms_changed(const struct record *old, const struct record *now)
{
	return old->v[PERMISSION_SECURITY_DEGREE].n != now->v[PERMISSION_SECURITY_DEGREE].n;
}

AFTER(permission_after)
{
	const struct record *rec = now != NULL ? now : old;
	enum gba_err err = GBA_OK;

	if (now == NULL && old->v[PERMISSION_IN_FORCE].n != 0)
		err = tell_bsfs(m, call, OUTBOX_PERMISSION_CLEARED, old->v[PERMISSION_APPLICATION].n,
				old->v[PERMISSION_IMPI].t);
	if (err == GBA_OK && now != NULL && old != NULL && old->v[PERMISSION_IN_FORCE].n != 0 &&
	    terms_changed(old, now))
		err = tell_bsfs(m, call, OUTBOX_PERMISSION_CHANGED, now->v[PERMISSION_APPLICATION].n,
				now->v[PERMISSION_IMPI].t);
	return err == GBA_OK ? mapping_dirty(m, rec->v[PERMISSION_IMPI].t, call->now) : err;
}

/* A user learns of a client element that is none, and of one that is nobody's, the same. */
static enum gba_err delegate_settle(struct records *m, struct record_call *call, struct record *now)
{
	enum gba_err err = impi_settle(m, call, now, DELEGATION_TO_IMPI);

	if (err == GBA_E_NOT_FOUND && call->actor->role == ACTOR_SUBSCRIBER)
		return record_refuse(call, GBA_E_STATE, "to_impi", NOT_REGISTERED);
	return err;
}

static enum gba_err delegation_new(struct records *m, struct record_call *call, struct record *now)
{
	struct record *permission = NULL;
	enum gba_err err;

	if (now->v[DELEGATION_PERMISSION].n == 0 || now->v[DELEGATION_TO_IMPI].t.p == NULL)
		return GBA_OK; /* record_complete says so */
	err = record_load(m, now, KIND_PERMISSION, now->v[DELEGATION_PERMISSION].n, &permission);
	if (err != GBA_OK)
		return err;
	if (permission->v[PERMISSION_FLAG].n != FLAG_SET)
		return record_refuse(call, GBA_E_STATE, "permission", "its flag is cleared");
	err = delegate_settle(m, call, now);
	if (err != GBA_OK)
		return err;
	if (bytes_eq(permission->v[PERMISSION_IMPI].t, now->v[DELEGATION_TO_IMPI].t))
		return record_refuse(call, GBA_E_RANGE, "to_impi", "has the permission itself");
	err = registered_check(m, call, now->v[DELEGATION_TO_IMPI].t, "to_impi");
	if (err == GBA_OK)
		err = pseudonym_settle(m, now, permission->v[PERMISSION_APPLICATION].n, now->v[DELEGATION_TO_IMPI].t,
				       DELEGATION_PSEUDONYM);
	return err == GBA_OK ? set_by(call, now, DELEGATION_SET_BY) : err;
}

BEFORE(delegation_before)
{
	enum gba_err err = GBA_OK;

	if (now == NULL)
		return GBA_OK;
	if (old != NULL) /* whom it is lent to sees it and may end it, but its terms are the lender's */
		err = record_visible(m, call, KIND_PERMISSION, old->v[DELEGATION_PERMISSION].n);
	if (err == GBA_E_NOT_FOUND)
		return record_refuse(call, GBA_E_DENIED, NULL, "only who lends it may change it");
	if (err != GBA_OK)
		return err;
	err = validity_check(call, now->v[DELEGATION_FROM].n, now->v[DELEGATION_UNTIL].n, old);
	return err == GBA_OK && old == NULL ? delegation_new(m, call, now) : err;
}

AFTER(delegation_after)
{
	const struct record *rec = now != NULL ? now : old;
	struct record *permission = NULL;
	enum gba_err err = GBA_OK;

	if (now == NULL && old->v[DELEGATION_IN_FORCE].n != 0) {
		err = record_load(m, call->mem_ctx, KIND_PERMISSION, old->v[DELEGATION_PERMISSION].n, &permission);
		if (err == GBA_OK)
			err = tell_bsfs(m, call, OUTBOX_PERMISSION_CLEARED, permission->v[PERMISSION_APPLICATION].n,
					old->v[DELEGATION_TO_IMPI].t);
	}
	return err == GBA_OK ? mapping_dirty(m, rec->v[DELEGATION_TO_IMPI].t, call->now) : err;
}

VERB(delegation_end)
{
	struct record *now = record_copy(call->mem_ctx, old);
	enum gba_err err;

	(void)arguments;
	if (now == NULL)
		return GBA_E_NOMEM;
	if (old->v[DELEGATION_STATE].n == DELEGATION_ENDED)
		return record_refuse(call, GBA_E_STATE, NULL, "ended already");
	now->v[DELEGATION_STATE].n = DELEGATION_ENDED;
	err = record_update(m, call, old, now, "end");
	return err == GBA_OK ? delegation_after(m, call, old, now) : err;
}
