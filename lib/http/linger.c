/* SPDX-License-Identifier: Apache-2.0 */
/* Connections whose last answer went out while their request was still coming. Closing such a socket resets it, and the reset
 * may destroy the answer before its peer has read it (RFC 9112 9.6). So a copy of the socket stays open for writing nothing
 * and reading what still comes, until the peer closes; in bounds, and in the thread that served the connection. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "http/server_priv.h"

#define LINGER_MS    2000
#define LINGER_MAX   (8 << 20) /* [octets] of a connection */
#define LINGER_COUNT 256       /* of a thread */
#define AT_ONCE	     65536     /* [octets] of a connection, then it is another's turn */

struct http_linger {
	TAILQ_ENTRY(http_linger) list; /* the next to end first */
	uint64_t until_ms;
	size_t taken;
	int fd;
};

bool http_linger_start(struct http_loop *loop)
{
	loop->linger_epoll = epoll_create1(EPOLL_CLOEXEC);
	return loop->linger_epoll >= 0;
}

static void end(struct http_loop *loop, struct http_linger *linger)
{
	TAILQ_REMOVE(&loop->lingers, linger, list);
	loop->linger_n--;
	close(linger->fd);
	free(linger);
}

bool http_linger(struct http_loop *loop, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct http_linger *linger;

	if (loop->linger_n >= LINGER_COUNT)
		return false;
	linger = calloc(1, sizeof(*linger));
	if (linger == NULL)
		return false;
	linger->until_ms = clock_mono_ms() + LINGER_MS;
	linger->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	event.data.ptr = linger;
	if (linger->fd < 0 || epoll_ctl(loop->linger_epoll, EPOLL_CTL_ADD, linger->fd, &event) != 0) {
		if (linger->fd >= 0)
			close(linger->fd);
		free(linger);
		return false;
	}
	TAILQ_INSERT_TAIL(&loop->lingers, linger, list);
	loop->linger_n++;
	return true;
}

/* True: there is nothing more to wait for. */
static bool drained(struct http_linger *linger)
{
	static _Thread_local char scratch[16384];
	size_t turn = 0;
	ssize_t n;

	do {
		n = recv(linger->fd, scratch, sizeof(scratch), MSG_DONTWAIT);
		turn += n > 0 ? (size_t)n : 0;
	} while (n > 0 && turn < AT_ONCE);
	linger->taken += turn;
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || linger->taken >= LINGER_MAX;
}

void http_linger_run(struct http_loop *loop)
{
	struct epoll_event events[32];
	uint64_t now;
	int i, n;

	if (loop->linger_n == 0)
		return;
	n = epoll_wait(loop->linger_epoll, events, 32, 0);
	for (i = 0; i < n; i++) {
		if (drained(events[i].data.ptr))
			end(loop, events[i].data.ptr);
	}
	now = clock_mono_ms();
	while (!TAILQ_EMPTY(&loop->lingers) && TAILQ_FIRST(&loop->lingers)->until_ms <= now)
		end(loop, TAILQ_FIRST(&loop->lingers));
}

void http_linger_free(struct http_loop *loop)
{
	while (!TAILQ_EMPTY(&loop->lingers))
		end(loop, TAILQ_FIRST(&loop->lingers));
	if (loop->linger_epoll >= 0)
		close(loop->linger_epoll);
}
