/* SPDX-License-Identifier: Apache-2.0 */
/** The BSF's configuration: bsf.conf. */
#ifndef GBA_BSF_CONF_H
#define GBA_BSF_CONF_H

#include "audit/audit_conf.h"
#include "conf/conf.h"
#include "core/ident.h"

enum bsf_unknown { BSF_UNKNOWN_DENY, BSF_UNKNOWN_ALLOW, BSF_UNKNOWN_COUNT };
enum bsf_redis_check { BSF_REDIS_REFUSE, BSF_REDIS_WARN, BSF_REDIS_CHECK_COUNT };
enum bsf_digest { BSF_DIGEST_AKAV1, BSF_DIGEST_AKAV2, BSF_DIGEST_COUNT };

/** One address Ub is served on. */
struct bsf_listen {
	const char *listen, *cert, *key; /* cert and key empty: HTTP */
};
/** One address where devices bootstrap by their certificates (Y.3056 10.4-5). */
struct bsf_asym {
	const char *listen, *cert, *key;
	const char *device_ca, *device_crl; /* PEM files; device_crl empty: none */
};
/** Which HSS serves the IMPIs of a realm. */
struct bsf_hss {
	const char *impi_realm, *realm; /* domain of IMPIs; Destination-Realm */
	struct conf_strlist hosts;	/* asked one after the other; empty: Diameter routing chooses */
};
/** One NAF and what it may do (TS 29.109 5.2). */
struct bsf_naf {
	const char *identity;		    /* its Origin-Host */
	struct conf_strlist fqdns;	    /* names it may use in NAF-Id; "*.example.com": everything below */
	struct conf_strlist ua_protocols;   /* Ua security protocol identifiers, 10 hex digits or fewer and '*'; empty: any */
	const char *naf_group;		    /* "": none */
	struct conf_strlist gsids;	    /* GSIDs it may ask for; "*": any */
	bool impi_allowed, uss_required, allow_2g, permission_required, single, declarations;
	uint32_t key_lifetime; /* [s] 0: as long as the Ks */
	uint32_t rate, burst;  /* [1/s], requests; 0: no limit, a second's */
};

struct bsf_conf {
	struct conf_common common;
	struct audit_items audit;
	const char *name; /* FQDN: realm of the Digest, right part of every B-TID */
	uint32_t key_lifetime;
	uint32_t digest; /* enum bsf_digest */
	bool tmpi, gba_2g;
	struct conf_strlist sim_only;
	struct conf_groups ub; /* struct bsf_listen */
	struct conf_groups asymmetric; /* struct bsf_asym */
	struct conf_strlist ub_paths;
	uint32_t ub_threads, ub_max_connections, ub_max_per_source, ub_head_timeout, ub_idle_timeout;
	uint32_t challenge_lifetime, pending_max, pending_per_source, ask_interval;
	uint32_t wrong_limit, wrong_hold, resync_rounds;
	struct conf_groups hss; /* struct bsf_hss */
	uint32_t zh_timeout, zh_in_flight, guss_cache;
	struct conf_groups nafs; /* struct bsf_naf */
	uint32_t permission_unknown; /* enum bsf_unknown */
	const char *realm_profile, *token_format;
	bool token_reports;
	const char *store_dir, *kek_file;
	uint32_t store_max, store_sync;
	const char *store_redis, *redis_user, *redis_password_file, *redis_ca, *redis_cert, *redis_key, *redis_prefix;
	uint32_t redis_timeout, redis_check; /* [ms]; enum bsf_redis_check */
	const char *metrics_listen;
};

extern const struct conf_item bsf_conf_items[];

/** Checks between items. */
enum gba_err bsf_conf_check(const void *conf, struct conf_error *_error);

/** The HSS row for an IMPI: the longest realm it lies in; NULL: none of ours. */
const struct bsf_hss *bsf_conf_hss(const struct bsf_conf *conf, struct bytes impi);
/** Is the user known to have a SIM only? */
bool bsf_conf_sim_only(const struct bsf_conf *conf, struct bytes impi);
/** The NAF with this Diameter identity (no case); NULL: not one of ours. */
const struct bsf_naf *bsf_conf_naf(const struct bsf_conf *conf, struct bytes identity);
/** Can a B-TID serve one application alone, by the NAF's row or its declarations? */
bool bsf_conf_any_single(const struct bsf_conf *conf);
/** May the NAF use this name, this protocol; may it ask for this GSID? */
bool bsf_naf_fqdn(const struct bsf_naf *naf, struct bytes fqdn);
bool bsf_naf_protocol(const struct bsf_naf *naf, const uint8_t ua_id[UA_ID_LEN]);
bool bsf_naf_gsid(const struct bsf_naf *naf, uint32_t gsid);

#endif
