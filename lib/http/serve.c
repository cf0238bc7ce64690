/* SPDX-License-Identifier: Apache-2.0 */
/* One request: made when its line is read, checked when its head is, handed over when its body is; then answered at once, or
 * suspended until http_reply() comes from wherever. An answer from within the handler never suspends. */
#include <stdio.h>

#include "core/clock.h"
#include "http/server_priv.h"

#define REQ_POOL 4096 /* [octets] target, a small body and what handlers allocate, in one block with the request */

static const struct {
	const char *label, *text;
	unsigned int status;
} refusal_rows[] = {
#define ROW(id, label, status, text) { label, text, status },
	HTTP_REFUSALS(ROW)
#undef ROW
};

unsigned int http_refusal_status(enum http_refusal refusal)
{
	return refusal_rows[refusal].status;
}

static const struct sockaddr *peer_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info != NULL ? info->client_addr : NULL;
}

void http_refusal_tell(struct http_server *server, struct MHD_Connection *mhd, enum http_refusal refusal, unsigned int status)
{
	const struct sockaddr *peer = mhd != NULL ? peer_of(mhd) : NULL;
	char source[HTTP_SOURCE_MAX];

	if (server->refused == NULL)
		return;
	if (peer != NULL)
		http_source_text(peer, source);
	server->refused(server->handler_arg, peer != NULL ? source : NULL,
			status != 0 ? status : http_refusal_status(refusal), refusal_rows[refusal].text);
}

void http_server_unref(struct http_server *server)
{
	unsigned int i;

	if (atomic_fetch_sub(&server->refs, 1) > 1)
		return;
	for (i = 0; i < server->loop_n; i++) /* whoever answered last may have woken one */
		http_loop_free(&server->loops[i]);
	pthread_mutex_destroy(&server->lock);
	talloc_free(server);
}

static void req_unref(struct http_req *req)
{
	struct http_server *server = req->holds_server ? req->server : NULL;

	if (atomic_fetch_sub(&req->refs, 1) > 1)
		return;
	if (req->response != NULL)
		MHD_destroy_response(req->response);
	talloc_free(req);
	if (server != NULL)
		http_server_unref(server);
}

static struct http_req *req_new(struct http_server *server, const char *target, struct MHD_Connection *mhd)
{
	size_t n = strlen(target);
	struct http_req *req = talloc_pooled_object(NULL, struct http_req, 12, REQ_POOL);
	char *copy = req != NULL ? talloc_strndup(req, target, n) : NULL;

	if (copy == NULL) {
		talloc_free(req);
		return NULL;
	}
	memset(req, 0, sizeof(*req));
	req->server = server;
	req->raw_target = target;
	req->target = BYTES(copy, n);
	req->body = BYTES(copy + n, 0);
	atomic_init(&req->refs, 1);
	atomic_init(&req->stage, STAGE_HEAD);
	req->conn = http_conn_of(mhd);
	if (req->conn != NULL)
		memcpy(req->source, req->conn->name, sizeof(req->source));
	return req;
}

/* The request line was read; target is still as sent. The first request's time began with its connection. */
void *http_on_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
	struct http_server *server = arg;
	struct http_conn *conn = http_conn_of(mhd);

	if (conn != NULL) {
		if (conn->started)
			http_conn_deadline(conn, server->head_timeout_ms);
		conn->started = conn->head_pending = true;
	}
	return req_new(server, target, mhd);
}

static void count_request(struct http_server *server, unsigned int status)
{
	metric_add(server->m_requests[status / 100 <= 5 ? status / 100 : 0], 1);
}

static enum MHD_Result queue(struct http_server *server, struct http_conn *conn, struct MHD_Connection *mhd,
			     unsigned int status, struct MHD_Response *response)
{
	count_request(server, status);
	if (conn != NULL)
		http_conn_deadline(conn, server->head_timeout_ms); /* the client has as long to take the answer */
	return MHD_queue_response(mhd, status, response);
}

/* Only at a request's first callback does libmicrohttpd close after the answer; "Connection: close" does it for all. */
static enum MHD_Result refuse(struct http_server *server, struct MHD_Connection *mhd, enum http_refusal refusal)
{
	struct http_conn *conn = http_conn_of(mhd);

