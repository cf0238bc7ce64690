/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "naf-adapter/libnaf/naf.h"

#define IN_START 8192
#define OUT_MAX	 (1024 * 1024) /* [octets] queued towards an agent that does not read */

enum gba_naf_error link_init(struct link *link, const char *path)
{
	memset(link, 0, sizeof(*link));
	link->sock = -1;
	link->agent.sun_family = AF_UNIX;
	if (path[0] == '\0' || strlen(path) >= sizeof(link->agent.sun_path))
		return GBA_NAF_E_ARGUMENT;
	memcpy(link->agent.sun_path, path, strlen(path) + 1);
	link->epoll = epoll_create1(EPOLL_CLOEXEC);
	return link->epoll >= 0 ? GBA_NAF_OK : GBA_NAF_E_SYSTEM;
}

void link_drop(struct link *link)
{
	if (link->sock >= 0)
		close(link->sock); /* leaves the epoll set with it */
	link->sock = -1;
	link->want_write = false;
	link->out_n = 0;
	if (link->in != NULL)
		explicit_bzero(link->in, link->in_cap);
	link->in_n = link->in_off = 0;
}

void link_close(struct link *link)
{
	link_drop(link);
	free(link->in);
	free(link->out);
	if (link->epoll >= 0)
		close(link->epoll);
}

enum gba_naf_error link_connect(struct link *link)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = -1 };
	int sock;

	if (link->sock >= 0)
		return GBA_NAF_OK;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return GBA_NAF_E_SYSTEM;
	if (connect(sock, (const struct sockaddr *)&link->agent, sizeof(link->agent)) != 0) {
		close(sock);
		return GBA_NAF_E_NO_AGENT;
	}
	if (epoll_ctl(link->epoll, EPOLL_CTL_ADD, sock, &ev) != 0) {
		close(sock);
		return GBA_NAF_E_SYSTEM;
	}
	link->sock = sock;
	return GBA_NAF_OK;
}

static void watch_write(struct link *link, bool on)
{
	struct epoll_event ev = { .events = EPOLLIN | (on ? EPOLLOUT : 0u), .data.fd = -1 };

	if (link->want_write != on)
		epoll_ctl(link->epoll, EPOLL_CTL_MOD, link->sock, &ev);
	link->want_write = on;
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static enum gba_naf_error queue(struct link *link, const uint8_t *octets, size_t n)
{
	size_t need = link->out_n + n;

	if (need > OUT_MAX)
		return GBA_NAF_E_BUSY;
	if (need > link->out_cap) {
		uint8_t *grown = realloc(link->out, need * 2);

		if (grown == NULL)
			return GBA_NAF_E_NOMEM;
		link->out = grown;
		link->out_cap = need * 2;
	}
	memcpy(link->out + link->out_n, octets, n);
	link->out_n = need;
	watch_write(link, true);
	return GBA_NAF_OK;
}

enum gba_naf_error link_send(struct link *link, const uint8_t *frame, size_t n)
{
	ssize_t sent = 0;

	if (link->out_n == 0)
		sent = send(link->sock, frame, n, MSG_NOSIGNAL);
	if (sent < 0 && !would_block())
		return GBA_NAF_E_NO_AGENT;
	if (sent < 0)
		sent = 0;
	if ((size_t)sent == n)
		return GBA_NAF_OK;
	/* A frame that is half sent has to be queued: the buffer always has room for the rest of one. */
	return queue(link, frame + sent, n - (size_t)sent);
}

static bool flush(struct link *link)
{
	ssize_t sent;

	if (link->out_n == 0)
		return true;
	sent = send(link->sock, link->out, link->out_n, MSG_NOSIGNAL);
	if (sent < 0)
		return would_block();
	memmove(link->out, link->out + sent, link->out_n - (size_t)sent);
	link->out_n -= (size_t)sent;
	if (link->out_n == 0)
		watch_write(link, false);
	return true;
}

/* Room behind in_n: first by moving what is not used yet to the front, then by a larger buffer. Old places are wiped. */
static bool make_room(struct link *link)
{
	size_t left = link->in_n - link->in_off, cap = link->in_cap > 0 ? link->in_cap : IN_START;
	uint8_t *in = link->in;

	if (link->in_off == 0 && link->in_n == link->in_cap) {
		cap = link->in_cap > 0 ? link->in_cap * 2 : IN_START;
		in = malloc(cap);
	}
	if (in == NULL)
		return false;
	if (link->in != NULL) {
		memmove(in, link->in + link->in_off, left);
		if (in == link->in)
			explicit_bzero(in + left, link->in_n - left);
		else
			explicit_bzero(link->in, link->in_cap);
	}
	if (in != link->in)
		free(link->in);
	link->in = in;
	link->in_cap = cap;
	link->in_n = left;
	link->in_off = 0;
	return true;
}

bool link_pump(struct link *link)
{
	ssize_t got;

	if (link->sock < 0)
		return true;
	if (!flush(link) || !make_room(link))
		return false;
	if (link->in_n == link->in_cap)
		return true;
	got = recv(link->sock, link->in + link->in_n, link->in_cap - link->in_n, 0);
	if (got <= 0)
		return got < 0 && would_block();
	link->in_n += (size_t)got;
	return true;
}

enum wire_state link_next(struct link *link, struct wire_frame *_frame)
{
	struct wire_view rest;
	enum wire_state state;
	const char *why;

	if (link->in == NULL)
		return WIRE_MORE;
	rest = (struct wire_view){ link->in + link->in_off, link->in_n - link->in_off };
	state = wire_frame(rest, WIRE_ANSWER_MAX, _frame, &why);
	if (state == WIRE_WHOLE)
		link->in_off += _frame->octets;
	return state;
}
