/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/redis.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bsf/redis_link.h"
#include "core/clock.h"
#include "core/secret.h"

#define CALLS_MAX      20000
#define BEAT_MS	       1000
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 2000

struct list {
	struct redis_call *first, **end;
};

struct redis {
	struct redis_conf conf;
	pthread_t io, teller;
	int bell;	      /* eventfd: something for the thread of input and output */
	pthread_mutex_t lock; /* guards all up to its own part */
	pthread_cond_t wake;  /* results; the first outcome */
	struct list queue;    /* to be sent */
	struct list told;     /* results to be handed out */
	size_t calls;	      /* not yet handed out */
	bool ready, stopping, ended, tried;
	enum gba_err first;
	char first_why[REDIS_WHY_MAX];

	struct redis_link *link; /* the thread's own */
	struct list sent;
	char *out;
	size_t out_n, out_at, out_cap;
	uint64_t beat_at, retry_at;
	unsigned int backoff_ms;
};

static void list_init(struct list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void list_add(struct list *list, struct redis_call *call)
{
	call->next = NULL;
	*list->end = call;
	list->end = &call->next;
}

static struct redis_call *list_take(struct list *list)
{
	struct redis_call *call = list->first;

	if (call == NULL)
		return NULL;
	list->first = call->next;
	if (list->first == NULL)
		list->end = &list->first;
	return call;
}

/* ---- calls ---- */

#define WORDS_MAX 128

void redis_add(struct redis_call *call, const struct bytes *words, size_t count)
{
	const char *argv[WORDS_MAX];
	size_t argn[WORDS_MAX], i;
	char *text = NULL, *grown;
	int n;

	for (i = 0; i < count && i < WORDS_MAX; i++) {
		argv[i] = (const char *)words[i].p;
		argn[i] = words[i].n;
	}
	n = count <= WORDS_MAX ? redisFormatCommandArgv(&text, (int)count, argv, argn) : -1;
	grown = n > 0 ? realloc(call->out, call->n + (size_t)n) : NULL;
	if (grown == NULL) {
		call->err = GBA_E_NOMEM;
	} else {
		memcpy(grown + call->n, text, (size_t)n);
		call->out = grown;
		call->n += (size_t)n;
		call->commands++;
	}
	if (text != NULL)
		redisFreeCommand(text);
}

void redis_call_end(struct redis_call *call)
{
	if (call->out != NULL)
		secret_wipe(call->out, call->n); /* it may be AUTH */
	free(call->out);
	call->out = NULL;
	if (call->reply != NULL)
		freeReplyObject(call->reply);
	call->reply = NULL;
}

static void bell_ring(struct redis *redis)
{
	uint64_t one = 1;

	if (write(redis->bell, &one, sizeof(one)) < 0)
		return; /* it rings already */
}

enum gba_err redis_ask(struct redis *redis, struct redis_call *call)
{
	enum gba_err err = call->err;
	bool ring;

	if (err != GBA_OK)
		return err;
	call->deadline = clock_mono_ms() + redis->conf.timeout_ms;
	pthread_mutex_lock(&redis->lock);
	ring = redis->queue.first == NULL;
	if (!redis->ready)
		err = GBA_E_UNREACHABLE;
	else if (redis->stopping || redis->calls >= CALLS_MAX)
		err = GBA_E_BUSY;
	if (err == GBA_OK) {
		redis->calls++;
		list_add(&redis->queue, call);
	}
	pthread_mutex_unlock(&redis->lock);
	if (err == GBA_OK && ring)
		bell_ring(redis);
	return err;
}

static void wake_waiter(struct redis_call *call)
{
	sem_post(call->arg);
}

enum gba_err redis_wait(struct redis *redis, struct redis_call *call)
{
	enum gba_err err;
	sem_t done;

	sem_init(&done, 0, 0);
	call->direct = true;
	call->done = wake_waiter;
	call->arg = &done;
	err = redis_ask(redis, call);
	if (err == GBA_OK) {
		while (sem_wait(&done) != 0)
			;
		err = call->err;
	}
	sem_destroy(&done);
	return err;
}

/* Its outcome is known: to whom it belongs. */
static void call_settle(struct redis *redis, struct redis_call *call)
{
	bool direct = call->direct;

	if (call->err != GBA_OK && call->reply != NULL) {
		freeReplyObject(call->reply);
		call->reply = NULL;
	}
	if (direct)
		call->done(call); /* it is its owner's again */
	pthread_mutex_lock(&redis->lock);
	if (direct) {
		redis->calls--;
	} else {
		list_add(&redis->told, call);
		pthread_cond_broadcast(&redis->wake);
	}
	pthread_mutex_unlock(&redis->lock);
}

static void *teller_main(void *arg)
{
	struct redis *redis = arg;
	struct redis_call *call;

	prctl(PR_SET_NAME, "redis-result");
	pthread_mutex_lock(&redis->lock);
	while (!redis->ended || redis->told.first != NULL) {
		call = list_take(&redis->told);
		if (call == NULL) {
			pthread_cond_wait(&redis->wake, &redis->lock);
			continue;
		}
		pthread_mutex_unlock(&redis->lock);
		call->done(call);
		pthread_mutex_lock(&redis->lock);
		redis->calls--;
	}
	pthread_mutex_unlock(&redis->lock);
	return NULL;
}

/* ---- the connection ---- */

static void fail_list(struct redis *redis, struct list *list, enum gba_err err)
{
	struct redis_call *call;

	while ((call = list_take(list)) != NULL) {
		call->err = err;
		call_settle(redis, call);
	}
}

static void link_drop(struct redis *redis, enum gba_err err, const char *why)
{
	struct list queued;

	redis_link_close(redis->link);
	redis->link = NULL;
	redis->out_n = redis->out_at = 0;
	pthread_mutex_lock(&redis->lock);
	redis->ready = false;
	queued = redis->queue;
	if (queued.first == NULL)
		queued.end = &queued.first;
	list_init(&redis->queue);
	pthread_mutex_unlock(&redis->lock);
	redis->conf.changed(redis->conf.arg, err, why);
	fail_list(redis, &redis->sent, err);
	fail_list(redis, &queued, err);
}

static void first_outcome(struct redis *redis, enum gba_err err, const char *why)
{
	pthread_mutex_lock(&redis->lock);
	redis->ready = err == GBA_OK;
	if (!redis->tried) {
		redis->tried = true;
		redis->first = err;
		snprintf(redis->first_why, sizeof(redis->first_why), "%s", why);
	}
	pthread_cond_broadcast(&redis->wake);
	pthread_mutex_unlock(&redis->lock);
}

static void link_make(struct redis *redis)
{
	char why[REDIS_WHY_MAX] = "";
	enum gba_err err;

	err = redis_link_open(&redis->conf, &redis->link, why);
	if (err == GBA_OK) {
		err = redis->conf.greet(redis->conf.arg, redis->link, why);
		if (err != GBA_OK) {
			redis_link_close(redis->link);
			redis->link = NULL;
		}
	}
	redis->conf.changed(redis->conf.arg, err, why);
	first_outcome(redis, err, why);
	if (err == GBA_OK) {
		redis->backoff_ms = 0;
		redis->beat_at = clock_mono_ms();
		return;
	}
	redis->backoff_ms = redis->backoff_ms == 0 ? BACKOFF_MIN_MS : redis->backoff_ms * 2;
	if (redis->backoff_ms > BACKOFF_MAX_MS)
		redis->backoff_ms = BACKOFF_MAX_MS;
	redis->retry_at = clock_mono_ms() + redis->backoff_ms;
}

/* ---- input and output ---- */

static bool out_room(struct redis *redis, size_t more)
{
	size_t cap = redis->out_cap > 0 ? redis->out_cap : 65536;
	char *grown;

	if (redis->out_at > 0) {
		memmove(redis->out, redis->out + redis->out_at, redis->out_n - redis->out_at);
		redis->out_n -= redis->out_at;
		redis->out_at = 0;
	}
	while (cap < redis->out_n + more)
		cap *= 2;
	if (cap == redis->out_cap)
		return true;
	grown = realloc(redis->out, cap);
	if (grown == NULL)
		return false;
	redis->out = grown;
	redis->out_cap = cap;
	return true;
}

/* What was asked since the last time, behind what still has to go out. */
static void queue_take(struct redis *redis)
{
	struct redis_call *call;
	struct list queued;

	pthread_mutex_lock(&redis->lock);
	queued = redis->queue;
	if (queued.first == NULL)
		queued.end = &queued.first;
	list_init(&redis->queue);
	pthread_mutex_unlock(&redis->lock);
	while ((call = list_take(&queued)) != NULL) {
		if (!out_room(redis, call->n)) {
			call->err = GBA_E_NOMEM;
			call_settle(redis, call);
			continue;
		}
		memcpy(redis->out + redis->out_n, call->out, call->n);
		redis->out_n += call->n;
		list_add(&redis->sent, call);
	}
}

static bool out_flush(struct redis *redis)
{
	ssize_t sent = 1;

	while (sent > 0 && redis->out_at < redis->out_n) {
		sent = redis_link_send(redis->link, redis->out + redis->out_at, redis->out_n - redis->out_at);
		if (sent < 0)
			return false;
		redis->out_at += (size_t)sent;
	}
	if (redis->out_at == redis->out_n)
		redis->out_n = redis->out_at = 0;
	return true;
}

/* One answer for the call that has waited longest. */
static bool reply_take(struct redis *redis, redisReply *reply)
{
	struct redis_call *call = redis->sent.first;

	if (call == NULL) { /* nobody asked */
		freeReplyObject(reply);
		return false;
	}
	if (call->reply != NULL)
		freeReplyObject(call->reply);
	call->reply = reply;
	if (call->err == GBA_OK)
		call->err = redis_reply_err(reply);
	if (++call->answered == call->commands)
		call_settle(redis, list_take(&redis->sent));
	return true;
}

static bool replies_take(struct redis *redis)
{
	redisReply *reply = NULL;

	if (!redis_link_recv(redis->link))
		return false;
	for (;;) {
		if (!redis_link_reply(redis->link, &reply))
			return false;
		if (reply == NULL)
			return true;
		if (!reply_take(redis, reply))
			return false;
		reply = NULL;
	}
}

static int wait_ms(const struct redis *redis)
{
	uint64_t now = clock_mono_ms(), until = redis->link != NULL ? redis->beat_at : redis->retry_at;

	if (redis->sent.first != NULL && redis->sent.first->deadline < until)
		until = redis->sent.first->deadline;
	return until > now ? (int)(until - now) : 0;
}

static void bell_wait(struct redis *redis, struct pollfd *_fds)
{
	uint64_t rung;

	_fds[0] = (struct pollfd){ .fd = redis->bell, .events = POLLIN };
	_fds[1] = (struct pollfd){ .fd = -1 };
	if (redis->link != NULL)
		_fds[1] = (struct pollfd){ .fd = redis_link_fd(redis->link),
					   .events = (short)(POLLIN | (redis->out_at < redis->out_n ? POLLOUT : 0)) };
	poll(_fds, 2, wait_ms(redis));
	if (_fds[0].revents != 0 && read(redis->bell, &rung, sizeof(rung)) < 0)
		return;
}

static void link_serve(struct redis *redis)
{
	struct pollfd fds[2];

	queue_take(redis);
	if (!out_flush(redis)) {
		link_drop(redis, GBA_E_UNREACHABLE, "connection lost");
		return;
	}
	bell_wait(redis, fds);
	if (fds[1].revents != 0 && !replies_take(redis)) {
		link_drop(redis, GBA_E_UNREACHABLE, "connection lost");
		return;
	}
	if (redis->sent.first != NULL && clock_mono_ms() >= redis->sent.first->deadline) {
		link_drop(redis, GBA_E_TIMEOUT, "no answer in time");
		return;
	}
	if (clock_mono_ms() >= redis->beat_at) {
		redis->beat_at = clock_mono_ms() + BEAT_MS;
		if (!redis->conf.beat(redis->conf.arg))
			link_drop(redis, GBA_E_UNREACHABLE, "the server does not take writes");
	}
}

static bool io_ends(struct redis *redis)
{
	bool idle;

	pthread_mutex_lock(&redis->lock);
	idle = redis->stopping && redis->queue.first == NULL && redis->sent.first == NULL;
	if (redis->stopping && redis->link == NULL)
		idle = true;
	pthread_mutex_unlock(&redis->lock);
	return idle;
}

static void *io_main(void *arg)
{
	struct redis *redis = arg;
	struct pollfd fds[2];

	prctl(PR_SET_NAME, "redis-io");
	while (!io_ends(redis)) {
		if (redis->link != NULL)
			link_serve(redis);
		else if (clock_mono_ms() >= redis->retry_at)
			link_make(redis);
		else
			bell_wait(redis, fds);
	}
	if (redis->link != NULL)
		link_drop(redis, GBA_E_BUSY, "closed");
	pthread_mutex_lock(&redis->lock);
	redis->ended = true;
	pthread_cond_broadcast(&redis->wake);
	pthread_mutex_unlock(&redis->lock);
	return NULL;
}

/* ---- life ---- */

static int redis_destroy(struct redis *redis)
{
	if (redis->bell >= 0)
		close(redis->bell);
	free(redis->out);
	pthread_cond_destroy(&redis->wake);
	pthread_mutex_destroy(&redis->lock);
	return 0;
}

enum gba_err redis_start(TALLOC_CTX *mem_ctx, const struct redis_conf *conf, struct redis **_redis, enum gba_err *_first,
			 char *why)
{
	struct redis *redis = talloc_zero(mem_ctx, struct redis);

	if (redis == NULL)
		return GBA_E_NOMEM;
	redis->conf = *conf;
	list_init(&redis->queue);
	list_init(&redis->told);
	list_init(&redis->sent);
	pthread_mutex_init(&redis->lock, NULL);
	pthread_cond_init(&redis->wake, NULL);
	redis->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	talloc_set_destructor(redis, redis_destroy);
	*_redis = redis; /* before the threads: what they call asks */
	if (redis->bell < 0 || pthread_create(&redis->io, NULL, io_main, redis) != 0) {
		talloc_free(redis);
		return GBA_E_INTERNAL;
	}
	if (pthread_create(&redis->teller, NULL, teller_main, redis) != 0) {
		pthread_mutex_lock(&redis->lock);
		redis->stopping = true;
		pthread_mutex_unlock(&redis->lock);
		bell_ring(redis);
		pthread_join(redis->io, NULL);
		talloc_free(redis);
		return GBA_E_INTERNAL;
	}
	pthread_mutex_lock(&redis->lock);
	while (!redis->tried)
		pthread_cond_wait(&redis->wake, &redis->lock);
	*_first = redis->first;
	snprintf(why, REDIS_WHY_MAX, "%s", redis->first_why);
	pthread_mutex_unlock(&redis->lock);
	return GBA_OK;
}

void redis_stop(struct redis *redis)
{
	pthread_mutex_lock(&redis->lock);
	redis->stopping = true;
	pthread_mutex_unlock(&redis->lock);
	bell_ring(redis);
	pthread_join(redis->io, NULL);
	pthread_join(redis->teller, NULL);
}
