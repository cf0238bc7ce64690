/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/id/scheme.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "core/codec.h"
#include "ident/idrule.h"
#include "registry-fn/id/scheme_rule.h"

const char *const scheme_class_words[] = { "application", "communication", "object", NULL };
const char *const scheme_names_words[] = { "thing", "user", "communication-end", "application", NULL };

#define APP  CLASS_APPLICATION
#define COM  CLASS_COMMUNICATION
#define OBJ  CLASS_OBJECT
#define WHO  NAMES_USER
#define END_ NAMES_END
#define IT   NAMES_THING
#define PROG NAMES_APPLICATION
#define YES  true
#define NO   false
/* A scheme without a code is stored with a device, but is not what the device is: it names a user, a class of goods, an
 * installation, or changes hands (TEC 31188 Annex I). */
#define SCHEMES(X) \
	/* word          code     class names personal cellular body         octets check */ \
	X("imei",        "IMEI",  OBJ,  IT,   NO,      YES,     BODY_DIGITS, 0,     scheme_imei) \
	X("imeisv",      NULL,    OBJ,  IT,   NO,      YES,     BODY_NONE,   0,     id_imeisv) \
	X("mac",         "MAC",   OBJ,  IT,   NO,      NO,      BODY_HEX,    6,     id_mac) \
	X("eui64",       "EUI64", OBJ,  IT,   NO,      NO,      BODY_HEX,    8,     id_eui64) \
	X("ipv4",        "IPV4",  COM,  END_, NO,      NO,      BODY_HEX,    4,     id_ipv4) \
	X("ipv6",        "IPV6",  COM,  END_, NO,      NO,      BODY_HEX,    16,    id_ipv6) \
	X("iccid",       "ICCID", OBJ,  IT,   NO,      YES,     BODY_DIGITS, 0,     id_iccid) \
	X("eid",         "EID",   OBJ,  IT,   NO,      YES,     BODY_DIGITS, 0,     id_eid) \
	X("uuid",        "UUID",  OBJ,  IT,   NO,      NO,      BODY_HEX,    16,    scheme_uuid) \
	X("oid",         "OID",   OBJ,  IT,   NO,      NO,      BODY_TEXT,   0,     scheme_oid) \
	X("epc",         "EPC",   OBJ,  IT,   NO,      NO,      BODY_TEXT,   0,     scheme_epc) \
	X("upc",         NULL,    OBJ,  IT,   NO,      NO,      BODY_NONE,   0,     scheme_upc) \
	X("handle",      "HDL",   OBJ,  IT,   NO,      NO,      BODY_TEXT,   0,     scheme_handle) \
	X("doi",         "DOI",   OBJ,  IT,   NO,      NO,      BODY_TEXT,   0,     scheme_doi) \
	X("ecode",       "ECODE", OBJ,  IT,   NO,      NO,      BODY_TEXT,   0,     scheme_ecode) \
	X("cid",         "CID",   OBJ,  IT,   NO,      NO,      BODY_TEXT,   0,     scheme_cid) \
	X("uri",         NULL,    OBJ,  IT,   NO,      NO,      BODY_NONE,   0,     scheme_uri) \
	X("url",         NULL,    OBJ,  IT,   NO,      NO,      BODY_NONE,   0,     id_url) \
	X("serial",      NULL,    OBJ,  IT,   NO,      NO,      BODY_NONE,   0,     id_serial) \
	X("e164",        NULL,    COM,  END_, YES,     YES,     BODY_NONE,   0,     id_msisdn) \
	X("hostname",    NULL,    COM,  END_, NO,      NO,      BODY_NONE,   0,     id_fqdn) \
	X("wlan-mac",    NULL,    COM,  END_, NO,      NO,      BODY_HEX,    6,     id_mac) \
	X("bluetooth",   NULL,    COM,  END_, NO,      NO,      BODY_HEX,    6,     id_mac) \
	X("nfc",         NULL,    COM,  END_, NO,      NO,      BODY_NONE,   0,     scheme_nfc) \
	X("imsi",        NULL,    OBJ,  WHO,  YES,     YES,     BODY_NONE,   0,     scheme_imsi) \
	X("account",     NULL,    APP,  WHO,  YES,     NO,      BODY_NONE,   0,     id_text) \
	X("app-uri",     NULL,    APP,  PROG, NO,      NO,      BODY_NONE,   0,     scheme_uri) \
	X("app-url",     NULL,    APP,  PROG, NO,      NO,      BODY_NONE,   0,     id_url) \
	X("package",     NULL,    APP,  PROG, NO,      NO,      BODY_NONE,   0,     scheme_package) \
	X("advertising", NULL,    APP,  PROG, YES,     NO,      BODY_NONE,   0,     scheme_uuid) \
	X("meid",        "MEID",  OBJ,  IT,   NO,      YES,     BODY_DIGITS, 0,     scheme_meid)

