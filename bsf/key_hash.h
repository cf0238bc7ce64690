/* SPDX-License-Identifier: Apache-2.0 */
/** Hash for tables keyed by text from outside, different in each process. */
#ifndef GBA_BSF_KEY_HASH_H
#define GBA_BSF_KEY_HASH_H

#include "core/bytes.h"

uint64_t key_hash(struct bytes key);

#endif
