/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/auc_store.h"

#include "core/clock.h"
#include "core/log.h"

#define LEASE_GROW_MS   1000  /* a block used up sooner than this: the next is twice as large */
#define LEASE_SHRINK_MS 60000 /* a block that lasted longer: half as large */

void auc_metrics_init(struct auc_metrics *m)
{
	static const char name[] = "gba_hss_vectors_total", help[] = "Authentication vectors asked for.";
	static const char resyncs[] = "gba_hss_resyncs_total", resyncs_help[] = "Resynchronisations (AUTS).";

	m->vectors[AKA_MILENAGE] = metric_get(name, help, METRIC_COUNTER, "algorithm=\"milenage\",result=\"ok\"");
	m->vectors[AKA_TUAK] = metric_get(name, help, METRIC_COUNTER, "algorithm=\"tuak\",result=\"ok\"");
	m->refused = metric_get(name, help, METRIC_COUNTER, "algorithm=\"\",result=\"refused\"");
	m->failed = metric_get(name, help, METRIC_COUNTER, "algorithm=\"\",result=\"failed\"");
	m->resync_ok = metric_get(resyncs, resyncs_help, METRIC_COUNTER, "result=\"ok\"");
	m->resync_bad = metric_get(resyncs, resyncs_help, METRIC_COUNTER, "result=\"bad_mac\"");
	m->leases = metric_get("gba_hss_sqn_leases_total", "Blocks of SEQs leased.", METRIC_COUNTER, "");
	m->commit_us = metric_get("gba_hss_commit_seconds", "Durable commits of leases.", METRIC_HISTOGRAM, "");
	m->cached = metric_get("gba_hss_cached_subscribers", "Subscribers in memory, keys sealed.", METRIC_GAUGE, "");
}

void auc_metrics_count(struct auc_metrics *m, const struct auc_job *job)
{
	if (job->err == GBA_OK)
		metric_add(m->vectors[job->alg], 1);
	else if (job->err == GBA_E_IMPI_UNKNOWN || job->err == GBA_E_IMPI_BARRED || job->err == GBA_E_AUTS ||
		 job->err == GBA_E_IMPI_SYNTAX)
		metric_add(m->refused, 1);
	else
		metric_add(m->failed, 1);
	if (job->resync.p != NULL && (job->err == GBA_OK || job->err == GBA_E_AUTS))
		metric_add(job->err == GBA_OK ? m->resync_ok : m->resync_bad, 1);
}

void auc_store_top_up(struct auc *auc, struct auc_entry *entry)
{
	if (auc->top_ups == AUC_TOP_UPS_MAX)
		return;
	entry->topping = true;
	entry->pins++;
	auc->top_up[auc->top_ups++] = entry;
	pthread_cond_signal(&auc->wake);
}

/* Another handle has committed: every cached record is asked for again before its next use. */
static enum gba_err notice_changes(struct auc *auc)
{
	int64_t version = sub_store_version(auc->store);

	if (version != auc->version) {
		auc->version = version;
		pthread_mutex_lock(&auc->lock);
		auc->epoch++;
		pthread_mutex_unlock(&auc->lock);
	}
	return version >= 0 ? GBA_OK : GBA_E_UNREACHABLE;
}

/* Into the cache from the store; an older copy of the record goes. The lease starts empty. */
static enum gba_err load(struct auc *auc, const char *key, struct auc_entry **_entry)
{
	struct subscriber *sub = NULL;
	struct auc_entry *entry;
	enum gba_err err;

	err = sub_store_find(auc->store, auc->thread_ctx, bytes_of(key), &sub);
	pthread_mutex_lock(&auc->lock);
	entry = auc_cache_find(auc->cache, bytes_of(key));
	if (entry != NULL)
		auc_cache_remove(auc->cache, entry);
	entry = err == GBA_OK ? auc_cache_add(auc->cache, sub) : NULL;
	if (entry != NULL) {
		entry->epoch = auc->epoch;
		entry->lease = auc->conf.lease_min;
		entry->pins++;
		*_entry = entry;
	} else if (err == GBA_OK) {
		err = GBA_E_NOMEM;
	}
	pthread_mutex_unlock(&auc->lock);
	talloc_free(sub);
	return err;
}

/* The cached entry if its record still stands unchanged, pinned; else NULL. */
static struct auc_entry *still_good(struct auc *auc, const char *key)
{
	struct auc_entry *entry;
	int64_t rev = 0;
	bool known;

	pthread_mutex_lock(&auc->lock);
	entry = auc_cache_find(auc->cache, bytes_of(key));
	known = entry != NULL && entry->epoch == auc->epoch;
	if (entry != NULL)
		entry->pins++;
	pthread_mutex_unlock(&auc->lock);
	if (entry == NULL || known)
		return entry;
	known = sub_store_rev(auc->store, entry->sub.id, &rev) == GBA_OK && rev == entry->sub.rev;
	pthread_mutex_lock(&auc->lock);
	if (known) {
		entry->epoch = auc->epoch;
	} else {
		auc_cache_remove(auc->cache, entry);
		auc_cache_unpin(auc->cache, entry);
	}
	pthread_mutex_unlock(&auc->lock);
	return known ? entry : NULL;
}

