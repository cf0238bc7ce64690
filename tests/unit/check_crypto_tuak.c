/* SPDX-License-Identifier: Apache-2.0 */
#include <gcrypt.h>

#include "check_crypto.h"
#include "core/clock.h"
#include "crypto/aka.h"
#include "crypto/sqn.h"
#include "crypto/tuak.h"
#include "vectors/tuak.h"

START_TEST(permutation_matches_35_232)
{
	struct bytes in = fixture_hex(keccak_rows[_i].in);
	uint8_t state[200];

	ck_assert_uint_eq(in.n, sizeof(state));
	memcpy(state, in.p, sizeof(state));
	keccak_f1600(state);
	ck_assert_bytes(BYTES(state, sizeof(state)), fixture_hex(keccak_rows[_i].out), keccak_rows[_i].name);
}
END_TEST

/* libgcrypt's SHAKE256 and SHA3-256 on one block are the same permutation with other padding. */
START_TEST(permutation_agrees_with_libgcrypt)
{
	uint8_t state[200], msg[96], want[136];
	gcry_md_hd_t shake;

	ck_assert_uint_eq(gcry_md_open(&shake, GCRY_MD_SHAKE256, 0), 0);
	for (int i = 0; i < 1000; i++) {
		rand_bytes(msg, sizeof(msg));
		memset(state, 0, sizeof(state));
		memcpy(state, msg, sizeof(msg));
		state[96] = 0x1f;
		state[135] = 0x80;
		keccak_f1600(state);
		gcry_md_reset(shake);
		gcry_md_write(shake, msg, sizeof(msg));
		gcry_md_extract(shake, GCRY_MD_SHAKE256, want, sizeof(want));
		ck_assert_mem_eq(state, want, sizeof(want));

		memset(state, 0, sizeof(state));
		memcpy(state, msg, sizeof(msg));
		state[96] = 0x06;
		state[135] = 0x80;
		keccak_f1600(state);
		gcry_md_hash_buffer(GCRY_MD_SHA3_256, want, msg, sizeof(msg));
		ck_assert_mem_eq(state, want, 32);
	}
	gcry_md_close(shake);
}
END_TEST

static struct tuak tuak_of(const struct tuak_row *row)
{
	return (struct tuak){ .k = fixture_hex(row->k), .iterations = row->iterations, .mac_len = row->mac_bits / 8,
			      .res_len = row->res_bits / 8, .ck_len = row->ck_bits / 8, .ik_len = row->ik_bits / 8 };
}

START_TEST(functions_match_35_233)
{
	const struct tuak_row *row = &tuak_rows[_i];
	const struct tuak t = tuak_of(row);
	const uint8_t *rand = fixture_hex(row->rand).p, *sqn = fixture_hex(row->sqn).p, *amf = fixture_hex(row->amf).p;
	uint8_t topc[32], mac[32], res[32], ck[32], ik[32], ak[6];

	ck_assert(tuak_topc(&t, fixture_hex(row->top).p, topc));
	ck_assert_bytes(BYTES(topc, 32), fixture_hex(row->topc), row->name);
	ck_assert(tuak_f1(&t, topc, rand, sqn, amf, mac));
	ck_assert_bytes(BYTES(mac, t.mac_len), fixture_hex(row->f1), row->name);
	ck_assert(tuak_f1_star(&t, topc, rand, sqn, amf, mac));
	ck_assert_bytes(BYTES(mac, t.mac_len), fixture_hex(row->f1_star), row->name);
	ck_assert(tuak_f2345(&t, topc, rand, res, ck, ik, ak));
	ck_assert_bytes(BYTES(res, t.res_len), fixture_hex(row->f2), row->name);
	ck_assert_bytes(BYTES(ck, t.ck_len), fixture_hex(row->f3), row->name);
	ck_assert_bytes(BYTES(ik, t.ik_len), fixture_hex(row->f4), row->name);
	ck_assert_bytes(BYTES(ak, 6), fixture_hex(row->f5), row->name);
	ck_assert(tuak_f5_star(&t, topc, rand, ak));
	ck_assert_bytes(BYTES(ak, 6), fixture_hex(row->f5_star), row->name);
}
END_TEST

/* AUTN and AUTS from the set's functions, TS 33.102 6.3.2 and 6.3.3; with K of 128 and of 256 bits. */
START_TEST(auts_of_the_published_sets)
{
	const struct tuak_row *row = &tuak_rows[_i];
	struct aka_key key = { .alg = AKA_TUAK, .res_len = 8, .tuak_iterations = row->iterations };
	uint64_t sqn = sqn_from_octets(fixture_hex(row->sqn).p), got = 0;
	uint8_t auts[AKA_AUTS_LEN];

	if (row->auts == NULL)
		return;
	key.k_len = fixture_hex(row->k).n;
	memcpy(key.k, fixture_hex(row->k).p, key.k_len);
	memcpy(key.opc, fixture_hex(row->topc).p, 32);
	ck_assert_err(aka_auts_make(&key, fixture_hex(row->rand).p, sqn, auts), GBA_OK);
	ck_assert_bytes(BYTES(auts, sizeof(auts)), fixture_hex(row->auts), row->name);
	ck_assert_bytes(BYTES(auts + 6, 8), fixture_hex(row->mac_s), row->name);
	ck_assert_err(aka_auts_check(&key, fixture_hex(row->rand).p, auts, &got), GBA_OK);
	ck_assert_uint_eq(got, sqn);
}
END_TEST

