/* SPDX-License-Identifier: Apache-2.0 */
/** What goes over the agent's local socket. Shared by libgba-naf and the agent; needs nothing but the C library.
 *
 * A frame: length (4 octets, of what follows), version (1), type (1), zero (2), id (4), then elements. An element: tag (1),
 * length (3), value. Numbers are big endian. Texts end in a NUL, which is counted. A tag with WIRE_IGNORABLE that is not
 * known is passed over, another one makes the frame bad. Frames of one connection are independent; an answer carries the id
 * of its request. Decoders only look: views point into the frame.
 *
 * Notices: an application that puts WIRE_T_NOTICES into a question is told from then on, on this connection and unasked (id 0),
 * which tokens are no more. The agent shows that it does so by WIRE_T_DIGEST in its answers; to an agent that has shown it,
 * WIRE_WATCH says the same without a question, on a new connection. Older peers pass over both elements and never see the
 * frames. */
#ifndef NAF_LIBNAF_WIRE_H
#define NAF_LIBNAF_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION	1
#define WIRE_HEAD_LEN	12     /* [octets] the length itself included */
#define WIRE_ASK_MAX	1024   /* [octets] longest frame to the agent */
#define WIRE_ANSWER_MAX 196608 /* [octets] longest frame from the agent: a ussList of 64 KiB as XML, and taken apart */
#define WIRE_KEY_LEN	32
#define WIRE_UA_ID_LEN	5
#define WIRE_BTID_MAX	278
#define WIRE_DIGEST_LEN 32 /* [octets] SHA-256 of a B-TID */
#define WIRE_FQDN_MAX	253
#define WIRE_SOURCE_MAX 45
#define WIRE_GSID_MAX	16
#define WIRE_TIMEOUT_MAX 60000 /* [ms] */
#define WIRE_IGNORABLE	0x80

enum wire_type { WIRE_ASK = 1, WIRE_KEY = 2, WIRE_FAIL = 3, WIRE_CANCEL = 4, WIRE_NOTICE = 5, WIRE_WATCH = 6 };

enum wire_tag {
	WIRE_T_BTID = 1,
	WIRE_T_FQDN = 2,
	WIRE_T_UA_ID = 3,
	WIRE_T_GSID = 4, /* any number */
	WIRE_T_FLAGS = 5,
	WIRE_T_TIMEOUT = 6, /* [ms] */
	WIRE_T_SOURCE = 7 | WIRE_IGNORABLE,
	WIRE_T_NOTICES = 8 | WIRE_IGNORABLE, /* empty */
	WIRE_T_UNTIL = 9 | WIRE_IGNORABLE,   /* [s since epoch] 8 octets */
	WIRE_T_KS_NAF = 16,
	WIRE_T_KS_INT_NAF = 17,
	WIRE_T_EXPIRY = 18,  /* [s since epoch] 8 octets */
	WIRE_T_CREATED = 19, /* [s since epoch] 8 octets */
	WIRE_T_IMPI = 20,
	WIRE_T_USS_XML = 21,
	WIRE_T_GBA_TYPE = 22,
	WIRE_T_USS = 23, /* any number; holds one GSID, then UID and FLAG, any number */
	WIRE_T_UID = 24,
	WIRE_T_FLAG = 25,
	WIRE_T_ERROR = 32, /* enum gba_naf_error */
	WIRE_T_TEXT = 33 | WIRE_IGNORABLE, /* what was wrong, for people */
	WIRE_T_DIGEST = 34 | WIRE_IGNORABLE, /* of the key's B-TID; in a notice any number, at least one */
};

/** Octets somebody else owns. */
struct wire_view {
	const uint8_t *p; /* NULL: absent */
	size_t n;
};

struct wire_frame {
	uint8_t version, type;
	uint32_t id;
	struct wire_view body;
	size_t octets; /* whole frame */
};

enum wire_state { WIRE_WHOLE, WIRE_MORE, WIRE_BAD };

/** Is there a whole frame at the start of in? @param max  [octets] longest frame to take
 * @param _frame  written on WIRE_WHOLE; version and type are not judged
 * @param _why    written on WIRE_BAD: static text */
