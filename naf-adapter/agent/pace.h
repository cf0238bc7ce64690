/* SPDX-License-Identifier: Apache-2.0 */
/** How many requests per second leave, in all: evenly, but for a tenth of a second's worth at once. One thread. */
#ifndef NAF_AGENT_PACE_H
#define NAF_AGENT_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
	uint64_t interval_us; /* 0: as many as come */
	uint64_t due_us;      /* [us] monotonic; when the last one would have left if none had left ahead of its time */
};

/** @param per_second  0: as many as come */
void pace_init(struct pace *pace, unsigned int per_second);
/** [ms] until one more may leave; 0: now */
uint64_t pace_wait(const struct pace *pace, uint64_t now_ms);
/** One leaves. */
void pace_take(struct pace *pace, uint64_t now_ms);

#endif
