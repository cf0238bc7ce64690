/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fixture.h"
#include "common/pg_server.h"
#include "core/clock.h"
#include "hss-stub/auc.h"
#include "hss-stub/sub_store.h"
#include "store/db.h"
#include "vectors/milenage.h"

#define IMPI_A "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
#define IMPI_B "001010000000002@ims.mnc001.mcc001.3gppnetwork.org"

static char folder[64], db[400], kek_path[96]; /* db: a file, or the connection string of a schema */
static struct kek *kek;
static struct auc *auc;
static struct sub_store *store; /* stands for another program with the file open */
static uint8_t next_rand[AKA_RAND_LEN];

static void rand_seam(uint8_t *out, size_t n)
{
	memcpy(out, next_rand, n);
}

static void folder_make(void)
{
	strcpy(folder, "/tmp/check_auc.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(db, sizeof(db), "%s/hss.db", folder);
	snprintf(kek_path, sizeof(kek_path), "%s/hss.kek", folder);
	ck_assert_err(kek_open(test_ctx, kek_path, true, &kek), GBA_OK);
	auc = NULL;
}

static void schema_make(void)
{
	folder_make();
	snprintf(db, sizeof(db), "%s", pg_server_schema("auc"));
}

static void folder_remove(void)
{
	static const char *const names[] = { "hss.db", "hss.db-wal", "hss.db-shm", "hss.kek" };
	char path[128];
	size_t i;

	if (auc != NULL)
		auc_close(auc);
	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

static struct auc *auc_start(TALLOC_CTX *ctx, size_t cache_octets, uint32_t lease_min, bool fixed_rand)
{
	struct auc_conf conf = { .db_path = db, .kek = kek, .lease_min = lease_min, .lease_max = 64, .queue_max = 1000, .store_ms = 30000,
				 .cache_octets = cache_octets, .random = fixed_rand ? rand_seam : NULL };
	const char *error = "";
	struct auc *opened = NULL;
	enum gba_err err = auc_open(ctx, &conf, &opened, &error);
	int tries;

	for (tries = 0; err == GBA_E_UNREACHABLE && tries < 100; tries++) { /* a test that ends all sessions meets a start */
		usleep(100000);
		err = auc_open(ctx, &conf, &opened, &error);
	}
	ck_assert_msg(err == GBA_OK, "%s", error);
	return opened;
}

static void store_open(void)
{
	const char *error = "";

	ck_assert_msg(sub_store_open(test_ctx, db, &store, &error) == GBA_OK, "%s", error);
}

static void add(struct subscriber *sub, struct subscriber_keys *keys)
{
	ck_assert_err(subscriber_seal(test_ctx, kek, sub, keys), GBA_OK);
	ck_assert_err(sub_store_begin(store), GBA_OK);
	ck_assert_err(sub_store_add(store, sub, 1000), GBA_OK);
	ck_assert_err(sub_store_commit(store), GBA_OK);
}

static void add_plain(const char *impi, uint64_t seq)
{
	struct subscriber_keys keys = { .k_len = 16, .k = { 1, 2, 3 } };
	struct subscriber sub;

	subscriber_init(&sub);
	sub.impi = bytes_of(impi);
	sub.seq = seq;
	add(&sub, &keys);
}

static pthread_mutex_t done_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done_wake = PTHREAD_COND_INITIALIZER;

static void on_done(struct auc_job *job)
{
	pthread_mutex_lock(&done_lock);
	*(bool *)job->arg = true;
	pthread_cond_signal(&done_wake);
	pthread_mutex_unlock(&done_lock);
}

/* Submit and wait. */
static struct auc_job *ask_full(const char *impi, unsigned int ind, struct bytes resync, const char *impu, time_t guss_held)
{
	struct auc_job *job = talloc_zero(test_ctx, struct auc_job);
	bool done = false;

	job->impi = bytes_of(impi);
	job->impu = bytes_of(impu);
	job->ind = ind;
	job->resync = resync;
	job->guss_held = guss_held;
	job->done = on_done;
	job->arg = &done;
	auc_submit(auc, job);
	pthread_mutex_lock(&done_lock);
	while (!done)
		pthread_cond_wait(&done_wake, &done_lock);
	pthread_mutex_unlock(&done_lock);
	return job;
}

static struct auc_job *ask(const char *impi, unsigned int ind)
{
	return ask_full(impi, ind, BYTES_NONE, NULL, 0);
}

static uint64_t durable_seq(const char *impi)
{
	struct subscriber *sub = NULL;

	ck_assert_err(sub_store_find(store, test_ctx, bytes_of(impi), &sub), GBA_OK);
	return sub->seq;
}

static uint64_t number_of(struct bytes octets)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < octets.n; i++)
		v = v << 8 | octets.p[i];
	return v;
}

