/* SPDX-License-Identifier: Apache-2.0 */
/* A verified request to the application, and its answer back: both stream by in bounded memory. */
#include "core/clock.h"
#include "core/log.h"
#include "naf-adapter/proxy/access.h"
#include "naf-adapter/proxy/session.h"
#include "naf-adapter/shared/release.h"

#define TURNS_MAX 8 /* then other connections have theirs */

static const struct proxy_conf *conf_of(const struct exchange *ex)
{
	return conn_conf(ex->conn);
}

static void wake(void *owner)
{
	conn_run(owner);
}

void relay_free(struct exchange *ex)
{
	upstream_close(ex->up);
	ex->up = NULL;
	buf_free(&ex->head_out);
	buf_free(&ex->trailers);
}

/* The application failed us, not the device. */
static enum run upstream_refuse(struct exchange *ex, unsigned int status, const char *why)
{
	struct log_about about = { .iface = "upstream", .peer = bytes_of(ex->site->conf->upstream) };

	metric_add(ex->conn->worker->proxy->stats.upstream_failed, 1);
	log_event_limited(1, LOG_L_ERROR, "ua.upstream", &about, "%s", why);
	upstream_close(ex->up);
	ex->up = NULL;
	if (ex->res_begun)
		return exchange_cut(ex, why);
	return exchange_refuse(ex, status, why, NULL);
}

/* The device's body is at fault: what the application got of it ends unfinished. */
static enum run device_refuse(struct exchange *ex, unsigned int status, const char *why)
{
	upstream_close(ex->up);
	ex->up = NULL;
	if (ex->res_begun)
		return exchange_cut(ex, why);
	return exchange_refuse_close(ex, status, why);
}

/* ---- to the application ---- */

static enum run connect_start(struct exchange *ex)
{
	struct conn *conn = ex->conn;

	if (health_down(conn->gen->snapshot->health, ex->site->index))
		return exchange_refuse(ex, 503, "application is not well", NULL);
	ex->up = upstream_get(&ex->site->pool, ex->retried, wake, conn);
	if (ex->up == NULL)
		return upstream_refuse(ex, 502, "no connection to the application");
	if (!ex->up->reused)
		metric_add(conn->worker->proxy->stats.upstream_new, 1);
	ex->state = EX_CONNECT;
	ex->up_asked_us = clock_mono_us();
	conn_deadline(conn, 0); /* the connection being made has a time of its own */
	chan_wait(&conn->chan, false);
	return RUN_AGAIN;
}

enum run relay_start(struct exchange *ex)
{
	struct conn *conn = ex->conn;
	struct from from = { .address = conn->address, .tls = conn_is_tls(conn) };
	bool drop_intended = ex->site->conf->intended == INTENDED_DROP &&
			     !release_among(h1_field_find(&ex->head, "x-3gpp-intended-identity"), ex->who.list);

	if (ex->head.framing != H1_BODY_NONE && ex->request.done) { /* held and verified: its length is known now */
		ex->head.framing = H1_BODY_LENGTH;
		ex->head.length = ex->held.n;
	}
	if (!fields_put_request(&ex->head_out, &ex->head, &ex->who, &from, drop_intended))
		return RUN_CLOSE;
	return connect_start(ex);
}

enum run relay_connect(struct exchange *ex)
{
	struct upstream *up = ex->up;

	if (up->connecting)
		return RUN_WAIT;
	if (up->chan.failed)
		return upstream_refuse(ex, up->timed_out ? 504 : 502,
				       up->timed_out ? "application does not accept in time" : "application refuses connections");
	if (!buf_put(&up->chan.out, buf_bytes(&ex->head_out)) || !buf_put(&up->chan.out, buf_bytes(&ex->held)) ||
	    !exchange_continue(ex))
		return RUN_CLOSE;
	ex->state = EX_RELAY;
	conn_deadline(ex->conn, conf_of(ex)->upstream_timeout);
	return RUN_AGAIN;
}

/* A kept connection may have died while nobody looked. Only what is safe to send twice is (RFC 9110 9.2.2). */
static bool may_retry(const struct exchange *ex)
{
	static const char *const safe[] = { "GET", "HEAD", "OPTIONS" };
	size_t i;

	if (!ex->up->reused || ex->retried || ex->up->chan.in.n > 0 || ex->head.framing != H1_BODY_NONE)
		return false;
	for (i = 0; i < sizeof(safe) / sizeof(safe[0]); i++) {
		if (bytes_eq_str(ex->head.method, safe[i]))
			return true;
	}
	return false;
}

