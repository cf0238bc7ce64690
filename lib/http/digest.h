/* SPDX-License-Identifier: Apache-2.0 */
/** HTTP Digest (RFC 7616, RFC 2617) with AKA (RFC 3310, RFC 4169): parse, compute, build. Nothing here knows a server. */
#ifndef GBA_HTTP_DIGEST_H
#define GBA_HTTP_DIGEST_H

#include <stdbool.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"
#include "crypto/hash.h"

enum digest_alg {
	DIGEST_MD5, DIGEST_MD5_SESS, DIGEST_SHA256, DIGEST_SHA256_SESS,
	DIGEST_AKAV1_MD5, DIGEST_AKAV1_MD5_SESS, DIGEST_AKAV2_MD5, DIGEST_AKAV2_MD5_SESS, DIGEST_ALG_COUNT
};
enum digest_qop { DIGEST_QOP_NONE, DIGEST_QOP_AUTH, DIGEST_QOP_AUTH_INT };

#define DIGEST_HEADER_MAX 4096 /* [octets] longer header values are refused (431) */
#define DIGEST_HEX_MAX	  64   /* [characters] SHA-256 */

/** Authorization: Digest ...; views into memory of the context given to the parser, unescaped. Absent: p == NULL. */
struct digest_auth {
	struct bytes username, realm, nonce, uri, response, opaque, cnonce, nc_text;
	struct bytes auts; /* decoded octets (14), absent when not sent */
	bool algorithm_given;
	enum digest_alg algorithm; /* DIGEST_MD5 when not given */
	enum digest_qop qop;
	uint32_t nc; /* value of nc_text, 0 when absent */
};
/** Parse liberally: any order and blanks, quoted or not, no blank after commas, unknown parameters ignored. Refused: another
 * scheme, any parameter twice, control octets, broken quoting, nc not 8 hex digits, auts not base64 of 14 octets.
 * @retval GBA_E_DIGEST_SYNTAX (another scheme, too), GBA_E_TOO_LONG, GBA_E_AUTH_SCHEME (unknown algorithm), GBA_E_NOMEM */
enum gba_err digest_auth_parse(TALLOC_CTX *mem_ctx, struct bytes header, struct digest_auth *_auth);
/** The header's value, for clients; nc, cnonce and qop left out when qop is NONE; algorithm only if algorithm_given; nc from
 * nc_text when that is present. This and the other builders: NULL when memory is exhausted or a value has a control octet. */
char *digest_auth_build(TALLOC_CTX *mem_ctx, const struct digest_auth *auth);

/** WWW-Authenticate: Digest ... */
struct digest_challenge {
	struct bytes realm, nonce, opaque, domain;
	enum digest_alg algorithm;
	bool qop_auth, qop_auth_int, stale;
};
char *digest_challenge_build(TALLOC_CTX *mem_ctx, const struct digest_challenge *challenge);
/** Clients: one challenge. A header with several schemes: the first Digest one with an algorithm we have.
 * @retval GBA_E_DIGEST_SYNTAX, GBA_E_AUTH_SCHEME, GBA_E_TOO_LONG, GBA_E_NOMEM */
enum gba_err digest_challenge_parse(TALLOC_CTX *mem_ctx, struct bytes header, struct digest_challenge *_challenge);

/** Authentication-Info: ... */
struct digest_info {
	struct bytes rspauth, cnonce, nextnonce, nc_text;
	enum digest_qop qop;
};
char *digest_info_build(TALLOC_CTX *mem_ctx, const struct digest_info *info);
enum gba_err digest_info_parse(TALLOC_CTX *mem_ctx, struct bytes header, struct digest_info *_info);

/** What the arithmetic needs; all views. */
struct digest_calc {
	enum digest_alg algorithm;
	enum digest_qop qop;
	struct bytes username, realm, password; /* password may hold any octet; AKAv2: gba_akav2_password() */
	struct bytes nonce, cnonce, nc_text;
	struct bytes method; /* ignored for rspauth */
	struct bytes uri;
	struct bytes body; /* entity body, for auth-int: of the request, or for rspauth of the response */
};
/** request-digest: lower-case hex and NUL. */
void digest_response(const struct digest_calc *calc, char out[DIGEST_HEX_MAX + 1]);
/** rspauth: the same with A2 = ":" uri [":" H(body)]. */
void digest_rspauth(const struct digest_calc *calc, char out[DIGEST_HEX_MAX + 1]);
/** Constant-time, hex case ignored. */
bool digest_response_matches(const struct digest_calc *calc, struct bytes response);

/** Which nc values of one nonce have been used: a sliding window, so that reordered requests pass once. */
struct digest_nc_window {
	uint32_t highest;
	uint64_t seen; /* bit i: highest - i */
};
/** @return false: zero, used before, or more than 63 below the highest */
bool digest_nc_use(struct digest_nc_window *window, uint32_t nc);

/** "AKAv1-MD5" and so on; NULL-terminated, index = enum. */
extern const char *const digest_alg_names[];
enum hash_alg digest_hash(enum digest_alg algorithm);

#endif