/* Every set of TS 35.207/35.208: provisioned so that the set's SQN comes next. REQ: Y3056-9.6.2-3, OBF-7.1.2-1 */
START_TEST(vectors_are_those_of_35208)
{
	const struct milenage_row *row = &milenage_rows[_i];
	uint64_t sqn = number_of(fixture_hex(row->sqn));
	struct subscriber_keys keys = { .k_len = 16, .op_given = _i % 2 == 0 };
	struct subscriber sub;
	struct auc_job *job;

	store_open();
	subscriber_init(&sub);
	sub.impi = bytes_of(IMPI_A);
	sub.seq = (sqn >> 5) - 1;
	memcpy(sub.amf, fixture_hex(row->amf).p, AKA_AMF_LEN);
	memcpy(keys.k, fixture_hex(row->k).p, 16);
	memcpy(keys.op, fixture_hex(row->op).p, 16);
	if (!keys.op_given)
		memcpy(keys.opc, fixture_hex(row->opc).p, 16);
	add(&sub, &keys);
	memcpy(next_rand, fixture_hex(row->rand).p, AKA_RAND_LEN);
	auc = auc_start(test_ctx, 1 << 20, 8, true);
	job = ask(IMPI_A, sqn & 31);
	ck_assert_err(job->err, GBA_OK);
	ck_assert_uint_eq(job->sqn, sqn);
	ck_assert_bytes(BYTES(job->vector.autn, AKA_AUTN_LEN), fixture_hex(row->autn), row->name);
	ck_assert_bytes(BYTES(job->vector.xres, job->vector.xres_len), fixture_hex(row->f2), row->name);
	ck_assert_bytes(BYTES(job->vector.ck, AKA_CK_LEN), fixture_hex(row->f3), row->name);
	ck_assert_bytes(BYTES(job->vector.ik, AKA_IK_LEN), fixture_hex(row->f4), row->name);
	ck_assert_uint_eq(durable_seq(IMPI_A), (sqn >> 5) + 7);
}
END_TEST

/* TS 35.233 set 1; AUTN = SQN ^ f5 || AMF || f1 put together by hand. REQ: OBF-10.1.2-b1 */
START_TEST(tuak_vector_is_that_of_35233)
{
	struct subscriber_keys keys = { .k_len = 16, .op_given = true };
	struct subscriber sub;
	struct auc_job *job;

	store_open();
	subscriber_init(&sub);
	sub.impi = bytes_of(IMPI_A);
	sub.alg = AKA_TUAK;
	sub.res_len = 4;
	sub.seq = UINT64_C(0x8888888888) - 1;
	sub.amf[0] = sub.amf[1] = 0xff;
	memset(keys.k, 0xab, 16);
	memset(keys.op, 0x55, 32);
	add(&sub, &keys);
	memset(next_rand, 0x42, AKA_RAND_LEN);
	auc = auc_start(test_ctx, 1 << 20, 8, true);
	job = ask(IMPI_A, 17);
	ck_assert_err(job->err, GBA_OK);
	ck_assert_bytes(BYTES(job->vector.autn, AKA_AUTN_LEN), fixture_hex("608e0f8a8145 ffff f9a54e6aeaa8618d"), "AUTN");
	ck_assert_bytes(BYTES(job->vector.xres, job->vector.xres_len), fixture_hex("657acd64"), "XRES");
	ck_assert_bytes(BYTES(job->vector.ck, AKA_CK_LEN), fixture_hex("d71a1e5c6caffe986a26f783e5c78be1"), "CK");
	ck_assert_bytes(BYTES(job->vector.ik, AKA_IK_LEN), fixture_hex("be849fa2564f869aecee6f62d4337e72"), "IK");
}
END_TEST

