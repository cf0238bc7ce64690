/* SPDX-License-Identifier: Apache-2.0 */
/** Sessions that live on while the agent was away: revocations may have been missed. Before such a session's next request, and
 * beside its next octets when it is a stream, the agent is asked about its token again. As long as nobody can say, it goes on. */
#ifndef GBA_PROXY_AGAIN_H
#define GBA_PROXY_AGAIN_H

#include "naf-adapter/proxy/conn.h"

/** Notices may have been lost. */
void again_doubt(struct conn *conn);
/** Ask, when it is doubted and was not asked a moment ago. done is called with GBA_NAF_OK when the session may go on, with what
 * ended its token otherwise; not after again_stop(). @return false: nothing to ask, done is not called */
bool again_ask(struct conn *conn, void (*done)(struct conn *conn, enum gba_naf_error error));
/** Before it is freed. */
void again_stop(struct conn *conn);

#endif
