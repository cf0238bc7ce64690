/* SPDX-License-Identifier: Apache-2.0 */
/* Parties (TEC 31188 3.1): who decides on whom. Where a sector has a registrar it decides; else administrators do. */
#include <ctype.h>

#include "ident/idrule.h"
#include "registry-fn/listing/listing.h"

enum gba_err listing_network_check(struct bytes text, const char **_why)
{
	struct bytes scheme, prefix;
	size_t i;

	*_why = "SCHEME:PREFIX, such as imsi:40445, or SCHEME:*";
	if (!bytes_split(text, ':', &scheme, &prefix) || prefix.n == 0 || scheme_by_word(scheme) == NULL)
		return GBA_E_SYNTAX;
	for (i = 0; i < prefix.n && !bytes_eq_str(prefix, "*"); i++) {
		if (!isalnum(prefix.p[i]) && prefix.p[i] != ':')
			return GBA_E_SYNTAX;
	}
	return GBA_OK;
}

/* ---- registrars of sectors ---- */

/* Who registers for a sector; 0: nobody. @param except  a registrar that is not looked at */
static enum gba_err registrar_of(struct records *r, struct bytes sector, int64_t except, int64_t *_id)
{
	struct db_stmt *stmt;
	bool row = true;
	enum gba_err err = records_stmt(r, "SELECT id, sectors FROM party WHERE kind = ?1 AND state = ?2 ORDER BY id", &stmt);

	*_id = 0;
	if (err != GBA_OK || sector.p == NULL)
		return err;
	db_bind_int(stmt, 1, PARTY_REGISTRAR);
	db_bind_int(stmt, 2, PARTY_REGISTERED);
	while (*_id == 0 && (err = db_step(stmt, &row)) == GBA_OK && row) {
		if (db_col_int(stmt, 0) != except && listing_has(db_col_text(stmt, 1), sector))
			*_id = db_col_int(stmt, 0);
	}
	db_reset(stmt);
	return err;
}

/* One authority per sector, or nobody knows whose word counts. */
static enum gba_err sectors_check(struct records *r, struct record_call *call, const struct record *now)
{
	struct bytes list = now->v[PARTY_SECTORS].t, one;
	int64_t other = 0;
	enum gba_err err = GBA_OK;

	if (list.p == NULL)
		return record_refuse(call, GBA_E_SYNTAX, "sectors", "which sectors does it register for?");
	while (err == GBA_OK && list.p != NULL) {
		if (!bytes_split(list, '\n', &one, &list)) {
			one = list;
			list = BYTES_NONE;
		}
		err = registrar_of(r, one, now->id, &other);
		if (err == GBA_OK && other != 0)
			return record_refuse(call, GBA_E_EXISTS, "sectors", "another registrar has the sector %.*s",
					     BYTES_FMT(one));
	}
	return err;
}

/* May this caller decide on the party? Its registrar alone, while that is registered itself. */
static enum gba_err decides(struct records *r, struct record_call *call, const struct record *party, bool *_may)
{
	unsigned int others = (FOR_ADMIN | FOR_AGENCY | FOR_BULK) & ~FOR_SYSTEM;
	int64_t registrar = party->v[PARTY_REGISTRAR_REF].n;
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, "SELECT 1 FROM party WHERE id = ?1 AND state = ?2", &stmt);
	int64_t one = 0;

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, registrar);
	db_bind_int(stmt, 2, PARTY_REGISTERED);
	err = records_int(stmt, &one);
	*_may = one == 0 ? (others & 1U << call->actor->role) != 0
			 : call->actor->role == REG_ROLE_REGISTRAR && call->actor->id == registrar;
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

static bool is_authority(const struct record *party)
{
	return party->v[PARTY_KIND].n == PARTY_REGISTRAR || party->v[PARTY_KIND].n == PARTY_CERTIFIER;
}

/* To the registrar of its sector; authorities are the administrators' own business. */
static enum gba_err route(struct records *r, struct record *now)
{
	return is_authority(now) ? GBA_OK : registrar_of(r, now->v[PARTY_SECTOR].t, 0, &now->v[PARTY_REGISTRAR_REF].n);
}

static enum gba_err decided(struct record_call *call, struct record *now, int state)
{
	now->v[PARTY_STATE].n = state;
	now->v[PARTY_DECIDED].n = call->now;
	return records_keep(now, bytes_of(call->actor->name), &now->v[PARTY_DECIDED_BY].t);
}

static enum gba_err asked_for(struct records *r, struct record_call *call, struct record *now)
{
	bool may = false;
	enum gba_err err = route(r, now);

	if (err != GBA_OK)
		return err;
	if (call->actor->role == REG_ROLE_REGISTRAR && now->v[PARTY_REGISTRAR_REF].n != call->actor->id)
		return record_refuse(call, GBA_E_DENIED, is_authority(now) ? "kind" : "sector",
				     "a registrar registers those of its sectors");
	now->v[PARTY_STATE].n = PARTY_REQUESTED;
	err = decides(r, call, now, &may);
	return err == GBA_OK && may ? decided(call, now, PARTY_REGISTERED) : err;
}

static enum gba_err identity_check(struct record_call *call, const struct record *now)
{
	id_rule rule = id_rule_asp(now->v[PARTY_IDENTITY_SCHEME].n);
	const char *why = "";
	enum gba_err err;

	if (now->v[PARTY_IDENTITY].t.p == NULL || rule == NULL)
		return GBA_OK;
	err = rule(now->v[PARTY_IDENTITY].t, &why);
	return err == GBA_OK ? GBA_OK : record_refuse(call, err, "identity", "%s", why);
}

