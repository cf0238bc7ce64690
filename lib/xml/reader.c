/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/reader.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <pthread.h>

struct walker {
	const struct xml_walk *walk;
	xmlParserCtxtPtr parser;
	enum gba_err err;
	unsigned int row;			/* innermost element we know */
	unsigned int depth;			/* of the element we are in */
	unsigned int unknown;			/* levels inside an element without row */
	uint8_t outer[XML_DEPTH_MAX + 1]; /* by depth: the row around the element there */
	size_t text_n;
	char text[XML_VALUE_MAX];
};

static void stop(struct walker *w, enum gba_err err)
{
	if (w->err == GBA_OK)
		w->err = err;
	xmlStopParser(w->parser);
}

static unsigned int row_of(const struct walker *w, const char *name)
{
	unsigned int i;

	for (i = 1; w->walk->rows[i].name != NULL; i++) {
		if ((w->walk->rows[i].within & XML_IN(w->row)) != 0 && strcmp(w->walk->rows[i].name, name) == 0)
			return i;
	}
	return 0;
}

static void on_open(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int namespace_count,
		    const xmlChar **namespaces, int attr_count, int defaulted_count, const xmlChar **attrs)
{
	struct walker *w = ctx;
	struct xml_attrs list = { attrs, attr_count };
	unsigned int row;
	enum gba_err err;

	(void)prefix, (void)uri, (void)namespace_count, (void)namespaces, (void)defaulted_count;
	if (w->err != GBA_OK)
		return;
	if (++w->depth > XML_DEPTH_MAX || (w->unknown == 0 && w->walk->rows[w->row].leaf)) {
		stop(w, GBA_E_XML);
		return;
	}
	row = w->unknown > 0 ? 0 : row_of(w, (const char *)name);
	if (row == 0) {
		w->unknown++;
		if (w->depth == 1)
			stop(w, GBA_E_XML); /* another document */
		return;
	}
	w->outer[w->depth] = (uint8_t)w->row;
	w->row = row;
	w->text_n = 0;
	err = w->walk->open(w->walk->arg, row, &list);
	if (err != GBA_OK)
		stop(w, err);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct bytes trimmed(const char *p, size_t n)
{
	while (n > 0 && is_blank(p[n - 1]))
		n--;
	while (n > 0 && is_blank(*p)) {
		p++;
		n--;
	}
	return BYTES(p, n);
}

static void on_close(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct walker *w = ctx;
	const struct xml_row *row = &w->walk->rows[w->row];
	enum gba_err err;

	(void)name, (void)prefix, (void)uri;
	if (w->err != GBA_OK)
		return;
	if (w->unknown > 0) {
		w->unknown--;
		w->depth--;
		return;
	}
	w->row = w->outer[w->depth--];
	err = row->leaf ? w->walk->value(w->walk->arg, (unsigned int)(row - w->walk->rows), trimmed(w->text, w->text_n)) :
			  GBA_OK;
	if (err != GBA_OK)
		stop(w, err);
}

static void on_text(void *ctx, const xmlChar *text, int n)
{
	struct walker *w = ctx;

	if (w->err != GBA_OK || w->unknown > 0 || !w->walk->rows[w->row].leaf)
		return;
	if ((size_t)n > sizeof(w->text) - w->text_n) {
		stop(w, GBA_E_XML);
		return;
	}
	memcpy(w->text + w->text_n, text, (size_t)n);
	w->text_n += (size_t)n;
}

/* A DTD could define entities and fetch others: none of our documents has one (RFC 3470 4.7). */
static void on_dtd(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	(void)name, (void)external, (void)system;
	stop(ctx, GBA_E_XML);
}

static xmlSAXHandler handler = {
	.initialized = XML_SAX2_MAGIC,
	.startElementNs = on_open,
	.endElementNs = on_close,
	.characters = on_text,
	.cdataBlock = on_text,
	.internalSubset = on_dtd,
	.externalSubset = on_dtd,
};

static void init_once(void)
{
	xmlInitParser();
}

enum gba_err xml_walk(const struct xml_walk *walk, struct bytes xml)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct walker w;
	bool well_formed;
	int err;

	pthread_once(&once, init_once);
	if (xml.n == 0 || memchr(xml.p, '\0', xml.n) != NULL)
		return GBA_E_XML; /* libxml2 takes a NUL for the end and would not see what follows */
	w.parser = xmlCreateMemoryParserCtxt((const char *)xml.p, (int)xml.n);
	if (w.parser == NULL)
		return GBA_E_NOMEM;
	w.walk = walk;
	w.err = GBA_OK;
	w.row = w.depth = w.unknown = 0;
	w.text_n = 0;
	*w.parser->sax = handler;
	w.parser->userData = &w;
	/* NOENT only makes "&amp;" in an attribute arrive as "&" (else as "&#38;"): there is no entity to expand without DTD. */
	xmlCtxtUseOptions(w.parser, XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	xmlParseDocument(w.parser);
	well_formed = w.parser->wellFormed != 0;
	err = w.parser->errNo;
	if (w.parser->myDoc != NULL)
		xmlFreeDoc(w.parser->myDoc);
	xmlFreeParserCtxt(w.parser);
	if (w.err != GBA_OK)
		return w.err;
	if (err == XML_ERR_NO_MEMORY)
		return GBA_E_NOMEM;
	return well_formed ? GBA_OK : GBA_E_XML;
}

struct bytes xml_attr(const struct xml_attrs *attrs, const char *name)
{
	int i;

	for (i = 0; i < attrs->count; i++) {
		const unsigned char **attr = attrs->list + 5 * i; /* local name, prefix, URI, value, its end */

		if (attr[1] == NULL && strcmp((const char *)attr[0], name) == 0)
			return trimmed((const char *)attr[3], (size_t)(attr[4] - attr[3]));
	}
	return BYTES_NONE;
}

enum gba_err xml_u32(struct bytes text, uint32_t *_value)
{
	uint64_t value = 0;
	size_t i;

	if (text.n == 0)
		return GBA_E_XML;
	for (i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return GBA_E_XML;
		value = value * 10 + (uint64_t)(text.p[i] - '0');
		if (value > UINT32_MAX)
			return GBA_E_XML;
	}
	*_value = (uint32_t)value;
	return GBA_OK;
}
