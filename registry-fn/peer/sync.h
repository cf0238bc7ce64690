/* SPDX-License-Identifier: Apache-2.0 */
/** Replication between two registries, without Diameter: what to send next, what to make of what was sent.
 *
 * Each side keeps what the other has of each stream, as the other says: in its HELLO, in its answers, and by what it sends
 * itself. Events go in the order of the sender's log, so that a stream keeps its order and a registry is known before it speaks;
 * but by lanes (event_lane_of()): Blacks before other statuses, those before registrations. A status goes after each Black that was
 * said before it, so that none is overtaken by an older Black.
 * The receiver takes a batch in one transaction and answers with what it now has: after a loss on either side the same events
 * may come again, and change nothing. A stream that the receiver refuses is parked for a while; others go on. */
#ifndef GBA_REGISTRY_SYNC_H
#define GBA_REGISTRY_SYNC_H

#include "registry-fn/log/event.h"

#define SYNC_BATCH_EVENTS 128
#define SYNC_BATCH_OCTETS 49152 /* [octets] events, or what a HELLO says: freeDiameter hangs up on messages above 65535 */
#define SYNC_PARK_MS	  5000

#define SYNC_HAVE_MAX 64 /* [octets] "RegID class number" */

struct sync_list {
	struct bytes *v; /* below the caller's mem_ctx */
	size_t n;
};

/** One neighbour, as one thread sees it. */
struct sync_peer;

/** @param send, accept  bits of classes; EVENT_REGISTRY is always among them */
struct sync_peer *sync_peer_new(TALLOC_CTX *mem_ctx, const char *reg_id, unsigned int send, unsigned int accept);

/** What we have, as texts for a HELLO or its answer. More than a message can hold is left out: the neighbour then offers the
 * first events of those streams, and learns from the answer how far they are. */
enum gba_err sync_haves(struct event_log *log, TALLOC_CTX *mem_ctx, struct sync_list *_haves);
/** Words of the classes in a set of bits. */
enum gba_err sync_classes(TALLOC_CTX *mem_ctx, unsigned int classes, struct sync_list *_words);
/** A HELLO, or the answer to ours: all that is known of the neighbour begins anew.
 * @retval GBA_E_SYNTAX  a text is none of ours: nothing changed */
enum gba_err sync_greeted(struct sync_peer *peer, const struct sync_list *haves, const struct sync_list *accepts);
bool sync_is_greeted(const struct sync_peer *peer);
/** The connection is gone. */
void sync_lost(struct sync_peer *peer);

/** The next batch; none: *_events empty. Stays the same until sync_answered() or sync_lost().
 * @param mem_ctx  of the octets */
enum gba_err sync_next(struct sync_peer *peer, struct event_log *log, TALLOC_CTX *mem_ctx, uint64_t now_ms,
		       struct sync_list *_events);
/** The answer to the batch: what the neighbour has now of its streams; those that did not come as far are parked. */
void sync_answered(struct sync_peer *peer, const struct sync_list *haves, uint64_t now_ms);
/** No answer: the same will be sent again. */
void sync_failed(struct sync_peer *peer);
/** Events that go to it still, as far as is known; for metrics. */
enum gba_err sync_behind(struct sync_peer *peer, struct event_log *log, int64_t *_events);

struct sync_taken {
	size_t new, known, refused;
	enum gba_err first; /* why the first one was refused */
	struct sync_list haves; /* of the streams in the batch */
};
/** Take a batch, in one transaction: what is good, and of a stream nothing behind what is not.
 * @return of the store: nothing changed */
enum gba_err sync_take(struct sync_peer *peer, struct event_log *log, struct db *db, TALLOC_CTX *mem_ctx,
		       const struct sync_list *events, time_t now, struct sync_taken *_taken);

#endif
