/* SPDX-License-Identifier: Apache-2.0 */
/** What the parts of the PostgreSQL store share: db_pg_link.c keeps a connection, db_pg_tx.c begins and ends transactions,
 * db_pg.c runs statements. */
#ifndef GBA_STORE_DB_PG_PRIV_H
#define GBA_STORE_DB_PG_PRIV_H

#include <libpq-fe.h>

#include "store/db_priv.h"

#define PG_PATIENCE_MS 30000 /* a server that has not answered for this long is given up */
#define PG_LOCK_MS     4000  /* wait for another writer: longer than any batch, on a busy machine too; but less than the patience */
#define PG_HANDLE_LEN  16

enum pg_tx { PG_TX_NONE, PG_TX_OPEN, PG_TX_LOST }; /* lost: with its connection; every statement fails until its end */

struct pg_dial;

struct pg_db {
	struct db base;
	PGconn *conn; /* NULL: none */
	struct pg_dial *dial; /* the attempt under way; NULL: none */
	char *conninfo;
	uint32_t generation;  /* of the connection: statements are prepared anew in each */
	uint32_t claim;	      /* generation that has claimed the database; 0: none */
	unsigned int serial;  /* of the last statement */
	unsigned int patience_ms, backoff_ms;
	uint64_t retry_at; /* [ms, monotonic] not before */
	enum gba_err why;  /* of the last failed attempt to connect */
	enum pg_tx tx;
	bool warned; /* by the server, since the last COMMIT went out */
	char handle[2 * PG_HANDLE_LEN + 1]; /* random: whose transactions are ours */
	int64_t number;			    /* of the last transaction */
	int64_t seen, reported; /* data version of the database; what callers were told */
	char error[256];
};

/** Make ready for transactions, once a handle. */
enum gba_err pg_tx_open(struct pg_db *db);
/** As db_begin, db_commit, db_rollback. @param tell  others shall see that something has changed; what becomes of a commit
 * that is not told is not asked for when the connection is lost: GBA_E_UNCERTAIN */
enum gba_err pg_tx_begin(struct pg_db *db, enum db_writer writer);
enum gba_err pg_tx_commit(struct pg_db *db, bool tell);
void pg_tx_rollback(struct pg_db *db);

/** Begin to connect. @param ms  how long pg_dial_wait() may wait from now on. NULL: out of memory */
struct pg_dial *pg_dial_start(const char *conninfo, unsigned int ms);
/** Has it ended, well or not? */
bool pg_dial_wait(struct pg_dial *dial);
/** Wait until it has ended; dial is gone. What came of it is the caller's. NULL: out of memory */
PGconn *pg_dial_end(struct pg_dial *dial);

/** See to it that there is a connection, in a fraction of the patience. While an attempt goes on beyond that, and within the
 * back-off after a failed one, the same error is returned at once.
 * @retval GBA_E_UNREACHABLE, GBA_E_DENIED, GBA_E_NOT_FOUND (no such database), GBA_E_CONF (see db->error) */
enum gba_err pg_link(struct pg_db *db);
/** The same, until the attempt has ended. */
enum gba_err pg_link_first(struct pg_db *db);
/** Tell the session how long to wait for another writer. */
void pg_link_patience(struct pg_db *db);
void pg_link_lock_patience(struct pg_db *db, unsigned int ms);
/** Gone since the last use? */
bool pg_link_lost(const struct pg_db *db);
/** Close it; a transaction is lost with it. */
void pg_link_drop(struct pg_db *db);
/** Read what the server answers to what was sent, flushing that first.
 * @param pipeline  up to the end of the pipeline, else up to the last result
 * @param _rows     the last result with rows, a count of them or a description; NULL: none. Caller clears it. May be NULL
 * @return the first error; db->error has its text. GBA_E_TIMEOUT, GBA_E_UNREACHABLE: the connection was dropped */
enum gba_err pg_collect(struct pg_db *db, bool pipeline, PGresult **_rows);
/** Send plain SQL, collect. @param _rows  as pg_collect */
enum gba_err pg_exec(struct pg_db *db, const char *sql, PGresult **_rows);
/** One text value of one row. @retval GBA_E_NOT_FOUND  no row, or NULL */
enum gba_err pg_value(struct pg_db *db, const char *sql, char *out, size_t cap);
/** The text for the operator. */
void pg_say(struct pg_db *db, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
