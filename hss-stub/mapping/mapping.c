/* SPDX-License-Identifier: Apache-2.0 */
/* Operations: rights, ownership, transaction around what store.c writes and rules_*.c demand. */
#include "hss-stub/mapping/mapping.h"

#include <stdlib.h>

#include "core/clock.h"
#include "crypto/hash.h"
#include "hss-stub/mapping/mapping_priv.h"

static enum gba_err secret_read(struct mapping *m, struct bytes about)
{
	struct db_stmt *stmt = NULL;
	struct bytes sealed;
	enum gba_err err;
	bool row = false;

	err = mapping_stmt(m, "SELECT sealed FROM realm_secret WHERE name = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, about);
	err = db_step(stmt, &row);
	if (err == GBA_OK && !row)
		err = GBA_E_NOT_FOUND;
	if (err == GBA_OK) {
		sealed = db_col_blob(stmt, 0);
		err = sealed.n == PSEUDONYM_KEY_LEN + SEAL_OVERHEAD ? unseal(m->kek, about, sealed, m->pseudonym_key->p)
								    : GBA_E_CORRUPT;
	}
	db_reset(stmt);
	return err;
}

static enum gba_err secret_make(struct mapping *m, struct bytes about)
{
	uint8_t sealed[PSEUDONYM_KEY_LEN + SEAL_OVERHEAD];
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = mapping_stmt(m, "INSERT INTO realm_secret (name, sealed) VALUES (?1, ?2)", &stmt);
	if (err != GBA_OK)
		return err;
	rand_bytes(m->pseudonym_key->p, PSEUDONYM_KEY_LEN);
	err = seal(m->kek, about, BYTES(m->pseudonym_key->p, PSEUDONYM_KEY_LEN), sealed);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, about);
	db_bind_blob(stmt, 2, BYTES(sealed, sizeof(sealed)));
	return db_run(stmt, NULL);
}

/* Two nodes that start at once end up with the same secret: made under the write lock. */
static enum gba_err secret_open(struct mapping *m)
{
	struct bytes about = bytes_of(REALM_SECRET_PSEUDONYM);
	enum gba_err err = secret_read(m, about);

	if (err != GBA_E_NOT_FOUND)
		return err;
	err = db_begin(m->db);
	if (err != GBA_OK)
		return err;
	err = secret_read(m, about);
	if (err == GBA_E_NOT_FOUND)
		err = secret_make(m, about);
	if (err != GBA_OK) {
		db_rollback(m->db);
		return err;
	}
	return db_commit(m->db);
}

enum gba_err mapping_open(TALLOC_CTX *mem_ctx, const char *database, struct kek *kek, struct mapping **_m,
			  const char **_error)
{
	struct mapping *m = talloc_zero(mem_ctx, struct mapping);
	const char *why = "";
	enum gba_err err = GBA_E_NOMEM;

	*_error = gba_strerror(GBA_E_NOMEM);
	if (m == NULL)
		return GBA_E_NOMEM;
	m->kek = kek;
	m->pseudonym_key = secret_new(m, PSEUDONYM_KEY_LEN);
	if (m->pseudonym_key != NULL)
		err = sub_store_open(m, database, &m->subs, &why);
	if (err == GBA_OK) {
		m->db = sub_store_db(m->subs);
		err = secret_open(m);
		why = talloc_asprintf(m, "%s: the realm's secret: %s", database, gba_strerror(err));
	}
	if (err != GBA_OK) {
		*_error = talloc_strdup(mem_ctx, why);
		talloc_free(m);
		return err;
	}
	*_m = m;
	return GBA_OK;
}

struct mapping *mapping_attach(TALLOC_CTX *mem_ctx, struct sub_store *store)
{
	struct mapping *m = talloc_zero(mem_ctx, struct mapping);

	if (m != NULL) {
		m->subs = store;
		m->db = sub_store_db(store);
	}
	return m;
}

struct sub_store *mapping_subscribers(struct mapping *m)
{
	return m->subs;
}

int64_t mapping_version(struct mapping *m)
{
	return db_data_version(m->db);
}

void mapping_pseudonym(struct mapping *m, int64_t asp, struct bytes impi, char *out)
{
	char id[24];
	struct bytes pieces[] = { BYTES(id, (size_t)snprintf(id, sizeof(id), "%lld", (long long)asp) + 1), impi };
	uint8_t mac[HASH_MAX];

	hmac_pieces(HASH_SHA256, secret_bytes(m->pseudonym_key), pieces, 2, mac);
	hex_encode(BYTES(mac, PSEUDONYM_LEN / 2), out);
}

