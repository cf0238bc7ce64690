/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/redis_link.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/ident.h"
#include "core/secret.h"

#define READ_MAX 65536

struct redis_link {
	int fd;
	unsigned int timeout_ms;
	redisReader *reader;
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t tls; /* NULL: none */
	size_t tls_held;      /* octets GnuTLS has taken but not sent */
	char host[FQDN_MAX + 1];
	char buffer[READ_MAX];
};

void redis_link_close(struct redis_link *link)
{
	if (link == NULL)
		return;
	if (link->tls != NULL)
		gnutls_deinit(link->tls);
	if (link->credentials != NULL)
		gnutls_certificate_free_credentials(link->credentials);
	if (link->fd >= 0)
		close(link->fd);
	if (link->reader != NULL)
		redisReaderFree(link->reader);
	secret_wipe(link->buffer, sizeof(link->buffer));
	free(link);
}

int redis_link_fd(const struct redis_link *link)
{
	return link->fd;
}

static bool fd_wait(int fd, short events, uint64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t now = clock_mono_ms();

	return now < deadline && poll(&p, 1, (int)(deadline - now)) > 0;
}

/* ---- connecting ---- */

static enum gba_err socket_connect(struct redis_link *link, const struct sockaddr *to, socklen_t n, uint64_t deadline)
{
	int on = 1, failure = 0;
	socklen_t size = sizeof(failure);

	link->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
		return gba_err_from_errno(errno);
	if (to->sa_family != AF_UNIX) {
		setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(link->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	if (connect(link->fd, to, n) == 0)
		return GBA_OK;
	if (errno == EINPROGRESS && !fd_wait(link->fd, POLLOUT, deadline))
		failure = ETIMEDOUT;
	else if (errno != EINPROGRESS || getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0)
		failure = errno;
	if (failure == 0)
		return GBA_OK;
	close(link->fd);
	link->fd = -1;
	errno = failure;
	return failure == ETIMEDOUT ? GBA_E_TIMEOUT : GBA_E_UNREACHABLE;
}

static enum gba_err unix_connect(struct redis_link *link, const char *path, uint64_t deadline)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(to.sun_path))
		return GBA_E_CONF;
	strcpy(to.sun_path, path);
	return socket_connect(link, (const struct sockaddr *)&to, sizeof(to), deadline);
}

/* "host:port", "[v6]:port" */
static bool server_split(const char *server, char host[FQDN_MAX + 1], const char **_port)
{
	const char *colon = strrchr(server, ':');
	size_t n = colon != NULL ? (size_t)(colon - server) : 0;

	if (n > 2 && server[0] == '[' && server[n - 1] == ']') {
		server++;
		n -= 2;
	}
	if (n == 0 || n > FQDN_MAX)
		return false;
	memcpy(host, server, n);
	host[n] = '\0';
	*_port = colon + 1;
	return true;
}

static enum gba_err inet_connect(struct redis_link *link, const char *server, uint64_t deadline, char *why)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found = NULL, *at;
	enum gba_err err = GBA_E_UNREACHABLE;
	const char *port = "";
	int rc;

	if (!server_split(server, link->host, &port))
		return GBA_E_CONF;
	rc = getaddrinfo(link->host, port, &hints, &found);
	if (rc != 0) {
		snprintf(why, REDIS_WHY_MAX, "%s: %s", link->host, gai_strerror(rc));
		return GBA_E_UNREACHABLE;
	}
	for (at = found; at != NULL; at = at->ai_next) {
		err = socket_connect(link, at->ai_addr, at->ai_addrlen, deadline);
		if (err == GBA_OK)
			break;
	}
	freeaddrinfo(found);
	return err;
}

/* ---- TLS ---- */

static enum gba_err tls_fail(char *why, const char *what, int rc)
{
	snprintf(why, REDIS_WHY_MAX, "%s: %s", what, gnutls_strerror(rc));
	return GBA_E_CONF;
}

static enum gba_err tls_files(struct redis_link *link, const struct redis_conf *conf, char *why)
{
	int rc;

