/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/id/scheme_rule.h"

#include "core/ident.h"
#include "ident/idrule.h"

static enum gba_err refuse(enum gba_err err, const char *why, const char **_why)
{
	*_why = why;
	return err;
}

static bool digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool letter(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool hex_digit(uint8_t c)
{
	return digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

static bool digits(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (!digit(text.p[i]))
			return false;
	}
	return text.n > 0;
}

static bool among(uint8_t c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool starts(struct bytes text, const char *with)
{
	return text.n >= strlen(with) && bytes_eq_nocase(BYTES(text.p, strlen(with)), bytes_of(with));
}

/* Letters, digits and what else is in the set. */
static enum gba_err of_set(struct bytes text, const char *set, const char *why, const char **_why)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (!letter(text.p[i]) && !digit(text.p[i]) && !among(text.p[i], set))
			return refuse(GBA_E_SYNTAX, why, _why);
	}
	return text.n > 0 ? GBA_OK : refuse(GBA_E_SYNTAX, why, _why);
}

enum gba_err scheme_imei(struct bytes text, const char **_why)
{
	if (text.n == 14 && digits(text))
		return GBA_OK;
	if (text.n != 15)
		return refuse(GBA_E_SYNTAX, "an IMEI has 14 digits, and a check digit or none", _why);
	return id_imei(text, _why);
}

/* The regional code is A0 to FF: else it would read like an IMEI. */
enum gba_err scheme_meid(struct bytes text, const char **_why)
{
	static const char why[] = "an MEID has 14 hex digits, the first of A to F";
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (!digit(text.p[i]) && !(octet_lower(text.p[i]) >= 'a' && octet_lower(text.p[i]) <= 'f'))
			return refuse(GBA_E_SYNTAX, why, _why);
	}
	return text.n == 14 && !digit(text.p[0]) ? GBA_OK : refuse(GBA_E_SYNTAX, why, _why);
}

enum gba_err scheme_imsi(struct bytes text, const char **_why)
{
	return imsi_valid(text) ? GBA_OK : refuse(GBA_E_SYNTAX, "an IMSI has 6 to 15 digits: MCC, MNC of 2 or 3, MSIN", _why);
}

enum gba_err scheme_uuid(struct bytes text, const char **_why)
{
	size_t i, zeros = 0, ones = 0;

	if (starts(text, "urn:uuid:"))
		text = BYTES(text.p + 9, text.n - 9);
	for (i = 0; i < text.n && text.n == 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text.p[i] != '-' : !hex_digit(text.p[i]))
			break;
		zeros += text.p[i] == '0';
		ones += octet_lower(text.p[i]) == 'f';
	}
	if (text.n != 36 || i != 36)
		return refuse(GBA_E_SYNTAX, "a UUID is 8-4-4-4-12 hex digits", _why);
	return zeros < 32 && ones < 32 ? GBA_OK : refuse(GBA_E_RANGE, "the nil and the max UUID name nothing", _why);
}

/* Arcs of digits without leading zeros, at least two; the first is 0 to 2, the second below 40 under 0 and 1 (X.660). */
enum gba_err scheme_oid(struct bytes text, const char **_why)
{
	static const char why[] = "an OID is numbers with dots, such as 1.3.6.1.4.1";
	struct bytes arc, rest;
	size_t arcs = 0;
	uint8_t first = 0;

	if (starts(text, "urn:oid:"))
		text = BYTES(text.p + 8, text.n - 8);
	for (rest = text; rest.p != NULL; arcs++) {
		if (!bytes_split(rest, '.', &arc, &rest)) {
			arc = rest;
			rest = BYTES_NONE;
		}
		if (!digits(arc) || arc.n > 39 || (arc.n > 1 && arc.p[0] == '0'))
			return refuse(GBA_E_SYNTAX, why, _why);
		if (arcs == 0 && (arc.n > 1 || arc.p[0] > '2'))
			return refuse(GBA_E_RANGE, "an OID starts with 0, 1 or 2", _why);
		first = arcs == 0 ? arc.p[0] : first;
		if (arcs == 1 && first < '2' && (arc.n > 2 || (arc.n == 2 && arc.p[0] > '3')))
			return refuse(GBA_E_RANGE, "under 0 and 1 an OID's second number is below 40", _why);
	}
	return arcs > 1 ? GBA_OK : refuse(GBA_E_SYNTAX, why, _why);
}