static enum gba_err auts_check(struct auc *auc, const struct auc_entry *entry, struct bytes resync, uint64_t *_seq_ms)
{
	struct subscriber_keys keys;
	uint64_t sqn_ms = 0;
	struct aka_key key;
	enum gba_err err;

	err = subscriber_unseal(auc->conf.kek, &entry->sub, &keys);
	if (err != GBA_OK)
		return err;
	subscriber_aka_key(&entry->sub, &keys, &key);
	err = aka_auts_check(&key, resync.p, resync.p + AKA_RAND_LEN, &sqn_ms);
	SECRET_WIPE(keys);
	SECRET_WIPE(key);
	*_seq_ms = sqn_ms >> entry->sub.ind_bits;
	return err;
}

/* TS 33.102 6.3.5. MAC-S is checked first, so that a forged AUTS costs no SEQ; then SQN_HE stays if what comes next is
 * in the USIM's range (C.2.1), else it becomes SQN_MS. What was leased before is dropped: some of it may be below
 * SQN_MS. */
static enum gba_err resynchronise(struct auc *auc, struct auc_entry *entry, struct bytes resync)
{
	uint64_t seq_ms = 0, seq_he = 0;
	enum gba_err err;

	err = auts_check(auc, entry, resync, &seq_ms);
	if (err == GBA_OK)
		err = sub_store_seq(auc->store, entry->sub.id, &seq_he);
	if (err != GBA_OK)
		return err;
	if (seq_he + 1 <= seq_ms || seq_he + 1 - seq_ms > SQN_DELTA_DEFAULT) {
		err = sub_store_set_seq(auc->store, entry->sub.id, seq_ms);
		if (err == GBA_OK)
			err = sub_store_rev(auc->store, entry->sub.id, &entry->sub.rev);
		if (err != GBA_OK)
			return err;
	}
	pthread_mutex_lock(&auc->lock);
	entry->next = 1;
	entry->last = 0;
	pthread_mutex_unlock(&auc->lock);
	return GBA_OK;
}

/* Find or read the record, refuse, resynchronise; a SEQ that is durable already is taken at once. */
static enum gba_err prepare(struct auc *auc, struct auc_job *job)
{
	enum gba_err err = GBA_OK;

	job->entry = still_good(auc, job->key);
	if (job->entry == NULL)
		err = load(auc, job->key, &job->entry);
	if (err == GBA_OK)
		err = auc_entry_admits(job->entry, job);
	if (err == GBA_OK && job->resync.p != NULL)
		err = resynchronise(auc, job->entry, job->resync);
	if (err != GBA_OK)
		return err;
	pthread_mutex_lock(&auc->lock);
	job->seq = job->entry->next <= job->entry->last ? job->entry->next++ : 0;
	pthread_mutex_unlock(&auc->lock);
	if (job->seq == 0)
		job->entry->wanted++;
	return GBA_OK;
}

/* Claim a block for the entry. It can be used after the commit: until then it stands in claim_next..claim_last. */
static enum gba_err claim(struct auc *auc, struct auc_entry *entry)
{
	uint64_t now = auc->conf.mono_ms(), took = now - entry->leased_at;
	uint32_t count;
	enum gba_err err;

	if (entry->leased_at != 0 && took < LEASE_GROW_MS && entry->lease <= auc->conf.lease_max / 2)
		entry->lease *= 2;
	else if (took > LEASE_SHRINK_MS && entry->lease / 2 >= auc->conf.lease_min)
		entry->lease /= 2;
	entry->leased_at = now;
	count = entry->wanted > entry->lease ? entry->wanted : entry->lease;
	err = sub_store_lease(auc->store, entry->sub.id, count, &entry->claim_next);
	if (err != GBA_OK)
		return err;
	entry->wanted = 0;
	entry->claim_last = entry->claim_next + count - 1;
	metric_add(auc->metrics.leases, 1);
	return GBA_OK;
}

static enum gba_err claim_for(struct auc *auc, struct auc_job *job)
{
	struct auc_entry *entry = job->entry;
	enum gba_err err;

	if (entry->wanted > 0) {
		err = claim(auc, entry);
		if (err != GBA_OK)
			return err;
	}
	job->seq = entry->claim_next++;
	return GBA_OK;
}

/* After the commit: what is left of the claim becomes the lease. A rest of the old lease goes on being used first when
 * the claim follows it without a gap, as it does unless another process serves the same subscriber. Under the lock. */
