/* SPDX-License-Identifier: Apache-2.0 */
/** What the mapping and registration function keeps (Y.3056 9.2.2): kinds of record, each a table of fields. One row of a
 * table feeds the SQL, the JSON, the history, the REST schema and gba-ctl's options, and says who may read and write. */
#ifndef GBA_HSS_MAPPING_RECORD_H
#define GBA_HSS_MAPPING_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include <time.h>

#include "core/bytes.h"
#include "core/err.h"

/** Who asks. SYSTEM: the node itself (sweep, REST before a caller has a name). */
enum actor_role { ACTOR_ADMIN, ACTOR_ASP, ACTOR_SUBSCRIBER, ACTOR_SYSTEM, ACTOR_ROLE_COUNT };
extern const char *const actor_role_names[]; /* "admin", "asp", "subscriber", "system", NULL */

struct actor {
	enum actor_role role;
	int64_t id;	  /* of its asp or user record; others 0 */
	const char *name; /* for history and audit: "admin:alice", "asp:3" */
};

/** Sets of roles. */
#define FOR_ADMIN      (1U << ACTOR_ADMIN | 1U << ACTOR_SYSTEM)
#define FOR_ASP	       (1U << ACTOR_ASP)
#define FOR_SUBSCRIBER (1U << ACTOR_SUBSCRIBER)
#define FOR_ALL	       (FOR_ADMIN | FOR_ASP | FOR_SUBSCRIBER)
#define FOR_NOBODY     0U /* the function writes it itself */

/** How a field is held and spoken. JSON: TEXT, WORD, TIME, SEALED are strings (TIME: xs:dateTime, null: none), INT and REF
 * numbers (REF: a record's id, null: none), BOOL true or false, LIST an array of strings. In a database: TEXT and LIST
 * (one entry per line) are TEXT, SEALED a BLOB, the others INTEGER. On a command line LIST entries stand apart by
 * commas. */
enum field_type { FIELD_TEXT, FIELD_INT, FIELD_BOOL, FIELD_WORD, FIELD_TIME, FIELD_REF, FIELD_LIST, FIELD_SEALED };

enum record_kind_id {
	KIND_VERIFICATION,   /* subscriber verification database (KYC), Y.3056 7.1-5 */
	KIND_AUTHENTICATION, /* device authentication database, Y.3056 7.1-6 */
	KIND_USER, KIND_USER_IDENTITY, KIND_DEVICE, KIND_DEVICE_IDENTITY,
	KIND_ASP, KIND_APPLICATION, KIND_CREDENTIAL,
	KIND_PERMISSION, KIND_DELEGATION, KIND_REQUEST,
	KIND_REALM,  /* one record, id 1 */
	KIND_NOTICE, /* what a user or an ASP is told (webhook, mail-drop); taken away when told */
	KIND_COUNT
};

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
	enum record_kind_id ref;	/* REF */
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

struct mapping;
struct mapping_call;

/** A verb besides add, set, remove: "grant". */
struct record_verb {
	const char *name;
	unsigned int roles;
	const char *const *arguments; /* members of the JSON object it takes, NULL-terminated; all optional */
	/** In a transaction; old is as the caller may see it. */
	enum gba_err (*run)(struct mapping *m, struct mapping_call *call, const struct record *old, json_t *arguments);
	const char *help;
};

struct record_kind {
	enum record_kind_id id;
	const char *name; /* "permission": gba-ctl's noun, history's kind */
	const char *table;
	const char *path; /* "permissions": REST */
	const char *help;
	const struct field *fields;
	size_t count;
	/** SQL condition on the rows a role may see: "" all, NULL none; '@' stands for the actor's id. */
	const char *scope[ACTOR_ROLE_COUNT];
	unsigned int add, change, remove; /* roles */
	/** In the transaction, before the row is written: checks between fields and records, derived columns. old: NULL when
	 * added; now: NULL when removed. Says why in the call. */
	enum gba_err (*before)(struct mapping *m, struct mapping_call *call, const struct record *old, struct record *now);
	/** In the transaction, after: what follows from it (GUSS, outbox, notices). */
	enum gba_err (*after)(struct mapping *m, struct mapping_call *call, const struct record *old,
			      const struct record *now);
	const struct record_verb *verbs; /* ends with name NULL; may be NULL */
};
extern const struct record_kind record_kinds[KIND_COUNT];

