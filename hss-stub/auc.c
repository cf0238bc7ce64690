/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/auc.h"

#include <pthread.h>
#include <sys/prctl.h>

#include "core/clock.h"
#include "core/log.h"
#include "hss-stub/auc_cache.h"
#include "hss-stub/auc_store.h"

#define STORE_MS 700 /* askers on Zh wait for 900 */

/* What a vector is made of, copied out of an entry under the lock: views into the buffers beside them. */
struct ticket {
	struct subscriber sub;
	uint64_t seq;
	uint8_t sealed[SUBSCRIBER_SEALED_MAX];
	char impi[IMPI_MAX];
};

static void finish(struct auc *auc, struct auc_job *job, enum gba_err err)
{
	job->err = err;
	auc_metrics_count(&auc->metrics, job);
	job->done(job);
}

static enum gba_err vector_make(struct auc *auc, const struct ticket *ticket, struct auc_job *job)
{
	struct subscriber_keys keys;
	uint8_t rand[AKA_RAND_LEN];
	struct aka_key key;
	enum gba_err err;

	err = subscriber_unseal(auc->conf.kek, &ticket->sub, &keys);
	if (err != GBA_OK)
		return err;
	subscriber_aka_key(&ticket->sub, &keys, &key);
	auc->conf.random(rand, sizeof(rand));
	job->sqn = sqn_make(ticket->seq, job->ind, ticket->sub.ind_bits);
	err = aka_vector_make(&key, rand, job->sqn, ticket->sub.amf, &job->vector);
	SECRET_WIPE(keys);
	SECRET_WIPE(key);
	return err;
}

/* Under the lock: what of the entry the answer needs. */
static enum gba_err ticket_fill(const struct auc_entry *entry, uint64_t seq, struct auc_job *job,
				struct ticket *_ticket)
{
	const struct subscriber *sub = &entry->sub;

	_ticket->sub = *sub;
	_ticket->seq = seq;
	memcpy(_ticket->impi, sub->impi.p, sub->impi.n);
	_ticket->sub.impi.p = (const uint8_t *)_ticket->impi;
	if (sub->sealed.n > sizeof(_ticket->sealed))
		return GBA_E_CORRUPT;
	memcpy(_ticket->sealed, sub->sealed.p, sub->sealed.n);
	_ticket->sub.sealed.p = _ticket->sealed;
	job->alg = sub->alg;
	if (sub->guss.p == NULL || (job->guss_held != 0 && job->guss_held >= sub->guss_time))
		return GBA_OK;
	job->guss = BYTES(talloc_memdup(job, sub->guss.p, sub->guss.n), sub->guss.n);
	return job->guss.p != NULL ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err auc_entry_admits(const struct auc_entry *entry, const struct auc_job *job)
{
	const struct subscriber *sub = &entry->sub;

	if (job->impu.p != NULL && !subscriber_has_impu(sub, job->impu))
		return GBA_E_IMPI_UNKNOWN;
	if (sub->state != SUBSCRIBER_ACTIVE)
		return GBA_E_IMPI_BARRED;
	if (job->ind >> sub->ind_bits != 0)
		return GBA_E_CONF; /* cut to fewer bits it would be somebody else's IND */
	return GBA_OK;
}

static void queue_push(struct auc *auc, struct auc_job *job)
{
	job->next = NULL;
	*auc->queue_tail = job;
	auc->queue_tail = &job->next;
	auc->queued++;
	pthread_cond_signal(&auc->wake);
}

/* Under the lock. False: the job went to the store's thread or was refused with *_err. */
static bool serve_cached(struct auc *auc, struct auc_job *job, struct ticket *_ticket, enum gba_err *_err)
{
	struct auc_entry *entry = job->resync.p == NULL ? auc_cache_find(auc->cache, bytes_of(job->key)) : NULL;
	bool usable = entry != NULL && entry->epoch == auc->epoch;

	*_err = GBA_OK;
	if (usable) {
		*_err = auc_entry_admits(entry, job);
		if (*_err != GBA_OK)
			return false;
	}
	if (usable && entry->next <= entry->last) {
		*_err = ticket_fill(entry, entry->next++, job, _ticket);
		if (!entry->topping && entry->last - entry->next + 1 < entry->lease / 2)
			auc_store_top_up(auc, entry);
		return true;
	}
	if (auc->closing || auc->queued >= auc->conf.queue_max)
		*_err = GBA_E_BUSY;
	else
		queue_push(auc, job);
	return false;
}

void auc_submit(struct auc *auc, struct auc_job *job)
{
	struct ticket ticket;
	enum gba_err err;
	bool served;

	job->entry = NULL;
	job->guss = BYTES_NONE;
	err = subscriber_impi(job->impi, job->key);
	if (err != GBA_OK) {
		finish(auc, job, err);
		return;
	}
	pthread_mutex_lock(&auc->lock);
	served = serve_cached(auc, job, &ticket, &err);
	pthread_mutex_unlock(&auc->lock);
	if (!served && err == GBA_OK)
		return; /* the store's thread has it: job may be gone already */
	if (served && err == GBA_OK)
		err = vector_make(auc, &ticket, job);
	finish(auc, job, err);
}

/* A job that went through the store: its SEQ is its own and durable; its entry is pinned. */
static void serve_stored(struct auc *auc, struct auc_job *job)
{
	enum gba_err err = job->err;
	struct ticket ticket;

	pthread_mutex_lock(&auc->lock);
	if (err == GBA_OK)
		err = ticket_fill(job->entry, job->seq, job, &ticket);
	if (job->entry != NULL)
		auc_cache_unpin(auc->cache, job->entry);
	pthread_mutex_unlock(&auc->lock);
	if (err == GBA_OK)
		err = vector_make(auc, &ticket, job);
	finish(auc, job, err);
}

static bool anything_to_do(const struct auc *auc)
{
	return auc->queue != NULL || auc->top_ups > 0 || auc->closing;
}

/* Wait for work, at most half of AUC_STALE_MS so that changes from outside are seen in time. Returns the whole queue.
 */
static struct auc_job *take_all(struct auc *auc, bool *_closing)
{
	const struct timespec until = clock_mono_after(AUC_STALE_MS / 2);
	struct auc_job *batch;

