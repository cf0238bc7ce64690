/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that serve connections. libmicrohttpd (0.9.75) has such threads too, but in epoll mode they wait a second time,
 * without limit, whenever exactly 128 sockets were ready at once, and with these in hand: 128 clients that send at the same
 * moment were answered when another one came, or never. So the waiting is done here, on the library's epoll set, and the
 * library only ever looks. It also saves a system call for each answer that comes from another thread: whoever answers
 * wakes a thread only if it sleeps. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "http/server_priv.h"

#define LINGER_TICK_MS 500

static void round_tell(struct http_server *server, enum http_round round)
{
	if (server->round != NULL)
		server->round(server->handler_arg, round);
}

/* Until a socket is ready, an answer has come, or the server is to end. */
static void loop_wait(struct http_loop *loop)
{
	struct pollfd fds[] = { { .fd = loop->epoll, .events = POLLIN },
				{ .fd = loop->wake, .events = POLLIN },
				{ .fd = loop->linger_n > 0 ? loop->linger_epoll : -1, .events = POLLIN } };
	MHD_UNSIGNED_LONG_LONG ms;
	eventfd_t count;
	int timeout = -1;

	if (MHD_get_timeout(loop->daemon, &ms) == MHD_YES)
		timeout = ms < 1000 ? (int)ms : 1000;
	if (timeout == 0)
		return;
	if (loop->linger_n > 0 && (timeout < 0 || timeout > LINGER_TICK_MS))
		timeout = LINGER_TICK_MS;
	atomic_store(&loop->asleep, true); /* first this, then the look: who comes between finds us asleep */
	if (!atomic_load(&loop->woken))
		poll(fds, 3, timeout);
	atomic_store(&loop->asleep, false);
	if (fds[1].revents != 0)
		(void)eventfd_read(loop->wake, &count);
}

static void *loop_main(void *arg)
{
	struct http_loop *loop = arg;
	sigset_t pipes;

	sigemptyset(&pipes);
	sigaddset(&pipes, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipes, NULL);
	pthread_setname_np(pthread_self(), "gba-http");
	while (!atomic_load(&loop->stop)) {
		loop_wait(loop);
		atomic_store(&loop->woken, false);
		if (atomic_load(&loop->quiet) && !loop->quiesced) {
			MHD_quiesce_daemon(loop->daemon);
			loop->quiesced = true;
		}
		round_tell(loop->server, HTTP_ROUND_BEGINS);
		MHD_run(loop->daemon);
		http_linger_run(loop);
		round_tell(loop->server, HTTP_ROUND_ENDS);
	}
	return NULL;
}

static void loop_wake(struct http_loop *loop)
{
	atomic_store(&loop->woken, true);
	if (atomic_exchange(&loop->asleep, false))
		(void)eventfd_write(loop->wake, 1);
}

void http_loop_resume(struct http_loop *loop, struct MHD_Connection *mhd)
{
	MHD_resume_connection(mhd);
	loop_wake(loop);
}

/* A daemon that was full listens again only when it is run the next time. */
void http_loop_again(struct http_loop *loop)
{
	atomic_store(&loop->woken, true);
}

bool http_loop_start(struct http_loop *loop)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!http_linger_start(loop) || info == NULL || loop->wake < 0)
		return false;
	loop->epoll = info->epoll_fd;
	loop->runs = pthread_create(&loop->thread, NULL, loop_main, loop) == 0;
	return loop->runs;
}

void http_loop_quiet(struct http_loop *loop)
{
	atomic_store(&loop->quiet, true);
	loop_wake(loop);
}

/* Quiesced (once more), whether the thread came to it or not: then the library leaves the listening socket to us. */
void http_loop_stop(struct http_loop *loop)
{
	if (loop->runs) {
		atomic_store(&loop->stop, true);
		loop_wake(loop);
		pthread_join(loop->thread, NULL);
	}
	if (loop->daemon != NULL) {
		MHD_quiesce_daemon(loop->daemon);
		MHD_stop_daemon(loop->daemon);
		close(loop->listener);
	}
	loop->runs = false;
	loop->daemon = NULL;
}

void http_loop_free(struct http_loop *loop)
{
	http_linger_free(loop);
	if (loop->wake >= 0)
		close(loop->wake);
}
