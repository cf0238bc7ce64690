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
	return db_run(stmt, NULL);
}

static enum gba_err row_read(TALLOC_CTX *ctx, struct db_stmt *stmt, struct outbox_row *row)
{
	struct bytes impi = BYTES_NONE, fqdn = BYTES_NONE;
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
	struct outbox_row *rows = talloc_zero_array(mem_ctx, struct outbox_row, limit);
	struct db_stmt *stmt = NULL;
	enum gba_err err;
	bool row = true;
	size_t n = 0;

	if (rows == NULL)
		return GBA_E_NOMEM;
	err = records_stmt(m,
			   "SELECT o.id, o.kind, o.impi, o.naf_fqdn, o.created, s.guss FROM outbox o"
			   " LEFT JOIN subscriber s ON s.impi = o.impi WHERE o.id > ?1 ORDER BY o.id LIMIT ?2",
			   &stmt);
	if (err == GBA_OK) {
		db_bind_int(stmt, 1, after);
		db_bind_int(stmt, 2, (int64_t)limit);
		while (err == GBA_OK && n < limit) {
			err = db_step(stmt, &row);
			if (err != GBA_OK || !row)
				break;
			err = row_read(rows, stmt, &rows[n]);
			n += err == GBA_OK;
		}
		db_reset(stmt);
	}
	if (err != GBA_OK) {
		talloc_free(rows);
		return err;
	}
	*_rows = rows;
	*_count = n;
	return GBA_OK;
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
