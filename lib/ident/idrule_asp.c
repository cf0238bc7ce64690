/* SPDX-License-Identifier: Apache-2.0 */
/* Identities of ASPs and applications, and texts. */
#include "core/ident.h"
#include "ident/idrule_priv.h"

/* The rightmost digit makes the sum of all, weighted 1, 3, 1, 3 ... from the right, a multiple of ten (GS1 7.9). */
bool gs1_valid(struct bytes digits)
{
	unsigned int sum = 0;
	size_t i;

	for (i = 0; i < digits.n; i++)
		sum += (digits.p[digits.n - 1 - i] - '0') * (i % 2 == 0 ? 1U : 3U);
	return sum % 10 == 0;
}

static bool upper(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] < 'A' || text.p[i] > 'Z')
			return false;
	}
	return true;
}

/* Listing L or U, industry 5 digits, state 2 letters, year 4 digits, class 3 letters, number 6 digits. */
enum gba_err id_cin(struct bytes text, const char **_why)
{
	if (text.n != 21)
		return id_refuse(GBA_E_SYNTAX, "a CIN has 21 characters", _why);
	if (text.p[0] != 'L' && text.p[0] != 'U')
		return id_refuse(GBA_E_SYNTAX, "a CIN starts with L or U", _why);
	if (!id_digits(BYTES(text.p + 1, 5)) || !upper(BYTES(text.p + 6, 2)) || !id_digits(BYTES(text.p + 8, 4)) ||
	    !upper(BYTES(text.p + 12, 3)) || !id_digits(BYTES(text.p + 15, 6)))
		return id_refuse(GBA_E_SYNTAX, "a CIN is L or U, 5 digits, 2 letters, 4 digits, 3 letters, 6 digits",
				 _why);
	return GBA_OK;
}

enum gba_err id_llpin(struct bytes text, const char **_why)
{
	if (text.n != 8 || !upper(BYTES(text.p, 3)) || text.p[3] != '-' || !id_digits(BYTES(text.p + 4, 4)))
		return id_refuse(GBA_E_SYNTAX, "an LLPIN is 3 letters, -, 4 digits", _why);
	return GBA_OK;
}

enum gba_err id_lei(struct bytes text, const char **_why)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (!id_digits(BYTES(text.p + i, 1)) && !upper(BYTES(text.p + i, 1)))
			return id_refuse(GBA_E_SYNTAX, "an LEI has capital letters and digits", _why);
	}
	if (text.n != 20 || !id_digits(BYTES(text.p + 18, 2)))
		return id_refuse(GBA_E_SYNTAX, "an LEI has 20 characters, the last two digits", _why);
	return mod97(text) == 1 ? GBA_OK : id_refuse(GBA_E_RANGE, "the LEI's check digits (mod 97) are wrong", _why);
}

static enum gba_err gs1_number(struct bytes text, const char **_why)
{
	if (!id_digits(text))
		return id_refuse(GBA_E_SYNTAX, "a GS1 key of digits only", _why);
	return gs1_valid(text) ? GBA_OK : id_refuse(GBA_E_RANGE, "the GS1 check digit is wrong", _why);
}

enum gba_err id_gln(struct bytes text, const char **_why)
{
	if (text.n != 13 || !id_digits(text))
		return id_refuse(GBA_E_SYNTAX, "a GLN has 13 digits", _why);
	return gs1_number(text, _why);
}

/* Application identifiers (GS1 General Specifications 3): how many digits with check digit, how much text after. */
struct gs1_ai {
	const char *ai;
	size_t digits;   /* 0: none */
	size_t text_max; /* 0: none */
	bool component;  /* text of '#', '-', '/', digits, capital letters (CPID) */
};
static const struct gs1_ai gs1_ais[] = {
	/* AI      digits text component */
	{ "00",    18,    0,   false }, /* SSCC */
	{ "01",    14,    0,   false }, /* GTIN */
	{ "10",    0,     20,  false }, /* batch */
	{ "21",    0,     20,  false }, /* serial */
	{ "414",   13,    0,   false }, /* GLN of a location */
	{ "417",   13,    0,   false }, /* GLN of a party */
	{ "8003",  14,    16,  false }, /* GRAI: 0, GTIN-13 with check digit, serial */
	{ "8004",  0,     30,  false }, /* GIAI */
	{ "8010",  0,     30,  true },	/* CPID */
	{ "8018",  18,    0,   false }, /* GSRN */
};

