/* SPDX-License-Identifier: Apache-2.0 */
/* What a card says, octet by octet: both protocols, files, PIN status, AUTHENTICATE. A card here is a list of what it is to be
 * sent and what it answers. REQ: OBF-7.2.3-4 */
#include "common/fixture.h"
#include "ue/usim/card_auth.h"
#include "ue/usim/card_files.h"
#include "ue/usim/usim_open.h"

struct line {
	const char *sent, *answer;
};

struct script {
	const struct line *at;
};

static enum gba_err play(void *arg, struct bytes command, uint8_t *answer, size_t *_n, struct why *why)
{
	struct script *script = arg;

	(void)why;
	ck_assert_ptr_nonnull(script->at->sent);
	ck_assert_bytes(command, fixture_hex(script->at->sent), "command");
	*_n = strlen(script->at->answer) / 2;
	memcpy(answer, fixture_hex(script->at->answer).p, *_n);
	script->at++;
	return GBA_OK;
}

/* TS 102 221 7.3.1.1.5, Annex C: cases of commands in T=0 and T=1. */
static const struct {
	const char *name;
	bool t0;
	uint8_t ins;
	const char *data;
	int le;
	struct line lines[5];
	enum gba_err want;
	uint16_t sw;
	const char *got;
} exchange_rows[] = {
	{ "T=1 case 4", false, 0xa4, "3f00", 0, { { "00a40000023f0000", "62009000" } }, GBA_OK, 0x9000, "6200" },
	{ "T=0 case 4", true, 0xa4, "3f00", 0, { { "00a40000023f00", "6102" }, { "00c0000002", "62009000" } }, GBA_OK, 0x9000, "6200" },
	{ "T=1 may say 61, too", false, 0xa4, "3f00", 0, { { "00a40000023f0000", "6102" }, { "00c0000002", "62009000" } }, GBA_OK, 0x9000,
	  "6200" },
	{ "9F as cards of old have it", true, 0xa4, "3f00", 0, { { "00a40000023f00", "9f02" }, { "00c0000002", "62009000" } }, GBA_OK,
	  0x9000, "6200" },
	{ "in pieces", true, 0xa4, "3f00", 0,
	  { { "00a40000023f00", "6102" }, { "00c0000002", "62006101" }, { "00c0000001", "ff9000" } }, GBA_OK, 0x9000, "6200ff" },
	{ "a length it wants otherwise", true, 0xb0, NULL, 9, { { "00b0000009", "6c03" }, { "00b0000003", "0102039000" } }, GBA_OK, 0x9000,
	  "010203" },
	{ "256 octets", true, 0xb0, NULL, 0, { { "00b0000000", "6c00" }, { "00b0000000", "6a82" } }, GBA_OK, 0x6a82, "" },
	{ "T=0 case 3", true, 0x20, "31ff", APDU_NO_LE, { { "002000000231ff", "63c2" } }, GBA_OK, 0x63c2, "" },
	{ "T=0 case 1 has a P3", true, 0x20, NULL, APDU_NO_LE, { { "0020000000", "63c3" } }, GBA_OK, 0x63c3, "" },
	{ "T=1 case 1", false, 0x20, NULL, APDU_NO_LE, { { "00200000", "63c3" } }, GBA_OK, 0x63c3, "" },
	{ "nothing", false, 0x20, NULL, APDU_NO_LE, { { "00200000", "" } }, GBA_E_PEER, 0, "" },
	{ "half a status", false, 0x20, NULL, APDU_NO_LE, { { "00200000", "90" } }, GBA_E_PEER, 0, "" },
};

START_TEST(exchanges)
{
	struct script script = { exchange_rows[_i].lines };
	struct apdu_card card = { &script, exchange_rows[_i].t0, play };
	struct apdu command = { .ins = exchange_rows[_i].ins, .le = exchange_rows[_i].le };
	struct apdu_answer answer;

	if (exchange_rows[_i].data != NULL)
		command.data = fixture_hex(exchange_rows[_i].data);
	ck_assert_err(apdu_exchange(&card, &command, &answer, NULL), exchange_rows[_i].want);
	ck_assert_ptr_null(script.at->sent);
	ck_assert_uint_eq(answer.sw, exchange_rows[_i].sw);
	if (exchange_rows[_i].want == GBA_OK)
		ck_assert_bytes(BYTES(answer.data, answer.n), fixture_hex(exchange_rows[_i].got), exchange_rows[_i].name);
}
END_TEST

