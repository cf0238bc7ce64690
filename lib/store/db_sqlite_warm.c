/* SPDX-License-Identifier: Apache-2.0 */
/* The upper pages of SQLite's trees, read through SQLite's own file into the system's cache, straight from the format of the
 * file (https://www.sqlite.org/fileformat2.html, 1.6 B-tree Pages). Nothing that is read here is used: a page that was changed
 * meanwhile, or stands in the write-ahead log, is merely not the one that will be wanted. Opening the file a second time would
 * end, with its close, the locks this process has on it. */
#include <sqlite3.h>

#include "store/db_priv.h"

#define INTERIOR_INDEX 0x02
#define INTERIOR_TABLE 0x05
#define FILE_HEAD      100 /* [octets] before the first page's own head */
#define HEAD	       12  /* [octets] of an interior page */
#define DEPTH_MAX      16

struct warm {
	sqlite3_file *file;
	const _Atomic bool *stop;
	uint64_t left, read; /* [octets] */
	size_t page;	     /* [octets] */
	uint8_t *octets;     /* of the page read last */
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* False: not there, or enough was read. */
static bool page_read(struct warm *w, uint32_t number)
{
	if (number == 0 || w->left < w->page || (w->stop != NULL && *w->stop))
		return false;
	w->left -= w->page;
	w->read += w->page;
	return w->file->pMethods->xRead(w->file, w->octets, (int)w->page,
					(sqlite3_int64)(number - 1) * (sqlite3_int64)w->page) == SQLITE_OK;
}

/* Where the head of an interior page stands; NULL: it is a leaf, or no page of a tree. */
static const uint8_t *interior(const struct warm *w, uint32_t number)
{
	const uint8_t *head = w->octets + (number == 1 ? FILE_HEAD : 0);

	return head[0] == INTERIOR_INDEX || head[0] == INTERIOR_TABLE ? head : NULL;
}

/* The pages below one, as an array of n; each cell begins with one, the last stands in the head. */
static uint32_t *below(TALLOC_CTX *ctx, const struct warm *w, const uint8_t *head, uint32_t *list, size_t *_n)
{
	size_t cells = (size_t)head[3] << 8 | head[4], i, n = *_n, at;
	const uint8_t *end = w->octets + w->page, *place = head + HEAD;

	list = talloc_realloc(ctx, list, uint32_t, (unsigned int)(n + cells + 1));
	for (i = 0; list != NULL && i < cells && place + 2 * i + 2 <= end; i++) {
		at = (size_t)place[2 * i] << 8 | place[2 * i + 1];
		if (at + 4 <= w->page)
			list[n++] = be32(w->octets + at);
	}
	if (list != NULL)
		list[n++] = be32(head + 8);
	*_n = n;
	return list;
}

/* All leaves are at one depth: the first page of a level says what the level is. */
static void tree_read(struct warm *w, uint32_t root)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	uint32_t *level = talloc_memdup(tmp, &root, sizeof(root)), *next;
	size_t n = 1, m, i, depth;
	const uint8_t *head;

	for (depth = 0; level != NULL && n > 0 && depth < DEPTH_MAX; depth++) {
		for (next = NULL, m = 0, i = 0; i < n && page_read(w, level[i]); i++) {
			head = interior(w, level[i]);
			if (head == NULL) /* leaves */
				break;
			next = below(tmp, w, head, next, &m);
			if (next == NULL)
				break;
		}
		level = next;
		n = m;
	}
	talloc_free(tmp);
}

static enum gba_err trees_read(sqlite3 *handle, struct warm *w)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(handle, "SELECT rootpage FROM sqlite_master WHERE rootpage > 0", -1, &stmt, NULL);

	if (rc != SQLITE_OK)
		return GBA_E_IO;
	while (sqlite3_step(stmt) == SQLITE_ROW)
		tree_read(w, (uint32_t)sqlite3_column_int64(stmt, 0));
	sqlite3_finalize(stmt);
	return GBA_OK;
}

static size_t page_size(sqlite3 *handle)
{
	sqlite3_stmt *stmt = NULL;
	size_t size = 0;

	if (sqlite3_prepare_v2(handle, "PRAGMA page_size", -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		size = (size_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return size;
}

enum gba_err db_sqlite_warm(sqlite3 *handle, uint64_t limit, const _Atomic bool *stop, uint64_t *_octets)
{
	struct warm w = { .stop = stop, .left = limit, .page = page_size(handle) };
	enum gba_err err = GBA_E_IO;

	if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &w.file) == SQLITE_OK && w.file != NULL &&
	    w.file->pMethods != NULL && w.page >= 512) {
		w.octets = talloc_zero_size(NULL, w.page);
		err = w.octets != NULL ? trees_read(handle, &w) : GBA_E_NOMEM;
	}
	talloc_free(w.octets);
	*_octets = w.read;
	return err;
}
