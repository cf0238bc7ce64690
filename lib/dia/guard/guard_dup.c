/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the last minutes and their answers: a ring in order of arrival under a hash table. */
#include <pthread.h>
#include <stdlib.h>

#include "core/secret.h"
#include "dia/guard/guard.h"
#include "dia/guard/guard_arena.h"

#define WAITERS_MAX   4	    /* retransmissions that wait for one answer; further ones get TOO_BUSY */
#define WAIT_MAX_MS   30000 /* then a waiting one is answered TOO_BUSY: its first was lost */
#define READY_MAX     64    /* answers sent per tick and round */
#define NONE	      UINT32_MAX

struct entry {
	uint64_t digest[2], since_ms;
	uint64_t id; /* 0: free; else serial << 32 | index + 1 */
	uint8_t *answer; /* in the arena */
	uint32_t answer_len, next; /* chain of the bucket */
	bool lost; /* the answer has been pushed out: as if never seen */
	uint32_t waiters;
	struct msg *waiting[WAITERS_MAX];
};

static struct {
	pthread_mutex_t lock;
	struct entry *entries;
	uint32_t *buckets;
	uint32_t size, bucket_mask, oldest, used;
	uint32_t waiting; /* in all entries */
	uint64_t window_ms, serial;
	struct guard_arena arena;
	size_t memory; /* [octets] of answers */
	struct metric *m_entries, *m_bytes;
} ring = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint32_t *bucket_of(const uint64_t digest[2])
{
	return &ring.buckets[digest[0] & ring.bucket_mask];
}

static void unchain(struct entry *entry, uint32_t index)
{
	uint32_t *link = bucket_of(entry->digest);

	while (*link != index)
		link = &ring.entries[*link].next;
	*link = entry->next;
}

static void drop_answer(struct entry *entry)
{
	if (entry->answer == NULL)
		return;
	secret_wipe(entry->answer, entry->answer_len);
	ring.memory -= entry->answer_len;
	entry->answer = NULL;
}

static void forget_oldest(void)
{
	struct entry *entry = &ring.entries[ring.oldest];

	unchain(entry, ring.oldest);
	drop_answer(entry);
	entry->id = 0;
	ring.oldest = (ring.oldest + 1) % ring.size;
	ring.used--;
}

static struct entry *find(const uint64_t digest[2])
{
	uint32_t index;

	for (index = *bucket_of(digest); index != NONE; index = ring.entries[index].next) {
		struct entry *entry = &ring.entries[index];

		if (!entry->lost && entry->digest[0] == digest[0] && entry->digest[1] == digest[1])
			return entry;
	}
	return NULL;
}

static struct entry *by_id(uint64_t id)
{
	uint32_t index = (uint32_t)id - 1;

	return index < ring.size && ring.entries[index].id == id ? &ring.entries[index] : NULL;
}

/* The arena needs the room. */
static void on_lost(uint64_t id)
{
	struct entry *entry = by_id(id);

	if (entry == NULL || entry->answer == NULL)
		return;
	drop_answer(entry);
	entry->lost = true;
}

enum gba_err guard_dup_start(const struct guard_conf *conf)
{
	uint32_t buckets = 16;

	while (buckets < conf->duplicate_entries)
		buckets *= 2;
	ring.entries = calloc(conf->duplicate_entries, sizeof(*ring.entries));
	ring.buckets = malloc(buckets * sizeof(*ring.buckets));
	if (ring.entries == NULL || ring.buckets == NULL ||
	    !guard_arena_start(&ring.arena, (size_t)conf->duplicate_memory << 20, on_lost))
		return GBA_E_NOMEM;
	memset(ring.buckets, 0xff, buckets * sizeof(*ring.buckets));
	ring.size = conf->duplicate_entries;
	ring.bucket_mask = buckets - 1;
	ring.window_ms = conf->duplicate_window * UINT64_C(1000);
	ring.m_entries = metric_get("gba_diameter_remembered_requests", "Requests remembered to answer retransmissions",
				    METRIC_GAUGE, "");
	ring.m_bytes = metric_get("gba_diameter_remembered_bytes", "Answers remembered, in octets", METRIC_GAUGE, "");
	return GBA_OK;
}

static uint64_t add(const uint64_t digest[2], uint64_t now_ms)
{
	uint32_t index;
	struct entry *entry;

	if (ring.used == ring.size) {
		if (ring.entries[ring.oldest].waiters > 0)
			return 0; /* somebody waits for it: rather do not remember the new one */
		forget_oldest();
	}
	index = (ring.oldest + ring.used) % ring.size;
	entry = &ring.entries[index];
	*entry = (struct entry){ .digest = { digest[0], digest[1] }, .since_ms = now_ms,
				 .id = ++ring.serial << 32 | (index + 1), .next = *bucket_of(digest) };
	*bucket_of(digest) = index;
	ring.used++;
	return entry->id;
}

enum guard_seen guard_dup_enter(const uint64_t digest[2], uint64_t now_ms, uint64_t *_entry)
{
	enum guard_seen seen = GUARD_NEW;
	struct entry *entry;

	pthread_mutex_lock(&ring.lock);
	entry = find(digest);
	if (entry == NULL) {
		*_entry = add(digest, now_ms);
	} else {
		*_entry = entry->id;
		seen = entry->answer != NULL ? GUARD_ANSWERED : GUARD_PENDING;
	}
	pthread_mutex_unlock(&ring.lock);
	return seen;
}