/* AUTS of TS 35.208 set 1, SQN_MS = ff9bb4d0b607 (SEQ 7fcdda685b0, IND 7). SQN_HE is below, far above, or in range. */
static const struct {
	const char *name, *auts;
	uint64_t seq_before;
	enum gba_err err;
	uint64_t seq_next; /* of the vector that follows */
} resync_rows[] = {
	{ "HE behind", "ba853f3c123ccf44e93596e355c6", 5, GBA_OK, 0x7fcdda685b1 },
	{ "HE equal", "ba853f3c123ccf44e93596e355c6", 0x7fcdda685b0, GBA_OK, 0x7fcdda685b1 },
	{ "HE in range stays", "ba853f3c123ccf44e93596e355c6", 0x7fcdda685b0 + 100, GBA_OK, 0x7fcdda685b0 + 101 },
	{ "HE at the range's end", "ba853f3c123ccf44e93596e355c6", 0x7fcdda685b0 + (1 << 28) - 1, GBA_OK,
	  0x7fcdda685b0 + (1 << 28) },
	{ "HE beyond the range", "ba853f3c123ccf44e93596e355c6", 0x7fcdda685b0 + (1 << 28), GBA_OK, 0x7fcdda685b1 },
	{ "MAC-S wrong", "ba853f3c123ccf44e93596e355c7", 5, GBA_E_AUTS, 6 },
	{ "SQN_MS altered", "ba853f3c123dcf44e93596e355c6", 5, GBA_E_AUTS, 6 },
	{ "all zero", "0000000000000000000000000000", 5, GBA_E_AUTS, 6 },
};

START_TEST(resynchronises_as_33102_says)
{
	const struct milenage_row *row = &milenage_rows[0];
	struct subscriber_keys keys = { .k_len = 16 };
	uint8_t rand_auts[AUC_RESYNC_LEN];
	struct subscriber sub;
	struct auc_job *job;

	store_open();
	subscriber_init(&sub);
	sub.impi = bytes_of(IMPI_A);
	sub.seq = resync_rows[_i].seq_before;
	sub.amf[0] = 0xb9; /* MAC-S uses AMF* = 0000 whatever this is */
	memcpy(keys.k, fixture_hex(row->k).p, 16);
	memcpy(keys.opc, fixture_hex(row->opc).p, 16);
	add(&sub, &keys);
	auc = auc_start(test_ctx, 1 << 20, 1, false);
	memcpy(rand_auts, fixture_hex(row->rand).p, AKA_RAND_LEN);
	memcpy(rand_auts + AKA_RAND_LEN, fixture_hex(resync_rows[_i].auts).p, AKA_AUTS_LEN);
	job = ask_full(IMPI_A, 3, BYTES(rand_auts, sizeof(rand_auts)), NULL, 0);
	ck_assert_msg(job->err == resync_rows[_i].err, "%s: %s", resync_rows[_i].name, gba_err_name(job->err));
	if (job->err != GBA_OK) {
		ck_assert_uint_eq(durable_seq(IMPI_A), resync_rows[_i].seq_before); /* nothing changed */
		job = ask(IMPI_A, 3);
	}
	ck_assert_uint_eq(job->sqn, resync_rows[_i].seq_next << 5 | 3);
	ck_assert_uint_ge(durable_seq(IMPI_A), resync_rows[_i].seq_next);
}
END_TEST

