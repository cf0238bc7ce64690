/* SPDX-License-Identifier: Apache-2.0 */
/* bsf.fdx: load and unload. */
#include <sys/stat.h>

#include "bsf/glue.h"
#include "bsf/node.h"
#include "bsf/opc.h"
#include "bsf/rpb.h"
#include "core/log.h"
#include "core/secret.h"
#include "dia/zh.h"
#include "dia/zn.h"

#define DECLARATIONS_MAX 4096 /* applications that declare something of themselves */

static struct {
	TALLOC_CTX *root;
	struct bsf_conf *conf;
	struct hss *zh;
	struct agents *agents;
	struct declared *declared;
	struct node *node;
	struct audit *audit;
	struct bsf_zn *zn;
	struct revoker *revoker;
	struct reporter *reporter;
	struct bsf_rpb *rpb;
	struct bsf_opc *opc;
} ext;

static enum gba_err conf_read(const char *path, struct conf_error *_error)
{
	enum gba_err err;

	ext.conf = talloc_zero(ext.root, struct bsf_conf);
	if (ext.conf == NULL)
		return GBA_E_NOMEM;
	err = conf_load(ext.root, "bsf", path, bsf_conf_items, ext.conf, _error);
	if (err == GBA_OK)
		err = bsf_conf_check(ext.conf, _error);
	return err == GBA_OK ? conf_common_apply("bsf", &ext.conf->common, _error) : err;
}

static enum gba_err diameter_resolve(struct conf_error *_error)
{
	enum gba_err err = zh_resolve();

	if (err == GBA_OK)
		err = zn_resolve();
	if (err == GBA_OK)
		err = bsf_rpb_resolve();
	if (err == GBA_OK)
		err = bsf_rpa_new(ext.root, ext.conf, ext.audit, &ext.agents);
	if (err != GBA_OK)
		snprintf(_error->text, sizeof(_error->text), "dictionary: load dict_gba.fdx before bsf.fdx");
	return err;
}

static enum gba_err audit_start(struct conf_error *_error)
{
	const char *why = "out of memory", *beside = talloc_asprintf(ext.root, "%s/audit.log", ext.conf->store_dir);
	enum gba_err err = GBA_E_NOMEM;

	(void)mkdir(ext.conf->store_dir, 0700); /* at the first start; the store says what is wrong with it */
	if (beside != NULL)
		err = audit_open_items(ext.root, &ext.conf->audit, beside, ext.conf->name, &ext.audit, &why);
	if (err != GBA_OK)
		snprintf(_error->text, sizeof(_error->text), "%s", why);
	return err;
}

static enum gba_err notices_start(const char **_why)
{
	struct revoker_parts parts = { ext.conf, node_store(ext.node), node_ub(ext.node), ext.agents };
	enum gba_err err;

	*_why = "RPB cannot be served";
	err = revoker_new(ext.root, &parts, &ext.revoker);
	if (err != GBA_OK)
		return err;
	node_revoker(ext.node, ext.revoker);
	return bsf_rpb_start(ext.root, ext.conf, ext.revoker, &ext.rpb);
}

static enum gba_err start(const char *path, struct conf_error *_error)
{
	const char *why = "out of memory";
	struct grant_parts parts;
	enum gba_err err;

	err = conf_read(path, _error);
	if (err == GBA_OK)
		err = audit_start(_error);
	if (err == GBA_OK)
		err = diameter_resolve(_error);
	if (err != GBA_OK)
		return err;
	ext.zh = bsf_zh_new(ext.root, ext.conf);
	ext.declared = declared_new(ext.root, DECLARATIONS_MAX);
	err = ext.zh != NULL && ext.declared != NULL ? GBA_OK : GBA_E_NOMEM;
	if (err == GBA_OK)
		err = bsf_opc_start(ext.root, ext.conf, ext.zh, &ext.opc);
	if (err == GBA_OK && ext.conf->token_reports)
		err = reporter_new(ext.root, ext.conf, &(struct report_port){ bsf_rpb_report, NULL }, &ext.reporter);
	if (err == GBA_OK)
		err = node_start(ext.root, ext.conf, ext.zh, ext.agents, &ext.node, &why);
	if (err == GBA_OK) {
		ub_reporter(node_ub(ext.node), ext.reporter);
		parts = (struct grant_parts){ ext.conf, node_store(ext.node), ext.declared, bsf_conf_any_single(ext.conf) };
		why = "Zn cannot be served";
		err = bsf_zn_start(ext.root, &parts, ext.audit, ext.reporter, &ext.zn);
	}
	if (err == GBA_OK)
		err = notices_start(&why);
	if (err != GBA_OK)
		snprintf(_error->text, sizeof(_error->text), "%s", why);
	return err;
}

static void stop(void)
{
	if (ext.node != NULL)
		node_drain(ext.node);
	if (ext.zn != NULL)
		bsf_zn_stop(ext.zn);
	bsf_rpb_stop(ext.rpb);
	if (ext.node != NULL)
		node_revoker(ext.node, NULL);
	revoker_stop(ext.revoker);
	reporter_stop(ext.reporter);
	dia_requests_stop();
	bsf_opc_stop(ext.opc);
	if (ext.node != NULL)
		node_stop(ext.node);
	reporter_free(ext.reporter);
	audit_close(ext.audit);
	talloc_free(ext.root);
	memset(&ext, 0, sizeof(ext));
}

static int bsf_entry(char *conffile)
{
	struct conf_error error = { "out of memory" };
	enum gba_err err;

	secret_init();
	ext.root = talloc_named_const(NULL, 0, "bsf");
	err = conffile != NULL ? start(conffile, &error) : GBA_E_CONF;
	if (err == GBA_OK) {
		log_event(LOG_L_INFO, "bsf.start", NULL, "serving %s", ext.conf->name);
		return 0;
	}
	log_event(LOG_L_ERROR, "bsf.start", NULL, "%s",
		  conffile != NULL ? error.text : "LoadExtension names no configuration file");
	stop();
	return EINVAL;
}

EXTENSION_ENTRY("bsf", bsf_entry, "dict_gba", "gba_guard");

void fd_ext_fini(void);
void fd_ext_fini(void)
{
	stop();
	log_close();
}
