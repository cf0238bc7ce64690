/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/stats.h"

#include <stddef.h>

#define STATS_WORD(id, word) word,
const char *const request_outcome_names[] = { REQUEST_OUTCOMES(STATS_WORD) };
const char *const handshake_outcome_names[] = { HANDSHAKE_OUTCOMES(STATS_WORD) };
const char *const stream_outcome_names[] = { STREAM_OUTCOMES(STATS_WORD) };
static const char *const timeout_names[] = { TIMEOUTS(STATS_WORD) };

static struct metric *host_metric(const char *name, const char *help, const char *host, const char *key, const char *word)
{
	char labels[512] = "";

	metric_label(labels, sizeof(labels), "host", host);
	metric_label(labels, sizeof(labels), key, word);
	return metric_get(name, help, METRIC_COUNTER, labels);
}

void host_stats_make(struct host_stats *stats, const char *host)
{
	size_t i;

	for (i = 0; i < REQUEST_OUTCOME_COUNT; i++)
		stats->requests[i] = host_metric("gba_naf_proxy_host_requests_total",
						 "Requests by host and what became of them", host, "outcome",
						 request_outcome_names[i]);
	for (i = 0; i < HANDSHAKE_OUTCOME_COUNT; i++)
		stats->handshakes[i] = host_metric("gba_naf_proxy_host_handshakes_total",
						   "TLS handshakes by host and what became of them", host, "outcome",
						   handshake_outcome_names[i]);
	for (i = 0; i < STREAM_OUTCOME_COUNT; i++)
		stats->streams[i] = host_metric("gba_naf_proxy_host_streams_total", "Streams by host and what became of them", host,
						"outcome", stream_outcome_names[i]);
	stats->octets_in = host_metric("gba_naf_proxy_host_octets_total", "Octets of bodies and streams, seen from here", host,
				       "direction", "in");
	stats->octets_out = host_metric("gba_naf_proxy_host_octets_total", "Octets of bodies and streams, seen from here", host,
					"direction", "out");
}

void stats_make(struct stats *stats)
{
	char labels[64];
	size_t i;

	for (i = 0; i < TIMEOUT_COUNT; i++) {
		labels[0] = '\0';
		metric_label(labels, sizeof(labels), "waiting_for", timeout_names[i]);
		stats->timeouts[i] = metric_get("gba_naf_proxy_timeouts_total", "Times that something took too long",
						METRIC_COUNTER, labels);
	}
#define STATS_MAKE(member, name, type, labels, help) stats->member = metric_get("gba_naf_proxy_" name, help, type, labels);
	STATS(STATS_MAKE)
#undef STATS_MAKE
}

void stats_request(const struct stats *stats, unsigned int status)
{
	struct metric *const classes[] = { stats->requests_2xx, stats->requests_3xx, stats->requests_4xx, stats->requests_5xx };

	metric_add(classes[status < 300 ? 0 : status < 400 ? 1 : status < 500 ? 2 : 3], 1);
}
