/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "core/log.h"
#include "core/secret.h"
#include "core/trace.h"
#include "ue/cli/cli.h"

const struct cli_cmd *const cli_tables[] = { cmd_session_commands, cmd_usim_commands, cmd_profile_commands,
					     cmd_token_commands, NULL };

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
	const char *dir = cli->state_dir != NULL ? cli->state_dir : default_state(cli->ctx);

	if (dir == NULL)
		return ue_fail(&cli->why, GBA_E_NOT_FOUND, "no state folder: give --state DIR");
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
	uint32_t level = strcmp(cmd->words, "proxy") == 0 ? LOG_L_WARNING : LOG_L_ERROR, format = LOG_F_TEXT;
	enum gba_err err;

	if (cli->log_level != NULL && !index_of(log_level_names, cli->log_level, &level))
		return ue_fail(&cli->why, GBA_E_SYNTAX, "--log-level: error, warning, info or debug");
	if (cli->log_format != NULL && !index_of(log_format_names, cli->log_format, &format))
		return ue_fail(&cli->why, GBA_E_SYNTAX, "--log-format: text or json");
	err = log_init("ue", (enum log_level)level, (enum log_format)format, cli->log_file);
	if (err != GBA_OK)
		return ue_fail(&cli->why, err, "--log-file %s: %s", cli->log_file, gba_strerror(err));
	err = trace_open(cli->trace);
	return err == GBA_OK ? GBA_OK : ue_fail(&cli->why, err, "--trace %s: %s", cli->trace, gba_strerror(err));
}

int main(int argc, char **argv)
{
	struct cli cli = { .exit = -1 };
	const struct cli_cmd *cmd;
	enum gba_err err;
	void *args;
	int status;

	secret_init();
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return CLI_NEGATIVE;
	cli.ctx = talloc_new(NULL);
	err = cli_parse(&cli, argc, argv, &cmd, &args);
	if (err == GBA_OK && cmd != NULL)
		err = start_log(&cli, cmd);
	if (err == GBA_OK && cmd != NULL)
		err = cmd->run(&cli, args);
	status = cli_finish(&cli, err);
	talloc_free(cli.ctx);
	trace_close();
	log_close();
	curl_global_cleanup();
	return status;
}
