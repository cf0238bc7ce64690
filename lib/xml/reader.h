/* SPDX-License-Identifier: Apache-2.0 */
/** What both documents share: a walk over libxml2's SAX events that builds no tree, and a growing text for writers.
 * Refused whatever the document: DTDs (so no entities but the five of XML itself), depth beyond XML_DEPTH_MAX, malformed
 * input. Nothing is fetched, nothing printed. Thread-safe. */
#ifndef GBA_XML_READER_H
#define GBA_XML_READER_H

#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define XML_DEPTH_MAX 32   /* ours; GUSS has 5 levels */
#define XML_VALUE_MAX 2048 /* [octets] text of one element we know */

/** One row per element we know, row 0 for "outside the root". Elements without a row are passed over with all inside. */
struct xml_row {
	const char *name;    /* local name; any namespace */
	unsigned int within; /* XML_IN() of the rows it may stand in, or'ed */
	bool leaf;	     /* has text and no elements */
};

#define XML_IN(row) (1u << (row))
/** Attributes of an element, by local name without prefix. */
struct xml_attrs {
	const unsigned char **list; /* libxml2's five pointers each */
	int count;
};
/** Absent: p == NULL. The view ends with the callback. */
struct bytes xml_attr(const struct xml_attrs *attrs, const char *name);

/** @param rows  ends with { NULL, 0, false }; at most 32
 * @param open   an element begins; not GBA_OK stops the walk with that result
 * @param value  a leaf ends: its text without blanks around it, at most XML_VALUE_MAX; the view ends with the callback */
struct xml_walk {
	const struct xml_row *rows;
	enum gba_err (*open)(void *arg, unsigned int row, const struct xml_attrs *attrs);
	enum gba_err (*value)(void *arg, unsigned int row, struct bytes text);
	void *arg;
};
/** @retval GBA_E_XML, GBA_E_NOMEM, or what a callback returned */
enum gba_err xml_walk(const struct xml_walk *walk, struct bytes xml);

/** Decimal digits only, 0..UINT32_MAX. @retval GBA_E_XML */
enum gba_err xml_u32(struct bytes text, uint32_t *_value);

/** Growing text below a talloc context; `failed` after the first thing that did not work. */
struct xml_text {
	char *p;
	size_t n, cap;
	bool failed;
};
void xml_text_open(struct xml_text *t, TALLOC_CTX *mem_ctx);
/** Markup, as it is. */
void xml_put(struct xml_text *t, const char *markup);
/** Text or attribute value with its special characters replaced; what XML 1.0 cannot carry (control octets, broken UTF-8)
 * fails. */
void xml_put_value(struct xml_text *t, const char *value);
void xml_put_u32(struct xml_text *t, uint32_t value);
/** NUL-terminated; NULL, and nothing left behind, when anything failed. */
char *xml_text_close(struct xml_text *t);

#endif
