/* SPDX-License-Identifier: Apache-2.0 */
/* From the HTTP server's threads to the workers and back; start and stop. */
#include "hss-stub/api/api.h"

#include "core/clock.h"
#include "core/codec.h"
#include "core/log.h"
#include "core/secret.h"
#include "core/trace.h"
#include "hss-stub/api/api_priv.h"
#include "pki/ca.h"

#define HTTP_THREADS    2
#define CONNECTIONS_MAX 1024
#define BODY_TIMEOUT_MS 30000
#define STOP_MS         3000
#define CALLERS_MAX     16384 /* told apart by the limits */
#define IDEMPOTENCY_MAX 8192

static char *header_copy(struct api_call *call, const char *name)
{
	struct bytes value = http_req_header(call->req, name);

	return value.p != NULL ? talloc_strndup(call, (const char *)value.p, value.n) : NULL;
}

/* Here and not in a worker: headers and the TLS session are the HTTP server's. */
static struct api_call *call_new(struct api *api, struct http_req *req)
{
	struct api_call *call = talloc_zero(req, struct api_call);
	uint8_t id[API_CORR_LEN / 2];

	if (call == NULL)
		return NULL;
	rand_bytes(id, sizeof(id));
	hex_encode(BYTES(id, sizeof(id)), call->corr);
	call->api = api;
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
	http_req_peer_cert(req, &call->cert);
	return call;
}

static void refuse_path(struct api_call *call, enum gba_err err, const char *allow, const char *fault)
{
	switch (err) {
	case GBA_E_NOT_FOUND: api_refuse(call, PROBLEM_NOT_FOUND, "%s", ""); break;
	case GBA_E_UNSUPPORTED:
		api_refuse(call, PROBLEM_METHOD, "%s", "");
		api_header(call, "Allow", "%s", allow);
		break;
	case GBA_E_SYNTAX:
	case GBA_E_TOO_LONG:
		if (fault != NULL)
			api_refuse(call, PROBLEM_QUERY, "%s: unknown, given twice, or not well-formed", fault);
		else
			api_refuse(call, PROBLEM_BAD_REQUEST, "the path or query is too long or not well-formed");
		break;
	default: api_refuse(call, PROBLEM_UNAVAILABLE, "%s", ""); break;
	}
	api_send(call);
}

static bool enqueue(struct api *api, struct api_call *call)
{
	bool room;

	pthread_mutex_lock(&api->lock);
	room = !api->closing && api->queued < api->conf->queue;
	if (room) {
		*api->tail = call;
		api->tail = &call->next;
		api->queued++;
		pthread_cond_signal(&api->wake);
	}
	pthread_mutex_unlock(&api->lock);
	return room;
}

