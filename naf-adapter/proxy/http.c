/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of a connection, one after the other. */
#include "core/clock.h"
#include "core/log.h"
#include "core/trace.h"
#include "naf-adapter/proxy/access.h"

#define DISCARD_MAX (256 * 1024) /* [octets] of a refused request's body that are read so that the connection can be kept */

static const struct proxy_conf *conf_of(const struct exchange *ex)
{
	return conn_conf(ex->conn);
}

static int exchange_destroy(struct exchange *ex)
{
	auth_free(ex);
	relay_free(ex);
	return 0;
}

enum run http_start(struct conn *conn)
{
	conn->state = CONN_HTTP;
	conn_deadline(conn, conn_conf(conn)->idle_timeout);
	return RUN_AGAIN;
}

/* A request begins. */
static bool exchange_new(struct conn *conn)
{
	struct exchange *ex = talloc_size(NULL, sizeof(*ex));

	if (ex == NULL)
		return false;
	/* All but the fields of the head, which their count bounds. */
	memset(ex, 0, offsetof(struct exchange, head.field));
	memset((uint8_t *)ex + offsetof(struct exchange, head.fields), 0, sizeof(*ex) - offsetof(struct exchange, head.fields));
	talloc_set_name_const(ex, "exchange");
	talloc_set_destructor(ex, exchange_destroy);
	conn_renew(conn);
	ex->conn = conn;
	ex->address = conn->address;
	ex->asks = conn->listener->conf->asks;
	ex->started_us = clock_mono_us();
	ex->trace_at = trace_on() ? trace_now() : 0;
	conn->ex = ex;
	conn_deadline(conn, conf_of(ex)->head_timeout);
	return true;
}

void http_free(struct conn *conn)
{
	talloc_free(conn->ex);
	conn->ex = NULL;
}

bool http_idle(const struct conn *conn)
{
	return conn->ex == NULL && conn->chan.in.n == 0 && conn->chan.out.n == 0;
}

bool http_concerned(const struct conn *conn, const struct gba_naf_notice *notice)
{
	return conn->ex != NULL && conn->ex->result != NULL && gba_naf_notice_concerns(notice, conn->ex->result);
}

/* ---- the trace ---- */

/* Without its query, which may hold what is nobody's business. */
static struct bytes traced_path(const struct exchange *ex)
{
	const uint8_t *question = ex->head.path.p != NULL ? memchr(ex->head.path.p, '?', ex->head.path.n) : NULL;

	return question != NULL ? BYTES(ex->head.path.p, question - ex->head.path.p) : ex->head.path;
}

/* Y.3056 10.5-3 when service data flows, else what TS 24.109 calls the indication. */
static void trace_request(const struct exchange *ex)
{
	bool refused = ex->status == 401 || ex->status == 403;
	char message[96];
	struct trace_step step = { .at = ex->trace_at, .corr = ex->corr[0] != '\0' ? ex->corr : NULL, .from = "ue",
				   .to = "naf-proxy", .iface = "Ua", .clause = refused ? "TS 24.109 5.2.4" : "Y.3056 10.5-3",
				   .message = message, .id = ex->site != NULL ? bytes_of(ex->site->fqdn) : BYTES_NONE };
	struct bytes path = traced_path(ex);

	if (!trace_on() || ex->head.octets == 0)
		return;
	if (path.n > 48)
		path.n = 48;
	snprintf(message, sizeof(message), "%.*s %.*s%s", BYTES_FMT(ex->head.method), BYTES_FMT(path),
		 ex->digest ? " (Digest)" : "");
	trace_step(&step);
	snprintf(message, sizeof(message), ex->status == 401 ? "%u bootstrapping required" : "%u", ex->status);
	step.at = 0;
	step.from = "naf-proxy";
	step.to = "ue";
	trace_step(&step);
}

/* ---- answers of our own ---- */

/* @return the rest of the body may be read past, so that another request can follow */
static bool discardable(const struct exchange *ex)
{
	const struct body *body = &ex->request;

	if (body->done)
		return true;
	if (ex->may_continue)
		return false; /* whether a body comes at all is the device's choice now */
	return body->framing == H1_BODY_CHUNKED || body->left <= DISCARD_MAX;
}

static bool put_answer(struct exchange *ex, unsigned int status, const struct buf *extra)
{
	struct buf *out = &ex->conn->chan.out;
	const char *reason = h1_reason(status);

	return buf_printf(out, "HTTP/1.1 %u %s\r\n", status, reason) &&
	       (extra == NULL || buf_put(out, buf_bytes(extra))) &&
	       (status != 503 || buf_printf(out, "Retry-After: %u\r\n", conf_of(ex)->retry_after)) &&
	       (status != 405 || buf_put(out, bytes_of("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"))) &&
	       buf_printf(out, "Content-Type: text/plain\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n%s\r\n",
			  strlen(reason) + 1,
			  ex->close ? "Connection: close\r\n" : ex->head.minor == 0 ? "Connection: keep-alive\r\n" : "") &&
	       (ex->to_head || buf_printf(out, "%s\n", reason));
}

