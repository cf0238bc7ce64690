/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MIN_CAP 4096

static void compact(struct buf *buf)
{
	if (buf->head == 0)
		return;
	memmove(buf->p, buf->p + buf->head, buf->n);
	buf->head = 0;
}

uint8_t *buf_room(struct buf *buf, size_t n)
{
	size_t cap = buf->cap > 0 ? buf->cap : MIN_CAP;
	uint8_t *p;

	if (n <= buf->cap - buf->head - buf->n && buf->p != NULL)
		return buf->p + buf->head + buf->n;
	if (buf->p != NULL)
		compact(buf);
	while (cap - buf->n < n)
		cap *= 2;
	if (cap != buf->cap) {
		p = realloc(buf->p, cap);
		if (p == NULL)
			return NULL;
		buf->p = p;
		buf->cap = cap;
	}
	return buf->p + buf->n;
}

void buf_added(struct buf *buf, size_t n)
{
	buf->n += n;
}

bool buf_put(struct buf *buf, struct bytes octets)
{
	uint8_t *p = buf_room(buf, octets.n);

	if (p == NULL)
		return false;
	if (octets.n > 0)
		memcpy(p, octets.p, octets.n);
	buf->n += octets.n;
	return true;
}

bool buf_printf(struct buf *buf, const char *fmt, ...)
{
	char text[512];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return n >= 0 && (size_t)n < sizeof(text) && buf_put(buf, BYTES(text, n));
}

void buf_drop(struct buf *buf, size_t n)
{
	buf->head += n;
	buf->n -= n;
	if (buf->n == 0)
		buf_free(buf);
}

void buf_free(struct buf *buf)
{
	free(buf->p);
	*buf = (struct buf){ 0 };
}
