/* SPDX-License-Identifier: Apache-2.0 */
/** What client.c (tokens and runs) and client_change.c (change of operator) share. */
#ifndef GBA_UE_CLIENT_PRIV_H
#define GBA_UE_CLIENT_PRIV_H

#include "ue/client.h"

struct client {
	struct state *state;
	struct client_conf conf;
};

/** What one call needs of the folder, below its own context. */
struct view {
	struct client *client;
	struct profiles *profiles;
	const struct profile *profile;
	struct tokens *tokens;
	time_t now;
};

struct wanted {
	struct bytes naf;
	const char *refused;
	struct client_run *run;
	char card[IMPI_MAX + 1]; /* whom the card in the reader serves; "": no card to ask */
	char tmpi[GBA_TMPI_MAX];
	time_t not_before;
	bool change_awaited; /* of the last run by certificate: the change of operator is not final yet */
};

/** The USIM of a profile. */
enum gba_err client_usim(struct view *view, const struct profile *profile, struct usim *_usim);
/** The USIM that holds the Ks of the active realm's token. @param impi  written: whose keys are derived
 * @retval GBA_E_BTID_UNKNOWN  the token is another one  @retval GBA_E_UNSUPPORTED  its Ks is not in the USIM */
enum gba_err client_card_of(TALLOC_CTX *mem_ctx, struct client *client, const char *btid, struct usim *_usim,
			    char impi[IMPI_MAX + 1]);
/** One transaction on the token store. */
enum gba_err client_with_tokens(struct view *view,
				enum gba_err (*change)(struct view *view, void *arg, bool *_changed), void *arg,
				struct why *why);
/** A transaction: a stored token that will do. @retval GBA_E_NOT_FOUND  bootstrap */
enum gba_err client_find_token(struct view *view, void *arg, bool *_changed);
/** The 10.4 flow in the realm of view->profile, under the bootstrap lock. */
enum gba_err client_run_ub(struct view *view, struct wanted *wanted, struct why *why);
/** Make a profile the active one, under both locks. */
enum gba_err client_switch_locked(struct state *state, const char *name, struct why *why);
/** The same in whichever of two realms is the right one while a change of operator is under way. */
enum gba_err client_bootstrap_changing(struct view *view, struct wanted *wanted, struct why *why);

#endif
