/* SPDX-License-Identifier: Apache-2.0 */
/** What applications said about how long they take a token: per B-TID and host name an instant, before its own end. One thread. */
#ifndef NAF_AGENT_LIMITS_H
#define NAF_AGENT_LIMITS_H

#include <stdbool.h>
#include <talloc.h>
#include <time.h>

#include "core/bytes.h"
#include "naf-adapter/agent/cache.h"

struct limits;

/** @param most  kept at a time: the oldest go first @return NULL: out of memory */
struct limits *limits_new(TALLOC_CTX *mem_ctx, size_t most);
/** Set, or bring nearer; never further away. @param fqdn  lower case @return false: out of memory */
bool limits_set(struct limits *limits, struct bytes btid, struct bytes fqdn, time_t until);
/** [s since epoch] 0: none */
time_t limits_find(const struct limits *limits, struct bytes btid, struct bytes fqdn);
/** One that was reached since, each once. Views are valid until the next call of a function of this file. */
bool limits_reached(struct limits *limits, time_t now, uint8_t digest[KEY_DIGEST_LEN], struct bytes *_fqdn);
/** [s since epoch] when the next one will be reached; 0: none */
time_t limits_next(const struct limits *limits);

#endif
