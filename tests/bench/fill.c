/* SPDX-License-Identifier: Apache-2.0 */
/* Fill a node's store before it is started:
 *   fill subscribers DB KEK N IMPI K OPC     N subscribers with one K and OPc; in IMPI "%u" stands for ten digits
 *   fill contexts DIR KEK N IMPI FQDN TOKENS N live bootstrap contexts; the first 20000 go to TOKENS ("B-TID IMPI Ks") */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bsf/ctx_lmdb.h"
#include "core/clock.h"
#include "core/codec.h"
#include "hss-stub/sub_store.h"

#define BATCH	    50000
#define TOKENS_MAX  20000
#define IN_FLIGHT   10000 /* the store queues 16384 */
#define LIFE	    86400 /* [s] */

static void must(enum gba_err err, const char *what)
{
	if (err == GBA_OK)
		return;
	fprintf(stderr, "fill: %s: %s\n", what, gba_strerror(err));
	exit(EXIT_FAILURE);
}

static void impi_of(const char *format, unsigned int i, char out[IMPI_MAX + 1])
{
	const char *mark = strstr(format, "%u");

	if (mark == NULL)
		must(GBA_E_RANGE, "IMPI without %u");
	snprintf(out, IMPI_MAX + 1, "%.*s%010u%s", (int)(mark - format), format, i, mark + 2);
}

static void subscriber_add(struct sub_store *store, struct kek *kek, const char *impi, const struct subscriber_keys *like)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct subscriber_keys keys = *like;
	struct subscriber sub;

	subscriber_init(&sub);
	sub.impi = bytes_of(impi);
	must(subscriber_seal(ctx, kek, &sub, &keys), "seal");
	must(sub_store_add(store, &sub, time(NULL)), "add");
	talloc_free(ctx);
}

static void subscribers(char **argv)
{
	struct subscriber_keys keys = { .k_len = 16 };
	unsigned int n = (unsigned int)strtoul(argv[2], NULL, 10);
	struct sub_store *store;
	const char *error = "";
	char impi[IMPI_MAX + 1];
	struct kek *kek;

	must(hex_decode(bytes_of(argv[4]), keys.k, 16), "K");
	must(hex_decode(bytes_of(argv[5]), keys.opc, 16), "OPc");
	must(kek_open(NULL, argv[1], true, &kek), "key file");
	must(sub_store_open(NULL, argv[0], &store, &error), error);
	for (unsigned int i = 0; i < n; i++) {
		if (i % BATCH == 0)
			must(sub_store_begin(store), "begin");
		impi_of(argv[3], i, impi);
		subscriber_add(store, kek, impi, &keys);
		if (i % BATCH == BATCH - 1 || i == n - 1)
			must(sub_store_commit(store), "commit");
	}
	talloc_free(store);
	talloc_free(kek);
}

static struct {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	unsigned int in_flight;
} put = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

static void on_put(void *arg, enum gba_err err)
{
	must(err, "put");
	pthread_mutex_lock(&put.lock);
	put.in_flight--;
	pthread_cond_signal(&put.freed);
	pthread_mutex_unlock(&put.lock);
	talloc_free(arg);
}

static void wait_below(unsigned int limit)
{
	pthread_mutex_lock(&put.lock);
	while (put.in_flight >= limit)
		pthread_cond_wait(&put.freed, &put.lock);
	pthread_mutex_unlock(&put.lock);
}

static void token_write(FILE *tokens, const struct ctx *ctx, const char *impi, const char *fqdn)
{
	char btid[BTID_MAX + 1], ks[HEX_LEN(GBA_KS_LEN) + 1];

	btid_format(ctx->rand, bytes_of(fqdn), btid);
	hex_encode(BYTES(ctx->ks, GBA_KS_LEN), ks);
	fprintf(tokens, "%s %s %s\n", btid, impi, ks);
}

static void context_put(struct ctx_store *store, struct ctx *ctx)
{
	TALLOC_CTX *mem = talloc_new(NULL);

	wait_below(IN_FLIGHT);
	pthread_mutex_lock(&put.lock);
	put.in_flight++;
	pthread_mutex_unlock(&put.lock);
	must(store->ops->put(store, mem, ctx, on_put, mem), "put");
}

static void contexts_make(struct ctx_store *store, unsigned int n, const char *format, const char *fqdn, FILE *tokens)
{
	char impi[IMPI_MAX + 1];

	for (unsigned int i = 0; i < n; i++) {
		struct ctx ctx = { .created = time(NULL), .expires = time(NULL) + LIFE };

		impi_of(format, i, impi);
		ctx.impi = bytes_of(impi);
		rand_bytes(ctx.rand, sizeof(ctx.rand));
		rand_bytes(ctx.ks, sizeof(ctx.ks));
		context_put(store, &ctx);
		if (i < TOKENS_MAX)
			token_write(tokens, &ctx, impi, fqdn);
	}
	wait_below(1);
}

static void contexts(char **argv)
{
	struct ctx_lmdb_conf conf = { .dir = argv[0], .max_mb = 4096, .sync = CTX_SYNC_PROCESS };
	FILE *tokens = fopen(argv[5], "w");
	const char *error = "";
	struct ctx_store *store;
	struct kek *kek;

	if (tokens == NULL)
		must(GBA_E_IO, argv[5]);
	must(kek_open(NULL, argv[1], true, &kek), "key file");
	conf.kek = kek;
	must(ctx_lmdb_open(NULL, &conf, &store, &error), error);
	contexts_make(store, (unsigned int)strtoul(argv[2], NULL, 10), argv[3], argv[4], tokens);
	store->ops->close(store);
	fclose(tokens);
	talloc_free(kek);
}

int main(int argc, char **argv)
{
	secret_init();
	if (argc == 8 && strcmp(argv[1], "subscribers") == 0) {
		subscribers(argv + 2);
		return EXIT_SUCCESS;
	}
	if (argc == 8 && strcmp(argv[1], "contexts") == 0) {
		contexts(argv + 2);
		return EXIT_SUCCESS;
	}
	fprintf(stderr, "usage: fill subscribers DB KEK N IMPI K OPC | contexts DIR KEK N IMPI FQDN TOKENS\n");
	return 2;
}
