/* SPDX-License-Identifier: Apache-2.0 */
/** Which identities a file has named already: a set of 128-bit digests, 32 octets per entry at most half full. */
#ifndef GBA_CTL_SEEN_H
#define GBA_CTL_SEEN_H

#include <talloc.h>

#include "core/bytes.h"

struct seen;

struct seen *seen_new(TALLOC_CTX *ctx);
/** Remember text with its line. @return 0: first time; else the line it was first seen at; UINT64_MAX: out of memory */
uint64_t seen_add(struct seen *seen, struct bytes text, uint64_t line);

#endif
