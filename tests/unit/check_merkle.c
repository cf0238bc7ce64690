/* SPDX-License-Identifier: Apache-2.0 */
/* REQ: Y3059-7-i-c */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fixture.h"
#include "core/codec.h"
#include "crypto/hash.h"
#include "jose/jws.h"
#include "merkle/head.h"
#include "merkle/merkle.h"
#include "vectors/merkle.h"

#define LEVELS 9
#define SIZES  (sizeof(merkle_rows) / sizeof(merkle_rows[0]))

/* Hashes by level and index; asking for what was never put, or putting twice, fails the test. */
static struct {
	bool there[LEVELS][256];
	uint8_t hash[LEVELS][256][MERKLE_LEN];
	unsigned int gets;
} nodes;

static enum gba_err node_get(void *arg, unsigned int level, uint64_t index, uint8_t out[MERKLE_LEN])
{
	(void)arg;
	ck_assert(level < LEVELS && index < 256 && nodes.there[level][index]);
	memcpy(out, nodes.hash[level][index], MERKLE_LEN);
	nodes.gets++;
	return GBA_OK;
}

static enum gba_err node_put(void *arg, unsigned int level, uint64_t index, const uint8_t hash[MERKLE_LEN])
{
	(void)arg;
	ck_assert(level < LEVELS && index < 256 && !nodes.there[level][index]);
	memcpy(nodes.hash[level][index], hash, MERKLE_LEN);
	nodes.there[level][index] = true;
	return GBA_OK;
}

static const struct merkle_store store = { node_get, node_put, NULL };

static void tree_grow(size_t size)
{
	uint8_t leaf[MERKLE_LEN];
	char text[32];
	size_t i;

	memset(&nodes, 0, sizeof(nodes));
	for (i = 0; i < size; i++) {
		snprintf(text, sizeof(text), "leaf %zu", i);
		merkle_leaf(bytes_of(text), leaf);
		ck_assert_err(merkle_append(&store, i, leaf), GBA_OK);
	}
}

static void leaf_of(size_t i, uint8_t leaf[MERKLE_LEN])
{
	memcpy(leaf, nodes.hash[0][i], MERKLE_LEN);
}

/* transparency-dev/merkle, testonly/constants.go: the inputs and heads every implementation of RFC 6962 and 9162 is held against. */
static const char *const ct_inputs[] = { "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
					 "606162636465666768696a6b6c6d6e6f" };
static const char *const ct_roots[] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

START_TEST(heads_as_published)
{
	uint8_t leaf[MERKLE_LEN], root[MERKLE_LEN];
	size_t i;

	memset(&nodes, 0, sizeof(nodes));
	for (i = 0; i <= 8; i++) {
		ck_assert_err(merkle_root(&store, i, root), GBA_OK);
		ck_assert_bytes(BYTES(root, MERKLE_LEN), fixture_hex(ct_roots[i]), "head");
		if (i < 8) {
			merkle_leaf(fixture_hex(ct_inputs[i]), leaf);
			ck_assert_err(merkle_append(&store, i, leaf), GBA_OK);
		}
	}
}
END_TEST

static void ck_digest(const uint8_t *hashes, size_t n, const char *want, const char *what)
{
	struct bytes all = BYTES(hashes, n * MERKLE_LEN);
	uint8_t digest[HASH_MAX];

	hash_pieces(HASH_SHA256, &all, 1, digest);
	ck_assert_bytes(BYTES(digest, MERKLE_LEN), fixture_hex(want), what);
}

/* Every size against the recursive definition, from a tree that has grown beyond it. */
START_TEST(every_proof_as_defined)
{
	static uint8_t all[SIZES * 10][MERKLE_LEN];
	struct merkle_proof proof;
	uint8_t root[MERKLE_LEN];
	size_t size, i, n;

	tree_grow(SIZES);
	for (size = 0; size < SIZES; size++) {
		ck_assert_err(merkle_root(&store, size, root), GBA_OK);
		ck_assert_bytes(BYTES(root, MERKLE_LEN), fixture_hex(merkle_rows[size].root), "head");
		for (n = 0, i = 0; i < size; i++) {
			nodes.gets = 0;
			ck_assert_err(merkle_prove_inclusion(&store, i, size, &proof), GBA_OK);
			ck_assert_uint_le(nodes.gets, 2 * LEVELS);
			memcpy(all[n], proof.hash, proof.count * MERKLE_LEN);
			n += proof.count;
		}
		ck_digest(all[0], n, merkle_rows[size].paths, "inclusion");
		for (n = 0, i = 0; i <= size; i++) {
			ck_assert_err(merkle_prove_consistency(&store, i, size, &proof), GBA_OK);
			memcpy(all[n], proof.hash, proof.count * MERKLE_LEN);
			n += proof.count;
		}
		ck_digest(all[0], n, merkle_rows[size].proofs, "consistency");
	}
}
END_TEST

