/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fixture.h"
#include "common/pg_server.h"
#include "core/mask.h"
#include "store/db.h"
#include "store/db_dialect.h"
#include "store/db_duty.h"

static const struct db_migration steps[] = {
	{ "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, body BLOB) STRICT" },
	{ "ALTER TABLE t ADD COLUMN extra INTEGER; CREATE INDEX t_extra ON t (extra)" },
	{ DB_DUTY_TABLE },
};
static char folder[] = "/tmp/check_store.XXXXXX", path[400]; /* path: a file, or the connection string of a schema */

static void folder_make(void)
{
	strcpy(folder, "/tmp/check_store.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.db", folder);
}

static void folder_remove(void)
{
	static const char *const tails[] = { "", "-wal", "-shm", ".lock" };
	char name[420];
	size_t i;

	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		unlink(name);
	}
	rmdir(folder);
}

static void schema_make(void)
{
	snprintf(path, sizeof(path), "%s", pg_server_schema("store"));
}

static struct db *open_steps(size_t count)
{
	const char *error = "";
	struct db *db = NULL;
	enum gba_err err = db_open(test_ctx, path, steps, count, &db, &error);

	ck_assert_msg(err == GBA_OK, "%s", error);
	return db;
}

static struct db_stmt *prepared(struct db *db, const char *sql)
{
	struct db_stmt *stmt = NULL;

	ck_assert_err(db_prepare(db, sql, &stmt), GBA_OK);
	return stmt;
}

static enum gba_err insert(struct db *db, int64_t id, const char *name, struct bytes body)
{
	struct db_stmt *stmt = prepared(db, "INSERT INTO t (id, name, body) VALUES (?, ?, ?)");
	enum gba_err err;

	db_bind_int(stmt, 1, id);
	db_bind_text(stmt, 2, bytes_of(name));
	db_bind_blob(stmt, 3, body);
	err = db_run(stmt, NULL);
	talloc_free(stmt);
	return err;
}

static int64_t count_rows(struct db *db)
{
	struct db_stmt *stmt = prepared(db, "SELECT count(*) FROM t");
	bool row = false;
	int64_t n;

	ck_assert_err(db_step(stmt, &row), GBA_OK);
	ck_assert(row);
	n = db_col_int(stmt, 0);
	talloc_free(stmt);
	return n;
}

START_TEST(file_is_private)
{
	struct stat st;
	struct db *db = open_steps(1);

	ck_assert_err(insert(db, 1, "a", BYTES_NONE), GBA_OK);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	strcat(path, "-wal");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	path[strlen(path) - 4] = '\0';
	talloc_free(db);
}
END_TEST

START_TEST(values_come_back)
{
	static const uint8_t octets[] = { 0, 1, 0xff };
	struct db *db = open_steps(2);
	struct db_stmt *stmt;
	bool row = false;

	ck_assert_err(insert(db, INT64_MAX, "with\ttab", BYTES(octets, 3)), GBA_OK);
	ck_assert_err(insert(db, 2, NULL, BYTES("", 0)), GBA_OK);
	stmt = prepared(db, "SELECT id, name, body FROM t ORDER BY id DESC");
	ck_assert_err(db_step(stmt, &row), GBA_OK);
	ck_assert(row);
	ck_assert_int_eq(db_col_int(stmt, 0), INT64_MAX);
	ck_assert(bytes_eq_str(db_col_text(stmt, 1), "with\ttab"));
	ck_assert_bytes(db_col_blob(stmt, 2), BYTES(octets, 3), "body");
	ck_assert_err(db_step(stmt, &row), GBA_OK);
	ck_assert_ptr_null(db_col_text(stmt, 1).p);
	ck_assert_ptr_nonnull(db_col_blob(stmt, 2).p);
	ck_assert_uint_eq(db_col_blob(stmt, 2).n, 0);
	ck_assert_err(db_step(stmt, &row), GBA_OK);
	ck_assert(!row);
	talloc_free(db);
}
END_TEST

START_TEST(unique_is_told_apart_from_other_errors)
{
	struct db *db = open_steps(1);

	ck_assert_err(insert(db, 1, "a", BYTES_NONE), GBA_OK);
	ck_assert_err(insert(db, 2, "a", BYTES_NONE), GBA_E_EXISTS);
	ck_assert_err(insert(db, 1, "b", BYTES_NONE), GBA_E_EXISTS);
	ck_assert_int_eq(count_rows(db), 1);
	talloc_free(db);
}
END_TEST

