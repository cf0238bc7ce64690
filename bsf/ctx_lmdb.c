/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/stat.h>

#include "bsf/ctx_lmdb_priv.h"
#include "bsf/ctx_sealed.h"
#include "core/clock.h"
#include "core/secret.h"
#include "crypto/hash.h"

#define READERS_MAX   1024
#define FORMAT_KEY    "format"
#define FORMAT_PLAIN  "gba-bsf contexts 3" /* sealed in the meta table: proves format and key at start */
#define META_MAX      64 /* [octets] of its values */
#define TAG_KEY	      "tag" /* in the meta table: sealed key of the IMPIs' tags */

enum gba_err ctx_lmdb_err(int rc)
{
	switch (rc) {
	case 0:
		return GBA_OK;
	case MDB_NOTFOUND:
		return GBA_E_NOT_FOUND;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return GBA_E_NOSPACE;
	case MDB_READERS_FULL:
		return GBA_E_BUSY;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_VERSION_MISMATCH:
	case MDB_INVALID:
	case MDB_INCOMPATIBLE:
		return GBA_E_CORRUPT;
	default:
		return rc > 0 ? gba_err_from_errno(rc) : GBA_E_IO;
	}
}

static enum gba_err lmdb_put(struct ctx_store *base, TALLOC_CTX *mem_ctx, const struct ctx *ctx, ctx_put_done done, void *arg)
{
	struct ctx_lmdb *store = (struct ctx_lmdb *)base;
	size_t n = ctx_record_size(ctx);
	struct put_job *job;
	enum gba_err err;

	job = talloc_size(mem_ctx, sizeof(*job) + n);
	if (job == NULL)
		return GBA_E_NOMEM;
	memcpy(job->ref.rand, ctx->rand, RAND_LEN);
	memcpy(job->ref.tmpi, ctx->tmpi, CTX_TMPI_LEN);
	job->slot = (uint32_t)(ctx->expires / EXPIRY_SLOT_S) + 1;
	job->done = done;
	job->arg = arg;
	job->err = GBA_OK;
	job->place = 0;
	job->record_n = n;
	err = ctx_record_write(store, ctx, job->record);
	if (err != GBA_OK)
		return err;
	return ctx_writer_add(store, job);
}

void ctx_tag(const struct ctx_lmdb *store, struct bytes impi, uint8_t out[TAG_LEN])
{
	uint8_t mac[HASH_MAX];

	hmac_pieces(HASH_SHA256, BYTES(store->tag_key, TAG_KEY_LEN), &impi, 1, mac);
	memcpy(out, mac, TAG_LEN);
}

size_t ctx_record_size(const struct ctx *ctx)
{
	return CLEAR_LEN + ctx_rec_size(ctx) + SEAL_OVERHEAD;
}

enum gba_err ctx_record_write(struct ctx_lmdb *store, const struct ctx *ctx, uint8_t *out)
{
	memcpy(out, ctx->rand, RAND_LEN);
	ctx_tag(store, ctx->impi, out + RAND_LEN);
	return ctx_sealed_write(store->kek, BYTES(out, CLEAR_LEN), ctx, out + CLEAR_LEN);
}

enum gba_err ctx_record_split(const MDB_val *value, const uint8_t **_rand, const uint8_t **_tag, struct bytes *_sealed)
{
	const uint8_t *p = value->mv_data;

	if (value->mv_size < CLEAR_LEN + SEAL_OVERHEAD + CTX_REC_FIXED ||
	    value->mv_size > CLEAR_LEN + SEAL_OVERHEAD + CTX_REC_MAX)
		return GBA_E_CORRUPT;
	*_rand = p;
	*_tag = p + RAND_LEN;
	*_sealed = BYTES(p + CLEAR_LEN, value->mv_size - CLEAR_LEN);
	return GBA_OK;
}

enum gba_err ctx_record_open(struct ctx_lmdb *store, TALLOC_CTX *mem_ctx, const MDB_val *value, struct ctx **_ctx)
{
	const uint8_t *rand, *tag;
	struct bytes sealed;
	enum gba_err err;

	err = ctx_record_split(value, &rand, &tag, &sealed);
	return err == GBA_OK ? ctx_sealed_open(store->kek, mem_ctx, BYTES(rand, CLEAR_LEN), sealed, _ctx) : err;
}

