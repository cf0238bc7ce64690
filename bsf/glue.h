/* SPDX-License-Identifier: Apache-2.0 */
/** The BSF's ends of Zh and Zn in freeDiameter. */
#ifndef GBA_BSF_GLUE_H
#define GBA_BSF_GLUE_H

#include "audit/audit.h"
#include "bsf/agents.h"
#include "bsf/grant.h"
#include "bsf/hss.h"
#include "bsf/reporter.h"

/** Zh client over the table hss of conf. NULL: out of memory. */
struct hss *bsf_zh_new(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf);

/** The agents, over RPA; audit (NULL: no log kept) outlives them. *_agents NULL: dict_y3056 is not loaded, so there is no such
 * thing. */
enum gba_err bsf_rpa_new(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf, struct audit *audit, struct agents **_agents);

struct bsf_zn;
/** Serve BIRs from now on. parts' members, audit and reporter (NULL: none) live until bsf_zn_stop(). */
enum gba_err bsf_zn_start(TALLOC_CTX *mem_ctx, const struct grant_parts *parts, struct audit *audit, struct reporter *reporter,
			  struct bsf_zn **_zn);
void bsf_zn_stop(struct bsf_zn *zn);

#endif