START_TEST(migrates_once_and_keeps_rows)
{
	struct db *db = open_steps(1);

	ck_assert_err(insert(db, 1, "a", BYTES_NONE), GBA_OK);
	talloc_free(db);
	db = open_steps(2);
	ck_assert_err(db_run(prepared(db, "UPDATE t SET extra = 7"), NULL), GBA_OK);
	talloc_free(db);
	db = open_steps(2);
	ck_assert_int_eq(count_rows(db), 1);
	talloc_free(db);
}
END_TEST

START_TEST(newer_file_is_refused)
{
	struct db *db = open_steps(2);
	const char *error = NULL;

	talloc_free(db);
	ck_assert_err(db_open(test_ctx, path, steps, 1, &db, &error), GBA_E_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(error, "newer version"));
	open_steps(2);
}
END_TEST

START_TEST(failed_migration_leaves_old_version)
{
	struct db_migration bad[] = { steps[0], { "ALTER TABLE t ADD COLUMN extra INTEGER; CREATE TABLE t (x)" } };
	struct db *db = open_steps(1);
	const char *error = NULL;

	ck_assert_err(insert(db, 1, "a", BYTES_NONE), GBA_OK);
	talloc_free(db);
	ck_assert_err(db_open(test_ctx, path, bad, 2, &db, &error), GBA_E_INTERNAL);
	ck_assert_ptr_nonnull(strstr(error, "t"));
	db = open_steps(2); /* would fail on a half-done step: the column would be there */
	ck_assert_int_eq(count_rows(db), 1);
}
END_TEST

START_TEST(foreign_file_is_refused)
{
	const char *error = NULL;
	struct db *db;
	FILE *out = fopen(path, "w");

	fputs("this is no database, but long enough to have a header of its own.................................", out);
	fclose(out);
	ck_assert_err(db_open(test_ctx, path, steps, 1, &db, &error), GBA_E_CORRUPT);
	snprintf(path, sizeof(path), "%s/none/t.db", folder);
	ck_assert_err(db_open(test_ctx, path, steps, 1, &db, &error), GBA_E_NOT_FOUND);
	snprintf(path, sizeof(path), "%s/t.db", folder);
}
END_TEST

START_TEST(rollback_undoes_and_version_tells_others)
{
	struct db *db = open_steps(1), *other = open_steps(1);
	int64_t before = db_data_version(db);

	ck_assert_err(db_begin(other), GBA_OK);
	ck_assert_err(insert(other, 1, "a", BYTES_NONE), GBA_OK);
	db_rollback(other);
	ck_assert_int_eq(db_data_version(db), before);
	ck_assert_err(db_begin(other), GBA_OK);
	ck_assert_err(insert(other, 1, "a", BYTES_NONE), GBA_OK);
	ck_assert_err(db_commit(other), GBA_OK);
	ck_assert_int_ne(db_data_version(db), before);
	ck_assert_int_eq(count_rows(db), 1);
	talloc_free(other);
}
END_TEST

START_TEST(second_writer_is_busy_then_goes_on)
{
	struct db *db = open_steps(1), *other = open_steps(1);

	ck_assert_err(db_begin(db), GBA_OK);
	ck_assert_err(db_begin(other), GBA_E_BUSY);
	db_lock_patience(other, 100); /* the server is believed in for longer than its lock is waited for */
	ck_assert_err(db_begin(other), GBA_E_BUSY);
	db_lock_patience(other, 0);
	ck_assert_err(db_commit(db), GBA_OK);
	ck_assert_err(db_begin(other), GBA_OK);
	db_rollback(other);
}
END_TEST

/* REQ of the design: a committed write survives kill -9. The child tells each commit through a pipe, then dies at once. */
START_TEST(committed_rows_survive_kill)
{
	int told[2], status;
	int64_t last = 0, seen;
	pid_t child;

	ck_assert_int_eq(pipe(told), 0);
	talloc_free(open_steps(1));
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		struct db *db = open_steps(1);

		for (seen = 1;; seen++) {
			if (insert(db, seen, NULL, BYTES_NONE) != GBA_OK ||
			    write(told[1], &seen, sizeof(seen)) != sizeof(seen))
				_exit(1);
		}
	}
	close(told[1]);
	while (last < 50 && read(told[0], &seen, sizeof(seen)) == sizeof(seen))
		last = seen;
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	while (read(told[0], &seen, sizeof(seen)) == sizeof(seen))
		last = seen;
	close(told[0]);
	ck_assert_int_ge(last, 50);
	ck_assert_int_ge(count_rows(open_steps(1)), last);
}
END_TEST

