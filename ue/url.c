/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/url.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

const char *const url_schemes_http[] = { "http", "https", NULL };
const char *const url_schemes_coap[] = { "coaps", NULL };
const char *const url_schemes_ua[] = { "http", "https", "coaps", NULL };

/* Of those that need none. */
static unsigned int default_port(const char *scheme)
{
	if (strcmp(scheme, "http") == 0)
		return 80;
	if (strcmp(scheme, "https") == 0)
		return 443;
	return strcmp(scheme, "coaps") == 0 ? 5684 : 0;
}

/* One part into a fixed text, lower-cased; false: absent or too long. */
static bool part(CURLU *handle, CURLUPart what, unsigned int flags, char *out, size_t cap)
{
	char *text = NULL;
	size_t i, n;

	if (curl_url_get(handle, what, &text, flags) != CURLUE_OK)
		return false;
	n = strlen(text);
	for (i = 0; i < n && n < cap; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	if (n < cap)
		out[n] = '\0';
	curl_free(text);
	return n < cap;
}

static char *target(TALLOC_CTX *mem_ctx, CURLU *handle)
{
	char *path = NULL, *query = NULL, *out;

	if (curl_url_get(handle, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		return talloc_strdup(mem_ctx, "/");
	if (curl_url_get(handle, CURLUPART_QUERY, &query, 0) == CURLUE_OK)
		out = talloc_asprintf(mem_ctx, "%s?%s", path, query);
	else
		out = talloc_strdup(mem_ctx, path);
	curl_free(path);
	curl_free(query);
	return out;
}

static bool scheme_listed(const char *scheme, const char *const *schemes)
{
	for (; *schemes != NULL; schemes++) {
		if (strcmp(scheme, *schemes) == 0)
			return true;
	}
	return false;
}

static enum gba_err fill(TALLOC_CTX *mem_ctx, CURLU *handle, const char *const *schemes, struct url *_url)
{
	char port[8];

	if (!part(handle, CURLUPART_SCHEME, 0, _url->scheme, sizeof(_url->scheme)) ||
	    !scheme_listed(_url->scheme, schemes))
		return GBA_E_SYNTAX;
	if (!part(handle, CURLUPART_HOST, 0, _url->host, sizeof(_url->host)) || _url->host[0] == '\0')
		return GBA_E_SYNTAX;
	if (part(handle, CURLUPART_PORT, 0, port, sizeof(port)))
		_url->port = (unsigned int)strtoul(port, NULL, 10);
	else
		_url->port = default_port(_url->scheme);
	_url->target = target(mem_ctx, handle);
	return _url->target != NULL ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err url_parse(TALLOC_CTX *mem_ctx, const char *text, const char *const *schemes, struct url *_url)
{
	enum gba_err err = GBA_E_SYNTAX;
	const char *p;
	CURLU *handle;

	for (p = text; *p != '\0'; p++) {
		if (*p <= 0x20 || *p >= 0x7f || *p == '"' || *p == '\\')
			return GBA_E_SYNTAX;
	}
	memset(_url, 0, sizeof(*_url));
	handle = curl_url();
	if (handle == NULL)
		return GBA_E_NOMEM;
	if (curl_url_set(handle, CURLUPART_URL, text,
			 CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS | CURLU_DISALLOW_USER) == CURLUE_OK)
		err = fill(mem_ctx, handle, schemes, _url);
	curl_url_cleanup(handle);
	if (err == GBA_OK) {
		_url->text = talloc_strdup(mem_ctx, text);
		err = _url->text != NULL ? GBA_OK : GBA_E_NOMEM;
	}
	return err;
}
