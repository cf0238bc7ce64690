/* SPDX-License-Identifier: Apache-2.0 */
/** Which row of a table a request is for, with its path and query parameters decoded and bounded. The row is all that the
 * dispatcher, the check of who may call, and the OpenAPI document know of an operation. No HTTP server in here. */
#ifndef GBA_HTTP_ROUTE_H
#define GBA_HTTP_ROUTE_H

#include <stdbool.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define ROUTE_PARAMS_MAX 4
#define ROUTE_QUERY_MAX	 16
#define ROUTE_VALUE_MAX	 512 /* [octets] of a parameter, decoded */

struct route_call;

struct route {
	const char *method; /* "GET"; HEAD is served by GET's row */
	const char *path;   /* "/v1/users/{user}" */
	unsigned int roles; /* bits of the caller's own meaning; 0: anybody */
	unsigned int flags; /* the same */
	void (*run)(struct route_call *call);
	const void *request, *response; /* schemas of the bodies, of the caller's own meaning; NULL: none */
	const char *query;  /* parameters it takes: "cursor limit"; NULL: none */
	const char *statuses; /* it may answer besides those of every operation: "200 404" */
	const char *id, *summary; /* "listUsers" */
};

struct route_query {
	const char *name, *value;
};

/** A request matched to its row. */
struct route_call {
	const struct route *route;
	const char *param[ROUTE_PARAMS_MAX]; /* in order of the path; decoded, without NUL */
	struct route_query query[ROUTE_QUERY_MAX];
	size_t n_query;
	bool head; /* HEAD */
};

/** Path of a request target: of the absolute-form (RFC 9112 3.2.2), too. @param _query  behind '?'; absent: p NULL */
struct bytes route_target_path(struct bytes target, struct bytes *_query);
/** Find the row for a request; texts below mem_ctx.
 * @param rows     ends with method == NULL
 * @param target   as sent, with its query; percent-encoding checked
 * @param _allow   "GET, PUT" below mem_ctx when the path has other methods
 * @param _fault   name of the query parameter at fault, or NULL
 * @retval GBA_E_NOT_FOUND    no such path
 * @retval GBA_E_UNSUPPORTED  the path has not this method: see *_allow
 * @retval GBA_E_SYNTAX       malformed encoding, NUL, a parameter unknown or twice: see *_fault
 * @retval GBA_E_TOO_LONG, GBA_E_NOMEM */
enum gba_err route_find(TALLOC_CTX *mem_ctx, const struct route *rows, struct bytes method, struct bytes target,
			struct route_call *_call, const char **_allow, const char **_fault);
/** Value of a query parameter, NULL when not given. */
const char *route_query_value(const struct route_call *call, const char *name);

/** Does an Accept header (RFC 9110 12.5.1) take this media type? Absent or empty: yes. q=0 refuses. */
bool accept_takes(struct bytes accept, const char *type);
/** Is a Content-Type of this media type, with no charset but UTF-8? */
bool content_type_is(struct bytes content_type, const char *type);

#endif
