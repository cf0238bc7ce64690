/* SPDX-License-Identifier: Apache-2.0 */
/* A bare libmicrohttpd server with the flags and threads that the BSF uses, and as there the threads wait by themselves: the
 * library's own stall (lib/http/loop.c). It answers what a BSF answers, octet for octet as long, but knows nothing: on each
 * connection a challenge and a BootstrappingInfo take turns, at once and whatever was asked.
 *   http_floor [threads]      prints its port, serves until standard input ends */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME "bsf.mnc001.mcc001.pub.3gppnetwork.org"

static char body[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<BootstrappingInfo xmlns=\"uri:3gpp-gba\">\n"
		     "  <btid>I1U8vpY3qJ0hiuZNrke/NQ==@" NAME "</btid>\n"
		     "  <lifetime>2031-01-01T12:00:00Z</lifetime>\n</BootstrappingInfo>\n";
static const char challenge[] = "Digest realm=\"" NAME "\", nonce=\"I1U8vpY3qJ0hiuZNrke/NYUoB6q3V8K5oMzJ0X1gQmM=\", "
				"algorithm=AKAv1-MD5, qop=\"auth-int\", opaque=\"0a4f113b9c2d7e600a4f113b9c2d7e60\"";
static const char info[] = "qop=auth-int, rspauth=\"d41d8cd98f00b204e9800998ecf8427e\", cnonce=\"0a4f113b9c2d7e60\", nc=00000001";

static struct MHD_Response *answer_new(int turn)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(turn > 0 ? sizeof(body) - 1 : 0, body, MHD_RESPMEM_PERSISTENT);

	MHD_add_response_header(response, "Server", "gba-bsf/0.1.0 3gpp-gba-tmpi");
	if (turn == 0) {
		MHD_add_response_header(response, "WWW-Authenticate", challenge);
		return response;
	}
	MHD_add_response_header(response, "Content-Type", "application/vnd.3gpp.bsf+xml");
	MHD_add_response_header(response, "Authentication-Info", info);
	MHD_add_response_header(response, "Expires", "Wed, 01 Jan 2031 12:00:00 GMT");
	return response;
}

/* A connection's own octet: whose turn it is. */
static void on_connection(void *arg, struct MHD_Connection *connection, void **turn, enum MHD_ConnectionNotificationCode code)
{
	(void)arg, (void)connection;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*turn = calloc(1, 1);
	else
		free(*turn);
}

/* The first call announces the request, the second has all of it (there is no body). */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *upload, size_t *upload_size, void **state)
{
	static int seen;
	struct MHD_Response *response;
	enum MHD_Result rc;
	char *turn;

	(void)arg, (void)url, (void)method, (void)version, (void)upload, (void)upload_size;
	if (*state == NULL) {
		*state = &seen;
		return MHD_YES;
	}
	turn = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	response = answer_new(*turn);
	rc = MHD_queue_response(connection, *turn > 0 ? MHD_HTTP_OK : MHD_HTTP_UNAUTHORIZED, response);
	MHD_destroy_response(response);
	*turn = !*turn;
	return rc;
}

static void *serve(void *arg)
{
	struct MHD_Daemon *daemon = arg;
	struct pollfd epoll = { .fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, .events = POLLIN };
	MHD_UNSIGNED_LONG_LONG ms;

	for (;;) {
		if (MHD_get_timeout(daemon, &ms) != MHD_YES || ms > 0)
			poll(&epoll, 1, -1);
		MHD_run(daemon);
	}
	return NULL;
}

static bool thread_start(int listener)
{
	struct MHD_Daemon *daemon;
	pthread_t thread;

	daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, 0, NULL, NULL, on_request, NULL,
				  MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_LISTEN_SOCKET, listener,
				  MHD_OPTION_CONNECTION_LIMIT, 4096U, MHD_OPTION_END);
	return daemon != NULL && pthread_create(&thread, NULL, serve, daemon) == 0;
}

int main(int argc, char **argv)
{
	unsigned int threads = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 1;
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(here);
	char end;

	if (listener < 0 || bind(listener, (struct sockaddr *)&here, size) != 0 || listen(listener, SOMAXCONN) != 0 ||
	    getsockname(listener, (struct sockaddr *)&here, &size) != 0)
		return EXIT_FAILURE;
	while (threads-- > 0) {
		if (!thread_start(listener))
			return EXIT_FAILURE;
	}
	printf("%u\n", ntohs(here.sin_port));
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	return EXIT_SUCCESS; /* the threads end with the process */
}
