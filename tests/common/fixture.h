/* SPDX-License-Identifier: Apache-2.0 */
/** What every unit test stands on: a talloc context that must be empty again at the end, and a runner. */
#ifndef GBA_TESTS_FIXTURE_H
#define GBA_TESTS_FIXTURE_H

#include <check.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

/** Root for allocations of one test; made and checked by the fixture. */
extern TALLOC_CTX *test_ctx;

/** A test case whose setup makes test_ctx and whose teardown fails when a block is left below it that the test did not
 * free, or when anything was allocated beside it. */
TCase *fixture_tcase(const char *name);
/** Run one suite; CK_FORK=no is honoured. @return exit status for main */
int fixture_run(Suite *suite);
/** Remove a folder and the files in it. */
void fixture_folder_remove(const char *folder);
/** Hex text (blanks ignored) to octets below test_ctx; fails the test on bad text. */
struct bytes fixture_hex(const char *hex);

#define ck_assert_err(got, want)                                                                                       \
	do {                                                                                                           \
		enum gba_err err_ = (got), wanted_ = (want);                                                           \
		ck_assert_msg(err_ == wanted_, "%s: got %s, want %s", #got, gba_err_name(err_), gba_err_name(wanted_)); \
	} while (0)
#define ck_assert_bytes(got, want, name)                                                                               \
	do {                                                                                                           \
		struct bytes got_ = (got), want_ = (want);                                                             \
		ck_assert_msg(bytes_eq(got_, want_), "%s: octets differ (%zu, %zu)", name, got_.n, want_.n);           \
	} while (0)

#endif