/** By name or path; NULL: none. */
const struct record_kind *record_kind_find(const char *name);
/** NULL: none of this name, or hidden. */
const struct field *field_find(const struct record_kind *kind, const char *name);
/** The type's word for a manual or schema: "text", "integer", ... */
const char *field_type_name(enum field_type type);

/** Words and limits of the tables. */
extern const char *const document_words[], *const user_state_words[], *const user_identity_words[],
	*const device_identity_words[], *const authentication_method_words[], *const asp_identity_words[],
	*const asp_state_words[], *const application_identity_words[], *const token_use_words[],
	*const application_state_words[], *const attribute_words[], *const flag_words[], *const delegation_state_words[],
	*const request_state_words[], *const credential_words[], *const owner_words[], *const event_words[];

enum { USER_REGISTERED, USER_SUSPENDED };
enum { DEVICE_IDENTITY_IMEI, DEVICE_IDENTITY_IMEISV, DEVICE_IDENTITY_MAC, DEVICE_IDENTITY_EUI64, DEVICE_IDENTITY_IPV4,
       DEVICE_IDENTITY_IPV6, DEVICE_IDENTITY_ICCID, DEVICE_IDENTITY_EID, DEVICE_IDENTITY_MSISDN, DEVICE_IDENTITY_SERIAL };
enum { ASP_IDENTITY_CIN, ASP_IDENTITY_LLPIN, ASP_IDENTITY_LEI, ASP_IDENTITY_GLN, ASP_IDENTITY_OTHER };
enum { ASP_REQUESTED, ASP_ACTIVE, ASP_SUSPENDED };
enum { APPLICATION_FQDN, APPLICATION_IP, APPLICATION_URL, APPLICATION_GS1, APPLICATION_ONEM2M };
enum { TOKEN_MULTIPLE, TOKEN_SINGLE };
enum { APPLICATION_ACTIVE, APPLICATION_SUSPENDED };
enum { FLAG_CLEARED, FLAG_SET };
enum { DELEGATION_ACTIVE, DELEGATION_ENDED };
enum { REQUEST_REQUESTED, REQUEST_VERIFIED, REQUEST_PASSED, REQUEST_GRANTED, REQUEST_REFUSED };
enum { CREDENTIAL_CERTIFICATE, CREDENTIAL_TOKEN };
enum { OWNER_ADMIN, OWNER_ASP, OWNER_USER };
enum { EVENT_REQUEST_PASSED, EVENT_ACCESS_GRANTED, EVENT_ACCESS_REFUSED, EVENT_APPLICATION_REGISTERED, EVENT_ACCESS_CHANGED,
       EVENT_TOKEN_CHANGED };

/** Places of fields in their tables. */
enum { VERIFICATION_REFERENCE, VERIFICATION_NAME, VERIFICATION_ADDRESS, VERIFICATION_DOCUMENT_KIND, VERIFICATION_DOCUMENT_NUMBER,
       VERIFICATION_DOCUMENT_COUNTRY, VERIFICATION_LEVEL, VERIFICATION_METHOD, VERIFICATION_VERIFIER, VERIFICATION_VERIFIED,
       VERIFICATION_COUNT };
enum { AUTHENTICATION_REFERENCE, AUTHENTICATION_IDENTITIES, AUTHENTICATION_METHOD, AUTHENTICATION_AUTHENTICATOR,
       AUTHENTICATION_AUTHENTICATED, AUTHENTICATION_CREDENTIAL, AUTHENTICATION_COUNT };
/* NAME to VERIFIED are copies of the verification record (Y.3056 7.1-5, 9.2.2-3) */
enum { USER_ACCOUNT, USER_VERIFICATION, USER_NAME, USER_ADDRESS, USER_DOCUMENT_KIND, USER_DOCUMENT_NUMBER,
       USER_DOCUMENT_COUNTRY, USER_LEVEL, USER_VERIFIER, USER_VERIFIED, USER_EMAIL, USER_NOTICE_URL, USER_NOTICE_DROP, USER_STATE,
       USER_COUNT };
