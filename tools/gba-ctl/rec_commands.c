/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl's nouns for records, from the table of kinds. */
#include <stdio.h>

#include "tools/gba-ctl/rec.h"

#define ROW_VALUES CLI_OPT_TEXT("--values", "FILE", struct rec_args, values, "Members as a JSON object, - for standard input")
#define ROW_DRY_RUN CLI_OPT_LETTER('n', "--dry-run", struct rec_args, dry_run, "Say what would change, change nothing")
#define ROW_ROLE CLI_OPT_TEXT("--role", "WORD", struct rec_args, role, "Role to act in")
#define ROW_REV CLI_OPT_TEXT("--rev", "N", struct rec_args, rev, "Only if this is still its revision")

static const struct cli_opt add_rows[] = { ROW_VALUES, ROW_DRY_RUN, CLI_OPT_END };
static const struct cli_opt set_rows[] = { ROW_VALUES, ROW_REV, ROW_DRY_RUN, CLI_OPT_END };
static const struct cli_opt verb_rows[] = { ROW_REV, ROW_DRY_RUN, CLI_OPT_END };
static const struct cli_opt remove_rows[] = {
	ROW_REV, ROW_DRY_RUN,
	CLI_OPT_LETTER('y', "--yes", struct rec_args, yes, "Do not ask for confirmation"),
	CLI_OPT_END,
};
static const struct cli_opt list_rows[] = {
	CLI_OPT_TEXT("--after", "ID", struct rec_args, after, "Start behind this record"),
	CLI_OPT_TEXT("--limit", "N", struct rec_args, limit, "Stop after N records"),
	CLI_OPT_END,
};
static const struct cli_opt history_rows[] = {
	CLI_OPT_TEXT("--after", "ID", struct rec_args, after, "Start behind this line of history"),
	CLI_OPT_TEXT("--limit", "N", struct rec_args, limit, "Stop after N lines"),
	CLI_OPT_END,
};
static const struct cli_opt role_row = ROW_ROLE;
static const struct cli_opt import_rows[] = {
	CLI_OPT_TEXT("--from", "KIND", struct rec_args, from, "csv (a heading, then rows) or json (an object per line)"),
	CLI_OPT_FLAG("--atomic", struct rec_args, atomic, "All rows or, when one is bad, none; else bad rows alone are left out"),
	CLI_OPT_TEXT("--report", "FILE", struct rec_args, report, "Write each bad row to this file, a JSON object per line"),
	ROW_DRY_RUN, CLI_OPT_END,
};

/* Verbs every kind may have. */
static const struct {
	const char *word;
	enum rec_act act;
	enum gba_err (*run)(struct cli *cli, void *args);
	const struct cli_opt *rows;
	int min, max; /* operands; -1: as many as the key has members */
	const char *operands, *help;
} acts[] = {
	{ "list", REC_LIST, cmd_rec_list, list_rows, 0, 0, "", "List, filtered by members" },
	{ "show", REC_SHOW, cmd_rec_show, NULL, 1, 2, "ID|KEY", "Show one" },
	{ "add", REC_ADD, cmd_rec_add, add_rows, 0, 0, "", "Add one" },
	{ "set", REC_SET, cmd_rec_set, set_rows, 1, 2, "ID|KEY", "Change members" },
	{ "remove", REC_REMOVE, cmd_rec_remove, remove_rows, 1, 2, "ID|KEY", "Remove one, and what hangs on it" },
	{ "import", REC_IMPORT, cmd_rec_import, import_rows, 1, 1, "FILE", "Add or change many from a file" },
};
#define ACTS (sizeof(acts) / sizeof(acts[0]))

/* A row of the table and what it stands for lie side by side. */
static struct rec_command *known;
static struct cli_cmd *rows;
static size_t row_count;

const struct rec_command *rec_command_of(const struct cli_cmd *cmd)
{
	return &known[cmd - rows];
}

static bool has_act(const struct rec_family *family, const struct record_kind *kind, enum rec_act act)
{
	if (family->without != NULL && family->without(kind, act))
		return false;
	switch (act) {
	case REC_ADD:
	case REC_IMPORT: return (kind->add & family->roles) != 0;
	case REC_SET: return (kind->change & family->roles) != 0;
	case REC_REMOVE: return (kind->remove & family->roles) != 0;
	default: return true;
	}
}

static bool is_member(const struct rec_command *command, const struct field *field)
{
	unsigned int roles = command->family->roles;
	size_t i;

	if ((field->flags & FIELD_HIDDEN) != 0)
		return false;
	switch (command->act) {
	case REC_LIST: return (field->flags & FIELD_FILTER) != 0;
	case REC_ADD: return (field->add & roles) != 0;
	case REC_SET: return (field->change & roles) != 0;
	case REC_VERB:
		for (i = 0; command->verb->arguments[i] != NULL; i++) {
			if (strcmp(command->verb->arguments[i], field->name) == 0)
				return true;
		}
		return false;
	default: return false;
	}
}

static void add_members(struct rec_command *command, const struct record_kind *kind)
{
	size_t i, k;

	for (i = 0; i < kind->count; i++) {
		for (k = 0; k < command->members && strcmp(command->member[k]->name, kind->fields[i].name) != 0; k++)
			;
		if (k == command->members && is_member(command, &kind->fields[i]))
			command->member[command->members++] = &kind->fields[i];
	}
}

static const char *words_of(TALLOC_CTX *ctx, const struct field *field)
{
	char *text = talloc_strdup(ctx, "");
	size_t i;

	for (i = 0; field->words[i] != NULL; i++)
		text = talloc_asprintf_append(text, "%s%s", i > 0 ? ", " : "", field->words[i]);
	return text;
}

