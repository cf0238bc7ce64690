/* SPDX-License-Identifier: Apache-2.0 */
/** Operations on the records of the mapping and registration function. Rights and ownership are enforced here, so that
 * REST and gba-ctl cannot differ: what is not the actor's is GBA_E_NOT_FOUND. The records stand in the database of
 * subscribers; a change and all that follows from it (history, GUSS of the subscriber, outbox, notices) are one
 * transaction. One handle per thread; several threads and processes may have the database open. */
#ifndef GBA_HSS_MAPPING_H
#define GBA_HSS_MAPPING_H

#include "crypto/seal.h"
#include "hss-stub/mapping/record.h"
#include "hss-stub/sub_store.h"

#define MAPPING_PAGE_MAX    1000
#define MAPPING_FILTERS_MAX 4

/** One call of a caller. why and field are filled on failure: one sentence for the caller without secrets, and the member
 * that is at fault ("" when it is none). */
struct mapping_call {
	const struct actor *actor;
	time_t now;
	TALLOC_CTX *mem_ctx; /* owner of what is given out */
	char field[32];
	char why[224];
};

/** Open, migrating when needed; makes the realm's secret of pseudonyms at the first time.
 * @param database  as of hss.conf  @param kek  outlives the handle (hss_kek_open)
 * @param _error  on failure: text for the operator, below mem_ctx; errors as db_open, kek_open */
enum gba_err mapping_open(TALLOC_CTX *mem_ctx, const char *database, struct kek *kek, struct mapping **_m,
			  const char **_error);
/** Over an open store of subscribers, without key: for grant_subscriber_changed() and outbox_*() alone. */
struct mapping *mapping_attach(TALLOC_CTX *mem_ctx, struct sub_store *store);
/** Subscribers through the same handle: what is done to them between begin and commit is part of the transaction. */
struct sub_store *mapping_subscribers(struct mapping *m);
/** Seal with the key-encryption key in use what an older one sealed in the records, in many small transactions.
 * @param _sealed  values sealed again  @param _left  changed by others meanwhile: call again */
enum gba_err mapping_reseal(struct mapping *m, uint64_t *_sealed, uint64_t *_left);
/** Changes when another handle has committed. */
int64_t mapping_version(struct mapping *m);

/** Several operations as one: between begin and commit every operation joins. An operation that fails leaves nothing of
 * its own behind only while it fails before its first write (bad values, rights, a record that exists): GBA_E_NOT_FOUND,
 * EXISTS, SYNTAX, RANGE, TOO_LONG, STALE, STATE, DENIED; after any other error: mapping_rollback. Without begin each
 * operation is its own transaction. GUSS of subscribers touched are written at commit, once each. */
enum gba_err mapping_begin(struct mapping *m);
enum gba_err mapping_commit(struct mapping *m);
void mapping_rollback(struct mapping *m);

/** Make a record of the members given; defaults for the others. _rec may be NULL.
 * @retval GBA_E_DENIED    the role may not add such records, or not give this field
 * @retval GBA_E_SYNTAX, GBA_E_RANGE, GBA_E_TOO_LONG  a member; unknown member; required member missing
 * @retval GBA_E_EXISTS    one with this natural key stands
 * @retval GBA_E_NOT_FOUND a record referred to is none of the actor's
 * @retval GBA_E_STATE     not now: user not registered, device without authentication, realm not set up, ... */
enum gba_err mapping_add(struct mapping *m, struct mapping_call *call, enum record_kind_id kind, json_t *values,
			 struct record **_rec);
/** Change the members given. @param old  as the caller has seen it: kind, id and rev count; rev 0: any
 * @retval GBA_E_STALE  changed meanwhile; others as add */
enum gba_err mapping_set(struct mapping *m, struct mapping_call *call, const struct record *old, json_t *values,
			 struct record **_rec);
