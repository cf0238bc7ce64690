/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that pushes (RFC 8935): one event of each subscription at a time, in order, until it was taken or is given up. */
#include <pthread.h>
#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "registry-fn/tell/tell.h"
#include "registry-fn/trust/trust.h"
#include "rest/notice.h"

#define LOOK_MS	     200     /* between looks at the log */
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
} sender = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

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

/* @param _told  false: not taken, why says it */
static enum gba_err push(TALLOC_CTX *ctx, const struct tell_sub *sub, const struct event *event, char *why, size_t cap, bool *_told)
{
	struct webhook_order order = { .url = record_text(sub->rec, SUBSCRIPTION_URL), .type = "application/secevent+jwt" };
	char *token = NULL;
	enum gba_err err = tell_token(sender.r, ctx, sub, event, &token);

	if (err != GBA_OK)
		return err;
	order.body = token;
	*_told = webhook_send(sender.hook, &order, why, cap) == GBA_OK;
	return GBA_OK;
}

static enum gba_err give_up(struct tell_sub *sub, int64_t seq, const char *why)
{
	enum gba_err err = records_begin(sender.r);

	if (err != GBA_OK)
		return err;
	err = tell_dead_add(sender.r, sub, seq, why, clock_now());
	if (err == GBA_OK)
		err = tell_move(sender.r, sub, seq, 0, 0);
	if (err == GBA_OK)
		err = records_commit(sender.r);
	else
		records_rollback(sender.r);
	if (err == GBA_OK)
		log_event(LOG_L_WARNING, "registry.tell.dead", NULL, "subscription %lld: event %lld given up: %s",
			  (long long)sub->rec->id, (long long)seq, why);
	return err;
}

static enum gba_err failed(struct tell_sub *sub, int64_t place, int64_t seq, const char *why)
{
	int64_t tries = sub->tries + 1, wait = sender.conf->retry;

	if (tries >= sender.conf->tries)
		return give_up(sub, seq, why);
	for (int64_t i = 1; i < tries && wait < BACK_OFF_MAX; i++)
		wait *= 2;
	if (tries == 1)
		log_event(LOG_L_WARNING, "registry.tell.retry", NULL, "subscription %lld: %s", (long long)sub->rec->id, why);
	return tell_move(sender.r, sub, place, tries, now_ms() + (wait < BACK_OFF_MAX ? wait : BACK_OFF_MAX));
}

/* What was given up and is wanted again: once. What its owner may no longer see is not sent. */
static enum gba_err again_one(TALLOC_CTX *ctx, struct tell_sub *sub, int64_t seq)
{
	struct event *event = NULL;
	char why[256] = "";
	bool told = true;
	enum gba_err err = tell_at(sender.r, ctx, sub, seq, &event);

	if (err == GBA_OK && event != NULL)
		err = push(ctx, sub, event, why, sizeof(why), &told);
	if (err != GBA_OK)
		return err;
	return told ? tell_dead_end(sender.r, sub, seq) : tell_dead_add(sender.r, sub, seq, why, clock_now());
}

static enum gba_err next_one(TALLOC_CTX *ctx, struct tell_sub *sub, bool *_more)
{
	struct event *event = NULL;
	char why[256] = "";
	bool told = false;
	int64_t seen = 0, place = sub->cursor;
	enum gba_err err = tell_next(sender.r, ctx, sub, place, &event, &seen);

	if (err != GBA_OK || seen == place)
		return err;
	*_more = true;
	if (event == NULL)
		return tell_move(sender.r, sub, seen, sub->tries, sub->due);
	err = push(ctx, sub, event, why, sizeof(why), &told);
	if (err != GBA_OK)
		return err;
	return told ? tell_move(sender.r, sub, seen, 0, 0) : failed(sub, place, seen, why);
}

static enum gba_err serve(int64_t id, bool *_more)
{
	TALLOC_CTX *ctx = talloc_new(sender.root);
	struct tell_sub *sub = NULL;
	int64_t again = 0;
	enum gba_err err = tell_sub_load(sender.r, ctx, id, &sub);

	if (err == GBA_OK && sub->good) {
		err = tell_dead_next(sender.r, sub, &again);
		if (err == GBA_OK && again != 0) {
			*_more = true;
			err = again_one(ctx, sub, again);
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

/* A failure is told once, not with every look. What could not be done is done with the next. */
static bool look(enum gba_err *_last)
{
	int64_t id = 0;
	bool more = false;
	enum gba_err err, first = GBA_OK;

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
