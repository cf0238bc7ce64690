/* SPDX-License-Identifier: Apache-2.0 */
/** Schemes of identifiers (TEC 31188 Annex I): what kind each is, what it names, how it is checked, how it stands in a RegDevID.
 * One row feeds registration, records and the grammar. No allocation, no state. */
#ifndef GBA_REGISTRY_SCHEME_H
#define GBA_REGISTRY_SCHEME_H

#include "core/bytes.h"
#include "core/err.h"

#define IDENTIFIER_MAX 256 /* [octets] of a stored identifier */
#define INHERENT_MAX   96  /* [octets] of one a RegDevID is made of */
#define SCHEME_BODY_MAX 154 /* [characters] base32 of INHERENT_MAX octets */

enum scheme_class { CLASS_APPLICATION, CLASS_COMMUNICATION, CLASS_OBJECT };
enum scheme_names { NAMES_THING, NAMES_USER, NAMES_END, NAMES_APPLICATION };
/** Words of both, by value, NULL-terminated. */
extern const char *const scheme_class_words[], *const scheme_names_words[];

/** How the canonical form stands in a RegDevID, which has A-Z and 0-9 only. */
enum scheme_body { BODY_NONE, BODY_DIGITS, BODY_HEX, BODY_TEXT };

struct scheme {
	const char *word; /* "imei": in JSON, records, configuration */
	const char *code; /* "IMEI": in RegDevIDs; NULL: never a device's own identity */
	enum scheme_class is;
	enum scheme_names names;
	bool personal; /* of a person: personal data */
	bool cellular; /* of a device of a mobile network */
	enum scheme_body body;
	size_t octets; /* BODY_HEX */
	enum gba_err (*check)(struct bytes text, const char **_why);
};

/** Rows, in the order of what is stored: rows are added at the end only. */
extern const struct scheme schemes[];
extern const size_t scheme_count;
extern const char *const scheme_words[]; /* by index, NULL-terminated */

/** NULL: no such scheme. */
const struct scheme *scheme_by_word(struct bytes word);
const struct scheme *scheme_by_code(struct bytes code);

/** Check by the scheme's own rule and write the one form that is compared and stored: IMEI with its check digit, hexadecimal in
 * lower case, IPv6 as RFC 5952, OID without "urn:oid:".
 * @param out   IDENTIFIER_MAX + 1 octets, NUL-terminated on GBA_OK
 * @param _why  static text on failure
 * @retval GBA_E_SYNTAX, GBA_E_RANGE (check digit, address of nobody), GBA_E_TOO_LONG */
enum gba_err scheme_canonical(const struct scheme *scheme, struct bytes text, char *out, const char **_why);
/** May a device be registered under it? The scheme and form it is then known by: an IMEISV stands for its IMEI.
 * @param _scheme  written on GBA_OK @param out  as above
 * @retval GBA_E_UNSUPPORTED  the scheme names no device for good: advertising identifiers, users, classes of goods
 * @retval GBA_E_RANGE  an address that many hosts have, too
 * @retval GBA_E_TOO_LONG  beyond INHERENT_MAX; others as scheme_canonical */
enum gba_err scheme_inherent(const struct scheme *scheme, struct bytes text, const struct scheme **_scheme, char *out,
			     const char **_why);

/** Canonical form to the characters of a RegDevID, and back. @param out  SCHEME_BODY_MAX + 1 octets */
void scheme_to_body(const struct scheme *scheme, const char *canonical, char *out);
/** @param out  IDENTIFIER_MAX + 1 octets @retval GBA_E_SYNTAX, GBA_E_RANGE  not what scheme_to_body writes of any identity */
enum gba_err scheme_from_body(const struct scheme *scheme, struct bytes body, char *out, const char **_why);

#endif
