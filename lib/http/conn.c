/* SPDX-License-Identifier: Apache-2.0 */
/* Connections from accept to close, and two answers that libmicrohttpd 0.9.75 does not get right by itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "core/clock.h"
#include "core/files.h"
#include "crypto/hash.h"
#include "http/server_priv.h"

#define DRAIN_MAX 65536 /* [octets] read and thrown away at most, so that a close does not destroy the answer before it */

struct http_conn *http_conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

/* timeout 0: none, while a handler works on it */
void http_conn_deadline(struct http_conn *conn, unsigned int timeout_ms)
{
	atomic_store_explicit(&conn->deadline_ms, timeout_ms > 0 ? clock_mono_ms_coarse() + timeout_ms : NO_DEADLINE,
			      memory_order_relaxed);
}

static gnutls_session_t session_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info != NULL ? info->tls_session : NULL;
}

/* libmicrohttpd only asks for a certificate; we insist on one, and on its chain, unless it is optional. */
static void require_certificate(const struct http_server *server, struct MHD_Connection *mhd)
{
	gnutls_session_t session = session_of(mhd);

	gnutls_certificate_server_set_request(session, server->client_optional ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_REQUIRE);
	if (!server->client_optional)
		gnutls_session_set_verify_cert(session, NULL, 0);
}

static bool peer_verified(gnutls_session_t session)
{
	gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID, (uint8_t *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT, 0 };
	unsigned int status = GNUTLS_CERT_INVALID;

	return gnutls_certificate_verify_peers(session, &purpose, 1, &status) == GNUTLS_E_SUCCESS && status == 0;
}

static void peer_subject(const gnutls_datum_t *der, struct http_peer_cert *_cert)
{
	size_t n = sizeof(_cert->subject);
	gnutls_x509_crt_t crt;

	if (gnutls_x509_crt_init(&crt) != GNUTLS_E_SUCCESS)
		return;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) != GNUTLS_E_SUCCESS ||
	    gnutls_x509_crt_get_dn(crt, _cert->subject, &n) != GNUTLS_E_SUCCESS)
		_cert->subject[0] = '\0';
	gnutls_x509_crt_deinit(crt);
}

void http_req_peer_cert(const struct http_req *req, struct http_peer_cert *_cert)
{
	gnutls_session_t session = req->server->client_ca ? session_of(req->conn->mhd) : NULL;
	const gnutls_datum_t *chain;
	unsigned int count = 0;
	struct bytes der;

	memset(_cert, 0, sizeof(*_cert));
	chain = session != NULL ? gnutls_certificate_get_peers(session, &count) : NULL;
	if (chain == NULL || count == 0)
		return;
	der = BYTES(chain[0].data, chain[0].size);
	_cert->shown = true;
	hash_pieces(HASH_SHA256, &der, 1, _cert->fingerprint);
	_cert->verified = peer_verified(session);
	if (_cert->verified)
		peer_subject(&chain[0], _cert);
}

size_t http_req_peer_chain(const struct http_req *req, struct bytes *chain, size_t max)
{
	gnutls_session_t session = req->server->client_ca ? session_of(req->conn->mhd) : NULL;
	const gnutls_datum_t *shown;
	unsigned int count = 0, i;

	shown = session != NULL ? gnutls_certificate_get_peers(session, &count) : NULL;
	for (i = 0; shown != NULL && i < count && i < max; i++)
		chain[i] = BYTES(shown[i].data, shown[i].size);
	return i;
}

enum gba_err http_req_export(const struct http_req *req, const char *label, uint8_t *out, size_t n)
{
	gnutls_session_t session = req->server->tls ? session_of(req->conn->mhd) : NULL;

	if (session == NULL || gnutls_session_ext_master_secret_status(session) == 0)
		return GBA_E_UNSUPPORTED;
	if (req->conn->exported)
		return GBA_E_STATE;
	req->conn->exported = true;
	return gnutls_prf_rfc5705(session, strlen(label), label, 0, NULL, n, (char *)out) == 0 ? GBA_OK : GBA_E_INTERNAL;
}

/* "192.0.2.1:4711", "[2001:db8::1]:4711"; port and address stand where they do in IPv4 and IPv6. */
void http_source_text(const struct sockaddr *peer, char *out)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;
	const struct sockaddr_in *in = (const struct sockaddr_in *)peer;
	char host[INET6_ADDRSTRLEN] = "";

	if (peer->sa_family != AF_INET && peer->sa_family != AF_INET6) {
		snprintf(out, HTTP_SOURCE_MAX, "unix");
		return;
	}
	if (peer->sa_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
	else if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof(host));
	else
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	snprintf(out, HTTP_SOURCE_MAX, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, ntohs(in->sin_port));
}

