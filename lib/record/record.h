/* SPDX-License-Identifier: Apache-2.0 */
/** What a role keeps: kinds of record, each a table of fields. One row of a table feeds the SQL, the JSON, the history, the
 * REST schema and gba-ctl's options, and says who may read and write. The tables are the role's (hss-stub/mapping/kind_tables.c);
 * table.h has what rows are written with, records.h the operations, rules.h what a role's checks may use:
 *
 *	enum { MAKER_NAME, MAKER_POLICY_URL, MAKER_COUNT };
 *	static const struct field maker_fields[MAKER_COUNT] = {
 *		[MAKER_NAME] = F_TEXT("name", KEY, 1, 200, id_text, ALL, ADMIN, NO, "Name"),
 *		[MAKER_POLICY_URL] = F_TEXT("policy_url", 0, 9, 500, id_https_url, ALL, OWN, OWN, "Its vulnerability policy"),
 *	};
 *	static const struct record_kind kinds[] = {
 *		[REG_MAKER] = { REG_MAKER, "maker", "maker", "makers", "Makers of devices", maker_fields, MAKER_COUNT,
 *			{ [ROLE_ADMIN] = "", [ROLE_MAKER] = "id = @" }, ADMIN, OWN, ADMIN, NULL, NULL, NULL, NULL },
 *	};
 *	const struct record_set registry_set = { .kinds = kinds, .count = 1, .roles = role_names, .all = 1U << ROLE_ADMIN };
 *
 * The database has, by the role's migrations, a table per kind: id, rev, created, changed (RECORD_HEAD) and the stored fields;
 * RECORD_HISTORY, and RECORD_SECRETS when the set has secrets. */
#ifndef GBA_RECORD_RECORD_H
#define GBA_RECORD_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include <time.h>

#include "core/bytes.h"
#include "core/err.h"

#define RECORD_ROLES_MAX   16
#define RECORD_SECRETS_MAX 4
#define RECORD_SECRET_LEN  32 /* [octets] */

/** Who asks. */
struct actor {
	int role;	  /* index into its record_set's roles */
	int64_t id;	  /* of its own record, such as an asp's; others 0 */
	const char *name; /* for history and audit: "admin:alice", "asp:3" */
};

/** How a field is held and spoken. JSON: TEXT, WORD, TIME, SEALED are strings (TIME: xs:dateTime, null: none), INT and REF
 * numbers (REF: a record's id, null: none), BOOL true or false, LIST an array of strings. In a database: TEXT and LIST
 * (one entry per line) are TEXT, SEALED a BLOB, the others INTEGER. On a command line LIST entries stand apart by
 * commas. */
enum field_type { FIELD_TEXT, FIELD_INT, FIELD_BOOL, FIELD_WORD, FIELD_TIME, FIELD_REF, FIELD_LIST, FIELD_SEALED };

#define FIELD_REQUIRED (1U << 0) /* must be given to add */
#define FIELD_KEY      (1U << 1) /* part of the natural key: unique together, fixed after add */
#define FIELD_FIXED    (1U << 2) /* cannot be changed after add */
#define FIELD_FILTER   (1U << 3) /* a list may be filtered by it (indexed) */
#define FIELD_DERIVED  (1U << 4) /* not stored: computed when a record is shown */
#define FIELD_HIDDEN   (1U << 5) /* internal: neither shown nor written by anybody */

struct field {
	const char *name; /* JSON member, column; gba-ctl: --name with '-' for '_' */
	enum field_type type;
	unsigned int flags;
	int64_t min, max; /* TEXT, SEALED, an entry of LIST: [octets]; INT: value; TIME, REF, BOOL, WORD: unused */
	int64_t def;	  /* INT, BOOL, WORD: value when not given */
	const char *const *words; /* WORD: the value is the index, NULL-terminated; LIST: allowed entries, or NULL */
	/** Of a text or of each entry of a list, in range already; NULL: any. @param _why  static text on failure */
	enum gba_err (*check)(struct bytes text, const char **_why);
	int ref; /* REF: a kind's number */
	unsigned int read, add, change; /* sets of roles */
	const char *help;
};

#define RECORD_FIELDS_MAX 28
#define RECORD_LIST_MAX	  32 /* entries of a LIST */

/** A value. Absent text or list: t.p NULL. INT and others: n. SEALED: t is the clear text while in memory (wiped). */
struct value {
	int64_t n;
	struct bytes t;
};