static enum gba_err for_ever(void *arg, struct bytes command, uint8_t *answer, size_t *_n, struct why *why)
{
	(void)command, (void)why;
	++*(unsigned int *)arg;
	memcpy(answer, "\x61\x10", *_n = 2);
	return GBA_OK;
}

static enum gba_err too_much(void *arg, struct bytes command, uint8_t *answer, size_t *_n, struct why *why)
{
	(void)arg, (void)command, (void)why;
	memset(answer, 0, *_n = APDU_REPLY_MAX);
	answer[256] = 0x61;
	return GBA_OK;
}

START_TEST(a_card_without_an_end)
{
	unsigned int count = 0;
	struct apdu_card card = { &count, true, for_ever }, other = { NULL, true, too_much };
	struct apdu command = { .ins = 0xb0, .le = 0 };
	struct apdu_answer answer;

	ck_assert_err(apdu_exchange(&card, &command, &answer, NULL), GBA_E_PEER);
	ck_assert_uint_lt(count, 20);
	ck_assert_err(apdu_exchange(&other, &command, &answer, NULL), GBA_E_TOO_LONG);
}
END_TEST

static const struct {
	uint16_t sw;
	bool good;
	enum gba_err err;
} sw_rows[] = {
	{ 0x9000, true, GBA_OK },	      { 0x9110, true, GBA_OK },		  { 0x9203, true, GBA_OK },
	{ 0x9240, false, GBA_E_IO },	      { 0x9862, false, GBA_E_AKA_MAC },	  { 0x6982, false, GBA_E_DENIED },
	{ 0x6983, false, GBA_E_DENIED },      { 0x63c2, false, GBA_E_DENIED },	  { 0x6a86, false, GBA_E_UNSUPPORTED },
	{ 0x6a82, false, GBA_E_NOT_FOUND },   { 0x6d00, false, GBA_E_UNSUPPORTED }, { 0x6f12, false, GBA_E_IO },
	{ 0x9300, false, GBA_E_BUSY },	      { 0x0000, false, GBA_E_PEER },	  { 0xffff, false, GBA_E_PEER },
};

START_TEST(statuses)
{
	struct why why = { "" };

	ck_assert_int_eq(apdu_good(sw_rows[_i].sw), sw_rows[_i].good);
	if (!sw_rows[_i].good) {
		ck_assert_err(apdu_refused(sw_rows[_i].sw, "TEST", &why), sw_rows[_i].err);
		ck_assert_int_eq(strncmp(why.text, "TEST: card says ", 16), 0);
	}
}
END_TEST

/* TS 102 221 11.1.1.3, 9.5.2; the PIN: the first that is switched on, of those a person knows. */
static const struct {
	const char *fcp;
	size_t size, record_len, records;
	uint8_t pin;
} fcp_rows[] = {
	{ "6208 82024121 80020009", 9, 0, 0, 0 },
	{ "6207 8205422100260a", 0, 0x26, 10, 0 },
	{ "620b c609 900180 830101 830181", 0, 0, 0, 1 },
	{ "620b c609 900100 830101 830181", 0, 0, 0, 0 },
	{ "620b c609 900140 830101 830181", 0, 0, 0, 0 }, /* 81: the second PIN of an application */
	{ "620b c609 900140 830101 830111", 0, 0, 0, 0x11 },
	{ "620e c60c 900140 830101 950108 830111", 0, 0, 0, 0x11 },
	{ "6208 82024121 80ff0009", 0, 0, 0, 0 },
	{ "62ff", 0, 0, 0, 0 },
	{ "6280", 0, 0, 0, 0 },
	{ "62", 0, 0, 0, 0 },
};

