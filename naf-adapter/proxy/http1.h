/* SPDX-License-Identifier: Apache-2.0 */
/** HTTP/1.1 on the wire (RFC 9112), as a server that must not be fooled about where a message ends: what two readers could
 * frame differently is refused. Pure functions over octets; no allocation, no clock, no socket. */
#ifndef GBA_PROXY_HTTP1_H
#define GBA_PROXY_HTTP1_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"

#define H1_FIELDS_MAX 100
#define H1_TARGET_MAX 8192  /* [octets] 414 beyond */
#define H1_METHOD_MAX 32    /* [octets] 501 beyond */
#define H1_CHUNK_LINE_MAX 256  /* [octets] size and extensions of one chunk */
#define H1_TRAILER_MAX	  8192 /* [octets] all trailers */

enum h1_result {
	H1_MORE, /* not enough octets yet */
	H1_DONE,
	H1_BAD,	 /* answer fault.status and close; never read on */
};

/** Why a message was refused. */
struct h1_fault {
	unsigned int status; /* 400, 405, 414, 417, 431, 501, 505 */
	const char *why;     /* static, for the log */
};

struct h1_field {
	struct bytes name, value; /* value without outer blanks; may be empty */
};

enum h1_framing {
	H1_BODY_NONE,
	H1_BODY_LENGTH,
	H1_BODY_CHUNKED,
	H1_BODY_CLOSE, /* responses only: until the connection ends */
};

/** A parsed head: all views point into the octets it was parsed from. */
struct h1_head {
	size_t octets;		/* of the head, with its empty line */
	struct bytes method;	/* requests */
	struct bytes target;	/* requests: as sent, what Digest calls uri */
	struct bytes path;	/* requests: origin-form (or "*") of the target; "/" for "http://host" */
	struct bytes authority; /* requests: host[:port] of Host or of an absolute-form target; absent in HTTP/1.0 without Host */
	struct bytes host;	/* requests: authority without port and brackets */
	unsigned int status;	/* responses */
	struct bytes reason;	/* responses */
	unsigned int minor;	/* HTTP/1.minor: 0 or 1 */
	struct h1_field field[H1_FIELDS_MAX];
	size_t fields;
	enum h1_framing framing;
	uint64_t length;	/* H1_BODY_LENGTH: [octets] */
	bool absolute_form;
	bool keep_alive;	/* the sender allows another message on the connection */
	bool expect_continue;
	struct bytes upgrade;	/* value of Upgrade, when Connection names it; else absent */
};

/** Parse a request head at the start of `in`.
 * @param _scanned  0 before the first call for a head; ours between calls, so that each octet is looked at once
 * @param max       [octets] heads beyond it are refused (431, 414 when it is the target)
 * @param head      written on H1_DONE
 * @param fault     written on H1_BAD
 * @retval H1_MORE  a bare CR or LF, a NUL or a control octet is refused as soon as it is seen, not when the head is complete */
enum h1_result h1_request_parse(struct bytes in, size_t *_scanned, size_t max, struct h1_head *head, struct h1_fault *fault);
/** The same for a response head. @param to_head  the request's method was HEAD: no body follows */
enum h1_result h1_response_parse(struct bytes in, size_t *_scanned, size_t max, bool to_head, struct h1_head *head,
				 struct h1_fault *fault);

/** First value of a field, no case; absent: p == NULL. */
struct bytes h1_field_find(const struct h1_head *head, const char *name);
size_t h1_field_count(const struct h1_head *head, const char *name);
/** Does a comma-separated list hold the token (no case)? */
bool h1_list_has(struct bytes list, struct bytes token);
/** Does a field named `name` count as hop-by-hop here: one of RFC 9110 7.6.1's, or named in Connection? */
bool h1_hop_by_hop(const struct h1_head *head, struct bytes name);
/** token of RFC 9110 5.6.2, at least one octet. */
bool h1_token_valid(struct bytes text);

/** Decoder of a chunked body. All zero at the start. */
struct h1_chunked {
	int state;
	uint64_t left;	/* [octets] of the current chunk */
	size_t line;	/* [octets] of the current line, or of all trailers */
	size_t digits;
};
/** Take what is ready: at most one piece of data per call.
 * @param _used  [octets] of `in` consumed, also when H1_MORE
 * @param _data  view into `in`; n == 0: none this time
 * @retval H1_MORE  go on with the rest of the octets (call again as long as *_used > 0)
 * @retval H1_DONE  last chunk and trailers are behind us
 * @retval H1_BAD   not the framing of RFC 9112 7.1, to the octet */
enum h1_result h1_chunked_next(struct h1_chunked *chunked, struct bytes in, size_t *_used, struct bytes *_data);

/** How many of the octets that the last call used, its last ones, are of trailers (with the empty line that ends them). */
size_t h1_chunked_trailer(const struct h1_chunked *chunked, size_t used);

/** Reason phrase of the statuses the proxy itself sends. */
const char *h1_reason(unsigned int status);

#endif
