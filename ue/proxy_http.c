/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP: requests are taken in by lib/http, handed to a few threads, and asked of the application by ua_fetch(). */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/queue.h>

#include "core/clock.h"
#include "core/log.h"
#include "http/server.h"
#include "ue/proxy_part.h"

#define WORKERS_MAX    8
#define HEADERS_MAX    48 /* of a program's request */
#define STOP_MS        3000
#define LOOK_MS        1000   /* how often an idle connection's token is looked at */
#define NO_PSK_MS      300000 /* how long an application that does no PSK-TLS is not asked for it again */
#define PROXY_BODY_MAX (4 * 1024 * 1024) /* [octets] each way: held in memory */

/* A request, copied out of lib/http in its thread; from then on the worker's, only req is still the server's. */
struct job {
	STAILQ_ENTRY(job) queue;
	struct http_req *req;
	struct ua_request request;
	struct fetch_header headers[HEADERS_MAX + 1];
	size_t header_count;
	bool keep_authorization; /* PSK-TLS: the program's own; else Ua's Digest takes that place */
	bool too_many;
};

struct proxy_http {
	const struct proxy_conf *conf;
	const struct url *to;
	const struct token_source *source;
	struct http_server *server;
	pthread_t workers[WORKERS_MAX];
	unsigned int worker_count;
	pthread_mutex_t lock;
	pthread_cond_t work;
	STAILQ_HEAD(, job) jobs;
	unsigned int waiting; /* jobs queued */
	bool stop;
	_Atomic uint64_t no_psk_until_ms;
};

/* A thread that asks, and what its connection to the application rests on. */
struct worker {
	struct proxy_http *part;
	struct fetch_curl *curl;
	struct token_ref token; /* btid "": no connection of a token is kept */
};

/* Headers of one connection (RFC 9110 7.6.1) and those that are ours to write. What Connection names in addition is not
 * looked up: a program on this host has no reason to. */
static bool is_hop(const char *name)
{
	static const char *const hop[] = { "Connection",
					   "Keep-Alive",
					   "Proxy-Connection",
					   "Proxy-Authorization",
					   "Proxy-Authenticate",
					   "TE",
					   "Trailer",
					   "Transfer-Encoding",
					   "Upgrade",
					   "Host",
					   "Content-Length",
					   "User-Agent",
					   "Expect",
					   "Authentication-Info",
					   NULL };
	const char *const *p;

	for (p = hop; *p != NULL; p++) {
		if (strcasecmp(*p, name) == 0)
			return true;
	}
	return false;
}

static void take_header(void *arg, struct bytes name, struct bytes value)
{
	struct job *job = arg;
	struct fetch_header *header = &job->headers[job->header_count];

	if (job->header_count >= HEADERS_MAX) {
		job->too_many = true;
		return;
	}
	header->name = talloc_strndup(job, (const char *)name.p, name.n);
	header->value = talloc_strndup(job, (const char *)value.p, value.n);
	if (header->name == NULL || header->value == NULL)
		job->too_many = true;
	else if (!is_hop(header->name) && (job->keep_authorization || strcasecmp(header->name, "Authorization") != 0))
		job->header_count++;
	else
		header->name = NULL;
}

/* The program's target below the path of --to: "https://naf.example/base" and "/x" make "https://naf.example/base/x".
 */
static char *url_of(TALLOC_CTX *ctx, const struct proxy_http *part, struct bytes target)
{
	const char *base = part->to->target;
	size_t n = strcspn(base, "?#");

	while (n > 0 && base[n - 1] == '/')
		n--;
	if (target.n == 0 || target.p[0] != '/')
		return NULL; /* OPTIONS *, absolute form: nothing this port serves */
	return talloc_asprintf(ctx, "%s://%s:%u%.*s%.*s", part->to->scheme, part->to->host, part->to->port, (int)n,
			       base, BYTES_FMT(target));
}

static void reply(struct http_req *req, struct ua_reply *answer, TALLOC_CTX *ctx)
{
	struct http_header *headers = talloc_zero_array(ctx, struct http_header, answer->answer.header_count + 1);
	size_t i, n = 0;

	if (headers == NULL)
		return http_reply_error(req, GBA_E_NOMEM);
	for (i = 0; i < answer->answer.header_count; i++) {
		if (is_hop(answer->answer.headers[i].name) || strcasecmp(answer->answer.headers[i].name, "Server") == 0)
			continue;
		headers[n].name = answer->answer.headers[i].name;
		headers[n++].value = answer->answer.headers[i].value;
	}
	http_reply(req, answer->answer.status, headers, answer->answer.body);
}

