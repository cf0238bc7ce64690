/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log: gba-ctl audit show, verify, head; and what the other commands leave in it. */
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/gba-ctl/ctl.h"

static enum gba_err open_log(struct ctl *ctl)
{
	const char *error = "";
	enum gba_err err;

	err = audit_open_items(ctl->cli.ctx, &ctl->audit, "none", "gba-ctl", &ctl->audit_log, &error);
	return err == GBA_OK ? GBA_OK : why_fail(&ctl->cli.why, err, "audit log: %s; nothing was changed", error);
}

/* "subscriber add" as "subscriber.add<suffix>" */
static enum gba_err note(struct ctl *ctl, const char *suffix, enum gba_err result)
{
	const struct passwd *user = getpwuid(getuid());
	struct audit_entry entry = { .role = "admin",
				     .object = bytes_of(ctl->cli.operands[0]),
				     .why = bytes_of(ctl->reason),
				     .result = result,
				     .durable = true };
	char act[96], uid[32], *blank;
	enum gba_err err;

	snprintf(act, sizeof(act), "%s%s", ctl->cmd->words, suffix);
	for (blank = strchr(act, ' '); blank != NULL; blank = strchr(blank, ' '))
		*blank = '.';
	snprintf(uid, sizeof(uid), "uid %u", (unsigned int)getuid());
	entry.act = act;
	entry.who = bytes_of(user != NULL ? user->pw_name : uid);
	err = audit_note(ctl->audit_log, &entry);
	return err == GBA_OK ? GBA_OK : ctl_fail_err(ctl, err, "audit log");
}

enum gba_err ctl_audit_begin(struct ctl *ctl)
{
	enum gba_err err;

	if (ctl->audit_log != NULL)
		return GBA_OK;
	err = open_log(ctl);
	return err == GBA_OK ? note(ctl, ".begin", GBA_OK) : err;
}

enum gba_err ctl_audit_end(struct ctl *ctl, enum gba_err err)
{
	struct why why = ctl->cli.why;
	enum gba_err noted;

	if (ctl->audit_log == NULL)
		return err;
	noted = note(ctl, "", err);
	audit_close(ctl->audit_log);
	ctl->audit_log = NULL;
	if (err != GBA_OK)
		ctl->cli.why = why; /* the command's own words */
	return err != GBA_OK ? err : noted;
}

struct show_args {
	const char *act, *who, *object, *since;
	uint32_t limit;
};

static const struct cli_opt show_opts[] = {
	CLI_OPT_TEXT("--act", "NAME", struct show_args, act, "Only this act, or acts that begin with NAME and a dot"),
	CLI_OPT_TEXT("--who", "IDENTITY", struct show_args, who, "Only what this one did or got"),
	CLI_OPT_TEXT("--about", "IDENTITY", struct show_args, object, "Only lines with this object or subject"),
	CLI_OPT_TEXT("--since", "TIME", struct show_args, since, "Only from this time on, as 2031-01-01T12:00:00Z or its beginning"),
	CLI_OPT_NUMBER("--limit", "N", 1, 1000000000, struct show_args, limit, "The first N that fit"),
	CLI_OPT_END,
};

struct showing {
	struct ctl *ctl;
	const struct show_args *args;
	uint32_t shown;
};

static const char *member(const json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));

	return text != NULL ? text : "";
}

static bool wanted(const struct show_args *args, const json_t *line)
{
	const char *act = member(line, "act");
	size_t n = args->act != NULL ? strlen(args->act) : 0;

	if (n > 0 && (strncmp(act, args->act, n) != 0 || (act[n] != '\0' && act[n] != '.')))
		return false;
	if (args->who != NULL && strcmp(member(line, "who"), args->who) != 0)
		return false;
	if (args->since != NULL && strcmp(member(line, "time"), args->since) < 0)
		return false;
	return args->object == NULL || strcmp(member(line, "object"), args->object) == 0 ||
	       strcmp(member(line, "subject"), args->object) == 0;
}

