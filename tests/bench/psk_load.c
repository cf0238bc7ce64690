/* SPDX-License-Identifier: Apache-2.0 */
/* psk_load 1.2|1.3 HOST:PORT [connections=N] [seconds=S] [count=N] [sni=FQDN tokens=FILE | certificate=1] [path=PATH | hold=1]:
 * handshakes, one after the other on each of N connections, one thread. Without tokens: the floor's fixed key. With: each line
 * of FILE is "B-TID IMPI Ks", and the key is Ks_NAF for FQDN and the suite (TS 33.220 Annex B, H). certificate: no PSK, and no
 * check of what the server shows. path: the sessions stay, and GET requests on them are what is counted. hold: when all
 * connections have shaken hands, a line says how many, and they stay until standard input ends. One line of JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/codec.h"
#include "core/secret.h"
#include "crypto/gba_keys.h"
#include "stats.h"

#define WARM_UP	       1000000 /* [us] */
#define EVENTS	       256
#define SUITE_PSK_GCM  0x00a8 /* PSK-AES128-GCM-SHA256 */
#define IDENTITY_ROOM  256
#define CONNECTIONS_MAX 16384
#define ANSWER_ROOM    4096
#define SHAKING_MAX    64 /* with hold */

struct token {
	char identity[IDENTITY_ROOM];
	uint8_t key[GBA_KS_NAF_LEN];
};

struct conn {
	int fd;
	SSL *ssl;
	const struct token *token;
	uint64_t began; /* [us] the handshake, or the request */
	bool shaken;
	size_t have; /* [octets] of the answer */
	char answer[ANSWER_ROOM + 1];
};

static struct {
	bool tls13;
	struct sockaddr_in to;
	unsigned int connections, seconds;
	uint64_t count, begun, ended, stop_at;
	const char *sni, *tokens_path, *path;
	bool certificate, hold;
	unsigned int held;
	char request[512];
	struct token *tokens;
	size_t n_tokens;
	SSL_CTX *ctx;
	int ep;
	bool measuring;
	struct stats stats;
} l = { .connections = 32, .seconds = 5 };

static void die(const char *what)
{
	fprintf(stderr, "psk_load: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static unsigned int give_key(SSL *ssl, const char *hint, char *identity, unsigned int identity_room, unsigned char *psk,
			     unsigned int psk_room)
{
	const struct token *t = ((const struct conn *)SSL_get_app_data(ssl))->token;

	(void)hint;
	if (psk_room < sizeof(t->key) || (size_t)snprintf(identity, identity_room, "%s", t->identity) >= identity_room)
		return 0;
	memcpy(psk, t->key, sizeof(t->key));
	return sizeof(t->key);
}

static int give_session(SSL *ssl, const EVP_MD *md, const unsigned char **_id, size_t *_len, SSL_SESSION **_session)
{
	static const unsigned char suite[] = { 0x13, 0x01 }; /* TLS_AES_128_GCM_SHA256 */
	const struct token *t = ((const struct conn *)SSL_get_app_data(ssl))->token;
	SSL_SESSION *session = SSL_SESSION_new();

	(void)md;
	if (session == NULL || SSL_SESSION_set1_master_key(session, t->key, sizeof(t->key)) != 1 ||
	    SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, suite)) != 1 ||
	    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1)
		return 0;
	*_id = (const unsigned char *)t->identity;
	*_len = strlen(t->identity);
	*_session = session;
	return 1;
}

static bool may_begin(uint64_t now)
{
	return now < l.stop_at && (l.count == 0 || l.begun < l.count);
}

static void conn_begin(struct conn *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	struct linger reset = { .l_onoff = 1 };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c->began = stats_now();
	c->shaken = false;
	c->token = &l.tokens[l.begun++ % l.n_tokens];
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&l.to, sizeof(l.to)) != 0)
		die("connect");
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)); /* no TIME-WAIT: ports would run out */
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->ssl = SSL_new(l.ctx);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
		die("SSL");
	SSL_set_app_data(c->ssl, c);
	if (l.sni != NULL)
		SSL_set_tlsext_host_name(c->ssl, l.sni);
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(l.ep, EPOLL_CTL_ADD, c->fd, &event) != 0)
		die("epoll");
}

