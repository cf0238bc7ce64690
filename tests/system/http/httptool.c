/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server with a handler that says what it got, for raw-socket tests. Prints "port N" when it listens, with announce 1
 * "taken" for each request that is not answered at once, serves until its standard input ends, stops, prints "stopped MS". */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "http/server.h"

struct late {
	struct http_req *req;
	unsigned int ms;
	bool held;
	struct http_stream *stream;
	unsigned int count, size;
};
#define STREAM_ROOM 65536

static struct http_req *never[1024]; /* kept, and answered after the server has stopped */
static _Atomic unsigned int never_count;
static unsigned int announce, stall_ms = 20000;
static volatile sig_atomic_t released;

static void release(int number)
{
	(void)number;
	released = 1;
}

static void taken(void)
{
	if (announce == 0)
		return;
	printf("taken\n");
	fflush(stdout);
}

/* One line per fact; values as received between brackets. */
static void echo(struct http_req *req)
{
	struct bytes m = http_req_method(req), t = http_req_target(req), b = http_req_body(req);
	struct bytes a = http_req_header(req, "authorization"), x = http_req_header(req, "X-Test");
	char *text = talloc_asprintf(req,
				     "method [%.*s]\ntarget [%.*s]\nauthorization [%.*s]%s\nx-test [%.*s]\nbody %zu\n"
				     "source %s\ntls %d\n",
				     BYTES_FMT(m), BYTES_FMT(t), BYTES_FMT(a), a.p == NULL ? " none" : "", BYTES_FMT(x), b.n,
				     http_req_source(req), http_req_is_tls(req));
	const struct http_header headers[] = { { "Content-Type", "text/plain" }, { "X-Reply", "yes" }, { NULL, NULL } };
	char *whole = talloc_array(req, char, strlen(text) + b.n);

	memcpy(whole, text, strlen(text));
	if (b.n > 0)
		memcpy(whole + strlen(text), b.p, b.n);
	http_reply(req, 200, headers, BYTES(whole, strlen(text) + b.n));
}

static void *reply_late(void *arg)
{
	struct late *late = arg;

	usleep(late->ms * 1000);
	while (late->held && !released)
		usleep(1000);
	echo(late->req);
	free(late);
	return NULL;
}

/* "/later?50": from another thread after 50 ms; "/later?0": while the handler still runs, or just after; "/held": at SIGUSR1. */
static void start_late(struct http_req *req, struct bytes query)
{
	struct late *late = calloc(1, sizeof(*late));
	pthread_t thread;

	late->req = req;
	late->held = bytes_eq_str(http_req_target(req), "/held");
	late->ms = query.n > 0 ? (unsigned int)strtoul((const char *)query.p, NULL, 10) : 0;
	pthread_create(&thread, NULL, reply_late, late);
	pthread_detach(thread);
}

/* "/stream?COUNT-SIZE": so many texts of this size, as fast as they are taken; COUNT 0: one, then until the client goes. */
static void *write_stream(void *arg)
{
	struct late *late = arg;
	char *text = malloc(late->size + 1);
	enum gba_err err = GBA_OK;
	unsigned int n;

	memset(text, '.', late->size);
	for (n = 0; (late->count == 0 || n < late->count) && err != GBA_E_UNREACHABLE; n += err == GBA_OK) {
		snprintf(text, 16, "%010u", n);
		text[10] = ' ';
		err = http_stream_write(late->stream, BYTES(text, late->size));
		if (err != GBA_OK || late->count == 0)
			usleep(1000);
	}
	if (err == GBA_E_UNREACHABLE) {
		printf("%s %u\n", http_stream_cut(late->stream) ? "cut" : "gone", n);
		fflush(stdout);
	}
	http_stream_end(late->stream);
	free(text);
	free(late);
	return NULL;
}

static void start_stream(struct http_req *req, struct bytes query)
{
	static const struct http_header headers[] = { { "Content-Type", "text/event-stream" }, { NULL, NULL } };
	struct late *late = calloc(1, sizeof(*late));
	struct http_stream *stream;
	char text[64];
	pthread_t thread;

	snprintf(text, sizeof(text), "%.*s", BYTES_FMT(query));
	if (sscanf(text, "%u-%u", &late->count, &late->size) != 2 || late->size < 12 || late->size > STREAM_ROOM) {
		free(late);
		http_reply_error(req, GBA_E_RANGE);
		return;
	}
	stream = late->stream = http_stream_new(STREAM_ROOM, stall_ms);
	http_stream_keep(stream);
	pthread_create(&thread, NULL, write_stream, late); /* before the answer, and while it is given */
	pthread_detach(thread);
	http_reply_stream(req, 200, headers, stream);
	http_stream_drop(stream);
}

