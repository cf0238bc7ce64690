/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "ue/cli/cli.h"

#define WORDS_MAX 2

const struct cli_opt cli_global_opts[] = {
	CLI_OPT_TEXT("--state", "DIR", struct cli, state_dir, "State folder (USIMs, profiles, tokens)"),
	CLI_OPT_FLAG("--json", struct cli, json, "Print the result as one JSON object or array"),
	CLI_OPT_TEXT("--log-level", "LEVEL", struct cli, log_level,
		     "Lines below are left out: error, warning, info, debug"),
	CLI_OPT_TEXT("--log-format", "FORMAT", struct cli, log_format, "text or json"),
	CLI_OPT_TEXT("--log-file", "FILE", struct cli, log_file, "Append lines here instead of standard error"),
	CLI_OPT_TEXT("--trace", "FILE", struct cli, trace, "Append the USIM's steps as JSON lines"),
	CLI_OPT_END,
};

static const struct cli_cmd *command_named(const char *words)
{
	const struct cli_cmd *const *table, *cmd;

	for (table = cli_tables; *table != NULL; table++) {
		for (cmd = *table; cmd->words != NULL; cmd++) {
			if (strcmp(cmd->words, words) == 0)
				return cmd;
		}
	}
	return NULL;
}

/* The command of the first one or two words. @param _used  words taken */
static const struct cli_cmd *find_command(char *const *words, int count, int *_used)
{
	const struct cli_cmd *cmd;
	char two[64];

	if (count >= 2) {
		snprintf(two, sizeof(two), "%s %s", words[0], words[1]);
		cmd = command_named(two);
		*_used = 2;
		if (cmd != NULL)
			return cmd;
	}
	*_used = 1;
	return count >= 1 ? command_named(words[0]) : NULL;
}

static const struct cli_opt *option_named(const struct cli_opt *opts, const char *name, size_t n)
{
	for (; opts != NULL && opts->name != NULL; opts++) {
		if (strlen(opts->name) == n && strncmp(opts->name, name, n) == 0)
			return opts;
	}
	return NULL;
}

static enum gba_err set_number(struct cli *cli, const struct cli_opt *opt, uint32_t *out, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end != '\0' || n < opt->min || n > opt->max)
		return ue_fail(&cli->why, GBA_E_SYNTAX, "%s: %s is not a number of %u..%u", opt->name, value, opt->min,
			       opt->max);
	*out = (uint32_t)n;
	return GBA_OK;
}

static enum gba_err set_value(struct cli *cli, const struct cli_opt *opt, void *into, const char *value)
{
	void *member = (char *)into + opt->offset;
	struct cli_list *list = member;

	switch (opt->type) {
	case CLI_FLAG: *(bool *)member = true; return GBA_OK;
	case CLI_TEXT: *(const char **)member = value; return GBA_OK;
	case CLI_NUMBER: return set_number(cli, opt, member, value);
	case CLI_LIST: break;
	}
	if (list->n >= CLI_LIST_MAX)
		return ue_fail(&cli->why, GBA_E_SYNTAX, "%s: given more than %d times", opt->name, CLI_LIST_MAX);
	list->v[list->n++] = value;
	return GBA_OK;
}

/* argv as it is read: options anywhere, "--" ends them, "--name=value" and "--name value". */
struct reader {
	char **argv;
	int argc, at;
	char *words[WORDS_MAX + CLI_OPERANDS_MAX + 1];
	int word_count;
};

static enum gba_err add_word(struct cli *cli, struct reader *r, char *word)
{
	if (r->word_count >= WORDS_MAX + CLI_OPERANDS_MAX + 1)
		return ue_fail(&cli->why, GBA_E_SYNTAX, "%s: too many arguments", word);
	r->words[r->word_count++] = word;
	return GBA_OK;
}

/* What the command's own option takes is known only with the command: find that first. */
static const struct cli_cmd *command_of(char *const *argv, int argc)
{
	char *words[2] = { NULL, NULL };
	int i, n = 0, used;

	for (i = 1; i < argc && n < 2; i++) {
		const struct cli_opt *opt;

		if (argv[i][0] != '-') {
			words[n++] = argv[i];
			continue;
		}
		opt = option_named(cli_global_opts, argv[i], strcspn(argv[i], "="));
		if (n > 0 && opt == NULL)
			break; /* an option of the command: its words are complete */
		if (opt != NULL && opt->arg != NULL && strchr(argv[i], '=') == NULL)
			i++;
	}
	return find_command(words, n, &used);
}

static enum gba_err take_option(struct cli *cli, struct reader *r, const struct cli_cmd *cmd, void *args)
{
	char *name = r->argv[r->at++];
	size_t n = strcspn(name, "=");
	const char *value = name[n] == '=' ? name + n + 1 : NULL;
	const struct cli_opt *opt = option_named(cli_global_opts, name, n);
	void *into = cli;

