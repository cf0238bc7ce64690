/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/conf.h"

#include <stdlib.h>
#include <string.h>

#include "core/ident.h"
#include "core/log.h"
#include "http/server.h"
#include "ident/idrule.h"
#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/proxy/described.h"
#include "naf-adapter/proxy/ua_digest.h"
#include "naf-adapter/shared/release.h"

static const char *const mode_names[] = { "http", "stream", NULL };
static const char *const challenge_names[] = { "all", "gba-clients", NULL };
static const char *const intended_names[] = { "refuse", "drop", "pass", NULL };
static const char *const tls_names[] = { "1.2", "1.3", NULL };
static const char *const tls13_ua_id_names[] = { "suite", "http-digest", NULL };

bool address_split(const char *text, char *host, size_t cap, char *port, size_t port_cap)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon != NULL ? (size_t)(colon - text) : 0;
	char *end;
	unsigned long number;

	if (strncmp(text, "unix:", 5) == 0)
		return text[5] == '/' && snprintf(host, cap, "%s", text + 5) < (int)cap && snprintf(port, port_cap, "unix") > 0;
	if (n == 0 || n >= cap)
		return false;
	if (text[0] == '[' ? text[n - 1] != ']' : memchr(text, ':', n) != NULL)
		return false;
	number = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || number > 65535)
		return false;
	if (text[0] == '[')
		snprintf(host, cap, "%.*s", (int)n - 2, text + 1);
	else
		snprintf(host, cap, "%.*s", (int)n, text);
	return snprintf(port, port_cap, "%lu", number) < (int)port_cap && host[0] != '\0';
}

bool address_valid(struct bytes text)
{
	char copy[256], host[256], port[8];

	return text.n < sizeof(copy) && snprintf(copy, sizeof(copy), "%.*s", BYTES_FMT(text)) > 0 &&
	       address_split(copy, host, sizeof(host), port, sizeof(port));
}

static bool optional_address(struct bytes text)
{
	return text.n == 0 || address_valid(text);
}

static bool optional_fqdn(struct bytes text)
{
	return text.n == 0 || fqdn_valid(text);
}

static bool path_or_empty(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] <= 0x20 || text.p[i] >= 0x7f || text.p[i] == '#')
			return false;
	}
	return text.n == 0 || text.p[0] == '/';
}

static const char *const asks_names[] = { "off", "original", "forwarded", "itself", NULL };
static const char *const asks_tls_names[] = { "off", "digest", "suite", NULL };

static const struct conf_item listener_items[] = {
	CONF_STR("address", NULL, 3, 255, address_valid, struct listener_conf, address,
		 "Where devices connect: \"0.0.0.0:443\", \"[::]:443\""),
	CONF_BOOL("tls", true, struct listener_conf, tls, "TLS (PSK and certificates); false: plain HTTP with Digest"),
	CONF_BOOL("proxy-protocol", false, struct listener_conf, proxy_protocol,
		 "A load balancer in front sends PROXY protocol v2; nobody else may connect"),
	CONF_STR("default-site", "", 0, 253, optional_fqdn, struct listener_conf, default_site,
		 "Site for handshakes without server name; empty: refused"),
	CONF_ENUM("authorization", "off", asks_names, struct listener_conf, asks,
		 "A web server asks here about requests: by X-Original-*, X-Forwarded-*, or the request itself; needs tls = false"),
	CONF_ENUM("authorization-tls", "off", asks_tls_names, struct listener_conf, asks_tls,
		 "TLS of that web server; digest: Ua identifier of HTTP Digest all the same; suite: told in X-GBA-TLS-Suite"),
	CONF_END
};

/* "gs1:09506000134352": a kind, a colon, an identity that its kind's rule takes (Y.3056 7.6). */
static bool application_id_valid(struct bytes text)
{
	const char *why;
	size_t i;

	for (i = 0; application_identity_words[i] != NULL; i++) {
		size_t n = strlen(application_identity_words[i]);

		if (text.n > n && memcmp(text.p, application_identity_words[i], n) == 0 && text.p[n] == ':')
			return id_rule_application((int64_t)i)(BYTES(text.p + n + 1, text.n - n - 1), &why) == GBA_OK;
	}
	return text.n == 0;
}

