/* SPDX-License-Identifier: Apache-2.0 */
/* After a rotation of the key-encryption key: what older keys sealed in the records is sealed again. */
#include "record/records_priv.h"

#define PAGE 200 /* rows of one transaction */

struct reseal {
	struct records *r;
	TALLOC_CTX *ctx; /* of a page */
	struct db_stmt *update;
	uint64_t sealed, left;
};

/* One value; the row may have changed since it was read, then it is met again. */
static enum gba_err reseal_value(struct reseal *work, int64_t id, struct bytes about, struct bytes old)
{
	size_t n = old.n - SEAL_OVERHEAD;
	uint8_t *clear = talloc_size(work->ctx, n + 1), *sealed = talloc_size(work->ctx, old.n);
	bool is_old = false;
	enum gba_err err;
	int changed = 0;

	if (clear == NULL || sealed == NULL)
		return GBA_E_NOMEM;
	secret_guard_chunk(clear);
	err = unseal_old(work->r->kek, about, old, clear, &is_old);
	if (err != GBA_OK || !is_old)
		return err;
	err = seal(work->r->kek, about, BYTES(clear, n), sealed);
	if (err != GBA_OK)
		return err;
	db_bind_int(work->update, 1, id);
	db_bind_blob(work->update, 2, BYTES(sealed, old.n));
	db_bind_blob(work->update, 3, old);
	err = db_run(work->update, &changed);
	if (err == GBA_OK && changed > 0)
		work->sealed++;
	else if (err == GBA_OK)
		work->left++;
	return err;
}

struct cell {
	int64_t id;
	struct bytes value;
};

/* The next rows' values. */
static enum gba_err read_cells(struct reseal *work, struct db_stmt *select, int64_t after, struct cell cells[PAGE],
			       size_t *_n)
{
	enum gba_err err;
	bool row = true;
	size_t n = 0;

	db_bind_int(select, 1, after);
	db_bind_int(select, 2, PAGE);
	for (err = db_step(select, &row); err == GBA_OK && row && n < PAGE; err = db_step(select, &row)) {
		cells[n].id = db_col_int(select, 0);
		err = records_keep(work->ctx, db_col_blob(select, 1), &cells[n].value);
		if (err != GBA_OK)
			break;
		n++;
	}
	db_reset(select);
	*_n = n;
	return err;
}

static enum gba_err reseal_cells(struct reseal *work, const struct record_kind *kind, const struct field *field,
				 int64_t *after, size_t *_n)
{
	struct cell *cells = talloc_array(work->ctx, struct cell, PAGE);
	struct db_stmt *select = NULL;
	char about[RECORD_ABOUT_MAX], *sql;
	enum gba_err err;
	size_t i;

	sql = talloc_asprintf(work->ctx, "SELECT id, %s FROM %s WHERE id > ?1 AND %s IS NOT NULL ORDER BY id LIMIT ?2",
			      field->name, kind->table, field->name);
	err = cells != NULL && sql != NULL ? records_stmt(work->r, sql, &select) : GBA_E_NOMEM;
	if (err == GBA_OK) {
		sql = talloc_asprintf(work->ctx, "UPDATE %s SET %s = ?2 WHERE id = ?1 AND %s = ?3", kind->table,
				      field->name, field->name);
		err = sql != NULL ? records_stmt(work->r, sql, &work->update) : GBA_E_NOMEM;
	}
	if (err == GBA_OK)
		err = read_cells(work, select, *after, cells, _n);
	for (i = 0; err == GBA_OK && i < *_n; i++) {
		err = cells[i].value.n < SEAL_OVERHEAD
			      ? GBA_E_CORRUPT
			      : reseal_value(work, cells[i].id, record_seal_about(kind, cells[i].id, field, about),
					     cells[i].value);
		*after = cells[i].id;
	}
	return err;
}

/* Page by page, each a transaction of its own: nodes go on in between. */
static enum gba_err reseal_field(struct reseal *work, const struct record_kind *kind, const struct field *field)
{
	int64_t after = 0;
	enum gba_err err;
	size_t n;

	do {
		n = 0;
		work->ctx = talloc_new(NULL);
		err = work->ctx != NULL ? db_begin(work->r->db) : GBA_E_NOMEM;
		if (err == GBA_OK) {
			err = reseal_cells(work, kind, field, &after, &n);
			if (err == GBA_OK)
				err = db_commit(work->r->db);
			else
				db_rollback(work->r->db);
		}
		TALLOC_FREE(work->ctx);
	} while (err == GBA_OK && n == PAGE);
	return err;
}

static enum gba_err reseal_secrets(struct reseal *work)
{
	const char *const *name = work->r->set->secrets;
	enum gba_err err = GBA_OK;
	bool sealed = false;

	for (; err == GBA_OK && name != NULL && *name != NULL; name++) {
		err = secret_reseal(work->r, *name, &sealed);
		work->sealed += err == GBA_OK && sealed;
	}
	return err;
}

enum gba_err records_reseal(struct records *r, uint64_t *_sealed, uint64_t *_left)
{
	struct reseal work = { .r = r };
	enum gba_err err = reseal_secrets(&work);
	const struct record_kind *kind;
	size_t i;

	for (kind = r->set->kinds; err == GBA_OK && kind < r->set->kinds + r->set->count; kind++) {
		for (i = 0; err == GBA_OK && i < kind->count; i++) {
			if (kind->fields[i].type == FIELD_SEALED)
				err = reseal_field(&work, kind, &kind->fields[i]);
		}
	}
	*_sealed = work.sealed;
	*_left = work.left;
	return err;
}
