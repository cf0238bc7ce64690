/* SPDX-License-Identifier: Apache-2.0 */
/** Certificate-Queries on RPB (Y.3056 10.4-5): is the certificate whose key a device has proved to have this user's, and what may
 * the user have? */
#ifndef GBA_HSS_CERTS_H
#define GBA_HSS_CERTS_H

#include "audit/audit.h"
#include "hss-stub/hss.h"
#include "hss-stub/permissions.h"

struct hss_certs;

struct hss_certs_parts {
	const struct hss_conf *conf;
	struct kek *kek;
	struct permissions *permissions;
	struct audit *audit;
};
/** Serve them; after hss_rpb_start() has found RPB in the dictionary. The parts outlive it.
 * @param _why  static, or below mem_ctx */
enum gba_err hss_certs_start(TALLOC_CTX *mem_ctx, const struct hss_certs_parts *parts, struct hss_certs **_certs,
			     const char **_why);
void hss_certs_stop(struct hss_certs *certs); /* NULL passes */

#endif
