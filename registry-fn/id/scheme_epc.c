/* SPDX-License-Identifier: Apache-2.0 */
/* Pure identities of EPCs (GS1 EPC Tag Data Standard, clause 6.3): the parts of each kind, and how long they are. */
#include "registry-fn/id/scheme_rule.h"

#include "core/codec.h"

#define PARTS 5

/* What a part is made of. PREFIX: a company's, 6 to 12 digits; REST: with the prefix before it `total` digits in all. */
enum part { END, PREFIX, REST, DIGITS, TEXT, NUMBER, OWNER, ANY, CONTAINER };

static const struct epc_kind {
	const char *name;
	unsigned int total;	   /* digits of PREFIX and REST */
	enum part parts[PARTS];
	unsigned int max[PARTS];   /* octets; NUMBER: bits */
	bool whole;		   /* DIGITS have all of max */
} kinds[] = {
	{ "sgtin", 13, { PREFIX, REST, TEXT }, { 0, 0, 20 }, false },
	{ "sscc", 17, { PREFIX, REST }, { 0 }, false },
	{ "sgln", 12, { PREFIX, REST, TEXT }, { 0, 0, 20 }, false },
	{ "grai", 12, { PREFIX, REST, TEXT }, { 0, 0, 16 }, false },
	{ "giai", 0, { PREFIX, TEXT }, { 0, 24 }, false },
	{ "gsrn", 17, { PREFIX, REST }, { 0 }, false },
	{ "gsrnp", 17, { PREFIX, REST }, { 0 }, false },
	{ "gdti", 12, { PREFIX, REST, TEXT }, { 0, 0, 17 }, false },
	{ "cpi", 0, { PREFIX, TEXT, DIGITS }, { 0, 24, 12 }, false },
	{ "sgcn", 12, { PREFIX, REST, DIGITS }, { 0, 0, 12 }, false },
	{ "ginc", 0, { PREFIX, TEXT }, { 0, 24 }, false },
	{ "gsin", 16, { PREFIX, REST }, { 0 }, false },
	{ "itip", 13, { PREFIX, REST, DIGITS, DIGITS, TEXT }, { 0, 0, 2, 2, 20 }, true },
	{ "upui", 13, { PREFIX, REST, TEXT }, { 0, 0, 28 }, false },
	{ "pgln", 12, { PREFIX, REST }, { 0 }, false },
	{ "gid", 0, { NUMBER, NUMBER, NUMBER }, { 28, 24, 36 }, false },
	{ "usdod", 0, { OWNER, NUMBER }, { 6, 36 }, false },
	{ "adi", 0, { OWNER, ANY, TEXT }, { 6, 32, 30 }, false },
	{ "bic", 0, { CONTAINER }, { 11 }, false },
	{ "imovn", 0, { DIGITS }, { 7 }, true },
};

static bool digits(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
	}
	return text.n > 0;
}

/* Letters, digits and the marks of table A-1; others as %XX, which counts as one. @return its length; 0: another character */
static size_t text_length(struct bytes text)
{
	static const char marks[] = "!'()*+,-.:;=_";
	uint8_t octet;
	size_t i, n = 0;

	for (i = 0; i < text.n; i++, n++) {
		uint8_t c = text.p[i];

		if (c == '%') {
			if (i + 2 >= text.n || hex_decode(BYTES(text.p + i + 1, 2), &octet, 1) != GBA_OK)
				return 0;
			i += 2;
		} else if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) &&
			   (c == '\0' || strchr(marks, c) == NULL)) {
			return 0;
		}
	}
	return n;
}

static bool number(struct bytes text, unsigned int bits)
{
	uint64_t value = 0;
	size_t i;

	if (!digits(text) || text.n > 11 || (text.n > 1 && text.p[0] == '0'))
		return false;
	for (i = 0; i < text.n; i++)
		value = value * 10 + (uint64_t)(text.p[i] - '0');
	return value >> bits == 0;
}

/* A CAGE code or DoDAAC: 5 or 6 capitals and digits, without I and O. */
static bool owner(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] == '\0' || strchr("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", text.p[i]) == NULL)
			return false;
	}
	return text.n == 5 || text.n == 6;
}

/* ISO 6346: owner and category, serial number, check digit. Letters count from 10 on, without multiples of 11; places by powers
 * of 2. */
static bool container(struct bytes text)
{
	unsigned int sum = 0, value;
	size_t i;

	if (text.n != 11 || !digits(BYTES(text.p + 4, 7)))
		return false;
	for (i = 0; i < 10; i++) {
		if (i < 4 && (text.p[i] < 'A' || text.p[i] > 'Z'))
			return false;
		value = i < 4 ? (unsigned int)(text.p[i] - 'A') + 10 : (unsigned int)(text.p[i] - '0');
		if (i < 4)
			value += (value - 1) / 10; /* A 10, B 12, ..., L 23, ..., V 34 */
		sum += value << i;
	}
	return sum % 11 % 10 == (unsigned int)(text.p[10] - '0');
}

static bool part_good(const struct epc_kind *kind, size_t i, struct bytes part, size_t before)
{
	switch (kind->parts[i]) {
	case PREFIX: return digits(part) && part.n >= 6 && part.n <= 12;
	case REST: return part.n + before == kind->total && (part.n == 0 || digits(part));
	case DIGITS: return digits(part) && part.n <= kind->max[i] && (!kind->whole || part.n == kind->max[i]);
	case TEXT: return text_length(part) > 0 && text_length(part) <= kind->max[i];
	case ANY: return part.n == 0 || (text_length(part) > 0 && text_length(part) <= kind->max[i]);
	case NUMBER: return number(part, kind->max[i]);
	case OWNER: return owner(part);
	case CONTAINER: return container(part);
	default: return false;
	}
}

/* The last part may hold dots itself. */
static bool parts_good(const struct epc_kind *kind, struct bytes rest)
{
	struct bytes part, next = BYTES_NONE;
	size_t i, before = 0;

	for (i = 0; i < PARTS && kind->parts[i] != END; i++) {
		bool last = i + 1 == PARTS || kind->parts[i + 1] == END;

		if (rest.p == NULL)
			return false;
		if (last || !bytes_split(rest, '.', &part, &next)) {
			part = rest;
			next = BYTES_NONE;
		}
		if (!part_good(kind, i, part, before))
			return false;
		before = part.n;
		rest = next;
	}
	return rest.p == NULL;
}

enum gba_err scheme_epc(struct bytes text, const char **_why)
{
	struct bytes kind, value;
	size_t i;

	*_why = "an EPC is urn:epc:id:SCHEME:VALUE";
	if (text.n < 11 || memcmp(text.p, "urn:epc:id:", 11) != 0 ||
	    !bytes_split(BYTES(text.p + 11, text.n - 11), ':', &kind, &value))
		return GBA_E_SYNTAX;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !bytes_eq_str(kind, kinds[i].name); i++)
		;
	*_why = "no kind of EPC has this name";
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return GBA_E_SYNTAX;
	*_why = "not the parts of this kind of EPC, or not as long as they are (EPC Tag Data Standard 6.3)";
	return parts_good(&kinds[i], value) ? GBA_OK : GBA_E_SYNTAX;
}
