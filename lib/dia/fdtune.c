/* SPDX-License-Identifier: Apache-2.0 */
/* gba_fdtune.so, preloaded into freeDiameterd by our role programs: the queues between its threads (fd_fifo_* of
 * libfdproto.h), made for load. Those of 1.2.1 hold 20 to 30 messages, so every message wakes and stops a thread on its way in
 * and out; they wake a thread while they hold the lock it needs, so it stops once more; they allocate and read clocks for each
 * message. Here a queue has room for a thousand, and whoever is woken finds the lock free. What protects a node from a flood
 * is the guard's busy-local and busy-peer, not these limits. Times in the statistics stay zero. fdtune_route.c and fdtune_recv.c
 * spare threads and system calls. */
#include "dia/fdtune.h"

#include <errno.h>
#include <freeDiameter/extension.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#pragma weak fd_dump_extend /* the daemon's; a shell that starts it under our preload has none */
#define ROOM	   1000 /* [items] that a queue with a limit can hold at least */
#define RING_FIRST 64	/* [items] power of two; the ring doubles when it is full */
#define LOOK_S	   4	/* a thread that waits looks so often whether it was forgotten */
#define LATER_MAX  4	/* queues whose getters a thread wakes later */
#define LATER_POSTS 16	/* or sooner, after so many items */
#define MAGIC	   0x67626166

/* A thread that waits. Each has a condition of its own: one that several threads wait on can lose a wake-up (bug 25847 of glibc
 * before 2.41). Never freed but kept for the next thread: it may be woken when it has gone on by itself. */
struct waiter {
	pthread_cond_t wake;
	bool called; /* out of the list; lock of the queue */
	struct waiter *next;
};

/* Those who wait on one side of the queue. Who came last is called first: its caches are the warmest. */
struct side {
	struct waiter *first;
};

struct fifo {
	unsigned int magic;
	atomic_uint refs;     /* the owner's, and one for each thread that will wake somebody later */
	pthread_mutex_t lock; /* all below */
	struct side getters, posters;
	void **ring;
	size_t size, first, count; /* of the ring; oldest item; items */
	int max, highest;
	long long taken;
	unsigned int away; /* threads that wait, or let others go first */
	bool closing;
	struct {
		int high, low, passed; /* passed: how many times `high` the count has reached, less those it fell below */
		void (*on_high)(struct fifo *, void **);
		void (*on_low)(struct fifo *, void **);
		void *data;
	} level;
};

/* Of each thread. Of one that has more to do: whom it will wake when it is done, so that messages that come together stay
 * together from thread to thread. */
static __thread struct {
	struct waiter *self;
	struct fifo *queues[LATER_MAX];
	unsigned int n, posts;
	bool more; /* and it comes to that without waiting */
	bool psm;
} mine;

static pthread_key_t at_end; /* has a value in threads that are to tidy up */

static bool is_fifo(const struct fifo *queue)
{
	return queue != NULL && queue->magic == MAGIC;
}

static void unref(struct fifo *queue)
{
	if (atomic_fetch_sub(&queue->refs, 1) > 1)
		return;
	pthread_mutex_destroy(&queue->lock);
	free(queue->ring);
	free(queue);
}

/* ---- waiting ---- */

/* One thread of this side shall go on. The lock is held. @return for wake(), after the lock is given up; NULL: nobody waits */
static struct waiter *call_one(struct side *side)
{
	struct waiter *waiter = side->first;

	if (waiter == NULL)
		return NULL;
	side->first = waiter->next;
	waiter->called = true;
	return waiter;
}

static void wake(struct waiter *waiter)
{
	if (waiter != NULL)
		pthread_cond_signal(&waiter->wake);
}

static struct {
	pthread_mutex_t lock;
	struct waiter *first;
} spare = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* This thread's own. NULL: out of memory */
static struct waiter *waiter_own(void)
{
	struct waiter *waiter = mine.self;

	if (waiter != NULL)
		return waiter;
	pthread_mutex_lock(&spare.lock);
	waiter = spare.first;
	if (waiter != NULL)
		spare.first = waiter->next;
	pthread_mutex_unlock(&spare.lock);
	if (waiter == NULL) {
		waiter = calloc(1, sizeof(*waiter));
		if (waiter == NULL)
			return NULL;
		pthread_cond_init(&waiter->wake, NULL);
	}
	mine.self = waiter;
	(void)pthread_setspecific(at_end, &mine); /* out of memory: lost with the thread */
	return waiter;
}

