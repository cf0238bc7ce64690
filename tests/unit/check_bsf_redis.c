/* SPDX-License-Identifier: Apache-2.0 */
/* A pool's contexts on Redis: Debian's server, one of each test's own, on a UNIX socket. REQ: Y3056-7.5-5b */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bsf/ctx_redis.h"
#include "common/ctx_fixture.h"
#include "common/fixture.h"
#include "core/clock.h"

#define IMPI	CTX_IMPI
#define OTHER	"001010000000002@ims.mnc001.mcc001.3gppnetwork.org"
#define FAST_MS 10000 /* a store that is away answers at once, long before its time-out; the machine may stand still meanwhile */

static char dir[64], sock[96], kek_path[96], password_path[96];
static struct kek *kek;
static pid_t server;
static time_t t0;

/* ---- the server ---- */

static int cli(const char *words)
{
	char command[512];

	snprintf(command, sizeof(command), "redis-cli -s %s %s >/dev/null 2>&1", sock, words);
	return system(command);
}

static void server_run(const char *const *more)
{
	const char *args[32] = { "redis-server", "--port", "0", "--unixsocket", sock, "--dir", dir, "--save", "" };
	int i, out;

	for (i = 9; *more != NULL; i++)
		args[i] = *more++;
	server = fork();
	ck_assert_int_ge(server, 0);
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		out = open("/dev/null", O_RDWR);
		dup2(out, 1);
		dup2(out, 2);
		execvp(args[0], (char *const *)(uintptr_t)args);
		_exit(127);
	}
	for (i = 0; i < 3000 && cli("ping | grep -q -e PONG -e NOAUTH") != 0; i++) /* an answer that it wants a password is one, too */
		usleep(10000);
	ck_assert_int_lt(i, 3000);
}

static const char *const durable[] = { "--appendonly", "yes", "--appendfsync", "always", NULL };

static void server_kill(void)
{
	kill(server, SIGCONT);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(sock);
}

