/* SPDX-License-Identifier: Apache-2.0 */
/** HTTP Digest on Ua (TS 24.109 5.2, TS 33.222 5): which requests are challenged, with what, and whether an Authorization
 * header proves its sender. The key is looked up by the caller, in between. Pure functions but for the nonces. */
#ifndef GBA_PROXY_UA_DIGEST_H
#define GBA_PROXY_UA_DIGEST_H

#include "core/ident.h"
#include "http/digest.h"
#include "naf-adapter/proxy/buf.h"
#include "naf-adapter/proxy/http1.h"
#include "naf-adapter/proxy/nonce.h"

/** Which keys a site takes (TS 33.220 5.3.3), and so which realms it offers. */
enum ua_keys { UA_KEYS_ME, UA_KEYS_UICC, UA_KEYS_BOTH };
extern const char *const ua_keys_names[];

struct ua_policy {
	struct bytes fqdn;	   /* the site's, lower case */
	uint32_t keys;		   /* enum ua_keys */
	bool md5, sha256;	   /* algorithms offered */
	bool qop_auth, qop_auth_int;
	bool challenge_all;	   /* also user agents that do not name a GBA product token */
	const struct nonces *nonces;
};

/** Does the User-Agent announce GBA (product tokens 3gpp-gba, 3gpp-gba-uicc, TS 24.109 5.2.3)? */
bool ua_agent_knows_gba(struct bytes user_agent);
/** The same for Ks_int_NAF: 3gpp-gba-uicc. */
bool ua_agent_knows_uicc(struct bytes user_agent);

/** Append WWW-Authenticate lines, one per algorithm: the bootstrapping required indication, 5.2.4.
 * @return false: out of memory */
bool ua_challenge_put(TALLOC_CTX *mem_ctx, const struct ua_policy *policy, struct bytes user_agent, bool stale,
		      uint64_t now_ms, struct buf *out);

enum ua_step {
	UA_GO_ON,      /* fetch the key for auth.username */
	UA_CHALLENGE,  /* 401 */
	UA_BAD,	       /* 400 and close */
};
/** A request's claim, taken apart. */
struct ua_claim {
	struct digest_auth auth;
	bool uicc;	/* Ks_int_NAF is meant */
	bool joined;	/* both realms were given back in one: either key may be meant */
	bool old_nonce; /* NONCE_OLD: stale once the response proves right */
};
/** Judge all that can be judged without the key; no B-TID is asked for before its nonce proved to be ours.
 * @param _claim  views below mem_ctx, written on UA_GO_ON
 * @param _err    why, for the log */
enum ua_step ua_claim_read(TALLOC_CTX *mem_ctx, const struct ua_policy *policy, const struct h1_head *head, uint64_t now_ms,
			   struct ua_claim *_claim, enum gba_err *_err);

#define UA_KEY_LEN 32 /* [octets] Ks_NAF, Ks_int_NAF: TS 33.220 B.3 */
/** Does the claim's response prove knowledge of the key? @param body  the whole request body; looked at for auth-int only */
bool ua_claim_proved(const struct ua_claim *claim, struct bytes method, struct bytes body, const uint8_t key[UA_KEY_LEN]);
/** Value of Authentication-Info (RFC 7616 3.5) below mem_ctx: proves us to the device. The body of a response is passed on as
 * it comes, so that qop=auth is the form for it also when the request came with auth-int; a response without body gets the
 * request's own qop. @param nextnonce  NULL: none. @return NULL: out of memory */
char *ua_info_build(TALLOC_CTX *mem_ctx, const struct ua_claim *claim, bool empty_body, const char *nextnonce,
		    const uint8_t key[UA_KEY_LEN]);

#endif
