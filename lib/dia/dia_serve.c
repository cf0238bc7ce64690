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

bool dia_app_shown(uint32_t app)
{
	struct fd_list *li;

	for (li = fd_g_config->cnf_apps.next; li != &fd_g_config->cnf_apps; li = li->next) {
		if (((struct fd_app *)li)->appid == app)
			return true;
	}
	return false;
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
