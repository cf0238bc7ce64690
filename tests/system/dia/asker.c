/* SPDX-License-Identifier: Apache-2.0 */
/* A client for tests of the stack: asks with BIRs through lib/dia as its argument says (words separated by '+'):
 *   count=N  window=N  timeout=MS  realm=NAME  wait=MS (before the first)
 * and prints a line for each outcome, or with `quiet` one of totals: "asked <n> in <us> us: GBA_OK=.. GBA_E_TIMEOUT=.." */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "dia/zn.h"

static struct {
	unsigned int count, window, timeout_ms, wait_ms;
	char realm[128];
	bool quiet;
	pthread_t thread;
	sem_t room;
	_Atomic unsigned int outcomes[GBA_ERR_COUNT], done;
	_Atomic bool stop;
} asker = { .count = 1, .window = 1, .timeout_ms = 1000, .realm = "lab.test" };

static void on_done(void *arg, enum gba_err err, struct msg *answer)
{
	struct dia_result result = { 0 };

	if (answer != NULL)
		(void)dia_answer_result(answer, &result);
	if (!asker.quiet) {
		printf("outcome %u: %s vendor=%u code=%u answer=%s\n", (unsigned int)(uintptr_t)arg, gba_err_name(err), result.vendor,
		       result.code, answer != NULL ? "yes" : "no");
		fflush(stdout);
	}
	atomic_fetch_add(&asker.outcomes[err], 1);
	atomic_fetch_add(&asker.done, 1);
	sem_post(&asker.room);
}

static enum gba_err ask(unsigned int n)
{
	static struct bytes gsids[] = { { (const uint8_t *)"1", 1 } };
	struct zn_bir bir = { .gsids = { gsids, 1 }, .gba_u_aware = 1, .naf_id = BYTES("naf.lab.test\x01\x00\x00\x00\x02", 17),
			      .btid = bytes_of("I1U8vpY3qJ0hiuZNrke/NQ==@bsf.lab.test") };
	struct msg *msg;
	enum gba_err err;

	err = dia_request_new(&zn_bir_cmd, bytes_of(asker.realm), BYTES_NONE, &msg);
	if (err != GBA_OK)
		return err;
	err = dia_encode(msg, zn_bir_fields, &bir);
	if (err != GBA_OK) {
		fd_msg_free(msg);
		return err;
	}
	return dia_request_send(&msg, asker.timeout_ms, on_done, (void *)(uintptr_t)n);
}

static void print_totals(uint64_t us)
{
	int err;

	printf("asked %u in %llu us:", asker.count, (unsigned long long)us);
	for (err = 0; err < GBA_ERR_COUNT; err++) {
		if (asker.outcomes[err] > 0)
			printf(" %s=%u", gba_err_name(err), asker.outcomes[err]);
	}
	printf("\n");
	fflush(stdout);
}

static void *run(void *arg)
{
	uint64_t began;
	unsigned int n;

	(void)arg;
	if (fd_core_waitstartcomplete() != 0)
		return NULL;
	while (!dia_peer_ready(DIA_APP_ZN) && !atomic_load(&asker.stop))
		usleep(20000);
	usleep(asker.wait_ms * 1000);
	began = clock_mono_us();
	for (n = 0; n < asker.count && !atomic_load(&asker.stop); n++) {
		sem_wait(&asker.room);
		if (ask(n) != GBA_OK)
			on_done((void *)(uintptr_t)n, GBA_E_INTERNAL, NULL);
	}
	while (atomic_load(&asker.done) < asker.count && !atomic_load(&asker.stop))
		usleep(1000);
	print_totals(clock_mono_us() - began);
	return NULL;
}

static void read_words(char *conf)
{
	char *word, *save = NULL;

	for (word = strtok_r(conf, "+", &save); word != NULL; word = strtok_r(NULL, "+", &save)) {
		sscanf(word, "count=%u", &asker.count);
		sscanf(word, "window=%u", &asker.window);
		sscanf(word, "timeout=%u", &asker.timeout_ms);
		sscanf(word, "wait=%u", &asker.wait_ms);
		sscanf(word, "realm=%127s", asker.realm);
		asker.quiet |= strcmp(word, "quiet") == 0;
	}
}

static int asker_entry(char *conf)
{
	if (conf != NULL)
		read_words(conf);
	if (zn_resolve() != GBA_OK)
		return EINVAL;
	sem_init(&asker.room, 0, asker.window);
	return pthread_create(&asker.thread, NULL, run, NULL);
}

EXTENSION_ENTRY("asker", asker_entry, "dict_gba");

void fd_ext_fini(void);
void fd_ext_fini(void)
{
	atomic_store(&asker.stop, true);
	sem_post(&asker.room);
	dia_requests_stop();
	pthread_join(asker.thread, NULL);
}
