/* SPDX-License-Identifier: Apache-2.0 */
/** gba-ue's commands: tables of rows of lib/cli. */
#ifndef GBA_UE_CLI_UE_H
#define GBA_UE_CLI_UE_H

#include "cli/cli.h"
#include "ue/state.h"

#define UE_PRODUCT "gba-ue/" VERSION

/** What every command may be told. */
struct ue_cli {
	struct cli cli; /* first: rows and commands know only this */
	const char *state_dir, *log_level, *log_format, *log_file, *trace;
};

/** Commands, a table per file of commands. */
extern const struct cli_cmd cmd_session_commands[], cmd_usim_commands[], cmd_cert_commands[], cmd_profile_commands[],
	cmd_token_commands[], cmd_update_commands[], cmd_register_commands[];

/** Open the state folder. */
enum gba_err cli_state(struct cli *cli, bool create, struct state **_state);

#endif