enum gba_err scheme_upc(struct bytes text, const char **_why)
{
	if (text.n != 12 || !digits(text))
		return refuse(GBA_E_SYNTAX, "a UPC has 12 digits", _why);
	return gs1_valid(text) ? GBA_OK : refuse(GBA_E_RANGE, "the UPC's check digit is wrong", _why);
}

enum gba_err scheme_handle(struct bytes text, const char **_why)
{
	static const char why[] = "a handle is PREFIX/NAME";
	struct bytes prefix, name;
	size_t i;

	if (!bytes_split(text, '/', &prefix, &name) || name.n == 0)
		return refuse(GBA_E_SYNTAX, why, _why);
	for (i = 0; i < name.n; i++) {
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f)
			return refuse(GBA_E_SYNTAX, why, _why);
	}
	return of_set(prefix, ".", why, _why);
}

enum gba_err scheme_doi(struct bytes text, const char **_why)
{
	if (!starts(text, "10."))
		return refuse(GBA_E_SYNTAX, "a DOI is 10.NUMBER/NAME", _why);
	return scheme_handle(text, _why);
}

enum gba_err scheme_ecode(struct bytes text, const char **_why)
{
	return of_set(text, ".-", "an Ecode has letters, digits, '.' and '-'", _why);
}

enum gba_err scheme_cid(struct bytes text, const char **_why)
{
	return of_set(text, ".-_:", "a CID has letters, digits, '.', '-', '_' and ':'", _why);
}

enum gba_err scheme_uri(struct bytes text, const char **_why)
{
	struct bytes scheme, rest;
	size_t i;

	if (!bytes_split(text, ':', &scheme, &rest) || rest.n == 0 || scheme.n == 0 || !letter(scheme.p[0]) ||
	    of_set(scheme, "+-.", "", _why) != GBA_OK)
		return refuse(GBA_E_SYNTAX, "a URI is SCHEME:REST", _why);
	for (i = 0; i < rest.n; i++) {
		if (rest.p[i] == '%' && !(i + 2 < rest.n && hex_digit(rest.p[i + 1]) && hex_digit(rest.p[i + 2])))
			return refuse(GBA_E_SYNTAX, "after % a URI has two hex digits", _why);
	}
	return of_set(rest, "-._~:/?#[]@!$&'()*+,;=%", "a character that a URI writes as %XX", _why);
}

enum gba_err scheme_package(struct bytes text, const char **_why)
{
	static const char why[] = "a package is names with dots between, such as com.example.app";
	bool start = true;
	size_t i, dots = 0;

	for (i = 0; i < text.n; i++) {
		if (start ? !letter(text.p[i]) : !letter(text.p[i]) && !digit(text.p[i]) && !among(text.p[i], "_-."))
			return refuse(GBA_E_SYNTAX, why, _why);
		start = text.p[i] == '.';
		dots += start;
	}
	return dots > 0 && !start ? GBA_OK : refuse(GBA_E_SYNTAX, why, _why);
}

enum gba_err scheme_nfc(struct bytes text, const char **_why)
{
	size_t i, octets = 0;

	for (i = 0; i < text.n; i++) {
		if (i % 3 == 2 ? text.p[i] != ':' : !hex_digit(text.p[i]))
			break;
		octets += i % 3 == 1;
	}
	if (i != text.n || text.n % 3 != 2 || (octets != 4 && octets != 7 && octets != 10))
		return refuse(GBA_E_SYNTAX, "an NFC identifier has 4, 7 or 10 octets, such as 04:a2:5f:1b", _why);
	return GBA_OK;
}
