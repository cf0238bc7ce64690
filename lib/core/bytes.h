/* SPDX-License-Identifier: Apache-2.0 */
/** A view of octets somebody else owns: never NUL-terminated by contract, may hold any octet. */
#ifndef GBA_CORE_BYTES_H
#define GBA_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *p; /* NULL: absent (an empty value has p != NULL, n == 0) */
	size_t n;	  /* [octets] */
};

#define BYTES(ptr, len) ((struct bytes){ (const uint8_t *)(ptr), (len) })
#define BYTES_NONE	((struct bytes){ NULL, 0 })
/** For "%.*s" of text already known to be printable. */
#define BYTES_FMT(b) (int)(b).n, (const char *)(b).p

static inline struct bytes bytes_of(const char *text)
{
	return text != NULL ? BYTES(text, strlen(text)) : BYTES_NONE;
}

static inline bool bytes_eq(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool bytes_eq_str(struct bytes a, const char *text)
{
	return bytes_eq(a, bytes_of(text));
}

/** ASCII case-insensitive: host names, realms, Digest tokens. */
bool octets_eq_nocase(const uint8_t *a, const uint8_t *b, size_t n);
static inline bool bytes_eq_nocase(struct bytes a, struct bytes b)
{
	return a.n == b.n && octets_eq_nocase(a.p, b.p, a.n); /* most differ in length */
}
/** An ASCII letter in lower case, whatever the locale says; other octets as they are. */
static inline uint8_t octet_lower(uint8_t c)
{
	return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 0x20) : c;
}
/** Equal without telling by time where they differ; lengths are not secret. */
bool bytes_eq_secret(struct bytes a, struct bytes b);
/** Split at the first `at`: head before it, tail after it. False, nothing written, when `at` does not occur. */
bool bytes_split(struct bytes in, char at, struct bytes *_head, struct bytes *_tail);

#endif