enum gba_err mapping_begin(struct mapping *m)
{
	enum gba_err err = m->depth == 0 ? db_begin(m->db) : GBA_OK;

	if (err != GBA_OK)
		return err;
	if (m->depth++ == 0)
		m->broken = GBA_OK;
	return GBA_OK;
}

static void dirty_forget(struct mapping *m)
{
	talloc_free(m->dirty);
	m->dirty = NULL;
	m->dirty_count = 0;
}

enum gba_err mapping_commit(struct mapping *m)
{
	enum gba_err err = m->broken;

	if (--m->depth > 0)
		return GBA_OK;
	if (err == GBA_OK)
		err = mapping_flush(m);
	if (err == GBA_OK)
		err = db_commit(m->db);
	else
		db_rollback(m->db);
	dirty_forget(m);
	return err;
}

void mapping_rollback(struct mapping *m)
{
	m->depth = 0;
	db_rollback(m->db);
	dirty_forget(m);
}

enum gba_err mapping_dirty(struct mapping *m, struct bytes impi, time_t now)
{
	size_t n = m->dirty_count;

	m->dirty_now = now;
	if (n > 0 && bytes_eq_str(impi, m->dirty[n - 1]))
		return GBA_OK;
	if (n % 64 == 0) {
		char **more = talloc_realloc(m, m->dirty, char *, n + 64);

		if (more == NULL)
			return GBA_E_NOMEM;
		m->dirty = more;
	}
	m->dirty[n] = talloc_strndup(m->dirty, (const char *)impi.p, impi.n);
	if (m->dirty[n] == NULL)
		return GBA_E_NOMEM;
	m->dirty_count++;
	return GBA_OK;
}

/* One operation: its own transaction, or part of the one that stands. A failure after something was written must undo
 * it: in a standing transaction the whole of it can no longer be committed. */
static enum gba_err op_begin(struct mapping *m, struct mapping_call *call)
{
	call->field[0] = call->why[0] = '\0';
	m->written = false;
	return mapping_begin(m);
}

static enum gba_err op_end(struct mapping *m, struct mapping_call *call, enum gba_err err)
{
	if (err != GBA_OK && call->why[0] == '\0')
		mapping_refuse(call, err, NULL, "%s", gba_strerror(err));
	if (err != GBA_OK && m->depth == 1) {
		mapping_rollback(m);
		return err;
	}
	if (err != GBA_OK && m->written)
		m->broken = err;
	if (err != GBA_OK) {
		m->depth--;
		return err;
	}
	err = mapping_commit(m);
	return err == GBA_OK ? err : mapping_refuse(call, err, NULL, "%s", gba_strerror(err));
}

static enum gba_err visible_stmt(struct mapping *m, const struct record_kind *kind, enum actor_role role, struct db_stmt **_stmt)
{
	TALLOC_CTX *tmp = talloc_new(m);
	char *scope = record_scope(tmp, kind, role, 2);
	enum gba_err err = scope != NULL ? GBA_OK : GBA_E_NOMEM;

	if (err == GBA_OK)
		err = mapping_stmt(m,
				   talloc_asprintf(tmp, "SELECT 1 FROM %s WHERE id = ?1%s%s", kind->table,
						   scope[0] != '\0' ? " AND " : "", scope),
				   _stmt);
	m->made[kind->id][MADE_VISIBLE + role] = err == GBA_OK ? *_stmt : NULL;
	talloc_free(tmp);
	return err;
}

enum gba_err record_visible(struct mapping *m, struct mapping_call *call, enum record_kind_id kind, int64_t id)
{
	enum actor_role role = call->actor->role;
	struct db_stmt *stmt = m->made[kind][MADE_VISIBLE + role];
	const char *scope = record_kinds[kind].scope[role];
	enum gba_err err = GBA_OK;
	int64_t one;

	if (scope == NULL)
		return GBA_E_NOT_FOUND;
	if (stmt == NULL)
		err = visible_stmt(m, &record_kinds[kind], role, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, id);
	if (strchr(scope, '@') != NULL)
		db_bind_int(stmt, 2, call->actor->id);
	return mapping_int(stmt, &one);
}