static bool show_line(void *arg, struct bytes json)
{
	static const char *const names[] = { "time", "node", "act", "role", "who", "object", "subject", "why", "corr", "result" };
	struct showing *showing = arg;
	struct writer *out = showing->ctl->cli.out;
	json_t *line = json_loadb((const char *)json.p, json.n, 0, NULL);
	size_t i;

	if (line != NULL && wanted(showing->args, line)) {
		writer_int(out, "seq", json_integer_value(json_object_get(line, "seq")));
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			writer_text(out, names[i], bytes_of(json_string_value(json_object_get(line, names[i]))));
		writer_end(out);
		showing->shown++;
	}
	json_decref(line);
	return showing->args->limit == 0 || showing->shown < showing->args->limit;
}

static const char *log_of(struct ctl *ctl)
{
	const char *path = ctl->cli.operands[0] != NULL ? ctl->cli.operands[0] : ctl->audit.log;

	if (strcmp(path, "none") != 0)
		return path;
	why_fail(&ctl->cli.why, GBA_E_CONF, "audit-log is off in the configuration: name a file");
	return NULL;
}

static enum gba_err cmd_audit_show(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	struct showing showing = { .ctl = ctl, .args = args };
	const char *path = log_of(ctl);

	if (path == NULL)
		return GBA_E_CONF;
	writer_prefer(cli->out, WRITER_TABLE);
	return ctl_fail_err(ctl, audit_read(cli->ctx, path, show_line, &showing), path);
}

struct verify_args {
	const char *public, *witness;
};

static const struct cli_opt verify_opts[] = {
	CLI_OPT_TEXT("--public", "HEX", struct verify_args, public, "The signer's public key; else LOG.pub is believed"),
	CLI_OPT_TEXT("--witness", "FILE", struct verify_args, witness, "A signed end kept elsewhere (gba-ctl audit head): must be in the log"),
	CLI_OPT_END,
};

static enum gba_err cmd_audit_verify(struct cli *cli, void *arg)
{
	const struct verify_args *args = arg;
	struct ctl *ctl = (struct ctl *)cli;
	const char *path = log_of(ctl);
	struct audit_report report;
	enum gba_err err;

	if (path == NULL)
		return GBA_E_CONF;
	err = audit_verify(cli->ctx, path, args->public, args->witness, &report);
	if (err == GBA_E_CORRUPT && report.line > 0)
		return why_fail(&cli->why, err, "%s:%llu: %s", report.file, (unsigned long long)report.line, report.fault);
	if (err == GBA_E_CORRUPT)
		return why_fail(&cli->why, err, "%s: %s", report.file, report.fault);
	if (err != GBA_OK)
		return ctl_fail_err(ctl, err, path);
	cli_put(cli, "log", json_string(path));
	cli_put(cli, "first", json_integer((json_int_t)report.first));
	cli_put(cli, "last", json_integer((json_int_t)report.last));
	cli_put(cli, "signed", json_integer((json_int_t)report.signed_upto));
	return GBA_OK;
}

static enum gba_err cmd_audit_head(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	const char *path = log_of(ctl);
	char line[512];
	FILE *file;

	(void)args;
	if (path == NULL)
		return GBA_E_CONF;
	file = fopen(talloc_asprintf(cli->ctx, "%s.head", path), "re");
	if (file == NULL)
		return why_fail(&cli->why, GBA_E_NOT_FOUND, "%s.head: not found", path);
	if (fgets(line, sizeof(line), file) != NULL)
		fputs(line, stdout);
	fclose(file);
	return GBA_OK;
}

const struct cli_cmd ctl_audit_commands[] = {
	{ "audit show", "[LOG]", 0, 1, show_opts, sizeof(struct show_args), NULL, cmd_audit_show,
	  "Show who did or got what (the newest file last)" },
	{ "audit verify", "[LOG]", 0, 1, verify_opts, sizeof(struct verify_args), NULL, cmd_audit_verify,
	  "Check every line and the signed end: exit 6 when a line was changed, removed, added or moved" },
	{ "audit head", "[LOG]", 0, 1, NULL, 0, NULL, cmd_audit_head,
	  "Print the signed end, to be kept elsewhere as a witness" },
	CLI_CMD_END,
};
