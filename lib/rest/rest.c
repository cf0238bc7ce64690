/* SPDX-License-Identifier: Apache-2.0 */
/* From the HTTP server's threads to the workers and back; start and stop. */
#include "rest/rest.h"

#include "core/clock.h"
#include "core/codec.h"
#include "core/log.h"
#include "core/secret.h"
#include "core/trace.h"
#include "rest/rest_priv.h"
#include "pki/ca.h"

#define HTTP_THREADS    2
#define CONNECTIONS_MAX 1024
#define BODY_TIMEOUT_MS 30000
#define STOP_MS         3000
#define CALLERS_MAX     16384 /* told apart by the limits */
#define IDEMPOTENCY_MAX 8192

static char *header_copy(struct rest_call *call, const char *name)
{
	struct bytes value = http_req_header(call->req, name);

	return value.p != NULL ? talloc_strndup(call, (const char *)value.p, value.n) : NULL;
}

/* Here and not in a worker: headers and the TLS session are the HTTP server's. */
static struct rest_call *call_new(struct rest *rest, struct http_req *req)
{
	struct rest_call *call = talloc_zero(req, struct rest_call);
	const char *const *names = rest->setup->headers;
	uint8_t id[REST_CORR_LEN / 2];
	size_t i;

	if (call == NULL)
		return NULL;
	rand_bytes(id, sizeof(id));
	hex_encode(BYTES(id, sizeof(id)), call->corr);
	call->rest = rest;
	call->req = req;
	call->began_us = clock_mono_us();
	call->began_at = trace_now();
	call->source = http_req_source(req);
	call->body = http_req_body(req);
	call->authorization = header_copy(call, "Authorization");
	if (call->authorization != NULL)
		secret_guard_chunk((void *)(uintptr_t)call->authorization);
	call->if_match = header_copy(call, "If-Match");
	call->if_none_match = header_copy(call, "If-None-Match");
	call->accept = header_copy(call, "Accept");
	call->content_type = header_copy(call, "Content-Type");
	call->idempotency = header_copy(call, "Idempotency-Key");
	call->encoding = header_copy(call, "Content-Encoding");
	call->range = header_copy(call, "Content-Range");
	call->last_event = header_copy(call, "Last-Event-ID");
	for (i = 0; names != NULL && i < REST_OWN_HEADERS && names[i] != NULL; i++)
		call->header[i] = header_copy(call, names[i]);
	http_req_peer_cert(req, &call->cert);
	return call;
}

static void refuse_path(struct rest_call *call, enum gba_err err, const char *allow, const char *fault)
{
	switch (err) {
	case GBA_E_NOT_FOUND: rest_refuse(call, PROBLEM_NOT_FOUND, "%s", ""); break;
	case GBA_E_UNSUPPORTED:
		rest_refuse(call, PROBLEM_METHOD, "%s", "");
		rest_header(call, "Allow", "%s", allow);
		break;
	case GBA_E_SYNTAX:
	case GBA_E_TOO_LONG:
		if (fault != NULL)
			rest_refuse(call, PROBLEM_QUERY, "%s: unknown, given twice, or not well-formed", fault);
		else
			rest_refuse(call, PROBLEM_BAD_REQUEST, "the path or query is too long or not well-formed");
		break;
	default: rest_refuse(call, PROBLEM_UNAVAILABLE, "%s", ""); break;
	}
	rest_send(call);
}

static void on_request(struct http_req *req, void *arg)
{
	struct rest *rest = arg;
	struct rest_call *call = call_new(rest, req);
	const char *allow, *fault;
	enum gba_err err;

	if (call == NULL) {
		http_reply_error(req, GBA_E_NOMEM);
		return;
	}
	err = route_find(call, rest->routes, http_req_method(req), http_req_target(req), &call->route, &allow, &fault);
	if (err != GBA_OK) {
		refuse_path(call, err, allow, fault);
	} else if (!rest_enqueue(rest, call)) {
		metric_add(rest->metrics.full, 1);
		rest_refuse(call, PROBLEM_UNAVAILABLE, "too busy");
		rest_send(call);
	}
}

static void on_refused(void *arg, const char *source, unsigned int status, const char *reason)
{
	const struct log_about about = { .iface = "REST", .peer = bytes_of(source) };

	(void)arg;
	log_event_limited(1, LOG_L_WARNING, "api.refused", &about, "%u: %s", status, reason);
}

/* Large bodies only from those who may import: looked up before the body is read. */
static size_t body_limit(const struct http_req *req, void *arg)
{
	struct rest *rest = arg;
	struct bytes query, path = route_target_path(http_req_target(req), &query);
	struct http_req *writable = (struct http_req *)(uintptr_t)req;
	struct rest_call *call;
	size_t limit = REST_BODY_MAX, tail = sizeof("/import") - 1;

	if (path.n < tail || memcmp(path.p + path.n - tail, "/import", tail) != 0)
		return limit;
	call = call_new(rest, writable);
	if (call == NULL)
		return limit;
	pthread_mutex_lock(&rest->gate_lock);
	call->r = rest->gate;
	if (rest_may_import(call))
		limit = (size_t)rest->conf->import_max << 20;
	pthread_mutex_unlock(&rest->gate_lock);
	talloc_free(call);
	return limit;
}

static struct metric *named(const struct rest *rest, const char *name, const char *help, enum metric_type type,
			    const char *labels)
{
	char full[96];

	snprintf(full, sizeof(full), "%s_%s", rest->setup->metrics, name);
	return metric_get(full, help, type, labels);
}

