/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/dia_internal.h"
#include "dia/dia_sink.h"

#define TIME_LEN  4		      /* [octets] RFC 6733 4.3.1 */
#define TIME_1970 INT64_C(2208988800) /* [s] from 1900-01-01 to 1970-01-01 */
#define TIME_MIN  (INT64_C(2147483648) - TIME_1970) /* 1968-01-20: the first era's later half */
#define TIME_MAX  (INT64_C(6442450943) - TIME_1970) /* 2104-02-26: the second era's earlier half */

static enum gba_err write_octets(struct dia_sink *sink, const struct dia_field *row, struct bytes octets)
{
	return octets.n > row->max ? GBA_E_TOO_LONG : sink->ops->octets(sink, row, octets);
}

static enum gba_err write_list(struct dia_sink *sink, const struct dia_field *row, const struct dia_list *list)
{
	enum gba_err err = GBA_OK;
	size_t i;

	if (list->n > row->max)
		return GBA_E_TOO_LONG;
	for (i = 0; err == GBA_OK && i < list->n; i++)
		err = sink->ops->octets(sink, row, list->v[i]);
	return err;
}

static enum gba_err write_time(struct dia_sink *sink, const struct dia_field *row, time_t when)
{
	uint32_t raw = (uint32_t)((int64_t)when + TIME_1970);
	uint8_t octets[TIME_LEN] = { raw >> 24, raw >> 16, raw >> 8, raw };

	if (when < TIME_MIN || when > TIME_MAX)
		return GBA_E_RANGE;
	return sink->ops->octets(sink, row, BYTES(octets, sizeof(octets)));
}

static enum gba_err write_group(struct dia_sink *sink, const struct dia_field *row, const void *member)
{
	enum gba_err err;

	err = sink->ops->open(sink, row);
	if (err != GBA_OK)
		return err;
	err = dia_rows_write(sink, row->group, member);
	sink->ops->close(sink);
	return err;
}

/* _present: was there anything to write? */
static enum gba_err write_row(struct dia_sink *sink, const struct dia_field *row, const void *member, bool *_present)
{
	*_present = true;
	switch (row->kind) {
	case DIA_K_OCTETS:
		if (((const struct bytes *)member)->p != NULL)
			return write_octets(sink, row, *(const struct bytes *)member);
		break;
	case DIA_K_OCTETS_LIST:
		if (((const struct dia_list *)member)->n > 0)
			return write_list(sink, row, member);
		break;
	case DIA_K_TIME:
		if (*(const time_t *)member != DIA_NO_TIME)
			return write_time(sink, row, *(const time_t *)member);
		break;
	case DIA_K_ENUM:
		if (*(const int32_t *)member != DIA_NO_ENUM)
			return sink->ops->number(sink, row, (uint32_t)*(const int32_t *)member);
		break;
	case DIA_K_U32:
		if (*(const uint32_t *)member != DIA_NO_U32)
			return sink->ops->number(sink, row, *(const uint32_t *)member);
		break;
	case DIA_K_GROUP:
		if (*(const bool *)member)
			return write_group(sink, row, member);
		break;
	case DIA_K_IGNORE: break;
	}
	*_present = false;
	return GBA_OK;
}

enum gba_err dia_rows_write(struct dia_sink *sink, const struct dia_field *fields, const void *in)
{
	const struct dia_field *row;
	enum gba_err err;
	bool present;

	for (row = fields; row->avp != NULL; row++) {
		if (row->model == NULL) /* of a dictionary that is not loaded */
			continue;
		err = write_row(sink, row, (const uint8_t *)in + row->offset, &present);
		if (err != GBA_OK)
			return err;
		if (!present && row->need == DIA_REQUIRED)
			return GBA_E_AVP_MISSING;
	}
	return GBA_OK;
}

/* AVP objects, for requests: freeDiameter's routing reads them. */
struct msg_sink {
	struct dia_sink sink;
	msg_or_avp *parent[4];
	unsigned int depth;
};

static enum gba_err add(struct msg_sink *to, const struct dia_field *row, union avp_value *value, struct avp **_avp)
{
	struct avp_hdr *hdr;
	struct avp *avp;

	if (fd_msg_avp_new(row->model, 0, &avp) != 0)
		return GBA_E_NOMEM;
	hdr = dia_hdr(avp);
	if (hdr == NULL || (value != NULL && fd_msg_avp_setvalue(avp, value) != 0) ||
	    fd_msg_avp_add(to->parent[to->depth], MSG_BRW_LAST_CHILD, avp) != 0) {
		fd_msg_free(avp);
		return GBA_E_NOMEM;
	}
	hdr->avp_flags = row->flags;
	if (_avp != NULL)
		*_avp = avp;
	return GBA_OK;
}

static enum gba_err msg_octets(struct dia_sink *sink, const struct dia_field *row, struct bytes octets)
{
	union avp_value value = { .os = { .data = (uint8_t *)(uintptr_t)octets.p, .len = octets.n } }; /* copied */

	return add((struct msg_sink *)sink, row, &value, NULL);
}

static enum gba_err msg_number(struct dia_sink *sink, const struct dia_field *row, uint32_t number)
{
	union avp_value value = { .u32 = number };

	return add((struct msg_sink *)sink, row, &value, NULL);
}

static enum gba_err msg_open(struct dia_sink *sink, const struct dia_field *row)
{
	struct msg_sink *to = (struct msg_sink *)sink;
	struct avp *group;
	enum gba_err err;

	if (to->depth + 1 == sizeof(to->parent) / sizeof(to->parent[0]))
		return GBA_E_TOO_LONG;
	err = add(to, row, NULL, &group);
	if (err == GBA_OK)
		to->parent[++to->depth] = group;
	return err;
}

static void msg_close(struct dia_sink *sink)
{
	((struct msg_sink *)sink)->depth--;
}

enum gba_err dia_encode(struct msg *msg, const struct dia_field *fields, const void *in)
{
	static const struct dia_sink_ops ops = { msg_octets, msg_number, msg_open, msg_close };
	struct msg_sink to = { { &ops }, { msg }, 0 };

	return dia_rows_write(&to.sink, fields, in);
}