#define SITE struct site_conf
static const struct conf_item site_items[] = {
	CONF_STR("fqdn", NULL, 1, 253, fqdn_valid, SITE, fqdn,
		 "Name devices address: FQDN of the NAF_Id, realm, server name"),
	CONF_STR("application-id", "", 0, 320, application_id_valid, SITE, application_id,
		 "The application's public identity, of which fqdn is the alias: \"ip:\", \"url:\", \"gs1:\" or \"onem2m:\" "
		 "and the identity; empty: fqdn is it"),
	CONF_STR("upstream", "", 0, 255, optional_address, SITE, upstream,
		 "The application: \"127.0.0.1:8080\" or \"unix:/run/app.sock\"; empty: only asked about, by a web server"),
	CONF_ENUM("mode", "http", mode_names, SITE, mode,
		 "Reverse proxy for HTTP/1.1, or octets of any TCP application"),
	CONF_BOOL("psk", true, SITE, psk, "PSK-TLS, TS 33.222 5.4"),
	CONF_BOOL("psk-uicc", false, SITE, uicc_psk, "PSK-TLS with Ks_int_NAF for devices that name it"),
	CONF_BOOL("tls-digest", true, SITE, tls_digest,
		 "HTTP Digest inside certificate TLS, TS 33.222 5.3; needs certificate"),
	CONF_BOOL("http-digest", false, SITE, http_digest, "HTTP Digest without TLS"),
	CONF_STR("certificate", "", 0, 255, NULL, SITE, certificate, "PEM file with the chain; empty: PSK only"),
	CONF_STR("private-key", "", 0, 255, NULL, SITE, private_key, "PEM file"),
	CONF_ENUM("tls-min", "1.2", tls_names, SITE, tls_min, "Lowest TLS version"),
	CONF_ENUM("tls-max", "1.3", tls_names, SITE, tls_max, "Highest TLS version"),
	CONF_ENUM("tls13-ua-id", "suite", tls13_ua_id_names, SITE, tls13_ua_id,
		 "Ua identifier of Digest in certificate TLS 1.3: 01 00 01 and the suite, or 01 00 00 00 02"),
	CONF_ENUM("keys", "me", ua_keys_names, SITE, keys, "Digest with Ks_(ext_)NAF, Ks_int_NAF or either"),
	CONF_ENUM("challenge", "all", challenge_names, SITE, challenge,
		 "Who gets a 401 challenge; others 403: see User-Agent tokens 3gpp-gba"),
	CONF_ENUM("identity", "uids-btid", release_policy_names, SITE, identity,
		 "What the application is told: first of these that is known, else 403; the IMPI only where it is named"),
	CONF_ENUM("intended-identity", "refuse", intended_names, SITE, intended,
		 "X-3GPP-Intended-Identity not among the user's: 403, left out, or unchecked"),
	CONF_STRLIST("gsids", "", 1, 10, gsid_valid, SITE, gsids,
		 "GAA service identifiers whose user security settings are asked for"),
	CONF_BOOL("digest-md5", true, SITE, md5, "Offer algorithm MD5"),
	CONF_BOOL("digest-sha256", true, SITE, sha256, "Offer algorithm SHA-256"),
	CONF_BOOL("qop-auth", true, SITE, qop_auth, "Offer qop auth"),
	CONF_BOOL("qop-auth-int", true, SITE, qop_auth_int, "Offer qop auth-int"),
	CONF_BOOL("authentication-info", true, SITE, authentication_info, "Prove ourselves to the device with rspauth"),
	CONF_BOOL("flags-header", false, SITE, flags_header,
		 "Tell the application the USS flags in X-3GPP-Authorization-Flags"),
	CONF_STR("health-path", "", 0, 255, path_or_empty, SITE, health_path,
		 "GET this of the application every health-interval: 503 at once while it does not answer 2xx or 3xx; empty: off"),
	CONF_BOOL("token-info", false, SITE, token_info,
		 "Tell the application the token in X-GBA-Token: B-TID, Ua identifier, kind, bootstrapping time, expiry"),
	CONF_BOOL("token-control", false, SITE, token_control,
		 "Obey X-GBA-Token-Control of the application's answers: renew, revoke, lifetime=SECONDS"),
	CONF_U32("token-max-age", 0, 0, 2592000, "s", SITE, token_max_age,
		 "Tokens of an older bootstrapping are not taken: the device is told to bootstrap again; 0: any age"),
	CONF_BOOL("token-2g", true, SITE, token_2g, "Take tokens of a 2G bootstrapping (TS 33.220 Annex I); else 403"),
	CONF_BOOL("upgrade", false, SITE, upgrade, "Let requests switch to websocket"),
	CONF_BOOL("proxy-header", true, SITE, proxy_header,
		 "Stream mode: start with a PROXY protocol v2 header that tells the identity"),
	CONF_U32("max-body", 0, 0, 1048576, "MiB", SITE, max_body_mib, "Longest request body; 0: no limit"),
	CONF_U32("max-body-auth-int", 1024, 1, 65536, "KiB", SITE, auth_int_kib,
		 "Longest request body with qop auth-int, which is held until it is verified"),
	CONF_END
};