/* A proof that is right, and every way to alter it: a bit of each hash, one hash less, one more, another place, another size. */
static void inclusion_holds_only_as_is(size_t index, size_t size, const uint8_t root[MERKLE_LEN])
{
	struct merkle_proof proof, other;
	uint8_t leaf[MERKLE_LEN];
	size_t i;

	leaf_of(index, leaf);
	ck_assert_err(merkle_prove_inclusion(&store, index, size, &proof), GBA_OK);
	ck_assert_err(merkle_verify_inclusion(leaf, index, size, &proof, root), GBA_OK);
	for (i = 0; i < proof.count; i++) {
		other = proof;
		other.hash[i][(index + i) % MERKLE_LEN] ^= 1;
		ck_assert_err(merkle_verify_inclusion(leaf, index, size, &other, root), GBA_E_CORRUPT);
	}
	other = proof;
	memset(other.hash[other.count++], 0, MERKLE_LEN);
	ck_assert_err(merkle_verify_inclusion(leaf, index, size, &other, root), GBA_E_CORRUPT);
	other.count = proof.count - 1; /* of a proof without hashes: far too many */
	ck_assert_err(merkle_verify_inclusion(leaf, index, size, &other, root), GBA_E_CORRUPT);
	if (index + 1 < size)
		ck_assert_err(merkle_verify_inclusion(leaf, index + 1, size, &proof, root), GBA_E_CORRUPT);
	ck_assert_err(merkle_verify_inclusion(leaf, size, size, &proof, root), GBA_E_CORRUPT);
	leaf[0] ^= 0x80;
	ck_assert_err(merkle_verify_inclusion(leaf, index, size, &proof, root), GBA_E_CORRUPT);
}

START_TEST(inclusion_verifies_and_nothing_else)
{
	uint8_t root[MERKLE_LEN];
	size_t size, i;

	tree_grow(70);
	for (size = 1; size <= 70; size++) {
		ck_assert_err(merkle_root(&store, size, root), GBA_OK);
		for (i = 0; i < size; i++)
			inclusion_holds_only_as_is(i, size, root);
	}
}
END_TEST

static void consistency_holds_only_as_is(size_t old, size_t size)
{
	uint8_t old_root[MERKLE_LEN], root[MERKLE_LEN], wrong[MERKLE_LEN];
	struct merkle_proof proof, other;
	size_t i;

	ck_assert_err(merkle_root(&store, old, old_root), GBA_OK);
	ck_assert_err(merkle_root(&store, size, root), GBA_OK);
	ck_assert_err(merkle_prove_consistency(&store, old, size, &proof), GBA_OK);
	ck_assert_err(merkle_verify_consistency(old, old_root, size, root, &proof), GBA_OK);
	for (i = 0; i < proof.count; i++) {
		other = proof;
		other.hash[i][(old + i) % MERKLE_LEN] ^= 4;
		ck_assert_err(merkle_verify_consistency(old, old_root, size, root, &other), GBA_E_CORRUPT);
	}
	other = proof;
	memset(other.hash[other.count++], 0, MERKLE_LEN);
	ck_assert_err(merkle_verify_consistency(old, old_root, size, root, &other), GBA_E_CORRUPT);
	other.count = proof.count - 1;
	ck_assert_err(merkle_verify_consistency(old, old_root, size, root, &other), GBA_E_CORRUPT);
	memcpy(wrong, old_root, sizeof(wrong));
	wrong[31] ^= 1;
	ck_assert_err(merkle_verify_consistency(old, wrong, size, root, &proof), GBA_E_CORRUPT);
	if (old != 0) { /* whatever the head, an empty tree is its beginning */
		memcpy(wrong, root, sizeof(wrong));
		wrong[0] ^= 1;
		ck_assert_err(merkle_verify_consistency(old, old_root, size, wrong, &proof), GBA_E_CORRUPT);
	}
	ck_assert_err(merkle_verify_consistency(size + 1, old_root, size, root, &proof), GBA_E_CORRUPT);
}

