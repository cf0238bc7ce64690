/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/dia_pending.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/clock.h"

#define TICK_MS	    10
#define BUCKETS	    1024 /* power of two; deadlines further than BUCKETS * TICK_MS go round again */
#define SLOTS_BLOCK 256
#define NONE	    UINT32_MAX

/* One request: in a bucket of the wheel while in flight, else in the free list. */
struct slot {
	dia_done done; /* NULL: free */
	void *arg;
	uint64_t deadline; /* [ticks] */
	uint32_t generation, index, next, prev;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool running, stop;
	struct slot *blocks[DIA_PENDING_MAX / SLOTS_BLOCK];
	uint32_t allocated, in_flight, free_head;
	uint32_t bucket[BUCKETS];
	uint64_t tick; /* the next to look at */
} wheel = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .free_head = NONE };

static struct slot *slot_at(uint32_t index)
{
	return &wheel.blocks[index / SLOTS_BLOCK][index % SLOTS_BLOCK];
}

static bool grow(void)
{
	struct slot *block;
	uint32_t i;

	if (wheel.allocated >= DIA_PENDING_MAX)
		return false;
	block = calloc(SLOTS_BLOCK, sizeof(*block));
	if (block == NULL)
		return false;
	wheel.blocks[wheel.allocated / SLOTS_BLOCK] = block;
	for (i = 0; i < SLOTS_BLOCK; i++) {
		block[i].index = wheel.allocated + i;
		block[i].next = i + 1 < SLOTS_BLOCK ? wheel.allocated + i + 1 : wheel.free_head;
	}
	wheel.free_head = wheel.allocated;
	wheel.allocated += SLOTS_BLOCK;
	return true;
}

static void link_slot(struct slot *slot)
{
	uint32_t *head = &wheel.bucket[slot->deadline % BUCKETS];

	slot->prev = NONE;
	slot->next = *head;
	if (*head != NONE)
		slot_at(*head)->prev = slot->index;
	*head = slot->index;
	wheel.in_flight++;
}

/* Out of the wheel and back to the free list; what it held is the caller's. */
static void release(struct slot *slot)
{
	if (slot->prev != NONE)
		slot_at(slot->prev)->next = slot->next;
	else
		wheel.bucket[slot->deadline % BUCKETS] = slot->next;
	if (slot->next != NONE)
		slot_at(slot->next)->prev = slot->prev;
	wheel.in_flight--;
	slot->done = NULL;
	slot->generation++;
	slot->next = wheel.free_head;
	wheel.free_head = slot->index;
}

/* Call done of everything in the bucket that is due; the lock is given up around each call. */
static void expire_bucket(uint32_t bucket, uint64_t now, enum gba_err err)
{
	uint32_t index = wheel.bucket[bucket];
	struct slot *slot;
	dia_done done;
	void *arg;

	while (index != NONE) {
		slot = slot_at(index);
		index = slot->next;
		if (slot->deadline > now)
			continue;
		done = slot->done;
		arg = slot->arg;
		release(slot);
		pthread_mutex_unlock(&wheel.lock);
		done(arg, err, NULL);
		pthread_mutex_lock(&wheel.lock);
		index = wheel.bucket[bucket]; /* others may have changed it meanwhile */
	}
}

static void wait_tick(uint64_t until_ms)
{
	struct timespec at = { .tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000 };

	pthread_cond_clockwait(&wheel.wake, &wheel.lock, CLOCK_MONOTONIC, &at);
}

static void *turn(void *arg)
{
	uint64_t now;

	(void)arg;
	pthread_mutex_lock(&wheel.lock);
	while (!wheel.stop) {
		if (wheel.in_flight == 0) {
			pthread_cond_wait(&wheel.wake, &wheel.lock);
			continue;
		}
		now = clock_mono_ms() / TICK_MS;
		if (now > wheel.tick + BUCKETS) /* after a pause each bucket once is enough */
			wheel.tick = now - BUCKETS;
		for (; wheel.tick <= now && !wheel.stop; wheel.tick++)
			expire_bucket(wheel.tick % BUCKETS, wheel.tick, GBA_E_TIMEOUT);
		if (!wheel.stop)
			wait_tick((now + 1) * TICK_MS);
	}
	pthread_mutex_unlock(&wheel.lock);
	return NULL;
}

static bool start(void)
{
	uint32_t i;

	if (wheel.running)
		return true;
	for (i = 0; i < BUCKETS; i++)
		wheel.bucket[i] = NONE;
	wheel.stop = false;
	wheel.tick = clock_mono_ms() / TICK_MS;
	wheel.running = pthread_create(&wheel.thread, NULL, turn, NULL) == 0;
	return wheel.running;
}

static enum gba_err add(unsigned int timeout_ms, dia_done done, void *arg, uint64_t *_id)
{
	uint64_t now = clock_mono_ms();
	struct slot *slot;

	if (!start())
		return GBA_E_NOMEM;
	if (wheel.free_head == NONE && !grow())
		return wheel.allocated >= DIA_PENDING_MAX ? GBA_E_BUSY : GBA_E_NOMEM;
	slot = slot_at(wheel.free_head);
	wheel.free_head = slot->next;
	if (wheel.in_flight == 0) {
		wheel.tick = now / TICK_MS;
		pthread_cond_signal(&wheel.wake);
	}
	slot->done = done;
	slot->arg = arg;
	slot->deadline = (now + timeout_ms + TICK_MS - 1) / TICK_MS; /* never early */
	if (slot->deadline < wheel.tick) /* that bucket has been looked at */
		slot->deadline = wheel.tick;
	link_slot(slot);
	*_id = (uint64_t)slot->generation << 32 | (slot->index + 1);
	return GBA_OK;
}

enum gba_err dia_pending_add(unsigned int timeout_ms, dia_done done, void *arg, uint64_t *_id)
{
	enum gba_err err;

	pthread_mutex_lock(&wheel.lock);
	err = wheel.stop && wheel.running ? GBA_E_UNREACHABLE : add(timeout_ms, done, arg, _id);
	pthread_mutex_unlock(&wheel.lock);
	return err;
}

bool dia_pending_take(uint64_t id, dia_done *_done, void **_arg)
{
	uint32_t index = (uint32_t)id - 1;
	struct slot *slot;
	bool found = false;

	pthread_mutex_lock(&wheel.lock);
	if (index < wheel.allocated) {
		slot = slot_at(index);
		found = slot->done != NULL && slot->generation == (uint32_t)(id >> 32);
	}
	if (found) {
		*_done = slot->done;
		*_arg = slot->arg;
		release(slot);
	}
	pthread_mutex_unlock(&wheel.lock);
	return found;
}

void dia_pending_stop(enum gba_err err)
{
	bool was_running;
	uint32_t i;

	pthread_mutex_lock(&wheel.lock);
	was_running = wheel.running;
	wheel.stop = true;
	pthread_cond_signal(&wheel.wake);
	pthread_mutex_unlock(&wheel.lock);
	if (!was_running)
		return;
	pthread_join(wheel.thread, NULL);
	pthread_mutex_lock(&wheel.lock);
	for (i = 0; i < BUCKETS; i++)
		expire_bucket(i, UINT64_MAX, err);
	for (i = 0; i < wheel.allocated / SLOTS_BLOCK; i++) {
		free(wheel.blocks[i]);
		wheel.blocks[i] = NULL;
	}
	wheel.allocated = 0;
	wheel.free_head = NONE;
	wheel.running = false;
	pthread_mutex_unlock(&wheel.lock);
}