static void conn_end(struct conn *c, bool good)
{
	uint64_t now = stats_now();

	if (l.measuring && good)
		stats_good(&l.stats, now - c->began);
	else if (l.measuring)
		l.stats.bad++;
	l.stats.end = now;
	SSL_free(c->ssl);
	close(c->fd);
	c->ssl = NULL;
	l.ended++;
}

static bool shake(struct conn *c)
{
	int rc = SSL_connect(c->ssl);

	c->shaken = rc == 1;
	if (rc != 1 && SSL_get_error(c->ssl, rc) != SSL_ERROR_WANT_READ)
		conn_end(c, false);
	return c->shaken;
}

static void request_send(struct conn *c)
{
	c->began = stats_now();
	c->have = 0;
	if (SSL_write(c->ssl, l.request, (int)strlen(l.request)) <= 0)
		conn_end(c, false);
}

/* A whole answer with status 200 and Content-Length is there. */
static bool answered(struct conn *c)
{
	static const char length[] = "\r\nContent-Length:";
	char *end, *at;

	c->answer[c->have] = '\0';
	end = strstr(c->answer, "\r\n\r\n");
	at = end != NULL ? strcasestr(c->answer, length) : NULL;
	return at != NULL && strncmp(c->answer, "HTTP/1.1 200 ", 13) == 0 &&
	       c->have >= (size_t)(end + 4 - c->answer) + strtoul(at + sizeof(length) - 1, NULL, 10);
}

static void conn_ask(struct conn *c)
{
	uint64_t now;
	int rc = 0;

	while (c->ssl != NULL && (rc = SSL_read(c->ssl, c->answer + c->have, (int)(ANSWER_ROOM - c->have))) > 0) {
		c->have += (size_t)rc;
		if (!answered(c))
			continue;
		now = stats_now();
		if (l.measuring)
			stats_good(&l.stats, now - c->began);
		l.stats.end = now;
		if (now >= l.stop_at)
			return conn_end(c, true);
		request_send(c);
	}
	if (c->ssl != NULL && SSL_get_error(c->ssl, rc) != SSL_ERROR_WANT_READ)
		conn_end(c, false);
}

/* The handshake, then goodbye, and done when the server has closed too: so it has verified our Finished. */
static void conn_step(struct conn *c)
{
	char in[256];
	int rc;

	if (!c->shaken) {
		if (!shake(c))
			return;
		l.held++;
		if (l.path != NULL)
			request_send(c);
		else if (!l.hold)
			SSL_shutdown(c->ssl);
	}
	if (l.path != NULL)
		return conn_ask(c);
	do {
		rc = SSL_read(c->ssl, in, sizeof(in));
	} while (rc > 0);
	rc = SSL_get_error(c->ssl, rc);
	if (rc != SSL_ERROR_WANT_READ)
		conn_end(c, rc == SSL_ERROR_ZERO_RETURN);
}

static void conn_go(struct conn *c)
{
	conn_step(c);
	while (c->ssl == NULL && may_begin(stats_now())) {
		conn_begin(c);
		conn_step(c);
	}
}

/* All of them; sessions that are to be held come some at a time, as devices do. */
static void begin_some(struct conn *conns)
{
	while (l.begun < l.connections && may_begin(stats_now()) && (!l.hold || l.begun - l.held < SHAKING_MAX)) {
		struct conn *c = &conns[l.begun];

		conn_begin(c);
		conn_step(c);
	}
}

static void run(struct conn *conns)
{
	uint64_t start = stats_now(), now = start, measure_at = l.count > 0 ? start : start + WARM_UP;
	struct epoll_event events[EVENTS];

	l.stop_at = l.count > 0 ? UINT64_MAX / 2 : measure_at + l.seconds * UINT64_C(1000000);
	if (l.count > 0)
		stats_start(&l.stats), l.measuring = true;
	begin_some(conns);
	for (; l.ended < l.begun && now < l.stop_at + 5000000 && !(l.hold && l.held == l.connections); now = stats_now()) {
		int n = epoll_wait(l.ep, events, EVENTS, 10);

		if (!l.measuring && now >= measure_at)
			stats_start(&l.stats), l.measuring = true;
		for (int i = 0; i < n; i++)
			conn_go(events[i].data.ptr);
		if (l.hold)
			begin_some(conns);
	}
}

