/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts at rest: what is found again, what is not, and that a full or foreign store says so. REQ: Y3056-7.5-5b */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bsf/ctx_index.h"
#include "bsf/ctx_lmdb.h"
#include "bsf/uss_pack.h"
#include "common/ctx_fixture.h"
#include "common/fixture.h"

#define T0   1900000000
#define IMPI CTX_IMPI

static _Atomic time_t now = T0;
static char dir[64], kek_path[96];
static struct kek *kek;

static time_t fake_clock(void)
{
	return now;
}

static struct ctx_store *open_store(uint32_t max_mb, enum ctx_sync sync)
{
	struct ctx_lmdb_conf conf = { .dir = dir, .max_mb = max_mb, .sync = sync, .kek = kek, .now = fake_clock, .purge_ms = 10 };
	const char *error = "";
	struct ctx_store *store;
	enum gba_err err;

	err = ctx_lmdb_open(test_ctx, &conf, &store, &error);
	ck_assert_msg(err == GBA_OK, "%s", error);
	return store;
}

static void fresh_dir(void)
{
	now = T0;
	snprintf(dir, sizeof(dir), "/tmp/check_bsf_store.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(kek_path, sizeof(kek_path), "%s.kek", dir);
	ck_assert_err(kek_open(test_ctx, kek_path, true, &kek), GBA_OK);
}

static void remove_dir(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	unlink(path);
	rmdir(dir);
	unlink(kek_path);
}

static struct ctx make_ctx(uint32_t n, time_t life)
{
	return ctx_make(n, IMPI, T0, life);
}

static enum gba_err find(struct ctx_store *store, uint32_t n, time_t at, struct ctx **_ctx)
{
	struct ctx ctx = make_ctx(n, 1);

	return store->ops->find(store, test_ctx, ctx.rand, at, _ctx);
}

START_TEST(find_only_what_is_alive)
{
	static const struct {
		const char *name;
		uint32_t n;
		time_t at;
		enum gba_err want;
	} rows[] = {
		{ "created", 1, T0, GBA_OK },
		{ "last second", 1, T0 + 99, GBA_OK },
		{ "expired exactly", 1, T0 + 100, GBA_E_BTID_UNKNOWN },
		{ "long expired", 1, T0 + 100000, GBA_E_BTID_UNKNOWN },
		{ "beyond 2036", 2, 2085978496, GBA_OK },
		{ "beyond 2038", 2, 2147483648, GBA_OK },
		{ "never stored", 3, T0, GBA_E_BTID_UNKNOWN },
	};
	struct ctx one = make_ctx(1, 100), two = make_ctx(2, 400000000), *found;
	struct ctx_store *store;
	size_t i;

	fresh_dir();
	store = open_store(8, CTX_SYNC_FULL);
	ck_assert_err(ctx_put(store, &one), GBA_OK);
	ck_assert_err(ctx_put(store, &two), GBA_OK);
	ck_assert_err(ctx_put(store, &one), GBA_E_EXISTS);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum gba_err got = find(store, rows[i].n, rows[i].at, &found);

		ck_assert_msg(got == rows[i].want, "%s: got %s", rows[i].name, gba_err_name(got));
		if (got == GBA_OK)
			ck_assert_bytes(BYTES(found->ks, 32), BYTES(rows[i].n == 1 ? one.ks : two.ks, 32), rows[i].name);
	}
	store->ops->close(store);
	remove_dir();
}
END_TEST

/* One token through its life: issued, in use, renewed beside the old one, expired; another one revoked before its time.
 * REQ: Y3056-7.2-4b */