/* A file size limit stands for the full disk (tests that run as root have a real one in tests/system). */
START_TEST(no_space_is_clear_and_loses_nothing)
{
	struct rlimit small = { .rlim_cur = 300000, .rlim_max = RLIM_INFINITY }, before;
	uint8_t *body = talloc_zero_array(test_ctx, uint8_t, 4096);
	struct db *db = open_steps(1);
	enum gba_err err = GBA_OK;
	int64_t done = 0;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	while (err == GBA_OK && done < 1000) {
		err = insert(db, done + 1, NULL, BYTES(body, 4096));
		done += err == GBA_OK;
	}
	setrlimit(RLIMIT_FSIZE, &before);
	ck_assert_err(err, GBA_E_NOSPACE);
	ck_assert_int_eq(count_rows(db), done);
	ck_assert_err(insert(db, done + 1, NULL, BYTES(body, 4096)), GBA_OK); /* heals when space returns */
	talloc_free(db);
	ck_assert_int_eq(count_rows(open_steps(1)), done + 1);
}
END_TEST


/* What callers on SQLite do without a thought: look for a record by adding it. */
START_TEST(failed_insert_leaves_the_transaction)
{
	struct db *db = open_steps(1);

	ck_assert_err(insert(db, 1, "a", BYTES_NONE), GBA_OK);
	ck_assert_err(db_begin(db), GBA_OK);
	ck_assert_err(insert(db, 2, "b", BYTES_NONE), GBA_OK);
	ck_assert_err(insert(db, 3, "a", BYTES_NONE), GBA_E_EXISTS);
	ck_assert_err(insert(db, 4, "d", BYTES_NONE), GBA_OK);
	ck_assert_err(db_commit(db), GBA_OK);
	ck_assert_int_eq(count_rows(db), 3);
}
END_TEST

START_TEST(ids_are_made_and_never_reused)
{
	static const struct db_migration own[] = {
		{ "CREATE TABLE n (id INTEGER PRIMARY KEY AUTOINCREMENT, word TEXT NOT NULL) STRICT" }
	};
	const char *error = "";
	struct db_stmt *add;
	struct db *db = NULL;
	bool row = false;
	int64_t ids[3];
	int i, changed;

	ck_assert_msg(db_open(test_ctx, path, own, 1, &db, &error) == GBA_OK, "%s", error);
	add = prepared(db, "INSERT INTO n (word) VALUES (?1) RETURNING id");
	for (i = 0; i < 3; i++) {
		db_bind_text(add, 1, bytes_of("w"));
		ck_assert_err(db_step(add, &row), GBA_OK);
		ck_assert(row);
		ids[i] = db_col_int(add, 0);
		db_reset(add);
		ck_assert_err(db_run(prepared(db, "DELETE FROM n WHERE word = 'w'"), &changed), GBA_OK);
		ck_assert_int_eq(changed, 1);
	}
	ck_assert_int_lt(ids[0], ids[1]);
	ck_assert_int_lt(ids[1], ids[2]);
	add = prepared(db, "SELECT sum(id), sum(-id), min(id) IS NULL, 3 = 3 FROM (SELECT ?1 + 0 AS id UNION SELECT 70001) AS x");
	db_bind_int(add, 1, 123456789);
	ck_assert_err(db_step(add, &row), GBA_OK);
	ck_assert_int_eq(db_col_int(add, 0), 123526790);
	ck_assert_int_eq(db_col_int(add, 1), -123526790);
	ck_assert_int_eq(db_col_int(add, 2), 0);
	ck_assert_int_eq(db_col_int(add, 3), 1);
}
END_TEST