START_TEST(resync_drops_what_was_leased_below)
{
	const struct milenage_row *row = &milenage_rows[0];
	struct subscriber_keys keys = { .k_len = 16 };
	uint8_t rand_auts[AUC_RESYNC_LEN];
	struct subscriber sub;

	store_open();
	subscriber_init(&sub);
	sub.impi = bytes_of(IMPI_A);
	sub.seq = 0x7fcdda685b0 - 10; /* a lease of 64 spans SEQ_MS */
	memcpy(keys.k, fixture_hex(row->k).p, 16);
	memcpy(keys.opc, fixture_hex(row->opc).p, 16);
	add(&sub, &keys);
	auc = auc_start(test_ctx, 1 << 20, 64, false);
	ck_assert_uint_eq(ask(IMPI_A, 3)->sqn >> 5, 0x7fcdda685b0 - 9);
	memcpy(rand_auts, fixture_hex(row->rand).p, AKA_RAND_LEN);
	memcpy(rand_auts + AKA_RAND_LEN, fixture_hex(row->auts).p, AKA_AUTS_LEN);
	ck_assert_uint_gt(ask_full(IMPI_A, 3, BYTES(rand_auts, sizeof(rand_auts)), NULL, 0)->sqn >> 5, 0x7fcdda685b0);
	ck_assert_uint_gt(ask(IMPI_A, 3)->sqn >> 5, 0x7fcdda685b0);
}
END_TEST

START_TEST(refuses_with_the_row_of_the_reason)
{
	struct subscriber sub;
	struct subscriber_keys keys = { .k_len = 16 };

	store_open();
	add_plain(IMPI_A, 0);
	subscriber_init(&sub);
	sub.impi = bytes_of(IMPI_B);
	sub.impus = bytes_of("tel:+15550100\nsip:alice@example.com");
	sub.state = SUBSCRIBER_BARRED;
	add(&sub, &keys);
	auc = auc_start(test_ctx, 1 << 20, 8, false);
	ck_assert_err(ask("no-at-sign", 5)->err, GBA_E_IMPI_SYNTAX);
	ck_assert_err(ask("001010000000009@ims.mnc001.mcc001.3gppnetwork.org", 5)->err, GBA_E_IMPI_UNKNOWN);
	ck_assert_err(ask(IMPI_B, 5)->err, GBA_E_IMPI_BARRED);
	ck_assert_err(ask(IMPI_A, 32)->err, GBA_E_CONF);
	ck_assert_err(ask_full(IMPI_A, 5, BYTES_NONE, "sip:alice@example.com", 0)->err, GBA_E_IMPI_UNKNOWN);
	ck_assert_err(ask_full(IMPI_B, 5, BYTES_NONE, "sip:alice@example.com", 0)->err, GBA_E_IMPI_BARRED);
	ck_assert_err(ask_full(IMPI_A, 5, BYTES_NONE, "sip:" IMPI_A, 0)->err, GBA_OK);
	ck_assert_err(ask("001010000000001@IMS.mnc001.mcc001.3gppnetwork.ORG", 5)->err, GBA_OK); /* realms have no case */
	ck_assert_uint_eq(durable_seq(IMPI_B), 0);
}
END_TEST

START_TEST(each_node_has_its_ind_and_seq_only_grows)
{
	uint64_t last = 0;
	int i;

	store_open();
	add_plain(IMPI_A, 0);
	auc = auc_start(test_ctx, 1 << 20, 4, false);
	for (i = 0; i < 100; i++) {
		struct auc_job *job = ask(IMPI_A, i % 2 == 0 ? 5 : 9);

		ck_assert_err(job->err, GBA_OK);
		ck_assert_uint_eq(job->sqn & 31, i % 2 == 0 ? 5 : 9);
		ck_assert_uint_gt(job->sqn >> 5, last);
		last = job->sqn >> 5;
		ck_assert_uint_le(last, durable_seq(IMPI_A));
	}
	auc_close(auc);
	auc = auc_start(test_ctx, 1 << 20, 4, false);
	ck_assert_uint_gt(ask(IMPI_A, 5)->sqn >> 5, last);
}
END_TEST

START_TEST(sqn_space_ends_with_an_error)
{
	store_open();
	add_plain(IMPI_A, (UINT64_C(1) << 43) - 3);
	auc = auc_start(test_ctx, 1 << 20, 8, false);
	ck_assert_uint_eq(ask(IMPI_A, 0)->sqn >> 5, (UINT64_C(1) << 43) - 2);
	ck_assert_uint_eq(ask(IMPI_A, 0)->sqn >> 5, (UINT64_C(1) << 43) - 1);
	ck_assert_err(ask(IMPI_A, 0)->err, GBA_E_SQN_USED_UP);
	ck_assert_err(ask(IMPI_A, 0)->err, GBA_E_SQN_USED_UP);
}
END_TEST

