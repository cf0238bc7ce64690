/* SPDX-License-Identifier: Apache-2.0 */
/** What an hss says has changed for a user (Y.3056 9.2.2-10, 9.4.1-6; mapping G6), carried out: settings kept anew, contexts
 * dropped or changed, agents told. In a thread of its own, many notices at a time. */
#ifndef GBA_BSF_REVOKER_H
#define GBA_BSF_REVOKER_H

#include "bsf/agents.h"
#include "bsf/ctx_store.h"
#include "bsf/ub.h"

#define REVOKER_QUEUE_MAX 4096

/** As enum y3056_kind, and one of our own. */
enum notice_kind {
	NOTICE_CHANGED,
	NOTICE_CLEARED,
	NOTICE_DEVICE_REMOVED,
	NOTICE_BARRED,
	NOTICE_OPERATOR_CHANGED,
	NOTICE_RENEWAL, /* the network wants the device to bootstrap again */
	NOTICE_CERTIFICATE, /* nobody sends it: revoked, what it has made ends */
	NOTICE_KINDS
};

struct notice {
	struct bytes impi;
	enum notice_kind kind;
	struct bytes application; /* host name; absent: all */
	struct bytes certificate; /* NOTICE_CERTIFICATE: CTX_CERT_LEN octets */
	struct bytes guss;	  /* the user's settings as they stand now; absent: none */
	/** Called once, from the revoker's thread: GBA_OK: no key leaves any more that should not. */
	void (*done)(void *arg, enum gba_err err);
	void *arg;
};

struct revoker_parts {
	const struct bsf_conf *conf;
	struct ctx_store *store;
	struct ub *ub;
	struct agents *agents; /* may be NULL */
};

struct revoker;
/** The parts live longer. @retval GBA_E_NOMEM, GBA_E_INTERNAL (no thread) */
enum gba_err revoker_new(TALLOC_CTX *mem_ctx, const struct revoker_parts *parts, struct revoker **_revoker);
/** Copies the notice. @return GBA_OK: done will be called; GBA_E_BUSY, GBA_E_NOMEM: it will not */
enum gba_err revoker_add(struct revoker *revoker, const struct notice *notice);
/** Those that wait are done with GBA_E_BUSY; ends the thread. NULL passes. */
void revoker_stop(struct revoker *revoker);

#endif
