/* SPDX-License-Identifier: Apache-2.0 */
/* gba_fdtune.so as the dynamic linker sees it: this program runs itself again with and without the library preloaded. Both
 * must do what libfdproto.h promises; ours has more room. */
#include <check.h>
#include <dlfcn.h>
#include <freeDiameter/extension.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a queue made with this limit holds, by exit status: limit / 10. */
static int limit_of(const char *asked)
{
	struct fifo *queue = NULL;
	int limit = -1;

	if (fd_libproto_init() != 0 || fd_fifo_new(&queue, atoi(asked)) != 0 ||
	    fd_fifo_getstats(queue, NULL, &limit, NULL, NULL, NULL, NULL, NULL) != 0)
		return 255;
	return limit / 10;
}

/* ---- what any queue must do: the number of the line that is wrong, 0: none ---- */

#define NEED(what)                                                                                                     \
	do {                                                                                                           \
		if (!(what))                                                                                           \
			return __LINE__;                                                                               \
	} while (0)

#define POSTERS	 4
#define GETTERS	 3
#define ITEMS	 20000 /* of each poster */
#define CANCELS	 200

static struct fifo *queue;
static atomic_uint seen[POSTERS * ITEMS + 1], taken;
static atomic_bool over;

static struct timespec in_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

static void *post_all(void *first)
{
	uintptr_t i;

	for (i = 0; i < ITEMS; i++) {
		void *item = (void *)((uintptr_t)first + i);

		if (fd_fifo_post(queue, &item) != 0 || item != NULL)
			abort();
	}
	return NULL;
}

/* By each of the three ways to take something. */
static void *get_all(void *way)
{
	struct timespec soon;
	void *item;
	int rc;

	while (!over) {
		item = NULL;
		soon = in_ms(20);
		rc = (uintptr_t)way == 0 ? fd_fifo_get(queue, &item) :
		     (uintptr_t)way == 1 ? fd_fifo_timedget(queue, &item, &soon) : fd_fifo_select(queue, &soon);
		if ((uintptr_t)way == 2 && rc > 0)
			rc = fd_fifo_tryget(queue, &item);
		if (item == NULL && rc != 0 && rc != ETIMEDOUT && rc != EWOULDBLOCK)
			abort();
		if (item != NULL) {
			atomic_fetch_add(&seen[(uintptr_t)item], 1);
			atomic_fetch_add(&taken, 1);
		}
	}
	return NULL;
}

static void *get_one(void *arg)
{
	void *item = NULL;
	int state;

	(void)arg;
	if (fd_fifo_get(queue, &item) == 0) {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		atomic_fetch_add(&seen[(uintptr_t)item], 1);
		atomic_fetch_add(&taken, 1);
	}
	return NULL;
}

/* Threads that are cancelled where they wait, as freeDiameter does it, take nothing with them. */
static int cancel_some(void)
{
	pthread_t thread;
	int i;

	for (i = 0; i < CANCELS; i++) {
		NEED(pthread_create(&thread, NULL, get_one, NULL) == 0);
		if (i % 2 == 0)
			sched_yield();
		else
			usleep(100);
		pthread_cancel(thread);
		pthread_join(thread, NULL);
	}
	return 0;
}

static int crowd(void)
{
	pthread_t posters[POSTERS], getters[GETTERS];
	uintptr_t i;
	int rc, tries;

	NEED(fd_fifo_new(&queue, 20) == 0 && queue != NULL);
	for (i = 0; i < GETTERS; i++)
		NEED(pthread_create(&getters[i], NULL, get_all, (void *)i) == 0);
	for (i = 0; i < POSTERS; i++)
		NEED(pthread_create(&posters[i], NULL, post_all, (void *)(1 + i * ITEMS)) == 0);
	rc = cancel_some();
	for (i = 0; i < POSTERS; i++)
		pthread_join(posters[i], NULL);
	for (tries = 0; tries < 30000 && atomic_load(&taken) < POSTERS * ITEMS; tries++)
		usleep(1000);
	for (i = 1; i <= POSTERS * ITEMS; i++)
		NEED(atomic_load(&seen[i]) == 1);
	over = true;
	pthread_cancel(getters[0]); /* the one that waits for ever */
	for (i = 0; i < GETTERS; i++)
		pthread_join(getters[i], NULL);
	NEED(fd_fifo_del(&queue) == 0 && queue == NULL);
	return rc;
}

