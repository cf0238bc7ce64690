/* SPDX-License-Identifier: Apache-2.0 */
/* One thread writes: it takes all that waits, puts it into one transaction and commits once (group commit). LMDB never
 * overwrites live pages, so a kill at any moment leaves the last commit whole. */
#include <errno.h>
#include <sys/statvfs.h>

#include "bsf/ctx_lmdb_priv.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/secret.h"

#define QUEUE_MAX   16384 /* jobs; beyond: GBA_E_BUSY */
#define BATCH_MAX   512	  /* jobs in one commit */
#define PURGE_TIGHT 64	  /* the same where pages are scarce: each may need two copied before any is free */
#define LOAD_US	    10000 /* how fast jobs come is looked at so often */
#define LOAD_PER_MS 2	  /* jobs: from here on they are gathered. Below, each is committed at once: its request need not wait */
#define GATHER_US   1000  /* so long is waited for more: a commit of many costs little more than one of one */
#define GATHER_JOBS 64	  /* or until so many have come */
#define SPARE_PAGES 256	  /* kept free so that expired contexts can be removed from a full store */

/* A write that was cut short by a full disk comes back from LMDB as EIO: ask the file system. */
static bool disk_full(struct ctx_lmdb *store)
{
	struct statvfs vfs;
	const char *path;

	if (mdb_env_get_path(store->env, &path) != 0 || statvfs(path, &vfs) != 0)
		return false;
	return vfs.f_bavail * vfs.f_frsize < 1024 * 1024;
}

enum gba_err ctx_write_error(struct ctx_lmdb *store, int rc)
{
	enum gba_err err = ctx_lmdb_err(rc);
	struct log_about about = { .iface = "local", .result = err };

	if (err == GBA_E_IO && disk_full(store))
		err = GBA_E_NOSPACE;
	metric_add(store->m_failures, 1);
	atomic_store(&store->full, err == GBA_E_NOSPACE);
	if (err == GBA_E_IO) /* pages the kernel failed to write are gone: going on could acknowledge what is not there */
		atomic_store(&store->broken, true);
	about.result = err;
	log_event_limited(60, LOG_L_ERROR, "store.write", &about, "%s: no context can be stored%s", mdb_strerror(rc),
			  err == GBA_E_IO ? " until the node is restarted" : "");
	return err;
}

/* Pages on LMDB's list of free ones (its table 0), as far as they matter. */
static size_t pages_free(struct ctx_lmdb *store)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	size_t n = 0;
	MDB_txn *txn;

	if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != 0)
		return 0;
	if (mdb_cursor_open(txn, 0, &cursor) == 0) {
		while (n < SPARE_PAGES && mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
			size_t pages;

			memcpy(&pages, value.mv_data, sizeof(pages)); /* the list starts with its length */
			n += pages;
		}
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return n;
}

/* Pages of the file, in use or free. */
static size_t pages_used(struct ctx_lmdb *store)
{
	MDB_envinfo info;

	mdb_env_info(store->env, &info);
	return info.me_last_pgno + 1;
}

/* Are enough pages left, in the file's room to grow or on the list? */
static bool has_room(struct ctx_lmdb *store)
{
	return pages_used(store) + SPARE_PAGES <= store->limit_pages || pages_free(store) >= SPARE_PAGES;
}

bool ctx_tmpi_none(const uint8_t tmpi[CTX_TMPI_LEN])
{
	static const uint8_t none[CTX_TMPI_LEN];

	return memcmp(tmpi, none, CTX_TMPI_LEN) == 0;
}

static void put_number(uint8_t *out, uint64_t value, size_t octets)
{
	while (octets > 0) {
		out[--octets] = (uint8_t)value;
		value >>= 8;
	}
}

uint64_t ctx_ref_order(const struct expiry_ref *ref)
{
	uint64_t order = 0;
	size_t i;

	for (i = 0; i < sizeof(ref->order); i++)
		order = order << 8 | ref->order[i];
	return order;
}

