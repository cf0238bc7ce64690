/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's parts: tokens against RFC 7515's own, keys over time, codes and access tokens, parameters. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fixture.h"
#include "core/codec.h"
#include "core/secret.h"
#include "naf-adapter/oidc/grants.h"
#include "naf-adapter/oidc/params.h"
#include "naf-adapter/oidc/ring.h"

#define ROWS(a) (int)(sizeof(a) / sizeof(a[0]))
#define T0 1900000000

/* ---- tokens: RFC 7515 A.3 ---- */

#define A3_X	   "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define A3_Y	   "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define A3_PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define A3_SIGN	   "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define A3_HEADER  "eyJhbGciOiJFUzI1NiJ9"

static char folder[64];

static void folder_make(void)
{
	snprintf(folder, sizeof(folder), "/tmp/gba-oidc-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void folder_drop(void)
{
	fixture_folder_remove(folder);
}

/* SubjectPublicKeyInfo of a P-256 point (RFC 5480 2). */
static struct jwt_key *a3_key(void)
{
	struct bytes head = fixture_hex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");
	uint8_t octets[91];
	char text[BASE64_LEN(sizeof(octets)) + 1], path[96];
	struct jwt_key *key = NULL;
	size_t n;
	FILE *out;

	memcpy(octets, head.p, head.n);
	ck_assert_err(base64url_decode(bytes_of(A3_X), octets + 27, 32, &n), GBA_OK);
	ck_assert_err(base64url_decode(bytes_of(A3_Y), octets + 59, 32, &n), GBA_OK);
	base64_encode(BYTES(octets, sizeof(octets)), text);
	snprintf(path, sizeof(path), "%s/a3.pub", folder);
	out = fopen(path, "w");
	fprintf(out, "-----BEGIN PUBLIC KEY-----\n%.64s\n%s\n-----END PUBLIC KEY-----\n", text, text + 64);
	fclose(out);
	ck_assert_err(jwt_public_read(test_ctx, path, &key), GBA_OK);
	return key;
}

static const struct { const char *name, *text; enum gba_err want; } open_rows[] = {
	{ "as it stands", A3_HEADER "." A3_PAYLOAD "." A3_SIGN, GBA_OK },
	{ "another payload", A3_HEADER ".eyJpc3MiOiJldmUifQ." A3_SIGN, GBA_E_CORRUPT },
	{ "alg none", "eyJhbGciOiJub25lIn0." A3_PAYLOAD ".", GBA_E_UNSUPPORTED },
	{ "alg none with signature", "eyJhbGciOiJub25lIn0." A3_PAYLOAD "." A3_SIGN, GBA_E_UNSUPPORTED },
	{ "alg HS256", "eyJhbGciOiJIUzI1NiJ9." A3_PAYLOAD "." A3_SIGN, GBA_E_UNSUPPORTED },
	{ "alg RS256", "eyJhbGciOiJSUzI1NiJ9." A3_PAYLOAD "." A3_SIGN, GBA_E_UNSUPPORTED },
	{ "no alg", "e30." A3_PAYLOAD "." A3_SIGN, GBA_E_UNSUPPORTED },
	{ "crit", "eyJhbGciOiJFUzI1NiIsImNyaXQiOlsiZXhwIl19." A3_PAYLOAD "." A3_SIGN, GBA_E_UNSUPPORTED },
	{ "no signature", A3_HEADER "." A3_PAYLOAD ".", GBA_E_CORRUPT },
	{ "half a signature", A3_HEADER "." A3_PAYLOAD ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmU", GBA_E_CORRUPT },
	{ "zero signature", A3_HEADER "." A3_PAYLOAD ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	  GBA_E_CORRUPT },
	{ "padding", A3_HEADER "." A3_PAYLOAD "=." A3_SIGN, GBA_E_CORRUPT },
	{ "two parts", A3_HEADER "." A3_PAYLOAD, GBA_E_SYNTAX },
	{ "four parts", A3_HEADER "." A3_PAYLOAD "." A3_SIGN ".x", GBA_E_SYNTAX },
	{ "nothing", "", GBA_E_SYNTAX },
};

START_TEST(tokens_are_opened_by_their_key_alone)
{
	struct jwt_key *key = a3_key();
	json_t *claims = NULL;
	enum gba_err got = jwt_open(bytes_of(open_rows[_i].text), key, &claims);

	ck_assert_msg(got == open_rows[_i].want, "%s: %s", open_rows[_i].name, gba_err_name(got));
	if (got == GBA_OK)
		ck_assert_str_eq(json_string_value(json_object_get(claims, "iss")), "joe");
	json_decref(claims);
	talloc_free_children(test_ctx);
}
END_TEST

START_TEST(what_is_signed_is_opened)
{
	enum jwt_alg alg = (enum jwt_alg)_i;
	struct jwt_key *key, *other, *again;
	json_t *claims = json_pack("{s:s}", "sub", "a"), *back = NULL;
	char path[96], *text;
	struct stat st;

	ck_assert_err(jwt_key_new(test_ctx, alg, &key), GBA_OK);
	ck_assert_err(jwt_key_new(test_ctx, alg, &other), GBA_OK);
	ck_assert_err(jwt_sign(test_ctx, key, claims, &text), GBA_OK);
	ck_assert_err(jwt_open(bytes_of(text), key, &back), GBA_OK);
	ck_assert(json_equal(claims, back));
	json_decref(back);
	ck_assert_err(jwt_open(bytes_of(text), other, &back), GBA_E_CORRUPT);
	snprintf(path, sizeof(path), "%s/key.pem", folder);
	ck_assert_err(jwt_key_write(key, path), GBA_OK);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_err(jwt_key_read(test_ctx, path, &again), GBA_OK);
	ck_assert_str_eq(jwt_key_kid(again), jwt_key_kid(key));
	ck_assert_err(jwt_open(bytes_of(text), again, &back), GBA_OK);
	json_decref(back);
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_err(jwt_key_read(test_ctx, path, &again), GBA_E_DENIED);
	json_decref(claims);
	talloc_free_children(test_ctx);
}
END_TEST

/* ---- keys over time ---- */

static size_t shown(struct ring *ring)
{
	json_t *set = ring_jwks(ring);
	size_t n = json_array_size(json_object_get(set, "keys"));

	json_decref(set);
	return n;
}

/* kid of the key that signs now. */
static void signer(struct ring *ring, time_t now, char kid[64])
{
	json_t *claims = json_object(), *header;
	struct bytes head, rest;
	uint8_t octets[256];
	char *text;
	size_t n;

	ck_assert_err(ring_sign(ring, test_ctx, claims, now, &text), GBA_OK);
	ck_assert(bytes_split(bytes_of(text), '.', &head, &rest));
	ck_assert_err(base64url_decode(head, octets, sizeof(octets), &n), GBA_OK);
	header = json_loadb((const char *)octets, n, 0, NULL);
	snprintf(kid, 64, "%s", json_string_value(json_object_get(header, "kid")));
	json_decref(header);
	json_decref(claims);
}

START_TEST(a_key_is_shown_before_and_after_it_signs)
{
	const struct ring_conf conf = { folder, JWT_ES256, 1000, 100 };
	char first[64], second[64], now[64];
	struct ring *ring;
	const char *why;

	ck_assert_err(ring_open(test_ctx, &conf, T0, &ring, &why), GBA_OK);
	signer(ring, T0, first); /* there is no other one: it need not wait */
	ck_assert_uint_eq(shown(ring), 1);
	ck_assert_err(ring_tick(ring, T0 + 999), GBA_OK);
	ck_assert_uint_eq(shown(ring), 1);
	ck_assert_err(ring_tick(ring, T0 + 1000), GBA_OK);
	ck_assert_uint_eq(shown(ring), 2);
	signer(ring, T0 + 1099, now);
	ck_assert_str_eq(now, first);
	signer(ring, T0 + 1100, second);
	ck_assert_str_ne(second, first);
	ck_assert_err(ring_tick(ring, T0 + 1199), GBA_OK);
	ck_assert_uint_eq(shown(ring), 2);
	ck_assert_err(ring_tick(ring, T0 + 1200), GBA_OK);
	ck_assert_uint_eq(shown(ring), 1);
	talloc_free(ring);
	ck_assert_err(ring_open(test_ctx, &conf, T0 + 1300, &ring, &why), GBA_OK); /* as the folder has them */
	signer(ring, T0 + 1300, now);
	ck_assert_str_eq(now, second);
	talloc_free_children(test_ctx);
}
END_TEST

START_TEST(another_algorithm_signs_at_once_and_the_old_keys_stay_for_a_while)
{
	struct ring_conf conf = { folder, JWT_ES256, 1000, 100 };
	char kid[64], now[64];
	struct ring *ring;
	const char *why;

	ck_assert_err(ring_open(test_ctx, &conf, T0, &ring, &why), GBA_OK);
	signer(ring, T0, kid);
	talloc_free(ring);
	conf.alg = JWT_RS256;
	ck_assert_err(ring_open(test_ctx, &conf, T0 + 10, &ring, &why), GBA_OK);
	signer(ring, T0 + 10, now);
	ck_assert_str_ne(now, kid);
	ck_assert_uint_eq(shown(ring), 2);
	ck_assert_err(ring_tick(ring, T0 + 210), GBA_OK);
	ck_assert_uint_eq(shown(ring), 1);
	talloc_free_children(test_ctx);
}
END_TEST

/* ---- codes ---- */

#define VERIFIER  "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" /* RFC 7636 appendix B */
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

static const char mine[] = "a", yours[] = "b";
static struct grants *grants;

static struct grant_facts facts_of(const char *challenge)
{
	return (struct grant_facts){ .client = mine, .redirect_uri = "https://a/cb", .sub = "s", .challenge = challenge, .nonce = "n",
				     .ends = T0 + 500, .acr = "x" };
}

static const struct { const char *name, *challenge, *redirect_uri, *verifier, *client; int after; enum gba_err want; } redeem_rows[] = {
	{ "good", CHALLENGE, "https://a/cb", VERIFIER, mine, 0, GBA_OK },
	{ "last second", CHALLENGE, "https://a/cb", VERIFIER, mine, 59, GBA_OK },
	{ "expired exactly", CHALLENGE, "https://a/cb", VERIFIER, mine, 60, GBA_E_STALE },
	{ "no challenge", NULL, "https://a/cb", NULL, mine, 0, GBA_OK },
	{ "verifier without challenge", NULL, "https://a/cb", VERIFIER, mine, 0, GBA_E_DENIED },
	{ "no verifier", CHALLENGE, "https://a/cb", NULL, mine, 0, GBA_E_DENIED },
	{ "challenge as verifier", CHALLENGE, "https://a/cb", CHALLENGE, mine, 0, GBA_E_DENIED },
	{ "short verifier", CHALLENGE, "https://a/cb", "x", mine, 0, GBA_E_DENIED },
	{ "another client", CHALLENGE, "https://a/cb", VERIFIER, yours, 0, GBA_E_DENIED },
	{ "another redirect_uri", CHALLENGE, "https://a/cb/", VERIFIER, mine, 0, GBA_E_DENIED },
	{ "no redirect_uri", CHALLENGE, NULL, VERIFIER, mine, 0, GBA_E_DENIED },
};

START_TEST(codes_are_good_once)
{
	struct grant_facts facts = facts_of(redeem_rows[_i].challenge), got;
	struct grant_tokens tokens, other;
	char code[GRANT_SECRET_ROOM];
	struct grant_claim claim = { .client = redeem_rows[_i].client, .redirect_uri = redeem_rows[_i].redirect_uri,
				     .verifier = redeem_rows[_i].verifier, .access_until = T0 + 300 };
	time_t now = T0 + redeem_rows[_i].after;
	enum gba_err err;

	grants = grants_new(test_ctx, 16);
	ck_assert_err(grants_add(grants, &facts, NULL, T0, T0 + 60, code), GBA_OK);
	claim.code = bytes_of(code);
	err = grants_redeem(grants, &claim, now, test_ctx, &got, &tokens);
	ck_assert_msg(err == redeem_rows[_i].want, "%s: %s", redeem_rows[_i].name, gba_err_name(err));
	if (err == GBA_OK) {
		ck_assert_str_eq(got.nonce, "n");
		ck_assert_str_eq(tokens.refresh, "");
		ck_assert_int_eq(got.access_ends, T0 + 300);
		ck_assert_err(grants_find(grants, bytes_of(tokens.access), T0 + 299, test_ctx, &got), GBA_OK);
		ck_assert_err(grants_find(grants, bytes_of(tokens.access), T0 + 300, test_ctx, &got), GBA_E_NOT_FOUND);
	}
	claim = (struct grant_claim){ bytes_of(code), mine, "https://a/cb", redeem_rows[_i].challenge != NULL ? VERIFIER : NULL, T0 + 300,
				     false };
	ck_assert_err(grants_redeem(grants, &claim, now, test_ctx, &got, &other), GBA_E_REPLAY); /* whatever came of the first */
	if (err == GBA_OK)
		ck_assert_err(grants_find(grants, bytes_of(tokens.access), now, test_ctx, &got), GBA_E_NOT_FOUND);
	talloc_free_children(test_ctx);
}
END_TEST

START_TEST(grants_are_bounded_and_end)
{
	struct grant_facts facts = facts_of(NULL), got;
	struct grant_tokens tokens;
	char code[GRANT_SECRET_ROOM];
	struct grant_claim claim = { .client = mine, .redirect_uri = "https://a/cb", .access_until = T0 + 10000 };
	size_t i;

	grants = grants_new(test_ctx, 16);
	for (i = 0; i < 16; i++)
		ck_assert_err(grants_add(grants, &facts, NULL, T0, T0 + 60, code), GBA_OK);
	ck_assert_err(grants_add(grants, &facts, NULL, T0, T0 + 60, tokens.access), GBA_E_BUSY);
	claim.code = bytes_of(code);
	ck_assert_err(grants_redeem(grants, &claim, T0, test_ctx, &got, &tokens), GBA_OK);
	ck_assert_int_eq(got.access_ends, T0 + 500); /* the bootstrapped key's end */
	ck_assert_err(grants_add(grants, &facts, NULL, T0 + 60, T0 + 120, code), GBA_OK); /* fifteen have gone */
	ck_assert_uint_eq(grants_count(grants), 2);
	grants_revoke(grants, bytes_of(tokens.access), yours);
	ck_assert_err(grants_find(grants, bytes_of(tokens.access), T0 + 60, test_ctx, &got), GBA_OK);
	grants_revoke(grants, bytes_of(tokens.access), mine);
	ck_assert_err(grants_find(grants, bytes_of(tokens.access), T0 + 60, test_ctx, &got), GBA_E_NOT_FOUND);
	grants_sweep(grants, T0 + 120);
	ck_assert_uint_eq(grants_count(grants), 0);
	talloc_free_children(test_ctx);
}
END_TEST

static bool is_the_one(const char *client, const void *arg)
{
	return strcmp(client, arg) == 0;
}

START_TEST(grants_go_with_their_client)
{
	struct grant_facts facts = facts_of(NULL), other = facts, got;
	struct grant_claim claim = { .client = yours, .redirect_uri = "https://a/cb", .access_until = T0 + 10000 };
	char code[GRANT_SECRET_ROOM], kept[GRANT_SECRET_ROOM];
	struct grant_tokens tokens;

	other.client = yours;
	grants = grants_new(test_ctx, 16);
	ck_assert_err(grants_add(grants, &facts, NULL, T0, T0 + 60, code), GBA_OK);
	ck_assert_err(grants_add(grants, &other, NULL, T0, T0 + 60, kept), GBA_OK);
	ck_assert_uint_eq(grants_retain(grants, is_the_one, yours), 1);
	ck_assert_uint_eq(grants_retain(grants, is_the_one, yours), 0);
	claim.code = bytes_of(kept);
	ck_assert_err(grants_redeem(grants, &claim, T0, test_ctx, &got, &tokens), GBA_OK);
	ck_assert_str_eq(got.client, "b");
	claim.client = mine;
	claim.code = bytes_of(code);
	ck_assert_err(grants_redeem(grants, &claim, T0, test_ctx, &got, &tokens), GBA_E_NOT_FOUND);
	talloc_free_children(test_ctx);
}
END_TEST

/* RFC 9700 4.14.2: each is good once, and one that comes again ends all of it. */
START_TEST(refresh_tokens_are_good_once)
{
	struct grant_facts facts = facts_of(NULL), got;
	struct grant_tokens first, second, third;
	char code[GRANT_SECRET_ROOM];
	struct grant_claim claim = { .client = mine, .redirect_uri = "https://a/cb", .access_until = T0 + 100, .refreshable = true };

	grants = grants_new(test_ctx, 16);
	ck_assert_err(grants_add(grants, &facts, NULL, T0, T0 + 60, code), GBA_OK);
	claim.code = bytes_of(code);
	ck_assert_err(grants_redeem(grants, &claim, T0, test_ctx, &got, &first), GBA_OK);
	claim.code = bytes_of(first.refresh);
	claim.client = yours;
	ck_assert_err(grants_refresh(grants, &claim, T0, test_ctx, &got, &second), GBA_E_DENIED);
	claim.client = mine;
	claim.access_until = T0 + 10000;
	ck_assert_err(grants_refresh(grants, &claim, T0 + 99, test_ctx, &got, &second), GBA_OK);
	ck_assert_int_eq(got.access_ends, T0 + 500); /* the bootstrapped key's end */
	ck_assert_str_ne(first.refresh, second.refresh);
	ck_assert_err(grants_find(grants, bytes_of(first.access), T0 + 99, test_ctx, &got), GBA_E_NOT_FOUND);
	grants_sweep(grants, T0 + 499);
	ck_assert_err(grants_find(grants, bytes_of(second.access), T0 + 499, test_ctx, &got), GBA_OK);
	ck_assert_err(grants_refresh(grants, &claim, T0 + 100, test_ctx, &got, &third), GBA_E_REPLAY);
	claim.code = bytes_of(second.refresh);
	ck_assert_err(grants_refresh(grants, &claim, T0 + 100, test_ctx, &got, &third), GBA_E_NOT_FOUND);
	ck_assert_err(grants_find(grants, bytes_of(second.access), T0 + 100, test_ctx, &got), GBA_E_NOT_FOUND);
	claim.code = bytes_of("no token of ours");
	ck_assert_err(grants_refresh(grants, &claim, T0, test_ctx, &got, &third), GBA_E_NOT_FOUND);
	ck_assert_uint_eq(grants_count(grants), 0);
	talloc_free_children(test_ctx);
}
END_TEST

/* ---- parameters ---- */

static const struct { const char *in; enum gba_err want; const char *a; } params_rows[] = {
	{ "a=1", GBA_OK, "1" }, { "a=%31", GBA_OK, "1" }, { "%61=1", GBA_OK, "1" }, { "a=x+y", GBA_OK, "x y" }, { "a=x%2By", GBA_OK, "x+y" },
	{ "b=2&a=1&", GBA_OK, "1" }, { "&&a=1", GBA_OK, "1" }, { "a=1=2", GBA_OK, "1=2" }, { "a=", GBA_OK, NULL }, { "a", GBA_OK, NULL },
	{ "", GBA_OK, NULL }, { "a=%C3%BC", GBA_OK, "\xc3\xbc" }, { "a=1&a=1", GBA_E_EXISTS, NULL }, { "a=1&%61=2", GBA_E_EXISTS, NULL },
	{ "a=%", GBA_E_SYNTAX, NULL }, { "a=%4", GBA_E_SYNTAX, NULL }, { "a=%zz", GBA_E_SYNTAX, NULL }, { "a=%00", GBA_E_SYNTAX, NULL },
	{ "a=%0d%0aX", GBA_E_SYNTAX, NULL }, { "a=\x7f", GBA_E_SYNTAX, NULL },
};

START_TEST(parameters_are_read_strictly)
{
	struct params params;
	const char *name, *a;
	enum gba_err err = params_read(test_ctx, bytes_of(params_rows[_i].in), &params, &name);

	ck_assert_msg(err == params_rows[_i].want, "%s: %s", params_rows[_i].in, gba_err_name(err));
	ck_assert_int_eq(name != NULL, err == GBA_E_EXISTS);
	a = err == GBA_OK ? params_get(&params, "a") : NULL;
	ck_assert_int_eq(a != NULL, params_rows[_i].a != NULL);
	if (a != NULL)
		ck_assert_str_eq(a, params_rows[_i].a);
	ck_assert_str_eq(param_encode(test_ctx, "a b&c=\xc3\xbc"), "a%20b%26c%3d%c3%bc");
	talloc_free_children(test_ctx);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("oidc");
	TCase *tc = fixture_tcase("oidc");

	secret_init();
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, folder_make, folder_drop);
	tcase_add_loop_test(tc, tokens_are_opened_by_their_key_alone, 0, ROWS(open_rows));
	tcase_add_loop_test(tc, what_is_signed_is_opened, 0, 2);
	tcase_add_test(tc, a_key_is_shown_before_and_after_it_signs);
	tcase_add_test(tc, another_algorithm_signs_at_once_and_the_old_keys_stay_for_a_while);
	tcase_add_loop_test(tc, codes_are_good_once, 0, ROWS(redeem_rows));
	tcase_add_test(tc, grants_are_bounded_and_end);
	tcase_add_test(tc, grants_go_with_their_client);
	tcase_add_test(tc, refresh_tokens_are_good_once);
	tcase_add_loop_test(tc, parameters_are_read_strictly, 0, ROWS(params_rows));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