/* @return RUN_AGAIN: octets moved; RUN_WAIT: none; RUN_CLOSE: *_run is what the step leads to */
static enum run request_move(struct exchange *ex, enum run *_run)
{
	struct body_limits limits = { .high = CHAN_HIGH, .max = (uint64_t)ex->site->conf->max_body_mib << 20,
				      .rechunk = ex->request.framing == H1_BODY_CHUNKED };
	struct chan *from = &ex->conn->chan, *to = &ex->up->chan;
	bool too_large, moved = false;

	if (to->write_failed)
		ex->request_cut = true;
	while (!ex->request.done && !ex->request_cut && to->out.n < CHAN_HIGH) {
		bool filled = chan_fill(from, CHAN_READ_OCTETS);

		if (body_move(&ex->request, &from->in, &to->out, &limits, &too_large) == H1_BAD) {
			*_run = device_refuse(ex, too_large ? 413 : 400, too_large ? "body too large" : "malformed body");
			return RUN_CLOSE;
		}
		if (!ex->request.done && (from->eof || from->failed)) {
			*_run = exchange_cut(ex, "device went away");
			return RUN_CLOSE;
		}
		if (!filled)
			break;
		moved = true;
	}
	return chan_flush(to) || moved ? RUN_AGAIN : RUN_WAIT;
}

/* ---- and back ---- */

static enum run response_refuse(struct exchange *ex, const char *why)
{
	if (may_retry(ex)) {
		upstream_close(ex->up);
		ex->up = NULL;
		ex->retried = true;
		return connect_start(ex);
	}
	return upstream_refuse(ex, 502, why);
}

static bool put_response_head(struct exchange *ex, const struct h1_head *head)
{
	struct response_plan plan = { .minor = ex->head.minor };

	ex->res_chunked = false;
	if (head->framing == H1_BODY_CHUNKED || head->framing == H1_BODY_CLOSE) {
		ex->res_chunked = ex->head.minor > 0;
		ex->close = ex->close || !ex->res_chunked;
	}
	if (!ex->request.done || ex->conn->worker->draining)
		ex->close = true;
	plan.chunked = ex->res_chunked;
	plan.close = ex->close;
	if (head->status >= 200 && head->status < 400)
		plan.authentication_info = auth_info(ex, head->framing == H1_BODY_NONE);
	if (head->status == 101)
		plan.upgrade = ex->head.upgrade;
	return fields_put_response(&ex->conn->chan.out, head, &plan);
}

/* What the application says of the token. @return false: *_run is what the step leads to, the answer goes nowhere */
static bool application_says(struct exchange *ex, const struct h1_head *head, enum run *_run)
{
	enum session_word word = SESSION_SAYS_NOTHING;

	if (ex->site->conf->token_control)
		word = session_word_read(head, clock_now(), &ex->until);
	if (word == SESSION_NONSENSE)
		*_run = upstream_refuse(ex, 502, "application's X-GBA-Token-Control is not understood");
	if (word == SESSION_REVOKE)
		ex->close = true;
	if (word == SESSION_RENEW) {
		upstream_close(ex->up);
		ex->up = NULL;
		*_run = auth_renew(ex);
	}
	return word != SESSION_NONSENSE && word != SESSION_RENEW;
}

/* @return RUN_AGAIN: a head was dealt with; RUN_WAIT: none is there; RUN_CLOSE: *_run is what the step leads to */
static enum run response_head(struct exchange *ex, enum run *_run)
{
	struct chan *from = &ex->up->chan;
	bool to_head = bytes_eq_str(ex->head.method, "HEAD");
	struct h1_fault fault = { 0 };
	struct h1_head head;
	enum h1_result parsed = H1_MORE;

	if (from->in.n > 0)
		parsed = h1_response_parse(buf_bytes(&from->in), &ex->res_scanned, (size_t)conf_of(ex)->max_head << 10, to_head,
					   &head, &fault);
	if (parsed == H1_MORE && !from->eof && !from->failed)
		return RUN_WAIT;
	*_run = RUN_CLOSE;
	if (parsed != H1_DONE || (head.status == 101 && ex->head.upgrade.p == NULL)) {
		*_run = response_refuse(ex, parsed == H1_MORE ? "application ended the connection" :
					    parsed == H1_BAD  ? fault.why :
								"application switches protocols unasked");
		return RUN_CLOSE;
	}
	if (head.status >= 200 && !application_says(ex, &head, _run))
		return RUN_CLOSE;
	if (head.status >= 200 || head.status == 101) {
		if (!put_response_head(ex, &head))
			return RUN_CLOSE;
		ex->res_begun = true;
		ex->up_said_us = clock_mono_us();
		ex->status = head.status;
		ex->up_keep = head.keep_alive;
		body_start(&ex->response, &head);
		if (fields_takes_trailers(&ex->head))
			ex->response.trailers = &ex->trailers;
	}
	buf_drop(&from->in, head.octets);
	ex->res_scanned = 0;
	return RUN_AGAIN;
}