static enum gba_err find_in(struct ctx_lmdb *store, TALLOC_CTX *mem_ctx, MDB_txn *txn, uint64_t place, struct ctx **_ctx)
{
	MDB_val key = { sizeof(place), &place }, value;
	int rc;

	rc = mdb_get(txn, store->records, &key, &value);
	return rc == 0 ? ctx_record_open(store, mem_ctx, &value, _ctx) : ctx_lmdb_err(rc);
}

static enum gba_err find_at(struct ctx_lmdb *store, TALLOC_CTX *mem_ctx, uint64_t place, struct ctx **_ctx)
{
	enum gba_err err;
	MDB_txn *txn;
	int rc;

	if (place == 0)
		return GBA_E_BTID_UNKNOWN;
	rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
	if (rc != 0)
		return ctx_lmdb_err(rc);
	err = find_in(store, mem_ctx, txn, place, _ctx);
	mdb_txn_abort(txn);
	return err == GBA_E_NOT_FOUND ? GBA_E_BTID_UNKNOWN : err;
}

static enum gba_err lmdb_find(struct ctx_store *base, TALLOC_CTX *mem_ctx, const uint8_t rand[RAND_LEN], time_t now,
			      struct ctx **_ctx)
{
	struct ctx_lmdb *store = (struct ctx_lmdb *)base;
	struct ctx *ctx;
	enum gba_err err;

	err = find_at(store, mem_ctx, ctx_index_find(store->by_rand, key_hash(BYTES(rand, RAND_LEN))), &ctx);
	if (err != GBA_OK)
		return err;
	if (memcmp(ctx->rand, rand, RAND_LEN) == 0)
		return ctx_alive_only(ctx, now, _ctx);
	talloc_free(ctx);
	return GBA_E_BTID_UNKNOWN;
}

static enum gba_err lmdb_find_tmpi(struct ctx_store *base, TALLOC_CTX *mem_ctx, const uint8_t tmpi[CTX_TMPI_LEN], time_t now,
				   struct ctx **_ctx)
{
	struct ctx_lmdb *store = (struct ctx_lmdb *)base;
	struct ctx *ctx;
	enum gba_err err;

	err = find_at(store, mem_ctx, ctx_index_find(store->by_tmpi, key_hash(BYTES(tmpi, CTX_TMPI_LEN))), &ctx);
	if (err != GBA_OK)
		return err;
	if (memcmp(ctx->tmpi, tmpi, CTX_TMPI_LEN) == 0)
		return ctx_alive_only(ctx, now, _ctx);
	talloc_free(ctx);
	return GBA_E_BTID_UNKNOWN;
}

static uint64_t lmdb_count(struct ctx_store *base)
{
	return atomic_load(&((struct ctx_lmdb *)base)->count);
}

static bool lmdb_usable(struct ctx_store *base)
{
	struct ctx_lmdb *store = (struct ctx_lmdb *)base;

	return !atomic_load(&store->broken) && !atomic_load(&store->full);
}

static void lmdb_close(struct ctx_store *base)
{
	talloc_free(base);
}

static int store_destroy(struct ctx_lmdb *store)
{
	ctx_writer_stop(store);
	if (store->env != NULL)
		mdb_env_close(store->env);
	ctx_index_free(store->by_rand);
	ctx_index_free(store->by_tmpi);
	SECRET_WIPE(store->tag_key);
	return 0;
}

static const struct ctx_store_ops lmdb_ops = {
	.put = lmdb_put,
	.find = lmdb_find,
	.find_tmpi = lmdb_find_tmpi,
	.revise = ctx_lmdb_revise,
	.count = lmdb_count,
	.usable = lmdb_usable,
	.close = lmdb_close,
};

/* One sealed value of the meta table. */
static enum gba_err meta_write(struct ctx_lmdb *store, MDB_txn *txn, MDB_dbi meta, const char *name, struct bytes plain)
{
	MDB_val key = { strlen(name), (void *)(uintptr_t)name }, value;
	uint8_t sealed[META_MAX + SEAL_OVERHEAD];
	enum gba_err err;

	err = seal(store->kek, bytes_of(name), plain, sealed);
	value = (MDB_val){ plain.n + SEAL_OVERHEAD, sealed };
	return err != GBA_OK ? err : ctx_lmdb_err(mdb_put(txn, meta, &key, &value, 0));
}

