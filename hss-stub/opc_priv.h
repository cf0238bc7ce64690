/* SPDX-License-Identifier: Apache-2.0 */
/** What opc.c (serving) and opc_ask.c (asking) share. */
#ifndef GBA_HSS_OPC_PRIV_H
#define GBA_HSS_OPC_PRIV_H

#include <pthread.h>
#include <sys/queue.h>

#include "core/log.h"
#include "dia/opchange.h"
#include "hss-stub/opc.h"

#define OPC_TICK_MS 200

/** A request taken over from a dispatch thread. */
struct opc_job {
	STAILQ_ENTRY(opc_job) queue;
	struct msg *msg;
	uint64_t seen_at; /* trace_now() */
};

struct hss_opc {
	const struct hss_conf *conf;
	struct change_conf *change;
	struct audit *audit;
	struct changes *asking, *serving; /* one per thread */
	struct dia_service *service;
	pthread_t asker, server;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* of the server */
	pthread_cond_t tick; /* of the asker: stop, or an answer */
	STAILQ_HEAD(, opc_job) jobs;
	unsigned int waiting;
	bool stopping, started;
};

void *opc_ask_main(void *opc);
/** Sleep until stop; false: it was that. */
bool opc_pause(struct hss_opc *opc, unsigned int ms);
/** One log line per decision. @param what  "change.keys" */
void opc_note(const char *what, struct bytes peer, struct bytes id, enum gba_err err, const char *text);
/** An arrow. */
void opc_trace(uint64_t at, const char *from, const char *to, const char *iface, const char *clause, const char *message,
	       struct bytes id);

#endif
