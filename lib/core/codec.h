/* SPDX-License-Identifier: Apache-2.0 */
/** Hexadecimal, base64 (RFC 4648 section 4), base64url (section 5, as RFC 7515 has it) and base32 (section 6) text, the last two
 * without padding. */
#ifndef GBA_CORE_CODEC_H
#define GBA_CORE_CODEC_H

#include "core/bytes.h"
#include "core/err.h"

#define HEX_LEN(octets)	   (2 * (size_t)(octets))
#define BASE64_LEN(octets) (((size_t)(octets) + 2) / 3 * 4)
#define BASE64URL_LEN(octets) (((size_t)(octets) * 4 + 2) / 3)
#define BASE32_LEN(octets) (((size_t)(octets) * 8 + 4) / 5)

/** Write HEX_LEN(in.n) lower-case digits and a NUL; out must have room for both. */
void hex_encode(struct bytes in, char *out);
/** Decode exactly `want` octets; either case.
 * @retval GBA_E_SYNTAX  a character that is no digit, or not 2*want characters */
enum gba_err hex_decode(struct bytes text, uint8_t *out, size_t want);
/** Write BASE64_LEN(in.n) characters and a NUL; out must have room for both. */
void base64_encode(struct bytes in, char *out);
/** Decode standard alphabet with padding, strictly (no blanks, no foreign trailing bits).
 * @param cap    [octets] room in out
 * @param _len   [octets] written on GBA_OK only
 * @retval GBA_E_SYNTAX, GBA_E_TOO_LONG */
enum gba_err base64_decode(struct bytes text, uint8_t *out, size_t cap, size_t *_len);
/** Write BASE64URL_LEN(in.n) characters and a NUL; out must have room for both. */
void base64url_encode(struct bytes in, char *out);
/** Decode without padding, as strictly as base64_decode(); errors the same. */
enum gba_err base64url_decode(struct bytes text, uint8_t *out, size_t cap, size_t *_len);
/** Write BASE32_LEN(in.n) characters of A-Z, 2-7 and a NUL; out must have room for both. */
void base32_encode(struct bytes in, char *out);
/** Decode capital letters and digits without padding, strictly; as base64_decode. */
enum gba_err base32_decode(struct bytes text, uint8_t *out, size_t cap, size_t *_len);

#endif
