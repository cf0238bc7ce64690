/* SPDX-License-Identifier: Apache-2.0 */
/** A queue of octets in one piece: appended at the end, consumed at the start. Memory is taken when the first octet comes and
 * given back when the last one goes, so that an idle connection costs none. One thread at a time. */
#ifndef GBA_PROXY_BUF_H
#define GBA_PROXY_BUF_H

#include <stdbool.h>

#include "core/bytes.h"

struct buf {
	uint8_t *p;
	size_t cap, head, n; /* [octets] n of them, from head on */
};

static inline struct bytes buf_bytes(const struct buf *buf)
{
	return buf->p != NULL ? BYTES(buf->p + buf->head, buf->n) : BYTES_NONE;
}

/** Room for n more octets at the end, in one piece; NULL when memory is exhausted. Valid until the next call. */
uint8_t *buf_room(struct buf *buf, size_t n);
/** n octets were written to the room. */
void buf_added(struct buf *buf, size_t n);
/** @return false: out of memory, nothing appended */
bool buf_put(struct buf *buf, struct bytes octets);
bool buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** The first n octets are done with. */
void buf_drop(struct buf *buf, size_t n);
/** Forget what is queued and give the memory back. */
void buf_free(struct buf *buf);

#endif
