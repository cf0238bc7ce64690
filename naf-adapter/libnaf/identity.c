/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/libnaf/wire.h"

_Static_assert(GBA_NAF_BTID_MAX == WIRE_BTID_MAX && GBA_NAF_FQDN_MAX == WIRE_FQDN_MAX, "one limit");
_Static_assert(GBA_NAF_KEY_LEN == WIRE_KEY_LEN && GBA_NAF_UA_ID_LEN == WIRE_UA_ID_LEN, "one length");
_Static_assert(GBA_NAF_GSID_MAX == WIRE_GSID_MAX && GBA_NAF_SOURCE_MAX == WIRE_SOURCE_MAX, "one limit");

/* Longest first: one is the beginning of the others. */
static const struct {
	const char *prefix;
	enum gba_naf_key_kind kind;
} prefixes[] = {
	{ GBA_NAF_PSK_HINT "-digest", GBA_NAF_KIND_DIGEST },
	{ GBA_NAF_PSK_HINT "-uicc", GBA_NAF_KIND_UICC },
	{ GBA_NAF_PSK_HINT, GBA_NAF_KIND_ME },
};

static int has_prefix(const char *identity, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len > n && memcmp(identity, prefix, n) == 0;
}

enum gba_naf_error gba_naf_identity_parse(const char *identity, size_t len, struct gba_naf_identity *_id)
{
	size_t i, at;

	for (i = 0; i < 3 && !has_prefix(identity, len, prefixes[i].prefix); i++)
		;
	if (i == 3)
		return GBA_NAF_E_BTID_SYNTAX;
	at = strlen(prefixes[i].prefix);
	/* The separator is ";" in TS 33.222; TS 36.508 prints "."; none of these can begin a B-TID. */
	if (memchr(";:.", identity[at], 3) != NULL)
		at++;
	if (!wire_btid_valid(identity + at, len - at))
		return GBA_NAF_E_BTID_SYNTAX;
	*_id = (struct gba_naf_identity){ prefixes[i].kind, identity + at, len - at };
	return GBA_NAF_OK;
}

int gba_naf_btid_valid(const char *btid, size_t len)
{
	return btid != NULL && wire_btid_valid(btid, len);
}

static void ua_id_set(uint8_t *out, uint8_t kind, uint8_t high, uint8_t low)
{
	out[0] = 0x01; /* organisation: 3GPP */
	out[1] = 0x00;
	out[2] = kind;
	out[3] = high;
	out[4] = low;
}

void gba_naf_ua_id_http_digest(uint8_t *out)
{
	ua_id_set(out, 0x00, 0x00, 0x02);
}

void gba_naf_ua_id_tls13_psk(uint8_t *out)
{
	ua_id_set(out, 0x00, 0x00, 0x07);
}

void gba_naf_ua_id_tls12(uint16_t suite, uint8_t *out)
{
	ua_id_set(out, 0x01, (uint8_t)(suite >> 8), (uint8_t)suite);
}
