/* SPDX-License-Identifier: Apache-2.0 */
/** RPB beside Zh: whether an application is permitted to a user (Y.3056 10.4-3b), and notices to BSFs. */
#ifndef GBA_HSS_RPB_H
#define GBA_HSS_RPB_H

#include "dia/y3056.h"
#include "hss-stub/hss.h"
#include "hss-stub/permissions.h"

struct hss_rpb;

/** Once, at load. Without dict_y3056: GBA_OK, and the node is a plain HSS. */
enum gba_err hss_rpb_resolve(void);
/** What the AVP says of a grant, or of why there is none; the views live as long as the grant.
 * @param err  of permissions_find
 * @return false: nothing can be said (unknown application, the store failed) */
bool hss_rpb_permission(TALLOC_CTX *mem_ctx, enum gba_err err, const struct grant *grant, struct y3056_permission *_said);

/** Serve Permission-Queries and tell the outbox. conf, kek and permissions outlive it. *_rpb NULL: dict_y3056 is not loaded.
 * @param _why  static, or below mem_ctx */
enum gba_err hss_rpb_start(TALLOC_CTX *mem_ctx, const struct hss_conf *conf, struct kek *kek, struct permissions *permissions,
			   struct hss_rpb **_rpb, const char **_why);
/** NULL passes. Ends the requests of this extension (dia_requests_stop). */
void hss_rpb_stop(struct hss_rpb *rpb);

#endif
