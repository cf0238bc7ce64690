/* SPDX-License-Identifier: Apache-2.0 */
#include "http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/files.h"
#include "core/secret.h"
#include "http/server_priv.h"

#define PEM_MAX	   65536
#define POOL_MORE  4096	    /* [octets] per connection beyond its head, for the library's tables and the answer's head: all of it is
				     * zeroed before each request */
#define STOP_STEP  2000	    /* [us] */
#define OPTIONS_MAX 16

/* TLS 1.2 and 1.3, AEAD only (TS 33.210 6.2), forward secrecy. */
static const char priorities[] = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-CIPHER-ALL:+AES-256-GCM:"
				 "+CHACHA20-POLY1305:+AES-128-GCM:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE";

struct pems {
	char *cert, *key, *ca;
};

/* Whole file, NUL-terminated; NULL and *_error when it cannot be read. */
static char *read_pem(TALLOC_CTX *mem_ctx, const char *path, const char **_error)
{
	char *text = talloc_zero_size(mem_ctx, PEM_MAX + 1);
	FILE *in = fopen(path, "re");
	size_t n;

	if (in == NULL || text == NULL) {
		*_error = talloc_asprintf(mem_ctx, "%s: %s", path, strerror(errno));
		if (in != NULL)
			fclose(in);
		talloc_free(text);
		return NULL;
	}
	setvbuf(in, NULL, _IONBF, 0); /* no second copy of a key in a buffer nobody wipes */
	n = fread(text, 1, PEM_MAX, in);
	fclose(in);
	if (n > 0 && n < PEM_MAX)
		return text;
	*_error = talloc_asprintf(mem_ctx, "%s: empty, unreadable or longer than %d octets", path, PEM_MAX);
	secret_wipe(text, n);
	talloc_free(text);
	return NULL;
}

static void pems_free(struct pems *pems)
{
	if (pems->key != NULL)
		secret_wipe(pems->key, PEM_MAX + 1);
	talloc_free(pems->key);
	talloc_free(pems->cert);
	talloc_free(pems->ca);
}

static bool pems_read(TALLOC_CTX *mem_ctx, const struct http_conf *conf, struct pems *pems, const char **_error)
{
	*pems = (struct pems){ NULL, NULL, NULL };
	if (conf->cert == NULL)
		return true;
	if (conf->key == NULL) {
		*_error = talloc_asprintf(mem_ctx, "%s: certificate without key", conf->cert);
		return false;
	}
	pems->cert = read_pem(mem_ctx, conf->cert, _error);
	if (pems->cert != NULL)
		pems->key = read_pem(mem_ctx, conf->key, _error);
	if (pems->key != NULL && conf->client_ca != NULL)
		pems->ca = read_pem(mem_ctx, conf->client_ca, _error);
	if (pems->key != NULL && (pems->ca != NULL || conf->client_ca == NULL))
		return true;
	pems_free(pems);
	return false;
}

static void option(struct MHD_OptionItem *options, enum MHD_OPTION option, intptr_t value, const void *pointer)
{
	while (options->option != MHD_OPTION_END)
		options++;
	options[0] = (struct MHD_OptionItem){ option, value, (void *)(uintptr_t)pointer };
	options[1] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
}

static size_t keep_raw(void *arg, struct MHD_Connection *mhd, char *text)
{
	(void)arg, (void)mhd;
	return strlen(text); /* handlers get the target as sent */
}

/* One thread's part of what all have together; the first ones have one more. */
static unsigned int share(unsigned int all, unsigned int parts, unsigned int i)
{
	return all / parts + (i < all % parts ? 1 : 0);
}

