/* SPDX-License-Identifier: Apache-2.0 */
/** What came of a Bootstrapping-Info-Request, without Diameter: judged here, and turned into a key or a reason. */
#ifndef NAF_AGENT_ANSWER_H
#define NAF_AGENT_ANSWER_H

#include <talloc.h>

#include "naf-adapter/agent/cache.h"
#include "naf-adapter/agent/conf.h"

#define ZN_USS_TAKEN_MAX GUSS_XML_MAX

/** Parts of a BIA (TS 29.109 5.2). Views point below the struct itself, which is made in a thread of freeDiameter and given
 * away whole to the agent's. */
struct zn_answer {
	uint64_t flight;   /* of the struct zn_ask it answers */
	enum gba_err err;  /* not GBA_OK: there was no answer */
	uint32_t code, vendor; /* of Result-Code (vendor 0) or Experimental-Result */
	struct bytes origin_host, origin_realm;
	struct bytes impi, me_key, uicc_key, uss;
	time_t expires, created; /* [s since epoch] 0: absent */
	int32_t gba_type;	 /* -1: absent, which means 3G */
};

/** A copy below mem_ctx that wipes itself when freed: for the views of a struct zn_answer. Absent stays absent.
 * @return false: out of memory */
bool zn_answer_copy(TALLOC_CTX *mem_ctx, struct bytes from, struct bytes *_copy);

/** Is the answer one we take, and what does it mean?
 * @param realm     where the request went: no other may answer
 * @param _record   written on GBA_NAF_OK: below mem_ctx, wiped when freed
 * @param _why      static text for the log; never NULL afterwards
 * @retval GBA_NAF_E_PEER  wrong realm, key not of 32 octets, expiry out of the question, USS list malformed, 2G refused
 * @return  GBA_NAF_E_BTID_UNKNOWN (5403), GBA_NAF_E_NOT_AUTHORIZED (5402), GBA_NAF_E_BUSY, GBA_NAF_E_UNREACHABLE, ... */
enum gba_naf_error zn_answer_judge(TALLOC_CTX *mem_ctx, const struct zn_answer *answer, const struct realm_conf *realm,
				   const struct agent_conf *conf, time_t now, struct key_record **_record, const char **_why);

#endif
