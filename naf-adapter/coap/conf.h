/* SPDX-License-Identifier: Apache-2.0 */
/** Configuration of gba-naf-coap: one site. */
#ifndef GBA_COAP_CONF_H
#define GBA_COAP_CONF_H

#include "conf/conf.h"
#include "conf/role.h"
#include "naf-adapter/shared/ask.h"

struct coap_conf {
	struct conf_common common;
	const char *listen, *fqdn, *upstream, *agent_socket, *metrics_listen;
	struct conf_strlist gsids;
	uint32_t identity; /* enum release_policy */
	bool flags_header;
	uint32_t agent_timeout, upstream_timeout; /* [ms] */
	struct ask_conf ask;
	uint32_t max_requests, max_observations;
	uint32_t max_sessions, idle_timeout;
};

extern const struct conf_item coap_conf_items[];

#endif
