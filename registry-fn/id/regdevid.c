/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/id/regdevid.h"

#include <stdio.h>

#include "core/codec.h"
#include "crypto/hash.h"

#define CODE_HIDDEN  "HID"
#define CODE_VIRTUAL "VID"
#define CHECK_CHARS  2

_Static_assert(BASE32_LEN(INHERENT_MAX) == SCHEME_BODY_MAX, "room for the longest text");
_Static_assert(BASE32_LEN(REGDEVID_TOKEN_LEN) == REGDEVID_TOKEN_CHARS, "tokens fill their characters");

const char *const regdevid_form_words[] = { "prefix", "suffix", NULL };
const char *const regdevid_kind_words[] = { "open", "hidden", "virtual", NULL };

static enum gba_err refuse(enum gba_err err, const char *why, const char **_why)
{
	*_why = why;
	return err;
}

/* A pure system: the characters' values, weighted by powers of 36 from the right, are 1 modulo 1271. 36, 35 and every
 * difference of two values are prime to 1271 = 31 * 41 or smaller than it, so that neither a change of one character nor
 * of the order of two neighbours leaves the sum as it was. */
void check_1271_36(struct bytes text, char out[2])
{
	static const char chars[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	unsigned int sum = 0, check;
	size_t i;

	for (i = 0; i < text.n; i++) {
		const char *found = text.p[i] != '\0' ? strchr(chars, text.p[i]) : NULL;

		if (found != NULL)
			sum = (sum * 36 + (unsigned int)(found - chars)) % 1271;
	}
	check = (1271 + 1 - sum * 36 * 36 % 1271) % 1271;
	out[0] = chars[check / 36];
	out[1] = chars[check % 36];
}

static void middle(const struct regdevid *id, const char **_code, char *body)
{
	if (id->kind == REGDEVID_OPEN) {
		*_code = id->scheme->code;
		scheme_to_body(id->scheme, id->identity, body);
		return;
	}
	*_code = id->kind == REGDEVID_HIDDEN ? CODE_HIDDEN : CODE_VIRTUAL;
	base32_encode(BYTES(id->token, REGDEVID_TOKEN_LEN), body);
}

void regdevid_format(const struct regdevid *id, char *out)
{
	char body[SCHEME_BODY_MAX + 1], check[CHECK_CHARS];
	const char *code;
	int n;

	middle(id, &code, body);
	if (id->form == REGDEVID_PREFIX)
		n = sprintf(out, "%s-%s-%s-", id->reg_id, code, body);
	else
		n = sprintf(out, "%s-%s--%s-", code, body, id->reg_id);
	check_1271_36(BYTES(out, n), check);
	sprintf(out + n, "%.*s", CHECK_CHARS, check);
}

static bool all_allowed(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] != '-' && !regid_valid(BYTES(text.p + i, 1)))
			return false;
	}
	return text.n > 0;
}

/* The text by its hyphens. */
struct parts {
	enum regdevid_form form;
	struct bytes reg_id, code, body, check;
};

/* Only the suffix form has two hyphens beside each other, and it has them once: which form it is never depends on what
 * names registries have. */
static bool split(struct bytes text, struct parts *p)
{
	struct bytes part[5];
	size_t n = 0;

	while (n < 4 && bytes_split(text, '-', &part[n], &text))
		n++;
	part[n++] = text;
	if (memchr(text.p, '-', text.n) != NULL)
		return false;
	if (n == 4)
		*p = (struct parts){ REGDEVID_PREFIX, part[0], part[1], part[2], part[3] };
	else if (n == 5 && part[2].n == 0)
		*p = (struct parts){ REGDEVID_SUFFIX, part[3], part[0], part[1], part[4] };
	else
		return false;
	return p->check.n == CHECK_CHARS;
}

static enum gba_err token_read(struct bytes body, struct regdevid *id, const char **_why)
{
	size_t n;

	if (base32_decode(body, id->token, sizeof(id->token), &n) != GBA_OK || n != sizeof(id->token))
		return refuse(GBA_E_SYNTAX, "HID and VID are followed by 32 of A-Z and 2-7", _why);
	return GBA_OK;
}

static enum gba_err middle_read(const struct parts *p, struct regdevid *id, const char **_why)
{
	if (bytes_eq_str(p->code, CODE_HIDDEN) || bytes_eq_str(p->code, CODE_VIRTUAL)) {
		id->kind = bytes_eq_str(p->code, CODE_HIDDEN) ? REGDEVID_HIDDEN : REGDEVID_VIRTUAL;
		return token_read(p->body, id, _why);
	}
	id->kind = REGDEVID_OPEN;
	id->scheme = scheme_by_code(p->code);
	if (id->scheme == NULL)
		return refuse(GBA_E_SYNTAX, "no scheme of identifiers has this code", _why);
	return scheme_from_body(id->scheme, p->body, id->identity, _why);
}

enum gba_err regdevid_parse(struct bytes text, struct regdevid *_id, const char **_why)
{
	struct regdevid id = { .form = REGDEVID_PREFIX };
	char check[CHECK_CHARS];
	struct parts p;
	enum gba_err err;

	if (text.n > REGDEVID_MAX)
		return refuse(GBA_E_TOO_LONG, "longer than any RegDevID", _why);
	if (!all_allowed(text) || !split(text, &p))
		return refuse(GBA_E_SYNTAX, "a RegDevID is REGID-CODE-IDENTITY-CC or CODE-IDENTITY--REGID-CC", _why);
	if (!regid_valid(p.reg_id))
		return refuse(GBA_E_SYNTAX, "a RegID is 1 to 32 of A-Z and 0-9", _why);
	check_1271_36(BYTES(text.p, text.n - CHECK_CHARS), check);
	if (memcmp(check, p.check.p, CHECK_CHARS) != 0)
		return refuse(GBA_E_RANGE, "the check characters are wrong", _why);
	err = middle_read(&p, &id, _why);
	if (err != GBA_OK)
		return err;
	id.form = p.form;
	memcpy(id.reg_id, p.reg_id.p, p.reg_id.n);
	*_id = id;
	return GBA_OK;
}

void regdevid_to_urn(const char *regdevid, const char *nid, char *out)
{
	sprintf(out, "urn:%s:%s", nid, regdevid);
}

struct bytes regdevid_from_urn(struct bytes text, const char *nid)
{
	size_t n = 4 + strlen(nid);

	if (text.n <= n || text.p[n] != ':' || !bytes_eq_nocase(BYTES(text.p, 4), bytes_of("urn:")) ||
	    !bytes_eq_nocase(BYTES(text.p + 4, n - 4), bytes_of(nid)))
		return text;
	return BYTES(text.p + n + 1, text.n - n - 1);
}

void regdevid_digest(struct bytes key, const char *reg_id, const struct scheme *scheme, const char *identity,
		     uint8_t token[REGDEVID_TOKEN_LEN])
{
	static const char what[] = "RegDevID";
	const struct bytes pieces[] = { BYTES(what, sizeof(what)), BYTES(reg_id, strlen(reg_id) + 1),
					BYTES(scheme->word, strlen(scheme->word) + 1), BYTES(identity, strlen(identity) + 1) };
	uint8_t digest[HASH_MAX];

	hmac_pieces(HASH_SHA256, key, pieces, sizeof(pieces) / sizeof(pieces[0]), digest);
	memcpy(token, digest, REGDEVID_TOKEN_LEN);
}
