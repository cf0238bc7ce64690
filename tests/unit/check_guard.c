/* SPDX-License-Identifier: Apache-2.0 */
/* The guard's parts that need no daemon: what makes two requests the same, what the log may show, what is remembered. */
#include <stdlib.h>

#include "common/fixture.h"
#include "core/clock.h"
#include "dia/guard/guard.h"
#include "dia/guard/guard_arena.h"

/* A BIR of RFC 6733's form, in pieces: header up to hop-by-hop id, the rest of it, AVPs. */
#define HEAD(flags) "01000064" flags "000136" "01000004"
#define HBH_A	    "00000001"
#define HBH_B	    "a0b0c0d0"
#define E2E	    "5a5a0001"
#define SID	    "000001074000000f" "6e61663b313b3200"	/* Session-Id "naf;1;2" */
#define OH	    "000001084000000c" "6e61662e"		/* Origin-Host "naf." */
#define OTHER_OH    "000001084000000c" "6e61662f"
#define RR	    "0000011a4000000c" "6472612e"		/* Route-Record "dra." */
#define PI	    "0000011c40000008"				/* Proxy-Info, empty */
#define BTID	    "00000191c000000d000028af" "78000000"	/* Transaction-Identifier "x" */

static const struct {
	const char *name, *octets;
	bool same; /* as HEAD(c0) HBH_A E2E SID OH BTID */
} digest_rows[] = {
	{ "itself", HEAD("c0") HBH_A E2E SID OH BTID, true },
	{ "another hop", HEAD("c0") HBH_B E2E SID OH BTID, true },
	{ "T bit", HEAD("d0") HBH_B E2E SID OH BTID, true },
	{ "over an agent", HEAD("d0") HBH_B E2E SID OH BTID RR, true },
	{ "over two agents", HEAD("d0") HBH_B E2E SID OH BTID RR PI RR, true },
	{ "agent's AVPs between", HEAD("d0") HBH_B E2E SID RR OH PI BTID, true },
	{ "P bit clear", HEAD("80") HBH_A E2E SID OH BTID, false },
	{ "another end-to-end id", HEAD("c0") HBH_A "5a5a0002" SID OH BTID, false },
	{ "another Origin-Host", HEAD("c0") HBH_A E2E SID OTHER_OH BTID, false },
	{ "an AVP more", HEAD("c0") HBH_A E2E SID OH BTID BTID, false },
	{ "an AVP less", HEAD("c0") HBH_A E2E SID OH, false },
	{ "other order", HEAD("c0") HBH_A E2E SID BTID OH, false },
	{ "a word of zeros more", HEAD("c0") HBH_A E2E SID OH BTID "0000000140000008", false },
};

START_TEST(digests_tell_requests_apart)
{
	struct bytes first = fixture_hex(digest_rows[0].octets), other = fixture_hex(digest_rows[_i].octets);
	uint64_t a[2], b[2];

	ck_assert(guard_digest(first, a));
	ck_assert(guard_digest(other, b));
	ck_assert_msg((a[0] == b[0] && a[1] == b[1]) == digest_rows[_i].same, "%s", digest_rows[_i].name);
}
END_TEST

/* A note: code 2 of vendor fffff6ba; code, vendor and flags of the AVP that did not fit. */
#define NOTE(length, code, vendor, flags) "00000002" "80" length "fffff6ba" code vendor flags "000000"
#define WORD "00000000"

static const struct {
	const char *name, *octets, *mended; /* mended NULL: left alone */
} mend_rows[] = {
	{ "all fit", HEAD("c0") HBH_A E2E SID OH BTID, NULL },
	{ "no AVP", HEAD("c0") HBH_A E2E, NULL },
	{ "no whole header", HEAD("c0") HBH_A, NULL },
	{ "P bit clear: CER, DWR, DPR", HEAD("80") HBH_A E2E SID "0000010840000fff" WORD WORD WORD WORD, NULL },
	{ "too long, room behind", HEAD("c0") HBH_A E2E SID "0000010840000fff" WORD WORD WORD WORD WORD,
	  HEAD("c0") HBH_A E2E SID NOTE("00001c", "00000108", WORD, "40") WORD },
	{ "too long, just room", HEAD("c0") HBH_A E2E SID "0000010840000019" WORD WORD WORD WORD,
	  HEAD("c0") HBH_A E2E SID NOTE("000018", "00000108", WORD, "40") },
	{ "the AVP before goes for room", HEAD("c0") HBH_A E2E SID OH "00000191c000000d000028af",
	  HEAD("c0") HBH_A E2E SID NOTE("000018", "00000191", "000028af", "c0") },
	{ "an answer", HEAD("40") HBH_A E2E SID OH "0000010c40000fff" WORD,
	  HEAD("40") HBH_A E2E SID NOTE("000018", "0000010c", WORD, "40") },
	{ "shorter than its head", HEAD("c0") HBH_A E2E SID OH "00000191c000000b000028af",
	  HEAD("c0") HBH_A E2E SID NOTE("000018", "00000191", "000028af", "c0") },
	{ "head without flags", HEAD("c0") HBH_A E2E SID OH OH "00000191",
	  HEAD("c0") HBH_A E2E SID NOTE("00001c", "00000191", WORD, "00") WORD },
	{ "an octet left over", HEAD("c0") HBH_A E2E SID OH OH "47",
	  HEAD("c0") HBH_A E2E SID NOTE("000019", "47000000", WORD, "00") "00" },
	{ "the only one, no room for a note", HEAD("c0") HBH_A E2E "0000010840000fff" WORD WORD WORD,
	  HEAD("c0") HBH_A E2E "000001085f000014" WORD WORD WORD },
	{ "the only one, with its vendor", HEAD("c0") HBH_A E2E "00000191c0000fff" "000028af",
	  HEAD("c0") HBH_A E2E "00000191df00000c" "000028af" },
	{ "the only one, its vendor cut off", HEAD("c0") HBH_A E2E "00000191c000000c",
	  HEAD("c0") HBH_A E2E "000001915e000008" },
	{ "less than a head", HEAD("c0") HBH_A E2E "00000191", NULL },
};

