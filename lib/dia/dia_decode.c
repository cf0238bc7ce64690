/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/dia_internal.h"

#define TIME_LEN       4		     /* [octets] RFC 6733 4.3.1 */
#define TIME_1970      INT64_C(2208988800)   /* [s] from 1900-01-01 to 1970-01-01 */
#define TIME_ERA       INT64_C(4294967296)   /* [s] from 1900-01-01 to 2036-02-07T06:28:16Z */
#define TIME_FIRST_ERA 0x80000000u	     /* top bit set: counted from 1900, clear: from 2036 (RFC 4330 3) */

struct decoding {
	TALLOC_CTX *mem_ctx;
	struct dia_failed *failed;
};

/* RFC 6733 4.5, the AVPs any command may carry: known to the framework, with or without a row of ours. */
static bool is_framework_avp(const struct avp_hdr *hdr)
{
	static const struct {
		uint32_t first, last;
	} base[] = { { 1, 1 },	   { 25, 25 },	 { 27, 27 },   { 33, 33 },   { 44, 44 },  { 50, 50 },
		     { 55, 55 },   { 85, 85 },	 { 257, 274 }, { 276, 287 }, { 291, 300 }, { 480, 480 },
		     { 483, 483 }, { 485, 485 } };
	size_t i;

	if (hdr->avp_flags & AVP_FLAG_VENDOR)
		return false;
	for (i = 0; i < sizeof(base) / sizeof(base[0]); i++) {
		if (hdr->avp_code >= base[i].first && hdr->avp_code <= base[i].last)
			return true;
	}
	return false;
}

static const struct dia_field *row_of(const struct dia_field *fields, const struct avp_hdr *hdr)
{
	uint32_t vendor = hdr->avp_flags & AVP_FLAG_VENDOR ? hdr->avp_vendor : 0;
	const struct dia_field *row;

	for (row = fields; row->avp != NULL; row++) {
		if (row->code == hdr->avp_code && row->vendor == vendor && row->model != NULL)
			return row;
	}
	return NULL;
}

static void clear(const struct dia_field *fields, uint8_t *out)
{
	const struct dia_field *row;

	for (row = fields; row->avp != NULL; row++) {
		void *member = out + row->offset;

		switch (row->kind) {
		case DIA_K_OCTETS: *(struct bytes *)member = BYTES_NONE; break;
		case DIA_K_ENUM: *(int32_t *)member = DIA_NO_ENUM; break;
		case DIA_K_U32: *(uint32_t *)member = DIA_NO_U32; break;
		case DIA_K_TIME: *(time_t *)member = DIA_NO_TIME; break;
		case DIA_K_OCTETS_LIST: *(struct dia_list *)member = (struct dia_list){ NULL, 0 }; break;
		case DIA_K_GROUP:
			*(bool *)member = false;
			clear(row->group, member);
			break;
		case DIA_K_IGNORE: break;
		}
	}
}

static enum gba_err read_time(struct bytes octets, time_t *_when)
{
	uint32_t raw;

	if (octets.n != TIME_LEN)
		return GBA_E_AVP_LENGTH;
	raw = (uint32_t)octets.p[0] << 24 | (uint32_t)octets.p[1] << 16 | (uint32_t)octets.p[2] << 8 | octets.p[3];
	*_when = (time_t)(raw - TIME_1970 + (raw & TIME_FIRST_ERA ? 0 : TIME_ERA));
	return GBA_OK;
}

static enum gba_err read_list(struct decoding *d, const struct dia_field *row, struct bytes octets, struct dia_list *list)
{
	if (list->n >= row->max)
		return GBA_E_AVP_OCCURS;
	if (list->v == NULL) {
		list->v = talloc_array(d->mem_ctx, struct bytes, row->max);
		if (list->v == NULL)
			return GBA_E_NOMEM;
	}
	list->v[list->n++] = octets;
	return GBA_OK;
}

static enum gba_err decode_children(struct decoding *d, msg_or_avp *parent, bool parent_m, const struct dia_field *fields,
				    void *out);

static enum gba_err read_group(struct decoding *d, const struct dia_field *row, struct avp *avp, uint8_t flags, void *member)
{
	if (*(bool *)member)
		return GBA_E_AVP_OCCURS;
	*(bool *)member = true;
	return decode_children(d, avp, (flags & AVP_FLAG_MANDATORY) != 0, row->group, member);
}

static enum gba_err read_octets(const struct dia_field *row, struct bytes octets, struct bytes *member)
{
	if (member->p != NULL)
		return GBA_E_AVP_OCCURS;
	if (octets.n > row->max)
		return GBA_E_AVP_LENGTH;
	*member = octets;
	return GBA_OK;
}

