/* SPDX-License-Identifier: Apache-2.0 */
/* An application that serves GBA devices over PSK-TLS: tells the device who it is, then sends back every line.
 * tls-echo SOCKET-OF-THE-AGENT PORT NAME...   (PORT 0: any; the port is printed) */
#include <gba-naf-openssl.h>
#include <arpa/inet.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int listen_on(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
		perror("listen");
		exit(1);
	}
	printf("port %d\n", ntohs(at.sin_port));
	return fd;
}

static void serve(SSL *ssl)
{
	struct gba_naf_result *who;
	char line[1024];
	int n;

	if (SSL_accept(ssl) != 1) { /* the device got an alert; here is why */
		printf("refused: %s: %s\n", gba_naf_tls_btid(ssl) != NULL ? gba_naf_tls_btid(ssl) : "-",
		       gba_naf_error_name(gba_naf_tls_error(ssl)));
		return;
	}
	who = gba_naf_tls_result(ssl);
	if (who == NULL)
		return;
	n = snprintf(line, sizeof(line), "hello %s at %s\n",
		     gba_naf_result_impi(who) != NULL ? gba_naf_result_impi(who) : "stranger", gba_naf_result_fqdn(who));
	printf("accepted: %s: %s\n", gba_naf_result_btid(who), SSL_get_cipher(ssl));
	for (; n > 0 && time(NULL) < gba_naf_result_expiry(who); n = SSL_read(ssl, line, sizeof(line)))
		SSL_write(ssl, line, n);
	SSL_shutdown(ssl);
}

int main(int argc, char **argv)
{
	struct gba_naf_tls_options options = GBA_NAF_TLS_OPTIONS_INIT;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	struct gba_naf_tls *gba = NULL;
	int fd, client;

	if (argc < 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	options.socket_path = argv[1];
	options.fqdns = (const char *const *)argv + 3;
	options.timeout_ms = 10000; /* about as long as a device waits */
	if (gba_naf_tls_new(ctx, &options, &gba) != GBA_NAF_OK) {
		ERR_print_errors_fp(stderr);
		return 1;
	}
	for (fd = listen_on(atoi(argv[2])); (client = accept(fd, NULL, NULL)) >= 0; close(client)) {
		SSL *ssl = SSL_new(ctx);

		SSL_set_fd(ssl, client);
		serve(ssl);
		SSL_free(ssl);
	}
	gba_naf_tls_free(gba);
	SSL_CTX_free(ctx);
	return 0;
}
