/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"

#define BUFFER_OCTETS 16384
#define TICK_MS       1000

/* One direction: octets read and not yet written. */
struct flow {
	uint8_t data[BUFFER_OCTETS];
	size_t from, n;
	bool ended; /* the reading side is at its end */
	bool shut;  /* and the writing side has been told */
};

struct stream {
	const struct stream_conf *conf;
	const struct token_source *source;
	struct token_ref token;
	struct psk psk;
	struct fetch_curl *curl; /* owns the socket */
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	int ssl_read_waits, ssl_write_waits; /* POLLIN or POLLOUT that OpenSSL asked for */
	struct flow out, in;                 /* socket to TLS, TLS to socket */
};

static int stream_close(struct stream *stream)
{
	SSL_free(stream->ssl);
	SSL_CTX_free(stream->ctx);
	return 0;
}

static enum gba_err prepare_tls(struct stream *stream)
{
	stream->ctx = SSL_CTX_new(TLS_client_method());
	if (stream->ctx == NULL)
		return GBA_E_NOMEM;
	psk_setup(stream->ctx, &stream->psk);
	SSL_CTX_set_mode(stream->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	stream->ssl = SSL_new(stream->ctx);
	if (stream->ssl == NULL || SSL_set_fd(stream->ssl, stream->fd) != 1 ||
	    SSL_set_tlsext_host_name(stream->ssl, stream->conf->host) != 1)
		return GBA_E_NOMEM;
	return GBA_OK;
}

/* Which event OpenSSL waits for; 0: it failed. */
static short wanted_event(const SSL *ssl, int rc)
{
	switch (SSL_get_error(ssl, rc)) {
	case SSL_ERROR_WANT_READ: return POLLIN;
	case SSL_ERROR_WANT_WRITE: return POLLOUT;
	default: return 0;
	}
}

static enum gba_err handshake(struct stream *stream, uint64_t deadline, struct why *why)
{
	int rc;

	ERR_clear_error();
	while ((rc = SSL_connect(stream->ssl)) != 1) {
		struct pollfd pfd = { .fd = stream->fd, .events = wanted_event(stream->ssl, rc) };
		uint64_t now = clock_mono_ms();

		if (pfd.events == 0)
			return why_fail(why, stream->psk.err != GBA_OK ? stream->psk.err : GBA_E_UNREACHABLE,
				       "%s: TLS handshake failed%s", stream->conf->host,
				       stream->psk.certificate ? ": a certificate is not what was asked for" : "");
		if (now >= deadline)
			return why_fail(why, GBA_E_TIMEOUT, "%s: TLS handshake not done in time", stream->conf->host);
		poll(&pfd, 1, (int)(deadline - now));
		ERR_clear_error();
	}
	return stream->psk.offered ? GBA_OK : why_fail(why, GBA_E_UNREACHABLE, "%s: no PSK used", stream->conf->host);
}

/* One connection under the token at hand. */
static enum gba_err open_once(struct stream *stream, struct why *why)
{
	unsigned int timeout_ms = stream->conf->timeout_ms > 0 ? stream->conf->timeout_ms : STREAM_TIMEOUT_MS;
	uint64_t deadline = clock_mono_ms() + timeout_ms;
	enum gba_err err;

	stream_close(stream);
	stream->ssl = NULL;
	stream->ctx = NULL;
	if (!fetch_curl_drop(stream->curl))
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	stream->psk = (struct psk){ .source = stream->source,
				    .token = &stream->token,
				    .naf = bytes_of(stream->conf->host),
				    .tls = stream->conf->tls };
	stream->psk.separator = stream->conf->separator != NULL ? stream->conf->separator : PSK_SEPARATOR_DEFAULT;
	err = psk_prepare(&stream->psk);
	if (err != GBA_OK)
		return why_fail(why, err, "PSK identity longer than %d octets", PSK_IDENTITY_MAX);
	err = fetch_curl_connect(stream->curl, stream->conf->host, stream->conf->port, stream->conf->connect,
				 timeout_ms, &stream->fd, why);
	if (err != GBA_OK)
		return err;
	err = prepare_tls(stream);
	return err == GBA_OK ? handshake(stream, deadline, why) : why_fail(why, err, "out of memory");
}

static enum gba_err open_and_renew(struct stream *stream, struct why *why)
{
	struct log_about about = { .iface = "Ua", .peer = bytes_of(stream->conf->host), .clause = "TS 24.109 5.3" };
	struct bytes naf = bytes_of(stream->conf->host);
	char refused[BTID_MAX + 1];
	enum gba_err err;