static void waiter_spare(struct waiter *waiter)
{
	pthread_mutex_lock(&spare.lock);
	waiter->next = spare.first;
	spare.first = waiter;
	pthread_mutex_unlock(&spare.lock);
}

struct wait {
	struct fifo *queue;
	struct side *side;
	struct waiter *waiter;
};

/* The lock is held. */
static void wait_end(struct wait *wait)
{
	struct waiter **at;

	for (at = &wait->side->first; *at != NULL; at = &(*at)->next) {
		if (*at == wait->waiter) {
			*at = wait->waiter->next;
			break;
		}
	}
	wait->queue->away--;
}

/* freeDiameter cancels its threads where they wait: what this one was called for must not be lost. */
static void wait_cancelled(void *arg)
{
	struct wait *wait = arg;
	struct waiter *next = wait->waiter->called ? call_one(wait->side) : NULL;

	wait_end(wait);
	pthread_mutex_unlock(&wait->queue->lock);
	wake(next);
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static int wait_until(struct wait *wait, const struct timespec *until)
{
	int rc;

	pthread_cleanup_push(wait_cancelled, wait);
	rc = pthread_cond_timedwait(&wait->waiter->wake, &wait->queue->lock, until);
	pthread_cleanup_pop(0);
	return rc;
}

/* For no longer than LOOK_S: a call that does not arrive, for whatever reason, costs so much and not the queue. The lock is held.
 * @return 0: look again; ETIMEDOUT: it is that late */
static int wait_called(struct wait *wait, const struct timespec *until)
{
	struct timespec look;
	bool to_end;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &look);
	look.tv_sec += LOOK_S;
	to_end = until != NULL && !is_before(&look, until);
	while (!wait->waiter->called && rc == 0)
		rc = wait_until(wait, to_end ? until : &look);
	return wait->waiter->called || (rc == ETIMEDOUT && !to_end) ? 0 : rc;
}

/* The lock is held. @param until  NULL: for ever @return 0: look again; ETIMEDOUT: it is that late; ENOMEM */
static int wait_on(struct fifo *queue, struct side *side, const struct timespec *until)
{
	struct wait wait = { queue, side, waiter_own() };
	int rc;

	if (wait.waiter == NULL)
		return ENOMEM;
	wait.waiter->called = false;
	wait.waiter->next = side->first;
	side->first = wait.waiter;
	queue->away++;
	rc = wait_called(&wait, until);
	wait_end(&wait);
	return rc;
}

/* Whoever else had the processor may be about to post: cheaper than to sleep and be woken. No wake-up is missed: who comes back
 * looks before it waits, under the lock. */
static void let_others(struct fifo *queue)
{
	queue->away++;
	pthread_mutex_unlock(&queue->lock);
	sched_yield();
	pthread_mutex_lock(&queue->lock);
	queue->away--;
}

/* ---- waking later: a thread that is about to take its next item wakes nobody for the one it has passed on ---- */

/* Called wherever a thread might stop, and when it ends. */
static void wake_those(void)
{
	struct waiter *waiter;
	struct fifo *queue;

	while (mine.n > 0) {
		queue = mine.queues[--mine.n];
		pthread_mutex_lock(&queue->lock);
		waiter = queue->count > 0 ? call_one(&queue->getters) : NULL;
		pthread_mutex_unlock(&queue->lock);
		wake(waiter);
		unref(queue);
	}
	mine.posts = 0;
}

static void on_thread_end(void *unused)
{
	(void)unused;
	wake_those();
	if (mine.self != NULL)
		waiter_spare(mine.self);
	mine.self = NULL;
}

__attribute__((constructor)) static void at_end_make(void)
{
	if (pthread_key_create(&at_end, on_thread_end) != 0)
		abort();
}

/* Somebody waits for an item just posted. The lock is held. @return false: must be woken now */
static bool may_wake_later(struct fifo *queue)
{
	unsigned int i;

	if (!mine.more || mine.posts >= LATER_POSTS)
		return false;
	for (i = 0; i < mine.n && mine.queues[i] != queue; i++)
		;
	if (i == LATER_MAX || (i == mine.n && pthread_setspecific(at_end, &mine) != 0))
		return false;
	if (i == mine.n) {
		atomic_fetch_add(&queue->refs, 1);
		mine.queues[mine.n++] = queue;
	}
	mine.posts++;
	return true;
}

