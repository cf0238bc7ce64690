/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/fixture.h"
#include "core/clock.h"
#include "core/codec.h"
#include "core/files.h"
#include "core/ident.h"
#include "core/metrics.h"
#include "core/pace.h"
#include "core/secret.h"
#include "core/token_entry.h"

/* RFC 4648 section 10, then what a strict decoder refuses. */
static const struct {
	const char *name, *text, *plain;
	enum gba_err want;
} base64_rows[] = {
	{ "empty", "", "", GBA_OK },
	{ "f", "Zg==", "f", GBA_OK },
	{ "fo", "Zm8=", "fo", GBA_OK },
	{ "foo", "Zm9v", "foo", GBA_OK },
	{ "foob", "Zm9vYg==", "foob", GBA_OK },
	{ "fooba", "Zm9vYmE=", "fooba", GBA_OK },
	{ "foobar", "Zm9vYmFy", "foobar", GBA_OK },
	{ "no padding", "Zg", NULL, GBA_E_SYNTAX },
	{ "blank", "Zm 9v===", NULL, GBA_E_SYNTAX },
	{ "unused bits set", "Zh==", NULL, GBA_E_SYNTAX },
	{ "padding only", "====", NULL, GBA_E_SYNTAX },
	{ "padding inside", "Zg==Zg==", NULL, GBA_E_SYNTAX },
	{ "url alphabet", "-_-_", NULL, GBA_E_SYNTAX },
	{ "longer than room", "Zm9vYmFyZm9vYmFyZm9v", NULL, GBA_E_TOO_LONG },
};

START_TEST(base64_decodes_strictly)
{
	uint8_t out[12];
	char text[32];
	size_t len = 99;
	enum gba_err got = base64_decode(bytes_of(base64_rows[_i].text), out, sizeof(out), &len);

	ck_assert_msg(got == base64_rows[_i].want, "%s: got %s", base64_rows[_i].name, gba_err_name(got));
	if (got != GBA_OK)
		return;
	ck_assert_bytes(BYTES(out, len), bytes_of(base64_rows[_i].plain), base64_rows[_i].name);
	base64_encode(BYTES(out, len), text);
	ck_assert_str_eq(text, base64_rows[_i].text);
}
END_TEST

#define RAND_A "I1U8vpY3qJ0hiuZNrke/NQ==" /* base64 of TS 35.208 set 1's RAND */
static const struct {
	const char *name, *btid;
	enum gba_err want;
} btid_rows[] = {
	{ "as issued", RAND_A "@bsf.example", GBA_OK },
	{ "no at sign", RAND_A, GBA_E_BTID_SYNTAX },
	{ "no domain", RAND_A "@", GBA_E_BTID_SYNTAX },
	{ "short left part", "I1U8@bsf.example", GBA_E_BTID_SYNTAX },
	{ "17 octets", "I1U8vpY3qJ0hiuZNrke/NQE=@bsf.example", GBA_E_BTID_SYNTAX },
	{ "blank in domain", RAND_A "@bsf example", GBA_E_BTID_SYNTAX },
	{ "two at signs", RAND_A "@a@b", GBA_E_BTID_SYNTAX },
	{ "empty label", RAND_A "@bsf..example", GBA_E_BTID_SYNTAX },
	{ "empty", "", GBA_E_BTID_SYNTAX },
};

START_TEST(btid_parses_what_was_issued)
{
	struct bytes rand_a = fixture_hex("23553cbe9637a89d218ae64dae47bf35"), fqdn;
	uint8_t rand[RAND_LEN];
	char text[BTID_MAX + 1];
	enum gba_err got = btid_parse(bytes_of(btid_rows[_i].btid), rand, &fqdn);

	ck_assert_msg(got == btid_rows[_i].want, "%s: got %s", btid_rows[_i].name, gba_err_name(got));
	if (got != GBA_OK)
		return;
	ck_assert_bytes(BYTES(rand, RAND_LEN), rand_a, "RAND");
	btid_format(rand, fqdn, text);
	ck_assert_str_eq(text, btid_rows[_i].btid);
}
END_TEST

