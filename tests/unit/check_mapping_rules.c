/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers row by row, and the form they are compared in. */
#include "check_mapping.h"
#include "ident/idrule.h"

#define OK    GBA_OK
#define SYN   GBA_E_SYNTAX
#define RANGE GBA_E_RANGE

/* Check digits computed by hand and by the public examples of facts: IMEI of TS 23.003 Annex B, ICCID of E.118, EIDs of SGP.02 and
 * SGP.29, CIN and LEI as published, GTIN and GLN of the GS1 General Specifications. */
static const struct {
	const char *name;
	id_rule rule;
	const char *text;
	enum gba_err want;
	const char *why;
} rows[] = {
	{ "imei", id_imei, "490154203237518", OK, NULL },
	{ "imei, last digit", id_imei, "490154203237517", RANGE, "the IMEI's check digit (Luhn) is wrong" },
	{ "imei, two digits swapped", id_imei, "490154203237581", RANGE, "the IMEI's check digit (Luhn) is wrong" },
	{ "imei, 14 digits", id_imei, "49015420323751", SYN, "an IMEI has 15 digits" },
	{ "imei, letter", id_imei, "49015420323751O", SYN, "an IMEI has 15 digits" },
	{ "imei, empty", id_imei, "", SYN, "an IMEI has 15 digits" },
	{ "imeisv", id_imeisv, "4901542032375101", OK, NULL },
	{ "imeisv, 15 digits", id_imeisv, "490154203237518", SYN, "an IMEISV has 16 digits" },
	{ "mac", id_mac, "00:1b:63:84:45:e6", OK, NULL },
	{ "mac, dashes", id_mac, "00-1B-63-84-45-E6", OK, NULL },
	{ "mac, dots", id_mac, "001b.6384.45e6", OK, NULL },
	{ "mac, plain", id_mac, "001b638445e6", OK, NULL },
	{ "mac, mixed", id_mac, "00:1b-63:84:45:e6", SYN, NULL },
	{ "mac, five octets", id_mac, "00:1b:63:84:45", SYN, NULL },
	{ "mac, seven octets", id_mac, "00:1b:63:84:45:e6:01", SYN, NULL },
	{ "mac, group", id_mac, "01:00:5e:00:00:01", RANGE, "a group address names no device" },
	{ "mac, ones", id_mac, "ff:ff:ff:ff:ff:ff", RANGE, "an address of zeros or ones names no device" },
	{ "mac, zeros", id_mac, "00:00:00:00:00:00", RANGE, "an address of zeros or ones names no device" },
	{ "eui64", id_eui64, "00:1b:63:ff:fe:84:45:e6", OK, NULL },
	{ "eui64, mac", id_eui64, "00:1b:63:84:45:e6", SYN, NULL },
	{ "ipv4", id_ipv4, "192.0.2.1", OK, NULL },
	{ "ipv4, leading zero", id_ipv4, "192.0.02.1", SYN, NULL },
	{ "ipv4, 256", id_ipv4, "192.0.2.256", SYN, NULL },
	{ "ipv4, group", id_ipv4, "224.0.0.1", RANGE, "this IPv4 address names no host" },
	{ "ipv6", id_ipv6, "2001:DB8::1", OK, NULL },
	{ "ipv6, two gaps", id_ipv6, "2001::db8::1", SYN, NULL },
	{ "ipv6, none", id_ipv6, "::", RANGE, "this IPv6 address names no host" },
	{ "ipv6, group", id_ipv6, "ff02::1", RANGE, "this IPv6 address names no host" },
	{ "iccid", id_iccid, "8965880812100011146", OK, NULL },
	{ "iccid, check", id_iccid, "8965880812100011145", RANGE, "the ICCID's check digit (Luhn) is wrong" },
	{ "iccid, not 89", id_iccid, "8865880812100011146", SYN, "an ICCID starts with 89 (ITU-T E.118)" },
	{ "iccid, short", id_iccid, "89658808121000111", SYN, "an ICCID has 18 to 20 digits" },
	{ "eid", id_eid, "89001012012341234012345678901224", OK, NULL },
	{ "eid, second", id_eid, "89034011560010000000000000000121", OK, NULL },
	{ "eid, check", id_eid, "89001012012341234012345678901225", RANGE, "the EID's check digits (mod 97) are wrong" },
	{ "eid, short", id_eid, "8900101201234123401234567890122", SYN, "an EID has 32 digits" },
	{ "msisdn", id_msisdn, "919876543210", OK, NULL },
	{ "msisdn, plus", id_msisdn, "+919876543210", SYN, "an MSISDN has 5 to 15 digits, without +" },
	{ "cin", id_cin, "L17110MH1973PLC019786", OK, NULL },
	{ "cin, unlisted", id_cin, "U72200KA2013PTC097389", OK, NULL },
	{ "cin, listing", id_cin, "X17110MH1973PLC019786", SYN, "a CIN starts with L or U" },
	{ "cin, short", id_cin, "L17110MH1973PLC01978", SYN, "a CIN has 21 characters" },
	{ "cin, state in small letters", id_cin, "L17110mh1973PLC019786", SYN, NULL },
	{ "llpin", id_llpin, "AAA-1234", OK, NULL },
	{ "llpin, form", id_llpin, "AAA1234-", SYN, "an LLPIN is 3 letters, -, 4 digits" },
	{ "lei", id_lei, "5493001KJTIIGC8Y1R12", OK, NULL },
	{ "lei, check", id_lei, "5493001KJTIIGC8Y1R13", RANGE, "the LEI's check digits (mod 97) are wrong" },
	{ "gln", id_gln, "9521101530001", OK, NULL },
	{ "gln, check", id_gln, "9521101530002", RANGE, "the GS1 check digit is wrong" },
	{ "gtin-14", id_gs1, "09506000134352", OK, NULL },
	{ "gtin-13", id_gs1, "9506000134352", OK, NULL },
	{ "gtin-8", id_gs1, "96385074", OK, NULL },
	{ "gtin-8, check", id_gs1, "96385075", RANGE, "the GS1 check digit is wrong" },
	{ "gs1, 9 digits", id_gs1, "963850741", SYN, NULL },
	{ "gs1, elements", id_gs1, "(01)09506000134352(21)A-17", OK, NULL },
	{ "gs1, element's check digit", id_gs1, "(01)09506000134353(21)A-17", RANGE, "the GS1 check digit is wrong" },
	{ "gs1, CPID", id_gs1, "(8010)9521101#A-7/1", OK, NULL },
	{ "gs1, CPID, small letter", id_gs1, "(8010)9521101a", SYN, "a character GS1 does not allow" },
	{ "gs1, CPID of 31", id_gs1, "(8010)1234567890123456789012345678901", SYN, NULL },
	{ "gs1, GRAI", id_gs1, "(8003)09506000134352XYZ", OK, NULL },
	{ "gs1, unknown AI", id_gs1, "(99)1", SYN, NULL },
	{ "gs1, AI without value", id_gs1, "(21)", SYN, NULL },
	{ "gs1, short value", id_gs1, "(01)0950", SYN, NULL },
	{ "gs1, open bracket", id_gs1, "(01", SYN, NULL },
	{ "oneM2M, registered", id_onem2m, "Rcom.example.meter", OK, NULL },
	{ "oneM2M, not registered", id_onem2m, "Nmeter-1", OK, NULL },
	{ "oneM2M, other letter", id_onem2m, "Xmeter", SYN, "a oneM2M App-ID starts with R (registered) or N" },
	{ "oneM2M, slash", id_onem2m, "Nmeter/1", SYN, NULL },
	{ "aid, USIM of 3GPP", id_aid, "A0000000871002FF49FF0589", OK, NULL },
	{ "aid, longest of ETSI", id_aid, "A0000000090001FF44FF128911223344", OK, NULL },
	{ "aid, RID of somebody else alone", id_aid, "A000000151", OK, NULL },
	{ "aid, national", id_aid, "D27600012401", OK, NULL },
	{ "aid, of 3GPP without a provider", id_aid, "A0000000871002", RANGE,
	  "an AID of ETSI or 3GPP has 7 to 11 octets behind its RID (TS 101 220)" },
	{ "aid, unregistered", id_aid, "F0000000871002FF49FF0589", RANGE, "an AID starts with A (registered) or D (national)" },
	{ "aid, 17 octets", id_aid, "A0000000090001FF44FF12891122334455", SYN, "an AID is 5 to 16 octets in capital hex digits" },
	{ "aid, four octets", id_aid, "A0000000", SYN, NULL },
	{ "aid, half an octet", id_aid, "A0000001510", SYN, NULL },
	{ "aid, small letters", id_aid, "a0000000871002ff49ff0589", SYN, NULL },
	{ "fqdn", id_fqdn, "app.example.com", OK, NULL },
	{ "fqdn, dot at the end", id_fqdn, "app.example.com.", SYN, "not a host name" },
	{ "url", id_url, "https://app.example.com:8443/meter?x=1", OK, NULL },
	{ "url, coap, IPv6", id_url, "coap://[2001:db8::1]:5683/x", OK, NULL },
	{ "url, IPv6 without port", id_url, "coap://[2001:db8::1]/x", OK, NULL },
	{ "url, scheme", id_url, "ftp://app.example.com/", SYN, NULL },
	{ "url, no host", id_url, "https:///x", SYN, "the URL's host is no host name or address" },
	{ "url, user", id_url, "https://me@app.example.com/", SYN, "the URL's host is no host name or address" },
	{ "url, port", id_url, "https://app.example.com:70000/", SYN, "the URL's port is not 1 to 65535" },
	{ "url, blank", id_url, "https://app.example.com/a b", SYN, "a character that a URL writes as %XX" },
	{ "https only", id_https_url, "http://app.example.com/", SYN, "a URL that starts with https://" },
	{ "e-mail", id_email, "asha@example.net", OK, NULL },
	{ "e-mail, no host", id_email, "asha@", SYN, "an e-mail address is user@host" },
	{ "ua", id_ua_id, "0100000002", OK, NULL },
	{ "ua, short", id_ua_id, "01000000", SYN, NULL },
	{ "text", id_text, "\xc3\x84rzte", OK, NULL },
	{ "text, overlong", id_text, "\xc0\x80", SYN, "not UTF-8" },
	{ "text, surrogate", id_text, "\xed\xa0\x80", SYN, "not UTF-8" },
	{ "text, newline", id_text, "a\nb", SYN, "a control character" },
	{ "text, C1", id_text, "a\xc2\x85" "b", SYN, "a control character" },
	{ "text, behind C1", id_text, "a\xc2\xa0" "b", OK, NULL },
	{ "text, line separator", id_text, "a\xe2\x80\xa8" "b", SYN, "a control character" },
	{ "text, turned around", id_text, "a\xe2\x80\xae" "b", SYN, "a control character" },
	{ "text, isolated", id_text, "a\xe2\x81\xa6" "b", SYN, "a control character" },
	{ "text, right to left by itself", id_text, "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", OK, NULL },
	{ "text, no character", id_text, "\xef\xbf\xbf", SYN, "a control character" },
	{ "text, the last one", id_text, "\xf4\x8f\xbf\xbd", OK, NULL },
	{ "text, byte order mark", id_text, "\xef\xbb\xbf" "a", SYN, "a control character" },
	{ "device", id_device, "imei:490154203237518", OK, NULL },
	{ "device, wrong digit", id_device, "imei:490154203237517", RANGE, "the IMEI's check digit (Luhn) is wrong" },
	{ "device, kind", id_device, "phone:490154203237518", SYN, NULL },
	{ "impi", id_impi, "001010000000001@ims.mnc001.mcc001.3gppnetwork.org", OK, NULL },
	{ "impi, of a realm without a core", id_impi, "meter-7@devices.iot.example", OK, NULL },
	{ "impi, without a realm", id_impi, "001010000000001", SYN, NULL },
	{ "impi, without a name", id_impi, "@ims.mnc001.mcc001.3gppnetwork.org", SYN, NULL },
	{ "impi, two realms", id_impi, "a@b.example@c.example", SYN, NULL },
	{ "token, blank", id_token, "a b", SYN, "letters, digits, '.', '_' and '-'" },
	{ "token, dots", id_token, "../x", SYN, NULL },
};

