/* SPDX-License-Identifier: Apache-2.0 */
/** Reports of tokens on their way into the database: written in a thread of its own, many in one transaction. */
#ifndef GBA_HSS_TOKENS_H
#define GBA_HSS_TOKENS_H

#include "hss-stub/mapping/grant.h"

#define TOKENS_QUEUE_MAX 1024 /* reports that wait */

struct tokens;

/** @param kek  lives longer  @param _error  for the operator, below mem_ctx; errors as mapping_open, GBA_E_INTERNAL (no thread) */
enum gba_err tokens_start(TALLOC_CTX *mem_ctx, const char *database, struct kek *kek, struct tokens **_tokens, const char **_error);
/** Copies all. done is called once, from the tokens' thread, when they are durable or could not be kept.
 * @param entries  texts of core/token_entry.h, checked @retval GBA_E_BUSY, GBA_E_NOMEM: done is not called */
enum gba_err tokens_add(struct tokens *tokens, struct bytes bsf, const struct bytes *entries, size_t n,
			void (*done)(void *arg, enum gba_err err), void *arg);
/** Those that wait are done with GBA_E_BUSY; ends the thread. NULL passes. */
void tokens_stop(struct tokens *tokens);

#endif
