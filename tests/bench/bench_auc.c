/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors per second inside the AuC with durable SQN, on one core, beside what they stand on in the same run: bare
 * aka_vector_make and bare durable commits. Output: one "name value unit" line each.
 *   bench_auc [seconds] [subscribers] [folder] [database] */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "hss-stub/auc.h"
#include "hss-stub/sub_store.h"

#define WINDOW 4096 /* jobs in flight */

/* A job and the room its views point into. */
struct slot {
	struct auc_job *job;
	char impi[IMPI_MAX];
	struct slot *next;
};

static struct {
	struct auc *auc;
	struct kek *kek;
	char folder[256], db[1024], kek_path[300];
	unsigned int seconds, subscribers;
	pthread_mutex_t lock;
	pthread_cond_t freed;
	struct slot *idle;
	uint64_t done, failed;
} b = { .seconds = 3, .subscribers = 100000, .lock = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER };

static void must(enum gba_err err, const char *what)
{
	if (err == GBA_OK)
		return;
	fprintf(stderr, "bench_auc: %s: %s\n", what, gba_strerror(err));
	exit(1);
}

static void impi_of(uint64_t i, char *out)
{
	snprintf(out, IMPI_MAX, "00101%010llu@ims.mnc001.mcc001.3gppnetwork.org", (unsigned long long)i);
}

static void provision_one(struct sub_store *store, uint64_t i)
{
	struct subscriber_keys keys = { .k_len = 16 };
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct subscriber sub;
	char impi[IMPI_MAX];

	subscriber_init(&sub);
	impi_of(i, impi);
	sub.impi = bytes_of(impi);
	memcpy(keys.k, &i, sizeof(i));
	must(subscriber_seal(ctx, b.kek, &sub, &keys), "seal");
	must(sub_store_add(store, &sub, 1), "add");
	talloc_free(ctx);
}

static void provision(void)
{
	struct sub_store *store;
	const char *error;
	unsigned int i;

	must(sub_store_open(NULL, b.db, &store, &error), "open");
	must(sub_store_begin(store), "begin");
	for (i = 0; i < b.subscribers; i++)
		provision_one(store, i);
	must(sub_store_commit(store), "commit");
	talloc_free(store);
}

static void on_done(struct auc_job *job)
{
	struct slot *slot = job->arg;

	pthread_mutex_lock(&b.lock);
	b.done++;
	b.failed += job->err != GBA_OK;
	slot->next = b.idle;
	b.idle = slot;
	pthread_cond_signal(&b.freed);
	pthread_mutex_unlock(&b.lock);
}

static struct slot *slot_take(void)
{
	struct slot *slot;

	pthread_mutex_lock(&b.lock);
	while (b.idle == NULL)
		pthread_cond_wait(&b.freed, &b.lock);
	slot = b.idle;
	b.idle = slot->next;
	pthread_mutex_unlock(&b.lock);
	return slot;
}

static void ask(uint64_t i)
{
	struct slot *slot = slot_take();

	impi_of(i, slot->impi);
	slot->job->impi = bytes_of(slot->impi);
	slot->job->ind = 5;
	slot->job->done = on_done;
	slot->job->arg = slot;
	auc_submit(b.auc, slot->job);
}

static void all_back(uint64_t sent)
{
	uint64_t done;

	for (;;) {
		pthread_mutex_lock(&b.lock);
		done = b.done;
		pthread_mutex_unlock(&b.lock);
		if (done == sent)
			return;
		usleep(200);
	}
}

/* Vectors per second, up to WINDOW jobs in flight: for `seconds`, subscribers drawn at random from `among`; or, when
 * seconds is 0, each of them once. */
static double drive(unsigned int seconds, uint64_t among)
{
	uint64_t start = clock_mono_us(), until = start + seconds * 1000000ULL, state = 42, sent = 0;

	b.done = 0;
	while (seconds == 0 ? sent < among : sent % 64 != 0 || clock_mono_us() < until) {
		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		ask(seconds == 0 ? sent : (state >> 33) % among);
		sent++;
	}
	all_back(sent);
	return (double)sent * 1e6 / (double)(clock_mono_us() - start);
}