/* What a record refers to must be there for this actor. Only references that changed are asked for. */
static enum gba_err references_check(struct mapping *m, struct mapping_call *call, const struct record *old,
				     const struct record *now)
{
	const struct field *field;
	enum gba_err err;
	size_t i;

	for (i = 0; i < now->kind->count; i++) {
		field = &now->kind->fields[i];
		if (field->type != FIELD_REF || now->v[i].n == 0 || (old != NULL && old->v[i].n == now->v[i].n))
			continue;
		err = record_visible(m, call, field->ref, now->v[i].n);
		if (err == GBA_E_NOT_FOUND)
			return mapping_refuse(call, err, field->name, "no %s %lld", record_kinds[field->ref].name,
					      (long long)now->v[i].n);
		if (err != GBA_OK)
			return err;
	}
	return GBA_OK;
}

enum gba_err record_add_by_rules(struct mapping *m, struct mapping_call *call, struct record *now, const char *act)
{
	enum gba_err err;

	err = references_check(m, call, NULL, now);
	if (err == GBA_OK && now->kind->before != NULL)
		err = now->kind->before(m, call, NULL, now);
	if (err == GBA_OK)
		err = record_complete(call, now);
	if (err == GBA_OK)
		err = record_insert(m, call, now, act);
	if (err == GBA_OK && now->kind->after != NULL)
		err = now->kind->after(m, call, NULL, now);
	return err;
}

enum gba_err record_set_by_rules(struct mapping *m, struct mapping_call *call, const struct record *old,
				 struct record *now, const char *act)
{
	enum gba_err err;

	err = references_check(m, call, old, now);
	if (err == GBA_OK && now->kind->before != NULL)
		err = now->kind->before(m, call, old, now);
	if (err == GBA_OK)
		err = record_complete(call, now);
	if (err == GBA_OK)
		err = record_update(m, call, old, now, act);
	if (err == GBA_OK && now->kind->after != NULL)
		err = now->kind->after(m, call, old, now);
	return err;
}

/* What hangs on a record: removed with it, or (keep) forbids its removal. */
static const struct {
	enum record_kind_id parent, child;
	const char *column;
	int owner_type; /* >= 0: the child's owner_type, too */
	bool keep;
} hangs[] = {
	{KIND_VERIFICATION,    KIND_USER,            "verification",   -1,         true },
	{ KIND_AUTHENTICATION, KIND_DEVICE,          "authentication", -1,         true },
	{ KIND_USER,           KIND_USER_IDENTITY,   "custodian",      -1,         false},
	{ KIND_USER,           KIND_DEVICE,          "custodian",      -1,         false},
	{ KIND_USER,           KIND_REQUEST,         "custodian",      -1,         false},
	{ KIND_USER,           KIND_CREDENTIAL,      "owner",          OWNER_USER, false},
	{ KIND_USER,           KIND_NOTICE,          "owner",          OWNER_USER, false},
	{ KIND_DEVICE,         KIND_DEVICE_IDENTITY, "device",         -1,         false},
	{ KIND_ASP,            KIND_APPLICATION,     "asp",            -1,         false},
	{ KIND_ASP,            KIND_CREDENTIAL,      "owner",          OWNER_ASP,  false},
	{ KIND_ASP,            KIND_NOTICE,          "owner",          OWNER_ASP,  false},
	{ KIND_APPLICATION,    KIND_PERMISSION,      "application",    -1,         false},
	{ KIND_APPLICATION,    KIND_REQUEST,         "application",    -1,         false},
	{ KIND_PERMISSION,     KIND_DELEGATION,      "permission",     -1,         false},
};

/* The first record that hangs on `old` by row `h` of the table. @retval GBA_E_NOT_FOUND  none */
static enum gba_err hanging_first(struct mapping *m, const struct record *old, size_t h, int64_t *_id)
{
	TALLOC_CTX *tmp = talloc_new(m);
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = mapping_stmt(m,
			   talloc_asprintf(tmp, "SELECT id FROM %s WHERE %s = ?1%s ORDER BY id LIMIT 1",
					   record_kinds[hangs[h].child].table, hangs[h].column,
					   hangs[h].owner_type >= 0 ? " AND owner_type = ?2" : ""),
			   &stmt);
	talloc_free(tmp);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, old->id);
	if (hangs[h].owner_type >= 0)
		db_bind_int(stmt, 2, hangs[h].owner_type);
	return mapping_int(stmt, _id);
}

