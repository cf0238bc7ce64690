/* SPDX-License-Identifier: Apache-2.0 */
/** Bodies as they stream by: taken out of one framing, put into another, never held as a whole. */
#ifndef GBA_PROXY_BODY_H
#define GBA_PROXY_BODY_H

#include "naf-adapter/proxy/buf.h"
#include "naf-adapter/proxy/http1.h"

struct body {
	enum h1_framing framing;
	uint64_t left;	    /* H1_BODY_LENGTH: [octets] to come */
	uint64_t octets;    /* of data so far */
	struct h1_chunked chunked;
	struct buf *trailers; /* they are collected there and passed on with rechunk; NULL: dropped. Set after body_start() */
	bool done;
};

void body_start(struct body *body, const struct h1_head *head);
/** Take data out of `in` into `out` until out holds `high` octets or `in` is used up.
 * @param max      [octets] data beyond it is refused: H1_BAD with *_too_large; 0: no limit
 * @param rechunk  put each piece as a chunk, and the last chunk at the end
 * @return H1_DONE once, with the end of the body; H1_BAD: wrong framing, too large, or out of memory */
struct body_limits {
	size_t high;
	uint64_t max;
	bool rechunk;
};
enum h1_result body_move(struct body *body, struct buf *in, struct buf *out, const struct body_limits *limits,
			 bool *_too_large);
/** The sender ended the connection: a body until close is complete, any other is cut. @return false: cut */
bool body_end(struct body *body, struct buf *out, bool rechunk);

#endif
