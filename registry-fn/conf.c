/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/conf.h"

#include "core/ident.h"
#include "core/log.h"
#include "http/server.h"
#include "registry-fn/listing/listing.h"
#include "registry-fn/record/kinds.h"
#include "registry-fn/trust/policy.h"
#include "registry-fn/id/regdevid.h"
#include "store/db.h"

const char *const registry_type_names[] = { "primary", "sectoral", "geographical", NULL };
static const char *const root_policy_names[] = { "required", "grey", NULL };

/* Namespace identifier (RFC 8141 2): letters, digits, '-', not at its ends. */
static bool nid_valid(struct bytes text)
{
	return fqdn_valid(text) && memchr(text.p, '.', text.n) == NULL && memchr(text.p, '_', text.n) == NULL && text.p[0] != '-' &&
	       text.p[text.n - 1] != '-';
}

static bool kind_valid(struct bytes text)
{
	size_t i;

	for (i = 0; reg_device_kind_words[i] != NULL; i++) {
		if (bytes_eq_str(text, reg_device_kind_words[i]))
			return true;
	}
	return false;
}

const struct conf_item registry_conf_items[] = {
	CONF_COMMON(struct registry_conf, common),
	CONF_STR("reg-id", NULL, 1, REGID_MAX, regid_valid, struct registry_conf, reg_id,
		 "RegID of this registry: A-Z and 0-9, given by its parent"),
	CONF_STR("name", "", 0, 255, NULL, struct registry_conf, name, "What people call it"),
	CONF_ENUM("reg-type", "primary", registry_type_names, struct registry_conf, reg_type,
		  "What it is in its hierarchy: devices register at primary ones only"),
	CONF_STR("parent", "", 0, REGID_MAX, NULL, struct registry_conf, parent,
		 "RegID of the registry above; empty: none, the root of a hierarchy"),
	CONF_ENUM("regdevid-form", "prefix", regdevid_form_words, struct registry_conf, regdevid_form,
		  "Does the RegID stand before or behind the device's identity?"),
	CONF_BOOL("hide-identity", false, struct registry_conf, hide_identity,
		  "RegDevIDs hold a keyed digest of the device's identity, not the identity"),
	CONF_BOOL("tell-custodians", false, struct registry_conf, tell_custodians,
		  "Tell, over bonds that carry custodians, the account a device belongs to: nothing else of a custodian"),
	CONF_STR("urn-namespace", REGDEVID_NID, 2, 32, nid_valid, struct registry_conf, urn_namespace,
		 "Namespace of the URN form of RegDevIDs"),
	CONF_STR("device-socket", "", 0, 107, NULL, struct registry_conf, device_socket,
		 "UNIX socket for gba-naf-proxy and gba-naf-coap, upstream of the devices' site; empty: no devices"),
	CONF_STRLIST("device-users", "", 1, 64, NULL, struct registry_conf, device_users,
		     "Users those run as, by name or number, besides the registry's own"),
	CONF_STRLIST("primaries", "", 1, 255, NULL, struct registry_conf, primaries,
		     "Sectoral, geographical: where devices register instead; told to those who come here"),
	CONF_ENUM("root-of-trust", "required", root_policy_names, struct registry_conf, root_policy,
		  "Devices without a root of trust: refused, or registered but never White"),
	CONF_BOOL("custodian-required", false, struct registry_conf, custodian_required,
		  "Refuse devices for which no verified custodian answers"),
	CONF_STRLIST("critical-kinds", "", 1, 32, kind_valid, struct registry_conf, critical_kinds,
		     "Kinds of device of mission-critical use cases: they need a custodian verified to critical-level"),
	CONF_U32("critical-level", 2, 1, 3, "", struct registry_conf, critical_level,
		 "Least degree of assurance of those custodians"),
	CONF_ENUM("unlisted-makers", "allow", listing_policy_words, struct registry_conf, unlisted_makers,
		  "Devices whose maker is not registered: as any, registered but never White, or refused"),
	CONF_ENUM("uncertified-models", "allow", listing_policy_words, struct registry_conf, uncertified_models,
		  "Devices of whose model and versions there is no certificate that counts: the same"),
	CONF_ENUM("unlisted-identifiers", "allow", listing_policy_words, struct registry_conf, unlisted_identifiers,
		  "Devices none of whose identifiers a connectivity provider lists: the same"),
	CONF_ENUM("unmapped-units", "allow", listing_policy_words, struct registry_conf, unmapped_units,
		  "Devices whose identity no maker has mapped to a serial number: the same"),
	CONF_ENUM("contradictions", "anomaly", contradiction_policy_words, struct registry_conf, contradictions,
		  "Devices of whose identities providers or makers say otherwise: an anomaly of trust-rules, or refused"),
	CONF_U32("devices-per-subscription", 64, 1, 1000000, "", struct registry_conf, devices_per_subscription,
		 "Identities that devices with one subscription may register: who has one card cannot take what is many others'"),
	CONF_U32("acknowledge-time", 600, 1, 604800, "s", struct registry_conf, acknowledge_time,
		 "Time a device has to confirm its RegDevID by Set"),
	CONF_U32("report-interval", 86400, 1, 31536000, "s", struct registry_conf, report_interval,
		 "Devices report at least so often"),
	CONF_U32("report-grace", 3600, 0, 31536000, "s", struct registry_conf, report_grace,
		 "How much later before they are overdue"),
	CONF_U32("report-check", 5, 1, 3600, "s", struct registry_conf, report_check,
		 "How often it is looked for overdue devices"),
	CONF_STR("database", REGISTRY_DATABASE, 1, 1000, NULL, struct registry_conf, database,
		 "SQLite file of records, made when absent; or PostgreSQL: postgresql://... or postgres:service=..."),
	CONF_U32("store-timeout", 5000, 100, 60000, "ms", struct registry_conf, store_ms,
		 "Longest wait for a PostgreSQL that does not answer; S13 waits 700 ms at most"),
	CONF_U32("store-warm", 256, 0, 65536, "MiB", struct registry_conf, store_warm,
		 "Upper pages of tables and indices read at the start, at most (SQLite): look-ups wait less for the disk; 0: none"),
	CONF_STR("kek-file", REGISTRY_KEK_FILE, 1, 255, NULL, struct registry_conf, kek_file,
		 "Key that seals personal data at rest; made (0600) when absent: keep a copy in a safe place"),
	CONF_STR("key-file", REGISTRY_KEY_FILE, 1, 255, NULL, struct registry_conf, key_file,
		 "Ed25519 key this registry signs with; made (0600) when absent: keep a copy in a safe place"),
	CONF_STR("metrics-listen", "", 0, 64, http_listen_valid, struct registry_conf, metrics_listen,
		 "Address and port of /metrics, /livez, /readyz; empty: off"),
	CONF_U32("log-head-interval", 60, 1, 86400, "s", struct registry_conf, log_head_interval,
		 "Between signed heads of the log of transactions"),
	PEERING_CONF_ITEMS(struct registry_conf, peering),
	CONF_STR("practice-statement", "", 0, 255, NULL, struct registry_conf, practice_statement,
		 "Text published at /practice-statement; empty: none"),
	CONF_STR("trqp-authority", "", 0, 255, NULL, struct registry_conf, trqp_authority,
		 "authority_id that TRQP queries are answered for, a URI; empty: no TRQP"),
	CONF_U32("challenge-life", 60, 5, 3600, "s", struct registry_conf, challenge_life,
		 "Time an enquirer has to sign its challenge"),
	CONF_U32("session-life", 900, 5, 86400, "s", struct registry_conf, session_life,
		 "Life of the token an enquirer gets for it"),
	CONF_U32("interrogation-life", 60, 1, 86400, "s", struct registry_conf, interrogation_life,
		 "Time a device has to answer a question put to it through the registry"),
	CONF_GROUPS("trust-rules", "", 0, 64, trust_rule_items, struct trust_rule_conf, struct registry_conf, trust_rules,
		    "What makes a device Grey or Black; empty: the rules of doc/registry.md"),
	CONF_BOOL("four-eyes", false, struct registry_conf, four_eyes,
		  "A status decided by hand comes into force, and ends, when another administrator approves it"),
	CONF_U32("fix-days-critical", 15, 1, 3650, "days", struct registry_conf, fix_days_critical,
		 "Time for a maker to mend a vulnerability"),
	CONF_U32("fix-days-high", 30, 1, 3650, "days", struct registry_conf, fix_days_high, "The same"),
	CONF_U32("fix-days-medium", 90, 1, 3650, "days", struct registry_conf, fix_days_medium, "The same"),
	CONF_U32("fix-days-low", 180, 1, 3650, "days", struct registry_conf, fix_days_low, "The same"),
	REST_CONF_ITEMS(struct registry_conf, api),
	WEBHOOK_CONF_ITEMS(struct registry_conf, webhook),
	CONF_U32("tell-receivers", 64, 1, 1024, "", struct registry_conf, tell_receivers,
		 "Subscribers that are pushed to at a time, one delivery to each; others wait for one of them"),
	CONF_U32("tell-dead-letters", 10000, 1, 1000000, "", struct registry_conf, tell_dead_letters,
		 "Kept of a subscription what could not be delivered; it waits when there are as many"),
	CONF_U32("stream-max", 256, 1, 512, "", struct registry_conf, stream_max,
		 "Subscribers that read server-sent events at a time; beyond: 503"),
	CONF_U32("stream-beat", 15000, 100, 600000, "ms", struct registry_conf, stream_beat,
		 "Comment to a stream on which nothing happens"),
	CONF_U32("stream-stall", 10000, 100, 600000, "ms", struct registry_conf, stream_stall,
		 "A reader that takes nothing for so long is cut off; it may go on where it was"),
	CONF_AUDIT(struct registry_conf, audit, "the database's name with .audit"),
	CONF_END
};

