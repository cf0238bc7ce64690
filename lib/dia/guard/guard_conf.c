/* SPDX-License-Identifier: Apache-2.0 */
/* guard.conf, for the guard itself and for gba-guard, which has no freeDiameter at hand. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "core/ident.h"
#include "core/log.h"
#include "dia/guard/guard.h"
#include "dia/y3056_names.h"
#include "http/server.h"

#define Y3056_PREFIX 6 /* "Y3056-", "Y3059-" */

static const struct {
	const char *name;
	uint32_t number;
} names[] = { { "Zh", 16777221 }, { "Zn", 16777220 }, { "Zpn", 16777268 }, { "S13", 16777252 },
	      { "MAR", 303 },	  { "BIR", 310 },      { "GPR", 312 },	    { "ECR", 324 } };

bool guard_number(const char *text, uint32_t *_number)
{
	unsigned long value;
	size_t i;
	char *end;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(names[i].name, text) == 0) {
			*_number = names[i].number;
			return true;
		}
	}
	value = strtoul(text, &end, 10);
	*_number = (uint32_t)value;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && value <= UINT32_MAX;
}

/* dict_y3056 has the number; whether it is loaded is found out at the start. */
static bool is_y3056(const char *text)
{
#define NAME(id, name, item) (name) + Y3056_PREFIX,
	static const char *const apps[] = { Y3056_APPS(NAME) };
#undef NAME
	size_t i;

	for (i = 0; i < sizeof(apps) / sizeof(apps[0]); i++) {
		if (strcasecmp(apps[i], text) == 0)
			return true;
	}
	return false;
}

static bool is_address(struct bytes text)
{
	char copy[INET6_ADDRSTRLEN] = "";
	struct in6_addr address;

	if (text.n >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.n);
	return inet_pton(AF_INET, copy, &address) == 1 || inet_pton(AF_INET6, copy, &address) == 1;
}

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
	CONF_STRLIST("listen", "", 1, 64, is_address, struct guard_conf, listen,
		     "IP addresses to listen on, beside ListenOn, which cannot name loopback ones"),
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

static enum gba_err check_list(const struct guard_peer_conf *peer, const char *item, const struct conf_strlist *list,
			       struct conf_error *_error)
{
	uint32_t number;
	size_t i;

	if (list->n > GUARD_LISTED_MAX) {
		snprintf(_error->text, sizeof(_error->text), "peers: %s: %s: more than %d", peer->identity, item, GUARD_LISTED_MAX);
		return GBA_E_CONF;
	}
	for (i = 0; i < list->n; i++) {
		if (guard_number(list->v[i], &number) || is_y3056(list->v[i]))
			continue;
		snprintf(_error->text, sizeof(_error->text), "peers: %s: %s: \"%s\" is no name known here and no number",
			 peer->identity, item, list->v[i]);
		return GBA_E_CONF;
	}
	return GBA_OK;
}

enum gba_err guard_conf_check(const void *conf, struct conf_error *_error)
{
	const struct guard_conf *guard = conf;
	const struct guard_peer_conf *peers = guard->peers.v;
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; i < guard->peers.n && err == GBA_OK; i++) {
		err = check_list(&peers[i], "applications", &peers[i].applications, _error);
		if (err == GBA_OK)
			err = check_list(&peers[i], "commands", &peers[i].commands, _error);
	}
	return err;
}

enum gba_err guard_conf_load(TALLOC_CTX *mem_ctx, const char *path, struct guard_conf *conf, struct conf_error *_error)
{
	enum gba_err err = conf_load(mem_ctx, "guard", path != NULL ? path : "/dev/null", guard_conf_items, conf, _error);

	return err == GBA_OK ? guard_conf_check(conf, _error) : err;
}
