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
			printf("\t'%s'%s) options='", cmd->words, strchr(cmd->words, ' ') == NULL ? "*" : "");
			print_options(program->opts);
			print_options(cmd->opts);
			puts(" --help' ;;");
		}
	}
}

/* Length of the command's first word. */
static size_t noun_length(const char *words)
{
	return strcspn(words, " ");
}

/* Has a row before this one the same first word? Tables may share a noun. */
static bool noun_before(const struct cli_program *program, const struct cli_cmd *until)
{
	const struct cli_cmd *const *table, *cmd;
	size_t n = noun_length(until->words);

	for (table = program->commands; *table != NULL; table++) {
		for (cmd = *table; cmd->words != NULL; cmd++) {
			if (cmd == until)
				return false;
			if (noun_length(cmd->words) == n && strncmp(cmd->words, until->words, n) == 0)
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
			if (!noun_before(program, cmd))
				printf(" %.*s", (int)noun_length(cmd->words), cmd->words);
		}
	}
	puts("' verbs=''");
}

/* The second words that go with the first one typed. */
static void print_verbs(const struct cli_program *program)
{
	const struct cli_cmd *const *table, *cmd;

	puts("\tcase \"${words[0]}\" in");
	for (table = program->commands; *table != NULL; table++) {
		for (cmd = *table; cmd->words != NULL; cmd++) {
			size_t n = noun_length(cmd->words);

			if (cmd->words[n] == ' ')
				printf("\t'%.*s') verbs+=' %s' ;;&\n", (int)n, cmd->words, cmd->words + n + 1);
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
	print_verbs(cli->program);
	puts("\tcase \"${words[0]} ${words[1]}\" in");
	print_cases(cli->program);
	puts("\t*) options='' ;;\n\tesac\n"
	     "\tif [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
	     "\telif ((${#words[@]} == 0)); then COMPREPLY=($(compgen -W \"$nouns\" -- \"$cur\"))\n"
	     "\telif ((${#words[@]} == 1)) && [[ -n $verbs ]]; then COMPREPLY=($(compgen -W \"$verbs\" -- \"$cur\"))\n"
	     "\telse COMPREPLY=($(compgen -f -- \"$cur\"))\n\tfi\n}");
	fputs("complete -o filenames -F ", stdout);
	print_function_name(cli->program->name);
	printf(" %s\n", cli->program->name);
	return GBA_OK;
}
