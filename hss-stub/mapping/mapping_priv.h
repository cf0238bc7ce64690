/* SPDX-License-Identifier: Apache-2.0 */
/** Between the files of this room. All but mapping.c's operations run within a transaction. */
#ifndef GBA_HSS_MAPPING_PRIV_H
#define GBA_HSS_MAPPING_PRIV_H

#include "core/secret.h"
#include "hss-stub/mapping/grant.h"
#include "hss-stub/mapping/rules.h"
#include "store/db.h"

#define STATEMENTS_MAX	       256
#define PSEUDONYM_KEY_LEN      32
#define REALM_SECRET_PSEUDONYM "pseudonym"

enum made { MADE_LOAD, MADE_INSERT, MADE_UPDATE, MADE_VISIBLE, MADE_COUNT = MADE_VISIBLE + ACTOR_ROLE_COUNT };

struct mapping {
	struct sub_store *subs;
	struct db *db; /* of subs */
	struct kek *kek;
	struct secret *pseudonym_key;
	struct {
		const char *sql;
		struct db_stmt *stmt;
	} statement[STATEMENTS_MAX];
	size_t statements;
	struct db_stmt *made[KIND_COUNT][MADE_COUNT]; /* those made from a kind's table, once made */
	unsigned int depth;	/* transactions one in another: the outermost is the database's */
	enum gba_err broken;	/* an inner one failed after it had written: the outermost must not commit */
	bool written;		/* by the operation under way */
	char **dirty;		/* IMPIs whose GUSS has to be made again; below itself */
	size_t dirty_count;
	time_t dirty_now;
};

/** Fill call->field (NULL: "") and call->why; @return err */
enum gba_err mapping_refuse(struct mapping_call *call, enum gba_err err, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/** The statement of this text, prepared once. Nobody may step it twice at a time: read all rows, then act. */
enum gba_err mapping_stmt(struct mapping *m, const char *sql, struct db_stmt **_stmt);
/** One integer of one row. @retval GBA_E_NOT_FOUND  no row */
enum gba_err mapping_int(struct db_stmt *stmt, int64_t *_value);
/** Copy of a view, with a NUL behind; absent stays absent. */
enum gba_err mapping_keep(TALLOC_CTX *ctx, struct bytes view, struct bytes *_copy);
/** This client element's GUSS is made again before the commit. */
enum gba_err mapping_dirty(struct mapping *m, struct bytes impi, time_t now);
enum gba_err mapping_flush(struct mapping *m);

/** All defaults. */
enum gba_err record_new(TALLOC_CTX *mem_ctx, enum record_kind_id kind, struct record **_rec);
/** Values shared with old. */
struct record *record_copy(TALLOC_CTX *mem_ctx, const struct record *old);
/** Members of a JSON object into the record, as far as the role may. @param add  else change */
enum gba_err record_take(struct mapping_call *call, struct record *rec, json_t *values, bool add);
/** One member, without asking for rights. */
enum gba_err value_take(struct mapping_call *call, TALLOC_CTX *ctx, const struct field *field, json_t *json, struct value *_value);
json_t *value_json(const struct field *field, const struct value *value);
/** Required members given? */
enum gba_err record_complete(struct mapping_call *call, const struct record *rec);
/** JSON text of what differs, for history. NULL: out of memory. */
char *record_diff(TALLOC_CTX *ctx, const struct record *old, const struct record *now);

/** SQL and history of one record; no rights, no rules. */
enum gba_err record_load(struct mapping *m, TALLOC_CTX *mem_ctx, enum record_kind_id kind, int64_t id, struct record **_rec);
enum gba_err record_insert(struct mapping *m, struct mapping_call *call, struct record *now, const char *act);
enum gba_err record_update(struct mapping *m, struct mapping_call *call, const struct record *old, struct record *now,
			   const char *act);
enum gba_err record_delete(struct mapping *m, struct mapping_call *call, const struct record *old, const char *act);
enum gba_err record_row(struct mapping *m, TALLOC_CTX *mem_ctx, const struct record_kind *kind, struct db_stmt *row,
			struct record **_rec);
/** "id, rev, created, changed, ..." */
char *record_columns(TALLOC_CTX *ctx, const struct record_kind *kind);
/** What a sealed value is bound to: moved to another record or member it does not open. */
#define RECORD_ABOUT_MAX 96
struct bytes record_seal_about(const struct record_kind *kind, int64_t id, const struct field *field,
			       char about[RECORD_ABOUT_MAX]);
bool field_stored(const struct field *field);
/** The role's scope with the parameter ?number for the actor's id; "" for all. NULL: nothing is visible. */
char *record_scope(TALLOC_CTX *ctx, const struct record_kind *kind, enum actor_role role, int number);

/** All that mapping_add, set, remove do, in the transaction that stands. */
enum gba_err record_add_by_rules(struct mapping *m, struct mapping_call *call, struct record *now, const char *act);
enum gba_err record_set_by_rules(struct mapping *m, struct mapping_call *call, const struct record *old, struct record *now,
				 const char *act);
enum gba_err record_remove_by_rules(struct mapping *m, struct mapping_call *call, const struct record *old);
/** Does the actor see the record as it stands in the database? @retval GBA_E_NOT_FOUND */
enum gba_err record_visible(struct mapping *m, struct mapping_call *call, enum record_kind_id kind, int64_t id);

/** A notice for a user or an ASP; body is stolen. */
enum gba_err notice_add(struct mapping *m, struct mapping_call *call, int owner_type, int64_t owner, int event,
			const struct record *about, json_t *body);
/** Is the client element's device registered to a user in good standing (or need it not be)? @param _custodian  0: none */
enum gba_err device_registered(struct mapping *m, struct bytes impi, bool *_yes, int64_t *_custodian);

#endif
