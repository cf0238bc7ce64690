/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/bsinfo.h"

#include <stdio.h>

#include "core/clock.h"
#include "core/ident.h"
#include "xml/reader.h"

enum { DOCUMENT, INFO, BTID, LIFETIME, EXTENSION, PROFILE, FORMAT, CERTIFICATE, CHANGE };
static const struct xml_row rows[] = {
	[DOCUMENT] = { "", 0, false },
	[INFO] = { "BootstrappingInfo", XML_IN(DOCUMENT), false },
	[BTID] = { "btid", XML_IN(INFO), true },
	[LIFETIME] = { "lifetime", XML_IN(INFO), true },
	[EXTENSION] = { "Extension", XML_IN(INFO), false },
	[PROFILE] = { "realmProfile", XML_IN(EXTENSION), true },
	[FORMAT] = { "tokenFormat", XML_IN(EXTENSION), true },
	[CERTIFICATE] = { "deviceCertificate", XML_IN(EXTENSION), true },
	[CHANGE] = { "operatorChange", XML_IN(EXTENSION), true },
	{ NULL, 0, false },
};

#define AWAITED "awaited" /* text of operatorChange */

struct reading {
	TALLOC_CTX *mem_ctx;
	char *btid, *profile, *format, *certificate;
	time_t lifetime;
	bool lifetime_given, awaited;
};

static char *element(char *head, const char *name, const char *text)
{
	return head != NULL && text != NULL ? talloc_asprintf_append(head, "<%s>%s</%s>", name, text, name) : head;
}

char *bsinfo_build(TALLOC_CTX *mem_ctx, const struct bsinfo *info)
{
	char lifetime[TIME_TEXT_LEN + 1], *extension = talloc_strdup(mem_ctx, ""), *text;
	bool any;

	time_format(info->lifetime, lifetime);
	extension = element(extension, "realmProfile", info->realm_profile);
	extension = element(extension, "tokenFormat", info->token_format);
	extension = element(extension, "deviceCertificate", info->certificate);
	extension = element(extension, "operatorChange", info->change_awaited ? AWAITED : NULL);
	if (extension == NULL)
		return NULL;
	any = extension[0] != '\0'; /* a UE that does not know it passes over it (TS 24.109 Annex C) */
	text = talloc_asprintf(mem_ctx,
			       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			       "<BootstrappingInfo xmlns=\"uri:3gpp-gba\">\n"
			       "  <btid>%s</btid>\n"
			       "  <lifetime>%s</lifetime>\n"
			       "%s%s%s"
			       "</BootstrappingInfo>\n",
			       info->btid, lifetime, any ? "  <Extension>" : "", extension, any ? "</Extension>\n" : "");
	talloc_free(extension);
	return text;
}

static enum gba_err on_open(void *arg, unsigned int row, const struct xml_attrs *attrs)
{
	(void)arg, (void)row, (void)attrs;
	return GBA_OK;
}

/* The first counts; what stands there twice, or at length, is no reason to give up a token. */
static enum gba_err extension_take(struct reading *reading, char **_text, struct bytes text, size_t max)
{
	if (*_text != NULL || text.n == 0 || text.n > max)
		return GBA_OK;
	*_text = talloc_strndup(reading->mem_ctx, (const char *)text.p, text.n);
	return *_text != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err on_value(void *arg, unsigned int row, struct bytes text)
{
	struct reading *reading = arg;

	if (row == LIFETIME) {
		if (reading->lifetime_given || time_parse(text, &reading->lifetime) != GBA_OK)
			return GBA_E_XML;
		reading->lifetime_given = true;
		return GBA_OK;
	}
	if (row == PROFILE || row == FORMAT)
		return extension_take(reading, row == PROFILE ? &reading->profile : &reading->format, text, BSINFO_TEXT_MAX);
	if (row == CERTIFICATE)
		return extension_take(reading, &reading->certificate, text, BSINFO_CERT_MAX);
	if (row == CHANGE) {
		reading->awaited |= bytes_eq_str(text, AWAITED);
		return GBA_OK;
	}
	if (reading->btid != NULL || text.n == 0 || text.n > BTID_MAX)
		return GBA_E_XML;
	reading->btid = talloc_strndup(reading->mem_ctx, (const char *)text.p, text.n);
	return reading->btid != NULL ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err bsinfo_parse(TALLOC_CTX *mem_ctx, struct bytes xml, struct bsinfo *_info)
{
	struct reading reading = { .mem_ctx = mem_ctx };
	struct xml_walk walk = { rows, on_open, on_value, &reading };
	enum gba_err err;

	if (xml.n > BSINFO_XML_MAX)
		return GBA_E_TOO_LONG;
	err = xml_walk(&walk, xml);
	if (err == GBA_OK && (reading.btid == NULL || !reading.lifetime_given))
		err = GBA_E_XML;
	if (err != GBA_OK) {
		talloc_free(reading.btid);
		talloc_free(reading.profile);
		talloc_free(reading.format);
		talloc_free(reading.certificate);
		return err;
	}
	_info->btid = reading.btid;
	_info->lifetime = reading.lifetime;
	_info->realm_profile = reading.profile;
	_info->token_format = reading.format;
	_info->certificate = reading.certificate;
	_info->change_awaited = reading.awaited;
	return GBA_OK;
}