static bool gs1_char(uint8_t c, bool component)
{
	if (component)
		return c == '#' || c == '-' || c == '/' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
	return c > ' ' && c < 0x7f && strchr("#$@[\\]^`{|}~()", c) == NULL; /* set 82; brackets open the next AI */
}

static const struct gs1_ai *ai_find(struct bytes ai)
{
	size_t i;

	for (i = 0; i < sizeof(gs1_ais) / sizeof(gs1_ais[0]); i++) {
		if (bytes_eq_str(ai, gs1_ais[i].ai))
			return &gs1_ais[i];
	}
	return NULL;
}

static enum gba_err ai_value(const struct gs1_ai *ai, struct bytes value, const char **_why)
{
	struct bytes rest = BYTES(value.p + ai->digits, value.n - ai->digits);
	enum gba_err err;
	size_t i;

	if (ai->digits > 0) {
		err = gs1_number(BYTES(value.p, ai->digits), _why);
		if (err != GBA_OK)
			return err;
	}
	if (rest.n > ai->text_max || (ai->digits == 0 && rest.n == 0))
		return id_refuse(GBA_E_SYNTAX, "the value after a GS1 application identifier has a wrong length", _why);
	for (i = 0; i < rest.n; i++) {
		if (!gs1_char(rest.p[i], ai->component))
			return id_refuse(GBA_E_SYNTAX, "a character GS1 does not allow", _why);
	}
	return GBA_OK;
}

/* "(01)09506000134352(21)12345" */
static enum gba_err gs1_element(struct bytes *text, const char **_why)
{
	struct bytes ai, value = BYTES_NONE, rest = BYTES(text->p + 1, text->n - 1);
	const struct gs1_ai *row;
	const uint8_t *next;

	row = bytes_split(rest, ')', &ai, &value) ? ai_find(ai) : NULL;
	if (row == NULL)
		return id_refuse(GBA_E_SYNTAX, "(AI)VALUE with AI 00, 01, 10, 21, 414, 417, 8003, 8004, 8010 or 8018",
				 _why);
	next = value.n > 0 ? memchr(value.p, '(', value.n) : NULL;
	*text = next != NULL ? BYTES(next, value.n - (size_t)(next - value.p)) : BYTES_NONE;
	if (next != NULL)
		value.n = (size_t)(next - value.p);
	if (value.n < row->digits)
		return id_refuse(GBA_E_SYNTAX, "the value after a GS1 application identifier has a wrong length", _why);
	return ai_value(row, value, _why);
}

enum gba_err id_gs1(struct bytes text, const char **_why)
{
	enum gba_err err = GBA_OK;

	if (text.n > 0 && text.p[0] == '(') {
		while (err == GBA_OK && text.n > 0)
			err = gs1_element(&text, _why);
		return err;
	}
	if (text.n != 8 && text.n != 12 && text.n != 13 && text.n != 14 && text.n != 18)
		return id_refuse(GBA_E_SYNTAX, "a GS1 key has 8, 12, 13, 14 or 18 digits, or is (AI)VALUE", _why);
	return gs1_number(text, _why);
}

/* TS-0001 7.2: R and a registered reverse domain name, or N and a name nobody registered. */
enum gba_err id_onem2m(struct bytes text, const char **_why)
{
	size_t i;

	if (text.n < 2 || (text.p[0] != 'R' && text.p[0] != 'N'))
		return id_refuse(GBA_E_SYNTAX, "a oneM2M App-ID starts with R (registered) or N", _why);
	for (i = 1; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    strchr("-._~", c) == NULL)
			return id_refuse(GBA_E_SYNTAX, "an App-ID has letters, digits, '-', '.', '_', '~'", _why);
		if (c == '\0')
			return id_refuse(GBA_E_SYNTAX, "an App-ID has no NUL", _why);
	}
	if (text.p[0] == 'R' && (text.p[1] == '.' || text.p[text.n - 1] == '.'))
		return id_refuse(GBA_E_SYNTAX, "a registered App-ID is R and names with dots between", _why);
	return GBA_OK;
}

