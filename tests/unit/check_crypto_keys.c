/* SPDX-License-Identifier: Apache-2.0 */
#include "check_crypto.h"
#include "crypto/gba_keys.h"
#include "crypto/sqn.h"
#include "vectors/gba.h"

static const uint8_t *rand_of_run(void)
{
	return fixture_hex(RUN_RAND).p;
}

static struct aka_key key_of_run(void)
{
	struct aka_key key = { .alg = AKA_MILENAGE, .k_len = 16, .res_len = 8 };

	memcpy(key.k, fixture_hex(RUN_K).p, 16);
	ck_assert_err(aka_opc_from_op(AKA_MILENAGE, fixture_hex(RUN_K), fixture_hex(RUN_OP), 0, key.opc), GBA_OK);
	return key;
}

START_TEST(kdf_of_33_220_annex_b)
{
	const struct kdf_row *row = &kdf_rows[_i];
	struct bytes params[4], want = fixture_hex(row->out);
	uint8_t out[32];
	size_t n;

	for (n = 0; n < 4 && row->params[n] != NULL; n++)
		params[n] = fixture_hex(row->params[n]);
	gba_kdf(fixture_hex(row->key), row->fc, params, n, out);
	ck_assert_bytes(BYTES(out + row->from, want.n), want, row->name);
}
END_TEST

START_TEST(a_run_from_vector_to_keys)
{
	struct aka_key key = key_of_run();
	struct aka_vector v;
	uint8_t ks[GBA_KS_LEN];

	ck_assert_err(aka_vector_make(&key, rand_of_run(), RUN_SQN, fixture_hex(RUN_AMF).p, &v), GBA_OK);
	ck_assert_bytes(BYTES(v.autn, 16), fixture_hex(RUN_AUTN), "AUTN");
	ck_assert_bytes(BYTES(v.xres, v.xres_len), fixture_hex(RUN_XRES), "XRES");
	ck_assert_bytes(BYTES(v.ck, 16), fixture_hex(RUN_CK), "CK");
	ck_assert_bytes(BYTES(v.ik, 16), fixture_hex(RUN_IK), "IK");
	gba_ks(v.ck, v.ik, ks);
	ck_assert_bytes(BYTES(ks, sizeof(ks)), fixture_hex(RUN_KS), "Ks");
}
END_TEST

START_TEST(a_run_that_resynchronises)
{
	struct aka_key key = key_of_run();
	uint8_t auts[AKA_AUTS_LEN];
	uint64_t sqn_ms = 0;

	ck_assert_err(aka_auts_make(&key, rand_of_run(), RUN_SQN_MS, auts), GBA_OK);
	ck_assert_bytes(BYTES(auts, sizeof(auts)), fixture_hex(RUN_AUTS), "AUTS");
	ck_assert_err(aka_auts_check(&key, rand_of_run(), auts, &sqn_ms), GBA_OK);
	ck_assert_uint_eq(sqn_ms, RUN_SQN_MS);
}
END_TEST

/* Results as in kdf_rows, by way of the functions that roles call. */
static const struct {
	const char *name, *naf;
	enum gba_key_kind kind;
	uint8_t ua_id[UA_ID_LEN];
	const char *want;
} naf_rows[] = {
	{ "HTTP Digest", RUN_NAF, GBA_KEY_ME, { 1, 0, 0, 0, 2 },
	  "7bbc1ad5fcd242e270d96906ca4491cdd5d849e407e63f7b124803d31402b3bf" },
	{ "name in capitals", "NAF1.Example.COM", GBA_KEY_ME, { 1, 0, 0, 0, 2 },
	  "7bbc1ad5fcd242e270d96906ca4491cdd5d849e407e63f7b124803d31402b3bf" },
	{ "in the UICC", RUN_NAF, GBA_KEY_UICC, { 1, 0, 0, 0, 2 },
	  "e777b731dabc4c931b9c6fbf12a56c12fca455b1d4fe23ab5d17f7c3b0ac5152" },
	{ "TLS 1.2, c02f", RUN_NAF, GBA_KEY_ME, { 1, 0, 1, 0xc0, 0x2f },
	  "29be7e92cb9bfe0d3494e14043c16e20d61489dad944ea49a4839e4eb8a2312a" },
	{ "TLS 1.3 PSK", RUN_NAF, GBA_KEY_ME, { 1, 0, 0, 0, 7 },
	  "2f927025ce853bd51aa634c947da1afbe43c88b841712e79712fc1dd7da1adc3" },
};