static int order(void)
{
	struct fifo *other = NULL, *place = NULL;
	struct timespec soon = in_ms(5);
	uintptr_t i, next = 1;
	void *item;
	int count;

	NEED(fd_fifo_new(&queue, 0) == 0 && fd_fifo_new(&other, 0) == 0);
	NEED(fd_fifo_tryget(queue, &item) == EWOULDBLOCK);
	NEED(fd_fifo_timedget(queue, &item, &soon) == ETIMEDOUT);
	NEED(fd_fifo_select(queue, NULL) == 0 && fd_fifo_select(queue, &soon) == 0);
	for (i = 1; i <= 1000; i++) {
		item = (void *)i;
		NEED((i % 2 ? fd_fifo_post_noblock(queue, &item) : fd_fifo_post(queue, &item)) == 0);
		if (i % 3 == 0) /* taken while more come: the ring goes round */
			NEED(fd_fifo_get(queue, &item) == 0 && (uintptr_t)item == next++);
	}
	NEED(fd_fifo_del(&queue) == EINVAL); /* not empty */
	NEED(fd_fifo_move(queue, other, &place) == 0 && place == other && fd_fifo_length(queue) == 0);
	NEED(fd_fifo_getstats(other, &count, NULL, NULL, NULL, NULL, NULL, NULL) == 0 && count == fd_fifo_length(other));
	while (fd_fifo_tryget(other, &item) == 0)
		NEED((uintptr_t)item == next++);
	NEED(next == 1001);
	return fd_fifo_del(&queue) == 0 && fd_fifo_del(&other) == 0 ? 0 : __LINE__;
}

/* ---- items that are passed on from queue to queue, as messages are from thread to thread ---- */

#define HOPS	 3
#define PASSED	 20000
#define LAST_ONE ((void *)(uintptr_t)(PASSED + 1))

static struct fifo *hops[HOPS + 1];

/* Pass on all; @param arg  from which queue */
static void *pass_all(void *arg)
{
	struct fifo *const *from = &hops[(uintptr_t)arg];
	void *item = NULL, *last = NULL;

	while (last != LAST_ONE) {
		if (fd_fifo_get(from[0], &item) != 0)
			abort();
		last = item;
		if (fd_fifo_post(from[1], &item) != 0)
			abort();
	}
	return NULL;
}

/* Pass one on and end, whatever else there is. */
static void *pass_one(void *unused)
{
	void *item = NULL;

	(void)unused;
	return fd_fifo_get(hops[0], &item) == 0 && fd_fifo_post(hops[1], &item) == 0 ? NULL : hops[0];
}

static int pass(void)
{
	pthread_t threads[HOPS];
	uintptr_t i, next;
	void *item;

	for (i = 0; i <= HOPS; i++)
		NEED(fd_fifo_new(&hops[i], 20) == 0);
	for (i = 0; i < HOPS; i++)
		NEED(pthread_create(&threads[i], NULL, pass_all, (void *)i) == 0);
	for (i = 1, next = 1; next <= PASSED + 1; next++) {
		for (; i <= PASSED + 1 && i < next + 20; i++) { /* a window of them, as of requests in flight */
			item = (void *)i;
			NEED(fd_fifo_post(hops[0], &item) == 0);
		}
		NEED(fd_fifo_get(hops[HOPS], &item) == 0 && (uintptr_t)item == next);
	}
	for (i = 0; i < HOPS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i <= HOPS; i++)
		NEED(fd_fifo_del(&hops[i]) == 0);
	return 0;
}

static int pass_and_end(void)
{
	pthread_t waits, passes;
	uintptr_t i;
	void *item, *rc;

	atomic_store(&taken, 0);
	NEED(fd_fifo_new(&hops[0], 20) == 0 && fd_fifo_new(&hops[1], 20) == 0);
	queue = hops[1];
	for (i = 1; i <= 5; i++) {
		item = (void *)i;
		NEED(fd_fifo_post(hops[0], &item) == 0);
	}
	NEED(pthread_create(&waits, NULL, get_one, NULL) == 0);
	usleep(10000); /* it waits now, most likely */
	NEED(pthread_create(&passes, NULL, pass_one, NULL) == 0);
	pthread_join(passes, &rc);
	pthread_join(waits, NULL);
	NEED(rc == NULL && atomic_load(&taken) == 1);
	while (fd_fifo_tryget(hops[0], &item) == 0)
		;
	return fd_fifo_del(&hops[0]) == 0 && fd_fifo_del(&hops[1]) == 0 ? 0 : __LINE__;
}

static int highs, lows;

static void on_high(struct fifo *q, void **data)
{
	(void)q, (void)data;
	highs++;
}

static void on_low(struct fifo *q, void **data)
{
	(void)q, (void)data;
	lows++;
}

static int levels(void)
{
	uintptr_t i;
	void *item;

	NEED(fd_fifo_new(&queue, 0) == 0 && fd_fifo_setthrhd(queue, NULL, 10, on_high, 5, on_low) == 0);
	for (i = 1; i <= 25; i++) {
		item = (void *)i;
		NEED(fd_fifo_post(queue, &item) == 0 && highs == (int)(i / 10));
	}
	while (fd_fifo_tryget(queue, &item) == 0)
		;
	NEED(highs == 2 && lows == 2);
	return fd_fifo_del(&queue) == 0 ? 0 : __LINE__;
}

