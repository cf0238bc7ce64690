/* SPDX-License-Identifier: Apache-2.0 */
/** JSON in the text of a test. */
#ifndef GBA_TESTS_JSON_FIXTURE_H
#define GBA_TESTS_JSON_FIXTURE_H

#include <jansson.h>

#include "common/fixture.h"

/** "{'a':1}" with single quotes for double ones; fails the test on bad text. To be json_decref()ed. */
static inline json_t *fixture_json(TALLOC_CTX *ctx, const char *text)
{
	char *copy = talloc_strdup(ctx, text), *at;
	json_error_t error;
	json_t *json;

	for (at = copy; *at != '\0'; at++)
		*at = *at == '\'' ? '"' : *at;
	json = json_loads(copy, 0, &error);
	ck_assert_msg(json != NULL, "%s: %s", text, error.text);
	return json;
}

#endif