/* The first job with this outcome; on a busy machine it may take longer than AUC_STALE_MS. */
static struct auc_job *ask_until(const char *impi, enum gba_err want)
{
	struct auc_job *job = ask(impi, 5);
	int i;

	for (i = 0; i < 3000 && job->err != want; i++) {
		usleep(10000);
		talloc_free(job);
		job = ask(impi, 5);
	}
	ck_assert_err(job->err, want);
	return job;
}

/* Another program's commit holds for jobs AUC_STALE_MS later. */
START_TEST(changes_from_outside_are_seen)
{
	struct subscriber *sub = NULL;

	store_open();
	add_plain(IMPI_A, 0);
	auc = auc_start(test_ctx, 1 << 20, 64, false);
	ck_assert_err(ask(IMPI_A, 5)->err, GBA_OK);
	ck_assert_err(sub_store_find(store, test_ctx, bytes_of(IMPI_A), &sub), GBA_OK);
	sub->state = SUBSCRIBER_BARRED;
	ck_assert_err(sub_store_update(store, sub, 1001), GBA_OK);
	ask_until(IMPI_A, GBA_E_IMPI_BARRED);
	ck_assert_err(sub_store_set_seq(store, sub->id, 500000), GBA_OK);
	sub->state = SUBSCRIBER_ACTIVE;
	ck_assert_err(sub_store_update(store, sub, 1002), GBA_OK);
	ck_assert_uint_eq(ask_until(IMPI_A, GBA_OK)->sqn >> 5, 500001);
	ck_assert_err(sub_store_begin(store), GBA_OK);
	ck_assert_err(sub_store_remove(store, sub->id), GBA_OK);
	ck_assert_err(sub_store_commit(store), GBA_OK);
	ask_until(IMPI_A, GBA_E_IMPI_UNKNOWN);
}
END_TEST

START_TEST(unrelated_changes_keep_the_lease)
{
	store_open();
	add_plain(IMPI_A, 0);
	auc = auc_start(test_ctx, 1 << 20, 64, false);
	ck_assert_uint_eq(ask(IMPI_A, 5)->sqn >> 5, 1);
	add_plain(IMPI_B, 0);
	usleep(1000 * AUC_STALE_MS);
	ck_assert_uint_eq(ask(IMPI_A, 5)->sqn >> 5, 2);
}
END_TEST

/* Another handle writes for long (an import that is all or nothing): vectors go on, and no SQN returns, whatever becomes of it.
 * With SQLite they are leased aside; a node that dies meanwhile, or has them taken over by another one, changes nothing. */
START_TEST(vectors_go_on_beside_a_long_write)
{
	static const char *const impis[] = { IMPI_A, IMPI_B };
	struct aside_hold *hold = NULL;
	uint64_t last[2] = { 0, 0 };
	int round, i;

	store_open();
	add_plain(IMPI_A, 100);
	add_plain(IMPI_B, 200);
	auc = auc_start(test_ctx, 1 << 20, 1, false);
	for (round = 0; round < 60; round++) {
		if (round % 20 == 10) { /* it begins */
			ck_assert_err(db_begin(sub_store_db(store)), GBA_OK);
			ck_assert_err(sub_store_long_begin(store, &hold), GBA_OK);
		}
		if (round % 20 == 19) { /* it ends: undone, done, or with the node restarted before */
			if (round == 59) {
				auc_close(auc);
				auc = auc_start(test_ctx, 1 << 20, 1, false);
			}
			if (round == 19)
				db_rollback(sub_store_db(store));
			else
				ck_assert_err(db_commit(sub_store_db(store)), GBA_OK);
			ck_assert_err(ask(IMPI_A, 5)->err, GBA_OK); /* ended, but not shut */
			sub_store_long_end(hold);
		}
		for (i = 0; i < 2; i++) {
			struct auc_job *job = ask(impis[i], 5);

			ck_assert_err(job->err, GBA_OK);
			ck_assert_uint_gt(job->sqn >> 5, last[i]);
			last[i] = job->sqn >> 5;
		}
	}
	ck_assert_err(sub_store_begin(store), GBA_OK); /* what was leased aside is in the database, and the file is gone */
	ck_assert_uint_ge(durable_seq(IMPI_A), last[0]);
	ck_assert_uint_ge(durable_seq(IMPI_B), last[1]);
	sub_store_rollback(store);
	ck_assert_int_ne(access(talloc_asprintf(test_ctx, "%s-leases", db), F_OK), 0);
}
END_TEST