START_TEST(consistency_verifies_and_nothing_else)
{
	size_t size, old;

	tree_grow(70);
	for (size = 0; size <= 70; size++) {
		for (old = 0; old <= size; old++)
			consistency_holds_only_as_is(old, size);
	}
}
END_TEST

START_TEST(refuses_what_no_tree_has)
{
	struct merkle_proof proof;
	uint8_t hash[MERKLE_LEN] = { 0 };

	tree_grow(3);
	ck_assert_err(merkle_prove_inclusion(&store, 3, 3, &proof), GBA_E_RANGE);
	ck_assert_err(merkle_prove_inclusion(&store, 0, 0, &proof), GBA_E_RANGE);
	ck_assert_err(merkle_prove_inclusion(&store, 0, UINT64_MAX, &proof), GBA_E_RANGE);
	ck_assert_err(merkle_prove_consistency(&store, 4, 3, &proof), GBA_E_RANGE);
	ck_assert_err(merkle_root(&store, UINT64_MAX, hash), GBA_E_RANGE);
	ck_assert_err(merkle_append(&store, MERKLE_SIZE_MAX, hash), GBA_E_RANGE);
	proof.count = MERKLE_PATH_MAX + 1;
	ck_assert_err(merkle_verify_inclusion(hash, 0, UINT64_MAX, &proof, hash), GBA_E_CORRUPT);
	ck_assert_err(merkle_verify_consistency(1, hash, UINT64_MAX, hash, &proof), GBA_E_CORRUPT);
}
END_TEST

static struct sign_key *key_of(const char *seed)
{
	struct sign_key *key = NULL;
	char path[] = "/tmp/check_merkle.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq((int)write(fd, seed, strlen(seed)), (int)strlen(seed));
	ck_assert_int_eq(close(fd), 0);
	ck_assert_err(sign_key_open(test_ctx, path, false, &key), GBA_OK);
	unlink(path);
	return key;
}

/* RFC 8037 appendix A: key (A.1), thumbprint (A.3), signature (A.4) */
#define A_SEED	     "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define A_PUBLIC     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define A_THUMBPRINT "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
#define A_INPUT	     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
#define A_SIGNATURE  "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

START_TEST(jws_as_published)
{
	struct sign_key *key = key_of(A_SEED);
	char kid[JWS_KID_LEN + 1];
	struct jws jws;

	jws_kid(sign_key_public(key), kid);
	ck_assert_str_eq(kid, A_THUMBPRINT);
	ck_assert_err(jws_read(test_ctx, bytes_of(A_INPUT "." A_SIGNATURE), &jws), GBA_OK);
	ck_assert_bytes(jws.payload, bytes_of("Example of Ed25519 signing"), "payload");
	ck_assert_ptr_null(jws.typ);
	ck_assert_err(jws_verify(&jws, fixture_hex(A_PUBLIC).p, NULL), GBA_OK);
	ck_assert_err(jws_verify(&jws, fixture_hex(A_PUBLIC).p, "registry-answer+jws"), GBA_E_CORRUPT);
	talloc_free_children(test_ctx);
}
END_TEST

