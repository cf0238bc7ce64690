/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/worker.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/async.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/log.h"
#include "naf-adapter/proxy/conn.h"

#define ACCEPTS_MAX 64 /* per turn of the loop */
#define PAUSE_MS    100 /* without accepting, when descriptors have run out */

static const struct tls_hooks hooks = { .choose = conn_choose_site, .source = conn_source, .ready = conn_key_ready };

struct site *worker_site(struct worker *worker, struct bytes fqdn)
{
	size_t i;

	for (i = 0; i < worker->site_count; i++) {
		if (bytes_eq_nocase(fqdn, bytes_of(worker->sites[i].fqdn)))
			return &worker->sites[i];
	}
	return NULL;
}

/* ---- accepting ---- */

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd, (void)what;
	if (listener->event != NULL)
		event_add(listener->event, NULL);
}

/* Out of descriptors or memory: a level-triggered loop would spin on the waiting connection. */
static void accept_pause(struct listener *listener, int errnum)
{
	struct timeval tv = { 0, PAUSE_MS * 1000 };
	struct log_about about = { .iface = "Ua", .result = gba_err_from_errno(errnum) };

	log_event_limited(10, LOG_L_ERROR, "ua.accept", &about, "%s", strerror(errnum));
	event_del(listener->event);
	event_base_once(listener->worker->base, -1, EV_TIMEOUT, on_resume, listener, &tv);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;
	struct sockaddr_storage src;
	int i, device;

	(void)what;
	for (i = 0; i < ACCEPTS_MAX; i++) {
		socklen_t len = sizeof(src);

		device = accept4(fd, (struct sockaddr *)&src, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (device >= 0)
			conn_accept(listener->worker, listener, device, &src);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			return accept_pause(listener, errno);
		else if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static void listeners_close(struct worker *worker)
{
	size_t i;

	for (i = 0; i < worker->proxy->conf->listeners.n; i++) {
		struct listener *listener = &worker->listeners[i];

		if (listener->event != NULL)
			event_free(listener->event);
		listener->event = NULL;
		if (listener->fd >= 0)
			close(listener->fd);
		listener->fd = -1;
	}
}

/* ---- commands ---- */

static void reload(struct worker *worker)
{
	struct tls_set *set;
	const char *error;

	if (tls_set_new(worker, worker, &hooks, &set, &error) != GBA_OK) {
		log_event(LOG_L_ERROR, "proxy.reload", NULL, "certificates stay as they were: %s", error);
		return;
	}
	tls_set_unref(worker->tls);
	worker->tls = set;
	if (worker->index == 0)
		log_event(LOG_L_INFO, "proxy.reload", NULL, "certificates read again");
}

static void on_drain_over(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd, (void)what;
	log_event(LOG_L_WARNING, "proxy.drain", NULL, "time is over, connections are cut");
	event_base_loopbreak(worker->base);
}

static void drain(struct worker *worker)
{
	struct timeval tv = { worker->proxy->conf->drain_timeout, 0 };
	struct conn *conn, *next;
	size_t i;

	if (worker->draining)
		return;
	/* What the kernel has accepted already is served. */
	for (i = 0; i < worker->proxy->conf->listeners.n; i++)
		on_accept(worker->listeners[i].fd, EV_READ, &worker->listeners[i]);
	listeners_close(worker);
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
	unsigned int commands;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	commands = __atomic_exchange_n(&worker->commands, 0, __ATOMIC_ACQ_REL);
	if (commands & WORKER_RELOAD)
		reload(worker);
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

static enum gba_err site_set_up(struct worker *worker, struct site *site, const struct site_conf *conf, const char **_error)
{
	const struct proxy_conf *all = worker->proxy->conf;
	size_t i;

	site->conf = conf;
	for (i = 0; conf->fqdn[i] != '\0'; i++)
		site->fqdn[i] = (char)tolower((unsigned char)conf->fqdn[i]);
	for (i = 0; i < conf->gsids.n; i++)
		site->gsids[site->gsid_count++] = (uint32_t)strtoul(conf->gsids.v[i], NULL, 10);
	site->pool = (struct upstream_pool){ .base = worker->base, .connect_ms = all->upstream_connect_timeout,
					     .idle_ms = all->upstream_idle_timeout, .idle_max = all->upstream_idle };
	TAILQ_INIT(&site->pool.list);
	*_error = talloc_asprintf(worker, "site %s: upstream %s cannot be resolved", conf->fqdn, conf->upstream);
	return conf->upstream[0] != '\0' ? upstream_resolve(&site->pool, conf->upstream) : GBA_OK;
}

static enum gba_err sites_set_up(struct worker *worker, const char **_error)
{
	const struct conf_groups *sites = &worker->proxy->conf->sites;
	enum gba_err err = GBA_OK;
	size_t i;

	worker->sites = talloc_zero_array(worker, struct site, sites->n);
	if (worker->sites == NULL)
		return GBA_E_NOMEM;
	worker->site_count = sites->n;
	for (i = 0; i < sites->n && err == GBA_OK; i++) {
		worker->sites[i].index = i;
		err = site_set_up(worker, &worker->sites[i], (const struct site_conf *)sites->v + i, _error);
	}
	return err;
}

static enum gba_err listeners_set_up(struct worker *worker, const int *fds)
{
	const struct conf_groups *listeners = &worker->proxy->conf->listeners;
	size_t i;

	worker->listeners = talloc_zero_array(worker, struct listener, listeners->n);
	if (worker->listeners == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < listeners->n; i++) {
		struct listener *listener = &worker->listeners[i];

		listener->conf = (const struct listener_conf *)listeners->v + i;
		listener->worker = worker;
		listener->fd = fds[i];
		listener->default_site = worker_site(worker, bytes_of(listener->conf->default_site));
		listener->event = event_new(worker->base, listener->fd, EV_READ | EV_PERSIST, on_accept, listener);
		if (listener->event == NULL || event_add(listener->event, NULL) != 0)
			return GBA_E_NOMEM;
	}
	return GBA_OK;
}

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

static enum gba_err loop_set_up(struct worker *worker)
{
	const char *socket = worker->proxy->conf->agent_socket;

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

static void free_event(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

static int worker_destroy(struct worker *worker)
{
	size_t i;

	while (!LIST_EMPTY(&worker->conns))
		conn_free(LIST_FIRST(&worker->conns));
	if (worker->listeners != NULL)
		listeners_close(worker);
	for (i = 0; i < worker->site_count; i++)
		upstream_pool_close(&worker->sites[i].pool);
	tls_set_unref(worker->tls);
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

enum gba_err worker_new(TALLOC_CTX *mem_ctx, struct proxy *proxy, unsigned int index, const int *fds, struct worker **_worker,
			const char **_error)
{
	struct worker *worker = talloc_zero(mem_ctx, struct worker);
	enum gba_err err;

	*_error = "out of memory";
	if (worker == NULL)
		return GBA_E_NOMEM;
	worker->proxy = proxy;
	worker->index = index;
	worker->wake = -1;
	LIST_INIT(&worker->conns);
	talloc_set_destructor(worker, worker_destroy);
	err = loop_set_up(worker);
	if (err == GBA_OK)
		err = sites_set_up(worker, _error);
	worker->keys = keys_new(worker, proxy->conf->key_cache, proxy->conf->key_cache_time);
	if (err == GBA_OK && worker->keys == NULL)
		err = GBA_E_NOMEM;
	if (err == GBA_OK)
		err = tls_set_new(worker, worker, &hooks, &worker->tls, _error);
	if (err == GBA_OK)
		err = listeners_set_up(worker, fds);
	if (err == GBA_OK)
		*_worker = worker;
	return err; /* on failure mem_ctx still owns what was made, and *_error with it */
}

static void *thread_main(void *arg)
{
	struct worker *worker = arg;

	ASYNC_init_thread(0, 0); /* stacks of waiting handshakes: as many as max-waiting lets there be */
	event_base_dispatch(worker->base);
	while (!LIST_EMPTY(&worker->conns)) { /* here, because jobs of OpenSSL belong to this thread */
		if (LIST_FIRST(&worker->conns)->state == CONN_TUNNEL)
			tunnel_goodbye(LIST_FIRST(&worker->conns));
		conn_free(LIST_FIRST(&worker->conns));
	}
	ASYNC_cleanup_thread();
	return NULL;
}

enum gba_err worker_start(struct worker *worker)
{
	int rc = pthread_create(&worker->thread, NULL, thread_main, worker);

	return rc == 0 ? GBA_OK : gba_err_from_errno(rc);
}

void worker_join(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
	talloc_free(worker);
}
