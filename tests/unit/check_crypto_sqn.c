/* SPDX-License-Identifier: Apache-2.0 */
#include "check_crypto.h"
#include "crypto/aka.h"
#include "crypto/sqn.h"

#define SEQ(seq, ind) (UINT64_C(32) * (seq) + (ind)) /* 5 bits of IND */
#define TOP	      ((UINT64_C(1) << 43) - 1) /* highest SEQ with five bits of IND */

/* TS 33.102 C.2: what the card has accepted, what comes, and what becomes of it. */
static const struct {
	const char *name;
	uint64_t age_limit;
	uint64_t before[3]; /* accepted in this order; 0: no more */
	uint64_t sqn;
	enum gba_err want;
} sqn_rows[] = {
	{ "first ever", 0, { 0 }, SEQ(1, 0), GBA_OK },
	{ "first ever, highest IND", 0, { 0 }, SEQ(1, 31), GBA_OK },
	{ "SEQ 0 is never good", 0, { 0 }, SEQ(0, 7), GBA_E_AKA_SYNC },
	{ "replay", 0, { SEQ(5, 3) }, SEQ(5, 3), GBA_E_AKA_SYNC },
	{ "older, same IND", 0, { SEQ(5, 3) }, SEQ(4, 3), GBA_E_AKA_SYNC },
	{ "newer, same IND", 0, { SEQ(5, 3) }, SEQ(6, 3), GBA_OK },
	{ "same SEQ, other IND", 0, { SEQ(5, 3) }, SEQ(5, 4), GBA_OK },
	{ "out of order, other IND", 0, { SEQ(100, 3) }, SEQ(2, 4), GBA_OK },
	{ "replay behind another IND", 0, { SEQ(5, 3), SEQ(900, 9) }, SEQ(5, 3), GBA_E_AKA_SYNC },
	{ "delta exactly, from zero", 0, { 0 }, SEQ(SQN_DELTA_DEFAULT, 0), GBA_OK },
	{ "delta and one, from zero", 0, { 0 }, SEQ(SQN_DELTA_DEFAULT + 1, 0), GBA_E_AKA_SYNC },
	{ "delta exactly", 0, { SEQ(50, 1) }, SEQ(50 + SQN_DELTA_DEFAULT, 1), GBA_OK },
	{ "delta and one", 0, { SEQ(50, 1) }, SEQ(51 + SQN_DELTA_DEFAULT, 1), GBA_E_AKA_SYNC },
	{ "delta counts from the highest of all",
	  0,
	  { SEQ(50, 1), SEQ(80, 2) },
	  SEQ(80 + SQN_DELTA_DEFAULT, 1),
	  GBA_OK },
	{ "wrap: the top at once", 0, { SEQ(50, 1) }, SEQ(TOP, 1), GBA_E_AKA_SYNC },
	{ "age: within L", 32, { SEQ(100, 0) }, SEQ(69, 1), GBA_OK },
	{ "age: L exactly", 32, { SEQ(100, 0) }, SEQ(68, 1), GBA_E_AKA_SYNC },
	{ "age: far", 32, { SEQ(100, 0) }, SEQ(1, 1), GBA_E_AKA_SYNC },
	{ "age: off", 0, { SEQ(100, 0) }, SEQ(1, 1), GBA_OK },
	{ "49 bits", 0, { 0 }, AKA_SQN_MAX + 2, GBA_E_AKA_SYNC },
};

START_TEST(card_accepts_as_annex_c_says)
{
	struct sqn_array array, before;
	enum gba_err got;

	sqn_array_init(&array, SQN_IND_BITS_DEFAULT);
	array.age_limit = sqn_rows[_i].age_limit;
	for (int i = 0; i < 3 && sqn_rows[_i].before[i] != 0; i++)
		ck_assert_err(sqn_accept(&array, sqn_rows[_i].before[i]), GBA_OK);
	before = array;
	got = sqn_accept(&array, sqn_rows[_i].sqn);
	ck_assert_msg(got == sqn_rows[_i].want, "%s: got %s", sqn_rows[_i].name, gba_err_name(got));
	if (got == GBA_OK)
		ck_assert_err(sqn_accept(&array, sqn_rows[_i].sqn), GBA_E_AKA_SYNC);
	else
		ck_assert_mem_eq(&array, &before, sizeof(array));
}
END_TEST

