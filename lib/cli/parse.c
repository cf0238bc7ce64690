/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli_priv.h"
#include "core/secret.h"

#define WORDS_MAX 3

static const struct cli_cmd *command_named(const struct cli_program *program, const char *words)
{
	const struct cli_cmd *const *table, *cmd;

	for (table = program->commands; *table != NULL; table++) {
		for (cmd = *table; cmd->words != NULL; cmd++) {
			if (strcmp(cmd->words, words) == 0)
				return cmd;
		}
	}
	return NULL;
}

/* The command of as many of the first words as make one. @param _used  words taken */
static const struct cli_cmd *find_command(const struct cli_program *program, char *const *words, int count, int *_used)
{
	const struct cli_cmd *cmd = NULL;
	char joined[96] = "";
	size_t end[WORDS_MAX];
	int i, n;

	for (n = 0; n < count && n < WORDS_MAX; n++) {
		snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s", n > 0 ? " " : "", words[n]);
		end[n] = strlen(joined);
	}
	*_used = 1;
	for (i = n - 1; cmd == NULL && i >= 0; i--) {
		joined[end[i]] = '\0';
		*_used = i + 1;
		cmd = command_named(program, joined);
	}
	return cmd;
}

/* "--name" of n characters, or "-l", its letter. */
static const struct cli_opt *option_named(const struct cli_opt *opts, const char *name, size_t n)
{
	for (; opts != NULL && opts->name != NULL; opts++) {
		if (strlen(opts->name) == n && strncmp(opts->name, name, n) == 0)
			return opts;
		if (n == 2 && name[0] == '-' && opts->letter != 0 && name[1] == opts->letter)
			return opts;
	}
	return NULL;
}

static enum gba_err set_number(struct cli *cli, const struct cli_opt *opt, uint32_t *out, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end != '\0' || n < opt->min || n > opt->max)
		return why_fail(&cli->why, GBA_E_SYNTAX, "%s: %s is not a number of %u..%u", opt->name, value, opt->min,
			       opt->max);
	*out = (uint32_t)n;
	return GBA_OK;
}

/* What shows in a process list is at least not there for the whole run. */
static enum gba_err set_key(struct cli *cli, const struct cli_opt *opt, const char **_text, const char *value)
{
	char *copy = talloc_strdup(cli->ctx, value);

	if (copy == NULL)
		return GBA_E_NOMEM;
	secret_guard_chunk(copy);
	memset((char *)(uintptr_t)value, 'x', strlen(value)); /* argv is ours to write (C11 5.1.2.2.1) */
	fprintf(stderr, "%s: warning: %s is visible to others in process lists; give a file\n", cli->program->name,
		opt->name);
	*_text = copy;
	return GBA_OK;
}

static enum gba_err set_value(struct cli *cli, const struct cli_opt *opt, void *into, const char *value)
{
	void *member = (char *)into + opt->offset;
	struct cli_list *list = member;

	switch (opt->type) {
	case CLI_FLAG: *(bool *)member = true; return GBA_OK;
	case CLI_TEXT: *(const char **)member = value; return GBA_OK;
	case CLI_KEY: return set_key(cli, opt, member, value);
	case CLI_NUMBER: return set_number(cli, opt, member, value);
	case CLI_LIST: break;
	}
	if (list->n >= CLI_LIST_MAX)
		return why_fail(&cli->why, GBA_E_SYNTAX, "%s: given more than %d times", opt->name, CLI_LIST_MAX);
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
		return why_fail(&cli->why, GBA_E_SYNTAX, "%s: too many arguments", word);
	r->words[r->word_count++] = word;
	return GBA_OK;
}

/* Any command's option: whether a word follows it must be known before the command is. */
static const struct cli_opt *option_anywhere(const struct cli_program *program, const char *name, size_t n)
{
	const struct cli_opt *opt = option_named(program->opts, name, n);
	const struct cli_cmd *const *table, *cmd;

	for (table = program->commands; opt == NULL && *table != NULL; table++) {
		for (cmd = *table; opt == NULL && cmd->words != NULL; cmd++)
			opt = option_named(cmd->opts, name, n);
	}
	return opt;
}

/* Is the word behind this option its value? */
static bool takes_next(const struct cli_program *program, const char *word)
{
	const struct cli_opt *opt;
	size_t i;

	if (word[1] == '-') {
		opt = option_anywhere(program, word, strcspn(word, "="));
		return opt != NULL && opt->arg != NULL && strchr(word, '=') == NULL;
	}
	for (i = 1; word[i] != '\0'; i++) {
		const char name[] = { '-', word[i], '\0' };

		opt = option_anywhere(program, name, 2);
		if (opt != NULL && opt->arg != NULL)
			return word[i + 1] == '\0';
	}
	return false;
}

/* What the command's own option takes is known only with the command: find that first. */
static const struct cli_cmd *command_of(const struct cli_program *program, char *const *argv, int argc)
{
	char *words[WORDS_MAX] = { NULL };
	int i, n = 0, used;

	for (i = 1; i < argc && n < WORDS_MAX && strcmp(argv[i], "--") != 0; i++) {
		if (argv[i][0] != '-' || argv[i][1] == '\0')
			words[n++] = argv[i];
		else if (takes_next(program, argv[i]))
			i++;
	}
	return find_command(program, words, n, &used);
}

