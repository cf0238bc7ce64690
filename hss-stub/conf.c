/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/conf.h"

#include "core/ident.h"
#include "core/log.h"
#include "crypto/op_key.h"
#include "crypto/sqn.h"
#include "hss-stub/hss.h"
#include "http/server.h"

static bool realm_pattern_valid(struct bytes text)
{
	if (bytes_eq_str(text, "*"))
		return true;
	if (text.n > 0 && text.p[0] == '.')
		text = BYTES(text.p + 1, text.n - 1);
	return fqdn_valid(text);
}

static const struct conf_item bsf_items[] = {
	CONF_STR("identity", NULL, 1, FQDN_MAX, fqdn_valid, struct hss_bsf, identity, "Origin-Host of the BSF"),
	CONF_U32("ind", 0, 0, SQN_ARRAY_MAX - 1, "", struct hss_bsf, ind,
		 "IND of all SQNs for this BSF: its own, and no other AuC's for the same cards"),
	CONF_STRLIST("realms", NULL, 1, FQDN_MAX + 1, realm_pattern_valid, struct hss_bsf, realms,
		     "Realms of the IMPIs it may ask for: a realm, .domain for realms below it, * for any"),
	CONF_END
};

static bool operator_key_valid(struct bytes text)
{
	uint8_t octets[OP_PUBLIC_LEN];

	return hex_decode(text, octets, sizeof(octets)) == GBA_OK;
}

static const char *const wrap_names[] = { "x25519", "shared-key", NULL };

static const struct conf_item operator_items[] = {
	CONF_STR("realm", NULL, 1, FQDN_MAX, fqdn_valid, struct hss_operator, realm, "Its Diameter realm: names the operator"),
	CONF_STR("host", NULL, 1, FQDN_MAX, fqdn_valid, struct hss_operator, host,
		 "Diameter identity of its authorization element; the guard lets it use opc"),
	CONF_STR("public-key", NULL, 2 * OP_PUBLIC_LEN, 2 * OP_PUBLIC_LEN, operator_key_valid, struct hss_operator, public_key,
		 "What gba-ctl change key prints there, 128 hex digits"),
	CONF_ENUM("wrap", "x25519", wrap_names, struct hss_operator, wrap,
		  "How keys are wrapped between the two: for its public key, or under a key both have"),
	CONF_STR("shared-key-file", "", 0, 255, NULL, struct hss_operator, shared_key_file,
		 "64 hex digits, mode 0600: the key both have"),
	CONF_END
};

const struct conf_item hss_conf_items[] = {
	CONF_COMMON(struct hss_conf, common),
	CONF_STR("database", HSS_DATABASE, 1, 1000, NULL, struct hss_conf, database,
		 "SQLite file of subscribers, made when absent; or PostgreSQL: postgresql://... or postgres:service=..."),
	CONF_STR("kek-file", HSS_KEK_FILE, 1, 255, NULL, struct hss_conf, kek_file,
		 "Key that seals K and OPc at rest; made (0600) when absent: keep a copy in a safe place"),
	CONF_AUDIT(struct hss_conf, audit, "the database's name with .audit"),
	CONF_STR("metrics-listen", "", 0, 64, http_listen_valid, struct hss_conf, metrics_listen,
		 "Address and port of /metrics, /livez, /readyz; empty: off"),
	CONF_U32("sqn-lease", 32, 1, 4096, "SEQs", struct hss_conf, lease_min,
		 "Sequence numbers made durable at once for a quiet subscriber; a crash skips them"),
	CONF_U32("sqn-lease-max", 4096, 1, 65536, "SEQs", struct hss_conf, lease_max,
		 "The same for the busiest subscriber"),
	CONF_U32("queue", 10000, 16, 1000000, "requests", struct hss_conf, queue,
		 "Requests that may wait for the database; beyond: 3004"),
	CONF_U32("store-timeout", 700, 100, 60000, "ms", struct hss_conf, store_ms,
		 "Longest wait for a PostgreSQL that does not answer; then 3004. Less than the BSFs' zh-timeout"),
	CONF_U32("cache", 64, 1, 65536, "MiB", struct hss_conf, cache_mib,
		 "Memory for subscribers in use, about 500 octets each"),
	CONF_GROUPS("bsfs", "", 0, 256, bsf_items, struct hss_bsf, struct hss_conf, bsfs,
		    "BSFs that may ask; any other is refused with 5402"),
	API_CONF_ITEMS(struct hss_conf, api),
	CONF_STR("operator-key", "", 0, 255, NULL, struct hss_conf, operator_key,
		 "Our key in changes of operator (gba-ctl change key makes it); empty: no changes of operator"),
	CONF_STR("change-bsf", "", 0, FQDN_MAX, NULL, struct hss_conf, change_bsf,
		 "Name of the BSF for devices that come from other operators"),
	CONF_U32("change-deadline", 86400, 1, 31536000, "s", struct hss_conf, change_deadline,
		 "Time for the old operator's answer, and again for the device's first token; then all is undone"),
	CONF_U32("change-level", 1, 0, 3, "", struct hss_conf, change_level,
		 "Verification level a user needs to come from another operator"),
	CONF_GROUPS("operators", "", 0, 256, operator_items, struct hss_operator, struct hss_conf, operators,
		    "Operators with whom there is an agreement about changes; any other is refused"),
	CONF_END
};

