/* SPDX-License-Identifier: Apache-2.0 */
#include "check_crypto.h"
#include "crypto/aka.h"
#include "crypto/milenage.h"
#include "crypto/sqn.h"
#include "vectors/milenage.h"

static struct aka_key key_of(const struct milenage_row *row)
{
	struct aka_key key = { .alg = AKA_MILENAGE, .k_len = 16, .res_len = 8 };

	memcpy(key.k, fixture_hex(row->k).p, 16);
	memcpy(key.opc, fixture_hex(row->opc).p, 16);
	return key;
}

START_TEST(functions_match_35_208)
{
	const struct milenage_row *row = &milenage_rows[_i];
	const uint8_t *k = fixture_hex(row->k).p, *rand = fixture_hex(row->rand).p;
	struct milenage_out out, both;
	uint8_t opc[16];

	milenage_opc(k, fixture_hex(row->op).p, opc);
	ck_assert_bytes(BYTES(opc, 16), fixture_hex(row->opc), row->name);
	milenage_f1(k, opc, rand, fixture_hex(row->sqn).p, fixture_hex(row->amf).p, out.mac_a, out.mac_s);
	milenage_f2345(k, opc, rand, &out);
	ck_assert_bytes(BYTES(out.mac_a, 8), fixture_hex(row->f1), row->name);
	ck_assert_bytes(BYTES(out.mac_s, 8), fixture_hex(row->f1_star), row->name);
	ck_assert_bytes(BYTES(out.res, 8), fixture_hex(row->f2), row->name);
	ck_assert_bytes(BYTES(out.ck, 16), fixture_hex(row->f3), row->name);
	ck_assert_bytes(BYTES(out.ik, 16), fixture_hex(row->f4), row->name);
	ck_assert_bytes(BYTES(out.ak, 6), fixture_hex(row->f5), row->name);
	ck_assert_bytes(BYTES(out.ak_star, 6), fixture_hex(row->f5_star), row->name);
	milenage_all(k, opc, rand, fixture_hex(row->sqn).p, fixture_hex(row->amf).p, &both);
	ck_assert_mem_eq(&both, &out, sizeof(out));
}
END_TEST

START_TEST(conversions_match_55_205)
{
	const struct milenage_row *row = &milenage_rows[_i];
	uint8_t sres[4], kc[8];

	aka_c2_sres(fixture_hex(row->f2), sres);
	aka_c3_kc(fixture_hex(row->f3).p, fixture_hex(row->f4).p, kc);
	ck_assert_bytes(BYTES(sres, 4), fixture_hex(row->sres), row->name);
	ck_assert_bytes(BYTES(kc, 8), fixture_hex(row->kc), row->name);
}
END_TEST

/* TS 33.102 6.8.2.3: c4 and c5 of 01..08, worked by hand. */
START_TEST(conversions_from_2g)
{
	const uint8_t *kc = fixture_hex("0102030405060708").p;
	uint8_t ck[16], ik[16];

	aka_c4_ck(kc, ck);
	aka_c5_ik(kc, ik);
	ck_assert_bytes(BYTES(ck, 16), fixture_hex("01020304050607080102030405060708"), "c4");
	ck_assert_bytes(BYTES(ik, 16), fixture_hex("0404040c 0102030405060708 0404040c"), "c5");
}
END_TEST

/* A long RES (TUAK) gives what its first 128 bits give. */
START_TEST(sres_of_short_and_long_res)
{
	uint8_t sres[4];

	aka_c2_sres(fixture_hex("01020304 05"), sres);
	ck_assert_bytes(BYTES(sres, 4), fixture_hex("04020304"), "five octets");
	aka_c2_sres(fixture_hex("00000001 00000002 00000004 00000008 ffffffff"), sres);
	ck_assert_bytes(BYTES(sres, 4), fixture_hex("0000000f"), "twenty octets");
}
END_TEST