	metric_add(server->m_refused[refusal], 1);
	http_refusal_tell(server, mhd, refusal, 0);
	if (conn != NULL)
		conn->closing = conn->early = true;
	return queue(server, conn, mhd, http_refusal_status(refusal), server->refusals[refusal]);
}

static enum MHD_Result on_head(struct http_server *server, struct http_req *req, struct MHD_Connection *mhd,
			       const char *method, const char *version)
{
	enum http_refusal refusal;
	struct http_head head;
	char *copy;

	if (req->conn == NULL)
		return MHD_NO; /* out of memory when it was accepted */
	req->conn->head_pending = false;
	refusal = http_head_check(req, mhd, method, version, &head);
	if (refusal != REFUSE_NONE)
		return refuse(server, mhd, refusal);
	copy = talloc_strdup(req, method);
	req->method = bytes_of(copy);
	if (copy != NULL && server->body_limit != NULL && head.body_length > 0 &&
	    head.body_length > server->body_limit(req, server->handler_arg))
		return refuse(server, mhd, REFUSE_BODY_SIZE);
	req->body_cap = head.body_length;
	if (head.body_length > 0)
		req->body_buffer = talloc_size(req, head.body_length);
	if (copy == NULL || (head.body_length > 0 && req->body_buffer == NULL))
		return refuse(server, mhd, REFUSE_NOMEM);
	req->conn->closing = head.closes;
	atomic_store_explicit(&req->stage, STAGE_BODY, memory_order_relaxed);
	return MHD_YES; /* an answer now would cost the connection, even without a body to come */
}

static enum MHD_Result on_body(struct http_req *req, const char *upload, size_t *_upload_n)
{
	size_t have = req->body_buffer != NULL ? req->body.n : 0;

	if (*_upload_n > req->body_cap - have)
		return MHD_NO; /* more than the length said: cannot be, and must not overflow if it is */
	memcpy(req->body_buffer + have, upload, *_upload_n);
	req->body = BYTES(req->body_buffer, have + *_upload_n);
	*_upload_n = 0;
	return MHD_YES;
}

static enum MHD_Result deliver(struct http_server *server, struct http_req *req, struct MHD_Connection *mhd)
{
	struct MHD_Response *response = req->response;
	enum MHD_Result result;

	req->response = NULL;
	if (response == NULL)
		return refuse(server, mhd, REFUSE_NOMEM);
	result = queue(server, req->conn, mhd, req->status, response);
	MHD_destroy_response(response);
	return result;
}

/* The handler has returned without a reply. @return false: one came meanwhile from elsewhere */
static bool suspend(struct http_server *server, struct http_req *req)
{
	bool suspended = false;

	pthread_mutex_lock(&server->lock);
	if (atomic_load_explicit(&req->stage, memory_order_relaxed) == STAGE_HANDLING) {
		atomic_fetch_add(&server->refs, 1);
		req->holds_server = true;
		LIST_INSERT_HEAD(&server->suspended, req, list);
		atomic_store_explicit(&req->stage, STAGE_SUSPENDED, memory_order_relaxed);
		suspended = true;
	}
	pthread_mutex_unlock(&server->lock);
	return suspended;
}

static enum MHD_Result handle(struct http_server *server, struct http_req *req, struct MHD_Connection *mhd)
{
	http_conn_deadline(req->conn, 0);
	atomic_fetch_add(&server->work, 1);
	atomic_fetch_add(&server->handling, 1);
	req->counted = true;
	atomic_fetch_add_explicit(&req->refs, 1, memory_order_relaxed); /* the handler's */
	atomic_store_explicit(&req->stage, STAGE_HANDLING, memory_order_relaxed);
	server->handler(req, server->handler_arg);
	if (atomic_load_explicit(&req->stage, memory_order_acquire) == STAGE_ANSWERED) {
		atomic_fetch_sub(&server->handling, 1);
		return deliver(server, req, mhd);
	}
	MHD_suspend_connection(mhd);
	if (!suspend(server, req))
		http_loop_resume(req->conn->loop, mhd);
	atomic_fetch_sub(&server->handling, 1);
	return MHD_YES;
}

