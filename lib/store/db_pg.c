/* SPDX-License-Identifier: Apache-2.0 */
/* Statements and transactions on PostgreSQL: prepared once per connection, binary both ways. Outside a transaction a
 * statement that changes something is given one of its own. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "core/mask.h"
#include "core/secret.h"
#include "store/db_dialect.h"
#include "store/db_pg_priv.h"

#define PARAMS_MAX 64

/* Its rows tell how often others have committed; one row that is written often: it stays in its page. */
#define TABLE "CREATE TABLE gba_db (one BIGINT PRIMARY KEY CHECK (one = 1), schema_version BIGINT NOT NULL, data_version BIGINT " \
	      "NOT NULL) WITH (fillfactor = 10); INSERT INTO gba_db VALUES (1, 0, 0)"

/* Of the schema; the writers' lock has another first number. */
#define CLAIM	"SELECT pg_try_advisory_lock(1734500642, hashtext(current_schema()))::int"
#define CLAIMED "SELECT 1" /* in the session that has it */

enum { OID_BOOL = 16, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_NUMERIC = 1700 }; /* pg_type.dat: fixed for ever */
enum kind { KIND_NULL, KIND_INT, KIND_OCTETS };

struct param {
	enum kind kind;
	int64_t number;
	uint8_t *octets; /* a copy below the statement */
	size_t n;
};

struct pg_stmt {
	struct db_stmt base;
	struct pg_db *db;
	char *sql, name[16];
	uint32_t generation; /* of the connection it is prepared in; 0: none */
	bool writes, inserts;
	int params;
	Oid types[PARAMS_MAX];
	struct param param[PARAMS_MAX];
	enum gba_err bound; /* the first bind that failed */
	PGresult *rows;	    /* NULL: not run */
	int row;	    /* that stands; the next step moves on */
};

static struct pg_stmt *pg(struct db_stmt *stmt)
{
	return (struct pg_stmt *)stmt;
}

/* ---- transactions ---- */

static enum gba_err pg_begin(struct db *base, enum db_writer writer)
{
	struct pg_db *db = (struct pg_db *)base;

	return db->tx == PG_TX_NONE ? pg_tx_begin(db, writer) : GBA_E_INTERNAL;
}

static enum gba_err pg_commit(struct db *base, bool quiet)
{
	return pg_tx_commit((struct pg_db *)base, !quiet);
}

static void pg_rollback(struct db *base)
{
	pg_tx_rollback((struct pg_db *)base);
}

static enum gba_err pg_part(struct db *base, enum db_part step)
{
	struct pg_db *db = (struct pg_db *)base;

	return db->tx == PG_TX_OPEN ? pg_exec(db, db_part_sql[step], NULL) : GBA_E_UNREACHABLE;
}

/* ---- statements ---- */

/* Which types the server expects. */
static enum gba_err stmt_describe(struct pg_stmt *stmt)
{
	struct pg_db *db = stmt->db;
	PGresult *res = NULL;
	enum gba_err err;
	int i;

	if (PQsendDescribePrepared(db->conn, stmt->name) == 0) {
		pg_link_drop(db);
		return GBA_E_UNREACHABLE;
	}
	err = pg_collect(db, false, &res);
	if (err != GBA_OK)
		return err;
	stmt->params = res != NULL ? PQnparams(res) : 0;
	for (i = 0; i < stmt->params && i < PARAMS_MAX; i++)
		stmt->types[i] = PQparamtype(res, i);
	PQclear(res);
	return stmt->params <= PARAMS_MAX ? GBA_OK : GBA_E_INTERNAL;
}

static enum gba_err stmt_prepare(struct pg_stmt *stmt)
{
	struct pg_db *db = stmt->db;
	enum gba_err err;

	if (PQsendPrepare(db->conn, stmt->name, stmt->sql, 0, NULL) == 0) {
		pg_link_drop(db);
		return GBA_E_UNREACHABLE;
	}
	err = pg_collect(db, false, NULL);
	if (err == GBA_OK && stmt->params < 0)
		err = stmt_describe(stmt);
	if (err == GBA_OK)
		stmt->generation = db->generation;
	return err;
}

static int pg_stmt_destroy(struct pg_stmt *stmt)
{
	char sql[40];

	PQclear(stmt->rows);
	if (!pg_link_lost(stmt->db) && stmt->generation == stmt->db->generation &&
	    PQtransactionStatus(stmt->db->conn) != PQTRANS_INERROR) {
		snprintf(sql, sizeof(sql), "DEALLOCATE %s", stmt->name);
		pg_exec(stmt->db, sql, NULL);
	}
	return 0;
}

