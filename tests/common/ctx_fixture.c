/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ctx_fixture.h"

#include <semaphore.h>
#include <string.h>

struct ctx ctx_make(uint32_t n, const char *impi, time_t created, time_t life)
{
	struct ctx ctx = { .created = created, .expires = created + life, .impi = bytes_of(impi), .uss = BYTES("", 0) };

	memset(ctx.rand, 0x0d, sizeof(ctx.rand));
	memcpy(ctx.rand, &n, sizeof(n));
	memcpy(ctx.tmpi, &n, sizeof(n));
	ctx.tmpi[7] = '\n';
	memset(ctx.ks, (int)(n & 255), sizeof(ctx.ks));
	return ctx;
}

struct waiting {
	sem_t sem;
	enum gba_err err;
};

static void on_put(void *arg, enum gba_err err)
{
	struct waiting *w = arg;

	w->err = err;
	sem_post(&w->sem);
}

enum gba_err ctx_put(struct ctx_store *store, const struct ctx *ctx)
{
	TALLOC_CTX *req = talloc_new(NULL); /* of this thread alone */
	struct waiting w;
	enum gba_err err;

	sem_init(&w.sem, 0, 0);
	err = store->ops->put(store, req, ctx, on_put, &w);
	if (err == GBA_OK) {
		sem_wait(&w.sem);
		err = w.err;
	}
	sem_destroy(&w.sem);
	talloc_free(req);
	return err;
}
