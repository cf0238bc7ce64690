/* SPDX-License-Identifier: Apache-2.0 */
/** MQTT sessions of devices, by client identifier: whose it is, what its user may do. A session outlives its connection: the broker
 * asks about the last will and about messages that wait for a device when the device has gone. One thread. */
#ifndef GBA_MQTT_SESSIONS_H
#define GBA_MQTT_SESSIONS_H

#include "naf-adapter/mosquitto/conns.h"

struct session {
	struct table_node node;
	char *client_id, *user;
	uint64_t rights; /* bits of mqtt_rights_of() */
	struct conn *conn;  /* NULL: gone */
	const void *client; /* struct mosquitto *, the broker's also when the device has gone */
};

struct sessions;

/** @param gone_max  sessions remembered whose device has gone; the oldest are forgotten @return NULL: out of memory */
struct sessions *sessions_new(TALLOC_CTX *mem_ctx, size_t gone_max);
/** @return NULL: not known */
struct session *sessions_find(struct sessions *sessions, const char *client_id);
/** A device has come. One that was there before with this identifier is gone. @return NULL: out of memory */
struct session *sessions_enter(struct sessions *sessions, const char *client_id, const char *user, uint64_t rights,
			       struct conn *conn);
/** Its device has gone. */
void sessions_gone(struct sessions *sessions, struct session *session);
/** For each: what it may do by new rules. */
void sessions_each(struct sessions *sessions, void (*see)(struct session *session, void *arg), void *arg);
size_t sessions_live(const struct sessions *sessions);

#endif