/** Remove; what hangs on it goes too (an ASP's applications, their permissions ...), each with its history.
 * @retval GBA_E_STALE */
enum gba_err mapping_remove(struct mapping *m, struct mapping_call *call, const struct record *old);
/** Run a verb of the record's kind. _rec: the record after it; may be NULL.
 * @retval GBA_E_UNSUPPORTED  no such verb  @retval GBA_E_STATE  not in this state */
enum gba_err mapping_do(struct mapping *m, struct mapping_call *call, const struct record *old, const char *verb,
			json_t *arguments, struct record **_rec);

/** By id. @retval GBA_E_NOT_FOUND */
enum gba_err mapping_get(struct mapping *m, struct mapping_call *call, enum record_kind_id kind, int64_t id,
			 struct record **_rec);
/** By natural key: `key` has all FIELD_KEY members (others are ignored). For idempotent writes.
 * @retval GBA_E_NOT_FOUND  @retval GBA_E_SYNTAX */
enum gba_err mapping_find(struct mapping *m, struct mapping_call *call, enum record_kind_id kind, json_t *key,
			  struct record **_rec);

/** A page of a list, in order of id. */
struct mapping_query {
	enum record_kind_id kind;
	int64_t after; /* id; 0: from the first */
	size_t limit;  /* 1..MAPPING_PAGE_MAX */
	size_t filters;
	struct {
		const char *field, *value; /* a FIELD_FILTER field the role may read; value as on a command line */
	} filter[MAPPING_FILTERS_MAX];
};
struct mapping_page {
	struct record **rec; /* below itself */
	size_t count;
	int64_t next; /* `after` of the next page; 0: this was the last */
};
/** @retval GBA_E_SYNTAX, GBA_E_RANGE  filter or limit */
enum gba_err mapping_list(struct mapping *m, struct mapping_call *call, const struct mapping_query *query,
			  struct mapping_page **_page);

/** What was done to a record, also after it is gone. */
struct history_row {
	int64_t id, record, rev;
	enum record_kind_id kind;
	time_t at;
	const char *who, *act;  /* "admin:alice"; "add", "set", "remove" or a verb */
	const char *change; /* JSON object: member -> [before, after]; sealed members: "changed" */
};
struct history_query {
	int kind;	/* enum record_kind_id; -1: all */
	int64_t record; /* 0: all of the kind */
	int64_t after;
	size_t limit;
};
/** In order of id. Admin: all. Others: of a record they may see now, changes of members they may read.
 * @param _rows  below call->mem_ctx  @param _next  as mapping_page.next */
enum gba_err mapping_history(struct mapping *m, struct mapping_call *call, const struct history_query *query,
			     struct history_row **_rows, size_t *_count, int64_t *_next);

/** Whose credential is it? Compared by hash only. @param hash  64 lower-case hex digits: SHA-256 of the certificate (DER)
 * or of the token  @param _actor  role, id and name ("asp:3"), below call->mem_ctx; call->actor may be NULL
 * @retval GBA_E_NOT_AUTHORIZED  unknown, expired, revoked, or its owner is suspended */
enum gba_err mapping_authenticate(struct mapping *m, struct mapping_call *call, int credential_type, const char *hash,
				  struct actor **_actor);

/** Stable name of a client element for one ASP: 32 hex digits of HMAC-SHA-256 under the realm's secret of
 * { decimal id of the ASP record, NUL, IMPI }; two ASPs cannot join theirs (mapping.md G14). out: 33 octets. */
#define PSEUDONYM_LEN 32
void mapping_pseudonym(struct mapping *m, int64_t asp, struct bytes impi, char *out);

/** Members of a JSON object from texts as on a command line or in a CSV row: typed by the field.
 * @retval GBA_E_SYNTAX, GBA_E_RANGE  call->field, call->why say what */
enum gba_err mapping_value(struct mapping_call *call, const struct record_kind *kind, const char *field, struct bytes text,
			   json_t *object);

#endif
