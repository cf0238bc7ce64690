/* SPDX-License-Identifier: Apache-2.0 */
/* A bare OpenSSL server with one fixed key (32 octets of 5a): TLS 1.2 PSK-AES128-GCM-SHA256 and TLS 1.3 psk_dhe_ke, epoll; it
 * reads until the client says goodbye.
 *   psk_floor [processes]      prints its port, serves until standard input ends */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256

struct conn {
	int fd;
	SSL *ssl;
};

static SSL_CTX *ctx;
static int ep;
static unsigned char key[32];

static unsigned int give_key(SSL *ssl, const char *identity, unsigned char *psk, unsigned int room)
{
	(void)ssl, (void)identity;
	if (room < sizeof(key))
		return 0;
	memcpy(psk, key, sizeof(key));
	return sizeof(key);
}

static int give_session(SSL *ssl, const unsigned char *identity, size_t len, SSL_SESSION **_session)
{
	static const unsigned char suite[] = { 0x13, 0x01 }; /* TLS_AES_128_GCM_SHA256 */
	SSL_SESSION *session = SSL_SESSION_new();

	(void)identity, (void)len;
	if (session == NULL || SSL_SESSION_set1_master_key(session, key, sizeof(key)) != 1 ||
	    SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, suite)) != 1 ||
	    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1)
		return 0;
	*_session = session;
	return 1;
}

static void conn_end(struct conn *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	free(c);
}

static void conn_step(struct conn *c)
{
	char in[256];
	int rc = SSL_is_init_finished(c->ssl) ? SSL_read(c->ssl, in, sizeof(in)) : SSL_accept(c->ssl), error;

	if (rc > 0)
		rc = SSL_read(c->ssl, in, sizeof(in));
	error = SSL_get_error(c->ssl, rc);
	if (rc > 0 || error == SSL_ERROR_WANT_READ)
		return;
	if (error == SSL_ERROR_ZERO_RETURN)
		SSL_shutdown(c->ssl);
	conn_end(c);
}

static void accept_all(int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

		if (c == NULL)
			exit(EXIT_FAILURE);
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->ssl = SSL_new(ctx);
		SSL_set_fd(c->ssl, fd);
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
	}
}

static int listen_somewhere(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(here);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, len) != 0 || listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)&here, &len) != 0)
		exit(EXIT_FAILURE);
	printf("%u\n", (unsigned int)ntohs(here.sin_port));
	fflush(stdout);
	return fd;
}

static SSL_CTX *context(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	if (c == NULL || SSL_CTX_set_cipher_list(c, "PSK-AES128-GCM-SHA256") != 1)
		exit(EXIT_FAILURE);
	SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(c, 0);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_psk_server_callback(c, give_key);
	SSL_CTX_set_psk_find_session_callback(c, give_session);
	return c;
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS], event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	unsigned int processes = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 1;
	static struct conn listener, input;

	memset(key, 0x5a, sizeof(key));
	ctx = context();
	listener.fd = listen_somewhere();
	while (processes > 1 && fork() > 0)
		processes--;
	ep = epoll_create1(EPOLL_CLOEXEC);
	event.data.ptr = &listener;
	epoll_ctl(ep, EPOLL_CTL_ADD, listener.fd, &event);
	event.events = EPOLLIN;
	event.data.ptr = &input;
	epoll_ctl(ep, EPOLL_CTL_ADD, STDIN_FILENO, &event);
	for (;;) {
		int n = epoll_wait(ep, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (c == &input)
				return EXIT_SUCCESS;
			if (c == &listener)
				accept_all(listener.fd);
			else
				conn_step(c);
		}
	}
}