#define PROXY struct proxy_conf
const struct conf_item proxy_conf_items[] = {
	CONF_COMMON(PROXY, common),
	CONF_GROUPS("listeners", NULL, 1, 32, listener_items, struct listener_conf, PROXY, listeners,
		 "Where devices connect"),
	CONF_GROUPS("sites", NULL, 1, 256, site_items, struct site_conf, PROXY, sites,
		 "Names, and the applications behind them"),
	CONF_U32("workers", 0, 0, 64, "", PROXY, workers, "Threads with an event loop each; 0: one per core"),
	CONF_STR("agent-socket", "", 0, 107, NULL, PROXY, agent_socket,
		 "Local socket of the NAF agent; empty: the path of the installation"),
	CONF_U32("agent-timeout", 3000, 100, 60000, "ms", PROXY, agent_timeout, "Wait for a key"),
	CONF_STR("metrics", "", 0, 255, optional_address, PROXY, metrics,
		 "Serve /metrics, /livez, /readyz there; empty: off"),
	CONF_U32("retry-after", 5, 1, 3600, "s", PROXY, retry_after, "Told to devices with 503"),
	CONF_U32("max-connections", 20000, 8, 1000000, "", PROXY, max_connections, "Devices connected at a time"),
	CONF_U32("max-per-source", 1000, 1, 1000000, "", PROXY, max_per_source,
		 "Connections from one address (IPv6: /64)"),
	CONF_U32("max-waiting", 4096, 1, 100000, "", PROXY, max_waiting,
		 "Handshakes and requests of a worker that wait for a key; more are refused"),
	CONF_U32("handshake-timeout", 10000, 100, 120000, "ms", PROXY, handshake_timeout,
		 "From accept to the end of the TLS handshake"),
	CONF_U32("head-timeout", 10000, 100, 120000, "ms", PROXY, head_timeout,
		 "For a whole request head, from its first octet"),
	CONF_U32("idle-timeout", 60000, 100, 3600000, "ms", PROXY, idle_timeout, "Connection without request"),
	CONF_U32("body-timeout", 30000, 100, 3600000, "ms", PROXY, body_timeout, "Body without a single octet"),
	CONF_U32("min-rate", 32, 0, 1000000, "octets/s", PROXY, min_rate,
		 "Over body-timeout: who sends a body or reads an answer more slowly is cut off; 0: any octet will do"),
	CONF_U32("keepalive", 60, 0, 7200, "s", PROXY, keepalive,
		 "TCP asks a silent device if it is still there, and gives it up after half as long again; 0: off"),
	CONF_U32("stream-timeout", 3600, 1, 604800, "s", PROXY, stream_timeout, "Stream without a single octet"),
	CONF_U32("upstream-connect-timeout", 3000, 50, 60000, "ms", PROXY, upstream_connect_timeout,
		 "Wait for the application's socket"),
	CONF_U32("upstream-timeout", 60000, 100, 3600000, "ms", PROXY, upstream_timeout,
		 "Wait for the application's answer"),
	CONF_U32("upstream-idle-timeout", 30000, 100, 3600000, "ms", PROXY, upstream_idle_timeout,
		 "Keep an unused connection to the application"),
	CONF_U32("upstream-idle", 64, 0, 10000, "", PROXY, upstream_idle,
		 "Unused connections kept per site and worker"),
	CONF_U32("health-interval", 5, 1, 3600, "s", PROXY, health_interval, "Between two looks at health-path"),
	CONF_U32("health-timeout", 2000, 50, 60000, "ms", PROXY, health_timeout, "For its answer"),
	CONF_U32("drain-timeout", 15, 0, 3600, "s", PROXY, drain_timeout, "Finish requests after SIGTERM"),
	CONF_U32("max-head", 32, 4, 256, "KiB", PROXY, max_head, "Longest request or response head"),
	CONF_U32("key-cache", 4096, 0, 1000000, "", PROXY, key_cache, "Keys a worker remembers"),
	CONF_U32("key-cache-time", 60, 1, 86400, "s", PROXY, key_cache_time,
		 "How long, within their lifetime; a withdrawn key is good as long"),
	CONF_U32("nonce-lifetime", 300, 5, 86400, "s", PROXY, nonce_lifetime, "How long a Digest nonce is good"),
	CONF_U32("nonce-entries", 65536, 8, 10000000, "", PROXY, nonce_entries,
		 "Nonces in use whose counters are remembered"),
	CONF_STR("nonce-secret-file", "", 0, 255, NULL, PROXY, nonce_secret_file,
		 "32 octets or more, shared by proxies of one service; empty: random"),
	CONF_END
};