static enum gba_err pg_prepare(struct db *base, const char *sql, struct db_stmt **_stmt)
{
	struct pg_db *db = (struct pg_db *)base;
	struct pg_stmt *stmt = talloc_zero(db, struct pg_stmt);
	enum gba_err err = GBA_E_NOMEM;
	int tries = 0;

	if (stmt == NULL)
		return GBA_E_NOMEM;
	stmt->base.ops = base->ops;
	stmt->db = db;
	stmt->params = -1;
	stmt->writes = db_dialect_writes(sql);
	stmt->inserts = db_dialect_inserts(sql);
	snprintf(stmt->name, sizeof(stmt->name), "s%u", ++db->serial);
	stmt->sql = db_dialect_pg(stmt, sql, false);
	while (stmt->sql != NULL && tries++ < 2) { /* the connection may have died while idle */
		err = db->tx == PG_TX_LOST ? GBA_E_UNREACHABLE : pg_link(db);
		if (err == GBA_OK)
			err = stmt_prepare(stmt);
		if (err != GBA_E_UNREACHABLE || !pg_link_lost(db))
			break;
	}
	if (err != GBA_OK) {
		talloc_free(stmt);
		return err;
	}
	talloc_set_destructor(stmt, pg_stmt_destroy);
	*_stmt = &stmt->base;
	return GBA_OK;
}

static struct param *param_at(struct pg_stmt *stmt, int index)
{
	if (index < 1 || index > stmt->params) {
		stmt->bound = GBA_E_INTERNAL;
		return NULL;
	}
	TALLOC_FREE(stmt->param[index - 1].octets);
	stmt->param[index - 1].kind = KIND_NULL;
	return &stmt->param[index - 1];
}

static void pg_bind_int(struct db_stmt *base, int index, int64_t value)
{
	struct param *param = param_at(pg(base), index);

	if (param == NULL)
		return;
	param->kind = KIND_INT;
	param->number = value;
}

static void pg_bind_octets(struct db_stmt *base, int index, struct bytes value)
{
	struct pg_stmt *stmt = pg(base);
	struct param *param = param_at(stmt, index);

	if (param == NULL || value.p == NULL)
		return;
	param->octets = talloc_memdup(stmt, value.n > 0 ? value.p : (const uint8_t *)"", value.n > 0 ? value.n : 1);
	if (param->octets == NULL) {
		stmt->bound = GBA_E_NOMEM;
		return;
	}
	param->kind = KIND_OCTETS;
	param->n = value.n;
}

/* Views of what is bound, as PQsendQueryPrepared takes them. Integers go to other types than int8 as text, which the server
 * converts and checks. */
struct wire {
	const char *value[PARAMS_MAX];
	int len[PARAMS_MAX], format[PARAMS_MAX];
	uint64_t binary[PARAMS_MAX];
	char text[PARAMS_MAX][24];
};

static void wire_fill(const struct pg_stmt *stmt, struct wire *_wire)
{
	int i;

	for (i = 0; i < stmt->params; i++) {
		const struct param *param = &stmt->param[i];

		_wire->format[i] = param->kind != KIND_INT || stmt->types[i] == OID_INT8;
		_wire->value[i] = NULL;
		if (param->kind == KIND_OCTETS) {
			_wire->value[i] = (const char *)param->octets;
			_wire->len[i] = (int)param->n;
		} else if (param->kind == KIND_INT && _wire->format[i] != 0) {
			_wire->binary[i] = htobe64((uint64_t)param->number);
			_wire->value[i] = (const char *)&_wire->binary[i];
			_wire->len[i] = 8;
		} else if (param->kind == KIND_INT) {
			snprintf(_wire->text[i], sizeof(_wire->text[i]), "%lld", (long long)param->number);
			_wire->value[i] = _wire->text[i];
		}
	}
}

static bool prepared_send(struct pg_stmt *stmt)
{
	struct wire wire;

	wire_fill(stmt, &wire);
	return PQsendQueryPrepared(stmt->db->conn, stmt->name, stmt->params, wire.value, wire.len, wire.format, 1) != 0;
}

static bool word_send(struct pg_db *db, const char *sql)
{
	return PQsendQueryParams(db->conn, sql, 0, NULL, NULL, NULL, NULL, 1) != 0;
}

/* An INSERT that may fail without its transaction: in SQLite every statement is like that. One trip, as without. */
static enum gba_err run_guarded(struct pg_stmt *stmt, PGresult **_rows)
{
	struct pg_db *db = stmt->db;
	enum gba_err err;
	bool sent;

