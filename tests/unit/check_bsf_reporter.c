/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of tokens: an HSS that is away keeps nobody else waiting and misses nothing, one that refuses is not asked for ever. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "bsf/reporter.h"
#include "core/clock.h"
#include "core/metrics.h"
#include "common/fixture.h"

#define PATIENCE_MS 30000
#define LINES	    512

static struct bsf_hss rows[] = { { .impi_realm = "away.test", .realm = "away.test" }, { .impi_realm = "there.test", .realm = "there.test" } };
static const struct bsf_conf conf = { .hss = { rows, 2 } };

/* What both HSSs have been told, and what the first says. */
static struct {
	pthread_mutex_t lock;
	enum gba_err at_once, then;
	unsigned int tries;
	char told[2][LINES][16]; /* users */
	size_t n[2];
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static enum gba_err fake_send(void *arg, const struct bsf_hss *row, struct bytes *entries, size_t n, report_done done, void *done_arg)
{
	size_t which = (size_t)(row - rows), i;
	enum gba_err at_once, then = GBA_OK;
	struct token_entry entry;

	(void)arg;
	pthread_mutex_lock(&fake.lock);
	at_once = which == 0 ? fake.at_once : GBA_OK;
	then = which == 0 ? fake.then : GBA_OK;
	fake.tries += which == 0;
	for (i = 0; at_once == GBA_OK && then == GBA_OK && i < n; i++) {
		ck_assert_int_eq(token_entry_parse(entries[i], &entry), GBA_OK);
		snprintf(fake.told[which][fake.n[which]++], sizeof(fake.told[0][0]), "%.*s", BYTES_FMT(entry.user));
	}
	pthread_mutex_unlock(&fake.lock);
	if (at_once == GBA_OK)
		done(done_arg, then);
	return at_once;
}

static void fake_says(enum gba_err at_once, enum gba_err then)
{
	pthread_mutex_lock(&fake.lock);
	fake.at_once = at_once;
	fake.then = then;
	fake.tries = 0;
	pthread_mutex_unlock(&fake.lock);
}

static bool reaches(const size_t *value, size_t wanted)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;
	size_t now;

	do {
		pthread_mutex_lock(&fake.lock);
		now = *value;
		pthread_mutex_unlock(&fake.lock);
		usleep(10000);
	} while (now < wanted && clock_mono_ms() < until);
	return now == wanted;
}

static unsigned int tries(void)
{
	unsigned int n;

	pthread_mutex_lock(&fake.lock);
	n = fake.tries;
	pthread_mutex_unlock(&fake.lock);
	return n;
}

static void say(struct reporter *reporter, unsigned int number, const char *realm)
{
	char impi[32], btid[32];

	snprintf(impi, sizeof(impi), "%03u@%s", number, realm);
	snprintf(btid, sizeof(btid), "token%u@bsf.test", number);
	reporter_add(reporter, &(struct report){ bytes_of(btid), bytes_of(impi), BYTES_NONE, 1000 + number, 2000 });
}

static void in_order(size_t which, const char *realm)
{
	char want[32];
	size_t i;

	for (i = 0; i < fake.n[which]; i++) {
		snprintf(want, sizeof(want), "%03zu@%s", i, realm);
		ck_assert_str_eq(fake.told[which][i], want);
	}
}

static struct reporter *begin(enum gba_err at_once, enum gba_err then)
{
	static const struct report_port port = { .send = fake_send };
	struct reporter *reporter = NULL;

	fake_says(at_once, then);
	fake.n[0] = fake.n[1] = 0;
	ck_assert_int_eq(reporter_new(NULL, &conf, &port, &reporter), GBA_OK);
	return reporter;
}

static void end(struct reporter *reporter)
{
	reporter_stop(reporter);
	reporter_free(reporter);
}

static const enum gba_err away[][2] = { { GBA_E_UNREACHABLE, GBA_OK }, { GBA_OK, GBA_E_BUSY } };

START_TEST(who_is_away_keeps_nobody_waiting)
{
	uint64_t began_ms = clock_mono_ms();
	struct reporter *reporter = begin(away[_i][0], away[_i][1]);
	unsigned int i;

	for (i = 0; i < 200; i++) {
		say(reporter, i, "away.test");
		say(reporter, i, "there.test");
	}
	ck_assert(reaches(&fake.n[1], 200));
	ck_assert_uint_eq(fake.n[0], 0);
	i = tries();
	ck_assert_uint_le(i, 1 + (clock_mono_ms() - began_ms) / 1000); /* with a pause before the next */
	fake_says(GBA_OK, GBA_OK);
	ck_assert(reaches(&fake.n[0], 200));
	in_order(0, "away.test");
	in_order(1, "there.test");
	end(reporter);
}
END_TEST

START_TEST(what_is_refused_is_lost_and_counted)
{
	struct metric *lost = metric_get("gba_bsf_token_reports_total", "Tokens reported to HSSs", METRIC_COUNTER, "result=\"lost\"");
	int64_t before = metric_value(lost);
	struct reporter *reporter = begin(GBA_OK, GBA_E_PEER);
	uint64_t until = clock_mono_ms() + PATIENCE_MS;

	say(reporter, 0, "away.test");
	while (metric_value(lost) == before && clock_mono_ms() < until)
		usleep(10000);
	ck_assert_int_eq(metric_value(lost), before + 1);
	fake_says(GBA_OK, GBA_OK);
	say(reporter, 0, "away.test");
	ck_assert(reaches(&fake.n[0], 1));
	end(reporter);
}
END_TEST

START_TEST(at_the_end_it_is_tried_once_more)
{
	struct reporter *reporter = begin(GBA_OK, GBA_OK);

	say(reporter, 0, "away.test");
	say(reporter, 1, "elsewhere.test"); /* nobody's */
	end(reporter);
	ck_assert_uint_eq(fake.n[0] + fake.n[1], 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bsf_reporter");
	TCase *tc = fixture_tcase("reports");

	tcase_add_loop_test(tc, who_is_away_keeps_nobody_waiting, 0, (int)(sizeof(away) / sizeof(away[0])));
	tcase_add_test(tc, what_is_refused_is_lost_and_counted);
	tcase_add_test(tc, at_the_end_it_is_tried_once_more);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
