/* SPDX-License-Identifier: Apache-2.0 */
/** Configuration of hss-stub: hss.conf. */
#ifndef GBA_HSS_CONF_H
#define GBA_HSS_CONF_H

#include "audit/audit_conf.h"
#include "conf/conf.h"
#include "hss-stub/api/api.h"

/** A BSF that may ask, by the Origin-Host the guard has made sure of. */
struct hss_bsf {
	const char *identity;
	uint32_t ind;               /* of all its SQNs (TS 33.102 C.3.4) */
	struct conf_strlist realms; /* of IMPIs: "example.com", or ".example.com" for what is below; "*" for any */
};

struct hss_conf {
	struct conf_common common;
	struct audit_items audit;
	const char *database, *kek_file, *metrics_listen;
	uint32_t lease_min, lease_max; /* [SEQs] */
	uint32_t queue, cache_mib;
	struct conf_groups bsfs; /* of struct hss_bsf */
	struct api_conf api;
};

extern const struct conf_item hss_conf_items[];
/** The audit log's name when none is given: beside the database, below mem_ctx. NULL: out of memory. */
const char *hss_conf_audit_log(TALLOC_CTX *mem_ctx, const char *database);
/** Checks between items (struct hss_conf): lease sizes, identities and INDs given twice. */
enum gba_err hss_conf_check(const void *conf, struct conf_error *_error);

#endif
