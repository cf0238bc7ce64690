/* SPDX-License-Identifier: Apache-2.0 */
/* What goes over the local socket, written out by hand, and the identities of Ua. */
#include "common/fixture.h"
#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/libnaf/wire.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))
#define B22  "I1U8vpY3qJ0hiuZNrke/NQ"
#define BTID B22 "==@bsf.example"

static struct wire_view view_of(struct bytes b)
{
	return (struct wire_view){ b.p, b.n };
}

/* ---- frames ---- */

static const struct {
	const char *name, *hex;
	enum wire_state state;
} frame_rows[] = {
	{ "cancel", "00000008 01 04 0000 00000007", WIRE_WHOLE },
	{ "with more behind", "00000008 01 04 0000 00000007 ff", WIRE_WHOLE },
	{ "nothing", "", WIRE_MORE },
	{ "three octets", "000000", WIRE_MORE },
	{ "head only", "00000009 01 04 0000 00000007", WIRE_MORE },
	{ "shorter than a head", "00000007 01 04 0000 000000", WIRE_BAD },
	{ "length zero", "00000000", WIRE_BAD },
	{ "one too long", "000003fd", WIRE_BAD },
	{ "longest", "000003fc", WIRE_MORE },
	{ "length overflows", "ffffffff", WIRE_BAD },
	{ "reserved set", "00000008 01 04 0001 00000007", WIRE_BAD },
};

START_TEST(frames_are_cut_by_their_length)
{
	struct wire_frame frame = { 0 };
	const char *why = NULL;
	enum wire_state got = wire_frame(view_of(fixture_hex(frame_rows[_i].hex)), WIRE_ASK_MAX, &frame, &why);

	ck_assert_msg(got == frame_rows[_i].state, "%s: %d", frame_rows[_i].name, (int)got);
	ck_assert_int_eq(why != NULL, got == WIRE_BAD);
	if (got != WIRE_WHOLE)
		return;
	ck_assert_uint_eq(frame.octets, 12);
	ck_assert_uint_eq(frame.version, 1);
	ck_assert_uint_eq(frame.type, WIRE_CANCEL);
	ck_assert_uint_eq(frame.id, 7);
	ck_assert_uint_eq(frame.body.n, 0);
}
END_TEST

/* ---- questions ---- */

#define E_BTID	  "01 000002 6100 "
#define E_FQDN	  "02 000003 6e6100 "
#define E_UA	  "03 000005 0100000007 "
#define E_TIMEOUT "06 000004 00000bb8 "
#define E_ALL	  E_BTID E_FQDN E_UA E_TIMEOUT
#define E_GSID	  "04 000004 00000005 "
#define E_GSIDS_8 E_GSID E_GSID E_GSID E_GSID E_GSID E_GSID E_GSID E_GSID

static const struct {
	const char *name, *hex;
	bool good;
} ask_rows[] = {
	{ "what is required", E_ALL, true },
	{ "in another order", E_TIMEOUT E_UA E_FQDN E_BTID, true },
	{ "everything", E_ALL E_GSID "05 000004 00000001" "87 000005 312e322e00", true },
	{ "sixteen services", E_ALL E_GSIDS_8 E_GSIDS_8, true },
	{ "seventeen services", E_ALL E_GSIDS_8 E_GSIDS_8 E_GSID, false },
	{ "wants notices", E_ALL "88 000000", true },
	{ "wants notices, with a value", E_ALL "88 000001 00", false },
	{ "unknown, may be ignored", E_ALL "ff 000003 010203", true },
	{ "unknown, may not", E_ALL "7f 000003 010203", false },
	{ "nothing", "", false },
	{ "no B-TID", E_FQDN E_UA E_TIMEOUT, false },
	{ "no name", E_BTID E_UA E_TIMEOUT, false },
	{ "no protocol", E_BTID E_FQDN E_TIMEOUT, false },
	{ "no time-out", E_BTID E_FQDN E_UA, false },
	{ "B-TID twice", E_BTID E_ALL, false },
	{ "no NUL", "01 000001 61" E_FQDN E_UA E_TIMEOUT, false },
	{ "NUL inside", "01 000003 610000" E_FQDN E_UA E_TIMEOUT, false },
	{ "empty value", "01 000000" E_FQDN E_UA E_TIMEOUT, false },
	{ "four octets of protocol", E_BTID E_FQDN "03 000004 01000000" E_TIMEOUT, false },
	{ "time-out zero", E_BTID E_FQDN E_UA "06 000004 00000000", false },
	{ "time-out of 60 s", E_BTID E_FQDN E_UA "06 000004 0000ea60", true },
	{ "time-out of more", E_BTID E_FQDN E_UA "06 000004 0000ea61", false },
	{ "time-out of 3 octets", E_BTID E_FQDN E_UA "06 000003 000bb8", false },
	{ "element longer than the rest", E_ALL "04 000005 00000005", false },
	{ "element head cut", E_ALL "04 0000", false },
	{ "length overflows", E_ALL "04 ffffff 00000005", false },
	{ "an answer's element", E_ALL "10 000020 0000000000000000000000000000000000000000000000000000000000000000", false },
};

