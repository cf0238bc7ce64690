/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and profiles: expiry to the second, one active token per application, one active realm, the sealed file. */
#include <stdio.h>
#include <stdlib.h>

#include "ue/client.h"
#include "ue/url.h"
#include "unit/ue_fixture.h"

#define T0     ((time_t)1900000000)
#define LIFE   3600
#define BTID_A EX_BTID
#define BTID_B "QkJCQkJCQkJCQkJCQkJCQg==@" EX_BSF
#define NAF    "naf1.example.com"

static struct token_realm realm_row(const char *profile, const char *btid, time_t expires)
{
	struct token_realm realm = { .created = T0, .expires = expires };

	strcpy(realm.profile, profile);
	strcpy(realm.btid, btid);
	strcpy(realm.impi, EX_IMPI);
	realm.ks = secret_dup(test_ctx, fixture_hex(EX_KS));
	return realm;
}

static struct tokens *tokens_with(const char *profile, const char *btid, time_t expires)
{
	struct tokens *tokens = talloc_zero(test_ctx, struct tokens);
	struct token_realm realm = realm_row(profile, btid, expires);

	ck_assert_err(tokens_bootstrapped(tokens, &realm), GBA_OK);
	return tokens;
}

/* REQ: Y3056-9.3-7, Y3056-9.4.1-11 */
static const struct {
	const char *name, *profile;
	time_t now;
	bool usable;
} expiry_rows[] = {
	{ "just made", "a", T0, true },
	{ "last second", "a", T0 + LIFE - 1, true },
	{ "expired exactly", "a", T0 + LIFE, false },
	{ "long expired", "a", T0 + 10 * LIFE, false },
	{ "another realm", "b", T0, false },
};

START_TEST(token_ends_when_the_bsf_said)
{
	struct tokens *tokens = tokens_with("a", BTID_A, T0 + LIFE);
	bool usable = tokens_usable(tokens, expiry_rows[_i].profile, expiry_rows[_i].now) != NULL;

	ck_assert_msg(usable == expiry_rows[_i].usable, "%s", expiry_rows[_i].name);
}
END_TEST

START_TEST(expiry_forgets_key_and_applications)
{
	struct tokens *tokens = tokens_with("a", BTID_A, T0 + LIFE);
	struct token_realm *realm = tokens_realm(tokens, "a");
	bool changed = false;

	strcpy(realm->tmpi, "x@" TMPI_DOMAIN);
	ck_assert_err(tokens_bind(tokens, realm, bytes_of(NAF), T0, &changed), GBA_OK);
	ck_assert(!tokens_expire(tokens, T0 + LIFE - 1));
	ck_assert(tokens_expire(tokens, T0 + LIFE));
	ck_assert_ptr_null(realm->ks);
	ck_assert_str_eq(realm->btid, "");
	ck_assert_uint_eq(tokens->app_count, 0);
	ck_assert_str_ne(realm->tmpi, ""); /* the name for the next run stays */
}
END_TEST

static size_t active_rows(const struct tokens *tokens, const char *naf)
{
	size_t i, n = 0;

	for (i = 0; i < tokens->app_count; i++)
		n += strcmp(tokens->apps[i].naf, naf) == 0 && tokens->apps[i].state == TOKEN_ACTIVE;
	return n;
}

/* REQ: Y3056-9.3-9 */
START_TEST(one_active_token_per_application)
{
	struct tokens *tokens = tokens_with("a", BTID_A, T0 + LIFE);
	struct token_realm renewed = realm_row("a", BTID_B, T0 + 2 * LIFE);
	bool changed = false;

	ck_assert_err(tokens_bind(tokens, tokens_realm(tokens, "a"), bytes_of("NAF1.example.com"), T0, &changed),
		      GBA_OK);
	ck_assert(changed);
	changed = false;
	ck_assert_err(tokens_bind(tokens, tokens_realm(tokens, "a"), bytes_of(NAF), T0, &changed), GBA_OK);
	ck_assert(!changed); /* the same name in another case is the same application */
	ck_assert_uint_eq(active_rows(tokens, NAF), 1);
	ck_assert_err(tokens_bootstrapped(tokens, &renewed), GBA_OK);
	ck_assert_uint_eq(active_rows(tokens, NAF), 0);
	ck_assert_err(tokens_bind(tokens, tokens_realm(tokens, "a"), bytes_of(NAF), T0, &changed), GBA_OK);
	ck_assert_uint_eq(active_rows(tokens, NAF), 1);
	ck_assert_uint_eq(tokens->app_count, 2); /* the old one is there, retired */
	ck_assert_str_eq(tokens->apps[1].btid, BTID_B);
}
END_TEST

