/* SPDX-License-Identifier: Apache-2.0 */
/* Octets of any TCP application behind PSK-TLS, and of HTTP connections that switched protocols: as they come, both ways,
 * each direction ending by itself. */
#include "core/clock.h"
#include "naf-adapter/proxy/access.h"
#include "naf-adapter/proxy/again.h"
#include "naf-adapter/proxy/proxy_header.h"

#define TURNS_MAX 8 /* then other connections have theirs */

static void wake(void *owner)
{
	conn_run(owner);
}

/* Idle time, but never past the key's end (TS 33.220 4.5.3). */
static void deadline(struct conn *conn)
{
	uint64_t seconds = conn_conf(conn)->stream_timeout, left;
	time_t now = clock_now();

	if (conn->result != NULL) {
		left = gba_naf_result_expiry(conn->result) > now ? (uint64_t)(gba_naf_result_expiry(conn->result) - now) : 0;
		if (left < seconds)
			seconds = left;
	}
	conn_deadline(conn, seconds > 0 ? (unsigned int)(seconds < 4000000 ? seconds * 1000 : 4000000000) : 1);
}

enum run tunnel_start(struct conn *conn)
{
	conn->state = CONN_TUNNEL;
	conn_deadline(conn, 0);
	chan_wait(&conn->chan, false);
	conn->up = upstream_get(&conn->site->pool, true, wake, conn);
	if (conn->up == NULL) {
		metric_add(conn->worker->proxy->stats.upstream_failed, 1);
		access_stream(conn, STREAM_UNAVAILABLE, "no connection to the application");
		return RUN_CLOSE;
	}
	metric_add(conn->worker->proxy->stats.upstream_new, 1);
	metric_add(conn->worker->proxy->stats.streams, 1);
	return RUN_AGAIN;
}

enum run tunnel_adopt(struct conn *conn, struct upstream *up)
{
	conn->state = CONN_TUNNEL;
	conn->up = up;
	conn->tunnel_open = true;
	metric_add(conn->worker->proxy->stats.streams, 1);
	access_stream(conn, STREAM_OPENED, "switched protocols");
	deadline(conn);
	return RUN_AGAIN;
}

static bool put_header(struct conn *conn)
{
	struct px_out px = {
		.src = &conn->src, .dst = &conn->dst, .authority = bytes_of(conn->site->fqdn),
		.tls_version = bytes_of(SSL_get_version(conn->chan.ssl)), .cipher = bytes_of(SSL_get_cipher(conn->chan.ssl)),
		.identity = conn->who.user, .identities = conn->who.list, .btid = conn->who.btid,
	};
	struct buf *out = &conn->up->chan.out;
	size_t cap = 16384, n;
	uint8_t *room = buf_room(out, cap);
	socklen_t len = sizeof(conn->dst);

	if (conn->dst.ss_family == AF_UNSPEC) /* else told by the load balancer */
		getsockname(conn->chan.fd, (struct sockaddr *)&conn->dst, &len);
	n = room != NULL ? px_build(&px, room, cap) : 0;
	if (n > 0)
		buf_added(out, n);
	return n > 0;
}

static enum run opened(struct conn *conn)
{
	if (conn->up->connecting)
		return RUN_WAIT;
	if (conn->up->chan.failed) {
		metric_add(conn->worker->proxy->stats.upstream_failed, 1);
		access_stream(conn, STREAM_UNAVAILABLE, "application refuses connections");
		return RUN_CLOSE;
	}
	if (conn->site->conf->proxy_header && !put_header(conn))
		return RUN_CLOSE;
	conn->tunnel_open = true;
	access_stream(conn, STREAM_OPENED, NULL);
	deadline(conn);
	return RUN_AGAIN;
}

/* One direction. @return true: something happened */
static bool pass(struct chan *from, struct chan *to, uint64_t *_octets)
{
	bool any = false;

	while (to->out.n < CHAN_HIGH && chan_fill(from, CHAN_READ_OCTETS)) {
		*_octets += from->in.n;
		if (!buf_put(&to->out, buf_bytes(&from->in)))
			from->failed = true;
		buf_drop(&from->in, from->in.n);
		any = true;
		if (from->eof || from->failed)
			break;
	}
	if (from->in.n > 0 && to->out.n < CHAN_HIGH) { /* read before the stream began */
		*_octets += from->in.n;
		if (!buf_put(&to->out, buf_bytes(&from->in)))
			from->failed = true;
		buf_drop(&from->in, from->in.n);
	}
	any = chan_flush(to) || any;
	if (from->eof && to->out.n == 0)
		chan_shut(to);
	return any;
}

enum run tunnel_timeout(struct conn *conn)
{
	bool expired = conn->result != NULL && gba_naf_result_expiry(conn->result) <= clock_now();

	if (!expired)
		access_timeout(conn, TIMEOUT_STREAM);
	conn->tunnel_end = expired ? "its key has expired" : "no octet in time";
	tunnel_goodbye(conn);
	return RUN_CLOSE;
}

void tunnel_goodbye(struct conn *conn)
{
	if (conn->chan.out.n == 0)
		chan_goodbye(&conn->chan);
}

/* The agent was away: is the token still good? Octets flow meanwhile, as they did while nobody could say. */
static void on_again(struct conn *conn, enum gba_naf_error error)
{
	if (error == GBA_NAF_OK) {
		deadline(conn);
		return;
	}
	conn->tunnel_end = "token revoked";
	tunnel_goodbye(conn);
	conn_free(conn);
}

enum run tunnel_run(struct conn *conn)
{
	struct chan *device = &conn->chan, *application;
	bool any = false, forth, back;
	int turns = 0;

	if (!conn->tunnel_open)
		return opened(conn);
	again_ask(conn, on_again);
	application = &conn->up->chan;
	do {
		forth = pass(device, application, &conn->tunnel_in);
		back = pass(application, device, &conn->tunnel_out);
		any = any || forth || back;
	} while ((forth || back) && ++turns < TURNS_MAX);
	if (any)
		deadline(conn);
	if (device->failed || application->failed || device->write_failed || application->write_failed ||
	    (device->eof && application->eof && device->out.n == 0 && application->out.n == 0)) {
		conn->tunnel_end = device->failed || device->write_failed ? "device went away" :
				   application->failed || application->write_failed ? "application went away" : NULL;
		return RUN_CLOSE;
	}
	chan_wait(device, application->out.n < CHAN_HIGH);
	chan_wait(application, device->out.n < CHAN_HIGH);
	if (turns == TURNS_MAX)
		chan_again(device);
	return RUN_WAIT;
}
