/* SPDX-License-Identifier: Apache-2.0 */
/** Showing a card its PIN without ever costing it more than one try (TS 102 221 9.5, 11.1.9). */
#ifndef GBA_UE_CARD_PIN_H
#define GBA_UE_CARD_PIN_H

#include "ue/state.h"
#include "ue/usim/apdu.h"
#include "ue/usim/usim.h"

/** Tries left, which costs none. @param _tries  -1: the card does not say */
enum gba_err card_pin_tries(const struct apdu_card *card, uint8_t reference, int *_tries, struct why *why);
/** Show the PIN, once. One that this card has refused before is not shown again; the last try is a person's.
 * @param iccid  which card
 * @retval GBA_E_DENIED  no PIN, blocked, refused: now or before; why has the tries left */
enum gba_err card_pin_show(const struct apdu_card *card, uint8_t reference, const char *iccid, struct state *state,
			   const struct usim_pin *pin, struct why *why);

#endif
