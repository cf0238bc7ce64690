/* SPDX-License-Identifier: Apache-2.0 */
/** Answers for what went wrong: application/problem+json (RFC 9457). Kinds are rows; a detail is for the caller and holds
 * nothing but what that caller sent or may know. */
#ifndef GBA_HTTP_PROBLEM_H
#define GBA_HTTP_PROBLEM_H

#include <jansson.h>

#include "http/server.h"

/* One row: status, stable code for programs (also the fragment of "type"), title. */
#define PROBLEMS(X)                                                                                                    \
	X(PROBLEM_BAD_REQUEST,   400, "bad-request",           "The request is not understood")                        \
	X(PROBLEM_JSON,          400, "json",                  "The body is not acceptable JSON")                      \
	X(PROBLEM_QUERY,         400, "query",                 "A query parameter is not acceptable")                  \
	X(PROBLEM_UNAUTHORIZED,  401, "unauthorized",          "No valid credential")                                  \
	X(PROBLEM_FORBIDDEN,     403, "forbidden",             "Not for this caller")                                  \
	X(PROBLEM_NOT_FOUND,     404, "not-found",             "Nothing here for this caller")                         \
	X(PROBLEM_METHOD,        405, "method",                "The resource does not have this method")               \
	X(PROBLEM_ACCEPT,        406, "not-acceptable",        "None of the accepted media types can be given")        \
	X(PROBLEM_CONFLICT,      409, "conflict",              "In conflict with what stands")                         \
	X(PROBLEM_CHANGED,       412, "precondition-failed",   "Changed since it was read")                            \
	X(PROBLEM_TOO_LARGE,     413, "too-large",             "The body is too large")                                \
	X(PROBLEM_MEDIA_TYPE,    415, "media-type",            "The body has another media type")                      \
	X(PROBLEM_FIELDS,        422, "fields",                "One or more fields are not acceptable")                \
	X(PROBLEM_CONDITION,     428, "precondition-required", "If-Match is required")                                 \
	X(PROBLEM_RATE,          429, "rate-limit",            "Too many requests")                                    \
	X(PROBLEM_INTERNAL,      500, "internal",              "Internal error")                                       \
	X(PROBLEM_UNAVAILABLE,   503, "unavailable",           "Not available now")
#define PROBLEM_ID(id, status, code, title) id,
enum problem_kind { PROBLEMS(PROBLEM_ID) PROBLEM_COUNT };
#undef PROBLEM_ID

unsigned int problem_status(enum problem_kind kind);
const char *problem_code(enum problem_kind kind);
const char *problem_title(enum problem_kind kind);
/** The kind that tells a client of an error row; GBA_OK and what has no better one: PROBLEM_INTERNAL. */
enum problem_kind problem_of(enum gba_err err);

#define PROBLEM_FIELDS_MAX 32 /* told of at once */

/** A problem being described. Not thread-safe. */
struct problem;
struct problem *problem_new(TALLOC_CTX *mem_ctx, enum problem_kind kind);
/** For the caller to read. @return p */
struct problem *problem_detail(struct problem *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** A field at fault: JSON Pointer into the body, what is wrong with it. */
void problem_field(struct problem *p, const char *pointer, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
size_t problem_fields(const struct problem *p);
enum problem_kind problem_kind(const struct problem *p);
/** The object, to be json_decref()ed; NULL: out of memory. @param instance  correlation id of the request, NULL: none */
json_t *problem_json(const struct problem *p, const char *instance);
/** Answer with it. @param p  NULL: out of memory, which is said
 * @param headers  besides Content-Type; ends with { NULL, NULL }; may be NULL */
void problem_reply(struct http_req *req, const struct problem *p, const char *instance, const struct http_header *headers);

#endif
