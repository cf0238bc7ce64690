/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of RFC 7616 3.4.1 to 3.4.3. unq(X) is what the parser hands out; passwords are octets. */
#include "http/digest.h"

#include "core/codec.h"
#include "core/secret.h"

enum hash_alg digest_hash(enum digest_alg algorithm)
{
	return algorithm == DIGEST_SHA256 || algorithm == DIGEST_SHA256_SESS ? HASH_SHA256 : HASH_MD5;
}

static bool is_sess(enum digest_alg algorithm)
{
	return algorithm == DIGEST_MD5_SESS || algorithm == DIGEST_SHA256_SESS || algorithm == DIGEST_AKAV1_MD5_SESS ||
	       algorithm == DIGEST_AKAV2_MD5_SESS;
}

#define COLON BYTES(":", 1)

/* H(pieces), in lower-case hex, which is what RFC 7616 calls H() wherever it is used again. */
static void hash_hex(enum digest_alg algorithm, const struct bytes *pieces, size_t count, char *out)
{
	uint8_t octets[HASH_MAX];
	enum hash_alg hash = digest_hash(algorithm);

	hash_pieces(hash, pieces, count, octets);
	hex_encode(BYTES(octets, hash_len(hash)), out);
	SECRET_WIPE(octets);
}

/* A1 = username ":" realm ":" password; -sess: H(A1) ":" nonce ":" cnonce (RFC 7616 3.4.2) */
static void ha1(const struct digest_calc *calc, char *out)
{
	const struct bytes a1[] = { calc->username, COLON, calc->realm, COLON, calc->password };
	struct bytes sess[] = { BYTES_NONE, COLON, calc->nonce, COLON, calc->cnonce };

	hash_hex(calc->algorithm, a1, 5, out);
	if (!is_sess(calc->algorithm))
		return;
	sess[0] = bytes_of(out);
	hash_hex(calc->algorithm, sess, 5, out);
}

/* A2 = method ":" uri; auth-int: method ":" uri ":" H(entity-body) (RFC 7616 3.4.3) */
static void ha2(const struct digest_calc *calc, struct bytes method, char *out)
{
	char body[DIGEST_HEX_MAX + 1];
	struct bytes a2[] = { method, COLON, calc->uri, COLON, BYTES_NONE };

	if (calc->qop != DIGEST_QOP_AUTH_INT) {
		hash_hex(calc->algorithm, a2, 3, out);
		return;
	}
	hash_hex(calc->algorithm, &calc->body, 1, body);
	a2[4] = bytes_of(body);
	hash_hex(calc->algorithm, a2, 5, out);
}

/* KD(H(A1), nonce ":" nc ":" cnonce ":" qop ":" H(A2)); without qop: KD(H(A1), nonce ":" H(A2)) */
static void calculate(const struct digest_calc *calc, struct bytes method, char *out)
{
	char a1[DIGEST_HEX_MAX + 1], a2[DIGEST_HEX_MAX + 1];
	struct bytes qop = bytes_of(calc->qop == DIGEST_QOP_AUTH_INT ? "auth-int" : "auth");

	ha1(calc, a1);
	ha2(calc, method, a2);
	if (calc->qop == DIGEST_QOP_NONE) {
		const struct bytes kd[] = { bytes_of(a1), COLON, calc->nonce, COLON, bytes_of(a2) };

		hash_hex(calc->algorithm, kd, 5, out);
	} else {
		const struct bytes kd[] = { bytes_of(a1), COLON, calc->nonce, COLON, calc->nc_text, COLON,
					    calc->cnonce, COLON, qop,	      COLON, bytes_of(a2) };

		hash_hex(calc->algorithm, kd, 11, out);
	}
	SECRET_WIPE(a1);
}

void digest_response(const struct digest_calc *calc, char out[DIGEST_HEX_MAX + 1])
{
	calculate(calc, calc->method, out);
}

void digest_rspauth(const struct digest_calc *calc, char out[DIGEST_HEX_MAX + 1])
{
	calculate(calc, BYTES_NONE, out);
}

bool digest_response_matches(const struct digest_calc *calc, struct bytes response)
{
	size_t n = hash_len(digest_hash(calc->algorithm));
	uint8_t got[HASH_MAX], want[HASH_MAX];
	char text[DIGEST_HEX_MAX + 1];
	bool equal;

	if (hex_decode(response, got, n) != GBA_OK)
		return false;
	digest_response(calc, text);
	hex_decode(bytes_of(text), want, n);
	equal = bytes_eq_secret(BYTES(got, n), BYTES(want, n));
	SECRET_WIPE(want);
	SECRET_WIPE(text);
	return equal;
}

bool digest_nc_use(struct digest_nc_window *window, uint32_t nc)
{
	uint32_t below;

	if (nc == 0)
		return false;
	if (nc > window->highest) {
		uint32_t step = nc - window->highest;

		window->seen = step < 64 ? window->seen << step | 1 : 1;
		window->highest = nc;
		return true;
	}
	below = window->highest - nc;
	if (below > 63 || (window->seen >> below & 1) != 0)
		return false;
	window->seen |= (uint64_t)1 << below;
	return true;
}
