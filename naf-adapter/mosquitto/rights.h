/* SPDX-License-Identifier: Apache-2.0 */
/** Who a device is to the broker, and which topics are its user's: pure functions of the agent's answer and the configuration. */
#ifndef GBA_MQTT_RIGHTS_H
#define GBA_MQTT_RIGHTS_H

#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/mosquitto/conf.h"

/** The MQTT user name: the first allowed identity (TS 24.109 7), below mem_ctx.
 * @return NULL: none is allowed, or it has a wildcard, '/' or a control in it, which would reach into topics of others through
 *         %u of an ACL */
const char *mqtt_user_of(TALLOC_CTX *mem_ctx, const struct mqtt_conf *conf, const struct gba_naf_result *result);

/** Which rules of the configuration hold for this user, a bit each. @param result  NULL: those for everybody */
uint64_t mqtt_rights_of(const struct mqtt_conf *conf, const struct gba_naf_result *result);
/** @param topic  a name, or for a subscription a filter: then the rule has to cover all it may match */
bool mqtt_rights_allow(const struct mqtt_conf *conf, uint64_t held, const char *user, enum mqtt_access access, const char *topic);

/** May this user come with this client identifier? */
bool mqtt_client_id_good(const struct mqtt_conf *conf, const char *user, const char *client_id);

#endif