static void metrics_get(struct rest *rest)
{
	static const char *const classes[] = { "other", "1xx", "2xx", "3xx", "4xx", "5xx" };
	struct rest_metrics *m = &rest->metrics;
	char label[32];
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		label[0] = '\0';
		metric_label(label, sizeof(label), "code", classes[i]);
		m->requests[i] = named(rest, "requests_total", "REST requests answered, by class of status.",
				       METRIC_COUNTER, label);
	}
	m->seconds = named(rest, "request_seconds", "Time from a request's body to its answer.", METRIC_HISTOGRAM, "");
	m->refused_auth = named(rest, "unauthorized_total", "Requests without a valid credential.", METRIC_COUNTER, "");
	m->limited = named(rest, "limited_total", "Requests refused with 429.", METRIC_COUNTER, "");
	m->full = named(rest, "queue_full_total", "Requests refused because the queue was full.", METRIC_COUNTER, "");
	m->commits = named(rest, "commits_total", "Transactions that requests which write were done in.", METRIC_COUNTER, "");
	m->imported = named(rest, "imported_rows_total", "Rows of bulk imports written.", METRIC_COUNTER, "");
}

static enum gba_err workers_start(struct rest *rest, const char **_error)
{
	enum gba_err err = GBA_OK;
	uint32_t i;

	rest->workers = talloc_zero_array(rest, struct rest_worker, rest->conf->workers);
	if (rest->workers == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < rest->conf->workers; i++) {
		/* a root of its own: talloc has no locks, and this tree is its thread's */
		rest->workers[i].rest = rest;
		err = rest->setup->open(NULL, rest->own, &rest->workers[i].r, _error);
		if (err == GBA_OK && pthread_create(&rest->workers[i].thread, NULL, rest_work, &rest->workers[i]) != 0) {
			talloc_free(rest->workers[i].r);
			err = GBA_E_NOMEM;
		}
		if (err != GBA_OK)
			return err;
		rest->n_workers++;
	}
	return rest->setup->open(rest, rest->own, &rest->gate, _error);
}

static enum gba_err listen_start(struct rest *rest, TALLOC_CTX *mem_ctx, const char **_error)
{
	struct http_conf http = HTTP_CONF_DEFAULTS;

	http.listen = rest->conf->listen;
	http.cert = rest->conf->cert[0] != '\0' ? rest->conf->cert : NULL;
	http.key = rest->conf->cert[0] != '\0' ? rest->conf->key : NULL;
	http.client_ca = rest->ca != NULL ? talloc_asprintf(rest, "%s/ca.pem", rest->conf->ca_dir) : NULL;
	http.client_optional = true;
	http.problems = true;
	http.threads = HTTP_THREADS;
	http.max_connections = CONNECTIONS_MAX;
	http.max_per_source = CONNECTIONS_MAX / 2;
	http.head_timeout_ms = BODY_TIMEOUT_MS;
	http.max_body = (size_t)rest->conf->import_max << 20;
	http.body_limit = body_limit;
	http.refused = on_refused;
	return http_server_start(mem_ctx, &http, on_request, rest, &rest->server, _error);
}

static enum gba_err parts_start(struct rest *rest, const char **_error)
{
	enum gba_err err = GBA_OK;

	rest->routes = rest_routes_new(rest, rest->setup);
	rest->limits = limits_new(rest, CALLERS_MAX);
	rest->idem = idem_new(rest, IDEMPOTENCY_MAX);
	if (rest->routes == NULL || rest->limits == NULL || rest->idem == NULL)
		return GBA_E_NOMEM;
	rest->openapi = rest_openapi(rest, rest->setup, rest->routes);
	if (rest->openapi.p == NULL)
		return GBA_E_NOMEM;
	if (rest->conf->ca_dir[0] != '\0')
		err = ca_open(rest, rest->conf->ca_dir, &rest->ca, _error);
	return err == GBA_OK ? workers_start(rest, _error) : err;
}

enum gba_err rest_start(TALLOC_CTX *mem_ctx, const struct rest_conf *conf, const struct rest_setup *setup, void *own,
			struct audit *audit, struct rest **_rest, const char **_error)
{
	struct rest *rest = talloc_zero(NULL, struct rest);
	enum gba_err err;

	*_error = "out of memory";
	if (rest == NULL)
		return GBA_E_NOMEM;
	rest->conf = conf;
	rest->setup = setup;
	rest->own = own;
	rest->audit = audit;
	rest->writes.tail = &rest->writes.first;
	rest->others.tail = &rest->others.first;
	pthread_mutex_init(&rest->lock, NULL);
	pthread_mutex_init(&rest->gate_lock, NULL);
	pthread_cond_init(&rest->wake, NULL);
	metrics_get(rest);
	err = parts_start(rest, _error);
	if (err == GBA_OK)
		err = listen_start(rest, mem_ctx, _error);
	if (err != GBA_OK) {
		*_error = talloc_strdup(mem_ctx, *_error);
		rest_stop(rest);
		return err;
	}
	*_rest = rest;
	return GBA_OK;
}

unsigned int rest_port(const struct rest *rest)
{
	return http_server_port(rest->server);
}

struct ca *rest_ca(struct rest *rest)
{
	return rest->ca;
}

void *rest_own(const struct rest *rest)
{
	return rest->own;
}

void rest_stop(struct rest *rest)
{
	size_t i;

	if (rest->server != NULL)
		http_server_stop(rest->server, STOP_MS);
	pthread_mutex_lock(&rest->lock);
	rest->closing = true;
	pthread_cond_broadcast(&rest->wake);
	pthread_mutex_unlock(&rest->lock);
	for (i = 0; i < rest->n_workers; i++) {
		pthread_join(rest->workers[i].thread, NULL);
		talloc_free(rest->workers[i].r);
	}
	pthread_cond_destroy(&rest->wake);
	pthread_mutex_destroy(&rest->gate_lock);
	pthread_mutex_destroy(&rest->lock);
	talloc_free(rest);
}
