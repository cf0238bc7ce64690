/* SPDX-License-Identifier: Apache-2.0 */
/* Records of bootstrap contexts and packed USS lists: what is accepted must write back to the same octets. */
#include <stdlib.h>

#include "bsf/ctx.h"
#include "bsf/uss_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(struct bytes in)
{
	static const uint8_t rand[RAND_LEN];
	uint8_t out[CTX_REC_MAX];
	struct ctx ctx;

	if (ctx_rec_read(rand, in, &ctx) != GBA_OK)
		return;
	if (ctx_rec_size(&ctx) != in.n)
		abort();
	ctx_rec_write(&ctx, out);
	if (!bytes_eq(in, BYTES(out, in.n)))
		abort();
}

static void check_list(TALLOC_CTX *mem_ctx, struct bytes in)
{
	struct bytes again;
	struct guss *guss;

	if (uss_unpack(mem_ctx, in, &guss) != GBA_OK)
		return;
	if (uss_pack(mem_ctx, guss, &again) == GBA_OK && again.n > 0 && !bytes_eq(in, again))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct bytes in = BYTES(data, size);

	check_record(in);
	check_list(mem_ctx, in);
	talloc_free(mem_ctx);
	return 0;
}
