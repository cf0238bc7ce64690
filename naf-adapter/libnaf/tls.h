/* SPDX-License-Identifier: Apache-2.0 */
/** The two ways a handshake gets a key: waiting, or by leaving its job. Internal to libgba-naf-openssl. */
#ifndef NAF_LIBNAF_TLS_H
#define NAF_LIBNAF_TLS_H

#include <pthread.h>
#include <stdbool.h>

#include "naf-adapter/libnaf/gba-naf-openssl.h"

#define TLS_POOL_MAX	  16 /* idle handles kept in synchronous mode */
#define TLS_QUESTIONS_MAX 8  /* of one handshake: RFC 8446 lets a hello offer as many identities as it has room for */

struct gba_naf_tls {
	char **names; /* lower case, NULL-terminated */
	uint32_t gsids[GBA_NAF_GSID_MAX];
	size_t gsid_count;
	unsigned int timeout_ms, flags;
	char *socket_path; /* NULL: the default */
	struct gba_naf *naf;
	void (*ready)(SSL *ssl, void *arg);
	void *arg;
	struct gba_naf_result *(*lookup)(const struct gba_naf_query *query, void *arg);
	pthread_mutex_t lock; /* of the pool */
	struct gba_naf *pool[TLS_POOL_MAX];
	size_t pool_n;
};

/** What one SSL has offered and got. */
struct tls_conn {
	SSL *ssl;
	struct gba_naf_tls *tls;
	const char *name; /* of tls->names; NULL: a foreign one was asked for */
	char btid[GBA_NAF_BTID_MAX + 1];
	uint8_t ua_id[GBA_NAF_UA_ID_LEN];
	enum gba_naf_key_kind kind;
	enum gba_naf_error error;
	struct gba_naf_result *result;
	char source[GBA_NAF_SOURCE_MAX + 1]; /* "": the socket's peer */
	struct gba_naf_request *request; /* not NULL: the handshake waits */
	unsigned int questions;		 /* asked, of the cache or the agent */
	bool answered;
};

/** Write conn->result. The handle comes from a pool: any number of threads. */
enum gba_naf_error tls_fetch_sync(struct tls_conn *conn, const struct gba_naf_query *query);
/** Write conn->result; leaves the SSL's job until the agent has answered. */
enum gba_naf_error tls_fetch_async(struct tls_conn *conn, const struct gba_naf_query *query);
/** Make a waiting tls_fetch_async() return at its next resumption. */
void tls_fetch_stop(struct tls_conn *conn);
void tls_pool_close(struct gba_naf_tls *tls);
/** Address of the peer as text into out; NULL when the SSL is not on an IP socket. */
const char *tls_source(const SSL *ssl, char *out, size_t cap);
bool tls_name_valid(const char *name);

#endif
