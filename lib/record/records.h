/* SPDX-License-Identifier: Apache-2.0 */
/** Operations on a role's records. Rights and ownership are enforced here, so that REST and gba-ctl cannot differ: what is not
 * the actor's is GBA_E_NOT_FOUND. A change and all that follows from it (history, what the role's hooks write) are one
 * transaction. One handle per thread; several threads and processes may have the database open. */
#ifndef GBA_RECORD_RECORDS_H
#define GBA_RECORD_RECORDS_H

#include "crypto/seal.h"
#include "record/record.h"

#define RECORD_PAGE_MAX	   1000
#define RECORD_FILTERS_MAX 4

struct db;

/** One call of a caller. why and field are filled on failure: one sentence for the caller without secrets, and the member
 * that is at fault ("" when it is none). */
struct record_call {
	const struct actor *actor;
	time_t now;
	TALLOC_CTX *mem_ctx; /* owner of what is given out */
	char field[32];
	char why[224];
};

/** Over an open database with the set's tables; makes the set's secrets at the first time.
 * @param set, db, kek, role  outlive the handle  @param kek  NULL: the set's secrets stay closed, sealed members too
 * @param role    the role's own state, for its hooks: records_role()
 * @param _error  on failure: text for the operator, below mem_ctx */
enum gba_err records_open(TALLOC_CTX *mem_ctx, const struct record_set *set, struct db *db, struct kek *kek, void *role,
			  struct records **_r, const char **_error);
/** Seal with the key-encryption key in use what an older one sealed in the records, in many small transactions.
 * @param _sealed  values sealed again  @param _left  changed by others meanwhile: call again */
enum gba_err records_reseal(struct records *r, uint64_t *_sealed, uint64_t *_left);
/** Changes when another handle has committed. */
int64_t records_version(struct records *r);

/** Several operations as one: between begin and commit every operation joins. An operation that fails leaves nothing of
 * its own behind only while it fails before its first write (bad values, rights, a record that exists): GBA_E_NOT_FOUND,
 * EXISTS, SYNTAX, RANGE, TOO_LONG, STALE, STATE, DENIED; after any other error: records_rollback. Without begin each
 * operation is its own transaction. */
enum gba_err records_begin(struct records *r);
enum gba_err records_commit(struct records *r);
/** In a transaction: what follows from its changes at the commit is done now, so that they read as they will stand. */
enum gba_err records_settle(struct records *r);
void records_rollback(struct records *r);
/** Transactions of several callers that share one of the database: between group_begin and group_end each of them, begun and
 * committed or rolled back as ever, one after the other, is kept or undone alone, sees those that were kept before it, and is
 * durable, and to be told of, when group_end has succeeded. When it fails nothing of any is kept.
 * @retval (begin) why there is no transaction: each of them fails with that, and group_end has to follow all the same
 * @param err  anything but GBA_OK: nothing is to be kept @return (end) err, or what has become of the commit */
enum gba_err records_group_begin(struct records *r);
enum gba_err records_group_end(struct records *r, enum gba_err err);
/** In a transaction: what follows, up to its end, is a part that can be undone alone, whatever it has written.
 * @param err  what came of it: anything but GBA_OK undoes it
 * @param _lost  GBA_OK, or why the transaction cannot go on: records_rollback
 * @return err, or why it could not be kept */
enum gba_err records_part(struct records *r);
enum gba_err records_part_end(struct records *r, enum gba_err err, enum gba_err *_lost);

/** Make a record of the members given; defaults for the others. _rec may be NULL.
 * @retval GBA_E_DENIED    the role may not add such records, or not give this field
 * @retval GBA_E_SYNTAX, GBA_E_RANGE, GBA_E_TOO_LONG  a member; unknown member; required member missing
 * @retval GBA_E_EXISTS    one with this natural key stands
 * @retval GBA_E_NOT_FOUND a record referred to is none of the actor's
 * @retval GBA_E_STATE     not now: user not registered, device without authentication, realm not set up, ... */
enum gba_err records_add(struct records *r, struct record_call *call, int kind, json_t *values, struct record **_rec);
/** Change the members given. @param old  as the caller has seen it: kind, id and rev count; rev 0: any
 * @retval GBA_E_STALE  changed meanwhile; others as add */
enum gba_err records_set(struct records *r, struct record_call *call, const struct record *old, json_t *values,
			 struct record **_rec);
/** Remove; what hangs on it goes too (an ASP's applications, their permissions ...), each with its history.
 * @retval GBA_E_STALE */
enum gba_err records_remove(struct records *r, struct record_call *call, const struct record *old);
/** Run a verb of the record's kind. _rec: the record after it; may be NULL.
 * @retval GBA_E_UNSUPPORTED  no such verb  @retval GBA_E_STATE  not in this state */
enum gba_err records_do(struct records *r, struct record_call *call, const struct record *old, const char *verb,
			json_t *arguments, struct record **_rec);

/** By id. @retval GBA_E_NOT_FOUND */
enum gba_err records_get(struct records *r, struct record_call *call, int kind, int64_t id, struct record **_rec);
/** By natural key: `key` has all FIELD_KEY members (others are ignored). For idempotent writes.
 * @retval GBA_E_NOT_FOUND  @retval GBA_E_SYNTAX */
enum gba_err records_find(struct records *r, struct record_call *call, int kind, json_t *key, struct record **_rec);

/** A page of a list, in order of id. */
struct record_query {
	int kind;
	int64_t after; /* id; 0: from the first */
	size_t limit;  /* 1..RECORD_PAGE_MAX */
	size_t filters;
	struct {
		const char *field, *value; /* a FIELD_FILTER field the role may read; value as on a command line */
	} filter[RECORD_FILTERS_MAX];
};
struct record_page {
	struct record **rec; /* below itself */
	size_t count;
	int64_t next; /* `after` of the next page; 0: this was the last */
};
/** @retval GBA_E_SYNTAX, GBA_E_RANGE  filter or limit */
enum gba_err records_list(struct records *r, struct record_call *call, const struct record_query *query,
			  struct record_page **_page);

/** What was done to a record, also after it is gone. */
struct history_row {
	int64_t id, record, rev;
	int kind;
	time_t at;
	const char *who, *act;  /* "admin:alice"; "add", "set", "remove" or a verb */
	const char *change; /* JSON object: member -> [before, after]; sealed members: "changed" */
};
struct history_query {
	int kind;	/* a kind's number; -1: all */
	int64_t record; /* 0: all of the kind */
	int64_t after;
	size_t limit;
};
/** In order of id. Roles that see all: all. Others: of a record they may see now, changes of members they may read.
 * @param _rows  below call->mem_ctx  @param _next  as record_page.next */
enum gba_err records_history(struct records *r, struct record_call *call, const struct history_query *query,
			     struct history_row **_rows, size_t *_count, int64_t *_next);

/** Members of a JSON object from texts as on a command line or in a CSV row: typed by the field.
 * @retval GBA_E_SYNTAX, GBA_E_RANGE  call->field, call->why say what */
enum gba_err records_value(struct record_call *call, const struct record_kind *kind, const char *field, struct bytes text,
			   json_t *object);

#endif
