/* SPDX-License-Identifier: Apache-2.0 */
/* What REST stands on: routes, media types, strict JSON, problems. Expectations are RFC 3986, 6901, 8259, 9110, 9457. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fixture.h"
#include "http/json.h"
#include "http/problem.h"
#include "http/route.h"
#include "http/server_priv.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

static const struct route rows[] = {
	{ .method = "GET", .path = "/v1/users", .query = "cursor limit", .id = "list" },
	{ .method = "POST", .path = "/v1/users", .id = "add" },
	{ .method = "GET", .path = "/v1/users/{user}", .id = "get" },
	{ .method = "PUT", .path = "/v1/users/{user}", .id = "put" },
	{ .method = "GET", .path = "/v1/permissions/{impi}/{app}", .id = "permission" },
	{ .method = "GET", .path = "/v1/users/self", .id = "never" }, /* behind {user} */
	{ .method = NULL },
};

static const struct {
	const char *method, *target;
	enum gba_err want;
	const char *id, *detail; /* GBA_OK: first parameter; 405: Allow; else the parameter at fault */
} route_rows[] = {
	{ "GET", "/v1/users", GBA_OK, "list", NULL },
	{ "HEAD", "/v1/users", GBA_OK, "list", NULL },
	{ "GET", "/v1/users?limit=5&cursor=", GBA_OK, "list", NULL },
	{ "GET", "/v1/users?limit=5&limit=6", GBA_E_SYNTAX, NULL, "limit" },
	{ "GET", "/v1/users?limits=5", GBA_E_SYNTAX, NULL, "limits" },
	{ "GET", "/v1/users?lim=5", GBA_E_SYNTAX, NULL, "lim" },
	{ "GET", "/v1/users?=5", GBA_E_SYNTAX, NULL, "" },
	{ "GET", "/v1/users?limit=%00", GBA_E_SYNTAX, NULL, "limit" },
	{ "GET", "/v1/users?%6cimit=%35", GBA_OK, "list", NULL },
	{ "GET", "/v1/users/", GBA_E_NOT_FOUND, NULL, NULL },
	{ "GET", "/v1//users", GBA_E_NOT_FOUND, NULL, NULL },
	{ "GET", "/v1/users/a%40b", GBA_OK, "get", "a@b" },
	{ "GET", "/v1/users/a%2fb", GBA_OK, "get", "a/b" },
	{ "GET", "/v1/users/a+b", GBA_OK, "get", "a+b" },
	{ "GET", "/v1/users/%", GBA_E_SYNTAX, NULL, NULL },
	{ "GET", "/v1/users/%4", GBA_E_SYNTAX, NULL, NULL },
	{ "GET", "/v1/users/%4g", GBA_E_SYNTAX, NULL, NULL },
	{ "GET", "/v1/users/%00", GBA_E_SYNTAX, NULL, NULL },
	{ "GET", "/v1/users/%0a", GBA_E_SYNTAX, NULL, NULL },
	{ "GET", "/v1/users/%7f", GBA_E_SYNTAX, NULL, NULL },
	{ "GET", "/v1/users/a?x=1", GBA_E_SYNTAX, NULL, "x" },
	{ "GET", "/v1/users/a/b", GBA_E_NOT_FOUND, NULL, NULL },
	{ "GET", "/v1/users/self", GBA_OK, "get", "self" },
	{ "GET", "/v1/permissions/i/a", GBA_OK, "permission", "i" },
	{ "GET", "/v1/permissions/i/", GBA_E_NOT_FOUND, NULL, NULL },
	{ "DELETE", "/v1/users", GBA_E_UNSUPPORTED, NULL, "GET, HEAD, POST" },
	{ "POST", "/v1/users/a", GBA_E_UNSUPPORTED, NULL, "GET, HEAD, PUT" },
	{ "get", "/v1/users", GBA_E_UNSUPPORTED, NULL, "GET, HEAD, POST" },
	{ "GET", "/v2/users", GBA_E_NOT_FOUND, NULL, NULL },
	{ "GET", "http://h/v1/users", GBA_OK, "list", NULL }, /* absolute-form (RFC 9112 3.2.2) */
	{ "GET", "HTTPS://[2001:db8::1]:8443/v1/users?limit=5", GBA_OK, "list", NULL },
	{ "GET", "https://h/v1/users/a%40b", GBA_OK, "get", "a@b" },
	{ "GET", "https://h/v1/users?x=http://h/v1/users", GBA_E_SYNTAX, NULL, "x" },
	{ "GET", "https://h", GBA_E_NOT_FOUND, NULL, NULL },
	{ "GET", "https://h?/v1/users", GBA_E_NOT_FOUND, NULL, NULL },
	{ "GET", "https:/v1/users", GBA_E_NOT_FOUND, NULL, NULL },
	{ "GET", "/https://h/v1/users", GBA_E_NOT_FOUND, NULL, NULL },
};

