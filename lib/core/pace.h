/* SPDX-License-Identifier: Apache-2.0 */
/** So many a second in the long run, and a burst of them at once. Any number of threads, no lock. */
#ifndef GBA_CORE_PACE_H
#define GBA_CORE_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** Zero: nothing has come yet. */
struct pace {
	_Atomic uint64_t due_us; /* when the next one would come if all came evenly */
};

/** May one more pass? It is counted when it may.
 * @param rate    [1/s] 0: no limit
 * @param burst   at once after a pause; 0: as many as in a second
 * @param now_us  [us] monotonic */
bool pace_allow(struct pace *pace, uint32_t rate, uint32_t burst, uint64_t now_us);

#endif
