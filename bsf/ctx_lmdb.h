/* SPDX-License-Identifier: Apache-2.0 */
/** Bootstrap contexts in LMDB: sealed, many committed at once, one page after the other in their order of arrival. Where each
 * lies is known in memory by RAND and TMPI (ctx_index.h), and read from the store at start. */
#ifndef GBA_BSF_CTX_LMDB_H
#define GBA_BSF_CTX_LMDB_H

#include "bsf/ctx_store.h"
#include "crypto/seal.h"

enum ctx_sync {
	CTX_SYNC_FULL,	  /* a commit is on disk before it is acknowledged: survives loss of power */
	CTX_SYNC_PROCESS, /* it is with the kernel: survives the end of the process */
	CTX_SYNC_COUNT
};

struct ctx_lmdb_conf {
	const char *dir;	  /* made with mode 0700 when absent */
	uint32_t max_mb;	  /* [MiB] the file grows to this, then puts are refused (GBA_E_NOSPACE) */
	uint32_t sync;		  /* enum ctx_sync */
	struct kek *kek;	  /* lives longer than the store */
	time_t (*now)(void);	  /* for expiry in the background; NULL: clock_now */
	unsigned int purge_ms;	  /* [ms] between looks for expired contexts; 0: one second */
};

/** @param _store  below mem_ctx
 * @param _error   text for the operator below mem_ctx, on failure
 * @retval GBA_E_CORRUPT  written by something else, or sealed under another key */
enum gba_err ctx_lmdb_open(TALLOC_CTX *mem_ctx, const struct ctx_lmdb_conf *conf, struct ctx_store **_store, const char **_error);

#endif
