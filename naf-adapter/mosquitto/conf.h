/* SPDX-License-Identifier: Apache-2.0 */
/** Configuration of the plugin for mosquitto: the file that plugin_opt_conf names. */
#ifndef GBA_MQTT_CONF_H
#define GBA_MQTT_CONF_H

#include "conf/conf.h"
#include "naf-adapter/shared/ask.h"

#define MQTT_RIGHTS_MAX 64 /* a user's rules are a word of bits */

enum mqtt_identity { MQTT_UIDS, MQTT_UIDS_IMPI, MQTT_IMPI };
enum mqtt_access { MQTT_READ, MQTT_WRITE, MQTT_READWRITE };
enum mqtt_client_ids { MQTT_IDS_ANY, MQTT_IDS_OWN };

struct mqtt_right {
	const char *topic; /* may hold wildcards and %u */
	const char *gsid;  /* "": everybody */
	uint32_t access;
	uint32_t flag; /* of this gsid's settings; 0: none needed */
};

struct mqtt_conf {
	struct conf_common common;
	struct conf_strlist fqdns, gsids;
	struct conf_groups rights; /* struct mqtt_right */
	const char *agent_socket, *metrics_listen;
	uint32_t identity, client_ids;
	uint32_t agent_timeout;
	struct ask_conf ask;
};

extern const struct conf_item mqtt_conf_items[];
/** What no single item shows. @retval GBA_E_CONF */
enum gba_err mqtt_conf_check(const void *conf, struct conf_error *_error);

#endif
