/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/conf.h"

#include <stdlib.h>

#include "bsf/ctx_redis.h"
#include "core/log.h"
#include "http/server.h"

static const char *const digest_names[] = { "akav1", "akav2", NULL };
static const char *const unknown_names[] = { "deny", "allow", NULL };
static const char *const check_names[] = { "refuse", "warn", NULL }; /* as enum bsf_redis_check */
static const char *const sync_names[] = { "full", "process", NULL }; /* as enum ctx_sync */

static bool path_valid(struct bytes path)
{
	return path.n > 0 && path.p[0] == '/' && memchr(path.p, ' ', path.n) == NULL;
}

static bool identity_or_realm(struct bytes text)
{
	return impi_valid(text) || (text.n > 1 && text.p[0] == '@' && fqdn_valid(BYTES(text.p + 1, text.n - 1)));
}

static bool fqdn_pattern(struct bytes text)
{
	if (text.n > 2 && memcmp(text.p, "*.", 2) == 0)
		text = BYTES(text.p + 2, text.n - 2);
	return fqdn_valid(text);
}

static bool ua_pattern(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] == '*' && i + 1 == text.n)
			return true;
		if (strchr("0123456789abcdefABCDEF", text.p[i]) == NULL)
			return false;
	}
	return text.n == HEX_LEN(UA_ID_LEN);
}

static bool gsid_pattern(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return bytes_eq_str(text, "*");
	}
	return text.n > 0 && text.n <= 9;
}

/* Goes into XML and to UEs as it is: no blanks, nothing to escape. */
static bool word_valid(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] <= ' ' || text.p[i] > '~' || strchr("<>&\"'", text.p[i]) != NULL)
			return false;
	}
	return true;
}

static bool url_valid(struct bytes text)
{
	return word_valid(text) && (text.n == 0 || (text.n > 8 && memcmp(text.p, "https://", 8) == 0));
}

static const struct conf_item listen_items[] = {
	CONF_STR("listen", NULL, 3, 263, http_listen_valid, struct bsf_listen, listen, "Address and port, such as \"192.0.2.10:80\" or \"[2001:db8::10]:443\""),
	CONF_STR("tls-cert", "", 0, 255, NULL, struct bsf_listen, cert, "PEM file with the certificate chain; empty: plain HTTP"),
	CONF_STR("tls-key", "", 0, 255, NULL, struct bsf_listen, key, "PEM file with its private key"),
	CONF_END
};

static const struct conf_item asym_items[] = {
	CONF_STR("listen", NULL, 3, 263, http_listen_valid, struct bsf_asym, listen, "Address and port, such as \"192.0.2.10:8443\""),
	CONF_STR("tls-cert", NULL, 1, 255, NULL, struct bsf_asym, cert, "PEM file with the certificate chain of this BSF"),
	CONF_STR("tls-key", NULL, 1, 255, NULL, struct bsf_asym, key, "PEM file with its private key"),
	CONF_STR("device-ca", NULL, 1, 255, NULL, struct bsf_asym, device_ca, "PEM file with the CAs of the devices' certificates: the realm's own, and others it accepts; read again when it changes"),
	CONF_STR("device-crl", "", 0, 255, NULL, struct bsf_asym, device_crl, "PEM file with their lists of revoked certificates; read again when it changes; empty: none"),
	CONF_END
};

static const struct conf_item hss_items[] = {
	CONF_STR("impi-realm", NULL, 1, FQDN_MAX, fqdn_valid, struct bsf_hss, impi_realm, "IMPIs in this domain or below it"),
	CONF_STR("destination-realm", NULL, 1, FQDN_MAX, fqdn_valid, struct bsf_hss, realm, "Diameter realm of their HSS"),
	CONF_STRLIST("hosts", "", 1, FQDN_MAX, fqdn_valid, struct bsf_hss, hosts, "HSSs to ask, one after the other; empty: Diameter routing chooses"),
	CONF_END
};