#define SCHEME_ROW(...)	       { __VA_ARGS__ },
#define SCHEME_WORD(word, ...) word,
const struct scheme schemes[] = { SCHEMES(SCHEME_ROW) };
const size_t scheme_count = sizeof(schemes) / sizeof(schemes[0]);
const char *const scheme_words[] = { SCHEMES(SCHEME_WORD) NULL };

const struct scheme *scheme_by_word(struct bytes word)
{
	size_t i;

	for (i = 0; i < scheme_count; i++) {
		if (bytes_eq_str(word, schemes[i].word))
			return &schemes[i];
	}
	return NULL;
}

const struct scheme *scheme_by_code(struct bytes code)
{
	size_t i;

	for (i = 0; i < scheme_count; i++) {
		if (schemes[i].code != NULL && bytes_eq_str(code, schemes[i].code))
			return &schemes[i];
	}
	return NULL;
}

/* The check digit that makes the sum of Luhn a multiple of ten (TS 23.003 Annex B). */
static void imei_complete(struct bytes text, char *out)
{
	memcpy(out, text.p, 14);
	out[15] = '\0';
	for (out[14] = '0'; !luhn_valid(BYTES(out, 15)); out[14]++)
		;
}

static void lower(struct bytes text, char *out)
{
	size_t i;

	for (i = 0; i < text.n; i++)
		out[i] = (char)octet_lower(text.p[i]);
	out[text.n] = '\0';
}

static void upper(struct bytes text, char *out)
{
	size_t i;

	for (i = 0; i < text.n; i++)
		out[i] = text.p[i] >= 'a' && text.p[i] <= 'f' ? (char)(text.p[i] - 'a' + 'A') : (char)text.p[i];
	out[text.n] = '\0';
}

static struct bytes without(struct bytes text, const char *prefix)
{
	size_t n = strlen(prefix);

	return text.n > n && bytes_eq_nocase(BYTES(text.p, n), bytes_of(prefix)) ? BYTES(text.p + n, text.n - n) : text;
}

static void canonical(const struct scheme *scheme, struct bytes text, char *out)
{
	if (scheme->check == scheme_imei) {
		imei_complete(text, out);
	} else if (scheme->check == id_mac) {
		id_device_canonical(DEVICE_IDENTITY_MAC, text, out);
	} else if (scheme->check == id_eui64) {
		id_device_canonical(DEVICE_IDENTITY_EUI64, text, out);
	} else if (scheme->check == scheme_meid) {
		upper(text, out); /* as in RegDevIDs */
	} else if (scheme->check == id_ipv6) {
		id_device_canonical(DEVICE_IDENTITY_IPV6, text, out);
	} else if (scheme->check == scheme_uuid || scheme->check == id_fqdn || scheme->check == scheme_nfc ||
		   scheme->check == scheme_doi) {
		lower(without(text, "urn:uuid:"), out); /* names without case: RFC 9562 4, RFC 4343, ISO 26324 */
	} else {
		text = scheme->check == scheme_oid ? without(text, "urn:oid:") : text;
		memcpy(out, text.p, text.n);
		out[text.n] = '\0';
	}
}

enum gba_err scheme_canonical(const struct scheme *scheme, struct bytes text, char *out, const char **_why)
{
	enum gba_err err;

	*_why = "";
	if (text.n > IDENTIFIER_MAX) {
		*_why = "an identifier has at most 256 octets";
		return GBA_E_TOO_LONG;
	}
	if (text.n == 0 || memchr(text.p, '\0', text.n) != NULL) {
		*_why = "empty, or with a NUL";
		return GBA_E_SYNTAX;
	}
	err = scheme->check(text, _why);
	if (err == GBA_OK)
		canonical(scheme, text, out);
	return err;
}

static int family_of(const struct scheme *scheme)
{
	return scheme->check == id_ipv4 ? AF_INET : scheme->check == id_ipv6 ? AF_INET6 : AF_UNSPEC;
}

