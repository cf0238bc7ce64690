/* SPDX-License-Identifier: Apache-2.0 */
/** A ring of octets in locked memory that core dumps leave out: answers hold keys. What is put in pushes the oldest out. */
#ifndef GBA_DIA_GUARD_ARENA_H
#define GBA_DIA_GUARD_ARENA_H

#include "core/bytes.h"

struct guard_arena {
	uint8_t *base;
	size_t size, tail, next; /* oldest record; where the next goes */
	size_t records;
	void (*lost)(uint64_t owner); /* a record is pushed out; under the lock that put is called under */
};

/** @param size  [octets] a multiple of 8. False: no memory. Warns where it cannot be locked. */
bool guard_arena_start(struct guard_arena *arena, size_t size, void (*lost)(uint64_t owner));
/** Wiped and given back. */
void guard_arena_stop(struct guard_arena *arena);
/** Copy octets in. @param owner  not 0 @return the copy, until lost(owner); NULL: larger than the arena */
uint8_t *guard_arena_put(struct guard_arena *arena, uint64_t owner, struct bytes octets);

#endif
