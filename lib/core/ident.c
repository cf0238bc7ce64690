/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ident.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>

const uint8_t UA_ID_HTTP_DIGEST[UA_ID_LEN] = { 0x01, 0x00, 0x00, 0x00, 0x02 };
const uint8_t UA_ID_TLS13_PSK[UA_ID_LEN] = { 0x01, 0x00, 0x00, 0x00, 0x07 };
const uint8_t UA_ID_SEALED[UA_ID_LEN] = { 0xff, 0x00, 0x00, 0x00, 0x01 };
const uint8_t UA_ID_TMPI[UA_ID_LEN] = { 0x01, 0x00, 0x00, 0x01, 0x00 };

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(uint8_t c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool imsi_valid(struct bytes imsi)
{
	size_t i;

	if (imsi.n < 6 || imsi.n > IMSI_MAX)
		return false;
	for (i = 0; i < imsi.n; i++) {
		if (!is_digit(imsi.p[i]))
			return false;
	}
	return true;
}

bool fqdn_valid(struct bytes fqdn)
{
	size_t label = 0, i;

	if (fqdn.n == 0 || fqdn.n > FQDN_MAX)
		return false;
	for (i = 0; i < fqdn.n; i++) {
		uint8_t c = fqdn.p[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if ((!is_alnum(c) && c != '-' && c != '_') || ++label > 63)
			return false;
	}
	return label > 0;
}

bool gsid_valid(struct bytes text)
{
	char copy[16], *end;

	if (text.n == 0 || text.n > 10 || text.p[0] < '0' || text.p[0] > '9')
		return false;
	snprintf(copy, sizeof(copy), "%.*s", BYTES_FMT(text));
	errno = 0;
	return strtoull(copy, &end, 10) <= UINT32_MAX && *end == '\0';
}

bool fqdn_within(struct bytes name, struct bytes domain)
{
	if (domain.n == 0 || name.n < domain.n)
		return false;
	if (!bytes_eq_nocase(BYTES(name.p + name.n - domain.n, domain.n), domain))
		return false;
	return name.n == domain.n || name.p[name.n - domain.n - 1] == '.';
}

bool impi_valid(struct bytes impi)
{
	struct bytes user, realm;
	size_t i;

	if (impi.n > IMPI_MAX || !bytes_split(impi, '@', &user, &realm) || user.n == 0)
		return false;
	for (i = 0; i < user.n; i++) {
		if (user.p[i] <= ' ' || user.p[i] >= 0x7f || user.p[i] == '"' || user.p[i] == '\\')
			return false;
	}
	return fqdn_valid(realm);
}

struct bytes impi_realm(struct bytes impi)
{
	struct bytes user, realm;

	return bytes_split(impi, '@', &user, &realm) ? realm : BYTES_NONE;
}

enum gba_err impi_from_imsi(struct bytes imsi, unsigned int mnc_digits, char *out)
{
	const char *d = (const char *)imsi.p;

	if (!imsi_valid(imsi) || (mnc_digits != 2 && mnc_digits != 3))
		return GBA_E_SYNTAX;
	snprintf(out, IMPI_MAX + 1, "%.*s@ims.mnc%s%.*s.mcc%.3s.3gppnetwork.org", BYTES_FMT(imsi), mnc_digits == 2 ? "0" : "",
		 (int)mnc_digits, d + 3, d);
	return GBA_OK;
}

void btid_format(const uint8_t rand[RAND_LEN], struct bytes fqdn, char *out)
{
	base64_encode(BYTES(rand, RAND_LEN), out);
	out += BTID_RAND_CHARS;
	*out++ = '@';
	memcpy(out, fqdn.p, fqdn.n);
	out[fqdn.n] = '\0';
}

enum gba_err btid_parse(struct bytes btid, uint8_t rand[RAND_LEN], struct bytes *_fqdn)
{
	uint8_t octets[RAND_LEN];
	struct bytes left, right;
	size_t len;

	if (btid.n > BTID_MAX || !bytes_split(btid, '@', &left, &right) || left.n != BTID_RAND_CHARS)
		return GBA_E_BTID_SYNTAX;
	if (base64_decode(left, octets, sizeof(octets), &len) != GBA_OK || len != RAND_LEN || !fqdn_valid(right))
		return GBA_E_BTID_SYNTAX;
	memcpy(rand, octets, RAND_LEN);
	if (_fqdn != NULL)
		*_fqdn = right;
	return GBA_OK;
}

enum gba_err naf_id_parse(struct bytes octets, struct naf_id *_id)
{
	struct bytes fqdn;

	if (octets.n <= UA_ID_LEN || octets.n > NAF_ID_MAX)
		return GBA_E_NAF_ID_SYNTAX;
	fqdn = BYTES(octets.p, octets.n - UA_ID_LEN);
	if (!fqdn_valid(fqdn))
		return GBA_E_NAF_ID_SYNTAX;
	_id->fqdn = fqdn;
	memcpy(_id->ua_id, octets.p + fqdn.n, UA_ID_LEN);
	return GBA_OK;
}

size_t naf_id_build(struct bytes fqdn, const uint8_t ua_id[UA_ID_LEN], uint8_t *out)
{
	size_t i;

	if (!fqdn_valid(fqdn))
		return 0;
	for (i = 0; i < fqdn.n; i++)
		out[i] = octet_lower(fqdn.p[i]);
	memcpy(out + fqdn.n, ua_id, UA_ID_LEN);
	return fqdn.n + UA_ID_LEN;
}

void ua_id_tls12(uint16_t suite, uint8_t out[UA_ID_LEN])
{
	out[0] = 0x01;
	out[1] = 0x00;
	out[2] = 0x01;
	out[3] = (uint8_t)(suite >> 8);
	out[4] = (uint8_t)suite;
}

void btid_print(struct bytes btid, char *out)
{
	uint8_t digest[32];

	gcry_md_hash_buffer(GCRY_MD_SHA256, digest, btid.p, btid.n);
	hex_encode(BYTES(digest, BTID_PRINT_LEN / 2), out);
}

void corr_from_rand(const uint8_t rand[RAND_LEN], char *out)
{
	uint8_t digest[32], input[4 + RAND_LEN] = { 'c', 'o', 'r', 'r' };

	memcpy(input + 4, rand, RAND_LEN);
	gcry_md_hash_buffer(GCRY_MD_SHA256, digest, input, sizeof(input));
	hex_encode(BYTES(digest, CORR_LEN / 2), out);
}