START_TEST(vector_is_what_the_card_accepts)
{
	const struct milenage_row *row = &milenage_rows[_i];
	const uint8_t *rand = fixture_hex(row->rand).p;
	struct aka_key key = key_of(row);
	struct aka_vector home, card;
	uint64_t sqn = sqn_from_octets(fixture_hex(row->sqn).p), seen = 0;

	ck_assert_err(aka_vector_make(&key, rand, sqn, fixture_hex(row->amf).p, &home), GBA_OK);
	ck_assert_bytes(BYTES(home.rand, 16), fixture_hex(row->rand), row->name);
	ck_assert_bytes(BYTES(home.autn, 16), fixture_hex(row->autn), row->name);
	ck_assert_bytes(BYTES(home.xres, home.xres_len), fixture_hex(row->f2), row->name);
	ck_assert_bytes(BYTES(home.ck, 16), fixture_hex(row->f3), row->name);
	ck_assert_bytes(BYTES(home.ik, 16), fixture_hex(row->f4), row->name);
	ck_assert_err(aka_challenge_check(&key, rand, home.autn, NULL, &card, &seen), GBA_OK);
	ck_assert_uint_eq(seen, sqn);
	ck_assert_bytes(BYTES(card.xres, card.xres_len), fixture_hex(row->f2), row->name);
	ck_assert_mem_eq(card.autn, home.autn, AKA_AUTN_LEN);
	ck_assert_mem_eq(card.ck, home.ck, AKA_CK_LEN);
	ck_assert_mem_eq(card.ik, home.ik, AKA_IK_LEN);
}
END_TEST

