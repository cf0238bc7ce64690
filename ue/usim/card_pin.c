/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/usim/card_pin.h"

#include <stdio.h>

#include "core/secret.h"
#include "crypto/hash.h"

#define INS_VERIFY 0x20
#define BLOCKED	   0x6983
#define FILE_MAX   64

/* VERIFY without data asks how many tries there are. */
enum gba_err card_pin_tries(const struct apdu_card *card, uint8_t reference, int *_tries, struct why *why)
{
	struct apdu command = { .ins = INS_VERIFY, .p2 = reference, .le = APDU_NO_LE };
	struct apdu_answer answer;
	enum gba_err err = apdu_exchange(card, &command, &answer, why);

	if (err != GBA_OK)
		return err;
	*_tries = answer.sw == BLOCKED ? 0 : (answer.sw & 0xfff0) == 0x63c0 ? answer.sw & 0xf : -1;
	return GBA_OK;
}

/* What stands for a PIN in the file of the one refused. */
static void fingerprint(const char *iccid, const char *pin, uint8_t out[32])
{
	char text[2 * 10 + 1 + USIM_PIN_MAX + 1];
	int n = snprintf(text, sizeof(text), "%s %s", iccid, pin);

	struct bytes piece = BYTES(text, n);

	hash_pieces(HASH_SHA256, &piece, 1, out);
	SECRET_WIPE(text);
}

static bool refused_before(struct state *state, const char *file, const uint8_t print[32])
{
	struct bytes plain;
	bool same;

	if (state_read_sealed(NULL, state, file, &plain) != GBA_OK)
		return false;
	same = bytes_eq_secret(plain, BYTES(print, 32));
	talloc_free((void *)(uintptr_t)plain.p);
	return same;
}

static bool digits(const char *pin)
{
	size_t n = strlen(pin);

	return n >= 4 && n <= USIM_PIN_MAX && strspn(pin, "0123456789") == n;
}

static enum gba_err verify(const struct apdu_card *card, uint8_t reference, const char *pin, uint16_t *_sw, struct why *why)
{
	uint8_t padded[USIM_PIN_MAX];
	struct apdu command = { .ins = INS_VERIFY, .p2 = reference, .data = BYTES(padded, sizeof(padded)), .le = APDU_NO_LE };
	struct apdu_answer answer;
	enum gba_err err;

	memset(padded, 0xff, sizeof(padded));
	memcpy(padded, pin, strlen(pin));
	err = apdu_exchange(card, &command, &answer, why);
	SECRET_WIPE(padded);
	*_sw = answer.sw;
	return err;
}

/* What the card says to the PIN, and what is remembered of that. */
static enum gba_err judged(uint16_t sw, struct state *state, const char *file, const uint8_t print[32], struct why *why)
{
	if (apdu_good(sw)) {
		if (state_has(state, file))
			state_remove(state, file);
		return GBA_OK;
	}
	if ((sw & 0xfff0) != 0x63c0 && sw != BLOCKED)
		return apdu_refused(sw, "VERIFY", why);
	if (state_write_sealed(state, file, BYTES(print, 32)) != GBA_OK)
		return why_fail(why, GBA_E_DENIED, "the card refuses the PIN, and that cannot be noted down: take the PIN away");
	if (sw == BLOCKED || (sw & 0xf) == 0)
		return why_fail(why, GBA_E_DENIED, "the card refuses the PIN and is blocked: unblock it with the PUK in a phone");
	return why_fail(why, GBA_E_DENIED, "the card refuses the PIN, %u tries left; it will not be tried again", sw & 0xfU);
}

/* May this one be shown? */
static enum gba_err allowed(int tries, bool person, bool before, struct why *why)
{
	if (person)
		return GBA_OK;
	if (before)
		return why_fail(why, GBA_E_DENIED, "the card has refused this PIN before (%d tries left): not tried again", tries);
	if (tries == 1)
		return why_fail(why, GBA_E_DENIED, "the card has one try left for its PIN: only a person at a terminal may use it");
	return GBA_OK;
}

enum gba_err card_pin_show(const struct apdu_card *card, uint8_t reference, const char *iccid, struct state *state,
			   const struct usim_pin *pin, struct why *why)
{
	char text[USIM_PIN_MAX + 1] = "", file[FILE_MAX];
	uint8_t print[32];
	bool person = false;
	enum gba_err err;
	uint16_t sw = 0;
	int tries;

	snprintf(file, sizeof(file), "pin-refused-%s", iccid);
	err = card_pin_tries(card, reference, &tries, why);
	if (err != GBA_OK)
		return err;
	if (tries == 0)
		return why_fail(why, GBA_E_DENIED, "the card's PIN is blocked: unblock it with the PUK in a phone");
	err = pin != NULL && pin->get != NULL ? pin->get(pin->arg, tries, &person, text, why) : GBA_E_NOT_FOUND;
	if (err == GBA_E_NOT_FOUND)
		return why_fail(why, GBA_E_DENIED, "the card wants its PIN (%d tries left): by a file or at a terminal", tries);
	if (err == GBA_OK && !digits(text))
		err = why_fail(why, GBA_E_SYNTAX, "a PIN has 4 to 8 digits");
	if (err == GBA_OK) {
		fingerprint(iccid, text, print);
		err = allowed(tries, person, refused_before(state, file, print), why);
	}
	if (err == GBA_OK)
		err = verify(card, reference, text, &sw, why);
	if (err == GBA_OK)
		err = judged(sw, state, file, print, why);
	SECRET_WIPE(text);
	SECRET_WIPE(print);
	return err;
}
