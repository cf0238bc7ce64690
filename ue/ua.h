/* SPDX-License-Identifier: Apache-2.0 */
/** Ua, the device's side, for HTTP (TS 24.109 clause 5, TS 33.222) and CoAP: the connection element. Asks an application over
 * PSK-TLS or DTLS-PSK, or with HTTP Digest inside certificate TLS or plain HTTP, under a token of the client element; bootstraps
 * again, once, when the application says so. */
#ifndef GBA_UE_UA_H
#define GBA_UE_UA_H

#include "ue/psk.h"

enum ua_mode { UA_AUTO, UA_PSK, UA_DIGEST, UA_MODE_COUNT };
extern const char *const ua_mode_names[]; /* by value */

/** Header of an answer by which the application ends its token's life (Y.3056 9.3-7): "renew": another one at once,
 * "revoke": none until it is asked for again. Believed only inside TLS, from an application that proved itself. */
#define UA_TOKEN_HEADER "Y3056-Token"

#define UA_TIMEOUT_MS 30000
#define UA_BODY_MAX   (16 * 1024 * 1024) /* [octets] of an answer, unless told otherwise */

struct ua_conf {
	const char *product;           /* User-Agent, to which "3gpp-gba" is added */
	const char *connect, *ca_file; /* as in struct fetch_ask */
	const char *separator;         /* NULL: PSK_SEPARATOR_DEFAULT */
	enum ua_mode mode; /* AUTO: https by PSK-TLS, by certificate and Digest when the server does not do PSK;
			      http by Digest; coaps by DTLS-PSK */
	enum fetch_tls tls;
	bool need_rspauth;       /* Digest: an answer without proof of the application is refused */
	unsigned int timeout_ms; /* of one exchange; 0: UA_TIMEOUT_MS */
	size_t max_body;         /* 0: UA_BODY_MAX */
	const char *cnonce;      /* tests only; NULL: random */
};

struct ua_request {
	const char *url, *method;
	const struct fetch_header *headers; /* extra ones, ends with a NULL name; NULL: none. Host, User-Agent,
					       Content-Length, Transfer-Encoding and, unless mode is PSK,
					       Authorization are ours: refused */
	struct bytes body;                  /* absent: none */
	unsigned int observe;               /* of coaps only: as in struct fetch_ask, with told and told_arg */
	void (*told)(void *arg, const struct fetch_answer *answer);
	void *told_arg;
};

struct ua_reply {
	struct fetch_answer answer;
	enum ua_mode mode;   /* by which the last exchange was made */
	bool authenticated;  /* a key was used: false when the application asked for none */
	bool server_proved;  /* the application proved that it knows Ks_NAF (PSK-TLS, rspauth) */
	bool rebootstrapped; /* the application did not take the first token */
	const char *signal;  /* UA_TOKEN_HEADER was obeyed: "renew" or "revoke"; NULL: none */
	struct token_ref token;
};

/** Blocks: timeouts of the exchanges, and of Ub when a token is needed.
 * @param reply  below mem_ctx; its status may be any, the application's refusals included
 * @retval GBA_E_SYNTAX           URL or headers
 * @retval GBA_E_REALM            the challenge names another host than the one addressed
 * @retval GBA_E_DIGEST_MISMATCH  rspauth wrong, or needed and missing
 * @retval GBA_E_NOT_AUTHORIZED   the application does not take a fresh token either
 * @return and all of token_source.token(), struct fetcher */
enum gba_err ua_fetch(TALLOC_CTX *mem_ctx, const struct ua_conf *conf, const struct token_source *source,
		      const struct fetcher *fetcher, const struct ua_request *request, struct ua_reply *_reply,
		      struct why *why);

#endif
