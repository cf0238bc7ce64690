/* SPDX-License-Identifier: Apache-2.0 */
/** The interface between the client element, which bootstraps and keeps tokens, and the connection element, which uses
 * them (Y.3056 8.1): the latter sees B-TIDs and the keys of one application, never Ks, IMPI or anything of the USIM. */
#ifndef GBA_UE_TOKEN_SOURCE_H
#define GBA_UE_TOKEN_SOURCE_H

#include <time.h>

#include "core/ident.h"
#include "crypto/gba_keys.h"
#include "core/why.h"

struct token_ref {
	char btid[BTID_MAX + 1];
	time_t expires; /* [s since epoch] no session may begin then, or later */
};

/** Functions may block while the device bootstraps (at most about a minute), and may be called from any thread. */
struct token_source {
	void *arg;
	/** A valid token of the active realm for an application, bootstrapped if there is none.
	 * @param naf      host name of the application, any case
	 * @param refused  B-TID the application did not take (renegotiation indication, TS 24.109 5.2.5): another one
	 * is wanted; NULL: none
	 * @return GBA_OK, or what the client element or ub_run() ran into; why tells */
	enum gba_err (*token)(void *arg, struct bytes naf, const char *refused, struct token_ref *_token,
			      struct why *why);
	/** Ks_NAF (GBA_U: Ks_ext_NAF) under a token, TS 33.220 4.5.2. The caller wipes it.
	 * @param naf_id  as naf_id_build() makes it
	 * @retval GBA_E_BTID_UNKNOWN  the token is no longer usable: retired, replaced or expired */
	enum gba_err (*key)(void *arg, const struct token_ref *token, struct bytes naf_id, uint8_t key[GBA_KS_NAF_LEN]);
	/** The application ends its token before its time (Y.3056 9.3-7): no new session begins under it, and sessions
	 * under it see it by live(). @param naf  as for token() */
	enum gba_err (*end)(void *arg, struct bytes naf, const struct token_ref *token);
	/** May a session under this token go on? False: it was retired, or its realm is no longer the active one
	 * (Y.3056 7.4-5). When that cannot be found out: true. Reads files: not for every octet. */
	bool (*live)(void *arg, struct bytes naf, const struct token_ref *token);
};

#endif
