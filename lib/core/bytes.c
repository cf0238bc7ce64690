/* SPDX-License-Identifier: Apache-2.0 */
#include "core/bytes.h"
#include "core/codec.h"

bool octets_eq_nocase(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (a[i] != b[i] && octet_lower(a[i]) != octet_lower(b[i]))
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
static const char base64url_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Characters for one to three octets. @return how many */
static size_t base64_put(const char *chars, const uint8_t *in, size_t n, char *out)
{
	uint32_t v = (uint32_t)in[0] << 16 | (n > 1 ? (uint32_t)in[1] << 8 : 0) | (n > 2 ? in[2] : 0);
	size_t i;

	for (i = 0; i <= n; i++)
		out[i] = chars[v >> (18 - 6 * i) & 63];
	return n + 1;
}

void base64_encode(struct bytes in, char *out)
{
	size_t i, n;

	for (i = 0; i < in.n; i += 3) {
		n = base64_put(base64_chars, in.p + i, in.n - i < 3 ? in.n - i : 3, out);
		for (out += n; n < 4; n++)
			*out++ = '=';
	}
	*out = '\0';
}

void base64url_encode(struct bytes in, char *out)
{
	size_t i;

	for (i = 0; i < in.n; i += 3)
		out += base64_put(base64url_chars, in.p + i, in.n - i < 3 ? in.n - i : 3, out);
	*out = '\0';
}

static int base64_digit(const char *chars, uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == (uint8_t)chars[62] ? 62 : c == (uint8_t)chars[63] ? 63 : -1;
}

/* One group of four characters into up to three octets; n of them are data, the rest padding. */
static enum gba_err base64_group(const char *chars, const uint8_t *text, size_t n, uint8_t *out)
{
	uint32_t v = 0;
	size_t i;

	for (i = 0; i < 4; i++) {
		int d = i < n ? base64_digit(chars, text[i]) : 0;

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

/* text: without padding, not one character beyond a whole group. */
static enum gba_err base64_data(const char *chars, struct bytes text, uint8_t *out, size_t cap, size_t *_len)
{
	size_t len = text.n / 4 * 3 + (text.n % 4 != 0 ? text.n % 4 - 1 : 0), i;
	enum gba_err err;

	if (len > cap)
		return GBA_E_TOO_LONG;
	for (i = 0; i < text.n; i += 4) {
		err = base64_group(chars, text.p + i, text.n - i < 4 ? text.n - i : 4, out + i / 4 * 3);
		if (err != GBA_OK)
			return err;
	}
	*_len = len;
	return GBA_OK;
}

enum gba_err base64_decode(struct bytes text, uint8_t *out, size_t cap, size_t *_len)
{
	size_t pad = 0;

	if (text.n % 4 != 0)
		return GBA_E_SYNTAX;
	while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == '=')
		pad++;
	return base64_data(base64_chars, BYTES(text.p, text.n - pad), out, cap, _len);
}

enum gba_err base64url_decode(struct bytes text, uint8_t *out, size_t cap, size_t *_len)
{
	return text.n % 4 == 1 ? GBA_E_SYNTAX : base64_data(base64url_chars, text, out, cap, _len);
}

static const char base32_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void base32_encode(struct bytes in, char *out)
{
	uint32_t held = 0;
	unsigned int bits = 0;
	size_t i;

	for (i = 0; i < in.n; i++) {
		held = (held & 0x1f) << 8 | in.p[i];
		for (bits += 8; bits >= 5; bits -= 5)
			*out++ = base32_chars[held >> (bits - 5) & 31];
	}
	if (bits > 0)
		*out++ = base32_chars[held << (5 - bits) & 31];
	*out = '\0';
}

enum gba_err base32_decode(struct bytes text, uint8_t *out, size_t cap, size_t *_len)
{
	size_t n = text.n * 5 / 8, at = 0, i;
	unsigned int bits = 0;
	uint32_t held = 0;

	if (n > cap)
		return GBA_E_TOO_LONG;
	if (BASE32_LEN(n) != text.n)
		return GBA_E_SYNTAX; /* no number of octets has so many characters */
	for (i = 0; i < text.n; i++) {
		const char *found = text.p[i] != 0 ? strchr(base32_chars, text.p[i]) : NULL;

		if (found == NULL)
			return GBA_E_SYNTAX;
		held = (held & 0xff) << 5 | (uint32_t)(found - base32_chars);
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			out[at++] = (uint8_t)(held >> bits);
		}
	}
	if ((held & ((1U << bits) - 1)) != 0)
		return GBA_E_SYNTAX; /* as in base64: the unused bits must be zero */
	*_len = n;
	return GBA_OK;
}
