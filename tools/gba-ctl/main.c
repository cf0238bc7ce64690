/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "core/mask.h"
#include "hss-stub/hss.h"
#include "tools/gba-ctl/ctl.h"
#include "tools/gba-ctl/rec.h"

#define HSS_CONF GBA_SYSCONFDIR "/hss.conf"

static const struct cli_opt common_opts[] = {
	CLI_OPT_LETTER_TEXT('c', "--config", "FILE", struct ctl, config,
			    "Take the paths from this hss.conf (default " HSS_CONF " if it exists);"
			    " registry: from this registry.conf"),
	CLI_OPT_TEXT("--db", "FILE", struct ctl, db, "Database of subscribers, or postgres:... (default " HSS_DATABASE ")"),
	CLI_OPT_TEXT("--kek", "FILE", struct ctl, kek, "Key that seals keys (default " HSS_KEK_FILE ")"),
	CLI_OPT_TEXT("--why", "TEXT", struct ctl, reason, "Reason, for the audit log"),
	CLI_OPT_LETTER('j', "--json", struct ctl, cli.json, "Answer as JSON, one object per line"),
	CLI_OPT_FLAG("--csv", struct ctl, cli.csv, "Answer as CSV"),
	CLI_OPT_END,
};

static const struct cli_cmd other_commands[] = {
	{ "completion", "", 0, 0, NULL, 0, NULL, cli_completion, "Print completion for bash: source <(gba-ctl completion)" },
	CLI_CMD_END,
};
/* The last place is for the commands on records, which are made from their tables. */
static const struct cli_cmd *commands[] = { ctl_subscriber_commands, ctl_audit_commands, ctl_key_commands, ctl_backup_commands,
					    ctl_ca_commands, ctl_change_commands, ctl_registry_audit_commands,
					    ctl_registry_token_commands, ctl_registry_peer_commands,
					    ctl_registry_letter_commands, ctl_registry_judging_commands,
					    ctl_registry_composite_commands,
					    other_commands, NULL, NULL };
#define RECORD_COMMANDS (sizeof(commands) / sizeof(commands[0]) - 2)

enum gba_err ctl_fail_err(struct ctl *ctl, enum gba_err err, const char *what)
{
	char shown[MASK_MAX];

	if (err == GBA_OK)
		return GBA_OK;
	return why_fail(&ctl->cli.why, err, "%s: %s", mask_password(what, shown), gba_strerror(err)); /* what: or a database */
}

/* The command line goes before the configuration, that before what is built in. */
static enum gba_err find_paths(struct cli *cli)
{
	struct ctl *ctl = (struct ctl *)cli;
	struct hss_conf *conf = talloc_zero(cli->ctx, struct hss_conf);
	const char *path = ctl->config, *db = HSS_DATABASE, *kek = HSS_KEK_FILE;
	struct conf_error error = { "out of memory" };

	if (path == NULL && access(HSS_CONF, R_OK) == 0 && (ctl->db == NULL || ctl->kek == NULL))
		path = HSS_CONF;
	if (path != NULL) {
		if (conf == NULL || conf_load(cli->ctx, "hss", path, hss_conf_items, conf, &error) != GBA_OK)
			return why_fail(&cli->why, GBA_E_CONF, "%s", error.text);
		db = conf->database;
		kek = conf->kek_file;
		ctl->ca_dir = conf->api.rest.ca_dir;
		ctl->audit = conf->audit;
	}
	ctl->db = ctl->db != NULL ? ctl->db : db;
	ctl->kek = ctl->kek != NULL ? ctl->kek : kek;
	if (path == NULL)
		ctl->audit = (struct audit_items){ "", "", AUDIT_ROTATE_MIB };
	ctl->audit.log = audit_items_path(cli->ctx, &ctl->audit, hss_conf_audit_log(cli->ctx, ctl->db));
	if (ctl->audit.log == NULL)
		ctl->audit.log = "none";
	return GBA_OK;
}

static enum gba_err prepare(struct cli *cli, const struct cli_cmd *cmd)
{
	((struct ctl *)cli)->cmd = cmd;
	if (strncmp(cmd->words, "registry ", 9) == 0)
		return GBA_OK; /* another node: --config is its registry.conf */
	return find_paths(cli);
}

static enum gba_err finished(struct cli *cli, const struct cli_cmd *cmd, enum gba_err err)
{
	(void)cmd;
	return ctl_audit_end((struct ctl *)cli, err);
}

static const struct cli_program program = {
	.name = "gba-ctl",
	.title = "The operator's tool of gba-suite.",
	.commands = commands,
	.opts = common_opts,
	.prepare = prepare,
	.finished = finished,
};

int main(int argc, char **argv)
{
	TALLOC_CTX *tables = talloc_named_const(NULL, 0, "commands");
	struct ctl ctl = { .cli.program = &program };
	int status;

	commands[RECORD_COMMANDS] = rec_commands_new(tables);
	status = cli_main(&ctl.cli, argc, argv);
	talloc_free(tables);
	return status;
}