static void on_request(struct http_req *req, void *arg)
{
	struct api *api = arg;
	struct api_call *call = call_new(api, req);
	const char *allow, *fault;
	enum gba_err err;

	if (call == NULL) {
		http_reply_error(req, GBA_E_NOMEM);
		return;
	}
	err = route_find(call, api->routes, http_req_method(req), http_req_target(req), &call->route, &allow, &fault);
	if (err != GBA_OK) {
		refuse_path(call, err, allow, fault);
	} else if (!enqueue(api, call)) {
		metric_add(api->metrics.full, 1);
		api_refuse(call, PROBLEM_UNAVAILABLE, "too busy");
		api_send(call);
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
	struct api *api = arg;
	struct bytes target = http_req_target(req), path = target, query;
	struct http_req *writable = (struct http_req *)(uintptr_t)req;
	struct api_call *call;
	size_t limit = API_BODY_MAX, tail = sizeof("/import") - 1;

	bytes_split(target, '?', &path, &query);
	if (path.n < tail || memcmp(path.p + path.n - tail, "/import", tail) != 0)
		return limit;
	call = call_new(api, writable);
	if (call == NULL)
		return limit;
	pthread_mutex_lock(&api->gate_lock);
	call->m = api->gate;
	if (api_may_import(call))
		limit = (size_t)api->conf->import_max << 20;
	pthread_mutex_unlock(&api->gate_lock);
	talloc_free(call);
	return limit;
}

/* What has one form that is not JSON is given in it whatever is accepted (RFC 9110 12.4.1 allows that). */
static const char *only_type(unsigned int flags)
{
	if (flags & API_GZIP)
		return API_GZIP_TYPE;
	if (flags & API_PAGE)
		return API_HTML;
	return flags & API_PEM ? API_PEM_TYPE : NULL;
}

static bool negotiated(struct api_call *call)
{
	static const char *const types[] = { API_JSON, API_NDJSON, API_CSV };
	unsigned int flags = call->route.route->flags;
	size_t i, n = flags & API_LIST ? 3 : 1;

	call->type = only_type(flags);
	for (i = 0; call->type == NULL && i < n; i++) {
		if (accept_takes(bytes_of(call->accept), types[i]))
			call->type = types[i];
	}
	if (call->type == NULL)
		api_refuse(call, PROBLEM_ACCEPT, "%s", "");
	return call->type != NULL;
}

static bool body_fits(struct api_call *call)
{
	const struct route *route = call->route.route;
	struct bytes type = bytes_of(call->content_type);
	bool good;

	if (route->request == NULL) {
		if (call->body.n > 0)
			api_refuse(call, PROBLEM_BAD_REQUEST, "this operation takes no body");
		return call->body.n == 0;
	}
	if (route->flags & API_IMPORT)
		good = content_type_is(type, API_NDJSON);
	else
		good = content_type_is(type, API_JSON) ||
		       ((route->flags & API_MERGED) && content_type_is(type, API_MERGE));
	if (!good)
		api_refuse(call, PROBLEM_MEDIA_TYPE, "expected %s", route->flags & API_IMPORT ? API_NDJSON : API_JSON);
	return good;
}

static void run_once(struct api_call *call)
{
	switch (idem_begin(call->api->idem, call, clock_mono_ms())) {
	case IDEM_NEW:
		call->route.route->run(&call->route);
		idem_done(call->api->idem, call);
		break;
	case IDEM_SAME: api_header(call, "Idempotent-Replayed", "true"); break;
	case IDEM_OTHER: api_refuse(call, PROBLEM_CONFLICT, "this Idempotency-Key was used with another body"); break;
	case IDEM_BUSY: api_refuse(call, PROBLEM_CONFLICT, "the request with this Idempotency-Key is under way"); break;
	case IDEM_FULL: api_refuse(call, PROBLEM_UNAVAILABLE, "%s", ""); break;
	}
}

static void serve(struct api_call *call, struct records *m)
{
	call->m = m;
	call->mc = (struct record_call){ .actor = NULL, .now = clock_now(), .mem_ctx = call };
	if (!api_admit(call) || !negotiated(call) || !body_fits(call))
		goto done;
	if ((call->route.route->flags & API_CREATES) && call->idempotency != NULL) {
		if (call->idempotency[0] == '\0' || strlen(call->idempotency) > 255)
			api_refuse(call, PROBLEM_BAD_REQUEST, "Idempotency-Key: 1 to 255 characters");
		else
			run_once(call);
	} else {
		call->route.route->run(&call->route);
	}
done:
	api_send(call);
}

static void *work(void *arg)
{
	struct api_worker *worker = arg;
	struct api *api = worker->api;
	struct api_call *call;

	for (;;) {
		pthread_mutex_lock(&api->lock);
		while (api->queue == NULL && !api->closing)
			pthread_cond_wait(&api->wake, &api->lock);
		call = api->queue;
		if (call != NULL) {
			api->queue = call->next;
			api->queued--;
		}
		if (api->queue == NULL)
			api->tail = &api->queue;
		pthread_mutex_unlock(&api->lock);
		if (call == NULL)
			return NULL;
		serve(call, worker->m);
	}
}

static void metrics_get(struct api_metrics *m)
{
	static const char *const classes[] = { "other", "1xx", "2xx", "3xx", "4xx", "5xx" };
	char label[32];
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		label[0] = '\0';
		metric_label(label, sizeof(label), "code", classes[i]);
		m->requests[i] = metric_get("gba_hss_api_requests_total", "REST requests answered, by class of status.",
					    METRIC_COUNTER, label);
	}
	m->seconds = metric_get("gba_hss_api_request_seconds", "Time from a request's body to its answer.",
				METRIC_HISTOGRAM, "");
	m->refused_auth = metric_get("gba_hss_api_unauthorized_total", "Requests without a valid credential.",
				     METRIC_COUNTER, "");
	m->limited = metric_get("gba_hss_api_limited_total", "Requests refused with 429.", METRIC_COUNTER, "");
	m->full = metric_get("gba_hss_api_queue_full_total", "Requests refused because the queue was full.",
			     METRIC_COUNTER, "");
	m->imported =
		metric_get("gba_hss_api_imported_rows_total", "Rows of bulk imports written.", METRIC_COUNTER, "");
	m->notices_sent = metric_get("gba_hss_api_notices_total", "Notices to users and ASPs.", METRIC_COUNTER,
				     "result=\"delivered\"");
	m->notices_failed = metric_get("gba_hss_api_notices_total", "Notices to users and ASPs.", METRIC_COUNTER,
				       "result=\"failed\"");
	m->notices_dropped = metric_get("gba_hss_api_notices_total", "Notices to users and ASPs.", METRIC_COUNTER,
					"result=\"given-up\"");
}

