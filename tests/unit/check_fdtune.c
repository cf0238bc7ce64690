/* SPDX-License-Identifier: Apache-2.0 */
/* gba_fdtune.so as the dynamic linker sees it: this program runs itself again with and without the library preloaded, and asks
 * the queue what it holds. */
#include <check.h>
#include <freeDiameter/extension.h>
#include <stdlib.h>
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

static int ask_child(const char *preload, const char *asked)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		setenv("LD_PRELOAD", preload, 1);
		setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1); /* the child is no test of memory */
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

int main(int argc, char **argv)
{
	Suite *suite = suite_create("fdtune");
	TCase *tc = tcase_create("fdtune");
	SRunner *runner;
	int failed;

	if (argc == 2)
		return limit_of(argv[1]);
	tcase_add_loop_test(tc, queues_have_room, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
