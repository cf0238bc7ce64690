/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the peers that are connected. Their own threads write it, and free it when they come again; but the first
 * thing such a thread does when a peer is no longer open is to take it off the core's list of open ones. So who goes along
 * that list and holds its lock has what it finds there until it lets go. */
#include <stdio.h>
#include <string.h>

#include "dia/dia_internal.h"

/* The core's own, in no header of it. */
extern struct fd_list fd_g_activ_peers;
extern pthread_rwlock_t fd_g_activ_peers_rw;

/* @return the first open peer for which look() is true is there */
static bool look_for(bool (*look)(struct peer_hdr *, void *), void *arg)
{
	struct fd_list *li;
	bool found = false;

	if (pthread_rwlock_rdlock(&fd_g_activ_peers_rw) != 0)
		return false;
	for (li = fd_g_activ_peers.next; !found && li != &fd_g_activ_peers; li = li->next) {
		struct peer_hdr *peer = li->o;

		found = fd_peer_get_state(peer) == STATE_OPEN && look(peer, arg);
	}
	pthread_rwlock_unlock(&fd_g_activ_peers_rw);
	return found;
}

static bool supports(struct peer_hdr *peer, uint32_t app)
{
	struct fd_list *li, *apps = &peer->info.runtime.pir_apps;

	if (peer->info.runtime.pir_relay)
		return true;
	for (li = apps->next; li != apps; li = li->next) {
		if (((struct fd_app *)li)->appid == app)
			return true;
	}
	return false;
}

static bool look_ready(struct peer_hdr *peer, void *arg)
{
	return supports(peer, *(const uint32_t *)arg);
}

bool dia_peer_ready(uint32_t app)
{
	return look_for(look_ready, &app);
}

/* One peer, by its identity, and what is asked of it. */
struct one {
	struct bytes identity;
	uint32_t app;
	bool able, secured;
	TALLOC_CTX *mem_ctx;
	uint8_t *realm;
	size_t realm_n;
};

static bool is_it(const struct peer_hdr *peer, const struct one *one)
{
	return bytes_eq_nocase(one->identity, BYTES(peer->info.pi_diamid, peer->info.pi_diamidlen));
}

static bool look_able(struct peer_hdr *peer, void *arg)
{
	struct one *one = arg;

	if (!is_it(peer, one))
		return false;
	one->able = supports(peer, one->app);
	return true;
}

enum dia_peer dia_peer_of(struct bytes identity, uint32_t app)
{
	struct one one = { .identity = identity, .app = app };

	if (!look_for(look_able, &one))
		return DIA_PEER_AWAY;
	return one.able ? DIA_PEER_ABLE : DIA_PEER_PLAIN;
}

static bool look_realm(struct peer_hdr *peer, void *arg)
{
	struct one *one = arg;

	if (!is_it(peer, one))
		return false;
	if (peer->info.runtime.pir_realm != NULL) {
		one->realm_n = peer->info.runtime.pir_realmlen;
		one->realm = talloc_memdup(one->mem_ctx, peer->info.runtime.pir_realm, one->realm_n);
	}
	return true;
}

void dia_peer_realm(struct bytes identity, TALLOC_CTX *mem_ctx, struct bytes *_realm)
{
	struct one one = { .identity = identity, .mem_ctx = mem_ctx };

	if (look_for(look_realm, &one) && one.realm != NULL)
		*_realm = BYTES(one.realm, one.realm_n);
}

/* Certificates are kept of connections that came in; of those we made the framework says "TCP,TLS,soc#7". */
static bool look_secured(struct peer_hdr *peer, void *arg)
{
	struct one *one = arg;
	char info[128] = "";

	if (!is_it(peer, one))
		return false;
	one->secured = (peer->info.runtime.pir_cert_list != NULL && peer->info.runtime.pir_cert_list_size > 0) ||
		       (fd_peer_cnx_proto_info(peer, info, sizeof(info)) == 0 && strstr(info, ",TLS,") != NULL);
	return true;
}

bool dia_peer_secured(struct bytes identity)
{
	struct one one = { .identity = identity };

	return look_for(look_secured, &one) && one.secured;
}
