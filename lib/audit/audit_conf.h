/* SPDX-License-Identifier: Apache-2.0 */
/** The configuration items of a role that keeps an audit log. */
#ifndef GBA_AUDIT_AUDIT_CONF_H
#define GBA_AUDIT_AUDIT_CONF_H

#include "audit/audit.h"
#include "conf/conf.h"

#define AUDIT_ROTATE_MIB 256

struct audit_items {
	const char *log, *key_file;
	uint32_t rotate_mib;
};
/** To be put into a role's table: CONF_AUDIT(struct hss_conf, audit, "beside the database"). */
#define CONF_AUDIT(st, m, where)                                                                                               \
	CONF_STR("audit-log", "", 0, 220, NULL, st, m.log,                                                                     \
		 "Append who got or changed what, chained and signed; none: off; empty: " where),                              \
	CONF_STR("audit-key", "", 0, 240, NULL, st, m.key_file,                                                                \
		 "Key that signs it; made (0600) when absent; empty: the log's name with .key"),                               \
	CONF_U32("audit-rotate", 256, 0, 1048576, "MiB", st, m.rotate_mib, "Begin a new file beyond this; 0: never")

/** Open what the items say. @param beside  the log's name when none is given @param node  who writes
 * @param _audit  NULL when the log is off  @param _error  as audit_open() */
enum gba_err audit_open_items(TALLOC_CTX *mem_ctx, const struct audit_items *items, const char *beside, const char *node,
			      struct audit **_audit, const char **_error);
/** The log's path by the items, below mem_ctx; NULL: off (or out of memory). */
const char *audit_items_path(TALLOC_CTX *mem_ctx, const struct audit_items *items, const char *beside);

#endif
