/* SPDX-License-Identifier: Apache-2.0 */
/** Steps of a run as JSON lines, each labelled with the clause it carries out: what ladders are drawn from. Off unless a
 * file is configured. Keys, responses and nonces never go in. Thread-safe; one line is one write. */
#ifndef GBA_CORE_TRACE_H
#define GBA_CORE_TRACE_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/err.h"

/** Append to path, from now on; NULL or "" switches tracing off. Any time. On failure all stays as it was.
 * @retval GBA_E_IO and its relatives */
enum gba_err trace_open(const char *path);
void trace_close(void);
bool trace_on(void);
/** [us since epoch] for trace_step.at: taken when a message passes, written when its corr is known. */
uint64_t trace_now(void);

/** One message. The serving side of an interface (bsf on Ub and Zn, hss-stub on Zh, proxy on Ua, agent on the local
 * socket) writes both the request and the answer, so that each arrow appears once; ue writes what happens in the USIM. */
struct trace_step {
	uint64_t at;	     /* [us since epoch] 0: now */
	const char *corr;    /* see corr_from_rand(); NULL: not known yet */
	const char *from;    /* "ue", "bsf", "hss-stub", "naf-agent", "naf-proxy", "application" */
	const char *to;
	const char *iface;   /* "Ub", "Zh", "Zn", "Ua", "local" */
	const char *clause;  /* "Y.3056 10.4-1a", "TS 33.220 4.5.2" */
	const char *message; /* "GET /", "401 challenge", "BIA 2001" */
	struct bytes id;     /* IMPI, NAF: whom it concerns; may be absent */
};
void trace_step(const struct trace_step *step);

#endif
