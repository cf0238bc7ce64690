/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/upstream.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "naf-adapter/proxy/conf.h"

static enum gba_err resolve_unix(struct upstream_addresses *to, const char *path)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)&to->v[0].ss;

	if (strlen(path) >= sizeof(sun->sun_path))
		return GBA_E_TOO_LONG;
	sun->sun_family = AF_UNIX;
	strcpy(sun->sun_path, path);
	to->v[0].len = sizeof(*sun);
	to->n = 1;
	return GBA_OK;
}

enum gba_err upstream_resolve(struct upstream_addresses *to, const char *text)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL, *ai;
	char host[256], port[8];

	if (!address_split(text, host, sizeof(host), port, sizeof(port)))
		return GBA_E_SYNTAX;
	if (strcmp(port, "unix") == 0)
		return resolve_unix(to, host);
	if (getaddrinfo(host, port, &hints, &list) != 0)
		return GBA_E_UNREACHABLE;
	to->n = 0;
	for (ai = list; ai != NULL && to->n < UPSTREAM_ADDRESSES_MAX; ai = ai->ai_next) {
		memcpy(&to->v[to->n].ss, ai->ai_addr, ai->ai_addrlen);
		to->v[to->n++].len = ai->ai_addrlen;
	}
	freeaddrinfo(list);
	return to->n > 0 ? GBA_OK : GBA_E_UNREACHABLE;
}

static void set_timer(struct upstream *up, unsigned int ms)
{
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	evtimer_add(&up->timer, &tv);
}

static void unlink_idle(struct upstream *up)
{
	TAILQ_REMOVE(&up->pool->list, up, link);
	up->pool->idle--;
}

static void on_socket(evutil_socket_t fd, short what, void *arg);

/* Try the addresses from `address` on. @return false: none left */
static bool connect_next(struct upstream *up)
{
	struct upstream_pool *pool = up->pool;
	const struct upstream_address *to;
	int fd, one = 1;

	for (; up->address < pool->addresses->n; up->address++) {
		to = &pool->addresses->v[up->address];
		fd = socket(to->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		if (to->ss.ss_family != AF_UNIX)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (connect(fd, (const struct sockaddr *)&to->ss, to->len) != 0 && errno != EINPROGRESS) {
			close(fd);
			continue;
		}
		chan_open(&up->chan, pool->base, fd, on_socket, up);
		up->connecting = true;
		event_add(&up->chan.on_write, NULL);
		set_timer(up, pool->connect_ms);
		return true;
	}
	return false;
}

/* The socket is writable: connected, or refused. */
static void connect_done(struct upstream *up)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(up->chan.fd, SOL_SOCKET, SO_ERROR, &error, &len);
	evtimer_del(&up->timer);
	up->connecting = false;
	if (error == 0)
		return;
	chan_close(&up->chan);
	up->address++;
	if (!connect_next(up))
		up->chan.failed = true;
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct upstream *up = arg;

	(void)fd, (void)what;
	if (up->owner == NULL) { /* idle: it ended, or the application speaks out of turn */
		upstream_close(up);
		return;
	}
	if (up->connecting)
		connect_done(up);
	if (!up->connecting)
		up->wake(up->owner);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct upstream *up = arg;

	(void)fd, (void)what;
	if (up->owner == NULL) {
		upstream_close(up);
		return;
	}
	if (!up->connecting)
		return;
	up->connecting = false;
	up->timed_out = true;
	up->chan.failed = true;
	up->wake(up->owner);
}

static struct upstream *take_idle(struct upstream_pool *pool)
{
	struct upstream *up;
	uint8_t octet;

	while ((up = TAILQ_FIRST(&pool->list)) != NULL) {
		unlink_idle(up);
		up->owner = up; /* so that closing does not unlink again */
		evtimer_del(&up->timer);
		if (recv(up->chan.fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return up;
		upstream_close(up);
	}
	return NULL;
}

struct upstream *upstream_get(struct upstream_pool *pool, bool fresh, upstream_wake wake, void *owner)
{
	struct upstream *up = fresh ? NULL : take_idle(pool);

	if (up != NULL) {
		up->wake = wake;
		up->owner = owner;
		up->reused = true;
		return up;
	}
	up = calloc(1, sizeof(*up));
	if (up == NULL)
		return NULL;
	*up = (struct upstream){ .chan = { .fd = -1 }, .pool = pool, .wake = wake, .owner = owner };
	evtimer_assign(&up->timer, pool->base, on_timer, up);
	if (connect_next(up))
		return up;
	free(up);
	return NULL;
}

void upstream_keep(struct upstream *up)
{
	struct upstream_pool *pool = up->pool;

	if (pool->idle >= pool->idle_max || up->chan.failed || up->chan.eof || up->chan.shut || up->chan.in.n > 0 ||
	    up->chan.out.n > 0) {
		upstream_close(up);
		return;
	}
	up->owner = NULL;
	up->reused = false;
	TAILQ_INSERT_HEAD(&pool->list, up, link);
	pool->idle++;
	chan_wait(&up->chan, true);
	set_timer(up, pool->idle_ms);
}

void upstream_close(struct upstream *up)
{
	if (up == NULL)
		return;
	if (up->owner == NULL)
		unlink_idle(up);
	evtimer_del(&up->timer);
	chan_close(&up->chan);
	free(up);
}

void upstream_pool_close(struct upstream_pool *pool)
{
	while (!TAILQ_EMPTY(&pool->list))
		upstream_close(TAILQ_FIRST(&pool->list));
}

bool upstream_same_addresses(const struct upstream_pool *a, const struct upstream_pool *b)
{
	size_t i;

	if (a->addresses->n != b->addresses->n)
		return false;
	for (i = 0; i < a->addresses->n; i++) {
		if (a->addresses->v[i].len != b->addresses->v[i].len ||
		    memcmp(&a->addresses->v[i].ss, &b->addresses->v[i].ss, a->addresses->v[i].len) != 0)
			return false;
	}
	return true;
}

void upstream_pool_move(struct upstream_pool *to, struct upstream_pool *from)
{
	struct upstream *up, *next;

	for (up = TAILQ_FIRST(&from->list); up != NULL && to->idle < to->idle_max; up = next) {
		next = TAILQ_NEXT(up, link);
		unlink_idle(up);
		up->pool = to;
		TAILQ_INSERT_TAIL(&to->list, up, link);
		to->idle++;
	}
}
