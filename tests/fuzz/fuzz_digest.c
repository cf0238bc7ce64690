/* SPDX-License-Identifier: Apache-2.0 */
/* Authorization, WWW-Authenticate, Authentication-Info: what is accepted is built again, and reads the same. */
#include <stdlib.h>
#include <talloc.h>

#include "http/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Absent stays absent, or comes back unchanged; never something else. */
static void same(struct bytes before, struct bytes after)
{
	if ((before.p == NULL) != (after.p == NULL) || !bytes_eq(before, after))
		abort();
}

/* @return false: it has grown beyond the limit by its escapes */
static bool readable(enum gba_err err)
{
	if (err != GBA_OK && err != GBA_E_TOO_LONG)
		abort();
	return err == GBA_OK;
}

static void check_auth(TALLOC_CTX *ctx, struct bytes in)
{
	struct digest_auth a, b;
	struct digest_calc calc;
	char *text;

	if (digest_auth_parse(ctx, in, &a) != GBA_OK)
		return;
	calc = (struct digest_calc){ .algorithm = a.algorithm, .qop = a.qop, .username = a.username, .realm = a.realm,
				     .nonce = a.nonce, .cnonce = a.cnonce, .nc_text = a.nc_text, .uri = a.uri };
	if (digest_response_matches(&calc, BYTES_NONE))
		abort();
	if (a.username.p == NULL || a.realm.p == NULL)
		return;
	text = digest_auth_build(ctx, &a);
	if (text == NULL)
		abort();
	if (!readable(digest_auth_parse(ctx, bytes_of(text), &b)))
		return;
	same(a.username, b.username);
	same(a.realm, b.realm);
	same(a.nonce, b.nonce);
	same(a.uri, b.uri);
	same(a.response, b.response);
	same(a.opaque, b.opaque);
	same(a.auts, b.auts);
	if (a.qop != b.qop || a.algorithm != b.algorithm || a.algorithm_given != b.algorithm_given ||
	    (a.qop != DIGEST_QOP_NONE && a.nc != b.nc))
		abort();
}

static void check_challenge(TALLOC_CTX *ctx, struct bytes in)
{
	struct digest_challenge a, b;
	char *text;

	if (digest_challenge_parse(ctx, in, &a) != GBA_OK)
		return;
	text = digest_challenge_build(ctx, &a);
	if (text == NULL)
		abort();
	if (!readable(digest_challenge_parse(ctx, bytes_of(text), &b)))
		return;
	same(a.realm, b.realm);
	same(a.nonce, b.nonce);
	same(a.opaque, b.opaque);
	same(a.domain, b.domain);
	if (a.algorithm != b.algorithm || a.qop_auth != b.qop_auth || a.qop_auth_int != b.qop_auth_int || a.stale != b.stale)
		abort();
}

static void check_info(TALLOC_CTX *ctx, struct bytes in)
{
	struct digest_info a, b;
	char *text;

	if (digest_info_parse(ctx, in, &a) != GBA_OK)
		return;
	text = digest_info_build(ctx, &a);
	if (text == NULL)
		abort();
	if (text[0] == '\0' || !readable(digest_info_parse(ctx, bytes_of(text), &b)))
		return;
	same(a.rspauth, b.rspauth);
	same(a.cnonce, b.cnonce);
	same(a.nextnonce, b.nextnonce);
	same(a.nc_text, b.nc_text);
	if (a.qop != b.qop)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct bytes in = BYTES(data, size);

	check_auth(ctx, in);
	check_challenge(ctx, in);
	check_info(ctx, in);
	talloc_free(ctx);
	return 0;
}
