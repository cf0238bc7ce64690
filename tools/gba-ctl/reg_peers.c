/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl registry peers, sync, new-id: the bonds of a registry to others, how far each stream of events has come, and a RegID
 * for a child. Read from the database; the daemon may run. */
#include <stdlib.h>
#include <unistd.h>

#include "core/mask.h"
#include "registry-fn/log/event.h"
#include "registry-fn/registry.h"
#include "tools/gba-ctl/ctl.h"

#define REGISTRY_CONF GBA_SYSCONFDIR "/registry.conf"

/* The registry's database, and its log of events. */
struct bonds {
	struct registry_conf *conf;
	struct db *db;
	struct event_log *log;
};

static enum gba_err bonds_open(struct ctl *ctl, struct bonds *bonds)
{
	const char *path = ctl->config != NULL ? ctl->config : access(REGISTRY_CONF, R_OK) == 0 ? REGISTRY_CONF : NULL, *why = "";
	struct conf_error error = { "out of memory" };
	struct event_self self = { 0 };
	enum gba_err err;

	bonds->conf = talloc_zero(ctl->cli.ctx, struct registry_conf);
	if (path == NULL)
		return why_fail(&ctl->cli.why, GBA_E_CONF, "name the registry's configuration: --config registry.conf");
	if (bonds->conf == NULL || conf_load(ctl->cli.ctx, "registry", path, registry_conf_items, bonds->conf, &error) != GBA_OK ||
	    registry_conf_check(bonds->conf, &error) != GBA_OK)
		return why_fail(&ctl->cli.why, GBA_E_CONF, "%s", error.text);
	if (ctl->db != NULL)
		bonds->conf->database = ctl->db;
	err = registry_store(ctl->cli.ctx, bonds->conf, &bonds->db, &why);
	if (err != GBA_OK)
		return why_fail(&ctl->cli.why, err, "%s", why);
	self.reg_id = bonds->conf->reg_id;
	self.type = (enum registry_type)bonds->conf->reg_type;
	return ctl_fail_err(ctl, event_log_open(ctl->cli.ctx, bonds->db, &self, &bonds->log), "events");
}

/* ---- peers ---- */

static const char *const bond_words[] = { "parent", "child", "peer" };

static enum gba_err peer_write(struct writer *out, struct bonds *bonds, struct db_stmt *stmt)
{
	int64_t bond = db_col_int(stmt, 2);
	struct event_registry known = { .type = REGISTRY_PRIMARY };
	char reg_id[REGID_MAX + 1];
	enum gba_err err;

	snprintf(reg_id, sizeof(reg_id), "%.*s", BYTES_FMT(db_col_text(stmt, 0)));
	err = event_registry_find(bonds->log, reg_id, &known);
	writer_text(out, "registry", bytes_of(reg_id));
	writer_text(out, "host", db_col_text(stmt, 1));
	writer_text(out, "bond", bytes_of(bond >= 0 && bond < 3 ? bond_words[bond] : "?"));
	writer_text(out, "type", err == GBA_OK ? bytes_of(registry_type_names[known.type]) : BYTES_NONE);
	writer_text(out, "state", db_col_text(stmt, 3));
	writer_time(out, "heard", db_col_int(stmt, 4));
	writer_int(out, "behind", db_col_int(stmt, 5));
	writer_text(out, "error", db_col_text(stmt, 6).n > 0 ? db_col_text(stmt, 6) : BYTES_NONE);
	writer_end(out);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

static enum gba_err cmd_registry_peers(struct cli *cli, void *args)
{
	static const char sql[] = "SELECT reg_id, host, bond, state, heard, behind, error FROM peering ORDER BY reg_id";
	struct ctl *ctl = (struct ctl *)cli;
	struct bonds bonds = { 0 };
	struct db_stmt *stmt;
	bool row = true;
	enum gba_err err;

	(void)args;
	writer_prefer(cli->out, WRITER_TABLE);
	err = bonds_open(ctl, &bonds);
	if (err != GBA_OK)
		return err;
	err = db_prepare(bonds.db, sql, &stmt);
	while (err == GBA_OK) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		err = peer_write(cli->out, &bonds, stmt);
	}
	return ctl_fail_err(ctl, err, bonds.conf->database);
}

/* ---- sync ---- */

static enum gba_err cmd_registry_sync(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	struct event_have *haves = NULL;
	struct bonds bonds = { 0 };
	size_t n = 0, i;
	enum gba_err err;

	(void)args;
	writer_prefer(cli->out, WRITER_TABLE);
	err = bonds_open(ctl, &bonds);
	if (err != GBA_OK)
		return err;
	err = event_haves(bonds.log, cli->ctx, &haves, &n);
	for (i = 0; i < n && err == GBA_OK; i++) {
		writer_text(cli->out, "origin", bytes_of(haves[i].origin));
		writer_text(cli->out, "class", bytes_of(event_class_names[haves[i].class]));
		writer_int(cli->out, "events", haves[i].number);
		writer_end(cli->out);
	}
	return ctl_fail_err(ctl, err, bonds.conf->database);
}

/* ---- new-id ---- */

static enum gba_err cmd_registry_new_id(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	struct bonds bonds = { 0 };
	char reg_id[REGID_MAX + 1], *end = NULL;
	unsigned long length = strtoul(cli->operands[0], &end, 10);
	enum gba_err err;

	(void)args;
	if (*end != '\0' || length < 1 || length >= REGID_MAX)
		return why_fail(&cli->why, GBA_E_SYNTAX, "LENGTH: characters behind the parent's RegID, 1 to %d", REGID_MAX - 1);
	err = bonds_open(ctl, &bonds);
	if (err != GBA_OK)
		return err;
	err = event_registry_free_id(bonds.log, (unsigned int)length, reg_id);
	if (err == GBA_OK) {
		writer_text(cli->out, "reg-id", bytes_of(reg_id));
		writer_end(cli->out);
	}
	return ctl_fail_err(ctl, err, bonds.conf->reg_id);
}

const struct cli_cmd ctl_registry_peer_commands[] = {
	{ "registry peers", "", 0, 0, NULL, 0, NULL, cmd_registry_peers,
	  "The registry's neighbours: bond, state of the link, events they lack" },
	{ "registry sync", "", 0, 0, NULL, 0, NULL, cmd_registry_sync, "How many events of each registry and class have arrived" },
	{ "registry new-id", "LENGTH", 1, 1, NULL, 0, NULL, cmd_registry_new_id,
	  "A free RegID for a child: the registry's own and LENGTH characters more" },
	CLI_CMD_END,
};