START_TEST(avps_that_do_not_fit_become_notes)
{
	struct bytes before = fixture_hex(mend_rows[_i].octets);
	struct bytes want = mend_rows[_i].mended != NULL ? fixture_hex(mend_rows[_i].mended) : before;
	uint8_t *octets = malloc(before.n + 1);

	memcpy(octets, before.p, before.n);
	octets[before.n] = 0xa5;
	ck_assert_int_eq(guard_raw_mend(octets, before.n), mend_rows[_i].mended != NULL);
	ck_assert_msg(bytes_eq(BYTES(octets, before.n), want), "%s", mend_rows[_i].name);
	ck_assert_int_eq(octets[before.n], 0xa5);
	free(octets);
}
END_TEST

static const struct {
	const char *name, *octets;
} no_digest_rows[] = {
	{ "an answer", HEAD("40") HBH_A E2E SID OH BTID },
	{ "the base application", "01000064" "80000118" "00000000" HBH_A E2E OH },
	{ "no whole header", HEAD("c0") HBH_A },
	{ "AVP shorter than its header", HEAD("c0") HBH_A E2E "0000010840000007" },
	{ "AVP longer than the message", HEAD("c0") HBH_A E2E "000001084000000d" "6e61662e" },
	{ "empty", "" },
};

START_TEST(what_is_no_request_has_no_digest)
{
	uint64_t digest[2];

	ck_assert_msg(!guard_digest(fixture_hex(no_digest_rows[_i].octets), digest), "%s", no_digest_rows[_i].name);
}
END_TEST

static const struct {
	const char *in, *out;
} mask_rows[] = {
	{ "Connected to 'hss.lab.test'", "Connected to 'hss.lab.test'" },
	{ "AVP: 'ME-Key-Material'(405) l=44 f=VM val=<41 42 43>", "AVP: 'ME-Key-Material'(405) l=44 f=VM <masked>" },
	{ "value t: 'x' (OCTETSTRING) v: <41 42>", "value t: 'x' (OCTETSTRING)<masked>" },
	{ "buffer 0123456789abcdef0123", "buffer <masked>" },
	{ "<41 42 43 44 45 46 47 48>", "<<masked>>" },
	{ "end-to-end 93b375a4, port 3868", "end-to-end 93b375a4, port 3868" },
	{ "val=", "<masked>" },
	{ "", "" },
};

START_TEST(values_are_masked)
{
	char line[GUARD_LINE];

	snprintf(line, sizeof(line), "%s", mask_rows[_i].in);
	guard_mask(line);
	ck_assert_str_eq(line, mask_rows[_i].out);
}
END_TEST

static uint8_t *answer_of(size_t n)
{
	return calloc(1, n);
}

#define SEEN(n) guard_dup_enter((uint64_t[2]){ n, n }, now, &entry)

START_TEST(retransmissions_are_remembered_in_bounds)
{
	struct guard_conf conf = { .duplicate_window = 10, .duplicate_entries = 16, .duplicate_memory = 1 };
	uint64_t entry, first, now = 1000, i;

	ck_assert_err(guard_dup_start(&conf), GBA_OK);
	ck_assert_int_eq(SEEN(1), GUARD_NEW);
	first = entry;
	ck_assert_int_eq(SEEN(1), GUARD_PENDING);
	ck_assert(entry == first);
	ck_assert(!guard_dup_answered(first, answer_of(100), 100)); /* nobody waits */
	ck_assert_int_eq(SEEN(1), GUARD_ANSWERED);
	ck_assert(!guard_dup_answered(first, answer_of(100), 100)); /* the first answer stays; this one is freed */

	for (i = 2; i <= 17; i++)
		ck_assert_int_eq(SEEN(i), GUARD_NEW);
	ck_assert_int_eq(SEEN(1), GUARD_NEW); /* pushed out */
	ck_assert_int_eq(SEEN(17), GUARD_PENDING);
	ck_assert(!guard_dup_answered(first, answer_of(100), 100)); /* an entry that is no more */

	now += 10001; /* the window has passed */
	guard_dup_tick(now);
	ck_assert_int_eq(SEEN(17), GUARD_NEW);
	guard_dup_tick(now - 1); /* its clock was read before the request came */
	ck_assert_int_eq(SEEN(17), GUARD_PENDING);

	for (i = 100; i < 108; i++) { /* memory: 8 answers of 250 KiB, room for 4 */
		ck_assert_int_eq(SEEN(i), GUARD_NEW);
		ck_assert(!guard_dup_answered(entry, answer_of(250 << 10), 250 << 10));
	}
	ck_assert_int_eq(SEEN(107), GUARD_ANSWERED);
	ck_assert_int_eq(SEEN(104), GUARD_ANSWERED);
	ck_assert_int_eq(SEEN(103), GUARD_NEW);
	ck_assert(!guard_dup_answered(entry, answer_of(2 << 20), 2 << 20)); /* larger than all the memory */
	ck_assert_int_eq(SEEN(103), GUARD_NEW);
	guard_dup_stop();
}
END_TEST

