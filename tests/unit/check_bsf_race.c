/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads at once, for ThreadSanitizer and for the promise that a challenge has one winner (T35); and what clocks read
 * before a lock may show. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bsf/ctx_lmdb.h"
#include "bsf/guss_cache.h"
#include "bsf/run.h"
#include "common/fixture.h"
#include "core/secret.h"

#define THREADS 4
#define ROUNDS	400
#define IMPI	"001010000000001@ims.example"

static struct runs *runs;
static pthread_barrier_t barrier;
static atomic_uint proved, asked, waiter_n;
static struct run_waiter waiters[THREADS * ROUNDS]; /* one belongs to the table until it is settled */
static struct challenge shown;

static void answer_hss(void)
{
	struct challenge challenge = { .algorithm = DIGEST_AKAV1_MD5, .guss = guss_kept_none() };
	struct challenge_secret secret = { .password = "RES", .password_n = 3 };

	challenge.rand[0] = (uint8_t)atomic_fetch_add(&asked, 1);
	snprintf(challenge.nonce, sizeof(challenge.nonce), "nonce%u", atomic_load(&asked));
	shown = challenge;
	run_settle(runs, bytes_of(IMPI), GBA_OK, &challenge, &secret, 1000);
}

static enum run_verdict answer_once(const char *opaque)
{
	struct run_leg leg = { .impi = bytes_of(IMPI), .username = bytes_of(IMPI), .source = bytes_of("192.0.2.1"), .now_ms = 1000 };
	struct digest_calc calc = { .algorithm = DIGEST_AKAV1_MD5, .qop = DIGEST_QOP_AUTH_INT, .username = leg.username,
				    .realm = bytes_of("bsf"), .password = bytes_of("RES"), .nonce = bytes_of(shown.nonce),
				    .cnonce = bytes_of("c"), .nc_text = bytes_of("00000001"), .method = bytes_of("GET"),
				    .uri = bytes_of("/"), .body = BYTES("", 0) };
	struct digest_auth auth = { .nonce = bytes_of(shown.nonce), .opaque = bytes_of(opaque), .nc = 1 };
	char response[DIGEST_HEX_MAX + 1];
	struct run_waiter *waiter = &waiters[atomic_fetch_add(&waiter_n, 1)];
	struct run_outcome outcome;

	digest_response(&calc, response);
	auth.response = bytes_of(response);
	run_answer(runs, &leg, &auth, &calc, waiter, &outcome);
	if (outcome.verdict == RUN_PROVED)
		guss_kept_unref(outcome.challenge.guss);
	if (outcome.verdict == RUN_ASK)
		run_settle(runs, bytes_of(IMPI), GBA_E_UNREACHABLE, NULL, NULL, 1000);
	return outcome.verdict;
}

static void *contender(void *arg)
{
	char opaque[RUN_OPAQUE_CHARS + 1];
	int i;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&barrier); /* the challenge is there */
		run_opaque(runs, &shown, bytes_of(IMPI), opaque);
		pthread_barrier_wait(&barrier);
		if (answer_once(opaque) == RUN_PROVED)
			atomic_fetch_add(&proved, 1);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

START_TEST(one_of_many_wins)
{
	struct run_conf conf = { .max = 64, .per_source = 64, .life_ms = 30000, .ask_ms = 0, .wrong_limit = 100, .wrong_hold_ms = 1,
				 .resync_rounds = 1 };
	struct run_leg leg = { .impi = bytes_of(IMPI), .username = bytes_of(IMPI), .source = bytes_of("192.0.2.9"), .now_ms = 1000 };
	struct run_outcome outcome;
	pthread_t threads[THREADS];
	int i;

	runs = runs_new(test_ctx, &conf);
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, contender, NULL);
	for (i = 0; i < ROUNDS; i++) {
		struct run_waiter waiter;

		run_first(runs, &leg, &waiter, &outcome);
		ck_assert_int_eq(outcome.verdict, RUN_ASK);
		answer_hss();
		atomic_store(&proved, 0);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		ck_assert_uint_eq(atomic_load(&proved), 1);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	talloc_free(runs);
}
END_TEST

