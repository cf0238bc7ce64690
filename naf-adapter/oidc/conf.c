/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/oidc/conf.h"

#include "core/codec.h"
#include "core/ident.h"
#include "core/log.h"
#include "crypto/hash.h"
#include "http/server.h"
#include "ident/idrule.h"
#include "jose/jwt.h"

static bool visible(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] <= 0x20 || text.p[i] >= 0x7f || text.p[i] == '"' || text.p[i] == '\\')
			return false;
	}
	return text.n > 0;
}

bool https_url_split(const char *url, struct bytes *_host, struct bytes *_path)
{
	static const char scheme[] = "https://";
	struct bytes rest = bytes_of(url), port = BYTES_NONE;
	const uint8_t *slash;
	const char *why;

	if (id_https_url(rest, &why) != GBA_OK || !visible(rest) || strpbrk(url, "?#") != NULL ||
	    strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return false;
	rest = BYTES(rest.p + sizeof(scheme) - 1, rest.n - (sizeof(scheme) - 1));
	slash = memchr(rest.p, '/', rest.n);
	*_host = slash != NULL ? BYTES(rest.p, slash - rest.p) : rest;
	*_path = slash != NULL ? BYTES(slash, rest.n - _host->n) : BYTES(rest.p + rest.n, 0);
	bytes_split(*_host, ':', _host, &port);
	return fqdn_valid(*_host);
}

static bool url_valid(struct bytes text)
{
	struct bytes host, path;
	char copy[512];

	if (text.n >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return https_url_split(copy, &host, &path) && (path.n == 0 || path.p[path.n - 1] != '/');
}

/* https; http and schemes of their own for programs on the device itself (RFC 8252 7): anything absolute without a fragment. */
static bool redirect_valid(struct bytes text)
{
	struct bytes scheme, rest;

	return visible(text) && memchr(text.p, '#', text.n) == NULL && bytes_split(text, ':', &scheme, &rest) && scheme.n > 1 &&
	       rest.n > 1 && !bytes_eq_nocase(scheme, bytes_of("javascript")) && !bytes_eq_nocase(scheme, bytes_of("data"));
}

static bool hash_valid(struct bytes text)
{
	uint8_t digest[HASH_MAX];

	return hex_decode(text, digest, HASH_MAX) == GBA_OK;
}

static const char *const subject_names[] = { "asp", "pairwise", NULL };

#define CLIENT struct client_conf
static const struct conf_item client_items[] = {
	CONF_STR("id", NULL, 1, 128, visible, CLIENT, id, "client_id"),
	CONF_STRLIST("secret-sha256", "", 64, 64, hash_valid, CLIENT, secrets,
		 "SHA-256 as hex of its secret, a random one of 32 octets or more; two while it is changed"),
	CONF_STR("key", "", 0, 255, NULL, CLIENT, key,
		 "PEM file of its public key (RSA, P-256): it authenticates by private_key_jwt; empty: by secret, or public"),
	CONF_STRLIST("redirect-uris", NULL, 3, 512, redirect_valid, CLIENT, redirect_uris,
		 "Where answers may go, compared octet by octet"),
	CONF_STRLIST("post-logout-redirect-uris", "", 3, 512, redirect_valid, CLIENT, post_logout_uris,
		     "Where a device may go after it has logged out there"),
	CONF_BOOL("refresh-tokens", false, CLIENT, refresh_tokens, "It gets refresh tokens: good once each, until the bootstrapped key ends"),
	CONF_ENUM("subject", "asp", subject_names, CLIENT, subject,
		 "sub: what the operator lets this ASP know, alike for all its clients; or a value of the client's sector alone"),
	CONF_STR("sector", "", 0, 253, NULL, CLIENT, sector, "Clients with the same one know a user by the same sub; empty: its id"),
	CONF_BOOL("identities", false, CLIENT, identities, "May ask for scope identities: all that the proxy asserts"),
	CONF_BOOL("require-pkce", true, CLIENT, require_pkce, "Requests need code_challenge (S256); always so without secret and key"),
	CONF_END
};

#define OIDC struct oidc_conf
const struct conf_item oidc_conf_items[] = {
	CONF_COMMON(OIDC, common),
	CONF_STR("issuer", NULL, 9, 255, url_valid, OIDC, issuer, "\"https://login.example.com\": what clients know us by"),
	CONF_STR("authorize-url", NULL, 9, 255, url_valid, OIDC, authorize_url,
		 "\"https://device.example.com/authorize\": where devices come, a site of gba-naf-proxy"),
	CONF_STR("device-socket", GBA_RUNDIR "/oidc.sock", 1, 100, NULL, OIDC, device_socket,
		 "UNIX socket of that site: its upstream; needs token-info and token-control there"),
	CONF_STRLIST("device-users", "", 1, 64, NULL, OIDC, device_users, "Users that may connect to it, besides our own"),
	CONF_STR("listen", NULL, 3, 64, http_listen_valid, OIDC, listen, "Where clients come: address and port"),
	CONF_STR("certificate", "", 0, 255, NULL, OIDC, certificate, "PEM file; empty: HTTP behind a web server of this host"),
	CONF_STR("private-key", "", 0, 255, NULL, OIDC, private_key, "PEM file"),
	CONF_STR("metrics-listen", "", 0, 64, http_listen_valid, OIDC, metrics_listen,
		 "Address and port of /metrics, /livez, /readyz; empty: off"),
	CONF_STR("agent-socket", "", 0, 107, NULL, OIDC, agent_socket, "Socket of the agent; empty: the installation's"),
	CONF_U32("agent-timeout", 3000, 100, 60000, "ms", OIDC, agent_timeout, "Wait for a token"),
	CONF_STRLIST("gsids", "", 1, 10, gsid_valid, OIDC, gsids, "As the proxy's site has them: the agent is asked the same"),
	CONF_STR("keys", GBA_LOCALSTATEDIR "/oidc", 1, 200, NULL, OIDC, keys, "Folder (0700) of the signing keys; they are made in it"),
	CONF_ENUM("signing-alg", "RS256", jwt_alg_names, OIDC, signing_alg, "Of ID Tokens"),
	CONF_U32("key-rotation", 2592000, 60, 31536000, "s", OIDC, key_rotation, "A new signing key after so long"),
	CONF_U32("key-overlap", 86400, 10, 2592000, "s", OIDC, key_overlap,
		 "It is shown so long before it signs, and after it has signed last"),
	CONF_U32("code-lifetime", 60, 1, 600, "s", OIDC, code_lifetime, "A code is good once, within this time"),
	CONF_U32("id-token-lifetime", 600, 10, 86400, "s", OIDC, id_token_lifetime, "Or until the bootstrapped key ends"),
	CONF_U32("access-token-lifetime", 3600, 1, 86400, "s", OIDC, access_token_lifetime, "Or until the bootstrapped key ends"),
	CONF_U32("login-max-age", 60, 10, 3600, "s", OIDC, login_max_age, "prompt=login: bootstrapped no longer ago than this"),
	CONF_U32("threads", 2, 1, 64, "", OIDC, threads, "That answer clients"),
	CONF_U32("max-grants", 100000, 16, 10000000, "", OIDC, max_grants, "Codes and access tokens at a time"),
	CONF_BOOL("allow-impi", false, OIDC, allow_impi, "An IMPI may be a subject or an identity"),
	CONF_GROUPS("clients", NULL, 1, 1024, client_items, struct client_conf, OIDC, clients, "Relying parties"),
	CONF_END
};

static enum gba_err client_check(const struct oidc_conf *conf, size_t at, struct conf_error *_error)
{
	const struct client_conf *clients = conf->clients.v, *client = &clients[at];
	size_t i;

	for (i = 0; i < at; i++) {
		if (strcmp(clients[i].id, client->id) == 0)
			return conf_wrong(_error, "clients: %s: occurs twice", client->id);
	}
	if (client->redirect_uris.n == 0)
		return conf_wrong(_error, "clients: %s: redirect-uris is empty", client->id);
	if (client->secrets.n > 0 && client->key[0] != '\0')
		return conf_wrong(_error, "clients: %s: either secret-sha256 or key", client->id);
	return GBA_OK;
}

enum gba_err oidc_conf_check(const void *conf_, struct conf_error *_error)
{
	const struct oidc_conf *conf = conf_;
	enum gba_err err;
	size_t i;

	if (*conf->certificate == '\0' && !http_listen_is_loopback(conf->listen))
		return conf_wrong(_error, "listen: %s: without certificate only loopback, behind a web server", conf->listen);
	if ((*conf->certificate == '\0') != (*conf->private_key == '\0'))
		return conf_wrong(_error, "%s", "certificate and private-key go together");
	if (conf->key_overlap >= conf->key_rotation)
		return conf_wrong(_error, "%s", "key-overlap is not below key-rotation");
	if (conf->id_token_lifetime > conf->key_overlap)
		return conf_wrong(_error, "%s", "id-token-lifetime is above key-overlap: the key of a good token would be gone");
	if (conf->gsids.n > GBA_NAF_GSID_MAX)
		return conf_wrong(_error, "%s", "gsids: at most 16");
	for (i = 0; i < conf->clients.n; i++) {
		err = client_check(conf, i, _error);
		if (err != GBA_OK)
			return err;
	}
	return GBA_OK;
}
