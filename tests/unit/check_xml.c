/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "common/fixture.h"
#include "core/clock.h"
#include "xml/bsinfo.h"
#include "xml/guss.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))
#define TEXT(s)	    { (const uint8_t *)(s), sizeof(s) - 1 }
#define IMPI	    "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"

/* What a HSS in the field sends: declaration, blanks between elements, all parts. */
#define GUSS_FULL                                                                                                      \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<guss id=\"" IMPI "\">\n  <bsfInfo>\n    <uiccType>GBA_U</uiccType>\n"   \
	"    <lifeTime>3600</lifeTime>\n  </bsfInfo>\n  <ussList>\n    <uss id=\"1\" type=\"1\" nafGroup=\"portal\">\n"      \
	"      <uids><uid>sip:a@home1.net</uid><uid> tel:+123 </uid></uids>\n      <flags><flag>1</flag><flag>2</flag></flags>\n" \
	"    </uss>\n    <uss id=\"999999\" type=\"0\"><uids><uid>a&amp;b&#60;c</uid></uids><flags/></uss>\n  </ussList>\n</guss>\n"
#define USS1 "<uss id=\"1\" type=\"1\"><uids><uid>u</uid></uids></uss>"

static const struct {
	const char *name;
	struct bytes xml;
	enum gba_err want;
	const char *impi;
	enum guss_uicc uicc;
	uint32_t life_time;
	size_t uss_count;
} guss_rows[] = {
	{ "all parts", TEXT(GUSS_FULL), GBA_OK, IMPI, GUSS_UICC_GBA_U, 3600, 2 },
	{ "least", TEXT("<guss id=\"i\"/>"), GBA_OK, "i", GUSS_UICC_GBA, 0, 0 },
	{ "schema namespace",
	  TEXT("<guss xmlns=\"guss-schema-of-3gpp-gaa\" id=\"i\"><ussList>" USS1 "</ussList></guss>"), GBA_OK, "i",
	  GUSS_UICC_GBA, 0, 1 },
	{ "foreign namespace with prefix",
	  TEXT("<x:guss xmlns:x=\"urn:else\" id=\"i\"><x:ussList><x:uss id=\"1\" type=\"1\"/></x:ussList></x:guss>"), GBA_OK, "i",
	  GUSS_UICC_GBA, 0, 1 },
	{ "ussList as sent over Zn", TEXT("<ussList>" USS1 USS1 "</ussList>"), GBA_OK, NULL, GUSS_UICC_GBA, 0, 2 },
	{ "empty ussList", TEXT("<ussList/>"), GBA_OK, NULL, GUSS_UICC_GBA, 0, 0 },
	{ "unknown elements and attributes",
	  TEXT("<guss id=\"i\" new=\"1\"><future><uss id=\"7\" type=\"7\"/><deep><er>text</er></deep></future><ussList q=\"\">" USS1
	       "<other/></ussList><Extension><bsfInfo><uiccType>GBA_U</uiccType></bsfInfo></Extension></guss>"),
	  GBA_OK, "i", GUSS_UICC_GBA, 0, 1 },
	{ "single quotes, comment, CDATA, instruction",
	  TEXT("<!-- c --><?p i?><guss id='i'><bsfInfo><uiccType><![CDATA[GBA_U]]></uiccType></bsfInfo></guss><!-- e -->"),
	  GBA_OK, "i", GUSS_UICC_GBA_U, 0, 0 },
	{ "Latin-1", TEXT("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><guss id=\"\xe4\"/>"),
	  GBA_OK, "\xc3\xa4", GUSS_UICC_GBA, 0, 0 },
	{ "lifetime at the limit", TEXT("<guss id=\"i\"><bsfInfo><lifeTime>4294967295</lifeTime></bsfInfo></guss>"), GBA_OK, "i",
	  GUSS_UICC_GBA, UINT32_MAX, 0 },
#define BAD(name, text) { name, TEXT(text), GBA_E_XML, NULL, GUSS_UICC_GBA, 0, 0 }
	BAD("empty", ""),
	BAD("blanks", " \n "),
	BAD("no XML", "guss"),
	BAD("another root", "<uss id=\"1\" type=\"1\"/>"),
	BAD("BootstrappingInfo", "<BootstrappingInfo/>"),
	BAD("no id", "<guss><ussList/></guss>"),
	BAD("empty id", "<guss id=\"\"/>"),
	BAD("id in a foreign namespace", "<guss xmlns:x=\"u\" x:id=\"i\"/>"),
	BAD("id twice", "<guss id=\"i\" id=\"j\"/>"),
	BAD("uss without id", "<guss id=\"i\"><ussList><uss type=\"1\"/></ussList></guss>"),
	BAD("uss without type", "<guss id=\"i\"><ussList><uss id=\"1\"/></ussList></guss>"),
	BAD("uss id no number", "<guss id=\"i\"><ussList><uss id=\"one\" type=\"1\"/></ussList></guss>"),
	BAD("uss id negative", "<guss id=\"i\"><ussList><uss id=\"-1\" type=\"1\"/></ussList></guss>"),
	BAD("uss id beyond 32 bits", "<guss id=\"i\"><ussList><uss id=\"4294967296\" type=\"1\"/></ussList></guss>"),
	BAD("uss id wraps 64 bits", "<guss id=\"i\"><ussList><uss id=\"18446744073709551617\" type=\"1\"/></ussList></guss>"),
	BAD("flag of 40 digits", "<ussList><uss id=\"1\" type=\"1\"><flags><flag>1234567890123456789012345678901234567890"
	    "</flag></flags></uss></ussList>"),
	BAD("flag hexadecimal", "<ussList><uss id=\"1\" type=\"1\"><flags><flag>0x1</flag></flags></uss></ussList>"),
	BAD("flag empty", "<ussList><uss id=\"1\" type=\"1\"><flags><flag/></flags></uss></ussList>"),
	BAD("uid empty", "<ussList><uss id=\"1\" type=\"1\"><uids><uid> </uid></uids></uss></ussList>"),
	BAD("element inside a uid", "<ussList><uss id=\"1\" type=\"1\"><uids><uid>a<x/>b</uid></uids></uss></ussList>"),
	BAD("lifetime beyond 32 bits", "<guss id=\"i\"><bsfInfo><lifeTime>4294967296</lifeTime></bsfInfo></guss>"),
	BAD("lifetime 1e3", "<guss id=\"i\"><bsfInfo><lifeTime>1e3</lifeTime></bsfInfo></guss>"),
	BAD("unknown uiccType", "<guss id=\"i\"><bsfInfo><uiccType>GBA_X</uiccType></bsfInfo></guss>"),
	BAD("DTD", "<!DOCTYPE guss><guss id=\"i\"/>"),
	BAD("DTD, external", "<!DOCTYPE guss SYSTEM \"file:///etc/passwd\"><guss id=\"i\"/>"),
	BAD("entity", "<!DOCTYPE guss [<!ENTITY e \"x\">]><guss id=\"&e;\"/>"),
	BAD("external entity", "<!DOCTYPE guss [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><ussList><uss id=\"1\" type=\"1\"><uids>"
	    "<uid>&e;</uid></uids></uss></ussList>"),
	BAD("entities that multiply", "<!DOCTYPE g [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c "
	    "\"&b;&b;&b;&b;&b;&b;&b;&b;\">]><guss id=\"i\">&c;</guss>"),
	BAD("attribute default from a DTD", "<!DOCTYPE guss [<!ATTLIST guss id CDATA \"i\">]><guss/>"),
	BAD("undefined entity",
	    "<guss id=\"i\"><ussList><uss id=\"1\" type=\"1\"><uids><uid>&e;</uid></uids></uss></ussList></guss>"),
	BAD("not closed", "<guss id=\"i\"><ussList>"),
	BAD("closed wrongly", "<guss id=\"i\"><ussList></guss></ussList>"),
	BAD("two roots", "<guss id=\"i\"/><guss id=\"j\"/>"),
	BAD("octets after the root", "<guss id=\"i\"/>x"),
	BAD("NUL", "<guss id=\"i\0j\"/>"),
	BAD("NUL after the root", "<guss id=\"i\"/>\0"),
	BAD("broken UTF-8", "<guss id=\"\xff\"/>"),
	BAD("control octet", "<guss id=\"\x01\"/>"),
	BAD("unknown encoding", "<?xml version=\"1.0\" encoding=\"KLINGON\"?><guss id=\"i\"/>"),
	BAD("cut in the middle", "<guss id=\"i\"><bsfInfo><uiccTy"),
};