START_TEST(questions_are_read_strictly)
{
	struct wire_ask ask;
	const char *why = wire_ask_decode(view_of(fixture_hex(ask_rows[_i].hex)), &ask);

	ck_assert_msg((why == NULL) == ask_rows[_i].good, "%s: %s", ask_rows[_i].name, why != NULL ? why : "taken");
	if (why != NULL)
		return;
	ck_assert_str_eq(ask.btid, "a");
	ck_assert_str_eq(ask.fqdn, "na");
	ck_assert_uint_eq(ask.ua_id[4], 7);
}
END_TEST

START_TEST(question_is_written_as_it_is_read)
{
	uint8_t frame[WIRE_ASK_MAX];
	struct wire_ask ask = { .btid = "a", .fqdn = "na", .source = "1.2.", .ua_id = (const uint8_t *)"\1\0\0\0\7",
				.gsids = { 5 }, .gsid_count = 1, .flags = 1, .timeout_ms = 3000 };
	size_t n = wire_ask_encode(&ask, 0x01020304, frame);

	ck_assert_bytes(BYTES(frame, n),
			fixture_hex("0000003f 01 01 0000 01020304" E_BTID E_FQDN E_UA E_GSID "05 000004 00000001" E_TIMEOUT
				    "87 000005 312e322e00"),
			"frame");
}
END_TEST

/* ---- answers ---- */

#define K32	 "4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b"
#define E_KEY	 "10 000020 " K32
#define E_EXPIRY "12 000008 000000007c558180"
#define E_USS	 "17 000018 04 000004 000003e8 18 000004 7a407900 19 000004 00000001"

static const struct {
	const char *name, *hex;
	bool good;
} key_rows[] = {
	{ "key and expiry", E_KEY E_EXPIRY, true },
	{ "with a setting", E_KEY E_EXPIRY E_USS, true },
	{ "with a digest", E_KEY E_EXPIRY "a2 000020 " K32, true },
	{ "with 31 octets of one", E_KEY E_EXPIRY "a2 00001f 4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b", false },
	{ "no key", E_EXPIRY, false },
	{ "no expiry", E_KEY, false },
	{ "key of 31", "10 00001f 4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b" E_EXPIRY, false },
	{ "before 1970", E_KEY "12 000008 ffffffffffffffff", false },
	{ "setting without service", E_KEY E_EXPIRY "17 000008 18 000004 7a407900", false },
	{ "setting with two", E_KEY E_EXPIRY "17 000010 04 000004 000003e8 04 000004 000003e8", false },
	{ "setting cut", E_KEY E_EXPIRY "17 000006 04 000004 0000", false },
	{ "identity without NUL", E_KEY E_EXPIRY "17 000010 04 000004 000003e8 18 000004 7a407a79", false },
};

START_TEST(answers_are_read_strictly)
{
	struct wire_key key;
	const char *why = wire_key_decode(view_of(fixture_hex(key_rows[_i].hex)), &key);

	ck_assert_msg((why == NULL) == key_rows[_i].good, "%s: %s", key_rows[_i].name, why != NULL ? why : "taken");
	if (why != NULL)
		return;
	ck_assert_int_eq(key.ks_naf[31], 0x4b);
	ck_assert_ptr_null(key.ks_int_naf);
	ck_assert_int_eq(key.expiry, 0x7c558180);
	ck_assert_ptr_null(key.impi);
}
END_TEST

#define E_DIGEST   "a2 000020 " K32
#define E_DIGEST_2 "a2 000020 0000000000000000000000000000000000000000000000000000000000000000"

static const struct {
	const char *name, *hex;
	bool good, names;
} notice_rows[] = {
	{ "a token", E_DIGEST, true, true },
	{ "another token", E_DIGEST_2, true, false },
	{ "both", E_DIGEST_2 E_DIGEST, true, true },
	{ "for this name", E_DIGEST "02 000003 4e4100", true, true },
	{ "for another", E_DIGEST "02 000003 4e4200", true, false },
	{ "for both", E_DIGEST "02 000003 4e4200" "02 000003 6e6100", true, true },
	{ "with what may be ignored", "ff 000001 00" E_DIGEST, true, true },
	{ "nothing", "", false, false },
	{ "a name alone", "02 000003 4e4100", false, false },
	{ "31 octets", "a2 00001f 4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b", false, false },
	{ "name without NUL", E_DIGEST "02 000002 4e41", false, false },
	{ "unknown element", E_DIGEST "7f 000000", false, false },
	{ "cut", "a2 000020 4b4b", false, false },
};

