/* SPDX-License-Identifier: Apache-2.0 */
/** Tokens for the agent that the permission names, made while Ks is at hand and sent when the context is stored. */
#ifndef GBA_BSF_PUSH_H
#define GBA_BSF_PUSH_H

#include "bsf/agents.h"
#include "bsf/permit.h"

struct push_set;

/** What to push for the application; NULL: nothing (no push peer, it is not connected, may not have such keys, no memory).
 * The keys are wiped with mem_ctx.
 * @param application  as the UE named it */
struct push_set *push_prepare(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf, struct agents *agents,
			      const struct permit *permit, const struct application *application, const struct ctx *ctx);
/** Send all of it. @param corr  the run's name */
void push_send(const struct push_set *set, struct agents *agents, const char *btid, const char *corr);

#endif
