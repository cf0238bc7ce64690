/* SPDX-License-Identifier: Apache-2.0 */
/** Zh server: Multimedia-Auth-Request (TS 29.109 4.2). */
#ifndef GBA_HSS_ZH_H
#define GBA_HSS_ZH_H

#include "hss-stub/hss.h"

struct hss_zh;

/** Start serving. conf, auc and audit (NULL: no log kept) must outlive it; zh_resolve() has been called. */
enum gba_err hss_zh_start(TALLOC_CTX *mem_ctx, const struct hss_conf *conf, struct auc *auc, struct audit *audit,
			  struct hss_zh **_zh);
/** No new requests; those with the AuC are answered when it closes. Free zh after that. */
void hss_zh_stop(struct hss_zh *zh);

#endif
