/* SPDX-License-Identifier: Apache-2.0 */
/** Between the files of this room. */
#ifndef GBA_CLI_PRIV_H
#define GBA_CLI_PRIV_H

#include "cli/cli.h"

/** Parse the command line into cli and the command's struct (below cli->ctx).
 * @param _cmd  written on GBA_OK; NULL: --help or --version was asked for and has been printed
 * @retval GBA_E_SYNTAX  usage: why tells */
enum gba_err cli_parse(struct cli *cli, int argc, char **argv, const struct cli_cmd **_cmd, void **_args);
/** --help: of one command, or of all when cmd is NULL. */
void cli_help(const struct cli_program *program, FILE *out, const struct cli_cmd *cmd);
/** Print the result, or what went wrong. @return exit status */
int cli_finish(struct cli *cli, enum gba_err err);

#endif
