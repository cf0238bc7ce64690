/* SPDX-License-Identifier: Apache-2.0 */
/** Where a context lies, by the hash of its RAND or of its TMPI: 16 octets each in tables at most three quarters full, in
 * memory only, because keys as random as these would have a store on disk rewrite a page for every one of them. Thread-safe.
 * A hash stands for its key (two of them meet once in 2^64 pairs): whoever finds a place compares what lies there. */
#ifndef GBA_BSF_CTX_INDEX_H
#define GBA_BSF_CTX_INDEX_H

#include <stdint.h>

#include "core/err.h"

struct ctx_index;

/** @param expected  keys to come at once, so that the tables need not grow meanwhile. NULL: out of memory */
struct ctx_index *ctx_index_new(uint64_t expected);
void ctx_index_free(struct ctx_index *index);
/** @param place  not 0
 * @retval GBA_E_EXISTS  the key has a place, and keeps it @retval GBA_E_NOMEM */
enum gba_err ctx_index_add(struct ctx_index *index, uint64_t hash, uint64_t place);
/** The same, but the newest wins. @retval GBA_E_NOMEM */
enum gba_err ctx_index_set(struct ctx_index *index, uint64_t hash, uint64_t place);
/** 0: none. */
uint64_t ctx_index_find(struct ctx_index *index, uint64_t hash);
/** Forget the key if this is its place. */
void ctx_index_remove(struct ctx_index *index, uint64_t hash, uint64_t place);

#endif
