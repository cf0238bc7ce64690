/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of products (TEC 31188 3.1: life cycle, supply chain, software): whose they are, and how they end. */
#include "registry-fn/listing/listing.h"

/* A party that certifies, and may: whoever asks sees it, or it would have been refused. */
static enum gba_err certifier_check(struct records *r, struct record_call *call, const struct record *now)
{
	struct db_stmt *stmt;
	int64_t one;
	enum gba_err err = records_stmt(r, "SELECT 1 FROM party WHERE id = ?1 AND kind = ?2 AND state = ?3", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now->v[CERTIFICATION_CERTIFIER].n);
	db_bind_int(stmt, 2, PARTY_CERTIFIER);
	db_bind_int(stmt, 3, PARTY_REGISTERED);
	err = records_int(stmt, &one);
	if (err != GBA_E_NOT_FOUND)
		return err;
	return record_refuse(call, GBA_E_RANGE, "certifier", "this party is no registered certifier");
}

enum gba_err reg_certification_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	if (now == NULL)
		return GBA_OK;
	if (old == NULL && call->actor->role == REG_ROLE_CERTIFIER)
		now->v[CERTIFICATION_CERTIFIER].n = call->actor->id;
	if (now->v[CERTIFICATION_VALID_UNTIL].n != 0 && now->v[CERTIFICATION_VALID_UNTIL].n <= now->v[CERTIFICATION_VALID_FROM].n)
		return record_refuse(call, GBA_E_RANGE, "valid_until", "it would end before it begins");
	if (now->v[CERTIFICATION_SUPPORT_UNTIL].n != 0 &&
	    now->v[CERTIFICATION_SUPPORT_UNTIL].n < now->v[CERTIFICATION_PRODUCED_FROM].n)
		return record_refuse(call, GBA_E_RANGE, "support_until", "support would end before it is produced");
	/* An end that was put off: it is valid again; one that has passed is found by listing_sweep(). */
	if (old != NULL && now->v[CERTIFICATION_STATE].n == CERTIFICATION_EXPIRED &&
	    (now->v[CERTIFICATION_VALID_UNTIL].n == 0 || now->v[CERTIFICATION_VALID_UNTIL].n > call->now))
		now->v[CERTIFICATION_STATE].n = CERTIFICATION_VALID;
	return old == NULL && now->v[CERTIFICATION_CERTIFIER].n != 0 ? certifier_check(r, call, now) : GBA_OK;
}

/* Devices of the model are judged again. */
enum gba_err reg_certification_after(struct records *r, struct record_call *call, const struct record *old,
				     const struct record *now)
{
	const struct record *rec = now != NULL ? now : old;

	(void)call;
	if (bytes_eq_str(rec->v[CERTIFICATION_MODEL].t, "*"))
		return records_run(r, LISTING_DUE("d.id FROM maker AS m JOIN device AS d ON d.make = m.name WHERE m.id = ?1"),
				   rec->v[CERTIFICATION_MAKER].n);
	if (now != NULL)
		return records_run(r, LISTING_DUE("d.id FROM certification AS c JOIN maker AS m ON m.id = c.maker"
						  " JOIN device AS d ON d.make = m.name AND d.model = c.model WHERE c.id = ?1"),
				   rec->id);
	return records_run(r, LISTING_DUE("id FROM device WHERE maker = ?1 AND certification <> 0"), rec->v[CERTIFICATION_MAKER].n);
}

