/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_priv.h"

static void help_options(FILE *out, const struct cli_opt *opts)
{
	char left[64];

	for (; opts != NULL && opts->name != NULL; opts++) {
		int n = opts->letter != 0 ? snprintf(left, sizeof(left), "-%c, ", opts->letter) : 0;

		snprintf(left + n, sizeof(left) - (size_t)n, "%s%s%s", opts->name, opts->arg != NULL ? " " : "",
			 opts->arg != NULL ? opts->arg : "");
		fprintf(out, "  %-24s %s\n", left, opts->help);
	}
}

static void help_command(const struct cli_program *program, FILE *out, const struct cli_cmd *cmd)
{
	fprintf(out, "usage: %s %s%s%s [options]\n%s.\n", program->name, cmd->words, cmd->operands[0] != '\0' ? " " : "",
		cmd->operands, cmd->help);
	if (cmd->opts != NULL && cmd->opts->name != NULL) {
		fprintf(out, "\nOptions:\n");
		help_options(out, cmd->opts);
	}
}

static void help_program(const struct cli_program *program, FILE *out)
{
	const struct cli_cmd *const *table, *cmd;
	char left[64];

	fprintf(out, "usage: %s [options] COMMAND ...\n%s\n\nCommands (%s COMMAND --help tells its options):\n",
		program->name, program->title, program->name);
	for (table = program->commands; *table != NULL; table++) {
		for (cmd = *table; cmd->words != NULL; cmd++) {
			snprintf(left, sizeof(left), "%s %s", cmd->words, cmd->operands);
			fprintf(out, "  %-28s %s\n", left, cmd->help);
		}
	}
}

void cli_help(const struct cli_program *program, FILE *out, const struct cli_cmd *cmd)
{
	if (cmd != NULL)
		help_command(program, out, cmd);
	else
		help_program(program, out);
	fprintf(out, "\nEverywhere:\n");
	help_options(out, program->opts);
	fprintf(out, "  %-24s %s\n  %-24s %s\n", "-h, --help", "This text; after a command: help on it", "--version",
		"Version of the suite");
	fprintf(out, "\nExit status: 0 done, 1 negative answer, 2 wrong use, 3 not found, 4 refused, 5 unreachable,\n"
		     "6 does not verify, 75 try later.\n");
}
