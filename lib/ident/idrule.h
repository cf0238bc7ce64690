/* SPDX-License-Identifier: Apache-2.0 */
/** Rules of identifiers: each takes a text, says exactly what is wrong with it, allocates nothing. They have the form of
 * struct field's check. @param _why  static text on failure @retval GBA_E_SYNTAX, GBA_E_RANGE (check digit) */
#ifndef GBA_IDENT_IDRULE_H
#define GBA_IDENT_IDRULE_H

#include "core/bytes.h"
#include "core/err.h"

/** Kinds of identity; the value stored is the index, so that words are added at the end only. NULL-terminated. */
extern const char *const device_identity_words[], *const user_identity_words[], *const asp_identity_words[],
	*const application_identity_words[];
enum { DEVICE_IDENTITY_IMEI, DEVICE_IDENTITY_IMEISV, DEVICE_IDENTITY_MAC, DEVICE_IDENTITY_EUI64, DEVICE_IDENTITY_IPV4,
       DEVICE_IDENTITY_IPV6, DEVICE_IDENTITY_ICCID, DEVICE_IDENTITY_EID, DEVICE_IDENTITY_MSISDN, DEVICE_IDENTITY_SERIAL };
enum { ASP_IDENTITY_CIN, ASP_IDENTITY_LLPIN, ASP_IDENTITY_LEI, ASP_IDENTITY_GLN, ASP_IDENTITY_OTHER };
enum { APPLICATION_FQDN, APPLICATION_IP, APPLICATION_URL, APPLICATION_GS1, APPLICATION_ONEM2M };

#define IDRULE_MAX 256 /* [octets] of any identity of a device, an ASP or an application */

enum gba_err id_imei(struct bytes text, const char **_why);   /* 15 digits, Luhn; TS 23.003 6.2.1, Annex B */
enum gba_err id_imeisv(struct bytes text, const char **_why); /* 16 digits; TS 23.003 6.2.2 */
enum gba_err id_mac(struct bytes text, const char **_why);    /* EUI-48 with ":", "-", "." or nothing between */
enum gba_err id_eui64(struct bytes text, const char **_why);
enum gba_err id_ipv4(struct bytes text, const char **_why);   /* dotted quad without leading zeros */
enum gba_err id_ipv6(struct bytes text, const char **_why);   /* RFC 4291 text */
enum gba_err id_ip(struct bytes text, const char **_why);
enum gba_err id_iccid(struct bytes text, const char **_why);  /* 18 to 20 digits from 89, Luhn; ITU-T E.118 */
enum gba_err id_eid(struct bytes text, const char **_why);    /* 32 digits, mod 97 = 1; SGP.02 Annex J */
enum gba_err id_msisdn(struct bytes text, const char **_why); /* 5 to 15 digits, no "+"; E.164 */
enum gba_err id_serial(struct bytes text, const char **_why); /* printable ASCII without blanks */
enum gba_err id_cin(struct bytes text, const char **_why);    /* 21 characters: L17110MH1973PLC019786 */
enum gba_err id_llpin(struct bytes text, const char **_why);  /* AAA-9999 */
enum gba_err id_lei(struct bytes text, const char **_why);    /* ISO 17442: 20 characters, mod 97 = 1 */
enum gba_err id_gln(struct bytes text, const char **_why);    /* 13 digits, GS1 check digit */
enum gba_err id_gs1(struct bytes text, const char **_why);    /* GTIN-8/12/13/14, GLN, SSCC, or "(AI)value" element string */
enum gba_err id_onem2m(struct bytes text, const char **_why); /* App-ID R... or N...; TS-0001 7 */
enum gba_err id_aid(struct bytes text, const char **_why);    /* ISO/IEC 7816-5, TS 101 220; capital hex digits */
enum gba_err id_fqdn(struct bytes text, const char **_why);
enum gba_err id_url(struct bytes text, const char **_why);    /* http, https, coap(s), mqtt(s), ws(s) with a host */
enum gba_err id_https_url(struct bytes text, const char **_why);
enum gba_err id_impi(struct bytes text, const char **_why);
enum gba_err id_email(struct bytes text, const char **_why);
enum gba_err id_ua_id(struct bytes text, const char **_why);  /* ten hex digits */
enum gba_err id_text(struct bytes text, const char **_why);   /* UTF-8 without control characters */
enum gba_err id_token(struct bytes text, const char **_why);  /* letters, digits, '.', '_', '-': names of accounts, drops */
enum gba_err id_hash(struct bytes text, const char **_why);   /* 64 lower-case hex digits */
/** "imei:490154203237518": word of device_identity_words, colon, identity of that kind. */
enum gba_err id_device(struct bytes text, const char **_why);

/** By the index into device_identity_words and so on; NULL when the index is none. */
typedef enum gba_err (*id_rule)(struct bytes text, const char **_why);
id_rule id_rule_device(int64_t type);
id_rule id_rule_user(int64_t type);
id_rule id_rule_asp(int64_t type);
id_rule id_rule_application(int64_t type);

/** The form that is compared and stored for look-up: hexadecimal and host names in lower case, MAC with ":", IPv6 as
 * RFC 5952, all else unchanged. text is valid. out: IDRULE_MAX + 1 octets, NUL-terminated. */
void id_device_canonical(int64_t type, struct bytes text, char *out);

/** Sum rules by themselves. Digits only. */
bool luhn_valid(struct bytes digits);
unsigned int mod97(struct bytes alphanumerics); /* letters A..Z as 10..35 */
bool gs1_valid(struct bytes digits);

#endif