static const struct conf_item naf_items[] = {
	CONF_STR("identity", NULL, 1, FQDN_MAX, fqdn_valid, struct bsf_naf, identity, "Origin-Host of the NAF"),
	CONF_STRLIST("fqdns", "", 1, FQDN_MAX, fqdn_pattern, struct bsf_naf, fqdns, "Names it may use in NAF-Id; \"*.example.com\": any below"),
	CONF_STRLIST("ua-protocols", "", 1, 10, ua_pattern, struct bsf_naf, ua_protocols, "Ua security protocols it may use, hex, such as \"0100000002\" or \"010001*\"; empty: any"),
	CONF_STR("naf-group", "", 0, 255, NULL, struct bsf_naf, naf_group, "NAF group in the users' security settings; empty: none"),
	CONF_STRLIST("gsids", "", 1, 9, gsid_pattern, struct bsf_naf, gsids, "Services whose settings it may ask for; \"*\": any"),
	CONF_BOOL("impi-allowed", false, struct bsf_naf, impi_allowed, "May it learn the private identity?"),
	CONF_BOOL("uss-required", false, struct bsf_naf, uss_required, "Give a key only to users with settings for a service it asked for"),
	CONF_BOOL("permission-required", false, struct bsf_naf, permission_required, "Give a key only to users whose settings have one of its gsids, asked for or not (Y.3056 10.4-3c)"),
	CONF_BOOL("single", false, struct bsf_naf, single, "A B-TID it has a key of serves no other application (Y.3056 9.6.1)"),
	CONF_BOOL("declarations", false, struct bsf_naf, declarations, "Take what its applications declare of themselves, where it narrows what stands here (Y.3056 9.6.1)"),
	CONF_U32("key-lifetime", 0, 0, 31536000, "s", struct bsf_naf, key_lifetime, "Longest lifetime of its keys; 0: that of the Ks"),
	CONF_U32("rate", 0, 0, 1000000, "/s", struct bsf_naf, rate, "Requests it may send in the long run; more get DIAMETER_TOO_BUSY; 0: no limit"),
	CONF_U32("burst", 0, 0, 1000000, "", struct bsf_naf, burst, "Requests at once within the rate; 0: those of a second"),
	CONF_BOOL("allow-2g", true, struct bsf_naf, allow_2g, "Give keys that rest on 2G GBA"),
	CONF_END
};

