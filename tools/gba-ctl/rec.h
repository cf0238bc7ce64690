/* SPDX-License-Identifier: Apache-2.0 */
/** Commands on the records of the mapping and registration function: made from mapping_kinds, as REST is, so that a noun, its
 * options and its help are rows of one table. */
#ifndef GBA_CTL_REC_H
#define GBA_CTL_REC_H

#include "hss-stub/mapping/mapping.h"
#include "tools/gba-ctl/ctl.h"

#define REC_VALUES_MAX 32
#define REC_APP	       "app" /* the noun for applications */

/** Options of such a command. */
struct rec_args {
	const char *value[REC_VALUES_MAX]; /* members as texts; their names in rec_verb's row */
	const char *values;		   /* --values FILE */
	const char *after, *limit, *rev, *from;
	bool dry_run, yes, atomic;
};

enum rec_act { REC_LIST, REC_SHOW, REC_ADD, REC_SET, REC_REMOVE, REC_IMPORT, REC_VERB };

/** What a command line names beside its options. */
struct rec_command {
	const struct record_kind *kind;
	enum rec_act act;
	const struct record_verb *verb; /* REC_VERB */
	const struct field *member[REC_VALUES_MAX]; /* of rec_args.value, in order */
	size_t members;
};
/** The command that runs. */
const struct rec_command *rec_command_of(const struct cli_cmd *cmd);
/** The table of all of them, below ctx. NULL: out of memory */
const struct cli_cmd *rec_commands_new(TALLOC_CTX *ctx);
extern const struct cli_cmd ctl_history_commands[];

/** One run. */
struct rec {
	struct ctl *ctl;
	const struct rec_args *args;
	const struct rec_command *command;
	const struct record_kind *kind;
	struct records *m;
	struct record_call call;
	struct actor actor;
};
/** @param change  note it in the audit log first */
enum gba_err rec_open(struct rec *r, struct cli *cli, const struct rec_args *args, bool change);
/** What the mapping function refused, told. @return err */
enum gba_err rec_fail(struct rec *r, enum gba_err err, const char *what);
/** The record an operand names: its id, or its key (TYPE:VALUE where the key has two members; an application also by its
 * host name). @param second  the second operand, NULL: none */
enum gba_err rec_find(struct rec *r, const struct record_kind *kind, const char *text, const char *second, struct record **_rec);
/** A member of a JSON object from its text; a reference may be an id or a key. */
enum gba_err rec_member(struct rec *r, const struct field *field, struct bytes text, json_t *object);
/** Options and --values as an object. */
enum gba_err rec_values(struct rec *r, json_t **_object);
void rec_write(struct rec *r, const struct record *rec);

enum gba_err cmd_rec_list(struct cli *cli, void *args);
enum gba_err cmd_rec_show(struct cli *cli, void *args);
enum gba_err cmd_rec_add(struct cli *cli, void *args);
enum gba_err cmd_rec_set(struct cli *cli, void *args);
enum gba_err cmd_rec_remove(struct cli *cli, void *args);
enum gba_err cmd_rec_verb(struct cli *cli, void *args);
enum gba_err cmd_rec_import(struct cli *cli, void *args);

#endif