/* REQ: Y3056-7.1-2, Y3056-7.1-3, Y3056-7.1-4, TEC-2.2.5-1, TEC-A4-rot-1 */
START_TEST(identifiers_follow_their_rules)
{
	const char *why = NULL;
	enum gba_err got = rows[_i].rule(bytes_of(rows[_i].text), &why);

	ck_assert_msg(got == rows[_i].want, "%s: got %s (%s)", rows[_i].name, gba_err_name(got), why != NULL ? why : "");
	ck_assert_msg((got == GBA_OK) == (why == NULL), "%s: a reason for each refusal", rows[_i].name);
	if (rows[_i].why != NULL)
		ck_assert_str_eq(why, rows[_i].why);
}
END_TEST

static const struct {
	int64_t type;
	const char *text, *want;
} forms[] = {
	{ DEVICE_IDENTITY_MAC, "00-1B-63-84-45-E6", "00:1b:63:84:45:e6" },
	{ DEVICE_IDENTITY_MAC, "001B.6384.45E6", "00:1b:63:84:45:e6" },
	{ DEVICE_IDENTITY_IPV6, "2001:0DB8:0:0:0:0:0:1", "2001:db8::1" },
	{ DEVICE_IDENTITY_IMEI, "490154203237518", "490154203237518" },
};

START_TEST(one_device_has_one_form)
{
	char out[IDRULE_MAX + 1];

	id_device_canonical(forms[_i].type, bytes_of(forms[_i].text), out);
	ck_assert_str_eq(out, forms[_i].want);
}
END_TEST

TCase *mapping_rules_tcase(void)
{
	TCase *tc = fixture_tcase("rules");

	tcase_add_loop_test(tc, identifiers_follow_their_rules, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(tc, one_device_has_one_form, 0, sizeof(forms) / sizeof(forms[0]));
	return tc;
}
