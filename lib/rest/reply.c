/* SPDX-License-Identifier: Apache-2.0 */
/* An answer is put together in the call and sent once, by rest_send(). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "rest/rest_priv.h"
#include "http/json.h"

void rest_header(struct rest_call *call, const char *name, const char *fmt, ...)
{
	struct rest_reply *reply = &call->reply;
	va_list args;
	char *value;

	va_start(args, fmt);
	value = talloc_vasprintf(call, fmt, args);
	va_end(args);
	if (value == NULL || reply->n_headers == REST_HEADERS_MAX)
		return;
	reply->headers[reply->n_headers++] = (struct http_header){ name, value };
}

const char *rest_percent(TALLOC_CTX *mem_ctx, const char *text)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	char *out = talloc_size(mem_ctx, 3 * strlen(text) + 1), *to = out;

	if (out == NULL)
		return "";
	for (; *text != '\0'; text++) {
		if (strchr(unreserved, *text) != NULL)
			*to++ = *text;
		else
			to += sprintf(to, "%%%02X", (uint8_t)*text);
	}
	*to = '\0';
	return out;
}

void rest_body(struct rest_call *call, unsigned int status, const char *type, struct bytes body)
{
	call->reply.status = status;
	call->reply.type = type;
	call->reply.body = body;
	call->reply.file = NULL;
}

void rest_stream(struct rest_call *call, struct http_stream *stream)
{
	rest_body(call, 200, REST_EVENTS, BYTES_NONE);
	rest_header(call, "X-Accel-Buffering", "no"); /* proxies hand on what comes as it comes */
	call->reply.stream = http_stream_keep(stream);
}

void rest_json(struct rest_call *call, unsigned int status, json_t *body)
{
	char *text = body != NULL ? json_dumps(body, REST_JSON_FLAGS) : NULL;
	char *copy = text != NULL ? talloc_asprintf(call, "%s\n", text) : NULL;

	free(text);
	json_decref(body);
	if (copy != NULL)
		rest_body(call, status, REST_JSON, bytes_of(copy));
	else
		rest_refuse(call, PROBLEM_UNAVAILABLE, "out of memory");
}

void rest_problem(struct rest_call *call, struct problem *p)
{
	json_t *root = p != NULL ? problem_json(p, call->corr) : NULL;

	call->reply.n_headers = 0; /* of an answer that was begun */
	if (call->reply.stream != NULL)
		http_stream_drop(call->reply.stream);
	call->reply.stream = NULL;
	if (root == NULL) {
		rest_body(call, 503, REST_PROBLEM,
			  bytes_of("{\"title\":\"out of memory\",\"status\":503,\"code\":\"unavailable\"}\n"));
		return;
	}
	rest_json(call, problem_status(problem_kind(p)), root);
	call->reply.type = REST_PROBLEM;
	if (problem_kind(p) == PROBLEM_UNAVAILABLE)
		rest_header(call, "Retry-After", "5");
	if (problem_kind(p) == PROBLEM_UNAUTHORIZED)
		rest_header(call, "WWW-Authenticate", "Bearer realm=\"gba\"");
}

void rest_refuse(struct rest_call *call, enum problem_kind kind, const char *fmt, ...)
{
	struct problem *p = problem_new(call, kind);
	va_list args;
	char *text;

	va_start(args, fmt);
	text = talloc_vasprintf(call, fmt, args);
	va_end(args);
	if (text != NULL && text[0] != '\0')
		problem_detail(p, "%s", text);
	rest_problem(call, p);
}

static enum problem_kind kind_of(const struct rest_call *call, enum gba_err err)
{
	bool named = call->rc.field[0] != '\0';

	switch (err) {
	case GBA_E_STALE: return PROBLEM_CHANGED;
	case GBA_E_STATE: return PROBLEM_CONFLICT;
	case GBA_E_NOT_FOUND:
	case GBA_E_IMPI_UNKNOWN: return named ? PROBLEM_FIELDS : PROBLEM_NOT_FOUND; /* named: what it refers to */
	case GBA_E_DENIED:
	case GBA_E_NOT_AUTHORIZED: return named ? PROBLEM_FIELDS : PROBLEM_FORBIDDEN;
	default: return problem_of(err);
	}
}