enum MHD_Result http_on_call(void *arg, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
			     const char *upload, size_t *_upload_n, void **_req)
{
	struct http_server *server = arg;
	struct http_req *req = *_req;

	(void)url;
	if (req == NULL)
		return refuse(server, mhd, REFUSE_NOMEM);
	switch (atomic_load_explicit(&req->stage, memory_order_acquire)) {
	case STAGE_HEAD: return on_head(server, req, mhd, method, version);
	case STAGE_BODY:
		if (*_upload_n > 0)
			return on_body(req, upload, _upload_n);
		return atomic_load(&server->stopping) ? refuse(server, mhd, REFUSE_STOPPING) : handle(server, req, mhd);
	case STAGE_ANSWERED: return deliver(server, req, mhd);
	case STAGE_STOPPED: return refuse(server, mhd, REFUSE_STOPPING);
	default: return MHD_YES; /* suspended; called for nothing */
	}
}

void http_on_completed(void *arg, struct MHD_Connection *mhd, void **_req, enum MHD_RequestTerminationCode code)
{
	struct http_server *server = arg;
	struct http_conn *conn = http_conn_of(mhd);
	struct http_req *req = *_req;

	*_req = NULL;
	if (conn != NULL) {
		if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
			http_conn_failed(conn);
		conn->head_pending = false;
		http_conn_deadline(conn, server->idle_timeout_ms);
	}
	if (req == NULL)
		return;
	if (req->counted)
		atomic_fetch_sub(&server->work, 1);
	req_unref(req);
}

unsigned int http_answer_suspended(struct http_server *server)
{
	struct http_loop *loop = NULL;
	struct MHD_Connection *mhd;
	struct http_req *req;
	unsigned int count = 0;

	for (;;) {
		pthread_mutex_lock(&server->lock);
		req = LIST_FIRST(&server->suspended);
		mhd = req != NULL ? req->conn->mhd : NULL;
		if (req != NULL) {
			loop = req->conn->loop;
			LIST_REMOVE(req, list);
			atomic_store_explicit(&req->stage, STAGE_STOPPED, memory_order_release);
		}
		pthread_mutex_unlock(&server->lock);
		if (mhd == NULL)
			return count;
		http_loop_resume(loop, mhd);
		count++;
	}
}

/* @return NULL: no memory, and the response is gone */
static struct MHD_Response *with_headers(struct http_server *server, struct MHD_Response *response,
					 const struct http_header *headers)
{
	bool good = response != NULL;

	if (good && server->token != NULL)
		good = MHD_add_response_header(response, "Server", server->token) == MHD_YES;
	for (; good && headers != NULL && headers->name != NULL; headers++)
		good = MHD_add_response_header(response, headers->name, headers->value) == MHD_YES;
	if (good)
		return response;
	if (response != NULL)
		MHD_destroy_response(response);
	return NULL;
}

static struct MHD_Response *response_new(struct http_server *server, const struct http_header *headers, struct bytes body)
{
	return with_headers(server, MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY),
			    headers);
}

/* @param stream  that the response is read from; NULL: none */
static void answer(struct http_req *req, unsigned int status, struct MHD_Response *response, struct http_stream *stream)
{
	struct http_server *server = req->server;
	struct MHD_Connection *mhd = NULL;
	struct http_loop *loop = NULL;

	pthread_mutex_lock(&server->lock);
	switch (atomic_load_explicit(&req->stage, memory_order_relaxed)) {
	case STAGE_SUSPENDED:
		LIST_REMOVE(req, list);
		mhd = req->conn->mhd;
		loop = req->conn->loop;
		/* fall through */
	case STAGE_HANDLING:
		if (response != NULL && stream != NULL)
			http_stream_attach(stream, req);
		req->response = response;
		req->status = status;
		response = NULL;
		atomic_store_explicit(&req->stage, STAGE_ANSWERED, memory_order_release);
		break;
	default: break; /* the server has gone down and answered for us */
	}
	pthread_mutex_unlock(&server->lock);
	if (response != NULL)
		MHD_destroy_response(response);
	if (mhd != NULL)
		http_loop_resume(loop, mhd);
	req_unref(req);
}

void http_reply(struct http_req *req, unsigned int status, const struct http_header *headers, struct bytes body)
{
	answer(req, status, response_new(req->server, headers, body), NULL);
}

void http_reply_file(struct http_req *req, unsigned int status, const struct http_header *headers, int fd, uint64_t octets)
{
	answer(req, status, with_headers(req->server, http_file_response(req, fd, octets), headers), NULL);
}