static void log_failure(const struct proxy_http *part, enum gba_err err, const struct why *why)
{
	struct log_about about = {
		.iface = "Ua", .peer = bytes_of(part->to->host), .clause = "TS 24.109 5", .result = err
	};

	log_event(LOG_L_WARNING, "ue.request", &about, "%s", why->text);
}

/* What a program is told when there is no answer of the application. */
static enum gba_err gateway_err(enum gba_err err)
{
	switch (err) {
	case GBA_E_BUSY:
	case GBA_E_TIMEOUT:
	case GBA_E_UNREACHABLE:
	case GBA_E_NOMEM:
	case GBA_E_NOT_AUTHORIZED:
	case GBA_E_SYNTAX: return err;
	default: return GBA_E_PEER;
	}
}

/* An application that has shown a certificate instead of PSK-TLS would have each request wait for a handshake that fails. */
static void choose_mode(const struct proxy_http *part, struct ua_conf *conf)
{
	if (conf->mode == UA_AUTO && strcmp(part->to->scheme, "https") == 0 &&
	    clock_mono_ms() < atomic_load(&part->no_psk_until_ms))
		conf->mode = UA_DIGEST;
}

static void note_mode(struct worker *worker, const struct ua_conf *conf, const struct ua_reply *answer)
{
	memset(&worker->token, 0, sizeof(worker->token));
	if (answer->mode == UA_PSK)
		worker->token = answer->token;
	else if (conf->mode == UA_AUTO && strcmp(worker->part->to->scheme, "https") == 0)
		atomic_store(&worker->part->no_psk_until_ms, clock_mono_ms() + NO_PSK_MS);
}

static void serve(struct worker *worker, struct job *job)
{
	struct fetcher fetcher = fetch_curl_fetcher(worker->curl);
	struct proxy_http *part = worker->part;
	struct ua_conf conf = part->conf->ua;
	struct why why = { "" };
	struct ua_reply answer;
	enum gba_err err;

	if (conf.max_body == 0)
		conf.max_body = PROXY_BODY_MAX;
	choose_mode(part, &conf);
	err = ua_fetch(job, &conf, part->source, &fetcher, &job->request, &answer, &why);
	if (err == GBA_OK) {
		note_mode(worker, &conf, &answer);
		reply(job->req, &answer, job);
		return;
	}
	log_failure(part, err, &why);
	http_reply_error(job->req, gateway_err(err));
}

/* @param look  give up after LOOK_MS, with no job @return false: stop */
static bool next_job(struct proxy_http *part, bool look, struct job **_job)
{
	uint64_t until_ms = clock_mono_ms() + LOOK_MS;
	struct timespec until = { .tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000 };
	int rc = 0;
	bool goes_on;

	pthread_mutex_lock(&part->lock);
	while (!part->stop && STAILQ_EMPTY(&part->jobs) && rc != ETIMEDOUT)
		rc = look ? pthread_cond_clockwait(&part->work, &part->lock, CLOCK_MONOTONIC, &until)
			  : pthread_cond_wait(&part->work, &part->lock);
	*_job = STAILQ_FIRST(&part->jobs);
	if (*_job != NULL) {
		STAILQ_REMOVE_HEAD(&part->jobs, queue);
		part->waiting--;
	}
	goes_on = *_job != NULL || !part->stop;
	pthread_mutex_unlock(&part->lock);
	return goes_on;
}

/* A connection that rests on a token ends with it, used or not (Y.3056 7.4-5, 9.3-7). */
static void end_with_token(struct worker *worker)
{
	const struct token_source *source = worker->part->source;
	struct bytes naf = bytes_of(worker->part->to->host);

	if (worker->token.expires > clock_now() &&
	    (source->live == NULL || source->live(source->arg, naf, &worker->token)))
		return;
	if (fetch_curl_drop(worker->curl))
		memset(&worker->token, 0, sizeof(worker->token));
}

/* A worker keeps a connection to the application alive between requests. */
static void *worker_main(void *arg)
{
	struct worker worker = { .part = arg };
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct job *job;

	if (ctx == NULL || fetch_curl_new(ctx, &worker.curl) != GBA_OK) {
		talloc_free(ctx);
		return NULL;
	}
	while (next_job(worker.part, worker.token.btid[0] != '\0', &job)) {
		if (job != NULL)
			serve(&worker, job);
		else
			end_with_token(&worker);
		talloc_free(job);
	}
	talloc_free(ctx);
	return NULL;
}

static enum gba_err fill_job(const struct proxy_http *part, struct job *job, struct http_req *req)
{
	struct bytes body = http_req_body(req), method = http_req_method(req);

