/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/conf.h"

#include "core/ident.h"
#include "core/log.h"
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
	CONF_U32("cache", 64, 1, 65536, "MiB", struct hss_conf, cache_mib,
		 "Memory for subscribers in use, about 500 octets each"),
	CONF_GROUPS("bsfs", "", 0, 256, bsf_items, struct hss_bsf, struct hss_conf, bsfs,
		    "BSFs that may ask; any other is refused with 5402"),
	API_CONF_ITEMS(struct hss_conf, api),
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

enum gba_err hss_conf_check(const void *conf, struct conf_error *_error)
{
	const struct hss_conf *hss = conf;
	const struct hss_bsf *bsf = hss->bsfs.v;
	enum gba_err err = GBA_OK;
	size_t i, j;

	if (hss->api.listen[0] != '\0' && (hss->api.cert[0] == '\0' || hss->api.key[0] == '\0')) {
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
	return err;
}
