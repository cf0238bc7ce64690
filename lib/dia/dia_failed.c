/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/dia_internal.h"
#include "dia/dia_sink.h"

#define DEPTH_MAX 3 /* groups around an AVP of ours */

/* The grouped AVP that avp stands in; NULL when that is the message. */
static struct avp *parent_group(struct avp *avp)
{
	msg_or_avp *parent = NULL, *grandparent = NULL;

	if (fd_msg_browse(avp, MSG_BRW_PARENT, &parent, NULL) != 0 || parent == NULL)
		return NULL;
	if (fd_msg_browse(parent, MSG_BRW_PARENT, &grandparent, NULL) != 0 || grandparent == NULL)
		return NULL;
	return parent;
}

static bool is_time(struct dict_object *model)
{
	struct dict_object *type = NULL;
	struct dict_type_data data;

	return fd_dict_search(fd_g_config->cnf_dict, DICT_TYPE, TYPE_OF_AVP, model, &type, 0) == 0 && type != NULL &&
	       fd_dict_getval(type, &data) == 0 && strcmp(data.type_name, "Time") == 0;
}

/* "An example of the missing AVP", value zero of the least length its type allows (RFC 6733 7.1.5, 7.5). */
static void write_example(struct dia_writer *w, struct dict_object *model)
{
	static const uint8_t zero[8] = { 0 };
	struct dict_avp_data data;
	size_t n;

	if (fd_dict_getval(model, &data) != 0)
		return;
	switch (data.avp_basetype) {
	case AVP_TYPE_GROUPED: n = 0; break;
	case AVP_TYPE_OCTETSTRING: n = is_time(model) ? 4 : 1; break;
	case AVP_TYPE_INTEGER64:
	case AVP_TYPE_UNSIGNED64:
	case AVP_TYPE_FLOAT64: n = 8; break;
	default: n = 4; break;
	}
	dia_writer_avp(w, data.avp_code, data.avp_vendor, data.avp_flag_val, BYTES(zero, n));
}

/* What the dictionary does not know has no value to copy: its head says which it is. */
static void write_copy(struct dia_writer *w, struct avp *avp)
{
	struct avp_hdr *hdr = dia_hdr(avp);
	size_t before = w->n;
	unsigned int depth = w->depth;

	if (hdr == NULL || dia_writer_copy(w, avp))
		return;
	w->n = before;
	w->depth = depth;
	dia_writer_avp(w, hdr->avp_code, hdr->avp_vendor, hdr->avp_flags, BYTES("", 0));
}

void dia_write_failed(struct dia_writer *w, const struct dia_failed *failed)
{
	struct avp *around[DEPTH_MAX], *group;
	struct avp_hdr *hdr;
	int n = 0, i;

	if (failed->avp == NULL && failed->model == NULL)
		return;
	group = failed->avp != NULL ? parent_group(failed->avp) : failed->group;
	for (; group != NULL && n < DEPTH_MAX; group = parent_group(group))
		around[n++] = group;
	dia_writer_open(w, AVP_FAILED_AVP, 0, AVP_FLAG_MANDATORY);
	for (i = n - 1; i >= 0; i--) {
		hdr = dia_hdr(around[i]);
		dia_writer_open(w, hdr->avp_code, hdr->avp_vendor, hdr->avp_flags);
	}
	if (failed->avp != NULL)
		write_copy(w, failed->avp);
	else
		write_example(w, failed->model);
	for (i = 0; i <= n; i++)
		dia_writer_close(w);
}

struct avp *dia_avp_of(struct msg *msg, const struct dia_field *fields, size_t offset)
{
	const struct dia_field *row = fields;
	struct avp *avp = NULL;

	while (row->avp != NULL && (row->offset != offset || row->kind == DIA_K_IGNORE))
		row++;
	if (row->model != NULL)
		fd_msg_search_avp(msg, row->model, &avp);
	return avp;
}

struct avp *dia_avp_within(struct avp *group, struct bytes view)
{
	struct avp *avp = NULL;
	struct avp_hdr *hdr;

	if (group == NULL || fd_msg_browse(group, MSG_BRW_FIRST_CHILD, &avp, NULL) != 0)
		return group;
	while (avp != NULL) {
		if (fd_msg_avp_hdr(avp, &hdr) == 0 && hdr->avp_value != NULL && hdr->avp_value->os.data == view.p)
			return avp;
		if (fd_msg_browse(avp, MSG_BRW_NEXT, &avp, NULL) != 0)
			break;
	}
	return group;
}
