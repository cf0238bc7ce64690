/* SPDX-License-Identifier: Apache-2.0 */
/* Any protocol: a thread per connection, at most max_connections of them. A device has few. */
#include <errno.h>
#include <netdb.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "ue/proxy_part.h"
#include "ue/stream.h"

#define BACKLOG      64
#define TICK_MS      500
#define STACK_OCTETS (512 * 1024) /* libcurl and OpenSSL included */

struct proxy_tls {
	const struct proxy_conf *conf;
	const struct token_source *source;
	struct stream_conf stream;
	int fd;
	atomic_int stop;
	pthread_t acceptor;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned int active; /* connections being served */
};

struct connection {
	struct proxy_tls *part;
	int fd;
};

/* "127.0.0.1:80", "[::1]:80" into two texts. */
static bool split_listen(const char *listen, char *host, size_t host_cap, const char **_port)
{
	const char *colon = strrchr(listen, ':');
	size_t n;

	if (colon == NULL)
		return false;
	n = (size_t)(colon - listen);
	if (n >= 2 && listen[0] == '[' && listen[n - 1] == ']') {
		listen++;
		n -= 2;
	}
	if (n == 0 || n >= host_cap)
		return false;
	memcpy(host, listen, n);
	host[n] = '\0';
	*_port = colon + 1;
	return true;
}

static int open_listener(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static enum gba_err start_listener(struct proxy_tls *part, struct why *why)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
	struct addrinfo *address = NULL;
	const char *port;
	char host[64];

	if (!split_listen(part->conf->listen, host, sizeof(host), &port) ||
	    getaddrinfo(host, port, &hints, &address) != 0)
		return why_fail(why, GBA_E_SYNTAX, "%s: not an address and a port", part->conf->listen);
	part->fd = open_listener(address);
	freeaddrinfo(address);
	if (part->fd < 0)
		return why_fail(why, gba_err_from_errno(errno), "%s: %s", part->conf->listen, strerror(errno));
	return GBA_OK;
}

static void log_end(const struct proxy_tls *part, enum gba_err err, const char *text)
{
	struct log_about about = {
		.iface = "Ua", .peer = bytes_of(part->stream.host), .clause = "TS 33.222 5.4", .result = err
	};

	log_event(err == GBA_OK ? LOG_L_INFO : LOG_L_WARNING, "ue.session", &about, "%s", text);
}

static void serve(struct proxy_tls *part, int fd)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct why why = { "" };
	struct stream *stream;
	enum gba_err err;

	if (ctx == NULL)
		return;
	err = stream_open(ctx, &part->stream, part->source, &stream, &why);
	if (err != GBA_OK) {
		log_end(part, err, why.text);
	} else {
		log_end(part, GBA_OK, "session begins");
		err = stream_pump(stream, fd, &part->stop);
		log_end(part, GBA_OK, err == GBA_OK ? "session ends" : gba_strerror(err));
	}
	talloc_free(ctx);
}

static void *connection_main(void *arg)
{
	struct connection *connection = arg;
	struct proxy_tls *part = connection->part;

	serve(part, connection->fd);
	close(connection->fd);
	free(connection);
	OPENSSL_thread_stop(); /* nobody joins this thread: what it has in OpenSSL goes before it is counted out */
	pthread_mutex_lock(&part->lock);
	part->active--;
	pthread_cond_signal(&part->idle);
	pthread_mutex_unlock(&part->lock);
	return NULL;
}

/* False: no thread; the caller still owns fd. */
static bool start_connection(struct proxy_tls *part, int fd)
{
	struct connection *connection = malloc(sizeof(*connection));
	pthread_attr_t attr;
	pthread_t thread;
	bool started;

	if (connection == NULL)
		return false;
	*connection = (struct connection){ part, fd };
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_OCTETS);
	started = pthread_create(&thread, &attr, connection_main, connection) == 0;
	pthread_attr_destroy(&attr);
	if (!started)
		free(connection);
	return started;
}

static void take_connection(struct proxy_tls *part, int fd)
{
	bool room;

	pthread_mutex_lock(&part->lock);
	room = part->active < part->conf->max_connections;
	part->active += room;
	pthread_mutex_unlock(&part->lock);
	if (room && start_connection(part, fd))
		return;
	close(fd);
	log_event_limited(60, LOG_L_WARNING, "ue.proxy", NULL, "connection refused: %u are open",
			  part->conf->max_connections);
	if (!room)
		return;
	pthread_mutex_lock(&part->lock);
	part->active--;
	pthread_mutex_unlock(&part->lock);
}

static void *acceptor_main(void *arg)
{
	struct proxy_tls *part = arg;

	while (!atomic_load(&part->stop)) {
		struct pollfd pfd = { .fd = part->fd, .events = POLLIN };
		int fd;

		if (poll(&pfd, 1, TICK_MS) <= 0)
			continue;
		fd = accept4(part->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			take_connection(part, fd);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
			poll(NULL, 0, TICK_MS); /* descriptors come back when connections end */
	}
	return NULL;
}

enum gba_err proxy_tls_start(TALLOC_CTX *mem_ctx, const struct proxy_conf *conf, const struct url *to,
			     const struct token_source *source, struct proxy_tls **_part, struct why *why)
{
	struct proxy_tls *part = talloc_zero(mem_ctx, struct proxy_tls);
	enum gba_err err;

	if (part == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	part->conf = conf;
	part->source = source;
	part->stream = (struct stream_conf){ .host = to->host,
					     .port = to->port,
					     .connect = conf->ua.connect,
					     .separator = conf->ua.separator,
					     .tls = conf->ua.tls };
	part->stream.timeout_ms = conf->ua.timeout_ms;
	part->stream.idle_ms = conf->idle_ms;
	part->stream.drain_ms = conf->drain_ms;
	err = start_listener(part, why);
	if (err != GBA_OK)
		goto fail;
	pthread_mutex_init(&part->lock, NULL);
	pthread_cond_init(&part->idle, NULL);
	if (pthread_create(&part->acceptor, NULL, acceptor_main, part) != 0) {
		close(part->fd);
		err = why_fail(why, GBA_E_NOMEM, "no thread");
		goto fail;
	}
	*_part = part;
	return GBA_OK;
fail:
	talloc_free(part);
	return err;
}

unsigned int proxy_tls_port(const struct proxy_tls *part)
{
	struct sockaddr_storage address;
	socklen_t n = sizeof(address);
	char port[8];

	if (getsockname(part->fd, (struct sockaddr *)&address, &n) != 0 ||
	    getnameinfo((struct sockaddr *)&address, n, NULL, 0, port, sizeof(port), NI_NUMERICSERV) != 0)
		return 0;
	return (unsigned int)strtoul(port, NULL, 10);
}

void proxy_tls_stop(struct proxy_tls *part)
{
	atomic_store(&part->stop, 1);
	pthread_join(part->acceptor, NULL);
	close(part->fd);
	pthread_mutex_lock(&part->lock);
	while (part->active > 0) /* each sees stop within a second, or ends its handshake in time */
		pthread_cond_wait(&part->idle, &part->lock);
	pthread_mutex_unlock(&part->lock);
	pthread_mutex_destroy(&part->lock);
	pthread_cond_destroy(&part->idle);
}
