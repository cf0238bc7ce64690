/* SPDX-License-Identifier: Apache-2.0 */
/** Configuration of gba-naf-proxy. */
#ifndef GBA_PROXY_CONF_H
#define GBA_PROXY_CONF_H

#include "conf/conf.h"

enum site_mode { SITE_HTTP, SITE_STREAM };
enum site_challenge { CHALLENGE_ALL, CHALLENGE_GBA };
/* Which identities the application is told, in this order until one is there. */
enum site_intended { INTENDED_REFUSE, INTENDED_DROP, INTENDED_PASS };
enum site_tls { SITE_TLS_12, SITE_TLS_13 };
/* Ua security protocol identifier for Digest inside certificate TLS 1.3. */
enum site_tls13_ua_id { UA_ID_SUITE, UA_ID_HTTP };

/** A name devices address (NAF FQDN), and the application behind it. */
struct site_conf {
	const char *fqdn, *upstream;
	const char *application_id; /* "gs1:..."; "": fqdn is the application's identity itself */
	uint32_t mode;
	bool psk, uicc_psk, tls_digest, http_digest;
	const char *certificate, *private_key;
	const char *health_path; /* "": the application is not asked */
	uint32_t tls_min, tls_max, tls13_ua_id;
	uint32_t keys, challenge, identity, intended; /* identity: enum release_policy */
	struct conf_strlist gsids;
	bool md5, sha256, qop_auth, qop_auth_int;
	bool authentication_info, flags_header, upgrade, proxy_header;
	bool token_info, token_control, token_2g;
	uint32_t token_max_age; /* [s] 0: any */
	uint32_t max_body_mib, auth_int_kib;
};

struct listener_conf {
	const char *address;
	bool tls, proxy_protocol;
	const char *default_site;
	uint32_t asks, asks_tls; /* enum asks, asks_tls of described.h */
};

struct proxy_conf {
	struct conf_common common;
	struct conf_groups listeners; /* struct listener_conf */
	struct conf_groups sites;     /* struct site_conf */
	uint32_t workers;
	const char *agent_socket, *metrics;
	uint32_t agent_timeout, retry_after;
	uint32_t max_connections, max_per_source, max_waiting;
	uint32_t handshake_timeout, head_timeout, idle_timeout, body_timeout, stream_timeout;
	uint32_t min_rate, keepalive; /* [octets/s], [s] */
	uint32_t upstream_connect_timeout, upstream_timeout, upstream_idle_timeout, upstream_idle;
	uint32_t drain_timeout, max_head;
	uint32_t health_interval, health_timeout; /* [s], [ms] */
	uint32_t key_cache, key_cache_time;
	uint32_t nonce_lifetime, nonce_entries;
	const char *nonce_secret_file;
};

extern const struct conf_item proxy_conf_items[];

/** Checks between items: names that occur twice, certificates without keys, sites no listener can reach, stream mode without
 * PSK, identifiers of services that are no numbers. */
enum gba_err proxy_conf_check(const void *conf, struct conf_error *_error);

/** The text "host:port", "[v6]:port" or "unix:/path" taken apart. @return false: malformed; host and port hold up to cap */
bool address_split(const char *text, char *host, size_t cap, char *port, size_t port_cap);
bool address_valid(struct bytes text);

#endif
