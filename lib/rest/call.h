/* SPDX-License-Identifier: Apache-2.0 */
/** What handlers of REST operations use: the role's own and those of records. A call is made by a thread of the HTTP server and
 * then belongs to one worker, which answers it; everything of it hangs below its request. A handler puts an answer together and
 * returns: it is sent after it.
 *
 *	static void status_get(struct route_call *route)
 *	{
 *		struct rest_call *call = rest_call_of(route);
 *		struct record *device = rest_record(call, &kinds[REG_DEVICE], route->param[0]);
 *
 *		if (device != NULL)
 *			rest_json(call, 200, status_json(call->r, device));
 *	}
 *	{ "GET", "/v1/devices/{id}/status", ENQUIRERS, 0, status_get, NULL, &status, NULL, "200 404", "getStatus", "Its status" },
 */
#ifndef GBA_REST_CALL_H
#define GBA_REST_CALL_H

#include "core/metrics.h"
#include "http/problem.h"
#include "http/server.h"
#include "rest/rest.h"
#include "rest/token.h"

#define REST_CORR_LEN 16	      /* [characters] */
#define REST_BODY_MAX 65536	      /* [octets] but of imports */
#define REST_LIMIT_MAX RECORD_PAGE_MAX
#define REST_LIMIT_DEF 100
#define REST_HEADERS_MAX 12
#define REST_OWN_HEADERS 8
#define REST_JSON_FLAGS (JSON_COMPACT | JSON_PRESERVE_ORDER)

#define REST_JSON "application/json"
#define REST_NDJSON "application/x-ndjson"
#define REST_CSV "text/csv"
#define REST_HTML "text/html"
#define REST_MERGE "application/merge-patch+json"
#define REST_PROBLEM "application/problem+json"

/* struct route.flags */
#define REST_OPEN (1U << 0) /* no credential needed */
#define REST_IMPORT (1U << 1) /* a body of api-import-max, NDJSON */
#define REST_MATCH (1U << 2) /* conditional: takes If-Match */
#define REST_CREATES (1U << 3) /* takes Idempotency-Key */
#define REST_LIST (1U << 4) /* a page: JSON, NDJSON or CSV */
#define REST_GZIP (1U << 5) /* answers application/gzip */
#define REST_PAGE (1U << 6) /* answers HTML */
#define REST_MERGED (1U << 7) /* body is application/merge-patch+json */
#define REST_PEM (1U << 8) /* answers application/x-pem-file */
#define REST_SECRET (1U << 9) /* answers with a secret shown once */
#define REST_INVITED (1U << 10) /* for invitations only */
#define REST_STREAM (1U << 11) /* answers events as they come: rest_stream() */
#define REST_SHARED (1U << 12) /* writes little: requests that have come together share a transaction. The handler writes in
				* records_begin() .. records_commit() of call->r alone, and does nothing else that an answer which
				* is taken back (the commit failed: 503) must not have done */

#define REST_PEM_TYPE "application/x-pem-file"
#define REST_GZIP_TYPE "application/gzip"
#define REST_EVENTS "text/event-stream" /* HTML, server-sent events */

/** A body's shape, for reading it and for OpenAPI. */
struct rest_schema {
	const char *name;		/* "AspRegistration"; components/schemas */
	const struct record_kind *kind; /* or its own fields: */
	const struct field *fields;
	size_t count;
	enum { SCHEMA_RECORD, SCHEMA_ADD, SCHEMA_CHANGE, SCHEMA_LIST, SCHEMA_OWN, SCHEMA_VERB, SCHEMA_FREE } use;
	bool whole; /* PUT: what may not be changed may be given as it stands, what is missing is asked for later */
	const struct record_verb *verb; /* SCHEMA_VERB */
	bool optional;	      /* there may be no body */
	const char *document; /* SCHEMA_FREE: its JSON Schema; NULL: any object */
};

/** A body too long for memory. */
struct rest_file {
	int fd; /* closed with it; -1: given away */
	uint64_t octets;
};

struct rest_reply {
	unsigned int status;
	const char *type;
	struct bytes body;
	struct http_header headers[REST_HEADERS_MAX + 1];
	size_t n_headers;
	struct http_stream *stream; /* goes on after the reply; NULL: none */
	struct rest_file *file;	    /* instead of body; NULL: none */
};

enum rest_credential { REST_NONE, REST_TOKEN, REST_CERTIFICATE };
/** What a caller has shown. */
struct rest_shown {
	enum rest_credential credential;
	char hash[65];
};

