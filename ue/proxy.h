/* SPDX-License-Identifier: Apache-2.0 */
/** A local port for programs that know nothing of GBA: what they send goes to an application over Ua.
 * tls://host:port: any protocol, TCP in, PSK-TLS out. https://host or http://host: HTTP, each request by ua_fetch(). */
#ifndef GBA_UE_PROXY_H
#define GBA_UE_PROXY_H

#include "ue/client.h"
#include "ue/ua.h"

struct proxy_conf {
	const char *listen;           /* "127.0.0.1:8080", "[::1]:8080"; port 0: the kernel chooses */
	const char *to;               /* URL; for http and https its path is put before the program's */
	struct ua_conf ua;            /* connect, separator and tls also hold for tls:// */
	unsigned int max_connections; /* further ones are closed at once (tls) or get 503 (http) */
	unsigned int idle_ms;         /* tls: 0: never */
	unsigned int drain_ms;        /* tls: end of a connection whose token was retired, at the latest */
};
#define PROXY_CONNECTIONS_DEFAULT 64
#define PROXY_CONNECTIONS_MAX     1024
#define PROXY_DRAIN_DEFAULT_MS    10000

struct proxy;

/** Listen and serve from threads of its own. client and the texts of conf outlive it.
 * @retval GBA_E_SYNTAX  URL or address @retval GBA_E_IO, GBA_E_DENIED  cannot listen (why tells) */
enum gba_err proxy_start(TALLOC_CTX *mem_ctx, const struct proxy_conf *conf, struct client *client,
			 struct proxy **_proxy, struct why *why);
unsigned int proxy_port(const struct proxy *proxy);
/** Stop listening, end all connections (requests in work get a few seconds), join the threads, free. */
void proxy_stop(struct proxy *proxy);

#endif
