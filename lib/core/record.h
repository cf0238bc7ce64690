/* SPDX-License-Identifier: Apache-2.0 */
/** Octets of our own files and messages: fixed-width integers, big endian, and fields with a 16-bit length before
 * them. Reading past the end or writing past the room makes the cursor bad for good; ask once, at the end. */
#ifndef GBA_CORE_RECORD_H
#define GBA_CORE_RECORD_H

#include <stdbool.h>

#include "core/bytes.h"

struct record_in {
	struct bytes rest;
	bool bad;
};
/** 0 when there is no more. @param width  1..8 octets */
uint64_t record_get(struct record_in *in, size_t width);
/** View of a field; absent and bad when longer than max or than what is there. */
struct bytes record_get_field(struct record_in *in, size_t max);
/** A field into a NUL-terminated text of cap octets; bad when it holds a NUL. */
void record_get_text(struct record_in *in, char *out, size_t cap);
/** A field of exactly n octets into out. */
void record_get_octets(struct record_in *in, uint8_t *out, size_t n);

struct record_out {
	uint8_t *p;
	size_t n, cap; /* [octets] */
	bool bad;
};
void record_put(struct record_out *out, uint64_t value, size_t width);
void record_put_field(struct record_out *out, struct bytes field);
#define RECORD_FIELD_LEN(octets) (2 + (size_t)(octets))

#endif