struct rest_call {
	struct route_call route; /* first: handlers are given this */
	struct rest *rest;
	struct http_req *req;
	struct rest_call *next;	 /* in the queue */
	struct records *r;	 /* the worker's */
	struct record_call rc;	 /* mem_ctx is the call */
	struct actor *actor;	 /* NULL: no credential, and the route needs none */
	char corr[REST_CORR_LEN + 1];
	const char *type; /* of the answer, as agreed */
	const char *authorization, *if_match, *if_none_match, *accept, *content_type, *idempotency, *source;
	const char *last_event; /* Last-Event-ID */
	const char *encoding, *range; /* of the body: Content-Encoding, Content-Range */
	struct bytes body;
	struct http_peer_cert cert;
	uint64_t began_us, began_at; /* [us] monotonic; since epoch, for traces */
	const char *header[REST_OWN_HEADERS]; /* setup's headers, in their order; NULL: not there */
	enum rest_credential credential;
	char hash[65]; /* SHA-256 of the credential, hex */
	bool invited;  /* the credential is an invitation: good for REST_INVITED operations only, and they for it */
	const char *once, *once_body; /* of Idempotency-Key: whose key for what, and the body, hashed; NULL: none */
	struct rest_reply reply;
	bool judged;   /* admitted: its handler has run */
	bool first;    /* of its Idempotency-Key: idem_done() must follow */
	bool together; /* with others, in one transaction: the audit log is synced for all */
	const char *noted; /* verb in the audit log that the commit of all makes true; NULL: none */
	const struct record_kind *noted_kind;
	const struct record *noted_record;
	const char *done_verb; /* for setup->done, after the commit; NULL: nothing */
	const struct record *done_old;
};

static inline struct rest_call *rest_call_of(struct route_call *call)
{
	return (struct rest_call *)call;
}

/** Answers. */
void rest_header(struct rest_call *call, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/** Takes the reference. */
void rest_json(struct rest_call *call, unsigned int status, json_t *body);
/** Answer with events: the stream is sent with the reply, and written from wherever. @param stream  stays the writer's to end;
 * the reply has a reference of its own */
void rest_stream(struct rest_call *call, struct http_stream *stream);
/** Is a credential still good, and whose? For what goes on after its call. @param r  of the calling thread
 * @param _actor  below mem_ctx @retval GBA_E_NOT_AUTHORIZED */
enum gba_err rest_again(struct rest *rest, struct records *r, TALLOC_CTX *mem_ctx, const struct rest_shown *shown,
			struct actor **_actor);
/** body: below the call, or constant. */
void rest_body(struct rest_call *call, unsigned int status, const char *type, struct bytes body);
void rest_problem(struct rest_call *call, struct problem *p);
/** The problem for an error of an operation on records, with its field and reason. */
void rest_fail(struct rest_call *call, enum gba_err err);
void rest_refuse(struct rest_call *call, enum problem_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** The body, strict JSON held against the request's schema. NULL: the problem is made. */
json_t *rest_read_body(struct rest_call *call);
/** Add what is wrong with the members of an object to p. */
void rest_check(struct problem *p, const struct rest_schema *schema, int role, json_t *object);

/** The kind of record the operation is about: of its response's schema, else of its request's. */
const struct record_kind *rest_kind(const struct rest_call *call);
/** The record of "{id}": a number, or "key:" and the members of the natural key. NULL: the problem is made. */
struct record *rest_record(struct rest_call *call, const struct record_kind *kind, const char *id);
/** Answer with a record and its ETag. */
void rest_record_reply(struct rest_call *call, unsigned int status, const struct record *rec);
int rest_role(const struct rest_call *call);
/** Note an act in the audit log; what cannot be noted must not happen. */
enum gba_err rest_note(struct rest_call *call, enum gba_err result, const char *verb, const struct record_kind *kind,
		       const struct record *rec);
/** End the transaction of a write: note it, commit; on err, or when it cannot be noted, roll back. @param rec  NULL: none came
 * of it @return err, or why it did not happen */
enum gba_err rest_write(struct rest_call *call, enum gba_err err, const char *verb, const struct record_kind *kind,
			const struct record *rec);
/** Percent-encode all but unreserved characters (RFC 3986 2.3), below mem_ctx. */
const char *rest_percent(TALLOC_CTX *mem_ctx, const char *text);

/** Pages for people: head, then text as it is or escaped, then the reply, which takes out and text (open_memstream's). */
void rest_html_head(FILE *out, const char *title);
void rest_html_text(FILE *out, const char *text);
void rest_html_reply(struct rest_call *call, FILE *out, char **text, size_t *n);

/** Handlers that a role's rows may name. */
void rest_history(struct route_call *route);	   /* GET, query "cursor limit kind record", REST_LIST, rest_schema_history */
void rest_self(struct route_call *route);	   /* GET: role, id, name of the caller */
void rest_problems_page(struct route_call *route); /* GET, REST_OPEN | REST_PAGE: what problems' types mean */
void rest_openapi_get(struct route_call *route);   /* GET, REST_OPEN, rest_schema_document */
void rest_crl(struct route_call *route);	   /* GET, REST_OPEN | REST_PEM: the CA's list; 404 without */
void rest_ca_get(struct route_call *route);	   /* the same: its certificate */
void rest_import_job(struct route_call *route);	   /* GET .../{id}, rest_schema_document: the caller's import of this name */
extern const struct rest_schema rest_schema_history, rest_schema_document;

/** Rows of schemas that are no record's. */
#define REST_SCHEMA(title, table) \
	{ .name = title, .fields = table, .count = sizeof(table) / sizeof(table[0]), .use = SCHEMA_OWN }
#define REST_TEXT(name, flags, min, max, check, help) { name, FIELD_TEXT, flags, min, max, 0, NULL, check, 0, 0, 0, 0, help }
#define REST_WORD(name, words, def, help)	      { name, FIELD_WORD, 0, 0, 0, def, words, NULL, 0, 0, 0, 0, help }
#define REST_INT(name, min, max, def, help)	      { name, FIELD_INT, 0, min, max, def, NULL, NULL, 0, 0, 0, 0, help }

#endif