static uint64_t hash_of_rand(const struct expiry_ref *ref)
{
	return key_hash(BYTES(ref->rand, RAND_LEN));
}

static uint64_t hash_of_tmpi(const struct expiry_ref *ref)
{
	return key_hash(BYTES(ref->tmpi, CTX_TMPI_LEN));
}

static MDB_val slot_key(uint32_t slot, uint8_t octets[4])
{
	put_number(octets, slot, 4);
	return (MDB_val){ 4, octets };
}

static int put_expiry(struct ctx_lmdb *store, MDB_txn *txn, struct put_job *job)
{
	MDB_val ref = { sizeof(job->ref), &job->ref }, slot;
	uint8_t octets[4];
	int rc;

	put_number(job->ref.order, job->place, sizeof(job->ref.order));
	slot = slot_key(job->slot, octets);
	rc = mdb_put(txn, store->expiries, &slot, &ref, MDB_APPENDDUP);
	if (rc == MDB_KEYEXIST) /* the clock was put back: this one is not the last in order */
		rc = mdb_put(txn, store->expiries, &slot, &ref, 0);
	return rc;
}

/* In the index first: readers find nothing at its place until the commit, and a RAND that comes twice is seen. */
static int put_one(struct ctx_lmdb *store, MDB_txn *txn, struct put_job *job)
{
	uint64_t place = store->order + 1;
	MDB_val key = { sizeof(place), &place }, value = { job->record_n, NULL };
	int rc;

	job->err = ctx_index_add(store->by_rand, hash_of_rand(&job->ref), place);
	if (job->err != GBA_OK)
		return 0;
	job->place = store->order = place;
	rc = mdb_put(txn, store->records, &key, &value, MDB_APPEND | MDB_RESERVE);
	if (rc != 0)
		return rc;
	memcpy(value.mv_data, job->record, job->record_n);
	return put_expiry(store, txn, job);
}

/* What is not in the store must not be in the index, and vice versa; a TMPI left out for want of memory costs its UE one more
 * request. */
static void index_finish(struct ctx_lmdb *store, const struct put_job *jobs, bool committed)
{
	for (; jobs != NULL; jobs = jobs->next) {
		if (jobs->place != 0 && !committed)
			ctx_index_remove(store->by_rand, hash_of_rand(&jobs->ref), jobs->place);
		else if (jobs->place != 0 && !ctx_tmpi_none(jobs->ref.tmpi))
			(void)ctx_index_set(store->by_tmpi, hash_of_tmpi(&jobs->ref), jobs->place);
	}
}

