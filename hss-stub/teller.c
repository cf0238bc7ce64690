/* SPDX-License-Identifier: Apache-2.0 */
/* Each BSF has a line: how far in the outbox it has heard. A row goes when all have passed it; after a restart the lines begin
 * anew, and what is told twice does no harm. */
#include "hss-stub/teller.h"

#include <pthread.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "hss-stub/hss.h"

#define LOOK_MS	   50	 /* for rows committed by others */
#define SWEEP_MS   200	 /* for validity that begins or ends */
#define RESCAN_MS  1000	 /* whether anything has changed or not */
#define RETRY_MS   500	 /* after a BSF did not take one */
#define KEEP_S	   86400 /* for BSFs that are away: contexts older than this are rare, and end by themselves */
#define CLEAN_ROWS 256

struct line {
	const struct hss_bsf *bsf;
	int64_t heard; /* id of the last row it need not be told any more */
	int64_t ids[TELLER_BATCH];
	bool good[TELLER_BATCH];
	size_t n, awaited; /* of the batch under way */
	uint64_t retry_ms;
	bool look; /* there may be more rows */
};

struct teller {
	struct teller_conf conf;
	struct records *mapping;
	struct line *lines;
	size_t line_n;
	pthread_t thread;
	bool runs;
	pthread_mutex_t lock; /* of stopping, and of the lines' awaited and good */
	pthread_cond_t wake;
	bool stopping;
	int64_t version, cleaned;
	uint64_t sweep_ms, rescan_ms;
	struct metric *m_told, *m_failed, *m_waiting;
};

static enum gba_err tell(struct teller *teller, size_t i, const struct outbox_row *row)
{
	struct line *line = &teller->lines[i];
	const struct teller_port *port = &teller->conf.port;
	unsigned int ind;
	enum gba_err err;
	size_t place = line->n;

	line->ids[place] = row->id;
	line->good[place] = true;
	line->n++;
	if (hss_admit(teller->conf.hss, bytes_of(line->bsf->identity), bytes_of(row->impi), &ind) != GBA_OK)
		return GBA_OK; /* a user it may not ask for: it knows nothing of him */
	pthread_mutex_lock(&teller->lock);
	line->good[place] = false;
	line->awaited++;
	pthread_mutex_unlock(&teller->lock);
	err = port->send(port->arg, line->bsf->identity, row, teller, i, place);
	if (err != GBA_OK)
		teller_heard(teller, i, place, err);
	return err;
}

void teller_heard(struct teller *teller, size_t i, size_t place, enum gba_err err)
{
	metric_add(err == GBA_OK ? teller->m_told : teller->m_failed, 1);
	pthread_mutex_lock(&teller->lock);
	teller->lines[i].good[place] = err == GBA_OK;
	teller->lines[i].awaited--;
	pthread_cond_signal(&teller->wake);
	pthread_mutex_unlock(&teller->lock);
}

/* What was answered without a gap has been heard. */
static void batch_end(struct teller *teller, struct line *line, uint64_t now_ms)
{
	size_t i;

	pthread_mutex_lock(&teller->lock);
	for (i = 0; i < line->n && line->good[i]; i++)
		line->heard = line->ids[i];
	pthread_mutex_unlock(&teller->lock);
	if (i < line->n)
		line->retry_ms = now_ms + RETRY_MS;
	line->look = true;
	line->n = 0;
}

static void batch_begin(struct teller *teller, size_t i, uint64_t now_ms)
{
	struct line *line = &teller->lines[i];
	struct outbox_row *rows = NULL;
	size_t count = 0, k;
	enum gba_err err;

	err = outbox_next(teller->mapping, teller, line->heard, TELLER_BATCH, &rows, &count);
	if (err != GBA_OK) {
		line->retry_ms = now_ms + RETRY_MS;
		log_event_limited(60, LOG_L_ERROR, "rpb.outbox", &(struct log_about){ .iface = "RPB", .result = err },
				  "cannot read");
		return;
	}
	line->look = count == TELLER_BATCH;
	for (k = 0; k < count && err == GBA_OK; k++)
		err = tell(teller, i, &rows[k]);
	talloc_free(rows);
}

static bool under_way(struct teller *teller, const struct line *line)
{
	bool waits;

	pthread_mutex_lock(&teller->lock);
	waits = line->awaited > 0;
	pthread_mutex_unlock(&teller->lock);
	return waits;
}

static void line_run(struct teller *teller, size_t i, uint64_t now_ms)
{
	const struct teller_port *port = &teller->conf.port;
	struct line *line = &teller->lines[i];

	if (under_way(teller, line))
		return;
	if (line->n > 0)
		batch_end(teller, line, now_ms);
	if (!line->look || now_ms < line->retry_ms)
		return;
	switch (port->reach(port->arg, line->bsf->identity)) {
	case TELLER_HEARS: batch_begin(teller, i, now_ms); break;
	case TELLER_DEAF: line->heard = INT64_MAX; break; /* until it comes back as another */
	case TELLER_AWAY:
		if (line->heard == INT64_MAX)
			line->heard = 0;
		line->retry_ms = now_ms + LOOK_MS;
		break;
	}
}

static int64_t heard_by_all(const struct teller *teller)
{
	int64_t least = INT64_MAX;
	size_t i;

	for (i = 0; i < teller->line_n; i++)
		least = teller->lines[i].heard < least ? teller->lines[i].heard : least;
	return least;
}

