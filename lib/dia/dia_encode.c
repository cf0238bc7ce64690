/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/dia_internal.h"

#define TIME_LEN  4		      /* [octets] RFC 6733 4.3.1 */
#define TIME_1970 INT64_C(2208988800) /* [s] from 1900-01-01 to 1970-01-01 */
#define TIME_MIN  (INT64_C(2147483648) - TIME_1970) /* 1968-01-20: the first era's later half */
#define TIME_MAX  (INT64_C(6442450943) - TIME_1970) /* 2104-02-26: the second era's earlier half */

static enum gba_err add(msg_or_avp *parent, const struct dia_field *row, union avp_value *value, struct avp **_avp)
{
	struct avp_hdr *hdr;
	struct avp *avp;

	if (fd_msg_avp_new(row->model, 0, &avp) != 0)
		return GBA_E_NOMEM;
	hdr = dia_hdr(avp);
	if (hdr == NULL || (value != NULL && fd_msg_avp_setvalue(avp, value) != 0) ||
	    fd_msg_avp_add(parent, MSG_BRW_LAST_CHILD, avp) != 0) {
		fd_msg_free(avp);
		return GBA_E_NOMEM;
	}
	hdr->avp_flags = row->flags;
	if (_avp != NULL)
		*_avp = avp;
	return GBA_OK;
}

static enum gba_err add_octets(msg_or_avp *parent, const struct dia_field *row, struct bytes octets)
{
	union avp_value value = { .os = { .data = (uint8_t *)(uintptr_t)octets.p, .len = octets.n } }; /* copied */

	return add(parent, row, &value, NULL);
}

static enum gba_err add_list(msg_or_avp *parent, const struct dia_field *row, const struct dia_list *list)
{
	enum gba_err err = GBA_OK;
	size_t i;

	if (list->n > row->max)
		return GBA_E_TOO_LONG;
	for (i = 0; err == GBA_OK && i < list->n; i++)
		err = add_octets(parent, row, list->v[i]);
	return err;
}

static enum gba_err add_time(msg_or_avp *parent, const struct dia_field *row, time_t when)
{
	uint32_t raw = (uint32_t)((int64_t)when + TIME_1970);
	uint8_t octets[TIME_LEN] = { raw >> 24, raw >> 16, raw >> 8, raw };

	if (when < TIME_MIN || when > TIME_MAX)
		return GBA_E_RANGE;
	return add_octets(parent, row, BYTES(octets, sizeof(octets)));
}

static enum gba_err encode_rows(msg_or_avp *parent, const struct dia_field *fields, const uint8_t *in);

static enum gba_err add_group(msg_or_avp *parent, const struct dia_field *row, const void *member)
{
	struct avp *group;
	enum gba_err err;

	err = add(parent, row, NULL, &group);
	if (err != GBA_OK)
		return err;
	return encode_rows(group, row->group, member);
}

/* _present: was there anything to write? */
static enum gba_err encode_row(msg_or_avp *parent, const struct dia_field *row, const void *member, bool *_present)
{
	const struct bytes *octets = member;
	union avp_value value = { .u32 = 0 };

	*_present = true;
	switch (row->kind) {
	case DIA_K_OCTETS:
		if (octets->p == NULL)
			break;
		return octets->n > row->max ? GBA_E_TOO_LONG : add_octets(parent, row, *octets);
	case DIA_K_OCTETS_LIST:
		if (((const struct dia_list *)member)->n == 0)
			break;
		return add_list(parent, row, member);
	case DIA_K_TIME:
		if (*(const time_t *)member == DIA_NO_TIME)
			break;
		return add_time(parent, row, *(const time_t *)member);
	case DIA_K_ENUM:
		if (*(const int32_t *)member == DIA_NO_ENUM)
			break;
		value.i32 = *(const int32_t *)member;
		return add(parent, row, &value, NULL);
	case DIA_K_U32:
		if (*(const uint32_t *)member == DIA_NO_U32)
			break;
		value.u32 = *(const uint32_t *)member;
		return add(parent, row, &value, NULL);
	case DIA_K_GROUP:
		if (!*(const bool *)member)
			break;
		return add_group(parent, row, member);
	case DIA_K_IGNORE: break;
	}
	*_present = false;
	return GBA_OK;
}

static enum gba_err encode_rows(msg_or_avp *parent, const struct dia_field *fields, const uint8_t *in)
{
	const struct dia_field *row;
	enum gba_err err;
	bool present;

	for (row = fields; row->avp != NULL; row++) {
		err = encode_row(parent, row, in + row->offset, &present);
		if (err != GBA_OK)
			return err;
		if (!present && row->need == DIA_REQUIRED)
			return GBA_E_AVP_MISSING;
	}
	return GBA_OK;
}

enum gba_err dia_encode(struct msg *msg, const struct dia_field *fields, const void *in)
{
	return encode_rows(msg, fields, in);
}