/* Paging by text needs one order everywhere: that of the octets. */
START_TEST(texts_are_in_the_order_of_their_octets)
{
	static const char *const words[] = { "_", "a", "B", "\xc3\xa9", "z", "-" };
	static const char *const sorted[] = { "-", "B", "_", "a", "z", "\xc3\xa9" };
	struct db *db = open_steps(1);
	struct db_stmt *list;
	bool row = false;
	size_t i;

	for (i = 0; i < 6; i++)
		ck_assert_err(insert(db, (int64_t)i, words[i], BYTES_NONE), GBA_OK);
	list = prepared(db, "SELECT name FROM t ORDER BY name");
	for (i = 0; i < 6; i++) {
		ck_assert_err(db_step(list, &row), GBA_OK);
		ck_assert_msg(bytes_eq_str(db_col_text(list, 0), sorted[i]), "place %zu", i);
	}
}
END_TEST

/* ---- PostgreSQL alone ---- */

static const struct {
	const char *sql, *schema, *statement;
} dialect_rows[] = {
	{ "a = ?1 AND b = ?12", "a = $1 AND b = $12", "a = $1 AND b = $12" },
	{ "VALUES (?, ?)", "VALUES ($1, $2)", "VALUES ($1, $2)" },
	{ "x = '?1 INTEGER' -- ?2 BLOB\n /* TEXT ?3 */ \"STRICT\"", "x = '?1 INTEGER' -- ?2 BLOB\n /* TEXT ?3 */ \"STRICT\"",
	  "x = '?1 INTEGER' -- ?2 BLOB\n /* TEXT ?3 */ \"STRICT\"" },
	{ "x = 'it''s ?' AND y = ?1", "x = 'it''s ?' AND y = $1", "x = 'it''s ?' AND y = $1" },
	{ "id INTEGER  PRIMARY\n KEY AUTOINCREMENT", "id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
	  "id INTEGER  PRIMARY\n KEY AUTOINCREMENT" },
	{ "id INTEGER PRIMARY KEY, b blob, t TEXT) STRICT", "id BIGINT PRIMARY KEY, b BYTEA, t TEXT COLLATE \"C\") ",
	  "id INTEGER PRIMARY KEY, b blob, t TEXT) STRICT" },
	{ "texts INTEGERS my_blob restricted", "texts INTEGERS my_blob restricted", "texts INTEGERS my_blob restricted" },
	{ "unfinished 'text ?1", "unfinished 'text ?1", "unfinished 'text ?1" },
};
START_TEST(dialect_is_translated)
{
	ck_assert_str_eq(db_dialect_pg(test_ctx, dialect_rows[_i].sql, true), dialect_rows[_i].schema);
	ck_assert_str_eq(db_dialect_pg(test_ctx, dialect_rows[_i].sql, false), dialect_rows[_i].statement);
}
END_TEST

static const struct {
	const char *sql;
	bool writes;
} verb_rows[] = {
	{ "SELECT 1", false },
	{ " select update FROM t", false },
	{ "INSERT INTO t VALUES (1)", true },
	{ "WITH x AS (SELECT 'DELETE') SELECT * FROM x", false },
	{ "WITH x AS (DELETE FROM t RETURNING id) SELECT * FROM x", true },
	{ "UPDATE t SET a = 1", true },
	{ "CREATE TABLE t (a)", true },
};
START_TEST(what_writes_is_known)
{
	ck_assert_msg(db_dialect_writes(verb_rows[_i].sql) == verb_rows[_i].writes, "%s", verb_rows[_i].sql);
}
END_TEST

static const struct {
	const char *text, *shown;
} mask_rows[] = {
	{ "/var/lib/gba/hss.db", "/var/lib/gba/hss.db" },
	{ "postgresql://gba@db.example/gba", "postgresql://gba@db.example/gba" },
	{ "postgresql://gba:s3cret@db.example:5433/gba?sslmode=require", "postgresql://gba:***@db.example:5433/gba?sslmode=require" },
	{ "postgresql://gba:s3/c:r@t?x@db.example/gba", "postgresql://gba:***@db.example/gba" },
	{ "postgresql://db.example/gba?user=u&password=s3cret&sslpassword=t0p&x=1",
	  "postgresql://db.example/gba?user=u&password=***&sslpassword=***&x=1" },
	{ "postgres:host=a password=s3cret dbname=b", "postgres:host=a password=*** dbname=b" },
	{ "postgres:host=a PASSWORD = 's3 \\' cret' dbname=b", "postgres:host=a PASSWORD = *** dbname=b" },
	{ "postgres:service=gba", "postgres:service=gba" },
	{ "rediss://:s3cret@cache:6380", "rediss://:***@cache:6380" },
	{ "postgres:password='s3cret", "postgres:password=***" },
};
START_TEST(passwords_are_not_shown)
{
	char out[MASK_MAX], *longer;

	ck_assert_str_eq(mask_password(mask_rows[_i].text, out), mask_rows[_i].shown);
	longer = talloc_asprintf(test_ctx, "%*s%s", 2 * MASK_MAX, "", mask_rows[_i].text);
	ck_assert_uint_eq(strlen(mask_password(longer, out)), MASK_MAX - 1);
}
END_TEST

