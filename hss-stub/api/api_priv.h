/* SPDX-License-Identifier: Apache-2.0 */
/** Shared by the files of the REST API only. A call is made by a thread of the HTTP server and then belongs to one worker, which
 * answers it; everything of it hangs below its request. */
#ifndef GBA_HSS_API_PRIV_H
#define GBA_HSS_API_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "audit/audit.h"
#include "core/metrics.h"
#include "hss-stub/api/api.h"
#include "hss-stub/api/token.h"
#include "hss-stub/mapping/mapping.h"
#include "http/problem.h"
#include "http/route.h"
#include "http/server.h"

#define API_CORR_LEN	16	      /* [characters] */
#define API_BODY_MAX	65536	      /* [octets] but of imports */
#define API_LIMIT_MAX	RECORD_PAGE_MAX
#define API_LIMIT_DEF	100
#define API_HEADERS_MAX 12
#define API_JSON_FLAGS	(JSON_COMPACT | JSON_PRESERVE_ORDER)

#define API_JSON    "application/json"
#define API_NDJSON  "application/x-ndjson"
#define API_CSV	    "text/csv"
#define API_HTML    "text/html"
#define API_MERGE   "application/merge-patch+json"
#define API_PROBLEM "application/problem+json"

/* struct route.flags */
#define API_OPEN      (1U << 0) /* no credential needed */
#define API_IMPORT    (1U << 1) /* a body of api-import-max, NDJSON */
#define API_MATCH     (1U << 2) /* conditional: takes If-Match */
#define API_CREATES   (1U << 3) /* takes Idempotency-Key */
#define API_LIST      (1U << 4) /* a page: JSON, NDJSON or CSV */
#define API_GZIP      (1U << 5) /* answers application/gzip */
#define API_PAGE      (1U << 6) /* answers HTML */
#define API_MERGED    (1U << 7) /* body is application/merge-patch+json */
#define API_PEM	      (1U << 8) /* answers application/x-pem-file */
#define API_SECRET    (1U << 9) /* answers with a secret shown once */

#define API_PEM_TYPE   "application/x-pem-file"
#define API_GZIP_TYPE  "application/gzip"

/** A body's shape, for reading it and for OpenAPI. */
struct api_schema {
	const char *name;		/* "AspRegistration"; components/schemas */
	const struct record_kind *kind; /* or its own fields: */
	const struct field *fields;
	size_t count;
	enum { SCHEMA_RECORD, SCHEMA_ADD, SCHEMA_CHANGE, SCHEMA_LIST, SCHEMA_OWN, SCHEMA_VERB, SCHEMA_FREE } use;
	bool whole; /* PUT: what may not be changed may be given as it stands, what is missing is asked for later */
	const struct record_verb *verb; /* SCHEMA_VERB */
};

struct api_reply {
	unsigned int status;
	const char *type;
	struct bytes body;
	struct http_header headers[API_HEADERS_MAX + 1];
	size_t n_headers;
};

struct api_call {
	struct route_call route; /* first: handlers are given this */
	struct api *api;
	struct http_req *req;
	struct api_call *next;	 /* in the queue */
	struct records *m;	 /* the worker's */
	struct record_call mc;	 /* mem_ctx is the call */
	struct actor *actor;	 /* NULL: no credential, and the route needs none */
	char corr[API_CORR_LEN + 1];
	const char *type; /* of the answer, as agreed */
	const char *authorization, *if_match, *if_none_match, *accept, *content_type, *idempotency, *source;
	struct bytes body;
	struct http_peer_cert cert;
	uint64_t began_us, began_at; /* [us] monotonic; since epoch, for traces */
	bool invited; /* the credential is an invitation: good for one thing only */
	char hash[65]; /* of the credential */
	struct api_reply reply;
};

struct api_metrics {
	struct metric *requests[6], *refused_auth, *limited, *full, *queued, *seconds, *imported, *notices_sent, *notices_failed,
		*notices_dropped;
};

struct limits;
struct idem;
struct notifier;
struct ca;

struct api {
	const struct api_conf *conf;
	struct http_server *server;
	struct kek *kek;
	const struct route *routes;
	struct bytes openapi; /* the document; made once */
	struct limits *limits;
	struct idem *idem;
	struct notifier *notifier;
	struct ca *ca; /* NULL: none; has its own lock */
	struct audit *audit; /* NULL: none kept */
	pthread_mutex_t gate_lock;
	struct records *gate; /* asked before a large body is read */
	struct api_metrics metrics;
	_Atomic unsigned int imports; /* bodies of imports being read or done */

	pthread_mutex_t lock; /* queue */
	pthread_cond_t wake;
	struct api_call *queue, **tail;
	uint32_t queued;
	bool closing;
	size_t n_workers;
	struct api_worker {
		struct api *api;
		pthread_t thread;
		struct records *m;
	} *workers;
};

