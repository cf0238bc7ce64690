/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "core/clock.h"
#include "dia/guard/guard.h"

#define AVP_HEAD_LEN 8	/* [octets] RFC 6733 4.1 */
#define ROUTE_RECORD 282
#define PROXY_INFO   284

/* A keyed multiply-and-fold hash. Not for secrets: it tells a client's own requests from each other. */
struct digest {
	uint64_t state;
	uint32_t octets; /* fed */
	uint32_t half; /* fed when the next comes */
	bool odd;
};

static uint64_t keys[3];
static pthread_once_t keys_once = PTHREAD_ONCE_INIT;

static void keys_new(void)
{
	rand_bytes((uint8_t *)keys, sizeof(keys));
}

static uint64_t fold(uint64_t x, uint64_t y)
{
	__extension__ unsigned __int128 product = (unsigned __int128)x * y;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static void feed_word(struct digest *d, uint64_t word)
{
	d->state = fold(d->state ^ word, keys[0]) + keys[1];
}

/* In words of 4 octets, as AVPs are padded: where one range ends and the next begins leaves no mark. */
static void feed_half(struct digest *d, uint32_t half)
{
	if (d->odd)
		feed_word(d, (uint64_t)d->half << 32 | half);
	d->half = half;
	d->odd = !d->odd;
}

static void feed(struct digest *d, const uint8_t *p, size_t n)
{
	uint32_t half[2] = { 0, 0 };

	d->octets += (uint32_t)n;
	for (; n >= sizeof(half); p += sizeof(half), n -= sizeof(half)) {
		memcpy(half, p, sizeof(half));
		feed_word(d, d->odd ? (uint64_t)d->half << 32 | half[0] : (uint64_t)half[0] << 32 | half[1]);
		d->half = half[1];
	}
	half[0] = half[1] = 0;
	memcpy(half, p, n);
	if (n > 0)
		feed_half(d, half[0]);
	if (n > sizeof(half[0]))
		feed_half(d, half[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool guard_digest(struct bytes octets, uint64_t digest[2])
{
	uint8_t head[16];
	struct digest d;
	size_t at, from = GUARD_MSG_HEAD, len, n;
	uint32_t code;

	if (octets.n < GUARD_MSG_HEAD || !(octets.p[4] & CMD_FLAG_REQUEST) || be32(octets.p + 8) == 0)
		return false;
	pthread_once(&keys_once, keys_new);
	d = (struct digest){ keys[2], 0, 0, false };
	memcpy(head, octets.p + 4, 8);	   /* flags, command, application */
	memcpy(head + 8, octets.p + 16, 4); /* end-to-end id; hop-by-hop changes from hop to hop */
	head[0] &= (uint8_t)~CMD_FLAG_RETRANSMIT;
	feed(&d, head, 12);
	for (at = GUARD_MSG_HEAD; octets.n - at >= AVP_HEAD_LEN; at += n) {
		code = be32(octets.p + at);
		len = be32(octets.p + at + 4) & 0xffffff;
		if (len < AVP_HEAD_LEN || len > octets.n - at)
			return false; /* the framework will refuse it */
		n = (len + 3) & ~(size_t)3;
		if (n > octets.n - at)
			n = octets.n - at;
		if (code != ROUTE_RECORD && code != PROXY_INFO)
			continue;
		feed(&d, octets.p + from, at - from);
		from = at + n;
	}
	feed(&d, octets.p + from, octets.n - from);
	feed_word(&d, d.odd ? (uint64_t)d.half + 1 : 0);
	digest[0] = d.state;
	digest[1] = (uint64_t)be32(octets.p + 16) << 32 | d.octets; /* what must be equal anyway */
	return true;
}
