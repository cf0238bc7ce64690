/* SPDX-License-Identifier: Apache-2.0 */
/** Tells each user's hss which tokens there are and which applications have got them (Y.OBF 8.5.2, 9.2.1; doc/y3056-diameter.md,
 * Token-Report): many at a time, in a thread of its own, after the fact. What cannot be told waits, up to REPORTS_MAX; then the
 * oldest is lost, and counted. Contexts stay the truth about tokens, these are what an operator looks up. */
#ifndef GBA_BSF_REPORTER_H
#define GBA_BSF_REPORTER_H

#include "bsf/conf.h"
#include "core/token_entry.h"

#define REPORTS_MAX    65536
#define REPORT_ENTRIES 64 /* of one message */

struct report {
	struct bytes btid, impi;
	struct bytes application; /* host name; absent: none is named */
	time_t made, expires;	  /* [s since epoch] */
};

/** @param err  GBA_OK: they are durable; GBA_E_PEER: it will never take them, they are lost; other: they are sent again */
typedef void (*report_done)(void *arg, enum gba_err err);
/** What carries them. */
struct report_port {
	/** Send entries to an HSS of the row; done is called once, from any thread, unless this fails.
	 * @retval GBA_E_UNREACHABLE  none is there, or none that understands them */
	enum gba_err (*send)(void *arg, const struct bsf_hss *row, struct bytes *entries, size_t n, report_done done,
			     void *done_arg);
	void *arg;
};

struct reporter;
/** @retval GBA_E_NOMEM, GBA_E_INTERNAL (no thread) */
enum gba_err reporter_new(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf, const struct report_port *port,
			  struct reporter **_reporter);
/** Never waits; any thread. NULL reporter: nobody wants to know. */
void reporter_add(struct reporter *reporter, const struct report *report);
/** What waits is tried once more, then forgotten; ends the thread. Before dia_requests_stop(). NULL passes. */
void reporter_stop(struct reporter *reporter);
/** After dia_requests_stop(), which ends what is under way. NULL passes. */
void reporter_free(struct reporter *reporter);

#endif
