/* SPDX-License-Identifier: Apache-2.0 */
/* osmo-hlr's SQLite file: subscriber and auc_3g, and the INDs it has given out. Opened read-only. */
#include <inttypes.h>
#include <sqlite3.h>

#include "tools/gba-ctl/import.h"

/* enum osmo_auth_algo of libosmocore. */
#define OSMO_MILENAGE 5
#define OSMO_TUAK     7

static const char rows_sql[] = "SELECT s.imsi, s.msisdn, a.algo_id_3g, a.k, a.op, a.opc, a.sqn, a.ind_bitlen"
			       " FROM auc_3g a JOIN subscriber s ON s.id = a.subscriber_id ORDER BY s.imsi";

static struct bytes text_of(sqlite3_stmt *row, int column)
{
	const unsigned char *text = sqlite3_column_text(row, column);

	return text != NULL ? BYTES(text, (size_t)sqlite3_column_bytes(row, column)) : BYTES_NONE;
}

static bool failed(struct import *imp, sqlite3 *db)
{
	progress_end(&imp->progress);
	imp->status = why_fail(&imp->ctl->cli.why, GBA_E_UNREACHABLE, "%s: %s", imp->path, sqlite3_errmsg(db));
	return false;
}

static bool take(struct import *imp, sqlite3_stmt *stmt, uint64_t number)
{
	struct import_row row = { .line = number,
				  .imsi = text_of(stmt, 0),
				  .msisdn = text_of(stmt, 1),
				  .k = text_of(stmt, 3),
				  .op = text_of(stmt, 4),
				  .opc = text_of(stmt, 5),
				  .sqn = text_of(stmt, 6),
				  .ind_bits = text_of(stmt, 7) };
	char reason[64];
	int algorithm = sqlite3_column_int(stmt, 2);

	if (algorithm != OSMO_MILENAGE && algorithm != OSMO_TUAK) {
		snprintf(reason, sizeof(reason), "algorithm %d is neither MILENAGE nor TUAK", algorithm);
		import_reject(imp, number, row.imsi, reason);
		return true;
	}
	row.algorithm = bytes_of(algorithm == OSMO_TUAK ? "tuak" : "milenage");
	progress_show(&imp->progress, number, number);
	return import_row(imp, &row);
}

static bool rows_read(struct import *imp, sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	uint64_t number = 0;
	int rc = sqlite3_prepare_v2(db, rows_sql, -1, &stmt, NULL);
	bool good = true;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	for (; good && rc == SQLITE_ROW; rc = sqlite3_step(stmt))
		good = take(imp, stmt, ++number);
	if (good && rc != SQLITE_DONE)
		good = failed(imp, db);
	sqlite3_finalize(stmt);
	return good;
}

static int64_t one_number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t value = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

/* An IND given to a VLR is in use although no SQN may show it yet. */
static void inds_read(struct import *imp, sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(db, "SELECT ind FROM ind", -1, &stmt, NULL) != SQLITE_OK)
		return; /* schemas before that table */
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		int ind = sqlite3_column_int(stmt, 0);

		if (ind >= 0 && ind < SQN_ARRAY_MAX)
			imp->inds[ind]++;
	}
	sqlite3_finalize(stmt);
}

bool import_osmo_hlr(struct import *imp)
{
	sqlite3 *db = NULL;
	int64_t without;
	bool good;

	if (sqlite3_open_v2(imp->path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
		good = failed(imp, db);
		sqlite3_close(db);
		return good;
	}
	progress_start(&imp->progress, (uint64_t)one_number(db, "SELECT count(*) FROM auc_3g"));
	inds_read(imp, db);
	good = rows_read(imp, db);
	without = one_number(db, "SELECT count(*) FROM subscriber WHERE id NOT IN (SELECT subscriber_id FROM auc_3g)");
	progress_end(&imp->progress);
	if (good && without > 0)
		fprintf(stderr, "gba-ctl: %" PRId64 " subscribers left out: they have no UMTS keys (auc_3g)\n", without);
	sqlite3_close(db);
	return good;
}