	if (opt == NULL && cmd != NULL) {
		opt = option_named(cmd->opts, name, n);
		into = args;
	}
	if (opt == NULL)
		return ue_fail(&cli->why, GBA_E_SYNTAX, "%.*s: unknown option", (int)n, name);
	if (opt->arg == NULL && value != NULL)
		return ue_fail(&cli->why, GBA_E_SYNTAX, "%s takes no value", opt->name);
	if (opt->arg != NULL && value == NULL) {
		if (r->at >= r->argc)
			return ue_fail(&cli->why, GBA_E_SYNTAX, "%s needs %s", opt->name, opt->arg);
		value = r->argv[r->at++];
	}
	return set_value(cli, opt, into, value);
}

static enum gba_err read_all(struct cli *cli, struct reader *r, const struct cli_cmd *cmd, void *args)
{
	enum gba_err err = GBA_OK;

	while (err == GBA_OK && r->at < r->argc) {
		char *word = r->argv[r->at];

		if (strcmp(word, "--") == 0) {
			for (r->at++; err == GBA_OK && r->at < r->argc; r->at++)
				err = add_word(cli, r, r->argv[r->at]);
		} else if (word[0] == '-' && word[1] != '\0') {
			err = take_option(cli, r, cmd, args);
		} else {
			err = add_word(cli, r, word);
			r->at++;
		}
	}
	return err;
}

static bool asks_for(int argc, char **argv, const char *option)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], option) == 0)
			return true;
	}
	return false;
}

static enum gba_err take_operands(struct cli *cli, const struct reader *r, const struct cli_cmd *cmd)
{
	int used, i;

	find_command(r->words, r->word_count, &used);
	cli->operand_count = r->word_count - used;
	if (cli->operand_count < cmd->min || cli->operand_count > cmd->max)
		return ue_fail(&cli->why, GBA_E_SYNTAX, "usage: gba-ue %s %s", cmd->words, cmd->operands);
	for (i = 0; i < cli->operand_count; i++)
		cli->operands[i] = r->words[used + i];
	return GBA_OK;
}

enum gba_err cli_parse(struct cli *cli, int argc, char **argv, const struct cli_cmd **_cmd, void **_args)
{
	struct reader r = { .argv = argv, .argc = argc, .at = 1 };
	const struct cli_cmd *cmd = command_of(argv, argc);
	enum gba_err err;
	void *args = NULL;

	*_cmd = NULL;
	if (asks_for(argc, argv, "--version")) {
		printf("gba-ue (gba-suite) %s\n", VERSION);
		return GBA_OK;
	}
	if (asks_for(argc, argv, "--help")) {
		cli_help(stdout, cmd);
		return GBA_OK;
	}
	if (cmd != NULL && cmd->args_size > 0) {
		args = talloc_zero_size(cli->ctx, cmd->args_size);
		if (args == NULL)
			return ue_fail(&cli->why, GBA_E_NOMEM, "out of memory");
		if (cmd->defaults != NULL)
			cmd->defaults(args);
	}
	err = read_all(cli, &r, cmd, args);
	if (cmd == NULL && r.word_count > 0)
		return ue_fail(&cli->why, GBA_E_SYNTAX, "%s: no such command; see gba-ue --help", r.words[0]);
	if (cmd == NULL)
		return ue_fail(&cli->why, GBA_E_SYNTAX, "a command is needed; see gba-ue --help");
	if (err == GBA_OK)
		err = take_operands(cli, &r, cmd);
	if (err != GBA_OK)
		return err;
	*_cmd = cmd;
	*_args = args;
	return GBA_OK;
}

static void help_options(FILE *out, const struct cli_opt *opts)
{
	char left[64];

	for (; opts != NULL && opts->name != NULL; opts++) {
		snprintf(left, sizeof(left), "%s%s%s", opts->name, opts->arg != NULL ? " " : "",
			 opts->arg != NULL ? opts->arg : "");
		fprintf(out, "  %-24s %s\n", left, opts->help);
	}
}

static void help_command(FILE *out, const struct cli_cmd *cmd)
{
	fprintf(out, "usage: gba-ue %s%s%s [options]\n%s.\n", cmd->words, cmd->operands[0] != '\0' ? " " : "",
		cmd->operands, cmd->help);
	if (cmd->opts != NULL && cmd->opts->name != NULL) {
		fprintf(out, "\nOptions:\n");
		help_options(out, cmd->opts);
	}
}

void cli_help(FILE *out, const struct cli_cmd *cmd)
{
	const struct cli_cmd *const *table;
	char left[64];

	if (cmd != NULL) {
		help_command(out, cmd);
	} else {
		fprintf(out, "usage: gba-ue [options] COMMAND ...\nThe device of 3GPP GBA: bootstrap a USIM, open "
			     "applications.\n\n"
			     "Commands (gba-ue COMMAND --help tells its options):\n");
		for (table = cli_tables; *table != NULL; table++) {
			for (cmd = *table; cmd->words != NULL; cmd++) {
				snprintf(left, sizeof(left), "%s %s", cmd->words, cmd->operands);
				fprintf(out, "  %-24s %s\n", left, cmd->help);
			}
		}
	}
	fprintf(out, "\nEverywhere:\n");
	help_options(out, cli_global_opts);
	fprintf(out, "  %-24s %s\n  %-24s %s\n", "--help", "This text", "--version", "Version of the suite");
}
