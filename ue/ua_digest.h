/* SPDX-License-Identifier: Apache-2.0 */
/** Digest on Ua without transport: is a 401 the bootstrapping-required indication, what to answer, is the answer's
 * rspauth right (TS 24.109 5.2). */
#ifndef GBA_UE_UA_DIGEST_H
#define GBA_UE_UA_DIGEST_H

#include "http/digest.h"
#include "ue/ua.h"

#define UA_REALM_PREFIX    "3GPP-bootstrapping@"
#define UA_DIGEST_PASSWORD BASE64_LEN(GBA_KS_NAF_LEN)

/** Computed for one request; the caller wipes it. */
struct ua_digest {
	struct digest_challenge challenge;
	enum digest_qop qop;
	char password[UA_DIGEST_PASSWORD + 1];
	char cnonce[17];
	struct bytes method, target, body;
	const char *username; /* B-TID */
};

/** The answer's challenge of this kind.
 * @param host  addressed, lower case
 * @retval GBA_E_AUTH_SCHEME  none: the 401 means something else
 * @retval GBA_E_REALM        for another host */
enum gba_err ua_digest_challenge(TALLOC_CTX *mem_ctx, const struct fetch_answer *answer, const char *host,
				 struct digest_challenge *_challenge);
/** Value for Authorization, with nc 1. @param cnonce  NULL: random. NULL returned: out of memory */
char *ua_digest_answer(TALLOC_CTX *mem_ctx, struct ua_digest *digest, const char *cnonce);
/** @param _proved  rspauth there and right
 * @retval GBA_E_DIGEST_MISMATCH  there and wrong, or of another request */
enum gba_err ua_digest_check(TALLOC_CTX *mem_ctx, const struct ua_digest *digest, const struct fetch_answer *answer,
			     bool *_proved);

#endif
