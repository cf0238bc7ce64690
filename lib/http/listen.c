/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/server_priv.h"

#define HOST_MAX 256

/* "host:port", "[host]:port"; host may be empty: all addresses. */
static bool split_address(const char *address, char host[HOST_MAX], const char **_port)
{
	const char *colon = strrchr(address, ':'), *end = colon;

	if (colon == NULL || colon[1] == '\0')
		return false;
	if (*address == '[') {
		address++;
		if (end == address || *--end != ']')
			return false;
	} else if (memchr(address, ':', (size_t)(end - address)) != NULL) {
		return false; /* an IPv6 address needs its brackets, or where does the port begin? */
	}
	if (end - address >= HOST_MAX)
		return false;
	memcpy(host, address, (size_t)(end - address));
	host[end - address] = '\0';
	*_port = colon + 1;
	return true;
}

bool http_listen_valid(struct bytes address)
{
	char copy[HOST_MAX + 8], host[HOST_MAX], *end;
	unsigned long number;
	const char *port;

	if (address.n == 0)
		return true;
	if (address.n >= sizeof(copy) || memchr(address.p, '\0', address.n) != NULL)
		return false;
	memcpy(copy, address.p, address.n);
	copy[address.n] = '\0';
	if (!split_address(copy, host, &port) || port[0] < '0' || port[0] > '9')
		return false;
	number = strtoul(port, &end, 10);
	return *end == '\0' && number <= UINT16_MAX;
}

bool http_listen_is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]:", 6) == 0;
}

static int open_socket(const struct addrinfo *ai)
{
	const int on = 1, off = 0;
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP), saved;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ai->ai_addr;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (ai->ai_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY,
						     IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) ? &off : &on, sizeof(on)) == 0) &&
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static unsigned int port_of(int fd)
{
	struct sockaddr_storage addr;
	socklen_t n = sizeof(addr);

	if (getsockname(fd, (struct sockaddr *)&addr, &n) != 0)
		return 0;
	return ntohs(((struct sockaddr_in *)&addr)->sin_port); /* the same place in both families */
}

/* What a killed server left behind is taken away; where one listens it is not, nor what is no socket: a mistyped path must
 * not cost a file, and the kernel refuses a connection to one, too. */
static bool stale(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;
	bool refused = fd >= 0 && lstat(sun->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
		       connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0 && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return refused && unlink(sun->sun_path) == 0;
}

/* The folder says who may reach the socket, the kernel who did: http_req_peer_uid(). */
static int open_unix(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, saved;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if ((bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 ||
	     (errno == EADDRINUSE && stale(&sun) && bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)) &&
	    chmod(path, 0666) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int http_listen(TALLOC_CTX *mem_ctx, const char *address, unsigned int *_port, bool *_ipv6, const char **_error)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
	struct addrinfo *ai = NULL;
	char host[HOST_MAX];
	const char *port;
	int rc, fd;

	if (strncmp(address, "unix:", 5) == 0) {
		*_port = 0;
		*_ipv6 = false;
		fd = open_unix(address + 5);
		if (fd < 0)
			*_error = talloc_asprintf(mem_ctx, "%s: %s", address, strerror(errno));
		return fd;
	}
	if (!split_address(address, host, &port)) {
		*_error = talloc_asprintf(mem_ctx, "%s: not an address and port", address);
		return -1;
	}
	rc = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &ai);
	if (rc != 0) {
		*_error = talloc_asprintf(mem_ctx, "%s: %s", address, gai_strerror(rc));
		return -1;
	}
	fd = open_socket(ai);
	if (fd < 0)
		*_error = talloc_asprintf(mem_ctx, "%s: %s", address, strerror(errno));
	*_ipv6 = ai->ai_family == AF_INET6;
	freeaddrinfo(ai);
	if (fd >= 0)
		*_port = port_of(fd);
	return fd;
}
