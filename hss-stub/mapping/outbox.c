/* SPDX-License-Identifier: Apache-2.0 */
/* Durable notices for the BSFs: made in the transaction of what they tell. */
#include "hss-stub/mapping/mapping_priv.h"

enum gba_err outbox_add(struct records *m, enum outbox_kind kind, struct bytes impi, const char *naf_fqdn, time_t now)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = records_stmt(m, "INSERT INTO outbox (kind, impi, naf_fqdn, created) VALUES (?1, ?2, ?3, ?4)", &stmt);
	if (err != GBA_OK)
		return err;
	records_written(m);
	db_bind_int(stmt, 1, kind);
	db_bind_text(stmt, 2, impi);
	db_bind_text(stmt, 3, bytes_of(naf_fqdn));
	db_bind_int(stmt, 4, now);
	err = db_run(stmt, NULL);
	return err == GBA_OK && kind != OUTBOX_PERMISSION_CHANGED ? token_end(m, impi, naf_fqdn) : err;
}

static enum gba_err row_read(TALLOC_CTX *ctx, struct db_stmt *stmt, void *_row)
{
	struct bytes impi = BYTES_NONE, fqdn = BYTES_NONE;
	struct outbox_row *row = _row;
	enum gba_err err;

	row->id = db_col_int(stmt, 0);
	row->kind = (enum outbox_kind)db_col_int(stmt, 1);
	row->created = (time_t)db_col_int(stmt, 4);
	if ((unsigned int)row->kind >= OUTBOX_KIND_COUNT)
		return GBA_E_CORRUPT;
	err = records_keep(ctx, db_col_text(stmt, 2), &impi);
	if (err == GBA_OK)
		err = records_keep(ctx, db_col_text(stmt, 3), &fqdn);
	if (err == GBA_OK)
		err = records_keep(ctx, db_col_blob(stmt, 5), &row->guss);
	row->impi = (const char *)impi.p;
	row->naf_fqdn = (const char *)fqdn.p;
	return err;
}

enum gba_err outbox_next(struct records *m, TALLOC_CTX *mem_ctx, int64_t after, size_t limit, struct outbox_row **_rows,
			 size_t *_count)
{
	struct db_stmt *stmt = NULL;
	void *rows = NULL;
	enum gba_err err;

	err = records_stmt(m,
			   "SELECT o.id, o.kind, o.impi, o.naf_fqdn, o.created, s.guss FROM outbox o"
			   " LEFT JOIN subscriber s ON s.impi = o.impi WHERE o.id > ?1 ORDER BY o.id LIMIT ?2",
			   &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, after);
	db_bind_int(stmt, 2, (int64_t)limit);
	err = db_page(mem_ctx, stmt, sizeof(struct outbox_row), limit, row_read, &rows, _count);
	if (err == GBA_OK)
		*_rows = rows;
	return err;
}

enum gba_err outbox_done(struct records *m, int64_t id)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(m, "DELETE FROM outbox WHERE id = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, id);
	return db_run(stmt, NULL);
}