static enum gba_err listener_check(const struct listener_conf *listener, struct conf_error *_error)
{
	if (strncmp(listener->address, "unix:", 5) == 0)
		return conf_wrong(_error, "listeners: %s: devices connect over TCP", listener->address);
	if (listener->asks != ASKS_NOT && (listener->tls || !http_listen_is_loopback(listener->address)))
		return conf_wrong(_error, "listeners: %s: authorization is for a web server of this host: loopback, tls = false",
			     listener->address);
	if (listener->asks == ASKS_NOT && listener->asks_tls != ASKS_TLS_NONE)
		return conf_wrong(_error, "listeners: %s: authorization-tls needs authorization", listener->address);
	return GBA_OK;
}

static bool asks_anybody(const struct proxy_conf *conf)
{
	const struct listener_conf *listeners = conf->listeners.v;
	size_t i;

	for (i = 0; i < conf->listeners.n; i++) {
		if (listeners[i].asks != ASKS_NOT)
			return true;
	}
	return false;
}

static enum gba_err site_check(const struct site_conf *site, struct conf_error *_error)
{
	bool certificate = site->certificate[0] != '\0';

	if (strncmp(site->application_id, "fqdn:", 5) == 0 && strcasecmp(site->application_id + 5, site->fqdn) != 0)
		return conf_wrong(_error, "sites: %s: application-id is another host name", site->fqdn);
	if (certificate != (site->private_key[0] != '\0'))
		return conf_wrong(_error, "sites: %s: certificate and private-key go together", site->fqdn);
	if (site->mode == SITE_STREAM && site->upstream[0] == '\0')
		return conf_wrong(_error, "sites: %s: stream mode needs upstream", site->fqdn);
	if (site->mode == SITE_STREAM && !site->psk)
		return conf_wrong(_error, "sites: %s: stream mode needs psk", site->fqdn);
	if (site->mode == SITE_STREAM && (certificate || site->http_digest))
		return conf_wrong(_error, "sites: %s: stream mode has no Digest: no certificate, no http-digest", site->fqdn);
	if (!site->psk && !(site->tls_digest && (certificate || site->upstream[0] == '\0')) && !site->http_digest)
		return conf_wrong(_error, "sites: %s: no way in: set psk, certificate or http-digest", site->fqdn);
	if (site->health_path[0] != '\0' && (site->mode == SITE_STREAM || site->upstream[0] == '\0'))
		return conf_wrong(_error, "sites: %s: health-path needs an HTTP application", site->fqdn);
	if (site->uicc_psk && !site->psk)
		return conf_wrong(_error, "sites: %s: psk-uicc needs psk", site->fqdn);
	if (site->tls_min > site->tls_max)
		return conf_wrong(_error, "sites: %s: tls-min is above tls-max", site->fqdn);
	if (!site->md5 && !site->sha256)
		return conf_wrong(_error, "sites: %s: digest-md5 or digest-sha256 must be true", site->fqdn);
	if (!site->qop_auth && !site->qop_auth_int)
		return conf_wrong(_error, "sites: %s: qop-auth or qop-auth-int must be true", site->fqdn);
	if (site->gsids.n > GBA_NAF_GSID_MAX)
		return conf_wrong(_error, "sites: %s: at most 16 gsids", site->fqdn);
	return GBA_OK;
}

static const struct site_conf *site_named(const struct proxy_conf *conf, const char *fqdn, size_t before)
{
	const struct site_conf *sites = conf->sites.v;
	size_t i;

	for (i = 0; i < before; i++) {
		if (bytes_eq_nocase(bytes_of(sites[i].fqdn), bytes_of(fqdn)))
			return &sites[i];
	}
	return NULL;
}

enum gba_err proxy_conf_check(const void *conf_, struct conf_error *_error)
{
	const struct proxy_conf *conf = conf_;
	const struct site_conf *sites = conf->sites.v;
	const struct listener_conf *listeners = conf->listeners.v;
	enum gba_err err;
	size_t i;

	for (i = 0; i < conf->sites.n; i++) {
		err = site_check(&sites[i], _error);
		if (err != GBA_OK)
			return err;
		if (sites[i].upstream[0] == '\0' && !asks_anybody(conf))
			return conf_wrong(_error, "sites: %s: upstream is missing", sites[i].fqdn);
		if (site_named(conf, sites[i].fqdn, i) != NULL)
			return conf_wrong(_error, "sites: %s: occurs twice", sites[i].fqdn);
	}
	for (i = 0; i < conf->listeners.n; i++) {
		if (listeners[i].default_site[0] != '\0' && site_named(conf, listeners[i].default_site, conf->sites.n) == NULL)
			return conf_wrong(_error, "listeners: default-site: %s is not among the sites", listeners[i].default_site);
		err = listener_check(&listeners[i], _error);
		if (err != GBA_OK)
			return err;
	}
	return GBA_OK;
}