void http_reply_stream(struct http_req *req, unsigned int status, const struct http_header *headers, struct http_stream *stream)
{
	answer(req, status, with_headers(req->server, http_stream_response(stream), headers), stream);
}

void http_reply_error(struct http_req *req, enum gba_err err)
{
	const struct http_header plain[] = { { "Content-Type", "text/plain" }, { NULL, NULL } };
	const struct http_header later[] = { { "Content-Type", "text/plain" }, { "Retry-After", "5" }, { NULL, NULL } };
	unsigned int status = gba_err_http(err);
	char text[128];

	snprintf(text, sizeof(text), "%s\n", gba_strerror(err));
	http_reply(req, status, status == 503 ? later : plain, bytes_of(text));
}

bool http_refusals_new(struct http_server *server)
{
	const char *type = server->problems ? "application/problem+json" : "text/plain";
	const struct http_header close[] = { { "Content-Type", type }, { "Connection", "close" }, { NULL, NULL } };
	const struct http_header later[] = { { "Content-Type", type }, { "Connection", "close" }, { "Retry-After", "5" },
					     { NULL, NULL } };
	char text[256], label[64];
	int i;

	for (i = REFUSE_NONE + 1; i < REFUSE_COUNT; i++) {
		if (server->problems)
			snprintf(text, sizeof(text),
				 "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"code\":\"%s\"}\n",
				 refusal_rows[i].text, refusal_rows[i].status, refusal_rows[i].label);
		else
			snprintf(text, sizeof(text), "%s\n", refusal_rows[i].text);
		server->refusals[i] = response_new(server, refusal_rows[i].status == 503 ? later : close, bytes_of(text));
		if (server->refusals[i] == NULL)
			return false;
		label[0] = '\0';
		metric_label(label, sizeof(label), "reason", refusal_rows[i].label);
		server->m_refused[i] = metric_get("gba_http_refused_total", "HTTP requests refused before any handler saw them.",
						  METRIC_COUNTER, label);
	}
	return true;
}

void http_refusals_free(struct http_server *server)
{
	int i;

	for (i = 0; i < REFUSE_COUNT; i++) {
		if (server->refusals[i] != NULL)
			MHD_destroy_response(server->refusals[i]);
	}
}

struct bytes http_req_method(const struct http_req *req)
{
	return req->method;
}

struct bytes http_req_target(const struct http_req *req)
{
	return req->target;
}

struct bytes http_req_header(const struct http_req *req, const char *name)
{
	const char *value = NULL;
	size_t n = 0;

	if (atomic_load_explicit(&req->stage, memory_order_acquire) == STAGE_STOPPED ||
	    MHD_lookup_connection_value_n(req->conn->mhd, MHD_HEADER_KIND, name, strlen(name), &value, &n) != MHD_YES ||
	    value == NULL)
		return BYTES_NONE;
	while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		n--;
	return BYTES(value, n);
}

struct each_header {
	void (*each)(void *arg, struct bytes name, struct bytes value);
	void *arg;
};

static enum MHD_Result hand_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_n, const char *value,
				   size_t value_n)
{
	const struct each_header *to = arg;

	(void)kind;
	while (value_n > 0 && (value[value_n - 1] == ' ' || value[value_n - 1] == '\t'))
		value_n--;
	to->each(to->arg, BYTES(name, name_n), BYTES(value != NULL ? value : "", value_n));
	return MHD_YES;
}

size_t http_req_headers(const struct http_req *req, void (*each)(void *arg, struct bytes name, struct bytes value), void *arg)
{
	struct each_header to = { each, arg };
	int n;

	if (atomic_load_explicit(&req->stage, memory_order_acquire) == STAGE_STOPPED)
		return 0;
	n = MHD_get_connection_values_n(req->conn->mhd, MHD_HEADER_KIND, hand_header, &to);
	return n > 0 ? (size_t)n : 0;
}

struct bytes http_req_body(const struct http_req *req)
{
	return req->body;
}

bool http_req_is_tls(const struct http_req *req)
{
	return req->server->tls;
}

int64_t http_req_peer_uid(const struct http_req *req)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (!req->conn->local || getsockopt(req->conn->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0)
		return -1;
	return peer.uid;
}

const char *http_req_source(const struct http_req *req)
{
	return req->source;
}