static enum gba_err moved(struct records *r, struct record_call *call, const struct record *old, int to, json_t *arguments,
			  const char *act)
{
	const char *reason = json_string_value(json_object_get(arguments, "reason"));
	struct record *now = record_copy(call->mem_ctx, old);
	json_t *text;
	enum gba_err err;

	if (now == NULL)
		return GBA_E_NOMEM;
	if (to != CERTIFICATION_VALID && (reason == NULL || *reason == '\0'))
		return record_refuse(call, GBA_E_SYNTAX, "reason", "why?");
	now->v[CERTIFICATION_STATE].n = to;
	text = to != CERTIFICATION_VALID ? json_string(reason) : json_null();
	if (text == NULL)
		return GBA_E_NOMEM;
	err = value_take(call, now, &old->kind->fields[CERTIFICATION_REASON], text, &now->v[CERTIFICATION_REASON]);
	json_decref(text);
	return err == GBA_OK ? record_set_by_rules(r, call, old, now, act) : err;
}

static enum gba_err wrong_state(struct record_call *call, const struct record *old)
{
	return record_refuse(call, GBA_E_STATE, NULL, "it is %s", reg_certification_state_words[old->v[CERTIFICATION_STATE].n]);
}

static enum gba_err suspend(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	if (old->v[CERTIFICATION_STATE].n != CERTIFICATION_VALID)
		return wrong_state(call, old);
	return moved(r, call, old, CERTIFICATION_SUSPENDED, arguments, "suspend");
}

static enum gba_err restore(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	if (old->v[CERTIFICATION_STATE].n != CERTIFICATION_SUSPENDED)
		return wrong_state(call, old);
	return moved(r, call, old, CERTIFICATION_VALID, arguments, "restore");
}

static enum gba_err revoke(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	if (old->v[CERTIFICATION_STATE].n == CERTIFICATION_REVOKED)
		return wrong_state(call, old);
	return moved(r, call, old, CERTIFICATION_REVOKED, arguments, "revoke");
}

#define WHO (FOR_ADMIN | FOR_AGENCY | FOR_CERTIFIER)
static const char *const with_reason[] = { "reason", NULL };
static const char *const no_arguments[] = { NULL };
const struct record_verb reg_certification_verbs[] = {
	{ "suspend", WHO, with_reason, suspend, "It does not count until it is restored; with a reason" },
	{ "restore", WHO, no_arguments, restore, "It counts again" },
	{ "revoke", WHO, with_reason, revoke, "It never counts again; with a reason" },
	{ NULL, 0, NULL, NULL, NULL }
};

static enum gba_err expire(struct records *r, struct record_call *call, int64_t id)
{
	struct record *old = NULL, *now;
	enum gba_err err = records_begin(r);

	if (err != GBA_OK)
		return err;
	err = record_load(r, call->mem_ctx, REG_CERTIFICATION, id, &old);
	now = err == GBA_OK ? record_copy(call->mem_ctx, old) : NULL;
	if (err == GBA_OK && now == NULL)
		err = GBA_E_NOMEM;
	if (err == GBA_OK && old->v[CERTIFICATION_STATE].n == CERTIFICATION_VALID &&
	    old->v[CERTIFICATION_VALID_UNTIL].n <= call->now) {
		now->v[CERTIFICATION_STATE].n = CERTIFICATION_EXPIRED;
		err = record_set_by_rules(r, call, old, now, "expire");
	}
	if (err == GBA_OK)
		return records_commit(r);
	records_rollback(r);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err; /* removed meanwhile */
}

enum gba_err listing_sweep(struct records *r, TALLOC_CTX *mem_ctx, time_t now)
{
	const struct actor node = { REG_ROLE_SYSTEM, 0, "system" };
	struct record_call call = { .actor = &node, .now = now, .mem_ctx = mem_ctx };
	struct db_stmt *stmt;
	int64_t id = 0;
	enum gba_err err;
	int left = 1000; /* others have their turn, too */

	err = records_stmt(r, "SELECT id FROM certification WHERE state = 0 AND valid_until > 0 AND valid_until <= ?1"
			      " ORDER BY id LIMIT 1", &stmt);
	while (err == GBA_OK && left-- > 0) {
		db_bind_int(stmt, 1, now);
		err = records_int(stmt, &id);
		if (err == GBA_OK)
			err = expire(r, &call, id);
	}
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}
