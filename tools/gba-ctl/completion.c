/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl completion: what bash needs, from the same rows as --help. */
#include <stdio.h>

#include "tools/gba-ctl/ctl.h"

static void print_options(uint64_t mask)
{
	int id;

	for (id = 0; id < OPT_COUNT; id++) {
		if (mask & (UINT64_C(1) << id))
			printf(" --%s", ctl_options[id].name);
	}
}

static void print_commands(const struct ctl_command *c)
{
	for (; c->words != NULL; c++) {
		printf("\t'%s') options='", c->words);
		print_options(c->options | CTL_COMMON_OPTIONS);
		puts("' ;;");
	}
}

static void print_words(const char *name, bool second)
{
	const struct ctl_command *const *table;
	const struct ctl_command *c;
	const char *last = "";

	printf("\tlocal %s='", name);
	for (table = ctl_commands; *table != NULL; table++) {
		for (c = *table; c->words != NULL; c++) {
			const char *blank = strchr(c->words, ' ');
			size_t n = blank != NULL ? (size_t)(blank - c->words) : strlen(c->words);

			if (second && blank != NULL)
				printf(" %s", blank + 1);
			else if (!second && (strncmp(last, c->words, n) != 0 || last[n] != c->words[n]))
				printf(" %.*s", (int)n, c->words);
			last = c->words;
		}
	}
	puts("'");
}

enum ctl_exit cmd_completion(struct ctl *ctl)
{
	const struct ctl_command *const *table;

	(void)ctl;
	puts("_gba_ctl() {\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=() word options\n"
	     "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	     "\t\t[[ $word == -* ]] || words+=(\"$word\")\n"
	     "\tdone");
	print_words("nouns", false);
	print_words("verbs", true);
	puts("\tcase \"${words[0]} ${words[1]}\" in");
	for (table = ctl_commands; *table != NULL; table++)
		print_commands(*table);
	puts("\t*) options='' ;;\n\tesac\n"
	     "\tif [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
	     "\telif ((${#words[@]} == 0)); then COMPREPLY=($(compgen -W \"$nouns\" -- \"$cur\"))\n"
	     "\telif ((${#words[@]} == 1)) && [[ ${words[0]} == subscriber ]]; then "
	     "COMPREPLY=($(compgen -W \"$verbs\" -- \"$cur\"))\n"
	     "\telse COMPREPLY=($(compgen -f -- \"$cur\"))\n\tfi\n}\n"
	     "complete -o filenames -F _gba_ctl gba-ctl");
	return CTL_DONE;
}
