/* SPDX-License-Identifier: Apache-2.0 */
/** AUTHENTICATE of a USIM or an ISIM (TS 31.102 7.1, TS 31.103 7.1): what is sent and how the answer reads. */
#ifndef GBA_UE_CARD_AUTH_H
#define GBA_UE_CARD_AUTH_H

#include "ue/usim/apdu.h"
#include "ue/usim/usim.h"

/** RAND and AUTN to the application selected: P2 = 81, or P2 = 84 with tag DD.
 * @param _reply  zeroed by the caller  @param _sw  the card's last status; 0: none
 * @retval GBA_E_AKA_MAC   9862  @retval GBA_E_AKA_SYNC  _reply->auts is set
 * @retval GBA_E_DENIED    6982: a PIN is wanted  @retval GBA_E_UNSUPPORTED  the card does not have this context
 * @retval GBA_E_PEER      an answer of another form; and all of apdu_exchange() */
enum gba_err card_authenticate(const struct apdu_card *card, enum usim_context context, const uint8_t rand[AKA_RAND_LEN],
			       const uint8_t autn[AKA_AUTN_LEN], struct usim_reply *_reply, uint16_t *_sw, struct why *why);
/** P2 = 84 with tag DE: Ks_ext_NAF of the Ks in the card.
 * @retval GBA_E_BTID_UNKNOWN  the card has no Ks  @retval GBA_E_TOO_LONG  for one command */
enum gba_err card_derive(const struct apdu_card *card, struct bytes naf_id, struct bytes impi, uint8_t ks_ext_naf[GBA_KS_NAF_LEN],
			 uint16_t *_sw, struct why *why);

#endif
