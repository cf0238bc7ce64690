/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_conf.h"

const char *audit_items_path(TALLOC_CTX *mem_ctx, const struct audit_items *items, const char *beside)
{
	if (strcmp(items->log, "none") == 0)
		return NULL;
	return items->log[0] != '\0' ? items->log : talloc_asprintf(mem_ctx, "%s", beside);
}

enum gba_err audit_open_items(TALLOC_CTX *mem_ctx, const struct audit_items *items, const char *beside, const char *node,
			      struct audit **_audit, const char **_error)
{
	struct audit_conf conf = { .path = audit_items_path(mem_ctx, items, beside),
				   .node = node,
				   .rotate_at = (uint64_t)items->rotate_mib << 20 };

	*_audit = NULL;
	if (conf.path == NULL)
		return GBA_OK;
	conf.key_file = items->key_file[0] != '\0' ? items->key_file : talloc_asprintf(mem_ctx, "%s.key", conf.path);
	if (conf.key_file != NULL)
		return audit_open(mem_ctx, &conf, _audit, _error);
	*_error = gba_strerror(GBA_E_NOMEM);
	return GBA_E_NOMEM;
}
