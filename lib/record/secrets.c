/* SPDX-License-Identifier: Apache-2.0 */
/* The set's secrets: each a row of the secret table, sealed for its name. */
#include "core/clock.h"
#include "record/records_priv.h"

static enum gba_err secret_stmt(struct records *r, const char *fmt, struct db_stmt **_stmt)
	__attribute__((format(printf, 2, 0)));

/* A statement with the table's name in it. */
static enum gba_err secret_stmt(struct records *r, const char *fmt, struct db_stmt **_stmt)
{
	char *sql = talloc_asprintf(r, fmt, r->set->secret_table);
	enum gba_err err = records_stmt(r, sql, _stmt);

	talloc_free(sql);
	return err;
}

static enum gba_err secret_read(struct records *r, struct bytes about, struct secret *key)
{
	struct db_stmt *stmt = NULL;
	struct bytes sealed;
	enum gba_err err;
	bool row = false;

	err = secret_stmt(r, "SELECT sealed FROM %s WHERE name = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, about);
	err = db_step(stmt, &row);
	if (err == GBA_OK && !row)
		err = GBA_E_NOT_FOUND;
	if (err == GBA_OK) {
		sealed = db_col_blob(stmt, 0);
		err = sealed.n == RECORD_SECRET_LEN + SEAL_OVERHEAD ? unseal(r->kek, about, sealed, key->p)
								    : GBA_E_CORRUPT;
	}
	db_reset(stmt);
	return err;
}

static enum gba_err secret_make(struct records *r, struct bytes about, struct secret *key)
{
	uint8_t sealed[RECORD_SECRET_LEN + SEAL_OVERHEAD];
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = secret_stmt(r, "INSERT INTO %s (name, sealed) VALUES (?1, ?2)", &stmt);
	if (err != GBA_OK)
		return err;
	rand_bytes(key->p, RECORD_SECRET_LEN);
	err = seal(r->kek, about, BYTES(key->p, RECORD_SECRET_LEN), sealed);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, about);
	db_bind_blob(stmt, 2, BYTES(sealed, sizeof(sealed)));
	return db_run(stmt, NULL);
}

/* Two nodes that start at once end up with the same secret: made under the write lock. */
static enum gba_err secret_open(struct records *r, struct bytes about, struct secret *key)
{
	enum gba_err err = secret_read(r, about, key);

	if (err != GBA_E_NOT_FOUND)
		return err;
	err = db_begin(r->db);
	if (err != GBA_OK)
		return err;
	err = secret_read(r, about, key);
	if (err == GBA_E_NOT_FOUND)
		err = secret_make(r, about, key);
	if (err != GBA_OK) {
		db_rollback(r->db);
		return err;
	}
	return db_commit(r->db);
}

enum gba_err secrets_open(struct records *r)
{
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; err == GBA_OK && i < RECORD_SECRETS_MAX && r->set->secrets[i] != NULL; i++) {
		r->secret[i] = secret_new(r, RECORD_SECRET_LEN);
		err = r->secret[i] != NULL ? secret_open(r, bytes_of(r->set->secrets[i]), r->secret[i]) : GBA_E_NOMEM;
	}
	return err;
}

enum gba_err secret_reseal(struct records *r, const char *name, bool *_sealed)
{
	uint8_t sealed[RECORD_SECRET_LEN + SEAL_OVERHEAD], clear[RECORD_SECRET_LEN];
	struct bytes about = bytes_of(name), old;
	struct db_stmt *select = NULL, *update = NULL;
	bool row = false, is_old = false;
	enum gba_err err;

	err = secret_stmt(r, "SELECT sealed FROM %s WHERE name = ?1", &select);
	if (err == GBA_OK)
		err = secret_stmt(r, "UPDATE %s SET sealed = ?2 WHERE name = ?1", &update);
	if (err != GBA_OK)
		return err;
	db_bind_text(select, 1, about);
	err = db_step(select, &row);
	old = err == GBA_OK && row ? db_col_blob(select, 0) : BYTES_NONE;
	if (old.n == sizeof(sealed))
		err = unseal_old(r->kek, about, old, clear, &is_old);
	db_reset(select);
	if (err == GBA_OK && is_old)
		err = seal(r->kek, about, BYTES(clear, sizeof(clear)), sealed);
	SECRET_WIPE(clear);
	*_sealed = err == GBA_OK && is_old;
	if (!*_sealed)
		return err;
	db_bind_text(update, 1, about); /* never changes: nothing to be overtaken by */
	db_bind_blob(update, 2, BYTES(sealed, sizeof(sealed)));
	return db_run(update, NULL);
}
