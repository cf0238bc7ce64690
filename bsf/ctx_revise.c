/* SPDX-License-Identifier: Apache-2.0 */
/* Revisions in the LMDB store: one walk over all records finds those of the users concerned by their tags, without unsealing
 * the others; then one transaction changes them. Nothing on the way of a put but eight octets pays for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bsf/ctx_lmdb_priv.h"
#include "core/secret.h"

struct tagged {
	uint8_t tag[TAG_LEN];
	size_t i; /* of the revision */
};

/* A context that a revision is about. */
struct hit {
	uint64_t place;
	size_t i;
	uint8_t rand[RAND_LEN], tmpi[CTX_TMPI_LEN];
};

struct revising {
	struct ctx_lmdb *store;
	TALLOC_CTX *tmp;
	const struct ctx_revision *revisions;
	struct tagged *tags; /* sorted */
	size_t n;
	struct hit *hits;
	size_t hit_n;
};

static int by_tag(const void *a, const void *b)
{
	return memcmp(a, b, TAG_LEN); /* the tag comes first */
}

static enum gba_err hit_add(struct revising *r, uint64_t place, size_t i, const struct ctx *ctx)
{
	struct hit *grown = r->hits;

	if ((r->hit_n & (r->hit_n - 1)) == 0) { /* doubles at powers of two */
		grown = talloc_realloc(r->tmp, r->hits, struct hit, r->hit_n > 0 ? 2 * r->hit_n : 1);
		if (grown == NULL)
			return GBA_E_NOMEM;
	}
	r->hits = grown;
	grown[r->hit_n].place = place;
	grown[r->hit_n].i = i;
	memcpy(grown[r->hit_n].rand, ctx->rand, RAND_LEN);
	memcpy(grown[r->hit_n].tmpi, ctx->tmpi, CTX_TMPI_LEN);
	r->hit_n++;
	return GBA_OK;
}

static bool concerns(const struct ctx_revision *revision, const struct ctx *ctx)
{
	return bytes_eq(ctx->impi, revision->impi) &&
	       (revision->certificate == NULL || memcmp(ctx->certificate, revision->certificate, CTX_CERT_LEN) == 0);
}

/* Tags may collide: the IMPI decides. A record that does not open is nobody's. */
static enum gba_err look_at(struct revising *r, const MDB_val *key, const MDB_val *value)
{
	const struct tagged *found;
	const uint8_t *rand, *tag;
	struct bytes sealed;
	enum gba_err err;
	struct ctx *ctx;
	uint64_t place;

	if (key->mv_size != sizeof(place) || ctx_record_split(value, &rand, &tag, &sealed) != GBA_OK)
		return GBA_OK;
	found = bsearch(tag, r->tags, r->n, sizeof(r->tags[0]), by_tag);
	if (found == NULL)
		return GBA_OK;
	memcpy(&place, key->mv_data, sizeof(place));
	err = ctx_record_open(r->store, r->tmp, value, &ctx);
	if (err != GBA_OK)
		return err == GBA_E_NOMEM ? err : GBA_OK;
	if (concerns(&r->revisions[found->i], ctx))
		err = hit_add(r, place, found->i, ctx);
	talloc_free(ctx);
	return err;
}

static enum gba_err find_all(struct revising *r)
{
	enum gba_err err = GBA_OK;
	MDB_cursor *cursor;
	MDB_val key, value;
	MDB_txn *txn;
	int rc;

