/* SPDX-License-Identifier: Apache-2.0 */
/** REST over a role's records: HTTPS, credentials, limits, conditions, idempotency, media types, OpenAPI. Rights are lib/record's.
 * No freeDiameter thread ever works here: libmicrohttpd's threads read requests, workers with a database handle each do them.
 *
 *	static const struct rest_setup setup = { .set = &registry_set, .rows = own_rows, .n_rows = N, .title = "Trust registry",
 *		.metrics = "gba_registry_api", .callers = EVERYBODY, .importers = ADMIN, .guest = ROLE_ENQUIRER,
 *		.open = handle_open, .authenticate = who };
 *	rest_start(ctx, &conf->api, &setup, registry, audit, &registry->rest, &why);
 *
 * Every kind of the set has GET /v1/PATH, GET, PUT, PATCH, DELETE /v1/PATH/{id}, POST /v1/PATH, /v1/PATH/import and
 * /v1/PATH/{id}/VERB as far as its table lets somebody; the rows are the role's further operations (call.h). */
#ifndef GBA_REST_REST_H
#define GBA_REST_REST_H

#include <talloc.h>

#include "conf/conf.h"
#include "http/route.h"
#include "record/records.h"

struct audit;
struct ca;
struct rest;
struct rest_call;

struct rest_conf {
	const char *listen, *cert, *key, *ca_dir;
	uint32_t workers, queue, rate, burst, open_rate, import_max, import_rows;
};

/** Rows of a role's configuration, for a struct with a member m of struct rest_conf. */
#define REST_CONF_ITEMS(st, m)                                                                                                   \
	CONF_STR("api-listen", "", 0, 64, http_listen_valid, st, m.listen, "Address and port of the REST API (HTTPS); empty: off"), \
	CONF_STR("api-cert", "", 0, 255, NULL, st, m.cert, "Its certificate and chain, PEM"),                                    \
	CONF_STR("api-key", "", 0, 255, NULL, st, m.key, "Its private key, PEM"),                                                \
	CONF_STR("ca-dir", "", 0, 200, NULL, st, m.ca_dir,                                                                       \
		 "The realm's own CA (gba-ctl ca init): issues and checks client certificates; empty: tokens only"),             \
	CONF_U32("api-workers", 4, 1, 64, "threads", st, m.workers, "Requests served at a time, each with a database handle"),   \
	CONF_U32("api-queue", 256, 1, 65536, "requests", st, m.queue, "Requests that may wait for a worker; beyond: 503"),       \
	CONF_U32("api-rate", 100, 1, 100000, "requests/s", st, m.rate, "Of one caller, lasting; beyond: 429"),                   \
	CONF_U32("api-burst", 500, 1, 1000000, "requests", st, m.burst, "Of one caller, at once"),                               \
	CONF_U32("api-open-rate", 5, 1, 100000, "requests/s", st, m.open_rate,                                                   \
		 "Of one address without a valid credential; ten times as many at once"),                                        \
	CONF_U32("api-import-max", 16, 1, 256, "MiB", st, m.import_max, "Body of a bulk import; other bodies: 64 KiB"),           \
	CONF_U32("api-import-rows", 1000000, 1, 10000000, "rows", st, m.import_rows,                                             \
		 "Of an import that is all or nothing: one transaction, which other changes of records wait for (vectors do not)")

/** A migration: answers for Idempotency-Key. */
#define REST_ANSWERS                                                                                                             \
	"CREATE TABLE answer (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL,"                 \
	" at INTEGER NOT NULL, reply BLOB) STRICT; CREATE INDEX answer_at ON answer (at)"

/** What a role gives. Constant, and outlives the API. */
struct rest_setup {
	const struct record_set *set;
	const struct route *rows; /* operations beside those of records (call.h); roles: bits of actor.role */
	size_t n_rows;
	const char *title;   /* of the OpenAPI document */
	const char *metrics; /* beginning of their names: "gba_hss_api" */
	bool answers;	     /* the database has REST_ANSWERS: retries are known after a restart, and to other nodes */
	const char *const *headers; /* authenticate() looks at beside Authorization; NULL-terminated, at most 8; NULL: none */
	unsigned int callers;	/* roles that callers may have: shown in the OpenAPI document */
	unsigned int importers; /* roles whose imports may have large bodies */
	int guest;		/* role that open operations are read as */
	const struct record_kind *terms; /* verbs take fields of this kind, too; NULL: of none */
	/** A database handle for one thread, below mem_ctx. @param own  as given to rest_start */
	enum gba_err (*open)(TALLOC_CTX *mem_ctx, void *own, struct records **_r, const char **_error);
	/** Who shows this credential (call->credential, call->hash; call->header)? Sets call->actor, below the call, and
	 * call->invited. In a worker, or under a lock before a large body is read.
	 * @retval GBA_E_NOT_AUTHORIZED, GBA_E_NOT_FOUND  nobody: 401 */
	enum gba_err (*authenticate)(struct rest_call *call);
	/** After the commit of a removal ("remove") or a verb: what follows outside of the database. NULL: nothing */
	void (*done)(struct rest_call *call, const char *verb, const struct record *old);
	/** An import that is all or nothing: its transaction has begun (true), or, also if it has not, has ended (false). What must
	 * not wait for it can go another way meanwhile. NULL: nothing */
	enum gba_err (*long_write)(struct rest_call *call, bool begun);
	/** An answer is about to be sent: trace steps. NULL: none */
	void (*trace)(const struct rest_call *call);
};

/** Open database handles, start threads, listen. @param conf  outlives the API  @param own  the role's, for its hooks
 * @param audit  NULL: none kept  @param _error  text for the operator, below mem_ctx, on failure */
enum gba_err rest_start(TALLOC_CTX *mem_ctx, const struct rest_conf *conf, const struct rest_setup *setup, void *own,
			struct audit *audit, struct rest **_rest, const char **_error);
/** Where it listens. */
unsigned int rest_port(const struct rest *rest);
/** Answer what is under way, end all threads, free. */
void rest_stop(struct rest *rest);

/** The realm's CA; NULL: none. */
struct ca *rest_ca(struct rest *rest);
void *rest_own(const struct rest *rest);

/** All rows: the role's and those of its records, below mem_ctx; ends with method NULL. NULL: out of memory. */
const struct route *rest_routes_new(TALLOC_CTX *mem_ctx, const struct rest_setup *setup);
/** The OpenAPI document: text below mem_ctx; p NULL: out of memory */
struct bytes rest_openapi(TALLOC_CTX *mem_ctx, const struct rest_setup *setup, const struct route *routes);

#endif
