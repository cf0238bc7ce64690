/* SPDX-License-Identifier: Apache-2.0 */
/** One request and its answer: head (http.c), who sent it (auth.c), to the application and back (relay.c). A talloc context of
 * its own that everything it needs hangs below. Belongs to its connection. */
#ifndef GBA_PROXY_EXCHANGE_H
#define GBA_PROXY_EXCHANGE_H

#include "naf-adapter/proxy/body.h"
#include "naf-adapter/proxy/conn.h"
#include "naf-adapter/proxy/described.h"
#include "naf-adapter/proxy/ua_digest.h"

enum ex_state {
	EX_HEAD,    /* waits for a request, or the rest of its head */
	EX_KEY,	    /* the agent is asked */
	EX_HOLD,    /* auth-int: the body is collected until it can be verified */
	EX_CONNECT, /* connection to the application being made */
	EX_RELAY,
	EX_REFUSED, /* our own answer is queued; the rest of the request is thrown away */
};

struct exchange {
	struct conn *conn;
	struct site *site;
	enum ex_state state;
	uint64_t started_us, trace_at;
	size_t scanned;
	struct h1_head head; /* views into octets below this context */
	struct body request;
	bool request_cut;	/* our answer is complete before the request is */
	bool may_continue;	/* the device waits for 100 Continue */
	bool to_head;		/* it sent HEAD: no answer has a body */
	enum asks asks;		/* not ASKS_NOT: a web server asks about it, head is of the request described */
	struct described described;
	const char *address;	/* of the device */
	bool paced;		/* the deadline is for the device to have moved enough since: */
	int64_t paced_from;	/* [octets] */
	/* auth.c */
	bool digest;
	struct ua_claim claim;
	uint8_t ua_id[GBA_NAF_UA_ID_LEN];
	struct gba_naf_request *asked;
	struct gba_naf_result *result; /* Digest: key of the claim */
	const uint8_t *key;	       /* of result: the one that proved right */
	struct buf held;
	struct asserted who;
	char corr[9];
	/* relay.c */
	struct buf head_out;	/* kept until the application answers: a kept connection may prove dead */
	struct upstream *up;
	bool retried;
	size_t res_scanned;
	bool res_begun;
	bool res_chunked;	/* towards the device */
	bool up_keep;
	struct body response;
	struct buf trailers;	/* of it */
	unsigned int status;
	bool close;
	time_t until;		/* the application takes the token no longer than until then; 0: not said */
	uint64_t up_asked_us, up_said_us; /* monotonic; 0: not (yet): the application was asked, began to answer */
	const char *why;	/* for the log; static */
};

/** Queue an answer of our own. @param extra  header lines with CRLF, or NULL
 * @return what the caller's step returns */
enum run exchange_refuse(struct exchange *ex, unsigned int status, const char *why, const struct buf *extra);
/** The same, and nothing more is read: the peer's framing cannot be trusted. */
enum run exchange_refuse_close(struct exchange *ex, unsigned int status, const char *why);
/** The same for a web server that asks: 200 with these lines. */
enum run exchange_allow(struct exchange *ex, const struct buf *lines);
/** 100 Continue, when the device waits for it. @return false: out of memory */
bool exchange_continue(struct exchange *ex);
/** Octets moved, or not: until when more must have. A device has min-rate to keep, whatever trickles in between.
 * @param device  it is what we wait for @param ms  for whoever else it is */
void exchange_pace(struct exchange *ex, bool device, bool moved, unsigned int ms);
/** The answer is queued as a whole: log it, and make place for the next request. */
enum run exchange_finish(struct exchange *ex);

/** 101 is queued: the connection is a stream from here on. */
enum run exchange_switched(struct exchange *ex);
/** The answer cannot be completed: the device sees it cut. */
enum run exchange_cut(struct exchange *ex, const char *why);
/** The same, because the device does not read it. */
enum run exchange_unread(struct exchange *ex);

/** auth.c: find out who sent the request; goes on with relay_start(). */
enum run auth_start(struct exchange *ex);
/** The key came, or not. */
enum run auth_hold(struct exchange *ex);
void auth_free(struct exchange *ex);
/** The application wants a newer token: the renegotiation indication in place of its answer. */
enum run auth_renew(struct exchange *ex);
/** Tell the agent what the application said about the request's token: ex->until. */
void auth_limit(struct exchange *ex);
/** Headers of the answer that prove us to the device; NULL: none. */
char *auth_info(struct exchange *ex, bool empty_body);

/** relay.c */
enum run relay_start(struct exchange *ex);
enum run relay_connect(struct exchange *ex);
enum run relay_run(struct exchange *ex);
enum run relay_timeout(struct exchange *ex);
void relay_free(struct exchange *ex);

#endif