/* reply.c */
static inline struct api_call *api_call_of(struct route_call *call)
{
	return (struct api_call *)call;
}
void api_header(struct api_call *call, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Takes the reference. */
void api_json(struct api_call *call, unsigned int status, json_t *body);
void api_body(struct api_call *call, unsigned int status, const char *type, struct bytes body);
void api_problem(struct api_call *call, struct problem *p);
/* The problem for an error of the mapping function, with its field and reason. */
void api_fail(struct api_call *call, enum gba_err err);
void api_refuse(struct api_call *call, enum problem_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Send. The call is gone after it. */
void api_send(struct api_call *call);

/* auth.c: who is it; GBA_OK with call->actor NULL on open routes. The problem is made on failure. */
bool api_admit(struct api_call *call);
/* The same question before the body is read: one indexed look-up, nothing answered. */
bool api_may_import(struct api_call *call);

/* steps.c: arrows of the flows, when tracing is on */
void api_trace(const struct api_call *call);

/* limit.c: token buckets by name; @param _wait [s] until it would pass */
struct limits *limits_new(TALLOC_CTX *mem_ctx, uint32_t capacity);
bool limits_pass(struct limits *limits, const char *who, uint32_t rate, uint32_t burst, uint64_t now_ms, uint32_t *_wait);

/* idem.c: answers kept for Idempotency-Key. */
enum idem_state { IDEM_NEW, IDEM_SAME, IDEM_OTHER, IDEM_BUSY, IDEM_FULL };
struct idem *idem_new(TALLOC_CTX *mem_ctx, uint32_t capacity);
/* IDEM_NEW: idem_done() must follow. IDEM_SAME: the answer given before is in call->reply. */
enum idem_state idem_begin(struct idem *idem, struct api_call *call, uint64_t now_ms);
void idem_done(struct idem *idem, struct api_call *call);

/* routes.c */
const struct route *api_routes_new(TALLOC_CTX *mem_ctx);
/* openapi.c: text below mem_ctx; p NULL: out of memory */
struct bytes api_openapi(TALLOC_CTX *mem_ctx, const struct route *routes);

/* body.c */
json_t *api_read_body(struct api_call *call); /* NULL: the problem is made */
/* Add what is wrong with the members of an object to p. */
void api_check(struct problem *p, const struct api_schema *schema, enum actor_role role, json_t *object);
/* Fields of a verb's arguments: those of the kind, or of a permission, with that name. */
void api_schema_verb(struct api_schema *schema);
extern const struct api_schema api_schema_registration, api_schema_issue, api_schema_report;

/* Handlers */
void api_list(struct route_call *route);
void api_add(struct route_call *route);
void api_get(struct route_call *route);
void api_put(struct route_call *route);
void api_patch(struct route_call *route);
void api_delete(struct route_call *route);
void api_verb(struct route_call *route);
void api_history(struct route_call *route);
void api_import(struct route_call *route);
void api_self(struct route_call *route);
void api_invitation(struct route_call *route);
void api_asp_registration(struct route_call *route);
void api_issue(struct route_call *route);
void api_webhook_key(struct route_call *route);
void api_bundle(struct route_call *route);
void api_realm(struct route_call *route);
void api_realm_page(struct route_call *route);
void api_problems_page(struct route_call *route);
void api_openapi_get(struct route_call *route);
void api_crl(struct route_call *route);
void api_ca_get(struct route_call *route);

/* onboard.c: a certificate that was revoked as a credential goes into the CA's list, too */
void api_credential_revoked(struct api_call *call, const struct record *credential);

/* realm.c: the realm's record; NULL: the problem is made */
struct record *api_realm_record(struct api_call *call);

/* record.c */
const struct record_kind *api_kind(const struct api_call *call);
/* The record of "{id}": a number, or "key:" and the members of the natural key. NULL: the problem is made. */
struct record *api_record(struct api_call *call, const struct record_kind *kind, const char *id);
/* Answer with a record and its ETag; no body when the caller may not read it. */
void api_record_reply(struct api_call *call, unsigned int status, const struct record *rec);
enum actor_role api_role(const struct api_call *call);
/* Note an act in the audit log; what cannot be noted must not happen. */
enum gba_err api_note(struct api_call *call, enum gba_err result, const char *verb, const struct record_kind *kind,
		      const struct record *rec);
/* End the transaction of a write: note it, commit; on err, or when it cannot be noted, roll back. @param rec  NULL: none came
 * of it @return err, or why it did not happen */
enum gba_err api_write(struct api_call *call, enum gba_err err, const char *verb, const struct record_kind *kind,
		       const struct record *rec);
/* Percent-encode all but unreserved characters (RFC 3986 2.3), below mem_ctx. */
const char *api_percent(TALLOC_CTX *mem_ctx, const char *text);

/* notify.c */
enum gba_err notifier_start(TALLOC_CTX *mem_ctx, struct api *api, const char *database, struct notifier **_n, const char **_error);
void notifier_stop(struct notifier *n);
/* key: 33 octets */
void notify_key(struct records *m, bool asp, int64_t owner, char *key);

#endif
