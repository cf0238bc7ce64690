/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a credential is: kept as a hash, good for one role, and for one record where the role stands for one. */
#include "registry-fn/record/credential.h"

#include "registry-fn/record/rules.h"

#define OWNERLESS (1U << REG_ROLE_ADMIN | 1U << REG_ROLE_PRIVACY | FOR_BULK | FOR_AGENCY)

/* Records that callers of a role stand for, and how they must be. */
static const struct {
	int role, kind;
	const char *good; /* of its state */
} owners[] = {
	{ REG_ROLE_MAKER, REG_MAKER, "SELECT 1 FROM maker WHERE id = ?1 AND state = 0" },
	{ REG_ROLE_CUSTODIAN, REG_CUSTODIAN, "SELECT 1 FROM custodian WHERE id = ?1 AND state < 2" },
	{ REG_ROLE_ENQUIRER, REG_ENQUIRER, "SELECT 1 FROM enquirer WHERE id = ?1 AND state = 1" },
	{ REG_ROLE_REGISTRAR, REG_PARTY, "SELECT 1 FROM party WHERE id = ?1 AND state = 1 AND kind = 3" },
	{ REG_ROLE_CERTIFIER, REG_PARTY, "SELECT 1 FROM party WHERE id = ?1 AND state = 1 AND kind = 4" },
	{ REG_ROLE_PROVIDER, REG_PARTY, "SELECT 1 FROM party WHERE id = ?1 AND state = 1 AND kind <> 3 AND kind <> 4" },
};
#define OWNERS (sizeof(owners) / sizeof(owners[0]))

static size_t owner_of(int64_t role)
{
	size_t i = 0;

	while (i < OWNERS && owners[i].role != role)
		i++;
	return i;
}

static enum gba_err owner_check(struct records *r, struct record_call *call, const struct record *now)
{
	int64_t role = now->v[REG_CREDENTIAL_OWNER_TYPE].n, owner = now->v[REG_CREDENTIAL_OWNER].n;
	size_t i = owner_of(role);
	enum gba_err err;

	if ((OWNERLESS & 1U << role) != 0)
		return owner == 0 ? GBA_OK
				  : record_refuse(call, GBA_E_RANGE, "owner", "this role stands for no record");
	if (i == OWNERS)
		return record_refuse(call, GBA_E_RANGE, "owner_type", "callers with credentials have not this role");
	err = record_visible(r, call, owners[i].kind, owner);
	return err == GBA_E_NOT_FOUND
		       ? record_refuse(call, err, "owner", "no %s %lld", reg_roles[role], (long long)owner)
		       : err;
}

enum gba_err reg_credential_before(struct records *r, struct record_call *call, const struct record *old,
				   struct record *now)
{
	if (now == NULL || old != NULL)
		return GBA_OK;
	/* An administrator who may not read personal data must not give itself the right to (Y.3059 9.1-iii). */
	if (now->v[REG_CREDENTIAL_OWNER_TYPE].n == REG_ROLE_PRIVACY && (FOR_PRIVACY & 1U << call->actor->role) == 0)
		return record_refuse(call, GBA_E_DENIED, "owner_type", "the privacy role alone gives the privacy role");
	if (now->v[REG_CREDENTIAL_EXPIRES].n != 0 && now->v[REG_CREDENTIAL_EXPIRES].n <= call->now)
		return record_refuse(call, GBA_E_RANGE, "expires", "a time to come");
	return owner_check(r, call, now);
}

static enum gba_err credential_revoke(struct records *r, struct record_call *call, const struct record *old,
				      json_t *arguments)
{
	struct record *now = record_copy(call->mem_ctx, old);

	(void)arguments;
	if (now == NULL)
		return GBA_E_NOMEM;
	if (old->v[REG_CREDENTIAL_REVOKED].n != 0)
		return record_refuse(call, GBA_E_STATE, NULL, "revoked already");
	now->v[REG_CREDENTIAL_REVOKED].n = 1;
	return record_update(r, call, old, now, "revoke");
}

static const char *const no_arguments[] = { NULL };
const struct record_verb reg_credential_verbs[] = {
	{"revoke", FOR_ADMIN, no_arguments, credential_revoke, "End its life now"},
        { NULL,    0,         NULL,         NULL,              NULL              }
};

enum gba_err reg_owner_good(struct records *r, const struct actor *actor)
{
	size_t i = owner_of(actor->role);
	struct db_stmt *stmt = NULL;
	int64_t one = 0;
	enum gba_err err;

	if (i == OWNERS)
		return (OWNERLESS & 1U << actor->role) != 0 ? GBA_OK : GBA_E_NOT_AUTHORIZED;
	err = records_stmt(r, owners[i].good, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, actor->id);
	err = records_int(stmt, &one);
	return err == GBA_E_NOT_FOUND ? GBA_E_NOT_AUTHORIZED : err;
}

static struct actor *actor_make(TALLOC_CTX *ctx, int64_t role, int64_t owner, struct bytes name)
{
	struct actor *actor = talloc_zero(ctx, struct actor);

	if (actor == NULL)
		return NULL;
	actor->role = (int)role;
	actor->id = owner;
	actor->name = owner == 0 ? talloc_asprintf(actor, "%s:%.*s", reg_roles[role], BYTES_FMT(name))
				 : talloc_asprintf(actor, "%s:%lld", reg_roles[role], (long long)owner);
	return actor->name != NULL ? actor : NULL;
}

enum gba_err reg_authenticate(struct records *r, struct record_call *call, int type, const char *hash,
			      struct actor **_actor)
{
	struct actor *actor = NULL;
	struct db_stmt *stmt = NULL;
	bool row = false, good = false;
	int64_t role, until;
	enum gba_err err;

	err = records_stmt(
		r, "SELECT owner_type, owner, name, expires, revoked FROM credential WHERE type = ?1 AND hash = ?2",
		&stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, type);
	db_bind_text(stmt, 2, bytes_of(hash));
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		role = db_col_int(stmt, 0);
		until = db_col_int(stmt, 3);
		good = role >= 0 && role < REG_ROLE_COUNT && role != REG_ROLE_SYSTEM && (until == 0 || until > call->now) &&
		       db_col_int(stmt, 4) == 0;
		actor = good ? actor_make(call->mem_ctx, role, db_col_int(stmt, 1), db_col_text(stmt, 2)) : NULL;
	}
	db_reset(stmt);
	if (err == GBA_OK && !good)
		err = GBA_E_NOT_AUTHORIZED;
	if (err == GBA_OK)
		err = actor != NULL ? reg_owner_good(r, actor) : GBA_E_NOMEM;
	if (err == GBA_OK)
		*_actor = actor;
	return err;
}
