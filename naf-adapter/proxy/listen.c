/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "naf-adapter/proxy/conf.h"

#define BACKLOG 4096

/* Not TCP_USER_TIMEOUT: it would end streams whose reader pauses, too. */
void listen_keep_alive(int fd, unsigned int seconds)
{
	int on = seconds > 0, idle = (int)seconds, interval = idle > 6 ? idle / 6 : 1, count = 3;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (!on)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static int listen_on(const struct addrinfo *ai, const struct sockaddr_storage *same, unsigned int keepalive)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	const struct sockaddr *to = same != NULL ? (const struct sockaddr *)same : ai->ai_addr;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	listen_keep_alive(fd, keepalive); /* before it listens: a connection keeps what its listener had when it came */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0 && bind(fd, to, ai->ai_addrlen) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Another program's SO_REUSEPORT socket must not share ours unseen: the first bind is tried without it. */
static bool port_is_free(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, why;
	bool is_free;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	is_free = fd >= 0 && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0;
	why = errno;
	if (fd >= 0)
		close(fd);
	errno = why;
	return is_free;
}

static void close_all(int *fds, unsigned int n)
{
	int why = errno;

	while (n > 0)
		close(fds[--n]);
	errno = why;
}

bool listen_on_all(const char *address, unsigned int keepalive, int *fds, unsigned int n)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *ai = NULL;
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	char host[256], port[8];
	unsigned int i;
	bool good;

	errno = EADDRNOTAVAIL;
	if (!address_split(address, host, sizeof(host), port, sizeof(port)) || getaddrinfo(host, port, &hints, &ai) != 0)
		return false;
	good = port_is_free(ai);
	for (i = 0; i < n && good; i++) {
		fds[i] = listen_on(ai, i > 0 ? &bound : NULL, keepalive);
		good = fds[i] >= 0;
		if (good && i == 0)
			getsockname(fds[i], (struct sockaddr *)&bound, &len);
	}
	if (!good)
		close_all(fds, i > 0 ? i - 1 : 0);
	freeaddrinfo(ai);
	return good;
}