/* The lock is held, and given up meanwhile. */
static void wake_those_unlocked(struct fifo *queue)
{
	queue->away++;
	pthread_mutex_unlock(&queue->lock);
	wake_those();
	pthread_mutex_lock(&queue->lock);
	queue->away--;
}

/* ---- what is in the ring; the lock is held ---- */

static bool ring_grow(struct fifo *queue)
{
	size_t i, size = queue->size > 0 ? 2 * queue->size : RING_FIRST;
	void **ring = calloc(size, sizeof(*ring));

	if (ring == NULL)
		return false;
	for (i = 0; i < queue->count; i++)
		ring[i] = queue->ring[(queue->first + i) & (queue->size - 1)];
	free(queue->ring);
	queue->ring = ring;
	queue->size = size;
	queue->first = 0;
	return true;
}

static bool push(struct fifo *queue, void *item)
{
	if (queue->count == queue->size && !ring_grow(queue))
		return false;
	queue->ring[(queue->first + queue->count++) & (queue->size - 1)] = item;
	if (queue->highest < (int)queue->count)
		queue->highest = (int)queue->count;
	return true;
}

static void *pop(struct fifo *queue)
{
	void *item = queue->ring[queue->first];

	queue->first = (queue->first + 1) & (queue->size - 1);
	queue->count--;
	queue->taken++;
	return item;
}

static bool is_full(const struct fifo *queue)
{
	return queue->max > 0 && queue->count >= (size_t)queue->max;
}

/* Thresholds, for extensions that add threads: one for each `high` items that have come together. */
static bool level_risen(struct fifo *queue)
{
	if (queue->level.high == 0 || queue->count < (size_t)queue->level.high * (size_t)(queue->level.passed + 1))
		return false;
	queue->level.passed++;
	return true;
}

static bool level_fallen(struct fifo *queue)
{
	if (queue->level.passed == 0 ||
	    queue->count > (size_t)queue->level.high * (size_t)(queue->level.passed - 1) + (size_t)queue->level.low)
		return false;
	queue->level.passed--;
	return true;
}

/* ---- freeDiameter's interface: see libfdproto.h ---- */

EXPORT int fd_fifo_new(struct fifo **_queue, int max)
{
	struct fifo *queue = calloc(1, sizeof(*queue));

	if (queue == NULL)
		return ENOMEM;
	queue->magic = MAGIC;
	queue->max = max > 0 && max < ROOM ? ROOM : max;
	pthread_mutex_init(&queue->lock, NULL);
	atomic_init(&queue->refs, 1);
	*_queue = queue;
	return 0;
}

/* Those who wait here, or were about to, learn that it ends. The lock is held. */
static void send_away(struct fifo *queue)
{
	queue->closing = true;
	while (queue->away > 0) {
		while (queue->getters.first != NULL)
			wake(call_one(&queue->getters));
		while (queue->posters.first != NULL)
			wake(call_one(&queue->posters));
		pthread_mutex_unlock(&queue->lock);
		usleep(1000);
		pthread_mutex_lock(&queue->lock);
	}
}

EXPORT int fd_fifo_del(struct fifo **_queue)
{
	struct fifo *queue = _queue != NULL ? *_queue : NULL;

	if (queue == NULL)
		return 0;
	if (!is_fifo(queue))
		return EINVAL;
	pthread_mutex_lock(&queue->lock);
	if (queue->count > 0) {
		pthread_mutex_unlock(&queue->lock);
		return EINVAL;
	}
	send_away(queue);
	queue->magic = 0;
	pthread_mutex_unlock(&queue->lock);
	unref(queue);
	*_queue = NULL;
	return 0;
}

EXPORT int fd_fifo_move(struct fifo *from, struct fifo *to, struct fifo **_place)
{
	struct waiter *called;
	int rc = 0;

	if (!is_fifo(from) || !is_fifo(to))
		return EINVAL;
	if (_place != NULL)
		*_place = to;
	pthread_mutex_lock(&from->lock);
	pthread_mutex_lock(&to->lock);
	send_away(from);
	while (from->count > 0 && rc == 0) {
		if (push(to, from->ring[from->first]))
			pop(from);
		else
			rc = ENOMEM;
	}
	called = to->count > 0 ? call_one(&to->getters) : NULL; /* who goes with more left behind calls the next */
	from->closing = false;
	pthread_mutex_unlock(&to->lock);
	pthread_mutex_unlock(&from->lock);
	wake(called);
	return rc;
}

