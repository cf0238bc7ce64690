/* SPDX-License-Identifier: Apache-2.0 */
/* The registry's identifiers by lines on standard input, answered by lines: fields apart by tabs.
 *   parse TEXT                          -> ok FORM KIND REGID WORD IDENTITY | error WHY
 *   make FORM REGID WORD IDENTITY       -> ok TEXT | error WHY
 *   hide FORM REGID WORD IDENTITY KEY   -> the same, by digest; KEY in hex
 *   identifier WORD TEXT                -> ok CLASS NAMES CANONICAL | error WHY
 *   composite CERT APP PLATFORM SIM     -> ok VALUE, parts in hex, "-": absent */
#include <stdio.h>
#include <stdlib.h>

#include "core/codec.h"
#include "registry-fn/id/composite.h"
#include "registry-fn/id/regdevid.h"

#define LINE_LEN 65536
#define FIELDS	 7

static void error(enum gba_err err, const char *why)
{
	printf("error\t%s\t%s\n", gba_err_name(err), why);
}

static void parse(char **f)
{
	char again[REGDEVID_MAX + 1], token[2 * REGDEVID_TOKEN_LEN + 1];
	struct regdevid id;
	const char *why = "";
	enum gba_err err = regdevid_parse(bytes_of(f[1]), &id, &why);

	if (err != GBA_OK) {
		error(err, why);
		return;
	}
	regdevid_format(&id, again);
	hex_encode(BYTES(id.token, REGDEVID_TOKEN_LEN), token);
	printf("%s\t%s\t%s\t%s\t%s\t%s\n", strcmp(again, f[1]) == 0 ? "ok" : "differs", regdevid_form_words[id.form],
	       regdevid_kind_words[id.kind], id.reg_id, id.kind == REGDEVID_OPEN ? id.scheme->word : "-",
	       id.kind == REGDEVID_OPEN ? id.identity : token);
}

static void make(char **f, bool hide)
{
	const struct scheme *scheme = scheme_by_word(bytes_of(f[3]));
	struct regdevid id = { .form = strcmp(f[1], "suffix") == 0 ? REGDEVID_SUFFIX : REGDEVID_PREFIX };
	char text[REGDEVID_MAX + 1];
	const char *why = "scheme";
	enum gba_err err = GBA_E_SYNTAX;
	uint8_t key[32];

	snprintf(id.reg_id, sizeof(id.reg_id), "%s", f[2]);
	if (scheme != NULL)
		err = scheme_inherent(scheme, bytes_of(f[4]), &id.scheme, id.identity, &why);
	if (err == GBA_OK && hide) {
		id.kind = REGDEVID_HIDDEN;
		err = hex_decode(bytes_of(f[5]), key, sizeof(key));
		regdevid_digest(BYTES(key, sizeof(key)), id.reg_id, id.scheme, id.identity, id.token);
	}
	if (err != GBA_OK) {
		error(err, why);
		return;
	}
	regdevid_format(&id, text);
	printf("ok\t%s\n", text);
}

static void identifier(char **f)
{
	const struct scheme *scheme = scheme_by_word(bytes_of(f[1]));
	char out[IDENTIFIER_MAX + 1];
	const char *why = "scheme";
	enum gba_err err = scheme != NULL ? scheme_canonical(scheme, bytes_of(f[2]), out, &why) : GBA_E_SYNTAX;

	if (err != GBA_OK)
		error(err, why);
	else
		printf("ok\t%s\t%s\t%s\n", scheme_class_words[scheme->is], scheme_names_words[scheme->names], out);
}

static struct bytes part(char *text)
{
	size_t n = strlen(text) / 2;

	if (strcmp(text, "-") == 0)
		return BYTES_NONE;
	return hex_decode(bytes_of(text), (uint8_t *)text, n) == GBA_OK ? BYTES(text, n) : BYTES_NONE;
}

static void composite(char **f)
{
	const struct composite_parts parts = { part(f[1]), part(f[2]), part(f[3]), part(f[4]) };
	char out[COMPOSITE_MAX + 1];
	enum gba_err err = composite_compute("sha256", &parts, out);

	if (err == GBA_OK)
		err = composite_verify(bytes_of(out), &parts);
	if (err != GBA_OK)
		error(err, "");
	else
		printf("ok\t%s\n", out);
}

int main(void)
{
	static char line[LINE_LEN];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		static char none[] = "";
		char *f[FIELDS], *at = line;
		size_t n = 0;

		line[strcspn(line, "\n")] = '\0';
		while (n < FIELDS)
			f[n++] = at != NULL ? strsep(&at, "\t") : none;
		if (strcmp(f[0], "parse") == 0)
			parse(f);
		else if (strcmp(f[0], "identifier") == 0)
			identifier(f);
		else if (strcmp(f[0], "composite") == 0)
			composite(f);
		else
			make(f, strcmp(f[0], "hide") == 0);
	}
	return 0;
}
