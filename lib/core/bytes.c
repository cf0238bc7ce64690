/* SPDX-License-Identifier: Apache-2.0 */
#include "core/bytes.h"
#include "core/codec.h"

uint8_t octet_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

bool bytes_eq_nocase(struct bytes a, struct bytes b)
{
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++) {
		if (octet_lower(a.p[i]) != octet_lower(b.p[i]))
			return false;
	}
	return true;
}

bool bytes_eq_secret(struct bytes a, struct bytes b)
{
	volatile uint8_t diff = 0;
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		diff |= (uint8_t)(a.p[i] ^ b.p[i]);
	return diff == 0;
}

bool bytes_split(struct bytes in, char at, struct bytes *_head, struct bytes *_tail)
{
	const uint8_t *mark = in.n > 0 ? memchr(in.p, at, in.n) : NULL;

	if (mark == NULL)
		return false;
	*_head = BYTES(in.p, (size_t)(mark - in.p));
	*_tail = BYTES(mark + 1, in.n - _head->n - 1);
	return true;
}

void hex_encode(struct bytes in, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < in.n; i++) {
		*out++ = digits[in.p[i] >> 4];
		*out++ = digits[in.p[i] & 15];
	}
	*out = '\0';
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = octet_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum gba_err hex_decode(struct bytes text, uint8_t *out, size_t want)
{
	size_t i;

	if (text.n != HEX_LEN(want))
		return GBA_E_SYNTAX;
	for (i = 0; i < text.n; i++) {
		if (hex_digit(text.p[i]) < 0)
			return GBA_E_SYNTAX;
	}
	for (i = 0; i < want; i++)
		out[i] = (uint8_t)(hex_digit(text.p[2 * i]) << 4 | hex_digit(text.p[2 * i + 1]));
	return GBA_OK;
}

static const char base64_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct bytes in, char *out)
{
	size_t i;

	for (i = 0; i < in.n; i += 3) {
		uint32_t v = (uint32_t)in.p[i] << 16;

		if (i + 1 < in.n)
			v |= (uint32_t)in.p[i + 1] << 8;
		if (i + 2 < in.n)
			v |= in.p[i + 2];
		*out++ = base64_chars[v >> 18];
		*out++ = base64_chars[v >> 12 & 63];
		*out++ = i + 1 < in.n ? base64_chars[v >> 6 & 63] : '=';
		*out++ = i + 2 < in.n ? base64_chars[v & 63] : '=';
	}
	*out = '\0';
}

static int base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four characters into up to three octets; n of them are data, the rest padding. */
static enum gba_err base64_group(const uint8_t *text, size_t n, uint8_t *out)
{
	uint32_t v = 0;
	size_t i;

	for (i = 0; i < 4; i++) {
		int d = i < n ? base64_digit(text[i]) : 0;

		if (d < 0)
			return GBA_E_SYNTAX;
		v = v << 6 | (uint32_t)d;
	}
	if ((n == 2 && (v & 0xffff) != 0) || (n == 3 && (v & 0xff) != 0))
		return GBA_E_SYNTAX; /* the unused bits must be zero, or two texts would name one value */
	for (i = 0; i + 1 < n; i++)
		out[i] = (uint8_t)(v >> (16 - 8 * i));
	return GBA_OK;
}

enum gba_err base64_decode(struct bytes text, uint8_t *out, size_t cap, size_t *_len)
{
	size_t pad = 0, len, i;
	enum gba_err err;

	if (text.n % 4 != 0)
		return GBA_E_SYNTAX;
	while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == '=')
		pad++;
	len = text.n / 4 * 3 - pad;
	if (len > cap)
		return GBA_E_TOO_LONG;
	for (i = 0; i < text.n; i += 4) {
		err = base64_group(text.p + i, i + 4 == text.n ? 4 - pad : 4, out + i / 4 * 3);
		if (err != GBA_OK)
			return err;
	}
	*_len = len;
	return GBA_OK;
}
