/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/secret.h"
#include "dia/dia_internal.h"
#include "dia/dia_sink.h"

#define FIRST_CAP  1024
#define LEN_MAX	   0xffffff /* 24 bits */

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* Room for n more octets, zeroed; NULL when there is none. */
static uint8_t *extend(struct dia_writer *w, size_t n)
{
	size_t cap = w->cap > 0 ? w->cap : FIRST_CAP;
	uint8_t *grown, *at;

	if (w->failed || n > LEN_MAX || w->n + n > LEN_MAX) {
		w->failed = true;
		return NULL;
	}
	while (cap < w->n + n)
		cap *= 2;
	if (cap != w->cap) {
		grown = malloc(cap); /* not realloc: what is left behind may hold keys */
		if (grown == NULL) {
			w->failed = true;
			return NULL;
		}
		if (w->n > 0)
			memcpy(grown, w->p, w->n);
		if (w->p != NULL) {
			secret_wipe(w->p, w->n);
			free(w->p);
		}
		w->p = grown;
		w->cap = cap;
	}
	at = w->p + w->n;
	memset(at, 0, n);
	w->n += n;
	return at;
}

static size_t head_len(uint8_t flags)
{
	return flags & AVP_FLAG_VENDOR ? 12 : 8; /* RFC 6733 4.1 */
}

static uint8_t *put_head(uint8_t *p, uint32_t code, uint32_t vendor, uint8_t flags, size_t len)
{
	put32(p, code);
	put32(p + 4, (uint32_t)len);
	p[4] = flags;
	if (flags & AVP_FLAG_VENDOR)
		put32(p + 8, vendor);
	return p + head_len(flags);
}

void dia_writer_avp(struct dia_writer *w, uint32_t code, uint32_t vendor, uint8_t flags, struct bytes octets)
{
	size_t len = head_len(flags) + octets.n;
	uint8_t *p = extend(w, (len + 3) & ~(size_t)3);

	if (p == NULL)
		return;
	p = put_head(p, code, vendor, flags, len);
	if (octets.n > 0)
		memcpy(p, octets.p, octets.n);
}

void dia_writer_u32(struct dia_writer *w, uint32_t code, uint8_t flags, uint32_t number)
{
	uint8_t octets[4];

	put32(octets, number);
	dia_writer_avp(w, code, 0, flags, BYTES(octets, sizeof(octets)));
}

void dia_writer_open(struct dia_writer *w, uint32_t code, uint32_t vendor, uint8_t flags)
{
	size_t at = w->n;
	uint8_t *p = extend(w, head_len(flags));

	if (w->depth == sizeof(w->group) / sizeof(w->group[0]))
		w->failed = true;
	if (p == NULL || w->failed)
		return;
	(void)put_head(p, code, vendor, flags, 0);
	w->group[w->depth++] = at;
}

void dia_writer_close(struct dia_writer *w)
{
	uint8_t *p, flags;

	if (w->failed || w->depth == 0)
		return;
	p = w->p + w->group[--w->depth];
	flags = p[4];
	put32(p + 4, (uint32_t)(w->n - w->group[w->depth]));
	p[4] = flags;
}

void dia_writer_raw(struct dia_writer *w, struct bytes avps)
{
	uint8_t *p = extend(w, avps.n);

	if (p != NULL && avps.n > 0)
		memcpy(p, avps.p, avps.n);
}

static void copy_number(struct dia_writer *w, const struct avp_hdr *hdr, unsigned int octets)
{
	uint8_t out[8];

	if (octets == 8)
		put32(out, (uint32_t)(hdr->avp_value->u64 >> 32));
	put32(out + octets - 4, octets == 8 ? (uint32_t)hdr->avp_value->u64 : hdr->avp_value->u32);
	dia_writer_avp(w, hdr->avp_code, hdr->avp_vendor, hdr->avp_flags, BYTES(out, octets));
}

