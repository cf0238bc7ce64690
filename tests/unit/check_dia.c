/* SPDX-License-Identifier: Apache-2.0 */
/* Requests in flight: exactly one call of done, whatever the framework does; what it holds is a number. Messages are
 * tested from outside, tests/system/dia/test_messages.py. */
#include <stdatomic.h>
#include <unistd.h>

#include "common/fixture.h"
#include "core/clock.h"
#include "dia/dia_pending.h"

#define MANY 5000

static _Atomic int told[MANY];
static _Atomic int outcome[GBA_ERR_COUNT];

static void on_done(void *arg, enum gba_err err, struct msg *answer)
{
	(void)answer;
	atomic_fetch_add(&told[(size_t)arg], 1);
	atomic_fetch_add(&outcome[err], 1);
}

static uint64_t enter(size_t n, unsigned int timeout_ms)
{
	uint64_t id = 0;

	ck_assert_err(dia_pending_add(timeout_ms, on_done, (void *)n, &id), GBA_OK);
	ck_assert(id != 0);
	return id;
}

static bool wait_told(size_t n, unsigned int ms)
{
	uint64_t until = clock_mono_ms() + ms;

	while (atomic_load(&told[n]) == 0 && clock_mono_ms() < until)
		usleep(1000);
	return atomic_load(&told[n]) > 0;
}

START_TEST(a_request_is_taken_once)
{
	dia_done done = NULL;
	void *arg = NULL;
	uint64_t id = enter(7, 60000);

	ck_assert(dia_pending_take(id, &done, &arg));
	ck_assert(done == on_done && arg == (void *)7);
	ck_assert(!dia_pending_take(id, &done, &arg)); /* a second answer */
	ck_assert(!dia_pending_take(0, &done, &arg));
	ck_assert(!dia_pending_take(UINT64_MAX, &done, &arg));
	ck_assert(!dia_pending_take(id + 1, &done, &arg));
	(void)enter(8, 60000); /* the same slot, another request */
	ck_assert(!dia_pending_take(id, &done, &arg));
	dia_pending_stop(GBA_E_UNREACHABLE);
	ck_assert_int_eq(told[7], 0);
	ck_assert_int_eq(told[8], 1);
}
END_TEST

static const unsigned int timeout_rows[] = { 0, 1, 9, 10, 11, 100, 250 };

START_TEST(deadlines_are_kept)
{
	uint64_t began = clock_mono_ms();
	unsigned int ms = timeout_rows[_i];

	(void)enter(0, ms);
	ck_assert(wait_told(0, 20000));
	ck_assert_uint_ge(clock_mono_ms() - began + 1, ms); /* never early; how late is the machine's matter */
	ck_assert_int_eq(outcome[GBA_E_TIMEOUT], 1);
	dia_pending_stop(GBA_E_UNREACHABLE);
	ck_assert_int_eq(told[0], 1);
}
END_TEST

START_TEST(thousands_are_told_once_each)
{
	dia_done done;
	uint64_t id;
	void *arg;
	size_t i;

	for (i = 0; i < MANY; i++) {
		id = enter(i, (unsigned int)(i * 7919 % 300));
		if (i % 3 == 0 && dia_pending_take(id, &done, &arg)) /* answered */
			done(arg, GBA_OK, NULL);
	}
	for (i = 0; i < MANY; i++)
		ck_assert_msg(wait_told(i, 20000), "%zu was told nothing", i);
	usleep(50000); /* for what is told twice */
	dia_pending_stop(GBA_E_UNREACHABLE);
	for (i = 0; i < MANY; i++)
		ck_assert_msg(told[i] == 1, "%zu was told %d times", i, told[i]);
	ck_assert_int_eq(outcome[GBA_OK] + outcome[GBA_E_TIMEOUT], MANY);
}
END_TEST

START_TEST(too_many_are_refused)
{
	uint64_t id;
	int i;

	for (i = 0; i < DIA_PENDING_MAX; i++)
		(void)enter((size_t)(i % MANY), 60000);
	ck_assert_err(dia_pending_add(60000, on_done, NULL, &id), GBA_E_BUSY);
	dia_pending_stop(GBA_E_UNREACHABLE);
	ck_assert_int_eq(outcome[GBA_E_UNREACHABLE], DIA_PENDING_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dia");
	TCase *tc = fixture_tcase("dia");

	tcase_add_test(tc, a_request_is_taken_once);
	tcase_add_loop_test(tc, deadlines_are_kept, 0, (int)(sizeof(timeout_rows) / sizeof(timeout_rows[0])));
	tcase_add_test(tc, thousands_are_told_once_each);
	tcase_add_test(tc, too_many_are_refused);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
