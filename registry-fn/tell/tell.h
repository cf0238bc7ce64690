/* SPDX-License-Identifier: Apache-2.0 */
/** Notification (Y.3059 9.4): subscribers learn of events by Security Event Tokens (RFC 8417): pushed to them (RFC 8935) one by
 * one, many at once or as a digest, fetched by them (RFC 8936), or read as server-sent events. Nothing is queued: each
 * subscription has its place in log/event.h and goes on from there, so that whatever ends the node, an event is told at least
 * once, with the same jti each time. What cannot be delivered becomes a dead letter; when there is no room for one more, the
 * subscription stays where it is until there is. */
#ifndef GBA_REGISTRY_TELL_H
#define GBA_REGISTRY_TELL_H

#include "registry-fn/log/event.h"
#include "registry-fn/record/rules.h"

#define TELL_TYP "secevent+jwt"
#define TELL_WINDOW SUBSCRIPTION_BATCH_MAX /* [events] of one page; what a poll acknowledges lies within */
#define TELL_LOOKS  20	/* at the log in one transaction for what is nobody's here: others want to write, too */
#define TELL_OCTETS 262144 /* of the events of one page, about */
#define TELL_DIGEST_SPAN 10000 /* [events] of the log that one digest tells of; then another follows */

/** A subscription, its place, and on whose behalf it sees. */
struct tell_sub {
	struct record *rec;
	struct actor actor;
	bool good; /* may its owner still be told? */
	bool narrow; /* the owner may learn no more of a device than its status */
	int64_t cursor; /* all up to here is done */
	int64_t tries, due; /* of the delivery behind it: failed attempts; [ms since epoch] of the next */
	int64_t upto; /* that delivery was begun and ends here; 0: not begun */
	bool part; /* of a digest that is longer */
	int64_t told, ends; /* [s since epoch] ends of the digest before, and of the one that was begun */
};
/** @param _sub  below mem_ctx @retval GBA_E_NOT_FOUND */
enum gba_err tell_sub_load(struct records *r, TALLOC_CTX *mem_ctx, int64_t id, struct tell_sub **_sub);
/** Write where it stands. */
enum gba_err tell_sub_keep(struct records *r, const struct tell_sub *sub);

/** An event as a subscriber sees it. */
struct tell_item {
	struct event *event;
	const char *make, *model; /* of its subject; "": not known, or not to be told */
};
struct tell_page {
	struct tell_item items[TELL_WINDOW];
	size_t n;
	int64_t seen; /* place of the last that was looked at */
	bool end;     /* there are no more, up to where was asked */
};
/** What the subscriber wants and may see after a place, in order: up to limit events, and to place upto (0: all there are). */
enum gba_err tell_read(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t after, int64_t upto,
		       size_t limit, struct tell_page *_page);
/** The event at a place, if it is for the subscriber; _item->event NULL: it is not. */
enum gba_err tell_at(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t seq, struct tell_item *_item);
/** May this owner have such a filter? Who may not ask by make must not find out by being told. @param _may  true: it may */
enum gba_err tell_filters_may(struct records *r, const struct tell_sub *sub, bool *_may);

/* Tokens: compact JWS below mem_ctx. */
char *tell_jti(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t seq);
/** Place of a jti; 0: none of this subscription's. */
int64_t tell_place(struct records *r, const struct tell_sub *sub, const char *jti);
/** Claims of one event; NULL: out of memory. */
json_t *tell_claims(struct records *r, const struct tell_sub *sub, const struct tell_item *item);
enum gba_err tell_token(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, const struct tell_item *item,
			char **_text);
/** Several events in one: urn:gba:registry:batch. */
enum gba_err tell_batch_token(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, const struct tell_item *items,
			      size_t n, char **_text);

/** A summary of what came after one place, up to another: urn:gba:registry:digest. */
struct tell_digest {
	int64_t since, upto;
	int64_t began, ends; /* [s since epoch] */
	bool part;
};
/** @param _n  events it tells of */
enum gba_err tell_digest_token(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, const struct tell_digest *digest,
			       int64_t *_n, char **_text);
/** Is one due? @param _due  then sub->upto, part and ends are set, to be kept before it is sent */
enum gba_err tell_digest_due(struct records *r, struct tell_sub *sub, time_t now, bool *_due);
/** It was told, or there was nothing to tell. */
void tell_digest_done(struct tell_sub *sub);

/** Acknowledged out of order. In a transaction. */
enum gba_err tell_done(struct records *r, const struct tell_sub *sub, int64_t seq);
enum gba_err tell_is_done(struct records *r, const struct tell_sub *sub, int64_t seq, bool *_done);
/** Move over what is acknowledged. In a transaction. */
enum gba_err tell_settle(struct records *r, TALLOC_CTX *mem_ctx, struct tell_sub *sub);

/* Dead letters: given up, and why. */
struct tell_letter {
	int64_t id, seq, at;
	int64_t since, began, ends; /* of a digest; 0: an event */
	bool again;
	const char *why;
};
/** In a transaction. @param digest  NULL: the event at seq @retval GBA_E_NOSPACE  as many as `tell-dead-letters` allows */
enum gba_err tell_letter_add(struct records *r, const struct tell_sub *sub, int64_t seq, const struct tell_digest *digest,
			     const char *why, time_t now);
/** The first TELL_WINDOW after a letter. */
enum gba_err tell_letters(struct records *r, TALLOC_CTX *mem_ctx, int64_t subscription, int64_t after,
			  struct tell_letter **_letters, size_t *_n);
/** Of a subscription; 0: of all. */
enum gba_err tell_letters_count(struct records *r, int64_t subscription, int64_t *_n);
/** One, or (0) all of a subscription shall be sent again. @param _n  how many */
enum gba_err tell_letters_retry(struct records *r, int64_t subscription, int64_t letter, int *_n);
/** Thrown away by who it was for, or an administrator: the subscription goes on if it waited for room. In a transaction. */
enum gba_err tell_letters_discard(struct records *r, int64_t subscription, int64_t letter, int *_n);
/** The first that shall be sent again; _letter->id 0: none. */
enum gba_err tell_letter_next(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, struct tell_letter *_letter);
/** It was sent, or (why) not again. */
enum gba_err tell_letter_end(struct records *r, int64_t letter, const char *why, time_t now);

/** Hooks of the table. */
enum gba_err reg_subscription_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_subscription_after(struct records *r, struct record_call *call, const struct record *old,
				    const struct record *now);

/** The threads that push, and that write server-sent events. */
extern const struct registry_room tell_room, tell_stream_room;

#endif