/* REQ: Y3056-9.3-10: N realms times M applications, through the file and back */
START_TEST(many_realms_and_applications)
{
	struct tokens *tokens = talloc_zero(test_ctx, struct tokens), *again;
	char profile[8], naf[32];
	bool changed = false;
	struct bytes plain;
	size_t i, j;

	for (i = 0; i < TOKENS_REALMS_MAX; i++) {
		struct token_realm realm;

		snprintf(profile, sizeof(profile), "p%zu", i);
		realm = realm_row(profile, BTID_A, T0 + LIFE);
		ck_assert_err(tokens_bootstrapped(tokens, &realm), GBA_OK);
		for (j = 0; j < TOKENS_APPS_MAX / TOKENS_REALMS_MAX; j++) {
			snprintf(naf, sizeof(naf), "naf%zu.p%zu.example", j, i);
			ck_assert_err(tokens_bind(tokens, tokens_realm(tokens, profile), bytes_of(naf), T0, &changed),
				      GBA_OK);
		}
	}
	ck_assert_err(tokens_bind(tokens, &tokens->realms[0], bytes_of("one.more.example"), T0, &changed),
		      GBA_E_NOSPACE);
	ck_assert_ptr_null(tokens_realm_make(tokens, "another"));
	ck_assert_err(tokens_encode(test_ctx, tokens, &plain), GBA_OK);
	ck_assert_err(tokens_decode(test_ctx, plain, &again), GBA_OK);
	ck_assert_uint_eq(again->realm_count, TOKENS_REALMS_MAX);
	ck_assert_uint_eq(again->app_count, TOKENS_APPS_MAX);
	ck_assert_str_eq(again->apps[17].naf, "naf1.p1.example");
	ck_assert_bytes(secret_bytes(again->realms[63].ks), fixture_hex(EX_KS), "Ks");
	tokens_retire(tokens, "p5"); /* room is made by forgetting what is retired */
	ck_assert_err(tokens_bind(tokens, &tokens->realms[0], bytes_of("one.more.example"), T0, &changed), GBA_OK);
	ck_assert_uint_eq(tokens->app_count, TOKENS_APPS_MAX);
}
END_TEST

/* Every cut of a good file, and every octet of a small one altered, is refused or decodes to something whole. */
START_TEST(damaged_records_are_refused)
{
	struct tokens *tokens = tokens_with("a", BTID_A, T0 + LIFE), *again;
	uint8_t copy[1024];
	struct bytes plain;
	bool changed;
	size_t n;

	ck_assert_err(tokens_bind(tokens, tokens_realm(tokens, "a"), bytes_of(NAF), T0, &changed), GBA_OK);
	ck_assert_err(tokens_encode(test_ctx, tokens, &plain), GBA_OK);
	ck_assert_uint_lt(plain.n, sizeof(copy));
	for (n = 0; n < plain.n; n++)
		ck_assert_err(tokens_decode(test_ctx, BYTES(plain.p, n), &again), GBA_E_CORRUPT);
	memcpy(copy, plain.p, plain.n);
	copy[plain.n] = 0;
	ck_assert_err(tokens_decode(test_ctx, BYTES(copy, plain.n + 1), &again), GBA_E_CORRUPT);
	copy[4] = 2; /* a format of the future */
	ck_assert_err(tokens_decode(test_ctx, BYTES(copy, plain.n), &again), GBA_E_CORRUPT);
}
END_TEST

static struct profile profile_row(const char *name, const char *bsf)
{
	struct profile profile = { .announce = false };

	strcpy(profile.name, name);
	strcpy(profile.bsf, bsf);
	strcpy(profile.usim, "default");
	return profile;
}

static const struct {
	const char *name, *bsf, *url, *connect, *impi;
	enum gba_err want;
} profile_rows[] = {
	{ "a", EX_BSF, "", "", "", GBA_OK },
	{ "a-1.b_2", EX_BSF, "https://bsf.example:8443/ub?x=1", "127.0.0.1:8080", EX_IMPI, GBA_OK },
	{ "v6", EX_BSF, "", "[::1]:80", "", GBA_OK },
	{ "", EX_BSF, "", "", "", GBA_E_SYNTAX },
	{ "../x", EX_BSF, "", "", "", GBA_E_SYNTAX },
	{ ".hidden", EX_BSF, "", "", "", GBA_E_SYNTAX },
	{ "a", "bsf example", "", "", "", GBA_E_SYNTAX },
	{ "a", "", "", "", "", GBA_E_SYNTAX },
	{ "a", EX_BSF, "ftp://bsf.example/", "", "", GBA_E_SYNTAX },
	{ "a", EX_BSF, "http://user@bsf.example/", "", "", GBA_E_SYNTAX },
	{ "a", EX_BSF, "http://bsf.example/a b", "", "", GBA_E_SYNTAX },
	{ "a", EX_BSF, "http:///", "", "", GBA_E_SYNTAX },
	{ "a", EX_BSF, "", "127.0.0.1", "", GBA_E_SYNTAX },
	{ "a", EX_BSF, "", "127.0.0.1:0", "", GBA_E_SYNTAX },
	{ "a", EX_BSF, "", "127.0.0.1:65536", "", GBA_E_SYNTAX },
	{ "a", EX_BSF, "", "127.0.0.1:8x", "", GBA_E_SYNTAX },
	{ "a", EX_BSF, "", "", "no realm", GBA_E_IMPI_SYNTAX },
};

