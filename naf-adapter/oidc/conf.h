/* SPDX-License-Identifier: Apache-2.0 */
/** Configuration of gba-naf-oidc. */
#ifndef GBA_OIDC_CONF_H
#define GBA_OIDC_CONF_H

#include "conf/conf.h"
#include "naf-adapter/libnaf/gba-naf.h"

/* What a client knows a user by: what the operator lets this ASP know, or a value of its own made of that. */
enum client_subject { SUBJECT_ASP, SUBJECT_PAIRWISE };

/** A relying party. */
struct client_conf {
	const char *id;
	struct conf_strlist secrets; /* SHA-256 of each, as hex */
	const char *key;	     /* PEM file of a public key: private_key_jwt; "": none */
	struct conf_strlist redirect_uris, post_logout_uris;
	uint32_t subject;
	const char *sector;
	bool identities, require_pkce, refresh_tokens;
};

struct oidc_conf {
	struct conf_common common;
	const char *issuer, *authorize_url;
	const char *device_socket, *listen, *certificate, *private_key, *metrics_listen, *agent_socket;
	struct conf_strlist device_users, gsids;
	const char *keys;
	uint32_t signing_alg; /* enum jwt_alg */
	uint32_t key_rotation, key_overlap, code_lifetime, id_token_lifetime, access_token_lifetime, login_max_age; /* [s] */
	uint32_t agent_timeout; /* [ms] */
	uint32_t threads, max_grants;
	bool allow_impi;
	struct conf_groups clients; /* struct client_conf */
};

extern const struct conf_item oidc_conf_items[];
/** Checks between items: URLs that do not belong together, clients twice or without anything, life times. */
enum gba_err oidc_conf_check(const void *conf, struct conf_error *_error);

/** A URL's host (without port) and path; views. @return false: no "https://HOST[:PORT][/PATH]", or with query or fragment */
bool https_url_split(const char *url, struct bytes *_host, struct bytes *_path);

#endif
