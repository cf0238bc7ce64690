/* SPDX-License-Identifier: Apache-2.0 */
/** A bar with the time still needed, on standard error, only when that is a terminal. */
#ifndef GBA_CLI_PROGRESS_H
#define GBA_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on;
	uint64_t total, started_ms, shown_ms;
};

void progress_start(struct progress *p, uint64_t total);
/** done of total; draws at most five times a second. */
void progress_show(struct progress *p, uint64_t done, uint64_t rows);
/** Take the bar away. */
void progress_end(struct progress *p);

#endif