static const char guss_xml[] = "<guss id=\"" IMPI_A "\"><bsfInfo><uiccType>GBA_U</uiccType></bsfInfo>"
			       "<ussList><uss id=\"1\" type=\"1\"><uids><uid>a</uid></uids></uss></ussList></guss>";

START_TEST(guss_goes_out_unless_the_asker_has_it)
{
	struct subscriber_keys keys = { .k_len = 16 };
	const char *why = NULL;
	struct subscriber sub;

	store_open();
	subscriber_init(&sub);
	sub.impi = bytes_of(IMPI_A);
	ck_assert_err(subscriber_set_guss(test_ctx, &sub, bytes_of(guss_xml), 5000, &why), GBA_OK);
	ck_assert_int_eq(sub.uicc, GUSS_UICC_GBA_U);
	add(&sub, &keys);
	auc = auc_start(test_ctx, 1 << 20, 8, false);
	ck_assert(bytes_eq_str(ask(IMPI_A, 5)->guss, guss_xml));
	ck_assert(bytes_eq_str(ask_full(IMPI_A, 5, BYTES_NONE, NULL, 4999)->guss, guss_xml));
	ck_assert_ptr_null(ask_full(IMPI_A, 5, BYTES_NONE, NULL, 5000)->guss.p);
	ck_assert_ptr_null(ask_full(IMPI_A, 5, BYTES_NONE, NULL, 5001)->guss.p);
	ck_assert_err(subscriber_set_guss(test_ctx, &sub, bytes_of(guss_xml), 5000, &why), GBA_OK);
	ck_assert_int_eq(sub.guss_time, 5001); /* two changes within a second are two times */
}
END_TEST

START_TEST(keys_are_bound_to_their_subscriber)
{
	struct subscriber_keys keys = { .k_len = 16, .k = { 7 } }, again;
	struct subscriber sub, thief;

	subscriber_init(&sub);
	sub.impi = bytes_of(IMPI_A);
	ck_assert_err(subscriber_seal(test_ctx, kek, &sub, &keys), GBA_OK);
	ck_assert_err(subscriber_unseal(kek, &sub, &again), GBA_OK);
	ck_assert_bytes(BYTES(again.k, 16), BYTES(keys.k, 16), "K");
	thief = sub;
	thief.impi = bytes_of(IMPI_B);
	ck_assert_err(subscriber_unseal(kek, &thief, &again), GBA_E_CORRUPT);
	thief = sub;
	thief.op_given = true;
	ck_assert_err(subscriber_unseal(kek, &thief, &again), GBA_E_CORRUPT);
	keys.k_len = 15;
	ck_assert_err(subscriber_seal(test_ctx, kek, &sub, &keys), GBA_E_RANGE);
}
END_TEST

START_TEST(small_cache_forgets_but_never_repeats)
{
	char impi[IMPI_MAX + 1];
	uint64_t last[20] = { 0 };
	int i;

	store_open();
	for (i = 0; i < 20; i++) {
		snprintf(impi, sizeof(impi), "u%d@example.com", i);
		add_plain(impi, 0);
	}
	auc = auc_start(test_ctx, 1500, 8, false); /* room for three */
	for (i = 0; i < 400; i++) {
		int who = (i * 7 + i / 3) % 20;
		struct auc_job *job;

		snprintf(impi, sizeof(impi), "u%d@example.com", who);
		job = ask(impi, 1);
		ck_assert_err(job->err, GBA_OK);
		ck_assert_uint_gt(job->sqn >> 5, last[who]);
		last[who] = job->sqn >> 5;
		talloc_free(job);
	}
}
END_TEST

