/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/identity.h"

#include "naf-adapter/shared/release.h"

enum gba_err identity_of_result(TALLOC_CTX *mem_ctx, const struct site_conf *site, const struct gba_naf_result *result,
				struct asserted *_who)
{
	const char *btid = talloc_strdup(mem_ctx, gba_naf_result_btid(result));
	struct released told;
	enum gba_err err;

	if (btid == NULL)
		return GBA_E_NOMEM;
	err = release_of_result(mem_ctx, site->identity, site->flags_header, result, &told);
	if (err != GBA_OK)
		return err;
	*_who = (struct asserted){ .list = bytes_of(told.list), .user = bytes_of(told.user), .btid = bytes_of(btid) };
	if (told.flags != NULL)
		_who->flags = bytes_of(told.flags);
	return GBA_OK;
}