static bool copy_group(struct dia_writer *w, struct avp *group, const struct avp_hdr *hdr)
{
	struct avp *avp;
	bool whole = true;

	if (w->depth + 1 >= sizeof(w->group) / sizeof(w->group[0])) /* deeper than any message has it */
		return false;
	dia_writer_open(w, hdr->avp_code, hdr->avp_vendor, hdr->avp_flags);
	for (avp = dia_first(group); avp != NULL && whole; avp = dia_next(avp))
		whole = dia_writer_copy(w, avp);
	dia_writer_close(w);
	return whole;
}

bool dia_writer_copy(struct dia_writer *w, struct avp *avp)
{
	struct avp_hdr *hdr = dia_hdr(avp);
	struct dict_object *model = NULL;
	struct dict_avp_data data;

	if (hdr == NULL || fd_msg_model(avp, &model) != 0)
		return false;
	if (model == NULL) {
		if (hdr->avp_len != head_len(hdr->avp_flags)) /* its octets are the framework's secret */
			return false;
		dia_writer_avp(w, hdr->avp_code, hdr->avp_vendor, hdr->avp_flags, BYTES("", 0));
		return true;
	}
	if (fd_dict_getval(model, &data) != 0)
		return false;
	if (data.avp_basetype == AVP_TYPE_GROUPED)
		return copy_group(w, avp, hdr);
	if (hdr->avp_value == NULL)
		return false;
	switch (data.avp_basetype) {
	case AVP_TYPE_OCTETSTRING:
		dia_writer_avp(w, hdr->avp_code, hdr->avp_vendor, hdr->avp_flags,
			       BYTES(hdr->avp_value->os.data, hdr->avp_value->os.len));
		return true;
	case AVP_TYPE_INTEGER64:
	case AVP_TYPE_UNSIGNED64:
	case AVP_TYPE_FLOAT64: copy_number(w, hdr, 8); return true;
	default: copy_number(w, hdr, 4); return true;
	}
}

static enum gba_err sink_octets(struct dia_sink *sink, const struct dia_field *row, struct bytes octets)
{
	dia_writer_avp((struct dia_writer *)sink, row->code, row->vendor, row->flags, octets);
	return GBA_OK;
}

static enum gba_err sink_number(struct dia_sink *sink, const struct dia_field *row, uint32_t number)
{
	uint8_t octets[4];

	put32(octets, number);
	return sink_octets(sink, row, BYTES(octets, sizeof(octets)));
}

static enum gba_err sink_open(struct dia_sink *sink, const struct dia_field *row)
{
	dia_writer_open((struct dia_writer *)sink, row->code, row->vendor, row->flags);
	return GBA_OK;
}

static void sink_close(struct dia_sink *sink)
{
	dia_writer_close((struct dia_writer *)sink);
}

void dia_writer_start(struct dia_writer *w)
{
	static const struct dia_sink_ops ops = { sink_octets, sink_number, sink_open, sink_close };

	*w = (struct dia_writer){ .sink = { &ops } };
	(void)extend(w, DIA_HEADER_LEN);
}

void dia_writer_reset(struct dia_writer *w)
{
	if (w->p != NULL)
		secret_wipe(w->p, w->n);
	w->n = 0;
	w->depth = 0;
	w->failed = false;
	(void)extend(w, DIA_HEADER_LEN);
}

void dia_writer_free(struct dia_writer *w)
{
	if (w->p != NULL)
		secret_wipe(w->p, w->n);
	free(w->p);
	w->p = NULL;
	w->n = w->cap = 0;
}

enum gba_err dia_writer_finish(struct dia_writer *w, const struct msg_hdr *hdr, struct msg **_msg)
{
	uint8_t *p = w->p;

	if (w->failed || p == NULL)
		return GBA_E_NOMEM;
	put32(p, (uint32_t)w->n);
	p[0] = DIAMETER_VERSION;
	put32(p + 4, hdr->msg_code);
	p[4] = hdr->msg_flags;
	put32(p + 8, hdr->msg_appl);
	put32(p + 12, hdr->msg_hbhid);
	put32(p + 16, hdr->msg_eteid);
	if (fd_msg_parse_buffer(&p, w->n, _msg) != 0)
		return GBA_E_NOMEM;
	w->p = NULL;
	w->n = w->cap = 0;
	return GBA_OK;
}