/* The whole answer is queued. */
static enum run response_done(struct exchange *ex)
{
	struct chan *up = &ex->up->chan;

	if (ex->status == 101)
		return exchange_switched(ex);
	if (!ex->request.done)
		ex->close = true;
	if (ex->up_keep && ex->request.done && up->in.n == 0 && up->out.n == 0 && !up->write_failed)
		upstream_keep(ex->up);
	else
		upstream_close(ex->up);
	ex->up = NULL;
	chan_flush(&ex->conn->chan);
	return exchange_finish(ex);
}

/* @return as request_move() */
static enum run response_move(struct exchange *ex, enum run *_run)
{
	struct body_limits limits = { .high = CHAN_HIGH, .rechunk = ex->res_chunked };
	struct chan *from = &ex->up->chan, *to = &ex->conn->chan;
	bool too_large, moved = false, filled;

	while (to->out.n < CHAN_HIGH) {
		filled = chan_fill(from, ex->res_begun ? CHAN_READ_OCTETS : ((size_t)conf_of(ex)->max_head << 10) + 1);
		while (!ex->res_begun) {
			enum run head = response_head(ex, _run);

			if (head == RUN_CLOSE)
				return RUN_CLOSE;
			if (head == RUN_WAIT)
				break;
			limits.rechunk = ex->res_chunked;
		}
		if (ex->res_begun) {
			enum h1_result body = body_move(&ex->response, &from->in, &to->out, &limits, &too_large);

			*_run = RUN_CLOSE;
			if (body == H1_BAD) {
				*_run = upstream_refuse(ex, 502, "application's body is malformed");
				return RUN_CLOSE;
			}
			if (!ex->response.done && from->in.n == 0 && (from->eof || from->failed) &&
			    (from->failed || !body_end(&ex->response, &to->out, ex->res_chunked))) {
				*_run = upstream_refuse(ex, 502, "application cut its answer");
				return RUN_CLOSE;
			}
			if (ex->response.done) {
				*_run = response_done(ex);
				return RUN_CLOSE;
			}
		}
		if (!filled)
			break;
		moved = true;
	}
	return chan_flush(to) || moved ? RUN_AGAIN : RUN_WAIT;
}

static bool waits_for_device(const struct exchange *ex)
{
	return ex->conn->chan.out.n > 0 || (!ex->request.done && !ex->request_cut && ex->up->chan.out.n == 0);
}

static void wait_for(struct exchange *ex)
{
	struct chan *device = &ex->conn->chan, *application = &ex->up->chan;
	bool more = ex->request.done ? device->in.n == 0 : !ex->request_cut && application->out.n < CHAN_HIGH;

	chan_wait(device, more);
	chan_wait(application, device->out.n < CHAN_HIGH);
}

enum run relay_run(struct exchange *ex)
{
	struct conn *conn = ex->conn;
	enum run run = RUN_CLOSE, forth, back;
	bool any = false;
	int turns = 0;

	do {
		forth = request_move(ex, &run);
		if (forth == RUN_CLOSE)
			return run;
		back = response_move(ex, &run);
		if (back == RUN_CLOSE)
			return run;
		if (conn->chan.write_failed || (ex->request.done && chan_fill(&conn->chan, 1) && conn->chan.failed))
			return exchange_cut(ex, "device went away");
		any = any || forth == RUN_AGAIN || back == RUN_AGAIN;
	} while ((forth == RUN_AGAIN || back == RUN_AGAIN) && ++turns < TURNS_MAX);
	exchange_pace(ex, waits_for_device(ex), any,
		      ex->request.done && !ex->res_begun ? conf_of(ex)->upstream_timeout : conf_of(ex)->body_timeout);
	wait_for(ex);
	if (turns == TURNS_MAX)
		chan_again(&conn->chan);
	return RUN_WAIT;
}

enum run relay_timeout(struct exchange *ex)
{
	bool device = !ex->request.done && ex->up != NULL && ex->up->chan.out.n == 0;

	if (ex->res_begun && ex->conn->chan.out.n > 0)
		return exchange_unread(ex);
	access_timeout(ex->conn, device && !ex->res_begun ? TIMEOUT_BODY : TIMEOUT_APPLICATION);
	if (ex->res_begun)
		return exchange_cut(ex, "no octet in time");
	if (!device)
		return upstream_refuse(ex, 504, "application does not answer in time");
	return device_refuse(ex, 408, "request body too slow");
}
