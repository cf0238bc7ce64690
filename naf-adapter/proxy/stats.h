/* SPDX-License-Identifier: Apache-2.0 */
/** The proxy's metrics. Made once; then each update is one atomic operation. */
#ifndef GBA_PROXY_STATS_H
#define GBA_PROXY_STATS_H

#include "core/metrics.h"

#define STATS(X) /* member, name, type, labels, help */ \
	X(connections, "connections", METRIC_GAUGE, "", "Devices connected") \
	X(accepted, "connections_total", METRIC_COUNTER, "", "Connections accepted") \
	X(capped, "connections_refused_total", METRIC_COUNTER, "", "Connections closed at once because of a cap") \
	X(shake_psk12, "handshakes_total", METRIC_COUNTER, "kind=\"psk\",version=\"1.2\"", "TLS handshakes done") \
	X(shake_psk13, "handshakes_total", METRIC_COUNTER, "kind=\"psk\",version=\"1.3\"", "TLS handshakes done") \
	X(shake_cert12, "handshakes_total", METRIC_COUNTER, "kind=\"certificate\",version=\"1.2\"", "TLS handshakes done") \
	X(shake_cert13, "handshakes_total", METRIC_COUNTER, "kind=\"certificate\",version=\"1.3\"", "TLS handshakes done") \
	X(shake_failed, "handshakes_failed_total", METRIC_COUNTER, "", "TLS handshakes that failed or took too long") \
	X(shake_time, "handshake_seconds", METRIC_HISTOGRAM, "", "From accept to the end of the TLS handshake") \
	X(waiting, "waiting", METRIC_GAUGE, "", "Handshakes and requests that wait for a key") \
	X(key_cache, "keys_total", METRIC_COUNTER, "from=\"cache\"", "Keys by where they came from") \
	X(key_agent, "keys_total", METRIC_COUNTER, "from=\"agent\"", "Keys by where they came from") \
	X(revoked, "sessions_revoked_total", METRIC_COUNTER, "", "Sessions ended: token revoked, or its settings changed") \
	X(key_failed, "keys_failed_total", METRIC_COUNTER, "", "Keys the agent could not give") \
	X(requests_2xx, "requests_total", METRIC_COUNTER, "code=\"2xx\"", "Requests by answer") \
	X(requests_3xx, "requests_total", METRIC_COUNTER, "code=\"3xx\"", "Requests by answer") \
	X(requests_4xx, "requests_total", METRIC_COUNTER, "code=\"4xx\"", "Requests by answer") \
	X(requests_5xx, "requests_total", METRIC_COUNTER, "code=\"5xx\"", "Requests by answer") \
	X(request_time, "request_seconds", METRIC_HISTOGRAM, "", "From a request's head to the last octet of its answer") \
	X(malformed, "malformed_total", METRIC_COUNTER, "", "Messages refused because of their framing or syntax") \
	X(challenges, "challenges_total", METRIC_COUNTER, "", "401 with the bootstrapping required indication") \
	X(streams, "streams_total", METRIC_COUNTER, "", "Connections passed on in stream mode, or switched to another protocol") \
	X(upstream_new, "upstream_connections_total", METRIC_COUNTER, "", "Connections to applications made") \
	X(upstream_failed, "upstream_failures_total", METRIC_COUNTER, "", "Connections to applications that failed; bad answers")

/* ---- what became of it: each word is a label, each list a closed one ---- */

#define REQUEST_OUTCOMES(X) /* by whose answer */ \
	X(REQUEST_SERVED, "served")	      /* the application's, whatever its status */ \
	X(REQUEST_CHALLENGED, "challenged")   /* 401 */ \
	X(REQUEST_FORBIDDEN, "forbidden")     /* 403 */ \
	X(REQUEST_REFUSED, "refused")	      /* other 4xx of ours */ \
	X(REQUEST_SLOW, "slow")		      /* 408, or the answer was not read */ \
	X(REQUEST_UNAVAILABLE, "unavailable") /* 5xx of ours: the application, the agent, a BSF, too many at once */ \
	X(REQUEST_CUT, "cut")		      /* the answer is not complete */
#define HANDSHAKE_OUTCOMES(X) \
	X(HANDSHAKE_DONE, "done") \
	X(HANDSHAKE_UNKNOWN, "unknown-identity") \
	X(HANDSHAKE_WRONG_KEY, "wrong-key") \
	X(HANDSHAKE_FORBIDDEN, "forbidden") \
	X(HANDSHAKE_UNAVAILABLE, "unavailable") /* the agent, a BSF, too many at once */ \
	X(HANDSHAKE_SLOW, "slow") \
	X(HANDSHAKE_LOST, "lost")		/* the device went away */ \
	X(HANDSHAKE_FAILED, "failed")		/* any other reason of TLS */
#define STREAM_OUTCOMES(X) \
	X(STREAM_OPENED, "opened") \
	X(STREAM_ENDED, "ended") \
	X(STREAM_REFUSED, "refused") \
	X(STREAM_UNAVAILABLE, "unavailable")
#define TIMEOUTS(X) \
	X(TIMEOUT_PROXY_HEADER, "proxy-header") \
	X(TIMEOUT_HANDSHAKE, "handshake") \
	X(TIMEOUT_HEAD, "head") \
	X(TIMEOUT_BODY, "body") \
	X(TIMEOUT_READER, "reader")	      /* the device does not read its answer */ \
	X(TIMEOUT_APPLICATION, "application") \
	X(TIMEOUT_IDLE, "idle") \
	X(TIMEOUT_STREAM, "stream")

#define STATS_ID(id, word) id,
enum request_outcome { REQUEST_OUTCOMES(STATS_ID) REQUEST_OUTCOME_COUNT };
enum handshake_outcome { HANDSHAKE_OUTCOMES(STATS_ID) HANDSHAKE_OUTCOME_COUNT };
enum stream_outcome { STREAM_OUTCOMES(STATS_ID) STREAM_OUTCOME_COUNT };
enum timeout_kind { TIMEOUTS(STATS_ID) TIMEOUT_COUNT };
#undef STATS_ID
extern const char *const request_outcome_names[], *const handshake_outcome_names[], *const stream_outcome_names[];

/** Of one host of the configuration, or "-" for all that is none: what a device calls a host never makes a series. */
struct host_stats {
	struct metric *requests[REQUEST_OUTCOME_COUNT], *handshakes[HANDSHAKE_OUTCOME_COUNT], *streams[STREAM_OUTCOME_COUNT];
	struct metric *octets_in, *octets_out;
};
void host_stats_make(struct host_stats *stats, const char *host);

struct stats {
	struct metric *timeouts[TIMEOUT_COUNT];
#define STATS_MEMBER(member, name, type, labels, help) struct metric *member;
	STATS(STATS_MEMBER)
#undef STATS_MEMBER
};

void stats_make(struct stats *stats);
void stats_request(const struct stats *stats, unsigned int status);

#endif
