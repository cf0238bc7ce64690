/* SPDX-License-Identifier: Apache-2.0 */
/** The TLS contexts of a worker: one per site, chosen by the server name before anything else of a handshake is looked at. */
#ifndef GBA_PROXY_TLS_H
#define GBA_PROXY_TLS_H

#include <openssl/ssl.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

struct worker;
struct generation;
struct site;

/** One generation of contexts: a reload makes a new one, handshakes begun keep theirs. Not locked. */
struct tls_set;

/** What a handshake needs of its connection. */
struct tls_hooks {
	/** The site of a server name (absent: none was sent); NULL: refuse. */
	struct site *(*choose)(SSL *ssl, struct bytes name);
	/** Address of its device; NULL: the socket's peer. */
	const char *(*source)(SSL *ssl);
	/** A handshake that waited for a key can go on. */
	void (*ready)(SSL *ssl);
};

/** Read certificates and keys. Connections may hold the set for longer than its generation, whose sites it looks at during
 * handshakes only. @param _error  text for the operator below mem_ctx, on failure */
enum gba_err tls_set_new(TALLOC_CTX *mem_ctx, struct worker *worker, struct generation *gen, const struct tls_hooks *hooks,
			 struct tls_set **_set, const char **_error);
struct tls_set *tls_set_ref(struct tls_set *set);
void tls_set_unref(struct tls_set *set);

/** A server's SSL for one connection, in SSL_MODE_ASYNC; its app data is the caller's. NULL: out of memory. */
SSL *tls_server_new(struct tls_set *set, int fd, void *app_data);

#endif