START_TEST(highest_is_over_all_of_the_array)
{
	struct sqn_array array;

	sqn_array_init(&array, SQN_IND_BITS_DEFAULT);
	ck_assert_uint_eq(sqn_array_highest(&array), 0);
	ck_assert_err(sqn_accept(&array, SEQ(7, 30)), GBA_OK);
	ck_assert_uint_eq(sqn_array_highest(&array), SEQ(7, 30));
	ck_assert_err(sqn_accept(&array, SEQ(9, 2)), GBA_OK);
	ck_assert_uint_eq(sqn_array_highest(&array), SEQ(9, 2));
	ck_assert_err(sqn_accept(&array, SEQ(8, 30)), GBA_OK);
	ck_assert_uint_eq(sqn_array_highest(&array), SEQ(9, 2));
	ck_assert_err(sqn_accept(&array, SEQ(9, 30)), GBA_OK);
	ck_assert_uint_eq(sqn_array_highest(&array), SEQ(9, 30));
}
END_TEST

/* A card that climbed to the top of the range by steps of delta accepts the top once and nothing after it. */
START_TEST(range_ends_without_wrapping)
{
	struct sqn_array array;

	sqn_array_init(&array, SQN_IND_BITS_DEFAULT);
	array.seq[0] = TOP - 1;
	ck_assert_err(sqn_accept(&array, AKA_SQN_MAX & ~UINT64_C(31)), GBA_OK);
	ck_assert_uint_eq(sqn_array_highest(&array), SEQ(TOP, 0));
	ck_assert_err(sqn_accept(&array, SEQ(0, 0)), GBA_E_AKA_SYNC);
	ck_assert_err(sqn_accept(&array, SEQ(1, 0)), GBA_E_AKA_SYNC);
	ck_assert_err(sqn_accept(&array, SEQ(TOP, 31)), GBA_OK);
}
END_TEST

/* Without IND bits (C.1.1.3) SQN is SEQ; eight are the most there may be. */
START_TEST(other_widths_of_ind)
{
	struct sqn_array array;

	sqn_array_init(&array, 0);
	ck_assert_err(sqn_accept(&array, 1), GBA_OK);
	ck_assert_err(sqn_accept(&array, 3), GBA_OK);
	ck_assert_err(sqn_accept(&array, 2), GBA_E_AKA_SYNC);
	ck_assert_uint_eq(sqn_array_highest(&array), 3);
	sqn_array_init(&array, 200);
	ck_assert_uint_eq(array.ind_bits, SQN_IND_BITS_MAX);
	ck_assert_err(sqn_accept(&array, sqn_make(1, 255, 8)), GBA_OK);
	ck_assert_uint_eq(sqn_array_highest(&array), 0x1ff);
}
END_TEST

START_TEST(octets_are_big_endian)
{
	uint8_t out[6];

	sqn_to_octets(UINT64_C(0x010203040506), out);
	ck_assert_bytes(BYTES(out, 6), fixture_hex("010203040506"), "to octets");
	ck_assert_uint_eq(sqn_from_octets(out), UINT64_C(0x010203040506));
	ck_assert_uint_eq(sqn_make(2, 33, 5), 2 << 5 | 1);
}
END_TEST

TCase *tcase_sqn(void)
{
	TCase *tc = fixture_tcase("sqn");

	tcase_add_loop_test(tc, card_accepts_as_annex_c_says, 0, ROWS(sqn_rows));
	tcase_add_test(tc, highest_is_over_all_of_the_array);
	tcase_add_test(tc, range_ends_without_wrapping);
	tcase_add_test(tc, other_widths_of_ind);
	tcase_add_test(tc, octets_are_big_endian);
	return tc;
}
