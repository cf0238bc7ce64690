/* SPDX-License-Identifier: Apache-2.0 */
/** Secrets: what lives long is in locked memory and wiped by its destructor; what lives on a stack is wiped by hand. */
#ifndef GBA_CORE_SECRET_H
#define GBA_CORE_SECRET_H

#include <talloc.h>

#include "core/bytes.h"

/** Prepare locked, non-dumpable memory for the process: call once before the first secret_new(), from the entry of an
 * extension or the start of main. Switches core dumps of the process off unless the environment has GBA_COREDUMP=1. */
void secret_init(void);

/** A fixed number of octets in locked memory. */
struct secret {
	size_t n;
	uint8_t *p;
};

/** Zero-filled secret of n octets below ctx, wiped when freed; NULL when memory (or the locked pool) is exhausted. */
struct secret *secret_new(TALLOC_CTX *ctx, size_t n);
/** Copy of octets; the caller still has to wipe its own. */
struct secret *secret_dup(TALLOC_CTX *ctx, struct bytes from);

static inline struct bytes secret_bytes(const struct secret *s)
{
	return s != NULL ? BYTES(s->p, s->n) : BYTES_NONE;
}

/** Overwrite; the compiler may not leave it out. */
void secret_wipe(void *p, size_t n);
/** Wipe a local array or struct, at every way out of its scope. */
#define SECRET_WIPE(var) secret_wipe(&(var), sizeof(var))
/** Give a talloc chunk (a struct that embeds keys) a destructor that wipes it whole. */
void secret_guard_chunk(void *talloc_chunk);

#endif
