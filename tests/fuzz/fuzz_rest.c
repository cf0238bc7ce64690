/* SPDX-License-Identifier: Apache-2.0 */
/* A request of the REST API up to its handler: lines "method", "target", "Accept and Content-Type", then the body. What is
 * accepted holds no NUL or control octet, is bounded, and JSON reads the same after it was written. */
#include <stdlib.h>
#include <string.h>

#include "http/json.h"
#include "http/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct route rows[] = {
	{ .method = "GET", .path = "/v1/users", .query = "cursor limit fields" },
	{ .method = "PUT", .path = "/v1/users/{user}" },
	{ .method = "GET", .path = "/v1/permissions/{impi}/{application}" },
	{ .method = NULL },
};

static void check_text(const char *text)
{
	size_t i, n = strlen(text);

	if (n > ROUTE_VALUE_MAX)
		abort();
	for (i = 0; i < n; i++) {
		if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
			abort();
	}
}

static void check_route(TALLOC_CTX *ctx, struct bytes method, struct bytes target)
{
	const char *allow, *fault;
	struct route_call call;
	size_t i;

	if (route_find(ctx, rows, method, target, &call, &allow, &fault) != GBA_OK)
		return;
	for (i = 0; i < ROUTE_PARAMS_MAX && call.param[i] != NULL; i++)
		check_text(call.param[i]);
	for (i = 0; i < call.n_query; i++) {
		check_text(call.query[i].value);
		if (route_query_value(&call, call.query[i].name) != call.query[i].value)
			abort();
	}
}

static void check_json(struct bytes text)
{
	struct json_fault fault = { 0 };
	json_t *root, *again;
	char *written;

	if (json_read(text, &root, &fault) != GBA_OK) {
		if (fault.text[0] == '\0')
			abort();
		return;
	}
	written = json_dumps(root, JSON_COMPACT);
	if (written != NULL && strlen(written) <= JSON_TEXT_MAX) {
		if (json_read(bytes_of(written), &again, NULL) != GBA_OK || !json_equal(root, again))
			abort();
		json_decref(again);
	}
	free(written);
	json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = BYTES(data, size), method, target, type;
	TALLOC_CTX *ctx = talloc_new(NULL);

	if (bytes_split(rest, '\n', &method, &rest) && bytes_split(rest, '\n', &target, &rest) && bytes_split(rest, '\n', &type, &rest)) {
		check_route(ctx, method, target);
		accept_takes(type, "application/json");
		content_type_is(type, "application/json");
		check_json(rest);
	}
	talloc_free(ctx);
	return 0;
}