const struct role registry_role = {
	.name = "registry",
	.program = "gba-registry",
	.what = "Trust registry: gives devices their RegDevID, keeps their trust status, and answers who asks.",
	.daemon_conf = GBA_SYSCONFDIR "/freeDiameter-registry.conf",
	.items = registry_conf_items,
	.conf_size = sizeof(struct registry_conf),
	.check = registry_conf_check,
};

const char *registry_conf_audit_log(TALLOC_CTX *mem_ctx, const char *database)
{
	return talloc_asprintf(mem_ctx, "%s.audit", db_is_server(database) ? REGISTRY_DATABASE : database);
}

enum gba_err registry_conf_check(const void *conf, struct conf_error *_error)
{
	const struct registry_conf *c = conf;
	struct trust_policy *policy = NULL;
	const char *why = "";

	if (c->parent[0] != '\0' && !regid_valid(bytes_of(c->parent))) {
		snprintf(_error->text, sizeof(_error->text), "parent: %s is no RegID: A-Z and 0-9", c->parent);
		return GBA_E_CONF;
	}
	if (trust_policy_new(NULL, &c->trust_rules, &policy, &why) != GBA_OK) {
		snprintf(_error->text, sizeof(_error->text), "%s", why);
		return GBA_E_CONF;
	}
	talloc_free(policy);
	if (strcmp(c->parent, c->reg_id) == 0) {
		snprintf(_error->text, sizeof(_error->text), "parent: %s is this registry itself", c->parent);
		return GBA_E_CONF;
	}
	if (c->api.listen[0] != '\0' && (c->api.cert[0] == '\0' || c->api.key[0] == '\0')) {
		snprintf(_error->text, sizeof(_error->text), "api-listen: needs api-cert and api-key: the API is HTTPS only");
		return GBA_E_CONF;
	}
	return peering_conf_check(&c->peering, c->reg_id, c->reg_type, c->parent, _error);
}
