/* SPDX-License-Identifier: Apache-2.0 */
/** libgba-naf-openssl: PSK-TLS with GBA keys (TS 33.222 5.4, TS 24.109 5.3) on an SSL_CTX of OpenSSL 3.
 *
 * gba_naf_tls_new() sets callbacks on a server's SSL_CTX; from then on its handshakes take their keys from the agent:
 * TLS 1.2 with the key for the suite really negotiated (01 00 01 yy zz), TLS 1.3 with 01 00 00 00 07 and psk_dhe_ke. The
 * server's name is the SNI, which must be one of those configured.
 *
 * Two modes:
 * - synchronous (options.naf == NULL): SSL_accept() waits for the agent. Any number of threads may use the SSL_CTX.
 * - asynchronous (options.naf != NULL): SSL_accept() returns SSL_ERROR_WANT_ASYNC while the agent is asked; the thread goes
 *   on with other connections. The loop watches gba_naf_fd(naf) and calls gba_naf_process(naf), from which options.ready is
 *   called for each SSL that can go on: call SSL_accept() for it again, then or later. The SSL_CTX and its SSLs belong to
 *   the thread of the handle: one SSL_CTX per event loop. Before SSL_free() of an SSL that waits: gba_naf_tls_abort().
 *   SSL_MODE_ASYNC costs two stack switches per call; SSL_clear_mode(ssl, SSL_MODE_ASYNC) once the handshake is over.
 */
#ifndef GBA_NAF_OPENSSL_H
#define GBA_NAF_OPENSSL_H

#include <openssl/ssl.h>

#include "gba-naf.h"

#ifdef __cplusplus
extern "C" {
#endif

struct gba_naf_tls;

enum gba_naf_tls_flag {
	GBA_NAF_TLS_CERTIFICATE = 1, /* the SSL_CTX also has certificates: keep suites for them too (TS 33.222 5.3) */
	GBA_NAF_TLS_REQUIRE_SNI = 2, /* without SNI: no key. Not set: the first name is meant */
	GBA_NAF_TLS_UICC = 4,	     /* take Ks_int_NAF where a device names it, and offer it in the hint */
};

/** Start from GBA_NAF_TLS_OPTIONS_INIT; new members are only ever added at the end. All is copied. */
struct gba_naf_tls_options {
	size_t size;	      /* sizeof(struct gba_naf_tls_options) as the application was compiled */
	const char *const *fqdns; /* names this server may be addressed by, NULL-terminated array, at least one */
	const uint32_t *gsids;	  /* user security settings to ask for with each key; may be NULL */
	size_t gsid_count;
	unsigned int timeout_ms; /* wait for the agent; 0: GBA_NAF_TIMEOUT_DEFAULT */
	unsigned int flags;	 /* enum gba_naf_tls_flag */
	const char *socket_path; /* synchronous mode: as for gba_naf_open() */
	struct gba_naf *naf;	 /* asynchronous mode: handle of the loop's thread; outlives the gba_naf_tls */
	void (*ready)(SSL *ssl, void *arg); /* asynchronous mode: required */
	void *arg;
	/** Results the application remembers: a reference that becomes ours, or NULL to have the agent asked. Called inside
	 * the handshake, on a small stack when asynchronous. May be NULL. */
	struct gba_naf_result *(*lookup)(const struct gba_naf_query *query, void *arg);
};
#define GBA_NAF_TLS_OPTIONS_INIT { sizeof(struct gba_naf_tls_options), NULL, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL }

/** Prepare ctx: TLS 1.2 as minimum, PSK suites (ECDHE-PSK and DHE-PSK before PSK), TLS 1.3 suites with SHA-256
 * (and, for certificates only, AES_256_GCM_SHA384), the
 * server's preference, identity hint, no tickets, no resumption, no early data, no renegotiation. Certificates, options and
 * suites of the application's own are set after this call.
 * @param _tls  written on GBA_NAF_OK; free it after the last SSL of ctx
 * @retval GBA_NAF_E_ARGUMENT  no name, an invalid name, naf without ready
 * @retval GBA_NAF_E_NOMEM @retval GBA_NAF_E_SYSTEM  OpenSSL refused: ERR_get_error() tells */
GBA_NAF_API enum gba_naf_error gba_naf_tls_new(SSL_CTX *ctx, const struct gba_naf_tls_options *options,
					       struct gba_naf_tls **_tls);
GBA_NAF_API void gba_naf_tls_free(struct gba_naf_tls *tls);

/** Who is at the other end: key, B-TID, IMPI, user security settings, expiry. Only after a handshake that was
 * authenticated with a GBA key; NULL otherwise (certificate handshake, not finished). Owned by the SSL: take
 * gba_naf_result_ref() to keep it. The application ends the connection at gba_naf_result_expiry(). */
GBA_NAF_API struct gba_naf_result *gba_naf_tls_result(const SSL *ssl);
/** Which key of the result this connection uses. */
GBA_NAF_API enum gba_naf_key_kind gba_naf_tls_key_kind(const SSL *ssl);
/** Why the last PSK of this SSL was not accepted; GBA_NAF_OK when none was offered or the key was found (a handshake that
 * then fails was made with a wrong key). For the log: the device only ever sees an alert, internal_error
 * where gba_naf_error_http() is 500 or more, which is no reason for it to bootstrap again. */
GBA_NAF_API enum gba_naf_error gba_naf_tls_error(const SSL *ssl);
/** B-TID offered last, NUL-terminated, valid as long as the SSL; NULL: none that could be read. Not authenticated. */
GBA_NAF_API const char *gba_naf_tls_btid(const SSL *ssl);
/** Address of the device ("192.0.2.1", "2001:db8::1") where it is not the socket's peer, as behind a load balancer: for the
 * agent's limits. Once the SSL_CTX is the right one and before a PSK is looked at: from the client_hello callback. Copied; too
 * long a text is ignored. */
GBA_NAF_API void gba_naf_tls_set_source(SSL *ssl, const char *address);
/** Our name in this connection: the SNI in lower case, or the first name; NULL: the device asked for a foreign name. */
GBA_NAF_API const char *gba_naf_tls_fqdn(const SSL *ssl);
/** Ua security protocol identifier of this connection, for HTTP Digest inside certificate TLS (TS 33.222 5.3): 01 00 01 yy
 * zz. @return 0 before a suite is negotiated; nothing written then. */
GBA_NAF_API int gba_naf_tls_ua_id(const SSL *ssl, uint8_t out[GBA_NAF_UA_ID_LEN]);
/** 1: the notice is about the key of this connection, or about one that its handshake has looked up: end it. */
GBA_NAF_API int gba_naf_tls_concerned(const SSL *ssl, const struct gba_naf_notice *notice);
/** 1: the handshake waits for the agent. */
GBA_NAF_API int gba_naf_tls_waiting(const SSL *ssl);
/** Asynchronous mode: end a handshake that waits for the agent (it fails), so that the SSL can be freed without leaving
 * its job behind. Nothing happens when it does not wait. Not from inside SSL functions. */
GBA_NAF_API void gba_naf_tls_abort(SSL *ssl);

#ifdef __cplusplus
}
#endif
#endif
