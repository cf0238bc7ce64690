/* SPDX-License-Identifier: Apache-2.0 */
/** A USS list in few octets, for records and caches: a tenth of its XML (TS 29.109 Annex A), and read without libxml2. */
#ifndef GBA_BSF_USS_PACK_H
#define GBA_BSF_USS_PACK_H

#include <talloc.h>

#include "xml/guss.h"

/** @param _packed  below mem_ctx; n == 0 when there is no USS
 * @retval GBA_E_TOO_LONG  more than CTX_USS_MAX octets
 * @retval GBA_E_NOMEM */
enum gba_err uss_pack(TALLOC_CTX *mem_ctx, const struct guss *guss, struct bytes *_packed);
/** @param _guss  below mem_ctx, uss members only
 * @retval GBA_E_CORRUPT, GBA_E_NOMEM */
enum gba_err uss_unpack(TALLOC_CTX *mem_ctx, struct bytes packed, struct guss **_guss);

#endif
