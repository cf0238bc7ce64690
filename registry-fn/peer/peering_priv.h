/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of the peering share. One thread does everything: freeDiameter's threads only put into its queue. */
#ifndef GBA_REGISTRY_PEERING_PRIV_H
#define GBA_REGISTRY_PEERING_PRIV_H

#include <pthread.h>

#include "core/metrics.h"
#include "dia/registry.h"
#include "registry-fn/peer/peering.h"
#include "registry-fn/peer/sync.h"

#define PEERING_QUEUE_MAX  64	 /* messages that wait for the thread */
#define PEERING_TIMEOUT_MS 10000 /* of a request to a neighbour: a batch may wait for its store */
#define PEERING_RETRY_MS   500	 /* after a neighbour did not take one */
#define PEERING_LOOK_MS	   100	 /* for what others have committed */

enum link_state { LINK_AWAY, LINK_INSECURE, LINK_CONNECTED, LINK_GREETED };
extern const char *const link_state_names[];

/** A neighbour; the thread's. */
struct neighbour {
	const struct neighbour_conf *conf;
	struct sync_peer *sync;
	enum link_state state;
	unsigned int generation; /* answers to what was sent before the last greeting or loss do not count */
	bool awaits;		 /* an answer */
	uint64_t retry_ms;
	time_t heard_at;
	enum gba_err last_error;
	int64_t behind;
	bool changed; /* since its row was written */
	struct metric *m_sent, *m_received, *m_refused, *m_behind;
};

/** Something for the thread: a request, or an answer to one of ours. */
struct letter {
	struct letter *next;
	struct msg *request; /* to be answered; NULL: an answer */
	struct neighbour *neighbour;
	unsigned int generation;
	int32_t step;
	enum gba_err err;
	TALLOC_CTX *ctx; /* of what follows; this letter's own */
	struct sync_list haves, accepts;
};

struct peering {
	const struct registry *registry;
	struct neighbour *neighbours;
	size_t n;
	struct db *db;
	struct event_log *log;
	struct dia_service *service;
	pthread_t thread;
	bool runs;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	bool stopping, woken;
	struct letter *first, **last;
	size_t waiting;
	bool look;	 /* there may be something to send; the thread's, as what follows */
	int64_t version; /* of the database */
	int64_t revocations;
	uint64_t look_ms, rows_ms;
};

/** Takes over the letter. @return false: the queue is full, or the end is near */
bool peering_post(struct peering *peering, struct letter *letter);

/** In a dispatch thread. */
void peering_on_request(struct msg *msg, void *arg);
/** A request in the thread: ends in its answer. */
void peering_serve(struct peering *peering, struct letter *letter);
/** An answer in the thread. */
void peering_heard(struct peering *peering, struct letter *letter);
/** Send what there is to send. @return something was sent */
bool peering_send(struct peering *peering, struct neighbour *neighbour, uint64_t now_ms);
void peering_lost(struct neighbour *neighbour);
void peering_state(struct neighbour *neighbour, enum link_state state);
/** Is the link as secure as the configuration wants it? */
bool peering_secured(const struct peering *peering, const struct neighbour *neighbour);

#endif
