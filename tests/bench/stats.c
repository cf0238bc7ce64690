/* SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

#include <string.h>
#include <time.h>

uint64_t stats_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void stats_start(struct stats *s)
{
	memset(s, 0, sizeof(*s));
	s->start = stats_now();
}

/* Values below STATS_SUB are exact; above, the five bits after the leading one choose the bucket. */
static unsigned int bucket_of(uint64_t us)
{
	unsigned int top = us < STATS_SUB ? 0 : 63U - (unsigned int)__builtin_clzll(us) - 4;
	unsigned int bucket = top == 0 ? (unsigned int)us : STATS_SUB * top + (unsigned int)(us >> (top - 1)) - STATS_SUB;

	return bucket < STATS_BUCKETS ? bucket : STATS_BUCKETS - 1;
}

/* Highest value that falls into a bucket. */
static uint64_t bucket_top(unsigned int bucket)
{
	unsigned int top = bucket / STATS_SUB;

	if (top == 0)
		return bucket;
	return ((uint64_t)(bucket % STATS_SUB + STATS_SUB + 1) << (top - 1)) - 1;
}

void stats_good(struct stats *s, uint64_t took_us)
{
	s->good++;
	s->buckets[bucket_of(took_us)]++;
}

uint64_t stats_percentile(const struct stats *s, double p)
{
	uint64_t want = (uint64_t)((double)s->good * p), seen = 0;

	for (unsigned int i = 0; i < STATS_BUCKETS; i++) {
		seen += s->buckets[i];
		if (seen > 0 && seen >= want)
			return bucket_top(i);
	}
	return 0;
}

void stats_print(const struct stats *s, FILE *out, const char *more)
{
	double seconds = (double)(s->end - s->start) / 1e6;

	fprintf(out,
		"{\"rate\": %.1f, \"good\": %llu, \"bad\": %llu, \"seconds\": %.3f, \"p50_us\": %llu, \"p99_us\": %llu, "
		"\"max_us\": %llu%s}\n",
		seconds > 0 ? (double)s->good / seconds : 0.0, (unsigned long long)s->good, (unsigned long long)s->bad, seconds,
		(unsigned long long)stats_percentile(s, 0.50), (unsigned long long)stats_percentile(s, 0.99),
		(unsigned long long)stats_percentile(s, 1.0), more);
	fflush(out);
}
