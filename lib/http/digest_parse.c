/* SPDX-License-Identifier: Apache-2.0 */
/* Liberal readers of RFC 9110 11.4 credentials, challenges and auth-params (RFC 7616 3.3, 3.4, 3.5). */
#include "http/digest.h"

#include "core/codec.h"
#include "crypto/aka.h"

#define PARAMS_MAX 32 /* ours; RFC 7616 names 13 */

struct param {
	struct bytes name, value;
};

struct params {
	struct param list[PARAMS_MAX];
	size_t count;
};

/* The part of our copy not yet read; values are unescaped in place. */
struct scan {
	uint8_t *p, *end;
};

static enum gba_err scan_open(TALLOC_CTX *mem_ctx, struct bytes header, struct scan *_scan)
{
	size_t i;

	if (header.p == NULL || header.n == 0)
		return GBA_E_DIGEST_SYNTAX;
	if (header.n > DIGEST_HEADER_MAX)
		return GBA_E_TOO_LONG;
	for (i = 0; i < header.n; i++) {
		if ((header.p[i] < 0x20 && header.p[i] != '\t') || header.p[i] == 0x7f)
			return GBA_E_DIGEST_SYNTAX;
	}
	_scan->p = talloc_memdup(mem_ctx, header.p, header.n);
	if (_scan->p == NULL)
		return GBA_E_NOMEM;
	_scan->end = _scan->p + header.n;
	return GBA_OK;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct scan *s)
{
	while (s->p < s->end && is_blank(*s->p))
		s->p++;
}

/* Between list elements, empty ones included (RFC 9110 5.6.1.2). */
static void skip_commas(struct scan *s)
{
	while (s->p < s->end && (is_blank(*s->p) || *s->p == ','))
		s->p++;
}

static bool at(const struct scan *s, uint8_t c)
{
	return s->p < s->end && *s->p == c;
}

