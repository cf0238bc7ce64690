/* SPDX-License-Identifier: Apache-2.0 */
/* The records of the trust registry, for this tool: gba-ctl registry ... */
#include <errno.h>
#include <unistd.h>

#include "registry-fn/record/rules.h"
#include "tools/gba-ctl/rec.h"

#define REGISTRY_CONF GBA_SYSCONFDIR "/registry.conf"

/* The registry's rules ask its configuration, so that it is needed and not its paths alone. */
static enum gba_err conf_read(struct ctl *ctl, struct registry_conf **_conf)
{
	const char *path = ctl->config != NULL ? ctl->config : REGISTRY_CONF;
	struct conf_error error = { "out of memory" };
	struct registry_conf *conf = talloc_zero(ctl->cli.ctx, struct registry_conf);

	if (conf == NULL || conf_load(ctl->cli.ctx, "registry", path, registry_conf_items, conf, &error) != GBA_OK ||
	    registry_conf_check(conf, &error) != GBA_OK)
		return why_fail(&ctl->cli.why, GBA_E_CONF, "%s", error.text);
	conf->database = ctl->db != NULL ? ctl->db : conf->database;
	conf->kek_file = ctl->kek != NULL ? ctl->kek : conf->kek_file;
	*_conf = conf;
	return GBA_OK;
}

static enum gba_err records_of_registry(struct rec *r, bool change)
{
	struct ctl *ctl = r->ctl;
	struct registry_conf *conf = NULL;
	struct registry *registry = NULL;
	const char *error = "";
	enum gba_err err = conf_read(ctl, &conf);

	if (err != GBA_OK)
		return err;
	ctl->db = conf->database;
	if (!change && !r->args->dry_run && !db_is_server(ctl->db) && access(ctl->db, F_OK) != 0)
		return why_fail(&ctl->cli.why, GBA_E_UNREACHABLE, "%s: %s", ctl->db, strerror(errno));
	err = registry_open(ctl->cli.ctx, conf, &registry, &error);
	if (err == GBA_OK)
		err = registry_records(ctl->cli.ctx, registry, &r->m, &error);
	return err == GBA_OK ? GBA_OK : why_fail(&ctl->cli.why, err, "%s", error);
}

/* A device by its RegDevID, in any form. */
static enum gba_err find_device(struct rec *r, const struct record_kind *kind, struct bytes text, struct record **_rec)
{
	int64_t id = 0;
	enum gba_err err;

	if (kind->id != REG_DEVICE)
		return GBA_E_UNSUPPORTED;
	err = reg_device_by_regdevid(r->m, text, &id);
	if (err == GBA_OK && id == 0) {
		snprintf(r->call.why, sizeof(r->call.why), "no device has this RegDevID");
		return GBA_E_NOT_FOUND;
	}
	return err == GBA_OK ? records_get(r->m, &r->call, REG_DEVICE, id, _rec) : err;
}

const struct rec_family rec_registry = {
	.prefix = "registry ",
	.set = &registry_set,
	.roles = 1U << REG_ROLE_ADMIN | 1U << REG_ROLE_PRIVACY | 1U << REG_ROLE_BULK | 1U << REG_ROLE_AGENCY,
	.role = REG_ROLE_ADMIN,
	.find = find_device,
	.open = records_of_registry,
};
