/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/ctx_sealed.h"

#include "core/secret.h"

#define REC_ON_STACK 1024 /* records up to this are unsealed without an allocation */

enum gba_err ctx_sealed_write(struct kek *kek, struct bytes about, const struct ctx *ctx, uint8_t *out)
{
	size_t n = ctx_rec_size(ctx);
	uint8_t plain[CTX_REC_MAX];
	enum gba_err err;

	ctx_rec_write(ctx, plain);
	err = seal(kek, about, BYTES(plain, n), out);
	secret_wipe(plain, n);
	return err;
}

enum gba_err ctx_sealed_open(struct kek *kek, TALLOC_CTX *mem_ctx, struct bytes about, struct bytes sealed, struct ctx **_ctx)
{
	uint8_t small[REC_ON_STACK], *plain = small;
	size_t n = sealed.n - SEAL_OVERHEAD;
	struct ctx ctx, *copy;
	enum gba_err err;

	if (about.n < RAND_LEN || sealed.n < SEAL_OVERHEAD + CTX_REC_FIXED || n > CTX_REC_MAX)
		return GBA_E_CORRUPT;
	if (n > sizeof(small)) {
		plain = talloc_size(mem_ctx, n);
		if (plain == NULL)
			return GBA_E_NOMEM;
	}
	err = unseal(kek, about, sealed, plain);
	if (err == GBA_OK)
		err = ctx_rec_read(about.p, BYTES(plain, n), &ctx);
	if (err == GBA_OK) {
		copy = ctx_dup(mem_ctx, &ctx);
		if (copy != NULL)
			*_ctx = copy;
		else
			err = GBA_E_NOMEM;
		SECRET_WIPE(ctx);
	}
	secret_wipe(plain, n);
	if (plain != small)
		talloc_free(plain);
	return err;
}

enum gba_err ctx_alive_only(struct ctx *ctx, time_t now, struct ctx **_ctx)
{
	if (ctx->expires <= now) {
		talloc_free(ctx);
		return GBA_E_BTID_UNKNOWN;
	}
	*_ctx = ctx;
	return GBA_OK;
}