/* TS 33.102 6.3.5: whatever bit of the MAC is wrong, nothing is written. AMF and IND of the sets are not zero. */
START_TEST(auts_and_its_forgeries)
{
	const struct milenage_row *row = &milenage_rows[_i];
	const uint8_t *rand = fixture_hex(row->rand).p;
	struct aka_key key = key_of(row);
	uint8_t auts[AKA_AUTS_LEN];
	uint64_t sqn = sqn_from_octets(fixture_hex(row->sqn).p), got = 42;

	ck_assert_err(aka_auts_make(&key, rand, sqn, auts), GBA_OK);
	ck_assert_bytes(BYTES(auts, sizeof(auts)), fixture_hex(row->auts), row->name);
	ck_assert_bytes(BYTES(auts + 6, 8), fixture_hex(row->mac_s), row->name);
	for (size_t bit = 0; bit < 8 * sizeof(auts); bit++) {
		auts[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_err(aka_auts_check(&key, rand, auts, &got), GBA_E_AUTS);
		auts[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_uint_eq(got, 42);
	key.k[0] ^= 1;
	ck_assert_err(aka_auts_check(&key, rand, auts, &got), GBA_E_AUTS);
	key.k[0] ^= 1;
	ck_assert_err(aka_auts_check(&key, rand, auts, &got), GBA_OK);
	ck_assert_uint_eq(got, sqn);
}
END_TEST

START_TEST(challenge_of_another_network)
{
	const struct milenage_row *row = &milenage_rows[0];
	const uint8_t *rand = fixture_hex(row->rand).p;
	struct aka_key key = key_of(row);
	struct aka_vector card;
	uint8_t autn[AKA_AUTN_LEN];
	uint64_t sqn = 42;

	memset(&card, 0x5a, sizeof(card));
	memcpy(autn, fixture_hex(row->autn).p, sizeof(autn));
	for (size_t bit = 0; bit < 8 * sizeof(autn); bit++) {
		autn[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_err(aka_challenge_check(&key, rand, autn, NULL, &card, &sqn), GBA_E_AKA_MAC);
		autn[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_uint_eq(sqn, 42);
	for (size_t i = 0; i < sizeof(card); i++)
		ck_assert_uint_eq(((const uint8_t *)&card)[i], 0x5a);
}
END_TEST

static const struct {
	const char *name;
	enum aka_alg alg;
	size_t k_len, res_len;
	unsigned int iterations;
	enum gba_err want;
} param_rows[] = {
	{ "milenage", AKA_MILENAGE, 16, 8, 0, GBA_OK },
	{ "milenage, shortest RES", AKA_MILENAGE, 16, 4, 0, GBA_OK },
	{ "milenage, RES below", AKA_MILENAGE, 16, 3, 0, GBA_E_RANGE },
	{ "milenage, RES above", AKA_MILENAGE, 16, 9, 0, GBA_E_RANGE },
	{ "milenage, K of 256 bits", AKA_MILENAGE, 32, 8, 0, GBA_E_RANGE },
	{ "tuak 128", AKA_TUAK, 16, 8, 1, GBA_OK },
	{ "tuak 256", AKA_TUAK, 32, 32, 255, GBA_OK },
	{ "tuak, no iteration", AKA_TUAK, 16, 8, 0, GBA_E_RANGE },
	{ "tuak, too many iterations", AKA_TUAK, 16, 8, 256, GBA_E_RANGE },
	{ "tuak, K of 192 bits", AKA_TUAK, 24, 8, 1, GBA_E_RANGE },
	{ "tuak, RES of 5", AKA_TUAK, 16, 5, 1, GBA_E_RANGE },
	{ "no such algorithm", (enum aka_alg)7, 16, 8, 1, GBA_E_RANGE },
};

START_TEST(parameters_are_checked)
{
	struct aka_key key = { .alg = param_rows[_i].alg, .k_len = param_rows[_i].k_len,
			       .res_len = param_rows[_i].res_len, .tuak_iterations = param_rows[_i].iterations };
	static const uint8_t rand[AKA_RAND_LEN], amf[AKA_AMF_LEN];
	struct aka_vector vector;
	uint8_t auts[AKA_AUTS_LEN];

	ck_assert_msg(aka_key_check(&key) == param_rows[_i].want, "%s", param_rows[_i].name);
	ck_assert_err(aka_vector_make(&key, rand, 32, amf, &vector), param_rows[_i].want);
	ck_assert_err(aka_auts_make(&key, rand, 32, auts), param_rows[_i].want);
	if (param_rows[_i].want != GBA_OK)
		return;
	ck_assert_uint_eq(vector.xres_len, param_rows[_i].res_len);
	ck_assert_err(aka_vector_make(&key, rand, AKA_SQN_MAX, amf, &vector), GBA_OK);
	ck_assert_err(aka_vector_make(&key, rand, AKA_SQN_MAX + 1, amf, &vector), GBA_E_RANGE);
	ck_assert_err(aka_auts_make(&key, rand, AKA_SQN_MAX + 1, auts), GBA_E_RANGE);
}
END_TEST

START_TEST(short_res_is_the_beginning_of_f2)
{
	struct aka_key key = key_of(&milenage_rows[0]);
	struct aka_vector vector;

	key.res_len = 5;
	ck_assert_err(aka_vector_make(&key, fixture_hex(milenage_rows[0].rand).p, 1, (const uint8_t *)"\0", &vector),
		      GBA_OK);
	ck_assert_bytes(BYTES(vector.xres, vector.xres_len), fixture_hex("a54211d5e3"), "five octets");
}
END_TEST

START_TEST(opc_from_op_wants_right_lengths)
{
	struct bytes k16 = fixture_hex(milenage_rows[0].k), op16 = fixture_hex(milenage_rows[0].op);
	static const uint8_t zeros[32];
	uint8_t opc[AKA_OPC_MAX];

	ck_assert_err(aka_opc_from_op(AKA_MILENAGE, k16, op16, 0, opc), GBA_OK);
	ck_assert_bytes(BYTES(opc, 16), fixture_hex(milenage_rows[0].opc), "OPc");
	ck_assert_err(aka_opc_from_op(AKA_MILENAGE, k16, BYTES(zeros, 32), 0, opc), GBA_E_RANGE);
	ck_assert_err(aka_opc_from_op(AKA_MILENAGE, BYTES(zeros, 32), op16, 0, opc), GBA_E_RANGE);
	ck_assert_err(aka_opc_from_op(AKA_TUAK, k16, op16, 1, opc), GBA_E_RANGE);
	ck_assert_err(aka_opc_from_op(AKA_TUAK, k16, BYTES(zeros, 32), 0, opc), GBA_E_RANGE);
	ck_assert_err(aka_opc_from_op(AKA_TUAK, BYTES(zeros, 20), BYTES(zeros, 32), 1, opc), GBA_E_RANGE);
	ck_assert_err(aka_opc_from_op(AKA_TUAK, k16, BYTES(zeros, 32), 1, opc), GBA_OK);
}
END_TEST

TCase *tcase_milenage(void)
{
	TCase *tc = fixture_tcase("milenage");

	tcase_add_loop_test(tc, functions_match_35_208, 0, ROWS(milenage_rows));
	tcase_add_loop_test(tc, conversions_match_55_205, 0, ROWS(milenage_rows));
	tcase_add_test(tc, conversions_from_2g);
	tcase_add_test(tc, sres_of_short_and_long_res);
	tcase_add_loop_test(tc, vector_is_what_the_card_accepts, 0, ROWS(milenage_rows));
	tcase_add_loop_test(tc, auts_and_its_forgeries, 0, ROWS(milenage_rows));
	tcase_add_test(tc, challenge_of_another_network);
	tcase_add_loop_test(tc, parameters_are_checked, 0, ROWS(param_rows));
	tcase_add_test(tc, short_res_is_the_beginning_of_f2);
	tcase_add_test(tc, opc_from_op_wants_right_lengths);
	return tc;
}