static struct aka_key aka_key_of(const struct tuak_aka_row *row)
{
	struct aka_key key = { .alg = AKA_TUAK, .res_len = row->res_len, .tuak_iterations = 1 };
	struct bytes k = fixture_hex(row->k);

	key.k_len = k.n;
	memcpy(key.k, k.p, k.n);
	ck_assert_err(aka_opc_from_op(AKA_TUAK, k, fixture_hex(row->top), 1, key.opc), GBA_OK);
	return key;
}

START_TEST(umts_aka_with_tuak)
{
	const struct tuak_aka_row *row = &tuak_aka_rows[_i];
	const uint8_t *rand = fixture_hex(row->rand).p;
	struct aka_key key = aka_key_of(row);
	struct aka_vector home, card;
	uint64_t sqn = sqn_from_octets(fixture_hex(row->sqn).p), seen = 0;
	uint8_t auts[AKA_AUTS_LEN], ck[16], ik[16];

	ck_assert_err(aka_vector_make(&key, rand, sqn, fixture_hex(row->amf).p, &home), GBA_OK);
	ck_assert_bytes(BYTES(home.autn, 16), fixture_hex(row->autn), row->name);
	ck_assert_bytes(BYTES(home.xres, home.xres_len), fixture_hex(row->xres), row->name);
	ck_assert_bytes(BYTES(home.ck, 16), fixture_hex(row->ck), row->name);
	ck_assert_bytes(BYTES(home.ik, 16), fixture_hex(row->ik), row->name);
	aka_ck_ik(&key, rand, ck, ik);
	ck_assert_mem_eq(ck, home.ck, 16);
	ck_assert_mem_eq(ik, home.ik, 16);
	ck_assert_err(aka_challenge_check(&key, rand, home.autn, NULL, &card, &seen), GBA_OK);
	ck_assert_uint_eq(seen, sqn);
	ck_assert_bytes(BYTES(card.xres, card.xres_len), fixture_hex(row->xres), row->name);
	home.autn[15] ^= 1;
	ck_assert_err(aka_challenge_check(&key, rand, home.autn, NULL, &card, &seen), GBA_E_AKA_MAC);
	ck_assert_err(aka_auts_make(&key, rand, sqn, auts), GBA_OK);
	ck_assert_bytes(BYTES(auts, sizeof(auts)), fixture_hex(row->auts), row->name);
	auts[13] ^= 0x80;
	ck_assert_err(aka_auts_check(&key, rand, auts, &seen), GBA_E_AUTS);
}
END_TEST

static const struct {
	const char *name;
	size_t k, mac, res, ck, ik;
	unsigned int iterations;
	bool topc, f1, f2345;
} length_rows[] = {
	{ "all good", 16, 8, 4, 16, 16, 1, true, true, true },
	{ "K of 24", 24, 8, 4, 16, 16, 1, false, false, false },
	{ "no iteration", 16, 8, 4, 16, 16, 0, false, false, false },
	{ "MAC of 4", 16, 4, 4, 16, 16, 1, true, false, true },
	{ "MAC of 64", 16, 64, 4, 16, 16, 1, true, false, true },
	{ "RES of 64", 16, 8, 64, 16, 16, 1, true, true, false },
	{ "CK of 24", 16, 8, 4, 24, 16, 1, true, true, false },
	{ "IK of 0", 16, 8, 4, 16, 0, 1, true, true, false },
};

START_TEST(lengths_it_does_not_have)
{
	static const uint8_t zeros[32];
	const struct tuak t = { BYTES(zeros, length_rows[_i].k), length_rows[_i].iterations, length_rows[_i].mac,
				length_rows[_i].res, length_rows[_i].ck, length_rows[_i].ik };
	uint8_t out[4][32], ak[6], untouched[4][32];

	memset(out, 0x5a, sizeof(out));
	memset(untouched, 0x5a, sizeof(untouched));
	ck_assert_int_eq(tuak_topc(&t, zeros, out[0]), length_rows[_i].topc);
	ck_assert_int_eq(tuak_f5_star(&t, zeros, zeros, ak), length_rows[_i].topc);
	memset(out, 0x5a, sizeof(out));
	ck_assert_int_eq(tuak_f1(&t, zeros, zeros, zeros, zeros, out[0]), length_rows[_i].f1);
	ck_assert_int_eq(tuak_f1_star(&t, zeros, zeros, zeros, zeros, out[0]), length_rows[_i].f1);
	ck_assert_int_eq(tuak_f2345(&t, zeros, zeros, out[1], out[2], out[3], ak), length_rows[_i].f2345);
	if (!length_rows[_i].f1)
		ck_assert_mem_eq(out[0], untouched[0], 32);
	if (!length_rows[_i].f2345)
		ck_assert_mem_eq(out[1], untouched[1], 96);
}
END_TEST

TCase *tcase_tuak(void)
{
	TCase *tc = fixture_tcase("tuak");

	tcase_add_loop_test(tc, permutation_matches_35_232, 0, ROWS(keccak_rows));
	tcase_add_test(tc, permutation_agrees_with_libgcrypt);
	tcase_add_loop_test(tc, functions_match_35_233, 0, ROWS(tuak_rows));
	tcase_add_loop_test(tc, auts_of_the_published_sets, 0, ROWS(tuak_rows));
	tcase_add_loop_test(tc, umts_aka_with_tuak, 0, ROWS(tuak_aka_rows));
	tcase_add_loop_test(tc, lengths_it_does_not_have, 0, ROWS(length_rows));
	return tc;
}