static enum gba_err workers_start(struct api *api, const char *database, const char **_error)
{
	enum gba_err err = GBA_OK;
	uint32_t i;

	api->workers = talloc_zero_array(api, struct api_worker, api->conf->workers);
	if (api->workers == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < api->conf->workers; i++) {
		/* a root of its own: talloc has no locks, and this tree is its thread's */
		api->workers[i].api = api;
		err = mapping_open(NULL, database, api->kek, &api->workers[i].m, _error);
		if (err == GBA_OK && pthread_create(&api->workers[i].thread, NULL, work, &api->workers[i]) != 0) {
			talloc_free(api->workers[i].m);
			err = GBA_E_NOMEM;
		}
		if (err != GBA_OK)
			return err;
		api->n_workers++;
	}
	return mapping_open(api, database, api->kek, &api->gate, _error);
}

static enum gba_err listen_start(struct api *api, TALLOC_CTX *mem_ctx, const char **_error)
{
	struct http_conf http = HTTP_CONF_DEFAULTS;

	http.listen = api->conf->listen;
	http.cert = api->conf->cert;
	http.key = api->conf->key;
	http.client_ca = api->ca != NULL ? talloc_asprintf(api, "%s/ca.pem", api->conf->ca_dir) : NULL;
	http.client_optional = true;
	http.problems = true;
	http.threads = HTTP_THREADS;
	http.max_connections = CONNECTIONS_MAX;
	http.max_per_source = CONNECTIONS_MAX / 2;
	http.head_timeout_ms = BODY_TIMEOUT_MS;
	http.max_body = (size_t)api->conf->import_max << 20;
	http.body_limit = body_limit;
	http.refused = on_refused;
	return http_server_start(mem_ctx, &http, on_request, api, &api->server, _error);
}

static enum gba_err parts_start(struct api *api, const char *database, const char **_error)
{
	enum gba_err err = GBA_OK;

	api->routes = api_routes_new(api);
	api->limits = limits_new(api, CALLERS_MAX);
	api->idem = idem_new(api, IDEMPOTENCY_MAX);
	if (api->routes == NULL || api->limits == NULL || api->idem == NULL)
		return GBA_E_NOMEM;
	api->openapi = api_openapi(api, api->routes);
	if (api->openapi.p == NULL)
		return GBA_E_NOMEM;
	if (api->conf->ca_dir[0] != '\0')
		err = ca_open(api, api->conf->ca_dir, &api->ca, _error);
	if (err == GBA_OK)
		err = workers_start(api, database, _error);
	return err == GBA_OK ? notifier_start(api, api, database, &api->notifier, _error) : err;
}

enum gba_err api_start(TALLOC_CTX *mem_ctx, const struct api_conf *conf, const struct api_node *node, struct api **_api,
		       const char **_error)
{
	struct api *api = talloc_zero(NULL, struct api);
	enum gba_err err;

	*_error = "out of memory";
	if (api == NULL)
		return GBA_E_NOMEM;
	api->conf = conf;
	api->kek = node->kek;
	api->audit = node->audit;
	api->tail = &api->queue;
	pthread_mutex_init(&api->lock, NULL);
	pthread_mutex_init(&api->gate_lock, NULL);
	pthread_cond_init(&api->wake, NULL);
	metrics_get(&api->metrics);
	err = parts_start(api, node->database, _error);
	if (err == GBA_OK)
		err = listen_start(api, mem_ctx, _error);
	if (err != GBA_OK) {
		*_error = talloc_strdup(mem_ctx, *_error);
		api_stop(api);
		return err;
	}
	*_api = api;
	return GBA_OK;
}

unsigned int api_port(const struct api *api)
{
	return http_server_port(api->server);
}

void api_stop(struct api *api)
{
	size_t i;

	if (api->server != NULL)
		http_server_stop(api->server, STOP_MS);
	if (api->notifier != NULL)
		notifier_stop(api->notifier);
	pthread_mutex_lock(&api->lock);
	api->closing = true;
	pthread_cond_broadcast(&api->wake);
	pthread_mutex_unlock(&api->lock);
	for (i = 0; i < api->n_workers; i++) {
		pthread_join(api->workers[i].thread, NULL);
		talloc_free(api->workers[i].m);
	}
	pthread_cond_destroy(&api->wake);
	pthread_mutex_destroy(&api->gate_lock);
	pthread_mutex_destroy(&api->lock);
	talloc_free(api);
}
