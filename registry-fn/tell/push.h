/* SPDX-License-Identifier: Apache-2.0 */
/** One delivery to a subscriber: what it is, and what follows when it was taken or was not. All in the sender's thread. */
#ifndef GBA_REGISTRY_PUSH_H
#define GBA_REGISTRY_PUSH_H

#include "registry-fn/tell/tell.h"

struct push {
	struct push *next;	/* of those under way */
	int64_t id, rev;	/* the subscription, as it was when this was begun */
	int64_t letter;		/* dead letter that is sent again; 0: what comes next in the log */
	bool held;		/* its subscription waits for room for dead letters */
	struct tell_page *page; /* events */
	struct tell_digest *digest; /* NULL: events */
	int64_t seen;		    /* all up to here is told then */
	const char *url;
	char *token;
	/* the sender's: */
	char *receiver; /* who it goes to; one delivery at a time */
};

/** What a look found. */
struct push_look {
	bool more;    /* something was done without a delivery: look again */
	int64_t held; /* subscriptions that wait for room */
};

void push_metrics_get(void);
/** What is to be delivered to a subscription now.
 * @param _push  below mem_ctx; NULL: nothing is due, or the subscription is gone */
enum gba_err push_next(struct records *r, TALLOC_CTX *mem_ctx, int64_t id, struct push_look *look, struct push **_push);
/** It was taken, or (why) it was not. What has changed meanwhile is put together, and sent, anew. */
enum gba_err push_end(struct records *r, const struct push *push, const char *why);
/** Dead letters, now and then: others write them, too. */
void push_letters_count(struct records *r);

#endif