	rc = gnutls_certificate_allocate_credentials(&link->credentials);
	if (rc != 0)
		return GBA_E_NOMEM;
	rc = conf->ca[0] != '\0' ? gnutls_certificate_set_x509_trust_file(link->credentials, conf->ca, GNUTLS_X509_FMT_PEM)
				 : gnutls_certificate_set_x509_system_trust(link->credentials);
	if (rc <= 0)
		return tls_fail(why, conf->ca[0] != '\0' ? conf->ca : "system's CAs", rc == 0 ? GNUTLS_E_NO_CERTIFICATE_FOUND : rc);
	if (conf->cert[0] == '\0')
		return GBA_OK;
	rc = gnutls_certificate_set_x509_key_file(link->credentials, conf->cert, conf->key, GNUTLS_X509_FMT_PEM);
	return rc < 0 ? tls_fail(why, conf->cert, rc) : GBA_OK;
}

static enum gba_err tls_handshake(struct redis_link *link, uint64_t deadline, char *why)
{
	gnutls_datum_t text = { NULL, 0 };
	int rc;

	for (;;) {
		rc = gnutls_handshake(link->tls);
		if (rc == GNUTLS_E_SUCCESS)
			return GBA_OK;
		if (rc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) {
			gnutls_certificate_verification_status_print(gnutls_session_get_verify_cert_status(link->tls),
								     GNUTLS_CRT_X509, &text, 0);
			snprintf(why, REDIS_WHY_MAX, "%s", text.data != NULL ? (const char *)text.data : gnutls_strerror(rc));
			gnutls_free(text.data);
			return GBA_E_DENIED;
		}
		if (gnutls_error_is_fatal(rc)) {
			snprintf(why, REDIS_WHY_MAX, "TLS: %s", gnutls_strerror(rc));
			return GBA_E_UNREACHABLE;
		}
		if (!fd_wait(link->fd, gnutls_record_get_direction(link->tls) ? POLLOUT : POLLIN, deadline))
			return GBA_E_TIMEOUT;
	}
}

static enum gba_err tls_start(struct redis_link *link, const struct redis_conf *conf, uint64_t deadline, char *why)
{
	enum gba_err err;

	err = tls_files(link, conf, why);
	if (err != GBA_OK)
		return err;
	if (gnutls_init(&link->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0 ||
	    gnutls_set_default_priority(link->tls) != 0 ||
	    gnutls_credentials_set(link->tls, GNUTLS_CRD_CERTIFICATE, link->credentials) != 0)
		return GBA_E_NOMEM;
	gnutls_transport_set_int(link->tls, link->fd);
	if (strspn(link->host, "0123456789.") != strlen(link->host) && strchr(link->host, ':') == NULL)
		gnutls_server_name_set(link->tls, GNUTLS_NAME_DNS, link->host, strlen(link->host));
	gnutls_session_set_verify_cert(link->tls, link->host[0] != '\0' ? link->host : NULL, 0);
	return tls_handshake(link, deadline, why);
}

enum gba_err redis_link_open(const struct redis_conf *conf, struct redis_link **_link, char *why)
{
	uint64_t deadline = clock_mono_ms() + conf->timeout_ms;
	struct redis_link *link = calloc(1, sizeof(*link));
	enum gba_err err;