static const struct {
	const char *setting, *want;
} unsafe_rows[] = {
	{ "synchronous_commit = off", "synchronous_commit is off" },
	{ "synchronous_commit = local", "synchronous_commit is local" },
	{ "synchronous_commit = on", NULL },
	{ "synchronous_commit = remote_apply", NULL },
};
START_TEST(server_that_may_lose_commits_is_refused)
{
	const char *error = "";
	struct db *db = NULL;
	char sql[96];
	enum gba_err err;

	snprintf(sql, sizeof(sql), "ALTER ROLE gba SET %s", unsafe_rows[_i].setting);
	pg_server_sql(sql);
	err = db_open(test_ctx, path, steps, 1, &db, &error);
	pg_server_sql("ALTER ROLE gba RESET synchronous_commit");
	ck_assert_err(err, unsafe_rows[_i].want != NULL ? GBA_E_CONF : GBA_OK);
	ck_assert_msg(err == GBA_OK || strstr(error, unsafe_rows[_i].want) != NULL, "%s", error);
}
END_TEST

START_TEST(what_cannot_be_reached_says_so)
{
	static const struct {
		const char *url, *want;
		enum gba_err err;
	} rows[] = {
		{ "postgres:host=/nonexistent password=s3cret connect_timeout=2", "No such file", GBA_E_UNREACHABLE },
		{ "postgresql://gba:s3cret@127.0.0.1:1/gba", "refused", GBA_E_UNREACHABLE },
		{ "postgresql://gba:s3cret@[::1/gba", "not a connection string", GBA_E_CONF },
		{ "postgres:nonsense=1 password=s3cret", "not a connection string", GBA_E_CONF },
	};
	const char *error = "";
	struct db *db = NULL;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_err(db_open(test_ctx, rows[i].url, steps, 1, &db, &error), rows[i].err);
		ck_assert_msg(strstr(error, rows[i].want) != NULL, "%s", error);
		ck_assert_ptr_null(strstr(error, "s3cret"));
	}
}
END_TEST

START_TEST(lost_connections_are_survived)
{
	struct db *db = open_steps(1);
	struct db_stmt *add = prepared(db, "INSERT INTO t (id, name) VALUES (?1, ?2)");
	int64_t before = db_data_version(db);
	int changed = 0;

	pg_server_cut(); /* while idle: nobody notices */
	db_bind_int(add, 1, 1);
	db_bind_text(add, 2, bytes_of("one"));
	ck_assert_err(db_run(add, &changed), GBA_OK);
	ck_assert_int_eq(changed, 1);
	ck_assert_err(db_claim(db), GBA_OK);
	pg_server_cut(); /* the claim is taken anew */
	ck_assert_err(db_claim(db), GBA_OK);
	ck_assert_err(db_claim(open_steps(1)), GBA_E_BUSY);
	pg_server_cut();
	ck_assert_int_eq(count_rows(db), 1);
	pg_server_cut(); /* in a transaction: it fails as a whole, whatever is tried in it */
	ck_assert_err(db_begin(db), GBA_OK);
	ck_assert_err(insert(db, 2, "two", BYTES_NONE), GBA_OK);
	pg_server_cut();
	ck_assert(db_run(add, NULL) == GBA_E_UNREACHABLE && db_run(add, NULL) == GBA_E_UNREACHABLE);
	ck_assert_err(db_commit(db), GBA_E_UNREACHABLE);
	ck_assert_int_eq(count_rows(db), 1);
	ck_assert_err(db_begin(db), GBA_OK);
	ck_assert_err(insert(db, 2, "two", BYTES_NONE), GBA_OK);
	pg_server_cut(); /* before COMMIT went out */
	ck_assert_err(db_commit(db), GBA_E_UNREACHABLE);
	ck_assert_int_eq(count_rows(db), 1);
	ck_assert_int_ge(db_data_version(db), before);
}
END_TEST