	if (PQenterPipelineMode(db->conn) == 0)
		return GBA_E_INTERNAL;
	sent = word_send(db, "SAVEPOINT s") && prepared_send(stmt) && word_send(db, "RELEASE s") && PQpipelineSync(db->conn) != 0;
	if (!sent) {
		pg_link_drop(db);
		return GBA_E_UNREACHABLE;
	}
	err = pg_collect(db, true, _rows);
	if (pg_link_lost(db))
		return err;
	PQexitPipelineMode(db->conn);
	if (err != GBA_OK)
		pg_exec(db, "ROLLBACK TO s; RELEASE s", NULL);
	return err;
}

static enum gba_err run_plain(struct pg_stmt *stmt, PGresult **_rows)
{
	if (!prepared_send(stmt)) {
		pg_say(stmt->db, "%s", PQerrorMessage(stmt->db->conn));
		pg_link_drop(stmt->db);
		return GBA_E_UNREACHABLE;
	}
	return pg_collect(stmt->db, false, _rows);
}

static enum gba_err run_here(struct pg_stmt *stmt, bool guarded, PGresult **_rows)
{
	enum gba_err err = GBA_OK;

	if (stmt->generation != stmt->db->generation)
		err = stmt_prepare(stmt);
	if (err != GBA_OK)
		return err;
	return guarded ? run_guarded(stmt, _rows) : run_plain(stmt, _rows);
}

static enum gba_err run_alone(struct pg_stmt *stmt, PGresult **_rows)
{
	struct pg_db *db = stmt->db;
	enum gba_err err;

	err = pg_tx_begin(db, DB_WRITER);
	if (err != GBA_OK)
		return err;
	err = run_here(stmt, false, _rows);
	if (err != GBA_OK) {
		pg_tx_rollback(db);
		return err;
	}
	err = pg_tx_commit(db, true);
	if (err != GBA_OK) {
		PQclear(*_rows);
		*_rows = NULL;
	}
	return err;
}

/* Reading can be done again on a new connection. */
static enum gba_err run_reading(struct pg_stmt *stmt, PGresult **_rows)
{
	enum gba_err err;
	int tries = 0;

	do {
		err = pg_link(stmt->db);
		if (err == GBA_OK)
			err = run_here(stmt, false, _rows);
	} while (err == GBA_E_UNREACHABLE && pg_link_lost(stmt->db) && tries++ == 0);
	return err;
}

static enum gba_err run(struct pg_stmt *stmt)
{
	if (stmt->bound != GBA_OK)
		return stmt->bound;
	if (stmt->db->tx == PG_TX_LOST)
		return GBA_E_UNREACHABLE;
	if (stmt->db->tx == PG_TX_OPEN)
		return run_here(stmt, stmt->inserts, &stmt->rows);
	return stmt->writes ? run_alone(stmt, &stmt->rows) : run_reading(stmt, &stmt->rows);
}

static void pg_reset(struct db_stmt *base)
{
	struct pg_stmt *stmt = pg(base);
	int i;

	PQclear(stmt->rows);
	stmt->rows = NULL;
	stmt->bound = GBA_OK;
	for (i = 0; i < stmt->params; i++) {
		TALLOC_FREE(stmt->param[i].octets);
		stmt->param[i].kind = KIND_NULL;
	}
}

static enum gba_err pg_step(struct db_stmt *base, bool *_row)
{
	struct pg_stmt *stmt = pg(base);
	enum gba_err err = GBA_OK;

	if (stmt->rows != NULL) {
		stmt->row++;
	} else {
		stmt->row = 0;
		err = run(stmt);
	}
	*_row = err == GBA_OK && stmt->rows != NULL && stmt->row < PQntuples(stmt->rows);
	if (!*_row)
		pg_reset(base);
	return err;
}

static enum gba_err pg_run(struct db_stmt *base, int *_changed)
{
	struct pg_stmt *stmt = pg(base);
	enum gba_err err;

	err = run(stmt);
	if (err == GBA_OK && _changed != NULL)
		*_changed = stmt->rows != NULL ? atoi(PQcmdTuples(stmt->rows)) : 0;
	pg_reset(base);
	return err;
}

/* ---- values ---- */

static uint64_t big_endian(const char *p, int n)
{
	uint64_t value = 0;
	int i;

	for (i = 0; i < n; i++)
		value = value << 8 | (uint8_t)p[i];
	return value;
}