/* The option of this name, and the struct it is a member of. */
static const struct cli_opt *option_here(struct cli *cli, const struct cli_cmd *cmd, void *args, const char *name,
					 size_t n, void **_into)
{
	const struct cli_opt *opt = option_named(cli->program->opts, name, n);

	*_into = cli;
	if (opt == NULL && cmd != NULL) {
		opt = option_named(cmd->opts, name, n);
		*_into = args;
	}
	return opt;
}

/* "-nyo FILE": flags in one word, the last of them perhaps with a value. */
static enum gba_err take_letters(struct cli *cli, struct reader *r, const struct cli_cmd *cmd, void *args)
{
	const char *word = r->argv[r->at++];
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 1; err == GBA_OK && word[i] != '\0'; i++) {
		const char name[] = { '-', word[i], '\0' };
		const char *value = NULL;
		void *into;
		const struct cli_opt *opt = option_here(cli, cmd, args, name, 2, &into);

		if (opt == NULL)
			return why_fail(&cli->why, GBA_E_SYNTAX, "%s: unknown option", name);
		if (opt->arg != NULL) {
			value = word[i + 1] != '\0' ? word + i + 1 : r->at < r->argc ? r->argv[r->at++] : NULL;
			if (value == NULL)
				return why_fail(&cli->why, GBA_E_SYNTAX, "%s needs %s", name, opt->arg);
		}
		err = set_value(cli, opt, into, value);
		if (value != NULL)
			break;
	}
	return err;
}

static enum gba_err take_option(struct cli *cli, struct reader *r, const struct cli_cmd *cmd, void *args)
{
	char *name = r->argv[r->at];
	size_t n = strcspn(name, "=");
	const char *value = name[n] == '=' ? name + n + 1 : NULL;
	const struct cli_opt *opt;
	void *into;

	if (name[1] != '-')
		return take_letters(cli, r, cmd, args);
	r->at++;
	opt = option_here(cli, cmd, args, name, n, &into);
	if (opt == NULL)
		return why_fail(&cli->why, GBA_E_SYNTAX, "%.*s: unknown option", (int)n, name);
	if (opt->arg == NULL && value != NULL)
		return why_fail(&cli->why, GBA_E_SYNTAX, "%s takes no value", opt->name);
	if (opt->arg != NULL && value == NULL) {
		if (r->at >= r->argc)
			return why_fail(&cli->why, GBA_E_SYNTAX, "%s needs %s", opt->name, opt->arg);
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

	find_command(cli->program, r->words, r->word_count, &used);
	cli->operand_count = r->word_count - used;
	if (cli->operand_count < cmd->min || cli->operand_count > cmd->max)
		return why_fail(&cli->why, GBA_E_SYNTAX, "usage: %s %s %s", cli->program->name, cmd->words, cmd->operands);
	for (i = 0; i < cli->operand_count; i++)
		cli->operands[i] = r->words[used + i];
	return GBA_OK;
}

static enum gba_err no_command(struct cli *cli, const struct reader *r)
{
	if (r->word_count > 0)
		return why_fail(&cli->why, GBA_E_SYNTAX, "%s: no such command; see %s --help", r->words[0],
				cli->program->name);
	return why_fail(&cli->why, GBA_E_SYNTAX, "a command is needed; see %s --help", cli->program->name);
}

/* --help and --version, wherever they stand. */
static bool answered(struct cli *cli, int argc, char **argv, const struct cli_cmd *cmd)
{
	if (asks_for(argc, argv, "--version")) {
		printf("%s (gba-suite) %s\n", cli->program->name, VERSION);
		return true;
	}
	if (!asks_for(argc, argv, "--help") && !asks_for(argc, argv, "-h"))
		return false;
	cli_help(cli->program, stdout, cmd);
	return true;
}

enum gba_err cli_parse(struct cli *cli, int argc, char **argv, const struct cli_cmd **_cmd, void **_args)
{
	struct reader r = { .argv = argv, .argc = argc, .at = 1 };
	const struct cli_cmd *cmd = command_of(cli->program, argv, argc);
	enum gba_err err;
	void *args = NULL;

	*_cmd = NULL;
	*_args = NULL;
	if (answered(cli, argc, argv, cmd))
		return GBA_OK;
	if (cmd != NULL && cmd->args_size > 0) {
		args = talloc_zero_size(cli->ctx, cmd->args_size);
		if (args == NULL)
			return why_fail(&cli->why, GBA_E_NOMEM, "out of memory");
		if (cmd->defaults != NULL)
			cmd->defaults(args);
	}
	err = read_all(cli, &r, cmd, args);
	if (cmd == NULL)
		return err != GBA_OK && r.word_count == 0 ? err : no_command(cli, &r);
	if (err == GBA_OK)
		err = take_operands(cli, &r, cmd);
	if (err != GBA_OK)
		return err;
	*_cmd = cmd;
	*_args = args;
	return GBA_OK;
}

enum gba_err cli_bad_value(struct cli *cli, const struct cli_opt *opts, const char *name, const char *value)
{
	const struct cli_opt *opt = option_named(opts, name, strlen(name));

	return why_fail(&cli->why, GBA_E_SYNTAX, "%s: '%s' is not good%s%s%s", name, value, opt != NULL ? " (" : "",
			opt != NULL ? opt->help : "", opt != NULL ? ")" : "");
}