static bool is_upper_hex(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (!(text.p[i] >= '0' && text.p[i] <= '9') && !(text.p[i] >= 'A' && text.p[i] <= 'F'))
			return false;
	}
	return true;
}

/* ISO/IEC 7816-5: RID of five octets, PIX of up to eleven. Under their RIDs ETSI and 3GPP give PIXs of application code, country
 * code, application provider code and up to four octets of the provider's own (TS 101 220 Annexes D and E). One spelling, or one
 * application could be registered twice. */
enum gba_err id_aid(struct bytes text, const char **_why)
{
	bool telecom;

	if (text.n < 10 || text.n > 32 || text.n % 2 != 0 || !is_upper_hex(text))
		return id_refuse(GBA_E_SYNTAX, "an AID is 5 to 16 octets in capital hex digits", _why);
	if (text.p[0] != 'A' && text.p[0] != 'D')
		return id_refuse(GBA_E_RANGE, "an AID starts with A (registered) or D (national)", _why);
	telecom = bytes_eq_str(BYTES(text.p, 10), "A000000009") || bytes_eq_str(BYTES(text.p, 10), "A000000087");
	if (telecom && text.n < 24)
		return id_refuse(GBA_E_RANGE, "an AID of ETSI or 3GPP has 7 to 11 octets behind its RID (TS 101 220)", _why);
	return GBA_OK;
}

enum gba_err id_fqdn(struct bytes text, const char **_why)
{
	return fqdn_valid(text) ? GBA_OK : id_refuse(GBA_E_SYNTAX, "not a host name", _why);
}

static bool starts(struct bytes text, const char *with)
{
	return text.n >= strlen(with) && bytes_eq_nocase(BYTES(text.p, strlen(with)), bytes_of(with));
}

static bool port_valid(struct bytes port)
{
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < port.n && i < 6; i++)
		n = n * 10 + (unsigned int)(port.p[i] - '0');
	return id_digits(port) && port.n <= 5 && n > 0 && n <= 65535;
}

static bool host_valid(struct bytes host)
{
	const char *why;
	uint8_t last = host.n > 0 ? host.p[host.n - 1] : 0;

	if (host.n > 2 && host.p[0] == '[' && last == ']')
		return id_ipv6(BYTES(host.p + 1, host.n - 2), &why) == GBA_OK;
	return last >= '0' && last <= '9' ? id_ipv4(host, &why) == GBA_OK || fqdn_valid(host) : fqdn_valid(host);
}

/* RFC 3986: host, port, then any path of unreserved and reserved characters; no user. */
static enum gba_err authority_check(struct bytes rest, const char **_why)
{
	size_t end = 0, i, colon;

	while (end < rest.n && strchr("/?#", rest.p[end]) == NULL)
		end++;
	colon = end;
	for (i = end; i > 0 && rest.p[i - 1] >= '0' && rest.p[i - 1] <= '9'; i--)
		;
	if (i > 0 && i < end && rest.p[i - 1] == ':' && memchr(rest.p, ']', end) == NULL)
		colon = i - 1;
	else if (i > 1 && i < end && rest.p[i - 1] == ':' && rest.p[i - 2] == ']')
		colon = i - 1;
	if (colon < end && !port_valid(BYTES(rest.p + colon + 1, end - colon - 1)))
		return id_refuse(GBA_E_SYNTAX, "the URL's port is not 1 to 65535", _why);
	if (!host_valid(BYTES(rest.p, colon)))
		return id_refuse(GBA_E_SYNTAX, "the URL's host is no host name or address", _why);
	for (i = end; i < rest.n; i++) {
		if (rest.p[i] <= ' ' || rest.p[i] >= 0x7f || strchr("\"<>\\^`{|}", rest.p[i]) != NULL)
			return id_refuse(GBA_E_SYNTAX, "a character that a URL writes as %XX", _why);
	}
	return GBA_OK;
}

