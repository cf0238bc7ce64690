/* SPDX-License-Identifier: Apache-2.0 */
/** A connection to a Redis server that many threads share: their commands go out together, answers come back in order. hiredis
 * encodes and parses; sockets, TLS and time are ours, so that no call ever waits longer than it was told. One thread does all
 * input and output and connects again by itself; a second one hands out results, so that who gets one may ask again. */
#ifndef GBA_BSF_REDIS_H
#define GBA_BSF_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define REDIS_WHY_MAX 256

struct redis;
struct redis_link;

struct redis_conf {
	const char *server;	     /* "host:port", "[v6]:port" or "/path/of/socket" */
	bool tls;
	const char *ca, *cert, *key; /* PEM files; "": the system's CAs; no client certificate */
	unsigned int timeout_ms;     /* [ms] from a call to its outcome; also to connect */
	/** On each new connection, before anybody else uses it: authenticate, look around with redis_link_ask().
	 * @param why  REDIS_WHY_MAX characters for the operator when it is refused */
	enum gba_err (*greet)(void *arg, struct redis_link *link, char *why);
	/** Once a second while connected, in the thread of input and output. False: connect anew. */
	bool (*beat)(void *arg);
	/** The connection came, or went: err says why. GBA_E_BUSY: redis_stop() closes it. */
	void (*changed)(void *arg, enum gba_err err, const char *why);
	void *arg;
};

/** Commands sent together, their outcome told once. Zero it, then redis_add(). */
struct redis_call {
	void (*done)(struct redis_call *call); /* err and reply are set; call redis_call_end() */
	void *arg;
	bool direct;	   /* call done in the thread of input and output: it must not wait for anything */
	enum gba_err err;  /* the first one: of the connection, or of a command */
	redisReply *reply; /* of the last command; NULL unless err is GBA_OK */

	struct redis_call *next; /* ours, as all below */
	char *out;
	size_t n;
	unsigned int commands, answered;
	uint64_t deadline;
};

/** One more command. Out of memory is told by redis_ask(). */
void redis_add(struct redis_call *call, const struct bytes *words, size_t count);
/** Send; done will be called on GBA_OK only.
 * @retval GBA_E_UNREACHABLE  no connection now  @retval GBA_E_BUSY  too many calls under way  @retval GBA_E_NOMEM */
enum gba_err redis_ask(struct redis *redis, struct redis_call *call);
/** Send and wait: for the configured time at most. call->reply stands until redis_call_end(). Not from done of a direct call.
 * @return call->err: also GBA_E_TIMEOUT, and for what the server says GBA_E_NOSPACE, GBA_E_BUSY, GBA_E_IO */
enum gba_err redis_wait(struct redis *redis, struct redis_call *call);
void redis_call_end(struct redis_call *call);

/** In greet: one command, one answer, freed by the caller. NULL: *_err says why. */
redisReply *redis_link_ask(struct redis_link *link, const struct bytes *words, size_t count, enum gba_err *_err);

/** Start; returns when the first attempt to connect has an outcome. *_redis is set before the first callback.
 * @param _first  that outcome; GBA_E_UNREACHABLE, GBA_E_TIMEOUT: it goes on trying, anything else is greet's or TLS's
 * @param why     REDIS_WHY_MAX characters */
enum gba_err redis_start(TALLOC_CTX *mem_ctx, const struct redis_conf *conf, struct redis **_redis, enum gba_err *_first,
			 char *why);
/** Wait for what is under way, for the configured time; fail the rest with GBA_E_BUSY; end. Then talloc_free(). */
void redis_stop(struct redis *redis);

#endif
