/* SPDX-License-Identifier: Apache-2.0 */
/** What the two halves of the LMDB store share: ctx_lmdb.c opens and finds, ctx_writer.c writes. */
#ifndef GBA_BSF_CTX_LMDB_PRIV_H
#define GBA_BSF_CTX_LMDB_PRIV_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "bsf/ctx_index.h"
#include "bsf/ctx_lmdb.h"
#include "bsf/key_hash.h"
#include "core/metrics.h"

#define EXPIRY_SLOT_S 60 /* contexts that expire in the same minute are one key */

/** One value of the expiry index: what to delete, so that nothing needs to be unsealed for it. Values of one minute are
 * sorted by their order of arrival: they are appended to one full page after the other, instead of touching many. */
struct expiry_ref {
	uint8_t order[8]; /* big-endian; the key of the record as a number, its place in the indexes */
	uint8_t rand[RAND_LEN], tmpi[CTX_TMPI_LEN];
};

#define PURGE_MAX 500 /* contexts removed in one commit: puts wait for it */

/** A put on its way; below the caller's mem_ctx. */
struct put_job {
	struct put_job *next;
	struct expiry_ref ref;
	uint32_t slot; /* minute in which it can go */
	uint64_t place; /* where it was put; 0: not yet */
	ctx_put_done done;
	void *arg;
	enum gba_err err;
	size_t record_n;
	uint8_t record[]; /* as it will lie */
};

#define TAG_LEN	    8 /* [octets] keyed hash of the IMPI: finds a user's contexts without unsealing all */
#define TAG_KEY_LEN 32
#define CLEAR_LEN   (RAND_LEN + TAG_LEN) /* of a record: in front of what is sealed, and bound to it */

struct ctx_lmdb {
	struct ctx_store base;
	MDB_env *env;
	MDB_dbi records, expiries; /* order of arrival -> RAND, tag, sealed record; minute -> expiry_ref, many */
	uint8_t tag_key[TAG_KEY_LEN];
	struct ctx_index *by_rand, *by_tmpi;
	struct kek *kek;
	time_t (*now)(void);
	unsigned int purge_ms;
	size_t limit_pages;
	uint64_t order; /* of the last put; the writer's */
	struct expiry_ref purged[PURGE_MAX]; /* in the commit under way; the writer's */
	pthread_t writer;
	bool writer_runs;
	bool inline_commits; /* a commit costs no wait for the disk: who puts may do it himself */
	pthread_mutex_t lock; /* queue, committing, stopping */
	pthread_cond_t wake;
	struct put_job *queue, **queue_end;
	size_t queued;
	bool committing; /* some thread has a batch in hand */
	struct {
		uint64_t since_us, jobs;
		bool high;
	} load; /* see load_note() */
	bool stopping;
	atomic_bool broken;	 /* a sync failed: what was acknowledged since is in doubt, so nothing more is */
	atomic_bool full;	 /* the last put found no space */
	atomic_uint_fast64_t count;
	struct metric *m_count, *m_commits, *m_commit_time, *m_expired, *m_failures, *m_pages;
};

/** @retval GBA_E_INTERNAL  no thread */
enum gba_err ctx_writer_start(struct ctx_lmdb *store);
/** Commit what is queued and end the thread. */
void ctx_writer_stop(struct ctx_lmdb *store);
/** Consumes nothing: the job stays the caller's until its done is called. @retval GBA_E_BUSY, GBA_E_IO */
enum gba_err ctx_writer_add(struct ctx_lmdb *store, struct put_job *job);
/** Has the context no TMPI? */
bool ctx_tmpi_none(const uint8_t tmpi[CTX_TMPI_LEN]);
/** The order of arrival as a number. */
uint64_t ctx_ref_order(const struct expiry_ref *ref);
/** What a record's value holds, if it is one of ours. @param _sealed  view */
enum gba_err ctx_record_split(const MDB_val *value, const uint8_t **_rand, const uint8_t **_tag, struct bytes *_sealed);
/** Unseal a record that lies in the map: a copy below mem_ctx. */
enum gba_err ctx_record_open(struct ctx_lmdb *store, TALLOC_CTX *mem_ctx, const MDB_val *value, struct ctx **_ctx);
/** Write the record of ctx as it lies in the store: ctx_record_size() octets. */
size_t ctx_record_size(const struct ctx *ctx);
enum gba_err ctx_record_write(struct ctx_lmdb *store, const struct ctx *ctx, uint8_t *out);
void ctx_tag(const struct ctx_lmdb *store, struct bytes impi, uint8_t out[TAG_LEN]);
/** revise() of the interface. */
enum gba_err ctx_lmdb_revise(struct ctx_store *base, const struct ctx_revision *revisions, size_t n, ctx_revised each, void *arg);
/** A write failed: say so, and go on as that allows. @return what to tell the caller */
enum gba_err ctx_write_error(struct ctx_lmdb *store, int rc);
int ctx_commit(struct ctx_lmdb *store, MDB_txn *txn);
/** The row for an LMDB return code. */
enum gba_err ctx_lmdb_err(int rc);

#endif
