/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"
#include "common/fixture.h"
#include "core/codec.h"
#include "crypto/sign.h"

static char folder[64], path[96], key_path[96], head_path[96];

static void folder_make(void)
{
	strcpy(folder, "/tmp/check_audit.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/audit.log", folder);
	snprintf(key_path, sizeof(key_path), "%s/audit.key", folder);
	snprintf(head_path, sizeof(head_path), "%s/audit.log.head", folder);
}

static void folder_remove(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static struct audit *open_log(uint64_t rotate_at)
{
	struct audit_conf conf = { path, key_path, "hss.example.com", rotate_at };
	struct audit *audit = NULL;
	const char *error = "";
	enum gba_err err = audit_open(test_ctx, &conf, &audit, &error);

	ck_assert_msg(err == GBA_OK, "%s", error);
	return audit;
}

static enum gba_err note(struct audit *audit, const char *object, bool durable)
{
	struct audit_entry entry = { .act = "asp.add", .role = "admin", .who = bytes_of("alice"), .object = bytes_of(object),
				     .why = bytes_of("ticket \"7\"\n"), .durable = durable };

	return audit_note(audit, &entry);
}

/* One log of five lines, closed. */
static void small_log(void)
{
	struct audit *audit = open_log(0);
	char object[16];
	int i;

	for (i = 0; i < 5; i++) {
		snprintf(object, sizeof(object), "asp-%d", i);
		ck_assert_err(note(audit, object, i % 2 == 0), GBA_OK);
	}
	audit_close(audit);
}

static enum gba_err verify(const char *witness, struct audit_report *_report)
{
	TALLOC_CTX *ctx = talloc_new(test_ctx);
	enum gba_err err = audit_verify(ctx, path, NULL, witness, _report);

	ck_assert_msg(err != GBA_E_CORRUPT || _report->fault != NULL, "a fault without a word");
	talloc_free(ctx);
	return err;
}

static size_t read_file(const char *name, char *buf, size_t cap)
{
	FILE *file = fopen(name, "r");
	size_t n;

	ck_assert_ptr_nonnull(file);
	n = fread(buf, 1, cap, file);
	fclose(file);
	return n;
}

static void write_file(const char *name, const char *buf, size_t n)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(buf, 1, n, file), n);
	fclose(file);
}

