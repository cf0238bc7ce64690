/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/coap/conf.h"

#include <string.h>

#include "core/ident.h"
#include "core/log.h"
#include "http/server.h"
#include "naf-adapter/coap/door.h"
#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/shared/release.h"

static bool address_valid(struct bytes text)
{
	return text.n > 0 && http_listen_valid(text);
}

static bool upstream_valid(struct bytes text)
{
	struct door_place place;
	char copy[128];

	if (text.n >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return strlen(copy) == text.n && door_place_read(copy, &place);
}

#define COAP struct coap_conf
const struct conf_item coap_conf_items[] = {
	CONF_COMMON(COAP, common),
	CONF_STR("listen", "0.0.0.0:5684", 3, 64, address_valid, COAP, listen, "Where devices connect: address and UDP port"),
	CONF_STR("fqdn", NULL, 1, FQDN_MAX, fqdn_valid, COAP, fqdn, "Name devices address: FQDN of the NAF_Id"),
	CONF_STR("upstream", NULL, 6, 112, upstream_valid, COAP, upstream,
		 "The application: \"unix:/run/a.sock\" or \"http://127.0.0.1:8080\" is HTTP, \"coap://127.0.0.1:5683\" CoAP"),
	CONF_STRLIST("gsids", "", 1, 10, gsid_valid, COAP, gsids,
		     "GAA service identifiers whose user security settings are asked for"),
	CONF_ENUM("identity", "uids", release_policy_names, COAP, identity,
		  "What the application is told: first of these that is known, else 4.03; the IMPI only where it is named"),
	CONF_BOOL("flags-header", false, COAP, flags_header, "Tell an HTTP application X-3GPP-Authorization-Flags, too"),
	CONF_STR("agent-socket", "", 0, 107, NULL, COAP, agent_socket, "Socket of the agent; empty: the installation's"),
	CONF_STR("metrics-listen", "", 0, 64, http_listen_valid, COAP, metrics_listen,
		 "Address and port of /metrics, /livez, /readyz; empty: off"),
	CONF_U32("agent-timeout", 3000, 100, 60000, "ms", COAP, agent_timeout,
		 "A key is waited for so long, behind the devices' backs"),
	CONF_U32("upstream-timeout", 5000, 100, 60000, "ms", COAP, upstream_timeout, "Wait for the application"),
	CONF_U32("max-requests", 256, 1, 65536, "", COAP, max_requests,
		 "Requests that wait for the application at once; others get 5.03 with Max-Age"),
	CONF_U32("max-observations", 1024, 0, 1000000, "", COAP, max_observations,
		 "Resources of an application that speaks CoAP observed at once; devices that ask for more are answered once"),
	ASK_CONF_ITEMS(COAP, ask),
	CONF_U32("max-sessions", 10000, 1, 1000000, "", COAP, max_sessions, "Idle DTLS sessions kept"),
	CONF_U32("idle-timeout", 300, 10, 86400, "s", COAP, idle_timeout, "Sessions that are silent for so long end"),
	CONF_END
};
