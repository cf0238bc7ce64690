/* SPDX-License-Identifier: Apache-2.0 */
/** Readers and the cards in them, through PC/SC. Other programs may use the card, too: what belongs together is done between
 * pcsc_begin() and pcsc_end(). */
#ifndef GBA_UE_PCSC_H
#define GBA_UE_PCSC_H

#include <talloc.h>

#include "ue/usim/apdu.h"

#define PCSC_READER_MAX	 127 /* [octets] of its name; pcsc-lite's own limit */
#define PCSC_READERS_MAX 16

struct pcsc_reader {
	char name[PCSC_READER_MAX + 1];
	bool card; /* there is one in it */
};
/** @param _readers  room for PCSC_READERS_MAX  @retval GBA_E_UNREACHABLE  no PC/SC service runs
 * @retval GBA_E_UNSUPPORTED  built without PC/SC */
enum gba_err pcsc_readers(struct pcsc_reader *_readers, size_t *_n, struct why *why);

struct pcsc;
/** Connect to the card in a reader. @param reader  name, or a beginning of it that only one has; "": the first
 * @retval GBA_E_NOT_FOUND  no such reader (why lists those there are), or no card in it
 * @retval GBA_E_BUSY  another program has it for itself  @retval GBA_E_IO  the card does not answer */
enum gba_err pcsc_open(TALLOC_CTX *mem_ctx, const char *reader, struct pcsc **_pcsc, struct why *why);
/** Keep others away; waits for them. A card that somebody reset is taken up again: nothing is selected then. */
enum gba_err pcsc_begin(struct pcsc *pcsc, struct why *why);
void pcsc_end(struct pcsc *pcsc);
/** When it is freed, reset the card: it then forgets the PIN it was shown. */
void pcsc_forget(struct pcsc *pcsc);
/** For apdu_exchange(). */
struct apdu_card pcsc_card(struct pcsc *pcsc);
/** Its reader's full name. */
const char *pcsc_name(const struct pcsc *pcsc);

#endif