bool fdtune_is_psm(void)
{
	return mine.psm;
}

void fdtune_has_more(bool more)
{
	mine.more = more;
}

void fdtune_waits(void)
{
	if (mine.n > 0)
		wake_those();
}

static int post(struct fifo *queue, void **_item, bool may_wait)
{
	struct waiter *called = NULL;
	bool risen = false;
	int rc = 0;

	if (!is_fifo(queue) || _item == NULL || *_item == NULL)
		return EINVAL;
	pthread_mutex_lock(&queue->lock);
	while (may_wait && is_full(queue) && !queue->closing) {
		if (mine.n > 0)
			wake_those_unlocked(queue);
		else if (wait_on(queue, &queue->posters, NULL) != 0)
			break;
	}
	if (queue->closing)
		rc = EPIPE;
	else if (!push(queue, *_item))
		rc = ENOMEM;
	if (rc == 0) {
		*_item = NULL;
		called = queue->getters.first == NULL || may_wake_later(queue) ? NULL : call_one(&queue->getters);
		risen = level_risen(queue);
	}
	pthread_mutex_unlock(&queue->lock);
	wake(called);
	if (!mine.more && mine.n > 0)
		wake_those();
	if (risen && queue->level.on_high != NULL)
		queue->level.on_high(queue, &queue->level.data);
	return rc;
}

int fdtune_queue(struct fifo *queue, void **_item)
{
	return post(queue, _item, true);
}

EXPORT int fd_fifo_post_int(struct fifo *queue, void **_item)
{
	return _item != NULL && *_item != NULL && fdtune_shorten(queue, _item) ? 0 : post(queue, _item, true);
}

EXPORT int fd_fifo_post_noblock(struct fifo *queue, void **_item)
{
	return post(queue, _item, false);
}

/* The lock is held. @return 0: there is an item; EPIPE, ETIMEDOUT */
static int wait_item(struct fifo *queue, const struct timespec *until)
{
	int rc = 0;

	if (queue->count == 0 && mine.n > 0)
		wake_those_unlocked(queue);
	if (queue->count == 0 && !queue->closing)
		let_others(queue);
	while (queue->count == 0 && !queue->closing && rc == 0)
		rc = wait_on(queue, &queue->getters, until);
	if (queue->closing)
		return EPIPE;
	return queue->count > 0 ? 0 : rc;
}

static int get(struct fifo *queue, void **_item, bool may_wait, const struct timespec *until)
{
	struct waiter *called = NULL, *another = NULL;
	bool fallen = false;
	int rc;

	if (!is_fifo(queue) || _item == NULL)
		return EINVAL;
	pthread_mutex_lock(&queue->lock);
	if (may_wait)
		rc = wait_item(queue, until);
	else
		rc = queue->closing ? EPIPE : queue->count > 0 ? 0 : EWOULDBLOCK;
	if (rc == 0) {
		*_item = pop(queue);
		called = !is_full(queue) ? call_one(&queue->posters) : NULL;
		another = queue->count > 0 ? call_one(&queue->getters) : NULL;
		fallen = level_fallen(queue);
	}
	/* Only the threads of routing, dispatch and sending have queues with a limit: nothing stops them before they come back. */
	mine.more = rc == 0 && may_wait && queue->max > 0 && queue->count > 0;
	pthread_mutex_unlock(&queue->lock);
	wake(called);
	wake(another);
	if (!may_wait && mine.n > 0)
		wake_those();
	if (fallen && queue->level.on_low != NULL)
		queue->level.on_low(queue, &queue->level.data);
	return rc;
}

EXPORT int fd_fifo_get_int(struct fifo *queue, void **_item)
{
	return get(queue, _item, true, NULL);
}

EXPORT int fd_fifo_tryget_int(struct fifo *queue, void **_item)
{
	return get(queue, _item, false, NULL);
}