	job->req = req;
	job->keep_authorization = part->conf->ua.mode == UA_PSK;
	http_req_headers(req, take_header, job);
	job->request.headers = job->headers;
	job->request.url = url_of(job, part, http_req_target(req));
	job->request.method = talloc_strndup(job, (const char *)method.p, method.n);
	if (body.n > 0)
		job->request.body = BYTES(talloc_memdup(job, body.p, body.n), body.n);
	if (job->request.method == NULL || (body.n > 0 && job->request.body.p == NULL))
		return GBA_E_NOMEM;
	if (job->too_many)
		return GBA_E_TOO_LONG;
	return job->request.url != NULL ? GBA_OK : GBA_E_SYNTAX;
}

static enum gba_err queue_job(struct proxy_http *part, struct job *job)
{
	enum gba_err err = GBA_E_BUSY;

	pthread_mutex_lock(&part->lock);
	if (!part->stop && part->waiting < part->conf->max_connections) {
		STAILQ_INSERT_TAIL(&part->jobs, job, queue);
		part->waiting++;
		pthread_cond_signal(&part->work);
		err = GBA_OK;
	}
	pthread_mutex_unlock(&part->lock);
	return err;
}

/* In a thread of lib/http: no waiting here. */
static void on_request(struct http_req *req, void *arg)
{
	struct proxy_http *part = arg;
	struct job *job = talloc_zero(NULL, struct job);
	enum gba_err err = job != NULL ? fill_job(part, job, req) : GBA_E_NOMEM;

	if (err == GBA_OK)
		err = queue_job(part, job);
	if (err == GBA_OK)
		return;
	talloc_free(job);
	http_reply_error(req, err);
}

static void stop_workers(struct proxy_http *part)
{
	unsigned int i;

	pthread_mutex_lock(&part->lock);
	part->stop = true;
	pthread_cond_broadcast(&part->work);
	pthread_mutex_unlock(&part->lock);
	for (i = 0; i < part->worker_count; i++)
		pthread_join(part->workers[i], NULL);
	pthread_mutex_destroy(&part->lock);
	pthread_cond_destroy(&part->work);
}

static void on_refused(void *arg, const char *source, unsigned int status, const char *reason)
{
	struct log_about about = { .iface = "local", .peer = source != NULL ? bytes_of(source) : BYTES_NONE,
				   .clause = "RFC 9112", .result = status == 503 ? GBA_E_BUSY : GBA_E_SYNTAX };

	(void)arg;
	log_event_limited(1, LOG_L_WARNING, "ue.refused", &about, "%u: %s", status, reason);
}

static enum gba_err start_workers(struct proxy_http *part)
{
	unsigned int want = part->conf->max_connections < WORKERS_MAX ? part->conf->max_connections : WORKERS_MAX;

	STAILQ_INIT(&part->jobs);
	pthread_mutex_init(&part->lock, NULL);
	pthread_cond_init(&part->work, NULL);
	while (part->worker_count < want &&
	       pthread_create(&part->workers[part->worker_count], NULL, worker_main, part) == 0)
		part->worker_count++;
	return part->worker_count > 0 ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err proxy_http_start(TALLOC_CTX *mem_ctx, const struct proxy_conf *conf, const struct url *to,
			      const struct token_source *source, struct proxy_http **_part, struct why *why)
{
	struct proxy_http *part = talloc_zero(mem_ctx, struct proxy_http);
	struct http_conf http = HTTP_CONF_DEFAULTS;
	const char *error = NULL;
	enum gba_err err;

	if (part == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	part->conf = conf;
	part->to = to;
	part->source = source;
	http.listen = conf->listen;
	http.max_connections = conf->max_connections;
	http.max_per_source = conf->max_connections;
	http.max_body = PROXY_BODY_MAX;
	http.refused = on_refused;
	err = start_workers(part);
	if (err == GBA_OK)
		err = http_server_start(part, &http, on_request, part, &part->server, &error);
	if (err != GBA_OK) {
		stop_workers(part);
		why_fail(why, err, "%s", error != NULL ? error : gba_strerror(err));
		talloc_free(part);
		return err;
	}
	*_part = part;
	return GBA_OK;
}

unsigned int proxy_http_port(const struct proxy_http *part)
{
	return http_server_port(part->server);
}

/* The server first: it waits a little for requests in work and answers the others, so that no worker holds one after
 * it. */
void proxy_http_stop(struct proxy_http *part)
{
	http_server_stop(part->server, STOP_MS);
	stop_workers(part);
}
