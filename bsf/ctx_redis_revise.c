/* SPDX-License-Identifier: Apache-2.0 */
/* Revisions on a pool's Redis: a user's contexts stand in a set of their own, so that nothing is searched. */
#include <string.h>

#include "bsf/ctx_redis_priv.h"

struct revising {
	struct ctx_redis *store;
	const struct ctx_revision *revision;
	size_t i;
	ctx_revised each;
	void *arg;
};

/* @retval GBA_OK  also when it is gone already */
static enum gba_err drop_one(struct revising *r, struct bytes rand)
{
	struct redis_call call = { .err = GBA_OK };
	struct redis_key key, set;
	enum gba_err err;

	ADD(&call, WORD("DEL"), redis_key(r->store, "c:", rand, &key)); /* first: what fails in between is found again */
	ADD(&call, WORD("ZREM"), redis_impi_key(r->store, r->revision->impi, &set), rand);
	err = redis_wait(r->store->redis, &call);
	if (err == GBA_OK && call.reply->integer > 0 && r->each != NULL)
		r->each(r->arg, r->i, rand.p);
	redis_call_end(&call);
	return err;
}

/* In its place, with the time it has left; XX: not if it has been dropped meanwhile. */
static enum gba_err write_back(struct revising *r, struct ctx *ctx)
{
	size_t n = ctx_rec_size(ctx) + SEAL_OVERHEAD;
	struct bytes rand = BYTES(ctx->rand, RAND_LEN);
	struct redis_call call = { .err = GBA_OK };
	uint8_t *sealed = talloc_size(ctx, n);
	struct redis_key key;
	enum gba_err err;

	if (sealed == NULL)
		return GBA_E_NOMEM;
	err = ctx_sealed_write(r->store->conf.kek, rand, ctx, sealed);
	if (err != GBA_OK)
		return err;
	ADD(&call, WORD("SET"), redis_key(r->store, "c:", rand, &key), BYTES(sealed, n), WORD("XX"), WORD("KEEPTTL"));
	err = redis_wait(r->store->redis, &call);
	if (err == GBA_OK && call.reply->type == REDIS_REPLY_STATUS && r->each != NULL)
		r->each(r->arg, r->i, rand.p);
	redis_call_end(&call);
	return err;
}

/* One that does not open is nobody's. @param _ctx  NULL: gone, or so */
static enum gba_err read_one(struct revising *r, struct bytes rand, struct ctx **_ctx)
{
	struct redis_call call = { .err = GBA_OK };
	struct redis_key key;
	enum gba_err err;

	*_ctx = NULL;
	ADD(&call, WORD("GET"), redis_key(r->store, "c:", rand, &key));
	err = redis_wait(r->store->redis, &call);
	if (err == GBA_OK && call.reply->type == REDIS_REPLY_STRING &&
	    ctx_sealed_open(r->store->conf.kek, NULL, rand, BYTES(call.reply->str, call.reply->len), _ctx) == GBA_E_NOMEM)
		err = GBA_E_NOMEM;
	redis_call_end(&call);
	return err;
}

/* What another certificate has made stays. */
static enum gba_err drop_if_made_by(struct revising *r, struct bytes rand)
{
	struct ctx *ctx;
	enum gba_err err = read_one(r, rand, &ctx);

	if (err == GBA_OK && ctx != NULL && memcmp(ctx->certificate, r->revision->certificate, CTX_CERT_LEN) == 0)
		err = drop_one(r, rand);
	talloc_free(ctx);
	return err;
}

static enum gba_err change_one(struct revising *r, struct bytes rand)
{
	struct ctx *ctx;
	enum gba_err err = read_one(r, rand, &ctx);

	if (err == GBA_OK && ctx != NULL) {
		ctx->uss = r->revision->uss;
		err = write_back(r, ctx);
	}
	talloc_free(ctx);
	return err;
}

static enum gba_err revise_one(struct revising *r, struct bytes rand)
{
	if (!r->revision->drop)
		return change_one(r, rand);
	return r->revision->certificate != NULL ? drop_if_made_by(r, rand) : drop_one(r, rand);
}

static enum gba_err revise_user(struct revising *r)
{
	struct redis_call call = { .err = GBA_OK };
	struct redis_key key;
	struct bytes rand;
	enum gba_err err;
	size_t i;

	ADD(&call, WORD("ZRANGE"), redis_impi_key(r->store, r->revision->impi, &key), WORD("0"), WORD("-1"));
	err = redis_wait(r->store->redis, &call);
	if (err == GBA_OK && call.reply->type != REDIS_REPLY_ARRAY)
		err = GBA_E_CORRUPT;
	for (i = 0; err == GBA_OK && i < call.reply->elements; i++) {
		rand = BYTES(call.reply->element[i]->str, call.reply->element[i]->len);
		if (rand.n != RAND_LEN)
			err = GBA_E_CORRUPT;
		else
			err = revise_one(r, rand);
	}
	redis_call_end(&call);
	return err;
}

enum gba_err ctx_redis_revise(struct ctx_store *base, const struct ctx_revision *revisions, size_t n, ctx_revised each, void *arg)
{
	struct revising r = { .store = (struct ctx_redis *)base, .each = each, .arg = arg };
	enum gba_err err = GBA_OK;

	for (r.i = 0; err == GBA_OK && r.i < n; r.i++) {
		r.revision = &revisions[r.i];
		err = revise_user(&r);
	}
	return err;
}