const struct conf_item bsf_conf_items[] = {
	CONF_COMMON(struct bsf_conf, common),
	CONF_STR("name", NULL, 1, FQDN_MAX, fqdn_valid, struct bsf_conf, name, "FQDN of this BSF: realm of the challenge and right part of every B-TID"),
	CONF_U32("key-lifetime", 86400, 1, 31536000, "s", struct bsf_conf, key_lifetime, "Longest lifetime of a Ks; a user's GUSS can shorten it"),
	CONF_ENUM("digest", "akav1", digest_names, struct bsf_conf, digest, "Digest AKA of TS 24.109, or that of RFC 4169"),
	CONF_BOOL("tmpi", true, struct bsf_conf, tmpi, "Temporary identities for UEs that support them"),
	CONF_BOOL("gba-2g", false, struct bsf_conf, gba_2g, "Serve SIM-only users by 2G GBA, over TLS only"),
	CONF_STRLIST("sim-only", "", 1, IMPI_MAX, identity_or_realm, struct bsf_conf, sim_only, "Users with a SIM only: IMPIs, or \"@realm\" for all of a realm"),
	CONF_GROUPS("ub", NULL, 1, 16, listen_items, struct bsf_listen, struct bsf_conf, ub, "Where Ub is served"),
	CONF_GROUPS("asymmetric", "", 0, 16, asym_items, struct bsf_asym, struct bsf_conf, asymmetric, "Where devices bootstrap by their certificates, over mutual TLS (Y.3056 10.4-5)"),
	CONF_STRLIST("ub-paths", "/", 1, 255, path_valid, struct bsf_conf, ub_paths, "Request targets of Ub"),
	CONF_U32("ub-threads", 2, 1, 64, "", struct bsf_conf, ub_threads, "Threads for each address of Ub"),
	CONF_U32("ub-max-connections", 4096, 16, 65536, "", struct bsf_conf, ub_max_connections, "Open connections for each address"),
	CONF_U32("ub-max-per-source", 1024, 1, 65536, "", struct bsf_conf, ub_max_per_source, "Open connections from one source (many devices share one behind NAT)"),
	CONF_U32("ub-head-timeout", 10000, 100, 120000, "ms", struct bsf_conf, ub_head_timeout, "Time for a whole request"),
	CONF_U32("ub-idle-timeout", 60000, 100, 3600000, "ms", struct bsf_conf, ub_idle_timeout, "Time a connection may idle between requests"),
	CONF_U32("challenge-lifetime", 30000, 100, 300000, "ms", struct bsf_conf, challenge_lifetime, "Time a UE has to answer a challenge"),
	CONF_U32("pending-max", 32768, 64, 4194304, "", struct bsf_conf, pending_max, "Runs in progress; the oldest makes place"),
	CONF_U32("pending-per-source", 4096, 1, 4194304, "", struct bsf_conf, pending_per_source, "Runs of one source while more than half of pending-max is in use"),
	CONF_U32("ask-interval", 5000, 0, 60000, "ms", struct bsf_conf, ask_interval, "An unanswered challenge or a refusal of the HSS is repeated for this long"),
	CONF_U32("wrong-limit", 3, 1, 100, "", struct bsf_conf, wrong_limit, "Wrong answers for one IMPI from one source until it must wait"),
	CONF_U32("wrong-hold", 5000, 100, 600000, "ms", struct bsf_conf, wrong_hold, "First waiting time; doubled each time"),
	CONF_U32("resync-rounds", 2, 0, 10, "", struct bsf_conf, resync_rounds, "Resynchronisations in one attempt"),
	CONF_GROUPS("hss", NULL, 1, 1024, hss_items, struct bsf_hss, struct bsf_conf, hss, "Which HSS knows which IMPIs; others are unknown"),
	CONF_U32("zh-timeout", 900, 50, 60000, "ms", struct bsf_conf, zh_timeout, "Wait for one HSS; then the next one is asked"),
	CONF_U32("zh-in-flight", 1024, 1, 65536, "", struct bsf_conf, zh_in_flight, "Questions to HSSs at a time; beyond, UEs get 503"),
	CONF_U32("guss-cache", 10000, 0, 10000000, "", struct bsf_conf, guss_cache, "Users whose security settings are kept"),
	CONF_GROUPS("nafs", "", 0, 4096, naf_items, struct bsf_naf, struct bsf_conf, nafs, "NAFs that may ask on Zn, and for what"),
	CONF_ENUM("permission-unknown", "deny", unknown_names, struct bsf_conf, permission_unknown, "A UE names an application, and neither the HSS nor the user's settings say whether it is permitted"),
	CONF_STR("realm-profile", "", 0, 255, url_valid, struct bsf_conf, realm_profile, "URL of the realm's profile, told to UEs that name an application; empty: not told"),
	CONF_STR("token-format", "", 0, 64, word_valid, struct bsf_conf, token_format, "Format of tokens in this realm, told with it; empty: not told"),
	CONF_BOOL("token-reports", false, struct bsf_conf, token_reports, "Tell HSSs that understand it which tokens are made, and which applications get them"),
	CONF_STR("store-dir", GBA_LOCALSTATEDIR "/bsf", 1, 255, NULL, struct bsf_conf, store_dir, "Folder of the bootstrap contexts"),
	CONF_U32("store-max", 4096, 4, 1048576, "MiB", struct bsf_conf, store_max, "Size to which the contexts may grow"),
	CONF_ENUM("store-sync", "full", sync_names, struct bsf_conf, store_sync, "What a context that was acknowledged survives: loss of power, or only the end of the process"),
	CONF_STR("store-redis", "", 0, 280, ctx_redis_server_valid, struct bsf_conf, store_redis, "Redis that a pool of BSFs keeps its contexts on, instead of store-dir: host:port or /socket, rediss:// before it for TLS; empty: none"),
	CONF_STR("store-redis-user", "", 0, 128, NULL, struct bsf_conf, redis_user, "User of its ACL; empty: the default user"),
	CONF_STR("store-redis-password-file", "", 0, 255, NULL, struct bsf_conf, redis_password_file, "File with the password, mode 0600; empty: none"),
	CONF_STR("store-redis-ca", "", 0, 255, NULL, struct bsf_conf, redis_ca, "PEM file of the CAs its certificate is checked with; empty: the system's"),
	CONF_STR("store-redis-cert", "", 0, 255, NULL, struct bsf_conf, redis_cert, "PEM file with our certificate for it; empty: none"),
	CONF_STR("store-redis-key", "", 0, 255, NULL, struct bsf_conf, redis_key, "PEM file with its private key"),
	CONF_STR("store-redis-prefix", "gba:", 0, 32, NULL, struct bsf_conf, redis_prefix, "What the pool's keys begin with"),
	CONF_U32("store-redis-timeout", 300, 20, 10000, "ms", struct bsf_conf, redis_timeout, "Wait for Redis at most; then the connection is made anew"),
	CONF_ENUM("store-redis-check", "refuse", check_names, struct bsf_conf, redis_check, "Redis may lose what it acknowledges: appendonly, appendfsync (see store-sync), maxmemory-policy"),
	CONF_STR("kek-file", GBA_SYSCONFDIR "/bsf.kek", 1, 255, NULL, struct bsf_conf, kek_file, "Key that seals the contexts, the same in a pool; made when absent, mode 0600"),
	CONF_AUDIT(struct bsf_conf, audit, "audit.log in store-dir"),
	CONF_STR("metrics-listen", "", 0, 263, http_listen_valid, struct bsf_conf, metrics_listen, "Address for /metrics, /livez, /readyz; empty: none"),
	CONF_END
};