/* Rows that all have heard, and those too old to matter to the ones away. */
static void clean(struct teller *teller, time_t now)
{
	int64_t all = heard_by_all(teller);
	struct outbox_row *rows = NULL;
	enum gba_err err = GBA_OK;
	size_t count = 0, i;

	if (outbox_next(teller->mapping, teller, 0, CLEAN_ROWS, &rows, &count) != GBA_OK)
		return;
	metric_set(teller->m_waiting, (int64_t)count);
	if (count > 0 && (rows[0].id <= all || rows[0].created + KEEP_S < now))
		err = records_begin(teller->mapping);
	else
		count = 0;
	for (i = 0; i < count && err == GBA_OK && (rows[i].id <= all || rows[i].created + KEEP_S < now); i++)
		err = outbox_done(teller->mapping, rows[i].id);
	if (count > 0 && (err != GBA_OK || records_commit(teller->mapping) != GBA_OK))
		records_rollback(teller->mapping);
	if (count > 0 && err == GBA_OK && i > 0)
		teller->cleaned = rows[i - 1].id;
	talloc_free(rows);
}

/* Has anybody written since? Our own sweep counts, too. */
static void look_around(struct teller *teller, uint64_t now_ms)
{
	bool all = now_ms >= teller->rescan_ms, more = false;
	int64_t version;
	size_t i;

	if (now_ms >= teller->sweep_ms) {
		teller->sweep_ms = now_ms + SWEEP_MS;
		if (grant_sweep(teller->mapping, clock_now(), &more) == GBA_OK && more)
			teller->sweep_ms = now_ms;
		all |= more;
	}
	version = records_version(teller->mapping);
	if (version == teller->version && !all)
		return;
	teller->version = version;
	teller->rescan_ms = now_ms + RESCAN_MS;
	for (i = 0; i < teller->line_n; i++)
		teller->lines[i].look = true;
}

static void wait_a_while(struct teller *teller)
{
	const struct timespec t = clock_mono_after(LOOK_MS);

	pthread_cond_timedwait(&teller->wake, &teller->lock, &t);
}

static void *teller_main(void *arg)
{
	struct teller *teller = arg;
	size_t i;

	pthread_mutex_lock(&teller->lock);
	while (!teller->stopping) {
		uint64_t now_ms = clock_mono_ms();
		int64_t all;

		pthread_mutex_unlock(&teller->lock);
		look_around(teller, now_ms);
		for (i = 0; i < teller->line_n; i++)
			line_run(teller, i, now_ms);
		all = heard_by_all(teller);
		if (teller->line_n > 0 && (all > teller->cleaned || now_ms + LOOK_MS >= teller->rescan_ms))
			clean(teller, clock_now());
		pthread_mutex_lock(&teller->lock);
		if (!teller->stopping)
			wait_a_while(teller);
	}
	pthread_mutex_unlock(&teller->lock);
	return NULL;
}

static enum gba_err thread_start(struct teller *teller)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&teller->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&teller->wake, &attr);
	pthread_condattr_destroy(&attr);
	teller->runs = pthread_create(&teller->thread, NULL, teller_main, teller) == 0;
	return teller->runs ? GBA_OK : GBA_E_INTERNAL;
}

enum gba_err teller_start(TALLOC_CTX *mem_ctx, const struct teller_conf *conf, struct teller **_teller, const char **_error)
{
	static const char name[] = "gba_hss_notices_total", help[] = "Notices to BSFs by outcome";
	const struct hss_bsf *bsfs = conf->hss->bsfs.v;
	struct teller *teller = talloc_zero(mem_ctx, struct teller);
	enum gba_err err;

	*_error = "out of memory";
	if (teller == NULL)
		return GBA_E_NOMEM;
	teller->conf = *conf;
	teller->version = -1;
	teller->line_n = conf->hss->bsfs.n;
	teller->lines = talloc_zero_array(teller, struct line, teller->line_n);
	if (teller->lines == NULL)
		return GBA_E_NOMEM;
	for (size_t i = 0; i < teller->line_n; i++)
		teller->lines[i].bsf = &bsfs[i];
	teller->m_told = metric_get(name, help, METRIC_COUNTER, "result=\"told\"");
	teller->m_failed = metric_get(name, help, METRIC_COUNTER, "result=\"failed\"");
	teller->m_waiting = metric_get("gba_hss_notices_waiting", "Oldest notices not yet heard by all BSFs", METRIC_GAUGE, "");
	err = mapping_open(teller, conf->hss->database, conf->kek, &teller->mapping, _error);
	if (err == GBA_OK)
		err = thread_start(teller);
	if (err == GBA_OK)
		*_teller = teller;
	return err;
}

void teller_stop(struct teller *teller)
{
	if (teller == NULL || !teller->runs)
		return;
	pthread_mutex_lock(&teller->lock);
	teller->stopping = true;
	pthread_cond_signal(&teller->wake);
	pthread_mutex_unlock(&teller->lock);
	pthread_join(teller->thread, NULL);
	teller->runs = false;
}

void teller_free(struct teller *teller)
{
	if (teller == NULL)
		return;
	pthread_mutex_destroy(&teller->lock);
	pthread_cond_destroy(&teller->wake);
	talloc_free(teller);
}
