/* SPDX-License-Identifier: Apache-2.0 */
/* After a rotation of the key-encryption key: transfer keys that an older key sealed are sealed again. */
#include "hss-stub/change/change_priv.h"

#define PAGE 200 /* rows read at once */

struct row {
	int64_t id;
	char impi[IMPI_MAX + 1];
	uint8_t sealed[TRANSFER_KEY_LEN + SEAL_OVERHEAD];
};

/* The next rows, read to the end before anything is written. */
static enum gba_err read_rows(struct changes *changes, int64_t after, struct row *rows, size_t *_n)
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_KEYS];
	enum gba_err err = GBA_OK;
	bool more = true;
	size_t n = 0;

	db_bind_int(stmt, 1, after);
	db_bind_int(stmt, 2, PAGE);
	while (err == GBA_OK && more && n < PAGE) {
		struct bytes impi, sealed;

		err = db_step(stmt, &more);
		if (err != GBA_OK || !more)
			break;
		impi = db_col_text(stmt, 1);
		sealed = db_col_blob(stmt, 2);
		if (impi.n > IMPI_MAX || sealed.n != sizeof(rows[n].sealed)) {
			err = GBA_E_CORRUPT;
			break;
		}
		rows[n].id = db_col_int(stmt, 0);
		snprintf(rows[n].impi, sizeof(rows[n].impi), "%.*s", BYTES_FMT(impi));
		memcpy(rows[n].sealed, sealed.p, sealed.n);
		n++;
	}
	db_reset(stmt);
	*_n = n;
	return err;
}

/* The row may have changed since it was read: then it is met again. */
static enum gba_err reseal_row(struct changes *changes, const struct row *row, uint64_t *_sealed, uint64_t *_left)
{
	uint8_t clear[TRANSFER_KEY_LEN], sealed[TRANSFER_KEY_LEN + SEAL_OVERHEAD];
	struct subscriber sub = { .impi = bytes_of(row->impi) };
	struct db_stmt *update = changes->stmt[CHANGE_SQL_RESEAL];
	char about[CHANGE_ABOUT_MAX];
	bool is_old = false;
	enum gba_err err;
	int changed = 0;

	change_key_about(&sub, about);
	err = unseal_old(changes->kek, bytes_of(about), BYTES(row->sealed, sizeof(row->sealed)), clear, &is_old);
	if (err == GBA_OK && is_old)
		err = seal(changes->kek, bytes_of(about), BYTES(clear, sizeof(clear)), sealed);
	SECRET_WIPE(clear);
	if (err != GBA_OK || !is_old)
		return err;
	db_bind_int(update, 1, row->id);
	db_bind_blob(update, 2, BYTES(sealed, sizeof(sealed)));
	db_bind_blob(update, 3, BYTES(row->sealed, sizeof(row->sealed)));
	err = db_run(update, &changed);
	if (err == GBA_OK)
		*(changed > 0 ? _sealed : _left) += 1;
	return err;
}

enum gba_err change_reseal(struct changes *changes, uint64_t *_sealed, uint64_t *_left)
{
	struct row *rows = talloc_array(NULL, struct row, PAGE);
	enum gba_err err = rows != NULL ? GBA_OK : GBA_E_NOMEM;
	int64_t after = 0;
	size_t n = PAGE, i;

	*_sealed = *_left = 0;
	while (err == GBA_OK && n == PAGE) {
		err = read_rows(changes, after, rows, &n);
		for (i = 0; err == GBA_OK && i < n; i++)
			err = reseal_row(changes, &rows[i], _sealed, _left);
		if (n > 0)
			after = rows[n - 1].id;
	}
	talloc_free(rows);
	return err;
}