START_TEST(a_request_has_one_row)
{
	struct route_call call = { 0 };
	const char *allow, *fault;
	enum gba_err got = route_find(test_ctx, rows, bytes_of(route_rows[_i].method), bytes_of(route_rows[_i].target), &call, &allow,
				      &fault);
	const char *detail = got == GBA_OK ? call.param[0] : got == GBA_E_UNSUPPORTED ? allow : fault;

	ck_assert_msg(got == route_rows[_i].want, "%s: %s", route_rows[_i].target, gba_err_name(got));
	if (got == GBA_OK)
		ck_assert_str_eq(call.route->id, route_rows[_i].id);
	ck_assert_pstr_eq(detail, route_rows[_i].detail);
	talloc_free_children(test_ctx);
}
END_TEST

START_TEST(a_parameter_has_a_limit)
{
	char *fits = talloc_asprintf(test_ctx, "/v1/users/%0*d", ROUTE_VALUE_MAX, 7);
	char *beyond = talloc_asprintf(test_ctx, "/v1/users/%0*d", ROUTE_VALUE_MAX + 1, 7);
	const char *allow, *fault;
	struct route_call call;

	ck_assert_int_eq(route_find(test_ctx, rows, bytes_of("GET"), bytes_of(fits), &call, &allow, &fault), GBA_OK);
	ck_assert_int_eq(route_find(test_ctx, rows, bytes_of("GET"), bytes_of(beyond), &call, &allow, &fault), GBA_E_TOO_LONG);
	talloc_free_children(test_ctx);
}
END_TEST

static const struct {
	const char *accept;
	bool json, csv;
} accept_rows[] = {
	{ "", true, true },
	{ "*/*", true, true },
	{ "application/json", true, false },
	{ "Application/JSON", true, false },
	{ "text/*", false, true },
	{ "text/csv;q=0, */*", true, false },
	{ "application/*;q=0.5 , text/html", true, false },
	{ "*/*;q=0", false, false },
	{ "*/*;q=0.0, text/csv ; q=0.1", false, true },
	{ "application/json;charset=utf-8;q=0.000", false, false },
	{ "application/jsonx", false, false },
	{ "application", false, false },
};

START_TEST(accept_is_obeyed)
{
	ck_assert_int_eq(accept_takes(bytes_of(accept_rows[_i].accept), "application/json"), accept_rows[_i].json);
	ck_assert_int_eq(accept_takes(bytes_of(accept_rows[_i].accept), "text/csv"), accept_rows[_i].csv);
}
END_TEST

static const struct {
	const char *type;
	bool want;
} type_rows[] = {
	{ "application/json", true },		       { "APPLICATION/json ; charset=UTF-8", true },
	{ "application/json;charset=\"utf-8\"", true }, { "application/json; charset=latin1", false },
	{ "application/json; x=y", false },	       { "application/jsonp", false },
	{ "text/json", false },			       { "", false },
};

START_TEST(content_types)
{
	ck_assert_int_eq(content_type_is(bytes_of(type_rows[_i].type), "application/json"), type_rows[_i].want);
}
END_TEST

static const struct {
	const char *text;
	enum gba_err want;
	const char *why;
} json_rows[] = {
	{ "{}", GBA_OK, NULL },
	{ " [ ] \n", GBA_OK, NULL },
	{ "{\"a\":[1,2.5,-3e2,true,false,null,\"\\u00e9\"]}", GBA_OK, NULL },
	{ "", GBA_E_SYNTAX, "empty" },
	{ "1", GBA_E_SYNTAX, "neither an object nor an array" },
	{ "\"a\"", GBA_E_SYNTAX, "neither an object nor an array" },
	{ "null", GBA_E_SYNTAX, "neither an object nor an array" },
	{ "nul", GBA_E_SYNTAX, "not JSON" },
	{ "{\"a\":1,\"a\":2}", GBA_E_SYNTAX, "a member occurs twice" },
	{ "{\"a\":1,\"\\u0061\":2}", GBA_E_SYNTAX, "a member occurs twice" },
	{ "{\"a\":1} x", GBA_E_SYNTAX, "something follows the text" },
	{ "{\"a\":\"\\u0000\"}", GBA_E_SYNTAX, "NUL in a string" },
	{ "{\"a\":\"\xff\"}", GBA_E_SYNTAX, "not UTF-8" },
	{ "{\"a\":\"\xed\xa0\x80\"}", GBA_E_SYNTAX, "not UTF-8" },
	{ "{\"a\":01}", GBA_E_SYNTAX, "not JSON" },
	{ "{\"a\":NaN}", GBA_E_SYNTAX, "not JSON" },
	{ "{\"a\":99999999999999999999}", GBA_E_SYNTAX, "number out of range" },
	{ "{\"a\":1,}", GBA_E_SYNTAX, "not JSON" },
	{ "{'a':1}", GBA_E_SYNTAX, "not JSON" },
	{ "{\"a\":1", GBA_E_SYNTAX, "ends too early" },
	{ "{\"a\":\"x\ny\"}", GBA_E_SYNTAX, "not JSON" },
	{ "\xef\xbb\xbf{}", GBA_E_SYNTAX, "not JSON" },
	{ "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", GBA_OK, NULL },
	{ "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", GBA_E_TOO_LONG, "nested too deeply" },
	{ "[\"[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\"]", GBA_OK, NULL },
};