/* @param fd  the daemon's from now on: closed when it does not start */
static struct MHD_Daemon *daemon_start(struct http_loop *loop, const struct http_conf *conf, const struct pems *pems, int fd,
				       bool ipv6)
{
	struct MHD_OptionItem options[OPTIONS_MAX] = { { MHD_OPTION_END, 0, NULL } };
	unsigned int i = (unsigned int)(loop - loop->server->loops);
	struct http_server *server = loop->server;
	/* Turbo leaves the socket open in both directions until its last callback (conn.c); TLS needs its closing alert
	 * instead. */
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			     (pems->cert != NULL ? MHD_USE_TLS : MHD_USE_TURBO) | (ipv6 ? MHD_USE_IPv6 : 0);

	option(options, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)(conf->max_head + POOL_MORE), NULL);
	option(options, MHD_OPTION_CONNECTION_LIMIT, (intptr_t)share(conf->max_connections, conf->threads, i), NULL);
	option(options, MHD_OPTION_LISTEN_SOCKET, fd, NULL);
	option(options, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL);
	option(options, MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)http_on_target, server);
	option(options, MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_raw, NULL);
	option(options, MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)http_on_connection, loop);
	option(options, MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_on_completed, server);
	if (pems->cert != NULL) {
		option(options, MHD_OPTION_HTTPS_MEM_CERT, 0, pems->cert);
		option(options, MHD_OPTION_HTTPS_MEM_KEY, 0, pems->key);
		option(options, MHD_OPTION_HTTPS_PRIORITIES, 0, priorities);
	}
	if (pems->ca != NULL)
		option(options, MHD_OPTION_HTTPS_MEM_TRUST, 0, pems->ca);
	return MHD_start_daemon(flags, 0, NULL, NULL, http_on_call, server, MHD_OPTION_EXTERNAL_LOGGER, http_on_log, server,
				MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static void get_metrics(struct http_server *server)
{
	static const char *const classes[] = { "other", "1xx", "2xx", "3xx", "4xx", "5xx" };
	char label[32];
	size_t i;

	server->m_conns = metric_get("gba_http_connections", "Open HTTP connections.", METRIC_GAUGE, "");
	server->m_streams = metric_get("gba_http_streams", "Answers without an end under way.", METRIC_GAUGE, "");
	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		label[0] = '\0';
		metric_label(label, sizeof(label), "code", classes[i]);
		server->m_requests[i] = metric_get("gba_http_requests_total", "HTTP requests answered, by class of status.",
						   METRIC_COUNTER, label);
	}
}

static struct http_server *server_new(const struct http_conf *conf, http_handler handler, void *arg)
{
	struct http_server *server = talloc_zero(NULL, struct http_server); /* no parent: a late reply may outlive the caller's */

	if (server == NULL)
		return NULL;
	server->token = conf->server_token != NULL ? talloc_strdup(server, conf->server_token) : NULL;
	if (conf->server_token != NULL && server->token == NULL) {
		talloc_free(server);
		return NULL;
	}
	server->handler = handler;
	server->handler_arg = arg;
	server->refused = conf->refused;
	server->round = conf->round;
	server->max_per_source = conf->max_per_source;
	server->listener = -1;
	server->head_timeout_ms = conf->head_timeout_ms;
	server->idle_timeout_ms = conf->idle_timeout_ms;
	server->max_head = conf->max_head;
	server->max_body = conf->max_body;
	server->tls = conf->cert != NULL;
	server->client_ca = conf->cert != NULL && conf->client_ca != NULL;
	server->client_optional = conf->client_optional;
	server->problems = conf->problems;
	server->body_limit = conf->body_limit;
	atomic_init(&server->refs, 1);
	pthread_mutex_init(&server->lock, NULL);
	LIST_INIT(&server->conns);
	LIST_INIT(&server->suspended);
	LIST_INIT(&server->streams);
	get_metrics(server);
	return server;
}

static void loops_stop(struct http_server *server)
{
	unsigned int i;

	for (i = 0; i < server->loop_n; i++)
		http_loop_stop(&server->loops[i]);
	if (server->listener >= 0)
		close(server->listener);
	server->listener = -1;
}

