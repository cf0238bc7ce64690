/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/usim/apdu.h"

#include "core/secret.h"

#define INS_GET_RESPONSE 0xc0
#define ROUNDS_MAX	 8 /* GET RESPONSEs and repetitions of one command */

#define SW_LEN 2 /* [octets] */

/* The octets of a command in the form its protocol wants: T=0 carries either data or Le, never both (TS 102 221 7.3.1.1). */
static size_t build(const struct apdu_card *card, const struct apdu *command, uint8_t out[APDU_COMMAND_MAX])
{
	size_t n = 4;

	out[0] = 0x00;
	out[1] = command->ins;
	out[2] = command->p1;
	out[3] = command->p2;
	if (command->data.n > 0) {
		out[n++] = (uint8_t)command->data.n;
		memcpy(out + n, command->data.p, command->data.n);
		n += command->data.n;
	}
	if (command->le != APDU_NO_LE && !(card->t0 && command->data.n > 0))
		out[n++] = (uint8_t)command->le;
	else if (card->t0 && n == 4)
		out[n++] = 0; /* P3 is always there */
	return n;
}

/* One exchange; its data goes behind what is there. */
static enum gba_err once(const struct apdu_card *card, const struct apdu *command, struct apdu_answer *answer, struct why *why)
{
	uint8_t octets[APDU_COMMAND_MAX], reply[APDU_REPLY_MAX];
	enum gba_err err;
	size_t n = 0;

	err = card->transmit(card->arg, BYTES(octets, build(card, command, octets)), reply, &n, why);
	if (err == GBA_OK && (n < SW_LEN || n > sizeof(reply)))
		err = why_fail(why, GBA_E_PEER, "not an answer of a card");
	if (err == GBA_OK && n - SW_LEN > sizeof(answer->data) - answer->n)
		err = why_fail(why, GBA_E_TOO_LONG, "the card's answer is too long");
	if (err == GBA_OK) {
		memcpy(answer->data + answer->n, reply, n - SW_LEN);
		answer->n += n - SW_LEN;
		answer->sw = (uint16_t)(reply[n - 2] << 8 | reply[n - 1]);
	}
	SECRET_WIPE(octets); /* a PIN */
	SECRET_WIPE(reply);
	return err;
}

enum gba_err apdu_exchange(const struct apdu_card *card, const struct apdu *command, struct apdu_answer *_answer, struct why *why)
{
	struct apdu next = *command;
	enum gba_err err;
	int round;

	_answer->n = 0;
	_answer->sw = 0;
	if (command->data.n > APDU_DATA_MAX)
		return why_fail(why, GBA_E_TOO_LONG, "too long for one command to a card");
	for (round = 0; round < ROUNDS_MAX; round++) {
		err = once(card, &next, _answer, why);
		if (err != GBA_OK)
			return err;
		switch (_answer->sw >> 8) {
		case 0x61:
		case 0x9f:
			next = (struct apdu){ .ins = INS_GET_RESPONSE, .le = _answer->sw & 0xff };
			break;
		case 0x6c:
			if (next.data.n > 0)
				return GBA_OK; /* makes no sense for a command that carries data */
			next.le = _answer->sw & 0xff;
			break;
		default: return GBA_OK;
		}
	}
	return why_fail(why, GBA_E_PEER, "the card has ever more to say");
}

bool apdu_good(uint16_t sw)
{
	return sw == 0x9000 || sw >> 8 == 0x91 || (sw >> 8 == 0x92 && sw != 0x9240);
}

/* TS 102 221 10.2.1, TS 31.102 7.3; the first row that fits. */
static const struct sw_row {
	uint16_t sw, mask;
	enum gba_err err;
	const char *text;
} sw_rows[] = {
	{ 0x9862, 0xffff, GBA_E_AKA_MAC, "AUTN is not from the card's home network (MAC), or for the other kind of card (GBA_ME, GBA_U)" },
	{ 0x9863, 0xffff, GBA_E_BTID_UNKNOWN, "the security context is gone" },
	{ 0x9864, 0xffff, GBA_E_UNSUPPORTED, "security context not supported in this state" },
	{ 0x6982, 0xffff, GBA_E_DENIED, "a PIN, or another right, is wanted first" },
	{ 0x6983, 0xffff, GBA_E_DENIED, "PIN blocked: unblock it with the PUK in a phone" },
	{ 0x6984, 0xffff, GBA_E_DENIED, "referenced data is invalidated" },
	{ 0x6985, 0xffff, GBA_E_STATE, "conditions of use not satisfied" },
	{ 0x6986, 0xffff, GBA_E_STATE, "no file is selected" },
	{ 0x9804, 0xffff, GBA_E_DENIED, "access refused, a PIN is wanted first" },
	{ 0x9840, 0xffff, GBA_E_DENIED, "PIN blocked: unblock it with the PUK in a phone" },
	{ 0x63c0, 0xfff0, GBA_E_DENIED, "PIN wrong" },
	{ 0x6a80, 0xffff, GBA_E_UNSUPPORTED, "the card does not know this kind of data" },
	{ 0x6a81, 0xffff, GBA_E_UNSUPPORTED, "function not supported" },
	{ 0x6a82, 0xffff, GBA_E_NOT_FOUND, "no such file or application" },
	{ 0x6a83, 0xffff, GBA_E_NOT_FOUND, "no such record" },
	{ 0x6a84, 0xffff, GBA_E_NOSPACE, "no room in the file" },
	{ 0x6a86, 0xffff, GBA_E_UNSUPPORTED, "the card does not have this security context" },
	{ 0x6a88, 0xffff, GBA_E_NOT_FOUND, "referenced data not found" },
	{ 0x6b00, 0xffff, GBA_E_UNSUPPORTED, "wrong parameters" },
	{ 0x6700, 0xffff, GBA_E_UNSUPPORTED, "wrong length" },
	{ 0x6881, 0xffff, GBA_E_UNSUPPORTED, "no logical channels" },
	{ 0x6d00, 0xff00, GBA_E_UNSUPPORTED, "unknown command: not a USIM or ISIM" },
	{ 0x6e00, 0xff00, GBA_E_UNSUPPORTED, "unknown class: not a UICC" },
	{ 0x6581, 0xffff, GBA_E_IO, "memory of the card has a fault" },
	{ 0x9240, 0xffff, GBA_E_IO, "memory of the card has a fault" },
	{ 0x6500, 0xff00, GBA_E_IO, "the card could not change its memory" },
	{ 0x6400, 0xff00, GBA_E_IO, "the card failed" },
	{ 0x6f00, 0xff00, GBA_E_IO, "technical problem in the card" },
	{ 0x9300, 0xffff, GBA_E_BUSY, "the card is busy with its toolkit" },
	{ 0x0000, 0x0000, GBA_E_PEER, "a status that is not known" },
};

enum gba_err apdu_refused(uint16_t sw, const char *what, struct why *why)
{
	const struct sw_row *row = sw_rows;

	while ((sw & row->mask) != row->sw)
		row++;
	if ((sw & 0xfff0) == 0x63c0)
		return why_fail(why, row->err, "%s: card says %04x: %s, %u tries left", what, sw, row->text, sw & 0xfU);
	return why_fail(why, row->err, "%s: card says %04x: %s", what, sw, row->text);
}
