/* SPDX-License-Identifier: Apache-2.0 */
/** JSON from outside, read strictly (RFC 8259): one text, members once each, bounded depth and size, no NUL in strings; and
 * JSON Pointers (RFC 6901) to say where something is wrong. */
#ifndef GBA_HTTP_JSON_H
#define GBA_HTTP_JSON_H

#include <jansson.h>

#include "core/bytes.h"
#include "core/err.h"

#define JSON_DEPTH_MAX 16
#define JSON_TEXT_MAX  (1u << 20) /* [octets] of one text */

/** Where and why a text was refused; no part of the text itself. */
struct json_fault {
	int line, column; /* from 1 */
	char text[96];
};

/** @param _root  object or array, to be json_decref()ed; written on GBA_OK only
 * @param fault  may be NULL
 * @retval GBA_E_TOO_LONG  longer than JSON_TEXT_MAX, or nested deeper than JSON_DEPTH_MAX
 * @retval GBA_E_SYNTAX, GBA_E_NOMEM */
enum gba_err json_read(struct bytes text, json_t **_root, struct json_fault *fault);

/** List of the pieces of a text between these marks; of no text, an empty one. NULL: out of memory */
json_t *json_split(struct bytes text, char mark);

/** Append "/" and the member's name, escaped, to a pointer (cap octets with its NUL); cut to fit. */
void json_pointer_add(char *pointer, size_t cap, const char *name);
/** Append "/" and an index. */
void json_pointer_index(char *pointer, size_t cap, size_t index);

#endif
