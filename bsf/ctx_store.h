/* SPDX-License-Identifier: Apache-2.0 */
/** Where bootstrap contexts live: an interface, so that LMDB (one node) and a shared store (a pool of BSFs) are told apart by
 * nobody else. All functions may be called from any thread. */
#ifndef GBA_BSF_CTX_STORE_H
#define GBA_BSF_CTX_STORE_H

#include "bsf/ctx.h"

struct ctx_store;

/** The outcome of a put, once: GBA_OK means that the context survives what the store promises to survive. Called from a
 * thread of the store or, before put returns, from the caller's; must not block. */
typedef void (*ctx_put_done)(void *arg, enum gba_err err);

struct ctx_store_ops {
	/** Store a new context; ctx may go when this returns.
	 * @param mem_ctx  lives until done has been called; nobody else allocates below it meanwhile
	 * @return GBA_OK: done will be called; else it is not: GBA_E_NOMEM, GBA_E_BUSY, GBA_E_IO
	 * done gets: GBA_E_EXISTS (RAND used before: the stored one stays), GBA_E_NOSPACE, GBA_E_IO */
	enum gba_err (*put)(struct ctx_store *store, TALLOC_CTX *mem_ctx, const struct ctx *ctx, ctx_put_done done, void *arg);
	/** @param _ctx  private copy below mem_ctx, wiped when freed; written on GBA_OK only
	 * @retval GBA_E_BTID_UNKNOWN  never stored, or expired at `now`
	 * @retval GBA_E_IO, GBA_E_CORRUPT, GBA_E_NOMEM  the store failed: nothing is known about the context */
	enum gba_err (*find)(struct ctx_store *store, TALLOC_CTX *mem_ctx, const uint8_t rand[RAND_LEN], time_t now,
			     struct ctx **_ctx);
	/** The context whose run made this TMPI; its errors as find. The caller verifies the TMPI's other octets. */
	enum gba_err (*find_tmpi)(struct ctx_store *store, TALLOC_CTX *mem_ctx, const uint8_t tmpi[CTX_TMPI_LEN], time_t now,
				  struct ctx **_ctx);
	/** Contexts held, for the gauge. */
	uint64_t (*count)(struct ctx_store *store);
	/** Can it acknowledge a put now? For /readyz. */
	bool (*usable)(struct ctx_store *store);
	/** Finish what was put, then free the store. Nobody may call it any more. */
	void (*close)(struct ctx_store *store);
};

/** First member of every implementation. */
struct ctx_store {
	const struct ctx_store_ops *ops;
};

#endif