/* Full disk: a clear error, nothing that says "unknown", and service again when there is room. */
START_TEST(full_store_is_not_ignorance)
{
	struct rlimit small, before;
	enum gba_err err = GBA_OK;
	uint64_t last = 0;
	int i;

	signal(SIGXFSZ, SIG_IGN);
	store_open();
	add_plain(IMPI_A, 0);
	auc = auc_start(test_ctx, 1 << 20, 1, false);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = 65536;
	setrlimit(RLIMIT_FSIZE, &small);
	for (i = 0; i < 2000 && err == GBA_OK; i++) {
		struct auc_job *job = ask(IMPI_A, 5);

		err = job->err;
		if (err == GBA_OK) {
			ck_assert_uint_gt(job->sqn >> 5, last);
			last = job->sqn >> 5;
		}
		talloc_free(job);
	}
	ck_assert_err(err, GBA_E_NOSPACE);
	ck_assert_err(ask(IMPI_B, 5)->err, GBA_E_IMPI_UNKNOWN);
	setrlimit(RLIMIT_FSIZE, &before);
	ck_assert_err(ask(IMPI_A, 5)->err, GBA_OK);
	ck_assert_uint_gt(ask(IMPI_A, 5)->sqn >> 5, last);
}
END_TEST

#define CRASH_SUBSCRIBERS 5
#define CRASH_ROUNDS	  20
struct issued {
	uint32_t who;
	uint64_t seq;
};
static int journal;

static void journal_done(struct auc_job *job)
{
	struct issued one = { .who = (uint32_t)(uintptr_t)job->arg, .seq = job->sqn >> 5 };

	if (job->err == GBA_OK && write(journal, &one, sizeof(one)) != sizeof(one))
		_exit(1);
	talloc_free(job);
}

/* Serve under load until killed: what leaves the AuC is in the journal before anything else happens. */
static void crash_child(void)
{
	static char impi[CRASH_SUBSCRIBERS][32];
	unsigned int i;

	auc = auc_start(NULL, 1 << 20, 4, false);
	for (i = 0;; i++) {
		struct auc_job *job = talloc_zero(NULL, struct auc_job);
		unsigned int who = i % CRASH_SUBSCRIBERS;

		snprintf(impi[who], sizeof(impi[who]), "u%u@example.com", who);
		job->impi = bytes_of(impi[who]);
		job->done = journal_done;
		job->arg = (void *)(uintptr_t)who;
		auc_submit(auc, job);
		if (i % 16 == 0)
			usleep(50);
	}
}

static int by_who_and_seq(const void *a, const void *b)
{
	const struct issued *x = a, *y = b;

	if (x->who != y->who)
		return x->who < y->who ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void assert_none_twice(const char *path)
{
	FILE *in = fopen(path, "rb");
	struct issued *all;
	size_t n, i;

	ck_assert_ptr_nonnull(in);
	fseek(in, 0, SEEK_END);
	n = (size_t)ftell(in) / sizeof(*all);
	rewind(in);
	all = talloc_array(test_ctx, struct issued, n);
	ck_assert_uint_eq(fread(all, sizeof(*all), n, in), n);
	fclose(in);
	ck_assert_uint_gt(n, CRASH_ROUNDS * 10);
	qsort(all, n, sizeof(*all), by_who_and_seq);
	for (i = 1; i < n; i++)
		ck_assert_msg(by_who_and_seq(&all[i - 1], &all[i]) < 0, "u%u: SEQ %llu left twice", all[i].who,
			      (unsigned long long)all[i].seq);
}

/* Until so many more have left. */
static void wait_issued(size_t more)
{
	off_t until = lseek(journal, 0, SEEK_END) + (off_t)(more * sizeof(struct issued));
	int steps = 0;

	while (lseek(journal, 0, SEEK_END) < until && steps++ < 6000)
		usleep(5000);
	ck_assert_int_ge(lseek(journal, 0, SEEK_END), until);
}

START_TEST(no_sqn_leaves_twice_over_kills)
{
	char path[128], impi[32];
	int round, status;

	store_open();
	for (round = 0; round < CRASH_SUBSCRIBERS; round++) {
		snprintf(impi, sizeof(impi), "u%d@example.com", round);
		add_plain(impi, 0);
	}
	talloc_free(store);
	snprintf(path, sizeof(path), "%s/journal", folder);
	journal = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	for (round = 0; round < CRASH_ROUNDS; round++) {
		pid_t child = fork();

		ck_assert_int_ge(child, 0);
		if (child == 0) {
			talloc_disable_null_tracking(); /* jobs are roots, freed by another thread */
			crash_child();
		}
		wait_issued(11);
		usleep((useconds_t)(round * 4099 % 30000));
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		ck_assert(WIFSIGNALED(status));
	}
	close(journal);
	assert_none_twice(path);
	unlink(path);
}
END_TEST

static pid_t crash_node(void)
{
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		talloc_disable_null_tracking();
		crash_child();
	}
	return child;
}