/** A record: texts below it. Values stand in the order of its kind's table: v[PERMISSION_FLAG]. */
struct record {
	const struct record_kind *kind;
	int64_t id;  /* > 0 */
	int64_t rev; /* 1, 2, ...: the ETag */
	time_t created, changed;
	struct value v[RECORD_FIELDS_MAX];
};

struct records;
struct record_call;

/** A verb besides add, set, remove: "grant". */
struct record_verb {
	const char *name;
	unsigned int roles;
	const char *const *arguments; /* members of the JSON object it takes, NULL-terminated; all optional */
	/** In a transaction; old is as the caller may see it. */
	enum gba_err (*run)(struct records *r, struct record_call *call, const struct record *old, json_t *arguments);
	const char *help;
};

struct record_kind {
	int id; /* its place in the set; stands in the history: never changes */
	const char *name; /* "permission": gba-ctl's noun, history's kind */
	const char *table;
	const char *path; /* "permissions": REST */
	const char *help;
	const struct field *fields;
	size_t count;
	/** SQL condition on the rows a role may see: "" all, NULL none; '@' stands for the actor's id. */
	const char *scope[RECORD_ROLES_MAX];
	unsigned int add, change, remove; /* roles */
	/** In the transaction, before the row is written: checks between fields and records, derived columns. old: NULL when
	 * added; now: NULL when removed. Says why in the call. */
	enum gba_err (*before)(struct records *r, struct record_call *call, const struct record *old, struct record *now);
	/** In the transaction, after: what follows from it (outbox, notices). */
	enum gba_err (*after)(struct records *r, struct record_call *call, const struct record *old,
			      const struct record *now);
	const struct record_verb *verbs; /* ends with name NULL; may be NULL */
	/** Fill FIELD_DERIVED members of a record read or written, below it; NULL: it has none. */
	enum gba_err (*derive)(struct record *rec);
};

/** What hangs on a record: removed with it, or (keep) forbids its removal. */
struct record_hang {
	int parent, child;
	const char *column;
	int owner_type; /* >= 0: the child's owner_type, too */
	bool keep;
};

/** All that the engine must know of a role's records. */
struct record_set {
	const struct record_kind *kinds;
	size_t count;
	const char *const *roles; /* words of actor.role, NULL-terminated */
	unsigned int all;	  /* roles that see every record whose scope they have, all of history and whose hand it was */
	const struct record_hang *hangs;
	size_t n_hangs;
	/** Names of secrets of RECORD_SECRET_LEN octets each, made at the first time, kept sealed in secret_table; NULL: none. */
	const char *const *secrets;
	const char *secret_table;
	bool jobs; /* its schema has RECORD_JOBS (job.h): bulk imports can be resumed */
	/** In the outermost transaction, before it is committed; NULL: nothing. A failure rolls back. */
	enum gba_err (*before_commit)(struct records *r);
	/** The outermost transaction is over; NULL: nothing. */
	void (*ended)(struct records *r);
};

/** Beginnings and tables of migrations. */
#define RECORD_HEAD                                                                                                            \
	" (id INTEGER PRIMARY KEY AUTOINCREMENT, rev INTEGER NOT NULL, created INTEGER NOT NULL, changed INTEGER NOT NULL, "
#define RECORD_HISTORY                                                                                                         \
	"CREATE TABLE history (id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, record INTEGER NOT NULL,"          \
	" rev INTEGER NOT NULL, at INTEGER NOT NULL, who TEXT NOT NULL, act TEXT NOT NULL, change TEXT NOT NULL) STRICT;"      \
	"CREATE INDEX history_record ON history (kind, record);"
#define RECORD_SECRETS(table) "CREATE TABLE " table " (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;"

/** By name or path; NULL: none. */
const struct record_kind *record_kind_find(const struct record_set *set, const char *name);
/** NULL: none of this name, or hidden. */
const struct field *field_find(const struct record_kind *kind, const char *name);
/** The type's word for a manual or schema: "text", "integer", ... */
const char *field_type_name(enum field_type type);

/** What stands in a text field, "" when absent; below the record. */
const char *record_text(const struct record *rec, int field);
/** A record as JSON, as far as the role may read it: id, rev, created, changed and its fields. New reference; NULL: memory. */
json_t *record_json(const struct record *rec, int role);

#endif