START_TEST(profiles_are_checked)
{
	struct profile profile = profile_row(profile_rows[_i].name, profile_rows[_i].bsf);
	enum gba_err got;

	strcpy(profile.url, profile_rows[_i].url);
	strcpy(profile.connect, profile_rows[_i].connect);
	strcpy(profile.impi, profile_rows[_i].impi);
	got = profile_check(&profile, NULL);
	ck_assert_msg(got == profile_rows[_i].want, "row %d: got %s", _i, gba_err_name(got));
}
END_TEST

static struct profiles *two_profiles(struct state *state)
{
	struct profile a = profile_row("a", EX_BSF), b = profile_row("b", "bsf.other.example");
	struct profiles *profiles;

	ck_assert_err(profiles_load(test_ctx, state, &profiles, NULL), GBA_OK);
	ck_assert_ptr_null(profiles_active(profiles));
	ck_assert_err(profiles_add(profiles, &a, NULL), GBA_OK);
	ck_assert_err(profiles_add(profiles, &b, NULL), GBA_OK);
	ck_assert_err(profiles_save(state, profiles), GBA_OK);
	return profiles;
}

/* REQ: Y3056-7.4-5, Y3056-7.1-8 */
START_TEST(exactly_one_profile_is_active)
{
	struct state *state = ue_fixture_state();
	struct profiles *profiles = two_profiles(state), *again;

	ck_assert_str_eq(profiles_active(profiles)->name, "a");
	ck_assert_err(profiles_add(profiles, &profiles->rows[0], NULL), GBA_E_EXISTS);
	ck_assert_err(profiles_use(profiles, "none"), GBA_E_NOT_FOUND);
	ck_assert_str_eq(profiles_active(profiles)->name, "a");
	ck_assert_err(profiles_use(profiles, "b"), GBA_OK);
	ck_assert_err(profiles_remove(profiles, "b"), GBA_E_DENIED);
	ck_assert_err(profiles_save(state, profiles), GBA_OK);
	ck_assert_err(profiles_load(test_ctx, state, &again, NULL), GBA_OK);
	ck_assert_uint_eq(again->count, 2);
	ck_assert_str_eq(profiles_active(again)->name, "b");
	ck_assert_err(profiles_remove(again, "a"), GBA_OK);
	ck_assert_str_eq(profiles_active(again)->name, "b");
	ck_assert_err(profiles_remove(again, "b"), GBA_OK);
	ck_assert_ptr_null(profiles_active(again));
}
END_TEST

/* REQ: Y3056-9.3-8 */
START_TEST(switching_retires_the_other_realms_tokens)
{
	struct token_realm a = realm_row("a", BTID_A, T0 + LIFE), b = realm_row("b", BTID_B, T0 + LIFE);
	struct state *state = ue_fixture_state();
	struct profiles *profiles;
	struct tokens *tokens;
	bool changed;

	two_profiles(state);
	ck_assert_err(tokens_load(test_ctx, state, &tokens), GBA_OK);
	ck_assert_err(tokens_bootstrapped(tokens, &a), GBA_OK);
	ck_assert_err(tokens_bind(tokens, tokens_realm(tokens, "a"), bytes_of(NAF), T0, &changed), GBA_OK);
	ck_assert_err(tokens_bootstrapped(tokens, &b), GBA_OK);
	ck_assert_err(tokens_save(state, tokens), GBA_OK);
	ck_assert_err(client_switch(state, "none", NULL), GBA_E_NOT_FOUND);
	ck_assert_err(client_switch(state, "b", NULL), GBA_OK);
	ck_assert_err(tokens_load(test_ctx, state, &tokens), GBA_OK);
	ck_assert_err(profiles_load(test_ctx, state, &profiles, NULL), GBA_OK);
	ck_assert_str_eq(profiles_active(profiles)->name, "b");
	ck_assert_ptr_null(tokens_usable(tokens, "a", T0));
	ck_assert_ptr_null(tokens_realm(tokens, "a")->ks);
	ck_assert_uint_eq(active_rows(tokens, NAF), 0);
	ck_assert_ptr_nonnull(tokens_usable(tokens, "b", T0));
}
END_TEST

static time_t at_t0(void)
{
	return T0;
}

