/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/codec.h"
#include "store/db_pg_priv.h"

#define RESOLVE_STEP_MS 20

/* One writer at a time, as SQLite has it: who reads and then writes in a transaction needs no further lock, and two
 * transactions cannot wait for each other. The lock is the schema's, ends with the transaction, and costs no trip of its
 * own. */
#define LOCK  "SELECT pg_advisory_xact_lock(1734500641, hashtext(current_schema()))" /* "gba!" */
#define BEGIN "BEGIN; " LOCK
/* Who writes beside (db_begin_beside) has a lock of the same kind. Who takes both takes them in this order. */
#define LOCK_BESIDE "SELECT pg_advisory_xact_lock(1734500643, hashtext(current_schema()))"
#define TELL  "UPDATE gba_db SET data_version = data_version + 1 RETURNING data_version; "

/* Each transaction whose outcome may be asked for leaves its number in the row of its handle: who asks what became of an
 * interrupted COMMIT, and waits for the lock first, sees it there or not, whatever crash or failover lies between.
 * pg_xact_status() cannot be asked: a server that crashes before anything of a transaction is in its log gives the same id to
 * another one, which may commit. */
#define MARKS "CREATE TABLE IF NOT EXISTS gba_tx (handle TEXT PRIMARY KEY, number BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL)" \
	      " WITH (fillfactor = 20)"
#define MARK                                                                                                      \
	"INSERT INTO gba_tx (handle, number, at) VALUES ('%s', %" PRId64 ", now()) ON CONFLICT (handle) DO UPDATE" \
	" SET number = excluded.number, at = excluded.at; "
#define MARK_FIND                                                               \
	BEGIN "; UPDATE gba_tx SET at = now() WHERE handle = '%s';"             \
	      " SELECT coalesce((SELECT number FROM gba_tx WHERE handle = '%s'), 0)"
#define MARKS_OLD "DELETE FROM gba_tx WHERE at < now() - interval '7 days'" /* of handles long closed */

enum gba_err pg_tx_open(struct pg_db *db)
{
	uint8_t handle[PG_HANDLE_LEN];
	char name[64];
	enum gba_err err;

	rand_bytes(handle, sizeof(handle));
	hex_encode(BYTES(handle, sizeof(handle)), db->handle);
	err = pg_value(db, "SELECT to_regclass('gba_tx')::text", name, sizeof(name));
	if (err == GBA_E_NOT_FOUND) /* "IF NOT EXISTS" alone fails when two do it at once */
		return pg_exec(db, BEGIN "; " MARKS "; COMMIT", NULL);
	if (err == GBA_OK && pg_exec(db, MARKS_OLD, NULL) != GBA_OK && pg_link_lost(db))
		return GBA_E_UNREACHABLE;
	return err;
}

static void seen_own(struct pg_db *db, int64_t version)
{
	if (version != db->seen + 1)
		db->reported++; /* others have committed meanwhile */
	db->seen = version;
}

enum gba_err pg_tx_begin(struct pg_db *db, enum db_writer writer)
{
	static const char *const begin[] = { [DB_WRITER] = BEGIN, [DB_BESIDE] = "BEGIN; " LOCK_BESIDE,
					     [DB_BOTH] = BEGIN "; " LOCK_BESIDE };
	enum gba_err err;
	int tries = 0;

	do { /* a connection that died while idle is found out here, where nothing is at stake */
		err = pg_link(db);
		if (err == GBA_OK)
			err = pg_exec(db, begin[writer], NULL);
	} while (err == GBA_E_UNREACHABLE && pg_link_lost(db) && tries++ == 0);
	if (err == GBA_OK) {
		db->tx = PG_TX_OPEN;
		db->number++;
	} else if (!pg_link_lost(db)) {
		pg_exec(db, "ROLLBACK", NULL);
	}
	return err;
}

void pg_tx_rollback(struct pg_db *db)
{
	if (db->tx == PG_TX_OPEN)
		pg_exec(db, "ROLLBACK", NULL);
	db->tx = PG_TX_NONE;
}

/* COMMIT, and the standby has it where one is waited for. The wait for it can be ended from outside, and then the server
 * acknowledges, with a warning, what may be lost with it. */
static enum gba_err commit(struct pg_db *db, const char *sql, PGresult **_rows)
{
	enum gba_err err;

	db->warned = false;
	err = pg_exec(db, sql, _rows);
	if (err != GBA_OK || !db->warned)
		return err;
	pg_say(db, "the server gave up waiting for its standby");
	pg_link_drop(db);
	return GBA_E_UNCERTAIN;
}

/* The number of our last transaction that was committed, when no other is under way. What the server has, its standby need not
 * have yet: a commit of our own behind it waits for that. */
static enum gba_err mark_find(struct pg_db *db, int64_t *_number)
{
	char sql[420], number[24];
	enum gba_err err;

	snprintf(sql, sizeof(sql), MARK_FIND, db->handle, db->handle);
	err = pg_link(db);
	if (err == GBA_OK)
		err = pg_value(db, sql, number, sizeof(number));
	if (err == GBA_OK)
		*_number = strtoll(number, NULL, 10);
	if (err == GBA_OK)
		err = commit(db, "COMMIT", NULL);
	if (err != GBA_OK && !pg_link_lost(db))
		pg_exec(db, "ROLLBACK", NULL);
	return err;
}

/* COMMIT went out and the connection broke: the server knows what became of it, and while the old session lives the lock is
 * not to be had. */
static enum gba_err resolve(struct pg_db *db)
{
	uint64_t deadline = clock_mono_ms() + db->patience_ms;
	int64_t number = 0;

	for (; clock_mono_ms() < deadline; usleep(RESOLVE_STEP_MS * 1000)) {
		if (mark_find(db, &number) != GBA_OK)
			continue;
		if (number == db->number)
			return GBA_OK;
		pg_say(db, "connection lost before the commit: nothing was changed");
		return GBA_E_UNREACHABLE;
	}
	pg_say(db, "connection lost at the commit: its outcome is not known");
	return GBA_E_UNCERTAIN;
}

enum gba_err pg_tx_commit(struct pg_db *db, bool tell)
{
	PGresult *rows = NULL;
	char sql[512];
	enum gba_err err;

	if (db->tx != PG_TX_OPEN) {
		db->tx = PG_TX_NONE;
		return GBA_E_UNREACHABLE;
	}
	if (PQtransactionStatus(db->conn) == PQTRANS_INERROR) { /* it would answer COMMIT by rolling back, without an error */
		pg_tx_rollback(db);
		return GBA_E_INTERNAL;
	}
	snprintf(sql, sizeof(sql), MARK TELL "COMMIT", db->handle, db->number);
	err = commit(db, tell ? sql : "COMMIT", &rows);
	db->tx = PG_TX_NONE;
	if (err != GBA_OK && pg_link_lost(db))
		return tell ? resolve(db) : GBA_E_UNCERTAIN;
	if (err == GBA_OK && tell && (rows == NULL || PQntuples(rows) != 1))
		err = GBA_E_CORRUPT;
	if (err == GBA_OK && tell)
		seen_own(db, strtoll(PQgetvalue(rows, 0, 0), NULL, 10));
	PQclear(rows);
	if (err != GBA_OK && PQtransactionStatus(db->conn) != PQTRANS_IDLE)
		pg_exec(db, "ROLLBACK", NULL);
	return err;
}
