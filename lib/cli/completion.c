/* SPDX-License-Identifier: Apache-2.0 */
/* What bash needs, from the same rows as --help. */
#include <string.h>

#include "cli/cli_priv.h"

static void print_options(const struct cli_opt *opts)
{
	for (; opts != NULL && opts->name != NULL; opts++)
		printf(" %s", opts->name);
}

static void print_cases(const struct cli_program *program)
{
	const struct cli_cmd *const *table, *cmd;

	for (table = program->commands; *table != NULL; table++) {
		for (cmd = *table; cmd->words != NULL; cmd++) {
			printf("\t'%s '*) options='", cmd->words);
			print_options(program->opts);
			print_options(cmd->opts);
			puts(" --help' ;;");
		}
	}
}

/* Length of the command's first n words; 0: it has not as many. */
static size_t words_length(const char *words, int n)
{
	size_t at = strcspn(words, " ");

	while (--n > 0 && words[at] == ' ')
		at += 1 + strcspn(words + at + 1, " ");
	return n == 0 ? at : 0;
}

/* Has a row before this one the same first n words? Tables may share a noun. */
static bool words_before(const struct cli_program *program, const struct cli_cmd *until, int n)
{
	const struct cli_cmd *const *table, *cmd;
	size_t length = words_length(until->words, n);

	for (table = program->commands; *table != NULL; table++) {
		for (cmd = *table; cmd->words != NULL; cmd++) {
			if (cmd == until)
				return false;
			if (words_length(cmd->words, n) == length && strncmp(cmd->words, until->words, length) == 0)
				return true;
		}
	}
	return false;
}

/* Each first word once. */
static void print_nouns(const struct cli_program *program)
{
	const struct cli_cmd *const *table, *cmd;

	printf("\tlocal nouns='");
	for (table = program->commands; *table != NULL; table++) {
		for (cmd = *table; cmd->words != NULL; cmd++) {
			if (!words_before(program, cmd, 1))
				printf(" %.*s", (int)words_length(cmd->words, 1), cmd->words);
		}
	}
	puts("' verbs=''");
}

/* The words that go behind the n first typed. */
static void print_verbs(const struct cli_program *program, int n)
{
	const struct cli_cmd *const *table, *cmd;

	puts("\tcase \"${words[*]}\" in");
	for (table = program->commands; *table != NULL; table++) {
		for (cmd = *table; cmd->words != NULL; cmd++) {
			size_t first = words_length(cmd->words, n), all = words_length(cmd->words, n + 1);

			if (all > 0 && !words_before(program, cmd, n + 1))
				printf("\t'%.*s') verbs+='%.*s' ;;&\n", (int)first, cmd->words, (int)(all - first),
				       cmd->words + first);
		}
	}
	puts("\tesac");
}

static void print_function_name(const char *name)
{
	fputc('_', stdout);
	for (; *name != '\0'; name++)
		fputc(*name == '-' ? '_' : *name, stdout);
}

enum gba_err cli_completion(struct cli *cli, void *args)
{
	(void)args;
	print_function_name(cli->program->name);
	puts("() {\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=() word options\n"
	     "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	     "\t\t[[ $word == -* ]] || words+=(\"$word\")\n"
	     "\tdone");
	print_nouns(cli->program);
	print_verbs(cli->program, 1);
	print_verbs(cli->program, 2);
	puts("\tcase \"${words[*]} \" in");
	print_cases(cli->program);
	puts("\t*) options='' ;;\n\tesac\n"
	     "\tif [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
	     "\telif ((${#words[@]} == 0)); then COMPREPLY=($(compgen -W \"$nouns\" -- \"$cur\"))\n"
	     "\telif [[ -n $verbs ]]; then COMPREPLY=($(compgen -W \"$verbs\" -- \"$cur\"))\n"
	     "\telse COMPREPLY=($(compgen -f -- \"$cur\"))\n\tfi\n}");
	fputs("complete -o filenames -F ", stdout);
	print_function_name(cli->program->name);
	printf(" %s\n", cli->program->name);
	return GBA_OK;
}
