/* SPDX-License-Identifier: Apache-2.0 */
/* Octets before the framework parses them. Where an AVP's length does not fit it gives the connection up, and all requests
 * on it with it; RFC 6733 7.1.5 has an answer, 5014. So the message is mended in place, its length as it was: from the AVP
 * that does not fit on there is a note of ours, which the checks behind the parser find. */
#include "dia/guard/guard.h"

#define HEADER_LEN 20 /* [octets] RFC 6733 3 */
#define AVP_HEAD   8
#define AVP_HEAD_V 12
#define NOTE_DATA  12 /* code, vendor, flags, three zeros */
#define NOTE_LEN   (AVP_HEAD_V + NOTE_DATA)

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
static struct guard_avp_head head_of(const uint8_t *p, size_t n)
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

bool guard_raw_mend(uint8_t *octets, size_t n)
{
	size_t at = HEADER_LEN, room = 0; /* the last AVP from which on there is room for the note */
	struct guard_raw_avp avp;
	struct guard_avp_head head;

	if (n < HEADER_LEN || !(octets[4] & CMD_FLAG_PROXIABLE)) /* the peer's state machine answers all others */
		return false;
	for (; at < n; at += avp.padded) {
		if (n - at >= NOTE_LEN)
			room = at;
		if (guard_raw_read(BYTES(octets + at, n - at), &avp))
			continue;
		if (room == 0)
			return false;
		head = head_of(octets + at, n - at);
		put_note(octets + room, n - room, &head);
		return true;
	}
	return false;
}

bool guard_raw_noted(struct avp *avp, const struct avp_hdr *hdr, struct guard_avp_head *_head)
{
	const uint8_t *p;

	if (!guard_is_marker(hdr) || hdr->avp_code != GUARD_NOTE_AVP ||
	    fd_msg_parse_dict(avp, fd_g_config->cnf_dict, NULL) != 0 || hdr->avp_value == NULL ||
	    hdr->avp_value->os.len < NOTE_DATA)
		return false;
	p = hdr->avp_value->os.data;
	*_head = (struct guard_avp_head){ .code = be32(p), .vendor = be32(p + 4), .flags = p[8] };
	return true;
}
