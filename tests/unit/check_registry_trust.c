/* SPDX-License-Identifier: Apache-2.0 */
/* Scores, versions, rules. REQ: Y3059-6.1-15 */
#include "common/fixture.h"
#include "registry-fn/record/kinds.h"
#include "registry-fn/trust/cvss.h"
#include "registry-fn/trust/policy.h"
#include "registry-fn/trust/version.h"

/* FIRST, "CVSS v3.1 Examples", and NVD: vector and published base score. */
static const struct { const char *name, *vector; int score; enum cvss_severity severity; } score_rows[] = {
	{ "CVE-2013-1937", "AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 61, CVSS_MEDIUM },
	{ "CVE-2013-0375", "AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 64, CVSS_MEDIUM },
	{ "CVE-2014-3566", "AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 31, CVSS_LOW },
	{ "CVE-2012-1516", "AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 99, CVSS_CRITICAL },
	{ "CVE-2009-0783", "AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 42, CVSS_MEDIUM },
	{ "CVE-2012-0384", "AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 88, CVSS_HIGH },
	{ "CVE-2015-1098", "AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 78, CVSS_HIGH },
	{ "CVE-2014-0160", "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 75, CVSS_HIGH },
	{ "CVE-2014-6271", "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 98, CVSS_CRITICAL },
	{ "CVE-2008-1447", "AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N", 68, CVSS_MEDIUM },
	{ "CVE-2014-2005", "AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 68, CVSS_MEDIUM },
	{ "CVE-2010-0467", "AV:N/AC:L/PR:N/UI:N/S:C/C:L/I:N/A:N", 58, CVSS_MEDIUM },
	{ "CVE-2013-6014", "AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", 93, CVSS_CRITICAL },
	{ "CVE-2019-7551", "AV:N/AC:L/PR:L/UI:R/S:C/C:H/I:H/A:H", 90, CVSS_CRITICAL },
	{ "CVE-2011-1265", "AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 88, CVSS_HIGH },
	{ "CVE-2014-0224", "AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:N", 74, CVSS_HIGH },
	{ "CVE-2021-44228", "AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 100, CVSS_CRITICAL },
	{ "no impact", "AV:N/AC:L/PR:N/UI:N/S:C/C:N/I:N/A:N", 0, CVSS_NONE },
	{ "any order, with others", "A:N/I:N/C:H/S:U/UI:N/PR:N/AC:L/AV:N/E:P/RL:O/RC:C/CR:H/MAV:N/MS:X", 75, CVSS_HIGH },
};

START_TEST(scores_as_published)
{
	const char *why = "";
	char vector[256];
	int score = -2;

	snprintf(vector, sizeof(vector), "CVSS:3.1/%s", score_rows[_i].vector);
	ck_assert_msg(cvss_read(bytes_of(vector), &score, &why) == GBA_OK, "%s: %s", score_rows[_i].name, why);
	ck_assert_msg(score == score_rows[_i].score, "%s: %d", score_rows[_i].name, score);
	ck_assert_int_eq(cvss_severity(score), score_rows[_i].severity);
}
END_TEST

/* The same in 4.0: as FIRST's calculator scores them (test vectors of Red Hat's cvss library, made with it), and the examples of
 * "CVSS v4.0 Examples". */
static const struct { const char *vector; int score; } score_40_rows[] = {
	{ "AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:H/VA:L/SC:N/SI:H/SA:L", 92 },
	{ "AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:L/VA:L/SC:H/SI:N/SA:L", 78 },
	{ "AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:L/VA:N/SC:N/SI:L/SA:N", 69 },
	{ "AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:H/SI:L/SA:H", 79 },
	{ "AV:N/AC:L/AT:N/PR:N/UI:P/VC:H/VI:N/VA:L/SC:N/SI:H/SA:N", 83 },
	{ "AV:N/AC:L/AT:N/PR:N/UI:A/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 86 },
	{ "AV:N/AC:L/AT:N/PR:N/UI:A/VC:H/VI:H/VA:N/SC:N/SI:L/SA:L", 85 },
	{ "AV:N/AC:L/AT:N/PR:N/UI:A/VC:L/VI:L/VA:H/SC:H/SI:H/SA:L", 84 },
	{ "AV:N/AC:L/AT:N/PR:N/UI:A/VC:L/VI:L/VA:N/SC:N/SI:L/SA:L", 51 },
	{ "AV:N/AC:L/AT:N/PR:L/UI:N/VC:H/VI:N/VA:L/SC:N/SI:L/SA:N", 71 },
	{ "AV:N/AC:L/AT:N/PR:L/UI:N/VC:N/VI:H/VA:H/SC:N/SI:N/SA:L", 72 },
	{ "AV:N/AC:L/AT:N/PR:L/UI:P/VC:H/VI:L/VA:L/SC:L/SI:L/SA:L", 70 },
	{ "AV:N/AC:L/AT:N/PR:L/UI:A/VC:H/VI:H/VA:H/SC:H/SI:N/SA:H", 93 },
	{ "AV:N/AC:L/AT:N/PR:L/UI:A/VC:N/VI:H/VA:H/SC:N/SI:N/SA:L", 69 },
	{ "AV:N/AC:L/AT:N/PR:H/UI:N/VC:H/VI:L/VA:N/SC:H/SI:N/SA:N", 83 },
	{ "AV:N/AC:L/AT:N/PR:H/UI:P/VC:L/VI:L/VA:N/SC:L/SI:N/SA:N", 48 },
	{ "AV:N/AC:L/AT:N/PR:H/UI:A/VC:L/VI:N/VA:N/SC:H/SI:N/SA:H", 60 },
	{ "AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:N/SA:H", 95 },
	{ "AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:N/VA:N/SC:L/SI:L/SA:L", 82 },
	{ "AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:N/SC:H/SI:N/SA:L", 87 },
	{ "AV:N/AC:L/AT:P/PR:N/UI:P/VC:L/VI:H/VA:L/SC:L/SI:L/SA:L", 61 },
	{ "AV:N/AC:L/AT:P/PR:N/UI:P/VC:N/VI:L/VA:N/SC:L/SI:H/SA:N", 51 },
	{ "AV:N/AC:L/AT:P/PR:N/UI:A/VC:N/VI:N/VA:N/SC:L/SI:N/SA:N", 21 },
	{ "AV:N/AC:L/AT:P/PR:L/UI:N/VC:N/VI:N/VA:N/SC:N/SI:L/SA:N", 23 },
	{ "AV:N/AC:L/AT:P/PR:L/UI:A/VC:H/VI:H/VA:L/SC:L/SI:L/SA:L", 73 },
	{ "AV:N/AC:L/AT:P/PR:H/UI:N/VC:N/VI:L/VA:L/SC:N/SI:H/SA:N", 46 },
	{ "AV:N/AC:L/AT:P/PR:H/UI:A/VC:N/VI:L/VA:L/SC:L/SI:N/SA:N", 18 },
	{ "AV:N/AC:L/AT:P/PR:H/UI:A/VC:N/VI:N/VA:H/SC:L/SI:N/SA:L", 56 },
	{ "AV:N/AC:H/AT:N/PR:N/UI:N/VC:H/VI:H/VA:N/SC:L/SI:H/SA:L", 94 },
	{ "AV:N/AC:H/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:L/SI:L/SA:H", 70 },
	{ "AV:N/AC:H/AT:N/PR:L/UI:P/VC:H/VI:H/VA:H/SC:H/SI:L/SA:H", 88 },
	{ "AV:N/AC:H/AT:N/PR:L/UI:A/VC:L/VI:L/VA:N/SC:N/SI:N/SA:H", 43 },
	{ "AV:N/AC:H/AT:N/PR:H/UI:A/VC:N/VI:N/VA:N/SC:N/SI:H/SA:N", 40 },
	{ "AV:N/AC:H/AT:P/PR:N/UI:N/VC:H/VI:H/VA:N/SC:N/SI:N/SA:L", 91 },
	{ "AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N/E:A", 0 },
	{ "AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/E:A", 73 },
	{ "AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/E:P", 59 },
	{ "AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/E:U", 41 },
	{ "AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/CR:H/IR:H/AR:M", 72 },
	{ "AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/CR:H/IR:M/AR:L", 71 },
	{ "AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/CR:M/IR:M/AR:M", 55 },
	{ "AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/CR:L/IR:L/AR:H", 71 },
	{ "AV:P/AC:H/AT:P/PR:H/UI:A/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/CR:L/IR:L/AR:L", 54 },
	{ "AV:N/AC:L/AT:P/PR:N/UI:N/VC:N/VI:L/VA:L/SC:H/SI:L/SA:L", 70 },
	{ "AV:N/AC:L/AT:P/PR:N/UI:A/VC:L/VI:L/VA:N/SC:N/SI:N/SA:H", 46 },
	{ "AV:N/AC:H/AT:N/PR:L/UI:A/VC:L/VI:L/VA:L/SC:H/SI:H/SA:H", 52 },
	{ "AV:N/AC:H/AT:N/PR:H/UI:P/VC:L/VI:L/VA:L/SC:H/SI:N/SA:L", 45 },
	{ "AV:N/AC:L/AT:P/PR:L/UI:N/VC:L/VI:H/VA:H/SC:N/SI:L/SA:L", 61 },
	{ "AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 73 },	     /* CVE-2022-41741 */
	{ "AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 77 },	     /* CVE-2020-3549 */
	{ "AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", 52 },	     /* the same, with threat */
	{ "AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N/E:A", 88 },
	{ "AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 100 },	     /* CVE-2021-44228 */
	{ "AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N/E:A/S:P/U:Red", 87 }, /* supplemental metrics do not count */
	{ "AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N/MVC:N/MSC:N", 0 },
};

START_TEST(scores_of_4_0_as_published)
{
	const char *why = "";
	char vector[256];
	int score = -2;

	snprintf(vector, sizeof(vector), "CVSS:4.0/%s", score_40_rows[_i].vector);
	ck_assert_msg(cvss_read(bytes_of(vector), &score, &why) == GBA_OK, "%s: %s", vector, why);
	ck_assert_msg(score == score_40_rows[_i].score, "%s: %d", vector, score);
}
END_TEST

#define BASE_31 "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
#define BASE_40 "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
static const struct { const char *vector; enum gba_err want; } vector_rows[] = {
	{ BASE_31, GBA_OK },
	{ BASE_40, GBA_OK },
	{ BASE_40 "/E:A/CR:H/MSI:S/S:P/U:Amber", GBA_OK },
	{ BASE_40 "/E:H", GBA_E_SYNTAX },		       /* of 3.1 */
	{ BASE_40 "/U:amber", GBA_E_SYNTAX },
	{ BASE_40 "/S:P/E:A", GBA_E_SYNTAX },		       /* order */
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:S", GBA_E_SYNTAX }, /* S: in MSA alone */
	{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N", GBA_E_SYNTAX },
	{ "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", GBA_E_UNSUPPORTED },
	{ "CVSS:2.0/AV:N/AC:L/Au:N/C:C/I:C/A:C", GBA_E_UNSUPPORTED },
	{ "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", GBA_E_UNSUPPORTED },
	{ "", GBA_E_SYNTAX },
	{ "CVSS:3.1", GBA_E_SYNTAX },
	{ "CVSS:3.1/", GBA_E_SYNTAX },
	{ BASE_31 "/", GBA_E_SYNTAX },
	{ BASE_31 "/AV:N", GBA_E_SYNTAX },
	{ BASE_31 "/E:", GBA_E_SYNTAX },
	{ BASE_31 "/E:XX", GBA_E_SYNTAX },
	{ BASE_31 "/ZZ:X", GBA_E_SYNTAX },
	{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", GBA_E_SYNTAX },
	{ "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", GBA_E_SYNTAX },
	{ "cvss:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", GBA_E_UNSUPPORTED },
	{ BASE_31 "/E:X/RL:X/RC:X/CR:X/IR:X/AR:X/MAV:X/MAC:X/MPR:X/MUI:X/MS:X/MC:X/MI:X/MA:X/////////////////////////////////////"
		  "///////////////////////////////////////////////////////////////////////////////////////////////////////", GBA_E_TOO_LONG },
};

START_TEST(vectors_to_the_letter)
{
	const char *why = "";
	int score = 77;
	enum gba_err got = cvss_read(bytes_of(vector_rows[_i].vector), &score, &why);

	ck_assert_msg(got == vector_rows[_i].want, "%s: %s", vector_rows[_i].vector, gba_err_name(got));
	ck_assert(got == GBA_OK || (score == 77 && why[0] != '\0'));
}
END_TEST

/* In ascending order; those of one row are equal. */
static const char *const version_rows[][3] = {
	{ "0.9", "v0.9.0", NULL }, { "1.0-alpha", "1.0alpha", NULL }, { "1.0-beta2", NULL },	  { "1.0-rc1", "1.0.RC.1", NULL },
	{ "1.0-rc2", NULL },	   { "1", "1.0.0", "V1.0" },	      { "1.0a", NULL },		  { "1.0b", NULL },
	{ "1.0.1", "1.00.01", NULL }, { "1.2", NULL },		      { "1.10", "1.10.0", NULL }, { "2024.03.1", NULL },
	{ "2024.11", NULL },	   { "99999999999999999999", NULL },  { "100000000000000000000", NULL },
};

START_TEST(versions_have_one_order)
{
	const size_t n = sizeof(version_rows) / sizeof(version_rows[0]);
	size_t a, b, i, j;

	for (a = 0; a < n; a++) {
		for (b = 0; b < n; b++) {
			for (i = 0; i < 3 && version_rows[a][i] != NULL; i++) {
				for (j = 0; j < 3 && version_rows[b][j] != NULL; j++) {
					int order = version_compare(bytes_of(version_rows[a][i]), bytes_of(version_rows[b][j]));

					ck_assert_msg((order < 0) == (a < b) && (order > 0) == (a > b), "%s, %s: %d",
						      version_rows[a][i], version_rows[b][j], order);
				}
			}
		}
	}
}
END_TEST

static const struct { const char *version, *range; bool in; } range_rows[] = {
	{ "1.2.3", "*", true },		{ "", "*", true },		 { "1.2.3", "", false },
	{ "1.2.3", "<1.2.4", true },	{ "1.2.3", "<1.2.3", false },	 { "1.2.3", "<=1.2.3", true },
	{ "1.2.3", ">=1.0 <2.0", true }, { "2.0", ">=1.0 <2.0", false },  { "2.0-rc1", ">=1.0 <2.0", true },
	{ "0.9", ">=1.0 <2.0", false }, { "3.1.0", "=3.1", true },	 { "3.2", "=3.1", false },
	{ "3.2", ">3.1", true },	{ "", "<2", false },		 { "1.5", "<2 >1 ", true },
	{ "1.5", "1.5", false },	{ "1.5", "<=", false },		 { "1.5", "=>1", false },
};

START_TEST(ranges)
{
	const char *why;

	ck_assert_msg(version_in(bytes_of(range_rows[_i].version), bytes_of(range_rows[_i].range)) == range_rows[_i].in, "%s in %s",
		      range_rows[_i].version, range_rows[_i].range);
	if (range_rows[_i].in)
		ck_assert_err(version_range_check(bytes_of(range_rows[_i].range), &why), GBA_OK);
}
END_TEST

static const char *const bad_ranges[] = { "", "1.0", "==1", "<", "< 1", ">=1.0, <2", "=>1", "<1 foo", "~1.0", "<-1" };

START_TEST(bad_ranges_are_refused)
{
	const char *why = NULL;

	ck_assert_msg(version_range_check(bytes_of(bad_ranges[_i]), &why) == GBA_E_SYNTAX, "%s", bad_ranges[_i]);
	ck_assert_ptr_nonnull(why);
}
END_TEST

static const struct { const char *text; enum gba_err want; } cve_rows[] = {
	{ "CVE-2021-44228", GBA_OK },  { "CVE-1999-0001", GBA_OK },  { "CVE-2021-1234567890123456789", GBA_OK },
	{ "CVE-2021-123", GBA_E_SYNTAX }, { "cve-2021-44228", GBA_E_SYNTAX }, { "CVE-21-44228", GBA_E_SYNTAX },
	{ "CVE-2021-12345678901234567890", GBA_E_SYNTAX }, { "CVE-2021-4422A", GBA_E_SYNTAX }, { "CVE-2021_44228", GBA_E_SYNTAX },
};

START_TEST(cve_identifiers)
{
	const char *why;

	ck_assert_msg(cve_check(bytes_of(cve_rows[_i].text), &why) == cve_rows[_i].want, "%s", cve_rows[_i].text);
}
END_TEST

static const struct { const char *name; struct trust_facts facts; enum trust_status want; const char *cause; } judge_rows[] = {
	{ "unknown", { 0 }, TRUST_GREY, "not registered" },
	{ "announced, has a root", { .root = true }, TRUST_GREY, "not registered" },
	{ "no root of trust", { .registered = true }, TRUST_GREY, "no root of trust" },
	{ "good", { true, true, .fact = { 0 } }, TRUST_WHITE, "registered, nothing against it" },
	{ "medium", { true, true, .fact = { [FACT_SEVERITY] = CVSS_MEDIUM, [FACT_VULNERABILITIES] = 4 } }, TRUST_WHITE,
	  "registered, nothing against it" },
	{ "high", { true, true, .fact = { [FACT_SEVERITY] = CVSS_HIGH } }, TRUST_GREY, "severity >= high" },
	{ "critical", { true, true, .fact = { [FACT_SEVERITY] = CVSS_CRITICAL } }, TRUST_BLACK, "severity >= critical" },
	{ "critical, unregistered", { .fact = { [FACT_SEVERITY] = CVSS_CRITICAL } }, TRUST_BLACK, "severity >= critical" },
	{ "certificate good", { true, true, .fact = { [FACT_CERTIFICATE] = CERTIFICATE_GOOD } }, TRUST_WHITE, "registered, nothing against it" },
	{ "expired", { true, true, .fact = { [FACT_CERTIFICATE] = CERTIFICATE_EXPIRED } }, TRUST_GREY, "certificate = expired" },
	{ "revoked and expired since", { true, true, .fact = { [FACT_CERTIFICATE] = CERTIFICATE_REVOKED } }, TRUST_BLACK,
	  "certificate = revoked" },
	{ "a list lacks it", { true, true, .lacks = "its maker is not registered" }, TRUST_GREY, "its maker is not registered" },
	{ "its certificate was revoked", { true, true, .fact = { [FACT_CERTIFICATION] = CERTIFIED_REVOKED } }, TRUST_GREY,
	  "certification = revoked" },
	{ "its certificate is over", { true, true, .fact = { [FACT_CERTIFICATION] = CERTIFIED_EXPIRED } }, TRUST_WHITE,
	  "registered, nothing against it" },
	{ "two reports missed", { true, true, .fact = { [FACT_MISSED_REPORTS] = 2 } }, TRUST_WHITE, "registered, nothing against it" },
	{ "three reports missed", { true, true, .fact = { [FACT_MISSED_REPORTS] = 3 } }, TRUST_GREY, "missed-reports >= 3" },
	{ "one anomaly", { true, true, .fact = { [FACT_ANOMALIES] = 1 } }, TRUST_GREY, "anomalies >= 1" },
	{ "many anomalies", { true, true, .fact = { [FACT_ANOMALIES] = 5 } }, TRUST_BLACK, "anomalies >= 5" },
	{ "the worst counts", { true, true, .fact = { [FACT_MISSED_REPORTS] = 9, [FACT_CERTIFICATE] = CERTIFICATE_REVOKED } }, TRUST_BLACK,
	  "certificate = revoked" },
};

START_TEST(built_in_rules)
{
	const struct conf_groups none = { NULL, 0 };
	struct trust_policy *policy = NULL;
	char cause[POLICY_CAUSE_MAX + 1];
	const char *why = "";

	ck_assert_err(trust_policy_new(test_ctx, &none, &policy, &why), GBA_OK);
	ck_assert_msg(trust_policy_judge(policy, &judge_rows[_i].facts, cause) == judge_rows[_i].want, "%s: %s", judge_rows[_i].name, cause);
	ck_assert_str_eq(cause, judge_rows[_i].cause);
	talloc_free(policy);
}
END_TEST

START_TEST(rules_of_the_configuration)
{
	struct trust_rule_conf rows[] = { { "vulnerabilities >= 2", TRUST_GREY }, { "fix-overdue >= 30", TRUST_BLACK },
					  { "missed-reports = 1", TRUST_GREY } };
	const struct conf_groups conf = { rows, 3 };
	struct trust_facts facts = { .registered = true, .root = true };
	struct trust_policy *policy = NULL;
	char cause[POLICY_CAUSE_MAX + 1], **texts;
	const char *why = "";

	ck_assert_err(trust_policy_new(test_ctx, &conf, &policy, &why), GBA_OK);
	facts.fact[FACT_SEVERITY] = CVSS_CRITICAL;
	ck_assert_int_eq(trust_policy_judge(policy, &facts, cause), TRUST_WHITE);
	facts.fact[FACT_VULNERABILITIES] = 2;
	ck_assert_int_eq(trust_policy_judge(policy, &facts, cause), TRUST_GREY);
	facts.fact[FACT_FIX_OVERDUE] = 30;
	ck_assert_int_eq(trust_policy_judge(policy, &facts, cause), TRUST_BLACK);
	texts = trust_policy_texts(policy, policy);
	ck_assert_str_eq(texts[1], "fix-overdue >= 30: black");
	ck_assert_ptr_null(texts[3]);
	talloc_free(policy);
}
END_TEST

static const char *const bad_rules[] = { "severity", "severity >=", "severity >= huge", "severity > high", "hunger >= 1",
					 "anomalies >= many", "anomalies >= -1", "anomalies >= 1 and", "anomalies>=1",
					 "certificate = good bad", "anomalies >= 9999999999" };

START_TEST(bad_rules_are_refused)
{
	struct trust_rule_conf row = { bad_rules[_i], TRUST_BLACK };
	const struct conf_groups conf = { &row, 1 };
	struct trust_policy *policy = NULL;
	const char *why = NULL;

	ck_assert_msg(trust_policy_new(test_ctx, &conf, &policy, &why) == GBA_E_CONF, "%s", bad_rules[_i]);
	ck_assert_ptr_nonnull(strstr(why, bad_rules[_i]));
	talloc_free_children(test_ctx);
}
END_TEST

#define ROWS(tc, test, rows) tcase_add_loop_test(tc, test, 0, (int)(sizeof(rows) / sizeof(rows[0])))

int main(void)
{
	Suite *suite = suite_create("registry trust");
	TCase *tc = fixture_tcase("trust");

	ROWS(tc, scores_as_published, score_rows);
	ROWS(tc, scores_of_4_0_as_published, score_40_rows);
	ROWS(tc, vectors_to_the_letter, vector_rows);
	tcase_add_test(tc, versions_have_one_order);
	ROWS(tc, ranges, range_rows);
	ROWS(tc, bad_ranges_are_refused, bad_ranges);
	ROWS(tc, cve_identifiers, cve_rows);
	ROWS(tc, built_in_rules, judge_rows);
	tcase_add_test(tc, rules_of_the_configuration);
	ROWS(tc, bad_rules_are_refused, bad_rules);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
