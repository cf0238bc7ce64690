/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be done over a restart: nothing is lost, nothing done comes back, whatever a crash has left of the last line. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bsf/journal.h"
#include "common/fixture.h"

static char path[64];

static void setup(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/check_bsf_journal.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	unlink(path);
}

static void teardown(void)
{
	unlink(path);
}

static struct {
	unsigned int n;
	uint64_t ids[8];
	char texts[8][64];
	const char *refuse;
} found;

static bool on_each(void *arg, uint64_t id, struct bytes text)
{
	ck_assert_ptr_eq(arg, &found);
	ck_assert_uint_lt(found.n, 8);
	snprintf(found.texts[found.n], sizeof(found.texts[0]), "%.*s", BYTES_FMT(text));
	found.ids[found.n++] = id;
	return found.refuse == NULL || strcmp(found.texts[found.n - 1], found.refuse) != 0;
}

static struct journal *opened(void)
{
	struct journal *journal;

	found.n = 0;
	ck_assert_err(journal_open(test_ctx, path, on_each, &found, &journal), GBA_OK);
	return journal;
}

static uint64_t add(struct journal *journal, const char *text)
{
	uint64_t id = journal_add(journal, bytes_of(text));

	ck_assert_uint_ne(id, 0);
	return id;
}

static void put_file(const char *content)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(content, file);
	fclose(file);
}

START_TEST(what_is_not_done_comes_back_in_order)
{
	struct journal *journal = opened();
	struct stat st;
	uint64_t one, two;

	ck_assert_uint_eq(found.n, 0);
	one = add(journal, "one");
	two = add(journal, "two words");
	add(journal, "three");
	journal_done(journal, two);
	journal_done(journal, two); /* twice is once */
	journal_done(journal, 999);
	ck_assert_err(journal_sync(journal), GBA_OK);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	talloc_free(journal);
	journal = opened();
	ck_assert_uint_eq(found.n, 2);
	ck_assert_str_eq(found.texts[0], "one");
	ck_assert_str_eq(found.texts[1], "three");
	ck_assert_uint_eq(found.ids[0], one);
	ck_assert_uint_gt(add(journal, "four"), found.ids[1]); /* no number twice */
	journal_done(journal, one);
	talloc_free(journal);
	found.refuse = "three"; /* of no use any more: forgotten */
	journal = opened();
	found.refuse = NULL;
	talloc_free(journal);
	journal = opened();
	ck_assert_uint_eq(found.n, 1);
	ck_assert_str_eq(found.texts[0], "four");
	talloc_free(journal);
}
END_TEST

static const struct {
	const char *name, *content;
	enum gba_err want;
	unsigned int n;
	const char *first;
} file_rows[] = {
	{ "empty", "", GBA_OK, 0, NULL },
	{ "one", "+1 a\n", GBA_OK, 1, "a" },
	{ "done", "+1 a\n-1\n", GBA_OK, 0, NULL },
	{ "done before it came", "-1\n+2 b\n", GBA_OK, 1, "b" },
	{ "cut in the text", "+1 a\n+2 bb", GBA_OK, 1, "a" },
	{ "cut in the number", "+1 a\n-", GBA_OK, 1, "a" },
	{ "no text", "+1 \n", GBA_OK, 1, "" },
	{ "no sign", "1 a\n", GBA_E_CORRUPT, 0, NULL },
	{ "no number", "+ a\n", GBA_E_CORRUPT, 0, NULL },
	{ "no blank", "+1\n", GBA_E_CORRUPT, 0, NULL },
	{ "empty line", "+1 a\n\n", GBA_E_CORRUPT, 0, NULL },
	{ "another file", "\x7f""ELF\n", GBA_E_CORRUPT, 0, NULL },
};

START_TEST(file_is_read_as_it_was_left)
{
	struct journal *journal = NULL;
	enum gba_err err;

	put_file(file_rows[_i].content);
	found.n = 0;
	err = journal_open(test_ctx, path, on_each, &found, &journal);
	ck_assert_msg(err == file_rows[_i].want, "%s: %s", file_rows[_i].name, gba_err_name(err));
	if (err != GBA_OK)
		return;
	ck_assert_msg(found.n == file_rows[_i].n, "%s: %u found", file_rows[_i].name, found.n);
	if (found.n > 0)
		ck_assert_str_eq(found.texts[0], file_rows[_i].first);
	add(journal, "more"); /* goes into a line of its own */
	talloc_free(journal);
	talloc_free(opened());
	ck_assert_uint_eq(found.n, file_rows[_i].n + 1);
}
END_TEST

START_TEST(the_file_does_not_grow_with_what_is_done)
{
	struct journal *journal = opened();
	char text[1001] = "";
	struct stat st;
	int i;

	memset(text, 'x', sizeof(text) - 1);
	for (i = 0; i < 5000; i++)
		journal_done(journal, add(journal, text));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_lt(st.st_size, 2 << 20);
	add(journal, "kept");
	talloc_free(journal);
	talloc_free(opened());
	ck_assert_uint_eq(found.n, 1);
	ck_assert_uint_eq(journal_add(NULL, bytes_of("x")), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bsf_journal");
	TCase *tc = fixture_tcase("journal");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_not_done_comes_back_in_order);
	tcase_add_loop_test(tc, file_is_read_as_it_was_left, 0, (int)(sizeof(file_rows) / sizeof(file_rows[0])));
	tcase_add_test(tc, the_file_does_not_grow_with_what_is_done);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
