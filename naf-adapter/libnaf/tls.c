/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/libnaf/tls.h"

#include <netinet/in.h>
#include <openssl/async.h>
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "naf-adapter/libnaf/wire.h"

/* ---- synchronous ---- */

static struct gba_naf *pool_take(struct gba_naf_tls *tls)
{
	struct gba_naf *naf = NULL;

	pthread_mutex_lock(&tls->lock);
	if (tls->pool_n > 0)
		naf = tls->pool[--tls->pool_n];
	pthread_mutex_unlock(&tls->lock);
	return naf;
}

static void pool_give(struct gba_naf_tls *tls, struct gba_naf *naf)
{
	pthread_mutex_lock(&tls->lock);
	if (tls->pool_n < TLS_POOL_MAX) {
		tls->pool[tls->pool_n++] = naf;
		naf = NULL;
	}
	pthread_mutex_unlock(&tls->lock);
	gba_naf_close(naf);
}

void tls_pool_close(struct gba_naf_tls *tls)
{
	while (tls->pool_n > 0)
		gba_naf_close(tls->pool[--tls->pool_n]);
}

enum gba_naf_error tls_fetch_sync(struct tls_conn *conn, const struct gba_naf_query *query)
{
	struct gba_naf *naf = pool_take(conn->tls);
	enum gba_naf_error error = GBA_NAF_OK;

	if (naf == NULL)
		error = gba_naf_open(conn->tls->socket_path, &naf);
	if (error != GBA_NAF_OK)
		return error;
	error = gba_naf_get(naf, query, &conn->result);
	pool_give(conn->tls, naf);
	return error;
}

/* ---- asynchronous ---- */

static void on_answer(void *arg, enum gba_naf_error error, struct gba_naf_result *result)
{
	struct tls_conn *conn = arg;

	conn->request = NULL;
	conn->answered = true;
	conn->error = error;
	conn->result = result;
	conn->tls->ready(conn->ssl, conn->tls->arg); /* may free the SSL, and *conn with it */
}

enum gba_naf_error tls_fetch_async(struct tls_conn *conn, const struct gba_naf_query *query)
{
	enum gba_naf_error error;

	/* Without a job there is nothing to leave: the application switched SSL_MODE_ASYNC off before the handshake. */
	if (ASYNC_get_current_job() == NULL)
		return GBA_NAF_E_ARGUMENT;
	conn->answered = false;
	error = gba_naf_ask(conn->tls->naf, query, on_answer, conn, &conn->request);
	if (error != GBA_NAF_OK)
		return error;
	while (!conn->answered) {
		if (ASYNC_pause_job() == 0) {
			tls_fetch_stop(conn);
			return GBA_NAF_E_SYSTEM;
		}
	}
	return conn->error;
}

void tls_fetch_stop(struct tls_conn *conn)
{
	gba_naf_cancel(conn->request);
	conn->request = NULL;
	conn->answered = true;
	conn->error = GBA_NAF_E_TIMEOUT;
}

/* ---- names ---- */

const char *tls_source(const SSL *ssl, char *out, size_t cap)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int fd = SSL_get_fd(ssl);
	const void *at;

	if (fd < 0 || getpeername(fd, (struct sockaddr *)&addr, &len) != 0)
		return NULL;
	if (addr.ss_family == AF_INET)
		at = &((const struct sockaddr_in *)&addr)->sin_addr;
	else if (addr.ss_family == AF_INET6)
		at = &((const struct sockaddr_in6 *)&addr)->sin6_addr;
	else
		return NULL;
	return inet_ntop(addr.ss_family, at, out, (socklen_t)cap);
}

bool tls_name_valid(const char *name)
{
	return wire_fqdn_valid(name, strlen(name));
}