static const struct { const char *name, *text; enum gba_err want; } jws_rows[] = {
	{ "nothing", "", GBA_E_SYNTAX },
	{ "two parts", A_INPUT, GBA_E_SYNTAX },
	{ "four parts", A_INPUT "." A_SIGNATURE ".", GBA_E_SYNTAX },
	{ "no signature", A_INPUT ".", GBA_E_SYNTAX },
	{ "signature too short", A_INPUT ".hgyY", GBA_E_SYNTAX },
	{ "padding", A_INPUT "." A_SIGNATURE "==", GBA_E_SYNTAX },
	{ "spare bits of the signature", /* the last character is g: two bits count */
	  A_INPUT ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAh", GBA_E_SYNTAX },
	{ "alphabet of base64", "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbm+.." , GBA_E_SYNTAX },
	{ "blank", " " A_INPUT "." A_SIGNATURE, GBA_E_SYNTAX },
	{ "header is no JSON", "eyJhbGc.e30." A_SIGNATURE, GBA_E_SYNTAX },
	{ "header is an array", "WyJFZERTQSJd.e30." A_SIGNATURE, GBA_E_SYNTAX },		     /* ["EdDSA"] */
	{ "no alg", "e30.e30." A_SIGNATURE, GBA_E_SYNTAX },					     /* {} */
	{ "alg twice", "eyJhbGciOiJub25lIiwiYWxnIjoiRWREU0EifQ.e30." A_SIGNATURE, GBA_E_SYNTAX }, /* none, EdDSA */
	{ "none", "eyJhbGciOiJub25lIn0.e30." A_SIGNATURE, GBA_E_UNSUPPORTED },
	{ "None", "eyJhbGciOiJOb25lIn0.e30." A_SIGNATURE, GBA_E_UNSUPPORTED },
	{ "none and no signature", "eyJhbGciOiJub25lIn0.e30.", GBA_E_SYNTAX },
	{ "HS256", "eyJhbGciOiJIUzI1NiJ9.e30." A_SIGNATURE, GBA_E_UNSUPPORTED },
	{ "crit", "eyJhbGciOiJFZERTQSIsImNyaXQiOlsiZXhwIl19.e30." A_SIGNATURE, GBA_E_UNSUPPORTED },  /* "crit":["exp"] */
	{ "b64", "eyJhbGciOiJFZERTQSIsImI2NCI6ZmFsc2V9.e30." A_SIGNATURE, GBA_E_UNSUPPORTED },	     /* "b64":false */
	{ "typ is a number", "eyJhbGciOiJFZERTQSIsInR5cCI6MX0.e30." A_SIGNATURE, GBA_E_SYNTAX },
};

START_TEST(jws_refuses)
{
	struct jws jws;

	ck_assert_msg(jws_read(test_ctx, bytes_of(jws_rows[_i].text), &jws) == jws_rows[_i].want, "%s: got %s", jws_rows[_i].name,
		      gba_err_name(jws_read(test_ctx, bytes_of(jws_rows[_i].text), &jws)));
	talloc_free_children(test_ctx);
}
END_TEST

/* Each character of a head replaced by another: never the same statement again. */
START_TEST(head_cannot_be_altered)
{
	struct sign_key *key = key_of(A_SEED);
	struct merkle_head head = { .log = "REG1", .size = 130, .time = 1800000000 }, got;
	const uint8_t *public = sign_key_public(key);
	char *text = NULL, *copy;
	size_t i;

	memcpy(head.root, fixture_hex(ct_roots[8]).p, MERKLE_LEN);
	ck_assert_err(merkle_head_sign(test_ctx, key, &head, &text), GBA_OK);
	ck_assert_err(merkle_head_read(bytes_of(text), public, &got), GBA_OK);
	ck_assert(strcmp(got.log, "REG1") == 0 && got.size == 130 && got.time == 1800000000);
	ck_assert_bytes(BYTES(got.root, MERKLE_LEN), BYTES(head.root, MERKLE_LEN), "root");
	copy = talloc_strdup(test_ctx, text);
	for (i = 0; copy[i] != '\0'; i++) {
		copy[i] = copy[i] == 'A' ? 'B' : 'A';
		ck_assert_msg(merkle_head_read(bytes_of(copy), public, &got) != GBA_OK, "character %zu", i);
		copy[i] = text[i];
	}
	ck_assert_err(jws_sign(test_ctx, key, "registry-answer+jws", bytes_of("{\"log\":\"x\",\"root\":\"\",\"size\":0,\"time\":0}"), &copy), GBA_OK);
	ck_assert_err(merkle_head_read(bytes_of(copy), public, &got), GBA_E_CORRUPT);
	talloc_free_children(test_ctx);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("merkle");
	TCase *tc = fixture_tcase("merkle");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, heads_as_published);
	tcase_add_test(tc, every_proof_as_defined);
	tcase_add_test(tc, inclusion_verifies_and_nothing_else);
	tcase_add_test(tc, consistency_verifies_and_nothing_else);
	tcase_add_test(tc, refuses_what_no_tree_has);
	tcase_add_test(tc, jws_as_published);
	tcase_add_loop_test(tc, jws_refuses, 0, (int)(sizeof(jws_rows) / sizeof(jws_rows[0])));
	tcase_add_test(tc, head_cannot_be_altered);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