enum gba_err id_url(struct bytes text, const char **_why)
{
	static const char *const schemes[] = { "https://", "http://",  "coap://", "coaps://",
					       "mqtt://",  "mqtts://", "ws://",   "wss://" };
	size_t i;

	if (text.n > 0 && memchr(text.p, '\0', text.n) != NULL)
		return id_refuse(GBA_E_SYNTAX, "a URL has no NUL", _why);
	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (starts(text, schemes[i]))
			return authority_check(BYTES(text.p + strlen(schemes[i]), text.n - strlen(schemes[i])), _why);
	}
	return id_refuse(GBA_E_SYNTAX, "a URL starts with http, https, coap, coaps, mqtt, mqtts, ws or wss and ://",
			 _why);
}

enum gba_err id_https_url(struct bytes text, const char **_why)
{
	return starts(text, "https://") ? id_url(text, _why)
					: id_refuse(GBA_E_SYNTAX, "a URL that starts with https://", _why);
}

enum gba_err id_ua_id(struct bytes text, const char **_why)
{
	uint8_t id[UA_ID_LEN];

	return hex_decode(text, id, UA_ID_LEN) == GBA_OK
		       ? GBA_OK
		       : id_refuse(GBA_E_SYNTAX, "a Ua protocol is ten hex digits, such as 0100000002", _why);
}

enum gba_err id_hash(struct bytes text, const char **_why)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (!(text.p[i] >= '0' && text.p[i] <= '9') && !(text.p[i] >= 'a' && text.p[i] <= 'f'))
			return id_refuse(GBA_E_SYNTAX, "64 lower-case hex digits", _why);
	}
	return text.n == 64 ? GBA_OK : id_refuse(GBA_E_SYNTAX, "64 lower-case hex digits", _why);
}

enum gba_err id_token(struct bytes text, const char **_why)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '.' &&
		    c != '_' && c != '-')
			return id_refuse(GBA_E_SYNTAX, "letters, digits, '.', '_' and '-'", _why);
	}
	if (text.n == 0 || text.p[0] == '.')
		return id_refuse(GBA_E_SYNTAX, "starts with a letter, digit, '_' or '-'", _why);
	return GBA_OK;
}

/* [octets] of the UTF-8 sequence at p, 0: none (RFC 3629: no surrogates, no overlong forms). */
static size_t utf8_len(const uint8_t *p, size_t n)
{
	size_t len = p[0] < 0x80                   ? 1
		     : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		     : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
		     : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						   : 0;
	size_t i;

	if (len > n)
		return 0;
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static uint32_t utf8_point(const uint8_t *p, size_t len)
{
	static const uint8_t masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t point = p[0] & masks[len];
	size_t i;

	for (i = 1; i < len; i++)
		point = point << 6 | (p[i] & 0x3fU);
	return point;
}

/* Those of C0 and C1, ends of lines and paragraphs, what turns the order of others around (a name must read as it is
 * written), and what is no character. */
static bool is_control(uint32_t c)
{
	return c < ' ' || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
	       (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe || c == 0xfeff;
}

enum gba_err id_text(struct bytes text, const char **_why)
{
	size_t i, len;

	for (i = 0; i < text.n; i += len) {
		len = utf8_len(text.p + i, text.n - i);
		if (len == 0)
			return id_refuse(GBA_E_SYNTAX, "not UTF-8", _why);
		if (is_control(utf8_point(text.p + i, len)))
			return id_refuse(GBA_E_SYNTAX, "a control character", _why);
	}
	return GBA_OK;
}

id_rule id_rule_asp(int64_t type)
{
	static const id_rule rules[] = { id_cin, id_llpin, id_lei, id_gln, id_serial };

	return type >= 0 && type < (int64_t)(sizeof(rules) / sizeof(rules[0])) ? rules[type] : NULL;
}

id_rule id_rule_application(int64_t type)
{
	static const id_rule rules[] = { id_fqdn, id_ip, id_url, id_gs1, id_onem2m, id_aid };

	return type >= 0 && type < (int64_t)(sizeof(rules) / sizeof(rules[0])) ? rules[type] : NULL;
}
