/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd's time-out is idle time: an octet now and then keeps a connection for ever. Ours are absolute; one thread
 * looks for connections past theirs and shuts the socket, which libmicrohttpd notices as the end of it. */
#include <errno.h>
#include <sys/socket.h>

#include "core/clock.h"
#include "http/server_priv.h"

#define TICK_MIN_MS 10
#define TICK_MAX_MS 250

static void shut_overdue(struct http_server *server, uint64_t now)
{
	struct http_conn *conn;

	LIST_FOREACH(conn, &server->conns, list) {
		if (atomic_load_explicit(&conn->deadline_ms, memory_order_relaxed) > now || atomic_load(&conn->shut))
			continue;
		atomic_store(&conn->shut, true);
		shutdown(conn->fd, SHUT_RDWR); /* still open: closing takes it off the list first, under the same lock */
	}
}

static void *run(void *arg)
{
	struct http_server *server = arg;
	unsigned int head = server->head_timeout_ms, idle = server->idle_timeout_ms, tick = (head < idle ? head : idle) / 8;
	struct timespec when;

	tick = tick < TICK_MIN_MS ? TICK_MIN_MS : tick > TICK_MAX_MS ? TICK_MAX_MS : tick;
	pthread_mutex_lock(&server->lock);
	while (!server->timer_stop) {
		when = clock_mono_after(tick);
		pthread_cond_timedwait(&server->timer_wake, &server->lock, &when);
		shut_overdue(server, clock_mono_ms());
	}
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

bool http_timer_start(struct http_server *server)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&server->timer_wake, &attr);
	pthread_condattr_destroy(&attr);
	server->timer_runs = pthread_create(&server->timer, NULL, run, server) == 0;
	return server->timer_runs;
}

void http_timer_stop(struct http_server *server)
{
	if (!server->timer_runs)
		return;
	pthread_mutex_lock(&server->lock);
	server->timer_stop = true;
	pthread_cond_signal(&server->timer_wake);
	pthread_mutex_unlock(&server->lock);
	pthread_join(server->timer, NULL);
	server->timer_runs = false;
	pthread_cond_destroy(&server->timer_wake);
}
