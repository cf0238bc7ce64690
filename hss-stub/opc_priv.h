/* SPDX-License-Identifier: Apache-2.0 */
/** What opc.c (serving) and opc_ask.c (asking) share. */
#ifndef GBA_HSS_OPC_PRIV_H
#define GBA_HSS_OPC_PRIV_H

#include <pthread.h>

#include "core/log.h"
#include "dia/opchange.h"
#include "hss-stub/opc.h"
#include "hss-stub/serial.h"
#include "pki/ca.h"

#define OPC_TICK_MS 200

struct hss_opc {
	const struct hss_conf *conf;
	struct change_conf *change;
	struct audit *audit;
	struct ca *ca; /* the realm's; NULL: devices keep the certificates they come with */
	struct changes *asking, *serving; /* one per thread */
	struct serial *serial; /* those that ask us */
	pthread_t asker;
	pthread_mutex_t lock;
	pthread_cond_t tick; /* of the asker: stop, or an answer */
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
