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

enum hss_wrap { HSS_WRAP_X25519, HSS_WRAP_SHARED };

/** Another operator with whom there is an agreement about changes of operator (Y.3056 10.6.1 note). */
struct hss_operator {
	const char *realm, *host; /* Diameter realm: its name; Diameter identity of its authorization element */
	const char *public_key;	  /* 128 hex digits, as gba-ctl change key prints them there */
	uint32_t wrap;		  /* enum hss_wrap */
	const char *shared_key_file;
};

struct hss_conf {
	struct conf_common common;
	struct audit_items audit;
	const char *database, *kek_file, *metrics_listen;
	uint32_t lease_min, lease_max; /* [SEQs] */
	uint32_t queue, cache_mib, store_ms;
	struct conf_groups bsfs; /* of struct hss_bsf */
	struct api_conf api;
	const char *operator_key, *change_bsf;
	uint32_t change_deadline, change_level;
	struct conf_groups operators; /* of struct hss_operator */
};

extern const struct conf_item hss_conf_items[];
/** The audit log's name when none is given: beside the database, below mem_ctx. NULL: out of memory. */
const char *hss_conf_audit_log(TALLOC_CTX *mem_ctx, const char *database);
/** Checks between items (struct hss_conf): lease sizes, identities and INDs given twice. */
enum gba_err hss_conf_check(const void *conf, struct conf_error *_error);

#endif
