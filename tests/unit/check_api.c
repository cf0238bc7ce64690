/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the REST API that no caller sees by itself: rates, addresses of webhooks, tokens, kept answers, letters. */
#include <arpa/inet.h>
#include <check.h>
#include <string.h>

#include "common/fixture.h"
#include "hss-stub/api/api_priv.h"
#include "rest/notice.h"
#include "rest/rest_priv.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

START_TEST(a_bucket_lets_the_burst_and_then_the_rate_pass)
{
	struct limits *limits = limits_new(test_ctx, 64);
	uint32_t wait = 0;
	int i, passed = 0;

	for (i = 0; i < 20; i++)
		passed += limits_pass(limits, "asp:1", 2, 10, 1000, &wait);
	ck_assert_int_eq(passed, 10);
	ck_assert_uint_ge(wait, 1);
	ck_assert(limits_pass(limits, "asp:2", 2, 10, 1000, &wait)); /* another's */
	ck_assert(!limits_pass(limits, "asp:1", 2, 10, 1499, &wait));
	ck_assert(limits_pass(limits, "asp:1", 2, 10, 1500, &wait)); /* two a second: one after half of it */
	ck_assert(!limits_pass(limits, "asp:1", 2, 10, 1500, &wait));
	for (i = 0, passed = 0; i < 20; i++)
		passed += limits_pass(limits, "asp:1", 2, 10, 3600000, &wait);
	ck_assert_int_eq(passed, 10); /* never more than the burst */
	ck_assert(!limits_pass(limits, "asp:1", 2, 10, 0, &wait)); /* a clock that steps back gives nothing */
	talloc_free(limits);
}
END_TEST

/* It has used up its burst, each of the others asks twice at most: all of them have more left, whichever row they fall
 * into. Five at once and one that came back in the second the flood lasts, whatever the key. */
START_TEST(many_names_do_not_free_one_that_is_at_it)
{
	struct limits *limits = limits_new(test_ctx, 64);
	char name[32];
	uint32_t wait;
	int i, passed = 0;

	for (i = 0; i < 8; i++)
		passed += limits_pass(limits, "busy", 1, 5, 0, &wait);
	ck_assert_int_eq(passed, 5);
	for (i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "from 10.0.%d.%d", i / 256 % 256, i % 256);
		limits_pass(limits, name, 1, 5, (uint64_t)i / 100, &wait);
		if (i % 10 == 0)
			passed += limits_pass(limits, "busy", 1, 5, (uint64_t)i / 100, &wait);
	}
	ck_assert_int_eq(passed, 5);
	passed += limits_pass(limits, "busy", 1, 5, 1000, &wait);
	ck_assert_int_eq(passed, 6);
	talloc_free(limits);
}
END_TEST

START_TEST(who_comes_newly_takes_the_place_of_one_that_is_full_again)
{
	struct limits *limits = limits_new(test_ctx, 1); /* one row */
	char name[32];
	uint32_t wait;
	int i;

	for (i = 0; i < 7; i++) { /* emptied just before */
		snprintf(name, sizeof(name), "busy %d", i);
		ck_assert(limits_pass(limits, name, 1, 2, 10000, &wait) && limits_pass(limits, name, 1, 2, 10000, &wait));
	}
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "new %d", i);
		ck_assert(limits_pass(limits, name, 1, 2, 10000, &wait));
	}
	for (i = 0; i < 7; i++) {
		snprintf(name, sizeof(name), "busy %d", i);
		ck_assert_msg(!limits_pass(limits, name, 1, 2, 10000, &wait), "%s was forgotten", name);
	}
	talloc_free(limits);
}
END_TEST

