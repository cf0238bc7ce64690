/* SPDX-License-Identifier: Apache-2.0 */
/** The authentication centre: vectors whose SQN is durable before they leave (TS 33.102 6.3.2, 6.3.5, Annex C.1.2).
 *
 * SEQs are leased per subscriber in blocks: a block is claimed in the store, the claim committed with full sync, and only
 * then may a vector of that block leave; a crash skips what was leased and unused. What is cached and leased is served in
 * the caller's thread; all else goes to one thread that owns the store and commits the claims of all jobs that wait
 * together. Changes made by another program (gba-ctl) hold for jobs submitted AUC_STALE_MS later. */
#ifndef GBA_HSS_AUC_H
#define GBA_HSS_AUC_H

#include "hss-stub/subscriber.h"

#define AUC_STALE_MS   100
#define AUC_RESYNC_LEN (AKA_RAND_LEN + AKA_AUTS_LEN)

struct auc_conf {
	const char *db_path;
	struct kek *kek;
	uint32_t lease_min, lease_max; /* [SEQs] block of a quiet and of the busiest subscriber */
	uint32_t queue_max;	       /* jobs waiting for the store */
	uint32_t store_ms;	       /* [ms] patience with the store; 0: less than askers usually have */
	size_t cache_octets;
	void (*random)(uint8_t *out, size_t n); /* NULL: rand_bytes */
	uint64_t (*mono_ms)(void);		/* NULL: clock_mono_ms */
};

struct auc;

/** A question and its answer. Whoever submits owns it; from submit to done it is the AuC's. */
struct auc_job {
	struct bytes impi;   /* views must live until done */
	struct bytes impu;   /* absent: not asked */
	unsigned int ind;    /* of the asking node: low bits of its SQNs */
	struct bytes resync; /* absent, or RAND || AUTS: exactly AUC_RESYNC_LEN octets */
	time_t guss_held;    /* [s since epoch] of the GUSS the asker holds; 0: none */
	void (*done)(struct auc_job *job); /* called once: in auc_submit or from the AuC's thread; must not block */
	void *arg;

	enum gba_err err;
	struct aka_vector vector; /* on GBA_OK; whoever submits wipes it */
	uint64_t sqn;
	struct bytes guss; /* absent: none, or the asker's is current; talloc_steal or free with the job */

	struct auc_job *next; /* the AuC's own, as all below */
	struct auc_entry *entry;
	uint64_t seq;
	enum aka_alg alg;
	char key[IMPI_MAX + 1];
};

/** Open the store (made when absent) and start the thread. @param _error  for the operator, below mem_ctx */
enum gba_err auc_open(TALLOC_CTX *mem_ctx, const struct auc_conf *conf, struct auc **_auc, const char **_error);
/** Ask. job must be a talloc chunk of its own root: the GUSS is copied below it. Never blocks on the store.
 * job->err: GBA_OK
 * - GBA_E_IMPI_SYNTAX, GBA_E_IMPI_UNKNOWN (also: impu is not the subscriber's), GBA_E_IMPI_BARRED
 * - GBA_E_AUTS  MAC-S wrong, nothing changed
 * - GBA_E_CONF  ind does not fit the subscriber's IND bits  - GBA_E_SQN_USED_UP  - GBA_E_CORRUPT
 * - GBA_E_BUSY (queue full, closing), GBA_E_NOSPACE, GBA_E_IO, GBA_E_NOMEM: the store; says nothing about the IMPI */
void auc_submit(struct auc *auc, struct auc_job *job);
/** GBA_OK, or why the last batch could not be committed. */
enum gba_err auc_state(struct auc *auc);
/** Answer what waits with GBA_E_BUSY, stop the thread, close. */
void auc_close(struct auc *auc);

#endif
