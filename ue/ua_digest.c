/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/ua_digest.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "core/clock.h"
#include "core/codec.h"

#define NC_FIRST "00000001"

/* Forms of realm are separated by ';' (TS 24.109 5.2.4); we have the key of the ME only.
 * GBA_E_AUTH_SCHEME: no such form; GBA_E_REALM: it names somebody else. */
static enum gba_err judge_realm(struct bytes realm, const char *host)
{
	enum gba_err err = GBA_E_AUTH_SCHEME;
	struct bytes form, rest;
	size_t n = strlen(UA_REALM_PREFIX);

	while (realm.n > 0) {
		if (!bytes_split(realm, ';', &form, &rest)) {
			form = realm;
			rest = BYTES_NONE;
		}
		realm = rest;
		while (form.n > 0 && form.p[0] == ' ')
			form.p++, form.n--;
		if (form.n < n || strncasecmp((const char *)form.p, UA_REALM_PREFIX, n) != 0)
			continue;
		if (bytes_eq_nocase(BYTES(form.p + n, form.n - n), bytes_of(host)))
			return GBA_OK;
		err = GBA_E_REALM;
	}
	return err;
}

static bool alg_usable(enum digest_alg alg)
{
	return alg == DIGEST_MD5 || alg == DIGEST_MD5_SESS || alg == DIGEST_SHA256 || alg == DIGEST_SHA256_SESS;
}

enum gba_err ua_digest_challenge(TALLOC_CTX *mem_ctx, const struct fetch_answer *answer, const char *host,
				 struct digest_challenge *_challenge)
{
	enum gba_err err = GBA_E_AUTH_SCHEME;
	bool have = false;
	size_t i;

	for (i = 0; i < answer->header_count; i++) {
		struct digest_challenge challenge;
		enum gba_err judged;

		if (strcasecmp(answer->headers[i].name, "WWW-Authenticate") != 0 ||
		    digest_challenge_parse(mem_ctx, bytes_of(answer->headers[i].value), &challenge) != GBA_OK ||
		    !alg_usable(challenge.algorithm))
			continue;
		judged = judge_realm(challenge.realm, host);
		if (judged == GBA_OK && (!have || digest_hash(challenge.algorithm) == HASH_SHA256)) {
			*_challenge = challenge;
			have = true;
		}
		if (judged == GBA_E_REALM)
			err = GBA_E_REALM;
	}
	return have ? GBA_OK : err;
}

static struct digest_calc calc_of(const struct ua_digest *digest)
{
	struct digest_calc calc = { .algorithm = digest->challenge.algorithm, .qop = digest->qop };

	calc.username = bytes_of(digest->username);
	calc.realm = digest->challenge.realm;
	calc.password = bytes_of(digest->password);
	calc.nonce = digest->challenge.nonce;
	calc.cnonce = bytes_of(digest->cnonce);
	calc.nc_text = bytes_of(NC_FIRST);
	calc.method = digest->method;
	calc.uri = digest->target;
	calc.body = digest->body.p != NULL ? digest->body : bytes_of("");
	return calc;
}

char *ua_digest_answer(TALLOC_CTX *mem_ctx, struct ua_digest *digest, const char *cnonce)
{
	struct digest_auth auth = { .algorithm_given = true, .nc = 1 };
	char response[DIGEST_HEX_MAX + 1];
	struct digest_calc calc;
	uint8_t octets[8];

	digest->qop = digest->challenge.qop_auth_int ? DIGEST_QOP_AUTH_INT
		      : digest->challenge.qop_auth   ? DIGEST_QOP_AUTH
						     : DIGEST_QOP_NONE;
	if (cnonce != NULL) {
		snprintf(digest->cnonce, sizeof(digest->cnonce), "%s", cnonce);
	} else {
		rand_bytes(octets, sizeof(octets));
		hex_encode(BYTES(octets, sizeof(octets)), digest->cnonce);
	}
	calc = calc_of(digest);
	digest_response(&calc, response);
	auth.username = calc.username;
	auth.realm = calc.realm;
	auth.nonce = calc.nonce;
	auth.uri = calc.uri;
	auth.response = bytes_of(response);
	auth.opaque = digest->challenge.opaque;
	auth.algorithm = calc.algorithm;
	auth.qop = calc.qop;
	auth.cnonce = calc.cnonce;
	auth.nc_text = calc.nc_text;
	return digest_auth_build(mem_ctx, &auth);
}

enum gba_err ua_digest_check(TALLOC_CTX *mem_ctx, const struct ua_digest *digest, const struct fetch_answer *answer,
			     bool *_proved)
{
	struct bytes header = fetch_header(answer, "Authentication-Info");
	struct digest_calc calc = calc_of(digest);
	char want[DIGEST_HEX_MAX + 1], got[DIGEST_HEX_MAX + 1];
	struct digest_info info;
	size_t i;

	*_proved = false;
	if (header.p == NULL)
		return GBA_OK;
	if (digest_info_parse(mem_ctx, header, &info) != GBA_OK)
		return GBA_E_DIGEST_MISMATCH;
	if (info.rspauth.p == NULL)
		return GBA_OK;
	if (info.rspauth.n > DIGEST_HEX_MAX || (info.cnonce.p != NULL && !bytes_eq(info.cnonce, calc.cnonce)) ||
	    (info.nc_text.p != NULL && !bytes_eq(info.nc_text, calc.nc_text)))
		return GBA_E_DIGEST_MISMATCH;
	if (info.qop != DIGEST_QOP_NONE)
		calc.qop = info.qop; /* a server may protect less than it was asked for; need_rspauth asks for a proof
					only */
	calc.body = answer->body;
	digest_rspauth(&calc, want);
	for (i = 0; i < info.rspauth.n; i++)
		got[i] = (char)tolower(info.rspauth.p[i]);
	if (!bytes_eq_secret(BYTES(got, info.rspauth.n), bytes_of(want)))
		return GBA_E_DIGEST_MISMATCH;
	*_proved = true;
	return GBA_OK;
}