	pthread_mutex_lock(&auc->lock);
	if (!anything_to_do(auc))
		pthread_cond_timedwait(&auc->wake, &auc->lock, &until);
	batch = auc->queue;
	auc->queue = NULL;
	auc->queue_tail = &auc->queue;
	auc->queued = 0;
	*_closing = auc->closing;
	pthread_mutex_unlock(&auc->lock);
	return batch;
}

static void fail_all(struct auc *auc, struct auc_job *batch, enum gba_err err)
{
	struct auc_job *next;

	for (; batch != NULL; batch = next) {
		next = batch->next;
		finish(auc, batch, err);
	}
}

/* Those that resynchronise set SQNs, and may have to wait for who does not concern the others. */
static struct auc_job *take_resyncs(struct auc_job **_batch)
{
	struct auc_job *resyncs = NULL, **end = &resyncs, **at = _batch;

	while (*at != NULL) {
		if ((*at)->resync.p == NULL) {
			at = &(*at)->next;
			continue;
		}
		*end = *at;
		*at = (*at)->next;
		end = &(*end)->next;
		*end = NULL;
	}
	return resyncs;
}

static void serve_batch(struct auc *auc, struct auc_job *batch)
{
	struct auc_job *next;

	auc_store_batch(auc, batch);
	for (; batch != NULL; batch = next) {
		next = batch->next;
		serve_stored(auc, batch);
	}
}

static void *store_thread(void *arg)
{
	struct auc_job *batch, *resyncs;
	struct auc *auc = arg;
	bool closing = false;

	prctl(PR_SET_NAME, "hss-auc");
	while (!closing) {
		batch = take_all(auc, &closing);
		if (closing) {
			fail_all(auc, batch, GBA_E_BUSY);
			continue;
		}
		resyncs = take_resyncs(&batch);
		if (resyncs == NULL || batch != NULL)
			serve_batch(auc, batch);
		if (resyncs != NULL)
			serve_batch(auc, resyncs);
	}
	return NULL;
}

static void defaults(struct auc_conf *conf)
{
	if (conf->random == NULL)
		conf->random = rand_bytes;
	if (conf->mono_ms == NULL)
		conf->mono_ms = clock_mono_ms;
	if (conf->lease_min == 0)
		conf->lease_min = 1;
	if (conf->store_ms == 0)
		conf->store_ms = STORE_MS;
	if (conf->lease_max < conf->lease_min)
		conf->lease_max = conf->lease_min;
}

static int auc_destroy(struct auc *auc)
{
	pthread_cond_destroy(&auc->wake);
	pthread_mutex_destroy(&auc->lock);
	return 0;
}

static enum gba_err start(struct auc *auc)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&auc->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&auc->wake, &attr);
	pthread_condattr_destroy(&attr);
	talloc_set_destructor(auc, auc_destroy);
	return pthread_create(&auc->thread, NULL, store_thread, auc) == 0 ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err auc_open(TALLOC_CTX *mem_ctx, const struct auc_conf *conf, struct auc **_auc, const char **_error)
{
	struct auc *auc = talloc_zero(mem_ctx, struct auc);
	enum gba_err err = GBA_E_NOMEM;

	*_error = gba_strerror(GBA_E_NOMEM);
	if (auc == NULL)
		return GBA_E_NOMEM;
	auc->conf = *conf;
	defaults(&auc->conf);
	auc->queue_tail = &auc->queue;
	auc->epoch = 1;
	auc->cache = auc_cache_new(auc, conf->cache_octets);
	auc->thread_ctx = talloc_new(auc);
	auc_metrics_init(&auc->metrics);
	if (auc->cache != NULL && auc->thread_ctx != NULL)
		err = sub_store_open(auc->thread_ctx, conf->db_path, &auc->store, _error);
	if (err == GBA_OK) {
		sub_store_patience(auc->store, auc->conf.store_ms);
		err = sub_store_go_aside(auc->store);
	}
	if (err == GBA_OK) {
		auc->version = sub_store_version(auc->store);
		err = start(auc);
	}
	if (err != GBA_OK) {
		*_error = talloc_strdup(mem_ctx, *_error);
		talloc_free(auc);
		return err;
	}
	*_auc = auc;
	return GBA_OK;
}

enum gba_err auc_state(struct auc *auc)
{
	enum gba_err err;

	pthread_mutex_lock(&auc->lock);
	err = auc->last;
	pthread_mutex_unlock(&auc->lock);
	return err;
}

void auc_close(struct auc *auc)
{
	pthread_mutex_lock(&auc->lock);
	auc->closing = true;
	pthread_cond_signal(&auc->wake);
	pthread_mutex_unlock(&auc->lock);
	pthread_join(auc->thread, NULL);
	talloc_free(auc);
}