/* COMMIT takes this long [s]; the caller waits less. */
static void slow_commit(const char *seconds)
{
	char sql[400];

	snprintf(sql, sizeof(sql),
		 "SET search_path = store; CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS"
		 " 'BEGIN PERFORM pg_sleep(%s); RETURN NULL; END';"
		 "CREATE CONSTRAINT TRIGGER nap AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
		 " EXECUTE FUNCTION nap()", seconds);
	pg_server_sql(sql);
}

START_TEST(interrupted_commit_is_looked_up)
{
	struct db *db = open_steps(1);

	slow_commit("6");
	db_patience(db, 5000);
	ck_assert_err(db_begin(db), GBA_OK);
	ck_assert_err(insert(db, 1, "one", BYTES_NONE), GBA_OK);
	ck_assert_err(db_commit(db), GBA_OK); /* given up after 5 s, found committed after 6 */
	db_patience(db, 30000);
	ck_assert_int_eq(count_rows(db), 1);
}
END_TEST

START_TEST(commit_that_nobody_can_tell_about_is_uncertain)
{
	struct db *db = open_steps(1);

	slow_commit("20");
	ck_assert_err(db_begin(db), GBA_OK);
	ck_assert_err(insert(db, 1, "one", BYTES_NONE), GBA_OK);
	db_patience(db, 500);
	ck_assert_err(db_commit(db), GBA_E_UNCERTAIN);
	ck_assert_msg(strstr(db_error(db), "outcome is not known") != NULL, "%s", db_error(db));
	pg_server_cut();
}
END_TEST

START_TEST(quiet_commit_is_not_waited_for)
{
	struct db *db = open_steps(1);

	slow_commit("20");
	ck_assert_err(db_begin(db), GBA_OK);
	ck_assert_err(insert(db, 1, "one", BYTES_NONE), GBA_OK);
	db_patience(db, 500);
	ck_assert_err(db_commit_quiet(db), GBA_E_UNCERTAIN);
	db_patience(db, 30000);
	pg_server_cut();
	ck_assert_int_eq(count_rows(db), 0);
}
END_TEST

/* A number the server gave to a transaction whose log was not flushed is given again after a crash: what became of the
 * second one says nothing of the first. */
START_TEST(crash_undoes_what_another_s_commit_does_not_redo)
{
	struct db *db = open_steps(1), *other = open_steps(1);
	int i;

	ck_assert_err(db_begin(db), GBA_OK);
	ck_assert_err(insert(db, 1, "lost", BYTES_NONE), GBA_OK);
	pg_server_crash();
	for (i = 0; i < 10; i++)
		ck_assert_err(insert(other, 100 + i, NULL, BYTES_NONE), GBA_OK);
	ck_assert_err(db_commit(db), GBA_E_UNREACHABLE);
	ck_assert_int_eq(count_rows(db), 10);
}
END_TEST

START_TEST(quiet_commits_are_not_told)
{
	struct db *db = open_steps(1), *other = open_steps(1);
	int64_t before = db_data_version(db);

	ck_assert_err(db_begin(other), GBA_OK);
	ck_assert_err(insert(other, 1, "a", BYTES_NONE), GBA_OK);
	ck_assert_err(db_commit_quiet(other), GBA_OK);
	ck_assert_int_eq(db_data_version(db), before);
	ck_assert_err(insert(db, 2, "own", BYTES_NONE), GBA_OK); /* one's own are no news either */
	ck_assert_int_eq(db_data_version(db), before);
	ck_assert_err(insert(other, 3, "c", BYTES_NONE), GBA_OK);
	ck_assert_int_ne(db_data_version(db), before);
}
END_TEST

static struct db_duty *duty_of(struct db *db, const char *holder)
{
	struct db_duty *duty = NULL;

	ck_assert_err(db_duty_new(db, db, "bell", holder, 6000, &duty), GBA_OK);
	return duty;
}