static void on_started(struct http_loop *loop, struct MHD_Connection *mhd, void **_conn)
{
	const union MHD_ConnectionInfo *peer = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_conn *conn = calloc(1, sizeof(*conn));
	struct http_server *server = loop->server;

	*_conn = conn;
	if (server->client_ca)
		require_certificate(server, mhd);
	if (conn == NULL) {
		shutdown(info->connect_fd, SHUT_RDWR); /* without it nothing would bound its time */
		return;
	}
	conn->mhd = mhd;
	conn->server = server;
	conn->loop = loop;
	conn->local = peer->client_addr->sa_family != AF_INET && peer->client_addr->sa_family != AF_INET6;
	http_source_text(peer->client_addr, conn->name);
	conn->thread = pthread_self();
	conn->fd = info->connect_fd;
	http_conn_deadline(conn, server->head_timeout_ms);
	pthread_mutex_lock(&server->lock);
	LIST_INSERT_HEAD(&server->conns, conn, list);
	if (!conn->local)
		conn->source = http_source_enter(server, peer->client_addr);
	if ((!conn->local && conn->source == NULL) || conn->fd >= files_share()) { /* one too many: of its address, or of all */
		atomic_store(&conn->shut, true);
		shutdown(conn->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&server->lock);
	metric_add(server->m_conns, 1);
}

/* Answers libmicrohttpd has begun by itself in this thread to a request line it could not use (a version, a length): it does
 * not tell us on which connection, so the next one to end without a request of ours is taken for it. */
static _Thread_local unsigned int library_answers, library_status; /* how many; what the last of them is */

static void library_answered(struct http_conn *conn)
{
	library_answers--;
	conn->early = true;
	http_refusal_tell(conn->server, conn->mhd, library_status == 431 ? REFUSE_HEAD_SIZE : REFUSE_SYNTAX, library_status);
}

#define ANSWER(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
static const char answer_400[] = ANSWER("400 Bad Request");
static const char answer_431[] = ANSWER("431 Request Header Fields Too Large");

static void drain(int fd)
{
	char scratch[4096];
	size_t total = 0;
	ssize_t n;

	do {
		n = recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT);
		total += n > 0 ? (size_t)n : 0;
	} while (n > 0 && total < DRAIN_MAX);
}

/* What still comes is read, lest its loss destroys the answer. */
static void read_on(struct http_conn *conn)
{
	shutdown(conn->fd, SHUT_WR);
	if (!conn->early || !http_linger(conn->loop, conn->fd))
		drain(conn->fd);
}

/* The socket is about to be closed. A request line that libmicrohttpd cannot read makes it close without a word: nobody but
 * we can have ended a connection that neither we nor its peer wanted to end (RFC 9112 3: answer 400). */
static void last_words(struct http_conn *conn)
{
	bool gone;
	char octet;
	ssize_t n;

	if (conn->server->tls && !conn->closing && library_answers > 0)
		library_answered(conn);
	if (atomic_load(&conn->shut) || atomic_load(&conn->server->stopping))
		return;
	if (conn->server->tls) {
		read_on(conn);
		return;
	}
	n = recv(conn->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
	gone = n == 0 || (n < 0 && errno != EAGAIN);
	if (!conn->closing && library_answers > 0) {
		library_answered(conn);
	} else if (!conn->closing && !gone) {
		metric_add(conn->server->m_refused[REFUSE_SYNTAX], 1);
		http_refusal_tell(conn->server, conn->mhd, REFUSE_SYNTAX, 0);
		send(conn->fd, answer_400, sizeof(answer_400) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		conn->early = true;
	}
	if (!gone)
		read_on(conn);
}

static void on_closed(struct http_conn *conn)
{
	struct http_server *server = conn->server;

	last_words(conn);
	pthread_mutex_lock(&server->lock);
	LIST_REMOVE(conn, list);
	http_source_leave(server, conn->source);
	pthread_mutex_unlock(&server->lock);
	metric_add(server->m_conns, -1);
	http_loop_again(conn->loop);
	free(conn);
}

/* The request line was good, a header line was not: answered by libmicrohttpd, and this is the connection. */
void http_conn_failed(struct http_conn *conn)
{
	if (conn->head_pending && library_answers > 0)
		library_answered(conn);
	conn->closing = true;
}

void http_on_connection(void *loop, struct MHD_Connection *mhd, void **_conn, enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		on_started(loop, mhd, _conn);
	else if (*_conn != NULL)
		on_closed(*_conn);
}

/* In this thread, head complete, not yet shown to us: then libmicrohttpd is refusing it right now. */
static struct http_conn *refused_by_library(struct http_server *server)
{
	struct http_conn *conn, *found = NULL;

	pthread_mutex_lock(&server->lock);
	LIST_FOREACH(conn, &server->conns, list) {
		if (pthread_equal(conn->thread, pthread_self()) && conn->head_pending &&
		    MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE) != NULL)
			found = conn;
	}
	pthread_mutex_unlock(&server->lock);
	return found;
}

/* An unreadable length, or else more cookies than there is room for. */
static const char *answer_for(struct MHD_Connection *mhd)
{
	return MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Content-Length") != NULL ? answer_400 : answer_431;
}

/* libmicrohttpd sends the head of its answer twice when it refuses a complete head. It logs before it answers: we answer
 * first and shut the socket, so that its two get nowhere. What it logs is of no interest otherwise. */
void http_on_log(void *arg, const char *fmt, va_list args)
{
	struct http_server *server = arg;
	struct http_conn *conn = refused_by_library(server);
	gnutls_session_t session;
	const char *answer, *status = strchr(fmt, '%');

	if (conn == NULL && status != NULL && strncmp(status, "%u ('%s')", 9) == 0) {
		library_answers++; /* its one message with a status; MHD_DLOG in transmit_error_response_len() */
		library_status = va_arg(args, unsigned int);
		metric_add(server->m_refused[REFUSE_SYNTAX], 1);
	}
	if (conn == NULL || atomic_load(&conn->shut))
		return;
	metric_add(server->m_refused[REFUSE_FRAMING], 1);
	answer = answer_for(conn->mhd);
	http_refusal_tell(server, conn->mhd, answer == answer_431 ? REFUSE_HEAD_SIZE : REFUSE_FRAMING, 0);
	session = session_of(conn->mhd);
	if (session != NULL)
		gnutls_record_send(session, answer, strlen(answer));
	else
		send(conn->fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
	atomic_store(&conn->shut, true);
	shutdown(conn->fd, SHUT_WR);
	drain(conn->fd);
	shutdown(conn->fd, SHUT_RDWR);
}
