/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/chan.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

void chan_open(struct chan *chan, struct event_base *base, int fd, event_callback_fn run, void *arg)
{
	*chan = (struct chan){ .fd = fd };
	event_assign(&chan->on_read, base, fd, EV_READ | EV_PERSIST, run, arg);
	event_assign(&chan->on_write, base, fd, EV_WRITE | EV_PERSIST, run, arg);
}

/* @return octets; 0: end; -1: would block; -2: failed */
static int tls_result(struct chan *chan, int rc)
{
	if (rc > 0)
		return rc;
	switch (SSL_get_error(chan->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: return -1;
	case SSL_ERROR_ZERO_RETURN: return 0;
	default:
		ERR_clear_error();
		return -2;
	}
}

static int plain_result(ssize_t rc)
{
	if (rc >= 0)
		return (int)rc;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -1 : -2;
}

static int read_some(struct chan *chan, uint8_t *p)
{
	int rc;

	if (chan->ssl == NULL)
		return plain_result(recv(chan->fd, p, CHAN_READ_OCTETS, 0));
	ERR_clear_error();
	rc = SSL_read(chan->ssl, p, CHAN_READ_OCTETS);
	chan->read_wants_write = rc <= 0 && SSL_want_write(chan->ssl);
	return tls_result(chan, rc);
}

static int write_some(struct chan *chan, struct bytes out)
{
	int rc, n = out.n > INT32_MAX ? INT32_MAX : (int)out.n;

	if (chan->ssl == NULL)
		return plain_result(send(chan->fd, out.p, out.n, MSG_NOSIGNAL));
	ERR_clear_error();
	rc = SSL_write(chan->ssl, out.p, n);
	chan->write_wants_read = rc <= 0 && SSL_want_read(chan->ssl);
	return tls_result(chan, rc);
}

bool chan_fill(struct chan *chan, size_t limit)
{
	/* Read here first: most of what comes is small, and a queue takes memory for what it holds only. */
	static _Thread_local uint8_t octets[CHAN_READ_OCTETS];
	int n;

	if (chan->fd < 0 || chan->eof || chan->failed || chan->in.n >= limit)
		return false;
	n = read_some(chan, octets);
	chan->eof = n == 0;
	chan->failed = n == -2 || (n > 0 && !buf_put(&chan->in, BYTES(octets, n)));
	return n != -1;
}

bool chan_fill_exactly(struct chan *chan, size_t want)
{
	uint8_t *room;
	int n;

	if (chan->eof || chan->failed || chan->in.n >= want)
		return false;
	room = buf_room(&chan->in, want - chan->in.n);
	n = room != NULL ? plain_result(recv(chan->fd, room, want - chan->in.n, 0)) : -2;
	if (n > 0)
		buf_added(&chan->in, (size_t)n);
	chan->eof = n == 0;
	chan->failed = n == -2;
	return n != -1;
}

bool chan_flush(struct chan *chan)
{
	bool went = false;
	int n;

	while (chan->fd >= 0 && !chan->write_failed && !chan->shut && chan->out.n > 0) {
		n = write_some(chan, buf_bytes(&chan->out));
		if (n == -1)
			break;
		if (n <= 0) {
			chan->write_failed = true;
			buf_free(&chan->out);
			break;
		}
		buf_drop(&chan->out, (size_t)n);
		went = true;
	}
	return went;
}

static void set_interest(struct event *event, bool wanted)
{
	if (wanted && !event_pending(event, EV_READ | EV_WRITE, NULL))
		event_add(event, NULL);
	else if (!wanted && event_pending(event, EV_READ | EV_WRITE, NULL))
		event_del(event);
}

void chan_wait(struct chan *chan, bool for_reading)
{
	bool alive = chan->fd >= 0, reading = for_reading && !chan->eof && !chan->failed;
	bool writing = chan->out.n > 0 && !chan->write_wants_read;

	set_interest(&chan->on_read, alive && (reading || (chan->write_wants_read && chan->out.n > 0)));
	set_interest(&chan->on_write, alive && (writing || (reading && chan->read_wants_write)));
}

void chan_wait_for(struct chan *chan, bool reading, bool writing)
{
	set_interest(&chan->on_read, reading);
	set_interest(&chan->on_write, writing);
}

void chan_again(struct chan *chan)
{
	event_active(&chan->on_read, EV_READ, 1);
}

void chan_goodbye(struct chan *chan)
{
	if (chan->ssl == NULL || chan->shut || chan->write_failed || !SSL_is_init_finished(chan->ssl))
		return;
	SSL_shutdown(chan->ssl);
	ERR_clear_error();
}

void chan_shut(struct chan *chan)
{
	if (chan->fd < 0 || chan->shut || chan->write_failed)
		return;
	chan_goodbye(chan);
	chan->shut = true;
	shutdown(chan->fd, SHUT_WR);
}

void chan_close(struct chan *chan)
{
	if (chan->fd < 0)
		return;
	event_del(&chan->on_read);
	event_del(&chan->on_write);
	SSL_free(chan->ssl);
	close(chan->fd);
	buf_free(&chan->in);
	buf_free(&chan->out);
	chan->ssl = NULL;
	chan->fd = -1;
}
