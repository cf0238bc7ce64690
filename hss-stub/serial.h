/* SPDX-License-Identifier: Apache-2.0 */
/** Requests of one command that work on the database: taken from the dispatch threads, which must not wait, and served one after
 * the other in a thread of their own. */
#ifndef GBA_HSS_SERIAL_H
#define GBA_HSS_SERIAL_H

#include "dia/dia.h"

struct serial;

struct serial_conf {
	struct dia_cmd *cmd;
	const struct dia_field *answer; /* fields of the answer "too busy" */
	unsigned int max;		/* requests that wait */
	/** In the thread. Leads to dia_answer_send(). @param seen_at  trace_now() when it came */
	void (*serve)(void *arg, struct msg *msg, uint64_t seen_at);
	void *arg;
};

/** From now on. @param _serial  below mem_ctx */
enum gba_err serial_start(TALLOC_CTX *mem_ctx, const struct serial_conf *conf, struct serial **_serial);
/** Takes no more, serves what waits, ends the thread. NULL passes. */
void serial_stop(struct serial *serial);

#endif
