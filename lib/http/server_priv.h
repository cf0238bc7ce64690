/* SPDX-License-Identifier: Apache-2.0 */
/** Shared by the files of the HTTP server only. Three lives: the server; its connections, listed from accept to close; and
 * their requests, each owned twice, by the connection it came on and by the handler until it has replied. */
#ifndef GBA_HTTP_SERVER_PRIV_H
#define GBA_HTTP_SERVER_PRIV_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "core/metrics.h"
#include "http/server.h"

/* Why a request is refused before any handler sees it: metric label, status, text. */
#define HTTP_REFUSALS(X)                                                                                               \
	X(REFUSE_NONE,      "",              0,   "")                                                                  \
	X(REFUSE_SYNTAX,    "syntax",        400, "malformed request")                                                 \
	X(REFUSE_FRAMING,   "framing",       400, "ambiguous message framing")                                         \
	X(REFUSE_REPEATED,  "repeated",      400, "a header that may occur once occurs twice")                         \
	X(REFUSE_HOST,      "host",          400, "no or invalid Host")                                                \
	X(REFUSE_LENGTH,    "length",        411, "a body needs Content-Length")                                       \
	X(REFUSE_BODY_SIZE, "body-size",     413, "body too large")                                                    \
	X(REFUSE_EXPECT,    "expect",        417, "unknown expectation")                                               \
	X(REFUSE_HEAD_SIZE, "head-size",     431, "header too large")                                                  \
	X(REFUSE_NOMEM,     "memory",        503, "out of memory")                                                     \
	X(REFUSE_STOPPING,  "stopping",      503, "going down")
#define HTTP_REFUSAL_ID(id, label, status, text) id,
enum http_refusal { HTTP_REFUSALS(HTTP_REFUSAL_ID) REFUSE_COUNT };
#undef HTTP_REFUSAL_ID
unsigned int http_refusal_status(enum http_refusal refusal);
/** Tell the role. @param mhd  NULL: the connection is not known @param status  what was answered, 0: the row's */
void http_refusal_tell(struct http_server *server, struct MHD_Connection *mhd, enum http_refusal refusal, unsigned int status);

#define NO_DEADLINE	UINT64_MAX
#define HTTP_SOURCE_MAX (INET6_ADDRSTRLEN + 10)

/* A thread and the connections it serves; see loop.c. Lives as long as the server. */
struct http_loop {
	struct http_server *server;
	struct MHD_Daemon *daemon;
	int listener, epoll, wake; /* own copy; the library's set; written to when the thread sleeps and shall look */
	pthread_t thread;
	bool runs, quiesced;
	_Atomic bool asleep, woken; /* woken: something has come since the thread last looked */
	_Atomic bool quiet, stop;   /* take no further connections; end */
	TAILQ_HEAD(, http_linger) lingers; /* linger.c; of the thread */
	unsigned int linger_n;
	int linger_epoll;
};

struct http_source; /* an address and its number of connections */

struct http_conn {
	LIST_ENTRY(http_conn) list;	   /* server->conns, under server->lock */
	struct MHD_Connection *mhd;
	struct http_server *server;
	struct http_loop *loop;
	struct http_source *source; /* NULL: has none, or has too many connections already */
	bool local;		    /* over a UNIX socket: no source counts */
	_Atomic uint64_t deadline_ms;	   /* [ms] monotonic; then both directions are shut */
	_Atomic bool shut;		   /* by us: deadline, or after an answer of our own */
	pthread_t thread; /* that serves it */
	int fd;
	bool head_pending;		   /* request line read, head not yet checked */
	bool started;			   /* one request line was read */
	char name[HTTP_SOURCE_MAX];	   /* "192.0.2.1:4711", "[2001:db8::1]:4711" */
	bool closing;			   /* the answer in hand is the connection's last */
	bool early;			   /* the answer in hand went out before the request was read */
	bool exported;			   /* its keying material was given out */
};

/* State of a request; changes under server->lock except HANDLING -> ANSWERED seen by the handler's own thread. */
enum http_stage { STAGE_HEAD, STAGE_BODY, STAGE_HANDLING, STAGE_SUSPENDED, STAGE_ANSWERED, STAGE_STOPPED };

struct http_req {
	LIST_ENTRY(http_req) list; /* server->suspended */
	struct http_server *server;
	struct http_conn *conn; /* not after STAGE_STOPPED */
	_Atomic int refs;
	_Atomic int stage;
	bool holds_server; /* a reference taken when suspended: a late reply must find the lock */
	bool counted;	   /* in server->work */
	const char *raw_target; /* where libmicrohttpd has it; for the layout check only */
	struct bytes method, target, body;
	uint8_t *body_buffer;
	size_t body_cap;
	struct MHD_Response *response; /* STAGE_ANSWERED */
	unsigned int status;
	char source[HTTP_SOURCE_MAX];
};

