/* SPDX-License-Identifier: Apache-2.0 */
/** One event loop in one thread, with everything its connections need: listening sockets of its own (SO_REUSEPORT), TLS
 * contexts, a connection to the agent, remembered keys, pooled connections to the applications. Nothing of it is shared
 * with another worker; what is shared hangs below struct proxy and locks by itself. */
#ifndef GBA_PROXY_WORKER_H
#define GBA_PROXY_WORKER_H

#include <event2/event.h>
#include <pthread.h>
#include <sys/queue.h>

#include "core/ident.h"
#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/proxy/conf.h"
#include "naf-adapter/proxy/health.h"
#include "naf-adapter/proxy/keys.h"
#include "naf-adapter/proxy/nonce.h"
#include "naf-adapter/proxy/source.h"
#include "naf-adapter/proxy/stats.h"
#include "naf-adapter/proxy/tls.h"
#include "naf-adapter/proxy/upstream.h"

/** What all workers share, read only but for its members that lock. */
struct proxy {
	const struct proxy_conf *conf;
	struct health *health;
	struct nonces *nonces;
	struct sources *sources;
	struct stats stats;
};

struct conn;
LIST_HEAD(conn_list, conn);

/** A site in one worker. */
struct site {
	const struct site_conf *conf;
	size_t index;
	char fqdn[FQDN_MAX + 1]; /* lower case */
	uint32_t gsids[GBA_NAF_GSID_MAX];
	size_t gsid_count;
	struct upstream_pool pool;
};

struct listener {
	const struct listener_conf *conf;
	struct worker *worker;
	struct site *default_site; /* NULL: none */
	int fd;			   /* -1: closed */
	struct event *event;
};

struct worker {
	struct proxy *proxy;
	unsigned int index;
	pthread_t thread;
	struct event_base *base;
	int wake;		/* eventfd: commands */
	struct event *wake_event, *naf_event, *drain_event;
	unsigned int commands;	/* WORKER_*, set from outside by atomic or */
	struct gba_naf *naf;
	struct keys *keys;
	struct tls_set *tls;
	struct site *sites;
	size_t site_count;
	struct listener *listeners;
	struct conn_list conns;
	unsigned int waiting;	/* handshakes and requests that wait for the agent */
	bool draining;
};

enum worker_command { WORKER_RELOAD = 1, WORKER_DRAIN = 2, WORKER_STOP = 4 };

/** @param fds  listening sockets, one per listener of the configuration, taken over
 * @param _error  text for the operator below mem_ctx, on failure */
enum gba_err worker_new(TALLOC_CTX *mem_ctx, struct proxy *proxy, unsigned int index, const int *fds,
			struct worker **_worker, const char **_error);
/** Start its thread. */
enum gba_err worker_start(struct worker *worker);
/** From any thread: reload certificates; stop accepting and end when the last request is done; end now. */
void worker_tell(struct worker *worker, enum worker_command command);
/** Wait for its thread, then free what it holds. */
void worker_join(struct worker *worker);

/** A connection was freed: the last one of a worker that drains ends its loop. */
void worker_conn_gone(struct worker *worker);
/** Site of a name, no case; NULL: none. */
struct site *worker_site(struct worker *worker, struct bytes fqdn);

#endif
