/* SPDX-License-Identifier: Apache-2.0 */
/** Configuration of the agent: which BSFs, who may ask, how much is kept. */
#ifndef NAF_AGENT_CONF_H
#define NAF_AGENT_CONF_H

#include "audit/audit_conf.h"
#include "conf/conf.h"
#include "conf/role.h"

/** Where the BSFs of a domain of B-TIDs are. */
struct realm_conf {
	const char *domain; /* of B-TIDs: this name and those below it */
	const char *realm;  /* Destination-Realm, and the Origin-Realm its answers must have */
	const char *host;   /* Destination-Host; "": left to routing */
	struct conf_strlist push_from; /* BSFs whose tokens are taken unasked for; empty: host */
};

/** What an application declares of itself to the BSFs (Y.3056 9.6.1-3). */
struct application_conf {
	const char *fqdn;
	uint32_t token_use; /* enum application_use */
	struct conf_strlist ua_protocols; /* ten hex digits each */
	const char *address, *mechanisms;
};
enum application_use { APPLICATION_USE_UNSAID, APPLICATION_USE_MULTIPLE, APPLICATION_USE_SINGLE, APPLICATION_USES };

#define CLIENT_NAME_MAX 32
/** Who may ask over the local socket, and for which names. */
struct client_conf {
	const char *name;  /* in logs and traces */
	const char *user;  /* "", "*" or a user */
	const char *group; /* "" or a group */
	struct conf_strlist fqdns;
	/* found by agent_conf_check() */
	int64_t uid, gid; /* -1: any */
};

struct agent_conf {
	struct conf_common common;
	const char *socket, *socket_mode, *socket_group;
	uint32_t connections_max, requests_max;
	struct conf_groups realms;  /* struct realm_conf */
	struct conf_groups clients; /* struct client_conf */
	struct conf_groups applications; /* struct application_conf */
	uint32_t cache_entries, cache_memory, negative_entries;
	uint32_t key_lifetime_max, negative_ttl;
	uint32_t zn_timeout, zn_window, zn_queue, zn_rate;
	uint32_t unknown_burst, unknown_rate;
	bool accept_2g;
	struct audit_items audit;
};

extern const struct conf_item agent_conf_items[];
extern const struct role agent_role;

/** A copy of its own, below mem_ctx, of who may ask. @param _clients  written on true @return false: out of memory */
bool clients_copy(TALLOC_CTX *mem_ctx, const struct conf_groups *clients, struct conf_groups *_clients);
/** Take over what can change under way, but for clients: limits and life times. */
void agent_conf_renew(struct agent_conf *conf, const struct agent_conf *fresh);
/** Checks between items; finds users and groups. */
enum gba_err agent_conf_check(const void *conf, struct conf_error *_error);

#endif