void rest_fail(struct rest_call *call, enum gba_err err)
{
	enum problem_kind kind = kind_of(call, err);
	struct problem *p = problem_new(call, kind);
	char pointer[64] = "";

	if (kind == PROBLEM_FIELDS || (kind == PROBLEM_CONFLICT && call->rc.field[0] != '\0')) {
		if (call->rc.field[0] != '\0')
			json_pointer_add(pointer, sizeof(pointer), call->rc.field);
		problem_field(p, pointer, "%s", call->rc.why[0] != '\0' ? call->rc.why : gba_strerror(err));
	} else if (kind == PROBLEM_CONFLICT || kind == PROBLEM_CHANGED) {
		problem_detail(p, "%s", call->rc.why[0] != '\0' ? call->rc.why : gba_strerror(err));
	}
	if (err == GBA_E_UNCERTAIN)
		problem_detail(p, "whether this was done is not known: read before you repeat it, or repeat it with its"
				  " Idempotency-Key");
	if (kind == PROBLEM_INTERNAL || kind == PROBLEM_UNAVAILABLE)
		log_event_limited(1, LOG_L_ERROR, "api.store",
				  &((struct log_about){ .iface = "REST", .corr = call->corr, .result = err }), "%s",
				  call->rc.why);
	rest_problem(call, p);
}

static void log_call(const struct rest_call *call)
{
	const struct rest_reply *reply = &call->reply;
	const struct log_about about = { .iface = "REST",
					 .corr = call->corr,
					 .peer = bytes_of(call->source),
					 .id = bytes_of(call->actor != NULL ? call->actor->name : NULL) };
	struct bytes query, method = http_req_method(call->req),
			    path = route_target_path(http_req_target(call->req), &query);

	log_event(reply->status >= 500 ? LOG_L_WARNING : LOG_L_INFO, "api.request", &about, "%.*s %.*s: %u",
		  BYTES_FMT(method), (int)(path.n < 200 ? path.n : 200), (const char *)path.p, reply->status);
}

void rest_send(struct rest_call *call)
{
	struct rest_reply *reply = &call->reply;
	struct http_header headers[REST_HEADERS_MAX + 6];
	struct http_stream *stream;
	size_t i, n = 0;

	if (reply->status == 0)
		rest_refuse(call, PROBLEM_INTERNAL, "%s", "");
	if (reply->type != NULL && reply->type[0] != '\0')
		headers[n++] = (struct http_header){ "Content-Type", reply->type };
	headers[n++] = (struct http_header){ "Cache-Control",
					     (call->route.route != NULL && (call->route.route->flags & REST_OPEN))
						     ? "no-cache"
						     : "no-store" };
	headers[n++] = (struct http_header){ "X-Content-Type-Options", "nosniff" };
	headers[n++] = (struct http_header){ "Strict-Transport-Security", "max-age=31536000" };
	for (i = 0; i < reply->n_headers; i++)
		headers[n++] = reply->headers[i];
	headers[n] = (struct http_header){ NULL, NULL };
	log_call(call);
	if (call->rest->setup->trace != NULL)
		call->rest->setup->trace(call);
	metric_add(call->rest->metrics.requests[reply->status / 100 <= 5 ? reply->status / 100 : 0], 1);
	metric_observe_us(call->rest->metrics.seconds, clock_mono_us() - call->began_us);
	if (reply->file != NULL) {
		int fd = reply->file->fd;

		reply->file->fd = -1;
		http_reply_file(call->req, reply->status, headers, fd, reply->file->octets);
		return;
	}
	if (reply->stream == NULL) {
		http_reply(call->req, reply->status, headers, reply->body);
		return;
	}
	stream = reply->stream; /* the call ends with its answer */
	http_reply_stream(call->req, reply->status, headers, stream);
	http_stream_drop(stream);
}
