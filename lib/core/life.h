/* SPDX-License-Identifier: Apache-2.0 */
/** The end of a process: told once, bounded. */
#ifndef GBA_CORE_LIFE_H
#define GBA_CORE_LIFE_H

#include <stdbool.h>
#include <stdint.h>

/** The process is to end. What takes longer than limit_ms is cut short: a line of log, exit status 0. Nothing that was
 * acknowledged is lost by that, as nothing is by SIGKILL. The first call counts; any thread; returns at once. */
void life_end(uint32_t limit_ms);
/** Is the process ending? Then nothing new should begin. Any thread. */
bool life_ending(void);

#endif
