/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/conn.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "naf-adapter/libnaf/gba-naf-openssl.h"
#include "naf-adapter/proxy/access.h"
#include "naf-adapter/proxy/again.h"
#include "naf-adapter/proxy/handshake.h"
#include "naf-adapter/proxy/identity.h"
#include "naf-adapter/proxy/proxy_header.h"

#define ENDING_MS     1000
#define ENDING_OCTETS (256 * 1024)

bool conn_is_tls(const struct conn *conn)
{
	return conn->listener->conf->tls;
}

const struct proxy_conf *conn_conf(const struct conn *conn)
{
	return conn->gen->conf;
}

static struct bytes address_of(const struct conn *conn)
{
	return bytes_of(conn->address);
}

static void address_text(struct conn *conn)
{
	const struct sockaddr_in *v4 = (const void *)&conn->src;
	const struct sockaddr_in6 *v6 = (const void *)&conn->src;

	if (conn->src.ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, conn->address, sizeof(conn->address));
	else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], conn->address, sizeof(conn->address));
	else
		inet_ntop(AF_INET6, &v6->sin6_addr, conn->address, sizeof(conn->address));
}

/* ---- time ---- */

static void timer_arm(struct conn *conn, uint64_t now)
{
	uint64_t ms = conn->deadline_ms > now ? conn->deadline_ms - now : 0;
	struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000 };

	evtimer_add(&conn->timer, &tv);
}

/* A timer that is due earlier stays: when it fires it looks at the deadline again. Most requests never touch the heap. */
void conn_deadline(struct conn *conn, unsigned int ms)
{
	uint64_t now, old = conn->deadline_ms;

	if (ms == 0) {
		conn->deadline_ms = 0;
		return;
	}
	now = clock_mono_ms();
	conn->deadline_ms = now + ms;
	if (old == 0 || conn->deadline_ms < old || !evtimer_pending(&conn->timer, NULL))
		timer_arm(conn, now);
}

static enum run timed_out(struct conn *conn)
{
	switch (conn->state) {
	case CONN_HANDSHAKE: return handshake_timeout(conn);
	case CONN_HTTP: return http_timeout(conn);
	case CONN_TUNNEL: return tunnel_timeout(conn);
	case CONN_PROXY_HEADER: access_timeout(conn, TIMEOUT_PROXY_HEADER); return RUN_CLOSE;
	default:
		if (conn->chan.out.n > 0)
			access_timeout(conn, TIMEOUT_READER);
		return RUN_CLOSE;
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	uint64_t now = clock_mono_ms();

	(void)fd, (void)what;
	if (conn->deadline_ms == 0)
		return;
	if (now < conn->deadline_ms) {
		timer_arm(conn, now);
		return;
	}
	conn->deadline_ms = 0;
	if (timed_out(conn) == RUN_CLOSE)
		conn_free(conn);
	else
		conn_run(conn);
}

/* ---- life ---- */

static struct conn *conn_new(struct worker *worker, const struct listener *listener, int fd, const struct sockaddr_storage *src)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	int one = 1;

	if (conn == NULL)
		return NULL;
	conn->worker = worker;
	conn->gen = generation_ref(worker->gen);
	conn->listener = listener;
	conn->src = *src;
	conn->accepted_us = clock_mono_us();
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	chan_open(&conn->chan, worker->base, fd, conn_on_event, conn);
	evtimer_assign(&conn->timer, worker->base, on_timer, conn);
	LIST_INSERT_HEAD(&worker->conns, conn, link);
	metric_add(worker->proxy->stats.connections, 1);
	metric_add(worker->proxy->stats.accepted, 1);
	return conn;
}

void conn_free(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (conn->running) { /* conn_run() will do it */
		conn->ended = true;
		return;
	}
	if (conn->state == CONN_TUNNEL && conn->tunnel_open)
		access_stream(conn, STREAM_ENDED, conn->tunnel_end);
	http_free(conn);
	upstream_close(conn->up);
	handshake_abort(conn);
	again_stop(conn);
	conn_wait_for_key(conn, false);
	evtimer_del(&conn->timer);
	chan_close(&conn->chan);
	tls_set_unref(conn->tls);
	gba_naf_result_free(conn->result);
	talloc_free(conn->identity);
	if (conn->counted)
		sources_leave(worker->proxy->sources, &conn->src);
	generation_unref(conn->gen);
	LIST_REMOVE(conn, link);
	metric_add(worker->proxy->stats.connections, -1);
	free(conn);
	worker_conn_gone(worker);
}