START_TEST(duty_is_one_s_at_a_time)
{
	struct db *db = open_steps(3), *other = open_steps(3);
	struct db_duty *a = duty_of(db, "a"), *b = duty_of(other, "b"), *again;

	ck_assert(db_duty_mine(a, 1000));
	ck_assert(!db_duty_mine(b, 500000)); /* its clock is another one; the lease runs from its first look */
	ck_assert(db_duty_mine(a, 1999));
	ck_assert(!db_duty_mine(b, 505999));
	ck_assert(db_duty_mine(a, 2000)); /* renews: a sixth of the lease is over */
	ck_assert(!db_duty_mine(b, 506000));
	ck_assert(!db_duty_mine(b, 511999));
	ck_assert(db_duty_mine(b, 512000)); /* a has been silent for a lease */
	ck_assert(!db_duty_mine(a, 3000));
	ck_assert(db_duty_mine(b, 512001));
	again = duty_of(other, "b"); /* restarted */
	ck_assert(db_duty_mine(again, 7));
	talloc_free(db);
	talloc_free(other);
}
END_TEST

START_TEST(duty_that_is_left_is_taken_at_once)
{
	struct db *db = open_steps(3), *other = open_steps(3);
	struct db_duty *a = duty_of(db, "a"), *b = duty_of(other, "b");

	ck_assert(db_duty_mine(a, 1000));
	db_duty_leave(b); /* is not its own */
	ck_assert(!db_duty_mine(b, 1000));
	db_duty_leave(a);
	ck_assert(db_duty_mine(b, 1001));
	ck_assert(!db_duty_mine(a, 1002));
	talloc_free(db);
	talloc_free(other);
}
END_TEST

START_TEST(a_part_is_undone_alone)
{
	struct db *db = open_steps(1);

	ck_assert_err(db_begin(db), GBA_OK);
	ck_assert_err(insert(db, 1, "one", BYTES_NONE), GBA_OK);
	ck_assert_err(db_part_begin(db), GBA_OK);
	ck_assert_err(insert(db, 2, "two", BYTES_NONE), GBA_OK);
	ck_assert_err(insert(db, 3, "two", BYTES_NONE), GBA_E_EXISTS);
	ck_assert_err(db_part_undo(db), GBA_OK);
	ck_assert_err(db_part_begin(db), GBA_OK);
	ck_assert_err(insert(db, 2, "two again", BYTES_NONE), GBA_OK);
	ck_assert_err(db_part_keep(db), GBA_OK);
	ck_assert_err(db_part_begin(db), GBA_OK);
	ck_assert_err(insert(db, 4, "four", BYTES_NONE), GBA_OK);
	ck_assert_err(db_part_undo(db), GBA_OK);
	ck_assert_err(db_commit(db), GBA_OK);
	ck_assert_int_eq(count_rows(db), 2);
	ck_assert(db_part_begin(db) != GBA_OK); /* outside of a transaction */
}
END_TEST

START_TEST(one_handle_claims_and_others_work)
{
	struct db *db = open_steps(1), *other = open_steps(1);
	int tries;

	ck_assert_err(db_claim(db), GBA_OK);
	ck_assert_err(db_claim(db), GBA_OK);
	ck_assert_err(db_claim(other), GBA_E_BUSY);
	ck_assert_err(insert(other, 1, "one", BYTES_NONE), GBA_OK);
	talloc_free(db);
	for (tries = 0; db_claim(other) == GBA_E_BUSY && tries < 1500; tries++) /* a server's session ends in its own time */
		usleep(10000);
	ck_assert_err(db_claim(other), GBA_OK);
}
END_TEST

static void both_add(TCase *tc)
{
	tcase_add_test(tc, a_part_is_undone_alone);
	tcase_add_test(tc, one_handle_claims_and_others_work);
	tcase_add_test(tc, duty_is_one_s_at_a_time);
	tcase_add_test(tc, duty_that_is_left_is_taken_at_once);
	tcase_add_test(tc, values_come_back);
	tcase_add_test(tc, unique_is_told_apart_from_other_errors);
	tcase_add_test(tc, migrates_once_and_keeps_rows);
	tcase_add_test(tc, newer_file_is_refused);
	tcase_add_test(tc, failed_migration_leaves_old_version);
	tcase_add_test(tc, rollback_undoes_and_version_tells_others);
	tcase_add_test(tc, second_writer_is_busy_then_goes_on);
	tcase_add_test(tc, committed_rows_survive_kill);
	tcase_add_test(tc, failed_insert_leaves_the_transaction);
	tcase_add_test(tc, ids_are_made_and_never_reused);
	tcase_add_test(tc, texts_are_in_the_order_of_their_octets);
}

