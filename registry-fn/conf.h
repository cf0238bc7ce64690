/* SPDX-License-Identifier: Apache-2.0 */
/** Configuration of the trust registry: registry.conf. Each room has its items in its own group of members. */
#ifndef GBA_REGISTRY_CONF_H
#define GBA_REGISTRY_CONF_H

#include "audit/audit_conf.h"
#include "conf/conf.h"
#include "conf/role.h"
#include "registry-fn/peer/peer_conf.h"
#include "rest/notice.h"
#include "rest/rest.h"

#define REGISTRY_DATABASE GBA_LOCALSTATEDIR "/registry.db"
#define REGISTRY_KEK_FILE GBA_LOCALSTATEDIR "/registry.kek"
#define REGISTRY_KEY_FILE GBA_LOCALSTATEDIR "/registry.key"

/** What a registry is in its hierarchy (Y.3059 9.1): devices register at primary ones only. */
enum registry_type { REGISTRY_PRIMARY, REGISTRY_SECTORAL, REGISTRY_GEOGRAPHICAL, REGISTRY_TYPES };
extern const char *const registry_type_names[]; /* by value, NULL-terminated */
/** What becomes of a device without a root of trust (Y.3059 7-iii). */
enum root_policy { ROOT_POLICY_REQUIRED, ROOT_POLICY_GREY };

struct registry_conf {
	struct conf_common common;
	const char *reg_id, *name, *parent; /* parent: RegID, "": a root */
	uint32_t reg_type;		    /* enum registry_type */
	uint32_t regdevid_form;		    /* enum regdevid_form */
	bool hide_identity, tell_custodians;
	const char *urn_namespace;
	const char *device_socket; /* "": no door */
	struct conf_strlist device_users, primaries;
	uint32_t root_policy; /* enum root_policy */
	bool custodian_required;
	struct conf_strlist critical_kinds;
	uint32_t critical_level;
	uint32_t unlisted_makers, uncertified_models, unlisted_identifiers, unmapped_units; /* enum listing_policy */
	uint32_t contradictions; /* enum contradiction_policy */
	uint32_t devices_per_subscription;
	uint32_t acknowledge_time, report_interval, report_grace, report_check; /* [s] */
	const char *database, *kek_file, *key_file, *metrics_listen;
	uint32_t store_ms; /* [ms] */
	uint32_t store_warm; /* [MiB] */
	uint32_t log_head_interval; /* [s] */
	struct peering_conf peering;
	const char *practice_statement;
	const char *trqp_authority; /* "": no TRQP */
	uint32_t challenge_life, session_life, interrogation_life; /* [s] */
	struct conf_groups trust_rules; /* of struct trust_rule_conf */
	bool four_eyes;
	uint32_t fix_days_critical, fix_days_high, fix_days_medium, fix_days_low; /* [days] */
	struct rest_conf api;
	struct notice_conf webhook; /* of subscribers */
	uint32_t tell_receivers, tell_dead_letters, stream_max, stream_beat, stream_stall; /* beat, stall: [ms] */
	struct audit_items audit;
};

extern const struct conf_item registry_conf_items[];
extern const struct role registry_role;

/** The audit log's name when none is given, below mem_ctx; NULL: out of memory. */
const char *registry_conf_audit_log(TALLOC_CTX *mem_ctx, const char *database);

/** Checks between items (struct registry_conf). */
enum gba_err registry_conf_check(const void *conf, struct conf_error *_error);

#endif
