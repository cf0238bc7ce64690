/* SPDX-License-Identifier: Apache-2.0 */
/* Octets before the framework parses them. Where an AVP's length does not fit it gives the connection up, and all requests
 * on it with it; RFC 6733 7.1.5 has an answer, 5014. So the message is mended in place, its length as it was: from the AVP
 * that does not fit on there is a note of ours, which the checks behind the parser find. A message too short for a note
 * keeps its one AVP's head, and reserved flags say that it did not fit. */
#include "dia/guard/guard.h"

#define AVP_HEAD   8
#define AVP_HEAD_V 12
#define NOTE_DATA  12 /* code, vendor, flags, three zeros */
#define NOTE_LEN   (AVP_HEAD_V + NOTE_DATA)
#define STUB	   0x1f /* reserved flags (RFC 6733 4.1) of the only AVP of a message: its length did not fit */
#define STUB_BARE  0x1e /* likewise, and the V flag had no vendor behind it */
#define RESERVED   0x1f

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_be32(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 24);
	p[1] = (uint8_t)(value >> 16);
	p[2] = (uint8_t)(value >> 8);
	p[3] = (uint8_t)value;
}

bool guard_raw_read(struct bytes in, struct guard_raw_avp *avp)
{
	size_t head = AVP_HEAD;

	if (in.n < head)
		return false;
	avp->head.code = be32(in.p);
	avp->head.flags = in.p[4];
	avp->head.vendor = 0;
	avp->len = be32(in.p + 4) & 0xffffff;
	if (avp->head.flags & AVP_FLAG_VENDOR) {
		head = AVP_HEAD_V;
		if (in.n < head)
			return false;
		avp->head.vendor = be32(in.p + 8);
	}
	if (avp->len < head || avp->len > in.n)
		return false;
	avp->value = BYTES(in.p + head, avp->len - head);
	avp->padded = (avp->len + 3) & ~(size_t)3;
	if (avp->padded > in.n)
		avp->padded = in.n;
	return true;
}

/* A head that is cut short counts as filled up with zeros (RFC 6733 7.1.5). */
struct guard_avp_head guard_raw_head(const uint8_t *p, size_t n)
{
	uint8_t head[AVP_HEAD_V] = { 0 };
	struct guard_avp_head out;

	memcpy(head, p, n < sizeof(head) ? n : sizeof(head));
	out.code = be32(head);
	out.flags = head[4];
	out.vendor = out.flags & AVP_FLAG_VENDOR ? be32(head + 8) : 0;
	return out;
}

static void put_note(uint8_t *p, size_t n, const struct guard_avp_head *head)
{
	memset(p, 0, n);
	put_be32(p, GUARD_NOTE_AVP);
	put_be32(p + 4, (uint32_t)AVP_FLAG_VENDOR << 24 | (uint32_t)n);
	put_be32(p + 8, GUARD_VENDOR);
	put_be32(p + AVP_HEAD_V, head->code);
	put_be32(p + AVP_HEAD_V + 4, head->vendor);
	p[AVP_HEAD_V + 8] = head->flags;
}

bool guard_raw_broken(struct bytes avps, struct guard_broken *broken)
{
	struct guard_raw_avp avp;

	for (; avps.n > 0; avps = BYTES(avps.p + avp.padded, avps.n - avp.padded)) {
		if (!guard_raw_read(avps, &avp)) {
			broken->head = guard_raw_head(avps.p, avps.n);
			return true;
		}
		if (broken->depth == GUARD_GROUPS || !guard_is_group(&avp.head))
			continue;
		broken->groups[broken->depth++] = avp.head;
		if (guard_raw_broken(avp.value, broken))
			return true;
		broken->depth--;
	}
	return false;
}

static bool put_stub(uint8_t *p, size_t n)
{
	bool bare = n < AVP_HEAD_V && n >= AVP_HEAD && (p[4] & AVP_FLAG_VENDOR);

	if (n < AVP_HEAD)
		return false;
	p[4] = bare ? (p[4] & ~(AVP_FLAG_VENDOR | RESERVED)) | STUB_BARE : p[4] | STUB;
	p[5] = p[6] = 0;
	p[7] = (uint8_t)n; /* below NOTE_LEN */
	return true;
}

size_t guard_raw_write(const struct guard_avp_head *head, struct bytes value, uint8_t *_octets)
{
	size_t n = head->flags & AVP_FLAG_VENDOR ? AVP_HEAD_V : AVP_HEAD;

	put_be32(_octets, head->code);
	put_be32(_octets + 4, (uint32_t)head->flags << 24 | (uint32_t)(n + value.n));
	if (head->flags & AVP_FLAG_VENDOR)
		put_be32(_octets + 8, head->vendor);
	memcpy(_octets + n, value.p, value.n);
	return n + value.n;
}

bool guard_raw_mend(uint8_t *octets, size_t n)
{
	size_t at = GUARD_MSG_HEAD, room = 0; /* the last AVP from which on there is room for the note */
	struct guard_raw_avp avp;
	struct guard_avp_head head;

	if (n < GUARD_MSG_HEAD || !(octets[4] & CMD_FLAG_PROXIABLE)) /* the peer's state machine answers all others */
		return false;
	for (; at < n; at += avp.padded) {
		if (n - at >= NOTE_LEN)
			room = at;
		if (guard_raw_read(BYTES(octets + at, n - at), &avp))
			continue;
		if (room == 0)
			return put_stub(octets + GUARD_MSG_HEAD, n - GUARD_MSG_HEAD);
		head = guard_raw_head(octets + at, n - at);
		put_note(octets + room, n - room, &head);
		return true;
	}
	return false;
}

static bool is_only(struct avp *avp)
{
	struct avp *next = NULL, *prev = NULL;

	return fd_msg_browse(avp, MSG_BRW_NEXT, &next, NULL) == 0 && fd_msg_browse(avp, MSG_BRW_PREV, &prev, NULL) == 0 &&
	       next == NULL && prev == NULL;
}

static bool is_stub(struct avp *avp, const struct avp_hdr *hdr)
{
	uint8_t mark = hdr->avp_flags & RESERVED;

	return (mark == STUB || mark == STUB_BARE) && hdr->avp_len < NOTE_LEN && is_only(avp);
}

bool guard_raw_noted(struct avp *avp, const struct avp_hdr *hdr, struct guard_avp_head *_head)
{
	const uint8_t *p;

	if (is_stub(avp, hdr)) {
		*_head = (struct guard_avp_head){ .code = hdr->avp_code, .flags = (uint8_t)(hdr->avp_flags & ~RESERVED) };
		if (hdr->avp_flags & AVP_FLAG_VENDOR)
			_head->vendor = hdr->avp_vendor;
		else if ((hdr->avp_flags & RESERVED) == STUB_BARE)
			_head->flags |= AVP_FLAG_VENDOR;
		return true;
	}
	if (!guard_is_marker(hdr) || hdr->avp_code != GUARD_NOTE_AVP ||
	    fd_msg_parse_dict(avp, fd_g_config->cnf_dict, NULL) != 0 || hdr->avp_value == NULL ||
	    hdr->avp_value->os.len < NOTE_DATA)
		return false;
	p = hdr->avp_value->os.data;
	*_head = (struct guard_avp_head){ .code = be32(p), .vendor = be32(p + 4), .flags = p[8] };
	return true;
}