/* "B-TID IMPI Ks" to identity and Ks_NAF. */
static void token_of_line(char *line, struct token *t)
{
	char btid[BTID_MAX + 1], impi[IMPI_MAX + 1], hex[80];
	uint8_t ks[GBA_KS_LEN], rand[RAND_LEN], naf_id[NAF_ID_MAX], ua_id[UA_ID_LEN];
	size_t n;

	if (sscanf(line, "%278s %254s %79s", btid, impi, hex) != 3 || btid_parse(bytes_of(btid), rand, NULL) != GBA_OK ||
	    hex_decode(bytes_of(hex), ks, sizeof(ks)) != GBA_OK)
		die("tokens");
	ua_id_tls12(SUITE_PSK_GCM, ua_id);
	n = naf_id_build(bytes_of(l.sni), l.tls13 ? UA_ID_TLS13_PSK : ua_id, naf_id);
	gba_ks_naf(GBA_KEY_ME, ks, rand, bytes_of(impi), BYTES(naf_id, n), t->key);
	snprintf(t->identity, sizeof(t->identity), "3GPP-bootstrapping;%.230s", btid);
}

static void tokens_read(void)
{
	FILE *in = fopen(l.tokens_path, "r");
	char line[1024];

	if (in == NULL || l.sni == NULL)
		die("tokens, or no sni");
	while (fgets(line, sizeof(line), in) != NULL) {
		l.tokens = realloc(l.tokens, (l.n_tokens + 1) * sizeof(*l.tokens));
		if (l.tokens == NULL)
			die("tokens");
		token_of_line(line, &l.tokens[l.n_tokens++]);
	}
	fclose(in);
}

static void tokens_fixed(void)
{
	l.tokens = calloc(1, sizeof(*l.tokens));
	if (l.tokens == NULL)
		die("tokens");
	l.n_tokens = 1;
	strcpy(l.tokens->identity, "3GPP-bootstrapping;I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org");
	memset(l.tokens->key, 0x5a, sizeof(l.tokens->key));
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
	else if (strcmp(word, "count") == 0)
		l.count = strtoull(value, NULL, 10);
	else if (strcmp(word, "sni") == 0)
		l.sni = value;
	else if (strcmp(word, "tokens") == 0)
		l.tokens_path = value;
	else if (strcmp(word, "path") == 0)
		l.path = value;
	else if (strcmp(word, "certificate") == 0)
		l.certificate = value[0] == '1';
	else if (strcmp(word, "hold") == 0)
		l.hold = value[0] == '1';
	else
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

static SSL_CTX *context(void)
{
	int version = l.tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());

	if (c == NULL || SSL_CTX_set_min_proto_version(c, version) != 1 || SSL_CTX_set_max_proto_version(c, version) != 1 ||
	    SSL_CTX_set_cipher_list(c, l.certificate ? "ECDHE+AESGCM" : "PSK-AES128-GCM-SHA256") != 1 ||
	    SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256") != 1)
		die("context");
	/* A server that does not say goodbye has still finished; one that refuses sends an alert. */
	SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* a server that answers with a certificate is not what is measured */
	SSL_CTX_set_verify(c, l.certificate ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	if (l.certificate)
		return c;
	if (l.tls13)
		SSL_CTX_set_psk_use_session_callback(c, give_session);
	else
		SSL_CTX_set_psk_client_callback(c, give_key);
	return c;
}

int main(int argc, char **argv)
{
	struct conn *conns;
	char end;

	if (argc < 3) {
		fprintf(stderr, "usage: psk_load 1.2|1.3 HOST:PORT [name=value ...]\n");
		return 2;
	}
	secret_init();
	l.tls13 = strcmp(argv[1], "1.3") == 0;
	address(argv[2]);
	for (int i = 3; i < argc; i++)
		set(argv[i]);
	if (l.connections < 1 || l.connections > CONNECTIONS_MAX)
		die("arguments");
	if (l.tokens_path != NULL)
		tokens_read();
	else
		tokens_fixed();
	l.ctx = context();
	l.ep = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc(l.connections, sizeof(*conns));
	if (l.ep < 0 || conns == NULL)
		die("start");
	if (l.path != NULL && snprintf(l.request, sizeof(l.request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", l.path,
				       l.sni != NULL ? l.sni : "localhost") >= (int)sizeof(l.request))
		die("path");
	run(conns);
	if (l.hold) {
		printf("%u\n", l.held);
		fflush(stdout);
		while (read(STDIN_FILENO, &end, 1) > 0)
			;
		return l.held == l.connections ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	stats_print(&l.stats, stdout, "");
	return l.stats.good > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
