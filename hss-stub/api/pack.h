/* SPDX-License-Identifier: Apache-2.0 */
/** Everything an application's agent needs to run in this realm (Y.3056 10.1-3b, 10.2-1c), as one archive (tar, gzip):
 * configuration of freeDiameter, guard and agent, certificate, the key when it was made here, the CA, what to do. */
#ifndef GBA_HSS_API_PACK_H
#define GBA_HSS_API_PACK_H

#include "hss-stub/mapping/kinds.h"

#define PACK_USER "www-data"

struct pack_order {
	const struct record *app, *realm;
	const char *identity, *agent_realm; /* of the agent in Diameter */
	const char *user;		    /* that the application runs as */
	const char *connect_to;		    /* address of the BSF; "": by DNS */
	const char *certificate, *private_key, *ca; /* PEM; private_key NULL: they have it */
};

/** A certificate speaks for its name in Diameter: an ASP gets none but for its application's own host name or below, and none
 * that could be a node of the operator's. @param _why  static text */
bool pack_identity_good(const struct record *app, const struct record *realm, const char *identity, const char **_why);
/** @param _archive  below mem_ctx, wiped when freed */
enum gba_err pack_make(TALLOC_CTX *mem_ctx, const struct pack_order *order, time_t now, struct bytes *_archive);

#endif
