/* SPDX-License-Identifier: Apache-2.0 */
/** What the BSF says to the agents of applications on its own account (RPA), without Diameter: tokens pushed when they are
 * made (Y.3056 10.4-4d), and which tokens are no more. */
#ifndef GBA_BSF_AGENTS_H
#define GBA_BSF_AGENTS_H

#include "bsf/grant.h"

/** A token for one NAF_Id. Views; copied by push(). */
struct push {
	struct bytes peer; /* Diameter identity of the agent */
	struct bytes btid, naf_id;
	const struct grant *grant;
	const uint32_t *gsids; /* the services that grant->uss answers for */
	size_t gsid_n;
	bool single;
	const char *corr;
};

/** Tokens that have ended, or whose settings have changed. */
struct revocation {
	const struct bytes *digests; /* SHA-256 of B-TIDs */
	size_t digest_n;
	struct bytes application; /* absent: for all */
	int32_t kind;		  /* enum y3056_kind */
};

/** All functions from any thread; none blocks. */
struct agents {
	/** Is it connected, and does it take tokens? */
	bool (*able)(struct agents *agents, struct bytes peer);
	/** Send and forget: a push that is lost costs the agent one question (BIR). */
	void (*push)(struct agents *agents, const struct push *push);
	/** To every agent that may hold such keys; those that are away hear it when they come back, as long as such keys may live,
	 * and over a restart of the node. */
	void (*revoke)(struct agents *agents, const struct revocation *revocation);
	/** What was to be revoked survives loss of power. The one function that blocks. */
	void (*settle)(struct agents *agents);
	/** Try again what could not be said; call every second. */
	void (*tick)(struct agents *agents);
};

#endif