static enum gba_err hanging_remove(struct mapping *m, struct mapping_call *call, const struct record *old, size_t h)
{
	struct record *child = NULL;
	int64_t id = 0;
	enum gba_err err;

	while ((err = hanging_first(m, old, h, &id)) == GBA_OK) {
		if (hangs[h].keep)
			return mapping_refuse(call, GBA_E_STATE, NULL, "%s %lld is registered from it",
					      record_kinds[hangs[h].child].name, (long long)id);
		err = record_load(m, call->mem_ctx, hangs[h].child, id, &child);
		if (err == GBA_OK)
			err = record_remove_by_rules(m, call, child);
		talloc_free(child);
		child = NULL;
		if (err != GBA_OK)
			return err;
	}
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

enum gba_err record_remove_by_rules(struct mapping *m, struct mapping_call *call, const struct record *old)
{
	enum gba_err err = GBA_OK;
	size_t h;

	if (old->kind->before != NULL)
		err = old->kind->before(m, call, old, NULL);
	for (h = 0; err == GBA_OK && h < sizeof(hangs) / sizeof(hangs[0]); h++) {
		if (hangs[h].parent == old->kind->id)
			err = hanging_remove(m, call, old, h);
	}
	if (err == GBA_OK)
		err = record_delete(m, call, old, "remove");
	if (err == GBA_OK && old->kind->after != NULL)
		err = old->kind->after(m, call, old, NULL);
	return err;
}

static enum gba_err may(struct mapping_call *call, const struct record_kind *kind, unsigned int roles, const char *what)
{
	if ((roles & (1U << call->actor->role)) != 0)
		return GBA_OK;
	return mapping_refuse(call, GBA_E_DENIED, NULL, "%s may not %s %s records", actor_role_names[call->actor->role],
			      what, kind->name);
}

static enum gba_err add(struct mapping *m, struct mapping_call *call, const struct record_kind *kind, json_t *values,
			struct record **_rec)
{
	enum gba_err err;

	err = may(call, kind, kind->add, "add");
	if (err == GBA_OK)
		err = record_new(call->mem_ctx, kind->id, _rec);
	if (err == GBA_OK)
		err = record_take(call, *_rec, values, true);
	if (err == GBA_OK)
		err = record_add_by_rules(m, call, *_rec, "add");
	if (err == GBA_OK && (FOR_ADMIN & (1U << call->actor->role)) == 0)
		err = record_visible(m, call, kind->id, (*_rec)->id); /* not for somebody else */
	return err;
}

/* What is given out is the record as it stands after all that followed from the change. */
static enum gba_err settled(struct mapping *m, struct mapping_call *call, enum gba_err err, struct record *rec,
			    struct record **_rec)
{
	enum record_kind_id kind;
	int64_t id;

	if (err == GBA_OK && _rec != NULL) {
		kind = rec->kind->id;
		id = rec->id;
		err = record_load(m, call->mem_ctx, kind, id, _rec);
	}
	talloc_free(rec);
	return err;
}

enum gba_err mapping_add(struct mapping *m, struct mapping_call *call, enum record_kind_id kind, json_t *values,
			 struct record **_rec)
{
	struct record *rec = NULL;
	enum gba_err err;

	err = op_begin(m, call);
	if (err != GBA_OK)
		return mapping_refuse(call, err, NULL, "%s", gba_strerror(err));
	err = op_end(m, call, add(m, call, &record_kinds[kind], values, &rec));
	return settled(m, call, err, rec, _rec);
}

/* The record as it stands, if it is the actor's and has not moved since the caller saw it. */
static enum gba_err current(struct mapping *m, struct mapping_call *call, const struct record *seen,
			    struct record **_rec)
{
	enum gba_err err;

	err = record_visible(m, call, seen->kind->id, seen->id);
	if (err == GBA_OK)
		err = record_load(m, call->mem_ctx, seen->kind->id, seen->id, _rec);
	if (err == GBA_E_NOT_FOUND)
		return mapping_refuse(call, err, NULL, "no %s %lld", seen->kind->name, (long long)seen->id);
	if (err == GBA_OK && seen->rev != 0 && seen->rev != (*_rec)->rev)
		return mapping_refuse(call, GBA_E_STALE, NULL, "changed meanwhile: revision %lld",
				      (long long)(*_rec)->rev);
	return err;
}

static enum gba_err set(struct mapping *m, struct mapping_call *call, const struct record *seen, json_t *values,
			struct record **_rec)
{
	struct record *old = NULL, *now;
	enum gba_err err;