/* RFC 6890, RFC 4291, RFC 6052 */
static const struct {
	const char *address;
	bool good;
} address_rows[] = {
	{ "8.8.8.8", true },		 { "127.0.0.1", false },	 { "127.255.255.254", false }, { "10.1.2.3", false },
	{ "172.15.255.255", true },	 { "172.16.0.1", false },	 { "172.31.255.255", false },  { "172.32.0.1", true },
	{ "192.168.0.1", false },	 { "169.254.169.254", false },	 { "100.64.0.1", false },      { "100.128.0.1", true },
	{ "0.0.0.0", false },		 { "224.0.0.1", false },	 { "255.255.255.255", false }, { "192.0.2.1", false },
	{ "198.18.0.1", false },	 { "223.255.255.255", true },	 { "2a00:1450::1", true },     { "::1", false },
	{ "::", false },		 { "fe80::1", false },		 { "fc00::1", false },	       { "fd12::1", false },
	{ "ff02::1", false },		 { "::ffff:127.0.0.1", false },	 { "::ffff:8.8.8.8", true },   { "64:ff9b::a00:1", false },
	{ "2002:7f00:1::", false },	 { "2001:0:1::", false },	 { "2001:db8::1", false },      { "2001:4860::8888", true },
};

START_TEST(webhooks_stay_outside)
{
	const struct notice_conf outside = { .inside = false }, inside = { .inside = true };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	const char *text = address_rows[_i].address;
	const void *address = strchr(text, ':') != NULL ? (const void *)&in6 : (const void *)&in;

	ck_assert_int_eq(inet_pton(address == &in ? AF_INET : AF_INET6, text, address == &in ? (void *)&in.sin_addr : (void *)&in6.sin6_addr),
			 1);
	ck_assert_msg(webhook_address_good(&outside, address) == address_rows[_i].good, "%s", text);
	ck_assert(webhook_address_good(&inside, address));
}
END_TEST

START_TEST(tokens_are_random_and_kept_as_hashes)
{
	char token[TOKEN_ROOM], hash[TOKEN_HASH_ROOM], again[TOKEN_HASH_ROOM], other[TOKEN_ROOM];

	token_new(token, hash);
	token_new(other, again);
	ck_assert_str_ne(token, other);
	ck_assert_int_eq(strncmp(token, "gba_", 4), 0);
	ck_assert_uint_eq(strlen(token), 4 + 43);
	ck_assert_uint_eq(strspn(token + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
	token_hash(bytes_of(token), again);
	ck_assert_str_eq(hash, again);
	token_hash(bytes_of("abc"), again); /* FIPS 180-4 */
	ck_assert_str_eq(again, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(every_operation_has_its_row)
{
	const struct route *routes = rest_routes_new(test_ctx, &api_setup), *row;
	struct route_call call;
	const char *allow, *fault;
	char *path;

	ck_assert_ptr_nonnull(routes);
	for (row = routes; row->method != NULL; row++) {
		path = talloc_strdup(test_ctx, row->path);
		if (strstr(path, "{id}") != NULL)
			memcpy(strstr(path, "{id}"), "1234", 4);
		ck_assert_err(route_find(test_ctx, routes, bytes_of(row->method), bytes_of(path), &call, &allow, &fault), GBA_OK);
		ck_assert_msg(call.route == row, "%s %s is hidden by another", row->method, row->path);
		ck_assert_ptr_nonnull(row->run);
		ck_assert_ptr_nonnull(row->statuses);
		ck_assert((row->flags & REST_OPEN) == 0 || row->roles == 0);
		ck_assert_msg((row->flags & REST_OPEN) != 0 || row->roles != 0 || row->run == api_invitation, "%s is for nobody", row->path);
	}
	talloc_free_children(test_ctx);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api");
	TCase *tc = fixture_tcase("api");

	tcase_add_test(tc, a_bucket_lets_the_burst_and_then_the_rate_pass);
	tcase_add_test(tc, many_names_do_not_free_one_that_is_at_it);
	tcase_add_test(tc, who_comes_newly_takes_the_place_of_one_that_is_full_again);
	tcase_add_loop_test(tc, webhooks_stay_outside, 0, ROWS(address_rows));
	tcase_add_test(tc, tokens_are_random_and_kept_as_hashes);
	tcase_add_test(tc, every_operation_has_its_row);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
