/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "core/log.h"
#include "core/trace.h"
#include "ue/cli/ue.h"

static const struct cli_cmd other_commands[] = {
	{ "completion", "", 0, 0, NULL, 0, NULL, cli_completion, "Print completion for bash: source <(gba-ue completion)" },
	CLI_CMD_END,
};
static const struct cli_cmd *const commands[] = { cmd_session_commands, cmd_usim_commands, cmd_card_commands,
						  cmd_cert_commands, cmd_profile_commands,
						  cmd_token_commands, cmd_datagram_commands,
						  cmd_update_commands, cmd_register_commands,
						  other_commands, NULL };

static const struct cli_opt common_opts[] = {
	CLI_OPT_TEXT("--state", "DIR", struct ue_cli, state_dir, "State folder (USIMs, profiles, tokens)"),
	CLI_OPT_TEXT("--usim", "NAME", struct ue_cli, usim,
		     "USIM to use instead of the profile's: a name, or pcsc:READER, a card; \"pcsc:\": in the first reader"),
	CLI_OPT_TEXT("--pin-file", "FILE", struct ue_cli, pin_file,
		     "The card's PIN; \"-\": standard input. Otherwise from GBA_UE_PIN, or asked for at the terminal"),
	CLI_OPT_FLAG("--json", struct ue_cli, cli.json, "Print the result as one JSON object or array"),
	CLI_OPT_TEXT("--log-level", "LEVEL", struct ue_cli, log_level,
		     "Lines below are left out: error, warning, info, debug"),
	CLI_OPT_TEXT("--log-format", "FORMAT", struct ue_cli, log_format, "text or json"),
	CLI_OPT_TEXT("--log-file", "FILE", struct ue_cli, log_file, "Append lines here instead of standard error"),
	CLI_OPT_TEXT("--trace", "FILE", struct ue_cli, trace, "Append the USIM's steps as JSON lines"),
	CLI_OPT_END,
};

/* XDG Base Directory: $XDG_STATE_HOME/gba-ue, else ~/.local/state/gba-ue. */
static const char *default_state(TALLOC_CTX *ctx)
{
	const char *folder = getenv("GBA_UE_STATE"), *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (folder != NULL && folder[0] != '\0')
		return folder;
	if (xdg != NULL && xdg[0] == '/')
		return talloc_asprintf(ctx, "%s/gba-ue", xdg);
	return home != NULL ? talloc_asprintf(ctx, "%s/.local/state/gba-ue", home) : NULL;
}

enum gba_err cli_state(struct cli *cli, bool create, struct state **_state)
{
	const char *given = ((const struct ue_cli *)cli)->state_dir, *dir = given != NULL ? given : default_state(cli->ctx);

	if (dir == NULL)
		return why_fail(&cli->why, GBA_E_NOT_FOUND, "no state folder: give --state DIR");
	return state_open(cli->ctx, dir, create, _state, &cli->why);
}

static bool index_of(const char *const *names, const char *name, uint32_t *_index)
{
	uint32_t i;

	for (i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], name) == 0) {
			*_index = i;
			return true;
		}
	}
	return false;
}

/* A command says itself what went wrong; the proxy has only the log to say it in. */
static enum gba_err start_log(struct cli *cli, const struct cli_cmd *cmd)
{
	const struct ue_cli *ue = (const struct ue_cli *)cli;
	uint32_t level = strcmp(cmd->words, "proxy") == 0 ? LOG_L_WARNING : LOG_L_ERROR, format = LOG_F_TEXT;
	enum gba_err err;

	if (ue->log_level != NULL && !index_of(log_level_names, ue->log_level, &level))
		return why_fail(&cli->why, GBA_E_SYNTAX, "--log-level: error, warning, info or debug");
	if (ue->log_format != NULL && !index_of(log_format_names, ue->log_format, &format))
		return why_fail(&cli->why, GBA_E_SYNTAX, "--log-format: text or json");
	err = log_init("ue", (enum log_level)level, (enum log_format)format, ue->log_file);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "--log-file %s: %s", ue->log_file, gba_strerror(err));
	err = trace_open(ue->trace);
	return err == GBA_OK ? GBA_OK : why_fail(&cli->why, err, "--trace %s: %s", ue->trace, gba_strerror(err));
}

static const struct cli_program program = {
	.name = "gba-ue",
	.title = "The device of 3GPP GBA: bootstrap a USIM, open applications.",
	.commands = commands,
	.opts = common_opts,
	.error_document = true,
	.prepare = start_log,
};

int main(int argc, char **argv)
{
	struct ue_cli ue = { .cli.program = &program };
	int status;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return CLI_NEGATIVE;
	status = cli_main(&ue.cli, argc, argv);
	trace_close();
	log_close();
	curl_global_cleanup();
	return status;
}
