/* SPDX-License-Identifier: Apache-2.0 */
/** gba-ue's command line: rows say what there is; parser, --help and the test of the manual page follow them. A command
 * gets checked arguments, fills in a result and never prints itself (get's body excepted) nor exits. */
#ifndef GBA_UE_CLI_H
#define GBA_UE_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <talloc.h>
#include <time.h>

#include "core/err.h"
#include "ue/state.h"
#include "ue/why.h"

#define CLI_PRODUCT "gba-ue/" VERSION

enum cli_exit { /* as all programs of the suite */
	CLI_DONE = 0,
	CLI_NEGATIVE = 1,
	CLI_USAGE = 2,
	CLI_NOT_FOUND = 3,
	CLI_REFUSED = 4,
	CLI_UNREACHABLE = 5,
	CLI_UNPROVED = 6, /* verification failed: somebody or something is not what it should be */
	CLI_LATER = 75,
};

enum cli_type { CLI_FLAG, CLI_TEXT, CLI_NUMBER, CLI_LIST };

#define CLI_LIST_MAX 32
struct cli_list {
	const char *v[CLI_LIST_MAX];
	size_t n;
};

/** One option; its value goes to a member of the command's struct: bool, const char *, uint32_t or struct cli_list. */
struct cli_opt {
	const char *name; /* "--bsf"; "-o" */
	const char *arg;  /* name of its value for --help, NULL: a flag */
	enum cli_type type;
	size_t offset;
	uint32_t min, max; /* NUMBER */
	const char *help;
};
#define CLI_OF(st, m, ctype) (offsetof(st, m) + 0 * sizeof((ctype *)0 == &((st *)0)->m))
#define CLI_OPT_FLAG(name, st, m, help) { name, NULL, CLI_FLAG, CLI_OF(st, m, bool), 0, 0, help }
#define CLI_OPT_TEXT(name, arg, st, m, help) { name, arg, CLI_TEXT, CLI_OF(st, m, const char *), 0, 0, help }
#define CLI_OPT_NUMBER(name, arg, min, max, st, m, help) \
	{ name, arg, CLI_NUMBER, CLI_OF(st, m, uint32_t), min, max, help }
#define CLI_OPT_LIST(name, arg, st, m, help) { name, arg, CLI_LIST, CLI_OF(st, m, struct cli_list), 0, 0, help }
#define CLI_OPT_END { NULL, NULL, CLI_FLAG, 0, 0, 0, NULL }

#define CLI_OPERANDS_MAX 2

struct cli {
	TALLOC_CTX *ctx;
	/* --state, --json, --log-level, --log-format, --log-file, --trace */
	const char *state_dir, *log_level, *log_format, *log_file, *trace;
	bool json;
	const char *operands[CLI_OPERANDS_MAX + 1];
	int operand_count;
	struct ue_why why;
	json_t *result;	 /* what is printed: an object, or an array of objects; NULL: nothing */
	bool quiet;	 /* the command wrote its output itself */
	int exit;	 /* other than what the error row says; -1: none */
};

struct cli_cmd {
	const char *words;    /* "usim create" */
	const char *operands; /* "[NAME]" */
	int min, max;	      /* operands */
	const struct cli_opt *opts;
	size_t args_size;
	void (*defaults)(void *args); /* what is not zero; may be NULL */
	enum gba_err (*run)(struct cli *cli, void *args);
	const char *help;
};

#define CLI_CMD_END { NULL, NULL, 0, 0, NULL, 0, NULL, NULL, NULL }

/** Commands, a table per file of commands, each ending with CLI_CMD_END. */
extern const struct cli_cmd cmd_session_commands[], cmd_usim_commands[], cmd_profile_commands[], cmd_token_commands[];
extern const struct cli_cmd *const cli_tables[]; /* all of them, NULL-terminated */
/** Options every command takes; they set members of struct cli. */
extern const struct cli_opt cli_global_opts[];

/** Parse the command line into cli and the command's struct (below cli->ctx).
 * @param _cmd  written on GBA_OK; NULL: --help or --version was asked for and has been printed
 * @retval GBA_E_SYNTAX  usage: why tells */
enum gba_err cli_parse(struct cli *cli, int argc, char **argv, const struct cli_cmd **_cmd, void **_args);
/** --help: of one command, or of all when cmd is NULL. */
void cli_help(FILE *out, const struct cli_cmd *cmd);

/** Print the result, or what went wrong. @return exit status */
int cli_finish(struct cli *cli, enum gba_err err);
/** Open the state folder. */
enum gba_err cli_state(struct cli *cli, bool create, struct state **_state);
/** Add to an object result. */
void cli_put(struct cli *cli, const char *key, json_t *value);
/** "2031-01-01T12:00:00Z" */
json_t *cli_time(time_t when);

#endif