struct http_server {
	struct http_loop *loops;
	unsigned int loop_n;
	int listener; /* the loops' daemons have copies of it */
	http_handler handler;
	void *handler_arg;
	void (*refused)(void *arg, const char *source, unsigned int status, const char *reason);
	void (*round)(void *arg, enum http_round round);
	char *token; /* Server: header */
	unsigned int head_timeout_ms, idle_timeout_ms, port, max_per_source;
	size_t max_head, max_body;
	bool tls, client_ca, client_optional, problems;
	size_t (*body_limit)(const struct http_req *req, void *arg);
	struct MHD_Response *refusals[REFUSE_COUNT];
	struct metric *m_conns, *m_streams, *m_refused[REFUSE_COUNT], *m_requests[6]; /* by status / 100 */

	_Atomic int refs;     /* http_server_stop() and suspended requests */
	_Atomic int handling; /* requests inside the handler's call */
	_Atomic int work;     /* requests given to the handler and not yet answered completely */
	_Atomic bool stopping;

	pthread_mutex_t lock;
	LIST_HEAD(, http_conn) conns;
	void *sources; /* tree of http_source */
	LIST_HEAD(, http_req) suspended;
	LIST_HEAD(, http_stream) streams;

	pthread_t timer;
	pthread_cond_t timer_wake;
	bool timer_runs, timer_stop;
};

/* request.c: everything libmicrohttpd lets pass, at the first callback of a request. */
struct http_head {
	size_t body_length; /* Content-Length, 0 without */
	bool closes;	    /* the client wants no further request on this connection */
};
enum http_refusal http_head_check(const struct http_req *req, struct MHD_Connection *mhd, const char *method,
				  const char *version, struct http_head *_head);

/* serve.c: libmicrohttpd's callbacks. */
void *http_on_target(void *server, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_on_call(void *server, struct MHD_Connection *mhd, const char *url, const char *method,
			     const char *version, const char *upload, size_t *_upload_n, void **_req);
void http_on_completed(void *server, struct MHD_Connection *mhd, void **_req, enum MHD_RequestTerminationCode code);
/* Answer 503 to what is suspended. @return how many were */
unsigned int http_answer_suspended(struct http_server *server);
/* A prepared answer for each row of HTTP_REFUSALS. */
bool http_refusals_new(struct http_server *server);
void http_refusals_free(struct http_server *server);
void http_server_unref(struct http_server *server);

/* stream.c */
/* NULL: out of memory */
struct MHD_Response *http_stream_response(struct http_stream *stream);
/* The response is the request's from now on; server->lock is held. */
void http_stream_attach(struct http_stream *stream, struct http_req *req);
/* End all, those that come later, too; server->stopping is set. */
void http_streams_stop(struct http_server *server);

/* file.c. NULL: out of memory; fd is closed either way, now or with the response. */
struct MHD_Response *http_file_response(struct http_req *req, int fd, uint64_t octets);

/* conn.c */
void http_on_connection(void *loop, struct MHD_Connection *mhd, void **_conn, enum MHD_ConnectionNotificationCode code);
void http_on_log(void *server, const char *fmt, va_list args);
/** Room for HTTP_SOURCE_MAX octets. */
void http_source_text(const struct sockaddr *peer, char *out);
void http_conn_failed(struct http_conn *conn);
struct http_conn *http_conn_of(struct MHD_Connection *mhd);
void http_conn_deadline(struct http_conn *conn, unsigned int timeout_ms);

/* loop.c */
bool http_loop_start(struct http_loop *loop);
/* Let the thread go on with a suspended connection; from any thread. */
void http_loop_resume(struct http_loop *loop, struct MHD_Connection *mhd);
/** From the thread itself: run once more before sleeping. */
void http_loop_again(struct http_loop *loop);
void http_loop_quiet(struct http_loop *loop);
void http_loop_stop(struct http_loop *loop);
void http_loop_free(struct http_loop *loop);

/* linger.c; in the loop's thread, or when it has ended. */
bool http_linger_start(struct http_loop *loop);
/** Read what still comes on the connection of fd, which the caller may close. False: no room for one more. */
bool http_linger(struct http_loop *loop, int fd);
void http_linger_run(struct http_loop *loop);
void http_linger_free(struct http_loop *loop);

/* sources.c; server->lock is held. One connection more or less. @return NULL: the address has as many as it may, or no memory */
struct http_source *http_source_enter(struct http_server *server, const struct sockaddr *peer);
void http_source_leave(struct http_server *server, struct http_source *source);

/* deadline.c */
bool http_timer_start(struct http_server *server);
void http_timer_stop(struct http_server *server);

/* listen.c: a listening socket for "host:port" or "[host]:port", or -1 and why. */
int http_listen(TALLOC_CTX *mem_ctx, const char *address, unsigned int *_port, bool *_ipv6, const char **_error);

#endif
