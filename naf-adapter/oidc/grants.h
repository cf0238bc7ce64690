/* SPDX-License-Identifier: Apache-2.0 */
/** What has been granted: a code each, then an access token and perhaps a refresh token (RFC 6749 4.1, 6), as long as the
 * bootstrapped token lives. In memory, by hashes. Thread-safe. */
#ifndef GBA_OIDC_GRANTS_H
#define GBA_OIDC_GRANTS_H

#include <talloc.h>
#include <time.h>

#include "core/bytes.h"
#include "core/err.h"
#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/oidc/conf.h"

#define GRANT_SECRET_ROOM 44 /* 256 bits as base64url, NUL */

struct grants;

/** Who logged in where, and how. */
struct grant_facts {
	const char *client; /* client_id */
	const char *redirect_uri, *sub;
	const char *nonce, *challenge; /* NULL: none was sent */
	const char *identities;	       /* value of X-3GPP-Asserted-Identity; NULL: not asked for */
	const char *acr;	       /* static */
	const char *const *amr;	       /* static, NULL-terminated */
	time_t auth_time;	       /* [s since epoch] of the bootstrapping; 0: not told */
	time_t ends;		       /* [s since epoch] of the bootstrapped key */
	time_t access_ends;	       /* [s since epoch] of the access token; set when it is given out */
};

struct grants *grants_new(TALLOC_CTX *mem_ctx, size_t most);
/** Grant. @param facts   copied @param result  one more reference is taken: notices about it end the grant
 * @param until  [s since epoch] of the code @param code  written on GBA_OK @retval GBA_E_BUSY (too many), GBA_E_NOMEM */
enum gba_err grants_add(struct grants *grants, const struct grant_facts *facts, struct gba_naf_result *result, time_t now,
			time_t until, char code[GRANT_SECRET_ROOM]);

struct grant_claim {
	struct bytes code;
	const char *client; /* client_id */
	const char *redirect_uri, *verifier; /* NULL: not sent */
	time_t access_until;		     /* [s since epoch] of the access token, unless the key ends before */
	bool refreshable;		     /* a refresh token, too: until the key ends */
};
struct grant_tokens {
	char access[GRANT_SECRET_ROOM];
	char refresh[GRANT_SECRET_ROOM]; /* "": none */
};
/** A code for an access token. Whatever the outcome, a code that was found is used up; one that comes a second time also ends the
 * access token it was given for (RFC 6749 4.1.2).
 * @param _facts  texts below mem_ctx; on GBA_OK @param _tokens  on GBA_OK
 * @retval GBA_E_NOT_FOUND, GBA_E_STALE (expired), GBA_E_REPLAY, GBA_E_DENIED (another client's, redirect_uri, verifier) */
enum gba_err grants_redeem(struct grants *grants, const struct grant_claim *claim, time_t now, TALLOC_CTX *mem_ctx,
			   struct grant_facts *_facts, struct grant_tokens *_tokens);
/** A refresh token for the next access token and the next refresh token. One that was used before ends the grant: somebody else has
 * it, too (RFC 9700 4.14.2). The access token before it ends.
 * @param claim  code: the refresh token; redirect_uri and verifier unused
 * @retval GBA_E_NOT_FOUND, GBA_E_REPLAY, GBA_E_DENIED (another client's) */
enum gba_err grants_refresh(struct grants *grants, const struct grant_claim *claim, time_t now, TALLOC_CTX *mem_ctx,
			    struct grant_facts *_facts, struct grant_tokens *_tokens);
/** What an access token stands for. @retval GBA_E_NOT_FOUND  none, or no more */
enum gba_err grants_find(struct grants *grants, struct bytes access, time_t now, TALLOC_CTX *mem_ctx, struct grant_facts *_facts);
/** The client gives its access or refresh token up (RFC 7009), and the grant with it; another client's stays. */
void grants_revoke(struct grants *grants, struct bytes token, const char *client);
/** A user logs out of a client: all grants of both. @return how many */
size_t grants_log_out(struct grants *grants, const char *client, const char *sub);
/** Clients have gone. @return grants that went with them */
size_t grants_retain(struct grants *grants, bool (*is_client)(const char *client, const void *arg), const void *arg);
/** Tokens have ended. @return grants that went with them */
size_t grants_noticed(struct grants *grants, const struct gba_naf_notice *notice);
/** Forget what nobody can use any more. */
void grants_sweep(struct grants *grants, time_t now);
size_t grants_count(struct grants *grants);

#endif