	err = may(call, seen->kind, seen->kind->change, "change");
	if (err == GBA_OK)
		err = current(m, call, seen, &old);
	if (err != GBA_OK)
		return err;
	now = record_copy(call->mem_ctx, old);
	if (now == NULL)
		return GBA_E_NOMEM;
	talloc_steal(now, old);
	*_rec = now;
	err = record_take(call, now, values, false);
	if (err == GBA_OK)
		err = record_set_by_rules(m, call, old, now, "set");
	if (err == GBA_OK && (FOR_ADMIN & (1U << call->actor->role)) == 0)
		err = record_visible(m, call, now->kind->id, now->id);
	return err;
}

enum gba_err mapping_set(struct mapping *m, struct mapping_call *call, const struct record *old, json_t *values,
			 struct record **_rec)
{
	struct record *now = NULL;
	enum gba_err err;

	err = op_begin(m, call);
	if (err != GBA_OK)
		return mapping_refuse(call, err, NULL, "%s", gba_strerror(err));
	err = op_end(m, call, set(m, call, old, values, &now));
	return settled(m, call, err, now, _rec);
}

enum gba_err mapping_remove(struct mapping *m, struct mapping_call *call, const struct record *old)
{
	struct record *rec = NULL;
	enum gba_err err;

	err = op_begin(m, call);
	if (err != GBA_OK)
		return mapping_refuse(call, err, NULL, "%s", gba_strerror(err));
	err = may(call, old->kind, old->kind->remove, "remove");
	if (err == GBA_OK)
		err = current(m, call, old, &rec);
	if (err == GBA_OK)
		err = record_remove_by_rules(m, call, rec);
	return op_end(m, call, err);
}

static bool argument_known(const struct record_verb *verb, const char *name)
{
	size_t i;

	for (i = 0; verb->arguments[i] != NULL; i++) {
		if (strcmp(verb->arguments[i], name) == 0)
			return true;
	}
	return false;
}

static enum gba_err run_verb(struct mapping *m, struct mapping_call *call, const struct record *seen, const char *name,
			     json_t *arguments)
{
	const struct record_verb *verb = seen->kind->verbs;
	struct record *old = NULL;
	const char *member;
	json_t *value;
	enum gba_err err;

	while (verb != NULL && verb->name != NULL && strcmp(verb->name, name) != 0)
		verb++;
	if (verb == NULL || verb->name == NULL)
		return mapping_refuse(call, GBA_E_UNSUPPORTED, NULL, "%s records have no verb %s", seen->kind->name,
				      name);
	err = may(call, seen->kind, verb->roles, verb->name);
	if (err == GBA_OK)
		err = current(m, call, seen, &old);
	if (err != GBA_OK)
		return err;
	json_object_foreach(arguments, member, value)
	{
		if (!argument_known(verb, member))
			return mapping_refuse(call, GBA_E_SYNTAX, member, "no such member");
	}
	return verb->run(m, call, old, arguments);
}

enum gba_err mapping_do(struct mapping *m, struct mapping_call *call, const struct record *old, const char *verb,
			json_t *arguments, struct record **_rec)
{
	enum gba_err err;

	err = op_begin(m, call);
	if (err != GBA_OK)
		return mapping_refuse(call, err, NULL, "%s", gba_strerror(err));
	err = op_end(m, call, run_verb(m, call, old, verb, arguments));
	return err == GBA_OK && _rec != NULL ? mapping_get(m, call, old->kind->id, old->id, _rec) : err;
}

enum gba_err mapping_get(struct mapping *m, struct mapping_call *call, enum record_kind_id kind, int64_t id,
			 struct record **_rec)
{
	enum gba_err err;

	call->field[0] = call->why[0] = '\0';
	err = record_visible(m, call, kind, id);
	if (err == GBA_OK)
		err = record_load(m, call->mem_ctx, kind, id, _rec);
	if (err == GBA_E_NOT_FOUND)
		return mapping_refuse(call, err, NULL, "no %s %lld", record_kinds[kind].name, (long long)id);
	return err == GBA_OK ? err : mapping_refuse(call, err, NULL, "%s", gba_strerror(err));
}
