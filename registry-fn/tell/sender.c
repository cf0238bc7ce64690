/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that pushes (RFC 8935): one delivery of each subscription at a time, in order, until it was taken or is given up.
 * Deliveries to different receivers are under way beside each other, one to each: who does not answer holds up nobody else. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "registry-fn/tell/push.h"
#include "rest/notice.h"

#define LOOK_MS 200 /* between looks at the log */

static struct {
	TALLOC_CTX *root;
	const struct registry_conf *conf;
	struct records *r;
	struct webhook_pool *pool;
	struct push *open; /* under way */
	pthread_t thread;
	bool running;
	_Atomic bool stopping;
	struct metric *m_held, *m_open;
} sender;

static struct push *underway(int64_t id, const char *receiver)
{
	struct push *push = sender.open;

	while (push != NULL && push->id != id && strcmp(push->receiver, receiver) != 0)
		push = push->next;
	return push;
}

static enum gba_err begin(struct push *push, char *receiver)
{
	const struct webhook_order order = { .url = push->url, .type = "application/secevent+jwt", .body = push->token };
	enum gba_err err = webhook_pool_send(sender.pool, &sender.conf->webhook, &order, push);

	if (err != GBA_OK) {
		talloc_free(push);
		return err;
	}
	push->receiver = talloc_steal(push, receiver);
	push->next = sender.open;
	sender.open = push;
	metric_set(sender.m_open, (int64_t)webhook_pool_open(sender.pool));
	return GBA_OK;
}

/* @param url  where it is pushed to @param only  a receiver; NULL: any */
static enum gba_err serve(int64_t id, const char *url, const char *only, struct push_look *look)
{
	TALLOC_CTX *tmp = talloc_new(sender.root);
	char *receiver = webhook_receiver(tmp, url);
	struct push *busy, *push = NULL;
	enum gba_err err = receiver != NULL ? GBA_OK : GBA_E_NOMEM;

	if (err != GBA_OK || (only != NULL && strcmp(receiver, only) != 0))
		goto done;
	busy = underway(id, receiver);
	if (busy != NULL) {
		look->held += busy->id == id && busy->held;
		goto done;
	}
	err = push_next(sender.r, sender.root, id, look, &push);
	if (err == GBA_OK && push != NULL)
		err = begin(push, receiver);
done:
	talloc_free(tmp);
	return err;
}

/* The next that is pushed to; 0: no more. */
static enum gba_err next_subscription(TALLOC_CTX *ctx, int64_t after, int64_t *_id, char **_url)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(sender.r,
					"SELECT id, url FROM subscription WHERE method = ?1 AND paused = 0 AND id > ?2"
					" ORDER BY id LIMIT 1",
					&stmt);

	*_id = 0;
	*_url = NULL;
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, SUBSCRIPTION_PUSH);
	db_bind_int(stmt, 2, after);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		*_id = db_col_int(stmt, 0);
		*_url = talloc_asprintf(ctx, "%.*s", BYTES_FMT(db_col_text(stmt, 1)));
		err = *_url != NULL ? GBA_OK : GBA_E_NOMEM;
	}
	db_reset(stmt);
	return err;
}

static bool room(void)
{
	return webhook_pool_open(sender.pool) < sender.conf->tell_receivers && !atomic_load(&sender.stopping);
}

/* Each subscription once, from the one after `after` on and round to it: those of one receiver take turns.
 * @param only  those of a receiver, until it has a delivery; NULL: all */
static enum gba_err round_from(int64_t after, const char *only, struct push_look *look)
{
	TALLOC_CTX *tmp = talloc_new(sender.root);
	enum gba_err err, first = GBA_OK;
	bool turned = false;
	int64_t id = after;
	char *url;

	while (room() && (only == NULL || underway(0, only) == NULL)) {
		err = next_subscription(tmp, id, &id, &url);
		if (err == GBA_OK && id == 0) {
			if (turned || after == 0)
				break;
			turned = true;
			continue;
		}
		if (turned && id > after)
			break;
		if (err == GBA_OK)
			err = serve(id, url, only, look);
		if (first == GBA_OK)
			first = err;
		if (id == 0) /* the store failed */
			break;
		TALLOC_FREE(url);
	}
	talloc_free(tmp);
	return first;
}