	if (link == NULL)
		return GBA_E_NOMEM;
	link->fd = -1;
	link->timeout_ms = conf->timeout_ms;
	link->reader = redisReaderCreate();
	why[0] = '\0';
	if (link->reader == NULL)
		err = GBA_E_NOMEM;
	else if (conf->server[0] == '/')
		err = unix_connect(link, conf->server, deadline);
	else
		err = inet_connect(link, conf->server, deadline, why);
	if (err != GBA_OK && why[0] == '\0')
		snprintf(why, REDIS_WHY_MAX, "%s", err == GBA_E_UNREACHABLE ? strerror(errno) : gba_strerror(err));
	if (err == GBA_OK && conf->tls)
		err = tls_start(link, conf, deadline, why);
	if (err != GBA_OK) {
		if (why[0] == '\0')
			snprintf(why, REDIS_WHY_MAX, "%s", gba_strerror(err));
		redis_link_close(link);
		return err;
	}
	*_link = link;
	return GBA_OK;
}

/* ---- octets ---- */

static ssize_t tls_send(struct redis_link *link, const char *p, size_t n)
{
	ssize_t sent;

	if (link->tls_held > 0) { /* GnuTLS wants nothing new before the rest is out */
		sent = gnutls_record_send(link->tls, NULL, 0);
	} else {
		link->tls_held = n;
		sent = gnutls_record_send(link->tls, p, n);
	}
	if (sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED)
		return 0;
	link->tls_held = 0;
	return sent < 0 ? -1 : sent;
}

ssize_t redis_link_send(struct redis_link *link, const char *p, size_t n)
{
	ssize_t sent;

	if (link->tls != NULL)
		return tls_send(link, p, n);
	sent = send(link->fd, p, n, MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	return sent;
}

bool redis_link_recv(struct redis_link *link)
{
	ssize_t got;

	for (;;) {
		if (link->tls != NULL) {
			got = gnutls_record_recv(link->tls, link->buffer, sizeof(link->buffer));
			if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED)
				return true;
			if (got < 0 && !gnutls_error_is_fatal((int)got))
				continue;
		} else {
			got = recv(link->fd, link->buffer, sizeof(link->buffer), 0);
			if (got < 0 && (errno == EAGAIN || errno == EINTR))
				return true;
		}
		if (got <= 0 || redisReaderFeed(link->reader, link->buffer, (size_t)got) != REDIS_OK)
			return false;
		if (link->tls == NULL && (size_t)got < sizeof(link->buffer))
			return true;
	}
}

bool redis_link_reply(struct redis_link *link, redisReply **_reply)
{
	void *reply = NULL;

	if (redisReaderGetReply(link->reader, &reply) != REDIS_OK)
		return false;
	*_reply = reply;
	return true;
}

/* None of them may look like an answer about a context: what cannot be stored or read is the store's failure. */
enum gba_err redis_reply_err(const redisReply *reply)
{
	static const struct {
		const char *word;
		enum gba_err err;
	} rows[] = {
		{ "OOM", GBA_E_NOSPACE },   { "LOADING", GBA_E_BUSY },	   { "BUSY", GBA_E_BUSY },
		{ "TRYAGAIN", GBA_E_BUSY }, { "NOREPLICAS", GBA_E_BUSY },
	};
	size_t i;

	if (reply->type != REDIS_REPLY_ERROR)
		return GBA_OK;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strncmp(reply->str, rows[i].word, strlen(rows[i].word)) == 0)
			return rows[i].err;
	}
	return GBA_E_IO; /* READONLY, MISCONF, NOAUTH, NOPERM, ... */
}

static enum gba_err send_all(struct redis_link *link, const char *p, size_t n, uint64_t deadline)
{
	ssize_t sent;

	while (n > 0) {
		sent = redis_link_send(link, p, n);
		if (sent < 0)
			return GBA_E_UNREACHABLE;
		p += sent;
		n -= (size_t)sent;
		if (sent == 0 && !fd_wait(link->fd, POLLOUT, deadline))
			return GBA_E_TIMEOUT;
	}
	return GBA_OK;
}

redisReply *redis_link_ask(struct redis_link *link, const struct bytes *words, size_t count, enum gba_err *_err)
{
	uint64_t deadline = clock_mono_ms() + link->timeout_ms;
	struct redis_call call = { .err = GBA_OK };
	redisReply *reply = NULL;

	redis_add(&call, words, count);
	*_err = call.err == GBA_OK ? send_all(link, call.out, call.n, deadline) : call.err;
	redis_call_end(&call);
	while (*_err == GBA_OK && reply == NULL) {
		if (!redis_link_reply(link, &reply))
			*_err = GBA_E_PEER;
		else if (reply == NULL && !redis_link_recv(link))
			*_err = GBA_E_UNREACHABLE;
		else if (reply == NULL && redis_link_reply(link, &reply) && reply == NULL && !fd_wait(link->fd, POLLIN, deadline))
			*_err = GBA_E_TIMEOUT;
	}
	return reply;
}