/* ---- clocks read before a lock ---- */

#define NOW	30000
#define EARLIER (NOW - 1)

static struct run_outcome leg_at(uint64_t now_ms, const char *response)
{
	static struct run_waiter waiter;
	struct run_leg leg = { .impi = bytes_of(IMPI), .username = bytes_of(IMPI), .source = bytes_of("192.0.2.1"), .now_ms = now_ms };
	struct digest_auth auth = { .nonce = bytes_of(shown.nonce), .response = bytes_of(response), .nc = 1 };
	struct digest_calc calc = { .qop = DIGEST_QOP_AUTH_INT, .username = leg.username, .realm = bytes_of("bsf"),
				    .nonce = auth.nonce, .cnonce = bytes_of("c"), .nc_text = bytes_of("00000001"),
				    .method = bytes_of("GET"), .uri = bytes_of("/"), .body = BYTES("", 0) };
	struct run_outcome outcome;

	if (response[0] == '\0')
		run_first(runs, &leg, &waiter, &outcome);
	else
		run_answer(runs, &leg, &auth, &calc, &waiter, &outcome);
	return outcome;
}

static void challenge_at(uint64_t now_ms)
{
	struct challenge challenge = { .algorithm = DIGEST_AKAV1_MD5, .guss = guss_kept_none() };
	struct challenge_secret secret = { .password = "RES", .password_n = 3 };

	snprintf(challenge.nonce, sizeof(challenge.nonce), "nonce%u", atomic_fetch_add(&asked, 1));
	shown = challenge;
	run_settle(runs, bytes_of(IMPI), GBA_OK, &challenge, &secret, now_ms);
}

static void runs_for(uint32_t wrong_limit)
{
	struct run_conf conf = { .max = 64, .per_source = 64, .life_ms = 20000, .ask_ms = 5000, .wrong_limit = wrong_limit,
				 .wrong_hold_ms = 1000, .resync_rounds = 1 };

	runs = runs_new(test_ctx, &conf);
	ck_assert_int_eq(leg_at(NOW, "").verdict, RUN_ASK);
}

/* A sweep takes its time once and a while to get to the last shard: what was made meanwhile is not old. */
START_TEST(sweep_leaves_what_came_after_its_clock)
{
	runs_for(3);
	challenge_at(NOW);
	ck_assert_uint_eq(runs_sweep(runs, EARLIER), 1);
	ck_assert_int_eq(leg_at(NOW, "").verdict, RUN_CHALLENGE);
	talloc_free(runs);
}
END_TEST

/* A leg that had to wait for the lock meets a challenge younger than its own time. */
START_TEST(leg_behind_gets_the_challenge)
{
	runs_for(3);
	challenge_at(NOW);
	ck_assert_int_eq(leg_at(EARLIER, "").verdict, RUN_CHALLENGE);
	talloc_free(runs);
}
END_TEST

/* Guesses sent at the same moment count on, in whatever order they get the lock. */
START_TEST(guess_behind_counts_on)
{
	runs_for(3);
	challenge_at(NOW);
	ck_assert_int_eq(leg_at(NOW, "00000000000000000000000000000000").verdict, RUN_ASK);
	challenge_at(NOW);
	ck_assert_int_eq(leg_at(NOW, "00000000000000000000000000000000").verdict, RUN_ASK);
	challenge_at(EARLIER);
	ck_assert_int_eq(leg_at(EARLIER, "00000000000000000000000000000000").verdict, RUN_REFUSED);
	talloc_free(runs);
}
END_TEST

/* ---- the store ---- */

static struct ctx_store *store;
static atomic_uint stored, lost;

static struct ctx context(uint32_t n)
{
	struct ctx ctx = { .created = time(NULL), .expires = time(NULL) + 1000, .impi = bytes_of(IMPI), .uss = BYTES("", 0) };

	memcpy(ctx.rand, &n, sizeof(n));
	memset(ctx.ks, (int)(n & 255), sizeof(ctx.ks));
	return ctx;
}

