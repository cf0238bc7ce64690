/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed/intro.h"

#define CHECKSUM_LEN 4
#define ARRAY_OF_TWO 0x82
#define TEXT	     0x60

/* RFC 8949 3: a head in its shortest form. */
static size_t put_head(uint8_t *out, uint8_t major, size_t value)
{
	if (value < 24) {
		out[0] = (uint8_t)(major | value);
		return 1;
	}
	if (value < 256) {
		out[0] = major | 24;
		out[1] = (uint8_t)value;
		return 2;
	}
	out[0] = major | 25;
	out[1] = (uint8_t)(value >> 8);
	out[2] = (uint8_t)value;
	return 3;
}

size_t sealed_intro_build(struct bytes btid, uint8_t index, uint8_t *out)
{
	size_t n = CHECKSUM_LEN;
	uint32_t sum;
	int i;

	if (btid.n == 0 || btid.n > SEALED_BTID_MAX)
		return 0;
	out[n++] = ARRAY_OF_TWO;
	n += put_head(out + n, 0, index);
	n += put_head(out + n, TEXT, btid.n);
	memcpy(out + n, btid.p, btid.n);
	n += btid.n;
	sum = crc32_of(BYTES(out + CHECKSUM_LEN, n - CHECKSUM_LEN));
	for (i = 0; i < CHECKSUM_LEN; i++)
		out[i] = (uint8_t)(sum >> (24 - 8 * i));
	return n;
}

/* Read leniently, then written again and compared: an introduction has one form. */
enum gba_err sealed_intro_parse(struct bytes octets, struct bytes *_btid, uint8_t *_index)
{
	uint8_t again[SEALED_INTRO_MAX];
	struct bytes btid;
	uint8_t index;
	size_t at = CHECKSUM_LEN + 1;
	uint32_t sum;
	int i;

	if (octets.n < CHECKSUM_LEN + 3)
		return GBA_E_SYNTAX;
	sum = crc32_of(BYTES(octets.p + CHECKSUM_LEN, octets.n - CHECKSUM_LEN));
	for (i = 0; i < CHECKSUM_LEN; i++) {
		if (octets.p[i] != (uint8_t)(sum >> (24 - 8 * i)))
			return GBA_E_CORRUPT;
	}
	index = octets.p[at] < 24 ? octets.p[at] : octets.p[at + 1];
	at += octets.p[at] < 24 ? 1 : 2;
	if (at >= octets.n)
		return GBA_E_SYNTAX;
	at += octets.p[at] < (TEXT | 24) ? 1 : octets.p[at] == (TEXT | 24) ? 2 : 3;
	if (at >= octets.n)
		return GBA_E_SYNTAX;
	btid = BYTES(octets.p + at, octets.n - at);
	if (!bytes_eq(octets, BYTES(again, sealed_intro_build(btid, index, again))))
		return GBA_E_SYNTAX;
	*_btid = btid;
	*_index = index;
	return GBA_OK;
}
