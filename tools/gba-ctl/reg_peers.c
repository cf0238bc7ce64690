/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl registry peers, sync, new-id, revoke, key-change: the bonds of a registry to others, how far each stream of events has
 * come, a RegID for a child, and keys that are trusted no more. */
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/codec.h"
#include "core/mask.h"
#include "registry-fn/log/event.h"
#include "registry-fn/log/key_change.h"
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

/* ---- keys ---- */

struct revoke_args {
	bool all;
};
static const struct cli_opt revoke_opts[] = {
	CLI_OPT_FLAG("--all", struct revoke_args, all, "Nothing it has signed is good, not even what has come until now"),
	CLI_OPT_END,
};

/* Our own key says it: to all, of a registry below us. */
static enum gba_err signer_open(struct ctl *ctl, struct bonds *bonds)
{
	struct event_self self = { bonds->conf->reg_id, (enum registry_type)bonds->conf->reg_type, NULL };
	struct sign_key *key = NULL;
	enum gba_err err = sign_key_open(ctl->cli.ctx, bonds->conf->key_file, false, &key);

	if (err != GBA_OK)
		return why_fail(&ctl->cli.why, err, "%s: %s", bonds->conf->key_file, gba_strerror(err));
	self.key = key;
	return ctl_fail_err(ctl, event_log_open(ctl->cli.ctx, bonds->db, &self, &bonds->log), "events");
}

static enum gba_err key_revoke(struct bonds *bonds, const char *reg_id, const uint8_t key[SIGN_PUBLIC_LEN], bool all)
{
	enum gba_err err = db_begin(bonds->db);

	if (err != GBA_OK)
		return err;
	err = event_registry_revoke(bonds->log, reg_id, key, !all, clock_now());
	if (err == GBA_OK)
		return db_commit(bonds->db);
	db_rollback(bonds->db);
	return err;
}

static enum gba_err cmd_registry_revoke(struct cli *cli, void *args)
{
	const char *reg_id = cli->operands[0], *hex = cli->operands[1];
	struct ctl *ctl = (struct ctl *)cli;
	struct bonds bonds = { 0 };
	uint8_t key[SIGN_PUBLIC_LEN];
	enum gba_err err;

	if (!regid_valid(bytes_of(reg_id)) || hex_decode(bytes_of(hex), key, sizeof(key)) != GBA_OK)
		return why_fail(&cli->why, GBA_E_SYNTAX, "REGID is A-Z and 0-9, KEY 64 hex digits");
	err = bonds_open(ctl, &bonds);
	if (err == GBA_OK && strcmp(reg_id, bonds.conf->reg_id) == 0)
		return why_fail(&cli->why, GBA_E_SYNTAX, "%s is this registry: who stands above it revokes its key", reg_id);
	if (err == GBA_OK)
		err = signer_open(ctl, &bonds);
	if (err != GBA_OK)
		return err;
	err = key_revoke(&bonds, reg_id, key, ((struct revoke_args *)args)->all);
	if (err == GBA_OK) {
		writer_text(cli->out, "revoked", bytes_of(reg_id));
		writer_text(cli->out, "key", bytes_of(hex));
		writer_end(cli->out);
	}
	return ctl_fail_err(ctl, err, reg_id);
}

static enum gba_err cmd_registry_key_change(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	struct bonds bonds = { 0 };
	struct key_change change;
	const char *why = "";
	enum gba_err err = bonds_open(ctl, &bonds);

	(void)args;
	if (err != GBA_OK)
		return err;
	err = registry_key_change(cli->ctx, bonds.conf, clock_now(), &change, &why);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s: %s", why, gba_strerror(err));
	writer_int(cli->out, "events", change.events);
	writer_int(cli->out, "heads", change.heads);
	writer_end(cli->out);
	return GBA_OK;
}

const struct cli_cmd ctl_registry_peer_commands[] = {
	{ "registry peers", "", 0, 0, NULL, 0, NULL, cmd_registry_peers,
	  "The registry's neighbours: bond, state of the link, events they lack" },
	{ "registry sync", "", 0, 0, NULL, 0, NULL, cmd_registry_sync, "How many events of each registry and class have arrived" },
	{ "registry new-id", "LENGTH", 1, 1, NULL, 0, NULL, cmd_registry_new_id,
	  "A free RegID for a child: the registry's own and LENGTH characters more" },
	{ "registry revoke", "REGID KEY", 2, 2, revoke_opts, sizeof(struct revoke_args), NULL, cmd_registry_revoke,
	  "Trust this key of another registry no more; below this one that is said to all registries" },
	{ "registry key-change", "", 0, 0, NULL, 0, NULL, cmd_registry_key_change,
	  "The key that stands in key-file becomes this registry's: all it has said is signed again; while the node does not run" },
	CLI_CMD_END,
};