static const struct {
	const char *name, *hex;
	enum gba_err want;
} naf_id_rows[] = {
	{ "http digest", "6e6166312e6578616d706c652e636f6d 0100000002", GBA_OK },
	{ "tail only", "0100000002", GBA_E_NAF_ID_SYNTAX },
	{ "short tail", "6e6166 0100", GBA_E_NAF_ID_SYNTAX },
	{ "NUL in name", "6e006631 0100000002", GBA_E_NAF_ID_SYNTAX },
	{ "trailing dot", "6e61662e 0100000002", GBA_E_NAF_ID_SYNTAX },
	{ "empty", "", GBA_E_NAF_ID_SYNTAX },
};

START_TEST(naf_id_splits_name_and_protocol)
{
	struct naf_id id;
	uint8_t out[NAF_ID_MAX];
	enum gba_err got = naf_id_parse(fixture_hex(naf_id_rows[_i].hex), &id);

	ck_assert_msg(got == naf_id_rows[_i].want, "%s: got %s", naf_id_rows[_i].name, gba_err_name(got));
	if (got != GBA_OK)
		return;
	ck_assert(bytes_eq_str(id.fqdn, "naf1.example.com"));
	ck_assert_uint_eq(naf_id_build(bytes_of("NAF1.Example.com"), id.ua_id, out), 21);
	ck_assert_bytes(BYTES(out, 21), fixture_hex(naf_id_rows[_i].hex), "lower-cased NAF_Id");
}
END_TEST

static const struct {
	const char *imsi;
	unsigned int mnc_digits;
	const char *impi;
} imsi_rows[] = {
	{ "001010000000001", 2, "001010000000001@ims.mnc001.mcc001.3gppnetwork.org" },
	{ "310410123456789", 3, "310410123456789@ims.mnc410.mcc310.3gppnetwork.org" },
	{ "00101", 2, NULL },
	{ "0010100000000012", 2, NULL },
	{ "00101000000000a", 2, NULL },
	{ "001010000000001", 4, NULL },
};

START_TEST(impi_from_imsi_follows_23003)
{
	char impi[IMPI_MAX + 1];
	enum gba_err got = impi_from_imsi(bytes_of(imsi_rows[_i].imsi), imsi_rows[_i].mnc_digits, impi);

	ck_assert_err(got, imsi_rows[_i].impi != NULL ? GBA_OK : GBA_E_SYNTAX);
	if (got == GBA_OK) {
		ck_assert_str_eq(impi, imsi_rows[_i].impi);
		ck_assert(impi_valid(bytes_of(impi)));
	}
}
END_TEST

static const struct {
	const char *name, *domain;
	bool want;
} within_rows[] = {
	{ "example.com", "example.com", true },	 { "NAF.Example.com", "example.com", true },
	{ "badexample.com", "example.com", false }, { "com", "example.com", false },
	{ "example.com", "", false },
};

START_TEST(fqdn_within_respects_labels)
{
	ck_assert_int_eq(fqdn_within(bytes_of(within_rows[_i].name), bytes_of(within_rows[_i].domain)), within_rows[_i].want);
}
END_TEST

