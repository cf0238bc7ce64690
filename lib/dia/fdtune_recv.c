/* SPDX-License-Identifier: Apache-2.0 */
/* The octets of a connection without TLS. freeDiameter asks the kernel for four octets and then for the rest of each message;
 * here all that has come is taken at once, and messages that came together stay together. The library's own function does the
 * receiving: it knows the connection, and what to do when it ends. */
#include "dia/fdtune.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define HEAD 4	   /* [octets] version and length, which the library asks for first */
#define ROOM 16384 /* [octets] */

struct cnxctx;

struct ahead {
	size_t from, have;
	size_t first; /* octets of the first message that were received */
	bool later;   /* the first message is over */
	uint8_t octets[ROOM];
};

static __thread struct {
	struct ahead *ahead; /* NULL: this thread reads nothing ahead */
	bool known;
} mine;

static ssize_t (*original)(struct cnxctx *, void *, size_t);
static pthread_key_t at_end;

__attribute__((constructor)) static void find_original(void)
{
	*(void **)&original = dlsym(RTLD_NEXT, "fd_cnx_s_recv");
	if (pthread_key_create(&at_end, free) != 0)
		abort();
}

/* A thread that begins with the head of a message, for the core itself: it receives of one connection, from here on to its end.
 * TLS asks through its library, and its handshakes run in threads that receive nothing else. */
static struct ahead *ahead_of(size_t length, const void *caller)
{
	Dl_info info;

	if (mine.known)
		return mine.ahead;
	mine.known = true;
	if (length != HEAD || dladdr(caller, &info) == 0 || info.dli_fname == NULL || strstr(info.dli_fname, "libfdcore") == NULL)
		return NULL;
	mine.ahead = calloc(1, sizeof(*mine.ahead));
	if (mine.ahead != NULL && pthread_setspecific(at_end, mine.ahead) != 0) {
		free(mine.ahead);
		mine.ahead = NULL;
	}
	return mine.ahead;
}

/* [octets] of the message that begins here */
static size_t length_of(const uint8_t *head)
{
	return (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
}

/* Is the next message there, all of it? */
static bool is_whole(const struct ahead *ahead)
{
	return ahead->have >= HEAD && length_of(ahead->octets + ahead->from) <= ahead->have;
}

/* The first message is received alone: the thread may be there for that one only, and another go on. */
static ssize_t receive_first(struct ahead *ahead, struct cnxctx *connection, void *buffer, size_t length)
{
	ssize_t n = original(connection, buffer, length), i;

	for (i = 0; i < n && ahead->first + (size_t)i < HEAD; i++)
		ahead->octets[ahead->first + (size_t)i] = ((const uint8_t *)buffer)[i];
	if (n > 0)
		ahead->first += (size_t)n;
	ahead->later = ahead->first >= HEAD && ahead->first >= length_of(ahead->octets);
	return n;
}

static ssize_t refill(struct ahead *ahead, struct cnxctx *connection)
{
	ssize_t n = original(connection, ahead->octets, ROOM);

	ahead->from = 0;
	ahead->have = n > 0 ? (size_t)n : 0;
	return n;
}

static size_t give(struct ahead *ahead, void *buffer, size_t length)
{
	size_t n = length < ahead->have ? length : ahead->have;

	memcpy(buffer, ahead->octets + ahead->from, n);
	ahead->from += n;
	ahead->have -= n;
	return n;
}

EXPORT ssize_t fd_cnx_s_recv(struct cnxctx *connection, void *buffer, size_t length);
EXPORT ssize_t fd_cnx_s_recv(struct cnxctx *connection, void *buffer, size_t length)
{
	struct ahead *ahead = ahead_of(length, __builtin_return_address(0));
	ssize_t n;

	if (ahead == NULL)
		return original(connection, buffer, length);
	if (!ahead->later)
		return receive_first(ahead, connection, buffer, length);
	if (ahead->have == 0) {
		fdtune_has_more(false);
		fdtune_waits();
		n = length < ROOM ? refill(ahead, connection) : original(connection, buffer, length);
		if (n <= 0 || length >= ROOM)
			return n;
	}
	n = (ssize_t)give(ahead, buffer, length);
	fdtune_has_more(is_whole(ahead));
	return n;
}