static char *dashed(TALLOC_CTX *ctx, const char *prefix, const char *name)
{
	char *text = talloc_asprintf(ctx, "%s%s", prefix, name), *at;

	for (at = text; at != NULL && *at != '\0'; at++)
		*at = *at == '_' ? '-' : *at;
	return text;
}

static void option_of(TALLOC_CTX *ctx, const struct field *field, size_t i, struct cli_opt *opt)
{
	static const char *const arg[] = { "TEXT", "N", "BOOL", "WORD", "TIME", "ID|KEY", "A,B,...", "TEXT" };

	*opt = (struct cli_opt){ .name = dashed(ctx, "--", field->name), .arg = arg[field->type],
				 .type = field->type == FIELD_SEALED ? CLI_KEY : CLI_TEXT,
				 .offset = offsetof(struct rec_args, value) + i * sizeof(const char *),
				 .help = field->words != NULL
						 ? talloc_asprintf(ctx, "%s (%s)", field->help, words_of(ctx, field))
						 : field->help };
}

static void role_option(TALLOC_CTX *ctx, const struct rec_family *family, struct cli_opt *opt)
{
	const char *const *roles = family->set->roles;
	char *text = talloc_strdup(ctx, "");
	int role;

	for (role = 0; roles[role] != NULL; role++) {
		if ((family->roles & (1U << role)) != 0)
			text = talloc_asprintf_append(text, "%s%s", text[0] != '\0' ? ", " : "", roles[role]);
	}
	*opt = role_row;
	opt->help = talloc_asprintf(ctx, "Role to act in: %s (default %s)", text, roles[family->role]);
}

static const struct cli_opt *options_of(TALLOC_CTX *ctx, const struct rec_command *command, const struct cli_opt *common)
{
	struct cli_opt *opts;
	size_t n = 0, i;

	while (common != NULL && common[n].name != NULL)
		n++;
	opts = talloc_zero_array(ctx, struct cli_opt, command->members + n + 2);
	for (i = 0; opts != NULL && i < command->members; i++)
		option_of(ctx, command->member[i], i, &opts[i]);
	if (opts != NULL && n > 0)
		memcpy(opts + i, common, n * sizeof(*opts));
	if (opts != NULL && (command->family->roles & (command->family->roles - 1)) != 0)
		role_option(ctx, command->family, &opts[i + n]);
	return opts;
}

const char *rec_noun(TALLOC_CTX *ctx, const struct rec_family *family, const struct record_kind *kind)
{
	return dashed(ctx, "", family->noun != NULL ? family->noun(kind) : kind->name);
}

static void row_add(TALLOC_CTX *ctx, const struct rec_command *command, const char *word, const struct cli_cmd *pattern)
{
	struct cli_cmd *row = &rows[row_count];

	known[row_count] = *command;
	if (command->kind != NULL)
		add_members(&known[row_count], command->kind);
	if (command->act == REC_VERB && command->family->terms != NULL)
		add_members(&known[row_count], command->family->terms); /* a grant's terms are the permission's */
	*row = *pattern;
	row->words = talloc_asprintf(ctx, "%s%s %s", command->family->prefix,
				     command->kind != NULL ? rec_noun(ctx, command->family, command->kind) : "history", word);
	row->opts = options_of(ctx, &known[row_count], pattern->opts);
	row->args_size = sizeof(struct rec_args);
	row_count++;
}

static void kind_rows(TALLOC_CTX *ctx, const struct rec_family *family, const struct record_kind *kind)
{
	struct rec_command command = { .family = family, .kind = kind };
	const struct record_verb *verb;
	size_t i;

	for (i = 0; i < ACTS; i++) {
		const struct cli_cmd pattern = { .operands = acts[i].operands, .min = acts[i].min, .max = acts[i].max,
						 .opts = acts[i].rows, .run = acts[i].run,
						 .help = talloc_asprintf(ctx, "%s: %s", kind->help, acts[i].help) };

		command.act = acts[i].act;
		if (has_act(family, kind, acts[i].act))
			row_add(ctx, &command, acts[i].word, &pattern);
	}
	command.act = REC_VERB;
	for (verb = kind->verbs; verb != NULL && verb->name != NULL; verb++) {
		const struct cli_cmd pattern = { .operands = "ID|KEY", .min = 1, .max = 2, .opts = verb_rows, .run = cmd_rec_verb,
						 .help = verb->help };

		command.verb = verb;
		row_add(ctx, &command, verb->name, &pattern);
	}
}

static void history_row(TALLOC_CTX *ctx, const struct rec_family *family)
{
	const struct rec_command command = { .family = family, .act = REC_HISTORY };
	const struct cli_cmd pattern = { .operands = "[KIND [ID]]", .min = 0, .max = 2, .opts = history_rows,
					 .run = cmd_rec_history,
					 .help = "What was done to records, by whom, also after they are gone" };

	row_add(ctx, &command, "list", &pattern);
}

const struct cli_cmd *rec_commands_new(TALLOC_CTX *ctx)
{
	static const struct rec_family *const families[] = { &rec_hss, &rec_registry };
	size_t f, i, most = 1;

	for (f = 0; f < sizeof(families) / sizeof(families[0]); f++)
		most += families[f]->set->count * (ACTS + 4) + 1;
	rows = talloc_zero_array(ctx, struct cli_cmd, most);
	known = talloc_zero_array(ctx, struct rec_command, most);
	row_count = 0;
	for (f = 0; rows != NULL && known != NULL && f < sizeof(families) / sizeof(families[0]); f++) {
		history_row(ctx, families[f]);
		for (i = 0; i < families[f]->set->count; i++)
			kind_rows(ctx, families[f], &families[f]->set->kinds[i]);
	}
	return known != NULL ? rows : NULL;
}