/* What a key sealed that seals no more is sealed again: that key may then be retired.
 * @retval GBA_E_NOT_FOUND */
static enum gba_err meta_read(struct ctx_lmdb *store, MDB_txn *txn, MDB_dbi meta, const char *name, uint8_t *out, size_t n)
{
	MDB_val key = { strlen(name), (void *)(uintptr_t)name }, value;
	enum gba_err err;
	bool old = false;
	int rc;

	rc = mdb_get(txn, meta, &key, &value);
	if (rc != 0)
		return ctx_lmdb_err(rc);
	if (value.mv_size != n + SEAL_OVERHEAD)
		return GBA_E_CORRUPT;
	err = unseal_old(store->kek, bytes_of(name), BYTES(value.mv_data, value.mv_size), out, &old);
	return err == GBA_OK && old ? meta_write(store, txn, meta, name, BYTES(out, n)) : err;
}

/* A sealed constant tells at start that the format is ours and the key the right one; on the first start it is written. */
static enum gba_err format_check(struct ctx_lmdb *store, MDB_txn *txn, MDB_dbi meta)
{
	struct bytes plain = bytes_of(FORMAT_PLAIN);
	uint8_t opened[sizeof(FORMAT_PLAIN) - 1];
	enum gba_err err;

	err = meta_read(store, txn, meta, FORMAT_KEY, opened, sizeof(opened));
	if (err == GBA_E_NOT_FOUND)
		return meta_write(store, txn, meta, FORMAT_KEY, plain);
	return err == GBA_OK && !bytes_eq(BYTES(opened, sizeof(opened)), plain) ? GBA_E_CORRUPT : err;
}

/* The key of the tags: made on the first start. */
static enum gba_err tag_key_load(struct ctx_lmdb *store, MDB_txn *txn, MDB_dbi meta)
{
	enum gba_err err;

	err = meta_read(store, txn, meta, TAG_KEY, store->tag_key, TAG_KEY_LEN);
	if (err != GBA_E_NOT_FOUND)
		return err;
	rand_bytes(store->tag_key, TAG_KEY_LEN);
	return meta_write(store, txn, meta, TAG_KEY, BYTES(store->tag_key, TAG_KEY_LEN));
}

static int tables_open(struct ctx_lmdb *store, MDB_txn *txn, MDB_dbi *_meta)
{
	int rc;

	rc = mdb_dbi_open(txn, "contexts", MDB_CREATE | MDB_INTEGERKEY, &store->records);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "expiries", MDB_CREATE | MDB_DUPSORT | MDB_DUPFIXED, &store->expiries);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "meta", MDB_CREATE, _meta);
	return rc;
}

static enum gba_err index_one(struct ctx_lmdb *store, const MDB_val *value)
{
	struct expiry_ref ref;
	uint64_t place;
	enum gba_err err;

	if (value->mv_size != sizeof(ref))
		return GBA_E_CORRUPT;
	memcpy(&ref, value->mv_data, sizeof(ref));
	place = ctx_ref_order(&ref);
	if (store->order < place)
		store->order = place;
	err = place != 0 ? ctx_index_add(store->by_rand, key_hash(BYTES(ref.rand, RAND_LEN)), place) : GBA_E_CORRUPT;
	if (err == GBA_OK && !ctx_tmpi_none(ref.tmpi))
		err = ctx_index_set(store->by_tmpi, key_hash(BYTES(ref.tmpi, CTX_TMPI_LEN)), place);
	return err == GBA_E_EXISTS ? GBA_OK : err;
}

/* The expiry index names every context, in few pages. */
static enum gba_err index_load(struct ctx_lmdb *store, MDB_txn *txn, uint64_t count)
{
	enum gba_err err = GBA_OK;
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc;

	store->order = (uint64_t)store->now() * 1000000; /* beyond what an earlier process counted to */
	store->by_rand = ctx_index_new(count);
	store->by_tmpi = ctx_index_new(count);
	if (store->by_rand == NULL || store->by_tmpi == NULL)
		return GBA_E_NOMEM;
	rc = mdb_cursor_open(txn, store->expiries, &cursor);
	if (rc != 0)
		return ctx_lmdb_err(rc);
	while (err == GBA_OK && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
		err = index_one(store, &value);
	mdb_cursor_close(cursor);
	return err != GBA_OK || rc == MDB_NOTFOUND ? err : ctx_lmdb_err(rc);
}

static enum gba_err tables_check(struct ctx_lmdb *store)
{
	MDB_dbi meta;
	enum gba_err err;
	MDB_stat stat;
	MDB_txn *txn;
	int rc;