START_TEST(a_token_lives_and_ends)
{
	struct ctx first = make_ctx(1, 100), second = make_ctx(2, 100), *found;
	struct ctx_revision revoked = { .impi = bytes_of(IMPI), .drop = true };
	struct ctx_store *store;

	fresh_dir();
	store = open_store(8, CTX_SYNC_FULL);
	ck_assert_err(find(store, 1, T0, &found), GBA_E_BTID_UNKNOWN); /* not issued */
	ck_assert_err(ctx_put(store, &first), GBA_OK);
	ck_assert_err(find(store, 1, T0 + 50, &found), GBA_OK); /* in use; its times are on record */
	ck_assert_int_eq(found->created, T0);
	ck_assert_int_eq(found->expires, T0 + 100);
	now = T0 + 60;
	second.created = T0 + 60;
	second.expires = T0 + 160;
	ck_assert_err(ctx_put(store, &second), GBA_OK); /* renewed: sessions of the old one may end in their time */
	ck_assert_err(find(store, 1, T0 + 99, &found), GBA_OK);
	ck_assert_err(find(store, 1, T0 + 100, &found), GBA_E_BTID_UNKNOWN); /* expired */
	ck_assert_err(find(store, 2, T0 + 100, &found), GBA_OK);
	ck_assert_int_eq(found->created, T0 + 60);
	ck_assert_err(store->ops->revise(store, &revoked, 1, NULL, NULL), GBA_OK);
	ck_assert_err(find(store, 2, T0 + 100, &found), GBA_E_BTID_UNKNOWN); /* revoked, 60 s early */
	ck_assert_err(find(store, 1, T0 + 99, &found), GBA_E_BTID_UNKNOWN);
	ck_assert_err(ctx_put(store, &first), GBA_OK); /* its RAND is free again: nothing of it is left */
	store->ops->close(store);
	remove_dir();
}
END_TEST

START_TEST(tmpi_finds_its_context)
{
	struct ctx ctx = make_ctx(7, 100), *found;
	uint8_t other[CTX_TMPI_LEN] = { 9 };
	struct ctx_store *store;

	fresh_dir();
	store = open_store(8, CTX_SYNC_PROCESS);
	ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	ck_assert_err(store->ops->find_tmpi(store, test_ctx, ctx.tmpi, T0, &found), GBA_OK);
	ck_assert_bytes(found->impi, bytes_of(IMPI), "IMPI");
	ck_assert_err(store->ops->find_tmpi(store, test_ctx, ctx.tmpi, T0 + 100, &found), GBA_E_BTID_UNKNOWN);
	ck_assert_err(store->ops->find_tmpi(store, test_ctx, other, T0, &found), GBA_E_BTID_UNKNOWN);
	store->ops->close(store);
	remove_dir();
}
END_TEST

START_TEST(expired_contexts_leave_by_themselves)
{
	struct ctx_store *store;
	struct ctx ctx, *found;
	uint32_t i;
	int tries;

	fresh_dir();
	store = open_store(64, CTX_SYNC_PROCESS);
	for (i = 1; i <= 3000; i++) {
		ctx = make_ctx(i, i <= 2500 ? 60 : 86400);
		ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	}
	ck_assert_uint_eq(store->ops->count(store), 3000);
	now = T0 + 130; /* beyond the minute in which they expired */
	for (tries = 0; tries < 6000 && store->ops->count(store) != 500; tries++)
		usleep(10000);
	ck_assert_uint_eq(store->ops->count(store), 500);
	now = T0; /* even asked with an old clock they are gone */
	ck_assert_err(find(store, 1, T0, &found), GBA_E_BTID_UNKNOWN);
	ctx = make_ctx(1, 1);
	ck_assert_err(store->ops->find_tmpi(store, test_ctx, ctx.tmpi, T0, &found), GBA_E_BTID_UNKNOWN);
	ck_assert_err(find(store, 2501, T0, &found), GBA_OK);
	store->ops->close(store);
	remove_dir();
}
END_TEST

START_TEST(contexts_survive_reopening)
{
	struct ctx ctx = make_ctx(5, 1000), other, *found;
	struct ctx_store *store;

	fresh_dir();
	store = open_store(8, CTX_SYNC_FULL);
	ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	store->ops->close(store);
	store = open_store(8, CTX_SYNC_FULL);
	ck_assert_uint_eq(store->ops->count(store), 1);
	ck_assert_err(find(store, 5, T0, &found), GBA_OK);
	ck_assert_err(store->ops->find_tmpi(store, test_ctx, ctx.tmpi, T0, &found), GBA_OK);
	ck_assert_bytes(BYTES(found->rand, RAND_LEN), BYTES(ctx.rand, RAND_LEN), "RAND");
	ck_assert_err(ctx_put(store, &ctx), GBA_E_EXISTS);
	other = make_ctx(6, 1000); /* arrives after what an earlier process stored, within the same second */
	ck_assert_err(ctx_put(store, &other), GBA_OK);
	ck_assert_err(find(store, 5, T0, &found), GBA_OK);
	ck_assert_err(find(store, 6, T0, &found), GBA_OK);
	store->ops->close(store);
	remove_dir();
}
END_TEST