	err = stream->source->token(stream->source->arg, naf, NULL, &stream->token, why);
	if (err != GBA_OK)
		return err;
	err = open_once(stream, why);
	if (err != GBA_E_BTID_UNKNOWN && !(err == GBA_E_UNREACHABLE && psk_refused(&stream->psk)))
		return err;
	about.id = bytes_of(stream->token.btid);
	log_event(LOG_L_INFO, "ue.renewal", &about, "the application does not take this token: bootstrapping again");
	memcpy(refused, stream->token.btid, sizeof(refused));
	err = stream->source->token(stream->source->arg, naf, refused, &stream->token, why);
	if (err != GBA_OK)
		return err;
	err = open_once(stream, why);
	if (err == GBA_E_UNREACHABLE && psk_refused(&stream->psk))
		err = why_fail(why, GBA_E_NOT_AUTHORIZED, "%s does not take a fresh token either", stream->conf->host);
	return err;
}

enum gba_err stream_open(TALLOC_CTX *mem_ctx, const struct stream_conf *conf, const struct token_source *source,
			 struct stream **_stream, struct why *why)
{
	struct stream *stream = talloc_zero(mem_ctx, struct stream);
	enum gba_err err;

	if (stream == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	stream->conf = conf;
	stream->source = source;
	talloc_set_destructor(stream, stream_close);
	err = fetch_curl_new(stream, &stream->curl);
	if (err == GBA_OK)
		err = open_and_renew(stream, why);
	if (err != GBA_OK) {
		talloc_free(stream);
		return err;
	}
	*_stream = stream;
	return GBA_OK;
}

time_t stream_expires(const struct stream *stream)
{
	return stream->token.expires;
}

/* Octets moved, 0: would block; *_ended at the end of what can be read. Negative: the connection is gone. */
static ssize_t tls_read(struct stream *stream, uint8_t *to, size_t cap, bool *_ended)
{
	int rc, error;

	stream->ssl_read_waits = 0;
	ERR_clear_error();
	rc = SSL_read(stream->ssl, to, (int)cap);
	if (rc > 0)
		return rc;
	error = SSL_get_error(stream->ssl, rc);
	if (error == SSL_ERROR_ZERO_RETURN) {
		*_ended = true;
		return 0;
	}
	stream->ssl_read_waits = wanted_event(stream->ssl, rc);
	return stream->ssl_read_waits != 0 ? 0 : -1;
}

static ssize_t tls_write(struct stream *stream, const uint8_t *from, size_t n)
{
	int rc;

	stream->ssl_write_waits = 0;
	ERR_clear_error();
	rc = SSL_write(stream->ssl, from, (int)n);
	if (rc > 0)
		return rc;
	stream->ssl_write_waits = wanted_event(stream->ssl, rc);
	return stream->ssl_write_waits != 0 ? 0 : -1;
}

static ssize_t plain_result(ssize_t rc)
{
	return rc < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : rc;
}

/* Socket to TLS. @return octets moved, negative: over */
static ssize_t pump_out(struct stream *stream, int fd)
{
	struct flow *flow = &stream->out;
	ssize_t got = 0, put = 0;

	if (flow->n == 0 && !flow->ended) {
		got = recv(fd, flow->data, sizeof(flow->data), 0);
		flow->ended = got == 0;
		got = plain_result(got);
		if (got < 0)
			return got;
		flow->from = 0;
		flow->n = (size_t)got;
	}
	if (flow->n > 0) {
		put = tls_write(stream, flow->data + flow->from, flow->n);
		if (put < 0) { /* gone; what it has sent before is still handed on */
			flow->ended = flow->shut = true;
			flow->n = 0;
			return got;
		}
		flow->from += (size_t)put;
		flow->n -= (size_t)put;
	}
	if (flow->ended && flow->n == 0 && !flow->shut) {
		SSL_shutdown(stream->ssl); /* close_notify: we have sent all */
		flow->shut = true;
	}
	return got + put;
}

/* TLS to socket. */
static ssize_t pump_in(struct stream *stream, int fd)
{
	struct flow *flow = &stream->in;
	ssize_t got = 0, put = 0;

	if (flow->n == 0 && !flow->ended) {
		got = tls_read(stream, flow->data, sizeof(flow->data), &flow->ended);
		if (got < 0)
			return got;
		flow->from = 0;
		flow->n = (size_t)got;
	}
	if (flow->n > 0) {
		put = plain_result(send(fd, flow->data + flow->from, flow->n, MSG_NOSIGNAL));
		if (put < 0)
			return put;
		flow->from += (size_t)put;
		flow->n -= (size_t)put;
	}
	if (flow->ended && flow->n == 0 && !flow->shut) {
		shutdown(fd, SHUT_WR);
		flow->shut = true;
	}
	return got + put;
}

/* What would let anything move: a read where there is room, a write where there is something. */
static void set_events(const struct stream *stream, struct pollfd pfd[2])
{
	pfd[0].events =
		(short)((stream->out.n == 0 && !stream->out.ended ? POLLIN : 0) | (stream->in.n > 0 ? POLLOUT : 0));
	pfd[1].events = 0;
	if (stream->in.n == 0 && !stream->in.ended)
		pfd[1].events |= (short)(stream->ssl_read_waits != 0 ? stream->ssl_read_waits : POLLIN);
	if (stream->out.n > 0)
		pfd[1].events |= (short)(stream->ssl_write_waits != 0 ? stream->ssl_write_waits : POLLOUT);
}

/* A descriptor with nothing to wait for but an error is left out: POLLHUP would spin. */
static void wait_for_events(const struct stream *stream, int fd, int wait_ms)
{
	struct pollfd pfd[2] = { { .fd = fd }, { .fd = stream->fd } };
	size_t i;

	set_events(stream, pfd);
	for (i = 0; i < 2; i++) {
		if (pfd[i].events == 0)
			pfd[i].fd = -1;
	}
	poll(pfd, 2, wait_ms);
}

/* What the time says about a connection that is up. */
struct pace {
	uint64_t moved_ms;     /* an octet moved */
	uint64_t looked_ms;    /* the token was looked at */
	uint64_t drain_end_ms; /* 0: not draining */
};

/* Once a second: is the token still good? Y.3056 9.3-9: a new one retires the old, 7.4-5: one active realm. */
static void look_at_token(const struct stream *stream, struct pace *pace, uint64_t now)
{
	struct log_about about = { .iface = "Ua", .peer = bytes_of(stream->conf->host), .clause = "Y.3056 7.4" };

	if (pace->drain_end_ms != 0 || now - pace->looked_ms < TICK_MS || stream->source->live == NULL)
		return;
	pace->looked_ms = now;
	if (stream->source->live(stream->source->arg, bytes_of(stream->conf->host), &stream->token))
		return;
	pace->drain_end_ms = now + stream->conf->drain_ms;
	about.id = bytes_of(stream->token.btid);
	log_event(LOG_L_INFO, "ue.drain", &about, "token retired: the session ends within %u ms", stream->conf->drain_ms);
}

/* GBA_OK: go on. */
static enum gba_err time_is_up(const struct stream *stream, struct pace *pace)
{
	uint64_t now = clock_mono_ms(), quiet = now - pace->moved_ms;

