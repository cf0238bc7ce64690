/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pace.h"

#define SECOND_US 1000000

bool pace_allow(struct pace *pace, uint32_t rate, uint32_t burst, uint64_t now_us)
{
	uint64_t due = atomic_load_explicit(&pace->due_us, memory_order_relaxed), from, early;

	if (rate == 0)
		return true;
	early = (uint64_t)((burst > 0 ? burst : rate) - 1) * SECOND_US / rate;
	do {
		from = due > now_us ? due : now_us;
		if (from - now_us > early)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&pace->due_us, &due, from + SECOND_US / rate, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}