enum run exchange_refuse(struct exchange *ex, unsigned int status, const char *why, const struct buf *extra)
{
	ex->status = status;
	ex->why = why;
	if (!discardable(ex))
		ex->close = true;
	if (!put_answer(ex, status, extra))
		return RUN_CLOSE;
	ex->state = EX_REFUSED;
	conn_deadline(ex->conn, conf_of(ex)->body_timeout);
	return RUN_AGAIN;
}

enum run exchange_allow(struct exchange *ex, const struct buf *lines)
{
	return exchange_refuse(ex, 200, NULL, lines);
}

enum run exchange_refuse_close(struct exchange *ex, unsigned int status, const char *why)
{
	ex->close = true;
	return exchange_refuse(ex, status, why, NULL);
}

bool exchange_continue(struct exchange *ex)
{
	bool wanted = ex->may_continue && ex->conn->chan.in.n == 0;

	ex->may_continue = false;
	return !wanted || buf_put(&ex->conn->chan.out, bytes_of("HTTP/1.1 100 Continue\r\n\r\n"));
}

void exchange_pace(struct exchange *ex, bool device, bool moved, unsigned int ms)
{
	const struct proxy_conf *conf = conf_of(ex);
	int64_t enough = (int64_t)conf->min_rate * conf->body_timeout / 1000;
	int64_t done = (int64_t)(ex->request.octets + ex->response.octets) - (int64_t)ex->conn->chan.out.n;

	if (!device || enough == 0) {
		if (moved || ex->paced)
			conn_deadline(ex->conn, ms);
		ex->paced = false;
	} else if (!ex->paced || done - ex->paced_from >= enough) {
		ex->paced = true;
		ex->paced_from = done;
		conn_deadline(ex->conn, conf->body_timeout);
	}
}

/* The rest of a refused request, so that it is not taken for the next one. */
static enum run refused_run(struct exchange *ex)
{
	struct body_limits limits = { .high = DISCARD_MAX + 1, .max = DISCARD_MAX };
	struct chan *chan = &ex->conn->chan;
	struct buf nowhere = { 0 };
	enum h1_result moved = H1_DONE;
	bool too_large;

	chan_flush(chan);
	if (chan->failed || chan->write_failed)
		return RUN_CLOSE;
	if (ex->close)
		return exchange_finish(ex);
	while (!ex->request.done) {
		moved = body_move(&ex->request, &chan->in, &nowhere, &limits, &too_large);
		buf_free(&nowhere);
		if (moved == H1_BAD || chan->eof) {
			ex->close = true;
			return exchange_finish(ex);
		}
		if (moved == H1_MORE && !chan_fill(chan, CHAN_READ_OCTETS)) {
			chan_wait(chan, true);
			return RUN_WAIT;
		}
	}
	return exchange_finish(ex);
}

/* What our own answer means; the application's is its own. */
static enum request_outcome outcome_of(const struct exchange *ex)
{
	if (ex->res_begun || ex->status < 400)
		return REQUEST_SERVED;
	if (ex->status >= 500)
		return REQUEST_UNAVAILABLE;
	switch (ex->status) {
	case 401: return REQUEST_CHALLENGED;
	case 403: return REQUEST_FORBIDDEN;
	case 408: return REQUEST_SLOW;
	default: return REQUEST_REFUSED;
	}
}

static void account(const struct exchange *ex, enum request_outcome outcome)
{
	access_request(ex, outcome);
	trace_request(ex);
}

enum run exchange_switched(struct exchange *ex)
{
	struct conn *conn = ex->conn;
	struct upstream *up = ex->up;

	account(ex, REQUEST_SERVED);
	conn->site = ex->site;
	ex->up = NULL;
	if (conn->result == NULL) { /* the stream ends with the key that opened it, as a PSK's does */
		conn->result = gba_naf_result_ref(ex->result);
		memcpy(conn->ua_id, ex->ua_id, sizeof(conn->ua_id));
		memcpy(conn->corr, ex->corr, sizeof(conn->corr));
		conn_identify(conn);
	}
	http_free(conn);
	return tunnel_adopt(conn, up);
}

static enum run cut(struct exchange *ex, enum request_outcome outcome, const char *why)
{
	struct conn *conn = ex->conn;
	/* Without framing towards the device its end is the connection's: it must not look like a good one. */
	bool framed = ex->res_begun && (ex->res_chunked || ex->response.framing == H1_BODY_LENGTH);
	struct linger reset = { .l_onoff = 1 };