const char *hss_conf_audit_log(TALLOC_CTX *mem_ctx, const char *database)
{
	return database[0] == '/' || strchr(database, ':') == NULL ? talloc_asprintf(mem_ctx, "%s.audit", database)
								   : talloc_strdup(mem_ctx, HSS_DATABASE ".audit");
}

static enum gba_err pair_check(const struct hss_bsf *a, const struct hss_bsf *b, struct conf_error *_error)
{
	if (bytes_eq_nocase(bytes_of(a->identity), bytes_of(b->identity))) {
		snprintf(_error->text, sizeof(_error->text), "bsfs: %s stands twice", a->identity);
		return GBA_E_CONF;
	}
	if (a->ind == b->ind) {
		snprintf(_error->text, sizeof(_error->text), "bsfs: %s and %s have the same ind %u: each needs its own",
			 a->identity, b->identity, a->ind);
		return GBA_E_CONF;
	}
	return GBA_OK;
}

static enum gba_err operators_check(const struct hss_conf *hss, struct conf_error *_error)
{
	const struct hss_operator *row = hss->operators.v;
	size_t i;

	if (hss->operators.n > 0 && (hss->operator_key[0] == '\0' || !fqdn_valid(bytes_of(hss->change_bsf)))) {
		snprintf(_error->text, sizeof(_error->text), "operators: operator-key and change-bsf are needed, too");
		return GBA_E_CONF;
	}
	for (i = 0; i < hss->operators.n; i++) {
		if ((row[i].wrap == HSS_WRAP_SHARED) == (row[i].shared_key_file[0] != '\0'))
			continue;
		snprintf(_error->text, sizeof(_error->text), "operators: %s: wrap = \"shared-key\" and shared-key-file go together",
			 row[i].realm);
		return GBA_E_CONF;
	}
	return GBA_OK;
}

enum gba_err hss_conf_check(const void *conf, struct conf_error *_error)
{
	const struct hss_conf *hss = conf;
	const struct hss_bsf *bsf = hss->bsfs.v;
	enum gba_err err = GBA_OK;
	size_t i, j;

	if (hss->api.rest.listen[0] != '\0' && (hss->api.rest.cert[0] == '\0' || hss->api.rest.key[0] == '\0')) {
		snprintf(_error->text, sizeof(_error->text), "api-listen: needs api-cert and api-key: the API is HTTPS only");
		return GBA_E_CONF;
	}
	if (hss->lease_max < hss->lease_min) {
		snprintf(_error->text, sizeof(_error->text), "sqn-lease-max: %u is below sqn-lease (%u)", hss->lease_max,
			 hss->lease_min);
		return GBA_E_CONF;
	}
	for (i = 0; i < hss->bsfs.n; i++) {
		if (bsf[i].realms.n == 0) {
			snprintf(_error->text, sizeof(_error->text), "bsfs: %s: realms is empty (\"*\" means any)",
				 bsf[i].identity);
			return GBA_E_CONF;
		}
		for (j = 0; err == GBA_OK && j < i; j++)
			err = pair_check(&bsf[j], &bsf[i], _error);
	}
	return err == GBA_OK ? operators_check(hss, _error) : err;
}
