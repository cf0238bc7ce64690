/* SPDX-License-Identifier: Apache-2.0 */
/* Identities of devices and users. */
#include "ident/idrule.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "core/ident.h"
#include "ident/idrule_priv.h"

const char *const user_identity_words[] = { "msisdn", "email", "custodian", "impu", "other", NULL };
const char *const device_identity_words[] = { "imei", "imeisv", "mac", "eui64", "ipv4", "ipv6", "iccid", "eid", "msisdn",
					      "serial", NULL };
const char *const asp_identity_words[] = { "cin", "llpin", "lei", "gln", "other", NULL };
const char *const application_identity_words[] = { "fqdn", "ip", "url", "gs1", "onem2m", "aid", NULL };

enum gba_err id_refuse(enum gba_err err, const char *why, const char **_why)
{
	*_why = why;
	return err;
}

bool id_digits(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
	}
	return text.n > 0;
}

/* From the right, every second digit doubled, 9 taken from what is above 9; the sum's last digit is 0 (ISO/IEC 7812-1).
 */
bool luhn_valid(struct bytes digits)
{
	unsigned int sum = 0, d;
	size_t i;

	for (i = 0; i < digits.n; i++) {
		d = digits.p[digits.n - 1 - i] - '0';
		if (i % 2 == 1)
			d = d * 2 > 9 ? d * 2 - 9 : d * 2;
		sum += d;
	}
	return sum % 10 == 0;
}

unsigned int mod97(struct bytes text)
{
	unsigned int r = 0;
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] >= 'A')
			r = (r * 100 + text.p[i] - 'A' + 10) % 97;
		else
			r = (r * 10 + text.p[i] - '0') % 97;
	}
	return r;
}

enum gba_err id_imei(struct bytes text, const char **_why)
{
	if (text.n != 15 || !id_digits(text))
		return id_refuse(GBA_E_SYNTAX, "an IMEI has 15 digits", _why);
	return luhn_valid(text) ? GBA_OK : id_refuse(GBA_E_RANGE, "the IMEI's check digit (Luhn) is wrong", _why);
}

enum gba_err id_imeisv(struct bytes text, const char **_why)
{
	if (text.n != 16 || !id_digits(text))
		return id_refuse(GBA_E_SYNTAX, "an IMEISV has 16 digits", _why);
	return GBA_OK;
}

static bool hex_value(uint8_t c, uint8_t *_value)
{
	if (c >= '0' && c <= '9')
		*_value = (uint8_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*_value = (uint8_t)(c - 'a' + 10);
	else if (c >= 'A' && c <= 'F')
		*_value = (uint8_t)(c - 'A' + 10);
	else
		return false;
	return true;
}

/* Pairs of hex digits with the same separator between all of them (":" or "-"), "." after every second, or none. */
static bool eui_read(struct bytes text, size_t octets, uint8_t *out)
{
	uint8_t sep = text.n > 2 && (text.p[2] == ':' || text.p[2] == '-') ? text.p[2]
		      : text.n > 4 && text.p[4] == '.'                     ? '.'
									   : 0;
	size_t every = sep == '.' ? 2 : 1, i, at = 0;
	uint8_t high = 0, low = 0;

	for (i = 0; i < octets; i++) {
		if (i > 0 && sep != 0 && i % every == 0 && (at >= text.n || text.p[at++] != sep))
			return false;
		if (at + 2 > text.n || !hex_value(text.p[at], &high) || !hex_value(text.p[at + 1], &low))
			return false;
		out[i] = (uint8_t)(high << 4 | low);
		at += 2;
	}
	return at == text.n;
}

static bool all_octets(const uint8_t *octets, size_t n, uint8_t value)
{
	while (n > 0 && octets[n - 1] == value)
		n--;
	return n == 0;
}

static enum gba_err eui_check(struct bytes text, size_t octets, const char *form, const char **_why)
{
	uint8_t eui[8];

	if (!eui_read(text, octets, eui))
		return id_refuse(GBA_E_SYNTAX, form, _why);
	if (all_octets(eui, octets, 0) || all_octets(eui, octets, 0xff))
		return id_refuse(GBA_E_RANGE, "an address of zeros or ones names no device", _why);
	if ((eui[0] & 1) != 0)
		return id_refuse(GBA_E_RANGE, "a group address names no device", _why);
	return GBA_OK;
}

enum gba_err id_mac(struct bytes text, const char **_why)
{
	return eui_check(text, 6, "a MAC address has 6 octets in hex, such as 00:1b:63:84:45:e6", _why);
}

enum gba_err id_eui64(struct bytes text, const char **_why)
{
	return eui_check(text, 8, "an EUI-64 has 8 octets in hex, such as 00:1b:63:ff:fe:84:45:e6", _why);
}

static bool ip_read(int family, struct bytes text, uint8_t *out)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.n == 0 || text.n >= sizeof(copy) || memchr(text.p, '\0', text.n) != NULL)
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return inet_pton(family, copy, out) == 1;
}

enum gba_err id_ipv4(struct bytes text, const char **_why)
{
	uint8_t ip[4];

	if (!ip_read(AF_INET, text, ip))
		return id_refuse(GBA_E_SYNTAX, "an IPv4 address is four numbers 0 to 255 with dots, no leading zeros",
				 _why);
	if (all_octets(ip, 4, 0) || ip[0] >= 224)
		return id_refuse(GBA_E_RANGE, "this IPv4 address names no host", _why);
	return GBA_OK;
}

