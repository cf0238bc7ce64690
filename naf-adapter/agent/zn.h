/* SPDX-License-Identifier: Apache-2.0 */
/** Zn as seen by the agent, on lib/dia (zn_resolve() first): sends Bootstrapping-Info-Requests, hands their answers to the
 * mailbox. */
#ifndef NAF_AGENT_ZN_H
#define NAF_AGENT_ZN_H

#include "naf-adapter/agent/agent.h"
#include "naf-adapter/agent/local.h"

/** The port for agent and mailbox; where answers go is told by zn_deliver_to(). */
struct zn_port zn_port_get(const struct agent_conf *conf);
/** Is a node connected that BSFs are reached by? */
bool zn_ready(void);
/** NULL: answers are thrown away. */
void zn_deliver_to(struct local *local);
/** No more answers come afterwards. */
void zn_stop(void);

#endif
