/* SPDX-License-Identifier: Apache-2.0 */
/** Which identities of a device the application is told (TS 24.109 7, TS 33.222 6.5), as the site's configuration says. */
#ifndef GBA_PROXY_IDENTITY_H
#define GBA_PROXY_IDENTITY_H

#include <talloc.h>

#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/proxy/conf.h"
#include "naf-adapter/proxy/fields.h"

/** @param _who  texts below mem_ctx, written on GBA_OK
 * @retval GBA_E_NOT_AUTHORIZED  none of the identities the site wants is known @retval GBA_E_NOMEM */
enum gba_err identity_of_result(TALLOC_CTX *mem_ctx, const struct site_conf *site, const struct gba_naf_result *result,
				struct asserted *_who);

#endif
