/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/gba-ctl/fields.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/codec.h"

enum gba_err field_number(struct bytes text, uint64_t min, uint64_t max, uint64_t *_value)
{
	char copy[24], *end;
	uint64_t value;
	bool hex;

	if (text.n == 0 || text.n >= sizeof(copy) || text.p[0] < '0' || text.p[0] > '9')
		return GBA_E_SYNTAX;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	hex = copy[0] == '0' && (copy[1] == 'x' || copy[1] == 'X');
	errno = 0;
	value = strtoull(copy, &end, hex ? 16 : 10);
	if (*end != '\0')
		return GBA_E_SYNTAX;
	if (errno != 0 || value < min || value > max)
		return GBA_E_RANGE;
	*_value = value;
	return GBA_OK;
}

enum gba_err field_word(struct bytes text, const char *const *names, unsigned int *_index)
{
	unsigned int i;

	for (i = 0; names[i] != NULL; i++) {
		if (bytes_eq_nocase(text, bytes_of(names[i]))) {
			*_index = i;
			return GBA_OK;
		}
	}
	return GBA_E_RANGE;
}

enum gba_err field_amf(struct bytes text, uint8_t amf[AKA_AMF_LEN])
{
	return hex_decode(text, amf, AKA_AMF_LEN);
}

/* Open5GS writes keys in groups: "465B5CE8 B199B49F AA5F0A2E E238A6BC". Gives the number of octets, 0: not good. */
static size_t key_octets(struct bytes text, uint8_t *out, size_t cap)
{
	char digits[HEX_LEN(AKA_K_MAX) + 1];
	size_t n = 0, i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] == ' ' || text.p[i] == '\n' || text.p[i] == '\r')
			continue;
		if (n == HEX_LEN(cap))
			return 0;
		digits[n++] = (char)text.p[i];
	}
	n = n % 2 == 0 && hex_decode(BYTES(digits, n), out, n / 2) == GBA_OK ? n / 2 : 0;
	SECRET_WIPE(digits);
	return n;
}

static enum gba_err op_read(const struct subscriber *sub, struct bytes op, struct bytes opc, struct subscriber_keys *keys,
			    const char **_why)
{
	size_t len = subscriber_op_len(sub->alg);

	keys->op_given = opc.n == 0;
	if (key_octets(keys->op_given ? op : opc, keys->op_given ? keys->op : keys->opc, len) == len)
		return GBA_OK;
	*_why = sub->alg == AKA_TUAK ? "TOP or TOPc is not 64 hex digits" : "OP or OPc is not 32 hex digits";
	return GBA_E_SYNTAX;
}

enum gba_err field_keys(const struct subscriber *sub, struct bytes k, struct bytes op, struct bytes opc,
			struct subscriber_keys *keys, const char **_why)
{
	bool fresh = keys->k_len == 0;

	if (fresh || k.n > 0)
		keys->k_len = key_octets(k, keys->k, AKA_K_MAX);
	if (keys->k_len != 16 && (sub->alg != AKA_TUAK || keys->k_len != 32)) {
		*_why = sub->alg == AKA_TUAK ? "K is not 32 or 64 hex digits" : "K is not 32 hex digits";
		return GBA_E_SYNTAX;
	}
	if (op.n > 0 || opc.n > 0)
		return op_read(sub, op, opc, keys, _why);
	if (!fresh)
		return GBA_OK;
	*_why = "neither OP nor OPc is given";
	return GBA_E_SYNTAX;
}

enum gba_err field_impi(struct bytes imsi, unsigned int mnc_digits, const char *realm, char *out)
{
	if (!imsi_valid(imsi))
		return GBA_E_SYNTAX;
	if (realm == NULL)
		return impi_from_imsi(imsi, mnc_digits, out);
	if (snprintf(out, IMPI_MAX + 1, "%.*s@%s", BYTES_FMT(imsi), realm) > IMPI_MAX)
		return GBA_E_TOO_LONG;
	return subscriber_impi(bytes_of(out), out);
}
