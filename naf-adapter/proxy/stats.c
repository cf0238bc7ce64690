/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/stats.h"

void stats_make(struct stats *stats)
{
#define STATS_MAKE(member, name, type, labels, help) stats->member = metric_get("gba_naf_proxy_" name, help, type, labels);
	STATS(STATS_MAKE)
#undef STATS_MAKE
}

void stats_request(const struct stats *stats, unsigned int status)
{
	struct metric *const classes[] = { stats->requests_2xx, stats->requests_3xx, stats->requests_4xx, stats->requests_5xx };

	metric_add(classes[status < 300 ? 0 : status < 400 ? 1 : status < 500 ? 2 : 3], 1);
}