/* What has been acknowledged is found at once, by whoever asks. */
static void on_stored(void *arg, enum gba_err err)
{
	struct ctx want = context((uint32_t)(uintptr_t)arg), *found;
	TALLOC_CTX *mem_ctx = talloc_new(NULL);

	if (err != GBA_OK || store->ops->find(store, mem_ctx, want.rand, time(NULL), &found) != GBA_OK ||
	    memcmp(found->ks, want.ks, sizeof(want.ks)) != 0)
		atomic_fetch_add(&lost, 1);
	talloc_free(mem_ctx);
	atomic_fetch_add(&stored, 1);
}

static void *putter(void *arg)
{
	uint32_t first = (uint32_t)(uintptr_t)arg, n;
	TALLOC_CTX *mem_ctx = talloc_new(NULL);

	for (n = first; n < first + ROUNDS; n++) {
		struct ctx ctx = context(n);

		while (store->ops->put(store, mem_ctx, &ctx, on_stored, (void *)(uintptr_t)n) != GBA_OK)
			usleep(100);
	}
	return mem_ctx; /* the store reads it until the last is done */
}

START_TEST(stored_is_found)
{
	char dir[64] = "/tmp/check_bsf_race.XXXXXX", kek_path[96], path[96];
	struct ctx_lmdb_conf conf = { .dir = dir, .max_mb = 64, .sync = _i == 0 ? CTX_SYNC_FULL : CTX_SYNC_PROCESS, .purge_ms = 5 };
	pthread_t threads[THREADS];
	void *left[THREADS];
	const char *error;
	uintptr_t i;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(kek_path, sizeof(kek_path), "%s.kek", dir);
	ck_assert_err(kek_open(test_ctx, kek_path, true, &conf.kek), GBA_OK);
	ck_assert_err(ctx_lmdb_open(test_ctx, &conf, &store, &error), GBA_OK);
	atomic_store(&stored, 0);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, putter, (void *)(i * ROUNDS + 1));
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], &left[i]);
	while (atomic_load(&stored) < THREADS * ROUNDS)
		usleep(1000);
	ck_assert_uint_eq(atomic_load(&lost), 0);
	ck_assert_uint_eq(store->ops->count(store), THREADS * ROUNDS);
	store->ops->close(store);
	talloc_free(conf.kek);
	for (i = 0; i < THREADS; i++)
		talloc_free(left[i]);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	unlink(path);
	rmdir(dir);
	unlink(kek_path);
}
END_TEST

/* ---- the cache ---- */

static struct guss_cache *cache;

static void *cacher(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg, i;
	char impi[64];

	for (i = 0; i < ROUNDS * 10; i++) {
		struct guss_kept *kept;

		seed = seed * 1103515245 + 12345;
		snprintf(impi, sizeof(impi), "%u@ims.example", seed >> 16 & 63);
		kept = guss_cache_get(cache, bytes_of(impi));
		if (kept == NULL) {
			kept = guss_kept_none();
			kept->life_time = seed >> 16 & 63;
			guss_cache_put(cache, bytes_of(impi), kept);
		}
		if (kept->life_time != (seed >> 16 & 63))
			atomic_fetch_add(&lost, 1);
		guss_kept_unref(kept);
	}
	return NULL;
}

START_TEST(cache_keeps_to_the_user)
{
	pthread_t threads[THREADS];
	uintptr_t i;

	atomic_store(&lost, 0);
	cache = guss_cache_new(test_ctx, 32);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, cacher, (void *)(i + 1));
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(atomic_load(&lost), 0);
	talloc_free(cache);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bsf_race");
	TCase *tc = tcase_create("race"); /* without the fixture's count of talloc blocks, which has no lock */

	secret_init();
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, one_of_many_wins);
	tcase_add_test(tc, sweep_leaves_what_came_after_its_clock);
	tcase_add_test(tc, leg_behind_gets_the_challenge);
	tcase_add_test(tc, guess_behind_counts_on);
	tcase_add_loop_test(tc, stored_is_found, 0, 2);
	tcase_add_test(tc, cache_keeps_to_the_user);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
