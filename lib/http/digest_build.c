/* SPDX-License-Identifier: Apache-2.0 */
/* Strict emitter: parameter order and quoting as TS 24.109 A.3 shows them (RFC 7616 3.3, 3.4, 3.5). */
#include "http/digest.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/codec.h"
#include "crypto/aka.h"

const char *const digest_alg_names[] = {
	[DIGEST_MD5] = "MD5",
	[DIGEST_MD5_SESS] = "MD5-sess",
	[DIGEST_SHA256] = "SHA-256",
	[DIGEST_SHA256_SESS] = "SHA-256-sess",
	[DIGEST_AKAV1_MD5] = "AKAv1-MD5",
	[DIGEST_AKAV1_MD5_SESS] = "AKAv1-MD5-sess",
	[DIGEST_AKAV2_MD5] = "AKAv2-MD5",
	[DIGEST_AKAV2_MD5_SESS] = "AKAv2-MD5-sess",
	NULL,
};
_Static_assert(sizeof(digest_alg_names) / sizeof(digest_alg_names[0]) == DIGEST_ALG_COUNT + 1, "one name per algorithm");

static const char *const qop_names[] = { [DIGEST_QOP_AUTH] = "auth", [DIGEST_QOP_AUTH_INT] = "auth-int" };

#define FIXED_MAX 512 /* [octets] names, quotes, separators and unquoted values of the longest header */

/* Header under construction; `failed` when a value could break out of its header. */
struct text {
	char *p;
	size_t n;
	const char *separator;
	bool failed;
};

static bool text_open(struct text *t, TALLOC_CTX *mem_ctx, size_t quoted_octets, const char *start)
{
	size_t n = strlen(start);

	t->p = talloc_array(mem_ctx, char, FIXED_MAX + 2 * quoted_octets);
	if (t->p == NULL)
		return false;
	memcpy(t->p, start, n);
	t->n = n;
	t->separator = "";
	t->failed = false;
	return true;
}

static void put(struct text *t, const char *s, size_t n)
{
	memcpy(t->p + t->n, s, n);
	t->n += n;
}

static void put_name(struct text *t, const char *name)
{
	put(t, t->separator, strlen(t->separator));
	put(t, name, strlen(name));
	put(t, "=", 1);
	t->separator = ", ";
}

static void put_plain(struct text *t, const char *name, const char *value)
{
	put_name(t, name);
	put(t, value, strlen(value));
}

/* quoted-string; absent values leave no trace. */
static void put_quoted(struct text *t, const char *name, struct bytes value)
{
	size_t i;

	if (value.p == NULL)
		return;
	put_name(t, name);
	put(t, "\"", 1);
	for (i = 0; i < value.n; i++) {
		if (value.p[i] < 0x20 || value.p[i] == 0x7f)
			t->failed = true;
		if (value.p[i] == '"' || value.p[i] == '\\')
			put(t, "\\", 1);
		put(t, (const char *)value.p + i, 1);
	}
	put(t, "\"", 1);
}

static void put_nc(struct text *t, struct bytes nc_text, uint32_t nc)
{
	char digits[9];
	uint8_t octets[4];

	if (nc_text.p == NULL) {
		snprintf(digits, sizeof(digits), "%08" PRIx32, nc);
	} else if (hex_decode(nc_text, octets, sizeof(octets)) == GBA_OK) {
		memcpy(digits, nc_text.p, 8);
		digits[8] = '\0';
	} else {
		t->failed = true;
		return;
	}
	put_plain(t, "nc", digits);
}

static char *text_close(struct text *t)
{
	if (t->failed) {
		talloc_free(t->p);
		return NULL;
	}
	t->p[t->n] = '\0';
	return t->p;
}

char *digest_auth_build(TALLOC_CTX *mem_ctx, const struct digest_auth *auth)
{
	char auts[BASE64_LEN(AKA_AUTS_LEN) + 1];
	struct text t;

	if (!text_open(&t, mem_ctx, auth->username.n + auth->realm.n + auth->nonce.n + auth->uri.n + auth->cnonce.n +
				     auth->response.n + auth->opaque.n, "Digest "))
		return NULL;
	put_quoted(&t, "username", auth->username);
	put_quoted(&t, "realm", auth->realm);
	put_quoted(&t, "nonce", auth->nonce);
	put_quoted(&t, "uri", auth->uri);
	if (auth->qop != DIGEST_QOP_NONE) {
		put_plain(&t, "qop", qop_names[auth->qop]);
		put_nc(&t, auth->nc_text, auth->nc);
		put_quoted(&t, "cnonce", auth->cnonce);
	}
	put_quoted(&t, "response", auth->response);
	put_quoted(&t, "opaque", auth->opaque);
	if (auth->algorithm_given)
		put_plain(&t, "algorithm", digest_alg_names[auth->algorithm]);
	if (auth->auts.n == AKA_AUTS_LEN) {
		base64_encode(auth->auts, auts);
		put_quoted(&t, "auts", bytes_of(auts));
	}
	return text_close(&t);
}

char *digest_challenge_build(TALLOC_CTX *mem_ctx, const struct digest_challenge *challenge)
{
	struct text t;

	if (!text_open(&t, mem_ctx, challenge->realm.n + challenge->nonce.n + challenge->opaque.n + challenge->domain.n,
		       "Digest "))
		return NULL;
	put_quoted(&t, "realm", challenge->realm);
	put_quoted(&t, "domain", challenge->domain);
	put_quoted(&t, "nonce", challenge->nonce);
	put_plain(&t, "algorithm", digest_alg_names[challenge->algorithm]);
	if (challenge->qop_auth && challenge->qop_auth_int)
		put_quoted(&t, "qop", bytes_of("auth,auth-int"));
	else if (challenge->qop_auth || challenge->qop_auth_int)
		put_quoted(&t, "qop", bytes_of(challenge->qop_auth ? "auth" : "auth-int"));
	put_quoted(&t, "opaque", challenge->opaque);
	if (challenge->stale)
		put_plain(&t, "stale", "true");
	return text_close(&t);
}

char *digest_info_build(TALLOC_CTX *mem_ctx, const struct digest_info *info)
{
	struct text t;

	if (!text_open(&t, mem_ctx, info->rspauth.n + info->cnonce.n + info->nextnonce.n, ""))
		return NULL;
	if (info->qop != DIGEST_QOP_NONE)
		put_plain(&t, "qop", qop_names[info->qop]);
	put_quoted(&t, "rspauth", info->rspauth);
	put_quoted(&t, "cnonce", info->cnonce);
	if (info->nc_text.p != NULL)
		put_nc(&t, info->nc_text, 0);
	put_quoted(&t, "nextnonce", info->nextnonce);
	return text_close(&t);
}
