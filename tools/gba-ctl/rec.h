/* SPDX-License-Identifier: Apache-2.0 */
/** Commands on a role's records: made from its tables, as REST is, so that a noun, its options and its help are rows of one
 * table. */
#ifndef GBA_CTL_REC_H
#define GBA_CTL_REC_H

#include "record/records.h"
#include "tools/gba-ctl/ctl.h"

#define REC_VALUES_MAX 32

/** Options of such a command. */
struct rec_args {
	const char *value[REC_VALUES_MAX]; /* members as texts; their names in rec_verb's row */
	const char *values;		   /* --values FILE */
	const char *after, *limit, *rev, *from, *role, *report;
	bool dry_run, yes, atomic;
};

struct rec;

enum rec_act { REC_HISTORY, REC_LIST, REC_SHOW, REC_ADD, REC_SET, REC_REMOVE, REC_IMPORT, REC_VERB };

/** A role's records, as far as this tool knows them. */
struct rec_family {
	const char *prefix; /* before its nouns: "registry "; "" none */
	const struct record_set *set;
	unsigned int roles; /* that the tool may act in; more than one: option --role */
	int role;	    /* unless told */
	const struct record_kind *terms; /* verbs take members of this kind, too; NULL: of none */
	/** Noun of a kind; NULL: all have their table's. */
	const char *(*noun)(const struct record_kind *kind);
	/** Has the tool no such command though the table allows it? NULL: all */
	bool (*without)(const struct record_kind *kind, enum rec_act act);
	/** Another way than by key to name a record. @retval GBA_E_UNSUPPORTED  none; NULL: none for any */
	enum gba_err (*find)(struct rec *r, const struct record_kind *kind, struct bytes text, struct record **_rec);
	/** Set r->m. @param change  note it in the audit log first */
	enum gba_err (*open)(struct rec *r, bool change);
	/** A transaction that will be long has begun, or has ended: what must not wait for it can go another way meanwhile.
	 * NULL: nothing */
	enum gba_err (*long_write)(struct rec *r, bool begun);
};
extern const struct rec_family rec_hss, rec_registry;
/** The registry's records for a command that is none of a kind. @param change  note it in the audit log first */
enum gba_err rec_registry_open(struct ctl *ctl, bool change, struct records **_r);

/** What a command line names beside its options. */
struct rec_command {
	const struct rec_family *family;
	const struct record_kind *kind; /* NULL: history */
	enum rec_act act;
	const struct record_verb *verb; /* REC_VERB */
	const struct field *member[REC_VALUES_MAX]; /* of rec_args.value, in order */
	size_t members;
};
/** The command that runs. */
const struct rec_command *rec_command_of(const struct cli_cmd *cmd);
/** The table of all of them, below ctx. NULL: out of memory */
const struct cli_cmd *rec_commands_new(TALLOC_CTX *ctx);
/** The noun on the command line: "user-identity", "app". */
const char *rec_noun(TALLOC_CTX *ctx, const struct rec_family *family, const struct record_kind *kind);

/** One run. */
struct rec {
	struct ctl *ctl;
	const struct rec_args *args;
	const struct rec_command *command;
	const struct rec_family *family;
	const struct record_kind *kind;
	struct records *m;
	struct record_call call;
	struct actor actor;
	void *hold; /* long_write()'s */
};
/** @param change  note it in the audit log first */
enum gba_err rec_open(struct rec *r, struct cli *cli, const struct rec_args *args, bool change);
/** What was refused, told. @return err */
enum gba_err rec_fail(struct rec *r, enum gba_err err, const char *what);
/** The record an operand names: its id, or its key (TYPE:VALUE where the key has two members; or as the family
 * finds it). @param second  the second operand, NULL: none */
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
enum gba_err cmd_rec_history(struct cli *cli, void *args);
enum gba_err cmd_rec_import(struct cli *cli, void *args);

#endif
