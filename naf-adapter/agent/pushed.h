/* SPDX-License-Identifier: Apache-2.0 */
/** Tokens that a BSF sends without being asked (Token-Push, Y.3056 10.4-4d, 9.4.3-1): who may, and how one serves the first who
 * asks for it, whatever services he asks for, as if the BSF had been asked. */
#ifndef NAF_AGENT_PUSHED_H
#define NAF_AGENT_PUSHED_H

#include "core/ident.h"
#include "naf-adapter/agent/agent.h"

/** A token as received; a talloc root with all that is viewed. */
struct agent_push {
	struct zn_answer *answer; /* below it: what a BIA would have had */
	struct bytes btid, naf_id;
	uint32_t gsids[GBA_NAF_GSID_MAX];
	size_t gsid_count; /* services that answer->uss answers for */
};
/** Tokens that are no more, as received; a talloc root. */
struct agent_revocation {
	struct bytes origin_host, origin_realm;
	uint8_t (*digests)[KEY_DIGEST_LEN];
	size_t digest_n;
	struct bytes *fqdns; /* lower case; none: for all applications */
	size_t fqdn_n;
};

/** Is it from a BSF that the B-TID's operator has, and for a name that somebody here may ask for? From any thread.
 * @retval GBA_E_BTID_SYNTAX, GBA_E_NAF_ID_SYNTAX, GBA_E_RANGE (key's length)  @retval GBA_E_NOT_AUTHORIZED */
enum gba_err push_check(const struct agent_conf *conf, const struct agent_push *push);
/** Is it a BSF of ours that says so? From any thread. @retval GBA_E_NOT_AUTHORIZED */
enum gba_err revocation_check(const struct agent_conf *conf, const struct agent_revocation *revocation);

/** Keep a token that push_check() has passed. @return false: it is no good, *_why says why */
bool pushed_keep(struct cache *cache, const struct agent_conf *conf, time_t now, const struct agent_push *push,
		 const char **_why);
/** The answer to this question out of a pushed token, kept under the question's own name. NULL: none fits.
 * @param _expired  true: there was one, and its time is over */
const struct key_record *pushed_find(struct cache *cache, const struct agent_ask *ask, const struct key_name *name, time_t now,
				     bool *_expired);

#endif
