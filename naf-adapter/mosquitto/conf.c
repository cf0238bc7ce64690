/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/mosquitto/conf.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/ident.h"
#include "core/log.h"
#include "http/server.h"
#include "naf-adapter/libnaf/gba-naf.h"

static const char *const identity_names[] = { "uids", "uids-impi", "impi", NULL };
static const char *const access_names[] = { "read", "write", "readwrite", NULL };
static const char *const client_id_names[] = { "any", "own", NULL };

static bool optional_gsid(struct bytes text)
{
	return text.n == 0 || gsid_valid(text);
}

static bool listen_valid(struct bytes text)
{
	return text.n == 0 || http_listen_valid(text);
}

#define RIGHT struct mqtt_right
static const struct conf_item right_items[] = {
	CONF_STR("topic", NULL, 1, 1024, NULL, RIGHT, topic,
		 "Topics: '+' is any level, '#' all further ones, %u the user's name"),
	CONF_ENUM("access", "readwrite", access_names, RIGHT, access, "read: subscribe and receive; write: publish"),
	CONF_STR("gsid", "", 0, 10, optional_gsid, RIGHT, gsid,
		 "For users with settings of this service; empty: for everybody"),
	CONF_U32("flag", 0, 0, 4294967295, "", RIGHT, flag,
		 "And with this authorisation flag in them; 0: none needed"),
	CONF_END
};

#define MQTT struct mqtt_conf
const struct conf_item mqtt_conf_items[] = {
	CONF_COMMON(MQTT, common),
	CONF_STRLIST("fqdns", NULL, 1, FQDN_MAX, fqdn_valid, MQTT, fqdns,
		     "Names devices address; without a server name in TLS the first is meant"),
	CONF_STRLIST("gsids", "", 1, 10, gsid_valid, MQTT, gsids,
		     "GAA service identifiers whose user security settings are asked for"),
	CONF_ENUM("identity", "uids", identity_names, MQTT, identity,
		  "User name: the first uid of the settings, or the IMPI (if there is no uid; always)"),
	CONF_ENUM("client-ids", "any", client_id_names, MQTT, client_ids,
		  "own: the user's name, or it and '/' and anything; else what no other user has"),
	CONF_GROUPS("rights", "", 0, MQTT_RIGHTS_MAX, right_items, RIGHT, MQTT, rights,
		    "Topics; what no rule allows is left to mosquitto's acl_file, and denied without one"),
	CONF_STR("agent-socket", "", 0, 107, NULL, MQTT, agent_socket,
		 "Socket of the agent; empty: the installation's"),
	CONF_STR("metrics-listen", "", 0, 64, listen_valid, MQTT, metrics_listen,
		 "Address and port of /metrics, /livez, /readyz; empty: off"),
	CONF_U32("agent-timeout", 3000, 100, 60000, "ms", MQTT, agent_timeout,
		 "A key is waited for so long, behind the broker's back"),
	ASK_CONF_ITEMS(MQTT, ask),
	CONF_END
};

static bool listed(const struct conf_strlist *list, const char *text)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (strtoul(list->v[i], NULL, 10) == strtoul(text, NULL, 10))
			return true;
	}
	return false;
}

enum gba_err mqtt_conf_check(const void *conf_, struct conf_error *_error)
{
	const struct mqtt_conf *conf = conf_;
	const struct mqtt_right *right = conf->rights.v;
	size_t i;

	if (conf->gsids.n > GBA_NAF_GSID_MAX) {
		snprintf(_error->text, sizeof(_error->text), "gsids: at most %d", GBA_NAF_GSID_MAX);
		return GBA_E_CONF;
	}
	for (i = 0; i < conf->rights.n; i++) {
		const char *wrong = right[i].gsid[0] == '\0' && right[i].flag != 0 ? "flag needs a gsid"
				    : right[i].gsid[0] != '\0' && !listed(&conf->gsids, right[i].gsid)
					    ? "gsid is not among gsids"
					    : NULL;

		if (wrong != NULL) {
			snprintf(_error->text, sizeof(_error->text), "rights: \"%.200s\": %s", right[i].topic, wrong);
			return GBA_E_CONF;
		}
	}
	return GBA_OK;
}
