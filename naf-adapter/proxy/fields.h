/* SPDX-License-Identifier: Apache-2.0 */
/** What an authentication proxy does to heads (TS 24.109 7, TS 33.222 6): headers that speak for the proxy never pass from
 * outside, hop-by-hop ones end here, and the verified identity is added. Pure functions. */
#ifndef GBA_PROXY_FIELDS_H
#define GBA_PROXY_FIELDS_H

#include "naf-adapter/proxy/buf.h"
#include "naf-adapter/proxy/http1.h"

/** May only the proxy set this header? Spelling is ignored: case, and '_' or any other sign for '-', because servers behind
 * turn names into CGI variables. Covers X-3GPP-Asserted-Identity, X-3GPP-Authorization-Flags, X-GBA-*, Forwarded,
 * X-Forwarded-*, X-Real-IP and its kin, and the method override headers (Digest covers the method of the request line only). */
bool fields_reserved(struct bytes name);

/** The identities a device has proved to own; views. */
struct asserted {
	struct bytes list;   /* value of X-3GPP-Asserted-Identity, see struct released */
	struct bytes user;   /* the first identity, bare */
	struct bytes flags;  /* value of X-3GPP-Authorization-Flags; absent: none */
	struct bytes btid;
	struct bytes token;	/* value of X-GBA-Token; absent: not told */
};

/** Where a request came from; texts for the log as well. */
struct from {
	const char *address; /* "192.0.2.1", "2001:db8::1" */
	bool tls;
};

/** Append the request head for the application: origin-form target, Host as the device addressed it, framing by us.
 * Authorization is left out. @param drop_intended  leave X-3GPP-Intended-Identity out
 * @return false: out of memory */
bool fields_put_request(struct buf *out, const struct h1_head *head, const struct asserted *who, const struct from *from,
			bool drop_intended);

/** Does the sender of this request take trailers in the answer? */
bool fields_takes_trailers(const struct h1_head *head);

/** How the response goes on to the device. */
struct response_plan {
	unsigned int minor;	/* of the device's request */
	bool chunked;		/* we frame it in chunks */
	bool close;		/* the connection ends after it */
	struct bytes upgrade;	/* 101: protocol switched to; absent otherwise */
	const char *authentication_info; /* NULL: none of ours; then the application's passes */
};
/** @return false: out of memory */
bool fields_put_response(struct buf *out, const struct h1_head *head, const struct response_plan *plan);

/** Append an answer's trailers (RFC 9110 6.5.1): those that neither frame, route, authenticate nor speak for us.
 * @param lines  as a chunked decoder has let them through, each with CRLF; absent: none @return false: out of memory */
bool fields_put_trailers(struct buf *out, struct bytes lines);

/** Append the lines that tell who asks: X-3GPP-Asserted-Identity, X-3GPP-Authorization-Flags, X-Forwarded-User,
 * X-GBA-Token.
 * @return false: out of memory */
bool fields_put_asserted(struct buf *out, const struct asserted *who);

#endif
