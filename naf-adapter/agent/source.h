/* SPDX-License-Identifier: Apache-2.0 */
/** How many unknown B-TIDs a device address may still cause requests to BSFs for: a token bucket each. Anybody can make up
 * B-TIDs; what they cause must stay bounded, and must not hurt devices at other addresses. One thread. */
#ifndef NAF_AGENT_SOURCE_H
#define NAF_AGENT_SOURCE_H

#include <talloc.h>

#include "core/bytes.h"

struct sources;

/** @param burst  tokens of a full bucket  @param per_minute  tokens that come back */
struct sources *sources_new(TALLOC_CTX *mem_ctx, unsigned int burst, unsigned int per_minute);
/** From now on. */
void sources_set(struct sources *sources, unsigned int burst, unsigned int per_minute);
/** May a request be made because of this address? Until half of the bucket is used, as many as come; then no more under
 * way than tokens are left, so that a burst of requests cannot overdraw it.
 * @param text       IPv4, IPv6 (its /64 counts) or any other text that names who asks
 * @param now_ms     [ms] monotonic */
bool sources_allow(struct sources *sources, struct bytes text, uint64_t now_ms);
/** Has no unknown B-TID lately been asked for because of this address? Such may go before the others. */
bool sources_clean(struct sources *sources, struct bytes text, uint64_t now_ms);
/** A request was made: it counts as under way until sources_done(). */
void sources_begin(struct sources *sources, struct bytes text, uint64_t now_ms);
/** @param unknown  its BSF did not know the B-TID: a token is gone */
void sources_done(struct sources *sources, struct bytes text, bool unknown, uint64_t now_ms);

#endif
