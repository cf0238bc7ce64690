/* SPDX-License-Identifier: Apache-2.0 */
/** SIGHUP in a freeDiameter daemon that has no use for it, and would end by it: the log is opened again, and the file is read for
 * what it says of the log, of who may ask, and of limits; what needs a restart is said. */
#ifndef NAF_AGENT_HANGUP_H
#define NAF_AGENT_HANGUP_H

#include "naf-adapter/agent/conf.h"
#include "naf-adapter/agent/local.h"

/** @param path, conf  what the agent was started with; stay with the caller */
enum gba_err hangup_start(const char *path, const struct agent_conf *conf, struct local *local);
void hangup_stop(void);

#endif
