/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/id/composite.h"

#include <stdio.h>

#include "core/codec.h"
#include "crypto/hash.h"

#define PARTS	   4
#define PREFIX_LEN 5 /* [octets] */

static enum gba_err put_prefix(struct bytes part, uint8_t out[PREFIX_LEN])
{
	if (part.n > COMPOSITE_PART_MAX)
		return GBA_E_TOO_LONG;
	out[0] = part.p != NULL;
	out[1] = out[2] = 0;
	out[3] = (uint8_t)(part.n >> 8);
	out[4] = (uint8_t)part.n;
	return GBA_OK;
}

enum gba_err composite_compute(const char *algorithm, const struct composite_parts *parts, char *out)
{
	const struct bytes part[PARTS] = { parts->certificate, parts->application, parts->platform, parts->sim };
	uint8_t prefix[PARTS][PREFIX_LEN], digest[HASH_MAX];
	struct bytes pieces[2 * PARTS];
	enum gba_err err = GBA_OK;
	size_t i;

	if (strcmp(algorithm, "sha256") != 0)
		return GBA_E_UNSUPPORTED;
	for (i = 0; err == GBA_OK && i < PARTS; i++) {
		err = put_prefix(part[i], prefix[i]);
		pieces[2 * i] = BYTES(prefix[i], PREFIX_LEN);
		pieces[2 * i + 1] = part[i];
	}
	if (err != GBA_OK)
		return err;
	hash_pieces(HASH_SHA256, pieces, 2 * PARTS, digest);
	hex_encode(BYTES(digest, sizeof(digest)), out + sprintf(out, "%s:", algorithm));
	return GBA_OK;
}

enum gba_err composite_verify(struct bytes value, const struct composite_parts *parts)
{
	char algorithm[16], computed[COMPOSITE_MAX + 1];
	struct bytes name, digest;
	enum gba_err err;

	if (!bytes_split(value, ':', &name, &digest) || name.n >= sizeof(algorithm) || memchr(name.p, '\0', name.n) != NULL)
		return GBA_E_SYNTAX;
	memcpy(algorithm, name.p, name.n);
	algorithm[name.n] = '\0';
	err = composite_compute(algorithm, parts, computed);
	if (err != GBA_OK)
		return err;
	return bytes_eq_secret(value, bytes_of(computed)) ? GBA_OK : GBA_E_CORRUPT;
}