START_TEST(guss_reads_what_a_hss_sends_and_nothing_else)
{
	const char *name = guss_rows[_i].name;
	struct guss *guss = NULL;
	enum gba_err got = guss_parse(test_ctx, guss_rows[_i].xml, &guss);

	ck_assert_msg(got == guss_rows[_i].want, "%s: got %s", name, gba_err_name(got));
	ck_assert_int_eq(guss != NULL, got == GBA_OK);
	if (got != GBA_OK) {
		ck_assert_uint_eq(talloc_total_blocks(test_ctx), 1);
		return;
	}
	ck_assert_pstr_eq(guss->impi, guss_rows[_i].impi);
	ck_assert_int_eq(guss->uicc, guss_rows[_i].uicc);
	ck_assert_uint_eq(guss->life_time, guss_rows[_i].life_time);
	ck_assert_msg(guss->uss_count == guss_rows[_i].uss_count, "%s: %zu USSs", name, guss->uss_count);
}
END_TEST

START_TEST(guss_has_all_its_parts)
{
	const struct uss *uss;
	struct guss *guss;

	ck_assert_err(guss_parse(test_ctx, bytes_of(GUSS_FULL), &guss), GBA_OK);
	uss = guss_find(guss, 1);
	ck_assert_uint_eq(uss->type, 1);
	ck_assert_str_eq(uss->naf_group, "portal");
	ck_assert_uint_eq(uss->uid_count, 2);
	ck_assert_str_eq(uss->uids[0], "sip:a@home1.net");
	ck_assert_str_eq(uss->uids[1], "tel:+123");
	ck_assert_uint_eq(uss->flag_count, 2);
	ck_assert_uint_eq(uss->flags[0], 1);
	ck_assert_uint_eq(uss->flags[1], 2);
	ck_assert_ptr_null(uss->key_choice);
	uss = guss_find(guss, 999999);
	ck_assert_str_eq(uss->uids[0], "a&b<c");
	ck_assert_uint_eq(uss->flag_count, 0);
	ck_assert_ptr_null(uss->naf_group);
	ck_assert_ptr_null(guss_find(guss, 2));
}
END_TEST