START_TEST(notices_are_read_strictly)
{
	struct wire_view body = view_of(fixture_hex(notice_rows[_i].hex));
	const char *why = wire_notice_decode(body);

	ck_assert_msg((why == NULL) == notice_rows[_i].good, "%s: %s", notice_rows[_i].name, why != NULL ? why : "taken");
	if (why == NULL)
		ck_assert_int_eq(wire_notice_names(body, fixture_hex(K32).p, "na"), notice_rows[_i].names);
}
END_TEST

START_TEST(settings_are_found_by_service)
{
	/* GSID 1000 with two identities and flag 9; GSID 2000 with one */
	struct wire_view body = view_of(fixture_hex("17 000020 04 000004 000003e8 18 000004 7a407900"
						    "18 000004 74656c00 19 000004 00000009"
						    "17 00000e 04 000004 000007d0 18 000002 7800"));
	struct wire_view uss, value;

	ck_assert(wire_uss_find(body, 2000, &uss));
	ck_assert(wire_element_at(uss, WIRE_T_UID, 0, &value));
	ck_assert_str_eq((const char *)value.p, "x");
	ck_assert(wire_uss_find(body, 1000, &uss));
	ck_assert(wire_element_at(uss, WIRE_T_UID, 1, &value));
	ck_assert_str_eq((const char *)value.p, "tel");
	ck_assert(wire_element_at(uss, WIRE_T_FLAG, 0, &value));
	ck_assert_uint_eq(wire_u32(value), 9);
	ck_assert(!wire_element_at(uss, WIRE_T_UID, 2, &value));
	ck_assert(!wire_uss_find(body, 3000, &uss));
}
END_TEST

START_TEST(what_does_not_fit_is_not_written)
{
	uint8_t room[64], key[WIRE_KEY_LEN] = { 0 };
	struct wire_out out = { room, sizeof(room), 0, false };

	wire_begin(&out, WIRE_KEY, 1);
	wire_put_u32(&out, WIRE_T_ERROR, 1);
	wire_put(&out, WIRE_T_KS_NAF, key, sizeof(key));
	wire_put_text(&out, WIRE_T_TEXT, "four"); /* 12 + 8 + 36 + 9 octets */
	ck_assert(out.full);
	ck_assert_uint_eq(wire_end(&out), 0);
	ck_assert_uint_eq(wire_fail_encode(1, "a long reason", 1, room, 20), 0);
}
END_TEST

/* ---- identities ---- */

static const struct {
	const char *identity;
	enum gba_naf_key_kind kind;
	const char *btid; /* NULL: refused */
} identity_rows[] = {
	{ "3GPP-bootstrapping;" BTID, GBA_NAF_KIND_ME, BTID },
	{ "3GPP-bootstrapping:" BTID, GBA_NAF_KIND_ME, BTID },
	{ "3GPP-bootstrapping." BTID, GBA_NAF_KIND_ME, BTID },
	{ "3GPP-bootstrapping" BTID, GBA_NAF_KIND_ME, BTID },
	{ "3GPP-bootstrapping-uicc;" BTID, GBA_NAF_KIND_UICC, BTID },
	{ "3GPP-bootstrapping-uicc" BTID, GBA_NAF_KIND_UICC, BTID },
	{ "3GPP-bootstrapping-digest;" BTID, GBA_NAF_KIND_DIGEST, BTID },
	{ BTID, GBA_NAF_KIND_ME, NULL },
	{ ";" BTID, GBA_NAF_KIND_ME, NULL },
	{ "3GPP-AKMA;" BTID, GBA_NAF_KIND_ME, NULL },
	{ "3gpp-bootstrapping;" BTID, GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping;;" BTID, GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping; " BTID, GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping@" BTID, GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping-other;" BTID, GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping;", GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping", GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping;" BTID "\r\n", GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping;" BTID ";x", GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping;" B22 "==@", GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping;" B22 "==@bsf..example", GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping;" B22 "==@bsf.example.", GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping;" B22 "=@bsf.example", GBA_NAF_KIND_ME, NULL },
	{ "3GPP-bootstrapping;I1U8vpY3qJ0hiuZNrke/NR==@bsf.example", GBA_NAF_KIND_ME, NULL }, /* unused bits set */
	{ "3GPP-bootstrapping;I1U8vpY3qJ0hiuZNrke-NQ==@bsf.example", GBA_NAF_KIND_ME, NULL }, /* URL alphabet */
	{ "", GBA_NAF_KIND_ME, NULL },
};