static int remove_one(struct ctx_lmdb *store, MDB_txn *txn, const struct expiry_ref *ref)
{
	uint64_t place = ctx_ref_order(ref);
	MDB_val key = { sizeof(place), &place };
	int rc;

	rc = mdb_del(txn, store->records, &key, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static void forget_purged(struct ctx_lmdb *store, size_t removed)
{
	const struct expiry_ref *ref;

	for (ref = store->purged; ref < store->purged + removed; ref++) {
		ctx_index_remove(store->by_rand, hash_of_rand(ref), ctx_ref_order(ref));
		ctx_index_remove(store->by_tmpi, hash_of_tmpi(ref), ctx_ref_order(ref));
	}
}

/* Remove at most max (PURGE_MAX) contexts whose minute has passed; *_removed counts them. */
static int purge_some(struct ctx_lmdb *store, MDB_txn *txn, size_t max, size_t *_removed)
{
	uint32_t due = (uint32_t)(store->now() / EXPIRY_SLOT_S);
	MDB_cursor *cursor;
	MDB_val key, value;
	uint8_t octets[4];
	int rc;

	put_number(octets, due, sizeof(octets));
	*_removed = 0;
	rc = mdb_cursor_open(txn, store->expiries, &cursor);
	if (rc != 0)
		return rc;
	while (rc == 0 && *_removed < max) {
		struct expiry_ref *ref = &store->purged[*_removed];

		rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
		if (rc != 0 || memcmp(key.mv_data, octets, sizeof(octets)) > 0 || value.mv_size != sizeof(*ref))
			break;
		memcpy(ref, value.mv_data, sizeof(*ref));
		rc = mdb_cursor_del(cursor, 0);
		if (rc == 0)
			rc = remove_one(store, txn, ref);
		++*_removed;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int ctx_commit(struct ctx_lmdb *store, MDB_txn *txn)
{
	uint64_t started = clock_mono_us();
	MDB_stat stat;
	int rc;

	if (mdb_stat(txn, store->records, &stat) != 0)
		stat.ms_entries = 0;
	rc = mdb_txn_commit(txn);
	if (rc != 0)
		return rc;
	atomic_store(&store->count, stat.ms_entries);
	metric_set(store->m_count, (int64_t)stat.ms_entries);
	metric_set(store->m_pages, (int64_t)pages_used(store));
	metric_add(store->m_commits, 1);
	metric_observe_us(store->m_commit_time, clock_mono_us() - started);
	return 0;
}

static int write_all(struct ctx_lmdb *store, struct put_job *jobs)
{
	struct put_job *job;
	MDB_txn *txn;
	int rc;

	if (atomic_load(&store->broken))
		return EIO;
	if (!has_room(store))
		return MDB_MAP_FULL;
	rc = mdb_txn_begin(store->env, NULL, 0, &txn);
	if (rc != 0)
		return rc;
	for (job = jobs; job != NULL && rc == 0; job = job->next)
		rc = put_one(store, txn, job);
	if (rc == 0)
		return ctx_commit(store, txn);
	mdb_txn_abort(txn);
	return rc;
}

static void write_batch(struct ctx_lmdb *store, struct put_job *jobs)
{
	enum gba_err err = GBA_OK;
	struct put_job *next;
	int rc;

	rc = write_all(store, jobs);
	index_finish(store, jobs, rc == 0);
	if (rc != 0)
		err = ctx_write_error(store, rc);
	else
		atomic_store(&store->full, false);
	for (; jobs != NULL; jobs = next) {
		next = jobs->next; /* done frees the job with its request */
		jobs->done(jobs->arg, err != GBA_OK ? err : jobs->err);
	}
}

/* Remove what has expired and see whether there is space again. @return more are due */
static bool purge(struct ctx_lmdb *store)
{
	size_t removed, max = pages_used(store) + 4 * PURGE_MAX <= store->limit_pages ? PURGE_MAX : PURGE_TIGHT;
	MDB_txn *txn;
	int rc;

	if (atomic_load(&store->full) && !disk_full(store) && has_room(store))
		atomic_store(&store->full, false);
	if (atomic_load(&store->broken) || mdb_txn_begin(store->env, NULL, 0, &txn) != 0)
		return false;
	rc = purge_some(store, txn, max, &removed);
	if (rc != 0 || removed == 0)
		mdb_txn_abort(txn);
	else
		rc = ctx_commit(store, txn);
	if (rc != 0) {
		ctx_write_error(store, rc);
		return false;
	}
	forget_purged(store, removed);
	metric_add(store->m_expired, (int64_t)removed);
	return removed == max;
}

/* One more job: do they come so fast that gathering pays? The lock is held. */
static void load_note(struct ctx_lmdb *store)
{
	uint64_t now = clock_mono_us(), took = now - store->load.since_us;

	store->load.jobs++;
	if (took < LOAD_US)
		return;
	store->load.high = store->load.jobs * 1000 >= took * LOAD_PER_MS;
	store->load.jobs = 0;
	store->load.since_us = now;
}

/* Cut at most BATCH_MAX jobs off the queue. The lock is held. */
static struct put_job *take_batch(struct ctx_lmdb *store)
{
	struct put_job *first = store->queue, **end = &store->queue;
	size_t n;

	for (n = 0; n < BATCH_MAX && *end != NULL; n++)
		end = &(*end)->next;
	store->queue = *end;
	*end = NULL;
	if (store->queue == NULL)
		store->queue_end = &store->queue;
	store->queued -= n;
	return first;
}

static void wait_until(struct ctx_lmdb *store, uint64_t when_us)
{
	struct timespec t = { (time_t)(when_us / 1000000), (long)(when_us % 1000000) * 1000 };

	pthread_cond_timedwait(&store->wake, &store->lock, &t);
}

/* Until there is a batch to commit, or it is time to purge, or to end. The lock is held. */
static void wait_for_work(struct ctx_lmdb *store, uint64_t purge_us)
{
	uint64_t until = clock_mono_us() + GATHER_US;

	while (store->committing || (store->queue == NULL && !store->stopping && clock_mono_us() < purge_us)) {
		wait_until(store, store->committing ? clock_mono_us() + 1000000 : purge_us);
		until = clock_mono_us() + GATHER_US;
	}
	while (store->inline_commits && store->load.high && !store->stopping && store->queued > 0 && store->queued < GATHER_JOBS &&
	       clock_mono_us() < until)
		wait_until(store, until);
}

/* The batch in hand is done: whoever waits may go on. */
static void commit_end(struct ctx_lmdb *store)
{
	pthread_mutex_lock(&store->lock);
	store->committing = false;
	if (store->queue != NULL || store->stopping)
		pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
}

static void *writer_main(void *arg)
{
	uint64_t purge_us, purge_every;
	struct ctx_lmdb *store = arg;
	struct put_job *jobs;
	bool stop;

	purge_every = (uint64_t)store->purge_ms * 1000;
	purge_us = clock_mono_us() + purge_every;
	do {
		pthread_mutex_lock(&store->lock);
		wait_for_work(store, purge_us);
		store->committing = true;
		jobs = take_batch(store);
		stop = store->stopping && store->queue == NULL;
		pthread_mutex_unlock(&store->lock);
		if (jobs != NULL)
			write_batch(store, jobs);
		if (clock_mono_us() >= purge_us)
			purge_us = clock_mono_us() + (purge(store) ? 10000 : purge_every);
		commit_end(store);
	} while (!stop);
	return NULL;
}

/* Commit here and now what has come together: saves two changes of thread where a commit is a matter of microseconds. */
static void commit_inline(struct ctx_lmdb *store)
{
	struct put_job *jobs;

	pthread_mutex_lock(&store->lock);
	jobs = take_batch(store);
	pthread_mutex_unlock(&store->lock);
	write_batch(store, jobs);
	commit_end(store);
}

enum gba_err ctx_writer_add(struct ctx_lmdb *store, struct put_job *job)
{
	enum gba_err err = GBA_OK;
	bool mine = false;

	if (atomic_load(&store->broken))
		return GBA_E_IO;
	job->next = NULL;
	pthread_mutex_lock(&store->lock);
	if (store->stopping || store->queued >= QUEUE_MAX) {
		err = GBA_E_BUSY;
	} else {
		*store->queue_end = job;
		store->queue_end = &job->next;
		store->queued++;
		load_note(store);
		mine = store->inline_commits && !store->committing && !store->load.high;
		if (mine)
			store->committing = true;
		else if (!store->committing && (store->queued == 1 || store->queued == GATHER_JOBS))
			pthread_cond_signal(&store->wake);
	}
	pthread_mutex_unlock(&store->lock);
	if (mine)
		commit_inline(store);
	return err;
}

enum gba_err ctx_writer_start(struct ctx_lmdb *store)
{
	pthread_condattr_t attr;

	store->queue_end = &store->queue;
	pthread_mutex_init(&store->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&store->wake, &attr);
	pthread_condattr_destroy(&attr);
	store->writer_runs = pthread_create(&store->writer, NULL, writer_main, store) == 0;
	return store->writer_runs ? GBA_OK : GBA_E_INTERNAL;
}

void ctx_writer_stop(struct ctx_lmdb *store)
{
	if (!store->writer_runs)
		return;
	pthread_mutex_lock(&store->lock);
	store->stopping = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->writer, NULL);
	pthread_mutex_destroy(&store->lock);
	pthread_cond_destroy(&store->wake);
}