/* A failure is told once, not with every look. What could not be done is done with the next. */
static void tell_failure(enum gba_err err, enum gba_err *_last)
{
	if (err != GBA_OK && err != *_last)
		log_event(LOG_L_ERROR, "registry.tell", NULL, "subscribers not told: %s", gba_strerror(err));
	*_last = err;
}

static void close_push(struct push *push)
{
	struct push **at = &sender.open;

	while (*at != push)
		at = &(*at)->next;
	*at = push->next;
	metric_set(sender.m_open, (int64_t)webhook_pool_open(sender.pool));
}

/* Who is free again is given the next at once; when all places were taken, everybody is looked at. */
static enum gba_err end_one(struct push *push, enum gba_err sent, const char *why, bool full)
{
	struct push_look look = { .more = false };
	enum gba_err err;

	close_push(push);
	err = push_end(sender.r, push, sent == GBA_OK ? NULL : why);
	if (err == GBA_OK)
		err = round_from(push->id, full ? NULL : push->receiver, &look);
	talloc_free(push);
	return err;
}

/* @param ms  to wait for deliveries that end, at most */
static enum gba_err end_some(unsigned int ms)
{
	enum gba_err sent, err, first = GBA_OK;
	char why[256] = "";
	bool full = !room();
	struct push *push = webhook_pool_ended(sender.pool, ms, &sent, why, sizeof(why));

	while (push != NULL) {
		err = end_one(push, sent, why, full);
		if (first == GBA_OK)
			first = err;
		push = webhook_pool_ended(sender.pool, 0, &sent, why, sizeof(why));
	}
	return first;
}

/* All subscriptions. @param _more  then look again at once */
static enum gba_err look_round(bool *_more)
{
	struct push_look look = { .more = false };
	enum gba_err err = round_from(0, NULL, &look);

	if (room())
		metric_set(sender.m_held, look.held);
	push_letters_count(sender.r);
	*_more = look.more && room();
	return err;
}

static void *run(void *arg)
{
	enum gba_err last = GBA_OK, err;
	uint64_t now, due = 0;
	bool more;

	(void)arg;
	while (!atomic_load(&sender.stopping)) {
		err = GBA_OK;
		now = clock_mono_ms();
		if (now >= due) {
			err = look_round(&more);
			due = more && err == GBA_OK ? now : now + LOOK_MS;
		}
		if (err == GBA_OK)
			err = end_some((unsigned int)(due - now));
		tell_failure(err, &last);
		if (err != GBA_OK) /* what could not be noted would be sent again at once */
			usleep(LOOK_MS * 1000);
	}
	return NULL;
}

static void metrics_get(void)
{
	push_metrics_get();
	sender.m_open = metric_get("gba_registry_tell_open", "Deliveries under way.", METRIC_GAUGE, "");
	sender.m_held = metric_get("gba_registry_tell_held", "Subscriptions that wait because their dead letters are full.",
				   METRIC_GAUGE, "");
}

static void close_all(void)
{
	webhook_pool_free(sender.pool);
	sender.pool = NULL;
	sender.open = NULL;
	sender.running = false;
	TALLOC_FREE(sender.root);
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
	sender.conf = registry->conf;
	atomic_store(&sender.stopping, false);
	err = registry_records(sender.root, registry, &sender.r, _why);
	if (err == GBA_OK)
		err = webhook_pool_new(sender.conf->tell_receivers, &sender.pool);
	if (err == GBA_OK && pthread_create(&sender.thread, NULL, run, NULL) != 0)
		err = GBA_E_NOMEM;
	sender.running = err == GBA_OK;
	if (err != GBA_OK) {
		*_why = talloc_strdup(registry, *_why);
		close_all();
	}
	return err;
}

static void tell_stop(struct registry *registry)
{
	(void)registry;
	if (!sender.running)
		return;
	atomic_store(&sender.stopping, true);
	webhook_pool_wake(sender.pool);
	pthread_join(sender.thread, NULL);
	close_all();
}

const struct registry_room tell_room = { "tell", tell_start, tell_stop };