	rc = mdb_txn_begin(store->env, NULL, 0, &txn);
	if (rc != 0)
		return ctx_lmdb_err(rc);
	err = ctx_lmdb_err(tables_open(store, txn, &meta));
	if (err == GBA_OK)
		err = format_check(store, txn, meta);
	if (err == GBA_OK)
		err = tag_key_load(store, txn, meta);
	if (err == GBA_OK)
		err = ctx_lmdb_err(mdb_stat(txn, store->records, &stat));
	if (err == GBA_OK)
		err = index_load(store, txn, stat.ms_entries);
	if (err != GBA_OK) {
		mdb_txn_abort(txn);
		return err;
	}
	atomic_store(&store->count, stat.ms_entries);
	metric_set(store->m_count, (int64_t)stat.ms_entries);
	return ctx_lmdb_err(mdb_txn_commit(txn));
}

static enum gba_err env_open(struct ctx_lmdb *store, const struct ctx_lmdb_conf *conf)
{
	/* Without MDB_WRITEMAP a stray write cannot reach the file; read-ahead only hurts random keys. */
	unsigned int flags = MDB_NORDAHEAD | (conf->sync == CTX_SYNC_PROCESS ? MDB_NOSYNC : 0);
	MDB_stat stat;
	int rc, dead;

	if (mkdir(conf->dir, 0700) != 0 && errno != EEXIST)
		return gba_err_from_errno(errno);
	rc = mdb_env_create(&store->env);
	if (rc == 0)
		rc = mdb_env_set_mapsize(store->env, (size_t)conf->max_mb << 20);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(store->env, 4);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(store->env, READERS_MAX);
	if (rc == 0)
		rc = mdb_env_open(store->env, conf->dir, flags, 0600);
	if (rc != 0)
		return ctx_lmdb_err(rc);
	mdb_reader_check(store->env, &dead);
	mdb_env_stat(store->env, &stat);
	store->limit_pages = ((size_t)conf->max_mb << 20) / stat.ms_psize;
	return tables_check(store);
}

static void metrics_make(struct ctx_lmdb *store)
{
	store->m_count = metric_get("gba_bsf_contexts", "Bootstrap contexts held", METRIC_GAUGE, "");
	store->m_commits = metric_get("gba_bsf_store_commits_total", "Commits of the context store", METRIC_COUNTER, "");
	store->m_commit_time = metric_get("gba_bsf_store_commit_seconds", "Time of one commit", METRIC_HISTOGRAM, "");
	store->m_expired = metric_get("gba_bsf_contexts_expired_total", "Contexts removed after expiry", METRIC_COUNTER, "");
	store->m_failures = metric_get("gba_bsf_store_failures_total", "Writes that failed", METRIC_COUNTER, "");
	store->m_pages = metric_get("gba_bsf_store_pages", "Pages of the store's file", METRIC_GAUGE, "");
}

enum gba_err ctx_lmdb_open(TALLOC_CTX *mem_ctx, const struct ctx_lmdb_conf *conf, struct ctx_store **_store, const char **_error)
{
	struct ctx_lmdb *store = talloc_zero(mem_ctx, struct ctx_lmdb);
	enum gba_err err;

	if (store == NULL)
		return GBA_E_NOMEM;
	store->base.ops = &lmdb_ops;
	store->kek = conf->kek;
	store->now = conf->now != NULL ? conf->now : clock_now;
	store->inline_commits = conf->sync == CTX_SYNC_PROCESS;
	store->purge_ms = conf->purge_ms != 0 ? conf->purge_ms : 1000;
	talloc_set_destructor(store, store_destroy);
	metrics_make(store);
	err = env_open(store, conf);
	if (err == GBA_OK)
		err = ctx_writer_start(store);
	if (err != GBA_OK) {
		*_error = talloc_asprintf(mem_ctx, "%s: %s", conf->dir, gba_strerror(err));
		talloc_free(store);
		return err;
	}
	*_store = &store->base;
	return GBA_OK;
}