/* Many hosts have the same one: loopback and link-local addresses, and those of RFC 1918 and RFC 6598; or it is another's text. */
static bool is_of_many(const struct scheme *scheme, const char *text)
{
	static const struct {
		uint8_t octets[2], mask[2];
	} ranges[] = {
		{ { 0, 0 }, { 255, 0 } },	{ { 10, 0 }, { 255, 0 } },   { { 100, 64 }, { 255, 192 } }, { { 127, 0 }, { 255, 0 } },
		{ { 169, 254 }, { 255, 255 } }, { { 172, 16 }, { 255, 240 } }, { { 192, 168 }, { 255, 255 } },
	};
	struct in6_addr six;
	uint8_t octets[16];
	size_t i;

	if (family_of(scheme) == AF_INET6 && inet_pton(AF_INET6, text, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_LINKLOCAL(&six) || IN6_IS_ADDR_V4MAPPED(&six);
	if (family_of(scheme) != AF_INET || inet_pton(AF_INET, text, octets) != 1)
		return false;
	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if ((octets[0] & ranges[i].mask[0]) == ranges[i].octets[0] &&
		    (octets[1] & ranges[i].mask[1]) == ranges[i].octets[1])
			return true;
	}
	return false;
}

enum gba_err scheme_inherent(const struct scheme *scheme, struct bytes text, const struct scheme **_scheme, char *out,
			     const char **_why)
{
	enum gba_err err = scheme_canonical(scheme, text, out, _why);

	if (err != GBA_OK)
		return err;
	if (scheme->check == id_imeisv) { /* the same device with another software: TAC and SNR are the IMEI's */
		scheme = &schemes[0];
		imei_complete(BYTES(text.p, 14), out);
	}
	if (scheme->code == NULL) {
		*_why = "identifiers of this scheme name no device for good";
		return GBA_E_UNSUPPORTED;
	}
	if (is_of_many(scheme, out)) {
		*_why = "many hosts have this address";
		return GBA_E_RANGE;
	}
	if (strlen(out) > INHERENT_MAX) {
		*_why = "an identifier that is to be a device's own has at most 96 octets";
		return GBA_E_TOO_LONG;
	}
	*_scheme = scheme;
	return GBA_OK;
}

/* Addresses by their octets, all else by the hex digits of its text. */
static void hex_body(const struct scheme *scheme, const char *text, char *out)
{
	uint8_t octets[16] = { 0 };
	size_t n = 0, i;

	if (family_of(scheme) != AF_UNSPEC) {
		inet_pton(family_of(scheme), text, octets);
		for (i = 0; i < scheme->octets; i++)
			n += (size_t)sprintf(out + n, "%02X", octets[i]);
		return;
	}
	for (i = 0; text[i] != '\0'; i++) {
		if (text[i] != ':' && text[i] != '-')
			out[n++] = text[i] >= 'a' ? (char)(text[i] - 'a' + 'A') : text[i];
	}
	out[n] = '\0';
}

void scheme_to_body(const struct scheme *scheme, const char *text, char *out)
{
	if (scheme->body == BODY_HEX)
		hex_body(scheme, text, out);
	else if (scheme->body == BODY_TEXT)
		base32_encode(bytes_of(text), out);
	else
		memcpy(out, text, strlen(text) + 1);
}

/* The separators of the canonical text: ':' between octets, '-' in a UUID. */
static void hex_text(const struct scheme *scheme, const uint8_t *octets, char *out)
{
	size_t i;

	for (i = 0; i < scheme->octets; i++) {
		if (scheme->check == scheme_uuid ? i == 4 || i == 6 || i == 8 || i == 10 : i > 0)
			*out++ = scheme->check == scheme_uuid ? '-' : ':';
		out += sprintf(out, "%02x", octets[i]);
	}
}

static bool from_hex(const struct scheme *scheme, struct bytes body, char *out)
{
	uint8_t octets[16];
	size_t i;

	for (i = 0; i < body.n; i++) {
		if (body.p[i] >= 'a')
			return false; /* capitals only: one text for one value */
	}
	if (hex_decode(body, octets, scheme->octets) != GBA_OK)
		return false;
	if (family_of(scheme) != AF_UNSPEC)
		return inet_ntop(family_of(scheme), octets, out, INET6_ADDRSTRLEN) != NULL;
	hex_text(scheme, octets, out);
	return true;
}

static bool from_text(struct bytes body, char *out)
{
	size_t n;

	if (base32_decode(body, (uint8_t *)out, INHERENT_MAX, &n) != GBA_OK || memchr(out, '\0', n) != NULL)
		return false;
	out[n] = '\0';
	return true;
}

enum gba_err scheme_from_body(const struct scheme *scheme, struct bytes body, char *out, const char **_why)
{
	char text[IDENTIFIER_MAX + 1];
	bool good = body.n <= SCHEME_BODY_MAX;
	enum gba_err err;

	*_why = "not what this scheme's identifiers are written as";
	if (good && scheme->body == BODY_HEX) {
		good = from_hex(scheme, body, text);
	} else if (good && scheme->body == BODY_TEXT) {
		good = from_text(body, text);
	} else if (good) {
		memcpy(text, body.p, body.n);
		text[body.n] = '\0';
	}
	if (!good)
		return GBA_E_SYNTAX;
	err = scheme_canonical(scheme, bytes_of(text), out, _why);
	if (err != GBA_OK)
		return err;
	if (strcmp(text, out) == 0)
		return GBA_OK;
	*_why = "not in its canonical form";
	return GBA_E_SYNTAX;
}
