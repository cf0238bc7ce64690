/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/proxy_header.h"

#include <netinet/in.h>

static const uint8_t signature[PX_SIGNATURE_LEN] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

#define VERSION_2     0x20
#define COMMAND_LOCAL 0x00
#define COMMAND_PROXY 0x01
#define FAMILY_UNSPEC 0x00
#define FAMILY_TCP4   0x11
#define FAMILY_TCP6   0x21
#define TCP4_LEN      12
#define TCP6_LEN      36
#define UNIX_LEN      216
#define TLV_HEAD      3

static size_t u16_at(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

/* CRC-32C (Castagnoli), reflected; zero: the octets at zero..zero+3 count as 0 (the checksum's own place). */
static uint32_t crc32c(struct bytes in, size_t zero)
{
	uint32_t crc = 0xffffffff;
	size_t i;
	int bit;

	for (i = 0; i < in.n; i++) {
		crc ^= i >= zero && i < zero + 4 ? 0 : in.p[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

static void addr4(struct sockaddr_storage *ss, const uint8_t *ip, const uint8_t *port)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	sin->sin_family = AF_INET;
	memcpy(&sin->sin_addr, ip, 4);
	memcpy(&sin->sin_port, port, 2);
}

static void addr6(struct sockaddr_storage *ss, const uint8_t *ip, const uint8_t *port)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	sin6->sin6_family = AF_INET6;
	memcpy(&sin6->sin6_addr, ip, 16);
	memcpy(&sin6->sin6_port, port, 2);
}

/* @return octets of addresses, or SIZE_MAX when the payload is too short for the family */
static size_t addresses_parse(struct bytes payload, uint8_t family, struct px_header *header)
{
	const uint8_t *p = payload.p;

	switch (family) {
	case FAMILY_TCP4:
		if (payload.n < TCP4_LEN)
			return SIZE_MAX;
		addr4(&header->src, p, p + 8);
		addr4(&header->dst, p + 4, p + 10);
		header->known = true;
		return TCP4_LEN;
	case FAMILY_TCP6:
		if (payload.n < TCP6_LEN)
			return SIZE_MAX;
		addr6(&header->src, p, p + 32);
		addr6(&header->dst, p + 16, p + 34);
		header->known = true;
		return TCP6_LEN;
	case 0x12: return payload.n < TCP4_LEN ? SIZE_MAX : TCP4_LEN; /* datagrams: skipped */
	case 0x22: return payload.n < TCP6_LEN ? SIZE_MAX : TCP6_LEN;
	case 0x31:
	case 0x32: return payload.n < UNIX_LEN ? SIZE_MAX : UNIX_LEN;
	default: return payload.n; /* unspecified: the receiver ignores all of it, 2.2 */
	}
}

static bool tlvs_parse(struct bytes all, size_t at, struct px_header *header)
{
	const uint8_t *value;
	size_t n;

	for (; at < all.n; at += TLV_HEAD + n) {
		if (all.n - at < TLV_HEAD)
			return false;
		n = u16_at(all.p + at + 1);
		if (n > all.n - at - TLV_HEAD)
			return false;
		if (all.p[at] == PX_TYPE_AUTHORITY)
			header->authority = BYTES(all.p + at + TLV_HEAD, n);
		if (all.p[at] != PX_TYPE_CRC32C)
			continue;
		value = all.p + at + TLV_HEAD;
		if (n != 4 || crc32c(all, at + TLV_HEAD) != ((uint32_t)u16_at(value) << 16 | (uint32_t)u16_at(value + 2)))
			return false;
	}
	return true;
}

enum px_result px_parse(struct bytes in, struct px_header *header)
{
	size_t n = in.n < PX_SIGNATURE_LEN ? in.n : PX_SIGNATURE_LEN, used;
	struct bytes payload;

	if (n > 0 && memcmp(in.p, signature, n) != 0)
		return PX_BAD;
	if (in.n > 12 && (in.p[12] & 0xf0) != VERSION_2)
		return PX_BAD;
	if (in.n > 12 && in.p[12] != (VERSION_2 | COMMAND_LOCAL) && in.p[12] != (VERSION_2 | COMMAND_PROXY))
		return PX_BAD;
	if (in.n < PX_FIXED_LEN)
		return PX_MORE;
	payload = BYTES(in.p + PX_FIXED_LEN, u16_at(in.p + 14));
	if (payload.n > PX_HEADER_MAX - PX_FIXED_LEN)
		return PX_BAD;
	if (in.n < PX_FIXED_LEN + payload.n)
		return PX_MORE;
	memset(header, 0, sizeof(*header));
	header->octets = PX_FIXED_LEN + payload.n;
	used = addresses_parse(payload, in.p[12] == (VERSION_2 | COMMAND_PROXY) ? in.p[13] : FAMILY_UNSPEC, header);
	if (used == SIZE_MAX || !tlvs_parse(BYTES(in.p, header->octets), PX_FIXED_LEN + used, header))
		return PX_BAD;
	return PX_DONE;
}

size_t px_wanted(struct bytes in)
{
	return in.n < PX_FIXED_LEN ? PX_FIXED_LEN : PX_FIXED_LEN + u16_at(in.p + 14);
}

/* A header under construction; full stays set once something did not fit. */
struct px_writer {
	uint8_t *p;
	size_t n, cap;
	bool full;
};

static void put(struct px_writer *w, const void *octets, size_t n)
{
	if (w->full || n > w->cap - w->n) {
		w->full = true;
		return;
	}
	memcpy(w->p + w->n, octets, n);
	w->n += n;
}

static void put_tlv(struct px_writer *w, uint8_t type, struct bytes value)
{
	uint8_t head[TLV_HEAD] = { type, (uint8_t)(value.n >> 8), (uint8_t)value.n };

	if (value.p == NULL || value.n == 0 || value.n > 0xffff)
		return;
	put(w, head, sizeof(head));
	put(w, value.p, value.n);
}

static void put_length(struct px_writer *w, size_t at, size_t n)
{
	if (w->full)
		return;
	w->p[at] = (uint8_t)(n >> 8);
	w->p[at + 1] = (uint8_t)n;
}

/* 2.2.6: client flags, "verify" (0: the client proved who it is), then the sub-TLVs. */
static void put_ssl(struct px_writer *w, const struct px_out *px)
{
	static const uint8_t head[] = { PX_TYPE_SSL, 0, 0, PX_CLIENT_SSL, 0, 0, 0, 0 };
	size_t start = w->n;

	if (px->tls_version.p == NULL)
		return;
	put(w, head, sizeof(head));
	put_tlv(w, PX_SUBTYPE_SSL_VERSION, px->tls_version);
	put_tlv(w, PX_SUBTYPE_SSL_CIPHER, px->cipher);
	put_tlv(w, PX_SUBTYPE_SSL_CN, px->identity);
	put_length(w, start + 1, w->n - start - TLV_HEAD);
}

static uint8_t put_addresses(struct px_writer *w, const struct px_out *px)
{
	const struct sockaddr_in *src4 = (const void *)px->src, *dst4 = (const void *)px->dst;
	const struct sockaddr_in6 *src6 = (const void *)px->src, *dst6 = (const void *)px->dst;

	if (px->src == NULL || px->dst == NULL || px->src->ss_family != px->dst->ss_family)
		return FAMILY_UNSPEC;
	if (px->src->ss_family == AF_INET) {
		put(w, &src4->sin_addr, 4);
		put(w, &dst4->sin_addr, 4);
		put(w, &src4->sin_port, 2);
		put(w, &dst4->sin_port, 2);
		return FAMILY_TCP4;
	}
	if (px->src->ss_family != AF_INET6)
		return FAMILY_UNSPEC;
	put(w, &src6->sin6_addr, 16);
	put(w, &dst6->sin6_addr, 16);
	put(w, &src6->sin6_port, 2);
	put(w, &dst6->sin6_port, 2);
	return FAMILY_TCP6;
}

size_t px_build(const struct px_out *px, uint8_t *out, size_t cap)
{
	struct px_writer w = { out, 0, cap, false };
	uint8_t fixed[4] = { VERSION_2 | COMMAND_PROXY, FAMILY_UNSPEC, 0, 0 };

	put(&w, signature, sizeof(signature));
	put(&w, fixed, sizeof(fixed));
	fixed[1] = put_addresses(&w, px);
	put_tlv(&w, PX_TYPE_AUTHORITY, px->authority);
	put_ssl(&w, px);
	put_tlv(&w, PX_TYPE_GBA_IDENTITIES, px->identities);
	put_tlv(&w, PX_TYPE_GBA_BTID, px->btid);
	if (w.full || w.n - PX_FIXED_LEN > 0xffff)
		return 0;
	out[13] = fixed[1];
	put_length(&w, 14, w.n - PX_FIXED_LEN);
	return w.n;
}
