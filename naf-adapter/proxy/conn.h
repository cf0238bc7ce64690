/* SPDX-License-Identifier: Apache-2.0 */
/** A device's connection, from accept to the last octet: PROXY header of a load balancer, TLS handshake, then requests
 * (http.c) or a stream (tunnel.c), then a quiet end. Belongs to its worker's thread. */
#ifndef GBA_PROXY_CONN_H
#define GBA_PROXY_CONN_H

#include <netinet/in.h>

#include "naf-adapter/proxy/chan.h"
#include "naf-adapter/proxy/fields.h"
#include "naf-adapter/proxy/worker.h"

enum conn_state {
	CONN_PROXY_HEADER,
	CONN_HANDSHAKE,
	CONN_HTTP,
	CONN_TUNNEL,
	CONN_ENDING, /* the last answer goes out, then what still comes is thrown away for a while */
};

/** What a step of a connection's work leads to. */
enum run {
	RUN_AGAIN, /* something happened: look again */
	RUN_WAIT,  /* nothing to do until an event */
	RUN_CLOSE,
};

struct exchange;

struct conn {
	LIST_ENTRY(conn) link;
	struct worker *worker;
	struct generation *gen; /* what its work began with */
	const struct listener *listener; /* of gen */
	enum conn_state state;
	struct chan chan;
	struct event timer;
	uint64_t deadline_ms;	/* monotonic; 0: none */
	struct sockaddr_storage src, dst;
	char address[INET6_ADDRSTRLEN];
	bool counted;		/* in proxy->sources */
	bool last;		/* its listener is no more: the request in work is its last */
	bool waiting;		/* counted in worker->waiting */
	bool running, ended;	/* conn_run() is on the stack; it is to be closed */
	struct site *site;	/* of gen; TLS: chosen by server name; plain: by the request's Host; NULL: is no more */
	struct tls_set *tls;
	uint64_t accepted_us;
	struct gba_naf_result *result; /* PSK: who the device is */
	struct asserted who;	/* PSK: below `identity` */
	TALLOC_CTX *identity;
	uint8_t ua_id[GBA_NAF_UA_ID_LEN]; /* what the key of result was asked for with */
	bool doubt;		/* again.c: notices about it may have been lost */
	uint64_t again_ms;	/* monotonic; not asked again before */
	struct gba_naf_request *again;
	void (*again_done)(struct conn *conn, enum gba_naf_error error);
	struct exchange *ex;	/* CONN_HTTP */
	struct upstream *up;	/* CONN_TUNNEL */
	bool tunnel_open;	/* its octets flow */
	const char *tunnel_end;		/* why it ends, for the log; static; NULL: both ends are done */
	uint64_t tunnel_in, tunnel_out; /* [octets] from and to the device */
	uint64_t ending_octets;
	char corr[9];
};

/** A connection was accepted: take over fd. */
void conn_accept(struct worker *worker, const struct listener *listener, int fd, const struct sockaddr_storage *src);
/** Go on with its work; frees it when it ends. */
void conn_run(struct conn *conn);
/** Event loop's form of conn_run(). */
void conn_on_event(evutil_socket_t fd, short what, void *arg);
/** End it now. */
void conn_free(struct conn *conn);
/** Tokens are no more: end the connection when it lives of one of them. */
void conn_noticed(struct conn *conn, const struct gba_naf_notice *notice);
/** Who the device is, from conn->result and what conn->site tells the application. @return as identity_of_result() */
enum gba_err conn_identify(struct conn *conn);
/** Its worker has another generation: go on to it, when nothing is in work. */
void conn_renewed(struct conn *conn);
/** A request begins: go on to the generation in force. */
void conn_renew(struct conn *conn);
/** The worker stops: end it when nothing is in work. */
void conn_drain(struct conn *conn);
/** Time until conn_timeout of the state's module is called. 0: none [ms] */
void conn_deadline(struct conn *conn, unsigned int ms);
/** Flush, shut down, wait a moment for the peer: the way every connection ends that was answered. */
enum run conn_end(struct conn *conn);
/** One more, or one less, that waits for a key. @return false: too many wait already */
bool conn_wait_for_key(struct conn *conn, bool begin);
bool conn_is_tls(const struct conn *conn);
const struct proxy_conf *conn_conf(const struct conn *conn);
/** Hooks for tls_set_new(). */
struct site *conn_choose_site(SSL *ssl, struct bytes name);
const char *conn_source(SSL *ssl);
void conn_key_ready(SSL *ssl);

/** http.c */
enum run http_start(struct conn *conn);
enum run http_run(struct conn *conn);
enum run http_timeout(struct conn *conn);
void http_free(struct conn *conn);
/** Is the request in work authenticated with a key of these? */
bool http_concerned(const struct conn *conn, const struct gba_naf_notice *notice);
/** The answer in work cannot be completed: the device sees it cut. */
enum run http_cut(struct conn *conn, const char *why);
/** Nothing is in work: the connection may end without harm. */
bool http_idle(const struct conn *conn);

/** tunnel.c: stream mode, and connections that switched protocols. */
enum run tunnel_start(struct conn *conn);
/** Take over an established pair; what was read already is passed on. */
enum run tunnel_adopt(struct conn *conn, struct upstream *up);
enum run tunnel_run(struct conn *conn);
enum run tunnel_timeout(struct conn *conn);
/** We end the stream (idle, key expired): say so, unless octets are missing. */
void tunnel_goodbye(struct conn *conn);

#endif
