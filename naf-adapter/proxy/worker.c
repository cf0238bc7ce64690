/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/async.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "naf-adapter/proxy/conn.h"
#include "naf-adapter/proxy/listen.h"

#define ACCEPTS_MAX 64 /* per turn of the loop */
#define PAUSE_MS    100 /* without accepting, when descriptors have run out */

/* ---- accepting ---- */

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct door *door = arg;

	(void)fd, (void)what;
	event_add(door->event, NULL);
}

/* Out of descriptors or memory: a level-triggered loop would spin on the waiting connection. */
static void accept_pause(struct door *door, int errnum)
{
	struct timeval tv = { 0, PAUSE_MS * 1000 };
	struct log_about about = { .iface = "Ua", .result = gba_err_from_errno(errnum) };

	log_event_limited(10, LOG_L_ERROR, "ua.accept", &about, "%s", strerror(errnum));
	event_del(door->event);
	evtimer_add(door->resume, &tv);
}

/* @return false: nobody waits any more, or nobody can be let in */
static bool accept_some(struct door *door)
{
	struct sockaddr_storage src;
	int i, device;

	for (i = 0; i < ACCEPTS_MAX; i++) {
		socklen_t len = sizeof(src);

		device = accept4(door->fd, (struct sockaddr *)&src, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (device >= 0) {
			conn_accept(door->worker, door->listener, device, &src);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			accept_pause(door, errno);
			return false;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return false;
		}
	}
	return true;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	accept_some(arg);
}

static void free_event(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

static void door_close(struct door *door)
{
	free_event(door->event);
	free_event(door->resume);
	close(door->fd);
	LIST_REMOVE(door, link);
	free(door);
}

/* Takes fd over. @return false: out of memory, it is closed */
static bool door_open(struct worker *worker, const struct listener *listener, int fd)
{
	struct door *door = calloc(1, sizeof(*door));

	if (door == NULL) {
		close(fd);
		return false;
	}
	*door = (struct door){ .worker = worker, .listener = listener, .fd = fd };
	LIST_INSERT_HEAD(&worker->doors, door, link);
	door->event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_accept, door);
	door->resume = evtimer_new(worker->base, on_resume, door);
	if (door->event != NULL && door->resume != NULL && event_add(door->event, NULL) == 0)
		return true;
	door_close(door);
	return false;
}

/* What the kernel has accepted already is served. */
static void door_leave(struct door *door)
{
	while (accept_some(door))
		;
	door_close(door);
}

static void doors_leave(struct worker *worker)
{
	while (!LIST_EMPTY(&worker->doors))
		door_leave(LIST_FIRST(&worker->doors));
}

/* ---- another generation ---- */

static bool has_door(const struct worker *worker, const struct listener *listener)
{
	const struct door *door;

	LIST_FOREACH(door, &worker->doors, link) {
		if (door->listener == listener)
			return true;
	}
	return false;
}

/* Sockets whose listener is there again stay, under what it is now; others go, new ones come. */
static void doors_follow(struct worker *worker, struct generation *gen)
{
	struct door *door, *next;
	size_t i;

	for (door = LIST_FIRST(&worker->doors); door != NULL; door = next) {
		const struct listener *now = generation_same_address(gen, door->listener->conf);

		next = LIST_NEXT(door, link);
		if (now != NULL)
			door->listener = now;
		else
			door_leave(door);
	}
	for (i = 0; i < gen->listener_count; i++) {
		int fd = gen->fds[i];

		gen->fds[i] = -1;
		if (fd >= 0 && has_door(worker, &gen->listeners[i]))
			close(fd);
		else if (fd >= 0 && !door_open(worker, &gen->listeners[i], fd))
			log_event(LOG_L_ERROR, "ua.accept", NULL, "%s: out of memory", gen->listeners[i].conf->address);
	}
	LIST_FOREACH(door, &worker->doors, link)
		listen_keep_alive(door->fd, gen->conf->keepalive);
}

static void keys_follow(struct worker *worker, const struct generation *gen, const struct generation *old)
{
	size_t i;

	if (gen->conf->key_cache != old->conf->key_cache || gen->conf->key_cache_time != old->conf->key_cache_time)
		keys_resize(worker->keys, gen->conf->key_cache, gen->conf->key_cache_time, clock_now());
	for (i = 0; i < gen->site_count; i++) {
		if (!generation_same_question(&gen->sites[i], old))
			keys_forget(worker->keys, gen->sites[i].fqdn);
	}
}

static void renew(struct worker *worker, struct generation *gen)
{
	struct generation *old = worker->gen;
	struct conn *conn, *next;

	worker->gen = gen;
	doors_follow(worker, gen);
	if (old != NULL) {
		generation_inherit(gen, old);
		keys_follow(worker, gen, old);
	}
	for (conn = LIST_FIRST(&worker->conns); conn != NULL; conn = next) {
		next = LIST_NEXT(conn, link);
		conn_renewed(conn);
	}
	generation_unref(old);
}

void worker_hand(struct worker *worker, struct generation *gen)
{
	struct generation *unused = __atomic_exchange_n(&worker->next, gen, __ATOMIC_ACQ_REL);

	generation_unref(unused); /* nobody has taken it: it is ours still */
	worker_tell(worker, WORKER_RENEW);
}

/* ---- commands ---- */

static void on_drain_over(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd, (void)what;
	log_event(LOG_L_WARNING, "proxy.drain", NULL, "time is over, connections are cut");
	event_base_loopbreak(worker->base);
}

static void drain(struct worker *worker)
{
	struct timeval tv = { worker->gen->conf->drain_timeout, 0 };
	struct conn *conn, *next;

	if (worker->draining)
		return;
	doors_leave(worker);
	worker->draining = true;
	evtimer_add(worker->drain_event, &tv);
	for (conn = LIST_FIRST(&worker->conns); conn != NULL; conn = next) {
		next = LIST_NEXT(conn, link);
		conn_drain(conn);
	}
	worker_conn_gone(worker);
}

void worker_conn_gone(struct worker *worker)
{
	if (worker->draining && LIST_EMPTY(&worker->conns))
		event_base_loopbreak(worker->base);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	struct generation *gen;
	unsigned int commands;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	commands = __atomic_exchange_n(&worker->commands, 0, __ATOMIC_ACQ_REL);
	if (commands & WORKER_RENEW) {
		gen = __atomic_exchange_n(&worker->next, NULL, __ATOMIC_ACQ_REL);
		if (gen != NULL)
			renew(worker, gen);
		sem_post(&worker->proxy->in_force);
	}
	if (commands & WORKER_DRAIN)
		drain(worker);
	if (commands & WORKER_STOP)
		event_base_loopbreak(worker->base);
}

void worker_tell(struct worker *worker, enum worker_command command)
{
	uint64_t one = 1;

	__atomic_or_fetch(&worker->commands, command, __ATOMIC_ACQ_REL);
	while (write(worker->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void on_naf(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd, (void)what;
	gba_naf_process(worker->naf);
}

/* What the agent says unasked: remembered keys and sessions of ended tokens go. */
static void on_notice(void *arg, const struct gba_naf_notice *notice)
{
	struct worker *worker = arg;
	struct conn *conn, *next;

	keys_drop(worker->keys, notice);
	for (conn = LIST_FIRST(&worker->conns); conn != NULL; conn = next) {
		next = LIST_NEXT(conn, link);
		conn_noticed(conn, notice);
	}
}

/* ---- making and ending ---- */

static struct event_base *base_make(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	/* Only the worker's thread touches its base; changes of interest are collected between two turns. */
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST |
						  EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static enum gba_err loop_set_up(struct worker *worker, const char *socket)
{
	worker->base = base_make();
	worker->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (worker->base == NULL || worker->wake < 0)
		return GBA_E_IO;
	if (gba_naf_open(socket[0] != '\0' ? socket : NULL, &worker->naf) != GBA_NAF_OK)
		return GBA_E_IO;
	gba_naf_watch(worker->naf, on_notice, worker);
	worker->wake_event = event_new(worker->base, worker->wake, EV_READ | EV_PERSIST, on_wake, worker);
	worker->naf_event = event_new(worker->base, gba_naf_fd(worker->naf), EV_READ | EV_PERSIST, on_naf, worker);
	worker->drain_event = evtimer_new(worker->base, on_drain_over, worker);
	if (worker->wake_event == NULL || worker->naf_event == NULL || worker->drain_event == NULL)
		return GBA_E_NOMEM;
	return event_add(worker->wake_event, NULL) == 0 && event_add(worker->naf_event, NULL) == 0 ? GBA_OK : GBA_E_NOMEM;
}

static int worker_destroy(struct worker *worker)
{
	while (!LIST_EMPTY(&worker->conns))
		conn_free(LIST_FIRST(&worker->conns));
	while (!LIST_EMPTY(&worker->doors))
		door_close(LIST_FIRST(&worker->doors));
	generation_unref(worker->gen);
	generation_unref(worker->next);
	free_event(worker->wake_event);
	free_event(worker->naf_event);
	free_event(worker->drain_event);
	gba_naf_close(worker->naf);
	if (worker->base != NULL)
		event_base_free(worker->base);
	if (worker->wake >= 0)
		close(worker->wake);
	return 0;
}

enum gba_err worker_new(TALLOC_CTX *mem_ctx, struct proxy *proxy, unsigned int index, const struct proxy_conf *conf,
			struct worker **_worker)
{
	struct worker *worker = talloc_zero(mem_ctx, struct worker);
	enum gba_err err;

	if (worker == NULL)
		return GBA_E_NOMEM;
	worker->proxy = proxy;
	worker->index = index;
	worker->wake = -1;
	LIST_INIT(&worker->conns);
	LIST_INIT(&worker->doors);
	talloc_set_destructor(worker, worker_destroy);
	err = loop_set_up(worker, conf->agent_socket);
	worker->keys = keys_new(worker, conf->key_cache, conf->key_cache_time);
	if (err == GBA_OK && worker->keys == NULL)
		err = GBA_E_NOMEM;
	if (err == GBA_OK)
		*_worker = worker;
	return err; /* on failure mem_ctx still owns what was made */
}

static void *thread_main(void *arg)
{
	struct worker *worker = arg;

	ASYNC_init_thread(0, 0); /* stacks of waiting handshakes: as many as max-waiting lets there be */
	event_base_dispatch(worker->base);
	while (!LIST_EMPTY(&worker->conns)) { /* here, because jobs of OpenSSL belong to this thread */
		if (LIST_FIRST(&worker->conns)->state == CONN_TUNNEL) {
			LIST_FIRST(&worker->conns)->tunnel_end = "drained";
			tunnel_goodbye(LIST_FIRST(&worker->conns));
		}
		conn_free(LIST_FIRST(&worker->conns));
	}
	ASYNC_cleanup_thread();
	return NULL;
}

enum gba_err worker_start(struct worker *worker, struct generation *gen)
{
	int rc;

	renew(worker, gen);
	rc = pthread_create(&worker->thread, NULL, thread_main, worker);
	return rc == 0 ? GBA_OK : gba_err_from_errno(rc);
}

void worker_join(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
}