static void child_puts(int acknowledged)
{
	struct ctx_store *store = open_store(64, CTX_SYNC_PROCESS);
	struct ctx ctx;
	uint32_t i;

	for (i = 1;; i++) {
		ctx = make_ctx(i, 1000);
		if (ctx_put(store, &ctx) != GBA_OK || write(acknowledged, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

/* T5: kill -9 at a random instant; everything acknowledged is there. */
START_TEST(kill_loses_nothing_acknowledged)
{
	struct ctx_store *store;
	uint32_t i, last = 0;
	struct ctx *found;
	int fds[2];
	pid_t pid;

	fresh_dir();
	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		child_puts(fds[1]);
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &last, sizeof(last)), sizeof(last)); /* it is at work */
	usleep((useconds_t)(50000 + 7000 * _i));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	while (read(fds[0], &i, sizeof(i)) == sizeof(i))
		last = i;
	close(fds[0]);
	ck_assert_uint_gt(last, 0);
	store = open_store(64, CTX_SYNC_PROCESS);
	for (i = 1; i <= last; i++)
		ck_assert_err(find(store, i, T0, &found), GBA_OK);
	store->ops->close(store);
	remove_dir();
}
END_TEST

START_TEST(full_store_refuses_and_heals)
{
	struct ctx_store *store;
	struct ctx ctx, *found;
	enum gba_err err = GBA_OK;
	uint32_t i;
	int tries;

	fresh_dir();
	store = open_store(3, CTX_SYNC_PROCESS);
	for (i = 1; err == GBA_OK && i < 100000; i++) {
		ctx = make_ctx(i, 600);
		err = ctx_put(store, &ctx);
	}
	ck_assert_err(err, GBA_E_NOSPACE);
	ck_assert(!store->ops->usable(store));
	ck_assert_err(find(store, i - 2, T0, &found), GBA_OK); /* what was acknowledged stays */
	now = T0 + 700;
	for (tries = 0; tries < 6000 && !store->ops->usable(store); tries++)
		usleep(10000);
	ck_assert(store->ops->usable(store));
	ctx = make_ctx(200000, 86400);
	ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	store->ops->close(store);
	remove_dir();
}
END_TEST

/* Stands in for the C library's: LMDB calls it before it acknowledges a commit. */
static _Atomic bool sync_fails;

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	if (!sync_fails)
		return fsync(fd);
	errno = EIO;
	return -1;
}

/* T7: after a failed sync nobody can tell what the disk holds: no false OK, not even when syncing works again. */
START_TEST(failed_sync_ends_acknowledging)
{
	struct ctx one = make_ctx(1, 1000), two = make_ctx(2, 1000), *found;
	struct ctx_store *store;

	fresh_dir();
	store = open_store(8, CTX_SYNC_FULL);
	ck_assert_err(ctx_put(store, &one), GBA_OK);
	sync_fails = true;
	ck_assert_err(ctx_put(store, &two), GBA_E_IO);
	ck_assert(!store->ops->usable(store));
	sync_fails = false;
	ck_assert_err(ctx_put(store, &two), GBA_E_IO);
	usleep(50000);
	ck_assert(!store->ops->usable(store));
	ck_assert_err(find(store, 1, T0, &found), GBA_OK);
	ck_assert_err(find(store, 2, T0, &found), GBA_E_BTID_UNKNOWN);
	store->ops->close(store);
	store = open_store(8, CTX_SYNC_FULL);
	ck_assert_err(find(store, 1, T0, &found), GBA_OK);
	ck_assert_err(ctx_put(store, &two), GBA_OK);
	store->ops->close(store);
	remove_dir();
}
END_TEST

START_TEST(other_key_is_refused)
{
	struct ctx_lmdb_conf conf = { .dir = dir, .max_mb = 8 };
	const char *error = NULL;
	struct ctx_store *store;
	enum gba_err err;

	fresh_dir();
	store = open_store(8, CTX_SYNC_FULL);
	store->ops->close(store);
	unlink(kek_path);
	ck_assert_err(kek_open(test_ctx, kek_path, true, &kek), GBA_OK);
	conf.kek = kek;
	err = ctx_lmdb_open(test_ctx, &conf, &store, &error);
	ck_assert_err(err, GBA_E_CORRUPT);
	ck_assert_ptr_nonnull(error);
	remove_dir();
}
END_TEST

/* Nothing secret is on disk in clear. */
START_TEST(file_holds_no_key)
{
	struct ctx ctx = make_ctx(1, 1000);
	struct ctx_store *store;
	char path[128], *octets;
	FILE *file;
	size_t n;

	fresh_dir();
	memset(ctx.ks, 'K', sizeof(ctx.ks));
	store = open_store(8, CTX_SYNC_FULL);
	ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	store->ops->close(store);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	file = fopen(path, "r");
	octets = talloc_size(test_ctx, 1 << 20);
	n = fread(octets, 1, 1 << 20, file);
	fclose(file);
	ck_assert_uint_gt(n, 4096);
	ck_assert_ptr_null(memmem(octets, n, "KKKKKKKK", 8));
	ck_assert_ptr_null(memmem(octets, n, IMPI, 15));
	remove_dir();
}
END_TEST

/* ---- index ---- */

#define KEYS 6000

/* Hashes that crowd: few homes, long rows of neighbours, many shards and one. */
static uint64_t crowded(unsigned int i)
{
	return i % 3 == 0 ? i : i % 3 == 1 ? (uint64_t)(i % 40) * 64 * 1024 + (uint64_t)i * 64 * 65536 : (uint64_t)i * 64;
}

static void open_and_close(void)
{
	struct ctx_store *store = open_store(16, CTX_SYNC_PROCESS);

	store->ops->close(store);
}

/* The old key may go once the store was opened with the new one. */
START_TEST(store_follows_a_rotation)
{
	const char *why = "";
	size_t dropped = 0;
	int i;

	fresh_dir();
	open_and_close();
	ck_assert_err(kek_rotate(test_ctx, kek_path, NULL, &why), GBA_OK);
	for (i = 0; i < 2; i++) {
		talloc_free(kek);
		ck_assert_err(kek_open(test_ctx, kek_path, false, &kek), GBA_OK);
		open_and_close();
		ck_assert_err(kek_retire(kek_path, &dropped), GBA_OK);
	}
	remove_dir();
}
END_TEST

START_TEST(index_agrees_with_a_list)
{
	struct ctx_index *index = ctx_index_new(0);
	static uint64_t places[KEYS];
	unsigned int i, k;

	memset(places, 0, sizeof(places));
	srandom(4711);
	for (i = 1; i <= 20 * KEYS; i++) {
		k = (unsigned int)random() % KEYS;
		switch (random() % 4) {
		case 0: ck_assert_err(ctx_index_set(index, crowded(k), i), GBA_OK); places[k] = i; break;
		case 1:
			ck_assert_err(ctx_index_add(index, crowded(k), i), places[k] != 0 ? GBA_E_EXISTS : GBA_OK);
			places[k] = places[k] != 0 ? places[k] : i;
			break;
		case 2:
			ctx_index_remove(index, crowded(k), places[k]);
			places[k] = 0;
			break;
		default: ctx_index_remove(index, crowded(k), places[k] + 1); /* somebody else's place */
		}
		ck_assert_uint_eq(ctx_index_find(index, crowded(k)), places[k]);
	}
	for (k = 0; k < KEYS; k++)
		ck_assert_uint_eq(ctx_index_find(index, crowded(k)), places[k]);
	ctx_index_free(index);
}
END_TEST

/* ---- revisions ---- */

#define USERS 300

struct touched {
	unsigned int per_revision[CTX_REVISIONS_MAX], all;
};

static void on_revised(void *arg, size_t i, const uint8_t rand[RAND_LEN])
{
	struct touched *touched = arg;

	(void)rand;
	touched->per_revision[i]++;
	touched->all++;
}

static const char *impi_of(uint32_t user)
{
	return talloc_asprintf(test_ctx, "%015u@ims.mnc001.mcc001.3gppnetwork.org", 10100000 + user);
}

/* Two contexts and a claim for each user; the first is 3 * user. */
static struct ctx_store *filled_store(void)
{
	struct ctx_store *store;
	uint32_t i;

	fresh_dir();
	store = open_store(16, CTX_SYNC_PROCESS);
	for (i = 0; i < 3 * USERS; i++) {
		struct ctx ctx = make_ctx(i + 1, 1000);

		ctx.impi = bytes_of(impi_of(i / 3));
		if (i % 3 == 2)
			ctx.type = CTX_CLAIM;
		ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	}
	return store;
}

static void check_user(struct ctx_store *store, uint32_t user, enum gba_err want, const char *uss)
{
	struct ctx *found;
	uint32_t k;

	for (k = 0; k < 3; k++) {
		struct ctx ctx = make_ctx(3 * user + k + 1, 1);

		ck_assert_err(find(store, 3 * user + k + 1, T0, &found), want);
		if (want == GBA_OK) {
			ck_assert_bytes(found->uss, bytes_of(uss), "USS list");
			ck_assert_bytes(BYTES(found->ks, 32), BYTES(ctx.ks, 32), "Ks");
		}
		ck_assert_err(store->ops->find_tmpi(store, test_ctx, ctx.tmpi, T0, &found), want);
	}
}

START_TEST(revisions_touch_their_users_alone)
{
	struct ctx_revision revisions[] = { { .impi = bytes_of(impi_of(7)), .drop = true },
					    { .impi = bytes_of(impi_of(8)), .uss = bytes_of("longer than what stood there") },
					    { .impi = bytes_of("nobody@nowhere.example"), .drop = true } };
	struct ctx_store *store = filled_store();
	struct touched touched = { .all = 0 };
	int again;

	ck_assert_err(store->ops->revise(store, revisions, 3, on_revised, &touched), GBA_OK);
	ck_assert_uint_eq(touched.per_revision[0], 3);
	ck_assert_uint_eq(touched.per_revision[1], 3);
	ck_assert_uint_eq(touched.all, 6);
	for (again = 0; again < 2; again++) { /* the second time after a restart */
		check_user(store, 6, GBA_OK, "");
		check_user(store, 7, GBA_E_BTID_UNKNOWN, NULL);
		check_user(store, 8, GBA_OK, "longer than what stood there");
		check_user(store, 9, GBA_OK, "");
		ck_assert_uint_eq(store->ops->count(store), 3 * USERS - 3);
		store->ops->close(store);
		store = open_store(16, CTX_SYNC_PROCESS);
	}
	revisions[1].uss = BYTES("", 0);
	ck_assert_err(store->ops->revise(store, revisions, 2, NULL, NULL), GBA_OK);
	check_user(store, 8, GBA_OK, "");
	store->ops->close(store);
	remove_dir();
}
END_TEST

/* What one certificate has made ends; what another one or none of the same user has made stays, and keeps its mark. */
START_TEST(a_certificates_contexts_end_alone)
{
	static const uint8_t marks[3][CTX_CERT_LEN] = { "", "certificate one!", "certificate two!" };
	struct ctx_revision revision = { .impi = bytes_of(impi_of(1)), .drop = true, .certificate = marks[1] };
	uint8_t at[CTX_SHOWN_PLACES][RAND_LEN];
	struct touched touched = { .all = 0 };
	struct ctx ctx, shown, *found;
	char name[CTX_SHOWN_NAME];
	struct ctx_store *store;
	uint32_t i;

	fresh_dir();
	store = open_store(16, CTX_SYNC_PROCESS);
	for (i = 0; i < 6; i++) {
		ctx = make_ctx(i + 1, 1000);
		ctx.impi = bytes_of(impi_of(1));
		memcpy(ctx.certificate, marks[i % 3], CTX_CERT_LEN);
		ck_assert_err(ctx_put(store, &ctx), GBA_OK);
	}
	ctx_shown(&ctx, name, &shown);
	ck_assert(bytes_eq(shown.uss, ctx.impi) && !bytes_eq(shown.impi, ctx.impi));
	ctx_shown_at(marks[2], shown.created, at);
	ck_assert_bytes(BYTES(shown.rand, RAND_LEN), BYTES(at[0], RAND_LEN), "now");
	ctx_shown_at(marks[2], shown.created + 604800, at);
	ck_assert_bytes(BYTES(shown.rand, RAND_LEN), BYTES(at[1], RAND_LEN), "a lifetime later");
	ck_assert_int_ge(shown.expires, shown.created + 604800);
	ck_assert_err(store->ops->revise(store, &revision, 1, on_revised, &touched), GBA_OK);
	ck_assert_uint_eq(touched.all, 2);
	for (i = 0; i < 6; i++) {
		ck_assert_err(find(store, i + 1, T0, &found), i % 3 == 1 ? GBA_E_BTID_UNKNOWN : GBA_OK);
		if (i % 3 != 1)
			ck_assert_bytes(BYTES(found->certificate, CTX_CERT_LEN), BYTES(marks[i % 3], CTX_CERT_LEN), "mark");
	}
	store->ops->close(store);
	remove_dir();
}
END_TEST

START_TEST(many_revisions_at_once)
{
	struct ctx_revision revisions[CTX_REVISIONS_MAX];
	struct ctx_store *store = filled_store();
	struct touched touched = { .all = 0 };
	uint32_t i;

	for (i = 0; i < CTX_REVISIONS_MAX; i++)
		revisions[i] = (struct ctx_revision){ .impi = bytes_of(impi_of(i)), .drop = i % 2 == 0, .uss = bytes_of("x") };
	ck_assert_err(store->ops->revise(store, revisions, CTX_REVISIONS_MAX, on_revised, &touched), GBA_OK);
	for (i = 0; i < CTX_REVISIONS_MAX; i++)
		ck_assert_uint_eq(touched.per_revision[i], 3);
	for (i = 0; i < USERS; i++)
		check_user(store, i, i < CTX_REVISIONS_MAX && i % 2 == 0 ? GBA_E_BTID_UNKNOWN : GBA_OK,
			   i < CTX_REVISIONS_MAX ? "x" : "");
	now = T0 + 100000; /* the expiry index has lines of contexts that went before */
	for (i = 0; i < 6000 && store->ops->count(store) > 0; i++)
		usleep(10000);
	ck_assert_uint_eq(store->ops->count(store), 0);
	store->ops->close(store);
	remove_dir();
}
END_TEST

/* ---- records ---- */

static const struct {
	const char *name;
	size_t at;
	uint8_t to;
	long n; /* change of length */
} damage_rows[] = {
	{ "version", 0, 1, 0 },	     { "type", 1, 7, 0 },	 { "uicc", 2, 9, 0 },
	{ "no IMPI", 67, 0, 0 },     { "IMPI longer", 67, 60, 0 }, { "IMPI shorter", 67, 1, 0 },
	{ "cut", 0, 2, -1 },	     { "longer", 0, 2, 1 },	 { "nothing", 0, 2, -1000 },
	{ "only the fixed part", 0, 2, -49 },
};

START_TEST(damaged_record_is_refused)
{
	struct ctx ctx = make_ctx(1, 10), read;
	uint8_t rec[CTX_REC_MAX + 1];
	size_t n = ctx_rec_size(&ctx);
	long len = (long)n + damage_rows[_i].n;

	ctx_rec_write(&ctx, rec);
	ck_assert_err(ctx_rec_read(ctx.rand, BYTES(rec, n), &read), GBA_OK);
	ck_assert_bytes(read.impi, ctx.impi, "IMPI");
	ck_assert_int_eq(read.expires, ctx.expires);
	rec[n] = 0;
	rec[damage_rows[_i].at] = damage_rows[_i].to;
	ck_assert_err(ctx_rec_read(ctx.rand, BYTES(rec, len > 0 ? (size_t)len : 0), &read), GBA_E_CORRUPT);
}
END_TEST

START_TEST(uss_list_survives_packing)
{
	static const char xml[] =
		"<guss id=\"a@b.example\"><ussList>"
		"<uss id=\"1\" type=\"2\" nafGroup=\"g\"><uids><uid>sip:x@y</uid><uid>tel:1</uid></uids><flags><flag>1</flag><flag>77</flag></flags></uss>"
		"<uss id=\"1000000\" type=\"0\"><uids><uid>u</uid></uids><flags/></uss></ussList></guss>";
	struct guss *in, *out;
	struct bytes packed;
	size_t i;

	ck_assert_err(guss_parse(test_ctx, bytes_of(xml), &in), GBA_OK);
	ck_assert_err(uss_pack(test_ctx, in, &packed), GBA_OK);
	ck_assert_uint_le(packed.n, sizeof(xml) / 3);
	ck_assert_err(uss_unpack(test_ctx, packed, &out), GBA_OK);
	ck_assert_str_eq(uss_list_build(test_ctx, out), uss_list_build(test_ctx, in));
	for (i = 1; i < packed.n; i++)
		ck_assert_err(uss_unpack(test_ctx, BYTES(packed.p, i), &out), GBA_E_CORRUPT);
}
END_TEST

START_TEST(tmpi_index_reads_only_tmpis)
{
	static const struct {
		const char *text;
		enum gba_err want;
	} rows[] = {
		{ "7g8A0RHDuCXlCTm8IzQ29xYou4F13lIQ@tmpi.bsf.3gppnetwork.org", GBA_OK },
		{ "7g8A0RHDuCXlCTm8IzQ29xYou4F13lIQ@TMPI.bsf.3gppnetwork.org", GBA_OK },
		{ "7g8A0RHDuCXlCTm8IzQ29xYou4F13lI@tmpi.bsf.3gppnetwork.org", GBA_E_SYNTAX },
		{ "7g8A0RHDuCXlCTm8IzQ29xYou4F13g==@tmpi.bsf.3gppnetwork.org", GBA_E_SYNTAX },
		{ "7g8A0RHDuCXlCTm8IzQ29xYou4F13l-_@tmpi.bsf.3gppnetwork.org", GBA_E_SYNTAX },
		{ "7g8A0RHDuCXlCTm8IzQ29xYou4F13lIQ@tmpi.bsf.3gppnetwork.org.evil", GBA_E_SYNTAX },
		{ "@tmpi.bsf.3gppnetwork.org", GBA_E_SYNTAX },
		{ IMPI, GBA_E_SYNTAX },
	};
	uint8_t out[CTX_TMPI_LEN];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(ctx_tmpi_index(bytes_of(rows[i].text), out) == rows[i].want, "%s", rows[i].text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bsf_store");
	TCase *tc = fixture_tcase("store");

	tcase_add_test(tc, find_only_what_is_alive);
	tcase_add_test(tc, a_token_lives_and_ends);
	tcase_add_test(tc, tmpi_finds_its_context);
	tcase_add_test(tc, expired_contexts_leave_by_themselves);
	tcase_add_test(tc, contexts_survive_reopening);
	tcase_add_loop_test(tc, kill_loses_nothing_acknowledged, 0, 20);
	tcase_add_test(tc, full_store_refuses_and_heals);
	tcase_add_test(tc, failed_sync_ends_acknowledging);
	tcase_add_test(tc, other_key_is_refused);
	tcase_add_test(tc, store_follows_a_rotation);
	tcase_add_test(tc, index_agrees_with_a_list);
	tcase_add_test(tc, file_holds_no_key);
	tcase_add_test(tc, revisions_touch_their_users_alone);
	tcase_add_test(tc, a_certificates_contexts_end_alone);
	tcase_add_test(tc, many_revisions_at_once);
	tcase_add_loop_test(tc, damaged_record_is_refused, 0, sizeof(damage_rows) / sizeof(damage_rows[0]));
	tcase_add_test(tc, uss_list_survives_packing);
	tcase_add_test(tc, tmpi_index_reads_only_tmpis);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
