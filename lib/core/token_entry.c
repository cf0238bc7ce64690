/* SPDX-License-Identifier: Apache-2.0 */
#include "core/token_entry.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

size_t token_entry_write(const struct token_entry *entry, char *out)
{
	char application[FQDN_MAX + 1] = "-";
	size_t i;
	int n;

	if (entry->application.n > FQDN_MAX)
		return 0;
	for (i = 0; i < entry->application.n; i++)
		application[i] = (char)tolower(entry->application.p[i]);
	if (i > 0)
		application[i] = '\0';
	n = snprintf(out, TOKEN_ENTRY_MAX + 1, "%s %lld %lld %s %.*s", entry->digest, (long long)entry->made,
		     (long long)entry->expires, application, BYTES_FMT(entry->user));
	return n > 0 && (size_t)n <= TOKEN_ENTRY_MAX ? (size_t)n : 0;
}

static bool time_read(struct bytes text, time_t *_time)
{
	uint64_t n = 0;
	size_t i;

	if (text.n == 0 || text.n > 12)
		return false;
	for (i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text.p[i] - '0');
	}
	*_time = (time_t)n;
	return true;
}

enum gba_err token_entry_parse(struct bytes text, struct token_entry *_entry)
{
	struct bytes digest, made, expires, application;
	uint8_t octets[TOKEN_DIGEST_LEN];

	memset(_entry, 0, sizeof(*_entry));
	if (!bytes_split(text, ' ', &digest, &text) || !bytes_split(text, ' ', &made, &text) ||
	    !bytes_split(text, ' ', &expires, &text) || !bytes_split(text, ' ', &application, &_entry->user))
		return GBA_E_SYNTAX;
	if (digest.n != HEX_LEN(TOKEN_DIGEST_LEN) || hex_decode(digest, octets, sizeof(octets)) != GBA_OK)
		return GBA_E_SYNTAX;
	hex_encode(BYTES(octets, sizeof(octets)), _entry->digest);
	if (!time_read(made, &_entry->made) || !time_read(expires, &_entry->expires) || !impi_valid(_entry->user))
		return GBA_E_SYNTAX;
	if (bytes_eq_str(application, "-"))
		return GBA_OK;
	_entry->application = application;
	return fqdn_valid(application) ? GBA_OK : GBA_E_SYNTAX;
}
