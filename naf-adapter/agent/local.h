/* SPDX-License-Identifier: Apache-2.0 */
/** The agent's local socket and the one thread in which agent and connections live. Answers of BSFs come in from threads of
 * freeDiameter through a mailbox. */
#ifndef NAF_AGENT_LOCAL_H
#define NAF_AGENT_LOCAL_H

#include <talloc.h>

#include "naf-adapter/agent/agent.h"
#include "naf-adapter/agent/pushed.h"

struct local;

/** Open the socket; nothing is served before local_start(). @param conf  outlives it
 * @param audit  keeps who got which key; outlives it; NULL: nothing is kept
 * @retval GBA_E_EXISTS  another agent serves this socket @retval GBA_E_IO and its relatives: see errno, *_why */
enum gba_err local_new(TALLOC_CTX *mem_ctx, const struct agent_conf *conf, struct zn_port port, struct audit *audit,
		       struct local **_local, const char **_why);
/** Before local_start(): who connects waits until this is true, but no longer than four seconds after the start. What is asked in
 * the moment of a restart finds a way to its BSF then. @param ready  called by the thread */
void local_wait_for(struct local *local, bool (*ready)(void));
/** Start the thread. */
enum gba_err local_start(struct local *local);
/** End the thread, and remove the socket; applications see the end of their connections. The caller frees. */
void local_stop(struct local *local);
/** A configuration that was read again: of it who may ask and the limits are in force for what is asked from now on. */
struct agent_news {
	struct agent_conf conf;
	struct conf_groups clients; /* below it */
};
/** From any thread; a talloc root, the mailbox's now. @return false: no memory; freed, and nothing changes */
bool local_renew(struct local *local, struct agent_news *news);
/** From any thread: what came of a struct zn_ask. The answer is a talloc root; it is the mailbox's now. */
void local_answer(struct local *local, struct zn_answer *answer);
/** The same for what BSFs say unasked: talloc roots, the mailbox's now. @return false: no memory; freed, nobody has seen it */
bool local_push(struct local *local, struct agent_push *push);
bool local_revoke(struct local *local, struct agent_revocation *revocation);

#endif