/* A model beside the arena: what has not been told lost must be there unchanged. */
#define ARENA_SIZE   1024
#define ARENA_ROUNDS 20000
static struct {
	uint8_t *p;
	size_t n;
	bool lost;
} kept[ARENA_ROUNDS + 1];

static void note_lost(uint64_t owner)
{
	ck_assert(kept[owner].p != NULL && !kept[owner].lost);
	kept[owner].lost = true;
}

static bool unchanged(uint64_t owner)
{
	size_t i;

	for (i = 0; i < kept[owner].n; i++) {
		if (kept[owner].p[i] != (uint8_t)(owner * 31 + i))
			return false;
	}
	return true;
}

/* An assertion is a write to Check's file: one each for what fails, not one an octet. */
static void check_kept(uint64_t newest)
{
	uint64_t owner;

	for (owner = newest > 80 ? newest - 80 : 1; owner <= newest; owner++) {
		if (!kept[owner].lost && !unchanged(owner))
			ck_abort_msg("octets of %llu changed", (unsigned long long)owner);
	}
	if (kept[newest].lost)
		ck_abort_msg("%llu told lost as it came", (unsigned long long)newest);
}

START_TEST(arena_keeps_what_it_has_not_told_lost)
{
	static const size_t sizes[] = { 1, 7, 8, 9, 16, 100, 200, 333, 500, 984, 1000, 1008, 0 };
	struct guard_arena arena;
	uint8_t octets[ARENA_SIZE];
	uint64_t owner;
	size_t n, i;

	ck_assert(guard_arena_start(&arena, ARENA_SIZE, note_lost));
	srandom((unsigned int)_i + 1);
	for (owner = 1; owner <= ARENA_ROUNDS; owner++) {
		n = sizes[(size_t)random() % (sizeof(sizes) / sizeof(sizes[0]))];
		for (i = 0; i < n; i++)
			octets[i] = (uint8_t)(owner * 31 + i);
		kept[owner].p = guard_arena_put(&arena, owner, BYTES(octets, n));
		kept[owner].n = n;
		ck_assert(kept[owner].p != NULL);
		check_kept(owner);
	}
	ck_assert_ptr_null(guard_arena_put(&arena, 1, BYTES(octets, 1009)));
	check_kept(ARENA_ROUNDS); /* refusing has pushed nothing out */
	guard_arena_stop(&arena);
}
END_TEST

START_TEST(lines_are_limited)
{
	struct guard_bucket bucket = { .lock = PTHREAD_MUTEX_INITIALIZER };
	uint64_t left_out, told = 0, began = clock_mono_ms();
	int i, passed = 0;
	bool pass = false;

	for (i = 0; i < 200; i++) {
		pass = guard_bucket_pass(&bucket, &left_out);
		passed += pass;
		told += pass ? left_out : 0;
	}
	told += pass ? 0 : left_out + 1;
	ck_assert_int_ge(passed, 50);
	ck_assert_uint_le((uint64_t)passed, 51 + (clock_mono_ms() - began) / 100); /* 50 at once, 10 a second */
	ck_assert_uint_eq(told, (uint64_t)(200 - passed));
}
END_TEST

#define COUNT(rows) (int)(sizeof(rows) / sizeof(rows[0]))

int main(void)
{
	Suite *suite = suite_create("guard");
	TCase *tc = fixture_tcase("guard");

	tcase_add_loop_test(tc, avps_that_do_not_fit_become_notes, 0, COUNT(mend_rows));
	tcase_add_loop_test(tc, digests_tell_requests_apart, 0, COUNT(digest_rows));
	tcase_add_loop_test(tc, what_is_no_request_has_no_digest, 0, COUNT(no_digest_rows));
	tcase_add_loop_test(tc, values_are_masked, 0, COUNT(mask_rows));
	tcase_add_test(tc, retransmissions_are_remembered_in_bounds);
	tcase_add_loop_test(tc, arena_keeps_what_it_has_not_told_lost, 0, 5);
	tcase_add_test(tc, lines_are_limited);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
