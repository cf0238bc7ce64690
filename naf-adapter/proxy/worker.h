/* SPDX-License-Identifier: Apache-2.0 */
/** One event loop in one thread, with everything its connections need: listening sockets of its own (SO_REUSEPORT), TLS
 * contexts, a connection to the agent, remembered keys, pooled connections to the applications. Nothing of it is shared
 * with another worker; what is shared hangs below struct proxy and locks by itself. */
#ifndef GBA_PROXY_WORKER_H
#define GBA_PROXY_WORKER_H

#include <event2/event.h>
#include <pthread.h>
#include <sys/queue.h>

#include <semaphore.h>

#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/proxy/generation.h"
#include "naf-adapter/proxy/keys.h"
#include "naf-adapter/proxy/nonce.h"
#include "naf-adapter/proxy/source.h"
#include "naf-adapter/proxy/stats.h"

/** What all workers share for as long as the process lives, read only but for its members that lock. What a reload changes hangs
 * below a worker's generation. */
struct proxy {
	struct nonces *nonces;
	struct sources *sources;
	struct stats stats;
	sem_t in_force; /* posted by each worker that has gone on to the generation it was handed */
};

struct conn;
LIST_HEAD(conn_list, conn);

/** A listening socket of one worker. */
struct door {
	LIST_ENTRY(door) link;
	struct worker *worker;
	const struct listener *listener; /* of the generation in force */
	int fd;
	struct event *event, *resume;
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
	struct generation *gen;	 /* in force */
	struct generation *next; /* handed over, set from outside by atomic exchange */
	LIST_HEAD(, door) doors;
	struct conn_list conns;
	unsigned int waiting;	/* handshakes and requests that wait for the agent */
	bool draining;
};

enum worker_command { WORKER_RENEW = 1, WORKER_DRAIN = 2, WORKER_STOP = 4 };

/** No thread yet, and nothing to serve. @param conf  what only a restart changes is taken from it */
enum gba_err worker_new(TALLOC_CTX *mem_ctx, struct proxy *proxy, unsigned int index, const struct proxy_conf *conf,
			struct worker **_worker);
/** Start its thread, with its first generation: taken over. */
enum gba_err worker_start(struct worker *worker, struct generation *gen);
/** From the main thread: a new generation, taken over. proxy->in_force is posted when connections and requests that begin are
 * served with it. */
void worker_hand(struct worker *worker, struct generation *gen);
/** From any thread: stop accepting and end when the last request is done; end now. */
void worker_tell(struct worker *worker, enum worker_command command);
/** Wait for its thread. It may be told things until it is freed. */
void worker_join(struct worker *worker);

/** A connection was freed: the last one of a worker that drains ends its loop. */
void worker_conn_gone(struct worker *worker);

#endif