/* A daemon and its thread; both end with the server's other loops if one of them does not start. */
static bool loop_start(struct http_server *server, const struct http_conf *conf, const struct pems *pems, bool ipv6)
{
	struct http_loop *loop = &server->loops[server->loop_n++];
	int fd = fcntl(server->listener, F_DUPFD_CLOEXEC, 0);

	loop->server = server;
	loop->wake = loop->linger_epoll = -1;
	TAILQ_INIT(&loop->lingers);
	if (fd < 0)
		return false;
	loop->daemon = daemon_start(loop, conf, pems, fd, ipv6);
	loop->listener = loop->daemon != NULL ? fd : -1;
	return loop->daemon != NULL && http_loop_start(loop);
}

static void server_discard(struct http_server *server)
{
	http_timer_stop(server);
	loops_stop(server);
	http_refusals_free(server);
	http_server_unref(server);
}

/* The listener is the server's from now on. */
static bool server_run(struct http_server *server, const struct http_conf *conf, const struct pems *pems, int fd, bool ipv6)
{
	server->listener = fd;
	server->loops = talloc_zero_array(server, struct http_loop, conf->threads);
	if (server->loops == NULL || !http_refusals_new(server) || !http_timer_start(server))
		return false;
	errno = 0;
	while (server->loop_n < conf->threads) {
		if (!loop_start(server, conf, pems, ipv6))
			return false;
	}
	return true;
}

static enum gba_err check_conf(TALLOC_CTX *mem_ctx, const struct http_conf *conf, const char **_error)
{
	if (conf->listen != NULL && conf->threads > 0 && conf->max_connections >= conf->threads && conf->max_per_source > 0 &&
	    conf->head_timeout_ms > 0 && conf->idle_timeout_ms > 0 && conf->max_head > 0)
		return GBA_OK;
	*_error = talloc_strdup(mem_ctx, "address, threads, connections, time-outs and header size must be given, and at least one "
					 "connection per thread");
	return GBA_E_CONF;
}

enum gba_err http_server_start(TALLOC_CTX *mem_ctx, const struct http_conf *conf, http_handler handler, void *arg,
			       struct http_server **_server, const char **_error)
{
	struct http_server *server;
	struct pems pems;
	bool ipv6, runs;
	int fd;

	(void)files_raise(); /* a connection is one */
	if (check_conf(mem_ctx, conf, _error) != GBA_OK || !pems_read(mem_ctx, conf, &pems, _error))
		return GBA_E_CONF;
	server = server_new(conf, handler, arg);
	fd = server != NULL ? http_listen(mem_ctx, conf->listen, &server->port, &ipv6, _error) : -1;
	runs = fd >= 0 && server_run(server, conf, &pems, fd, ipv6);
	pems_free(&pems);
	if (runs) {
		*_server = server;
		return GBA_OK;
	}
	if (fd >= 0)
		*_error = talloc_asprintf(mem_ctx, "%s: HTTP server does not start: %s", conf->listen,
					  errno != 0 ? strerror(errno) : "certificate, key or memory");
	if (server == NULL)
		return GBA_E_NOMEM;
	server_discard(server);
	return fd >= 0 ? GBA_E_CONF : GBA_E_IO;
}

/* Nothing may be suspended when the library stops: it would end the process. */
static void answer_rest(struct http_server *server)
{
	uint64_t end = clock_mono_ms() + server->head_timeout_ms;

	while (http_answer_suspended(server) > 0 || atomic_load(&server->handling) > 0 ||
	       (atomic_load(&server->work) > 0 && clock_mono_ms() < end))
		usleep(STOP_STEP);
}

void http_server_stop(struct http_server *server, unsigned int timeout_ms)
{
	uint64_t end = clock_mono_ms() + timeout_ms;
	unsigned int i;

	if (server == NULL)
		return;
	shutdown(server->listener, SHUT_RDWR); /* refuses from now on; closed when no thread can still have it in its epoll set */
	for (i = 0; i < server->loop_n; i++)
		http_loop_quiet(&server->loops[i]);
	atomic_store(&server->stopping, true);
	http_streams_stop(server);
	while (atomic_load(&server->work) > 0 && clock_mono_ms() < end)
		usleep(STOP_STEP);
	answer_rest(server);
	server_discard(server);
}

unsigned int http_server_port(const struct http_server *server)
{
	return server->port;
}
