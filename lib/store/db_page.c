/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "store/db.h"

enum gba_err db_page(TALLOC_CTX *mem_ctx, struct db_stmt *stmt, size_t size, size_t limit, db_row_reader read,
		     void **_rows, size_t *_n)
{
	uint8_t *rows = talloc_array_size(mem_ctx, size, (unsigned int)limit);
	enum gba_err err = rows != NULL ? GBA_OK : GBA_E_NOMEM;
	bool row = true;
	size_t n = 0;

	*_rows = NULL;
	*_n = 0;
	while (err == GBA_OK && n < limit) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		memset(rows + n * size, 0, size);
		err = read(rows, stmt, rows + n * size);
		n += err == GBA_OK;
	}
	db_reset(stmt);
	if (err != GBA_OK) {
		talloc_free(rows);
		return err;
	}
	*_rows = rows;
	*_n = n;
	return GBA_OK;
}
