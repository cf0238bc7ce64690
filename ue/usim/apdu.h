/* SPDX-License-Identifier: Apache-2.0 */
/** Commands to a UICC and what it answers (TS 102 221 7.3, 10; ISO/IEC 7816-4), over whatever carries octets to it: the two
 * protocols T=0 and T=1 differ here and nowhere above. */
#ifndef GBA_UE_APDU_H
#define GBA_UE_APDU_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/err.h"
#include "core/why.h"

#define APDU_DATA_MAX	255 /* [octets] of a command: short length fields only */
#define APDU_COMMAND_MAX (5 + APDU_DATA_MAX + 1)
#define APDU_REPLY_MAX	(256 + 2) /* [octets] of one exchange */
#define APDU_ANSWER_MAX 512 /* [octets] of an answer, in as many pieces as the card likes */

/** Where the card is. One thread at a time. */
struct apdu_card {
	void *arg;
	bool t0; /* the protocol the card speaks; else T=1 */
	/** One exchange. @param answer  APDU_REPLY_MAX octets: data, then SW1 SW2  @param _n  octets, on GBA_OK */
	enum gba_err (*transmit)(void *arg, struct bytes command, uint8_t *answer, size_t *_n, struct why *why);
};

#define APDU_NO_LE -1
struct apdu {
	uint8_t ins, p1, p2; /* CLA is 00: the basic logical channel */
	struct bytes data;   /* absent: none */
	int le;		     /* [octets] expected, 0: as many as there are; APDU_NO_LE: none */
};

/** What the card said; holds keys after AUTHENTICATE: wipe it then. */
struct apdu_answer {
	uint8_t data[APDU_ANSWER_MAX];
	size_t n; /* [octets] */
	uint16_t sw;
};

/** Send, and fetch what the card has for us (61xx, 9Fxx), or ask again with the length it wants (6Cxx).
 * @return GBA_OK: it answered; whether it did as told is in sw
 * @retval GBA_E_TOO_LONG  the command's data, or the answer
 * @retval GBA_E_PEER      no answer in the form of one; or all of transmit(); why tells */
enum gba_err apdu_exchange(const struct apdu_card *card, const struct apdu *command, struct apdu_answer *_answer, struct why *why);

/** Done: 9000, 91xx (with a proactive command waiting, which is not ours), 92xx but 9240 (done after retries). */
bool apdu_good(uint16_t sw);
/** What a refusal means. @param what  the command, for the message
 * @return never GBA_OK */
enum gba_err apdu_refused(uint16_t sw, const char *what, struct why *why);

#endif
