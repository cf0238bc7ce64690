/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "store/db_pg_priv.h"

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 2000
#define DIAL_PART      4 /* of the patience: the longest wait for a connection */

/* Ours end by themselves when our end is gone, whatever the machine's settings: a transaction that nobody finishes would
 * keep all other writers out. */
#define SESSION                                                                                                               \
	"SET idle_in_transaction_session_timeout = 15000; SET tcp_keepalives_idle = 5;"     \
	" SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2; SET tcp_user_timeout = 10000;"                        \
	" SET default_transaction_isolation = 'read committed'; SET standard_conforming_strings = on"

/* SQLSTATEs (PostgreSQL appendix A): the longest prefix that fits decides. */
static const struct {
	const char *state;
	enum gba_err err;
} states[] = {
	{ "08", GBA_E_UNREACHABLE },	/* connection */
	{ "22", GBA_E_RANGE },		/* data */
	{ "23", GBA_E_RANGE },		/* constraints ... */
	{ "23505", GBA_E_EXISTS },	/* ... unique */
	{ "25006", GBA_E_DENIED },	/* read-only transaction */
	{ "25", GBA_E_INTERNAL },	/* transaction state */
	{ "28", GBA_E_DENIED },		/* authorization */
	{ "3D", GBA_E_NOT_FOUND },	/* no such database */
	{ "40", GBA_E_BUSY },		/* serialization failure, deadlock */
	{ "42", GBA_E_INTERNAL },	/* syntax, names */
	{ "42501", GBA_E_DENIED },	/* privilege */
	{ "53100", GBA_E_NOSPACE },
	{ "53200", GBA_E_NOMEM },
	{ "53", GBA_E_BUSY },		/* connections */
	{ "55P03", GBA_E_BUSY },	/* lock_timeout */
	{ "57014", GBA_E_BUSY },	/* cancelled */
	{ "57P", GBA_E_UNREACHABLE },	/* the server ends or starts */
	{ "XX001", GBA_E_CORRUPT },
	{ "XX002", GBA_E_CORRUPT },
};

void pg_say(struct pg_db *db, const char *fmt, ...)
{
	va_list args;
	char *end;

	va_start(args, fmt);
	vsnprintf(db->error, sizeof(db->error), fmt, args);
	va_end(args);
	for (end = db->error; *end != '\0'; end++) { /* libpq's texts have lines */
		if ((unsigned char)*end < ' ')
			*end = ' ';
	}
	while (end > db->error && end[-1] == ' ')
		*--end = '\0';
}

static enum gba_err state_err(const char *state)
{
	enum gba_err err = GBA_E_IO;
	size_t i, n, best = 0;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		n = strlen(states[i].state);
		if (n > best && strncmp(state, states[i].state, n) == 0) {
			best = n;
			err = states[i].err;
		}
	}
	return err;
}

/* The primary message only: details quote values of the row. */
static enum gba_err result_err(struct pg_db *db, const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	pg_say(db, "%s", text != NULL ? text : PQerrorMessage(db->conn));
	if (state != NULL)
		return state_err(state);
	return PQstatus(db->conn) == CONNECTION_BAD ? GBA_E_UNREACHABLE : GBA_E_IO;
}

bool pg_link_lost(const struct pg_db *db)
{
	return db->conn == NULL || PQstatus(db->conn) == CONNECTION_BAD;
}

void pg_link_drop(struct pg_db *db)
{
	PQfinish(db->conn);
	db->conn = NULL;
	if (db->tx == PG_TX_OPEN)
		db->tx = PG_TX_LOST;
}

/* Wait until a result can be had without waiting; what was sent goes out on the way. */
static enum gba_err result_wait(struct pg_db *db, uint64_t deadline)
{
	struct pollfd fd = { .fd = PQsocket(db->conn) };
	uint64_t now;
	int unsent;

	for (;;) {
		unsent = PQflush(db->conn);
		if (unsent < 0 || PQstatus(db->conn) == CONNECTION_BAD)
			return GBA_OK; /* PQgetResult tells */
		if (PQisBusy(db->conn) == 0)
			return GBA_OK;
		now = clock_mono_ms();
		if (now >= deadline) {
			pg_say(db, "no answer for %u ms", db->patience_ms);
			return GBA_E_TIMEOUT;
		}
		fd.events = (short)(POLLIN | (unsent > 0 ? POLLOUT : 0));
		if (poll(&fd, 1, (int)(deadline - now)) > 0 && PQconsumeInput(db->conn) == 0)
			return GBA_OK;
	}
}

/* One result into what was had so far. True: it was the last one of a pipeline. */
static bool result_take(struct pg_db *db, PGresult *res, enum gba_err *_err, PGresult **_rows)
{
	ExecStatusType status = PQresultStatus(res);

	if (status == PGRES_TUPLES_OK || (status == PGRES_COMMAND_OK && (PQcmdTuples(res)[0] != '\0' || PQnparams(res) > 0))) {
		PQclear(*_rows);
		*_rows = res;
		return false;
	}
	if (*_err == GBA_OK && (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE))
		*_err = result_err(db, res);
	PQclear(res);
	return status == PGRES_PIPELINE_SYNC;
}

enum gba_err pg_collect(struct pg_db *db, bool pipeline, PGresult **_rows)
{
	uint64_t deadline = clock_mono_ms() + db->patience_ms;
	enum gba_err err = GBA_OK, waited = GBA_OK;
	PGresult *res, *rows = NULL;
	bool last = false;