static void install(struct auc_entry *entry)
{
	uint64_t highest = subscriber_seq_max(entry->sub.ind_bits);

	if (entry->claim_last > highest)
		entry->claim_last = highest;
	if (entry->claim_next > entry->claim_last)
		return;
	if (entry->next > entry->last || entry->last + 1 != entry->claim_next)
		entry->next = entry->claim_next;
	entry->last = entry->claim_last;
	entry->claim_next = 1;
	entry->claim_last = 0;
}

/* Top-ups whose record changed are left alone: their next job finds out. Returns with the list to be unpinned. */
static enum gba_err claim_top_ups(struct auc *auc, struct auc_entry *const *top_up, size_t count)
{
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; err == GBA_OK && i < count; i++) {
		if (top_up[i]->epoch == auc->epoch && top_up[i]->claim_next > top_up[i]->claim_last)
			err = claim(auc, top_up[i]);
		if (err == GBA_E_IMPI_UNKNOWN)
			err = GBA_OK;
	}
	return err;
}

static enum gba_err prepare_all(struct auc *auc, struct auc_job *batch)
{
	struct auc_job *job;
	enum gba_err err;

	for (job = batch; job != NULL; job = job->next)
		job->err = prepare(auc, job);
	for (job = batch; job != NULL; job = job->next) {
		if (job->err != GBA_OK || job->seq != 0)
			continue;
		err = claim_for(auc, job);
		if (err == GBA_E_IMPI_UNKNOWN) { /* removed this moment */
			job->err = err;
			continue;
		}
		if (err != GBA_OK)
			return err;
		if (job->seq > subscriber_seq_max(job->entry->sub.ind_bits))
			job->err = GBA_E_SQN_USED_UP;
	}
	return GBA_OK;
}

static bool all_jobs_refused(const struct auc_job *batch)
{
	while (batch != NULL && batch->err != GBA_OK)
		batch = batch->next;
	return batch == NULL;
}

static enum gba_err transaction(struct auc *auc, struct auc_job *batch, struct auc_entry *const *top_up, size_t top_ups)
{
	uint64_t start;
	enum gba_err err;

	err = sub_store_begin_leases(auc->store, batch != NULL && batch->resync.p != NULL);
	if (err != GBA_OK)
		return err;
	err = notice_changes(auc); /* what changes from here to the commit has changed after these vectors were asked for */
	if (err == GBA_OK)
		err = prepare_all(auc, batch);
	if (err == GBA_OK)
		err = claim_top_ups(auc, top_up, top_ups);
	if (err != GBA_OK || (top_ups == 0 && all_jobs_refused(batch))) {
		sub_store_rollback(auc->store);
		return err;
	}
	start = clock_mono_us();
	err = sub_store_commit_leases(auc->store);
	metric_observe_us(auc->metrics.commit_us, clock_mono_us() - start);
	return err;
}

/* Nothing of a failed transaction may be believed: the entries of the batch go, jobs get the store's error. */
static void settle(struct auc *auc, struct auc_job *batch, enum gba_err err)
{
	struct auc_job *job;

	for (job = batch; job != NULL; job = job->next) {
		if (job->entry != NULL && err == GBA_OK)
			install(job->entry);
		else if (job->entry != NULL)
			auc_cache_remove(auc->cache, job->entry);
		if (job->err == GBA_OK)
			job->err = err;
	}
}

static void settle_top_ups(struct auc *auc, struct auc_entry *const *top_up, size_t count, enum gba_err err)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (err == GBA_OK)
			install(top_up[i]);
		else
			auc_cache_remove(auc->cache, top_up[i]);
		top_up[i]->topping = false;
		auc_cache_unpin(auc->cache, top_up[i]);
	}
}

void auc_store_batch(struct auc *auc, struct auc_job *batch)
{
	struct auc_entry **top_up = auc->top_up_batch;
	enum gba_err err = GBA_OK;
	struct auc_job *job;
	size_t top_ups;

	for (job = batch; job != NULL; job = job->next)
		job->err = GBA_OK;
	pthread_mutex_lock(&auc->lock);
	top_ups = auc->top_ups;
	memcpy(top_up, auc->top_up, top_ups * sizeof(struct auc_entry *));
	auc->top_ups = 0;
	pthread_mutex_unlock(&auc->lock);
	if (batch == NULL && top_ups == 0)
		err = notice_changes(auc);
	else
		err = transaction(auc, batch, top_up, top_ups);
	pthread_mutex_lock(&auc->lock);
	auc->last = err;
	settle(auc, batch, err);
	settle_top_ups(auc, top_up, top_ups, err);
	metric_set(auc->metrics.cached, (int64_t)auc_cache_count(auc->cache));
	pthread_mutex_unlock(&auc->lock);
	if (err != GBA_OK)
		log_event_limited(60, LOG_L_ERROR, "auc.store", (&(struct log_about){ .result = err }),
				  "subscriber store cannot commit: requests are answered with 3004 until it can: %s",
				  sub_store_error(auc->store));
}