/* ---- what ours must do besides: nothing hangs on one wake-up, nobody is left behind in a queue that ends ---- */

static atomic_bool lossy, held, inside, ended, left_behind;

/* Both stand before the C library's, for the preloaded queues, too. */
#define EXPORT __attribute__((visibility("default")))

EXPORT int pthread_cond_signal(pthread_cond_t *cond)
{
	static _Atomic(void *) found;
	void *symbol = atomic_load(&found);
	int (*real)(pthread_cond_t *);

	if (lossy) /* glibc bug 25847 */
		return 0;
	if (symbol == NULL)
		symbol = dlsym(RTLD_NEXT, "pthread_cond_signal");
	atomic_store(&found, symbol);
	*(void **)&real = symbol;
	return real(cond);
}

EXPORT int sched_yield(void)
{
	if (!held)
		return (int)syscall(SYS_sched_yield);
	inside = true;
	usleep(50000);
	left_behind = ended;
	return 0;
}

static int lost_wake_ups(void)
{
	pthread_t threads[2];
	unsigned int before = taken;
	uintptr_t i;
	void *item;
	int tries;

	NEED(fd_fifo_new(&queue, 0) == 0);
	for (i = 0; i < 2; i++)
		NEED(pthread_create(&threads[i], NULL, get_one, NULL) == 0);
	usleep(100000); /* they sleep now, most likely */
	lossy = true;
	for (i = 1; i <= 2; i++) {
		item = (void *)i;
		NEED(fd_fifo_post(queue, &item) == 0);
	}
	for (tries = 0; tries < 20000 && taken < before + 2; tries++)
		usleep(1000);
	lossy = false;
	NEED(taken == before + 2);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return fd_fifo_del(&queue) == 0 ? 0 : __LINE__;
}

static void *get_end(void *q)
{
	void *item = NULL;

	return fd_fifo_get((struct fifo *)q, &item) == EPIPE ? q : NULL;
}

static int end_while_yielding(void)
{
	struct fifo *q = NULL;
	pthread_t thread;
	void *rc = NULL;
	int i;

	NEED(fd_fifo_new(&q, 0) == 0);
	held = true;
	NEED(pthread_create(&thread, NULL, get_end, q) == 0);
	for (i = 0; !inside && i < 20000; i++)
		usleep(1000);
	NEED(inside && fd_fifo_del(&q) == 0);
	ended = true;
	pthread_join(thread, &rc);
	held = false;
	NEED(!left_behind && rc != NULL);
	return 0;
}

static int besides(void)
{
	int rc;

	NEED(fd_libproto_init() == 0);
	rc = lost_wake_ups();
	rc = rc != 0 ? rc : end_while_yielding();
	if (rc != 0)
		fprintf(stderr, "check_fdtune: line %d\n", rc);
	return rc != 0;
}

static int exercise(void)
{
	int rc;

	NEED(fd_libproto_init() == 0);
	rc = order();
	rc = rc != 0 ? rc : levels();
	rc = rc != 0 ? rc : crowd();
	rc = rc != 0 ? rc : pass();
	rc = rc != 0 ? rc : pass_and_end();
	if (rc != 0)
		fprintf(stderr, "check_fdtune: line %d\n", rc);
	return rc != 0;
}

static int ask_child(const char *preload, const char *asked)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		setenv("LD_PRELOAD", preload, 1);
		setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0:use_sigaltstack=0",
		       1); /* no test of memory, and its cancelled threads leave their stacks marked as in use */
		execl("/proc/self/exe", "check_fdtune", asked, (char *)NULL);
		_exit(254);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return 10 * WEXITSTATUS(status);
}

static const struct {
	const char *name, *preload, *asked;
	int want;
} rows[] = {
	{ "alone", "", "20", 20 },
	{ "preloaded", FDTUNE, "20", 1000 },
	{ "no limit stays none", FDTUNE, "0", 0 },
	{ "more than ours stays", FDTUNE, "2000", 2000 },
};

START_TEST(queues_have_room)
{
	ck_assert_msg(ask_child(rows[_i].preload, rows[_i].asked) == rows[_i].want, "%s", rows[_i].name);
}
END_TEST

START_TEST(queues_do_what_the_interface_says)
{
	ck_assert_int_eq(ask_child(_i == 0 ? "" : FDTUNE, "exercise"), 0);
}
END_TEST

START_TEST(ours_needs_no_single_wake_up)
{
	ck_assert_int_eq(ask_child(FDTUNE, "besides"), 0);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("fdtune");
	TCase *tc = tcase_create("fdtune");
	SRunner *runner;
	int failed;

	if (argc == 2)
		return strcmp(argv[1], "exercise") == 0 ? exercise() : strcmp(argv[1], "besides") == 0 ? besides() : limit_of(argv[1]);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, queues_have_room, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_loop_test(tc, queues_do_what_the_interface_says, 0, 2);
	tcase_add_test(tc, ours_needs_no_single_wake_up);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
