/* SPDX-License-Identifier: Apache-2.0 */
/* naf.fdx: the agent of the application element as an extension of freeDiameter. */
#include <freeDiameter/extension.h>
#include <sys/stat.h>

#include "core/log.h"
#include "core/secret.h"
#include "core/trace.h"
#include "dia/zn.h"
#include "naf-adapter/agent/hangup.h"
#include "naf-adapter/agent/rpa.h"
#include "naf-adapter/agent/zn.h"

static TALLOC_CTX *root;
static struct local *local;
static struct audit *audit;

static int refuse(const char *event, const char *what, const char *why)
{
	log_event(LOG_L_ERROR, event, NULL, "%s: %s", what, why);
	zn_deliver_to(NULL);
	audit_close(audit);
	talloc_free(root);
	root = NULL;
	local = NULL;
	audit = NULL;
	return EINVAL;
}

/* Who writes is the Diameter node. */
static enum gba_err audit_start(const struct agent_conf *conf, const char **_why)
{
	if (conf->audit.log[0] == '\0')
		(void)mkdir(GBA_LOCALSTATEDIR "/naf", 0700); /* at the first start; audit_open() says what is wrong with it */
	*_why = "out of memory";
	return audit_open_items(root, &conf->audit, GBA_LOCALSTATEDIR "/naf/audit.log", fd_g_config->cnf_diamid, &audit, _why);
}

static int naf_entry(char *conf_file)
{
	struct conf_error error = { "" };
	struct agent_conf *conf;
	const char *why;
	enum gba_err err;

	secret_init();
	root = talloc_named_const(NULL, 0, "naf");
	conf = talloc_zero(root, struct agent_conf);
	if (conf == NULL)
		return ENOMEM;
	if (conf_file == NULL)
		conf_file = (char *)(uintptr_t)GBA_SYSCONFDIR "/naf.conf";
	if (conf_load(root, agent_role.name, conf_file, agent_conf_items, conf, &error) != GBA_OK ||
	    agent_conf_check(conf, &error) != GBA_OK || conf_common_apply(agent_role.name, &conf->common, &error) != GBA_OK)
		return refuse("naf.conf", conf_file, error.text);
	err = zn_resolve();
	if (err == GBA_OK)
		err = rpa_load();
	if (err != GBA_OK)
		return refuse("naf.zn", "dictionary: dict_gba.fdx has to be loaded first", gba_strerror(err));
	if (audit_start(conf, &why) != GBA_OK)
		return refuse("naf.audit", "audit log", why);
	if (local_new(root, conf, zn_port_get(conf), audit, &local, &why) != GBA_OK)
		return refuse("naf.socket", conf->socket, why);
	zn_deliver_to(local);
	local_wait_for(local, zn_ready);
	err = local_start(local);
	if (err == GBA_OK)
		err = rpa_start(root, conf, local);
	if (err == GBA_OK)
		err = hangup_start(talloc_strdup(root, conf_file), conf, local);
	if (err != GBA_OK)
		return refuse("naf.thread", "start", gba_strerror(err));
	log_event(LOG_L_INFO, "naf.start", NULL, "serving %s", conf->socket);
	return 0;
}

/* The thread first, then the requests it made: their last answers go nowhere. */
void fd_ext_fini(void);
void fd_ext_fini(void)
{
	hangup_stop();
	rpa_stop();
	local_stop(local);
	zn_deliver_to(NULL);
	zn_stop();
	audit_close(audit);
	log_event(LOG_L_INFO, "naf.stop", NULL, "stopped");
	talloc_free(root);
	trace_close();
	log_close();
	root = NULL;
	local = NULL;
	audit = NULL;
}

EXTENSION_ENTRY("naf", naf_entry, "dict_gba", "gba_guard");
