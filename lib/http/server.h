/* SPDX-License-Identifier: Apache-2.0 */
/** The one HTTP server: libmicrohttpd with what it lets through refused before any handler sees it (two Host or
 * Authorization, Content-Length twice or with Transfer-Encoding, bare LF or CR, folded lines, control octets, values cut at
 * NUL, names that are no tokens), absolute deadlines and caps per source. Serves Ub, REST and /metrics.
 * Refused with 411: a body without Content-Length. Known residue with libmicrohttpd 0.9.75: empty lines, also such that begin
 * with NUL, before a request line are skipped; NUL LF ends a line as CR LF does; over TLS a request line that is none is
 * answered by closing, without 400; the time for the line of a second request on a connection is idle_timeout_ms. */
#ifndef GBA_HTTP_SERVER_H
#define GBA_HTTP_SERVER_H

#include <stdbool.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

struct http_server;
struct http_req;

/** A worker thread has found requests that are ready, and hands them over one after the other; it has handed over all. */
enum http_round { HTTP_ROUND_BEGINS, HTTP_ROUND_ENDS };

struct http_conf {
	const char *listen;	/* "127.0.0.1:8080", "[::1]:8080"; port 0: the kernel chooses, see http_server_port; "unix:/path" */
	const char *cert, *key; /* PEM files: HTTPS; both NULL: HTTP */
	const char *client_ca;	/* PEM: clients must show a certificate of this CA; NULL: none asked */
	bool client_optional;	/* with client_ca: one may also come without, or with another's: see http_req_peer_cert */
	bool problems;		/* refusals before any handler are application/problem+json (RFC 9457), else text/plain */
	unsigned int threads;	/* worker threads, >= 1 */
	unsigned int max_connections, max_per_source;
	unsigned int head_timeout_ms, idle_timeout_ms; /* absolute time for a request's head and body; idle keep-alive time */
	size_t max_head, max_body;		       /* [octets] 431, 413 beyond */
	const char *server_token;		       /* Server: header, NULL: none */
	/** NULL, or told of each request refused before the handler saw it, so that the role can log it; with the handler's arg,
	 * in a worker thread, must not block. @param source  "192.0.2.1:4711"; NULL: libmicrohttpd did not say */
	void (*refused)(void *arg, const char *source, unsigned int status, const char *reason);
	/** [octets] largest body of this request, at most max_body; called with its head complete, before its body is read.
	 * arg is the handler's. NULL: max_body */
	size_t (*body_limit)(const struct http_req *req, void *arg);
	/** NULL, or told of rounds, with the handler's arg, in the worker thread: what the requests of a round have in common
	 * can be done at its end, once. Rounds may be empty. */
	void (*round)(void *arg, enum http_round round);
};
#define HTTP_CONF_DEFAULTS                                                                                             \
	{ .threads = 1, .max_connections = 4096, .max_per_source = 1024, .head_timeout_ms = 10000,                     \
	  .idle_timeout_ms = 60000, .max_head = 16384, .max_body = 65536 }

/** Called in a worker thread when head and body are complete. Must lead to exactly one http_reply(), now or later from any
 * thread: returning without one suspends the connection at no cost. req is a talloc context that lives until the reply is
 * sent; only the thread that currently handles the request may allocate below it. Views of a request end with the reply, those
 * of headers also when http_server_stop() has answered for a handler that was too slow: copy what is needed long after. */
typedef void (*http_handler)(struct http_req *req, void *arg);

/** For configuration readers: "host:port" or "[host]:port" by its form, or empty. */
bool http_listen_valid(struct bytes address);
/** Is it an address of this machine alone, by its form? */
bool http_listen_is_loopback(const char *address);
/** @param _error  text for the operator ("127.0.0.1:80: Permission denied"), below mem_ctx, on failure */
enum gba_err http_server_start(TALLOC_CTX *mem_ctx, const struct http_conf *conf, http_handler handler, void *arg,
			       struct http_server **_server, const char **_error);
/** Stop listening, answer new requests on open connections 503, wait for those in work up to timeout_ms, answer 503 for what
 * is suspended then (their late http_reply() is safe and goes nowhere), free. */
void http_server_stop(struct http_server *server, unsigned int timeout_ms);
unsigned int http_server_port(const struct http_server *server);

