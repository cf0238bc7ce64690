/* SPDX-License-Identifier: Apache-2.0 */
/* The log of transactions. REQ: Y3059-7-i-c */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fixture.h"
#include "jose/jws.h"
#include "merkle/receipt.h"
#include "merkle/walk.h"
#include "registry-fn/log/entry.h"
#include "registry-fn/log/entry_schema.h"

#define T0 1800000000

static const char history[] = RECORD_HISTORY;
static const struct db_migration steps[] = { { entry_schema_1 }, { history } };
static char folder[64], database[96], key_path[96];
static struct sign_key *key;

static void folder_make(void)
{
	strcpy(folder, "/tmp/check_registry_log.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(database, sizeof(database), "%s/registry.db", folder);
	snprintf(key_path, sizeof(key_path), "%s/registry.key", folder);
}

static void folder_remove(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static struct db *open_db(void)
{
	const char *error = "";
	struct db *db = NULL;

	ck_assert_msg(db_open(test_ctx, database, steps, 2, &db, &error) == GBA_OK, "%s", error);
	return db;
}

static struct entry_log *open_log(struct db *db)
{
	struct entry_log *log = NULL;

	key = NULL;
	ck_assert_err(sign_key_open(test_ctx, key_path, true, &key), GBA_OK);
	ck_assert_err(entry_log_open(db, db, "IN1", key, &log), GBA_OK);
	return log;
}

static void append(struct db *db, struct entry_log *log, int count)
{
	struct entry entry = { .act = "status.set", .by = "system", .result = GBA_OK };
	char subject[32];
	uint64_t index, size;
	int i;

	for (i = 0; i < count; i++) {
		ck_assert_err(entry_log_size(log, &size), GBA_OK);
		snprintf(subject, sizeof(subject), "IN1-IMEI-%llu", (unsigned long long)size);
		entry.subject = subject;
		ck_assert_err(db_begin(db), GBA_OK);
		ck_assert_err(entry_append(log, &entry, T0 + i, &index), GBA_OK);
		ck_assert_uint_eq(index, size);
		ck_assert_err(db_commit(db), GBA_OK);
	}
}

static void run_sql(struct db *db, const char *sql)
{
	struct db_stmt *stmt;

	ck_assert_err(db_prepare(db, sql, &stmt), GBA_OK);
	ck_assert_err(db_run(stmt, NULL), GBA_OK);
}

START_TEST(receipts_verify_and_bind)
{
	struct db *db = open_db();
	struct entry_log *log = open_log(db);
	json_t *receipt = NULL, *growth = NULL, *text;
	struct merkle_head head;
	char *first = NULL;
	uint64_t i;

	append(db, log, 1);
	ck_assert_err(entry_head(log, test_ctx, T0, &first), GBA_OK);
	append(db, log, 12);
	for (i = 0; i < 13; i++) {
		ck_assert_err(entry_receipt(log, i, T0 + 50, &receipt), GBA_OK);
		ck_assert_err(merkle_receipt_verify(receipt, sign_key_public(key), &head), GBA_OK);
		ck_assert_uint_eq(head.size, 13);
		text = json_object_get(receipt, "entry");
		ck_assert_ptr_nonnull(strstr(json_string_value(text), "\"subject\":\"IN1-IMEI-"));
		json_object_set_new(receipt, "entry", json_string("{}"));
		ck_assert_err(merkle_receipt_verify(receipt, sign_key_public(key), &head), GBA_E_CORRUPT);
		json_decref(receipt);
	}
	ck_assert_err(entry_receipt(log, 13, T0, &receipt), GBA_E_NOT_FOUND);
	ck_assert_err(entry_receipt_growth(log, first, T0 + 60, &growth), GBA_OK);
	ck_assert_err(merkle_receipt_verify(growth, sign_key_public(key), &head), GBA_OK);
	json_array_clear(json_object_get(growth, "consistency"));
	ck_assert_err(merkle_receipt_verify(growth, sign_key_public(key), &head), GBA_E_CORRUPT);
	json_decref(growth);
	talloc_free_children(test_ctx);
}
END_TEST

/* What is rolled back was never in the log. */
START_TEST(entry_and_deed_are_one_transaction)
{
	struct db *db = open_db();
	struct entry_log *log = open_log(db);
	struct entry entry = { .act = "device.register", .by = "device:X", .result = GBA_OK };
	uint64_t size, index = 99;

	append(db, log, 3);
	ck_assert_err(db_begin(db), GBA_OK);
	ck_assert_err(entry_append(log, &entry, T0, &index), GBA_OK);
	ck_assert_uint_eq(index, 3);
	db_rollback(db);
	ck_assert_err(entry_log_size(log, &size), GBA_OK);
	ck_assert_uint_eq(size, 3);
	append(db, log, 5); /* no node of the tree is left behind, either */
	talloc_free_children(test_ctx);
}
END_TEST

static enum gba_err walk(struct entry_log *log, char fault[MERKLE_WALK_FAULT], struct merkle_walked *_walked)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	struct merkle_walk *walk = NULL;
	struct entry_row *rows;
	size_t n = 0, i;
	char **heads;
	enum gba_err err;

	ck_assert_err(merkle_walk_new(ctx, sign_key_public(key), &walk), GBA_OK);
	ck_assert_err(entry_heads(log, ctx, 10, &heads, &n), GBA_OK);
	for (i = 0; i < n; i++)
		ck_assert_err(merkle_walk_head(walk, bytes_of(heads[i])), GBA_OK);
	err = entry_read(log, ctx, 0, 100, &rows, &n);
	for (i = 0; err == GBA_OK && i < n; i++)
		err = merkle_walk_entry(walk, bytes_of(rows[i].text), fault);
	if (err == GBA_OK)
		err = merkle_walk_end(walk, _walked, fault);
	talloc_free(ctx);
	return err;
}

/* Every entry changed, removed, or exchanged with its neighbour. */
START_TEST(every_alteration_is_found)
{
	struct db *db = open_db();
	struct entry_log *log = open_log(db);
	char sql[256], fault[MERKLE_WALK_FAULT] = "";
	struct merkle_walked walked;
	bool kept = false;
	int i, way;

	append(db, log, 10);
	ck_assert_err(entry_head_keep(log, T0, &kept), GBA_OK);
	ck_assert(kept);
	append(db, log, 13);
	ck_assert_err(entry_head_keep(log, T0, &kept), GBA_OK);
	ck_assert_err(entry_head_keep(log, T0, &kept), GBA_OK);
	ck_assert(!kept);
	ck_assert_err(walk(log, fault, &walked), GBA_OK);
	ck_assert(walked.entries == 23 && walked.heads == 2 && walked.signed_size == 23);
	for (i = 0; i < 23; i++) {
		for (way = 0; way < 3; way++) {
			ck_assert_err(db_begin(db), GBA_OK);
			if (way == 0)
				snprintf(sql, sizeof(sql), "UPDATE log_entry SET leaf = leaf || ' ' WHERE idx = %d", i);
			else if (way == 1)
				snprintf(sql, sizeof(sql), "DELETE FROM log_entry WHERE idx = %d", i);
			else
				snprintf(sql, sizeof(sql), "UPDATE log_entry SET leaf = (SELECT b.leaf FROM log_entry AS b"
					 " WHERE b.idx = %d - log_entry.idx) WHERE idx IN (%d, %d)", 2 * i + (i < 22 ? 1 : -1), i,
					 i < 22 ? i + 1 : i - 1);
			run_sql(db, sql);
			ck_assert_msg(walk(log, fault, &walked) == GBA_E_CORRUPT, "entry %d, way %d", i, way);
			if (way != 1)
				ck_assert_ptr_nonnull(strstr(fault, i < 9 ? "entries 0 to 9" : i > 9 ? "entries 10 to 22" : "entries"));
			db_rollback(db);
		}
	}
	ck_assert_err(walk(log, fault, &walked), GBA_OK);
	talloc_free_children(test_ctx);
}
END_TEST

/* An end that was removed together with the heads: only a head kept elsewhere knows. A whole log written anew: too. */
START_TEST(witness_finds_a_shorter_or_other_log)
{
	struct db *db = open_db();
	struct entry_log *log = open_log(db);
	struct merkle_walk *w = NULL;
	struct merkle_walked walked;
	struct entry_row *rows;
	char *witness = NULL, fault[MERKLE_WALK_FAULT];
	json_t *growth;
	size_t n, i;

	append(db, log, 7);
	ck_assert_err(entry_head(log, test_ctx, T0, &witness), GBA_OK);
	run_sql(db, "DELETE FROM log_entry WHERE idx >= 5");
	ck_assert_err(merkle_walk_new(test_ctx, sign_key_public(key), &w), GBA_OK);
	ck_assert_err(merkle_walk_head(w, bytes_of(witness)), GBA_OK);
	ck_assert_err(entry_read(log, test_ctx, 0, 100, &rows, &n), GBA_OK);
	for (i = 0; i < n; i++)
		ck_assert_err(merkle_walk_entry(w, bytes_of(rows[i].text), fault), GBA_OK);
	ck_assert_err(merkle_walk_end(w, &walked, fault), GBA_E_CORRUPT);
	ck_assert_ptr_nonnull(strstr(fault, "5 entries are there, a signed head tells of 7"));
	ck_assert_err(entry_receipt_growth(log, witness, T0, &growth), GBA_E_CORRUPT);
	talloc_free_children(test_ctx);
}
END_TEST

START_TEST(changes_of_records_are_bound_without_their_values)
{
	struct db *db = open_db();
	struct entry_log *log = open_log(db);
	const char change[] = "{\"name\":[null,\"Asha Rao\"],\"state\":[null,1]}";
	struct entry_row *rows;
	uint64_t size;
	size_t n;

	run_sql(db, "INSERT INTO history (kind, record, rev, at, who, act, change) VALUES (0, 5, 1, 1, 'admin:1', 'add',"
		    " '{\"name\":[null,\"Asha Rao\"],\"state\":[null,1]}')");
	run_sql(db, "INSERT INTO history (kind, record, rev, at, who, act, change) VALUES (1, 6, 1, 1, 'admin:1', 'remove', '{}')");
	ck_assert_err(db_begin(db), GBA_OK);
	ck_assert_err(entry_append_changes(log, T0), GBA_OK);
	ck_assert_err(entry_append_changes(log, T0), GBA_OK);
	ck_assert_err(db_commit(db), GBA_OK);
	ck_assert_err(entry_log_size(log, &size), GBA_OK);
	ck_assert_uint_eq(size, 2);
	ck_assert_err(entry_read(log, test_ctx, 0, 2, &rows, &n), GBA_OK);
	ck_assert_ptr_null(strstr(rows[0].text, "Asha"));
	ck_assert_ptr_nonnull(strstr(rows[0].text, "\"members\":[\"name\",\"state\"]"));
	ck_assert_err(entry_evidence(log, 0, bytes_of(change)), GBA_OK);
	ck_assert_err(entry_evidence(log, 0, bytes_of("{}")), GBA_E_CORRUPT);
	ck_assert_err(entry_evidence(log, 1, bytes_of("{}")), GBA_OK);
	run_sql(db, "UPDATE log_entry SET salt = NULL"); /* forgotten: nobody can try names against the digest any more */
	ck_assert_err(entry_evidence(log, 0, bytes_of(change)), GBA_E_CORRUPT);
	ck_assert_err(entry_evidence(log, 7, bytes_of(change)), GBA_E_NOT_FOUND);
	talloc_free_children(test_ctx);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registry log");
	TCase *tc = fixture_tcase("log");

	tcase_add_checked_fixture(tc, folder_make, folder_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, receipts_verify_and_bind);
	tcase_add_test(tc, entry_and_deed_are_one_transaction);
	tcase_add_test(tc, every_alteration_is_found);
	tcase_add_test(tc, witness_finds_a_shorter_or_other_log);
	tcase_add_test(tc, changes_of_records_are_bound_without_their_values);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
