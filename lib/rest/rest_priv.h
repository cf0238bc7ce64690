/* SPDX-License-Identifier: Apache-2.0 */
/** Between the files of this room. */
#ifndef GBA_REST_REST_PRIV_H
#define GBA_REST_REST_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "audit/audit.h"
#include "rest/call.h"

struct rest_metrics {
	struct metric *requests[6], *refused_auth, *limited, *full, *queued, *seconds, *imported, *commits;
};

struct limits;
struct idem;

struct rest_queue {
	struct rest_call *first, **tail;
};

struct rest {
	const struct rest_conf *conf;
	const struct rest_setup *setup;
	void *own;
	struct http_server *server;
	const struct route *routes;
	struct bytes openapi; /* the document; made once */
	struct limits *limits;
	struct idem *idem;
	struct ca *ca; /* NULL: none; has its own lock */
	struct audit *audit; /* NULL: none kept */
	pthread_mutex_t gate_lock;
	struct records *gate; /* asked before a large body is read */
	struct rest_metrics metrics;

	pthread_mutex_t lock; /* queues */
	pthread_cond_t wake;
	struct rest_queue writes, others; /* REST_SHARED, and all else */
	uint32_t queued;		  /* in both */
	bool writing;			  /* a worker is at some of the writes: it alone takes the next ones */
	bool closing;
	size_t n_workers;
	struct rest_worker {
		struct rest *rest;
		pthread_t thread;
		struct records *r;
		bool wrote; /* its last ones were writes */
	} *workers;
};

/* work.c: into the queue; false: full. Then a thread for each worker. */
bool rest_enqueue(struct rest *rest, struct rest_call *call);
void *rest_work(void *worker);

/* reply.c: send. The call is gone after it. */
void rest_send(struct rest_call *call);

/* auth.c: who is it; true with call->actor NULL on open operations. The problem is made on failure. */
bool rest_admit(struct rest_call *call);
/* The same question before the body is read: one indexed look-up, nothing answered. */
bool rest_may_import(struct rest_call *call);

/* limit.c: token buckets by name; @param _wait [s] until it would pass */
struct limits *limits_new(TALLOC_CTX *mem_ctx, uint32_t capacity);
bool limits_pass(struct limits *limits, const char *who, uint32_t rate, uint32_t burst, uint64_t now_ms, uint32_t *_wait);

/* idem.c: answers kept for Idempotency-Key in memory, and what is under way. */
enum idem_state { IDEM_NEW, IDEM_SAME, IDEM_OTHER, IDEM_BUSY, IDEM_FULL, IDEM_FAILED /* the problem is made */ };
struct idem *idem_new(TALLOC_CTX *mem_ctx, uint32_t capacity);
/* Fills call->once. IDEM_NEW: idem_done() must follow. IDEM_SAME: the answer given before is in call->reply. */
enum idem_state idem_begin(struct idem *idem, struct rest_call *call, uint64_t now_ms);
void idem_done(struct idem *idem, struct rest_call *call);
/* answer.c: answers kept in the database. IDEM_NEW: there is none. */
enum idem_state answer_find(struct rest_call *call);
/* In the transaction of the write, whose answer is in call->reply. @retval GBA_E_EXISTS  another node was first */
enum gba_err answer_add(struct rest_call *call);

/* body.c: fields of a verb's arguments: those of the kind, or of terms, with that name */
void rest_schema_verb(struct rest_schema *schema, const struct record_kind *terms);
extern const struct rest_schema rest_schema_report;

/* Handlers of every kind of record */
void rest_list(struct route_call *route);
void rest_add(struct route_call *route);
void rest_get(struct route_call *route);
void rest_put(struct route_call *route);
void rest_patch(struct route_call *route);
void rest_delete(struct route_call *route);
void rest_verb(struct route_call *route);
void rest_import(struct route_call *route);

#endif