static double bare_vectors(void)
{
	static const uint8_t amf[AKA_AMF_LEN];
	uint64_t start = clock_mono_us(), n = 0;
	struct aka_key key = { .k_len = 16, .res_len = 8, .tuak_iterations = 1 };
	uint8_t rand[AKA_RAND_LEN];
	struct aka_vector vector;

	for (; n < 1000000; n++) {
		rand_bytes(rand, sizeof(rand));
		must(aka_vector_make(&key, rand, n, amf, &vector), "vector");
	}
	return (double)n * 1e6 / (double)(clock_mono_us() - start);
}

static double bare_commits(void)
{
	uint64_t start = clock_mono_us(), until = start + 1000000, n = 0, first;
	struct sub_store *store;
	const char *error;

	must(sub_store_open(NULL, b.db, &store, &error), "open");
	for (; clock_mono_us() < until; n++) {
		must(sub_store_begin(store), "begin");
		must(sub_store_lease(store, 1, 1, &first), "lease");
		must(sub_store_commit(store), "commit");
	}
	talloc_free(store);
	return (double)n * 1e6 / (double)(clock_mono_us() - start);
}

static void slots_make(TALLOC_CTX *ctx)
{
	unsigned int i;

	for (i = 0; i < WINDOW; i++) {
		struct slot *slot = talloc_zero(ctx, struct slot);

		slot->job = talloc_zero(NULL, struct auc_job);
		slot->next = b.idle;
		b.idle = slot;
	}
}

static void pin_to_one_core(void)
{
	cpu_set_t all, one;
	int cpu;

	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		return;
	for (cpu = CPU_SETSIZE - 1; cpu > 0 && !CPU_ISSET(cpu, &all); cpu--)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void clean_up(void)
{
	static const char *const tails[] = { "", "-wal", "-shm" };
	char name[1040];
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", b.db, tails[i]);
		unlink(name);
	}
	unlink(b.kek_path);
	rmdir(b.folder);
}

static void say(const char *name, double value)
{
	printf("%-28s %10.0f /s\n", name, value);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct auc_conf conf = { .lease_min = 32, .lease_max = 4096, .queue_max = 65536, .cache_octets = 256U << 20 };
	const char *error = "";

	if (argc > 1)
		b.seconds = (unsigned int)atoi(argv[1]);
	if (argc > 2)
		b.subscribers = (unsigned int)atoi(argv[2]);
	snprintf(b.folder, sizeof(b.folder), "%s/bench_auc.XXXXXX", argc > 3 ? argv[3] : "/var/tmp");
	if (mkdtemp(b.folder) == NULL || b.seconds == 0 || b.subscribers == 0)
		must(GBA_E_RANGE, "arguments");
	if (argc > 4)
		snprintf(b.db, sizeof(b.db), "%s", argv[4]);
	else
		snprintf(b.db, sizeof(b.db), "%s/hss.db", b.folder);
	snprintf(b.kek_path, sizeof(b.kek_path), "%s/hss.kek", b.folder);
	secret_init();
	pin_to_one_core(); /* the store's thread too: figures are per core */
	must(kek_open(NULL, b.kek_path, true, &b.kek), "kek");
	provision();
	say("floor.vector_make", bare_vectors());
	say("floor.durable_commit", bare_commits());
	conf.db_path = b.db;
	conf.kek = b.kek;
	if (auc_open(NULL, &conf, &b.auc, &error) != GBA_OK)
		must(GBA_E_IO, error);
	slots_make(NULL);
	say("auc.one_subscriber", drive(b.seconds, 1));
	say("auc.many_first_touch", drive(0, b.subscribers));
	say("auc.many_random", drive(b.seconds, b.subscribers));
	printf("%-28s %10llu\n", "auc.failed", (unsigned long long)b.failed);
	auc_close(b.auc);
	clean_up();
	return b.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
