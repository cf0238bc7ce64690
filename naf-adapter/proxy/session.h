/* SPDX-License-Identifier: Apache-2.0 */
/** Session control between proxy and application (Y.3056 9.5, 10.5): what the application is told of the token a request came
 * with, what it says of it in its answer, and the site's own conditions on tokens. */
#ifndef GBA_PROXY_SESSION_H
#define GBA_PROXY_SESSION_H

#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/proxy/conf.h"
#include "naf-adapter/proxy/fields.h"

enum session_verdict { SESSION_TAKEN, SESSION_OLD, SESSION_REFUSED };
/** The site's conditions. SESSION_OLD: a newer token is wanted; SESSION_REFUSED: bootstrapping again does not help.
 * @param _why  static text, when not taken */
enum session_verdict session_judge(const struct site_conf *site, const struct gba_naf_result *result, time_t now,
				   const char **_why);

/** Value of X-GBA-Token: B-TID, Ua identifier, kind of key and of bootstrapping, when it was and when the key ends.
 * @return absent: out of memory */
struct bytes session_describe(TALLOC_CTX *mem_ctx, const struct gba_naf_result *result, const uint8_t ua_id[GBA_NAF_UA_ID_LEN],
			      bool uicc);

/** X-GBA-Token-Control in the application's answer. */
enum session_word {
	SESSION_SAYS_NOTHING,
	SESSION_RENEW,	  /* "renew": not this answer but the renegotiation indication, and the token is taken no longer */
	SESSION_REVOKE,	  /* "revoke": this answer, then the token is taken no longer */
	SESSION_SHORTEN,  /* "lifetime=SECONDS": the token is taken for so long, from now */
	SESSION_NONSENSE,
};
/** @param _until  [s since epoch] written for all but nothing and nonsense */
enum session_word session_word_read(const struct h1_head *head, time_t now, time_t *_until);

#endif
