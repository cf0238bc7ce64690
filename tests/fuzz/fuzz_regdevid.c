/* SPDX-License-Identifier: Apache-2.0 */
/* RegDevIDs and identifiers: the parser takes any octets, and what it takes is written back octet by octet. */
#include <stdlib.h>

#include "registry-fn/id/regdevid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_regdevid(struct bytes in)
{
	char text[REGDEVID_MAX + 1], urn[REGDEVID_URN_MAX + 1];
	struct regdevid id;
	const char *why;

	if (regdevid_parse(in, &id, &why) != GBA_OK)
		return;
	regdevid_format(&id, text);
	regdevid_to_urn(text, REGDEVID_NID, urn);
	if (!bytes_eq_str(in, text) || !bytes_eq(regdevid_from_urn(bytes_of(urn), REGDEVID_NID), in))
		abort();
}

/* Every scheme on the same text; a canonical form is its own canonical form, and survives its way through a RegDevID. */
static void check_identifier(const struct scheme *scheme, struct bytes in)
{
	char out[IDENTIFIER_MAX + 1], again[IDENTIFIER_MAX + 1];
	struct regdevid id = { .form = REGDEVID_SUFFIX, .reg_id = "IN1" };
	char text[REGDEVID_MAX + 1];
	const char *why;

	if (scheme_canonical(scheme, in, out, &why) != GBA_OK)
		return;
	if (scheme_canonical(scheme, bytes_of(out), again, &why) != GBA_OK || strcmp(out, again) != 0)
		abort();
	if (scheme_inherent(scheme, in, &id.scheme, id.identity, &why) != GBA_OK)
		return;
	regdevid_format(&id, text);
	if (regdevid_parse(bytes_of(text), &id, &why) != GBA_OK || id.kind != REGDEVID_OPEN)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = BYTES(data, size);
	size_t i;

	check_regdevid(in);
	for (i = 0; i < scheme_count; i++)
		check_identifier(&schemes[i], in);
	return 0;
}
