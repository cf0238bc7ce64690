/* SPDX-License-Identifier: Apache-2.0 */
/* What a delivery is made of: the next events, a digest, a dead letter; and what becomes of the subscription after it. */
#include "registry-fn/tell/push.h"

#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "registry-fn/trust/trust.h"

#define COUNT_MS     3000    /* between counts of dead letters */
#define BACK_OFF_MAX 3600000 /* [ms] */

static struct {
	uint64_t letters_ms; /* when dead letters were counted; 0: to be counted again */
	struct metric *delivered, *failed, *events, *dead, *letters;
} told;

static const struct notice_conf *conf_of(struct records *r)
{
	return &registry_handle_of(r)->registry.conf->webhook;
}

void push_metrics_get(void)
{
	told.delivered = metric_get("gba_registry_tell_deliveries_total", "Deliveries to subscribers that were taken.",
				    METRIC_COUNTER, "");
	told.failed = metric_get("gba_registry_tell_failures_total", "Attempts at deliveries that failed.", METRIC_COUNTER, "");
	told.events = metric_get("gba_registry_tell_events_total", "Events, and digests, in deliveries that were taken.",
				 METRIC_COUNTER, "");
	told.dead = metric_get("gba_registry_tell_dead_total", "Events and digests given up: they became dead letters.",
			       METRIC_COUNTER, "");
	told.letters = metric_get("gba_registry_tell_dead_letters", "Dead letters kept.", METRIC_GAUGE, "");
	told.letters_ms = 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void advance(struct tell_sub *sub, const struct push *push)
{
	if (push->digest != NULL) {
		tell_digest_done(sub);
		return;
	}
	sub->cursor = push->seen;
	sub->tries = sub->due = sub->upto = 0;
}

static enum gba_err bury(struct records *r, const struct tell_sub *sub, const struct push *push, const char *why)
{
	enum gba_err err = GBA_OK;
	size_t i;

	if (push->digest != NULL)
		return tell_letter_add(r, sub, push->digest->upto, push->digest, why, clock_now());
	for (i = 0; err == GBA_OK && i < push->page->n; i++)
		err = tell_letter_add(r, sub, push->page->items[i].event->seq, NULL, why, clock_now());
	return err;
}

/* Its dead letters are as many as there may be: nothing is thrown away, so it goes on trying what it has. */
static enum gba_err hold(struct records *r, struct tell_sub *sub, const char *why)
{
	if (sub->tries == conf_of(r)->tries)
		log_event(LOG_L_ERROR, "registry.tell.held", NULL, "subscription %lld: dead letters are full, it waits: %s",
			  (long long)sub->rec->id, why);
	sub->due = now_ms() + BACK_OFF_MAX;
	return tell_sub_keep(r, sub);
}

static enum gba_err give_up(struct records *r, struct tell_sub *sub, const struct push *push, const char *why)
{
	enum gba_err err = records_begin(r);
	struct tell_sub moved = *sub;

	if (err != GBA_OK)
		return err;
	err = bury(r, sub, push, why);
	advance(&moved, push);
	if (err == GBA_OK)
		err = tell_sub_keep(r, &moved);
	if (err == GBA_OK)
		err = records_commit(r);
	else
		records_rollback(r);
	if (err == GBA_E_NOSPACE)
		return hold(r, sub, why);
	if (err != GBA_OK)
		return err;
	metric_add(told.dead, push->digest != NULL ? 1 : (int64_t)push->page->n);
	told.letters_ms = 0;
	log_event(LOG_L_WARNING, "registry.tell.dead", NULL, "subscription %lld: given up up to event %lld: %s",
		  (long long)sub->rec->id, (long long)push->seen, why);
	return GBA_OK;
}

/* What is tried again is the same delivery. */
static enum gba_err failed(struct records *r, struct tell_sub *sub, const struct push *push, const char *why)
{
	int64_t wait = conf_of(r)->retry;

	sub->tries++;
	if (sub->tries >= conf_of(r)->tries)
		return give_up(r, sub, push, why);
	for (int64_t i = 1; i < sub->tries && wait < BACK_OFF_MAX; i++)
		wait *= 2;
	if (sub->tries == 1)
		log_event(LOG_L_WARNING, "registry.tell.retry", NULL, "subscription %lld: %s", (long long)sub->rec->id, why);
	sub->due = now_ms() + (wait < BACK_OFF_MAX ? wait : BACK_OFF_MAX);
	sub->upto = push->seen;
	return tell_sub_keep(r, sub);
}

static enum gba_err letter_end(struct records *r, struct tell_sub *sub, int64_t letter, const char *why)
{
	enum gba_err err = GBA_OK;

	told.letters_ms = 0;
	if (why == NULL && sub->tries >= conf_of(r)->tries) { /* it waited for this room */
		sub->due = 0;
		err = tell_sub_keep(r, sub);
	}
	return err == GBA_OK ? tell_letter_end(r, letter, why, clock_now()) : err;
}

static enum gba_err settle(struct records *r, struct tell_sub *sub, const struct push *push, const char *why)
{
	if (push->letter != 0)
		return letter_end(r, sub, push->letter, why);
	if (why != NULL)
		return failed(r, sub, push, why);
	advance(sub, push);
	return tell_sub_keep(r, sub);
}

enum gba_err push_end(struct records *r, const struct push *push, const char *why)
{
	TALLOC_CTX *tmp = talloc_new(push);
	struct tell_sub *sub = NULL;
	enum gba_err err = tell_sub_load(r, tmp, push->id, &sub);

	metric_add(why == NULL ? told.delivered : told.failed, 1);
	if (why == NULL)
		metric_add(told.events, push->digest != NULL ? 1 : (int64_t)push->page->n);
	if (err == GBA_OK && sub->rec->rev == push->rev)
		err = settle(r, sub, push, why);
	talloc_free(tmp);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err; /* removed meanwhile */
}

/* A digest of nothing is sent only where it is wanted. */
static enum gba_err next_digest(struct records *r, struct push *push, struct tell_sub *sub, struct push_look *look)
{
	int64_t n = 0;
	bool due;
	enum gba_err err = tell_digest_due(r, sub, clock_now(), &due);

	if (err != GBA_OK || !due)
		return err;
	err = tell_sub_keep(r, sub);
	push->digest = talloc(push, struct tell_digest);
	if (err != GBA_OK || push->digest == NULL)
		return err != GBA_OK ? err : GBA_E_NOMEM;
	*push->digest = (struct tell_digest){ sub->cursor, sub->upto, sub->told, sub->ends, sub->part };
	push->seen = push->digest->upto;
	err = tell_digest_token(r, push, sub, push->digest, &n, &push->token);
	if (err != GBA_OK)
		return err;
	look->more = look->more || sub->part;
	if (n > 0 || (sub->rec->v[SUBSCRIPTION_DIGEST_EMPTY].n != 0 && !push->digest->part))
		return GBA_OK;
	TALLOC_FREE(push->token);
	advance(sub, push);
	return tell_sub_keep(r, sub);
}

static enum gba_err token_of(struct records *r, struct push *push, const struct tell_sub *sub)
{
	return sub->rec->v[SUBSCRIPTION_BATCH].n > 1
		       ? tell_batch_token(r, push, sub, push->page->items, push->page->n, &push->token)
		       : tell_token(r, push, sub, &push->page->items[0], &push->token);
}

static enum gba_err next_events(struct records *r, struct push *push, struct tell_sub *sub, struct push_look *look)
{
	enum gba_err err = tell_read(r, push, sub, sub->cursor, sub->upto, (size_t)sub->rec->v[SUBSCRIPTION_BATCH].n, push->page);

	if (err != GBA_OK || push->page->seen == sub->cursor)
		return err;
	push->seen = push->page->seen;
	if (push->page->n > 0)
		return token_of(r, push, sub);
	look->more = true;
	advance(sub, push);
	return tell_sub_keep(r, sub);
}

/* What was given up and is wanted again: once. What its owner may no longer see is not sent. */
static enum gba_err letter_again(struct records *r, struct push *push, struct tell_sub *sub, const struct tell_letter *letter,
				 struct push_look *look)
{
	const struct tell_digest digest = { letter->since, letter->seq, letter->began, letter->ends, false };
	enum gba_err err = GBA_E_NOMEM;
	int64_t n;

	push->letter = letter->id;
	push->seen = letter->seq;
	if (letter->ends != 0) {
		push->digest = talloc_memdup(push, &digest, sizeof(digest));
		if (push->digest != NULL)
			err = tell_digest_token(r, push, sub, push->digest, &n, &push->token);
		return err;
	}
	err = tell_at(r, push, sub, letter->seq, &push->page->items[0]);
	push->page->n = err == GBA_OK && push->page->items[0].event != NULL;
	if (err != GBA_OK || push->page->n == 1)
		return err == GBA_OK ? token_of(r, push, sub) : err;
	log_event(LOG_L_WARNING, "registry.tell.dead", NULL, "subscription %lld: event %lld is no longer its owner's to see",
		  (long long)sub->rec->id, (long long)letter->seq);
	look->more = true;
	return letter_end(r, sub, letter->id, NULL);
}

static enum gba_err next_of(struct records *r, struct push *push, struct tell_sub *sub, struct push_look *look)
{
	struct tell_letter letter = { 0 };
	enum gba_err err = tell_letter_next(r, push, sub, &letter);

	if (err != GBA_OK)
		return err;
	if (letter.id != 0)
		return letter_again(r, push, sub, &letter, look);
	if (sub->due > now_ms())
		return GBA_OK;
	return sub->rec->v[SUBSCRIPTION_DIGEST].n > 0 ? next_digest(r, push, sub, look) : next_events(r, push, sub, look);
}

enum gba_err push_next(struct records *r, TALLOC_CTX *mem_ctx, int64_t id, struct push_look *look, struct push **_push)
{
	struct push *push = talloc_zero(mem_ctx, struct push);
	struct tell_sub *sub = NULL;
	enum gba_err err;

	*_push = NULL;
	if (push != NULL)
		push->page = talloc_zero(push, struct tell_page);
	if (push == NULL || push->page == NULL) {
		talloc_free(push);
		return GBA_E_NOMEM;
	}
	err = tell_sub_load(r, push, id, &sub);
	if (err == GBA_OK && sub->good) {
		push->id = id;
		push->rev = sub->rec->rev;
		push->url = record_text(sub->rec, SUBSCRIPTION_URL);
		push->held = sub->tries >= conf_of(r)->tries;
		look->held += push->held;
		err = next_of(r, push, sub, look);
	}
	if (err == GBA_OK && push->token != NULL)
		*_push = push;
	else
		talloc_free(push);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err; /* removed meanwhile */
}

void push_letters_count(struct records *r)
{
	uint64_t now = clock_mono_ms();
	int64_t n = 0;

	if (told.letters_ms != 0 && now - told.letters_ms < COUNT_MS)
		return;
	if (tell_letters_count(r, 0, &n) == GBA_OK)
		metric_set(told.letters, n);
	told.letters_ms = now;
}
