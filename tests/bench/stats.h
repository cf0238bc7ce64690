/* SPDX-License-Identifier: Apache-2.0 */
/** What every measuring program counts and how it says it. One thread at a time. */
#ifndef GBA_BENCH_STATS_H
#define GBA_BENCH_STATS_H

#include <stdint.h>
#include <stdio.h>

/* Delays in [us], to within 1/32: 32 buckets for each power of two. */
#define STATS_SUB     32
#define STATS_BUCKETS (STATS_SUB * 40)

struct stats {
	uint64_t good, bad;
	uint64_t start, end; /* [us] of the monotonic clock */
	uint64_t buckets[STATS_BUCKETS];
};

/** [us] never steps back. */
uint64_t stats_now(void);
/** Forget everything and start the clock. */
void stats_start(struct stats *s);
void stats_good(struct stats *s, uint64_t took_us);
/** [us] the delay that a share p of the good ones did not exceed. */
uint64_t stats_percentile(const struct stats *s, double p);
/** One JSON object on a line: rate, good, bad, seconds, p50_us, p99_us, max_us, and what `more` holds (text that begins
 * with a comma, or ""). */
void stats_print(const struct stats *s, FILE *out, const char *more);

#endif
