/* SPDX-License-Identifier: Apache-2.0 */
#include "common/fixture.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/codec.h"
#include "core/secret.h"

TALLOC_CTX *test_ctx;
static size_t blocks_before;

static void setup(void)
{
	secret_init();
	talloc_enable_null_tracking();
	blocks_before = talloc_total_blocks(NULL);
	test_ctx = talloc_named_const(NULL, 0, "test");
}

static void teardown(void)
{
	size_t left;

	talloc_free(test_ctx);
	test_ctx = NULL;
	left = talloc_total_blocks(NULL);
	talloc_disable_null_tracking();
	ck_assert_msg(left == blocks_before, "%zu talloc blocks leaked", left - blocks_before);
}

TCase *fixture_tcase(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	return tc;
}

int fixture_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

void fixture_folder_remove(const char *folder)
{
	struct dirent *entry;
	char path[512];
	DIR *dir = opendir(folder);

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		unlink(path);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(folder);
}

struct bytes fixture_hex(const char *hex)
{
	char *digits = talloc_array(test_ctx, char, strlen(hex) + 1);
	uint8_t *octets;
	size_t n = 0;

	for (; *hex != '\0'; hex++) {
		if (!isspace((unsigned char)*hex))
			digits[n++] = *hex;
	}
	octets = talloc_array(test_ctx, uint8_t, n / 2 + 1);
	ck_assert_err(hex_decode(BYTES(digits, n), octets, n / 2), GBA_OK);
	return BYTES(octets, n / 2);
}