static const char *const choice_rows[] = {
	"<ussList><uss id=\"1\" type=\"1\"><keyChoice>UICC-based-key</keyChoice></uss></ussList>",
	"<ussList><uss id=\"1\" type=\"1\"><Extension><keyChoice>UICC-based-key</keyChoice></Extension></uss></ussList>",
};

START_TEST(key_choice_is_found_in_both_places)
{
	struct guss *guss;

	ck_assert_err(guss_parse(test_ctx, bytes_of(choice_rows[_i]), &guss), GBA_OK);
	ck_assert_str_eq(guss->uss[0].key_choice, "UICC-based-key");
}
END_TEST

/* "<guss id='i'>", then `piece` so many times, then `end`. */
static char *repeated(const char *start, const char *piece, size_t times, const char *end)
{
	char *text = talloc_zero_array(test_ctx, char, strlen(start) + strlen(piece) * times + strlen(end) + 1);
	size_t i, n = strlen(start);

	memcpy(text, start, n);
	for (i = 0; i < times; i++, n += strlen(piece))
		memcpy(text + n, piece, strlen(piece));
	memcpy(text + n, end, strlen(end));
	return text;
}

START_TEST(guss_is_bounded)
{
	char *deep = repeated("<guss id='i'>", "<x>", 5000, ""), *bottom;
	struct guss *guss;

	ck_assert_err(guss_parse(test_ctx, bytes_of(deep), &guss), GBA_E_XML);
	bottom = repeated("", "</x>", 31, "</guss>");
	deep = repeated("<guss id='i'>", "<x>", 31, bottom);
	ck_assert_err(guss_parse(test_ctx, bytes_of(deep), &guss), GBA_OK);
	bottom = repeated("", "</x>", 32, "</guss>");
	deep = repeated("<guss id='i'>", "<x>", 32, bottom);
	ck_assert_err(guss_parse(test_ctx, bytes_of(deep), &guss), GBA_E_XML);

	ck_assert_err(guss_parse(test_ctx, bytes_of(repeated("<ussList>", USS1, GUSS_USS_MAX, "</ussList>")), &guss), GBA_OK);
	ck_assert_uint_eq(guss->uss_count, GUSS_USS_MAX);
	ck_assert_err(guss_parse(test_ctx, bytes_of(repeated("<ussList>", USS1, GUSS_USS_MAX + 1, "</ussList>")), &guss),
		      GBA_E_TOO_LONG);
	ck_assert_err(guss_parse(test_ctx, bytes_of(repeated("<guss id='i'>", " ", GUSS_XML_MAX - 20, "</guss>")), &guss), GBA_OK);
	ck_assert_err(guss_parse(test_ctx, bytes_of(repeated("<guss id='i'>", " ", GUSS_XML_MAX - 19, "</guss>")), &guss),
		      GBA_E_TOO_LONG);
	ck_assert_err(guss_parse(test_ctx, bytes_of(repeated("<ussList><uss id='1' type='1'><uids><uid>", "u", 2049,
							     "</uid></uids></uss></ussList>")), &guss), GBA_E_XML);
	ck_assert_err(guss_parse(test_ctx, bytes_of(repeated("<ussList><uss id='1' type='1'><uids><uid>", "u", 2048,
							     "</uid></uids></uss></ussList>")), &guss), GBA_OK);
}
END_TEST