/* RFC 8032 7.1, TEST 1 to 3. */
static const struct sign_row {
	const char *seed, *public, *message, *signature;
} sign_rows[] = {
	{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
	{ "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
	{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	  "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
};

START_TEST(signs_as_specified)
{
	const struct sign_row *row = &sign_rows[_i];
	struct bytes message = fixture_hex(row->message), want = fixture_hex(row->signature);
	uint8_t signature[SIGN_LEN];
	struct sign_key *key = NULL;

	write_file(key_path, row->seed, strlen(row->seed));
	ck_assert_int_eq(chmod(key_path, 0600), 0);
	ck_assert_err(sign_key_open(test_ctx, key_path, false, &key), GBA_OK);
	ck_assert_bytes(BYTES(sign_key_public(key), SIGN_PUBLIC_LEN), fixture_hex(row->public), "public key");
	ck_assert_err(sign(key, message, signature), GBA_OK);
	ck_assert_bytes(BYTES(signature, SIGN_LEN), want, "signature");
	ck_assert_err(sign_verify(sign_key_public(key), message, signature), GBA_OK);
	signature[_i * 20] ^= 1;
	ck_assert_err(sign_verify(sign_key_public(key), message, signature), GBA_E_CORRUPT);
}
END_TEST

START_TEST(good_log_verifies)
{
	struct audit_report report;

	small_log();
	ck_assert_err(verify(NULL, &report), GBA_OK);
	ck_assert_uint_eq(report.first, 1);
	ck_assert_uint_eq(report.last, 5);
	ck_assert_uint_eq(report.signed_upto, 5);
}
END_TEST

/* REQ: Y3056-11-6 */
START_TEST(every_changed_octet_is_found)
{
	static const char *const names[] = { "", ".head", ".pub" };
	static const uint8_t flips[] = { 0x01, 0x20, 0x80 };
	char name[112], was[8192];
	struct audit_report report;
	size_t n, i, f, k;

	small_log();
	for (k = 0; k < 3; k++) {
		snprintf(name, sizeof(name), "%s%s", path, names[k]);
		n = read_file(name, was, sizeof(was));
		ck_assert_uint_lt(n, sizeof(was));
		for (i = 0; i < n * 3; i++) {
			f = i % 3;
			was[i / 3] = (char)((uint8_t)was[i / 3] ^ flips[f]);
			write_file(name, was, n);
			/* the key as hex: a digit in the other case is the same key */
			if (k != 2 || flips[f] != 0x20)
				ck_assert_msg(verify(NULL, &report) == GBA_E_CORRUPT, "%s: octet %zu ^ %#x not found", names[k], i / 3,
					      flips[f]);
			was[i / 3] = (char)((uint8_t)was[i / 3] ^ flips[f]);
		}
		write_file(name, was, n);
		ck_assert_err(verify(NULL, &report), GBA_OK);
	}
}
END_TEST

/* The five lines in another order, some of them twice or not at all. */
static const char *const orders[] = { "1234", "123", "12", "1", "", "2345", "345", "1345", "1245", "1235", "21345", "13245", "12435",
				      "12354", "112345", "123455", "5", "54321", "1234512345", "1234535" };

START_TEST(removed_moved_and_doubled_lines_are_found)
{
	char was[8192], now[16384], *lines[6];
	struct audit_report report;
	size_t n = 0, i;
	const char *c;

	small_log();
	was[read_file(path, was, sizeof(was) - 1)] = '\0';
	lines[0] = was;
	for (i = 1; i <= 5; i++)
		lines[i] = strchr(lines[i - 1], '\n') + 1;
	for (c = orders[_i]; *c != '\0'; c++) {
		i = (size_t)(*c - '1');
		memcpy(now + n, lines[i], (size_t)(lines[i + 1] - lines[i]));
		n += (size_t)(lines[i + 1] - lines[i]);
	}
	write_file(path, now, n);
	ck_assert_msg(verify(NULL, &report) == GBA_E_CORRUPT, "order %s not found", orders[_i]);
}
END_TEST

START_TEST(cut_tail_refuses_to_open)
{
	struct audit_conf conf = { path, key_path, "hss.example.com", 0 };
	struct audit *audit = NULL;
	const char *error = "";
	struct stat st;

	small_log();
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(truncate(path, st.st_size - 10), 0);
	ck_assert_err(audit_open(test_ctx, &conf, &audit, &error), GBA_E_CORRUPT);
	ck_assert_ptr_nonnull(strstr(error, "audit verify"));
}
END_TEST

/* A line that was not acknowledged, left in parts by a crash, goes; the log goes on. */
START_TEST(unfinished_line_is_dropped_and_noted)
{
	struct audit_report report;
	struct audit *audit;
	FILE *file;

	small_log();
	file = fopen(path, "a");
	fputs("{\"seq\":6,\"time\":\"2026", file);
	fclose(file);
	ck_assert_err(verify(NULL, &report), GBA_E_CORRUPT);
	audit = open_log(0);
	ck_assert_err(note(audit, "after", true), GBA_OK);
	audit_close(audit);
	ck_assert_err(verify(NULL, &report), GBA_OK);
	ck_assert_uint_eq(report.last, 7); /* audit.recovered is the sixth */
}
END_TEST

START_TEST(old_end_is_a_witness)
{
	char copy[112], head[512];
	struct audit_report report;
	struct audit *audit;
	size_t n;

	small_log();
	snprintf(copy, sizeof(copy), "%s/witness", folder);
	n = read_file(head_path, head, sizeof(head));
	write_file(copy, head, n);
	audit = open_log(0);
	ck_assert_err(note(audit, "later", true), GBA_OK);
	audit_close(audit);
	ck_assert_err(verify(copy, &report), GBA_OK);
	/* Somebody who has the key makes the log anew. */
	unlink(path);
	unlink(head_path);
	audit = open_log(0);
	for (n = 0; n < 7; n++)
		ck_assert_err(note(audit, "forged", true), GBA_OK);
	audit_close(audit);
	ck_assert_err(verify(NULL, &report), GBA_OK);
	ck_assert_err(verify(copy, &report), GBA_E_CORRUPT);
}
END_TEST

static bool count_line(void *arg, struct bytes json)
{
	int *left = arg;

	ck_assert(json.n > 2 && json.p[0] == '{' && json.p[json.n - 1] == '}');
	return --*left > 0;
}

START_TEST(rotated_files_are_one_log)
{
	struct audit *audit = open_log(2000);
	struct audit_report report;
	char command[256];
	int i, left = 1000;

	for (i = 0; i < 40; i++)
		ck_assert_str_eq(gba_err_name(note(audit, "asp", i % 3 == 0)), "GBA_OK");
	audit_close(audit);
	audit = open_log(2000);
	ck_assert_err(note(audit, "again", true), GBA_OK);
	audit_close(audit);
	ck_assert_err(verify(NULL, &report), GBA_OK);
	ck_assert_uint_eq(report.first, 1);
	ck_assert_uint_gt(report.last, 41 + 2); /* each new file begins with a line of its own */
	ck_assert_err(audit_read(test_ctx, path, count_line, &left), GBA_OK);
	ck_assert_int_eq(1000 - left, (int)report.last);
	/* The oldest file taken to an archive: the rest still verifies, and says where it begins. */
	snprintf(command, sizeof(command), "rm \"$(ls %s.0* | head -1)\"", path);
	ck_assert_int_eq(system(command), 0);
	ck_assert_err(verify(NULL, &report), GBA_OK);
	ck_assert_uint_gt(report.first, 1);
	/* One from the middle: a gap. */
	snprintf(command, sizeof(command), "rm \"$(ls %s.0* | head -2 | tail -1)\"", path);
	ck_assert_int_eq(system(command), 0);
	ck_assert_err(verify(NULL, &report), GBA_E_CORRUPT);
}
END_TEST

START_TEST(writers_of_two_processes_make_one_chain)
{
	struct audit_report report;
	struct audit *audit;
	pid_t pids[3];
	int status, i, k;

	for (k = 0; k < 3; k++) {
		pids[k] = fork();
		if (pids[k] == 0) {
			audit = open_log(4000);
			for (i = 0; i < 50; i++) {
				if (note(audit, "x", i % 10 == 0) != GBA_OK)
					_exit(1);
			}
			if (k > 0)
				audit_close(audit);
			_exit(0); /* the first one without a word */
		}
	}
	for (k = 0; k < 3; k++) {
		ck_assert_int_eq(waitpid(pids[k], &status, 0), pids[k]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_err(verify(NULL, &report), GBA_OK);
	ck_assert_uint_ge(report.last, 150);
}
END_TEST

START_TEST(full_disk_is_said_and_nothing_is_torn)
{
	struct rlimit before, small = { .rlim_cur = 3000 };
	struct audit *audit = open_log(0);
	struct audit_report report;
	enum gba_err err = GBA_OK;
	uint64_t done = 0;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	while (err == GBA_OK && done < 1000) {
		err = note(audit, "x", true);
		done += err == GBA_OK;
	}
	ck_assert_err(err, GBA_E_NOSPACE);
	ck_assert_err(note(audit, "x", true), GBA_E_NOSPACE);
	setrlimit(RLIMIT_FSIZE, &before);
	ck_assert_err(verify(NULL, &report), GBA_OK);
	ck_assert_uint_eq(report.last, done);
	ck_assert_err(note(audit, "x", true), GBA_OK);
	audit_close(audit);
	ck_assert_err(verify(NULL, &report), GBA_OK);
	ck_assert_uint_eq(report.last, done + 1);
}
END_TEST

START_TEST(long_values_are_cut_and_cannot_break_out)
{
	char value[600], line[16384];
	struct audit_entry entry = { .act = "x", .who = BYTES(value, sizeof(value)), .object = BYTES(value, sizeof(value)) };
	struct audit *audit = open_log(0);
	struct audit_report report;

	memset(value, '\n', sizeof(value));
	memcpy(value, "\"}\n{\"seq\":2,", 12);
	ck_assert_err(audit_note(audit, &entry), GBA_OK);
	audit_close(audit);
	line[read_file(path, line, sizeof(line) - 1)] = '\0';
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
	ck_assert_err(verify(NULL, &report), GBA_OK);
	ck_assert_uint_eq(report.last, 1);
	ck_assert_err(audit_note(NULL, &entry), GBA_OK); /* no log: nothing is kept */
}
END_TEST

/* libgcrypt would end the process: y below 2^192, with either sign of x. */
START_TEST(public_keys_that_are_none_are_refused)
{
	uint8_t public[SIGN_PUBLIC_LEN] = { 0xd7, 0x5a }, signature[SIGN_LEN] = { 1 };

	ck_assert_err(sign_verify(public, bytes_of("x"), signature), GBA_E_CORRUPT);
	public[SIGN_PUBLIC_LEN - 1] = 0x80;
	ck_assert_err(sign_verify(public, bytes_of("x"), signature), GBA_E_CORRUPT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit");
	TCase *tc = fixture_tcase("log");

	tcase_add_checked_fixture(tc, folder_make, folder_remove);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, signs_as_specified, 0, sizeof(sign_rows) / sizeof(sign_rows[0]));
	tcase_add_test(tc, good_log_verifies);
	tcase_add_test(tc, every_changed_octet_is_found);
	tcase_add_loop_test(tc, removed_moved_and_doubled_lines_are_found, 0, sizeof(orders) / sizeof(orders[0]));
	tcase_add_test(tc, cut_tail_refuses_to_open);
	tcase_add_test(tc, unfinished_line_is_dropped_and_noted);
	tcase_add_test(tc, old_end_is_a_witness);
	tcase_add_test(tc, rotated_files_are_one_log);
	tcase_add_test(tc, writers_of_two_processes_make_one_chain);
	tcase_add_test(tc, full_disk_is_said_and_nothing_is_torn);
	tcase_add_test(tc, long_values_are_cut_and_cannot_break_out);
	tcase_add_test(tc, public_keys_that_are_none_are_refused);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
