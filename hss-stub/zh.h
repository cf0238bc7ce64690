/* SPDX-License-Identifier: Apache-2.0 */
/** Zh server: Multimedia-Auth-Request (TS 29.109 4.2). */
#ifndef GBA_HSS_ZH_H
#define GBA_HSS_ZH_H

#include "hss-stub/hss.h"
#include "hss-stub/permissions.h"

struct hss_zh;

/** What it works with; all outlive it. */
struct hss_zh_parts {
	const struct hss_conf *conf;
	struct auc *auc;
	struct audit *audit;		 /* NULL: no log kept */
	struct permissions *permissions; /* NULL: not told with vectors */
};
/** Start serving; zh_resolve() has been called. */
enum gba_err hss_zh_start(TALLOC_CTX *mem_ctx, const struct hss_zh_parts *parts, struct hss_zh **_zh);
/** No new requests; those with the AuC are answered when it closes. Free zh after that. */
void hss_zh_stop(struct hss_zh *zh);

#endif