enum wire_state wire_frame(struct wire_view in, size_t max, struct wire_frame *_frame, const char **_why);

/** Next element of a body; false at its end or when it is damaged (then *_why is not NULL). */
bool wire_next(struct wire_view *body, uint8_t *_tag, struct wire_view *_value, const char **_why);

struct wire_ask {
	const char *btid, *fqdn, *source; /* source: "" when absent */
	const uint8_t *ua_id;
	uint32_t gsids[WIRE_GSID_MAX];
	size_t gsid_count;
	uint32_t flags, timeout_ms;
	int64_t until; /* [s since epoch] 0: not said */
	bool notices;
};
/** @return NULL, or what is wrong (static text); lengths are checked, B-TID and names are not judged */
const char *wire_ask_decode(struct wire_view body, struct wire_ask *_ask);

struct wire_key {
	const uint8_t *ks_naf, *ks_int_naf; /* the second may be NULL */
	int64_t expiry, created;	    /* [s since epoch]; created 0: not told */
	const char *impi, *uss_xml;	    /* NULL: not told */
	uint32_t gba_type;
	const uint8_t *digest;		    /* of the B-TID; NULL: the agent sends no notices */
	struct wire_view uss; /* decoded: all of the body, to look for WIRE_T_USS in */
};
/** @return as wire_ask_decode() */
const char *wire_key_decode(struct wire_view body, struct wire_key *_key);
/** Find the USS of a gsid: its elements. */
bool wire_uss_find(struct wire_view body, uint32_t gsid, struct wire_view *_uss);
/** The index-th element with the tag. */
bool wire_element_at(struct wire_view body, uint8_t tag, size_t index, struct wire_view *_value);
uint32_t wire_u32(struct wire_view value);

/** @return as wire_ask_decode() */
const char *wire_fail_decode(struct wire_view body, uint32_t *_error);

/** Tokens that are no more: WIRE_T_DIGEST, at least one, and WIRE_T_FQDN: for these names only; none: for all.
 * @return as wire_ask_decode() */
const char *wire_notice_decode(struct wire_view body);
/** Does a notice that was decoded name this token, for this name? @param fqdn  NUL-terminated, any case */
bool wire_notice_names(struct wire_view body, const uint8_t digest[WIRE_DIGEST_LEN], const char *fqdn);

/** Writes one frame into a buffer of the caller; never past its end. */
struct wire_out {
	uint8_t *p;
	size_t cap, n;
	bool full; /* something did not fit: the frame is no good */
};
void wire_begin(struct wire_out *out, uint8_t type, uint32_t id);
void wire_put(struct wire_out *out, uint8_t tag, const void *value, size_t n);
void wire_put_text(struct wire_out *out, uint8_t tag, const char *text); /* NULL: nothing */
void wire_put_u32(struct wire_out *out, uint8_t tag, uint32_t value);
void wire_put_time(struct wire_out *out, uint8_t tag, int64_t value);
/** Elements put between belong to the opened one. */
size_t wire_open(struct wire_out *out, uint8_t tag);
void wire_close(struct wire_out *out, size_t opened);
/** @return octets of the frame; 0: it did not fit */
size_t wire_end(struct wire_out *out);

/** @return octets written; 0: does not fit into WIRE_ASK_MAX */
size_t wire_ask_encode(const struct wire_ask *ask, uint32_t id, uint8_t out[WIRE_ASK_MAX]);
/** @param text  NULL: none */
size_t wire_fail_encode(uint32_t error, const char *text, uint32_t id, uint8_t *out, size_t cap);
/** Everything but the USSs taken apart: put those, then wire_end(). */
void wire_key_begin(struct wire_out *out, const struct wire_key *key, uint32_t id);

/** The syntax of B-TIDs: 22 base64 characters, "==", '@', host name. */
bool wire_btid_valid(const char *btid, size_t n);
/** Labels of letters, digits, '-' and '_', at most WIRE_FQDN_MAX octets. */
bool wire_fqdn_valid(const char *fqdn, size_t n);

#endif
