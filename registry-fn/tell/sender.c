/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that pushes (RFC 8935): one delivery of each subscription at a time, in order, until it was taken or is
 * given up. */
#include <pthread.h>
#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "registry-fn/tell/tell.h"
#include "registry-fn/trust/trust.h"
#include "rest/notice.h"

#define LOOK_MS      200     /* between looks at the log */
#define COUNT_MS     3000    /* between counts of dead letters */
#define BACK_OFF_MAX 3600000 /* [ms] */

static struct {
	TALLOC_CTX *root;
	const struct notice_conf *conf;
	struct records *r;
	struct webhook *hook;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running, stopping;
	int64_t held;        /* subscriptions that wait for room for dead letters, in the look under way */
	uint64_t counted_ms; /* when dead letters were counted; 0: to be counted again */
	struct metric *m_delivered, *m_failed, *m_events, *m_dead, *m_letters, *m_held;
} sender = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

static void metrics_get(void)
{
	sender.m_delivered = metric_get("gba_registry_tell_deliveries_total",
					"Deliveries to subscribers that were taken.", METRIC_COUNTER, "");
	sender.m_failed = metric_get("gba_registry_tell_failures_total", "Attempts at deliveries that failed.",
				     METRIC_COUNTER, "");
	sender.m_events = metric_get("gba_registry_tell_events_total",
				     "Events, and digests, in deliveries that were taken.", METRIC_COUNTER, "");
	sender.m_dead = metric_get("gba_registry_tell_dead_total",
				   "Events and digests given up: they became dead letters.", METRIC_COUNTER, "");
	sender.m_letters = metric_get("gba_registry_tell_dead_letters", "Dead letters kept.", METRIC_GAUGE, "");
	sender.m_held = metric_get("gba_registry_tell_held",
				   "Subscriptions that wait because their dead letters are full.", METRIC_GAUGE, "");
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool stopping(void)
{
	bool is;

	pthread_mutex_lock(&sender.lock);
	is = sender.stopping;
	pthread_mutex_unlock(&sender.lock);
	return is;
}

/* What is sent at once: a digest, or one event or more. */
struct delivery {
	char *token;
	const struct tell_page *page;
	const struct tell_digest *digest; /* NULL: events */
	int64_t seen;
};

/* @param why  when it was not taken */
static bool push(const struct tell_sub *sub, const struct delivery *what, char *why, size_t cap)
{
	struct webhook_order order = { .url = record_text(sub->rec, SUBSCRIPTION_URL),
				       .type = "application/secevent+jwt",
				       .body = what->token };
	bool told = webhook_send(sender.hook, &order, why, cap) == GBA_OK;

	metric_add(told ? sender.m_delivered : sender.m_failed, 1);
	if (told)
		metric_add(sender.m_events, what->digest != NULL ? 1 : (int64_t)what->page->n);
	return told;
}

static void advance(struct tell_sub *sub, const struct delivery *what)
{
	if (what->digest != NULL) {
		tell_digest_done(sub);
		return;
	}
	sub->cursor = what->seen;
	sub->tries = sub->due = sub->upto = 0;
}

static enum gba_err bury(const struct tell_sub *sub, const struct delivery *what, const char *why)
{
	enum gba_err err = GBA_OK;
	size_t i;

	if (what->digest != NULL)
		return tell_letter_add(sender.r, sub, what->digest->upto, what->digest, why, clock_now());
	for (i = 0; err == GBA_OK && i < what->page->n; i++)
		err = tell_letter_add(sender.r, sub, what->page->items[i].event->seq, NULL, why, clock_now());
	return err;
}

/* Its dead letters are as many as there may be: nothing is thrown away, so it goes on trying what it has. */
static enum gba_err hold(struct tell_sub *sub, const char *why)
{
	if (sub->tries == sender.conf->tries)
		log_event(LOG_L_ERROR, "registry.tell.held", NULL,
			  "subscription %lld: dead letters are full, it waits: %s", (long long)sub->rec->id, why);
	sub->due = now_ms() + BACK_OFF_MAX;
	return tell_sub_keep(sender.r, sub);
}

static enum gba_err give_up(struct tell_sub *sub, const struct delivery *what, const char *why)
{
	enum gba_err err = records_begin(sender.r);
	struct tell_sub moved = *sub;

	if (err != GBA_OK)
		return err;
	err = bury(sub, what, why);
	advance(&moved, what);
	if (err == GBA_OK)
		err = tell_sub_keep(sender.r, &moved);
	if (err == GBA_OK)
		err = records_commit(sender.r);
	else
		records_rollback(sender.r);
	if (err == GBA_E_NOSPACE)
		return hold(sub, why);
	if (err != GBA_OK)
		return err;
	metric_add(sender.m_dead, what->digest != NULL ? 1 : (int64_t)what->page->n);
	sender.counted_ms = 0;
	log_event(LOG_L_WARNING, "registry.tell.dead", NULL, "subscription %lld: given up up to event %lld: %s",
		  (long long)sub->rec->id, (long long)what->seen, why);
	return GBA_OK;
}

/* What is tried again is the same delivery. */
static enum gba_err failed(struct tell_sub *sub, const struct delivery *what, const char *why)
{
	int64_t wait = sender.conf->retry;

	sub->tries++;
	if (sub->tries >= sender.conf->tries)
		return give_up(sub, what, why);
	for (int64_t i = 1; i < sub->tries && wait < BACK_OFF_MAX; i++)
		wait *= 2;
	if (sub->tries == 1)
		log_event(LOG_L_WARNING, "registry.tell.retry", NULL, "subscription %lld: %s", (long long)sub->rec->id,
			  why);
	sub->due = now_ms() + (wait < BACK_OFF_MAX ? wait : BACK_OFF_MAX);
	sub->upto = what->seen;
	return tell_sub_keep(sender.r, sub);
}

static enum gba_err deliver(struct tell_sub *sub, const struct delivery *what)
{
	char why[256] = "";

	if (!push(sub, what, why, sizeof(why)))
		return failed(sub, what, why);
	advance(sub, what);
	return tell_sub_keep(sender.r, sub);
}

/* A digest of nothing is sent only where it is wanted. */
static enum gba_err next_digest(TALLOC_CTX *ctx, struct tell_sub *sub, bool *_more)
{
	struct delivery what = { .digest = NULL };
	struct tell_digest digest;
	int64_t n = 0;
	bool due;
	enum gba_err err = tell_digest_due(sender.r, sub, clock_now(), &due);

	if (err != GBA_OK || !due)
		return err;
	err = tell_sub_keep(sender.r, sub);
	digest = (struct tell_digest){ sub->cursor, sub->upto, sub->told, sub->ends, sub->part };
	if (err == GBA_OK)
		err = tell_digest_token(sender.r, ctx, sub, &digest, &n, &what.token);
	if (err != GBA_OK)
		return err;
	*_more = *_more || sub->part;
	what.digest = &digest;
	what.seen = digest.upto;
	if (n > 0 || (sub->rec->v[SUBSCRIPTION_DIGEST_EMPTY].n != 0 && !digest.part))
		return deliver(sub, &what);
	advance(sub, &what);
	return tell_sub_keep(sender.r, sub);
}

static enum gba_err token_of(TALLOC_CTX *ctx, const struct tell_sub *sub, struct delivery *what)
{
	return sub->rec->v[SUBSCRIPTION_BATCH].n > 1
		       ? tell_batch_token(sender.r, ctx, sub, what->page->items, what->page->n, &what->token)
		       : tell_token(sender.r, ctx, sub, &what->page->items[0], &what->token);
}

static enum gba_err next_events(TALLOC_CTX *ctx, struct tell_sub *sub, bool *_more)
{
	struct tell_page *page = talloc_zero(ctx, struct tell_page);
	struct delivery what = { .page = page };
	enum gba_err err = GBA_E_NOMEM;

	if (page != NULL)
		err = tell_read(sender.r, ctx, sub, sub->cursor, sub->upto, (size_t)sub->rec->v[SUBSCRIPTION_BATCH].n,
				page);
	if (err != GBA_OK || page->seen == sub->cursor)
		return err;
	*_more = true;
	what.seen = page->seen;
	if (page->n == 0) {
		advance(sub, &what);
		return tell_sub_keep(sender.r, sub);
	}
	err = token_of(ctx, sub, &what);
	return err == GBA_OK ? deliver(sub, &what) : err;
}

/* What was given up and is wanted again: once. What its owner may no longer see is not sent. */
static enum gba_err again_one(TALLOC_CTX *ctx, struct tell_sub *sub, const struct tell_letter *letter)
{
	struct tell_digest digest = { letter->since, letter->seq, letter->began, letter->ends, false };
	struct tell_page *page = talloc_zero(ctx, struct tell_page);
	struct delivery what = { .page = page, .digest = letter->ends != 0 ? &digest : NULL };
	char why[256] = "";
	bool told = true;
	int64_t n;
	enum gba_err err = GBA_E_NOMEM;

	if (page != NULL && what.digest != NULL)
		err = tell_digest_token(sender.r, ctx, sub, &digest, &n, &what.token);
	else if (page != NULL)
		err = tell_at(sender.r, ctx, sub, letter->seq, &page->items[0]);
	page->n = err == GBA_OK && page->items[0].event != NULL;
	if (err == GBA_OK && page->n == 1)
		err = token_of(ctx, sub, &what);
	if (err != GBA_OK)
		return err;
	if (what.token != NULL)
		told = push(sub, &what, why, sizeof(why));
	else
		log_event(LOG_L_WARNING, "registry.tell.dead", NULL,
			  "subscription %lld: event %lld is no longer its owner's to see", (long long)sub->rec->id,
			  (long long)letter->seq);
	sender.counted_ms = 0;
	if (told && sub->tries >= sender.conf->tries)
		sub->due = 0; /* it waited for this room */
	return tell_letter_end(sender.r, letter->id, told ? NULL : why, clock_now());
}

static enum gba_err next_one(TALLOC_CTX *ctx, struct tell_sub *sub, bool *_more)
{
	return sub->rec->v[SUBSCRIPTION_DIGEST].n > 0 ? next_digest(ctx, sub, _more) : next_events(ctx, sub, _more);
}

static enum gba_err serve(int64_t id, bool *_more)
{
	TALLOC_CTX *ctx = talloc_new(sender.root);
	struct tell_letter letter = { 0 };
	struct tell_sub *sub = NULL;
	enum gba_err err = tell_sub_load(sender.r, ctx, id, &sub);

	if (err == GBA_OK && sub->good) {
		sender.held += sub->tries >= sender.conf->tries;
		err = tell_letter_next(sender.r, ctx, sub, &letter);
		if (err == GBA_OK && letter.id != 0) {
			*_more = true;
			err = again_one(ctx, sub, &letter);
		}
		if (err == GBA_OK && sub->due <= now_ms())
			err = next_one(ctx, sub, _more);
	}
	talloc_free(ctx);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err; /* removed meanwhile */
}

/* The next that is pushed to; 0: no more. */
static enum gba_err next_subscription(int64_t after, int64_t *_id)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(sender.r,
					"SELECT id FROM subscription WHERE method = ?1 AND paused = 0 AND id > ?2"
					" ORDER BY id LIMIT 1",
					&stmt);

	*_id = 0;
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, SUBSCRIPTION_PUSH);
	db_bind_int(stmt, 2, after);
	err = records_int(stmt, _id);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

