/* SPDX-License-Identifier: Apache-2.0 */
/** The client element (Y.3056 8.1.1): profiles, tokens and the secure element of one state folder, joined. */
#ifndef GBA_UE_CLIENT_H
#define GBA_UE_CLIENT_H

#include "ue/fetch.h"
#include "ue/token.h"
#include "ue/token_source.h"
#include "ue/ub.h"

#define CLIENT_LOCK_WAIT_MS (2 * UB_TIMEOUT_MS) /* for a run of another thread or process */

struct client_conf {
	const char *product;           /* User-Agent on Ub */
	unsigned int timeout_ms;       /* of a bootstrapping run; 0: UB_TIMEOUT_MS */
	time_t (*now)(void);           /* NULL: clock_now */
	const struct fetcher *fetcher; /* NULL: libcurl, a connection per run */
	const char *usim;              /* instead of the one in the profile; NULL: that one */
	struct usim_pin pin;           /* of cards; zero: none */
};

struct client;

/** state outlives it; texts of conf are not copied. Usable from any thread. NULL: out of memory. */
struct client *client_new(TALLOC_CTX *mem_ctx, struct state *state, const struct client_conf *conf);

/** What a bootstrapping was like, for people. */
struct client_run {
	char profile[STATE_NAME_MAX + 1];
	char btid[BTID_MAX + 1];
	time_t expires;
	bool fresh;         /* a run on Ub took place */
	bool in_usim, tmpi; /* Ks kept in the card; a TMPI for the next run was agreed */
	unsigned int resyncs, retry_after;
	char realm_profile[BSINFO_TEXT_MAX + 1], token_format[BSINFO_TEXT_MAX + 1]; /* as the BSF said; empty: not said */
};
/** Have a valid token of the active realm; run Ub when there is none, when it is `refused`, or when force.
 * @param naf      application it is for; absent: none named
 * @param refused  B-TID that is not good enough; NULL: none
 * @retval GBA_E_NOT_FOUND  no profile, or no USIM of the name in the profile
 * @retval GBA_E_BUSY       the BSF asked to be left alone until later (force asks anyway)
 * @return and all of ub_run() */
enum gba_err client_bootstrap(struct client *client, struct bytes naf, const char *refused, bool force,
			      struct client_run *_run, struct why *why);

/** The interface for connection elements; valid as long as client. */
struct token_source client_source(struct client *client);

/** Make another realm the active one; tokens of the others are retired (Y.3056 9.3-8, 9.3-9). @retval GBA_E_NOT_FOUND
 */
enum gba_err client_switch(struct state *state, const char *profile, struct why *why);

/** A key update (Y.3056 10.6) and the profile that goes with it. Texts: "" when not set. */
struct client_update {
	struct bytes message;
	const char *profile; /* name of the new realm's */
	const char *url, *connect, *ca_file;
	bool again; /* the USIM may have taken it already: make the profile good */
};
/** Let the USIM of the active profile take it, and add the new realm's profile. The next bootstrapping tries the new
 * realm first. @return all of soft_usim_update(), profiles_add() */
enum gba_err client_update(struct client *client, const struct client_update *ask, struct why *why);
/** Has the active profile's USIM keys of two operators? */
bool client_changing(struct client *client);

#endif
