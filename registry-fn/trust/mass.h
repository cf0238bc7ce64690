/* SPDX-License-Identifier: Apache-2.0 */
/** Judging very many devices anew: after a vulnerability of a make that thousands have, after other rules of trust, after a list
 * has changed. What has to be judged and how far that is stands in the database; the keeper's thread does it in short transactions
 * with room between them, so nobody who writes waits for more than one. After a kill it goes on behind the last one. */
#ifndef GBA_REGISTRY_MASS_H
#define GBA_REGISTRY_MASS_H

#include "registry-fn/trust/trust.h"

#define MASS_FROM     1000 /* [devices] as many, or fewer, are judged in the transaction that makes it necessary */
#define MASS_SLICE_MS 20   /* of one transaction */
#define MASS_PAUSE_MS 4    /* between two: longer than who waits for the store sleeps */

/** Devices of a vulnerability's make, and model unless it is "*". In a transaction. @param _order  they are judged later: more
 * than MASS_FROM, or some of them wait already */
enum gba_err mass_order(struct records *r, struct record_call *call, const struct record *vulnerability, bool *_order);
/** At the start: when the rules of the configuration are not those of the start before, all devices are judged. Its own
 * transaction. */
enum gba_err mass_rules(struct records *r, TALLOC_CTX *mem_ctx, time_t now);
/** One slice of it. Its own transaction. @param _left  there is more */
enum gba_err mass_step(struct records *r, struct record_call *call, bool *_left);

struct mass_job {
	int64_t vulnerability; /* 0: the rules are others; -1: lists, or other registries, have spoken of these */
	const char *reference; /* of the vulnerability; "" */
	int64_t done, total;   /* devices */
	time_t began;
};
/** What is under way. @param _jobs  below mem_ctx */
enum gba_err mass_jobs(struct records *r, TALLOC_CTX *mem_ctx, struct mass_job **_jobs, size_t *_n);

/** "vulnerability", "rules" or "lists" (and what other registries say). */
const char *mass_because(const struct mass_job *job);

/** Within a transaction of judging: is its time over? */
bool mass_slice_over(uint64_t began_ms);

#endif
