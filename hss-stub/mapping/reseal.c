/* SPDX-License-Identifier: Apache-2.0 */
/* After a rotation of the key-encryption key: what older keys sealed in the records is sealed again. */
#include "hss-stub/mapping/mapping.h"
#include "hss-stub/mapping/mapping_priv.h"

#define PAGE 200 /* rows of one transaction */

struct reseal {
	struct mapping *m;
	TALLOC_CTX *ctx; /* of a page */
	struct db_stmt *update;
	uint64_t sealed, left;
};

/* One value; the row may have changed since it was read, then it is met again. */
static enum gba_err reseal_value(struct reseal *r, int64_t id, struct bytes about, struct bytes old)
{
	size_t n = old.n - SEAL_OVERHEAD;
	uint8_t *clear = talloc_size(r->ctx, n + 1), *sealed = talloc_size(r->ctx, old.n);
	bool is_old = false;
	enum gba_err err;
	int changed = 0;

	if (clear == NULL || sealed == NULL)
		return GBA_E_NOMEM;
	secret_guard_chunk(clear);
	err = unseal_old(r->m->kek, about, old, clear, &is_old);
	if (err != GBA_OK || !is_old)
		return err;
	err = seal(r->m->kek, about, BYTES(clear, n), sealed);
	if (err != GBA_OK)
		return err;
	db_bind_int(r->update, 1, id);
	db_bind_blob(r->update, 2, BYTES(sealed, old.n));
	db_bind_blob(r->update, 3, old);
	err = db_run(r->update, &changed);
	if (err == GBA_OK && changed > 0)
		r->sealed++;
	else if (err == GBA_OK)
		r->left++;
	return err;
}

struct cell {
	int64_t id;
	struct bytes value;
};

/* The next rows' values. */
static enum gba_err read_cells(struct reseal *r, struct db_stmt *select, int64_t after, struct cell cells[PAGE], size_t *_n)
{
	enum gba_err err;
	bool row = true;
	size_t n = 0;

	db_bind_int(select, 1, after);
	db_bind_int(select, 2, PAGE);
	for (err = db_step(select, &row); err == GBA_OK && row && n < PAGE; err = db_step(select, &row)) {
		cells[n].id = db_col_int(select, 0);
		err = mapping_keep(r->ctx, db_col_blob(select, 1), &cells[n].value);
		if (err != GBA_OK)
			break;
		n++;
	}
	db_reset(select);
	*_n = n;
	return err;
}

static enum gba_err reseal_cells(struct reseal *r, const struct record_kind *kind, const struct field *field, int64_t *after,
				 size_t *_n)
{
	struct cell *cells = talloc_array(r->ctx, struct cell, PAGE);
	struct db_stmt *select = NULL;
	char about[RECORD_ABOUT_MAX], *sql;
	enum gba_err err;
	size_t i;

	sql = talloc_asprintf(r->ctx, "SELECT id, %s FROM %s WHERE id > ?1 AND %s IS NOT NULL ORDER BY id LIMIT ?2", field->name,
			      kind->table, field->name);
	err = cells != NULL && sql != NULL ? mapping_stmt(r->m, sql, &select) : GBA_E_NOMEM;
	if (err == GBA_OK) {
		sql = talloc_asprintf(r->ctx, "UPDATE %s SET %s = ?2 WHERE id = ?1 AND %s = ?3", kind->table, field->name,
				      field->name);
		err = sql != NULL ? mapping_stmt(r->m, sql, &r->update) : GBA_E_NOMEM;
	}
	if (err == GBA_OK)
		err = read_cells(r, select, *after, cells, _n);
	for (i = 0; err == GBA_OK && i < *_n; i++) {
		err = cells[i].value.n < SEAL_OVERHEAD
			      ? GBA_E_CORRUPT
			      : reseal_value(r, cells[i].id, record_seal_about(kind, cells[i].id, field, about), cells[i].value);
		*after = cells[i].id;
	}
	return err;
}

/* Page by page, each a transaction of its own: nodes go on in between. */
static enum gba_err reseal_field(struct reseal *r, const struct record_kind *kind, const struct field *field)
{
	int64_t after = 0;
	enum gba_err err;
	size_t n;

	do {
		n = 0;
		r->ctx = talloc_new(NULL);
		err = r->ctx != NULL ? db_begin(r->m->db) : GBA_E_NOMEM;
		if (err == GBA_OK) {
			err = reseal_cells(r, kind, field, &after, &n);
			if (err == GBA_OK)
				err = db_commit(r->m->db);
			else
				db_rollback(r->m->db);
		}
		TALLOC_FREE(r->ctx);
	} while (err == GBA_OK && n == PAGE);
	return err;
}

static enum gba_err reseal_secret(struct reseal *r)
{
	struct bytes about = bytes_of(REALM_SECRET_PSEUDONYM), old;
	uint8_t sealed[PSEUDONYM_KEY_LEN + SEAL_OVERHEAD], clear[PSEUDONYM_KEY_LEN];
	struct db_stmt *select = NULL, *update = NULL;
	bool row = false, is_old = false;
	enum gba_err err;

	err = mapping_stmt(r->m, "SELECT sealed FROM realm_secret WHERE name = ?1", &select);
	if (err == GBA_OK)
		err = mapping_stmt(r->m, "UPDATE realm_secret SET sealed = ?2 WHERE name = ?1", &update);
	if (err != GBA_OK)
		return err;
	db_bind_text(select, 1, about);
	err = db_step(select, &row);
	old = err == GBA_OK && row ? db_col_blob(select, 0) : BYTES_NONE;
	if (old.n == sizeof(sealed))
		err = unseal_old(r->m->kek, about, old, clear, &is_old);
	db_reset(select);
	if (err == GBA_OK && is_old)
		err = seal(r->m->kek, about, BYTES(clear, sizeof(clear)), sealed);
	SECRET_WIPE(clear);
	if (err != GBA_OK || !is_old)
		return err;
	db_bind_text(update, 1, about); /* never changes: nothing to be overtaken by */
	db_bind_blob(update, 2, BYTES(sealed, sizeof(sealed)));
	r->sealed++;
	return db_run(update, NULL);
}

enum gba_err mapping_reseal(struct mapping *m, uint64_t *_sealed, uint64_t *_left)
{
	struct reseal r = { .m = m };
	enum gba_err err = reseal_secret(&r);
	const struct record_kind *kind;
	size_t i;

	for (kind = record_kinds; err == GBA_OK && kind < record_kinds + KIND_COUNT; kind++) {
		for (i = 0; err == GBA_OK && i < kind->count; i++) {
			if (kind->fields[i].type == FIELD_SEALED)
				err = reseal_field(&r, kind, &kind->fields[i]);
		}
	}
	*_sealed = r.sealed;
	*_left = r.left;
	return err;
}
