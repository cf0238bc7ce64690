/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "core/clock.h"
#include "dia/guard/guard.h"

#define HEADER_LEN   20 /* [octets] RFC 6733 3 */
#define AVP_HEAD_LEN 8	/* [octets] RFC 6733 4.1 */
#define ROUTE_RECORD 282
#define PROXY_INFO   284

/* Two keyed multiply-and-fold hashes side by side. Not for secrets: it tells a client's own requests from each other. */
struct digest {
	uint64_t a, b;
};

static uint64_t keys[4];
static pthread_once_t keys_once = PTHREAD_ONCE_INIT;

static void keys_new(void)
{
	rand_bytes((uint8_t *)keys, sizeof(keys));
	keys[0] |= 1;
	keys[1] |= 1;
}

static uint64_t fold(uint64_t x, uint64_t y)
{
	__extension__ unsigned __int128 product = (unsigned __int128)x * y;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static void feed_word(struct digest *d, uint64_t word)
{
	d->a = fold(d->a ^ word, keys[0] ^ keys[2]);
	d->b = fold(d->b + word, keys[1] ^ keys[3]) + word;
}

static void feed(struct digest *d, const uint8_t *p, size_t n)
{
	uint64_t word;

	feed_word(d, n);
	for (; n >= sizeof(word); p += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		feed_word(d, word);
	}
	word = 0;
	memcpy(&word, p, n);
	feed_word(d, word);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool guard_digest(struct bytes octets, uint64_t digest[2])
{
	uint8_t head[16];
	struct digest d;
	size_t at, len, n;
	uint32_t code;

	if (octets.n < HEADER_LEN || !(octets.p[4] & CMD_FLAG_REQUEST) || be32(octets.p + 8) == 0)
		return false;
	pthread_once(&keys_once, keys_new);
	d = (struct digest){ keys[2], keys[3] };
	memcpy(head, octets.p + 4, 8);	   /* flags, command, application */
	memcpy(head + 8, octets.p + 16, 4); /* end-to-end id; hop-by-hop changes from hop to hop */
	head[0] &= (uint8_t)~CMD_FLAG_RETRANSMIT;
	feed(&d, head, 12);
	for (at = HEADER_LEN; octets.n - at >= AVP_HEAD_LEN; at += n) {
		code = be32(octets.p + at);
		len = be32(octets.p + at + 4) & 0xffffff;
		if (len < AVP_HEAD_LEN || len > octets.n - at)
			return false; /* the framework will refuse it */
		n = (len + 3) & ~(size_t)3;
		if (n > octets.n - at)
			n = octets.n - at;
		if (code != ROUTE_RECORD && code != PROXY_INFO)
			feed(&d, octets.p + at, len);
	}
	digest[0] = d.a;
	digest[1] = d.b;
	return true;
}