enum { USER_IDENTITY_USER, USER_IDENTITY_TYPE, USER_IDENTITY_VALUE, USER_IDENTITY_COUNT };
/* IDENTITIES to CREDENTIAL are copies of the authentication record (Y.3056 7.1-6, 9.2.2-4) */
enum { DEVICE_IMPI, DEVICE_CUSTODIAN, DEVICE_AUTHENTICATION, DEVICE_NAME, DEVICE_MODEL, DEVICE_IDENTITIES, DEVICE_METHOD,
       DEVICE_AUTHENTICATOR, DEVICE_AUTHENTICATED, DEVICE_CREDENTIAL, DEVICE_COUNT };
enum { DEVICE_IDENTITY_DEVICE, DEVICE_IDENTITY_TYPE, DEVICE_IDENTITY_VALUE, DEVICE_IDENTITY_FIELD_COUNT };
enum { ASP_TYPE, ASP_IDENTITY, ASP_NAME, ASP_CONTACT, ASP_NOTICE_URL, ASP_NOTICE_DROP, ASP_STATE, ASP_COUNT };
enum { APPLICATION_ASP, APPLICATION_TYPE, APPLICATION_IDENTITY, APPLICATION_NAF_FQDN, APPLICATION_NAME,
       APPLICATION_DESCRIPTION, APPLICATION_DEVELOPER, APPLICATION_UA_IDS, APPLICATION_NAF_ID, APPLICATION_GSID,
       APPLICATION_GAA_TYPE, APPLICATION_NAF_GROUP, APPLICATION_TOKEN_USE, APPLICATION_TOKEN_LIFETIME,
       APPLICATION_SECURITY_DEGREE, APPLICATION_MIN_LEVEL, APPLICATION_ATTRIBUTES, APPLICATION_PUSH_PEER,
       APPLICATION_PUBLISHED, APPLICATION_STATE, APPLICATION_COUNT };
enum { CREDENTIAL_OWNER_TYPE, CREDENTIAL_OWNER, CREDENTIAL_NAME, CREDENTIAL_TYPE, CREDENTIAL_HASH, CREDENTIAL_EXPIRES,
       CREDENTIAL_REVOKED, CREDENTIAL_COUNT };
enum { PERMISSION_IMPI, PERMISSION_APPLICATION, PERMISSION_FLAG, PERMISSION_FROM, PERMISSION_UNTIL,
       PERMISSION_SECURITY_DEGREE, PERMISSION_ATTRIBUTES, PERMISSION_PSEUDONYM, PERMISSION_SET_BY, PERMISSION_IN_FORCE,
       PERMISSION_DUE, PERMISSION_COUNT };
enum { DELEGATION_PERMISSION, DELEGATION_TO_IMPI, DELEGATION_FROM, DELEGATION_UNTIL, DELEGATION_STATE, DELEGATION_PSEUDONYM,
       DELEGATION_SET_BY, DELEGATION_IN_FORCE, DELEGATION_DUE, DELEGATION_COUNT };
enum { REQUEST_USER, REQUEST_IMPI, REQUEST_APPLICATION, REQUEST_STATE, REQUEST_CONSENT, REQUEST_ATTRIBUTES, REQUEST_PSEUDONYM,
       REQUEST_SHARED, REQUEST_REASON, REQUEST_PERMISSION, REQUEST_COUNT };
enum { REALM_REALM, REALM_NAME, REALM_BSF_IDENTITY, REALM_BSF_URL, REALM_HSS_IDENTITY, REALM_API_URL, REALM_ALIAS_DOMAIN,
       REALM_UA_IDS, REALM_TOKEN_FORMAT, REALM_TOKEN_LIFETIME, REALM_ALGORITHMS, REALM_ASP_PROCEDURE,
       REALM_DEVICE_PROCEDURE, REALM_REGISTERED_ONLY, REALM_COUNT };
enum { NOTICE_OWNER_TYPE, NOTICE_OWNER, NOTICE_EVENT, NOTICE_ABOUT_KIND, NOTICE_ABOUT, NOTICE_BODY, NOTICE_TRIES, NOTICE_COUNT };

/** A record as JSON, as far as the role may read it: id, rev, created, changed and its fields. New reference; NULL: memory. */
json_t *record_json(const struct record *rec, enum actor_role role);

#endif
