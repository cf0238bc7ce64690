/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/reporter.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "crypto/hash.h"

#define COLLECT_MS 200	/* so long the first of a message waits for others */
#define RETRY_MS   1000

struct entry {
	STAILQ_ENTRY(entry) next;
	const struct bsf_hss *row;
	size_t n;
	char text[];
};
STAILQ_HEAD(entries, entry);

struct reporter {
	const struct bsf_conf *conf;
	struct report_port port;
	pthread_t thread;
	bool runs;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	struct entries waiting;
	size_t count;
	unsigned int sent; /* messages under way */
	bool failed;	   /* the last one: some time passes before the next */
	bool stopping;
	struct metric *m_told, *m_lost, *m_waiting;
};

/* A message on its way: a talloc root, it comes back in a thread of the framework. */
struct parcel {
	struct reporter *reporter;
	struct entries entries;
	size_t n;
	struct bytes v[REPORT_ENTRIES];
};

static void entries_free(struct entries *entries)
{
	struct entry *entry;

	while ((entry = STAILQ_FIRST(entries)) != NULL) {
		STAILQ_REMOVE_HEAD(entries, next);
		free(entry);
	}
}

/* The lock is held. */
static void make_room(struct reporter *reporter)
{
	struct entry *oldest;

	while (reporter->count > REPORTS_MAX && (oldest = STAILQ_FIRST(&reporter->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&reporter->waiting, next);
		reporter->count--;
		metric_add(reporter->m_lost, 1);
		free(oldest);
	}
	metric_set(reporter->m_waiting, (int64_t)reporter->count);
}

void reporter_add(struct reporter *reporter, const struct report *report)
{
	struct token_entry what = { .made = report->made, .expires = report->expires, .application = report->application,
				    .user = report->impi };
	const struct bsf_hss *row = reporter != NULL ? bsf_conf_hss(reporter->conf, report->impi) : NULL;
	char text[TOKEN_ENTRY_MAX + 1];
	uint8_t digest[HASH_MAX];
	struct entry *entry;
	size_t n;

	if (row == NULL)
		return;
	hash_pieces(HASH_SHA256, &report->btid, 1, digest);
	hex_encode(BYTES(digest, TOKEN_DIGEST_LEN), what.digest);
	n = token_entry_write(&what, text);
	entry = n > 0 ? malloc(sizeof(*entry) + n) : NULL;
	if (entry == NULL) {
		metric_add(reporter->m_lost, 1);
		return;
	}
	entry->row = row;
	entry->n = n;
	memcpy(entry->text, text, n);
	pthread_mutex_lock(&reporter->lock);
	STAILQ_INSERT_TAIL(&reporter->waiting, entry, next);
	reporter->count++;
	make_room(reporter);
	pthread_cond_signal(&reporter->wake);
	pthread_mutex_unlock(&reporter->lock);
}

/* As many of one HSS as fit in a message, the oldest first. The lock is held. */
static struct parcel *parcel_take(struct reporter *reporter)
{
	struct parcel *parcel = talloc_zero(NULL, struct parcel);
	struct entries rest = STAILQ_HEAD_INITIALIZER(rest);
	const struct bsf_hss *row = NULL;
	struct entry *entry;

	if (parcel == NULL)
		return NULL;
	parcel->reporter = reporter;
	STAILQ_INIT(&parcel->entries);
	while ((entry = STAILQ_FIRST(&reporter->waiting)) != NULL && parcel->n < REPORT_ENTRIES) {
		STAILQ_REMOVE_HEAD(&reporter->waiting, next);
		row = row != NULL ? row : entry->row;
		if (entry->row != row) {
			STAILQ_INSERT_TAIL(&rest, entry, next);
			continue;
		}
		STAILQ_INSERT_TAIL(&parcel->entries, entry, next);
		parcel->v[parcel->n++] = BYTES((const uint8_t *)entry->text, entry->n);
		reporter->count--;
	}
	STAILQ_CONCAT(&rest, &reporter->waiting);
	STAILQ_CONCAT(&reporter->waiting, &rest);
	return parcel;
}

/* Its HSS keeps the order of what it is told, and those of other HSSs go first. The lock is held. */
static void put_back(struct reporter *reporter, struct parcel *parcel)
{
	const struct bsf_hss *row = STAILQ_FIRST(&parcel->entries)->row;
	struct entries others = STAILQ_HEAD_INITIALIZER(others);
	struct entry *entry;

	while ((entry = STAILQ_FIRST(&reporter->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&reporter->waiting, next);
		if (entry->row == row)
			STAILQ_INSERT_TAIL(&parcel->entries, entry, next);
		else
			STAILQ_INSERT_TAIL(&others, entry, next);
	}
	STAILQ_CONCAT(&reporter->waiting, &others);
	STAILQ_CONCAT(&reporter->waiting, &parcel->entries);
	reporter->count += parcel->n;
}

static void on_told(void *arg, enum gba_err err)
{
	struct parcel *parcel = arg;
	struct reporter *reporter = parcel->reporter;

	if (err != GBA_OK)
		log_event_limited(60, LOG_L_WARNING, "rpb.report", &(struct log_about){ .iface = "RPB", .result = err },
				  "an HSS has not taken a report of tokens; %s",
				  err == GBA_E_PEER ? "it is lost: see the HSS's log" : "it is told again");
	pthread_mutex_lock(&reporter->lock);
	reporter->failed = err != GBA_OK && err != GBA_E_PEER;
	if (reporter->failed && !reporter->stopping)
		put_back(reporter, parcel);
	else
		metric_add(err == GBA_OK ? reporter->m_told : reporter->m_lost, (int64_t)parcel->n);
	make_room(reporter);
	reporter->sent--;
	pthread_cond_signal(&reporter->wake);
	pthread_mutex_unlock(&reporter->lock);
	entries_free(&parcel->entries);
	talloc_free(parcel);
}

/* The lock is held, and let go meanwhile. @return it is on its way */
static bool send_one(struct reporter *reporter)
{
	struct parcel *parcel = parcel_take(reporter);
	const struct bsf_hss *row;
	enum gba_err err;

	if (parcel == NULL) {
		reporter->failed = true;
		return false;
	}
	reporter->sent++;
	pthread_mutex_unlock(&reporter->lock);
	row = STAILQ_FIRST(&parcel->entries)->row;
	err = reporter->port.send(reporter->port.arg, row, parcel->v, parcel->n, on_told, parcel);
	if (err != GBA_OK)
		on_told(parcel, err);
	pthread_mutex_lock(&reporter->lock);
	return err == GBA_OK;
}

static void wait_ms(struct reporter *reporter, unsigned int ms)
{
	const struct timespec t = clock_mono_after(ms);

	while (!reporter->stopping && pthread_cond_timedwait(&reporter->wake, &reporter->lock, &t) == 0 &&
	       (ms == RETRY_MS || reporter->count < REPORT_ENTRIES))
		;
}

static void *reporter_main(void *arg)
{
	struct reporter *reporter = arg;

	pthread_mutex_lock(&reporter->lock);
	while (!reporter->stopping) {
		if (reporter->count == 0 || reporter->sent > 0) { /* one message at a time keeps their order */
			pthread_cond_wait(&reporter->wake, &reporter->lock);
			continue;
		}
		if (reporter->failed)
			wait_ms(reporter, RETRY_MS);
		else if (reporter->count < REPORT_ENTRIES)
			wait_ms(reporter, COLLECT_MS);
		if (reporter->count > 0)
			(void)send_one(reporter);
	}
	while (reporter->count > 0 && send_one(reporter))
		;
	pthread_mutex_unlock(&reporter->lock);
	return NULL;
}

enum gba_err reporter_new(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf, const struct report_port *port,
			  struct reporter **_reporter)
{
	static const char name[] = "gba_bsf_token_reports_total", help[] = "Tokens reported to HSSs";
	struct reporter *reporter = talloc_zero(mem_ctx, struct reporter);
	pthread_condattr_t attr;

	if (reporter == NULL)
		return GBA_E_NOMEM;
	reporter->conf = conf;
	reporter->port = *port;
	STAILQ_INIT(&reporter->waiting);
	pthread_mutex_init(&reporter->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&reporter->wake, &attr);
	pthread_condattr_destroy(&attr);
	reporter->m_told = metric_get(name, help, METRIC_COUNTER, "result=\"told\"");
	reporter->m_lost = metric_get(name, help, METRIC_COUNTER, "result=\"lost\"");
	reporter->m_waiting = metric_get("gba_bsf_token_reports_waiting", "Tokens not yet reported", METRIC_GAUGE, "");
	reporter->runs = pthread_create(&reporter->thread, NULL, reporter_main, reporter) == 0;
	*_reporter = reporter;
	return reporter->runs ? GBA_OK : GBA_E_INTERNAL;
}

void reporter_stop(struct reporter *reporter)
{
	if (reporter == NULL || !reporter->runs)
		return;
	pthread_mutex_lock(&reporter->lock);
	reporter->stopping = true;
	pthread_cond_signal(&reporter->wake);
	pthread_mutex_unlock(&reporter->lock);
	pthread_join(reporter->thread, NULL);
	reporter->runs = false;
}

void reporter_free(struct reporter *reporter)
{
	if (reporter == NULL)
		return;
	entries_free(&reporter->waiting);
	pthread_mutex_destroy(&reporter->lock);
	pthread_cond_destroy(&reporter->wake);
	talloc_free(reporter);
}
