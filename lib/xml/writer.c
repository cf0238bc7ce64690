/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <libxml/xmlstring.h>
#include <stdio.h>

#include "xml/reader.h"

#define FIRST_CAP 512 /* [octets] a document with one USS */

void xml_text_open(struct xml_text *t, TALLOC_CTX *mem_ctx)
{
	t->p = talloc_array(mem_ctx, char, FIRST_CAP);
	t->n = 0;
	t->cap = FIRST_CAP;
	t->failed = t->p == NULL;
}

static void put(struct xml_text *t, const char *octets, size_t n)
{
	char *grown;

	if (t->failed)
		return;
	if (n >= t->cap - t->n) {
		grown = talloc_realloc(NULL, t->p, char, 2 * t->cap + n);
		if (grown == NULL) {
			t->failed = true;
			return;
		}
		t->p = grown;
		t->cap = 2 * t->cap + n;
	}
	memcpy(t->p + t->n, octets, n);
	t->n += n;
}

void xml_put(struct xml_text *t, const char *markup)
{
	put(t, markup, strlen(markup));
}

static const char *replacement(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\t': return "&#9;";
	case '\n': return "&#10;";
	case '\r': return "&#13;";
	default: return NULL;
	}
}

void xml_put_value(struct xml_text *t, const char *value)
{
	if (!xmlCheckUTF8((const xmlChar *)value))
		t->failed = true;
	for (; *value != '\0'; value++) {
		const char *special = replacement(*value);

		if (special != NULL)
			xml_put(t, special);
		else if ((unsigned char)*value < 0x20)
			t->failed = true;
		else
			put(t, value, 1);
	}
}

void xml_put_u32(struct xml_text *t, uint32_t value)
{
	char digits[11];

	snprintf(digits, sizeof(digits), "%" PRIu32, value);
	xml_put(t, digits);
}

char *xml_text_close(struct xml_text *t)
{
	put(t, "", 1);
	if (!t->failed)
		return t->p;
	talloc_free(t->p);
	return NULL;
}
