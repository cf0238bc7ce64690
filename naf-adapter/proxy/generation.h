/* SPDX-License-Identifier: Apache-2.0 */
/** A snapshot of the configuration as one worker uses it: its sites with their pools of connections, its TLS contexts. Made by the
 * main thread, handed over, from then on its worker's alone. Each connection holds the one its work began with, and goes on to
 * the one in force between two requests. */
#ifndef GBA_PROXY_GENERATION_H
#define GBA_PROXY_GENERATION_H

#include "core/ident.h"
#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/proxy/snapshot.h"
#include "naf-adapter/proxy/tls.h"
#include "naf-adapter/proxy/upstream.h"

struct worker;

/** A site in one worker. */
struct site {
	const struct site_conf *conf;
	size_t index;
	char fqdn[FQDN_MAX + 1]; /* lower case */
	uint32_t gsids[GBA_NAF_GSID_MAX];
	size_t gsid_count;
	struct upstream_pool pool;
};

struct listener {
	const struct listener_conf *conf;
	struct site *default_site; /* NULL: none */
};

struct generation {
	unsigned int refs;
	struct snapshot *snapshot;
	const struct proxy_conf *conf; /* of the snapshot */
	struct site *sites;
	size_t site_count;
	struct listener *listeners;
	size_t listener_count;
	struct tls_set *tls;
	int *fds; /* per listener: its listening socket, when it is new; -1: open already, or taken over */
};

/** Reads certificates and keys. The worker is not touched: its members that never change are used.
 * @param _error  text for the operator below the snapshot, on failure */
enum gba_err generation_new(struct worker *worker, struct snapshot *snapshot, struct generation **_gen, const char **_error);
/** Of its worker's thread only, once handed over. */
struct generation *generation_ref(struct generation *gen);
void generation_unref(struct generation *gen);

/** Site of a name, no case; NULL: none. */
struct site *generation_site(const struct generation *gen, struct bytes fqdn);
/** The listener of the same address that takes connections of the same kind; NULL: none. */
const struct listener *generation_listener(const struct generation *gen, const struct listener_conf *conf);
/** The same, of whatever kind. */
const struct listener *generation_same_address(const struct generation *gen, const struct listener_conf *conf);
/** Kept connections to applications that are where they were go on; the old ones' others end. */
void generation_inherit(struct generation *gen, struct generation *old);
/** Do answers of the agent about this site still hold? Not when other services are asked about. */
bool generation_same_question(const struct site *site, const struct generation *old);

#endif
