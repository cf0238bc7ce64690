/* SPDX-License-Identifier: Apache-2.0 */
/** gba-ue's commands: tables of rows of lib/cli. */
#ifndef GBA_UE_CLI_UE_H
#define GBA_UE_CLI_UE_H

#include "cli/cli.h"
#include "core/secret.h"
#include "ue/state.h"
#include "ue/usim/usim.h"

#define USIM_DEFAULT "default"
#define UE_PRODUCT "gba-ue/" VERSION

/** What every command may be told. */
struct ue_cli {
	struct cli cli; /* first: rows and commands know only this */
	const char *usim;	/* NULL: the profile's */
	const char *pin_file;	/* "-": standard input */
	struct secret *pin;	/* once it was entered */
	const char *state_dir, *log_level, *log_format, *log_file, *trace;
};

/** Commands, a table per file of commands. */
extern const struct cli_cmd cmd_session_commands[], cmd_usim_commands[], cmd_cert_commands[], cmd_profile_commands[],
	cmd_token_commands[], cmd_update_commands[], cmd_register_commands[], cmd_card_commands[],
	cmd_datagram_commands[];

/** Where cards get their PIN: --pin-file, GBA_UE_PIN, the terminal. */
struct usim_pin cli_pin(struct cli *cli);
/** --usim, or this. */
const char *cli_usim(const struct cli *cli, const char *otherwise);
/** Open the state folder. */
enum gba_err cli_state(struct cli *cli, bool create, struct state **_state);

#endif
