/* SPDX-License-Identifier: Apache-2.0 */
/* Decoder of chunked bodies, RFC 9112 7.1: octet by octet where framing is, whole pieces where data is. */
#include "naf-adapter/proxy/http1.h"

enum {
	CHUNK_SIZE,	    /* 1*HEXDIG */
	CHUNK_EXT,	    /* ";" name[=value] ..., passed over */
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER_START, /* at the start of a line */
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_END_LF,
	CHUNK_STATES
};
#define CHUNK_BAD     (-1)
#define CHUNK_FINISHED (-2)

#define SIZE_DIGITS_MAX 15 /* below 2^60: no sum of sizes can wrap */

static int size_octet(struct h1_chunked *chunked, uint8_t c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
		chunked->left = chunked->left * 16 + (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
		return ++chunked->digits <= SIZE_DIGITS_MAX ? CHUNK_SIZE : CHUNK_BAD;
	}
	if (chunked->digits == 0)
		return CHUNK_BAD;
	if (c == ';')
		return CHUNK_EXT;
	return c == '\r' ? CHUNK_SIZE_LF : CHUNK_BAD;
}

static int ext_octet(uint8_t c)
{
	if (c == '\r')
		return CHUNK_SIZE_LF;
	return (c >= 0x20 && c != 0x7f) || c == '\t' ? CHUNK_EXT : CHUNK_BAD;
}

static int size_end(struct h1_chunked *chunked, uint8_t c)
{
	if (c != '\n')
		return CHUNK_BAD;
	chunked->digits = 0;
	chunked->line = 0;
	return chunked->left > 0 ? CHUNK_DATA : CHUNK_TRAILER_START;
}

static int trailer_octet(int state, uint8_t c)
{
	switch (state) {
	case CHUNK_TRAILER_START:
		if (c == '\r')
			return CHUNK_END_LF;
		return h1_token_valid(BYTES(&c, 1)) ? CHUNK_TRAILER_NAME : CHUNK_BAD;
	case CHUNK_TRAILER_NAME:
		if (c == ':')
			return CHUNK_TRAILER_VALUE;
		return h1_token_valid(BYTES(&c, 1)) ? CHUNK_TRAILER_NAME : CHUNK_BAD;
	case CHUNK_TRAILER_VALUE:
		if (c == '\r')
			return CHUNK_TRAILER_LF;
		return (c >= 0x20 && c != 0x7f) || c == '\t' ? CHUNK_TRAILER_VALUE : CHUNK_BAD;
	case CHUNK_TRAILER_LF:
		return c == '\n' ? CHUNK_TRAILER_START : CHUNK_BAD;
	default:
		return c == '\n' ? CHUNK_FINISHED : CHUNK_BAD;
	}
}

/* One octet of framing. @return the next state, CHUNK_BAD or CHUNK_FINISHED */
static int framing_octet(struct h1_chunked *chunked, uint8_t c)
{
	size_t max = chunked->state >= CHUNK_TRAILER_START ? H1_TRAILER_MAX : H1_CHUNK_LINE_MAX;

	if (++chunked->line > max)
		return CHUNK_BAD;
	switch (chunked->state) {
	case CHUNK_SIZE: return size_octet(chunked, c);
	case CHUNK_EXT: return ext_octet(c);
	case CHUNK_SIZE_LF: return size_end(chunked, c);
	case CHUNK_DATA_CR: return c == '\r' ? CHUNK_DATA_LF : CHUNK_BAD;
	case CHUNK_DATA_LF:
		chunked->line = 0;
		return c == '\n' ? CHUNK_SIZE : CHUNK_BAD;
	default: return trailer_octet(chunked->state, c);
	}
}

static size_t take_data(struct h1_chunked *chunked, struct bytes in)
{
	size_t n = in.n < chunked->left ? in.n : (size_t)chunked->left;

	chunked->left -= n;
	if (chunked->left == 0)
		chunked->state = CHUNK_DATA_CR;
	return n;
}

enum h1_result h1_chunked_next(struct h1_chunked *chunked, struct bytes in, size_t *_used, struct bytes *_data)
{
	size_t i = 0;
	int next;

	*_data = BYTES_NONE;
	*_used = 0;
	if (chunked->state == CHUNK_BAD)
		return H1_BAD;
	while (i < in.n && chunked->state != CHUNK_DATA) {
		next = framing_octet(chunked, in.p[i++]);
		if (next == CHUNK_FINISHED) {
			*_used = i;
			return H1_DONE;
		}
		chunked->state = next;
		if (next == CHUNK_BAD)
			return H1_BAD;
	}
	if (i < in.n) {
		*_data = BYTES(in.p + i, 0);
		_data->n = take_data(chunked, BYTES(in.p + i, in.n - i));
		i += _data->n;
	}
	*_used = i;
	return H1_MORE;
}

size_t h1_chunked_trailer(const struct h1_chunked *chunked, size_t used)
{
	if (chunked->state < CHUNK_TRAILER_START)
		return 0;
	return used < chunked->line ? used : chunked->line;
}
