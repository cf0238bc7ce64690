/* SPDX-License-Identifier: Apache-2.0 */
/** Notification (Y.3059 9.4): subscribers learn of events by Security Event Tokens (RFC 8417), pushed to them (RFC 8935) or
 * fetched by them (RFC 8936). Nothing is queued: each subscription has its place in log/event.h and goes on from there, so that
 * whatever ends the node, an event is told at least once, with the same jti each time. */
#ifndef GBA_REGISTRY_TELL_H
#define GBA_REGISTRY_TELL_H

#include "registry-fn/log/event.h"
#include "registry-fn/record/rules.h"

#define TELL_TYP "secevent+jwt"
#define TELL_WINDOW 100 /* [events] of one poll; what is acknowledged lies within */
#define TELL_LOOKS  20	/* at the log in one transaction for what is nobody's here: others want to write, too */

/** A subscription, its place, and on whose behalf it sees. */
struct tell_sub {
	struct record *rec;
	struct actor actor;
	bool good; /* may its owner still be told? */
	int64_t cursor; /* all up to here is done */
	int64_t tries, due; /* of the event behind it: failed attempts; [ms since epoch] of the next */
};
/** @param _sub  below mem_ctx @retval GBA_E_NOT_FOUND */
enum gba_err tell_sub_load(struct records *r, TALLOC_CTX *mem_ctx, int64_t id, struct tell_sub **_sub);

/** Look at some events after a place. @param _event  the first that the subscriber wants and may see; NULL: none among those
 * looked at  @param _seen  place of that, or of the last looked at; `after`: there are no more */
enum gba_err tell_next(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t after, struct event **_event,
		       int64_t *_seen);
/** The event at a place, if it is for the subscriber; NULL: it is not. */
enum gba_err tell_at(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t seq, struct event **_event);
/** Its token: compact JWS below mem_ctx. */
enum gba_err tell_token(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, const struct event *event,
			char **_text);
/** jti of a place; 0: none of this subscription's. */
int64_t tell_place(struct records *r, const struct tell_sub *sub, const char *jti);
char *tell_jti(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t seq);

/** Where it stands. @param tries, due  see struct tell_sub */
enum gba_err tell_move(struct records *r, struct tell_sub *sub, int64_t cursor, int64_t tries, int64_t due);
/** Acknowledged out of order. In a transaction. */
enum gba_err tell_done(struct records *r, const struct tell_sub *sub, int64_t seq);
enum gba_err tell_is_done(struct records *r, const struct tell_sub *sub, int64_t seq, bool *_done);
/** Move over what is acknowledged. In a transaction. */
enum gba_err tell_settle(struct records *r, TALLOC_CTX *mem_ctx, struct tell_sub *sub);

/** Given up, and why. */
struct tell_dead {
	int64_t seq, at;
	bool again;
	const char *why;
};
enum gba_err tell_dead_add(struct records *r, const struct tell_sub *sub, int64_t seq, const char *why, time_t now);
/** The first TELL_WINDOW. */
enum gba_err tell_dead_list(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, struct tell_dead **_dead,
			    size_t *_n);
/** All of a subscription shall be sent again. */
enum gba_err tell_dead_retry(struct records *r, const struct tell_sub *sub);
/** The first that shall be sent again; 0: none. */
enum gba_err tell_dead_next(struct records *r, const struct tell_sub *sub, int64_t *_seq);
enum gba_err tell_dead_end(struct records *r, const struct tell_sub *sub, int64_t seq);

/** Hooks of the table. */
enum gba_err reg_subscription_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_subscription_after(struct records *r, struct record_call *call, const struct record *old,
				    const struct record *now);

/** The thread that sends. */
extern const struct registry_room tell_room;

#endif
