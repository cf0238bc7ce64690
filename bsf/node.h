/* SPDX-License-Identifier: Apache-2.0 */
/** All parts of a running BSF but Diameter: key, contexts, Ub's listeners, metrics, the clock that ticks every second. */
#ifndef GBA_BSF_NODE_H
#define GBA_BSF_NODE_H

#include "bsf/agents.h"
#include "bsf/conf.h"
#include "bsf/ctx_store.h"
#include "bsf/hss.h"

struct node;
struct ub;

/** @param conf    lives longer
 * @param hss     lives longer; NULL members are not allowed
 * @param agents  lives longer; NULL: none takes tokens
 * @param _error  text for the operator below mem_ctx, on failure */
enum gba_err node_start(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf, struct hss *hss,
			struct agents *agents, struct node **_node, const char **_error);
/** Whom revoked certificates are told; NULL, before it stops: nobody. */
struct revoker;
void node_revoker(struct node *node, struct revoker *revoker);
struct ctx_store *node_store(struct node *node);
struct ub *node_ub(struct node *node);
/** Take no new requests on Ub; what waits for an HSS is still answered when that ends. */
void node_drain(struct node *node);
/** After node_drain() and when no question to an HSS is open: commit, stop listening, free. */
void node_stop(struct node *node);

#endif