/* The caps, once it is known who connects. */
static bool enter(struct conn *conn)
{
	struct log_about about = { .iface = "Ua", .peer = address_of(conn), .result = GBA_E_BUSY };

	address_text(conn);
	about.peer = address_of(conn);
	conn->counted = sources_enter(conn->worker->proxy->sources, &conn->src);
	if (conn->counted)
		return true;
	metric_add(conn->worker->proxy->stats.capped, 1);
	log_event_limited(1, LOG_L_WARNING, "ua.capped", &about, "too many connections");
	return false;
}

static enum run start_protocol(struct conn *conn)
{
	if (!enter(conn))
		return RUN_CLOSE;
	return conn_is_tls(conn) ? handshake_start(conn) : http_start(conn);
}

static enum run read_proxy_header(struct conn *conn)
{
	struct log_about about = { .iface = "Ua", .peer = address_of(conn), .result = GBA_E_SYNTAX };
	struct px_header header;

	/* Not an octet more than the header: what follows is for the TLS library to read. */
	while (chan_fill_exactly(&conn->chan, px_wanted(buf_bytes(&conn->chan.in))))
		;
	if (conn->chan.failed)
		return RUN_CLOSE;
	switch (px_parse(buf_bytes(&conn->chan.in), &header)) {
	case PX_MORE: return conn->chan.eof ? RUN_CLOSE : RUN_WAIT;
	case PX_DONE: break;
	default:
		metric_add(conn->worker->proxy->stats.malformed, 1);
		log_event_limited(1, LOG_L_WARNING, "ua.proxy_header", &about, "connection without a good PROXY header");
		return RUN_CLOSE;
	}
	if (header.known) {
		conn->src = header.src;
		conn->dst = header.dst;
	}
	buf_drop(&conn->chan.in, header.octets);
	return start_protocol(conn);
}

void conn_accept(struct worker *worker, const struct listener *listener, int fd, const struct sockaddr_storage *src)
{
	struct conn *conn = conn_new(worker, listener, fd, src);

	if (conn == NULL) {
		evutil_closesocket(fd);
		return;
	}
	address_text(conn);
	conn->state = CONN_PROXY_HEADER;
	conn_deadline(conn, conn_conf(conn)->handshake_timeout);
	if (!listener->conf->proxy_protocol && start_protocol(conn) == RUN_CLOSE)
		conn_free(conn);
	else
		conn_run(conn);
}

/* ---- the end ---- */

enum run conn_end(struct conn *conn)
{
	conn->state = CONN_ENDING;
	conn_deadline(conn, conn_conf(conn)->body_timeout);
	return RUN_AGAIN;
}

/* Closing a socket with unread octets resets it, and the peer may never see the answer: read on for a while. */
static enum run ending_run(struct conn *conn)
{
	struct chan *chan = &conn->chan;

	chan_flush(chan);
	if (chan->failed || chan->write_failed)
		return RUN_CLOSE;
	if (chan->out.n > 0) {
		chan_wait(chan, false);
		return RUN_WAIT;
	}
	if (!chan->shut) {
		chan_shut(chan);
		conn_deadline(conn, ENDING_MS);
	}
	while (chan_fill(chan, CHAN_READ_OCTETS) && !chan->eof && !chan->failed) {
		conn->ending_octets += chan->in.n;
		buf_drop(&chan->in, chan->in.n);
	}
	if (chan->eof || chan->failed || conn->ending_octets > ENDING_OCTETS)
		return RUN_CLOSE;
	chan_wait(chan, true);
	return RUN_WAIT;
}

static void log_revoked(const struct conn *conn, const struct gba_naf_notice *notice)
{
	bool gone = gba_naf_notice_kind(notice) == GBA_NAF_REVOKED;
	struct log_about about = { .iface = "Ua", .corr = conn->corr[0] != '\0' ? conn->corr : NULL, .peer = address_of(conn),
				   .clause = "Y.3056 9.4.1", .result = gone ? GBA_E_BTID_UNKNOWN : GBA_E_NOT_AUTHORIZED };

	metric_add(conn->worker->proxy->stats.revoked, 1);
	log_event(LOG_L_INFO, "ua.revoked", &about, "%s", gone ? "token revoked" : "right or settings changed");
}

