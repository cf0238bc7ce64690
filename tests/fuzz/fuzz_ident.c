/* SPDX-License-Identifier: Apache-2.0 */
/* B-TID, NAF-Id, IMPI, IMSI and xs:dateTime: whatever comes in, what is accepted must survive a round trip. */
#include <stdlib.h>

#include "core/clock.h"
#include "core/ident.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_btid(struct bytes in)
{
	char text[BTID_MAX + 1];
	uint8_t rand[RAND_LEN];
	struct bytes fqdn;

	if (btid_parse(in, rand, &fqdn) != GBA_OK)
		return;
	btid_format(rand, fqdn, text);
	if (!bytes_eq_str(in, text))
		abort();
}

static void check_naf_id(struct bytes in)
{
	uint8_t out[NAF_ID_MAX];
	struct naf_id id;

	if (naf_id_parse(in, &id) == GBA_OK && naf_id_build(id.fqdn, id.ua_id, out) != in.n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = BYTES(data, size);
	char impi[IMPI_MAX + 1], text[TIME_TEXT_LEN + 1];
	time_t when;

	check_btid(in);
	check_naf_id(in);
	if (impi_valid(in) && !fqdn_valid(impi_realm(in)))
		abort();
	if (impi_from_imsi(in, 2, impi) == GBA_OK && !impi_valid(bytes_of(impi)))
		abort();
	if (time_parse(in, &when) == GBA_OK)
		time_format(when, text);
	return 0;
}
