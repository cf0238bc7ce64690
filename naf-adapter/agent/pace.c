/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/pace.h"

#define AHEAD_US 100000

void pace_init(struct pace *pace, unsigned int per_second)
{
	*pace = (struct pace){ .interval_us = per_second > 0 ? (1000000 + per_second - 1) / per_second : 0 };
}

uint64_t pace_wait(const struct pace *pace, uint64_t now_ms)
{
	uint64_t may_us = now_ms * 1000 + AHEAD_US;

	return pace->interval_us == 0 || pace->due_us <= may_us ? 0 : (pace->due_us - may_us + 999) / 1000;
}

void pace_take(struct pace *pace, uint64_t now_ms)
{
	uint64_t now_us = now_ms * 1000;

	pace->due_us = (pace->due_us > now_us ? pace->due_us : now_us) + pace->interval_us;
}