static const struct {
	const char *text;
	time_t want;
	enum gba_err err;
} time_rows[] = {
	{ "2031-01-01T12:00:00Z", 1925035200, GBA_OK },	       { "2031-01-01T12:00:00.250Z", 1925035200, GBA_OK },
	{ "2031-01-01T13:30:00+01:30", 1925035200, GBA_OK },   { "2036-02-07T06:28:16Z", 2085978496, GBA_OK },
	{ "0231-01-01T12:00:00Z", -54877521600, GBA_OK },
	{ "2038-01-19T03:14:08Z", 2147483648, GBA_OK },	       { "2031-01-01", 0, GBA_E_SYNTAX },
	{ "2031-01-01T12:00:00Zx", 0, GBA_E_SYNTAX },	       { "", 0, GBA_E_SYNTAX },
	/* days that are none, too few or too many digits, blanks; python3 -c 'datetime(...).timestamp()' */
	{ "2023-02-29T00:00:00Z", 0, GBA_E_SYNTAX },	       { "2024-02-29T00:00:00Z", 1709164800, GBA_OK },
	{ "2023-02-30T00:00:00Z", 0, GBA_E_SYNTAX },	       { "2023-04-31T00:00:00Z", 0, GBA_E_SYNTAX },
	{ "2100-02-29T00:00:00Z", 0, GBA_E_SYNTAX },	       { "2023-01-00T00:00:00Z", 0, GBA_E_SYNTAX },
	{ "2023-13-01T00:00:00Z", 0, GBA_E_SYNTAX },	       { "2023-01-01T24:00:00Z", 0, GBA_E_SYNTAX },
	{ "2023-1-01T00:00:00Z", 0, GBA_E_SYNTAX },	       { "+023-01-01T00:00:00Z", 0, GBA_E_SYNTAX },
	{ " 2023-01-01T00:00:00Z", 0, GBA_E_SYNTAX },	       { "2023-01-01T 0:00:00Z", 0, GBA_E_SYNTAX },
	{ "2023-01-01T00:00:00.Z", 0, GBA_E_SYNTAX },	       { "2023-01-01T00:60:00Z", 0, GBA_E_SYNTAX },
	{ "2016-12-31T23:59:60Z", 1483228800, GBA_OK },	       { "2016-12-31T22:59:60Z", 0, GBA_E_SYNTAX },
	{ "2016-12-31T18:59:60-05:00", 1483228800, GBA_OK },   { "2016-12-31T23:59:61Z", 0, GBA_E_SYNTAX },
	{ "2023-01-01T00:00:00+1:300", 0, GBA_E_SYNTAX },      { "2023-01-01T00:00:00+-1:30", 0, GBA_E_SYNTAX },
};

START_TEST(time_parses_and_formats)
{
	char text[TIME_TEXT_LEN + 1];
	time_t when = 0, again = 0;

	ck_assert_err(time_parse(bytes_of(time_rows[_i].text), &when), time_rows[_i].err);
	if (time_rows[_i].err != GBA_OK)
		return;
	ck_assert_int_eq(when, time_rows[_i].want);
	time_format(when, text);
	ck_assert_err(time_parse(bytes_of(text), &again), GBA_OK);
	ck_assert_int_eq(again, when);
}
END_TEST