	if (clock_now() >= stream->token.expires)
		return GBA_E_BTID_UNKNOWN; /* a session does not outlive its token, Y.3056 9.3-7 */
	look_at_token(stream, pace, now);
	if (pace->drain_end_ms != 0 && (now >= pace->drain_end_ms || quiet >= STREAM_QUIET_MS))
		return GBA_E_BTID_UNKNOWN;
	return stream->conf->idle_ms > 0 && quiet >= stream->conf->idle_ms ? GBA_E_TIMEOUT : GBA_OK;
}

enum gba_err stream_pump(struct stream *stream, int fd, const atomic_int *stop)
{
	struct pace pace = { .moved_ms = clock_mono_ms(), .looked_ms = clock_mono_ms() };
	enum gba_err err;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	while (!atomic_load(stop) && !(stream->in.shut && stream->out.shut)) {
		ssize_t out = pump_out(stream, fd);
		ssize_t in = out >= 0 ? pump_in(stream, fd) : -1;

		if (out < 0 || in < 0)
			return GBA_E_PEER;
		if (out + in > 0)
			pace.moved_ms = clock_mono_ms();
		err = time_is_up(stream, &pace);
		if (err != GBA_OK && !stream->out.shut)
			SSL_shutdown(stream->ssl); /* close_notify: the application sees an end, not a cut */
		if (err != GBA_OK)
			return err;
		if (out + in == 0)
			wait_for_events(stream, fd, pace.drain_end_ms != 0 ? STREAM_QUIET_MS / 2 : TICK_MS);
	}
	return GBA_OK;
}
