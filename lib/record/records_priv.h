/* SPDX-License-Identifier: Apache-2.0 */
/** Between the files of this room. All but records.c's operations run within a transaction. */
#ifndef GBA_RECORD_RECORDS_PRIV_H
#define GBA_RECORD_RECORDS_PRIV_H

#include "core/secret.h"
#include "record/rules.h"

#define STATEMENTS_MAX 256

enum made { MADE_LOAD, MADE_INSERT, MADE_UPDATE, MADE_VISIBLE, MADE_COUNT = MADE_VISIBLE + RECORD_ROLES_MAX };

struct records {
	const struct record_set *set;
	void *role; /* the role's own */
	struct db *db;
	struct kek *kek; /* NULL: nothing sealed can be read or written */
	struct secret *secret[RECORD_SECRETS_MAX];
	struct {
		const char *sql;
		struct db_stmt *stmt;
	} statement[STATEMENTS_MAX];
	size_t statements;
	struct db_stmt *(*made)[MADE_COUNT]; /* of each kind: those made from its table, once made */
	unsigned int depth;	/* transactions one in another: the outermost is the database's */
	enum gba_err broken;	/* an inner one failed after it had written: the outermost must not commit */
	bool written;		/* by the operation under way */
	bool group;		/* the database's transaction is a group's: the outermost ones are parts of it */
	bool kept;		/* one of them is to be committed */
	enum gba_err lost;	/* why that cannot be any more */
};

/* secrets.c: read the set's secrets, making those that are not there */
enum gba_err secrets_open(struct records *r);
enum gba_err secret_reseal(struct records *r, const char *name, bool *_sealed);

json_t *value_json(const struct field *field, const struct value *value);
/** Required members given? */
enum gba_err record_complete(struct record_call *call, const struct record *rec);
/** JSON text of what differs, for history. NULL: out of memory. */
char *record_diff(TALLOC_CTX *ctx, const struct record *old, const struct record *now);

enum gba_err record_row(struct records *r, TALLOC_CTX *mem_ctx, const struct record_kind *kind, struct db_stmt *row,
			struct record **_rec);
/** "id, rev, created, changed, ..." */
char *record_columns(TALLOC_CTX *ctx, const struct record_kind *kind);
/** What a sealed value is bound to: moved to another record or member it does not open. */
#define RECORD_ABOUT_MAX 96
struct bytes record_seal_about(const struct record_kind *kind, int64_t id, const struct field *field,
			       char about[RECORD_ABOUT_MAX]);
bool field_stored(const struct field *field);
/** The role's scope with the parameter ?number for the actor's id; "" for all. NULL: nothing is visible. */
char *record_scope(TALLOC_CTX *ctx, const struct record_kind *kind, int role, int number);

#endif