START_TEST(identities_are_read_liberally_but_whole)
{
	const char *identity = identity_rows[_i].identity;
	struct gba_naf_identity id = { GBA_NAF_KIND_ME, NULL, 0 };
	enum gba_naf_error got = gba_naf_identity_parse(identity, strlen(identity), &id);

	ck_assert_msg((got == GBA_NAF_OK) == (identity_rows[_i].btid != NULL), "\"%s\"", identity);
	if (got != GBA_NAF_OK)
		return;
	ck_assert_int_eq(id.kind, identity_rows[_i].kind);
	ck_assert_bytes(BYTES(id.btid, id.btid_len), bytes_of(identity_rows[_i].btid), identity);
}
END_TEST

START_TEST(identities_of_any_octets_are_refused)
{
	struct gba_naf_identity id;
	char text[70000];

	memset(text, 'A', sizeof(text));
	memcpy(text, "3GPP-bootstrapping;" B22 "==@", 44);
	ck_assert_int_eq(gba_naf_identity_parse(text, sizeof(text), &id), GBA_NAF_E_BTID_SYNTAX);
	memcpy(text, "3GPP-bootstrapping;" BTID "\0x", sizeof("3GPP-bootstrapping;" BTID "\0x"));
	ck_assert_int_eq(gba_naf_identity_parse(text, sizeof("3GPP-bootstrapping;" BTID "\0x") - 1, &id), GBA_NAF_E_BTID_SYNTAX);
	ck_assert_int_eq(gba_naf_btid_valid(NULL, 0), 0);
}
END_TEST

/* TS 33.220 H.3; the suite's octets as IANA lists it */
START_TEST(protocol_identifiers)
{
	uint8_t out[GBA_NAF_UA_ID_LEN];

	gba_naf_ua_id_tls12(0xccac, out);
	ck_assert_bytes(BYTES(out, 5), fixture_hex("010001ccac"), "TLS 1.2");
	gba_naf_ua_id_tls13_psk(out);
	ck_assert_bytes(BYTES(out, 5), fixture_hex("0100000007"), "TLS 1.3");
	gba_naf_ua_id_http_digest(out);
	ck_assert_bytes(BYTES(out, 5), fixture_hex("0100000002"), "Digest");
}
END_TEST

static const struct {
	enum gba_naf_error error;
	int renegotiate;
	unsigned int http;
} error_rows[] = {
	{ GBA_NAF_OK, 0, 200 }, { GBA_NAF_E_BTID_UNKNOWN, 1, 401 }, { GBA_NAF_E_NOT_AUTHORIZED, 0, 403 },
	{ GBA_NAF_E_REALM, 0, 403 }, { GBA_NAF_E_UNREACHABLE, 0, 503 }, { GBA_NAF_E_TIMEOUT, 0, 503 },
	{ GBA_NAF_E_NO_AGENT, 0, 503 }, { GBA_NAF_E_DENIED, 0, 500 }, { (enum gba_naf_error)999, 0, 503 },
};

START_TEST(failure_never_looks_like_ignorance)
{
	ck_assert_int_eq(gba_naf_error_renegotiate(error_rows[_i].error), error_rows[_i].renegotiate);
	ck_assert_uint_eq(gba_naf_error_http(error_rows[_i].error), error_rows[_i].http);
	ck_assert_uint_gt(strlen(gba_naf_strerror(error_rows[_i].error)), 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("naf wire");
	TCase *tc = fixture_tcase("wire");

	tcase_add_loop_test(tc, frames_are_cut_by_their_length, 0, ROWS(frame_rows));
	tcase_add_loop_test(tc, questions_are_read_strictly, 0, ROWS(ask_rows));
	tcase_add_test(tc, question_is_written_as_it_is_read);
	tcase_add_loop_test(tc, answers_are_read_strictly, 0, ROWS(key_rows));
	tcase_add_loop_test(tc, notices_are_read_strictly, 0, ROWS(notice_rows));
	tcase_add_test(tc, settings_are_found_by_service);
	tcase_add_test(tc, what_does_not_fit_is_not_written);
	tcase_add_loop_test(tc, identities_are_read_liberally_but_whole, 0, ROWS(identity_rows));
	tcase_add_test(tc, identities_of_any_octets_are_refused);
	tcase_add_test(tc, protocol_identifiers);
	tcase_add_loop_test(tc, failure_never_looks_like_ignorance, 0, ROWS(error_rows));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
