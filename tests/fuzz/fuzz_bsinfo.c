/* SPDX-License-Identifier: Apache-2.0 */
/* BootstrappingInfo: what is accepted with a B-TID that is one comes back from our own document. */
#include <stdlib.h>
#include <talloc.h>

#include "core/ident.h"
#include "xml/bsinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	uint8_t rand[RAND_LEN];
	struct bsinfo a, b;

	if (bsinfo_parse(ctx, BYTES(data, size), &a) == GBA_OK && btid_parse(bytes_of(a.btid), rand, NULL) == GBA_OK) {
		if (bsinfo_parse(ctx, bytes_of(bsinfo_build(ctx, &a)), &b) != GBA_OK || strcmp(a.btid, b.btid) != 0 ||
		    a.lifetime != b.lifetime || a.change_awaited != b.change_awaited)
			abort();
	}
	talloc_free(ctx);
	return 0;
}
