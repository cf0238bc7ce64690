/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/usim/usim_open.h"

#include <stdio.h>

#include "ue/usim/card_usim.h"
#include "ue/usim/soft_usim.h"

#define SCHEME "pcsc"

static bool next_word(struct bytes *rest, struct bytes *_word)
{
	if (rest->p == NULL)
		return false;
	if (!bytes_split(*rest, ',', _word, rest)) {
		*_word = *rest;
		*rest = BYTES_NONE;
	}
	return true;
}

/* "pcsc", words with commas before them, ':' and a reader. */
static bool parse(struct bytes name, struct card_wanted *_wanted)
{
	struct card_wanted wanted = { .reader = "" };
	struct bytes words, reader, word;

	if (!bytes_split(name, ':', &words, &reader) || reader.n >= sizeof(wanted.reader) ||
	    memchr(reader.p, 0, reader.n) != NULL || !next_word(&words, &word) || !bytes_eq_str(word, SCHEME))
		return false;
	while (next_word(&words, &word)) {
		if (bytes_eq_str(word, "isim"))
			wanted.app = CARD_ISIM;
		else if (bytes_eq_str(word, "usim"))
			wanted.app = CARD_USIM;
		else if (bytes_eq_str(word, "me"))
			wanted.gba_me = true;
		else
			return false;
	}
	snprintf(wanted.reader, sizeof(wanted.reader), "%.*s", BYTES_FMT(reader));
	*_wanted = wanted;
	return true;
}

bool usim_name_is_card(const char *name)
{
	struct card_wanted wanted;

	return parse(bytes_of(name), &wanted);
}

bool usim_name_valid(struct bytes name)
{
	struct card_wanted wanted;

	return state_name_valid(name) || (name.n <= USIM_NAME_MAX && parse(name, &wanted));
}

enum gba_err usim_open(TALLOC_CTX *mem_ctx, struct state *state, const char *name, const struct usim_pin *pin, struct usim *_usim)
{
	struct card_wanted wanted;

	if (parse(bytes_of(name), &wanted))
		return card_usim_open(mem_ctx, state, &wanted, pin, _usim);
	return soft_usim_open(mem_ctx, state, name, _usim);
}

enum gba_err usim_why(const struct usim *usim, enum gba_err err, struct why *why)
{
	const char *text = usim->ops->explain != NULL ? usim->ops->explain(usim->card) : "";

	return why_fail(why, err, "USIM: %s", text[0] != '\0' ? text : gba_strerror(err));
}