/* Now and then: others write dead letters, too. */
static void letters_count(void)
{
	uint64_t now = clock_mono_ms();
	int64_t n = 0;

	if (sender.counted_ms != 0 && now - sender.counted_ms < COUNT_MS)
		return;
	if (tell_letters_count(sender.r, 0, &n) == GBA_OK)
		metric_set(sender.m_letters, n);
	sender.counted_ms = now;
}

/* A failure is told once, not with every look. What could not be done is done with the next. */
static bool look(enum gba_err *_last)
{
	int64_t id = 0;
	bool more = false;
	enum gba_err err, first = GBA_OK;

	sender.held = 0;
	do {
		err = next_subscription(id, &id);
		if (err == GBA_OK && id != 0)
			err = serve(id, &more);
		if (first == GBA_OK)
			first = err;
	} while (id != 0 && !stopping());
	if (first != GBA_OK && first != *_last)
		log_event(LOG_L_ERROR, "registry.tell", NULL, "subscribers not told: %s", gba_strerror(first));
	*_last = first;
	metric_set(sender.m_held, sender.held);
	letters_count();
	return more && first == GBA_OK;
}

static void *run(void *arg)
{
	enum gba_err last = GBA_OK;
	struct timespec until;
	bool more;

	(void)arg;
	while (!stopping()) {
		more = look(&last);
		if (more)
			continue;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_mutex_lock(&sender.lock);
		if (!sender.stopping)
			pthread_cond_timedwait(&sender.wake, &sender.lock, &until);
		pthread_mutex_unlock(&sender.lock);
	}
	return NULL;
}