	rc = mdb_txn_begin(r->store->env, NULL, MDB_RDONLY, &txn);
	if (rc != 0)
		return ctx_lmdb_err(rc);
	rc = mdb_cursor_open(txn, r->store->records, &cursor);
	if (rc == 0) {
		while (err == GBA_OK && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
			err = look_at(r, &key, &value);
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return err != GBA_OK || rc == MDB_NOTFOUND ? err : ctx_lmdb_err(rc);
}

/* The record as it now stands, with the new list; gone meanwhile: nothing to do. */
static int rewrite(struct revising *r, MDB_txn *txn, const struct hit *hit)
{
	uint64_t place = hit->place;
	MDB_val key = { sizeof(place), &place }, value;
	struct ctx *ctx;
	uint8_t *record;
	int rc;

	rc = mdb_get(txn, r->store->records, &key, &value);
	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	if (ctx_record_open(r->store, r->tmp, &value, &ctx) != GBA_OK)
		return ENOMEM;
	ctx->uss = r->revisions[hit->i].uss;
	value.mv_size = ctx_record_size(ctx);
	record = talloc_size(ctx, value.mv_size);
	value.mv_data = record;
	rc = record != NULL && ctx_record_write(r->store, ctx, record) == GBA_OK ? 0 : ENOMEM;
	if (rc == 0)
		rc = mdb_put(txn, r->store->records, &key, &value, 0);
	talloc_free(ctx);
	return rc;
}

static int change(struct revising *r, MDB_txn *txn, const struct hit *hit)
{
	uint64_t place = hit->place;
	MDB_val key = { sizeof(place), &place };
	int rc;

	if (!r->revisions[hit->i].drop)
		return rewrite(r, txn, hit);
	rc = mdb_del(txn, r->store->records, &key, NULL); /* its line in the expiry index goes with its minute */
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static enum gba_err change_all(struct revising *r)
{
	MDB_txn *txn;
	size_t i;
	int rc;

	if (r->hit_n == 0)
		return GBA_OK;
	if (atomic_load(&r->store->broken))
		return GBA_E_IO;
	rc = mdb_txn_begin(r->store->env, NULL, 0, &txn);
	if (rc != 0)
		return ctx_lmdb_err(rc);
	for (i = 0; i < r->hit_n && rc == 0; i++)
		rc = change(r, txn, &r->hits[i]);
	if (rc == ENOMEM) {
		mdb_txn_abort(txn);
		return GBA_E_NOMEM;
	}
	if (rc != 0)
		mdb_txn_abort(txn);
	else
		rc = ctx_commit(r->store, txn);
	return rc == 0 ? GBA_OK : ctx_write_error(r->store, rc);
}

/* Readers found them until now; from here on nobody does. */
static void tell_all(struct revising *r, ctx_revised each, void *arg)
{
	const struct hit *hit;

	for (hit = r->hits; hit < r->hits + r->hit_n; hit++) {
		if (r->revisions[hit->i].drop) {
			ctx_index_remove(r->store->by_rand, key_hash(BYTES(hit->rand, RAND_LEN)), hit->place);
			ctx_index_remove(r->store->by_tmpi, key_hash(BYTES(hit->tmpi, CTX_TMPI_LEN)), hit->place);
		}
		if (each != NULL)
			each(arg, hit->i, hit->rand);
	}
}

enum gba_err ctx_lmdb_revise(struct ctx_store *base, const struct ctx_revision *revisions, size_t n, ctx_revised each, void *arg)
{
	struct revising r = { .store = (struct ctx_lmdb *)base, .revisions = revisions, .n = n };
	enum gba_err err;
	size_t i;

	r.tmp = talloc_new(NULL); /* a root: the caller's thread alone */
	r.tags = talloc_array(r.tmp, struct tagged, n);
	if (r.tags == NULL) {
		talloc_free(r.tmp);
		return GBA_E_NOMEM;
	}
	for (i = 0; i < n; i++) {
		ctx_tag(r.store, revisions[i].impi, r.tags[i].tag);
		r.tags[i].i = i;
	}
	qsort(r.tags, n, sizeof(r.tags[0]), by_tag);
	err = find_all(&r);
	if (err == GBA_OK)
		err = change_all(&r);
	if (err == GBA_OK)
		tell_all(&r, each, arg);
	talloc_free(r.tmp);
	return err;
}
