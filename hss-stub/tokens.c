/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/tokens.h"

#include <pthread.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/token_entry.h"
#include "record/rules.h"

#define BATCH	32    /* reports of one transaction */
#define SWEEP_S 60

/* A report; a talloc root: it goes from a dispatch thread to ours. */
struct report {
	struct report *next;
	struct bytes bsf;
	struct bytes *entries;
	size_t n;
	void (*done)(void *arg, enum gba_err err);
	void *arg;
};

struct tokens {
	struct records *mapping;
	pthread_t thread;
	bool runs;
	time_t swept;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	struct report *queue, **queue_end;
	size_t queued;
	bool stopping;
	struct metric *m_kept, *m_failed;
};

static bool copy(TALLOC_CTX *mem_ctx, struct bytes from, struct bytes *_to)
{
	*_to = BYTES(talloc_memdup(mem_ctx, from.p, from.n), from.n);
	return _to->p != NULL;
}

enum gba_err tokens_add(struct tokens *tokens, struct bytes bsf, const struct bytes *entries, size_t n,
			void (*done)(void *arg, enum gba_err err), void *arg)
{
	struct report *report = talloc_zero(NULL, struct report);
	bool good = report != NULL && copy(report, bsf, &report->bsf);
	enum gba_err err = GBA_OK;
	size_t i;

	if (good)
		report->entries = talloc_array(report, struct bytes, n);
	good = good && report->entries != NULL;
	for (i = 0; good && i < n; i++)
		good = copy(report, entries[i], &report->entries[i]);
	if (!good) {
		talloc_free(report);
		return GBA_E_NOMEM;
	}
	report->n = n;
	report->done = done;
	report->arg = arg;
	pthread_mutex_lock(&tokens->lock);
	if (tokens->stopping || tokens->queued >= TOKENS_QUEUE_MAX) {
		err = GBA_E_BUSY;
	} else {
		*tokens->queue_end = report;
		tokens->queue_end = &report->next;
		tokens->queued++;
		pthread_cond_signal(&tokens->wake);
	}
	pthread_mutex_unlock(&tokens->lock);
	if (err != GBA_OK)
		talloc_free(report);
	return err;
}

/* The lock is held. */
static size_t batch_take(struct tokens *tokens, struct report **batch)
{
	size_t n = 0;

	while (tokens->queue != NULL && n < BATCH) {
		batch[n] = tokens->queue;
		tokens->queue = batch[n++]->next;
		tokens->queued--;
	}
	if (tokens->queue == NULL)
		tokens->queue_end = &tokens->queue;
	return n;
}

static enum gba_err write_one(struct tokens *tokens, const struct report *report, time_t now)
{
	struct token_entry entry;
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; i < report->n && err == GBA_OK; i++) {
		err = token_entry_parse(report->entries[i], &entry);
		if (err == GBA_OK)
			err = token_note(tokens->mapping, report->bsf, &entry, now);
	}
	return err;
}

static enum gba_err write_all(struct tokens *tokens, struct report **batch, size_t n)
{
	time_t now = clock_now();
	enum gba_err err;
	size_t i;

	err = records_begin(tokens->mapping);
	if (err != GBA_OK)
		return err;
	for (i = 0; i < n && err == GBA_OK; i++)
		err = write_one(tokens, batch[i], now);
	if (err == GBA_OK && now >= tokens->swept + SWEEP_S) {
		tokens->swept = now;
		err = token_sweep(tokens->mapping, now);
	}
	if (err == GBA_OK)
		err = records_commit(tokens->mapping);
	else
		records_rollback(tokens->mapping);
	return err;
}

static void batch_run(struct tokens *tokens, struct report **batch, size_t n)
{
	enum gba_err err = write_all(tokens, batch, n);
	size_t i;

	if (err != GBA_OK)
		log_event_limited(60, LOG_L_ERROR, "rpb.report", &(struct log_about){ .iface = "RPB", .result = err }, "not kept");
	for (i = 0; i < n; i++) {
		metric_add(err == GBA_OK ? tokens->m_kept : tokens->m_failed, (int64_t)batch[i]->n);
		batch[i]->done(batch[i]->arg, err);
		talloc_free(batch[i]);
	}
}

static void *tokens_main(void *arg)
{
	struct report *batch[BATCH];
	struct tokens *tokens = arg;
	size_t n;

	pthread_mutex_lock(&tokens->lock);
	while (!tokens->stopping) {
		if (tokens->queue == NULL) {
			pthread_cond_wait(&tokens->wake, &tokens->lock);
			continue;
		}
		n = batch_take(tokens, batch);
		pthread_mutex_unlock(&tokens->lock);
		batch_run(tokens, batch, n);
		pthread_mutex_lock(&tokens->lock);
	}
	pthread_mutex_unlock(&tokens->lock);
	return NULL;
}

enum gba_err tokens_start(TALLOC_CTX *mem_ctx, const char *database, struct kek *kek, struct tokens **_tokens, const char **_error)
{
	static const char name[] = "gba_hss_tokens_total", help[] = "Tokens that BSFs have reported";
	struct tokens *tokens = talloc_zero(mem_ctx, struct tokens);
	enum gba_err err;

	*_error = "out of memory";
	if (tokens == NULL)
		return GBA_E_NOMEM;
	tokens->queue_end = &tokens->queue;
	pthread_mutex_init(&tokens->lock, NULL);
	pthread_cond_init(&tokens->wake, NULL);
	tokens->m_kept = metric_get(name, help, METRIC_COUNTER, "result=\"kept\"");
	tokens->m_failed = metric_get(name, help, METRIC_COUNTER, "result=\"failed\"");
	*_tokens = tokens;
	err = mapping_open(tokens, database, kek, &tokens->mapping, _error);
	if (err != GBA_OK)
		return err;
	*_error = "no thread";
	tokens->runs = pthread_create(&tokens->thread, NULL, tokens_main, tokens) == 0;
	return tokens->runs ? GBA_OK : GBA_E_INTERNAL;
}

void tokens_stop(struct tokens *tokens)
{
	struct report *report;

	if (tokens == NULL)
		return;
	pthread_mutex_lock(&tokens->lock);
	tokens->stopping = true;
	pthread_cond_signal(&tokens->wake);
	pthread_mutex_unlock(&tokens->lock);
	if (tokens->runs)
		pthread_join(tokens->thread, NULL);
	while ((report = tokens->queue) != NULL) {
		tokens->queue = report->next;
		report->done(report->arg, GBA_E_BUSY);
		talloc_free(report);
	}
	pthread_mutex_destroy(&tokens->lock);
	pthread_cond_destroy(&tokens->wake);
	talloc_free(tokens);
}
