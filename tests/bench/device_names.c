/* SPDX-License-Identifier: Apache-2.0 */
#include "device_names.h"

#include <stdio.h>
#include <stdlib.h>

void device_imei(unsigned long number, char out[IMEI_ROOM])
{
	unsigned int sum = 0, i, digit;

	snprintf(out, IMEI_ROOM, "35%012lu", number % 1000000000000UL);
	for (i = 0; i < 14; i++) { /* Luhn: TS 23.003 B */
		digit = (unsigned int)(out[13 - i] - '0') * (i % 2 == 0 ? 2 : 1);
		sum += digit / 10 + digit % 10;
	}
	out[14] = (char)('0' + (10 - sum % 10) % 10);
	out[15] = '\0';
}

void device_regdevid(unsigned long number, const char *reg_id, enum regdevid_form form, char out[REGDEVID_MAX + 1])
{
	struct regdevid id = { .form = form };
	const char *why = "";
	char imei[IMEI_ROOM];

	device_imei(number, imei);
	if (scheme_inherent(scheme_by_word(bytes_of("imei")), bytes_of(imei), &id.scheme, id.identity, &why) != GBA_OK)
		abort();
	snprintf(id.reg_id, sizeof(id.reg_id), "%s", reg_id);
	regdevid_format(&id, out);
}
