/* SPDX-License-Identifier: Apache-2.0 */
#include "http/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum gba_err fail(struct json_fault *fault, enum gba_err err, int line, int column, const char *text)
{
	if (fault != NULL) {
		fault->line = line;
		fault->column = column;
		snprintf(fault->text, sizeof(fault->text), "%s", text);
	}
	return err;
}

/* Before the parser recurses: brackets outside strings. Where strings end is as in the parser, or it refuses the text. */
static bool depth_good(struct bytes text, int *_line, int *_column)
{
	int depth = 0, line = 1, column = 0;
	bool quoted = false;
	size_t i;

	for (i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		column++;
		if (c == '\n') {
			line++;
			column = 0;
		}
		if (quoted && c == '\\')
			i++, column++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']'))
			depth--;
		if (depth > JSON_DEPTH_MAX) {
			*_line = line;
			*_column = column;
			return false;
		}
	}
	return true;
}

/* The parser's own texts quote the input near the error: named by kind instead, nothing of the input comes back. */
static const char *kind_of(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_duplicate_key: return "a member occurs twice";
	case json_error_invalid_utf8: return "not UTF-8";
	case json_error_premature_end_of_input: return "ends too early";
	case json_error_end_of_input_expected: return "something follows the text";
	case json_error_null_character:
	case json_error_null_byte_in_key: return "NUL in a string";
	case json_error_numeric_overflow: return "number out of range";
	case json_error_out_of_memory: return "out of memory";
	default: return "not JSON";
	}
}

enum gba_err json_read(struct bytes text, json_t **_root, struct json_fault *fault)
{
	int line = 1, column = 1;
	json_error_t error;
	json_t *root;

	if (text.n == 0)
		return fail(fault, GBA_E_SYNTAX, 1, 1, "empty");
	if (text.n > JSON_TEXT_MAX)
		return fail(fault, GBA_E_TOO_LONG, 1, 1, "too long");
	if (!depth_good(text, &line, &column))
		return fail(fault, GBA_E_TOO_LONG, line, column, "nested too deeply");
	root = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (root == NULL)
		return fail(fault, json_error_code(&error) == json_error_out_of_memory ? GBA_E_NOMEM : GBA_E_SYNTAX, error.line,
			    error.column, kind_of(&error));
	if (!json_is_object(root) && !json_is_array(root)) {
		json_decref(root);
		return fail(fault, GBA_E_SYNTAX, 1, 1, "neither an object nor an array");
	}
	*_root = root;
	return GBA_OK;
}

json_t *json_split(struct bytes text, char mark)
{
	json_t *list = json_array();
	struct bytes piece;

	while (text.n > 0) {
		if (!bytes_split(text, mark, &piece, &text)) {
			piece = text;
			text = BYTES_NONE;
		}
		json_array_append_new(list, json_stringn((const char *)piece.p, piece.n));
	}
	return list;
}

void json_pointer_add(char *pointer, size_t cap, const char *name)
{
	size_t n = strlen(pointer);

	if (n + 1 < cap)
		pointer[n++] = '/';
	for (; *name != '\0' && n + 2 < cap; name++) {
		if (*name == '~' || *name == '/')
			pointer[n++] = '~';
		pointer[n++] = (char)(*name == '~' ? '0' : *name == '/' ? '1' : *name);
	}
	pointer[n < cap ? n : cap - 1] = '\0';
}

void json_pointer_index(char *pointer, size_t cap, size_t index)
{
	size_t n = strlen(pointer);

	if (n < cap)
		snprintf(pointer + n, cap - n, "/%zu", index);
}
