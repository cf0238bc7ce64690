/* SPDX-License-Identifier: Apache-2.0 */
/** From a B-TID's domain to the operator that serves it, and from a peer's process to the names it may use. */
#ifndef NAF_AGENT_REALM_H
#define NAF_AGENT_REALM_H

#include <sys/types.h>

#include "core/bytes.h"
#include "naf-adapter/agent/conf.h"

/** The row with the longest domain that btid_domain is in (TS 29.109 4.2: the BSF is found by the B-TID).
 * @return NULL: not served */
const struct realm_conf *realm_find(const struct conf_groups *realms, struct bytes btid_domain);
/** May this peer answer for the realm? Its Origin-Realm is the one configured: the key is bound to its BSF's operator. */
bool realm_may_answer(const struct realm_conf *realm, struct bytes origin_realm);

/** Does a client's pattern ("naf.example", "*.example") cover the name? No case. */
bool name_matches(const char *pattern, struct bytes fqdn);

/** Who is at the other end of a local connection. */
struct client_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	gid_t *groups; /* further ones */
	size_t group_count;
};
/** The first row that lets the peer ask for fqdn. @return NULL: none does */
const struct client_conf *client_find(const struct conf_groups *clients, const struct client_peer *peer, struct bytes fqdn);
/** Any row for the peer, whatever the name: for greeting or refusing a connection. */
const struct client_conf *client_any(const struct conf_groups *clients, const struct client_peer *peer);

#endif