START_TEST(metrics_print_as_prometheus_text)
{
	struct metric *ok = metric_get("gba_test_total", "Things.", METRIC_COUNTER, "code=\"200\"");
	struct metric *again = metric_get("gba_test_total", "Things.", METRIC_COUNTER, "code=\"200\"");
	struct metric *took = metric_get("gba_test_seconds", "Time.", METRIC_HISTOGRAM, "");
	size_t len;
	char *text;

	ck_assert_ptr_eq(ok, again);
	ck_assert_ptr_null(metric_get("gba_test_total", "Things.", METRIC_GAUGE, ""));
	metric_add(ok, 2);
	metric_observe_us(took, 60);
	metric_observe_us(took, 20000000);
	text = metrics_text(&len);
	ck_assert_ptr_nonnull(strstr(text, "# TYPE gba_test_total counter\ngba_test_total{code=\"200\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(text, "gba_test_seconds_bucket{le=\"5e-05\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(text, "gba_test_seconds_bucket{le=\"0.0001\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "gba_test_seconds_bucket{le=\"+Inf\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(text, "gba_test_seconds_sum 20.000060\ngba_test_seconds_count 2\n"));
	free(text);
}
END_TEST

START_TEST(every_error_has_a_full_row)
{
	ck_assert_str_ne(gba_err_name((enum gba_err)_i), "");
	ck_assert_uint_ge(gba_err_http((enum gba_err)_i), 200);
	ck_assert_int_eq(strncmp(gba_err_diameter((enum gba_err)_i), "DIAMETER_", 9), 0);
}
END_TEST

START_TEST(secrets_compare_and_copy)
{
	struct secret *s = secret_dup(test_ctx, bytes_of("0123456789"));

	ck_assert(bytes_eq_secret(secret_bytes(s), bytes_of("0123456789")));
	ck_assert(!bytes_eq_secret(secret_bytes(s), bytes_of("0123456788")));
	ck_assert(!bytes_eq_secret(secret_bytes(s), bytes_of("012345678")));
	talloc_free(s);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

/* ---- pace ---- */

static const struct {
	const char *name;
	uint64_t at_ms;
	bool may;
} pace_rows[] = { /* two a second, three at once */
	{ "the first", 1000, true },   { "at once", 1000, true },	{ "at once", 1000, true },   { "one too many", 1000, false },
	{ "too early", 1499, false },  { "one has been earned", 1500, true }, { "spent", 1501, false }, { "late", 2600, true },
	{ "earned meanwhile", 2600, true }, { "spent again", 2600, false }, { "after a pause", 9000, true }, { "the burst", 9000, true },
	{ "no more than it", 9000, true }, { "whatever the pause", 9000, false },
};

START_TEST(pace_lets_pass_what_it_may)
{
	struct pace pace = { 0 }, none = { 0 };
	size_t i;

	for (i = 0; i < sizeof(pace_rows) / sizeof(pace_rows[0]); i++) {
		ck_assert_msg(pace_allow(&pace, 2, 3, pace_rows[i].at_ms * 1000) == pace_rows[i].may, "%zu: %s", i, pace_rows[i].name);
		ck_assert(pace_allow(&none, 0, 0, 1000));
	}
	for (i = 0; i < 7; i++)
		ck_assert_int_eq(pace_allow(&none, 5, 0, 1000), i < 5); /* burst 0: a second's */
}
END_TEST

/* ---- open files ---- */

static const struct {
	unsigned int allowed;
	int share, for_peers;
} files_rows[] = { { 64, 32, 48 },	{ 101, 51, 76 },     { 256, 128, 192 },	  { 259, 130, 195 },
		   { 1024, 512, 960 }, { 1026, 514, 962 }, { 1025, 513, 961 }, { 4096, 3584, 4032 } };

/* 512 are kept for what must not fail, or half of what is allowed; of these 64, or a quarter of what is allowed, for our own. */
START_TEST(strangers_have_their_share_of_open_files)
{
	struct rlimit was, limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	limit = was;
	limit.rlim_cur = files_rows[_i].allowed;
	if (limit.rlim_cur > limit.rlim_max)
		return;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(files_share(), files_rows[_i].share);
	ck_assert_int_eq(files_for_peers(), files_rows[_i].for_peers);
	ck_assert_uint_ge(files_raise(), files_rows[_i].allowed);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert(limit.rlim_cur == limit.rlim_max || limit.rlim_cur >= 1048576);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
}
END_TEST

START_TEST(the_lowest_descriptor_is_found)
{
	int first = open("/dev/null", O_RDONLY), second = open("/dev/null", O_RDONLY), after = open("/dev/null", O_RDONLY);
	struct rlimit was, none;

	ck_assert(first >= 0 && second > first && after > second);
	ck_assert_int_gt(files_lowest(), after);
	close(second);
	ck_assert_int_eq(files_lowest(), second);
	close(first);
	ck_assert_int_eq(files_lowest(), first);
	ck_assert_int_eq(files_lowest(), first); /* none stays open */
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(files_lowest(), INT_MAX);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	close(after);
}
END_TEST

#define DIGEST_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct {
	const char *text;
	enum gba_err want;
	const char *application, *user; /* application NULL: none */
} entry_rows[] = {
	{ DIGEST_HEX " 1700000000 1700003600 app.example.com u@op.example", GBA_OK, "app.example.com", "u@op.example" },
	{ DIGEST_HEX " 1700000000 1700003600 - u@op.example", GBA_OK, NULL, "u@op.example" },
	{ DIGEST_HEX " 1700000000 1700003600 - ", GBA_E_SYNTAX, NULL, NULL },
	{ DIGEST_HEX " 1700000000 1700003600 u@op.example", GBA_E_SYNTAX, NULL, NULL },
	{ DIGEST_HEX " 1700000000 soon - u@op.example", GBA_E_SYNTAX, NULL, NULL },
	{ DIGEST_HEX " 1700000000 99999999999999999999 - u@op.example", GBA_E_SYNTAX, NULL, NULL },
	{ DIGEST_HEX " -5 1700003600 - u@op.example", GBA_E_SYNTAX, NULL, NULL },
	{ DIGEST_HEX "00 1700000000 1700003600 - u@op.example", GBA_E_SYNTAX, NULL, NULL },
	{ "g" DIGEST_HEX " 1700000000 1700003600 - u@op.example", GBA_E_SYNTAX, NULL, NULL },
	{ DIGEST_HEX " 1700000000 1700003600 no_name! u@op.example", GBA_E_SYNTAX, NULL, NULL },
	{ "", GBA_E_SYNTAX, NULL, NULL },
};

START_TEST(token_entries)
{
	struct token_entry entry;
	char out[TOKEN_ENTRY_MAX + 1];
	enum gba_err got = token_entry_parse(bytes_of(entry_rows[_i].text), &entry);

	ck_assert_msg(got == entry_rows[_i].want, "%s: got %s", entry_rows[_i].text, gba_err_name(got));
	if (got != GBA_OK)
		return;
	ck_assert_str_eq(entry.digest, DIGEST_HEX);
	ck_assert_int_eq(entry.made, 1700000000);
	ck_assert_int_eq(entry.expires, 1700003600);
	ck_assert_int_eq(entry.application.p == NULL, entry_rows[_i].application == NULL);
	ck_assert(entry.application.p == NULL || bytes_eq_str(entry.application, entry_rows[_i].application));
	ck_assert(bytes_eq_str(entry.user, entry_rows[_i].user));
	ck_assert_uint_eq(token_entry_write(&entry, out), strlen(entry_rows[_i].text));
	ck_assert_str_eq(out, entry_rows[_i].text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core");
	TCase *tc = fixture_tcase("core");

	tcase_add_loop_test(tc, base64_decodes_strictly, 0, ROWS(base64_rows));
	tcase_add_loop_test(tc, btid_parses_what_was_issued, 0, ROWS(btid_rows));
	tcase_add_loop_test(tc, naf_id_splits_name_and_protocol, 0, ROWS(naf_id_rows));
	tcase_add_loop_test(tc, impi_from_imsi_follows_23003, 0, ROWS(imsi_rows));
	tcase_add_loop_test(tc, fqdn_within_respects_labels, 0, ROWS(within_rows));
	tcase_add_loop_test(tc, token_entries, 0, ROWS(entry_rows));
	tcase_add_loop_test(tc, time_parses_and_formats, 0, ROWS(time_rows));
	tcase_add_loop_test(tc, every_error_has_a_full_row, 0, GBA_ERR_COUNT);
	tcase_add_test(tc, the_lowest_descriptor_is_found);
	tcase_add_test(tc, metrics_print_as_prometheus_text);
	tcase_add_test(tc, secrets_compare_and_copy);
	tcase_add_test(tc, pace_lets_pass_what_it_may);
	tcase_add_loop_test(tc, strangers_have_their_share_of_open_files, 0, ROWS(files_rows));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