START_TEST(keys_of_nafs)
{
	uint8_t naf_id[NAF_ID_MAX], out[GBA_KS_NAF_LEN];
	size_t n = naf_id_build(bytes_of(naf_rows[_i].naf), naf_rows[_i].ua_id, naf_id);

	gba_ks_naf(naf_rows[_i].kind, fixture_hex(RUN_KS).p, rand_of_run(), bytes_of(RUN_IMPI), BYTES(naf_id, n), out);
	ck_assert_bytes(BYTES(out, sizeof(out)), fixture_hex(naf_rows[_i].want), naf_rows[_i].name);
}
END_TEST

START_TEST(temporary_identity)
{
	char tmpi[GBA_TMPI_MAX];

	gba_tmpi(fixture_hex(RUN_KS).p, rand_of_run(), bytes_of(RUN_IMPI), bytes_of(RUN_BSF), tmpi);
	ck_assert_str_eq(tmpi, RUN_TMPI);
	ck_assert_uint_lt(strlen(tmpi), sizeof(tmpi));
}
END_TEST

/* The card undoes MAC* with its own IK; without the mask it takes the challenge for a forgery. */
START_TEST(gba_u_changes_the_mac)
{
	struct bytes autn = fixture_hex(RUN_AUTN), autn_star = fixture_hex(RUN_AUTN_STAR);
	struct aka_key key = key_of_run();
	uint8_t mask[AKA_MAC_LEN], ck[AKA_CK_LEN], ik[AKA_IK_LEN], changed[AKA_AUTN_LEN];
	struct aka_vector v;
	uint64_t sqn = 0;

	aka_ck_ik(&key, rand_of_run(), ck, ik);
	gba_u_mac_mask(ik, mask);
	ck_assert_bytes(BYTES(mask, sizeof(mask)), fixture_hex(RUN_MAC_MASK), "mask");
	memcpy(changed, autn.p, autn.n);
	for (int i = 0; i < AKA_MAC_LEN; i++)
		changed[8 + i] ^= mask[i];
	ck_assert_bytes(BYTES(changed, sizeof(changed)), autn_star, "AUTN*");
	ck_assert_err(aka_challenge_check(&key, rand_of_run(), autn_star.p, NULL, &v, &sqn), GBA_E_AKA_MAC);
	ck_assert_err(aka_challenge_check(&key, rand_of_run(), autn.p, mask, &v, &sqn), GBA_E_AKA_MAC);
	ck_assert_err(aka_challenge_check(&key, rand_of_run(), autn_star.p, mask, &v, &sqn), GBA_OK);
	ck_assert_uint_eq(sqn, RUN_SQN);
}
END_TEST

START_TEST(keys_of_2g)
{
	const uint8_t *kc = fixture_hex(RUN_KC).p, *sres = fixture_hex(RUN_SRES).p;
	uint8_t res[GBA_2G_RES_LEN], ks[GBA_KS_LEN];

	gba_2g_res(kc, rand_of_run(), sres, res);
	ck_assert_bytes(BYTES(res, sizeof(res)), fixture_hex(RUN_2G_RES), "RES");
	gba_2g_ks(kc, rand_of_run(), fixture_hex(RUN_KS_INPUT).p, sres, ks);
	ck_assert_bytes(BYTES(ks, sizeof(ks)), fixture_hex(RUN_2G_KS), "Ks");
}
END_TEST

START_TEST(password_of_akav2)
{
	char password[25];

	gba_akav2_password(fixture_hex(RUN_XRES), fixture_hex(RUN_IK).p, fixture_hex(RUN_CK).p, password);
	ck_assert_str_eq(password, RUN_AKAV2);
}
END_TEST

TCase *tcase_gba_keys(void)
{
	TCase *tc = fixture_tcase("gba_keys");

	tcase_add_loop_test(tc, kdf_of_33_220_annex_b, 0, ROWS(kdf_rows));
	tcase_add_test(tc, a_run_from_vector_to_keys);
	tcase_add_test(tc, a_run_that_resynchronises);
	tcase_add_loop_test(tc, keys_of_nafs, 0, ROWS(naf_rows));
	tcase_add_test(tc, temporary_identity);
	tcase_add_test(tc, gba_u_changes_the_mac);
	tcase_add_test(tc, keys_of_2g);
	tcase_add_test(tc, password_of_akav2);
	return tc;
}
