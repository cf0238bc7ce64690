/* SPDX-License-Identifier: Apache-2.0 */
/* hss_stub.fdx: load and unload. */
#include "core/log.h"
#include "core/mask.h"
#include "core/secret.h"
#include "core/trace.h"
#include "dia/zh.h"
#include "hss-stub/api/api.h"
#include "hss-stub/certs.h"
#include "hss-stub/opc.h"
#include "hss-stub/rpb.h"
#include "hss-stub/zh.h"
#include "http/server.h"

static struct {
	TALLOC_CTX *root;
	struct hss_conf *conf;
	struct kek *kek;
	struct auc *auc;
	struct audit *audit;
	struct hss_zh *zh;
	struct permissions *permissions;
	struct hss_rpb *rpb;
	struct hss_certs *certs;
	struct api *api;
	struct hss_opc *opc;
	struct http_server *metrics;
} ext;

static enum gba_err conf_read(const char *path, struct conf_error *_error)
{
	enum gba_err err;

	ext.conf = talloc_zero(ext.root, struct hss_conf);
	if (ext.conf == NULL)
		return GBA_E_NOMEM;
	err = conf_load(ext.root, "hss", path, hss_conf_items, ext.conf, _error);
	if (err == GBA_OK)
		err = hss_conf_check(ext.conf, _error);
	return err == GBA_OK ? conf_common_apply("hss-stub", &ext.conf->common, _error) : err;
}

static bool ready(void *arg, const char **_missing)
{
	(void)arg;
	*_missing = "subscriber database";
	return auc_state(ext.auc) == GBA_OK;
}

static enum gba_err audit_start(const char **_why)
{
	const char *beside = hss_conf_audit_log(ext.root, ext.conf->database);

	*_why = gba_strerror(GBA_E_NOMEM);
	if (beside == NULL)
		return GBA_E_NOMEM;
	return audit_open_items(ext.root, &ext.conf->audit, beside, fd_g_config->cnf_diamid, &ext.audit, _why);
}

static enum gba_err door_open(const char **_why)
{
	const struct api_node node = { ext.conf->database, fd_g_config->cnf_diamid, ext.kek, ext.audit };
	enum gba_err err = api_start(ext.root, &ext.conf->api, &node, &ext.api, _why);

	if (err == GBA_OK)
		log_event(LOG_L_INFO, "hss.api", NULL, "REST API on port %u", api_port(ext.api));
	return err;
}

/* Changes of operator, when hss.conf speaks of them. */
static enum gba_err opc_start(const char **_why)
{
	if (ext.conf->operator_key[0] == '\0')
		return GBA_OK;
	return hss_opc_start(ext.root, ext.conf, ext.kek, ext.audit, &ext.opc, _why);
}

static enum gba_err start(const char *path, struct conf_error *_error)
{
	const char *why = "load dict_gba.fdx before hss_stub.fdx";
	enum gba_err err;

	err = conf_read(path, _error);
	if (err != GBA_OK)
		return err;
	err = zh_resolve();
	if (err == GBA_OK)
		err = hss_rpb_resolve();
	if (err == GBA_OK)
		err = hss_open(ext.root, ext.conf, &ext.kek, &ext.auc, &why);
	if (err == GBA_OK)
		err = audit_start(&why);
	if (err == GBA_OK)
		err = permissions_open(ext.root, ext.conf->database, ext.kek, &ext.permissions, &why);
	if (err == GBA_OK) {
		const struct hss_zh_parts parts = { ext.conf, ext.auc, ext.audit, ext.permissions };

		why = "Zh cannot be served";
		err = hss_zh_start(ext.root, &parts, &ext.zh);
	}
	if (err == GBA_OK)
		err = hss_rpb_start(ext.root, ext.conf, ext.kek, ext.permissions, &ext.rpb, &why);
	if (err == GBA_OK && ext.rpb != NULL) {
		const struct hss_certs_parts parts = { ext.conf, ext.kek, ext.permissions, ext.audit };

		err = hss_certs_start(ext.root, &parts, &ext.certs, &why);
	}
	if (err == GBA_OK && ext.conf->api.rest.listen[0] != '\0')
		err = door_open(&why);
	if (err == GBA_OK)
		err = opc_start(&why);
	if (err == GBA_OK && ext.conf->metrics_listen[0] != '\0')
		err = http_metrics_start(ext.root, ext.conf->metrics_listen, ready, NULL, &ext.metrics, &why);
	if (err != GBA_OK)
		snprintf(_error->text, sizeof(_error->text), "%s", why);
	return err;
}

static void stop(void)
{
	if (ext.metrics != NULL)
		http_server_stop(ext.metrics, 1000);
	if (ext.api != NULL)
		api_stop(ext.api);
	hss_certs_stop(ext.certs);
	hss_rpb_stop(ext.rpb);
	if (ext.opc != NULL)
		hss_opc_stop(ext.opc);
	if (ext.zh != NULL)
		hss_zh_stop(ext.zh);
	if (ext.auc != NULL)
		auc_close(ext.auc);
	audit_close(ext.audit);
	talloc_free(ext.root);
	memset(&ext, 0, sizeof(ext));
}

static int hss_entry(char *conffile)
{
	struct conf_error error = { "out of memory" };
	enum gba_err err = GBA_E_CONF;
	char shown[MASK_MAX];

	secret_init();
	ext.root = talloc_named_const(NULL, 0, "hss-stub");
	if (conffile == NULL)
		snprintf(error.text, sizeof(error.text), "LoadExtension names no configuration file");
	else if (ext.root != NULL)
		err = start(conffile, &error);
	if (err == GBA_OK) {
		log_event(LOG_L_INFO, "hss.start", NULL, "serving %s to %zu BSFs", mask_password(ext.conf->database, shown),
			  ext.conf->bsfs.n);
		return 0;
	}
	log_event(LOG_L_ERROR, "hss.start", NULL, "%s", error.text);
	stop();
	return EINVAL;
}

EXTENSION_ENTRY("hss_stub", hss_entry, "dict_gba", "gba_guard");

void fd_ext_fini(void);
void fd_ext_fini(void)
{
	stop();
	trace_close();
	log_close();
}
