/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"

#define BAR      30
#define EVERY_MS 200

void progress_start(struct progress *p, uint64_t total)
{
	const char *term = getenv("TERM");

	p->on = isatty(STDERR_FILENO) && (term == NULL || term[0] != 'd') && total > 0; /* not on "dumb" */
	p->total = total;
	p->started_ms = p->shown_ms = clock_mono_ms();
}

void progress_show(struct progress *p, uint64_t done, uint64_t rows)
{
	uint64_t now, spent, left;
	char bar[BAR + 1];
	int i;

	if (!p->on)
		return;
	now = clock_mono_ms();
	if (now - p->shown_ms < EVERY_MS)
		return;
	p->shown_ms = now;
	spent = now - p->started_ms;
	if (done > p->total)
		done = p->total;
	left = done > 0 ? (p->total - done) * spent / done / 1000 : 0;
	for (i = 0; i < BAR; i++)
		bar[i] = (uint64_t)i * p->total < done * BAR ? '#' : '.';
	bar[BAR] = '\0';
	fprintf(stderr, "\r[%s] %3u %%  %llu rows  %llu/s  %llu:%02llu left ", bar,
		(unsigned int)(done * 100 / p->total), (unsigned long long)rows,
		(unsigned long long)(rows * 1000 / (spent > 0 ? spent : 1)), (unsigned long long)(left / 60),
		(unsigned long long)(left % 60));
}

void progress_end(struct progress *p)
{
	if (p->on && p->shown_ms != p->started_ms)
		fputs("\r\033[K", stderr);
	p->on = false;
}
