/* SPDX-License-Identifier: Apache-2.0 */
/** The clients that are in force. A new configuration brings another roster; who has begun with the one before keeps it as long as
 * it is used. Thread-safe. */
#ifndef GBA_OIDC_ROSTER_H
#define GBA_OIDC_ROSTER_H

#include <talloc.h>

#include "core/err.h"
#include "jose/jwt.h"
#include "naf-adapter/oidc/conf.h"

struct client {
	const struct client_conf *conf;
	struct jwt_key *key; /* private_key_jwt; NULL: none */
	const char *sector;
};

struct roster;
/** With one reference, the caller's; reads the keys of clients.
 * @param tree  a talloc root that conf is below: the roster's on GBA_OK; NULL: conf outlives the roster
 * @param _why  below mem_ctx, or static */
enum gba_err roster_new(TALLOC_CTX *mem_ctx, TALLOC_CTX *tree, const struct oidc_conf *conf, struct roster **_roster,
			const char **_why);
struct roster *roster_ref(struct roster *roster);
/** @param roster  may be NULL */
void roster_drop(struct roster *roster);
size_t roster_size(const struct roster *roster);
/** NULL: no such client. */
const struct client *roster_find(const struct roster *roster, const char *id);
/** NULL: no more of them. */
const struct client *roster_at(const struct roster *roster, size_t i);

#endif
