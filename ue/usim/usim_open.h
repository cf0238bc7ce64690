/* SPDX-License-Identifier: Apache-2.0 */
/** Which secure element a name means: a soft USIM's ("default"), or a card in a reader: "pcsc:READER".
 *
 *   pcsc:            the first reader
 *   pcsc:READER      by name, or by a beginning of it that only one has
 *   pcsc,isim:...    the ISIM; pcsc,usim:... the USIM; else the USIM if there is one
 *   pcsc,me:...      never in GBA context, even if the card has it: for operators that have not entered it (GBA_ME) */
#ifndef GBA_UE_USIM_OPEN_H
#define GBA_UE_USIM_OPEN_H

#include "core/why.h"
#include "ue/state.h"
#include "ue/usim/usim.h"

#define USIM_NAME_MAX 159 /* [octets] */

/** What a profile or --usim may say. */
bool usim_name_valid(struct bytes name);
/** A card in a reader: it may be taken out, and another one put in. */
bool usim_name_is_card(const char *name);
/** @param pin  how cards get their PIN; get NULL: there is none  @retval GBA_E_NOT_FOUND  no soft USIM of this name */
enum gba_err usim_open(TALLOC_CTX *mem_ctx, struct state *state, const char *name, const struct usim_pin *pin, struct usim *_usim);
/** What went wrong in the call before, in the card's words if it has any. @return err */
enum gba_err usim_why(const struct usim *usim, enum gba_err err, struct why *why);

#endif