	while (!last) {
		waited = result_wait(db, deadline);
		if (waited != GBA_OK)
			break;
		res = PQgetResult(db->conn);
		if (res != NULL)
			last = result_take(db, res, &err, &rows) && pipeline;
		else /* ends each command in a pipeline */
			last = !pipeline || PQstatus(db->conn) == CONNECTION_BAD;
	}
	if (waited != GBA_OK || PQstatus(db->conn) == CONNECTION_BAD) {
		err = waited != GBA_OK ? waited : GBA_E_UNREACHABLE;
		pg_link_drop(db);
	}
	if (err == GBA_OK && _rows != NULL)
		*_rows = rows;
	else
		PQclear(rows);
	return err;
}

enum gba_err pg_exec(struct pg_db *db, const char *sql, PGresult **_rows)
{
	if (db->conn == NULL)
		return GBA_E_UNREACHABLE;
	if (PQsendQuery(db->conn, sql) == 0) {
		pg_say(db, "%s", PQerrorMessage(db->conn));
		pg_link_drop(db);
		return GBA_E_UNREACHABLE;
	}
	return pg_collect(db, false, _rows);
}

enum gba_err pg_value(struct pg_db *db, const char *sql, char *out, size_t cap)
{
	PGresult *rows = NULL;
	enum gba_err err;

	err = pg_exec(db, sql, &rows);
	if (err == GBA_OK && (rows == NULL || PQntuples(rows) != 1 || PQgetisnull(rows, 0, 0)))
		err = GBA_E_NOT_FOUND;
	if (err == GBA_OK)
		snprintf(out, cap, "%s", PQgetvalue(rows, 0, 0));
	PQclear(rows);
	return err;
}

/* What makes a committed write survive loss of power is the server's to do: be sure that it does. */
static enum gba_err durable_check(struct pg_db *db)
{
	char value[32] = "";
	enum gba_err err;

	err = pg_value(db, "SHOW fsync", value, sizeof(value));
	if (err == GBA_OK && strcmp(value, "on") != 0) {
		pg_say(db, "the server has fsync = %s: a commit would not survive loss of power", value);
		return GBA_E_CONF;
	}
	if (err == GBA_OK)
		err = pg_value(db, "SHOW synchronous_commit", value, sizeof(value));
	if (err == GBA_OK && strcmp(value, "on") != 0 && strcmp(value, "remote_apply") != 0) {
		pg_say(db, "synchronous_commit is %s for this role: on or remote_apply is needed, or an SQN could be used twice",
		       value);
		return GBA_E_CONF;
	}
	return err;
}

static enum gba_err connect_err(struct pg_db *db)
{
	const char *text = PQerrorMessage(db->conn);

	pg_say(db, "%s", text);
	if (strstr(text, "does not exist") != NULL && strstr(text, "database") != NULL)
		return GBA_E_NOT_FOUND;
	return strstr(text, "authentication failed") != NULL || strstr(text, "pg_hba.conf") != NULL ? GBA_E_DENIED
												  : GBA_E_UNREACHABLE;
}

/* libpq would write them to stderr. A warning at a COMMIT says that somebody ended its wait for the standby. */
static void on_notice(void *arg, const PGresult *notice)
{
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
	struct pg_db *db = arg;

	if (severity != NULL && strcmp(severity, "WARNING") == 0)
		db->warned = true;
}

void pg_link_lock_patience(struct pg_db *db, unsigned int ms)
{
	char sql[48];

	snprintf(sql, sizeof(sql), "SET lock_timeout = %u", ms < PG_LOCK_MS ? ms : PG_LOCK_MS);
	pg_exec(db, sql, NULL);
}

void pg_link_patience(struct pg_db *db)
{
	pg_link_lock_patience(db, db->patience_ms / 6 * 5);
}

static enum gba_err session_begin(struct pg_db *db)
{
	enum gba_err err;

	if (db->conn == NULL)
		return GBA_E_NOMEM;
	if (PQstatus(db->conn) != CONNECTION_OK)
		return connect_err(db);
	PQsetnonblocking(db->conn, 1);
	PQsetNoticeReceiver(db->conn, on_notice, db);
	err = pg_exec(db, SESSION, NULL);
	if (err == GBA_OK)
		err = durable_check(db);
	if (err == GBA_OK)
		pg_link_patience(db);
	return err == GBA_OK && pg_link_lost(db) ? GBA_E_UNREACHABLE : err;
}

static void back_off(struct pg_db *db)
{
	db->backoff_ms = db->backoff_ms == 0 ? BACKOFF_MIN_MS : db->backoff_ms * 2;
	if (db->backoff_ms > BACKOFF_MAX_MS)
		db->backoff_ms = BACKOFF_MAX_MS;
	db->retry_at = clock_mono_ms() + db->backoff_ms;
}

enum gba_err pg_link(struct pg_db *db)
{
	if (!pg_link_lost(db))
		return GBA_OK;
	pg_link_drop(db);
	if (db->dial == NULL && clock_mono_ms() < db->retry_at)
		return db->why;
	if (db->dial == NULL)
		db->dial = pg_dial_start(db->conninfo, db->patience_ms / DIAL_PART);
	if (db->dial == NULL)
		return GBA_E_NOMEM;
	if (!pg_dial_wait(db->dial)) {
		pg_say(db, "the server does not answer");
		return db->why = GBA_E_UNREACHABLE;
	}
	db->conn = pg_dial_end(db->dial);
	db->dial = NULL;
	db->why = session_begin(db);
	if (db->why != GBA_OK) {
		pg_link_drop(db);
		back_off(db);
		return db->why;
	}
	db->generation++;
	db->backoff_ms = 0;
	db->retry_at = 0;
	return GBA_OK;
}

enum gba_err pg_link_first(struct pg_db *db)
{
	enum gba_err err;

	do {
		err = pg_link(db);
	} while (db->dial != NULL);
	return err;
}