struct bytes http_req_method(const struct http_req *req);
/** Request target as sent, with its query. */
struct bytes http_req_target(const struct http_req *req);
/** First value of a header, no case; absent: p == NULL. */
struct bytes http_req_header(const struct http_req *req, const char *name);
/** Every header as it came, in order: what a proxy hands on. Views valid while req lives. @return how many */
size_t http_req_headers(const struct http_req *req, void (*each)(void *arg, struct bytes name, struct bytes value), void *arg);
struct bytes http_req_body(const struct http_req *req);
bool http_req_is_tls(const struct http_req *req);
/** The certificate the client showed. */
struct http_peer_cert {
	bool shown, verified;	 /* verified: of client_ca, in its time, for TLS clients */
	uint8_t fingerprint[32]; /* SHA-256 of the certificate */
	char subject[256];	 /* RFC 4514, cut to fit; only when verified */
};
/** Only from within the handler's call: the TLS session belongs to that thread. All zero over plain HTTP. */
void http_req_peer_cert(const struct http_req *req, struct http_peer_cert *_cert);
/** The chain the client showed, DER, its own certificate first, whether verified or not; of a server with client_ca. Only from
 * within the handler's call, the views end with it. @return how many; 0: none */
size_t http_req_peer_chain(const struct http_req *req, struct bytes *chain, size_t max);
/** Keying material of the connection's TLS session (RFC 5705 4, RFC 8446 7.5), without context, for one purpose: each
 * connection gives it once. Only from within the handler's call. @param out  n octets; the caller wipes them
 * @retval GBA_E_UNSUPPORTED  no TLS, or TLS 1.2 without extended master secret: not bound to this connection (RFC 7627)
 * @retval GBA_E_STATE        given already */
enum gba_err http_req_export(const struct http_req *req, const char *label, uint8_t *out, size_t n);
/** The user at the other end of a UNIX socket, as the kernel knows it; -1: not a UNIX socket. Only from within the handler's
 * call. */
int64_t http_req_peer_uid(const struct http_req *req);
/** "192.0.2.1:4711", or "unix"; valid while req lives. */
const char *http_req_source(const struct http_req *req);

struct http_header {
	const char *name, *value;
};
/** Answer and give req up. Headers and body are copied. @param headers  ends with { NULL, NULL }; may be NULL */
void http_reply(struct http_req *req, unsigned int status, const struct http_header *headers, struct bytes body);
/** Answer with the first octets of a file, which are read as the client takes them, and give req up. A client that takes nothing
 * for head_timeout_ms is cut off. @param fd  taken over; the file must not become shorter */
void http_reply_file(struct http_req *req, unsigned int status, const struct http_header *headers, int fd, uint64_t octets);
/** An answer's body that is written bit by bit, from any thread, until one side has enough of it: server-sent events. What is
 * not taken yet is kept in memory, up to room; a client that takes nothing of it for stall_ms is cut off. No thread waits. That
 * a client has gone shows when something is written. */
struct http_stream;
/** For the writer. @param room  [octets] @return NULL: out of memory; else http_stream_end() must follow, answered with or not */
struct http_stream *http_stream_new(size_t room, unsigned int stall_ms);
/** For who answers with it, while the writer may end it at any time: a reference, to be dropped after http_reply_stream(). */
struct http_stream *http_stream_keep(struct http_stream *stream);
void http_stream_drop(struct http_stream *stream);
/** Answer with the stream as body, chunked, and give req up. Once for a stream. */
void http_reply_stream(struct http_req *req, unsigned int status, const struct http_header *headers, struct http_stream *stream);
/** All of the text, or nothing of it. @retval GBA_E_BUSY  no room until the client has taken some
 * @retval GBA_E_UNREACHABLE  the client has gone, or the server stops */
enum gba_err http_stream_write(struct http_stream *stream, struct bytes text);
bool http_stream_open(struct http_stream *stream);
/** Has its client gone because it was cut off? */
bool http_stream_cut(struct http_stream *stream);
/** What was written is still sent, then the answer ends; the stream must not be used any more. */
void http_stream_end(struct http_stream *stream);
/** Plain answer for an error row: status of err, Retry-After when that is 503, one line of text. */
void http_reply_error(struct http_req *req, enum gba_err err);

/** Serve GET /metrics, /livez and /readyz in a thread of its own.
 * @param ready  NULL, or tells whether the node can do its work and names what is missing */
enum gba_err http_metrics_start(TALLOC_CTX *mem_ctx, const char *listen, bool (*ready)(void *arg, const char **_missing),
				void *arg, struct http_server **_server, const char **_error);

#endif
