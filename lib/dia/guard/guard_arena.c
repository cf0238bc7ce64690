/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/guard/guard_arena.h"

#include <string.h>
#include <sys/mman.h>

#include "core/log.h"
#include "core/secret.h"

/* In front of each record, and where the ring wraps. */
struct head {
	uint64_t owner; /* 0: nothing until the end of the arena */
	uint64_t n;	/* [octets] of the record, without this head */
};

static size_t whole(size_t n)
{
	return sizeof(struct head) + ((n + 7) & ~(size_t)7);
}

bool guard_arena_start(struct guard_arena *arena, size_t size, void (*lost)(uint64_t owner))
{
	*arena = (struct guard_arena){ .size = size, .lost = lost };
	arena->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena->base == MAP_FAILED) {
		arena->base = NULL;
		return false;
	}
	(void)madvise(arena->base, size, MADV_DONTDUMP);
	if (mlock(arena->base, size) != 0)
		log_event(LOG_L_WARNING, "guard.memory", NULL,
			  "answers kept for retransmissions may be swapped out: raise the limit of locked memory");
	return true;
}

void guard_arena_stop(struct guard_arena *arena)
{
	if (arena->base == NULL)
		return;
	secret_wipe(arena->base, arena->size);
	(void)munmap(arena->base, arena->size);
	arena->base = NULL;
}

static struct head *head_at(struct guard_arena *arena, size_t at)
{
	return (struct head *)(arena->base + at);
}

/* The oldest record goes; its owner is told. */
static void drop_oldest(struct guard_arena *arena)
{
	struct head *head;
	size_t n;

	if (arena->tail + sizeof(*head) > arena->size || head_at(arena, arena->tail)->owner == 0) { /* the wrap */
		arena->tail = 0;
		return;
	}
	head = head_at(arena, arena->tail);
	n = whole(head->n);
	arena->lost(head->owner);
	secret_wipe(arena->base + arena->tail, n);
	arena->tail += n;
	arena->records--;
	if (arena->records == 0)
		arena->tail = arena->next = 0;
}

uint8_t *guard_arena_put(struct guard_arena *arena, uint64_t owner, struct bytes octets)
{
	size_t need = whole(octets.n);
	struct head *head;

	if (arena->base == NULL || need > arena->size)
		return NULL;
	for (;;) {
		if (arena->records == 0)
			arena->tail = arena->next = 0;
		if (arena->records == 0 || arena->next > arena->tail) {
			if (need <= arena->size - arena->next)
				break;
			if (arena->size - arena->next >= sizeof(*head))
				*head_at(arena, arena->next) = (struct head){ 0, 0 };
			arena->next = 0; /* the oldest are there */
			continue;
		}
		if (arena->next <= arena->tail && need <= arena->tail - arena->next)
			break;
		drop_oldest(arena);
	}
	head = head_at(arena, arena->next);
	*head = (struct head){ owner, octets.n };
	memcpy(head + 1, octets.p, octets.n);
	arena->next += need;
	arena->records++;
	return (uint8_t *)(head + 1);
}
