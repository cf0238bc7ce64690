/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ident.h"
#include "core/log.h"
#include "dia/guard/guard.h"
#include "http/server.h"

static bool is_host_or_suffix(struct bytes text)
{
	if (text.n > 2 && memcmp(text.p, "*.", 2) == 0)
		return fqdn_valid(BYTES(text.p + 2, text.n - 2));
	return fqdn_valid(text);
}

static const struct conf_item peer_items[] = {
	CONF_STR("identity", NULL, 1, 255, fqdn_valid, struct guard_peer_conf, identity, "Diameter identity of the connected peer"),
	CONF_STRLIST("origin-hosts", "", 1, 255, is_host_or_suffix, struct guard_peer_conf, origin_hosts,
		     "Origin-Hosts it may speak for (an agent's clients; \"*.example.org\" is what lies below); empty: itself"),
	CONF_STRLIST("applications", "", 1, 32, NULL, struct guard_peer_conf, applications,
		     "\"Zh\", \"Zn\", \"Zpn\" or numbers; empty: all that we serve"),
	CONF_STRLIST("commands", "", 1, 32, NULL, struct guard_peer_conf, commands,
		     "\"MAR\", \"BIR\", \"GPR\" or numbers; empty: all of its applications"),
	CONF_U32("rate", 0, 0, 1000000, "/s", struct guard_peer_conf, rate,
		 "Requests it may send in the long run; more get DIAMETER_TOO_BUSY; 0: no limit"),
	CONF_U32("burst", 0, 0, 1000000, "", struct guard_peer_conf, burst, "Requests at once within the rate; 0: those of a second"),
	CONF_END
};

const struct conf_item guard_conf_items[] = {
	CONF_COMMON(struct guard_conf, common),
	CONF_STRLIST("listen", "", 1, 64, NULL, struct guard_conf, listen,
		     "Addresses to listen on, beside ListenOn, which cannot name loopback ones"),
	CONF_STRLIST("realms", "", 1, 255, fqdn_valid, struct guard_conf, realms,
		     "Destination-Realms served beside our own (home networks of the IMPIs)"),
	CONF_GROUPS("peers", "", 0, 4096, peer_items, struct guard_peer_conf, struct guard_conf, peers,
		    "Who may ask what; without entries every connected peer may ask, for itself"),
	CONF_STR("metrics-listen", "", 0, 64, http_listen_valid, struct guard_conf, metrics_listen,
		 "Address and port of /metrics, /livez and /readyz; empty: none"),
	CONF_U32("server-threads", 200, 5, 2000, "", struct guard_conf, server_threads,
		 "Connections per listening socket that may wait for their CER at once"),
	CONF_U32("cer-timeout", 5, 1, 20, "s", struct guard_conf, cer_timeout, "Connections without CER are closed after this time"),
	CONF_U32("duplicate-window", 240, 1, 3600, "s", struct guard_conf, duplicate_window,
		 "A retransmission within this time gets the first answer again (RFC 6733: 4 minutes)"),
	CONF_U32("duplicate-entries", 65536, 16, 4194304, "", struct guard_conf, duplicate_entries,
		 "Requests remembered at most; the oldest go first"),
	CONF_U32("duplicate-memory", 16, 1, 4096, "MiB", struct guard_conf, duplicate_memory,
		 "Locked memory for remembered answers; the oldest go first"),
	CONF_U32("busy-local", 1000, 1, 1000000, "requests", struct guard_conf, busy_local,
		 "Requests waiting for a dispatch thread from which on new ones get DIAMETER_TOO_BUSY (a stock daemon holds 25)"),
	CONF_U32("busy-peer", 2000, 1, 1000000, "messages", struct guard_conf, busy_peer,
		 "Messages of one peer waiting to be read from which on its requests get DIAMETER_TOO_BUSY"),
	CONF_U32("slow-timeout", 500, 100, 60000, "ms", struct guard_conf, slow_timeout,
		 "A peer that does not take its answers is hung up on after its connection's queue was full for so long: "
		 "others wait behind it"),
	CONF_U32("disconnect-timeout", 1500, 100, 60000, "ms", struct guard_conf, disconnect_timeout,
		 "At the end: connections of peers that have not answered Disconnect-Peer-Request by then are closed"),
	CONF_U32("end-limit", 4500, 500, 120000, "ms", struct guard_conf, end_limit,
		 "From SIGTERM: what has not ended by then is cut short; nothing acknowledged is lost by that"),
	CONF_END
};

enum gba_err guard_conf_load(TALLOC_CTX *mem_ctx, const char *path, struct guard_conf *conf, struct conf_error *_error)
{
	return conf_load(mem_ctx, "guard", path != NULL ? path : "/dev/null", guard_conf_items, conf, _error);
}