START_TEST(guss_is_built_as_annex_a_has_it)
{
	const char *uids[] = { "sip:a@home1.net", "a&b<c>\"\n" };
	uint32_t flags[] = { 1, UINT32_MAX };
	struct uss uss[] = { { 1, 2, "g&1", uids, 2, flags, 2, NULL }, { 999999, 0, NULL, NULL, 0, NULL, 0, "ME-based-key" } };
	struct guss guss = { .impi = IMPI, .uicc = GUSS_UICC_GBA_U, .life_time = 60, .uss = uss, .uss_count = 2 }, *back;
	const char list[] = "<ussList><uss id=\"1\" type=\"2\" nafGroup=\"g&amp;1\"><uids><uid>sip:a@home1.net</uid>"
			    "<uid>a&amp;b&lt;c&gt;&quot;&#10;</uid></uids>"
			    "<flags><flag>1</flag><flag>4294967295</flag></flags></uss>"
			    "<uss id=\"999999\" type=\"0\"><uids></uids><flags></flags>"
			    "<keyChoice>ME-based-key</keyChoice></uss></ussList>";
	const char declaration[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
	char *text = guss_build(test_ctx, &guss);

	ck_assert_str_eq(text, talloc_asprintf(test_ctx, "%s<guss id=\"" IMPI "\"><bsfInfo><uiccType>GBA_U</uiccType><lifeTime>60"
					       "</lifeTime></bsfInfo>%s</guss>\n", declaration, list));
	ck_assert_str_eq(uss_list_build(test_ctx, &guss), talloc_asprintf(test_ctx, "%s%s\n", declaration, list));

	ck_assert_err(guss_parse(test_ctx, bytes_of(text), &back), GBA_OK);
	ck_assert_str_eq(back->impi, IMPI);
	ck_assert_str_eq(back->uss[0].naf_group, "g&1");
	ck_assert_str_eq(back->uss[0].uids[1], "a&b<c>\""); /* blanks around a value carry nothing */
	ck_assert_uint_eq(back->uss[0].flags[1], UINT32_MAX);
	ck_assert_str_eq(back->uss[1].key_choice, "ME-based-key");
}
END_TEST

static const struct {
	const char *name, *impi, *uid;
} unbuildable_rows[] = {
	{ "no IMPI", NULL, "u" },
	{ "control octet", "i", "a\x01" },
	{ "broken UTF-8", "i", "\xc3" },
	{ "control octet in the IMPI", "\x1b[2J", "u" },
};

START_TEST(guss_refuses_to_write_what_xml_cannot_carry)
{
	const char *uids[] = { unbuildable_rows[_i].uid };
	struct uss uss = { .uids = uids, .uid_count = 1 };
	struct guss guss = { .impi = unbuildable_rows[_i].impi, .uss = &uss, .uss_count = 1 };

	ck_assert_ptr_null(guss_build(test_ctx, &guss));
	ck_assert_uint_eq(talloc_total_blocks(test_ctx), 1);
}
END_TEST

/* USSs by "gsid/group": a NAF sees what was asked, its own group's before the common one, never another group's. */
static const struct {
	const char *name, *naf_group;
	uint32_t gsids[4];
	size_t count;
	const char *want; /* types selected, in order; type tells the USSs apart */
} select_rows[] = {
	{ "nothing asked", "a", { 0 }, 0, "" },
	{ "in no group: the common one", NULL, { 1 }, 1, "10 " },
	{ "group a", "a", { 1 }, 1, "11 " },
	{ "group b has two", "b", { 1 }, 1, "12 13 " },
	{ "group without its own: the common one", "c", { 1 }, 1, "10 " },
	{ "only for group a, asked by a", "a", { 2 }, 1, "21 " },
	{ "only for group a, asked by b", "b", { 2 }, 1, "" },
	{ "only for group a, asked by none", NULL, { 2 }, 1, "" },
	{ "unknown GSID", "a", { 9 }, 1, "" },
	{ "several, asked twice", "a", { 3, 1, 3, 2 }, 4, "30 11 21 " },
};

START_TEST(uss_are_selected_by_gsid_and_group)
{
	static struct uss uss[] = { { .gsid = 1, .type = 10 },			   { .gsid = 1, .type = 11, .naf_group = "a" },
				    { .gsid = 1, .type = 12, .naf_group = "b" }, { .gsid = 1, .type = 13, .naf_group = "b" },
				    { .gsid = 2, .type = 21, .naf_group = "a" }, { .gsid = 3, .type = 30 } };
	struct guss guss = { .impi = IMPI, .uss = uss, .uss_count = 6 }, selected;
	char types[64] = "";
	size_t i;

	ck_assert_err(guss_select(test_ctx, &guss, select_rows[_i].gsids, select_rows[_i].count, select_rows[_i].naf_group,
				  &selected), GBA_OK);
	for (i = 0; i < selected.uss_count; i++)
		snprintf(types + strlen(types), sizeof(types) - strlen(types), "%u ", selected.uss[i].type);
	ck_assert_msg(strcmp(types, select_rows[_i].want) == 0, "%s: got %s", select_rows[_i].name, types);
	ck_assert_ptr_null(selected.impi);
}
END_TEST

#define BTID "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org"
/* The worked example's body, octet for octet; 223 octets as its Content-Length says. */
static const char bsinfo_example[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<BootstrappingInfo xmlns=\"uri:3gpp-gba\">\n"
				     "  <btid>" BTID "</btid>\n  <lifetime>2031-01-01T12:00:00Z</lifetime>\n</BootstrappingInfo>\n";

START_TEST(bsinfo_is_built_as_the_example_shows)
{
	struct bsinfo info = { .btid = BTID, .lifetime = 1925035200 };

	ck_assert_str_eq(bsinfo_build(test_ctx, &info), bsinfo_example);
	ck_assert_uint_eq(strlen(bsinfo_example), 223);
}
END_TEST

#define INFO(inner) "<BootstrappingInfo xmlns=\"uri:3gpp-gba\">" inner "</BootstrappingInfo>"
#define B	    "<btid>b</btid>"
#define L	    "<lifetime>2031-01-01T12:00:00Z</lifetime>"
static const struct {
	const char *name;
	struct bytes xml;
	enum gba_err want;
	const char *btid;
} bsinfo_rows[] = {
	{ "worked example", { (const uint8_t *)bsinfo_example, sizeof(bsinfo_example) - 1 }, GBA_OK, BTID },
	{ "prefix",
	  TEXT("<g:BootstrappingInfo xmlns:g=\"uri:3gpp-gba\"><g:btid>b</g:btid><g:lifetime>2031-01-01T12:00:00Z</g:lifetime>"
			 "</g:BootstrappingInfo>"), GBA_OK, "b" },
	{ "no namespace, other order", TEXT("<BootstrappingInfo>" L B "</BootstrappingInfo>"), GBA_OK, "b" },
	{ "extension with current time", TEXT(INFO(B L "<Extension><currenttime>2030-01-01T00:00:00Z</currenttime><btid>x</btid>"
						   "</Extension>")), GBA_OK, "b" },
	{ "unknown elements, blanks", TEXT(INFO("<x y=\"1\"/><btid>\n b\n </btid>" L)), GBA_OK, "b" },
	{ "zone offset", TEXT(INFO(B "<lifetime>2031-01-01T13:30:00.5+01:30</lifetime>")), GBA_OK, "b" },
	{ "no btid", TEXT(INFO(L)), GBA_E_XML, NULL },
	{ "empty btid", TEXT(INFO("<btid/>" L)), GBA_E_XML, NULL },
	{ "two btids", TEXT(INFO(B L "<btid>c</btid>")), GBA_E_XML, NULL },
	{ "no lifetime", TEXT(INFO(B)), GBA_E_XML, NULL },
	{ "two lifetimes", TEXT(INFO(B L L)), GBA_E_XML, NULL },
	{ "lifetime no date", TEXT(INFO(B "<lifetime>tomorrow</lifetime>")), GBA_E_XML, NULL },
	{ "another root", TEXT("<guss id=\"i\"/>"), GBA_E_XML, NULL },
	{ "DTD with entity", TEXT("<!DOCTYPE B [<!ENTITY e \"b\">]><BootstrappingInfo><btid>&e;</btid>" L "</BootstrappingInfo>"),
	  GBA_E_XML, NULL },
	{ "HTML", TEXT("<!DOCTYPE html><html><body>It works!</body></html>"), GBA_E_XML, NULL },
	{ "empty", TEXT(""), GBA_E_XML, NULL },
};

/* mapping G12: what a UE of ours finds where it looks, and others pass over. */
START_TEST(bsinfo_extension_goes_round)
{
	struct bsinfo info = { .btid = BTID, .lifetime = 1925035200, .realm_profile = "https://op.example/realm",
			       .token_format = "gba-btid", .certificate = "MAEA", .change_awaited = true }, again = { .btid = NULL };
	char *xml = bsinfo_build(test_ctx, &info);

	ck_assert_ptr_nonnull(strstr(xml, "  <Extension><realmProfile>https://op.example/realm</realmProfile>"
					  "<tokenFormat>gba-btid</tokenFormat><deviceCertificate>MAEA</deviceCertificate>"
					  "<operatorChange>awaited</operatorChange></Extension>\n</BootstrappingInfo>\n"));
	ck_assert_err(bsinfo_parse(test_ctx, bytes_of(xml), &again), GBA_OK);
	ck_assert_str_eq(again.realm_profile, info.realm_profile);
	ck_assert_str_eq(again.token_format, info.token_format);
	ck_assert_str_eq(again.certificate, info.certificate);
	ck_assert(again.change_awaited);
	ck_assert_err(bsinfo_parse(test_ctx, bytes_of("<BootstrappingInfo><Extension><other><realmProfile>no</realmProfile></other>"
						      "<tokenFormat>a</tokenFormat><tokenFormat>b</tokenFormat></Extension>"
						      "<btid>" BTID "</btid><lifetime>2031-01-01T12:00:00Z</lifetime>"
						      "</BootstrappingInfo>"), &again), GBA_OK);
	ck_assert_ptr_null(again.realm_profile);
	ck_assert_str_eq(again.token_format, "a");
}
END_TEST

START_TEST(bsinfo_is_read)
{
	struct bsinfo info = { .btid = NULL };
	enum gba_err got = bsinfo_parse(test_ctx, bsinfo_rows[_i].xml, &info);

	ck_assert_msg(got == bsinfo_rows[_i].want, "%s: got %s", bsinfo_rows[_i].name, gba_err_name(got));
	ck_assert_pstr_eq(info.btid, bsinfo_rows[_i].btid);
	ck_assert_int_eq(info.lifetime, got == GBA_OK ? 1925035200 : 0);
	if (got != GBA_OK)
		ck_assert_uint_eq(talloc_total_blocks(test_ctx), 1);
}
END_TEST

START_TEST(bsinfo_is_bounded)
{
	char *text = repeated("<BootstrappingInfo>", " ", BSINFO_XML_MAX, "</BootstrappingInfo>");
	struct bsinfo info;

	ck_assert_err(bsinfo_parse(test_ctx, bytes_of(text), &info), GBA_E_TOO_LONG);
	text = repeated("<BootstrappingInfo><btid>", "b", 300, "</btid>" L "</BootstrappingInfo>");
	ck_assert_err(bsinfo_parse(test_ctx, bytes_of(text), &info), GBA_E_XML);
}
END_TEST

static int measure(void)
{
	uint64_t start = clock_mono_us();
	TALLOC_CTX *ctx;
	struct guss *guss;
	int i;

	for (i = 0; i < 100000; i++) {
		ctx = talloc_new(NULL);
		guss_parse(ctx, bytes_of(GUSS_FULL), &guss);
		talloc_free(ctx);
	}
	printf("guss_parse %.2f us\n", (double)(clock_mono_us() - start) / 100000);
	return 0;
}

int main(int argc, char **argv)
{
	Suite *suite = suite_create("xml");
	TCase *tc = fixture_tcase("xml");

	if (argc == 2 && strcmp(argv[1], "--measure") == 0)
		return measure();
	tcase_add_loop_test(tc, guss_reads_what_a_hss_sends_and_nothing_else, 0, ROWS(guss_rows));
	tcase_add_test(tc, guss_has_all_its_parts);
	tcase_add_loop_test(tc, key_choice_is_found_in_both_places, 0, ROWS(choice_rows));
	tcase_add_test(tc, guss_is_bounded);
	tcase_add_test(tc, guss_is_built_as_annex_a_has_it);
	tcase_add_loop_test(tc, guss_refuses_to_write_what_xml_cannot_carry, 0, ROWS(unbuildable_rows));
	tcase_add_loop_test(tc, uss_are_selected_by_gsid_and_group, 0, ROWS(select_rows));
	tcase_add_test(tc, bsinfo_is_built_as_the_example_shows);
	tcase_add_test(tc, bsinfo_extension_goes_round);
	tcase_add_loop_test(tc, bsinfo_is_read, 0, ROWS(bsinfo_rows));
	tcase_add_test(tc, bsinfo_is_bounded);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