/* The connection element's interface: keys of the worked example, only under the token that is in force.
 * REQ: Y3056-8.1.2-1, Y3056-10.4-4a */
START_TEST(keys_come_under_the_valid_token_only)
{
	struct token_realm a = realm_row("a", BTID_A, T0 + LIFE);
	struct token_ref ref = { .btid = BTID_A }, other = { .btid = BTID_B };
	struct client_conf conf = { .product = "test", .now = at_t0 };
	struct bytes naf_id = fixture_hex("6e6166312e6578616d706c652e636f6d0100000002");
	struct state *state = ue_fixture_state();
	uint8_t key[GBA_KS_NAF_LEN];
	struct token_source source;
	struct tokens *tokens;

	two_profiles(state);
	source = client_source(client_new(test_ctx, state, &conf));
	ck_assert_err(source.key(source.arg, &ref, naf_id, key), GBA_E_BTID_UNKNOWN);
	ck_assert_err(tokens_load(test_ctx, state, &tokens), GBA_OK);
	ck_assert_err(tokens_bootstrapped(tokens, &a), GBA_OK);
	ck_assert_err(tokens_save(state, tokens), GBA_OK);
	ck_assert_err(source.key(source.arg, &ref, naf_id, key), GBA_OK);
	ck_assert_bytes(BYTES(key, sizeof(key)),
			fixture_hex("7bbc1ad5fcd242e270d96906ca4491cdd5d849e407e63f7b124803d31402b3bf"), "Ks_NAF");
	ck_assert_err(source.key(source.arg, &other, naf_id, key), GBA_E_BTID_UNKNOWN);
	ck_assert_err(client_switch(state, "b", NULL), GBA_OK);
	ck_assert_err(source.key(source.arg, &ref, naf_id, key), GBA_E_BTID_UNKNOWN);
}
END_TEST

static const struct {
	const char *text, *host, *target;
	unsigned int port;
	enum gba_err want;
} url_rows[] = {
	{ "http://NAF1.example.com/resource?a=b#c", "naf1.example.com", "/resource?a=b", 80, GBA_OK },
	{ "https://naf1.example.com", "naf1.example.com", "/", 443, GBA_OK },
	{ "https://naf1.example.com:8443/a/../b", "naf1.example.com", "/a/../b", 8443, GBA_OK },
	{ "http://naf1.example.com?q", "naf1.example.com", "/?q", 80, GBA_OK },
	{ "http://[::1]:8080/", "[::1]", "/", 8080, GBA_OK },
	{ "http://naf1.example.com:99999/", NULL, NULL, 0, GBA_E_SYNTAX },
	{ "http://user:pw@naf1.example.com/", NULL, NULL, 0, GBA_E_SYNTAX },
	{ "file:///etc/passwd", NULL, NULL, 0, GBA_E_SYNTAX },
	{ "naf1.example.com", NULL, NULL, 0, GBA_E_SYNTAX },
	{ "http://naf1.example.com/a b", NULL, NULL, 0, GBA_E_SYNTAX },
	{ "http://naf1.example.com/\r\nX: y", NULL, NULL, 0, GBA_E_SYNTAX },
	{ "http://naf1.example.com/\"", NULL, NULL, 0, GBA_E_SYNTAX },
	{ "", NULL, NULL, 0, GBA_E_SYNTAX },
};

START_TEST(urls)
{
	struct url url;
	enum gba_err got = url_parse(test_ctx, url_rows[_i].text, url_schemes_http, &url);

	ck_assert_msg(got == url_rows[_i].want, "%s: got %s", url_rows[_i].text, gba_err_name(got));
	if (got != GBA_OK)
		return;
	ck_assert_str_eq(url.host, url_rows[_i].host);
	ck_assert_str_eq(url.target, url_rows[_i].target);
	ck_assert_uint_eq(url.port, url_rows[_i].port);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ue tokens");
	TCase *tc = fixture_tcase("tokens");

	tcase_add_loop_test(tc, token_ends_when_the_bsf_said, 0, sizeof(expiry_rows) / sizeof(expiry_rows[0]));
	tcase_add_test(tc, expiry_forgets_key_and_applications);
	tcase_add_test(tc, one_active_token_per_application);
	tcase_add_test(tc, many_realms_and_applications);
	tcase_add_test(tc, damaged_records_are_refused);
	tcase_add_loop_test(tc, profiles_are_checked, 0, sizeof(profile_rows) / sizeof(profile_rows[0]));
	tcase_add_test(tc, exactly_one_profile_is_active);
	tcase_add_test(tc, switching_retires_the_other_realms_tokens);
	tcase_add_test(tc, keys_come_under_the_valid_token_only);
	tcase_add_loop_test(tc, urls, 0, sizeof(url_rows) / sizeof(url_rows[0]));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