/* What sum() of integers gives: a count of digits to the base 10000, the weight of the first, sign, scale, digits. */
static int64_t numeric(const char *p, int n)
{
	int digits = (int)big_endian(p, 2), weight = (int16_t)big_endian(p + 2, 2), i;
	int64_t value = 0;

	for (i = 0; i <= weight; i++)
		value = value * 10000 + (i < digits && 8 + 2 * i + 2 <= n ? (int64_t)big_endian(p + 8 + 2 * i, 2) : 0);
	return big_endian(p + 4, 2) == 0x4000 ? -value : value;
}

static int64_t pg_col_int(struct db_stmt *base, int column)
{
	PGresult *rows = pg(base)->rows;
	int row = pg(base)->row, n;
	const char *p;

	if (rows == NULL || PQgetisnull(rows, row, column))
		return 0;
	p = PQgetvalue(rows, row, column);
	n = PQgetlength(rows, row, column);
	switch (PQftype(rows, column)) {
	case OID_BOOL: return p[0] != 0;
	case OID_INT2: return (int16_t)big_endian(p, n);
	case OID_INT4: return (int32_t)big_endian(p, n);
	case OID_INT8: return (int64_t)big_endian(p, n);
	case OID_NUMERIC: return n >= 8 ? numeric(p, n) : 0;
	default: return strtoll(p, NULL, 10);
	}
}

static struct bytes pg_col_octets(struct db_stmt *base, int column)
{
	PGresult *rows = pg(base)->rows;
	int row = pg(base)->row;

	if (rows == NULL || PQgetisnull(rows, row, column))
		return BYTES_NONE;
	return BYTES(PQgetvalue(rows, row, column), (size_t)PQgetlength(rows, row, column));
}

/* ---- the database ---- */

static int64_t pg_data_version(struct db *base)
{
	struct pg_db *db = (struct pg_db *)base;
	char text[24];
	int64_t version;

	if (db->tx == PG_TX_LOST || pg_link(db) != GBA_OK ||
	    pg_value(db, "SELECT data_version FROM gba_db", text, sizeof(text)) != GBA_OK)
		return -1;
	version = strtoll(text, NULL, 10);
	if (version != db->seen)
		db->reported++;
	db->seen = version;
	return db->reported;
}

/* A lock of the session, which the server lifts when that ends. */
static enum gba_err pg_claim(struct db *base)
{
	struct pg_db *db = (struct pg_db *)base;
	char had[8] = "";
	enum gba_err err;
	int tries = 0;

	do { /* a connection that died while idle is found out here */
		err = db->tx == PG_TX_LOST ? GBA_E_UNREACHABLE : pg_link(db);
		if (err == GBA_OK)
			err = pg_value(db, db->claim == db->generation ? CLAIMED : CLAIM, had, sizeof(had));
	} while (err == GBA_E_UNREACHABLE && pg_link_lost(db) && tries++ == 0);
	if (err != GBA_OK)
		return err;
	if (had[0] != '1')
		return GBA_E_BUSY;
	db->claim = db->generation;
	return GBA_OK;
}

static void pg_patience(struct db *base, unsigned int ms)
{
	struct pg_db *db = (struct pg_db *)base;

	db->patience_ms = ms;
	if (!pg_link_lost(db) && db->tx == PG_TX_NONE)
		pg_link_patience(db);
}

static void pg_lock_patience(struct db *base, unsigned int ms)
{
	struct pg_db *db = (struct pg_db *)base;

	if (pg_link_lost(db) || db->tx != PG_TX_NONE)
		return;
	if (ms > 0)
		pg_link_lock_patience(db, ms);
	else
		pg_link_patience(db);
}

static const char *pg_error(struct db *base)
{
	return ((struct pg_db *)base)->error;
}

static const struct db_ops pg_ops = {
	.prepare = pg_prepare,
	.bind_int = pg_bind_int,
	.bind_text = pg_bind_octets,
	.bind_blob = pg_bind_octets,
	.step = pg_step,
	.run = pg_run,
	.reset = pg_reset,
	.col_int = pg_col_int,
	.col_text = pg_col_octets,
	.col_blob = pg_col_octets,
	.begin = pg_begin,
	.commit = pg_commit,
	.rollback = pg_rollback,
	.part = pg_part,
	.data_version = pg_data_version,
	.claim = pg_claim,
	.patience = pg_patience,
	.lock_patience = pg_lock_patience,
	.error = pg_error,
};