START_TEST(file_control_parameters)
{
	struct card_fcp fcp;

	card_fcp_parse(fixture_hex(fcp_rows[_i].fcp), &fcp);
	ck_assert_uint_eq(fcp.size, fcp_rows[_i].size);
	ck_assert_uint_eq(fcp.record_len, fcp_rows[_i].record_len);
	ck_assert_uint_eq(fcp.records, fcp_rows[_i].records);
	ck_assert_uint_eq(fcp.pin_reference, fcp_rows[_i].pin);
}
END_TEST

static const struct {
	const char *file, *imsi; /* NULL: none in it */
} imsi_rows[] = {
	{ "080910100000000010", "001010000000001" },
	{ "0801101010325476f8", "00101012345678" },
	{ "0409101021", "0010112" },
	{ "0409101021ffffffff", "0010112" },
	{ "08091010a000000010", NULL }, /* no digit */
	{ "08011010f0000000f8", NULL }, /* a filler in the middle */
	{ "020910", NULL },		/* too short */
	{ "ffffffffffffffffff", NULL },
	{ "000910100000000010", NULL },
	{ "09091010000000001000", NULL },
	{ "080910", NULL },
	{ "08", NULL },
};

START_TEST(imsi_files)
{
	char imsi[IMSI_MAX + 1] = "";
	enum gba_err err = card_imsi(fixture_hex(imsi_rows[_i].file), imsi);

	ck_assert_err(err, imsi_rows[_i].imsi != NULL ? GBA_OK : GBA_E_SYNTAX);
	if (err == GBA_OK)
		ck_assert_str_eq(imsi, imsi_rows[_i].imsi);
}
END_TEST

START_TEST(other_files)
{
	char impi[IMPI_MAX + 1];
	struct bytes aid = BYTES_NONE;

	ck_assert_uint_eq(card_mnc_digits(fixture_hex("00000003")), 3);
	ck_assert_uint_eq(card_mnc_digits(fixture_hex("00000002")), 2);
	ck_assert_uint_eq(card_mnc_digits(fixture_hex("000000")), 2);
	ck_assert_uint_eq(card_mnc_digits(fixture_hex("000000ff")), 2);
	ck_assert(card_service(fixture_hex("000000000000000008"), 68) && !card_service(fixture_hex("000000000000000008"), 67));
	ck_assert(!card_service(fixture_hex("0000000000000000"), 68) && !card_service(BYTES_NONE, 68));
	ck_assert(card_service(fixture_hex("02"), 2));
	ck_assert_err(card_impi(fixture_hex("8003614062ffff"), impi), GBA_OK);
	ck_assert_str_eq(impi, "a@b");
	ck_assert_err(card_impi(fixture_hex("8003610a62"), impi), GBA_E_IMPI_SYNTAX);
	ck_assert_err(card_impi(fixture_hex("80ff6140"), impi), GBA_E_IMPI_SYNTAX);
	ck_assert_err(card_impi(fixture_hex("ffffffff"), impi), GBA_E_IMPI_SYNTAX);
	ck_assert_err(card_dir_record(fixture_hex("61094f07a000000087100250ff"), &aid), GBA_OK);
	ck_assert(card_aid_is_usim(aid) && !card_aid_is_isim(aid));
	ck_assert_err(card_dir_record(fixture_hex("61094f07a0000000871004ff"), &aid), GBA_OK);
	ck_assert(card_aid_is_isim(aid));
	ck_assert_err(card_dir_record(fixture_hex("61044f02a000"), &aid), GBA_E_SYNTAX);
	ck_assert_err(card_dir_record(fixture_hex("ffffffff"), &aid), GBA_E_SYNTAX);
}
END_TEST

START_TEST(bootstrapping_parameters)
{
	uint8_t rand[RAND_LEN], out[64];

	memset(rand, 0xab, sizeof(rand));
	ck_assert(card_gbabp_build(rand, bytes_of("x@y"), bytes_of("now"), out, 28));
	ck_assert_bytes(BYTES(out, 28), fixture_hex("10abababababababababababababababab0378407903" "6e6f77ffffff"), "all of it");
	ck_assert_bytes(card_gbabp_rand(BYTES(out, 28)), BYTES(rand, 16), "RAND");
	ck_assert(card_gbabp_build(rand, bytes_of("x@y"), bytes_of("now"), out, 24));
	ck_assert_bytes(BYTES(out + 17, 7), fixture_hex("0378407900ffff"), "no room for the lifetime");
	ck_assert(card_gbabp_build(rand, bytes_of("x@yz"), bytes_of("now"), out, 19));
	ck_assert_bytes(BYTES(out + 17, 2), fixture_hex("0000"), "no room for the B-TID");
	ck_assert(!card_gbabp_build(rand, bytes_of("x@y"), bytes_of("now"), out, 18));
	ck_assert_ptr_null(card_gbabp_rand(fixture_hex("ffffffffffffffffffffffffffffffffffff")).p);
	ck_assert_ptr_null(card_gbabp_rand(fixture_hex("10abab")).p);
}
END_TEST

