/* SPDX-License-Identifier: Apache-2.0 */
/** The AuC's inside: its state, and what its one thread does with the store. */
#ifndef GBA_HSS_AUC_STORE_H
#define GBA_HSS_AUC_STORE_H

#include <pthread.h>

#include "core/metrics.h"
#include "hss-stub/auc.h"
#include "hss-stub/auc_cache.h"
#include "hss-stub/sub_store.h"

#define AUC_TOP_UPS_MAX 1024 /* one commit's worth; an entry left out is leased when its block is used up */

struct auc_metrics {
	struct metric *vectors[AKA_TUAK + 1], *refused, *failed, *resync_ok, *resync_bad, *leases, *commit_us, *cached;
};

struct auc {
	struct auc_conf conf;
	pthread_mutex_t lock; /* guards all below up to the thread's own part */
	pthread_cond_t wake;
	struct auc_cache *cache;
	uint64_t epoch; /* moves when another handle has committed */
	struct auc_job *queue, **queue_tail;
	uint32_t queued;
	struct auc_entry *top_up[AUC_TOP_UPS_MAX]; /* pinned */
	size_t top_ups;
	bool closing;
	enum gba_err last; /* what became of the last batch */

	TALLOC_CTX *thread_ctx; /* the thread's own: store, records being read */
	struct sub_store *store;
	struct auc_entry *top_up_batch[AUC_TOP_UPS_MAX];
	int64_t version;
	pthread_t thread;
	struct auc_metrics metrics;
};

void auc_metrics_init(struct auc_metrics *metrics);
/** Count what became of a job. */
void auc_metrics_count(struct auc_metrics *metrics, const struct auc_job *job);

/** May this subscriber's vector go to this asker now? Under the lock. */
enum gba_err auc_entry_admits(const struct auc_entry *entry, const struct auc_job *job);
/** Have a new block leased before the old one is used up. Under the lock. */
void auc_store_top_up(struct auc *auc, struct auc_entry *entry);
/** Read, check, resynchronise, lease and commit for all jobs of the batch at once: either all resynchronise or none. After it
 * each job has err, and on GBA_OK a pinned entry and a durable SEQ of its own. Only the AuC's thread calls it, without the lock. */
void auc_store_batch(struct auc *auc, struct auc_job *batch);

#endif
