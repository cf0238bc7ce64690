/* SPDX-License-Identifier: Apache-2.0 */
/** What the network side asks of the mapping function while it serves requests: a few handles for all threads, since a look-up is
 * one indexed read. */
#ifndef GBA_HSS_PERMISSIONS_H
#define GBA_HSS_PERMISSIONS_H

#include "hss-stub/mapping/grant.h"

struct permissions;

/** @param kek  lives longer  @param _error  for the operator, below mem_ctx; errors as mapping_open */
enum gba_err permissions_open(TALLOC_CTX *mem_ctx, const char *database, struct kek *kek, struct permissions **_permissions,
			      const char **_error);
/** As grant_find, now. @param _grant  below mem_ctx */
enum gba_err permissions_find(struct permissions *permissions, TALLOC_CTX *mem_ctx, struct bytes impi, struct bytes fqdn,
			      struct grant **_grant);

#endif