static enum gba_err read_value(struct decoding *d, const struct dia_field *row, const union avp_value *value, void *member)
{
	struct bytes octets = BYTES_NONE;

	if (row->kind == DIA_K_OCTETS || row->kind == DIA_K_TIME || row->kind == DIA_K_OCTETS_LIST)
		octets = BYTES(value->os.data, value->os.len);
	switch (row->kind) {
	case DIA_K_OCTETS: return read_octets(row, octets, member);
	case DIA_K_OCTETS_LIST: return read_list(d, row, octets, member);
	case DIA_K_TIME:
		if (*(time_t *)member != DIA_NO_TIME)
			return GBA_E_AVP_OCCURS;
		return read_time(octets, member);
	case DIA_K_ENUM:
		if (*(int32_t *)member != DIA_NO_ENUM)
			return GBA_E_AVP_OCCURS;
		if (value->i32 == DIA_NO_ENUM)
			return GBA_E_AVP_VALUE;
		*(int32_t *)member = value->i32;
		return GBA_OK;
	case DIA_K_U32:
		if (*(uint32_t *)member != DIA_NO_U32)
			return GBA_E_AVP_OCCURS;
		*(uint32_t *)member = value->u32;
		return GBA_OK;
	default: return GBA_OK;
	}
}

static enum gba_err decode_avp(struct decoding *d, struct avp *avp, bool parent_m, const struct dia_field *fields, uint8_t *out)
{
	struct avp_hdr *hdr = dia_hdr(avp);
	const struct dia_field *row;

	if (hdr == NULL)
		return GBA_E_INTERNAL;
	row = row_of(fields, hdr);
	if (row == NULL)
		return parent_m && (hdr->avp_flags & AVP_FLAG_MANDATORY) && !is_framework_avp(hdr) ? GBA_E_AVP_UNSUPPORTED
												      : GBA_OK;
	if (row->kind == DIA_K_IGNORE)
		return GBA_OK;
	if (row->kind == DIA_K_GROUP)
		return read_group(d, row, avp, hdr->avp_flags, out + row->offset);
	if (hdr->avp_value == NULL) /* the framework could not read it */
		return GBA_E_AVP_VALUE;
	return read_value(d, row, hdr->avp_value, out + row->offset);
}

static bool is_absent(const struct dia_field *row, const void *member)
{
	switch (row->kind) {
	case DIA_K_OCTETS: return ((const struct bytes *)member)->p == NULL;
	case DIA_K_ENUM: return *(const int32_t *)member == DIA_NO_ENUM;
	case DIA_K_U32: return *(const uint32_t *)member == DIA_NO_U32;
	case DIA_K_TIME: return *(const time_t *)member == DIA_NO_TIME;
	case DIA_K_GROUP: return !*(const bool *)member;
	case DIA_K_OCTETS_LIST: return ((const struct dia_list *)member)->n == 0;
	case DIA_K_IGNORE: return false;
	}
	return true;
}

static enum gba_err check_required(struct decoding *d, msg_or_avp *parent, const struct dia_field *fields, const uint8_t *out)
{
	const struct dia_field *row;

	for (row = fields; row->avp != NULL; row++) {
		if (row->need != DIA_REQUIRED || !is_absent(row, out + row->offset))
			continue;
		d->failed->model = row->model;
		d->failed->group = parent;
		return GBA_E_AVP_MISSING;
	}
	return GBA_OK;
}

static enum gba_err decode_children(struct decoding *d, msg_or_avp *parent, bool parent_m, const struct dia_field *fields,
				    void *out)
{
	struct avp *avp;
	enum gba_err err;

	for (avp = dia_first(parent); avp != NULL; avp = dia_next(avp)) {
		err = decode_avp(d, avp, parent_m, fields, out);
		if (err == GBA_OK)
			continue;
		if (d->failed->avp == NULL && d->failed->model == NULL) /* not set yet further down */
			d->failed->avp = avp;
		return err;
	}
	return check_required(d, parent, fields, out);
}

enum gba_err dia_decode(TALLOC_CTX *mem_ctx, struct msg *msg, const struct dia_field *fields, void *out,
			struct dia_failed *_failed)
{
	struct dia_failed ignored;
	struct decoding d = { mem_ctx, _failed != NULL ? _failed : &ignored };
	enum gba_err err;

	*d.failed = (struct dia_failed){ NULL, NULL, NULL };
	clear(fields, out);
	err = decode_children(&d, msg, true, fields, out);
	if (d.failed->group == (void *)msg)
		d.failed->group = NULL;
	return err;
}
