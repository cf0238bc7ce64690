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
#include "store/db.h"

static const struct db_migration steps[] = {
	{ "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, body BLOB) STRICT" },
	{ "ALTER TABLE t ADD COLUMN extra INTEGER; CREATE INDEX t_extra ON t (extra)" },
};
static char folder[] = "/tmp/check_store.XXXXXX", path[64];

static void folder_make(void)
{
	strcpy(folder, "/tmp/check_store.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.db", folder);
}

static void folder_remove(void)
{
	static const char *const tails[] = { "", "-wal", "-shm" };
	char name[96];
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		unlink(name);
	}
	rmdir(folder);
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
	ck_assert_err(db_commit(db), GBA_OK);
	ck_assert_err(db_begin(other), GBA_OK);
	db_rollback(other);
}
END_TEST

/* REQ of the design: a committed write survives kill -9. The child tells each commit through a pipe, then dies at once.
 */
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

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = fixture_tcase("db");

	tcase_add_checked_fixture(tc, folder_make, folder_remove);
	tcase_add_test(tc, file_is_private);
	tcase_add_test(tc, values_come_back);
	tcase_add_test(tc, unique_is_told_apart_from_other_errors);
	tcase_add_test(tc, migrates_once_and_keeps_rows);
	tcase_add_test(tc, newer_file_is_refused);
	tcase_add_test(tc, failed_migration_leaves_old_version);
	tcase_add_test(tc, foreign_file_is_refused);
	tcase_add_test(tc, rollback_undoes_and_version_tells_others);
	tcase_add_test(tc, second_writer_is_busy_then_goes_on);
	tcase_add_test(tc, committed_rows_survive_kill);
	tcase_add_test(tc, no_space_is_clear_and_loses_nothing);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