/* RFC 9110 5.6.2 */
static bool is_tchar(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static struct bytes take_token(struct scan *s)
{
	const uint8_t *start = s->p;

	while (s->p < s->end && is_tchar(*s->p))
		s->p++;
	return BYTES(start, (size_t)(s->p - start));
}

/* quoted-string, its quoted-pairs resolved; no tab inside, which no name or nonce needs. */
static bool take_quoted(struct scan *s, struct bytes *_value)
{
	uint8_t *start = ++s->p, *out = start;

	for (; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\\' && ++s->p == s->end)
			return false;
		if (*s->p == '\t')
			return false;
		*out++ = *s->p;
	}
	if (s->p == s->end)
		return false;
	s->p++;
	*_value = BYTES(start, (size_t)(out - start));
	return true;
}

/* Clients leave quotes out around base64 and URIs: anything visible up to a blank or comma. */
static bool take_plain(struct scan *s, struct bytes *_value)
{
	const uint8_t *start = s->p;

	for (; s->p < s->end && *s->p != ',' && !is_blank(*s->p); s->p++) {
		if (*s->p == '"' || *s->p > 0x7e)
			return false;
	}
	*_value = BYTES(start, (size_t)(s->p - start));
	return s->p > start;
}

/* The rest of `name = value` from the "=" on, and that nothing but a comma follows. */
static bool take_value(struct scan *s, struct bytes *_value)
{
	if (!at(s, '='))
		return false;
	s->p++;
	skip_blanks(s);
	if (!(at(s, '"') ? take_quoted(s, _value) : take_plain(s, _value)))
		return false;
	skip_blanks(s);
	return s->p == s->end || *s->p == ',';
}

/* A name given twice is refused, known or not: two readers must not each believe another one. */
static bool params_add(struct params *params, struct bytes name, struct bytes value)
{
	size_t i;

	if (params->count == PARAMS_MAX)
		return false;
	for (i = 0; i < params->count; i++) {
		if (bytes_eq_nocase(params->list[i].name, name))
			return false;
	}
	params->list[params->count++] = (struct param){ name, value };
	return true;
}

static enum gba_err take_params(struct scan *s, struct params *params)
{
	struct bytes name, value;

	params->count = 0;
	for (skip_commas(s); s->p < s->end; skip_commas(s)) {
		name = take_token(s);
		skip_blanks(s);
		if (name.n == 0 || !take_value(s, &value) || !params_add(params, name, value))
			return GBA_E_DIGEST_SYNTAX;
	}
	return params->count > 0 ? GBA_OK : GBA_E_DIGEST_SYNTAX;
}

static struct bytes param(const struct params *params, const char *name)
{
	size_t i;

	for (i = 0; i < params->count; i++) {
		if (bytes_eq_nocase(params->list[i].name, bytes_of(name)))
			return params->list[i].value;
	}
	return BYTES_NONE;
}

static enum gba_err algorithm_of(const struct params *params, bool *_given, enum digest_alg *_alg)
{
	struct bytes name = param(params, "algorithm");
	unsigned int i;

	*_given = name.p != NULL;
	*_alg = DIGEST_MD5; /* RFC 7616 3.3: if not present, MD5 */
	if (name.p == NULL)
		return GBA_OK;
	for (i = 0; i < DIGEST_ALG_COUNT; i++) {
		if (bytes_eq_nocase(name, bytes_of(digest_alg_names[i]))) {
			*_alg = (enum digest_alg)i;
			return GBA_OK;
		}
	}
	return GBA_E_AUTH_SCHEME;
}

/* The one value chosen, quoted or not; absent is RFC 2069's arithmetic. */
static enum gba_err qop_of(const struct params *params, enum digest_qop *_qop)
{
	struct bytes name = param(params, "qop");

	*_qop = DIGEST_QOP_NONE;
	if (name.p == NULL)
		return GBA_OK;
	if (bytes_eq_nocase(name, bytes_of("auth")))
		*_qop = DIGEST_QOP_AUTH;
	else if (bytes_eq_nocase(name, bytes_of("auth-int")))
		*_qop = DIGEST_QOP_AUTH_INT;
	else
		return GBA_E_DIGEST_SYNTAX;
	return GBA_OK;
}

static enum gba_err nc_of(const struct params *params, struct bytes *_text, uint32_t *_nc)
{
	uint8_t octets[4];

	*_text = param(params, "nc");
	*_nc = 0;
	if (_text->p == NULL)
		return GBA_OK;
	if (hex_decode(*_text, octets, sizeof(octets)) != GBA_OK)
		return GBA_E_DIGEST_SYNTAX;
	*_nc = (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 | (uint32_t)octets[2] << 8 | octets[3];
	return GBA_OK;
}

/* RFC 3310 3.4: base64 of the 14 octets of AUTS. */
static enum gba_err auts_of(TALLOC_CTX *mem_ctx, const struct params *params, struct bytes *_auts)
{
	struct bytes text = param(params, "auts");
	uint8_t auts[AKA_AUTS_LEN], *copy;
	size_t n;

	*_auts = BYTES_NONE;
	if (text.p == NULL)
		return GBA_OK;
	if (base64_decode(text, auts, sizeof(auts), &n) != GBA_OK || n != sizeof(auts))
		return GBA_E_DIGEST_SYNTAX;
	copy = talloc_memdup(mem_ctx, auts, n);
	if (copy == NULL)
		return GBA_E_NOMEM;
	*_auts = BYTES(copy, n);
	return GBA_OK;
}

static enum gba_err auth_fill(TALLOC_CTX *mem_ctx, const struct params *params, struct digest_auth *auth)
{
	enum gba_err err;

	auth->username = param(params, "username");
	auth->realm = param(params, "realm");
	auth->nonce = param(params, "nonce");
	auth->uri = param(params, "uri");
	auth->response = param(params, "response");
	auth->opaque = param(params, "opaque");
	auth->cnonce = param(params, "cnonce");
	err = qop_of(params, &auth->qop);
	if (err != GBA_OK)
		return err;
	err = nc_of(params, &auth->nc_text, &auth->nc);
	if (err != GBA_OK)
		return err;
	err = algorithm_of(params, &auth->algorithm_given, &auth->algorithm);
	if (err != GBA_OK)
		return err;
	return auts_of(mem_ctx, params, &auth->auts);
}

enum gba_err digest_auth_parse(TALLOC_CTX *mem_ctx, struct bytes header, struct digest_auth *_auth)
{
	struct digest_auth auth;
	struct params params;
	struct scan scan;
	enum gba_err err;
	void *copy;

	err = scan_open(mem_ctx, header, &scan);
	if (err != GBA_OK)
		return err;
	copy = scan.p;
	err = GBA_E_DIGEST_SYNTAX;
	skip_blanks(&scan);
	if (bytes_eq_nocase(take_token(&scan), bytes_of("Digest")) && scan.p < scan.end && is_blank(*scan.p))
		err = take_params(&scan, &params);
	if (err == GBA_OK)
		err = auth_fill(copy, &params, &auth);
	if (err != GBA_OK) {
		talloc_free(copy);
		return err;
	}
	*_auth = auth;
	return GBA_OK;
}

/* qop="auth,auth-int" of a challenge; values we do not know are passed over (RFC 7616 3.3). */
static void qop_options(struct bytes list, struct digest_challenge *challenge)
{
	struct scan s = { (uint8_t *)list.p, (uint8_t *)list.p + list.n };
	struct bytes name;

	for (skip_commas(&s); s.p < s.end; skip_commas(&s)) {
		name = take_token(&s);
		if (bytes_eq_nocase(name, bytes_of("auth")))
			challenge->qop_auth = true;
		else if (bytes_eq_nocase(name, bytes_of("auth-int")))
			challenge->qop_auth_int = true;
		else if (name.n == 0)
			s.p++;
	}
}

static enum gba_err challenge_fill(const struct params *params, struct digest_challenge *challenge)
{
	struct bytes qop = param(params, "qop");
	enum gba_err err;
	bool given;

	*challenge = (struct digest_challenge){ .realm = param(params, "realm"),
						.nonce = param(params, "nonce"),
						.opaque = param(params, "opaque"),
						.domain = param(params, "domain") };
	err = algorithm_of(params, &given, &challenge->algorithm);
	if (err != GBA_OK)
		return err;
	if (challenge->realm.p == NULL || challenge->nonce.p == NULL)
		return GBA_E_DIGEST_SYNTAX;
	challenge->stale = bytes_eq_nocase(param(params, "stale"), bytes_of("true"));
	if (qop.p != NULL)
		qop_options(qop, challenge);
	return GBA_OK;
}

/* RFC 9110 11.2: "Negotiate YII=" has one token68 instead of parameters. */
static void skip_token68(struct scan *s)
{
	struct scan ahead = *s;

	while (ahead.p < ahead.end && (is_tchar(*ahead.p) || *ahead.p == '/'))
		ahead.p++;
	if (ahead.p == s->p)
		return;
	while (at(&ahead, '='))
		ahead.p++;
	skip_blanks(&ahead);
	if (ahead.p == ahead.end || *ahead.p == ',')
		*s = ahead;
}

/* One list element: a parameter of the scheme before it, or a scheme and perhaps its first parameter's beginning. */
static enum gba_err take_element(struct scan *s, struct params *params, struct bytes *_scheme)
{
	struct bytes name = take_token(s), value;

	*_scheme = BYTES_NONE;
	if (name.n == 0)
		return GBA_E_DIGEST_SYNTAX;
	skip_blanks(s);
	if (at(s, '='))
		return take_value(s, &value) && params_add(params, name, value) ? GBA_OK : GBA_E_DIGEST_SYNTAX;
	*_scheme = name;
	skip_token68(s);
	return GBA_OK;
}

/* Every challenge is read to its end before it is judged; the first one that will do ends the search. */
static enum gba_err find_challenge(struct scan *s, struct digest_challenge *challenge)
{
	struct params params = { .count = 0 };
	bool digest = false, any = false;
	enum gba_err err;
	struct bytes scheme;

	for (skip_commas(s); s->p < s->end; skip_commas(s)) {
		err = take_element(s, &params, &scheme);
		if (err != GBA_OK)
			return err;
		if (scheme.p == NULL && !any)
			return GBA_E_DIGEST_SYNTAX;
		if (scheme.p == NULL)
			continue;
		err = digest ? challenge_fill(&params, challenge) : GBA_E_AUTH_SCHEME;
		if (err != GBA_E_AUTH_SCHEME)
			return err;
		digest = bytes_eq_nocase(scheme, bytes_of("Digest"));
		any = true;
		params.count = 0;
	}
	return digest ? challenge_fill(&params, challenge) : GBA_E_AUTH_SCHEME;
}

enum gba_err digest_challenge_parse(TALLOC_CTX *mem_ctx, struct bytes header, struct digest_challenge *_challenge)
{
	struct digest_challenge challenge;
	struct scan scan;
	enum gba_err err;
	void *copy;

	err = scan_open(mem_ctx, header, &scan);
	if (err != GBA_OK)
		return err;
	copy = scan.p;
	err = find_challenge(&scan, &challenge);
	if (err != GBA_OK) {
		talloc_free(copy);
		return err;
	}
	*_challenge = challenge;
	return GBA_OK;
}

enum gba_err digest_info_parse(TALLOC_CTX *mem_ctx, struct bytes header, struct digest_info *_info)
{
	struct digest_info info;
	struct params params;
	struct scan scan;
	enum gba_err err;
	uint32_t nc;
	void *copy;

	err = scan_open(mem_ctx, header, &scan);
	if (err != GBA_OK)
		return err;
	copy = scan.p;
	err = take_params(&scan, &params);
	if (err == GBA_OK)
		err = qop_of(&params, &info.qop);
	if (err == GBA_OK)
		err = nc_of(&params, &info.nc_text, &nc);
	if (err != GBA_OK) {
		talloc_free(copy);
		return err;
	}
	info.rspauth = param(&params, "rspauth");
	info.cnonce = param(&params, "cnonce");
	info.nextnonce = param(&params, "nextnonce");
	*_info = info;
	return GBA_OK;
}