#define RAND_HEX "000102030405060708090a0b0c0d0e0f"
#define AUTN_HEX "101112131415161718191a1b1c1d1e1f"
#define SENT_3G	 "008800812210" RAND_HEX "10" AUTN_HEX "00"
#define SENT_GBA "0088008423dd10" RAND_HEX "10" AUTN_HEX "00"
#define CK_HEX	 "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
#define IK_HEX	 "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"

/* TS 31.102 7.1.2.1 - 7.1.2.3 */
static const struct {
	const char *name;
	enum usim_context context;
	struct line line[2];
	enum gba_err want;
	size_t res_len;
} auth_rows[] = {
	{ "RES of 8", USIM_3G, { { SENT_3G, "db08a0a1a2a3a4a5a6a710" CK_HEX "10" IK_HEX "9000" } }, GBA_OK, 8 },
	{ "RES of 16 and Kc", USIM_3G, { { SENT_3G, "db10" RAND_HEX "10" CK_HEX "10" IK_HEX "0808080808080808089000" } }, GBA_OK, 16 },
	{ "a toolkit command waits", USIM_3G, { { SENT_3G, "db08a0a1a2a3a4a5a6a710" CK_HEX "10" IK_HEX "9110" } }, GBA_OK, 8 },
	{ "AUTS", USIM_3G, { { SENT_3G, "dc0e0102030405060708090a0b0c0d0e9000" } }, GBA_E_AKA_SYNC, 0 },
	{ "AUTS too short", USIM_3G, { { SENT_3G, "dc020102" "9000" } }, GBA_E_PEER, 0 },
	{ "RES of 3", USIM_3G, { { SENT_3G, "db03a0a1a210" CK_HEX "10" IK_HEX "9000" } }, GBA_E_PEER, 0 },
	{ "no IK", USIM_3G, { { SENT_3G, "db08a0a1a2a3a4a5a6a710" CK_HEX "9000" } }, GBA_E_PEER, 0 },
	{ "a short CK", USIM_3G, { { SENT_3G, "db08a0a1a2a3a4a5a6a704c0c1c2c310" IK_HEX "9000" } }, GBA_E_PEER, 0 },
	{ "length beyond the end", USIM_3G, { { SENT_3G, "dbffa0a1a2a39000" } }, GBA_E_PEER, 0 },
	{ "another tag", USIM_3G, { { SENT_3G, "0108a0a1a2a3a4a5a6a79000" } }, GBA_E_PEER, 0 },
	{ "nothing", USIM_3G, { { SENT_3G, "9000" } }, GBA_E_PEER, 0 },
	{ "MAC", USIM_3G, { { SENT_3G, "9862" } }, GBA_E_AKA_MAC, 0 },
	{ "PIN", USIM_3G, { { SENT_3G, "6982" } }, GBA_E_DENIED, 0 },
	{ "GBA", USIM_GBA, { { SENT_GBA, "db08a0a1a2a3a4a5a6a79000" } }, GBA_OK, 8 },
	{ "GBA, AUTS", USIM_GBA, { { SENT_GBA, "dc0e0102030405060708090a0b0c0d0e9000" } }, GBA_E_AKA_SYNC, 0 },
	{ "GBA not there", USIM_GBA, { { SENT_GBA, "6a86" } }, GBA_E_UNSUPPORTED, 0 },
};