static void on_request(struct http_req *req, void *arg)
{
	struct bytes path = http_req_target(req), query = BYTES_NONE;
	static const struct http_header bad[] = { { "X-Bad", "a\r\nb" }, { NULL, NULL } };

	(void)arg;
	bytes_split(path, '?', &path, &query);
	if (bytes_eq_str(path, "/later") || bytes_eq_str(path, "/held")) {
		taken();
		start_late(req, query);
	} else if (bytes_eq_str(path, "/never")) {
		never[never_count++ % 1024] = req;
		taken();
	} else if (bytes_eq_str(path, "/hold")) { /* the thread itself is busy for so long */
		taken();
		usleep((unsigned int)strtoul((const char *)query.p, NULL, 10) * 1000);
		echo(req);
	} else if (bytes_eq_str(path, "/stream")) {
		start_stream(req, query);
	} else if (bytes_eq_str(path, "/busy")) {
		http_reply_error(req, GBA_E_BUSY);
	} else if (bytes_eq_str(path, "/bad-header")) {
		http_reply(req, 200, bad, bytes_of(""));
	} else {
		echo(req);
	}
}

static bool is_ready(void *arg, const char **_missing)
{
	*_missing = arg;
	return arg == NULL;
}

static void usage(void)
{
	fprintf(stderr, "httptool [name value]...: listen threads connections per-source head-ms idle-ms max-head max-body\n"
			"cert key ca token stop-ms metrics missing announce stall-ms\n");
	exit(2);
}

struct tool {
	struct http_conf conf;
	unsigned int stop_ms;
	const char *metrics, *missing;
};

static bool number_option(struct tool *tool, const char *name, unsigned long value)
{
	struct http_conf *conf = &tool->conf;
	const struct {
		const char *name;
		unsigned int *where;
	} numbers[] = { { "threads", &conf->threads },	     { "connections", &conf->max_connections },
			{ "head-ms", &conf->head_timeout_ms }, { "per-source", &conf->max_per_source },
			{ "stop-ms", &tool->stop_ms },	     { "idle-ms", &conf->idle_timeout_ms },
			{ "announce", &announce },	     { "stall-ms", &stall_ms } };
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(name, numbers[i].name) == 0) {
			*numbers[i].where = (unsigned int)value;
			return true;
		}
	}
	if (strcmp(name, "max-head") == 0)
		conf->max_head = value;
	else if (strcmp(name, "max-body") == 0)
		conf->max_body = value;
	else
		return false;
	return true;
}

static void take_option(struct tool *tool, const char *name, const char *value)
{
	const struct {
		const char *name;
		const char **where;
	} texts[] = { { "listen", &tool->conf.listen }, { "cert", &tool->conf.cert }, { "key", &tool->conf.key },
		      { "ca", &tool->conf.client_ca }, { "token", &tool->conf.server_token }, { "metrics", &tool->metrics },
		      { "missing", &tool->missing } };
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(name, texts[i].name) == 0) {
			*texts[i].where = value;
			return;
		}
	}
	if (!number_option(tool, name, strtoul(value, NULL, 10)))
		usage();
}

int main(int argc, char **argv)
{
	TALLOC_CTX *root = talloc_new(NULL);
	struct tool tool = { .conf = HTTP_CONF_DEFAULTS, .stop_ms = 500 };
	struct http_server *server = NULL, *pages = NULL;
	const char *error = "?";
	uint64_t start;
	enum gba_err err;
	int i;

	tool.conf.listen = "127.0.0.1:0";
	signal(SIGUSR1, release);
	for (i = 1; i + 1 < argc; i += 2)
		take_option(&tool, argv[i], argv[i + 1]);
	err = http_server_start(root, &tool.conf, on_request, NULL, &server, &error);
	if (err == GBA_OK && tool.metrics != NULL)
		err = http_metrics_start(root, tool.metrics, is_ready, (void *)(uintptr_t)tool.missing, &pages, &error);
	if (err != GBA_OK) {
		printf("error %s: %s\n", gba_err_name(err), error);
		talloc_free(root);
		return 1;
	}
	printf("port %u\nmetrics %u\n", http_server_port(server), pages != NULL ? http_server_port(pages) : 0);
	fflush(stdout);
	while (getchar() != EOF)
		;
	start = clock_mono_ms();
	http_server_stop(server, tool.stop_ms);
	http_server_stop(pages, 0);
	for (i = 0; i < (int)never_count && i < 1024; i++)
		http_reply(never[i], 200, NULL, bytes_of("too late"));
	talloc_free(root);
	printf("stopped %u\n", (unsigned int)(clock_mono_ms() - start));
	return 0;
}
