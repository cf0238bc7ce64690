/* SPDX-License-Identifier: Apache-2.0 */
/** Another key for this registry. */
#ifndef GBA_REGISTRY_KEY_CHANGE_H
#define GBA_REGISTRY_KEY_CHANGE_H

#include "registry-fn/conf.h"

struct key_change {
	int64_t events, heads; /* signed again */
};
/** The key that stands in key-file becomes the registry's: all it has ever said and every head of its log that was kept are
 * signed with it, in one transaction. While the node does not run.
 * @param _why  below mem_ctx or static @retval GBA_E_CONF  the database is another registry's  @retval GBA_E_EXISTS  it has
 * this key already */
enum gba_err registry_key_change(TALLOC_CTX *mem_ctx, const struct registry_conf *conf, time_t now, struct key_change *_change,
				 const char **_why);

#endif