/* Two nodes on one database, killed in turn while both serve the same subscribers; on a server its sessions are ended too. */
START_TEST(two_nodes_never_repeat_an_sqn)
{
	char path[128], impi[32];
	int round, status;
	pid_t node[2];

	store_open();
	for (round = 0; round < CRASH_SUBSCRIBERS; round++) {
		snprintf(impi, sizeof(impi), "u%d@example.com", round);
		add_plain(impi, 0);
	}
	talloc_free(store);
	snprintf(path, sizeof(path), "%s/journal", folder);
	journal = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	node[0] = crash_node();
	node[1] = crash_node();
	for (round = 0; round < 6; round++) {
		wait_issued(100);
		if (_i == 1 && round % 2 == 1) {
			pg_server_cut();
			wait_issued(100);
		}
		kill(node[round % 2], SIGKILL);
		ck_assert_int_eq(waitpid(node[round % 2], &status, 0), node[round % 2]);
		ck_assert(WIFSIGNALED(status)); /* it did not end by itself */
		node[round % 2] = crash_node();
	}
	wait_issued(100);
	for (round = 0; round < 2; round++) {
		kill(node[round], SIGKILL);
		waitpid(node[round], &status, 0);
	}
	close(journal);
	assert_none_twice(path);
	unlink(path);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

static void both_add(TCase *tc, int server)
{
	tcase_add_loop_test(tc, resynchronises_as_33102_says, 0, ROWS(resync_rows));
	tcase_add_test(tc, resync_drops_what_was_leased_below);
	tcase_add_test(tc, refuses_with_the_row_of_the_reason);
	tcase_add_test(tc, each_node_has_its_ind_and_seq_only_grows);
	tcase_add_test(tc, sqn_space_ends_with_an_error);
	tcase_add_test(tc, changes_from_outside_are_seen);
	tcase_add_test(tc, unrelated_changes_keep_the_lease);
	tcase_add_test(tc, vectors_go_on_beside_a_long_write);
	tcase_add_test(tc, guss_goes_out_unless_the_asker_has_it);
	tcase_add_test(tc, keys_are_bound_to_their_subscriber);
	tcase_add_test(tc, small_cache_forgets_but_never_repeats);
	tcase_add_loop_test(tc, two_nodes_never_repeat_an_sqn, server, server + 1);
}

int main(void)
{
	Suite *suite = suite_create("auc");
	TCase *file = fixture_tcase("auc"), *server = fixture_tcase("auc on PostgreSQL");
	int failed;

	tcase_add_checked_fixture(file, folder_make, folder_remove);
	tcase_add_loop_test(file, vectors_are_those_of_35208, 0, ROWS(milenage_rows));
	tcase_add_test(file, tuak_vector_is_that_of_35233);
	both_add(file, 0);
	tcase_add_test(file, full_store_is_not_ignorance);
	tcase_add_test(file, no_sqn_leaves_twice_over_kills);
	suite_add_tcase(suite, file);
	tcase_add_checked_fixture(server, schema_make, folder_remove);
	both_add(server, 1);
	if (pg_server_start())
		suite_add_tcase(suite, server);
	else
		printf("no PostgreSQL server here: its half is left out\n");
	failed = fixture_run(suite);
	pg_server_stop();
	return failed;
}