START_TEST(authenticate)
{
	struct script script = { auth_rows[_i].line };
	struct apdu_card card = { &script, false, play };
	struct usim_reply reply = { .res_len = 0 };
	uint16_t sw;

	ck_assert_err(card_authenticate(&card, auth_rows[_i].context, fixture_hex(RAND_HEX).p, fixture_hex(AUTN_HEX).p, &reply, &sw, NULL),
		      auth_rows[_i].want);
	if (auth_rows[_i].want == GBA_OK)
		ck_assert_uint_eq(reply.res_len, auth_rows[_i].res_len);
	if (auth_rows[_i].want == GBA_OK && auth_rows[_i].context == USIM_3G)
		ck_assert_bytes(BYTES(reply.ik, 16), fixture_hex(IK_HEX), "IK");
	if (auth_rows[_i].want == GBA_E_AKA_SYNC)
		ck_assert_bytes(BYTES(reply.auts, 14), fixture_hex("0102030405060708090a0b0c0d0e"), "AUTS");
}
END_TEST

static const struct {
	struct line line[2];
	enum gba_err want;
} derive_rows[] = {
	{ { { "0088008409de03610100036140" "6200", "db20" RAND_HEX AUTN_HEX "9000" } }, GBA_OK },
	{ { { "0088008409de036101000361406200", "db1f" RAND_HEX AUTN_HEX "9000" } }, GBA_E_PEER },
	{ { { "0088008409de036101000361406200", "dc20" RAND_HEX AUTN_HEX "9000" } }, GBA_E_PEER },
	{ { { "0088008409de036101000361406200", "9000" } }, GBA_E_PEER },
	{ { { "0088008409de036101000361406200", "6985" } }, GBA_E_BTID_UNKNOWN },
	{ { { "0088008409de036101000361406200", "6a80" } }, GBA_E_UNSUPPORTED },
};

START_TEST(naf_derivation)
{
	struct script script = { derive_rows[_i].line };
	struct apdu_card card = { &script, false, play };
	uint8_t key[GBA_KS_NAF_LEN], longest[NAF_ID_MAX] = { 0 };
	uint16_t sw;

	ck_assert_err(card_derive(&card, BYTES("a\1", 3), bytes_of("a@b"), key, &sw, NULL), derive_rows[_i].want);
	if (derive_rows[_i].want == GBA_OK)
		ck_assert_bytes(BYTES(key, sizeof(key)), fixture_hex(RAND_HEX AUTN_HEX), "Ks_ext_NAF");
	ck_assert_err(card_derive(&card, BYTES(longest, 250), bytes_of("a@b"), key, &sw, NULL), GBA_E_TOO_LONG);
}
END_TEST

static const struct {
	const char *name;
	bool card, valid;
} name_rows[] = {
	{ "default", false, true },	 { "pcsc", false, true },	     { "pcsc:", true, true },
	{ "pcsc:A Reader [x] (1) 00 00", true, true }, { "pcsc,isim:", true, true }, { "pcsc,usim,me:R", true, true },
	{ "pcsc,:", false, false },	 { "pcsc,other:", false, false },    { "pcscx:", false, false },
	{ "", false, false },		 { ":", false, false },		     { "../x", false, false },
};

START_TEST(names)
{
	ck_assert_int_eq(usim_name_is_card(name_rows[_i].name), name_rows[_i].card);
	ck_assert_int_eq(usim_name_valid(bytes_of(name_rows[_i].name)), name_rows[_i].valid);
}
END_TEST

#define LOOP(tc, test, rows) tcase_add_loop_test(tc, test, 0, (int)(sizeof(rows) / sizeof((rows)[0])))

int main(void)
{
	Suite *suite = suite_create("ue card");
	TCase *tc = fixture_tcase("card");

	LOOP(tc, exchanges, exchange_rows);
	tcase_add_test(tc, a_card_without_an_end);
	LOOP(tc, statuses, sw_rows);
	LOOP(tc, file_control_parameters, fcp_rows);
	LOOP(tc, imsi_files, imsi_rows);
	tcase_add_test(tc, other_files);
	tcase_add_test(tc, bootstrapping_parameters);
	LOOP(tc, authenticate, auth_rows);
	LOOP(tc, naf_derivation, derive_rows);
	LOOP(tc, names, name_rows);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