bool guard_dup_answered(uint64_t id, uint8_t *octets, size_t n)
{
	struct entry *entry;
	bool wanted = false;

	pthread_mutex_lock(&ring.lock);
	entry = by_id(id);
	if (entry != NULL && entry->answer == NULL && !entry->lost) {
		entry->answer = guard_arena_put(&ring.arena, id, BYTES(octets, n));
		entry->answer_len = (uint32_t)n;
		entry->lost = entry->answer == NULL;
		ring.memory += entry->lost ? 0 : n;
		wanted = entry->waiters > 0;
	}
	pthread_mutex_unlock(&ring.lock);
	secret_wipe(octets, n);
	free(octets);
	return wanted;
}

bool guard_dup_join(uint64_t id, struct msg *request)
{
	struct entry *entry;
	bool joined = false;

	pthread_mutex_lock(&ring.lock);
	entry = by_id(id);
	if (entry != NULL && entry->waiters < WAITERS_MAX) { /* answered meanwhile: the next tick sends it */
		entry->waiting[entry->waiters++] = request;
		ring.waiting++;
		joined = true;
	}
	pthread_mutex_unlock(&ring.lock);
	return joined;
}

static uint8_t *copy_answer(const struct entry *entry, size_t *_n)
{
	uint8_t *copy = entry != NULL && entry->answer != NULL ? malloc(entry->answer_len) : NULL;

	if (copy != NULL) {
		memcpy(copy, entry->answer, entry->answer_len);
		*_n = entry->answer_len;
	}
	return copy;
}

/* The kept octets as an answer to request: its own hop-by-hop id, else the same. */
static struct msg *answer_from(uint8_t *octets, size_t n, struct msg *request)
{
	struct msg_hdr *hdr, *request_hdr;
	struct msg *answer = NULL;

	if (octets == NULL || fd_msg_parse_buffer(&octets, n, &answer) != 0) {
		free(octets);
		return NULL;
	}
	if (fd_msg_hdr(answer, &hdr) != 0 || fd_msg_hdr(request, &request_hdr) != 0 ||
	    fd_msg_answ_associate(answer, request) != 0) {
		fd_msg_free(answer);
		return NULL;
	}
	hdr->msg_hbhid = request_hdr->msg_hbhid;
	return answer;
}

struct msg *guard_dup_answer(uint64_t id, struct msg *request)
{
	uint8_t *octets;
	size_t n = 0;

	pthread_mutex_lock(&ring.lock);
	octets = copy_answer(by_id(id), &n);
	pthread_mutex_unlock(&ring.lock);
	return answer_from(octets, n, request);
}

struct ready {
	struct msg *request;
	uint8_t *octets;
	size_t n;
};

/* Waiting ones whose answer is there, or will not come. */
static size_t take_ready(struct ready *ready, uint64_t now_ms)
{
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < ring.used && ring.waiting > 0; i++) {
		struct entry *entry = &ring.entries[(ring.oldest + i) % ring.size];

		if (entry->waiters == 0 || (entry->answer == NULL && !entry->lost && now_ms < entry->since_ms + WAIT_MAX_MS))
			continue;
		while (entry->waiters > 0 && n < READY_MAX) {
			ready[n] = (struct ready){ entry->waiting[--entry->waiters], NULL, 0 };
			ready[n].octets = copy_answer(entry, &ready[n].n);
			ring.waiting--;
			n++;
		}
	}
	return n;
}

static void send_ready(struct ready *ready)
{
	struct msg *answer = answer_from(ready->octets, ready->n, ready->request);

	if (answer == NULL) {
		answer = guard_busy_answer(ready->request);
		if (answer == NULL) {
			fd_msg_free(ready->request);
			return;
		}
	}
	if (fd_msg_send(&answer, NULL, NULL) != 0)
		fd_msg_free(answer);
}

/* now_ms was read before the lock was had: what came meanwhile is later, and stays. */
void guard_dup_tick(uint64_t now_ms)
{
	struct ready ready[READY_MAX];
	size_t i, n;

	pthread_mutex_lock(&ring.lock);
	n = take_ready(ready, now_ms);
	while (ring.used > 0 && now_ms > ring.entries[ring.oldest].since_ms + ring.window_ms &&
	       ring.entries[ring.oldest].waiters == 0)
		forget_oldest();
	metric_set(ring.m_entries, ring.used);
	metric_set(ring.m_bytes, (int64_t)ring.memory);
	pthread_mutex_unlock(&ring.lock);
	for (i = 0; i < n; i++)
		send_ready(&ready[i]);
}

void guard_dup_stop(void)
{
	uint32_t i;

	pthread_mutex_lock(&ring.lock);
	for (i = 0; ring.entries != NULL && i < ring.size; i++) {
		struct entry *entry = &ring.entries[i];

		while (entry->waiters > 0)
			fd_msg_free(entry->waiting[--entry->waiters]);
		drop_answer(entry);
	}
	guard_arena_stop(&ring.arena);
	free(ring.entries);
	free(ring.buckets);
	ring.entries = NULL;
	ring.buckets = NULL;
	ring.used = ring.size = 0;
	pthread_mutex_unlock(&ring.lock);
}
