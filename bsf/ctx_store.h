/* SPDX-License-Identifier: Apache-2.0 */
/** Where bootstrap contexts live: an interface, so that LMDB (one node) and a shared store (a pool of BSFs) are told apart by
 * nobody else. It is also what the bootstrapping function (ub.c, which puts) and the token management function (zn.c and
 * grant.c, which find) have of each other (Y.3056 9.1; what is pushed goes by push.h at once). All functions may be called
 * from any thread. */
#ifndef GBA_BSF_CTX_STORE_H
#define GBA_BSF_CTX_STORE_H

#include "bsf/ctx.h"

#define CTX_REVISIONS_MAX 256

struct ctx_store;

/** The outcome of a put, once: GBA_OK means that the context survives what the store promises to survive. Called from a
 * thread of the store or, before put returns, from the caller's; must not block. */
typedef void (*ctx_put_done)(void *arg, enum gba_err err);

/** What has changed for a user: its contexts end, or their USS lists become this one. */
struct ctx_revision {
	struct bytes impi;
	bool drop;
	const uint8_t *certificate; /* drop only what this one has made (CTX_CERT_LEN octets); NULL: all */
	struct bytes uss; /* not drop: packed by uss_pack(), at most CTX_USS_MAX octets */
};
/** A context that revision i has touched. Called from revise()'s thread, before it returns. */
typedef void (*ctx_revised)(void *arg, size_t i, const uint8_t rand[RAND_LEN]);

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
	/** Revocation and changed permissions (Y.3056 9.2.2, 9.4.1): carry out the revisions on every context whose put was
	 * acknowledged before the call, wherever it was put; when this returns, find sees it so on every node of a pool, and
	 * it is as durable as a put. Several at once cost little more than one. Puts and finds go on meanwhile. Blocks, up to
	 * seconds with millions of contexts: never from a thread that serves requests. A user's claims (CTX_CLAIM) go with drop.
	 * @param n  at most CTX_REVISIONS_MAX; no IMPI twice
	 * @retval GBA_E_IO, GBA_E_NOMEM, GBA_E_NOSPACE, GBA_E_UNREACHABLE  not all are done: repeat it */
	enum gba_err (*revise)(struct ctx_store *store, const struct ctx_revision *revisions, size_t n, ctx_revised each,
			       void *arg);
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