static enum gba_err tell_start(struct registry *registry, const char **_why)
{
	enum gba_err err;

	*_why = "subscriptions";
	if (registry->conf->api.listen[0] == '\0') /* nobody could subscribe */
		return GBA_OK;
	sender.root = talloc_named_const(NULL, 0, "tell");
	if (sender.root == NULL)
		return GBA_E_NOMEM;
	metrics_get();
	sender.conf = &registry->conf->webhook;
	sender.stopping = false;
	err = registry_records(sender.root, registry, &sender.r, _why);
	if (err == GBA_OK)
		err = webhook_new(sender.conf, &sender.hook);
	if (err == GBA_OK && pthread_create(&sender.thread, NULL, run, NULL) != 0)
		err = GBA_E_NOMEM;
	sender.running = err == GBA_OK;
	if (err != GBA_OK) {
		*_why = talloc_strdup(registry, *_why);
		webhook_free(sender.hook);
		sender.hook = NULL;
		TALLOC_FREE(sender.root);
	}
	return err;
}

static void tell_stop(struct registry *registry)
{
	(void)registry;
	if (!sender.running)
		return;
	pthread_mutex_lock(&sender.lock);
	sender.stopping = true;
	pthread_cond_signal(&sender.wake);
	pthread_mutex_unlock(&sender.lock);
	pthread_join(sender.thread, NULL);
	webhook_free(sender.hook);
	sender.hook = NULL;
	sender.running = false;
	TALLOC_FREE(sender.root);
}

const struct registry_room tell_room = { "tell", tell_start, tell_stop };