enum gba_err id_ipv6(struct bytes text, const char **_why)
{
	uint8_t ip[16];

	if (!ip_read(AF_INET6, text, ip))
		return id_refuse(GBA_E_SYNTAX, "not an IPv6 address (RFC 4291 2.2)", _why);
	if (all_octets(ip, 16, 0) || ip[0] == 0xff)
		return id_refuse(GBA_E_RANGE, "this IPv6 address names no host", _why);
	return GBA_OK;
}

enum gba_err id_ip(struct bytes text, const char **_why)
{
	return text.n > 0 && memchr(text.p, ':', text.n) != NULL ? id_ipv6(text, _why) : id_ipv4(text, _why);
}

enum gba_err id_iccid(struct bytes text, const char **_why)
{
	if (text.n < 18 || text.n > 20 || !id_digits(text))
		return id_refuse(GBA_E_SYNTAX, "an ICCID has 18 to 20 digits", _why);
	if (memcmp(text.p, "89", 2) != 0)
		return id_refuse(GBA_E_SYNTAX, "an ICCID starts with 89 (ITU-T E.118)", _why);
	return luhn_valid(text) ? GBA_OK : id_refuse(GBA_E_RANGE, "the ICCID's check digit (Luhn) is wrong", _why);
}

enum gba_err id_eid(struct bytes text, const char **_why)
{
	if (text.n != 32 || !id_digits(text))
		return id_refuse(GBA_E_SYNTAX, "an EID has 32 digits", _why);
	return mod97(text) == 1 ? GBA_OK : id_refuse(GBA_E_RANGE, "the EID's check digits (mod 97) are wrong", _why);
}

enum gba_err id_msisdn(struct bytes text, const char **_why)
{
	if (text.n < 5 || text.n > 15 || !id_digits(text))
		return id_refuse(GBA_E_SYNTAX, "an MSISDN has 5 to 15 digits, without +", _why);
	return text.p[0] != '0' ? GBA_OK : id_refuse(GBA_E_SYNTAX, "an MSISDN starts with a country code", _why);
}

enum gba_err id_serial(struct bytes text, const char **_why)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] <= ' ' || text.p[i] >= 0x7f || text.p[i] == ',')
			return id_refuse(GBA_E_SYNTAX, "printable ASCII without blanks and commas", _why);
	}
	return text.n > 0 ? GBA_OK : id_refuse(GBA_E_SYNTAX, "empty", _why);
}

enum gba_err id_impi(struct bytes text, const char **_why)
{
	return impi_valid(text) ? GBA_OK : id_refuse(GBA_E_SYNTAX, "an IMPI is user@realm", _why);
}

enum gba_err id_email(struct bytes text, const char **_why)
{
	struct bytes user, host;

	if (id_serial(text, _why) != GBA_OK)
		return GBA_E_SYNTAX;
	if (!bytes_split(text, '@', &user, &host) || user.n == 0 || user.n > 64 || !fqdn_valid(host))
		return id_refuse(GBA_E_SYNTAX, "an e-mail address is user@host", _why);
	return GBA_OK;
}

id_rule id_rule_device(int64_t type)
{
	static const id_rule rules[] = { id_imei, id_imeisv, id_mac, id_eui64,  id_ipv4,
					 id_ipv6, id_iccid,  id_eid, id_msisdn, id_serial };

	return type >= 0 && type < (int64_t)(sizeof(rules) / sizeof(rules[0])) ? rules[type] : NULL;
}

id_rule id_rule_user(int64_t type)
{
	static const id_rule rules[] = { id_msisdn, id_email, id_token, id_serial, id_text };

	return type >= 0 && type < (int64_t)(sizeof(rules) / sizeof(rules[0])) ? rules[type] : NULL;
}

bool id_device_split(struct bytes text, int64_t *_type, struct bytes *_value)
{
	struct bytes kind;

	if (!bytes_split(text, ':', &kind, _value))
		return false;
	for (*_type = 0; device_identity_words[*_type] != NULL; (*_type)++) {
		if (bytes_eq_str(kind, device_identity_words[*_type]))
			return true;
	}
	return false;
}

enum gba_err id_device(struct bytes text, const char **_why)
{
	struct bytes value;
	int64_t type;

	if (!id_device_split(text, &type, &value))
		return id_refuse(
			GBA_E_SYNTAX,
			"KIND:VALUE with KIND imei, imeisv, mac, eui64, ipv4, ipv6, iccid, eid, msisdn or serial",
			_why);
	return id_rule_device(type)(value, _why);
}

static void eui_write(struct bytes text, size_t octets, char *out)
{
	uint8_t eui[8];
	size_t i;

	*out = '\0';
	if (!eui_read(text, octets, eui))
		return;
	for (i = 0; i < octets; i++)
		out += sprintf(out, "%s%02x", i > 0 ? ":" : "", eui[i]);
}

void id_device_canonical(int64_t type, struct bytes text, char *out)
{
	uint8_t ip[16];

	if (type == DEVICE_IDENTITY_MAC || type == DEVICE_IDENTITY_EUI64) {
		eui_write(text, type == DEVICE_IDENTITY_MAC ? 6 : 8, out);
	} else if (type == DEVICE_IDENTITY_IPV6 && ip_read(AF_INET6, text, ip)) {
		inet_ntop(AF_INET6, ip, out, INET6_ADDRSTRLEN); /* writes RFC 5952's form */
	} else {
		memcpy(out, text.p, text.n);
		out[text.n] = '\0';
	}
}
