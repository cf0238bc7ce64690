/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual RegDevIDs: who resolves them, until when, how often; and nothing to link two of one device by. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fixture.h"
#include "registry-fn/id/virtual.h"
#include "registry-fn/record/rules.h"

#define NOW 1700000000

static char folder[64];
static struct records *r;
static TALLOC_CTX *bed;
static struct registry_conf conf;

static void bed_open(void)
{
	struct registry *registry;
	const char *why = "";

	strcpy(folder, "/tmp/check_virtual.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	bed = talloc_new(test_ctx);
	conf = (struct registry_conf){ .reg_id = "IN1", .parent = "", .urn_namespace = "regdevid" };
	conf.database = talloc_asprintf(bed, "%s/registry.db", folder);
	conf.kek_file = talloc_asprintf(bed, "%s/kek", folder);
	conf.key_file = talloc_asprintf(bed, "%s/key", folder);
	ck_assert_msg(registry_open(bed, &conf, &registry, &why) == GBA_OK, "%s", why);
	ck_assert_msg(registry_records(bed, registry, &r, &why) == GBA_OK, "%s", why);
}

static void bed_close(void)
{
	struct dirent *entry;
	char path[512];
	DIR *dir;

	talloc_free(bed);
	dir = opendir(folder);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		unlink(path);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(folder);
}

static void issue(const struct virtual_ask *ask, char *out, enum gba_err want)
{
	ck_assert_err(records_begin(r), GBA_OK);
	ck_assert_err(virtual_issue(r, ask, "IN1", NOW, out), want);
	if (want == GBA_OK)
		ck_assert_err(records_commit(r), GBA_OK);
	else
		records_rollback(r);
}

static enum gba_err resolve(const char *text, const char *who, time_t now, int64_t *_device)
{
	enum gba_err err;

	ck_assert_err(records_begin(r), GBA_OK);
	err = virtual_resolve(r, bytes_of(text), who, now, _device);
	ck_assert_err(records_commit(r), GBA_OK);
	return err;
}

/* REQ: Y3059-3.2-6, Y3059-9.2-i-f: resolved for the entitled while valid, and not a second longer. */
START_TEST(timed_ones_end_at_their_time)
{
	const struct virtual_ask ask = { 7, false, 60, "enquirer:5" };
	char text[REGDEVID_MAX + 1];
	int64_t device = 0;

	bed_open();
	issue(&ask, text, GBA_OK);
	ck_assert_err(resolve(text, "enquirer:5", NOW, &device), GBA_OK);
	ck_assert_int_eq(device, 7);
	ck_assert_err(resolve(text, "enquirer:5", NOW + 59, &device), GBA_OK);
	ck_assert_err(resolve(text, "enquirer:5", NOW + 60, &device), GBA_E_NOT_FOUND);
	ck_assert_err(resolve(text, "enquirer:6", NOW, &device), GBA_E_NOT_FOUND);
	ck_assert_err(resolve(text, "", NOW, &device), GBA_E_NOT_FOUND);
	bed_close();
}
END_TEST

START_TEST(single_ones_are_resolved_once)
{
	const struct virtual_ask ask = { 7, true, 60, "" };
	char text[REGDEVID_MAX + 1], late[REGDEVID_MAX + 1];
	int64_t device = 0;

	bed_open();
	issue(&ask, text, GBA_OK);
	issue(&ask, late, GBA_OK);
	ck_assert_err(resolve(text, "enquirer:6", NOW + 1, &device), GBA_OK);
	ck_assert_err(resolve(text, "enquirer:6", NOW + 1, &device), GBA_E_NOT_FOUND);
	ck_assert_err(resolve(late, "enquirer:6", NOW + 60, &device), GBA_E_NOT_FOUND);
	bed_close();
}
END_TEST

/* REQ: Y3059-3.2-6: what is used or over is in no table: it cannot be found out afterwards whose it was. */
START_TEST(what_is_over_is_forgotten)
{
	const struct virtual_ask single = { 7, true, 60, "" }, timed = { 7, false, 60, "" }, longer = { 7, false, 61, "" };
	char text[REGDEVID_MAX + 1];
	struct db_stmt *stmt;
	int64_t left = 0;
	bool some = true;

	bed_open();
	issue(&single, text, GBA_OK);
	ck_assert_err(resolve(text, "enquirer:6", NOW, &left), GBA_OK);
	issue(&timed, text, GBA_OK);
	issue(&longer, text, GBA_OK);
	ck_assert_err(virtual_expired(r, NOW + 59, &some), GBA_OK);
	ck_assert(!some);
	ck_assert_err(virtual_expired(r, NOW + 60, &some), GBA_OK);
	ck_assert(some);
	ck_assert_err(records_begin(r), GBA_OK);
	ck_assert_err(virtual_forget(r, NOW + 60), GBA_OK);
	ck_assert_err(records_commit(r), GBA_OK);
	ck_assert_err(records_stmt(r, "SELECT count(*) FROM virtual_id", &stmt), GBA_OK);
	ck_assert_err(records_int(stmt, &left), GBA_OK);
	ck_assert_int_eq(left, 1);
	ck_assert_err(resolve(text, "", NOW + 60, &left), GBA_OK);
	bed_close();
}
END_TEST

/* Two of one device have no octet in common beyond chance: RegID and code apart, at most 8 of 32 characters at the same place. */
START_TEST(two_of_one_device_are_strangers)
{
	const struct virtual_ask ask = { 7, false, 60, "" };
	char text[2][REGDEVID_MAX + 1];
	size_t same = 0, i;

	bed_open();
	issue(&ask, text[0], GBA_OK);
	issue(&ask, text[1], GBA_OK);
	for (i = strlen("IN1-VID-"); i < strlen("IN1-VID-") + REGDEVID_TOKEN_CHARS; i++)
		same += text[0][i] == text[1][i];
	ck_assert_msg(same <= 8, "%zu characters are the same", same);
	bed_close();
}
END_TEST

static const struct {
	const char *name, *text;
} nothing_rows[] = {
	{ "empty", "" },
	{ "no RegDevID", "IN1-VID-" },
	{ "of a device", "IN1-IMEI-490154203237518-D2" },
	{ "never given", "IN1-VID-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-" },
};

START_TEST(what_was_never_given_is_not_found)
{
	char text[REGDEVID_MAX + 1];
	int64_t device = 0;
	char check[2];

	bed_open();
	snprintf(text, sizeof(text), "%s", nothing_rows[_i].text);
	if (text[0] != '\0' && text[strlen(text) - 1] == '-') {
		check_1271_36(bytes_of(text), check);
		strncat(text, check, 2);
	}
	ck_assert_err(resolve(text, "", NOW, &device), GBA_E_NOT_FOUND);
	bed_close();
}
END_TEST

START_TEST(bad_wishes_are_refused)
{
	struct virtual_ask ask = { 7, false, 0, "" };
	char text[REGDEVID_MAX + 1], audience[VIRTUAL_AUDIENCE_MAX + 2];

	bed_open();
	issue(&ask, text, GBA_E_RANGE);
	ask.seconds = VIRTUAL_SECONDS_MAX + 1;
	issue(&ask, text, GBA_E_RANGE);
	memset(audience, 'a', sizeof(audience) - 1);
	audience[sizeof(audience) - 1] = '\0';
	ask = (struct virtual_ask){ 7, false, 60, audience };
	issue(&ask, text, GBA_E_TOO_LONG);
	bed_close();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registry virtual");
	TCase *tcase = fixture_tcase("virtual");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, timed_ones_end_at_their_time);
	tcase_add_test(tcase, single_ones_are_resolved_once);
	tcase_add_test(tcase, what_is_over_is_forgotten);
	tcase_add_test(tcase, two_of_one_device_are_strangers);
	tcase_add_loop_test(tcase, what_was_never_given_is_not_found, 0, sizeof(nothing_rows) / sizeof(nothing_rows[0]));
	tcase_add_test(tcase, bad_wishes_are_refused);
	suite_add_tcase(suite, tcase);
	return fixture_run(suite);
}