static void pool_make(void)
{
	t0 = clock_now();
	snprintf(dir, sizeof(dir), "/tmp/check_bsf_redis.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(sock, sizeof(sock), "%s/s", dir);
	snprintf(kek_path, sizeof(kek_path), "%s/kek", dir);
	snprintf(password_path, sizeof(password_path), "%s/password", dir);
	ck_assert_err(kek_open(test_ctx, kek_path, true, &kek), GBA_OK);
}

static void crowd_make(void)
{
	test_ctx = talloc_named_const(NULL, 0, "test");
	pool_make();
}

static void pool_remove(void)
{
	char command[96];

	server_kill();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* ---- the store ---- */

static struct ctx_redis_conf conf_make(void)
{
	return (struct ctx_redis_conf){ .server = sock, .ca = "", .cert = "", .key = "", .user = "", .password_file = "",
					.prefix = "t:", .timeout_ms = 20000, .kek = kek };
}

static enum gba_err open_with(const struct ctx_redis_conf *conf, struct ctx_store **_store, const char *want)
{
	const char *error = "";
	enum gba_err err = ctx_redis_open(test_ctx, conf, _store, &error);

	ck_assert_msg(strstr(error, want) != NULL, "%s", error);
	return err;
}

static struct ctx_store *open_store(void)
{
	struct ctx_redis_conf conf = conf_make();
	struct ctx_store *store = NULL;

	ck_assert_err(open_with(&conf, &store, ""), GBA_OK);
	return store;
}

static struct ctx make_ctx(uint32_t n, const char *impi, time_t life)
{
	struct ctx ctx = ctx_make(n, impi, t0, life);

	ctx.uss = bytes_of("uss");
	return ctx;
}

static enum gba_err find(struct ctx_store *store, uint32_t n, time_t at)
{
	TALLOC_CTX *req = talloc_new(NULL); /* of this thread alone */
	struct ctx want = make_ctx(n, IMPI, 1), *got = NULL;
	enum gba_err err = store->ops->find(store, req, want.rand, at, &got);

	if (err == GBA_OK) {
		ck_assert_bytes(BYTES(got->ks, sizeof(got->ks)), BYTES(want.ks, sizeof(want.ks)), "Ks");
		ck_assert_bytes(BYTES(got->rand, sizeof(got->rand)), BYTES(want.rand, sizeof(want.rand)), "RAND");
	}
	talloc_free(req);
	return err;
}

static enum gba_err find_tmpi(struct ctx_store *store, uint32_t n)
{
	struct ctx want = make_ctx(n, IMPI, 1), *got = NULL;
	enum gba_err err = store->ops->find_tmpi(store, test_ctx, want.tmpi, t0, &got);

	talloc_free(got);
	return err;
}

static void wait_usable(struct ctx_store *store, bool want)
{
	int i;

	for (i = 0; i < 3000 && store->ops->usable(store) != want; i++)
		usleep(10000);
	ck_assert(store->ops->usable(store) == want);
}

/* ---- tests ---- */

START_TEST(what_one_stores_the_other_finds)
{
	struct ctx first = make_ctx(1, IMPI, 1000), twice = make_ctx(1, OTHER, 1000);
	struct ctx_store *a, *b;

	server_run(durable);
	a = open_store();
	b = open_store();
	ck_assert(a->ops->usable(a) && b->ops->usable(b));
	ck_assert_err(ctx_put(a, &first), GBA_OK);
	ck_assert_err(find(b, 1, t0), GBA_OK);
	ck_assert_err(find_tmpi(b, 1), GBA_OK);
	ck_assert_err(find(b, 1, t0 + 1000), GBA_E_BTID_UNKNOWN); /* expired exactly */
	ck_assert_err(find(b, 2, t0), GBA_E_BTID_UNKNOWN);
	ck_assert_err(find_tmpi(b, 2), GBA_E_BTID_UNKNOWN);
	ck_assert_err(ctx_put(b, &twice), GBA_E_EXISTS); /* RAND is unique in the pool, and the first stays */
	ck_assert_err(find(a, 1, t0), GBA_OK);
	a->ops->close(a);
	b->ops->close(b);
}
END_TEST

START_TEST(expired_contexts_leave_by_themselves)
{
	struct ctx ctx = make_ctx(1, IMPI, 2);
	struct ctx_store *store;
	int i;

	server_run(durable);
	store = open_store();
	ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	for (i = 0; i < 3000 && find(store, 1, t0) == GBA_OK; i++)
		usleep(10000);
	ck_assert_err(find(store, 1, t0), GBA_E_BTID_UNKNOWN); /* the clock handed in stands still: the server has dropped it */
	for (i = 0; i < 3000 && cli("dbsize | grep -qx 1") != 0; i++) /* and its indices: the pool's first record is left */
		usleep(10000);
	ck_assert_int_lt(i, 3000);
	store->ops->close(store);
}
END_TEST

static void count_touched(void *arg, size_t i, const uint8_t rand[RAND_LEN])
{
	(void)rand;
	((unsigned int *)arg)[i]++;
}

START_TEST(revisions_touch_their_users_alone)
{
	struct ctx_revision revisions[] = { { .impi = bytes_of(IMPI), .drop = true },
					    { .impi = bytes_of(OTHER), .uss = bytes_of("longer than what stood there") },
					    { .impi = bytes_of("nobody@nowhere.example"), .drop = true } };
	unsigned int touched[3] = { 0 };
	struct ctx_store *a, *b;
	struct ctx ctx, *got;
	uint32_t n;

	server_run(durable);
	a = open_store();
	b = open_store();
	for (n = 1; n <= 20; n++) {
		ctx = make_ctx(n, n <= 10 ? IMPI : OTHER, 1000);
		ck_assert_err(ctx_put(n % 2 == 0 ? a : b, &ctx), GBA_OK);
	}
	ck_assert_err(a->ops->revise(a, revisions, 3, count_touched, touched), GBA_OK);
	ck_assert_uint_eq(touched[0], 10);
	ck_assert_uint_eq(touched[1], 10);
	ck_assert_uint_eq(touched[2], 0);
	for (n = 1; n <= 10; n++) {
		ck_assert_err(find(b, n, t0), GBA_E_BTID_UNKNOWN);
		ck_assert_err(find_tmpi(b, n), GBA_E_BTID_UNKNOWN);
	}
	for (n = 11; n <= 20; n++) {
		ctx = make_ctx(n, OTHER, 1);
		ck_assert_err(b->ops->find(b, test_ctx, ctx.rand, t0, &got), GBA_OK);
		ck_assert(bytes_eq_str(got->uss, "longer than what stood there"));
		ck_assert_int_eq(got->expires, t0 + 1000);
	}
	ck_assert_err(b->ops->find(b, test_ctx, ctx.rand, t0 + 1000, &got), GBA_E_BTID_UNKNOWN);
	a->ops->close(a);
	b->ops->close(b);
}
END_TEST

START_TEST(a_certificates_contexts_end_alone)
{
	static const uint8_t mark[CTX_CERT_LEN] = "certificate one!";
	struct ctx_revision revision = { .impi = bytes_of(IMPI), .drop = true, .certificate = mark };
	unsigned int touched[1] = { 0 };
	struct ctx_store *store;
	struct ctx ctx;
	uint32_t n;

	server_run(durable);
	store = open_store();
	for (n = 1; n <= 4; n++) {
		ctx = make_ctx(n, IMPI, 1000);
		if (n % 2 == 0)
			memcpy(ctx.certificate, mark, CTX_CERT_LEN);
		ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	}
	ck_assert_err(store->ops->revise(store, &revision, 1, count_touched, touched), GBA_OK);
	ck_assert_uint_eq(touched[0], 2);
	for (n = 1; n <= 4; n++)
		ck_assert_err(find(store, n, t0), n % 2 == 0 ? GBA_E_BTID_UNKNOWN : GBA_OK);
	store->ops->close(store);
}
END_TEST

/* Nobody who reads the server learns a key or who it is for. */
START_TEST(server_holds_no_key_and_no_name)
{
	struct ctx ctx = make_ctx(0x51, IMPI, 1000);
	struct ctx_store *store;
	char command[256];

	server_run(durable);
	store = open_store();
	memset(ctx.ks, 'K', sizeof(ctx.ks));
	ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	snprintf(command, sizeof(command), "grep -rqa -e KKKKKKKK -e 001010000000001 %s/appendonlydir", dir);
	ck_assert_int_ne(system(command), 0);
	snprintf(command, sizeof(command), "grep -rqa t:c: %s/appendonlydir", dir);
	ck_assert_int_eq(system(command), 0); /* that is where it is */
	store->ops->close(store);
}
END_TEST

START_TEST(another_key_is_refused)
{
	struct ctx_redis_conf conf = conf_make();
	struct ctx_store *store = open_store(), *other;

	server_run(durable);
	wait_usable(store, true); /* it was there before its server */
	snprintf(kek_path, sizeof(kek_path), "%s/kek2", dir);
	ck_assert_err(kek_open(test_ctx, kek_path, true, &conf.kek), GBA_OK);
	ck_assert_err(open_with(&conf, &other, "under another key"), GBA_E_CORRUPT);
	store->ops->close(store);
}
END_TEST

static const struct {
	const char *more[9], *want;
	enum ctx_sync sync;
	bool warn;
	enum gba_err err;
} durable_rows[] = {
	{ { NULL }, "appendonly is no", CTX_SYNC_PROCESS, false, GBA_E_CONF }, /* as Debian ships it */
	{ { NULL }, "", CTX_SYNC_PROCESS, true, GBA_OK },
	{ { "--appendonly", "yes", NULL }, "appendfsync is everysec, must be always", CTX_SYNC_FULL, false, GBA_E_CONF },
	{ { "--appendonly", "yes", NULL }, "", CTX_SYNC_PROCESS, false, GBA_OK },
	{ { "--appendonly", "yes", "--appendfsync", "no", NULL }, "always or everysec", CTX_SYNC_PROCESS, false, GBA_E_CONF },
	{ { "--appendonly", "yes", "--appendfsync", "always", NULL }, "", CTX_SYNC_FULL, false, GBA_OK },
	{ { "--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", NULL },
	  "maxmemory-policy is allkeys-lru", CTX_SYNC_FULL, false, GBA_E_CONF },
	{ { "--appendonly", "yes", "--appendfsync", "always", "--rename-command", "CONFIG", "", NULL }, "appendonly is unknown",
	  CTX_SYNC_FULL, false, GBA_E_CONF },
};
START_TEST(server_that_may_lose_contexts_is_refused)
{
	struct ctx_redis_conf conf = conf_make();
	struct ctx_store *store = NULL;

	conf.sync = durable_rows[_i].sync;
	conf.warn_only = durable_rows[_i].warn;
	server_run(durable_rows[_i].more);
	ck_assert_err(open_with(&conf, &store, durable_rows[_i].want), durable_rows[_i].err);
	if (store != NULL)
		store->ops->close(store);
}
END_TEST

static void password_write(const char *text, mode_t mode)
{
	int fd = open(password_path, O_CREAT | O_TRUNC | O_WRONLY, mode);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

START_TEST(users_and_passwords)
{
	static const char *const acl[] = { "--appendonly", "yes", "--appendfsync", "always", "--requirepass", "top", "--user",
					   "bsf", "on", ">s3cret", "~t:*", "+@read", "+@write", "+@connection", "+info",
					   "+config|get", NULL };
	static const struct {
		const char *user, *password, *want;
		mode_t mode;
		enum gba_err err;
	} rows[] = {
		{ "bsf", "s3cret\n", "", 0600, GBA_OK },
		{ "", "top", "", 0600, GBA_OK },
		{ "bsf", "wrong\n", "WRONGPASS", 0600, GBA_E_DENIED },
		{ "bsf", "s3cret\n", "closed to group and others", 0640, GBA_E_DENIED },
		{ "bsf", "\n", "one line", 0600, GBA_E_SYNTAX },
		{ "bsf", NULL, "NOAUTH", 0600, GBA_E_DENIED },
	};
	struct ctx ctx = make_ctx(1, IMPI, 1000);
	size_t i;

	server_run(acl);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctx_redis_conf conf = conf_make();
		struct ctx_store *store = NULL;

		conf.user = rows[i].user;
		conf.password_file = rows[i].password != NULL ? password_path : "";
		if (rows[i].password != NULL)
			password_write(rows[i].password, rows[i].mode);
		ck_assert_err(open_with(&conf, &store, rows[i].want), rows[i].err);
		if (store == NULL)
			continue;
		ctx.rand[3] = (uint8_t)i;
		ck_assert_err(ctx_put(store, &ctx), GBA_OK); /* what the user may do is enough */
		store->ops->close(store);
	}
}
END_TEST

/* Away: everything fails at once, as the store's failure; what was acknowledged is there when it is back. */
START_TEST(away_is_not_ignorance_and_heals)
{
	struct ctx one = make_ctx(1, IMPI, 1000), two = make_ctx(2, IMPI, 1000);
	struct ctx_store *store;
	uint64_t before;
	enum gba_err err;

	server_run(durable);
	store = open_store();
	ck_assert_err(ctx_put(store, &one), GBA_OK);
	server_kill();
	wait_usable(store, false);
	before = clock_mono_ms();
	ck_assert_err(ctx_put(store, &two), GBA_E_UNREACHABLE);
	ck_assert_err(find(store, 1, t0), GBA_E_UNREACHABLE);
	ck_assert_err(find_tmpi(store, 1), GBA_E_UNREACHABLE);
	ck_assert_uint_lt(clock_mono_ms() - before, FAST_MS);
	server_run(durable);
	wait_usable(store, true);
	ck_assert_err(find(store, 1, t0), GBA_OK);
	err = ctx_put(store, &two);
	ck_assert_err(err, GBA_OK);
	store->ops->close(store);
}
END_TEST

/* It takes connections and answers nothing: each caller waits for the configured time once, then nobody does. */
START_TEST(hanging_server_is_given_up)
{
	struct ctx_redis_conf conf = conf_make();
	struct ctx_store *store = NULL;
	struct ctx ctx = make_ctx(1, IMPI, 1000);
	enum gba_err err;
	int i;

	server_run(durable);
	conf.timeout_ms = 300;
	for (i = 0, err = GBA_E_TIMEOUT; i < 20 && err != GBA_OK; i++) /* a machine that stands still is given up, too */
		err = open_with(&conf, &store, "");
	ck_assert_err(err, GBA_OK);
	wait_usable(store, true);
	kill(server, SIGSTOP);
	err = find(store, 1, t0);
	ck_assert(err == GBA_E_TIMEOUT || err == GBA_E_UNREACHABLE);
	err = ctx_put(store, &ctx);
	ck_assert(err == GBA_E_TIMEOUT || err == GBA_E_UNREACHABLE);
	kill(server, SIGCONT);
	for (i = 0; i < 20 && err != GBA_OK; i++) {
		wait_usable(store, true);
		ctx.rand[5] = (uint8_t)(9 + i); /* the one before may have arrived after all */
		err = ctx_put(store, &ctx);
	}
	ck_assert_err(err, GBA_OK);
	store->ops->close(store);
}
END_TEST

START_TEST(emptied_server_keeps_its_pool)
{
	struct ctx ctx = make_ctx(1, IMPI, 1000);
	struct ctx_store *store, *later;
	int i;

	server_run(durable);
	store = open_store();
	ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	ck_assert_int_eq(cli("flushall"), 0);
	ck_assert_err(find(store, 1, t0), GBA_E_BTID_UNKNOWN); /* really gone */
	for (i = 0; i < 3000 && cli("exists t:format | grep -qx 1") != 0; i++)
		usleep(10000);
	later = open_store(); /* joins the same pool: it finds by user what the first one stores */
	ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	ck_assert_err(later->ops->revise(later, &(struct ctx_revision){ .impi = bytes_of(IMPI), .drop = true }, 1, NULL, NULL), GBA_OK);
	ck_assert_err(find(store, 1, t0), GBA_E_BTID_UNKNOWN);
	ck_assert_int_eq(cli("set t:format foreign"), 0); /* not ours any more: nothing is put beside it */
	wait_usable(store, false);
	ck_assert_err(ctx_put(store, &ctx), GBA_E_UNREACHABLE);
	ck_assert_int_eq(cli("del t:format"), 0);
	wait_usable(store, true);
	wait_usable(later, true);
	ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	ck_assert_err(later->ops->revise(later, &(struct ctx_revision){ .impi = bytes_of(IMPI), .drop = true }, 1, NULL, NULL), GBA_OK);
	ck_assert_err(find(store, 1, t0), GBA_E_BTID_UNKNOWN);
	store->ops->close(store);
	later->ops->close(later);
}
END_TEST

/* A running pool seals its first record anew after a rotation: then the old key may go. */
START_TEST(pool_follows_a_rotation)
{
	struct ctx ctx = make_ctx(1, IMPI, 1000);
	struct ctx_store *store, *later;
	const char *why = "";
	size_t dropped = 0;
	int i;

	server_run(durable);
	store = open_store();
	ck_assert_int_eq(cli("rename t:format t:format_before"), 0);
	for (i = 0; i < 3000 && cli("exists t:format | grep -qx 1") != 0; i++)
		usleep(10000);
	ck_assert_err(kek_rotate(test_ctx, kek_path, NULL, &why), GBA_OK);
	for (i = 0; i < 3000 && cli("eval \"return redis.call('get','t:format') == redis.call('get','t:format_before') and 1 or 0\" 0"
				    " | grep -qx 0") != 0; i++)
		usleep(10000);
	ck_assert_int_lt(i, 3000);
	ck_assert_err(kek_retire(kek_path, &dropped), GBA_OK);
	ck_assert_uint_eq(dropped, 1);
	wait_usable(store, true);
	ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	ck_assert_err(kek_open(test_ctx, kek_path, false, &kek), GBA_OK); /* of a node that starts now */
	later = open_store();
	ck_assert_err(find(later, 1, t0), GBA_OK);
	ck_assert_err(later->ops->revise(later, &(struct ctx_revision){ .impi = bytes_of(IMPI), .drop = true }, 1, NULL, NULL), GBA_OK);
	ck_assert_err(find(store, 1, t0), GBA_E_BTID_UNKNOWN);
	store->ops->close(store);
	later->ops->close(later);
}
END_TEST

#define THREADS 4
#define EACH	300
struct crowd {
	struct ctx_store *store;
	uint32_t first;
	bool good;
};

static void *crowd_main(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t n;

	for (n = crowd->first; n < crowd->first + EACH; n++) {
		struct ctx ctx = make_ctx(n, IMPI, 1000);

		crowd->good = crowd->good && ctx_put(crowd->store, &ctx) == GBA_OK && find(crowd->store, n, t0) == GBA_OK;
	}
	return NULL;
}

START_TEST(many_threads_share_a_connection)
{
	struct crowd crowd[THREADS];
	struct ctx_store *store;
	pthread_t thread[THREADS];
	int i;

	server_run(durable);
	store = open_store();
	for (i = 0; i < THREADS; i++) {
		crowd[i] = (struct crowd){ store, (uint32_t)(1 + i * EACH), true };
		ck_assert_int_eq(pthread_create(&thread[i], NULL, crowd_main, &crowd[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		ck_assert(crowd[i].good);
	}
	store->ops->close(store);
}
END_TEST

static const struct {
	const char *text;
	bool valid;
} server_rows[] = {
	{ "127.0.0.1:6379", true },	    { "[::1]:6379", true }, { "cache.example:6380", true }, { "/run/redis/s", true },
	{ "rediss://cache.example:1", true }, { "redis://c:65535", true }, { "c:65536", false },	    { "c:0", false },
	{ "cache.example", false },	    { ":6379", false },	    { "u:p@c:6379", false },	    { "c:6379/0", false },
	{ "redis://", false },		    { "c:63x", false },
};
START_TEST(servers_are_named_so)
{
	ck_assert_msg(ctx_redis_server_valid(bytes_of(server_rows[_i].text)) == server_rows[_i].valid, "%s",
		      server_rows[_i].text);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("bsf redis");
	TCase *tc = fixture_tcase("names"), *pool = fixture_tcase("pool");
	TCase *crowd = tcase_create("crowd"); /* without the fixture's count of talloc blocks, which has no lock */

	tcase_add_loop_test(tc, servers_are_named_so, 0, ROWS(server_rows));
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(pool, pool_make, pool_remove);
	tcase_add_test(pool, what_one_stores_the_other_finds);
	tcase_add_test(pool, expired_contexts_leave_by_themselves);
	tcase_add_test(pool, revisions_touch_their_users_alone);
	tcase_add_test(pool, a_certificates_contexts_end_alone);
	tcase_add_test(pool, server_holds_no_key_and_no_name);
	tcase_add_test(pool, another_key_is_refused);
	tcase_add_loop_test(pool, server_that_may_lose_contexts_is_refused, 0, ROWS(durable_rows));
	tcase_add_test(pool, users_and_passwords);
	tcase_add_test(pool, away_is_not_ignorance_and_heals);
	tcase_add_test(pool, hanging_server_is_given_up);
	tcase_add_test(pool, emptied_server_keeps_its_pool);
	tcase_add_test(pool, pool_follows_a_rotation);
	tcase_add_checked_fixture(crowd, crowd_make, pool_remove);
	tcase_set_timeout(crowd, 120);
	tcase_add_test(crowd, many_threads_share_a_connection);
	if (system("redis-server --version >/dev/null 2>&1") == 0) {
		suite_add_tcase(suite, pool);
		suite_add_tcase(suite, crowd);
	} else {
		printf("no Redis server here: its tests are left out\n");
	}
	return fixture_run(suite);
}
