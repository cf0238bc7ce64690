/* SPDX-License-Identifier: Apache-2.0 */
/** RPA as the agent serves it, on lib/dia: Token-Push and Revocation-Notice of its BSFs. */
#ifndef NAF_AGENT_RPA_H
#define NAF_AGENT_RPA_H

#include "naf-adapter/agent/local.h"

/** Once, at load. Without dict_y3056: GBA_OK, and there is no such thing. */
enum gba_err rpa_load(void);
/** Serve from now on; letters go to local. */
enum gba_err rpa_start(TALLOC_CTX *mem_ctx, const struct agent_conf *conf, struct local *local);
void rpa_stop(void);
/** From now on tokens of these clients' names are taken, and no others. @param clients  copied @return false: out of memory */
bool rpa_renew(const struct conf_groups *clients);
/** Does a connected peer show RPA? */
bool rpa_spoken(void);

#endif