enum gba_err reg_party_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	enum gba_err err;

	if (now == NULL)
		return GBA_OK;
	err = identity_check(call, now);
	if (err == GBA_OK && old == NULL)
		err = asked_for(r, call, now);
	else if (err == GBA_OK && !bytes_eq(old->v[PARTY_SECTOR].t, now->v[PARTY_SECTOR].t))
		err = route(r, now);
	if (err == GBA_OK && now->v[PARTY_KIND].n != PARTY_REGISTRAR && now->v[PARTY_SECTORS].t.p != NULL)
		return record_refuse(call, GBA_E_RANGE, "sectors", "a registrar's only; others have one sector");
	if (err == GBA_OK && now->v[PARTY_KIND].n != PARTY_CONNECTIVITY_PROVIDER && now->v[PARTY_NETWORKS].t.p != NULL)
		return record_refuse(call, GBA_E_RANGE, "networks", "connectivity providers list identifiers");
	if (err == GBA_OK && now->v[PARTY_KIND].n == PARTY_REGISTRAR && now->v[PARTY_STATE].n == PARTY_REGISTERED)
		err = sectors_check(r, call, now);
	return err;
}

enum gba_err reg_party_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now)
{
	(void)call;
	if (old == NULL || now == NULL || now->v[PARTY_KIND].n != PARTY_CONNECTIVITY_PROVIDER ||
	    old->v[PARTY_STATE].n == now->v[PARTY_STATE].n)
		return GBA_OK;
	return listing_due_provider(r, now->id); /* its lists count no more, or again */
}

/* ---- verbs ---- */

static enum gba_err reason_take(struct record_call *call, struct record *now, json_t *arguments, bool needed)
{
	json_t *reason = json_object_get(arguments, "reason");

	if (needed && (!json_is_string(reason) || *json_string_value(reason) == '\0'))
		return record_refuse(call, GBA_E_SYNTAX, "reason", "why?");
	return value_take(call, now, &now->kind->fields[PARTY_REASON], needed ? reason : json_null(), &now->v[PARTY_REASON]);
}

/* @param from  set of states */
static enum gba_err move(struct records *r, struct record_call *call, const struct record *old, unsigned int from, int to,
			 json_t *arguments, const char *act)
{
	struct record *now = record_copy(call->mem_ctx, old);
	enum gba_err err;

	if (now == NULL)
		return GBA_E_NOMEM;
	if ((from & 1U << old->v[PARTY_STATE].n) == 0)
		return record_refuse(call, GBA_E_STATE, NULL, "it is %s", reg_party_state_words[old->v[PARTY_STATE].n]);
	err = reason_take(call, now, arguments, to == PARTY_REFUSED || to == PARTY_SUSPENDED);
	if (err == GBA_OK)
		err = decided(call, now, to);
	return err == GBA_OK ? record_set_by_rules(r, call, old, now, act) : err;
}

static enum gba_err decide(struct records *r, struct record_call *call, const struct record *old, unsigned int from, int to,
			   json_t *arguments, const char *act)
{
	bool may = false;
	enum gba_err err = decides(r, call, old, &may);

	if (err == GBA_OK && !may)
		return record_refuse(call, GBA_E_DENIED, NULL, "the registrar of its sector decides on it");
	return err == GBA_OK ? move(r, call, old, from, to, arguments, act) : err;
}

#define IN(state) (1U << (state))

static enum gba_err approve(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	return decide(r, call, old, IN(PARTY_REQUESTED) | IN(PARTY_REFUSED), PARTY_REGISTERED, arguments, "approve");
}

static enum gba_err refuse(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	return decide(r, call, old, IN(PARTY_REQUESTED), PARTY_REFUSED, arguments, "refuse");
}

static enum gba_err restore(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	return decide(r, call, old, IN(PARTY_SUSPENDED) | IN(PARTY_WITHDRAWN), PARTY_REGISTERED, arguments, "restore");
}

/* Whoever sees it acting wrongly may stop it: its registrar, and administrators, too. A registrar has nobody above but these. */
static enum gba_err suspend(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	if (call->actor->role == REG_ROLE_REGISTRAR && old->v[PARTY_REGISTRAR_REF].n != call->actor->id)
		return record_refuse(call, GBA_E_DENIED, NULL, "not by itself");
	return move(r, call, old, IN(PARTY_REGISTERED), PARTY_SUSPENDED, arguments, "suspend");
}

static enum gba_err withdraw(struct records *r, struct record_call *call, const struct record *old, json_t *arguments)
{
	return move(r, call, old, IN(PARTY_REQUESTED) | IN(PARTY_REGISTERED) | IN(PARTY_SUSPENDED), PARTY_WITHDRAWN, arguments,
		    "withdraw");
}

#define WHO (FOR_ADMIN | FOR_AGENCY | FOR_REGISTRAR)
static const char *const with_reason[] = { "reason", NULL };
static const char *const no_arguments[] = { NULL };
const struct record_verb reg_party_verbs[] = {
	{ "approve", WHO, no_arguments, approve, "Register it" },
	{ "refuse", WHO, with_reason, refuse, "Do not register it; with a reason" },
	{ "suspend", WHO, with_reason, suspend, "It may not call until it is restored; with a reason" },
	{ "restore", WHO, no_arguments, restore, "Register it again" },
	{ "withdraw", WHO | FOR_CERTIFIER | FOR_PROVIDER, no_arguments, withdraw, "End its registration" },
	{ NULL, 0, NULL, NULL, NULL }
};