static int64_t number(struct db *db, const char *sql)
{
	struct db_stmt *stmt = prepared(db, sql);
	bool row = false;
	int64_t n;

	ck_assert_err(db_step(stmt, &row), GBA_OK);
	ck_assert(row);
	n = db_col_int(stmt, 0);
	talloc_free(stmt);
	return n;
}

static void fill(struct db *db, int64_t rows)
{
	static const uint8_t body[200];
	char name[64];
	int64_t id;

	ck_assert_err(db_begin(db), GBA_OK);
	for (id = 1; id <= rows; id++) {
		snprintf(name, sizeof(name), "a name of some length, so that trees grow %lld", (long long)id);
		ck_assert_err(insert(db, id, name, BYTES(body, sizeof(body))), GBA_OK);
	}
	ck_assert_err(db_commit(db), GBA_OK);
}

/* SQLite's own table of pages is the oracle: what is no leaf, and of each tree the one leaf that says that its level is the lowest. */
START_TEST(upper_pages_are_read)
{
	struct db *db = open_steps(2);
	uint64_t octets = 1, page;
	_Atomic bool stop = true;

	ck_assert_err(db_warm(db, 1 << 30, NULL, &octets), GBA_OK);
	fill(db, 20000);
	talloc_free(db); /* the file is whole then */
	db = open_steps(2);
	page = (uint64_t)number(db, "PRAGMA page_size");
	ck_assert_int_gt(number(db, "SELECT count(*) FROM dbstat WHERE pagetype = 'internal'"), 10);
	ck_assert_err(db_warm(db, 1 << 30, NULL, &octets), GBA_OK);
	ck_assert_uint_eq(octets, page * (uint64_t)number(db, "SELECT count(*) FROM dbstat WHERE pagetype = 'internal'") +
				  page * (uint64_t)number(db, "SELECT count(*) FROM sqlite_schema WHERE rootpage > 0"));
	ck_assert_err(db_warm(db, 3 * page + 1, NULL, &octets), GBA_OK);
	ck_assert_uint_eq(octets, 3 * page);
	ck_assert_err(db_warm(db, 1 << 30, &stop, &octets), GBA_OK);
	ck_assert_uint_eq(octets, 0);
	ck_assert_int_eq(count_rows(db), 20000);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

static TCase *server_case(void)
{
	TCase *tc = fixture_tcase("postgresql");

	tcase_add_checked_fixture(tc, schema_make, NULL);
	both_add(tc);
	tcase_add_loop_test(tc, server_that_may_lose_commits_is_refused, 0, ROWS(unsafe_rows));
	tcase_add_test(tc, what_cannot_be_reached_says_so);
	tcase_add_test(tc, lost_connections_are_survived);
	tcase_add_test(tc, interrupted_commit_is_looked_up);
	tcase_add_test(tc, commit_that_nobody_can_tell_about_is_uncertain);
	tcase_add_test(tc, quiet_commit_is_not_waited_for);
	tcase_add_test(tc, crash_undoes_what_another_s_commit_does_not_redo);
	tcase_add_test(tc, quiet_commits_are_not_told);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = fixture_tcase("db");
	int failed;

	tcase_add_loop_test(tc, dialect_is_translated, 0, ROWS(dialect_rows));
	tcase_add_loop_test(tc, what_writes_is_known, 0, ROWS(verb_rows));
	tcase_add_loop_test(tc, passwords_are_not_shown, 0, ROWS(mask_rows));
	tcase_add_checked_fixture(tc, folder_make, folder_remove);
	both_add(tc);
	tcase_add_test(tc, file_is_private);
	tcase_add_test(tc, upper_pages_are_read);
	tcase_add_test(tc, foreign_file_is_refused);
	tcase_add_test(tc, no_space_is_clear_and_loses_nothing);
	suite_add_tcase(suite, tc);
	if (pg_server_start())
		suite_add_tcase(suite, server_case());
	else
		printf("no PostgreSQL server here: its half is left out\n");
	failed = fixture_run(suite);
	pg_server_stop();
	return failed;
}
