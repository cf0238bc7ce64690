/* SPDX-License-Identifier: Apache-2.0 */
/** A USIM or ISIM in a reader, behind the interface of usim.h. Keys of AKA never leave it; with GBA in its service table,
 * Ks does not either (TS 33.220 5). */
#ifndef GBA_UE_CARD_USIM_H
#define GBA_UE_CARD_USIM_H

#include "core/why.h"
#include "ue/state.h"
#include "ue/usim/pcsc.h"
#include "ue/usim/usim.h"

enum card_app { CARD_ANY, CARD_USIM, CARD_ISIM };

struct card_wanted {
	enum card_app app; /* ANY: the USIM if there is one, else the ISIM */
	bool gba_me;	   /* never in GBA context */
	char reader[PCSC_READER_MAX + 1];
};

/** Nothing is done with the card before it is asked for something.
 * A PIN that the card has refused is kept in the state folder ("pin-refused-<iccid>", sealed) and never tried again, unless a
 * person enters it; the last try is left to a person as well. */
enum gba_err card_usim_open(TALLOC_CTX *mem_ctx, struct state *state, const struct card_wanted *wanted, const struct usim_pin *pin,
			    struct usim *_usim);

/** What the card is, for people. */
struct card_about {
	char reader[PCSC_READER_MAX + 1], iccid[2 * 10 + 1];
	bool t0, usim, isim;
	enum { CARD_GBA_UNKNOWN, CARD_GBA_NO, CARD_GBA_YES } gba_usim, gba_isim; /* unknown: the card wants its PIN first */
	bool pin_on;				 /* its PIN is switched on */
	int pin_tries;				 /* left; -1: the card does not say */
};
/** Without a PIN. @param reader  as for pcsc_open() */
enum gba_err card_about(const char *reader, struct card_about *_about, struct why *why);

#endif
