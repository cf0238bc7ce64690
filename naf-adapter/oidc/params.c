/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/oidc/params.h"

#include <string.h>

#include "core/codec.h"

enum gba_err param_decode(TALLOC_CTX *mem_ctx, struct bytes text, const char **_out)
{
	char *out = talloc_size(mem_ctx, text.n + 1);
	size_t i, n = 0;

	if (out == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < text.n; i++) {
		uint8_t c = text.p[i] == '+' ? ' ' : text.p[i];

		if (c == '%') {
			if (text.n - i < 3 || hex_decode(BYTES(text.p + i + 1, 2), &c, 1) != GBA_OK)
				return GBA_E_SYNTAX;
			i += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return GBA_E_SYNTAX;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	if (n > PARAMS_VALUE_MAX)
		return GBA_E_TOO_LONG;
	*_out = out;
	return GBA_OK;
}

static enum gba_err add(TALLOC_CTX *mem_ctx, struct bytes pair, struct params *params, const char **_name)
{
	struct bytes name = pair, value = BYTES(pair.p + pair.n, 0);
	const char *text, *had;
	enum gba_err err;
	size_t i;

	bytes_split(pair, '=', &name, &value);
	err = param_decode(mem_ctx, name, &text);
	if (err == GBA_OK)
		err = param_decode(mem_ctx, value, &had);
	if (err != GBA_OK)
		return err;
	for (i = 0; i < params->n; i++) {
		if (strcmp(params->v[i].name, text) == 0) {
			*_name = text;
			return GBA_E_EXISTS;
		}
	}
	if (params->n == PARAMS_MAX)
		return GBA_E_TOO_LONG;
	params->v[params->n].name = text;
	params->v[params->n++].value = had;
	return GBA_OK;
}

enum gba_err params_read(TALLOC_CTX *mem_ctx, struct bytes text, struct params *_params, const char **_name)
{
	enum gba_err err = GBA_OK;
	struct bytes pair, rest;

	_params->n = 0;
	*_name = NULL;
	for (; err == GBA_OK && text.n > 0; text = rest) {
		rest = BYTES_NONE;
		pair = text;
		bytes_split(text, '&', &pair, &rest);
		if (pair.n > 0)
			err = add(mem_ctx, pair, _params, _name);
	}
	return err;
}

const char *params_get(const struct params *params, const char *name)
{
	size_t i;

	for (i = 0; i < params->n; i++) {
		if (strcmp(params->v[i].name, name) == 0)
			return params->v[i].value[0] != '\0' ? params->v[i].value : NULL;
	}
	return NULL;
}

char *param_encode(TALLOC_CTX *mem_ctx, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	char *out = talloc_size(mem_ctx, 3 * strlen(value) + 1), *at = out;

	for (; out != NULL && *value != '\0'; value++) {
		if (strchr(plain, *value) != NULL) {
			*at++ = *value;
		} else {
			*at++ = '%';
			hex_encode(BYTES(value, 1), at);
			at += 2;
		}
	}
	if (out != NULL)
		*at = '\0';
	return out;
}
