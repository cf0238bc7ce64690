/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "check_crypto.h"
#include "crypto/hash.h"
#include "vectors/digest.h"

static const struct {
	const char *name;
	enum hash_alg alg;
	const char *text, *out;
} hash_rows[] = {
	{ "RFC 1321 empty", HASH_MD5, "", "d41d8cd98f00b204e9800998ecf8427e" },
	{ "RFC 1321 abc", HASH_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72" },
	{ "RFC 1321 alphabet", HASH_MD5, "abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b" },
	{ "FIPS 180 abc", HASH_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ "FIPS 180 two blocks", HASH_SHA1, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
	{ "FIPS 180 abc", HASH_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "FIPS 180 two blocks", HASH_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

/* Whatever the cuts, the hash is that of the whole. */
START_TEST(hashes_match_their_specifications)
{
	struct bytes text = bytes_of(hash_rows[_i].text), want = fixture_hex(hash_rows[_i].out);
	uint8_t out[HASH_MAX];

	ck_assert_uint_eq(hash_len(hash_rows[_i].alg), want.n);
	for (size_t cut = 0; cut <= text.n; cut++) {
		const struct bytes pieces[] = { BYTES(text.p, cut), BYTES_NONE, BYTES(text.p + cut, text.n - cut) };

		hash_pieces(hash_rows[_i].alg, pieces, 3, out);
		ck_assert_bytes(BYTES(out, want.n), want, hash_rows[_i].name);
	}
}
END_TEST

static const struct {
	const char *name;
	enum hash_alg alg;
	const char *key, *in, *out;
} hmac_rows[] = {
	{ "RFC 2202 MD5 1", HASH_MD5, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	  "9294727a3638bb1c13f48ef8158bfc9d" },
	{ "RFC 2202 MD5 2", HASH_MD5, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "750c783e6ab0b503eaa86e310a5db738" },
	{ "RFC 2202 SHA-1 2", HASH_SHA1, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
	{ "RFC 4231 1", HASH_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ "RFC 4231 2", HASH_SHA256, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "RFC 4231 6, key longer than a block", HASH_SHA256,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b657920466972737"
	  "4",
	  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
};

START_TEST(hmacs_match_their_specifications)
{
	struct bytes in = fixture_hex(hmac_rows[_i].in), want = fixture_hex(hmac_rows[_i].out);
	const struct bytes pieces[] = { BYTES(in.p, 3), BYTES(in.p + 3, in.n - 3) };
	uint8_t out[HASH_MAX];

	hmac_pieces(hmac_rows[_i].alg, fixture_hex(hmac_rows[_i].key), pieces, 2, out);
	ck_assert_bytes(BYTES(out, want.n), want, hmac_rows[_i].name);
}
END_TEST

START_TEST(digests_of_a_bootstrap_run)
{
	struct bytes in = fixture_hex(digest_rows[_i].in), want = fixture_hex(digest_rows[_i].out);
	uint8_t out[HASH_MAX];

	hash_pieces(digest_rows[_i].alg, &in, 1, out);
	ck_assert_bytes(BYTES(out, want.n), want, digest_rows[_i].name);
}
END_TEST

static void *hash_often(void *wrong)
{
	static const uint8_t want[16] = { 0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0,
					  0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f, 0x72 };
	const struct bytes abc = BYTES("abc", 3);
	uint8_t out[HASH_MAX];

	for (int i = 0; i < 20000; i++) {
		hash_pieces(HASH_MD5, &abc, 1, out);
		hmac_pieces(HASH_SHA256, abc, &abc, 1, out);
		hash_pieces(HASH_MD5, &abc, 1, out);
		if (memcmp(out, want, sizeof(want)) != 0)
			*(bool *)wrong = true;
	}
	return NULL;
}

START_TEST(threads_do_not_mix)
{
	pthread_t threads[4];
	bool wrong[4] = { false };

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hash_often, &wrong[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		ck_assert(!wrong[i]);
	}
}
END_TEST

TCase *tcase_hash(void)
{
	TCase *tc = fixture_tcase("hash");

	tcase_add_loop_test(tc, hashes_match_their_specifications, 0, ROWS(hash_rows));
	tcase_add_loop_test(tc, hmacs_match_their_specifications, 0, ROWS(hmac_rows));
	tcase_add_loop_test(tc, digests_of_a_bootstrap_run, 0, ROWS(digest_rows));
	tcase_add_test(tc, threads_do_not_mix);
	return tc;
}