	ex->why = why;
	account(ex, outcome);
	if (ex->until != 0)
		auth_limit(ex);
	http_free(conn);
	if (framed)
		return conn_end(conn);
	setsockopt(conn->chan.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	return RUN_CLOSE;
}

enum run exchange_cut(struct exchange *ex, const char *why)
{
	return cut(ex, REQUEST_CUT, why);
}

enum run exchange_unread(struct exchange *ex)
{
	access_timeout(ex->conn, TIMEOUT_READER);
	return cut(ex, REQUEST_SLOW, "device does not read the answer");
}

enum run exchange_finish(struct exchange *ex)
{
	struct conn *conn = ex->conn;
	bool close = ex->close || conn->worker->draining;

	account(ex, outcome_of(ex));
	if (ex->until != 0)
		auth_limit(ex);
	http_free(conn);
	return close ? conn_end(conn) : http_start(conn);
}

enum run http_cut(struct conn *conn, const char *why)
{
	return conn->ex != NULL && conn->ex->state == EX_RELAY ? exchange_cut(conn->ex, why) : RUN_CLOSE;
}

/* ---- heads ---- */

static void rebase(struct bytes *view, const uint8_t *from, size_t n, const uint8_t *to)
{
	if (view->p >= from && view->p < from + n)
		view->p = to + (view->p - from);
}

/* The head's octets move out of the connection's queue: the views then hold while the queue goes on. */
static bool head_keep(struct exchange *ex)
{
	struct buf *in = &ex->conn->chan.in;
	struct h1_head *head = &ex->head;
	const uint8_t *from = in->p + in->head;
	const uint8_t *to = talloc_memdup(ex, from, head->octets);
	struct bytes *views[] = { &head->method, &head->target, &head->path, &head->authority, &head->host, &head->upgrade };
	size_t i;

	if (to == NULL)
		return false;
	for (i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		rebase(views[i], from, head->octets, to);
	for (i = 0; i < head->fields; i++) {
		rebase(&head->field[i].name, from, head->octets, to);
		rebase(&head->field[i].value, from, head->octets, to);
	}
	buf_drop(in, head->octets);
	return true;
}

/* The host must be the site: of the server name in TLS, by itself in plain HTTP. */
static struct site *site_of(const struct exchange *ex)
{
	struct conn *conn = ex->conn;

	if (ex->asks != ASKS_NOT)
		return generation_site(conn->gen, ex->head.host);
	if (!conn_is_tls(conn))
		return ex->head.host.p != NULL ? generation_site(conn->gen, ex->head.host) : conn->listener->default_site;
	if (conn->site == NULL || (conn->result != NULL && !conn->site->conf->psk)) /* not since the configuration was read again */
		return NULL;
	if (ex->head.host.p != NULL && !bytes_eq_nocase(ex->head.host, bytes_of(conn->site->fqdn)))
		return NULL;
	return conn->site;
}

/* websocket and nothing else: h2c, for one, would carry requests past us with headers of the device's own making. */
static bool may_upgrade(const struct exchange *ex)
{
	return ex->site->conf->upgrade && ex->head.framing == H1_BODY_NONE && bytes_eq_str(ex->head.method, "GET") &&
	       bytes_eq_nocase(ex->head.upgrade, bytes_of("websocket"));
}

/* What a web server on this host says of a device's request. A mistake in it is the operator's. */
static bool description_read(struct exchange *ex)
{
	const struct listener_conf *listener = ex->conn->listener->conf;
	struct log_about about = { .iface = "Ua", .peer = bytes_of(ex->conn->address), .result = GBA_E_CONF };
	const char *why = described_read(ex, ex->asks, listener->asks_tls, &ex->head, &ex->described), *address;

	if (why == NULL && ex->described.address.p != NULL) {
		address = talloc_asprintf(ex, "%.*s", BYTES_FMT(ex->described.address));
		ex->address = address != NULL ? address : ex->address;
	}
	if (why != NULL)
		log_event_limited(1, LOG_L_ERROR, "ua.asked", &about, "%s", why);
	return why == NULL;
}

static enum run request_start(struct exchange *ex)
{
	const struct site_conf *site;
	uint64_t max;

	body_start(&ex->request, &ex->head);
	ex->may_continue = ex->head.expect_continue;
	ex->close = !ex->head.keep_alive || ex->conn->worker->draining || ex->conn->last;
	ex->to_head = bytes_eq_str(ex->head.method, "HEAD");
	if (ex->asks != ASKS_NOT && !description_read(ex))
		return exchange_refuse(ex, 500, "asked without what it takes", NULL);
	ex->site = site_of(ex);
	if (ex->site == NULL)
		return exchange_refuse_close(ex, 421, "host is not this site");
	site = ex->site->conf;
	if (site->mode != SITE_HTTP || (ex->asks == ASKS_NOT && site->upstream[0] == '\0'))
		return exchange_refuse_close(ex, 421, "site is not for HTTP, or not here");
	max = (uint64_t)site->max_body_mib << 20;
	if (max != 0 && ex->head.framing == H1_BODY_LENGTH && ex->head.length > max)
		return exchange_refuse(ex, 413, "body too large", NULL);
	if (ex->head.authority.p == NULL)
		ex->head.authority = bytes_of(ex->site->fqdn);
	if (!may_upgrade(ex))
		ex->head.upgrade = BYTES_NONE; /* a server may ignore it, RFC 9110 7.8 */
	return auth_start(ex);
}

static enum run head_bad(struct exchange *ex, const struct h1_fault *fault)
{
	struct log_about about = { .iface = "Ua", .peer = bytes_of(ex->conn->address), .result = GBA_E_SYNTAX };

	metric_add(ex->conn->worker->proxy->stats.malformed, 1);
	log_event_limited(1, LOG_L_WARNING, "ua.malformed", &about, "%s", fault->why);
	ex->head.octets = 0;
	ex->request.done = true;
	return exchange_refuse_close(ex, fault->status, fault->why);
}

static enum run head_run(struct exchange *ex)
{
	size_t max = (size_t)conf_of(ex)->max_head << 10;
	struct chan *chan = &ex->conn->chan;
	struct h1_fault fault;
	enum h1_result parsed;

	for (;;) {
		parsed = h1_request_parse(buf_bytes(&chan->in), &ex->scanned, max, &ex->head, &fault);
		if (parsed == H1_DONE)
			return head_keep(ex) ? request_start(ex) : RUN_CLOSE;
		if (parsed == H1_BAD)
			return head_bad(ex, &fault);
		if (!chan_fill(chan, max + CHAN_READ_OCTETS))
			break;
		if (chan->failed || chan->eof)
			return RUN_CLOSE;
	}
	chan_flush(chan);
	chan_wait(chan, true);
	return RUN_WAIT;
}

/* Between two requests: nothing is held for a connection but its buffers that are not empty. */
static enum run idle_run(struct conn *conn)
{
	struct chan *chan = &conn->chan;

	if (chan->out.n > 0 && chan_flush(chan))
		conn_deadline(conn, conn_conf(conn)->idle_timeout);
	if (chan->write_failed)
		return RUN_CLOSE;
	if (chan->out.n >= CHAN_HIGH) { /* a device that asks on and on and reads no answers gets no more of them made */
		chan_wait(chan, false);
		return RUN_WAIT;
	}
	if (chan->in.n == 0 && !chan_fill(chan, CHAN_READ_OCTETS)) {
		chan_wait(chan, true);
		return RUN_WAIT;
	}
	if (chan->in.n > 0)
		return exchange_new(conn) ? RUN_AGAIN : RUN_CLOSE;
	chan_goodbye(chan);
	return RUN_CLOSE;
}

enum run http_run(struct conn *conn)
{
	struct exchange *ex = conn->ex;

	if (ex == NULL)
		return idle_run(conn);
	switch (ex->state) {
	case EX_HEAD: return head_run(ex);
	case EX_KEY:
		chan_wait(&conn->chan, false);
		return RUN_WAIT;
	case EX_HOLD: return auth_hold(ex);
	case EX_CONNECT: return relay_connect(ex);
	case EX_RELAY: return relay_run(ex);
	default: return refused_run(ex);
	}
}

enum run http_timeout(struct conn *conn)
{
	struct exchange *ex = conn->ex;

	if (ex == NULL) { /* idle */
		access_timeout(conn, conn->chan.out.n > 0 ? TIMEOUT_READER : TIMEOUT_IDLE);
		chan_goodbye(&conn->chan);
		return RUN_CLOSE;
	}
	switch (ex->state) {
	case EX_HEAD:
		access_timeout(conn, TIMEOUT_HEAD);
		ex->head.octets = 0;
		ex->request.done = true;
		return exchange_refuse_close(ex, 408, "request head too slow");
	case EX_HOLD:
		access_timeout(conn, TIMEOUT_BODY);
		return exchange_refuse_close(ex, 408, "request body too slow");
	case EX_CONNECT:
	case EX_RELAY: return relay_timeout(ex);
	case EX_KEY: return RUN_AGAIN; /* libnaf has a time of its own */
	default: return exchange_unread(ex);
	}
}