#define EACH(type, var, groups) const type *var = (groups).v; var < (const type *)(groups).v + (groups).n; var++

static enum gba_err conf_error(struct conf_error *_error, const char *item, const char *value, const char *what)
{
	snprintf(_error->text, sizeof(_error->text), "%s: %s: %s", item, value, what);
	return GBA_E_CONF;
}

enum gba_err bsf_conf_check(const void *conf, struct conf_error *_error)
{
	const struct bsf_conf *c = conf;

	for (EACH(struct bsf_listen, l, c->ub)) {
		if ((l->cert[0] == '\0') != (l->key[0] == '\0'))
			return conf_error(_error, "ub", l->listen, "tls-cert and tls-key belong together");
	}
	for (EACH(struct bsf_naf, n, c->nafs)) {
		if (bsf_conf_naf(c, bytes_of(n->identity)) != n)
			return conf_error(_error, "nafs", n->identity, "identity occurs twice");
		if (n->fqdns.n == 0)
			return conf_error(_error, "nafs", n->identity, "needs at least one name in fqdns");
		if ((n->uss_required || n->permission_required) && n->gsids.n == 0)
			return conf_error(_error, "nafs", n->identity, "uss-required and permission-required need gsids");
	}
	if ((c->redis_cert[0] == '\0') != (c->redis_key[0] == '\0'))
		return conf_error(_error, "store-redis-cert", c->redis_cert, "belongs together with store-redis-key");
	if (c->gba_2g && c->digest == BSF_DIGEST_AKAV2)
		return conf_error(_error, "gba-2g", "true", "2G GBA is defined for digest akav1 only (TS 33.220 Annex I)");
	return GBA_OK;
}

const struct bsf_hss *bsf_conf_hss(const struct bsf_conf *conf, struct bytes impi)
{
	struct bytes realm = impi_realm(impi);
	const struct bsf_hss *best = NULL;

	for (EACH(struct bsf_hss, h, conf->hss)) {
		if (fqdn_within(realm, bytes_of(h->impi_realm)) &&
		    (best == NULL || strlen(h->impi_realm) > strlen(best->impi_realm)))
			best = h;
	}
	return best;
}

bool bsf_conf_sim_only(const struct bsf_conf *conf, struct bytes impi)
{
	size_t i;

	for (i = 0; i < conf->sim_only.n; i++) {
		const char *entry = conf->sim_only.v[i];

		if (entry[0] == '@' ? bytes_eq_nocase(impi_realm(impi), bytes_of(entry + 1)) : bytes_eq_str(impi, entry))
			return true;
	}
	return false;
}

const struct bsf_naf *bsf_conf_naf(const struct bsf_conf *conf, struct bytes identity)
{
	for (EACH(struct bsf_naf, n, conf->nafs)) {
		if (bytes_eq_nocase(identity, bytes_of(n->identity)))
			return n;
	}
	return NULL;
}

bool bsf_naf_fqdn(const struct bsf_naf *naf, struct bytes fqdn)
{
	size_t i;

	for (i = 0; i < naf->fqdns.n; i++) {
		struct bytes entry = bytes_of(naf->fqdns.v[i]);

		if (entry.p[0] != '*' ? bytes_eq_nocase(fqdn, entry)
				      : fqdn.n > entry.n - 2 && fqdn_within(fqdn, BYTES(entry.p + 2, entry.n - 2)))
			return true;
	}
	return false;
}

bool bsf_naf_protocol(const struct bsf_naf *naf, const uint8_t ua_id[UA_ID_LEN])
{
	char hex[HEX_LEN(UA_ID_LEN) + 1];
	size_t i;

	hex_encode(BYTES(ua_id, UA_ID_LEN), hex);
	for (i = 0; i < naf->ua_protocols.n; i++) {
		struct bytes entry = bytes_of(naf->ua_protocols.v[i]);

		if (entry.p[entry.n - 1] == '*')
			entry.n--;
		if (bytes_eq_nocase(BYTES(hex, entry.n), entry))
			return true;
	}
	return naf->ua_protocols.n == 0;
}

bool bsf_naf_gsid(const struct bsf_naf *naf, uint32_t gsid)
{
	size_t i;

	for (i = 0; i < naf->gsids.n; i++) {
		if (naf->gsids.v[i][0] == '*' || strtoul(naf->gsids.v[i], NULL, 10) == gsid)
			return true;
	}
	return false;
}

bool bsf_conf_any_single(const struct bsf_conf *conf)
{
	for (EACH(struct bsf_naf, n, conf->nafs)) {
		if (n->single || n->declarations)
			return true;
	}
	return false;
}