EXPORT int fd_fifo_timedget_int(struct fifo *queue, void **_item, const struct timespec *until)
{
	if (is_fifo(queue) && queue->max == 0)
		mine.psm = true; /* the events of a peer: the one queue without limit that is not waited on for ever */
	return until != NULL ? get(queue, _item, true, until) : EINVAL;
}

EXPORT int fd_fifo_select(struct fifo *queue, const struct timespec *until)
{
	struct waiter *called;
	int rc = 0, count;

	if (!is_fifo(queue))
		return -EINVAL;
	pthread_mutex_lock(&queue->lock);
	if (until != NULL)
		rc = wait_item(queue, until);
	count = queue->closing ? -EPIPE : (int)queue->count;
	/* It takes nothing: whom the item was meant for must still come. */
	called = count > 0 ? call_one(&queue->getters) : NULL;
	pthread_mutex_unlock(&queue->lock);
	wake(called);
	return rc == 0 || rc == ETIMEDOUT || rc == EPIPE ? count : -rc;
}

EXPORT int fd_fifo_length(struct fifo *queue)
{
	int count = 0;

	if (!is_fifo(queue))
		return 0;
	pthread_mutex_lock(&queue->lock);
	count = (int)queue->count;
	pthread_mutex_unlock(&queue->lock);
	return count;
}

EXPORT int fd_fifo_getstats(struct fifo *queue, int *_count, int *_limit, int *_highest, long long *_total, struct timespec *_time,
			    struct timespec *_blocked, struct timespec *_last)
{
	const struct timespec none = { 0, 0 };

	if (!is_fifo(queue))
		return EINVAL;
	pthread_mutex_lock(&queue->lock);
	*(_count != NULL ? _count : &(int){ 0 }) = (int)queue->count;
	*(_limit != NULL ? _limit : &(int){ 0 }) = queue->max;
	*(_highest != NULL ? _highest : &(int){ 0 }) = queue->highest;
	*(_total != NULL ? _total : &(long long){ 0 }) = queue->taken;
	pthread_mutex_unlock(&queue->lock);
	*(_time != NULL ? _time : &(struct timespec){ 0, 0 }) = none;
	*(_blocked != NULL ? _blocked : &(struct timespec){ 0, 0 }) = none;
	*(_last != NULL ? _last : &(struct timespec){ 0, 0 }) = none;
	return 0;
}

EXPORT int fd_fifo_setthrhd(struct fifo *queue, void *data, uint16_t high, void (*on_high)(struct fifo *, void **), uint16_t low,
			    void (*on_low)(struct fifo *, void **))
{
	if (!is_fifo(queue) || high <= low)
		return EINVAL;
	pthread_mutex_lock(&queue->lock);
	queue->level.high = high;
	queue->level.low = low;
	queue->level.on_high = on_high;
	queue->level.on_low = on_low;
	queue->level.data = data;
	pthread_mutex_unlock(&queue->lock);
	return 0;
}

/* 1.3 and later, from the configuration. */
int fd_fifo_set_max(struct fifo *queue, int max);
EXPORT int fd_fifo_set_max(struct fifo *queue, int max)
{
	if (!is_fifo(queue))
		return EINVAL;
	pthread_mutex_lock(&queue->lock);
	queue->max = max > 0 && max < ROOM ? ROOM : max;
	pthread_mutex_unlock(&queue->lock);
	return 0;
}

EXPORT DECLARE_FD_DUMP_PROTOTYPE(fd_fifo_dump, char *name, struct fifo *queue, fd_fifo_dump_item_cb dump_item)
{
	char *text;
	size_t i;

	FD_DUMP_HANDLE_OFFSET();
	if (!is_fifo(queue))
		return fd_dump_extend(FD_DUMP_STD_PARAMS, "'%s'(@%p): no queue", name, (void *)queue);
	pthread_mutex_lock(&queue->lock);
	text = fd_dump_extend(FD_DUMP_STD_PARAMS, "'%s'(@%p): items:%zu,%d,%d threads:%u", name, (void *)queue, queue->count,
			      queue->highest, queue->max, queue->away);
	for (i = 0; dump_item != NULL && text != NULL && i < queue->count; i++)
		text = dump_item(FD_DUMP_STD_PARAMS, queue->ring[(queue->first + i) & (queue->size - 1)]);
	pthread_mutex_unlock(&queue->lock);
	return text;
}
