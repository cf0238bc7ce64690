/* SPDX-License-Identifier: Apache-2.0 */
/* http_load HOST:PORT [name=value ...]: connections=N seconds=S rate=R (open loop; 0: closed) count=N (stop after so many)
 * late=US (count those that take longer) host=NAME impi=FORMAT users=N k=HEX opc=HEX tokens=FILE application=NAME. One line of JSON. */
#include "http_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/codec.h"
#include "core/secret.h"
#include "stats.h"

#define CONNECTIONS_MAX 65536
#define WARM_UP		1000000 /* [us] */
#define EVENTS		256
#define WINDOW		20000	/* [us] */

struct conn {
	int fd;
	bool busy;
	unsigned int turn;
	uint64_t i, due; /* [us] when the transaction should have begun */
	size_t have;	 /* [octets] of the response */
	char in[HTTP_ROOM + 1];
	struct conn *next_idle;
};

static struct {
	struct http_conf http;
	struct sockaddr_in to;
	unsigned int connections, seconds;
	double rate;
	uint64_t count, begun, next, warm_until, stop_at;
	bool *taken; /* of each user: by a transaction under way; NULL: there are too few of them */
	unsigned int bad_status;
	uint64_t sent, received; /* [octets] */
	int epoll;
	struct conn *conns, *idle;
	unsigned int busy;
	bool measuring;
	struct {
		uint64_t us, count, windows;
		bool *seen; /* of each WINDOW: one of them was due in it */
	} late;
	struct stats stats;
} l = { .connections = 64, .seconds = 5, .http = { .host = "bsf.bench.test", .impi = "%u@bench.test", .users = 1 } };

