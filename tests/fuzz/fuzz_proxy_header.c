/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY protocol version 2: any octets, cut anywhere; an accepted header lies within the input. */
#include <stdlib.h>

#include "naf-adapter/proxy/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct px_header header, cut;
	enum px_result got = px_parse(BYTES(data, size), &header), early = PX_MORE;
	size_t n;

	if (got == PX_DONE && (header.octets > size || header.octets > PX_HEADER_MAX))
		abort();
	if (got == PX_DONE && header.authority.p != NULL &&
	    (header.authority.p < data || header.authority.p + header.authority.n > data + header.octets))
		abort();
	for (n = 0; n <= size && n <= PX_HEADER_MAX && early == PX_MORE; n++)
		early = px_parse(BYTES(data, n), &cut);
	if (got != PX_MORE && early != got)
		abort();
	if (got == PX_DONE && n - 1 != header.octets)
		abort();
	return 0;
}
