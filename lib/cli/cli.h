/* SPDX-License-Identifier: Apache-2.0 */
/** Command line of the suite's programs. Rows say what there is; parser, --help, bash completion and the tests of the
 * manual pages follow them. A command gets checked arguments, says what it found and never prints itself nor exits.
 *
 * To add a command: one row in a table of commands, one function.
 *
 *	struct drop_args { const char *realm; uint32_t limit; bool dry_run; };
 *	static const struct cli_opt drop_opts[] = {
 *		CLI_OPT_TEXT("--realm", "NAME", struct drop_args, realm, "Only this realm's"),
 *		CLI_OPT_NUMBER("--limit", "N", 1, 1000, struct drop_args, limit, "Stop after N; 10 otherwise"),
 *		CLI_OPT_LETTER('n', "--dry-run", struct drop_args, dry_run, "Change nothing"),
 *		CLI_OPT_END,
 *	};
 *	{ "thing drop", "NAME", 1, 1, drop_opts, sizeof(struct drop_args), drop_defaults, cmd_drop, "Drop a thing" },
 *
 * The function answers in one of two ways: a document (cli->result, by cli_put(): printed as "key: value" lines, or one
 * JSON value), or records as they come (cli->out, cli/writer.h: table, text, JSON lines, CSV). What went wrong it says
 * by why_fail(&cli->why, err, ...); the error row decides the exit status. One thread. */
#ifndef GBA_CLI_CLI_H
#define GBA_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <talloc.h>
#include <time.h>

#include "cli/writer.h"
#include "core/err.h"
#include "core/why.h"

/** Exit statuses; scripts rely on them. */
enum cli_exit {
	CLI_DONE = 0,
	CLI_NEGATIVE = 1, /* a negative answer: exists already, rows rejected */
	CLI_USAGE = 2,
	CLI_NOT_FOUND = 3,
	CLI_REFUSED = 4,     /* not allowed, or not confirmed */
	CLI_UNREACHABLE = 5, /* no file, no node */
	CLI_UNPROVED = 6,    /* verification failed: somebody or something is not what it should be */
	CLI_LATER = 75,	     /* busy, no space */
};

enum cli_type { CLI_FLAG, CLI_TEXT, CLI_KEY, CLI_NUMBER, CLI_LIST };

#define CLI_LIST_MAX 32
struct cli_list {
	const char *v[CLI_LIST_MAX];
	size_t n;
};

/** One option; its value goes to a member of the command's struct: bool, const char *, uint32_t or struct cli_list.
 * KEY is a text that is nobody's business: moved from argv to locked memory, with a warning that it was visible. */
struct cli_opt {
	const char *name; /* "--bsf"; "-o" */
	const char *arg;  /* name of its value for --help, NULL: a flag */
	enum cli_type type;
	size_t offset;
	uint32_t min, max; /* NUMBER */
	const char *help;
	char letter; /* short form, 0: none */
};
#define CLI_OF(st, m, ctype) (offsetof(st, m) + 0 * sizeof((ctype *)0 == &((st *)0)->m))
#define CLI_OPT_FLAG(name, st, m, help) { name, NULL, CLI_FLAG, CLI_OF(st, m, bool), 0, 0, help, 0 }
#define CLI_OPT_TEXT(name, arg, st, m, help) { name, arg, CLI_TEXT, CLI_OF(st, m, const char *), 0, 0, help, 0 }
#define CLI_OPT_KEY(name, arg, st, m, help) { name, arg, CLI_KEY, CLI_OF(st, m, const char *), 0, 0, help, 0 }
#define CLI_OPT_NUMBER(name, arg, min, max, st, m, help) \
	{ name, arg, CLI_NUMBER, CLI_OF(st, m, uint32_t), min, max, help, 0 }
#define CLI_OPT_LIST(name, arg, st, m, help) { name, arg, CLI_LIST, CLI_OF(st, m, struct cli_list), 0, 0, help, 0 }
/** With a short form: a flag, a text. */
#define CLI_OPT_LETTER(letter, name, st, m, help) { name, NULL, CLI_FLAG, CLI_OF(st, m, bool), 0, 0, help, letter }
#define CLI_OPT_LETTER_TEXT(letter, name, arg, st, m, help) \
	{ name, arg, CLI_TEXT, CLI_OF(st, m, const char *), 0, 0, help, letter }
#define CLI_OPT_END { NULL, NULL, CLI_FLAG, 0, 0, 0, NULL, 0 }

#define CLI_OPERANDS_MAX 2

struct cli_program;

/** One run. A program puts it first in a struct of its own, whose further members its common options set. */
struct cli {
	const struct cli_program *program;
	TALLOC_CTX *ctx;    /* root of everything of this run */
	bool json, csv;	    /* for the program's common options to set */
	const char *operands[CLI_OPERANDS_MAX + 1]; /* after the command's words; absent: NULL */
	int operand_count;
	struct why why;
	struct writer *out; /* records; format by json and csv */
	json_t *result;	    /* document: an object, or an array of objects; NULL: none */
	bool quiet;	    /* the command wrote its document itself */
	int exit;	    /* other than what the error row says; -1: none */
};

struct cli_cmd {
	const char *words;    /* one to three: "usim create" */
	const char *operands; /* "[NAME]" */
	int min, max;	      /* operands */
	const struct cli_opt *opts;
	size_t args_size;
	void (*defaults)(void *args); /* what is not zero; may be NULL */
	enum gba_err (*run)(struct cli *cli, void *args);
	const char *help;
};

#define CLI_CMD_END { NULL, NULL, 0, 0, NULL, 0, NULL, NULL, NULL }

struct cli_program {
	const char *name;		       /* "gba-ue" */
	const char *title;		       /* a sentence for --help */
	const struct cli_cmd *const *commands; /* tables, each ending with CLI_CMD_END; NULL-terminated */
	const struct cli_opt *opts;	       /* that every command takes: members of the struct that begins with struct cli */
	bool error_document;		       /* --json: a failure is a document, too: "error", "message" */
	/** Before the command runs: log, configuration. May be NULL. */
	enum gba_err (*prepare)(struct cli *cli, const struct cli_cmd *cmd);
	/** After it, with what became of it. @return what is reported. May be NULL. */
	enum gba_err (*finished)(struct cli *cli, const struct cli_cmd *cmd, enum gba_err err);
};

/** Parse, run, print. cli: zero but for what the common options have as defaults; program set.
 * @return exit status */
int cli_main(struct cli *cli, int argc, char **argv);

/** Add to an object result. */
void cli_put(struct cli *cli, const char *key, json_t *value);
/** "2031-01-01T12:00:00Z" */
json_t *cli_time(time_t when);
/** Refuse an option's value with the row's own help as the reason. @retval GBA_E_SYNTAX */
enum gba_err cli_bad_value(struct cli *cli, const struct cli_opt *opts, const char *name, const char *value);

/** A ready command: completion for bash, from the rows. */
enum gba_err cli_completion(struct cli *cli, void *args);

#endif