static void die(const char *what)
{
	fprintf(stderr, "http_load: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void conn_open(struct conn *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&l.to, sizeof(l.to)) != 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(l.epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
		die("epoll");
	c->have = 0;
}

static void conn_idle(struct conn *c)
{
	c->busy = false;
	c->next_idle = l.idle;
	l.idle = c;
	l.busy--;
}

/* A UE does one thing at a time, and a challenge serves one bootstrap: no user is in two transactions at once, or the second
 * would be challenged again. */
static uint64_t user_next(void)
{
	while (l.taken != NULL && l.taken[l.next % l.http.users])
		l.next++;
	if (l.taken != NULL)
		l.taken[l.next % l.http.users] = true;
	return l.next++;
}

/* Whether all is slow now and then, or the machine stops now and then, shows in how they lie together. */
static void late_note(uint64_t due)
{
	bool *seen = &l.late.seen[(due - l.warm_until) / WINDOW];

	l.late.count++;
	l.late.windows += !*seen;
	*seen = true;
}

static void finish(struct conn *c, bool good, uint64_t now)
{
	if (l.taken != NULL)
		l.taken[c->i % l.http.users] = false;
	if (!l.measuring || c->due < l.warm_until)
		return conn_idle(c);
	if (good)
		stats_good(&l.stats, now - c->due);
	else
		l.stats.bad++;
	if (l.late.seen != NULL && now - c->due > l.late.us)
		late_note(c->due);
	l.stats.end = now;
	conn_idle(c);
}

static void conn_say(struct conn *c, const struct http_response *response, uint64_t now)
{
	char out[HTTP_ROOM];
	size_t len = 0;
	enum http_next next = http_script(&l.http, c->turn, c->i, response, out, &len);

	if (next == HTTP_BAD && response != NULL)
		l.bad_status = response->status;
	l.sent += len;
	if (next == HTTP_SEND && send(c->fd, out, len, MSG_NOSIGNAL) == (ssize_t)len)
		return;
	finish(c, next == HTTP_DONE, now);
}

/* A transaction that ended with the connection: count it, and connect again. */
static void conn_lost(struct conn *c, uint64_t now)
{
	close(c->fd);
	conn_open(c);
	if (c->busy)
		finish(c, false, now);
}

/* Length of a complete response at the beginning of in; 0: not yet; -1: not HTTP as we know it. */
static ssize_t response_parse(struct conn *c, struct http_response *_response)
{
	static const char length[] = "\r\nContent-Length:";
	char *end, *at;
	size_t body;

	c->in[c->have] = '\0';
	end = strstr(c->in, "\r\n\r\n");
	if (end == NULL)
		return c->have < HTTP_ROOM ? 0 : -1;
	at = strcasestr(c->in, length);
	body = at != NULL && at < end ? strtoul(at + sizeof(length) - 1, NULL, 10) : 0;
	if ((size_t)(end + 4 - c->in) + body > HTTP_ROOM || sscanf(c->in, "HTTP/1.%*c %u", &_response->status) != 1)
		return -1;
	if ((size_t)(end + 4 - c->in) + body > c->have)
		return 0;
	end[2] = '\0';
	_response->head = c->in;
	_response->body = end + 4;
	_response->body_len = body;
	return (end + 4 - c->in) + (ssize_t)body;
}

static void conn_read(struct conn *c)
{
	struct http_response response;
	ssize_t n = recv(c->fd, c->in + c->have, HTTP_ROOM - c->have, MSG_DONTWAIT);
	uint64_t now = stats_now();

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		return conn_lost(c, now);
	c->have += (size_t)n;
	l.received += (size_t)n;
	n = response_parse(c, &response);
	if (n < 0)
		return conn_lost(c, now);
	if (n == 0 || !c->busy)
		return;
	c->turn++;
	c->have = 0; /* one response for each request: nothing follows */
	conn_say(c, &response, now);
}

static void begin(uint64_t due)
{
	struct conn *c = l.idle;

	l.idle = c->next_idle;
	l.busy++;
	c->busy = true;
	c->turn = 0;
	c->due = due;
	c->i = user_next();
	l.begun++;
	conn_say(c, NULL, due);
}

/* Closed loop: whoever is idle begins. Open loop: whoever is due begins, late if no connection is free, and the delay
 * counts from when it was due. */
static void begin_all(uint64_t start, uint64_t now)
{
	while (l.idle != NULL && now < l.stop_at && (l.count == 0 || l.begun < l.count)) {
		uint64_t due = l.rate > 0 ? start + (uint64_t)((double)l.begun * 1e6 / l.rate) : now;

		if (due > now)
			return;
		begin(due);
	}
}

/* Sleep until something arrives or the next transaction is due; epoll_wait() alone knows milliseconds only. */
static int wait_events(struct epoll_event *events, uint64_t start, uint64_t now)
{
	struct pollfd epoll = { .fd = l.epoll, .events = POLLIN };
	uint64_t due = start + (uint64_t)((double)l.begun * 1e6 / l.rate), us = due > now ? due - now : 0;
	struct timespec t = { .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 };

	if (l.idle != NULL && ppoll(&epoll, 1, &t, NULL) <= 0)
		return 0;
	return epoll_wait(l.epoll, events, EVENTS, l.idle != NULL ? 0 : 10);
}

static bool over(uint64_t now)
{
	bool ended = now >= l.stop_at || (l.count > 0 && l.begun >= l.count);

	return ended && (l.busy == 0 || now >= l.stop_at + 10000000);
}

static void run(void)
{
	struct epoll_event events[EVENTS];
	uint64_t start = stats_now(), now = start;

	l.warm_until = l.count > 0 ? start : start + WARM_UP;
	l.stop_at = l.count > 0 ? UINT64_MAX / 2 : l.warm_until + l.seconds * UINT64_C(1000000);
	for (; !over(now); now = stats_now()) {
		int n;

		if (!l.measuring && now >= l.warm_until) {
			stats_start(&l.stats);
			l.measuring = true;
		}
		begin_all(start, now);
		n = l.rate > 0 ? wait_events(events, start, now) : epoll_wait(l.epoll, events, EVENTS, 10);
		for (int i = 0; i < n; i++)
			conn_read(events[i].data.ptr);
	}
}

static void set(char *word)
{
	char *value = strchr(word, '=');

	if (value == NULL)
		die(word);
	*value++ = '\0';
	if (strcmp(word, "connections") == 0)
		l.connections = (unsigned int)strtoul(value, NULL, 10);
	else if (strcmp(word, "seconds") == 0)
		l.seconds = (unsigned int)strtoul(value, NULL, 10);
	else if (strcmp(word, "rate") == 0)
		l.rate = strtod(value, NULL);
	else if (strcmp(word, "late") == 0)
		l.late.us = strtoull(value, NULL, 10);
	else if (strcmp(word, "count") == 0)
		l.count = strtoull(value, NULL, 10);
	else if (strcmp(word, "host") == 0)
		l.http.host = value;
	else if (strcmp(word, "impi") == 0)
		l.http.impi = value;
	else if (strcmp(word, "users") == 0)
		l.http.users = (unsigned int)strtoul(value, NULL, 10);
	else if (strcmp(word, "application") == 0)
		l.http.application = value;
	else if (strcmp(word, "tokens") == 0)
		l.http.tokens = value;
	else if (strcmp(word, "k") != 0 && strcmp(word, "opc") != 0)
		die(word);
	else if (hex_decode(bytes_of(value), word[0] == 'k' ? l.http.k : l.http.opc, 16) != GBA_OK)
		die(word);
}

static void address(char *text)
{
	char *port = strrchr(text, ':');

	if (port == NULL)
		die(text);
	*port++ = '\0';
	l.to.sin_family = AF_INET;
	l.to.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	if (inet_pton(AF_INET, text, &l.to.sin_addr) != 1)
		die(text);
}

int main(int argc, char **argv)
{
	char more[256];

	if (argc < 2) {
		fprintf(stderr, "usage: http_load HOST:PORT [name=value ...]\n");
		return 2;
	}
	secret_init();
	address(argv[1]);
	for (int i = 2; i < argc; i++)
		set(argv[i]);
	if (l.connections < 1 || l.connections > CONNECTIONS_MAX || l.http.users < 1)
		die("arguments");
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.conns = calloc(l.connections, sizeof(*l.conns));
	if (l.http.users > l.connections)
		l.taken = calloc(l.http.users, sizeof(*l.taken));
	if (l.epoll < 0 || l.conns == NULL || (l.http.users > l.connections && l.taken == NULL))
		die("start");
	if (l.late.us > 0 && l.count == 0) {
		l.late.seen = calloc(l.seconds * 1000000 / WINDOW + 1, sizeof(*l.late.seen));
		if (l.late.seen == NULL)
			die("start");
	}
	l.busy = l.connections;
	for (unsigned int i = 0; i < l.connections; i++) {
		conn_open(&l.conns[i]);
		conn_idle(&l.conns[i]);
	}
	run();
	snprintf(more, sizeof(more),
		 ", \"last_bad\": %u, \"begun\": %llu, \"octets_out\": %.0f, \"octets_in\": %.0f, \"late\": %llu, \"late_windows\": %llu, "
		 "\"window_us\": %u",
		 l.bad_status, (unsigned long long)l.begun, (double)l.sent / (double)l.begun, (double)l.received / (double)l.begun,
		 (unsigned long long)l.late.count, (unsigned long long)l.late.windows, WINDOW);
	stats_print(&l.stats, stdout, more);
	return l.stats.good > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
