/* SPDX-License-Identifier: Apache-2.0 */
/** Connections to an application: made without waiting, kept for the next request when their protocol allows. One thread. */
#ifndef GBA_PROXY_UPSTREAM_H
#define GBA_PROXY_UPSTREAM_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <talloc.h>

#include "core/err.h"
#include "naf-adapter/proxy/chan.h"

struct upstream_pool;

struct upstream_address {
	struct sockaddr_storage ss;
	socklen_t len;
};
#define UPSTREAM_ADDRESSES_MAX 8
struct upstream_addresses {
	struct upstream_address v[UPSTREAM_ADDRESSES_MAX];
	size_t n;
};

/** Tells the owner: it can go on (connected, octets came or went), or a connect failed: chan.failed. */
typedef void (*upstream_wake)(void *owner);

struct upstream {
	struct chan chan;
	struct upstream_pool *pool;
	TAILQ_ENTRY(upstream) link; /* idle ones */
	upstream_wake wake;
	void *owner;		/* NULL: idle */
	size_t address;		/* index of the one tried */
	bool connecting, timed_out;
	bool reused;		/* may have been closed by the application meanwhile */
	struct event timer;
};

struct upstream_pool {
	struct event_base *base;
	const struct upstream_addresses *addresses;
	unsigned int connect_ms, idle_ms, idle_max, idle;
	TAILQ_HEAD(upstream_list, upstream) list;
};

/** Resolve (waits for DNS: never in a worker). @param text  "host:port" or "unix:/path" @retval GBA_E_UNREACHABLE, GBA_E_SYNTAX */
enum gba_err upstream_resolve(struct upstream_addresses *to, const char *text);
/** An idle connection, or one being made. @param fresh  not an idle one @return NULL: none can be made now */
struct upstream *upstream_get(struct upstream_pool *pool, bool fresh, upstream_wake wake, void *owner);
/** Give it back for another request, or, when not in a known state, close it. */
void upstream_keep(struct upstream *up);
void upstream_close(struct upstream *up);
void upstream_pool_close(struct upstream_pool *pool);
/** Do both lead to the same places? */
bool upstream_same_addresses(const struct upstream_pool *a, const struct upstream_pool *b);
/** Idle connections of one become another's, of the same base. */
void upstream_pool_move(struct upstream_pool *to, struct upstream_pool *from);

#endif