void conn_noticed(struct conn *conn, const struct gba_naf_notice *notice)
{
	bool concerned = conn->result != NULL && gba_naf_notice_concerns(notice, conn->result);
	enum run run = RUN_CLOSE;

	if (gba_naf_notice_kind(notice) == GBA_NAF_DOUBTFUL) {
		again_doubt(conn);
		return;
	}
	if (conn->state == CONN_HANDSHAKE && conn->chan.ssl != NULL)
		concerned |= gba_naf_tls_concerned(conn->chan.ssl, notice) == 1;
	if ((!concerned && !http_concerned(conn, notice)) || conn->state == CONN_ENDING) /* its last answer was sent before */
		return;
	log_revoked(conn, notice);
	if (conn->state == CONN_TUNNEL) {
		conn->tunnel_end = "token revoked";
		tunnel_goodbye(conn);
	}
	if (conn->state == CONN_HTTP) /* an answer in work is cut: nothing more for who has no right to it */
		run = http_idle(conn) ? conn_end(conn) : http_cut(conn, "token revoked");
	if (run == RUN_CLOSE)
		conn_free(conn);
	else
		conn_run(conn);
}

/* ---- another configuration ---- */

enum gba_err conn_identify(struct conn *conn)
{
	talloc_free(conn->identity);
	conn->who = (struct asserted){ .list = BYTES_NONE };
	conn->identity = talloc_named_const(NULL, 0, "identity");
	if (conn->identity == NULL)
		return GBA_E_NOMEM;
	return identity_of_result(conn->identity, conn->site->conf, conn->result, &conn->who);
}

void conn_renew(struct conn *conn)
{
	struct generation *gen = conn->worker->gen, *old = conn->gen;
	const struct listener *listener;

	if (old == gen)
		return;
	listener = generation_listener(gen, conn->listener->conf);
	if (listener == NULL) {
		conn->last = true;
		return;
	}
	conn->gen = generation_ref(gen);
	conn->listener = listener;
	if (conn->site != NULL)
		conn->site = generation_site(gen, bytes_of(conn->site->fqdn));
	if (conn->site != NULL && conn->result != NULL)
		conn_identify(conn); /* the session is as it was; what the application is told may not be */
	generation_unref(old);
}

void conn_renewed(struct conn *conn)
{
	if (conn->state != CONN_HTTP || conn->ex != NULL)
		return;
	conn_renew(conn);
	if (!conn->last || !http_idle(conn))
		return;
	conn_end(conn);
	conn_run(conn);
}

void conn_drain(struct conn *conn)
{
	if (conn->state == CONN_PROXY_HEADER || conn->state == CONN_HANDSHAKE)
		return; /* will be served its first request */
	if (conn->state == CONN_HTTP && http_idle(conn))
		conn_end(conn);
	conn_run(conn);
}

/* ---- work ---- */

static enum run step(struct conn *conn)
{
	switch (conn->state) {
	case CONN_PROXY_HEADER: return read_proxy_header(conn);
	case CONN_HANDSHAKE: return handshake_run(conn);
	case CONN_HTTP: return http_run(conn);
	case CONN_TUNNEL: return tunnel_run(conn);
	default: return ending_run(conn);
	}
}

void conn_run(struct conn *conn)
{
	enum run run;

	if (conn->running)
		return;
	conn->running = true;
	do
		run = step(conn);
	while (run == RUN_AGAIN && !conn->ended);
	conn->running = false;
	if (run == RUN_CLOSE || conn->ended)
		conn_free(conn);
	else if (conn->state == CONN_PROXY_HEADER)
		chan_wait(&conn->chan, true);
}

void conn_on_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	conn_run(arg);
}

bool conn_wait_for_key(struct conn *conn, bool begin)
{
	struct worker *worker = conn->worker;

	if (conn->waiting == begin)
		return true;
	if (begin && worker->waiting >= worker->gen->conf->max_waiting)
		return false;
	conn->waiting = begin;
	worker->waiting += begin ? 1 : -1U;
	metric_add(worker->proxy->stats.waiting, begin ? 1 : -1);
	return true;
}

struct site *conn_choose_site(SSL *ssl, struct bytes name)
{
	struct conn *conn = SSL_get_app_data(ssl);
	struct site *site = name.p != NULL ? generation_site(conn->gen, name) : conn->listener->default_site;

	conn->site = site;
	return site;
}

const char *conn_source(SSL *ssl)
{
	struct conn *conn = SSL_get_app_data(ssl);

	return conn->listener->conf->proxy_protocol ? conn->address : NULL;
}

void conn_key_ready(SSL *ssl)
{
	conn_run(SSL_get_app_data(ssl));
}