/* -1: the schema has nothing of ours yet. */
static enum gba_err schema_version(struct pg_db *db, int64_t *_version)
{
	char text[24];
	enum gba_err err;

	*_version = -1;
	err = pg_value(db, "SELECT to_regclass('gba_db')::text", text, sizeof(text));
	if (err == GBA_E_NOT_FOUND)
		return GBA_OK;
	if (err == GBA_OK)
		err = pg_value(db, "SELECT schema_version FROM gba_db", text, sizeof(text));
	if (err == GBA_OK)
		*_version = strtoll(text, NULL, 10);
	return err == GBA_E_NOT_FOUND ? GBA_E_CORRUPT : err;
}

static enum gba_err steps_run(struct pg_db *db, const struct db_migration *steps, size_t count)
{
	int64_t version = 0;
	enum gba_err err;
	char sql[80];
	char *step;

	err = schema_version(db, &version); /* again, under the lock: another node may have been first */
	if (err == GBA_OK && version < 0) {
		version = 0;
		err = pg_exec(db, TABLE, NULL);
	}
	for (; err == GBA_OK && (size_t)version < count; version++) {
		step = db_dialect_pg(db, steps[version].sql, true);
		err = step != NULL ? pg_exec(db, step, NULL) : GBA_E_NOMEM;
		talloc_free(step);
	}
	if (err != GBA_OK || (size_t)version > count)
		return err == GBA_OK ? GBA_E_UNSUPPORTED : err;
	snprintf(sql, sizeof(sql), "UPDATE gba_db SET schema_version = %zu", count);
	return pg_exec(db, sql, NULL);
}

static enum gba_err migrate(struct pg_db *db, const struct db_migration *steps, size_t count)
{
	int64_t version = 0;
	enum gba_err err;

	err = schema_version(db, &version);
	if (err != GBA_OK || version == (int64_t)count)
		return err;
	if (version > (int64_t)count)
		return GBA_E_UNSUPPORTED;
	err = pg_tx_begin(db, DB_WRITER);
	if (err != GBA_OK)
		return err;
	err = steps_run(db, steps, count);
	if (err != GBA_OK) {
		pg_tx_rollback(db);
		return err;
	}
	return pg_tx_commit(db, true);
}

static int pg_db_destroy(struct pg_db *db)
{
	if (db->dial != NULL)
		db->conn = pg_dial_end(db->dial);
	PQfinish(db->conn);
	db->conn = NULL;
	secret_wipe(db->conninfo, strlen(db->conninfo));
	return 0;
}

/* "postgres:service=gba" names libpq's keywords; the URLs are libpq's own. Its words about a bad one quote from it, perhaps
 * from the password: they are not passed on. */
static enum gba_err conninfo_set(struct pg_db *db, const char *url)
{
	PQconninfoOption *parsed;

	if (strncmp(url, "postgres:", 9) == 0 && strncmp(url, "postgres://", 11) != 0)
		url += 9;
	parsed = PQconninfoParse(url, NULL);
	if (parsed == NULL)
		return GBA_E_CONF;
	PQconninfoFree(parsed);
	db->conninfo = talloc_strdup(db, url);
	return db->conninfo != NULL ? GBA_OK : GBA_E_NOMEM;
}

static const char *open_why(const struct pg_db *db, enum gba_err err)
{
	if (err == GBA_E_UNSUPPORTED)
		return "the database was written by a newer version of this program";
	if (db->conninfo == NULL)
		return "not a connection string libpq understands";
	return db->error[0] != '\0' ? db->error : gba_strerror(err);
}

enum gba_err db_pg_open(TALLOC_CTX *mem_ctx, const char *url, const struct db_migration *steps, size_t count, struct db **_db,
			const char **_error)
{
	struct pg_db *db = talloc_zero(mem_ctx, struct pg_db);
	char label[MASK_MAX];
	enum gba_err err;

	if (db == NULL)
		return GBA_E_NOMEM;
	db->base.ops = &pg_ops;
	db->patience_ms = PG_PATIENCE_MS;
	err = conninfo_set(db, url);
	if (err == GBA_OK) {
		talloc_set_destructor(db, pg_db_destroy);
		err = pg_link_first(db);
	}
	if (err == GBA_OK)
		err = pg_tx_open(db);
	if (err == GBA_OK)
		err = migrate(db, steps, count);
	if (err != GBA_OK) {
		*_error = talloc_asprintf(mem_ctx, "%s: %s", mask_password(url, label), open_why(db, err));
		talloc_free(db);
		return err;
	}
	*_db = &db->base;
	return GBA_OK;
}
