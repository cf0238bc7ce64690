/* SPDX-License-Identifier: Apache-2.0 */
/** A bootstrap context's record as every store keeps it: sealed, and bound to what stands in clear beside it. */
#ifndef GBA_BSF_CTX_SEALED_H
#define GBA_BSF_CTX_SEALED_H

#include "bsf/ctx.h"
#include "crypto/seal.h"

/** @param about  begins with the RAND
 * @param out    ctx_rec_size(ctx) + SEAL_OVERHEAD octets */
enum gba_err ctx_sealed_write(struct kek *kek, struct bytes about, const struct ctx *ctx, uint8_t *out);
/** @param _ctx  private copy below mem_ctx, wiped when freed
 * @retval GBA_E_CORRUPT  altered, another record's, or sealed under another key  @retval GBA_E_NOMEM */
enum gba_err ctx_sealed_open(struct kek *kek, TALLOC_CTX *mem_ctx, struct bytes about, struct bytes sealed, struct ctx **_ctx);
/** What the expiry has left of it. @retval GBA_E_BTID_UNKNOWN  nothing: ctx is freed */
enum gba_err ctx_alive_only(struct ctx *ctx, time_t now, struct ctx **_ctx);

#endif
