/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/registry.h"

#include "core/codec.h"
#include "registry-fn/record/schema.h"
#include "registry-fn/trust/policy.h"

static const char *key_hint(enum gba_err err)
{
	if (err == GBA_E_DENIED)
		return " (it must be ours, and closed to group and others)";
	return err == GBA_E_SYNTAX ? " (64 hex digits are expected)" : "";
}

/* @param said  what stands for the error: a token's words, or the error's own */
static enum gba_err key_fail(TALLOC_CTX *mem_ctx, enum gba_err err, const char *path, const char *said, const char **_why)
{
	const char *hint = strcmp(said, gba_strerror(err)) == 0 ? key_hint(err) : "";

	*_why = talloc_asprintf(mem_ctx, "%s: %s%s", path, said, hint);
	return err;
}

enum gba_err registry_store(TALLOC_CTX *mem_ctx, const struct registry_conf *conf, struct db **_db, const char **_why)
{
	enum gba_err err = db_open(mem_ctx, conf->database, registry_schema, registry_schema_steps, _db, _why);

	if (err == GBA_OK && conf->store_ms > 0)
		db_patience(*_db, conf->store_ms);
	return err;
}

/* What the database says of its owner. */
struct owner {
	bool known, same;
};

static enum gba_err owner_read(struct db *db, const struct registry_conf *conf, const char *public_key, struct owner *_owner)
{
	struct db_stmt *stmt;
	enum gba_err err = db_prepare(db, "SELECT reg_id, reg_type, public_key FROM node WHERE id = 1", &stmt);

	if (err == GBA_OK)
		err = db_step(stmt, &_owner->known);
	if (err != GBA_OK || !_owner->known)
		return err;
	_owner->same = bytes_eq_str(db_col_text(stmt, 0), conf->reg_id) && db_col_int(stmt, 1) == conf->reg_type &&
		       (public_key == NULL || bytes_eq_str(db_col_text(stmt, 2), public_key));
	db_reset(stmt);
	return GBA_OK;
}

static enum gba_err owner_write(struct db *db, const struct registry_conf *conf, const char *public_key)
{
	struct db_stmt *stmt;
	enum gba_err err;

	err = db_prepare(db, "INSERT INTO node (id, reg_id, reg_type, public_key) VALUES (1, ?1, ?2, ?3)"
			     " ON CONFLICT (id) DO NOTHING", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(conf->reg_id));
	db_bind_int(stmt, 2, conf->reg_type);
	db_bind_text(stmt, 3, bytes_of(public_key));
	return db_run(stmt, NULL);
}

static enum gba_err foreign(TALLOC_CTX *mem_ctx, const char *what, const char **_why)
{
	*_why = talloc_asprintf(mem_ctx, "%s: not the one the database was made with", what);
	return GBA_E_CONF;
}

/* A key is made only while the database has never seen one: a lost key file must not pass for a first start. */
static enum gba_err keys_open(struct registry *registry, TALLOC_CTX *mem_ctx, struct db *db, const char **_why)
{
	const struct registry_conf *conf = registry->conf;
	char public_key[HEX_LEN(SIGN_PUBLIC_LEN) + 1];
	struct owner owner = { false, false };
	const char *said;
	enum gba_err err;

	err = owner_read(db, conf, NULL, &owner);
	if (err != GBA_OK)
		return err;
	if (owner.known && !owner.same)
		return foreign(mem_ctx, "reg-id, reg-type", _why);
	err = kek_open_why(registry, conf->kek_file, !owner.known, &registry->kek, &said);
	if (err != GBA_OK)
		return key_fail(mem_ctx, err, conf->kek_file, said, _why);
	err = sign_key_open(registry, conf->key_file, !owner.known, &registry->key);
	if (err != GBA_OK)
		return key_fail(mem_ctx, err, conf->key_file, gba_strerror(err), _why);
	hex_encode(BYTES(sign_key_public(registry->key), SIGN_PUBLIC_LEN), public_key);
	if (!owner.known)
		err = owner_write(db, conf, public_key);
	if (err == GBA_OK)
		err = owner_read(db, conf, public_key, &owner);
	if (err != GBA_OK)
		return err;
	return owner.same ? GBA_OK : foreign(mem_ctx, conf->key_file, _why);
}

enum gba_err registry_open(TALLOC_CTX *mem_ctx, const struct registry_conf *conf, struct registry **_registry, const char **_why)
{
	struct registry *registry = talloc_zero(mem_ctx, struct registry);
	struct db *db = NULL;
	enum gba_err err;

	*_why = gba_strerror(GBA_E_NOMEM);
	if (registry == NULL)
		return GBA_E_NOMEM;
	registry->conf = conf;
	err = trust_policy_new(registry, &conf->trust_rules, &registry->policy, _why);
	if (err != GBA_OK) {
		*_why = talloc_strdup(mem_ctx, *_why);
		talloc_free(registry);
		return err;
	}
	err = registry_store(mem_ctx, conf, &db, _why);
	if (err == GBA_OK) {
		*_why = "the database does not answer as it should";
		err = keys_open(registry, mem_ctx, db, _why);
	}
	talloc_free(db);
	if (err != GBA_OK) {
		talloc_free(registry);
		return err;
	}
	*_registry = registry;
	return GBA_OK;
}