START_TEST(json_is_read_strictly)
{
	struct json_fault fault = { 0 };
	json_t *root = NULL;
	enum gba_err got = json_read(bytes_of(json_rows[_i].text), &root, &fault);

	ck_assert_msg(got == json_rows[_i].want, "%s: %s", json_rows[_i].text, fault.text);
	ck_assert_int_eq(root != NULL, got == GBA_OK);
	if (got != GBA_OK)
		ck_assert_str_eq(fault.text, json_rows[_i].why);
	json_decref(root);
}
END_TEST

START_TEST(json_says_where)
{
	struct json_fault fault = { 0 };
	json_t *root = NULL;

	ck_assert_int_eq(json_read(bytes_of("{\n\n  \"a\": tru\n}"), &root, &fault), GBA_E_SYNTAX);
	ck_assert_int_eq(fault.line, 3);
	ck_assert_int_eq(json_read(bytes_of("{\"secret\": hunter2}"), &root, &fault), GBA_E_SYNTAX);
	ck_assert_ptr_null(strstr(fault.text, "hunter2"));
}
END_TEST

START_TEST(pointers_are_escaped)
{
	char pointer[24] = "", tiny[6] = "";

	json_pointer_add(pointer, sizeof(pointer), "a/b");
	json_pointer_index(pointer, sizeof(pointer), 12);
	json_pointer_add(pointer, sizeof(pointer), "m~n");
	ck_assert_str_eq(pointer, "/a~1b/12/m~0n"); /* RFC 6901 section 5 */
	json_pointer_add(tiny, sizeof(tiny), "abcdefgh");
	ck_assert_uint_lt(strlen(tiny), sizeof(tiny));
	json_pointer_add(tiny, sizeof(tiny), "x");
	json_pointer_index(tiny, sizeof(tiny), 1000);
	ck_assert_uint_lt(strlen(tiny), sizeof(tiny));
}
END_TEST

START_TEST(problems_have_the_members_of_rfc_9457)
{
	struct problem *p = problem_detail(problem_new(test_ctx, PROBLEM_FIELDS), "%d wrong", 1);
	json_t *root, *error;
	int i;

	problem_field(p, "/imei", "its check digit is %d", 7);
	root = problem_json(p, "0a1b");
	ck_assert_str_eq(json_string_value(json_object_get(root, "type")), "/problems#fields");
	ck_assert_int_eq(json_integer_value(json_object_get(root, "status")), 422);
	ck_assert_str_eq(json_string_value(json_object_get(root, "instance")), "0a1b");
	ck_assert_str_eq(json_string_value(json_object_get(root, "detail")), "1 wrong");
	error = json_array_get(json_object_get(root, "errors"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(error, "pointer")), "/imei");
	ck_assert_str_eq(json_string_value(json_object_get(error, "detail")), "its check digit is 7");
	json_decref(root);
	for (i = 0; i < 2 * PROBLEM_FIELDS_MAX; i++)
		problem_field(p, "/x", "again");
	ck_assert_uint_eq(problem_fields(p), PROBLEM_FIELDS_MAX);
	for (i = 0; i < GBA_ERR_COUNT; i++)
		ck_assert_uint_ge(problem_status(problem_of((enum gba_err)i)), 400);
	talloc_free(p);
}
END_TEST

/* What a server that was killed has left behind goes; what is no socket stays: a mistyped path must not cost a file. */
START_TEST(a_path_in_use)
{
	char folder[] = "/tmp/check-http-XXXXXX", address[64];
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	bool is_socket = _i == 0, ipv6;
	const char *why = NULL;
	unsigned int port;
	struct stat st;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/door", folder);
	snprintf(address, sizeof(address), "unix:%s/door", folder);
	if (is_socket) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
		close(fd);
	} else {
		ck_assert_int_eq(mknod(sun.sun_path, S_IFREG | 0600, 0), 0);
	}
	fd = http_listen(test_ctx, address, &port, &ipv6, &why);
	ck_assert_int_eq(fd >= 0, is_socket);
	ck_assert_int_eq(lstat(sun.sun_path, &st), 0);
	ck_assert_int_eq(S_ISSOCK(st.st_mode), is_socket);
	if (is_socket)
		close(fd);
	else
		ck_assert_ptr_nonnull(strstr(why, "in use"));
	talloc_free((void *)(uintptr_t)why);
	unlink(sun.sun_path);
	rmdir(folder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http-api");
	TCase *tc = fixture_tcase("http-api");

	tcase_add_loop_test(tc, a_request_has_one_row, 0, ROWS(route_rows));
	tcase_add_test(tc, a_parameter_has_a_limit);
	tcase_add_loop_test(tc, accept_is_obeyed, 0, ROWS(accept_rows));
	tcase_add_loop_test(tc, content_types, 0, ROWS(type_rows));
	tcase_add_loop_test(tc, json_is_read_strictly, 0, ROWS(json_rows));
	tcase_add_test(tc, json_says_where);
	tcase_add_test(tc, pointers_are_escaped);
	tcase_add_test(tc, problems_have_the_members_of_rfc_9457);
	tcase_add_loop_test(tc, a_path_in_use, 0, 2);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
