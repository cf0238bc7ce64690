/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "core/metrics.h"
#include "dia/dia_internal.h"

struct dia_service {
	dia_handler handler;
	void *arg;
	struct disp_hdl *hdl;
};

static int on_request(struct msg **msg, struct avp *avp, struct session *sess, void *opaque, enum disp_action *action)
{
	struct dia_service *service = opaque;
	struct msg *request = *msg;

	(void)avp, (void)sess;
	*msg = NULL; /* ours from here: an error returned now would leave the request without answer */
	*action = DISP_ACT_CONT;
	service->handler(request, service->arg);
	return 0;
}

static int service_free(struct dia_service *service)
{
	if (service->hdl != NULL)
		(void)fd_disp_unregister(&service->hdl, NULL);
	return 0;
}

/* For /metrics, and for the guard's /readyz: what is served, or optional, needs no peer to be ready. */
static void note(const char *name, const char *help, uint32_t app)
{
	char labels[64];

	snprintf(labels, sizeof(labels), "application=\"%u\"", app);
	metric_set(metric_get(name, help, METRIC_GAUGE, labels), 1);
}

void dia_app_optional(uint32_t app)
{
	note("gba_diameter_optional", "1 for applications that this process asks where a peer has them", app);
}

enum gba_err dia_serve(TALLOC_CTX *mem_ctx, const struct dia_cmd *cmd, dia_handler handler, void *arg,
		       struct dia_service **_service)
{
	struct disp_when when = { .app = cmd->app_model, .command = cmd->model };
	struct dia_service *service = talloc_zero(mem_ctx, struct dia_service);

	if (service == NULL)
		return GBA_E_NOMEM;
	service->handler = handler;
	service->arg = arg;
	if (fd_disp_register(on_request, DISP_HOW_CC, &when, service, &service->hdl) != 0) {
		talloc_free(service);
		return GBA_E_NOMEM;
	}
	talloc_set_destructor(service, service_free);
	note("gba_diameter_served", "1 for applications that this process serves", cmd->app);
	*_service = service;
	return GBA_OK;
}

void dia_serve_stop(struct dia_service *service)
{
	talloc_free(service);
}

static struct bytes octets_of(struct msg *msg, uint32_t code)
{
	struct avp *avp = dia_find(msg, code);
	struct avp_hdr *hdr = avp != NULL ? dia_hdr(avp) : NULL;

	return hdr != NULL && hdr->avp_value != NULL ? BYTES(hdr->avp_value->os.data, hdr->avp_value->os.len) : BYTES_NONE;
}

struct bytes dia_origin_host(struct msg *msg)
{
	return octets_of(msg, AVP_ORIGIN_HOST);
}

struct bytes dia_origin_realm(struct msg *msg)
{
	return octets_of(msg, AVP_ORIGIN_REALM);
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

bool dia_peer_ready(uint32_t app)
{
	struct fd_list *li;
	bool ready = false;

	if (pthread_rwlock_rdlock(&fd_g_peers_rw) != 0)
		return false;
	for (li = fd_g_peers.next; !ready && li != &fd_g_peers; li = li->next) {
		struct peer_hdr *peer = (struct peer_hdr *)li->o;

		ready = fd_peer_get_state(peer) == STATE_OPEN && supports(peer, app);
	}
	pthread_rwlock_unlock(&fd_g_peers_rw);
	return ready;
}

/* The open peer of this identity; fd_g_peers_rw is held. NULL: none. */
static struct peer_hdr *open_peer(struct bytes identity)
{
	struct fd_list *li;

	for (li = fd_g_peers.next; li != &fd_g_peers; li = li->next) {
		struct peer_hdr *peer = (struct peer_hdr *)li->o;

		if (fd_peer_get_state(peer) == STATE_OPEN &&
		    bytes_eq_nocase(identity, BYTES(peer->info.pi_diamid, peer->info.pi_diamidlen)))
			return peer;
	}
	return NULL;
}

enum dia_peer dia_peer_of(struct bytes identity, uint32_t app)
{
	struct peer_hdr *peer;
	enum dia_peer found = DIA_PEER_AWAY;

	if (pthread_rwlock_rdlock(&fd_g_peers_rw) != 0)
		return DIA_PEER_AWAY;
	peer = open_peer(identity);
	if (peer != NULL)
		found = supports(peer, app) ? DIA_PEER_ABLE : DIA_PEER_PLAIN;
	pthread_rwlock_unlock(&fd_g_peers_rw);
	return found;
}

void dia_peer_realm(struct bytes identity, TALLOC_CTX *mem_ctx, struct bytes *_realm)
{
	struct peer_hdr *peer;
	uint8_t *copy = NULL;
	size_t n = 0;

	if (pthread_rwlock_rdlock(&fd_g_peers_rw) != 0)
		return;
	peer = open_peer(identity);
	if (peer != NULL && peer->info.runtime.pir_realm != NULL) {
		n = peer->info.runtime.pir_realmlen;
		copy = talloc_memdup(mem_ctx, peer->info.runtime.pir_realm, n);
	}
	pthread_rwlock_unlock(&fd_g_peers_rw);
	if (copy != NULL)
		*_realm = BYTES(copy, n);
}

bool dia_peer_secured(struct bytes identity)
{
	char info[128] = "";
	struct peer_hdr *peer;
	bool secured;

	if (pthread_rwlock_rdlock(&fd_g_peers_rw) != 0)
		return false;
	peer = open_peer(identity);
	/* Certificates are kept of connections that came in; of those we made the framework says "TCP,TLS,soc#7". */
	secured = peer != NULL && ((peer->info.runtime.pir_cert_list != NULL && peer->info.runtime.pir_cert_list_size > 0) ||
				   (fd_peer_cnx_proto_info(peer, info, sizeof(info)) == 0 && strstr(info, ",TLS,") != NULL));
	pthread_rwlock_unlock(&fd_g_peers_rw);
	return secured;
}

bool dia_tls_is_current(void)
{
	const unsigned int *versions = NULL;
	int i, n;

	if (fd_g_config->cnf_sec_data.prio_cache == NULL)
		return false;
	n = gnutls_priority_protocol_list(fd_g_config->cnf_sec_data.prio_cache, &versions);
	for (i = 0; i < n; i++) {
		if (versions[i] == GNUTLS_SSL3 || versions[i] == GNUTLS_TLS1_0 || versions[i] == GNUTLS_TLS1_1 ||
		    versions[i] == GNUTLS_DTLS1_0)
			return false;
	}
	return n > 0;
}
